"""A table of one's own: from a CSV, TSV or Parquet file to a Dataset, or to one sentence that says what is wrong with it.

Nothing is guessed on the way: an id keeps its leading zeros, a comma in a number is not dropped, a short row is not
filled up, and a bad cell is named by its line. A file is read some thousand rows at a time, and cells that are numbers are
kept as such, so that 50 million of them need little more memory than the file and its numbers.
"""

import csv
import difflib
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handnet.data import Array, Dataset

MOST_BYTES = 2**30  # read whole; a larger file wants another tool before this one
MOST_CELLS = 52_000_000  # 100 000 rows of 500 measurements, with their target, id and group
MOST_LEVELS = 20  # of a column of text: each is an input of its own
LARGEST = 1e30  # its square still fits in float64, and it in float32: the scaler stays finite
MISSING = {"", "na", "n/a", "nan", "null", "none"}
WAYS = ("", "median", "drop")  # what may be done about gaps
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
SHOWN = 5  # names or values a sentence lists before it counts the rest
STATISTIC = "mean|worst|error|se|sd|std|sem|min|max|median|average|avg"
AT_ONCE = 4096  # rows

Cells = Array | list[str]  # (n,) float64 with NaN for a gap where all are numbers or gaps, else as they stand


class _Sheet(NamedTuple):
    """A table as read. place: what a row is in the file, "line" or "row"; places: its number; columns: name -> its cells, in
    pieces, each numbers or text on its own; those asked for as text are text."""

    place: str
    places: Sequence[int]
    columns: dict[str, list[Cells]]


def read_table(path: str | PathLike[str], target: str, positive: str, id: str | None = None, *,
               group: str | None = None, missing: str = "") -> Dataset:  # fmt: skip
    """The table in a CSV or TSV file (UTF-8, names in the first line, numbers with a decimal point), or a Parquet file.

    target: the column of the labels, of which there are two; positive: the label that becomes class 1; id: the column
    that names the cases, kept as text; without it a case is named by its row number, from 0; group: a column whose equal
    cells mark rows that belong together (several of one patient). Every other column is a measurement: numbers, or text
    of at most 20 levels. Columns whose names differ in a word for a statistic alone (mean radius, radius_worst) are a family.
    missing: "" refuses gaps, "drop" leaves their rows out, "median" keeps them for the split to fill in.
    A UserWarning names a likely id.

    Raises ValueError, one sentence with the file, the line, the column and what to do, when the table cannot be used
    as it is: unreadable, ragged, gaps or infinite values, words among numbers, not two classes, ids that repeat.
    """
    path = Path(path)
    try:
        if missing not in WAYS:
            raise ValueError(f"missing must be one of {', '.join(map(repr, WAYS))}, but got {missing!r}.")
        named = {"target": target, "id": id, "group": group}
        content = _content(path)
        as_text = {column for column in named.values() if column is not None}
        sheet = (
            _parquet(content, as_text) if path.suffix.lower() == ".parquet" else _sheet(_decodable(content), as_text)
        )
        del content
        _check_named(sheet, named)
        return _dataset(path.stem, sheet, target, positive, id, group, missing)
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from None


read_csv = read_table  # its name while it read nothing else


