"""Bands of shares, against SciPy and statsmodels."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from handnet.bands import clopper_pearson, wilson


@pytest.mark.parametrize("n", [29, 42, 72, 114])
def test_wilson_is_scipys_and_statsmodels(n: int) -> None:
    for k in range(n + 1):
        band = wilson(k, n)
        scipys = binomtest(k, n).proportion_ci(method="wilson")
        assert (band.low, band.high) == pytest.approx((scipys.low, scipys.high), abs=1e-12)
        assert (band.low, band.high) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-12)
    assert wilson(111.5, 114).low < wilson(112, 114).low
    for bad in ((-1, 5), (6, 5), (0, 0)):
        with pytest.raises(ValueError, match="expected a count"):
            wilson(*bad)


def test_known_wilson_intervals() -> None:
    for k, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (111, 114, 0.9255, 0.9910),
    ]:
        assert (wilson(k, n).low, wilson(k, n).high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("ours", "scipys", "statsmodels"), [(wilson, "wilson", "wilson"), (clopper_pearson, "exact", "beta")]
)
@pytest.mark.parametrize("coverage", [0.95, 0.8])
def test_share_bands_are_scipys_and_statsmodels(
    ours: object, scipys: str, statsmodels: str, coverage: float
) -> None:
    for k in range(115):
        band = ours(k, 114, coverage)
        other = binomtest(k, 114).proportion_ci(coverage, method=scipys)
        assert (band.low, band.high) == pytest.approx((other.low, other.high), abs=1e-12)
        other = proportion_confint(k, 114, alpha=1 - coverage, method=statsmodels)
        assert (band.low, band.high) == pytest.approx(other, abs=1e-12)
        assert (band.coverage, band.n, band.centre("share")) == (coverage, 114, k / 114)


def test_newcombes_cases() -> None:
    for k, n, score, exact in [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0, 0.1611), (0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ]:
        assert (wilson(k, n).low, wilson(k, n).high) == pytest.approx(score, abs=5e-5)
        assert (clopper_pearson(k, n).low, clopper_pearson(k, n).high) == pytest.approx(exact, abs=5e-5)


def test_clopper_and_pearson_never_promise_too_much() -> None:
    for n in (5, 42):
        bands = [clopper_pearson(k, n) for k in range(n + 1)]
        low, high = (np.array([getattr(band, end) for band in bands]) for end in ("low", "high"))
        for p in np.linspace(0.001, 0.999, 500):
            chance = binom.pmf(np.arange(n + 1), n, p)
            assert chance[(low <= p) & (p <= high)].sum() >= 0.95


def test_counts_that_are_not_whole_lie_between_their_neighbours() -> None:
    for share in (wilson, clopper_pearson):
        below, between, above = (share(k, 114) for k in (110, 110.5, 111))
        assert below.low < between.low < above.low
        assert below.high < between.high < above.high
        for bad in ((-1, 5), (6, 5), (0, 0)):
            with pytest.raises(ValueError, match="expected a count"):
                share(*bad)
