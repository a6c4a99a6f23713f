"""Files that appear whole or not at all, the lock, and folders of an older layout."""

import multiprocessing
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from canonical import study_folder
from hypothesis import given
from hypothesis import strategies as st
from studies import FEW, ROOT, TINY, cli, command, contents, refused, study_name

from handnet import run_study
from handnet.cli import main
from handnet.messages import Refusal
from handnet.study import files
from handnet.study import folder as folders


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


# What stands in the place of a file or a folder


KINDS = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK),
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
}
IN_A_CIRCLE = "a link that leads nowhere (in a circle)"
MADE = {**KINDS, IN_A_CIRCLE: lambda path: path.symlink_to(path.name)}


@pytest.fixture
def _not_for_ever() -> Iterator[None]:
    """Whoever waits for the other end of a pipe is woken."""

    def waited(*_: object) -> None:
        raise AssertionError("it waits for what never comes")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def listed(home: Path) -> dict[str, str]:
    """Every path below a folder, with what stands there."""
    return {str(path.relative_to(home)): files.kind_of(path) for path in home.rglob("*")}


@pytest.mark.usefixtures("_not_for_ever")
@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("study.json", ("study", "report", "track", "backup")),
        ("trials.jsonl", ("study", "report", "track", "backup")),
        ("commit.json", ("report", "backup")),
        (".running", ("study",)),
        ("openings.jsonl", ("study", "report", "backup")),
    ],
)
def test_what_is_no_file_is_neither_read_nor_waited_for_nor_removed(
    name: str, verbs: tuple[str, ...], kind: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = Path(shutil.copytree(tiny, tmp_path / "m", ignore=shutil.ignore_patterns("tracking")))
    path = (home if name == "openings.jsonl" else study_folder(home)) / name
    path.unlink(missing_ok=True)
    MADE[kind](path)
    before = contents(home), listed(home)
    for verb in verbs:
        words = {"study": [*TINY, "OPEN=1"], "backup": [f"TO={tmp_path / 'to'}"]}
        named = words.get(verb, [f"NAME={study_name(home)}"])
        says = [f"{path} is {kind.partition(' (')[0]}, and handnet keeps a file there; move it aside."]
        refused(capsys, says, verb, f"MLRUNS={home}", *named, code=1)
        assert (contents(home), listed(home)) == before
    assert not (tmp_path / "to").exists()


@pytest.mark.usefixtures("_not_for_ever")
@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("name", ["page", ".page.new"])
def test_what_is_no_file_is_not_replaced_by_one(name: str, kind: str, tmp_path: Path) -> None:
    MADE[kind](tmp_path / name)
    with pytest.raises(Refusal, match=f"{tmp_path / name} is {kind.partition(' (')[0]}"):
        files.write_whole(tmp_path / "page", b"content")
    assert listed(tmp_path) == {name: kind.partition(" (")[0]}


@pytest.mark.parametrize("kind", [*MADE, "a device", "a file"])
def test_what_is_no_folder_is_no_place_for_a_study(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    if kind == "a folder":
        return
    make = {**MADE, "a device": lambda path: path.symlink_to("/dev/null"), "a file": Path.touch}
    home = tmp_path / "m"
    make[kind](home)
    for verb in ("study", "try", "report", "case", "ui", "track", "backup", "clean"):
        says = [f"MLRUNS wants a folder, but {home} is {kind.partition(' (')[0]}."]
        refused(capsys, says, verb, f"MLRUNS={home}", *(["ID=1"] if verb == "case" else []))
    with pytest.raises(Refusal, match=f"home wants a folder, but {home} is {kind.partition(' (')[0]}"):
        run_study(home=home, trials=1, seeds=2, confirm=2, progress=False)
    assert list(tmp_path.iterdir()) == [home]


def test_links_to_what_belongs_there_are_followed(tiny: Path, tmp_path: Path) -> None:
    """A ledger that several folders share, a study on another disk."""
    home, ledger = Path(shutil.copytree(tiny, tmp_path / "m")), tmp_path / "of all.jsonl"
    (home / "openings.jsonl").rename(ledger)
    (home / "openings.jsonl").symlink_to(ledger)
    (home / "studies").rename(tmp_path / "elsewhere")
    (home / "studies").symlink_to(tmp_path / "elsewhere")
    link = tmp_path / "link"
    link.symlink_to(home)
    before = ledger.read_bytes()
    assert cli(link, "report", f"NAME={study_name(home)}") == 0
    assert cli(link, "study", *TINY, "OPEN=1") == 0
    assert ledger.read_bytes() == before
    assert (home / "openings.jsonl").is_symlink()


# A folder that is moved


@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_nothing_is_begun_in_the_place_of_a_folder_that_was_moved(how: str, tmp_path: Path) -> None:
    home = tmp_path / "m"
    gone = pytest.raises(Refusal, match=f"{home} was moved or removed while it was written to")
    with gone as refusal, folders.locked(home):
        files.write_whole(home / "studies/x/study.json", b"{}")
        shutil.rmtree(home) if how == "removed" else home.rename(tmp_path / "there")
        if how == "replaced":
            home.mkdir()
        with pytest.raises(Refusal, match="was moved or removed"):
            files.write_whole(home / "studies/x/commit.json", b"{}")
        with pytest.raises(Refusal, match="was moved or removed"):
            files.append_line(home / "openings.jsonl", "{}")
    assert refusal.value.code == 1
    assert home.exists() == (how == "replaced")
    assert not home.exists() or not list(home.iterdir())
    if how != "removed":
        assert (tmp_path / "there/studies/x/study.json").read_bytes() == b"{}"


def test_a_study_whose_folder_is_moved_says_so_and_goes_on_where_it_is(tmp_path: Path) -> None:
    home, there = tmp_path / "m", tmp_path / "there"
    words = ["study", *FEW, "TRIALS=40", "NAME=x"]
    with subprocess.Popen(command(home, *words), cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        trials = home / "studies/x/trials.jsonl"
        while not trials.exists() or trials.read_text().count("\n") < 3:
            assert process.poll() is None
            time.sleep(0.01)
        subprocess.run(["mv", home, there], check=True)
        assert process.stderr
        said = process.stderr.read()
        assert process.wait() == 1
    last = said.splitlines()[-1]
    assert last.startswith(f"handnet: {home} was moved or removed while it was written to")
    assert "make room" not in said
    assert "Traceback" not in said
    assert not home.exists()
    before = (there / "studies/x/trials.jsonl").read_text().splitlines()
    assert 3 <= len(before) < 40
    assert cli(there, *words) == 0
    after = (there / "studies/x/trials.jsonl").read_text().splitlines()
    assert after[: len(before)] == before
    assert len(after) == 40


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
