"""Studies of a forest and of a Keras network: killed, stopped and robbed of workers, they end as if nothing
had been, and leave no process behind."""

import subprocess
import sys
from pathlib import Path

import pytest

TORTURE = Path(__file__).with_name("torture_models.py")


@pytest.mark.long
@pytest.mark.parametrize(("which", "kills", "stops"), [("forest", 2, 2), ("keras", 1, 0)])
def test_whatever_happens_to_its_processes_a_study_ends_as_if_nothing_had(
    which: str, kills: int, stops: int
) -> None:
    done = subprocess.run(
        [sys.executable, TORTURE, which, str(kills), str(stops), "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
