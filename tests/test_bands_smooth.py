"""Bands over cases of smooth scores: what a case moves, few errors, shares of what the network chose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from handnet.bands.cases import case_bands
from handnet.bands.clusters import mean_variance
from handnet.bands.multibootstrap import bootstrap_scores, seeds_x_cases
from handnet.bands.predictive import next_cases, next_network
from handnet.bands.proportion import wilson_ends
from handnet.bands.smooth import KNOWN_OF_CONSTANTS, smooth_band
from handnet.draws import further, generator, resamples
from handnet.scores import grade
from handnet.tasks import task_of

MANY = task_of(3)
POINTS = {"log_loss", "brier", "skill", "auc"}  # known to the last digit where all cases are alike


def logits(seed: int, replicas: int, y: np.ndarray, lean: float = 2.0) -> np.ndarray:
    classes = int(y.max()) + 1
    draws = generator(seed, 0)
    cases = lean * np.eye(classes)[y] + draws.normal(0, 1.2, (len(y), classes))
    return cases + draws.normal(0, 0.6, (replicas, len(y), classes))


def of_scikit_learn(name: str, y: np.ndarray, z: np.ndarray, weight: np.ndarray) -> float:
    """The score of one network's outputs (n,) or (n, k) with weights of the cases, by scikit-learn."""
    if name in ("r2", "average_precision"):
        score = {"r2": metrics.r2_score, "average_precision": metrics.average_precision_score}[name]
        return score(y, z, sample_weight=weight)
    if name == "auc":
        p = softmax(z, axis=1)
        return np.mean(
            [metrics.roc_auc_score(y == label, p[:, label], sample_weight=weight) for label in range(3)]
        )
    score, options = {
        "macro_f1": (metrics.f1_score, {"average": "macro"}),
        "balanced_accuracy": (metrics.balanced_accuracy_score, {}),
        "mcc": (metrics.matthews_corrcoef, {}),
        "kappa": (metrics.cohen_kappa_score, {}),
        "precision_1": (metrics.precision_score, {"labels": [1], "average": "macro"}),
    }[name]
    return score(y, z.argmax(axis=1), sample_weight=weight, **options)


@pytest.mark.parametrize(
    "name", ["r2", "average_precision", "macro_f1", "balanced_accuracy", "mcc", "kappa", "precision_1", "auc"]
)
def test_a_case_moves_a_score_as_a_little_more_weight_on_it_does(name: str) -> None:
    draws = generator(1, 0)
    if name == "r2":
        y = draws.normal(5, 2, 20)
        z, score = y + draws.normal(0.2, 1, (1, 20)), task_of(0).every[name]
    elif name == "average_precision":
        y = draws.integers(0, 2, 40)
        z, score = np.round(y + draws.normal(0, 1, (2, 40)), 1), task_of(2).every[name]
    else:
        y = np.arange(18) % 3
        z, score = logits(2, 1, y), MANY.every[name]
    n, step = len(y), 1e-5
    for row, found in zip(z, score.influence(z, y), strict=True):
        moved = [
            (of_scikit_learn(name, y, row, 1 + step * one) - of_scikit_learn(name, y, row, 1 - step * one))
            / (2 * step)
            for one in np.eye(n)
        ]
        assert found == pytest.approx(n * np.array(moved), abs=2e-4)
        assert found.mean() == pytest.approx(0, abs=1e-12)


def test_hand_and_tills_area_varies_as_bootstrap_samples_within_classes_do() -> None:
    y = np.arange(150) % 3
    z = logits(3, 1, y, 1.5)
    places, draws = [np.flatnonzero(y == label) for label in range(3)], generator(4, 0)
    drawn = []
    for _ in range(250):
        rows = np.concatenate([draws.choice(of, len(of)) for of in places])
        drawn.append(metrics.roc_auc_score(y[rows], softmax(z[0, rows], axis=1), multi_class="ovo"))
    for name in ("auc_hand_till", "auc"):  # of equal classes the two are nearly one
        error = np.sqrt(mean_variance(MANY.every[name].influence(z, y)))
        assert error == pytest.approx(np.std(drawn), rel=0.15), name
    sampled = bootstrap_scores({"": MANY.every["auc_hand_till"]}, z, y, resamples(0, 1, y, 1000))[""]
    assert np.std(sampled) == pytest.approx(np.std(drawn), rel=0.15)


def test_the_delta_band_is_that_of_the_bootstrap_where_there_are_many_errors() -> None:
    y = np.arange(600) % 3
    z = logits(5, 1, y, 1.0)
    calls, own = np.eye(3)[z[0].argmax(axis=1)], np.eye(3)[y]
    counts = generator(6, 0).multinomial(600, np.full(600, 1 / 600), size=2000)
    drawn = (2 * (counts @ (calls * own)) / (counts @ calls + counts @ own)).mean(axis=1)
    band = smooth_band(MANY.every["macro_f1"], z, y)
    assert band.kind == "delta"
    assert (band.low, band.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.006)


def test_precision_has_wilsons_interval_among_the_calls() -> None:
    y = np.arange(60) % 3
    z = logits(6, 1, y)
    called = z[0].argmax(axis=1)
    bands = case_bands(MANY.details, z, y)
    for label in range(3):
        number = int((called == label).sum())
        hits = int(((called == label) & (y == label)).sum())
        band = bands[f"precision_{label}"]
        ends = proportion_confint(hits, number, method="wilson")
        assert (band.low, band.high, band.n) == pytest.approx((*ends, number), abs=1e-12)


