"""The hyper-parameters of one network: a Recipe, checked once, then frozen."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

OPTIMIZERS = ("adam", "sgd")


@dataclass(frozen=True)
class Recipe:
    """How a network is shaped and trained. The defaults are the chapter's own.

    learning_rate: step size, above 0.        dropout: share of the first hidden layer silenced, 0 <= dropout < 1.
    epochs: passes over the train rows.       batch_size: rows a step, the last batch of an epoch may be short.
    hidden: units of each hidden layer.       optimizer: "adam" (Keras's form) or "sgd".
    patience: epochs without a better validation loss after which a replica stops, its best weights
    restored; None trains to the end.

    Raises ValueError, one sentence naming the field, what was expected and what came.
    """

    learning_rate: float = 1e-3
    dropout: float = 0.2
    epochs: int = 50
    batch_size: int = 32
    hidden: tuple[int, ...] = (16, 8)
    optimizer: str = "adam"
    patience: int | None = None

    def __post_init__(self) -> None:
        def settle(field: str, value: object) -> None:
            object.__setattr__(self, field, value)

        settle("learning_rate", _number("learning_rate", self.learning_rate))
        settle("dropout", _number("dropout", self.dropout))
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, but got {self.learning_rate}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, but got {self.dropout}.")
        settle("epochs", count("epochs", self.epochs))
        settle("batch_size", count("batch_size", self.batch_size))
        if not isinstance(self.hidden, (list, tuple)) or not self.hidden:
            raise ValueError(f"hidden must list the units of at least one hidden layer, but got {self.hidden!r}.")
        settle("hidden", tuple(count("hidden", units) for units in self.hidden))
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, but got {self.optimizer!r}.")
        if self.patience is not None:
            settle("patience", count("patience", self.patience))


def _number(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{field} must be a finite number, but got {value!r}.")
    return float(value)


def count(field: str, value: Any) -> int:
    """The value as an int. Raises ValueError, naming the field, unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{field} must be a whole number of at least 1, but got {value!r}.")
    return int(value)
