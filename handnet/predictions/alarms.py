"""How often the rule that decides a comparison finds a difference between two equal models."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from handnet.bands.equal_models import false_alarms
from handnet.bands.null import RULE
from handnet.bands.null_tables import Layout
from handnet.bands.proportion import clopper_pearson
from handnet.data import Array
from handnet.draws import SIMULATION, generator
from handnet.predictions.aligned import Aligned
from handnet.scores import right
from handnet.study.false_alarms import Measured, rate
from handnet.tasks import Task, task_of

ROUNDED = 0.02  # to what accuracies are rounded


def simulated_alarms(task: Task, pair: Aligned, score: str) -> dict[str, Any]:
    """Of the rule over seeds and cases, simulated at the sizes of this comparison.

    The accuracy is rounded, so that pairs of alike models need one simulation."""
    (ours, theirs), y = pair.sound, pair.cases.y
    accuracy = float(np.mean([right(side, y).mean() for side in (ours, theirs)])) if task.classes else 0.0
    groups, seeds = pair.cases.groups, (len(ours), len(theirs))
    of_groups = None if groups is None else np.unique(groups, return_inverse=True)[1].tobytes()
    truth = y.astype(np.int8) if task.classes else np.zeros(len(y), dtype=np.int8)
    near = round(accuracy / ROUNDED) * ROUNDED
    return dict(_simulated(task.classes, truth.tobytes(), near, seeds, score, of_groups, pair.paired))


@lru_cache(maxsize=32)
def _simulated(
    classes: int,
    y: bytes,
    accuracy: float,
    seeds: tuple[int, int],
    score: str,
    groups: bytes | None,
    paired: bool,
) -> dict[str, Any]:
    """The same of sizes alone. y, groups: arrays as bytes; the values of a number do not matter."""
    truth: Array = np.frombuffer(y, dtype=np.int8)
    of = None if groups is None else np.frombuffer(groups, dtype=np.int64)
    if not classes:
        truth = generator(0, SIMULATION).normal(size=len(truth))
    found = false_alarms(
        task_of(classes), truth, accuracy, seeds[0], score, of, paired=paired, theirs=seeds[1]
    )
    band = clopper_pearson(round(found.found * found.studies), found.studies)
    return {
        "rate": found.found,
        "low": band.low,
        "high": band.high,
        "studies": found.studies,
        "setting": found.setting,
    }


def layout_of_divisions(task: Task, divisions: Sequence[Aligned]) -> Layout | None:
    """How the table is divided, as far as that is known; None where it is not known how many rows were not
    tested. Those count as train rows: how many of them are validation rows nothing says."""
    if not divisions or not all(one.cases.others for one in divisions):
        return None
    test, others = (round(np.mean(sizes)) for sizes in zip(*map(_sizes, divisions), strict=True))
    rarer = 0
    if task.classes:
        y = np.concatenate([one.cases.y for one in divisions])
        share = np.bincount(y, minlength=task.classes).min() / len(y)
        rarer = max(round(share * (test + others)), 1)
    return Layout(test + others, others, 0, test, rarer, len(divisions), task.classes)


def measured_alarms(found: Measured) -> dict[str, Any]:
    """Of the rule over divisions, in the measured layout that is nearest."""
    row = next(row for row in found.rates if row.rule == RULE)
    band, near = rate(row), found.nearest
    return {
        "rate": band.centre("share"),
        "low": band.low,
        "high": band.high,
        "studies": row.tables,
        "setting": f"{near.divisions} divisions of {near.rows} rows, {near.test} of them test",
    }


def _sizes(one: Aligned) -> tuple[int, int]:
    return len(one.cases), one.cases.others or 0
