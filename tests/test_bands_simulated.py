"""Simulated studies: how often every band holds the truth."""

import numpy as np
import pytest
from samples import TWO, standard_error

from handnet.bands.equal_models import false_positives_on_cases
from handnet.bands.simulated import (
    CaseSimulator,
    Simulated,
    coverages,
    coverages_over_groups,
    loss_coverage,
    share_coverage,
)
from handnet.draws import generator
from handnet.scores import case_losses


def test_the_worlds_true_scores_are_its_average_ones() -> None:
    world, draws = CaseSimulator(4200, 7200, 0.97), generator(22, 0)
    scores = TWO.grade(np.vstack([world.sample(draws, 1) for _ in range(50)]), world.y)
    truth = world.truth()
    assert set(truth) == set(scores)
    assert truth["accuracy"] == pytest.approx(0.97, abs=1e-12)
    for name, found in scores.items():
        assert abs(found.mean() - truth[name]) < 4 * standard_error(found), name
        assert standard_error(found) < 0.05 * (1 - truth[name]), name  # sharp enough to tell
    losses = case_losses(world.logits(draws, world.cases(draws), 3), world.y)
    assert losses.shape == (3, 11_400)
    assert np.corrcoef(losses)[0, 1] > 0.3  # replicas share their cases


# Bands that hold the truth less often than they say, by how much at most, and why.
KNOWN_LOW = {
    "cases log_loss": (
        0.04
    ),  # a mean of 114 skewed losses, most of it from a handful of cases: log t holds some .92
    "cases brier": 0.04,  # the same
    "cases skill": 0.04,  # the same band, turned over
    "next cases log_loss": 0.04,  # made of that band
    "next cases brier": 0.04,
    "next cases skill": 0.04,
}


def test_every_band_holds_the_truth_as_often_as_it_says() -> None:
    found = coverages(42, 72, 100, 29, seed=1, studies=60)
    assert {one.what.split(" ")[0] for one in found} >= {
        "seeds",
        "seeds_x_cases",
        "cases",
        "splits",
        "bbc",
        "calibration",
    }
    assert {f"{kind} {name}" for kind in ("seeds_x_cases", "cases", "next cases") for name in TWO.scores} <= {
        one.what for one in found
    }
    for one in found:
        assert one.studies >= 55  # the few without a calibration slope are left out
        # Of seeds and splits each study gives a share of further draws, which scatters far less than a yes or
        # no.
        slack = 0.03 if one.what.startswith(("seeds ", "splits ")) else 3 * one.error
        assert one.found >= one.nominal - slack - KNOWN_LOW.get(one.what, 0), one


def test_simulations_say_the_same_again() -> None:
    assert coverages(8, 12, 5, 6, seed=3, studies=2) == coverages(8, 12, 5, 6, seed=3, studies=2)
    assert coverages(8, 12, 5, 6, seed=3, studies=2) != coverages(8, 12, 5, 6, seed=4, studies=2)
    ticks: list[int] = []
    coverages(8, 12, 5, 6, seed=3, studies=2, tick=lambda: ticks.append(1))
    assert len(ticks) == 2


def test_a_studys_own_shares_are_held() -> None:
    missed = np.concatenate([np.zeros(108), [1, 1, 0.5, 0.5, 0.2, 0.1]])
    found = share_coverage(missed, 30, seed=1, studies=200)
    assert isinstance(found, Simulated)
    assert 0.9 <= found.found <= 1
    assert (found.studies, found.nominal) == (200, pytest.approx(0.95))
    assert share_coverage(missed, 30, seed=1, studies=200) == found


def test_a_studys_own_losses_are_held_the_less_the_fewer_cases_carry_them() -> None:
    even = generator(3, 0).exponential(size=(30, 114))
    odd = even + np.where(np.arange(114) == 5, 100.0, 0)  # without it in a sample the mean is half
    found = [loss_coverage(losses, seed=1) for losses in (even, odd)]
    assert found[0].found > 0.92
    assert found[1].found < 0.85
    assert loss_coverage(odd, seed=1) == found[1]
    grouped = loss_coverage(np.repeat(even[:, :38], 3, axis=1), 1, np.repeat(np.arange(38), 3))
    assert grouped.found > 0.9


def test_bands_hold_the_truth_of_groups_where_they_are_told() -> None:
    found = {(one.what, one.setting): one.found for one in coverages_over_groups(42, 72, 0, studies=400)}
    for score in ("log_loss", "brier", "skill", "auc"):
        assert found[f"cases {score}", "114 cases, 38 groups"] > 0.93, score
        assert found[f"cases {score}", "114 cases, groups not told"] < 0.92, score
    for score in ("accuracy", "sensitivity", "specificity"):
        assert found[f"cases {score}", "114 cases, 38 groups"] > 0.95, score
    alarms = false_positives_on_cases(114, 42, 0.9, 0, np.arange(114) // 3)
    assert [one.what for one in alarms] == ["mcnemar", "delong"]
    assert max(one.found for one in alarms) < 0.08
