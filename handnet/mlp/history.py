"""What every backend does beside arithmetic: check plan and weights, record losses, apply patience."""

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from handnet.contract import DevicePlan, EpochDraws, Fit, Layer, Plan, Recipe
from handnet.data import Array, Table

# How the losses of a history are taken, as a report says it: while a network predicts, and while it trains.
PREDICTING, TRAINING = "dropout off", "dropout on"


def batches(rows: int, size: int) -> list[slice]:
    """Slices of `size` rows, in order, the last one shorter: 341 rows are 10 batches of 32 and one of 21."""
    return [slice(low, min(low + size, rows)) for low in range(0, rows, size)]


def checked_epochs(
    plan: Plan, recipe: Recipe, sizes: tuple[int, int], ops: Any = None
) -> Iterator[EpochDraws]:
    """The draws of the recipe's epochs, each checked.

    sizes: (R, n), replicas and train rows; ops: the array functions of a device (keras.ops), with which a
    DevicePlan makes its draws there; other plans make them in NumPy.
    Raises ValueError when the plan ends too early, or when an order or a mask has the wrong shape or values.
    """
    epochs = plan.epochs_on(ops) if ops is not None and isinstance(plan, DevicePlan) else plan.epochs()
    count = 0
    for draws in islice(epochs, recipe.epochs):
        count += 1
        _check_order(draws.order, sizes)
        if recipe.dropout:
            _check_keep(draws.keep, [(*sizes, width) for width in recipe.hidden])
        yield draws
    if count < recipe.epochs:
        raise ValueError(f"the plan must hold draws for {recipe.epochs} epochs, but ended after {count}.")


def _check_order(order: Array, sizes: tuple[int, int]) -> None:
    """Raises ValueError unless the order is (R, n) row numbers: engines would clamp or wrap others."""
    if _kind(order) not in "iu" or _shape(order) != sizes:
        raise ValueError(
            f"the plan's order must be an array of whole numbers of shape {_words(sizes)}, but is "
            f"{_described(order)}; give every replica a permutation of the train rows."
        )
    # Values drawn on a device are not checked: fetching them would make it wait.
    if isinstance(order, np.ndarray) and not 0 <= order.min() <= order.max() < sizes[1]:
        wrong = order.min() if order.min() < 0 else order.max()
        raise ValueError(
            f"the plan's order must name train rows from 0 to {sizes[1] - 1}, but names row {wrong}; "
            "give every replica a permutation of them."
        )


def _check_keep(keep: tuple[Array, ...], expected: list[tuple[int, ...]]) -> None:
    """Raises ValueError unless the masks are bool and (R, n, width), as `expected` for each hidden layer."""
    if len(keep) != len(expected):
        raise ValueError(
            f"the plan must give {len(expected)} keep masks an epoch, one for each hidden layer, but gives "
            f"{len(keep)}; a layer without dropout keeps every unit."
        )
    for layer, (mask, shape) in enumerate(zip(keep, expected, strict=True)):
        if _kind(mask) != "b" or _shape(mask) != shape:
            raise ValueError(
                f"the plan's keep mask of hidden layer {layer} must be an array of bool of shape "
                f"{_words(shape)}, but is {_described(mask)}; True keeps a unit."
            )


def _kind(array: Any) -> str:
    """NumPy's letter for the kind of an array's numbers, on any engine; "O" for anything else."""
    try:
        return np.dtype(getattr(array.dtype, "name", array.dtype)).kind
    except (AttributeError, TypeError):
        return "O"


def _shape(array: Any) -> tuple[int, ...]:
    return tuple(getattr(array, "shape", ()))


def _described(array: Any) -> str:
    if not hasattr(array, "dtype"):
        return f"a {type(array).__name__}"
    return f"{getattr(array.dtype, 'name', array.dtype)} of shape {_words(_shape(array))}"


def _words(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(str(size) for size in shape)})"


def check_cpu_only(name: str, engine: str | None, device: str) -> None:
    """Raises ValueError when an engine or a GPU is asked of the backend `name`, which has neither."""
    if engine is not None:
        raise ValueError(
            f"the {name} backend has no engine to choose, but got engine={engine!r}; leave it out."
        )
    if device == "gpu":
        raise ValueError(
            f"the {name} backend runs on the CPU only, but got device='gpu'; use device='cpu' or 'auto'."
        )


def first_layers(plan: Plan, train: Table, recipe: Recipe, dtype: np.dtype) -> tuple[Layer, ...]:
    """The first weights of the plan, (R, fan_in, fan_out) and (R, 1, fan_out), in `dtype`.

    Raises ValueError unless they have the recipe's widths and the table's columns.
    """
    layers = tuple(Layer(*(np.asarray(part, dtype) for part in layer)) for layer in plan.start())
    expected = list(pairwise((train.X.shape[1], *recipe.hidden, recipe.outputs)))
    shapes = [layer.weight.shape[1:] for layer in layers]
    if shapes != expected:
        raise ValueError(f"the plan's weights must have shapes {expected} a replica, but have {shapes}.")
    return layers


def check_classes(recipe: Recipe, *tables: Table) -> None:
    """Raises ValueError unless every y (n,) is a class from 0 to k - 1, where k classes are learned."""
    if recipe.exit != "softmax":
        return
    for table in tables:
        wrong = ~np.isin(table.y, np.arange(recipe.outputs))
        if wrong.any():
            place = int(wrong.argmax())
            raise ValueError(
                f"each y must be a class from 0 to {recipe.outputs - 1}, but that of row {place} is "
                f"{table.y[place]}."
            )


