"""Cases that come in groups: rows of one patient or one clinic are alike, and tell less than as many others.

`groups` (n,) int gives the group of each case; None says that every case is its own, and so do groups of one
case each: every formula here then is the one for independent cases.
"""

import numpy as np
from scipy.stats import t

from handnet.data import Array

FEW_GROUPS = 10  # with fewer groups that hold an error than these a design effect is mostly chance


def group_sums(values: Array, groups: Array) -> Array:
    """The sums (..., G) of values (..., n) over the cases of each group."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    return np.add.reduceat(np.asarray(values, dtype=np.float64)[..., order], starts, axis=-1)


def groups_among(groups: Array | None, which: Array) -> Array | None:
    """The groups of some of the cases. groups: (n,) int or None; which: (n,) bool, or places."""
    return None if groups is None else groups[which]


def number_of_groups(groups: Array | None) -> int:
    """How many groups there are, 0 where every case is its own. groups: (n,) int."""
    return 0 if groups is None else len(np.unique(groups))


def mean_variance(values: Array, groups: Array | None = None) -> float:
    """The variance of a mean over n cases of G groups, averaged over R replicas (Liang & Zeger 1986).

        G / (G - 1) sum over groups of (sum over their cases of (v - mean))^2 / n^2

    Miller (2024, equation 4) gives it without the factor, which makes it the usual var / n where every case
    is its own group. One group alone shows no spread over groups; its cases then count as independent.

    values: (R, n), n at least 2.
    """
    v = np.asarray(values, dtype=np.float64)
    count = number_of_groups(groups)
    if groups is None or count < 2:
        return float(v.var(axis=1, ddof=1).mean() / v.shape[1])
    sums = group_sums(v - v.mean(axis=1, keepdims=True), groups)
    return float(np.square(sums).sum(axis=1).mean() * count / (count - 1) / v.shape[1] ** 2)


def mean_reach(values: Array, groups: Array | None = None, coverage: float = 0.95) -> float:
    """Half of the t interval of a mean over n cases of G groups: t_(G-1) se, t_(n-1) where there are none.

    values: (R, n), n at least 2, whose `mean_variance` is se^2; groups: (n,) int.
    """
    error = np.sqrt(mean_variance(values, groups))
    return float(_quantile(number_of_groups(groups) or values.shape[1], coverage) * error)


def carriers(values: Array, groups: Array | None = None) -> float:
    """How many of n cases, or of G groups, carry a mean of values that are at least 0 (Kish 1965).

        (sum v)^2 / sum v^2,    of groups with their sums in place of v; averaged over the replicas

    n where all values are alike, and nearly 1 where one case makes the mean. values: (R, n), at least 0.
    """
    v = np.asarray(values, dtype=np.float64)
    parts = v if number_of_groups(groups) < 2 else group_sums(v, np.asarray(groups))
    parts = parts / np.maximum(parts.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    squares = np.square(parts).sum(axis=1)
    counts = np.square(parts.sum(axis=1)) / np.where(squares == 0, 1, squares)
    return float(np.where(squares == 0, parts.shape[1], counts).mean())


def skewed_reach(values: Array, groups: Array | None = None, coverage: float = 0.95) -> float:
    """`mean_reach` of values of which a few make most of the mean: those alone tell how much it varies.

    Student's t has one degree of freedom less than there are `carriers`, and no fewer than 2 unless there
    are only 2 cases or groups. values: (R, n), at least 0, n at least 2; groups: (n,) int.
    """
    most = number_of_groups(groups) or values.shape[1]
    count = min(most, max(carriers(values, groups), 3.0))
    return float(_quantile(count, coverage) * np.sqrt(mean_variance(values, groups)))


def _quantile(count: float, coverage: float) -> float:
    """The quantile of Student's t for a mean of so many cases or groups; 1 counts as 2."""
    return float(t.ppf((1 + coverage) / 2, max(count - 1, 1)))


def widening(n: int, groups: Array | None, coverage: float = 0.95) -> float:
    """By how much an interval is wider because its variance is known from G groups, not from n cases.

        t_(G-1) / t_(n-1), quantiles of Student's t        (Korn & Graubard 1998)

    1 where every case is its own group. One group counts as two. groups: (n,) int.
    """
    if groups is None:
        return 1.0
    return _quantile(number_of_groups(groups), coverage) / _quantile(n, coverage)


def effective_number(values: Array, groups: Array | None, coverage: float = 0.95) -> float:
    """How many independent cases tell as much of a mean as these n cases of G groups.

        n / max(1, deff) / widening^2,    deff = the variance of the mean over that of independent cases

    deff is the design effect (Kish 1965; for shares Rao & Scott 1992; the widening after Korn & Graubard
    1998). A few odd values in even fewer groups do not tell whether they come together: with fewer than 10
    groups that hold a value other than the median, no group counts for more than one case. The number is at
    least 1.

    values: (R, n), such as whether each of R replicas calls each case right; groups: (n,) int.
    """
    v = np.asarray(values, dtype=np.float64)
    n, count = v.shape[1], number_of_groups(groups)
    if groups is None:
        return float(n)
    odd = group_sums(v != np.median(v, axis=1, keepdims=True), groups) > 0
    most = count if odd.sum(axis=1).mean() < FEW_GROUPS else n
    plain = mean_variance(v)
    design_effect = max(1.0, mean_variance(v, groups) / plain) if plain else 1.0
    number = n / design_effect / widening(n, groups, coverage) ** 2
    return float(max(min(number, most), 1.0))


def placement_covariance(
    ours: tuple[Array, Array], theirs: tuple[Array, Array], groups: tuple[Array, Array]
) -> float:
    """The covariance of two areas under the ROC curve on the same cases of G groups (Obuchowski 1997).

        g1/(g1-1) sum p p'  +  g0/(g0-1) sum q q'  +  G/(G-1) sum (p q' + q p')

    The sums are over groups; p is the sum of (placement - area) / n+ over the positive cases of a group, q of
    (placement - area) / n- over its negative ones, g1 and g0 how many groups have such cases. Where every
    case is its own group it is DeLong's.

    ours, theirs, groups: of the positive cases (n+,) and of the negative ones (n-,). A class of one group is
    taken for independent cases.
    """
    names = np.unique(np.concatenate(groups))
    (p, q), (p2, q2) = (
        [_spread(side, of, names) for side, of in zip(places, groups, strict=True)]
        for places in (ours, theirs)
    )
    total = 0.0
    for place, (x, x2) in enumerate(((p, p2), (q, q2))):
        count = number_of_groups(groups[place])
        if count > 1:
            total += count / (count - 1) * float(x @ x2)
        else:
            total += float(np.cov(ours[place], theirs[place])[0, 1] / len(ours[place]))
    crossed = float(p @ q2 + q @ p2)
    return total + (len(names) / (len(names) - 1) * crossed if len(names) > 1 else 0.0)


def _spread(places: Array, groups: Array, names: Array) -> Array:
    """(G,) the sum over each group of (placement - mean) / n of one class. places, groups: (n,)."""
    place = np.searchsorted(names, groups)
    return np.bincount(place, (places - places.mean()) / len(places), len(names))
