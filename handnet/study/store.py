"""The folder a study writes to: who may write, how databases are born, how files appear whole or not at
all."""

import fcntl
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO
from urllib.parse import quote, unquote

from handnet.study.messages import Refusal
from handnet.study.milestones import reached

ENOUGH_SPACE = 200 * 2**20
DISK_FAULTS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the folder's lock: one writer at a time. The lock dies with the process, however it dies.

    Raises Refusal (75) naming the process that holds it, (2) when the folder cannot be written or is nearly
    full."""
    prepare(home)
    with (home / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(
                f"another study is writing to {home} (process {_holder(file)}); wait for it or stop it.", 75
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        reached("locked")
        yield


def _holder(file: TextIO) -> str:
    """The process named in a lock that is held. Who has just taken it needs a moment to write its number
    there."""
    for _ in range(50):
        file.seek(0)
        name = file.read().strip()
        if name.isdecimal() and _lives(int(name)):
            return name
        time.sleep(0.02)
    return name or "unknown"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, and is somebody else's
    return True


def backup(home: Path, to: Path) -> None:
    """A copy of everything in the folder, at `to`, complete or not there at all; a study may be writing
    meanwhile.

    What is finished in one store may be relied on in those copied after it: trials stand on runs, runs on
    artifacts and on openings. Raises Refusal when there is nothing to copy, or `to` is taken or inside the
    folder."""
    if not (home / "mlflow.db").exists():
        raise Refusal(f"there is no study in {home} yet, so there is nothing to copy; make study makes one.")
    if to.exists() or home.resolve() in (to.resolve(), *to.resolve().parents):
        where = "exists already" if to.exists() else f"lies inside {home}"
        raise Refusal(f"{to} {where}; choose another folder with TO=.")
    temporary = to.with_name(f".{to.name}.new")
    if temporary.exists():
        shutil.rmtree(temporary)
    try:
        temporary.mkdir(parents=True)
    except OSError as fault:
        raise Refusal(f"{to} cannot be made ({fault.strerror}); choose another folder with TO=.") from None
    for name in ("optuna.db", "mlflow.db"):
        if (home / name).exists():
            _copy_database(home / name, temporary / name)
    for name in ("artifacts", "reports"):
        if (home / name).exists():
            shutil.copytree(home / name, temporary / name, ignore=shutil.ignore_patterns(".*.new"))
    if (home / "openings.jsonl").exists():
        shutil.copy2(home / "openings.jsonl", temporary)
    relocate_all(temporary, to)
    os.sync()
    os.replace(temporary, to)
    _fsync(to.parent)


def _copy_database(path: Path, to: Path) -> None:
    """One consistent state of a database in use; a plain copy of the file would miss its write-ahead log."""
    check_sound(path)
    with _connected(path) as db, _connected(to) as copy:
        db.backup(copy)
        answer = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if answer != "ok":
        raise Refusal(
            f"the copy of {path} is not sound ({answer}); the disk of {to.parent} may be failing.", 1
        )


OURS = ("mlflow.db*", "optuna.db*", "artifacts", "reports")
# Of the other commands; whoever else keeps something in a folder of that name keeps it.
PAGES = {
    "walk": ("walk.html",),
    "claims": ("claims.html", "claims.json"),
    "published": ("published.html", "published.json"),
    "bench": ("bench.json", "bench.svg"),
}


def clean(home: Path) -> None:
    """Remove what studies and the other commands wrote, by name, and nothing else; the ledger of openings
    stays."""
    with locked(home):
        for path in (path for pattern in OURS for path in home.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for folder, names in PAGES.items():
            for path in (home / folder / one for name in names for one in (name, f".{name}.new")):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # it is not there, or not empty
                (home / folder).rmdir()


def prepare(home: Path) -> None:
    """Create the folder and prove that it can be written. Raises Refusal (2) when it cannot."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as probe:
            probe.write(b"x")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as fault:
        raise Refusal(
            f"the folder {home} cannot be written ({fault.strerror}); choose another with MLRUNS=."
        ) from None
    free = shutil.disk_usage(home).free
    if free < ENOUGH_SPACE:
        raise Refusal(
            f"the disk of {home} has {free // 2**20} MiB free, and a study wants 200; make room first.", 1
        )


