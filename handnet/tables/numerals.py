"""Which cells of text are numbers, how these are written, and which are gaps.

Nothing is dropped from a number: marks between thousands, units and signs of currency are the business of
columns.py, where a user asks for them to be taken off."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import ClassVar

import numpy as np

from handnet.data import Array, listed
from handnet.messages import option

LARGEST = 1e30  # its square still fits in float64, and it in float32: the scaler stays finite
EXACT = 2**53  # above it float64 leaves whole numbers out
# Words for a gap in any column, in lower case: those of pandas, without None.
GAPS = frozenset(
    "|na|n/a|nan|-nan|null|<na>|nat|#n/a|#n/a n/a|#na|1.#ind|-1.#ind|1.#qnan|-1.#qnan".split("|")
)
ZERO = re.compile(r"^[^\S\n]*0\d+[^\S\n]*$", re.MULTILINE)  # a cell, among cells a line, with a leading zero
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
MINUS = "\u2212\u2013\u2010\u2011\ufe63\uff0d"  # minus, en dash, two hyphens, a small and a wide minus

Cells = Array | list[str]  # (n,) float64 with NaN for a gap where all are numbers or gaps, else as they stand


def is_number(cell: str) -> bool:
    """Whether a cell is a number that can be scaled and that a float64 holds to its last digit."""
    if not NUMBER.fullmatch(cell) or abs(float(cell)) > LARGEST:
        return False
    whole = re.fullmatch(r"[+-]?\d+", cell) is not None
    return not whole or abs(float(cell)) < EXACT or int(cell) == int(float(cell))


def joined(numbers: Mapping[str, float], least: float = EXACT) -> list[str]:
    """The cells that are different numbers and become one float64, among those of at least that size."""
    exact: dict[float, set[Decimal | str]] = {}
    large = {cell: value for cell, value in numbers.items() if abs(value) >= least}
    for cell, value in large.items():
        exact.setdefault(value, set()).add(Decimal(cell) if NUMBER.fullmatch(cell) else cell)
    return [cell for cell, value in large.items() if len(exact[value]) > 1]


def _is_rounded(cell: str) -> bool:
    """Whether a large number is neither a float64 nor the usual way to write one, so that others may become
    the same."""
    value = float(cell)
    return abs(value) >= EXACT and Decimal(cell) not in (Decimal(value), Decimal(repr(value)))


class DecimalMark:
    """The decimal mark of a text file, as its cells show it.

    mark: "." or "," where it is known, "" until it is found out.
    first: for each kind of cell that tells something, the first one met: its line, its column and itself.
    """

    # A whole cell of each kind; the first that fits counts.
    KINDS: ClassVar = {
        "grouped comma": re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+", re.ASCII),  # 1.234,5
        "grouped point": re.compile(r"[+-]?\d{1,3}((,\d{3})+\.\d*|(,\d{3}){2,})", re.ASCII),  # 1,234.5
        "either": re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII),  # 1,234
        "comma": re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?", re.ASCII),  # 1,5
        "point": re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII),  # 1.5
        "list": re.compile(r"\d+(,\d+){2,}", re.ASCII),  # 1,3,5: so that 1,3 in its column is a list too
    }

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.first: dict[str, tuple[int, str, str]] = {}

    def look(self, column: str, cells: Iterable[str], lines: Iterable[int]) -> None:
        """Note what the cells of a column tell, unless some of them are lists of numbers."""
        telling: dict[str, tuple[int, str, str]] = {}
        for line, cell in zip(lines, cells, strict=True):
            if kind := self._kind(cell):
                telling.setdefault(kind, (line, column, cell))
        if "list" not in telling:
            self.first = telling | self.first

    def _kind(self, cell: str) -> str:
        if "," not in cell and "." not in cell:
            return ""
        return next((kind for kind, pattern in self.KINDS.items() if pattern.fullmatch(cell)), "")

    def decide(self) -> str:
        """The mark that fits all cells. Raises ValueError where two marks do, and where none does."""
        if self.mark:
            return self.mark
        comma, either = self.first.get("comma"), self.first.get("either")
        grouped, point = self.first.get("grouped comma"), self.first.get("point")
        point = point or self.first.get("grouped point")
        if grouped:
            raise ValueError(_where(grouped) + GROUPED)
        if point and comma:
            raise ValueError(
                f"{_where(comma)} has a comma and {_where(point)} a point; {option('decimal', '.')} or"
                f" {option('decimal', ',')} says which of them is the decimal mark,"
                f" {option('leave', point[1])} leaves the second column out."
            )
        if either and not point and not comma:
            raise ValueError(
                f"{_where(either)} may be {either[2].replace(',', '.')} with a decimal comma or"
                f" {either[2].replace(',', '')} with a comma between thousands, and no other cell tells;"
                f" {option('decimal', ',')} takes it for a decimal comma; otherwise write it without a comma."
            )
        return "," if comma else "."

    def pointed(self, column: str, cells: Sequence[str], lines: Sequence[int]) -> list[str]:
        """The cells of a file of decimal commas, with a decimal point in those that are numbers. Raises
        ValueError for a number with a point, which would stand for something else."""
        pointed = []
        for cell, line in zip(cells, lines, strict=True):
            kind = self._kind(cell)
            if kind in ("point", "grouped comma"):
                why = GROUPED if kind == "grouped comma" else f"{POINTED}{option('leave', column)}."
                raise ValueError(_where((line, column, cell)) + why)
            pointed.append(cell.replace(",", ".") if kind in ("comma", "either") else cell)
        return pointed


class Numbers:
    """Cells of one file to numbers, and what is met on the way.

    decimal: the decimal mark of the file.
    words: the words that stand for a gap, in lower case.
    gaps: column -> how often each word was read there as a gap, in blocks of numbers.
    minus: column -> how many numbers have another minus sign than "-".
    commas: the columns in which numbers have decimal commas.
    zeros: columns of which the first rows hold a number with a leading zero.
    """

    def __init__(self, decimal: DecimalMark, words: Collection[str] = GAPS) -> None:
        self.decimal, self.words = decimal, words
        self.gaps: dict[str, Counter[str]] = {}
        self.minus: Counter[str] = Counter()
        self.commas: dict[str, None] = {}  # in the order they are met
        self.zeros: set[str] = set()
        self._begun: set[str] = set()

    def read(self, column: str, cells: Sequence[str], lines: Sequence[int]) -> Cells:
        """The cells (n,) as numbers, where all of them are numbers or gaps; else as stripped text, in which a
        number has a decimal point and the usual minus sign all the same."""
        joined = "".join(cells)
        comma = self.decimal.mark == "," and ("," in joined or "." in joined)
        if not (comma and "." in joined) and _is_plain(joined):
            values = _floats([cell.replace(",", ".") for cell in cells] if comma else cells)
            if values is not None:
                self.commas |= {column: None} if comma else {}
                self._look(column, joined, cells, lines)
                return values
        texts = stripped(cells)
        if not joined.isascii():
            texts = [self._hyphened(column, cell) for cell in texts]
        if comma:
            texts, before = self.decimal.pointed(column, texts, lines), texts
            self.commas |= {column: None} if texts != before else {}
        gaps = Counter(cell for cell in texts if cell.lower() in self.words)
        values = _with_gaps(texts, gaps)
        if values is None:
            return texts
        if gaps:
            self.gaps.setdefault(column, Counter()).update(gaps)
        self._look(column, joined, cells, lines)
        return values

    def notes(self) -> list[str]:
        """What is to be told of the numbers."""
        counts = listed(f"{count} in {column!r}" for column, count in self.minus.items())
        return [f"Other minus signs than '-' stand before numbers and are read as '-': {counts}."] * bool(
            counts
        )

    def _look(self, column: str, joined: str, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Note the decimal mark of a block of numbers, which are no texts any more when it is decided, and
        leading zeros in the first of its column."""
        if column not in self._begun:
            self._begun.add(column)
            if "." not in joined and ZERO.search("\n".join(cells)):
                self.zeros.add(column)
        if not self.decimal.mark and "." in joined and "point" not in self.decimal.first:
            self.decimal.look(column, stripped(cells), lines)

    def _hyphened(self, column: str, cell: str) -> str:
        """The cell with "-" for another minus sign, where it is a number."""
        if cell.isascii():
            return cell
        hyphened = re.sub(f"[{MINUS}]", "-", cell)
        if hyphened == cell or not (
            NUMBER.fullmatch(hyphened) or NUMBER.fullmatch(hyphened.replace(",", "."))
        ):
            return cell
        self.minus[column] += 1
        return hyphened


