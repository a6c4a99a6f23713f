"""Scores, against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import TWO
from scipy.special import expit
from sklearn import metrics

from handnet import Fit
from handnet.draws import generator
from handnet.scores import gap


@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), coarse=st.booleans())
def test_grades_are_scikit_learns(seed: int, n: int, coarse: bool) -> None:
    draws = generator(seed, 0)
    y = np.concatenate([[0, 1], draws.integers(0, 2, n - 2)])
    z = draws.normal(0, 3, (3, n))
    if coarse:
        z = np.round(z)  # ties, and zeros on the fence
    scores = TWO.grade(z, y)
    for r in range(3):
        p, called = expit(z[r]), (z[r] > 0).astype(int)
        assert scores["log_loss"][r] == pytest.approx(metrics.log_loss(y, p), rel=1e-9)
        assert scores["accuracy"][r] == metrics.accuracy_score(y, called)
        assert scores["sensitivity"][r] == metrics.recall_score(y, called)
        assert scores["specificity"][r] == metrics.recall_score(y, called, pos_label=0)
        assert scores["auc"][r] == pytest.approx(metrics.roc_auc_score(y, z[r]), abs=1e-12)
        assert scores["brier"][r] == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)


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
