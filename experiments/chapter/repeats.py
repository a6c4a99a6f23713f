"""Claims about doing it again: the fixed seed, the jitter, three in a hundred, and one odd case."""

import numpy as np

from experiments.chapter.rows import Runs, final
from experiments.claims.bands import (
    Design,
    deviation_band,
    deviation_within,
    exactly,
    mask_diverged,
    mean_band,
    mean_text,
    mean_within,
    share_band,
    share_within,
)
from experiments.claims.claim import LEVEL, Claim, Part, Region
from handnet.bands import wilson
from handnet.data import Array


def reproduces(own: Runs) -> Claim:
    """random_state 42 reproduces the numbers. own: one division, seeds in its row."""
    lines = np.stack(
        [
            np.round(final(own.train_loss)[0], 2),
            np.round(final(own.val_loss)[0], 2),
            np.round(own.accuracy[0], 3),
        ],
        axis=1,
    )
    kinds, counts = np.unique(lines, axis=0, return_counts=True)
    same = (lines == kinds[counts.argmax()]).all(axis=1)
    return Claim(
        "random_state 42 reproduces the exact numbers",
        "I left the random_state at 42 throughout so you can reproduce my exact numbers.",
        "random_state divides the table; the code printed here seeds no weights, orders or masks (that of"
        " part 1 is not shown). One division, other seeds: how many print the commonest line of train loss,"
        " validation loss and accuracy? Nineteen in twenty would be a reproduction.",
        (
            share_within(
                "share of seeds that print the commonest line", same, Region(low=0.95), Design(1.0), "seeds"
            ),
        ),
        f"{len(lines)} seeds on one division print {len(kinds)} different lines; the commonest comes from"
        f" {same.mean():.0%} of them.",
    )


def jitter(runs: Runs, own: Runs) -> Claim:
    """Without it accuracy jitters by a percent or so. own: the division of random_state 42, seeds in its
    row."""
    accuracy = runs.accuracy[:, 0]
    lucky = np.mean(accuracy[np.isfinite(accuracy)] < np.nanmean(own.accuracy))
    return Claim(
        "Accuracy jitters by a percent or so",
        "Drop it and your accuracy will jitter by a percent or so from run to run.",
        "Without random_state division and seed both change. The jitter is the standard deviation over"
        " divisions, one network each; a percent or so is half a point to two.",
        (
            deviation_within(
                "standard deviation of held-out accuracy, another division and seed",
                accuracy,
                Region(0.005, 0.02),
                Design(0.014),
            ),
        ),
        f"The standard deviation is {np.nanstd(accuracy, ddof=1):.3f} over divisions and seeds, the extremes"
        f" {np.nanmin(accuracy):.3f} and {np.nanmax(accuracy):.3f}; on one division, over seeds alone, it is"
        f" {np.nanstd(own.accuracy[0], ddof=1):.3f}. On the division of random_state 42 accuracy is"
        f" {mean_text(own.accuracy[0])} on average, more than on {lucky:.0%} of {len(accuracy)} others.",
        (("on one division, another seed", deviation_band(own.accuracy[0], varied="seeds")),),
    )


def starting_dials(alone: Runs, runs: Runs, ratio: float) -> Claim:
    """The starting dials matter. alone: networks of a division differ in their first weights and in nothing
    else; runs: in all."""
    starts, seeds = (networks.accuracy.std(axis=1, ddof=1) for networks in (alone, runs))
    return Claim(
        "The starting dials matter",
        "Your accuracy will jitter by a percent or so from run to run -- itself a useful reminder that the"
        " starting dials matter.",
        "One division, one order of visits, one sequence of masks, other first weights. They matter if they"
        " alone move accuracy by half a point, the least that the chapter's percent or so may be.",
        (
            mean_within(
                "standard deviation of held-out accuracy over first weights alone, mean over divisions",
                starts,
                Region(low=0.005),
                Design(0.008, 0.004),
                ratio,
            ),
        ),
        f"First weights alone move the accuracy on a division by {mean_text(starts, ratio)} (standard"
        f" deviation), all that a seed decides by {mean_text(seeds, ratio)}.",
        (
            (
                "standard deviation over seeds, which decide orders and masks too",
                mean_band(seeds, ratio=ratio),
            ),
        ),
    )


def three_in_a_hundred(right: int, cases: int) -> Claim:
    """97.4 % means roughly three in a hundred are told the wrong thing."""
    region, coverage = Region(0.02, 0.04), 1 - 2 * LEVEL
    band = wilson(cases - right, cases, coverage)
    part = Part(
        "share of other such patients told the wrong thing",
        region,
        band,
        0.026,
        _case_power(cases, 0.026, region),
    )
    return Claim(
        "97.4 % means three in a hundred",
        "97.4% accuracy still means roughly three patients in every hundred are told the wrong thing.",
        f"What {right} of {cases} exam cases say of other patients, the network standing still. Roughly three"
        " is two to four.",
        (part,),
        f"{cases - right} wrong of {cases} is what {100 * band.low:.1f} to {100 * band.high:.1f} in a hundred"
        " would give.",
    )


def _case_power(cases: int, truth: float, region: Region) -> float:
    return share_within("", np.zeros(cases, dtype=bool), region, Design(truth), "cases").power


UNUSUAL = 0.9  # above nine tenths of the benign train cases


def unusual(train: Array, y: Array, rows: Array, families: tuple[str, ...]) -> Array:
    """(n,) bool: rows high both in symmetry and in concavity, by the mean or the worst of either; the error
    of a measurement is no measurement of the case. train (m, features), y (m,)."""
    high = rows > np.quantile(train[y == 0], UNUSUAL, axis=0)
    names = np.array(families)
    return np.asarray(
        high[:, names == "symmetry"][:, ::2].any(axis=1) & high[:, names == "concavity"][:, ::2].any(axis=1)
    )


def odd_case(logits: Array, y: Array, odd: Array, label: str) -> Claim:
    """A benign case scored 0.91, high in symmetry and concavity. logits, y, odd: (K, n), one network a
    division; label: the class of case 203 in the table."""
    sure = (logits > np.log(0.9 / 0.1)) & (y == 0)
    fits = mask_diverged((sure & odd).any(axis=1), logits.sum(axis=1))
    parts = (
        exactly("case 203 is benign (1) or malignant (0)", float(label == "benign"), Region(1, 1)),
        share_within(
            "share of networks with such a case among the held-out ones",
            fits,
            Region(low=0.05),
            Design(0.2, parts=2),
        ),
    )
    return Claim(
        "Patient #203: benign, 0.91, symmetry and concavity",
        "Patient #203 in the exam pile drew a 0.91 malignant score but was benign -- she had unusually "
        "high symmetry and concavity.",
        "Numbered from 0, as scikit-learn does (202, her number from 1, is malignant too). And is there any"
        " such case: benign, scored above 0.9, and above nine tenths of the benign train cases in both? It"
        " can happen if it happens to one network in twenty.",
        parts,
        f"Case 203, numbered from 0, is {label}. {sure.any(axis=1).mean():.0%} of the networks have a benign"
        f" held-out case above 0.9, {np.nanmean(fits):.0%} one that fits the sentence.",
        (("share of networks with a benign case above 0.9", share_band(sure.any(axis=1))),),
    )
