"""What is used of a study, the ensemble of the winner's seeds or one of them, and how good each is."""

from collections.abc import Callable
from typing import Any

import numpy as np

from handnet.bands.calibration import ensemble
from handnet.bands.cases import case_bands
from handnet.data import Array
from handnet.report.model_words import OURS, Studied
from handnet.report.words import in_band, label, number, part_name, written
from handnet.scores import right
from handnet.study.networks import Replicas
from handnet.study.quantity import band_facts
from handnet.study.summary import middle_seed
from handnet.study.units import Confirmed
from handnet.tasks import Task


def deployed(
    task: Task,
    winner: Confirmed,
    y_val: Array,
    y_test: Array | None,
    groups: Array | None,
    model: Studied = OURS,
) -> dict[str, Any] | None:
    """The ensemble that the logged model is, the seeds one by one, and the one seed of the Keras file; of a
    model that is not kept, what its ensemble would be worth.

    On the part graded last, by the scores of `Task.varied`. None with fewer than two sound seeds. y_val:
    (n_val,); y_test: (n_test,), None while the test is sealed; groups: (n,) int of that part, or None;
    model: what is studied.
    """
    part, y = ("val", y_val) if y_test is None else ("test", y_test)
    logits = winner.logits(part)
    if winner.replicas is None or logits is None or not winner.has_seed_bands:
        return None
    sound = logits[winner.replicas.sound]
    together = (ensemble(sound) if task.classes else sound.mean(axis=0))[None]
    bands = case_bands({name: task.scores[name] for name in task.varied}, together, y, groups)
    scores = task.grade(sound, y)
    facts = {
        "part": part,
        "cases": len(y),
        "ensemble": {
            "seeds": len(sound),
            "right": int(right(together, y).sum()) if task.classes else None,
            **{name: band_facts(band) for name, band in bands.items()},
        },
        "each_seed": {name: float(np.mean(scores[name])) for name in task.varied},
        "keras_file": _one_seed(task, winner.replicas, logits, y_val, y) if model.keeps else None,
    }
    said = _of_classes(facts, many=task.classes > 2) if task.classes else _of_a_number(facts)
    return facts | {"sentence": said}


def _one_seed(task: Task, replicas: Replicas, logits: Array, y_val: Array, y: Array) -> dict[str, Any]:
    """The seed of median validation loss, and its scores. logits: (R, n) or (R, n, k); y: (n,)."""
    place = middle_seed(task, replicas, y_val)
    alone = task.grade(logits[[place]], y)
    return {"seed": replicas.seeds[place], **{name: float(alone[name][0]) for name in task.varied}}


def _ensemble(facts: dict[str, Any], mean: str) -> str:
    """What the ensemble is, and that it is the logged model where models are kept."""
    seeds = f"the mean {mean} of the {facts['ensemble']['seeds']} seeds"
    if facts["keras_file"] is None:
        return f"The ensemble would give {seeds}; models of this kind are not logged."
    return f"The logged model is the ensemble: it gives {seeds}."


def _of_classes(facts: dict[str, Any], many: bool) -> str:
    """What is said of calls and their probabilities."""
    joint, each, one, n = facts["ensemble"], facts["each_seed"], facts["keras_file"], facts["cases"]
    loss = joint["log_loss"]
    middle, low, high = map(number, (next(iter(loss["centres"].values())), loss["low"], loss["high"]))
    file = one and (
        f" The Keras file is one network, seed {one['seed']}, that of median validation loss:"
        f" {n * one['accuracy']:.0f} right, with {number(one['log_loss'])}."
    )
    return (
        f"{_ensemble(facts, 'probabilities' if many else 'probability')}"
        f" It calls {joint['right']} of the {n} {part_name(facts['part'])} cases right, with a log loss of"
        f" {middle} [{low}, {high}] over cases; a single seed calls {n * each['accuracy']:.1f} right on"
        f" average, with {number(each['log_loss'])}.{file or ''}"
    )


def _of_a_number(facts: dict[str, Any]) -> str:
    """What is said of guesses, in the target's unit."""
    joint, each, one = facts["ensemble"], facts["each_seed"], facts["keras_file"]
    file = one and (
        f" The Keras file is one network, seed {one['seed']}, that of median validation loss:"
        f" {' and '.join(f'{label(name)} {written(one[name], name)}' for name in each)}."
    )

    def together(told: Callable[[str], str]) -> str:
        return " and ".join(f"{label(name)} {told(name)}" for name in each)

    return (
        f"{_ensemble(facts, 'guess')} On the"
        f" {facts['cases']} {part_name(facts['part'])} cases it has"
        f" {together(lambda name: in_band({**joint[name], 'score': name}))} over cases; a single seed has"
        f" {together(lambda name: written(each[name], name))} on average.{file or ''}"
    )
