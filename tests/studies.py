"""The command line as the tests call it, and what a folder of studies holds."""

import csv
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from canonical import commit, networks, query, results, tracked

from handnet.cli import main

ROOT = Path(__file__).parent.parent
CHAPTER = ROOT / "experiments" / "study.toml"

SMALL = [
    "TRIALS=4",
    "SEEDS=2",
    "CONFIRM=3",
    "space.epochs.high=20",
    "SPLITS=3",
    "rehearsal.seeds=2",
    "rehearsal.levels=2",
    f"SETTINGS={CHAPTER}",
]
FEW = ["SEEDS=2", "CONFIRM=2", "space.epochs.high=12", "SPLITS=0", f"SETTINGS={CHAPTER}"]
TINY = [*FEW, "TRIALS=2"]
OTHER = [  # of many classes, and of a number
    "TRIALS=2",
    "SEEDS=2",
    "CONFIRM=3",
    "SPLITS=2",
    "space.epochs.high=12",
    "rehearsal.seeds=2",
    "rehearsal.levels=2",
]


def cli(home: Path, *words: str) -> int:
    return main([*words[:1], "--mlruns", str(home), "--debug", *words[1:]])


def command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "handnet", words[0], "--mlruns", str(home), *words[1:]]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, to the byte."""
    # Who writes and that somebody does, and what SQLite keeps beside an open database.
    passing = (".lock", ".running", "-wal", "-shm")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(passing)
    }


def events(home: Path) -> list[dict]:
    return [json.loads(line) for line in (home / "openings.jsonl").read_text().splitlines()]


def refused(capsys: pytest.CaptureFixture, says: list[str], *words: str, code: int = 2) -> None:
    """The command line gives these words one sentence that says all that, and this exit code.

    Columns that stop a table have a line each below it, and the last line says how to go on."""
    capsys.readouterr()
    assert main(words) == code
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("handnet: ")
    first, *rows = err.splitlines()
    assert not rows or (first.endswith(("as it is:", "as they are:")) and not rows[-1].startswith(" ")), err
    assert not [part for part in says if part not in err], err
    assert "Traceback" not in err
    assert "?." not in err


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Not even root writes there."""
    tool = subprocess.run(["chattr", "+i", path], capture_output=True, text=True, check=False)
    if os.geteuid() == 0 and tool.returncode:
        pytest.skip(f"root writes every file here: {tool.stderr.strip()}")
    if os.geteuid():
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], capture_output=True, check=False)
        path.chmod(path.stat().st_mode | 0o200)


def study_name(home: Path) -> str:
    return next(path.name for path in (home / "reports").iterdir())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def stored(home: Path, role: str) -> tuple[np.ndarray, np.ndarray]:
    """Validation and test logits of a confirmed configuration, read from the files alone.

    There are none on the test while it is sealed."""
    last = commit(home)
    (config,) = [one["config_id"] for one in last["frozen"] if one["role"] == role]
    test = results(home)[f"test/{last['opening']}/{config}"]["logits"] if last["opening"] else np.empty(0)
    confirm, alone = last["settings"]["confirm"], networks(home)
    seeds = range(confirm["first_seed"], confirm["first_seed"] + confirm["seeds"])
    return np.array([alone[config, seed]["val_logits"] for seed in seeds]), test


def artifact(home: Path, key: str, name: str) -> bytes:
    """A file of the tracked run with this key."""
    (path,) = (home / "tracking/artifacts").glob(f"*/{run_id_of(home, key)}/artifacts/{name}")
    return path.read_bytes()


def rows_of(table: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(table.decode())))


def run_id_of(home: Path, key: str) -> str:
    """The id of the tracked run with this key."""
    return str(
        query(
            tracked(home),
            "SELECT r.run_uuid FROM runs r JOIN tags t ON t.run_uuid=r.run_uuid WHERE t.key='handnet.key' AND"
            " t.value=? AND r.lifecycle_stage='active'",
            key,
        )[0][0]
    )
