"""The folder a study writes to: who may write, backup and clean."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

from handnet.messages import Refusal, command, option
from handnet.study.files import alone_in, check_file, check_folder, denied, held, kind_of, sync

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
    if path.is_symlink() or kind_of(path) not in ("", "a file"):
        kind = "a link" if path.is_symlink() else kind_of(path)
        raise Refusal(f"{path} is {kind}, and must be a plain file that says who writes; move it aside.", 1)
    with ExitStack() as stack:
        try:
            stack.enter_context(alone_in(home, wait=False))
        except BlockingIOError:
            raise Refusal(
                f"another study is writing to {home} (process {_holder(path)}); wait for it or stop it.", 75
            ) from None
        path.write_text(str(os.getpid()))
        stack.enter_context(held(home))
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
        with alone_in(temporary, wait=False):
            while not _copied(home, temporary):
                pass
            os.sync()
            os.replace(temporary, to)
    except BlockingIOError:
        raise Refusal(f"another backup of {home} is being made beside {to}; wait for it.", 75) from None
    except OSError as fault:
        raise Refusal(
            f"{to} cannot be made ({denied(fault)}); choose another folder with {option('to', '')}."
        ) from None
    sync(to.parent)


def _copied(home: Path, to: Path) -> bool:
    """Copy all studies to a folder, emptied before. Returns whether no study was confirmed anew meanwhile,
    which removes results that its commit of before names."""
    for path in to.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    records = [path for end in ("json", "jsonl") for path in home.glob(f"studies/*/*.{end}")]
    results = [path for name in ("studies", "tables", "reports") for path in (home / name).rglob("*")]
    for path in (*records, home / "openings.jsonl"):
        check_file(path)
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
        check_folder(home)
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as probe:
            probe.write(b"x")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as fault:
        raise Refusal(
            f"the folder {home} cannot be written ({denied(fault)}); choose another with"
            f" {option('mlruns', '')}."
        ) from None
    free = shutil.disk_usage(home).free
    if free < ENOUGH_SPACE:
        raise Refusal(
            f"the disk of {home} has {free // 2**20} MiB free, and a study wants 200; make room first.", 1
        )
