"""Rows that Python's csv module does not split: cells between runs of blanks, and other ways to quote."""

import csv
import re
from collections.abc import Iterable

# Within a cell a quote is doubled, or stands behind a backslash; blanks may follow the last quote.
DOUBLED = r'"((?:[^"]|"")*)"[ \t]*'
ESCAPED = r'"((?:[^"\\]|\\["\\]|\\(?!["\\]))*)"[ \t]*'


class Blanks:
    """As csv.reader, where any run of blanks and tabs separates two cells; a cell ends with its line."""

    CELL = re.compile(r'"((?:[^"]|"")*)"(?:[ \t]+|$)|([^ \t"][^ \t]*)(?:[ \t]+|$)')

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = iter(lines)
        self.line_num = 0

    def __next__(self) -> list[str]:
        line = next(self.lines).strip(" \t\r\n")
        self.line_num += 1
        if '"' not in line:
            return [cell for cell in line.replace("\t", " ").split(" ") if cell]
        cells, place = [], 0
        while place < len(line):
            cell = self.CELL.match(line, place)
            if not cell:
                raise csv.Error("a blank or the end of the line is expected after a quote")
            cells.append(cell[2] if cell[1] is None else cell[1].replace('""', '"'))
            place = cell.end()
        return cells


def quoted_row(line: str, separator: str) -> list[str] | None:
    """The cells of a line that csv.reader cannot split, where blanks stand behind quotes, or backslashes
    before quotes within a cell; None where neither reading fits, and where both do.

    separator: as in `dialect.read_rows`.
    """
    doubled = _cells(line, separator, DOUBLED)
    escaped = _cells(line, separator, ESCAPED) if '\\"' in line else None
    if doubled is None:
        return escaped and [re.sub(r'\\(["\\])', r"\1", cell) for cell in escaped]
    return [cell.replace('""', '"') for cell in doubled] if escaped is None else None


def _cells(line: str, separator: str, quoted: str) -> list[str] | None:
    """The cells of a line, without the quotes around them; None where it is not written so."""
    mark, before = re.escape(separator[:1]), " *" if separator[1:] else ""
    pattern = re.compile(rf'{before}{quoted}(?:{mark}|$)|([^{mark}"]*)(?:{mark}|$)')
    line, cells, place = line.rstrip("\r\n"), [], 0
    while match := pattern.match(line, place):
        cells.append(match[1] if match[1] is not None else match[2])
        place = match.end()
        if place == len(line):
            return [*cells, ""] if line.endswith(separator[:1]) else cells
    return None


def quote_fault(line: str, separator: str) -> str:
    """What may be wrong with the quotes of a row that begins with this line."""
    if '\\"' in line:
        return r'a quote within a cell is doubled (""), and not written as \" with a backslash'
    if re.search(rf'"[ \t]+(?:{re.escape(separator[:1])}|$)', line):
        return "no blank stands behind a closing quote"
    return "look for a quote that is not closed"
