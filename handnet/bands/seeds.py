"""Bands over draws: what another seed, or another split of the table, would have given."""

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.stats import beta, chi2, trim_mean

from handnet.bands.band import FURTHER_PROBABILITY, FURTHER_SEED, FURTHER_SPLIT, Band
from handnet.data import Array

LOW, HIGH = 0.025, 0.975
CONFIDENCE = 0.95  # of what a band assures
FURTHER = {"seeds": FURTHER_SEED, "splits": FURTHER_SPLIT}


class Spread(NamedTuple):
    """Two bands of the same n values; see `seed_bands` for their coverage."""

    quantiles: Band  # type-7 quantiles .025 and .975; covers .95 (n - 1) / (n + 1) of further draws
    extremes: Band  # min and max; covers (n - 1) / (n + 1) of further draws


def seed_bands(values: Array) -> Spread:
    """Bands of one score over seeds, on one split. values: (R,), NaN or infinite where a replica diverged.

    The coverage is the chance that the score of one more seed falls inside, on average over studies. Between
    the order statistics i and j of n lie (j - i) / (n + 1) of the further draws on average (Wilks 1941). Min
    and max are 1 and n, so their coverage is exact for continuous scores. A type-7 quantile q stands at
    1 + (n - 1) q, between two order statistics, so its coverage is exact where the score is evenly spread
    there and nominal elsewhere; tied scores cover more with many seeds and less with few. With few seeds
    either coverage is far below .95: the extremes of three seeds cover 50 %.

    What the band of these very seeds holds differs from that average: 100 seeds whose band covers 93.1 % may
    hold 88 or 97 %. `assured` is the share that it holds with confidence .95, by `assured_share`.

    Centres: mean, median and iqm (the mean of the middle half, Agarwal et al. 2021).
    Raises ValueError when fewer than two values are finite.
    """
    return _spread(values, "seeds")


def split_bands(values: Array) -> Spread:
    """Bands of one score over K fresh divisions of a table, a fresh seed with each. values: (K,).

    The estimator is FixHOptEst(K, All) of Bouthillier et al. (2021), with one network a division. Coverage,
    centres and errors are those of `seed_bands`, with "another split and seed" for "another seed".
    """
    return _spread(values, "splits")


def _spread(values: Array, varied: str) -> Spread:
    """Both bands of values (n,); see `seed_bands`."""
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    n = len(finite)
    if n < 2:
        raise ValueError(
            f"a band over {varied} needs at least 2 finite scores, but got {n} of {values.size}."
        )
    centres = (
        ("mean", float(finite.mean())),
        ("median", float(np.median(finite))),
        ("iqm", float(trim_mean(finite, 0.25))),
    )
    quantiles = _quantile_band(finite, LOW, HIGH, varied, centres)
    ends = float(finite.min()), float(finite.max())
    extremes = Band(*ends, "min-max", varied, n, (n - 1) / (n + 1), FURTHER[varied], centres, inside=n)
    lost = values.size - n
    return Spread(
        replace(quantiles, diverged=lost), replace(extremes, diverged=lost, assured=assured_share(n, 1, n))
    )


def _quantile_band(
    values: Array, low: float, high: float, varied: str, centres: tuple[tuple[str, float], ...]
) -> Band:
    """The band between two type-7 quantiles of values (n,), finite, at least two."""
    n = len(values)
    left, right = (float(end) for end in np.quantile(values, [low, high]))
    coverage = (high - low) * (n - 1) / (n + 1)
    inside = int(((left <= values) & (values <= right)).sum())
    assured = assured_share(n, *_ranks(n, low, high))
    return Band(
        left,
        right,
        "quantiles",
        varied,
        n,
        coverage,
        FURTHER[varied],
        centres,
        inside=inside,
        assured=assured,
    )


def _ranks(n: int, low: float, high: float) -> tuple[int, int]:
    """The outermost order statistics, from 1, on or between the type-7 quantiles `low` and `high` of n."""
    tiny = 1e-9
    return int(np.ceil(1 + (n - 1) * low - tiny)), int(np.floor(1 + (n - 1) * high + tiny))


