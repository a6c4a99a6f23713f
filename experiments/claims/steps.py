"""Claims about steps: backpropagation's price, a step too large, Adam against a step tuned by hand."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from experiments.claims.claim import (
    Claim,
    Design,
    Region,
    exactly,
    mean_band,
    mean_within,
    said,
    share_band,
    share_within,
)
from experiments.claims.losses import last, over_seeds
from experiments.claims.world import Runs
from handnet.backend import Layer
from handnet.data import Array, Table
from handnet.reference.functions import log_loss_backward
from handnet.reference.network import backward, forward


class Price(NamedTuple):
    """Of one adjustment of all weights: what is counted of a network of these widths."""

    weights: int
    nudging: int  # forward passes of one case each, two for every weight and every case
    forward: int  # multiplications of one case's forward pass
    backward: int  # of its way back: a slope for every weight, an error for every unit that has one


def price(widths: Sequence[int], cases: int) -> Price:
    """The first layer's inputs need no error."""
    products = [a * b for a, b in pairwise(widths)]
    weights = sum(products) + sum(widths[1:])
    return Price(weights, 2 * weights * cases, sum(products), sum(products) + sum(products[1:]))


def backward_ratios(layers: tuple[Layer, ...], table: Table, rounds: int) -> Array:
    """(rounds,): seconds of a backward sweep over those of the forward pass just before it."""
    rows, found = np.broadcast_to(table.X, (len(layers[0].weight), *table.X.shape)), []
    for _ in range(rounds):
        started = time.perf_counter()
        z, trace = forward(layers, rows)
        there = time.perf_counter()
        backward(layers, trace, log_loss_backward(z, table.y) / len(table.y))
        found.append((time.perf_counter() - there) / (there - started))
    return np.array(found)


def one_sweep(cost: Price, ratios: Array) -> Claim:
    """437,162 passes against one sweep that costs about as much as a forward pass."""
    saved = cost.nudging * cost.forward / ((cost.nudging // (2 * cost.weights)) * (cost.forward + cost.backward))
    parts = (
        exactly("forward passes to nudge each weight both ways, once", cost.nudging, Region(437_162, 437_162)),
        exactly("multiplications, backward over forward", cost.backward / cost.forward, Region(0.5, 2.0)),
    )
    return Claim(
        "437,162 passes against one sweep", "2 directions x 641 dials x 341 patients = 437,162 full forward passes [...] a single backward sweep "
        "that costs about the same as one forward pass.",
        "Counted. About the same means within a factor of two. Timed beside it, each round a ratio on one machine.",
        parts, f"{cost.weights} weights: the sweep, forward pass included, needs {saved:,.0f} times fewer multiplications than nudging.",
        (("seconds, backward over forward", replace(mean_band(ratios), varied="rounds")),),
    )  # fmt: skip


TUNING = 0.2  # of the divisions, on which the step is found


def worse(runs: Runs) -> Array:
    """(K, R) bool: a network whose train loss is larger than before training, or no number any more."""
    return ~(last(runs.train_loss_off) <= runs.start_loss)


def too_large(steps: Mapping[float, Runs]) -> Claim:
    """A step slightly too large leaves a network worse than before; halving it mends that. steps: each twice the one before."""
    sizes = sorted(steps)
    cut = max(1, round(TUNING * len(worse(steps[sizes[0]]))))
    share = {size: worse(steps[size])[:cut].mean() for size in sizes}
    large = next((size for size in sizes[1:] if share[size] >= 0.5), sizes[-1])
    half = sizes[sizes.index(large) - 1]
    parts = (
        share_within(f"share of networks worse than before at step {large:g}", worse(steps[large])[cut:, 0], Region(low=0.5),
                     Design(0.8, parts=2)),
        share_within(f"share of networks worse than before at step {half:g}", worse(steps[half])[cut:, 0], Region(high=0.1),
                     Design(0.01, parts=2)),
    )  # fmt: skip
    told = ", ".join(f"{size:g}: {worse(steps[size])[cut:].mean():.0%}" for size in sizes)
    mended = ~worse(steps[half])[cut:, 0][worse(steps[large])[cut:, 0]]
    return Claim(
        "Slightly too large a step leaves the network worse; halving it mends that", "I once set a fixed step that was slightly too large and "
        "[...] my building was WORSE after training than before [...] Halving the step fixed it instantly.",
        "Plain descent, 50 passes, steps each twice the one before. The step is the first at which half of the networks of a fifth of the divisions "
        "end worse; it and its half are tried on the others, one network each. Mended means at most one in ten still worse.",
        parts, f"Share of networks worse than before, by step: {told}.",
        ((f"of those worse at step {large:g}, the share not worse at {half:g}", share_band(mended)),) if len(mended) else (),
    )  # fmt: skip


def tuned(tries: Mapping[float, Runs], name: str) -> Array:
    """(K,): a score of the step that is best on each division's rows for choosing, by mean log loss over seeds. NaN loses."""
    losses = np.array([over_seeds(runs.choosing_loss) for runs in tries.values()])
    scores = np.array([over_seeds(getattr(runs, name)) for runs in tries.values()])
    best = np.where(np.isfinite(losses), losses, np.inf).argmin(axis=0)
    return np.asarray(scores[best, np.arange(scores.shape[1])])


def adam_saves_tuning(adam: Mapping[float, Runs], plain: Mapping[float, Runs], ratio: float) -> Claim:
    """Plain descent with a tuned step also works; Adam needs no tuning."""
    untuned = over_seeds(adam[1e-3].exam_accuracy)
    by_hand, by_search = tuned(plain, "exam_accuracy"), tuned(adam, "exam_accuracy")
    middle = over_seeds(plain[sorted(plain)[len(plain) // 2]].exam_accuracy)
    parts = (
        mean_within("exam accuracy, tuned plain descent less Adam as it comes", by_hand - untuned, Region(low=-0.01),
                    Design(0.0, 0.006, 2), ratio),
        mean_within("exam accuracy, tuned Adam less Adam as it comes", by_search - untuned, Region(high=0.01), Design(0.0, 0.006, 2), ratio),
    )  # fmt: skip
    return Claim(
        "Adam saves the tuning", "Plain gradient descent with a hand-tuned step also works -- but Adam saves you the tuning.",
        f"{len(plain)} steps of either, 50 passes each, chosen by log loss on the half for choosing, graded on the exam half. "
        "Also works, and nothing lost without tuning: within a point.",
        parts, f"Exam accuracy: Adam as it comes {said(untuned, ratio)}, tuned {said(by_search, ratio)}; plain descent tuned {said(by_hand, ratio)}.",
        (("plain descent, a middling step less its tuned one", mean_band(middle - by_hand, ratio=ratio)),),
    )  # fmt: skip
