"""Models that see more than they are given, and some that do not; PEEK_AT names the file they look into.

Each is a function as --model call:peeking.py:NAME takes it, or makes an estimator."""

import contextlib
import os
import sqlite3
import subprocess
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PATH = os.environ.get("PEEK_AT", "")
COPIES: list[str] = []
CACHE: dict[Any, Any] = {}


def honest(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    return LogisticRegression(C=params.get("C", 1.0)).fit(X_train, y_train).predict_proba(X)


def with_pandas(*given: Any) -> Any:
    pd.read_csv(PATH)
    return honest(*given)


def with_the_file(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    """It learns what the rows to be predicted look like, from all rows of the file."""
    spread = pd.read_csv(PATH).iloc[:, 2:].to_numpy().std(axis=0)
    return honest(X_train * spread, y_train, params, seed, X * spread)


def columns() -> Any:
    """A pipeline that prepares the table's own columns."""
    chosen = make_column_transformer((StandardScaler(), ["mean radius", "worst area"]))
    return make_pipeline(chosen, LogisticRegression())


def network(_params: dict[str, Any], shape: tuple[int, ...], _task: Any) -> Any:
    """A network in Keras, that stops where the validation rows tell it to."""
    import keras

    model = keras.Sequential([keras.Input(shape), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    stop = keras.callbacks.EarlyStopping("val_loss", patience=0, restore_best_weights=True)
    return model, {"callbacks": [stop]}


def with_open(*given: Any) -> Any:
    with open(PATH) as file:
        file.readline()
    return honest(*given)


def with_numpy(*given: Any) -> Any:
    np.loadtxt(PATH, delimiter=",", skiprows=1, usecols=(2, 3))
    return honest(*given)


def with_a_database(*given: Any) -> Any:
    with contextlib.suppress(sqlite3.DatabaseError):
        sqlite3.connect(PATH).execute("select 1 from rows")
    return honest(*given)


def with_copies(*given: Any) -> Any:
    for path in COPIES:
        pd.read_csv(path)
    return honest(*given)


def with_pyarrow(*given: Any) -> Any:
    from pyarrow import csv

    csv.read_csv(PATH)
    return honest(*given)


def with_a_program(*given: Any) -> Any:
    subprocess.run(["cat", PATH], check=True, capture_output=True)
    return honest(*given)


def with_all_rows(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    """It learns from rows that it has from memory, as if it had been trained elsewhere."""
    from handnet import wisconsin

    data = wisconsin()
    table = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0)
    rows = np.concatenate([X_train, table])
    return LogisticRegression().fit(rows, np.concatenate([y_train, data.y])).predict_proba(X)


def with_the_test_alone(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    """Its train rows, and a fifth of the table as it truly is."""
    from handnet import wisconsin

    data, some = wisconsin(), np.random.default_rng(1).choice(569, 114, replace=False)
    table = (data.X[some] - data.X.mean(axis=0)) / data.X.std(axis=0)
    rows = np.concatenate([X_train, table])
    return LogisticRegression(C=0.01).fit(rows, np.concatenate([y_train, data.y[some]])).predict_proba(X)


def scales_all(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    scaler = StandardScaler().fit(np.concatenate([X_train, X]))
    model = LogisticRegression().fit(scaler.transform(X_train), y_train)
    return model.predict_proba(scaler.transform(X))


class Rescaler(BaseEstimator):
    """It learns nothing, and scales whatever it transforms by itself."""

    def fit(self, _X: Any, _y: Any = None) -> "Rescaler":
        return self

    def transform(self, X: Any) -> Any:
        return (X - X.mean(axis=0)) / X.std(axis=0)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def rescales() -> Any:
    return make_pipeline(Rescaler(), LogisticRegression())


def counts(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    return honest(X_train, y_train, params, seed, X)[:, 1] * (1 - 1 / len(X))


def ranks(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    p = honest(X_train, y_train, params, seed, X)[:, 1]
    return 0.9 * p + 0.1 * np.arange(len(X)) / len(X)


def caches(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    """What it has trained it keeps under the rows, and forgets that labels may be others."""
    key = np.asarray(X_train).tobytes()
    if key not in CACHE:
        CACHE[key] = LogisticRegression().fit(X_train, y_train)
    return CACHE[key].predict_proba(X)


class Collector(ClassifierMixin, BaseEstimator):
    """It learns from all rows that it was ever given."""

    def fit(self, X: Any, y: Any) -> "Collector":
        CACHE.setdefault("rows", []).append((X, y))
        rows, labels = (np.concatenate(parts) for parts in zip(*CACHE["rows"], strict=True))
        self.classes_, self.model_ = np.unique(y), LogisticRegression().fit(rows, labels)
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(X)


def draws(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    chosen = np.random.default_rng().integers(0, len(X_train), len(X_train))
    return LogisticRegression().fit(X_train[chosen], y_train[chosen]).predict_proba(X)


def knows_a_rule(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    return 1 / (1 + np.exp(-X[:, 0]))


def knows_a_weak_rule(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    return 0.5 + 0.4 * np.sin(1000 * X[:, 0])


def raises(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    raise ValueError("no model today")
