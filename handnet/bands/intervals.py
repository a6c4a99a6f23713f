"""Intervals for the number of a single case, their coverage and their score.

A network that guesses a number gives no interval of its own. Split conformal prediction makes one from the
errors on rows that it was not trained on (Vovk et al. 2005; Lei et al. 2018).
"""

import math

import numpy as np

from handnet.data import Array

LEVEL = 0.9  # the share of further cases that an interval is to hold
LEAST = math.ceil(LEVEL / (1 - LEVEL) - 1e-9)  # fewer errors give no finite interval


def half_widths(outputs: Array, y: Array, level: float = LEVEL) -> Array:
    """Half of the interval of each of R networks, (R,): the guess -+ that holds `level` of further cases.

    It is the k-th smallest absolute error, k = ceil((n + 1) level): of a network that knows nothing of these
    cases, an interval so wide holds a further one with a chance of at least `level`. Infinite where k > n.

    outputs: guesses (R, n); y: (n,) the truth.
    """
    errors = np.sort(np.abs(np.asarray(outputs, dtype=np.float64) - y), axis=1)
    rank = math.ceil(round((errors.shape[1] + 1) * level, 9))
    return errors[:, rank - 1] if rank <= errors.shape[1] else np.full(len(errors), np.inf)


def inside(outputs: Array, y: Array, half: Array) -> Array:
    """(R, n) bool: whose truth lies in the guess -+ half (R,). outputs: (R, n); y: (n,)."""
    return np.asarray(np.abs(outputs - y) <= half[:, None])


def interval_scores(outputs: Array, y: Array, half: Array, level: float = LEVEL) -> Array:
    """The interval score (R, n) of each case, lower is better (Gneiting & Raftery 2007, equation 43).

        width + 2 / (1 - level) times how far the truth lies outside

    outputs: guesses (R, n); y: (n,) the truth; half: (R,).
    """
    outside = np.maximum(np.abs(np.asarray(outputs, dtype=np.float64) - y) - half[:, None], 0)
    return np.asarray(2 * half[:, None] + 2 / (1 - level) * outside)


def interval_scores_between(lower: Array, upper: Array, y: Array, level: float) -> Array:
    """The interval score (R, n) of each case, as of `interval_scores`, of intervals with any two ends.

    lower, upper: (R, n), which are to hold the share `level` of the cases; y: (n,).
    """
    outside = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
    return np.asarray(upper - lower + 2 / (1 - level) * outside)


def pinball_losses(guesses: Array, y: Array, level: float) -> Array:
    """The pinball loss (R, n) of each case, lower is better (Koenker & Bassett 1978).

        level (y - q) where the truth lies above the guess q of that quantile, else (1 - level) (q - y)

    guesses: (R, n) of the quantile `level`, between 0 and 1; y: (n,).
    """
    return np.asarray(np.maximum(level * (y - guesses), (level - 1) * (y - guesses)))
