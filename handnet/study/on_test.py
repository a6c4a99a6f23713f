"""Is one configuration better than another on the opened test? What is said holds for these cases."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from handnet.bands import Band
from handnet.bands.auc import auc_difference
from handnet.bands.clusters import mean_reach, mean_variance, number_of_groups
from handnet.bands.compare import Comparison, detectable_difference
from handnet.bands.multibootstrap import bootstrap_means
from handnet.bands.paired import (
    Homogeneity,
    McNemar,
    bowker,
    calls_table,
    mcnemar,
    paired_difference,
    paired_losses,
    score_difference,
    signed_rank,
    stuart_maxwell,
)
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.draws import Resamples, resamples
from handnet.scores import Whole, called, right
from handnet.study.quantity import finite
from handnet.study.score_bands import RESAMPLING_SEED, bootstraps
from handnet.tasks import Task


@dataclass(frozen=True)
class ComparedOnTest:
    """The networks of ours against those of theirs on the opened test, where both call classes.

    difference: of accuracy, seeds and cases resampled together; auc: of the mean AUC over the seeds, None
    against a constant score; disagreements: for each seed of ours, with theirs of the same place; error: over
    cases, of the accuracy of one network of ours less that of one of theirs; degrees: of Student's t for it,
    one less than the groups, infinitely many without groups; bowker, stuart_maxwell: of the calls of many
    classes, for each seed, empty of two classes and of cases in groups.
    """

    difference: Band
    auc: Comparison | None
    disagreements: tuple[McNemar, ...]
    error: float
    degrees: float = inf
    bowker: tuple[Homogeneity, ...] = ()
    stuart_maxwell: tuple[Homogeneity, ...] = ()

    @property
    def tested(self) -> Comparison | None:
        """What has a p of its own for the mean over the seeds: the difference of the AUC."""
        return self.auc

    def adjusted(self, p: float) -> "ComparedOnTest":
        """With the p of `tested` as adjusted."""
        return replace(self, auc=self.auc._replace(adjusted=p)) if self.auc else self

    def detectable(self, score: str, level: float) -> float | None:
        """The smallest true difference that would have been found in 80 of 100 such tests at this level.

        In accuracy it is that of one network, in AUC that of the mean AUC over the seeds; None for other
        scores, and where no difference would have been found.
        """
        if score == "accuracy":
            return detectable_difference(self.error, self.degrees, level, 1.0)
        return (
            detectable_difference(self.auc.error(self.degrees), self.degrees, level, 1.0)
            if score == "auc" and self.auc
            else None
        )


@dataclass(frozen=True)
class NumbersOnTest:
    """The networks of ours against those of theirs on the opened test, where both guess a number.

    difference: by how much the mean squared error of ours is lower, seeds and cases resampled together; mse:
    the same for the mean over the seeds, by paired t over cases; paired_t, signed_rank: the p of the squared
    errors of each seed of ours, with theirs of the same place; error: over cases, of the logarithm of the
    RMSE of one network of theirs less that of one of ours; degrees: of Student's t for it.
    """

    difference: Band
    mse: Comparison
    paired_t: tuple[float, ...]
    signed_rank: tuple[float, ...]
    error: float
    degrees: float

    @property
    def tested(self) -> Comparison:
        """What has a p of its own for the mean over the seeds: the difference of the MSE."""
        return self.mse

    def adjusted(self, p: float) -> "NumbersOnTest":
        """With the p of `tested` as adjusted."""
        return replace(self, mse=self.mse._replace(adjusted=p))

    def detectable(self, score: str, level: float) -> float | None:
        """The smallest true difference of one network that would have been found in 80 of 100 such tests.

        It is a difference of the logarithm of the RMSE; None for other scores.
        """
        return detectable_difference(self.error, self.degrees, level) if score == "rmse" else None


OnTest = ComparedOnTest | NumbersOnTest


def sound_pairs(ours: Array, theirs: Array) -> tuple[Array, Array]:
    """The replicas of both that are finite, seed by seed where they are as many.

    ours, theirs: (R, n) or (R, n, k), of a method without a seed (1, ...), which stands beside every seed.
    """
    if len(ours) == len(theirs):
        both = np.isfinite(ours + theirs).all(axis=tuple(range(1, ours.ndim)))
        return ours[both], theirs[both]
    return finite(ours), finite(theirs)


def compare_on_test(task: Task, ours: Array, theirs: Array, y: Array, groups: Array | None = None) -> OnTest:
    """Two models on the same cases, seed by seed.

    ours, theirs: finite outputs (R, n) or (R, n, k), row by row of the same seeds; of a method without a seed
    (1, ...), which stands beside every seed; y: (n,); groups: (n,) int, None where every case is its own.
    """
    return (_classes if task.classes else _numbers)(task, ours, theirs, y, groups)


def _classes(task: Task, a: Array, b: Array, y: Array, groups: Array | None) -> ComparedOnTest:
    """Of classes. a, b: outputs (R, n) or (R, n, k), of a method without a seed (1, ...)."""
    right_a, right_b = right(a, y), right(b, y)
    low, high = _resampled(right_a, right_b, y, groups)
    right_a, right_b = np.broadcast_arrays(right_a, right_b)
    disagreements = tuple(mcnemar(x, z, groups) for x, z in zip(right_a, right_b, strict=True))
    band = _widened(low, high, paired_difference(right_a, right_b, groups), len(right_a))
    error, degrees = _error(right_a.astype(float) - right_b, groups), _degrees(groups)
    area = _area_difference(task, a, b, y, groups)
    if task.classes == 2 or groups is not None:
        return ComparedOnTest(band, area, disagreements, error, degrees)
    calls = zip(*np.broadcast_arrays(called(a), called(b)), strict=True)
    tables = [calls_table(x, z, task.classes) for x, z in calls]
    tests = (tuple(map(test, tables)) for test in (bowker, stuart_maxwell))
    return ComparedOnTest(band, area, disagreements, error, degrees, *tests)


def _area_difference(task: Task, a: Array, b: Array, y: Array, groups: Array | None) -> Comparison | None:
    """Of the AUC, for many classes the mean of one against the rest; None against a constant score, and where
    a class has a single case."""
    if np.unique(y, return_counts=True)[1].min() < 2:
        return None
    if not all(np.ptp(z, axis=1).max() > 0 for z in (a, b)):
        return None  # the area of a constant score is 1/2
    if task.classes == 2:
        return auc_difference(a, b, y, groups)
    score = task.scores["auc"]
    assert isinstance(score, Whole)
    return score_difference(score, a, b, y, groups)


def _numbers(task: Task, a: Array, b: Array, y: Array, groups: Array | None) -> NumbersOnTest:
    """Of a number. a, b: guesses (R, n), of a method without a seed (1, n)."""
    losses_a, losses_b = task.case_losses(a, y), task.case_losses(b, y)
    low, high = (-end for end in reversed(_resampled(losses_a, losses_b, y, groups)))
    losses_a, losses_b = np.broadcast_arrays(losses_a, losses_b)
    mse = paired_losses(losses_a, losses_b, groups)
    mean, half = mse.band.centre("mean"), mean_reach(losses_b - losses_a, groups)  # of one network
    band = _widened(low, high, replace(mse.band, low=mean - half, high=mean + half), len(a))
    rows = list(zip(losses_a, losses_b, strict=True))
    paired_t = tuple(paired_losses(x[None], z[None], groups).p for x, z in rows)
    ranks = tuple(signed_rank(x, z, groups) for x, z in rows)
    # To first order a case moves the logarithm of an RMSE by half of its share of the mean squared error.
    least = np.finfo(np.float64).tiny
    shares_a, shares_b = (
        each / np.maximum(each.mean(axis=1, keepdims=True), least) / 2 for each in (losses_a, losses_b)
    )
    degrees = _degrees(groups) if groups is not None else len(y) - 1
    return NumbersOnTest(band, mse, paired_t, ranks, _error(shares_b - shares_a, groups), degrees)


def _error(differences: Array, groups: Array | None) -> float:
    """The standard error of the mean over cases of differences (R, n), of one replica."""
    return float(np.sqrt(mean_variance(differences, groups)))


def _degrees(groups: Array | None) -> float:
    return max(number_of_groups(groups) - 1, 1) if groups is not None else inf


def _resampled(values_a: Array, values_b: Array, y: Array, groups: Array | None) -> tuple[float, float]:
    """The .025 and .975 quantiles of the difference in the mean, seeds and cases resampled together.

    values_a, values_b: (R, n), (1, n) for a method without a seed; y, groups: (n,).
    """
    replicas = max(len(values_a), len(values_b))
    samples = resamples(RESAMPLING_SEED, replicas, y, bootstraps(len(y)), groups)
    alone = Resamples(np.ones((len(samples.cases), 1), dtype=int), samples.cases)
    every = np.ones(len(y), dtype=bool)
    drawn_a, drawn_b = (
        bootstrap_means(values, every, samples if len(values) == replicas else alone)
        for values in (values_a, values_b)
    )
    low, high = (float(end) for end in np.quantile(drawn_a - drawn_b, [LOW, HIGH]))
    return low, high


def _widened(low: float, high: float, cases: Band, replicas: int) -> Band:
    """The band of a difference, never narrower than what the cases alone allow one network."""
    if replicas < 2:
        return cases
    kind = "multi-bootstrap"
    if high - low < cases.high - cases.low:
        low, high, kind = min(low, cases.low), max(high, cases.high), f"{kind} and {cases.kind}"
    crossed = replace(cases, low=low, high=high, kind=kind, varied="seeds_x_cases", coverage=HIGH - LOW)
    return replace(crossed, seeds=replicas)
