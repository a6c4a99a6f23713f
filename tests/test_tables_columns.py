"""What a column of a table is taken for, what is told of it, and what goes on where it stops a table."""

import csv
import shlex
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus import lines, placed
from hypothesis import given
from hypothesis import strategies as st

from handnet import Dataset, cli, messages, read_table
from handnet.messages import Refusal, again, command, option, through
from handnet.study import reading
from handnet.study.options import overrides, settings_and_table
from handnet.study.reading import load
from handnet.tables.cells import NUMBER_GAPS, take_numbers
from handnet.tables.faults import Unusable
from handnet.tables.numerals import GAPS

LABELS = ["M", "B"] * 20


def of(tmp_path: Path, cells: list[str], **options: object) -> Dataset:
    """A table of 40 rows: the column c of these cells, a number and the labels."""
    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [
            [cell, f"{n * 7919 % 101}.5", label]
            for n, (cell, label) in enumerate(zip(cells, LABELS, strict=True))
        ]
        csv.writer(file).writerows([["c", "x", "y"], *rows])
    return read_table(tmp_path / "x.csv", "y", "M", **options)


def cycle(*cells: str) -> list[str]:
    return [cells[n % len(cells)] for n in range(40)]


def own(form: str) -> list[str]:
    """A cell of its own for each row."""
    return [form.format(n=n, m=n % 28 + 1) for n in range(40)]


# A column, and what is told where it is read.
TOLD = {
    "row numbers": (
        own("{n}"),
        "Left out, because they number the rows: 'c'; "
        'number="c" keeps it as a measurement, id="c" names the cases by it.',
    ),
    "row numbers from 1.0": (
        [f"{n + 1}.0" for n in range(40)],
        "Left out, because they number the rows: 'c'",
    ),
    "numbers of its own": (
        [str(n * 7 % 41) for n in range(40)],
        "Used as measurements, though every row has a different whole number: 'c'",
    ),
    "gaps alone": (cycle("", "NA", "NaN"), "Left out, because every cell is missing: 'c'."),
    "few dates": (cycle("2024-01-01", "2024-02-01"), "Taken as text of few levels: 'c' (dates)"),
    "few German dates": (cycle("1.2.2024", "3.2.2024"), "'c' (dates)"),
    "few months": (cycle("2024-01", "2024-02"), "'c' (dates)"),
    "dates of eight digits": (
        cycle("20240101", "20240229"),
        "Whole numbers that may be dates, as in 20240131: 'c'.",
    ),
    "few times": (cycle("08:30", "9:30 pm"), "'c' (times)"),
    "few percentages": (cycle("5%", "10 %"), "'c' (numbers with a % sign); number= reads the numbers"),
    "few numbers with a unit": (
        cycle("5 mg", "10mg"),
        "'c' (numbers with a unit); number= reads the numbers",
    ),
    "few quarters": (cycle("2024Q1", "2024Q2"), "'c' (dates)"),
    "few months in words": (cycle("Jan-24", "Feb-24"), "'c' (dates)"),
    "a negative code": (
        cycle("-999", *(str(n * 700) for n in range(9))),
        "Numbers that may stand for a gap: -999 (4) in 'c'",
    ),
    "few prices": (cycle("$5", "$10"), "'c' (numbers with a currency sign)"),
    "cases": (cycle("Male", "male", "f"), "upper and lower case only: 'Male', 'male' in 'c'"),
    "leading zeros": (
        cycle("007", "012", "100"),
        "Codes with leading zeros became numbers: 'c'; text= keeps",
    ),
    "a code": (cycle(*"12345678", "-999"), "Numbers that may stand for a gap: -999 (4) in 'c'"),
    "two codes": (cycle("0", "1", "0", "1", "88", "99"), "88 (6) in 'c', 99 (6) in 'c'"),
    **{
        f"a level {word}": (
            cycle("low", "high", word),
            f"Levels of text that may stand for a gap: {word!r} (13)",
        )
        for word in ("?", "-", ".", "missing", "unknown", "nil", "none", "None", "n.a.", "#VALUE!", "\u2014")
    },
}


@pytest.mark.parametrize("what", TOLD)
def test_what_a_column_was_taken_for_is_told(what: str, tmp_path: Path) -> None:
    cells, says = TOLD[what]
    (note,) = of(tmp_path, cells).notes
    assert says in note
    assert note.endswith(".")


