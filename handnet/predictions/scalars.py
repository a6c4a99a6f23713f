"""One score a seed and nothing of the cases, from lists or from a table: the poorer form of results."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from handnet.data import Array
from handnet.messages import Refusal
from handnet.predictions.form import PART, SPLIT, Results, Scored
from handnet.predictions.metrics import Metric, metric_of


def from_scalars(
    models: Mapping[str, Sequence[float] | float],
    score: str = "accuracy",
    *,
    seeds: Sequence[Any] | None = None,
    splits: Sequence[Any] | None = None,
    n_test: int | None = None,
    n_train: int | None = None,
    higher: bool | None = None,
    source: str = "these scores",
) -> Results:
    """Results of lists of scores: {"a": [0.91, 0.93], "b": [0.90, 0.92]}, one a seed, or one a division.

    A single number is the score of a model without a seed. score: its name, ours ("accuracy", "log_loss") or
    any other; seeds: what the seeds are called, which the models then share, so that they are compared in
    pairs; without it nothing pairs them; splits: what the divisions are called, where each number
    is of another one; n_test, n_train: test rows and train rows (validation rows among them) of each
    division; higher: whether more is better of a score that is not ours. Raises Refusal, in one sentence,
    where the numbers are no scores.
    """
    if not isinstance(models, Mapping) or not models:
        raise Refusal(f"{source} must be a dict of models, as in {{'a': [0.91, 0.93]}}.")
    if seeds is not None and splits is not None:
        raise Refusal("a list of scores runs over seeds or over splits, but both are named; pass a table.")
    metric, scored = metric_of(score), list[Scored]()
    for model, numbers in models.items():
        values = numbers_of(numbers, metric, f"the scores of {model} in {source}")
        alone = np.ndim(numbers) == 0 and splits is None
        names = () if alone else _names(splits if splits is not None else seeds, values, str(model))
        part = metric.part or PART
        if splits is None:
            scored.append(Scored(str(model), SPLIT, part, names, {metric.name: values}, n_test, n_train))
        else:
            rows = zip(names, values, strict=True)
            scored += (
                Scored(str(model), name, part, (), {metric.name: np.array([value])}, n_test, n_train)
                for name, value in rows
            )
    return Results(source, None, (), (), tuple(scored), higher=_said(metric, higher))


def _said(metric: Metric, higher: bool | None) -> dict[str, bool]:
    return {} if higher is None or metric.known else {metric.name: higher}


def _names(names: Sequence[Any] | None, values: Array, model: str) -> tuple[str, ...]:
    """The names of so many seeds or divisions; where none are given no two models share one."""
    if names is None:
        return tuple(f"{model} {place}" for place in range(1, len(values) + 1)) if len(values) > 1 else ()
    texts = tuple(map(str, names))
    if len(texts) != len(values):
        raise Refusal(f"{model} has {len(values)} scores for {len(texts)} names of seeds or splits.")
    if len(set(texts)) < len(texts):
        raise Refusal(f"a seed or split is named twice: {', '.join(texts)}.")
    return texts


def numbers_of(values: Any, metric: Metric, where: str) -> Array:
    """The values (R,) of a score, turned where they came turned; NaN where one is missing."""
    try:
        numbers = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise Refusal(f"{where} must be numbers, but are {values!r:.80}.") from None
    if numbers.ndim != 1 or not len(numbers):
        raise Refusal(f"{where} must be numbers in a row, but their shape is {numbers.shape}.")
    if np.isinf(numbers).any():
        raise Refusal(f"{where} are infinite in places; leave a seed that diverged empty.")
    numbers = -numbers if metric.turned else numbers
    for problem in _out_of_range(numbers[np.isfinite(numbers)], metric):
        raise Refusal(f"{where} {problem}")
    return numbers


def _out_of_range(numbers: Array, metric: Metric) -> Iterator[str]:
    """What is wrong with values that this score cannot take."""
    if not len(numbers):
        return
    low, high, name = numbers.min(), numbers.max(), metric.name
    if metric.least - 1e-9 <= low and high <= metric.most + 1e-9:
        return
    if metric.most == 1 and 1.5 < high <= 100 and low >= 0:
        yield f"go up to {high:g}: {name} lies between 0 and 1 here, so divide per cents by 100."
    elif metric.turned or (metric.most == np.inf and high <= 0):
        sign = "neg_" if not metric.turned else ""
        yield f"are not {name}, which is at least {metric.least:g}: call the column {sign}{name} as signed."
    else:
        yield (
            f"run from {low:g} to {high:g}, but {name} lies between {metric.least:g} and {metric.most:g};"
            " another name takes any numbers."
        )
