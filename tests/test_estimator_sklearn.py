"""Both estimators among scikit-learn's own checks and tools, and their page of the docs."""

import json
import os
import pickle
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from studies import ROOT
from test_estimator import QUICK

from handnet import Dataset, HandNetClassifier
from handnet.draws import generator
from handnet.splits import Split


@pytest.fixture(scope="module")
def fitted(parts: Split) -> HandNetClassifier:
    return HandNetClassifier(**QUICK).fit(*parts.train)


# scikit-learn's own checks

# Of 15 weighted rows and of the same rows repeated, masks and batches differ.
EQUIVALENCE = "check_sample_weight_equivalence_on_dense_data"
RANDOM = {EQUIVALENCE: "rows fall into batches at random, and dropout masks are drawn row by row"}
# Nothing is random but the first weights, as in the instance on which scikit-learn checks its own networks.
STILL = {"dropout": 0.0, "batch_size": 1000, "dtype": "float64", "learning_rate": 0.02}
CHECKS = """
import json, sys, warnings
from sklearn.utils.estimator_checks import check_estimator
import handnet
warnings.simplefilter("error")
name, parameters, expected = map(json.loads, sys.argv[1:])
results = check_estimator(
    getattr(handnet, name)(**parameters), expected_failed_checks=expected, on_fail=None, on_skip=None
)
print(json.dumps([(result["check_name"], result["status"], repr(result["exception"])) for result in results]))
"""


@pytest.mark.parametrize(("parameters", "expected"), [({}, RANDOM), (STILL, {})], ids=str)
@pytest.mark.parametrize(("name", "count"), [("HandNetClassifier", 63), ("HandNetRegressor", 59)])
def test_each_passes_every_check_of_scikit_learn(
    name: str, count: int, parameters: dict, expected: dict[str, str]
) -> None:
    """In a process of its own, because one check is skipped unless SciPy was imported with array interfaces
    on. What is random keeps a weight from being a repetition; without it that check passes too, and then
    nothing is skipped and nothing expected to fail. count: of the checks of scikit-learn 1.9; other releases
    have some more or fewer."""
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, *map(json.dumps, (name, parameters, expected))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        check=True,
    )
    results = json.loads(done.stdout)
    assert [result for result in results if result[1] != "passed" and result[0] not in expected] == []
    assert {name for name, status, _ in results if status == "xfail"} == set(expected)
    assert Counter(status for _, status, _ in results)["passed"] >= count - 10
    of_its_kind = {
        "HandNetClassifier": {"check_classifiers_train", "check_class_weight_classifiers"},
        "HandNetRegressor": {"check_regressors_train", "check_regressors_int"},
    }
    assert of_its_kind[name] | {
        "check_estimators_pickle",
        "check_methods_subset_invariance",
        "check_array_api_input",
        "check_sample_weights_shape",
        EQUIVALENCE,
    } <= {check for check, *_ in results}


# scikit-learn's tools


def test_a_pipeline_scales_on_train_rows_and_cross_validates(data: Dataset) -> None:
    model, folds = make_pipeline(StandardScaler(), HandNetClassifier(**QUICK)), StratifiedKFold(3)
    by_hand = []
    for train, test in folds.split(data.X, data.y):
        mean, deviation = data.X[train].mean(axis=0), data.X[train].std(axis=0)
        ours = HandNetClassifier(**QUICK).fit((data.X[train] - mean) / deviation, data.y[train])
        by_hand.append(ours.score((data.X[test] - mean) / deviation, data.y[test]))
    scores = cross_val_score(model, data.X, data.y, cv=folds)
    assert scores.tolist() == by_hand
    assert min(scores) > 0.93
    assert min(cross_val_score(model, data.X, data.y, cv=folds, scoring="roc_auc")) > 0.97


