"""The short form of `make torture`: the real command line, killed and stopped and started twice and read,
against real stores."""

import subprocess
import sys
from pathlib import Path

TORTURE = [sys.executable, str(Path(__file__).with_name("torture.py"))]


def test_whatever_happens_to_the_process_a_study_ends_as_if_nothing_had() -> None:
    done = subprocess.run([*TORTURE, "KILLS=15"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
