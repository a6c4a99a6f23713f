"""From a file to columns of cells, or to one sentence that says where it is no table.

Nothing is guessed: an id keeps its leading zeros, a comma in a number is not dropped, a short row is not
filled up, and what was taken for what is told. Rows are converted in blocks, and cells that are numbers are
kept as numbers, so that 50 million of them need little more memory than the file and its numbers."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from handnet.data import listed
from handnet.messages import option
from handnet.tables.dialect import Dialect, count_lines, decoded, read_rows, text_lines
from handnet.tables.header import Layout, check_header, check_lengths, check_names, check_size, find_layout
from handnet.tables.numerals import GAPS, Cells, DecimalMark, Numbers, stripped
from handnet.tables.typed import Typed, arff_table, is_arff, parquet_table

MOST_BYTES = 2**30  # read whole; a larger file wants another tool before this one
DRAWN = re.compile(r"-+(?:\+-+)+|\(\d+ rows?\)")  # by psql: the rule below the header, and the last line
BLOCK = 4096  # rows converted at once


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
    zeros: columns with a leading zero in a number of the first rows, as codes have.
    nominal: columns of values that the file declares as names, though they may look like numbers.
    orders: name -> its values in the order that the file gives them, if it gives one.
    decimal: "," where the numbers of the file have decimal commas, which are points in these columns, so that
        a text that holds a number can be read as well; else "".
    """

    unit: str
    numbers: Sequence[int]
    columns: dict[str, list[Cells]]
    gaps: Mapping[str, Mapping[str, int]] = MappingProxyType({})
    row_names: Sequence[str] | None = None
    notes: Sequence[str] = ()
    typed: bool = False
    kinds: Mapping[str, str] = MappingProxyType({})
    zeros: Collection[str] = ()
    nominal: Collection[str] = ()
    orders: Mapping[str, Sequence[str]] = MappingProxyType({})
    decimal: str = ""

    def text(self, column: str) -> list[str]:
        """(n,) the cells of a column that was asked for as text."""
        return [cell for block in self.columns[column] for cell in block]


def read_sheet(
    path: Path, as_text: set[str], named: Collection[str] = (), dialect: Dialect | None = None
) -> Sheet:
    """The table in a file.

    as_text: columns whose cells are kept as they stand, without the blanks around them.
    named: columns that must be there; they tell the header from data, and the separator from other marks.
    dialect: how a text file is written, where its writer knows better than its content tells.
    Raises ValueError, one sentence with the line or the column, when the file is no table of named columns.
    """
    dialect, notes = (dialect or Dialect()).checked(), list[str]()
    content = _content(path)
    if path.suffix.lower() == ".parquet":
        _check_unsaid(dialect, "Parquet")
        sheet = _read_typed(parquet_table(content, as_text), as_text)
    else:
        content, notes = decoded(content, dialect.encoding)
        if not content or content.isspace():
            raise ValueError("it is empty; the first line must hold the names of the columns.")
        if path.suffix.lower() == ".arff" or is_arff(content):
            _check_unsaid(dialect._replace(encoding=""), "ARFF")
            sheet = _read_typed(arff_table(content), as_text)
        else:
            sheet = _read_text(content, as_text, set(named), dialect)
    return sheet._replace(notes=[*notes, *sheet.notes])


def _check_unsaid(dialect: Dialect, kind: str) -> None:
    """That nothing is said of how a file writes its table that it says itself."""
    said = [option(name, value) for name, value in dialect._asdict().items() if value]
    if said:
        raise ValueError(f"it is {kind}, which says that itself; leave {' and '.join(said)} out.")


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