def stripped(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _is_plain(text: str) -> bool:
    """Whether float() reads no more in these cells than NUMBER does: other digits, and 1_000."""
    return text.isascii() and "_" not in text


def _floats(cells: Sequence[str]) -> Array | None:
    """(n,) the numbers in plain cells; None where one is none, or so large that it may be rounded."""
    with suppress(ValueError):
        values = np.fromiter(map(float, cells), np.float64, len(cells))
        if (np.abs(values) < EXACT).all():
            return values
    return None


def _with_gaps(texts: Sequence[str], gaps: Collection[str]) -> Array | None:
    """(n,) the numbers in stripped cells, with NaN for a gap; None where one is neither, or is rounded."""
    kept = [cell for cell in texts if cell not in gaps]
    numbers = _floats(kept) if _is_plain("".join(kept)) else None
    if numbers is None:
        if not all(map(is_number, kept)) or any(map(_is_rounded, kept)):
            return None  # rounded ones are compared when all cells of the column are known
        numbers = np.array([float(cell) for cell in kept])
    values = np.full(len(texts), np.nan)
    values[[cell not in gaps for cell in texts]] = numbers
    return values


GROUPED = (
    " has points between thousands and a decimal comma; write the numbers of the file without marks between"
    " thousands."
)
POINTED = (
    " has a point, and the numbers of the file have decimal commas; write them all with one decimal mark and"
    " without marks between thousands, or leave the column out: "
)


def _where(place: tuple[int, str, str]) -> str:
    line, column, cell = place
    return f"line {line}, column {column!r}: {cell!r}"
