"""MLflow: the experiments of a study, their runs and the logged model.

There is one run for each configuration, and in two sibling experiments one for each network and one for each
fresh division of the table. A run is created, filled and then marked FINISHED: that mark is the commit. A run
with our key and without the mark was interrupted; the next writer removes it."""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlparse

from handnet.study.environment import mlflow_variables

os.environ.update(mlflow_variables())
os.environ.pop("MLFLOW_RUN_CONTEXT", None)  # tags from outside: what is logged is named here

import mlflow
from alembic.script import ScriptDirectory
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModel, Run, ViewType
from mlflow.store.tracking.dbmodels.models import SqlRun
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from mlflow.utils.autologging_utils import disable_autologging
from sqlalchemy import Engine, create_engine, select

from handnet.messages import Refusal, command, option
from handnet.study import views
from handnet.study.databases import check_schema, checkpoint, create_database, relocate, sqlite_uri
from handnet.study.logged_model import ServedModel
from handnet.study.mlflow_tables import KEY, Entry, insert_runs, local_path, write_files

without_autologging = disable_autologging  # a context; what a study fits is no part of its caller's run
logging.getLogger("mlflow").setLevel(logging.WARNING)
# The command line says once what these raise.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
VERSION = mlflow.__version__
PAGE = 1000  # runs in one answer
CUSTOM = {"mlflow.experimentKind": "custom_model_development"}  # the pages open on runs, not on chat traces


class Experiment(NamedTuple):
    """One experiment of a study: what follows the study's name in its own, and what its page shows first."""

    suffix: str
    description: str
    view: Callable[[], str]


EXPERIMENTS = {
    "configurations": Experiment("", views.DESCRIPTION, views.configurations),
    "seeds": Experiment(" seeds", views.SEEDS_DESCRIPTION, views.seeds),
    "rehearsals": Experiment(" rehearsals", views.REHEARSALS_DESCRIPTION, views.rehearsals),
}
HOME = {"seed": "seeds", "search": "configurations", "confirm": "configurations"}  # by the key's first word


