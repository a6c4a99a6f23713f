"""From a CSV, TSV or Parquet file to columns of cells, or to one sentence that says where it is no table.

Nothing is guessed: an id keeps its leading zeros, a comma in a number is not dropped, a short row is not
filled up. Rows are converted in blocks, and cells that are numbers are kept as numbers, so that 50 million of
them need little more memory than the file and its numbers."""

import io
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from handnet.data import Array, listed
from handnet.dialect import Dialect, read_rows, utf8

MOST_BYTES = 2**30  # read whole; a larger file wants another tool before this one
MOST_CELLS = 52_000_000  # 100 000 rows of 500 measurements, with their target, id and group
BLOCK = 4096  # rows converted at once
LARGEST = 1e30  # its square still fits in float64, and it in float32: the scaler stays finite
EXACT = 2**53  # above it float64 leaves whole numbers out
MISSING = {"", "na", "n/a", "nan", "null", "none"}
# Words for a gap in any column, in lower case: those of pandas, without None.
GAPS = frozenset(
    "|na|n/a|nan|-nan|null|<na>|nat|#n/a|#n/a n/a|#na|1.#ind|-1.#ind|1.#qnan|-1.#qnan".split("|")
)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
NOT_A_NUMBER = "is not a number"

Cells = Array | list[str]  # (n,) float64 with NaN for a gap where all are numbers or gaps, else as they stand


class Sheet(NamedTuple):
    """A table as it was read.

    unit: what a row is called, "line" or "row".
    numbers: (n,) the number of each row in the file.
    columns: name -> its cells in blocks, each of numbers or of text; text alone where that was asked for.
    gaps: name -> how often each word for a gap was read in its blocks of numbers.
    row_names: (n,) of a file that names its rows in a column without a name, else None.
    notes: sentences on what was taken for what.
    typed: whether the file tells gaps from texts by itself, so that no word of a text stands for a gap; a gap
        in text is "" there too.
    kinds: name -> the type the file gives it ("timestamp[us]", "date32[day]", "list<...>"), of columns that
        are neither numbers nor text nor truth values; their cells are kept as text.
    """

    unit: str
    numbers: Sequence[int]
    columns: dict[str, list[Cells]]
    gaps: Mapping[str, Mapping[str, int]] = MappingProxyType({})
    row_names: Sequence[str] | None = None
    notes: Sequence[str] = ()
    typed: bool = False
    kinds: Mapping[str, str] = MappingProxyType({})

    def text(self, column: str) -> list[str]:
        """(n,) the cells of a column that was asked for as text."""
        return [cell for block in self.columns[column] for cell in block]


def read_sheet(
    path: Path, as_text: set[str], named: Collection[str] = (), dialect: Dialect | None = None
) -> Sheet:
    """The table in a file.

    as_text: columns whose cells are not to become numbers.
    named: columns that must be there; they tell the header from data, and the separator from other marks.
    dialect: how a text file is written, where its writer knows better than its content tells.
    Raises ValueError, one sentence with the line or the column, when the file is no table of named columns.
    """
    content = _content(path)
    if path.suffix.lower() == ".parquet":
        return _read_parquet(content, as_text)
    return _read_text(content, as_text, set(named), dialect or Dialect())


def why_no_number(cell: str) -> str | None:
    """Why a cell cannot be a measurement; None when it can."""
    if NUMBER.fullmatch(cell):
        if abs(float(cell)) > LARGEST:
            return f"is larger than {LARGEST:.0e}, too large to scale"
        whole = re.fullmatch(r"[+-]?\d+", cell)
        inexact = whole and abs(float(cell)) >= EXACT and int(cell) != int(float(cell))
        return "is a whole number of more digits than a float64 holds" if inexact else None
    if cell.lower().lstrip("+-") in ("inf", "infinity"):
        return "is not finite"
    if re.fullmatch(r"[+-]?\d+([,.' ]\d+)+", cell):
        return (
            "has a comma or more than one point, where a decimal point and nothing between thousands is read"
        )
    return NOT_A_NUMBER


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