def _read_typed(table: Typed, as_text: set[str]) -> Sheet:
    """The sheet of a file that says its types."""
    numbers = Numbers(DecimalMark("."), GAPS if table.gap else {""})  # Weka takes NaN for a gap, too
    columns, gaps = {}, {}
    for name, cells in table.columns.items():
        if name == table.row_names:
            continue
        text = isinstance(cells, list) and (name in as_text or name in table.texts)
        block = numbers.read(name, cells, table.numbers) if isinstance(cells, list) and not text else cells
        columns[name] = [block]
        if not isinstance(block, list) and np.isnan(block).any():
            words = numbers.gaps.get(name) or {"": int(np.isnan(block).sum())}
            gaps[name] = {word or table.gap: count for word, count in words.items()}
    names = [str(name) for name in table.columns.get(table.row_names, ())] or None
    notes = numbers.notes()
    if names:
        notes.append(f"The column {table.row_names!r}, pandas's index, is taken as the names of the rows.")
    sheet = Sheet(table.unit, table.numbers, columns, gaps, names, notes, True, table.kinds, numbers.zeros)
    return sheet._replace(nominal=table.nominal, orders=table.orders)


def _read_text(content: bytes, as_text: set[str], named: set[str], dialect: Dialect) -> Sheet:
    layout = find_layout(content, named, dialect.separator)
    names = list(layout.names.values())
    if not named & set(names):
        check_header(names)
    check_names(names)
    check_size(count_lines(content), layout.width)
    odd = Odd([], [], [], [])
    rows = read_rows(text_lines(content), layout.separator, layout.skipped)
    next(rows, None)  # the header
    body = _Body(layout, as_text, dialect.decimal)
    regular = _regular(rows, layout, odd)
    while body.append(list(islice(regular, BLOCK))):
        pass
    if body.hashed and odd.comments:  # then '#' begins cells in this file, and a short row is no comment
        odd = odd._replace(ragged=sorted([*odd.ragged, *odd.comments]), comments=[])
    check_lengths(odd.ragged, layout.width, layout.separator)
    if not body.lines:
        raise ValueError("it has a header and no data rows.")
    return body.sheet(odd)


class Odd(NamedTuple):
    """Lines below the header that are no rows of the table, with the number of their cells.

    ragged: of another length than the table's. comments: those of them that begin with '#'. drawn: those that
    psql draws around a table. empty: of separators alone.
    """

    ragged: list[tuple[int, int]]
    comments: list[tuple[int, int]]
    empty: list[tuple[int, int]]
    drawn: list[tuple[int, int]]


def _regular(
    rows: Iterable[tuple[int, int, list[str]]], layout: Layout, odd: Odd
) -> Iterator[tuple[int, list[str]]]:
    """The rows of the table, with the line each begins on; others are put down in `odd`."""
    for begins, ends, row in rows:
        if row == layout.header:
            raise ValueError(
                f"line {begins} repeats the header word for word; remove it, and see whether two tables were"
                " joined."
            )
        if len(row) != layout.width:
            comment = row[0].startswith("#") and begins == ends
            drawn = layout.separator == "|" and DRAWN.fullmatch(row[0].strip())
            (odd.drawn if drawn else odd.comments if comment else odd.ragged).append((begins, len(row)))
        elif not row[0].strip() and not any(map(str.strip, row)):
            odd.empty.append((begins, len(row)))
        else:
            yield begins, row


