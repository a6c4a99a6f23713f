"""The case band of the area under the ROC curve, and the difference of two of them on the same cases."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from handnet.bands.band import EXPECTED, EXPECTED_DIFFERENCE, Band
from handnet.bands.clusters import number_of_groups, placement_covariance, widening
from handnet.bands.compare import Comparison
from handnet.bands.proportion import wilson
from handnet.data import Array


class Placements(NamedTuple):
    """How well each case is placed among those of the other class, the parts of DeLong's variance."""

    positive: Array  # (n+,) share of negatives that score lower, ties half
    negative: Array  # (n-,) share of positives that score higher

    @property
    def auc(self) -> float:
        """The area under the ROC curve."""
        return float(self.positive.mean())

    def covariance(self, other: "Placements", sides: tuple[Array, Array] | None = None) -> float:
        """The covariance of two areas on the same cases: S10 / n+ + S01 / n-, of groups Obuchowski's.

        sides: the groups of the positive cases (n+,) and of the negative ones (n-,).
        """
        if sides is not None:
            return placement_covariance(self, other, sides)
        return float(sum(np.cov(x, z)[0, 1] / len(x) for x, z in zip(self, other, strict=True)))


def placements(logits: Array, positive: Array) -> Placements:
    """The placements of one replica, from ranks (Sun & Xu 2014). logits: (n,); positive: (n,) bool."""
    upper, lower = logits[positive], logits[~positive]
    ranks = rankdata(logits)  # ties share their mean rank
    return Placements(
        (ranks[positive] - rankdata(upper)) / len(lower),
        1 - (ranks[~positive] - rankdata(lower)) / len(upper),
    )


def placed(logits: Array, positive: Array) -> Array:
    """How each case moves the AUC of each replica, (R, n), to first order, each row with the mean 0.

        n / n+ (placement - AUC) of a positive case,    n / n- likewise of a negative one

    logits: (R, n) finite; positive: (n,) bool.
    """
    moved, n = np.empty(logits.shape), len(positive)
    for row, logits_of_one in zip(moved, logits, strict=True):
        places = placements(logits_of_one, positive)
        for side, of in zip((positive, ~positive), places, strict=True):
            row[side] = n / side.sum() * (of - places.auc)
    return moved


def delong(logits: Array, y: Array, groups: Array | None = None, coverage: float = 0.95) -> Band:
    """DeLong's interval over cases of the AUC, on the logit of the AUC (DeLong et al. 1988).

        logit(A) -+ z sqrt(var) / (A (1 - A)),    var = S10 / n+ + S01 / n-, averaged over the replicas

    Of groups the variance is Obuchowski's (1997), and z grows by `widening` for the groups of the class that
    is in fewer of them.

    logits: (R, n) finite; y: (n,) of 0 and 1; groups: (n,) int, None where every case is its own. A is the
    mean AUC of the R replicas, the variance that of a single one. On the logit the interval cannot leave
    [0, 1], as the untransformed one does at AUCs near 1. When no replica misplaces a pair the variance is 0,
    and the interval is Wilson's for the smaller class, or for the groups of the class that is in fewer. A
    score that is the same for all cases has an AUC of 1/2 on any others too.

    Raises ValueError when a class has fewer than 2 cases.
    """
    z, positive = np.asarray(logits, dtype=np.float64), np.asarray(y) == 1
    _check(positive)
    replicas, sides = [placements(row, positive) for row in z], _sides(positive, groups)
    area, n = float(np.mean([places.auc for places in replicas])), len(positive)
    centres, count = (("mean", area),), number_of_groups(groups)
    if area in (0.0, 1.0):
        fewest = smaller_class(positive, groups)
        edge = wilson(area * fewest, fewest, coverage)
        ends, kind = (edge.low, edge.high), "wilson, smaller class"
        return Band(*ends, kind, "cases", n, coverage, EXPECTED, centres, groups=count)
    variance = max(float(np.mean([places.covariance(places, sides) for places in replicas])), 0.0)
    half = _reach(sides, coverage) * np.sqrt(variance) / (area * (1 - area))
    low, high = expit(logit(area) - half), expit(logit(area) + half)
    ends, kind = (float(low), float(high)), "logit-delong"
    return Band(*ends, kind, "cases", n, coverage, EXPECTED, centres, groups=count)


def auc_difference(
    ours: Array, theirs: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> Comparison:
    """The mean AUC of `ours` minus that of `theirs` on the same cases, with DeLong's interval and p.

    ours: logits (R, n); theirs: logits (Q, n); y: (n,) of 0 and 1; groups: as in `delong`. Where the variance
    is 0, as between two models that misplace no pair, the interval is as wide as that of `delong` for a
    perfect score.
    Raises ValueError when a class has fewer than 2 cases.
    """
    positive = np.asarray(y) == 1
    _check(positive)
    sides = _sides(positive, groups)
    a, b = _mean_placements(ours, positive), _mean_placements(theirs, positive)
    mean, fewest, reach = a.auc - b.auc, smaller_class(positive, groups), _reach(sides, coverage)
    variance = a.covariance(a, sides) + b.covariance(b, sides) - 2 * a.covariance(b, sides)
    deviation = float(np.sqrt(max(variance, 0.0)))
    half = reach * deviation or 1 - wilson(fewest, fewest, coverage).low
    score = abs(mean) / deviation * norm.ppf((1 + coverage) / 2) / reach if deviation else 0.0
    p = float(2 * norm.sf(score)) if deviation else float(mean == 0)
    ends, centres = (max(mean - half, -1.0), min(mean + half, 1.0)), (("mean", mean),)
    n, count = len(positive), number_of_groups(groups)
    return Comparison(
        Band(*ends, "delong", "cases", n, coverage, EXPECTED_DIFFERENCE, centres, groups=count), p
    )


def _sides(positive: Array, groups: Array | None) -> tuple[Array, Array] | None:
    """The groups of the positive cases and of the negative ones. positive: (n,) bool; groups: (n,)."""
    return None if groups is None else (groups[positive], groups[~positive])


def smaller_class(positive: Array, groups: Array | None) -> int:
    """The cases of the smaller class; of groups, the number of groups with cases of a class, the smaller.

    positive: (n,) bool; groups: (n,) int, None where every case is its own.
    """
    if groups is not None:
        return min(number_of_groups(groups[positive]), number_of_groups(groups[~positive]))
    return int(min(positive.sum(), (~positive).sum()))


def _reach(sides: tuple[Array, Array] | None, coverage: float) -> float:
    """The normal quantile, wider where few groups have cases of a class."""
    widths = [widening(len(side), side, coverage) for side in sides or ()]
    return float(norm.ppf((1 + coverage) / 2)) * max(widths, default=1.0)


def _mean_placements(logits: Array, positive: Array) -> Placements:
    """The placements (n+,), (n-,) averaged over R replicas, logits (R, n).

    The mean AUC over replicas is itself a two-sample U-statistic, with the mean kernel.
    """
    replicas = [placements(row, positive) for row in np.asarray(logits, dtype=np.float64)]
    return Placements(*(np.mean(side, axis=0) for side in zip(*replicas, strict=True)))


def _check(positive: Array) -> None:
    """Raises ValueError unless positive (n,) bool has 2 cases of each class."""
    ones, zeros = positive.sum(), (~positive).sum()
    if min(ones, zeros) < 2:
        raise ValueError(f"an AUC's interval needs 2 cases of each class, but got {ones} and {zeros}.")
