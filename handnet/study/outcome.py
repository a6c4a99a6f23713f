"""What a confirmed study has found, as facts and pages.

StoredStudy reads such a study from its stores: it trains nothing and opens nothing."""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handnet.data import Table
from handnet.messages import Refusal, command
from handnet.report import pages
from handnet.report.cases import Cases
from handnet.report.facts import Findings, document
from handnet.study import tracker
from handnet.study.analysis import Analysis, TrialResult, analyse
from handnet.study.identity import Commit, check_name, is_default, make_fingerprint, make_problem
from handnet.study.reading import load, moved, read
from handnet.study.records import Records, read_confirmed, read_resplits
from handnet.study.resplit import Resplit, Resplits
from handnet.study.screen import Clock, Screen
from handnet.study.sealed import Ledger, Opened, Opening
from handnet.study.search import Finished, Proposals, Search, versions
from handnet.study.store import Store
from handnet.study.tracker import Tracker
from handnet.study.units import Confirmed, Problem, concatenate, kernel

READS = 5  # times a state is read that a writer is replacing


@dataclass(frozen=True)
class Outcome:
    """The exact results of a confirmed study, the winner's first.

    opened: None while the test is sealed; resplits: None without fresh divisions."""

    confirmed: Sequence[Confirmed]
    trials: Sequence[TrialResult]
    opened: Opened | None
    resplits: Resplits | None

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

    @property
    def divisions(self) -> Sequence[Resplit]:
        """The fresh divisions."""
        return self.resplits.divisions if self.resplits else ()


def facts_of(
    records: Records, outcome: Outcome, analysis: Analysis, search: Proposals, ledger: Ledger, seconds: str
) -> dict[str, Any]:
    """The content of report.json. seconds: by activity, as JSON."""
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
            search.importances(),
            opening,
            ledger.rehearsals(opening) if opening else [],
            outcome.test,
            outcome.divisions,
            _versions(),
            json.loads(seconds),
        )
    )


def write_report(content: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """Write the three pages. Returns them and every figure, by name below report/."""
    return {f"report/{name}": page for name, page in pages.write(content, folder).items()}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **versions(), "mlflow": tracker.VERSION, "blas": kernel()}


class StoredStudy:
    """Reads one confirmed study of a folder.

    name: the default study's, unless given; table: where the study's own table is now, if it was moved."""

    def __init__(
        self, home: Path, clock: Clock, screen: Screen, name: str | None = None, table: str | None = None
    ) -> None:
        check_name(name)
        self.home, self.clock, self.screen = home, clock, screen
        self.name, self.table = name or read({}).data.name, table
        self.ledger, self.folder = Ledger(home), home / "reports" / self.name
        self.records: Records
        self.store: Store
        self.commit: Commit

    def read(self) -> dict[str, Any]:
        """Write the report anew. Returns the facts of the study, computed from its stores.

        Raises Refusal when something it needs is missing or damaged."""
        while True:
            search = self._open()
            outcome = self._outcome(search.finished()[: self.records.settings.trials])
            with self.clock("report"):
                analysis = outcome.analysis(self.records, self.screen)
                seconds = self.store.noted("seconds") or "{}"
                facts = facts_of(self.records, outcome, analysis, search, self.ledger, seconds)
                write_report(facts, self.folder)
            if Commit.read(self.store) == self.commit:
                return facts
            # A writer confirmed anew meanwhile, and our page of before may have replaced the one it wrote.

    def case(self, name: str) -> dict[str, Any]:
        """What is to be said of the case with this id; its "part" is None when there is none."""
        self._open()
        outcome = self._outcome([])
        return Cases(self.problem, outcome.confirmed, outcome.test, outcome.divisions).watched(name)

    @property
    def problem(self) -> Problem:
        """The table, its split and the backend, once something was read."""
        return self.records.problem

    @property
    def is_default(self) -> bool:
        """Whether it is the study that a command means which names none."""
        return is_default(self.name, self.records.fingerprint)

    def _open(self) -> Search:
        self.store, self.commit = read_commit(self.home, self.name)
        settings = moved(self.commit.settings, self.table)
        problem = make_problem(settings, load(settings, self.commit.data))
        self.records = Records(self.name, make_fingerprint(settings, problem), settings, problem)
        return Search.open(self.home, self.name, settings, self.records.fingerprint, create=False)

    def _outcome(self, finished: Sequence[Finished]) -> Outcome:
        """All results of the last confirmation that was completed, with those of these trials."""
        commit = self.commit
        return Outcome(
            read_confirmed(self.store, self.records.settings, commit.keys, commit.opening is not None),
            [self._trial(trial) for trial in finished],
            self._opened(),
            read_resplits(self.store, commit.rehearsals),
        )

    def _opened(self) -> Opened | None:
        """The opening on record and its rows. Asking for them again is no new opening."""
        opening = self.ledger.find(self.commit.opening) if self.commit.opening else None
        if opening is None:
            return None
        digest = opening.test
        return Opened(opening, self.problem.parts.test.open(lambda rows: rows == digest))

    def _trial(self, trial: Finished) -> TrialResult:
        replicas = self.store.replicas(trial.config_id, self.records.settings.search_seeds)
        return TrialResult(trial, concatenate(list(replicas.values())))


def read_commit(home: Path, name: str) -> tuple[Store, Commit]:
    """The store of a study and its last complete confirmation.

    While a writer replaces that confirmation, it is read again.

    Raises Refusal when there is none (2), or when the writer takes too long (75)."""
    if not (home / "mlflow.db").exists() or not (home / "optuna.db").exists():
        raise Refusal(f"there is no study in {home} yet; {command('study')} makes one.")
    for _ in range(READS):
        store = Store(Tracker.open(home, name, create=False))
        commit = Commit.read(store)
        if all(key in store for key in (*commit.keys, *commit.rehearsals)):
            return store, commit
        time.sleep(0.2)
    raise Refusal(
        f"the results of {name!r} are being written anew; try again, or let {command('study')} finish them.",
        75,
    )
