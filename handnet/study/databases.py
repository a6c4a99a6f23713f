"""SQLite databases: created whole, checked before use, copied while in use, relocated with their files."""

import os
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from handnet.messages import Refusal, command, option

DISK_FAULTS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def create_database(path: Path, build: Callable[[str], None]) -> str:
    """The URI of the SQLite database at `path`, created by `build(uri)` if it is not there.

    It is built under another name and renamed when complete: a process killed while a schema is being made
    would otherwise leave a file that can never be opened again. Then it is switched to write-ahead logging,
    which keeps every commit over a crash and lets readers in while a study writes. Raises Refusal (1) when
    the file is there and is no sound database or cannot be written; it is left as it is."""
    if path.exists():
        if not os.access(path, os.W_OK):
            raise Refusal(
                f"{path} cannot be written; make it writable, or choose another folder with"
                f" {option('mlruns', '')}.",
                1,
            )
        check_sound(path)
    else:
        _create(path, build)
    with _connected(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
    return sqlite_uri(path)


def _create(path: Path, build: Callable[[str], None]) -> None:
    temporary = path.with_name(path.name + ".new")
    for leftover in path.parent.glob(temporary.name + "*"):
        leftover.unlink()
    build(sqlite_uri(temporary))
    with _connected(temporary) as db:  # before anybody can see it: a reader would hold the switch up
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sync(temporary)
    for end in ("-wal", "-shm"):  # of a database somebody deleted: SQLite would replay it into this one
        path.with_name(path.name + end).unlink(missing_ok=True)
    os.replace(temporary, path)
    sync(path.parent)


def check_schema(path: Path, program: str, current: str, older: Collection[str], upgrade: str) -> None:
    """Check that the tables of a database are those `program` makes today.

    It would upgrade others unasked, or fail.

    current: its schema's revision; older: those before; upgrade: the command that raises one. Raises Refusal
    (1) naming both revisions; the file is left as it is."""
    with _connected(path) as db:
        try:
            version = str(db.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        except (sqlite3.OperationalError, TypeError) as fault:
            if "no such" not in str(fault) and not isinstance(fault, TypeError):
                raise
            raise Refusal(
                f"{path} holds no tables of {program}; it was left as it is: move it aside and start again.",
                1,
            ) from None
    if version == current:
        return
    age, then = (
        ("an older", f"then {upgrade}")
        if version in older
        else ("a newer", f"then set up the {program} it was made with")
    )
    raise Refusal(
        f"{path} was made by {age} {program} (schema {version}, here {current}); it was left as it is:"
        f" {command('backup')} first, {then}.",
        1,
    )


def relocate_all(home: Path, to: Path | None = None) -> None:
    """Make the MLflow database of a moved or copied folder name the files where they lie now.

    to: the folder it will be in, if it moves once more."""
    new = ((to or home) / "artifacts").absolute().as_uri()
    with _connected(home / "mlflow.db") as db:
        places = [str(place) for (place,) in db.execute("SELECT artifact_location FROM experiments")]
    for place in places:
        root, _, tail = place.rpartition("/")
        if root.endswith("/artifacts") and root != new:
            relocate(home / "mlflow.db", place, f"{new}/{tail}")


def relocate(path: Path, old: str, new: str) -> None:
    """Make an MLflow database name the files below the URI `old` as lying below `new`, in one transaction."""
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


def copy_database(path: Path, to: Path) -> None:
    """Copy one consistent state of a database in use: a plain copy would miss its write-ahead log.

    Raises Refusal (1) when the database or the copy is not sound."""
    check_sound(path)
    with _connected(path) as db, _connected(to) as copy:
        db.backup(copy)
        answer = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if answer != "ok":
        raise Refusal(
            f"the copy of {path} is not sound ({answer}); the disk of {to.parent} may be failing.", 1
        )


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
    """The address of a database, quoted because SQLAlchemy decodes it as a browser would.

    Raises Refusal when the locale cannot express the path, which a decoded address would then miss."""
    exact = os.fsencode(path.absolute())
    if unquote(quote(exact)).encode(sys.getfilesystemencoding(), "replace") != exact:
        raise Refusal(
            f"the name of the folder {path.parent} cannot be expressed in this locale "
            f"({sys.getfilesystemencoding()}); set LC_ALL=C.UTF-8."
        )
    return f"sqlite:///{quote(exact)}"


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
