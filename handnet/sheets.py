"""From a CSV, TSV or Parquet file to columns of cells, or to one sentence that says where it is no table.

Nothing is guessed on the way: an id keeps its leading zeros, a comma in a number is not dropped, a short row
is not filled up. A file is read some thousand rows at a time, and cells that are numbers are kept as such, so
that 50 million of them need little more memory than the file and its numbers."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handnet.data import Array, listed

MOST_BYTES = 2**30  # read whole; a larger file wants another tool before this one
MOST_CELLS = 52_000_000  # 100 000 rows of 500 measurements, with their target, id and group
LARGEST = 1e30  # its square still fits in float64, and it in float32: the scaler stays finite
EXACT = 2**53  # above it float64 leaves whole numbers out
MISSING = {"", "na", "n/a", "nan", "null", "none"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
AT_ONCE = 4096  # rows
WORD = "is not a number"
PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip, as a workbook is",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}

Cells = Array | list[str]  # (n,) float64 with NaN for a gap where all are numbers or gaps, else as they stand


class Sheet(NamedTuple):
    """A table as read. place: what a row is in the file, "line" or "row"; places: its number; columns: name
    -> its cells, in pieces, each numbers or text on its own; those asked for as text are text."""

    place: str
    places: Sequence[int]
    columns: dict[str, list[Cells]]


def read_sheet(path: Path, as_text: set[str]) -> Sheet:
    """The table in a file. as_text: columns whose cells are not to become numbers.

    Raises ValueError, one sentence with the line or the column, when the file is no table of named columns.
    """
    content = _content(path)
    if path.suffix.lower() == ".parquet":
        return _parquet(content, as_text)
    return _text_table(_decodable(content), as_text)


def unfit(cell: str) -> str | None:
    """Why a cell cannot be a measurement; None when it can."""
    if NUMBER.fullmatch(cell):
        if abs(float(cell)) > LARGEST:
            return f"is larger than {LARGEST:.0e}, too large to scale"
        inexact = (
            abs(float(cell)) >= EXACT and re.fullmatch(r"[+-]?\d+", cell) and int(cell) != int(float(cell))
        )
        return "is a whole number of more digits than a float64 holds" if inexact else None
    if cell.lower().lstrip("+-") in ("inf", "infinity"):
        return "is not finite"
    if re.fullmatch(r"[+-]?\d+([,.' ]\d+)+", cell):
        return (
            "has a comma or more than one point, where a decimal point and nothing between thousands is read"
        )
    return WORD


def _content(path: Path) -> bytes:
    """The content of a file."""
    try:
        if not path.is_file() and path.exists():
            raise ValueError("it is no file; name a CSV, TSV or Parquet file.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(
                f"it has {size // 2**20} MiB, and at most {MOST_BYTES // 2**20} are read; leave out columns"
                " or rows that are not needed."
            )
        return path.read_bytes()
    except OSError as fault:
        raise ValueError(
            f"the table cannot be read ({fault.strerror}); name a CSV, TSV or Parquet file that can."
        ) from None


# Text


def _decodable(content: bytes) -> bytes:
    """The same without marks of UTF-8 at its beginning. Raises ValueError when it is no text."""
    if content.startswith(b"PAR1"):
        raise ValueError("it is a Parquet file; give its name the ending .parquet.")
    packed = [kind for mark, kind in PACKED.items() if content.startswith(mark)]
    if packed:
        raise ValueError(
            f"it is packed ({packed[0]}) and no text; unpack it, or save the table as CSV UTF-8."
        )
    if _is_utf16(content):
        raise ValueError("it is not UTF-8 (it looks like UTF-16); save it as CSV UTF-8.")
    nul = content.find(b"\0")
    if nul >= 0:
        raise ValueError(
            f"line {_line(content, nul)} holds a NUL byte, which no text does; export the table again."
        )
    while content.startswith(codecs.BOM_UTF8):
        content = content[3:]
    wrong = None if content.isascii() else _undecodable(content)
    if wrong is not None:
        raise ValueError(
            f"line {_line(content, wrong)} is not UTF-8 (byte 0x{content[wrong]:02x}; it may be Latin-1 or "
            "Windows-1252); save it as CSV UTF-8."
        )
    return content


def _is_utf16(content: bytes) -> bool:
    halves = content[0:200:2], content[1:200:2]
    return content[:2] in (b"\xff\xfe", b"\xfe\xff") or any(half and not half.strip(b"\0") for half in halves)


def _undecodable(content: bytes, at_once: int = 2**20) -> int | None:
    """The place of the first byte that is not UTF-8. In pieces: as a text the whole may need four times its
    bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), at_once):
        held = len(decoder.getstate()[0])  # bytes of a character that the piece before cut in two
        try:
            decoder.decode(content[start : start + at_once], final=start + at_once >= len(content))
        except UnicodeDecodeError as fault:
            return start - held + fault.start
    return None


