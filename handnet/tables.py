"""A table of one's own: from the columns of a file to a Dataset, or to one sentence that says what is wrong
with them."""

import difflib
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from handnet.data import Array, Dataset, listed
from handnet.sheets import MISSING, NUMBER, WORD, Cells, Sheet, read_sheet, unfit

MOST_LEVELS = 20  # of a column of text: each is an input of its own
WAYS = ("", "median", "drop")  # what may be done about gaps
STATISTIC = "mean|worst|error|se|sd|std|sem|min|max|median|average|avg"
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
    """The table in a CSV or TSV file (UTF-8, names in the first line, numbers with a decimal point), or a
    Parquet file.

    target: the column of the labels, of which there are two; positive: the label that becomes class 1; id:
    the column that names the cases, kept as text; without it a case is named by its row number, from 0;
    group: a column whose equal cells mark rows that belong together (several of one patient). Every other
    column is a measurement: numbers, or text of at most 20 levels. Columns whose names differ in a word for a
    statistic alone (mean radius, radius_worst) are a family. missing: "" refuses gaps, "drop" leaves their
    rows out, "median" keeps them for the split to fill in. A UserWarning names what may be an id or a row
    number.

    Raises ValueError, one sentence with the file, the line, the column and what to do, when the table cannot
    be used as it is: unreadable, ragged, gaps or infinite values, words among numbers, not two classes, ids
    that repeat."""
    path = Path(path)
    try:
        if missing not in WAYS:
            raise ValueError(f"missing must be one of {', '.join(map(repr, WAYS))}, but got {missing!r}.")
        named = {"target": target, "id": id, "group": group}
        sheet = read_sheet(path, {column for column in named.values() if column is not None})
        _check_named(sheet, named)
        return _dataset(path.stem, sheet, target, positive, id, group, missing)
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from None


read_csv = read_table  # its name while it read nothing else


