"""The training loop of the reference: epochs of batches, each a forward pass, a backward pass and a step."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.contract import EpochDraws, Fit, Layer, Plan, Recipe
from handnet.data import Array, Table
from handnet.mlp.history import (
    History,
    Weighted,
    batches,
    check_cpu_only,
    checked_epochs,
    first_layers,
    pack,
    row_weights,
    unpack,
)
from handnet.mlp.network import (
    OPTIMIZERS,
    backward,
    dropout_scale,
    forward,
    mean_loss,
    mean_loss_backward,
    sigmoid,
)


def load(dtype: str, engine: str | None, device: str) -> "Reference":
    """The reference backend in `dtype`. Raises ValueError for an engine or a GPU: NumPy has neither."""
    check_cpu_only("numpy", engine, device)
    return Reference(np.dtype(dtype))


@dataclass(frozen=True)
class Reference:
    """The Backend that defines how the network works; every other one is measured against it."""

    dtype: np.dtype
    name: str = "numpy"

    def fit(self, train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        """Train the R networks of the plan on scaled tables (n, features).

        Raises ValueError when plan, recipe and rows do not fit together.
        """
        first = first_layers(plan, train, recipe, self.dtype)
        # An overflow is a diverging replica, which diverged_at reports; a warning would say less.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return _train(first, self._cast(train), self._cast(val), recipe, plan)

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """Logits (R, n) of rows X (n, features): what enters the sigmoid, dropout off."""
        with np.errstate(over="ignore", invalid="ignore"):
            return forward(layers, np.asarray(X, self.dtype))[0]

    def predict(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """Probability of class 1, (R, n), of rows X (n, features)."""
        return sigmoid(self.logits(layers, X))

    def _cast(self, table: Table) -> Weighted:
        X, y = (np.asarray(part, self.dtype) for part in (table.X, table.y))
        return Weighted(X, y, row_weights(table, self.dtype))


def _train(first: tuple[Layer, ...], train: Weighted, val: Weighted, recipe: Recipe, plan: Plan) -> Fit:
    start, step = OPTIMIZERS[recipe.optimizer]
    weights = pack(first)
    state: Any = start(weights)
    history = History(weights, recipe)
    for epoch, draw in enumerate(checked_epochs(plan, recipe, (len(weights), len(train.y)))):
        logits = np.empty(draw.order.shape, weights.dtype)  # of the visits, dropout on
        for batch in batches(len(train.y), recipe.batch_size):
            layers = unpack(weights, first)
            logits[:, batch], slope = _slope(layers, train, draw, batch, recipe.dropout)
            weights, state = step(weights, slope, state, recipe.learning_rate)
        layers = unpack(weights, first)
        train_loss = mean_loss(logits, *(part[draw.order] for part in train[1:]))
        train_off, val_loss = (mean_loss(forward(layers, part.X)[0], *part[1:]) for part in (train, val))
        history.record(epoch, train_loss, train_off, val_loss, weights)
    return history.fit(like=first)


def _slope(
    layers: tuple[Layer, ...], train: Weighted, draw: EpochDraws, batch: slice, rate: float
) -> tuple[Array, Array]:
    """The logits (R, batch) of one batch, and the slope (R, P) of its loss."""
    rows = draw.order[:, batch]
    x, y, weight = (part[rows] for part in train)
    scale = dropout_scale(draw.keep[0][:, batch], rate, x.dtype) if rate else None
    z, trace = forward(layers, x, scale)
    error = mean_loss_backward(z, y, weight)
    return z, pack(backward(layers, trace, error, scale))
