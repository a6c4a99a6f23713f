"""Scores, against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import TWO
from scipy.special import expit, softmax
from sklearn import metrics

from handnet import Fit
from handnet.draws import generator
from handnet.scores import gap, grade
from handnet.tasks import task_of


@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), coarse=st.booleans())
def test_grades_are_scikit_learns(seed: int, n: int, coarse: bool) -> None:
    draws = generator(seed, 0)
    y = np.concatenate([[0, 1], draws.integers(0, 2, n - 2)])
    z = draws.normal(0, 3, (3, n))
    if coarse:
        z = np.round(z)  # ties, and zeros on the fence
    scores = TWO.grade(z, y) | grade(TWO.details, z, y)
    for r in range(3):
        p, called = expit(z[r]), (z[r] > 0).astype(int)
        assert scores["log_loss"][r] == pytest.approx(metrics.log_loss(y, p), rel=1e-9)
        assert scores["accuracy"][r] == metrics.accuracy_score(y, called)
        assert scores["sensitivity"][r] == metrics.recall_score(y, called)
        assert scores["specificity"][r] == metrics.recall_score(y, called, pos_label=0)
        assert scores["auc"][r] == pytest.approx(metrics.roc_auc_score(y, z[r]), abs=1e-12)
        assert scores["brier"][r] == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)
        for name, value in {
            "balanced_accuracy": metrics.balanced_accuracy_score(y, called),
            "f1": metrics.f1_score(y, called, zero_division=0.0),
            "mcc": metrics.matthews_corrcoef(y, called),
            "kappa": metrics.cohen_kappa_score(y, called),
            "average_precision": metrics.average_precision_score(y, z[r]),
            "ppv": metrics.precision_score(y, called, zero_division=0.0),
            "npv": metrics.precision_score(y, called, pos_label=0, zero_division=0.0),
        }.items():
            assert scores[name][r] == pytest.approx(value, abs=1e-12), name
    assert set(scores) == {score.name for score in TWO.all_scores}


@given(seed=st.integers(0, 10_000), k=st.integers(3, 6), more=st.integers(0, 40), lean=st.floats(0, 5))
def test_grades_of_many_classes_are_scikit_learns(seed: int, k: int, more: int, lean: float) -> None:
    draws = generator(seed, 0)
    y = np.concatenate([np.arange(k), draws.integers(0, k, more)])
    z = draws.normal(0, 2, (2, len(y), k)) + lean * (y[:, None] == np.arange(k))
    task = task_of(k)
    scores = task.grade(z, y) | grade(task.details, z, y)
    for r in range(2):
        p, called = softmax(z[r], axis=1), z[r].argmax(axis=1)
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(y, called, zero_division=0.0)
        expected = {
            "log_loss": metrics.log_loss(y, p),
            "accuracy": metrics.accuracy_score(y, called),
            "balanced_accuracy": metrics.balanced_accuracy_score(y, called),
            "macro_f1": f1.mean(),
            "auc": metrics.roc_auc_score(y, p, multi_class="ovr"),
            "auc_hand_till": metrics.roc_auc_score(y, p, multi_class="ovo"),
            "brier": metrics.brier_score_loss(y, p, labels=range(k), scale_by_half=False),
            "mcc": metrics.matthews_corrcoef(y, called),
            "kappa": metrics.cohen_kappa_score(y, called),
            "top_2": metrics.top_k_accuracy_score(y, p, k=2, labels=range(k)),
            **{f"recall_{label}": recall[label] for label in range(k)},
            **{f"precision_{label}": precision[label] for label in range(k)},
        }
        reference = 1 - np.square(np.bincount(y) / len(y)).sum()
        expected["skill"] = 1 - expected["brier"] / reference
        assert set(expected) == set(scores)
        for name, value in expected.items():
            assert scores[name][r] == pytest.approx(value, rel=1e-9, abs=1e-12), name


@given(seed=st.integers(0, 10_000), n=st.integers(2, 60), offset=st.sampled_from([0.0, 1e6]))
def test_grades_of_a_number_are_scikit_learns(seed: int, n: int, offset: float) -> None:
    draws = generator(seed, 0)
    y = draws.normal(offset, 3, n)
    guesses = y + draws.normal(0.5, 1, (2, n))
    scores = task_of(0).grade(guesses, y)
    for r in range(2):
        expected = {
            "rmse": metrics.root_mean_squared_error(y, guesses[r]),
            "mse": metrics.mean_squared_error(y, guesses[r]),
            "mae": metrics.mean_absolute_error(y, guesses[r]),
            "median_absolute_error": metrics.median_absolute_error(y, guesses[r]),
            "r2": metrics.r2_score(y, guesses[r]),
            "bias": guesses[r].mean() - y.mean(),
        }
        assert set(expected) == set(scores)
        for name, value in expected.items():
            assert scores[name][r] == pytest.approx(value, rel=1e-9, abs=1e-8 if offset else 1e-12), name


def test_a_tie_goes_to_the_lower_class() -> None:
    z, y = np.zeros((1, 4, 4)), np.arange(4)
    scores = grade(task_of(4).details, z, y)
    assert [scores[f"recall_{label}"][0] for label in range(4)] == [1, 0, 0, 0]
    assert scores["top_2"][0] == 0.5


def test_a_class_that_is_never_called_has_a_precision_of_0() -> None:
    scores = grade(task_of(3).details, np.broadcast_to([2.0, 1.0, 0.0], (2, 6, 3)), np.arange(6) % 3)
    assert [scores[f"precision_{label}"].tolist() for label in range(3)] == [[1 / 3, 1 / 3], [0, 0], [0, 0]]


def test_a_diverged_replica_scores_nan_and_no_other_does() -> None:
    z = np.array([[1.0, -1.0], [np.nan, 0.0], [np.inf, 0.0]])
    for score in TWO.grade(z, np.array([1, 0])).values():
        assert np.isnan(score).tolist() == [False, True, True]


def test_grades_refuse_one_class_and_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="all 2 classes"):
        TWO.grade(np.zeros((2, 3)), np.ones(3))
    with pytest.raises(ValueError, match="shape"):
        TWO.grade(np.zeros(3), np.array([0, 1, 1]))


def test_the_gap_is_taken_at_the_returned_epoch() -> None:
    losses = [np.arange(6.0).reshape(2, 3) * factor for factor in (1, 10, 100)]
    fit = Fit((), *losses, np.array([-1, 0]), np.array([-1, -1]))
    assert gap(fit).gap.tolist() == [200 - 20, 300 - 30]
    assert gap(fit).gap_keras.tolist() == [200 - 2, 300 - 3]
