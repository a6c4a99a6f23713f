"""A study gets to its trackers: beside training, never ahead of the store, and anew from the store alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import NamedTuple

from handnet.messages import Refusal, command
from handnet.study.analysis import Analysis, TrialResult
from handnet.study.configuration import configure
from handnet.study.files import check_in_place, kind_of, read_file, write_whole
from handnet.study.networks import concatenate
from handnet.study.outcome import Outcome
from handnet.study.reading import from_stored
from handnet.study.records import Records
from handnet.study.redaction import redacted
from handnet.study.runs import Experiment, Pending, Runs
from handnet.study.screen import Screen
from handnet.study.search import Search, searches_of
from handnet.study.store import Store, studies
from handnet.study.targets import Target, tracked_in
from handnet.study.tracker import Entry, Tracker, Unwelcome
from handnet.study.trial_files import write_journal

PASSES = 3  # times what is missing is sent, while some of it arrives
JOURNAL = "optuna.journal"
BUILDING = Lock()
# One run at a time on a tracker, also where a stopped study has one in hand and the next one begins.
ALONE: dict[str, Lock] = {}
PAGE = 10_000  # characters that are looked at of what a server says
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


class Content:
    """What a run that is to be holds, built once for all trackers."""

    def __init__(self, run: Pending) -> None:
        self.run = run
        self._entry: Entry | None = None

    def entry(self) -> Entry:
        """The content, built by whoever asks first."""
        with BUILDING:
            self._entry = self._entry or self.run.build(self.run.key, self.run.name)
            return self._entry


class Destination:
    """One tracker of a study, with what is known to be there and what went wrong.

    It has a thread of its own, so that neither training nor another tracker waits for it. Whatever a tracker
    raises, the study goes on."""

    def __init__(self, target: Target) -> None:
        self.target, self.fault, self.silent = target, "", False
        self.there: set[str] = set()
        self.own_faults: list[Exception] = []  # not the tracker's: raised where somebody waits
        self._tracker: Tracker | None = None
        self._experiments: dict[str, str] = {}
        self._jobs, self._stopped = SimpleQueue[Callable[[], None]](), Event()
        self.thread = Thread(target=self._work, daemon=True)
        self.thread.start()

    def put(self, job: Callable[[], None]) -> None:
        """Do this after what was put before. Returns at once."""
        self._jobs.put(job)

    def stop(self) -> None:
        """End the thread when the run in hand is sent."""
        self._stopped.set()
        self.put(lambda: None)

    def send(self, content: Content) -> None:
        """Send a run, unless it is there or an earlier one could not be sent."""
        run = content.run
        if self.fault or self._stopped.is_set() or run.key in self.there:
            return
        try:
            check_in_place(self.target.home or Path())
            tracker, experiment = self._open(run.experiment)
        except Exception as fault:
            self._failed(fault)
            return
        if run.key in self.there:
            return
        entry = content.entry()
        try:
            if begun := tracker.run(experiment, entry):
                tracker.log(begun, entry)
                tracker.finish(begun)
            self.there.add(run.key)
        except Exception as fault:
            self._failed(fault)

    def send_missing(self, contents: Sequence[Content], names: Iterable[str], done: Event) -> None:
        """Send until all is there, or no more of it arrives, and delete what else is there of ours.

        names: of all experiments of the study; done: set at the end, whatever it is."""
        before = -1
        try:
            for _ in range(PASSES):
                if len(self.there) == before:
                    break
                before, self.fault, self.silent = len(self.there), "", False
                for content in contents:
                    self.send(content)
                if self.silent or not self.fault:
                    break
            if not self.fault and not self._stopped.is_set():
                self._sweep(names, {content.run.key for content in contents})
        finally:
            done.set()

    def _sweep(self, names: Iterable[str], keys: set[str]) -> None:
        """Delete our runs without these keys: newer ones say more."""
        try:
            tracker = self._tracker = self._tracker or self.target.open()
            for name in names:
                tracker.sweep(name, keys)
        except Exception as fault:
            self._failed(fault)

    def _open(self, experiment: Experiment) -> tuple[Tracker, str]:
        tracker = self._tracker = self._tracker or self.target.open()
        if experiment.name not in self._experiments:
            self._experiments[experiment.name], keys = tracker.experiment(*experiment)
            self.there.update(keys)
        return tracker, self._experiments[experiment.name]

    def _failed(self, fault: Exception) -> None:
        sentence = " ".join(str(fault)[:PAGE].split()) or type(fault).__name__
        self.silent = isinstance(fault, TimeoutError) or "timed out" in sentence
        if "Max retries exceeded" in sentence:  # of MLflow's long sentence only this is news
            sentence = "it does not answer"
        self.fault = sentence if isinstance(fault, Unwelcome) else redacted(sentence)[:200]
        self._tracker, self._experiments = None, {}  # what is there is asked anew

    def _work(self) -> None:
        while not self._stopped.is_set():
            job = self._jobs.get()
            try:
                with ALONE.setdefault(self.target.name, Lock()):
                    job()
            except Exception as fault:
                self.own_faults.append(fault)


class Tracking:
    """Sends one study to its trackers.

    check: called while waiting, and raises to stop."""

    def __init__(
        self, records: Records, targets: Sequence[Target], screen: Screen, check: Callable[[], None]
    ) -> None:
        self.records, self.screen, self.check = records, screen, check
        self.destinations = [Destination(target) for target in targets]
        self.pending: dict[str, Pending] = {}
        self._runs = Runs(records)

    def searched(self, trial: TrialResult) -> None:
        """Track a trial that is in the store. Returns at once."""
        run = self._runs.searched(trial)
        self.pending[run.key], content = run, Content(run)
        for destination in self.destinations:
            destination.put(partial(destination.send, content))

    def finish(
        self, store: Store, outcome: Outcome, analysis: Analysis | None, report: Mapping[str, bytes]
    ) -> None:
        """Track all of a study that is not there yet, and wait for it; older runs of ours are deleted.

        The trials of the store are tracked that the outcome lacks too. analysis: None where nothing is
        confirmed yet; report: the files of the report, by name."""
        searches = {
            model: [*trials, *self._further(store, model, len(trials))]
            for model, trials in outcome.searches.items()
        }
        runs = self._runs.of_study(replace(outcome, searches=searches), analysis, report)
        self.pending = {run.key: run for run in runs}
        self._wait()
        self._note(store)

    def close(self) -> None:
        """Stop. What is not there yet is sent by the next command."""
        for destination in self.destinations:
            destination.stop()
        for destination in self.destinations:
            destination.thread.join(WAIT)

    @property
    def status(self) -> list[Status]:
        """How far the study is on each tracker that lacks some of it."""
        counted = [(one, len(self.pending.keys() - one.there)) for one in self.destinations]
        return [
            Status(self.records.name, one.target.name, len(self.pending), missing, one.fault or "stopped")
            for one, missing in counted
            if missing
        ]

    def _further(self, store: Store, model: str, after: int) -> Iterator[TrialResult]:
        """The trials behind the first `after`: a study that grew was stopped before it confirmed anew."""
        settings, problem = self.records.settings, self.records.problem
        for trial in store.trials(model)[after:]:
            configuration = configure(settings, model, trial.params)
            blocks = problem.blocks(configuration, settings.search_seeds)
            networks = store.replicas(trial.config_id, blocks)
            if len(networks) == len(blocks):
                yield TrialResult(trial, concatenate(networks), configuration)

    def _wait(self) -> None:
        """Let every tracker get what it lacks. Raises what went wrong here and not there."""
        contents, waiting = [Content(run) for run in self.pending.values()], []
        for one in self.destinations:
            waiting.append(Event())
            one.put(partial(one.send_missing, contents, self._runs.names, waiting[-1]))
        total = len(self.pending) * len(self.destinations)
        with self.screen.progress("track", total, 0, tell_end=False) as bar:
            while not all(done.is_set() for done in waiting):
                waiting[0 if not waiting[0].is_set() else -1].wait(0.05)
                self.check()
                sent = sum(len(self.pending.keys() & set(one.there)) for one in self.destinations)
                bar.advance(sent - bar.done, "runs")
        for one in self.destinations:
            if one.own_faults:
                raise one.own_faults[0]

    def _note(self, store: Store) -> None:
        """Remember in what state of the store the folder's own tracker has all of it."""
        own = [one for one in self.destinations if one.target.home]
        if own and not own[0].fault:
            try:
                path = noted_in(own[0].target.home or Path(), store.name)
                write_whole(path, state_of(store).encode())
                _write_journal(path.parents[2])
            except Exception as fault:  # nothing needs these files
                self.screen.say(
                    f"The trials are not in {JOURNAL} for Optuna's dashboard: {redacted(str(fault))}."
                )


def _write_journal(home: Path) -> None:
    """Write the trials of all studies of a folder into the journal that Optuna's dashboard reads."""
    searches: dict[str, Search] = {}
    for store in (Store(home, name) for name in studies(home)):
        with suppress(Refusal):  # another study that is damaged
            settings = from_stored(store.noted("study")["settings"])
            searches |= searches_of(store, settings)
    write_journal(str(tracked_in(home) / JOURNAL), searches)


def noted_in(home: Path, name: str) -> Path:
    return tracked_in(home) / "complete" / name


def state_of(store: Store) -> str:
    """Names all that a study has in its store, as far as that is tracked."""
    files = [*sorted(store.folder.glob("trials*.jsonl")), store.folder / "commit.json"]
    return sha256(b"".join(read_file(path) for path in files if kind_of(path))).hexdigest()
