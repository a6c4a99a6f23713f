"""Calibration, against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from samples import labels, standard_error, table
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2, t

from handnet.bands.calibration import calibration, calibration_bands, clustered, ensemble, null_errors
from handnet.bands.calibration_curve import _firth, calibration_curve
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


def deviance(
    y: np.ndarray, z: np.ndarray, intercept: float | None = None, slope: float | None = None
) -> float:
    """statsmodels' deviance at this intercept (slope 1), or at this slope with its best intercept."""
    if slope is None:
        return float(
            sm.GLM(y, np.ones(len(y)), sm.families.Binomial()).family.deviance(y, expit(intercept + z))
        )
    fit = sm.GLM(y, np.ones(len(y)), family=sm.families.Binomial(), offset=slope * z).fit(tol=1e-14)
    return float(fit.deviance)


def mean_probability(z: np.ndarray) -> np.ndarray:
    p = expit(z).mean(axis=0)
    return np.log(p / (1 - p))


@pytest.mark.parametrize("coverage", [0.95, 0.5])
def test_calibration_bands_end_where_statsmodels_deviance_rises_by_the_quantile(coverage: float) -> None:
    y = (generator(18, 0).random(114) < 0.4).astype(int)
    z = table(18, 4, y, 0.6)
    middle, limit = mean_probability(z), chi2.ppf(coverage, 1)
    shift = sm.GLM(y, np.ones(114), family=sm.families.Binomial(), offset=middle).fit(tol=1e-14)
    line = sm.Logit(y, sm.add_constant(middle)).fit(disp=0, tol=1e-14)
    bands = calibration_bands(z, y, coverage=coverage)
    assert bands.slope is not None
    assert bands.intercept.centre("ensemble") == pytest.approx(shift.params[0], abs=1e-8)
    assert bands.slope.centre("ensemble") == pytest.approx(line.params[1], abs=1e-8)
    for end in (bands.intercept.low, bands.intercept.high):
        assert deviance(y, middle, intercept=end) - shift.deviance == pytest.approx(limit, abs=1e-6)
    for end in (bands.slope.low, bands.slope.high):
        assert deviance(y, middle, slope=end) + 2 * line.llf == pytest.approx(limit, abs=1e-6)
    for band in bands:
        assert band is not None
        assert band.low < band.centre("ensemble") < band.high
        assert (band.coverage, band.n, band.varied) == (coverage, 114, "cases")


def test_the_interval_of_a_slope_with_few_errors_reaches_farther_up() -> None:
    y = labels(42, 72)
    z = 4.0 * (2 * y - 1) + generator(7, 0).normal(0, 2, (1, 114))
    band = calibration_bands(z, y).slope
    assert band is not None
    assert band.high - band.centre("ensemble") > 1.2 * (band.centre("ensemble") - band.low)


def test_the_ensemble_is_the_mean_probability_where_probabilities_are_0_and_1_too() -> None:
    z = np.array([[-2.0, 3.0, 800.0], [1.0, 2.0, 820.0]])
    assert ensemble(z)[:2] == pytest.approx(mean_probability(z[:, :2]))
    assert 800 < ensemble(z)[2] < 801  # 1 - p is half of exp(-800), as p nearly is one


def test_bands_of_clustered_cases_reach_as_far_as_statsmodels_clustered_errors_say() -> None:
    """Every case four times over: the deviance may rise by as much more as the variance is larger."""
    y, groups = np.repeat((generator(23, 0).random(60) < 0.4).astype(int), 4), np.repeat(np.arange(60), 4)
    z = np.repeat(table(23, 3, y[::4], 0.6), 4, axis=1)
    middle = mean_probability(z)
    design = np.column_stack([np.ones(240), middle])
    line = sm.Logit(y, design).fit(disp=0, tol=1e-14)
    theirs = (
        sm.GLM(y, design, family=sm.families.Binomial())
        .fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}, tol=1e-14)
        .cov_params()
    )
    assert clustered(design, design @ line.params, y, groups) == pytest.approx(theirs * 60 / 59, rel=1e-6)
    larger = theirs[1, 1] * 60 / 59 / line.cov_params()[1, 1]
    assert larger > 3
    limit = chi2.ppf(0.95, 1) * larger * (t.ppf(0.975, 59) / t.ppf(0.975, 239)) ** 2
    band = calibration_bands(z, y, groups).slope
    assert band is not None
    assert (band.n, band.groups) == (240, 60)
    for end in (band.low, band.high):
        assert deviance(y, middle, slope=end) + 2 * line.llf == pytest.approx(limit, abs=1e-5)


