"""The network in stock Keras 3 parts: one EinsumDense per layer over the replica axis, one compiled model.

Nothing here uses the chain rule: gradients are the engine's, the optimizer is Keras's own. That makes the
backend an independent check of the network by hand.

A model is compiled for a shape (replicas, rows, columns, hidden, exit, whether rows have weights, optimizer,
batch size, whether weights decay) and kept, because compiling costs more than training. Learning rate, weight
decay, dropout, data and draws are variables of it, and the number of epochs is not part of it, so another
recipe of the same shape compiles nothing anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import cycle
from typing import Any

import numpy as np

from handnet.contract import Fit, Layer, Plan, Recipe, exit_of
from handnet.data import Array, Table
from handnet.mlp.engine import ENGINE_LOCK, find_device, get_keras, precision, start_keras
from handnet.mlp.history import (
    History,
    Weighted,
    batches,
    check_classes,
    checked_epochs,
    first_layers,
    pack,
    row_weights,
)


def load(dtype: str, engine: str | None, device: str) -> "KerasBackend":
    """The Keras backend in `dtype` on an engine: see `start_keras` for which.

    Raises ValueError as `start_keras` does, and when `device` is "gpu" and the engine finds none.
    """
    with ENGINE_LOCK:
        name = start_keras(engine)
        return KerasBackend(np.dtype(dtype), name, find_device(device, name))


@dataclass(frozen=True)
class KerasBackend:
    """The Backend in Keras. `device` is where it runs: "cpu" or "gpu"."""

    dtype: np.dtype
    engine: str
    device: str
    name: str = "keras"

    def fit(self, train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        """Train the R networks of the plan in one compiled `model.fit`.

        train, val: scaled rows (n, features) and truths (n,). Raises ValueError when plan, recipe and rows do
        not fit together.
        """
        first = first_layers(plan, train, recipe, self.dtype)
        check_classes(recipe, train, val)
        losses = _model().EXITS[recipe.exit][0]
        history, parts = History(pack(first), recipe), [self._weighted(part) for part in (train, val)]
        replicas, rows = len(first[0].weight), len(train.y)
        with self._configured(), self.network(replicas, train, recipe).reserved() as network:
            places = [np.arange(rows)[batch] for batch in batches(rows, recipe.batch_size)]
            network.start(first, parts[0], recipe)
            draws = checked_epochs(plan, recipe, (replicas, rows), get_keras().ops)
            network.fit(
                ((batch,) for batch in cycle(places)),
                epochs=recipe.epochs,
                steps_per_epoch=len(places),
                shuffle=False,
                verbose=0,
                callbacks=[
                    _model().HistoryRecorder(history, partial(self._mean_loss, losses), draws, *parts)
                ],
            )
        return history.fit(like=first)

    def network(self, replicas: int, train: Table, recipe: Recipe) -> Any:
        """The compiled network of R `replicas` for train rows (n, features) and a recipe, free to be used."""
        weighted = bool(np.ptp(row_weights(train, self.dtype)))
        leaves = recipe.outputs, recipe.exit
        shape = (
            (replicas, *train.X.shape),
            recipe.hidden,
            leaves,
            weighted,
            recipe.optimizer,
            recipe.batch_size,
            recipe.weight_decay > 0,
        )
        network = _network(self.dtype, self.engine, self.device, shape)
        # A plan may train networks of this shape while it makes its draws, in the middle of a fit.
        return _network.__wrapped__(self.dtype, self.engine, self.device, shape) if network.busy else network

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """What the last layer gives for rows X (n, features), dropout off: (R, n), or (R, n, k) of k
        outputs."""
        with self._configured():
            z = _model().to_numpy(_model().forward(layers, self._tensor(X)))
            return z[:, :, 0] if z.shape[2] == 1 else z

    def predict(self, layers: tuple[Layer, ...], X: Array, loss: str = "log_loss") -> Array:
        """The probability (R, n) of class 1, the probabilities (R, n, k) of k classes, or with the loss
        "squared_error" the guessed number (R, n), of rows X (n, features)."""
        _, say = _model().EXITS[exit_of(layers[-1].weight.shape[2], loss)]
        with self._configured():
            return _model().to_numpy(say(_model().forward(layers, self._tensor(X))))

    def _weighted(self, table: Table) -> Weighted:
        """The table with a weight for every row; the engine casts the rest."""
        return Weighted(table.X, table.y, row_weights(table, self.dtype))

    def _mean_loss(self, losses: Any, layers: tuple[Layer, ...], part: Weighted) -> Array:
        """(R,): the loss sum(w l) / sum(w) on some rows, dropout off; losses: of the rows, from outputs and
        truths."""
        X, y, weight = (self._tensor(column) for column in part)
        weighted = weight * losses(_model().forward(layers, X), y)
        return _model().to_numpy(get_keras().ops.sum(weighted, axis=1)) / self.dtype.type(part.total)

    def _tensor(self, array: Array) -> Any:
        """The array (...,) as a tensor of this backend's dtype."""
        return get_keras().ops.convert_to_tensor(np.asarray(array, self.dtype))

    @contextmanager
    def _configured(self) -> Iterator[None]:
        """The precision of this backend, on its device."""
        with precision(self.dtype.name), get_keras().device(f"{self.device}:0"):
            yield


