import os
import signal
from collections.abc import Iterator

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)  # no test study goes to somebody's server

import pytest
from hypothesis import HealthCheck, settings

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
    "test_killed",
    "test_keras",
    "test_disk",
    "test_study",
    "test_rehearsal",
    "test_browser",
    "test_server",
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
