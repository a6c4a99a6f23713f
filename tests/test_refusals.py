"""Bad input of every kind on the real command line: it ends in one sentence and its exit code, and touches
nothing."""

import random
import re
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest
from corpus import FILES, FOLDERS, SETTINGS, SOUND, TABLES, Bad, Ill, placed
from studies import CHAPTER, TINY, contents, refused, study_name

from handnet.cli import main
from handnet.study.reading import DEFAULTS, known_keys


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


@pytest.mark.parametrize("digits", [400, 4300, 5000])
@pytest.mark.parametrize("key", [*known_keys()])
def test_a_number_of_thousands_of_digits_is_no_setting(
    key: str, digits: int, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for value in ("9" * digits, f"-{'9' * digits}", f"[{'9' * digits}]"):
        refused(capsys, [], "study", "CHECK=1", f"MLRUNS={tmp_path / 'mlruns'}", f"--set={key}={value}")
        main(["study", "CHECK=1", f"MLRUNS={tmp_path / 'mlruns'}", f"--set={key}={value}"])
        said = capsys.readouterr().err
        assert len(said) < 600
        assert "Error" not in said


@pytest.mark.parametrize("digits", [400, 4300, 5000])
@pytest.mark.parametrize("name", ["study.json", "commit.json", "trials.jsonl"])
def test_a_number_of_thousands_of_digits_is_in_no_record(
    name: str, digits: int, copy: Path, capsys: pytest.CaptureFixture
) -> None:
    (path,) = copy.glob(f"studies/*/{name}")
    text = path.read_text()
    places = [found.span() for found in re.finditer(r"(?<=[:\[ ])-?\d[\d.e+-]*(?=[,\n\]}])", text)]
    for start, end in random.Random(digits).sample(places, 3):
        path.write_text(f"{text[:start]}{'9' * digits}{text[end:]}")
        refused(capsys, [name, "restore"], "report", f"MLRUNS={copy}", f"NAME={study_name(copy)}", code=1)


@pytest.mark.parametrize(("old", "new", "says"), FILES, ids=[new for _, new, _ in FILES])
def test_a_bad_settings_file_is_refused(
    old: str, new: str, says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "my.toml"
    text = next(text for text in (DEFAULTS.read_text(), CHAPTER.read_text()) if old in text)
    path.write_text(text.replace(old, new))
    refused(capsys, says, "study", f"MLRUNS={tmp_path / 'mlruns'}", f"SETTINGS={path}")
    assert [one.name for one in tmp_path.iterdir()] == ["my.toml"]


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


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
        [says.format(home=copy) for says in ill.says],
        verb,
        f"MLRUNS={copy}",
        *words,
        *([*TINY, "OPEN=1"] if verb == "study" else ()),
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


def test_a_port_in_use_is_refused(tiny: Path, capsys: pytest.CaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused(
            capsys, [f"port {port} is in use", f"PORT={port + 1}"], "ui", f"MLRUNS={tiny}", f"PORT={port}"
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
