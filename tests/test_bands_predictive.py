"""The predictive bands: what the next cases show, by the exact law of a count and by simulation."""

import numpy as np
import pytest
from samples import TWO, labels, table
from scipy.special import expit, logit
from scipy.stats import betabinom, binom

from handnet import Band
from handnet.bands.auc import delong
from handnet.bands.band import NEXT_CASES, NEXT_NETWORK
from handnet.bands.cases import case_bands, loss_band, share_over_cases
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.bands.predictive import next_cases, next_network, next_share
from handnet.draws import further, generator, resamples
from handnet.scores import case_losses

Y = labels(57, 57)


def calls(right: int) -> np.ndarray:
    """(1, 114) logits of a method that calls so many of the cases right."""
    return np.where(np.arange(114) < right, 3.0, -3.0)[None] * (2 * Y - 1)


def held(p: float, bands: list[Band]) -> float:
    """The chance that the share of 114 further cases lies in the band that follows from a count of 114.

    bands: by that count; p: the chance of each case to be right.
    """
    shares, chance = np.arange(115) / 114, binom.pmf(np.arange(115), 114, p)
    inside = [(band.low - 1e-12 <= shares) & (shares <= band.high + 1e-12) for band in bands]
    return float(chance @ np.array(inside) @ chance)


def test_wilson_is_no_band_of_the_next_cases_and_the_beta_binomial_is() -> None:
    """Wilson's chances, exact, were computed apart from this code."""
    expected = [share_over_cases(calls(k) * (2 * Y - 1) > 0) for k in range(115)]
    predicted = [next_share(calls(k) * (2 * Y - 1) > 0) for k in range(115)]
    for p, chance in ((0.9776, 0.776), (0.95, 0.820), (0.97, 0.797), (0.985, 0.752)):
        assert held(p, expected) == pytest.approx(chance, abs=2e-3)
        assert 0.95 < held(p, predicted) < 0.985
    assert min(held(p, predicted) for p in np.linspace(0.5, 0.999, 200)) > 0.94


def test_the_ends_are_quantiles_of_the_next_count() -> None:
    draws = generator(1, 0)
    band = next_share(calls(111) * (2 * Y - 1) > 0, coverage=0.9)
    rates = draws.beta(111.5, 3.5, size=400_000)  # the posterior of the share under Jeffreys' prior
    counts = draws.binomial(114, rates)
    low, high = (int(np.quantile(counts, q, method="inverted_cdf")) for q in (0.05, 0.95))
    assert (band.low * 114, band.high * 114) == pytest.approx((low, high))
    assert (band.estimand, band.kind, band.n, band.coverage) == (NEXT_CASES, "beta-binomial", 114, 0.9)
    law = betabinom(57, 57.5, 0.5)
    perfect = next_cases(TWO.scores, calls(114), Y, further(0, 1, Y, 50))
    assert perfect["sensitivity"].low == pytest.approx(law.ppf(0.025) / 57)
    assert perfect["auc"].low == pytest.approx(law.ppf(0.025) / 57)  # no misplaced pair


def test_losses_and_areas_have_the_variance_of_another_mean_added() -> None:
    y = labels(25, 40)
    z = table(3, 4, y)
    ahead = further(0, 4, y, 2)._replace(cases=np.ones((2, 65), dtype=int))  # as these: the formula alone
    found = next_cases(TWO.scores, z, y, ahead)
    loss, area = loss_band(case_losses(z, y == 1)), delong(z, y)
    reach = np.log(loss.high / loss.centre("mean")) * np.sqrt(2)
    assert np.log(found["log_loss"].high / loss.centre("mean")) == pytest.approx(reach)
    assert np.log(found["log_loss"].low / loss.centre("mean")) == pytest.approx(-reach)
    middle = logit(area.centre("mean"))
    reach = (logit(area.high) - middle) * np.sqrt(2)
    assert (found["auc"].low, found["auc"].high) == pytest.approx(
        (expit(middle - reach), expit(middle + reach))
    )
    reference = float((y == 1).var())
    assert found["skill"].low == pytest.approx(1 - found["brier"].high / reference)
    assert found["skill"].high == pytest.approx(1 - found["brier"].low / reference)
    for name, band in case_bands(TWO.scores, np.zeros((1, 65)), y).items():  # one probability for all
        assert next_cases(TWO.scores, np.zeros((1, 65)), y, further(0, 1, y, 9))[name].centres == band.centres


def test_groups_count_for_fewer_cases_and_widen_every_band() -> None:
    y = labels(30, 60)
    z = np.repeat(table(5, 1, y[::3], 1.0), 3, axis=1)  # three rows of each patient, all alike
    groups = np.repeat(np.arange(30), 3)
    alone = next_cases(TWO.scores, z, y, further(0, 1, y, 400))
    grouped = next_cases(TWO.scores, z, y, further(0, 1, y, 400, groups), groups)
    for name, band in grouped.items():
        assert band.low <= alone[name].low
        assert band.high >= alone[name].high
        assert band.high - band.low > 1.2 * (alone[name].high - alone[name].low)
    assert grouped["accuracy"].groups == 30


def test_a_further_network_on_further_cases_is_held_and_not_by_the_expected_score() -> None:
    """300 studies of 5 networks on 30 + 50 cases, each with one more network on as many new cases."""
    y, draws, studies = labels(30, 50), generator(6, 0), 300

    def cases() -> np.ndarray:
        return 2.0 * (2 * y - 1) + draws.normal(0, 1.3, 80)

    hits: dict[str, list[bool]] = {}
    ahead, samples = further(0, 5, y, 150), resamples(0, 5, y, 150)
    for _ in range(studies):
        z = cases() + draws.normal(0, 0.5, (5, 80))
        following = TWO.grade((cases() + draws.normal(0, 0.5, 80))[None], y)
        for name, band in next_network(TWO.scores, z, y, ahead).items():
            value = following[name][0]
            hits.setdefault(name, []).append(band.low - 1e-12 <= value <= band.high + 1e-12)
            assert (band.varied, band.seeds, band.estimand) == ("seeds_x_cases", 5, NEXT_NETWORK)
        band = seeds_x_cases(TWO.scores, z, y, samples)["accuracy"]
        hits.setdefault("expected", []).append(band.low <= following["accuracy"][0] <= band.high)
    found, error = {name: np.mean(hit) for name, hit in hits.items()}, np.sqrt(0.95 * 0.05 / studies)
    for name in ("accuracy", "sensitivity", "specificity", "auc"):
        assert found[name] > 0.95 - 2 * error, name
    for name in ("log_loss", "brier", "skill"):
        assert found[name] > 0.95 - 2 * error, name
    assert found["expected"] < 0.95 - 2 * error


def test_further_draws_vary_twice_as_much_and_take_one_network() -> None:
    y = labels(20, 30)
    once, twice = resamples(0, 4, y, 20_000), further(0, 4, y, 20_000)
    assert set(twice.seeds.sum(axis=1)) == {1}
    assert twice.seeds.mean(axis=0) == pytest.approx(np.full(4, 0.25), abs=0.015)
    for label, n in ((1, 20), (0, 30)):
        assert set(twice.cases[:, y == label].sum(axis=1)) == {n}
        values = np.arange(n) / n
        one, other = ((samples.cases[:, y == label] @ values).var() for samples in (once, twice))
        assert other / one == pytest.approx(2 - 1 / n, rel=0.04)
