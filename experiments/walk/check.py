"""The oldest check of a slope there is, the chapter's wiggle: move one weight a little, run the network
again, see how far the loss moved."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from handnet.contract import Layer
from handnet.data import Array
from handnet.mlp.history import pack, unpack
from handnet.mlp.network import Trace, forward, log_loss

STEP = 2.0**-17  # of every finite difference, about 0.0000076: a power of two is added without rounding
TOLERANCE = 1e-6  # how far a slope may lie from its finite difference, relative
# slopes below are compared with this: p - y of a sure p is known to 1e-16 only, and units multiply it
LEAST = 1e-8

Backward = Callable[[tuple[Layer, ...], Trace, Array], tuple[Layer, ...]]


@dataclass(frozen=True)
class Check:
    """How slopes by the chain rule compare with finite differences."""

    weights: int
    crossing: int  # weights whose step opens or shuts a gate: there is no slope to compare with
    still: int  # weights whose slope is 0 to the bit, because a gate is shut
    largest: float  # relative error of the worst of the others; NaN when one is not a number
    where: str  # its name

    @property
    def agrees(self) -> bool:
        """False for NaN too."""
        return self.crossing < self.weights and self.largest <= TOLERANCE

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        beyond = f" {self.crossing} more stand on a kink, where there is no slope." if self.crossing else ""
        slopes, worst = self.weights - self.crossing, f"the worst ({self.where})"
        if self.agrees:
            return (
                f"All {slopes} slopes agree with their finite differences, {worst} to {self.largest:.1e} of"
                f" itself.{beyond}"
            )
        return (
            f"THE CHECK FAILED: of {slopes} slopes {worst} is off by {self.largest:.1e} of itself, and"
            f" rounding explains {TOLERANCE:.0e} at most.{beyond}"
        )


def measure(layers: tuple[Layer, ...], x: Array, y: float) -> tuple[Array, Array]:
    """Central differences of the loss for each of P weights (P,), and which of their steps cross a gate (P,).

    layers: one network; x: one row, (1, 1, features). The 2 P moved networks run as one stack.
    """
    weights = pack(layers)
    size = weights.shape[1]
    moved = weights + STEP * np.concatenate([np.eye(size), -np.eye(size)])
    z, trace = forward(unpack(moved, layers), x)
    up, down = log_loss(z, np.array(y))[:, 0].reshape(2, size)
    gates = np.concatenate([z.reshape(2, size, -1) > 0 for z in trace.sums], axis=2)
    return (up - down) / (2 * STEP), (gates[0] != gates[1]).any(axis=1)


def compare(slopes: Array, measured: Array, crossing: Array, names: list[str]) -> Check:
    """Slopes (P,) beside their finite differences (P,). The distance counts relative to the slope itself, or
    to a thousandth of the largest one where that is more: below it a difference of two losses is their
    rounding."""
    size = np.maximum(np.abs(slopes), np.abs(measured))
    error = np.abs(slopes - measured) / np.maximum(size, max(1e-3 * size.max(), LEAST))
    error[crossing] = 0
    worst = int(error.argmax())  # a NaN is the largest of all
    still = int((slopes == 0).sum())
    return Check(len(slopes), int(crossing.sum()), still, float(error[worst]), names[worst])


def central(function: Callable[[float], float], at: float) -> float:
    """The finite difference of any function of one number."""
    return (function(at + STEP) - function(at - STEP)) / (2 * STEP)
