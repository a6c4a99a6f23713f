"""The predictive band: what the next cases of this kind will show, as many and in as many groups as these.

An interval for the expected score leaves out the luck of the next cases: Wilson's at n = 114 and a share of
.9776 holds what another 114 cases show in 78 of 100 studies. These bands hold it in at least 95, for shares,
and in about as many as the interval behind them holds the truth, for all other scores.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import betabinom

from handnet.bands.auc import smaller_class
from handnet.bands.band import NEXT_CASES, NEXT_NETWORK, Band
from handnet.bands.cases import case_bands
from handnet.bands.clusters import effective_number, groups_among
from handnet.bands.multibootstrap import bootstrap_scores
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.draws import Resamples
from handnet.scores import Scores

COVERAGE = HIGH - LOW
# Of scores other than losses: to the scale of the interval over cases, and back.
SCALES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "auc": (logit, expit),
    "skill": (lambda skill: np.log(1 - skill), lambda loss: 1 - np.exp(loss)),
}


def next_cases(
    logits: Array, y: Array, groups: Array | None = None, coverage: float = COVERAGE
) -> dict[str, Band]:
    """The band of each score of one method on as many further cases, by the score's name.

    Shares: the beta-binomial law of the next count, with k the mean count over the replicas,

        k' ~ BetaBinomial(n, k + 1/2, n - k + 1/2)

    The other scores have the interval of `case_bands` with the variance of another mean of n cases added: on
    the logarithm of a loss, and on the logit of the AUC, it is wider by the root of 2. An AUC without a
    misplaced pair has the beta-binomial of the smaller class. Of groups, shares have the law of their
    `effective_number` of cases, a whole number.

    logits: (R, n), finite; R = 1 for a method without a seed.
    y: (n,) of 0 and 1, both present; groups: (n,) int, None where every case is its own.
    """
    z, positive = np.asarray(logits, dtype=np.float64), np.asarray(y) == 1
    expected, correct = case_bands(z, y, groups, coverage), np.equal(z > 0, positive)
    counted = {"accuracy": np.ones_like(positive), "sensitivity": positive, "specificity": ~positive}
    bands = {}
    for name, band in expected.items():
        if name in counted:
            which = counted[name]
            of = groups_among(groups, which)
            number = effective_number(correct[:, which], of, coverage)
            bands[name] = _counted(band, max(int(number), 1), coverage)
        elif band.kind == "wilson, smaller class":
            bands[name] = _counted(band, smaller_class(positive, groups), coverage)
        else:
            bands[name] = _stretched(name, band)
    return {name: replace(band, estimand=NEXT_CASES) for name, band in bands.items()}


def _counted(band: Band, n: int, coverage: float) -> Band:
    """The beta-binomial band of the share of n further cases, from that of the share expected."""
    count = n * band.centres[0][1]
    law = betabinom(n, count + 0.5, n - count + 0.5)
    low, high = (float(law.ppf(q)) / n for q in ((1 - coverage) / 2, (1 + coverage) / 2))
    return replace(band, low=low, high=high, kind="beta-binomial")


def _stretched(name: str, band: Band) -> Band:
    """The band with twice the variance, on the scale on which it is symmetric about its centre."""
    kind = f"predictive {band.kind}"
    if band.low == band.high:  # of a loss of 0, and of the AUC of a constant score
        return replace(band, kind=kind)
    to, back = SCALES.get(name, (np.log, np.exp))
    with np.errstate(divide="ignore"):
        low, middle, high = (to(value) for value in (band.low, band.centres[0][1], band.high))
    low, high = (float(back(middle + np.sqrt(2) * (end - middle))) for end in (low, high))
    return replace(band, low=low, high=high, kind=kind)


# One drawn network on as many drawn cases


def next_network(logits: Array, y: Array, further: Resamples, groups: Array | None = None) -> dict[str, Band]:
    """The band of each score of a further network on as many further cases, by the score's name.

    The quantiles .025 and .975 of the scores of one drawn replica on cases drawn twice, and the hull with
    `next_cases`, because an error that was not seen is not drawn.

    logits: (R, n), finite, R at least 2; y: (n,) of 0 and 1; groups: (n,) int; further: as
    `handnet.draws.further` gives it.
    """
    scores = _scores_of_one(logits, y, further)._asdict()
    bands = {}
    for name, band in next_cases(logits, y, groups).items():
        low, high = (float(end) for end in np.quantile(scores[name], [LOW, HIGH]))
        hull = replace(band, low=min(low, band.low), high=max(high, band.high), varied="seeds_x_cases")
        kind, centres = f"predictive bootstrap and {band.kind}", (("mean", band.centres[0][1]),)
        bands[name] = replace(hull, kind=kind, estimand=NEXT_NETWORK, centres=centres, seeds=len(logits))
    return bands


def _scores_of_one(logits: Array, y: Array, further: Resamples) -> Scores:
    """Each score (B,) of the one replica drawn in each sample, on the cases drawn there."""
    drawn = further.seeds.argmax(axis=1)
    found = np.empty((len(Scores._fields), len(drawn)))
    for replica in np.unique(drawn):
        rows = np.flatnonzero(drawn == replica)
        alone = Resamples(np.ones((len(rows), 1), dtype=np.int64), further.cases[rows])
        found[:, rows] = bootstrap_scores(logits[replica : replica + 1], y, alone)
    return Scores(*found)
