"""Bands over draws: what another seed, or another split of the table, would have given."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, trim_mean

from handnet.bands.band import Band
from handnet.data import Array

LOW, HIGH = 0.025, 0.975


class Spread(NamedTuple):
    """Two views of the same values: the quantile band for reading, the extremes for honesty."""

    quantiles: Band  # type-7 quantiles .025 and .975; covers .95 (n - 1) / (n + 1) of further draws
    extremes: Band  # min and max; covers (n - 1) / (n + 1) of further draws


def seed_bands(values: Array) -> Spread:
    """Bands of one score over seeds, on one split. values: (R,), NaN or infinite where a replica diverged.

    The coverage is the chance that the score of one more seed falls inside: between the order statistics i
    and j of n lie (j - i) / (n + 1) of the further draws on average (Wilks 1941). Min and max are 1 and n,
    and theirs is exact for continuous scores. A type-7 quantile q stands at 1 + (n - 1) q, between two order
    statistics, so its coverage is exact where the score is evenly spread there and nominal elsewhere; tied
    scores cover more with many seeds and less with few. With few seeds either is far below .95, and is
    printed as what it is: 50 % for the extremes of three.

    Centres: median, iqm (the mean of the middle half, Agarwal et al. 2021) and mean.
    Raises ValueError when fewer than two values are finite: one number is no band.
    """
    return _spread(values, "seeds")


def split_bands(values: Array) -> Spread:
    """Bands of one score over fresh divisions of one table, a fresh seed with each: values (K,), one network
    a split.

    As `seed_bands`, with "another split and seed" for "another seed": FixHOptEst(K, All) of Bouthillier et
    al. 2021."""
    return _spread(values, "splits")


def _spread(values: Array, varied: str) -> Spread:
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    n = len(finite)
    if n < 2:
        raise ValueError(
            f"a band over {varied} needs at least 2 finite scores, but got {n} of {values.size}."
        )
    centres = (
        ("median", float(np.median(finite))),
        ("iqm", float(trim_mean(finite, 0.25))),
        ("mean", float(finite.mean())),
    )
    outer = (n - 1) / (n + 1)
    low, high = np.quantile(finite, [LOW, HIGH])

    def band(low: float, high: float, kind: str, coverage: float) -> Band:
        return Band(float(low), float(high), kind, varied, n, coverage, centres, values.size - n)

    return Spread(
        band(low, high, "quantiles", (HIGH - LOW) * outer), band(finite.min(), finite.max(), "min-max", outer)
    )


@dataclass(frozen=True, eq=False)
class RowBands:
    """Quantile bands over seeds of many rows at once, as columns; `bands[row]` is one row's Band."""

    mean: Array  # (rows,)
    q025: Array  # (rows,) type-7 quantile .025 over the replicas
    q975: Array  # (rows,) type-7 quantile .975
    n: int  # how many replicas
    coverage: (
        float  # .95 (n - 1) / (n + 1): the share of further replicas the band of a row is expected to hold
    )
    diverged: int  # how many further replicas blew up and have no value
    kind: str = "quantiles"
    varied: str = "seeds"

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, row: int) -> Band:
        centres = (("mean", float(self.mean[row])),)
        ends = float(self.q025[row]), float(self.q975[row])
        return Band(*ends, self.kind, self.varied, self.n, self.coverage, centres, self.diverged)


def row_bands(values: Array, diverged: int = 0) -> RowBands:
    """The bands over seeds of every row. values: (R, rows), finite. Raises ValueError for fewer than two
    replicas."""
    n = len(values)
    if n < 2:
        raise ValueError(
            f"a band over seeds needs at least 2 replicas that did not diverge, but got {n} of"
            f" {n + diverged}."
        )
    low, high = np.quantile(values, [LOW, HIGH], axis=0)
    return RowBands(values.mean(axis=0), low, high, n, (HIGH - LOW) * (n - 1) / (n + 1), diverged)


def quantile_band(values: Array, low: float, high: float, varied: str) -> Band:
    """The band between two other type-7 quantiles of finite values (n,). Raises ValueError for fewer than
    two."""
    n = len(values)
    if n < 2:
        raise ValueError(f"a band over {varied} needs at least 2 finite scores, but got {n}.")
    ends = np.quantile(values, [low, high])
    centres = (("median", float(np.median(values))),)
    return Band(
        float(ends[0]), float(ends[1]), "quantiles", varied, n, (high - low) * (n - 1) / (n + 1), centres
    )


def wilks_confidence(n: int, content: float = 0.95, sides: int = 2) -> float:
    """How sure one may be that the extremes of n draws hold at least `content` of all further ones (Wilks
    1941).

    two-sided, [min, max]: 1 - n p^(n-1) + (n-1) p^n        one-sided: 1 - p^n
    """
    if sides == 1:
        return float(1 - content**n)
    return float(1 - n * content ** (n - 1) + (n - 1) * content**n)


class SeedDeviation(NamedTuple):
    """How much accuracy moves from seed to seed, and how much of that its doubtful cases explain."""

    measured: float  # standard deviation over seeds
    low: float  # its chi-square interval, which takes the scores for normal
    high: float
    expected: float  # what independent mistakes would give
    seeds: int
    coverage: float


def seed_deviation(wrong: Array, coverage: float = 0.95) -> SeedDeviation:
    """Measured and expected deviation of accuracy over seeds. wrong: (R, n) bool, which replica misses which
    case.

        expected = sqrt(sum over cases of q (1 - q)) / n,   q the share of replicas that miss the case

    If replicas err independently of each other case by case, as Jordan (2023) finds they nearly do, the two
    agree: the seed's noise is then that of the few cases the networks are unsure of. q (1 - q) is estimated
    without bias, by R / (R - 1) q (1 - q). Raises ValueError for fewer than two replicas."""
    wrong = np.asarray(wrong, dtype=np.float64)
    replicas, n = wrong.shape
    if replicas < 2:
        raise ValueError(f"a deviation over seeds needs at least 2 replicas, but got {replicas}.")
    missed = wrong.mean(axis=0)
    measured = float(wrong.mean(axis=1).std(ddof=1))
    tail = (1 - coverage) / 2
    low, high = (measured * np.sqrt((replicas - 1) / chi2.ppf(q, replicas - 1)) for q in (1 - tail, tail))
    expected = np.sqrt((missed * (1 - missed)).sum() * replicas / (replicas - 1)) / n
    return SeedDeviation(measured, float(low), float(high), float(expected), replicas, coverage)
