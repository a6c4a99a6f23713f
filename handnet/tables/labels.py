"""Classes from the labels of a table: which spellings are one label, in which order they stand."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from handnet.data import MOST_CLASSES, listed
from handnet.messages import option
from handnet.tables.cells import NUMBER_GAPS, spelt
from handnet.tables.faults import Fault
from handnet.tables.ids import lookalike
from handnet.tables.numerals import MINUS, NUMBER

Key = tuple[str, object]  # equal for the spellings of one label
TRUTH = {"true": True, "false": False}


class Classes(NamedTuple):
    """The classes of a target.

    places: the class, from 0, of every cell that is a label. names: (k,) of the classes. notes: sentences on
    what was taken for what. fault: what stops the table, if something does.
    """

    places: Mapping[str, int]
    names: tuple[str, ...]
    notes: list[str]
    fault: Fault | None = None


def classes_of(
    target: str,
    counts: Counter[str],
    positive: str,
    decimal: str,
    missing: Mapping[str, int],
    declared: Sequence[str] = (),
) -> Classes:
    """The classes that the labels of a column are.

    Labels are compared by value: 1 and 1.0 are one, so are true and True, and in a column of truth values 1.
    Of two classes `positive` is class 1. More stand in the order that the file declares, or in that of their
    numbers, or of their texts.

    counts: how often each label stands there. decimal: "," where the file has decimal commas. missing: the
    words that stand for no label. declared: the labels in the order the file gives them. Raises ValueError
    for one label, for more than fifty, and for those that look alike.
    """
    truths = any(cell.lower() in TRUTH for cell in counts)
    keys = {cell: label_key(cell, truths, decimal) for cell in counts}
    spellings: dict[Key, Counter[str]] = {}
    for cell, count in counts.items():
        spellings.setdefault(keys[cell], Counter())[cell] = count
    names = {key: spelling.most_common(1)[0][0] for key, spelling in spellings.items()}
    totals = Counter({names[key]: spelling.total() for key, spelling in spellings.items()})
    _check_alike(target, totals)
    _check_number(target, totals, missing)
    fault = _positive_fault(target, totals, positive)
    order = _ordered(names, [label_key(label, truths, decimal) for label in declared])
    if len(order) == 2:
        wanted = label_key(positive or min(totals, key=lambda name: totals[name]), truths, decimal)
        if wanted not in names:
            raise ValueError(_no_positive(target, positive, counts, totals))
        order.sort(key=lambda key: key == wanted)
    notes = _notes(spellings.values(), totals)
    places = {key: place for place, key in enumerate(order)}
    return Classes(
        {cell: places[key] for cell, key in keys.items()}, tuple(map(names.__getitem__, order)), notes, fault
    )


def _no_positive(target: str, positive: str, counts: Counter[str], totals: Counter[str]) -> str:
    """What is said of a positive label that no row holds."""
    return (
        f"no row of the target {target!r} holds the positive label {positive!r};"
        f" {lookalike(positive, counts) or f'its labels are {_counted(totals)}.'}"
    )


def label_key(label: str, truths: bool, decimal: str = "") -> Key:
    """What a label is compared by. truths: whether truth values stand in its column. decimal: "," where the
    numbers of its file have decimal commas."""
    if label.lower() in TRUTH:
        return ("truth", TRUTH[label.lower()])
    number = re.sub(f"^[{MINUS}]", "-", label)
    number = number.replace(",", ".") if decimal == "," and "." not in number else number
    if NUMBER.fullmatch(number):
        value = Decimal(number)
        return ("truth", bool(value)) if truths and value in (0, 1) else ("number", value)
    return ("text", label)


def _ordered(names: Mapping[Key, str], declared: Sequence[Key]) -> list[Key]:
    """The labels as the file declares them; else by number, where all are numbers, or by text."""
    if declared:
        return sorted(names, key=declared.index)
    numbers = {key: key[1] for key in names if key[0] == "number"}
    if len(numbers) == len(names):
        return sorted(names, key=lambda key: Decimal(str(key[1])))
    return sorted(names, key=names.__getitem__)


def _counted(totals: Counter[str]) -> str:
    return listed(f"{label!r} ({count})" for label, count in totals.most_common())


def _check_alike(target: str, totals: Counter[str]) -> None:
    """That labels differ in more than upper and lower case, accents written in two ways, or blanks."""

    def look(label: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", label).split())

    for what, form in (
        ("in upper and lower case only", str.casefold),
        ("only in how they are encoded", look),
    ):
        shapes = Counter(form(label) for label in totals)
        alike = {label: count for label, count in totals.items() if shapes[form(label)] > 1}
        if alike:
            raise ValueError(
                f"labels of the target {target!r} differ {what}: {spelt(alike)}; write each label in one way."
            )


def _check_number(target: str, totals: Counter[str], missing: Mapping[str, int]) -> None:
    """That there are two to fifty labels."""
    k = len(totals)
    if k < 2:
        what = f"only the label {_counted(totals)}" if k else "none"
        sentence = f"the target {target!r} must hold two labels or more, but holds {what}"
        if words := {word: count for word, count in missing.items() if word}:
            way = option("positive", max(words))
            sentence += f". Not taken for a label: {spelt(words)}; it is one with {way}"
        raise ValueError(f"{sentence}.")
    if k > MOST_CLASSES:
        raise ValueError(
            f"the target {target!r} holds {k} labels, {_counted(totals)}, and at most {MOST_CLASSES} classes"
            " are told apart; join the rare ones, or name another target."
        )


def _positive_fault(target: str, totals: Counter[str], positive: str) -> Fault | None:
    """What stops the table where two labels lack the positive one, or more than two are given one."""
    if len(totals) > 2 and positive:
        what = f"{len(totals)} labels, {_counted(totals)}"
        marks = [repr(label) for label in totals if label.lower() in NUMBER_GAPS]
        empty = f"; empty the cells that hold {listed(marks)}, if that is no label" if marks else ""
        return Fault(target, what, f"without {option('positive')} each is a class{empty}", ("positive",))
    if len(totals) == 2 and not positive:
        common, rare = (label for label, _ in totals.most_common())
        ways = [f"{option('positive', label)} makes {label!r} class 1" for label in (rare, common)]
        return Fault(target, f"two labels, {_counted(totals)}", "; ".join(ways), ("positive",), rare)
    return None


def _notes(spellings: Collection[Counter[str]], totals: Counter[str]) -> list[str]:
    """What is told of the labels."""
    joined = [spelt(spelling) for spelling in spellings if len(spelling) > 1]
    notes = [f"Spellings of one label are one: {'; '.join(joined)}."] if joined else []
    marks = {label: count for label, count in totals.items() if label.lower() in NUMBER_GAPS}
    if len(totals) > 2 and marks:
        notes.append(f"Labels that may stand for a gap: {spelt(marks)}; if they do, empty these cells.")
    return notes
