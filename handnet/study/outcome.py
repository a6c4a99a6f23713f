"""What a confirmed study has found, as facts and pages.

StoredStudy reads such a study from its stores: it trains nothing and opens nothing."""

import errno
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from handnet.study.analysis import Analysis, TrialResult, analyse
from handnet.study.identity import Commit, Frozen, check_name, is_default, make_fingerprint, make_problem
from handnet.study.networks import concatenate, read_logits, to_npz
from handnet.study.reading import from_stored, load, moved, read
from handnet.study.records import Records
from handnet.study.resplit import Resplit, Resplits
from handnet.study.screen import Clock, Screen
from handnet.study.sealed import Ledger, Opened, Opening
from handnet.study.search import search_of, versions
from handnet.study.settings import Settings
from handnet.study.store import Finished, Store, check_study
from handnet.study.summary import objective
from handnet.study.units import Confirmed, Problem


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
    records: Records, outcome: Outcome, analysis: Analysis, ledger: Ledger, store: Store
) -> dict[str, Any]:
    """The content of report.json."""
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
            search_of(records.settings, [result.trial for result in outcome.trials]).importances(),
            opening,
            ledger.rehearsals(opening) if opening else [],
            outcome.test,
            outcome.divisions,
            _versions(),
            store.machines,
            store.seconds(),
        )
    )


def write_report(content: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """Write the three pages. Returns them and every figure, by name below report/."""
    return {f"report/{name}": page for name, page in pages.write(content, folder).items()}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **versions(), "mlflow": metadata.version("mlflow")}


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
        tolerance = self.records.settings.report.tolerance
        cases = Cases(self.problem, outcome.confirmed, outcome.test, outcome.divisions, tolerance)
        return {"model": model_of(self.records.settings)._asdict(), **cases.watched(name)}

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
        check_study(self.home, self.name)
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
        check_study(self.home, self.name)
        self.store = Store(self.home, self.name)
        if self.store.noted("commit"):
            return self.load()
        begun = self.store.begun
        self._describe(from_stored(begun["settings"]), begun["data"])
        return Outcome([], [self._trial(trial) for trial in self.store.trials()], None, None)

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
        finished = self.store.trials()[: settings.trials]
        if len(finished) < settings.trials:
            raise Refusal(f"the trials of {self.name} are not there; {command('study')} makes them again.", 1)
        return Outcome(
            read_confirmed(self.store, self.records, self.commit),
            [self._trial(trial) for trial in finished] if trials else [],
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

    def _trial(self, trial: Finished) -> TrialResult:
        blocks = self.problem.blocks(self.records.settings.search_seeds)
        result = TrialResult(trial, concatenate(self.store.replicas(trial.config_id, blocks)))
        check_trials(self.store, self.problem, [result])
        return result


def check_trials(store: Store, problem: Problem, trials: Iterable[TrialResult]) -> None:
    """Raises Refusal (1) unless each trial has the value that its networks give."""
    for result in trials:
        if objective(problem.task, result.replicas, problem.parts.val.y) != result.trial.value:
            raise store.damaged(f"trials.jsonl, line {result.trial.place + 1} is not what its networks give")


def read_confirmed(store: Store, records: Records, commit: Commit) -> list[Confirmed]:
    """The frozen configurations and the methods without seeds, as the store has them.

    Raises Refusal when some are lost or damaged."""
    confirmed, blocks = [], records.problem.blocks(records.settings.confirm_seeds)
    for role, config_id, params, tuned, chosen in commit.frozen:
        replicas, recipe, val, test = None, None, None, None
        if params:
            recipe = records.settings.recipe(params)
            replicas = concatenate(store.replicas(config_id, blocks))
            val = replicas.val_logits
        else:
            what = f"the results of {role} on the validation rows"
            val = store.read(f"val/{config_id}", read_logits, what)
        if commit.opening:
            test = store.read(
                f"test/{commit.opening}/{config_id}", read_logits, f"the results of {role} on the test"
            )
        assert val is not None  # a reader is refused
        confirmed.append(Confirmed(role, config_id, recipe, replicas, val, test, tuned, chosen))
    return confirmed


def write_confirmed(store: Store, settings: Settings, result: Confirmed, opening: Opening | None) -> Frozen:
    """Store what a graded configuration gave on the test, and a method without seeds on the validation rows.

    A damaged file is written anew. Returns what the commit says of it."""
    logits = {} if result.replicas else {f"val/{result.config_id}": result.val_logits}
    if opening and result.test_logits is not None:
        logits[f"test/{opening.id}/{result.config_id}"] = result.test_logits
    for key, values in logits.items():
        if store.read(key, read_logits, "") is None:
            store.write(key, to_npz(logits=values))
    params = settings.params_of(result.recipe) if result.recipe else None
    return Frozen(result.role, result.config_id, params, result.tuned, result.chosen)


def read_resplits(store: Store, keys: Sequence[str]) -> Resplits | None:
    """The fresh divisions and streams with these keys; None without any key. Raises Refusal when one is
    lost."""
    if not keys:
        return None
    divisions, anew = (
        [
            division
            for key in keys
            if key.startswith(kind)
            and (division := store.read(key, Resplit.from_npz, f"the results of {key}"))
        ]
        for kind in ("split/", "ideal/")
    )
    (streams,) = (
        store.read(key, read_logits, f"the results of {key}") for key in keys if key.startswith("streams/")
    )
    assert streams is not None
    return Resplits(tuple(divisions), streams).joined(anew)
