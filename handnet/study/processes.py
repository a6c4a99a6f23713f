"""Calls of somebody else's code, each in a process that can be killed alone.

Each worker process has a thread of its own here, which hands it one call after another and sees what becomes
of it. No two workers share a pipe or a lock, so whatever one does costs its own call alone; the next call
gets a fresh process. (In a pool with one queue for all, such as pebble's, a process that ends between two
calls breaks the pool, and one that ignores SIGTERM stalls it.) A process imports nothing of the user's
script: functions and classes of a script or a notebook are sent by value.
"""

import json
import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, Pipe
from queue import SimpleQueue
from typing import Any, Self

from handnet.messages import Refusal
from handnet.study.executor import AHEAD, LIBRARIES, POLL, Lost, TooLong, unnamed_file
from handnet.study.worker import BEGAN, KEEP, LIMIT, first_line, read, write

START = (
    "import json, sys; _, path, *given = sys.argv; sys.argv[1:] = []; sys.path[:] = json.loads(path);"
    " from handnet.study.worker import work; work(*map(int, given))"
)
IMPORTS = 60  # seconds by which the imports of a call may take longer than the call
MOST_SAID = 2**26  # bytes on stderr that are kept on the disk
BY_OTHERS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # no code raises them by a mistake
ONE_THREAD = (*LIBRARIES, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Killed(Lost):
    """A process was killed, by somebody or for want of memory: the call it ran may be well."""


class KilledAtStart(Refusal):
    """The same, before it ran anything."""


def packed(value: Any) -> bytes:
    """Any value of the user's as bytes for another process, once for many calls.

    Lambdas, and functions and classes of a script or a notebook, are packed by value.
    Raises Refusal for what cannot be sent, such as an open file."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as fault:  # the user's own classes say how they are packed
        raise Refusal(
            f"the model cannot be sent to a process of its own: {type(fault).__name__}: {first_line(fault)};"
            " name it by its module instead, or leave out what holds an open file, a lock or a connection."
        ) from None


def unpacked(content: bytes) -> Any:
    """The value that `packed` was given; for a worker."""
    return pickle.loads(content)


class Killable:
    """Workers in processes of their own, as many as there are calls to do, and at most `workers`.

    limit_seconds: how long a call may take, beside the imports of its function and arguments; memory_gib: how
    much memory a process may have; 0: no limit.
    The future of a call raises Lost for whatever the call did instead of giving a result, and Refusal (1)
    when no process can be started. A call whose process was killed from outside is run once more, because
    that says nothing of the call; the second time it is lost. What the call prints is seen nowhere. The
    processes end with this one, however it ends, and those they have started end with them. Ctrl-C does not
    reach them."""

    def __init__(self, workers: int, limit_seconds: float = 0.0, memory_gib: float = 0.0) -> None:
        self.count, self.ahead = workers, AHEAD * workers
        self.limit_seconds, self._memory = limit_seconds, int(memory_gib * 2**30)
        self._held: dict[str, Any] = {}
        self._rows: Connection | None = None  # what is held, as a file
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._calls: SimpleQueue[tuple[Future[Any], bytes, float] | None] = SimpleQueue()
        self._unfinished = 0
        self._threads: list[threading.Thread] = []

    def submit(self, function: Callable[..., Any], *arguments: Any, limits: float = 1) -> Future[Any]:
        """Run a function in one of the processes. limits: how many times the limit of time it may take.

        Raises Refusal for arguments that cannot be sent."""
        content, future = packed((function, arguments)), Future[Any]()
        self._count(1)
        self._calls.put((future, content, limits * self.limit_seconds or math.inf))
        if len(self._threads) < min(self._unfinished, self.count):
            self._threads.append(threading.Thread(target=self._serve, daemon=True))
            self._threads[-1].start()
        return future

    def hold(self, digest: str, rows: Any) -> None:
        """Keep rows for later calls; a process that runs already does not get them and is replaced."""
        if digest not in self._held:
            with self._lock:
                self._held[digest], self._rows = rows, None

    def _count(self, more: int) -> None:
        with self._lock:
            self._unfinished += more

    def _serve(self) -> None:
        """Hand calls to one process, or to its successors."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # for the processes that start here
        workers: list[_Process] = []  # at most one
        while (taken := self._calls.get()) and not self._closed.is_set():
            future, content, seconds = taken
            result: Any = None
            fault: BaseException | None = None
            if wanted := future.set_running_or_notify_cancel():
                try:
                    result = self._run(workers, content, seconds)
                except OSError as error:  # no room, no memory, no descriptors
                    fault = Refusal(f"a worker process cannot be started or given a call: {error}.", 1)
                except BaseException as error:
                    fault = error
            self._count(-1)
            if wanted:
                future.set_exception(fault) if fault else future.set_result(result)
        for worker in workers:
            worker.end()

    def _run(self, workers: "list[_Process]", content: bytes, seconds: float) -> Any:
        """The result of a call, made a second time where its process is killed from outside.

        workers: the process so far, if any, in whose place its successor comes. Raises Lost."""
        for last in (False, True):
            workers[:] = [self._sound(*workers)]
            try:
                return workers[0].run(content, seconds)
            except Killed as death:
                if last:
                    raise Lost(f"twice {death}") from None
        raise AssertionError

    def _sound(self, worker: "_Process | None" = None) -> "_Process":
        """This process, or a new one where it has ended or lacks rows."""
        with self._lock:
            rows = self._rows = self._rows or unnamed_file(self._held)
        if worker and worker.rows is rows and worker.lives():
            return worker
        if worker:
            worker.end()
        try:
            return _Process(rows, self._memory, self._closed)
        except KilledAtStart:
            return _Process(rows, self._memory, self._closed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for _thread in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()


class _Process:
    """A process that runs worker.work.

    Calls and replies stand in a file; a byte on a pipe says that one is there. So nobody waits for the rest
    of a message whose sender was killed."""

    def __init__(self, rows: Connection, memory: int, closed: threading.Event) -> None:
        self.rows, self._closed = rows, closed
        self._ended = False
        with ExitStack() as files:
            self._said = files.enter_context(tempfile.TemporaryFile())
            self._message = files.enter_context(tempfile.TemporaryFile())
            (order, self._order), (self._answer, answer), (end, kept_open) = (Pipe(False) for _ in range(3))
            for connection in (self._order, self._answer, kept_open):
                files.enter_context(connection)
            with order, answer, end:
                given = [file.fileno() for file in (order, answer, end, self._message, rows)]
                self._process = _start(given, memory, self._said)
            self._files = files.pop_all()
        if not self._byte(math.inf):
            death = self._death(0)
            refusal = KilledAtStart if isinstance(death, Killed) else Refusal
            raise refusal(f"a worker process died at its start: {death}.", 1)

    def run(self, content: bytes, seconds: float) -> Any:
        """The result of a packed call. Where it left anything running, the process is ended.

        Raises Lost, and Refusal where the call raises it."""
        start = os.fstat(self._said.fileno()).st_size
        write(self._message.fileno(), content)
        with suppress(BrokenPipeError):  # it has just been killed, which is seen below
            os.write(self._order.fileno(), KEEP)
        said = self._within(seconds + IMPORTS, "its imports")
        if said == BEGAN:
            said = self._within(seconds, "it")
        if not said:
            raise self._death(start)
        reply = read(self._message.fileno())
        if said != KEEP:
            self.end()
        try:
            sound, result = pickle.loads(reply)
        except BaseException as fault:  # its classes say how they are read
            raise Lost(f"its result cannot be read in another process: {first_line(fault)}") from None
        if not sound:
            raise Refusal(result, 1) if sound is None else Lost(result)
        return result

    def _within(self, seconds: float, what: str) -> bytes:
        """What it says next, or nothing once it has ended. Raises Lost when that takes longer."""
        try:
            return self._byte(seconds)
        except TimeoutError:
            self.end()
            late = TooLong if what == "it" else Lost
            raise late(f"{what} took longer than {seconds:g} s, and its process was killed") from None

    def lives(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def _byte(self, seconds: float) -> bytes:
        """What it says next, or nothing once it has ended. Raises TimeoutError, and CancelledError."""
        end = time.monotonic() + seconds
        while not self._answer.poll(max(0.0, min(POLL, end - time.monotonic()))):
            if not self.lives() and not self._answer.poll(0):
                return b""
            if self._closed.is_set():
                self.end()
                raise CancelledError
            if time.monotonic() >= end:
                raise TimeoutError
            if os.fstat(self._said.fileno()).st_blocks * 512 > MOST_SAID:
                os.ftruncate(self._said.fileno(), 0)
        return os.read(self._answer.fileno(), 1)

    def _death(self, start: int) -> Lost:
        """How it ended, and the last line that it wrote to stderr after the first `start` bytes."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        code = self._process.returncode
        if code is None:
            how = "it closed the connection of its process, which was killed"
        elif code < 0:
            name = {number.value: number.name for number in signal.Signals}.get(-code, f"signal {-code}")
            how = f"its process was killed by {name}"
            how += " (perhaps for want of memory)" if name == "SIGKILL" else ""
        else:
            how = f"its process ended with exit code {code}"
        size = os.fstat(self._said.fileno()).st_size
        tail = os.pread(self._said.fileno(), 4096, max(start, size - 4096)).decode(errors="replace")
        lines = ["".join(filter(str.isprintable, line)).strip() for line in tail.splitlines()]
        last = [line for line in lines if line][-1:]
        self.end()
        how += "".join(f"; the last line it wrote to stderr: {line[-LIMIT:]}" for line in last)
        return (Killed if code and -code in BY_OTHERS else Lost)(how)

    def end(self) -> None:
        """Kill it and what it has started, once: later its number may be another's."""
        if self._ended:
            return
        self._ended = True
        with suppress(ProcessLookupError, PermissionError):  # all have ended by themselves
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._files.close()


def _start(given: list[int], memory: int, said: Any) -> subprocess.Popen[bytes]:
    """Start a process that runs worker.work with these descriptors, and writes to stderr where it is read.

    Raises OSError."""
    path = json.dumps([str(folder or os.getcwd()) for folder in sys.path])
    # What is ordered by the hash of a text has the same order in every process.
    environment = {"PYTHONHASHSEED": "0", **os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    return subprocess.Popen(
        # -P: no file of the working folder is imported in place of one of Python's own.
        [sys.executable, "-P", "-c", START, path, *map(str, given), str(memory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        pass_fds=given,
        env=environment,
        start_new_session=True,  # Ctrl-C does not reach it, and what it starts can be killed with it
    )
