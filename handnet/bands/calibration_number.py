"""Calibration of guesses of a number: the line of the truth on the guess."""

import numpy as np
from scipy.stats import t

from handnet.bands.band import CALIBRATION, Band
from handnet.bands.clusters import group_sums, number_of_groups
from handnet.data import Array


def calibration(guesses: Array, y: Array) -> dict[str, Array]:
    """Intercept and slope (R,) of the least squares line of y (n,) on the guesses (R, n) of each replica.

    Perfect guesses have 0 and 1; a slope below 1 says that high guesses are too high and low ones too low.
    Both are NaN of a replica that guesses the same for all cases.
    """
    found = np.array([_line(row, y) for row in np.asarray(guesses, dtype=np.float64)])
    return {"intercept": found[:, 0], "slope": found[:, 1]}


def calibration_bands(
    guesses: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> dict[str, Band]:
    """The t intervals of intercept and slope for the ensemble, whose guess is the mean over the replicas.

    The error is HC3, which allows for errors that grow with the guess (MacKinnon & White 1985), with n - 2
    degrees of freedom; of groups it is the jackknife over groups, which is HC3's of whole groups (CR3, Bell &
    McCaffrey 2002), with one degree less than there are groups.

    guesses: (R, n); y: (n,); groups: (n,) int, None where every case is its own. Empty where the ensemble
    guesses the same for all cases.
    """
    f, n, count = np.asarray(guesses, dtype=np.float64).mean(axis=0), len(y), number_of_groups(groups)
    line = _line(f, y)
    if not np.isfinite(line).all():
        return {}
    variance = _variance(np.column_stack([np.ones(n), f]), y - line[0] - line[1] * f, groups)
    kind, degrees = ("HC3", n - 2) if groups is None else ("CR3", max(count - 1, 1))
    half = t.ppf((1 + coverage) / 2, degrees) * np.sqrt(np.diag(variance))
    return {
        name: Band(
            float(middle - reach),
            float(middle + reach),
            kind,
            "cases",
            n,
            coverage,
            CALIBRATION,
            (("ensemble", float(middle)),),
            groups=count,
        )
        for name, middle, reach in zip(("intercept", "slope"), line, half, strict=True)
    }


def _line(f: Array, y: Array) -> Array:
    """Intercept and slope (2,) of y (n,) on f (n,), NaN where f is the same for all."""
    centred = f - f.mean()
    squares = centred @ centred
    if squares == 0 or np.ptp(f) == 0:
        return np.array([np.nan, np.nan])
    slope = centred @ y / squares
    return np.array([y.mean() - slope * f.mean(), slope])


def _variance(design: Array, rest: Array, groups: Array | None) -> Array:
    """The covariance (2, 2) of the coefficients. design: (n, 2); rest: (n,) the residuals.

    What leaving out a case or group moves the coefficients by is found from its residuals alone.
    """
    place = np.arange(len(rest)) if groups is None else groups
    outer = (design[:, :, None] * design[:, None, :]).reshape(len(rest), 4)
    squares = group_sums(outer.T, place).T.reshape(-1, 2, 2)  # (G, 2, 2)
    sums = group_sums(design.T * rest, place).T[..., None]  # (G, 2, 1)
    moved = (np.linalg.pinv(design.T @ design - squares, hermitian=True) @ sums)[..., 0]
    count = len(moved)
    return np.asarray(moved.T @ moved * (1.0 if groups is None else (count - 1) / count))
