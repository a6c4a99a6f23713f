"""Columns of a frame as codes and numbers, whatever they are kept as: text, numbers, categories, gaps.

pandas factorises ten million rows; what is done in Python is done once for each different cell.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from handnet.data import MOST_CLASSES, Array
from handnet.messages import Refusal
from handnet.tables.cells import shown
from handnet.tables.numerals import EXACT, GAPS, MINUS

Column = Any  # a pandas Series, whose type parameters say nothing here
COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


class Coded(NamedTuple):
    """A column as codes.

    codes: (n,) int, -1 for a gap, of the smallest type that holds one more; texts: what each code stands for,
    in the order in which they are first met.
    """

    codes: Array
    texts: tuple[str, ...]


def coded(column: Column) -> Coded:
    """The cells of a column as texts; those that differ in the blanks around them are one.

    A whole number has no point, so that 1 and 1.0 are one. Empty cells and words for a gap (NA, nan, null)
    are gaps.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        places, met = pd.factorize(column.cat.codes.to_numpy())
        return _merged(places, ["" if code < 0 else text_of(column.cat.categories[code]) for code in met])
    places, met = _factorized(column)
    return _merged(places, [*map(text_of, met)])


def distinct(column: Column) -> int:
    """How many different cells a column has. Raises Refusal for cells that hold several values."""
    return len(_factorized(column)[1])


def _factorized(column: Column) -> tuple[Array, Any]:
    """(n,) the place of each cell among the different ones, -1 for a gap; and these."""
    try:
        return pd.factorize(column)
    except TypeError:  # lists, arrays and the like cannot be told apart
        many = next(cell for cell in column if isinstance(cell, list | dict | set | np.ndarray))
        raise Refusal(
            f"the column {column.name!r} holds a {type(many).__name__} in a cell, and one value is expected;"
            " give each value a column."
        ) from None


def _merged(places: Array, texts: Sequence[str]) -> Coded:
    """Codes of texts, of which equal ones are one, and words for a gap are a gap. places: (n,) in texts, -1
    for a gap."""
    names: dict[str, int] = {}
    renamed = [-1 if text.lower() in GAPS else names.setdefault(text, len(names)) for text in texts]
    smallest = np.min_scalar_type(-len(names) - 1)
    return Coded(np.array([*renamed, -1], dtype=smallest)[places], tuple(names))


def text_of(value: object) -> str:
    """A cell as text, a whole number without a point."""
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < EXACT:
        return str(int(value))
    return "" if value is None or value is pd.NA else str(value).strip()


def constant(text: str, rows: int) -> Coded:
    """A column that holds one text alone."""
    return Coded(np.zeros(rows, dtype=np.int8), (text,))


def few_texts(column: Column) -> Coded | None:
    """The cells of a column of at most fifty texts; None where there are more."""
    if distinct(column) > MOST_CLASSES:
        return None
    cells = coded(column)
    return cells if len(cells.texts) <= MOST_CLASSES else None


class NoNumber(Exception):
    """A cell that should be a number and is none. row: its place; text: what it holds."""

    def __init__(self, row: int, text: str) -> None:
        super().__init__(f"{shown(text)} is no number")
        self.row, self.text = row, text


def numbers(column: Column) -> Array:
    """(n,) float64, NaN for a gap. Raises NoNumber for a text that is none.

    A decimal comma is read as one, and truth values as 1 and 0."""
    if pd.api.types.is_complex_dtype(column.dtype):
        raise Refusal(f"the column {column.name!r} holds complex numbers; give real ones.")
    if pd.api.types.is_numeric_dtype(column.dtype):  # truth values among them
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    cells = coded(column)
    values = np.array([*map(_number, cells.texts), np.nan])
    wrong = np.isnan(values[:-1])
    if wrong.any():
        row = int(np.isin(cells.codes, np.flatnonzero(wrong)).argmax())
        raise NoNumber(row, cells.texts[cells.codes[row]])
    return np.asarray(values[cells.codes])


def are_numbers(column: Column) -> bool:
    """Whether all cells of a column are numbers or gaps."""
    try:
        numbers(column)
    except NoNumber:
        return False
    return True


def _number(text: str) -> float:
    """The number that a text is, NaN where it is none."""
    text = re.sub(f"^[{MINUS}]", "-", text)
    text = text.replace(",", ".") if COMMA.fullmatch(text) else text
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        return np.nan if "_" in text else float(text)
    except ValueError:
        return np.nan
