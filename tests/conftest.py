import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

os.environ["HANDNET_DOOR"] = "make"  # messages are in the words of the Makefile, unless a test says otherwise
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)  # no test study goes to somebody's server

import pytest
from hypothesis import HealthCheck, settings
from studies import SMALL, TINY, cli

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


LONG = (
    "test_torture",
    "test_mlp_keras",
    "test_study_disk",
    "test_study",
    "test_study_tables",
    "test_study_sealed",
    "test_study_resplit",
    "test_browser",
    "test_study_publish",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take minutes first: two workers are then done at the same time."""
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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study, opened and done."""
    home = tmp_path_factory.mktemp("finished")
    assert cli(home, "study", *SMALL, "OPEN=1") == 0
    return home


@pytest.fixture(scope="session")
def unopened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("unopened")
    assert cli(home, "study", *SMALL) == 0
    return home


@pytest.fixture
def sealed(unopened: Path, tmp_path: Path) -> Path:
    """A small study that left its test sealed, in a folder of its own."""
    return Path(shutil.copytree(unopened, tmp_path, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny study, opened and done."""
    home = tmp_path_factory.mktemp("tiny")
    assert cli(home, "study", *TINY, "OPEN=1") == 0
    return home
