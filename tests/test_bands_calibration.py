"""Calibration, against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from samples import labels, standard_error, table
from scipy.special import expit

from handnet.bands.calibration import calibration, calibration_bands, null_errors
from handnet.draws import generator


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_intercept_and_slope_are_statsmodels(scale: float) -> None:
    y = (generator(17, 0).random(114) < 0.4).astype(int)
    z = scale * table(17, 3, y, 0.6) + 0.3
    found = calibration(z, y)
    for r, row in enumerate(z):
        shift = sm.GLM(y, np.ones(114), family=sm.families.Binomial(), offset=row).fit(tol=1e-14)
        line = sm.Logit(y, sm.add_constant(row)).fit(disp=0, tol=1e-14)
        assert found.intercept[r] == pytest.approx(shift.params[0], abs=1e-9)
        assert found.slope[r] == pytest.approx(line.params[1], abs=1e-9)
        assert found.observed_expected[r] == pytest.approx(y.sum() / expit(row).sum(), abs=1e-12)


@pytest.mark.parametrize("coverage", [0.95, 0.5])
def test_calibration_bands_are_statsmodels_at_the_mean_logit(coverage: float) -> None:
    y = (generator(18, 0).random(114) < 0.4).astype(int)
    z = table(18, 4, y, 0.6)
    middle = z.mean(axis=0)
    shift = sm.GLM(y, np.ones(114), family=sm.families.Binomial(), offset=middle).fit(tol=1e-14)
    line = sm.Logit(y, sm.add_constant(middle)).fit(disp=0, tol=1e-14)
    bands = calibration_bands(z, y, coverage)
    for band, ends in (
        (bands.intercept, shift.conf_int(1 - coverage)[0]),
        (bands.slope, line.conf_int(1 - coverage)[1]),
    ):
        assert (band.low, band.high) == pytest.approx(tuple(ends), abs=1e-9)
        assert (band.coverage, band.n, band.varied) == (coverage, 114, "cases")


def test_logits_that_separate_the_classes_have_no_finite_slope() -> None:
    y = np.array([0, 0, 0, 1, 1])
    apart, touching, mixed = [-2.0, -1, 0, 1, 2], [-2.0, -1, 0, 0, 2], [-2.0, 1, 0, 0.5, 2]
    slopes = calibration(np.array([apart, touching, np.negative(apart), mixed]), y).slope
    assert slopes[:3].tolist() == [np.inf, np.inf, -np.inf]
    assert np.isfinite(slopes[3])
    for row, separated in ((apart, True), (touching, True), (np.negative(apart), True), (mixed, False)):
        assert (calibration_bands(np.array([row]), y) is None) == separated
    assert np.isfinite(calibration(np.array([apart]), y).intercept).all()


def counted_error(p: np.ndarray, y: np.ndarray) -> float:
    """Over ten bins, by their size: how far the share of positives lies from the mean probability."""
    total = 0.0
    for k in range(10):
        inside = (p >= k / 10) & ((p < (k + 1) / 10) | (k == 9))
        if inside.any():
            total += inside.mean() * abs(y[inside].mean() - p[inside].mean())
    return total


def test_calibration_errors_are_counted_bin_by_bin() -> None:
    y = labels(40, 60)
    z = np.vstack([table(19, 5, y), np.full((1, 100), 60.0)])  # the last: all probabilities 1
    draws = generator(19, 1).random((30, 100))
    assert calibration(z, y).error == pytest.approx([counted_error(expit(row), y) for row in z], abs=1e-12)
    null = null_errors(z, draws)
    assert null.shape == (6, 30)
    expected = [[counted_error(expit(row), draw < expit(row)) for draw in draws] for row in z]
    assert null == pytest.approx(np.array(expected), abs=1e-12)


def test_the_error_of_true_probabilities_is_what_drawing_labels_gives() -> None:
    z = table(20, 1, labels(42, 72), 2.0)
    null = null_errors(z, generator(20, 1).random((3000, 114)))[0]
    direct = np.array(
        [counted_error(expit(z[0]), one) for one in generator(20, 2).binomial(1, expit(z), (2000, 114))]
    )
    assert abs(null.mean() - direct.mean()) < 4 * np.hypot(standard_error(null), standard_error(direct))
    assert null.mean() > 20 * standard_error(null)  # never 0, though perfectly calibrated


def test_a_calibrated_model_is_rarely_called_miscalibrated_and_a_bold_one_often() -> None:
    draws, y = generator(21, 0), labels(42, 72)
    called = {1.0: 0, 4.0: 0}
    for boldness in called:
        for _ in range(300):
            z = draws.normal(0, 1.5, (1, 114))
            y = (draws.random(114) < expit(z[0])).astype(int)
            limit = np.quantile(null_errors(boldness * z, draws.random((300, 114))), 0.95)
            called[boldness] += calibration(boldness * z, y).error[0] > limit
    assert called[1.0] / 300 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert called[4.0] / 300 > 0.8


def test_one_probability_for_all_has_no_slope() -> None:
    y = np.repeat([1, 0], [3, 5])
    assert np.isnan(calibration(np.zeros((1, 8)), y).slope[0])
    assert calibration_bands(np.zeros((1, 8)), y) is None


def test_logits_all_but_equal_still_have_a_line(recwarn: pytest.WarningsRecorder) -> None:
    """scikit-learn's Newton steps meet a singular matrix there and go on with another solver."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [70, 44])
    for scale in (1e-3, 1e-6, 1e-8):
        for level in (0.0, 9.0):
            measures = calibration(level + scale * rng.normal(size=(3, 114)), y)
            assert np.isfinite(measures.intercept).all()
            assert not np.isnan(measures.slope).any()
    assert not recwarn.list