class _Body:
    """The rows of a text file as they become columns, a block at a time."""

    def __init__(self, layout: Layout, as_text: set[str], decimal: str) -> None:
        self.layout, self.as_text = layout, as_text
        self.numbers = Numbers(_decimal_mark(layout, as_text, decimal))
        self.told = "" if decimal else self.numbers.decimal.mark  # a mark that was found out
        self.lines: list[int] = []
        self.columns: dict[str, list[Cells]] = {name: [] for name in layout.names.values()}
        self.row_names: list[str] = []
        self.hashed = False  # whether a first cell begins with '#'

    def append(self, block: Sequence[tuple[int, list[str]]]) -> bool:
        """Add rows; whether there were any."""
        lines = [line for line, _ in block]
        self.lines += lines
        for place, cells in enumerate(zip(*(row for _, row in block), strict=True)):
            name = self.layout.names.get(place)
            if place == 0:
                self.hashed = self.hashed or any(cell.startswith("#") for cell in cells)
            if name is not None:
                as_text = name in self.as_text
                self.columns[name].append(
                    stripped(cells) if as_text else self.numbers.read(name, cells, lines)
                )
            elif place == 0 and self.layout.row_names:
                self.row_names += stripped(cells)
            else:
                _check_no_content(place, cells, lines)
        return bool(block)

    def sheet(self, odd: Odd) -> Sheet:
        """The whole table."""
        decimal = self.numbers.decimal
        if not decimal.mark:
            for name, _, block, lines in self._texts():
                decimal.look(name, block, lines)
            decimal.mark = self.told = decimal.decide()
            for name, number, block, lines in self._texts() if decimal.mark == "," else ():
                self.columns[name][number] = self.numbers.read(name, block, lines)
        notes = [*self.layout.notes]
        if self.told == ",":
            columns = listed(map(repr, self.numbers.commas))
            notes.append(f"The numbers have decimal commas: {columns}.")
        notes += _told_of_lines(self.layout.comments, odd)
        notes += self._told_of_columns() + self.numbers.notes()
        mark = "," if decimal.mark == "," else ""
        names, numbers = self.row_names if self.layout.row_names else None, self.numbers
        sheet = Sheet("line", self.lines, self.columns, numbers.gaps, names, notes)
        return sheet._replace(zeros=numbers.zeros, decimal=mark)

    def _texts(self) -> Iterator[tuple[str, int, list[str], list[int]]]:
        """Every block of text that could be numbers: its column, its number there, its cells, their lines."""
        for name, blocks in self.columns.items():
            for number, block in enumerate(blocks):
                if isinstance(block, list) and name not in self.as_text:
                    yield name, number, block, self.lines[number * BLOCK : (number + 1) * BLOCK]

    def _told_of_columns(self) -> list[str]:
        """Which columns are left out for having neither name nor content."""
        known = {*self.layout.names, *([0] if self.layout.row_names else [])}
        nameless = [place for place in range(self.layout.width) if place not in known]
        if not nameless:
            return []
        if nameless[0] > max(known):
            return ["A separator ends every line; the column without name and content is left out."]
        numbers = listed(str(place + 1) for place in nameless)
        return [f"Columns with neither a name nor content are left out: {numbers}."]


def _decimal_mark(layout: Layout, as_text: set[str], decimal: str) -> DecimalMark:
    """The decimal mark of a text file, found out from its first rows where they tell it."""
    found = DecimalMark(decimal or ("." if layout.separator[0] == "," else ""))
    if not found.mark:
        lines = [line for line, _ in layout.rows]
        for place, cells in enumerate(zip(*(row for _, row in layout.rows), strict=True)):
            if layout.names.get(place, "") not in {*as_text, ""}:
                found.look(layout.names[place], stripped(cells), lines)
        if found.first.keys() & {"comma", "point", "grouped comma", "grouped point"} == {"comma"}:
            found.mark = ","
    return found


def _check_no_content(place: int, cells: Iterable[str], lines: Iterable[int]) -> None:
    """That a column without a name is empty."""
    for line, cell in zip(lines, cells, strict=True):
        if cell.strip():
            raise ValueError(
                f"column {place + 1} has no name, and line {line} holds {cell!r} there; name it, or leave it"
                " out."
            )


def _told_of_lines(comments: Sequence[int], odd: Odd) -> list[str]:
    """Which lines are no rows."""
    kinds = [
        ([*comments, *(line for line, _ in odd.comments)], "a comment, because it begins with '#'"),
        ([line for line, _ in odd.drawn], "no row, because psql draws it (a rule, or the number of rows)"),
        ([line for line, _ in odd.empty], "no row, because it holds separators alone"),
    ]
    return [
        f"Line {lines[0]} is {what}."
        if len(lines) == 1
        else f"{len(lines)} lines are each {what}: {listed(map(str, lines))}."
        for lines, what in kinds
        if lines
    ]
