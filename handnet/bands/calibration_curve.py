"""A smoothed calibration curve with a band over cases: at which probability are how many positive?"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit, logit
from scipy.stats import norm

from handnet.bands.calibration import clustered, covariance, ensemble, intercepts
from handnet.bands.clusters import number_of_groups, widening
from handnet.data import Array

KNOTS = (0.1, 0.5, 0.9)  # quantiles of the logit (Harrell 2015, table 2.3)
POINTS = 101
STEPS = 100  # Newton steps; some ten are enough


class CalibrationCurve(NamedTuple):
    """The share of positives at each probability, with a pointwise band over cases. Arrays are (m,).

    probability: what is predicted; share, low, high: what is observed there, smoothed; n, groups: how many
    cases, and of how many groups (0: every case is its own).
    """

    probability: Array
    share: Array
    low: Array
    high: Array
    coverage: float
    n: int
    groups: int


def calibration_curve(
    logits: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> CalibrationCurve | None:
    """The curve of the ensemble of R replicas: a logistic regression on a natural cubic spline of its logit.

    The flexible curve of Van Calster et al. (2016), with knots at three quantiles. The fit is Firth's (1993),
    which is finite for classes that a logit separates too, its intercept then set so that as many positives
    are expected as there are (Puhr et al. 2017). The band is of Wald on the logit, pointwise. The curve ends
    at the outer knots, beyond which it would be a guess.

    logits: (R, n) finite; y: (n,) of 0 and 1, both of them; groups: (n,) int, None where every case is its
    own. None where three knots fall together, or the spline is constant on the cases.
    """
    z, y = ensemble(logits), np.asarray(y, dtype=np.float64)
    knots = np.quantile(z, KNOTS)
    if not (np.diff(knots) > 1e-9 * max(1.0, np.ptp(z))).all():
        return None
    design = _spline(z, knots)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    beta = _firth(design, y)
    beta[0] += float(intercepts((design @ beta)[None], y)[0])
    eta = design @ beta
    spread = covariance(design, eta) if groups is None else clustered(design, eta, y, groups)
    reach = float(norm.ppf((1 + coverage) / 2)) * widening(len(y), groups, coverage)
    first, last = np.clip(expit(knots[[0, -1]]), 1e-9, 1 - 1e-9)
    probability = np.linspace(first, last, POINTS)
    there = _spline(logit(probability), knots)
    middle, half = there @ beta, reach * np.sqrt(np.einsum("md,de,me->m", there, spread, there))
    share, low, high = (expit(middle + shift) for shift in (0, -half, half))
    return CalibrationCurve(probability, share, low, high, coverage, len(y), number_of_groups(groups))


def _spline(z: Array, knots: Array) -> Array:
    """(n, 3): 1, z, and a natural cubic spline of z (n,) with three knots, straight beyond the outer ones."""
    first, middle, last = knots
    cubes = np.maximum(z[:, None] - knots, 0) ** 3
    upper = cubes[:, 1] * (last - first) - cubes[:, 2] * (middle - first)
    bend = (cubes[:, 0] - upper / (last - middle)) / (last - first) ** 2
    return np.column_stack([np.ones_like(z), z, bend])


def _firth(design: Array, y: Array) -> Array:
    """The coefficients (d,) of a logistic regression, by the likelihood times the root of the information.

    Newton's steps on Firth's modified score, halved until the penalised likelihood rises; design: (n, d).
    """
    # On an orthonormal basis, so that no step meets a matrix that is all but singular.
    basis, back = np.linalg.qr(design)

    def information(beta: Array) -> tuple[Array, Array]:
        p = expit(basis @ beta)
        return p, (basis.T * (p * (1 - p))) @ basis

    def penalised(beta: Array) -> float:
        eta = basis @ beta
        return float((y * eta + log_expit(-eta)).sum() + np.linalg.slogdet(information(beta)[1])[1] / 2)

    beta, value = np.zeros(design.shape[1]), -np.inf
    for _ in range(STEPS):
        p, info = information(beta)
        inverse = np.linalg.inv(info)
        leverage = p * (1 - p) * np.einsum("nd,de,ne->n", basis, inverse, basis)
        step = inverse @ (basis.T @ (y - p + leverage * (0.5 - p)))
        value = penalised(beta)
        while penalised(beta + step) < value and np.abs(step).max() > 1e-12:
            step /= 2
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return np.asarray(np.linalg.solve(back, beta))
