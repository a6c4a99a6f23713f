"""Text and gaps as inputs of a network, against scikit-learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from others import autos, read, written
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from handnet import Dataset, split
from handnet.data import Array
from handnet.draws import generator
from handnet.encode import GAP, LEVEL, VALUE, Encoder, fit_encoder, train_levels
from handnet.messages import Refusal
from handnet.study.identity import make_problem
from handnet.study.reading import read as read_settings


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


def test_two_inputs_never_bear_one_name() -> None:
    X = np.array([[1, 0, 0, 5], [np.nan, 1, 1, 6], [3, 2, 0, 7], [5, 0, 1, 8]], dtype=float)
    table = Dataset(
        "small",
        X,
        np.arange(4) % 2,
        np.arange(4),
        ("a", "form", "form=small", "a missing"),
        ("a", "form", "form=small", "a missing"),
        ("B", "M"),
        {"form": ("large", "mid", "small")},
        "median",
    )
    assert fit_encoder(table, np.arange(4)).names == (
        "a",
        "a missing (gap of 'a')",
        "form=large",
        "form=mid",
        "form=small (level 'small' of 'form')",
        "form=small",
        "a missing",
    )


PARTS = st.text(st.sampled_from("ab= "), max_size=3)


@given(data=st.data())
def test_names_are_unique_whatever_columns_and_levels_are_called(data: st.DataObject) -> None:
    endings = st.sampled_from(["", " missing", "=a", "=b", " missing (gap of 'a')", "=a (level 'a' of 'a')"])
    names = data.draw(
        st.lists(st.builds("{}{}".format, PARTS, endings), min_size=1, max_size=6, unique=True), "columns"
    )
    texts = {
        name: tuple(sorted(data.draw(st.sets(PARTS, min_size=1, max_size=4), name)))
        for name in data.draw(st.sets(st.sampled_from(names)), "text")
    }
    rows = 12
    X = np.array(
        [[place % len(texts.get(name, "123")) for name in names] for place in range(rows)], dtype=float
    )
    for column in data.draw(st.sets(st.integers(0, len(names) - 1)), "gaps"):
        X[0, column] = np.nan
    y = np.arange(rows) % 2
    table = Dataset("x", X, y, np.arange(rows), tuple(names), tuple(names), ("B", "M"), texts, "median")
    encoder = fit_encoder(table, np.arange(rows)) if _varies(X) else None
    if encoder is None:
        return
    assert len(set(encoder.names)) == len(encoder.names) == encoder(X).shape[1]
    for name, source, kind, code in zip(
        encoder.names, encoder.source, encoder.kind, encoder.code, strict=True
    ):
        column = names[source]
        plain = [column, f"{column}={texts[column][int(code)]}" if kind == LEVEL else "", f"{column} missing"]
        assert name.startswith(plain[kind])
        if kind == VALUE:
            assert name == column
        elif [*names, *_plain_names(encoder, names, texts)].count(plain[kind]) == 1:
            assert name == plain[kind]  # what does not collide is called as ever


def _varies(X: Array) -> bool:
    return any(len(np.unique(column)) > 1 for column in X.T)


def _plain_names(encoder: Encoder, names: list[str], texts: dict[str, tuple[str, ...]]) -> list[str]:
    each = zip(encoder.source, encoder.kind, encoder.code, strict=True)
    return [
        f"{names[source]} missing" if kind == GAP else f"{names[source]}={texts[names[source]][int(code)]}"
        for source, kind, code in each
        if kind != VALUE
    ]


def test_a_model_that_is_kept_has_the_levels_of_its_train_rows(tmp_path: Path) -> None:
    other = autos()
    data = read(other, written(other.frame, tmp_path / "autos.csv"))
    parts = split(data)
    levels, code, fill = train_levels(data, parts.encoder, parts.train_rows)
    kept = replace(parts.encoder, code=code, fill=fill)
    X = data.X[parts.train_rows].copy()
    for column, name in enumerate(data.feature_names):
        if name in data.levels:
            texts = [None if np.isnan(cell) else data.levels[name][int(cell)] for cell in X[:, column]]
            assert levels[name] == sorted({text for text in texts if text is not None})
            X[:, column] = [np.nan if text is None else levels[name].index(text) for text in texts]
    assert np.array_equal(kept(X), parts.encoder(data.X[parts.train_rows]))


def test_a_study_of_more_inputs_than_it_can_explain_is_refused() -> None:
    noise = generator(1, 1).normal(size=(40, 10_001))
    whole = small(noise)
    with pytest.raises(Refusal, match=r"10001 inputs of a network, .* at most 10000; leave columns out"):
        make_problem(read_settings({}), whole)
    most = make_problem(read_settings({}), small(noise[:, 1:]))
    assert len(most.parts.encoder.names) == 10_000
