"""All claims of the chapter in order. The networks that a claim needs are trained when the first claim asks
for them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from experiments.chapter import losses, mistakes, numerics, passes, repeats, steps, units
from experiments.chapter.rows import FIRST_NETWORK, OWN, OpenRows, Runs
from experiments.claims.claim import Claim
from experiments.claims.division import SEEDS, Division
from experiments.claims.inquiry import Inquiry
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


class Networks:
    """The networks that claims share: each recipe is trained once, when the first claim asks for it."""

    def __init__(self, rows: OpenRows) -> None:
        self.rows = rows
        self.sample = cache(rows.sample)
        self.runs = cache(self._runs)

    def _runs(self, recipe: Recipe) -> Runs:
        """The recipe over divisions; those of the chapter's two recipes belong to a sample."""
        return self.sample(recipe).splits if recipe in (FIRST, SECOND) else self.rows.runs(recipe)


def trials(rows: OpenRows) -> list[Callable[[], Claim]]:
    """Every claim as a function that tries it, in the order of the page."""
    networks = Networks(rows)
    return [*_of_training(networks), *_of_networks(networks)]


def _of_training(networks: Networks) -> list[Callable[[], Claim]]:
    """Claims about losses, steps and the number of passes."""
    rows, sample, runs = networks.rows, networks.sample, networks.runs
    ratio, exam, cases = rows.ratio, rows.exam_ratio, len(rows.problem.parts.train.y)
    rates = {0.1: Recipe(dropout=0.1), 0.2: FIRST, 0.3: Recipe(dropout=0.3)}
    return [
        lambda: losses.first_run(sample(FIRST)),
        lambda: losses.second_run(sample(FIRST), sample(SECOND), ratio),
        lambda: losses.gap_closes(
            sample(FIRST), sample(SECOND), sample(Recipe(dropout=0.3)), sample(Recipe(epochs=70)), ratio
        ),
        lambda: losses.dropout_neighbourhood({rate: sample(recipe) for rate, recipe in rates.items()}, ratio),
        lambda: steps.one_sweep(*_sweep(rows)),
        lambda: steps.thousands(cases, FIRST.batch_size, {"first": FIRST.epochs, "second": SECOND.epochs}),
        lambda: steps.too_large(*_large(rows)),
        lambda: steps.adam_saves_tuning(
            {step: runs(Recipe(learning_rate=step)) for step in ADAM},
            {step: runs(_plain(step)) for step in PLAIN},
            exam,
        ),
        lambda: passes.climbs(runs(_long(0.0)), ratio),
        lambda: passes.dropout_cures(runs(_long(0.0)), runs(_long(0.2)), ratio),
        lambda: passes.flunks(runs(FIRST), runs(PUSHED), ratio),
        lambda: passes.stopping_helps(
            runs(FIRST), runs(_patient(FIRST)), exam, "the code as printed, 50 passes", 0.007
        ),
        lambda: passes.stopping_helps(
            runs(_long(0.0)), runs(_patient(_long(0.0))), exam, "no dropout, 100 passes", 0.02
        ),
    ]