@dataclass
class Tracker:
    """The three experiments of a study in the folder's MLflow database; made by `open`.

    One writer at a time, under the folder's lock. experiments: name in EXPERIMENTS -> id; runs: key ->
    finished run."""

    home: Path
    study: str
    writing: bool
    client: MlflowClient
    engine: Engine
    experiments: dict[str, str]
    runs: dict[str, Run]

    @classmethod
    def open(cls, home: Path, study: str, create: bool = True) -> "Tracker":
        """Open the experiments of a study. create: make what is not there, and write.

        Raises Refusal when there is no such study to read, or the database cannot be used."""
        database = home / "mlflow.db"
        uri = create_database(database, lambda uri: _create_schema(uri, home))
        current, *older = _revisions()
        check_schema(database, "MLflow", current, older, f"mlflow db upgrade {uri}")
        client, engine = MlflowClient(tracking_uri=uri), create_engine(uri, connect_args={"timeout": 20})
        tracker = cls(home, study, create, client, engine, {}, {})
        if not create and client.get_experiment_by_name(study) is None:
            names = list(_studies(client))
            another = f"choose with {option('name', names[0] if len(names) == 1 else '')}"
            then = another if names else f"{command('study')} makes one"
            raise Refusal(
                f"there is no study {study!r} in {home} (there are: {', '.join(names) or 'none'}); {then}."
            )
        tracker.experiments = {name: tracker._experiment(name) for name in EXPERIMENTS}
        tracker.runs = {
            run.data.tags[KEY]: run for run in tracker._our_runs() if run.info.status == "FINISHED"
        }
        return tracker

    def write(self, entry: Entry, model: ServedModel | None = None) -> None:
        """Write one finished run, unless a run with its key is finished already."""
        if not entry.datasets and model is None:
            self.write_together([entry])
        elif entry.key not in self.runs:
            run_id = self.insert([entry], "RUNNING")[0].info.run_id
            if entry.datasets:
                self.client.log_inputs(run_id, [_dataset(self.study, *part) for part in entry.datasets])
            if model:
                model.log(self.client, self.client.get_run(run_id))
            self.finish(entry.key, run_id)

    def write_together(self, entries: Sequence[Entry]) -> None:
        """Write several finished runs in one transaction. Those that are finished already are left alone."""
        entries = [entry for entry in entries if entry.key not in self.runs]
        runs = self.insert(entries, "FINISHED")
        self.runs |= {entry.key: run for entry, run in zip(entries, runs, strict=True)}

    def insert(self, entries: Sequence[Entry], status: str) -> list[Run]:
        """Write the files of these runs, and then all their rows in one transaction."""
        homes = [self._home_of(entry.key) for entry in entries]
        runs = [
            write_files(entry, status, self.experiments[home], self._place(self._name(home)))
            for entry, home in zip(entries, homes, strict=True)
        ]
        insert_runs(self.engine, entries, runs)
        return runs

    def finish(self, key: str, run_id: str) -> None:
        """Mark a run FINISHED."""
        self.client.set_terminated(run_id)
        self.runs[key] = self.client.get_run(run_id)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete finished runs, and their models."""
        for key in keys:
            self.client.delete_run(self.runs.pop(key).info.run_id)
        if keys:
            self._remove_orphans()

    def remove_leftovers(self) -> int:
        """Delete our runs that were never finished, and models whose run is gone. Returns how many runs."""
        leftovers = [run for run in self._our_runs() if run.info.status != "FINISHED"]
        for run in leftovers:
            self.client.delete_run(run.info.run_id)
        self._remove_orphans()
        self._remove_unclaimed()
        return len(leftovers)

    def _remove_orphans(self) -> None:
        kept = {run.info.run_id for run in self.runs.values()}
        for model in self.client.search_logged_models([self.experiments["configurations"]]):
            if model.source_run_id not in kept:
                self.client.delete_logged_model(model.model_id)

    def _remove_unclaimed(self) -> None:
        """Remove the files of runs whose rows were never written.

        Any row claims its run's files, whatever study it belongs to."""
        with self.engine.connect() as connection:
            claimed: set[str] = set(connection.scalars(select(SqlRun.run_uuid)))
        for name in EXPERIMENTS:
            for folder in local_path(self._place(self._name(name))).glob("*"):
                is_run = re.fullmatch("[0-9a-f]{32}", folder.name) and not folder.is_symlink()
                if is_run and folder.is_dir() and folder.name not in claimed:
                    shutil.rmtree(folder)

    def attach(self, key: str, files: Mapping[str, bytes]) -> None:
        """Add files to a finished run, in folders if their names say so.

        A file whose content is there already is left alone."""
        folder = self.folder(self.runs[key])
        for name, content in files.items():
            if not (folder / name).exists() or (folder / name).read_bytes() != content:
                self.attach_file(key, name, content)

    def attach_file(self, key: str, name: str, content: bytes) -> None:
        """Add one file to a finished run."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, Path(name).name)
            path.write_bytes(content)
            parent = str(Path(name).parent) if "/" in name else None
            self.client.log_artifact(self.runs[key].info.run_id, str(path), parent)

    def folder(self, run: Run) -> Path:
        """Where the files of a run lie, wherever this folder was when MLflow wrote their place down."""
        return self.home / "artifacts" / Path(*Path(unquote(urlparse(run.info.artifact_uri).path)).parts[-3:])

    def models(self) -> dict[str, LoggedModel]:
        """The logged models by the id of their run."""
        models = self.client.search_logged_models([self.experiments["configurations"]])
        return {model.source_run_id: model for model in models if model.source_run_id}

    def note(self, name: str, value: str) -> None:
        """Keep a text about the study, as a tag of its experiment."""
        self.client.set_experiment_tag(self.experiments["configurations"], f"handnet.{name}", value)

    def noted(self, name: str) -> str | None:
        """The text that `note` kept, or None."""
        tags: dict[str, str] = self.client.get_experiment(self.experiments["configurations"]).tags
        return tags.get(f"handnet.{name}")

    def close(self) -> None:
        """Leave the database as one file."""
        self.engine.dispose()
        checkpoint(self.home / "mlflow.db")

    def _experiment(self, kind: str) -> str:
        """The id of an experiment, which is made if it is not there."""
        name, place = self._name(kind), self._place(self._name(kind))
        tags = CUSTOM | {
            "mlflow.note.content": EXPERIMENTS[kind].description.format(study=self.study),
            views.TAG: EXPERIMENTS[kind].view(),
        }
        tags |= {KEY: "study"} if kind == "configurations" else {}
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None and not self.writing:
            raise Refusal(
                f"the study {self.study!r} has only just begun; {command('study')} goes on with it."
            )
        if experiment is None:
            return str(self.client.create_experiment(name, place, tags=tags))
        for tag in (tag for tag in tags if self.writing and tag not in experiment.tags):
            self.client.set_experiment_tag(experiment.experiment_id, tag, tags[tag])
        if self.writing and experiment.artifact_location != place:  # the folder was moved or copied
            relocate(self.home / "mlflow.db", str(experiment.artifact_location), place)
        return str(experiment.experiment_id)

    def _name(self, kind: str) -> str:
        """The name of an experiment."""
        return self.study + EXPERIMENTS[kind].suffix

    def _place(self, name: str) -> str:
        """Where the files of an experiment lie, as a URI."""
        return (self.home / "artifacts" / name.replace(" ", "-")).absolute().as_uri()

    def _home_of(self, key: str) -> str:
        """The experiment a run belongs to."""
        return HOME.get(key.split("/", maxsplit=1)[0], "rehearsals")

    def _our_runs(self) -> Iterator[Run]:
        for experiment in self.experiments.values():
            yield from list_runs(self.client, [experiment])


def list_runs(client: MlflowClient, experiments: Sequence[str]) -> Iterator[Run]:
    """Every live run of this program in these experiments."""
    token = None
    while True:
        page = client.search_runs(list(experiments), "", ViewType.ACTIVE_ONLY, PAGE, page_token=token)
        yield from (run for run in page if KEY in run.data.tags)
        token = page.token
        if not token:
            return


def pages(home: Path) -> dict[str, str]:
    """The address, behind the host, of each study of a folder on MLflow's server, the newest study first."""
    client = MlflowClient(tracking_uri=sqlite_uri(home / "mlflow.db"))
    return {name: views.link(experiment) for name, experiment in _studies(client).items()}


def _studies(client: MlflowClient) -> dict[str, str]:
    """Name and experiment of each study, the newest first."""
    return {
        experiment.name: experiment.experiment_id
        for experiment in client.search_experiments()
        if KEY in experiment.tags
    }


def _create_schema(uri: str, home: Path) -> None:
    SqlAlchemyStore(uri, (home / "artifacts").absolute().as_uri()).engine.dispose()


def _revisions() -> list[str]:
    """The revisions of MLflow's schema, the newest first."""
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    return [script.revision for script in scripts.walk_revisions()]


def _dataset(study: str, context: str, digest: str, rows: int) -> DatasetInput:
    data = Dataset(
        name=f"{study} {context}",
        digest=digest[:36],
        source_type="code",
        source='{"tags": {}}',
        profile=f'{{"num_rows": {rows}}}',
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", context)])