def to_keras(layers: tuple[Layer, ...], replica: int, recipe: Recipe) -> Any:
    """One replica as a plain keras.Sequential: Dense, Dropout after the first, Dense, ...

    layers: weights (R, fan_in, fan_out) and biases (R, 1, fan_out), as in a Fit.
    recipe: that it was trained with; its dropout acts in training only, and 0 leaves the layer out.
    The model takes scaled rows (n, features) and gives the probability of class 1, (n, 1), those of k
    classes, (n, k), or a number, (n, 1). Keras clips nothing there, so it agrees with `predict` wherever the
    logit of class 1 is within [-80, 80]. Raises ValueError as `exit_of` does.
    """
    keras, last = get_keras(), exit_of(layers[-1].weight.shape[2], recipe.loss)
    dtype = str(layers[0].weight.dtype)
    with precision(dtype):
        parts: list[Any] = [keras.Input((layers[0].weight.shape[1],), dtype=dtype)]
        for depth, layer in enumerate(layers):
            activation = {"identity": "linear"}.get(last, last) if depth == len(layers) - 1 else "relu"
            # Seeds are fixed, or Keras would take them from Python's global generator.
            init = keras.initializers.GlorotUniform(seed=depth)
            units = layer.weight.shape[2]
            parts.append(keras.layers.Dense(units, activation, kernel_initializer=init, dtype=dtype))
            if depth == 0 and recipe.dropout:
                parts.append(keras.layers.Dropout(recipe.dropout, seed=0, dtype=dtype))
        model = keras.Sequential(parts)
        model.set_weights([part[replica] for layer in layers for part in (layer.weight, layer.bias[:, 0])])
        return model


def _model() -> Any:
    """The module keras_model, whose import needs the engine to have been started."""
    from handnet.mlp import keras_model

    return keras_model


@lru_cache(maxsize=8)
def _network(dtype: np.dtype, engine: str, _device: str, shape: tuple[Any, ...]) -> Any:
    """The compiled network of a shape on a device, an epoch a call."""
    *layout, optimizer, batch_size, decays = shape
    keras, network = get_keras(), _model().Network(*layout, dtype.name)
    if optimizer == "adam":
        # As float64 scalars: TensorFlow would round a plain 0.999 to float32 even in a float64 network.
        step = keras.optimizers.Adam(beta_1=dtype.type(0.9), beta_2=dtype.type(0.999), epsilon=1e-7)
    else:
        step = keras.optimizers.SGD()
    if decays:  # by Keras, before its own step; its variable is filled by `start`
        step.weight_decay = step.add_variable((), dtype=dtype.name, name="weight_decay")
        step.exclude_from_weight_decay([dense.bias for dense in network.dense])
    steps = len(batches(layout[0][1], batch_size))
    network.compile(optimizer=step, jit_compile=engine == "jax", steps_per_execution=steps)
    step.build(network.trainable_variables)
    return network
