"""The scores of guesses of a number. Guesses are (R, n), y is (n,), both in the target's own unit."""

import numpy as np

from handnet.data import Array
from handnet.scores import Mean, Quantile, Ratio, Score


def error(guesses: Array, y: Array) -> Array:
    """Guess minus truth (R, n): above 0 where the guess is too high."""
    return np.asarray(guesses - y)


def absolute_error(guesses: Array, y: Array) -> Array:
    """How far each guess is from the truth (R, n)."""
    return np.abs(guesses - y)


def squared_error(guesses: Array, y: Array) -> Array:
    """The square (R, n) of that distance."""
    return np.square(guesses - y)


def _squares(guesses: Array, y: Array) -> Array:
    """The squared errors, as the one moment (1, R, n)."""
    return squared_error(guesses, y)[None]


def _with_spread(guesses: Array, y: Array) -> Array:
    """Moments (3, R, n): the squared errors, and the truth and its square, measured from the mean of y."""
    truth = np.broadcast_to(y - y.mean(), guesses.shape)
    return np.stack([squared_error(guesses, y), truth, np.square(truth)])


def _root(means: Array) -> Array:
    """The root of a mean square, from means (1, ...)."""
    return np.asarray(np.sqrt(means[0]))


def _explained(means: Array) -> Array:
    """1 - mean squared error / variance of the truth, NaN where that is 0; means: of `_with_spread`."""
    loss, truth, square = means
    spread = square - truth * truth
    alike = np.real(spread) <= 0
    return np.asarray(np.where(alike, np.nan, 1 - loss / np.where(alike, 1, spread)))


MSE = Mean("mse", squared_error)
NUMBER: tuple[Score, ...] = (
    Ratio("rmse", _squares, _root, higher=False, most=np.inf, base=MSE),
    Mean("mae", absolute_error),
    # 1 is perfect, 0 knows only the mean of the graded cases
    Ratio("r2", _with_spread, _explained, least=-np.inf),
    Mean("bias", error, least=-np.inf),  # above 0 where guesses are too high on average
    Quantile("median_absolute_error", absolute_error),
    MSE,
)
