"""Where a study's work runs: on threads of this process, or in processes of this machine.

What runs is a function of a module, called with plain arguments, so that a process can be given it too. The
rows it reads are held beforehand, once, under their digest. Results are taken in the order of the calls,
whichever is ready first, so nothing depends on where the work ran.
"""

import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, Self

from threadpoolctl import threadpool_limits

from handnet.contract import TO_THE_BIT
from handnet.messages import Refusal, command, option
from handnet.mlp.replicas import cores

KINDS = ("threads", "processes")
MOST = 1000  # workers
AHEAD = 4  # calls in flight for each worker: enough for the quick ones to go on beside a slow one
POLL = 0.2  # seconds between two looks at whether to stop
LIBRARIES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
Call = tuple[Callable[..., Any], *tuple[Any, ...]]
_worker = threading.local()  # of the thread that runs a call: what is held, and whether anybody still waits


class Lost(Exception):
    """A sentence on what somebody else's code did instead of giving a result, without a full stop."""


class TooLong(Lost):
    """The same, of a call that took longer than its limit."""


class Workers(Protocol):
    """What runs a study's calls.

    ahead: how many calls may be in flight at once."""

    ahead: int

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function of a module with plain arguments on a worker."""
        ...

    def hold(self, digest: str, rows: Any) -> None:
        """Let later calls find rows by their digest."""
        ...


def held(digest: str) -> Any:
    """The rows that are held under this digest, for the call that this worker runs. Raises KeyError."""
    return _worker.held[digest]


def abandoned() -> bool:
    """Whether nobody waits any more for the call that this worker runs."""
    return bool(_worker.closed.is_set())


def in_order(
    workers: Workers, calls: Iterable[Call], check: Callable[[], None] = lambda: None
) -> Iterator[Any]:
    """The results of calls, each a function and its arguments, in the order of the calls; of one that was
    lost to somebody else's code its Lost.

    A bounded number is in flight. When the results are no longer wanted, or a call raises, what has not begun
    is dropped. check: called while a result is waited for; what it raises ends the waiting.
    Raises Refusal (1) when a worker process has died."""
    waiting: deque[Future[Any]] = deque()

    def result() -> Any:
        while wait(list(waiting)[:1], POLL).not_done:
            check()
        try:
            return waiting.popleft().result()
        except Lost as fault:
            return fault

    try:
        for call in calls:
            waiting.append(workers.submit(*call))
            if len(waiting) == workers.ahead:
                yield result()
        while waiting:
            yield result()
    except BrokenExecutor:
        raise Refusal(
            "a worker process died (it was killed, or the memory is full); everything finished is kept, and"
            f" {command('study')} goes on from there, on threads without {option('executor')}.",
            1,
        ) from None
    finally:
        for future in waiting:
            future.cancel()


class Threads:
    """Workers in this process. Compiled code runs on all of them at once; NumPy's products use one thread.

    Compiled code cannot be stopped, so nobody waits for it who is stopped or fails. The threads are daemons,
    because the end of Python waits for all others."""

    def __init__(self, workers: int, ahead: int) -> None:
        self.count, self.ahead = workers, ahead
        self._held: dict[str, Any] = {}
        self._closed = threading.Event()
        self._calls: SimpleQueue[tuple[Future[Any], Call] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        self._blas: threadpool_limits | None = None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function on one of the threads."""
        future: Future[Any] = Future()
        self._calls.put((future, (function, *arguments)))
        return future

    def hold(self, digest: str, rows: Any) -> None:
        """Keep a reference to the rows."""
        self._held[digest] = rows

    def _work(self) -> None:
        prepare_thread(self._held, self._closed)
        while (taken := self._calls.get()) and not abandoned():
            future, (function, *arguments) = taken
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function(*arguments))
            except BaseException as fault:  # it belongs to whoever takes the result
                future.set_exception(fault)

    def __enter__(self) -> Self:
        self._blas = threadpool_limits(1, "blas")  # products this small are faster so
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_fault: object) -> None:
        self._closed.set()
        for _ in self._threads:
            self._calls.put(None)
        if kind is None:
            for thread in self._threads:
                thread.join()
        if self._blas:
            self._blas.restore_original_limits()


