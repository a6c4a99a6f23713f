"""Named moments of a study, set from outside, so that its promise about being killed can be tried at each.

    python tests/killpoints.py study TRIALS=4 ...

is the command line with every function wrapped that ends or begins such a moment. Where HANDNET_MILESTONES
names a file, each moment appends one line to it, "process name key", which outlives the process.
HANDNET_KILL_AT="renamed network:2" makes the process kill itself (SIGKILL: nothing is tidied up) right after
the second such line whose name and key begin with "renamed network". A function that is renamed in the
product has no hook any more: `install` raises AttributeError then, and tests/test_torture.py sees that every
moment is reached."""

import functools
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

JOURNAL, KILL_AT = "HANDNET_MILESTONES", "HANDNET_KILL_AT"
STORE = (
    *("study.json", "network", "streams", "split", "ideal", "val", "test"),
    *("commit.json", "seconds.json", "origin.json"),
)
EVENTS = ("opened", "rehearsed", "graded")
MOMENTS = (
    "locked",  # the folder's lock is held
    # A file of the store, or MLflow's database, is complete under a temporary name; and it is in its place.
    *(f"renaming {kind}" for kind in (*STORE, "tracking")),
    *(f"renamed {kind}" for kind in (*STORE, "tracking")),
    "telling trial",  # a trial's line is about to be written, its networks are stored
    "told trial",  # and is on the disk
    *(f"recording {event}" for event in EVENTS),  # an event is about to be written to the ledger of openings
    *(f"recorded {event}" for event in EVENTS),  # and is on the disk
    *(f"superseding {kind}" for kind in ("split", "ideal", "streams")),  # what no commit names is removed
    # A page is complete, the old one still there; so is the note of what is tracked, and a backup.
    *(
        f"replacing {what}"
        for what in ("report.json", "report.md", "report.html", "case", "complete", "copy")
    ),
    "creating tracking",  # MLflow's database is about to be made
    "created run",  # a run is in the database, and empty
    "filled run",  # all of it is there, but the mark
    "finished run",  # it is marked FINISHED
    "read commit.json",  # a reader knows which confirmation it reads
)
# A model that keeps nothing is fitted again for reasons, which are stored.
OF_OTHERS = ("renaming reasons", "renamed reasons", "superseding reasons")
_times: Counter[str] = Counter()
_one_at_a_time = threading.Lock()  # a study is tracked from a thread of its own


def point(moment: str) -> str:
    """A moment without what tells one trial or result from the next: "renamed network" of "renamed
    network/80121/7"."""
    name, _, key = moment.partition(" ")
    return f"{name} {key.split('/')[0]}".strip()


def reached(moment: str) -> None:
    """Write the moment down, and die if it is the one to die at."""
    assert point(moment) in (*MOMENTS, *OF_OTHERS), moment
    journal = os.environ.get(JOURNAL)
    if journal is None:
        return
    with _one_at_a_time:
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
    from handnet.study import files, folder, study, targets, tracker
    from handnet.study.identity import Commit
    from handnet.study.sealed import Ledger
    from handnet.study.store import Store

    hook(study, "locked", _locked)
    files.os = folder.os = targets.os = _Replacing(os)  # type: ignore[assignment]
    hook(Store, "tell", _tell)
    hook(Store, "supersede", _supersede)
    hook(Ledger, "_append", _append)
    hook(Commit, "read", _read)
    hook(targets, "_create", _create)
    hook(tracker.Mlflow, "run", _run)
    hook(tracker.Mlflow, "finish", _finish)


@contextmanager
def _locked(plain: Callable[[Path], AbstractContextManager[None]], home: Path) -> Iterator[None]:
    with plain(home):
        reached("locked")
        yield


class _Replacing:
    """The module os, with moments before and after a file or folder is put in its place."""

    def __init__(self, plain: ModuleType) -> None:
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def replace(self, temporary: Path, path: Path) -> None:
        if key := "tracking" if path.name == "tracking" else _key(path):
            reached(f"renaming {key}")
            self.plain.replace(temporary, path)
            reached(f"renamed {key}")
        else:
            whole = {"complete": path.parent.name == "complete", "copy": temporary.is_dir()}
            reached(f"replacing {next((what for what in whole if whole[what]), path.name.partition('-')[0])}")
            self.plain.replace(temporary, path)


def _key(path: Path) -> str:
    """The key of a file of the store, by its place below studies/<name>; nothing for another file."""
    below = path.parts[::-1][: path.parts[::-1].index("studies") - 1] if "studies" in path.parts else ()
    return "/".join(reversed(below)).removesuffix(".npz")


def _tell(plain: Callable[..., None], store: Any, trial: Any, model: str) -> None:
    reached(f"telling trial/{model}/{trial.place}")
    plain(store, trial, model)
    reached(f"told trial/{model}/{trial.place}")


def _supersede(plain: Callable[..., None], store: Any, kind: str, keys: Any) -> None:
    reached(f"superseding {kind}")
    plain(store, kind, keys)


def _append(plain: Callable[..., None], ledger: Any, event: str, entry: dict[str, object]) -> None:
    reached(f"recording {event}")
    plain(ledger, event, entry)
    reached(f"recorded {event}")


def _read(plain: Callable[..., Any], store: Any) -> Any:
    commit = plain(store)
    reached("read commit.json")
    return commit


def _create(plain: Callable[..., Path], folder: Path) -> Path:
    reached("creating tracking")
    return plain(folder)


def _run(plain: Callable[..., Any], tracker: Any, experiment: str, entry: Any) -> Any:
    begun = plain(tracker, experiment, entry)
    if begun:
        reached(f"created run/{entry.key}")
    return begun


def _finish(plain: Callable[..., None], tracker: Any, run: str) -> None:
    key = tracker.begun[run].key
    reached(f"filled run/{key}")
    plain(tracker, run)
    reached(f"finished run/{key}")


if __name__ == "__main__":
    install()
    from handnet import cli

    cli.run(sys.argv[1:])
