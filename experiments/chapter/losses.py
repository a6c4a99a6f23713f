"""Claims about the losses of a run: the printed numbers, the gap and what closes it, the dropout rate."""

import numpy as np

from experiments.chapter.rows import Runs, Sample, final
from experiments.claims.bands import (
    Design,
    mask_diverged,
    mean_band,
    mean_text,
    mean_within,
    seed_means,
    share_within,
)
from experiments.claims.claim import Claim, Part, Region
from handnet.bands import Band
from handnet.data import Array

CLOSED = Region(high=-0.01)  # a change of the gap: the least that two decimals show
LIKELY = Region(low=0.05)  # a printed number is plausible if so many networks lie on either side of it


def printed_number(name: str, values: Array, number: float, digits: int, parts: int) -> Part:
    """A part: a printed number, up to its rounding, is one that networks like these print.

    values: (K, R), of which the first network of each division counts. parts: how many the claim has.
    """
    networks, half = values[:, 0], 0.5 * 10.0**-digits
    below, above = networks < number + half, networks > number - half
    rarer = mask_diverged(min(below, above, key=np.sum), networks)
    what = f"{name}: share of networks on the rarer side of {number}"
    return share_within(what, rarer, LIKELY, Design(truth=0.3, parts=parts))


def first_run(first: Sample) -> Claim:
    """50 passes gave 0.07, 0.15, 0.974."""
    runs = first.splits
    quantities = [
        ("train loss, as Keras prints it", final(runs.train_loss), 0.07, 2),
        ("validation loss", final(runs.val_loss), 0.15, 2),
        ("held-out accuracy", runs.accuracy, 0.974, 3),
    ]
    parts = tuple(printed_number(*quantity, parts=3) for quantity in quantities)
    middles = "; ".join(_quantiles_text(name, values, number) for name, values, number, _ in quantities)
    return Claim(
        "The numbers of the first run",
        "50 passes over the study pile gave: train loss 0.07 . practice loss 0.15 . sealed-exam accuracy"
        " 0.974.",
        "The chapter's recipe, one network on each fresh division: are the three numbers among the middle"
        " nine tenths of what it prints? Each is if at least one network in twenty prints it or more, and one"
        " in twenty it or less; the rarer of the two is in the table. make witness runs the chapter's own"
        " Keras code and compares the same three numbers with the network by hand.",
        parts,
        f"Median and middle nine tenths of what the recipe prints: {middles}.",
    )


def second_run(first: Sample, second: Sample, ratio: float) -> Claim:
    """Then 0.09, 0.14 and essentially the same accuracy."""
    runs = second.splits
    change = seed_means(runs.accuracy - first.splits.accuracy)
    parts = (
        printed_number("train loss, as Keras prints it", final(runs.train_loss), 0.09, 2, 3),
        printed_number("validation loss", final(runs.val_loss), 0.14, 2, 3),
        mean_within(
            "accuracy, second run less first", change, Region(-0.01, 0.01), Design(0.0, 0.005, 3), ratio
        ),
    )
    middles = "; ".join(
        _quantiles_text(name, final(losses), number)
        for name, losses, number in (
            ("train loss", runs.train_loss, 0.09),
            ("validation loss", runs.val_loss, 0.14),
        )
    )
    return Claim(
        "The numbers of the second run",
        "I raised dropout from 0.2 to 0.3 and added 20 more passes; the gap closed to about 0.09 vs 0.14 with"
        " essentially the same exam accuracy.",
        "Dropout 0.3 and 70 passes, on the same divisions and seeds, and asked as of the first run; the same"
        " accuracy is one within a point.",
        parts,
        f"Median and middle nine tenths of what the recipe prints: {middles}. Accuracy moves by"
        f" {mean_text(change, ratio)}.",
        (
            (
                "accuracy, second less first, over seeds",
                mean_band((second.seeds.accuracy - first.seeds.accuracy)[0]),
            ),
        ),
    )


def _quantiles_text(name: str, values: Array, number: float) -> str:
    """Median and middle nine tenths of the first network of each division, values (K, R), with the chapter's
    number, for a sentence."""
    low, middle, high = np.nanquantile(values[:, 0], [0.05, 0.5, 0.95])
    return f"{name} {middle:.3f} ({low:.3f} to {high:.3f}), the chapter {number}"


