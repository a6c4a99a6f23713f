"""The case band of every score: an interval for the score expected of one network on all cases of this kind.

Of R replicas it is taken at their mean, with the sampling error of a single one, so that a network and a
method without a seed are read in the same way. Cases of groups (`handnet/bands/clusters.py`) count for fewer.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from handnet.bands.auc import delong
from handnet.bands.band import EXPECTED, Band, possible
from handnet.bands.clusters import effective_number, groups_among, mean_reach, number_of_groups, skewed_reach
from handnet.bands.proportion import clopper_pearson_ends, wilson_ends
from handnet.bands.smooth import smooth_band
from handnet.data import Array
from handnet.scores import Mean, Quantile, Ratio, Score, Share


def case_bands(
    scores: Mapping[str, Score], outputs: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> dict[str, Band]:
    """The band of each score over cases, by the score's name.

    Shares have Wilson's interval (`share_over_cases`), the AUC of two classes DeLong's on its logit
    (`delong`). Losses, and scores that are functions of one loss, have the t interval of `loss_band`, means
    that may be below 0 that of `signed_band`, quantiles Woodruff's (`quantile_over_cases`), and all other
    scores that of `smooth_band`. No end lies beyond the values that its score can take.

    scores: as of `Task.scores`; outputs: (R, n) or (R, n, k), finite; R = 1 for a method without a seed.
    y: (n,), every class present; groups: (n,) int, None where every case is its own.
    """
    z, y = np.asarray(outputs, dtype=np.float64), np.asarray(y)
    bands = {name: _case_band(score, z, y, groups, coverage) for name, score in scores.items()}
    return {name: possible(scores[name], band) for name, band in bands.items()}


def _case_band(score: Score, z: Array, y: Array, groups: Array | None, coverage: float) -> Band:
    """The band of one score, by its kind."""
    if isinstance(score, Share):
        which = score.counted(y)
        return share_over_cases(score.right(z, y)[:, which], groups_among(groups, which), coverage)
    if isinstance(score, Mean):
        band = signed_band if score.signed else loss_band
        return band(score.values(z, y), groups, coverage)
    if isinstance(score, Quantile):
        return quantile_over_cases(score, z, y, groups, coverage)
    if isinstance(score, Ratio) and score.base:
        loss = loss_band(score.base.values(z, y), groups, coverage)
        return _of_base(score, possible(score.base, loss), z, y)
    if score.influence is None:
        return delong(z, y, groups, coverage)
    return smooth_band(score, z, y, groups, coverage)


def _of_base(score: Ratio, loss: Band, z: Array, y: Array) -> Band:
    """The band of a function of a loss, from the band of that loss: its ends and its middle.

    The middle of an RMSE is so the root of the mean squared error over the replicas.
    """
    *ends, middle = map(float, score.of_base(np.array([loss.low, loss.high, loss.centre("mean")]), z, y))
    return replace(loss, low=min(ends), high=max(ends), centres=(("mean", middle),))


def share_over_cases(correct: Array, groups: Array | None = None, coverage: float = 0.95) -> Band:
    """Wilson's interval (1927) of the share of correct cases, of groups at their `effective_number`.

    correct: (R, n) bool, R = 1 for a method without a seed; groups: (n,) int.
    """
    share = _share(correct)
    low, high = wilson_ends(share, effective_number(correct, groups, coverage), coverage)
    ends, n, centres = (float(low), float(high)), correct.shape[1], (("share", share),)
    return Band(*ends, "wilson", "cases", n, coverage, EXPECTED, centres, groups=number_of_groups(groups))


def exact_over_cases(correct: Array, groups: Array | None = None, coverage: float = 0.95) -> Band:
    """Clopper and Pearson's interval (1934) of the share of correct cases, of groups Korn and Graubard's.

    correct: (R, n) bool; groups: (n,) int, None where every case is its own. Korn and Graubard (1998) take
    the effective number of cases.
    """
    share = _share(correct)
    ends = clopper_pearson_ends(share, effective_number(correct, groups, coverage), coverage)
    n, centres, count = correct.shape[1], (("share", share),), number_of_groups(groups)
    return Band(*ends, "clopper-pearson", "cases", n, coverage, EXPECTED, centres, groups=count)


def _share(correct: Array) -> float:
    """The share of correct cases, as the mean over R replicas. correct: (R, n)."""
    n = correct.shape[1]
    return min(float(correct.mean(axis=0).sum()) / n, 1.0)  # a sum of shares may round to above n


def loss_band(losses: Array, groups: Array | None = None, coverage: float = 0.95) -> Band:
    """The t interval of a mean loss, on its logarithm. losses: (R, n), at least 0; groups: (n,) int.

        mean exp(-+ t se / mean),    se^2 = var over cases / n, averaged over the replicas

    t has one degree of freedom less than there are cases, or groups, that carry the loss (`skewed_reach`).
    Of groups se is the clustered one (`mean_variance`). The logarithm and these degrees allow for the skew of
    losses, most of which come from a few cases.

    How often it holds the truth depends on how many cases carry the loss. In 1000 studies drawn from the
    114 test cases of the default study, one of which makes half of the log loss, it held the log loss in 85
    of 100 for one network and in 92 for the mean over 20 seeds, the Brier score in 92 and 98. In simulated
    worlds of 40 to 114 cases where no case stands out it held either in 90 to 95 of 100 for one network, and
    in 97 to 99 for the mean over 20 seeds. `loss_coverage` of simulated.py tells
    it of a study's own losses.
    """
    n = losses.shape[1]
    mean = float(losses.mean())
    stretch = float(np.exp(skewed_reach(losses, groups, coverage) / mean)) if mean else 1.0
    ends, centres, count = (mean / stretch, mean * stretch), (("mean", mean),), number_of_groups(groups)
    return Band(*ends, "log t", "cases", n, coverage, EXPECTED, centres, groups=count)


def signed_band(values: Array, groups: Array | None = None, coverage: float = 0.95) -> Band:
    """The t interval of a mean that may be below 0 (`mean_reach`). values: (R, n); groups: (n,) int."""
    mean, half = float(values.mean()), mean_reach(values, groups, coverage)
    n, centres, count = values.shape[1], (("mean", mean),), number_of_groups(groups)
    return Band(mean - half, mean + half, "t", "cases", n, coverage, EXPECTED, centres, groups=count)


def quantile_over_cases(
    score: Quantile, z: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> Band:
    """Woodruff's interval (1952) of a quantile: from the quantiles at the ends of Wilson's interval for its
    level. The ends are averaged over the replicas.

    z: (R, n); groups: (n,) int, for their `effective_number` of cases.
    """
    values = score.values(z, y)
    below = values <= score.of(z, y)[:, None]
    ends = wilson_ends(score.level, effective_number(below, groups, coverage), coverage)
    low, high = (float(np.quantile(values, end, axis=1).mean()) for end in ends)
    centres, count = (("mean", float(score.of(z, y).mean())),), number_of_groups(groups)
    return Band(low, high, "woodruff", "cases", len(y), coverage, EXPECTED, centres, groups=count)
