"""Comparisons of two models, against scikit-learn, baycomp, SciPy and statsmodels."""

import baycomp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import SPLIT
from scipy.stats import mannwhitneyu, nct, norm, t, ttest_1samp
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from handnet.bands import wilson
from handnet.bands.compare import (
    detectable_difference,
    holm,
    nadeau_bengio,
    nadeau_bengio_p,
    paired_wins,
    probability_better,
    rope,
)
from handnet.draws import bootstrap_counts, generator


@pytest.fixture(scope="module")
def moons() -> tuple[np.ndarray, np.ndarray]:
    """Scores of two classifiers in scikit-learn's example "Statistical comparison of models using grid
    search"."""
    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    return tuple(
        cross_val_score(SVC(kernel=kernel), X, y, cv=folds, scoring="roc_auc") for kernel in ("rbf", "linear")
    )


def test_nadeau_and_bengios_interval_on_scikit_learns_example(moons: tuple[np.ndarray, np.ndarray]) -> None:
    ours, theirs = moons
    found = nadeau_bengio(ours - theirs, 1 / 9)
    assert found.p / 2 == pytest.approx(0.227, abs=5e-4)
    half = (found.band.high - found.band.low) / 2
    assert found.band.centre("mean") / half * t.ppf(0.975, 99) == pytest.approx(0.750, abs=5e-4)
    worse, better = baycomp.two_on_single(theirs, ours, runs=10)
    assert found.p / 2 == pytest.approx(worse, abs=1e-12)
    assert better == pytest.approx(1 - worse, abs=1e-12)


def test_the_rope_on_scikit_learns_example(moons: tuple[np.ndarray, np.ndarray]) -> None:
    ours, theirs = moons
    found = rope(ours - theirs, 1 / 9, 0.01)
    assert found == pytest.approx((0.068318, 0.431682, 0.5), abs=5e-7)
    assert found == pytest.approx(baycomp.two_on_single(theirs, ours, rope=0.01, runs=10), abs=1e-12)
    assert rope(theirs - ours, 1 / 9, 0.01) == pytest.approx(found[::-1], abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "runs", "degrees"), [([4, 2, 6], [5, 7, 3], 1, 2), ([4, 2, 6, 4], [5, 7, 3, 5], 2, 3)]
)
def test_baycomps_own_fixtures(x: list[int], y: list[int], runs: int, degrees: int) -> None:
    d, folds = np.subtract(y, x), len(x) // runs
    found = nadeau_bengio(d, 1 / (folds - 1))
    half = t.ppf(0.975, degrees) * np.sqrt(40 / 3)
    assert (found.band.low, found.band.high) == pytest.approx((1 - half, 1 + half), abs=1e-12)
    assert found.band.n == degrees + 1
    assert rope(d, 1 / (folds - 1), 2) == pytest.approx(
        baycomp.two_on_single(np.array(x), np.array(y), rope=2, runs=runs), abs=1e-12
    )


def test_the_correction_counts_divisions_and_not_cases() -> None:
    """5 folds twice over 60 cases: 1 / J is 1/10, n_test / n_train is 12/48."""
    draws = generator(6, 0)
    x, y = draws.normal(0.90, 0.03, 10), draws.normal(0.92, 0.03, 10)
    for width in (0.005, 0.02):
        found = baycomp.two_on_single(x, y, rope=width, runs=2)
        assert rope(y - x, 12 / 48, width) == pytest.approx(found, abs=1e-12)
    assert nadeau_bengio(y - x, 12 / 48).p == pytest.approx(
        2 * min(baycomp.two_on_single(x, y, runs=2)), abs=1e-12
    )


def test_a_ratio_that_is_no_fold_count_goes_in_as_it_is() -> None:
    d = generator(7, 0).normal(0.01, 0.02, 29)
    mean, error = d.mean(), np.sqrt((1 / 29 + SPLIT) * d.var(ddof=1))
    for coverage in (0.95, 0.8):
        found = nadeau_bengio(d, SPLIT, coverage)
        assert (found.band.low, found.band.high) == pytest.approx(
            t.interval(coverage, 28, mean, error), abs=1e-12
        )
        assert found.p == pytest.approx(2 * t.sf(abs(mean) / error, 28), abs=1e-12)
        assert (found.band.varied, found.band.n, found.band.coverage) == ("splits", 29, coverage)
    chances = t.cdf([-0.01, 0.01], 28, mean, error)
    assert rope(d, SPLIT, 0.01) == pytest.approx(
        (chances[0], chances[1] - chances[0], 1 - chances[1]), abs=1e-12
    )


