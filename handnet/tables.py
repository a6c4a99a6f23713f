"""A table of one's own: from the columns of a file to a Dataset, or to one sentence that says what is wrong
with them."""

import difflib
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from handnet.data import Array, Dataset, families_of, listed
from handnet.messages import option
from handnet.numerals import GAPS, NOT_A_NUMBER, NUMBER, Cells, why_no_number
from handnet.sheets import Sheet, read_sheet

MOST_LEVELS = 20  # of a column of text: each is an input of its own
WAYS = ("", "median", "drop")  # what may be done about gaps
UNNAMED = re.compile(r"__index_level_\d+__|Unnamed: \d+")  # what pandas calls row numbers that have no name


def read_table(
    path: str | PathLike[str],
    target: str,
    positive: str,
    id: str | None = None,
    *,
    group: str | None = None,
    missing: str = "",
) -> Dataset:
    """The table in a CSV or TSV file (UTF-8, names in the first line, numbers with a decimal point), or in a
    Parquet file.

    target: the column of the labels, of which there are two.
    positive: the label that becomes class 1.
    id: the column that names the cases, kept as text; without it a case is named by its row number, from 0.
    group: a column whose equal cells mark rows that belong together, as those of one patient.
    missing: "" refuses gaps, "drop" leaves their rows out, "median" keeps them for the split to fill in.

    Every other column is a measurement: numbers, or text of at most 20 levels. Columns whose names differ
    only in a word for a statistic (mean radius, radius_worst) are a family. A UserWarning names columns that
    may be ids or row numbers. Raises ValueError, one sentence with the line, the column and what to do, when
    the table cannot be used as it is.
    """
    path = Path(path)
    try:
        if missing not in WAYS:
            raise ValueError(f"missing must be one of {', '.join(map(repr, WAYS))}, but got {missing!r}.")
        named = {"target": target, "id": id, "group": group}
        columns = {column for column in named.values() if column is not None}
        sheet = read_sheet(path, columns, columns)
        _check_named(sheet, named)
        return _dataset(path.stem, sheet, target, positive, id, group, missing)
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from None


read_csv = read_table  # its name while it read nothing else


def _check_named(sheet: Sheet, named: Mapping[str, str | None]) -> None:
    """That the columns named for a purpose are there, each for one."""
    if sheet.kinds:
        strange = listed(f"{name!r} ({kind})" for name, kind in sheet.kinds.items())
        raise ValueError(f"these columns hold neither numbers nor text: {strange}; leave them out.")
    purposes: dict[str, str] = {}
    for what, column in named.items():
        if column is None:
            continue
        if column not in sheet.columns:
            close = difflib.get_close_matches(column, sheet.columns, n=1)
            hint = f"its columns are {listed(map(repr, sheet.columns))}."
            hint = f"did you mean {close[0]!r}?" if close else hint
            raise ValueError(
                f"there is no column {column!r} for the {what}; {_lookalike(column, sheet.columns) or hint}"
            )
        if column in purposes:
            raise ValueError(f"the column {column!r} cannot be both the {purposes[column]} and the {what}.")
        purposes[column] = what
    for name in sheet.columns.keys() - purposes.keys():
        if UNNAMED.fullmatch(name):
            raise ValueError(
                f"the column {name!r} is what pandas makes of row numbers without a name, no measurement;"
                " leave it out (index=False when the table is written), or name it as the id."
            )


def _lookalike(word: str, known: Iterable[str]) -> str | None:
    """What to say when a known word looks the same and is spelt with other characters of Unicode."""
    for name in known:
        if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", word):
            return f"{name!r} looks the same, but its accents differ; copy the name from the file."
    return None


