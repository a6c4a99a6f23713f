"""Where work runs: in order, bounded, on rows that are held; and what becomes of it when somebody dies."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from canonical import digest
from studies import ROOT, SMALL, TINY, cli, command
from threadpoolctl import threadpool_info, threadpool_limits

from handnet import Dataset
from handnet.messages import Refusal
from handnet.splits import Split
from handnet.study.executor import KINDS, Processes, Threads, held, in_order, make_workers


def times_held(key: str, factor: int) -> Any:
    return held(key) * factor


@pytest.fixture(params=[Threads, Processes], ids=["threads", "processes"])
def workers(request: pytest.FixtureRequest) -> Iterator[Threads | Processes]:
    with request.param(2, 6) as made:
        yield made


def test_results_come_in_order_and_rows_are_held_for_later_calls(workers: Threads | Processes) -> None:
    workers.hold("three", 3)
    assert list(in_order(workers, [(times_held, "three", n) for n in range(20)])) == list(range(0, 60, 3))
    workers.hold("five", 5)
    assert list(in_order(workers, [(times_held, "five", 2), (times_held, "three", 2)])) == [10, 6]


def test_a_bounded_number_is_in_flight_and_what_has_not_begun_is_dropped() -> None:
    begun, gate = [], threading.Event()

    def job(place: int) -> int:
        begun.append(place)
        if place:
            gate.wait()
        return place

    asked = iter(range(1000))
    with Threads(2, 6) as workers:
        results = in_order(workers, ((job, place) for place in asked))
        assert next(results) == 0
        assert next(asked) == 6  # six were asked for before the first result was taken
        results.close()
        gate.set()
    assert max(begun) <= 3


def test_a_slow_call_delays_no_other(workers: Threads | Processes) -> None:
    """The quick ones are done beside it, and come after it all the same."""
    calls = [(time.sleep, 0.5), *[(pow, n, 2) for n in range(5)]]
    assert list(in_order(workers, calls)) == [None, 0, 1, 4, 9, 16]


def test_a_call_that_raises_ends_the_rest(workers: Threads | Processes) -> None:
    results = in_order(workers, [(pow, 2, 2), (divmod, 1, 0), (pow, 3, 2)])
    assert next(results) == 4
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_who_waits_may_stop_waiting() -> None:
    def stop() -> None:
        raise InterruptedError

    with Threads(1, 1) as workers, pytest.raises(InterruptedError):
        next(in_order(workers, [(time.sleep, 1)], stop))


def test_a_dead_worker_is_one_sentence() -> None:
    with Processes(2, 6) as workers, pytest.raises(Refusal, match=r"^a worker process died .* on threads"):
        list(in_order(workers, [(os._exit, 3), (pow, 2, 2)]))


@pytest.mark.parametrize(
    ("kind", "count", "backend", "says"),
    [
        ("cluster", 0, "compiled", "must be one of threads, processes, but is 'cluster'"),
        ("threads", -1, "compiled", "must be a whole number from 0 to 1000, but is -1"),
        ("threads", "two", "compiled", "but is 'two'"),
        ("processes", 0, "keras", "Keras trains one stack of networks after another in this process"),
    ],
)
def test_other_workers_are_refused(kind: str, count: Any, backend: str, says: str) -> None:
    with pytest.raises(Refusal, match=says):
        make_workers(kind, count, backend)


@pytest.mark.parametrize(
    "words", [["EXECUTOR=cluster"], ["EXECUTOR=processes", "BACKEND=keras"]], ids=" ".join
)
def test_a_check_refuses_the_workers_that_the_study_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture, words: list[str]
) -> None:
    if words[-1] == "BACKEND=keras":
        pytest.importorskip("keras")
    said = set()
    for more in ([], ["CHECK=1"]):
        assert cli(tmp_path / "mlruns", "study", *TINY, *words, *more) == 2
        said.add(capsys.readouterr().err.splitlines()[-1])
    (sentence,) = said
    assert "EXECUTOR" in sentence.upper()
    assert not (tmp_path / "mlruns").exists()


def blas() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_are_not_entered_leave_the_process_as_it_was(kind: str) -> None:
    """As where the folder is locked."""
    with threadpool_limits(2, "blas"):
        before, files = blas(), os.listdir("/dev/fd")
        made = make_workers(kind, 2, "compiled")
        assert (blas(), os.listdir("/dev/fd")) == (before, files)
        with made:
            assert set(blas()) == ({1} if kind == "threads" else {2})
        assert (blas(), os.listdir("/dev/fd")) == (before, files)


def test_who_is_stopped_does_not_wait_for_compiled_code() -> None:
    begun, gate = threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        gate.wait(20)

    def stop() -> None:
        if begun.is_set():
            raise InterruptedError

    start = time.monotonic()
    with pytest.raises(InterruptedError), Threads(1, 1) as workers:
        next(in_order(workers, [(job,)], stop))
    gate.set()
    assert time.monotonic() - start < 10


# Processes that die at their start

ROWS = """
import os, signal, sys
if __name__ == "__mp_main__":
    os.kill(os.getpid(), signal.SIGKILL)
