"""What each column of a table is: numbers, text, or nothing to learn from; and what is told of it.

A column is judged by all of its cells, and by the majority where they differ. What could have been meant in
another way is told, and what could be wrong is a fault (faults.py)."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from handnet.data import Array
from handnet.tables.cells import (
    MANY_DIGITS,
    NUMBER_GAPS,
    TOO_LONG,
    Form,
    common_form,
    shown,
    spelt,
    take_numbers,
)
from handnet.tables.faults import Fault, column_fault
from handnet.tables.numerals import EXACT, GAPS, Cells, is_number, joined
from handnet.tables.sheets import Sheet

UNNAMED = re.compile(r"__index_level_\d+__|Unnamed: \d+")  # what pandas calls a column without a name
MOST_LEVELS = 20  # of a column of text: each is an input of its own
MOST_LOST = 10  # no more than one cell in so many is made a gap where the column can be text
MOST_ASKED = 200  # where the reader says that a column is text


class Asked(NamedTuple):
    """What the reader says of the columns and of the target."""

    target: str
    id: str | None = None
    group: str | None = None
    missing: str = ""
    leave: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    positive: str = ""
    task: str = ""
    decimal: str = ""


class Column(NamedTuple):
    """What a column is.

    kind: "number", "text", or "" when it is left out. values: the number of each text in its cells, NaN for a
    gap. gaps: how often each word for a gap stands there. lost: those that are gaps only because numbers were
    asked for. told: topic of a remark -> its words.
    """

    name: str
    kind: str = ""
    values: Mapping[str, float] = {}
    gaps: Mapping[str, int] = {}
    told: Mapping[str, str] = {}
    fault: Fault | None = None
    lost: Collection[str] = ()


class Tally(NamedTuple):
    """The cells of a column, counted.

    plain: how many of its blocks of numbers are numbers. Of its blocks of text how often each stands there:
    numbers, words for gaps (here also those of the blocks of numbers), words that are gaps among numbers
    only, and all other words. levels: how many different cells there are beside the gaps.
    """

    plain: int
    numbers: Counter[str]
    gaps: Counter[str]
    marks: Counter[str]
    words: Counter[str]
    levels: int

    @property
    def text(self) -> Counter[str]:
        """The cells that are neither gaps nor numbers, where the column is text."""
        return self.words + self.marks


def judge(sheet: Sheet, name: str, asked: Asked) -> Column:
    """What a column is."""
    found = tally(sheet, name)
    numbers = bool(found.plain or found.numbers)
    if name in asked.number:
        return _asked_number(sheet, name, found, asked)
    if name not in asked.text and UNNAMED.fullmatch(name):
        return _fault(name, "a column without a name, as row numbers are", ["leave"])
    if name in sheet.kinds and found.levels:
        return _text(sheet, name, found, asked)
    if name not in asked.text and not numbers and not found.text:
        return Column(name, gaps=found.gaps, told={"empty": repr(name)})
    if name not in asked.text and numbers:
        return _mixed(sheet, name, found, asked) if found.words else _numeric(sheet, name, found)
    return _text(sheet, name, found, asked)


def tally(sheet: Sheet, name: str) -> Tally:
    """Count the cells of a column."""
    blocks, cells = sheet.columns[name], Counter[str]()
    for block in blocks:
        cells.update(block if isinstance(block, list) else ())
    held = [block for block in blocks if not isinstance(block, list)]
    plain = sum(int((~np.isnan(block)).sum()) for block in held)
    gaps = Counter(sheet.gaps.get(name) or {"": sum(map(len, held)) - plain})
    if not cells and name not in sheet.kinds:
        return Tally(plain, cells, +gaps, cells, cells, 0)
    numbers, marks, words = Counter[str](), Counter[str](), Counter[str]()
    for cell, count in cells.items():
        if cell == "" or (not sheet.typed and cell.lower() in GAPS):
            gaps[cell] += count
        elif not sheet.typed and cell.lower() in NUMBER_GAPS:
            marks[cell] += count
        elif name not in sheet.nominal and is_number(cell):
            numbers[cell] += count
        else:
            words[cell] += count
    levels = len(numbers) + len(marks) + len(words)
    if plain and (levels or name in sheet.kinds):
        levels += len(np.unique(np.concatenate([block[~np.isnan(block)] for block in held])))
    return Tally(plain, numbers, +gaps, marks, words, levels)


def _number(name: str, found: Tally, told: Mapping[str, str]) -> Column:
    gaps = found.gaps + found.marks
    values = {cell: float(cell) for cell in found.numbers} | dict.fromkeys(gaps, np.nan)
    return Column(name, "number", values, gaps, told)


def _asked_number(sheet: Sheet, name: str, found: Tally, asked: Asked) -> Column:
    """A column that the reader says is of numbers."""
    numbers, taken = take_numbers(found.words + found.numbers, asked.decimal)
    if found.text and not (found.plain or found.numbers or numbers):
        what = f"no cell is a number, first {first_of(sheet, name, found.text)}"
        return _fault(name, what, ["text" if found.levels <= MOST_LEVELS else "leave", "leave"])
    lost = Counter({cell: count for cell, count in found.words.items() if cell not in numbers})
    told = {"taken": f"{' and '.join(taken)} in {name!r}"} if taken else {}
    told |= {"lost": f"{spelt(lost)} in {name!r}"} if lost else {}
    column = _number(name, found._replace(marks=found.marks + lost), told)
    values = {**numbers, **column.values}
    equal = joined(values, 0 if name in sheet.kinds else EXACT)
    if equal:
        told["joined"] = f"{len(equal)} in {name!r} ({len({values[cell] for cell in equal})} different now)"
    return column._replace(values=values, told=told, lost=lost.keys())


def _numeric(sheet: Sheet, name: str, found: Tally) -> Column:
    """A column of numbers alone; its fault where some of them are not told apart in float64."""
    column = _number(name, found, {"zeros": repr(name)} if name in sheet.zeros else {})
    equal = joined(column.values)
    if not equal:
        return column
    what = f"{MANY_DIGITS}, {len(equal)} of which would become equal, first {first_of(sheet, name, equal)}"
    return _fault(name, what, ["leave", *["text"] * (found.levels <= MOST_ASKED), "read"])


def _text(sheet: Sheet, name: str, found: Tally, asked: Asked) -> Column:
    """A column of text, or one that the reader says is."""
    wanted, rows, levels = name in asked.text, len(sheet.numbers), found.levels
    form, kind = common_form(found.words), sheet.kinds.get(name, "")
    what, readable = what_cells_are(form, kind), _readable(form, found, asked)
    many = levels > MOST_ASKED if wanted else levels > MOST_LEVELS or 2 * levels > rows
    if many or (not wanted and ((form and not form.levels) or (kind and what not in ("dates", "times")))):
        own = levels == rows and asked.id is None and not kind and form in (None, TOO_LONG)
        ways = [*["id"] * own, *readable, "leave"]
        ways += ["text"] if levels <= MOST_ASKED and not wanted else []
        most = f"half of {rows} rows" if levels <= MOST_LEVELS else MOST_ASKED if wanted else MOST_LEVELS
        counted = f"{what}, {levels} different" if what else f"text of {levels} levels (at most {most})"
        first = first_of(sheet, name, found.words or found.text + found.numbers)
        return _fault(name, f"{counted}, first {first}", ways)
    told: dict[str, str] = {}
    if not wanted:
        told |= {"marks": f"{spelt(found.marks)} in {name!r}"} if found.marks else {}
        odd = what and not (form and (form.number or form.usual))
        topic = "signs" if readable else "form" if odd else ""
        told |= {topic: f"{name!r} ({what})"} if topic else {}
    folded = Counter(cell.casefold() for cell in found.words)
    alike = sorted(cell for cell in found.words if folded[cell.casefold()] > 1)
    told |= {"case": f"{', '.join(map(shown, alike))} in {name!r}"} if alike else {}
    return Column(name, "text", {}, found.gaps, told)


def _mixed(sheet: Sheet, name: str, found: Tally, asked: Asked) -> Column:
    """The fault of a column in which some cells are numbers and others are not. The rarer kind is named."""
    numbers, words = found.plain + found.numbers.total(), found.words.total()
    form, total = common_form(found.words), numbers + words
    text = ["text"] if found.levels <= MOST_ASKED else []
    first = first_of(sheet, name, found.words)
    if form is TOO_LONG and words > numbers and found.levels == len(sheet.numbers) and asked.id is None:
        return _fault(
            name, f"{form.name} in {words} of {total} cells, first {first}", ["id", "leave", "read"]
        )
    if (readable := _readable(form, found, asked)) and form:
        return _fault(name, f"{form.name} in {words} of {total} cells, first {first}", [*readable, "leave"])
    fits = found.levels <= MOST_LEVELS and 2 * found.levels <= len(sheet.numbers)
    if numbers > words:
        what = f"{form.name if form else 'words'} in {words} of {total} cells, first {first}"
        few = fits and MOST_LOST * words > total  # with few levels, text loses less
        return _fault(name, what, [*text, "number", "leave"] if few else ["number", *text, "leave"])
    what = f"numbers in {numbers} of {total} cells, {form.name if form else 'text'} in the others"
    what += f", first {first_of(sheet, name, found.numbers)}" if found.numbers else ""
    return _fault(name, what, [*text, "leave"] if fits else ["leave", *text])


def _fault(name: str, what: str, ways: Sequence[str]) -> Column:
    return Column(name, fault=column_fault(name, what, ways))


def _readable(form: Form | None, found: Tally, asked: Asked) -> list[str]:
    """The way to read the numbers, where one can be taken out of every word of the column; a worse way than
    leaving it out where some of them would become equal."""
    if form is None or not form.number:
        return []
    numbers, _ = take_numbers(found.words + found.numbers, asked.decimal)
    if not found.words.keys() <= numbers.keys():
        return []
    return ["leave", "read"] if joined(numbers) else ["read"]


def what_cells_are(form: Form | None, kind: str) -> str:
    """What the cells are: by the type a file gives them, or by their form."""
    types = {"timestamp": "dates", "date": "dates", "time": "times", "duration": "durations"}
    types |= {"decimal": MANY_DIGITS}
    of_type = next((name for start, name in types.items() if kind.startswith(start)), "")
    return of_type or (f"values of the type {kind}" if kind else form.name if form else "")


def first_of(sheet: Sheet, name: str, words: Collection[str]) -> str:
    """The first cell of a column that is one of these words, and where it stands."""
    place, cell = next((found for found in _texts(sheet.columns[name]) if found[1] in words), (0, ""))
    return f"{shown(cell)} ({sheet.unit} {sheet.numbers[place]})"


def _texts(blocks: Sequence[Cells]) -> Iterator[tuple[int, str]]:
    """The place and the text of each cell in the blocks of text."""
    begins = 0
    for block in blocks:
        if isinstance(block, list):
            yield from enumerate(block, begins)
        begins += len(block)


def numbers_of(column: Column, blocks: Sequence[Cells]) -> Array:
    """(n,) the cells of a column of numbers, NaN for a gap."""
    parts = [
        np.array([column.values[cell] for cell in block]) if isinstance(block, list) else block
        for block in blocks
    ]
    return np.concatenate(parts)


def levels_of(column: Column, blocks: Sequence[Cells]) -> tuple[tuple[str, ...], Array]:
    """The levels of a column of text, sorted, and (n,) the number of each cell's level, NaN for a gap."""
    cells = [cell for block in blocks for cell in texts_of(block)]
    levels = tuple(sorted(set(cells) - column.gaps.keys() - {""}))
    codes = {level: float(code) for code, level in enumerate(levels)}
    return levels, np.array([codes.get(cell, np.nan) for cell in cells])


def texts_of(block: Cells) -> list[str]:
    """The cells of a block as text."""
    if isinstance(block, list):
        return block
    return ["" if np.isnan(value) else f"{value:.17g}" for value in block]