def test_a_class_that_is_never_called_leaves_its_precision_open() -> None:
    y = np.arange(60) % 3
    z = np.broadcast_to([9.0, 0.0, 0.0], (2, 60, 3))
    for bands in (
        case_bands(MANY.details, z, y),
        seeds_x_cases(MANY.details, z, y, resamples(0, 2, y, 50)),
        next_network(MANY.details, z, y, further(0, 2, y, 50)),
    ):
        assert (bands["precision_1"].low, bands["precision_1"].high) == (0, 1)
        assert bands["precision_1"].centres[0][1] == 0


def test_errors_that_were_not_seen_widen_the_band_of_a_function_of_the_calls() -> None:
    """No error in 30 + 30 + 30: each recall may be Wilson's 30 of 30, and their mean is so much less, divided
    by the root of 3."""
    y = np.arange(90) % 3
    z = 9.0 * np.eye(3)[y][None]
    bands = case_bands(MANY.every, z, y)
    reach = 1 - proportion_confint(30, 30, method="wilson")[0]
    assert bands["balanced_accuracy"].low == pytest.approx(1 - reach / np.sqrt(3), abs=1e-9)
    for name in ("balanced_accuracy", "macro_f1", "mcc", "kappa", "auc", "auc_hand_till"):
        assert bands[name].low < 0.95, name
        assert bands[name].high == 1, name


@given(
    seed=st.integers(0, 10_000),
    classes=st.sampled_from([0, 2, 3, 6]),
    what=st.sampled_from(["usual", "perfect", "constant", "all wrong", "one class", "huge"]),
    groups=st.none() | st.integers(2, 6),
)
@settings(max_examples=25)
def test_every_band_is_finite_and_none_is_a_point(
    seed: int, classes: int, what: str, groups: int | None
) -> None:
    draws, task = generator(seed, 0), task_of(classes)
    n = int(draws.integers(max(2 * classes, 8), 30))
    if classes:
        y = np.concatenate(
            [np.arange(classes), np.arange(classes), draws.integers(classes, size=n - 2 * classes)]
        )
        own = np.eye(classes)[y]
        z = {
            "usual": 2 * own + draws.normal(size=(2, n, classes)),
            "perfect": 30 * own + np.zeros((2, 1, 1)),
            "constant": np.zeros((2, n, classes)),
            "all wrong": -30 * own + np.zeros((2, 1, 1)),
            "one class": np.eye(classes)[0] + draws.normal(0, 0.01, (2, n, classes)),
            "huge": 1e4 * draws.normal(size=(2, n, classes)),
        }[what]
        z = z[..., 1] - z[..., 0] if classes == 2 else z
    else:
        y = draws.normal(5, 3, n)
        z = y * (what != "constant") + {"perfect": 1e-9, "huge": 1e6}.get(what, 1) * draws.normal(size=(2, n))
    of = None if groups is None else draws.integers(groups, size=n)
    for bands in (
        case_bands(task.every, z, y, of),
        seeds_x_cases(task.every, z, y, resamples(seed, 2, y, 30, of), of),
        next_network(task.every, z, y, further(seed, 2, y, 30, of), of),
        next_cases(task.every, z[:1], y, further(seed, 1, y, 30, of), of),
    ):
        for name, band in bands.items():
            score, centre = task.every[name], band.centres[0][1]
            assert np.isfinite([band.low, band.high]).all(), (name, band)
            assert score.least <= band.low <= centre + 1e-9, (name, band)
            assert centre - 1e-9 <= band.high <= score.most, (name, band)
            known = what == "constant" and name in KNOWN_OF_CONSTANTS
            assert band.low < band.high or name in POINTS or known, (name, band)


def test_replicas_are_taken_at_their_mean() -> None:
    y = np.arange(45) % 3
    z = logits(8, 4, y)
    scores = grade(MANY.every, z, y)
    for name, band in case_bands(MANY.every, z, y).items():
        assert band.centres[0][1] == pytest.approx(scores[name].mean(), abs=1e-12), name


def test_near_one_no_interval_reaches_below_that_of_the_smallest_class() -> None:
    """One error, or half of one, tells little of a variance; what the smallest class allows is known."""
    y, z = np.repeat([0, 1, 2], [12, 14, 10]), np.zeros((2, 36, 3))
    z[:, np.arange(36), y] = 8
    z[0, 35] = [0, 9, 0]
    for outputs in (z, z[:1]):
        for name, band in case_bands(task_of(3).scores, outputs, y).items():
            if name in ("balanced_accuracy", "macro_f1", "auc"):
                value = band.centres[0][1]
                assert band.low > wilson_ends(value, 10)[0] - 0.05, name
                assert band.low < value < band.high < 1 or value == 1, name


def test_calls_that_are_the_same_for_all_cases_leave_nothing_to_guess() -> None:
    y, z = np.repeat([0, 1, 2], [12, 14, 10]), np.zeros((1, 36, 3))
    z[..., 1] = 1
    bands = case_bands(task_of(3).scores, z, y)
    assert (bands["balanced_accuracy"].low, bands["balanced_accuracy"].high) == pytest.approx((1 / 3, 1 / 3))
    assert (bands["auc"].low, bands["auc"].high) == (0.5, 0.5)
    assert bands["accuracy"].low < 14 / 36 < bands["accuracy"].high  # the shares of the classes are not known


def test_the_middle_of_an_rmse_belongs_to_its_ends() -> None:
    """Seeds of very different errors: the root of the mean squared error, not the mean of the roots."""
    y = np.arange(40.0)
    errors = np.random.default_rng(0).normal(size=(2, 40)) * [[1.0], [9.0]]
    bands = case_bands(task_of(0).scores, y + errors, y)
    mse = bands["mse"]
    found = np.array([bands["rmse"].low, bands["rmse"].centre("mean"), bands["rmse"].high])
    assert found == pytest.approx(np.sqrt([mse.low, mse.centre("mean"), mse.high]), rel=1e-12)
