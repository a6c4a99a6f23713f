"""The claims: in worlds made up so that a claim is true, it holds; false, it does not; too small, it cannot
be told."""

import inspect
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.chapter import losses, mistakes, numerics, passes, repeats, steps, units
from experiments.chapter import trials as chapter
from experiments.chapter.rows import FIRST_NETWORK, OpenRows, Runs, Sample, likeness
from experiments.chapter.trials import ADAM, PLAIN, inquiry, trials
from experiments.claims.__main__ import claims
from experiments.claims.bands import Design, deviation_within, exactly, mean_within, share_within
from experiments.claims.claim import Claim, Region, Verdict
from experiments.claims.inquiry import show, write_page
from handnet import Dataset, Recipe, load_backend, seeded_plan, split
from handnet.bands import Band
from handnet.command import main
from handnet.data import Array
from handnet.draws import SIMULATION, Seed, generator
from handnet.mlp.network import sigmoid
from handnet.mlp.replicas import train_replicas
from handnet.splits import Split
from handnet.study.reading import read
from handnet.study.screen import Screen
from handnet.study.units import Problem

ROOT = Path(__file__).parent.parent
RATIO, EPOCHS, SEEDS = 1 / 3, 100, 4
CURVES = ("train_loss", "train_loss_off", "val_loss")
Mean = float | Array


def draws(*shape: int, seed: int = 0, sd: float = 1.0) -> Array:
    return sd * generator(seed, SIMULATION).standard_normal(shape)


def world(n: int, sd: float = 0.005, seed: int = 0, **means: Mean) -> Runs:
    """Networks on n divisions with these means, a division's deviation sd and a seed's a tenth of it; all
    else is 0. A loss has one mean for all epochs, or one for each."""
    found = {}
    for place, name in enumerate(Runs._fields):
        noise = draws(n, 1, seed=100 * seed + place, sd=sd) + draws(
            n, SEEDS, seed=100 * seed + place + 50, sd=sd / 10
        )
        mean = np.asarray(means.get(name, 0.0))
        found[name] = noise[..., None] + np.broadcast_to(mean, EPOCHS) if name in CURVES else noise + mean
    return Runs(**found)


def sample(n: int, seed: int = 0, sd: float = 0.005, **means: Mean) -> Sample:
    return Sample(world(n, sd, seed, **means), world(1, sd, seed + 7, **means))


FIRST = {"train_loss": 0.07, "val_loss": 0.15, "train_loss_off": 0.06, "accuracy": 0.974}
FELL = np.linspace(0.2, 0.02, EPOCHS)
CLIMBED = 0.1 + 0.002 * np.abs(np.arange(EPOCHS) - 34)


def first_run(true: bool, n: int) -> Claim:
    return losses.first_run(sample(n, **(FIRST | ({} if true else {"val_loss": 0.08}))))


def second_run(true: bool, n: int) -> Claim:
    second = FIRST | {"train_loss": 0.09, "val_loss": 0.14} | ({} if true else {"accuracy": 0.94})
    return losses.second_run(sample(n, sd=0.002, **FIRST), sample(n, 1, 0.002, **second), RATIO)


def gap_closes(true: bool, n: int) -> Claim:
    second = sample(n, 1, **(FIRST | ({"val_loss": 0.11} if true else {"val_loss": 0.17})))
    return losses.gap_closes(sample(n, **FIRST), second, second, second, RATIO)


def dropout_neighbourhood(true: bool, n: int) -> Claim:
    accuracy = {0.1: 0.974, 0.2: 0.974, 0.3: 0.974 if true else 0.94}
    rates = {rate: sample(n, round(10 * rate), 0.002, accuracy=mean) for rate, mean in accuracy.items()}
    return losses.dropout_neighbourhood(rates, RATIO)


def climbs(true: bool, n: int) -> Claim:
    return passes.climbs(world(n, 0.005, train_loss_off=FELL, val_loss=CLIMBED if true else FELL), RATIO)


def stopping_helps(true: bool, n: int) -> Claim:
    stopped = world(n, 0.01, 1, exam_loss=0.05 if true else 0.15)
    return passes.stopping_helps(world(n, 0.01, exam_loss=0.1), stopped, RATIO, "planted", 0.01)


