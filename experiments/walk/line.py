"""A number of the chapter, with its sum and what the chapter prints; and the numbers it begins with."""

import math
from decimal import Decimal
from typing import NamedTuple

from experiments.walk.check import TOLERANCE

X, Y, RATE = 0.5, 1.0, 0.1
NAMES = ["w1", "b1", "w2", "b2"]
START = {"w1": 1.0, "b1": 0.3, "w2": 1.5, "b2": 0.2}
GIVEN = {"x": X, **START, "y": Y}
NICKNAMES = {
    "weight": "dial",
    "bias": "nudge",
    "unit": "clerk",
    "layer": "room",
    "network": "building",
    "ReLU": "zero-out rule",
    "sigmoid": "S-curve",
    "loss": "wrongness",
    "slope, gradient": "slope",
    "learning rate": "step size",
    "scaled": "humbled",
    "train, validation, test": "study, practice, exam pile",
}


class Line(NamedTuple):
    """One number of the chapter."""

    name: str  # the chapter's: z1, dL/dw2
    words: str  # what the field calls it
    how: str  # how it comes about, with the numbers that go in
    value: float
    printed: str = ""  # what the chapter prints; empty: it leaves it out
    measured: float | None = None  # a slope's finite difference
    slip: str = ""  # how the chapter came to another figure

    @property
    def agrees(self) -> bool:
        """Whether the chapter's figure is the exact one, rounded to the digits it has."""
        if not self.printed or not math.isfinite(self.value):
            return not self.printed
        figure = Decimal(self.printed.lstrip("~"))
        return abs(Decimal(repr(self.value)) - figure) <= Decimal(
            (0, (5,), int(figure.as_tuple().exponent) - 1)
        )

    @property
    def mark(self) -> str:
        """What stands beside the chapter's figure: "slip" where the chapter rounded too early, "differs"
        where nobody knows why."""
        return "" if self.agrees else "slip" if self.slip else "differs"

    @property
    def checked(self) -> bool:
        """Whether a slope agrees with its finite difference; what is no slope does."""
        return self.measured is None or bool(
            abs(self.value - self.measured) <= TOLERANCE * abs(self.measured)
        )


class Section(NamedTuple):
    """Lines that belong together; nickname: what the chapter's story calls them, "" where it has none."""

    title: str
    nickname: str
    lines: tuple[Line, ...]