def _dataset(
    name: str, sheet: Sheet, target: str, positive: str, id: str | None, group: str | None, missing: str
) -> Dataset:
    y, negative = _labels(sheet, target, positive)
    if id is None and sheet.row_names and len(set(sheet.row_names)) == len(y):
        sheet.columns[id := ""] = [list(sheet.row_names)]
    ids = np.arange(len(y)) if id is None else _ids(sheet, id)
    groups = None if group is None else _groups(sheet, group)
    for column in (target, id, group):
        sheet.columns.pop(column or "", None)
    texts = _check_columns(sheet, missing, id is None)
    names = tuple(sheet.columns)
    X, levels = _matrix(sheet, texts)
    notes = tuple(sheet.notes)
    if missing == "drop":
        kept = _complete_rows(X, y)
        if not kept.all():
            left_out = f"{(~kept).sum()} of {len(y)} rows have a gap and are left out"
            notes += (f"{left_out} ({option('missing', 'drop')}).",)
        X, y, ids, groups = X[kept], y[kept], ids[kept], None if groups is None else groups[kept]
    _check_varying(X)
    _warn_of_ids(names, X, id)
    gaps = "median" if np.isnan(X).any() else ""
    return Dataset(
        name, X, y, ids, names, families_of(names), (negative, positive), levels, gaps, groups, notes
    )


def _matrix(sheet: Sheet, texts: set[str]) -> tuple[Array, dict[str, tuple[str, ...]]]:
    """(n, features), with NaN for a gap and a level's number for a text; and the levels of each column of
    text. The columns leave the sheet, so that the numbers are not held twice."""
    X = np.empty((len(sheet.numbers), len(sheet.columns)))
    levels: dict[str, tuple[str, ...]] = {}
    for place, name in enumerate(list(sheet.columns)):
        blocks = sheet.columns.pop(name)
        if name in texts:
            levels[name], X[:, place] = _coded(blocks)
        else:
            X[:, place] = np.concatenate(blocks)
    return X, levels


def _complete_rows(X: Array, y: Array) -> Array:
    """(n,) whether a row of X (n, features) has no gap; those that have none must be of two classes."""
    kept = np.asarray(~np.isnan(X).any(axis=1))
    if len(np.unique(y[kept])) < 2:
        raise ValueError(
            f"{(~kept).sum()} rows have a gap, and the {kept.sum()} without one are not of two classes; fill"
            f" the gaps in, or use {option('missing', 'median')}."
        )
    return kept


def _coded(blocks: Sequence[Cells]) -> tuple[tuple[str, ...], Array]:
    """The levels of a column of text, sorted, and (n,) the number of each cell's level, NaN for a gap."""
    cells = [cell for block in blocks for cell in (block if isinstance(block, list) else [""] * len(block))]
    levels = tuple(sorted({cell for cell in cells if cell.lower() not in GAPS}))
    codes = {level: float(code) for code, level in enumerate(levels)}
    return levels, np.array([codes.get(cell, np.nan) for cell in cells])


def _labels(sheet: Sheet, target: str, positive: str) -> tuple[Array, str]:
    """(n,) 0 or 1, and the name of class 0."""
    cells = [cell for _, cell in _complete(sheet, target, "label", "fill it in or leave the row out")]
    counts = Counter(cells)
    shown = listed(f"{label!r} ({count})" for label, count in counts.most_common())
    if len(counts) != 2:
        what = "only the label" if len(counts) == 1 else f"{len(counts)} labels,"
        raise ValueError(
            f"the target {target!r} must hold two labels, but holds {what} {shown}; a network here tells two "
            "classes apart."
        )
    if positive not in counts:
        raise ValueError(
            f"no row of the target {target!r} holds the positive label {positive!r}; "
            f"{_lookalike(positive, counts) or f'its labels are {shown}.'}"
        )
    (negative,) = counts.keys() - {positive}
    return np.array([cell == positive for cell in cells], dtype=np.int8), negative


def _complete(sheet: Sheet, column: str, what: str, advice: str) -> Iterator[tuple[int, str]]:
    """The number of each row and its cell in a column that may have no gap."""
    for number, cell in zip(sheet.numbers, sheet.text(column), strict=True):
        if cell.lower() in GAPS:
            raise ValueError(
                f"{sheet.unit} {number} has no {what} (column {column!r} holds {cell!r}); {advice}."
            )
        yield number, cell


def _ids(sheet: Sheet, id: str) -> Array:
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


def _groups(sheet: Sheet, group: str) -> Array:
    """(n,) int, equal where the cells are."""
    cells = [cell for _, cell in _complete(sheet, group, "group", "every row needs one")]
    return np.unique(cells, return_inverse=True)[1]


