"""The facts of which class is taken for which, as plain JSON values."""

from typing import Any

import numpy as np

from handnet.data import Array
from handnet.scores import called
from handnet.study.quantity import finite
from handnet.study.units import Confirmed
from handnet.tasks import Task


def confusion(task: Task, winner: Confirmed, y_val: Array, y_test: Array | None) -> dict[str, Any] | None:
    """How many cases of each class the winner calls each class, on average over its sound seeds.

    On the part graded last; counts is (k, k), a row for each true class. None of two classes, of a number,
    and with fewer than two sound seeds. y_val: (n_val,); y_test: (n_test,), None while the test is sealed.
    """
    part, y = ("val", y_val) if y_test is None else ("test", y_test)
    outputs = winner.logits(part)
    if task.classes < 3 or outputs is None or not winner.has_seed_bands:
        return None
    calls = called(finite(outputs))
    counts = np.zeros((task.classes, task.classes))
    np.add.at(counts, (np.broadcast_to(y, calls.shape), calls), 1 / len(calls))
    return {"part": part, "seeds": len(calls), "counts": counts.round(9).tolist()}