def _content(path: Path) -> bytes:
    """The content of a file."""
    try:
        if not path.is_file() and path.exists():
            raise ValueError("it is no file; name a CSV, TSV or Parquet file.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"it has {size // 2**20} MiB, and at most {MOST_BYTES // 2**20} are read; leave out columns or "
                             "rows that are not needed.")  # fmt: skip
        return path.read_bytes()
    except OSError as fault:
        raise ValueError(f"the table cannot be read ({fault.strerror}); name a CSV or TSV file.") from None


def _decodable(content: bytes) -> bytes:
    """The same without marks of UTF-8 at its beginning. Raises ValueError when it is no text."""
    if content.startswith(b"PAR1"):
        raise ValueError("it is a Parquet file; give its name the ending .parquet.")
    if _is_utf16(content):
        raise ValueError("it is not UTF-8 (it looks like UTF-16); save it as CSV UTF-8.")
    nul = content.find(b"\0")
    if nul >= 0:
        raise ValueError(f"line {_line(content, nul)} holds a NUL byte, which no text does; export the table again.")
    while content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    try:
        if not content.isascii():
            content.decode()
    except UnicodeDecodeError as fault:
        raise ValueError(f"line {_line(content, fault.start)} is not UTF-8 (byte 0x{content[fault.start]:02x}; it may be "
                         "Latin-1 or Windows-1252); save it as CSV UTF-8.") from None  # fmt: skip
    return content


def _is_utf16(content: bytes) -> bool:
    halves = content[0:200:2], content[1:200:2]
    return content[:2] in (b"\xff\xfe", b"\xfe\xff") or any(half and not half.strip(b"\0") for half in halves)


def _line(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


def _sheet(content: bytes, as_text: set[str]) -> _Sheet:
    """The cells by column, every row as long as the header."""
    if not content or content.isspace():
        raise ValueError("it is empty; the first line must hold the names of the columns.")
    rows = _rows(content)
    _, names = next(rows, (1, [""]))
    names = [name.strip() for name in names]
    _check_header(names)
    _check_names(names)
    _check_size(content.count(b"\n"), len(names))
    sheet = _Sheet("line", lines := [], {name: [] for name in names})
    ragged: list[tuple[int, int]] = []
    some: list[list[str]] = []
    for line, row in rows:
        if len(row) != len(names):
            ragged.append((line, len(row)))
            continue
        lines.append(line)
        some.append(row)
        if len(some) == AT_ONCE:
            _put(some, sheet, as_text)
            some = []
    if ragged:
        line, length = ragged[0]
        more = f", and so have {len(ragged) - 1} more lines another number" if len(ragged) > 1 else ""
        raise ValueError(f"line {line} has {length} cells where the header has {len(names)}{more}; a cell that holds the "
                         "separator must stand in quotes.")  # fmt: skip
    _put(some, sheet, as_text)
    if not lines:
        raise ValueError("it has a header and no data rows.")
    return sheet


def _put(rows: Sequence[Sequence[str]], sheet: _Sheet, as_text: set[str]) -> None:
    """Add rows to the columns of a sheet."""
    for (name, pieces), cells in zip(sheet.columns.items(), zip(*rows, strict=True), strict=False):
        pieces.append(_stripped(cells) if name in as_text else _as_numbers(cells))


def _stripped(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _as_numbers(cells: Sequence[str]) -> Cells:
    """The cells as numbers, where all of them are numbers or gaps; else as text."""
    whole = "".join(cells)
    if whole.isascii() and "_" not in whole:  # else float() would know other digits, and 1_000, which NUMBER does not
        with suppress(ValueError):
            values = np.fromiter(map(float, cells), np.float64, len(cells))
            if (np.abs(values) <= LARGEST).all():
                return values
    texts = _stripped(cells)
    if not all(cell.lower() in MISSING or (NUMBER.fullmatch(cell) and abs(float(cell)) <= LARGEST) for cell in texts):
        return texts
    return np.array([np.nan if cell.lower() in MISSING else float(cell) for cell in texts])


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > MOST_CELLS:
        raise ValueError(f"it has about {rows} rows of {columns} cells, and at most {MOST_CELLS} cells are read; leave out "
                         "columns or rows that are not needed.")  # fmt: skip


def _parquet(content: bytes, as_text: set[str]) -> _Sheet:
    """The cells of a Parquet file by column."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ValueError("a Parquet file is read with pyarrow, which is not installed; install it, or save the table as "
                         "CSV.") from None  # fmt: skip
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        names = [name.strip() for name in file.schema_arrow.names]
        _check_names(names)
        _check_size(file.metadata.num_rows, len(names))
        table = file.read()
    except (pa.ArrowException, OSError) as fault:
        raise ValueError(
            f"it cannot be read as Parquet ({str(fault).partition(chr(10))[0]}); export the table again."
        ) from None
    if not table.num_rows:
        raise ValueError("it has columns and no data rows.")
    odd = [
        f"{name!r} ({column.type})"
        for name, column in zip(names, table.columns, strict=True)
        if not _is_plain(column.type)
    ]
    if odd:
        raise ValueError(
            f"these columns hold neither numbers nor text: {_listed(odd)}; write them as numbers or leave them out."
        )
    columns = zip(names, table.columns, strict=True)
    return _Sheet(
        "row", range(1, table.num_rows + 1), {name: [_arrow(column, name in as_text)] for name, column in columns}
    )


def _is_plain(kind: Any) -> bool:
    """Whether a type of Arrow is one of numbers, texts or truth values."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    plain = (
        types.is_integer,
        types.is_floating,
        types.is_decimal,
        types.is_boolean,
        types.is_string,
        types.is_large_string,
        types.is_null,
    )
    return any(fits(kind) for fits in plain)


def _arrow(column: Any, as_text: bool) -> Cells:
    """A column of Arrow as cells."""
    from pyarrow import float64, types

    number = types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)
    if number and not as_text:
        values = column.cast(float64(), safe=False).to_numpy(zero_copy_only=False)
        if not (np.abs(values) > LARGEST).any():
            return np.asarray(values)
    words = {None: "", True: "true", False: "false"} if types.is_boolean(column.type) else {None: ""}
    cells = [str(words.get(cell, cell)).strip() for cell in column.to_pylist()]
    return cells if as_text else _as_numbers(cells)


def _rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the line it begins on."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    reader = csv.reader(text, delimiter=_separator(content), strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            raise ValueError(f"the row that begins on line {line} cannot be read ({fault}); look for a quote that is "
                             "not closed.") from None  # fmt: skip
        if len(row) > 1 or (row and row[0].strip()):
            yield line, row
        line = reader.line_num + 1


