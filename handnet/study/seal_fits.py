"""A model tried in processes of its own, for a check of the seal: what is drawn for it, and what it gives.

Noise stands where the sealed rows would, drawn column by column from the train rows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handnet.data import Array, Table
from handnet.draws import SIMULATION, Generator, generator
from handnet.models.model import Fitted, Model
from handnet.study.fits import model_rows
from handnet.study.processes import packed, unpacked
from handnet.study.units import Problem
from handnet.study.watch import Seen, watching
from handnet.tasks import task_of

FITS = 8  # with train labels drawn at random
FEW = 5  # train rows from which the second noise is drawn, so that its means are others


class Case(NamedTuple):
    """What a process needs to try a model.

    model: packed; noise: two sets of rows X like those of the test; labels: (FITS, n_train) for the train
    rows, the first drawn at random, each second one that before it turned round; val_labels: (n_val,) drawn
    at random; watched: paths of the table."""

    model: bytes
    params: Mapping[str, Any]
    seed: int
    train: Table
    val: Table
    noise: tuple[Any, Any]
    labels: Array
    val_labels: Array
    watched: tuple[str, ...]
    classes: int


class Tried(NamedTuple):
    """What a model gave for the validation rows, (1, n_val) or (1, n_val, k) each, in one process.

    company: beside the one noise and the other; turned: in reverse order; taught: (FITS, ...) after each set
    of labels; unlabelled: with other labels of the validation rows; again: after all of it."""

    alone: Array
    company: tuple[Array, Array]
    turned: Array
    taught: Array
    unlabelled: Array
    again: Array
    seen: Seen


class Fresh(NamedTuple):
    """What a model gave for the validation rows in a process that had seen nothing before: taught: after the
    first set of labels; alone: after the true ones, which came later."""

    taught: Array
    alone: Array
    seen: Seen


def make_case(
    model: Model, params: Mapping[str, Any], seed: int, problem: Problem, tables: Sequence[str]
) -> Case:
    """All that is drawn at random, from the seed."""
    numbers, task = generator(seed, SIMULATION), problem.task
    train, val = model_rows(problem, model.inputs)
    every, test = np.arange(len(train.y)), len(problem.parts.test_rows)
    few = numbers.choice(every, min(FEW, len(every)), replace=False)
    noise = (_drawn(numbers, train.X, every, test), _drawn(numbers, train.X, few, test))
    labels, turns = [], max(2, task.classes)
    for place in range(FITS):
        if place % turns == 0:
            shuffled = numbers.permutation(train.y)
        labels.append(_turned(shuffled, place % turns, task.classes))
    val_labels = numbers.permutation(val.y)
    content = packed(model)
    return Case(
        content, params, seed, train, val, noise, np.stack(labels), val_labels, tuple(tables), task.classes
    )


def _drawn(numbers: Generator, X: Any, of: Array, count: int) -> Any:
    """Rows of noise: each column is drawn by itself from these rows (m,) of X."""
    columns = [numbers.choice(of, count) for _ in range(X.shape[1])]
    if not hasattr(X, "iloc"):
        return np.stack([X[rows, place] for place, rows in enumerate(columns)], axis=1)
    import pandas as pd

    drawn = {name: X[name].iloc[rows].to_numpy() for name, rows in zip(X.columns, columns, strict=True)}
    return pd.DataFrame(drawn).astype(X.dtypes.to_dict())


def _turned(y: Array, by: int, classes: int) -> Array:
    """The labels with every class called by the name of a later one; a number mirrored at the mean.

    What a model learns by chance from labels drawn at random it unlearns from these."""
    if not by:
        return y
    return ((y + by) % classes).astype(y.dtype) if classes else 2 * y.mean() - y


def try_together(case: Case) -> Tried:
    """Every trial of a model, one after the other, in this process."""
    with watching(case.watched) as seen:
        X = case.val.X
        fitted = _fit(case)
        alone = fitted.outputs(X)
        company = [fitted.outputs(_beside(X, noise))[:, : len(X)] for noise in case.noise]
        turned = fitted.outputs(_reversed(X))[:, ::-1]
        # Each with a seed of its own: after little training the first weights still decide.
        taught = [_fit(case, labels, more=place).outputs(X) for place, labels in enumerate(case.labels)]
        unlabelled = _fit(case, val=case.val_labels).outputs(X)
        again = _fit(case).outputs(X)
    return Tried(alone, (company[0], company[1]), turned, np.stack(taught), unlabelled, again, seen)


def try_fresh(case: Case) -> Fresh:
    """The first set of labels and then the true ones, in a process that has seen nothing."""
    with watching(case.watched) as seen:
        taught, alone = (_fit(case, train=y).outputs(case.val.X) for y in (case.labels[0], None))
    return Fresh(taught, alone, seen)


def _fit(case: Case, train: Array | None = None, val: Array | None = None, more: int = 0) -> Fitted:
    """The model fitted, with other labels where they are given. more: is added to the seed."""
    taught = case.train if train is None else case.train._replace(y=train)
    beside = case.val if val is None else case.val._replace(y=val)
    model: Model = unpacked(case.model)
    return model.fit(taught, beside, case.params, [case.seed + more], task_of(case.classes))


def _beside(X: Any, noise: Any) -> Any:
    """Rows with noise behind them."""
    if not hasattr(X, "iloc"):
        return np.concatenate([X, noise])
    import pandas as pd

    return pd.concat([X, noise], ignore_index=True)


def _reversed(X: Any) -> Any:
    return X.iloc[::-1].reset_index(drop=True) if hasattr(X, "iloc") else X[::-1]
