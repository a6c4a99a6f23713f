"""Thresholds fixed on other rows, predictive values at a prevalence, and the net benefit of acting.

A case is called positive where its logit lies above a threshold. A threshold is fixed on validation rows,
each replica's own, and applied to other rows as it is.
"""

import math
from dataclasses import replace

import numpy as np
from scipy.special import logit
from scipy.stats import beta

from handnet.bands.band import AT_PREVALENCE, BENEFIT, BENEFIT_DIFFERENCE, EXPECTED, REACHED, Band
from handnet.bands.cases import share_over_cases
from handnet.bands.clusters import effective_number, groups_among, number_of_groups
from handnet.bands.paired import paired_difference
from handnet.bands.proportion import wilson_ends
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.draws import Resamples


def specificity_thresholds(logits: Array, y: Array, share: float) -> Array:
    """The lowest threshold of each replica that leaves at least this share of the negative cases uncalled.

    logits: (R, n), finite; y: (n,) of 0 and 1. Returns (R,).
    """
    return np.asarray(np.quantile(logits[:, y == 0], share, axis=1, method="inverted_cdf"))


def sensitivity_thresholds(logits: Array, y: Array, share: float) -> Array:
    """The highest threshold of each replica that calls at least this share of the positive cases.

    It is the number just below the logit of the last case it must call. logits: (R, n), finite; y: (n,) of 0
    and 1. Returns (R,).
    """
    last = -np.quantile(-logits[:, y == 1], share, axis=1, method="inverted_cdf")
    return np.asarray(np.nextafter(last, last.dtype.type(-np.inf)))


def beyond(n: int, share: float) -> int:
    """How many of n cases of a class a threshold fixed for this share of them leaves on its wrong side."""
    return n - math.ceil(round(share * n, 9))


def threshold_band(n: int, share: float, groups: Array | None = None, coverage: float = 0.95) -> Band:
    """What a threshold that was fixed for a share of n cases reaches among all cases of that class.

    The threshold is the k-th of n logits, k = ceil(share n), so the share of further cases on its right side
    follows Beta(k, n - k + 1), whatever the law of the logits, if it is continuous and cases are independent
    (Wilks 1941). Few cases hold no tail: of 43 positives two lie beyond a threshold for .95, and it reaches
    anything from .84 to .99. Cases of G groups count for G, which is the least they can tell. groups: (n,).
    """
    count = number_of_groups(groups)
    n_law = count or n
    k, tail = n_law - beyond(n_law, share), (1 - coverage) / 2
    low, high = (float(beta.ppf(level, k, n_law - k + 1)) for level in (tail, 1 - tail))
    centres = (("mean", k / (n_law + 1)),)
    return Band(low, high, "order statistic", "cases", n, coverage, REACHED, centres, groups=count)


def at_prevalence(sensitivity: Array, specificity: Array, prevalence: float) -> tuple[Array, Array]:
    """PPV and NPV by Bayes, each (R,), NaN where no case is called so.

        PPV = pi sens / (pi sens + (1 - pi) (1 - spec)),    NPV likewise with the classes exchanged

    sensitivity, specificity: (R,). They are taken to stay what they are where another share pi of the cases
    is positive, because the calls stay: the threshold lies on the network's own score.
    """
    pi = prevalence
    with np.errstate(invalid="ignore"):
        positive = pi * sensitivity / (pi * sensitivity + (1 - pi) * (1 - specificity))
        negative = (1 - pi) * specificity / ((1 - pi) * specificity + pi * (1 - sensitivity))
    return positive, negative


