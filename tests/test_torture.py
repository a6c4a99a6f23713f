"""The short form of `make torture`: the real command line, killed and stopped and started twice and read,
against real stores."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from killpoints import JOURNAL, MOMENTS

KILLPOINTS = Path(__file__).with_name("killpoints.py")
TORTURE = [sys.executable, str(Path(__file__).with_name("torture.py"))]
SMALL = ["DESIGN=sobol", "TRIALS=1", "SEEDS=2", "CONFIRM=2", "space.epochs.high=20", "SPLITS=0", "OPEN=1"]


@pytest.mark.long
def test_whatever_happens_to_the_process_a_study_ends_as_if_nothing_had() -> None:
    done = subprocess.run([*TORTURE, "KILLS=15"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_named_moment_is_reached(tmp_path: Path) -> None:
    """A function that is renamed in the product must not silently lose its hook."""
    journal = tmp_path / "journal"
    environment = {**os.environ, JOURNAL: str(journal)}
    for words in (["study", *SMALL], ["report"]):
        command = [sys.executable, str(KILLPOINTS), *words, f"MLRUNS={tmp_path / 'home'}", "NAME=small"]
        subprocess.run(command, check=True, capture_output=True, env=environment)
    assert {line.split()[1] for line in journal.read_text().splitlines()} == set(MOMENTS)
