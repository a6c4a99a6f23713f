"""Two models on the same cases, for one score: the difference over seeds and cases, and how often it errs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.bands.compare import ALPHA
from handnet.bands.crossed import Crossed, crossed_difference, needed, pseudo_values
from handnet.predictions.aligned import Aligned
from handnet.predictions.divisions import POOLED
from handnet.study.quantity import band_facts
from handnet.tasks import Scale, Task


@dataclass(frozen=True)
class CrossedRow:
    """Ours less theirs over seeds and cases, for one score on its scale; above 0 ours is better.

    seeds: how many of each side are sound, 1 of a model without a seed; diverged: how many are not.
    """

    score: str
    scale: Scale
    split: str
    found: Crossed
    seeds: tuple[int, int]
    paired: bool
    diverged: tuple[int, int] = (0, 0)

    def detectable(self, level: float) -> float | None:
        """The smallest true difference that is found with 80 % power."""
        return self.found.detectable(level, self.scale.widest)

    def facts(self, adjusted: float, level: float = ALPHA, decides: bool = False) -> dict[str, Any]:
        """The row, as plain JSON values. adjusted: its p by Holm's method; level: at which a difference is
        surely found."""
        found, widest = self.found, self.scale.widest
        comparison = found.comparison
        wanted = needed(found, comparison.band.centre("mean"), level)
        return {
            "score": self.score,
            "unit": self.scale.unit,
            "widest": widest if np.isfinite(widest) else None,
            "kind": comparison.band.kind,
            "split": self.split,
            "pooled": self.split == POOLED,
            "decides": decides,
            "difference": band_facts(comparison.band),
            "p": comparison.p,
            "adjusted": adjusted,
            "error": found.error,
            "degrees": found.degrees,
            "detectable": self.detectable(level),
            "detectable_level": level,
            "needed": wanted._asdict(),
            "alike": found.alike is not None,
            "variances": found.variances._asdict(),
            "seeds": list(self.seeds),
            "diverged": list(self.diverged),
            "paired": self.paired,
            "false_alarms": None,
        }


def compare_cases(task: Task, pair: Aligned, score: str) -> CrossedRow:
    """Two models on the same cases, for one score. Raises ValueError where it cannot be compared case by
    case."""
    ours, theirs = pair.sound
    y, groups, scale = pair.cases.y, pair.cases.groups, task.scale(score)
    a, b = (pseudo_values(task, score, side, y) for side in (ours, theirs))
    found = crossed_difference(a, b, pair.paired, groups, widest=scale.widest)
    seeds = len(ours), len(theirs)
    return CrossedRow(score, scale, pair.cases.split, found, seeds, pair.paired, pair.diverged)
