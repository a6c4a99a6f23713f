"""The labels of a table, of which there are two; and the ids and the groups of its rows."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from handnet.data import Array, listed
from handnet.messages import option
from handnet.tables.cells import NUMBER_GAPS, spelt
from handnet.tables.columns import texts_of
from handnet.tables.numerals import GAPS, MINUS, NUMBER
from handnet.tables.sheets import Sheet

Key = tuple[str, object]  # equal for the spellings of one label
TRUTH = {"true": True, "false": False}


class Labels(NamedTuple):
    """The labels of a table.

    y: (n,) 0 or 1, 0 where a label is missing. names: of class 0 and class 1. known: (n,) whether a row has a
    label. missing: how often each word stands for none. notes: sentences on what was taken for what.
    """

    y: Array
    names: tuple[str, str]
    known: Array
    missing: Mapping[str, int]
    notes: list[str]


def read_labels(sheet: Sheet, target: str, positive: str) -> Labels:
    """The labels in a column of text. A word for a gap is a label where it is the positive one.

    Labels are compared by value: 1 and 1.0 are one, so are true and True, and in a column of truth values 1.
    Raises ValueError for other than two labels.
    """
    cells, positive = sheet.text(target), positive.strip()
    counts = Counter(cells)
    empty = {
        cell
        for cell in counts
        if cell != positive and (not cell or (not sheet.typed and cell.lower() in GAPS))
    }
    missing = {cell: counts.pop(cell) for cell in empty}
    truths = any(cell.lower() in TRUTH for cell in counts)
    keys = {cell: _key(cell, truths, sheet.decimal) for cell in counts}
    spellings: dict[Key, Counter[str]] = {}
    for cell, count in counts.items():
        spellings.setdefault(keys[cell], Counter())[cell] = count
    names = {key: spelling.most_common(1)[0][0] for key, spelling in spellings.items()}
    totals = Counter({names[key]: spelling.total() for key, spelling in spellings.items()})
    _check_two(target, totals, missing)
    wanted = _key(positive, truths, sheet.decimal)
    if wanted not in names:
        shown = listed(f"{label!r} ({count})" for label, count in totals.most_common())
        raise ValueError(
            f"no row of the target {target!r} holds the positive label {positive!r}; "
            f"{lookalike(positive, counts) or f'its labels are {shown}.'}"
        )
    (negative,) = names.keys() - {wanted}
    joined = [spelt(spelling) for spelling in spellings.values() if len(spelling) > 1]
    notes = [f"Spellings of one label are one: {'; '.join(joined)}."] if joined else []
    y = np.array([keys.get(cell) == wanted for cell in cells], dtype=np.int8)
    known = np.array([cell in keys for cell in cells])
    return Labels(y, (names[negative], names[wanted]), known, missing, notes)


def _key(label: str, truths: bool, decimal: str) -> Key:
    """What a label is compared by. truths: whether truth values stand in its column. decimal: "," where the
    numbers of its file have decimal commas."""
    if label.lower() in TRUTH:
        return ("truth", TRUTH[label.lower()])
    number = re.sub(f"^[{MINUS}]", "-", label)
    number = number.replace(",", ".") if decimal and "." not in number else number
    if NUMBER.fullmatch(number):
        value = Decimal(number)
        return ("truth", bool(value)) if truths and value in (0, 1) else ("number", value)
    return ("text", label)


def _check_two(target: str, counts: Counter[str], missing: Mapping[str, int]) -> None:
    """That there are two labels, which differ in more than upper and lower case."""
    folded = Counter(label.casefold() for label in counts)
    alike = {label: count for label, count in counts.items() if folded[label.casefold()] > 1}
    if alike:
        raise ValueError(
            f"labels of the target {target!r} differ in upper and lower case only: {spelt(alike)}; write each"
            " label in one way."
        )
    if len(counts) == 2:
        return
    shown = listed(f"{label!r} ({count})" for label, count in counts.most_common())
    what = {0: "none", 1: f"only the label {shown}"}.get(len(counts), f"{len(counts)} labels, {shown}")
    sentence = (
        f"the target {target!r} must hold two labels, but holds {what}; a network here tells two classes"
        " apart"
    )
    words = {word: count for word, count in missing.items() if word}
    unknown = [label for label in counts if label.lower() in NUMBER_GAPS]
    if len(counts) < 2 and words:
        sentence += (
            f". Not taken for a label: {spelt(words)}; it is one with {option('positive', max(words))}"
        )
    if len(counts) > 2 and unknown:
        sentence += f"; empty the cells that hold {listed(map(repr, unknown))}, if that is no label"
    raise ValueError(f"{sentence}.")


def read_ids(sheet: Sheet, id: str | None, notes: list[str]) -> Array:
    """(n,) unique: the cells of the column of ids, or the names the file gives its rows, or row numbers.

    notes: gets a sentence on what the file calls its rows. Raises ValueError for an id that is missing or
    stands twice.
    """
    names = sheet.row_names
    if id is not None:
        notes += ["The names of the rows are left out: another column names the cases."] if names else []
        return _case_ids(sheet, id)
    if names is None:
        return np.arange(len(sheet.numbers))
    if len(set(names)) == len(names) and all(names):
        notes.append("The names of the rows are the ids of the cases.")
        return np.array(names)
    notes.append("The names of the rows are left out: some repeat or are empty, so they name no single case.")
    return np.arange(len(sheet.numbers))


def _complete(sheet: Sheet, column: str, what: str, advice: str) -> Iterator[tuple[int, str]]:
    """The number of each row and its cell in a column that may have no gap."""
    cells = (cell for block in sheet.columns[column] for cell in texts_of(block))
    for number, cell in zip(sheet.numbers, cells, strict=True):
        if not cell or (not sheet.typed and cell.lower() in GAPS):
            raise ValueError(
                f"{sheet.unit} {number} has no {what} (column {column!r} holds {cell!r}); {advice}."
            )
        yield number, cell


def _case_ids(sheet: Sheet, id: str) -> Array:
    """(n,) text, unique."""
    first: dict[str, int] = {}
    for number, cell in _complete(sheet, id, "id", "every case needs one of its own"):
        if cell in first:
            raise ValueError(
                f"the id {cell!r} stands on {sheet.unit}s {first[cell]} and {number} of column {id!r}; an id"
                f" must name one case (of what has several rows give the column as {option('group', '')})."
            )
        first[cell] = number
    return np.array(list(first))


def read_groups(sheet: Sheet, group: str) -> Array:
    """(n,) int, equal where the cells are. Raises ValueError for one that is missing."""
    cells = [cell for _, cell in _complete(sheet, group, "group", "every row needs one")]
    return np.unique(cells, return_inverse=True)[1]


def lookalike(word: str, known: Iterable[str]) -> str | None:
    """What to say when a known word looks the same and is spelt with other characters of Unicode."""
    for name in known:
        if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", word):
            return f"{name!r} looks the same, but its accents differ; copy the name from the file."
    return None