def predictive_bands(calls: Array, y: Array, groups: Array | None = None) -> dict[str, Band]:
    """PPV and NPV over cases at the table's own prevalence, by name; one without a call is missing.

    Wilson's interval of the share called right, of as many cases as are called so on average over replicas.
    Of groups their number is divided by the design effect of the ratio, told by the residuals call (right -
    share). calls: (R, n) bool; y: (n,) of 0 and 1; groups: (n,) int.
    """
    bands = {}
    for name, called, right in (("ppv", calls, y == 1), ("npv", ~calls, y == 0)):
        number = float(called.mean(axis=0).sum())
        if number > 0:
            share = min(float(called.mean(axis=0)[right].sum()) / number, 1.0)
            told = effective_number(called * (right - share), groups) / called.shape[1]
            low, high = (float(end) for end in wilson_ends(share, number * told))
            centres, count = (("share", share),), number_of_groups(groups)
            n = max(round(number), 1)
            bands[name] = Band(low, high, "wilson", "cases", n, 0.95, EXPECTED, centres, groups=count)
    return bands


def predictive_bands_at(
    calls: Array, y: Array, prevalence: float, groups: Array | None = None
) -> dict[str, Band]:
    """PPV and NPV over cases at a prevalence that is not the table's, by name.

    The odds of the PPV are those of the prevalence times the likelihood ratio sens / (1 - spec), and its ends
    are those of the ratio, joined from Wilson's ends of both shares (MOVER, Donner & Zou 2012); of the NPV
    likewise, with spec / (1 - sens). The delta method on the logit (Mercaldo, Lau & Zhou 2007) has no end
    where a count is 0, and with the additions it then needs it held 49 to 95 of 100 simulated truths, this
    one 95 to 97.

    calls: (R, n) bool; y: (n,) of 0 and 1; groups: (n,) int. One without a call is missing.
    """
    found, cleared = (
        share_over_cases(calls[:, y == label] == bool(label), groups_among(groups, y == label))
        for label in (1, 0)
    )
    odds, bands = prevalence / (1 - prevalence), {}
    for name, prior, right, wrong in (("ppv", odds, found, cleared), ("npv", 1 / odds, cleared, found)):
        hit, miss = right.centre("share"), 1 - wrong.centre("share")
        if hit or miss:
            shares = (hit, right.low, right.high), (miss, 1 - wrong.high, 1 - wrong.low)
            low, high = (
                prior * end / (1 + prior * end) if end < math.inf else 1.0 for end in _ratio(*shares)
            )
            centres = (("mean", prior * hit / (prior * hit + miss)),)
            count = number_of_groups(groups)
            kind = "wilson, by Bayes"
            bands[name] = Band(low, high, kind, "cases", len(y), 0.95, AT_PREVALENCE, centres, groups=count)
    return bands


def _ratio(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float]:
    """The ends of the ratio of two shares, each with its ends: MOVER for a ratio."""
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    root = math.sqrt(max(0.0, (a * b) ** 2 - a_low * b_high * (2 * a - a_low) * (2 * b - b_high)))
    low = a_low * (2 * a - a_low) / (a * b + root) if a_low > 0 else 0.0
    if b_low <= 0:
        return low, math.inf
    root = math.sqrt(max(0.0, (a * b) ** 2 - a_high * b_low * (2 * a - a_high) * (2 * b - b_low)))
    return low, (a * b + root) / (b_low * (2 * b - b_low))


def benefits(logits: Array, y: Array, threshold: float, prevalence: float) -> Array:
    """What each case adds to the net benefit of acting on a probability above a threshold (R, n).

    Its mean over the cases is the net benefit (Vickers & Elkin 2006): the positives that are found, less the
    negatives acted on in vain, each of which costs p / (1 - p) of a found one, p the threshold.

        pi sens - (1 - pi) (1 - spec) p / (1 - p),    at the table's own pi: TP / n - FP / n p / (1 - p)

    logits: (R, n), of probabilities that hold at this prevalence; y: (n,) of 0 and 1, both present;
    prevalence: pi.
    """
    return np.asarray((logits > logit(threshold)) * _worth(y, threshold, prevalence))


def _worth(y: Array, threshold: float, prevalence: float) -> Array:
    """What acting on each case (n,) adds, so that a mean over cases weighs the classes by the prevalence."""
    positive = y == 1
    gain = prevalence / positive.mean()
    loss = threshold / (1 - threshold) * (1 - prevalence) / (1 - positive.mean())
    return np.where(positive, gain, -loss)


