"""Where fits run: this machine, in this process. A unit of work is (configuration, seed), and a pure function
of both."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_info

from handnet.contract import ARITHMETIC, TO_THE_BIT, Backend, Fit, Layer, Recipe, load_backend
from handnet.data import Array, Dataset, canonical_hash
from handnet.mlp.replicas import concurrently, joined, train_replicas
from handnet.splits import Split
from handnet.study.settings import BackendSettings, Settings

STACK = 50  # seeds that Keras trains together
T = TypeVar("T")


@dataclass(frozen=True)
class Replicas:
    """The exact results of one configuration on R seeds: what every band, table and figure is computed from.

    seeds (R,), in a table of streams triples; fit: histories and weights of the R replicas; val_logits (R,
    n_val)."""

    seeds: tuple[Any, ...]
    fit: Fit
    val_logits: Array

    @property
    def sound(self) -> Array:
        """(R,) which replicas never diverged."""
        return np.asarray(self.fit.diverged_at < 0)

    def pick(self, which: Array | list[int]) -> "Replicas":
        """Some of the replicas, by mask or by place."""
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
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            parts = dict(file)
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


def to_npy(array: Array) -> bytes:
    """One array as an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def from_npy(content: bytes) -> Array:
    """What `to_npy` wrote."""
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))


def concatenate(replicas: Sequence[Replicas]) -> Replicas:
    """Several results of one configuration as one, ordered by seed."""
    ordered = sorted(replicas, key=lambda one: one.seeds)
    seeds = tuple(seed for one in ordered for seed in one.seeds)
    return Replicas(
        seeds, joined([one.fit for one in ordered]), np.concatenate([one.val_logits for one in ordered])
    )


@dataclass(frozen=True)
class Problem:
    """A dataset, its split and a backend: all a fit needs beside its recipe and seeds."""

    data: Dataset
    parts: Split
    backend: Backend
    spec: BackendSettings

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
        }

    def config_id(self, recipe: Recipe) -> str:
        """16 hex digits that name a configuration: equal ids, equal results. The git commit is no part of
        it."""
        return canonical_hash({"recipe": vars(recipe), **self.identity})[:16]

    def stacks(self, seeds: Sequence[int], missing: Sequence[int]) -> list[list[int]]:
        """The seeds to train together so that the missing ones are made. Where a replica does not depend on
        its neighbours only they are; Keras keeps that law within a tolerance, so it gets whole fixed stacks
        again and a continued study equals an uninterrupted one."""
        if self.spec.name in TO_THE_BIT:
            return [list(missing)] if missing else []
        fixed = [list(seeds[low : low + STACK]) for low in range(0, len(seeds), STACK)]
        return [stack for stack in fixed if set(stack) & set(missing)]

    def fit(self, recipe: Recipe, seeds: Sequence[int | tuple[int, int, int]]) -> Replicas:
        """Train one network per seed."""
        fit = train_replicas(self.backend, self.parts.train, self.parts.val, recipe, seeds, self.spec.draws)
        return Replicas(tuple(seeds), fit, self.backend.logits(fit.layers, self.parts.val.X))

    def each(self, jobs: Iterable[Callable[[], T]]) -> Iterator[T]:
        """What jobs that fit on benches like this one give, in their order: side by side where the backend
        allows it."""
        return concurrently(jobs, None if self.spec.name in TO_THE_BIT else 1)


def problem(settings: Settings, data: Dataset, parts: Split) -> Problem:
    """The bench the settings describe. Raises ValueError when the backend refuses."""
    spec = settings.backend
    return Problem(data, parts, load_backend(spec.name, spec.dtype, spec.engine or None, spec.device), spec)


def kernel() -> str:
    """The CPU kernels NumPy multiplies with: another kernel may differ in the last bit."""
    found = {
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    return ", ".join(sorted(found)) or "unknown"
