"""Which metrics of runs are scores of a model on rows it has not learnt from."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from handnet.data import Array, listed
from handnet.messages import Refusal, nearest, option
from handnet.predictions.experiment import Run
from handnet.predictions.form import PART, Scored
from handnet.predictions.metrics import NO_SCORES, PARTS, Metric, metric_of
from handnet.predictions.names import plain
from handnet.predictions.runs import Told
from handnet.predictions.scalars import numbers_of

TRAINING = re.compile(r"(?i)(train|training)([_/.\- ].*)?|.*[_/.\- ](train|training)")
SYSTEM = "system/"  # what MLflow measures of the machine
# How autologging names a score that scikit-learn works out of the rows in a variable of the script.
AUTOLOGGED = re.compile(r"(?P<name>.+?)(?:-\d+)?_[Xx]_(?P<part>test|train|val|valid|validation)")
OF_ESTIMATOR = re.compile(r"(?P<estimator>[A-Z][A-Za-z0-9]*)_score")  # estimator.score(X, y)
OF_DATA = re.compile(rf"{OF_ESTIMATOR.pattern}(?:-\d+)?_(?P<data>\w+)")  # on rows of any name
TRAINED = {
    "training_accuracy_score": "accuracy",
    "training_r2_score": "r2",
}  # what that is, by what it was fitted


def chosen(runs: Sequence[Run], metrics: Sequence[str]) -> tuple[dict[str, dict[str, float]], list[str]]:
    """The scores of each run, by its id and by their names; and notes on what is left out.

    metrics: names that the reader wants; without them all that are not of training rows. Raises Refusal where
    one of these is in no run, or none is left.
    """
    if metrics:
        return _named(runs, metrics)
    found, training, called = defaultdict[str, dict[str, float]](dict), dict[str, None](), dict[str, str]()
    data = _data_of(runs)
    for run in runs:
        for name, value in run.metrics.items():
            if name.startswith(SYSTEM) or plain(name) in NO_SCORES:
                continue
            if of_training(name, run.metrics):
                training[name] = None
                continue
            score = plain_name(name, run, data)
            called |= {name: score} if score != name else {}
            found[run.id].setdefault(score, value if isfinite(value) else float("nan"))
    if not found:
        raise Refusal(_nothing(training))
    notes = [f"Metrics of training rows are left out: {listed(training)}."] if training else []
    if called:
        pairs = listed(f"{name} as {score}" for name, score in called.items())
        notes.append(f"What scikit-learn's autologging wrote is read by the rows that it names: {pairs}.")
    if data and plain(data).removeprefix("x_") not in PARTS:
        notes.append(f"Nothing tells which rows {data!r} holds; they are taken as test rows.")
    return dict(found), notes


def _named(runs: Sequence[Run], metrics: Sequence[str]) -> tuple[dict[str, dict[str, float]], list[str]]:
    """The metrics of these names."""
    known = list(dict.fromkeys(name for run in runs for name in run.metrics))
    for name in metrics:
        if name not in known:
            there = nearest(name, known) if known else "there are no metrics at all."
            raise Refusal(f"no finished run has the metric {name!r}; {there}")
    found = {run.id: {name: run.metrics[name] for name in metrics if name in run.metrics} for run in runs}
    notes = []
    for name in metrics:
        if lacking := [run for run in runs if name not in run.metrics]:
            notes.append(f"These runs have no {name}: {listed(map(str, lacking))}.")
    if trained := [name for name in metrics if of_training(name, {})]:
        notes.append(f"These metrics are of training rows by their names: {listed(trained)}.")
    return {run: scores for run, scores in found.items() if scores}, notes


def of_training(name: str, others: Mapping[str, float]) -> bool:
    """Whether a metric is of training rows: by its name, or since it stands beside a val_ of the same name,
    as Keras writes them. others: the metrics of the run."""
    return bool(TRAINING.fullmatch(name)) or f"val_{name}" in others


def plain_name(name: str, run: Run, data: str = "") -> str:
    """What a metric is called here: an autologged one by its score and its part, any other as it is.

    data: what all runs call the rows that they score, where it tells no part."""
    match = AUTOLOGGED.fullmatch(name)
    if match:
        return f"{match['part']}_{_score(match['name'], run)}"
    if data and (of_data := re.fullmatch(rf"(?P<name>.+?)(?:-\d+)?_{re.escape(data)}", name)):
        return _score(of_data["name"], run)
    of_estimator = OF_DATA.fullmatch(name)
    if of_estimator and any(trained in run.metrics for trained in TRAINED):
        return f"{_score(name.removesuffix('_' + of_estimator['data']), run)}_{of_estimator['data']}"
    return name


def _score(name: str, run: Run) -> str:
    """The score of an autologged metric, without the name of the estimator."""
    if not OF_ESTIMATOR.fullmatch(re.sub(r"-\d+$", "", name)):
        return name
    return next((called for trained, called in TRAINED.items() if trained in run.metrics), "score")


def _data_of(runs: Sequence[Run]) -> str:
    """What autologging calls the rows of all scores of estimators, "" where it names several."""
    scored = [name for run in runs if any(one in run.metrics for one in TRAINED) for name in run.metrics]
    names = {match["data"] for name in scored if (match := OF_DATA.fullmatch(name))}
    names = {name for name in names if not of_training(name, {})}
    return names.pop() if len(names) == 1 else ""


def by_seed(
    fits: Mapping[tuple[str, str, str], Told], scores: Mapping[str, Mapping[str, float]]
) -> tuple[Scored, ...]:
    """The scores of each model, division and part, (R,) over its seeds, NaN where a run lacks one.

    fits: (model, division, seed) -> run, the seed "" for none; scores: run id -> name -> score. Raises
    Refusal for values that a score of ours cannot take, as an accuracy of 95."""
    called = _metrics(list(dict.fromkeys(name for one in scores.values() for name in one)))
    groups = defaultdict[tuple[str, str], list[tuple[str, str]]](list)
    for (model, split, seed), one in fits.items():
        groups[model, split].append((seed, one.run.id))
    found = []
    for (model, split), group in groups.items():
        parts = defaultdict[str, dict[str, Array]](dict)
        for name, metric in called.items():
            values = np.array([scores[run].get(name, np.nan) for _, run in group])
            if not np.isnan(values).all():
                where = f"the values of {name} in the runs of {model}"
                parts[metric.part or PART][metric.name] = numbers_of(values, metric, where)
        seeds = tuple(seed for seed, _ in group if seed)
        found += [Scored(model, split, part, seeds, values) for part, values in parts.items()]
    return tuple(found)


def _metrics(names: Sequence[str]) -> dict[str, Metric]:
    """What each name means; one that means the same as another keeps its own name."""
    found: dict[str, Metric] = {}
    for name in names:
        metric = metric_of(name)
        taken = {(one.part or PART, one.name) for one in found.values()}
        same = (metric.part or PART, metric.name) in taken
        found[name] = Metric(name, metric.part, metric.higher) if same else metric
    return found


def _nothing(training: Mapping[str, None]) -> str:
    """What is said of runs that hold no scores."""
    if training:
        return (
            f"the runs hold metrics of training rows alone ({listed(training)}); to read them all the same,"
            f" name them with {option('metrics', next(iter(training)))}."
        )
    return (
        "the finished runs hold no metrics and nothing from log_predictions; if they hold tables of"
        f" predictions, name them with {option('artifact', 'preds/*.csv')}."
    )
