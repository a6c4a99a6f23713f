"""Named moments of a study, set from outside, so that its promise about being killed can be tried at each.

    python tests/killpoints.py study TRIALS=4 ...

is the command line with every function wrapped that ends or begins such a moment. Where HANDNET_MILESTONES
names a file, each moment appends one line to it, "process name key", which outlives the process.
HANDNET_KILL_AT="finished seed:2" makes the process kill itself (SIGKILL: nothing is tidied up) right after
the second such line whose name and key begin with "finished seed". A function that is renamed in the product
has no hook any more: `install` raises AttributeError then, and tests/test_torture.py sees that every moment
is reached."""

import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

JOURNAL, KILL_AT = "HANDNET_MILESTONES", "HANDNET_KILL_AT"
MOMENTS = {
    "locked": "the folder's lock is held",
    "building": "a database is about to be made",
    "built": "a database is complete, under a temporary name",
    "renamed": "a database is in its place",
    "enqueued": "a point of a Sobol design waits to be asked for",
    "asked": "a trial has its configuration",
    "attaching": "a file is about to be written beside a run",
    "attached": "all files of a run are written",
    "inserting": "the rows of a run are about to be written",
    "created": "a run is in the database, not finished",
    "filled": "a run is about to be marked FINISHED",
    "finished": "a run is marked FINISHED",
    "telling": "a trial is about to be told its value",
    "told": "a trial has its value",
    "recorded": "an event is in the ledger of openings",
    "committed": "the study names the runs of its confirmation",
    "replacing": "a file is complete and about to replace another",
    "read": "a reader has read what the study committed to",
}
_times: Counter[str] = Counter()


def reached(name: str, key: str = "") -> None:
    """Write the moment down, and die if it is the one to die at."""
    assert name in MOMENTS, name
    journal = os.environ.get(JOURNAL)
    if journal is None:
        return
    moment = f"{name} {key}"
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, f"{os.getpid()} {moment}\n".encode())
    os.close(handle)
    wanted, _, time = os.environ.get(KILL_AT, "").rpartition(":")
    if wanted and moment.startswith(wanted):
        _times[wanted] += 1
        if str(_times[wanted]) == time:
            os.kill(os.getpid(), signal.SIGKILL)


def hook(owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Let `around(plain, *arguments)` stand in for the function `name` of a module or a class."""
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def hooked(*arguments: Any, **named: Any) -> Any:
        return around(plain, *arguments, **named)

    setattr(owner, name, hooked)


def install() -> None:
    """Set every hook. Raises AttributeError when a function is not where it was."""
    from handnet.study import databases, folder, mlflow_tables, outcome, search, study, tracker
    from handnet.study.identity import Commit
    from handnet.study.sealed import Ledger

    hook(study, "locked", _locked)
    for module in (tracker, search):
        hook(module, "create_database", _create_database)
    databases.os, folder.os = _Replacing(databases.os), _Replacing(folder.os)  # type: ignore[assignment]
    hook(search.Search, "ask", _ask)
    hook(search.Search, "tell", _tell)
    hook(search.optuna.Study, "enqueue_trial", _enqueue)
    hook(tracker, "write_files", _write_files)
    hook(mlflow_tables, "write_file", _write_file)
    hook(tracker.Tracker, "attach_file", _attach_file)
    hook(tracker, "insert_runs", _insert_runs)
    hook(tracker.Tracker, "insert", _insert)
    hook(tracker.Tracker, "finish", _finish)
    hook(Ledger, "_append", _append)
    hook(Commit, "write", _commit)
    hook(outcome, "read_commit", _read)


@contextmanager
def _locked(plain: Callable[[Path], AbstractContextManager[None]], home: Path) -> Iterator[None]:
    with plain(home):
        reached("locked")
        yield


def _create_database(plain: Callable[..., str], path: Path, build: Callable[[str], None]) -> str:
    def building(uri: str) -> None:
        reached("building", path.name)
        build(uri)

    return plain(path, building)


class _Replacing:
    """The module os, with a moment before a file replaces another."""

    def __init__(self, plain: ModuleType) -> None:
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def replace(self, temporary: Path, path: Path) -> None:
        is_database = path.suffix == ".db"
        reached("built" if is_database else "replacing", path.name)
        self.plain.replace(temporary, path)
        if is_database:
            reached("renamed", path.name)


def _place(search: Any) -> int:
    return len(search.finished())


def _ask(plain: Callable[..., Any], search: Any) -> Any:
    place = _place(search)
    asked = plain(search)
    reached("asked", f"trial {place + 1:02d}")
    return asked


def _tell(plain: Callable[..., None], search: Any, trial: Any, value: float, **facts: object) -> None:
    label = f"trial {_place(search) + 1:02d}"
    reached("telling", label)
    plain(search, trial, value, **facts)
    reached("told", label)


def _enqueue(plain: Callable[..., None], study: Any, point: dict[str, Any]) -> None:
    plain(study, point)
    reached("enqueued", str(len(study.trials) - 1))


_writing: list[str] = []  # the key of the run whose files are written


def _write_files(plain: Callable[..., Any], entry: Any, *more: Any) -> Any:
    _writing.append(entry.key)
    run = plain(entry, *more)
    reached("attached", _writing.pop())
    return run


def _write_file(plain: Callable[..., None], path: Path, content: bytes) -> None:
    reached("attaching", _writing[-1])
    plain(path, content)


def _attach_file(plain: Callable[..., None], tracker: Any, key: str, name: str, content: bytes) -> None:
    reached("attaching", f"beside/{key}")
    plain(tracker, key, name, content)


def _insert_runs(
    plain: Callable[..., None], engine: Any, entries: Sequence[Any], runs: Sequence[Any]
) -> None:
    for entry in entries:
        reached("inserting", entry.key)
    plain(engine, entries, runs)


def _insert(plain: Callable[..., Any], tracker: Any, entries: Sequence[Any], status: str) -> Any:
    runs = plain(tracker, entries, status)
    for entry in entries:
        reached("finished" if status == "FINISHED" else "created", entry.key)
    return runs


def _finish(plain: Callable[..., None], tracker: Any, key: str, run_id: str) -> None:
    reached("filled", key)
    plain(tracker, key, run_id)
    reached("finished", key)


def _append(plain: Callable[..., None], ledger: Any, event: str, entry: dict[str, object]) -> None:
    plain(ledger, event, entry)
    reached("recorded", event)


def _commit(plain: Callable[..., None], commit: Any, store: Any) -> None:
    plain(commit, store)
    reached("committed")


def _read(plain: Callable[..., Any], home: Path, name: str) -> Any:
    state = plain(home, name)
    reached("read", name)
    return state


if __name__ == "__main__":
    install()
    from handnet import cli

    cli.run(sys.argv[1:])
