"""What a confirmed study has found, as facts and pages.

StoredStudy reads such a study from its stores: it trains nothing and opens nothing."""

import errno
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from handnet.data import Table
from handnet.messages import Refusal, command
from handnet.report import pages
from handnet.report.cases import Cases
from handnet.report.facts import document
from handnet.report.model_words import model_of
from handnet.report.search_facts import Findings
from handnet.study.again import refits_of
from handnet.study.analysis import Analysis, TrialResult, analyse
from handnet.study.answers import Refits
from handnet.study.configuration import configure
from handnet.study.division import Resplit
from handnet.study.identity import Commit, check_name, is_default, make_fingerprint, make_problem
from handnet.study.networks import concatenate
from handnet.study.reading import from_stored, load, moved, read
from handnet.study.records import Records
from handnet.study.resplit import Resplits
from handnet.study.screen import Clock, Screen
from handnet.study.sealed import Ledger, Opened, Opening
from handnet.study.search import search_of, versions
from handnet.study.settings import Settings
from handnet.study.store import Finished, Store, check_study
from handnet.study.stored import check_trials, read_confirmed, read_resplits
from handnet.study.training import Trainer
from handnet.study.units import Confirmed, Problem


@dataclass(frozen=True)
class Outcome:
    """The exact results of a confirmed study, the winner's first.

    searches: the trials of each model, by its name; opened: None while the test is sealed; resplits: None
    without fresh divisions."""

    confirmed: Sequence[Confirmed]
    searches: Mapping[str, Sequence[TrialResult]]
    opened: Opened | None
    resplits: Resplits | None

    @property
    def trials(self) -> Sequence[TrialResult]:
        """Those of the model that decides."""
        return next(iter(self.searches.values()), [])

    @property
    def opening(self) -> Opening | None:
        """The record of the opening."""
        return self.opened.record if self.opened else None

    @property
    def test(self) -> Table | None:
        """The test rows."""
        return self.opened.rows if self.opened else None

    def analysis(self, records: Records, screen: Screen) -> Analysis:
        """All that the report and the tracker say of it."""
        with screen.progress("analyse", len(self.confirmed), 0, tell_end=False) as bar:
            return analyse(
                records.settings,
                records.problem,
                self.confirmed,
                self.trials,
                self.test,
                self.resplits,
                lambda role: bar.advance(1, role),
            )

    def refits(self, records: Records, store: Store, trainer: Trainer | None = None) -> Refits | str:
        """As of `refits_of`."""
        return refits_of(records, store, self.confirmed, self.divisions, trainer)

    @property
    def divisions(self) -> Sequence[Resplit]:
        """The fresh divisions."""
        return self.resplits.divisions if self.resplits else ()


def facts_of(
    records: Records,
    outcome: Outcome,
    analysis: Analysis,
    ledger: Ledger,
    store: Store,
    trainer: Trainer | None = None,
) -> dict[str, Any]:
    """The content of report.json. trainer: fits again what explains cases; None: nothing is trained."""
    opening = outcome.opening
    return document(
        Findings(
            records.name,
            records.fingerprint,
            records.settings,
            records.problem,
            outcome.confirmed,
            outcome.trials,
            analysis,
            search_of(
                records.settings, records.settings.studied[0], [result.trial for result in outcome.trials]
            ).importances(),
            opening,
            ledger.rehearsals(opening) if opening else [],
            outcome.test,
            outcome.divisions,
            _versions(),
            store.machines,
            store.seconds(),
            outcome.refits(records, store, trainer),
            others=dict(list(outcome.searches.items())[1:]),
        )
    )


def write_report(content: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """Write the three pages. Returns them and every figure, by name below report/."""
    return {f"report/{name}": page for name, page in pages.write(content, folder).items()}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **versions(), "mlflow": metadata.version("mlflow")}


