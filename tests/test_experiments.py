"""The commands of the experiments: how they end, what they refuse and what they import."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.bench.__main__ import bench
from experiments.claims.__main__ import claims
from experiments.published.__main__ import published
from experiments.walk.__main__ import walk
from experiments.witness import witness
from handnet.command import Command, main
from handnet.study.interrupt import Stopped

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDNET_DOOR", raising=False)


COMMANDS = [bench, claims, published, walk, witness]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_what_is_left_of_it_when_it_is_cut_short(
    command: Command, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins anew, and must not say otherwise."""

    def stopped(**_: object) -> int:
        raise Stopped(2)

    monkeypatch.setattr(command, "callback", stopped)
    assert main(command, []) == 130
    kept = "no page is written" if command is published else "it keeps nothing"
    sentence = rf"\nStopped: {kept} before its end; the same command begins anew\.\n"
    assert re.fullmatch(sentence, capsys.readouterr().err)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_teaches_and_an_unknown_word_is_refused(command: Command, capsys: pytest.CaptureFixture) -> None:
    assert main(command, ["--help"]) == 0
    assert "--mlruns" in capsys.readouterr().out
    assert main(command, ["NOTHING=1"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "--nothing is not an option of this command" in said.err


@pytest.mark.parametrize(
    ("words", "says"), [(["STUDIES=x"], "--studies: expected 0 or 1"), (["ROUNDS=0"], "--rounds must be ")]
)
def test_the_bench_refuses_what_is_no_number(
    words: list[str], says: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(bench, words) == 2
    assert capsys.readouterr().err.startswith(f"handnet: {says}")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_and_bad_input_import_nothing_heavy(command: Command) -> None:
    module = command.name if command is witness else f"{command.name}.__main__"
    code = (
        f"import sys; from {module} import {command.callback.__name__} as command\n"
        "from handnet.command import main\nmain(command, ['--help']); main(command, ['X=1'])\n"
        "heavy = 'optuna', 'mlflow', 'tensorflow', 'numba'\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.rpartition("HEAVY ")[2].strip() == "[]"
