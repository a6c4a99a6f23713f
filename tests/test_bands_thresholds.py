"""Fixed thresholds, predictive values and net benefit, against dcurves, SciPy and counts by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm

from handnet.bands import wilson
from handnet.bands.multibootstrap import bootstrap_means
from handnet.bands.thresholds import (
    _drawn_means,
    at_prevalence,
    benefit_band,
    benefit_difference,
    benefits,
    beyond,
    predictive_bands,
    predictive_bands_at,
    sensitivity_thresholds,
    specificity_thresholds,
    threshold_band,
    treat_all,
)
from handnet.draws import generator, resamples


@given(
    st.lists(st.integers(-6, 6), min_size=2, max_size=40),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.98]),
    st.randoms(use_true_random=False),
)
def test_a_fixed_threshold_keeps_its_share_and_no_stricter_one_does(
    values: list[int], dtype: str, share: float, chance: object
) -> None:
    """Ties included, on the very rows it is fixed on."""
    z = np.array(values, dtype)
    y = np.array([chance.randrange(2) for _ in values])
    y[:2] = 0, 1
    for label, fixed in ((1, sensitivity_thresholds), (0, specificity_thresholds)):
        of_class = z[y == label]
        (threshold,) = fixed(z[None], y, share)
        right = of_class > threshold if label else of_class <= threshold
        assert right.mean() >= share - 1e-9
        stricter = of_class[of_class > threshold] if label else of_class[of_class <= threshold]
        edge = stricter.min() if label else stricter.max()  # moved beyond it, the share is lost
        left = (of_class > edge).mean() if label else (of_class < edge).mean()
        assert left < share
        assert (z - threshold > 0).tolist() == (z > threshold).tolist()


def test_few_positives_hold_no_tail() -> None:
    """43 positives and .95: k = 41, two beyond; what it reaches is simulated with a law of its own."""
    assert (beyond(43, 0.95), beyond(20, 0.95), beyond(19, 0.95), beyond(100, 0.9)) == (2, 1, 0, 10)
    band = threshold_band(43, 0.95)
    numbers = generator(1, 0)
    fixed = sensitivity_thresholds(numbers.exponential(size=(4000, 43)), np.ones(43), 0.95)
    reached = np.exp(-fixed)  # the share of all cases above it
    assert band.centre("mean") == pytest.approx(reached.mean(), abs=0.003)
    assert (band.low, band.high) == pytest.approx(np.quantile(reached, [0.025, 0.975]), abs=0.01)


def test_bayes_at_the_tables_own_prevalence_is_a_count() -> None:
    ppv, npv = at_prevalence(np.array([24 / 105]), np.array([554 / 645]), 105 / 750)
    assert (ppv[0], npv[0]) == pytest.approx((24 / 115, 554 / 635))
    nobody = at_prevalence(np.array([0.0]), np.array([1.0]), 0.1)
    assert np.isnan(nobody[0][0])
    assert nobody[1][0] == pytest.approx(0.9)


def calls(found: int, of: int, cleared: int, others: int) -> tuple[np.ndarray, np.ndarray]:
    """One replica's calls (1, n) and the labels, from counts."""
    y = np.repeat([1, 0], [of, others])
    return np.repeat([True, False, False, True], [found, of - found, cleared, others - cleared])[None], y


def test_predictive_intervals_are_the_delta_methods_where_cases_are_many() -> None:
    """Mercaldo, Lau and Zhou (2007) on the logit, of 200 000 cases; and their ends are whole where no call
    is wrong."""
    sens, spec, n1, n0, pi = 0.9, 0.95, 80_000, 120_000, 0.1
    bands = predictive_bands_at(*calls(72_000, n1, 114_000, n0), pi)
    errors = {
        "ppv": np.sqrt((1 - sens) / (sens * n1) + spec / ((1 - spec) * n0)),
        "npv": np.sqrt(sens / ((1 - sens) * n1) + (1 - spec) / (spec * n0)),
    }
    middles = dict(zip(("ppv", "npv"), at_prevalence(np.array(sens), np.array(spec), pi), strict=True))
    for name, band in bands.items():
        ends = expit(logit(middles[name]) + norm.ppf([0.025, 0.975]) * errors[name])
        assert (band.low, band.high) == pytest.approx(ends, abs=1e-5)
        assert band.centre("mean") == pytest.approx(middles[name])
    perfect = predictive_bands_at(*calls(42, 42, 72, 72), pi)
    assert all((band.high, band.centre("mean")) == (1, 1) and band.low < 1 for band in perfect.values())
    assert set(predictive_bands_at(*calls(0, 42, 72, 72), pi)) == {"npv"}  # nobody is called positive


