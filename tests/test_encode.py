"""Text and gaps as inputs of a network, against scikit-learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from others import autos, read, written
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from handnet import Dataset, split
from handnet.data import Array
from handnet.encode import GAP, LEVEL, fit_encoder


def test_what_is_encoded_is_what_scikit_learn_encodes(tmp_path: Path) -> None:
    other = autos()
    data = read(other, written(other.frame, tmp_path / "autos.csv"))
    parts = split(data)
    text = [place for place, name in enumerate(data.feature_names) if name in data.levels]
    numbers = [place for place, name in enumerate(data.feature_names) if name not in data.levels]
    levels = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False),
    )
    whole = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("text", levels, text),
            (
                "gaps",
                MissingIndicator(features="missing-only", error_on_new=False),
                list(range(data.X.shape[1])),
            ),
        ]
    )
    train = whole.fit_transform(data.X[parts.train_rows])
    varying = train.max(axis=0) > train.min(axis=0)
    with pytest.warns(UserWarning, match="unknown categories"):
        theirs = whole.transform(data.X)[:, varying]
    ours = parts.encoder(data.X)
    assert ours.shape == theirs.shape
    assert len(numbers) + len(text) < ours.shape[1]
    assert sorted(map(tuple, ours.T)) == sorted(map(tuple, theirs.T))
    assert ("Validation cases with a level no train row has" in " ".join(parts.notes)) == any(
        set(data.X[parts.val_rows, place]) - set(data.X[parts.train_rows, place]) for place in text
    )


def small(X: Array, **more: object) -> Dataset:
    n = len(X)
    y = np.arange(n) % 2
    names = tuple(f"c{place}" for place in range(X.shape[1]))
    return Dataset("small", X, y, np.arange(n), names, names, ("B", "M"), **more)


def test_a_table_of_numbers_comes_out_as_it_went_in(data: Dataset) -> None:
    assert split(data).encoder(data.X) is data.X
    assert split(data).notes == ()


def test_the_train_rows_say_what_an_input_is() -> None:
    X = np.array([[1, 0, 7, 0], [np.nan, 1, 7, 0], [3, 0, 7, 1], [5, 2, 8, np.nan]], dtype=float)
    table = small(X, levels={"c1": ("a", "b", "c"), "c3": ("no", "yes")}, missing="median")
    found = fit_encoder(table, np.arange(3))
    assert found.names == (
        "c0",
        "c0 missing",
        "c1=b",
        "c3=yes",
    )  # c of c1 is in no train row, c2 never varies there
    assert found.families == ("c0", "c0", "c1", "c3")
    assert found.left_out == ("c2",)
    assert found(X).tolist() == [[1, 0, 0, 0], [2, 1, 1, 0], [3, 0, 0, 1], [5, 0, 0, 0]]
    more = fit_encoder(table, np.arange(4))
    assert [name for name in more.names if "c1" in name] == ["c1=a", "c1=b", "c1=c"]
    with pytest.raises(ValueError, match="no column varies among the train rows"):
        fit_encoder(table, np.array([0]))


def test_a_gap_beyond_the_train_rows_is_filled_and_not_marked(data: Dataset) -> None:
    rows = split(data).val_rows
    X = data.X.copy()
    X[rows[0], 0] = np.nan
    parts = split(replace(data, X=X, missing="median"))
    assert not set(parts.encoder.kind) & {GAP, LEVEL}
    assert parts.encoder(X)[rows[0], 0] == np.median(data.X[parts.train_rows, 0])
