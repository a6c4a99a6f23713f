"""The training loop of the reference: epochs of batches, each a forward pass, a backward pass and a step."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.contract import EpochDraws, Fit, Layer, Plan, Recipe, exit_of
from handnet.data import Array, Table
from handnet.mlp.history import (
    History,
    Weighted,
    batches,
    check_classes,
    check_cpu_only,
    checked_epochs,
    decay_rates,
    first_layers,
    pack,
    row_weights,
    unpack,
)
from handnet.mlp.network import (
    EXITS,
    OPTIMIZERS,
    Exit,
    backward,
    decay,
    dropout_scale,
    forward,
    mean_loss,
    mean_loss_backward,
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
        check_classes(recipe, train, val)
        # An overflow is a diverging replica, which diverged_at reports; a warning would say less.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return _train(first, self._cast(train), self._cast(val), recipe, plan)

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """What the last layer gives for rows X (n, features), dropout off: (R, n), or (R, n, k) of k
        outputs."""
        with np.errstate(over="ignore", invalid="ignore"):
            return forward(layers, np.asarray(X, self.dtype))[0]

    def predict(self, layers: tuple[Layer, ...], X: Array, loss: str = "log_loss") -> Array:
        """The probability (R, n) of class 1, the probabilities (R, n, k) of k classes, or with the loss
        "squared_error" the guessed number (R, n), of rows X (n, features)."""
        exit_ = EXITS[exit_of(layers[-1].weight.shape[2], loss)]
        with np.errstate(invalid="ignore"):
            return exit_.predict(self.logits(layers, X))

    def _cast(self, table: Table) -> Weighted:
        X, y = (np.asarray(part, self.dtype) for part in (table.X, table.y))
        return Weighted(X, y, row_weights(table, self.dtype))


def _train(first: tuple[Layer, ...], train: Weighted, val: Weighted, recipe: Recipe, plan: Plan) -> Fit:
    start, step = OPTIMIZERS[recipe.optimizer]
    exit_ = EXITS[recipe.exit]
    weights = pack(first)
    state: Any = start(weights)
    rates = decay_rates(first, recipe)
    history = History(weights, recipe)
    for epoch, draw in enumerate(checked_epochs(plan, recipe, (len(weights), len(train.y)))):
        losses = np.empty(draw.order.shape)  # of the visits, dropout on
        for batch in batches(len(train.y), recipe.batch_size):
            layers = unpack(weights, first)
            losses[:, batch], slope = _slope(layers, exit_, train, draw, batch, recipe.dropout)
            if rates.size:
                weights = decay(weights, rates)
            weights, state = step(weights, slope, state, recipe.learning_rate)
        layers = unpack(weights, first)
        train_loss = mean_loss(losses, train.weight[draw.order])
        train_off, val_loss = (
            mean_loss(exit_.loss(forward(layers, part.X)[0], part.y), part.weight) for part in (train, val)
        )
        history.record(epoch, train_loss, train_off, val_loss, weights)
    return history.fit(like=first)


def _slope(
    layers: tuple[Layer, ...], exit_: Exit, train: Weighted, draw: EpochDraws, batch: slice, rate: float
) -> tuple[Array, Array]:
    """The losses (R, batch) of one batch, and the slope (R, P) of their mean."""
    rows = draw.order[:, batch]
    x, y, weight = (part[rows] for part in train)
    scale = dropout_scale(draw.keep[0][:, batch], rate, x.dtype) if rate else None
    z, trace = forward(layers, x, scale)
    error = mean_loss_backward(exit_.backward(z, y), weight)
    return exit_.loss(z, y), pack(backward(layers, trace, error, scale))
