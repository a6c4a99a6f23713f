"""What makes a study this study: its problem, fingerprint, name and size; its last confirmation."""

import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_info

from handnet.data import DATASETS, Dataset, canonical_hash
from handnet.messages import Refusal, command, option
from handnet.models.model import Model
from handnet.report.imbalance import warnings_on_test
from handnet.splits import split
from handnet.study.reading import from_stored, load, read, to_stored
from handnet.study.search import versions as search_versions
from handnet.study.settings import MLP, Settings
from handnet.study.store import Store
from handnet.study.units import Problem, load_problem, table_notes
from handnet.tasks import task_of

ENOUGH = 100  # confirmation seeds
MOST_INPUTS = 10_000  # of a network: the report compares every family with every other
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Request:
    """A study to be made.

    name: of the study; None: made from data and settings; open_test: open the test of a small study too;
    server: the address of an MLflow server that gets every run too; data: the table, if it was read already;
    executor, workers: where it is trained and on how many at once, which no result depends on; models: by
    name, all that are studied but the network by hand."""

    settings: Settings
    home: Path
    name: str | None = None
    open_test: bool = False
    server: str | None = None
    data: Dataset | None = None
    executor: str = "threads"
    workers: int = 0
    models: Mapping[str, Model] = field(default_factory=dict)


class Frozen(NamedTuple):
    """A configuration of a confirmation.

    role: the winner, another model, a recipe of the settings, or a method without seeds; params: those that
    were chosen, None for such a method; tuned, chosen: what was chosen for such a method, and what came out;
    model: its name in the settings."""

    role: str
    config_id: str
    params: dict[str, Any] | None
    tuned: str
    chosen: str
    model: str = MLP

    def to_json(self) -> dict[str, Any]:
        """Its fields; the network by hand is not named."""
        return {name: value for name, value in self._asdict().items() if (name, value) != ("model", MLP)}


@dataclass(frozen=True)
class Commit:
    """A completed confirmation, written in one piece after its results: readers go by nothing else.

    settings: those it was made with; frozen: its configurations, the winner first; opening: the id of the
    opening, None while the test is sealed; resplits: the keys of its fresh divisions; data: digest of the
    table."""

    settings: Settings
    frozen: tuple[Frozen, ...]
    opening: str | None
    resplits: tuple[str, ...]
    data: str

    def write(self, store: Store) -> bool:
        """Make it the last confirmation of the study. Returns whether it was another before."""
        content = {
            "settings": to_stored(self.settings),
            "frozen": [frozen.to_json() for frozen in self.frozen],
            "opening": self.opening,
            "resplits": list(self.resplits),
            "data": self.data,
        }
        return store.note("commit", content)

    @staticmethod
    def read(store: Store) -> "Commit":
        """The last confirmation of the study. Raises Refusal before there is one."""
        content = store.noted("commit")
        if content is None:
            raise Refusal(
                f"the study {store.name!r} has not confirmed its winner yet; {command('study')} goes on with"
                " it."
            )
        try:
            return Commit(
                from_stored(content["settings"]),
                tuple(Frozen(**frozen) for frozen in content["frozen"]),
                content["opening"],
                tuple(content["resplits"]),
                content["data"],
            )
        except (KeyError, TypeError):
            raise store.damaged("commit.json is not what was written there") from None


def check_name(name: str | None) -> None:
    """Raises Refusal unless a study may have this name."""
    if name is not None and not NAME.fullmatch(name):
        raise Refusal(f"{option('name')} must be up to 60 letters, digits, '.', '_' or '-', but is {name!r}.")


def make_problem(settings: Settings, data: Dataset | None = None) -> Problem:
    """The data (read now unless it is given), its split and the backend.

    Raises Refusal when the settings do not fit them."""
    data = data or load(settings)
    try:
        parts = split(data, **vars(settings.split))
        if len(parts.encoder.names) > MOST_INPUTS:
            raise ValueError(
                f"its columns make {len(parts.encoder.names)} inputs of a network, and a study takes at most"
                f" {MOST_INPUTS}; leave columns out ({option('leave', '')}), chosen without a look at the"
                " labels."
            )
    except ValueError as fault:
        raise Refusal(f"{settings.data.path}: {fault}" if settings.data.path else str(fault)) from None
    try:
        return load_problem(settings, data, parts)
    except ValueError as fault:
        raise Refusal(str(fault)) from None


def remarks(settings: Settings, problem: Problem) -> tuple[str, ...]:
    """What to say before anything is trained: what was done to the table, what to know of the models, what to
    beware of in its sizes, and whether one batch of the network by hand holds it."""
    rows, batch = len(problem.parts.train_rows), settings.network.batch_size
    # The sizes of the test are told before the opening too.
    beware = warnings_on_test(settings.verdict.score, problem.data, problem.parts.test_rows)
    one_step = f"network.batch_size is {batch} and there are {rows} train rows, so an epoch is one step."
    one_batch = batch > rows and MLP in settings.studied
    return (*table_notes(settings, problem), *beware, *([one_step] if one_batch else ()))


def make_fingerprint(settings: Settings, problem: Problem, probe: str | None) -> str:
    """SHA-256 of all that decides a study's results: settings, data, split, backend, versions, arithmetic.

    probe: the digest of the arithmetic, `arithmetic_digest` of the machine the study is made on."""
    parts = {"settings": settings.identity(), "bench": problem.identity, "versions": search_versions()}
    return canonical_hash(parts | {"probe": probe})


def default_name(settings: Settings, fingerprint: str) -> str:
    """The data's name for the default settings of a built-in table, and with the fingerprint for any others.

    The recipes a study compares do not count, so studies of other settings never mix with the default one."""
    built_in = {} if settings.data.path else {"data.name": settings.data.name}
    default = read(built_in).changed(verdict={"score": _deciding(settings)}).identity()
    same = settings.identity() | {"compare": ()} == default
    return settings.data.name if same else f"{settings.data.name}-{fingerprint[:8]}"


def _deciding(settings: Settings) -> str:
    """The score that decides where none is named; an empty text where that is not settled yet."""
    if settings.data.path or not settings.verdict.score:
        return settings.verdict.score
    return task_of(len(DATASETS[settings.data.name]().class_names)).deciding


def is_default(name: str, fingerprint: str) -> bool:
    """Whether a study has the name that a command means which names none."""
    return name == default_name(read({}).decided(2), fingerprint)


def large_enough(settings: Settings) -> bool:
    """Whether a study is as large as the default one, or confirms on ENOUGH seeds: only then is its test
    opened unasked. Where nothing is searched, no number of trials is asked for."""
    default = read({"search.design": settings.search.design})
    searched = any(settings.searched_of(model) for model in settings.studied)
    return (
        (settings.trials >= default.trials or not searched)
        and settings.search.seeds >= default.search.seeds
        and settings.confirm.seeds >= min(ENOUGH, default.confirm.seeds)
    )


def machine() -> str:
    """The processor, and the kernels that NumPy and SciPy multiply with.

    A study says where it was made; what decides its bits is the probe in its fingerprint."""
    kernels = {
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    return ", ".join([_processor(), *sorted(kernels)])


def _processor() -> str:
    """Its name, as the system gives it."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