class StoredStudy:
    """Reads one confirmed study of a folder.

    name: the default study's, unless given; table: where the study's own table is now, if it was moved;
    choose: as of `check_study`."""

    def __init__(
        self,
        home: Path,
        clock: Clock,
        screen: Screen,
        name: str | None = None,
        table: str | None = None,
        choose: str = "",
    ) -> None:
        check_name(name)
        self.home, self.clock, self.screen = home, clock, screen
        self.name, self.table, self.choose = name or read({}).data.name, table, choose
        self.ledger, self.folder = Ledger(home), home / "reports" / self.name
        self.records: Records
        self.store: Store
        self.commit: Commit

    def read(self) -> dict[str, Any]:
        """Write the report anew. Returns the facts of the study, computed from its store.

        Where the pages cannot be written, a sentence says so. Raises Refusal when something it needs is
        missing or damaged."""
        while True:
            outcome = self.load()
            with self.clock("report"):
                analysis = outcome.analysis(self.records, self.screen)
                facts = facts_of(self.records, outcome, analysis, self.ledger, self.store)
                with self.writing_pages():
                    write_report(facts, self.folder)
            if Commit.read(self.store) == self.commit:
                return facts
            # A writer confirmed anew meanwhile, and our page of before may have replaced the one it wrote.

    @contextmanager
    def writing_pages(self) -> Iterator[None]:
        """Pages are written while entered. Where the medium is read-only, a sentence says so instead."""
        try:
            yield
        except OSError as fault:
            if fault.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
            self.screen.say(f"{self.folder} cannot be written, so the pages there stay as they are.")

    def case(self, name: str) -> dict[str, Any]:
        """What is to be said of the case with this id; its "part" is None when there is none."""
        outcome = self.load(trials=False)
        settings, results = self.records.settings, (outcome.confirmed, outcome.test, outcome.divisions)
        refits = outcome.refits(self.records, self.store)
        cases = Cases(self.problem, *results, settings.report.tolerance, refits, settings.watched)
        return {"model": model_of(settings)._asdict(), **cases.watched(name)}

    @property
    def problem(self) -> Problem:
        """The table, its split and the backend, once something was read."""
        return self.records.problem

    @property
    def is_default(self) -> bool:
        """Whether it is the study that a command means which names none."""
        return is_default(self.name, self.records.fingerprint)

    def load(self, trials: bool = True) -> Outcome:
        """All results of the last confirmation that was completed. trials: with those of the search.

        While a writer replaces that confirmation, it is read again. Raises Refusal when there is none (2), or
        when something it needs is missing or damaged (1)."""
        check_study(self.home, self.name, self.choose)
        self.store = Store(self.home, self.name)
        self.commit = Commit.read(self.store)
        while True:
            try:
                return self._load(trials)
            except Refusal:
                if (commit := Commit.read(self.store)) == self.commit:
                    raise
                self.commit = commit

    def load_so_far(self) -> Outcome:
        """All results; of a study that has confirmed nothing yet, its trials."""
        check_study(self.home, self.name, self.choose)
        self.store = Store(self.home, self.name)
        if self.store.noted("commit"):
            return self.load()
        begun = self.store.begun
        self._describe(from_stored(begun["settings"]), begun["data"])
        return Outcome([], self._searches(), None, None)

    def _describe(self, stored: Settings, data: str) -> Settings:
        """Read the table and check that all fits the store. data: the table's digest."""
        settings = moved(stored, self.table)
        problem = make_problem(settings, load(settings, data))
        probe = self.store.begun.get("probe")  # not this machine's: what is stored can be read on any
        self.records = Records(self.name, make_fingerprint(settings, problem, probe), settings, problem)
        self.store.check(self.records.fingerprint, probe)
        return settings

    def _load(self, trials: bool) -> Outcome:
        settings = self._describe(self.commit.settings, self.commit.data)
        for model in settings.studied:
            if len(self.store.trials(model)) < settings.trials_of(model):
                raise Refusal(
                    f"the trials of {self.name} are not there; {command('study')} makes them again.", 1
                )
        return Outcome(
            read_confirmed(self.store, self.records, self.commit),
            self._searches(confirmed=True) if trials else {},
            self._opened(),
            read_resplits(self.store, self.commit.resplits),
        )

    def _opened(self) -> Opened | None:
        """The opening on record and its rows. Asking for them again is no new opening."""
        opening = self.ledger.find(self.commit.opening) if self.commit.opening else None
        if opening is None:
            return None
        digest = opening.test
        return Opened(opening, self.problem.parts.test.open(lambda rows: rows == digest))

    def _searches(self, confirmed: bool = False) -> dict[str, list[TrialResult]]:
        """The trials of each model. confirmed: those alone that the last confirmation chose from."""
        settings = self.records.settings
        return {
            model: [
                self._trial(model, trial)
                for trial in self.store.trials(model)[: settings.trials_of(model) if confirmed else None]
            ]
            for model in settings.studied
        }

    def _trial(self, model: str, trial: Finished) -> TrialResult:
        settings = self.records.settings
        configuration = configure(settings, model, trial.params)
        blocks = self.problem.blocks(configuration, settings.search_seeds)
        replicas = concatenate(self.store.replicas(trial.config_id, blocks))
        result = TrialResult(trial, replicas, configuration)
        check_trials(self.store, self.problem, [result])
        return result
