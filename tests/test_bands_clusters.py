"""Cases that come in groups: formulas written out, other people's, and simulated worlds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from samples import TWO, labels, table
from scipy.special import logit
from scipy.stats import t

from handnet.bands.auc import auc_difference, delong
from handnet.bands.cases import case_bands
from handnet.bands.clusters import effective_number, mean_variance
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.bands.paired import mcnemar, paired_difference
from handnet.bands.simulated import CaseSimulator
from handnet.data import Array
from handnet.draws import resamples


def test_a_clustered_error_is_millers_and_statsmodels() -> None:
    """The paired difference in log loss of two models by formula; 20.965 and 22.099 thousandths are worked
    out elsewhere."""
    i, classes = np.arange(30), np.arange(3)
    y = (7 * i + i // 5) % 3

    def losses(seed: int, model: int) -> Array:
        angle = 1.3 * i[:, None] + 2.1 * classes + 0.7 * seed + 0.4 * model
        logits = 2 * np.sin(angle) + 1.5 * (classes == y[:, None])
        return np.asarray(np.log(np.exp(logits).sum(axis=1)) - logits[i, y])

    difference = np.mean([losses(seed, 0) - losses(seed, 1) for seed in range(4)], axis=0)
    assert difference.mean() == pytest.approx(-0.026440607113, abs=1e-12)
    assert np.sqrt(mean_variance(difference[None])) == pytest.approx(0.046419675823, abs=1e-12)
    clustered = np.sqrt(mean_variance(difference[None], i // 3))
    assert clustered == pytest.approx(0.022099490301, abs=1e-12)
    assert clustered * np.sqrt(9 / 10) == pytest.approx(0.020965417344, abs=1e-12)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), replicas=st.integers(1, 3))
def test_groups_of_one_case_each_change_nothing(seed: int, replicas: int) -> None:
    y, draws = labels(12, 18), np.random.default_rng(seed)
    ours, theirs, alone = table(seed, replicas, y), table(seed + 1, replicas, y), draws.permutation(30)
    right_a, right_b = ((z > 0) == (y == 1) for z in (ours, theirs))
    pairs = [
        *zip(
            case_bands(TWO.scores, ours, y).values(),
            case_bands(TWO.scores, ours, y, alone).values(),
            strict=True,
        ),
        (auc_difference(ours, theirs, y).band, auc_difference(ours, theirs, y, alone).band),
        (paired_difference(right_a, right_b), paired_difference(right_a, right_b, alone)),
    ]
    for plain, grouped in pairs:
        assert (grouped.low, grouped.high) == pytest.approx((plain.low, plain.high), abs=1e-12)
        assert (plain.groups, grouped.groups) in ((0, 30), (0, 12), (0, 18))
    expected = auc_difference(ours, theirs, y).p
    assert auc_difference(ours, theirs, y, alone).p == pytest.approx(expected, abs=1e-12)
    plain, grouped = (mcnemar(right_a[0], right_b[0], which) for which in (None, alone))
    assert grouped == pytest.approx(plain, abs=1e-12)
    same = resamples(seed, replicas, y, 20), resamples(seed, replicas, y, 20, np.arange(30))
    assert all(np.array_equal(a, b) for a, b in zip(*same, strict=True))


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), times=st.integers(2, 4))
def test_cases_written_out_several_times_tell_no_more(seed: int, times: int) -> None:
    """Each case copied is a group of equal cases, so the bands of losses are those of the cases alone; those
    of shares and areas are wider by what normal quantiles leave out where the groups are few."""
    y = labels(12, 18)
    z = table(seed, 2, y)
    copies, groups = np.repeat(z, times, axis=1), np.repeat(np.arange(30), times)
    alone, grouped = case_bands(TWO.scores, z, y), case_bands(TWO.scores, copies, np.repeat(y, times), groups)
    for name in ("log_loss", "brier", "skill"):
        ends = alone[name].low, alone[name].high
        assert (grouped[name].low, grouped[name].high) == pytest.approx(ends, abs=1e-9), name
        assert grouped[name].groups == 30
    assume((z > 0).any() and (z <= 0).any())
    quantiles = t.ppf(0.975, 30 * times - 1) / t.ppf(0.975, 29)
    number = effective_number(copies > 0, groups)
    assert number == pytest.approx(quantiles**2 * 29 * (30 * times) / (30 * times - 1), rel=1e-9)
    reach = [logit(band.high) - logit(band.low) for band in (grouped["auc"], alone["auc"])]
    quantiles = t.ppf(0.975, 11) / t.ppf(0.975, 12 * times - 1)
    if alone["auc"].kind == "logit-delong":
        assert reach[0] / reach[1] == pytest.approx(quantiles, rel=1e-9)


def test_a_groups_share_without_an_error_counts_each_group_once() -> None:
    right, groups = np.ones((2, 60), dtype=bool), np.arange(60) // 4
    assert effective_number(right, groups) == 15
    right[:, [0, 5, 17]] = False  # errors in three groups
    assert effective_number(right, groups) == 15
    alternating = np.arange(60)[None] % 2 == 0  # every group as good as every other: no design effect
    assert effective_number(alternating, groups) == pytest.approx(
        60 * (t.ppf(0.975, 59) / t.ppf(0.975, 14)) ** 2
    )


def test_a_test_of_groups_flips_whole_groups() -> None:
    draws = np.random.default_rng(4)
    for _ in range(20):
        ours, theirs, groups = draws.random(24) < 0.7, draws.random(24) < 0.5, draws.integers(8, size=24)
        sums = [int((ours.astype(int) - theirs)[groups == g].sum()) for g in np.unique(groups)]
        flips = [
            abs(sum(s * d for s, d in zip(signs, sums, strict=True)))
            for signs in product((-1, 1), repeat=len(sums))
        ]
        found = mcnemar(ours, theirs, groups)
        assert found.p == pytest.approx(np.mean(np.array(flips) >= abs(sum(sums))), abs=1e-12)


@pytest.mark.parametrize("mixed", [False, True])
def test_a_sample_has_whole_groups_and_both_classes(mixed: bool) -> None:
    draws = np.random.default_rng(1)
    groups = np.repeat(np.arange(14), draws.integers(1, 6, size=14))
    y = (draws.random(len(groups)) < 0.2) if mixed else groups < 3
    samples = resamples(3, 4, y.astype(int), 500, groups)
    assert samples.cases.shape == (500, len(y))
    for group in range(14):
        assert (np.ptp(samples.cases[:, groups == group], axis=1) == 0).all()
    assert (samples.cases[:, y].sum(axis=1) > 0).all()
    assert (samples.cases[:, ~y].sum(axis=1) > 0).all()
    bands = seeds_x_cases(TWO.scores, table(1, 4, y.astype(int)), y.astype(int), samples, groups)
    assert all(np.isfinite([band.low, band.high]).all() for band in bands.values())
    assert bands["accuracy"].groups == 14


def test_two_classes_of_few_groups_have_wide_areas() -> None:
    """No placement errs: as wide as Wilson's for the groups of the class that is in fewer."""
    y, groups = np.repeat([1, 0], [20, 30]), np.repeat(np.arange(10), 5)
    band = delong((2 * y - 1.0)[None], y, groups)
    plain = delong((2.0 * np.repeat([1, 0], [4, 6]) - 1)[None], np.repeat([1, 0], [4, 6]))
    assert (band.low, band.high, band.n, band.groups) == (plain.low, plain.high, 50, 10)