def treat_all(threshold: float, prevalence: float) -> float:
    """The net benefit of acting on every case; that of acting on none is 0."""
    return prevalence - (1 - prevalence) * threshold / (1 - threshold)


def benefit_band(
    values: Array,
    y: Array,
    threshold: float,
    prevalence: float,
    samples: Resamples | None = None,
    groups: Array | None = None,
) -> Band:
    """The net benefit of R replicas over seeds and cases, or over cases alone without samples.

    The hull of the multi-bootstrap and of the interval over cases: Wilson's ends of sensitivity and
    specificity, joined by squares (MOVER, Zou & Donner 2008), because an error that was not seen is not
    resampled. values: (R, n), as `benefits` gives it; y: (n,); groups: (n,) int.
    """
    worth, pieces = _worth(y, threshold, prevalence), []
    for rows in (y == 1, y == 0):
        band = share_over_cases(values[:, rows] != 0, groups_among(groups, rows))
        pieces.append((float(worth[rows].sum()) / len(y), band.centre("share"), band.low, band.high))
    return replace(_joined(values, y, pieces, samples, "wilson joined"), groups=number_of_groups(groups))


def benefit_difference(
    ours: Array,
    theirs: Array,
    y: Array,
    threshold: float,
    prevalence: float,
    samples: Resamples | None = None,
    groups: Array | None = None,
) -> Band:
    """The net benefit of R replicas less that of a method without a seed, on the same cases.

    As `benefit_band`, with the interval of a paired difference of shares (Agresti & Min 2005) in each class
    in the place of Wilson's. ours: (R, n), theirs: (1, n), as `benefits` gives them.
    """
    worth, pieces = _worth(y, threshold, prevalence), []
    for rows in (y == 1, y == 0):
        a, b = (np.broadcast_to(side[:, rows] != 0, ours[:, rows].shape) for side in (ours, theirs))
        band = paired_difference(a, b, groups_among(groups, rows))
        pieces.append((float(worth[rows].sum()) / len(y), band.centre("mean"), band.low, band.high))
    band = _joined(ours - theirs, y, pieces, samples, "agresti-min joined")
    return replace(band, estimand=BENEFIT_DIFFERENCE, groups=number_of_groups(groups))


def _joined(
    values: Array,
    y: Array,
    pieces: list[tuple[float, float, float, float]],
    samples: Resamples | None,
    kind: str,
) -> Band:
    """The band of the mean of values (R, n), from the bootstrap and from (weight, share, low, high) of each
    class. Samples of groups differ in their classes, so means are taken within each."""
    replicas, n = values.shape
    mean = float(values.mean())
    down, up = (
        math.sqrt(sum((w * ((low if (w > 0) == lower else high) - p)) ** 2 for w, p, low, high in pieces))
        for lower in (True, False)
    )
    low, high, varied = mean - down, mean + up, "cases"
    if samples is not None:
        drawn = sum(rows.mean() * _drawn_means(values, rows, samples) for rows in (y == 1, y == 0))
        least, most = (float(end) for end in np.quantile(drawn, [LOW, HIGH]))
        low, high = min(low, least), max(high, most)
        kind, varied = f"multi-bootstrap and {kind}", "seeds_x_cases"
    seeds = 0 if samples is None else replicas
    return Band(low, high, kind, varied, n, HIGH - LOW, BENEFIT, (("mean", mean),), seeds=seeds)


def _drawn_means(values: Array, mask: Array, samples: Resamples) -> Array:
    """What `bootstrap_means` gives, (B,), where most cases (n,) have one value for all replicas.

    Only those in which values (R, n) differ are averaged over the drawn replicas."""
    cases, first = samples.cases[:, mask], values[0, mask]
    rest = values[:, mask] - first
    doubtful = rest.any(axis=0)
    seeds = samples.seeds / samples.seeds.sum(axis=1, keepdims=True)
    sums = cases @ first + np.einsum("bn,bn->b", seeds @ rest[:, doubtful], cases[:, doubtful])
    return np.asarray(sums / cases.sum(axis=1))
