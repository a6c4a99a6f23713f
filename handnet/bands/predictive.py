"""The predictive band: what the next cases of this kind will show, as many and in as many groups as these.

An interval for the expected score leaves out the luck of the next cases: Wilson's at n = 114 and a share of
.9776 holds what another 114 cases show in 78 of 100 studies. These bands hold it in at least 95 for shares
and the AUC. They held the loss of another network in 96 to 99 of 100, of a single method in 91 to 96: the
fewer cases carry the loss, the less (measured in the worlds that `loss_band` of cases.py names).
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.stats import betabinom

from handnet.bands.band import NEXT_CASES, NEXT_NETWORK, PLAIN, Band, possible, scale_of
from handnet.bands.cases import case_bands, share_over_cases
from handnet.bands.clusters import effective_number, groups_among
from handnet.bands.multibootstrap import bootstrap_scores
from handnet.bands.seeds import HIGH, LOW
from handnet.bands.smooth import chosen, smallest_class
from handnet.data import Array
from handnet.draws import Resamples
from handnet.scores import OfCalls, Score, Share

COVERAGE = HIGH - LOW


def next_cases(
    scores: Mapping[str, Score],
    outputs: Array,
    y: Array,
    ahead: Resamples,
    groups: Array | None = None,
    alone: Mapping[str, Band] | None = None,
) -> dict[str, Band]:
    """The band of each score of one method on as many further cases, by the score's name.

    Shares have `next_share`. The other scores have the interval of `case_bands` with the variance of another
    mean of n cases added: on the logarithm of a loss, and on the logit of the AUC, it is wider by the root of
    2. It is joined to the quantiles .025 and .975 of the scores on cases drawn twice, because near 1 an AUC
    varies more upwards than its logit says: alone it holds 85 of 100 there.

    scores: as of `Task.scores`; outputs: (R, n) or (R, n, k), finite; R = 1 for a method without a seed.
    y: (n,), every class present; ahead: as `handnet.draws.further` gives it; groups: (n,) int, None where
    every case is its own; alone: what `case_bands` gives for these arguments, where the caller has it.
    """
    drawn = bootstrap_scores(scores, outputs, y, ahead)
    return {
        name: band if band.kind == "beta-binomial" else possible(scores[name], _joined(band, drawn[name]))
        for name, band in _by_formula(scores, outputs, y, groups, alone).items()
    }


def next_network(
    scores: Mapping[str, Score],
    outputs: Array,
    y: Array,
    ahead: Resamples,
    groups: Array | None = None,
    alone: Mapping[str, Band] | None = None,
) -> dict[str, Band]:
    """The band of each score of a further network on as many further cases, by the score's name.

    The quantiles .025 and .975 of the scores of one drawn replica on cases drawn twice, joined to the band of
    the same score by formula (`next_cases`), because an error that was not seen is not drawn.

    outputs: (R, n) or (R, n, k), finite, R at least 2; the other arguments are those of `next_cases`.
    """
    drawn, bands = bootstrap_scores(scores, outputs, y, ahead), {}
    for name, band in _by_formula(scores, outputs, y, groups, alone).items():
        joined, centres = _joined(band, drawn[name]), (("mean", band.centres[0][1]),)
        crossed = replace(joined, varied="seeds_x_cases", seeds=len(outputs), centres=centres)
        bands[name] = possible(scores[name], replace(crossed, estimand=NEXT_NETWORK))
    return bands


def next_share(correct: Array, groups: Array | None = None, coverage: float = COVERAGE) -> Band:
    """The band of the share of as many further cases that will be called right: the law of the next count.

        k' ~ BetaBinomial(n, k + 1/2, n - k + 1/2),    k the mean count over the replicas

    Of groups it is the law of their `effective_number` of cases, a whole number.

    correct: (R, n) bool, R = 1 for a method without a seed; groups: (n,) int.
    """
    number = max(int(effective_number(correct, groups, coverage)), 1)
    return _counted(share_over_cases(correct, groups, coverage), number, coverage)


def _by_formula(
    scores: Mapping[str, Score],
    outputs: Array,
    y: Array,
    groups: Array | None,
    alone: Mapping[str, Band] | None,
) -> dict[str, Band]:
    """The beta-binomial or the widened interval of each score. An AUC without a misplaced pair has the
    beta-binomial of the smaller class."""
    z, y = np.asarray(outputs, dtype=np.float64), np.asarray(y)
    bands = {}
    for name, band in (alone or case_bands(scores, z, y, groups)).items():
        score = scores[name]
        if isinstance(score, Share):
            which = score.counted(y)
            bands[name] = next_share(score.right(z, y)[:, which], groups_among(groups, which))
        elif isinstance(score, OfCalls) and score.among:
            bands[name] = _counted(band, max(int(chosen(score, z, y, groups)), 1), COVERAGE)
        elif band.kind in ("wilson, smaller class", "wilson, smallest class"):
            bands[name] = _counted(band, smallest_class(y, groups), COVERAGE)
        else:
            bands[name] = possible(score, replace(_stretched(score, band), estimand=NEXT_CASES))
    return bands


def _counted(band: Band, n: int, coverage: float) -> Band:
    """The beta-binomial band of the share of n further cases, from that of the share expected."""
    count = n * band.centres[0][1]
    law = betabinom(n, count + 0.5, n - count + 0.5)
    low, high = (float(law.ppf(q)) / n for q in ((1 - coverage) / 2, (1 + coverage) / 2))
    return replace(band, low=low, high=high, kind="beta-binomial", estimand=NEXT_CASES)


def _joined(band: Band, scores: Array) -> Band:
    """The hull of a band and of the quantiles of drawn scores (B,)."""
    low, high = (float(end) for end in np.quantile(scores[np.isfinite(scores)], [LOW, HIGH]))
    kind = f"predictive bootstrap and {band.kind}"
    return replace(band, low=min(low, band.low), high=max(high, band.high), kind=kind)


def _stretched(score: Score, band: Band) -> Band:
    """The band with twice the variance, on the scale on which it is symmetric about its centre."""
    kind = f"predictive {band.kind}"
    if band.low == band.high:  # of a loss of 0, and of the AUC of a constant score
        return replace(band, kind=kind)
    at_end = band.centres[0][1] in (score.least, score.most)
    scale = PLAIN if at_end else scale_of(score)
    with np.errstate(divide="ignore"):
        low, middle, high = (scale.to(value) for value in (band.low, band.centres[0][1], band.high))
    low, high = (float(scale.back(middle + np.sqrt(2) * (end - middle))) for end in (low, high))
    return replace(band, low=low, high=high, kind=kind)
