"""The compiled backend: the arithmetic of network.py and fit.py, for many replicas side by side."""

from dataclasses import dataclass

import numpy as np

from handnet.contract import Fit, Layer, Plan, Recipe, exit_of
from handnet.data import Array, Table
from handnet.draws import seeded_plan
from handnet.mlp.history import (
    History,
    Weighted,
    check_classes,
    check_cpu_only,
    checked_epochs,
    decay_rates,
    first_layers,
    pack,
    row_weights,
)
from handnet.mlp.kernels import IDENTITY, SIGMOID, SOFTMAX, evaluate, train_epoch
from handnet.mlp.network import BETA_1, BETA_2, EPSILON, EXITS
from handnet.mlp.tile import LANES

KINDS = {"sigmoid": SIGMOID, "softmax": SOFTMAX, "identity": IDENTITY}


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
        first = first_layers(plan, train, recipe, self.dtype)
        check_classes(recipe, train, val)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._train(first, self._cast(train), self._cast(val), recipe, plan)

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """What the last layer gives for rows X (n, features), dropout off: (R, n), or (R, n, k) of k
        outputs."""
        X = np.array(X, self.dtype, order="C")
        weights, widths = to_lanes(np.asarray(pack(layers), self.dtype)), _widths(layers)
        logits = np.empty((len(weights), len(X) * widths[-1], LANES), self.dtype)
        no_truths = np.zeros(len(X) * LANES, self.dtype)
        rows, losses = (X, no_truths, no_truths[:0]), np.zeros((len(weights), LANES))
        evaluate(IDENTITY, rows, weights, widths, logits, losses)
        given = from_lanes(logits)[: len(layers[0].weight)]
        return given if widths[-1] == 1 else given.reshape(len(given), len(X), -1)

    def predict(self, layers: tuple[Layer, ...], X: Array, loss: str = "log_loss") -> Array:
        """The probability (R, n) of class 1, the probabilities (R, n, k) of k classes, or with the loss
        "squared_error" the guessed number (R, n), of rows X (n, features)."""
        exit_ = EXITS[exit_of(layers[-1].weight.shape[2], loss)]
        with np.errstate(invalid="ignore"):
            return exit_.predict(self.logits(layers, X))

    def _cast(self, table: Table) -> Weighted:
        """A copy of a table (n, features) as the kernels read it."""
        X, y = (np.array(part, self.dtype, order="C") for part in (table.X, table.y))
        return Weighted(X, y, row_weights(table, self.dtype))

    def _train(
        self, first: tuple[Layer, ...], train: Weighted, val: Weighted, recipe: Recipe, plan: Plan
    ) -> Fit:
        rows, n = pack(first), len(train.y)
        weights, widths, history = to_lanes(rows), _widths(first), History(rows, recipe)
        averages = np.zeros((2 if recipe.optimizer == "adam" else 0, *weights.shape), self.dtype)
        adam = np.array([1 - BETA_1, 1 - BETA_2, EPSILON], self.dtype)
        keep_scale = self.dtype.type(1) / self.dtype.type(1 - recipe.dropout)
        batch_size = min(recipe.batch_size, n)
        no_masks = np.empty((0, 0, 0), np.bool_)
        rates, decay = self._rates(recipe, n), np.repeat(decay_rates(first, recipe), LANES)
        parts = [_for_kernels(part) for part in (train, val)]
        in_lanes = [(X, np.repeat(y, LANES), np.repeat(weight, LANES)) for X, y, weight in parts]
        wholes = np.array([[part.total] for part in (train, train, val)])
        logits = np.empty((len(weights), max(n, len(val.y)) * recipe.outputs, LANES), self.dtype)
        kind = KINDS[recipe.exit]
        for epoch, draw in enumerate(checked_epochs(plan, recipe, (len(rows), n))):
            order = np.array(draw.order, np.uint64, order="C")
            keep = np.array(draw.keep[0], order="C") if recipe.dropout else no_masks
            data = (weights, averages), parts[0], (order, keep)
            losses = np.zeros((3, len(weights), LANES))
            train_epoch(kind, *data, (widths, batch_size), keep_scale, (rates[epoch], adam, decay), losses[0])
            for part, total in zip(in_lanes, losses[1:], strict=True):
                evaluate(kind, part, weights, widths, logits, total)
            train_loss, train_off, val_loss = losses.reshape(3, -1)[:, : len(rows)] / wholes
            history.record(epoch, train_loss, train_off, val_loss, from_lanes(weights)[: len(rows)])
        return history.fit(like=first)

    def _rates(self, recipe: Recipe, n: int) -> Array:
        """The learning rate (epochs, steps) of each step on n rows, with Adam's corrections."""
        shape = recipe.epochs, -(-n // recipe.batch_size)
        rates = np.full(shape, recipe.learning_rate)
        if recipe.optimizer == "adam":  # powers by repeated multiplication, as in `network.adam`
            power_1, power_2 = (
                np.multiply.accumulate(np.full(rates.size, beta)).reshape(shape) for beta in (BETA_1, BETA_2)
            )
            rates = rates * np.sqrt(1 - power_2) / (1 - power_1)
        return rates.astype(self.dtype)


def _for_kernels(part: Weighted) -> tuple[Array, Array, Array]:
    """Rows X (n, features), labels and weights (n,); no weights where all are 1, which saves time."""
    return part.X, part.y, part.weight if np.ptp(part.weight) else part.weight[:0]


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
