"""All claims, what they need is trained when the first one asks for it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from experiments.claims import losses, mistakes, numerics, repeats, steps, units
from experiments.claims.claim import FAILS, HOLDS, OPEN, Claim, facts
from experiments.claims.world import OWN, SEEDS, TEACHING, Division, Runs, World
from handnet.contract import Recipe
from handnet.data import Array, Table
from handnet.draws import SeededPlan, seeded_plan
from handnet.mlp.network import sigmoid

FIRST, SECOND = Recipe(), Recipe(dropout=0.3, epochs=70)  # the chapter's
LONG = 100  # passes of what is trained for too long
PUSHED = Recipe(dropout=0.0, epochs=300)  # six times as far as the chapter went
PLAIN = (0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0)  # steps of plain descent, tried by hand
LARGE = tuple(2.0 ** (place / 4) for place in range(21))  # from 1 to 32: where it begins to fail
ADAM = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3)
ROUNDS = 200  # of the timing
EXITS = 32  # seeds of the network with a relu at its exit
PRINTED = (111, 114)  # 0.974 of the exam pile


def trials(world: World) -> list[Callable[[], Claim]]:
    """Every claim as something to be tried, in order. Several use the same networks, which are trained
    once."""
    sample = cache(world.sample)
    runs = cache(lambda recipe: sample(recipe).splits if recipe in (FIRST, SECOND) else world.runs(recipe))
    ratio, exam = world.ratio, world.exam_ratio
    rates = {0.1: Recipe(dropout=0.1), 0.2: FIRST, 0.3: Recipe(dropout=0.3)}
    return [
        lambda: losses.first_run(sample(FIRST)),
        lambda: losses.second_run(sample(FIRST), sample(SECOND), ratio),
        lambda: losses.gap_closes(
            sample(FIRST), sample(SECOND), sample(Recipe(dropout=0.3)), sample(Recipe(epochs=70)), ratio
        ),
        lambda: losses.dropout_neighbourhood({rate: sample(recipe) for rate, recipe in rates.items()}, ratio),
        lambda: steps.one_sweep(*_sweep(world)),
        lambda: steps.thousands(
            len(world.problem.parts.train.y),
            FIRST.batch_size,
            {"first": FIRST.epochs, "second": SECOND.epochs},
        ),
        lambda: steps.too_large(*_large(world)),
        lambda: steps.adam_saves_tuning(
            {step: runs(Recipe(learning_rate=step)) for step in ADAM},
            {step: runs(_plain(step)) for step in PLAIN},
            exam,
        ),
        lambda: losses.climbs(runs(_long(0.0)), ratio),
        lambda: losses.dropout_cures(runs(_long(0.0)), runs(_long(0.2)), ratio),
        lambda: losses.flunks(runs(FIRST), runs(PUSHED), ratio),
        lambda: losses.stopping_helps(
            runs(FIRST), runs(_patient(FIRST)), exam, "the code as printed, 50 passes", 0.007
        ),
        lambda: losses.stopping_helps(
            runs(_long(0.0)), runs(_patient(_long(0.0))), exam, "no dropout, 100 passes", 0.02
        ),
        lambda: units.sitting_out(_keep(world)),
        lambda: units.whole_pass(_keep(world), sample(FIRST).seeds.dead[0]),
        lambda: units.copying(runs(_long(0.0)), runs(_long(0.2)), ratio),
        lambda: numerics.shatters(numerics.unclipped),
        lambda: numerics.clip_is_free(sigmoid),
        lambda: numerics.unscaled(*_raw(world, sample(FIRST).seeds)),
        lambda: mistakes.ruler(runs(FIRST), world.runs(FIRST, _leaky(world)), ratio),
        lambda: mistakes.memory_test(runs(FIRST), ratio),
        lambda: numerics.relu_at_the_exit(
            *numerics.relu_exit(world.problem.parts.train, FIRST, _plan(world, EXITS))
        ),
        lambda: repeats.reproduces(sample(FIRST).seeds),
        lambda: repeats.jitter(runs(FIRST), sample(FIRST).seeds),
        lambda: repeats.starting_dials(world.runs(FIRST, starts_alone=True), runs(FIRST), ratio),
        lambda: repeats.three_in_a_hundred(*PRINTED),
        lambda: repeats.odd_case(*_odd(world, runs(FIRST))),
    ]


SOURCE = 'Rahul Rai, "Rolling Downhill by Hand", 2026.'
RULE = (
    "A part of a claim holds when its band lies wholly where the chapter is right (margin included, fixed"
    " beforehand), does not hold when it lies wholly outside, and cannot be told when it crosses the border"
    " or networks diverged. Each of the two is wrong at most once in twenty; a claim of several parts shares"
    " that among them, holds when all parts do and fails when one does. Of so many claims one or two verdicts"
    " may be wrong by chance alone. Brackets hold bands, of 90 % in a sentence. Power is the chance of"
    ' "holds" at the truth named beforehand.'
)


def summary(found: Sequence[Claim], divisions: int) -> dict[str, Any]:
    """All there is to be said, as plain values."""
    counts = {verdict: sum(one.verdict == verdict for one in found) for verdict in (HOLDS, FAILS, OPEN)}
    told = (
        f"Of {len(found)} claims {counts[HOLDS]} hold, {counts[FAILS]} do not, and of {counts[OPEN]} it"
        " cannot be told."
    )
    where = (
        f"Tried on {divisions} fresh divisions of the train and validation rows of the default study's split,"
        f" {SEEDS} networks on each, and on {OWN} seeds of the split itself; its sealed test was not read."
    )
    return {
        "title": "The chapter's claims, tried",
        "source": SOURCE,
        "summary": told,
        "where": where,
        "rule": RULE,
        "divisions": divisions,
        "claims": facts(found),
    }


def _long(dropout: float) -> Recipe:
    return Recipe(dropout=dropout, epochs=LONG)


def _plain(step: float) -> Recipe:
    return Recipe(learning_rate=step, optimizer="sgd")


def _large(world: World) -> tuple[dict[float, Runs], Runs, Runs]:
    """Steps of plain descent on a fifth of the divisions; the first that is too large, and its half, on the
    others."""
    cut = max(1, round(steps.TUNING * world.count))
    search = {step: world.runs(_plain(step), world.divisions[:cut]) for step in LARGE}
    large, half = (world.runs(_plain(step), world.divisions[cut:]) for step in steps.slightly(search))
    return search, large, half


def _patient(recipe: Recipe) -> Recipe:
    return replace(recipe, patience=5)


def _plan(world: World, seeds: int) -> SeededPlan:
    return seeded_plan(FIRST, world.problem.parts.train, range(TEACHING, TEACHING + seeds))


def _keep(world: World) -> Array:
    """(own, n, units): the masks of the first pass."""
    return next(iter(_plan(world, world.own).epochs())).keep[0]


def _sweep(world: World) -> tuple[steps.Price, Array]:
    """Counted for the chapter's network, and timed for as many of them as are trained together."""
    train = world.problem.parts.train
    cost = steps.price((train.X.shape[1], *FIRST.hidden, 1), len(train.y))
    return cost, steps.backward_ratios(_plan(world, SEEDS).start(), train, ROUNDS)


