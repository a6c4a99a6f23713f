"""Bands over cases: of the loss and of the other scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import TWO, labels, table
from scipy.special import expit
from scipy.stats import binomtest, t

from handnet.bands import wilson
from handnet.bands.auc import auc_difference
from handnet.bands.cases import case_bands, loss_band
from handnet.bands.clusters import carriers, mean_variance
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.bands.predictive import next_cases, next_network
from handnet.draws import further, generator, resamples


def test_a_loss_band_is_the_t_interval_of_its_logarithm() -> None:
    losses = generator(4, 0).exponential(size=(6, 50))
    mean, error = losses.mean(), np.sqrt(np.mean([np.var(row, ddof=1) for row in losses]) / 50)
    degrees = np.mean([row.sum() ** 2 / (row @ row) for row in losses]) - 1
    for coverage in (0.95, 0.5):
        band = loss_band(losses, coverage=coverage)
        expected = np.exp(t.interval(coverage, degrees, np.log(mean), error / mean))
        assert (band.low, band.high) == pytest.approx(tuple(expected), abs=1e-12)
        assert (band.centre("mean"), band.n, band.coverage) == (pytest.approx(mean, abs=1e-12), 50, coverage)


def test_a_loss_band_holds_the_truth_of_a_skewed_loss() -> None:
    studies = generator(5, 0).exponential(size=(2000, 1, 114))
    bands = [loss_band(study) for study in studies]
    held = np.mean([band.low <= 1 <= band.high for band in bands])
    assert abs(held - 0.95) < 0.01 + 3 * np.sqrt(0.95 * 0.05 / 2000)  # .01 for skewness


def test_a_loss_that_a_few_cases_make_is_known_from_them_alone() -> None:
    """60 cases: alike; four that make all of the loss; one; the same in 20 groups of three."""
    threes, alike = np.repeat(np.arange(20), 3), np.ones((2, 60))
    some = alike * (np.arange(60) < 4)
    for losses, groups, count in (
        (alike, None, 60),
        (some, None, 4),
        (alike * (np.arange(60) == 7), None, 1),
        (alike, threes, 20),
        (some, threes, 16 / 10),  # sums of 3 and 1
        (0 * alike, None, 60),
    ):
        assert carriers(losses, groups) == pytest.approx(count)
        band, error = loss_band(losses, groups), np.sqrt(mean_variance(losses, groups))
        stretch = t.ppf(0.975, max(count - 1, 2)) * error / max(losses.mean(), 1e-300)
        assert (band.low, band.high) == pytest.approx(
            (losses.mean() * np.exp(-stretch), losses.mean() * np.exp(stretch))
        )
    uneven = np.repeat([[100.0, 30, 20, 10], [1, 1, 1, 1]], 1, axis=0)
    assert carriers(uneven) == pytest.approx((160**2 / 11_400 + 4) / 2)


def test_a_loss_band_holds_where_few_of_many_cases_carry_it() -> None:
    """Gamma losses of shape .05: five or so of 114 cases carry them. With n - 1 degrees of freedom the same
    interval holds the truth in some 90 of 100 studies."""
    studies = generator(6, 0).gamma(0.05, size=(1500, 1, 114))
    held, plain = [], []
    for study in studies:
        band, mean = loss_band(study), study.mean()
        held.append(band.low <= 0.05 <= band.high)
        reach = t.ppf(0.975, 113) * np.sqrt(mean_variance(study)) / mean
        plain.append(abs(np.log(mean / 0.05)) <= reach)
    assert np.mean(plain) < 0.915
    assert np.mean(held) > 0.93


@given(
    seed=st.integers(0, 10_000),
    positives=st.integers(2, 12),
    negatives=st.integers(2, 12),
    replicas=st.integers(2, 4),
    scale=st.sampled_from([0.01, 1.0, 30.0, 1e4]),
    lean=st.sampled_from([-30.0, -1.0, 0.0, 1.0, 30.0]),
    groups=st.none() | st.integers(1, 6),
)
def test_no_band_has_a_value_that_its_score_cannot_take(
    seed: int, positives: int, negatives: int, replicas: int, scale: float, lean: float, groups: int | None
) -> None:
    y, draws = labels(positives, negatives), generator(seed, 0)
    n = len(y)
    z = scale * (lean * (2 * y - 1) + draws.normal(0, 1, n) + draws.normal(0, 0.3, (replicas, n)))
    of = None if groups is None else draws.integers(groups, size=n)
    samples, ahead = resamples(seed, replicas, y, 30, of), further(seed, replicas, y, 30, of)
    alone = ahead._replace(seeds=np.ones((30, 1), dtype=np.int64))
    for bands in (
        case_bands(TWO.scores, z, y, of),
        seeds_x_cases(TWO.scores, z, y, samples, of),
        next_network(TWO.scores, z, y, ahead, of),
        next_cases(TWO.scores, z[:1], y, alone, of),
    ):
        for name, band in bands.items():
            least = {"skill": -np.inf}.get(name, 0)
            most = {"log_loss": np.inf}.get(name, 1)
            tiny = 1e-12
            assert least <= band.low <= band.centre(band.centres[0][0]) + tiny, (name, band)
            assert band.centres[0][1] - tiny <= band.high <= most, (name, band)
            assert np.isfinite([band.low, band.high]).all(), (name, band)
        assert bands["skill"].high <= 1 - bands["brier"].low + 1e-9
    difference = auc_difference(z, -z, y, of).band
    assert -1 <= difference.low <= difference.high <= 1


def test_one_network_over_cases_is_graded_and_given_the_band_of_each_score() -> None:
    y = labels(20, 35)
    z = table(6, 1, y)
    bands, scores = case_bands(TWO.scores, z, y), TWO.grade(z, y)
    assert set(bands) == set(TWO.scores)
    for name, band in bands.items():
        assert band.centres[0][1] == pytest.approx(scores[name][0], abs=1e-12)
        assert band.varied == "cases"
    called = z[0] > 0
    for name, right in (
        ("accuracy", called == y),
        ("sensitivity", called[:20]),
        ("specificity", ~called[20:]),
    ):
        other = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
        assert (bands[name].low, bands[name].high, bands[name].n) == pytest.approx(
            (other.low, other.high, len(right)), abs=1e-12
        )
    loss = loss_band(-np.log(np.where(y == 1, expit(z), expit(-z))))
    assert (bands["log_loss"].low, bands["log_loss"].high) == pytest.approx((loss.low, loss.high), abs=1e-12)
    brier = loss_band((expit(z) - y) ** 2)
    reference = 20 * 35 / 55**2
    assert (bands["brier"].low, bands["brier"].high) == pytest.approx((brier.low, brier.high), abs=1e-12)
    assert bands["skill"].low == pytest.approx(1 - brier.high / reference, abs=1e-12)
    assert bands["skill"].high == pytest.approx(1 - brier.low / reference, abs=1e-12)


def test_replicas_over_cases_are_taken_at_their_mean() -> None:
    y = labels(20, 35)
    z = table(7, 5, y)
    bands, scores = case_bands(TWO.scores, z, y), TWO.grade(z, y)
    for name, band in bands.items():
        assert band.centres[0][1] == pytest.approx(scores[name].mean(), abs=1e-12)
    share = wilson(float(((z > 0) == y).sum() / 5), 55)
    assert (bands["accuracy"].low, bands["accuracy"].high) == pytest.approx(
        (share.low, share.high), abs=1e-12
    )
