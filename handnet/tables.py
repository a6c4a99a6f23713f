"""A table of one's own: from a CSV or TSV file to a Dataset, or to one sentence that says what is wrong with it.

Everything is read as text first and decided column by column, so that nothing is guessed on the way: an id keeps its
leading zeros, a comma in a number is not dropped, a short row is not filled up, and a bad cell is named by its line.
"""

import csv
import difflib
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handnet.data import Array, Dataset

MOST_BYTES = 256 * 2**20  # read whole, as text; a larger file wants another tool before this one
MOST_CELLS = 20_000_000
LARGEST = 1e30  # its square still fits in float64, and it in float32: the scaler stays finite
MISSING = {"", "na", "n/a", "nan", "null", "none"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
SHOWN = 5  # names or values a sentence lists before it counts the rest
STATISTIC = "mean|worst|error|se|sd|std|sem|min|max|median|average|avg"


class _Text(NamedTuple):
    """A table as text. lines: the line of the file each row begins on; columns: name -> its cells, (n,)."""

    lines: list[int]
    columns: dict[str, list[str]]


def read_csv(path: str | PathLike[str], target: str, positive: str, id: str | None = None) -> Dataset:
    """The table in a CSV or TSV file (UTF-8, names in the first line, numbers with a decimal point).

    target: the column of the labels, of which there are two; positive: the label that becomes class 1; id: the column
    that names the cases, kept as text; without it a case is named by its row number, from 0. Every other column is a
    measurement. Columns whose names differ in a word for a statistic alone (mean radius, radius_worst) are a family.
    A UserWarning names columns that never vary and a likely id, and counts repeated rows.

    Raises ValueError, one sentence with the file, the line, the column and what to do, when the table cannot be used
    as it is: unreadable, ragged, missing or infinite values, text among numbers, not two classes, ids that repeat.
    """
    path = Path(path)
    try:
        return _dataset(path.stem, _columns(_text(path)), target, positive, id)
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from None


def _text(path: Path) -> str:
    """The content of a file, decoded."""
    try:
        if not path.is_file() and path.exists():
            raise ValueError("it is no file; name a CSV or TSV file.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"it has {size // 2**20} MiB, and at most {MOST_BYTES // 2**20} are read; leave out columns or "
                             "rows that are not needed.")  # fmt: skip
        content = path.read_bytes()
    except OSError as fault:
        raise ValueError(f"the table cannot be read ({fault.strerror}); name a CSV or TSV file.") from None
    if _is_utf16(content):
        raise ValueError("it is not UTF-8 (it looks like UTF-16); save it as CSV UTF-8.")
    nul = content.find(b"\0")
    if nul >= 0:
        raise ValueError(f"line {_line(content, nul)} holds a NUL byte, which no text does; export the table again.")
    try:
        return content.decode().lstrip("\ufeff")
    except UnicodeDecodeError as fault:
        raise ValueError(f"line {_line(content, fault.start)} is not UTF-8 (byte 0x{content[fault.start]:02x}; it may be "
                         "Latin-1 or Windows-1252); save it as CSV UTF-8.") from None  # fmt: skip


def _is_utf16(content: bytes) -> bool:
    halves = content[0:200:2], content[1:200:2]
    return content[:2] in (b"\xff\xfe", b"\xfe\xff") or any(half and not half.strip(b"\0") for half in halves)


def _line(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


def _columns(text: str) -> _Text:
    """The cells by column, every row as long as the header."""
    if not text.strip():
        raise ValueError("it is empty; the first line must hold the names of the columns.")
    rows = _rows(text)
    _, names = next(rows, (1, [""]))
    _check_names(names)
    if text.count("\n") * len(names) > MOST_CELLS:
        raise ValueError(f"it has about {text.count(chr(10))} rows of {len(names)} cells, and at most {MOST_CELLS} cells "
                         "are read; leave out columns or rows that are not needed.")  # fmt: skip
    found = list(rows)
    ragged = [(line, len(row)) for line, row in found if len(row) != len(names)]
    if ragged:
        line, length = ragged[0]
        more = f", and so have {len(ragged) - 1} more lines another number" if len(ragged) > 1 else ""
        raise ValueError(f"line {line} has {length} cells where the header has {len(names)}{more}; a cell that holds the "
                         "separator must stand in quotes.")  # fmt: skip
    if not found:
        raise ValueError("it has a header and no data rows.")
    columns = zip(*(row for _, row in found), strict=True)
    return _Text([line for line, _ in found], dict(zip(names, map(list, columns), strict=True)))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, its cells stripped, with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    line = 1
    while True:
        try:
            row = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as fault:
            raise ValueError(f"the row that begins on line {line} cannot be read ({fault}); look for a quote that is "
                             "not closed.") from None  # fmt: skip
        if any(row) or len(row) > 1:
            yield line, row
        line = reader.line_num + 1


def _separator(text: str) -> str:
    header = text.lstrip().partition("\n")[0]
    counts = {mark: header.count(mark) for mark in ",\t;|"}
    if counts["\t"] and counts["\t"] >= counts[","]:
        return "\t"
    if counts[","] or not any(counts.values()):
        return ","
    mark = max(counts, key=lambda one: counts[one])
    raise ValueError(f"its columns are separated by {mark!r}; save it with commas or tabs between the columns and points in "
                     "the numbers.")  # fmt: skip


def _check_names(names: Sequence[str]) -> None:
    if sum(NUMBER.fullmatch(name) is not None for name in names) * 2 >= len(names):
        raise ValueError(f"the first line holds numbers ({_listed(names)}), so the header is missing; put the names of the "
                         "columns there.")  # fmt: skip
    for place, name in enumerate(names, 1):
        if not name:
            raise ValueError(f"column {place} has no name; name it, or export the table without row numbers.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"more than one column is called {_listed(map(repr, twice))}; every column needs its own name."
        )


def _dataset(name: str, text: _Text, target: str, positive: str, id: str | None) -> Dataset:
    for what, column in (("target", target), ("id", id)):
        if column is not None and column not in text.columns:
            close = difflib.get_close_matches(column, text.columns, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"its columns are {_listed(map(repr, text.columns))}."
            raise ValueError(f"there is no column {column!r} for the {what}; {hint}")
    if id == target:
        raise ValueError(f"the column {target!r} cannot be both the target and the id.")
    y, negative = _labels(text, target, positive)
    ids = np.arange(len(y)) if id is None else _ids(text, id)
    measured = {column: cells for column, cells in text.columns.items() if column not in (target, id)}
    numbers = _numbers(measured, text.lines)
    _check_varying(numbers)
    X = np.column_stack(list(numbers.values()))
    _remark(numbers, X, y, id)
    return Dataset(name, X, y, ids, tuple(numbers), families(tuple(numbers)), (negative, positive))


def _labels(text: _Text, target: str, positive: str) -> tuple[Array, str]:
    """(n,) 0 or 1, and the name of class 0."""
    cells = text.columns[target]
    for line, cell in zip(text.lines, cells, strict=True):
        if cell.lower() in MISSING:
            raise ValueError(
                f"line {line} has no label (column {target!r} holds {cell!r}); fill it in or leave the row out."
            )
    counts = Counter(cells)
    shown = _listed(f"{label!r} ({count})" for label, count in counts.most_common())
    if len(counts) != 2:
        what = "only the label" if len(counts) == 1 else f"{len(counts)} labels,"
        raise ValueError(f"the target {target!r} must hold two labels, but holds {what} {shown}; a network here tells two "
                         "classes apart.")  # fmt: skip
    if positive not in counts:
        raise ValueError(
            f"no row of the target {target!r} holds the positive label {positive!r}; its labels are {shown}."
        )
    (negative,) = counts.keys() - {positive}
    return np.array([cell == positive for cell in cells], dtype=np.int8), negative


def _ids(text: _Text, id: str) -> Array:
    """(n,) text, unique."""
    first: dict[str, int] = {}
    for line, cell in zip(text.lines, text.columns[id], strict=True):
        if not cell:
            raise ValueError(f"line {line} has no id in column {id!r}; every case needs one.")
        if cell in first:
            raise ValueError(f"the id {cell!r} stands on lines {first[cell]} and {line} of column {id!r}; an id must name one "
                             "case.")  # fmt: skip
        first[cell] = line
    return np.array(text.columns[id])


def _numbers(columns: Mapping[str, list[str]], lines: Sequence[int]) -> dict[str, Array]:
    """Each column as (n,) float64. A fault of one kind is named for every column that has it."""
    missing = {name: sum(cell.lower() in MISSING for cell in cells) for name, cells in columns.items()}
    if any(missing.values()):
        counts = _listed(f"{count} in {name!r}" for name, count in missing.items() if count)
        raise ValueError(f"values are missing: {counts}; fill them in, or leave these rows or columns out.")
    texts = {name: cells[0] for name, cells in columns.items() if not any(map(NUMBER.fullmatch, cells))}
    if texts:
        shown = _listed(f"{name!r} (first {value!r})" for name, value in texts.items())
        raise ValueError(f"these columns hold text: {shown}; leave them out or write them as numbers.")
    for name, cells in columns.items():
        for line, cell in zip(lines, cells, strict=True):
            why = _unfit(cell)
            if why:
                raise ValueError(f"line {line}, column {name!r}: {cell!r} {why}.")
    return {name: np.array(cells, dtype=np.float64) for name, cells in columns.items()}


def _unfit(cell: str) -> str | None:
    """Why a cell cannot be a measurement; None when it can."""
    if NUMBER.fullmatch(cell):
        return None if abs(float(cell)) <= LARGEST else f"is larger than {LARGEST:.0e}, too large to scale"
    if cell.lower().lstrip("+-") in ("inf", "infinity"):
        return "is not finite"
    if re.fullmatch(r"[+-]?\d+([,.' ]\d+)+", cell):
        return "has a comma or more than one point; write it with a decimal point and nothing between thousands"
    return "is not a number"


def _check_varying(numbers: Mapping[str, Array]) -> None:
    """Columns that never vary stay: whether one does may hang on a row that is sealed later."""
    constant = [name for name, values in numbers.items() if values.min() == values.max()]
    if len(constant) == len(numbers):
        raise ValueError(
            "no column varies, so there is nothing to learn from; a table needs measurements beside its target."
        )
    if constant:
        warnings.warn(f"they never vary, so they tell nothing apart: {_listed(map(repr, constant))}.", stacklevel=4)


def _remark(numbers: Mapping[str, Array], X: Array, y: Array, id: str | None) -> None:
    """Warn of what is no fault, but may be one."""
    repeated = len(y) - len(np.unique(np.column_stack([X, y]), axis=0))
    if repeated:
        warnings.warn(f"{repeated} of {len(y)} rows repeat an earlier one, label and all; a repeat that falls into another part of "
                      "the split makes the network look better than it is.", stacklevel=4)  # fmt: skip
    whole = [
        name for name, values in numbers.items() if len(np.unique(values)) == len(values) and (values % 1 == 0).all()
    ]
    if whole and id is None:
        warnings.warn(f"a different whole number in every row: {_listed(map(repr, whole))}; a column that names the cases is to be "
                      "given as the id.", stacklevel=4)  # fmt: skip


def families(names: Sequence[str]) -> tuple[str, ...]:
    """(features,): the family of each column. Columns are one family when their names differ only in a word for a
    statistic at either end (mean radius, radius error; radius_mean, radius_worst), or in a number at the end where two
    stems or more are counted by the same numbers (radius1, radius2, texture1, texture2)."""
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


def _listed(words: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    found = list(words)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more