def dropout_cures(true: bool, n: int) -> Claim:
    without = world(n, 0.01, val_loss=0.15, train_loss_off=0.02)
    return passes.dropout_cures(
        without, world(n, 0.01, 1, val_loss=0.08 if true else 0.2, train_loss_off=0.04), RATIO
    )


def flunks(true: bool, n: int) -> Claim:
    pushed = world(n, 0.002, 1, train_accuracy=1.0, accuracy=0.9 if true else 0.965)
    return passes.flunks(world(n, 0.002, accuracy=0.97), pushed, RATIO)


def too_large(true: bool, n: int) -> Claim:
    """Of the steps tried the third is the first to leave half of the networks worse. It does elsewhere too,
    and its half mends that, or leaves nearly all of them worse still."""
    search = {
        2.0**place: world(9, 0.05, place, start_loss=0.69, train_loss_off=0.1 + 0.8 * (place > 1))
        for place in range(5)
    }
    assert steps.first_too_large(search) == (4.0, 2.0)
    large, half = (
        world(n, 0.05, 9 + place, start_loss=0.69, train_loss_off=loss)
        for place, loss in enumerate((0.9, 0.1 if true else 0.67))
    )
    return steps.too_large(search, large, half)


def adam_saves_tuning(true: bool, n: int) -> Claim:
    """Of plain descent's steps the second is good, or none; the losses on the rows for choosing tell
    which."""
    adam = {
        step: world(n, 0.005, place, exam_accuracy=0.97, choosing_loss=0.1) for place, step in enumerate(ADAM)
    }
    plain = {
        step: world(
            n,
            0.005,
            9 + place,
            exam_accuracy=0.97 if true and place == 1 else 0.9,
            choosing_loss=0.2 - 0.1 * (place == 1),
        )
        for place, step in enumerate(PLAIN)
    }
    return steps.adam_saves_tuning(adam, plain, RATIO)


def masks(n: int, rate: float, whole: bool = False) -> Array:
    """(n, cases, 16): as many cases as networks; by case, or one mask for all cases."""
    keep = generator(3, SIMULATION).random((n, 1 if whole else n, 16)) >= rate
    return np.broadcast_to(keep, (n, n, 16))


def sitting_out(true: bool, n: int) -> Claim:
    return units.sitting_out(masks(n, 0.2 if true else 0.5))


def whole_pass(true: bool, n: int) -> Claim:
    """Units silent throughout, and others silent for some cases; or the latter alone."""
    some = masks(4 * n, 0.1)
    return units.whole_pass(masks(4 * n, 0.2, whole=True) & some if true else some, draws(n))


def copying(true: bool, n: int) -> Claim:
    under = world(n, 0.03, 1, likeness=0.3 if true else 0.6)
    return units.copying(world(n, 0.03, likeness=0.45, start_likeness=0.25), under, RATIO)


def ruler(true: bool, n: int) -> Claim:
    leaky = world(n, 0.002, 1, accuracy=0.975 if true else 0.965)
    return mistakes.ruler(world(n, 0.002, accuracy=0.97), leaky, RATIO)


def memory_test(true: bool, n: int) -> Claim:
    return mistakes.memory_test(world(n, 0.01, train_accuracy=0.997, accuracy=0.96 if true else 1.02), RATIO)


def unscaled(true: bool, n: int) -> Claim:
    """Each fourth start overflows on rows of class 0, where the loss is nan; or none does."""
    start = np.where(np.arange(n)[:, None] % 4 == 3, -200.0 if true else -10.0, 10.0) * np.ones(5)
    return numerics.unscaled(start, np.zeros(5), draws(n), draws(n, seed=1))


def relu_at_the_exit(true: bool, n: int) -> Claim:
    """Losses below 0 and networks that got worse, or neither."""
    loss = draws(n, 5, sd=0.1) + (-1 if true else 1)
    before = 0.6 + draws(n, sd=0.1)
    return numerics.relu_at_the_exit(
        loss, np.stack([before, before + (-0.2 if true else 0.3) + draws(n, seed=1, sd=0.1)], 1)
    )


