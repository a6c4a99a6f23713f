"""SEAM: what can be studied, and what it must give.

A Model is trained once a seed and gives outputs by seed and row; everything that judges begins there. One
test class checks its laws on every adapter (tests/models_contract.py):

1. The same arguments give the same outputs, to the bit.
2. A seed alone gives what it gives among others, and permuted seeds permute the results.
3. Arrays that are kept restore the outputs, to the bit.
4. Arguments and the generators of the process are left as they were.
5. Outputs have the shape of the task and are finite, else Failed is raised.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from handnet.data import Array, Table
from handnet.tasks import Task

INPUTS = ("encoded", "raw")
CLIP = 1e-12  # a probability is kept as far away from 0 and 1, so that its logit is finite
SUM = 1e-5  # probabilities of a row may miss the sum of 1 by as much; float32 rounds 50 of them to 3e-6
Params = Mapping[str, Any]


class Failed(Exception):
    """What a model did wrong, in one sentence."""


class Fitted(Protocol):
    """R trained instances of one configuration, one a seed."""

    def outputs(self, X: Any) -> Array:
        """What they say of rows X, an array (n, inputs) or a DataFrame of n rows, in float64.

        (R, n) log odds of class 1 or numbers in the target's own unit, or (R, n, k) logits of k >= 3 classes.
        Raises Failed for outputs of another shape, or that are no numbers.
        """
        ...

    def arrays(self) -> dict[str, Array] | None:
        """What restores them, each array (R, ...); None where nothing is kept."""
        ...


class Model(Protocol):
    """What is studied.

    name: what the report calls it; identity: text of all that decides what it computes beside params, seed
    and rows; seeded: False where nothing in it takes a seed, so that it has no band over seeds; inputs:
    "encoded" for arrays (n, inputs) of scaled numbers, "raw" for the DataFrame of the table's own columns;
    keeps_arrays: whether `restored` works; stacks: whether it trains anew with each call of `outputs`, so
    that all rows belong into one; notes: what a reader should know of its outputs, in sentences.
    """

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def seeded(self) -> bool: ...
    @property
    def inputs(self) -> str: ...
    @property
    def keeps_arrays(self) -> bool: ...
    @property
    def stacks(self) -> bool: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def check(self, params: Params, task: Task) -> None:
        """Raises Refusal for a parameter that it does not have, and for a task that it cannot learn."""
        ...

    def fit(self, train: Table, val: Table, params: Params, seeds: Sequence[int], task: Task) -> Fitted:
        """Train it once with each of R seeds.

        train, val: rows X, (n, inputs) or a DataFrame, with y (n,) class codes from 0, or numbers in their
        own unit, and weights (n,) of the train rows. Raises Failed, Refusal, and whatever the model raises.
        """
        ...

    def restored(self, arrays: Mapping[str, Array], params: Params, inputs: int, task: Task) -> Fitted:
        """The trained instances of arrays (R, ...) that `Fitted.arrays` gave. inputs: columns of the rows."""
        ...


def log_odds(p: Array) -> Array:
    """The log odds of probabilities (...,), in float64; a probability is kept 1e-12 away from 0 and 1."""
    p = np.clip(np.asarray(p, np.float64), CLIP, 1 - CLIP)
    return np.asarray(np.log(p) - np.log1p(-p))


def logits(p: Array) -> Array:
    """The logits (..., k) of the probabilities (..., k) of k classes, in float64; none is below ln 1e-12."""
    return np.log(np.clip(np.asarray(p, np.float64), CLIP, 1))


def label_outputs(labels: Array, classes: int) -> Array:
    """What stands in for log odds where a model gives labels (...,) alone: -1 or 1 of two classes, (...,); of
    k classes 1 for the label and 0 for the others, (..., k). NaN stays NaN."""
    labels = np.asarray(labels, np.float64)
    if classes == 2:
        return 2 * labels - 1
    one_hot = (labels[..., None] == np.arange(classes)).astype(np.float64)
    one_hot[np.isnan(labels)] = np.nan
    return one_hot


def from_probabilities(values: Any, n: int, task: Task, source: str, remedy: str = "") -> Array:
    """The outputs of n rows, (n,) or (n, k), of probabilities: (n,) or (n, 1) of class 1, (n, 2), or (n, k).

    source: what gave them, as in "fit_predict"; remedy: what to do where they are no probabilities, as the
    end of a sentence. Raises Failed.
    """
    p = _finite(values, n, task.classes, source, "probabilities")
    outside: Array = (p < -SUM) | (p > 1 + SUM)
    if outside.any():
        raise Failed(
            f"{source} must give probabilities between 0 and 1, but gave {p[outside][0]:g} in"
            f" {_rows(outside, n)}{remedy}."
        )
    if p.ndim == 1:
        return log_odds(p)
    wrong = np.asarray(np.abs(p.sum(axis=1) - 1) > SUM)
    if wrong.any():
        raise Failed(
            f"{source} must give probabilities that sum to 1 in each row, but they sum to"
            f" {p[wrong][0].sum():g} in {_rows(wrong, n)}{remedy}."
        )
    return log_odds(p[:, 1]) if task.classes == 2 else logits(p)


def from_logits(values: Any, n: int, task: Task, source: str) -> Array:
    """The outputs of n rows, (n,) or (n, k), of what stands for log odds: (n,), (n, 1) or (n, 2) of two
    classes, else (n, k) of k. Raises Failed."""
    z = _finite(values, n, task.classes, source, "log odds")
    return z[:, 1] - z[:, 0] if z.ndim == 2 and task.classes == 2 else z


def from_labels(values: Any, n: int, task: Task, source: str) -> Array:
    """The outputs of n rows, (n,) or (n, k), of the codes (n,) of their classes. Raises Failed."""
    labels = _finite(values, n, 0, source, "labels")
    unknown: Array = ~np.isin(labels, np.arange(task.classes))
    if unknown.any():
        raise Failed(
            f"{source} must give labels from 0 to {task.classes - 1}, but gave {labels[unknown][0]:g} in"
            f" {_rows(unknown, n)}."
        )
    return label_outputs(labels, task.classes)


def from_numbers(values: Any, n: int, source: str) -> Array:
    """The guesses (n,) of n rows, of numbers (n,) or (n, 1). Raises Failed."""
    return _finite(values, n, 0, source, "numbers")


def _finite(values: Any, n: int, classes: int, source: str, what: str) -> Array:
    """Values in float64, (n,) where they are one a row, else (n, classes). Raises Failed."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise Failed(
            f"{source} must give {what}, but gave something else, of the type {type(values).__name__}."
        ) from None
    shapes = [(n, classes)] if classes > 2 else [(n,), (n, 1), *([(n, 2)] if classes else [])]
    if array.shape not in shapes:
        came = f"an array of the shape {array.shape}" if array.ndim else f"a single {type(values).__name__}"
        raise Failed(f"{source} must give {what} of the shape {_either(shapes)}, but gave {came}.")
    bad = np.asarray(~np.isfinite(array.reshape(n, -1)).all(axis=1))
    if bad.any():
        raise Failed(f"{source} must give finite {what}, but gave NaN or infinity in {_rows(bad, n)}.")
    return array.reshape(n) if array.shape == (n, 1) else array


def _rows(found: Array, n: int) -> str:
    """How many of n rows were found, (n,) or (n, k), in words."""
    count = int(found.reshape(n, -1).any(axis=1).sum())
    return f"{count} of {n} rows"


def _either(shapes: Sequence[tuple[int, ...]]) -> str:
    return " or ".join(map(str, shapes))
