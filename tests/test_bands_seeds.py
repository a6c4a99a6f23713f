"""Bands over seeds and over splits."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import beta, binom, chi2, trim_mean

from handnet import Band
from handnet.bands import seed_bands, split_bands, wilson
from handnet.bands.seeds import assured_share, quantile_band, row_bands, seed_deviation
from handnet.draws import generator


@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_a_seed_band_covers_what_it_says(n: int) -> None:
    """Over 4,000 studies of n evenly spread seeds: the chance of a further one inside is the width of the
    band."""
    studies = generator(n, 0).uniform(size=(4000, n))
    for view in range(2):
        bands = [seed_bands(study)[view] for study in studies]
        inside = np.array([band.high - band.low for band in bands])
        assert abs(inside.mean() - bands[0].coverage) < 4 * inside.std() / np.sqrt(4000) < 0.02
        if n == 100:  # sharp enough to refuse the .95 it is easily mistaken for
            assert 4 * inside.std() / np.sqrt(4000) < abs(bands[0].coverage - 0.95) / 5


def test_extremes_cover_as_much_for_a_skewed_score() -> None:
    draws = generator(5, 0)
    bands = [seed_bands(study).extremes for study in draws.exponential(size=(4000, 5))]
    inside = np.array([np.exp(-band.low) - np.exp(-band.high) for band in bands])
    assert abs(inside.mean() - 4 / 6) < 4 * inside.std() / np.sqrt(4000)


def test_three_seeds_are_told_what_they_are_worth() -> None:
    three = seed_bands(np.array([1.0, 2, 4]))
    assert three.extremes.coverage == 0.5
    assert "covers 50.0%" in str(three.extremes)


def test_a_seed_band_counts_the_diverged_and_never_averages_them_away() -> None:
    band = seed_bands(np.array([1.0, np.nan, 3.0, np.inf])).extremes
    assert (band.n, band.diverged, band.low, band.high) == (2, 2, 1, 3)
    assert "over 2 seeds" in str(band)
    assert "2 seeds diverged" in str(band)
    assert band.centre("mean") == 2
    with pytest.raises(KeyError, match="no centre 'mode'"):
        band.centre("mode")
    for values in ([1.0], [1.0, np.nan], []):
        with pytest.raises(ValueError, match="at least 2 finite scores"):
            seed_bands(np.array(values))


def test_a_band_prints_its_kind_n_and_coverage() -> None:
    text = str(seed_bands(np.linspace(0.8, 1, 100)).quantiles)
    assert text == (
        "0.900 [0.805, 0.995] (score of a further seed on these rows: quantiles over 100 seeds, covers 93.1%)"
    )
    assert isinstance(wilson(1, 2), Band)


def test_the_iqm_is_scipys_and_rliables() -> None:
    for n in range(2, 41):
        values = generator(n, 0).normal(size=n)
        for band in (*seed_bands(values), *split_bands(values)):
            middle = np.sort(values)[n // 4 : n - n // 4]
            assert band.centre("iqm") == pytest.approx(trim_mean(values, 0.25), abs=1e-12)
            assert band.centre("iqm") == pytest.approx(middle.mean(), abs=1e-12)
    rliable = np.array([[1.0, 2], [2, 2], [1, 1], [2, 1]]).ravel()
    for values, iqm in ((rliable, 1.5), (np.arange(10.0), 4.5), (np.array([0.0, 1, 5]), 2.0)):
        assert seed_bands(values).quantiles.centre("iqm") == pytest.approx(iqm, abs=1e-12)


def test_a_split_band_says_splits_and_three_values_are_told_what_they_are_worth() -> None:
    three = np.array([0.9, 0.95, 0.97])
    assert "covers 50.0%" in str(seed_bands(three).extremes)
    assert str(split_bands(three).extremes) == (
        "0.940 [0.900, 0.970]"
        " (score of a further seed on a further division of this table: min-max over 3 splits, covers 50.0%)"
    )
    assert [band.varied for band in split_bands(three)] == ["splits", "splits"]
    with pytest.raises(ValueError, match="a band over splits needs at least 2 finite scores, but got 1 of 2"):
        split_bands(np.array([0.9, np.nan]))


@pytest.mark.parametrize(
    ("n", "content", "sides"), [(59, 0.95, 1), (93, 0.95, 2), (29, 0.90, 1), (46, 0.90, 2)]
)
def test_the_fewest_seeds_that_bound_their_successors(n: int, content: float, sides: int) -> None:
    """The published table of Wilks (1941): from n draws on the extremes hold so much with confidence .95."""
    first = 1 if sides == 2 else 0
    assert assured_share(n - 1, first, n - 1) < content <= assured_share(n, first, n)


@pytest.mark.parametrize("n", [3, 20, 100])
@pytest.mark.parametrize("law", ["even", "skewed", "counts"])
def test_what_a_band_assures_of_further_seeds_it_holds_in_95_of_100_studies(n: int, law: str) -> None:
    """Of a continuous score the confidence is exact where the ends are order statistics; of counts more."""
    draws, studies = generator(n, 1), 1000

    def share(low: float, high: float) -> float:
        if law == "even":
            return high - low
        if law == "skewed":
            return float(np.exp(-low) - np.exp(-high))
        return float(
            binom.cdf(np.floor(high + 1e-9), 114, 0.98) - binom.cdf(np.ceil(low - 1e-9) - 1, 114, 0.98)
        )

    sample = {"even": draws.uniform, "skewed": draws.exponential}.get(law) or partial(
        draws.binomial, 114, 0.98
    )
    bands = [seed_bands(np.asarray(sample(size=n))) for _ in range(studies)]
    for view in range(2):
        assured = bands[0][view].assured
        held = [share(both[view].low, both[view].high) >= assured for both in bands]
        error = np.sqrt(0.95 * 0.05 / studies)
        assert np.mean(held) > 0.95 - 4 * error
        if law != "counts" and view == 1:
            assert abs(np.mean(held) - 0.95) < 4 * error


def test_the_values_inside_a_band_are_counted() -> None:
    values = np.array([109.0] * 2 + [110] * 8 + [111] * 60 + [112] * 25 + [113] * 4 + [114]) / 114
    bands = seed_bands(values)
    assert (bands.quantiles.low * 114, bands.quantiles.high * 114) == pytest.approx((110, 113))
    assert (bands.quantiles.inside, bands.extremes.inside) == (97, 100)
    assert bands.extremes.assured == pytest.approx(beta.ppf(0.05, 99, 2))
    assert bands.quantiles.assured == pytest.approx(beta.ppf(0.05, 97 - 4, 8))  # from the 4th to the 97th
    assert seed_bands(np.array([1.0, 2])).quantiles.assured == 0
    rows = row_bands(np.stack([values, values[::-1]], axis=1))
    assert (rows[1].inside, rows[1].assured) == (97, bands.quantiles.assured)
    assert quantile_band(values, 0.05, 0.95, "seeds").inside == 93  # up to 112 of 114


def test_the_deviation_over_seeds_is_counted_by_hand() -> None:
    wrong = generator(2, 0).random((7, 12)) < np.linspace(0, 1, 12)
    found = seed_deviation(wrong, coverage=0.9)
    disagree = np.mean([a != b for a, b in combinations(wrong, 2)], axis=0)  # of two replicas: 2 q (1 - q)
    scores = 1 - wrong.mean(axis=1)
    measured = np.sqrt(np.square(scores - scores.mean()).sum() / 6)
    assert found.expected == pytest.approx(np.sqrt(disagree.sum() / 2) / 12, abs=1e-12)
    assert found.measured == pytest.approx(measured, abs=1e-12)
    high, low = chi2.interval(0.9, 6)
    assert (found.low, found.high) == pytest.approx(
        tuple(measured * np.sqrt(6 / x) for x in (low, high)), abs=1e-12
    )
    assert (found.seeds, found.coverage) == (7, 0.9)
    with pytest.raises(ValueError, match="at least 2 replicas, but got 1"):
        seed_deviation(wrong[:1])


def test_independent_mistakes_explain_the_deviation_and_shared_ones_do_not() -> None:
    draws, chance = generator(3, 0), np.concatenate([np.zeros(100), np.linspace(0, 1, 14)])
    alone = seed_deviation(draws.random((4000, 114)) < chance)
    assert alone.expected == pytest.approx(np.sqrt((chance * (1 - chance)).sum()) / 114, rel=0.02)
    assert abs(alone.measured / alone.expected - 1) < 3 / np.sqrt(2 * 4000)
    concatenate = seed_deviation(draws.random((4000, 1)) < chance)
    assert concatenate.measured > 2 * concatenate.expected
