"""What a study trains. What is stored already is read; what is missing is trained and stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handnet.data import Array, Table
from handnet.messages import Refusal
from handnet.models.model import Model
from handnet.study.analysis import TrialResult
from handnet.study.anew import anew_work
from handnet.study.configuration import Candidate, Configuration, configure
from handnet.study.division import Resplit
from handnet.study.executor import Call, Lost, Workers, in_order
from handnet.study.fits import (
    ModelUnit,
    fit_again,
    fit_model,
    further_rows,
    lost,
    model_rows,
    nearly_equal,
    restore,
)
from handnet.study.losses import fit_words
from handnet.study.networks import Replicas, concatenate, read_logits, read_outputs, to_npz
from handnet.study.records import Records
from handnet.study.resplit import Resplitter
from handnet.study.screen import Bar, Clock
from handnet.study.store import Finished, Store, network_key
from handnet.study.units import train

CHECKED = 8  # seeds of a frozen configuration that are fitted again before the test is opened


class Job(NamedTuple):
    """A configuration to be trained on some seeds, and what it is called on the screen."""

    configuration: Configuration
    seeds: Sequence[int]
    label: str


class Planned(NamedTuple):
    """A unit of a job: what trains it, on which seeds, for which configuration."""

    call: Call
    seeds: Sequence[int]
    config_id: str


class Trainer:
    """Trains the models of one study, for its only writer.

    models: by name, all but the network by hand; clock: takes the seconds of each activity; check: called
    where the study may stop, and raises to stop it.
    """

    def __init__(
        self,
        records: Records,
        store: Store,
        workers: Workers,
        clock: Clock,
        check: Callable[[], None] = lambda: None,
        models: Mapping[str, Model] | None = None,
    ) -> None:
        self.records, self.store, self.workers = records, store, workers
        self.clock, self.check, self.models = clock, check, models or {}
        self.settings, self.problem = records.settings, records.problem
        self.earlier = store.seconds()
        self.made = 0  # results that this command computed and stored, all others were there
        self.known: dict[str, Replicas] = {}  # by key: the blocks that this command has read or trained
        workers.hold(*self.problem.rows)
        for inputs in {model.inputs for model in self.models.values()}:
            workers.hold(self._rows_named(inputs), model_rows(self.problem, inputs))

    def networks(self, jobs: Iterable[Job], bar: Bar | None = None) -> Iterator[Replicas]:
        """The replicas of each job, in order. The bar, if any, counts them.

        All blocks of seeds that are not stored go to the workers; each is stored when its turn comes."""
        planned = [(job, self._planned(job)) for job in jobs]
        missing = {
            key: unit for _, units in planned for key, unit in units.items() if not self._read(key, unit)
        }
        made = in_order(self.workers, (unit.call for unit in missing.values()), self.check)
        for job, units in planned:
            for key, unit in units.items():
                if key not in self.known:
                    self._store(key, unit, made)
                if bar:
                    bar.advance(
                        len(unit.seeds), f"{job.label} on fresh seeds" if key in missing else job.label
                    )
            if missing.keys() & units.keys():
                self.note_seconds()
            yield concatenate([self.known[key] for key in units])

    def _planned(self, job: Job) -> dict[str, Planned]:
        """The units of a job, by the keys of their results."""
        problem, configuration = self.problem, job.configuration
        config_id = problem.config_id(configuration)
        planned = {}
        for block in problem.blocks(configuration, job.seeds):
            if configuration.is_mlp:
                call: Call = (train, problem.unit(configuration.recipe, block))
            else:
                call = (fit_model, self.unit(configuration, block[0]))
            planned[network_key(config_id, block)] = Planned(call, block, config_id)
        return planned

    def unit(self, configuration: Configuration, seed: int) -> ModelUnit:
        """One seed of a model other than the network by hand."""
        model = self.models[configuration.model]
        rows, classes = self._rows_named(model.inputs), self.problem.task.classes
        return ModelUnit(model, configuration.params, seed, rows, classes)

    def _rows_named(self, inputs: str) -> str:
        """What the workers hold the rows of such models under."""
        return f"{self.problem.data.digest}/{self.problem.parts.digest}/{inputs}"

    def _read(self, key: str, unit: Planned) -> bool:
        """Read the networks of a unit if they are stored. Returns whether they are known."""
        if key not in self.known:
            with self.clock("store"):
                stored = self.store.replicas(unit.config_id, [unit.seeds])
            self.known.update(zip([key], stored, strict=False))
        return key in self.known

    def _store(self, key: str, unit: Planned, made: Iterator[Any]) -> None:
        """Store the next replicas, or that they were lost."""
        with self.clock("train"):
            found = next(made)
        if isinstance(found, Lost):
            found = lost(unit.call[1], self._shape(), str(found))
        self.known[key] = found
        with self.clock("store"):
            self.store.write(key, self.known[key].to_npz())
        self.made += 1
        self.check()

    def _shape(self) -> tuple[int, ...]:
        """That of one replica's outputs on the validation rows."""
        outputs = self.problem.task.outputs
        return (len(self.problem.parts.val_rows), *([outputs] if outputs > 1 else []))

    def trials(self, model: str, trials: Sequence[Finished]) -> list[TrialResult]:
        """Each trial of a model with the exact results its value came from."""
        tried = [configure(self.settings, model, trial.params) for trial in trials]
        jobs = [
            Job(configuration, self.settings.search_seeds, label(trial.place))
            for configuration, trial in zip(tried, trials, strict=True)
        ]
        found = zip(trials, self.networks(jobs), tried, strict=True)
        return [TrialResult(*one) for one in found]

    def check_without_seed(self, frozen: Sequence[Candidate], networks: Sequence[Replicas]) -> None:
        """That models which take no seed gave the same outputs in the search and when they were confirmed,
        where their global generators started from other seeds.

        Raises Refusal for the first that did not: what is random in it would be taken for what it is."""
        for candidate, replicas in zip(frozen, networks, strict=True):
            configuration = candidate.configuration
            if self.problem.seeded(configuration):
                continue
            (searched,) = self.networks([Job(configuration, self.settings.search_seeds, candidate.role)])
            both = searched.sound[0] and replicas.sound[0]
            if both and not nearly_equal(replicas.val_logits, searched.val_logits):
                raise Refusal(
                    f"nothing in {configuration.model} has a random_state or takes a seed, but two seeds gave"
                    " other outputs, so nothing was opened; give its random parts a random_state, or write it"
                    " as call: with an argument seed.",
                    1,
                )

    def check_repeatable(self, frozen: Sequence[Candidate], networks: Sequence[Replicas]) -> None:
        """That models which keep nothing give the same outputs again, before the test is opened.

        Raises Refusal for the first that does not."""
        calls, told = [], []
        for candidate, replicas in zip(frozen, networks, strict=True):
            configuration = candidate.configuration
            if configuration.is_mlp or self.models[configuration.model].keeps_arrays:
                continue
            rows = further_rows(
                self.problem.parts, self.models[configuration.model].inputs, self.problem.parts.val_rows[:1]
            )
            for place in np.flatnonzero(replicas.sound)[:CHECKED]:
                seed = replicas.seeds[place]
                unit, stored = self.unit(configuration, seed), replicas.val_logits[[place]]
                calls.append((fit_again, unit, stored, rows))
                told.append(fit_words(configuration, seed))
        for what, found in zip(told, in_order(self.workers, calls, self.check), strict=True):
            if isinstance(found, Lost):
                raise Refusal(
                    f"{what}: {found}; its outputs on the test could not be trusted, so nothing was"
                    " opened. Fix what is random in it: a random_state, a generator, the number of threads.",
                    1,
                )

    def on_test(
        self, candidate: Candidate, replicas: Replicas, test: Table, opening: str
    ) -> tuple[Array, Sequence[str]]:
        """The outputs (R, n) or (R, n, k) of a frozen configuration on the opened test, and (R,) a sentence
        on each replica that gave none, which is empty for the others."""
        configuration = candidate.configuration
        if configuration.is_mlp:
            return self.problem.outputs(replicas.fit.layers, test.X), ()
        key = f"test/{opening}/{self.problem.config_id(configuration)}"
        stored = self.store.read(key, read_outputs, "")
        if stored is not None and len(stored[0]) == len(replicas.seeds):
            return stored
        model, parts = self.models[configuration.model], self.problem.parts
        X = further_rows(parts, model.inputs, parts.test_rows)
        sound = np.flatnonzero(replicas.sound)
        calls = [self.asked(configuration, replicas, int(place), X) for place in sound]
        shape = (len(replicas.seeds), len(test.y), *self._shape()[1:])
        outputs, faults = np.full(shape, np.nan), [*replicas.faults]
        for place, found in zip(sound, in_order(self.workers, calls, self.check), strict=True):
            if isinstance(found, Lost):
                faults[place] = str(found)
            else:
                outputs[place] = found[0]
        self._write(key, to_npz(logits=outputs, faults=np.array(faults, dtype="U")))
        return outputs, faults

    def asked(self, configuration: Configuration, replicas: Replicas, place: int, X: Any) -> Call:
        """What gives the outputs of one replica for rows X."""
        unit = self.unit(configuration, replicas.seeds[place])
        if replicas.arrays:
            return (restore, unit, replicas.one(place).arrays, X)
        return (fit_again, unit, replicas.val_logits[[place]], X)

    def resplits(self, resplitter: Resplitter, test: Table, bar: Bar, anew: bool) -> None:
        """Train the winner's streams, and the frozen configurations on each fresh division.

        anew: also search anew on each. The bar counts them all."""
        self.workers.hold(self.problem.data.digest, self.problem.data)

        def run(calls: Iterable[Call]) -> Iterator[Any]:
            return in_order(self.workers, calls, self.check)

        wanted = [*resplitter.frozen_work(self.models)]
        wanted += anew_work(resplitter, self.models, run) if anew else ()
        missing = [one for one in wanted if self.store.read(one.key, Resplit.from_npz, "") is None]
        units, key = resplitter.stream_units(), resplitter.streams_key()
        if units and self.store.read(key, read_logits, "") is not None:
            units = []
        made = run([*((train, unit) for unit in units), *(call for one in missing for call in one.calls)])
        if units:
            with self.clock("rehearse"):
                logits = resplitter.streams(concatenate([next(made) for _ in units]), test)
            self._write(key, to_npz(logits=logits))
        bar.advance(1 + len(wanted) - len(missing), "the winner's streams")
        for one in missing:
            with self.clock("rehearse"):
                division = one.join([next(made) for _ in one.calls])
            self._write(one.key, division.to_npz())
            bar.advance(1, one.news)

    def _write(self, key: str, content: bytes) -> None:
        self.check()
        with self.clock("store"):
            self.store.write(key, content)
        self.made += 1
        self.note_seconds()

    def note_seconds(self) -> None:
        """Store the seconds of each activity, over all commands that worked on this study until now."""
        now = self.clock.seconds
        seconds = {
            name: round(self.earlier.get(name, 0.0) + now.get(name, 0.0), 1)
            for name in {**self.earlier, **now}
        }
        with self.clock("store"):
            self.store.note("seconds", seconds)


def label(place: int) -> str:
    """What a trial is called, from its place in the order of completion (from 0)."""
    return f"trial {place + 1:02d}"