# Columns of which nothing is told: the case next to each of those above.
PLAIN = {
    "numbers": cycle("1.5", "2", "3e2"),
    "row numbers with one twice": [*own("{n}")[:39], "38"],
    "levels": cycle("low", "high"),
    "years": cycle("1990-2000", "2001-2010"),
    "fractions": cycle("1/2", "1/4"),
    "limits": cycle("<5", ">=5"),
    "eight digits": cycle("20241301", "20240101"),
    "numbered levels": cycle("1. North", "2. South"),
    "bands": cycle("18-24", "25-34", "85+"),
    "levels that begin with a digit": cycle("1st", "2nd", "3rd"),
    "true and false": cycle("True", "False"),
    "a 9 among small numbers": cycle(*"123456789"),
    "999 once": [*cycle("1.5", "2.5")[:39], "999"],
    "99 among large numbers": cycle("40", "99", "160", "80", "99"),
    "0.5 has a leading zero and is no code": cycle("0.5", "0", "00.5"),
    "versions": cycle("1.2.3", "1.2.4"),
}


@pytest.mark.parametrize("what", PLAIN)
def test_of_an_ordinary_column_nothing_is_told(what: str, tmp_path: Path) -> None:
    data = of(tmp_path, PLAIN[what])
    assert data.notes == ()
    assert data.feature_names == ("c", "x")


# A column, what the refusal says of it, and the options it suggests.
STOPS = {
    "dates": (own("2024-01-{m:02}"), "dates, 28 different, first '2024-01-01' (line 2)", {"leave": ["c"]}),
    "German dates": (own("{m}.1.2024"), "dates, 28 different", {"leave": ["c"]}),
    "American dates": (own("1/{m}/24"), "dates, 28 different", {"leave": ["c"]}),
    "dates with times": (own("2024-01-02 10:{n:02}"), "dates, 40 different", {"leave": ["c"]}),
    "times": (own("10:{n:02}"), "times, 40 different", {"leave": ["c"]}),
    "percentages": (own("{n}%"), "numbers with a % sign, 40 different", {"number": ["c"]}),
    "prices": (own("${n}.50"), "numbers with a currency sign", {"number": ["c"]}),
    "units": (own("{n} mg"), "numbers with a unit", {"number": ["c"]}),
    "multiples": (own("{n}k"), "numbers with a unit, 40 different", {"leave": ["c"]}),
    "half a number more": (own("{n}\u00bd"), "text of 40 levels", {"id": "c"}),
    "brackets": (own("({n}.5)"), "numbers in brackets", {"number": ["c"]}),
    "months": (own("{m}. M\u00e4rz 2024"), "dates, 28 different", {"leave": ["c"]}),
    "two units": (
        [f"{n} {'mg' if n % 2 else 'g'}" for n in range(40)],
        "numbers with a unit, 40 different",
        {"leave": ["c"]},
    ),
    "thousands": (own("{n},500"), "numbers with marks between thousands", {"number": ["c"]}),
    "some thousands": (
        cycle("340", "2,277", "1,000,000"),
        "between thousands in 26 of 40 cells",
        {"number": ["c"]},
    ),
    "thousands by blanks": (own("1 {n:03}"), "numbers with marks between thousands", {"number": ["c"]}),
    "two numbers": (own("{n}/70"), "two numbers in a cell, 40 different", {"leave": ["c"]}),
    "hexadecimal": (own("0x{n}"), "hexadecimal numbers, 40 different", {"leave": ["c"]}),
    "underscores": (own("1_{n}"), "numbers with underscores, 40 different", {"leave": ["c"]}),
    "formulas": (cycle('="001"', '="002"'), "formulas, which begin with '=', 2 different", {"leave": ["c"]}),
    "infinite": (
        [*cycle("1", "2")[:38], "inf", "-inf"],
        "infinite values in 2 of 40 cells",
        {"number": ["c"], "missing": "median"},
    ),
    "a few words more than the numbers": (
        cycle("0", "1", "2", "3+"),
        "words in 10 of 40 cells, first '3+' (line 5)",
        {"text": ["c"]},
    ),
    "codes with a letter": (
        [*own("{n}")[:36], "3a", "4a", "5b", "6b"],
        "numbers with a unit in 4 of 40 cells",
        {"number": ["c"], "missing": "median"},
    ),
    "numbers and units": (
        [*own("{n}")[:20], *own("{n} mg")[20:]],
        "numbers with a unit in 20 of 40 cells",
        {"number": ["c"]},
    ),
    "book numbers": (own("978-{n}"), "two numbers in a cell, 40 different", {"leave": ["c"]}),
    "a limit": (
        [*own("{n}.5")[:30], *["<5"] * 10],
        "numbers with a limit sign in 10 of 40 cells, first '<5' (line 32)",
        {"number": ["c"], "missing": "median"},
    ),
    "words among numbers": (
        [*own("{n}.5")[:38], "abc", "x"],
        "words in 2 of 40 cells, first 'abc' (line 40)",
        {"number": ["c"], "missing": "median"},
    ),
    "numbers among words": (
        cycle("yes", "no", "yes", "1"),
        "numbers in 10 of 40 cells, text in the others, first '1' (line 5)",
        {"text": ["c"]},
    ),
    "as many words as numbers": (cycle("yes", "no", "1", "0"), "numbers in 20 of 40 cells", {"text": ["c"]}),
    "names": (own("n{n}"), "text of 40 levels (at most 20), first 'n0' (line 2)", {"id": "c"}),
    "21 levels": ([f"n{n % 21}" for n in range(40)], "text of 21 levels (at most 20)", {"leave": ["c"]}),
    "gaps": (cycle("1", "2", "?"), "gaps in 13 of 40 cells: '?' (13)", {"missing": "median"}),
    "gaps in several words": (
        cycle("1", "2", "NA", "", "unknown"),
        "gaps in 24 of 40 cells: empty (8), 'NA' (8), 'unknown' (8)",
        {"missing": "median"},
    ),
    "gaps in a text": (
        cycle("low", "high", "#N/A"),
        "gaps in 13 of 40 cells: '#N/A' (13)",
        {"missing": "median"},
    ),
}


