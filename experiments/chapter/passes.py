"""Claims about training too long: when validation loss climbs, what dropout does about it, memorising, and
early stopping."""

import numpy as np

from experiments.chapter.losses import CLOSED, gap_off
from experiments.chapter.rows import Runs, final
from experiments.claims.bands import (
    Design,
    mask_diverged,
    mean_band,
    mean_text,
    mean_within,
    seed_means,
    share_within,
)
from experiments.claims.claim import Claim, Region

CLIMB = 0.005  # nats a case: less than that is a stall


def climbs(long: Runs, ratio: float) -> Claim:
    """Train loss keeps falling while validation loss climbs, after thirty or forty passes.

    long: dropout 0, 100 passes or more.
    """
    at, later = 39, 99
    train, val = (
        seed_means(losses[..., later] - losses[..., at]) for losses in (long.train_loss_off, long.val_loss)
    )
    curve = seed_means(long.val_loss)
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
            mask_diverged((lowest >= 20) & (lowest <= 50), lowest),
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
        f"From pass 40 to 100 train loss moves by {mean_text(train, ratio)} and validation loss by"
        f" {mean_text(val, ratio)}; the lowest validation loss of a division comes at pass {middle:.0f}"
        f" (middle nine tenths {low:.0f} to {high:.0f} of {long.val_loss.shape[-1]}).",
    )


def dropout_cures(without: Runs, under: Runs, ratio: float) -> Claim:
    """Dropout is the cure of overfitting. without, under: dropout 0 and 0.2, 100 passes."""
    loss = seed_means(final(under.val_loss) - final(without.val_loss))
    gap = seed_means(gap_off(under) - gap_off(without))
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
        f"Dropout 0.2 moves the validation loss by {mean_text(loss, ratio)} and the gap by"
        f" {mean_text(gap, ratio)}; without it the loss is"
        f" {mean_text(seed_means(final(without.val_loss)), ratio)}.",
        (
            (
                "held-out accuracy, dropout 0.2 less none",
                mean_band(seed_means(under.accuracy - without.accuracy), ratio=ratio),
            ),
        ),
    )


def flunks(first: Runs, pushed: Runs, ratio: float) -> Claim:
    """A network pushed far enough memorises, and flunks what it has not seen.

    pushed: no dropout, six times the passes of the first run.
    """
    worse = seed_means(pushed.accuracy - first.accuracy)
    parts = (
        mean_within(
            "train accuracy, pushed",
            seed_means(pushed.train_accuracy),
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
    loss = seed_means(final(pushed.val_loss)) - seed_means(final(first.val_loss))
    return Claim(
        "Pushed far enough it flunks the unseen",
        "Push it far enough and it stops finding real patterns and starts memorising the study pile's"
        " freckles -- and flunks every patient it has not seen.",
        f"No dropout and {pushed.val_loss.shape[-1]} passes against the chapter's recipe. Memorised is 99.5 %"
        " of the train rows right; flunking every unseen patient is a figure of speech, so a point of"
        " accuracy will do.",
        parts,
        f"Pushed, it has {mean_text(seed_means(pushed.train_accuracy), ratio)} of the train rows right and"
        f" {mean_text(seed_means(pushed.accuracy), ratio)} of the held-out ones, the recipe"
        f" {mean_text(seed_means(first.accuracy), ratio)}; its validation loss is larger by"
        f" {mean_text(loss, ratio)}.",
        (("validation loss, pushed less the recipe", mean_band(loss, ratio=ratio)),),
    )


def stopping_helps(to_the_end: Runs, stopped: Runs, ratio: float, name: str, sd: float) -> Claim:
    """Early stopping helps, which the chapter plans as a TODO. sd: the pilot's deviation of the exam loss."""
    change = seed_means(stopped.exam_loss - to_the_end.exam_loss)
    accuracy = seed_means(stopped.exam_accuracy - to_the_end.exam_accuracy)
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
        f"Exam log loss {mean_text(seed_means(to_the_end.exam_loss), ratio)} to the end and"
        f" {mean_text(seed_means(stopped.exam_loss), ratio)} stopped: stopping moves it by"
        f" {mean_text(change, ratio)}.",
        (("exam accuracy, stopped less not", mean_band(accuracy, ratio=ratio)),),
    )
