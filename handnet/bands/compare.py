"""Is A better than B over divisions? Rules for paired scores, whose false alarms null.py measures."""

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from scipy.stats import t

from handnet.bands.band import OVER_DIVISIONS, WINS, Band
from handnet.bands.proportion import wilson_ends
from handnet.data import Array

ALPHA = 0.05  # below which a p counts as a difference
ROUNDING = 1e-12  # values that differ by less are alike


class Comparison(NamedTuple):
    """The mean difference in its band, and the two-sided p of the hypothesis that it is 0.

    adjusted: the p by Holm's method among the comparisons it stands with, None while it stands alone.
    """

    band: Band
    p: float
    adjusted: float | None = None

    def error(self, degrees: float = inf) -> float:
        """The standard error behind a symmetric band, mean -+ t error. degrees: of Student's t, as in
        `detectable_difference`."""
        return float((self.band.high - self.band.low) / 2 / t.ppf((1 + self.band.coverage) / 2, degrees))


def nadeau_bengio(differences: Array, ratio: float, coverage: float = 0.95) -> Comparison:
    """The corrected resampled t interval of A minus B over J divisions of one table (Nadeau & Bengio 2003).

        mean -+ t_(J-1) sqrt((1/J + ratio) s^2),    ratio = n_test / (n - n_test)

    differences: (J,), one per division; of k folds repeated r times all J = k r.
    Divisions share rows, so their scores are correlated and 1/J alone is several times too small. The ratio
    assumes a correlation of n_test / n, the share of a test set that another one is expected to hold too; n
    counts the validation rows, which are in the test of other divisions as often as train rows are. No
    variance estimate from one table is unbiased, and neither is this one: `handnet.bands.null` measures how
    often it errs. Raises ValueError when J is below 2 or a difference is not finite.
    """
    d, n = _checked(differences)
    mean, p = float(d.mean()), float(nadeau_bengio_p(d, ratio))
    half = float(t.ppf((1 + coverage) / 2, n - 1) * _corrected(d, ratio))
    ends, centres = (mean - half, mean + half), (("mean", mean),)
    band = Band(*ends, "nadeau-bengio", "splits", n, coverage, OVER_DIVISIONS, centres)
    return Comparison(band, p)