# Worlds with a known correlation within groups


def test_the_design_effect_is_that_of_a_known_correlation() -> None:
    """A case is its group's with chance a, else its own: the correlation within a group is a^2."""
    draws, size, groups = np.random.default_rng(0), 4, np.repeat(np.arange(6000), 4)
    for share, chance in ((0.9, 0.0), (0.9, 0.5), (0.6, 0.9)):
        of_group = (draws.random(6000) < share)[groups]
        right = np.where(draws.random(len(groups)) < chance, of_group, draws.random(len(groups)) < share)
        expected = 1 + (size - 1) * chance**2
        assert len(groups) / effective_number(right[None], groups) == pytest.approx(expected, rel=0.05)


def world(draws: np.random.Generator, models: int, correlation: float = 0.8) -> tuple[Array, Array, Array]:
    """Logits (models, n) of equally good models on the rows of 45 groups of one to five, their y and groups.

    The difficulty of a row, and how a model takes it, is the group's for the most part."""
    groups = np.repeat(np.arange(45), draws.integers(1, 6, size=45))
    y, n = (groups < 20).astype(int), len(groups)

    def of_rows(deviation: float, *rows: int) -> Array:
        common, own = draws.normal(size=(*rows, 45))[..., groups], draws.normal(size=(*rows, n))
        return deviation * (np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)

    law = CaseSimulator(1, 1, 0.85)
    return (2 * y - 1) * law.mu + of_rows(law.case_deviation) + of_rows(law.noise, models), y, groups