def reproduces(true: bool, n: int) -> Claim:
    own = world(1, 0.0, **FIRST)
    several = Runs(*(np.repeat(part, n, axis=1)[:, :n] for part in own))
    jitter = draws(1, n, 1, sd=0.0 if true else 0.05)
    return repeats.reproduces(several._replace(train_loss=several.train_loss + jitter))


def jitter(true: bool, n: int) -> Claim:
    return repeats.jitter(world(n, 0.011 if true else 0.05, accuracy=0.97), world(1, accuracy=0.97))


def starting_dials(true: bool, n: int) -> Claim:
    alone = world(n, 0.2 if true else 0.005, accuracy=0.97)
    return repeats.starting_dials(alone, world(n, 0.2, 1, accuracy=0.97), RATIO)


def odd_case(true: bool, n: int) -> Claim:
    """A benign case in thirty is scored high; it is odd in both families, or no case is. The label is as
    told."""
    logits = np.where(generator(5, SIMULATION).random((n, 8)) < 0.03, 3.0, -3.0)
    return repeats.odd_case(logits, np.zeros((n, 8), int), np.full((n, 8), true), "benign")


SAMPLED = [
    first_run,
    second_run,
    gap_closes,
    dropout_neighbourhood,
    climbs,
    dropout_cures,
    flunks,
    stopping_helps,
    too_large,
    adam_saves_tuning,
    sitting_out,
    whole_pass,
    copying,
    ruler,
    memory_test,
    unscaled,
    relu_at_the_exit,
    reproduces,
    jitter,
    starting_dials,
    odd_case,
]
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
    return Band(low, high, "t", "seeds", 9, 0.9, (("mean", (low + high) / 2),), diverged)


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


# The world


@pytest.fixture(scope="module")
def small(data: Dataset, parts: Split) -> OpenRows:
    return OpenRows(problem(data, parts), count=2, own=16)


def problem(data: Dataset, parts: Split) -> Problem:
    return Problem(data, parts, load_backend("compiled"), read({"backend.name": "compiled"}).backend)


@pytest.fixture(scope="module")
def tried(small: OpenRows) -> list[Claim]:
    return [trial() for trial in trials(small)]


def test_divisions_are_of_open_rows_alone_and_as_large_as_the_studys(small: OpenRows, parts: Split) -> None:
    ids = set(small.table.case_ids.tolist())
    assert ids == set(parts.train_rows.tolist()) | set(parts.val_rows.tolist())
    assert not ids & set(parts.test_rows.tolist())
    for one in small.divisions:
        assert (len(one.train.y), len(one.held.y), one.choosing) == (len(parts.train.y), len(parts.val.y), 57)
        assert np.abs(one.train.X.mean(axis=0)).max() < 1e-9
    assert small.ratio == pytest.approx(114 / 341)


def test_what_diverges_has_no_score(small: OpenRows) -> None:
    runs = small.runs(Recipe(optimizer="sgd", learning_rate=1e9, epochs=2))
    assert np.isfinite(runs.start_loss).all()
    assert np.isnan(runs.accuracy).all()
    assert np.isnan(runs.val_loss).all()
    assert steps.worse(runs).all()


def test_starts_alone_differ_in_first_weights_and_in_nothing_else(small: OpenRows) -> None:
    """The fourth network of the first place is the one with the fourth's first weights, the first's order and
    the first's masks."""
    recipe, one, problem = Recipe(epochs=3), small.divisions[0], small.problem
    alone, seeds = small.runs(recipe, starts_alone=True), small.runs(recipe)
    wanted = [Seed(init=FIRST_NETWORK + 3, order=FIRST_NETWORK, dropout=FIRST_NETWORK)]
    fit = train_replicas(problem.backend, one.train, one.held, recipe, wanted, problem.spec.draws)
    assert np.array_equal(alone.train_loss[0, 3], fit.train_loss[0])
    assert np.array_equal(alone.start_loss, seeds.start_loss)
    assert (alone.train_loss[:, 1:] != seeds.train_loss[:, 1:]).all()


