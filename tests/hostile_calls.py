"""What somebody else's code may do to the process it runs in. Worker processes import it: it stays light."""

import atexit
import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from handnet.study.executor import held


def times_held(digest: str, factor: int) -> int:
    return held(digest) * factor


def pid(_: int = 0) -> int:
    return os.getpid()


def raise_it(kind: type[BaseException], *arguments: Any) -> None:
    raise kind(*arguments)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def raise_mute() -> None:
    raise Mute


def raise_in_the_library() -> None:
    np.ones(3).reshape(2, 2)


def exit_at_once(words: str) -> None:
    print(words, file=sys.stderr)
    os._exit(3)


def kill(number: int) -> None:
    os.kill(os.getpid(), number)


def killed_at_first(path: str, value: int) -> int:
    """Whoever kills it does so once."""
    if not Path(path).exists():
        Path(path).touch()
        kill(signal.SIGKILL)
    return value


def read_nothing() -> None:
    ctypes.string_at(0)


def sleep_deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.PyDLL(None).sleep(60)  # no other thread of Python runs meanwhile


class SlowToArrive:
    """As what imports much."""

    def __reduce__(self) -> Any:
        return time.sleep, (1,)


class Endless:
    def __reduce__(self) -> Any:
        return time.sleep, (60,)


def recurse() -> None:
    recurse()


def allocate(size: int) -> int:
    return np.ones(size, np.uint8).nbytes


def fork_and_return() -> int:
    """The child returns, too."""
    child = os.fork()
    return child and os.getpid()


def fork_and_raise() -> None:
    os.fork()
    raise ValueError(f"from {os.getpid()}")


def close_all_files() -> None:
    os.closerange(3, 256)


def unsendable() -> Any:
    return threading.Lock()


def unreadable() -> Any:
    return Unreadable()


class Unreadable:
    def __reduce__(self) -> Any:
        return sys.exit, ("as it is read",)


def leave_child() -> int:
    return subprocess.Popen(["sleep", "60"]).pid


def leave_child_and_hang(path: str) -> None:
    Path(path).write_text(str(leave_child()))
    time.sleep(60)


def leave_thread_for_a_moment() -> int:
    threading.Timer(0.05, pid).start()
    return os.getpid()


def leave_thread() -> int:
    threading.Timer(0.8, os._exit, [5]).start()
    return os.getpid()


def print_everywhere() -> None:
    print("out")
    print("err", file=sys.stderr)
    os.write(1, b"raw out")
    os.write(2, b"raw err")
    subprocess.run(["echo", "child"], check=True)
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
    sys.__stdout__.flush()


def fill_stderr(size: int) -> None:
    for _ in range(size):
        os.write(2, bytes(2**20))
    os.write(2, b"\nthe end\n")
    os._exit(4)


def change_everything(folder: str) -> int:
    """All that is global and can be changed without being noticed."""
    os.chdir(folder)
    os.environ.clear()
    os.environ["HANDNET_TEST"] = "changed"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    warnings.simplefilter("error")
    sys.setrecursionlimit(200)
    np.seterr(all="raise")
    sys.path.clear()
    sys.stdout = sys.stderr = None  # type: ignore[assignment]
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    atexit.register(print, "at exit")
    return os.getpid()


def everything() -> tuple[int, Any]:
    """What `change_everything` changes, beside the process id."""
    return os.getpid(), (
        os.getcwd(),
        dict(os.environ),
        [signal.getsignal(number) in (signal.SIG_DFL, signal.SIG_IGN) for number in (15, 14)],
        signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        [*warnings.filters],
        sys.getrecursionlimit(),
        np.geterr(),
        [*sys.path],
        sys.stdout is None,
    )


def draw() -> tuple[float, float]:
    return np.random.random(), random.random()  # noqa: NPY002
