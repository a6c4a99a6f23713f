"""Two models on the same cases, for one score: the difference over seeds and cases, and how often it errs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.bands.compare import ALPHA, detectable_difference
from handnet.bands.crossed import Crossed, crossed_difference, needed, pseudo_values
from handnet.predictions.alarms import simulated_alarms
from handnet.predictions.aligned import Aligned
from handnet.study.quantity import band_facts
from handnet.tasks import Scale, Task


@dataclass(frozen=True)
class CrossedRow:
    """Ours less theirs over seeds and cases, for one score on its scale; above 0 ours is better.

    seeds: how many of each side are sound, 1 of a model without a seed; alarms: of the rule, where it was
    simulated.
    """

    score: str
    scale: Scale
    split: str
    found: Crossed
    seeds: tuple[int, int]
    paired: bool
    decides: bool
    alarms: Mapping[str, Any] | None = None

    def detectable(self, level: float) -> float | None:
        """The smallest true difference that is found with 80 % power."""
        return detectable_difference(self.found.error, self.found.degrees, level, self.scale.widest)

    def facts(self, adjusted: float | None = None, among: int = 1) -> dict[str, Any]:
        """The row, as plain JSON values. adjusted: its p among so many that decide."""
        found, level, widest = self.found, ALPHA / among, self.scale.widest
        comparison = found.comparison
        wanted = needed(found, comparison.band.centre("mean"), level)
        return {
            "score": self.score,
            "unit": self.scale.unit,
            "widest": widest if np.isfinite(widest) else None,
            "kind": comparison.band.kind,
            "split": self.split,
            "decides": self.decides,
            "difference": band_facts(comparison.band),
            "p": comparison.p,
            "adjusted": comparison.p if adjusted is None else adjusted,
            "error": found.error,
            "degrees": found.degrees,
            "detectable": self.detectable(level),
            "detectable_level": level,
            "needed": wanted._asdict(),
            "variances": found.variances._asdict(),
            "seeds": list(self.seeds),
            "paired": self.paired,
            "false_alarms": self.alarms,
        }


def compare_cases(task: Task, pair: Aligned, score: str, decides: bool = False) -> CrossedRow:
    """Two models on the same cases, for one score.

    decides: whether the rule's own false alarms are simulated too, at these sizes. Raises ValueError where
    the score cannot be compared case by case.
    """
    ours, theirs = pair.sound
    y, groups, scale = pair.cases.y, pair.cases.groups, task.scale(score)
    a, b = (pseudo_values(task, score, side, y) for side in (ours, theirs))
    found = crossed_difference(a, b, pair.paired, groups)
    alarms = simulated_alarms(task, pair, score) if decides else None
    return CrossedRow(
        score, scale, pair.cases.split, found, (len(ours), len(theirs)), pair.paired, decides, alarms
    )
