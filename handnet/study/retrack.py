"""Studies tracked anew, from their stores alone."""

import shlex
import time
from pathlib import Path
from urllib.parse import unquote

from handnet.messages import Refusal, option
from handnet.study import views
from handnet.study.folder import locked
from handnet.study.outcome import StoredStudy, facts_of, write_report
from handnet.study.reading import from_stored
from handnet.study.screen import Clock, Screen
from handnet.study.search import searches_of
from handnet.study.store import Store, check_study, studies
from handnet.study.targets import database_uri, has_table, is_here, targets, tracked_in
from handnet.study.tracker import KEY
from handnet.study.tracking import Status, Tracking, noted_in, state_of
from handnet.study.trial_files import write_trials_to


def track(
    home: Path, name: str | None, to: str | None, screen: Screen, table: str | None = None
) -> list[Status]:
    """Track a study anew, from its store alone; to: on that server instead of in the folder's own database.

    Of a study that has not confirmed its winner yet these are the runs of its search. Returns the trackers
    that lack some of its runs. Raises Refusal when there is no such study, or its store is damaged."""
    study = StoredStudy(home, Clock(time.perf_counter()), screen, name, table)
    with locked(home):
        outcome, analysis, report = study.load_so_far(), None, dict[str, bytes]()
        if outcome.confirmed:
            analysis = outcome.analysis(study.records, screen)
            facts = facts_of(study.records, outcome, analysis, study.ledger, study.store)
            report = write_report(facts, study.folder)
        tracking = Tracking(study.records, targets(study.store, to, own=not to), screen, lambda: None)
        try:
            tracking.finish(study.store, outcome, analysis, report)
        finally:
            tracking.close()
    return tracking.status


def present(home: Path) -> list[str]:
    """Make the folder's own database hold all of its studies; at once where it does.

    Returns a sentence for each study that could not be brought there. While a study is writing it is left to
    that."""
    said = []
    here = is_here(tracked_in(home))
    for name in studies(home):
        noted, store = noted_in(home, name), Store(home, name)
        if here and noted.is_file() and noted.read_text() == state_of(store):
            continue
        try:
            said += [status.sentence for status in track(home, name, None, Screen(quiet=True))]
        except Refusal as refusal:
            if refusal.code == 75:
                return said
            said.append(f"{name} is not tracked: {refusal}")
    return said


def write_trials(home: Path, name: str | None, where: str) -> str:
    """Write the trials of a study into a storage of Optuna's, for its dashboard. Returns a sentence.

    where: a database as sqlite:///optuna.db, or the path of a journal file. Raises Refusal when it holds
    something else or cannot be written."""
    study = StoredStudy(home, Clock(time.perf_counter()), Screen(), name)
    check_study(home, study.name)
    store = Store(home, study.name)
    if where.startswith("sqlite"):
        _check_database(where)
    searches = searches_of(store, from_stored(store.noted("study")["settings"]))
    write_trials_to(where, searches)
    trials = sum(len(search.finished) for search in searches.values())
    return f"Wrote {trials} trials of {study.name}; optuna-dashboard {shlex.quote(where)} shows them."


def _check_database(uri: str) -> None:
    """Raises Refusal when a database is in no file, or is another program's, which this would spoil."""
    file = unquote(uri.partition(":///")[2].partition("?")[0])  # as SQLAlchemy reads it
    if file in {"", ":memory:"}:
        raise Refusal(f"{uri} names no file; expected one, as in {option('optuna', 'sqlite:///optuna.db')}.")
    if (
        Path(file).exists()
        and Path(file).stat().st_size
        and not has_table(Path(file), "study_user_attributes")
    ):
        raise Refusal(f"{file} is not a database of Optuna's; write to one of its own.")


def pages(home: Path) -> dict[str, str]:
    """The address, behind the host, of each study of a folder on MLflow's server, the newest study first."""
    from mlflow import MlflowClient

    found = MlflowClient(tracking_uri=database_uri(tracked_in(home))).search_experiments()
    return {one.name: views.link(one.experiment_id) for one in found if KEY in one.tags}
