"""HandNetRegressor: what it guesses, its bands, and what it refuses."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from handnet import HandNetClassifier, HandNetRegressor, Recipe, Table, diabetes, load_backend, split, wine
from handnet.draws import ensemble_seeds, generator
from handnet.mlp.replicas import train_replicas
from handnet.splits import Split

QUICK = {"replicas": 6, "epochs": 15, "learning_rate": 5e-3, "random_state": 7}


@pytest.fixture(scope="module")
def parts() -> Split:
    return split(diabetes())


@pytest.fixture(scope="module")
def fitted(parts: Split) -> HandNetRegressor:
    return HandNetRegressor(**QUICK).fit(*parts.train)


# The networks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_networks_are_those_of_train_replicas_on_the_scaled_number(parts: Split, dtype: str) -> None:
    ours = HandNetRegressor(**QUICK, dtype=dtype, weight_decay=0.5).fit(*parts.train)
    X, y, _ = parts.train
    assert (ours.target_mean_, ours.target_scale_) == pytest.approx((y.mean(), y.std()))
    train = Table(X, (y - ours.target_mean_) / ours.target_scale_)
    recipe = Recipe(5e-3, epochs=15, loss="squared_error", weight_decay=0.5)
    backend = load_backend("compiled", dtype)
    fit = train_replicas(backend, train, train, recipe, ensemble_seeds(7, 6))
    assert np.array_equal(ours.loss_curve_, fit.train_loss)
    for mine, theirs in zip(ours.layers_, fit.layers, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
    guesses = y.mean() + y.std() * backend.logits(fit.layers, parts.val.X).astype(np.float64)
    assert np.allclose(ours.replica_predict(parts.val.X), guesses, rtol=1e-12)


def test_the_guess_is_the_mean_over_replicas_by_hand(parts: Split, fitted: HandNetRegressor) -> None:
    X = parts.val.X[:9]
    guesses = np.empty((6, 9))
    for replica in range(6):
        for row, a in enumerate(X):
            *hidden, (weight, bias) = [
                (layer.weight[replica], layer.bias[replica, 0]) for layer in fitted.layers_
            ]
            for w, b in hidden:
                a = np.maximum(a @ w + b, 0)  # noqa: PLW2901 - what flows on
            guesses[replica, row] = (a @ weight + bias)[0]
    guesses = parts.train.y.mean() + parts.train.y.std() * guesses
    assert np.allclose(fitted.replica_predict(X), guesses, rtol=1e-5)
    assert np.allclose(fitted.predict(X), guesses.mean(axis=0), rtol=1e-5)
    assert np.array_equal(fitted.replica_predict_, fitted.replica_predict(parts.train.X))
    assert fitted.replica_predict_.shape == (6, len(parts.train.y))


def test_the_curve_is_half_the_squared_error_in_variances(parts: Split) -> None:
    """Of networks that hardly move, at the end as at the start."""
    still = HandNetRegressor(**QUICK | {"learning_rate": 1e-12, "dropout": 0.0}).fit(*parts.train)
    half = np.square(still.replica_predict_ - parts.train.y).mean(axis=1) / 2 / parts.train.y.var()
    assert still.loss_curve_.shape == (6, 15)
    assert still.loss_curve_[:, -1] == pytest.approx(half, rel=1e-4)


def test_it_learns_what_the_outside_network_learns(parts: Split) -> None:
    """Attributes and shapes are those of scikit-learn's own network, and the score is near to it."""
    X = pd.DataFrame(parts.train.X, columns=[f"x{place}" for place in range(parts.train.X.shape[1])])
    val, y = pd.DataFrame(parts.val.X, columns=X.columns), parts.train.y
    ours = HandNetRegressor(**QUICK | {"epochs": 60}).fit(X, pd.Series(y))
    network = MLPRegressor(hidden_layer_sizes=(16, 8), max_iter=2000, random_state=0)
    theirs = TransformedTargetRegressor(network, transformer=StandardScaler())
    theirs.fit(X, y)
    assert ours.feature_names_in_.tolist() == theirs.feature_names_in_.tolist()
    assert ours.n_features_in_ == theirs.n_features_in_
    assert ours.predict(val).shape == theirs.predict(val).shape
    assert ours.predict(val).dtype == theirs.predict(val).dtype == np.float64
    assert ours.score(val, parts.val.y) == r2_score(parts.val.y, ours.predict(val))
    weight = generator(3, 0).exponential(size=len(parts.val.y))
    weighted = r2_score(parts.val.y, ours.predict(val), sample_weight=weight)
    assert ours.score(val, parts.val.y, weight) == weighted
    assert ours.score(val, parts.val.y) > theirs.score(val, parts.val.y) - 0.1
    assert ours.score(val, parts.val.y) > 0.3


# The unit of y


