"""How often the bands of every score hold, in worlds of two and many classes and of a number."""

import numpy as np
import pytest
from samples import standard_error

from handnet.bands.worlds import Classes, Number, World, coverages_of_scores
from handnet.draws import generator

# Bands that hold less often than they say, by how much at most, and why.
LOSSES = {"log_loss", "brier", "skill", "mse", "rmse", "mae"}  # skewed, most of each from a few cases
LOW = 0.02  # of a loss, and of shares between the jumps of a count
WILSON = 0.15  # of shares above .99 of 30 cases: of one error in 30 Wilson's upper end is .994
HEAVY = 0.07  # of a mean square whose own variance is infinite


def short(what: str, world: World) -> float:
    """By how much a band may fall short of its coverage."""
    name = what.rsplit(maxsplit=1)[-1]
    if world.task.every[name].most == 1 and 0.99 < world.truth[name] < 1 and not what.startswith("next"):
        return WILSON
    heavy = isinstance(world, Number) and world.degrees <= 4
    if heavy and name in {"mse", "rmse", "r2"}:
        return HEAVY
    if name in LOSSES or name.split("_")[0] in {"recall", "precision", "sensitivity", "ppv", "npv"}:
        return 2 * LOW
    return LOW


@pytest.mark.parametrize("world", [Classes([30, 50], 2.4), Classes([30, 40, 30], 2.4), Number(100, 6)])
def test_the_true_scores_are_the_average_ones(world: World) -> None:
    draws, task = generator(1, 0), world.task
    found: dict[str, list[float]] = {}
    for _ in range(150):
        for name, values in task.grade(*world.sample(draws, 1), task.every).items():
            found.setdefault(name, []).append(values[0])
    # Curved scores of few cases are off by about 1 / n on average, means and shares are not.
    for name, values in found.items():
        assert abs(np.mean(values) - world.truth[name]) < 4 * standard_error(np.array(values)) + 0.01, name


@pytest.mark.parametrize(
    "world",
    [Classes([42, 72], 2.4), Classes([38, 38, 38], 3.8), Number(114), Number(114, 4)],
    ids=["two classes", "three", "a number", "heavy tails"],
)
def test_bands_over_cases_hold_the_truth(world: World) -> None:
    for one in coverages_of_scores(world, "", 5, studies=120, replicas=1, kinds=["cases"]):
        assert one.found >= one.nominal - 3 * one.error - short(one.what, world), one


@pytest.mark.parametrize(
    "world", [Classes([39, 39, 36], 2.6, 3), Number(114, size=3)], ids=["classes", "number"]
)
def test_bands_of_rows_that_come_in_threes_hold_the_truth_where_that_is_told(world: World) -> None:
    told = coverages_of_scores(world, "", 6, studies=100, replicas=1, kinds=["cases"])
    for one in told:
        assert one.found >= one.nominal - 3 * one.error - short(one.what, world), one
    world.untold = True
    plain = coverages_of_scores(world, "", 6, 100, 1, ["cases"])
    assert np.mean([one.found for one in plain]) < np.mean([one.found for one in told]) - 0.03


@pytest.mark.long
@pytest.mark.parametrize(
    "world",
    [
        Classes([42, 72], 2.4),
        Classes([42, 72], 4.0),
        Classes([30] * 3, 2.2),
        Classes([38] * 3, 3.8),
        Classes([30] * 3, 5.0),
        Classes([70, 30, 14], 3.0),
        Classes([39, 39, 36], 2.6, 3),
        Number(114),
        Number(114, 4),
        Number(114, size=3),
        Number(30),
    ],
    ids=lambda world: f"{world.task.name} {world.n}",
)
def test_every_kind_of_band_of_every_score_holds(world: World) -> None:
    for one in coverages_of_scores(world, "", 1, studies=400):
        assert one.found >= one.nominal - 3 * one.error - short(one.what, world), one
