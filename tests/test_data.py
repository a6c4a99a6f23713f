"""The built-in tables and what a dataset refuses."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from handnet import Dataset, Table
from handnet.data import DATASETS
from handnet.data import digest as digest_of


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


def test_the_other_tables_are_scikit_learns() -> None:
    loaded = {"wine": load_wine(), "digits": load_digits(), "diabetes": load_diabetes(scaled=False)}
    for name, raw in loaded.items():
        data = DATASETS[name]()
        assert data.name == name
        assert np.array_equal(data.X, raw.data)
        assert np.array_equal(data.y, raw.target)
        assert data.feature_names == tuple(raw.feature_names)
        assert len(data.class_names) == (0 if name == "diabetes" else len(raw.target_names))
        assert data.y.dtype == (np.float64 if name == "diabetes" else np.int8)
    assert sorted(set(DATASETS["digits"]().families)) == [f"row {row}" for row in range(8)]


def test_a_digest_of_two_classes_is_made_as_it_always_was(data: Dataset) -> None:
    """Stored studies name their table by it."""
    parts = (data.X, data.y.astype(np.int8), data.case_ids.astype("U"))
    assert data.digest == digest_of(*parts, data.feature_names, data.families, data.class_names)
    grouped = replace(data, groups=data.case_ids // 2, missing="median", levels={})
    options = ("median",), (np.arange(569) // 2)
    assert grouped.digest == digest_of(*parts, data.feature_names, data.families, data.class_names, *options)


def test_the_digest_tells_a_number_from_a_class_and_its_name(data: Dataset) -> None:
    number = replace(data, class_names=(), target="stage")
    others = [data, number, replace(number, target="size"), replace(number, y=number.y + 0.5)]
    assert len({other.digest for other in others}) == 4


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
        ({"y": data.y * 0.5}, "both classes, 0 and 1, but holds 0.0, 0.5"),
        ({"y": data.y.astype(int) * 257}, "both classes, 0 and 1, but holds 0, 257"),
        ({"class_names": ("a", "b", "c")}, "all 3 classes, 0 to 2, but holds 0, 1"),
        ({"class_names": ("a",)}, "2 to 50 names, or none for a number, but holds 1"),
        ({"class_names": ("a",) * 51}, "but holds 51"),
        ({"class_names": (), "y": np.full(569, 3.5)}, "finite numbers that differ"),
        ({"class_names": (), "y": np.where(data.y, np.inf, 0.0)}, "finite numbers that differ"),
        ({"class_names": (), "y": np.where(data.y, "1", "0")}, "finite numbers that differ"),
        ({"case_ids": np.zeros(569)}, "unique"),
        ({"feature_names": ("one",)}, "one entry for each of 30 columns"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            replace(data, **change)
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 1


def test_a_table_is_two_arrays() -> None:
    assert Table(np.zeros((2, 1)), np.zeros(2)).X.shape == (2, 1)
