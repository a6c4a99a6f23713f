"""The same arithmetic in stock Keras 3 parts: one EinsumDense per layer over the replica axis, one compiled
model.

Nothing here knows how the chain rule works: gradients are the engine's, the optimizer is Keras's own. That is
the point of it. Engines are TensorFlow, the default, and JAX; Keras chooses once per process, so a process
has one.

A network is compiled for a shape (replicas, rows, columns, hidden, optimizer, batch size) and kept. Learning
rate and dropout are variables of it, and so are the data and the draws of the epoch, laid out once an epoch
and gathered by index inside the compiled step; the number of epochs is none of its business. Another recipe
of the same shape compiles nothing anew. Networks, Keras's default dtype and JAX's precision belong to the
whole process, so one call works at a time.

Keras wants the batch in front: axes are (batch, R, units) in the compiled step, (R, ...) everywhere else.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import cycle
from threading import RLock
from types import SimpleNamespace
from typing import Any

import numpy as np

from handnet.contract import EpochDraws, Fit, Layer, Plan, Recipe
from handnet.data import Array, Table
from handnet.mlp.history import History, batches, check_shapes, epochs_of, pack

ENGINES = ("tensorflow", "jax")
INSTALL = "make setup installs it"
GPU_INSTALL = {
    "tensorflow": "make setup DEVICE=gpu installs what an NVIDIA GPU needs",
    "jax": "JAX needs jax[cuda12] for an NVIDIA GPU, which make setup does not install: add it with pip",
}
# Without the first JAX has no float64 at all; the second means no TF32 on a GPU.
JAX_PRECISION = {"jax_enable_x64": True, "jax_default_matmul_precision": "highest"}
ONE_AT_A_TIME = RLock()


def load(dtype: str, engine: str | None, device: str) -> "KerasBackend":
    """The Keras backend on an engine: see `start_keras` for which.

    Raises ValueError as start_keras does, and when a GPU was asked for and there is none: it never falls back
    to the CPU by itself."""
    with ONE_AT_A_TIME:
        chosen = start_keras(engine)
        return KerasBackend(np.dtype(dtype), chosen, _device(device, chosen))


def start_keras(engine: str | None = None) -> str:
    """Import Keras on an engine: the argument, else the one it runs on already, else KERAS_BACKEND, else
    TensorFlow. Returns the engine.

    Raises ValueError when Keras or the engine is missing, or when this process runs another engine already.
    """
    chosen = engine or _running() or os.environ.get("KERAS_BACKEND") or ENGINES[0]
    if chosen not in ENGINES:
        raise ValueError(f"unknown engine {chosen!r}: expected one of {', '.join(ENGINES)}.")
    for package in ("keras", chosen):
        if find_spec(package) is None:
            raise ValueError(
                f"the keras backend on {chosen} needs the package {package}, which is not here; {INSTALL}."
            )
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = chosen
    keras = get_keras()
    if keras.backend.backend() != chosen:
        raise ValueError(
            f"Keras runs on {keras.backend.backend()} in this process and cannot change to {chosen}; "
            f"set KERAS_BACKEND={chosen} before Keras is first imported."
        )
    return chosen


def _running() -> str | None:
    """The engine of the Keras that this process has imported, whoever did."""
    return str(get_keras().backend.backend()) if "keras" in sys.modules else None


@dataclass(frozen=True)
class KerasBackend:
    """The Backend in Keras. device is where it really runs: "cpu" or "gpu"."""

    dtype: np.dtype
    engine: str
    device: str
    name: str = "keras"

    def fit(self, train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        """Train R networks in one compiled `model.fit`. See `Fit` for what comes back."""
        first = tuple(Layer(*(np.asarray(part, self.dtype) for part in layer)) for layer in plan.start())
        check_shapes(first, train, recipe)
        history = History(pack(first), recipe)
        replicas, rows = len(first[0].weight), len(train.y)
        with self._settled(), self.network(replicas, train, recipe).lent() as network:
            places = [np.arange(rows)[batch] for batch in batches(rows, recipe.batch_size)]
            network.start(first, train, recipe)
            draws = epochs_of(plan, recipe, (replicas, rows), get_keras().ops)
            watcher = _parts().Watcher(history, self._losses, draws, train, val)
            network.fit(
                ((batch,) for batch in cycle(places)),
                epochs=recipe.epochs,
                steps_per_epoch=len(places),
                shuffle=False,
                verbose=0,
                callbacks=[watcher],
            )
        return history.fit(like=first)

    def network(self, replicas: int, train: Table, recipe: Recipe) -> Any:
        """The compiled network that such a fit trains, free to be used."""
        shape = (replicas, *train.X.shape, recipe.hidden, recipe.optimizer, recipe.batch_size)
        network = _network(self.dtype, self.engine, self.device, shape)
        # A plan may train networks itself while it makes its draws: they must not be the one that waits for
        # them.
        return _network.__wrapped__(self.dtype, self.engine, self.device, shape) if network.busy else network

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """(R, n): what enters the sigmoid, dropout off."""
        with self._settled():
            return _numpy(_forward(layers, self._tensor(X)))

    def predict(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """(R, n): probability of class 1."""
        ops = get_keras().ops
        with self._settled():
            return _numpy(1 / (1 + ops.exp(-ops.clip(_forward(layers, self._tensor(X)), -80, 80))))

    def _losses(self, layers: tuple[Layer, ...], table: Table) -> Array:
        """(R,): the mean loss on a table, dropout off."""
        z = _forward(layers, self._tensor(table.X))
        return _numpy(get_keras().ops.sum(_log_loss(z, self._tensor(table.y)), axis=1)) / len(table.y)

    def _tensor(self, array: Array) -> Any:
        return get_keras().ops.convert_to_tensor(np.asarray(array, self.dtype))

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """As `_precision`, on the device that was chosen."""
        with _precision(self.dtype.name), get_keras().device(f"{self.device}:0"):
            yield


@contextmanager
def _precision(dtype: str) -> Iterator[None]:
    """Keras's default dtype is ours for the time of a call (some of its variables ask for nothing else), and
    JAX has its 64 bits, whatever was set in the meantime. Both are left as they were."""
    with ONE_AT_A_TIME:
        keras = get_keras()
        before = keras.config.floatx()
        keras.config.set_floatx(dtype)
        try:
            with _jax_precision() if keras.backend.backend() == "jax" else nullcontext():
                yield
        finally:
            keras.config.set_floatx(before)


@contextmanager
def _jax_precision() -> Iterator[None]:
    import jax

    before = {name: getattr(jax.config, name) for name in JAX_PRECISION}
    for name, value in JAX_PRECISION.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def to_keras(layers: tuple[Layer, ...], replica: int, dropout: float = 0.0) -> Any:
    """One replica as the plain keras.Sequential any Keras user knows: Dense, Dropout after the first, Dense,
    ...

    layers: (R, ...) as in a Fit; dropout: the rate it was trained with, 0 leaves the layer out; it acts in
    training only. The model takes scaled rows (n, features) and gives the probability of class 1, (n, 1).
    Keras clips nothing there, so it agrees with `predict` wherever a logit is within [-80, 80]."""
    keras = get_keras()
    dtype = str(layers[0].weight.dtype)
    with _precision(dtype):
        parts: list[Any] = [keras.Input((layers[0].weight.shape[1],), dtype=dtype)]
        for depth, layer in enumerate(layers):
            activation = "sigmoid" if depth == len(layers) - 1 else "relu"
            # Seeds are fixed, or Keras would take them from Python's global generator.
            weights = keras.initializers.GlorotUniform(seed=depth)
            parts.append(
                keras.layers.Dense(layer.weight.shape[2], activation, kernel_initializer=weights, dtype=dtype)
            )
            if depth == 0 and dropout:
                parts.append(keras.layers.Dropout(dropout, seed=0, dtype=dtype))
        model = keras.Sequential(parts)
        model.set_weights(
            [part for layer in layers for part in (layer.weight[replica], layer.bias[replica, 0])]
        )
        return model


def _forward(layers: tuple[Any, ...], x: Any) -> Any:
    """Logits (R, n) of rows x (n, features), dropout off."""
    ops = get_keras().ops
    for weight, bias in layers[:-1]:
        x = ops.relu(ops.matmul(x, weight) + bias)
    weight, bias = layers[-1]
    return (ops.matmul(x, weight) + bias)[:, :, 0]


def _log_loss(z: Any, y: Any) -> Any:
    """ln(1 + e^z) - y z, each row its own. Not Keras's binary_crossentropy: that one clips on some
    engines."""
    return get_keras().ops.softplus(z) - y * z


@lru_cache(maxsize=8)
def _network(dtype: np.dtype, engine: str, _device: str, shape: tuple[Any, ...]) -> Any:
    """The compiled network of a shape on a device, an epoch a call. Kept: compiling costs more than
    training."""
    replicas, rows, columns, hidden, optimizer, batch_size = shape
    keras = get_keras()
    network = _parts().Network(replicas, rows, columns, hidden, dtype.name)
    if optimizer == "adam":
        # As float64 scalars: TensorFlow would round a plain 0.999 to float32 even in a float64 network.
        step = keras.optimizers.Adam(beta_1=dtype.type(0.9), beta_2=dtype.type(0.999), epsilon=1e-7)
    else:
        step = keras.optimizers.SGD()
    network.compile(
        optimizer=step, jit_compile=engine == "jax", steps_per_execution=len(batches(rows, batch_size))
    )
    step.build(network.trainable_variables)
    return network


def _device(asked: str, engine: str) -> str:
    """Where to run: "cpu" or "gpu". Raises ValueError when a GPU was asked for and cannot be had."""
    if asked == "cpu":
        return "cpu"
    with _chatter_silenced():
        found = _jax_has_gpu() if engine == "jax" else _tensorflow_has_gpu()
    if asked == "gpu" and not found:
        raise ValueError(
            f"device='gpu' was asked for, but {engine} finds no GPU on this machine; {GPU_INSTALL[engine]}, "
            "device='auto' takes what there is."
        )
    return "gpu" if found else "cpu"


def _jax_has_gpu() -> bool:
    try:
        return bool(get_keras().distribution.list_devices("gpu"))
    except RuntimeError:  # JAX's way of saying none
        return False


def _tensorflow_has_gpu() -> bool:
    """Physical devices only: to list logical ones is to start TensorFlow, and then it has taken the whole
    GPU."""
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    try:
        for gpu in found:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        raise ValueError(
            "the GPU's memory must be shared before TensorFlow first uses it, but TensorFlow has started in "
            "this process already; load the backend first, or use device='cpu'."
        ) from None
    if found:
        tf.config.experimental.enable_tensor_float_32_execution(False)
    return bool(found)


def _numpy(tensor: Any) -> Array:
    return np.asarray(get_keras().ops.convert_to_numpy(tensor))


@contextmanager
def _chatter_silenced() -> Iterator[None]:
    """TensorFlow's compiled parts write start-up notes straight to file descriptor 2, whatever its log level
    says. What goes wrong is raised, and is not silenced."""
    if not _stderr_is_open():
        yield
        return
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _stderr_is_open() -> bool:
    """Whoever started us may have closed it; its number may even be another file's by now, which is left
    alone."""
    if sys.stderr is None or sys.stderr.closed:
        return False
    try:
        os.fstat(2)
    except OSError:
        return False
    return True


@cache
def get_keras() -> Any:
    """Keras, imported when first needed: it brings its engine with it, which takes seconds."""
    os.environ.setdefault("KERAS_BACKEND", ENGINES[0])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take the whole GPU,
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # and TensorFlow too, even to run on the CPU
    with _chatter_silenced():
        import keras

    if keras.backend.backend() == "jax":
        import jax

        for name, value in JAX_PRECISION.items():
            jax.config.update(name, value)
    return keras


@cache
def _parts() -> Any:
    """Keras's base classes exist once Keras is imported, so ours are made then."""
    keras = get_keras()
    ops = keras.ops

    class Network(keras.Model):  # type: ignore[misc, name-defined]  # Keras is Any to mypy
        """R networks side by side. Input: places in the epoch's visiting order, (batch,); output: logits
        (batch, R)."""

        def __init__(
            self, replicas: int, rows: int, columns: int, hidden: tuple[int, ...], dtype: str
        ) -> None:
            super().__init__(dtype=dtype)

            # Zeros everywhere: `start` fills them, and Keras's own initializers draw from Python's global
            # generator.
            def hold(name: str, shape: tuple[int, ...], kind: str = dtype) -> Any:
                return self.add_weight(
                    shape=shape, initializer="zeros", trainable=False, dtype=kind, name=name
                )

            self.X, self.y = hold("X", (rows, columns)), hold("y", (rows,))
            self.boost = hold("boost", ())  # 1 / (1 - dropout); 0 without dropout
            self.order = hold("order", (rows, replicas), "int32")
            self.keep = hold("keep", (rows, replicas, hidden[0]), "bool")
            self.stack = [
                keras.layers.EinsumDense(
                    "bsi,sio->bso", (replicas, units), bias_axes="so", kernel_initializer="zeros", dtype=dtype
                )
                for units in (*hidden, 1)
            ]
            for layer, width in zip(self.stack, (columns, *hidden), strict=True):
                layer.build((None, replicas, width))
            self.seen = Seen(replicas, dtype)
            # How often an engine had to read `call`: at most once for whole batches and once for the short
            # one of a shape, the batch size included, and never once a recipe.
            self.traces = 0
            self.busy = False
            self.built = True

        @contextmanager
        def lent(self) -> Iterator[Any]:
            """This network, busy for the time of a fit."""
            self.busy = True
            try:
                yield self
            finally:
                self.busy = False

        def start(self, first: tuple[Layer, ...], train: Table, recipe: Recipe) -> None:
            """Forget everything: weights, data and rates of this fit, an optimizer that has taken no step."""
            for layer, (weight, bias) in zip(self.stack, first, strict=True):
                layer.kernel.assign(weight)
                layer.bias.assign(bias[:, 0])
            self.X.assign(train.X)
            self.y.assign(train.y)
            # Divided here in float64: in float32 1 - dropout may be 0.
            self.boost.assign(1 / (1 - recipe.dropout) if recipe.dropout else 0.0)
            self.dropout = recipe.dropout
            for variable in self.optimizer.variables:
                variable.assign(ops.zeros(variable.shape, variable.dtype))
            self.optimizer.learning_rate = recipe.learning_rate

        def visit(self, draw: EpochDraws) -> None:
            """Lay out one epoch's draws on the device, the visited row in front."""
            self.order.assign(ops.cast(ops.transpose(draw.order), "int32"))
            if self.dropout:
                self.keep.assign(ops.transpose(draw.keep[0], (1, 0, 2)))

        def call(self, inputs: Any, training: bool = False) -> Any:
            self.traces += 1
            places = ops.cast(inputs, "int32")
            a = ops.take(self.X, ops.take(self.order, places, axis=0), axis=0)
            keep = ops.take(self.keep, places, axis=0)
            for depth, layer in enumerate(self.stack[:-1]):
                a = ops.relu(layer(a))
                if depth == 0:
                    a = ops.where(self.boost > 0, a * ops.cast(keep, a.dtype) * self.boost, a)
            return self.stack[-1](a)[:, :, 0]

        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
            order = ops.take(self.order, ops.cast(x, "int32"), axis=0)
            each = _log_loss(y_pred, ops.take(self.y, order, axis=0))
            self.seen.update_state(each)
            # The sum over replicas of the mean over the batch: their gradients never mix. Not ops.mean, which
            # rounds float64 to float32 on JAX.
            return ops.sum(each) / ops.cast(ops.shape(each)[0], each.dtype)

        def layers_now(self) -> tuple[Layer, ...]:
            """The weights as tensors, in handnet's shapes."""
            return tuple(Layer(one.kernel.value, ops.expand_dims(one.bias.value, 1)) for one in self.stack)

    class Seen(keras.metrics.Metric):  # type: ignore[misc, name-defined]  # Keras is Any to mypy
        """The summed loss of each replica over the epoch so far, (R,)."""

        def __init__(self, replicas: int, dtype: str) -> None:
            super().__init__(name="seen", dtype=dtype)
            self.total = self.add_weight(shape=(replicas,), initializer="zeros", name="total")

        def update_state(self, each: Any) -> None:
            self.total.assign(self.total + ops.sum(each, axis=0))

        def result(self) -> Any:
            return self.total.value

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc, name-defined]  # Keras is Any to mypy
        """Before each epoch its draws; after it losses with dropout off, and all of it into the history."""

        def __init__(
            self, history: History, losses: Any, draws: Iterator[EpochDraws], train: Table, val: Table
        ) -> None:
            super().__init__()
            self.history, self.losses, self.draws, self.train, self.val = history, losses, draws, train, val

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.visit(next(self.draws))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            layers = self.model.layers_now()
            seen = _numpy(self.model.seen.total) / len(self.train.y)
            weights = pack(tuple(Layer(*(_numpy(part) for part in layer)) for layer in layers))
            self.history.record(
                epoch, seen, self.losses(layers, self.train), self.losses(layers, self.val), weights
            )

    return SimpleNamespace(Network=Network, Watcher=Watcher)
