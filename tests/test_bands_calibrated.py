"""Calibration of many classes and of a number: fixtures, statsmodels, worlds that are calibrated."""

import numpy as np
import pytest
import statsmodels.api as sm
from samples import LOGITS, MANY_Y, NUMBER_Y, guesses
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import chi2, t

from handnet.bands import calibration as two_classes
from handnet.bands.calibrated import measure_bands, measures, null_errors
from handnet.bands.calibration_many import against_rest, inverse_temperature
from handnet.draws import generator
from handnet.tasks import task_of

MANY, NUMBER = task_of(3), task_of(0)


def test_many_classes_are_those_of_the_fixtures() -> None:
    found = measures(MANY, LOGITS[0], MANY_Y)
    assert found["slope"][0] == pytest.approx(0.526392368623, abs=1e-9)
    assert found["error"][0] == pytest.approx(0.277818402782, abs=1e-11)
    assert found["error_of_classes"][0] == pytest.approx(0.230556489888, abs=1e-11)
    ratios = [found[f"observed_expected_{label}"][0] for label in range(3)]
    assert ratios == pytest.approx([1.186614022173, 1.19830390838, 0.607715697718], abs=1e-11)


def test_a_class_against_the_rest_is_statsmodels() -> None:
    draws = generator(1, 0)
    y = draws.integers(0, 3, 150)
    z = np.eye(3)[y] + draws.normal(size=(2, 150, 3))
    found = measures(MANY, z, y)
    for label in range(3):
        p = softmax(z[1], axis=1)[:, label]
        logit = np.log(p / (1 - p))
        assert against_rest(z, label)[1] == pytest.approx(logit, abs=1e-12)
        fit = sm.Logit((y == label).astype(int), sm.add_constant(logit)).fit(disp=0, tol=1e-14)
        assert found[f"slope_{label}"][1] == pytest.approx(fit.params[1], abs=1e-9)
        family = sm.families.Binomial()
        shift = sm.GLM((y == label).astype(int), np.ones(150), family, offset=logit).fit(tol=1e-14)
        assert found[f"intercept_{label}"][1] == pytest.approx(shift.params[0], abs=1e-9)


def test_the_inverse_temperature_of_two_classes_is_a_regression_through_0() -> None:
    draws = generator(2, 0)
    y = draws.integers(0, 2, 90)
    z = np.eye(2)[y] + draws.normal(size=(90, 2))
    fit = sm.Logit(y, z[:, 1] - z[:, 0]).fit(disp=0, tol=1e-14)
    assert inverse_temperature(z, y) == pytest.approx(fit.params[0], abs=1e-9)


def test_logits_that_separate_the_classes_have_no_finite_slope() -> None:
    y = np.arange(9) % 3
    assert inverse_temperature(3 * np.eye(3)[y], y) == np.inf
    assert inverse_temperature(-3 * np.eye(3)[y], y) == -np.inf
    assert np.isnan(inverse_temperature(np.zeros((9, 3)), y))
    bands = measure_bands(MANY, np.array([3 * np.eye(3)[y]] * 2), y)
    assert "slope" not in bands
    assert "intercept_0" in bands


def test_the_band_of_the_common_slope_ends_where_the_likelihood_falls() -> None:
    band = measure_bands(MANY, LOGITS[0], MANY_Y)["slope"]
    z = logsumexp(log_softmax(LOGITS[0], axis=-1), axis=0) - np.log(4)

    def deviance(b: float) -> float:
        return -2 * float(log_softmax(b * z, axis=1)[np.arange(30), MANY_Y].sum())

    best = minimize_scalar(deviance, bracket=(0.1, 2), tol=1e-12)
    assert band.centre("ensemble") == pytest.approx(best.x, abs=1e-6)
    for end in (band.low, band.high):
        assert deviance(end) - best.fun == pytest.approx(chi2.ppf(0.95, 1), abs=1e-7)
    alone = measure_bands(MANY, LOGITS[0], MANY_Y, np.arange(30))["slope"]
    assert alone.low <= band.low + 1e-9
    assert alone.high >= band.high - 1e-9