def gap_keras(runs: Runs) -> Array:
    """(K, R): validation loss less the train loss Keras prints, dropout on."""
    return final(runs.val_loss) - final(runs.train_loss)


def gap_off(runs: Runs) -> Array:
    """(K, R): the same with dropout off in both."""
    return final(runs.val_loss) - final(runs.train_loss_off)


def gap_closes(first: Sample, second: Sample, dropout: Sample, passes: Sample, ratio: float) -> Claim:
    """Dropout 0.3 with 20 more passes closes the gap. dropout, passes: each of the two changes alone."""
    parts = tuple(
        mean_within(
            f"change of the gap, {name}",
            seed_means(gap(second.splits) - gap(first.splits)),
            CLOSED,
            Design(-0.03, 0.015, 2),
            ratio,
        )
        for name, gap in (("as Keras prints it", gap_keras), ("dropout off in both", gap_off))
    )
    changes = {"both together": second, "dropout 0.3 alone": dropout, "20 more passes alone": passes}
    moved = "; ".join(_gap_text(name, first, sample, ratio) for name, sample in changes.items())
    return Claim(
        "More dropout and more passes close the gap",
        "I raised dropout from 0.2 to 0.3 and added 20 more passes; the gap closed to about 0.09 vs 0.14.",
        "Paired on division and seed. Closed means smaller by 0.01 at least, the least a number of two"
        " decimals shows; the chapter's is 0.03. The printed gap also shrinks because dropout makes the train"
        " loss worse, so both gaps have to.",
        parts,
        f"The gap, validation loss less train loss, moves, {moved}; the chapter's moved by -0.03.",
        _gap_context(first, second, {"dropout 0.3": dropout, "20 more passes": passes}, ratio),
    )


def _gap_text(name: str, first: Sample, changed: Sample, ratio: float) -> str:
    """How far both gaps move from one recipe to another, for a sentence."""
    printed, off = (
        mean_text(seed_means(gap(changed.splits) - gap(first.splits)), ratio) for gap in (gap_keras, gap_off)
    )
    return f"{name}, by {printed} as printed and by {off} with dropout off"


def _gap_context(
    first: Sample, second: Sample, alone: dict[str, Sample], ratio: float
) -> tuple[tuple[str, Band], ...]:
    """The change of both gaps by each change alone, and by both over the seeds of the study's division."""
    gaps = (("as printed", gap_keras), ("dropout off", gap_off))
    each = (
        (
            f"{what} alone, gap {name}",
            mean_band(seed_means(gap(sample.splits) - gap(first.splits)), ratio=ratio),
        )
        for what, sample in alone.items()
        for name, gap in gaps
    )
    both = (
        (f"both, over seeds, gap {name}", mean_band((gap(second.seeds) - gap(first.seeds))[0]))
        for name, gap in gaps
    )
    return (*each, *both)


def dropout_neighbourhood(rates: dict[float, Sample], ratio: float) -> Claim:
    """10, 20 and 30 % land in the same neighbourhood."""
    pairs = [(0.1, 0.2), (0.2, 0.3), (0.1, 0.3)]
    parts = tuple(
        mean_within(
            f"accuracy, dropout {b:g} less {a:g}",
            seed_means(rates[b].splits.accuracy - rates[a].splits.accuracy),
            Region(-0.01, 0.01),
            Design(0.0, 0.003, len(pairs)),
            ratio,
        )
        for a, b in pairs
    )
    beside = tuple(
        (
            f"log loss, dropout {b:g} less {a:g}",
            mean_band(seed_means(final(rates[b].splits.val_loss - rates[a].splits.val_loss)), ratio=ratio),
        )
        for a, b in pairs
    )
    means = ", ".join(
        f"{rate:.0%} {mean_text(seed_means(sample.splits.accuracy), ratio)}" for rate, sample in rates.items()
    )
    return Claim(
        "Dropout 10, 20 or 30 %: the same neighbourhood",
        "I tried 10%, 20%, and 30% and they landed in the same neighbourhood.",
        "Equivalence: accuracies within a point of each other (one case of 114 is 0.9), paired on division"
        " and seed, 50 passes.",
        parts,
        f"Mean accuracy by dropout: {means}.",
        beside,
    )