def _check_columns(sheet: Sheet, missing: str, nameless: bool) -> set[str]:
    """The columns of text; all others are numbers. A fault of one kind is named for every column with it.

    nameless: no column names the cases."""
    if not missing:
        _check_gaps(sheet.columns)
    texts, many, advice = set(), [], ""
    for name, blocks in sheet.columns.items():
        if all(not isinstance(block, list) for block in blocks):
            continue
        texts.add(name)
        _check_text(name, sheet)
        levels = Counter(cell for cell in _texts(blocks) if cell.lower() not in GAPS)
        if len(levels) > MOST_LEVELS or 2 * len(levels) > len(sheet.numbers):
            many.append(f"{name!r} ({len(levels)} levels, first {next(iter(levels))!r})")
            if nameless and not advice and len(levels) == len(sheet.numbers):
                advice = f"if it names the cases, say so with {option('id', name)}; otherwise "
    if many:
        raise ValueError(
            f"these columns hold text of more than {MOST_LEVELS} levels, or of more than half as many as"
            f" there are rows: {listed(many)}; {advice}leave them out, join levels, or write them as numbers."
        )
    return texts


def _texts(blocks: Iterable[Cells]) -> Iterator[str]:
    """The cells of the blocks that are text."""
    return (cell for block in blocks if isinstance(block, list) for cell in block)


def _check_gaps(columns: Mapping[str, Sequence[Cells]]) -> None:
    """That there are none. Of a text the words are shown, for one of them may be meant as a level."""
    counts = []
    for name, blocks in columns.items():
        gaps = sum(int(np.isnan(block).sum()) for block in blocks if not isinstance(block, list))
        words = Counter(cell for cell in _texts(blocks) if cell.lower() in GAPS)
        written = ", ".join(sorted(repr(word) for word in words if word))
        if gaps or words:
            counts.append(
                f"{gaps + words.total()} in {name!r}" + (f" (written {written})" if written else "")
            )
    if counts:
        median, drop = option("missing", "median"), option("missing", "drop")
        raise ValueError(
            f"values are missing: {listed(counts)}; fill them in, leave these rows or columns out, or choose:"
            f" {median} fills them in from the train rows, {drop} leaves their rows out."
        )


def _check_text(name: str, sheet: Sheet) -> None:
    """That a column which is not all numbers is text throughout."""
    blocks = sheet.columns[name]
    numbers = any(not isinstance(block, list) and not np.isnan(block).all() for block in blocks)
    numbers = numbers or any(NUMBER.fullmatch(cell) for cell in _texts(blocks))
    begins = 0
    for block in blocks:
        for place, cell in enumerate(block if isinstance(block, list) else (), begins):
            why = None if cell.lower() in GAPS else why_no_number(cell)
            if why and (numbers or why != NOT_A_NUMBER):
                more = ", and other cells of the column are" if why == NOT_A_NUMBER else ""
                raise ValueError(
                    f"{sheet.unit} {sheet.numbers[place]}, column {name!r}: {cell!r} {why}{more}; correct it,"
                    f" empty it (and choose {option('missing', '')}), or leave the column out."
                )
        begins += len(block)


def _check_varying(X: Array) -> None:
    """That some column of X (n, features) varies. A single one that does not may stay: whether it does may
    depend on a row that is sealed later."""
    for column in X.T:
        values = column[~np.isnan(column)]
        if len(values) and values.min() != values.max():
            return
    raise ValueError(
        "no column varies, so there is nothing to learn from; a table needs measurements beside its target."
    )


def _warn_of_ids(names: Sequence[str], X: Array, id: str | None) -> None:
    distinct = [
        name
        for name, column in zip(names, X.T, strict=True)
        if (column % 1 == 0).all() and len(np.unique(column)) == len(column)
    ]
    if distinct:
        advice = "is to be given as the id" if id is None else "or numbers them is to be left out"
        warnings.warn(
            f"a different whole number in every row: {listed(map(repr, distinct))}; a column that names the"
            f" cases {advice}.",
            stacklevel=4,
        )
