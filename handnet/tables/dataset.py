"""A table of one's own: from the columns of a file to a Dataset, or to what stops it and how to go on."""

import difflib
import re
from collections.abc import Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from handnet.data import Array, Dataset, families_of, listed
from handnet.messages import option
from handnet.tables.cells import shown, spelt
from handnet.tables.columns import Asked, Column, judge, levels_of, numbers_of
from handnet.tables.dialect import Dialect
from handnet.tables.faults import Fault, Unusable, gaps_fault, labels_fault
from handnet.tables.ids import lookalike, read_groups, read_ids
from handnet.tables.remarks import on_columns, on_values
from handnet.tables.rows import complete_rows, kept_rows
from handnet.tables.sheets import Sheet, read_sheet
from handnet.tables.target import TASKS, read_target

MOST_NAMED = 12  # columns of a table, where one that is not there was asked for
WAYS = ("", "median", "drop")  # what may be done about gaps


def read_table(
    path: str | PathLike[str],
    target: str,
    positive: str = "",
    id: str | None = None,
    *,
    task: str = "",
    group: str | None = None,
    missing: str = "",
    leave: str | Sequence[str] = (),
    text: str | Sequence[str] = (),
    number: str | Sequence[str] = (),
    separator: str = "",
    decimal: str = "",
    encoding: str = "",
) -> Dataset:
    """The table in a text file (CSV, TSV and their like), an ARFF file or a Parquet file.

    target: the column that a network is to tell; positive: of two labels the one that becomes class 1; left
    out for three to fifty labels, which are as many classes, and for a number.
    task: "classes" or "number"; "" is found out: labels of text are classes, and so are three to fifty whole
    numbers where each stands in ten rows or more.
    id: the column that names the cases, kept as text; without it, the names of rows or their places from 0.
    group: a column whose equal cells mark rows that belong together, as those of one patient.
    missing: "" refuses gaps and missing labels, "drop" leaves the rows with a gap out, "median" keeps them
    for the split to fill in. Both leave rows without a label out.
    leave, text, number: columns that are left out, that are text whatever they hold, and that are numbers, of
    which signs and units are taken off, and cells that are no numbers become gaps.
    separator, decimal, encoding: of a text file, as "tab", "," and "latin-1"; "" is found out.

    Every other column is a measurement: numbers, or text of at most 20 levels. Names that differ only in a
    word for a statistic (mean radius, radius_worst) are a family. What was left out or may have been meant in
    another way is told in the `notes` of the Dataset.

    Raises ValueError, with the line, the column and what to do, when the table cannot be used as it is;
    `handnet.tables.faults.Unusable` is one that names every column that stops it and the options that go on.
    """
    lists = _names(leave), _names(text), _names(number)
    asked = Asked(target, id, group, missing, *lists, positive.strip(), task)
    return _read(Path(path), asked, Dialect(separator, decimal, encoding))


read_csv = read_table  # its name while it read nothing else


def _names(columns: str | Sequence[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _check_named(sheet: Sheet, asked: Asked) -> None:
    """That the columns named for a purpose are there, each for one."""
    wanted = [("the target", asked.target), ("the id", asked.id), ("the group", asked.group)]
    lists = {"leave": asked.leave, "text": asked.text, "number": asked.number}
    wanted += [(option(name), column) for name, columns in lists.items() for column in columns]
    purposes: dict[str, str] = {}
    for what, column in wanted:
        if column is None:
            continue
        if column not in sheet.columns:
            raise ValueError(f"there is no column {column!r} for {what}; {_instead(column, sheet.columns)}")
        if purposes.setdefault(column, what) != what:
            raise ValueError(f"the column {column!r} cannot be both {purposes[column]} and {what}.")


def _instead(column: str, known: Collection[str]) -> str:
    """What may have been meant by a column that is not there."""
    (alone,) = known if len(known) == 1 else ("",)
    marks = re.findall(rf"(?:{re.escape(column)}([^\w\s\"'.]))|(?:([^\w\s\"'.]){re.escape(column)})", alone)
    if marks:
        mark = max(marks[0])
        return f"the header is one name, {shown(alone)}; {option('separator', mark)} divides it at {mark!r}."
    whole = next((name for name in known if "," in name and column in map(str.strip, name.split(","))), None)
    if whole:  # its name was taken for a list of names
        return f"{whole!r} is typed in quotes, as in {option('leave', [whole])}."
    close = difflib.get_close_matches(column, known, n=1)
    hint = (
        f"did you mean {close[0]!r}?" if close else f"its columns are {listed(map(repr, known), MOST_NAMED)}."
    )
    return lookalike(column, known) or hint


def _read(path: Path, asked: Asked, dialect: Dialect) -> Dataset:
    """The table in a file. Raises ValueError that names the file."""
    try:
        if asked.missing not in WAYS:
            raise ValueError(
                f"missing must be one of {', '.join(map(repr, WAYS))}, but got {asked.missing!r}."
            )
        if asked.task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(map(repr, TASKS))}, but got {asked.task!r}.")
        purposes = {column for column in (asked.target, asked.id, asked.group) if column is not None}
        named = purposes.union(asked.leave, asked.text, asked.number)
        sheet = read_sheet(path, purposes.union(asked.text, asked.leave), named, dialect)
        asked = asked._replace(decimal=sheet.decimal or dialect.checked().decimal)
        _check_named(sheet, asked)
        return _dataset(path.stem, sheet, asked)
    except Unusable as stop:
        suggested, why = _way_on(sheet, asked, stop.faults)
        raise Unusable(stop.faults, suggested, why, f"{path}: ") from None
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from None


def _way_on(sheet: Sheet, asked: Asked, faults: Sequence[Fault]) -> tuple[dict[str, Any] | None, str]:
    """The options with which the table is read, found by reading it with them; or why there are none."""
    why = ""
    for avoided in (set[str](), {"id", "leave", "text"}, {"id", "leave", "text", "drop"}):
        mended, found = _mended(asked, faults, avoided), faults
        for _ in range(8):
            try:
                _dataset("", sheet._replace(columns=dict(sheet.columns)), mended)
            except Unusable as more:
                found = more.faults
                mended = _mended(mended, found, avoided)
            except ValueError as fault:
                why = why or f"Even so {fault}"
                break
            else:
                return _changes(asked, mended), ""
    return None, why


def _changes(asked: Asked, mended: Asked) -> dict[str, Any]:
    """The options that are new."""
    options = {
        key: getattr(mended, key) for key in ("positive", "task", "id", "leave", "text", "number", "missing")
    }
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in options.items()
        if value != getattr(asked, key)
    }