@cache
def assured_share(n: int, first: int, last: int, confidence: float = CONFIDENCE) -> float:
    """The share of all further draws between two order statistics of n draws, at least, with `confidence`.

    first, last: ranks from 1 to n. The share between them has the law Beta(last - first, n + 1 - last +
    first), whatever the continuous law of the draws; of tied draws the closed interval holds more (Wilks
    1941, Scheffe & Tukey 1945). 0 where last is not above first.
    """
    between = last - first
    return float(beta.ppf(1 - confidence, between, n + 1 - between)) if between > 0 else 0.0


@dataclass(frozen=True, eq=False)
class RowBands:
    """Quantile bands over seeds of many rows at once, as columns; `bands[row]` is the Band of one row.

    Where each row has k values, as the probabilities of k classes, the arrays are (rows, k), and a Band is
    `bands[row, place]`.
    """

    mean: Array  # (rows,)
    q025: Array  # (rows,) type-7 quantile .025 over the replicas
    q975: Array  # (rows,) type-7 quantile .975 over the replicas
    n: int  # how many replicas
    coverage: float  # .95 (n - 1) / (n + 1): the expected share of further replicas in the band of a row
    diverged: int  # how many further replicas diverged and have no value
    inside: Array  # (rows,) how many of the n replicas lie in the band of a row
    assured: float  # the share of further replicas in the band of a row, at least, with confidence .95
    estimand: str = FURTHER_PROBABILITY
    kind: str = "quantiles"
    varied: str = "seeds"

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, row: int | tuple[int, int]) -> Band:
        if np.ndim(self.mean[row]):
            raise TypeError(f"each row has {self.mean.shape[1]} bands: write bands[row, place].")
        centres = (("mean", float(self.mean[row])),)
        ends = float(self.q025[row]), float(self.q975[row])
        band = Band(*ends, self.kind, self.varied, self.n, self.coverage, self.estimand, centres)
        return replace(band, diverged=self.diverged, inside=int(self.inside[row]), assured=self.assured)


def row_bands(values: Array, diverged: int = 0, estimand: str = FURTHER_PROBABILITY) -> RowBands:
    """The quantile bands over R seeds of every row. values: (R, rows) or (R, rows, k), finite.

    diverged: how many further replicas have no value; estimand: what the values are. Raises ValueError when R
    is below 2.
    """
    n = len(values)
    if n < 2:
        total = n + diverged
        raise ValueError(
            f"a band over seeds needs at least 2 replicas that did not diverge, but got {n} of {total}."
        )
    low, high = np.quantile(values, [LOW, HIGH], axis=0)
    inside = ((low <= values) & (values <= high)).sum(axis=0)
    coverage = (HIGH - LOW) * (n - 1) / (n + 1)
    assured = assured_share(n, *_ranks(n, LOW, HIGH))
    return RowBands(values.mean(axis=0), low, high, n, coverage, diverged, inside, assured, estimand)


def quantile_band(values: Array, low: float, high: float, varied: str) -> Band:
    """The band between the type-7 quantiles `low` and `high` of values (n,), finite; centre: the median.

    varied: "seeds" or "splits", what differed between the values. Raises ValueError when n is below 2.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"a band over {varied} needs at least 2 finite scores, but got {n}.")
    return _quantile_band(values, low, high, varied, (("median", float(np.median(values))),))


class SeedDeviation(NamedTuple):
    """The standard deviation of accuracy over seeds, and what independent mistakes would make of it."""

    measured: float  # standard deviation over seeds
    low: float  # the ends of its chi-square interval, which assumes normal scores
    high: float
    expected: float  # what independent mistakes would give
    seeds: int
    coverage: float


def seed_deviation(wrong: Array, coverage: float = 0.95) -> SeedDeviation:
    """Measured and expected deviation of accuracy over seeds. wrong: (R, n) bool, replica r misses case i.

        expected = sqrt(sum over cases of q (1 - q)) / n,   q the share of replicas that miss the case

    If replicas err independently of each other case by case, as Jordan (2023) finds they nearly do, the two
    agree: the seed's noise is then that of the few cases the networks are unsure of. R / (R - 1) q (1 - q)
    estimates q (1 - q) without bias. Raises ValueError when R is below 2.
    """
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