def nadeau_bengio_p(differences: Array, ratio: float) -> Array:
    """Two-sided p of each row of (..., J) differences. All alike and not 0: p = 0; all 0: p = 1."""
    deviation, mean = _corrected(differences, ratio), differences.mean(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(mean == 0, 0.0, np.abs(mean) / deviation)
    return np.asarray(2 * t.sf(statistic, differences.shape[-1] - 1))


def _corrected(d: Array, ratio: float) -> Array:
    """The corrected standard error (...,) of the mean of each row of d (..., J)."""
    return np.sqrt((1 / d.shape[-1] + ratio) * d.var(axis=-1, ddof=1))


def detectable_difference(
    error: float, degrees: float = inf, level: float = ALPHA, most: float = inf, power: float = 0.8
) -> float | None:
    """The smallest true difference that a two-sided test finds with this chance; None where it finds none.

        (t_(1 - level/2) + t_power) error

    error: the standard error of the difference; degrees: of Student's t, J - 1 over J divisions, infinitely
    many over cases (Miller 2024, section 5); level: .05, or .05 / m where p is adjusted by Holm's method
    among m, which is its first step, so that the chance is at least `power`; most: the largest difference
    that the score can have. None where that is exceeded, and where an error of 0 tells nothing. It takes the
    error for known and the shifted t for central, as is usual.
    """
    return within_reach(reach_of_power(error, degrees, level, power), most)


def reach_of_power(
    error: float,
    degrees: float,
    level: float,
    power: float,
    quantile: Callable[[float, float], float] = t.ppf,
) -> float:
    """(t_(1 - level/2) + t_power) error, as of `detectable_difference`. quantile: of Student's t."""
    return float((quantile(1 - level / 2, degrees) + quantile(power, degrees)) * error)


def within_reach(difference: float, most: float = inf) -> float | None:
    """A difference that a score can have; None of one beyond `most`, and of one that is no more than 0."""
    return difference if ROUNDING < difference <= most else None


def first_that(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest whole number from low to high that is enough; None where none is. What is enough stays
    enough above it."""
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def holm(p: Sequence[float]) -> list[float]:
    """The p values of several comparisons, adjusted for their number (Holm 1979), in the order given.

    The k-th smallest of m is multiplied by m - k + 1, is never below the adjusted one before it, and is at
    most 1. Under any dependence the chance of a single false alarm among those below .05 is at most .05.
    """
    order = np.argsort(p, kind="stable")
    scaled = np.sort(p) * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(one) for one in adjusted]


class Rope(NamedTuple):
    """The chances of three possibilities in a correlated Bayesian t test; they sum to 1."""

    worse: float
    equal: float  # the difference lies in the region of practical equivalence
    better: float


def rope(differences: Array, ratio: float, width: float) -> Rope:
    """The chances that A is worse than, practically equal to and better than B (Corani & Benavoli 2015).

    The posterior of the mean difference under a flat prior is Student's with J - 1 degrees, location mean(d),
    squared scale (1/J + ratio) s^2. differences: (J,), A minus B; ratio: as in `nadeau_bengio`; width:
    differences below it in size count as equal, a convention. Raises ValueError as `nadeau_bengio` does.
    """
    d, _ = _checked(differences)
    return Rope(*(float(chance) for chance in rope_chances(d, ratio, width)))


def rope_chances(differences: Array, ratio: float, width: float) -> tuple[Array, Array, Array]:
    """The three chances of `rope`, each (...,), for every row of differences (..., J)."""
    mean, degrees = differences.mean(axis=-1), differences.shape[-1] - 1
    scale = _corrected(differences, ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        worse, better = t.cdf((-width - mean) / scale, degrees), t.sf((width - mean) / scale, degrees)
    point = scale == 0  # no spread: the posterior is a point
    worse, better = np.where(point, mean < -width, worse), np.where(point, mean > width, better)
    return worse, np.maximum(1 - worse - better, 0.0), better


class Wins(NamedTuple):
    """P(A > B) in its band, and what Bouthillier et al. (2021) conclude from it."""

    band: Band
    significant: bool  # the band lies on one side of 1/2
    meaningful: bool  # it is significant and reaches beyond gamma, or below 1 - gamma


GAMMA = 0.75


def probability_better(wins: Array, counts: Array, coverage: float = 0.95, gamma: float = GAMMA) -> Wins:
    """P(A > B) over splits, with a percentile bootstrap band (Bouthillier et al. 2021, section 4.1).

    wins: (K,), for each split the share of seeds with which A scored higher, ties counting half.
    counts: (B, K) int, bootstrap samples of the splits.
    The band is never narrower than Wilson's for as many wins, because K of K is no certainty. It takes splits
    for independent, which they are not, so it describes and does not decide.
    Raises ValueError when K is below 2.
    """
    w, n = _checked(wins)
    low, high = (float(end) for end in win_interval(w, counts, coverage))
    centres = (("share", float(w.mean())),)
    band = Band(low, high, "percentile bootstrap", "splits", n, coverage, WINS, centres)
    significant = low > 0.5 or high < 0.5
    return Wins(band, significant, significant and (high > gamma or low < 1 - gamma))


def win_interval(wins: Array, counts: Array, coverage: float = 0.95) -> tuple[Array, Array]:
    """The ends of the band of `probability_better`, each (...,), for every row of wins (..., K)."""
    n = wins.shape[-1]
    low, high = np.quantile(wins @ counts.T / n, [(1 - coverage) / 2, (1 + coverage) / 2], axis=-1)
    least, most = wilson_ends(wins.mean(axis=-1), n, coverage)
    narrow = high - low < most - least
    return np.where(narrow, np.minimum(low, least), low), np.where(narrow, np.maximum(high, most), high)


def paired_wins(ours: Array, theirs: Array) -> Array:
    """The share (..., K) of the R pairs in which ours is higher, ties half. ours, theirs: (..., K, R)."""
    return np.asarray((np.sign(ours - theirs) + 1).mean(axis=-1) / 2)


def _checked(values: Array) -> tuple[Array, int]:
    """The values as (J,) float64, and J. Raises ValueError unless there are 2, all finite."""
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1 or len(row) < 2 or not np.isfinite(row).all():
        raise ValueError(
            f"a comparison needs at least 2 finite values in a row, but got {row.size} in {row.shape}."
        )
    return row, len(row)
