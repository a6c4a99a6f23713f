"""The claims: in worlds made up so that a claim is true, it holds; false, it does not; too small, it cannot
be told."""

import inspect
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from worlds import FIRST, RATIO, SAMPLED, SEEDS, draws, sample, world

from experiments.chapter import losses, numerics, repeats, steps
from experiments.chapter import trials as chapter
from experiments.chapter.rows import likeness
from experiments.claims.bands import Design, deviation_within, exactly, mean_within, share_within
from experiments.claims.claim import Claim, Region, Verdict
from handnet import Dataset, Recipe, seeded_plan
from handnet.bands import Band
from handnet.draws import SIMULATION, generator
from handnet.mlp.network import sigmoid
from handnet.splits import Split

MANY, FEW = 150, 2


@pytest.mark.parametrize("claim", SAMPLED, ids=lambda one: one.__name__)
def test_a_planted_claim_is_recognised(claim: Callable[[bool, int], Claim]) -> None:
    """True: holds. False: does not hold. True, but too little data: cannot be told."""
    assert (claim(True, MANY).verdict, claim(False, MANY).verdict) == (Verdict.HOLDS, Verdict.FAILS)
    assert claim(True, FEW).verdict == Verdict.OPEN


def test_planted_claims_of_what_is_counted() -> None:
    ratios = 1.3 + draws(20, sd=0.1)
    assert steps.one_sweep(steps.price((30, 16, 8, 1), 341), ratios).verdict == Verdict.HOLDS
    assert steps.one_sweep(steps.price((30, 16, 8, 1), 340), ratios).verdict == Verdict.FAILS
    assert steps.thousands(341, 32, {"first": 50}).verdict == Verdict.FAILS
    assert steps.thousands(341, 32, {"first": 100, "second": 91}).verdict == Verdict.HOLDS
    assert numerics.shatters(numerics.unclipped).verdict == Verdict.FAILS
    assert (
        numerics.shatters(lambda z: np.where(z < -88, np.float32("nan"), np.float32(0.5))).verdict
        == Verdict.HOLDS
    )
    assert numerics.clip_is_free(sigmoid).verdict == Verdict.HOLDS
    assert numerics.clip_is_free(lambda z: sigmoid(np.clip(z, -20, 20))).verdict == Verdict.FAILS


@pytest.mark.parametrize(
    ("right", "cases", "verdict"),
    [(111, 114, Verdict.OPEN), (9700, 10_000, Verdict.HOLDS), (9000, 10_000, Verdict.FAILS)],
)
def test_three_in_a_hundred_takes_thousands_of_cases(right: int, cases: int, verdict: str) -> None:
    claim = repeats.three_in_a_hundred(right, cases)
    assert claim.verdict == verdict
    assert (claim.parts[0].power < 0.01) == (cases == 114)


def test_case_203_is_what_the_table_says(data: Dataset) -> None:
    assert data.class_names[data.y[203]] == "malignant" == data.class_names[data.y[202]]
    claim = repeats.odd_case(np.zeros((50, 2)), np.zeros((50, 2), int), np.zeros((50, 2), bool), "malignant")
    assert claim.parts[0].verdict == Verdict.FAILS


def test_a_gap_that_dropout_only_hides_is_not_closed() -> None:
    """The train loss that Keras prints rises with dropout: the printed gap shrinks, the gap does not."""
    hidden = sample(MANY, 1, 0.002, **(FIRST | {"train_loss": 0.12}))
    printed, off = losses.gap_closes(sample(MANY, 0, 0.002, **FIRST), hidden, hidden, hidden, RATIO).parts
    assert (printed.verdict, off.verdict) == (Verdict.HOLDS, Verdict.FAILS)


COUNTED = {
    "one_sweep",
    "thousands",
    "shatters",
    "clip_is_free",
    "three_in_a_hundred",
}  # each planted in a test above


def test_every_claim_that_is_tried_is_planted() -> None:
    """A new line of trials.py wants a world in which it is true and one in which it is false."""
    body = inspect.getsource(chapter._of_training) + inspect.getsource(chapter._of_networks)
    rooms = "losses|mistakes|numerics|passes|repeats|steps|units"
    tried = set(re.findall(rf"lambda: (?:{rooms})\.(\w+)\(", body))
    assert tried == {one.__name__ for one in SAMPLED} | COUNTED
    assert body.count("lambda: ") == len(tried) + 1, "early stopping is tried twice"