@pytest.mark.parametrize(("shift", "factor"), [(1e9, 1 / 64), (-3.0, 2.0**40), (0.0, 2.0**-40)])
def test_another_unit_of_y_changes_nothing_but_the_unit(
    parts: Split, fitted: HandNetRegressor, shift: float, factor: float
) -> None:
    """Also far from 0, where the deviation is some 1e-9 of the number and float32 would not tell rows
    apart."""
    moved = clone(fitted).fit(parts.train.X, shift + factor * parts.train.y)
    back = (moved.predict(parts.val.X) - shift) / factor
    assert np.abs(back - fitted.predict(parts.val.X)).max() < 1e-3 * fitted.target_scale_
    assert moved.loss_curve_ == pytest.approx(fitted.loss_curve_, rel=1e-3)
    assert moved.score(parts.val.X, shift + factor * parts.val.y) > 0.3


@pytest.mark.parametrize("value", [0.0, 0.1, -7e8])
def test_a_number_that_never_varies_is_guessed_as_it_is(parts: Split, value: float) -> None:
    ours = HandNetRegressor(**QUICK).fit(parts.train.X, np.full(len(parts.train.y), value))
    assert ours.predict(parts.val.X) == pytest.approx(value, rel=1e-12)
    bands = ours.predict_band(parts.val.X)
    assert np.ptp([bands.q025, bands.q975]) == pytest.approx(0, abs=1e-12 * abs(value))


# Bands and replicas that diverge


def test_the_band_of_a_row_is_its_quantiles_over_replicas(parts: Split, fitted: HandNetRegressor) -> None:
    guesses, bands = fitted.replica_predict(parts.val.X), fitted.predict_band(parts.val.X)
    assert np.array_equal(bands.q025, np.quantile(guesses, 0.025, axis=0))
    assert np.array_equal(bands.q975, np.quantile(guesses, 0.975, axis=0))
    assert np.array_equal(bands.mean, fitted.predict(parts.val.X))
    assert (bands.n, bands.diverged, len(bands)) == (6, 0, len(parts.val.y))
    assert "(guess from a further seed on these rows: quantiles over 6 seeds, covers 67.9%)" in str(bands[0])


def test_a_band_holds_the_share_of_further_replicas_it_states(parts: Split) -> None:
    """Of 100 further ones, over 16 bands of 12; the bands' shares differ by .04, so their mean is good to
    .01."""
    recipe = QUICK | {"epochs": 4, "replicas": 12}
    further = HandNetRegressor(**recipe | {"replicas": 100, "random_state": 100}).fit(*parts.train)
    guesses = further.replica_predict(parts.val.X)
    ours = [HandNetRegressor(**recipe | {"random_state": seed}).fit(*parts.train) for seed in range(16)]
    bands = [one.predict_band(parts.val.X) for one in ours]
    held = [((band.q025 <= guesses) & (guesses <= band.q975)).mean() for band in bands]
    assert np.mean(held) == pytest.approx(bands[0].coverage, abs=0.04)


def test_one_replica_guesses_but_has_no_band(parts: Split) -> None:
    alone = HandNetRegressor(**QUICK | {"replicas": 1}).fit(*parts.train)
    assert alone.predict(parts.val.X).shape == parts.val.y.shape
    with pytest.raises(ValueError, match="at least 2 replicas that did not diverge, but got 1 of 1"):
        alone.predict_band(parts.val.X)


def test_a_diverged_replica_is_named_counted_and_not_averaged(parts: Split) -> None:
    wild = QUICK | {"optimizer": "sgd", "learning_rate": 1.5, "epochs": 4, "replicas": 20}
    with pytest.warns(ConvergenceWarning, match=r"^\d+ of 20 replicas diverged and are left out") as warned:
        ours = HandNetRegressor(**wild).fit(*parts.train)
    assert warned[0].filename == __file__
    assert 2 <= len(ours.diverged_) <= 18, "the test needs both kinds"
    assert set(ours.diverged_) | set(ours.seeds_.tolist()) == set(ensemble_seeds(7, 20))
    assert ours.replica_predict_.shape == (20 - len(ours.diverged_), len(parts.train.y))
    assert np.isfinite(ours.predict(parts.val.X)).all()
    assert ours.predict_band(parts.val.X).diverged == len(ours.diverged_)
    with pytest.raises(ValueError, match=r"all 20 replicas diverged, .* lower learning_rate=1e\+30"):
        HandNetRegressor(**wild | {"learning_rate": 1e30}).fit(*parts.train)


# Weights


def test_a_row_of_weight_0_is_absent_from_the_scale_too(parts: Split) -> None:
    X, y, _ = parts.train
    draws = generator(4, 0)
    weight = draws.exponential(size=len(y)) * (draws.random(len(y)) > 0.2)
    far = np.where(weight > 0, y, 1e30)
    whole, kept = HandNetRegressor(**QUICK).fit(X, far, weight), weight > 0
    fewer = HandNetRegressor(**QUICK).fit(X[kept], y[kept], weight[kept])
    assert np.array_equal(whole.replica_predict(parts.val.X), fewer.replica_predict(parts.val.X))
    assert whole.target_mean_ == pytest.approx(np.average(y[kept], weights=weight[kept]))
    deviation = np.sqrt(np.cov(y[kept], aweights=weight[kept], ddof=0))
    assert whole.target_scale_ == pytest.approx(deviation)


