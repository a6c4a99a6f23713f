"""Columns of a frame as codes and numbers, whatever they are kept as: text, numbers, categories, gaps.

Ten million rows are factorised by pandas; what is done in Python is done once for each different cell.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from handnet.data import Array
from handnet.messages import Refusal
from handnet.tables.cells import shown
from handnet.tables.numerals import EXACT, GAPS, MINUS

COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


class Coded(NamedTuple):
    """A column as codes. codes: (n,) int32, -1 for a gap; texts: what each code stands for, in the order in
    which they are first met."""

    codes: Array
    texts: tuple[str, ...]


def coded(column: "pd.Series[Any]") -> Coded:
    """The cells of a column as texts, of which those that differ in blanks around them are one.

    A whole number is written without a point, so that 1 and 1.0 are one. Empty cells and words for a gap
    (NA, nan, null ...) are gaps.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        found, met = pd.factorize(column.cat.codes.to_numpy())
        kept = np.flatnonzero(met >= 0)
        texts = ["", *(text_of(column.cat.categories[met[place]]) for place in kept)]
        renamed = np.zeros(len(met), dtype=np.int32)
        renamed[kept] = np.arange(1, len(kept) + 1)
        return _merged(renamed[found], texts)
    values: Any = column
    places, met = pd.factorize(values)
    return _merged(places.astype(np.int32) + 1, ["", *map(text_of, met)])


def _merged(places: Array, texts: Sequence[str]) -> Coded:
    """Codes of texts, the first of which, and every word for a gap, is a gap."""
    names: dict[str, int] = {}
    renamed = np.array(
        [-1 if text.lower() in GAPS else names.setdefault(text, len(names)) for text in texts], dtype=np.int32
    )
    return Coded(renamed[places], tuple(names))


def text_of(value: object) -> str:
    """A cell as text, a whole number without a point."""
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < EXACT:
        return str(int(value))
    return "" if value is None or value is pd.NA else str(value).strip()


def constant(text: str, rows: int) -> Coded:
    """A column that holds one text alone."""
    return Coded(np.zeros(rows, dtype=np.int32), (text,))


def numbers(column: "pd.Series[Any]") -> Array:
    """(n,) float64, NaN for a gap. Raises Refusal for a text that is no number."""
    if isinstance(column.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(column.dtype):
        cells = coded(column)
        values = np.array([*(_number(text) for text in cells.texts), np.nan])
        wrong = [code for code, text in enumerate(cells.texts) if np.isnan(values[code])]
        if wrong:
            row = int(np.flatnonzero(np.isin(cells.codes, wrong))[0])
            raise NoNumber(row, cells.texts[cells.codes[row]])
        return np.asarray(values[cells.codes])
    if pd.api.types.is_complex_dtype(column.dtype):
        raise Refusal(f"the column {column.name!r} holds complex numbers; give real ones.")
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


class NoNumber(Exception):
    """A cell that should be a number and is none."""

    def __init__(self, row: int, text: str) -> None:
        super().__init__(f"{shown(text)} is no number")
        self.row, self.text = row, text


def _number(text: str) -> float:
    """The number that a text is, NaN where it is none; a decimal comma is read as one."""
    text = re.sub(f"^[{MINUS}]", "-", text)
    text = text.replace(",", ".") if COMMA.fullmatch(text) else text
    if text in ("True", "False"):
        return float(text == "True")
    try:
        return np.nan if "_" in text else float(text)
    except ValueError:
        return np.nan
