"""Bands over cases: of the loss and of the other scores."""

import numpy as np
import pytest
from samples import labels, table
from scipy.special import expit
from scipy.stats import binomtest, t

from handnet.bands import wilson
from handnet.bands.cases import case_bands, loss_band
from handnet.draws import generator
from handnet.scores import Scores, grade


def test_a_loss_band_is_the_t_interval_of_its_logarithm() -> None:
    losses = generator(4, 0).exponential(size=(6, 50))
    mean, error = losses.mean(), np.sqrt(np.mean([np.var(row, ddof=1) for row in losses]) / 50)
    for coverage in (0.95, 0.5):
        band = loss_band(losses, coverage=coverage)
        expected = np.exp(t.interval(coverage, 49, np.log(mean), error / mean))
        assert (band.low, band.high) == pytest.approx(tuple(expected), abs=1e-12)
        assert (band.centre("mean"), band.n, band.coverage) == (pytest.approx(mean, abs=1e-12), 50, coverage)


def test_a_loss_band_holds_the_truth_of_a_skewed_loss() -> None:
    studies = generator(5, 0).exponential(size=(2000, 1, 114))
    bands = [loss_band(study) for study in studies]
    held = np.mean([band.low <= 1 <= band.high for band in bands])
    assert abs(held - 0.95) < 0.01 + 3 * np.sqrt(0.95 * 0.05 / 2000)  # .01 for skewness


def test_one_network_over_cases_is_graded_and_given_the_band_of_each_score() -> None:
    y = labels(20, 35)
    z = table(6, 1, y)
    bands, scores = case_bands(z, y), grade(z, y)._asdict()
    assert set(bands) == set(Scores._fields)
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
    bands, scores = case_bands(z, y), grade(z, y)._asdict()
    for name, band in bands.items():
        assert band.centres[0][1] == pytest.approx(scores[name].mean(), abs=1e-12)
    share = wilson(float(((z > 0) == y).sum() / 5), 55)
    assert (bands["accuracy"].low, bands["accuracy"].high) == pytest.approx(
        (share.low, share.high), abs=1e-12
    )
