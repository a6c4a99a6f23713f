"""What is used of a study, the ensemble of the winner's seeds or one of them, and how good each is."""

from typing import Any

import numpy as np

from handnet.bands.calibration import ensemble
from handnet.bands.cases import case_bands
from handnet.data import Array
from handnet.report.words import number, part_name
from handnet.scores import right
from handnet.study.quantity import band_facts
from handnet.study.summary import middle_seed
from handnet.study.units import Confirmed
from handnet.tasks import Task

SHOWN = ("accuracy", "log_loss")


def deployed(
    task: Task, winner: Confirmed, y_val: Array, y_test: Array | None, groups: Array | None
) -> dict[str, Any] | None:
    """The ensemble that the logged model is, the seeds one by one, and the one seed of the Keras file.

    On the part graded last. None with fewer than two sound seeds. y_val: (n_val,); y_test: (n_test,), None
    while the test is sealed; groups: (n,) int of that part, or None.
    """
    part, y = ("val", y_val) if y_test is None else ("test", y_test)
    logits = winner.logits(part)
    if winner.replicas is None or logits is None or not winner.has_seed_bands:
        return None
    sound = logits[winner.replicas.sound]
    together = ensemble(sound)
    bands = case_bands(task.scores, together[None], y, groups)
    scores = task.grade(sound, y)
    place = middle_seed(task, winner.replicas, y_val)
    alone = task.grade(logits[[place]], y)
    facts = {
        "part": part,
        "cases": len(y),
        "ensemble": {
            "seeds": len(sound),
            "right": int(right(together[None], y).sum()),
            **{name: band_facts(bands[name]) for name in SHOWN},
        },
        "each_seed": {name: float(np.mean(scores[name])) for name in SHOWN},
        "keras_file": {
            "seed": winner.replicas.seeds[place],
            **{name: float(alone[name][0]) for name in SHOWN},
        },
    }
    return facts | {"sentence": _sentence(facts)}


def _sentence(facts: dict[str, Any]) -> str:
    joint, each, one, n = facts["ensemble"], facts["each_seed"], facts["keras_file"], facts["cases"]
    loss = joint["log_loss"]
    middle, low, high = map(number, (next(iter(loss["centres"].values())), loss["low"], loss["high"]))
    return (
        f"The logged model is the ensemble: it gives the mean probability of the {joint['seeds']} seeds."
        f" It calls {joint['right']} of the {n} {part_name(facts['part'])} cases right, with a log loss of"
        f" {middle} [{low}, {high}] over cases; a single seed calls {n * each['accuracy']:.1f} right on"
        f" average, with {number(each['log_loss'])}. The Keras file is one network, seed {one['seed']}, that"
        f" of median validation loss: {n * one['accuracy']:.0f} right, with {number(one['log_loss'])}."
    )
