"""What a backend gets, what it returns, and the laws it keeps.

A Recipe holds the hyper-parameters of one network, a Plan every random number of a fit, a Fit the result. A
backend is arithmetic only: no draw, no file, no clock, no state between calls. One test class checks its laws
on every backend (tests/contract.py):

1. The same arguments give the same Fit.
2. A replica alone equals itself in a batch (to the bit in numpy and compiled).
3. Permuted seeds permute the results.
4. The histories of k epochs are the first k of a longer run; without patience the weights are too.
5. With dropout 0 the keep masks are ignored.
6. Every backend agrees with the reference, at learning rates up to 1e-2 and up to 50 epochs.
7. Arguments and global generators are left as they were.
8. A replica that diverges is named with its epoch and never disturbs its neighbours.

All of them hold with weights of rows too. Any loss of rows, of a batch or of a table, is then the weighted
mean sum(w loss) / sum(w), so only the ratios of weights count: equal weights are no weights. A batch whose
weights are all 0 takes a step of slope 0.

The arithmetic is the same in each: see handnet/mlp/.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from numbers import Integral, Real
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np

from handnet.data import Array, Table

OPTIMIZERS = ("adam", "sgd")
LOSSES = ("log_loss", "squared_error")


@dataclass(frozen=True)
class Recipe:
    """The shape of a network and how it is trained. The defaults are the chapter's own.

    outputs and loss say what is learned: 1 and "log_loss" two classes, k and "log_loss" k classes, 1 and
    "squared_error" a number. Raises ValueError that names the field, what was expected and what came.
    """

    learning_rate: float = 1e-3  # step size, above 0
    dropout: float = 0.2  # share of the first hidden layer silenced, at least 0 and below 1
    epochs: int = 50  # passes over the train rows
    batch_size: int = 32  # rows of one step; the last batch of an epoch may be shorter
    hidden: tuple[int, ...] = (16, 8)  # units of each hidden layer; a list or an array too, or one int
    optimizer: str = "adam"  # "adam", in the form Keras uses, or "sgd"
    patience: int | None = None  # epochs without a better validation loss before a replica stops; None: never
    outputs: int = (
        1  # of the exit layer: 1 for two classes and for a number, else one for each of 3 classes or more
    )
    loss: str = "log_loss"  # "log_loss", or "squared_error" for a number
    weight_decay: float = 0.0  # a step takes learning_rate weight_decay w off each weight w; at least 0

    def __post_init__(self) -> None:
        def assign(field: str, value: object) -> None:
            object.__setattr__(self, field, value)

        for field in ("learning_rate", "dropout", "weight_decay"):
            assign(field, _number(field, getattr(self, field)))
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, but got {self.learning_rate}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, but got {self.dropout}.")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0, but got {self.weight_decay}.")
        for field in ("epochs", "batch_size"):
            assign(field, check_count(field, getattr(self, field)))
        assign("hidden", check_hidden(self.hidden))
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, but got {self.optimizer!r}.")
        if self.patience is not None:
            assign("patience", check_count("patience", self.patience))
        assign("outputs", check_count("outputs", self.outputs))
        exit_of(self.outputs, self.loss)

    @property
    def exit(self) -> str:
        """What stands behind the last layer: "sigmoid", "softmax" or "identity"."""
        return exit_of(self.outputs, self.loss)

    @property
    def values(self) -> dict[str, Any]:
        """Each field with its value, in order. A recipe of two classes names no outputs and no loss, and one
        without weight decay does not name that, so that its id is that of a recipe without these fields."""
        values = dict(vars(self))
        if self.exit == "sigmoid":
            del values["outputs"], values["loss"]
        if not self.weight_decay:
            del values["weight_decay"]
        return values


def exit_of(outputs: int, loss: str) -> str:
    """What stands behind a last layer of that many outputs: "sigmoid", "softmax" or "identity".

    Raises ValueError for an unknown loss, and for a number of outputs that the loss does not have.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, but got {loss!r}.")
    if loss == "squared_error" and outputs != 1:
        raise ValueError(f"outputs must be 1 where the loss is squared_error, but got {outputs}.")
    if outputs == 2:
        raise ValueError("outputs must be 1 for two classes, or the number of classes from 3 on, but got 2.")
    return "identity" if loss == "squared_error" else "sigmoid" if outputs == 1 else "softmax"


