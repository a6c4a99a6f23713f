"""What there is to know of classes and scores, and which class is taken for which, as plain JSON values."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from handnet.data import Array
from handnet.scores import Mean, called
from handnet.study.quantity import finite
from handnet.tasks import Task


def confusion(task: Task, outputs: Array | None, y: Array, part: str) -> dict[str, Any] | None:
    """How many cases of each class R seeds call each class, on average over those that are finite.

    counts is (k, k), a row for each true class. None of two classes, of a number, and with fewer than two
    finite seeds. outputs: (R, n, k), None where there are no seeds; y: (n,).
    """
    if task.classes < 3 or outputs is None or len(finite(outputs)) < 2:
        return None
    calls = called(finite(outputs))
    counts = np.zeros((task.classes, task.classes))
    np.add.at(counts, (np.broadcast_to(y, calls.shape), calls), 1 / len(calls))
    return {"part": part, "seeds": len(calls), "counts": counts.round(9).tolist()}


def class_counts(y: Array, classes: int) -> dict[str, Any]:
    """How many cases are of each class: of two those of class 1, of a number nothing. y: (n,) of a part."""
    if classes == 2:
        return {"positive": int(y.sum())}
    return {"classes": np.bincount(y, minlength=classes).tolist()} if classes else {}


def poles(classes: Sequence[str]) -> dict[str, str]:
    """What class 1 and class 0 are called, where there are two classes."""
    return {"positive_class": classes[1], "negative_class": classes[0]} if len(classes) == 2 else {}


def score_facts(task: Task) -> Iterator[dict[str, Any]]:
    """What there is to know of each score. Of classes those of the calls come before those of the
    probabilities."""
    scores = list(task.all_scores)
    if task.classes:
        scores.sort(key=lambda score: isinstance(score, Mean) or getattr(score, "base", None) is not None)
    for score in scores:
        yield {"score": score.name, "main": score.main, "higher": score.higher}
