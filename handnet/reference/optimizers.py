"""What is done with a slope. Weights, slopes and states are (R, P): all P weights of a network in one row."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from handnet.data import Array

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


class AdamState(NamedTuple):
    """Adam's two running averages and the number of steps taken."""

    m: Array  # (R, P) of the slope: its recent direction
    v: Array  # (R, P) of the squared slope: its recent size
    t: int


def adam_start(weights: Array) -> AdamState:
    """Both averages start at zero."""
    return AdamState(np.zeros_like(weights), np.zeros_like(weights), 0)


def adam(weights: Array, slope: Array, state: AdamState, learning_rate: float) -> tuple[Array, AdamState]:
    """One step of Adam (Kingma & Ba 2015), in the form Keras and scikit-learn use.

        alpha = learning_rate sqrt(1 - b2^t) / (1 - b1^t)
        m += (g - m) (1 - b1)        v += (g^2 - v) (1 - b2)        w -= alpha m / (sqrt(v) + epsilon)

    Epsilon stands beside the uncorrected sqrt(v), "epsilon hat" in the paper's section 2, and is Keras's 1e-7:
    then keras.optimizers.Adam is the exact counterpart. Algorithm 1 of the paper puts it beside the corrected
    one, which moves a probability of this network by up to 0.14 in ten epochs.
    """
    t = state.t + 1
    alpha = learning_rate * np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
    m = _towards(state.m, slope.copy(), 1 - BETA_1)
    v = _towards(state.v, slope * slope, 1 - BETA_2)
    return weights - float(alpha) * m / (np.sqrt(v) + EPSILON), AdamState(m, v, t)


def _towards(average: Array, value: Array, share: float) -> Array:
    """average + (value - average) share, in the memory of `value`."""
    value -= average
    value *= share
    value += average
    return value


def sgd_start(weights: Array) -> None:
    """Plain descent remembers nothing."""


def sgd(weights: Array, slope: Array, state: None, learning_rate: float) -> tuple[Array, None]:
    """One step of plain gradient descent: w -= learning_rate g."""
    return weights - learning_rate * slope, state


OPTIMIZERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "adam": (adam_start, adam),
    "sgd": (sgd_start, sgd),
}
