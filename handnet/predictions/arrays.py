"""Truths and predictions in arrays, as scikit-learn has them, made into a long table and read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import Array
from handnet.messages import Refusal
from handnet.predictions.cells import text_of
from handnet.predictions.columns import KINDS, Columns
from handnet.predictions.form import Results
from handnet.predictions.table import read_frame


def read_arrays(frame: pd.DataFrame, truth: Array, model: str, positive: str, source: str) -> Results:
    """The results of a long table with a row a division, seed and case."""
    labels = [text_of(label) for label in labels_of(truth)]
    several = next((one for one in ("p", "logit") if any(f"{one}_{text}" in frame for text in labels)), "")
    own = {name: name for name in ("split", "seed", "case", "group", "y", "n_train") if name in frame}
    told = next((one for one in KINDS if one in frame), "")
    said = {several: f"{several}_*"} if several else {told: told} if told else {}
    named = Columns(
        model="model",
        **own,
        **said,
        positive=(positive or labels[-1]) if len(labels) == 2 else "",
        target="y",
    )
    return read_frame(frame.assign(model=model), named, source)


def truth_of(y: Any) -> Array:
    """The truth (n,)."""
    truth = np.asarray(y)
    if truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth[:, 0]
    if truth.ndim != 1 or not len(truth):
        raise Refusal(f"y must be one truth a case, (n,), but its shape is {truth.shape}.")
    return truth


def labels_of(truth: Array) -> Array:
    """The different values of a truth, in scikit-learn's order."""
    try:
        return np.unique(truth)
    except TypeError:
        raise Refusal("the truths are of several types, and have no order; make them all text.") from None


def ids_of(cases: Any, n: int) -> Array:
    """The ids (n,) of the cases: their places where none are given."""
    ids = np.arange(n) if cases is None else np.asarray(cases)
    if ids.shape != (n,):
        raise Refusal(f"cases must be an id for each of {n} rows, but their shape is {ids.shape}.")
    return ids


def stacked(p: Array, n: int, source: str) -> Array:
    """Predictions as (R, n), or (R, n, k) of each label."""
    if p.ndim == 1 and len(p) == n:
        return p[None]
    if p.ndim == 3 and p.shape[1] == n:
        return p
    if p.ndim == 2 and p.shape == (n, n):
        raise Refusal(f"predictions of {source} are {n} x {n}: make them (R, n, 1) or (1, n, k).")
    if p.ndim == 2 and n in p.shape:
        return p if p.shape[1] == n else p[None] if p.shape[1] > 1 else p.T
    raise Refusal(
        f"predictions of {source} must be (n,), (R, n), (n, k) or (R, n, k) with n = {n} cases, but their"
        f" shape is {p.shape}."
    )


def named_outputs(p: Array, truth: Array, kind: str, source: str) -> dict[str, Array]:
    """Predictions (n,) or (n, k) of one seed as the columns of a table. truth: all of it, for its labels."""
    if kind and kind not in KINDS:
        raise Refusal(f"kind={kind!r} is none of {', '.join(KINDS)}.")
    if p.ndim == 1 or p.shape[1] == 1:
        return {kind or "prediction": p if p.ndim == 1 else p[:, 0]}
    labels = labels_of(truth)
    if p.shape[1] != len(labels):
        raise Refusal(
            f"predictions of {source} have {p.shape[1]} columns, but y has {len(labels)} labels; a column a"
            " label is wanted, in the order of numpy.unique(y)."
        )
    return {f"{kind or 'p'}_{text_of(label)}": p[:, place] for place, label in enumerate(labels)}


def seed_names(seeds: Sequence[Any] | None, count: int, source: str) -> list[str]:
    """The names of so many seeds; "" for a model without one."""
    if seeds is None:
        return [""] if count == 1 else [str(place) for place in range(count)]
    if len(seeds) != count:
        raise Refusal(f"{source} holds predictions of {count} seeds, but {len(seeds)} are named.")
    return [str(seed) for seed in seeds]


def predicted_by(estimator: Any, X: Any, test: Array, where: str) -> dict[str, Array]:
    """What an estimator says of some rows, as the columns of a table: probabilities, labels or numbers.

    test: the places (n_test,) of the rows in X, a DataFrame, an array or a list."""
    from sklearn.base import is_classifier

    rows = X.iloc[test] if hasattr(X, "iloc") else X[test] if hasattr(X, "shape") else [X[i] for i in test]
    try:
        if hasattr(estimator, "predict_proba"):
            p = np.asarray(estimator.predict_proba(rows))
            return {f"p_{text_of(label)}": p[:, place] for place, label in enumerate(estimator.classes_)}
        return {"label" if is_classifier(estimator) else "yhat": np.asarray(estimator.predict(rows))}
    except Exception as fault:
        raise Refusal(f"the estimator of {where} cannot predict: {fault}") from None
