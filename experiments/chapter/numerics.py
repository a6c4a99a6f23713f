"""Claims about floating point: e^500, the clip, columns that were not scaled, and a ReLU at the exit."""

from collections.abc import Callable

import numpy as np

from experiments.claims.bands import (
    Design,
    exactly,
    mean_band,
    mean_text,
    mean_within,
    share_band,
    share_within,
)
from experiments.claims.claim import Claim, Region
from handnet.contract import Layer, Recipe
from handnet.data import Array, Table
from handnet.draws import SeededPlan
from handnet.mlp.elementary import exp
from handnet.mlp.history import batches, pack, unpack
from handnet.mlp.network import OPTIMIZERS, backward, forward, relu

Squash = Callable[[Array], Array]
SCORES = np.arange(-1000, 1001, dtype=np.float32)


def unclipped(z: Array) -> Array:
    """1 / (1 + e^-z) as it is written."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-z)))


def written_out(p: Array, y: Array) -> Array:
    """-(y ln p + (1 - y) ln(1 - p)) as it is written, each row."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def shatters(squash: Squash) -> Claim:
    """e^500 makes the output nan in float32."""
    p = squash(SCORES)
    losses = [written_out(p, np.full_like(p, label)) for label in (0, 1)]
    broken = [np.isnan(loss).sum() for loss in losses]
    return Claim(
        "Past e^88 the output is nan",
        "In that format the largest representable value is roughly e^88 [...] e^500 [...] the gear shatters: "
        'the output is "nan".',
        f"The S-curve as it is written, in float32, at each whole score from {SCORES[0]:.0f} to"
        f' {SCORES[-1]:.0f}; "the output" is the S-curve\'s.',
        (
            exactly("ln of the largest float32", float(np.log(np.finfo(np.float32).max)), Region(88, 89)),
            exactly("outputs that are nan", float(np.isnan(p).sum()), Region(low=1)),
        ),
        f"S(-500) gives {float(p[500]):g}: e^500 is inf, and 1 / inf is 0, the right answer to float32. The"
        f" nan comes one step later: the loss as it is written is nan at {broken[0]} scores for y = 0 and at"
        f" {broken[1]} for y = 1, where 0 meets the logarithm of 0.",
    )


def clip_is_free(squash: Squash) -> Claim:
    """The clip moves the answer by less than one part in 10^34. squash: the S-curve with its clip."""
    far = np.concatenate(
        [np.linspace(-1000, 1000, 40_001), np.linspace(-81, -79, 20_001), np.linspace(79, 81, 20_001)]
    )
    with np.errstate(over="ignore"):
        free = 1 / (1 + exp(-far))  # with the same e^x, so that the clip alone can differ
    moved = float(np.abs(squash(far) - free).max())
    return Claim(
        "The clip changes less than a part in 10^34",
        "The clip changes the answer by less than one part in 10^34.",
        "In float64 at 80,003 scores from -1000 to 1000, against the S-curve as it is written; a part of the"
        " whole, which is a probability of 1.",
        (exactly("largest change of a probability", moved, Region(high=1e-34)),),
        f"The largest change is {moved:.2g}. Relative to the probability itself the change has no bound:"
        " S(-500) is 7e-218, and comes out as 1.8e-35.",
    )