def test_slightly_too_large_is_the_first_step_that_spoils_half() -> None:
    search = {
        step: world(9, 0.0, start_loss=0.69, train_loss_off=loss)
        for step, loss in ((8.0, 0.9), (1.0, 0.1), (4.0, 0.9), (2.0, 0.1))
    }
    assert steps.first_too_large(search) == (4.0, 2.0)
    assert steps.first_too_large(dict.fromkeys(search, search[1.0])) == (8.0, 4.0), (
        "none spoils: the largest is asked, and fails"
    )


def test_halving_is_asked_of_the_networks_it_has_to_mend() -> None:
    """Half of them are worse at the large step, and with half of it those are mended, and others worse."""
    spoilt = np.arange(40) % 2 == 0
    at = [
        world(40, 0.0)._replace(
            start_loss=np.ones((40, SEEDS)),
            train_loss_off=np.where(bad, 2.0, 0.5)[:, None, None] * np.ones((40, SEEDS, 2)),
        )
        for bad in (spoilt, ~spoilt)
    ]
    large, mended = steps.too_large({4.0: at[0]}, *at).parts
    assert large.band.centre("share") == 0.5
    assert (mended.band.centre("share"), mended.band.n) == (1.0, 20)


def test_the_loss_of_an_unscaled_start_is_nan_where_it_meets_the_logarithm_of_0() -> None:
    """A sure score on the right side: 0 times ln 0. On the wrong side the loss is inf, and no nan."""
    sure = np.full((9, 2), 200.0) * [1, -1]
    for y, nan in (([1, 0], 1.0), ([0, 1], 0.0)):
        past, broken = numerics.unscaled(sure, np.array(y), draws(9), draws(9)).parts
        assert past.band.centre("share") == 1.0
        assert broken.band.centre("share") == nan


# The rule


def band(low: float, high: float, diverged: int = 0) -> Band:
    return Band(
        low, high, "t", "seeds", 9, 0.9, "mean over all seeds", (("mean", (low + high) / 2),), diverged
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.5, 0.5, Verdict.HOLDS),
        (-1, 1, Verdict.HOLDS),
        (-1.1, 0.5, Verdict.OPEN),
        (0.5, 1.1, Verdict.OPEN),
        (-2, 2, Verdict.OPEN),
        (1.01, 2, Verdict.FAILS),
        (-3, -1.01, Verdict.FAILS),
        (float("nan"), float("nan"), Verdict.OPEN),
    ],
)
def test_a_band_is_judged_by_its_region(low: float, high: float, verdict: str) -> None:
    part = replace(exactly("", 0, Region(-1, 1)), band=band(low, high))
    assert part.verdict == verdict
    assert replace(part, band=replace(part.band, diverged=1)).verdict == Verdict.OPEN


@pytest.mark.parametrize(
    ("values", "verdict"),
    [((0, 0), Verdict.HOLDS), ((0, 5), Verdict.FAILS), ((0, 1.5), Verdict.OPEN), ((5, 1.5), Verdict.FAILS)],
)
def test_a_claim_is_judged_by_its_parts(values: tuple[float, float], verdict: str) -> None:
    parts = tuple(replace(exactly("", 0, Region(-1, 1)), band=band(value - 1, value + 1)) for value in values)
    assert Claim("", "", "", parts, "").verdict == verdict


@pytest.mark.parametrize(("border", "parts"), [(-1.0, 1), (1.0, 1), (1.0, 3)])
def test_on_the_border_a_verdict_is_wrong_once_in_twenty_at_most(border: float, parts: int) -> None:
    """Where truth lies on the border of the region neither verdict may be given more often than LEVEL, shared
    among the parts."""
    level = 0.05 / parts
    found = [
        mean_within("", border + one, Region(-1, 1), Design(0.0, 1.0, parts)).verdict
        for one in draws(1500, 12)
    ]
    for verdict in (Verdict.HOLDS, Verdict.FAILS):
        assert found.count(verdict) / len(found) < level + 3 * np.sqrt(level * (1 - level) / len(found))
    assert found.count(Verdict.FAILS) / len(found) > level / 2, "the level is used"


