import fcntl
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["HANDNET_DOOR"] = "make"  # messages are in the words of the Makefile, unless a test says otherwise
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)  # no test study goes to somebody's server

import pytest
from hypothesis import HealthCheck, settings
from studies import FEW, OTHER, SMALL, TINY, cli

from handnet import Dataset, split, wisconsin
from handnet.splits import Split

# The same examples in every run: a red build is a fault of the change, not of the day. A contract test is
# inherited by every backend, which hypothesis calls "differing executors"; without its database that is
# harmless.
settings.register_profile(
    "handnet",
    derandomize=True,
    max_examples=int(os.environ.get("HANDNET_EXAMPLES", "100")),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
)
settings.load_profile("handnet")


_copy_once = shutil.copytree


def _copy_again(*source_and_to: Path, **more: Any) -> Path:
    """Copies a folder anew when a file in it has gone meanwhile: SQLite removes its log from a study that all
    workers share when the last of them closes it."""
    for _ in range(3):
        try:
            return _copy_once(*source_and_to, **more)
        except shutil.Error:
            more["dirs_exist_ok"] = True
    return _copy_once(*source_and_to, **more)


shutil.copytree = _copy_again  # type: ignore[assignment]


LONG = (
    "test_mlp_keras",
    "test_study_disk",
    "test_study",
    "test_study_tables",
    "test_study_sealed",
    "test_study_resplit",
    "test_browser",
    "test_study_tracking",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest first: two workers are then done at the same time."""
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONG)))


@pytest.fixture(scope="session")
def data() -> Dataset:
    return wisconsin()


@pytest.fixture(scope="session")
def parts(data: Dataset) -> Split:
    return split(data)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The command line sets handlers; the test runner gets its own back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _migrations_run_once() -> None:
    """A new database gets a copy of the tables that MLflow's fifty migrations made the first time."""
    utils = sys.modules.get("mlflow.store.db.utils")
    if utils and utils._initialize_tables.__module__ != __name__:
        utils._initialize_tables = _tables_made_by(utils._initialize_tables)


def _tables_made_by(migrate: Callable[[Any], None]) -> Callable[[Any], None]:
    kept = sqlite3.connect(":memory:", check_same_thread=False)

    def initialize(engine: Any) -> None:
        connection = engine.raw_connection()
        try:
            database = connection.driver_connection
            if kept.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                migrate(engine)
                database.backup(kept)
            else:
                kept.backup(database)
        finally:
            connection.close()

    return initialize


# Finished studies, made once for all tests and both workers. They are read, never written to: a test that
# writes takes a copy.

Make = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """once(name, make): the folder of that name, which `make` has filled for whoever asked first."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        home, done = base / name, base / f"{name}.done"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(home, ignore_errors=True)
                make(home)
                done.touch()
        return home

    return made


def study(*words: str) -> Callable[[Path], None]:
    def make(home: Path) -> None:
        assert cli(home, "study", *words) == 0

    return make


@pytest.fixture(scope="session")
def finished(once: Make) -> Path:
    """A small study, opened and done, the search made anew in each of its divisions. To be read only."""
    return once("finished", study(*SMALL, "OPEN=1", "IDEAL=1"))


@pytest.fixture(scope="session")
def unopened(once: Make) -> Path:
    """A small study that left its test sealed. To be read only."""
    return once("unopened", study(*SMALL))


@pytest.fixture(scope="session")
def tiny(once: Make) -> Path:
    """A tiny study without fresh divisions, opened and done. To be read only."""
    return once("tiny", study(*TINY, "OPEN=1"))


@pytest.fixture(scope="session")
def begun(once: Make) -> Path:
    """A study of one trial, its test sealed. To be read only."""
    return once("begun", study(*FEW, "TRIALS=1"))


@pytest.fixture(scope="session", params=["wine", "diabetes"])
def task(request: pytest.FixtureRequest, once: Make) -> tuple[str, Path]:
    """A small study of many classes or of a number, opened and done. To be read only."""
    return request.param, once(request.param, study(f"DATA={request.param}", *OTHER, "OPEN=1"))


@pytest.fixture
def opened(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study, to be written to."""
    return Path(shutil.copytree(finished, tmp_path / "opened"))


@pytest.fixture
def sealed(unopened: Path, tmp_path: Path) -> Path:
    """A copy of the study that left its test sealed, to be written to."""
    return Path(shutil.copytree(unopened, tmp_path / "sealed"))
