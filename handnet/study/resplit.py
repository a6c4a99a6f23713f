"""After the opening: the frozen configurations on fresh divisions of the whole table.

The sealed test says what one split says. How far another split moves the numbers can only be seen on fresh
divisions of all rows. These hold rows of the sealed test, so none is made before the opening, and nothing is
chosen by them.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.contract import Layer
from handnet.data import Array, Dataset, Table, canonical_hash
from handnet.messages import Refusal, option
from handnet.splits import split
from handnet.study.executor import Call, abandoned, held
from handnet.study.networks import Replicas, from_npz, layer_parts, layers_of, mask_diverged, to_npz
from handnet.study.rivals import identity, rivals
from handnet.study.sealed import Opening
from handnet.study.search import search_of
from handnet.study.settings import Settings
from handnet.study.summary import objective
from handnet.study.units import Candidate, Problem, Unit, load_problem

SEARCHED_ANEW = "searched anew"  # the role of what the search chooses when it is repeated on a fresh division


@dataclass(frozen=True)
class Trained:
    """The winner's sound networks of one division, and what they were trained on.

    layers: empty where no weights are kept; train_rows: (n_train,) row numbers in the table; mean, scale:
    (inputs,), of the scaler; seeds: (R,) where no weights are kept, else empty.
    """

    layers: tuple[Layer, ...]
    train_rows: Array
    mean: Array
    scale: Array
    seeds: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """How many networks there are."""
        return len(self.layers[0].weight) if self.layers else len(self.seeds)

    def parts(self) -> dict[str, Array]:
        """As named arrays."""
        scaler = {"mean": self.mean, "scale": self.scale}
        seeds = {"seeds": np.array(self.seeds)} if self.seeds else {}
        return {"train_rows": self.train_rows, **scaler, **layer_parts(self.layers), **seeds}

    @staticmethod
    def from_parts(parts: Mapping[str, Array]) -> "Trained":
        """What `parts` gave."""
        seeds = tuple(int(seed) for seed in parts.get("seeds", ()))
        return Trained(layers_of(parts), parts["train_rows"], parts["mean"], parts["scale"], seeds)


@dataclass(frozen=True)
class Resplit:
    """What every configuration gave on the test rows of one fresh division.

    y: (n,); logits: role -> (R, n), one row for a method without a seed, NaN for a replica that diverged;
    ratio: n_test / (n - n_test); winner: None for a search made anew; chosen: the point that the search chose
    when it was made anew, None where it was not; groups: (n,) int, None where every case is its own.
    """

    split_seed: int
    y: Array
    ratio: float
    logits: Mapping[str, Array]
    winner: Trained | None = None
    chosen: Mapping[str, Any] | None = None
    groups: Array | None = None

    def to_npz(self) -> bytes:
        """As an .npz file, exact to the bit. Roles are stored as content, because users name them."""
        parts = {f"logits_{place}": logits for place, logits in enumerate(self.logits.values())}
        head = {"split_seed": np.array(self.split_seed), "y": self.y, "ratio": np.array(self.ratio)}
        winner = self.winner.parts() if self.winner else {}
        chosen = {} if self.chosen is None else {"chosen": np.array(json.dumps(dict(self.chosen)))}
        groups = {} if self.groups is None else {"groups": self.groups}
        return to_npz(**head, roles=np.array(list(self.logits)), **parts, **winner, **chosen, **groups)

    @staticmethod
    def from_npz(content: bytes) -> "Resplit":
        """What `to_npz` wrote. Raises ValueError or KeyError when it is something else."""
        parts = from_npz(content)
        logits = {str(role): parts[f"logits_{place}"] for place, role in enumerate(parts["roles"])}
        winner = Trained.from_parts(parts) if "train_rows" in parts else None
        chosen = json.loads(str(parts["chosen"])) if "chosen" in parts else None
        head = int(parts["split_seed"]), parts["y"], float(parts["ratio"])
        return Resplit(*head, logits, winner, chosen, parts.get("groups"))


def outputs_of(role: str, divisions: Sequence[Resplit]) -> list[tuple[Array, Array]]:
    """The outputs (R, n) or (R, n, k) of a configuration on each division that has it, with y (n,)."""
    return [(one.logits[role], one.y) for one in divisions if role in one.logits]


@dataclass(frozen=True)
class Resplits:
    """All fresh divisions of a study, and the winner's streams on the study's own split.

    streams: (levels^3, n_test) logits, in the order of `stream_seeds`.
    """

    divisions: tuple[Resplit, ...]
    streams: Array

    def joined(self, anew: Sequence[Resplit]) -> "Resplits":
        """With what the search, made anew, gave on the same divisions."""
        more = {resplit.split_seed: resplit for resplit in anew}
        divisions = tuple(
            dataclasses.replace(one, logits={**one.logits, **other.logits}, chosen=other.chosen)
            if (other := more.get(one.split_seed))
            else one
            for one in self.divisions
        )
        return dataclasses.replace(self, divisions=divisions)


@dataclass(frozen=True)
class Resplitter:
    """The fresh divisions of one study, whose test is open: `opening` is the record of it."""

    settings: Settings
    problem: Problem
    frozen: Sequence[Candidate]
    opening: Opening

    def split_key(self, split_seed: int) -> str:
        """The key of a division, by all that decides its content: equal keys, equal results."""
        configs = [[candidate.role, self.problem.config_id(candidate.recipe)] for candidate in self.frozen]
        methods = identity(self.settings.rivals.boosting)
        return f"split/{_hashed(configs, methods, list(self.settings.rehearsal_seeds))}/{split_seed}"

    def anew_key(self, split_seed: int) -> str:
        """The key of the search made anew on a division, by all that decides its content."""
        identity = self.settings.identity()
        fixed = [identity["fixed"]] if "fixed" in identity else []
        search = [identity["search"], identity["space"], identity["network"], self.settings.trials, *fixed]
        content = _hashed(search, self.problem.identity, list(self.settings.rehearsal_seeds))
        return f"ideal/{content}/{split_seed}"

    def streams_key(self) -> str:
        """The key of the winner's streams, by all that decides their content."""
        config_id = self.problem.config_id(self.frozen[0].recipe)
        return f"streams/{_hashed(config_id, stream_seeds(self.settings))}"

    def frozen_calls(self) -> Iterator[tuple[str, str, Call]]:
        """For each division the key of the frozen configurations on it, a name, and what makes them."""
        for seed in self.settings.split_seeds:
            call = frozen_on, self.problem.data.digest, self.settings, tuple(self.frozen), seed
            yield self.split_key(seed), f"split {seed}", call

    def anew_calls(self) -> Iterator[tuple[str, str, Call]]:
        """For each division the key of the search made anew on it, a name, and what makes it."""
        for seed in self.settings.split_seeds:
            call = search_on, self.problem.data.digest, self.settings, seed
            yield self.anew_key(seed), f"split {seed}, searched anew", call

    def stream_units(self) -> list[Unit]:
        """The winner with each of `stream_seeds`."""
        blocks = self.problem.blocks(stream_seeds(self.settings))
        return [self.problem.unit(self.frozen[0].recipe, block) for block in blocks]

    def streams(self, replicas: Replicas, test: Table) -> Array:
        """(levels^3, n) logits on the study's test rows. replicas: of `stream_units`, in their order."""
        return _logits(self.problem, replicas, test)