def test_without_overlap_the_correction_is_the_t_test() -> None:
    rows = generator(8, 0).normal(0.3, 1, (50, 12))
    assert nadeau_bengio_p(rows, 0.0) == pytest.approx(ttest_1samp(rows, 0, axis=1).pvalue, abs=1e-12)
    assert nadeau_bengio_p(np.array([[0.5, 0.5, 0.5], [0, 0, 0]]), SPLIT).tolist() == [0, 1]


def test_comparisons_refuse_what_they_cannot_compare() -> None:
    for bad in ([0.1], [], [0.1, np.nan], [0.1, np.inf], [[0.1, 0.2]]):
        for rule in (
            lambda d: nadeau_bengio(d, SPLIT),
            lambda d: rope(d, SPLIT, 0.01),
            lambda d: probability_better(d, np.ones((3, 2))),
        ):
            with pytest.raises(ValueError, match="needs at least 2 finite values in a row"):
                rule(np.array(bad))


@given(seed=st.integers(0, 10_000), n=st.integers(1, 12), levels=st.integers(1, 6))
def test_wins_are_counted_one_by_one(seed: int, n: int, levels: int) -> None:
    ours, theirs = generator(seed, 0).integers(0, levels, (2, 3, n)).astype(float)
    for row, a, b in zip(paired_wins(ours, theirs), ours, theirs, strict=True):
        wins = sum(1.0 if x > z else 0.5 if x == z else 0.0 for x, z in zip(a, b, strict=True))
        assert row == pytest.approx(wins / n, abs=1e-12)


def all_pairs(x: np.ndarray, y: np.ndarray) -> float:
    return float(paired_wins(np.repeat(x, len(y)), np.tile(y, len(x))))


def test_wins_over_all_pairs_are_mann_and_whitneys_and_rliables() -> None:
    for seed in range(20):
        x, y = generator(seed, 0).integers(0, 5, 9), generator(seed, 1).integers(1, 6, 7)
        assert all_pairs(x, y) == pytest.approx(mannwhitneyu(x, y).statistic / 63, abs=1e-12)
    x, y = np.array([[1, 2], [2, 2], [1, 1], [2, 1]]), np.array([[1, 1], [2, 2], [3, 3]])
    assert np.mean([all_pairs(x[:, task], y[:, task]) for task in range(2)]) == pytest.approx(
        1 / 3, abs=1e-12
    )


def test_the_chance_to_win_is_bootstrapped_over_splits() -> None:
    """Wins of one or nothing scatter more than Wilson allows for, so the bootstrap stands alone or nearly."""
    wins, counts = np.repeat([1.0, 0.0, 0.5], [6, 6, 3]), bootstrap_counts(generator(9, 1), 15, 300)
    found = probability_better(wins, counts, coverage=0.9)
    means = [np.repeat(wins, row).mean() for row in counts]
    low, high = np.quantile(means, [0.05, 0.95])
    least = wilson(wins.mean() * 15, 15, 0.9)
    wide = high - low >= least.high - least.low
    expected = (low, high) if wide else (min(low, least.low), max(high, least.high))
    assert (found.band.low, found.band.high) == pytest.approx(expected, abs=1e-12)
    assert found.band.centre("share") == pytest.approx(wins.mean())


def test_a_win_in_every_split_is_no_certainty() -> None:
    found = probability_better(np.ones(29), bootstrap_counts(generator(9, 2), 29, 100)).band
    assert found.low == pytest.approx(wilson(29, 29).low, abs=1e-12)
    assert found.high == 1


def test_a_chance_to_win_is_read_as_bouthillier_reads_it() -> None:
    counts = bootstrap_counts(generator(10, 0), 20, 500)
    for wins, gamma, verdict in [
        (np.ones(20), 0.75, (True, True)),
        (np.repeat([1, 0], [15, 5]), 0.95, (True, False)),
        (np.repeat([1, 0], [15, 5]), 0.75, (True, True)),
        (np.repeat([1, 0], 10), 0.55, (False, False)),
        (np.zeros(20), 0.75, (True, True)),  # the other one is better, and by much
        (np.full(20, 0.5), 0.6, (False, False)),
    ]:
        found = probability_better(wins, counts, gamma=gamma)
        assert (found.significant, found.meaningful) == verdict


