"""After the opening: the frozen configurations on fresh divisions of the whole table.

The sealed test says what one split says. How far another split moves the numbers can only be seen on fresh
divisions of all rows. These hold rows of the sealed test, so none is made before the opening, and nothing is
chosen by them.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from handnet.data import Array, Dataset, Table, canonical_hash
from handnet.messages import Refusal, option
from handnet.models.model import Model
from handnet.splits import split
from handnet.study.configuration import Candidate
from handnet.study.division import Resplit, fit_on, frozen_on, rows_of
from handnet.study.executor import Call
from handnet.study.networks import Replicas, mask_diverged
from handnet.study.rivals import identity
from handnet.study.sealed import Opening
from handnet.study.settings import Settings
from handnet.study.units import Problem, Unit


@dataclass(frozen=True)
class Resplits:
    """All fresh divisions of a study, and the winner's streams on the study's own split.

    streams: (levels^3, n_test) logits, in the order of `stream_seeds`; None of a winner that is no network by
    hand, whose seed has no streams.
    """

    divisions: tuple[Resplit, ...]
    streams: Array | None

    def joined(self, anew: Sequence[Resplit]) -> "Resplits":
        """With what the search, made anew, gave on the same divisions."""
        more = {resplit.split_seed: resplit for resplit in anew}
        divisions = tuple(
            dataclasses.replace(
                one, logits={**one.logits, **other.logits}, chosen=other.chosen, fault=other.fault
            )
            if (other := more.get(one.split_seed))
            else one
            for one in self.divisions
        )
        return dataclasses.replace(self, divisions=divisions)


class Work(NamedTuple):
    """A division that is to be: the key of its result, its name, what makes it, and what joins the parts."""

    key: str
    news: str
    calls: Sequence[Call]
    join: Callable[[Sequence[Any]], Resplit]


@dataclass(frozen=True)
class Resplitter:
    """The fresh divisions of one study, whose test is open: `opening` is the record of it."""

    settings: Settings
    problem: Problem
    frozen: Sequence[Candidate]
    opening: Opening

    def split_key(self, split_seed: int) -> str:
        """The key of a division, by all that decides its content: equal keys, equal results."""
        configs = [
            [candidate.role, self.problem.config_id(candidate.configuration)] for candidate in self.frozen
        ]
        methods = identity(self.settings.rivals.boosting)
        return f"split/{_hashed(configs, methods, list(self.settings.rehearsal_seeds))}/{split_seed}"

    def anew_key(self, split_seed: int) -> str:
        """The key of the search made anew on a division, by all that decides its content."""
        identity = self.settings.identity()
        search = [identity["search"], identity["space"], identity["network"], self.settings.trials]
        search += [identity[key] for key in ("fixed", "models") if key in identity]
        content = _hashed(search, self.problem.identity, list(self.settings.rehearsal_seeds))
        return f"ideal/{content}/{split_seed}"

    def streams_key(self) -> str:
        """The key of the winner's streams, by all that decides their content."""
        config_id = self.problem.config_id(self.frozen[0].configuration)
        return f"streams/{_hashed(config_id, stream_seeds(self.settings))}"

    def frozen_work(self, models: Mapping[str, Model]) -> Iterator[Work]:
        """The frozen configurations on each division. models: all but the network by hand, by name."""
        networks = tuple(one for one in self.frozen if one.configuration.is_mlp)
        others = [one for one in self.frozen if not one.configuration.is_mlp]
        for split_seed in self.settings.split_seeds:
            calls: list[Call] = [(frozen_on, self.problem.data.digest, self.settings, networks, split_seed)]
            for one in others:
                model, params = models[one.configuration.model], one.configuration.params
                asked = fit_on, self.problem.data.digest, self.settings, model, params, split_seed
                calls += [(*asked, seed) for seed in self.seeds(model)]
            counts = [len(self.seeds(models[one.configuration.model])) for one in others]
            join = partial(self._joined, others, counts)
            yield Work(self.split_key(split_seed), f"split {split_seed}", calls, join)

    def seeds(self, model: Model) -> Sequence[int]:
        """The seeds a model is fitted with on each division."""
        return self.settings.rehearsal_seeds if model.seeded else self.settings.rehearsal_seeds[:1]

    def _joined(self, others: Sequence[Candidate], counts: Sequence[int], results: Sequence[Any]) -> Resplit:
        """One division with the outputs of all frozen configurations, in their order."""
        base, *rest = results
        logits, given = dict(base.logits), iter(rest)
        for one, count in zip(others, counts, strict=True):
            outputs = [next(given) for _ in range(count)]
            logits[one.role] = rows_of(outputs, len(base.y), self.problem.task)
        winner = base.winner
        if winner and not winner.layers:  # the seeds that were not lost
            sound = np.isfinite(logits["winner"].reshape(len(logits["winner"]), -1)).all(axis=1)
            seeds = tuple(np.array(self.settings.rehearsal_seeds)[: len(sound)][sound].tolist())
            winner = dataclasses.replace(winner, seeds=seeds)
        order = [candidate.role for candidate in self.frozen]
        order += [role for role in logits if role not in order]
        ordered = {role: logits[role] for role in order}
        return dataclasses.replace(base, logits=ordered, winner=winner)

    def stream_units(self) -> list[Unit]:
        """The winner with each of `stream_seeds`; nothing where it is no network by hand."""
        winner = self.frozen[0].configuration
        if not winner.is_mlp:
            return []
        blocks = self.problem.blocks(winner, stream_seeds(self.settings))
        return [self.problem.unit(winner.recipe, block) for block in blocks]

    def streams(self, replicas: Replicas, test: Table) -> Array:
        """(levels^3, n) logits on the study's test rows. replicas: of `stream_units`, in their order."""
        return _logits(self.problem, replicas, test)


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
    """Every triple of seeds, one for each stream, of the `levels` first rehearsal seeds."""
    seeds = range(settings.rehearsal.first_seed, settings.rehearsal.first_seed + settings.rehearsal.levels)
    return list(itertools.product(seeds, seeds, seeds))


def _logits(problem: Problem, replicas: Replicas, test: Table) -> Array:
    """(R, n) on test rows, NaN for a replica that diverged."""
    return mask_diverged(replicas, problem.outputs(replicas.fit.layers, test.X))


def _hashed(*content: object) -> str:
    return canonical_hash(content)[:16]
