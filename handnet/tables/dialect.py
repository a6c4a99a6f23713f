"""How a text file writes a table: its encoding, its separator and its quotes, from bytes to rows of cells.

A way of writing that is to be read as well belongs here; header.py finds out which row is the header,
and numerals.py which cells are numbers. Python's csv module splits the rows, because it is strict
about quotes and knows the line a row begins on."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from handnet.messages import option
from handnet.tables.quotes import Blanks, quote_fault, quoted_row

PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip, as a workbook is",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
BINARY = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"ARROW1": "a Feather file",
    b"\x89HDF": "an HDF5 file",
    b"$FL2": "an SPSS file",
    b"<stata_dta>": "a Stata file",
}
MARKUP = {b"[{": "JSON", b'{"': "JSON", b"<?xml": "XML", b"<html": "HTML", b"<!doc": "HTML", b"<tabl": "HTML"}
# The mark of UTF-32 begins with that of UTF-16, so it is looked for first.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SEPARATORS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|", "blank": " "}
DECIMALS = {"point": ".", "comma": ","}


class Dialect(NamedTuple):
    """How a text file writes a table; an empty text is found out.

    separator: the character between two cells, or its word in SEPARATORS; a blank stands for any run of
        blanks and tabs.
    decimal: "." or ",", or its word in DECIMALS.
    encoding: a name that Python knows an encoding by.
    """

    separator: str = ""
    decimal: str = ""
    encoding: str = ""

    def checked(self) -> "Dialect":
        """The same with characters for words. Raises ValueError for what cannot be a mark."""
        separator = SEPARATORS.get(self.separator.lower(), self.separator)
        separator = {"\\t": "\t", "space": " ", "bar": "|"}.get(separator, separator)
        if separator and (len(separator) > 1 or separator in "\"\r\n'" or separator.isalnum()):
            raise ValueError(
                f"the separator must be one character, or {_either(SEPARATORS)}, but got {separator!r}."
            )
        decimal = DECIMALS.get(self.decimal.lower(), self.decimal)
        if decimal and decimal not in DECIMALS.values():
            raise ValueError(f"the decimal mark must be {_either(DECIMALS)}, but got {decimal!r}.")
        return Dialect(separator, decimal, self.encoding)


def called(separator: str) -> str:
    """What a sentence calls a separator, as in "the columns are separated by ..."."""
    return {" ": "blanks", "\t": "tabs", ",": "commas"}.get(separator, repr(separator[:1]))


def decoded(content: bytes, encoding: str = "") -> tuple[bytes, list[str]]:
    """The content of a text file in UTF-8 without its byte order marks, and what is to be told of it.

    encoding: the one it is in, where that is known.
    Raises ValueError when it is no text in that encoding, with the line and what to do.
    """
    if content.startswith(b"PAR1"):
        raise ValueError("it is a Parquet file; give its name the ending .parquet.")
    packed = [kind for mark, kind in PACKED.items() if content.startswith(mark)]
    if packed:
        raise ValueError(
            f"it is packed ({packed[0]}) and no text; unpack it, or save the table as CSV UTF-8."
        )
    binary = [kind for mark, kind in BINARY.items() if content.startswith(mark)]
    if binary:
        raise ValueError(f"it is {binary[0]} and no text; save the table as CSV UTF-8.")
    begins = content.lstrip()[:5].lower()
    markup = [kind for mark, kind in MARKUP.items() if begins.startswith(mark)]
    if markup:
        raise ValueError(f"it looks like {markup[0]}, which is not read; save the table as CSV UTF-8.")
    marked = next((name for mark, name in MARKS.items() if content.startswith(mark)), "")
    notes = []
    if encoding:
        content = _converted(content, encoding, marked)
    elif marked not in ("", "utf-8"):
        content = _converted(content, marked, marked)
        notes.append(f"The file is in {marked.upper()} and is read so.")
    else:
        _check_utf8(content)
    while content.startswith(codecs.BOM_UTF8):
        content = content[3:]
    if content.endswith(b"\x1a"):
        content = content.rstrip(b"\x1a")
        notes.append("The file ends with the end mark of DOS (byte 0x1A), which is left out.")
    _check_no_nul(content)
    return content, notes


def _check_no_nul(content: bytes) -> None:
    nul = content.find(b"\0")
    if nul >= 0:
        raise ValueError(
            f"line {_line(content, nul)} holds a NUL byte, which no text does; export the table again."
        )


def _converted(content: bytes, encoding: str, marked: str) -> bytes:
    """The content, which is in that encoding, in UTF-8."""
    try:
        known = codecs.lookup(encoding if encoding.isprintable() else "none").name
        if marked and not known.startswith(marked):
            raise ValueError(
                f"it begins with the mark of {marked.upper()} and is not in {encoding!r}; leave"
                f" {option('encoding')} out."
            )
        return content.decode(encoding).encode()
    except LookupError:
        raise ValueError(
            f"there is no encoding {encoding!r}; give one that Python knows, as"
            f" {option('encoding', 'latin-1')} or {option('encoding', 'windows-1252')}."
        ) from None
    except UnicodeError as fault:
        at = getattr(fault, "start", 0)
        raise ValueError(
            f"line {_line(content, at)} is not in {encoding!r} ({getattr(fault, 'reason', fault)}); give"
            f" another encoding, or save the table as CSV UTF-8."
        ) from None


def _check_utf8(content: bytes) -> None:
    even, odd = content[0:400:2], content[1:400:2]
    for half, other, name in [(even, odd, "utf-16-be"), (odd, even, "utf-16-le")]:
        # Digits, separators and line ends have a NUL there in a text of any script.
        if half.count(b"\0") * 20 > len(half) and b"\0" not in other:
            raise ValueError(
                f"it is not UTF-8 (it looks like UTF-16 without its mark); {option('encoding', name)} reads"
                " it, or save it as CSV UTF-8."
            )
    wrong = None if content.isascii() else undecodable(content)
    if wrong is None:
        return
    _check_no_nul(content)  # an encoding would not help
    where = f"line {_line(content, wrong)} is not UTF-8 (byte 0x{content[wrong]:02x}"
    if not content[:wrong].isascii():
        raise ValueError(
            f"{where}), and what stands before it is; correct that line, or export the table again as CSV"
            " UTF-8."
        )
    name = "windows-1252" if re.search(rb"[\x80-\x9f]", content) else "latin-1"
    before, after = content[max(0, wrong - 20) : wrong], content[wrong : wrong + 20]
    word = re.split(rb"[\s,;|\"]", before)[-1] + re.split(rb"[\s,;|\"]", after)[0]
    raise ValueError(
        f"{where}; it looks like {name.title()}, in which it is part of {word.decode(name, 'replace')!r});"
        f" {option('encoding', name)} reads it, or save it as CSV UTF-8."
    )


def undecodable(content: bytes, at_once: int = 2**20) -> int | None:
    """The position of the first byte that is not UTF-8; None when all are. It decodes `at_once` bytes at a
    time, because text may need four times the memory of its bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), at_once):
        held = len(decoder.getstate()[0])  # bytes of a character that the last block cut in two
        try:
            decoder.decode(content[start : start + at_once], final=start + at_once >= len(content))
        except UnicodeDecodeError as fault:
            return start - held + fault.start
    return None


