"""The real command line, killed and interrupted, against real stores."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from canonical import digest, models, query
from test_study import ROOT, SMALL, cli, command


def at_work(home: Path, process: subprocess.Popen) -> bool:
    """Whether this very process holds the folder's lock: then it is past its imports and writes."""
    lock = home / ".lock"
    return lock.exists() and lock.read_text().strip() == str(process.pid)


def killed(home: Path, words: list[str], ready: Callable[[subprocess.Popen], bool], after: float) -> bool:
    """Start the real command line, SIGKILL it `after` seconds past the moment `ready`; whether it was at work."""
    process = subprocess.Popen(
        command(home, "study", *words), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not ready(process):
        time.sleep(0.002)
    time.sleep(after)
    at = at_work(home, process)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL and at


@pytest.mark.parametrize("design", ["tpe", "sobol"])
def test_killed_and_continued_equals_never_killed(design: str, tmp_path: Path) -> None:
    words = [*SMALL, f"DESIGN={design}", "OPEN=1"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert cli(whole, "study", *words) == 0
    moments = random.Random(design)
    working = partial(at_work, broken)
    kills = [killed(broken, words, working, moments.uniform(0.1, 0.9)) for _ in range(3)]
    # Then at three named moments of the end: right after the opening is on record, when the first rehearsal's file
    # appears, and when the model's do.
    kills.append(killed(broken, words, lambda _: (broken / "openings.jsonl").exists(), 0))
    for name in ("rehearsal.npz", "MLmodel"):
        kills.append(killed(broken, words, lambda p, name=name: at_work(broken, p) and any(broken.rglob(name)), 0))
    assert sum(kills) >= 5
    assert cli(broken, "study", *words) == 0
    assert digest(broken) == digest(whole)
    assert len(models(broken)) == 1
    assert query(broken / "mlflow.db", "PRAGMA integrity_check") == [("ok",)]
    unfinished = "SELECT count(*) FROM trials WHERE state IN ('RUNNING', 'WAITING')"
    assert query(broken / "optuna.db", unfinished) == [(0,)]


def test_killed_while_a_database_is_born(tmp_path: Path) -> None:
    process = subprocess.Popen(command(tmp_path, "try"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (tmp_path / "mlflow.db.new").exists():
        time.sleep(0.001)
    time.sleep(0.2)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "mlflow.db").exists()
    assert cli(tmp_path, "try") == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_by_hand_it_says_how_to_go_on(number: signal.Signals, code: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path, "study"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not at_work(tmp_path, process):
        time.sleep(0.01)
    time.sleep(1)
    busy = subprocess.run(command(tmp_path, "study"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert busy.returncode == 75
    assert f"another study is writing to {tmp_path} (process {process.pid})" in busy.stderr
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "goes on from here" in errors
    assert "Traceback" not in errors
