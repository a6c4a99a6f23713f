"""Calibration: do the probabilities mean what they say? On a hundred cases its bands are wide."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgWarning
from scipy.optimize import elementwise
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from handnet.bands.band import CALIBRATION, Band
from handnet.data import Array

BINS = 10
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
        _intercepts(z, y),
        np.array([_line(row, y)[1] for row in z]),
        y.sum() / p.sum(axis=1),
        _errors(p, y[None])[:, 0],
    )


class CalibrationBands(NamedTuple):
    """Bands over cases of the calibration of the mean logit over replicas."""

    intercept: Band
    slope: Band


def calibration_bands(logits: Array, y: Array, coverage: float = 0.95) -> CalibrationBands | None:
    """Wald intervals from the Fisher information at the mean logit over replicas.

    logits: (R, n) finite; y: (n,) of 0 and 1. None when the mean logit separates the classes.
    """
    z, y = np.asarray(logits, dtype=np.float64).mean(axis=0), np.asarray(y, dtype=np.float64)
    line = _line(z, y)
    if not np.isfinite(line[1]):
        return None
    shift = float(_intercepts(z[None], y)[0])
    p, q = expit(shift + z), expit(line[0] + line[1] * z)
    design = np.column_stack([np.ones_like(z), z])
    slope_variance = np.linalg.inv((design.T * (q * (1 - q))) @ design)[1, 1]
    reach = float(norm.ppf((1 + coverage) / 2))

    def band(middle: float, variance: float) -> Band:
        half, centres = reach * float(np.sqrt(variance)), (("mean logit", middle),)
        return Band(middle - half, middle + half, "wald", "cases", len(y), coverage, CALIBRATION, centres)

    return CalibrationBands(band(shift, 1 / (p * (1 - p)).sum()), band(float(line[1]), float(slope_variance)))


def null_errors(logits: Array, draws: Array) -> Array:
    """Calibration errors (R, B) of R replicas whose probabilities are true.

    logits: (R, n); draws: (B, n) uniform in [0, 1), from which the labels are drawn as y* ~ Bernoulli(p). A
    perfectly calibrated network has these errors on as many cases, so a calibration error may be read against
    nothing less (Roelofs et al. 2022).
    """
    p = expit(np.asarray(logits, dtype=np.float64))
    return np.stack([_errors(row[None], draws < row)[0] for row in p])


def _errors(p: Array, labels: Array) -> Array:
    """Calibration errors (R, B) of probabilities (R, n) against labels (B, n)."""
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    members = np.eye(BINS)[bins]  # (R, n, BINS)
    expected = np.einsum("rn,rnk->rk", p, members)
    observed = np.einsum("bn,rnk->rbk", labels.astype(np.float64), members)
    return np.asarray(np.abs(expected[:, None] - observed).sum(axis=-1) / p.shape[1])


def _intercepts(z: Array, y: Array) -> Array:
    """The shift a (R,) of each row of z (R, n) with sum of expit(a + z) = sum of y, y (n,)."""
    reach = np.abs(z).max(axis=1) + 20.0

    def excess(shift: Array, row: Array) -> Array:
        """How far the sum of the probabilities exceeds that of y, for shifts (...,) of these rows (...,)."""
        return np.asarray(expit(shift[..., None] + z[row.astype(int)]).sum(axis=-1) - y.sum())

    rows = np.arange(len(z)).astype(np.float64)
    return np.asarray(elementwise.find_root(excess, (-reach, reach), args=(rows,)).x)


def _line(z: Array, y: Array) -> Array:
    """Intercept and slope, (2,), of the logistic regression of y (n,) on z (n,).

    The slope is infinite where the logit separates the classes, for then no finite one is best.
    """
    upper, lower = z[y == 1], z[y == 0]
    if z.min() == z.max():
        return np.array([np.nan, np.nan])  # one probability for all: no slope is better than another
    if upper.min() >= lower.max():
        return np.array([np.nan, np.inf])
    if upper.max() <= lower.min():
        return np.array([np.nan, -np.inf])
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)  # of logits all but equal; it goes on with lbfgs
        fit = model.fit(z[:, None], y)
    return np.array([fit.intercept_[0], fit.coef_[0, 0]])
