"""Is one configuration better than another on the opened test? What is said holds for these cases."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from handnet.bands import Band
from handnet.bands.auc import auc_difference
from handnet.bands.clusters import mean_variance, number_of_groups
from handnet.bands.compare import Comparison, McNemar, detectable_difference, mcnemar, paired_difference
from handnet.bands.multibootstrap import bootstrap_means
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.draws import Resamples, resamples
from handnet.study.quantity import finite
from handnet.study.summary import RESAMPLING_SEED, bootstraps
from handnet.study.units import Confirmed


@dataclass(frozen=True)
class ComparedOnTest:
    """The networks of ours against those of theirs on the opened test."""

    difference: Band  # of accuracy, seeds and cases resampled together
    auc: Comparison | None  # None against a constant score
    disagreements: tuple[McNemar, ...]  # for each seed of ours, with theirs of the same place
    error: (
        float  # standard error over cases of the accuracy of one network of ours less that of one of theirs
    )
    degrees: float = inf  # of Student's t for it: one less than the groups, infinitely many without groups

    def detectable(self, score: str, level: float) -> float | None:
        """The smallest true difference that would have been found in 80 of 100 such tests at this level.

        In accuracy it is that of one network, in AUC that of the mean AUC over the seeds; None for other
        scores, and where no difference would have been found.
        """
        if score == "accuracy":
            return detectable_difference(self.error, self.degrees, level, 1.0)
        return (
            detectable_difference(self.auc.error(), inf, level, 1.0) if score == "auc" and self.auc else None
        )


def compare_on_test(
    ours: Confirmed | None, theirs: Confirmed | None, y: Array | None, groups: Array | None = None
) -> ComparedOnTest | None:
    """None while the test is sealed, and for fewer than two sound replicas of ours.

    y: (n,); groups: (n,) int, None where every case is its own.
    """
    a, b = (side.logits("test") if side else None for side in (ours, theirs))
    if y is None or a is None or b is None:
        return None
    paired = len(a) == len(b)  # two networks on the same seeds; a method without a seed has one row
    if paired:
        both = np.isfinite(a + b).all(axis=1)
        a, b = a[both], b[both]
    a = finite(a)
    if len(a) < 2:
        return None
    right_a, right_b = ((z > 0) == (y == 1) for z in (a, b))
    low, high = _resampled(right_a, right_b, y, groups, paired)
    right_a, right_b = np.broadcast_arrays(right_a, right_b)
    disagreements = tuple(mcnemar(x, z, groups) for x, z in zip(right_a, right_b, strict=True))
    band = _widened(low, high, paired_difference(right_a, right_b, groups), len(right_a))
    comparable = all(np.ptp(z, axis=1).max() > 0 for z in (a, b))  # the area of a constant score is 1/2
    area = auc_difference(a, b, y, groups) if comparable else None
    error = float(np.sqrt(mean_variance(right_a.astype(float) - right_b, groups)))
    degrees = max(number_of_groups(groups) - 1, 1) if groups is not None else inf
    return ComparedOnTest(band, area, disagreements, error, degrees)


def _resampled(
    right_a: Array, right_b: Array, y: Array, groups: Array | None, paired: bool
) -> tuple[float, float]:
    """The .025 and .975 quantiles of the difference in accuracy, seeds and cases resampled together.

    right_a, right_b: (R, n) bool, right_b (1, n) for a method without a seed; y, groups: (n,).
    """
    samples = resamples(RESAMPLING_SEED, len(right_a), y, bootstraps(len(y)), groups)
    same = np.ones((len(samples.cases), 1), dtype=int)
    every = np.ones(len(y), dtype=bool)
    drawn = bootstrap_means(right_a, every, samples)
    drawn = drawn - bootstrap_means(right_b, every, samples if paired else Resamples(same, samples.cases))
    low, high = (float(end) for end in np.quantile(drawn, [LOW, HIGH]))
    return low, high


def _widened(low: float, high: float, cases: Band, replicas: int) -> Band:
    """The band of a difference, never narrower than what the cases alone allow one network."""
    kind = "multi-bootstrap"
    if high - low < cases.high - cases.low:
        low, high, kind = min(low, cases.low), max(high, cases.high), f"{kind} and {cases.kind}"
    crossed = replace(cases, low=low, high=high, kind=kind, varied="seeds_x_cases", coverage=HIGH - LOW)
    return replace(crossed, seeds=replicas)