def frozen_on(data: str, settings: Settings, frozen: Sequence[Candidate], split_seed: int) -> Resplit:
    """The frozen configurations and the rivals on one division; FixHOptEst, Bouthillier 2021.

    data: the digest of the whole table, which the worker holds."""
    problem, test = _divided(data, settings, split_seed)
    seeds = settings.rehearsal_seeds
    fits = {candidate.role: problem.fit(candidate.recipe, seeds) for candidate in frozen}
    logits = {role: _logits(problem, replicas, test) for role, replicas in fits.items()}
    parts, sound = problem.parts, fits["winner"].pick(fits["winner"].sound)
    methods = rivals(problem.task, parts.train, parts.val, settings.rivals.boosting)
    logits |= {rival.role: rival.outputs(test.X)[None] for rival in methods}
    alone = () if sound.fit.layers else sound.seeds
    winner = Trained(sound.fit.layers, parts.train_rows, parts.mean, parts.scale, alone)
    ratio, groups = _ratio(problem, test), parts.groups("test")
    return Resplit(split_seed, test.y, ratio, logits, winner, groups=groups)


def search_on(data: str, settings: Settings, split_seed: int) -> Resplit | None:
    """The whole search repeated on one division, its winner graded on the division's test.

    This is IdealEst of Bouthillier et al. 2021, which pays for the choice too. None when every configuration
    diverged. data: the digest of the whole table, which the worker holds."""
    problem, test = _divided(data, settings, split_seed)
    search, y = search_of(settings), problem.parts.val.y
    for place in range(settings.trials):
        if abandoned():
            return None
        params = search.propose(place)
        replicas = problem.fit(settings.recipe(params), settings.search_seeds)
        value = objective(problem.task, replicas, y)
        search.tell(search.finish(place, params, value, "", int((~replicas.sound).sum())))
    winner = search.winner(settings.trials)
    if winner is None:
        return None
    replicas = problem.fit(settings.recipe(winner.params), settings.rehearsal_seeds)
    logits = {SEARCHED_ANEW: _logits(problem, replicas, test)}
    return Resplit(split_seed, test.y, _ratio(problem, test), logits, chosen=winner.params)


def _divided(data: str, settings: Settings, split_seed: int) -> tuple[Problem, Table]:
    """The problem on a fresh division, and the division's test rows."""
    table: Dataset = held(data)  # since the ledger says that all rows are divided anew
    parts = split(table, **{**vars(settings.split), "seed": split_seed})
    return load_problem(settings, table, parts), parts.test.open(lambda rows: rows)


def check_divisions(settings: Settings, data: Dataset) -> None:
    """That the table can be divided by every split seed, before anything is opened. Raises Refusal."""
    for split_seed in settings.split_seeds:
        try:
            split(data, **{**vars(settings.split), "seed": split_seed})
        except ValueError as fault:
            raise Refusal(
                f"the table cannot be divided anew with split seed {split_seed}: {fault} Nothing was opened;"
                f" {option('splits', 0)} leaves the fresh divisions out."
            ) from None


def stream_seeds(settings: Settings) -> list[tuple[int, int, int]]:
    """Every (init, order, dropout) triple of the `levels` first rehearsal seeds."""
    seeds = range(settings.rehearsal.first_seed, settings.rehearsal.first_seed + settings.rehearsal.levels)
    return list(itertools.product(seeds, seeds, seeds))


def _logits(problem: Problem, replicas: Replicas, test: Table) -> Array:
    """(R, n) on test rows, NaN for a replica that diverged."""
    return mask_diverged(replicas, problem.outputs(replicas.fit.layers, test.X))


def _ratio(problem: Problem, test: Table) -> float:
    """n_test / (n - n_test): `handnet.bands.compare.nadeau_bengio` says why the validation rows count."""
    return len(test.y) / (len(problem.data.y) - len(test.y))


def _hashed(*content: object) -> str:
    return canonical_hash(content)[:16]