def _line(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


def _text_table(content: bytes, as_text: set[str]) -> Sheet:
    """The cells by column, every row as long as the header."""
    if not content or content.isspace():
        raise ValueError("it is empty; the first line must hold the names of the columns.")
    rows = _rows(content)
    _, names = next(rows, (1, [""]))
    names = [name.strip() for name in names]
    _check_header(names)
    _check_names(names)
    _check_size(content.count(b"\n"), len(names))
    sheet = Sheet("line", lines := [], {name: [] for name in names})
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
        raise ValueError(
            f"line {line} has {length} cells where the header has {len(names)}{more}; a cell that holds the "
            "separator must stand in quotes."
        )
    _put(some, sheet, as_text)
    if not lines:
        raise ValueError("it has a header and no data rows.")
    return sheet


def _put(rows: Sequence[Sequence[str]], sheet: Sheet, as_text: set[str]) -> None:
    """Add rows to the columns of a sheet."""
    for (name, pieces), cells in zip(sheet.columns.items(), zip(*rows, strict=True), strict=False):
        pieces.append(_stripped(cells) if name in as_text else _as_numbers(cells))


def _stripped(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _as_numbers(cells: Sequence[str]) -> Cells:
    """The cells as numbers, where all of them are numbers or gaps; else as text."""
    whole = "".join(cells)
    if (
        whole.isascii() and "_" not in whole
    ):  # else float() would know other digits, and 1_000, which NUMBER does not
        with suppress(ValueError):
            values = np.fromiter(map(float, cells), np.float64, len(cells))
            if (np.abs(values) < EXACT).all():
                return values
    texts = _stripped(cells)
    if not all(cell.lower() in MISSING or unfit(cell) is None for cell in texts):
        return texts
    return np.array([np.nan if cell.lower() in MISSING else float(cell) for cell in texts])


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
            raise ValueError(
                f"the row that begins on line {line} cannot be read ({fault}); look for a quote that is "
                "not closed."
            ) from None
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
    raise ValueError(
        f"its columns are separated by {mark!r}; save it with commas or tabs between the columns and points"
        " in the numbers."
    )


def _check_header(names: Sequence[str]) -> None:
    if sum(NUMBER.fullmatch(name) is not None for name in names) * 2 >= len(names):
        raise ValueError(
            f"the first line holds numbers ({listed(names)}), so the header is missing; put the names of the "
            "columns there."
        )


# Parquet


def _parquet(content: bytes, as_text: set[str]) -> Sheet:
    """The cells of a Parquet file by column."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ValueError(
            "a Parquet file is read with pyarrow, which is not installed; install it, or save the table as "
            "CSV."
        ) from None
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
    columns = dict(zip(names, table.columns, strict=True))
    odd = [f"{name!r} ({column.type})" for name, column in columns.items() if not _is_plain(column.type)]
    if odd:
        raise ValueError(
            f"these columns hold neither numbers nor text: {listed(odd)}; write them as numbers or leave them"
            " out."
        )
    cells = {name: [_arrow(name, column, name in as_text)] for name, column in columns.items()}
    return Sheet("row", range(1, table.num_rows + 1), cells)


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
        types.is_string_view,
        types.is_null,
    )
    return any(fits(kind) for fits in plain)


def _arrow(name: str, column: Any, as_text: bool) -> Cells:
    """A column of Arrow as cells."""
    from pyarrow import float64, types

    number = types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)
    if number and not as_text:
        values = column.cast(float64(), safe=False).to_numpy(zero_copy_only=False)
        if not (np.abs(values) >= EXACT).any():
            return np.asarray(values)
    try:
        found = column.to_pylist()
    except UnicodeDecodeError:
        raise ValueError(f"column {name!r} holds text that is not UTF-8; export the table again.") from None
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    words = {None: "", True: "true", False: "false"} if types.is_boolean(kind) else {None: ""}
    cells = [str(words.get(cell, cell)).strip() for cell in found]
    return cells if as_text else _as_numbers(cells)


# Both


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > MOST_CELLS:
        raise ValueError(
            f"it has about {rows} rows of {columns} cells, and at most {MOST_CELLS} cells are read; leave out"
            " columns or rows that are not needed."
        )


def _check_names(names: Sequence[str]) -> None:
    for place, name in enumerate(names, 1):
        if not name:
            raise ValueError(f"column {place} has no name; name it, or export the table without row numbers.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"more than one column is called {listed(map(repr, twice))}; every column needs its own name."
        )
