"""A copy of the study on an MLflow server, where MLFLOW_TRACKING_URI names one.

The stores in mlruns/ stay the one truth: what is finished here and not there is sent, and a server that dies
loses nothing. There as here a run is created, filled, and then marked FINISHED: that mark is the commit. A
run of this folder without it was cut short, and is deleted before anything is sent again."""

import logging
import os
import uuid
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlparse, urlsplit

from handnet.study.environment import mlflow_variables

os.environ.update(mlflow_variables())

from mlflow.entities import LoggedModel, LoggedModelOutput, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from handnet.data import canonical_hash
from handnet.messages import command, option, redacted
from handnet.study.mlflow_tables import KEY, local_path
from handnet.study.screen import Screen
from handnet.study.store import Store
from handnet.study.tracker import list_runs

logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would announce each attempt in words of its own
# Digest of a run's files when they were sent: a report may be added to a finished run.
FILES = "handnet.files"
FROM = "handnet.from"  # a run there carries the folder it came from: no other folder's run is ever deleted
SUPERSEDED = ("confirm", "split", "ideal", "streams")  # kinds of which newer runs replace older ones
BATCH = 900  # metrics in one request; with its parameters a server takes 1000 entries
PROBE, PASSES = 3.0, 3  # seconds; times a publication is begun while the server answers


class Unwelcome(Exception):
    """The server answers, and cannot take a copy. The sentence says why."""


