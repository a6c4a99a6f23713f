"""Calibration: do the probabilities mean what they say? On a hundred cases its bands are wide."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, elementwise
from scipy.special import expit, log_expit, log_softmax, logsumexp
from scipy.stats import chi2

from handnet.bands.band import CALIBRATION, Band
from handnet.bands.clusters import group_sums, number_of_groups, widening
from handnet.data import Array

BINS = 10
STEPS, CLOSE, TINY = 100, 1e-10, 1e-300  # Newton's steps at most, what ends them, what is never divided by
ENOUGH = 100  # with fewer events or non-events than these calibration is imprecise (Snell et al. 2021)


class Calibration(NamedTuple):
    """Measures of R replicas, each (R,). A perfectly calibrated model has 0, 1 and 1; the error is never 0.

    intercept: of y on the logit with slope 1; above 0, risks are too low on the whole (Van Calster et
        al. 2016).
    slope: of y on the logit; below 1, probabilities are too extreme; infinite where the logit separates the
        classes.
    observed_expected: the number of positive cases over the sum of the probabilities.
    error: expected calibration error, the mean distance of share and probability over ten equal bins,
        weighted by their size.
    """

    intercept: Array
    slope: Array
    observed_expected: Array
    error: Array


def calibration(logits: Array, y: Array) -> Calibration:
    """The calibration measures of each replica. logits: (R, n) finite; y: (n,) of 0 and 1."""
    z, y = np.asarray(logits, dtype=np.float64), np.asarray(y, dtype=np.float64)
    p = expit(z)
    return Calibration(
        intercepts(z, y), lines(z, y)[:, 1], y.sum() / p.sum(axis=1), calibration_errors(p, y[None])[:, 0]
    )


def ensemble(logits: Array) -> Array:
    """The logits of the mean probabilities over R replicas, which are what the logged model predicts with.

    logits: (R, n), which gives (n,); or (R, n, k) of many classes, which gives (n, k).
    """
    z = np.asarray(logits, dtype=np.float64)
    if z.ndim == 3:
        return np.asarray(logsumexp(log_softmax(z, axis=-1), axis=0) - np.log(len(z)))
    return np.asarray(logsumexp(log_expit(z), axis=0) - logsumexp(log_expit(-z), axis=0))


class CalibrationBands(NamedTuple):
    """Bands over cases of the calibration of the ensemble; slope: None where it separates the classes."""

    intercept: Band
    slope: Band | None


def calibration_bands(
    logits: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> CalibrationBands:
    """Profile likelihood intervals of the ensemble's intercept and slope.

        { theta : 2 (l(best) - l(theta)) <= c },   c the chi-square quantile of one degree of freedom

    l(slope) is the log-likelihood at the intercept that is best for it. With few errors it is skewed, which
    the symmetric interval of Wald is not. Of cases in groups c is multiplied by the clustered variance over
    the one of independent cases, never below 1 (Chandler & Bate 2007), and for few groups widened.

    logits: (R, n) finite; y: (n,) of 0 and 1, both of them; groups: (n,) int, None where every case is its
    own.
    """
    z, y = ensemble(logits), np.asarray(y, dtype=np.float64)
    one, both = np.ones((len(y), 1)), np.column_stack([np.ones_like(z), z])

    def band(middle: float, likelihood: Callable[[float], float], design: Array, eta: Array) -> Band:
        limit = float(chi2.ppf(coverage, 1)) * _inflation(design, eta, y, groups, coverage)
        best = likelihood(middle)
        step = np.sqrt(limit * covariance(design, eta)[-1, -1])
        low, high = interval_ends(lambda value: 2 * (best - likelihood(value)) - limit, middle, float(step))
        kind = "profile likelihood" if groups is None else "clustered profile likelihood"
        centres = (("ensemble", middle),)
        count = number_of_groups(groups)
        return Band(low, high, kind, "cases", len(y), coverage, CALIBRATION, centres, groups=count)

    def of_slope(slope: float) -> float:
        return _likelihood(float(intercepts(slope * z[None], y)[0]) + slope * z, y)

    shift, line = float(intercepts(z[None], y)[0]), lines(z[None], y)[0]
    first = band(shift, lambda value: _likelihood(value + z, y), one, shift + z)
    if not np.isfinite(line[1]):
        return CalibrationBands(first, None)
    return CalibrationBands(first, band(float(line[1]), of_slope, both, line[0] + line[1] * z))


def covariance(design: Array, eta: Array) -> Array:
    """Of the coefficients (d, d) of a logistic regression, from its information.

    design: (n, d); eta: (n,) the linear predictor. Raises LinAlgError where the information is singular.
    """
    p = expit(eta)
    return np.asarray(np.linalg.inv((design.T * (p * (1 - p))) @ design))


def clustered(design: Array, eta: Array, y: Array, groups: Array) -> Array:
    """The covariance (d, d) of the same coefficients where cases come in groups (Liang & Zeger 1986).

    design: (n, d); eta: (n,) the linear predictor; y: (n,) of 0 and 1; groups: (n,) int.
    """
    inverse, count = covariance(design, eta), number_of_groups(groups)
    scores = group_sums((y - expit(eta)) * design.T, groups)
    return np.asarray(inverse @ scores @ scores.T @ inverse * count / max(count - 1, 1))


def _inflation(design: Array, eta: Array, y: Array, groups: Array | None, coverage: float) -> float:
    """By how much the variance of the last coefficient is larger than that of independent cases."""
    if groups is None:
        return 1.0
    ratio = clustered(design, eta, y, groups)[-1, -1] / covariance(design, eta)[-1, -1]
    return float(max(1.0, ratio) * widening(len(y), groups, coverage) ** 2)


def _likelihood(eta: Array, y: Array) -> float:
    """The log-likelihood of labels y (n,) under the linear predictor eta (n,)."""
    return float((y * eta + log_expit(-eta)).sum())


def interval_ends(excess: Callable[[float], float], middle: float, step: float) -> tuple[float, float]:
    """Where a function that is below 0 at the middle and grows on both sides is 0; step: tried first."""
    ends = []
    for sign in (-1, 1):
        reach = step
        while excess(middle + sign * reach) < 0:
            reach *= 2
        ends.append(float(brentq(excess, middle, middle + sign * reach, xtol=1e-10)))
    return ends[0], ends[1]


def null_errors(logits: Array, draws: Array) -> Array:
    """Calibration errors (R, B) of R replicas whose probabilities are true.

    logits: (R, n); draws: (B, n) uniform in [0, 1), from which the labels are drawn as y* ~ Bernoulli(p). A
    perfectly calibrated network has these errors on as many cases, so a calibration error may be read against
    nothing less (Roelofs et al. 2022).
    """
    p = expit(np.asarray(logits, dtype=np.float64))
    return np.stack([calibration_errors(row[None], draws < row)[0] for row in p])


def calibration_errors(p: Array, labels: Array) -> Array:
    """Expected calibration errors (R, B) over ten bins, of probabilities (R, n) against labels (B, n)."""
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    members = np.eye(BINS)[bins]  # (R, n, BINS)
    expected = np.einsum("rn,rnk->rk", p, members)
    observed = np.einsum("bn,rnk->rbk", labels.astype(np.float64), members)
    return np.asarray(np.abs(expected[:, None] - observed).sum(axis=-1) / p.shape[1])


def intercepts(z: Array, y: Array) -> Array:
    """The shift a (R,) of each row of z (R, n) with sum of expit(a + z) = sum of y.

    y: (n,) of 0 and 1.
    """
    reach = np.abs(z).max(axis=1) + 20.0

    def excess(shift: Array, row: Array) -> Array:
        """How far the sum of the probabilities exceeds that of y, for shifts (...,) of these rows (...,)."""
        return np.asarray(expit(shift[..., None] + z[row.astype(int)]).sum(axis=-1) - y.sum())

    rows = np.arange(len(z)).astype(np.float64)
    return np.asarray(elementwise.find_root(excess, (-reach, reach), args=(rows,)).x)


def lines(z: Array, y: Array) -> Array:
    """Intercept and slope (R, 2) of the logistic regression of y (n,), 0 and 1, on each row of z (R, n).

    The slope is infinite where the logit separates the classes, for then no finite one is best, and NaN where
    the logit is the same for all cases.
    """
    upper, lower = z[:, y == 1], z[:, y == 0]
    found = np.full((len(z), 2), np.nan)
    apart = upper.min(axis=1) >= lower.max(axis=1)
    reversed_ = upper.max(axis=1) <= lower.min(axis=1)
    found[apart, 1], found[reversed_, 1] = np.inf, -np.inf
    constant = z.min(axis=1) == z.max(axis=1)  # one probability for all: no slope is better than another
    found[constant, 1] = np.nan
    rows = ~(apart | reversed_ | constant)
    middle, scale = z[rows].mean(axis=1, keepdims=True), z[rows].std(axis=1, keepdims=True)
    a, b = _newton((z[rows] - middle) / scale, y).T
    found[rows] = np.column_stack([a - b * (middle / scale)[:, 0], b / scale[:, 0]])
    return found


def _newton(x: Array, y: Array) -> Array:
    """The best intercepts and slopes (R, 2) for rows x (R, n) of mean 0 and deviation 1, by Newton's steps,
    each halved until the likelihood does not fall."""
    beta = np.zeros((len(x), 2))
    for _ in range(STEPS):
        p = expit(beta[:, :1] + beta[:, 1:] * x)
        rest, weight = y - p, p * (1 - p)
        score = np.stack([rest.sum(axis=1), (rest * x).sum(axis=1)], axis=-1)
        one, cross, square = (np.sum(weight * power, axis=1) for power in (1, x, x * x))
        step = np.stack([square * score[:, 0] - cross * score[:, 1], one * score[:, 1] - cross * score[:, 0]])
        step = (step / np.maximum(one * square - cross * cross, TINY)).T
        for _ in range(STEPS):
            falls = _likelihoods(beta + step, x, y) < _likelihoods(beta, x, y) - CLOSE
            if not falls.any():
                break
            step[falls] /= 2
        beta = beta + step
        if np.abs(step).max(initial=0) < CLOSE:
            break
    return beta


def _likelihoods(beta: Array, x: Array, y: Array) -> Array:
    """The log-likelihoods (R,) at intercepts and slopes (R, 2)."""
    eta = beta[:, :1] + beta[:, 1:] * x
    return np.asarray((y * eta + log_expit(-eta)).sum(axis=1))