def _of_networks(networks: Networks) -> list[Callable[[], Claim]]:
    """Claims about units, floating point, mistakes and repetition."""
    rows, sample, runs = networks.rows, networks.sample, networks.runs
    ratio, train = rows.ratio, rows.problem.parts.train
    return [
        lambda: units.sitting_out(_keep(rows)),
        lambda: units.whole_pass(_keep(rows), sample(FIRST).seeds.dead[0]),
        lambda: units.copying(runs(_long(0.0)), runs(_long(0.2)), ratio),
        lambda: numerics.shatters(numerics.unclipped),
        lambda: numerics.clip_is_free(sigmoid),
        lambda: numerics.unscaled(*_raw(rows, sample(FIRST).seeds)),
        lambda: mistakes.ruler(runs(FIRST), rows.runs(FIRST, _leaky(rows)), ratio),
        lambda: mistakes.memory_test(runs(FIRST), ratio),
        lambda: numerics.relu_at_the_exit(*numerics.relu_exit(train, FIRST, _plan(rows, EXITS))),
        lambda: repeats.reproduces(sample(FIRST).seeds),
        lambda: repeats.jitter(runs(FIRST), sample(FIRST).seeds),
        lambda: repeats.starting_dials(rows.runs(FIRST, starts_alone=True), runs(FIRST), ratio),
        lambda: repeats.three_in_a_hundred(*PRINTED),
        lambda: repeats.odd_case(*_odd(rows, runs(FIRST))),
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


def inquiry(rows: OpenRows) -> Inquiry:
    """All claims of the chapter, and what their page says of them."""
    where = (
        f"Tried on {rows.count} fresh divisions of the train and validation rows of the default study's"
        f" split, {SEEDS} networks on each, and on {OWN} seeds of the split itself; its sealed test was not"
        " read."
    )
    title = "The chapter's claims, tried"
    return Inquiry("claims", title, "claims", SOURCE, where, RULE, rows.count, trials(rows))


def _long(dropout: float) -> Recipe:
    return Recipe(dropout=dropout, epochs=LONG)


def _plain(step: float) -> Recipe:
    return Recipe(learning_rate=step, optimizer="sgd")


def _large(rows: OpenRows) -> tuple[dict[float, Runs], Runs, Runs]:
    """Plain descent: by step on a fifth of the divisions; then, on the others, the first step that is too
    large, and its half."""
    cut = max(1, round(steps.TUNING * rows.count))
    search = {step: rows.runs(_plain(step), rows.divisions[:cut]) for step in LARGE}
    large, half = (rows.runs(_plain(step), rows.divisions[cut:]) for step in steps.first_too_large(search))
    return search, large, half


def _patient(recipe: Recipe) -> Recipe:
    return replace(recipe, patience=5)


def _plan(rows: OpenRows, seeds: int) -> SeededPlan:
    return seeded_plan(FIRST, rows.problem.parts.train, range(FIRST_NETWORK, FIRST_NETWORK + seeds))


def _keep(rows: OpenRows) -> Array:
    """(own, n, units): the keep masks of the first pass."""
    return next(iter(_plan(rows, rows.own).epochs())).keep[0]


def _sweep(rows: OpenRows) -> tuple[steps.Price, Array]:
    """The price of one adjustment of the chapter's network, and timings (ROUNDS,) of SEEDS such networks."""
    train = rows.problem.parts.train
    cost = steps.price((train.X.shape[1], *FIRST.hidden, 1), len(train.y))
    return cost, steps.backward_ratios(_plan(rows, SEEDS).start(), train, ROUNDS)


def _raw(rows: OpenRows, scaled: Runs) -> tuple[Array, Array, Array, Array]:
    """First logits (own, n) on raw train rows, their labels (n,), and accuracies (own,) after training on raw
    rows and on scaled ones."""
    data, parts = rows.problem.data, rows.problem.parts
    train, val = (Table(data.X[part], data.y[part]) for part in (parts.train_rows, parts.val_rows))
    places = len(scaled.accuracy[0]) // SEEDS
    trained = rows.runs(FIRST, [Division(train, val, len(val.y) // 2)] * places).accuracy.ravel()
    start = rows.problem.backend.logits(_plan(rows, rows.own).start(), train.X)
    return start, train.y, trained, scaled.accuracy[0]


def _leaky(rows: OpenRows) -> list[Division]:
    X, y = rows.table.X, rows.table.y
    return [mistakes.scaled_before(X, y, parts, len(parts.val.y)) for parts in rows.splits]


def _odd(rows: OpenRows, runs: Runs) -> tuple[Array, Array, Array, str]:
    """Held-out logits (K, n) of the first network of each division, labels (K, n), which cases are high in
    both families (K, n), and the class of case 203."""
    data = rows.problem.data
    odd = np.stack([repeats.unusual(*part.train[:2], part.held.X, data.families) for part in rows.divisions])
    label = data.class_names[data.y[list(data.case_ids).index(203)]]
    return runs.held_logits[:, 0], np.stack([part.held.y for part in rows.divisions]), odd, label
