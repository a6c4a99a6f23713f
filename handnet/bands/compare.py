"""Is A better than B? Rules for paired scores; each knows how often it cries wolf
(handnet/bands/simulated.py)."""

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, norm, t

from handnet.bands.band import Band
from handnet.bands.proportion import wilson_ends
from handnet.data import Array


class Comparison(NamedTuple):
    """The mean difference in its band, and the two-sided p of the hypothesis that there is none."""

    band: Band
    p: float


def nadeau_bengio(differences: Array, ratio: float, coverage: float = 0.95) -> Comparison:
    """The corrected resampled t interval (Nadeau & Bengio 2003) of A minus B over J divisions of one table.

        mean -+ t_(J-1) sqrt((1/J + ratio) s^2),    ratio = n_test / n_train

    differences: (J,), one per division; of J = k r divisions of a k-fold scheme repeated r times, all.
    Divisions share rows, so their scores are correlated, and 1/J alone is several times too small; the ratio
    assumes a correlation of n_test / (n_test + n_train). No variance estimate from one table is free of bias,
    this one neither. Raises ValueError for fewer than two divisions."""
    d, n = _checked(differences)
    mean, p = float(d.mean()), float(nadeau_bengio_p(d, ratio))
    half = float(t.ppf((1 + coverage) / 2, n - 1) * _corrected(d, ratio))
    return Comparison(
        Band(mean - half, mean + half, "nadeau-bengio", "splits", n, coverage, (("mean", mean),)), p
    )


def nadeau_bengio_p(differences: Array, ratio: float) -> Array:
    """Two-sided p of each row of (..., J) differences. All alike and not 0: p = 0; all 0: p = 1."""
    deviation, mean = _corrected(differences, ratio), differences.mean(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(mean == 0, 0.0, np.abs(mean) / deviation)
    return np.asarray(2 * t.sf(statistic, differences.shape[-1] - 1))


def _corrected(d: Array, ratio: float) -> Array:
    return np.sqrt((1 / d.shape[-1] + ratio) * d.var(axis=-1, ddof=1))


class Rope(NamedTuple):
    """What a correlated Bayesian t test leaves of three possibilities; they sum to 1."""

    worse: float
    equal: float  # by less than the region of practical equivalence
    better: float


def rope(differences: Array, ratio: float, width: float) -> Rope:
    """Chances that A is worse than, practically equal to and better than B (Corani & Benavoli 2015).

    The posterior of the mean difference under a flat prior: Student with J - 1 degrees, location mean(d),
    squared scale (1/J + ratio) s^2. width: differences below it in size count as equal. Raises ValueError as
    nadeau_bengio does."""
    d, _ = _checked(differences)
    return Rope(*(float(one) for one in rope_chances(d, ratio, width)))


def rope_chances(differences: Array, ratio: float, width: float) -> tuple[Array, Array, Array]:
    """The three chances for each row of (..., J) differences."""
    mean, scale, degrees = (
        differences.mean(axis=-1),
        _corrected(differences, ratio),
        differences.shape[-1] - 1,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        worse, better = t.cdf((-width - mean) / scale, degrees), t.sf((width - mean) / scale, degrees)
    point = scale == 0  # no spread: the posterior is a point
    worse, better = np.where(point, mean < -width, worse), np.where(point, mean > width, better)
    return worse, 1 - worse - better, better


class Wins(NamedTuple):
    """P(A > B) in its band, and Bouthillier's reading of it."""

    band: Band
    significant: bool  # the band lies on one side of 1/2
    meaningful: bool  # it does, and reaches beyond gamma, or below 1 - gamma


GAMMA = 0.75


def probability_better(wins: Array, counts: Array, coverage: float = 0.95, gamma: float = GAMMA) -> Wins:
    """P(A > B) over splits, with a percentile bootstrap band (Bouthillier et al. 2021, section 4.1).

    wins: (K,), for each split the share of seeds with which A scored higher, ties counting half. counts: (B,
    K) ints, bootstrap samples of the splits. The band is never narrower than Wilson's of as many wins: K of K
    is no certainty. It describes; it takes splits for independent, which they are not, so it does not decide.
    Raises ValueError for fewer than two splits."""
    w, n = _checked(wins)
    low, high = (float(end) for end in win_interval(w, counts, coverage))
    band = Band(low, high, "percentile bootstrap", "splits", n, coverage, (("share", float(w.mean())),))
    significant = low > 0.5 or high < 0.5
    return Wins(band, significant, significant and (high > gamma or low < 1 - gamma))


def win_interval(wins: Array, counts: Array, coverage: float = 0.95) -> tuple[Array, Array]:
    """Ends of the band for each row of (..., K) wins."""
    n = wins.shape[-1]
    low, high = np.quantile(wins @ counts.T / n, [(1 - coverage) / 2, (1 + coverage) / 2], axis=-1)
    least, most = wilson_ends(wins.mean(axis=-1), n, coverage)
    narrow = high - low < most - least
    return np.where(narrow, np.minimum(low, least), low), np.where(narrow, np.maximum(high, most), high)


def paired_wins(ours: Array, theirs: Array) -> Array:
    """For each row of (..., K, R) scores the share of pairs with ours higher, ties half; (..., K)."""
    return np.asarray((np.sign(ours - theirs) + 1).mean(axis=-1) / 2)


def noether_n(gamma: float = GAMMA, alpha: float = 0.05, beta: float = 0.05) -> int:
    """How many paired runs it takes to tell P(A > B) = gamma from 1/2 (Noether 1987): 29 for .75."""
    z = float(norm.ppf(1 - alpha) - norm.ppf(beta))
    return int(np.ceil((z / (np.sqrt(6) * (0.5 - gamma))) ** 2))


class McNemar(NamedTuple):
    """Two classifiers on the same cases: where exactly one is right."""

    only_ours: int
    only_theirs: int
    p: float


def mcnemar(ours: Array, theirs: Array) -> McNemar:
    """The exact test (McNemar 1947) that two fixed classifiers err equally often. ours, theirs: (n,) bool,
    right or not.

        p = 2 P(Binomial(b + c, 1/2) <= min(b, c)), at most 1

    With few cases it can hardly ever speak: of 114, two classifiers must disagree 6 to 0 for p < .05.
    """
    b, c = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return McNemar(b, c, float(binomtest(b, b + c).pvalue) if b + c else 1.0)


def paired_difference(only_ours: float, only_theirs: float, n: int, coverage: float = 0.95) -> Band:
    """The interval over cases of the difference of two accuracies on the same n cases (Agresti & Min 2005):
    Wald's, with half a case added to each of the four cells, so that agreement on all cases is no certainty.

    only_ours, only_theirs: on how many cases exactly one is right; may be means over seeds.
    """
    b, c, m = only_ours + 0.5, only_theirs + 0.5, n + 2
    half = float(norm.ppf((1 + coverage) / 2) * np.sqrt(b + c - (b - c) ** 2 / m) / m)
    middle = (b - c) / m
    return Band(
        middle - half,
        middle + half,
        "agresti-min",
        "cases",
        n,
        coverage,
        (("mean", (only_ours - only_theirs) / n),),
    )


def _checked(values: Array) -> tuple[Array, int]:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < 2 or not np.isfinite(found).all():
        raise ValueError(
            f"a comparison needs at least 2 finite values in a row, but got {found.size} in {found.shape}."
        )
    return found, len(found)