def _read_text(content: bytes, as_text: set[str], named: set[str], dialect: Dialect) -> Sheet:
    content = utf8(content)
    if not content or content.isspace():
        raise ValueError("it is empty; the first line must hold the names of the columns.")
    rows = read_rows(content, dialect.separator)
    _, header = next(rows, (1, [""]))
    names = [name.strip() for name in header]
    if not named & set(names):
        _check_header(names)
    _check_names(names)
    _check_size(content.count(b"\n"), len(names))
    sheet = Sheet("line", numbers := [], {name: [] for name in names})
    ragged: list[tuple[int, int]] = []
    block: list[list[str]] = []
    for line, row in rows:
        if len(row) != len(names):
            ragged.append((line, len(row)))
            continue
        numbers.append(line)
        block.append(row)
        if len(block) == BLOCK:
            _append(block, sheet, as_text)
            block = []
    _append(block, sheet, as_text)
    _check_lengths(ragged, len(names))
    if not numbers:
        raise ValueError("it has a header and no data rows.")
    return sheet


def _append(rows: Sequence[Sequence[str]], sheet: Sheet, as_text: set[str]) -> None:
    """Add rows to the columns of a sheet."""
    for (name, blocks), cells in zip(sheet.columns.items(), zip(*rows, strict=True), strict=False):
        blocks.append(_stripped(cells) if name in as_text else _as_numbers(cells))


def _stripped(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _as_numbers(cells: Sequence[str]) -> Cells:
    """The cells as numbers, where all of them are numbers or gaps; else as text."""
    joined = "".join(cells)
    # float() also reads other digits and 1_000, which NUMBER does not.
    if joined.isascii() and "_" not in joined:
        with suppress(ValueError):
            values = np.fromiter(map(float, cells), np.float64, len(cells))
            if (np.abs(values) < EXACT).all():
                return values
    texts = _stripped(cells)
    if not all(cell.lower() in MISSING or why_no_number(cell) is None for cell in texts):
        return texts
    return np.array([np.nan if cell.lower() in MISSING else float(cell) for cell in texts])


def _read_parquet(content: bytes, as_text: set[str]) -> Sheet:
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
    strange = [f"{name!r} ({column.type})" for name, column in columns.items() if not _is_plain(column.type)]
    if strange:
        raise ValueError(
            f"these columns hold neither numbers nor text: {listed(strange)}; write them as numbers or leave"
            " them out."
        )
    cells = {name: [_arrow(name, column, name in as_text)] for name, column in columns.items()}
    return Sheet("row", range(1, table.num_rows + 1), cells)


def _is_plain(kind: Any) -> bool:
    """Whether a type of Arrow is one of numbers, texts or truth values."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    plain = "integer floating decimal boolean string large_string string_view null".split()
    return any(getattr(types, f"is_{name}")(kind) for name in plain)


def _arrow(name: str, column: Any, as_text: bool) -> Cells:
    """A column of Arrow as cells."""
    from pyarrow import float64, types

    number = types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)
    if number and not as_text:
        numbers = column.cast(float64(), safe=False).to_numpy(zero_copy_only=False)
        if not (np.abs(numbers) >= EXACT).any():
            return np.asarray(numbers)
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:
        raise ValueError(f"column {name!r} holds text that is not UTF-8; export the table again.") from None
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    words = {None: "", True: "true", False: "false"} if types.is_boolean(kind) else {None: ""}
    cells = [str(words.get(cell, cell)).strip() for cell in values]
    return cells if as_text else _as_numbers(cells)


def _check_header(names: Sequence[str]) -> None:
    if sum(NUMBER.fullmatch(name) is not None for name in names) * 2 >= len(names):
        raise ValueError(
            f"the first line holds numbers ({listed(names)}), so the header is missing; put the names of the "
            "columns there."
        )


def _check_lengths(ragged: Sequence[tuple[int, int]], columns: int) -> None:
    """That there are no rows of another length than the header. ragged: (line, length) of each."""
    if ragged:
        line, length = ragged[0]
        more = f", and so have {len(ragged) - 1} more lines another number" if len(ragged) > 1 else ""
        raise ValueError(
            f"line {line} has {length} cells where the header has {columns}{more}; a cell that holds the "
            "separator must stand in quotes."
        )


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > MOST_CELLS:
        raise ValueError(
            f"it has about {rows} rows of {columns} cells, and at most {MOST_CELLS} cells are read; leave out"
            " columns or rows that are not needed."
        )


def _check_names(names: Sequence[str]) -> None:
    for number, name in enumerate(names, 1):
        if not name:
            raise ValueError(
                f"column {number} has no name; name it, or export the table without row numbers."
            )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"more than one column is called {listed(map(repr, twice))}; every column needs its own name."
        )