def _mended(asked: Asked, faults: Sequence[Fault], avoided: Collection[str]) -> Asked:
    """What would be asked for if each fault were mended in its first way that is not to be avoided."""
    if "drop" in avoided and asked.missing == "drop":
        asked = asked._replace(missing="median")
    for fault in faults:
        column = fault.column
        way = next((way for way in fault.options if way not in avoided), fault.options[0])
        if way == "positive":
            asked = asked._replace(positive=fault.value)
        elif way == "task":
            asked = asked._replace(task=fault.value)
        elif way in WAYS:
            asked = asked._replace(missing=asked.missing if asked.missing == "median" else way)
        elif way == "id" and asked.id is None:
            asked = asked._replace(id=column)
        else:
            lists: dict[str, Any] = {
                key: tuple(one for one in getattr(asked, key) if one != column)
                for key in ("leave", "text", "number")
            }
            way = "leave" if way == "id" else way
            asked = asked._replace(**{**lists, way: (*lists[way], column)})
    return asked


def _dataset(name: str, sheet: Sheet, asked: Asked) -> Dataset:
    target = read_target(sheet, asked)
    notes, faults = [*sheet.notes, *target.notes], [*target.faults]
    rows, places = len(target.y), np.flatnonzero(target.known)
    if target.missing:
        sheet = kept_rows(sheet, target.known)
        if not asked.missing:
            faults.append(labels_fault(asked.target, target.missing, rows, target.kind))
        notes.append(
            f"Left out, because they have no {target.kind}: {rows - len(places)} of {rows} rows"
            f" ({spelt(target.missing)})."
        )
    y = target.y[target.known]
    ids = read_ids(sheet, asked.id, places, notes)
    groups = None if asked.group is None else read_groups(sheet, asked.group)
    taken = {asked.target, asked.id, asked.group, *asked.leave}
    columns = [judge(sheet, column, asked) for column in sheet.columns if column not in taken]
    faults += [column.fault for column in columns if column.fault]
    if not asked.missing:
        faults += [gaps_fault(one.name, one.gaps, len(y)) for one in columns if one.kind and one.gaps]
    if faults:
        raise Unusable(faults)
    numbering = {one.name for one in columns if _numbers_rows(one, sheet, asked, places)}
    if asked.leave:
        notes.append(f"Left out ({option('leave')}): {listed(map(repr, asked.leave))}.")
    notes += on_columns(columns, numbering, asked)
    columns = [one for one in columns if one.kind and one.name not in numbering]
    X, levels = _matrix(sheet, columns)
    if asked.missing == "drop":
        kept = complete_rows(X, y, len(target.names))
        if not kept.all():
            left_out = f"{(~kept).sum()} of {len(y)} rows have a gap and are left out"
            notes.insert(0, f"{left_out} ({option('missing', 'drop')}).")
        X, y, ids, groups = X[kept], y[kept], ids[kept], None if groups is None else groups[kept]
    _check_varying(X)
    names, gaps = tuple(one.name for one in columns), "median" if np.isnan(X).any() else ""
    notes += on_values(names, X, levels, asked)
    families, told = families_of(names), tuple(notes)
    called = "" if target.names else asked.target
    return Dataset(name, X, y, ids, names, families, target.names, levels, gaps, groups, told, called)


def _numbers_rows(column: Column, sheet: Sheet, asked: Asked, places: Array) -> bool:
    """Whether a column counts the rows of the file, of which those at `places` (n,) are kept."""
    if column.kind != "number" or column.gaps or column.name in asked.number:
        return False
    blocks = sheet.columns[column.name]
    start = numbers_of(column, [blocks[0][:1]])[0] - places[0]
    return start in (0, 1) and np.array_equal(numbers_of(column, blocks), places + start)


def _matrix(sheet: Sheet, columns: Sequence[Column]) -> tuple[Array, dict[str, tuple[str, ...]]]:
    """(n, features), with NaN for a gap and a level's number for a text; and the levels of each column of
    text. The columns leave the sheet, so that the numbers are not held twice."""
    X = np.empty((len(sheet.numbers), len(columns)))
    levels: dict[str, tuple[str, ...]] = {}
    for place, column in enumerate(columns):
        blocks = sheet.columns.pop(column.name)
        if column.kind == "text":
            levels[column.name], X[:, place] = levels_of(column, blocks)
        else:
            X[:, place] = numbers_of(column, blocks)
    return X, levels


def _check_varying(X: Array) -> None:
    """That some column of X (n, features) varies. A single one that does not may stay: whether it does may
    depend on a row that is sealed later."""
    for column in X.T:
        values = column[~np.isnan(column)]
        if len(values) and values.min() != values.max():
            return
    raise ValueError(
        "no column varies among those that are kept, so there is nothing to learn from; a table needs"
        " measurements beside its target, and not names or numbers of its rows alone."
    )
