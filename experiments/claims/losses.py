"""Claims about losses: the printed numbers, the gap and what closes it, dropout, training too long, early
stopping."""

import numpy as np

from experiments.claims.claim import (
    Claim,
    Design,
    Part,
    Region,
    hits,
    mean_band,
    mean_within,
    said,
    share_within,
)
from experiments.claims.world import Runs, Sample
from handnet.data import Array

CLOSED = Region(high=-0.01)  # a change of the gap: the least that two decimals show
LIKELY = Region(
    low=0.05
)  # a printed number is one of ours if at least so many networks lie on either side of it


def last(losses: Array) -> Array:
    """(K, R): after the last epoch."""
    return np.asarray(losses[..., -1])


def over_seeds(values: Array) -> Array:
    """(K, ...): the mean over the seeds of each division, NaN where one of them diverged."""
    return np.asarray(values.mean(axis=1))


def printed(name: str, values: Array, number: float, digits: int, parts: int) -> Part:
    """Is a printed number, up to its rounding, one that networks like these print? values (K, R); one network
    a division."""
    one, half = values[:, 0], 0.5 * 10.0**-digits
    below, above = one < number + half, one > number - half
    rarer = hits(min(below, above, key=np.sum), one)
    what = f"{name}: share of networks on the rarer side of {number}"
    return share_within(what, rarer, LIKELY, Design(truth=0.3, parts=parts))


def first_run(first: Sample) -> Claim:
    """50 passes gave 0.07, 0.15, 0.974."""
    runs = first.splits
    quantities = [
        ("train loss, as Keras prints it", last(runs.train_loss), 0.07, 2),
        ("validation loss", last(runs.val_loss), 0.15, 2),
        ("held-out accuracy", runs.accuracy, 0.974, 3),
    ]
    parts = tuple(printed(*one, parts=3) for one in quantities)
    middles = "; ".join(_beside(name, values, number) for name, values, number, _ in quantities)
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
    change = over_seeds(runs.accuracy - first.splits.accuracy)
    parts = (
        printed("train loss, as Keras prints it", last(runs.train_loss), 0.09, 2, 3),
        printed("validation loss", last(runs.val_loss), 0.14, 2, 3),
        mean_within(
            "accuracy, second run less first", change, Region(-0.01, 0.01), Design(0.0, 0.005, 3), ratio
        ),
    )
    middles = "; ".join(
        _beside(name, last(losses), number)
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
        f" {said(change, ratio)}.",
        (
            (
                "accuracy, second less first, over seeds",
                mean_band((second.seeds.accuracy - first.seeds.accuracy)[0]),
            ),
        ),
    )


def _beside(name: str, values: Array, number: float) -> str:
    """What one network a division prints, values (K, R), beside the chapter's number."""
    low, middle, high = np.nanquantile(values[:, 0], [0.05, 0.5, 0.95])
    return f"{name} {middle:.3f} ({low:.3f} to {high:.3f}), the chapter {number}"


def gap_keras(runs: Runs) -> Array:
    """(K, R): validation loss less the train loss Keras prints, dropout on."""
    return last(runs.val_loss) - last(runs.train_loss)


def gap_off(runs: Runs) -> Array:
    """(K, R): the same with dropout off in both."""
    return last(runs.val_loss) - last(runs.train_loss_off)


