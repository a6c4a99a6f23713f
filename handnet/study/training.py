"""What a study trains. What is stored already is read; what is missing is trained and stored."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from handnet.contract import Recipe
from handnet.data import Table
from handnet.study.analysis import TrialResult
from handnet.study.records import Records
from handnet.study.resplit import Resplit, Resplitter
from handnet.study.screen import Bar, Clock
from handnet.study.store import Finished, Store, network_key
from handnet.study.units import Replicas, concatenate, read_logits, to_npz


class Trainer:
    """Trains the networks of one study, for its only writer.

    clock: takes the seconds of each activity; check: called where the study may stop, and raises to stop it.
    """

    def __init__(
        self, records: Records, store: Store, clock: Clock, check: Callable[[], None] = lambda: None
    ) -> None:
        self.records, self.store, self.clock, self.check = records, store, clock, check
        self.settings, self.problem = records.settings, records.problem
        self.earlier: dict[str, float] = store.noted("seconds") or {}
        self.known: dict[tuple[str, tuple[int, ...]], Replicas] = {}  # read or trained by this command

    def replicas(self, recipe: Recipe, seeds: Sequence[int], label: str, bar: Bar | None = None) -> Replicas:
        """The networks of a recipe on these seeds. The bar, if any, counts networks."""
        config_id = self.problem.config_id(recipe)
        if (config_id, tuple(seeds)) not in self.known:
            blocks = self.problem.blocks(seeds)
            parts = [self._block(config_id, recipe, block, label, bar) for block in blocks]
            self.known[config_id, tuple(seeds)] = concatenate(parts)
            self.note_seconds()
        return self.known[config_id, tuple(seeds)]

    def _block(
        self, config_id: str, recipe: Recipe, block: Sequence[int], label: str, bar: Bar | None
    ) -> Replicas:
        with self.clock("store"):
            stored = self.store.replicas(config_id, [block])
        if bar:
            bar.advance(len(block) if stored else 0, label)
        if stored:
            return stored[0]
        self.check()
        with self.clock("train"):
            replicas = self.problem.fit(recipe, block)
        with self.clock("store"):
            self.store.write(network_key(config_id, block), replicas.to_npz())
        if bar:
            bar.advance(len(block), f"{label} on fresh seeds")
        return replicas

    def trials(self, trials: Iterable[Finished]) -> list[TrialResult]:
        """Each trial with the exact results its value came from."""
        seeds = self.settings.search_seeds
        return [
            TrialResult(trial, self.replicas(self.settings.recipe(**trial.params), seeds, label(trial.place)))
            for trial in trials
        ]

    def resplits(self, resplitter: Resplitter, test: Table, bar: Bar, anew: bool) -> None:
        """Train the winner's streams, and the frozen configurations on each fresh division.

        anew: also search anew on each. The bar counts them all."""
        key, splits = resplitter.streams_key(), self.settings.split_seeds
        if self.store.read(key, read_logits, "") is None:
            with self.clock("rehearse"):
                logits = resplitter.streams(test)
            self._write(key, to_npz(logits=logits))
        bar.advance(1, "the winner's streams")
        frozen = [(resplitter.split_key(seed), seed) for seed in splits]
        self._divisions(frozen, resplitter.frozen_on, bar, "split {}")
        if anew:
            searched = [(resplitter.anew_key(seed), seed) for seed in splits]
            make = partial(resplitter.anew_on, check=self.check)
            self._divisions(searched, make, bar, "split {}, searched anew")

    def _divisions(
        self, wanted: Sequence[tuple[str, int]], make: Callable[[int], Resplit], bar: Bar, news: str
    ) -> None:
        """Make the divisions with these keys and split seeds that are not stored.

        Several are made at a time; they are written in order."""
        missing = [(key, seed) for key, seed in wanted if self.store.read(key, Resplit.from_npz, "") is None]
        bar.advance(len(wanted) - len(missing), "stored")
        made = self.problem.each([partial(make, seed) for _, seed in missing])
        for key, seed in missing:
            with self.clock("rehearse"):
                division = next(made)
            self._write(key, division.to_npz())
            bar.advance(1, news.format(seed))

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
