"""Prediction intervals of a number: their width, their coverage, their score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handnet.bands.intervals import LEAST, half_widths, inside, interval_scores
from handnet.bands.proportion import wilson
from handnet.study.intervals import interval_quantities


def test_the_half_width_is_the_order_statistic_counted_by_hand() -> None:
    y = np.zeros(19)
    errors = np.array([range(1, 20), range(19, 0, -1)], dtype=float)
    assert half_widths(errors, y).tolist() == [18, 18]  # 20 * .9 = 18
    assert half_widths(-errors[:, :9], y[:9]).tolist() == [9, 19]  # 10 * .9 = 9
    assert half_widths(errors[:, :8], y[:8]).tolist() == [np.inf, np.inf]
    assert LEAST == 9


@pytest.mark.parametrize("n", [9, 20, 114])
def test_an_interval_holds_a_further_case_as_often_as_it_says(n: int) -> None:
    """Exactly: of n + 1 exchangeable errors the last is among the k smallest with chance k / (n + 1)."""
    draws, studies = np.random.default_rng(n), 20_000
    errors = draws.standard_t(3, size=(studies, n + 1))
    held = inside(errors[:, n:], np.zeros(1), half_widths(errors[:, :n], np.zeros(n)))
    expected = np.ceil(round((n + 1) * 0.9, 9)) / (n + 1)
    assert held.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / studies))
    assert expected >= 0.9


def test_the_interval_score_is_the_published_one() -> None:
    i = np.arange(24)
    y = 3 + 2 * np.cos(0.9 * i) + 0.1 * i
    guess = y + 0.6 * np.sin(2.2 * i) + 0.15 * (-1.0) ** i
    half = np.array([0.7])
    held = inside(guess[None], y, half)
    band = wilson(float(held.sum()), 24)
    assert held.mean() == 0.875
    assert (band.low, band.high) == pytest.approx((0.689961, 0.956557), abs=1e-6)
    assert interval_scores(guess[None], y, half).mean() == pytest.approx(1.475144, abs=1e-6)


@given(st.integers(0, 10_000), st.integers(9, 40), st.floats(1e-6, 1e6))
def test_intervals_follow_the_unit_of_the_target(seed: int, n: int, scale: float) -> None:
    draws = np.random.default_rng(seed)
    val, test, y = draws.normal(size=(3, n)), draws.normal(size=(3, 7)), draws.normal(size=n)
    half, other = half_widths(val, y), half_widths(scale * val, scale * y)
    assert other == pytest.approx(scale * half, rel=1e-9)
    scores = interval_scores(test, y[:7], half)
    assert interval_scores(scale * test, scale * y[:7], other) == pytest.approx(scale * scores, rel=1e-9)


def test_the_bands_of_coverage_are_those_of_a_share_and_lost_seeds_are_counted() -> None:
    draws = np.random.default_rng(1)
    y_val, y_test = draws.normal(size=50), draws.normal(size=40)
    val, test = y_val + draws.normal(size=(6, 50)), y_test + draws.normal(size=(6, 40))
    test[2] = np.nan
    found = {one.name: one for one in interval_quantities(val, test, y_val, y_test, None, True)}
    kept = [0, 1, 3, 4, 5]
    share = inside(test[kept], y_test, half_widths(val[kept], y_val)).mean(axis=1)
    bands = {band.kind: band for band in found["interval_coverage"].bands}
    ends = wilson(40 * share.mean(), 40)
    assert (bands["wilson"].low, bands["wilson"].high) == pytest.approx((ends.low, ends.high), abs=1e-12)
    assert bands["min-max"].low == share.min()
    assert {band.diverged for band in bands.values()} == {1}
    widths = {band.kind: band for band in found["interval_width"].bands}
    assert widths["min-max"].high == pytest.approx(2 * half_widths(val[kept], y_val).max())
    alone = interval_quantities(val[:1], test[:1], y_val, y_test, None, False)
    assert [one.name for one in alone] == ["interval_coverage", "interval_score"]
    assert not list(interval_quantities(val[:, :8], test, y_val[:8], y_test, None, True))
