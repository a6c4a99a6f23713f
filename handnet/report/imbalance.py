"""What the sizes of the test part allow to be said: few cases of a class, a majority that is hard to beat.

One function makes the sentences; CHECK=1, the terminal and the report take them from here.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from handnet.bands.clusters import number_of_groups
from handnet.bands.proportion import wilson_ends
from handnet.data import Array, Dataset
from handnet.messages import option
from handnet.report.words import label, number, so_many_groups, those

LIKELY = 0.8  # the score at which a width is told, because nothing is known of it yet
WIDE = 0.1  # half of a 95 % interval from which a score is said to rest on few cases
CLOSE = 0.02  # half of one that is close enough: the cases it takes are told
EVENTS = 20  # cases of a class below which single ones are said to turn a loss
MAJORITY = 0.9  # share of one class from which calling every case so is hard to tell from a method
LOSSES = ("log_loss", "brier")


def warnings_on_test(score: str, data: Dataset, rows: Array, opened: bool = False) -> list[str]:
    """`warnings` for the test part of a table. rows: (n,) int, its rows there."""
    y, groups = data.y[rows], None if data.groups is None else data.groups[rows]
    zeros, ones = (int((y == label).sum()) for label in (0, 1))
    if groups is None:
        return warnings(score, (zeros, ones), data.class_names, opened=opened)
    of_0, of_1 = (number_of_groups(groups[y == label]) for label in (0, 1))
    of_either = number_of_groups(groups)
    return warnings(score, (zeros, ones), data.class_names, (of_0, of_1, of_either), opened)


Groups = tuple[int, int, int]  # that have test cases of class 0, of class 1, of either; 0 without groups


def warnings(
    score: str, sizes: tuple[int, int], names: Sequence[str], groups: Groups = (0, 0, 0), opened: bool = False
) -> list[str]:
    """What to beware of where this score decides, a sentence each.

    score: that of `verdict.score`; sizes: test cases of class 0 and of class 1, at least 1 each; names: of
    these classes; opened: whether the test is, so that it is too late to name another score. The limits are
    conventions: an interval that reaches more than 10 points to either side counts as wide, and nine cases of
    ten in one class as a majority that is hard to beat. Of groups the width is that of as many cases, the
    least they tell.
    """
    few = _few(f"The deciding score, {label(score)},", score, sizes, names, groups)
    return [*_majority(score, sizes, names, groups, opened), *few]


def _few(which: str, score: str, sizes: tuple[int, int], names: Sequence[str], groups: Groups) -> list[str]:
    """That a score rests on few cases, with the width this gives and the cases it would take.

    which: the words that the sentence begins with, which name the score."""
    cases, what = _counted(score, sizes, names, groups)
    if score in LOSSES:
        text = f"{which} has {what}: a single one of them can turn it."
        return [text] if cases < EVENTS else []
    told = groups[:2] if groups[2] else sizes
    low, high = auc_ends(LIKELY, told) if score == "auc" else share_ends(LIKELY, cases)
    if high - low <= 2 * WIDE:
        return []
    enough = f"{cases_for(LIKELY, CLOSE)}{' groups' if groups[2] else ''}"
    needed = "" if score == "auc" else f"; {enough} would give 2 points to either side"
    least = "if the rows of a group tell no more than one, " if groups[2] else ""
    return [f"{which} rests on {what}: {least}{_width(low, high)}{needed}."]


def _majority(
    score: str, sizes: tuple[int, int], names: Sequence[str], groups: Groups, opened: bool
) -> list[str]:
    """That calling every case alike scores high, and before the opening which score to name instead."""
    larger = int(sizes[1] > sizes[0])
    share = max(sizes) / sum(sizes)
    worth = {"accuracy": share, "sensitivity": float(larger), "specificity": float(1 - larger)}
    if share < MAJORITY or worth.get(score, 0.0) < MAJORITY:
        return []
    rarer = "sensitivity" if larger == 0 else "specificity"
    others = f"{option('score', rarer)}, {option('score', 'auc')} or {option('score', 'log_loss')}"
    advice = "" if opened else f"; let another one decide, named before the test is opened: {others}"
    return [
        f"Calling every case {names[larger] if names[larger].isalpha() else repr(names[larger])} has the"
        f" {label(score)} {number(worth[score])} on the {sum(sizes)} test cases, so this score hardly tells"
        f" methods apart{advice}.",
        *_few(f"The {rarer}", rarer, sizes, names, groups),
    ]


def _width(low: float, high: float) -> str:
    """The interval that a likely value would have."""
    return f"a value of {LIKELY:g} would have the interval [{number(low)}, {number(high)}] over cases (95 %)"


def _counted(score: str, sizes: tuple[int, int], names: Sequence[str], groups: Groups) -> tuple[int, str]:
    """How many test cases, or groups of them, a score rests on, and which those are."""
    zeros, ones = sizes
    rarer = int(ones <= zeros)
    of = {"sensitivity": 1, "specificity": 0, "accuracy": 2}.get(score, rarer)
    cases = f"{zeros + ones} test cases"
    what = cases if of == 2 else f"{those(sizes[of], names[of])} of {cases}"
    if groups[2]:
        return groups[of], f"{what}, in {so_many_groups(groups[of])}"
    return (zeros, ones, zeros + ones)[of], what


def share_ends(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n cases."""
    low, high = wilson_ends(share, n)
    return float(low), float(high)


def auc_ends(area: float, sizes: tuple[int, int]) -> tuple[float, float]:
    """The 95 % interval of an AUC on the logit, with the variance of Hanley and McNeil (1982).

        A (1 - A) + (n1 - 1) (A / (2 - A) - A^2) + (n0 - 1) (2 A^2 / (1 + A) - A^2), by n0 n1

    sizes: n0 and n1, at least 1.
    """
    zeros, ones = sizes
    a = min(max(area, 0.5 / (zeros * ones)), 1 - 0.5 / (zeros * ones))  # an area of 1 has no logit
    both = a * (1 - a) + (ones - 1) * (a / (2 - a) - a * a) + (zeros - 1) * (2 * a * a / (1 + a) - a * a)
    half = norm.ppf(0.975) * math.sqrt(both / (zeros * ones)) / (a * (1 - a))
    low, high = (float(expit(logit(a) + side * half)) for side in (-1, 1))
    return low, high


def cases_for(share: float, half: float) -> int:
    """The fewest cases of which Wilson's 95 % interval of a share reaches no further than half to either
    side, in the mean of both."""
    sizes = np.arange(1, int(1 / half**2) + 5)
    low, high = wilson_ends(np.full(len(sizes), share), sizes)
    return int(sizes[(high - low) / 2 <= half][0])
