"""Two methods on the same cases of one test, each with several seeds: seeds and cases are random both.

What is compared is the expected difference of a score over all seeds and all cases of this kind, on the scale
of `Task.scale`. Above 0 ours is better.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

from handnet.bands.auc import placements
from handnet.bands.band import EXPECTED_DIFFERENCE, EXPECTED_DIFFERENCE_OVER_SEEDS, Band
from handnet.bands.clusters import group_sums, mean_variance, number_of_groups
from handnet.bands.compare import ALPHA, ROUNDING, Comparison
from handnet.data import Array
from handnet.scores import Mean, Quantile, Ratio, Share, Whole
from handnet.tasks import Task

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
    return np.stack([_placed(row, y == 1) for row in z])


def _placed(logits: Array, positive: Array) -> Array:
    """How each case moves the area under the ROC curve of one replica, (n,)."""
    moved = np.empty(len(logits))
    for side, places in zip((positive, ~positive), placements(logits, positive), strict=True):
        moved[side] = (places - places.mean()) * len(logits) / side.sum()
    return moved


class Part(NamedTuple):
    """One part of the squared error of a difference, and the degrees of freedom it is known with."""

    variance: float
    degrees: float


class Variances(NamedTuple):
    """What the squared error of a difference is made of, as estimated; the sum is the squared error.

    cases: of the cases, whatever the seed; seeds: of the seeds, whatever the case, 0 where none can be told
    from one seed; rest: of what a seed does to a single case. Each falls as 1 / n, 1 / R and 1 / (n R).
    """

    cases: float
    seeds: float
    rest: float


@dataclass(frozen=True)
class Crossed:
    """The difference of two methods over seeds and cases.

    comparison: its band, mean -+ t error, and p; error: the standard error; degrees: of Student's t.
    """

    comparison: Comparison
    error: float
    degrees: float
    variances: Variances
    among_cases: Part  # the squared error by cases alone, of these very seeds
    among_seeds: tuple[Part, ...]  # by seeds alone, on these very cases: of the pairs, or of each side


def crossed_difference(
    ours: Array, theirs: Array, paired: bool, groups: Array | None = None, coverage: float = 0.95
) -> Crossed:
    """The expected difference of two methods, over seeds and cases, with its t interval and p.

        se^2 = (MS_cases + MS_seeds - MS_rest) / (n R)          (crossed random effects)

    It is never below MS_cases / (n R) or MS_seeds / (n R) alone. The degrees of freedom are Satterthwaite's
    (1946). Of unpaired seeds each side has its MS_seeds - MS_rest, from its own R or Q replicas, and the
    cases theirs from the difference of the means over seeds. A side of one replica has no part for seeds, and
    what is said of it holds for this very model.

    ours: (R, n), theirs: (Q, n), of `pseudo_values`; paired: whether row r of both has the same seed, R = Q;
    groups: (n,) int, None where every case is its own; their sums take the place of cases then
    (`mean_variance`).
    """
    if paired and len(ours) != len(theirs):
        raise ValueError(f"paired methods have as many seeds, but these have {len(ours)} and {len(theirs)}.")
    sides = [ours - theirs] if paired else [ours, theirs]
    d = ours.mean(axis=0) - theirs.mean(axis=0)
    among_cases = Part(float(mean_variance(d[None], groups)), _case_degrees(d, groups))
    seeds = [_seed_parts(side, groups) for side in sides if len(side) > 1]
    among_seeds, rest = tuple(part for part, _ in seeds), tuple(part for _, part in seeds)
    variances = _variances(among_cases, among_seeds, rest)
    error, degrees = float(np.sqrt(sum(variances))), _degrees((among_cases, *among_seeds), rest)
    comparison = _compared(ours, theirs, d, error, degrees, groups, coverage)
    return Crossed(comparison, error, degrees, variances, among_cases, among_seeds)


def _compared(
    ours: Array, theirs: Array, d: Array, error: float, degrees: float, groups: Array | None, coverage: float
) -> Comparison:
    """The t interval and p of the mean of d (n,)."""
    mean, n, count = float(d.mean()), d.size, number_of_groups(groups)
    half, p = float(t.ppf((1 + coverage) / 2, degrees)) * error, 1.0
    if not np.any(ours.mean(axis=0) - theirs.mean(axis=0)) and error == 0:
        half = _unseen(np.concatenate([ours, theirs]), count or n, coverage)
    elif mean:
        p = float(2 * t.sf(abs(mean) / error, degrees)) if error else 0.0
    replicas = max(len(ours), len(theirs))
    band = Band(
        mean - half, mean + half, "crossed t", "cases", n, coverage, EXPECTED_DIFFERENCE, (("mean", mean),)
    )
    if replicas > 1:
        over = EXPECTED_DIFFERENCE_OVER_SEEDS
        band = replace(band, varied="seeds_x_cases", estimand=over, seeds=replicas)
    return Comparison(replace(band, groups=count), p)


def _unseen(values: Array, n: int, coverage: float) -> float:
    """The largest mean difference of two methods that agree on all of n cases: Wilson's end for 0 of n."""
    z2 = float(norm.ppf((1 + coverage) / 2)) ** 2
    return (float(np.ptp(values)) or 1.0) * z2 / (n + z2)


