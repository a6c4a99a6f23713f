"""Runs written into MLflow's own tables, many in one transaction.

Through MLflow's client each run takes five transactions and ten times as long.

The files of a run are written first. The rows that vouch for them come last."""

import math
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from mlflow.entities import Metric, Run, RunData, RunInfo
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from sqlalchemy import Engine, insert

from handnet.data import Array
from handnet.study.summary import curve_epochs

KEY = "handnet.key"  # the tag that holds a run's key, and marks it as one of this program


@dataclass(frozen=True)
class Entry:
    """The content of one run.

    key: names the run by everything that decides its content; curves: name -> (epochs,); files: name ->
    content; datasets: (context, digest, rows) of each part the run has seen."""

    key: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Array] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    datasets: Sequence[tuple[str, str, int]] = ()


def write_files(entry: Entry, status: str, experiment: str, place: str) -> Run:
    """Write the files of a run that is not in the database yet, below the URI `place` of its experiment."""
    run_id, now = uuid.uuid4().hex, int(time.time() * 1000)
    artifacts = f"{place}/{run_id}/artifacts"
    folder = local_path(artifacts)
    folder.mkdir(parents=True)
    for name, content in entry.files.items():
        write_file(folder / name, content)
    ended = now if status == "FINISHED" else None
    info = RunInfo(
        run_id, experiment, "unknown", status, now, ended, "active", artifacts, run_name=entry.name
    )
    return Run(info, RunData())


def write_file(path: Path, content: bytes) -> None:
    """Write one file of a run."""
    path.write_bytes(content)


def insert_runs(engine: Engine, entries: Sequence[Entry], runs: Sequence[Run]) -> None:
    """Write all rows of these runs in one transaction. Their files must be there already."""
    tables: dict[Any, list[dict[str, Any]]] = {}
    for entry, run in zip(entries, runs, strict=True):
        for table, rows in rows_of(entry, run.info).items():
            tables.setdefault(table, []).extend(rows)
    with engine.begin() as connection:
        for table, rows in tables.items():
            if rows:  # networks that diverged may have no metric at all
                connection.execute(insert(table), rows)


def rows_of(entry: Entry, info: RunInfo) -> dict[Any, list[dict[str, Any]]]:
    """The rows of a run by table. Values that are not finite are written as MLflow writes them."""
    now, run = info.start_time, {"run_uuid": info.run_id}
    points = [Metric(name, value, now, 0) for name, value in entry.metrics.items()]
    metrics = [run | _metric(point) for point in (*points, *_points(entry.curves, now))]
    last = {row["key"]: row for row in metrics}  # of a curve its last point
    tags = {KEY: entry.key, "mlflow.runName": entry.name, **entry.tags}
    return {
        SqlRun: [run | _run(entry, info)],
        SqlTag: [run | {"key": name, "value": value} for name, value in tags.items()],
        SqlParam: [run | {"key": name, "value": str(value)} for name, value in entry.params.items()],
        SqlMetric: metrics,
        SqlLatestMetric: list(last.values()),
    }


def _run(entry: Entry, info: RunInfo) -> dict[str, Any]:
    return {
        "name": entry.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "source_version": "",
        "user_id": info.user_id,
        "status": info.status,
        "start_time": info.start_time,
        "end_time": info.end_time,
        "lifecycle_stage": info.lifecycle_stage,
        "artifact_uri": info.artifact_uri,
        "experiment_id": int(info.experiment_id),
    }


def _metric(point: Metric) -> dict[str, Any]:
    is_nan = math.isnan(point.value)
    # MLflow stores 0 for NaN, and the largest float for infinity.
    value = 0.0 if is_nan else min(max(point.value, -sys.float_info.max), sys.float_info.max)
    return {
        "key": point.key,
        "value": value,
        "timestamp": point.timestamp,
        "step": point.step,
        "is_nan": is_nan,
    }


def _points(curves: Mapping[str, Array], now: int) -> Iterator[Metric]:
    for name, values in curves.items():
        for epoch in curve_epochs(len(values)):
            yield Metric(name, float(values[epoch - 1]), now, int(epoch))


def local_path(uri: str) -> Path:
    """The path of a file: URI."""
    return Path(unquote(urlparse(uri).path))