def unscaled(start: Array, y: Array, trained: Array, scaled: Array) -> Claim:
    """Raw columns send a score past the overflow line at the very first pass, and the loss is nan. start: (R,
    n) first logits on raw rows of labels y (n,); trained, scaled: (R,) accuracies after training on raw and
    on scaled rows."""
    past = (np.abs(start) > np.log(np.finfo(np.float32).max)).any(axis=1)
    losses = written_out(unclipped(start.astype(np.float32)), y.astype(np.float32))
    nan = np.isnan(losses.mean(axis=1))
    change = mean_band(trained - scaled)
    return Claim(
        "Unscaled columns overflow before the first step",
        "I hit this once by forgetting to humble the columns [...] a score past the overflow line "
        "on the very first forward pass. The loss was nan before the first dial ever moved.",
        f"First weights of {len(start)} seeds on raw train rows, the S-curve and the loss as they are"
        " written, in float32. It can happen to somebody if it happens to one start in twenty.",
        (
            share_within(
                "share of starts with a score past e^88",
                past,
                Region(low=0.05),
                Design(0.5, parts=2),
                "seeds",
            ),
            share_within(
                "share of starts whose loss is nan", nan, Region(low=0.05), Design(0.5, parts=2), "seeds"
            ),
        ),
        f"The median start's largest score is {np.median(np.abs(start).max(axis=1)):.0f} in size. With a loss"
        f" computed from the score, as libraries do, {np.isfinite(trained).sum()} of {len(trained)} networks"
        " trained on raw rows all the same come to an end; their accuracy differs from that on scaled rows"
        f" by {mean_text(trained - scaled)}.",
        (("accuracy, raw less scaled rows", change),),
    )


CLIP = 1e-7  # Keras keeps probabilities so far from 0 and 1 before it takes their logarithm


def relu_exit(train: Table, recipe: Recipe, plan: SeededPlan) -> tuple[Array, Array]:
    """Batch losses (R, steps) and train accuracy (R, 2) before and after, of networks with relu in the
    sigmoid's place, under the loss as Keras computes it: -ln of a probability clipped to [1e-7, 1 - 1e-7],
    whose slope is 0 beyond the clip."""
    first = plan.start()
    weights, (start, step) = pack(first), OPTIMIZERS[recipe.optimizer]
    state, losses = start(weights), []
    for draw in plan.epochs():
        for batch in batches(len(train.y), recipe.batch_size):
            rows, layers = draw.order[:, batch], unpack(weights, first)
            y, keep = train.y[rows], draw.keep[0][:, batch] / (1 - recipe.dropout)
            z, trace = forward(layers, train.X[rows], keep)
            p = np.clip(relu(z), CLIP, 1 - CLIP)
            losses.append(written_out(p, y).mean(axis=1))
            error = ((1 - y) / (1 - p) - y / p) * (relu(z) == p) / y.shape[1]
            weights, state = step(
                weights, pack(backward(layers, trace, error, keep)), state, recipe.learning_rate
            )
    return np.array(losses).T, np.stack(
        [_right(layers, train) for layers in (first, unpack(weights, first))], axis=1
    )


def _right(layers: tuple[Layer, ...], train: Table) -> Array:
    return np.asarray(((relu(forward(layers, train.X)[0]) > 0.5) == (train.y == 1)).mean(axis=1))


def relu_at_the_exit(losses: Array, accuracy: Array) -> Claim:
    """A ReLU at the exit makes the loss negative, and accuracy falls. losses (R, steps); accuracy (R, 2)."""
    negative = np.asarray((losses < 0).any(axis=1))
    parts = (
        exactly("-ln(14.7)", float(-np.log(14.7)), Region(high=0)),
        share_within(
            "share of networks with a negative batch loss",
            negative,
            Region(low=0.5),
            Design(0.9, parts=3),
            "seeds",
        ),
        mean_within(
            "train accuracy, after less before",
            accuracy[:, 1] - accuracy[:, 0],
            Region(high=-0.01),
            Design(-0.1, 0.15, 3),
        ),
    )
    return Claim(
        "Mistake 3: a ReLU at the exit",
        "Room 3 emitted a raw 14.7 [...] -ln(14.7) is negative; the loss went negative; the slopes pointed"
        ' the wrong way; accuracy fell as "training" proceeded.',
        "The chapter's recipe with relu at the exit, over seeds, the loss as Keras computes it: it clips what"
        " it takes for a probability to [1e-7, 1 - 1e-7].",
        parts,
        f"Train accuracy {mean_text(accuracy[:, 0])} before and {mean_text(accuracy[:, 1])} after; the"
        f" smallest batch loss is {losses.min():.2g}. Under Keras's clip -ln p cannot be negative: a raw"
        " 14.7 counts as 1 and has no slope.",
        (
            (
                "share of networks better after than before",
                share_band(accuracy[:, 1] > accuracy[:, 0], varied="seeds"),
            ),
        ),
    )
