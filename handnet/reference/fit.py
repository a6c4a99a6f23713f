"""The training loop: epochs, batches, histories, patience, and the replicas that blow up."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from handnet.backend import EpochDraws, Fit, Layer, Plan
from handnet.data import Array, Table
from handnet.recipe import Recipe
from handnet.reference.functions import dropout_scale, log_loss, log_loss_backward, sigmoid
from handnet.reference.network import backward, forward
from handnet.reference.optimizers import OPTIMIZERS


def load(dtype: str, engine: str | None, device: str) -> "Reference":
    """The reference in `dtype`. Raises ValueError for an engine or a GPU: NumPy has neither."""
    if engine is not None:
        raise ValueError(f"the numpy backend has no engine to choose, but got engine={engine!r}; leave it out.")
    if device == "gpu":
        raise ValueError("the numpy backend runs on the CPU only, but got device='gpu'; use device='cpu' or 'auto'.")
    return Reference(np.dtype(dtype))


@dataclass(frozen=True)
class Reference:
    """The Backend that says how the network works; every other one is measured against it."""

    dtype: np.dtype
    name: str = "numpy"

    def fit(self, train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        """Train R networks. See `Fit` for what comes back, and the head of handnet/backend.py for the laws."""
        train, val = self._cast(train), self._cast(val)
        first = tuple(Layer(*(np.asarray(part, self.dtype) for part in layer)) for layer in plan.start())
        _check(first, train, recipe)
        # An overflow is a diverging replica, which diverged_at reports; a warning would say less.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return _train(first, train, val, recipe, plan)

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """(R, n): what enters the sigmoid, dropout off."""
        with np.errstate(over="ignore", invalid="ignore"):
            return forward(layers, np.asarray(X, self.dtype))[0]

    def predict(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """(R, n): probability of class 1."""
        return sigmoid(self.logits(layers, X))

    def _cast(self, table: Table) -> Table:
        return Table(np.asarray(table.X, self.dtype), np.asarray(table.y, self.dtype))


def _train(first: tuple[Layer, ...], train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
    start, step = OPTIMIZERS[recipe.optimizer]
    weights = pack(first)
    state: Any = start(weights)
    replicas = len(weights)
    history = np.full((3, replicas, recipe.epochs), np.nan)
    diverged_at = np.full(replicas, -1)
    stopper = _Patience(weights, recipe.patience)
    draws = plan.epochs()
    for epoch in range(recipe.epochs):
        draw = next(draws, None)
        if draw is None:
            raise ValueError(f"the plan must hold draws for {recipe.epochs} epochs, but ended after {epoch}.")
        loss = np.zeros(replicas)
        for batch in _batches(len(train.y), recipe.batch_size):
            layers = unpack(weights, first)
            batch_loss, slope = _slope(layers, train, draw, batch, recipe.dropout)
            weights, state = step(weights, slope, state, recipe.learning_rate)
            loss += batch_loss
        layers = unpack(weights, first)
        history[:, :, epoch] = loss / len(train.y), _mean_loss(layers, train), _mean_loss(layers, val)
        sound = np.isfinite(history[:, :, epoch]).all(axis=0) & np.isfinite(weights).all(axis=1)
        diverged_at[(diverged_at < 0) & ~sound] = epoch
        stopper.watch(epoch, history[2, :, epoch], weights)
    train_loss, train_loss_off, val_loss = history
    layers = unpack(stopper.weights, first)
    return Fit(layers, train_loss, train_loss_off, val_loss, stopper.best_epoch, diverged_at)


def _batches(rows: int, size: int) -> list[slice]:
    return [slice(low, min(low + size, rows)) for low in range(0, rows, size)]


def _slope(layers: tuple[Layer, ...], train: Table, draw: EpochDraws, batch: slice, rate: float) -> tuple[Array, Array]:
    """One batch forward and backward: its summed loss (R,) in float64 and the slope of its mean loss, (R, P)."""
    rows = draw.order[:, batch]
    x, y = train.X[rows], train.y[rows]
    scale = dropout_scale(draw.keep[0][:, batch], rate, x.dtype) if rate else None
    z, trace = forward(layers, x, scale)
    error = log_loss_backward(z, y) / rows.shape[1]  # of the mean over the batch, each replica its own
    return log_loss(z, y).sum(axis=1, dtype=np.float64), pack(backward(layers, trace, error, scale))


def _mean_loss(layers: tuple[Layer, ...], table: Table) -> Array:
    return log_loss(forward(layers, table.X)[0], table.y).mean(axis=1, dtype=np.float64)


class _Patience:
    """Early stopping, replica by replica, with Keras's rule: after `patience` epochs in a row without a smaller
    validation loss a replica has stopped and its best weights are what it returns. It trains on beside the
    others, unheard. Without patience the last weights are returned."""

    def __init__(self, weights: Array, patience: int | None) -> None:
        replicas = len(weights)
        self.weights = weights
        self.patience = patience
        self.best_epoch = np.full(replicas, -1)
        self._best_loss = np.full(replicas, np.inf)
        self._waited = np.zeros(replicas, dtype=int)
        self._stopped = np.zeros(replicas, dtype=bool)

    def watch(self, epoch: int, val_loss: Array, weights: Array) -> None:
        if self.patience is None:
            self.weights = weights
            return
        better = (val_loss < self._best_loss) & ~self._stopped
        # A replica that never had a finite loss returns its latest weights, and best_epoch stays -1.
        taken = better | ((self.best_epoch < 0) & ~self._stopped)
        self.weights = np.where(taken[:, None], weights, self.weights)
        self.best_epoch[better] = epoch
        self._best_loss[better] = val_loss[better]
        self._waited = np.where(better, 0, self._waited + 1)
        self._stopped |= (self._waited >= self.patience) & (epoch > 0)


def pack(layers: tuple[Layer, ...]) -> Array:
    """All weights and biases of each replica in one row, (R, P), in the order of the layers."""
    replicas = len(layers[0].weight)
    return np.concatenate([part.reshape(replicas, -1) for layer in layers for part in layer], axis=1)


def unpack(weights: Array, like: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The rows of `pack` as layers of the same shapes as `like`; views, not copies."""
    layers, at = [], 0
    for layer in like:
        parts = []
        for part in layer:
            size = part.shape[1] * part.shape[2]
            parts.append(weights[:, at : at + size].reshape(len(weights), *part.shape[1:]))
            at += size
        layers.append(Layer(*parts))
    return tuple(layers)


def _check(layers: tuple[Layer, ...], train: Table, recipe: Recipe) -> None:
    widths = (train.X.shape[1], *recipe.hidden, 1)
    expected = list(pairwise(widths))
    came = [layer.weight.shape[1:] for layer in layers]
    if came != expected:
        raise ValueError(f"the plan's weights must have shapes {expected} a replica, but have {came}.")
