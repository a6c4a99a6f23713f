"""What is trained, on what, and what it gives.

The result of a network is a pure function of its configuration and its seed. A unit of work is a
configuration with a block of seeds; it names the rows it is trained on by their digest and holds no row.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from handnet.contract import ARITHMETIC, TO_THE_BIT, Backend, Fit, Layer, Recipe, load_backend
from handnet.data import Array, Dataset, Table, canonical_hash, digest
from handnet.mlp.replicas import joined, train_here
from handnet.splits import Split
from handnet.study.executor import held
from handnet.study.sections import BackendSettings
from handnet.study.settings import Settings
from handnet.tasks import Task, task_of

# Seeds trained and stored together: few in the first blocks, so that even ten seeds keep two cores busy, and
# more in those that follow, because each of 32 networks takes a fifth less time than each of 8.
FEW, FEW_UNTIL, MANY = 8, 64, 32
STACK = 50  # in Keras
T = TypeVar("T")


@dataclass(frozen=True)
class Replicas:
    """The exact results of one configuration on R seeds: what every band, table and figure is computed from.

    seeds: (R,), each an integer or a triple of one seed for each stream; fit: histories and weights of the R
    replicas; val_logits: (R, n_val).
    """

    seeds: tuple[Any, ...]
    fit: Fit
    val_logits: Array

    @property
    def sound(self) -> Array:
        """(R,) bool: which replicas never diverged."""
        return np.asarray(self.fit.diverged_at < 0)

    def pick(self, which: Array | list[int]) -> "Replicas":
        """Some of the replicas, by mask (R,) or by place."""
        layers = tuple(Layer(layer.weight[which], layer.bias[which]) for layer in self.fit.layers)
        seeds = tuple(int(seed) for seed in np.array(self.seeds)[which])
        return Replicas(seeds, Fit(layers, *(part[which] for part in self.fit[1:])), self.val_logits[which])

    def one(self, index: int) -> "Replicas":
        """The replica at `index`, alone."""
        return self.pick([index])

    def to_npz(self) -> bytes:
        """As an .npz file, exact to the bit."""
        parts = {name: getattr(self.fit, name) for name in Fit._fields[1:]}
        return to_npz(seeds=np.array(self.seeds), val_logits=self.val_logits, **parts, **self.weights())

    def weights(self) -> dict[str, Array]:
        """Weights and biases by name: weight_0 (R, fan_in, fan_out), bias_0 (R, 1, fan_out), weight_1, ..."""
        return layer_parts(self.fit.layers)

    @staticmethod
    def from_npz(content: bytes) -> "Replicas":
        """What `to_npz` wrote. Raises ValueError or KeyError when it is something else."""
        parts = from_npz(content)
        fit = Fit(layers_of(parts), *(parts[name] for name in Fit._fields[1:]))
        return Replicas(tuple(int(seed) for seed in parts["seeds"]), fit, parts["val_logits"])


def layer_parts(layers: Sequence[Layer]) -> dict[str, Array]:
    """Weights and biases by name: weight_0 (R, fan_in, fan_out), bias_0 (R, 1, fan_out), weight_1, ..."""
    return {
        f"{name}_{place}": part
        for place, layer in enumerate(layers)
        for name, part in layer._asdict().items()
    }


def layers_of(parts: Mapping[str, Array]) -> tuple[Layer, ...]:
    """What `layer_parts` named, whatever else is among the parts."""
    depth = sum(name.startswith("weight_") for name in parts)
    return tuple(Layer(parts[f"weight_{place}"], parts[f"bias_{place}"]) for place in range(depth))


def to_npz(**parts: Array) -> bytes:
    """Named arrays as an .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **parts)  # type: ignore[arg-type]  # the stub takes a name for its allow_pickle flag
    return buffer.getvalue()