def test_a_grid_search_tunes_it(data: Dataset) -> None:
    names = [name.replace(" ", "_") for name in data.feature_names]
    X = pd.DataFrame(data.X, columns=names)
    grid = {
        "handnetclassifier__hidden": [(1,), (16, 8)],
        "handnetclassifier__learning_rate": np.array([1e-6, 5e-3]),
    }
    search = GridSearchCV(
        make_pipeline(StandardScaler().set_output(transform="pandas"), HandNetClassifier(**QUICK)), grid, cv=3
    )
    search.fit(X, np.where(data.y, "malignant", "benign"))
    assert search.best_params_["handnetclassifier__learning_rate"] == 5e-3
    assert search.best_score_ > 0.93
    best = search.best_estimator_[-1]
    assert best.feature_names_in_.tolist() == names
    assert best.classes_.tolist() == ["benign", "malignant"]


def test_weights_of_rows_reach_it_through_a_pipeline(data: Dataset) -> None:
    """By the name of the step, and by the name alone where metadata is routed, also to the rows of a fold."""
    weight = generator(6, 0).exponential(size=569)
    alone = HandNetClassifier(**QUICK).fit(StandardScaler().fit_transform(data.X), data.y, weight)
    named = make_pipeline(StandardScaler(), HandNetClassifier(**QUICK))
    named.fit(data.X, data.y, handnetclassifier__sample_weight=weight)
    assert np.array_equal(named[-1].replica_proba_, alone.replica_proba_)
    with config_context(enable_metadata_routing=True):
        ours = (
            HandNetClassifier(**QUICK)
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True)
        )
        routed = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), ours)
        assert np.array_equal(
            routed.fit(data.X, data.y, sample_weight=weight)[-1].replica_proba_, alone.replica_proba_
        )
        folds = list(StratifiedKFold(3).split(data.X, data.y))
        scores = cross_val_score(routed, data.X, data.y, cv=folds, params={"sample_weight": weight})
    train, test = folds[0]
    by_hand = make_pipeline(StandardScaler(), HandNetClassifier(**QUICK))
    by_hand.fit(data.X[train], data.y[train], handnetclassifier__sample_weight=weight[train])
    assert scores[0] == by_hand.score(data.X[test], data.y[test], weight[test])


def test_of_an_encoder_it_wants_dense_output(data: Dataset) -> None:
    kinds = (data.X[:, :3] > np.median(data.X[:, :3], axis=0)).astype(str)
    with pytest.raises(TypeError, match=r"OneHotEncoder\(sparse_output=False\)"):
        make_pipeline(OneHotEncoder(), HandNetClassifier(**QUICK)).fit(kinds, data.y)
    model = make_pipeline(OneHotEncoder(sparse_output=False), HandNetClassifier(**QUICK)).fit(kinds, data.y)
    assert model.score(kinds, data.y) > 0.8


def test_it_can_be_calibrated(parts: Split, fitted: HandNetClassifier) -> None:
    """Platt's calibration is a rising function of the decision; in folds it refits."""
    platt = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(*parts.val)
    order = np.argsort(fitted.decision_function(parts.val.X))
    calibrated = platt.predict_proba(parts.val.X)[order, 1]
    assert (np.diff(calibrated) >= 0).all()
    assert calibrated.mean() == pytest.approx(parts.val.y.mean(), abs=0.01)
    folded = CalibratedClassifierCV(HandNetClassifier(**QUICK), cv=3).fit(*parts.train)
    assert folded.score(*parts.val) > 0.9


def test_clone_and_pickle(parts: Split, fitted: HandNetClassifier) -> None:
    blank = clone(fitted)
    assert blank.get_params() == fitted.get_params()
    assert not hasattr(blank, "layers_")
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(parts.val.X), fitted.predict_proba(parts.val.X))
    assert np.array_equal(blank.fit(*parts.train).replica_proba_, fitted.replica_proba_)
    assert all(type(part) is np.ndarray for layer in fitted.layers_ for part in layer)


# Its page


def test_the_page_runs_as_it_stands_and_prints_lines_of_the_form_shown() -> None:
    page = (ROOT / "docs" / "classifier.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    # What a line prints stands behind it, or behind the bracket that closes it on a line of its own.
    promised = re.findall(r"^ *(?:print.*|\)) *#\s*(.*)$", code, re.MULTILINE)
    # The digits are the machine's own; the form is ours.
    assert [re.sub(r"\d", "0", line) for line in printed.splitlines()] == [
        re.sub(r"\d", "0", line) for line in promised
    ]
