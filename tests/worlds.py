"""Worlds made up so that a claim of the chapter is true or false in them, and the problem it is tried on."""

import numpy as np

from experiments.chapter import losses, mistakes, numerics, passes, repeats, steps, units
from experiments.chapter.rows import Runs, Sample
from experiments.chapter.trials import ADAM, PLAIN
from experiments.claims.claim import Claim
from handnet import Dataset, load_backend
from handnet.data import Array
from handnet.draws import SIMULATION, generator
from handnet.splits import Split
from handnet.study.reading import read
from handnet.study.units import Problem

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


def problem(data: Dataset, parts: Split) -> Problem:
    return Problem(data, parts, load_backend("compiled"), read({"backend.name": "compiled"}).backend)


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
