"""The folder a study writes to: who may write, how files appear whole or not at all, backup and clean."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

from handnet.messages import Refusal, command, option

ENOUGH_SPACE = 200 * 2**20
TRACKING_ASIDE = ".tracking-" + "[0-9a-f]" * 32  # one that is being made, or was left by a kill
OURS = ("studies", "tracking", TRACKING_ASIDE, "reports", "tables/table-*.parquet")
# Where studies were kept before they had files of their own, and a name that only such a database holds.
OLDER = {"mlflow.db": b"handnet.key", "optuna.db": b"fingerprint"}
# Of the other commands; whoever else keeps something in a folder of that name keeps it.
PAGES = {
    "walk": ("walk.html",),
    "claims": ("claims.html", "claims.json"),
    "published": ("published.html", "published.json"),
    "bench": ("bench.json", "bench.svg"),
}


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the folder's lock: one writer at a time. The lock dies with the process, however it dies.

    It is the folder itself that is locked, so that no file can be deleted to get past the lock; the file
    .lock says who holds it. Raises Refusal (75) naming the process that holds it, (1) when what stands in the
    place of .lock is no file, (2) when the folder cannot be written or is nearly full."""
    prepare(home)
    path = home / ".lock"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Refusal(f"{path} must be a plain file, the lock of the folder; move it aside.", 1)
    with ExitStack() as held:
        try:
            held.enter_context(_alone_in(home, wait=False))
        except BlockingIOError:
            raise Refusal(
                f"another study is writing to {home} (process {_holder(path)}); wait for it or stop it.", 75
            ) from None
        path.write_text(str(os.getpid()))
        yield


def _holder(path: Path) -> str:
    """The process named in a lock that is held.

    A process that has just taken the lock needs a moment to write its number there."""
    for _ in range(50):
        name = path.read_text().strip() if path.exists() else ""
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
    """Copy all studies of the folder to `to`, completely or not at all, while one may be written.

    Every file appears whole, and what a file relies on is there before it. So the records of a study, its
    trials and its confirmation, are copied before the results they name, and the ledger of openings last. The
    tracking of MLflow is left out, because it is made from the studies. Raises Refusal when there is nothing
    to copy, or `to` is taken or inside the folder."""
    check_layout(home)
    if not (home / "studies").exists():
        raise Refusal(
            f"there is no study in {home} yet, so there is nothing to copy; {command('study')} makes one."
        )
    if to.exists() or home.resolve() in (to.resolve(), *to.resolve().parents):
        where = "exists already" if to.exists() else f"lies inside {home}"
        raise Refusal(f"{to} {where}; choose another folder with {option('to', '')}.")
    # One name, whatever `to` is called, so that the next backup removes what a killed one leaves.
    temporary = to.with_name(f".{home.resolve().name}-backup.new")
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        with _alone_in(temporary, wait=False):
            while not _copied(home, temporary):
                pass
            os.sync()
            os.replace(temporary, to)
    except BlockingIOError:
        raise Refusal(f"another backup of {home} is being made beside {to}; wait for it.", 75) from None
    except OSError as fault:
        raise Refusal(
            f"{to} cannot be made ({fault.strerror}); choose another folder with {option('to', '')}."
        ) from None
    sync(to.parent)


def _copied(home: Path, to: Path) -> bool:
    """Copy all studies to a folder, emptied before. Returns whether no study was confirmed anew meanwhile,
    which removes results that its commit of before names."""
    for path in to.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    records = [path for end in ("json", "jsonl") for path in home.glob(f"studies/*/*.{end}")]
    results = [path for name in ("studies", "tables", "reports") for path in (home / name).rglob("*")]
    for path in (*records, *results, home / "openings.jsonl"):
        copy = to / path.relative_to(home)
        if not path.name.startswith(".") and not copy.exists():
            _copy(path, copy)
    commits = list(to.glob("studies/*/commit.json"))
    return all((home / path.relative_to(to)).read_bytes() == path.read_bytes() for path in commits)