def test_bands_over_groups_hold_what_they_say_and_those_over_cases_do_not() -> None:
    draws, truth = np.random.default_rng(5), CaseSimulator(1, 1, 0.85).truth()
    held: dict[str, list[tuple[bool, bool]]] = {name: [] for name in ("accuracy", "auc", "log_loss")}
    for _ in range(400):
        z, y, groups = world(draws, 1)
        over_cases, over_groups = case_bands(TWO.scores, z, y), case_bands(TWO.scores, z, y, groups)
        for name, hits in held.items():
            bands = over_cases[name], over_groups[name]
            hits.append(tuple(band.low <= truth[name] <= band.high for band in bands))
    for name, hits in held.items():
        without, within = np.mean(hits, axis=0)
        assert without < 0.86, name
        assert 0.91 < within < 0.99, name


def test_tests_over_groups_err_as_often_as_they_say_and_those_over_cases_more_often() -> None:
    draws, alarms = np.random.default_rng(6), []
    for _ in range(400):
        z, y, groups = world(draws, 2)
        right = (z > 0) == (y == 1)
        found = []
        for which in (None, groups):
            band = paired_difference(right[:1], right[1:], which)
            areas = auc_difference(z[:1], z[1:], y, which)
            p = mcnemar(right[0], right[1], which).p
            found.append((p < 0.05, not band.low <= 0 <= band.high, areas.p < 0.05))
            assert (areas.p < 0.05) == (not areas.band.low <= 0 <= areas.band.high)
        alarms.append(found)
    over_cases, over_groups = np.mean(alarms, axis=0)
    assert (over_groups < 0.09).all()
    assert (over_cases > 0.12).all()


@pytest.mark.parametrize("mixed", [False, True])
def test_the_error_of_an_area_is_that_of_a_bootstrap_of_groups(mixed: bool) -> None:
    """The groups are written out anew in each sample, and the pairs that are placed right are counted."""
    draws = np.random.default_rng(7)
    z, y, groups = world(draws, 2)
    y = draws.permutation(y) if mixed else y
    z = z + np.where(y == 1, 0.8, 0.0)
    members = [np.flatnonzero(groups == group) for group in range(45)]
    areas = []
    for _ in range(1500):
        rows = np.concatenate([members[group] for group in draws.integers(45, size=45)])
        upper, lower = z[:, rows[y[rows] == 1]], z[:, rows[y[rows] == 0]]
        areas.append((upper[:, :, None] > lower[:, None]).mean(axis=(1, 2)))
    first, second = np.transpose(areas)
    band, difference = delong(z[:1], y, groups), auc_difference(z[:1], z[1:], y, groups).band
    centre, few = band.centre("mean"), min(len(np.unique(groups[y == label])) for label in (0, 1))
    reach = (logit(band.high) - logit(band.low)) / 2 * centre * (1 - centre)
    for half, spread in ((reach, first), ((difference.high - difference.low) / 2, first - second)):
        assert half / t.ppf(0.975, few - 1) == pytest.approx(spread.std(), rel=0.15)


def test_one_group_is_no_sample_of_groups() -> None:
    """Its bands are finite and hardly say anything; nothing in it can be left out of a bootstrap sample."""
    y, groups = labels(6, 8), np.zeros(14, dtype=int)
    z = table(3, 4, y)
    samples = resamples(0, 4, y, 30, groups)
    assert (samples.cases == 1).all()
    for name, band in seeds_x_cases(TWO.scores, z, y, samples, groups).items():
        assert np.isfinite([band.low, band.high]).all()
        assert band.groups == 1
        if name in ("accuracy", "sensitivity", "specificity"):
            assert band.high - band.low > 0.7
    assert mcnemar(z[0] > 0, z[1] > 0, groups).p == 1