def test_the_curve_is_a_spline_of_statsmodels_where_cases_are_many() -> None:
    """Firth's correction fades with the number of cases; what is left is the regression on the spline."""
    draws = generator(24, 0)
    z = draws.normal(0, 2, (1, 20000))
    y = (draws.random(20000) < expit(0.3 + 0.6 * z[0])).astype(int)
    found = calibration_curve(z, y)
    assert found is not None
    expected = expit(0.3 + 0.6 * np.log(found.probability / (1 - found.probability)))
    assert np.abs(found.share - expected).max() < 0.02
    inside = (found.low <= expected) & (expected <= found.high)
    assert inside.mean() > 0.8
    knots = np.quantile(z[0], [0.1, 0.5, 0.9])

    def truncated(at: np.ndarray) -> np.ndarray:
        """Harrell's basis, written out."""
        a, b, c = knots
        cut = [np.where(at > knot, at - knot, 0.0) ** 3 for knot in knots]
        bend = cut[0] - cut[1] * (c - a) / (c - b) + cut[2] * (b - a) / (c - b)
        return np.column_stack([np.ones_like(at), at, bend])

    fit = sm.Logit(y, truncated(z[0])).fit(disp=0, tol=1e-14)
    at = truncated(np.log(found.probability / (1 - found.probability)))
    spread = np.sqrt(np.einsum("md,de,me->m", at, fit.cov_params(), at))
    assert found.share == pytest.approx(expit(at @ fit.params), abs=1e-3)
    assert found.low == pytest.approx(expit(at @ fit.params - 1.959964 * spread), abs=2e-3)
    assert found.high == pytest.approx(expit(at @ fit.params + 1.959964 * spread), abs=2e-3)


def test_the_curve_maximises_firths_likelihood() -> None:
    """Against a general minimiser, on classes that the logit separates: the plain fit would be infinite."""
    z = np.array([-4.0, -3, -2.5, -2, -1, 1, 1.5, 2, 3, 4, 5])
    y = (z > 0).astype(int)
    design = np.column_stack([np.ones(11), z])

    def loss(beta: np.ndarray) -> float:
        p = expit(design @ beta)
        information = (design.T * (p * (1 - p))) @ design
        return -float((y * np.log(p) + (1 - y) * np.log(1 - p)).sum() + np.linalg.slogdet(information)[1] / 2)

    best = minimize(loss, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x
    assert _firth(design, y) == pytest.approx(best, abs=1e-5)
    curve = calibration_curve(z[None], y)
    assert curve is not None
    assert np.isfinite(np.concatenate(curve[:4])).all()


def test_the_band_of_the_curve_of_a_calibrated_model_holds_the_diagonal() -> None:
    held = []
    for study in range(200):
        draws = generator(25, study)
        z = draws.normal(0, 2, (1, 200))
        curve = calibration_curve(z, (draws.random(200) < expit(z[0])).astype(int))
        assert curve is not None
        held.append(((curve.low <= curve.probability) & (curve.probability <= curve.high)).mean())
    assert abs(np.mean(held) - 0.95) < 3 * standard_error(np.array(held)) + 0.01


def test_a_curve_needs_three_different_knots() -> None:
    assert calibration_curve(np.zeros((2, 9)), np.arange(9) % 2) is None


def test_logits_that_separate_the_classes_have_no_finite_slope() -> None:
    y = np.array([0, 0, 0, 1, 1])
    apart, touching, mixed = [-2.0, -1, 0, 1, 2], [-2.0, -1, 0, 0, 2], [-2.0, 1, 0, 0.5, 2]
    slopes = calibration(np.array([apart, touching, np.negative(apart), mixed]), y).slope
    assert slopes[:3].tolist() == [np.inf, np.inf, -np.inf]
    assert np.isfinite(slopes[3])
    for row, separated in ((apart, True), (touching, True), (np.negative(apart), True), (mixed, False)):
        assert (calibration_bands(np.array([row]), y).slope is None) == separated
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
    assert calibration_bands(np.zeros((1, 8)), y).slope is None


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
