"""The target of a table: two classes, many, or a number, as its cells tell."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from handnet.data import MOST_CLASSES, Array
from handnet.messages import option
from handnet.tables.cells import NUMBER_GAPS, common_form, take_numbers
from handnet.tables.columns import Asked, first_of, what_cells_are
from handnet.tables.faults import Fault
from handnet.tables.labels import classes_of
from handnet.tables.numerals import GAPS, MINUS, DecimalMark, is_number
from handnet.tables.remarks import on_numbers
from handnet.tables.sheets import Sheet

TASKS = ("", "classes", "number")  # what a reader may say that a target is
ROWS_OF_A_CLASS = 10  # of each whole number, from which numbers are taken for classes: enough for three parts


class Target(NamedTuple):
    """What a network is to tell.

    y: (n,) int8, the class of each row, or float64, its number; 0 where a row has none. names: (k,) of the
    classes, () where it is a number. known: (n,) whether a row has one. missing: how often each word stands
    for none. notes: sentences on what was taken for what. faults: what stops the table.
    """

    y: Array
    names: tuple[str, ...]
    known: Array
    missing: Mapping[str, int]
    notes: list[str]
    faults: list[Fault]

    @property
    def kind(self) -> str:
        """What each row has."""
        return "label" if self.names else "number"


class Found(NamedTuple):
    """The cells of a target.

    counts: how often each stands there that is no gap. values: the numbers among them. missing: how often
    each word stands for none. decimal: "," where they have decimal commas. notes: sentences on the numbers.
    """

    counts: Counter[str]
    values: Mapping[str, float]
    missing: Mapping[str, int]
    decimal: str
    notes: list[str]

    @property
    def rows(self) -> Counter[float]:
        """How many rows hold each number."""
        rows = Counter[float]()
        for cell, value in self.values.items():
            rows[value] += self.counts[cell]
        return rows


def read_target(sheet: Sheet, asked: Asked) -> Target:
    """The target in a column of text, and the task that it sets.

    Two labels are two classes, three to fifty are as many; so are whole numbers where each of them stands in
    ten rows or more. Other numbers are a number. `asked.task` overrules that. A word for a gap is a label
    where it is the positive one, and words like '?' and 'unknown' are gaps among numbers. Raises ValueError
    for what is neither.
    """
    found = _find(sheet, asked)
    return _number(sheet, asked, found) if _is_number(asked, found) else _classes(sheet, asked, found)


def _find(sheet: Sheet, asked: Asked) -> Found:
    """The cells of the target, told apart."""
    counts, target = Counter(sheet.text(asked.target)), asked.target
    missing = _missing(counts, sheet, asked)
    decimal = asked.decimal or _decimal_mark(target, counts)
    values, taken = _numbers(counts, decimal), list[str]()
    marks = {cell for cell in counts.keys() - values.keys() if _is_mark(cell, sheet)} - {asked.positive}
    if values and (asked.task == "number" or counts.keys() - values.keys() <= marks):
        missing |= {mark: counts.pop(mark) for mark in sorted(marks)}
    if asked.task == "number":
        read, taken = take_numbers(counts, decimal)
        values = {**read, **values}
    notes = [f"The numbers have decimal commas: {target!r}."] * (decimal != asked.decimal)
    notes += [f"Taken off, so that numbers are read: {' and '.join(taken)} in {target!r}."] * bool(taken)
    return Found(counts, values, missing, decimal, notes)


def _missing(counts: Counter[str], sheet: Sheet, asked: Asked) -> dict[str, int]:
    """How often each word stands for no label; they leave the counts."""
    gaps = {cell for cell in counts if not cell or (not sheet.typed and cell.lower() in GAPS)}
    return {cell: counts.pop(cell) for cell in [*counts] if cell in gaps and cell != (asked.positive or None)}


def _is_mark(cell: str, sheet: Sheet) -> bool:
    """Whether a word stands for a gap among numbers; what a typed file writes so is the NaN of a float."""
    return cell == "nan" if sheet.typed else cell.lower() in NUMBER_GAPS


def _decimal_mark(target: str, counts: Collection[str]) -> str:
    """ "," where the target alone has decimal commas, and nothing in it speaks against that; else ""."""
    mark = DecimalMark("")
    if any("," in cell for cell in counts):
        mark.look(target, counts, [0] * len(counts))
    return "," if mark.first.keys() <= {"comma", "either"} and "comma" in mark.first else ""


def _numbers(counts: Collection[str], decimal: str) -> dict[str, float]:
    """The cells that are plain numbers, with their values."""
    values = {}
    for cell in counts:
        number = re.sub(f"^[{MINUS}]", "-", cell)
        if decimal == ",":
            number = "" if "." in number else number.replace(",", ".")
        if is_number(number):
            values[cell] = float(number)
    return values


def _is_number(asked: Asked, found: Found) -> bool:
    """Whether the target is a number: what the reader says, or what most of its cells are."""
    if asked.task:
        return asked.task == "number"
    rows = found.rows
    few = len(rows) < 3 or (_may_be_classes(rows) and min(rows.values()) >= ROWS_OF_A_CLASS)
    return not few and 2 * rows.total() > found.counts.total()


def _may_be_classes(numbers: Collection[float]) -> bool:
    return len(numbers) <= MOST_CLASSES and all(value % 1 == 0 for value in numbers)


def _number(sheet: Sheet, asked: Asked, found: Found) -> Target:
    """The target as a number. Raises ValueError for a cell that is none, and for one number in all rows."""
    target, cells, notes, faults = asked.target, sheet.text(asked.target), [*found.notes], list[Fault]()
    if lost := found.counts.keys() - found.values.keys():
        raise ValueError(_no_numbers(sheet, asked, found.counts, lost))
    rows = found.rows
    if len(rows) < 2:
        what = f"the number {min(rows):g} in all rows" if rows else "no number"
        raise ValueError(
            f"the target {target!r} holds {what}, so there is nothing to learn; name another one."
        )
    if asked.positive:
        ways = f"it is read without {option('positive')}, which is for two labels"
        faults.append(Fault(target, f"numbers, {len(rows)} different", ways, ("positive",)))
    if not asked.task and _may_be_classes(rows):
        notes.append(
            f"The target {target!r} holds {len(rows)} different whole numbers, some in fewer than"
            f" {ROWS_OF_A_CLASS} rows, and is taken for a number; {option('task', 'classes')} makes each of"
            " them a class."
        )
    known = np.array([cell in found.values for cell in cells])
    y = np.array([found.values.get(cell, 0.0) for cell in cells])
    notes += on_numbers([(target, y[known])])
    return Target(y, (), known, found.missing, notes, faults)


def _no_numbers(sheet: Sheet, asked: Asked, counts: Counter[str], lost: Collection[str]) -> str:
    """What is said of a number some cells of which are none."""
    form, first = common_form(lost), first_of(sheet, asked.target, lost)
    said = "is to be a number, but" if asked.task else "is a number in most rows, but"
    few = len(counts) <= MOST_CLASSES
    labels = f", or take all cells for labels with {option('task', 'classes')}" if few else ""
    return (
        f"the target {asked.target!r} {said} holds {form.name if form else 'words'} in"
        f" {sum(counts[cell] for cell in lost)} of {counts.total()} cells, first {first};"
        f" write numbers there, or empty the cells, whose rows"
        f" {option('missing', 'drop')} leaves out{labels}."
    )


def _classes(sheet: Sheet, asked: Asked, found: Found) -> Target:
    """The target as classes."""
    target, cells, counts, values = asked.target, sheet.text(asked.target), found.counts, found.values
    _check_no_dates(sheet, asked, counts)
    if fault := _readable(sheet, asked, found):
        return Target(np.zeros(len(cells)), (), np.isin(cells, list(counts)), found.missing, [], [fault])
    declared = sheet.orders.get(target, ())
    classes = classes_of(target, counts, asked.positive, found.decimal, found.missing, declared)
    y = np.array([classes.places.get(cell, 0) for cell in cells], dtype=np.int8)
    known = np.array([cell in classes.places for cell in cells])
    notes = [*classes.notes]
    if len(classes.names) > 2 and len(values) == len(counts):
        notes += on_numbers([(target, np.array([values[cell] for cell in cells if cell in values]))])
        if not asked.task:
            notes.append(
                f"The target {target!r} holds {len(classes.names)} different whole numbers, and each is a"
                f" class; {option('task', 'number')} takes them for a number."
            )
    faults = [classes.fault] if classes.fault else []
    return Target(y, classes.names, known, found.missing, notes, faults)


def _check_no_dates(sheet: Sheet, asked: Asked, counts: Counter[str]) -> None:
    """That more than two labels are no dates or times, unless the reader says that they are classes."""
    what = what_cells_are(common_form(counts), sheet.kinds.get(asked.target, ""))
    if len(counts) < 3 or asked.task or what not in ("dates", "times", "durations"):
        return
    few = f", or take each for a class with {option('task', 'classes')}" * (len(counts) <= MOST_CLASSES)
    first = first_of(sheet, asked.target, counts)
    raise ValueError(
        f"the target {asked.target!r} holds {what}, {len(counts)} different, first {first}, which are"
        f" neither classes nor a number; write them as a number, as in days since the first of them{few}."
    )


def _readable(sheet: Sheet, asked: Asked, found: Found) -> Fault | None:
    """The fault of too many labels, out of all of which a number can be taken."""
    counts = found.counts
    form = common_form(counts)
    if asked.task or len(counts) <= MOST_CLASSES or form is None or not form.number:
        return None
    if not counts.keys() <= take_numbers(counts, found.decimal)[0].keys():
        return None
    first = first_of(sheet, asked.target, counts)
    what = f"{form.name}, {len(counts)} different, first {first}"
    return Fault(asked.target, what, f"{option('task', 'number')} reads the numbers", ("task",), "number")
