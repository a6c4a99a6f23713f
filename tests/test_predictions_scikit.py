"""What scikit-learn's cross-validation returns, as results: against loops by hand over its own models."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import logit
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict, cross_validate
from sklearn.preprocessing import scale
from sklearn.tree import DecisionTreeClassifier

from handnet.messages import Refusal
from handnet.predictions.joined import joined
from handnet.predictions.judged import judge_results
from handnet.predictions.pairs import compare_results
from handnet.predictions.scikit import from_cross_val_predict, from_cross_validate, from_pairs
from handnet.predictions.scored import judge_scores

WINE, CANCER, DIABETES = (load(return_X_y=True) for load in (load_wine, load_breast_cancer, load_diabetes))
WINE = scale(WINE[0]), WINE[1]
RETURNED = {"return_estimator": True, "return_indices": True}


def trees(seeds: range, folds: KFold, **more: object) -> list[dict[str, np.ndarray]]:
    """A tree of each seed on the same folds of the cancer table."""
    X, y = CANCER
    made = [DecisionTreeClassifier(max_features=3, max_depth=4, random_state=seed) for seed in seeds]
    return [cross_validate(tree, X, y, cv=folds, **more) for tree in made]


FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


def test_probabilities_of_many_classes_become_their_logs_fold_by_fold() -> None:
    X, y = WINE
    found = cross_validate(LogisticRegression(C=1e-2), X, y, cv=FOLDS, **RETURNED)
    results = from_cross_validate(found, y, X)
    folds = results.of("LogisticRegression")
    assert list(folds) == [f"fold {place}" for place in range(5)]
    assert results.classes == ("0", "1", "2")
    for place, test in enumerate(found["indices"]["test"]):
        one = folds[f"fold {place}"]
        by_hand = found["estimator"][place].predict_proba(X[test])
        assert one.cases.ids.tolist() == [str(case) for case in test]
        assert one.cases.others == len(y) - len(test)
        assert one.seeds == ()
        scores = results.task.grade(one.outputs, one.cases.y)
        assert scores["accuracy"][0] == accuracy_score(y[test], by_hand.argmax(axis=1))
        assert scores["log_loss"][0] == pytest.approx(log_loss(y[test], by_hand), rel=1e-9)


def test_runs_on_the_same_folds_are_seeds() -> None:
    X, y = CANCER
    runs = trees(range(3), FOLDS, **RETURNED)
    results = from_cross_validate(runs, y, X, model="tree", seeds=[7, 8, 9])
    fold = results.of("tree")["fold 2"]
    test = runs[0]["indices"]["test"][2]
    by_hand = [run["estimator"][2].predict_proba(X[test])[:, 1] for run in runs]
    assert fold.seeds == ("7", "8", "9")
    np.testing.assert_allclose(fold.outputs, logit(np.clip(by_hand, 1e-12, 1 - 1e-12)), rtol=1e-9)


def test_runs_on_other_folds_are_further_divisions() -> None:
    X, y = DIABETES
    runs = [
        cross_validate(Ridge(), X, y, cv=KFold(3, shuffle=True, random_state=seed), **RETURNED)
        for seed in (0, 1)
    ]
    results = from_cross_validate(runs, y, X)
    folds = results.of("Ridge")
    assert list(folds)[3] == "repeat 1, fold 0"
    assert len(folds) == 6
    test = runs[1]["indices"]["test"][0]
    by_hand = mean_squared_error(y[test], runs[1]["estimator"][0].predict(X[test]))
    one = folds["repeat 1, fold 0"]
    assert results.task.grade(one.outputs, one.cases.y)["rmse"][0] ** 2 == pytest.approx(by_hand, rel=1e-12)


def test_a_classifier_without_probabilities_gives_labels() -> None:
    X, y = CANCER
    results = from_cross_validate(cross_validate(RidgeClassifier(), X, y, cv=FOLDS, **RETURNED), y, X)
    assert results.hard
    assert set(np.unique(results.predicted[0].outputs)) == {-1.0, 1.0}


def test_scores_without_indices_are_refused_their_comparison_over_folds_until_sizes_are_told() -> None:
    runs = trees(range(3), FOLDS, scoring=["accuracy", "neg_log_loss"])
    with pytest.raises(Refusal, match="seeds"):
        from_cross_validate(runs)
    results = from_cross_validate(runs, seeds=range(3), model="tree", n_test=114, n_train=455)
    facts = judge_scores(results)
    (row,) = [
        band
        for band in facts["bands"]
        if (band["part"], band["score"], band["kind"]) == ("test", "accuracy", "quantiles")
    ]
    first = [run["test_accuracy"][0] for run in runs]
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(first, [0.025, 0.975])), rel=1e-12)
    losses = [one.scores["log_loss"] for one in results.scored]
    np.testing.assert_array_equal(losses[4], [-run["test_neg_log_loss"][4] for run in runs])


def test_cross_val_predict_of_probabilities() -> None:
    X, y = WINE
    p = cross_val_predict(LogisticRegression(C=1e-2), X, y, cv=FOLDS, method="predict_proba")
    folds = list(FOLDS.split(X, y))
    results = from_cross_val_predict(y, p, folds=folds, model="lr")
    for place, (_, test) in enumerate(folds):
        one = results.of("lr")[f"fold {place}"]
        assert results.task.grade(one.outputs, one.cases.y)["log_loss"][0] == pytest.approx(
            log_loss(y[test], p[test]), rel=1e-9
        )
        assert one.cases.others == len(y) - len(test)
    whole = from_cross_val_predict(y, p)
    assert whole.predicted[0].outputs.shape == (1, len(y), 3)
    assert "folds that are not named" in whole.notes[-1]


@pytest.mark.parametrize("seeds", [1, 4])
def test_shapes_of_predictions(seeds: int) -> None:
    y = np.arange(12) % 3
    p = np.random.default_rng(0).dirichlet(np.ones(3), size=(seeds, 12))
    many = from_cross_val_predict(y, p)
    np.testing.assert_allclose(many.predicted[0].outputs, np.log(p), rtol=1e-12)
    two = from_cross_val_predict(y > 0, p[..., 0])
    np.testing.assert_allclose(two.predicted[0].outputs, logit(p[..., 0]), rtol=1e-9)


def test_pairs_are_seeds_where_their_truth_is_one_and_divisions_by_name_only() -> None:
    numbers = np.random.default_rng(0)
    y, other = numbers.integers(0, 2, 40), numbers.integers(0, 2, 30)
    ps = numbers.random((3, 40))
    results = from_pairs([(y, p) for p in ps], model="mine")
    np.testing.assert_allclose(results.predicted[0].outputs, logit(ps), rtol=1e-9)
    assert results.predicted[0].seeds == ("0", "1", "2")
    pairs = [(y, ps[0]), (other, numbers.random(30))]
    with pytest.raises(Refusal, match="splits="):
        from_pairs(pairs)
    apart = from_pairs(pairs, splits=["a", "b"], n_train=100)
    assert {name: (len(one.cases), one.cases.others) for name, one in apart.of("model").items()} == {
        "a": (40, 100),
        "b": (30, 100),
    }


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: from_cross_validate({}), "cross_validate returns"),
        (lambda: from_cross_validate(trees(range(1), FOLDS)[0], *CANCER[::-1]), "return_estimator=True"),
        (lambda: from_cross_val_predict([0, 1, 0], [0.1, 0.2]), r"shape is \(2,\)"),
        (lambda: from_cross_val_predict([0, 1, 2], np.ones((1, 3, 2)) / 2), "3 labels"),
        (lambda: from_cross_val_predict([0, 1] * 4, np.ones((2, 8)) / 2, seeds=[1]), "1 are named"),
        (lambda: from_cross_val_predict([0, 1] * 4, np.ones(8) / 2, folds=[([0], [1])]), "no fold"),
        (lambda: from_pairs([]), "empty"),
        (lambda: from_pairs([3]), r"list of \(y, p\)"),
    ],
)
def test_what_cannot_be_judged_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(Refusal, match=says):
        make()


def test_bands_of_trees_are_those_of_a_loop_by_hand() -> None:
    X, y = CANCER
    runs = trees(range(6), FOLDS, **RETURNED)
    facts = judge_results(from_cross_validate(runs, y, X, model="tree"), scores=["accuracy"])
    found = {
        (band["part"], band["varied"]): (band["low"], band["high"])
        for band in facts["bands"]
        if band["kind"] == "quantiles"
    }
    right = np.array(
        [[accuracy_score(y[test], one.predict(X[test])) for one, test in folds_of(run)] for run in runs]
    )
    sizes = np.array([len(test) for _, test in folds_of(runs[0])])
    of_seeds = right @ sizes / len(y)  # of all cases, each in the test of one fold
    of_folds = [right[fold % 6, fold] for fold in range(5)]  # another seed with each fold
    assert found["test", "seeds"] == pytest.approx(tuple(np.quantile(of_seeds, [0.025, 0.975])), rel=1e-12)
    assert found["rehearsal", "splits"] == pytest.approx(
        tuple(np.quantile(of_folds, [0.025, 0.975])), rel=1e-12
    )


def folds_of(run: dict[str, Any]) -> list[tuple[Any, np.ndarray]]:
    return list(zip(run["estimator"], run["indices"]["test"], strict=True))


def test_predictions_and_scores_alone_give_one_comparison_over_folds() -> None:
    X, y = CANCER
    folds, told, alone = StratifiedKFold(6, shuffle=True, random_state=1), [], []
    for name, depth in (("shallow", 1), ("deep", 5)):
        made = [DecisionTreeClassifier(max_depth=depth, max_features=3, random_state=seed) for seed in (0, 1)]
        runs = [cross_validate(tree, X, y, cv=folds, **RETURNED) for tree in made]
        told.append(from_cross_validate(runs, y, X, model=name, source=name))
        alone.append(from_cross_validate(runs, model=name, score="accuracy", source=name))
    one, other = (compare_results(joined(both))["comparisons"][0] for both in (told, alone))
    assert one["decides"]["over"] == other["decides"]["over"] == "splits"
    for key in ("p", "adjusted", "detectable", "rope"):
        assert one["decides"][key] == pytest.approx(other["decides"][key], rel=1e-9)
    for key in ("low", "high", "n"):
        assert one["decides"]["difference"][key] == pytest.approx(
            other["decides"]["difference"][key], rel=1e-9
        )
    assert one["sentence"] == other["sentence"]
