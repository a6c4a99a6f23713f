"""The steps of the network, each with its backward rule right under it.

A backward rule takes the error that arrives from the right, dL/d(output), and returns the error it sends on
to the left, dL/d(input). Shapes: x, z, a are (R, batch, units); weights (R, fan_in, fan_out); biases
(R, 1, fan_out); logits, labels and their errors (R, batch).
"""

import numpy as np

from handnet.backend import Layer
from handnet.data import Array


def dense(x: Array, layer: Layer) -> Array:
    """z = x W + b."""
    z = x @ layer.weight
    z += layer.bias  # into the same memory: a new array costs as much as the sum
    return z


def dense_backward(x: Array, dz: Array) -> Layer:
    """Forward was z = x W + b. A weight's slope is the error at z times the weight's own input, summed over the
    batch; a bias's slope is the error itself. Returns (dL/dW, dL/db)."""
    return Layer(x.swapaxes(1, 2) @ dz, dz.sum(axis=1, keepdims=True))


def dense_backward_input(layer: Layer, dz: Array) -> Array:
    """Forward was z = x W + b, so the error crosses the weights it came through. Returns dL/dx."""
    return dz @ layer.weight.swapaxes(1, 2)


def relu(z: Array) -> Array:
    """a = z where z is positive, else 0. A NaN stays a NaN, so that no fault hides behind the gate."""
    return np.maximum(z, 0)


def relu_backward(z: Array, da: Array) -> Array:
    """Forward was a = max(0, z): the gate is open (slope 1) for positive z, shut (slope 0) for the rest, 0 included."""
    return da * (z > 0)


def dropout_scale(keep: Array, rate: float, dtype: np.dtype) -> Array:
    """What dropout multiplies a unit by: 0 when it sits out, 1 / (1 - rate) when it stays, so that the mean stays.

    Forward is a * scale, so backward is the same product: da * scale (Srivastava et al. 2014, inverted form)."""
    return keep.astype(dtype) / dtype.type(1 - rate)


def log_loss(z: Array, y: Array) -> Array:
    """-ln p for y = 1 and -ln(1 - p) for y = 0, as one formula of the logit: ln(1 + e^z) - y z, per row.

    Written so that e is only ever raised to a negative number: no overflow at any z."""
    return np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))


def log_loss_backward(z: Array, y: Array) -> Array:
    """Forward was -ln p of p = sigmoid(z). The slopes -1/p and p (1 - p) collapse into p - y: guess minus truth."""
    return sigmoid(z) - y


def sigmoid(z: Array) -> Array:
    """p = 1 / (1 + e^-z), z clipped to [-80, 80]: e^80 still fits a float32, e^89 does not."""
    return 1 / (1 + np.exp(-np.clip(z, -80, 80)))
