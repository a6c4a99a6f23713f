"""Two methods on the same cases of one test: how often each is right, what each calls, how far each errs.

What is said holds for these two fixed methods; over divisions of the table handnet/bands/compare.py compares.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import binom, binomtest, chi2, norm, t, wilcoxon

from handnet.bands.band import EXPECTED_DIFFERENCE, Band
from handnet.bands.clusters import effective_number, group_sums, mean_reach, mean_variance, number_of_groups
from handnet.bands.compare import Comparison
from handnet.data import Array
from handnet.scores import Whole


class McNemar(NamedTuple):
    """The cases on which exactly one of two classifiers is right, and the p of the exact test."""

    only_ours: int
    only_theirs: int
    p: float


def mcnemar(ours: Array, theirs: Array, groups: Array | None = None) -> McNemar:
    """The exact test that two fixed classifiers err equally often (McNemar 1947).

        p = 2 P(Binomial(b + c, 1/2) <= min(b, c)), at most 1

    Of groups, the two classifiers change places within whole groups: p is the chance that the sum of all
    d_g = b_g - c_g, each with a sign from a fair coin, is at least as far from 0 as b - c is. Where every
    case is its own group it is McNemar's test; with many groups it is that of Obuchowski (1998), whose
    statistic is (sum d_g)^2 / sum d_g^2.

    ours, theirs: (n,) bool, True where the call is right; groups: (n,) int. The test has little power on few
    cases: p < .05 takes a disagreement of 6 to 0, and of six groups at least.
    """
    b, c = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    if groups is not None:
        differences = group_sums(ours.astype(int) - theirs, groups)
        return McNemar(b, c, _coins(np.rint(np.abs(differences)).astype(int), abs(b - c)))
    return McNemar(b, c, float(binomtest(b, b + c).pvalue) if b + c else 1.0)


def _coins(sizes: Array, reached: int) -> float:
    """The chance that the sum of sizes (G,), each with a sign from a fair coin, is at least `reached`, or
    at most minus that. All are whole numbers of at least 0."""
    chances = np.ones(1)  # of the sum of the sizes whose sign is +
    for size, times in zip(*np.unique(sizes[sizes > 0], return_counts=True), strict=True):
        ups = np.zeros(size * times + 1)
        ups[::size] = binom.pmf(np.arange(times + 1), times, 0.5)
        chances = np.convolve(chances, ups)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return float(min(chances[np.abs(sums) >= reached].sum(), 1.0))


def paired_difference(
    ours: Array, theirs: Array, groups: Array | None = None, coverage: float = 0.95
) -> Band:
    """The interval over cases of the difference of two accuracies on the same n cases (Agresti & Min 2005).

    It is Wald's, with half a case added to each of the four cells, so that agreement on all cases is no
    certainty. Of R pairs of replicas it is taken at the mean counts, with the sampling error of a single
    pair. Cases of groups count for their `effective_number`, told by the differences.

    ours, theirs: (R, n) bool, True where the call is right; groups: (n,) int.
    """
    differences = ours.astype(float) - theirs
    n = differences.shape[1]
    number = effective_number(differences, groups, coverage)
    only_ours, only_theirs = (float((differences == sign).sum(axis=1).mean()) for sign in (1, -1))
    b, c, m = only_ours * (number / n) + 0.5, only_theirs * (number / n) + 0.5, number + 2
    half = float(norm.ppf((1 + coverage) / 2) * np.sqrt(b + c - (b - c) ** 2 / m) / m)
    ends, centres = ((b - c) / m - half, (b - c) / m + half), (("mean", (only_ours - only_theirs) / n),)
    count = number_of_groups(groups)
    return Band(*ends, "agresti-min", "cases", n, coverage, EXPECTED_DIFFERENCE, centres, groups=count)


class Homogeneity(NamedTuple):
    """A test of the table of two methods' calls: its statistic, degrees of freedom of chi-square, and p."""

    statistic: float
    degrees: int
    p: float


def calls_table(ours: Array, theirs: Array, classes: int) -> Array:
    """The cases (k, k) that one method calls the class of the row, the other that of the column.

    ours, theirs: (n,) int, the called classes from 0 to k - 1.
    """
    return np.bincount(ours * classes + theirs, minlength=classes * classes).reshape(classes, classes)