@pytest.mark.parametrize("what", STOPS)
def test_what_stops_a_table_is_named_with_what_goes_on(what: str, tmp_path: Path) -> None:
    cells, says, suggested = STOPS[what]
    with pytest.raises(Unusable) as stop:
        of(tmp_path, cells)
    assert says in str(stop.value)
    assert stop.value.suggested == suggested
    of(tmp_path, cells, **suggested)


def test_numbers_are_read_without_signs_and_units(tmp_path: Path) -> None:
    """Against numbers written plainly."""
    values = np.round(np.linspace(-9_876_543.25, 9_876_543.25, 40), 2)
    plain = of(tmp_path, [f"{value:.2f}" for value in values])
    for write in (
        lambda value: f"${value:,.2f}",
        lambda value: f"{value:.2f} %",
        lambda value: f"{value:,.2f}\u00a0kg/m\u00b2".replace(",", "\u202f"),
        lambda value: f"{value:,.2f} \u20ac".translate(str.maketrans(",.", ".,")),
        lambda value: f"{value:,.2f}".replace(",", "'"),
        lambda value: f"EUR {value:,.2f}",
        lambda value: f"({-value:,.2f})" if value < 0 else f"{value:.2f}",
        lambda value: f"{value:.2f} x10^9/L",
    ):
        cells = [write(value).replace("$-", "-$").replace("EUR -", "-EUR ") for value in values]
        data = of(tmp_path, cells, number="c")
        assert np.array_equal(data.X, plain.X), cells[:2]
        (note,) = data.notes
        assert note.startswith("Taken off, so that numbers are read: ")


def test_numbers_are_read_as_the_file_writes_its_decimals(tmp_path: Path) -> None:
    """1.500 kg is 1500 kg where a comma is the decimal mark, and 1,234 beside it is not 1234."""
    rows = [
        f"{['1.500 kg', '1,234', '12,5kg', '-0,25 kg'][n % 4]};{n * 7919 % 101},5;{LABELS[n]}"
        for n in range(40)
    ]
    data = read_table(placed(tmp_path, lines("c;x;y", *rows)), "y", "M", number="c")
    assert data.X[:4, 0].tolist() == [1500, 1.234, 12.5, -0.25]
    rows = [row.translate(str.maketrans(",.", ".,")).replace(";", "\t") for row in rows]
    same = read_table(placed(tmp_path, lines("c\tx\ty", *rows)), "y", "M", number="c")
    assert np.array_equal(same.X, data.X)


def test_cells_that_are_no_numbers_become_gaps_where_numbers_are_asked_for(tmp_path: Path) -> None:
    data = of(tmp_path, [*own("{n}.5")[:36], "<5", "<5", "5 mg?", "unknown"], number=["c"], missing="median")
    assert np.isnan(data.X[:, 0]).tolist() == [False] * 36 + [True] * 4
    assert data.notes == (
        "Read as gaps: 'unknown' in 'c'.",
        "Cells that are no numbers are gaps: '<5' (2), '5 mg?' (1) in 'c'.",
    )


