"""MLflow: one run per configuration; one per (configuration, seed) and one per rehearsal in sibling
experiments. Nothing else imports mlflow.

A run is created, filled, and then marked FINISHED: that mark is the commit. Whatever carries our key without
it was interrupted, and is removed when the next writer starts. Exact values live in the .npz of each seed
run, because MLflow stores infinity as 1.8e308 and resuming must be exact; resume and report read those."""

import logging
import math
import os
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlparse
from zipfile import BadZipFile

# Before the import. Medical data is nobody else's business, and our own progress is the only one shown.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ["MLFLOW_ENABLE_ASYNC_LOGGING"] = "false"  # FINISHED must not overtake what it vouches for
os.environ.pop("MLFLOW_RUN_CONTEXT", None)  # tags from outside: what is logged is named here

import mlflow
from alembic.script import ScriptDirectory
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    Metric,
    Run,
    RunData,
    RunInfo,
    ViewType,
)
from mlflow.models import Model
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from sqlalchemy import create_engine, insert, select

from handnet.data import Array
from handnet.study import views
from handnet.study.messages import Refusal
from handnet.study.milestones import reached
from handnet.study.store import check_schema, checkpoint, create_database, relocate, sqlite_uri
from handnet.study.summary import curve_epochs
from handnet.study.units import Replicas

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(
    logging.CRITICAL
)  # what it raises is said once, by the command line
KEY = "handnet.key"
VERSION = mlflow.__version__
REPLICA_FILE = "replica.npz"
PAGE = 1000
T = TypeVar("T")
PAGE_TAGS = {
    "mlflow.experimentKind": "custom_model_development"
}  # MLflow's pages open on runs, not on chat traces

DESCRIPTION = """Compare `val/log_loss.seeds.mean` with its q025 and q975, never alone. One run per configuration of the study
`{study}`; `role` says why it was trained: *search* runs were compared on validation rows to choose a winner, the others
were confirmed on fresh seeds and carry the test.

Metric names read `part/score.varied.what`: `val/accuracy.seeds.q025` is the lower end of the band over seeds of the
accuracy on validation rows, `test/accuracy.cases.wilson_low` that of the interval over cases. The winner's run carries the
report and its figures (*Artifacts*) and the networks as a model.

Every single network, with its own curves, is in the experiment `{study} seeds`; every fresh division of the table in
`{study} rehearsals`."""

REHEARSALS_DESCRIPTION = """Compare the configurations within a row: each row is one fresh division of the whole table. They are the
frozen configurations of the study `{study}`, made after the test was opened; with IDEAL=1 also the search made anew inside
each, and the winner with its seed's three streams varied. Nothing was chosen by them. Metric names read
`configuration/score.seeds.what`."""

SEEDS_DESCRIPTION = """Compare the seeds of one configuration at a time, `tags.first_used_by = 'winner'` in the search field to begin with: this
page loads a hundred runs at once, and of all sorted by score these would be the lucky ones. Every network of the study
`{study}` is here, one run per configuration and seed; grouped by the tag `config_id`, a chart shows the average and the
range of what is loaded."""


@dataclass(frozen=True)
class Entry:
    """What is to be written about one run."""

    key: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Array] = field(default_factory=dict)  # name -> (epochs,)
    files: Mapping[str, bytes] = field(default_factory=dict)
    datasets: Sequence[tuple[str, str, int]] = ()  # (context, digest, rows)


