"""Where a study's work runs: on threads of this process, or in processes of this machine.

What runs is a function of a module, called with plain arguments, so that a process can be given it too. The
rows it reads are held beforehand, once, under their digest. Results are taken in the order of the calls,
whichever is ready first, so nothing depends on where the work ran.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from multiprocessing.connection import wait as wait_for_any
from typing import Any, Protocol, Self

from threadpoolctl import threadpool_limits

from handnet.messages import Refusal, command, option
from handnet.mlp.replicas import cores

KINDS = ("threads", "processes")
MOST = 1000  # workers
AHEAD = 4  # calls in flight for each worker: enough for the quick ones to go on beside a slow one
POLL = 0.2  # seconds between two looks at whether to stop
LIBRARIES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
Call = tuple[Callable[..., Any], *tuple[Any, ...]]
_worker = threading.local()  # of the thread that runs a call: what is held, and whether anybody still waits


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
    """The results of calls, each a function and its arguments, in the order of the calls.

    A bounded number is in flight. When the results are no longer wanted, or a call raises, what has not begun
    is dropped. check: called while a result is waited for; what it raises ends the waiting.
    Raises Refusal (1) when a worker process has died."""
    waiting: deque[Future[Any]] = deque()

    def result() -> Any:
        while wait(list(waiting)[:1], POLL).not_done:
            check()
        return waiting.popleft().result()

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
    """Workers in this process. Compiled code runs on all of them at once; NumPy's products use one thread."""

    def __init__(self, workers: int, ahead: int) -> None:
        self.ahead = ahead
        self._held: dict[str, Any] = {}
        self._closed = threading.Event()
        self._blas = threadpool_limits(1, "blas")  # products this small are faster so
        self._pool = ThreadPoolExecutor(workers, "worker", _begin, (self._held, self._closed))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function on one of the threads."""
        return self._pool.submit(function, *arguments)

    def hold(self, digest: str, rows: Any) -> None:
        """Keep a reference to the rows."""
        self._held[digest] = rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._pool.shutdown(cancel_futures=True)
        self._blas.restore_original_limits()


class Processes:
    """Workers in processes of their own, which end with this one, however that ends."""

    def __init__(self, workers: int, ahead: int) -> None:
        self.ahead, self._workers = ahead, workers
        self._held: dict[str, Any] = {}
        self._pool: Executor | None = None
        # The workers wait for the end of this pipe; no other process has the end that is kept open.
        self._end, self._kept_open = Pipe(duplex=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function in one of the processes, which start when they are first needed."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            given = (self._held, self._end)
            self._pool = ProcessPoolExecutor(self._workers, context, _begin_process, given)
        with _interrupts_held_back():  # from a process that is just starting, too
            return self._pool.submit(function, *arguments)

    def hold(self, digest: str, rows: Any) -> None:
        """Give the rows to every worker; those that run already do not get them and are replaced."""
        if digest not in self._held:
            if self._pool:
                self._pool.shutdown(cancel_futures=True)
            self._held[digest], self._pool = rows, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept_open.close()  # ends the workers, whatever they are doing
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._end.close()


def make_workers(kind: str, count: int, together: bool) -> Threads | Processes:
    """`count` threads or processes, as many as there are cores when it is 0.

    together: whether several calls may run at once, as they may not in Keras.
    Raises Refusal for another kind or count, and for processes where only one call may run."""
    if not isinstance(count, int) or not 0 <= count <= MOST:
        raise Refusal(f"{option('workers')} must be a whole number from 0 to {MOST}, but is {count!r}.")
    if kind not in KINDS:
        raise Refusal(f"{option('executor')} must be one of {', '.join(KINDS)}, but is {kind!r}.")
    if not together:
        if kind == "processes":
            raise Refusal(
                f"Keras trains one stack of networks after another in this process; leave"
                f" {option('executor', kind)} out, or choose another {option('backend')}."
            )
        return Threads(1, 1)
    count = count or cores()
    return (Threads if kind == "threads" else Processes)(count, AHEAD * count)


def _begin(held_rows: dict[str, Any], closed: threading.Event) -> None:
    """Prepare a thread for its calls."""
    _worker.held, _worker.closed = held_rows, closed


def _begin_process(held_rows: dict[str, Any], end: Connection) -> None:
    """Prepare a process for its calls. Ctrl-C reaches all processes of a terminal; the study obeys it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(LIBRARIES, "1"))  # of what is loaded from now on
    threadpool_limits(1, "blas")
    _begin(held_rows, threading.Event())
    threading.Thread(target=_end_with_parent, args=(end,), daemon=True).start()


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
