"""What a process reads and asks for while somebody else's code runs in it: files, services, programs.

Python tells of what its own code opens (an audit hook). Of one file, the table, the kernel of Linux tells too
(inotify), whoever opens it: compiled code such as pyarrow's, or another program."""

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from handnet.study.worker import LIBRARIES, NO_USERS

IN_OPEN = 0x20  # of inotify: somebody has opened the file
CODE = (".py", ".pyc", ".pyi", ".so", ".dylib", ".dll", ".pth", ".json.lock")
SYSTEM = tuple(f"/{name}/" for name in "proc sys dev etc usr lib lib64 run".split())


@dataclass
class Seen:
    """What was seen: paths of files that were opened to be read, addresses and programs, each with the place
    in the user's own code, "" where there is none; silent: the watched files that were opened by something
    that is not Python, as far as the system tells."""

    files: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)


_seen: list[Seen] = []  # that are filled now
_hooked: list[bool] = []  # a hook stays as long as the process


@contextmanager
def watching(paths: Sequence[str]) -> Iterator[Seen]:
    """While entered, fills what it yields. paths: the files that are watched through the system too."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hear)
    seen = Seen()
    with ExitStack() as watches:
        told = [(path, watches.enter_context(_opened(path))) for path in paths if os.path.isfile(path)]
        _seen.append(seen)
        try:
            yield seen
        finally:
            _seen.remove(seen)
        seen.files = {
            path: place for path, place in seen.files.items() if path in paths or _may_hold_rows(path)
        }
        seen.silent = [path for path, opened in told if opened() and path not in seen.files]


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """A function that says whether anybody has opened the file since; always no where the system is mute."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    except (AttributeError, OSError):  # it is not Linux
        watch = -1
    if watch < 0:
        yield lambda: False
        return
    libc.inotify_add_watch(watch, os.fsencode(path), IN_OPEN)

    def opened() -> bool:
        with suppress(BlockingIOError):  # nothing was told
            return bool(os.read(watch, 4096))
        return False

    try:
        yield opened
    finally:
        os.close(watch)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: it notes, and never raises."""
    if not _seen or event not in HEARD:
        return
    with suppress(Exception):  # what a user's own path or address does when it is written as text
        kind, what = HEARD[event](arguments)
        if what:
            for seen in _seen:
                known: dict[str, str] = getattr(seen, kind)
                if len(known) < 1000:
                    known.setdefault(what, _place(sys._getframe(1)))


def _file(arguments: tuple[Any, ...]) -> tuple[str, str]:
    path, _, flags = arguments
    reads = not isinstance(path, int) and (flags or 0) & os.O_ACCMODE != os.O_WRONLY
    return "files", os.path.realpath(os.fsdecode(path)) if reads else ""


def _service(arguments: tuple[Any, ...]) -> tuple[str, str]:
    address = arguments[1]
    return "services", ":".join(map(str, address[:2])) if isinstance(address, tuple) else ""


def _program(arguments: tuple[Any, ...]) -> tuple[str, str]:
    """Only what the user's own code starts: libraries count processors in this way."""
    frame: FrameType | None = sys._getframe(2)
    while frame and frame.f_code.co_filename.startswith((LIBRARIES[0], "<frozen")):
        if "site-packages" in frame.f_code.co_filename:
            break
        frame = frame.f_back
    own = frame and not frame.f_code.co_filename.startswith(NO_USERS)
    return "programs", os.fsdecode(arguments[0]) if own else ""


HEARD = {
    "open": _file,
    "socket.connect": _service,
    "subprocess.Popen": _program,
    "os.system": _program,
    "os.posix_spawn": _program,
}


def _place(frame: FrameType | None) -> str:
    """Where in the user's own code, as in "mymodel.py, line 7"."""
    while frame:
        if not (file := frame.f_code.co_filename).startswith((*NO_USERS, "<string>")):
            return f"{Path(file).name}, line {frame.f_lineno}"
        frame = frame.f_back
    return ""


def _may_hold_rows(path: str) -> bool:
    """Whether a file may hold rows of a table: it is neither code nor part of Python or of the system."""
    libraries = tuple(f"{folder}{os.sep}" for folder in (*LIBRARIES, sys.prefix, sys.base_prefix))
    part_of = (*(os.path.realpath(folder) + os.sep for folder in libraries), *libraries, *SYSTEM)
    return os.path.isfile(path) and not path.endswith(CODE) and not path.startswith(part_of)
