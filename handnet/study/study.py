"""The coordinator: the order in which a study happens. Every step may be killed and repeated.

search -> freeze -> confirm on fresh seeds -> open the test -> fresh divisions -> commit -> analyse -> report
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from handnet.messages import Refusal
from handnet.models.model import Model
from handnet.probe import arithmetic_digest
from handnet.report.search_facts import lost_searches
from handnet.study.analysis import Analysis
from handnet.study.configuration import Candidate, candidates
from handnet.study.crew import workers_of
from handnet.study.folder import locked
from handnet.study.identity import (
    Commit,
    Request,
    check_name,
    default_name,
    is_default,
    large_enough,
    machine,
    make_fingerprint,
    make_problem,
    remarks,
)
from handnet.study.interrupt import Interrupt
from handnet.study.losses import lost_on_test, lost_when_confirmed
from handnet.study.networks import Replicas
from handnet.study.outcome import Outcome, facts_of, write_report
from handnet.study.reading import to_stored
from handnet.study.records import Records
from handnet.study.resplit import Resplitter, check_divisions
from handnet.study.rivals import rivals
from handnet.study.screen import Clock, Screen
from handnet.study.sealed import Ledger, Opened, held_to_the_opening, opening_id
from handnet.study.searching import Searching
from handnet.study.settings import Settings
from handnet.study.store import Store
from handnet.study.stored import check_trials, read_resplits, write_confirmed
from handnet.study.targets import targets
from handnet.study.tracking import Tracking
from handnet.study.training import Job, Trainer
from handnet.study.units import Problem


class Study:
    """One study in one folder, whose only writer this is. `run` does what is still to be done.

    screen: says what happens; interrupt: catches signals while the study runs."""

    def __init__(
        self, request: Request, clock: Clock, screen: Screen, interrupt: Interrupt | None = None
    ) -> None:
        check_name(request.name)
        self.request, self.home, self.clock, self.screen = request, request.home, clock, screen
        self.interrupt, self.ledger = interrupt or Interrupt(), Ledger(request.home)
        self.records: Records  # these five are made under the lock
        self.store: Store
        self.searching: Searching
        self.trainer: Trainer
        self.tracking: Tracking

    def run(self) -> dict[str, Any]:
        """Do what is not done yet, from the search to the report. Returns the content of report.json.

        Raises Refusal when the study cannot be made, and Stopped after a signal."""
        with self._store():
            self.search()
            frozen = self.freeze()
            networks = self.confirm(frozen)
            opened = self.open(frozen, networks)
            resplits = self.resplit(frozen, opened)
            outcome = self.grade(frozen, networks, opened, resplits)
            self.commit(outcome, resplits)
            analysis = self.analyse(outcome)
            self.interrupt.check()
            return self.report(outcome, analysis)

    @contextmanager
    def _store(self) -> Iterator[None]:
        """Hold the folder's lock, with the store open and what a killed writer left behind removed."""
        # What cannot be made is refused before the lock.
        self.problem, self.fingerprint, self.name  # noqa: B018
        workers = workers_of(self.request)
        with locked(self.home), self.interrupt, workers:
            with self.clock("start-up"):
                settings = held_to_the_opening(
                    self.ledger, self.fingerprint, self.request.settings, self.screen.say
                )
                self.records = Records(self.name, self.fingerprint, settings, self.problem)
                self.store = Store(self.home, self.name, writing=True)
                made_with = {
                    "settings": to_stored(settings),
                    "data": self.problem.data.digest,
                    "probe": self.probe,
                }
                if self.store.begin(self.fingerprint, machine(), settings.studied, **made_with):
                    self.screen.say(
                        "Going on with a study that was interrupted; all it had finished is kept."
                    )
                self.trainer = Trainer(
                    self.records, self.store, workers, self.clock, self.interrupt.check, self.models
                )
                there = targets(self.store, self.request.server)
                self.tracking = Tracking(self.records, there, self.screen, self.interrupt.check)
                self.searching = Searching(
                    self.records, self.store, self.trainer, self.tracking, self.clock, self.screen
                )
            for remark in remarks(settings, self.problem):
                self.screen.say(remark)
            try:
                yield
            except Refusal:
                self.store.end()  # it was not interrupted
                raise
            finally:
                self.tracking.close()
            self.store.end()

    def search(self) -> None:
        """Try configurations of each model until it has as many trials as the settings say."""
        self.searching.run()

    def freeze(self) -> list[Candidate]:
        """The configurations to confirm, the winner of the first model first.

        Raises Refusal when all those of a model diverged or were lost."""
        return candidates(self.searching.winners(), self.settings)

    def confirm(self, frozen: Sequence[Candidate]) -> list[Replicas]:
        """Train the frozen configurations on seeds that nothing was chosen on."""
        seeds = self.settings.confirm_seeds
        with self.screen.progress("confirm", len(frozen) * len(seeds), 0) as bar:
            jobs = [Job(candidate.configuration, seeds, candidate.role) for candidate in frozen]
            networks = list(self.trainer.networks(jobs, bar))
        for candidate, replicas in zip(frozen, networks, strict=True):
            if said := lost_when_confirmed(candidate, replicas):
                self.screen.say(said)
        self.trainer.check_without_seed(frozen, networks)
        return networks

    def open(self, frozen: Sequence[Candidate], networks: Sequence[Replicas]) -> Opened | None:
        """Open the test for these configurations, if that is allowed; asking again is no new opening."""
        allowed = self.request.open_test or large_enough(self.request.settings)
        if allowed:
            check_divisions(self.settings, self.problem.data)
        test = self.problem.parts.test
        configs = [self.problem.config_id(candidate.configuration) for candidate in frozen]
        name = opening_id(test.digest, configs, self.fingerprint)
        if self.ledger.find(name) is None:
            if not allowed:
                return None
            self.trainer.check_repeatable(frozen, networks)
        record = self.ledger.recorder(
            self.name,
            self.fingerprint,
            configs,
            trials=self.settings.trials,
            seeds=self.settings.confirm.seeds,
            data=self.problem.data.name,
            table=self.problem.data.digest,
            cases=[str(case) for case in test.case_ids],
        )
        rows, opening = test.open(record), self.ledger.find(name)
        assert opening is not None
        return Opened(opening, rows)

    def resplit(self, frozen: Sequence[Candidate], opened: Opened | None) -> tuple[str, ...]:
        """Train the frozen configurations on fresh divisions of the whole table, once the test is open.

        Returns the keys of the results."""
        splits = self.settings.split_seeds
        if opened is None or not splits:
            return ()
        resplitter = Resplitter(self.settings, self.problem, frozen, opened.record)
        self.ledger.rehearsed(opened.record, len(splits))
        # What was searched anew once stays in the report, however the divisions grow.
        anew = self.settings.rehearsal.ideal or any(
            resplitter.anew_key(seed) in self.store for seed in splits
        )
        keys = [resplitter.streams_key()] if frozen[0].configuration.is_mlp else []
        keys += [resplitter.split_key(seed) for seed in splits]
        keys += [resplitter.anew_key(seed) for seed in splits] if anew else []
        with self.screen.progress("rehearse", len(keys), 0) as bar:
            self.trainer.resplits(resplitter, opened.rows, bar, anew)
        return tuple(keys)

    def grade(
        self,
        frozen: Sequence[Candidate],
        networks: Sequence[Replicas],
        opened: Opened | None,
        resplits: Sequence[str],
    ) -> Outcome:
        """The exact results: logits on the validation rows and, once it is open, on the test."""
        test = opened.rows if opened else None
        confirmed = []
        for candidate, replicas in zip(frozen, networks, strict=True):
            logits = None
            if opened:
                logits, faults = self.trainer.on_test(candidate, replicas, opened.rows, opened.record.id)
                for said in lost_on_test(candidate, replicas, faults):
                    self.screen.say(said)
                replicas = replicas.without(faults)  # noqa: PLW2901 - the band is of the others
            confirmed.append(self.records.graded(candidate, replicas, logits))
        parts = self.problem.parts
        methods = rivals(self.problem.task, parts.train, parts.val, self.settings.rivals.boosting)
        confirmed += [self.records.graded_rival(rival, test) for rival in methods]
        searches = {
            model: self.trainer.trials(model, search.finished[: self.settings.trials_of(model)])
            for model, search in self.searching.searches.items()
        }
        for trials in searches.values():
            check_trials(self.store, self.problem, trials)
        divided = read_resplits(self.store, resplits)
        for left_out in lost_searches(divided.divisions if divided else ()):
            self.screen.say("Left out: {what}: {why}.".format(**left_out))
        return Outcome(confirmed, searches, opened, divided)

    def commit(self, outcome: Outcome, resplits: tuple[str, ...]) -> None:
        """Store the confirmed configurations, and then the commit that names them all."""
        opening = outcome.opening
        with self.clock("store"):
            frozen = tuple(write_confirmed(self.store, result, opening) for result in outcome.confirmed)
            seal = opening.id if opening else None
            commit = Commit(self.settings, frozen, seal, resplits, self.problem.data.digest)
            if not commit.write(self.store) and not self.trainer.made:
                self.screen.say("Finished already; nothing was trained.")
            for kind in ("split", "ideal", "streams"):
                self.store.supersede(kind, resplits)
        if opening:
            self.ledger.graded(opening)

    def analyse(self, outcome: Outcome) -> Analysis:
        """All that the report and the tracker say of the results."""
        with self.clock("report"):
            return outcome.analysis(self.records, self.screen)

    def report(self, outcome: Outcome, analysis: Analysis) -> dict[str, Any]:
        """Write the three pages and track what is not tracked yet. Returns the content of report.json."""
        with self.clock("report"):
            facts = facts_of(self.records, outcome, analysis, self.ledger, self.store, self.trainer)
            files = write_report(facts, self.folder)
        with self.clock("track"):
            self.tracking.finish(self.store, outcome, analysis, files)
        return facts

    @cached_property
    def problem(self) -> Problem:
        """The table, its split and the backend. Raises Refusal when the settings do not fit them."""
        return make_problem(self.request.settings, self.request.data)

    @property
    def models(self) -> dict[str, Model]:
        """All but the network by hand, by name."""
        return dict(self.request.models)

    @cached_property
    def probe(self) -> str | None:
        """The digest of this machine's arithmetic."""
        return arithmetic_digest(self.problem.backend, self.problem.task.classes)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the results."""
        return make_fingerprint(self.request.settings, self.problem, self.probe)

    @cached_property
    def name(self) -> str:
        """The study's name."""
        return self.request.name or default_name(self.request.settings, self.fingerprint)

    @property
    def settings(self) -> Settings:
        """Those of the request, with the counts the opening holds the study to."""
        return self.records.settings

    @property
    def is_default(self) -> bool:
        """Whether it is the study that a command means which names none."""
        return is_default(self.name, self.fingerprint)

    @property
    def folder(self) -> Path:
        """Where the report lies."""
        return self.home / "reports" / self.name
