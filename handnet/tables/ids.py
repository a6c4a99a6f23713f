"""The ids and the groups of a table's rows."""

import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np

from handnet.data import Array
from handnet.messages import option
from handnet.tables.columns import texts_of
from handnet.tables.numerals import GAPS
from handnet.tables.sheets import Sheet


def read_ids(sheet: Sheet, id: str | None, places: Array, notes: list[str]) -> Array:
    """(n,) unique: the cells of the column of ids, or the names the file gives its rows, or `places`.

    places: (n,) int, where the rows of the sheet stand among all rows of the file, from 0. notes: gets a
    sentence on what the file calls its rows. Raises ValueError for an id that is missing or stands twice.
    """
    names = sheet.row_names
    if id is not None:
        notes += ["The names of the rows are left out: another column names the cases."] if names else []
        return _case_ids(sheet, id)
    if names is None:
        return places
    if len(set(names)) == len(names) and all(names):
        notes.append("The names of the rows are the ids of the cases.")
        return np.array(names)
    notes.append("The names of the rows are left out: some repeat or are empty, so they name no single case.")
    return places


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
