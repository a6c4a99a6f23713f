"""Text files in every dialect: written and read back, and damaged ones against pandas."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handnet import read_table
from handnet.tables.dialect import decoded, read_rows
from handnet.tables.header import Layout, find_layout
from handnet.tables.numerals import GAPS
from handnet.tables.sheets import Dialect, Sheet, read_sheet

LETTERS = "abxyzé ü'\".,-12#;|"


class Written(NamedTuple):
    """A table of text and numbers, and how it is written to a file."""

    names: list[str]
    rows: list[list[Any]]  # a label, numbers, and a text
    separator: str
    decimal: str
    encoding: str
    end: str
    quoting: int
    head: str  # plain, sep, R (row names, no name for them), R.csv (an empty name), pandas, trailing
    comments: list[str]

    def content(self) -> bytes:
        out = io.StringIO()
        write = csv.writer(
            out, delimiter=self.separator, lineterminator=self.end, quoting=csv.QUOTE_MINIMAL
        ).writerow
        if self.quoting == csv.QUOTE_ALL:
            write = csv.writer(
                out, delimiter=self.separator, lineterminator=self.end, quoting=csv.QUOTE_ALL
            ).writerow
        first = {"R.csv": [""], "pandas": ["Unnamed: 0"]}.get(self.head, [])
        named, last = self.head in ("R", "R.csv", "pandas"), [""] * (self.head == "trailing")
        if self.head == "sep":
            out.write(f"sep={self.separator}{self.end}")
        out.writelines(f"# {comment}{self.end}" for comment in self.comments)
        write([*first, *self.names, *last])
        for number, row in enumerate(self.rows, 1):
            cells = [self.spelt(cell) for cell in row]
            write([*([f"r{number}"] if named else []), *cells, *last])
        return out.getvalue().encode(self.encoding)

    def spelt(self, cell: Any) -> str:
        return cell if isinstance(cell, str) else repr(cell).replace(".", self.decimal)


quarters = st.integers(-(10**6), 10**6).map(lambda number: number + 0.25)  # 1,25 can be no thousands
numbers = st.one_of(quarters, st.floats(-1e30, 1e30))
texts = st.text(LETTERS, min_size=1, max_size=8).map(lambda text: f"t{text}".strip())


@st.composite
def written(draw: st.DrawFn) -> Written:
    separator = draw(st.sampled_from(",\t;| "))
    count = draw(st.integers(2, 30))
    width = draw(st.integers(1, 4))
    names = draw(st.lists(texts, min_size=width + 2, max_size=width + 2, unique=True))
    rows = [
        [
            "BM"[draw(st.integers(0, 1))],
            draw(quarters),
            *(draw(numbers) for _ in range(1, width)),
            draw(texts),
        ]
        for _ in range(count)
    ]
    head = draw(st.sampled_from(["plain", "sep", "R", "R.csv", "pandas", "trailing"]))
    if separator == " " and head in ("sep", "trailing"):
        head = "plain"
    return Written(
        ["y", *names[1:]],
        rows,
        separator,
        draw(st.sampled_from(".," if separator != "," else ".")),
        draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])),
        draw(st.sampled_from(["\n", "\r\n", "\r"])),
        draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        head,
        draw(st.lists(texts, max_size=2)),
    )


def read(content: bytes, folder: Path, as_text: set[str] | None = None, **dialect: str) -> Sheet:
    (path := folder / "x.csv").write_bytes(content)
    return read_sheet(path, {"y"} if as_text is None else as_text, {"y"}, Dialect(**dialect))


@given(table=written())
def test_a_table_is_read_back_from_every_dialect(tmp_path: Path, table: Written) -> None:
    sheet = read(table.content(), tmp_path)
    assert list(sheet.columns) == table.names
    columns = list(zip(*table.rows, strict=True))
    for name, cells in list(zip(table.names, columns, strict=True))[1:-1]:
        assert [block.tolist() for block in sheet.columns[name]] == [list(cells)]
    assert sheet.text("y") == list(columns[0])
    assert sheet.text(table.names[-1]) == list(columns[-1])
    named = [f"r{number}" for number in range(1, len(table.rows) + 1)]
    assert sheet.row_names == (named if table.head in ("R", "R.csv", "pandas") else None)
    told = " ".join(sheet.notes)
    assert ("separated by" in told) == (table.separator in ";| " and table.head != "sep")
    assert ("decimal commas" in told) == (table.decimal == ",")
    assert ("'#'" in told) == bool(table.comments)
    assert ("UTF-16" in told) == (table.encoding == "utf-16")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The bytes of a written table after one to three accidents."""
    content = bytearray(draw(written()).content())
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        lines = bytes(content).splitlines(keepends=True) or [b""]
        line = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from("cut flip insert drop repeat ends blank".split())):
            case "cut":
                del content[place:]
            case "flip":
                content[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "insert":
                content[place:place] = draw(
                    st.sampled_from([b'"', b",", b";", b"\n", b"\r", b"#", b"\0", b" "])
                )
            case "drop":
                content = bytearray(b"".join(lines[:line] + lines[line + 1 :]))
            case "repeat":  # a line, the header among them, stands a second time further below
                content += lines[line]
            case "ends":
                content = bytearray(
                    b"".join([*lines[:line], *(one.strip() + b"\r\n" for one in lines[line:])])
                )
            case "blank":
                content = bytearray(b"".join([*lines[:line], b" \n", *lines[line:]]))
    return bytes(content)


def as_pandas_reads(content: bytes, layout: Layout, named: bool) -> dict[str, list[str]]:
    """The columns of a file as pandas reads them, told only what separates the cells and where the header is;
    that of the names of its rows as the last. named: whether it names its rows."""
    text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    lines = io.StringIO(text, newline="").readlines()[layout.skipped :]
    mark = r"[ \t]+" if layout.separator == " " else re.escape(layout.separator)
    lines[1:] = [
        line  # pandas knows no comments by their width
        for line in lines[1:]
        if not line.startswith("#") or len(re.split(mark, line.strip(" \r\n"))) == layout.width
    ]
    frame = pd.read_csv(
        io.StringIO("".join(lines), newline=""),
        sep=r"\s+" if layout.separator == " " else layout.separator,
        header=None,
        names=range(max(layout.width, len(layout.header))),
        index_col=False,
        dtype=str,
        keep_default_na=False,
    )
    frame = frame.map(str.strip)
    frame = frame[(frame != "").any(axis=1)]
    header, rows = frame.iloc[0], frame[1:]
    shift = int(named and header[0] not in ("", "Unnamed: 0"))  # R leaves the name of that column out
    columns = {name: rows[place + shift].tolist() for place, name in header[header != ""].items()}
    if named:
        columns.pop("Unnamed: 0", None)
        columns["names of rows"] = rows[0].tolist()
    return columns


@given(content=damaged())
def test_a_damaged_file_is_refused_or_read_as_pandas_reads_it(tmp_path: Path, content: bytes) -> None:
    try:
        sheet = read(content, tmp_path)
    except ValueError:
        return
    assume("y" in sheet.columns)  # otherwise handnet/tables/dataset.py refuses it
    layout, names = find_layout(decoded(content)[0], {"y"}), list(sheet.columns)
    texts = read(content, tmp_path, as_text=set(names))
    named = {"names of rows": sheet.row_names} if sheet.row_names is not None else {}
    expected = as_pandas_reads(content, layout, bool(named))
    assert {name: texts.text(name) for name in names} | named == expected
    comma = sheet.decimal == ","
    for name, (block,) in sheet.columns.items():
        if isinstance(block, list):
            continue
        cells = [cell.replace(",", ".") if comma else cell for cell in expected[name]]
        numbers = [np.nan if cell.lower() in GAPS else float(cell) for cell in cells]
        assert np.array_equal(block, numbers, equal_nan=True)


class Same(NamedTuple):
    """A file that is read as the same table, in lines that end with /; what must be told of it; options."""

    what: str
    text: str
    says: str = ""
    options: Mapping[str, str] = MappingProxyType({})
    encoding: str = "utf-8"


SAME = [
    Same("semicolons with points", "w;k;y/67.9;3;B/75.9;5;M/1234.5;8;B/", "by ';'"),
    Same("semicolons with decimal commas", "w;k;y/67,9;3;B/75,9;5;M/1234,5;8;B/", "decimal commas"),
    Same("tabs with decimal commas", "w\tk\ty/67,9\t3\tB/75,9\t5\tM/1234,5\t8\tB/", "decimal commas"),
    Same(
        "decimal commas in quotes, if one says so",
        'w,k,y/"67,9",3,B/"75,9",5,M/"1234,5",8,B/',
        options={"decimal": "comma"},
    ),
    Same("a mark one names", "w^k^y/67.9^3^B/75.9^5^M/1234.5^8^B/", options={"separator": "^"}),
    Same("a mark by its word", "w|k|y/67.9|3|B/75.9|5|M/1234.5|8|B/", options={"separator": "Pipe"}),
    Same("blanks that line up", "  w  k y/    67.9 3   B/75.9  5   M / 1234.5\t8 B/", "by blanks"),
    Same("sep=;", "sep=;/w;k;y/67.9;3;B/75.9;5;M/1234.5;8;B/", "names the separator (';')"),
    Same("sep= with a tab", "sep=\t/w\tk\ty/67.9\t3\tB/75.9\t5\tM/1234.5\t8\tB/", "names the separator"),
    Same("comments around", "# of 3/#, 99/w,k,y/67.9,3,B/75.9,5,M/1234.5,8,B/# end/", "comment, because"),
    Same("a comment within", "w,k,y/67.9,3,B/# later/75.9,5,M/1234.5,8,B/", "Line 3 is a comment"),
    Same("a header that is a comment", "# w k y/67.9 3 B/75.9 5 M/1234.5 8 B/", "by blanks"),
    Same("a comment like a header", "# t;y/w k; y/67.9 3 B/75.9 5 M/1234.5 8 B/", "by blanks"),
    Same("R's write.table", '"w" "k" "y"/"1" 67.9 3 "B"/"2" 75.9 5 "M"/"7" 1234.5 8 "B"/', "one cell more"),
    Same("R's write.table unquoted", "w,k,y/a1,67.9,3,B/b,75.9,5,M/7,1234.5,8,B/", "one cell more"),
    Same("R's whole numbers", '"w","k","y"/"1",67,3,"B"/"2",75,5,"M"/"4",1234,8,"B"/', "one cell more"),
    Same("R's print", "   w k y/1 67.9 3 B/2 75.9 5 M/7 1234.5 8 B/", "one cell more"),
    Same("R's write.csv2", '"";"w";"k";"y"/"1";67,9;3;"B"/"2";75,9;5;"M"/"7";1234,5;8;"B"/', "has no name"),
    Same("pandas's index", "Unnamed: 0,w,k,y/0,67.9,3,B/1,75.9,5,M/5,1234.5,8,B/", "has no name"),
    Same("a comma at every end", "w,k,y,/67.9,3,B,/75.9,5,M,/1234.5,8,B,/", "A separator ends every line"),
    Same("many commas at every end", "w,k,y,,,/67.9,3,B,,,/75.9,5,M,, ,/1234.5,8,B,,,/", "every line"),
    Same("a comma at the end of the header", "w,k,y,/67.9,3,B/75.9,5,M/1234.5,8,B/", "header ends"),
    Same("a comma at the end of the rows", "w,k,y/67.9,3,B,/75.9,5,M,/1234.5,8,B,/", "every line"),
    Same("an empty column", "w,,k,y/67.9,,3,B/75.9,,5,M/1234.5, ,8,B/", "are left out: 2"),
    Same("rows of separators", "w,k,y/67.9,3,B/75.9,5,M/1234.5,8,B/,,/ ,,/", "2 lines are each no row"),
    Same("Latin-1", "wü,k,y/67.9,3,B/75.9,5,M/1234.5,8,B/", "", {"encoding": "latin-1"}, "latin-1"),
    Same("Windows-1252", "€,k,y/67.9,3,B/75.9,5,M/1234.5,8,B/", "", {"encoding": "cp1252"}, "cp1252"),
    Same("UTF-16 with its mark", "w,k,y/67.9,3,B/75.9,5,M/1234.5,8,B/", "in UTF-16", {}, "utf-16"),
    Same("UTF-16", "w,k,y/67.9,3,B/75.9,5,M/1234.5,8,B/", "", {"encoding": "utf-16-be"}, "utf-16-be"),
    Same("blanks that do not break", "w,k,y/67.9\u00a0,3,B/\u00a075.9,5,M/1234.5,8,B\u00a0/"),
    Same("names that are numbers", "2019,2020,y/67.9,3,B/75.9,5,M/1234.5,8,B/"),
    Same("a name of two lines", '"w\n(kg)",k,y/67.9,3,B/75.9,5,M/1234.5,8,B/'),
    Same("a title in tabs, and commas in names", "w, kg\tk, l, m\ty/67.9\t3\tB/75.9\t5\tM/1234.5\t8\tB/"),
    Same("blanks before quotes", '"w, kg", "k", "y"/67.9, 3, "B"/75.9, 5, "M"/1234.5, 8, "B"/'),
    Same("separators in quotes", '"w;a","k;b",y/67.9,3,B/75.9,5,M/1234.5,8,B/'),
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("same", SAME, ids=[same.what for same in SAME])
def test_what_programs_write_is_read_and_told(same: Same, end: str, tmp_path: Path) -> None:
    sheet = read(same.text.replace("/", end).encode(same.encoding), tmp_path, **same.options)
    measured = [blocks for name, blocks in sheet.columns.items() if name != "y"]
    whole = same.what == "R's whole numbers"  # in which no point says that commas mark no decimals
    first = [67, 75, 1234] if whole else [67.9, 75.9, 1234.5]
    assert [block.tolist() for (block,) in measured] == [first, [3, 5, 8]]
    assert sheet.text("y") == ["B", "M", "B"]
    told = " ".join(sheet.notes)
    assert same.says in told
    assert same.says or not told


def test_other_minus_signs_are_read_before_numbers_alone(tmp_path: Path) -> None:
    marks = "\u2212\u2013\u2011\uff0d"
    rows = "".join(f"{mark}1.5,5{mark}9,M\n" for mark in marks)
    sheet = read(f"a,b,y\n{rows}\u22122e\u22123,5-9,B\n".encode(), tmp_path)
    assert sheet.columns["a"][0].tolist() == [-1.5] * 4 + [-0.002]
    assert sheet.columns["b"] == [[*(f"5{mark}9" for mark in marks), "5-9"]]
    assert sheet.notes == ["Other minus signs than '-' stand before numbers and are read as '-': 5 in 'a'."]
    assert "may be" not in str(sheet.gaps)


# What is refused, what the sentence must say, and the options it is read with.
REFUSED = [
    ("x;y/1,234;B/2,345;M/", "line 2, column 'x': '1,234' may be 1.234 with a decimal comma or 1234", {}),
    ("x;z;y/1,5;2.5;B/2,5;3;M/", "'1,5' has a comma and line 2, column 'z': '2.5' a point; decimal=", {}),
    ("x;y/1.234,5;B/2,5;M/", "'1.234,5' has points between thousands and a decimal comma", {}),
    ("x;y/1.234,5;B/2,5;M/", "'1.234,5' has points between thousands", {"decimal": ","}),
    ("x;z;y/1,5;2.5;B/2,5;3;M/", "line 2, column 'z': '2.5' has a point, and the numbers", {"decimal": ","}),
    ("x,z,y/1,5,2,B/1,7,3,M/", "every line has one cell more than the header", {}),
    ("x,z,y/1,5,2,B/2,7,3,M/5,1,1,M/", "if commas stand within cells too (as decimal", {}),
    ("patient,weight,y/P1,67,9,M/P2,75,9,B/", "every line has one cell more than the header", {}),
    ("nr,weight,y/1,67,9,M/2,75,9,B/", "every line has one cell more than the header", {}),
    ('"id","weight","y"/"a",67,9,"M"/"b",75,9,"B"/', "every line has one cell more than", {}),
    ("name age y/Ann Lee 35 M/Jo Fox 40 B/", "if blanks stand within cells too", {}),
    ("id cost y/1 12 000 M/2 13 000 B/", "if blanks stand within cells too", {}),
    ("x,y/1,B,9/2,M/", "line 2 has 3 cells where the header has 2", {}),
    ("x y/1 B 9/2 M/", "line 2 has 3 cells where the header has 2", {}),
    ("a table,/x,y/1,B/2,M/", "the names of the columns stand on line 2", {}),
    ("a table/x,y/1,B/2,M/", "the names of the columns stand on line 2", {}),
    ("x,y/1,B/x,y/2,M/", "line 3 repeats the header", {}),
    ("x,,y/1,,B/2,7,M/", "column 2 has no name, and line 3 holds '7'", {}),
    ("x,y/1,B/", "the separator must be one character, or comma (',')", {"separator": ", "}),
    ("x,y/1,B/", "the separator must be", {"separator": "a"}),
    ("x,y/1,B/", "the decimal mark must be point ('.'), comma (',')", {"decimal": ";"}),
    ("x,y/1,B/", "there is no encoding 'latin-one'", {"encoding": "latin-one"}),
    ("x,y/1,B/", "there is no encoding 'base64'", {"encoding": "base64"}),
    ("x,y/1,ß/", "line 2 is not in 'ascii'", {"encoding": "ascii"}),
    ("\ufeffx,y/1,B/", "begins with the mark of UTF-8 and is not in 'latin-1'", {"encoding": "latin-1"}),
]


@pytest.mark.parametrize(("text", "says", "options"), REFUSED)
def test_what_may_be_read_in_two_ways_is_refused(
    text: str, says: str, options: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        read(text.replace("/", "\n").encode(), tmp_path, **options)


def test_a_decimal_comma_far_below_is_found_and_a_point_refused(tmp_path: Path) -> None:
    rows = [f"{n};7;{'BM'[n % 2]}" for n in range(10_000)]
    rows[9_000] = "9000;1,25;B"
    sheet = read("\n".join(["n;x;y", *rows]).encode(), tmp_path)
    assert np.concatenate(sheet.columns["x"])[[0, 9_000, -1]].tolist() == [7, 1.25, 7]
    rows[10] = "10;7,5;B"
    rows[9_999] = "9999;7.5;B"
    with pytest.raises(ValueError, match=r"line 10001, column 'x': '7\.5' has a point"):
        read("\n".join(["n;x;y", *rows]).encode(), tmp_path)
    rows[10], rows[9_000] = "10;7;B", "9000;1,3;B"
    rows[9_999] = "9999;1,3,5;B"  # a list of things, as 1,3 is then
    sheet = read("\n".join(["n;x;y", *rows]).encode(), tmp_path)
    assert "1,3" in sheet.columns["x"][-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"x": 1, "y": "M"}]', "it looks like JSON"),
        ("<table><tr><td>x</td></tr></table>", "it looks like HTML"),
        ("x,y\n1,M\n2,B\nSource: a book\n", "line 4 has 1 cells where the header has 2; complete the row"),
        ("x,y\n1,M\n2,B,3\n", "line 3 has 3 cells where the header has 2; a cell that holds the separator"),
    ],
)
def test_what_is_no_table_is_called_what_it_is(content: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        read(content.encode(), tmp_path)


@pytest.mark.parametrize("mark", "^~:")
def test_an_odd_separator_is_named_and_reads_the_file(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("".join(f"{a}{mark}{b}\n" for a, b in [("x", "y"), ("1", "M"), ("5", "B"), ("2", "B")]))
    with pytest.raises(ValueError, match=re.escape(f'separator="{mark}" divides it')):
        read_table(path, "y", "M")
    assert read_table(path, "y", "M", separator=mark).X.tolist() == [[1], [5], [2]]
    with pytest.raises(ValueError, match="its columns are"):
        read_table(path, "z", "M")


def test_a_column_that_is_not_there_is_told_with_twelve_that_are(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for count, more in ((12, r"'c11'\."), (13, r"'c11' and 1 more\.")):
        path.write_text("\n".join([",".join(f"c{n}" for n in range(count)), ",".join("1" * count)]))
        with pytest.raises(ValueError, match=rf"its columns are 'c0', .*{more}"):
            read_table(path, "weight")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ('"r1" ,"a b"\t,1,"2"  ', ["r1", "a b", "1", "2"]),
        (r'"r1","say \"hi\"",1,2', ["r1", 'say "hi"', "1", "2"]),
        (r'"r1","ends \"",1,2', ["r1", 'ends "', "1", "2"]),
        (r'"r1","C:\dir\" ,1,', ["r1", "C:\\dir\\", "1", ""]),
        (r'"r1","a \\ \"b\"" ,1,2', ["r1", 'a \\ "b"', "1", "2"]),
        ('"r1" ,"a ""b"", c",1,2', ["r1", 'a "b", c', "1", "2"]),
    ],
)
def test_quotes_are_read_where_one_reading_fits(mark: str, row: str, cells: list[str]) -> None:
    if "\t" in row and mark == "\t":
        row = row.replace("\t", " ")
    lines = [line.replace(",", mark) + "\n" for line in ("a,b,c,d", row, '"x","y ""z""",3,4')]
    cells = [cell.replace(",", mark) for cell in cells]
    rows = list(read_rows(lines, mark))
    assert rows == [(1, 1, [*"abcd"]), (2, 2, cells), (3, 3, ["x", 'y "z"', "3", "4"])]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('"x,1,2', "look for a quote that is not closed"),
        ('"x"y,1,2', "look for a quote that is not closed"),
        ('"x"y,"z" ,2', "no blank stands behind a closing quote"),
        (r'"x"y,"z\"",2', "a quote within a cell is doubled"),
        (r'"a\" ,"b\",c",2', "a quote within a cell is doubled"),
    ],
)
def test_quotes_of_no_reading_are_refused_by_name(row: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"begins on line 2 cannot be read .*; {says}"):
        list(read_rows(["a,b,c\n", f"{row}\n", "1,2,3\n"], ","))