from handnet.messages import Refusal
from handnet.study.executor import Processes, in_order
try:
    with Processes(2, 8) as workers:
        workers.hold("rows", bytes(2**20))  # more than a pipe buffers
        list(in_order(workers, [(pow, 2, 2)] * 9))
except Refusal as refusal:
    sys.exit(f"refused: {refusal}")
"""
UNGUARDED = """
import handnet
handnet.run_study(executor="processes", workers=2, trials=2, seeds=2, confirm=2, splits=0, progress=False)
"""


def script(folder: Path, text: str, *, piped: bool = False) -> list[str]:
    """What a script says as it fails, which must be soon."""
    (folder / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-" if piped else "script.py"],
        input=text if piped else "",
        env={"PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr.splitlines()


def test_a_process_that_is_killed_at_its_start_is_one_sentence(tmp_path: Path) -> None:
    (said,) = script(tmp_path, ROWS)
    assert said.startswith("refused: a worker process died at its start")


@pytest.mark.parametrize("piped", [False, True], ids=["a file", "standard input"])
def test_a_script_without_a_main_guard_is_refused_by_its_name(tmp_path: Path, piped: bool) -> None:
    said = script(tmp_path, UNGUARDED, piped=piped)
    assert [line for line in said if line.startswith("Traceback")] == ["Traceback (most recent call last):"]
    assert said[-1].startswith("handnet.messages.Refusal: ")
    assert ("a file" if piped else '`if __name__ == "__main__":`') in said[-1]
    assert "another study is writing" not in "".join(said)


# Whole studies


@pytest.mark.parametrize(
    "words", [["WORKERS=1"], ["WORKERS=8"], ["EXECUTOR=processes", "WORKERS=2"]], ids=" ".join
)
def test_a_study_is_the_same_wherever_it_is_trained(finished: Path, tmp_path: Path, words: list[str]) -> None:
    assert cli(tmp_path, "study", *SMALL, "OPEN=1", "IDEAL=1", *words) == 0
    assert digest(tmp_path) == digest(finished)


def test_a_study_whose_worker_dies_loses_nothing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    submit, count = Processes.submit, []

    def deadly(self: Processes, *call: Any) -> Any:
        count.append(1)
        return submit(self, *call) if len(count) != 4 else submit(self, os._exit, 1)

    monkeypatch.setattr(Processes, "submit", deadly)
    words = [*TINY, "OPEN=1", "EXECUTOR=processes", "WORKERS=1"]
    assert cli(tmp_path, "study", *words) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("handnet: a worker process died")
    assert "make study" in said
    assert len(list(tmp_path.rglob("network/*/*.npz"))) == 3
    assert cli(tmp_path, "study", *words) == 0
    assert digest(tmp_path) == digest(tiny)


STUDY = """
import sys, time
from pathlib import Path
from handnet.study.executor import Processes, in_order
if __name__ == "__main__":
    with Processes(2, 8) as workers:
        pids = list(in_order(workers, [(__import__("os").getpid,) for _ in range(2)]))
        print(*pids, flush=True)
        list(in_order(workers, [(time.sleep, 60)] * 4))
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ended(pids: list[int]) -> bool:
    end = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_study_however_that_ends(tmp_path: Path, number: int) -> None:
    (tmp_path / "script.py").write_text(STUDY)
    script = [sys.executable, str(tmp_path / "script.py")]
    with subprocess.Popen(
        script, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    ) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert pids
        assert all(map(alive, pids))
        process.send_signal(number)
        process.wait()
    assert ended(pids)


