"""The short form of `make torture`: the real command line, killed and stopped and started twice and read, on
real files."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from canonical import arrays, digest
from killpoints import JOURNAL, MOMENTS, point

KILLPOINTS = Path(__file__).with_name("killpoints.py")
TORTURE = [sys.executable, str(Path(__file__).with_name("torture.py"))]
SMALL = ["DESIGN=sobol", "TRIALS=1", "SEEDS=2", "CONFIRM=2", "space.epochs.high=20"]
DIVISIONS = ["SPLITS=2", "rehearsal.seeds=2", "rehearsal.levels=2", "IDEAL=1", "OPEN=1"]
ALL = """
import killpoints, shlex, sys
killpoints.install()
from handnet.cli import main
sys.exit(max([main(shlex.split(words)) for words in sys.argv[1:]]))
"""


@pytest.mark.long
def test_whatever_happens_to_the_process_a_study_ends_as_if_nothing_had() -> None:
    done = subprocess.run([*TORTURE, "KILLS=40"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_named_moment_is_reached(tmp_path: Path) -> None:
    """A function that is renamed in the product must not silently lose its hook."""
    journal = tmp_path / "journal"
    environment = {**os.environ, JOURNAL: str(journal)}
    study, home, copy = ["study", *SMALL, *DIVISIONS, "NAME=small"], tmp_path / "home", tmp_path / "copy"
    others = ["report", "NAME=small"], ["case", "NAME=small", "ID=203"], ["backup", f"TO={copy}"]
    commands = [[*words, f"MLRUNS={home}"] for words in (study, *others)]
    run = [sys.executable, "-c", ALL, *map(shlex.join, commands)]
    subprocess.run(run, check=True, capture_output=True, env=environment, cwd=KILLPOINTS.parent)
    lines = journal.read_text().splitlines()
    assert {point(line.split(" ", 1)[1]) for line in lines} == set(MOMENTS)


def test_the_digest_sees_one_bit_of_any_result(finished: Path, tmp_path: Path) -> None:
    """The oracle of every kill test, against a planted fault in each file of the store."""
    home = Path(shutil.copytree(finished, tmp_path / "home"))
    whole = digest(home)
    for path in (home / "studies").rglob("*.npz"):
        content, parts = path.read_bytes(), arrays(path)
        name = "logits" if "logits" in parts else next(name for name in parts if "logits" in name)
        parts[name].view(np.uint8).flat[0] ^= 1
        np.savez(path, **parts)  # type: ignore[arg-type]
        assert digest(home) != whole, path
        path.write_bytes(content)
    assert digest(home) == whole
