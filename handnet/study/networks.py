"""Trained networks and their exact results, as values and as files."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.contract import Fit, Layer
from handnet.data import Array
from handnet.mlp.replicas import joined


@dataclass(frozen=True)
class Replicas:
    """The exact results of one configuration on R seeds: what every band, table and figure is computed from.

    seeds: (R,), each an integer or a triple of one seed for each stream; fit: histories and weights of the R
    replicas; val_logits: outputs (R, n_val) or (R, n_val, k).
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


def mask_diverged(replicas: Replicas, logits: Array) -> Array:
    """Outputs (R, n) or (R, n, k), NaN for every replica that diverged, even where its last are finite."""
    return np.where(replicas.sound.reshape(-1, *(1,) * (logits.ndim - 1)), logits, np.nan)
