"""What a study trains. What is stored already is read; what is missing is trained and stored."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from handnet.contract import Recipe
from handnet.data import Table
from handnet.study.analysis import TrialResult
from handnet.study.mlflow_tables import Entry
from handnet.study.records import Records, read_resplit, read_streams
from handnet.study.resplit import Resplitter
from handnet.study.screen import Bar, Clock
from handnet.study.search import Finished
from handnet.study.store import Store
from handnet.study.units import Replicas, concatenate

TOGETHER = 20  # networks written in one transaction


class Trainer:
    """Trains the networks of one study, for its only writer.

    clock: takes the seconds of each activity; check: called where the study may stop, and raises to stop it.
    """

    def __init__(
        self, records: Records, store: Store, clock: Clock, check: Callable[[], None] = lambda: None
    ) -> None:
        self.records, self.store, self.clock, self.check = records, store, clock, check
        self.settings, self.problem = records.settings, records.problem
        self.earlier: dict[str, float] = json.loads(store.noted("seconds") or "{}")
        self.known: dict[tuple[str, tuple[int, ...]], Replicas] = {}  # read or trained by this command

    def replicas(self, recipe: Recipe, seeds: Sequence[int], label: str, bar: Bar | None = None) -> Replicas:
        """The networks of a recipe on these seeds. The bar, if any, counts networks."""
        config_id = self.problem.config_id(recipe)
        if (config_id, tuple(seeds)) in self.known:
            return self.known[config_id, tuple(seeds)]
        with self.clock("track"):
            networks = self.store.replicas(config_id, seeds)
        missing = [seed for seed in seeds if seed not in networks]
        if bar:
            bar.advance(len(networks), label)
        for stack in self.problem.stacks(seeds, missing):
            with self.clock("train"):
                trained = self.problem.fit(recipe, stack)
            new = {seed: trained.one(place) for place, seed in enumerate(stack) if seed not in networks}
            self._write_networks(list(new.values()), recipe, label, bar)
            networks |= new
        self.known[config_id, tuple(seeds)] = concatenate(list(networks.values()))
        return self.known[config_id, tuple(seeds)]

    def _write_networks(self, networks: list[Replicas], recipe: Recipe, label: str, bar: Bar | None) -> None:
        for start in range(0, len(networks), TOGETHER):
            batch = networks[start : start + TOGETHER]
            self.check()
            with self.clock("track"):
                self.store.write_together([self.records.seed(network, recipe, label) for network in batch])
            if bar:
                bar.advance(len(batch), f"{label} on fresh seeds")
        self.note_seconds()

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
        if read_streams(self.store, key) is None:
            with self.clock("rehearse"):
                logits = resplitter.streams(test)
            self._write(self.records.streams(key, logits))
        bar.advance(1, "the winner's streams")
        frozen = [(resplitter.split_key(seed), seed) for seed in splits]
        self._divisions(frozen, lambda seed: (resplitter.frozen_on(seed),), bar, "split {}")
        if anew:
            searched = [(resplitter.anew_key(seed), seed) for seed in splits]
            make = partial(resplitter.anew_on, check=self.check)
            self._divisions(searched, make, bar, "split {}, searched anew")

    def _divisions(
        self, wanted: Sequence[tuple[str, int]], make: Callable[[int], tuple[Any, ...]], bar: Bar, news: str
    ) -> None:
        """Make the divisions with these keys and split seeds that are not stored.

        Several are made at a time; they are written in order."""
        missing = [(key, seed) for key, seed in wanted if read_resplit(self.store, key) is None]
        bar.advance(len(wanted) - len(missing), "stored")
        made = self.problem.each([partial(make, seed) for _, seed in missing])
        for key, seed in missing:
            with self.clock("rehearse"):
                division = next(made)
            self._write(self.records.resplit(key, *division))
            bar.advance(1, news.format(seed))

    def _write(self, entry: Entry) -> None:
        self.check()
        with self.clock("track"):
            self.store.write(entry)
        self.note_seconds()

    def note_seconds(self) -> None:
        """Store the seconds of each activity, over all commands that worked on this study until now."""
        now = self.clock.seconds
        seconds = {
            name: round(self.earlier.get(name, 0.0) + now.get(name, 0.0), 1)
            for name in {**self.earlier, **now}
        }
        with self.clock("track"):
            self.store.note("seconds", json.dumps(seconds))


def label(place: int) -> str:
    """What a trial is called, from its place in the order of completion (from 0)."""
    return f"trial {place + 1:02d}"
