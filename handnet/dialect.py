"""How a text file writes a table: its encoding, its separator and its quotes, from bytes to rows of cells.

A dialect that is to be read as well (decimal commas, comment lines, another encoding) belongs here; what a
cell means is decided in handnet/sheets.py. Python's csv module splits the rows, because it is strict about
quotes and knows the line a row begins on."""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip, as a workbook is",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


class Dialect(NamedTuple):
    """How a text file writes a table; an empty text is found out."""

    separator: str = ""
    decimal: str = ""
    encoding: str = ""


def utf8(content: bytes) -> bytes:
    """The content of a text file without its byte order marks. Raises ValueError when it is no UTF-8 text,
    with the line and what to do."""
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
    wrong = None if content.isascii() else undecodable(content)
    if wrong is not None:
        raise ValueError(
            f"line {_line(content, wrong)} is not UTF-8 (byte 0x{content[wrong]:02x}; it may be Latin-1 or "
            "Windows-1252); save it as CSV UTF-8."
        )
    return content


def read_rows(content: bytes, separator: str = "") -> Iterator[tuple[int, list[str]]]:
    """Every row of a UTF-8 text that is not blank: the line it begins on, from 1, and its cells. An empty
    separator is found out. Raises ValueError for a separator that is not read and for a quote that is not
    closed."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    reader = csv.reader(text, delimiter=separator or _separator(content), strict=True)
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
    """Tab or comma, whichever parts the header."""
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    header = next((line for line in lines if line.strip()), "").lstrip()
    counts = {mark: header.count(mark) for mark in ",\t;|"}
    if counts["\t"] and counts["\t"] >= counts[","]:
        return "\t"
    if counts[","] or not any(counts.values()):
        return ","
    most = max(counts, key=lambda mark: counts[mark])
    raise ValueError(
        f"its columns are separated by {most!r}; save it with commas or tabs between the columns and points"
        " in the numbers."
    )


def _is_utf16(content: bytes) -> bool:
    halves = content[0:200:2], content[1:200:2]
    return content[:2] in (b"\xff\xfe", b"\xfe\xff") or any(half and not half.strip(b"\0") for half in halves)


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


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1
