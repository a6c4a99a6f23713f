"""Two methods on the same cases of one test, each with several seeds: seeds and cases are random both.

What is compared is the expected difference of a score over all seeds and all cases of this kind, on the scale
of `Task.scale`. Above 0 ours is better. Its squared error is that of crossed random effects,

    se^2 = (MS_cases + MS_seeds - MS_rest) / (n R),    never below MS_cases / (n R) or MS_seeds / (n R) alone,

with Satterthwaite's (1946) degrees of freedom. Of unpaired seeds each side has its own MS_seeds - MS_rest,
and the cases theirs from the difference of the means over the seeds. So it is with fewer than 5 pairs too,
because so few do not tell what they have in common; that makes se larger where they have something. A side
of one replica has no part for seeds, and what is said of it holds for this very model.

The interval is never narrower than Student's t over the seeds alone, and p never smaller: two or three seeds
can be alike by chance, and Satterthwaite's degrees are then those of the cases.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from handnet.bands.band import (
    DIFFERENCE_FROM_THIS_MODEL,
    EXPECTED_DIFFERENCE,
    EXPECTED_DIFFERENCE_OVER_SEEDS,
    Band,
)
from handnet.bands.clusters import number_of_groups
from handnet.bands.compare import ALPHA, ROUNDING, Comparison, first_that, within_reach
from handnet.bands.mean_squares import (
    Alike,
    Error,
    MeanSquares,
    Variances,
    errors,
    independent,
    mean_squares,
    scaled,
    variances,
)
from handnet.class_scores import side_placements
from handnet.data import Array
from handnet.scores import Mean, Quantile, Ratio, Share, Whole
from handnet.tasks import Task

KIND = "crossed t"
MOST = 10**9  # cases or seeds that are looked at when it is asked how many are needed


def pseudo_values(task: Task, score: str, outputs: Array, y: Array) -> Array:
    """What each case adds to the score of each replica, (R, n), on the scale on which methods are compared.

    Each row has as its mean the replica's score on that scale, and it is the score and the influence of each
    case: the value of a mean itself, n / n_c times the distance from the share for the n_c cases of a class,
    the placements of an area (DeLong et al. 1988), the infinitesimal jackknife (Efron 1982) of all others.

    outputs: (R, n) or (R, n, k), finite; y: (n,). Raises ValueError for a quantile and a signed mean, whose
    methods are not compared so, and where a loss is 0 whose logarithm is compared.
    """
    kind, scale = task.every[score], task.scale(score)
    if isinstance(kind, Quantile) or (isinstance(kind, Mean) and kind.signed):
        raise ValueError(f"{score} of two methods cannot be compared case by case; choose another score.")
    z, y = np.asarray(outputs, dtype=np.float64), np.asarray(y)
    values, influence = kind.of(z, y)[:, None], _influence(kind, z, y)
    if scale.unit == "per cent":
        if not values.all():
            raise ValueError(f"{score} is 0 for some seed, and has no logarithm to compare; choose another.")
        influence = influence / values
    return np.asarray(scale.values(values) + scale.sign * influence)


def _influence(score: Share | Mean | Ratio | Whole, z: Array, y: Array) -> Array:
    """How each case moves the score of each replica, (R, n), each row with the mean 0."""
    if isinstance(score, Mean):
        losses = score.values(z, y)
        return np.asarray(losses - losses.mean(axis=1, keepdims=True))
    if isinstance(score, Share):
        counted = score.counted(y)
        right, weight = score.right(z, y)[:, counted], len(y) / counted.sum()
        moved = np.zeros(z.shape[:2])
        moved[:, counted] = weight * (right - right.mean(axis=1, keepdims=True))
        return moved
    if score.influence is not None:
        return np.asarray(score.influence(z, y))
    moved = np.empty(z.shape)  # the area under the ROC curve of two classes
    sides = np.flatnonzero(y == 1), np.flatnonzero(y != 1)
    for side, places in zip(sides, side_placements(z, *sides), strict=True):
        moved[:, side] = (places - places.mean(axis=1, keepdims=True)) * len(y) / len(side)
    return moved


@dataclass(frozen=True)
class Crossed:
    """The difference of two methods over seeds and cases.

    comparison: its band, mean -+ t error, and p; error: the standard error behind the band; degrees: of
    Student's t for it; variances: the parts of the squared error over seeds and cases; squares: the mean
    squares they are made of; alike: where the difference of all cases is the same, what is known of others.
    """

    comparison: Comparison
    error: float
    degrees: float
    variances: Variances
    squares: MeanSquares
    alike: Alike | None = None

    def detectable(self, level: float = ALPHA, widest: float = np.inf, power: float = 0.8) -> float | None:
        """The smallest true difference that is found at this level with this chance; None where that is more
        than the largest that the score can have, `widest`."""
        every = _every(errors(self.squares), self.alike)
        return within_reach(max(one.detectable(level, power) for one in every), widest)


def crossed_difference(
    ours: Array,
    theirs: Array,
    paired: bool,
    groups: Array | None = None,
    coverage: float = 0.95,
    widest: float = np.inf,
) -> Crossed:
    """The expected difference of two methods, over seeds and cases, with its t interval and p.

    Where the difference of all cases is the same, the band is at least as wide as `Alike` has it, with its p:
    1 if nothing differs.

    ours: (R, n), theirs: (Q, n), of `pseudo_values`; paired: whether row r of both has the same seed, R = Q;
    groups: (n,) int, None where every case is its own; widest: the largest difference that the score can
    have, beyond which the band does not go. Raises ValueError for pairs that do not match.
    """
    if ours.shape[1:] != theirs.shape[1:] or (paired and len(ours) != len(theirs)):
        raise ValueError(
            f"expected two methods on the same cases and pairs, but got {ours.shape} and {theirs.shape}."
        )
    d = ours.mean(axis=0) - theirs.mean(axis=0)
    mean, squares = float(d.mean()), mean_squares(ours, theirs, paired, groups)
    found, alike = errors(squares), None
    wider = max(found, key=lambda one: one.reach(coverage))
    if np.ptp(d) < ROUNDING:
        alike = Alike(independent(groups, len(d)), float(np.ptp([*ours, *theirs])) or 1.0)
    every = _every(found, alike)
    half, p = max(one.reach(coverage) for one in every), max(one.p(mean) for one in every)
    ends, centres = (max(mean - half, -widest), min(mean + half, widest)), (("mean", mean),)
    band = Band(*ends, KIND, "cases", len(d), coverage, EXPECTED_DIFFERENCE, centres)
    replicas = max(len(ours), len(theirs))
    if replicas > 1:
        alone = 1 in (len(ours), len(theirs))
        over = DIFFERENCE_FROM_THIS_MODEL if alone else EXPECTED_DIFFERENCE_OVER_SEEDS
        band = replace(band, varied="seeds_x_cases", estimand=over, seeds=replicas)
    band = replace(band, groups=number_of_groups(groups))
    return Crossed(Comparison(band, p), *wider, variances(squares), squares, alike)


def _every(found: list[Error], alike: Alike | None) -> list[Error | Alike]:
    """All that the interval must not be narrower than."""
    return [*found, alike] if alike else [*found]


class Needed(NamedTuple):
    """How many cases, or seeds, find a difference, with the other as it is; None where none would."""

    cases: int | None
    seeds: int | None  # of the side that has more; None too where both have one


def needed(crossed: Crossed, difference: float, level: float = ALPHA, power: float = 0.8) -> Needed:
    """How many cases with these seeds, or seeds with these cases, find this difference.

    They are the fewest for which it is no smaller than what is detectable, with the error and degrees of
    freedom that these mean squares would have at that size, and where the difference of all cases is the same
    with as many that are alike.

    difference: the true one, of either sign, on the scale of the pseudo-values; level, power: as there.
    """
    band, wanted = crossed.comparison.band, abs(difference)

    def finds(cases: float, seeds: float) -> bool:
        alike = crossed.alike and crossed.alike._replace(cases=crossed.alike.cases * cases)
        expected = _every(errors(scaled(crossed.squares, cases, seeds)), alike)
        return wanted > 0 and all(one.detectable(level, power) <= wanted for one in expected)

    return Needed(
        first_that(lambda count: finds(count / band.n, 1), 2, MOST),
        first_that(lambda count: finds(1, count / band.seeds), 2, MOST) if band.seeds else None,
    )