def _raw(world: World, scaled: Runs) -> tuple[Array, Array, Array, Array]:
    """First logits on raw train rows and their labels, and accuracies after training on raw rows and on
    scaled ones."""
    data, parts = world.problem.data, world.problem.parts
    train, val = (Table(data.X[rows], data.y[rows]) for rows in (parts.train_rows, parts.val_rows))
    places = len(scaled.accuracy[0]) // SEEDS
    trained = world.runs(FIRST, [Division(train, val, len(val.y) // 2)] * places).accuracy.ravel()
    start = world.problem.backend.logits(_plan(world, world.own).start(), train.X)
    return start, train.y, trained, scaled.accuracy[0]


def _leaky(world: World) -> list[Division]:
    rows = world.open_rows
    return [mistakes.scaled_before(rows.X, rows.y, one, len(one.val.y)) for one in world.parts]


def _odd(world: World, runs: Runs) -> tuple[Array, Array, Array, str]:
    """Of each division its first network's held-out logits, the labels, and which cases are high in both
    families."""
    data = world.problem.data
    odd = [repeats.unusual(one.train.X, one.train.y, one.held.X, data.families) for one in world.divisions]
    label = data.class_names[data.y[list(data.case_ids).index(203)]]
    return runs.held_logits[:, 0], np.stack([one.held.y for one in world.divisions]), np.stack(odd), label