def test_text_is_kept_to_the_letter(tmp_path: Path) -> None:
    data = of(tmp_path, cycle("007", "7", "7.0", "?"), text=["c"])
    assert data.levels == {"c": ("007", "7", "7.0", "?")}
    assert data.notes == ()
    many = of(tmp_path, own("n{n}"), text="c")
    assert len(many.levels["c"]) == 40
    with pytest.raises(Unusable, match=r"gaps in 20 of 40 cells: 'NA' \(20\)"):
        of(tmp_path, cycle("007", "NA"), text="c")


def test_columns_are_left_out(tmp_path: Path) -> None:
    data = of(tmp_path, own("n{n}"), leave=["c"])
    assert data.feature_names == ("x",)
    for options, says in (
        ({"leave": ["d"]}, "there is no column 'd' for leave; its columns are 'c', 'x', 'y'"),
        ({"leave": ["cc"]}, "there is no column 'cc' for leave; did you mean 'c'"),
        ({"leave": "c", "text": "c"}, "the column 'c' cannot be both leave and text"),
        ({"leave": "y"}, "the column 'y' cannot be both the target and leave"),
        ({"number": "c", "id": "c"}, "the column 'c' cannot be both the id and number"),
    ):
        with pytest.raises(ValueError, match=says):
            of(tmp_path, own("n{n}"), **options)
    with pytest.raises(ValueError, match="no column varies"):
        of(tmp_path, own("n{n}"), leave=["c", "x"])
    comma = placed(tmp_path, lines('x,"c, kg",y', *(f"{n * 7919 % 101},t{n},{LABELS[n]}" for n in range(40))))
    with (
        through("make"),
        pytest.raises(ValueError, match="'c, kg' is typed in quotes, as in LEAVE='\"c, kg\"'"),
    ):
        read_table(comma, "y", "M", leave=["c", "kg"])
    assert read_table(comma, "y", "M", leave=["c, kg"]).feature_names == ("x",)


def test_missing_names_the_words_it_filled_or_dropped(tmp_path: Path) -> None:
    cells = cycle("1", "2", "3", "?", "NA")
    (filled,) = of(tmp_path, cells, missing="median").notes
    assert filled == "Read as gaps: '?', 'NA' in 'c'."
    dropped = of(tmp_path, cells, missing="drop").notes
    assert dropped == (
        '16 of 40 rows have a gap and are left out (missing="drop").',
        "Read as gaps: '?' (8), 'NA' (8) in 'c'.",
    )


def test_every_gap_of_pandas_is_one_in_text_but_none(tmp_path: Path) -> None:
    """Against the list that pandas reads by."""
    from pandas._libs.parsers import STR_NA_VALUES

    for word in sorted(STR_NA_VALUES - {"", "None"}):
        data = of(tmp_path, cycle("low", "high", word), missing="median")
        assert data.levels == {"c": ("high", "low")}, word
        assert f"Read as gaps: {word!r} in 'c'." in data.notes
    assert of(tmp_path, cycle("low", "None")).levels == {"c": ("None", "low")}


@pytest.mark.parametrize("word", sorted(GAPS | NUMBER_GAPS))
def test_every_word_for_a_gap_is_one_among_numbers(word: str, tmp_path: Path) -> None:
    for spelt in {word, word.upper(), word.title()}:
        data = of(tmp_path, cycle("1.5", spelt, "2"), missing="median")
        assert np.isnan(data.X[:, 0]).sum() == 13, spelt
    with pytest.raises(Unusable, match="words in 13 of 40 cells"):
        of(tmp_path, cycle("1.5", f"{word}zz" if word else "z", "2"))


def test_in_parquet_text_is_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": cycle("low", "NA", "nan"), "x": np.arange(40) * 0.5, "y": LABELS})
    frame.loc[3, "c"] = None
    frame.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(Unusable, match=r"gaps in 1 of 40 cells: empty \(1\)"):
        read_table(tmp_path / "x.parquet", "y", "M")
    data = read_table(tmp_path / "x.parquet", "y", "M", missing="median")
    assert data.levels == {"c": ("NA", "low", "nan")}
    assert data.notes == ()


# Labels, the positive one, and the names of the classes; or what the refusal says.
LABELLED = {
    "1 and 1.0": (["1", "1.0", "0", "0.0"], "1.0", ("0", "1")),
    "1.000000 for 1": (["1", "0"], "1.000000", ("0", "1")),
    "truth": (["True", "false", "TRUE", "False"], "true", ("false", "True")),
    "truth by 1": (["True", "False"], "1", ("False", "True")),
    "truth and numbers": (["True", "0", "1", "False"], "0", ("True", "0")),
    "NA by name": (["NA", "EU"], "NA", ("EU", "NA")),
    "none": (["none", "some"], "some", ("none", "some")),
    "signs": ([">50K", "<=50K"], ">50K", ("<=50K", ">50K")),
}


