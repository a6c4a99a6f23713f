"""The compiled Keras model of R networks, its loss metric and the callback that keeps the history.

The classes derive from Keras's, so importing this file imports Keras: start the engine wanted first
(`handnet.mlp.engine.start_keras`). Keras wants the batch in front: inside the compiled step axes are
(batch, R, units); everywhere else they are (R, batch, units).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from handnet.contract import EpochDraws, Layer, Recipe
from handnet.data import Array
from handnet.mlp.engine import get_keras
from handnet.mlp.history import History, Weighted, pack

keras = get_keras()
ops = keras.ops


def forward(layers: tuple[Any, ...], x: Any) -> Any:
    """Logits (R, n) of rows x (n, features), dropout off, as tensors of the engine."""
    for weight, bias in layers[:-1]:
        x = ops.relu(ops.matmul(x, weight) + bias)
    weight, bias = layers[-1]
    return (ops.matmul(x, weight) + bias)[:, :, 0]


def log_loss(z: Any, y: Any) -> Any:
    """ln(1 + e^z) - y z of each row, shaped as z and y broadcast: logits z and labels y.

    Keras's own binary_crossentropy clips on some engines and not on others.
    """
    return ops.softplus(z) - y * z


def to_numpy(tensor: Any) -> Array:
    """The tensor as a NumPy array, of the same shape (...,)."""
    return np.asarray(ops.convert_to_numpy(tensor))


class Network(keras.Model):  # type: ignore[misc, name-defined]  # Keras is Any to mypy
    """R networks side by side: from places in the epoch's visiting order (batch,) to logits (batch, R).

    Data, draws and rates of a fit are variables, filled by `start` and `visit`, so that another fit of the
    same shape compiles nothing anew. They begin as zeros, because Keras's initializers would draw from
    Python's global generator.
    """

    def __init__(
        self, replicas: int, rows: int, columns: int, hidden: tuple[int, ...], weighted: bool, dtype: str
    ) -> None:
        """Create the variables for train rows (rows, columns) and hidden layers of these widths.

        weighted: whether the rows have weights; all count the same in any other network.
        """
        super().__init__(dtype=dtype)
        self.weighted = weighted
        self.X, self.y = self._zeros("X", (rows, columns), dtype), self._zeros("y", (rows,), dtype)
        self.weight = self._zeros("weight", (rows,), dtype)
        self.keep_scale = self._zeros("keep_scale", (), dtype)  # 1 / (1 - dropout); 0 without dropout
        self.order = self._zeros("order", (rows, replicas), "int32")
        self.keep = self._zeros("keep", (rows, replicas, hidden[0]), "bool")
        widths = (columns, *hidden, 1)
        self.dense = [self._dense(replicas, width, dtype) for width in widths[1:]]
        for layer, width in zip(self.dense, widths[:-1], strict=True):
            layer.build((None, replicas, width))
        self.loss_sum = LossSum(replicas, dtype)
        # How often the engine traced `call`: at most once for whole batches and once for the short one of a
        # shape, and never once a recipe.
        self.traces = 0
        self.busy = False
        self.built = True

    def _zeros(self, name: str, shape: tuple[int, ...], dtype: str) -> Any:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, dtype=dtype, name=name)

    def _dense(self, replicas: int, units: int, dtype: str) -> Any:
        return keras.layers.EinsumDense(
            "bsi,sio->bso", (replicas, units), bias_axes="so", kernel_initializer="zeros", dtype=dtype
        )

    @contextmanager
    def reserved(self) -> Iterator[Any]:
        """This network, marked busy for the time of a fit."""
        self.busy = True
        try:
            yield self
        finally:
            self.busy = False

    def start(self, first: tuple[Layer, ...], train: Weighted, recipe: Recipe) -> None:
        """Set the first weights, the train rows and the rates of a fit, and forget every optimizer step."""
        for layer, (weight, bias) in zip(self.dense, first, strict=True):
            layer.kernel.assign(weight)
            layer.bias.assign(bias[:, 0])
        self.X.assign(train.X)
        self.y.assign(train.y)
        self.weight.assign(train.weight)
        # Divided here in float64: in float32 1 - dropout may be 0.
        self.keep_scale.assign(1 / (1 - recipe.dropout) if recipe.dropout else 0.0)
        self.dropout = recipe.dropout
        for variable in self.optimizer.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))
        self.optimizer.learning_rate = recipe.learning_rate

    def visit(self, draws: EpochDraws) -> None:
        """Lay out one epoch's draws on the device, the visited row in front."""
        self.order.assign(ops.cast(ops.transpose(draws.order), "int32"))
        if self.dropout:
            self.keep.assign(ops.transpose(draws.keep[0], (1, 0, 2)))

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Logits (batch, R) of the rows at the places `inputs` (batch,), dropout on."""
        self.traces += 1
        places = ops.cast(inputs, "int32")
        a = ops.take(self.X, ops.take(self.order, places, axis=0), axis=0)
        keep = ops.take(self.keep, places, axis=0)
        for depth, layer in enumerate(self.dense[:-1]):
            a = ops.relu(layer(a))
            if depth == 0:
                a = ops.where(self.keep_scale > 0, a * ops.cast(keep, a.dtype) * self.keep_scale, a)
        return self.dense[-1](a)[:, :, 0]

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """The sum over replicas of the mean over the batch, so that gradients of replicas never mix."""
        order = ops.take(self.order, ops.cast(x, "int32"), axis=0)
        losses = log_loss(y_pred, ops.take(self.y, order, axis=0))
        total = ops.cast(ops.shape(losses)[0], losses.dtype)
        if self.weighted:
            weight = ops.take(self.weight, order, axis=0)
            losses, total = weight * losses, ops.sum(weight, axis=0)
            total = ops.where(total > 0, total, ops.ones_like(total))  # all weights are 0, and so is the loss
        self.loss_sum.update_state(losses)
        # Not ops.mean, which rounds float64 to float32 on JAX.
        return ops.sum(losses / total)

    def current_layers(self) -> tuple[Layer, ...]:
        """The weights as tensors, in the shapes of `Layer`."""
        return tuple(Layer(dense.kernel.value, ops.expand_dims(dense.bias.value, 1)) for dense in self.dense)


class LossSum(keras.metrics.Metric):  # type: ignore[misc, name-defined]  # Keras is Any to mypy
    """The sum of w loss of each replica over the epoch so far, (R,)."""

    def __init__(self, replicas: int, dtype: str) -> None:
        """Start at zero for each replica."""
        super().__init__(name="loss_sum", dtype=dtype)
        self.total = self.add_weight(shape=(replicas,), initializer="zeros", name="total")

    def update_state(self, losses: Any) -> None:
        """Add the products w loss (batch, R) of one batch."""
        self.total.assign(self.total + ops.sum(losses, axis=0))

    def result(self) -> Any:
        """The sums, (R,)."""
        return self.total.value


class HistoryRecorder(keras.callbacks.Callback):  # type: ignore[misc, name-defined]  # Keras is Any to mypy
    """Gives the network its draws before each epoch, and records losses and weights after it.

    mean_loss: (layers, table) -> (R,), the mean loss with dropout off.
    """

    def __init__(
        self,
        history: History,
        mean_loss: Callable[[tuple[Layer, ...], Weighted], Array],
        draws: Iterator[EpochDraws],
        train: Weighted,
        val: Weighted,
    ) -> None:
        """Draws come from `draws`, results go to `history`; train, val: tables (n, features)."""
        super().__init__()
        self.history, self.mean_loss, self.draws = history, mean_loss, draws
        self.train, self.val = train, val

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Lay out the draws of the epoch."""
        self.model.visit(next(self.draws))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the losses of the epoch and the weights after it."""
        layers = self.model.current_layers()
        train_loss = to_numpy(self.model.loss_sum.total) / self.train.weight.dtype.type(self.train.total)
        losses_off = self.mean_loss(layers, self.train), self.mean_loss(layers, self.val)
        weights = pack(tuple(Layer(*(to_numpy(part) for part in layer)) for layer in layers))
        self.history.record(epoch, train_loss, *losses_off, weights)