def test_what_dos_and_psql_write_around_a_table_is_left_out_and_told(tmp_path: Path) -> None:
    rows = [f" {n}.5 | {n * 7 % 11} | {'MB'[n % 2]}" for n in range(30)]
    drawn = [" x | z | y ", "-----+----+---", *rows, "(30 rows)", ""]
    (path := tmp_path / "x.txt").write_bytes("\n".join(drawn).encode() + b"\x1a")
    data = read_table(path, "y", "M")
    assert data.X[:2].tolist() == [[0.5, 0], [1.5, 7]]
    assert len(data.X) == 30
    told = " ".join(data.notes)
    assert "ends with the end mark of DOS (byte 0x1A), which is left out." in told
    assert "2 lines are each no row, because psql draws it (a rule, or the number of rows): 2, 33." in told
    path.write_text("\n".join([*drawn[:-2], "thirty rows"]))
    with pytest.raises(ValueError, match="line 33 has 1 cells where the header has 3"):
        read_table(path, "y", "M")


@pytest.mark.parametrize("encoding", ["utf-8\0", "\0", "\udcff", "no such"])
def test_an_encoding_that_nothing_knows_is_refused_by_that_name(encoding: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"there is no encoding {encoding!r}; give one")):
        decoded(b"x,y\n1,M\n", encoding)
    assert decoded(b"x,y\n1,M\n", "UTF 8") == (b"x,y\n1,M\n", [])
