"""The facts of bands of models from elsewhere, beside loops by hand and other people's formulas."""

import json

import numpy as np
import pytest
from scipy.special import logit
from sklearn import metrics
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from statsmodels.stats.proportion import proportion_confint

from handnet.messages import Refusal
from handnet.predictions.form import Cases, Predicted, Results
from handnet.predictions.judged import judge_results
from handnet.tasks import task_of

SEEDS = tuple("012345")


@pytest.fixture(scope="module")
def forests() -> tuple[np.ndarray, np.ndarray]:
    """The probabilities (R, n) of forests on one test, and its labels (n,)."""
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=120, random_state=3, stratify=y)
    grown = (RandomForestClassifier(9, random_state=int(seed)).fit(X_train, y_train) for seed in SEEDS)
    return np.array([forest.predict_proba(X_test)[:, 1] for forest in grown]), y_test.astype(np.int8)


def results(p: np.ndarray, y: np.ndarray) -> Results:
    cases = Cases("study", "test", np.arange(len(y)).astype(str), y)
    one = Predicted("forest", cases, SEEDS, logit(np.clip(p, 1e-12, 1 - 1e-12)))
    return Results("the table", task_of(2), ("benign", "malignant"), (one,))


def bands_of(
    facts: dict, score: str, role: str = "forest", part: str = "test"
) -> dict[tuple[str, str], dict]:
    rows = [row for row in facts["bands"] if (row["score"], row["role"], row["part"]) == (score, role, part)]
    return {(row["varied"], row["kind"]): row for row in rows}


def test_the_bands_of_forests_are_those_of_a_loop_by_hand(forests: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = forests
    facts = judge_results(results(p, y))
    for score, of_one in (
        ("accuracy", lambda one: metrics.accuracy_score(y, one > 0.5)),
        ("auc", lambda one: metrics.roc_auc_score(y, one)),
        ("brier", lambda one: metrics.brier_score_loss(y, one)),
    ):
        values = [of_one(one) for one in p]
        band = bands_of(facts, score)["seeds", "quantiles"]
        assert (band["low"], band["high"]) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=1e-10)
        assert band["centres"]["mean"] == pytest.approx(np.mean(values), abs=1e-10)
    right = ((p > 0.5) == y).mean() * len(y)
    wilson = bands_of(facts, "accuracy")["cases", "wilson"]
    ends = proportion_confint(right, len(y), method="wilson")
    assert (wilson["low"], wilson["high"]) == pytest.approx(ends, abs=1e-12)
    missed = ((p > 0.5) != y).sum(axis=0)
    told = {row["case"]: row["misses"] for row in facts["missed"]}
    assert told == {str(case): count for case, count in enumerate(missed) if count}
    json.dumps(facts, allow_nan=False)


def test_what_is_not_there_is_refused_by_name(forests: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(Refusal, match="no division 'fold 9'; it has study"):
        judge_results(results(*forests), split="fold 9")
    with pytest.raises(
        Refusal, match="'acuracy' is no score of the table; its scores are log_loss, accuracy"
    ):
        judge_results(results(*forests), scores=["acuracy"])