class Weighted(NamedTuple):
    """A table in the dtype of a backend, with a weight for every row."""

    X: Array  # (n, features)
    y: Array  # (n,)
    weight: Array  # (n,), as `row_weights` gives them

    @property
    def total(self) -> np.float64:
        """The sum of the weights."""
        return np.float64(self.weight.sum(dtype=np.float64))


def row_weights(table: Table, dtype: np.dtype) -> Array:
    """The weight (n,) of each row in `dtype`: ones where the table has none, or equal ones.

    Others are scaled by a power of two, so that the largest is at least .5 and below 1: no bit of a fit
    depends on it, and nothing overflows. Raises ValueError unless they are finite, at least 0 and not all 0.
    """
    rows = len(table.y)
    if table.weight is None:
        return np.ones(rows, dtype)
    weight = np.asarray(table.weight, np.float64)
    if weight.shape != (rows,):
        raise ValueError(f"each of {rows} rows needs a weight, but the weights have shape {weight.shape}.")
    wrong = ~(np.isfinite(weight) & (weight >= 0))
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(
            f"a weight must be finite and at least 0, but that of row {place} is {weight[place]}."
        )
    if not weight.any():
        raise ValueError("the weights are all 0, so no row counts; give at least one row a weight above 0.")
    scaled = np.ldexp(weight, -np.frexp(weight.max())[1]).astype(dtype)
    return scaled if np.ptp(scaled) else np.ones(rows, dtype)


def pack(layers: tuple[Layer, ...]) -> Array:
    """All weights and biases of each replica in one row, (R, P), in the order of the layers."""
    replicas = len(layers[0].weight)
    return np.concatenate([part.reshape(replicas, -1) for layer in layers for part in layer], axis=1)


def unpack(weights: Array, like: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The rows of `pack`, (R, P), as layers of the same shapes as `like`; views, not copies."""
    layers, start = [], 0
    for layer in like:
        parts = []
        for part in layer:
            end = start + part.shape[1] * part.shape[2]
            parts.append(weights[:, start:end].reshape(len(weights), *part.shape[1:]))
            start = end
        layers.append(Layer(*parts))
    return tuple(layers)


def decay_rates(layers: tuple[Layer, ...], recipe: Recipe) -> Array:
    """The share that weight decay takes off each weight in a step, (P,) in the order of `pack`: learning_rate
    weight_decay for a weight, 0 for a bias. Empty, (0,), where the recipe has no weight decay."""
    if not recipe.weight_decay:
        return layers[0].bias[0, 0, :0]
    rate = recipe.learning_rate * recipe.weight_decay
    one = (Layer(weight[:1], bias[:1]) for weight, bias in layers)
    return pack(tuple(Layer(np.full_like(weight, rate), np.zeros_like(bias)) for weight, bias in one))[0]


class History:
    """Losses of R replicas as they train, and the weights each will return.

    Patience is Keras's EarlyStopping with restored best weights, replica by replica. After `patience` epochs
    in a row without a smaller validation loss a replica has stopped and returns its best weights; it trains
    on beside the others, but is no longer recorded. Without patience the last weights are returned.
    """

    def __init__(self, weights: Array, recipe: Recipe) -> None:
        """Start a history for first weights (R, P)."""
        replicas = len(weights)
        self.weights = weights  # (R, P)
        self.losses = np.full((3, replicas, recipe.epochs), np.nan)
        self.best_epoch = np.full(replicas, -1)
        self.diverged_at = np.full(replicas, -1)
        self._patience = recipe.patience
        self._best_loss = np.full(replicas, np.inf)
        self._waited = np.zeros(replicas, dtype=int)
        self._stopped = np.zeros(replicas, dtype=bool)

    def record(
        self, epoch: int, train_loss: Array, train_loss_off: Array, val_loss: Array, weights: Array
    ) -> None:
        """Record a finished epoch: its losses, each (R,), and the weights after it, (R, P)."""
        self.losses[:, :, epoch] = train_loss, train_loss_off, val_loss
        # Weights too: a unit that turned NaN can hide behind a relu while every loss stays finite.
        finite = np.isfinite(self.losses[:, :, epoch]).all(axis=0) & np.isfinite(weights).all(axis=1)
        self.diverged_at[(self.diverged_at < 0) & ~finite & ~self._stopped] = epoch
        if self._patience is None:
            self.weights = weights
        else:
            self._apply_patience(epoch, self.losses[2, :, epoch], weights, self._patience)

    def fit(self, like: tuple[Layer, ...]) -> Fit:
        """Everything recorded, the weights in layers shaped as `like`."""
        train_loss, train_loss_off, val_loss = self.losses
        layers = unpack(self.weights, like)
        return Fit(layers, train_loss, train_loss_off, val_loss, self.best_epoch, self.diverged_at)

    def _apply_patience(self, epoch: int, val_loss: Array, weights: Array, patience: int) -> None:
        """Keep the best weights (R, P) so far by val_loss (R,), and stop replicas that waited too long."""
        better = (val_loss < self._best_loss) & ~self._stopped
        # A replica that never had a finite loss returns its latest weights, and best_epoch stays -1.
        kept = better | ((self.best_epoch < 0) & ~self._stopped)
        self.weights = np.where(kept[:, None], weights, self.weights)
        self.best_epoch[better] = epoch
        self._best_loss[better] = val_loss[better]
        self._waited = np.where(better, 0, self._waited + 1)
        self._stopped |= (self._waited >= patience) & (epoch > 0)
