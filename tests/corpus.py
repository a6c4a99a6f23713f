"""Bad input, as data: each row is what is given and what the one sentence must say. tests/test_refusals.py
runs them."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

NAMES = ("patient", "radius", "texture", "stage", "y")


class Bad(NamedTuple):
    """A table that is refused, or words that are."""

    what: str
    content: bytes
    says: Sequence[str]
    target: str = "y"
    positive: str = "M"
    id: str = "patient"
    more: Sequence[str] = ()  # typed after it


def table(rows: int = 40, **cells: str) -> bytes:
    """A sound table of 5 columns as CSV. cells: `texture_7="x"` puts x into that column on line 7; line 1 is
    the header."""
    lines = [
        [f"{row:04d}", f"{row * 0.37 + 1:.3f}", f"{(row * 7919) % 101}.5", f"{row % 4}", "MB"[row % 2]]
        for row in range(rows)
    ]
    whole = [list(NAMES), *lines]
    for place, value in cells.items():
        name, line = place.rsplit("_", 1)
        whole[int(line) - 1][NAMES.index(name)] = value
    return "".join(",".join(line) + "\n" for line in whole).encode()


def lines(*given: str) -> bytes:
    return "".join(line + "\n" for line in given).encode()


def column(name: str, value: str, rows: int = 40) -> bytes:
    """The sound table with one value all along a column."""
    return table(rows, **{f"{name}_{line}": value for line in range(2, rows + 2)})


def without_line(number: int, content: bytes) -> bytes:
    whole = content.splitlines(keepends=True)
    return b"".join(whole[: number - 1] + whole[number:])


def with_line(number: int, line: str) -> bytes:
    whole = table().splitlines(keepends=True)
    return b"".join([*whole[: number - 1], line.encode() + b"\n", *whole[number - 1 :]])


SOUND = table()
TABLES = [
    # the file as such
    Bad("empty", b"", ["it is empty", "names of the columns"]),
    Bad("blank lines only", b"\n\r\n \n", ["it is empty"]),
    Bad("a BOM only", b"\xef\xbb\xbf", ["it is empty"]),
    Bad("header only", SOUND.splitlines()[0], ["a header and no data rows"]),
    Bad("header and blank lines", SOUND.splitlines()[0] + b"\n\n\n", ["a header and no data rows"]),
    Bad(
        "UTF-16, little, no mark",
        SOUND.decode().encode("utf-16-le"),
        ["looks like UTF-16", "ENCODING=utf-16-le reads it", "save it as CSV UTF-8"],
    ),
    Bad(
        "UTF-16, little, no mark, of another script",
        SOUND.replace(b"radius", "радиус".encode()).decode().encode("utf-16-le"),
        ["ENCODING=utf-16-le reads it"],
    ),
    Bad("UTF-16, big, no mark", SOUND.decode().encode("utf-16-be"), ["ENCODING=utf-16-be reads it"]),
    Bad(
        "Latin-1 in a name",
        SOUND.replace(b"radius", b"f\xfcnf"),
        ["line 1 is not UTF-8", "0xfc", "looks like Latin-1", "'fünf'", "ENCODING=latin-1 reads it"],
    ),
    Bad("Latin-1 in a cell", SOUND.replace(b"0017,", b"M\xe9l,"), ["line 19 is not UTF-8", "0xe9", "'Mél'"]),
    Bad(
        "Windows-1252",
        SOUND.replace(b"0017,", b"\x80 5,"),
        ["line 19 is not UTF-8", "0x80", "'€'", "ENCODING=windows-1252 reads it"],
    ),
    Bad(
        "a byte too few among those of UTF-8",
        SOUND.replace(b"radius", "fünf".encode()).replace(b"0017,", b"M\xc3,"),
        ["line 19 is not UTF-8 (byte 0xc3)", "what stands before it is; correct that line"],
    ),
    Bad("a NUL byte", SOUND.replace(b"0017,", b"0017\0,"), ["line 19 holds a NUL byte"]),
    Bad(
        "a workbook",
        b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0" + bytes(range(256)),
        ["packed (zip", "save the table as CSV UTF-8"],
    ),
    Bad(
        "an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), ["an Excel workbook and no text"]
    ),
    Bad("compressed", gzip.compress(SOUND), ["packed (gzip)", "unpack it"]),
    Bad("an image", b"\x89PNG\r\n\x1a\n\xff\xd8" * 30, ["line 1 is not UTF-8"]),
    # the separator
    Bad(
        "semicolons, points and one decimal comma",
        table(texture_7="1,5").replace(b",", b";").replace(b"1;5;", b"1,5;"),
        [
            "line 7, column 'texture': '1,5' has a comma",
            "'1.000' a point",
            "DECIMAL=. or DECIMAL=, says which",
        ],
    ),
    Bad(
        "semicolons, and commas that mark decimals or thousands",
        lines("patient;x;y", *(f"{n};{n + 1},234;{'MB'[n % 2]}" for n in range(40))),
        ["'1,234' may be 1.234 with a decimal comma or 1234", "DECIMAL=,"],
    ),
    Bad(
        "semicolons, points between thousands and a decimal comma",
        lines("patient;x;y", *(f"{n};{n + 1}.234,5;{'MB'[n % 2]}" for n in range(40))),
        ["line 2, column 'x': '1.234,5' has points between thousands and a decimal comma"],
    ),
    Bad(
        "blanks in a cell between blanks",
        SOUND.replace(b",", b" ").replace(b"0017 ", b"00 17 "),
        ["line 19 has 6 cells where the header has 5", "separator, blanks,", "in quotes"],
    ),
    # the header
    Bad("no header", without_line(1, SOUND), ["the header is missing"]),
    Bad("a column twice", SOUND.replace(b"texture", b"radius"), ["more than one column is called 'radius'"]),
    Bad("a column twice but for blanks", SOUND.replace(b"texture", b" radius "), ["called 'radius'"]),
    Bad(
        "one cell more than names, the first of which name no rows",
        b"".join(b"7," * (n > 0) + one for n, one in enumerate(SOUND.splitlines(True))),
        ["one cell more than the header", "give that column a name", "another separator"],
    ),
    Bad(
        "one cell more than names, which may be decimals",
        lines("patient,x,y", *(f"{n % 9},{n},5,{'MB'[n % 2]}" for n in range(9))),
        ["one cell more than the header"],
    ),
    Bad(
        "row numbers as pandas calls them",
        SOUND.replace(b"stage", b"Unnamed: 0"),
        ["'Unnamed: 0'", "without a name", "LEAVE='Unnamed: 0'"],
    ),
    Bad(
        "row numbers as Parquet calls them",
        SOUND.replace(b"stage", b"__index_level_0__"),
        ["'__index_level_0__'", "without a name", "LEAVE=__index_level_0__"],
    ),
    Bad("a name missing", SOUND.replace(b"texture", b""), ["column 3 has no name, and line 2 holds '0.5'"]),
    Bad(
        "a title above the header",
        b"Wisconsin 1995\n" + SOUND,
        ["the names of the columns stand on line 2", "begin them with '#'"],
    ),
    Bad("the header twice", SOUND + SOUND, ["line 42 repeats the header"]),
    # the shape
    Bad("a row too long", with_line(9, "0900,1,2,3,M,4"), ["line 9 has 6 cells where the header has 5"]),
    Bad("a row too short", with_line(9, "0900,1,2,M"), ["line 9 has 4 cells where the header has 5"]),
    Bad(
        "every row too long",
        SOUND.replace(b"\n", b",,\n").replace(b"y,,\n", b"y\n"),
        ["line 2 has 7 cells", "39 more lines"],
    ),
    Bad(
        "a comma at the end of every line, and once a cell behind it",
        SOUND.replace(b"\n", b",\n").replace(b"B,\n", b"B,1\n", 1),
        ["column 6 has no name, and line 3 holds '1'"],
    ),
    Bad(
        "a row that begins as a comment where ids do too",
        SOUND.replace(b"\n0", b"\n#0").replace(b"#0017,", b"#0017"),
        ["line 19 has 4 cells where the header has 5"],
    ),
    Bad("a decimal comma", with_line(9, "0900,1,5,2,3,M"), ["line 9 has 6 cells", "in quotes"]),
    Bad("cut short", SOUND[:-4], ["line 41 has 4 cells"]),
    Bad(
        "a quote not closed",
        with_line(9, '0900,"1,2,3,M'),
        ["begins on line 9", "a quote that is not closed"],
    ),
    Bad("text after a quote", with_line(9, '0900,"1"x,2,3,M'), ["begins on line 9"]),
    # the target
    Bad(
        "no such target",
        SOUND,
        ["no column 'diagnosis' for the target", "'patient', 'radius'"],
        target="diagnosis",
    ),
    Bad(
        "a target misspelt",
        SOUND,
        ["no column 'textur' for the target", "did you mean 'texture'"],
        target="textur",
    ),
    Bad(
        "a target with other accents",
        SOUND.replace(b"y\n", "e\u0301\n".encode(), 1),
        ["no column '\u00e9'", "looks the same", "copy the name"],
        target="\u00e9",
    ),
    Bad(
        "a label with other accents",
        SOUND.replace(b"M\n", "e\u0301\n".encode()),
        ["positive label '\u00e9'", "looks the same"],
        positive="\u00e9",
    ),
    Bad("one label", column("y", "M"), ["two labels", "only the label 'M' (40)"]),
    Bad("three labels", table(y_5="X"), ["3 labels", "'X' (1)"]),
    Bad("labels in two spellings", table(y_5="m"), ["upper and lower case only", "'M' (20), 'm' (1)"]),
    Bad(
        "a positive number",
        SOUND,
        ["'radius'  numbers, 40 different", "read without POSITIVE", "TARGET=radius ID=patient"],
        target="radius",
        positive="1.000",
    ),
    Bad(
        "no positive label",
        SOUND,
        ["'y'  two labels, 'M' (20), 'B' (20)", "To go on: make study", "POSITIVE=B"],
        positive="",
    ),
    Bad(
        "a number with a word",
        table(radius_7="abc"),
        [
            "'radius' is to be a number, but holds words in 1 of 40 cells, first 'abc' (line 7)",
            "MISSING=drop",
        ],
        target="radius",
        positive="",
        more=["TASK=number"],
    ),
    Bad(
        "labels as a number",
        SOUND,
        ["'y' is to be a number, but holds words in 40 of 40 cells, first 'M' (line 2)", "TASK=classes"],
        positive="",
        more=["TASK=number"],
    ),
    Bad(
        "one number",
        column("radius", "4.5"),
        ["'radius' holds the number 4.5 in all rows, so there is nothing to learn"],
        target="radius",
        positive="",
        more=["TASK=number"],
    ),
    Bad(
        "rare labels",
        lines("patient,x,y", *(f"{n},{n * 7919 % 101}.5,{'ABC'[n % 3] if n else 'D'}" for n in range(40))),
        ["needs about 10 of each for that, but has", "1 of 'D'"],
        positive="",
    ),
    Bad(
        "a missing label",
        table(y_5=""),
        ["'y'", "no label in 1 of 40 rows: empty (1)", "To go on: make study", "MISSING=drop"],
    ),
    Bad("a label NaN", table(y_5="NaN"), ["no label in 1 of 40 rows: 'NaN' (1)", "MISSING=drop"]),
    Bad(
        "no such positive label",
        SOUND,
        ["positive label 'malignant'", "'M' (20), 'B' (20)"],
        positive="malignant",
    ),
    Bad("the positive label in lower case", SOUND, ["positive label 'm'"], positive="m"),
    Bad(
        "a class too small",
        column("y", "B").replace(b"3,B", b"3,M", 5),
        ["needs about 10 of each", "35 of 'B' and 5 of 'M'"],
    ),
    Bad("a table too small", table(10), ["needs about 10 of each", "5 of 'B' and 5 of 'M'"]),
    Bad("a part without a class", table(13), ["needs about 10 of each", "part: ", "1 of 'M')"]),
    # the ids
    Bad("no such id", SOUND, ["no column 'Patient' for the id", "did you mean 'patient'"], id="Patient"),
    Bad("the id is the target", SOUND, ["both the target and the id"], id="y"),
    Bad("an id twice", table(patient_9="0003"), ["the id '0003' stands on lines 5 and 9"]),
    Bad("an id missing", table(patient_9=""), ["line 9 has no id", "column 'patient' holds ''"]),
    Bad(
        "an id that stands for none",
        table(patient_9="NA"),
        ["line 9 has no id", "column 'patient' holds 'NA'"],
    ),
    # the groups
    Bad(
        "no such group",
        SOUND,
        ["no column 'Stage' for the group", "did you mean 'stage'"],
        more=["GROUP=Stage"],
    ),
    Bad("the group is the id", SOUND, ["both the id and the group"], more=["GROUP=patient"]),
    Bad("the group is the target", SOUND, ["both the target and the group"], more=["GROUP=y"]),
    Bad(
        "a group missing",
        table(stage_9="NA"),
        ["line 9 has no group", "column 'stage' holds 'NA'"],
        more=["GROUP=stage"],
    ),
    Bad(
        "groups too large to divide",
        SOUND,
        ["rows of one group stay together", "must be in 3 groups at least, but 'B' has 2 and 'M' has 2"],
        more=["GROUP=stage"],
    ),
    Bad(
        "equal rows too many to divide",
        lines("patient,x,y", *(f"{n},{n % 2},{'MB'[n % 2]}" for n in range(40))),
        ["equal rows stay together", "3 different rows at least, but 'B' has 1 and 'M' has 1"],
    ),
    # the gaps
    Bad(
        "a gap in every row",
        table(**{f"{'radius' if line % 2 else 'texture'}_{line}": "" for line in range(2, 42)}),
        ["40 rows have a gap", "not of two classes", "MISSING=median"],
        more=["MISSING=drop"],
    ),
    Bad(
        "gaps and nothing else",
        lines("patient,radius,y", *(f"{n},,{'MB'[n % 2]}" for n in range(40))),
        ["no column varies"],
        more=["MISSING=median"],
    ),
    Bad(
        "a word among gaps and numbers",
        table(texture_7="", texture_9="x"),
        ["words in 1 of 39 cells, first 'x' (line 9)", "MISSING=median", "NUMBER=texture\n"],
        more=["MISSING=median"],
    ),
    # the measurements
    Bad(
        "an empty cell",
        table(texture_7=""),
        ["'texture'  gaps in 1 of 40 cells: empty (1)", "MISSING=median", "MISSING=drop"],
    ),
    Bad(
        "empty cells in two columns",
        table(texture_7="", radius_8="NA", radius_9=" "),
        ["'radius'   gaps in 2 of 40 cells", "'texture'  gaps in 1 of 40 cells"],
    ),
    *(
        Bad(
            f"missing as {word}",
            table(texture_7=word),
            ["'texture'  gaps in 1 of 40 cells", "MISSING=median"],
        )
        for word in (
            "NA",
            "n/a",
            "null",
            "-nan",
            "#N/A",
            "<NA>",
            "1.#IND",
            "None",
            "?",
            "-",
            "unknown",
            "#DIV/0!",
        )
    ),
    Bad(
        "a word among numbers",
        table(texture_7="abc", texture_9="x"),
        [
            "'texture'  words in 2 of 40 cells, first 'abc' (line 7)",
            "NUMBER=texture makes gaps",
            "LEAVE=texture leaves it out",
        ],
    ),
    Bad(
        "a number among words",
        table(**{f"stage_{line}": "low" if line % 2 else "3" for line in range(2, 42)}),
        ["numbers in 20 of 40 cells, text in the others, first '3' (line 2)", "TEXT=stage takes it as text"],
    ),
    Bad(
        "more digits than a number holds",
        table(texture_7="9007199254740993"),
        ["more digits than a float64 holds in 1 of 40 cells, first '9007199254740993' (line 7)"],
    ),
    Bad(
        "a whole number past 2^63",
        table(texture_7="-9223372036854775809"),
        ["line 7", "more digits than a float64 holds"],
    ),
    Bad(
        "a column of names",
        table(**{f"stage_{line}": f"n{line}" for line in range(2, 42)}),
        ["'stage'  text of 40 levels (at most 20), first 'n2'", "LEAVE=stage leaves it out"],
    ),
    Bad(
        "two columns of names",
        table(**{f"stage_{line}": f"n{line % 21}" for line in range(2, 42)}).replace(b".5,", b"?x,"),
        [
            "2 columns cannot be used",
            "'texture'  text of 40 levels (at most 20), first '0?x'",
            "'stage'    text of 21 levels",
            "LEAVE=texture,stage",
        ],
    ),
    Bad(
        "half as many levels as rows",
        lines("x,stage,y", *(f"{n},{'abcdefg'[n // 2]},{'MB'[n % 2]}" for n in range(13))),
        ["'stage'  text of 7 levels (at most half of 13 rows)", "Even so no column varies"],
        id="x",
    ),
    Bad(
        "a text of its own in every row, and no id",
        lines("patient,x,y", *(f"P{n:03},{n}.5,{'MB'[n % 2]}" for n in range(40))),
        ["text of 40 levels (at most 20), first 'P000'", "ID=patient names the cases"],
        id="",
    ),
    Bad(
        "commas in a column of text",
        table(**{f"stage_{line}": '"1,5"' for line in range(2, 42)}),
        ["'stage'  numbers with a decimal comma", "first '1,5' (line 2)", "NUMBER=stage"],
    ),
    Bad(
        "infinite all along",
        column("stage", "inf"),
        ["'stage'  infinite values, 1 different, first 'inf' (line 2)", "LEAVE=stage"],
    ),
    Bad(
        "a gap and a word",
        table(texture_7="", texture_9="x"),
        ["words in 1 of 39 cells, first 'x' (line 9)", "NUMBER=texture MISSING=median"],
    ),
    Bad("not a number, signed", table(texture_7="+nan"), ["words in 1 of 40 cells, first '+nan'"]),
    Bad(
        "thousands",
        table(texture_7='"1,234"'),
        ["marks between thousands in 1 of 40 cells, first '1,234' (line 7)", "NUMBER=texture reads"],
    ),
    Bad(
        "thousands with blanks",
        table(texture_7="1 234.5"),
        ["first '1 234.5' (line 7)", "NUMBER=texture reads"],
    ),
    Bad(
        "an underscore",
        table(texture_7="1_000"),
        ["numbers with underscores in 1 of 40 cells", "(line 7)", "NUMBER=texture makes gaps"],
    ),
    Bad(
        "a percentage",
        table(texture_7="5%"),
        ["numbers with a % sign in 1 of 40 cells", "NUMBER=texture reads"],
    ),
    Bad(
        "hexadecimal",
        table(texture_7="0x1f"),
        ["hexadecimal numbers in 1 of 40 cells", "NUMBER=texture makes gaps"],
    ),
    Bad("true", table(texture_7="True"), ["words in 1 of 40 cells, first 'True' (line 7)"]),
    Bad("a date", table(texture_7="2024-01-02"), ["dates in 1 of 40 cells, first '2024-01-02' (line 7)"]),
    Bad("digits of another script", table(texture_7="١٢"), ["words in 1 of 40 cells", "(line 7)"]),
    Bad("inf", table(texture_7="inf"), ["infinite values in 1 of 40 cells, first 'inf' (line 7)"]),
    Bad(
        "-Infinity",
        table(texture_7="-Infinity"),
        ["infinite values in 1 of 40 cells, first '-Infinity' (line 7)"],
    ),
    Bad("1e308", table(texture_7="1e308"), ["numbers above 1e+30 in 1 of 40 cells", "(line 7)"]),
    Bad("1e309", table(texture_7="1e309"), ["numbers above 1e+30 in 1 of 40 cells", "(line 7)"]),
    Bad("1e31", table(texture_7="-1e31"), ["numbers above 1e+30", "(line 7)"]),
    Bad(
        "nothing varies",
        lines("patient,radius,y", *(f"{n},7,{'MB'[n % 2]}" for n in range(40))),
        ["no column varies"],
    ),
    Bad(
        "no measurements",
        lines("patient,y", *(f"{n},{'MB'[n % 2]}" for n in range(40))),
        ["no column varies"],
    ),
]

# What is typed after the verb, and what the sentence must say.
SETTINGS: list[tuple[str, list[str]]] = [
    ("space.learning_rate.low=0", ["space.learning_rate.low must be above 0"]),
    ("space.learning_rate.low=-1", ["space.learning_rate", "-1"]),
    ("space.learning_rate.high=nan", ["space.learning_rate.high must be a finite number", "nan"]),
    ("space.learning_rate.high=1e30", ["space.learning_rate must lie within 0 and 10", "1e+30"]),
    ("space.learning_rate.high=inf", ["space.learning_rate.high must be a finite number"]),
    ("space.dropout.high=1.0", ["space.dropout must lie within 0 and 1"]),
    ("space.dropout.high=1.5", ["space.dropout must lie within 0 and 1", "1.5"]),
    ("space.dropout.high=nan", ["space.dropout.high must be a finite number", "nan"]),
    ("space.dropout.low=-0.1", ["space.dropout", "-0.1"]),
    ("space.dropout.low=0.6", ["space.dropout must have low <= high", "0.6"]),
    ("space.epochs.low=0", ["space.epochs", "0"]),
    ("space.epochs.high=-1", ["space.epochs", "-1"]),
    ("space.epochs.high=1e9", ["space.epochs must lie within 1 and 100000"]),
    ("space.epochs.low=10.5", ["whole ends"]),
    ("network.batch_size=0", ["batch_size", "0"]),
    ("network.batch_size=-1", ["batch_size", "-1"]),
    ("network.batch_size=32.5", ["network.batch_size must be a whole number", "32.5"]),
    ("network.hidden=[]", ["hidden"]),
    ("network.hidden=[16,0]", ["hidden", "0"]),
    ("network.hidden=[16,-8]", ["hidden", "-8"]),
    ("network.hidden=sixteen", ["network.hidden must be a list", "sixteen"]),
    ("network.optimizer=adm", ["adam, sgd", "adm"]),
    ("SEEDS=0", ["search.seeds must be", "0"]),
    ("SEEDS=1", ["one seed is no band"]),
    ("SEEDS=-1", ["search.seeds must be", "-1"]),
    ("SEEDS=1000000000", ["search.seeds must be a whole number from 2 to 100000"]),
    ("rehearsal.levels=100", ["rehearsal.levels must be a whole number from 2 to 40"]),
    ("SEEDS=1e3", ["search.seeds must be a whole number", "1000.0"]),
    ("CONFIRM=two", ["confirm.seeds must be a whole number", "two"]),
    ("confirm.first_seed=3", ["confirmation seeds must be fresh"]),
    ("search.first_seed=8589934592", ["search.first_seed must be a whole number from 0 to 4294967295"]),
    ("TRIALS=0", ["search.trials must be a whole number from 1"]),
    ("TRIALS=-1", ["search.trials must be a whole number from 1"]),
    ("TRIALS=1000000000", ["search.trials must be a whole number from 1 to 100000", "1000000000"]),
    ("TRIALS=", ["search.trials", "''"]),
    ("SPLITS=1", ["one split is no band"]),
    ("STRATIFY=perhaps", ["split.stratify must be true or false", "perhaps"]),
    ("split.test=0", ["test must be a share between 0 and 1", "0"]),
    ("split.test=nan", ["split.test must be a finite number"]),
    ("split.val=1.2", ["val must be a share between 0 and 1", "1.2"]),
    ("split.test=0.9", ["train part must be the largest"]),
    ("BACKEND=torch", ["numpy, keras", "torch"]),
    ("DTYPE=float16", ["float32, float64", "float16"]),
    ("DEVICE=gpu", ["runs on the CPU only", "device='gpu'"]),
    ("DESIGN=tep", ["tpe, sobol", "tep"]),
    ("DESIGN=sobol TRIALS=33", ["power of two", "32 or 64"]),
    ("NAME=a/b", ["NAME must be", "'a/b'"]),
    ("NAME=../../x", ["NAME must be"]),
    ("NAME=", ["NAME must be", "''"]),
    ("TRAILS=3", ["TRAILS is not a setting", "did you mean TRIALS"]),
    ("serch.seeds=3", ["serch.seeds is not a setting", "did you mean search.seeds"]),
    ("split=3", ["SPLIT is not a setting", "SPLITS"]),
    ("OPEN=yes", ["OPEN", "expected 0 or 1"]),
    ("data.name=iris", ["data.name must be one of wisconsin", "iris"]),
    ("TARGET=y", ["built in", "DATA="]),
    ("DATA=my.csv", ["needs TARGET= too", "DATA=my.csv TARGET=diagnosis", "ID=patient"]),
    ("GROUP=patient", ["built in", "DATA="]),
    ("MISSING=median", ["built in", "DATA="]),
    ("DATA=my.csv TARGET=y POSITIVE=M MISSING=mean", ["MISSING= must be median or drop", "'mean'"]),
    ("CHECK=yes", ["CHECK", "expected 0 or 1"]),
    ("DATA=my.csv TARGET=y", ["my.csv", "No such file"]),
    ("DATA=my.csv TARGET=y TASK=digit", ["data.task must be classes or number", "'digit'"]),
    ("DATA=wine TARGET=y", ["wine is built in", "DATA="]),
    ("wyne", ["no file and no built-in table of the name 'wyne'", "did you mean wine?"]),
    ("wine DATA=my.csv", ["wine", "two tables"]),
    ("DATA=missing.csv TARGET=y POSITIVE=M", ["missing.csv", "No such file", "CSV, TSV or Parquet"]),
    ("DATA=/tmp TARGET=y POSITIVE=M", ["/tmp", "no file"]),
    ("SETTINGS=missing.toml", ["missing.toml does not exist"]),
    ("SETTINGS=/tmp", ["/tmp cannot be read"]),
    ("--trials", ["TRIALS wants a value"]),
]

# A settings file with something replaced, and what the sentence must say.
FILES: list[tuple[str, str, list[str]]] = [
    (
        "[families]",
        "[families]\nsize = ['mean radius', 'mean raduis']",
        ["families: there is no column 'mean raduis'", "did you mean mean radius"],
    ),
    (
        "[families]",
        "[families]\nsize = ['mean radius']\nform = ['mean radius']",
        ["families: the column 'mean radius' is named twice"],
    ),
    ("[families]", "[families]\nsize = 'mean radius'", ["families.size must be a list", "'mean radius'"]),
    ("[families]", "families = 3\n[other]", ["data.families is not a setting"]),
    ("[split]", "[split", ["cannot be read as TOML", "line"]),
    ("seed = 42", "seed = 42\nseed = 43", ["cannot be read as TOML", "line"]),
    ("seed = 42", "seed = ", ["cannot be read as TOML", "line"]),
    ("seed = 42", "sede = 42", ["split.sede is not a setting", "did you mean seed"]),
    ("seed = 42", "seed = '42'", ["split.seed must be a whole number", "'42'"]),
    ("seed = 42", "seed = true", ["split.seed must be a whole number", "True"]),
    ("stratify = true", "stratify = 1", ["split.stratify must be true or false"]),
    ("[report]", "[reprot]", ["reprot is not a setting", "report"]),
    ("hidden = [16, 8]", "hidden = ['16']", ["network.hidden[0] must be a whole number"]),
    ('name = "chapter second"', 'name = "chapter"', ["compare.name must be unique"]),
    ("learning_rate = 1e-3\ndropout = 0.2", "learning_rate = -1\ndropout = 0.2", ["compare 'chapter'", "-1"]),
    ("dropout = 0.2\n", "", ["compare 'chapter': dropout is missing"]),
    ("compare = []", "compare = 3", ["compare must be a list", "3"]),
    ('positive = ""', "positive = 1", ["data.positive must be a text", "1"]),
]

# Tables that differ from the sound one in form alone: they must give its digest.
SAME: dict[str, bytes] = {
    "a BOM": b"\xef\xbb\xbf" + SOUND,
    "two BOMs": b"\xef\xbb\xbf" * 2 + SOUND,
    "lines of Windows": SOUND.replace(b"\n", b"\r\n"),
    "lines of an old Macintosh": SOUND.replace(b"\n", b"\r"),
    "tabs": SOUND.replace(b",", b"\t"),
    "no last newline": SOUND[:-1],
    "blank lines": SOUND.replace(b"\n", b"\n\n") + b"\n\n",
    "blanks around cells": SOUND.replace(b",", b" , "),
    "everything quoted": b"".join(b'"' + one.replace(b",", b'","') + b'"\n' for one in SOUND.splitlines()),
    "exponents": SOUND.replace(b".5,", b"5e-1,"),
    "plus signs": SOUND.replace(b",1.000", b",+1.0"),
}
HOSTILE = [
    "<script>alert(1)</script>",
    "$x^2$ [bold] {{ 7*7 }}",
    "=cmd()|'`&é\u202e",
    "../..\n# x",
    "a,b;c\t%00" * 40,
]


class Ill(NamedTuple):
    """A folder with a finished study in which something is wrong, and what a command must say of it.

    do: bytes for a file, a number of bytes to cut it to, or None to remove what the pattern names."""

    what: str
    pattern: str
    do: bytes | int | None
    says: Sequence[str]
    verb: str = "study"
    code: int = 1


NETWORK, TEST, VAL = (f"studies/*/{kind}/*.npz" for kind in ("network/*", "test/*", "val"))
AGAIN = "make study MLRUNS={home} makes them again"
FOLDERS = [
    *(
        Ill(f"{what} {state}", pattern, do, [says, state.split()[0], AGAIN], "report")
        for what, pattern, says in [
            ("a network", NETWORK, "the results of seeds"),
            ("the test", TEST, "on the test"),
            ("a baseline", VAL, "on the validation rows"),
        ]
        for state, do in [("not there", None), ("damaged", 90), ("damaged to nothing", b"")]
    ),
    *(
        Ill(f"{name} {what}", f"studies/*/{name}", do, [name, "restore the study from a backup"], verb)
        for name, verbs in [
            ("study.json", ("study", "report")),
            ("trials.jsonl", ("study", "report")),
            ("commit.json", ("report", "case ID=1")),
        ]
        for what, do, verb in [("of text", b"my notes\n", verbs[0]), ("of another shape", b"[1]\n", verbs[1])]
    ),
    Ill(
        "a ledger that is none",
        "openings.jsonl",
        b"my notes\n",
        ["openings.jsonl", "line 1", "no opening"],
        "report",
    ),
    Ill("no trials", "studies/*/trials.jsonl", None, ["the trials of", AGAIN], "report"),
    Ill("no studies", "studies", None, ["there is no study", "make study"], "report", 2),
    Ill("no studies to look at", "studies", None, ["there is no study", "make study"], "ui", 2),
    Ill("no studies to copy", "studies", None, ["there is no study", "nothing to copy"], "backup", 2),
    Ill(
        "the study of another name",
        "none",
        None,
        ["there is no study 'nosuch'", "there are: wisconsin-", "choose with NAME=wisconsin-"],
        "report NAME=nosuch",
        2,
    ),
    Ill("a copy over another", "none", None, ["exists already", "TO="], "backup TO=/tmp", 2),
    Ill("no such case", "none", None, ["there is no case '999'", "from 0 to 568"], "case ID=999", 2),
    Ill(
        "a port that is none",
        "none",
        None,
        ["PORT must be a whole number from 1024", "'http'"],
        "ui PORT=http",
        2,
    ),
    Ill("a page where its folder should be", "reports/*", b"mine", ["reports/", "is no folder"], "report"),
]


def placed(folder: Path, content: bytes) -> Path:
    path = folder / "cells.csv"
    path.write_bytes(content)
    return path
