"""How often the rule that decides a comparison finds a difference between two equal models."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from handnet.bands.equal_models import false_alarms
from handnet.bands.null import RULE
from handnet.bands.null_tables import Layout
from handnet.bands.proportion import clopper_pearson
from handnet.predictions.aligned import Aligned
from handnet.scores import right
from handnet.study.false_alarms import measured, rate
from handnet.tasks import Task


def simulated_alarms(task: Task, pair: Aligned, score: str) -> dict[str, Any]:
    """Of the rule over seeds and cases, simulated at the sizes of this comparison."""
    (ours, theirs), y = pair.sound, pair.cases.y
    accuracy = float(np.mean([right(side, y).mean() for side in (ours, theirs)])) if task.classes else 0.0
    seeds, groups = max(len(ours), len(theirs)), pair.cases.groups
    found = false_alarms(task, y, accuracy, seeds, score, groups, paired=pair.paired)
    band = clopper_pearson(round(found.found * found.studies), found.studies)
    return {
        "rate": found.found,
        "low": band.low,
        "high": band.high,
        "studies": found.studies,
        "setting": found.setting,
    }


def measured_alarms(task: Task, divisions: Sequence[Aligned], score: str) -> dict[str, Any] | None:
    """Of the rule over divisions, in the measured layout that is nearest to this one; None where it was not
    measured for this task.

    Rows that are not tested count as train rows: how many of them are validation rows is not known."""
    test, others = (round(np.mean(sizes)) for sizes in zip(*map(_sizes, divisions), strict=True))
    y = np.concatenate([one.cases.y for one in divisions])
    rarer = np.bincount(y, minlength=task.classes).min() / len(y) * (test + others) if task.classes else 0
    own = Layout(test + others, others, 0, test, round(rarer), len(divisions), task.classes)
    found = next((row for row in measured(own, score).rates if row.rule == RULE), None)
    if found is None:
        return None
    band = rate(found)
    setting = (
        f"{found.layout.divisions} divisions of {found.layout.rows} rows, {found.layout.test} of them test"
    )
    return {
        "rate": band.centre("share"),
        "low": band.low,
        "high": band.high,
        "studies": found.tables,
        "setting": setting,
    }


def _sizes(one: Aligned) -> tuple[int, int]:
    return len(one.cases), one.cases.others or 0