class Processes:
    """Workers in processes of their own, which end with this one, however that ends."""

    def __init__(self, workers: int, ahead: int) -> None:
        self.count, self.ahead = workers, ahead
        self._held: dict[str, Any] = {}
        self._pool: Executor | None = None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function in one of the processes, which start when they are first needed.

        Raises Refusal (1) when the first of them dies at its start."""
        if self._pool is None:
            given = (unnamed_file(self._held), self._end)
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.count, context, _begin_process, given)
            self._see_one_begin(self._pool)
        with _interrupts_held_back():  # from a process that is just starting, too
            return self._pool.submit(function, *arguments)

    def hold(self, digest: str, rows: Any) -> None:
        """Give the rows to every worker; those that run already do not get them and are replaced."""
        if digest not in self._held:
            if self._pool:
                self._pool.shutdown(cancel_futures=True)
            self._held[digest], self._pool = rows, None

    def _see_one_begin(self, pool: Executor) -> None:
        """Wait for the first process, which runs the script of the study up to its main guard."""
        others = multiprocessing.active_children()
        with _interrupts_held_back():
            began = pool.submit(os.getpid)
        first = [process for process in multiprocessing.active_children() if process not in others]
        try:
            began.result()
        except BrokenExecutor:
            raise Refusal(
                "a worker process died at its start: a script needs"
                f' `if __name__ == "__main__":` above what asks for {option("executor", "processes")} (or the'
                f" process was killed, or the memory is full); without {option('executor')} a study needs no"
                " processes.",
                1,
            ) from None
        finally:
            if not began.done():  # the wait was interrupted, and nothing else ends what a script does
                for process in first:
                    process.terminate()

    def __enter__(self) -> Self:
        # The workers wait for the end of this pipe; no other process has the end that is kept open.
        self._end, self._kept_open = Pipe(duplex=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._kept_open.close()  # ends the workers, whatever they are doing
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._end.close()


def make_workers(kind: str, count: int, backend: str) -> Threads | Processes:
    """`count` threads or processes, as many as there are cores when it is 0; in Keras one thread.

    They run nothing, and need no end, before they are entered. backend: its name.
    Raises Refusal for another kind or count, and for processes in Keras, or that cannot import
    the script again."""
    if not isinstance(count, int) or not 0 <= count <= MOST:
        raise Refusal(f"{option('workers')} must be a whole number from 0 to {MOST}, but is {count!r}.")
    if kind not in KINDS:
        raise Refusal(f"{option('executor')} must be one of {', '.join(KINDS)}, but is {kind!r}.")
    if backend not in TO_THE_BIT:
        if kind == "processes":
            raise Refusal(
                f"Keras trains one stack of networks after another in this process; leave"
                f" {option('executor', kind)} out, or choose another {option('backend')}."
            )
        return Threads(1, 1)
    if kind == "processes":
        _check_script()
    count = count or cores()
    return (Threads if kind == "threads" else Processes)(count, AHEAD * count)


def _check_script() -> None:
    """That a process can import what this one runs. Raises Refusal where it was read from standard input."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path and not getattr(main, "__spec__", None) and not Path(path).exists():
        raise Refusal(
            f"{option('executor', 'processes')} needs a script that a process can import again, but {path} is"
            f" no file; write the script to a file, or leave {option('executor')} out."
        )


def prepare_thread(held_rows: dict[str, Any], closed: threading.Event) -> None:
    """Prepare a thread for its calls: the rows that are held, and what is set when nobody waits any more."""
    _worker.held, _worker.closed = held_rows, closed


def _begin_process(rows: Connection, end: Connection) -> None:
    """Prepare a process for its calls. Ctrl-C reaches all processes of a terminal; the study obeys it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(LIBRARIES, "1"))  # of what is loaded from now on
    threadpool_limits(1, "blas")
    with mmap.mmap(rows.fileno(), 0, access=mmap.ACCESS_READ) as content:
        prepare_thread(pickle.loads(content), threading.Event())
    threading.Thread(target=_end_with_parent, args=(end,), daemon=True).start()


def unnamed_file(content: Any) -> Connection:
    """Content in a file without a name, which is gone with the last process that has it open.

    It comes as a connection, which a process that is started can be given. A pipe itself is no way for more
    than it buffers: when that process dies at its start, whoever writes to it waits forever."""
    with tempfile.TemporaryFile() as file:
        pickle.dump(content, file)
        file.flush()
        return Connection(os.dup(file.fileno()), writable=False)


def _end_with_parent(end: Connection) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for_any([parent.sentinel, end])
    os._exit(1)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits until the end, here and in whatever process is started meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
