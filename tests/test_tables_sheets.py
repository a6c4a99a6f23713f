"""Tables read from CSV and Parquet."""

import csv
import io
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from corpus import SAME, SOUND, column, lines, placed
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from others import titanic, written
from pyarrow import parquet
from scipy.io import arff
from sklearn.datasets import load_wine
from studies import refused

from handnet import Dataset, read_csv, read_table, split
from handnet.data import Array, families_of
from handnet.tables import dialect, sheets


@pytest.mark.parametrize("what", SAME)
def test_the_form_of_a_file_does_not_change_what_is_read(what: str, tmp_path: Path) -> None:
    plain = read_csv(placed(tmp_path, SOUND), "y", "M", "patient")
    assert read_csv(placed(tmp_path, SAME[what]), "y", "M", "patient").digest == plain.digest
    assert plain.case_ids[:3].tolist() == ["0000", "0001", "0002"]  # text: leading zeros are part of an id
    assert (plain.X[1].tolist(), plain.y[:3].tolist()) == ([1.37, 41.5, 1.0], [1, 0, 1])
    assert (plain.feature_names, plain.class_names) == (("radius", "texture", "stage"), ("B", "M"))


def test_what_is_no_fault_but_may_be_one_is_remarked(tmp_path: Path) -> None:
    plain = read_csv(placed(tmp_path, SOUND), "y", "M", "patient")
    constant = split(read_csv(placed(tmp_path, column("stage", "3")), "y", "M", "patient"))
    few, left_out = constant.notes
    assert few.startswith("Few cases of a class: 'M' has 12 in train, 4 in validation, 4 in test; 'B' has 12")
    assert left_out == "Left out, because they never vary among the train rows: 'stage'."
    repeated = SOUND + SOUND.splitlines()[1].replace(b"0000", b"9999")
    note, _ = split(read_csv(placed(tmp_path, repeated), "y", "M", "patient")).notes
    assert note == "1 of 41 rows repeats the measurements of an earlier one; equal rows fall into one part."
    counted = read_csv(placed(tmp_path, SOUND), "y", "M")
    assert counted.case_ids.tolist() == list(range(40))
    assert counted.feature_names == plain.feature_names
    assert counted.notes == (
        "Left out, because they number the rows: 'patient'; "
        'number="patient" keeps it as a measurement, id="patient" names the cases by it.',
    )
    kept = read_csv(placed(tmp_path, SOUND), "y", "M", number="patient")
    assert kept.X[:, 0].tolist() == list(range(40))
    assert kept.notes == ()
    rows = [line.decode().split(",", 1) for line in SOUND.splitlines()[1:]]
    shuffled = lines(
        "number,radius,texture,stage,y", *(f"{n * 7 % 41},{rest}" for n, (_, rest) in enumerate(rows))
    )
    (note,) = read_csv(placed(tmp_path, shuffled), "y", "M").notes
    assert note.startswith("Used as measurements, though every row has a different whole number: 'number'; ")


def test_a_column_that_tells_the_classes_apart_is_named(tmp_path: Path) -> None:
    rows = [
        f"{n},{n * 7919 % 101}.5,{n % 2 * 3},{'abcd'[n % 4]},{'' if n % 2 else n},{'MB'[n % 2]}"
        for n in range(40)
    ]
    path = placed(tmp_path, lines("id,noise,number,text,gaps,y", *rows))
    apart, gaps = split(read_table(path, "y", "M", "id", missing="median")).notes[-2:]
    assert apart.startswith("Tells the classes apart by itself in all 24 train rows: 'number', 'text';")
    assert gaps.startswith(
        "Gaps that only one class has among the train rows, or nearly: 'gaps' (12 of 12 are 'B');"
    )
    assert not [
        note
        for note in split(read_csv(placed(tmp_path, SOUND), "y", "M", "patient")).notes
        if "apart" in note
    ]


@given(text=st.text(), cut=st.integers(1, 9), more=st.binary(max_size=3))
def test_bytes_that_are_no_text_are_found_in_pieces(text: str, cut: int, more: bytes) -> None:
    content, place = text.encode() + more, None
    try:
        content.decode()
    except UnicodeDecodeError as fault:
        place = fault.start
    assert dialect.undecodable(content, cut) == place


def test_a_table_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = placed(tmp_path, SOUND)
    with path.open("ab") as file:
        file.truncate(sheets.MOST_BYTES + 1)
    with pytest.raises(ValueError, match=r"cells\.csv: it has 1024 MiB, and at most 1024 are read"):
        read_csv(path, "y", "M")
    wide = lines(",".join(["y", *(f"c{n}" for n in range(9_999))]), *[""] * 5_201)
    with pytest.raises(ValueError, match="at most 52000000 cells are read"):
        read_csv(placed(tmp_path, wide), "y", "M")


