"""Areas under the ROC curve, against MLstatkit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from MLstatkit import Delong_test
from samples import TWO, Z, labels, table
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn import metrics

from handnet.bands import wilson
from handnet.bands.auc import auc_difference, delong


def test_the_area_is_compared_as_mlstatkit_does() -> None:
    draws, y = (
        np.random.default_rng(0),
        labels(42, 72),
    )  # two models whose figures MLstatkit gives to twelve digits
    ours, theirs = draws.normal(size=114) + 3.2 * y, draws.normal(size=114) + 2.6 * y
    found = auc_difference(ours[None], theirs[None], y)
    assert found.p == pytest.approx(0.082476, abs=5e-7)
    assert found.band.centre("mean") == pytest.approx(0.992394 - 0.964286, abs=1e-6)
    assert found.band.centre("mean") * 2 * Z / (found.band.high - found.band.low) == pytest.approx(
        1.7365, abs=5e-5
    )
    assert delong(ours[None], y).low == pytest.approx(0.9644, abs=5e-5)
    assert delong(ours[None], y).high == pytest.approx(0.9984, abs=5e-5)


@pytest.mark.parametrize("coarse", [False, True])
def test_areas_and_their_errors_are_mlstatkits(coarse: bool) -> None:
    for seed in range(20):
        y = labels(15 + seed, 40)
        ours, theirs = table(seed, 1, y, 0.5, coarse), table(seed + 100, 1, y, 0.4, coarse)
        z, p, ends, _, area, other, _ = Delong_test(y, ours[0], theirs[0])
        found = auc_difference(ours, theirs, y)
        assert found.p == pytest.approx(p, abs=1e-12)
        assert found.band.centre("mean") == pytest.approx(area - other, abs=1e-12)
        half = Z * (other - area) / z
        assert (found.band.low, found.band.high) == pytest.approx(
            (area - other - half, area - other + half), abs=1e-12
        )
        assert 0 < ends[0] < ends[1] < 1  # else it was clipped and tells no error
        reach = (ends[1] - ends[0]) / 2 / (area * (1 - area))
        band = delong(ours, y)
        ends = expit(logit(area) - reach), expit(logit(area) + reach)
        assert (band.low, band.high) == pytest.approx(ends, abs=1e-12)


def placed(z: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """For positives, then negatives: the share of the other class on the right side of each case, one by
    one."""
    wins = [[(a > b) + (a == b) / 2 for b in z[y == 0]] for a in z[y == 1]]
    return [np.mean(wins, axis=1), np.mean(wins, axis=0)]


def test_replicas_are_compared_at_their_mean_area_on_the_same_cases() -> None:
    y = labels(9, 14)
    ours, theirs = table(1, 4, y, 0.5, coarse=True), table(2, 3, y, 0.3, coarse=True)
    a, b = (
        [np.mean(part, axis=0) for part in zip(*(placed(row, y) for row in z), strict=True)]
        for z in (ours, theirs)
    )
    error = np.sqrt(sum(np.var(one - other, ddof=1) / len(one) for one, other in zip(a, b, strict=True)))
    found = auc_difference(ours, theirs, y)
    mean = TWO.grade(ours, y)["auc"].mean() - TWO.grade(theirs, y)["auc"].mean()
    assert found.band.centre("mean") == pytest.approx(mean, abs=1e-12)
    assert (found.band.low, found.band.high) == pytest.approx((mean - Z * error, mean + Z * error), abs=1e-12)
    assert found.p == pytest.approx(2 * norm.sf(abs(mean) / error), abs=1e-12)
    assert auc_difference(ours, ours, y).p == 1


def test_the_area_of_replicas_has_the_error_of_one() -> None:
    y = labels(9, 14)
    z = table(3, 5, y, 0.5, coarse=True)
    variance = np.mean([sum(np.var(part, ddof=1) / len(part) for part in placed(row, y)) for row in z])
    area = np.mean([metrics.roc_auc_score(y, row) for row in z])
    reach = Z * np.sqrt(variance) / (area * (1 - area))
    band = delong(z, y)
    assert (logit(band.low), logit(band.high)) == pytest.approx(
        (logit(area) - reach, logit(area) + reach), abs=1e-9
    )


@given(
    seed=st.integers(0, 10_000),
    positives=st.integers(2, 30),
    negatives=st.integers(2, 30),
    replicas=st.integers(1, 4),
    lean=st.floats(-3, 5),
    coarse=st.booleans(),
)
def test_the_band_of_an_area_stays_between_0_and_1(
    seed: int, positives: int, negatives: int, replicas: int, lean: float, coarse: bool
) -> None:
    y = labels(positives, negatives)
    z = table(seed, replicas, y, lean, coarse)
    band = delong(z, y)
    middle = band.centre("mean")
    assert 0 <= band.low <= middle + 1e-12
    assert middle - 1e-12 <= band.high <= 1
    assert middle == pytest.approx(TWO.grade(z, y)["auc"].mean(), abs=1e-12)


def test_a_perfect_area_still_has_a_band() -> None:
    y = labels(42, 72)
    for sign, area in ((1, 1.0), (-1, 0.0)):
        band, edge = delong(sign * y[None] * np.ones((3, 1)), y), wilson(42 * area, 42)
        assert (band.low, band.high, band.centre("mean")) == (edge.low, edge.high, area)
        assert (band.kind, band.n) == ("wilson, smaller class", 114)


def test_two_perfect_models_are_not_told_apart_to_the_last_digit() -> None:
    y = np.repeat([1, 0], [42, 72])
    z = np.where(y == 1, 3.0, -3.0)[None]
    found = auc_difference(z, 2 * z, y)
    assert found.p == 1
    assert -found.band.low == found.band.high == 1 - wilson(42, 42).low
    with pytest.raises(ValueError, match="2 cases of each class"):
        delong(z[:, 41:], y[41:])
