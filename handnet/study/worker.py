"""What a process does that runs calls of somebody else's code, until it is ended.

Everything that such code can do to its own process is expected here: it raises anything, prints, forks,
changes what is global, or leaves something running. What it does to the process as a whole (it hangs, ends
or is killed) is seen from outside, in processes.py. This file is imported at every start: it stays light.
"""

import fcntl
import mmap
import os
import pickle
import resource
import signal
import sys
import sysconfig
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from handnet.generators import global_generators
from handnet.messages import Refusal
from handnet.study.executor import prepare_thread

BEGAN, KEEP, REPLACE = b"b", b"k", b"r"  # what a worker says: it or a call has begun, how a call has left it
LIMIT = 500  # characters of a message
MOMENT = 0.2  # seconds in which threads end that a call has told to
LIBRARIES = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
NO_USERS = (*(f"{folder}{os.sep}" for folder in (Path(__file__).parents[1], *LIBRARIES)), "<frozen")


def work(order: int, answer: int, end: int, message: int, rows: int, memory: int) -> None:
    """Run one call after another; descriptors of files come from the coordinator.

    order: a byte says that a call stands in message, the end of file that no more will come; answer: where a
    byte says that the reply stands there; end: a pipe that ends with the coordinator; rows: what is held;
    memory: the most bytes of data, 0 for as many as there are."""
    _end_with(end)
    _yield_memory(memory)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with mmap.mmap(rows, 0, access=mmap.ACCESS_READ) as content:
        prepare_thread(pickle.loads(content), threading.Event())
    ours = threading.enumerate()
    os.write(answer, BEGAN)
    folder = os.open(".", os.O_RDONLY)
    while os.read(order, 1):
        with _given_back(folder):
            reply = _reply(read(message), answer)
        write(message, reply)
        os.write(answer, REPLACE if _left_running(ours) else KEEP)


def read(message: int) -> bytes:
    """All that stands in an open file."""
    with mmap.mmap(message, 0, access=mmap.ACCESS_READ) as content:
        return content[:]


def write(message: int, content: bytes) -> None:
    """Write over all that stands in an open file."""
    os.ftruncate(message, 0)
    with open(message, "wb", closefd=False) as file:
        file.seek(0)
        file.write(content)


def _reply(content: bytes, answer: int) -> bytes:
    """What a call gives, pickled: (True, its result), (False, a sentence on what it did instead), or (None,
    a sentence on what must be done before any call can run).

    A byte says when it begins: packages that it is made of are imported before, and that takes seconds."""
    own = os.getpid()
    try:
        function, arguments = pickle.loads(content)
        os.write(answer, BEGAN)
        result = function(*arguments)
    except Refusal as refusal:
        reply = pickle.dumps((None, str(refusal)))
    except BaseException as fault:  # whatever it raises is its own affair, sys.exit included
        reply = pickle.dumps((False, _sentence(fault)))
    else:
        try:
            reply = pickle.dumps((True, result), pickle.HIGHEST_PROTOCOL)
        except Exception as fault:
            reply = pickle.dumps(
                (False, f"its result cannot be sent to another process: {first_line(fault)}")
            )
    if os.getpid() != own:  # it forked, and this is the child
        os._exit(0)
    return reply


def _sentence(fault: BaseException) -> str:
    """What was raised, and where in the user's own code."""
    if type(fault).__module__.startswith("handnet."):
        return first_line(fault).removesuffix(".")  # a sentence already
    place = ""
    for frame, line in traceback.walk_tb(fault.__traceback__):
        if not (file := frame.f_code.co_filename).startswith(NO_USERS):
            place = f" ({Path(file).name}, line {line})"
    return f"raised {type(fault).__name__}: {first_line(fault)}".removesuffix(": ") + place


def first_line(fault: BaseException) -> str:
    """The first line of what an exception says, cut where it is very long."""
    try:
        said = str(fault)
    except Exception:  # its __str__ is the user's, too
        return ""
    return said.strip().partition("\n")[0][:LIMIT]


@contextmanager
def _given_back(folder: int) -> Iterator[None]:
    """What a call can change for later calls is as it was. Global generators start anew in each."""
    environment, path, recursion = dict(os.environ), [*sys.path], sys.getrecursionlimit()
    streams = sys.stdin, sys.stdout, sys.stderr
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    with warnings.catch_warnings(), np.errstate(), global_generators(int.from_bytes(os.urandom(4))):
        yield
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    for number, handler in handlers.items():
        if signal.getsignal(number) != handler and handler is not None:
            signal.signal(number, handler)
    os.fchdir(folder)
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
    sys.path[:] = path
    sys.stdin, sys.stdout, sys.stderr = streams
    sys.setrecursionlimit(recursion)


def _left_running(ours: list[threading.Thread]) -> bool:
    """Whether a process or a thread that is none of ours still runs, a moment after a call."""
    end = time.monotonic() + MOMENT
    left = [thread for thread in threading.enumerate() if thread not in ours]
    for thread in left:
        thread.join(max(0.0, end - time.monotonic()))
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass  # one that has ended
    except ChildProcessError:
        return any(thread.is_alive() for thread in left)
    return True


def _end_with(end: int) -> None:
    """Let this process, and those it starts, be killed with the coordinator, however that ends."""
    if sys.platform == "linux":  # the kernel does it, even while compiled code lets no thread of Python run
        fcntl.fcntl(end, fcntl.F_SETOWN, -os.getpid())
        fcntl.fcntl(end, fcntl.F_SETSIG, int(signal.SIGKILL))
        fcntl.fcntl(end, fcntl.F_SETFL, os.O_ASYNC)
    else:
        threading.Thread(target=_wait_for_end, args=(end,), daemon=True).start()


def _wait_for_end(end: int) -> None:
    os.read(end, 1)
    os.killpg(0, signal.SIGKILL)


def _yield_memory(most: int) -> None:
    """Where memory ends, this process is killed, and not the study."""
    with suppress(OSError):  # only Linux asks
        Path("/proc/self/oom_score_adj").write_text("1000")
    if most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))