@given(
    X=arrays(float, (9, 3), elements=st.floats(-1e30, 1e30), unique=True),
    names=st.lists(st.text("aé\"', \n;|$<0", min_size=1), min_size=3, max_size=3, unique_by=str.strip),
)
def test_what_is_written_is_read_back_to_the_bit(tmp_path: Path, X: Array, names: list[str]) -> None:
    names = [f"q{name}".strip() for name in names]
    labels = ["B", "M"] * 4 + ["B"]
    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [
                ["y", *names],
                *([label, *map(repr, row.tolist())] for label, row in zip(labels, X, strict=True)),
            ]
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = read_csv(tmp_path / "x.csv", "y", "M")
    assert np.array_equal(found.X, X)
    assert found.feature_names == tuple(names)


def test_families_are_found_in_names(data: Dataset) -> None:
    assert families_of(data.feature_names) == data.families
    assert families_of(["radius_mean", "radius_se", "concave points_worst"]) == (
        "radius",
        "radius",
        "concave points",
    )
    assert families_of(["radius1", "radius2", "texture1", "texture2"]) == (
        "radius",
        "radius",
        "texture",
        "texture",
    )
    assert families_of(["V1", "V2", "Amount"]) == ("V1", "V2", "Amount")  # a count of columns is no family
    assert families_of(["mean", "mean_", "age"]) == ("mean", "mean_", "age")


def test_rows_with_gaps_are_left_out(tmp_path: Path) -> None:
    other = titanic()
    whole = other.frame.assign(id=[f"p{n}" for n in range(len(other.frame))])
    kept = whole[(whole != "").all(axis=1)]
    dropped = read_table(written(whole, tmp_path / "x.csv"), "survived", "1", "id", missing="drop")
    assert dropped.digest == read_table(written(kept, tmp_path / "y.csv"), "survived", "1", "id").digest
    assert (
        split(dropped).notes[0]
        == f'{len(whole) - len(kept)} of 1309 rows have a gap and are left out (missing="drop").'
    )


def test_parquet_is_read_as_the_same_table(tmp_path: Path) -> None:
    wine = load_wine(as_frame=True).frame  # class 1: the first cultivar, against the other two
    frame = wine.assign(
        target=(wine.target == 0).map({True: "first", False: "other"}),
        colour=(wine.hue > 1).map({True: "deep", False: "pale"}),
        old=wine.ash > 2.4,
        code=[f"{n:03d}" for n in range(len(wine))],
    )
    frame.loc[[3, 9], "alcohol"] = np.nan
    frame.loc[[5], "colour"] = None
    frame.to_parquet(tmp_path / "wine.parquet")
    frame.assign(old=frame.old.map({True: "true", False: "false"})).to_csv(tmp_path / "wine.csv", index=False)
    one, other = (
        read_table(tmp_path / f"wine.{kind}", "target", "first", "code", missing="median")
        for kind in ("parquet", "csv")
    )
    assert one.digest == other.digest
    assert one.levels == {"colour": ("deep", "pale"), "old": ("false", "true")}
    assert one.case_ids[1] == "001"


