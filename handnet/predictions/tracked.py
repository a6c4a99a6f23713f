"""The runs of an MLflow experiment as results: predictions from artifacts, or scores from metrics."""

import re
from collections.abc import Sequence
from dataclasses import replace

from handnet.data import listed
from handnet.messages import Refusal, option
from handnet.predictions.columns import Columns
from handnet.predictions.experiment import opened
from handnet.predictions.form import Results
from handnet.predictions.logged import LOGGED
from handnet.predictions.run_scores import by_seed, chosen
from handnet.predictions.run_tables import OURS, OWN, Tables, Tick, tables_unread
from handnet.predictions.runs import Reading, Told
from handnet.predictions.table import USUAL_NAMES, read_frame

KEYS = re.compile(r"(params|tags|attributes)\.|parent(,|$)")  # how keys of runs begin


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


def from_mlflow(
    experiment: str,
    *,
    by: str | Sequence[str] | None = None,
    seed: str | None = None,
    split: str | None = None,
    artifact: str | None = None,
    metrics: str | Sequence[str] | None = None,
    tracking_uri: str | None = None,
    latest: bool = False,
    columns: Columns = USUAL_NAMES,
    tick: Tick = _silent,
) -> Results:
    """The results of an experiment of MLflow, by its name or its id.

    by: what a model is: params.NAME, tags.NAME, attributes.run_name or parent, several with commas. Without
    it, tags.model or params.model, else the run that a run is nested in, else its name without the number of
    a seed, else the estimator that autologging names. seed, split: params.NAME or tags.NAME, the usual names
    unless given. artifact: path of the tables of predictions in each run, as "preds/*.csv" (CSV, Parquet, or
    JSON as mlflow.log_table writes it, with ten decimals); what `handnet.log_predictions` has logged unless
    given. metrics: names of the scores to read where there are no predictions, all but those of training rows
    unless given. tracking_uri: where the runs are; where MLflow itself would look unless given. latest: of
    two runs of one model, division and seed take the later. columns: of the tables. tick: called with the
    number of files that are read and of all.

    Raises Refusal, in one sentence, for an experiment that is not there, a server that does not answer, runs
    that cannot be told apart, and all that `handnet.predictions.table.read_frame` refuses.
    """
    if artifact and metrics:
        raise Refusal(f"{option('artifact')} reads predictions and {option('metrics')} scores; give one.")
    reading, source = Reading(_words(by), seed or "", split or ""), f"mlflow:{experiment}"
    with opened(experiment, tracking_uri) as there:
        told = reading.told(there.runs())
        logged = [one for one in told if LOGGED in one.run.tags]
        if not artifact and (metrics or not logged):
            reading.notes += [] if metrics else tables_unread(there, [one.run for one in told])
            return _scored(told, reading, _words(metrics), latest, source)
        tables = Tables(there, reading, _of_tables(columns), artifact or OURS, latest, tick)
        results = read_frame(*tables.read(told if artifact else logged), source)
        return replace(results, notes=(*reading.notes, *results.notes))


def _of_tables(columns: Columns) -> Columns:
    """The columns without the names that are keys of runs, as params.seed, which no table has."""
    said = {purpose: columns.said(purpose) for purpose in OWN}
    return replace(columns, **{purpose: "" for purpose, name in said.items() if KEYS.match(name)})


def _words(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names from a list, or from a text with commas."""
    words = text.split(",") if isinstance(text, str) else text or ()
    return tuple(word.strip() for word in words if word.strip())


def _scored(
    told: Sequence[Told], reading: Reading, metrics: Sequence[str], latest: bool, source: str
) -> Results:
    """The metrics of runs as scores; a run that others are nested in only holds them together."""
    parents = {one.run.parent for one in told}
    leaves = [one for one in told if one.run.id not in parents]
    scores, notes = chosen([one.run for one in leaves], metrics)
    reading.notes += notes
    if lacking := [str(one.run) for one in leaves if one.run.id not in scores]:
        reading.notes.append(f"These runs have none of the scores: {listed(lacking)}.")
    fits: dict[tuple[str, str, str], Told] = {}
    for one in reading.with_seeds([one for one in leaves if one.run.id in scores]):
        key = one.model, one.split, one.seed
        if key in fits:
            reading.refuse_two(fits[key], one.run, latest)
        fits[key] = one
    return Results(source, None, (), (), by_seed(fits, scores), notes=tuple(reading.notes))
