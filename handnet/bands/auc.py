"""The case band of the area under the ROC curve, and the difference of two of them on the same cases."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from handnet.bands.band import Band
from handnet.bands.compare import Comparison
from handnet.bands.proportion import wilson
from handnet.data import Array


class Placements(NamedTuple):
    """How well each case is placed among those of the other class: the parts of DeLong's variance."""

    positive: Array  # (n+,) share of negatives that score lower, ties half
    negative: Array  # (n-,) share of positives that score higher

    @property
    def auc(self) -> float:
        return float(self.positive.mean())

    def covariance(self, other: "Placements") -> float:
        """Of the two areas on the same cases: S10 / n+ + S01 / n-."""
        return float(sum(np.cov(x, z)[0, 1] / len(x) for x, z in zip(self, other, strict=True)))


def placements(logits: Array, positive: Array) -> Placements:
    """Of one replica, from ranks instead of pairs (Sun & Xu 2014). logits, positive: (n,)."""
    upper, lower = logits[positive], logits[~positive]
    ranks = rankdata(logits)  # those of ties are shared
    return Placements(
        (ranks[positive] - rankdata(upper)) / len(lower),
        1 - (ranks[~positive] - rankdata(lower)) / len(upper),
    )


def delong(logits: Array, y: Array, coverage: float = 0.95) -> Band:
    """The interval over cases of the AUC of one replica, at the mean of R (DeLong et al. 1988), on the logit
    of the AUC.

        logit(A) -+ z sqrt(var) / (A (1 - A)),    var = S10 / n+ + S01 / n-, averaged over the replicas

    logits: (R, n) finite; y: (n,). It cannot leave [0, 1], where the untransformed one does at AUCs near 1.
    When no replica misplaces a pair there is no variance to go by, and the interval is Wilson's for the
    smaller class. A score that is the same for all cases has an AUC of 1/2 on any others too. Raises
    ValueError for a class of one case."""
    z, positive = np.asarray(logits, dtype=np.float64), np.asarray(y) == 1
    _check(positive)
    found = [placements(row, positive) for row in z]
    area, n = float(np.mean([one.auc for one in found])), len(positive)
    centres = (("mean", area),)
    if area in (0.0, 1.0):
        fewest = int(min(positive.sum(), (~positive).sum()))
        edge = wilson(area * fewest, fewest, coverage)
        return Band(edge.low, edge.high, "wilson, smaller class", "cases", n, coverage, centres)
    deviation = np.sqrt(np.mean([one.covariance(one) for one in found]))
    half = norm.ppf((1 + coverage) / 2) * deviation / (area * (1 - area))
    low, high = expit(logit(area) - half), expit(logit(area) + half)
    return Band(float(low), float(high), "logit-delong", "cases", n, coverage, centres)


def auc_difference(ours: Array, theirs: Array, y: Array, coverage: float = 0.95) -> Comparison:
    """Mean AUC of `ours` (R, n) minus that of `theirs` (Q, n) on the same cases, with DeLong's interval and
    p.

    Without variance, as between two that misplace no pair, the interval is as wide as `delong`'s for a
    perfect score. Raises ValueError for a class of one case."""
    positive = np.asarray(y) == 1
    _check(positive)
    # The mean AUC over replicas is itself a two-sample U-statistic, with the mean kernel.
    a, b = (
        Placements(
            *(np.mean(side, axis=0) for side in zip(*(placements(row, positive) for row in z), strict=True))
        )
        for z in (np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64))
    )
    mean = a.auc - b.auc
    deviation = float(np.sqrt(max(a.covariance(a) + b.covariance(b) - 2 * a.covariance(b), 0.0)))
    fewest = int(min(positive.sum(), (~positive).sum()))
    half = float(norm.ppf((1 + coverage) / 2)) * deviation or 1 - wilson(fewest, fewest, coverage).low
    p = float(2 * norm.sf(abs(mean) / deviation)) if deviation else float(mean == 0)
    band = Band(mean - half, mean + half, "delong", "cases", len(positive), coverage, (("mean", mean),))
    return Comparison(band, p)


def _check(positive: Array) -> None:
    if min(positive.sum(), (~positive).sum()) < 2:
        raise ValueError(
            f"an AUC's interval needs 2 cases of each class, but got {positive.sum()} and"
            f" {(~positive).sum()}."
        )
