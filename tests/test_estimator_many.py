"""HandNetClassifier on three classes and more."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from test_estimator import QUICK

from handnet import HandNetClassifier, Recipe, load_backend, split, wine
from handnet.draws import ensemble_seeds, generator
from handnet.mlp.replicas import train_replicas
from handnet.splits import Split

MANY = QUICK | {"epochs": 20}
NAMES = np.array(["barolo", "grignolino", "barbera"])  # sorted they stand 1, 2, 0


@pytest.fixture(scope="module")
def wines() -> Split:
    return split(wine())


@pytest.fixture(scope="module")
def fitted(wines: Split) -> HandNetClassifier:
    return HandNetClassifier(**MANY).fit(*wines.train)


# The networks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_networks_are_those_of_train_replicas_on_the_same_seeds(wines: Split, dtype: str) -> None:
    ours = HandNetClassifier(**MANY, dtype=dtype).fit(*wines.train)
    backend, seeds = load_backend("compiled", dtype), ensemble_seeds(7, 6)
    fit = train_replicas(backend, wines.train, wines.val, Recipe(5e-3, epochs=20, outputs=3), seeds)
    assert np.array_equal(ours.loss_curve_, fit.train_loss)
    for mine, theirs in zip(ours.layers_, fit.layers, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
    said = softmax(backend.logits(fit.layers, wines.val.X).astype(np.float64), axis=-1)
    assert np.allclose(ours.replica_proba(wines.val.X), said, rtol=1e-12, atol=0)


def test_the_probability_is_the_mean_over_replicas_by_hand(wines: Split, fitted: HandNetClassifier) -> None:
    X = wines.val.X[:9]
    said = np.empty((6, 9, 3))
    for replica in range(6):
        for row, a in enumerate(X):
            *hidden, (weight, bias) = [
                (layer.weight[replica], layer.bias[replica, 0]) for layer in fitted.layers_
            ]
            for w, b in hidden:
                a = np.maximum(a @ w + b, 0)  # noqa: PLW2901 - what flows on
            e = np.exp(a @ weight + bias)
            said[replica, row] = e / e.sum()
    assert np.allclose(fitted.replica_proba(X), said, atol=1e-5)
    proba = fitted.predict_proba(X)
    assert np.allclose(proba, said.mean(axis=0), atol=1e-5)
    assert np.allclose(proba.sum(axis=1), 1)
    assert np.array_equal(fitted.predict(X), proba.argmax(axis=1))
    assert np.array_equal(fitted.replica_proba_, fitted.replica_proba(wines.train.X))
    assert fitted.replica_proba_.shape == (6, len(wines.train.y), 3)
    assert fitted.score(*wines.val) > 0.9


def test_the_decision_is_the_log_of_the_mean_and_never_saturates(
    wines: Split, fitted: HandNetClassifier
) -> None:
    X = wines.val.X
    proba, decision = fitted.predict_proba(X), fitted.decision_function(X)
    assert np.allclose(decision, np.log(proba), rtol=1e-6)
    far = fitted.decision_function(X * 100)
    lost = fitted.predict_proba(X * 100).min(axis=1) < 1e-30
    assert lost.sum() > 10
    logits = load_backend("compiled").logits(fitted.layers_, (X * 100).astype(np.float32)).astype(float)
    by_hand = np.logaddexp.reduce(log_softmax(logits, axis=-1), axis=0) - np.log(6)
    assert np.allclose(far, by_hand, rtol=1e-6)
    assert np.isfinite(far).all()


def test_on_a_tie_the_first_class_is_called(wines: Split) -> None:
    ours = HandNetClassifier(**MANY).fit(wines.train.X, NAMES[wines.train.y])
    ours.layers_ = tuple(
        layer._replace(weight=0 * layer.weight, bias=0 * layer.bias) for layer in ours.layers_
    )
    assert set(ours.predict(wines.val.X)) == {"barbera"}
    ours.layers_[-1].bias[:, :, 0] = -1  # now the other two are alike
    assert set(ours.predict(wines.val.X)) == {"barolo"}


# Bands


def test_each_class_has_its_band(wines: Split, fitted: HandNetClassifier) -> None:
    said, bands = fitted.replica_proba(wines.val.X), fitted.predict_band(wines.val.X)
    assert np.array_equal(bands.q025, np.quantile(said, 0.025, axis=0))
    assert np.array_equal(bands.q975, np.quantile(said, 0.975, axis=0))
    assert np.array_equal(bands.mean, fitted.predict_proba(wines.val.X))
    assert bands.inside.shape == bands.mean.shape == (len(wines.val.y), 3)
    assert len(bands) == len(wines.val.y)
    band = bands[4, 2]
    assert (band.low, band.centre("mean"), band.high) == (
        bands.q025[4, 2],
        bands.mean[4, 2],
        bands.q975[4, 2],
    )
    assert band.inside == ((band.low <= said[:, 4, 2]) & (said[:, 4, 2] <= band.high)).sum()
    assert str(band).startswith(f"{band.centre('mean'):.3f} [")
    assert "(probability from a further seed on these rows: quantiles over 6 seeds, covers" in str(band)
    for call in (lambda: bands[4], lambda: list(bands)):
        with pytest.raises(TypeError, match=r"each row has 3 bands: write bands\[row, place\]"):
            call()


# Labels and weights


@pytest.mark.parametrize(
    "labels",
    [NAMES, NAMES.astype(object), np.array([5, -1, 3]), np.array([2.0, 0.0, 1.0])],
    ids=["texts", "objects", "numbers", "floats"],
)
def test_labels_of_any_kind_stand_in_the_order_of_scikit_learn(wines: Split, labels: np.ndarray) -> None:
    X = pd.DataFrame(wines.train.X, columns=[f"x{place}" for place in range(13)])
    y, val = labels[wines.train.y], pd.DataFrame(wines.val.X, columns=X.columns)
    ours = HandNetClassifier(**MANY).fit(X, pd.Series(y))
    theirs = MLPClassifier((16, 8), max_iter=400, random_state=0).fit(X, y)
    assert ours.classes_.tolist() == theirs.classes_.tolist() == sorted(labels.tolist())
    assert ours.feature_names_in_.tolist() == theirs.feature_names_in_.tolist()
    assert ours.n_features_in_ == theirs.n_features_in_ == 13
    assert ours.predict(val).dtype == ours.classes_.dtype
    assert ours.predict_proba(val).shape == theirs.predict_proba(val).shape
    assert np.mean(ours.predict(val) == labels[wines.val.y]) > 0.9
    order = [sorted(labels.tolist()).index(label) for label in labels.tolist()]
    mine, its = (model.predict_proba(val)[:, order] for model in (ours, theirs))
    assert np.mean(np.argmax(mine, axis=1) == np.argmax(its, axis=1)) > 0.9


def test_a_class_of_two_rows_is_learnt_and_one_without_weight_is_none(wines: Split) -> None:
    X, y, _ = wines.train
    rare = np.flatnonzero(y == 2)
    kept = np.setdiff1d(np.arange(len(y)), rare[2:])
    ours = HandNetClassifier(**MANY | {"epochs": 60}, class_weight="balanced").fit(X[kept], y[kept])
    assert ours.classes_.tolist() == [0, 1, 2]
    assert ours.predict(X[rare[:2]]).tolist() == [2, 2]
    without = HandNetClassifier(**MANY).fit(X, y, (y != 2).astype(float))
    assert without.classes_.tolist() == [0, 1]
    assert without.replica_proba_.shape == (6, len(y))  # as of any two classes, for all rows
    fewer = HandNetClassifier(**MANY).fit(X[y != 2], y[y != 2])
    assert np.array_equal(without.predict_proba(X), fewer.predict_proba(X))


def test_balanced_is_scikit_learns_and_counts_all_classes_alike(wines: Split) -> None:
    X, y, _ = wines.train
    weight = generator(4, 0).exponential(size=len(y)) + 0.1
    balanced = HandNetClassifier(**MANY, class_weight="balanced").fit(X, NAMES[y], weight)
    classes = np.unique(NAMES)
    by_class = compute_class_weight("balanced", classes=classes, y=NAMES[y], sample_weight=weight)
    given = dict(zip(classes.tolist(), by_class.tolist(), strict=True))
    same = HandNetClassifier(**MANY, class_weight=given).fit(X, NAMES[y], weight)
    assert np.allclose(balanced.replica_proba_, same.replica_proba_, atol=1e-4)
    place = np.searchsorted(classes, NAMES[y])
    assert np.ptp(np.bincount(place, weight * by_class[place])) == pytest.approx(0, abs=1e-9)
    one = HandNetClassifier(**MANY, class_weight={"barbera": 20.0}).fit(X, NAMES[y], weight)
    plain = HandNetClassifier(**MANY).fit(X, NAMES[y], weight)
    assert one.predict_proba(X)[:, 0].mean() > plain.predict_proba(X)[:, 0].mean()


def test_of_two_kinds_of_rows_it_learns_the_weighted_shares_of_four_classes() -> None:
    """The best a network can say of rows that are all alike is the weighted share of each class."""
    draws = generator(5, 0)
    kind, y, weight = draws.integers(0, 2, 400), draws.integers(0, 4, 400), draws.exponential(size=400)
    weight *= np.where(y == 3 * kind, 4, 1)
    ours = HandNetClassifier(8, 1e-2, 0.0, 800, 400, replicas=2, dtype="float64", random_state=0)
    said = ours.fit(np.column_stack([kind, 1 - kind]), y, weight).predict_proba(np.array([[0, 1], [1, 0]]))
    for one in (0, 1):
        shares = np.bincount(y[kind == one], weight[kind == one])
        assert said[one] == pytest.approx(shares / shares.sum(), abs=1e-4)
        assert np.abs(shares / shares.sum() - np.bincount(y[kind == one]) / (kind == one).sum()).max() > 0.1


def test_scikit_learns_tools_take_it(wines: Split) -> None:
    """Folds, a search by an area under the curve of each class, calibration."""
    data = wine()
    y = NAMES[data.y]
    model = make_pipeline(StandardScaler(), HandNetClassifier(**MANY))
    assert cross_val_score(model, data.X, y, cv=3, scoring="neg_log_loss").min() > -0.5
    grid = {"handnetclassifier__learning_rate": [1e-6, 5e-3]}
    search = GridSearchCV(model, grid, cv=3, scoring="roc_auc_ovr").fit(data.X, y)
    assert search.best_params_ == {"handnetclassifier__learning_rate": 5e-3}
    assert search.best_score_ > 0.97
    folded = CalibratedClassifierCV(HandNetClassifier(**MANY), cv=3).fit(wines.train.X, NAMES[wines.train.y])
    assert folded.score(wines.val.X, NAMES[wines.val.y]) > 0.9
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert np.array_equal(again.predict_proba(data.X), search.predict_proba(data.X))


@pytest.mark.parametrize(
    ("class_weight", "sentence"),
    [
        ({"rioja": 2.0}, "class_weight names 'rioja', but the labels are 'barbera', 'barolo', 'grignolino'"),
        ({"barolo": -1.0}, "must be finite and at least 0"),
        ("even", "class_weight must be {label: weight}, 'balanced' or None, but got 'even'"),
    ],
)
def test_bad_class_weights_are_refused(wines: Split, class_weight: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        HandNetClassifier(**MANY, class_weight=class_weight).fit(wines.train.X, NAMES[wines.train.y])


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (np.eye(3, dtype=int)[[0, 1, 2] * 4], "y should be a 1d array"),
        ([0.5, 1.5, 2.5] * 4, "Unknown label type: continuous"),
        (["a", "b", None] * 4, "y must hold labels of one kind, but holds 'b', None"),
    ],
    ids=["columns", "numbers", "gaps"],
)
def test_bad_labels_are_refused(wines: Split, y: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        HandNetClassifier(**MANY).fit(wines.train.X[:12], y)


def test_more_epochs_fit_the_train_rows_closer(wines: Split) -> None:
    """The curve is the train loss of each replica, in nats."""
    ours = HandNetClassifier(**MANY | {"learning_rate": 1e-12, "dropout": 0.0}).fit(*wines.train)
    losses = [log_loss(wines.train.y, said.astype(float)) for said in ours.replica_proba_]
    assert ours.loss_curve_[:, -1] == pytest.approx(losses, rel=1e-4)
    trained = HandNetClassifier(**MANY | {"dropout": 0.0}).fit(*wines.train)
    assert (trained.loss_curve_[:, -1] < trained.loss_curve_[:, 0] / 2).all()
