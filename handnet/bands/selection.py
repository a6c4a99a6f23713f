"""What choosing costs: how much the best of many flatters itself, and what a larger search could have
found."""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln
from scipy.stats import binom

from handnet.bands.band import Band
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array


class Optimism(NamedTuple):
    """The score of the chosen one, before and after paying for the choice; a loss, so lower is better."""

    naive: float  # on the cases it was chosen on
    corrected: float
    band: Band  # of the corrected loss, over cases


def selection_optimism(losses: Array, counts: Array) -> Optimism:
    """BBC-CV (Tsamardinos et al. 2018): choose on the drawn cases, score on the ones not drawn, average.

    losses: (C, n), the loss of each configuration on each case, none of which it was trained on; counts: (B,
    n) bootstrap samples of the cases. No network is trained again. The band is the quantiles .025 and .975
    over samples, as its authors take it; each score has a third of the cases, so it is wide, and holds the
    truth in 99 of 100 studies. Raises ValueError for fewer than two configurations: one was not chosen."""
    if len(losses) < 2:
        raise ValueError(f"choosing takes at least 2 configurations, but got {len(losses)}.")
    counts = counts[(counts == 0).any(axis=1)]  # a sample with every case leaves none to score on
    samples = np.arange(len(counts))
    chosen = (counts @ losses.T).argmin(axis=1)
    out = counts == 0
    scores = (out @ losses.T)[samples, chosen] / out.sum(axis=1)
    corrected = float(scores.mean())
    low, high = (float(end) for end in np.quantile(scores, [LOW, HIGH]))
    band = Band(low, high, "bbc bootstrap", "cases", losses.shape[1], HIGH - LOW, (("mean", corrected),))
    return Optimism(float(losses.mean(axis=1).min()), corrected, band)


class BestOf(NamedTuple):
    """What the best of `size` configurations drawn at random scores; higher is better, so pass losses
    negated."""

    size: int
    mean: float  # expected best, without bias (a U-statistic; Tang et al. 2020)
    plug_in: float  # the same as Dodge et al. 2019 estimate it, biased low
    median: float
    # of the median, by order statistics: exact whatever the distribution; infinite where the search is too
    low: float
    high: float  # small to bound it
    coverage: float


def expected_best(scores: Array, sizes: Array, coverage: float = 0.95) -> tuple[BestOf, ...]:
    """The curve of the best score against the number of configurations tried, from `scores` (B,) of one
    search.

    It takes the configurations for independent draws from the space: a random design's are, a Sobol design's
    are more even, and those of TPE, each chosen in the light of the others, are not; do not call it on them.
    Raises ValueError when a size is below 1 or above the number of scores."""
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    count = len(ordered)
    if not np.isfinite(ordered).all():
        raise ValueError("every score must be finite; leave out the configurations that diverged.")
    if np.min(sizes) < 1 or np.max(sizes) > count:
        raise ValueError(f"a size must lie between 1 and the {count} configurations tried, but got {sizes}.")
    place = np.arange(1, count + 1)
    return tuple(_best_of(int(size), ordered, place, coverage) for size in sizes)


def _best_of(size: int, ordered: Array, place: Array, coverage: float) -> BestOf:
    count = len(ordered)
    plug_in = ordered @ ((place / count) ** size - ((place - 1) / count) ** size)
    possible = place >= size
    chance = np.exp(_log_choose(place[possible] - 1, size - 1) - _log_choose(np.array(count), size))
    level = 0.5 ** (1 / size)  # the median of the best of n is this quantile of one
    tail = (1 - coverage) / 2
    padded = np.concatenate([[-np.inf], ordered, [np.inf]])
    low, high = binom.ppf(tail, count, level), binom.ppf(1 - tail, count, level) + 1
    median = ordered[int(np.ceil(level * count - 1e-9)) - 1]
    return BestOf(
        size,
        float(ordered[possible] @ chance),
        float(plug_in),
        float(median),
        float(padded[int(low)]),
        float(padded[int(high)]),
        coverage,
    )


def _log_choose(n: Array, k: int) -> Array:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