class Publisher:
    """Sends one study to one server. Use it under the lock of the study's folder.

    unsent: how many runs are not known to be there; fault: why."""

    def __init__(self, store: Store, address: str, screen: Screen, check: Callable[[], None]) -> None:
        """Prepare to send; nothing is sent yet.

        address: http or https, perhaps with user:password, which go to MLflow alone and are kept nowhere.
        check: called between two runs; may raise to stop there."""
        self.store, self.tracker, self.screen, self.check = store, store.tracker, screen, check
        self.server = _without_credentials(address)
        self.client = MlflowClient(tracking_uri=self.server)
        self.there: set[str] = set()
        self.unsent, self.fault = 0, ""

    @cached_property
    def origin(self) -> str:
        """16 hex digits that name this folder: no run there without them is ever deleted."""
        if self.store.noted("origin") is None:
            self.store.note("origin", uuid.uuid4().hex)
        return canonical_hash([self.store.noted("origin"), str(self.tracker.home.resolve())])[:16]

    def probe(self) -> None:
        """Say so now if the server does not answer, before hours are spent; the study does not need it."""
        if not self._answers():
            self.screen.say(
                f"{self.server} does not answer; everything is kept here and will be sent by the next"
                f" {command('study')}."
            )

    def publish(self, done: bool) -> None:
        """Send what is finished here and not there.

        done: the study is finished, so runs there that newer ones replace are removed."""
        for _ in range(PASSES):
            if not self._answers():
                break
            try:
                self._send_all(done)
                break
            except Unwelcome as refusal:
                self.fault = str(refusal)
                break
            except (MlflowException, OSError) as fault:
                self.fault = redacted(" ".join(str(fault).split())[:200])
        self.unsent = len(set(self.tracker.runs) - self.there)

    def _answers(self) -> bool:
        try:
            answer = http_request(
                get_default_host_creds(self.server),
                "/health",
                "GET",
                timeout=PROBE,
                max_retries=0,
                raise_on_status=False,
            )
        except (MlflowException, OSError):
            self.fault = "it does not answer"
            return False
        self.fault = "" if answer.status_code < 500 else f"it answers with status {answer.status_code}"
        return not self.fault

    def _send_all(self, done: bool) -> None:
        """One pass: remove what was cut short, send what is missing, remove what newer runs replace."""
        homes = {here: self._experiment(here) for here in self.tracker.experiments.values()}
        runs = list(list_runs(self.client, list(homes.values())))
        ours = [run for run in runs if run.data.tags.get(FROM) == self.origin]
        self._delete([run for run in ours if run.info.status != "FINISHED"], homes)
        self.there = {run.data.tags[KEY] for run in runs if run.info.status == "FINISHED"}
        self._send_missing(homes)
        self._renew([run for run in ours if run.data.tags[KEY].startswith("confirm/")])
        if done:
            stale = [run for run in ours if run.data.tags[KEY].split("/")[0] in SUPERSEDED]
            self._delete([run for run in stale if run.data.tags[KEY] not in self.tracker.runs], homes)

    def _send_missing(self, homes: dict[str, str]) -> None:
        runs, models = self.tracker.runs, self.tracker.models()
        missing = [key for key in runs if key not in self.there]
        if not missing:
            return
        with self.screen.progress("publish", len(runs), len(runs) - len(missing)) as bar:
            for key in missing:
                self.check()
                run = self.tracker.client.get_run(runs[key].info.run_id)
                self._send(run, homes[run.info.experiment_id], models.get(run.info.run_id))
                self.there.add(key)
                bar.advance(1, f"sent to {self.server}")

    def _send(self, run: Run, experiment: str, model: LoggedModel | None) -> None:
        files = self.tracker.folder(run)
        tags = {**run.data.tags, FROM: self.origin, FILES: _digest(files)}
        run_id = self.client.create_run(experiment, run.info.start_time, tags, run.info.run_name).info.run_id
        params = [Param(name, value) for name, value in run.data.params.items()]
        points = [
            point
            for name in run.data.metrics
            for point in self.tracker.client.get_metric_history(run.info.run_id, name)
        ]
        for start in range(0, max(len(points), 1), BATCH):
            self.client.log_batch(run_id, points[start : start + BATCH], params if start == 0 else [])
        if files.is_dir():
            self.client.log_artifacts(run_id, str(files))
        if run.inputs and run.inputs.dataset_inputs:
            self.client.log_inputs(run_id, run.inputs.dataset_inputs)
        if model:
            self._send_model(model, experiment, run_id)
        self.client.set_terminated(run_id, end_time=run.info.end_time)

    def _renew(self, there: list[Run]) -> None:
        """Send the files of runs that are there again where they have changed since."""
        for run in there:
            key = run.data.tags[KEY]
            files = self.tracker.folder(self.tracker.runs[key]) if key in self.tracker.runs else None
            if files and run.info.status == "FINISHED" and run.data.tags.get(FILES) != _digest(files):
                self.client.log_artifacts(run.info.run_id, str(files))
                self.client.set_tag(run.info.run_id, FILES, _digest(files))

    def _send_model(self, model: LoggedModel, experiment: str, run_id: str) -> None:
        copy = self.client.create_logged_model(
            experiment, model.name, run_id, model.tags, model.params, model.model_type
        )
        self.client.log_model_artifacts(copy.model_id, str(local_path(model.artifact_location)))
        self.client.finalize_logged_model(copy.model_id, "READY")
        self.client.log_outputs(run_id, [LoggedModelOutput(copy.model_id, 0)])

    def _experiment(self, here: str) -> str:
        """The id there of the experiment of the same name, made if it is not there."""
        local = self.tracker.client.get_experiment(here)
        remote = self.client.get_experiment_by_name(local.name)
        if remote is None:
            tags = {
                name: value for name, value in local.tags.items() if name == KEY or name.startswith("mlflow.")
            }
            remote = self.client.get_experiment(self.client.create_experiment(local.name, tags=tags))
        if remote.lifecycle_stage != "active":
            raise Unwelcome(
                f"its experiment {local.name!r} is deleted; restore it there, or give the study another name"
                f" with {option('name', '')}"
            )
        if urlparse(remote.artifact_location).scheme in {"", "file"}:
            raise Unwelcome(
                "it keeps artifacts in a folder that only its own machine has; start it with "
                "--serve-artifacts and no --default-artifact-root"
            )
        return str(remote.experiment_id)

    def _delete(self, runs: list[Run], homes: dict[str, str]) -> None:
        gone = {run.info.run_id for run in runs}
        for model in self.client.search_logged_models(list(homes.values())) if gone else ():
            if model.source_run_id in gone:
                self.client.delete_logged_model(model.model_id)
        for run_id in gone:
            self.client.delete_run(run_id)


def _digest(folder: Path) -> str:
    """Names all files of a folder and their content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return canonical_hash(
        {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}
    )


def _without_credentials(address: str) -> str:
    """The address alone. MLflow finds user and password in its variables; it would print those of a URL."""
    parts = urlsplit(address)
    if parts.username is not None:
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
