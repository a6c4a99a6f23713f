"""Tables as strangers have them, as data: how each is written, and whether it is read or refused. Each
stands for a kind; tests/test_tables.py runs them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

ROWS = 60
WEIGHT = [f"{55 + (place * 7919) % 301 / 10:.1f}" for place in range(ROWS)]
K = [f"{3 + (place * 104729) % 397 / 100:.2f}" for place in range(ROWS)]
LABEL = ["yes" if (place * 31) % 59 % 2 else "no" for place in range(ROWS)]
GRADE = [("low", "mid", "high")[place % 3] for place in range(ROWS)]
Columns = dict[str, Sequence[str]]


class Stranger(NamedTuple):
    """A table and what is right.

    rows: how many are read; 0: it is refused. says: what the notes, or else the refusal, hold.
    options: typed beside the table, its target and positive label. way_on: options with which a refused
    table is read. names: of the classes that are read, () for a number; None where there are two."""

    what: str
    content: bytes
    rows: int
    says: Sequence[str] = ()
    target: str = "outcome"
    positive: str = "yes"
    options: Mapping[str, Any] = {}
    way_on: Mapping[str, Any] | None = None
    ending: str = ".csv"
    names: Sequence[str] | None = None


def columns(**given: Sequence[str]) -> Columns:
    """The given columns, one of numbers, and the labels."""
    return {**given, "k": K, "outcome": LABEL}


def text(table: Columns, separator: str = ",", end: str = "\n", head: str = "", names: bool = True) -> str:
    """The table as it stands: cells are not quoted."""
    rows = [list(row) for row in zip(*table.values(), strict=True)]
    lines = [list(table), *rows] if names else rows
    return head + "".join(separator.join(line) + end for line in lines)


def csv(**given: Sequence[str]) -> bytes:
    return text(columns(**given)).encode()


def every(step: int, mark: str, cells: Sequence[str], first: int = 3) -> list[str]:
    """The cells with the mark in place of some."""
    return [mark if place % step == first else cell for place, cell in enumerate(cells)]


def parquet(**given: Any) -> bytes:
    """The columns, one of numbers, and the labels, as pandas writes them."""
    frame = pd.DataFrame({"w": [float(cell) for cell in WEIGHT], "outcome": LABEL})
    return bytes(frame.assign(**given).to_parquet())


def told(cells: Sequence[str]) -> bytes:
    """Two columns of numbers, and the target with these cells."""
    return text({"weight": WEIGHT, "k": K, "outcome": cells}).encode()


BASE = {"weight": WEIGHT, "k": K, "outcome": LABEL}
COMMA = {name: [cell.replace(".", ",") for cell in cells] for name, cells in BASE.items()}
NUMBERED = {"1": [str(place) for place in range(1, ROWS + 1)], **BASE}
QUOTED = [f'"{cell}"' for cell in LABEL]
GAPS = len(every(7, "", K)) - sum(1 for cell in every(7, "", K) if cell)
SIX = ["60", "70", "80", "90", "100", "110"]
DIALECTS = [
    Stranger(
        "tabs, and commas in names",
        text({"Weight, kg": WEIGHT, "K, mmol/l, fasting": K, "outcome": LABEL}, "\t").encode(),
        ROWS,
        ending=".tsv",
    ),
    Stranger("semicolons and decimal commas", text(COMMA, ";").encode(), ROWS, ["';'", "decimal comma"]),
    Stranger("tabs and decimal commas", text(COMMA, "\t").encode(), ROWS, ["decimal comma"]),
    Stranger("semicolons and decimal points", text(BASE, ";").encode(), ROWS, ["';'"]),
    Stranger("bars", text(BASE, "|").encode(), ROWS, ["'|'"]),
    Stranger("Excel's line of the separator", text(BASE, head="sep=,\n").encode(), ROWS),
    Stranger("Excel's semicolon", text(COMMA, ";", "\r\n", "sep=;\r\n").encode(), ROWS),
    Stranger("comments above", text(BASE, head="# weights\n# 2024, clinic B\n").encode(), ROWS, ["2 lines"]),
    Stranger(
        "R's write.table",
        text(NUMBERED).replace("1,weight", "weight", 1).encode(),
        ROWS,
        ["names of the rows"],
    ),
    Stranger(
        "R's write.csv",
        text(NUMBERED).replace("1,weight", '"",weight', 1).encode(),
        ROWS,
        ["names of the rows"],
    ),
    Stranger("pandas's index", text(NUMBERED).replace("1,weight", "Unnamed: 0,weight", 1).encode(), ROWS),
    Stranger("a comma ends every line", text(BASE, end=",\n").encode(), ROWS, ["separator ends every line"]),
    Stranger("blanks", text(BASE, "  ").encode(), ROWS, ["blanks"], ending=".dat"),
    Stranger("old Mac line ends", text(BASE, end="\r").encode(), ROWS),
    Stranger(
        "a mark, and quoted names", b"\xef\xbb\xbf" + text(BASE).replace("weight", '"weight"').encode(), ROWS
    ),
    Stranger(
        "Latin-1",
        text({"Größe": WEIGHT, **columns()}).encode("latin-1"),
        0,
        ["not UTF-8", "Latin-1"],
        way_on={"encoding": "latin-1"},
    ),
    Stranger("UTF-16 with its mark", text(BASE).encode("utf-16"), ROWS, ["UTF-16"]),
    Stranger("names that are numbers", text({"2019": WEIGHT, "2020": K, "outcome": LABEL}).encode(), ROWS),
    Stranger(
        "a spectrum", text({**{str(1100 + 2 * n): K for n in range(9)}, "outcome": LABEL}).encode(), ROWS
    ),
    Stranger("the header twice", csv(weight=every(60, "weight", WEIGHT)).replace(b",3.8", b",k", 1), 0),
]
IN_NUMBERS = ["#N/A", "?", "-", ".", "missing", "unknown", "#DIV/0!", "#VALUE!", "", "—", "*", "none", "NaT"]
IN_TEXT = ["#N/A", "-nan", "NaT", "<NA>", "NULL", "n/a"]
LEVELS = ["?", "-", ".", "missing", "nil", "none", "None", "unknown"]
MISSING = [
    *(
        Stranger(
            f"{mark!r} among numbers",
            csv(weight=every(7, mark, WEIGHT)),
            0,
            [f"{GAPS}", "'weight'", *([repr(mark)] if mark else [])],
            way_on={"missing": "median"},
        )
        for mark in IN_NUMBERS
    ),
    *(
        Stranger(
            f"{mark!r} among texts",
            csv(grade=every(7, mark, GRADE)),
            0,
            [f"{GAPS}", "'grade'", repr(mark)],
            way_on={"missing": "median"},
        )
        for mark in IN_TEXT
    ),
    *(
        Stranger(
            f"{mark!r}, a level", csv(grade=every(7, mark, GRADE)), ROWS, [f"{GAPS}", "'grade'", repr(mark)]
        )
        for mark in LEVELS
    ),
    Stranger(
        "-999 among numbers", csv(weight=every(7, "-999", WEIGHT)), ROWS, ["-999", f"{GAPS}", "'weight'"]
    ),
    Stranger(
        "gaps of one class",
        csv(lab=["" if y == "yes" else w for w, y in zip(WEIGHT, LABEL, strict=True)]),
        0,
        [str(LABEL.count("yes")), "'lab'"],
        way_on={"missing": "median"},
    ),
    Stranger("nothing but gaps", csv(lab=[""] * ROWS), ROWS, ["'lab'"]),
    Stranger(
        "a label is missing",
        text({"w": WEIGHT, "k": K, "outcome": every(12, "", LABEL)}).encode(),
        0,
        ["5", "label"],
        way_on={"missing": "drop"},
    ),
]
COLUMNS = [
    Stranger(
        "a code among texts",
        csv(grade=every(7, "999", GRADE)),
        0,
        [f"{GAPS}", "'999'", "'grade'"],
        way_on={"text": ["grade"]},
    ),
    Stranger(
        "thousands",
        csv(cost=[f'"{w.replace(".", ",")}00"' for w in WEIGHT]),
        0,
        ["'cost'", "thousands"],
        way_on={"number": ["cost"]},
    ),
    Stranger(
        "thousands in some",
        csv(cost=[f'"{n // 4},{n % 900 + 100}"' if n > 300 else str(n) for n in range(290, 350)]),
        0,
        ["'cost'", "thousands"],
        way_on={"number": ["cost"]},
    ),
    Stranger(
        "thousands by blanks",
        csv(cost=[f"1 {100 + n * 7}" for n in range(ROWS)]),
        0,
        ["'cost'", "thousands"],
        way_on={"number": ["cost"]},
    ),
    Stranger(
        "a currency",
        csv(cost=[f"${w}" for w in WEIGHT]),
        0,
        ["'cost'", "currency"],
        way_on={"number": ["cost"]},
    ),
    Stranger("per cent", csv(sat=[f"{w}%" for w in WEIGHT]), 0, ["'sat'", "%"], way_on={"number": ["sat"]}),
    Stranger("per cent of few levels", csv(ef=[f"{SIX[n % 6]}%" for n in range(ROWS)]), ROWS, ["'ef'", "%"]),
    Stranger("a unit", csv(dose=[f"{SIX[n % 6]} mg" for n in range(ROWS)]), ROWS, ["'dose'", "unit"]),
    Stranger(
        "below the limit",
        csv(crp=every(6, "<5", WEIGHT)),
        0,
        ["10", "'<5'", "'crp'"],
        way_on={"number": ["crp"], "missing": "median"},
    ),
    Stranger("ages in bands", csv(age=[("18-24", "25-34", "35+")[n % 3] for n in range(ROWS)]), ROWS),
    Stranger(
        "ages in bands and alone",
        csv(age=[("<1", "1-4", "5-9", "10")[n % 4] for n in range(ROWS)]),
        0,
        ["15", "'10'", "'age'"],
        way_on={"text": ["age"]},
    ),
    Stranger(
        "dates",
        csv(seen=[f"2024-{1 + n // 28:02}-{1 + n % 28:02}" for n in range(ROWS)]),
        0,
        ["'seen'", "date"],
        way_on={"leave": ["seen"]},
    ),
    Stranger(
        "German dates",
        csv(seen=[f"{1 + n % 28:02}.{1 + n // 28:02}.2024" for n in range(ROWS)]),
        0,
        ["'seen'", "date"],
        way_on={"leave": ["seen"]},
    ),
    Stranger(
        "few dates", csv(visit=[f"2024-{1 + n % 3:02}-01" for n in range(ROWS)]), ROWS, ["'visit'", "date"]
    ),
    Stranger("times", csv(at=[f"{8 + n % 4:02}:30" for n in range(ROWS)]), ROWS, ["'at'", "time"]),
    Stranger("leading zeros", csv(ward=[f"{7 + n % 5:03}" for n in range(ROWS)]), ROWS, ["'ward'", "zero"]),
    Stranger(
        "yes and 1",
        csv(smoker=[("yes", "no", "1")[n % 3] for n in range(ROWS)]),
        0,
        ["20", "'1'", "'smoker'"],
        way_on={"text": ["smoker"]},
    ),
    Stranger(
        "levels of two cases",
        csv(sex=[("Male", "male", "female")[n % 3] for n in range(ROWS)]),
        ROWS,
        ["'sex'", "case"],
    ),
    Stranger("another minus", csv(be=[f"\N{MINUS SIGN}{w}" for w in WEIGHT]), ROWS, ["'be'", "minus"]),
    Stranger("a blank that does not break", csv(w=[f"{w}\N{NO-BREAK SPACE}" for w in WEIGHT]), ROWS),
    Stranger(
        "two numbers in a cell",
        csv(bp=[f"{100 + n}/{60 + n}" for n in range(ROWS)]),
        0,
        ["'bp'"],
        way_on={"leave": ["bp"]},
    ),
    Stranger("Roman numerals", csv(nyha=[("I", "II", "III", "IV")[n % 4] for n in range(ROWS)]), ROWS),
    Stranger("truth values", csv(flag=[str(n % 3 == 0) for n in range(ROWS)]), ROWS),
    Stranger("exponents", csv(count=[f"{float(w) * 1000:.2E}" for w in WEIGHT]), ROWS),
    Stranger(
        "underscores", csv(c=[f"1_{100 + n}" for n in range(ROWS)]), 0, ["'c'"], way_on={"leave": ["c"]}
    ),
    Stranger(
        "hexadecimal", csv(c=[f"0x{100 + n:x}" for n in range(ROWS)]), 0, ["'c'"], way_on={"leave": ["c"]}
    ),
    Stranger(
        "formulas",
        csv(code=[f'="{n:03}"' for n in range(ROWS)]),
        0,
        ["'code'", "'='"],
        way_on={"leave": ["code"]},
    ),
    Stranger("numbers of rows", csv(id=[f"{n}.0" for n in range(ROWS)]), ROWS, ["'id'", "number"]),
    Stranger(
        "shuffled numbers", csv(MRN=[str(839180850 + n * 7919 % 61) for n in range(ROWS)]), ROWS, ["'MRN'"]
    ),
    Stranger(
        "a text in every row",
        csv(uuid=[f"{n * 7919:x}" for n in range(ROWS)]),
        0,
        ["'uuid'"],
        way_on={"leave": ["uuid"]},
    ),
    Stranger(
        "21 levels",
        csv(state=[f"S{n % 21}" for n in range(ROWS)]),
        0,
        ["'state'", "21"],
        way_on={"leave": ["state"]},
    ),
    Stranger("a column twice", csv(w=WEIGHT, w_copy=WEIGHT), ROWS),
]
TARGETS = [
    Stranger(
        "a label of floats",
        text({"w": WEIGHT, "y": [f"{float(y == 'yes')}" for y in LABEL]}).encode(),
        ROWS,
        target="y",
        positive="1",
    ),
    Stranger(
        "spellings of a number",
        text({"w": WEIGHT, "y": [("1", "1.0", "1.000", "0")[n % 4] for n in range(ROWS)]}).encode(),
        ROWS,
        ["'1.0'"],
        target="y",
        positive="1",
    ),
    Stranger(
        "labels of two cases",
        text({"w": WEIGHT, "outcome": every(6, "YES", LABEL)}).encode(),
        0,
        ["'YES'", "case"],
    ),
    Stranger(
        "a third label, and a positive one",
        told(every(6, "unknown", LABEL)),
        0,
        ["3 labels", "'unknown' (10)", "empty the cells that hold 'unknown'"],
        way_on={"positive": ""},
    ),
    Stranger(
        "a label called NA",
        text({"w": WEIGHT, "region": [("NA", "EU")[n % 2] for n in range(ROWS)]}).encode(),
        ROWS,
        target="region",
        positive="NA",
    ),
    Stranger(
        "a label of signs",
        text({"w": WEIGHT, "income": [(">50K", "<=50K")[n % 2] for n in range(ROWS)]}).encode(),
        ROWS,
        target="income",
        positive=">50K",
    ),
    Stranger(
        "quotes and dollars",
        text({"w": WEIGHT, "don't know $x": [("can't $HOME", "no")[n % 2] for n in range(ROWS)]}).encode(),
        ROWS,
        target="don't know $x",
        positive="can't $HOME",
    ),
    Stranger("one label", text({"w": WEIGHT, "outcome": ["no"] * ROWS}).encode(), 0, ["only the label 'no'"]),
]
# What has no positive label: the cells of the target, and what is right.
TASKS = [
    Stranger("three labels", told(GRADE), ROWS, names=["high", "low", "mid"]),
    Stranger(
        "a label that may be a gap",
        told(every(6, "unknown", LABEL)),
        ROWS,
        ["may stand for a gap: 'unknown' (10)"],
        names=["no", "unknown", "yes"],
    ),
    Stranger("two labels", told(LABEL), 0, ["two labels, 'no' (31), 'yes' (29)"], way_on={"positive": "yes"}),
    Stranger(
        "grades",
        told([("10", "2", "1.0", "1", "2.0")[n % 5] for n in range(ROWS)]),
        ROWS,
        ["3 different whole numbers, and each is a class", 'task="number"', "'1' (12), '1.0' (12)"],
        names=["1.0", "2", "10"],
    ),
    Stranger(
        "grades as a number",
        told([str(n % 5) for n in range(ROWS)]),
        ROWS,
        options={"task": "number"},
        names=(),
    ),
    Stranger(
        "few whole numbers, some rare",
        told([str(min(n % 13, 8)) for n in range(ROWS)]),
        ROWS,
        ["9 different whole numbers, some in fewer than 10 rows", 'task="classes"'],
        names=(),
    ),
    Stranger(
        "rare whole numbers as classes",
        told([str(min(n % 13, 8)) for n in range(ROWS)]),
        ROWS,
        options={"task": "classes"},
        names=[str(n) for n in range(9)],
    ),
    Stranger("a number", told(WEIGHT), ROWS, names=()),
    Stranger("a number of few steps", told([str(n % 4 / 2) for n in range(ROWS)]), ROWS, names=()),
    Stranger("another minus in a number", told([f"\N{MINUS SIGN}{w}" for w in WEIGHT]), ROWS, names=()),
    Stranger(
        "a number with decimal commas",
        text({**COMMA, "outcome": COMMA["weight"]}, ";").encode(),
        ROWS,
        ["decimal commas"],
        names=(),
    ),
    Stranger(
        "a number alone with decimal commas",
        text({"k": [str(n % 7) for n in range(ROWS)], "outcome": COMMA["weight"]}, ";").encode(),
        ROWS,
        ["decimal commas: 'outcome'"],
        names=(),
    ),
    Stranger(
        "a number with a unit",
        told([f"{w} kg" for w in WEIGHT]),
        0,
        ["'outcome'  numbers with a unit, 60 different, first '55.0 kg' (line 2)"],
        way_on={"task": "number"},
    ),
    Stranger(
        "thousands",
        told([f'"{n + 1},{n * 37 % 1000:03}"' for n in range(ROWS)]),
        0,
        ["numbers with marks between thousands, 60 different"],
        way_on={"task": "number"},
    ),
    Stranger(
        "a number with a unit, asked for",
        told([f"{w} kg" for w in WEIGHT]),
        ROWS,
        ["Taken off, so that numbers are read: 'kg' in 'outcome'"],
        options={"task": "number"},
        names=(),
    ),
    Stranger(
        "a number with gaps",
        told(every(7, "?", WEIGHT)),
        0,
        ["no number in 9 of 60 rows: '?' (9)"],
        way_on={"missing": "drop"},
    ),
    Stranger(
        "grades with gaps",
        told(every(7, "", GRADE)),
        0,
        ["no label in 9 of 60 rows: empty (9)"],
        way_on={"missing": "drop"},
    ),
    Stranger(
        "a code among numbers",
        told(every(20, "-999", WEIGHT)),
        ROWS,
        ["may stand for a gap: -999 (3) in 'outcome'"],
        names=(),
    ),
    Stranger(
        "dates of eight digits",
        told([str(20240101 + n % 28) for n in range(ROWS)]),
        ROWS,
        ["dates, as"],
        names=(),
    ),
    Stranger(
        "infinite",
        told(every(30, "inf", WEIGHT)),
        0,
        ["infinite values in 2 of 60 cells, first 'inf' (line 5)"],
    ),
    Stranger(
        "absurd", told(every(60, "1e40", WEIGHT)), 0, ["numbers above 1e+30 in 1 of 60 cells, first '1e40'"]
    ),
    Stranger(
        "a word among numbers",
        told(every(30, "heavy", WEIGHT)),
        0,
        ["is a number in most rows, but holds words in 2 of 60 cells, first 'heavy' (line 5)", "missing="],
    ),
    Stranger(
        "a word among few numbers",
        told(every(30, "heavy", [str(n % 9) for n in range(ROWS)])),
        0,
        ["is a number in most rows, but holds words in 2 of 60 cells", 'task="classes"'],
    ),
    Stranger(
        "labels as a number",
        told(LABEL),
        0,
        ["is to be a number, but holds words in 60 of 60 cells", 'task="classes"'],
        options={"task": "number"},
    ),
    Stranger(
        "a number as classes",
        told(WEIGHT),
        0,
        ["holds 60 labels, ", "at most 50 classes"],
        options={"task": "classes"},
    ),
    Stranger(
        "a name of its own for each row",
        told([f"c{n}" for n in range(ROWS)]),
        0,
        ["holds 60 labels", "55 more"],
    ),
    Stranger(
        "dates",
        told([f"2024-{1 + n // 28:02}-{1 + n % 28:02}" for n in range(ROWS)]),
        0,
        ["holds dates, 60 different, first '2024-01-01' (line 2)", "neither classes nor a number"],
    ),
    Stranger(
        "few dates", told([f"2024-0{1 + n % 3}-01" for n in range(ROWS)]), 0, ["dates, 3", 'task="classes"']
    ),
    Stranger(
        "few dates as classes",
        told([f"2024-0{1 + n % 3}-01" for n in range(ROWS)]),
        ROWS,
        options={"task": "classes"},
        names=["2024-01-01", "2024-02-01", "2024-03-01"],
    ),
    Stranger(
        "truth values and a third",
        told([("True", "false", "true", "maybe")[n % 4] for n in range(ROWS)]),
        ROWS,
        ["'True' (15), 'true' (15)"],
        names=["True", "false", "maybe"],
    ),
    Stranger(
        "truth values",
        told([str(n % 2 == 0) for n in range(ROWS)]),
        0,
        ["two labels"],
        way_on={"positive": "True"},
    ),
    Stranger(
        "three labels of two cases",
        told(every(6, "LOW", GRADE)),
        0,
        ["upper and lower case only", "'LOW' (10)"],
    ),
    Stranger(
        "labels that look alike",
        told(every(6, "e\u0301t\u00e9", ["\u00e9t\u00e9", "hiver", "automne"] * 20)),
        0,
        ["only in how they are encoded"],
    ),
    Stranger(
        "blanks in labels", told(["a b", "a  b", "c"] * 20), 0, ["only in how they are encoded: 'a  b' (20)"]
    ),
    Stranger("one number", told(["4.5"] * ROWS), 0, ["two labels or more", "only the label '4.5' (60)"]),
    Stranger(
        "one number, asked for", told(["4.5"] * ROWS), 0, ["4.5 in all rows"], options={"task": "number"}
    ),
    Stranger("no label at all", told([""] * ROWS), 0, ["two labels or more", "holds none"]),
    Stranger(
        "another task", told(LABEL), 0, ["task must be one of '', 'classes', 'number'"], options={"task": "x"}
    ),
    Stranger(
        "a positive number",
        told(WEIGHT),
        0,
        ["which is for two labels"],
        positive="60",
        way_on={"positive": ""},
    ),
]
TASKS = [
    task._replace(what=f"{task.what}, as target", positive=task.positive if task.positive != "yes" else "")
    for task in TASKS
]
NAMES = [
    Stranger(
        "the name of a gap mark",
        text({"a": every(7, "", WEIGHT), "a missing": K, "outcome": LABEL}).encode(),
        ROWS,
        options={"missing": "median"},
    ),
    Stranger("the name of a level", csv(form=GRADE, **{"form=low": WEIGHT}), ROWS),
    Stranger(
        "names that differ by a blank",
        text({"w": WEIGHT, "w ": K, "outcome": LABEL}).encode(),
        0,
        ["more than one column is called 'w'"],
    ),
    Stranger("a line in a name", csv(**{'"weight\n(kg)"': WEIGHT}), ROWS),
    Stranger("HTML in a name", csv(**{"<b>w</b> & <script>alert(1)</script>": WEIGHT, "k|x": K}), ROWS),
    Stranger("a long name", csv(**{"w" * 300: WEIGHT}), ROWS),
    Stranger("other alphabets", csv(**{"体重": WEIGHT, "калий 🩸": K}), ROWS),
]
SERIES = pd.Series(range(ROWS))
TYPED = [
    Stranger("a categorical", parquet(g=pd.Categorical(GRADE)), ROWS),
    Stranger("a categorical of numbers", parquet(g=pd.Categorical(SERIES % 3)), ROWS),
    Stranger(
        "whole numbers with gaps",
        parquet(g=(SERIES % 5).astype("Int64").mask(SERIES % 3 == 0)),
        0,
        ["20", "'g'"],
        way_on={"missing": "median"},
    ),
    Stranger(
        "truth values with gaps",
        parquet(g=(SERIES % 2 == 0).astype("boolean").mask(SERIES % 3 == 0)),
        0,
        ["20", "'g'"],
        way_on={"missing": "median"},
    ),
    Stranger(
        "a date",
        parquet(g=pd.date_range("2024-01-01", periods=ROWS)),
        0,
        ["'g'", "date"],
        way_on={"leave": ["g"]},
    ),
    Stranger(
        "a duration",
        parquet(g=pd.to_timedelta(SERIES, unit="D")),
        0,
        ["'g'", "duration"],
        way_on={"leave": ["g"]},
    ),
    Stranger("labels that are truth values", parquet(outcome=SERIES % 2 == 0), ROWS, positive="True"),
    Stranger(
        "a number of floats with a gap",
        parquet(outcome=every(7, np.nan, [float(w) for w in WEIGHT])),
        0,
        ["no number in 9 of 60 rows"],
        positive="",
        way_on={"missing": "drop"},
    ),
    Stranger("a number of whole numbers", parquet(outcome=SERIES**2), ROWS, positive="", names=()),
    Stranger(
        "a categorical target",
        parquet(outcome=pd.Categorical(GRADE)),
        ROWS,
        positive="",
        names=["high", "low", "mid"],
    ),
    Stranger(
        "an ordered categorical target",
        parquet(outcome=pd.Categorical(GRADE, ["none", "low", "mid", "high"], ordered=True)),
        ROWS,
        positive="",
        names=["low", "mid", "high"],
    ),
    Stranger(
        "a date as target",
        parquet(outcome=pd.date_range("2024-01-01", periods=ROWS)),
        0,
        ["holds dates, 60 different"],
        positive="",
    ),
    Stranger(
        "a duration as target",
        parquet(outcome=pd.to_timedelta(SERIES, unit="D")),
        0,
        ["holds durations, 60 different"],
        positive="",
    ),
    Stranger("truth values by number", parquet(outcome=SERIES % 2 == 0), ROWS, positive="1"),
    Stranger("labels that are floats", parquet(outcome=(SERIES % 2).astype(float)), ROWS, positive="1"),
    Stranger(
        "an index kept as a column",
        bytes(
            pd.DataFrame(
                {"Unnamed: 0": [f"r{n}" for n in SERIES], "k": SERIES % 7, "outcome": LABEL}
            ).to_parquet()
        ),
        ROWS,
        ["names of the rows"],
    ),
    Stranger("a text called NA", parquet(g=every(3, "NA", GRADE)), ROWS),
    Stranger(
        "infinite", parquet(g=[np.inf, *map(float, K[1:])]), 0, ["'g'", "infinite"], way_on={"leave": ["g"]}
    ),
]
