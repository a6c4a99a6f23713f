"""Calls of somebody else's code: whatever one does costs itself alone, and is told in a sentence."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_calls as hostile
import pytest
from studies import ROOT

from handnet.messages import Refusal
from handnet.study.crew import Both
from handnet.study.executor import Threads, in_order
from handnet.study.processes import Killable, Lost, packed, unpacked

TESTS = Path(__file__).parent


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ended(*pids: int) -> bool:
    end = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(map(alive, pids))


@pytest.fixture(scope="module")
def workers() -> Iterator[Killable]:
    with Killable(2, limit_seconds=20, memory_gib=1) as made:
        yield made


@pytest.fixture(scope="module")
def impatient() -> Iterator[Killable]:
    with Killable(2, limit_seconds=0.5) as made:
        yield made


def lost(workers: Killable, *call: Any) -> str:
    """The sentence on a call, while another call is in flight, which is not harmed."""
    beside = workers.submit(time.sleep, 0.2)
    with pytest.raises(Lost) as caught:
        workers.submit(*call).result(60)
    assert beside.result(60) is None
    (sentence,) = caught.value.args
    assert len(sentence) < 700
    assert sentence.isprintable()
    return sentence


def test_results_come_in_order_and_rows_are_held_for_later_calls() -> None:
    with Killable(2) as workers:
        workers.hold("three", 3)
        calls = [(hostile.times_held, "three", n) for n in range(9)]
        assert list(in_order(workers, calls)) == list(range(0, 27, 3))
        workers.hold("five", 5)
        calls = [(hostile.times_held, "five", 2), (hostile.times_held, "three", 2)]
        assert list(in_order(workers, calls)) == [10, 6]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ((hostile.raise_it, ValueError, "no\nsuch"), "raised ValueError: no @"),
        ((hostile.raise_it, KeyboardInterrupt), "raised KeyboardInterrupt @"),
        ((hostile.raise_it, SystemExit, 3), "raised SystemExit: 3 @"),
        ((hostile.raise_it, GeneratorExit), "raised GeneratorExit @"),
        ((hostile.raise_it, Lost, "a sentence"), "a sentence"),
        ((hostile.raise_mute,), "raised Mute @"),
        (
            (hostile.raise_in_the_library,),
            "raised ValueError: cannot reshape array of size 3 into shape (2,2) @",
        ),
        ((divmod, 1, 0), "raised ZeroDivisionError: integer division or modulo by zero"),
        (
            (hostile.exit_at_once, "bad\nlast \x1b[31mwords"),
            "its process ended with exit code 3; the last line it wrote to stderr: last [31mwords",
        ),
        (
            (hostile.kill, signal.SIGKILL),
            "twice its process was killed by SIGKILL (perhaps for want of memory)",
        ),
        pytest.param((hostile.kill, 40), "its process was killed by signal 40", marks=pytest.mark.long),
        pytest.param(
            (hostile.kill, signal.SIGTERM), "twice its process was killed by SIGTERM", marks=pytest.mark.long
        ),
        pytest.param((os.abort,), "its process was killed by SIGABRT", marks=pytest.mark.long),
        ((hostile.read_nothing,), "its process was killed by SIGSEGV"),
        (
            (hostile.unsendable,),
            "its result cannot be sent to another process: cannot pickle '_thread.lock' object",
        ),
        ((hostile.unreadable,), "its result cannot be read in another process: as it is read"),
    ],
    ids=lambda value: value[0].__name__ if isinstance(value, tuple) else "",
)
def test_what_a_call_does_is_a_sentence(workers: Killable, call: Any, sentence: str) -> None:
    last = call[0].__code__.co_firstlineno + 1 if "@" in sentence else 0
    assert lost(workers, *call) == sentence.replace("@", f"(hostile_calls.py, line {last})")


def test_one_who_hangs_is_killed_whatever_it_ignores(impatient: Killable) -> None:
    start = time.monotonic()
    assert lost(impatient, hostile.sleep_deaf) == "it took longer than 0.5 s, and its process was killed"
    assert impatient.submit(time.sleep, 0.8, limits=3).result(20) is None
    assert time.monotonic() - start < 20


def test_imports_are_not_counted_but_end(impatient: Killable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert impatient.submit(str, hostile.SlowToArrive()).result(20) == "None"
    monkeypatch.setattr("handnet.study.processes.IMPORTS", 0.5)
    said = lost(impatient, str, hostile.Endless())
    assert said == "its imports took longer than 1 s, and its process was killed"


def test_who_waits_in_line_is_not_late(impatient: Killable) -> None:
    assert [future.result(20) for future in [impatient.submit(time.sleep, 0.3) for _ in range(6)]] == [
        None
    ] * 6


def test_memory_beyond_the_limit_is_refused_and_what_is_within_is_not(workers: Killable) -> None:
    assert lost(workers, hostile.allocate, 50 * 2**30).startswith(
        "raised MemoryError: Unable to allocate 50.0 GiB"
    )
    assert lost(workers, hostile.allocate, 2**30).startswith(
        "raised MemoryError: Unable to allocate 1.00 GiB"
    )
    assert workers.submit(hostile.allocate, 2**28).result(20) == 2**28


def test_recursion_without_end_is_a_sentence(workers: Killable) -> None:
    assert lost(workers, hostile.recurse).startswith(
        "raised RecursionError: maximum recursion depth exceeded ("
    )


def test_a_child_that_returns_ends_and_its_parent_goes_on(workers: Killable) -> None:
    (parent,) = {workers.submit(hostile.fork_and_return).result(20) for _ in range(1)}
    assert parent > 0
    said = lost(workers, hostile.fork_and_raise)
    assert said.startswith("raised ValueError: from ")
    assert workers.submit(pow, 2, 5).result(20) == 32


def test_a_process_without_its_files_is_replaced(workers: Killable) -> None:
    assert lost(workers, hostile.close_all_files).startswith(
        "its process ended with exit code 1; the last line"
    )
    assert workers.submit(pow, 2, 5).result(20) == 32


def test_what_a_call_leaves_running_ends_with_its_process(impatient: Killable, tmp_path: Path) -> None:
    child = impatient.submit(hostile.leave_child).result(20)
    assert ended(child)
    assert lost(impatient, hostile.leave_child_and_hang, str(tmp_path / "pid")).startswith("it took longer")
    assert ended(int((tmp_path / "pid").read_text()))


def test_a_thread_that_is_left_harms_no_later_call() -> None:
    with Killable(1) as workers:
        first = workers.submit(hostile.leave_thread).result(20)
        later = [workers.submit(hostile.pid), workers.submit(time.sleep, 1), workers.submit(hostile.pid)]
        assert {future.result(20) for future in later} & {first} == set()
        assert ended(first)


def test_a_thread_that_ends_in_a_moment_costs_no_process() -> None:
    with Killable(1) as workers:
        assert len({workers.submit(hostile.leave_thread_for_a_moment).result(20) for _ in range(3)}) == 1


def test_a_process_that_is_killed_between_two_calls_harms_neither() -> None:
    with Killable(1) as workers:
        first = workers.submit(hostile.pid).result(20)
        os.kill(first, signal.SIGKILL)
        assert ended(first)
        assert workers.submit(hostile.pid).result(20) != first


def test_a_call_whose_process_is_killed_once_gives_its_result(tmp_path: Path) -> None:
    with Killable(1) as workers:
        assert workers.submit(hostile.killed_at_first, str(tmp_path / "was here"), 7).result(20) == 7


def test_what_is_printed_is_seen_nowhere(workers: Killable, capfd: pytest.CaptureFixture) -> None:
    assert workers.submit(hostile.print_everywhere).result(20) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
def test_a_flood_on_stderr_fills_no_disk_and_its_last_line_is_kept(workers: Killable) -> None:
    said = lost(workers, hostile.fill_stderr, 128)
    assert said == "its process ended with exit code 4; the last line it wrote to stderr: the end"


def test_what_a_call_changes_in_its_process_is_given_back(tmp_path: Path) -> None:
    with Killable(1, limit_seconds=20) as workers:
        workers.submit(hostile.draw).result()
        before = workers.submit(hostile.everything).result()
        assert workers.submit(hostile.change_everything, str(tmp_path)).result() == before[0]
        assert workers.submit(hostile.everything).result() == before
        drawn = workers.submit(hostile.draw).result()
        workers.submit(hostile.change_everything, str(tmp_path)).result()
        again = workers.submit(hostile.draw).result()
        assert not {*drawn} & {*again}
        assert workers.submit(time.sleep, 0.3).result() is None  # past the alarm
        assert workers.submit(hostile.pid).result() == before[0]


def test_lambdas_and_what_they_hold_are_sent(workers: Killable) -> None:
    factor = 3
    assert workers.submit(lambda x: factor * x, 7).result(20) == 21
    assert unpacked(packed(lambda x: factor * x))(7) == 21


def test_what_cannot_be_sent_is_refused(workers: Killable) -> None:
    lock = threading.Lock()
    with pytest.raises(
        Refusal, match=r"^the model cannot be sent .*: TypeError: cannot pickle '_thread.lock'"
    ):
        workers.submit(pow, lock)


def test_no_more_processes_start_than_there_are_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    started, start = [], subprocess.Popen

    def counted(*arguments: Any, **options: Any) -> Any:
        started.append(start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr("handnet.study.processes.subprocess.Popen", counted)
    with Killable(4) as workers:
        assert started == []
        assert len({workers.submit(hostile.pid).result(20) for _ in range(3)}) == 1
        assert len(list(in_order(workers, [(time.sleep, 0.3)] * 2))) == len(started) == 2
        assert len(list(in_order(workers, [(time.sleep, 0.3)] * 8))) == 2 * len(started) == 8
    assert ended(*(process.pid for process in started))


def test_who_leaves_waits_for_nobody() -> None:
    start = time.monotonic()
    with Killable(1) as workers:
        pid = workers.submit(hostile.pid).result(20)
        left = workers.submit(hostile.sleep_deaf)
        time.sleep(0.2)
    assert time.monotonic() - start < 20
    assert ended(pid)
    assert left.done()


def test_a_worker_that_cannot_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handnet.study.processes.START", "raise SystemExit('no handnet')")
    with (
        Killable(1) as workers,
        pytest.raises(Refusal, match=r"^a worker process died at its start: .* no handnet\.$"),
    ):
        workers.submit(pow, 2, 5).result(20)


def test_a_machine_that_gives_no_process_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with (
        Killable(1) as workers,
        pytest.raises(Refusal, match=r"^a worker process cannot be started or given a call: .*nowhere"),
    ):
        workers.submit(pow, 2, 5).result(20)


@pytest.mark.long
def test_no_fault_costs_another_call(tmp_path: Path) -> None:
    """A hundred calls in an order drawn by lot, four at a time; half of them do what they can."""
    faults: list[Any] = [
        (os._exit, 1),
        (hostile.kill, signal.SIGKILL),
        (hostile.read_nothing,),
        (hostile.raise_it, SystemExit),
        (hostile.fork_and_raise,),
        (hostile.close_all_files,),
        (hostile.sleep_deaf,),
        (hostile.leave_child_and_hang, str(tmp_path / "pid")),
        (hostile.allocate, 50 * 2**30),
        (hostile.unreadable,),
    ]
    harmless: list[Any] = [
        (hostile.leave_child,),
        (hostile.change_everything, str(tmp_path)),
        (hostile.fork_and_return,),
        (hostile.print_everywhere,),
        *((pow, 2, n) for n in range(46)),
    ]
    calls = [(call, True) for call in faults * 5] + [(call, False) for call in harmless]
    random.Random(0).shuffle(calls)
    with Killable(4, limit_seconds=3, memory_gib=1) as workers:
        futures = [(workers.submit(*call), call, is_fault) for call, is_fault in calls]
        for future, call, is_fault in futures:
            assert isinstance(future.exception(120), Lost) == is_fault, call
            if call[0] is pow:
                assert future.result() == pow(*call[1:])


def test_each_function_runs_where_it_belongs() -> None:
    with Both(Threads(1, 1), Killable(1), {hostile.pid}) as workers:
        workers.hold("three", 3)
        assert workers.submit(os.getpid).result(20) == os.getpid()
        assert workers.submit(hostile.times_held, "three", 2).result(20) == 6
        assert workers.submit(hostile.pid).result(20) != os.getpid()


# What the coordinator is, and how it ends

SCRIPT = """
import os, sys, time
from beside import offset
from handnet.study.processes import Killable