def test_a_number_is_that_of_the_fixtures_and_of_statsmodels() -> None:
    found = measures(NUMBER, guesses(0), NUMBER_Y)
    assert found["intercept"][0] == pytest.approx(0.295523504444, abs=1e-11)
    assert found["slope"][0] == pytest.approx(0.929706363047, abs=1e-11)
    mean, groups = guesses(0).mean(axis=0), np.arange(24) // 3
    line = sm.OLS(NUMBER_Y, sm.add_constant(mean))
    bands, fit = measure_bands(NUMBER, guesses(0), NUMBER_Y), line.fit(cov_type="HC3", use_t=True)
    grouped = measure_bands(NUMBER, guesses(0), NUMBER_Y, groups)
    without = [sm.OLS(NUMBER_Y[groups != g], sm.add_constant(mean[groups != g])) for g in range(8)]
    moved = np.array([each.fit().params for each in without]) - fit.params
    for place, name in enumerate(("intercept", "slope")):
        assert (bands[name].low, bands[name].high) == pytest.approx(tuple(fit.conf_int()[place]), abs=1e-9)
        half = t.ppf(0.975, 7) * np.sqrt(7 / 8 * np.square(moved[:, place]).sum())
        assert grouped[name].high - grouped[name].low == pytest.approx(2 * half, abs=1e-9)
        assert grouped[name].groups == 8


def test_one_guess_for_all_has_no_line() -> None:
    assert measure_bands(NUMBER, np.ones((2, 24)), NUMBER_Y) == {}
    assert np.isnan(measures(NUMBER, np.ones((1, 24)), NUMBER_Y)["slope"][0])


def test_lines_of_labels_are_statsmodels_where_classes_hardly_overlap() -> None:
    draws = generator(8, 0)
    y = np.repeat([0, 1], 40)
    z = 6 * y + draws.normal(size=(6, 80))
    z[:, 0] = 5.5  # one case on the other side
    for row, found in zip(z, two_classes.lines(z, y), strict=True):
        fit = sm.Logit(y, sm.add_constant(row)).fit(disp=0, tol=1e-14, maxiter=200)
        assert found == pytest.approx(fit.params, abs=1e-6)


def world(draws: np.random.Generator, n: int, size: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits (1, n, k) and classes drawn with their own probabilities: of a group all the same."""
    z = 1.5 * draws.normal(size=(n // size, classes))
    y = (draws.random((n // size, 1)) >= np.cumsum(softmax(z, axis=1), axis=1)).sum(axis=1)
    return np.repeat(z, size, axis=0)[None], np.repeat(np.minimum(y, classes - 1), size)


def held_by(classes: int, n: int, size: int, studies: int) -> dict[str, float]:
    """The share of calibrated worlds in which each band holds what perfect calibration gives."""
    draws, task, hits = generator(n + size, 0), task_of(classes), dict[str, list[bool]]()
    for _ in range(studies):
        groups = np.repeat(np.arange(n // size), size) if size > 1 else None
        if classes:
            outputs, y = world(draws, n, size, classes)
            if len(np.unique(y)) < classes:
                continue
        else:
            outputs = np.repeat(draws.normal(size=(1, n // size)), size, axis=1)
            noise = np.repeat(draws.normal(size=n // size), size) + draws.normal(size=n)
            y = outputs[0] + noise * (0.5 + np.abs(outputs[0]))
        bands = measure_bands(task, outputs, y, groups)
        for name, band in bands.items():
            truth = 1.0 if name.startswith("slope") else 0.0
            hits.setdefault(name.split("_")[0] + ("_c" if "_" in name else ""), []).append(
                band.low <= truth <= band.high
            )
        if classes and groups is None:
            limits = {
                k: np.quantile(v, 0.95) for k, v in null_errors(task, outputs, draws.random((200, n))).items()
            }
            found = measures(task, outputs, y)
            for name, limit in limits.items():
                hits.setdefault(name, []).append(found[name][0] <= limit)
    return {name: float(np.mean(each)) for name, each in hits.items()}


@pytest.mark.parametrize(("classes", "n", "size"), [(3, 90, 1), (3, 90, 3), (0, 114, 1), (0, 114, 3)])
def test_bands_hold_in_calibrated_worlds(classes: int, n: int, size: int) -> None:
    for name, share in held_by(classes, n, size, 20 if classes else 400).items():
        assert share > (0.8 if classes else 0.91), name


@pytest.mark.long
@pytest.mark.parametrize(("classes", "n", "size"), [(3, 90, 1), (3, 114, 1), (3, 114, 3), (10, 300, 1)])
def test_bands_of_many_classes_hold_in_many_calibrated_worlds(classes: int, n: int, size: int) -> None:
    for name, share in held_by(classes, n, size, 600).items():
        assert share > (0.92 if size == 1 else 0.88), name


@pytest.mark.long
@pytest.mark.parametrize(("n", "size"), [(30, 1), (114, 1), (114, 3), (30, 3)])
def test_bands_of_a_number_hold_in_many_calibrated_worlds(n: int, size: int) -> None:
    for name, share in held_by(0, n, size, 4000).items():
        assert share > (0.92 if size == 1 else 0.88), name
