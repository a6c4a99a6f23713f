"""Bad input of every kind, through the real command line: one sentence, its exit code, and nothing else
touched."""

import csv
import json
import shutil
import socket
import sqlite3
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from canonical import report
from corpus import FILES, FOLDERS, HOSTILE, SAME, SETTINGS, SOUND, TABLES, Bad, Ill, column, lines
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experiments.cli import main
from handnet import Dataset, read_csv, read_table, sheets, split
from handnet.data import Array
from handnet.study.reading import DEFAULTS
from handnet.tables import families


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, to the byte."""
    passing = (".lock", "-wal", "-shm")  # who writes, and what SQLite keeps beside an open database
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(passing)
    }


def events(home: Path) -> list[dict]:
    return [json.loads(line) for line in (home / "openings.jsonl").read_text().splitlines()]


def refused(capsys: pytest.CaptureFixture, says: list[str], *words: str, code: int = 2) -> None:
    """The command line gives these words one sentence that says all that, and this exit code."""
    capsys.readouterr()
    assert main(words) == code
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("handnet: ")
    assert err.count("\n") == 1, err
    assert not [part for part in says if part not in err], err
    assert "Traceback" not in err


@pytest.mark.parametrize("bad", TABLES, ids=lambda bad: bad.what)
def test_a_bad_table_is_refused(bad: Bad, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path, home = tmp_path / "cells.csv", tmp_path / "mlruns"
    path.write_bytes(bad.content)
    words = [
        f"DATA={path}",
        f"TARGET={bad.target}",
        f"POSITIVE={bad.positive}",
        f"ID={bad.id}",
        f"MLRUNS={home}",
    ]
    refused(capsys, [f"handnet: {path}: ", *bad.says], "study", *words, *bad.more)
    refused(capsys, [f"handnet: {path}: ", *bad.says], "study", "CHECK=1", *words, *bad.more)
    assert contents(tmp_path) == {"cells.csv": bad.content}
    assert not home.exists()


@pytest.mark.parametrize(("words", "says"), SETTINGS, ids=[words for words, _ in SETTINGS])
def test_bad_words_are_refused(
    words: str, says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    refused(capsys, says, "study", f"MLRUNS={tmp_path / 'mlruns'}", *words.split())
    refused(capsys, says, "study", "CHECK=1", f"MLRUNS={tmp_path / 'mlruns'}", *words.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("old", "new", "says"), FILES, ids=[new for _, new, _ in FILES])
def test_a_bad_settings_file_is_refused(
    old: str, new: str, says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path, text = tmp_path / "my.toml", DEFAULTS.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    refused(capsys, says, "study", f"MLRUNS={tmp_path / 'mlruns'}", f"SETTINGS={path}")
    assert [one.name for one in tmp_path.iterdir()] == ["my.toml"]


def placed(folder: Path, content: bytes) -> Path:
    path = folder / "cells.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("what", SAME)
def test_the_form_of_a_file_does_not_change_what_is_read(what: str, tmp_path: Path) -> None:
    plain = read_csv(placed(tmp_path, SOUND), "y", "M", "patient")
    assert read_csv(placed(tmp_path, SAME[what]), "y", "M", "patient").digest == plain.digest
    assert plain.case_ids[:3].tolist() == ["0000", "0001", "0002"]  # text: leading zeros are part of an id
    assert (plain.X[1].tolist(), plain.y[:3].tolist()) == ([1.37, 41.5, 1.0], [1, 0, 1])
    assert (plain.feature_names, plain.class_names) == (("radius", "texture", "stage"), ("B", "M"))


def test_what_is_no_fault_but_may_be_one_is_remarked(tmp_path: Path) -> None:
    constant = split(read_csv(placed(tmp_path, column("stage", "3")), "y", "M", "patient"))
    assert constant.notes == ("Left out, because they never vary among the train rows: 'stage'.",)
    repeated = SOUND + SOUND.splitlines()[1].replace(b"0000", b"9999")
    (note,) = split(read_csv(placed(tmp_path, repeated), "y", "M", "patient")).notes
    assert note == "1 of 41 rows repeat the measurements of an earlier one; equal rows fall into one part."
    with pytest.warns(UserWarning, match="a different whole number in every row: 'patient'"):
        assert read_csv(placed(tmp_path, SOUND), "y", "M").case_ids.tolist() == list(range(40))
    numbered = (
        SOUND.replace(b"patient", b"number")
        .replace(b"y\n", b"y,who\n")
        .replace(b"M\n", b"M,p\n")
        .replace(b"B\n", b"B,q\n")
    )
    numbered = b"".join(
        line.replace(b",p\n", b",p%d\n" % n).replace(b",q\n", b",q%d\n" % n)
        for n, line in enumerate(numbered.splitlines(True))
    )
    with pytest.warns(
        UserWarning, match="'number'; a column that names the cases or numbers them is to be left out"
    ):
        read_csv(placed(tmp_path, numbered), "y", "M", "who")


def test_a_column_that_tells_the_classes_apart_is_named(tmp_path: Path) -> None:
    rows = [
        f"{n},{n * 7919 % 101}.5,{n % 2 * 3},{'abcd'[n % 4]},{'' if n % 2 else n},{'MB'[n % 2]}"
        for n in range(40)
    ]
    path = placed(tmp_path, lines("id,noise,number,text,gaps,y", *rows))
    found = split(read_table(path, "y", "M", "id", missing="median")).notes
    assert found[-1].startswith(
        "Tells the classes apart by itself in all 24 train rows: 'number', 'text', 'gaps';"
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
    assert sheets._undecodable(content, cut) == place


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
    assert families(data.feature_names) == data.families
    assert families(["radius_mean", "radius_se", "concave points_worst"]) == (
        "radius",
        "radius",
        "concave points",
    )
    assert families(["radius1", "radius2", "texture1", "texture2"]) == (
        "radius",
        "radius",
        "texture",
        "texture",
    )
    assert families(["V1", "V2", "Amount"]) == ("V1", "V2", "Amount")  # a count of columns is no family
    assert families(["mean", "mean_", "age"]) == ("mean", "mean_", "age")


def exported(data: Dataset, path: Path) -> Path:
    """The table as anybody would write it, to the last digit."""
    frame = pd.DataFrame(data.X, columns=list(data.feature_names))
    frame.assign(diagnosis=np.array(data.class_names)[data.y]).to_csv(path, index=False)
    return path


TINY = ["TRIALS=2", "SEEDS=2", "CONFIRM=2", "space.epochs.high=12", "SPLITS=0", "OPEN=1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny study, opened and done."""
    home = tmp_path_factory.mktemp("finished")
    assert main(["study", f"MLRUNS={home}", *TINY]) == 0
    return home