@pytest.mark.parametrize("what", LABELLED)
def test_labels_are_compared_by_value(what: str, tmp_path: Path) -> None:
    labels, positive, names = LABELLED[what]
    rows = [f"{n * 7919 % 101}.5,{labels[n % len(labels)]}" for n in range(40)]
    data = read_table(placed(tmp_path, lines("x,y", *rows)), "y", positive)
    assert data.class_names == names
    assert data.y.sum() == 20
    joined = [note for note in data.notes if note.startswith("Spellings of one label are one")]
    assert bool(joined) == (len(labels) > 2)


@pytest.mark.parametrize(
    ("labels", "positive", "says"),
    [
        (
            ["Yes", "yes", "no", "NO"],
            "yes",
            r"differ in upper and lower case only: 'NO' \(10\), 'Yes' \(10\)",
        ),
        (["yes", "YES"], "yes", "differ in upper and lower case only"),
        (
            ["1", "2", "0"],
            "1",
            r"3 labels, '1' \(14\), '2' \(13\), '0' \(13\)  without positive each is a class",
        ),
        (
            ["yes", "no", "unknown"],
            "yes",
            "3 labels, .* empty the cells that hold 'unknown', if that is no label",
        ),
        (["yes"], "yes", r"only the label 'yes' \(40\)"),
        (
            ["EU", "NA"],
            "EU",
            r"only the label 'EU' .*Not taken for a label: 'NA' \(20\); it is one with positive=\"NA\"",
        ),
        (["True", "False"], "2", "no row of the target 'y' holds the positive label '2'"),
        (["1", "0"], "true", "no row of the target 'y' holds the positive label 'true'"),
        (["01/2", "1/2"], "0.5", "no row"),
    ],
)
def test_other_than_two_labels_are_refused(
    labels: list[str], positive: str, says: str, tmp_path: Path
) -> None:
    rows = [f"{n * 7919 % 101}.5,{labels[n % len(labels)]}" for n in range(40)]
    with pytest.raises(ValueError, match=says):
        read_table(placed(tmp_path, lines("x,y", *rows)), "y", positive)


@given(
    cells=st.lists(
        st.sampled_from(["1", "1.0", "01", "-2", "3.5", "a", "b", "c", "NA", "?", ""]), min_size=4
    ),
    task=st.sampled_from(["", "classes", "number"]),
)
def test_a_target_is_read_as_it_stands_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], task: str
) -> None:
    """Whatever is read can be found again: the label or the number of every row."""
    rows = [f"{n * 7919 % 101}.5,{cell}" for n, cell in enumerate(cells)]
    path = placed(tmp_path_factory.mktemp("target"), lines("x,y", *rows))
    try:
        data = read_table(path, "y", task=task, missing="drop")
    except ValueError:
        return
    kept = [
        cells[place] for place in range(len(cells)) if f"{place * 7919 % 101}.5" in map(str, data.X[:, 0])
    ]
    assert len(kept) == len(data.y)
    if not data.class_names:
        assert data.y.tolist() == list(map(float, kept))
        return
    assert len(data.class_names) > 2
    numbers = all(name not in "abc?" for name in data.class_names)
    value = float if numbers else str
    assert sorted(data.class_names, key=value) == list(data.class_names)
    by_value = [float(cell) if cell not in "abc?" else cell for cell in kept]
    assert [len(set(by_value[:end])) for end in range(len(kept))] == [
        len(set(data.y[:end].tolist())) for end in range(len(kept))
    ]


def test_rows_without_a_label_are_left_out_where_gaps_are_dealt_with(tmp_path: Path) -> None:
    rows = [f"{n},{n * 7919 % 101}.5,{n},{['M', 'B', '', 'NA'][n % 4]}" for n in range(40)]
    path = placed(tmp_path, lines("id,x,n,y", *rows))
    with pytest.raises(Unusable, match=r"no label in 20 of 40 rows: empty \(10\), 'NA' \(10\)") as stop:
        read_table(path, "y", "M", "id")
    assert stop.value.suggested == {"missing": "drop"}
    for way in ("drop", "median"):
        data = read_table(path, "y", "M", "id", missing=way)
        assert data.case_ids.tolist() == [str(n) for n in range(40) if n % 4 < 2]
        assert data.X[:, 0].tolist() == [n * 7919 % 101 + 0.5 for n in range(40) if n % 4 < 2]
        assert data.notes == (
            "Left out, because they have no label: 20 of 40 rows (empty (10), 'NA' (10)).",
            "Left out, because they number the rows: 'n'; number=\"n\" keeps it as a measurement.",
        )