def gap_closes(first: Sample, second: Sample, dropout: Sample, passes: Sample, ratio: float) -> Claim:
    """Dropout 0.3 with 20 more passes closes the gap; and which of the two it was."""
    parts = tuple(
        mean_within(
            f"change of the gap, {name}",
            over_seeds(gap(second.splits) - gap(first.splits)),
            CLOSED,
            Design(-0.03, 0.015, 2),
            ratio,
        )
        for name, gap in (("as Keras prints it", gap_keras), ("dropout off in both", gap_off))
    )
    beside = [
        (f"{what} alone, gap {name}", mean_band(over_seeds(gap(one.splits) - gap(first.splits)), ratio=ratio))
        for what, one in (("dropout 0.3", dropout), ("20 more passes", passes))
        for name, gap in (("as printed", gap_keras), ("dropout off", gap_off))
    ]
    own = (
        (
            "both, over seeds, gap as printed",
            mean_band((gap_keras(second.seeds) - gap_keras(first.seeds))[0]),
        ),
        ("both, over seeds, gap dropout off", mean_band((gap_off(second.seeds) - gap_off(first.seeds))[0])),
    )
    moved = "; ".join(
        f"{what}, by {said(over_seeds(gap_keras(one.splits) - gap_keras(first.splits)), ratio)} as printed"
        f" and by {said(over_seeds(gap_off(one.splits) - gap_off(first.splits)), ratio)} with dropout off"
        for what, one in (
            ("both together", second),
            ("dropout 0.3 alone", dropout),
            ("20 more passes alone", passes),
        )
    )
    return Claim(
        "More dropout and more passes close the gap",
        "I raised dropout from 0.2 to 0.3 and added 20 more passes; the gap closed to about 0.09 vs 0.14.",
        "Paired on division and seed. Closed means smaller by 0.01 at least, the least a number of two"
        " decimals shows; the chapter's is 0.03. The printed gap also shrinks because dropout makes the train"
        " loss worse, so both gaps have to.",
        parts,
        f"The gap, validation loss less train loss, moves, {moved}; the chapter's moved by -0.03.",
        (*beside, *own),
    )