@pytest.mark.parametrize("executor", KINDS)
def test_ctrl_c_ends_a_study_in_the_midst_of_a_long_unit(tmp_path: Path, executor: str) -> None:
    """It would take minutes."""
    (tmp_path / "wide.toml").write_text("[network]\nhidden = [256, 128]\n")
    words = ["TRIALS=2", "SEEDS=100", "space.epochs.low=4000", "space.epochs.high=5000", "SPLITS=0"]
    words += [f"SETTINGS={tmp_path / 'wide.toml'}", f"EXECUTOR={executor}"]
    process = subprocess.Popen(
        command(tmp_path / "mlruns", "study", *words),
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not list(tmp_path.rglob("study.json")):
        time.sleep(0.05)
        assert process.poll() is None
    time.sleep(2)  # until it trains
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("Stopped: ")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_ctrl_c_reaches_every_process_of_a_terminal_and_leaves_none(tmp_path: Path) -> None:
    words = [*SMALL, "TRIALS=400", "EXECUTOR=processes", "WORKERS=2", "OPEN=1"]
    process = subprocess.Popen(
        command(tmp_path, "study", *words),
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not list(tmp_path.rglob("trials.jsonl")):
        time.sleep(0.05)
        assert process.poll() is None
    group = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _group(path) == process.pid]
    assert len(group) > 2  # the study and its workers
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.endswith(
        "Stopped: all finished seeds and trials are kept; the same command goes on from here.\n"
    )
    assert ended(group)


def _group(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return 0


# Sealed rows


def pieces(table: np.ndarray) -> set[bytes]:
    """Three neighbouring values of each row, and of each column, of a table, as a file has them."""
    found = set()
    for values in (table, table.T):
        for dtype in (np.float64, np.float32):
            found |= {
                np.ascontiguousarray(row[low : low + 3], dtype).tobytes() for row in values for low in (0, 9)
            }
    return found


@pytest.mark.parametrize("words", [[], ["DESIGN=sobol"], ["search.block=2"]], ids=["tpe", "sobol", "block"])
def test_nothing_that_is_sent_to_a_worker_before_the_opening_holds_a_sealed_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Dataset, parts: Split, words: list[str]
) -> None:
    sent: list[bytes] = []

    class Watched(Threads):
        def submit(self, *call: Any) -> Any:
            sent.append(pickle.dumps(call))
            return super().submit(*call)

        def hold(self, key: str, rows: Any) -> None:
            sent.append(pickle.dumps(rows))
            super().hold(key, rows)

    monkeypatch.setattr("handnet.study.executor.Threads", Watched)
    assert cli(tmp_path, "study", *TINY, *words) == 0
    assert len(sent) > 4
    raw = data.X[parts.test_rows]
    scaled = (raw - data.X[parts.train_rows].mean(0)) / data.X[parts.train_rows].std(0)
    opened = parts.test.open(lambda _: True).X
    everything = b"".join(sent)
    seen = {np.ascontiguousarray(row[:3]).tobytes() in everything for row in parts.train.X}
    assert seen == {True}  # rows that are sent are found this way
    assert not [piece for table in (raw, scaled, opened) for piece in pieces(table) if piece in everything]
    assert max(map(len, (one for one in sent if b"Unit" in one))) < 2000
