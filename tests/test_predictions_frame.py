"""Results as one long table, against rows counted by hand."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from handnet.predictions.columns import Columns
from handnet.predictions.form import Cases, Predicted, Results, Scored
from handnet.predictions.frame import to_frame
from handnet.predictions.table import read_frame
from handnet.tasks import task_of

NAN = float("nan")
TWO = Cases("study", "test", np.array(["a", "b"]), np.array([1, 0], np.int8), np.array([7, 9]), 8)
ONE = Cases("2", "val", np.array(["c"]), np.array([1], np.int8))


def test_two_classes_have_the_logit_of_the_positive_one() -> None:
    rows = (
        Predicted("net", TWO, ("3", "4"), np.array([[0.1, -0.2], [NAN, NAN]])),
        Predicted("tree", ONE, (), np.array([[1 / 3]])),
    )
    frame = to_frame(Results("here", task_of(2), ("no", "yes"), rows))
    assert frame.columns.tolist() == "model split part seed case group y n_train logit_yes".split()
    assert frame.astype(object).where(frame.notna(), None).to_numpy().tolist() == [
        ["net", "study", "test", "3", "a", 7, "yes", 8, 0.1],
        ["net", "study", "test", "3", "b", 9, "no", 8, -0.2],
        ["net", "study", "test", "4", "a", 7, "yes", 8, None],
        ["net", "study", "test", "4", "b", 9, "no", 8, None],
        ["tree", "2", "val", None, "c", None, "yes", None, 1 / 3],
    ]


@pytest.mark.parametrize("hard", [False, True])
def test_many_classes_have_a_column_each_or_a_label(hard: bool) -> None:
    rows = (Predicted("net", TWO, (), np.array([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]])),)
    frame = to_frame(Results("here", task_of(3), ("x", "y", "z"), rows, hard=hard))
    if hard:
        assert frame["label"].tolist() == ["y", "x"]
    else:
        assert frame[["logit_x", "logit_y", "logit_z"]].to_numpy().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert frame["y"].tolist() == ["y", "x"]
    assert "seed" not in frame


def test_a_number_has_its_guess_and_quantiles() -> None:
    cases = Cases("study", "test", np.array(["a", "b"]), np.array([1.5, 2.5]))
    rows = (
        Predicted("net", cases, ("1",), np.array([[1.0, 2.0]]), {0.05: np.array([[0.5, 0.6]])}),
        Predicted("mean", cases, (), np.array([[2.0, 2.0]])),
    )
    frame = to_frame(Results("here", task_of(0), (), rows))
    assert frame["y"].tolist() == [1.5, 2.5] * 2
    assert frame["yhat"].tolist() == [1, 2, 2, 2]
    assert frame["q0.05"].fillna(-1).tolist() == [0.5, 0.6, -1, -1]


def test_scores_alone_have_a_row_a_seed() -> None:
    scored = Scored("net", "study", "test", ("1", "2"), {"accuracy": np.array([0.5, 0.75])}, n=4)
    frame = to_frame(Results("here", None, (), (), (scored,)))
    assert frame[["seed", "accuracy", "n"]].to_numpy().tolist() == [["1", 0.5, 4], ["2", 0.75, 4]]


@st.composite
def any_results(draw: st.DrawFn) -> Results:
    """Models with and without seeds on two divisions, with groups or without; a seed may have diverged."""
    k, n = draw(st.sampled_from([0, 2, 3])), draw(st.integers(3, 6))
    finite = st.floats(allow_nan=False, allow_infinity=False)
    y = np.arange(n) % k if k else draw(arrays(np.float64, n, elements=finite, unique=True))
    groups = np.arange(n) // 2 if draw(st.booleans()) else None
    predicted = []
    for split in ("study", "7"):
        others = draw(st.none() | st.integers(1, 99))
        ids = np.array([f"c{place}" for place in range(n)])
        cases = Cases(split, "test", ids, y.astype(np.int8 if k else np.float64), groups, others)
        for model, seeds in (("net", ("3", "1")), ("tree", ())):
            shape = (len(seeds) or 1, n, k) if k > 2 else (len(seeds) or 1, n)
            outputs = draw(arrays(np.float64, shape, elements=finite, unique=True))
            if seeds and draw(st.booleans()):
                outputs[1] = np.nan
            predicted.append(Predicted(model, cases, seeds, outputs))
    classes = ("no", "perhaps", "yes")[:k]
    return Results("here", task_of(k), classes, tuple(predicted), target="" if k else "weight")


@settings(max_examples=30)
@given(any_results())
def test_what_is_read_back_is_equal_to_the_bit(results: Results) -> None:
    frame = to_frame(results)
    text = io.StringIO()
    frame.to_csv(text, index=False)
    text.seek(0)
    columns = Columns(target=results.target, yhat="" if results.classes else "yhat")
    for one in (frame, pd.read_csv(text, dtype=str, keep_default_na=False)):
        found = read_frame(one, columns)
        assert (found.classes, found.task, found.models) == (results.classes, results.task, results.models)
        for ours, theirs in zip(results.predicted, found.predicted, strict=True):
            assert (ours.model, ours.seeds, ours.cases.split) == (
                theirs.model,
                theirs.seeds,
                theirs.cases.split,
            )
            assert ours.cases.others == theirs.cases.others
            assert ours.cases.y.tobytes() == theirs.cases.y.tobytes()
            assert np.array_equal(ours.cases.ids, theirs.cases.ids)
            assert np.array_equal(ours.outputs, theirs.outputs, equal_nan=True)
            if ours.cases.groups is None:
                assert theirs.cases.groups is None
            else:
                assert np.array_equal(ours.cases.groups, theirs.cases.groups)