def dropout_neighbourhood(rates: dict[float, Sample], ratio: float) -> Claim:
    """10, 20 and 30 % land in the same neighbourhood."""
    pairs = [(0.1, 0.2), (0.2, 0.3), (0.1, 0.3)]
    parts = tuple(
        mean_within(
            f"accuracy, dropout {b:g} less {a:g}",
            over_seeds(rates[b].splits.accuracy - rates[a].splits.accuracy),
            Region(-0.01, 0.01),
            Design(0.0, 0.003, len(pairs)),
            ratio,
        )
        for a, b in pairs
    )
    beside = tuple(
        (
            f"log loss, dropout {b:g} less {a:g}",
            mean_band(over_seeds(last(rates[b].splits.val_loss - rates[a].splits.val_loss)), ratio=ratio),
        )
        for a, b in pairs
    )
    means = ", ".join(
        f"{rate:.0%} {said(over_seeds(one.splits.accuracy), ratio)}" for rate, one in rates.items()
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


CLIMB = 0.005  # nats a case: less than that is a stall


def climbs(long: Runs, ratio: float) -> Claim:
    """Train loss keeps falling while validation loss climbs, after thirty or forty passes. long: dropout 0,
    100 passes or more."""
    at, later = 39, 99
    train, val = (
        over_seeds(losses[..., later] - losses[..., at]) for losses in (long.train_loss_off, long.val_loss)
    )
    curve = over_seeds(long.val_loss)
    lowest = np.where(np.isfinite(curve[:, -1]), 1.0 + curve.argmin(axis=1), np.nan)
    parts = (
        mean_within(
            "train loss, pass 100 less pass 40", train, Region(high=-CLIMB), Design(-0.03, 0.01, 3), ratio
        ),
        mean_within(
            "validation loss, pass 100 less pass 40", val, Region(low=CLIMB), Design(0.03, 0.035, 3), ratio
        ),
        share_within(
            "share of divisions whose mean validation loss is lowest between pass 20 and 50",
            hits((lowest >= 20) & (lowest <= 50), lowest),
            Region(low=0.5),
            Design(0.75, parts=3),
        ),
    )
    low, middle, high = np.nanquantile(lowest, [0.05, 0.5, 0.95])
    return Claim(
        "Thirty or forty passes, then validation loss climbs",
        "Run the study loop for thirty or forty passes [...] study loss keeps falling "
        "while practice loss stalls and then climbs.",
        "No dropout, as that section has it. Falling and climbing mean by 0.005; thirty or forty, with ten to"
        " spare on either side.",
        parts,
        f"From pass 40 to 100 train loss moves by {said(train, ratio)} and validation loss by"
        f" {said(val, ratio)}; the lowest validation loss of a division comes at pass {middle:.0f} (middle"
        f" nine tenths {low:.0f} to {high:.0f} of {long.val_loss.shape[-1]}).",
    )


def dropout_cures(without: Runs, under: Runs, ratio: float) -> Claim:
    """Dropout is the cure of overfitting. without, under: no dropout and 0.2, 100 passes."""
    loss = over_seeds(last(under.val_loss) - last(without.val_loss))
    gap = over_seeds(gap_off(under) - gap_off(without))
    parts = (
        mean_within(
            "validation loss, dropout 0.2 less none",
            loss,
            Region(high=-CLIMB),
            Design(-0.02, 0.006, 2),
            ratio,
        ),
        mean_within(
            "gap, dropout off in both, dropout 0.2 less none", gap, CLOSED, Design(-0.03, 0.007, 2), ratio
        ),
    )
    return Claim(
        "Dropout is the fix for overfitting",
        "That gap IS overfitting [...] The fix is almost rude in its simplicity: before each pass, randomly "
        "silence 20% of the clerks.",
        "After 100 passes, paired on division and seed. A fix lowers the validation loss by 0.005 and the gap"
        " by 0.01 at least, dropout off in both losses.",
        parts,
        f"Dropout 0.2 moves the validation loss by {said(loss, ratio)} and the gap by {said(gap, ratio)};"
        f" without it the loss is {said(over_seeds(last(without.val_loss)), ratio)}.",
        (
            (
                "held-out accuracy, dropout 0.2 less none",
                mean_band(over_seeds(under.accuracy - without.accuracy), ratio=ratio),
            ),
        ),
    )


def flunks(first: Runs, pushed: Runs, ratio: float) -> Claim:
    """Pushed far enough it memorises, and flunks what it has not seen. pushed: no dropout, six times the
    passes."""
    worse = over_seeds(pushed.accuracy - first.accuracy)
    parts = (
        mean_within(
            "train accuracy, pushed",
            over_seeds(pushed.train_accuracy),
            Region(low=0.995),
            Design(1.0, 0.0002, 2),
            ratio,
        ),
        mean_within(
            "held-out accuracy, pushed less the chapter's recipe",
            worse,
            Region(high=-0.01),
            Design(-0.03, 0.008, 2),
            ratio,
        ),
    )
    loss = over_seeds(last(pushed.val_loss)) - over_seeds(last(first.val_loss))
    return Claim(
        "Pushed far enough it flunks the unseen",
        "Push it far enough and it stops finding real patterns and starts memorising the study pile's"
        " freckles -- and flunks every patient it has not seen.",
        f"No dropout and {pushed.val_loss.shape[-1]} passes against the chapter's recipe. Memorised is 99.5 %"
        " of the train rows right; flunking every unseen patient is a figure of speech, so a point of"
        " accuracy will do.",
        parts,
        f"Pushed, it has {said(over_seeds(pushed.train_accuracy), ratio)} of the train rows right and"
        f" {said(over_seeds(pushed.accuracy), ratio)} of the held-out ones, the recipe"
        f" {said(over_seeds(first.accuracy), ratio)}; its validation loss is larger by {said(loss, ratio)}.",
        (("validation loss, pushed less the recipe", mean_band(loss, ratio=ratio)),),
    )


def stopping_helps(to_the_end: Runs, stopped: Runs, ratio: float, name: str, sd: float) -> Claim:
    """The chapter's TODO: early stopping."""
    change = over_seeds(stopped.exam_loss - to_the_end.exam_loss)
    accuracy = over_seeds(stopped.exam_accuracy - to_the_end.exam_accuracy)
    return Claim(
        f"Early stopping helps ({name})",
        "TODO: add EarlyStopping on val_loss so it stops when practice loss turns upward.",
        "The chapter plans it and does not say that it helps. Patience of five passes on the half for"
        " choosing, best weights restored, graded on the exam half. Helping means a log loss smaller by"
        " 0.005.",
        (
            mean_within(
                "exam log loss, stopped less not", change, Region(high=-CLIMB), Design(-0.03, sd), ratio
            ),
        ),
        f"Exam log loss {said(over_seeds(to_the_end.exam_loss), ratio)} to the end and"
        f" {said(over_seeds(stopped.exam_loss), ratio)} stopped: stopping moves it by {said(change, ratio)}.",
        (("exam accuracy, stopped less not", mean_band(accuracy, ratio=ratio)),),
    )
