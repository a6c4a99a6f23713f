"""What is trained, on what, and what it gives.

The result of a network is a pure function of its configuration and its seed. A unit of work is a
configuration with a block of seeds; it names the rows it is trained on by their digest and holds no row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from handnet.contract import ARITHMETIC, TO_THE_BIT, Backend, Layer, Recipe, load_backend
from handnet.data import Array, Dataset, Table, canonical_hash, digest
from handnet.mlp.replicas import train_here
from handnet.notes import said_for
from handnet.splits import Split
from handnet.study.configuration import Configuration
from handnet.study.executor import held
from handnet.study.model_settings import ModelSettings
from handnet.study.networks import Replicas, mask_diverged
from handnet.study.sections import BackendSettings
from handnet.study.settings import Settings
from handnet.tasks import Task, task_of

# Seeds trained and stored together: few in the first blocks, so that even ten seeds keep two cores busy, and
# more in those that follow, because each of 32 networks takes a fifth less time than each of 8.
FEW, FEW_UNTIL, MANY = 8, 64, 32
STACK = 50  # in Keras
T = TypeVar("T")


class Rows(NamedTuple):
    """The rows that units are trained on: none of a sealed test."""

    train: Table  # (n, inputs), scaled
    val: Table


@dataclass(frozen=True)
class Unit:
    """A configuration with a block of seeds.

    spec: the backend; recipe: with the exit of its task; seeds: (R,), each an integer or a triple of one seed
    for each stream; rows: the digest of the Rows, which the worker holds; unit: as in `in_unit`."""

    spec: BackendSettings
    recipe: Recipe
    seeds: tuple[Any, ...]
    rows: str
    unit: "TargetUnit | None" = None


def train(unit: Unit) -> Replicas:
    """Train the networks of a unit, one per seed: a pure function of the unit, for a worker."""
    rows, backend = held(unit.rows), load_from(unit.spec)
    fit = train_here(backend, rows.train, rows.val, unit.recipe, unit.seeds, unit.spec.draws)
    return Replicas(unit.seeds, fit, in_unit(backend.logits(fit.layers, rows.val.X), unit.unit))


class TargetUnit(NamedTuple):
    """What the outputs of networks are multiplied by, and what is then added; None: they stay as they are."""

    mean: float
    scale: float


def in_unit(outputs: Array, unit: TargetUnit | None) -> Array:
    """Outputs (R, n) of networks that learnt a scaled number, in the unit of the target and in float64; other
    outputs are returned as they are."""
    return outputs if unit is None else unit.mean + unit.scale * np.asarray(outputs, np.float64)


def with_unit(layers: tuple[Layer, ...], unit: TargetUnit | None) -> tuple[Layer, ...]:
    """Layers whose exit gives the number in the unit of the target by itself; None: they stay as they are."""
    if unit is None:
        return layers
    *hidden, (weight, bias) = layers
    dtype = weight.dtype
    exit_ = Layer((unit.scale * weight).astype(dtype), (unit.mean + unit.scale * bias).astype(dtype))
    return (*hidden, exit_)


@dataclass(frozen=True)
class Confirmed:
    """A frozen configuration as the store has it.

    configuration, replicas: None for a method without seeds. val_logits, test_logits: outputs (R, n) or
    (R, n, k), of such a method (n,) or (n, k); test_logits is None while the test is sealed. tuned, chosen:
    what was chosen for such a method on the validation rows, and what came out.
    """

    role: str
    config_id: str
    configuration: Configuration | None
    replicas: Replicas | None
    val_logits: Array
    test_logits: Array | None
    tuned: str = ""
    chosen: str = ""

    @property
    def alone(self) -> bool:
        """Whether it has no seed: a method, or a model that takes no seed, which is trained once."""
        return self.replicas is None or len(self.replicas.seeds) == 1

    @property
    def has_seed_bands(self) -> bool:
        """Whether at least two of its replicas are sound, as a band over seeds needs."""
        return self.replicas is not None and bool(self.replicas.sound.sum() > 1)

    @property
    def alike(self) -> bool:
        """Whether its sound replicas, at least two, gave the same outputs to the bit."""
        if self.replicas is None or not self.has_seed_bands:
            return False
        parts = (of[self.replicas.sound] for of in (self.val_logits, self.test_logits) if of is not None)
        return all(bool((of == of[0]).all()) for of in parts)

    def logits(self, part: str) -> Array | None:
        """Outputs (R, n) or (R, n, k) on "val" or "test", NaN for a replica that diverged; None while it is
        sealed."""
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
    models: tuple[ModelSettings, ...] = ()

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
            **self.table_identity,
        }

    @property
    def table_identity(self) -> dict[str, Any]:
        """All that the result of any model depends on beside its parameters and its seed."""
        return {"data": self.data.digest, "split": self.parts.digest, "arithmetic": ARITHMETIC} | (
            {} if self.class_weight == "none" else {"class_weight": self.class_weight}
        )

    def config_id(self, configuration: Configuration) -> str:
        """16 hex digits that name a configuration: equal ids, equal results, whatever the git commit."""
        if configuration.is_mlp:
            recipe = self.with_exit(configuration.recipe)
            return canonical_hash({"recipe": recipe.values, **self.identity})[:16]
        model = self.model(configuration)
        named = {"model": model.identity, "inputs": model.inputs, "params": dict(configuration.params)}
        return canonical_hash(named | self.table_identity)[:16]

    def model(self, configuration: Configuration) -> ModelSettings:
        """What the settings say of a model that is not the network by hand."""
        return {model.name: model for model in self.models}[configuration.model]

    def seeded(self, configuration: Configuration) -> bool:
        """Whether a seed changes anything of it."""
        return configuration.is_mlp or self.model(configuration).seeded

    @cached_property
    def rows(self) -> tuple[str, Rows]:
        """What networks are trained on, and its digest: of a number, the target is scaled."""
        rows = Rows(*(self._scaled(table) for table in (self.parts.train, self.parts.val)))
        return digest(*(part for table in rows for part in table if part is not None)), rows

    def blocks(self, configuration: Configuration, seeds: Sequence[T]) -> list[Sequence[T]]:
        """The seeds in fixed blocks, which are trained and stored together: of a model other than the network
        by hand each alone, the first alone where no seed changes anything.

        Where a replica does not depend on its neighbours, any blocks give the same networks. Keras keeps that
        law within a tolerance, but a block that is made again is the same block, so a continued study equals
        an uninterrupted one.
        """
        if not configuration.is_mlp:
            return [[seed] for seed in seeds[: None if self.seeded(configuration) else 1]]
        if self.spec.name not in TO_THE_BIT:
            return [seeds[low : low + STACK] for low in range(0, len(seeds), STACK)]
        starts = [*range(0, FEW_UNTIL, FEW), *range(FEW_UNTIL, len(seeds), MANY)]
        ends = [*starts[1:], len(seeds)]
        return [seeds[low:high] for low, high in zip(starts, ends, strict=True) if low < len(seeds)]

    def unit(self, recipe: Recipe, block: Sequence[Any]) -> Unit:
        """A configuration with a block of seeds."""
        return Unit(self.spec, self.with_exit(recipe), tuple(block), self.rows[0], self.target_unit)

    def with_exit(self, recipe: Recipe) -> Recipe:
        """The recipe of a network with as many outputs as the task takes, and with its loss."""
        return replace(recipe, outputs=self.task.outputs, loss=self.task.loss)

    def fit(self, recipe: Recipe, seeds: Sequence[Any]) -> Replicas:
        """Train one network per seed, in this thread."""
        rows = self.rows[1]
        fit = train_here(self.backend, rows.train, rows.val, self.with_exit(recipe), seeds, self.spec.draws)
        return Replicas(tuple(seeds), fit, self.outputs(fit.layers, self.parts.val.X))

    def outputs(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """What networks give for scaled rows X (n, inputs): logits (R, n), of many classes (R, n, k), or
        guesses (R, n) in the unit of the target."""
        return in_unit(self.backend.logits(layers, X), self.target_unit)

    @cached_property
    def target_unit(self) -> TargetUnit | None:
        """Mean and standard deviation of a measured target in the train rows; None for classes."""
        if self.task.classes:
            return None
        y = self.parts.train.y
        return TargetUnit(float(y.mean()), float(y.std()))

    def history_loss(self, loss: Array) -> Array:
        """A mean loss (R,) over cases in the unit of a Fit's histories: of a number, half the squared error
        in variances of the train target."""
        return loss if self.target_unit is None else loss / (2 * self.target_unit.scale**2)

    def _scaled(self, table: Table) -> Table:
        """A table with the target as networks learn it."""
        unit = self.target_unit
        return table if unit is None else table._replace(y=(table.y - unit.mean) / unit.scale)


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
    return Problem(data, parts, load_from(settings.backend), settings.backend, class_weight, settings.models)


@lru_cache
def load_from(spec: BackendSettings) -> Backend:
    """The backend of the settings. Raises ValueError when that refuses."""
    return load_backend(spec.name, spec.dtype, spec.engine or None, spec.device)


def table_notes(settings: Settings, problem: Problem) -> tuple[str, ...]:
    """What was done to the table, and for whom, and what to know of the models."""
    return (*said_for(problem.parts.notes, settings.encoded_for), *settings.notes)
