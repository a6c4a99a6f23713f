"""The tracker: where a person looks at the runs of a study. It is MLflow, by its public client alone.

A run is created, filled and then marked FINISHED, or FAILED where all that it is about was lost: that mark is
the commit. A run with our key and without the mark was cut short, and is deleted before it is made again. All
that is tracked is computed from the store, so a tracker may be lost, and loses nothing."""

import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlparse

from handnet.data import Array
from handnet.messages import option
from handnet.study.environment import mlflow_variables, quieten
from handnet.study.files import check_in_place
from handnet.study.gaps import curve_epochs

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Run

    from handnet.study.logged_model import ServedModel

KEY = "handnet.key"  # the tag that holds a run's key, and marks it as one of this program
ORIGIN = "handnet.origin"  # the folder a run comes from: no other folder's run is ever deleted
COMPLETE = ("FINISHED", "FAILED")  # the marks of a run that was filled; one that was cut short is RUNNING
PAGE = 1000  # runs in one answer
PROBE = 3.0  # seconds a server has for its first answer
BATCH = 900  # points in one request; with its parameters a server takes 1000 entries


@dataclass(frozen=True)
class Entry:
    """The content of one run.

    key: names the run by everything that decides its content; curves: name -> (epochs,); files: path below
    the run's artifacts -> content; datasets: (name, context, digest, rows) of each part it has seen; failed:
    whether all that it is about was lost."""

    key: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Array] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    datasets: Sequence[tuple[str, str, str, int]] = ()
    model: "ServedModel | None" = None
    failed: bool = False


class Tracker(Protocol):
    """Where runs are shown. Calling again with the same key changes nothing.

    Every method may raise any Exception when the tracker cannot be reached or used: the same calls, made
    again on a new tracker, go on from there."""

    def experiment(self, name: str, description: str, tags: Mapping[str, str]) -> tuple[str, Collection[str]]:
        """An experiment, made if it is not there: its id, and the keys of the finished runs in it.

        Runs of ours that were cut short are deleted."""
        ...

    def sweep(self, name: str, keys: Collection[str]) -> None:
        """Delete the runs of ours in an experiment, if it is there, that have none of these keys."""
        ...

    def run(self, experiment: str, entry: Entry) -> str | None:
        """The id of a new run with the key, name and tags of an entry; None when it is there already."""
        ...

    def log(self, run: str, entry: Entry) -> None:
        """Fill a run with all the rest of its entry."""
        ...

    def finish(self, run: str) -> None:
        """Mark a run as complete; one whose entry has failed as such."""
        ...


class Unwelcome(Exception):
    """The tracker answers, and cannot take a study. The sentence says why."""


def check_answers(server: str) -> None:
    """Ask a server whether it is there, because MLflow itself would wait much longer for an answer.

    It must answer from its database too: one that says it is well may wait for that without end.
    Raises TimeoutError when no answer comes, and Unwelcome when it is not well or not there."""
    _ask(f"{server}/health")
    with suppress(Unwelcome):  # a request that fails is one that MLflow makes again
        _ask(f"{server}/api/2.0/mlflow/experiments/search?max_results=1")


def _ask(address: str) -> None:
    try:
        urllib.request.urlopen(address, timeout=PROBE).close()
    except urllib.error.HTTPError as fault:
        if fault.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unwelcome(f"it answers with status {fault.code}") from None
    except (OSError, HTTPException) as fault:
        why = getattr(fault, "reason", fault)
        if isinstance(why, SSLCertVerificationError):
            return  # whom to trust is for MLflow's variables to say
        if isinstance(why, TimeoutError):
            raise TimeoutError("it does not answer in time") from None
        raise Unwelcome("it does not answer") from None


class Begun(NamedTuple):
    """A run that is being filled. started: milliseconds since 1970; status: what it ends with."""

    experiment: str
    key: str
    started: int
    status: str


