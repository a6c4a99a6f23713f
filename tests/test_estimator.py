"""HandNetClassifier on two classes: what it predicts, its bands, its seeds, and what it refuses."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.class_weight import compute_class_weight

from handnet import HandNetClassifier, Recipe, Table, load_backend
from handnet.draws import ensemble_seeds, generator
from handnet.mlp.replicas import train_replicas
from handnet.splits import Split

QUICK = {"replicas": 6, "epochs": 8, "learning_rate": 5e-3, "random_state": 7}


@pytest.fixture(scope="module")
def fitted(parts: Split) -> HandNetClassifier:
    return HandNetClassifier(**QUICK).fit(*parts.train)


# The networks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_networks_are_those_of_train_replicas_on_the_same_seeds(parts: Split, dtype: str) -> None:
    """Trained here with a true validation table: that the classifier has none to give changes nothing."""
    ours = HandNetClassifier(
        hidden=(5, 4),
        learning_rate=5e-3,
        dropout=0.4,
        epochs=7,
        batch_size=50,
        optimizer="sgd",
        replicas=18,
        dtype=dtype,
        random_state=3,
        weight_decay=0.5,
    ).fit(*parts.train)
    backend, seeds = load_backend("compiled", dtype), ensemble_seeds(3, 18)
    recipe = Recipe(5e-3, 0.4, 7, 50, (5, 4), "sgd", weight_decay=0.5)
    fit = train_replicas(backend, parts.train, parts.val, recipe, seeds)
    assert ours.seeds_.tolist() == seeds
    assert ours.diverged_ == {}
    assert np.array_equal(ours.loss_curve_, fit.train_loss)
    for mine, theirs in zip(ours.layers_, fit.layers, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
    logits = backend.logits(fit.layers, parts.val.X).astype(np.float64)
    assert np.allclose(ours.replica_proba(parts.val.X), expit(logits), rtol=1e-12, atol=0)


def test_the_probability_is_the_mean_over_replicas_by_hand(parts: Split, fitted: HandNetClassifier) -> None:
    X = parts.val.X[:9]
    said = np.empty((6, 9))
    for replica in range(6):
        for row, a in enumerate(X):
            *hidden, (weight, bias) = [
                (layer.weight[replica], layer.bias[replica, 0]) for layer in fitted.layers_
            ]
            for w, b in hidden:
                a = np.maximum(a @ w + b, 0)  # noqa: PLW2901 - what flows on
            said[replica, row] = 1 / (1 + np.exp(-(a @ weight + bias)[0]))
    assert np.allclose(fitted.replica_proba(X), said, atol=1e-5)
    assert len(set(said[:, 0])) == 6
    proba = fitted.predict_proba(X)
    assert np.allclose(proba, np.stack([1 - said.mean(axis=0), said.mean(axis=0)], axis=1), atol=1e-5)
    assert np.array_equal(fitted.predict(X), (proba[:, 1] > 0.5).astype(int))
    assert np.array_equal(fitted.replica_proba_, fitted.replica_proba(parts.train.X))
    assert fitted.replica_proba_.shape == (6, 341)
    assert fitted.loss_curve_.shape == (6, 8)


def test_the_decision_is_the_logit_of_the_mean_and_never_saturates(
    parts: Split, fitted: HandNetClassifier
) -> None:
    X = parts.val.X
    proba, decision = fitted.predict_proba(X)[:, 1], fitted.decision_function(X)
    assert np.allclose(decision, logit(proba), rtol=1e-6)
    assert np.array_equal(decision > 0, fitted.predict(X) == 1)
    far = fitted.decision_function(X * 10)
    certain = fitted.predict_proba(X * 10)[:, 1] == 1
    assert certain.sum() > 10
    assert len(np.unique(far[certain])) == certain.sum()


def test_predictions_keep_to_the_weights_when_parameters_are_set_anew(
    parts: Split, fitted: HandNetClassifier
) -> None:
    other = pickle.loads(pickle.dumps(fitted)).set_params(dtype="float64", replicas=2)
    assert np.array_equal(other.predict_proba(parts.val.X), fitted.predict_proba(parts.val.X))
    other.set_params(backend="numpy")  # another way to compute the same
    assert np.allclose(other.predict_proba(parts.val.X), fitted.predict_proba(parts.val.X), atol=1e-6)
    assert other.predict_band(parts.val.X).n == 6


# Bands


def test_the_band_of_a_row_is_its_quantiles_over_replicas(parts: Split, fitted: HandNetClassifier) -> None:
    said, bands = fitted.replica_proba(parts.val.X), fitted.predict_band(parts.val.X)
    assert np.array_equal(bands.q025, np.quantile(said, 0.025, axis=0))
    assert np.array_equal(bands.q975, np.quantile(said, 0.975, axis=0))
    assert np.array_equal(bands.mean, fitted.predict_proba(parts.val.X)[:, 1])
    assert (bands.kind, bands.varied, bands.n, bands.diverged, len(bands)) == (
        "quantiles",
        "seeds",
        6,
        0,
        114,
    )
    assert bands.coverage == pytest.approx(0.95 * 5 / 7)
    for row, band in enumerate(bands):
        assert (band.low, band.centre("mean"), band.high) == (
            bands.q025[row],
            bands.mean[row],
            bands.q975[row],
        )
    assert "quantiles over 6 seeds, covers 67.9%" in str(bands[-1])


def test_a_band_holds_the_share_of_further_replicas_it_states(parts: Split) -> None:
    """Of 200 further ones, over 20 bands of 20. The bands' shares differ by .03, so their mean is good to
    .007."""
    X, ensembles = parts.val.X, [HandNetClassifier(replicas=20, random_state=seed) for seed in range(20)]
    further = HandNetClassifier(replicas=200, random_state=100).fit(*parts.train).replica_proba(X)
    bands = [ensemble.fit(*parts.train).predict_band(X) for ensemble in ensembles]
    held = [((band.q025 <= further) & (further <= band.q975)).mean() for band in bands]
    assert np.mean(held) == pytest.approx(bands[0].coverage, abs=0.03)


def test_one_replica_predicts_but_has_no_band(parts: Split) -> None:
    alone = HandNetClassifier(**QUICK | {"replicas": 1}).fit(*parts.train)
    assert alone.predict_proba(parts.val.X).shape == (114, 2)
    with pytest.raises(ValueError, match="at least 2 replicas that did not diverge, but got 1 of 1"):
        alone.predict_band(parts.val.X)


# Replicas that diverge


def test_a_diverged_replica_is_named_counted_and_not_averaged(parts: Split) -> None:
    wild = {"optimizer": "sgd", "learning_rate": 50.0, "epochs": 4, "replicas": 20, "random_state": 0}
    with pytest.warns(ConvergenceWarning, match=r"^\d+ of 20 replicas diverged and are left out") as warned:
        ours = HandNetClassifier(**wild).fit(*parts.train)
    assert warned[0].filename == __file__
    seeds = np.array(ensemble_seeds(0, 20))
    fit = train_replicas(
        load_backend("compiled"),
        parts.train,
        parts.val,
        Recipe(50.0, epochs=4, optimizer="sgd"),
        seeds.tolist(),
    )
    sound = fit.diverged_at < 0
    assert 2 <= sound.sum() <= 18, "the test needs both kinds"
    assert ours.diverged_ == dict(zip(seeds[~sound].tolist(), fit.diverged_at[~sound].tolist(), strict=True))
    assert np.array_equal(ours.seeds_, seeds[sound])
    assert np.array_equal(ours.layers_[0].weight, fit.layers[0].weight[sound])
    assert np.isfinite(ours.loss_curve_).all()
    assert ours.replica_proba_.shape == (sound.sum(), 341)
    assert np.isfinite(ours.predict_proba(parts.val.X)).all()
    bands = ours.predict_band(parts.val.X)
    assert (bands.n, bands.diverged) == (sound.sum(), (~sound).sum())
    assert f"{(~sound).sum()} seeds diverged" in str(bands[0])


def test_when_all_diverge_there_is_no_classifier(parts: Split) -> None:
    with pytest.raises(
        ValueError, match=r"all 6 replicas diverged, the last in epoch \d; .* lower learning_rate=1e\+30"
    ):
        HandNetClassifier(**QUICK | {"learning_rate": 1e30}).fit(*parts.train)


# Seeds


def test_an_int_repeats_and_everything_else_goes_on(parts: Split) -> None:
    def fitted(random_state: Any) -> HandNetClassifier:
        return HandNetClassifier(**QUICK | {"random_state": random_state, "epochs": 1}).fit(*parts.train)

    def share_a_seed(one: Any, other: Any) -> bool:
        return bool(np.isin(fitted(one).seeds_, fitted(other).seeds_).any())

    before = np.random.get_state()[2]  # noqa: NPY002 - the global state is what must not move
    assert np.array_equal(fitted(1).replica_proba_, fitted(1).replica_proba_)
    assert not share_a_seed(1, 2)
    assert np.random.get_state()[2] == before  # noqa: NPY002
    assert not share_a_seed(None, None)
    stream = np.random.RandomState(1)
    assert np.array_equal(fitted(stream).replica_proba_, fitted(1).replica_proba_)
    assert not share_a_seed(stream, 1)


def test_no_seed_comes_twice_and_fewer_replicas_get_the_first() -> None:
    raw = np.random.RandomState(0).randint(2**32, size=200_000, dtype=np.uint32)
    assert len(set(raw.tolist())) < len(raw), "the test needs a stream with a number that comes twice"
    seeds = ensemble_seeds(0, 200_000)
    assert len(set(seeds)) == len(seeds) == 200_000
    assert seeds[:20] == ensemble_seeds(0, 20) == raw[:20].tolist()


# Weights


def weights(parts: Split) -> np.ndarray:
    draws = generator(4, 0)
    return draws.exponential(size=len(parts.train.y)) * (draws.random(len(parts.train.y)) > 0.2)


def test_a_row_of_weight_0_is_absent(parts: Split) -> None:
    """The very networks of a table without it, whose order and masks are drawn for fewer rows."""
    weight, (X, y, _) = weights(parts), parts.train
    assert 0 < (weight == 0).sum() < 200
    whole = HandNetClassifier(**QUICK).fit(X, y, weight)
    fewer = HandNetClassifier(**QUICK).fit(X[weight > 0], y[weight > 0], weight[weight > 0])
    assert np.array_equal(whole.replica_proba(parts.val.X), fewer.replica_proba(parts.val.X))
    assert whole.replica_proba_.shape == (6, len(y))
    only = HandNetClassifier(**QUICK).fit(X, np.where(weight > 0, y, 2), weight)  # a third label, absent
    assert only.classes_.tolist() == [0, 1]


def test_weights_are_those_of_the_table_and_of_the_class(parts: Split) -> None:
    weight, (X, y, _) = weights(parts) + 0.1, parts.train
    recipe, backend, seeds = Recipe(5e-3, epochs=8), load_backend("compiled"), ensemble_seeds(7, 6)
    for class_weight, by_class in [(None, [1, 1]), ({0: 1, 1: 5}, [1, 5]), ({1: 0.2}, [1, 0.2])]:
        ours = HandNetClassifier(**QUICK, class_weight=class_weight).fit(X, y, weight)
        train = Table(X, y, weight * np.array(by_class)[y])
        fit = train_replicas(backend, train, parts.val, recipe, seeds)
        assert np.array_equal(ours.layers_[0].weight, fit.layers[0].weight)
        assert np.array_equal(ours.loss_curve_, fit.train_loss)


@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_is_scikit_learns_and_counts_both_classes_alike(parts: Split, weighted: bool) -> None:
    X, y, _ = parts.train
    weight = weights(parts) + 0.1 if weighted else None
    names = np.array(["benign", "malignant"])[y]
    balanced = HandNetClassifier(**QUICK, class_weight="balanced").fit(X, names, weight)
    by_class = compute_class_weight("balanced", classes=np.unique(names), y=names, sample_weight=weight)
    given = dict(zip(["benign", "malignant"], by_class.tolist(), strict=True))
    same = HandNetClassifier(**QUICK, class_weight=given).fit(X, names, weight)
    assert np.allclose(balanced.replica_proba_, same.replica_proba_, atol=1e-4)
    shares = (1 if weight is None else weight) * by_class[y]
    assert shares[y == 0].sum() == pytest.approx(shares[y == 1].sum())
    plain = HandNetClassifier(**QUICK).fit(X, names, weight)
    assert balanced.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean()


def test_of_two_kinds_of_rows_it_learns_the_weighted_shares() -> None:
    """The best a network can say of rows that are all alike is their weighted share of positives."""
    draws = generator(5, 0)
    kind, weight = draws.integers(0, 2, 400), draws.exponential(size=400)
    y = (draws.random(400) < np.where(kind, 0.3, 0.8)).astype(int)
    weight *= np.where(kind == y, 3, 1)
    ours = HandNetClassifier(8, 1e-2, 0.0, 1500, 400, replicas=4, dtype="float64", random_state=0)
    said = ours.fit(np.column_stack([kind, 1 - kind]), y, weight).predict_proba(np.array([[0, 1], [1, 0]]))[
        :, 1
    ]
    shares = [np.average(y[kind == one], weights=weight[kind == one]) for one in (0, 1)]
    assert said == pytest.approx(shares, abs=1e-4)
    assert np.abs(shares - np.array([y[kind == one].mean() for one in (0, 1)])).min() > 0.1


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [
        (np.zeros(341), "at least one non-zero number"),
        (np.where(np.arange(341) == 5, -1.0, 1.0), "sample_weight must be at least 0, but holds -1.0"),
        (np.where(np.arange(341) == 5, np.nan, 1.0), "sample_weight contains NaN"),
        (np.ones(340), "inconsistent numbers of samples"),
        (np.ones((341, 1)), r"one number for each row, but its shape is \(341, 1\)"),
    ],
)
def test_bad_weights_are_refused(parts: Split, weight: np.ndarray, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        HandNetClassifier(**QUICK).fit(parts.train.X, parts.train.y, weight)


def test_labels_that_are_texts_of_numbers_have_their_weights(parts: Split) -> None:
    X, y, _ = parts.train
    ours = HandNetClassifier(**QUICK, class_weight={"0": 1, "1": 5}).fit(X, y.astype(str))
    plain = HandNetClassifier(**QUICK, class_weight={1: 5}).fit(X, y)
    assert np.array_equal(ours.replica_proba_, plain.replica_proba_)


def test_a_class_without_weight_is_no_class(parts: Split) -> None:
    X, y, _ = parts.train
    with pytest.raises(ValueError, match="y must hold two classes or more, but holds 1 class, 0"):
        HandNetClassifier(**QUICK).fit(X, y, y == 0)


@pytest.mark.parametrize(
    ("class_weight", "sentence"),
    [
        ("even", "class_weight must be {label: weight}, 'balanced' or None, but got 'even'"),
        ({"benign": 2.0}, "class_weight names 'benign', but the labels are 0, 1"),
        ({"1": 2.0}, "class_weight names '1', but the labels are 0, 1"),
        ({0: 1.0, 1: -1.0}, "must be finite and at least 0"),
    ],
)
def test_bad_class_weights_are_refused(parts: Split, class_weight: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        HandNetClassifier(**QUICK, class_weight=class_weight).fit(*parts.train)


# Labels and input


def test_sparse_rows_are_refused_with_the_way_to_dense_ones(parts: Split, fitted: HandNetClassifier) -> None:
    X = csr_array(parts.val.X)
    for call in (lambda: clone(fitted).fit(X, parts.val.y), lambda: fitted.predict_proba(X)):
        with pytest.raises(
            TypeError, match=r"but is sparse: use OneHotEncoder\(sparse_output=False\).*toarray"
        ):
            call()


@pytest.mark.parametrize(
    ("hidden", "widths"),
    [(5, [5]), (np.int64(5), [5]), ([4, 3], [4, 3]), (np.array([4, 3]), [4, 3])],
    ids=str,
)
def test_hidden_is_a_number_or_several(parts: Split, hidden: Any, widths: list[int]) -> None:
    ours = clone(HandNetClassifier(**QUICK, hidden=hidden)).fit(*parts.train)
    assert [layer.weight.shape[2] for layer in ours.layers_] == [*widths, 1]
    assert Recipe(hidden=hidden).hidden == tuple(widths)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array(["benign", "malignant"]), ["benign", "malignant"]),
        (np.array(["b", "M"], dtype=object), ["M", "b"]),
        (np.array([False, True]), [False, True]),
        (np.array([1, -1]), [-1, 1]),
        (np.array([2.0, 5.0]), [2.0, 5.0]),
    ],
    ids=str,
)
def test_labels_of_any_kind(
    parts: Split, fitted: HandNetClassifier, labels: np.ndarray, classes: list
) -> None:
    """labels: what stands for 0 and for 1."""
    X, y, _ = parts.train
    ours = clone(fitted).fit(X, pd.Series(labels[y]))
    assert ours.classes_.tolist() == classes
    called = ours.predict(parts.val.X)
    assert called.dtype == ours.classes_.dtype
    assert np.mean(called == labels[parts.val.y]) > 0.9
    if labels.tolist() == classes:  # the same order, so the same networks
        assert np.array_equal(called, labels[fitted.predict(parts.val.X)])
        assert np.array_equal(ours.predict_proba(parts.val.X), fitted.predict_proba(parts.val.X))


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        ("hidden", (), "hidden must list the units"),
        ("hidden", 0, "hidden must be a whole number of at least 1, but got 0"),
        ("hidden", 1.5, "hidden must list the units"),
        ("hidden", np.array([[16, 8]]), "hidden must list the units"),
        ("hidden", (16, 0), "hidden must be a whole number of at least 1, but got 0"),
        ("learning_rate", 0, "learning_rate must be above 0"),
        ("learning_rate", "fast", "learning_rate must be a finite number, but got 'fast'"),
        ("dropout", 1.0, "dropout must be at least 0 and below 1"),
        ("epochs", 2.5, "epochs must be a whole number"),
        ("batch_size", 0, "batch_size must be a whole number"),
        ("optimizer", "lbfgs", "optimizer must be one of adam, sgd"),
        ("weight_decay", -1, "weight_decay must be at least 0, but got -1"),
        ("replicas", 0, "replicas must be a whole number of at least 1, but got 0"),
        ("replicas", True, "replicas must be a whole number of at least 1, but got True"),
        ("backend", "torch", "unknown backend 'torch': expected one of compiled"),
        ("backend", ["compiled"], r"unknown backend \['compiled'\]"),
        ("dtype", "float16", "unknown dtype 'float16'"),
        ("dtype", np.float32, "unknown dtype"),
        ("random_state", "seven", "cannot be used to seed"),
        ("random_state", -1, "Seed must be between"),
    ],
)
def test_a_bad_parameter_is_refused_in_fit_and_not_before(
    parts: Split, parameter: str, value: Any, sentence: str
) -> None:
    ours = HandNetClassifier(**QUICK | {parameter: value})
    assert ours.get_params()[parameter] is value
    with pytest.raises(ValueError, match=sentence):
        ours.fit(*parts.train)
    with pytest.raises(NotFittedError):
        ours.predict(parts.val.X)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        ([0.5, 1.5, 2.5] * 4, "Unknown label type: continuous"),
        (["same"] * 12, "y must hold two classes or more, but holds 1 class, 'same'"),
        ([0, 1] * 5, "inconsistent numbers of samples"),
        ([0, 1, np.nan] * 4, "Input y contains NaN"),
    ],
)
def test_bad_labels_are_refused(parts: Split, y: list, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        HandNetClassifier(**QUICK).fit(parts.train.X[:12], y)


def test_rows_that_cannot_be_scored_are_refused(parts: Split, fitted: HandNetClassifier) -> None:
    X = parts.val.X.copy()
    with pytest.raises(ValueError, match="expecting 30 features"):
        fitted.predict(X[:, 1:])
    X[3] = 3e38 * (fitted.layers_[0].weight[0, :, 0] > 0)
    with pytest.raises(ValueError, match="row 3 of X overflows in float32"):
        fitted.predict(X)
    X[3, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fitted.predict_band(X)
