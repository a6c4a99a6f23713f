"""What choosing costs: the optimism of the best of many, what a larger search could find, and what else might
have been chosen."""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln
from scipy.stats import binom

from handnet.bands.band import CHOSEN, Band
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array

BBC_HELD = (0.97, 0.99)  # shares of simulated searches whose band held the truth, see `selection_optimism`
SIMULATED = (40, 114)  # configurations and cases of these searches
LEAST_LIKE = (10, 50)  # a search with fewer is not like them


class Optimism(NamedTuple):
    """The loss of the chosen configuration, before and after correction for the choice."""

    naive: float  # on the cases it was chosen on
    corrected: float
    band: Band  # of the corrected loss, over cases
    configurations: int

    @property
    def held(self) -> tuple[float, float] | None:
        """From which to which share of simulated searches such a band held the truth; None where this search
        is not like them: too few configurations or cases, or cases of groups."""
        alike = self.configurations >= LEAST_LIKE[0] and self.band.n >= LEAST_LIKE[1]
        return BBC_HELD if alike and not self.band.groups else None


def selection_optimism(losses: Array, counts: Array) -> Optimism:
    """BBC-CV (Tsamardinos et al. 2018): choose on the drawn cases, score on the ones not drawn, average.

    losses: (C, n), the loss of each configuration on each case, none of which it was trained on.
    counts: (B, n), how often each case was drawn in each bootstrap sample.
    No network is trained again. The band is the quantiles .025 and .975 over samples, as the authors take
    it; each sample scores on a third of the cases, so the band is wide and held the truth in 97 to 99 of 100
    simulated searches of 40 configurations on 114 cases. That was so after an adaptive search too, although
    the correction pays for the choice of the best alone and not for what was proposed in the light of the
    same cases. Raises ValueError when C is below 2.
    """
    if len(losses) < 2:
        raise ValueError(f"choosing takes at least 2 configurations, but got {len(losses)}.")
    counts = counts[(counts == 0).any(axis=1)]  # a sample with every case leaves none to score on
    chosen = (counts @ losses.T).argmin(axis=1)
    left_out = counts == 0
    scores = (left_out @ losses.T)[np.arange(len(counts)), chosen] / left_out.sum(axis=1)
    corrected = float(scores.mean())
    low, high = (float(end) for end in np.quantile(scores, [LOW, HIGH]))
    n, centres = losses.shape[1], (("mean", corrected),)
    band = Band(low, high, "bbc bootstrap", "cases", n, HIGH - LOW, CHOSEN, centres)
    return Optimism(float(losses.mean(axis=1).min()), corrected, band, len(losses))


class Replaceable(NamedTuple):
    """How firmly a search chose its best configuration, as far as its training seeds tell."""

    best: int  # its place
    difference: Array  # (C,) mean loss less that of the best, over the seeds
    error: Array  # (C,) standard error of that paired difference
    near: Array  # (C,) bool: which lie within one standard error of the best, itself among them
    chosen: Array  # (C,) share of bootstrap samples of the seeds in which a configuration is the best

    @property
    def favourite(self) -> int:
        """The place of the configuration that is the best in most samples: the best itself where it is one of
        them."""
        most = self.chosen.max()
        return self.best if self.chosen[self.best] == most else int(self.chosen.argmax())

    @property
    def replaced(self) -> bool:
        """Whether other training seeds would rather choose another: the best wins fewer than half of the
        samples, and at least one other configuration lies within one standard error of it."""
        return bool(self.chosen[self.best] < 0.5 and self.near.sum() > 1)


def search_again(losses: Array, counts: Array) -> Replaceable:
    """What the same configurations would have been worth on other training seeds.

    losses: (C, S), the loss of each configuration with each seed, the same S seeds for all. counts: (B, S),
    how often each seed was drawn in each bootstrap sample. The differences are paired by seed, because the
    configurations share their seeds: the error is sd / sqrt(S), and one standard error is the rule of Breiman
    et al. 1984 (section 3.4.3). It says nothing of other configurations that another sampler would propose.
    Raises ValueError when C or S is below 2.
    """
    if min(losses.shape) < 2:
        raise ValueError(
            f"choosing again takes at least 2 configurations and 2 seeds, but got {losses.shape}."
        )
    best = int(losses.mean(axis=1).argmin())
    paired = losses - losses[best]
    difference, error = paired.mean(axis=1), paired.std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
    parts = np.array_split(counts, len(counts) // 1000 + 1)  # of samples: of a large search they fill memory
    best_of = np.concatenate([(part @ losses.T).argmin(axis=1) for part in parts])
    chosen = np.bincount(best_of, minlength=len(losses)) / len(counts)
    return Replaceable(best, difference, error, difference <= error, chosen)


class BestOf(NamedTuple):
    """The best score of `size` configurations drawn at random; higher is better, so losses are negated."""

    size: int
    mean: float  # expected best, without bias (a U-statistic; Tang et al. 2020)
    plug_in: float  # the estimate of Dodge et al. 2019, biased low
    median: float
    low: float  # the interval of the median by order statistics, exact whatever the distribution;
    high: float  # infinite where the search is too small to bound it
    coverage: float


def expected_best(scores: Array, sizes: Array, coverage: float = 0.95) -> tuple[BestOf, ...]:
    """The best score against the number of configurations tried: one BestOf for each of sizes (k,).

    scores: (B,), one for each configuration of one search. They must be independent draws from the space: a
    random design's are, a Sobol design's are more even, and those of TPE are not, so do not call it on them.
    Raises ValueError when a score is not finite, or a size is below 1 or above B.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    count = len(ordered)
    if not np.isfinite(ordered).all():
        raise ValueError("every score must be finite; leave out the configurations that diverged.")
    if np.min(sizes) < 1 or np.max(sizes) > count:
        raise ValueError(f"a size must lie between 1 and the {count} configurations tried, but got {sizes}.")
    return tuple(_best_of(int(size), ordered, coverage) for size in sizes)


def _best_of(size: int, ordered: Array, coverage: float) -> BestOf:
    """BestOf one size, from the sorted scores (B,)."""
    count = len(ordered)
    rank = np.arange(1, count + 1)
    plug_in = ordered @ ((rank / count) ** size - ((rank - 1) / count) ** size)
    possible = rank >= size
    chance = np.exp(_log_choose(rank[possible] - 1, size - 1) - _log_choose(np.array(count), size))
    level = 0.5 ** (1 / size)  # the median of the best of `size` is this quantile of a single score
    median = ordered[int(np.ceil(level * count - 1e-9)) - 1]
    tail = (1 - coverage) / 2
    padded = np.concatenate([[-np.inf], ordered, [np.inf]])
    low = padded[int(binom.ppf(tail, count, level))]
    high = padded[int(binom.ppf(1 - tail, count, level) + 1)]
    mean = float(ordered[possible] @ chance)
    return BestOf(size, mean, float(plug_in), float(median), float(low), float(high), coverage)


def _log_choose(n: Array, k: int) -> Array:
    """ln C(n, k) for n of any shape."""
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
