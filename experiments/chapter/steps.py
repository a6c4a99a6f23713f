"""Claims about steps: backpropagation's price, a step too large, Adam against a step tuned by hand."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from experiments.chapter.rows import Runs, final
from experiments.claims.bands import (
    Design,
    exactly,
    mean_band,
    mean_text,
    mean_within,
    seed_means,
    share_band,
    share_within,
)
from experiments.claims.claim import Claim, Region
from handnet.contract import Layer
from handnet.data import Array, Table
from handnet.mlp.network import backward, forward, log_loss_backward


class Price(NamedTuple):
    """What one adjustment of all weights of a network costs, counted."""

    weights: int
    nudging: int  # forward passes of one case each, two for every weight and every case
    forward: int  # multiplications of one case's forward pass
    backward: int  # of its way back: a slope for every weight, an error for every unit that has one


def price(widths: Sequence[int], cases: int) -> Price:
    """The price for a network of these widths, inputs first, on so many cases. The inputs need no error."""
    products = [a * b for a, b in pairwise(widths)]
    weights = sum(products) + sum(widths[1:])
    return Price(weights, 2 * weights * cases, sum(products), sum(products) + sum(products[1:]))


def backward_ratios(layers: tuple[Layer, ...], table: Table, rounds: int) -> Array:
    """(rounds,): seconds of a backward sweep over those of the forward pass just before it."""
    rows, ratios = np.broadcast_to(table.X, (len(layers[0].weight), *table.X.shape)), []
    for _ in range(rounds):
        started = time.perf_counter()
        z, trace = forward(layers, rows)
        there = time.perf_counter()
        backward(layers, trace, log_loss_backward(z, table.y) / len(table.y))
        ratios.append((time.perf_counter() - there) / (there - started))
    return np.array(ratios)


def one_sweep(cost: Price, ratios: Array) -> Claim:
    """437,162 passes against one sweep that costs about as much as a forward pass."""
    saved = (
        cost.nudging * cost.forward / ((cost.nudging // (2 * cost.weights)) * (cost.forward + cost.backward))
    )
    parts = (
        exactly(
            "forward passes to nudge each weight both ways, once", cost.nudging, Region(437_162, 437_162)
        ),
        exactly("multiplications, backward over forward", cost.backward / cost.forward, Region(0.5, 2.0)),
    )
    return Claim(
        "437,162 passes against one sweep",
        "2 directions x 641 dials x 341 patients = 437,162 full forward passes [...] a single backward sweep "
        "that costs about the same as one forward pass.",
        "Counted. About the same means within a factor of two. Timed beside it, each round a ratio on one"
        " machine.",
        parts,
        f"{cost.weights} weights: the sweep, forward pass included, needs {saved:,.0f} times fewer"
        " multiplications than nudging. By the clock, in NumPy on this machine, it takes"
        f" {np.median(ratios):.1f} times as long as the forward pass.",
        (("seconds, backward over forward", replace(mean_band(ratios), varied="rounds")),),
    )


def thousands(cases: int, batch: int, passes: Mapping[str, int]) -> Claim:
    """The dials are adjusted thousands of times. passes: of each of the chapter's runs."""
    each = -(-cases // batch)
    parts = tuple(
        exactly(f"adjustments of every weight, {run} run", each * many, Region(low=1000))
        for run, many in passes.items()
    )
    return Claim(
        "The dials are adjusted thousands of times",
        "...just to adjust the dials ONCE. And you must adjust them thousands of times.",
        f"Counted: a pass over {cases} cases in batches of {batch}, as the printed code has it, adjusts every"
        f" weight {each} times. Thousands is a thousand at least.",
        parts,
        "; ".join(
            f"the {run} run's {many} passes adjust every weight {each * many} times"
            for run, many in passes.items()
        ).capitalize()
        + ".",
    )


TUNING = 0.2  # of the divisions, on which the step is found


def worse(runs: Runs) -> Array:
    """(K, R) bool: a network whose train loss is larger than before training, or no number any more."""
    return ~(final(runs.train_loss_off) <= runs.start_loss)


def first_too_large(search: Mapping[float, Runs]) -> tuple[float, float]:
    """The first step at which half of the networks end worse, and its half. search: by step; the finer they
    lie the more slightly."""
    large = next((size for size in sorted(search) if worse(search[size]).mean() >= 0.5), max(search))
    return large, large / 2


def too_large(search: Mapping[float, Runs], at_large: Runs, at_half: Runs) -> Claim:
    """A step slightly too large leaves a network worse than before; halving it mends that. search: by step,
    other divisions than the two of which it is asked."""
    (large, half), spoilt, still = first_too_large(search), worse(at_large)[:, 0], worse(at_half)[:, 0]
    mended = ~still[spoilt] if spoilt.any() else ~still
    parts = (
        share_within(
            f"share of networks worse than before at step {large:.3g}",
            spoilt,
            Region(low=0.25),
            Design(0.5, parts=2),
        ),
        share_within(
            f"of those, share not worse at step {half:.3g}", mended, Region(low=0.9), Design(0.99, parts=2)
        ),
    )
    shares = ", ".join(
        f"{size:g}: {worse(search[size]).mean():.0%}" for size in sorted(search) if np.log2(size) % 1 == 0
    )
    return Claim(
        "Slightly too large a step leaves the network worse; halving it mends that",
        "I once set a fixed step that was slightly too large and "
        "[...] my building was WORSE after training than before [...] Halving the step fixed it instantly.",
        "Plain descent, 50 passes. Slightly too large is the first step, each a fifth larger than the one"
        " before, at which half of the networks of a fifth of the divisions end worse; it and its half are"
        " tried on the other divisions, one network each. There it has to leave one in four worse, and"
        " halving mends it if nine in ten of those are worse no more.",
        parts,
        f"Step {large:.3g} leaves {spoilt.mean():.0%} worse; with half of it {mended.mean():.0%} of those are"
        f" not. Share of networks worse, by step: {shares}.",
        ((f"share of all networks worse at step {half:.3g}", share_band(still.astype(float))),),
    )


def tuned(tries: Mapping[float, Runs], name: str) -> Array:
    """(K,): a score of the step that is best on each division's rows for choosing, by mean log loss over
    seeds. NaN loses."""
    losses = np.array([seed_means(runs.choosing_loss) for runs in tries.values()])
    scores = np.array([seed_means(getattr(runs, name)) for runs in tries.values()])
    best = np.where(np.isfinite(losses), losses, np.inf).argmin(axis=0)
    return np.asarray(scores[best, np.arange(scores.shape[1])])


def adam_saves_tuning(adam: Mapping[float, Runs], plain: Mapping[float, Runs], ratio: float) -> Claim:
    """Plain descent with a tuned step also works; Adam needs no tuning."""
    untuned = seed_means(adam[1e-3].exam_accuracy)
    by_hand, by_search = tuned(plain, "exam_accuracy"), tuned(adam, "exam_accuracy")
    middle = seed_means(plain[sorted(plain)[len(plain) // 2]].exam_accuracy)
    parts = (
        mean_within(
            "exam accuracy, tuned plain descent less Adam as it comes",
            by_hand - untuned,
            Region(low=-0.01),
            Design(0.0, 0.006, 2),
            ratio,
        ),
        mean_within(
            "exam accuracy, tuned Adam less Adam as it comes",
            by_search - untuned,
            Region(high=0.01),
            Design(0.0, 0.006, 2),
            ratio,
        ),
    )
    return Claim(
        "Adam saves the tuning",
        "Plain gradient descent with a hand-tuned step also works -- but Adam saves you the tuning.",
        f"{len(plain)} steps of either, 50 passes each, chosen by log loss on the half for choosing, graded"
        " on the exam half. Also works, and nothing lost without tuning: within a point.",
        parts,
        f"Exam accuracy: Adam as it comes {mean_text(untuned, ratio)}, tuned"
        f" {mean_text(by_search, ratio)}; plain descent tuned {mean_text(by_hand, ratio)}.",
        (("plain descent, a middling step less its tuned one", mean_band(middle - by_hand, ratio=ratio)),),
    )
