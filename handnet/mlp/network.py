"""The network by hand: each step with its backward rule under it, the steps put together, and the optimizers.

A backward rule takes the error that arrives from the right, dL/d(output), and returns the error it sends on
to the left, dL/d(input). The optimizers take weights, slopes and states as (R, P): all P
weights of a network in one row.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from handnet.contract import Layer
from handnet.data import Array
from handnet.mlp.elementary import exp, log, log1p


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


def sigmoid(z: Array) -> Array:
    """p = 1 / (1 + e^-z), of z's shape (R, n) and type, z clipped to [-80, 80].

    It is computed in float64 and rounded once. A float32 holds e^80 and not e^89.
    """
    p = 1 / (1 + exp(-np.clip(z, -80, 80)))
    return np.asarray(p, np.result_type(z, np.float32))


def cross_entropy(z: Array, y: Array) -> Array:
    """The loss -ln p_y of each row, where p = softmax(z), in nats and float64.

    z: (R, batch, k), the logits of k classes; y: (R, batch), or (batch,) for all replicas, the class of each
    row from 0. With m the largest logit of the row the loss is ln(the sum of e^(z_c - m) over the classes c)
    - (z_y - m), so that no z overflows. Of two classes with the logits 0 and z it is `log_loss`.
    """
    below = _below_the_largest(z)
    place = np.broadcast_to(np.asarray(y, np.intp), z.shape[:-1])[..., None]
    loss = log(_total(exp(below))) - np.take_along_axis(below, place, axis=-1)
    return np.asarray(loss[..., 0])


def cross_entropy_backward(z: Array, y: Array) -> Array:
    """dL/dz (R, batch, k) of `cross_entropy`: p - y again, where y is 1 for the class of the row, else 0.

    The loss moves with p_y alone, with slope -1/p_y. p_y moves with its own logit by p_y (1 - p_y), and by
    -p_y p_c with that of another class c. The products are p_y - 1 and p_c.
    """
    return softmax(z) - (np.asarray(y)[..., None] == np.arange(z.shape[-1]))


def softmax(z: Array) -> Array:
    """p_c = e^z_c / (the sum of e^z over the k classes), of z's shape (R, n, k) and type.

    As in `sigmoid`, it is computed in float64 and rounded once. A p far below the others may be 0.
    """
    e = exp(_below_the_largest(z))
    return np.asarray(e / _total(e), np.result_type(z, np.float32))


def _below_the_largest(z: Array) -> Array:
    """Each logit of z (R, n, k) less the largest of its row, in float64."""
    z = np.asarray(z, np.float64)
    return z - z.max(axis=-1, keepdims=True)


def _total(parts: Array) -> Array:
    """The sum over the classes, (R, n, 1), added in their order, as kernels.py does."""
    return np.cumsum(parts, axis=-1)[..., -1:]


def squared_error(z: Array, y: Array) -> Array:
    """The loss (z - y)^2 / 2 of each row, in float64. z, y: (R, batch), guesses and true numbers."""
    error = np.asarray(z, np.float64) - y
    return np.asarray(error * error / 2)


def squared_error_backward(z: Array, y: Array) -> Array:
    """dL/dz (R, batch) of `squared_error`: z - y, guess minus truth as at the other exits."""
    return z - y


class Exit(NamedTuple):
    """What stands behind the last layer."""

    loss: Callable[[Array, Array], Array]  # of each row, (R, batch), from what the layer gives and the truth
    backward: Callable[[Array, Array], Array]  # its slope dL/dz, of z's shape
    predict: Callable[[Array], Array]  # a probability or a number, of z's shape


EXITS = {  # by the name that `contract.exit_of` gives
    "sigmoid": Exit(log_loss, log_loss_backward, sigmoid),
    "softmax": Exit(cross_entropy, cross_entropy_backward, softmax),
    "identity": Exit(squared_error, squared_error_backward, np.asarray),
}


def mean_loss(losses: Array, weight: Array) -> Array:
    """The loss L = sum(w l) / sum(w), (R,), of rows with losses l (R, batch) and weights w, (R, batch) or
    (batch,) for all replicas."""
    weight = np.asarray(weight, np.float64)
    return np.asarray((weight * losses).sum(axis=-1) / weight.sum(axis=-1))


def mean_loss_backward(slope: Array, weight: Array) -> Array:
    """dL/dz of `mean_loss` from the slope dl/dz of each row: dl/dz times the row's share, w / sum(w).

    slope: (R, batch), or (R, batch, k) of k outputs; weight: (R, batch). Where all weights are 0 there is
    nothing to learn from, and the slope is 0.
    """
    total = weight.sum(axis=1, keepdims=True)
    total = np.where(total > 0, total, 1)
    if slope.ndim == 3:
        weight, total = weight[..., None], total[..., None]
    return slope * weight / total


class Trace(NamedTuple):
    """What a forward pass keeps for the backward pass."""

    inputs: tuple[Array, ...]  # what entered each layer, (R, batch, fan_in)
    sums: tuple[Array, ...]  # the z of each hidden layer, (R, batch, units)


def forward(layers: tuple[Layer, ...], x: Array, scale: Array | None = None) -> tuple[Array, Trace]:
    """Logits of rows x, (batch, features) or (R, batch, features), and the trace for `backward`. The logits
    are (R, batch) where the last layer has one output, else (R, batch, k).

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
    z = dense(inputs[-1], layers[-1])
    return z[:, :, 0] if z.shape[2] == 1 else z, Trace(tuple(inputs), tuple(sums))


def backward(
    layers: tuple[Layer, ...], trace: Trace, error: Array, scale: Array | None = None
) -> tuple[Layer, ...]:
    """The slope of the loss for every weight and bias, in the layout of `layers`.

    error: dL/dz at the exit, (R, batch) or (R, batch, k); trace and scale: of the forward pass that gave z.
    """
    dz = error[:, :, None] if error.ndim == 2 else error
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


def decay(weights: Array, rates: Array) -> Array:
    """Decoupled weight decay (Loshchilov & Hutter 2019): w -= learning_rate weight_decay w, beside the step.

    weights: (R, P), from before the step, as its slopes are; rates: (P,) of `history.decay_rates`, which are
    learning_rate weight_decay for a weight and 0 for a bias. A bias shifts what its unit answers to and makes
    no answer steeper, and that of the exit holds how common a class is, so none is pulled towards 0.

    The penalty weight_decay w^2 / 2 in the loss would do the same to plain descent. Adam divides its slope
    by sqrt(v) too, so that weights with large slopes would hardly shrink; here all shrink by the same share.
    The paper multiplies weight_decay by the schedule of the rate alone. The learning rate stands in its place
    in Keras and PyTorch, and here: keras.optimizers.AdamW, told to exclude the biases, is the counterpart.
    """
    return weights - rates * weights


OPTIMIZERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "adam": (adam_start, adam),
    "sgd": (sgd_start, sgd),
}