def _copy(path: Path, to: Path) -> None:
    """Copy a file that may be replaced or removed meanwhile, and may not be there."""
    with suppress(FileNotFoundError):
        if path.is_file():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)


def clean(home: Path) -> list[str]:
    """Remove what studies and the other commands wrote, by name; the ledger of openings stays.

    Returns the files and folders right inside `home` that were removed, or lost something."""
    pages = (
        f"{folder}/{mark}"
        for folder, names in PAGES.items()
        for name in names
        for mark in (name, f".{name}.new")
    )
    removed = set()
    with locked(home):
        for path in (path for pattern in (*OURS, *pages, *_older(home)) for path in home.glob(pattern)):
            if path.name == "tracking" and is_others(path):
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            removed.add(path.relative_to(home).parts[0])
        for folder in (*PAGES, "tables"):
            with suppress(OSError):  # it is not there, or not empty
                (home / folder).rmdir()
    return sorted(name for name in removed if ".db-" not in name)  # SQLite's -wal and -shm are no news


def is_others(tracking: Path) -> bool:
    """Whether something that this program has not made stands in the place of what is tracked."""
    if tracking.is_dir() and not tracking.is_symlink():
        return not (tracking / "place").is_file() and any(tracking.iterdir())
    return tracking.is_symlink() or tracking.exists()


def _older(home: Path) -> tuple[str, ...]:
    """What an older layout kept in the folder; nothing where it is not one."""
    kept = {"mlflow.db": ("mlflow.db*", "artifacts"), "optuna.db": ("optuna.db*",)}
    return tuple(pattern for name in OLDER if _holds_studies(home / name) for pattern in kept[name])


def _holds_studies(path: Path) -> bool:
    """Whether a database of that name is ours: MLflow and Optuna call theirs so by themselves."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(OLDER[path.name]) >= 0


def check_layout(home: Path) -> None:
    """Raises Refusal (1) when the folder holds studies of an older layout, or something in their place."""
    if (home / "studies").exists() and not (home / "studies").is_dir():
        raise Refusal(f"{home / 'studies'} is no folder, and studies belong there; move it aside.", 1)
    for name in OLDER:
        if _holds_studies(home / name):
            raise Refusal(
                f"{home} holds studies of an older handnet, kept in {name}, which this one does not read;"
                f" choose another folder with {option('mlruns', '')}, or {command('clean')} removes them and"
                " keeps the ledger of openings.",
                1,
            )


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
            f"the folder {home} cannot be written ({fault.strerror}); choose another with"
            f" {option('mlruns', '')}."
        ) from None
    free = shutil.disk_usage(home).free
    if free < ENOUGH_SPACE:
        raise Refusal(
            f"the disk of {home} has {free // 2**20} MiB free, and a study wants 200; make room first.", 1
        )


def write_whole(path: Path, content: bytes, forced: bool = True) -> None:
    """Write a file so that a reader, or a crash, meets the old content or the new, never a part of it.

    forced: to the disk, so that it outlives a power cut too."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Refusal(
            f"{path.parent} is no folder, and {path.name} belongs there; move it aside.", 1
        ) from None
    # One name, so that the next writer overwrites what a crash leaves.
    temporary = path.with_name(f".{path.name}.new")
    with _alone_in(path.parent):
        with temporary.open("wb") as file:
            file.write(content)
            if forced:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    if forced:
        sync(path.parent)


def append_line(path: Path, line: str) -> None:
    """Add one line and force it to the disk. A line cut short by a crash before is dropped first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        complete = file.read().rfind(b"\n") + 1
        file.truncate(complete)
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def whole_lines(path: Path) -> list[str]:
    """The complete lines of a file; none when there is no file.

    A byte that is no text is given as \\xNN, which no line of JSON holds."""
    if not path.exists():
        return []
    return path.read_bytes().decode(errors="backslashreplace").split("\n")[:-1]


@contextmanager
def _alone_in(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold the folder while something in it is written: a study and its readers write the same report.

    Raises BlockingIOError when somebody holds it and this one is not to wait."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
