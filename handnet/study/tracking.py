"""A study gets to its trackers: beside training, never ahead of the store, and anew from the store alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import NamedTuple

from handnet.contract import Recipe
from handnet.messages import Refusal, command, redacted
from handnet.study.analysis import Analysis
from handnet.study.folder import write_whole
from handnet.study.outcome import Outcome
from handnet.study.reading import from_stored
from handnet.study.records import Records
from handnet.study.runs import Experiment, Pending, Runs
from handnet.study.screen import Screen
from handnet.study.search import Search, write_journal
from handnet.study.store import Store, studies
from handnet.study.targets import Target, tracked_in
from handnet.study.tracker import Entry, Tracker, Unwelcome
from handnet.study.units import Replicas

PASSES = 3  # times what is missing is sent, while some of it arrives
ALONE = Lock()  # one run at a time, also where a stopped study has one in hand and the next one begins
WAIT = 2.0  # seconds a stopped study waits for the request in hand


class Status(NamedTuple):
    """What a tracker lacks of a study.

    missing: how many of its `runs` are not known to be there; fault: why."""

    study: str
    tracker: str
    runs: int
    missing: int
    fault: str

    @property
    def sentence(self) -> str:
        """What is missing, and the command that sends it."""
        to = {"to": self.tracker} if "://" in self.tracker else {}
        return (
            f"{self.missing} of {self.runs} runs are not known to be on {self.tracker} ({self.fault});"
            f" {command('track', name=self.study, **to)} sends them."
        )


def check_complete(lacking: Sequence[Status]) -> None:
    """Raises Refusal (75) when trackers lack runs."""
    if lacking:
        raise Refusal(f"all results are stored, but {' '.join(one.sentence for one in lacking)}", 75)


class Destination:
    """One tracker of a study, with what is known to be there and what went wrong.

    Whatever a tracker raises, the study goes on."""

    def __init__(self, target: Target) -> None:
        self.target, self.fault = target, ""
        self.there: set[str] = set()
        self._tracker: Tracker | None = None
        self._experiments: dict[str, str] = {}

    def send(self, run: Pending, content: Callable[[], Entry]) -> None:
        """Send a run, unless it is there or an earlier one could not be sent."""
        if self.fault or run.key in self.there:
            return
        try:
            tracker, experiment = self._open(run.experiment)
        except Exception as fault:
            self._failed(fault)
            return
        if run.key in self.there:
            return
        entry = content()
        try:
            if begun := tracker.run(experiment, entry):
                tracker.log(begun, entry)
                tracker.finish(begun)
            self.there.add(run.key)
        except Exception as fault:
            self._failed(fault)

    def sweep(self, runs: Iterable[Pending]) -> None:
        """Delete our runs in the experiments of these that are not among them: newer ones say more."""
        experiments = {run.experiment.name: run.experiment for run in runs}
        keys = {run.key for run in runs}
        try:
            for experiment in experiments.values():
                if self._tracker:
                    self._tracker.experiment(*experiment, keys)
        except Exception as fault:
            self._failed(fault)

    def _open(self, experiment: Experiment) -> tuple[Tracker, str]:
        tracker = self._tracker = self._tracker or self.target.open()
        if experiment.name not in self._experiments:
            self._experiments[experiment.name], keys = tracker.experiment(*experiment)
            self.there.update(keys)
        return tracker, self._experiments[experiment.name]

    def _failed(self, fault: Exception) -> None:
        sentence = " ".join(str(fault).split()) or type(fault).__name__
        if "Max retries exceeded" in sentence:  # of MLflow's long sentence only this is news
            sentence = "it does not answer"
        self.fault = sentence if isinstance(fault, Unwelcome) else redacted(sentence[:200])
        self._tracker, self._experiments = None, {}  # what is there is asked anew


class Tracking:
    """Sends one study to its trackers, from a thread of its own, so that training waits for none of them.

    check: called while waiting, and raises to stop."""

    def __init__(
        self, records: Records, targets: Sequence[Target], screen: Screen, check: Callable[[], None]
    ) -> None:
        self.records, self.screen, self.check = records, screen, check
        self.destinations = [Destination(target) for target in targets]
        self.pending: dict[str, Pending] = {}
        self._runs, self._jobs = Runs(records), SimpleQueue[Callable[[], None]]()
        self._stopped, self._faults = Event(), list[Exception]()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def searched(self, place: int, recipe: Recipe, replicas: Replicas) -> None:
        """Track a trial that is in the store. Returns at once."""
        run = self._runs.searched(place, recipe, replicas)
        self.pending[run.key] = run
        self._jobs.put(partial(self._send, [run]))

    def finish(
        self, store: Store, outcome: Outcome, analysis: Analysis | None, report: Mapping[str, bytes]
    ) -> None:
        """Track all of a study that is not there yet, and wait for it; older runs of ours are deleted.

        analysis: None where nothing is confirmed yet; report: the files of the report, by name."""
        self.pending = {run.key: run for run in self._runs.of_study(outcome, analysis, report)}
        self._wait()
        for destination in self.destinations:
            destination.sweep(self.pending.values())
        self._note(store)

    def close(self) -> None:
        """Stop. What is not there yet is sent by the next command."""
        self._stopped.set()
        self._jobs.put(lambda: None)
        self._thread.join(WAIT)

    @property
    def status(self) -> list[Status]:
        """How far the study is on each tracker that lacks some of it."""
        counted = [(one, len(self.pending.keys() - one.there)) for one in self.destinations]
        return [
            Status(self.records.name, one.target.name, len(self.pending), missing, one.fault or "stopped")
            for one, missing in counted
            if missing
        ]

    def _wait(self) -> None:
        done, total = Event(), len(self.pending) * len(self.destinations)
        self._jobs.put(partial(self._send_missing, done))
        with self.screen.progress("track", total, 0, tell_end=False) as bar:
            while not done.wait(0.05):
                self.check()
                sent = sum(len(self.pending.keys() & set(one.there)) for one in self.destinations)
                bar.advance(sent - bar.done, "runs")
        if self._faults:
            raise self._faults[0]

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                job = self._jobs.get()
                with ALONE:
                    job()
            except Exception as fault:  # of our own: it is raised where somebody waits
                self._faults.append(fault)

    def _send(self, runs: Iterable[Pending]) -> None:
        for run in runs:
            if not self._stopped.is_set():
                content = cache(partial(run.build, run.key, run.name))  # once for all trackers
                for destination in self.destinations:
                    destination.send(run, content)

    def _send_missing(self, done: Event) -> None:
        """Send until all is there, or no more of it arrives."""
        before = -1
        try:
            for _ in range(PASSES):
                sent = sum(len(one.there) for one in self.destinations)
                if sent == before:
                    break
                before = sent
                for one in self.destinations:
                    one.fault = ""
                self._send(list(self.pending.values()))
                if not any(one.fault for one in self.destinations):
                    break
        finally:
            done.set()

    def _note(self, store: Store) -> None:
        """Remember in what state of the store the folder's own tracker has all of it."""
        own = [one for one in self.destinations if one.target.home]
        if own and not own[0].fault:
            path = noted_in(own[0].target.home or Path(), store.name)
            write_whole(path, state_of(store).encode())
            _write_journal(path.parents[2])


def _write_journal(home: Path) -> None:
    """Write the trials of all studies of a folder into the journal that Optuna's dashboard reads."""
    searches = {}
    for store in (Store(home, name) for name in studies(home)):
        with suppress(Refusal):  # another study that is damaged
            settings = from_stored(store.noted("study")["settings"])
            searches[store.name] = Search(settings, store.trials())
    write_journal(str(tracked_in(home) / "optuna.journal"), searches)


def noted_in(home: Path, name: str) -> Path:
    return tracked_in(home) / "complete" / name


def state_of(store: Store) -> str:
    """Names all that a study has in its store, as far as that is tracked."""
    files = [store.folder / name for name in ("trials.jsonl", "commit.json")]
    return sha256(b"".join(path.read_bytes() for path in files if path.exists())).hexdigest()
