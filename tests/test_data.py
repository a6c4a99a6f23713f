"""The built-in table and what a dataset refuses."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from handnet import Dataset, Table


def test_wisconsin_is_scikit_learns_table_with_malignant_as_1(data: Dataset) -> None:
    raw = load_breast_cancer()
    assert np.array_equal(data.X, raw.data)
    assert [data.class_names[label] for label in data.y] == [
        str(raw.target_names[label]) for label in raw.target
    ]
    assert data.class_names == ("benign", "malignant")
    assert data.y.sum() == 212
    assert data.case_ids.tolist() == list(range(569))
    assert len(set(data.families)) == 10
    assert {data.families.count(family) for family in data.families} == {3}
    assert {n for n, f in zip(data.feature_names, data.families, strict=True) if f == "concave points"} == {
        "mean concave points",
        "concave points error",
        "worst concave points",
    }


def test_the_digest_sees_every_part(data: Dataset) -> None:
    X, y, ids = data.X.copy(), data.y.copy(), data.case_ids.copy()
    X[3, 4] = np.nextafter(X[3, 4], 1)
    y[0], ids[0] = 1 - y[0], 1000
    others = [
        replace(data, X=X),
        replace(data, y=y),
        replace(data, case_ids=ids),
        replace(data, feature_names=("x", *data.feature_names[1:])),
        replace(data, class_names=("a", "b")),
    ]
    assert len({data.digest, *(other.digest for other in others)}) == 6
    assert replace(data, X=np.asfortranarray(data.X)).digest == data.digest


def test_a_dataset_that_does_not_fit_is_refused(data: Dataset) -> None:
    hole = data.X.copy()
    hole[5, 1] = np.nan
    for change, sentence in [
        ({"X": hole}, "case 5 has nan in column 'mean texture'"),
        ({"X": data.X[0]}, "must be a table"),
        ({"y": data.y[:-1]}, "one entry for each of 569 rows"),
        ({"y": np.zeros(569)}, "both classes"),
        ({"case_ids": np.zeros(569)}, "unique"),
        ({"feature_names": ("one",)}, "one entry for each of 30 columns"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            replace(data, **change)
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 1


def test_a_table_is_two_arrays() -> None:
    assert Table(np.zeros((2, 1)), np.zeros(2)).X.shape == (2, 1)
