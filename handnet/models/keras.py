"""Keras models that a function builds: built, seeded and trained anew with each seed."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from inspect import signature
from typing import Any

import numpy as np

from handnet.contract import check_count
from handnet.data import Array, Table
from handnet.generators import global_generators
from handnet.messages import Refusal
from handnet.mlp.engine import engine_name, get_keras, start_keras
from handnet.models.identity import identity_of
from handnet.models.model import Failed, Params, from_logits, from_numbers, from_probabilities
from handnet.models.source import FromFile, FromModule, Given, Source
from handnet.tasks import Task

NO_EXIT = "; end the model with a sigmoid or a softmax, or compile it with a loss that has from_logits=True"
DEFAULTS = {"epochs": 50, "batch_size": 32}
AT_ONCE = 4096  # rows that a network is called with at once
Build = Callable[[dict[str, Any], tuple[int, ...], Task], Any]


class KerasModel:
    """A Keras model that `build(params, shape, task)` makes and compiles, anew for each seed.

    params: a dict of the parameters; shape: (inputs,), that of one row; task: what is learnt (`task.classes`
    is 2, k or 0 for a number, `task.outputs` the width of the last layer). build returns the compiled model,
    or the model with a dict of further keywords of its `fit`, callbacks for instance. The params `epochs` and
    `batch_size` are those of `fit` too, and 50 and 32 where nobody sets them.

    What the model predicts is taken for probabilities: of class 1 (n, 1), or (n, k); with a loss that says
    from_logits=True for logits; of a number for the number in its own unit. Each fit calls
    `keras.utils.set_random_seed` with the seed and `keras.utils.clear_session`, and makes TensorFlow's
    operations deterministic. These are settings of the whole process, so a study runs it in processes of its
    own.
    """

    seeded, inputs, keeps_arrays, stacks, notes = True, "encoded", True, False, ()

    def __init__(self, build: Build | Source, name: str = "", fixed: Params | None = None) -> None:
        self.source = build if isinstance(build, FromFile | FromModule | Given) else Given(build)
        self.name, self.fixed = name or self.source.label, dict(fixed or {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Keras and the function are loaded as soon as the model arrives in another process, so that the time
        it takes to import them is not that of a fit."""
        vars(self).update(state)
        start()
        self.source.get()

    @property
    def identity(self) -> str:
        versions = [f"{name} {version(name)}" for name in ("keras", engine_name()) if find_spec(name)]
        return f"keras {self.source.identity} {identity_of(self.fixed)} {' '.join(versions)}"

    def check(self, params: Params, task: Task) -> None:
        """Raises Refusal when build is no such function, and for epochs or a batch size that cannot be."""
        start()
        try:
            signature(self.source.get()).bind("params", "shape", "task")
        except (
            TypeError,
            ValueError,
        ) as fault:  # it is no function, takes other arguments, does not tell them
            raise Refusal(f"{self.name} must be a function build(params, shape, task): {fault}.") from None
        values = {**DEFAULTS, **self.fixed, **params}
        try:
            for name in DEFAULTS:
                check_count(name, values[name])
        except ValueError as fault:
            raise Refusal(f"{self.name}: {fault}") from None

    def fit(
        self, train: Table, val: Table, params: Params, seeds: Sequence[int], task: Task
    ) -> "FittedKeras":
        """Build and train one network a seed on rows X (n, inputs); y (n,).

        Where build gives callbacks they see the validation rows, as patience does elsewhere. Raises Failed
        when build gives no compiled model."""
        start()
        values = {**DEFAULTS, **self.fixed, **params}
        weights = [self._trained(train, val, values, int(seed), task) for seed in seeds]
        kept = {f"weight_{place}": np.stack(of) for place, of in enumerate(zip(*weights, strict=True))}
        return FittedKeras(self, kept, values, train.X.shape[1], task)

    def restored(self, arrays: Mapping[str, Array], params: Params, inputs: int, task: Task) -> "FittedKeras":
        """The networks of arrays (R, ...), one a weight, in the model's own order."""
        start()
        return FittedKeras(self, arrays, {**DEFAULTS, **self.fixed, **params}, inputs, task)

    def built(self, params: Params, inputs: int, task: Task) -> tuple[Any, dict[str, Any]]:
        """A new compiled model and the keywords of its fit. Raises Failed when build gives another thing."""
        made = self.source.get()(dict(params), (inputs,), task)
        model, keywords = made if isinstance(made, tuple) and len(made) == 2 else (made, {})
        if not isinstance(model, get_keras().Model) or not isinstance(keywords, Mapping):
            raise Failed(
                f"{self.name} must return a Keras model, or a model and a dict, but gave"
                f" {type(made).__name__}."
            )
        if not model.compiled:
            raise Failed(f"{self.name} must return a compiled model; call model.compile(optimizer, loss).")
        if not model.built:
            model.build((None, inputs))
        widths = {2: (1, 2), 0: (1,)}.get(task.classes, (task.classes,))
        if model.output_shape not in [(None, width) for width in widths]:
            raise Failed(
                f"{self.name} must return a model whose last layer has {' or '.join(map(str, widths))} units"
                f" for {task.name}, but its outputs have the shape {model.output_shape}."
            )
        return model, dict(keywords)

    def _trained(self, train: Table, val: Table, params: Params, seed: int, task: Task) -> list[Array]:
        """The trained weights of one seed."""
        with seeded(seed):
            model, keywords = self.built(params, train.X.shape[1], task)
            if "callbacks" in keywords and not {"validation_data", "validation_split"} & set(keywords):
                keywords["validation_data"] = (val.X.copy(), targets(model, val.y, task))
            rows = {"x": train.X.copy(), "y": targets(model, train.y, task), "sample_weight": train.weight}
            counts = {name: int(params[name]) for name in DEFAULTS}
            model.fit(**{**rows, **counts, "verbose": 0, **keywords})
            return [np.array(weight) for weight in model.get_weights()]


