"""A file of predictions to Results: CSV and its like as they are written, or Parquet.

A small text file is read with all that handnet.tables understands. A large one has the same layout, but its
rows are read by pyarrow, some hundred times as fast; texts become codes at once, so that ten million rows
need less than a gibibyte.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from handnet.data import listed
from handnet.messages import Refusal
from handnet.predictions.columns import Columns, are_texts
from handnet.predictions.form import Results
from handnet.predictions.table import USUAL_NAMES, read_frame
from handnet.tables.dialect import MARKS, Dialect, decoded, read_rows
from handnet.tables.header import Layout, check_header, check_lengths, check_names, find_layout
from handnet.tables.numerals import GAPS, Cells
from handnet.tables.sheets import read_sheet
from handnet.tables.typed import is_arff

Tick = Callable[[int, int], object]  # called with how much of a file is read, and how much there is
SMALL = 2**24  # bytes of a text file up to which it is read row by row
HEAD = 2**20  # bytes in which the layout of a large one is found


class Read(NamedTuple):
    """A table as it was read. notes: sentences on what was taken for what."""

    frame: pd.DataFrame
    notes: Sequence[str] = ()


def read_file(
    path: str | PathLike[str],
    columns: Columns = USUAL_NAMES,
    tick: Tick = lambda _done, _total: None,
    dialect: Dialect | None = None,
) -> Results:
    """The results in a file: text (CSV, TSV and their like), ARFF or Parquet.

    columns: as in `handnet.predictions.table.read_frame`; tick: told how far the reading is; dialect: how a
    text file is written, where its writer knows better than its content tells. Raises Refusal, one sentence,
    for a file that cannot be read and for what cannot be judged.
    """
    frame, notes = read_table(path, columns, tick, dialect)
    results = read_frame(frame, columns, str(path))
    return replace(results, notes=(*notes, *results.notes))


def read_table(
    path: str | PathLike[str],
    columns: Columns = USUAL_NAMES,
    tick: Tick = lambda _done, _total: None,
    dialect: Dialect | None = None,
) -> Read:
    """The table in a file, its rows numbered as in the file. Arguments and Refusal as in `read_file`."""
    file, written = Path(path), (dialect or Dialect()).checked()
    try:
        size = _size(file)
        if file.suffix.lower() in (".parquet", ".pq"):
            return Read(_parquet(file, tick))
        large = size > SMALL and _is_plain_text(file)
        read = _large(file, columns, written, tick) if large else None
        return read or _small(file, columns, written)
    except ValueError as fault:
        end = "" if str(fault).endswith("?") else "."
        raise Refusal(f"{path}: {str(fault).removesuffix('.')}{end}") from None


def _size(file: Path) -> int:
    """The bytes of a file. Raises ValueError where there is none, or an empty one."""
    try:
        size, is_file = file.stat().st_size, file.is_file()
    except OSError as fault:
        raise ValueError(
            f"the table cannot be read ({fault.strerror}); name a CSV, TSV or Parquet file that can."
        ) from None
    if not is_file:
        raise ValueError("it is no file; name a CSV, TSV or Parquet file.")
    if not size:
        raise ValueError("it is empty; the first line must hold the names of the columns.")
    return size


def _parquet(file: Path, tick: Tick) -> pd.DataFrame:
    """The table in a Parquet file; all but its fractions are codes."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ValueError(
            "a Parquet file is read with pyarrow, which is not installed; install it, or save the table as"
            " CSV."
        ) from None
    try:
        source = parquet.ParquetFile(file)
        schema = source.schema_arrow
        check_names([name.strip() for name in schema.names])
        texts = [one.name for one in schema if pa.types.is_string(one.type)]
        source = parquet.ParquetFile(file, read_dictionary=texts)
        groups = source.num_row_groups
        parts = []
        for group in range(groups):
            parts.append(_as_codes(source.read_row_group(group)))
            tick(group + 1, groups)
        return _frame(parts or [source.read()])
    except (pa.ArrowException, OSError) as fault:
        raise ValueError(
            f"it cannot be read as Parquet ({str(fault).partition(chr(10))[0]}); export the table again."
        ) from None


