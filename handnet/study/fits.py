"""The fits of models other than the network by hand: one seed at a time, in a process of its own.

Each function here is pure, and is called in a worker with plain arguments. What it raises is the fault of the
model: it costs this one seed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handnet.contract import Fit
from handnet.data import Array, Table
from handnet.models.model import Failed, Fitted, Model
from handnet.splits import Split
from handnet.study.executor import held
from handnet.study.networks import Replicas
from handnet.study.units import Problem
from handnet.tasks import Task, task_of

NEARLY = 1e-6  # of outputs that a model makes of all rows together, whose last bits depend on the company
AGAIN = "gave other outputs for the same rows when it was fitted again with the same seed"


class ModelUnit(NamedTuple):
    """A model with its parameters and a seed. rows: the digest of train and validation rows, which the worker
    holds; classes: of the task, 0 for a number."""

    model: Model
    params: Mapping[str, Any]
    seed: int
    rows: str
    classes: int


def fit_model(unit: ModelUnit) -> Replicas:
    """The exact results of a unit. Raises whatever the model does, and Failed for outputs that are none."""
    train, val = held(unit.rows)
    return fit_seed(unit.model, train, val, unit.params, unit.seed, task_of(unit.classes))


def fit_seed(
    model: Model, train: Table, val: Table, params: Mapping[str, Any], seed: int, task: Task
) -> Replicas:
    """The exact results of one seed, with the losses after training in place of a history."""
    fitted = model.fit(train, val, params, [seed], task)
    on_train, on_val = outputs_for(model, fitted, [train.X, val.X])
    losses = (_history_loss(task, on_train, train, train), _history_loss(task, on_val, val, train))
    never = np.array([-1])
    fit = Fit((), losses[0], *losses, never, never)
    score = task.grade(on_train, train.y)["accuracy" if task.classes else "r2"]
    arrays = fitted.arrays() if model.keeps_arrays else None
    return Replicas((seed,), fit, on_val, ("",), score, arrays or {})


def fit_again(unit: ModelUnit, stored: Array, X: Any) -> Array:
    """The outputs (1, m) or (1, m, k) for further rows X, of a model that is fitted again.

    stored: (1, n_val) or (1, n_val, k), what it gave on the validation rows. Raises Failed unless it gives
    that again."""
    train, val = held(unit.rows)
    fitted = unit.model.fit(train, val, unit.params, [unit.seed], task_of(unit.classes))
    return checked(unit.model, fitted, [train.X, val.X], stored, X)


def checked(model: Model, fitted: Fitted, known: Sequence[Any], stored: Array, X: Any) -> Array:
    """The outputs (1, m) or (1, m, k) for further rows X. Raises Failed unless those for the last of the
    known tables of rows are the stored ones again."""
    *_, again, outputs = outputs_for(model, fitted, [*(known if model.stacks else known[-1:]), X])
    if not (nearly_equal(again, stored) if model.stacks else np.array_equal(again, stored)):
        raise Failed(f"{AGAIN} (by up to {np.abs(again - stored).max():.2g})")
    return outputs


def nearly_equal(outputs: Array, others: Array) -> bool:
    """Whether outputs (1, n) or (1, n, k) differ by rounding at most."""
    return np.allclose(outputs, others, rtol=NEARLY, atol=NEARLY)


def restore(unit: ModelUnit, arrays: Mapping[str, Array], X: Any) -> Array:
    """The outputs (1, m) or (1, m, k) for rows X, of a model that is made again from its arrays (1, ...)."""
    train, _ = held(unit.rows)
    fitted = unit.model.restored(arrays, unit.params, train.X.shape[1], task_of(unit.classes))
    return fitted.outputs(X)


def lost(unit: ModelUnit, like: tuple[int, ...], why: str) -> Replicas:
    """What stands for a seed that was lost. like: the shape of its outputs, (n_val,) or (n_val, k)."""
    nothing, never = np.full((1, 1), np.nan), np.array([-1])
    fit = Fit((), nothing, nothing, nothing, never, never)
    return Replicas((unit.seed,), fit, np.full((1, *like), np.nan), (why,), np.full(1, np.nan))


def model_rows(problem: Problem, inputs: str) -> tuple[Table, Table]:
    """The train and validation rows as models get them: encoded and scaled, or as the table has them; the
    target is a class or the number itself."""
    parts = problem.parts
    if inputs == "encoded":
        return parts.train, parts.val
    frames: list[Any] = [parts.data.frame(rows) for rows in (parts.train_rows, parts.val_rows)]
    return parts.train._replace(X=frames[0]), parts.val._replace(X=frames[1])


def further_rows(parts: Split, inputs: str, rows: Array) -> Any:
    """Rows of the table (m,), as models get them."""
    return parts.scaled(parts.data.X[rows]) if inputs == "encoded" else parts.data.frame(rows)


def outputs_for(model: Model, fitted: Fitted, tables: Sequence[Any]) -> list[Array]:
    """The outputs for each table of rows; a model that trains anew whenever it predicts gets all together."""
    if not model.stacks:
        return [fitted.outputs(X) for X in tables]
    import pandas as pd

    framed = isinstance(tables[0], pd.DataFrame)
    together = pd.concat(tables, ignore_index=True) if framed else np.concatenate(tables)
    ends = np.cumsum([len(X) for X in tables])[:-1]
    return np.split(fitted.outputs(together), ends, axis=1)


def _history_loss(task: Task, outputs: Array, rows: Table, train: Table) -> Array:
    """(1, 1): the mean loss in the unit of a Fit's histories: of a number, half the squared error in
    variances of the train target."""
    losses = task.case_losses(outputs, rows.y)
    mean = np.average(losses, axis=1, weights=rows.weight)[:, None]
    return np.asarray(mean if task.classes else mean / (2 * train.y.std() ** 2))
