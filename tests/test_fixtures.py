"""Scores and bands on two small tables made by formula, against figures worked out apart from this code.

They were computed with scikit-learn, statsmodels and SciPy, to 12 decimals. Where such a package has the
figure the test computes it anew as well.
"""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import t
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from handnet.bands.cases import loss_band, share_over_cases, signed_band
from handnet.bands.clusters import mean_variance
from handnet.number_scores import error, squared_error
from handnet.scores import called, case_losses, grade, right
from handnet.tasks import task_of

EXACT = {"abs": 1e-9, "rel": 0}

# Three classes: logit_k = 2 sin(1.3 i + 2.1 k + .7 seed + .4 model) + 1.5 [k = y], i < 30, seeds 0 to 3
CASES = np.arange(30)
Y = (7 * CASES + CASES // 5) % 3


def logits(model: int = 0) -> np.ndarray:
    seeds, classes = np.arange(4)[:, None, None], np.arange(3)
    waves = np.sin(1.3 * CASES[:, None] + 2.1 * classes + 0.7 * seeds + 0.4 * model)
    return 2 * waves + 1.5 * (classes == Y[:, None])


Z = logits()
P = softmax(Z, axis=-1)
CALLED = Z.argmax(axis=-1)

# A number: f = y + .6 sin(2.2 i + seed + .5 model) + .15 (-1)^i (1 + model), i < 24, seeds 0 to 3
PLACES = np.arange(24)
TRUTH = 3 + 2 * np.cos(0.9 * PLACES) + 0.1 * PLACES
WAVES = 0.6 * np.sin(2.2 * PLACES + np.arange(4)[:, None])
GUESSES = TRUTH + WAVES + 0.15 * (-1.0) ** PLACES


def of_each_seed(score, *arguments: np.ndarray, **options: object) -> list[float]:
    return [score(*(one[seed] if one.ndim > 1 else one for one in arguments), **options) for seed in range(4)]


@pytest.mark.parametrize(
    ("name", "figures", "other"),
    [
        (
            "accuracy",
            [0.566666666667, 0.6, 0.566666666667, 0.466666666667],
            of_each_seed(metrics.accuracy_score, Y, CALLED),
        ),
        (
            "balanced_accuracy",
            [0.638888888889, 0.666666666667, 0.638888888889, 0.472222222222],
            of_each_seed(metrics.balanced_accuracy_score, Y, CALLED),
        ),
        (
            "macro_f1",
            [0.585403726708, 0.614389233954, 0.571428571429, 0.435254803676],
            of_each_seed(metrics.f1_score, Y, CALLED, average="macro"),
        ),
        (
            "mcc",
            [0.357814108798, 0.408930410055, 0.379532097186, 0.189821043274],
            of_each_seed(metrics.matthews_corrcoef, Y, CALLED),
        ),
        (
            "kappa",
            [0.35, 0.4, 0.362745098039, 0.183673469388],
            of_each_seed(metrics.cohen_kappa_score, Y, CALLED),
        ),
        (
            "log_loss",
            [0.919796423886, 0.933180294575, 0.905930170602, 0.946493003778],
            of_each_seed(metrics.log_loss, Y, P),
        ),
        (
            "brier",
            [0.560252345376, 0.537927918902, 0.596607588756, 0.664393155862],
            of_each_seed(metrics.brier_score_loss, Y, P, scale_by_half=False),
        ),
        ("skill", [0.124605710351, 0.159487626716, 0.067800642569, -0.038114306034], None),
        (
            "auc",
            [0.842592592593, 0.859567901235, 0.806327160494, 0.713734567901],
            of_each_seed(metrics.roc_auc_score, Y, P, multi_class="ovr"),
        ),
        (
            "auc_hand_till",
            [0.875, 0.894675925926, 0.826388888889, 0.699074074074],
            of_each_seed(metrics.roc_auc_score, Y, P, multi_class="ovo"),
        ),
        (
            "top_2",
            [0.766666666667, 0.7, 0.866666666667, 0.966666666667],
            of_each_seed(metrics.top_k_accuracy_score, Y, P),
        ),
    ],
)
def test_scores_of_three_classes(name: str, figures: list[float], other: list[float] | None) -> None:
    found = grade({name: task_of(3).every[name]}, Z, Y)[name]
    assert found == pytest.approx(figures, **EXACT)
    if other:
        assert found == pytest.approx(other, **EXACT)


def test_recall_and_precision_of_each_class() -> None:
    scores = grade(task_of(3).details, Z, Y)
    recall, precision = (
        [scores[f"{name}_{label}"][0] for label in range(3)] for name in ("recall", "precision")
    )
    assert recall == pytest.approx([0.416666666667, 0.5, 1.0], **EXACT)
    assert precision == pytest.approx([0.454545454545, 0.666666666667, 0.6], **EXACT)
    assert np.array_equal(called(Z), CALLED)


def test_the_band_of_a_mean_share_is_wilsons() -> None:
    band = share_over_cases(right(Z, Y))
    assert band.centre("share") == pytest.approx(0.55, **EXACT)
    assert (band.low, band.high) == pytest.approx((0.376613931032, 0.712034729651), **EXACT)
    assert (band.low, band.high) == pytest.approx(proportion_confint(16.5, 30, method="wilson"), **EXACT)


def test_the_standard_error_of_macro_f1_and_of_r2_by_the_delta_method() -> None:
    """The figures are the root of the mean square of the influences over n, those of `mean_variance` over
    n - 1. They were taken with slopes by finite steps, and are good to seven decimals."""
    for score, outputs, y, figure in (
        (task_of(3).every["macro_f1"], Z[:1], Y, 0.084577082983),
        (task_of(0).every["r2"], GUESSES[:1], TRUTH, 0.022479523852),
    ):
        variance, n = mean_variance(score.influence(outputs, y)), len(y)
        assert np.sqrt(variance * (n - 1) / n) == pytest.approx(figure, abs=2e-7)


def test_a_difference_of_losses_over_cases_and_over_groups_of_three() -> None:
    difference = (case_losses(Z, Y) - case_losses(logits(1), Y)).mean(axis=0)[None]
    assert difference.mean() == pytest.approx(-0.026440607113, **EXACT)
    assert np.sqrt(mean_variance(difference)) == pytest.approx(0.046419675823, **EXACT)
    clustered, groups = mean_variance(difference, CASES // 3), 10
    assert np.sqrt(clustered) == pytest.approx(0.022099490301, **EXACT)
    assert np.sqrt(clustered * (groups - 1) / groups) == pytest.approx(0.020965417344, **EXACT)


@pytest.mark.parametrize(
    ("name", "figures", "other"),
    [
        (
            "rmse",
            [0.426547702438, 0.447173457655, 0.46186101478, 0.461506772428],
            metrics.root_mean_squared_error,
        ),
        (
            "mae",
            [0.368000739164, 0.393707794081, 0.406935607365, 0.406419313038],
            metrics.mean_absolute_error,
        ),
        (
            "median_absolute_error",
            [0.340084109817, 0.391048649318, 0.400128309451, 0.401136069085],
            metrics.median_absolute_error,
        ),
        ("r2", [0.927091085809, 0.919869573938, 0.914519308386, 0.914650383613], metrics.r2_score),
    ],
)
def test_scores_of_a_number(name: str, figures: list[float], other) -> None:
    found = task_of(0).grade(GUESSES, TRUTH)[name]
    assert found == pytest.approx(figures, **EXACT)
    assert found == pytest.approx(of_each_seed(other, TRUTH, GUESSES), **EXACT)


def test_bands_of_a_number() -> None:
    mean = GUESSES.mean(axis=0)[None]
    assert task_of(0).grade(mean, TRUTH)["r2"][0] == pytest.approx(0.974010143107, **EXACT)
    bias = signed_band(error(GUESSES[:1], TRUTH))  # guess minus truth, where the figure has truth minus guess
    ends = (-bias.centre("mean"), -bias.high, -bias.low)
    assert ends == pytest.approx((-0.004456577476, -0.188435723622, 0.179522568669), **EXACT)


def test_losses_of_a_number_have_the_t_interval_on_the_logarithm() -> None:
    """The figures are with n - 1 degrees of freedom, the bands with those of the cases that carry a loss: the
    two have the same centre and the same standard error."""
    for losses, (low, centre, high) in (
        (squared_error(GUESSES, TRUTH), (0.137578584732, 0.202052785414, 0.296741881544)),
        (np.abs(GUESSES - TRUTH), (0.310722273646, 0.393765863412, 0.499003670928)),
    ):
        band = loss_band(losses)
        assert band.centre("mean") == pytest.approx(centre, **EXACT)
        reach = t.ppf(0.975, 23) * np.sqrt(mean_variance(losses)) / centre
        assert (centre * np.exp(-reach), centre * np.exp(reach)) == pytest.approx((low, high), **EXACT)
        assert band.low <= low
        assert band.high >= high


def test_an_interval_of_predictions_holds_a_share() -> None:
    held = np.abs(GUESSES[:1] - TRUTH) <= 0.7
    band = share_over_cases(held)
    assert (band.centre("share"), band.low, band.high) == pytest.approx(
        (0.875, 0.689961187295, 0.956556659199), **EXACT
    )