def test_a_study_of_a_file_is_the_study_of_its_content(
    tmp_path: Path, finished: Path, data: Dataset, capsys: pytest.CaptureFixture
) -> None:
    path = exported(data, tmp_path / "my cells (2).csv")
    words = [f"DATA={path}", "TARGET=diagnosis", "POSITIVE=malignant", *TINY]
    home = tmp_path / "mine"
    assert main(["study", f"MLRUNS={home}", *words]) == 0
    one, other = report(home), report(finished)
    assert one["study"].startswith("my-cells-2-")
    for facts in ("bands", "missed", "search", "stories", "identity", "statements"):
        assert one[facts] == other[facts], facts
    assert one["data"] == other["data"] | {"name": path.stem}
    assert one["data"]["digest"] == data.digest
    # Read again from where it lies; elsewhere when told; under another name the same study; changed, no more.
    name, before = f"NAME={one['study']}", contents(home / "artifacts")
    moved = path.rename(tmp_path / "b.csv")
    refused(capsys, [str(path), "No such file", data.digest[:12], "DATA="], "report", f"MLRUNS={home}", name)
    assert main(["case", "ID=73", f"MLRUNS={home}", name, f"DATA={moved}"]) == 0
    path.write_text(moved.read_text().replace("17.99,", "18.99,", 1))
    refused(capsys, ["the table has changed", data.digest[:12]], "report", f"MLRUNS={home}", name)
    refused(
        capsys,
        ["built-in table wisconsin"],
        "report",
        f"MLRUNS={finished}",
        f"NAME={other['study']}",
        f"DATA={path}",
    )
    assert contents(home / "artifacts") == before
    assert main(["study", f"MLRUNS={home}", *words[1:], f"DATA={moved}"]) == 0
    assert [event["event"] for event in events(home)] == ["opened", "graded"]
    assert len(list((home / "reports").iterdir())) == 2