class Tracking:
    """The study's two experiments in the folder's MLflow database. Use one writer at a time, under the
    lock."""

    def __init__(self, home: Path, study: str, create: bool = True) -> None:
        self.home, self.study, self.writing = home, study, create
        self.database = home / "mlflow.db"
        self.uri = create_database(self.database, lambda uri: _create_schema(uri, home))
        current, *older = _revisions()
        check_schema(self.database, "MLflow", current, older, f"mlflow db upgrade {self.uri}")
        self.client = MlflowClient(tracking_uri=self.uri)
        self.engine = create_engine(self.uri, connect_args={"timeout": 20})
        if not create and self.client.get_experiment_by_name(study) is None:
            known = (
                ", ".join(one.name for one in self.client.search_experiments() if KEY in one.tags) or "none"
            )
            raise Refusal(f"there is no study {study!r} in {home} (there are: {known}); make study makes it.")
        self.configurations = self._experiment(
            study, DESCRIPTION, {KEY: "study", views.TAG: views.configurations()}
        )
        self.seeds = self._experiment(f"{study} seeds", SEEDS_DESCRIPTION, {views.TAG: views.seeds()})
        self.rehearsals = self._experiment(
            f"{study} rehearsals", REHEARSALS_DESCRIPTION, {views.TAG: views.rehearsals()}
        )
        self.runs = {run.data.tags[KEY]: run for run in self._ours() if run.info.status == "FINISHED"}

    def remove_leftovers(self) -> int:
        """Delete our runs that were never finished, and models whose run is gone. Returns how many runs."""
        leftovers = [run for run in self._ours() if run.info.status != "FINISHED"]
        for run in leftovers:
            self.client.delete_run(run.info.run_id)
        self._remove_orphans()
        self._remove_unclaimed()
        return len(leftovers)

    def _remove_unclaimed(self) -> None:
        """Remove the files of runs whose rows were never written. A run of whatever study claims its own."""
        with self.engine.connect() as connection:
            claimed: set[str] = set(connection.scalars(select(SqlRun.run_uuid)))
        for experiment in self.homes():
            for folder in local_path(self._place(self._name_of(experiment))).glob("*"):
                ours = (
                    re.fullmatch("[0-9a-f]{32}", folder.name) and folder.is_dir() and not folder.is_symlink()
                )
                if ours and folder.name not in claimed:
                    shutil.rmtree(folder)

    def _remove_orphans(self) -> None:
        kept = {run.info.run_id for run in self.runs.values()}
        for model in self.client.search_logged_models([self.configurations]):
            if model.source_run_id not in kept:
                self.client.delete_logged_model(model.model_id)

    def write(self, entry: Entry, model: "ServedModel | None" = None) -> None:
        """One finished run. Does nothing when a run with this key is finished already."""
        if not entry.datasets and model is None:
            self.write_together([entry])
        elif entry.key not in self.runs:
            run_id = self._insert([entry], "RUNNING")[0].info.run_id
            reached("created", entry.key)
            if entry.datasets:
                self.client.log_inputs(run_id, [_dataset(self.study, *one) for one in entry.datasets])
            if model:
                model.log(self.uri, self.configurations, run_id)
            reached("filled", entry.key)
            self.client.set_terminated(run_id)
            reached("finished", entry.key)
            self.runs[entry.key] = self.client.get_run(run_id)

    def write_together(self, entries: Sequence[Entry]) -> None:
        """Several finished runs at one stroke; those that are finished already are left alone."""
        entries = [entry for entry in entries if entry.key not in self.runs]
        for entry, run in zip(entries, self._insert(entries, "FINISHED"), strict=True):
            reached("finished", entry.key)
            self.runs[entry.key] = run

    def _insert(self, entries: Sequence[Entry], status: str) -> list[Run]:
        """Runs with all that is in them, in one transaction on MLflow's own tables: through its client each
        would take five, and ten times as long. Their files come first, the rows that vouch for them last."""
        runs = [self._laid_down(entry, status) for entry in entries]
        tables: dict[Any, list[dict[str, Any]]] = {}
        for entry, run in zip(entries, runs, strict=True):
            reached("measured", entry.key)
            for table, rows in _rows(entry, run.info).items():
                tables.setdefault(table, []).extend(rows)
        with self.engine.begin() as connection:
            for table, rows in tables.items():
                if rows:  # networks that diverged may have no metric at all
                    connection.execute(insert(table), rows)
        return runs

    def _laid_down(self, entry: Entry, status: str) -> Run:
        """A run with its files where they belong, and nothing yet in the database."""
        run_id, now, experiment = uuid.uuid4().hex, int(time.time() * 1000), self._home_of(entry.key)
        place = f"{self._place(self._name_of(experiment))}/{run_id}/artifacts"
        folder = local_path(place)
        folder.mkdir(parents=True)
        for name, content in entry.files.items():
            reached("attaching", entry.key)
            (folder / name).write_bytes(content)
        reached("attached", entry.key)
        ended = now if status == "FINISHED" else None
        info = RunInfo(
            run_id, experiment, "unknown", status, now, ended, "active", place, run_name=entry.name
        )
        return Run(info, RunData())

    def replicas(self, config_id: str, seeds: Sequence[int]) -> dict[int, Replicas]:
        """Those of the seeds of a configuration that are finished, exact to the bit."""
        what = f"the results of seed {{}} of configuration {config_id}"
        found = {
            seed: self.stored(f"seed/{config_id}/{seed}", REPLICA_FILE, Replicas.from_npz, what.format(seed))
            for seed in seeds
        }
        return {seed: replica for seed, replica in found.items() if replica is not None}

    def stored(self, key: str, name: str, parse: Callable[[bytes], T], what: str) -> T | None:
        """An artifact of a finished run, parsed. To a writer, None when it is not there or damaged.

        A power cut may leave a file damaged behind a finished mark. Its content is a pure function of its
        key: the run is forgotten, and made again. A reader cannot, and raises Refusal naming `what` is
        missing or damaged."""
        run = self.runs.get(key)
        if run is None:
            if not self.writing:
                raise Refusal(f"{what} are not there; make study makes them again.", 1)
            return None
        try:
            return parse(self.read(run, name))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            if not self.writing:
                raise Refusal(f"{what} are damaged; make study makes them again.", 1) from None
            self._forget(key)
            self._remove_orphans()
            return None

    def read(self, run: Run, name: str) -> bytes:
        """An artifact of a run."""
        return (self.folder(run) / name).read_bytes()

    def supersede(self, kind: str, keys: Iterable[str]) -> None:
        """Delete the finished runs of a kind whose key is not among `keys`, and their models: newer ones say
        more."""
        kept = set(keys)
        stale = [key for key in self.runs if key.startswith(f"{kind}/") and key not in kept]
        for key in stale:
            self._forget(key)
        if stale:
            self._remove_orphans()

    def _forget(self, key: str) -> None:
        self.client.delete_run(self.runs.pop(key).info.run_id)

    def note(self, name: str, value: str) -> None:
        """Remember a text about the study, unless it is what is remembered already."""
        if self.noted(name) != value:
            self.client.set_experiment_tag(self.configurations, f"handnet.{name}", value)

    def noted(self, name: str) -> str | None:
        """What `note` remembered, or None."""
        tags: dict[str, str] = self.client.get_experiment(self.configurations).tags
        return tags.get(f"handnet.{name}")

    def close(self) -> None:
        """Leave the database as one file."""
        self.engine.dispose()
        checkpoint(self.database)

    def attach(self, key: str, files: Mapping[str, bytes]) -> None:
        """Lay files beside a finished run, in folders if their names say so, those whose content is not there
        already."""
        run = self.runs[key]
        place = self.folder(run)
        fresh = {
            name: content
            for name, content in files.items()
            if not (place / name).exists() or (place / name).read_bytes() != content
        }
        self._attach(run.info.run_id, f"beside/{key}", fresh)

    def _attach(self, run_id: str, moment: str, files: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                reached("attaching", moment)
                path = Path(folder, Path(name).name)
                path.write_bytes(content)
                self.client.log_artifact(run_id, str(path), str(Path(name).parent) if "/" in name else None)

    def folder(self, run: Run) -> Path:
        """Where a run's artifacts lie in this folder, wherever it was when MLflow wrote their place down."""
        return self.home / "artifacts" / Path(*Path(unquote(urlparse(run.info.artifact_uri).path)).parts[-3:])

    def _experiment(self, name: str, note: str, tags: Mapping[str, str]) -> str:
        """The experiment of this name, made if it is not there, with what its page shows first."""
        tags = {**PAGE_TAGS, "mlflow.note.content": note.format(study=self.study), **tags}
        found = self.client.get_experiment_by_name(name)
        if found is None and not self.writing:
            raise Refusal(f"the study {self.study!r} has only just begun; make study goes on with it.")
        place = self._place(name)
        if found is None:
            return str(self.client.create_experiment(name, place, tags=tags))
        for tag in (tag for tag in tags if self.writing and tag not in found.tags):
            self.client.set_experiment_tag(found.experiment_id, tag, tags[tag])
        if (
            self.writing and found.artifact_location != place
        ):  # the folder was moved or copied: new runs go here
            relocate(self.database, str(found.artifact_location), place)
        return str(found.experiment_id)

    def _place(self, experiment: str) -> str:
        """Where the files of an experiment lie."""
        return (self.home / "artifacts" / experiment.replace(" ", "-")).absolute().as_uri()

    def _home_of(self, key: str) -> str:
        """The experiment a run belongs to, by the first word of its key."""
        kind = key.split("/", maxsplit=1)[0]
        return {"seed": self.seeds, "search": self.configurations, "confirm": self.configurations}.get(
            kind, self.rehearsals
        )

    def _name_of(self, experiment: str) -> str:
        """The name of one of our experiments."""
        names = (self.study, f"{self.study} seeds", f"{self.study} rehearsals")
        return dict(zip(self.homes(), names, strict=True))[experiment]

    def homes(self) -> tuple[str, str, str]:
        """The ids of the experiments: of configurations, of seeds, of rehearsals."""
        return self.configurations, self.seeds, self.rehearsals

    def models(self) -> dict[str, LoggedModel]:
        """The logged models, by the id of their run."""
        found = self.client.search_logged_models([self.configurations])
        return {one.source_run_id: one for one in found if one.source_run_id}

    def _ours(self) -> Iterator[Run]:
        for experiment in self.homes():
            token = None
            while True:
                page = self.client.search_runs([experiment], "", ViewType.ACTIVE_ONLY, PAGE, page_token=token)
                yield from (run for run in page if KEY in run.data.tags)
                token = page.token
                if not token:
                    break


@dataclass(frozen=True)
class ServedModel:
    """A model anybody can load with mlflow.pyfunc.load_model: code and a weights file, no pickle."""

    name: str
    weights: bytes
    example: Any  # a DataFrame of a few unscaled cases
    prediction: Any  # what the model gives for it

    def log(self, uri: str, experiment: str, run_id: str) -> None:
        """Attach the model to a run of an experiment."""
        mlflow.set_tracking_uri(uri)
        try:
            self._log(experiment, run_id)
        finally:
            os.environ.pop(
                "MLFLOW_TRACKING_URI", None
            )  # set as well by the call above, and the user's to set

    def _log(self, experiment: str, run_id: str) -> None:
        mlflow.set_experiment(experiment_id=experiment)
        root = Path(__file__).parent
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder, "weights.npz")
            weights.write_bytes(self.weights)
            Model.log(
                artifact_path=None,
                name=self.name,
                flavor=mlflow.pyfunc,
                run_id=run_id,
                python_model=str(root / "served_model.py"),
                artifacts={"weights": str(weights)},
                code_paths=[str(root.parent)],
                signature=mlflow.models.infer_signature(self.example, self.prediction),
                input_example=self.example,
                pip_requirements=["mlflow", "numpy", "scipy", "scikit-learn", "pandas"],
            )


