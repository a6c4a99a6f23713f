"""The contract between a plan of random numbers and the arithmetic that uses it.

A backend is arithmetic only: no draw, no file, no clock, no state between calls. Its laws, run by one test
class on every backend (tests/test_contract.py):

1. The same arguments give the same Fit.
2. A replica alone equals itself in a batch (to the bit in numpy and compiled).
3. Permuted seeds permute the results.
4. The histories of k epochs are the first k of a longer run; without patience the weights are too.
5. With dropout 0 the keep masks are ignored.
6. Every backend agrees with the reference, at learning rates up to 1e-2 and up to 50 epochs.
7. Arguments and global generators are left as they were.
8. A replica that diverges is named with its epoch and never disturbs its neighbours.

The arithmetic is the same to the letter in each: see handnet/reference/.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

from handnet.data import Array, Table
from handnet.recipe import Recipe

# Raised whenever the results of a fit change; part of every configuration's identity.
ARITHMETIC = 1

DTYPES = ("float32", "float64")
DEVICES = ("auto", "cpu", "gpu")
BACKENDS = {
    "compiled": "handnet.compiled_backend",
    "numpy": "handnet.reference.fit",
    "keras": "handnet.keras_backend",
}  # each module offers load(dtype, engine, device) -> Backend
TO_THE_BIT = ("compiled", "numpy")  # those that keep law 2 so


class Layer(NamedTuple):
    """One layer of R stacked networks."""

    weight: Array  # (R, fan_in, fan_out)
    bias: Array  # (R, 1, fan_out)


class EpochDraws(NamedTuple):
    """Every random number of one epoch."""

    order: Array  # (R, n) int, row r a permutation of the n train rows
    keep: tuple[Array, ...]  # one per hidden layer, (R, n, width) bool in visiting order, True = kept


class Fit(NamedTuple):
    """What training R networks gave. Epochs count from 0; -1 stands for none."""

    layers: tuple[Layer, ...]
    train_loss: Array  # (R, epochs) dropout on: the batch losses of the epoch, weighted by batch size
    train_loss_off: Array  # (R, epochs) dropout off, after the epoch
    val_loss: Array  # (R, epochs) dropout off, after the epoch
    best_epoch: Array  # (R,) int, the epoch whose weights patience returned; -1 = the last epoch's
    diverged_at: Array  # (R,) int, the first epoch with a loss or weight that is not finite; -1 = none


class Plan(Protocol):
    """Every random number of a fit, decided before any arithmetic."""

    def start(self) -> tuple[Layer, ...]:
        """The first weights: hidden layers in order, then the output layer of width 1."""
        ...

    def epochs(self) -> Iterator[EpochDraws]:
        """The draws of each epoch, in order. May be consumed lazily, and more than once."""
        ...


@runtime_checkable
class DevicePlan(Plan, Protocol):
    """A plan whose draws a device can make itself."""

    def epochs_on(self, ops: Any) -> Iterator[EpochDraws]:
        """What `epochs` yields, to the bit, made with the array functions `ops`: numpy or keras.ops."""
        ...


class Backend(Protocol):
    """Arithmetic on R networks at once. The laws it keeps stand at the head of this file."""

    name: str

    def fit(self, train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        """Train the plan's R networks on scaled rows. Raises ValueError when plan, recipe and rows do not fit."""
        ...

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """(R, n): what enters the sigmoid, dropout off."""
        ...

    def predict(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """(R, n): probability of class 1, the sigmoid of the logits clipped to [-80, 80]."""
        ...


def load_backend(name: str, dtype: str = "float32", engine: str | None = None, device: str = "auto") -> Backend:
    """The backend called `name`. Raises ValueError with the known names when a word is not one of them."""
    for label, value, known in (("backend", name, BACKENDS), ("dtype", dtype, DTYPES), ("device", device, DEVICES)):
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"unknown {label} {value!r}: expected one of {', '.join(known)}.")
    return cast(Backend, import_module(BACKENDS[name]).load(dtype, engine, device))