def from_npz(content: bytes) -> dict[str, Array]:
    """What `to_npz` wrote. Raises ValueError when it is something else."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            parts = dict(file)
    except Exception as fault:  # a damaged file makes zipfile and NumPy raise anything
        raise ValueError(f"no .npz file: {fault}") from None
    # One bit may hide an array in the directory of the file, which ends with how many there are.
    if len(parts) != int.from_bytes(content[-12:-10], "little"):
        raise ValueError("an array is missing")
    return parts


def read_logits(content: bytes) -> Array:
    """The logits of a file that holds nothing else."""
    return np.asarray(from_npz(content)["logits"])


def concatenate(replicas: Sequence[Replicas]) -> Replicas:
    """Several results of one configuration as one, ordered by seed."""
    ordered = sorted(replicas, key=lambda part: part.seeds)
    seeds = tuple(seed for part in ordered for seed in part.seeds)
    val_logits = np.concatenate([part.val_logits for part in ordered])
    return Replicas(seeds, joined([part.fit for part in ordered]), val_logits)


class Rows(NamedTuple):
    """The rows that units are trained on: none of a sealed test."""

    train: Table  # (n, inputs), scaled
    val: Table


@dataclass(frozen=True)
class Unit:
    """A configuration with a block of seeds.

    spec: the backend; seeds: (R,), each an integer or a triple of one seed for each stream; rows: the digest
    of the Rows, which the worker holds."""

    spec: BackendSettings
    recipe: Recipe
    seeds: tuple[Any, ...]
    rows: str


def train(unit: Unit) -> Replicas:
    """Train the networks of a unit, one per seed: a pure function of the unit, for a worker."""
    return train_on(held(unit.rows), load_from(unit.spec), unit.recipe, unit.seeds, unit.spec.draws)


def train_on(rows: Rows, backend: Backend, recipe: Recipe, seeds: Sequence[Any], draws: str) -> Replicas:
    """Train one network per seed in this thread."""
    fit = train_here(backend, *rows, recipe, seeds, draws)
    return Replicas(tuple(seeds), fit, backend.logits(fit.layers, rows.val.X))


@dataclass(frozen=True)
class Candidate:
    """A frozen configuration, and the role in which it is confirmed."""

    role: str
    recipe: Recipe


def candidates(winner: Recipe, settings: Settings) -> list[Candidate]:
    """What is confirmed on fresh seeds: the winner first, then the recipes the settings compare it with."""
    others = [
        Candidate(other.name, settings.recipe(other.learning_rate, other.dropout, other.epochs))
        for other in settings.compare
    ]
    return [Candidate("winner", winner), *others]


def mask_diverged(replicas: Replicas, logits: Array) -> Array:
    """Outputs (R, n) or (R, n, k), NaN for every replica that diverged, even where its last are finite."""
    return np.where(replicas.sound.reshape(-1, *(1,) * (logits.ndim - 1)), logits, np.nan)


@dataclass(frozen=True)
class Confirmed:
    """A frozen configuration as the store has it.

    replicas: None for a method without seeds. val_logits, test_logits: (R, n), of such a method (n,);
    test_logits is None while the test is sealed. tuned, chosen: what was chosen for such a method on the
    validation rows, and what came out.
    """

    role: str
    config_id: str
    recipe: Recipe | None
    replicas: Replicas | None
    val_logits: Array
    test_logits: Array | None
    tuned: str = ""
    chosen: str = ""

    @property
    def has_seed_bands(self) -> bool:
        """Whether at least two of its replicas are sound, as a band over seeds needs."""
        return self.replicas is not None and bool(self.replicas.sound.sum() > 1)

    def logits(self, part: str) -> Array | None:
        """(R, n) logits on "val" or "test", NaN for a replica that diverged; None while it is sealed."""
        logits = self.val_logits if part == "val" else self.test_logits
        if logits is None or self.replicas is None:
            return None if logits is None else logits[None]
        return mask_diverged(self.replicas, logits)


@dataclass(frozen=True)
class Problem:
    """A dataset, its split and a backend: all a fit needs beside its recipe and seeds."""

    data: Dataset
    parts: Split
    backend: Backend
    spec: BackendSettings
    class_weight: str = "none"

    @cached_property
    def task(self) -> Task:
        """What is learnt from this table."""
        return task_of(len(self.data.class_names))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that a result depends on beside recipe and seed."""
        return {
            "backend": self.spec.name,
            "engine": getattr(self.backend, "engine", ""),
            "device": getattr(self.backend, "device", "cpu"),
            "dtype": self.spec.dtype,
            "draws": self.spec.draws,
            "data": self.data.digest,
            "split": self.parts.digest,
            "arithmetic": ARITHMETIC,
        } | ({} if self.class_weight == "none" else {"class_weight": self.class_weight})

    def config_id(self, recipe: Recipe) -> str:
        """16 hex digits that name a configuration: equal ids, equal results, whatever the git commit."""
        return canonical_hash({"recipe": recipe.values, **self.identity})[:16]

    @cached_property
    def rows(self) -> tuple[str, Rows]:
        """What networks are trained on, and its digest."""
        rows = Rows(self.parts.train, self.parts.val)
        return digest(*(part for table in rows for part in table if part is not None)), rows

    def blocks(self, seeds: Sequence[T]) -> list[Sequence[T]]:
        """The seeds in fixed blocks, which are trained and stored together.

        Where a replica does not depend on its neighbours, any blocks give the same networks. Keras keeps that
        law within a tolerance, but a block that is made again is the same block, so a continued study equals
        an uninterrupted one.
        """
        if self.spec.name not in TO_THE_BIT:
            return [seeds[low : low + STACK] for low in range(0, len(seeds), STACK)]
        starts = [*range(0, FEW_UNTIL, FEW), *range(FEW_UNTIL, len(seeds), MANY)]
        ends = [*starts[1:], len(seeds)]
        return [seeds[low:high] for low, high in zip(starts, ends, strict=True) if low < len(seeds)]

    def unit(self, recipe: Recipe, block: Sequence[Any]) -> Unit:
        """A configuration with a block of seeds."""
        return Unit(self.spec, recipe, tuple(block), self.rows[0])

    def fit(self, recipe: Recipe, seeds: Sequence[Any]) -> Replicas:
        """Train one network per seed, in this thread."""
        return train_on(self.rows[1], self.backend, recipe, seeds, self.spec.draws)


def load_problem(settings: Settings, data: Dataset, parts: Split) -> Problem:
    """The data, their split with weights for the train rows, and the backend of the settings.

    Raises ValueError when that refuses."""
    class_weight = settings.network.class_weight
    if class_weight == "balanced" and not data.class_names:
        raise ValueError(
            "network.class_weight weighs classes, and the target of this table is a number; leave it at none."
        )
    if class_weight == "balanced":
        weight = compute_sample_weight(class_weight, parts.train.y)
        parts = replace(parts, train=parts.train._replace(weight=weight))
    return Problem(data, parts, load_from(settings.backend), settings.backend, class_weight)


@lru_cache
def load_from(spec: BackendSettings) -> Backend:
    """The backend of the settings. Raises ValueError when that refuses."""
    return load_backend(spec.name, spec.dtype, spec.engine or None, spec.device)