def _case_degrees(d: Array, groups: Array | None) -> float:
    """How many degrees of freedom the variance of d (n,) over cases is worth: 2 n / (kurtosis - 1)."""
    parts = d - d.mean()
    if number_of_groups(groups) > 1:
        parts = group_sums(parts, np.asarray(groups))
    square = float(np.square(parts).mean())
    most = max(len(parts) - 1.0, 1.0)
    if square == 0:
        return most
    tails = float((parts**4).mean()) / square**2
    return float(min(most, max(1.0, 2 * len(parts) / max(tails - 1, ROUNDING))))


def _seed_parts(values: Array, groups: Array | None) -> tuple[Part, Part]:
    """MS_seeds / (n R) and MS_rest / (n R) of values (R, n)."""
    replicas = len(values)
    rows = values.mean(axis=1, keepdims=True)
    rest = values - rows - values.mean(axis=0) + values.mean()
    degrees = replicas - 1.0
    count = number_of_groups(groups) or values.shape[1]
    return (
        Part(float(rows.var(ddof=1)) / replicas, degrees),
        Part(mean_variance(rest, groups) / degrees, degrees * max(count - 1, 1)),
    )


def _variances(among_cases: Part, among_seeds: tuple[Part, ...], rest: tuple[Part, ...]) -> Variances:
    """The parts of the squared error, none below 0."""
    noise = min(sum(part.variance for part in rest), among_cases.variance)
    seeds = max(sum(part.variance for part in among_seeds) - noise, 0.0)
    return Variances(among_cases.variance - noise, seeds, noise)


def _degrees(added: tuple[Part, ...], taken: tuple[Part, ...]) -> float:
    """Satterthwaite's (1946) degrees of a sum of variances less others, at least the fewest of the added."""
    total = sum(part.variance for part in added) - sum(part.variance for part in taken)
    total = max(total, *(part.variance for part in added))
    spread = sum(part.variance**2 / part.degrees for part in (*added, *taken))
    if spread == 0:
        return added[0].degrees
    return float(max(total**2 / spread, min(part.degrees for part in added)))


class Needed(NamedTuple):
    """How many cases, or seeds, find a difference, with the other as it is; None where none would."""

    cases: int | None
    seeds: int | None


def needed(crossed: Crossed, difference: float, level: float = ALPHA, power: float = 0.8) -> Needed:
    """How many cases with these seeds, or seeds with these cases, would find this difference.

    difference: the true one, on the scale of the pseudo-values; level, power: as in `detectable_difference`.
    """
    band = crossed.comparison.band
    return Needed(
        _least(crossed, abs(difference), level, power, band.n, by_seeds=False),
        _least(crossed, abs(difference), level, power, band.seeds, by_seeds=True) if band.seeds else None,
    )


def _least(
    crossed: Crossed, difference: float, level: float, power: float, now: int, by_seeds: bool
) -> int | None:
    """The least number of cases, or of seeds, that finds the difference with this chance."""

    def finds(count: int) -> bool:
        factor = count / now
        cases, seeds, rest = crossed.variances
        total = (cases + (seeds + rest) / factor) if by_seeds else (seeds + (cases + rest) / factor)
        degrees = crossed.degrees
        return bool((t.ppf(1 - level / 2, degrees) + t.ppf(power, degrees)) * np.sqrt(total) <= difference)

    if difference <= 0 or not finds(MOST):
        return None
    low, high = 1, MOST  # finds(high) holds
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle + 1, high)
    return low