def test_names_of_columns_labels_and_cases_are_data(tmp_path: Path) -> None:
    path = tmp_path / "hostile.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [
            [
                f"{HOSTILE[n % 5]}{n}",
                *((n * k * 7919) % 101 + (n % 2) * 9 for k in range(1, 6)),
                HOSTILE[n % 2],
            ]
            for n in range(60)
        ]
        csv.writer(file).writerows([["id", *HOSTILE, HOSTILE[2] + "y"], *rows])
    words = [
        f"DATA={path}",
        f"TARGET={HOSTILE[2]}y",
        f"POSITIVE={HOSTILE[1]}",
        "ID=id",
        f"MLRUNS={tmp_path / 'm'}",
        *TINY,
    ]
    assert main(["study", *words]) == 0
    facts = report(tmp_path / "m")
    assert main(["case", f"ID={rows[7][0]}", f"NAME={facts['study']}", f"MLRUNS={tmp_path / 'm'}"]) == 0
    for page in (tmp_path / "m" / "reports").rglob("*.html"):
        assert "<script" not in page.read_text()


# Folders


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def study_name(home: Path) -> str:
    return next(path.name for path in (home / "reports").iterdir())


@pytest.mark.parametrize("ill", FOLDERS, ids=lambda ill: ill.what)
def test_an_ill_folder_is_refused_and_left_as_it_is(
    ill: Ill, copy: Path, capsys: pytest.CaptureFixture
) -> None:
    verb, *words = ill.verb.split()
    if verb in ("report", "case") and not any(word.startswith("NAME=") for word in words):
        words.append(f"NAME={study_name(copy)}")
    for path in copy.glob(ill.pattern):
        harm(path, ill.do)
    before = contents(copy)
    refused(
        capsys,
        list(ill.says),
        verb,
        f"MLRUNS={copy}",
        *words,
        *(TINY if verb == "study" else ()),
        code=ill.code,
    )
    assert contents(copy) == before


def test_a_batch_larger_than_the_train_rows_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["study", "CHECK=1", f"DATA={placed(tmp_path, SOUND)}", "TARGET=y", "POSITIVE=M", "ID=patient"]
    assert main([*words, "TRIALS=1", "SPLITS=0", "CONFIRM=2"]) == 0
    assert (
        "network.batch_size is 32 and there are 24 train rows, so an epoch is one step."
        in capsys.readouterr().out
    )
    assert main([*words, "TRIALS=1", "SPLITS=0", "CONFIRM=2", "network.batch_size=24"]) == 0
    assert "batch_size" not in capsys.readouterr().out


def test_a_port_in_use_is_refused(finished: Path, capsys: pytest.CaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused(
            capsys, [f"port {port} is in use", f"PORT={port + 1}"], "ui", f"MLRUNS={finished}", f"PORT={port}"
        )


def test_a_name_or_a_server_that_is_none_is_refused_by_a_check_too(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["study", "CHECK=1", f"DATA={placed(tmp_path, SOUND)}", "TARGET=y", "POSITIVE=M", "ID=patient"]
    refused(capsys, ["NAME must be", "'a/b'"], *words, "NAME=a/b")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    refused(capsys, ["MLFLOW_TRACKING_URI must be the address"], *words)


def harm(path: Path, do: str | bytes | int | None) -> None:
    if isinstance(do, str):
        db = sqlite3.connect(path)
        db.execute(do)
        db.commit()
        db.close()
    elif isinstance(do, int):
        path.write_bytes(path.read_bytes()[:do])
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if isinstance(do, bytes):
        path.write_bytes(do)
