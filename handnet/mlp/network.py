"""The network by hand: each step with its backward rule under it, the steps put together, and the optimizers.

A backward rule takes the error that arrives from the right, dL/d(output), and returns the error it sends on
to the left, dL/d(input), in nats per unit. The optimizers take weights, slopes and states as (R, P): all P
weights of a network in one row.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from handnet.contract import Layer
from handnet.data import Array
from handnet.mlp.elementary import exp, log1p


def dense(x: Array, layer: Layer) -> Array:
    """z = x W + b. x: (R, batch, fan_in), or (batch, fan_in) for all replicas; z: (R, batch, fan_out)."""
    z = x @ layer.weight
    z += layer.bias  # into the same memory: a new array costs as much as the sum
    return z


def dense_backward(x: Array, dz: Array) -> Layer:
    """The slopes (dL/dW, dL/db) of forward z = x W + b. x: (R, batch, fan_in); dz: (R, batch, fan_out).

    A weight's slope is the error at z times the weight's own input, summed over the batch; a bias's slope is
    the summed error.
    """
    return Layer(x.swapaxes(1, 2) @ dz, dz.sum(axis=1, keepdims=True))


def dense_backward_input(layer: Layer, dz: Array) -> Array:
    """dL/dx (R, batch, fan_in) of forward z = x W + b: dz (R, batch, fan_out) crosses the same weights."""
    return dz @ layer.weight.swapaxes(1, 2)


def relu(z: Array) -> Array:
    """a = z where z is positive, else 0, both (R, batch, units). A NaN stays NaN, so that no fault hides."""
    return np.maximum(z, 0)


def relu_backward(z: Array, da: Array) -> Array:
    """dL/dz of forward a = max(0, z): the slope is 1 for positive z, else 0. All (R, batch, units)."""
    return da * (z > 0)


def dropout_scale(keep: Array, rate: float, dtype: np.dtype) -> Array:
    """The factor of dropout for each unit: 0 when it is dropped, else 1 / (1 - rate), which keeps the mean.

    keep: (R, batch, units) bool; the factor has its shape. Forward is a * scale, so backward is the same
    product, da * scale (Srivastava et al. 2014, inverted form).
    """
    return keep.astype(dtype) / dtype.type(1 - rate)


def log_loss(z: Array, y: Array) -> Array:
    """The loss ln(1 + e^z) - y z of each row, in nats and float64. z, y: (R, batch), logits and labels.

    It is -ln p for y = 1 and -ln(1 - p) for y = 0. Here e is raised to negative numbers only, so that no z
    overflows.
    """
    z = np.asarray(z, np.float64)
    return np.asarray(np.maximum(z, 0) - y * z + log1p(exp(-np.abs(z))))


def log_loss_backward(z: Array, y: Array) -> Array:
    """dL/dz (R, batch) of `log_loss`: the slopes -1/p and p (1 - p) multiply to p - y, guess minus truth."""
    return sigmoid(z) - y


def mean_loss(z: Array, y: Array, weight: Array) -> Array:
    """The loss sum(w l) / sum(w), (R,), of rows with the losses l of `log_loss` and weights w.

    z, y, weight: (R, batch), logits, labels and weights; y and weight also (batch,), for all replicas.
    """
    weight = np.asarray(weight, np.float64)
    return np.asarray((weight * log_loss(z, y)).sum(axis=-1) / weight.sum(axis=-1))


def mean_loss_backward(z: Array, y: Array, weight: Array) -> Array:
    """dL/dz (R, batch) of forward L = sum(w l) / sum(w): p - y times the row's share, w / sum(w).

    z, y, weight: (R, batch). Where all weights are 0 there is nothing to learn from, and the slope is 0.
    """
    total = weight.sum(axis=1, keepdims=True)
    return log_loss_backward(z, y) * weight / np.where(total > 0, total, 1)


def sigmoid(z: Array) -> Array:
    """p = 1 / (1 + e^-z), of z's shape (R, n) and type, z clipped to [-80, 80].

    It is computed in float64 and rounded once. A float32 holds e^80 and not e^89.
    """
    p = 1 / (1 + exp(-np.clip(z, -80, 80)))
    return np.asarray(p, np.result_type(z, np.float32))


class Trace(NamedTuple):
    """What a forward pass keeps for the backward pass."""

    inputs: tuple[Array, ...]  # what entered each layer, (R, batch, fan_in)
    sums: tuple[Array, ...]  # the z of each hidden layer, (R, batch, units)


def forward(layers: tuple[Layer, ...], x: Array, scale: Array | None = None) -> tuple[Array, Trace]:
    """Logits (R, batch) of rows x, (batch, features) or (R, batch, features), and the trace for `backward`.

    scale: the factor of dropout on the first hidden layer, (R, batch, units); None when dropout is off.
    """
    inputs, sums = [x], []
    for depth, layer in enumerate(layers[:-1]):
        z = dense(inputs[-1], layer)
        a = relu(z)
        if depth == 0 and scale is not None:
            a *= scale
        sums.append(z)
        inputs.append(a)
    return dense(inputs[-1], layers[-1])[:, :, 0], Trace(tuple(inputs), tuple(sums))


def backward(
    layers: tuple[Layer, ...], trace: Trace, error: Array, scale: Array | None = None
) -> tuple[Layer, ...]:
    """The slope of the loss for every weight and bias, in the layout of `layers`.

    error: dL/dz at the exit, (R, batch); trace and scale: of the forward pass that gave z.
    """
    dz = error[:, :, None]
    slopes = [dense_backward(trace.inputs[-1], dz)]
    for depth in reversed(range(len(layers) - 1)):
        da = dense_backward_input(layers[depth + 1], dz)
        if depth == 0 and scale is not None:
            da *= scale
        dz = relu_backward(trace.sums[depth], da)
        slopes.append(dense_backward(trace.inputs[depth], dz))
    return tuple(reversed(slopes))


BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


class AdamState(NamedTuple):
    """Adam's two running averages, and the powers of its two rates."""

    m: Array  # (R, P) of the slope: its recent direction
    v: Array  # (R, P) of the squared slope: its recent size
    power_1: (
        float  # b1^t after t steps, by multiplication: a power function is not the same on every processor
    )
    power_2: float  # b2^t


