"""Two models where each seed has one score, and nothing is known of the cases: t tests over seeds.

What is said holds for these very test cases and this training set. Another test set would move both models,
and nothing here says how far.
"""

from collections.abc import Sequence
from math import inf, isfinite
from typing import NamedTuple

import numpy as np
from scipy.stats import t

from handnet.bands.band import DIFFERENCE_ON_THESE_CASES, Band
from handnet.bands.compare import ALPHA, ROUNDING, Comparison, detectable_difference, first_that
from handnet.bands.simulated import Simulated, simulated
from handnet.data import Array
from handnet.draws import SIMULATION, generator

PAIRED, WELCH, ONE_SAMPLE = "paired t over seeds", "welch t over seeds", "one-sample t over seeds"
STUDIES = 2000  # simulated comparisons of two equal models
MOST_SEEDS = 100_000  # a need of more counts as none that can be met


class OverSeeds(NamedTuple):
    """The mean score of ours less that of theirs, over seeds.

    kind: PAIRED, WELCH or ONE_SAMPLE; error: the standard error of the difference; degrees: of Student's t;
    seeds: of ours and of theirs, 0 for a model without a seed; deviations: the standard deviations over seeds
    of the paired differences, or of ours and of theirs.
    """

    comparison: Comparison
    kind: str
    error: float
    degrees: float
    seeds: tuple[int, int]
    deviations: tuple[float, ...]

    def detectable(self, level: float = ALPHA, most: float = inf) -> float | None:
        """The smallest true difference that so many seeds would have shown in 80 of 100 studies; None where
        they would have shown none. level, most: as of `detectable_difference`."""
        return detectable_difference(self.error, self.degrees, level, most)

    def needed(self, difference: float, level: float = ALPHA, power: float = 0.8) -> int | None:
        """How many seeds of each model would show a true difference of this size with this chance, on these
        very cases; None where MOST_SEEDS would not."""
        return seeds_needed(self.deviations, difference, level, power)


def seeds_needed(
    deviations: Sequence[float], difference: float, level: float = ALPHA, power: float = 0.8
) -> int | None:
    """How many seeds of each model show a true difference, as of `OverSeeds.needed`.

    deviations: over seeds, as of `OverSeeds`; they are taken for known.
    """
    variances = np.square(deviations)
    total = float(variances.sum())
    share = total**2 / float(np.square(variances).sum()) if total else 1.0  # degrees are share (R - 1)

    def enough(seeds: int) -> bool:
        degrees = share * (seeds - 1)
        least = detectable_difference(float(np.sqrt(total / seeds)), degrees, level, power=power)
        return least is not None and least <= abs(difference)

    return first_that(enough, 2, MOST_SEEDS) if total and isfinite(difference) else None


def compare_over_seeds(ours: Array, theirs: Array, paired: bool, coverage: float = 0.95) -> OverSeeds:
    """The t interval and the two-sided p of the mean of ours less that of theirs.

        paired    mean(a - b) -+ t_(R-1) sqrt(var(a - b) / R)
        Welch     mean(a) - mean(b) -+ t_v sqrt(var(a) / R + var(b) / Q),  v of Welch and Satterthwaite (1947)

    ours: (R,) finite scores, one a seed; theirs: (Q,); one of them is (1,) for a model without a seed, whose
    score is a constant on these cases: then the test is that of one sample. paired: both have the same seeds,
    in the same order. Raises ValueError when neither has two seeds, when paired scores differ in number, and
    when no two seeds differ: then no interval has a width.
    """
    a, b = (np.asarray(side, dtype=np.float64) for side in (ours, theirs))
    if a.ndim != 1 or b.ndim != 1 or max(len(a), len(b)) < 2 or not np.isfinite([*a, *b]).all():
        raise ValueError("a t test over seeds needs at least 2 finite scores of one model, 1 of the other.")
    paired = paired and min(len(a), len(b)) > 1
    if paired and len(a) != len(b):
        raise ValueError(f"paired seeds must be as many of both models, but are {len(a)} and {len(b)}.")
    mean, error, degrees = (float(one) for one in _moments(a, b, paired))
    if error <= ROUNDING:
        raise ValueError("no two seeds differ, so a t test over seeds has nothing to go by.")
    half = float(t.ppf((1 + coverage) / 2, degrees)) * error
    kind = PAIRED if paired else WELCH if min(len(a), len(b)) > 1 else ONE_SAMPLE
    seeds = tuple(len(side) if len(side) > 1 else 0 for side in (a, b))
    n = max(seeds) if kind != WELCH else sum(seeds)
    centres = (("mean", mean),)
    band = Band(mean - half, mean + half, kind, "seeds", n, coverage, DIFFERENCE_ON_THESE_CASES, centres)
    p = float(2 * t.sf(abs(mean) / error, degrees))
    sides = [a - b] if paired else [side for side in (a, b) if len(side) > 1]
    deviations = tuple(float(side.std(ddof=1)) for side in sides)
    return OverSeeds(Comparison(band, p), kind, error, degrees, (seeds[0], seeds[1]), deviations)


