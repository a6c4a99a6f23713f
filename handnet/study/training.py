"""What a study trains. What is stored already is read; what is missing is trained and stored."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from handnet.contract import Recipe
from handnet.data import Table
from handnet.messages import Refusal, option
from handnet.study.analysis import TrialResult
from handnet.study.executor import Workers, in_order
from handnet.study.networks import Replicas, concatenate, read_logits, to_npz
from handnet.study.records import Records
from handnet.study.resplit import Resplit, Resplitter
from handnet.study.screen import Bar, Clock
from handnet.study.store import Finished, Store, network_key
from handnet.study.units import Unit, train


class Job(NamedTuple):
    """A configuration to be trained on some seeds, and what it is called on the screen."""

    recipe: Recipe
    seeds: Sequence[int]
    label: str


class Trainer:
    """Trains the networks of one study, for its only writer.

    clock: takes the seconds of each activity; check: called where the study may stop, and raises to stop it.
    """

    def __init__(
        self,
        records: Records,
        store: Store,
        workers: Workers,
        clock: Clock,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.records, self.store, self.workers = records, store, workers
        self.clock, self.check = clock, check
        self.settings, self.problem = records.settings, records.problem
        self.earlier = store.seconds()
        self.known: dict[str, Replicas] = {}  # by key: the blocks that this command has read or trained
        workers.hold(*self.problem.rows)

    def networks(self, jobs: Iterable[Job], bar: Bar | None = None) -> Iterator[Replicas]:
        """The networks of each job, in order. The bar, if any, counts networks.

        All blocks of seeds that are not stored go to the workers; each is stored when its turn comes."""
        planned = [(job, self._units(job)) for job in jobs]
        missing = {
            key: unit for _, units in planned for key, unit in units.items() if not self._read(key, unit)
        }
        made = in_order(self.workers, ((train, unit) for unit in missing.values()), self.check)
        for job, units in planned:
            for key, unit in units.items():
                if key not in self.known:
                    self._store(key, made)
                if bar:
                    bar.advance(
                        len(unit.seeds), f"{job.label} on fresh seeds" if key in missing else job.label
                    )
            if missing.keys() & units.keys():
                self.note_seconds()
            yield concatenate([self.known[key] for key in units])

    def _units(self, job: Job) -> dict[str, Unit]:
        """The units of a job, by the keys of their results."""
        config_id, blocks = self.problem.config_id(job.recipe), self.problem.blocks(job.seeds)
        return {network_key(config_id, block): self.problem.unit(job.recipe, block) for block in blocks}

    def _read(self, key: str, unit: Unit) -> bool:
        """Read the networks of a unit if they are stored. Returns whether they are known."""
        if key not in self.known:
            with self.clock("store"):
                stored = self.store.replicas(self.problem.config_id(unit.recipe), [unit.seeds])
            self.known.update(zip([key], stored, strict=False))
        return key in self.known

    def _store(self, key: str, made: Iterator[Replicas]) -> None:
        """Store the next networks."""
        with self.clock("train"):
            self.known[key] = next(made)
        with self.clock("store"):
            self.store.write(key, self.known[key].to_npz())
        self.check()

    def trials(self, trials: Sequence[Finished]) -> list[TrialResult]:
        """Each trial with the exact results its value came from."""
        seeds = self.settings.search_seeds
        jobs = [Job(self.settings.recipe(trial.params), seeds, label(trial.place)) for trial in trials]
        return [TrialResult(*pair) for pair in zip(trials, self.networks(jobs), strict=True)]

    def resplits(self, resplitter: Resplitter, test: Table, bar: Bar, anew: bool) -> None:
        """Train the winner's streams, and the frozen configurations on each fresh division.

        anew: also search anew on each. The bar counts them all."""
        self.workers.hold(self.problem.data.digest, self.problem.data)
        wanted = [*resplitter.frozen_calls(), *(resplitter.anew_calls() if anew else ())]
        missing = [one for one in wanted if self.store.read(one[0], Resplit.from_npz, "") is None]
        units, key = resplitter.stream_units(), resplitter.streams_key()
        if self.store.read(key, read_logits, "") is not None:
            units = []
        calls = [*((train, unit) for unit in units), *(call for _, _, call in missing)]
        made = in_order(self.workers, calls, self.check)
        if units:
            with self.clock("rehearse"):
                logits = resplitter.streams(concatenate([next(made) for _ in units]), test)
            self._write(key, to_npz(logits=logits))
        bar.advance(1 + len(wanted) - len(missing), "the winner's streams")
        for key, news, _ in missing:
            with self.clock("rehearse"):
                division: Resplit | None = next(made)
            if division is None:
                leave_out = option("ideal", False)
                raise Refusal(
                    f"{news}: every configuration diverged; {leave_out} leaves these searches out.", 1
                )
            self._write(key, division.to_npz())
            bar.advance(1, news)

    def _write(self, key: str, content: bytes) -> None:
        self.check()
        with self.clock("store"):
            self.store.write(key, content)
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
