"""Claims about two mistakes: scaling before the split, and grading on the train rows."""

from dataclasses import replace

import numpy as np

from experiments.chapter.losses import printed_number
from experiments.chapter.rows import Runs, final
from experiments.claims.bands import Design, mean_band, mean_text, mean_within, seed_means
from experiments.claims.claim import Claim, Region
from experiments.claims.division import Division
from handnet.data import Array
from handnet.splits import Split

SEEN = 0.001  # of accuracy: less than one case in a thousand is no fake anybody saw


def scaled_before(raw: Array, y: Array, parts: Split, cut: int) -> Division:
    """The mistake, on purpose: rows (n, features) scaled by the mean and deviation of all of them, held-out
    ones included."""
    X = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    held = np.concatenate([parts.val_rows, parts.test_rows])
    train = parts.train._replace(X=X[parts.train_rows])
    return Division(train, parts.val._replace(X=X[held], y=y[held]), cut)


def ruler(clean: Runs, leaky: Runs, ratio: float) -> Claim:
    """Scaling before the split makes the accuracy slightly fake."""
    change = seed_means(leaky.accuracy - clean.accuracy)
    loss = seed_means(final(leaky.val_loss - clean.val_loss))
    return Claim(
        "Mistake 1: scaling before the split flatters, slightly",
        "The exam pile helps set the ruler [...] My reported accuracy was slightly fake.",
        "The same divisions, seeds and recipe, scaled by all rows or by the train rows. Slightly fake: by"
        " more than 1 case in 1000 and at most 1 in 100.",
        (
            mean_within(
                "held-out accuracy, scaled by all rows less by train rows",
                change,
                Region(SEEN, 0.01),
                Design(0.004, 0.001),
                ratio,
            ),
        ),
        f"Scaling by all rows moves the accuracy by {mean_text(change, ratio)} on average; one network's"
        f" moves by {mean_text(seed_means(np.abs(leaky.accuracy - clean.accuracy)), ratio)}, up or down.",
        (
            ("the same, over divisions of this table alone", replace(mean_band(change), varied="splits")),
            ("held-out log loss, the same difference", mean_band(loss, ratio=ratio)),
        ),
    )


def memory_test(runs: Runs, ratio: float) -> Claim:
    """99.7 % on the study pile is a memory test."""
    flattered = seed_means(runs.train_accuracy - runs.accuracy)
    parts = (
        printed_number("train accuracy", runs.train_accuracy, 0.997, 3, 2),
        mean_within(
            "accuracy, train rows less held-out rows",
            flattered,
            Region(low=0.005),
            Design(0.02, 0.02, 2),
            ratio,
        ),
    )
    return Claim(
        "Mistake 2: 99.7 % on the study pile is a memory test",
        "I ran model.evaluate(X_train_scaled, y_train) and saw 99.7% accuracy [...] Scoring it there "
        "is a memory test, not a grade.",
        "The chapter's recipe. A memory test flatters by half a point at least.",
        parts,
        f"Train accuracy {mean_text(seed_means(runs.train_accuracy), ratio)}, the chapter 0.997; held-out"
        f" {mean_text(seed_means(runs.accuracy), ratio)}: the train rows flatter by"
        f" {mean_text(flattered, ratio)}.",
    )
