"""What the sizes of the test part allow to be said: few cases of a class, a majority that is hard to beat.

One function makes the sentences; CHECK=1, the terminal and the report take them from here.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit
from scipy.stats import chi2, norm

from handnet.bands.clusters import groups_among, number_of_groups
from handnet.bands.proportion import wilson_ends
from handnet.data import Array, Dataset, listed
from handnet.messages import option
from handnet.report.words import label, number, so_many_groups, those
from handnet.tasks import task_of

LIKELY = 0.8  # the score at which a width is told, because nothing is known of it yet
WIDE = 0.1  # half of a 95 % interval from which a score is said to rest on few cases
CLOSE = 0.02  # half of one that is close enough: the cases it takes are told
FEW_ERRORS = 100  # test cases of a number below which its scores are said to rest on few
CLOSE_ERROR = 0.1  # half of an interval of a root mean squared error, relative to it, that is close enough
EVENTS = 20  # cases of a class below which single ones are said to turn a loss
MAJORITY = 0.9  # share of one class from which calling every case so is hard to tell from a method
LOSSES = ("log_loss", "brier")


def warnings_on_test(score: str, data: Dataset, rows: Array, opened: bool = False) -> list[str]:
    """What to beware of in the sizes of the test part of a table, where this score decides, a sentence each.

    score: "" for the one that decides by default; rows: (n,) int, the rows of the test part; opened: whether
    it is, so that it is too late to name another score.
    """
    y, groups = data.y[rows], None if data.groups is None else data.groups[rows]
    score, k = score or task_of(len(data.class_names)).deciding, len(data.class_names)
    if not k:
        return warnings_of_a_number(score, len(y), number_of_groups(groups))
    sizes = [int((y == label).sum()) for label in range(k)]
    among = [number_of_groups(groups_among(groups, y == label)) for label in range(k)]
    every = number_of_groups(groups)
    if k == 2:
        return warnings(score, (sizes[0], sizes[1]), data.class_names, (among[0], among[1], every), opened)
    return warnings_of_many(score, sizes, data.class_names, (*among, every), opened)


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


def warnings_of_many(
    score: str, sizes: Sequence[int], names: Sequence[str], groups: Sequence[int] = (), opened: bool = False
) -> list[str]:
    """`warnings` of many classes, and those of a recall that rests on few cases.

    sizes, names: (k,); groups: (k + 1,) that have test cases of each class, and of any; 0 without groups. A
    score that counts each class alike rests on as many cases as would tell as much of one share.
    """
    grouped, n, which = any(groups), sum(sizes), f"The deciding score, {label(score)},"
    told, every = (groups[:-1], groups[-1]) if grouped else (sizes, n)
    rarest = min(range(len(sizes)), key=sizes.__getitem__)
    cases = f"{n} test cases{', in ' + so_many_groups(every) if grouped else ''}"
    said = [*_majority_of_many(score, sizes, names, opened), *_few_of_a_class(sizes, names, told)]
    if score in (*LOSSES, "skill"):
        what = f"has {those(sizes[rarest], names[rarest])} of {cases}: a single one of them can turn it."
        return [*said, f"{which} {what}"] if told[rarest] < EVENTS else said
    rests, as_many = f"rests on {cases}", float(every)
    if score != "accuracy":
        rests = f"counts each class alike, the rarest with {those(sizes[rarest], names[rarest])} of {cases}"
        as_many = len(told) ** 2 / sum(1 / count for count in told)
    low, high = share_ends(LIKELY, as_many)
    return [*said, f"{which} {rests}: {_width(low, high)}."] if high - low > 2 * WIDE else said


def _few_of_a_class(sizes: Sequence[int], names: Sequence[str], told: Sequence[int]) -> list[str]:
    """That the recall of some classes rests on few test cases, the fewest first."""
    order = sorted(range(len(sizes)), key=lambda label: told[label])
    ends = {label: share_ends(LIKELY, told[label]) for label in order}
    few = [label for label in order if ends[label][1] - ends[label][0] > 2 * WIDE]
    if not few:
        return []
    cases, width = listed(those(sizes[label], names[label]) for label in few), _width(*ends[few[0]])
    return [f"The recall of some classes rests on few test cases, {cases}: {width} for the first of them."]


def _majority_of_many(score: str, sizes: Sequence[int], names: Sequence[str], opened: bool) -> list[str]:
    """That calling every case alike has a high accuracy, and before the opening which score may decide."""
    share, larger = max(sizes) / sum(sizes), max(range(len(sizes)), key=sizes.__getitem__)
    if share < MAJORITY or score != "accuracy":
        return []
    others = [option("score", name) for name in ("balanced_accuracy", "macro_f1", "log_loss")]
    return [_hardly_tells(score, share, sum(sizes), names[larger], [] if opened else others)]


def _hardly_tells(score: str, value: float, n: int, name: str, others: Sequence[str]) -> str:
    """That a score hardly tells methods from the call of one class for all n test cases."""
    *most, last = others or ["", ""]
    advice = f"; let another one decide, named before the test is opened: {', '.join(most)} or {last}"
    return (
        f"Calling every case {name if name.isalpha() else repr(name)} has the {label(score)} {number(value)}"
        f" on the {n} test cases, so this score hardly tells methods apart{advice if others else ''}."
    )


def warnings_of_a_number(score: str, n: int, groups: int = 0) -> list[str]:
    """That a score of a number rests on fewer than 100 test cases, or groups of them, 0 without groups.

    Told is the interval that a root mean squared error of 1 would have with normal errors around 0, by the
    quantiles q of chi-squared: sqrt(n / q). Heavier tails make it wider.
    """
    told = groups or n
    if told >= FEW_ERRORS:
        return []
    low, high = np.sqrt(told / chi2.ppf([0.975, 0.025], told))
    cases = f"{n} test cases:"
    if groups:
        cases = f"{n} test cases, in {so_many_groups(groups)}: if the rows of a group tell no more than one,"
    enough = math.ceil(norm.ppf(0.975) ** 2 / 2 / CLOSE_ERROR**2)
    return [
        f"The deciding score, {label(score)}, rests on {cases} even with normal errors the 95 % interval of"
        f" an RMSE reaches from {1 - low:.0%} below it to {high - 1:.0%} above it;"
        f" {enough} {'groups' if groups else 'test cases'} would give 10 % to either side."
    ]


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
    others = [] if opened else [option("score", name) for name in (rarer, "auc", "log_loss")]
    return [
        _hardly_tells(score, worth[score], sum(sizes), names[larger], others),
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


def share_ends(share: float, n: float) -> tuple[float, float]:
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