@pytest.mark.parametrize("way", ["drop", "median"])
def test_without_an_id_a_case_bears_its_place_in_the_file(tmp_path: Path, way: str) -> None:
    gap, unlabelled = {3, 10, 11}, {0, 7, 11, 30}
    rows = [
        f"{n * 7919 % 101}.5,{'' if n in gap else n * 31 % 97},{'' if n in unlabelled else LABELS[n]}"
        for n in range(40)
    ]
    data = read_table(placed(tmp_path, lines("x,z,y", *rows)), "y", "M", missing=way)
    left_out = unlabelled | gap if way == "drop" else unlabelled
    assert data.case_ids.tolist() == [n for n in range(40) if n not in left_out]
    assert data.X[:, 0].tolist() == [n * 7919 % 101 + 0.5 for n in data.case_ids]


def test_several_columns_that_number_the_rows_share_one_way_on(tmp_path: Path) -> None:
    rows = [f"{n},{n + 1},{n * 7919 % 101}.5,{LABELS[n]}" for n in range(40)]
    data = read_table(placed(tmp_path, lines("n,m,x,y", *rows)), "y", "M")
    assert data.notes == (
        "Left out, because they number the rows: 'n', 'm'; number= keeps one as a measurement, id= names the"
        " cases by it.",
    )


def test_names_of_rows_become_the_ids(tmp_path: Path) -> None:
    rows = [f"r{n},{n * 7919 % 101}.5,{LABELS[n]}" for n in range(40)]
    data = read_table(placed(tmp_path, lines(",x,y", *rows)), "y", "M")
    assert data.case_ids[:2].tolist() == ["r0", "r1"]
    assert data.notes[-1] == "The names of the rows are the ids of the cases."
    again = read_table(placed(tmp_path, lines(",x,y", *rows[:39], rows[0])), "y", "M")
    assert again.case_ids.tolist() == list(range(40))
    assert again.notes[-1].startswith("The names of the rows are left out: some repeat")


# The property: what a refusal suggests is accepted.
WORDS = [
    "",
    "NA",
    "?",
    "-",
    "none",
    "unknown",
    "-999",
    "inf",
    "1e31",
    "9007199254740993",
    "<5",
    "5 mg",
    "7 g",
    "8%",
]
WORDS += [
    "$5",
    "1,234",
    "1,5",
    "0x1f",
    "1_0",
    "=A1",
    "2024-01-02",
    "10:30",
    "120/80",
    "yes",
    "No",
    "no",
    "True",
    "1",
]
CELLS = st.one_of(
    st.sampled_from(WORDS), st.integers(-3, 99).map(str), st.integers(0, 400).map(lambda n: f"n{n}")
)
NAMES = ["a", "b c", 'd,"e"', "it's", "[f", "$g", "=h", "\u00e9", "-i", "j\\k"]


@st.composite
def columns(draw: st.DrawFn) -> list[str]:
    """40 cells: mostly of a few kinds, with some of any kind between them."""
    usual = draw(st.lists(CELLS, min_size=1, max_size=draw(st.sampled_from([1, 3, 8, 40]))))
    cells = [usual[n * 7 % len(usual)] for n in range(40)]
    if draw(st.booleans()):
        cells = [str(n + draw(st.sampled_from([0, 1]))) for n in range(40)]
    for place, cell in draw(st.dictionaries(st.integers(0, 39), CELLS, max_size=6)).items():
        cells[place] = cell
    return cells


