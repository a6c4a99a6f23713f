"""Claims about hidden units: who sits out, who is silent for good, and who copies whom."""

from experiments.chapter.rows import Runs
from experiments.claims.bands import Design, mean_band, mean_text, mean_within, seed_means
from experiments.claims.claim import Claim, Region
from handnet.data import Array


def sitting_out(keep: Array) -> Claim:
    """About 3 of 16 sit out. keep: (R, n, units) bool, one pass over n cases in R networks, as the plan and
    Keras draw it."""
    silent = (~keep).sum(axis=2)
    three = (silent == 3).mean(axis=1)
    return Claim(
        "About 3 of 16 sit out",
        "16 x 0.20 = 3.2, so about 3 clerks sit out each pass (which 3 changes randomly).",
        "Counted in the masks of training, a pass being that of one case, over seeds. About 3 is 3.2, half a"
        " clerk either way, on average.",
        (
            mean_within(
                "units silent for a case, on average", silent.mean(axis=1), Region(2.7, 3.7), Design(3.2, 0.1)
            ),
        ),
        f"Exactly 3 sit out for a share of {mean_text(three)} of the cases; from {silent.min()} to"
        f" {silent.max()} do.",
        (("share of cases for which exactly 3 sit out", mean_band(three)),),
    )


def whole_pass(keep: Array, dead: Array) -> Claim:
    """The same clerks sit out a whole pass over the pile. keep as above; dead: (R,), share of units silent
    for good."""
    silent = (~keep).all(axis=1).sum(axis=1).astype(float)
    return Claim(
        "The same clerks sit out a whole pass",
        "Before each pass, randomly silence 20% of the clerks -- force their output to zero for that pass.",
        "One full pass over the study pile (the chapter's own table of words) in the masks of training, which"
        " Keras draws anew for each case too.",
        (
            mean_within(
                "units silent throughout a pass over all train cases",
                silent,
                Region(2.7, 3.7),
                Design(3.2, 1.7),
            ),
        ),
        f"On average {mean_text(silent)} of {keep.shape[2]} units are silent for all {keep.shape[1]} cases"
        " of a pass; who sits out changes from case to case.",
        (("share of units dead after training: 0 on every train row", mean_band(dead)),),
    )


COPIES = 0.02  # of mean |correlation|


def copying(without: Runs, under: Runs, ratio: float) -> Claim:
    """Units become near copies of each other, and dropout prevents it. without, under: no dropout and 0.2."""
    learnt = seed_means(without.likeness - without.start_likeness)
    prevented = seed_means(under.likeness - without.likeness)
    parts = (
        mean_within(
            "likeness without dropout, after training less before",
            learnt,
            Region(low=COPIES),
            Design(0.1, 0.025, 2),
            ratio,
        ),
        mean_within(
            "likeness after training, dropout 0.2 less none",
            prevented,
            Region(high=-COPIES),
            Design(-0.05, 0.01, 2),
            ratio,
        ),
    )
    likeness = [
        mean_text(seed_means(values), ratio)
        for values in (without.start_likeness, without.likeness, under.likeness)
    ]
    return Claim(
        "Units copy each other, and dropout prevents it",
        "Several clerks' dials co-adapt so that their outputs become near-copies of one strong clerk's"
        " output, scaled [...] Because any clerk might be silenced [...] the network is forced to spread the"
        " work.",
        "Likeness of two of the 16 units: |correlation| of what they say of the train rows, dropout off,"
        " which no scaling changes; its mean over pairs of live units after 100 passes. More and less mean by"
        " 0.02.",
        parts,
        f"Two units are alike, by mean |correlation|, to {likeness[0]} before training, to {likeness[1]}"
        f" after it without dropout, and to {likeness[2]} after it with dropout 0.2.",
    )
