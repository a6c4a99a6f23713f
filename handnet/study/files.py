"""Files that appear whole or not at all, in a folder that is still the one whose lock was taken."""

import fcntl
import json
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handnet.messages import Refusal, option

KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
LOOSE = "a link that leads nowhere"
_held: dict[Path, os.stat_result] = {}  # folders whose lock this process has -> what each was at the time


def kind_of(path: Path) -> str:
    """What stands at a path, one of KINDS or LOOSE, or "". A link is what it leads to."""
    try:
        return KINDS[stat.S_IFMT(path.stat().st_mode)]
    except (FileNotFoundError, NotADirectoryError):
        return LOOSE if path.is_symlink() else ""
    except OSError:
        if path.is_symlink():  # in a circle
            return LOOSE
        raise


def check_file(path: Path) -> None:
    """That nothing but a file stands at a path; a pipe there would be waited for without end.

    Raises Refusal (1)."""
    if (kind := kind_of(path)) not in ("", "a file"):
        raise Refusal(f"{path} is {kind}, and handnet keeps a file there; move it aside.", 1)


def check_folder(path: Path) -> None:
    """That nothing but a folder stands at a path that was chosen, or may be made there. Raises Refusal."""
    for place in (path, *path.parents):
        try:
            kind = kind_of(place)
        except OSError as fault:
            other = option("mlruns", "")
            raise Refusal(f"{path} cannot be used ({denied(fault)}); choose another with {other}.") from None
        if kind == LOOSE or (place == path and kind not in ("", "a folder")):
            raise Refusal(f"{option('mlruns')} wants a folder, but {place} is {kind}.")


def read_file(path: Path) -> bytes:
    """The content of a file. Raises FileNotFoundError when nothing stands there, and Refusal (1) when
    something else does."""
    check_file(path)
    return path.read_bytes()


def write_whole(path: Path, content: bytes, forced: bool = True) -> None:
    """Write a file so that a reader, or a crash, meets the old content or the new, never a part of it.

    forced: to the disk, so that it outlives a power cut too. Raises Refusal (1) when something else stands in
    its place or in that of its folder, or the folder whose lock is held was moved."""
    check_in_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Refusal(
            f"{path.parent} is no folder, and {path.name} belongs there; move it aside.", 1
        ) from None
    # One name, so that the next writer overwrites what a crash leaves.
    temporary = path.with_name(f".{path.name}.new")
    check_file(path)
    check_file(temporary)
    with alone_in(path.parent):
        with temporary.open("wb") as file:
            file.write(content)
            if forced:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    if forced:
        sync(path.parent)


def append_line(path: Path, line: str) -> None:
    """Add one line and force it to the disk. A line cut short by a crash before is dropped first.

    Raises what `write_whole` does."""
    check_in_place(path)
    check_file(path)
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
    """The complete lines of a file; none when nothing stands there.

    A byte that is no text is given as \\xNN, which no line of JSON holds. Raises Refusal (1) when something
    else than a file stands there."""
    try:
        return read_file(path).decode(errors="backslashreplace").split("\n")[:-1]
    except FileNotFoundError:
        return []


def parsed(text: str | bytes) -> Any:
    """The content of a file of JSON, or of a line of one.

    Raises ValueError when it is none: a whole number of more than 64 bits, too, is nothing of ours;
    and RecursionError when it is nested too deep."""
    return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("a number of more than 64 bits")
    return int(digits)


@contextmanager
def held(home: Path) -> Iterator[None]:
    """While entered, nothing is written to the folder unless it is still where it was.

    Whatever fails meanwhile is a Refusal (1) that says so when it was moved or removed."""
    names = (home, home.resolve())  # what is tracked goes by the latter
    _held.update(dict.fromkeys(names, home.stat()))
    try:
        yield
    except Exception:
        check_in_place(home)
        raise
    else:
        check_in_place(home)
    finally:
        for name in names:
            _held.pop(name, None)


def check_in_place(path: Path) -> None:
    """That the folder whose lock is held, and in which a path lies, is where it was.

    Raises Refusal (1): what is written there now would begin another folder in its place."""
    for home, made in list(_held.items()):  # another thread may end its own meanwhile
        if path.is_relative_to(home) and not is_same(home, made):
            raise Refusal(
                f"{home} was moved or removed while it was written to; what was finished went with it: put it"
                f" back, or name its new place with {option('mlruns', '')}, and the same command goes on.",
                1,
            )


def is_same(folder: Path, made: os.stat_result) -> bool:
    """Whether a folder is still the one it was."""
    try:
        return os.path.samestat(folder.stat(), made)
    except OSError:
        return False


def denied(fault: OSError) -> str:
    """Why a path cannot be written, or read: what the system said, and whose it is if that is the reason."""
    if not isinstance(fault, PermissionError) or not fault.filename:
        return fault.strerror or type(fault).__name__
    path = Path(os.fsdecode(fault.filename)).absolute()
    shut = (one for one in (path, *path.parents) if os.path.exists(one) and not os.access(one, os.W_OK))
    place = next(shut, path.parent)
    owner, me = _user(place.stat().st_uid), _user(os.geteuid())
    whose = f"belongs to {owner}, and this is {me}" if owner != me else f"is {me}'s own, but write-protected"
    return f"{fault.strerror}: {place} {whose}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


@contextmanager
def alone_in(folder: Path, wait: bool = True) -> Iterator[None]:
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