def _check_named(sheet: Sheet, named: Mapping[str, str | None]) -> None:
    """That the columns named for a purpose are there, each for one."""
    purposes: dict[str, str] = {}
    for what, column in named.items():
        if column is None:
            continue
        if column not in sheet.columns:
            close = difflib.get_close_matches(column, sheet.columns, n=1)
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"its columns are {listed(map(repr, sheet.columns))}."
            )
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
    """What to say when one of the known words looks the same, and is spelt with other characters of
    Unicode."""
    same = (one for one in known if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", word))
    found = next(same, None)
    return (
        found
        and f"{found!r} looks the same, but accents are written in another way there; copy the name from the file."
    )


def _dataset(
    name: str, sheet: Sheet, target: str, positive: str, id: str | None, group: str | None, missing: str
) -> Dataset:
    y, negative = _labels(sheet, target, positive)
    ids = np.arange(len(y)) if id is None else _ids(sheet, id)
    groups = None if group is None else _groups(sheet, group)
    measured = {
        column: sheet.columns.pop(column)
        for column in list(sheet.columns)
        if column not in (target, id, group)
    }
    texts = _checked(measured, sheet, missing)
    X, names = np.empty((len(y), len(measured))), tuple(measured)
    levels: dict[str, tuple[str, ...]] = {}
    notes: tuple[str, ...] = ()
    for place, column in enumerate(names):
        pieces = measured.pop(column)  # the numbers stand in X from here on
        if column in texts:
            levels[column], X[:, place] = _coded(pieces)
        else:
            X[:, place] = np.concatenate(pieces)
    if missing == "drop":
        kept = np.asarray(~np.isnan(X).any(axis=1))
        notes = (
            (f"{(~kept).sum()} of {len(y)} rows have a gap and are left out (MISSING=drop).",)
            if not kept.all()
            else ()
        )
        X, y, ids, groups = X[kept], y[kept], ids[kept], None if groups is None else groups[kept]
        if len(np.unique(y)) < 2:
            raise ValueError(
                f"{(~kept).sum()} rows have a gap, and the {len(y)} without one are not of two classes; fill"
                " the gaps in, or use MISSING=median."
            )
    _check_varying(X)
    _remark(names, X, id)
    gaps = "median" if np.isnan(X).any() else ""
    return Dataset(name, X, y, ids, names, families(names), (negative, positive), levels, gaps, groups, notes)


def _coded(pieces: Sequence[Cells]) -> tuple[tuple[str, ...], Array]:
    """The levels of a column of text, sorted, and (n,) each cell's place among them, NaN for a gap."""
    cells = [cell for piece in pieces for cell in (piece if isinstance(piece, list) else [""] * len(piece))]
    levels = tuple(sorted({cell for cell in cells if cell.lower() not in MISSING}))
    codes = {level: float(code) for code, level in enumerate(levels)}
    return levels, np.array([codes.get(cell, np.nan) for cell in cells])


def _labels(sheet: Sheet, target: str, positive: str) -> tuple[Array, str]:
    """(n,) 0 or 1, and the name of class 0."""
    cells = _text(sheet, target)
    for number, cell in zip(sheet.places, cells, strict=True):
        if cell.lower() in MISSING:
            raise ValueError(
                f"{sheet.place} {number} has no label (column {target!r} holds {cell!r}); fill it in or leave"
                " the row out."
            )
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


def _text(sheet: Sheet, column: str) -> list[str]:
    """A column that was asked for as text."""
    return [cell for piece in sheet.columns[column] for cell in piece]


def _ids(sheet: Sheet, id: str) -> Array:
    """(n,) text, unique."""
    first: dict[str, int] = {}
    for number, cell in zip(sheet.places, _text(sheet, id), strict=True):
        if cell.lower() in MISSING:
            raise ValueError(
                f"{sheet.place} {number} has no id (column {id!r} holds {cell!r}); every case needs one of"
                " its own."
            )
        if cell in first:
            raise ValueError(
                f"the id {cell!r} stands on {sheet.place}s {first[cell]} and {number} of column {id!r}; an id"
                " must name one case (of what has several rows give the column as GROUP=)."
            )
        first[cell] = number
    return np.array(list(first))


def _groups(sheet: Sheet, group: str) -> Array:
    """(n,) int, equal where the cells are."""
    cells = _text(sheet, group)
    for number, cell in zip(sheet.places, cells, strict=True):
        if cell.lower() in MISSING:
            raise ValueError(
                f"{sheet.place} {number} has no group (column {group!r} holds {cell!r}); every row needs one."
            )
    return np.unique(cells, return_inverse=True)[1]


def _checked(columns: Mapping[str, list[Cells]], sheet: Sheet, missing: str) -> set[str]:
    """The columns of text; all others are numbers. A fault of one kind is named for every column that has
    it."""
    if not missing:
        _check_gaps(columns)
    texts = {name for name, pieces in columns.items() if any(isinstance(piece, list) for piece in pieces)}
    many = []
    for name in sorted(texts, key=list(columns).index):
        _check_text(name, columns[name], sheet)
        found = Counter(
            cell
            for piece in columns[name]
            if isinstance(piece, list)
            for cell in piece
            if cell.lower() not in MISSING
        )
        if len(found) > MOST_LEVELS or 2 * len(found) > len(sheet.places):
            many.append(f"{name!r} ({len(found)} levels, first {next(iter(found))!r})")
    if many:
        raise ValueError(
            f"these columns hold text of more than {MOST_LEVELS} levels, or of nearly as many as there are"
            f" rows: {listed(many)}; leave them out, join levels, or write them as numbers."
        )
    return texts


def _check_gaps(columns: Mapping[str, list[Cells]]) -> None:
    """That there are none. Of a text the words are shown, for one of them may be meant as a level."""
    counts = []
    for name, pieces in columns.items():
        holes = sum(int(np.isnan(piece).sum()) for piece in pieces if not isinstance(piece, list))
        words = Counter(
            cell for piece in pieces if isinstance(piece, list) for cell in piece if cell.lower() in MISSING
        )
        written = ", ".join(sorted(repr(word) for word in words if word))
        if holes or words:
            counts.append(
                f"{holes + words.total()} in {name!r}" + (f" (written {written})" if written else "")
            )
    if counts:
        raise ValueError(
            f"values are missing: {listed(counts)}; fill them in, leave these rows or columns out, or choose:"
            " MISSING=median fills them in from the train rows, MISSING=drop leaves their rows out."
        )


def _check_text(name: str, pieces: Sequence[Cells], sheet: Sheet) -> None:
    """That a column which is not all numbers is text throughout. Raises ValueError, naming the first cell
    that fits neither."""
    numbers = any(not isinstance(piece, list) and not np.isnan(piece).all() for piece in pieces)
    numbers = numbers or any(
        NUMBER.fullmatch(cell) for piece in pieces if isinstance(piece, list) for cell in piece
    )
    begins = 0
    for piece in pieces:
        for place, cell in enumerate(piece if isinstance(piece, list) else (), begins):
            why = None if cell.lower() in MISSING else unfit(cell)
            if why and (numbers or why != WORD):
                more = ", and other cells of the column are" if why == WORD else ""
                raise ValueError(
                    f"{sheet.place} {sheet.places[place]}, column {name!r}: {cell!r} {why}{more}; correct it,"
                    " empty it (and choose MISSING=), or leave the column out."
                )
        begins += len(piece)


def _check_varying(X: Array) -> None:
    """Single columns that never vary stay: whether one does may hang on a row that is sealed later."""
    for column in X.T:
        found = column[~np.isnan(column)]
        if len(found) and found.min() != found.max():
            return
    raise ValueError(
        "no column varies, so there is nothing to learn from; a table needs measurements beside its target."
    )


def _remark(names: Sequence[str], X: Array, id: str | None) -> None:
    """Warn of what is no fault, but may be one."""
    whole = [
        name
        for name, column in zip(names, X.T, strict=True)
        if (column % 1 == 0).all() and len(np.unique(column)) == len(column)
    ]
    if whole:
        advice = "is to be given as the id" if id is None else "or numbers them is to be left out"
        warnings.warn(
            f"a different whole number in every row: {listed(map(repr, whole))}; a column that names the"
            f" cases {advice}.",
            stacklevel=4,
        )


def families(names: Sequence[str]) -> tuple[str, ...]:
    """(features,): the family of each column. Columns are one family when their names differ only in a word
    for a statistic at either end (mean radius, radius error; radius_mean, radius_worst), or in a number at
    the end where two stems or more are counted by the same numbers (radius1, radius2, texture1, texture2)."""
    before, after = rf"(?:{STATISTIC})[ _.-]+", rf"[ _.-]+(?:{STATISTIC})"
    stems = [re.sub(rf"^{before}|{after}$", "", name, flags=re.IGNORECASE) or name for name in names]
    numbered = {name: re.fullmatch(r"(.*?\D)[ _.-]?(\d+)", name, re.DOTALL) for name in stems}
    counted: dict[str, set[str]] = {}
    for match in filter(None, numbered.values()):
        counted.setdefault(match[1].rstrip(" _.-"), set()).add(match[2])
    repeats = len(counted) > 1 and len(set(map(frozenset, counted.values()))) == 1
    if repeats and all(len(numbers) > 1 for numbers in counted.values()):
        stems = [found[1].rstrip(" _.-") if (found := numbered[stem]) else stem for stem in stems]
    return tuple(stems)
