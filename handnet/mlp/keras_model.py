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
    """What the last layer gives, (R, n, outputs), of rows x (n, features), dropout off: tensors of the
    engine."""
    for weight, bias in layers[:-1]:
        x = ops.relu(ops.matmul(x, weight) + bias)
    weight, bias = layers[-1]
    return ops.matmul(x, weight) + bias


def log_loss(z: Any, y: Any) -> Any:
    """ln(1 + e^z) - y z of each row: logits z (..., 1) and labels y, which broadcast to (...,).

    Keras's own binary_crossentropy clips on some engines and not on others.
    """
    return ops.softplus(z[..., 0]) - y * z[..., 0]


def cross_entropy(z: Any, y: Any) -> Any:
    """-ln p_y of each row, p the softmax of logits z (..., k), and classes y, which broadcast to (...,).

    Keras's own categorical_crossentropy rounds float64 to float32 on some engines.
    """
    told = ops.cast(ops.expand_dims(y, -1) == ops.arange(z.shape[-1], dtype=y.dtype), z.dtype)
    return -ops.sum(told * ops.log_softmax(z, axis=-1), axis=-1)


def squared_error(z: Any, y: Any) -> Any:
    """(z - y)^2 / 2 of each row: guesses z (..., 1) and numbers y, which broadcast to (...,)."""
    return ops.square(z[..., 0] - y) / 2


def sigmoid(z: Any) -> Any:
    """The probability (...,) of class 1, of logits z (..., 1) clipped to [-80, 80]."""
    return 1 / (1 + ops.exp(-ops.clip(z[..., 0], -80, 80)))


def softmax(z: Any) -> Any:
    """The probabilities (..., k) of k classes, of their logits z."""
    return ops.softmax(z, axis=-1)


def identity(z: Any) -> Any:
    """The guesses (...,), of z (..., 1)."""
    return z[..., 0]


# The exits by name: the loss of each row and what is predicted. No slopes: they are the engine's.
EXITS = {
    "sigmoid": (log_loss, sigmoid),
    "softmax": (cross_entropy, softmax),
    "identity": (squared_error, identity),
}


def to_numpy(tensor: Any) -> Array:
    """The tensor as a NumPy array, of the same shape (...,)."""
    return np.asarray(ops.convert_to_numpy(tensor))


class Network(keras.Model):  # type: ignore[misc, name-defined]  # Keras is Any to mypy
    """R networks side by side: from places in the epoch's visiting order (batch,) to what their last layers
    give, (batch, R, outputs).

    Data, draws and rates of a fit are variables, filled by `start` and `visit`, so that another fit of the
    same shape compiles nothing anew. They begin as zeros, because Keras's initializers would draw from
    Python's global generator.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        hidden: tuple[int, ...],
        leaves: tuple[int, str],
        weighted: bool,
        dtype: str,
    ) -> None:
        """Create the variables for a shape (replicas, train rows, columns) and hidden layers of these widths.

        leaves: the number of outputs, and the name of the exit; weighted: whether the rows have weights; all
        count the same in any other network.
        """
        super().__init__(dtype=dtype)
        (replicas, rows, columns), (outputs, name) = shape, leaves
        self.losses_of = EXITS[name][0]
        self.weighted = weighted
        self.X, self.y = self._zeros("X", (rows, columns), dtype), self._zeros("y", (rows,), dtype)
        self.weight = self._zeros("weight", (rows,), dtype)
        self.keep_scale = self._zeros("keep_scale", (), dtype)  # 1 / (1 - dropout); 0 without dropout
        self.order = self._zeros("order", (rows, replicas), "int32")
        self.keep = self._zeros("keep", (rows, replicas, hidden[0]), "bool")
        widths = (columns, *hidden, outputs)
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
        if recipe.weight_decay:
            self.optimizer.weight_decay.assign(recipe.weight_decay)

    def visit(self, draws: EpochDraws) -> None:
        """Lay out one epoch's draws on the device, the visited row in front."""
        self.order.assign(ops.cast(ops.transpose(draws.order), "int32"))
        if self.dropout:
            self.keep.assign(ops.transpose(draws.keep[0], (1, 0, 2)))

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What the last layers give, (batch, R, outputs), of the rows at the places `inputs` (batch,),
        dropout on."""
        self.traces += 1
        places = ops.cast(inputs, "int32")
        a = ops.take(self.X, ops.take(self.order, places, axis=0), axis=0)
        keep = ops.take(self.keep, places, axis=0)
        for depth, layer in enumerate(self.dense[:-1]):
            a = ops.relu(layer(a))
            if depth == 0:
                a = ops.where(self.keep_scale > 0, a * ops.cast(keep, a.dtype) * self.keep_scale, a)
        return self.dense[-1](a)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """The sum over replicas of the mean over the batch, so that gradients of replicas never mix."""
        order = ops.take(self.order, ops.cast(x, "int32"), axis=0)
        losses = self.losses_of(y_pred, ops.take(self.y, order, axis=0))
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
