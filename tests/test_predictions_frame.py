"""Results as one long table, against rows counted by hand."""

import numpy as np
import pytest

from handnet.predictions.form import Cases, Predicted, Results, Scored
from handnet.predictions.frame import to_frame
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
