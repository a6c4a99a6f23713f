"""The bands of claims: a mean, a share or a standard deviation in its region, each with its power."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.stats import binom, chi2, t

from experiments.claims.claim import LEVEL, Part, Region, Verdict, judge
from handnet.bands import Band
from handnet.bands.compare import nadeau_bengio
from handnet.bands.proportion import wilson, wilson_ends
from handnet.data import Array

ALL = {"seeds": "seeds", "splits": "divisions of this table", "cases": "cases of this kind"}


class Design(NamedTuple):
    """What is expected of a part beforehand.

    truth: the value for which its power is computed.
    sd: the standard deviation from division to division, as 20 pilot divisions gave it, which no claim uses,
        rounded up.
    parts: how many parts the claim has.
    """

    truth: float
    sd: float = 0.0
    parts: int = 1


def coverage_of(parts: int) -> float:
    """The coverage of the band of one of several parts of a claim."""
    return 1 - 2 * LEVEL / parts


def exactly(what: str, value: float, region: Region) -> Part:
    """A part whose quantity is counted and not sampled, so that two countings never differ."""
    band = Band(value, value, "exact", "nothing", 1, 1.0, what, (("value", value),))
    return Part(what, region, band, value, 1.0)


# Means


def mean_within(what: str, values: Array, region: Region, design: Design, ratio: float = 0.0) -> Part:
    """A part: the mean of values (n,) lies in the region.

    ratio: n_test / (n - n_test) where each value comes from another division of one table, as in
    `handnet.bands.compare.nadeau_bengio`; 0 for independent seeds. A NaN stands for a network that diverged.
    Raises ValueError for fewer than two finite values.
    """
    band = mean_band(values, coverage_of(design.parts), ratio)
    return Part(what, region, band, design.truth, power_of_mean(region, len(values), ratio, design))


def mean_band(values: Array, coverage: float = 1 - 2 * LEVEL, ratio: float = 0.0) -> Band:
    """The band of the mean of values (n,), over divisions, or over seeds where ratio is 0. NaN is counted as
    diverged."""
    finite = values[np.isfinite(values)]
    band = replace(nadeau_bengio(finite, ratio, coverage).band, diverged=values.size - finite.size)
    return band if ratio else replace(band, kind="t", varied="seeds", estimand="mean over all seeds")


def mean_text(values: Array, ratio: float = 0.0) -> str:
    """The mean of values (n,) in its band, for a sentence: "0.970 [0.965, 0.975]"."""
    band = mean_band(values, ratio=ratio)
    return f"{band.centre('mean'):.3f} [{band.low:.3f}, {band.high:.3f}]"


def power_of_mean(region: Region, n: int, ratio: float, design: Design) -> float:
    """The probability that the band of n values lies in the region, by the usual approximation: a shifted
    central t distribution."""
    error = design.sd * np.sqrt(1 / n + ratio)
    reach = t.ppf((1 + coverage_of(design.parts)) / 2, n - 1)
    low, high = (region.low - design.truth) / error + reach, (region.high - design.truth) / error - reach
    return float(max(0.0, t.cdf(high, n - 1) - t.cdf(low, n - 1)))


def seed_means(values: Array) -> Array:
    """(K, R, ...) -> (K, ...): the mean over the seeds of each division, NaN where one of them diverged."""
    return np.asarray(values.mean(axis=1))


# Shares


def share_within(what: str, hits: Array, region: Region, design: Design, varied: str = "splits") -> Part:
    """A part: the share of ones among hits (n,) of 0 and 1 lies in the region.

    Wilson's band, over other divisions of this very table, or over seeds. A NaN stands for a network that
    diverged.
    """
    n, coverage = len(hits), coverage_of(design.parts)
    counts = np.arange(n + 1)
    ends = zip(*wilson_ends(counts / n, n, coverage), strict=True)
    inside = np.array([judge(low, high, region) == Verdict.HOLDS for low, high in ends])
    power = float(binom.pmf(counts, n, design.truth) @ inside)
    return Part(what, region, share_band(hits, coverage, varied), design.truth, power)


def share_band(hits: Array, coverage: float = 1 - 2 * LEVEL, varied: str = "splits") -> Band:
    """Wilson's band of the share of ones among hits (n,), divisions or seeds. NaN is counted as diverged."""
    finite = hits[np.isfinite(hits)]
    band = wilson(float(finite.sum()), len(finite), coverage)
    return replace(
        band, varied=varied, estimand=f"share of all {ALL[varied]}", diverged=len(hits) - len(finite)
    )


def mask_diverged(condition: Array, values: Array) -> Array:
    """(n,): 1 where the condition holds, 0 where it does not, and NaN where values (n,) is not finite."""
    return np.where(np.isfinite(values), condition, np.nan)


# Standard deviations


def deviation_within(
    what: str, values: Array, region: Region, design: Design, varied: str = "splits"
) -> Part:
    """A part: the standard deviation of values (n,) lies in the region. The chi-square band assumes normal
    values."""
    n, coverage = len(values), coverage_of(design.parts)
    low, high = deviation_ends(1.0, n, coverage)
    scale = (n - 1) / design.truth**2
    above = chi2.cdf(scale * (region.high / high) ** 2, n - 1)
    below = chi2.cdf(scale * (max(region.low, 0.0) / low) ** 2, n - 1)
    band = deviation_band(values, coverage, varied)
    return Part(what, region, band, design.truth, float(max(0.0, above - below)))


def deviation_band(values: Array, coverage: float = 1 - 2 * LEVEL, varied: str = "splits") -> Band:
    """The chi-square band of the standard deviation of values (n,). NaN is counted as diverged."""
    finite = values[np.isfinite(values)]
    deviation = float(finite.std(ddof=1))
    low, high = deviation_ends(deviation, len(finite), coverage)
    of, n = f"standard deviation over all {ALL[varied]}", len(finite)
    centres = (("deviation", deviation),)
    return Band(low, high, "chi-square", varied, n, coverage, of, centres, values.size - n)


def deviation_ends(deviation: float, n: int, coverage: float) -> tuple[float, float]:
    """The ends of the chi-square interval about a standard deviation of n values."""
    tail = (1 - coverage) / 2
    low, high = (deviation * np.sqrt((n - 1) / chi2.ppf(q, n - 1)) for q in (1 - tail, tail))
    return float(low), float(high)
