"""Parquet and ARFF: files that say which columns are numbers, which are text, and where a gap is."""

import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handnet.tables.dialect import text_lines
from handnet.tables.header import check_lengths, check_names, check_size
from handnet.tables.numerals import EXACT, Cells

INDEX = re.compile(r"__index_level_\d+__|Unnamed: 0")  # what pandas calls an index without a name
RELATION = re.compile(rb"(?:\s|%[^\r\n]*[\r\n])*@relation\b", re.IGNORECASE)
QUOTED = r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\""""
ATTRIBUTE = re.compile(rf"@attribute\s+(?:{QUOTED}|([^\s'\"]\S*))\s+(.+)", re.IGNORECASE)
CELL = re.compile(rf"\s*(?:{QUOTED}|([^,'\"]*?))\s*,")
WORD = re.compile(rf"(?:{QUOTED}|([^\s,'\"]+))(?:[ \t]+|$)")  # a cell where blanks or tabs separate cells
WEIGHT = re.compile(r",\s*\{[\s\d.eE+-]+\}$")
GAP = "?"  # in ARFF, without quotes


class Typed(NamedTuple):
    """The columns of a file that says what they are.

    unit, numbers: as in Sheet.
    columns: name -> (n,) float64 with NaN for a gap, or texts with "" for a gap.
    texts: the columns whose texts are not to become numbers.
    kinds: name -> its type, of columns of something else; their cells are texts too.
    row_names: the column that names the rows; "" where there is none.
    gap: how the file writes a gap.
    nominal: the columns whose values it declares, one by one.
    orders: name -> its values in the order the file gives them, of ordered categoricals.
    """

    unit: str
    numbers: Sequence[int]
    columns: Mapping[str, Cells]
    texts: Collection[str]
    kinds: Mapping[str, str]
    row_names: str = ""
    gap: str = ""
    nominal: Collection[str] = ()
    orders: Mapping[str, Sequence[str]] = {}


def is_arff(content: bytes) -> bool:
    """Whether a text begins as ARFF does, after its comments."""
    return RELATION.match(content) is not None


def arff_table(content: bytes) -> Typed:
    """The table in a UTF-8 text in Weka's Attribute-Relation File Format. Raises ValueError, with the line,
    for what is no such table, for sparse rows and for attributes that are tables themselves.

    https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
    """
    lines = _arff_lines(content)
    types = _attributes(lines)
    check_names(list(types))
    levels = {name: set(_arff_cells(0, kind[1:-1])) for name, kind in types.items() if kind[0] == "{"}
    columns: dict[str, list[str]] = {name: [] for name in types}
    numbers: list[int] = []
    ragged: list[tuple[int, int]] = []
    for number, line in lines:
        cells = _arff_row(number, line, len(types))
        if len(cells) != len(types):
            ragged.append((number, len(cells)))
            continue
        numbers.append(number)
        for (name, column), cell in zip(columns.items(), cells, strict=True):
            if cell and name in levels and cell not in levels[name]:
                raise ValueError(f"line {number}: {cell!r} is none of the values declared for {name!r}.")
            column.append(cell)
    check_lengths(ragged, len(types), ",")
    if not numbers:
        raise ValueError("it has attributes and no data rows.")
    check_size(len(numbers), len(types))
    texts = {name for name, kind in types.items() if kind[0] == "{" or kind.lower() == "string"}
    dates = {name: kind for name, kind in types.items() if kind.lower().startswith("date")}
    return Typed("line", numbers, columns, texts | dates.keys(), dates, gap=GAP, nominal=levels.keys())


def _arff_lines(content: bytes) -> Iterator[tuple[int, str]]:
    """The lines that are neither blank nor comments, with their numbers."""
    for number, line in enumerate(map(str.strip, text_lines(content)), 1):
        if line and not line.startswith("%"):
            yield number, line


def _attributes(lines: Iterator[tuple[int, str]]) -> dict[str, str]:
    """The declared columns, each with its type; the lines below them are data."""
    types: dict[str, str] = {}
    for number, line in lines:
        if line.lower().startswith("@data"):
            return types
        match = ATTRIBUTE.fullmatch(line)
        if match:
            name = _unescaped(match).strip()
            kind = re.sub(r"(^[^{].*?|\})\s*%.*", r"\1", match[4]).strip()
            known = kind.lower() in ("numeric", "real", "integer", "string") or kind.lower()[:4] == "date"
            if name in types or not (known or (kind[0] == "{" and kind[-1] == "}")):
                what = "stands twice" if name in types else f"is of the type {kind!r}, which is not read"
                raise ValueError(f"line {number}: the attribute {name!r} {what}; save the table as CSV.")
            types[name] = kind
        elif not line.lower().startswith("@relation"):
            raise ValueError(f"line {number} is no declaration of ARFF ({line[:40]!r}); save it as CSV.")
    raise ValueError("it is ARFF without @data; save the table as CSV.")


def _arff_row(number: int, line: str, width: int) -> list[str]:
    """The cells of a row, between commas, or between blanks or tabs where it has no commas."""
    bare = re.sub(QUOTED, "", line)
    if WEIGHT.search(bare) and not line.startswith("{"):
        raise ValueError(
            f"line {number} ends with a weight in braces; it has instance weights, which are not read; remove"
            " them, or save the table as CSV."
        )
    words = list(WORD.finditer(line)) if width > 1 and "," not in bare and bare[:1] != "{" else []
    if "".join(word[0] for word in words) != line:
        return _arff_cells(number, line)
    return ["" if word[3] == GAP else _unescaped(word) for word in words]


def _arff_cells(number: int, line: str) -> list[str]:
    """The cells of a row or of a list of values, "" for a gap."""
    if line.startswith("{"):
        raise ValueError(f"line {number} is a sparse row of ARFF, which is not read; save the table as CSV.")
    if not re.search(r"['\"]", line):
        return ["" if (cell := part.strip()) == GAP else cell for part in line.split(",")]
    cells, place, line = [], 0, line + ","
    while place < len(line):
        match = CELL.match(line, place)
        if not match:
            raise ValueError(f"line {number}, from {line[place : place + 20]!r}: a quote is not closed.")
        cells.append("" if match[3] == GAP else _unescaped(match))
        place = match.end()
    return cells


def _unescaped(match: re.Match[str]) -> str:
    """The text of a match of QUOTED, or of a text without quotes."""
    if match[3] is not None:
        return match[3]
    return re.sub(r"\\(.)", r"\1", match[1] if match[1] is not None else match[2])


def parquet_table(content: bytes, as_text: Collection[str]) -> Typed:
    """The table in a Parquet file.

    as_text: columns that are wanted as text, numbers or not.
    Raises ValueError for what is no such table, and where pyarrow is not installed.
    """
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
        check_names(names)
        check_size(file.metadata.num_rows, len(names))
        table = file.read()
    except (pa.ArrowException, OSError) as fault:
        raise ValueError(
            f"it cannot be read as Parquet ({str(fault).partition(chr(10))[0]}); export the table again."
        ) from None
    if not table.num_rows:
        raise ValueError("it has columns and no data rows.")
    arrow = dict(zip(names, table.columns, strict=True))
    kinds = {name: str(column.type) for name, column in arrow.items() if not _holds(column)}
    indices = [name for name in names if INDEX.fullmatch(name)]
    columns = {
        name: _as_text(column) if name in kinds else _cells(name, column, name in as_text or name in indices)
        for name, column in arrow.items()
    }
    index = indices[0] if len(indices) == 1 and indices[0] not in as_text else ""
    orders = {name: _order(column) for name, column in arrow.items() if name not in kinds}
    return Typed("row", range(1, table.num_rows + 1), columns, kinds.keys(), kinds, index, orders=orders)


def _order(column: Any) -> list[str]:
    """The values of a column of Arrow in the order it gives them; none where it gives no order."""
    from pyarrow import types

    if not (types.is_dictionary(column.type) and column.type.ordered):
        return []
    return [str(value).strip() for value in column.unify_dictionaries().chunk(0).dictionary.to_pylist()]


def _holds(column: Any) -> bool:
    """Whether the cells of a column of Arrow are texts, or numbers that a float64 tells apart."""
    from pyarrow import compute, float64, types

    if not types.is_decimal(column.type) or column.type.precision <= 15:
        return _is_plain(column.type)
    exact = column.unique()
    return len(compute.unique(exact.cast(float64(), safe=False))) == len(exact)


def _is_plain(kind: Any) -> bool:
    """Whether a type of Arrow is one of numbers, texts or truth values."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    plain = "integer floating decimal boolean string large_string string_view null".split()
    return any(getattr(types, f"is_{name}")(kind) for name in plain)


def _cells(name: str, column: Any, as_text: bool) -> Cells:
    """A column of Arrow of a plain type as cells."""
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
    return [str(words.get(cell, cell)).strip() for cell in values]


def _as_text(column: Any) -> list[str]:
    """A column of Arrow of any other type as texts, as Arrow writes them where it can."""
    import pyarrow as pa

    try:
        if pa.types.is_duration(column.type):
            return ["" if cell is None else str(cell) for cell in column.to_pylist()]
        values = column.cast(pa.string()).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError):
        values = [None if cell is None else repr(cell) for cell in column.to_pylist()]
    return ["" if cell is None else cell.strip() for cell in values]