print("begun", flush=True)
factor = 3

def times(x):
    return factor * x + offset()

def hang(path):
    child = os.fork()
    open(path, "a").write(f"{os.getpid()} ")
    while True:
        pass

with Killable(2) as workers:
    print(workers.submit(times, 7).result(), flush=True)
    if sys.argv[1:]:
        futures = [workers.submit(hang, sys.argv[1]) for _ in range(2)]
        futures[0].result()
"""


def write_script(folder: Path) -> None:
    (folder / "script.py").write_text(SCRIPT)
    (folder / "beside.py").write_text("def offset(): return 1")


def environment() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    "way", ["standard input", *(pytest.param(way, marks=pytest.mark.long) for way in ("a file", "a string"))]
)
def test_a_script_without_a_main_guard_is_not_run_again(tmp_path: Path, way: str) -> None:
    """Nor need there be a file. What lies beside it is found, and shadows nothing of Python's."""
    write_script(tmp_path)
    words = {"a file": ["script.py"], "standard input": ["-"], "a string": ["-c", SCRIPT]}[way]
    done = subprocess.run(
        [sys.executable, *words],
        input=SCRIPT,
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("begun\n22\n", "")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, *(pytest.param(n, marks=pytest.mark.long) for n in (signal.SIGTERM, signal.SIGINT))],
)
def test_workers_end_with_the_coordinator_however_that_ends(tmp_path: Path, number: int) -> None:
    """And so do the processes that they have started. A Ctrl-C comes to all processes of the terminal."""
    write_script(tmp_path)
    pids = tmp_path / "pids"
    with subprocess.Popen(
        [sys.executable, "script.py", str(pids)],
        env=environment(),
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        while not pids.exists() or len(pids.read_text().split()) < 4:
            time.sleep(0.02)
            assert process.poll() is None
        os.killpg(process.pid, number)
    assert ended(*map(int, pids.read_text().split()))