@pytest.mark.parametrize("count", [1, 2, 8, 30])
def test_holm_is_statsmodels(count: int) -> None:
    p = np.round(np.random.default_rng(count).uniform(size=count) ** 3, 2)  # some alike
    assert holm(p.tolist()) == pytest.approx(multipletests(p, method="holm")[1].tolist(), abs=1e-12)


def test_holm_by_hand() -> None:
    assert holm([0.92, 0.57, 0.019]) == pytest.approx([1, 1, 0.057])
    assert holm([]) == []


@pytest.mark.parametrize("splits", [5, 10, 29, 100])
def test_the_smallest_difference_seen_is_seen_in_80_of_100_tables(splits: int) -> None:
    """Against the noncentral t, and against statsmodels' power of a t test."""
    d = np.random.default_rng(splits).normal(size=splits)
    found = detectable_difference(nadeau_bengio(d, SPLIT).error(splits - 1), splits - 1)
    error = np.sqrt((1 / splits + SPLIT) * d.var(ddof=1))
    reach = t.ppf(0.975, splits - 1)
    assert nct.sf(reach, splits - 1, found / error) == pytest.approx(0.8, abs=0.03 if splits < 10 else 0.015)
    effect = TTestPower().solve_power(nobs=splits, alpha=0.05, power=0.8)
    alone = detectable_difference(nadeau_bengio(d, 0.0).error(splits - 1), splits - 1)
    assert alone / d.std(ddof=1) == pytest.approx(effect, rel=0.08 if splits < 10 else 0.03)


@pytest.mark.parametrize("both", [False, True])
def test_holm_sees_the_smallest_difference_in_80_of_100_tables(both: bool) -> None:
    """29 divisions correlated by n_test / n, two rivals that resemble each other, one of them or both truly
    worse by what a table like these prints."""
    draws, tables, splits, shared = np.random.default_rng(29), 5000, 29, 114 / 569

    def effects(*shape: int) -> np.ndarray:  # (tables, 2 rivals, ...), rivals correlated by .5
        common, own = draws.normal(size=(tables, 1, *shape)), draws.normal(size=(tables, 2, *shape))
        return np.sqrt(0.5) * (common + own)

    noise = np.sqrt(shared) * effects(1) + np.sqrt(1 - shared) * effects(splits)
    ratio = shared / (1 - shared)
    errors = [nadeau_bengio(d, ratio).error(splits - 1) for d in noise[:300, 0]]

    def power(level: float) -> float:
        printed = detectable_difference(float(np.mean(errors)), splits - 1, level)
        worse = np.array([printed, printed if both else 0.0])[:, None]
        p = nadeau_bengio_p(noise + worse, ratio)
        return float(np.mean([holm(pair.tolist())[0] < 0.05 for pair in p]))

    assert 0.8 - 3 * np.sqrt(0.8 * 0.2 / tables) < power(0.05 / 2) < 0.88
    assert both or power(0.05) < 0.77  # as if nothing were adjusted


def test_no_smallest_difference_is_given_where_none_could_be_seen() -> None:
    for alike in (0.02, 2 / 114, 1.1 / 114):  # in floats some of these have a spread
        assert detectable_difference(nadeau_bengio(np.full(29, alike), SPLIT).error(28), 28) is None
    wide = nadeau_bengio(np.array([0.3, -0.3]), SPLIT).error(1)
    assert detectable_difference(wide, 1, most=1.0) is None
    assert detectable_difference(wide, 1) == pytest.approx(wide * (t.ppf(0.975, 1) + t.ppf(0.8, 1)))
    assert detectable_difference(0.1, most=1.0) == pytest.approx(0.1 * (norm.ppf(0.975) + norm.ppf(0.8)))


def test_without_spread_the_posterior_is_a_point() -> None:
    assert rope(np.full(5, 0.25), 0.1, 0.01) == (0, 0, 1)
    assert rope(np.full(5, -0.25), 0.1, 0.01) == (1, 0, 0)
    assert rope(np.zeros(5), 0.1, 0) == (0, 1, 0)
    nothing = [rope(row, 0.1, 0).equal for row in generator(12, 0).normal(size=(100, 5))]
    assert not np.signbit(nothing).any()
