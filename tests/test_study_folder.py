"""Files that appear whole or not at all, the lock, and folders of an older layout."""

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import TINY, contents, refused

from handnet.cli import main
from handnet.messages import Refusal
from handnet.study import files
from handnet.study import folder as folders

ROOT = Path(__file__).parent.parent


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    files.write_whole(path, b"one")
    files.write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_several_may_write_one_file(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from handnet.study.files import write_whole\nfor _ in range(100):"
        f" write_whole(Path({str(tmp_path / 'page')!r}), b'x' * 9999)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_a_lock_names_its_holder_even_when_it_has_just_been_taken(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock.write_text(str(gone.pid))  # left by one that was killed
    code = (
        f"import fcntl, os, time; folder = os.open({str(tmp_path)!r}, os.O_RDONLY);"
        " fcntl.flock(folder, fcntl.LOCK_EX); print(flush=True); time.sleep(.3);"
        f" open({str(lock)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(Refusal, match=rf"\(process {holder.pid}\)"), folders.locked(tmp_path):
            pass
        holder.kill()


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_a_lock_that_is_no_plain_file_is_refused_and_left(kind: str, tmp_path: Path) -> None:
    lock, elsewhere = tmp_path / ".lock", tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    make = {"folder": Path.mkdir, "pipe": os.mkfifo, "link": lambda path: path.symlink_to(elsewhere)}
    make[kind](lock)
    with pytest.raises(Refusal, match="must be a plain file") as refusal, folders.locked(tmp_path):
        pass
    assert refusal.value.code == 1
    assert lock.exists()
    assert elsewhere.read_text() == "mine"


def test_a_folder_is_locked_once_in_a_process_too(tmp_path: Path) -> None:
    with (
        folders.locked(tmp_path),
        pytest.raises(Refusal, match=rf"\(process {os.getpid()}\)"),
        folders.locked(tmp_path),
    ):
        pass
    with folders.locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
    assert (tmp_path / ".lock").exists()


@given(cut=st.integers(1, 12))
def test_a_line_cut_short_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / f"lines{cut}"
    path.unlink(missing_ok=True)
    files.append_line(path, "first")
    with path.open("ab") as file:
        file.write(b"second line\n"[:cut])
    whole = ["first"] if cut < 12 else ["first", "second line"]
    assert files.whole_lines(path) == whole
    files.append_line(path, "third")
    assert files.whole_lines(path) == [*whole, "third"]


def hold(
    home: str, ready: "multiprocessing.synchronize.Event", leave: "multiprocessing.synchronize.Event"
) -> None:
    with folders.locked(Path(home)):
        ready.set()
        leave.wait(30)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(str(tmp_path), ready, leave))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(Refusal, match=f"process {holder.pid}") as refusal, folders.locked(tmp_path):
        pass
    assert refusal.value.code == 75
    holder.kill()
    holder.join()
    with folders.locked(tmp_path):
        pass


def test_deleting_the_file_of_the_lock_lets_nobody_in(tmp_path: Path) -> None:
    home, link = tmp_path / "home", tmp_path / "link"
    home.mkdir()
    link.symlink_to(home)
    with folders.locked(home):
        (home / ".lock").unlink()
        for path in (home, link):  # under another name, too
            with pytest.raises(Refusal, match="another study is writing"), folders.locked(path):
                pass
        (home / ".lock").write_text("by hand")
        with pytest.raises(Refusal, match="another study is writing"), folders.locked(home):
            pass


# An older layout


def kept(home: Path, name: str, key: str) -> None:
    """A database as MLflow or Optuna make it, with a tag or attribute of this name."""
    for path in ("artifacts/1/a.npz", "reports/wisconsin/report.html", "openings.jsonl", "mine"):
        files.write_whole(home / path, b"as it was\n" if path != "openings.jsonl" else b"")
    with closing(sqlite3.connect(home / name)) as database, database:
        for table in ("experiment_tags", "study_user_attributes"):
            database.execute(f"CREATE TABLE {table} (key TEXT)")
            database.execute(f"INSERT INTO {table} VALUES (?)", [key])


@pytest.fixture(params=[("mlflow.db", "handnet.key"), ("optuna.db", "fingerprint")], ids=lambda one: one[0])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder as an older handnet left it."""
    kept(tmp_path / "home", *request.param)
    return tmp_path / "home"


@pytest.mark.parametrize("name", ["mlflow.db", "optuna.db"])
def test_a_database_of_somebody_else_is_no_older_layout(name: str, tmp_path: Path) -> None:
    """MLflow and Optuna call theirs so by themselves."""
    kept(tmp_path, name, "team")
    before = contents(tmp_path)
    folders.check_layout(tmp_path)
    assert folders.clean(tmp_path) == ["reports"]
    assert contents(tmp_path) == {path: text for path, text in before.items() if "reports" not in path}


def test_what_stands_in_the_place_of_a_folder_is_named_or_left(tmp_path: Path) -> None:
    (tmp_path / "studies").write_text("mine")
    with pytest.raises(Refusal, match="studies is no folder"):
        folders.check_layout(tmp_path)
    (tmp_path / "studies").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "page").write_text("mine")
    (tmp_path / "reports").symlink_to(tmp_path / "elsewhere")
    assert folders.clean(tmp_path) == ["reports"]
    assert (tmp_path / "elsewhere" / "page").read_text() == "mine"


def test_two_backups_at_once_do_not_meet(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = folders._copied

    def second_one(home: Path, to: Path) -> bool:
        with pytest.raises(Refusal, match="another backup of"):
            folders.backup(tiny, tmp_path / "second")
        return copy(home, to)

    monkeypatch.setattr(folders, "_copied", second_one)
    folders.backup(tiny, tmp_path / "first")
    assert (tmp_path / "first" / "studies").exists()
    assert not (tmp_path / "second").exists()


def test_a_backup_begins_anew_when_a_study_is_confirmed_meanwhile(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(shutil.copytree(tiny, tmp_path / "home"))
    (commit,) = home.glob("studies/*/commit.json")
    plain, copied = folders._copy, []

    def confirm_anew(path: Path, to: Path) -> None:
        plain(path, to)
        copied.append(path)
        if len(copied) == 5:
            commit.write_text(commit.read_text() + "\n")

    monkeypatch.setattr(folders, "_copy", confirm_anew)
    folders.backup(home, tmp_path / "to")
    assert copied.count(commit) == 2
    assert (tmp_path / "to" / commit.relative_to(home)).read_bytes() == commit.read_bytes()


@pytest.mark.parametrize(
    "verb", [["study", *TINY], ["report"], ["case", "ID=203"], ["backup"], ["ui"], ["track"]]
)
def test_an_older_layout_is_refused_and_left(
    verb: list[str], older: Path, capsys: pytest.CaptureFixture
) -> None:
    before = contents(older)
    says = ["holds studies of an older handnet", "choose another folder with MLRUNS", "make clean MLRUNS="]
    refused(capsys, says, *verb, f"MLRUNS={older}", code=1)
    assert contents(older) == before


def test_an_older_layout_is_cleaned_and_the_ledger_kept(older: Path) -> None:
    """Artifacts go with MLflow's database, which alone says whose they are."""
    of_mlflow = (older / "mlflow.db").exists()
    assert main(["clean", f"MLRUNS={older}"]) == 0
    assert set(contents(older)) - {"artifacts/1/a.npz"} == {"mine", "openings.jsonl"}
    assert (older / "artifacts").exists() != of_mlflow