def _separator(content: bytes) -> str:
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    header = next((line for line in lines if line.strip()), "").lstrip()
    counts = {mark: header.count(mark) for mark in ",\t;|"}
    if counts["\t"] and counts["\t"] >= counts[","]:
        return "\t"
    if counts[","] or not any(counts.values()):
        return ","
    mark = max(counts, key=lambda one: counts[one])
    raise ValueError(f"its columns are separated by {mark!r}; save it with commas or tabs between the columns and points in "
                     "the numbers.")  # fmt: skip


def _check_header(names: Sequence[str]) -> None:
    if sum(NUMBER.fullmatch(name) is not None for name in names) * 2 >= len(names):
        raise ValueError(f"the first line holds numbers ({_listed(names)}), so the header is missing; put the names of the "
                         "columns there.")  # fmt: skip


def _check_names(names: Sequence[str]) -> None:
    for place, name in enumerate(names, 1):
        if not name:
            raise ValueError(f"column {place} has no name; name it, or export the table without row numbers.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"more than one column is called {_listed(map(repr, twice))}; every column needs its own name."
        )


def _check_named(sheet: _Sheet, named: Mapping[str, str | None]) -> None:
    """That the columns named for a purpose are there, each for one."""
    purposes: dict[str, str] = {}
    for what, column in named.items():
        if column is None:
            continue
        if column not in sheet.columns:
            close = difflib.get_close_matches(column, sheet.columns, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"its columns are {_listed(map(repr, sheet.columns))}."
            raise ValueError(f"there is no column {column!r} for the {what}; {hint}")
        if column in purposes:
            raise ValueError(f"the column {column!r} cannot be both the {purposes[column]} and the {what}.")
        purposes[column] = what


def _dataset(
    name: str, sheet: _Sheet, target: str, positive: str, id: str | None, group: str | None, missing: str
) -> Dataset:
    y, negative = _labels(sheet, target, positive)
    ids = np.arange(len(y)) if id is None else _ids(sheet, id)
    groups = None if group is None else _groups(sheet, group)
    measured = {
        column: sheet.columns.pop(column) for column in list(sheet.columns) if column not in (target, id, group)
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
            (f"{(~kept).sum()} of {len(y)} rows have a gap and are left out (MISSING=drop).",) if not kept.all() else ()
        )
        X, y, ids, groups = X[kept], y[kept], ids[kept], None if groups is None else groups[kept]
        if len(np.unique(y)) < 2:
            raise ValueError(f"{(~kept).sum()} rows have a gap, and the {len(y)} without one are not of two classes; fill the gaps in, or "
                             "use MISSING=median.")  # fmt: skip
    _check_varying(X)
    if id is None:
        _remark(names, X)
    gaps = "median" if np.isnan(X).any() else ""
    return Dataset(name, X, y, ids, names, families(names), (negative, positive), levels, gaps, groups, notes)


def _coded(pieces: Sequence[Cells]) -> tuple[tuple[str, ...], Array]:
    """The levels of a column of text, sorted, and (n,) each cell's place among them, NaN for a gap."""
    cells = [cell for piece in pieces for cell in (piece if isinstance(piece, list) else [""] * len(piece))]
    levels = tuple(sorted({cell for cell in cells if cell.lower() not in MISSING}))
    codes = {level: float(code) for code, level in enumerate(levels)}
    return levels, np.array([codes.get(cell, np.nan) for cell in cells])


def _labels(sheet: _Sheet, target: str, positive: str) -> tuple[Array, str]:
    """(n,) 0 or 1, and the name of class 0."""
    cells = _text(sheet, target)
    for number, cell in zip(sheet.places, cells, strict=True):
        if cell.lower() in MISSING:
            raise ValueError(
                f"{sheet.place} {number} has no label (column {target!r} holds {cell!r}); fill it in or leave the row out."
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


def _text(sheet: _Sheet, column: str) -> list[str]:
    """A column that was asked for as text."""
    return [cell for piece in sheet.columns[column] for cell in piece]


def _ids(sheet: _Sheet, id: str) -> Array:
    """(n,) text, unique."""
    first: dict[str, int] = {}
    for number, cell in zip(sheet.places, _text(sheet, id), strict=True):
        if not cell:
            raise ValueError(f"{sheet.place} {number} has no id in column {id!r}; every case needs one.")
        if cell in first:
            raise ValueError(f"the id {cell!r} stands on {sheet.place}s {first[cell]} and {number} of column {id!r}; an id must name one "
                             "case (of what has several rows give the column as GROUP=).")  # fmt: skip
        first[cell] = number
    return np.array(list(first))


def _groups(sheet: _Sheet, group: str) -> Array:
    """(n,) int, equal where the cells are."""
    cells = _text(sheet, group)
    for number, cell in zip(sheet.places, cells, strict=True):
        if cell.lower() in MISSING:
            raise ValueError(f"{sheet.place} {number} has no group in column {group!r}; every row needs one.")
    return np.unique(cells, return_inverse=True)[1]


def _checked(columns: Mapping[str, list[Cells]], sheet: _Sheet, missing: str) -> set[str]:
    """The columns of text; all others are numbers. A fault of one kind is named for every column that has it."""
    gaps = {} if missing else {name: sum(map(_gaps, pieces)) for name, pieces in columns.items()}
    if any(gaps.values()):
        counts = _listed(f"{count} in {name!r}" for name, count in gaps.items() if count)
        raise ValueError(f"values are missing: {counts}; fill them in, leave these rows or columns out, or choose: MISSING=median fills "
                         "them in from the train rows, MISSING=drop leaves their rows out.")  # fmt: skip
    texts = {name for name, pieces in columns.items() if any(isinstance(piece, list) for piece in pieces)}
    many = []
    for name in sorted(texts, key=list(columns).index):
        _check_text(name, columns[name], sheet)
        found = Counter(
            cell for piece in columns[name] if isinstance(piece, list) for cell in piece if cell.lower() not in MISSING
        )
        if len(found) > MOST_LEVELS or 2 * len(found) > len(sheet.places):
            many.append(f"{name!r} ({len(found)} levels, first {next(iter(found))!r})")
    if many:
        raise ValueError(f"these columns hold text of more than {MOST_LEVELS} levels, or of nearly as many as there are rows: "
                         f"{_listed(many)}; leave them out, join levels, or write them as numbers.")  # fmt: skip
    return texts


def _gaps(cells: Cells) -> int:
    return sum(cell.lower() in MISSING for cell in cells) if isinstance(cells, list) else int(np.isnan(cells).sum())


def _check_text(name: str, pieces: Sequence[Cells], sheet: _Sheet) -> None:
    """That a column which is not all numbers is text throughout. Raises ValueError, naming the first cell that fits neither."""
    numbers = any(not isinstance(piece, list) and not np.isnan(piece).all() for piece in pieces)
    numbers = numbers or any(NUMBER.fullmatch(cell) for piece in pieces if isinstance(piece, list) for cell in piece)
    begins = 0
    for piece in pieces:
        for place, cell in enumerate(piece if isinstance(piece, list) else (), begins):
            why = None if cell.lower() in MISSING else _unfit(cell)
            if why and (numbers or why != WORD):
                raise ValueError(f"{sheet.place} {sheet.places[place]}, column {name!r}: {cell!r} {why}.")
        begins += len(piece)


WORD = "is not a number"


def _unfit(cell: str) -> str | None:
    """Why a cell cannot be a measurement; None when it can."""
    if NUMBER.fullmatch(cell):
        return None if abs(float(cell)) <= LARGEST else f"is larger than {LARGEST:.0e}, too large to scale"
    if cell.lower().lstrip("+-") in ("inf", "infinity"):
        return "is not finite"
    if re.fullmatch(r"[+-]?\d+([,.' ]\d+)+", cell):
        return "has a comma or more than one point; write it with a decimal point and nothing between thousands"
    return WORD


def _check_varying(X: Array) -> None:
    """Single columns that never vary stay: whether one does may hang on a row that is sealed later."""
    for column in X.T:
        found = column[~np.isnan(column)]
        if len(found) and found.min() != found.max():
            return
    raise ValueError(
        "no column varies, so there is nothing to learn from; a table needs measurements beside its target."
    )


def _remark(names: Sequence[str], X: Array) -> None:
    """Warn of what is no fault, but may be one."""
    whole = [name for name, column in zip(names, X.T, strict=True)
             if (column % 1 == 0).all() and len(np.unique(column)) == len(column)]  # fmt: skip
    if whole:
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