def wrongly_encoded(frame: pd.DataFrame) -> bytes:
    raw = pa.array([b"\xff", b"a"] * 20, pa.binary())
    table = pa.Table.from_pandas(frame).append_column(
        "z", pa.Array.from_buffers(pa.string(), 40, raw.buffers())
    )
    parquet.write_table(table, out := io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda frame: frame.assign(when=pd.date_range("2024-01-02", periods=40)),
            ["'when'  dates, 40 different", "(row 1)", "LEAVE=when leaves it out"],
        ),
        (
            lambda frame: frame.assign(stay=pd.Timedelta("3 days")),
            ["'stay'  durations, 1 different", "LEAVE=stay leaves it out"],
        ),
        (
            lambda frame: frame.assign(x=[float("inf"), *frame.x[1:]]),
            ["'x'  infinite values in 1 of 40 cells, first 'inf' (row 1)", "NUMBER=x MISSING=median"],
        ),
        (
            lambda frame: frame.assign(y=[None, *frame.y[1:]]),
            ["'y'  no label in 1 of 40 rows: empty (1)", "MISSING=drop"],
        ),
        (
            lambda frame: frame.assign(x=[np.nan, *frame.x[1:]]),
            ["'x'  gaps in 1 of 40 cells: empty (1)", "MISSING=median"],
        ),
        (lambda frame: frame[:0], ["columns and no data rows"]),
        (
            lambda frame: frame.assign(x=[2**53 + 1, *range(39)]),
            ["more digits than a float64 holds in 1 of 40 cells, first '9007199254740993' (row 1)"],
        ),
        (
            lambda frame: frame.assign(z=pd.Series([b"\xff", b"a"] * 20).astype(pd.ArrowDtype(pa.binary()))),
            ["'z'  values of the type binary", "LEAVE=z leaves it out"],
        ),
        (wrongly_encoded, ["column 'z' holds text that is not UTF-8"]),
        (lambda _: b"PAR1 and no more", ["cannot be read as Parquet"]),
        (lambda _: b"x,y\n1,M\n", ["cannot be read as Parquet"]),
    ],
)
def test_a_bad_parquet_file_is_refused(
    make: object, says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    made = make(pd.DataFrame({"x": np.arange(40) * 0.5, "y": list("MB") * 20}))
    path = tmp_path / "x.parquet"
    path.write_bytes(made) if isinstance(made, bytes) else made.to_parquet(path)
    words = ["study", f"DATA={path}", "TARGET=y", "POSITIVE=M", f"MLRUNS={tmp_path / 'mlruns'}"]
    refused(capsys, [f"handnet: {path}: ", *says], *words)
    assert not (tmp_path / "mlruns").exists()


def test_parquet_without_its_reader_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pd.DataFrame({"x": [1.0], "y": ["M"]}).to_parquet(tmp_path / "x.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ValueError, match="read with pyarrow, which is not installed; install it, or save the table as CSV"
    ):
        read_table(tmp_path / "x.parquet", "y", "M")


ARFF = """% from the clinic
@RELATION cells

@attribute 'mean radius' NUMERIC
@attribute form {small, 'very large', "it's", ?}
@attribute code {1, 2}
@attribute y {M,B}   % the target
@DATA
1.5,small,1,M
% a remark
?,'very large',2,B
-2e-3, "it's" ,1,M

7,?,?,B
"""


def test_arff_is_read_as_scipy_reads_it(tmp_path: Path) -> None:
    plain = ARFF.replace("'very large', \"it's\", ?", "large").replace("'very large'", "large")
    (path := tmp_path / "cells.arff").write_text(plain.replace(' "it\'s" ', "small"))
    sheet = sheets.read_sheet(path, {"y"}, {"y"})
    frame = pd.DataFrame(arff.loadarff(io.StringIO(path.read_text()))[0])
    assert list(sheet.columns) == list(frame.columns)
    assert np.array_equal(sheet.columns["mean radius"][0], frame["mean radius"], equal_nan=True)
    for name in ("form", "code", "y"):  # nominal values are text, those of digits too
        assert sheet.text(name) == [cell.decode().replace("?", "") for cell in frame[name]]
    assert (sheet.typed, sheet.unit, sheet.gaps) == (True, "line", {"mean radius": {"?": 1}})
    assert sheet.numbers == [9, 11, 12, 14]


def test_values_that_arff_declares_are_levels_even_where_they_are_digits(tmp_path: Path) -> None:
    head = "@relation r\n@attribute stage {1,2,3}\n@attribute x real\n@attribute y {M,B}\n@data\n"
    rows = "".join(f"{n % 3 + 1},{n * 7 % 10}.5,{'MB'[n % 2]}\n" for n in range(30))
    (path := tmp_path / "x.arff").write_text(head + rows)
    assert read_table(path, "y", "M").levels == {"stage": ("1", "2", "3")}
    path.write_text(head.replace("{1,2,3}", "integer") + rows)
    assert read_table(path, "y", "M").levels == {}
    path.write_text(head + rows)
    assert read_table(path, "y", "M", number="stage").X[:3, 0].tolist() == [1, 2, 3]


def test_arff_may_separate_cells_by_tabs_and_write_nan(tmp_path: Path) -> None:
    (tmp_path / "commas.arff").write_text(ARFF)
    tabs = ARFF.replace("1.5,small,1,M", "1.5\tsmall\t1\tM").replace(
        "?,'very large',2,B", "?\t'very large' 2\tB"
    )
    (tmp_path / "tabs.arff").write_text(tabs)
    plain, read = (sheets.read_sheet(tmp_path / f"{name}.arff", {"y"}, {"y"}) for name in ("commas", "tabs"))
    assert str(read) == str(plain)
    (tmp_path / "tabs.arff").write_text(tabs.replace("1.5\tsmall", "NaN\tsmall").replace("7,", "na,"))
    read = sheets.read_sheet(tmp_path / "tabs.arff", {"y"}, {"y"})
    assert read.columns["mean radius"][0].tolist() == pytest.approx(
        [np.nan, np.nan, -2e-3, np.nan], nan_ok=True
    )
    assert read.gaps["mean radius"] == {"NaN": 1, "?": 1, "na": 1}


@given(
    cells=st.lists(
        st.text("a'\"\\,?{}% é1", min_size=1).filter(lambda text: text.strip() == text), min_size=1
    )
)
def test_texts_of_arff_are_read_back(tmp_path: Path, cells: list[str]) -> None:
    quoted = ["'" + cell.replace("\\", "\\\\").replace("'", "\\'") + "'" for cell in cells]
    rows = "\n".join(f"{cell},{n}" for n, cell in enumerate(quoted))
    (path := tmp_path / "cells.txt").write_text(
        f"@relation r\n@attribute text string\n@attribute n real\n@data\n{rows}", encoding="utf-8"
    )
    sheet = sheets.read_sheet(path, {"text"}, {"text"})
    assert sheet.text("text") == cells
    assert sheet.columns["n"][0].tolist() == list(range(len(cells)))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("1.5,small,1,M", "{0 1.5, 3 M}", "line 9 is a sparse row of ARFF"),
        (
            "1.5,small,1,M",
            "1.5,small,1,M, {2}",
            "line 9 ends with a weight in braces; it has instance weights",
        ),
        ("1.5,small,1,M", "1.5\tsmall\tM", "line 9 has 3 cells where the header has 4"),
        ("NUMERIC", "relational", "line 4: the attribute 'mean radius' is of the type 'relational'"),
        ("small,1,M", "small,M", "line 9 has 3 cells where the header has 4"),
        ("1.5,small", "1.5,'small", 'line 9, from "\'small,1,M,": a quote is not closed'),
        ("1.5,small", "1.5,smal", "line 9: 'smal' is none of the values declared for 'form'"),
        ("attribute code", "attribute y", "line 7: the attribute 'y' stands twice"),
        ("@DATA", "DATA", "line 8 is no declaration of ARFF ('DATA')"),
        (ARFF[ARFF.index("@DATA") :], "", "ARFF without @data"),
        (ARFF[ARFF.index("1.5") :], "", "attributes and no data rows"),
    ],
)
def test_arff_that_is_no_table_is_refused(old: str, new: str, says: str, tmp_path: Path) -> None:
    (path := tmp_path / "cells.arff").write_text(ARFF.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(says)):
        sheets.read_sheet(path, {"y"}, {"y"})
    with pytest.raises(ValueError, match='it is ARFF, which says that itself; leave separator=";" out'):
        sheets.read_sheet(path, {"y"}, {"y"}, sheets.Dialect(separator=";"))


