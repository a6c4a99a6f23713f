"""Trained networks and their exact results, as values and as files."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handnet.contract import Fit, Layer
from handnet.data import Array
from handnet.mlp.replicas import joined


@dataclass(frozen=True)
class Replicas:
    """The exact results of one configuration on R seeds: what every band, table and figure is computed from.

    seeds: (R,), each an integer or a triple of one seed for each stream; fit: histories and weights of the R
    replicas; of a model other than the network by hand it has no layers, and histories of one epoch: the
    losses after training. val_logits: outputs (R, n_val) or (R, n_val, k), NaN where a replica was lost;
    faults: (R,) a sentence on each replica that was lost, "" for the others; train_score: (R,) accuracy or R2
    on the train rows, of other models only; arrays: what restores such a model, each (R, ...).
    """

    seeds: tuple[Any, ...]
    fit: Fit
    val_logits: Array
    faults: tuple[str, ...] = ()
    train_score: Array | None = None
    arrays: Mapping[str, Array] = field(default_factory=dict)

    @property
    def sound(self) -> Array:
        """(R,) bool: which replicas never diverged, and were not lost."""
        lost = np.array([bool(fault) for fault in self.faults] or False)
        return np.asarray((self.fit.diverged_at < 0) & ~lost)

    def pick(self, which: Array | list[int]) -> "Replicas":
        """Some of the replicas, by mask (R,) or by place."""
        layers = tuple(Layer(layer.weight[which], layer.bias[which]) for layer in self.fit.layers)
        fit = Fit(layers, *(part[which] for part in self.fit[1:]))
        seeds = tuple(int(seed) for seed in np.array(self.seeds)[which])
        faults = tuple(np.array(self.faults, dtype=object)[which]) if self.faults else ()
        score = None if self.train_score is None else self.train_score[which]
        arrays = {name: part[which] for name, part in self.arrays.items()}
        return Replicas(seeds, fit, self.val_logits[which], faults, score, arrays)

    def without(self, faults: Sequence[str]) -> "Replicas":
        """The same, where further replicas were lost. faults: (R,) sentences, "" for the others; or none."""
        if not any(faults):
            return self
        lost = np.array([bool(fault) for fault in faults])

        def masked(part: Array) -> Array:
            return np.where(lost.reshape(-1, *(1,) * (part.ndim - 1)), np.nan, part)

        names = "train_loss", "train_loss_off", "val_loss"
        losses: dict[str, Any] = {name: masked(getattr(self.fit, name)) for name in names}
        fit = self.fit._replace(**losses)
        score = None if self.train_score is None else masked(self.train_score)
        both = tuple(old or new for old, new in zip(self.faults, faults, strict=True))
        return Replicas(self.seeds, fit, masked(self.val_logits), both, score, self.arrays)

    def one(self, index: int) -> "Replicas":
        """The replica at `index`, alone."""
        return self.pick([index])

    def to_npz(self) -> bytes:
        """As an .npz file, exact to the bit."""
        parts = {name: getattr(self.fit, name) for name in Fit._fields[1:]}
        if self.train_score is not None:
            parts |= {"faults": np.array(self.faults, dtype="U"), "train_score": self.train_score}
            parts |= {f"array.{name}": part for name, part in self.arrays.items()}
        return to_npz(seeds=np.array(self.seeds), val_logits=self.val_logits, **parts, **self.weights())

    def weights(self) -> dict[str, Array]:
        """Weights and biases by name: weight_0 (R, fan_in, fan_out), bias_0 (R, 1, fan_out), weight_1, ..."""
        return layer_parts(self.fit.layers)

    @staticmethod
    def from_npz(content: bytes) -> "Replicas":
        """What `to_npz` wrote. Raises ValueError or KeyError when it is something else."""
        parts = from_npz(content)
        fit = Fit(layers_of(parts), *(parts[name] for name in Fit._fields[1:]))
        seeds = tuple(int(seed) for seed in parts["seeds"])
        faults = tuple(str(fault) for fault in parts.get("faults", ()))
        arrays = {
            name.removeprefix("array."): part for name, part in parts.items() if name.startswith("array.")
        }
        return Replicas(seeds, fit, parts["val_logits"], faults, parts.get("train_score"), arrays)


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


def read_outputs(content: bytes) -> tuple[Array, tuple[str, ...]]:
    """The logits (R, ...) of a file, and (R,) a sentence on each replica that gave none, "" for the others;
    empty where all gave some."""
    parts = from_npz(content)
    return parts["logits"], tuple(str(fault) for fault in parts.get("faults", ()))


def concatenate(replicas: Sequence[Replicas]) -> Replicas:
    """Several results of one configuration as one, ordered by seed."""
    ordered = sorted(replicas, key=lambda part: part.seeds)
    seeds = tuple(seed for part in ordered for seed in part.seeds)
    val_logits = np.concatenate([part.val_logits for part in ordered])
    fit = joined([part.fit for part in ordered])
    scores = [part.train_score for part in ordered if part.train_score is not None]
    if not scores:
        return Replicas(seeds, fit, val_logits)
    faults = tuple(fault for part in ordered for fault in part.faults)
    return Replicas(seeds, fit, val_logits, faults, np.concatenate(scores), _stacked(ordered))


def _stacked(replicas: Sequence[Replicas]) -> dict[str, Array]:
    """The arrays of all replicas. One that was lost has none, and gets NaN."""
    known = next((part.arrays for part in replicas if part.arrays), {})
    return {
        name: np.concatenate([part.arrays.get(name, np.full_like(one, np.nan)) for part in replicas])
        for name, one in known.items()
    }


def mask_diverged(replicas: Replicas, logits: Array) -> Array:
    """Outputs (R, n) or (R, n, k), NaN for every replica that diverged or was lost."""
    return np.where(replicas.sound.reshape(-1, *(1,) * (logits.ndim - 1)), logits, np.nan)
