"""The compiled backend: the arithmetic of network.py and fit.py, for many replicas side by side."""

from dataclasses import dataclass

import numpy as np

from handnet.contract import Fit, Layer, Plan, Recipe
from handnet.data import Array, Table
from handnet.draws import seeded_plan
from handnet.mlp.history import History, check_cpu_only, checked_epochs, first_layers, pack
from handnet.mlp.kernels import LANES, evaluate, train_epoch
from handnet.mlp.network import BETA_1, BETA_2, EPSILON, log_loss, sigmoid


def warm_up() -> None:
    """Compile the kernels for float32, which takes a dozen seconds; the code is kept beside kernels.py."""
    rows = Table(np.zeros((2, 2)), np.array([0, 1]))
    recipe = Recipe(epochs=1, hidden=(2,))
    Compiled(np.dtype("float32")).fit(rows, rows, recipe, seeded_plan(recipe, rows, [0]))


def load(dtype: str, engine: str | None, device: str) -> "Compiled":
    """The compiled backend in `dtype`. Raises ValueError for an engine or a GPU: it has neither."""
    check_cpu_only("compiled", engine, device)
    return Compiled(np.dtype(dtype))


@dataclass(frozen=True)
class Compiled:
    """The Backend for many networks on a CPU. Law 2 holds to the bit: unused lanes are filled and ignored."""

    dtype: np.dtype
    name: str = "compiled"

    def fit(self, train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        """Train the R networks of the plan on scaled tables (n, features).

        Raises ValueError when plan, recipe and rows do not fit together.
        """
        train, val = (Table(self._rows(part.X), np.array(part.y, self.dtype)) for part in (train, val))
        first = first_layers(plan, train, recipe, self.dtype)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._train(first, train, val, recipe, plan)

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """Logits (R, n) of rows X (n, features): what enters the sigmoid, dropout off."""
        weights = to_lanes(np.asarray(pack(layers), self.dtype))
        logits = self._logits(weights, _widths(layers), self._rows(X))
        return logits[: len(layers[0].weight)]

    def predict(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """Probability of class 1, (R, n), of rows X (n, features)."""
        return sigmoid(self.logits(layers, X))

    def _rows(self, X: Array) -> Array:
        """A copy of rows (n, features) as the kernels read them."""
        return np.array(X, self.dtype, order="C")

    def _logits(self, weights: Array, widths: Array, X: Array) -> Array:
        """Logits (blocks LANES, n) of rows X (n, features). weights: (blocks, P, LANES)."""
        lanes = np.empty((len(weights), len(X), LANES), self.dtype)
        evaluate(weights, X, widths, lanes)
        return from_lanes(lanes)

    def _train(self, first: tuple[Layer, ...], train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        rows, n = pack(first), len(train.y)
        weights, widths, history = to_lanes(rows), _widths(first), History(rows, recipe)
        averages = np.zeros((2 if recipe.optimizer == "adam" else 0, *weights.shape), self.dtype)
        adam = np.array([1 - BETA_1, 1 - BETA_2, EPSILON], self.dtype)
        keep_scale = self.dtype.type(1) / self.dtype.type(1 - recipe.dropout)
        batch_size = min(recipe.batch_size, n)
        logits = np.empty((len(weights), n, LANES), self.dtype)  # of each visit, dropout on
        no_masks = np.empty((0, 0, 0), np.bool_)
        for epoch, draw in enumerate(checked_epochs(plan, recipe, (len(rows), n))):
            order = np.array(draw.order, np.uint64, order="C")
            keep = np.array(draw.keep[0], order="C") if recipe.dropout else no_masks
            data = (weights, averages), (train.X, train.y), (order, keep)
            rates = (self._rates(recipe, epoch, n), adam)
            train_epoch(*data, widths, batch_size, keep_scale, rates, logits)
            train_loss = _mean_loss(from_lanes(logits)[: len(rows)], train.y[order])
            train_off, val_loss = (
                _mean_loss(self._logits(weights, widths, X)[: len(rows)], y) for X, y in (train, val)
            )
            history.record(epoch, train_loss, train_off, val_loss, from_lanes(weights)[: len(rows)])
        return history.fit(like=first)

    def _rates(self, recipe: Recipe, epoch: int, n: int) -> Array:
        """The learning rate (steps,) of each step of an epoch of n rows, with Adam's corrections."""
        steps = -(-n // recipe.batch_size)
        t = np.arange(epoch * steps + 1, (epoch + 1) * steps + 1)
        corrected = np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t) if recipe.optimizer == "adam" else np.ones(steps)
        return (recipe.learning_rate * corrected).astype(self.dtype)


def _mean_loss(z: Array, y: Array) -> Array:
    """The mean loss of logits z (R, n), (R,) in float64. y: (n,) or (R, n)."""
    return log_loss(z, y).mean(axis=1, dtype=np.float64)


def _widths(layers: tuple[Layer, ...]) -> Array:
    """The number of inputs, then the units of each layer, (layers + 1,) int."""
    return np.array([layers[0].weight.shape[1], *(layer.weight.shape[2] for layer in layers)])


def to_lanes(rows: Array) -> Array:
    """(R, P) -> (blocks, P, LANES); the lanes that are left over hold the last replica again."""
    blocks = -(-len(rows) // LANES)
    filled = np.concatenate([rows, np.repeat(rows[-1:], blocks * LANES - len(rows), axis=0)])
    return np.ascontiguousarray(filled.reshape(blocks, LANES, -1).swapaxes(1, 2))


def from_lanes(lanes: Array) -> Array:
    """(blocks, n, LANES) -> (blocks LANES, n)"""
    return np.ascontiguousarray(lanes.swapaxes(1, 2)).reshape(len(lanes) * LANES, -1)