def create_database(path: Path, build: Callable[[str], None]) -> str:
    """The URI of the SQLite database at `path`, created by `build(uri)` if it is not there.

    It is built under another name and renamed when complete: a process killed while a schema is being made
    would otherwise leave a file that can never be opened again. Then it is switched to write-ahead logging,
    which keeps every commit over a crash and lets readers in while a study writes. Raises Refusal (1) when
    the file is there and is no sound database or cannot be written; it is left as it is."""
    if path.exists():
        if not os.access(path, os.W_OK):
            raise Refusal(
                f"{path} cannot be written; make it writable, or choose another folder with MLRUNS=.", 1
            )
        check_sound(path)
    else:
        temporary = path.with_name(path.name + ".new")
        for leftover in path.parent.glob(temporary.name + "*"):
            leftover.unlink()
        reached("building", path.name)
        build(sqlite_uri(temporary))
        with _connected(temporary) as db:
            db.execute(
                "PRAGMA journal_mode=WAL"
            )  # before anybody can see it: a reader would hold the switch up
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _fsync(temporary)
        for stale in (path.with_name(path.name + end) for end in ("-wal", "-shm")):
            stale.unlink(
                missing_ok=True
            )  # of a database somebody deleted: SQLite would replay it into this one
        reached("built", path.name)
        os.replace(temporary, path)
        _fsync(path.parent)
        reached("born", path.name)
    with _connected(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
    return sqlite_uri(path)


def check_schema(path: Path, program: str, current: str, older: Collection[str], upgrade: str) -> None:
    """That the tables of a database are those `program` makes today; it would upgrade others unasked, or
    fail.

    current: its schema's revision; older: those before; upgrade: the command that raises one.
    Raises Refusal (1) naming both revisions; the file is left as it is.
    """
    with _connected(path) as db:
        try:
            found = str(db.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        except (sqlite3.OperationalError, TypeError) as fault:
            if "no such" not in str(fault) and not isinstance(fault, TypeError):
                raise
            raise Refusal(
                f"{path} holds no tables of {program}; it was left as it is: move it aside and start again.",
                1,
            ) from None
    if found == current:
        return
    age, then = (
        ("an older", f"then {upgrade}")
        if found in older
        else ("a newer", f"then set up the {program} it was made with")
    )
    raise Refusal(
        f"{path} was made by {age} {program} (schema {found}, here {current}); it was left as it is: make"
        f" backup first, {then}.",
        1,
    )


def relocate_all(home: Path, to: Path | None = None) -> None:
    """Let the MLflow database of a folder that was moved or copied name the files where they lie now; to:
    where it will be."""
    new = ((to or home) / "artifacts").absolute().as_uri()
    with _connected(home / "mlflow.db") as db:
        places = [str(place) for (place,) in db.execute("SELECT artifact_location FROM experiments")]
    for place in places:
        root, _, tail = place.rpartition("/")
        if root.endswith("/artifacts") and root != new:
            relocate(home / "mlflow.db", place, f"{new}/{tail}")


def relocate(path: Path, old: str, new: str) -> None:
    """Let an MLflow database name the files below the URI `old` where they lie now, below `new`, at one
    stroke."""
    columns = {
        "experiments": "artifact_location",
        "runs": "artifact_uri",
        "logged_models": "artifact_location",
    }
    with _connected(path) as db, db:
        for table, column in columns.items():
            db.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR"
                f" substr({column}, 1, ?) = ?",
                (new, len(old) + 1, old, len(old) + 1, old + "/"),
            )


def checkpoint(path: Path) -> None:
    """Fold the write-ahead log into the database, so that the file alone is the whole of it."""
    with _connected(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, meets the old content or the new, never a part of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Refusal(
            f"{path.parent} is no folder, and {path.name} belongs there; move it aside.", 1
        ) from None
    temporary = path.with_name(
        f".{path.name}.new"
    )  # one name: what a crash leaves is overwritten by the next
    with _alone_in(path.parent):
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        reached("replacing", path.name)
        os.replace(temporary, path)
    _fsync(path.parent)


def append_line(path: Path, line: str) -> None:
    """Add one line and force it to the disk. A line cut short by a crash before is dropped first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    _fsync(path.parent)


def whole_lines(path: Path) -> list[str]:
    """The complete lines of a file; none when there is no file."""
    if not path.exists():
        return []
    return path.read_bytes().decode().split("\n")[:-1]


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until nobody else writes a file whole in this folder: a study and those who read it write the same
    report."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path)
    try:
        yield db
    finally:
        db.close()


def check_sound(path: Path) -> None:
    """Raises Refusal (1) when the file is no database that can be relied on; it is left as it is."""
    try:
        with _connected(path) as db:
            answer = db.execute("PRAGMA quick_check").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.DatabaseError as fault:
        code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Refusal(f"{path} is held by another program; try again when that is done.", 75) from None
        if code in DISK_FAULTS:
            raise  # of the disk; of the file nothing is known
        answer, tables = str(fault), 0
    if answer != "ok" or not tables:
        why = " ".join(answer.split())[:120] if answer != "ok" else "it is empty"
        raise Refusal(
            f"{path} is not a sound database ({why}); it was left as it is: move it aside and start again.", 1
        )


def sqlite_uri(path: Path) -> str:
    """The address of a database. SQLAlchemy decodes it as a browser would: unquoted, a%20b would be another
    folder. Raises Refusal when the locale cannot express the path, which a decoded address would then
    miss."""
    exact = os.fsencode(path.absolute())
    if unquote(quote(exact)).encode(sys.getfilesystemencoding(), "replace") != exact:
        raise Refusal(
            f"the name of the folder {path.parent} cannot be expressed in this locale "
            f"({sys.getfilesystemencoding()}); set LC_ALL=C.UTF-8."
        )
    return f"sqlite:///{quote(exact)}"


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