def _frame(parts: list[Any]) -> pd.DataFrame:
    """The parts of a table of Arrow, which are used up, as a DataFrame; what Arrow took is given back."""
    from pyarrow import concat_tables, default_memory_pool

    table = concat_tables(parts).unify_dictionaries()
    parts.clear()
    default_memory_pool().release_unused()
    frame = table.to_pandas(split_blocks=True, self_destruct=True, ignore_metadata=True)
    del table
    default_memory_pool().release_unused()
    return frame


def _as_codes(table: Any) -> Any:
    """A table of Arrow whose whole numbers and texts are codes."""
    from pyarrow import float64, types

    for place, column in enumerate(table.schema):
        if types.is_integer(column.type) or types.is_string(column.type):
            table = table.set_column(place, column.name, table.column(place).dictionary_encode())
        elif types.is_decimal(column.type):
            table = table.set_column(place, column.name, table.column(place).cast(float64(), safe=False))
    return table


def _is_plain_text(file: Path) -> bool:
    """Whether a file is text in one byte a letter or UTF-8, and no ARFF."""
    with file.open("rb") as content:
        head = content.read(HEAD)
    wide = any(head.startswith(mark) for mark, name in MARKS.items() if name != "utf-8")
    return not wide and not is_arff(head)


def _small(file: Path, columns: Columns, dialect: Dialect) -> Read:
    """The table in a text file, read row by row."""
    content, _ = decoded(file.read_bytes(), dialect.encoding)
    names: Sequence[str] = []
    if content.strip() and not is_arff(content):
        names = [*find_layout(content, (), dialect.separator).names.values()]
    sheet = read_sheet(file, are_texts(names, columns), (), dialect)
    frame = pd.DataFrame({name: _joined(blocks) for name, blocks in sheet.columns.items()})
    return Read(frame.set_axis(pd.Index(sheet.numbers, name="line"), axis=0), sheet.notes)


def _joined(blocks: Sequence[Cells]) -> Any:
    """The cells of a column in one."""
    if all(isinstance(block, np.ndarray) for block in blocks):
        return np.concatenate(blocks)
    return np.array([cell for block in blocks for cell in block], dtype=object)


def _large(file: Path, columns: Columns, dialect: Dialect, tick: Tick) -> Read | None:
    """The table in a large text file; None where pyarrow is not there, or does not read such a layout."""
    try:
        from pyarrow import ArrowInvalid
    except ImportError:
        return None
    layout = _layout(file, dialect)
    if layout.separator not in (",", ";", "\t", "|"):
        return None
    names = [*layout.names.values()]
    texts = are_texts(names, columns)
    mark = dialect.decimal or _decimal_mark(layout, texts)
    rows = _Rows(file, layout, mark, dialect.encoding or "utf8", tick)
    for as_text in (texts, set(names)):
        try:
            return rows.read(as_text, _notes(layout, texts, mark))
        except ArrowInvalid as fault:
            rows.refuse(str(fault))  # a cell that is no number is left to those who know its column
    return None


def _layout(file: Path, dialect: Dialect) -> Layout:
    """The layout of a large text file, by its first lines."""
    with file.open("rb") as content:
        head = content.read(HEAD)
    head = head if len(head) < HEAD else head[: head.rfind(b"\n") + 1]
    layout = find_layout(decoded(head, dialect.encoding)[0], (), dialect.separator)
    names = [*layout.names.values()]
    check_header(names)
    check_names(names)
    return layout


def _first_numbers(layout: Layout, texts: set[str]) -> dict[str, list[str]]:
    """The first cells of each column that may hold numbers."""
    rows = [row for _, row in layout.rows]
    numbers = {place: name for place, name in layout.names.items() if name not in texts}
    return {name: [row[place].strip() for row in rows if place < len(row)] for place, name in numbers.items()}