def bowker(table: Array) -> Homogeneity:
    """Whether two methods confuse each pair of classes as often one way as the other (Bowker 1948).

        sum over pairs of (n_ij - n_ji)^2 / (n_ij + n_ji)

    The degrees are the pairs on which the methods differ at all: the others add nothing to the sum, so given
    these counts its expectation is their number. Of two classes it is McNemar's test without correction.

    table: (k, k), as of `calls_table`, of independent cases.
    """
    upper = np.triu_indices(len(table), 1)
    one, other = table[upper].astype(np.float64), table.T[upper].astype(np.float64)
    total = one + other
    differ = total > 0
    return _chi_square(float((np.square(one - other)[differ] / total[differ]).sum()), int(differ.sum()))


def stuart_maxwell(table: Array) -> Homogeneity:
    """Whether two methods call each class equally often (Stuart 1955, Maxwell 1970).

        d' V^- d,    d_i = n_i. - n_.i,    V_ii = n_i. + n_.i - 2 n_ii,    V_ij = -(n_ij + n_ji)

    V^- is the generalised inverse and the degrees are its rank: k - 1, less one for each set of classes that
    the methods never confuse with the others.

    table: (k, k), as of `calls_table`, of independent cases.
    """
    n = table.astype(np.float64)
    d, crossed = n.sum(axis=1) - n.sum(axis=0), n + n.T
    np.fill_diagonal(crossed, 0)
    v = np.diag(crossed.sum(axis=1)) - crossed
    return _chi_square(float(d @ np.linalg.pinv(v, hermitian=True) @ d), int(np.linalg.matrix_rank(v)))


def _chi_square(statistic: float, degrees: int) -> Homogeneity:
    """The test; p is 1 where nothing differs."""
    return Homogeneity(statistic, degrees, float(chi2.sf(statistic, degrees)) if degrees else 1.0)


def paired_losses(
    ours: Array, theirs: Array, groups: Array | None = None, coverage: float = 0.95
) -> Comparison:
    """By how much the losses of ours are lower on average, with the paired t interval over cases and its p.

    Of one forecast a case it is the test of Diebold and Mariano (1995) without lags. ours, theirs: (R, n) of
    R pairs; the difference of each case is averaged over them, so it is the expected loss of these very
    methods that is compared. groups: (n,) int; the error is the clustered one (`mean_variance`), with one
    degree of freedom less than there are groups.
    """
    return _over_cases((theirs - ours).mean(axis=0), "paired t", groups, coverage)


def score_difference(
    score: Whole, ours: Array, theirs: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> Comparison:
    """The mean score of ours less that of theirs on the same cases, to first order in the cases.

    It is the t interval of the difference of the two influences of each case (the infinitesimal jackknife,
    Efron 1982), about the difference of the scores themselves. ours: outputs (R, n, k); theirs: (Q, n, k);
    y: (n,); groups: (n,) int, as in `paired_losses`. Raises ValueError for a score without an influence.
    """
    if score.influence is None:
        raise ValueError(f"{score.name} has no influence of single cases; use its own rule.")
    means = [score.of(z, y).mean() + score.influence(z, y).mean(axis=0) for z in (ours, theirs)]
    return _over_cases(means[0] - means[1], "infinitesimal jackknife", groups, coverage)


def _over_cases(d: Array, kind: str, groups: Array | None, coverage: float) -> Comparison:
    """The t interval of the mean of differences d (n,) over cases, or over groups, and its p."""
    row, mean, n, count = d[None], float(d.mean()), len(d), number_of_groups(groups)
    half, error = mean_reach(row, groups, coverage), np.sqrt(mean_variance(row, groups))
    with np.errstate(divide="ignore"):
        statistic = float(np.divide(abs(mean), error)) if mean else 0.0
    ends, centres = (mean - half, mean + half), (("mean", mean),)
    band = Band(*ends, kind, "cases", n, coverage, EXPECTED_DIFFERENCE, centres, groups=count)
    return Comparison(band, float(2 * t.sf(statistic, max((count or n) - 1, 1))))


def signed_rank(ours: Array, theirs: Array, groups: Array | None = None) -> float:
    """The p of Wilcoxon's signed-rank test (1945) that losses (n,) of ours and theirs differ by chance.

    It asks whether the differences lie about 0 alike on both sides, which no few large ones decide. Of groups
    (n,) int the sums of each group's differences are ranked, because whole groups are exchanged.
    """
    d = theirs - ours if groups is None else group_sums(theirs - ours, groups)
    return float(wilcoxon(d).pvalue) if d.any() else 1.0