def test_at_the_tables_prevalence_they_are_wilsons_of_those_called() -> None:
    made = predictive_bands(*calls(24, 105, 554, 645))
    assert (made["ppv"].low, made["ppv"].high, made["ppv"].n) == (
        wilson(24, 115).low,
        wilson(24, 115).high,
        115,
    )
    assert made["npv"].low == pytest.approx(wilson(554, 635).low)
    called, y = calls(24, 105, 554, 645)
    each = predictive_bands(called, y, np.arange(750))
    assert each["ppv"].low == pytest.approx(made["ppv"].low, abs=1e-3)
    twice = predictive_bands(np.repeat(called, 2, axis=1), np.repeat(y, 2), np.repeat(np.arange(750), 2))
    assert twice["ppv"].low == pytest.approx(made["ppv"].low, abs=1e-3)  # said twice is not more
    assert (twice["ppv"].n, twice["ppv"].groups) == (230, 750)
    assert set(predictive_bands(*calls(0, 42, 72, 72))) == {"npv"}


@pytest.mark.parametrize(("sens", "spec"), [(0.9, 0.95), (0.956, 0.99), (0.5, 0.8)])
def test_predictive_intervals_hold_the_truth(sens: float, spec: float) -> None:
    """In 1000 tables of 42 and 72 cases at a prevalence of 5 %."""
    numbers = generator(2, 0)
    found, cleared = numbers.binomial(42, sens, 1000), numbers.binomial(72, spec, 1000)
    truths = dict(zip(("ppv", "npv"), at_prevalence(np.array(sens), np.array(spec), 0.05), strict=True))
    held = dict.fromkeys(truths, 0)
    for a, b in zip(found, cleared, strict=True):
        for name, band in predictive_bands_at(*calls(a, 42, b, 72), 0.05).items():
            held[name] += band.low <= truths[name] <= band.high
    assert all(925 < count < 990 for count in held.values())


# dcurves 1.1.7, its table df_binary: cancer by famhistory, 24 of 105 with it and 91 of 645 without.
FAMILY_Y = np.repeat([1, 1, 0, 0], [24, 81, 91, 554])
FAMILY = np.repeat([9.0, -9.0, 9.0, -9.0], [24, 81, 91, 554])[None]


@pytest.mark.parametrize(
    ("threshold", "prevalence", "acting", "everybody"),
    [
        (0.01, 105 / 750, 0.030774, 0.131313),
        (0.05, 105 / 750, 0.025614, 0.094737),
        (0.2, 105 / 750, 0.001667, -0.075),
        (0.35, 105 / 750, -0.033333, -0.323077),
        (0.05, 0.05, 0.004374, 0.0),
        (0.2, 0.05, -0.022079, -0.1875),
    ],
)
def test_net_benefit_is_dcurves(threshold: float, prevalence: float, acting: float, everybody: float) -> None:
    found = benefits(FAMILY, FAMILY_Y, threshold, prevalence)
    assert found.mean() == pytest.approx(acting, abs=5e-7)
    assert treat_all(threshold, prevalence) == pytest.approx(everybody, abs=5e-7)
    if prevalence == 105 / 750:  # true positives less false ones at the odds
        assert found.mean() == pytest.approx((24 - 91 * threshold / (1 - threshold)) / 750)
    band = benefit_band(found, FAMILY_Y, threshold, prevalence)
    assert band.centre("mean") == pytest.approx(found.mean())
    assert (band.varied, band.n, band.seeds) == ("cases", 750, 0)


