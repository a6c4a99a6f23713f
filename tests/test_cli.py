"""Every verb: what a slip of the finger meets, and what is left when it is cut short."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from handnet import cli
from handnet.cli import main
from handnet.study.interrupt import Stopped
from handnet.study.options import OPTIONS
from handnet.study.reading import known_keys

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["study", "TRAILS=3"], "TRAILS is not a setting of this command: did you mean TRIALS?"),
        (["study", "--trails", "3"], "TRAILS is not a setting"),
        (["stdy"], "stdy is no verb of handnet: did you mean study?"),
        (["study", "TRIAL=4"], "TRIAL is not a setting of this command: did you mean TRIALS?"),
        (["study", "CONFIRM=0"], "confirm.seeds must be a whole number from 2"),
        (["study", "SEEDS=0"], "search.seeds must be a whole number from 2"),
        (["study", "DESIGN=foo", "TRIALS=4"], "search.design must be one of tpe, sobol, but is 'foo'"),
        (["case"], "make case ID=203"),
        (["study", "trails=3"], "TRAILS is not a setting"),
        (["case", "ID=1", "TRIALS=3"], "TRIALS is not a setting of this command"),
        (["study", "split.test=0.9"], "the train part must be the largest"),
        (["case", "ID=1"], "there is no study in"),
        (["report"], "there is no study in"),
        (["ui"], "there is no study in"),
        (["ui", "PORT=http"], "PORT must be a whole number"),
        (["study", "OPEN=perhaps"], "OPEN: expected 0 or 1, but got 'perhaps'"),
        (["study", "NAME=../x"], "NAME must be up to 60 letters"),
        (["study", "--set", "x"], "SET wants key=value"),
        (["study", "search.seeds=1"], "one seed is no band"),
        (["study", "DEVICE=gpu"], "runs on the CPU only"),
        (["study", "SETTINGS=nowhere.toml"], "nowhere.toml does not exist"),
    ],
)
def test_what_is_not_understood_is_one_sentence_and_writes_nothing(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    verb = words[:1]
    assert (
        main([*verb, *(["--mlruns", str(tmp_path)] if verb and verb[0] != "stdy" else []), *words[1:]]) == 2
    )
    out = capsys.readouterr()
    assert sentence in out.err
    assert out.err.count("\n") == 1
    assert out.err.startswith("handnet: ")
    assert "Traceback" not in out.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["study", "--mlruns", str(blocked / "inside")]) == 2
    assert "cannot be written (Not a directory)" in capsys.readouterr().err


HEAVY = {"mlflow", "optuna", "tensorflow", "keras", "matplotlib", "sklearn", "rich"}
READING = {"numpy", "pandas", "pydantic", "numba"}  # what reading a table takes


@pytest.mark.parametrize(
    ("words", "never"),
    [
        (["study", "--help"], HEAVY | READING),
        (["study", "TRAILS=3"], HEAVY | READING),
        (["--help"], HEAVY | READING),
        (["stdy"], HEAVY | READING),
        (["ui", "PORT=x"], HEAVY | READING),
        (["study", "search.seeds=1"], HEAVY),
    ],
)
def test_help_and_bad_input_import_nothing_heavy(words: list[str], never: set[str]) -> None:
    code = f"""
import sys
from handnet.cli import main
main({words!r})
print(*{{m.split('.')[0] for m in sys.modules}})"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.splitlines()[-1]
    assert not set(loaded.split()) & never


@pytest.mark.parametrize("verb", cli.program.commands)
def test_help_of_every_verb_fits_eighty_columns(
    verb: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANDNET_DOOR")
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage: handnet {verb} [options]" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "--help" in text


def test_every_option_and_setting_is_explained(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANDNET_DOOR")
    assert main(["study", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"--{option} " in text for option in OPTIONS)
    settings = {setting for setting, _, _ in OPTIONS.values()}
    assert settings - {"search.trials"} <= set(known_keys())
    shown = set(re.findall(r"^  ([a-z_.]+)  ", text, re.MULTILINE))
    assert shown >= set(known_keys()) - {"families", "compare"}


def test_every_verb_says_what_is_left_of_it_when_it_is_cut_short(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a study goes on; whatever else computes begins anew, and must not say otherwise."""

    def stopped(**_: object) -> int:
        raise Stopped(2)

    said = {}
    for name, verb in cli.program.commands.items():
        monkeypatch.setattr(verb, "callback", stopped)
        assert main([name, *(["ID=3"] if name == "case" else [])]) == 130
        said[name] = capsys.readouterr().err
        assert re.fullmatch(r"\nStopped: [^\n]+\.\n", said[name]), name
    assert {name for name, words in said.items() if "goes on" in words} == {"study", "try"}
    assert {name for name, words in said.items() if "keeps nothing" in words} == {"simulate"}
