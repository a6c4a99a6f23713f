"""Further rows for a table that is known: a file of new cases, read by the columns of the Dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handnet.data import Array, Dataset, listed
from handnet.messages import nearest
from handnet.tables.cells import spelt
from handnet.tables.columns import Asked, Column, first_of, judge, numbers_of, tally
from handnet.tables.dialect import Dialect
from handnet.tables.numerals import GAPS
from handnet.tables.sheets import Sheet, read_sheet


class MoreRows(NamedTuple):
    """Rows of a file as those of a Dataset.

    X: (n, columns) as in the Dataset, NaN for a gap, -1 for a text that the Dataset does not have; case_ids:
    (n,) text, not always unique; notes: what was taken for what, in sentences.
    """

    X: Array
    case_ids: Array
    notes: tuple[str, ...]


def read_more_rows(
    path: Path,
    data: Dataset,
    *,
    id: str = "",
    number: Sequence[str] = (),
    known: Sequence[str] = (),
    needed: Sequence[str] | None = None,
    dialect: Dialect | None = None,
) -> MoreRows:
    """Read the columns of `data` from a file that may lack the target, and hold others.

    id: the column that names the cases; without it, or where the file lacks it, the file's own names of its
    rows or their places from 0. number: columns of which signs and units are taken off, as in `read_table`.
    known: further columns of the table, which are not read and not told of. needed: the columns that must be
    there, all unless given; those of the others that are not there are gaps. dialect: how a text file is
    written, where that is not found out.

    Raises ValueError, one sentence with the column, for a file that is no table, that lacks a column, or that
    holds text where the Dataset has numbers.
    """
    names = data.feature_names
    as_text = {*data.levels, *([id] if id else [])}
    sheet = read_sheet(path, as_text, {*names, *([id] if id else [])}, dialect)
    _check_there(sheet, names if needed is None else needed)
    notes = list(sheet.notes)
    X = np.full((len(sheet.numbers), len(names)), np.nan)
    for place, name in enumerate(names):
        if name in data.levels and name in sheet.columns:
            X[:, place] = _codes(sheet, name, data.levels[name])
        elif name in sheet.columns:
            X[:, place] = _numbers(sheet, name, number, notes)
    ids = _ids(sheet, id, notes)
    others = [name for name in sheet.columns if name not in {*names, *known, id}]
    if others:
        notes.append(f"Columns that the study does not use are left out: {listed(map(repr, others))}.")
    return MoreRows(X, ids, tuple(notes))


def _check_there(sheet: Sheet, needed: Sequence[str]) -> None:
    """That the columns are there."""
    missing = [name for name in needed if name not in sheet.columns]
    if missing:
        others = [name for name in sheet.columns if name not in needed] or list(sheet.columns)
        raise ValueError(
            f"there is no column {listed(map(repr, missing))}, which the models learnt from;"
            f" {nearest(missing[0], others)}"
        )


def _codes(sheet: Sheet, name: str, levels: Sequence[str]) -> Array:
    """(n,) the number of the level in each cell of a column of text, -1 for another text, NaN for a gap."""
    codes = {level: float(code) for code, level in enumerate(levels)}
    cells = sheet.text(name)
    gaps = {"": np.nan} if sheet.typed else {cell: np.nan for cell in {*cells} if cell.lower() in GAPS}
    return np.array([{**codes, **gaps}.get(cell, -1.0) for cell in cells])


def _numbers(sheet: Sheet, name: str, number: Sequence[str], notes: list[str]) -> Array:
    """(n,) the cells of a column of numbers, NaN for a gap."""
    column = judge(sheet, name, Asked("", missing="median", number=tuple(number), decimal=sheet.decimal))
    if column.kind == "number":
        if column.lost:
            lost = {cell: column.gaps[cell] for cell in column.lost}
            notes.append(f"Cells of {name!r} that are no numbers are gaps: {spelt(lost)}.")
        return numbers_of(column, sheet.columns[name])
    if "empty" in column.told:
        return np.full(len(sheet.numbers), np.nan)
    raise ValueError(_no_number(sheet, name, column))


def _no_number(sheet: Sheet, name: str, column: Column) -> str:
    """What is said of text in a column of numbers."""
    words = tally(sheet, name).text
    what = first_of(sheet, name, words) if words else column.fault.what if column.fault else "something else"
    return (
        f"the column {name!r} is of numbers in the study, and holds {what}; write a number there, or leave"
        " the cell empty."
    )


def _ids(sheet: Sheet, id: str, notes: list[str]) -> Array:
    """(n,) text: what names the cases."""
    if id in sheet.columns:
        return np.array(sheet.text(id), dtype="U")
    if sheet.row_names is not None:
        return np.array(sheet.row_names, dtype="U")
    if id:
        notes.append(f"There is no column {id!r}, so the cases are named by their places, from 0.")
    return np.arange(len(sheet.numbers)).astype("U")