def p_worse(worse: Array) -> float:
    """The one-sided p of the paired t test that a model is worse than another on average; 1 where it is not.

    worse: (n,) by how much it is worse with each seed, n of at least 2. The p is never below 2^-n, that of n
    equal signs: a few differences may be tied, as those of accuracies are, and then have hardly a deviation.
    """
    mean, error, degrees = (float(one) for one in _moments(worse, np.zeros_like(worse), paired=True))
    if mean <= 0:
        return 1.0
    return max(float(t.sf(mean / error, degrees)) if error > 0 else 0.0, 0.5 ** len(worse))


def _moments(a: Array, b: Array, paired: bool) -> tuple[Array, Array, Array]:
    """The mean difference, its standard error and its degrees of freedom, of each row of a (..., R) and
    b (..., Q); a side of one score has no variance."""
    if paired:
        d = a - b
        mean, error = d.mean(axis=-1), np.sqrt(d.var(axis=-1, ddof=1) / d.shape[-1])
        return mean, error, np.full_like(mean, d.shape[-1] - 1.0)
    total = squares = np.zeros(a.shape[:-1])
    for side in (a, b):
        n = side.shape[-1]
        if n > 1:
            of_mean = side.var(axis=-1, ddof=1) / n
            total, squares = total + of_mean, squares + np.square(of_mean) / (n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return a.mean(axis=-1) - b.mean(axis=-1), np.sqrt(total), np.square(total) / squares


def false_alarms_over_seeds(
    ours: Array, theirs: Array, paired: bool, step: float = 0.0, seed: int = 0, studies: int = STUDIES
) -> Simulated:
    """How often the test finds a difference between two models that score alike on average.

    Their scores are normal, with the deviations over seeds and the correlation of these, and rounded to
    `step` where that is above 0: to 1 / n for a share of n cases. Where no two seeds differ the test finds
    nothing. ours: (R,); theirs: (Q,); paired: as of `compare_over_seeds`.
    """
    numbers = generator(seed, SIMULATION)
    paired = paired and min(len(ours), len(theirs)) > 1
    first = numbers.standard_normal((studies, len(ours)))
    second = numbers.standard_normal((studies, len(theirs)))
    deviations = [side.std(ddof=1) if len(side) > 1 else 0.0 for side in (ours, theirs)]
    if paired:
        between = float(np.corrcoef(ours, theirs)[0, 1]) if min(deviations) > 0 else 0.0
        second = between * first + np.sqrt(max(1 - between**2, 0.0)) * second
    a, b = first * deviations[0], second * deviations[1]
    if step:
        middle = step * numbers.random((studies, 1))
        a, b = (np.round((middle + side) / step) * step for side in (a, b))
    mean, error, degrees = _moments(a, b, paired)
    found = (error > ROUNDING) & (np.abs(mean) > t.ppf(1 - ALPHA / 2, degrees) * error)
    kind = PAIRED if paired else WELCH if min(len(ours), len(theirs)) > 1 else ONE_SAMPLE
    return simulated(kind, "two equal models, these very cases", ALPHA, found)