def _decimal_mark(layout: Layout, texts: set[str]) -> str:
    """The decimal mark of the numbers in the first rows."""
    cells = [cell for column in _first_numbers(layout, texts).values() for cell in column]
    comma = any(re.fullmatch(r"[+-]?\d*,\d+", cell) for cell in cells)
    return "," if layout.separator != "," and comma and not any("." in cell for cell in cells) else "."


def _notes(layout: Layout, texts: set[str], mark: str) -> list[str]:
    """What is to be told of a layout."""
    columns = _first_numbers(layout, texts).items() if mark == "," else ()
    commas = listed(repr(name) for name, cells in columns if any("," in cell for cell in cells))
    return [*layout.notes, *([f"The numbers have decimal commas: {commas}."] if commas else [])]


@dataclass
class _Rows:
    """The rows of a large text file, read by pyarrow. skipped: how many of them are comments."""

    file: Path
    layout: Layout
    mark: str
    encoding: str
    tick: Tick
    skipped: int = 0

    def read(self, texts: set[str], notes: Sequence[str]) -> Read:
        """The table: the columns `texts` as codes, all others as float64."""
        self.skipped = 0
        parts = self._parts(texts)
        if not parts:
            raise ValueError("it has a header and no data rows.")
        frame, first = _frame(parts), self.layout.skipped + 2
        if self.skipped:  # then lines cannot be counted
            told = f"{self.skipped} lines are each a comment, because they begin with '#'."
            return Read(frame, [*notes, told])
        lines = pd.RangeIndex(first, first + len(frame), name="line")
        return Read(frame.set_axis(lines, axis=0), notes)

    def _parts(self, texts: set[str]) -> list[Any]:
        """The rows as tables of Arrow."""
        import pyarrow as pa
        from pyarrow import csv

        layout, code = self.layout, pa.dictionary(pa.int32(), pa.string())
        names = [layout.names.get(place, f"\0{place}") for place in range(layout.width)]
        kept = [*layout.names.values()]
        gaps = sorted({spelt for gap in GAPS for spelt in (gap, gap.upper(), gap.title(), "NaN")})
        reading = csv.ReadOptions(
            skip_rows=layout.skipped + 1, column_names=names, encoding=self.encoding, block_size=2**24
        )
        parsing = csv.ParseOptions(delimiter=layout.separator, invalid_row_handler=self._odd)
        converting = csv.ConvertOptions(
            column_types={name: code if name in texts else pa.float64() for name in kept},
            include_columns=kept,
            decimal_point=self.mark,
            null_values=gaps,
            strings_can_be_null=True,
        )
        source, total, parts = pa.OSFile(str(self.file)), self.file.stat().st_size, []
        for batch in csv.open_csv(source, reading, parsing, converting):
            parts += [pa.Table.from_batches([batch])] if len(batch) else []
            self.tick(min(100 * source.tell() // total, 100), 100)  # of bytes the share that is read
        return parts

    def _odd(self, row: Any) -> str:
        """What becomes of a row of another length."""
        comment = row.text.startswith("#")
        self.skipped += comment
        return "skip" if comment else "error"

    def refuse(self, fault: str) -> None:
        """Raise ValueError for what is wrong with the file itself, with the line."""
        if "UTF8" in fault or "UTF-8" in fault:
            decoded(self.file.read_bytes(), "")
        if "conversion error" in fault:
            return
        with self.file.open(encoding=self.encoding, newline="") as content:
            for line, _, row in read_rows(content, self.layout.separator, self.layout.skipped):
                if len(row) != self.layout.width and not row[0].startswith("#"):
                    check_lengths([(line, len(row))], self.layout.width, self.layout.separator)
        raise ValueError(f"it cannot be read as CSV ({fault.partition(chr(10))[0]}); export the table again.")
