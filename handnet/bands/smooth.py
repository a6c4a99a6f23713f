"""The case band of scores that are smooth in the cases: balanced accuracy, F1, precision, R2, mean areas.

A case moves such a score by its influence (`Ratio.influence`, `Whole.influence`), to first order, so that the
score varies as the mean of the influences does. That is the infinitesimal jackknife or delta method (Efron
1982, chapter 6); for F1 Takahashi et al. (2022) give its formulas.
"""

import numpy as np
from scipy.stats import t

from handnet.bands.band import EXPECTED, Band, scale_of
from handnet.bands.clusters import (
    effective_number,
    group_sums,
    groups_among,
    mean_variance,
    number_of_groups,
    widening,
)
from handnet.bands.proportion import wilson_ends
from handnet.data import Array
from handnet.scores import OfCalls, Ratio, Score, Whole, right

# Scores whose value is known where the outputs are the same for all cases, whatever cases come next.
KNOWN_OF_CONSTANTS = ("balanced_accuracy", "auc", "auc_hand_till", "mcc", "kappa")
FEW_ERRORS = 10  # with fewer errors in a class than these, errors that were not seen are allowed for


def smooth_band(
    score: Ratio | Whole, z: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> Band:
    """The interval of a smooth score, symmetric on the score's own scale g.

        g(s) -+ g'(s) t se,    se^2 = var over cases of their influence / n, averaged over the replicas

    Of groups se is the clustered one (`mean_variance`). s is the mean over the replicas. t has as many
    degrees of freedom as the variance is worth (`_degrees`). Functions of the table of calls, such as F1,
    have the hull with `_wilson_joined` where some class has fewer than 10 errors, because an error that was
    not seen has no influence. A share among cases that the network chose itself, such as precision, has
    Wilson's interval at their mean number.

    In simulated studies of 90 to 114 cases of two or three classes these bands held 93 to 99 of 100, R2 of
    normal errors 94 and of errors with 4 to 6 degrees of freedom 92. A precision above .99 of some 30 calls
    held 83: of one error in 30 Wilson's upper end is .994 (tests/test_bands_worlds.py).

    z: (R, n) or (R, n, k); y: (n,); groups: (n,) int.
    """
    value, n = _rounded(score, float(score.of(z, y).mean())), len(y)
    centres, count = (("mean", value),), number_of_groups(groups)
    if isinstance(score, OfCalls) and score.among:
        n = round(float(score.among(z, y).sum(axis=1).mean()))
        number, kind = chosen(score, z, y, groups, coverage), "wilson"
        low, high = (float(end) for end in wilson_ends(value, number, coverage)) if number else (0.0, 1.0)
    else:
        low, high, kind = _delta(score, value, z, y, groups, coverage)
        if score.name in KNOWN_OF_CONSTANTS and not np.ptp(z, axis=1).any():
            low = high = value  # calls that are the same for all cases
        elif isinstance(score, OfCalls) and (low == high or _few_errors(z, y)):
            joined = _wilson_joined(score, value, z, y, groups, coverage)
            low, high, kind = min(low, joined[0]), max(high, joined[1]), f"{kind} and wilson joined"
    return Band(low, high, kind, "cases", n, coverage, EXPECTED, centres, groups=count)


def _rounded(score: Score, value: float) -> float:
    """A value, or the end of what the score can take where it is that end but for rounding."""
    return next((end for end in (score.least, score.most) if abs(value - end) < 1e-12), value)


def _delta(
    score: Ratio | Whole, value: float, z: Array, y: Array, groups: Array | None, coverage: float
) -> tuple[float, float, str]:
    """The ends of the interval by the delta method; of a score that no case moves those of Wilson's interval
    for the smallest class.

    Of a score from 0 to 1 no end lies beyond that interval either: the mean of the recalls of k classes,
    and an area of which n is the smaller class, vary by s (1 - s) / n at most (Birnbaum & Klose 1957 of an
    area). Near 1 the variance is told by a case or two, and the delta method would reach down to 0.
    """
    assert score.influence is not None
    influence = score.influence(z, y)
    error, scale = np.sqrt(mean_variance(influence, groups)), scale_of(score)
    if error == 0 or value in (score.least, score.most):
        if isinstance(score, OfCalls):
            return value, value, "delta"
        return *_edge(value, y, groups, coverage), "wilson, smallest class"
    reach = float(t.ppf((1 + coverage) / 2, _degrees(influence, groups))) * error
    half, middle = reach * scale.slope(value), scale.to(value)
    low, high = sorted(float(scale.back(end)) for end in (middle - half, middle + half))
    if (score.least, score.most) == (0.0, 1.0):
        least, most = _edge(value, y, groups, coverage)
        low, high = max(low, least), min(high, most)
    return low, high, "delta"


def _degrees(influence: Array, groups: Array | None) -> float:
    """How many degrees of freedom the variance of the influences is worth, those of Satterthwaite.

        2 n / (kurtosis - 1),    at least 2 and at most n - 1; of groups with their sums

    The kurtosis is 3 for normal influences, and the larger the fewer cases carry the variance, as those few
    do that an AUC near 1 misplaces. influence: (R, n), not 0 throughout.
    """
    parts = influence if number_of_groups(groups) < 2 else group_sums(influence, np.asarray(groups))
    tails = float((parts**4).mean() / (parts**2).mean() ** 2)
    return max(2.0, min(parts.shape[1] - 1, 2 * parts.shape[1] / max(tails - 1, 1e-9)))


def chosen(score: OfCalls, z: Array, y: Array, groups: Array | None, coverage: float = 0.95) -> float:
    """How many independent cases tell as much as those that the replicas chose, on average.

    It is their mean number, divided for groups as in `effective_number`. z: (R, n) or (R, n, k); y: (n,);
    groups: (n,) int.
    """
    assert score.among is not None
    number = float(score.among(z, y).sum(axis=1).mean())
    if groups is None:
        return number
    influence = score.influence(z, y)
    plain = mean_variance(influence)
    design_effect = max(1.0, mean_variance(influence, groups) / plain) if plain else 1.0
    most = min(number, number_of_groups(groups)) if _few_errors(z, y) else number
    return min(most, number / design_effect / widening(len(y), groups, coverage) ** 2)


def _few_errors(z: Array, y: Array) -> bool:
    """Whether some class has fewer than 10 errors, counted as the mean over the replicas."""
    wrong = (~right(z, y)).mean(axis=0)
    return min(float(wrong[y == label].sum()) for label in np.unique(y)) < FEW_ERRORS


def _wilson_joined(
    score: OfCalls, value: float, z: Array, y: Array, groups: Array | None, coverage: float
) -> tuple[float, float]:
    """The ends of a function of the table of calls from Wilson's ends of the recall of each class.

    To first order the score is a weighted sum of the recalls, and the distances to their ends are joined by
    squares (MOVER, Zou & Donner 2008). A weight says how much the score would rise if the errors of a class
    became right, as the table has them and one more that is spread over the other classes.
    """
    labels, correct = np.unique(y), right(z, y)
    moments = score.moments(z, y).mean(axis=-1).mean(axis=-1)  # (3 k,), over replicas and cases
    hit, said, _ = score.slopes(moments).reshape(3, -1)
    table = np.stack(
        [score.moments(z, y)[len(labels) : 2 * len(labels)].mean(axis=1) @ (y == label) for label in labels]
    )
    np.fill_diagonal(table, 0)
    table += (1 - np.eye(len(labels))) / (len(labels) - 1)  # rows: the class; columns: what it is called
    weights = hit + said - (table @ said) / table.sum(axis=1)
    down = up = 0.0
    for label, weight in zip(labels, weights, strict=True):
        rows = y == label
        share = float(correct[:, rows].mean())
        number = effective_number(correct[:, rows], groups_among(groups, rows), coverage)
        low, high = (float(end) for end in wilson_ends(share, number, coverage))
        less, more = (low, high) if weight > 0 else (high, low)
        down += (weight * rows.mean() * (share - less)) ** 2
        up += (weight * rows.mean() * (more - share)) ** 2
    return value - float(np.sqrt(down)), value + float(np.sqrt(up))


def _edge(value: float, y: Array, groups: Array | None, coverage: float) -> tuple[float, float]:
    """Wilson's ends for the smallest class."""
    low, high = wilson_ends(value, smallest_class(y, groups), coverage)
    return float(low), float(high)


def smallest_class(y: Array, groups: Array | None) -> int:
    """The cases of the smallest class, or of a number all of them; of groups those that hold such cases.

    y: (n,); groups: (n,) int.
    """
    sides = [np.ones(len(y), bool)] if y.dtype.kind == "f" else [y == label for label in np.unique(y)]
    return min(number_of_groups(groups_among(groups, side)) or int(side.sum()) for side in sides)