@st.composite
def messy(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, object]]:
    """A table by its columns, and options."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    table = {name: draw(columns()) for name in names}
    table["y"] = [*LABELS]
    for place in draw(st.sets(st.integers(0, 39), max_size=4)):
        table["y"][place] = draw(st.sampled_from(["", "NA"]))
    options: dict[str, object] = {"missing": draw(st.sampled_from(["", "", "drop", "median"]))}
    for name in names:
        way = draw(st.sampled_from(["", "", "", "leave", "text", "number"]))
        if way:
            options.setdefault(way, []).append(name)
    return table, options


def typed(options: dict[str, object]) -> list[str]:
    with through("shell"):
        return [word for name, value in options.items() if value for word in shlex.split(option(name, value))]


@given(made=messy())
def test_the_command_of_a_refusal_is_accepted_at_the_first_try(
    made: tuple[dict[str, list[str]], dict[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    table, options = made
    path = tmp_path / "it's a table.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    monkeypatch.delenv("HANDNET_DOOR", raising=False)

    def read(**given: object) -> int:
        settings_and_table(overrides(given), None)
        return 0

    monkeypatch.setattr(cli.program.commands["study"], "callback", read)
    words = ["study", "--data", str(path), "--target", "y", "--positive", "M", "space.epochs.high=30"]
    if cli.main([*words, *typed(options)]) == 0:
        return
    err = capsys.readouterr().err
    if "To go on: " in err:
        program, *again = shlex.split(err.partition("To go on: ")[2])
        assert program == "handnet"
        assert "space.epochs.high=30" in again
        assert cli.main(again) == 0, (err, capsys.readouterr().err)
    else:
        assert any(why in err for why in ("no column varies", "not of two classes")), err


def test_the_way_on_keeps_what_a_settings_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("handnet.study.preview.preview", lambda *_: [])
    rows = [f"{n * 7919 % 101}.5,t{n},u{n},{LABELS[n]}" for n in range(40)]
    path = placed(tmp_path, lines("x,a,b,y", *rows))
    settings = tmp_path / "my.toml"
    settings.write_text(f'[data]\npath = "{path}"\ntarget = "y"\npositive = "M"\nleave = ["a"]\nid = "x"\n')
    words = ["study", "NAME=mine", "OPEN=1", "CHECK=1", f"SETTINGS={settings}", f"MLRUNS={tmp_path / 'm'}"]
    assert cli.main(words) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("Even so no column varies")
    settings.write_text(settings.read_text().replace('id = "x"\n', ""))
    for verb in ("study", "try"):
        assert cli.main([verb, *words[1:]]) == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last == f"To go on: make {' '.join([verb, *words[1:]])} ID=b"
        assert cli.main(shlex.split(last.removeprefix("To go on: make "))) == 0
        capsys.readouterr()
    assert cli.main([*words, "ID=y"]) == 2
    with pytest.raises(Refusal, match="cannot be used") as refusal:
        load(reading.read({}, settings), "abc")
    assert refusal.value.lines[-1].startswith("This study was made on a table with the digest abc")


def test_gaps_of_rows_without_a_label_are_not_counted(tmp_path: Path) -> None:
    cells = ["NA", "", *(f"{n}.5" for n in range(36)), "NA", ""]
    frame = pd.DataFrame({"x": cells, "r": [*range(1, 40), "?"], "y": ["", "", *LABELS[:36], "M", ""]})
    path = placed(tmp_path, frame.to_csv(index=False).encode())
    with pytest.raises(Unusable) as stop:
        read_table(path, "y", "M")
    assert [fault.what for fault in stop.value.faults] == [
        "no label in 3 of 40 rows: empty (3)",
        "gaps in 1 of 37 cells: 'empty or NA' (1)",
    ]
    data = read_table(path, "y", "M", missing="drop")
    assert data.feature_names == ("x",)  # r numbers the rows that have a label
    assert len(data.y) == 36


def test_labels_are_compared_without_blanks_and_by_any_sign_and_decimal_mark(tmp_path: Path) -> None:
    rows = [f"{n * 7 % 41},5;{{{n % 2}}}" for n in range(40)]
    for one, zero, wanted in [("1,0", "0,0", "1"), ("\u22121", "1", "-1"), (" yes ", "no", " yes ")]:
        text = "\n".join(["x;y", *rows]).replace("{1}", one).replace("{0}", zero)
        data = read_table(placed(tmp_path, text.encode()), "y", wanted)
        assert data.y.tolist() == [0, 1] * 20, wanted
    with pytest.raises(ValueError, match="no row of the target 'y' holds the positive label '-1'"):
        read_table(placed(tmp_path, text.encode()), "y", "-1")


@pytest.mark.parametrize(
    ("form", "what", "suggested"),
    [
        ("{n:02}JAN2024", "dates, 40 different", {"leave": ["c"]}),
        ("{m:02}MAR20{n:02}:08:30:00", "dates, 40 different", {"leave": ["c"]}),
        ("20{n:02}-W05-3", "dates, 40 different", {"leave": ["c"]}),
        ("Wed Jan {m:02} 08:30:00 20{n:02}", "dates, 40 different", {"leave": ["c"]}),
        ("JAN{n}B", "text of 40 levels", {"id": "c"}),
        ("- {n}.5", "numbers with the sign behind or apart, 40 different", {"number": ["c"]}),
        ("{n}.5-", "numbers with the sign behind or apart, 40 different", {"number": ["c"]}),
        ("{n}-", "text of 40 levels", {"id": "c"}),  # 1- is a mark at school
    ],
)
def test_dates_and_signs_of_other_programs_are_no_ids(
    form: str, what: str, suggested: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(Unusable) as stop:
        of(tmp_path, own(form))
    assert stop.value.faults[0].what.startswith(what)
    assert stop.value.suggested == suggested


def test_numbers_of_accounts_are_read_in_several_forms(tmp_path: Path) -> None:
    values = [float((-1) ** n * (n * 700 + 5)) for n in range(40)]
    for form in ("({:,.2f})", "{:,.2f}-"):
        cells = [form.format(-one) if one < 0 else f"{one:,.2f}" for one in values]
        with pytest.raises(Unusable, match="numbers written in several ways in 39 of 40 cells") as stop:
            of(tmp_path, cells)
        assert stop.value.suggested == {"number": ["c"]}
        assert of(tmp_path, cells, number="c").X[:, 0].tolist() == values
    with pytest.raises(Unusable, match="numbers written in several ways") as stop:
        of(tmp_path, [f"{n}.5 kg" if n % 2 else f"${n}.5" for n in range(40)])
    assert stop.value.suggested == {"leave": ["c"]}


@given(
    value=st.decimals(-(10**9), 10**9, places=2),
    write=st.sampled_from(
        [
            "{:,.2f}",
            "{:,.2f} kg",
            "${:,.2f}",
            "{:.2f}%",
            "{:,.2f} \u20ac",
            "{:,.2f} mg/dL",
            "{:.2f}\u00a0cm\u00b2",
            "GBP {:,.2f}",
            "{:.2e}",
            "{:.2e} g",
        ]
    ),
    continental=st.booleans(),
)
def test_a_number_is_read_from_what_is_written_around_it(
    value: Decimal, write: str, continental: bool
) -> None:
    """Against the number that was written, to the digits that were."""
    cell = write.format(value)
    expected = float(f"{value:.2e}") if "e}" in write else float(value)
    if continental:
        cell = cell.translate(str.maketrans(",.", ".,"))
    numbers, _ = take_numbers({cell: 1}, "," if continental else ".")
    assert numbers == {cell: expected}


@pytest.mark.parametrize(
    "first", ["12345678901234567890.10", "0.12345678901234567890", "100000000000000000000"]
)
def test_numbers_that_a_float64_does_not_tell_apart_are_no_numbers_untold(first: str, tmp_path: Path) -> None:
    scale = Decimal(1).scaleb(Decimal(first).as_tuple().exponent)
    long = [Decimal(first) + n * scale for n in range(60)]
    table = {"x": [n * 7 % 61 + 0.5 for n in range(60)], "long": long, "y": ["M", "B"] * 30}
    pd.DataFrame(table).to_parquet(path := tmp_path / "x.parquet")
    with pytest.raises(Unusable, match="numbers of more digits than a float64 holds") as stop:
        read_table(path, "y", "M")
    assert stop.value.suggested in ({"leave": ["long"]}, {"id": "long"})
    assert read_table(path, "y", "M", leave="long").feature_names == ("x",)
    data = read_table(path, "y", "M", number="long")
    equal = pd.Series(map(float, long)).duplicated(keep=False).sum()
    different = len(set(map(float, long)))
    assert f"became equal: {equal} in 'long' ({different} different now)." in " ".join(data.notes)
    assert data.X[:, 1].tolist() == list(map(float, long))


def test_large_numbers_that_stay_apart_are_numbers(tmp_path: Path) -> None:
    far = [Decimal("12345678901234567890.10") + 5000 * n for n in range(60)]
    table = {"x": [n * 7 % 61 + 0.5 for n in range(60)], "far": far, "y": ["M", "B"] * 30}
    pd.DataFrame(table).to_parquet(path := tmp_path / "x.parquet")
    assert read_table(path, "y", "M").X[:, 1].tolist() == list(map(float, far))
    pd.DataFrame(table).to_csv(path := tmp_path / "x.csv", index=False)
    assert read_table(path, "y", "M").X[:, 1].tolist() == list(map(float, far))
    pd.DataFrame(table | {"far": [Decimal("12345678901234567890.10") + n for n in range(60)]}).to_csv(
        path, index=False
    )
    with pytest.raises(Unusable, match="float64 holds, 60 of which would become equal, first '123"):
        read_table(path, "y", "M")


@pytest.mark.parametrize("door", ["python", "make", "shell"])
def test_a_suggested_command_has_no_empty_list(door: str) -> None:
    with through(door), messages.typed("study", {"data": "my.csv", "number": ["c"]}):
        assert again(number=[], leave=["c"]) == command("study", data="my.csv", leave=["c"])
        assert again(text=[]) == command(
            "study", data="my.csv", number=["c"], text=[]
        )  # against the settings