def test_a_weight_is_a_repetition_where_nothing_is_random(parts: Split) -> None:
    X, y, _ = parts.train
    weight = generator(5, 0).integers(0, 4, len(y))
    still = QUICK | {"dropout": 0.0, "batch_size": 10**4, "dtype": "float64"}
    weighted = HandNetRegressor(**still).fit(X, y, weight)
    repeated = HandNetRegressor(**still).fit(X.repeat(weight, axis=0), y.repeat(weight))
    assert weighted.predict(parts.val.X) == pytest.approx(repeated.predict(parts.val.X), rel=1e-9)
    plain = HandNetRegressor(**still).fit(X, y)
    assert np.abs(plain.predict(parts.val.X) - weighted.predict(parts.val.X)).max() > 1


# scikit-learn's tools


def test_pipelines_folds_and_searches(parts: Split) -> None:
    data = diabetes()
    X = pd.DataFrame(data.X, columns=list(data.feature_names))
    model = make_pipeline(StandardScaler(), HandNetRegressor(**QUICK))
    scores = cross_val_score(model, X, data.y, cv=3)
    assert scores.min() > 0.3
    by_hand = model.fit(X[148:], data.y[148:]).score(X[:148], data.y[:148])
    assert scores[0] == by_hand
    grid = {"handnetregressor__learning_rate": [1e-6, 5e-3]}
    search = GridSearchCV(model, grid, cv=3, scoring="neg_root_mean_squared_error").fit(X, data.y)
    assert search.best_params_["handnetregressor__learning_rate"] == 5e-3
    assert search.best_estimator_[0].feature_names_in_.tolist() == list(data.feature_names)


def test_clone_and_pickle(parts: Split, fitted: HandNetRegressor) -> None:
    blank = clone(fitted)
    assert blank.get_params() == fitted.get_params()
    assert "class_weight" not in blank.get_params()
    assert not hasattr(blank, "layers_")
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(parts.val.X), fitted.predict(parts.val.X))
    assert np.array_equal(blank.fit(*parts.train).replica_predict_, fitted.replica_predict_)


# Input


def test_a_column_is_taken_with_scikit_learns_warning(parts: Split, fitted: HandNetRegressor) -> None:
    X, y, _ = parts.train
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        column = clone(fitted).fit(X, y[:, None])
    assert np.array_equal(column.predict(X), fitted.predict(X))
    whole = clone(fitted).fit(X, y.astype(int))
    same = clone(fitted).fit(X, y.astype(int).astype(object))
    assert np.array_equal(whole.predict(X), same.predict(X))


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (np.ones((12, 2)), "y should be a 1d array"),
        (["high", "low"] * 6, "y must hold numbers, but holds 'high'; HandNetClassifier learns labels"),
        (np.array(["high", "low"] * 6, dtype=object), "could not convert string to float: 'high'"),
        ([1.0, np.nan, 2.0] * 4, "Input y contains NaN"),
        ([1.0, np.inf, 2.0] * 4, "Input y contains infinity"),
        ([1j] * 12, "Complex data not supported"),
        ([1e200, -1e200] * 6, r"y is too large for its deviation to be computed, up to 1e\+200; divide it"),
        ([1.0] * 11, "inconsistent numbers of samples"),
    ],
    ids=["columns", "texts", "objects", "gaps", "infinite", "complex", "huge", "short"],
)
def test_a_bad_number_is_refused(parts: Split, y: Any, sentence: str) -> None:
    ours = HandNetRegressor(**QUICK)
    with pytest.raises(ValueError, match=sentence):
        ours.fit(parts.train.X[:12], y)
    with pytest.raises(NotFittedError):
        ours.predict(parts.val.X)


def test_bad_parameters_rows_and_weights_are_refused(parts: Split, fitted: HandNetRegressor) -> None:
    X, y, _ = parts.train
    for parameter, value, sentence in (
        ("replicas", 0, "replicas must be a whole number of at least 1, but got 0"),
        ("dropout", 1.0, "dropout must be at least 0 and below 1"),
        ("dtype", "float16", "unknown dtype 'float16'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            HandNetRegressor(**QUICK | {parameter: value}).fit(X, y)
    with pytest.raises(ValueError, match="at least one non-zero number"):
        clone(fitted).fit(X, y, np.zeros(len(y)))
    with pytest.raises(TypeError, match="X must be dense"):
        fitted.predict(csr_array(X))
    with pytest.raises(TypeError, match="class_weight"):
        HandNetRegressor(class_weight="balanced")


@pytest.mark.parametrize("estimator", [HandNetClassifier, HandNetRegressor])
def test_the_backends_agree(parts: Split, estimator: Any) -> None:
    """Of many classes and of a number, in probabilities and in standard deviations of y."""
    number = estimator is HandNetRegressor
    train, val = (parts.train, parts.val) if number else (split(wine()).train, split(wine()).val)
    said = []
    for backend in ("numpy", "compiled"):
        ours = estimator(**QUICK, backend=backend).fit(*train)
        said.append(ours.replica_predict(val.X) / ours.target_scale_ if number else ours.replica_proba(val.X))
    assert said[0].shape == said[1].shape
    assert np.abs(said[0] - said[1]).max() < 1e-4