def adam_start(weights: Array) -> AdamState:
    """Both averages of weights (R, P) start at zero."""
    return AdamState(np.zeros_like(weights), np.zeros_like(weights), 1.0, 1.0)


def adam(weights: Array, slope: Array, state: AdamState, learning_rate: float) -> tuple[Array, AdamState]:
    """One step of Adam (Kingma & Ba 2015) for weights and slopes (R, P), as Keras and scikit-learn do it.

        alpha = learning_rate sqrt(1 - b2^t) / (1 - b1^t)
        m += (g - m) (1 - b1)        v += (g^2 - v) (1 - b2)        w -= alpha m / (sqrt(v) + epsilon)

    Epsilon stands beside the uncorrected sqrt(v), "epsilon hat" in the paper's section 2, and is Keras's
    1e-7, so keras.optimizers.Adam is the exact counterpart. Algorithm 1 of the paper puts it beside the
    corrected sqrt(v), which moves a probability of this network by up to 0.14 in ten epochs.
    """
    power_1, power_2 = state.power_1 * BETA_1, state.power_2 * BETA_2
    alpha = learning_rate * np.sqrt(1 - power_2) / (1 - power_1)
    m = _towards(state.m, slope.copy(), 1 - BETA_1)
    v = _towards(state.v, slope * slope, 1 - BETA_2)
    return weights - float(alpha) * m / (np.sqrt(v) + EPSILON), AdamState(m, v, power_1, power_2)


def _towards(average: Array, value: Array, share: float) -> Array:
    """average + (value - average) share, all (R, P), in the memory of `value`."""
    value -= average
    value *= share
    value += average
    return value


def sgd_start(weights: Array) -> None:
    """Plain gradient descent of weights (R, P) keeps no state."""


def sgd(weights: Array, slope: Array, state: None, learning_rate: float) -> tuple[Array, None]:
    """One step of plain gradient descent for weights and slopes (R, P): w -= learning_rate g."""
    return weights - learning_rate * slope, state


OPTIMIZERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "adam": (adam_start, adam),
    "sgd": (sgd_start, sgd),
}