def test_patience_sees_the_rows_for_choosing_alone(small: OpenRows) -> None:
    """Other measurements in the exam half change the exam's scores and nothing else."""
    one, recipe = small.divisions[0], Recipe(epochs=30, patience=2, learning_rate=5e-3)
    X = one.held.X.copy()
    X[one.choosing :] = draws(*X[one.choosing :].shape)
    runs = small.runs(recipe, [one, one._replace(held=one.held._replace(X=X))])
    again = small.runs(recipe, [one._replace(held=one.held._replace(X=X))])
    assert np.array_equal(runs.choosing_loss[0], again.choosing_loss[0])
    assert not np.array_equal(runs.exam_loss[0], again.exam_loss[0])


def test_the_mistake_is_made_and_the_rows_are_the_same(small: OpenRows) -> None:
    """Scaled by all rows: mean 0 over train and held-out rows together, and the same up to a shift and a
    scale by column."""
    rows, parts, clean = small.table, small.splits[0], small.divisions[0]
    leaky = mistakes.scaled_before(rows.X, rows.y, parts, clean.choosing)
    both = np.concatenate([leaky.train.X, leaky.held.X])
    assert np.abs(both.mean(axis=0)).max() < 1e-9
    assert np.abs(leaky.train.X.mean(axis=0)).max() > 1e-3
    for ours, theirs in ((clean.train, leaky.train), (clean.held, leaky.held)):
        assert np.array_equal(ours.y, theirs.y)
        assert np.corrcoef(ours.X[:, 3], theirs.X[:, 3])[0, 1] == pytest.approx(1.0)


def test_no_claim_depends_on_a_sealed_row(tried: list[Claim], data: Dataset, parts: Split) -> None:
    """Noise in place of the sealed rows' measurements: every number of every claim is the same, but for the
    clock's."""
    X = data.X.copy()
    X[parts.test_rows] = draws(len(parts.test_rows), X.shape[1], sd=1e3)
    other = replace(data, X=X)
    again = [trial() for trial in trials(OpenRows(problem(other, split(other)), count=2, own=16))]
    for one, same in zip(*([claim.facts() for claim in some] for some in (tried, again)), strict=True):
        if one["title"].startswith("437,162"):
            one |= {"beside": [], "reading": ""}
            same |= {"beside": [], "reading": ""}
        assert json.dumps(one) == json.dumps(same), one["title"]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_terminal_and_cuts_nothing(
    small: OpenRows,
    tried: list[Claim],
    columns: int,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    show(Screen(), inquiry(small).facts(tried), Path("page"))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    said = " ".join(" ".join(lines).split())
    for part in (part for one in tried for part in one.parts):
        assert part.what in said
        assert f"; right if {part.region} (" in said


def test_the_page_and_the_data_say_what_the_claims_say(
    small: OpenRows, tried: list[Claim], tmp_path: Path
) -> None:
    page = write_page(inquiry(small).facts(tried), tmp_path, "claims")
    text, stored = page.read_text(), json.loads((tmp_path / "claims.json").read_text())
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert [one["verdict"] for one in stored["claims"]] == [one.verdict for one in tried]
    for one in tried:
        assert one.verdict in set(Verdict)
        assert one.parts
        assert f'<span class="soft">{one.verdict}</span></h2>' in text
    assert text.count("<svg") == sum(any(part.band.kind != "exact" for part in one.parts) for one in tried)


@pytest.mark.parametrize("bad", ["9", "many", "-1", "1001"])
def test_a_number_of_divisions_that_is_none_is_refused(bad: str, capsys: Any) -> None:
    assert main(claims, [f"DIVISIONS={bad}"]) == 2
    assert capsys.readouterr().err.startswith("handnet: DIVISIONS must be a whole number from 10 to 1000")


def test_what_ctrl_c_says_of_what_is_kept_is_true(tmp_path: Path) -> None:
    """Nothing is: the folder, which was made to see whether it can be, is all there is."""
    command = [sys.executable, "-m", "experiments.claims", f"MLRUNS={tmp_path}", "DIVISIONS=1000"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as running:
        while not (tmp_path / "claims").exists() and running.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        said = running.communicate()[1]
    assert running.returncode == 130
    assert said.endswith("\nStopped: it keeps nothing before its end; the same command begins anew.\n")
    assert not list((tmp_path / "claims").iterdir())