class Mlflow:
    """MLflow. runs: experiment -> key -> id of the finished run with that key, None where it is not ours."""

    def __init__(self, uri: str, origin: str, files: Path | None = None) -> None:
        """origin: names the folder the runs come from; files: where artifacts lie, None for a server.

        Raises what `check_answers` does."""
        if files is None:
            check_answers(uri)
        os.environ.update(mlflow_variables())
        os.environ.pop("MLFLOW_RUN_CONTEXT", None)  # tags from outside: what is logged is named here
        from mlflow import MlflowClient, entities

        quieten()
        self.client, self.entities = MlflowClient(tracking_uri=uri), entities
        self.origin, self.files = origin, files
        self.runs: dict[str, dict[str, str | None]] = {}
        self.begun: dict[str, Begun] = {}

    def experiment(self, name: str, description: str, tags: Mapping[str, str]) -> tuple[str, Collection[str]]:
        """See Tracker. Raises Unwelcome when the experiment is deleted or its artifacts cannot be sent."""
        place = (self.files / name.replace(" ", "-")).as_uri() if self.files else None
        tags = {**tags, "mlflow.note.content": description}
        found = self.client.get_experiment_by_name(name)
        if found is None:
            found = self.client.get_experiment(self.client.create_experiment(name, place, tags))
            self.runs[found.experiment_id] = {}
        self._check(found)
        experiment = str(found.experiment_id)
        for tag in tags.keys() - found.tags.keys():
            self.client.set_experiment_tag(experiment, tag, tags[tag])
        if experiment not in self.runs:
            self._read(experiment)
        return experiment, self.runs[experiment].keys()

    def sweep(self, name: str, keys: Collection[str]) -> None:
        """See Tracker."""
        found = self.client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            return
        experiment = str(found.experiment_id)
        if experiment not in self.runs:
            self._read(experiment)
        runs = self.runs[experiment]
        stale = [key for key, run in runs.items() if run and key not in keys]
        self._delete(experiment, {run for key in stale if (run := runs.pop(key))})

    def run(self, experiment: str, entry: Entry) -> str | None:
        """See Tracker. The tags go with it: alone they would cost as much as the run."""
        if entry.key in self.runs[experiment]:
            return None
        now, tags = int(time.time() * 1000), {**entry.tags, KEY: entry.key, ORIGIN: self.origin}
        run = self.client.create_run(experiment, now, tags, entry.name).info.run_id
        self.begun[run] = Begun(experiment, entry.key, now, "FAILED" if entry.failed else "FINISHED")
        return str(run)

    def log(self, run: str, entry: Entry) -> None:
        """See Tracker."""
        client, entities = self.client, self.entities
        points = [*self._points(entry, self.begun[run].started)]
        params = [entities.Param(name, str(value)) for name, value in entry.params.items()]
        for low in range(0, max(len(points), 1), BATCH):
            client.log_batch(run, points[low : low + BATCH], () if low else params)
        if entry.files:
            self._check_in_place()
            with tempfile.TemporaryDirectory() as folder:
                for name, content in entry.files.items():
                    path = Path(folder, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                client.log_artifacts(run, folder)
        if entry.datasets:
            client.log_inputs(run, [self._dataset(*part) for part in entry.datasets])
        if entry.model:
            entry.model.log(client, self.begun[run].experiment, run, self._check_in_place)

    def finish(self, run: str) -> None:
        """See Tracker."""
        experiment, key, _, status = self.begun[run]
        self.client.set_terminated(run, status)
        del self.begun[run]
        self.runs[experiment][key] = run

    def _check_in_place(self) -> None:
        """Raises Refusal when the folder of the artifacts was moved, which MLflow would begin anew."""
        if self.files:
            check_in_place(self.files)

    def _points(self, entry: Entry, now: int) -> Iterator[Any]:
        """Every metric and every point of a curve, all of one time, so that one sent twice is one point."""
        for name, value in entry.metrics.items():
            yield self.entities.Metric(name, value, now, 0)
        for name, values in entry.curves.items():
            for epoch in curve_epochs(len(values)):
                yield self.entities.Metric(name, float(values[epoch - 1]), now, int(epoch))

    def _dataset(self, name: str, context: str, digest: str, rows: int) -> Any:
        profile = f'{{"num_rows": {rows}}}'
        data = self.entities.Dataset(name, digest[:36], "code", '{"tags": {}}', profile=profile)
        return self.entities.DatasetInput(data, [self.entities.InputTag("mlflow.data.context", context)])

    def _check(self, found: "Experiment") -> None:
        if found.lifecycle_stage != "active":
            raise Unwelcome(
                f"its experiment {found.name!r} is deleted; restore it there, or give the study another name"
                f" with {option('name', '')}"
            )
        if self.files is None and urlparse(found.artifact_location).scheme in {"", "file"}:
            raise Unwelcome(
                "it keeps artifacts in a folder that only its own machine has; start it with "
                "--serve-artifacts and no --default-artifact-root"
            )

    def _read(self, experiment: str) -> None:
        """Learn which runs are there, and delete those of ours that were cut short."""
        runs: dict[str, str | None] = {}
        cut: set[str] = set()
        for run in self._all(experiment):
            tags, run_id = run.data.tags, str(run.info.run_id)
            ours = tags.get(ORIGIN) == self.origin
            if run.info.status in COMPLETE:
                runs[tags[KEY]] = run_id if ours else runs.get(tags[KEY])
            elif ours:
                cut.add(run_id)
        self._delete(experiment, cut)
        self.runs[experiment] = runs

    def _all(self, experiment: str) -> Iterator["Run"]:
        """Every live run of this program in an experiment."""
        token: str | None = ""
        while token is not None:
            page = self.client.search_runs([experiment], max_results=PAGE, page_token=token or None)
            yield from (run for run in page if KEY in run.data.tags)
            token = page.token or None

    def _delete(self, experiment: str, runs: set[str]) -> None:
        """Delete runs, and their models."""
        for model in self.client.search_logged_models([experiment]) if runs else ():
            if model.source_run_id in runs:
                self.client.delete_logged_model(model.model_id)
        for run in runs:
            self.client.delete_run(run)
