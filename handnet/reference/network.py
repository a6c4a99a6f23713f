"""The steps put together: a guess from left to right, and one error sent back from right to left."""

from typing import NamedTuple

from handnet.backend import Layer
from handnet.data import Array
from handnet.reference.functions import dense, dense_backward, dense_backward_input, relu, relu_backward


class Trace(NamedTuple):
    """What a forward pass has to remember for the way back."""

    inputs: tuple[Array, ...]  # what entered each layer, (R, batch, fan_in)
    sums: tuple[Array, ...]  # the z of each hidden layer, (R, batch, units)


def forward(layers: tuple[Layer, ...], x: Array, scale: Array | None = None) -> tuple[Array, Trace]:
    """Logits (R, batch) of rows x, (batch, features) or (R, batch, features), and the trace for `backward`.

    scale: what dropout multiplies the first hidden layer by, (R, batch, units); None when dropout is off.
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


def backward(layers: tuple[Layer, ...], trace: Trace, error: Array, scale: Array | None = None) -> tuple[Layer, ...]:
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
