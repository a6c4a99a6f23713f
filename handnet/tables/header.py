"""Where a text file has its table: what separates the columns, which row is the header, which cell of a row
belongs to which name, and what programs write around it (comments, names of rows, a separator at every end).

This is decided on the first lines of the file and holds for all of it; sheets.py refuses later lines
that differ."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from handnet.data import listed
from handnet.tables.dialect import called, read_rows, text_lines
from handnet.tables.numerals import NUMBER

HEAD_LINES, HEAD_TEXT = 200, 2**20  # as many lines are looked at, as long as they have fewer characters
SEP = re.compile(r'"?sep=(.)"?[,;\t|]*[\r\n]*', re.IGNORECASE)  # Excel's first line: sep=;
MOST_CELLS = 52_000_000  # 100 000 rows of 500 measurements, with their target, id and group
# Two cells that may be one, which held the separator: 67,9 and 12 000 and John Smith.
CUT = {",": re.compile(r"[+-]?\d+,\d+"), " ": re.compile(r"[+-]?\d{1,3} \d{3}|[^\W\d]+ [^\W\d]+")}
NAMELESS = ("", "Unnamed: 0")  # how R and pandas head the names of rows, which have no name themselves

Row = tuple[int, list[str]]  # the line it begins on, and its cells


class Layout(NamedTuple):
    """Where a text file has its table.

    separator: the mark between two cells; with a blank behind it where quotes follow such blanks.
    skipped: how many lines stand above the header.
    header: the cells of the header as they stand.
    names: the place of a cell in its row -> the column it belongs to.
    width: how many cells a row has.
    row_names: whether the first cell of a row names it.
    rows: those among the first lines of the file.
    comments: the lines above the header that begin with '#'.
    notes: what is to be told of all that.
    """

    separator: str
    skipped: int
    header: Sequence[str]
    names: Mapping[int, str]
    width: int
    row_names: bool
    rows: Sequence[Row]
    comments: Sequence[int]
    notes: Sequence[str]


class _Guess(NamedTuple):
    """The first lines as they read with one separator.

    skipped, header, rows, width: as in Layout.
    found: how many of the named columns the header holds.
    fits: whether every row has that width.
    lower: the line below the first row that holds all the named columns; 0 where there is none.
    """

    separator: str
    skipped: int
    header: list[str]
    rows: list[Row]
    found: int
    width: int
    fits: bool
    lower: int

    def rank(self) -> tuple[int, bool, bool]:
        """The better a separator reads the file, the more."""
        return self.found, self.fits and self.width > 1, self.width == len(self.header)


def find_layout(content: bytes, named: Collection[str] = (), separator: str = "") -> Layout:
    """The layout of a UTF-8 text that is not blank.

    named: columns that must be there; the separator is the one that finds them.
    separator: the mark between two cells, where it is known.
    Raises ValueError where the header or the meaning of a first cell is in doubt.
    """
    lines = _head(content)
    start, declared = _preamble(lines)
    known = separator or declared
    guesses = [_guess(lines, start, mark, set(named)) for mark in known or ",\t;|"]
    best = max(guesses, key=lambda guess: (guess.rank(), guess.width))
    if best.rank() < (len(set(named)), True, True) and known != " ":
        guesses += [_guess(lines, start, f"{mark} ", set(named)) for mark in known or ",;|"]
        best = max([best, *guesses], key=_Guess.rank)
    undivided = all(len(row) < 2 for _, row in best.rows)
    if not known and (best.found < len(set(named)) or len(best.header) < 2 or undivided):
        guesses.append(_guess(lines, start, " ", set(named)))
        best = max([best, guesses[-1]], key=_Guess.rank)
    if best.found < len(set(named)):
        _check_lower([guess.lower for guess in guesses if guess.lower])
    notes = [f"The first line names the separator ({declared!r}) and is no row."] if declared else []
    if not known and best.separator[0] not in ",\t":
        notes.append(f"The columns are separated by {called(best.separator)}.")
    comments = [number for number, line in enumerate(lines[: best.skipped], 1) if line.startswith("#")]
    return _laid_out(best, set(named), lines, comments, notes)


def _laid_out(
    guess: _Guess, named: set[str], lines: Sequence[str], comments: list[int], notes: list[str]
) -> Layout:
    """The layout that a guess stands for."""
    header = [name.strip() for name in guess.header]
    first = [row[0].strip() for _, row in guess.rows]
    shift = 0
    row_names = header[:1] != [] and header[0] in NAMELESS and header[0] not in named and any(first)
    if row_names and len(header) > 1:
        notes.append("The first column has no name; its cells are taken as the names of the rows.")
        header[0] = ""
    elif guess.fits and guess.width > len(header) and any(row[-1].strip() for _, row in guess.rows):
        _check_names_of_rows(guess, lines)
        notes.append(
            "Every line has one cell more than the header, as R writes it; the first is taken as the name of"
            " its row."
        )
        shift, row_names = 1, True
    if len(header) > guess.width:
        notes.append("The header ends with a separator, behind which there is no column.")
    names = {place: name for place, name in enumerate(header[: guess.width], shift) if name}
    return Layout(
        guess.separator,
        guess.skipped,
        guess.header,
        names,
        guess.width,
        row_names,
        guess.rows,
        comments,
        notes,
    )


def _head(content: bytes) -> list[str]:
    """The first lines: the comments, and enough below them to tell how the table is written."""
    head, below, text = [], 0, 0
    for line in text_lines(content):
        head.append(line)
        text += len(line)
        below += not line.startswith("#")
        if below >= HEAD_LINES or (text > HEAD_TEXT and (below > 3 or len(head) > HEAD_LINES)):
            break
    return head


def _preamble(lines: Sequence[str]) -> tuple[int, str]:
    """How many lines above the header are blank, comments, or name the separator; and the one named."""
    declared = ""
    for number, line in enumerate(lines):
        if (match := SEP.fullmatch(line)) and not declared and not any(map(str.strip, lines[:number])):
            declared = match[1]
        elif line.strip() and not line.startswith("#"):
            return number, declared
    return len(lines), declared


def _sample(lines: Sequence[str], separator: str, skipped: int) -> Iterator[Row]:
    """The rows as far as they can be read."""
    try:
        for begins, _, row in read_rows(lines, separator, skipped):
            yield begins, row
    except ValueError:
        return


def _guess(lines: Sequence[str], start: int, separator: str, named: set[str]) -> _Guess:
    rows = list(_sample(lines, separator, start))
    header = rows.pop(0)[1] if rows else []
    header[:1] = [name.lstrip("\ufeff") for name in header[:1]]  # the mark of UTF-8 below a blank line
    lower = 0
    if not named <= _names(header):
        filled = sum(map(bool, map(str.strip, header)))
        lower = next((line for line, row in rows if named <= _names(row) and len(set(row)) > filled), 0)
        commented = _commented_header(lines[:start], separator, named)
        below = list(_sample(lines, separator, commented[0] + 1)) if commented else []
        if commented and 2 * sum(len(row) == len(commented[1]) for _, row in below) > len(below):
            (start, header), rows = commented, below
    widths = {len(row) for _, row in rows if not row[0].startswith("#")}
    width = widths.pop() if len(widths) == 1 else 0
    fits = width in (len(header), len(header) + 1, _named_width(header))
    rows = [(line, row) for line, row in rows if len(row) == width]
    found = len(named & _names(header))
    return _Guess(separator, start, header, rows, found, width if fits else len(header), fits, lower)


def _commented_header(lines: Sequence[str], separator: str, named: set[str]) -> tuple[int, list[str]] | None:
    """The last comment that holds the named columns: how many lines stand above it, and its cells."""
    for place, line in reversed(list(enumerate(lines))):
        if not line.startswith("#"):
            continue
        bare = line.lstrip("# \t")
        for text in (bare, line) if separator == " " else (line, bare):
            cells = next(_sample([text], separator, 0), (0, []))[1]
            if named <= _names(cells):
                return place, cells
    return None


def _names(row: Sequence[str]) -> set[str]:
    return {cell.strip() for cell in row}


def _named_width(header: Sequence[str]) -> int:
    """How many cells a header has up to the last that is a name."""
    return max((place for place, name in enumerate(header, 1) if name.strip()), default=0)


def _check_lower(lower: Sequence[int]) -> None:
    """That the header is no line below. lower: the line in each reading of which it is."""
    if lower:
        raise ValueError(
            f"the names of the columns stand on line {lower[0]}, and the lines above it are no rows of the"
            " table; remove them, or begin them with '#'."
        )


def _check_names_of_rows(guess: _Guess, lines: Sequence[str]) -> None:
    """That the cell a header lacks is a name of its row, and not half of a cell that was cut in two."""
    rows = [[cell.strip() for cell in row] for _, row in guess.rows]
    distinct = len({row[0] for row in rows}) == len(rows)
    mark = guess.separator[0]
    points = any(re.fullmatch(r"[+-]?\d*\.\d+", cell) for row in rows for cell in row)
    quoted = lines[guess.rows[0][0] - 1].startswith('"')
    numbered = quoted and all(row[0].isdigit() for row in rows)  # as R writes them, and no numbers
    whole = points or numbered if mark == "," else quoted  # then no cell was cut
    halves = CUT.get(mark)
    cut = halves and any(
        all(halves.fullmatch(f"{row[place]}{mark}{row[place + 1]}") for row in rows)
        for place in range(guess.width - 1)
    )
    if not distinct or (cut and not whole):
        raise ValueError(
            "every line has one cell more than the header; if the first of them names the row, give that"
            f" column a name in the header; if {called(mark)} stand within cells too (as decimal marks, or in"
            " texts), put these cells into quotes or save the table with another separator."
        )


def check_header(names: Sequence[str]) -> None:
    """That the names are no numbers, which stand in a file without a header."""
    if sum(NUMBER.fullmatch(name) is not None for name in names) * 2 >= len(names):
        raise ValueError(
            f"the first line holds numbers ({listed(names)}), so the header is missing; put the names of the "
            "columns there."
        )


def check_names(names: Sequence[str]) -> None:
    """That every column has a name of its own."""
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


def check_size(rows: int, columns: int) -> None:
    """That a table is not too large to be read."""
    if rows * columns > MOST_CELLS:
        raise ValueError(
            f"it has about {rows} rows of {columns} cells, and at most {MOST_CELLS} cells are read; leave out"
            " columns or rows that are not needed."
        )


def check_lengths(ragged: Sequence[tuple[int, int]], columns: int, separator: str) -> None:
    """That all rows have as many cells. ragged: (line, cells) of each row that has not."""
    if ragged:
        line, length = ragged[0]
        more = f", and so have {len(ragged) - 1} more lines another number" if len(ragged) > 1 else ""
        if all(length < columns for _, length in ragged):
            raise ValueError(
                f"line {line} has {length} cells where the header has {columns}{more}; complete the row, or"
                " remove it where it is none of the table, as a line of a title or a source."
            )
        longer = separator[0] == "," and all(length > columns for _, length in ragged)
        decimals = " (so must a number with a decimal comma)" if longer else ""
        raise ValueError(
            f"line {line} has {length} cells where the header has {columns}{more}; a cell that holds the"
            f" separator, {called(separator)}, must stand in quotes{decimals}."
        )
