"""Two methods over seeds and cases, against SciPy, statsmodels and fixtures, and on equal methods."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import LOGITS, MANY_Y, table
from scipy.stats import ttest_ind, ttest_rel
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from handnet.bands.auc import auc_difference
from handnet.bands.compare import detectable_difference
from handnet.bands.crossed import Crossed, crossed_difference, needed, pseudo_values
from handnet.bands.equal_models import false_alarms
from handnet.bands.paired import mcnemar
from handnet.data import Array
from handnet.tasks import task_of


def losses(model: int) -> Array:
    return -pseudo_values(task_of(3), "log_loss", LOGITS[model], MANY_Y)


def drawn(
    rng: np.random.Generator, replicas: int, n: int, seeds: float, cases: float = 1.0, rest: float = 1.0
) -> Array:
    """Values (R, n) with normal parts of these deviations: of the seeds, the cases and the rest."""
    values = seeds * rng.normal(size=(replicas, 1)) + rest * rng.normal(size=(replicas, n))
    return np.asarray(values + cases * rng.normal(size=n))


def pair(rng: np.random.Generator, replicas: int, n: int, seeds: float) -> tuple[Array, Array]:
    """Two equal methods (R, n) on the same cases; the deviation of the seeds is in those of a mean of n."""
    common = 3 * rng.normal(size=n)
    ours, theirs = (common + drawn(rng, replicas, n, seeds / np.sqrt(n)) for _ in range(2))
    return ours, theirs


# Pseudo-values


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_the_mean_over_cases_is_the_score_of_each_seed(classes: int) -> None:
    rng, task = np.random.default_rng(classes), task_of(classes)
    y = np.arange(40) % classes if classes else rng.normal(size=40)
    outputs = rng.normal(size=(3, 40, classes) if classes > 2 else (3, 40))
    for name, score in task.every.items():
        if name in ("bias", "median_absolute_error"):
            with pytest.raises(ValueError, match=f"{name} of two methods cannot be compared"):
                pseudo_values(task, name, outputs, y)
            continue
        means = pseudo_values(task, name, outputs, y).mean(axis=1)
        of, sign = score.of(outputs, y), 1 if score.higher else -1
        expected = sign * (np.log(of) if name in ("rmse", "mae", "mse") else of)
        np.testing.assert_allclose(means, expected, atol=1e-12)


@pytest.mark.parametrize(("classes", "name"), [(2, "sensitivity"), (3, "macro_f1"), (0, "rmse"), (0, "mae")])
def test_a_case_moves_the_score_by_its_pseudo_value(classes: int, name: str) -> None:
    """Leaving a case out changes the score by minus its influence over n - 1, to first order."""
    rng, task, n = np.random.default_rng(3), task_of(classes), 400
    y = np.arange(n) % classes if classes else rng.normal(size=n)
    outputs = rng.normal(size=(1, n, classes) if classes > 2 else (1, n))
    outputs = outputs + (np.eye(classes)[y] if classes > 2 else y)
    values, scale = pseudo_values(task, name, outputs, y)[0], task.scale(name)
    for case in range(0, n, 40):
        kept = np.arange(n) != case
        left = float(scale.values(task.every[name].of(outputs[:, kept], y[kept]))[0])
        assert (n - 1) * (values.mean() - left) == pytest.approx(values[case] - values.mean(), abs=0.05)


def test_the_variance_of_an_area_is_delongs() -> None:
    y = (np.arange(300) % 3 == 0).astype(int)
    ours, theirs = table(1, 1, y), table(2, 1, y, lean=0.7)
    values = [pseudo_values(task_of(2), "auc", z, y) for z in (ours, theirs)]
    found, expected = crossed_difference(values[0], values[1], True), auc_difference(ours, theirs, y)
    assert found.comparison.band.centre("mean") == pytest.approx(expected.band.centre("mean"), abs=1e-12)
    assert found.error == pytest.approx(expected.error(), rel=0.01)


def test_a_perfect_loss_has_no_logarithm() -> None:
    with pytest.raises(ValueError, match="rmse is 0 for some seed"):
        pseudo_values(task_of(0), "rmse", np.array([[1.0, 2.0]]), np.array([1.0, 2.0]))


# The error


def test_the_mean_squares_and_the_error_are_those_of_the_fixtures() -> None:
    found = crossed_difference(losses(0), np.zeros((1, 30)), paired=False).squares
    squares = [found.cases.value, found.seeds[0].value, found.rest[0].value]
    assert np.multiply(squares, 120) == pytest.approx(
        [2.166027649229, 0.009123123177, 0.40863238084], abs=1e-11
    )
    assert np.sqrt(squares[0] + squares[1] - squares[2]) == pytest.approx(0.121330072927, abs=1e-12)


def test_the_mean_squares_are_those_of_statsmodels() -> None:
    values = drawn(np.random.default_rng(4), 6, 15, 1.0)
    seed, case = np.indices(values.shape)
    frame = pd.DataFrame({"v": values.ravel(), "seed": seed.ravel(), "case": case.ravel()})
    squares = anova_lm(ols("v ~ C(case) + C(seed)", frame).fit())["mean_sq"] / values.size
    found = crossed_difference(values, np.zeros_like(values), paired=True)
    assert found.squares.cases.value == pytest.approx(squares["C(case)"])
    assert found.squares.seeds[0] == pytest.approx((squares["C(seed)"], 5))
    assert found.squares.rest[0] == pytest.approx((squares["Residual"], 70))
    total = squares["C(case)"] + squares["C(seed)"] - squares["Residual"]
    assert sum(found.variances) == pytest.approx(total)


def test_the_clustered_error_is_that_of_the_fixtures() -> None:
    groups = np.arange(30) // 3
    found = crossed_difference(losses(0), losses(1), paired=True, groups=groups)
    assert found.comparison.band.centre("mean") == pytest.approx(-0.026440607113, abs=1e-12)
    assert np.sqrt(found.squares.cases.value * 9 / 10) == pytest.approx(0.020965417344, abs=1e-12)


def test_one_seed_each_is_the_paired_t_test_over_cases() -> None:
    ours, theirs = np.random.default_rng(1).uniform(size=(2, 1, 30))
    found, expected = crossed_difference(ours, theirs, True), ttest_rel(ours[0], theirs[0])
    assert found.comparison.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (found.comparison.band.low, found.comparison.band.high) == pytest.approx(tuple(interval))
    assert (found.comparison.band.varied, found.comparison.band.seeds) == ("cases", 0)


@pytest.mark.parametrize("paired", [True, False])
def test_many_seeds_that_are_alike_are_the_paired_t_test_too(paired: bool) -> None:
    ours, theirs = np.random.default_rng(1).uniform(size=(2, 1, 30))
    found = crossed_difference(ours.repeat(20, axis=0), theirs.repeat(20, axis=0), paired)
    assert found.comparison.p == pytest.approx(ttest_rel(ours[0], theirs[0]).pvalue)
    assert found.comparison.band.varied == "seeds_x_cases"


def test_seeds_that_differ_far_more_than_cases_are_students_test_over_seeds() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = (drawn(rng, 6, 50, seeds=1000) for _ in range(2))
    means = ours.mean(axis=1), theirs.mean(axis=1)
    pairs, sides = (crossed_difference(ours, theirs, paired) for paired in (True, False))
    assert pairs.comparison.p == pytest.approx(ttest_rel(*means).pvalue, rel=1e-3)
    assert sides.comparison.p == pytest.approx(ttest_ind(*means, equal_var=False).pvalue, rel=1e-3)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    replicas=st.sampled_from([1, 2, 3, 7]),
    paired=st.booleans(),
    grouped=st.booleans(),
    shift=st.floats(-5, 5),
)
def test_order_and_sides_do_not_matter_and_a_shift_is_a_shift(
    seed: int, replicas: int, paired: bool, grouped: bool, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = pair(rng, replicas, 24, 1.0)
    groups = np.arange(24) // 2 if grouped else None

    def ends(a: Array, b: Array, of: Array | None = groups, sign: float = 1, by: float = 0.0) -> list[float]:
        found = crossed_difference(a, b, paired, of)
        band = found.comparison.band
        return [*sorted((sign * band.low - by, sign * band.high - by)), found.error, found.degrees]

    expected = pytest.approx(ends(ours, theirs))
    assert ends(theirs, ours, sign=-1) == expected
    assert ends(ours + shift, theirs, by=shift) == expected
    cases, seeds = rng.permutation(24), rng.permutation(replicas)
    moved = None if groups is None else groups[cases]
    assert ends(ours[seeds][:, cases], theirs[seeds][:, cases], of=moved) == expected
    band = crossed_difference(ours, theirs, paired, groups).comparison
    assert (band.p < 0.05) == (band.band.low > 0 or band.band.high < 0)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), replicas=st.integers(2, 8), spread=st.floats(0, 4))
def test_p_is_never_below_that_of_the_seeds_alone(seed: int, replicas: int, spread: float) -> None:
    ours, theirs = pair(np.random.default_rng(seed), replicas, 20, spread)
    means = ours.mean(axis=1), theirs.mean(axis=1)
    welch = ttest_ind(*means, equal_var=False).pvalue
    assert crossed_difference(ours, theirs, paired=False).comparison.p >= welch * (1 - 1e-9)
    expected = ttest_rel(*means).pvalue if replicas >= 5 else welch
    assert crossed_difference(ours, theirs, paired=True).comparison.p >= expected * (1 - 1e-9)


def test_pairs_and_cases_must_match() -> None:
    for theirs in (np.zeros((3, 9)), np.zeros((2, 8))):
        with pytest.raises(ValueError, match="same cases and pairs"):
            crossed_difference(np.zeros((2, 9)), theirs, paired=True)


# Few cases that differ


@pytest.mark.parametrize(
    ("b", "c"), [(3, 0), (3, 1), (4, 0), (5, 1), (6, 0), (6, 1), (9, 1), (9, 2), (12, 3)]
)
def test_few_calls_that_differ_decide_as_mcnemars_exact_test_does(b: int, c: int) -> None:
    ours, theirs = (np.repeat([one, not one, True], [b, c, 114 - b - c]) for one in (True, False))
    exact, found = mcnemar(ours, theirs).p, crossed_difference(1.0 * ours[None], 1.0 * theirs[None], True)
    assert (found.comparison.p < 0.05) == (exact < 0.05) or 0.03 < exact < 0.07


@pytest.mark.parametrize("replicas", [1, 3, 20])
def test_no_difference_at_all_is_no_certainty(replicas: int) -> None:
    rng = np.random.default_rng(5)
    for values in (np.ones((replicas, 50)), rng.normal(size=(replicas, 50))):
        found = crossed_difference(values, values, paired=True)
        assert (found.comparison.p, found.comparison.band.centre("mean")) == (1, 0)
        assert found.comparison.band.high > 1.96**2 / 54 * np.ptp(values)  # as if 4 in 54 cases could differ
        assert detectable_difference(found.error, found.degrees) is None or replicas == 3


def test_the_same_difference_of_all_cases_is_no_certainty() -> None:
    found = crossed_difference(np.ones((4, 30)), np.zeros((4, 30)), paired=True, widest=1.0).comparison
    assert found.p == 2.0**-29  # of the sign test
    assert (found.band.low, found.band.high) == (pytest.approx(1 - 1.95996**2 / (30 + 1.95996**2)), 1.0)


@pytest.mark.parametrize("cases", [3, 5, 6, 20, 400])
@pytest.mark.parametrize("by", [0.01, 0.1, 0.5, 0.9])
def test_where_all_cases_are_alike_p_power_and_what_is_needed_are_those_of_the_band(
    cases: int, by: float
) -> None:
    """So it is where one of two models has an error that is larger by the same share in every case."""
    values = np.linspace(0, 1, cases)[None].repeat(3, axis=0)
    found = crossed_difference(values + by, values, paired=True)
    band = found.comparison.band
    half = (band.high - band.low) / 2
    assert (found.comparison.p < 0.05) == (band.low > 1e-9)
    seen = found.detectable()
    assert seen is not None
    assert seen >= half
    many = needed(found, by)
    assert many.seeds in (None, 2)
    assert (many.seeds == 2) == (seen <= by)
    if many.cases:
        shown = np.linspace(0, 1, many.cases)[None].repeat(3, axis=0)
        assert crossed_difference(shown + by, shown, paired=True).comparison.p < 0.05


def test_a_side_of_one_row_is_this_very_model() -> None:
    ours, theirs = pair(np.random.default_rng(3), 4, 30, 1.0)
    for a, b, told in ((ours, theirs[:1], True), (ours[:1], theirs, True), (ours, theirs, False)):
        band = crossed_difference(a, b, paired=False).comparison.band
        assert ("this very model" in band.estimand) == told
        alarms = false_alarms(
            task_of(0), theirs[0], 0.0, len(a), "rmse", studies=2, paired=False, theirs=len(b)
        )
        assert ("one fixed model" in alarms.setting) == told


# How many would be needed


def test_what_is_needed_has_the_error_that_finds_it() -> None:
    """With R = 400 seeds and n = 3000 cases the parts are known, and with them what is needed."""
    rng = np.random.default_rng(6)
    ours = drawn(rng, 400, 3000, seeds=0.5, cases=2.0, rest=3.0)
    found = crossed_difference(ours, np.zeros((1, 3000)), paired=False)
    difference, factor = 0.2, (1.96 + 0.8416) ** 2
    cases, seeds = needed(found, difference)
    assert cases == pytest.approx((4 + 9 / 400) / (difference**2 / factor - 0.25 / 400), rel=0.1)
    assert seeds == pytest.approx((0.25 + 9 / 3000) / (difference**2 / factor - 4 / 3000), rel=0.1)
    assert needed(found, -difference) == (cases, seeds)
    assert needed(found, 0.06).cases is None  # the seeds alone make an error of .025, times 2.8
    assert needed(found, 0.09).seeds is None  # the cases alone one of .037
    assert needed(crossed_difference(ours[:1], ours[1:2], paired=True), difference).seeds is None


# Two equal methods


@pytest.mark.parametrize(("classes", "score"), [(2, "accuracy"), (3, "macro_f1"), (0, "rmse")])
def test_two_equal_methods_are_told_apart_no_more_often_than_they_should(classes: int, score: str) -> None:
    task = task_of(classes)
    y = np.arange(60) % classes if classes else np.linspace(0, 1, 60)
    found = false_alarms(task, y, 0.8, 3, score)
    assert (found.studies, found.setting) == (300, "two equal methods, 3 seeds x 60 cases")
    assert found.found < 0.05 + 3 * found.error
    assert found == false_alarms(task, y, 0.8, 3, score)


def test_a_model_without_a_seed_is_simulated_as_one() -> None:
    found = false_alarms(task_of(2), np.arange(60) % 2, 0.8, 4, "log_loss", paired=False, theirs=1)
    assert found.setting == (
        "one fixed model and a method that is equally good on average, 4 seeds x 60 cases"
    )
    assert found.found < 0.05 + 3 * found.error


def test_fewer_cases_are_drawn_of_many_and_no_class_is_lost() -> None:
    y = np.repeat([0, 1], [19_995, 5])
    for groups in (None, np.arange(20_000) // 4):
        found = false_alarms(task_of(2), y, 0.8, 20, "sensitivity", groups, studies=3)
        assert found.setting.endswith("20 seeds x 2000 cases")
        assert np.isfinite(found.found)


def found_in(
    replicas: int, n: int, seeds: float, planted: float = 0.0, studies: int = 2000, paired: bool = True
) -> tuple[float, float, list[Crossed]]:
    """The share of studies with p < .05, that of the paired t over cases of the means over seeds, and all."""
    rng, all_of, alone = np.random.default_rng(replicas + n), [], 0
    for _ in range(studies):
        ours, theirs = pair(rng, replicas, n, seeds)
        ours = ours + planted
        all_of.append(crossed_difference(ours, theirs, paired))
        means = ours.mean(axis=0, keepdims=True), theirs.mean(axis=0, keepdims=True)
        alone += crossed_difference(*means, paired=True).comparison.p < 0.05
    return float(np.mean([one.comparison.p < 0.05 for one in all_of])), alone / studies, all_of


def test_without_the_part_of_the_seeds_false_alarms_are_many() -> None:
    crossed, cases_alone, _ = found_in(5, 60, seeds=4.0, studies=400)
    assert crossed < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert cases_alone > 0.2


@pytest.mark.long
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("replicas", [2, 5, 20])
@pytest.mark.parametrize("seeds", [0.0, 4.0])
def test_false_alarms_are_at_most_6_in_100(replicas: int, seeds: float, paired: bool) -> None:
    crossed, cases_alone, _ = found_in(replicas, 114, seeds, paired=paired)
    assert crossed < 0.06 + 2 * np.sqrt(0.06 * 0.94 / 2000)
    assert seeds < 4 or cases_alone > 0.1


@pytest.mark.long
@pytest.mark.parametrize(("classes", "score"), [(2, "accuracy"), (2, "auc"), (3, "macro_f1"), (0, "rmse")])
@pytest.mark.parametrize("grouped", [False, True])
def test_false_alarms_of_scores_are_2_to_6_in_100(classes: int, score: str, grouped: bool) -> None:
    task = task_of(classes)
    y = np.arange(300) % classes if classes else np.zeros(300)
    groups = np.arange(300) // 3 if grouped else None
    y = np.sort(y)  # the cases of a group are of one class
    found = false_alarms(task, y, 0.8, 5, score, groups, studies=1000)
    assert 0.02 - 2 * found.error < found.found < 0.06 + 2 * found.error


@pytest.mark.long
@pytest.mark.parametrize(("replicas", "n", "seeds"), [(5, 114, 1.0), (20, 114, 4.0), (20, 500, 0.0)])
def test_a_difference_that_is_said_to_be_seen_is_seen(replicas: int, n: int, seeds: float) -> None:
    *_, studies = found_in(replicas, n, seeds, studies=500)
    said = [detectable_difference(one.error, one.degrees) for one in studies]
    planted = float(np.mean([one for one in said if one is not None]))
    crossed, *_ = found_in(replicas, n, seeds, planted, studies=1000)
    assert crossed == pytest.approx(0.8, abs=0.05)


@pytest.mark.long
@pytest.mark.parametrize(
    ("replicas", "n", "seeds", "by_cases", "by_seeds"), [(8, 60, 1.0, 0.35, 0.56), (10, 50, 2.0, 0.5, 0.62)]
)
def test_as_many_as_are_said_to_be_needed_find_a_difference(
    replicas: int, n: int, seeds: float, by_cases: float, by_seeds: float
) -> None:
    *_, studies = found_in(replicas, n, seeds, studies=300)
    wanted = (
        [needed(one, by_cases).cases for one in studies],
        [needed(one, by_seeds).seeds for one in studies],
    )
    cases, more = (round(float(np.median([one or 10**9 for one in some]))) for some in wanted)
    assert cases > n
    assert more > replicas
    found, *_ = found_in(replicas, cases, seeds * np.sqrt(cases / n), by_cases, studies=1000)
    assert found == pytest.approx(0.8, abs=0.06)
    found, *_ = found_in(more, n, seeds, by_seeds, studies=1000)
    assert found == pytest.approx(0.8, abs=0.06)