def count_lines(content: bytes, end: int | None = None) -> int:
    """How many line ends there are before a position: of Unix, of Windows, or of an old Macintosh."""
    unix, mac = content.count(b"\n", 0, end), content.count(b"\r", 0, end)
    return unix + mac - (content.count(b"\r\n", 0, end) if mac else 0)


def _line(content: bytes, position: int) -> int:
    return count_lines(content, position) + 1


def text_lines(content: bytes) -> Iterator[str]:
    """The lines of a UTF-8 text, each with its end."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")


def read_rows(lines: Iterable[str], separator: str, skipped: int = 0) -> Iterator[tuple[int, int, list[str]]]:
    """Every row that is not blank: the lines it begins and ends on, from 1, and its cells.

    separator: a mark, with a blank behind it where blanks before a cell are no part of it, so that a quote
        may follow them.
    skipped: how many lines stand above the first row.
    Raises ValueError for a quote that is not closed.
    """
    held = _Held(islice(lines, skipped, None))
    reader, before, begins = _reader(held, separator), skipped, skipped + 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            first, *rest = held.row
            quotes = separator != " " and "limit" not in str(fault)
            cells = quoted_row(first, separator) if quotes else None
            if cells is None:
                raise ValueError(
                    f"the row that begins on line {begins} cannot be read ({fault});"
                    f" {quote_fault(''.join(held.row), separator)}."
                ) from None
            row, held = cells, _Held(chain(rest, held.lines))
            reader, before = _reader(held, separator), begins
        ends = before + reader.line_num
        held.row.clear()
        if len(row) > 1 or (row and row[0].strip()):
            yield begins, ends, row
        begins = ends + 1


class _Held:
    """Lines, of which those since the last row are held."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = iter(lines)
        self.row: list[str] = []

    def __iter__(self) -> "_Held":
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.row.append(line)
        return line


def _reader(lines: Iterable[str], separator: str) -> Any:
    """An iterator over the rows in these lines, which knows how many it has read."""
    mark, skip = separator[:1], separator[1:] == " "
    return (
        Blanks(lines)
        if mark == " "
        else csv.reader(lines, delimiter=mark, skipinitialspace=skip, strict=True)
    )


def _either(words: dict[str, str]) -> str:
    return ", ".join(f"{word} ({mark!r})" for word, mark in words.items())