@dataclass(frozen=True)
class FittedKeras:
    """R trained networks as their weights, (R, ...) each."""

    model: KerasModel
    weights: Mapping[str, Array]
    params: Params
    inputs: int
    task: Task

    def outputs(self, X: Any) -> Array:
        """(R, n) or (R, n, k) of rows X (n, inputs). Raises Failed."""
        with seeded(0):
            model, _ = self.model.built(self.params, self.inputs, self.task)
            every = zip(*self.weights.values(), strict=True)
            return np.stack([self._of(model, weights, X) for weights in every])

    def arrays(self) -> dict[str, Array]:
        """The weights by their place in the model, (R, ...) each."""
        return dict(self.weights)

    def _of(self, model: Any, weights: Sequence[Array], X: Any) -> Array:
        """(n,) or (n, k)."""
        model.set_weights(list(weights))
        # Called and not asked to predict, which would trace the model anew, for a second, each time.
        parts = [model(X[at : at + AT_ONCE], training=False) for at in range(0, len(X), AT_ONCE)]
        values = np.concatenate([get_keras().ops.convert_to_numpy(part) for part in parts])
        source, n = self.model.name, len(X)
        if not self.task.classes:
            return from_numbers(values, n, source)
        if _gives_logits(model.loss):
            return from_logits(values, n, self.task, source)
        return from_probabilities(values, n, self.task, source, NO_EXIT)


def start() -> None:
    """Start Keras. Raises Refusal where it is not installed."""
    try:
        with global_generators(0):  # engines draw while they are imported
            start_keras()
    except ValueError as fault:
        raise Refusal(str(fault)) from None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """While entered, Keras and the generators of the process start from this seed, and what Keras computes is
    repeatable. Raises nothing; Keras's own seed and TensorFlow's determinism stay as they are set here."""
    keras = get_keras()
    with global_generators(seed):
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.experimental.enable_op_determinism()
        yield


def targets(model: Any, y: Array, task: Task) -> Array:
    """y (n,) as a compiled model's loss takes it: one-hot (n, k) where the model has k outputs and its loss
    takes no codes (as "sparse" ones do), else (n,)."""
    if not task.classes:
        return np.array(y, np.float64)
    codes = np.array(y, np.int64)
    width = model.output_shape[-1]
    if width == 1 or _loss_name(model.loss).startswith("sparse"):
        return codes
    return (codes[:, None] == np.arange(task.classes)).astype(np.float64)


def _loss_name(loss: Any) -> str:
    """As in "sparse_categorical_crossentropy", of a loss by name, as an object or as a function."""
    name = loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", ""))
    return re.sub(r"(?<!^)(?=[A-Z])", "_", str(name)).lower()


def _gives_logits(loss: Any) -> bool:
    return bool(loss.get_config().get("from_logits")) if hasattr(loss, "get_config") else False
