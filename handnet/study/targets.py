"""Where a study is tracked: in its folder's own database, and on a server besides.

The folder's database is derived: it may be deleted, and is made anew where it was moved or is damaged."""

import os
import shutil
import sqlite3
import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from handnet.data import canonical_hash
from handnet.messages import Refusal
from handnet.study.folder import TRACKING_ASIDE, is_others
from handnet.study.store import Store
from handnet.study.tracker import Mlflow, Tracker, Unwelcome

OTHER_SCHEMA = "database schema"  # in what MLflow says of a database of another of its versions
MADE: dict[Path, list[int]] = {}  # folder -> the databases this process has opened in it, by their inodes


class Target(NamedTuple):
    """A tracker that is not open yet. name: what a person calls it; home: of the folder's own, else None."""

    name: str
    origin: str
    home: Path | None = None

    def open(self) -> Tracker:
        """Open it, which imports MLflow."""
        return local(self.home, self.origin) if self.home else Mlflow(self.name, self.origin)


def targets(store: Store, to: str | None, own: bool = True) -> list[Target]:
    """Where a study is tracked. to: the address of a server; own: in its folder's database too."""
    home = store.folder.parent.parent
    made = store.noted("origin")
    if made is None:
        made = uuid.uuid4().hex
        store.note("origin", made)
    origin = canonical_hash([made, str(home.resolve())])[:16]
    here = [Target(str(tracked_in(home) / "mlflow.db"), origin, home)] if own else []
    return [*here, *([server(to, origin)] if to else [])]


def server(address: str, origin: str) -> Target:
    """An MLflow server. address: http or https, perhaps with user:password.

    MLflow finds these in its variables, which are all that keeps them; it would print those of a URL."""
    parts = urlsplit(address)
    if parts.username is not None:
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    return Target(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/"), origin)


def local(home: Path, origin: str) -> Mlflow:
    """The folder's own database, made if it is not there.

    It is made anew when the folder was moved or copied, because MLflow writes down where artifacts lie, and
    when it is damaged or of another MLflow. Raises Unwelcome when something of somebody else's stands in its
    place, and what MLflow raises when it cannot be opened for now."""
    folder = tracked_in(home)
    if is_others(folder):
        raise Unwelcome(f"{folder} is not a folder that handnet has made; move it aside")
    if is_here(folder) and is_sound(folder):
        try:
            return _opened(folder, origin)
        except Exception as fault:
            if OTHER_SCHEMA not in str(fault):  # locked, or on a disk that fails for now
                raise
    _replace(folder, _create(folder))
    return _opened(folder, origin)


def is_sound(folder: Path) -> bool:
    """False when SQLite says that the database is damaged, or is none."""
    try:
        with closing(sqlite3.connect(folder / "mlflow.db", timeout=1)) as database:
            return bool(database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:  # it cannot be read for now
        return True
    except sqlite3.DatabaseError:
        return False


def has_table(path: Path, name: str) -> bool:
    """Whether a file is an SQLite database that has a table of this name."""
    try:
        with closing(sqlite3.connect(path, timeout=1)) as database:
            return bool(database.execute(f"PRAGMA table_info({name})").fetchall())
    except sqlite3.Error:
        return False


def tracked_in(home: Path) -> Path:
    """The folder of all that is tracked."""
    return home.resolve() / "tracking"


def is_here(folder: Path) -> bool:
    """Whether a folder's database is there and was made where it lies now."""
    place = folder / "place"
    return (folder / "mlflow.db").exists() and place.is_file() and place.read_bytes() == os.fsencode(folder)


def database_uri(folder: Path) -> str:
    """The address of a folder's database for this process.

    MLflow keeps the database of an address open for ever. One that was deleted and made again since gets
    another address of the same place: /. more for each time."""
    made = os.stat(folder / "mlflow.db").st_ino if (folder / "mlflow.db").exists() else 0
    known = MADE.setdefault(folder, [])
    known += [] if made in known else [made]
    return sqlite_uri(folder) + "/." * known.index(made) + "/mlflow.db"


def _opened(folder: Path, origin: str) -> Mlflow:
    tracker = Mlflow(database_uri(folder), origin, folder / "artifacts")
    tracker.client.search_experiments(max_results=1)
    return tracker


def _create(folder: Path) -> Path:
    """Make a database for a folder under another name: a process killed meanwhile leaves no half of one."""
    for leftover in folder.parent.glob(TRACKING_ASIDE):
        shutil.rmtree(leftover)
    new = _aside(folder)
    new.mkdir()
    _opened(new, "")
    with closing(sqlite3.connect(new / "mlflow.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")  # kept in the file: a commit costs less
    (new / "place").write_bytes(os.fsencode(folder))
    return new


def _replace(folder: Path, new: Path) -> None:
    """Put a new folder in the place of the old one, which is whole until it has another name."""
    old = _aside(folder)
    if folder.exists():
        folder.rename(old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".tracking-{uuid.uuid4().hex}")


def sqlite_uri(path: Path) -> str:
    """The address of a database, quoted because SQLAlchemy decodes it as a browser would.

    It names the driver too: of an address without one MLflow makes the folder as it is quoted.

    Raises Refusal when the locale cannot express the path, which a decoded address would then miss."""
    exact = os.fsencode(path.absolute())
    if unquote(quote(exact)).encode(sys.getfilesystemencoding(), "replace") != exact:
        raise Refusal(
            f"the name of the folder {path.parent} cannot be expressed in this locale "
            f"({sys.getfilesystemencoding()}); set LC_ALL=C.UTF-8."
        )
    return f"sqlite+pysqlite:///{quote(exact)}"