def test_parquet_says_what_is_text_what_a_row_is_called_and_what_is_neither(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "y": list("MB") * 3,
            "text": ["NA", None, "none", "nan", "", "x"],
            "day": pd.to_datetime("2024-01-02"),
            "took": pd.Timedelta("3 days"),
            "list": [[1, 2], None, [], [3], [4], [5]],
            "x": [1.5, None, 3, 4, 5, 6],
        },
        index=[3, 4, 5, 7, 8, 9],
    )
    frame.to_parquet(path := tmp_path / "x.parquet")
    sheet = sheets.read_sheet(path, {"y"}, {"y"})
    assert (sheet.typed, sheet.unit, sheet.row_names) == (True, "row", list("345789"))
    assert sheet.notes == [
        "The column '__index_level_0__', pandas's index, is taken as the names of the rows."
    ]
    assert sheet.text("text") == ["NA", "", "none", "nan", "", "x"]
    assert {name: kind.partition("[")[0] for name, kind in sheet.kinds.items()} == {
        "day": "timestamp",
        "took": "duration",
        "list": "list<element: int64>",
    }
    assert (sheet.text("day")[0][:10], sheet.text("list")[1]) == ("2024-01-02", "")
    assert sheet.gaps == {"x": {"": 1}}
    asked = sheets.read_sheet(path, {"y", "__index_level_0__"}, {"__index_level_0__"})
    assert (asked.row_names, asked.text("__index_level_0__")) == (None, list("345789"))
    with pytest.raises(ValueError, match='it is Parquet, which says that itself; leave decimal="," out'):
        sheets.read_sheet(path, {"y"}, {"y"}, sheets.Dialect(decimal=","))


def test_words_for_gaps_are_counted_as_they_are_written(tmp_path: Path) -> None:
    rows = [
        (word, ("" if n else "a")) for n, word in enumerate(["1", "#N/A", "-nan", "#N/A", "", "1.#IND", "2"])
    ]
    path = placed(tmp_path, lines("x,text,y", *(f"{x},{text},M" for x, text in rows)))
    sheet = sheets.read_sheet(path, {"y"}, {"y"})
    assert np.array_equal(sheet.columns["x"][0], [1, *[np.nan] * 5, 2], equal_nan=True)
    assert sheet.gaps == {"x": {"#N/A": 2, "-nan": 1, "": 1, "1.#IND": 1}}
    assert sheet.text("text") == ["a", *[""] * 6]
    for word in ("none", "?", "missing"):  # of those handnet/tables/columns.py judges by the whole column
        placed(tmp_path, lines("x,y", "1,M", f"{word},B"))
        assert sheets.read_sheet(path, {"y"}, {"y"}).columns["x"] == [["1", word]]