def test_joined_ends_are_newcombes_where_the_weights_are_those_of_a_difference() -> None:
    """At a prevalence of 1/2 and a threshold of 1/2 twice the net benefit is sens - (1 - spec): the interval
    of Newcombe (1998, method 10) for two independent shares, here 56/70 and 48/80."""
    y = np.repeat([1, 0], [70, 80])
    z = np.concatenate([np.repeat([1.0, -1.0], [56, 14]), np.repeat([1.0, -1.0], [48, 32])])[None]
    band = benefit_band(benefits(z, y, 0.5, 0.5), y, 0.5, 0.5)
    assert 2 * band.centre("mean") == pytest.approx(0.2)
    assert (2 * band.low, 2 * band.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def made(replicas: int, n: int, study: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, logits of replicas whose probabilities hold, and those of a rival."""
    numbers = generator(study, 0)
    y = np.repeat([1, 0], [n // 3, n - n // 3])
    clear = 2.0 * (2 * y - 1) + 2 * numbers.normal(size=n)
    return y, clear + 0.5 * numbers.normal(size=(replicas, n)), (clear + numbers.normal(size=n))[None]


def test_the_difference_to_oneself_is_nothing_and_every_band_holds_its_middle() -> None:
    y, z, rival = made(8, 60, 3)
    samples = resamples(0, 8, y, 400)
    for threshold in (0.05, 0.5, 0.9):
        ours, theirs = (benefits(side, y, threshold, 0.2) for side in (z, rival))
        same = benefit_difference(ours[:1], ours[:1], y, threshold, 0.2)
        assert same.centre("mean") == 0
        assert same.low < 0 < same.high
        band = benefit_difference(ours, theirs, y, threshold, 0.2, samples)
        assert band.centre("mean") == pytest.approx(ours.mean() - theirs.mean())
        assert band.low <= band.centre("mean") <= band.high
        assert (band.varied, band.seeds, band.n) == ("seeds_x_cases", 8, 60)
        for rows in (y == 1, y == 0):
            plain = bootstrap_means(ours, rows, samples)
            assert _drawn_means(ours, rows, samples) == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_the_band_of_a_net_benefit_holds_that_on_all_cases(threshold: float) -> None:
    """Of a fixed classifier, over cases alone, and of its difference to a rival: the share held in 300
    tables of 90 cases, against the value on 300 000."""
    prevalence = 1 / 3
    y, z, rival = made(1, 300_000, 99)
    truth = benefits(z, y, threshold, prevalence).mean()
    gap = truth - benefits(rival, y, threshold, prevalence).mean()
    held = np.zeros(2)
    for study in range(300):
        y, z, rival = made(1, 90, 100 + study)
        ours, theirs = (benefits(side, y, threshold, prevalence) for side in (z, rival))
        band = benefit_band(ours, y, threshold, prevalence)
        held[0] += band.low <= truth <= band.high
        band = benefit_difference(ours, theirs, y, threshold, prevalence)
        held[1] += band.low <= gap <= band.high
    assert np.all((held / 300 > 0.91) & (held / 300 <= 1))


def test_a_threshold_that_calls_nobody_has_a_band_too() -> None:
    y, z, _ = made(4, 60, 5)
    never = benefits(np.full_like(z, -50), y, 0.5, 1 / 3)
    band = benefit_band(never, y, 0.5, 1 / 3, resamples(0, 4, y, 100))
    assert band.centre("mean") == 0
    assert band.high == pytest.approx(wilson(0, 20).high / 3, abs=1e-12)


def test_rows_that_are_repeated_tell_no_more() -> None:
    y, z, rival = made(5, 90, 7)
    groups = np.repeat(np.arange(90), 3)
    ours, theirs = (benefits(side, y, 0.2, 0.3) for side in (z, rival))
    thrice = [np.repeat(side, 3, axis=1) for side in (ours, theirs)]
    for band, other in (
        (benefit_band(ours, y, 0.2, 0.3), benefit_band(thrice[0], np.repeat(y, 3), 0.2, 0.3, groups=groups)),
        (
            benefit_difference(ours, theirs, y, 0.2, 0.3),
            benefit_difference(*thrice, np.repeat(y, 3), 0.2, 0.3, groups=groups),
        ),
    ):
        assert (band.groups, other.groups, other.n) == (0, 90, 270)
        assert other.centre("mean") == pytest.approx(band.centre("mean"))
        assert other.high - other.low == pytest.approx(
            band.high - band.low, rel=0.06
        )  # a little wider for Student's t
    assert threshold_band(60, 0.95, np.repeat(np.arange(20), 3)).low == threshold_band(20, 0.95).low


def test_no_net_benefit_is_above_the_prevalence() -> None:
    """Two groups of mostly positives, four of one in eleven: a sample of whole groups has other shares of the
    classes, which the prevalence does not follow."""
    y, z, _ = made(5, 90, 11)
    groups = np.where(np.arange(90) < 24, np.arange(90) % 2, np.arange(90) % 6)
    values = benefits(z - 1.2, y, 0.02, 0.05)
    band = benefit_band(values, y, 0.02, 0.05, resamples(0, 5, y, 500, groups), groups)
    assert band.low < values.mean() < band.high <= 0.05