@pytest.mark.parametrize("ratio", [0.0, 1 / 3])
def test_the_power_is_how_often_the_verdict_comes(ratio: float) -> None:
    """Against simulated studies whose divisions are correlated by the very ratio assumed."""
    studies, n = 800, 30
    noise = draws(studies, n) + draws(studies, 1, seed=1, sd=np.sqrt(ratio))
    region = Region(-2.0, 1.2)
    parts = [mean_within("", one, region, Design(0.0, 1.0), ratio) for one in noise]
    found = np.mean([part.verdict == Verdict.HOLDS for part in parts])
    assert found == pytest.approx(parts[0].power, abs=0.05)


def test_the_power_of_shares_and_deviations_too() -> None:
    studies, n = 800, 60
    uniform = generator(8, SIMULATION).random((studies, n))
    shares = [share_within("", (one < 0.2).astype(float), Region(0.1, 0.35), Design(0.2)) for one in uniform]
    assert np.mean([part.verdict == Verdict.HOLDS for part in shares]) == pytest.approx(
        shares[0].power, abs=0.05
    )
    spreads = [deviation_within("", one, Region(0.8, 1.2), Design(1.0)) for one in draws(studies, n)]
    assert np.mean([part.verdict == Verdict.HOLDS for part in spreads]) == pytest.approx(
        spreads[0].power, abs=0.05
    )
    below = [deviation_within("", one, Region(high=1.2), Design(1.0)) for one in draws(studies, n)]
    assert np.mean([part.verdict == Verdict.HOLDS for part in below]) == pytest.approx(
        below[0].power, abs=0.05
    )
    assert 0.1 < shares[0].power < 0.99
    assert 0.1 < spreads[0].power < 0.99


def test_a_network_that_diverged_is_counted_and_silences_its_part() -> None:
    values = draws(50, sd=0.001)
    values[3] = np.nan
    part = mean_within("", values, Region(-1, 1), Design(0, 1), RATIO)
    assert (part.band.diverged, part.band.n, part.verdict) == (1, 49, Verdict.OPEN)
    hole = sample(MANY, **FIRST)
    hole.splits.val_loss[5, 0] = np.nan
    assert losses.first_run(hole).parts[1].band.diverged == 1
    assert losses.first_run(hole).verdict == Verdict.OPEN


# The measures


def test_likeness_is_numpys_correlation_without_the_silent() -> None:
    found = np.maximum(draws(3, 40, 5), 0)
    found[1, :, 2] = 0
    for one, value in zip(found, likeness(found), strict=True):
        live = one[:, one.any(axis=0)]
        pairs = np.abs(np.corrcoef(live, rowvar=False))[np.triu_indices(live.shape[1], 1)]
        assert value == pytest.approx(pairs.mean())
    assert likeness(np.repeat(np.maximum(draws(1, 9, 1), 0), 3, axis=2) * [1, 2, 3]) == pytest.approx(1.0)


def test_the_slope_at_a_relu_exit_is_the_slope(parts: Split) -> None:
    """The first step of plain descent, against central differences of the loss it is to lower."""
    recipe = Recipe(epochs=1, batch_size=len(parts.train.y), dropout=0.0, optimizer="sgd", learning_rate=1e-6)
    plan = seeded_plan(recipe, parts.train, [0])
    before, _ = numerics.relu_exit(parts.train, recipe, plan)
    again, _ = numerics.relu_exit(
        parts.train, replace(recipe, epochs=2), seeded_plan(replace(recipe, epochs=2), parts.train, [0])
    )
    fell = (again[0, 1] - before[0, 0]) / 1e-6
    halved, _ = numerics.relu_exit(
        parts.train,
        replace(recipe, epochs=2, learning_rate=5e-7),
        seeded_plan(replace(recipe, epochs=2), parts.train, [0]),
    )
    assert fell < 0
    assert (halved[0, 1] - before[0, 0]) / 5e-7 == pytest.approx(fell, rel=0.05), (
        "to first order the loss falls with the step"
    )
