"""What trained networks answer for further rows: from weights that are kept, or fitted again where none are.

A fit made again costs a whole training, so its rows are collected first and asked for all at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from handnet.contract import Backend, Layer
from handnet.data import Array, canonical_hash, digest
from handnet.models.model import Failed
from handnet.study.networks import read_logits, to_npz
from handnet.study.store import Store
from handnet.study.units import TargetUnit, in_unit

MOST_FITS = 200  # fits made again for the reasons of one report
LEAST_FITS = 60  # that may be made again, even where the confirmation made fewer


class Answers(Protocol):
    """R networks of one configuration, by their outputs alone."""

    @property
    def n(self) -> int:
        """R."""
        ...

    def outputs(self, X: Array) -> Array:
        """Outputs (R, m) or (R, m, k) for rows X (m, inputs), scaled; guesses in the unit of the target."""
        ...

    def pick(self, places: Sequence[int] | Array) -> "Answers":
        """Those at some places."""
        ...


@dataclass(frozen=True)
class NetworkAnswers:
    """Answers from the weights of R networks. unit: as in `in_unit`."""

    layers: tuple[Layer, ...]
    backend: Backend
    unit: TargetUnit | None = None

    @property
    def n(self) -> int:
        """R."""
        return len(self.layers[0].weight)

    def outputs(self, X: Array) -> Array:
        """As of `Answers`."""
        return in_unit(self.backend.logits(self.layers, X), self.unit)

    def pick(self, places: Sequence[int] | Array) -> "NetworkAnswers":
        """As of `Answers`."""
        layers = tuple(Layer(layer.weight[places], layer.bias[places]) for layer in self.layers)
        return NetworkAnswers(layers, self.backend, self.unit)


class Wanted(NamedTuple):
    """Outputs that are wanted of models with these seeds, fitted again on the study's own division, or on the
    fresh one with a split seed. X: (m, inputs), scaled as the rows of that division are."""

    split_seed: int | None
    seeds: tuple[int, ...]
    X: Array


class Collected:
    """The distinct rows that are wanted of the same fits, in the order in which they were first wanted.

    found: the outputs (R, m) or (R, m, k) for them, once they are there."""

    def __init__(self, split_seed: int | None, seeds: tuple[int, ...]) -> None:
        self.split_seed, self.seeds = split_seed, seeds
        self.places: dict[bytes, int] = {}
        self.found: Array | None = None

    @property
    def wanted(self) -> Wanted:
        """All of them."""
        rows = np.frombuffer(b"".join(self.places), dtype=np.float64)
        return Wanted(self.split_seed, self.seeds, rows.reshape(len(self.places), -1))


@dataclass(frozen=True)
class CollectedAnswers:
    """Answers of fits made again: 0 for every row at first, which is collected, and later what was found.

    So whatever computes with answers runs twice, and the rows that it wants must not hang on the outputs.
    which: the places of these fits among those of `rows`; exits: () or (k,), of the outputs for one row.
    """

    rows: Collected
    which: tuple[int, ...]
    exits: tuple[int, ...]

    @property
    def n(self) -> int:
        """R."""
        return len(self.which)

    def outputs(self, X: Array) -> Array:
        """As of `Answers`. Raises KeyError for a row that was not collected before the fits were made."""
        rows, places = [row.tobytes() for row in np.ascontiguousarray(X, np.float64)], self.rows.places
        if self.rows.found is None:
            for row in rows:
                places.setdefault(row, len(places))
            return np.zeros((self.n, len(rows), *self.exits))
        return self.rows.found[list(self.which)][:, [places[row] for row in rows]]

    def pick(self, places: Sequence[int] | Array) -> "CollectedAnswers":
        """As of `Answers`."""
        which = tuple(int(place) for place in np.array(self.which)[places])
        return CollectedAnswers(self.rows, which, self.exits)


class Refits:
    """Fits made again of one configuration of a study, for all rows that are wanted of them, and their store.

    A report that is made anew reads what was found, and fits nothing."""

    def __init__(
        self,
        store: Store,
        config_id: str,
        exits: tuple[int, ...],
        fit: Callable[[Sequence[Wanted]], Sequence[Array]] | None,
        most: int,
    ) -> None:
        """fit: makes the fits, and gives the outputs (R, m) or (R, m, k) of each wanted block, or raises
        Failed; None where nothing may be trained. exits: as of `CollectedAnswers`; most: how many fits may be
        made."""
        self.store, self.config_id, self.exits = store, config_id, exits
        self.fit, self.most = fit, most
        self.collected: list[Collected] = []

    def answers(self, seeds: Sequence[int], split_seed: int | None = None) -> CollectedAnswers:
        """Those of fits with these seeds, on the study's own division or a fresh one."""
        self.collected.append(Collected(split_seed, tuple(seeds)))
        return CollectedAnswers(self.collected[-1], tuple(range(len(seeds))), self.exits)

    @property
    def rows(self) -> int:
        """How many rows are wanted of the fits of which most are."""
        return max((len(rows.places) for rows in self.collected), default=0)

    def gather(self) -> str:
        """Make the fits that are not stored yet. Returns why no outputs were found, "" where they were."""
        collected = [rows for rows in self.collected if rows.places]
        wanted = [rows.wanted for rows in collected]
        found = {key: self._stored(key) for key in map(self._key, wanted)}
        missing = [one for one in wanted if found[self._key(one)] is None]
        if (fits := sum(len(one.seeds) for one in wanted)) > self.most:
            return f"they take {fits} fits made again, and {self.most} are as many as is reasonable"
        fits = sum(len(one.seeds) for one in missing)
        if missing and self.fit is None:
            return f"they take {fits} fits made again, which are made where the study goes on"
        if missing and self.fit is not None:
            try:
                made = self.fit(missing)
            except Failed as fault:
                return str(fault)
            for one, outputs in zip(missing, made, strict=True):
                self.store.write(self._key(one), to_npz(logits=outputs))
                found[self._key(one)] = outputs
        if self.store.writing:
            self.store.supersede("reasons", found)
        for rows, one in zip(collected, wanted, strict=True):
            rows.found = found[self._key(one)]
        return ""

    def _key(self, wanted: Wanted) -> str:
        """The key of the outputs in the store, by all that decides them."""
        content = [self.config_id, wanted.split_seed, list(wanted.seeds), digest(wanted.X)]
        return f"reasons/{canonical_hash(content)[:16]}"

    def _stored(self, key: str) -> Array | None:
        """What was found before."""
        return self.store.read(key, read_logits, "the reasons of hard cases") if key in self.store else None


def affordable(confirmed: int) -> int:
    """How many fits may be made again for reasons: as many as the confirmation made, within bounds.

    The seconds they take do not count: a study would tell more or less with the load of its machine."""
    return min(max(confirmed, LEAST_FITS), MOST_FITS)
