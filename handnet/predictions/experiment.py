"""An experiment of MLflow, read by its public client: its runs, their numbers and their files.

Nothing is written: no database is made where there is none, and the tracking address, the variables and the
loggers of the process are afterwards as they were."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from handnet.data import listed
from handnet.messages import Refusal, nearest, option
from handnet.study.environment import lent_environment, quieten
from handnet.study.redaction import redacted
from handnet.study.targets import has_table, server, sqlite_uri
from handnet.study.tracker import PAGE, Unwelcome, check_answers

if TYPE_CHECKING:
    from mlflow import MlflowClient

FINISHED = "FINISHED"
PARENT = "mlflow.parentRunId"  # the tag of a nested run


@dataclass(frozen=True)
class Run:
    """One run. parent: the id of the run it is nested in, "" for none; metrics: the last value of each."""

    id: str
    name: str
    status: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def parent(self) -> str:
        """The id of the run that this one is nested in, "" for none."""
        return self.tags.get(PARENT, "")

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


@dataclass(frozen=True)
class Experiment:
    """An experiment that is open. name: what it is called; place: what its server or database is called."""

    client: "MlflowClient"
    id: str
    name: str
    place: str

    def runs(self) -> list[Run]:
        """Every live run, in the order in which they were begun."""
        found: list[Run] = []
        token: str | None = ""
        while token is not None:
            with _heard(self.place):
                page = self.client.search_runs(
                    [self.id],
                    order_by=["attributes.start_time ASC"],
                    max_results=PAGE,
                    page_token=token or None,
                )
            for run in page:
                info, data = run.info, run.data
                name = str(info.run_name or info.run_id)
                found.append(Run(info.run_id, name, info.status, data.params, data.tags, data.metrics))
            token = page.token or None
        return found

    def files(self, run: Run, pattern: str) -> list[str]:
        """The paths of a run's artifacts that fit a pattern, in which * and ? stand for parts of one name."""
        folders, found = [""], list[str]()
        *above, last = [part for part in pattern.split("/") if part not in ("", ".")] or ["*"]
        for level, part in enumerate([*above, last]):
            found = []
            for folder in folders:
                with _heard(self.place):
                    there = self.client.list_artifacts(run.id, folder or None)
                names = {Path(one.path).name: one for one in there if one.is_dir == (level < len(above))}
                found += [str(one.path) for name, one in names.items() if fnmatchcase(name, part)]
            folders = found
        return sorted(found)

    def all_files(self, run: Run) -> list[str]:
        """The paths of a run's artifacts, folder by folder."""
        folders, found = [""], list[str]()
        for folder in folders:
            with _heard(self.place):
                there = self.client.list_artifacts(run.id, folder or None)
            found += [str(one.path) for one in there if not one.is_dir]
            folders += [str(one.path) for one in there if one.is_dir]
        return found

    def download(self, run: Run, path: str, folder: str) -> Path:
        """Fetch an artifact of a run into a folder, and return where it is."""
        with _heard(self.place):
            return Path(self.client.download_artifacts(run.id, path, folder))


@contextmanager
def opened(experiment: str, uri: str | None) -> Iterator[Experiment]:
    """Open an experiment, by its name or else its id, for as long as the block lasts.

    uri: of the server, the database or the folder of runs; where MLflow itself would look unless given.
    Raises Refusal in one sentence where it cannot be reached or has no such experiment.
    """
    with lent_environment():
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # old folders of runs are read, and nothing else
        from mlflow import MlflowClient, get_tracking_uri

        quieten()
        address, place = _address(uri or get_tracking_uri())
        with _heard(place):
            client = MlflowClient(tracking_uri=address)
            found = client.get_experiment_by_name(experiment)
            if found is None and experiment.isdigit():
                known = {one.experiment_id for one in client.search_experiments(max_results=PAGE)}
                found = client.get_experiment(experiment) if experiment in known else None
            if found is None:
                names = [one.name for one in client.search_experiments(max_results=PAGE)]
                raise Refusal(_no_experiment(experiment, place, names))
        if found.lifecycle_stage != "active":
            raise Refusal(f"the experiment {experiment!r} in {place} is deleted; restore it there first.")
        yield Experiment(client, str(found.experiment_id), str(found.name), place)


def _no_experiment(name: str, place: str, names: list[str]) -> str:
    close = nearest(name, names) if len(names) < 10 else nearest(name, names).partition(" are ")[0]
    if close == "known":
        close = f"there are {listed(names)}."
    return f"there is no experiment {name!r} in {place}; {close}"


def _address(uri: str) -> tuple[str, str]:
    """What MLflow is to open, and what a sentence calls it. Raises Refusal where nothing is to be read."""
    scheme = urlsplit(uri).scheme
    if scheme in ("http", "https"):
        address = server(uri, "").name
        try:
            check_answers(address)
        except (TimeoutError, Unwelcome) as fault:
            raise Refusal(
                f"the MLflow server {address} cannot be read: {fault}; start it, or name another with"
                f" {option('tracking-uri', '')}.",
                75,
            ) from None
        return address, address
    if scheme.partition("+")[0] == "sqlite":
        path = Path(unquote(urlsplit(uri).path[1:]))
    elif scheme in ("", "file"):
        path = Path(unquote(urlsplit(uri).path) if scheme else uri)
    else:  # a database or a service that MLflow knows
        return uri, redacted(uri)
    if not path.exists():
        way = f"name where the runs are with {option('tracking-uri', '')}"
        raise Refusal(f"there are no runs of MLflow at {path}; {way}.")
    if path.is_file() and not has_table(path, "experiments"):
        raise Refusal(f"{path} is no database of MLflow.")
    return (sqlite_uri(path) if path.is_file() else path.absolute().as_uri()), str(path)


@contextmanager
def _heard(place: str) -> Iterator[None]:
    """Whatever goes wrong between MLflow and its server, database or disk is said in one sentence."""
    try:
        yield
    except Refusal:
        raise
    except Exception as fault:
        why = redacted(str(fault)).strip().partition("\n")[0][:300] or type(fault).__name__
        raise Refusal(f"{place} cannot be read ({why.removesuffix('.')}).", 75) from None