def _number(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{field} must be a finite number, but got {value!r}.")
    return float(value)


def check_count(field: str, value: Any) -> int:
    """The value as an int. Raises ValueError, naming the field, unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{field} must be a whole number of at least 1, but got {value!r}.")
    return int(value)


def check_hidden(value: Any) -> tuple[int, ...]:
    """The units of each hidden layer, of a list, a tuple, an array (layers,) or the int of a single layer.

    Raises ValueError unless they are whole numbers of at least 1.
    """
    units = [value] if isinstance(value, Integral) else value
    if not isinstance(units, (list, tuple, np.ndarray)) or np.ndim(units) != 1 or not len(units):
        raise ValueError(f"hidden must list the units of at least one hidden layer, but got {value!r}.")
    return tuple(check_count("hidden", count) for count in units)


class Limits(NamedTuple):
    """The numbers a parameter may have."""

    least: float
    most: float
    whole: bool = True
    above: bool = False  # whether `least` itself is left out
    below: bool = False  # whether `most` itself is left out

    def hold(self, value: float) -> bool:
        """Whether a number lies within them."""
        least = value > self.least if self.above else value >= self.least
        return least and (value < self.most if self.below else value <= self.most)


# The parameters of a network that a search may choose, in the order in which it draws them, and the numbers
# each may be; None: it is no number.
SEARCHABLE: dict[str, Limits | None] = {
    "learning_rate": Limits(0, 10, whole=False, above=True),
    "dropout": Limits(0, 1, whole=False, below=True),
    "epochs": Limits(1, 100_000),
    "batch_size": Limits(1, 1_000_000_000),
    "hidden": Limits(1, 100_000),
    "optimizer": None,
    "patience": Limits(1, 100_000),
    "weight_decay": Limits(0, 10, whole=False),
}


def recipe_of(params: Mapping[str, Any]) -> Recipe:
    """The Recipe of some parameters by name; what is not named keeps its default.

    The units of hidden layers may be a text, as in "16,8", and a patience of "none" is none. Raises
    ValueError for a name that is not SEARCHABLE, and as Recipe does.
    """
    for name in params:
        if name not in SEARCHABLE:
            raise ValueError(f"{name} is not a parameter of mlp: expected one of {', '.join(SEARCHABLE)}.")
    made = dict(params)
    if isinstance(hidden := made.get("hidden"), str):
        units = hidden.split(",")
        if not all(count.strip().isdecimal() for count in units):
            raise ValueError(f"hidden must list the units of its layers, as in 16,8, but got {hidden!r}.")
        made["hidden"] = tuple(map(int, units))
    if made.get("patience") == "none":
        made["patience"] = None
    return Recipe(**made)


# Raised whenever the results of a fit change; part of every configuration's identity.
ARITHMETIC = 2

DTYPES = ("float32", "float64")
DEVICES = ("auto", "cpu", "gpu")
# Each module offers load(dtype, engine, device) -> Backend.
BACKENDS = {"compiled": "handnet.mlp.compiled", "numpy": "handnet.mlp.fit", "keras": "handnet.mlp.keras"}
TO_THE_BIT = ("compiled", "numpy")  # the backends that keep law 2 to the bit


class Layer(NamedTuple):
    """One layer of R stacked networks."""

    weight: Array  # (R, fan_in, fan_out)
    bias: Array  # (R, 1, fan_out)


class EpochDraws(NamedTuple):
    """Every random number of one epoch."""

    order: Array  # (R, n) int, row r a permutation of the n train rows
    keep: tuple[Array, ...]  # one per hidden layer, (R, n, width) bool in visiting order, True = kept


class Fit(NamedTuple):
    """R trained networks and their histories. Epochs count from 0, -1 stands for none. Losses are in nats, or
    half the squared error in the units of y."""

    layers: tuple[Layer, ...]  # hidden layers in order, then the output layer
    train_loss: Array  # (R, epochs) dropout on: the batch losses, weighted by the weight of their rows
    train_loss_off: Array  # (R, epochs) dropout off, after the epoch
    val_loss: Array  # (R, epochs) dropout off, after the epoch
    best_epoch: Array  # (R,) int, the epoch whose weights patience returned; -1 = the last epoch's
    diverged_at: Array  # (R,) int, the first epoch with a loss or weight that is not finite; -1 = none


class Plan(Protocol):
    """Every random number of a fit, decided before any arithmetic."""

    def start(self) -> tuple[Layer, ...]:
        """The first weights of R replicas: hidden layers in order, then the output layer, `recipe.outputs`
        wide."""
        ...

    def epochs(self) -> Iterator[EpochDraws]:
        """The draws of each epoch, in order; may be iterated lazily, and more than once."""
        ...


@runtime_checkable
class DevicePlan(Plan, Protocol):
    """A plan whose draws a device can make itself."""

    def epochs_on(self, ops: Any) -> Iterator[EpochDraws]:
        """The draws that `epochs` yields, to the bit, made with the array functions numpy or keras.ops."""
        ...


class Backend(Protocol):
    """Arithmetic on R networks at once. It keeps the laws at the head of this file."""

    name: str

    def fit(self, train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        """Train the plan's R networks on scaled tables (n, features).

        Raises ValueError when plan, recipe and rows do not fit together, and for weights that are none.
        """
        ...

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """What the last layer gives for rows X (n, features), dropout off: (R, n) where it has one output,
        which is the logit of class 1 or the guessed number; else the logits (R, n, k) of k classes."""
        ...

    def predict(self, layers: tuple[Layer, ...], X: Array, loss: str = "log_loss") -> Array:
        """What the networks say of rows X (n, features): the probability (R, n) of class 1, the probabilities
        (R, n, k) of k classes, or with the loss "squared_error" the guessed number (R, n).

        A probability is the sigmoid of the logit clipped to [-80, 80], or the softmax of the logits. Raises
        ValueError as `exit_of` does.
        """
        ...


def load_backend(
    name: str, dtype: str = "float32", engine: str | None = None, device: str = "auto"
) -> Backend:
    """The backend called `name`: "compiled", "numpy" or "keras".

    dtype: "float32" or "float64"; engine: what Keras runs on; device: "auto", "cpu" or "gpu".
    Raises ValueError for an unknown name, and for an engine or a device that the backend does not have.
    """
    options = {"backend": (name, BACKENDS), "dtype": (dtype, DTYPES), "device": (device, DEVICES)}
    for label, (value, known) in options.items():
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"unknown {label} {value!r}: expected one of {', '.join(known)}.")
    return cast(Backend, import_module(BACKENDS[name]).load(dtype, engine, device))