def pages(home: Path) -> dict[str, str]:
    """Where MLflow's server shows each study of a folder, the newest first: the address behind the host."""
    client = MlflowClient(tracking_uri=sqlite_uri(home / "mlflow.db"))
    return {one.name: views.link(one.experiment_id) for one in client.search_experiments() if KEY in one.tags}


def _create_schema(uri: str, home: Path) -> None:
    SqlAlchemyStore(uri, (home / "artifacts").absolute().as_uri()).engine.dispose()


def _revisions() -> list[str]:
    """The revisions of MLflow's schema, the newest first."""
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    return [script.revision for script in scripts.walk_revisions()]


def _rows(entry: Entry, info: RunInfo) -> dict[Any, list[dict[str, Any]]]:
    """A run as rows of MLflow's tables, with MLflow's own words for values that are not finite."""
    now, of = info.start_time, {"run_uuid": info.run_id}
    points = [Metric(name, value, now, 0) for name, value in entry.metrics.items()] + list(
        _points(entry.curves, now)
    )
    metrics = [
        of
        | {
            "key": one.key,
            "value": _stored(one.value),
            "timestamp": now,
            "step": one.step,
            "is_nan": math.isnan(one.value),
        }
        for one in points
    ]
    last = {row["key"]: row for row in metrics}  # of a curve its last point
    tags = {KEY: entry.key, "mlflow.runName": entry.name, **entry.tags}
    run = of | {
        "name": entry.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "source_version": "",
        "user_id": info.user_id,
        "status": info.status,
        "start_time": now,
        "end_time": info.end_time,
        "lifecycle_stage": info.lifecycle_stage,
        "artifact_uri": info.artifact_uri,
        "experiment_id": int(info.experiment_id),
    }
    return {
        SqlRun: [run],
        SqlTag: [of | {"key": name, "value": value} for name, value in tags.items()],
        SqlParam: [of | {"key": name, "value": str(value)} for name, value in entry.params.items()],
        SqlMetric: metrics,
        SqlLatestMetric: list(last.values()),
    }


def _stored(value: float) -> float:
    """A number as MLflow's tables hold it: 0 for NaN, the largest there is for infinity."""
    return 0.0 if math.isnan(value) else min(max(value, -sys.float_info.max), sys.float_info.max)


def _points(curves: Mapping[str, Array], now: int) -> Iterator[Metric]:
    for name, values in curves.items():
        for epoch in curve_epochs(len(values)):
            yield Metric(name, float(values[epoch - 1]), now, int(epoch))


def _dataset(study: str, context: str, digest: str, rows: int) -> DatasetInput:
    data = Dataset(
        name=f"{study} {context}",
        digest=digest[:36],
        source_type="code",
        source='{"tags": {}}',
        profile=f'{{"num_rows": {rows}}}',
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", context)])


def local_path(uri: str) -> Path:
    """The path of a file: URI."""
    return Path(unquote(urlparse(uri).path))
