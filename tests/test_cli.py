"""Every verb: what a slip of the finger meets, and what is left when it is cut short."""

import re
import shlex
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
        (["bands", "--help"], HEAVY | READING),
        (["compare", "FRIST=1"], HEAVY | READING),
        (["gate", "preds.csv"], HEAVY | READING),
        (["predict"], HEAVY),
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
    assert re.search(rf"Usage: handnet {verb} (\[(FILE|SOURCE)( \.\.\.)?\] )?\[options\]", text)
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
    assert shown >= set(known_keys()) - {"families", "compare", "fixed", "suggest"}


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


# What is typed after `make study`, and after `handnet study` in a shell.
FORMS = [
    ("TRIALS=64 DESIGN=sobol", "--trials 64 --design sobol"),
    ("CHECK=1", "--check"),
    ("OPEN=0 IDEAL=0", "--open 0 --ideal 0"),
    ("MISSING=", "--missing ''"),
    ("SPLIT_SEED=7", "--split-seed 7"),
    ("space.epochs.high=300 split.seed=7", "space.epochs.high=300 --set split.seed=7"),
    ("TRIALS=3 TRIALS=4", "--trials 4"),
    ("HELP=0 DEBUG=0", ""),
    ("SETTINGS=my.toml", "--settings my.toml"),
    ("DATA=wine TRIALS=3 OPEN=0", "--trials 3 --open 0 wine"),
    ("DATA=my.csv TARGET=y TASK=number", "my.csv --target y --task number"),
    ("""DATA="my table's.csv" POSITIVE='"M" $$x'""", """--data "my table's.csv" --positive '"M" $x'"""),
]


def options_of(words: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the study is given when these words follow it."""
    given: dict[str, object] = {}
    monkeypatch.setattr(cli.program.commands["study"], "callback", lambda **options: given.update(options))
    assert main(["study", *words]) == 0
    return given


@pytest.mark.parametrize(("typed", "words"), FORMS, ids=[typed for typed, _ in FORMS])
def test_every_form_of_make_is_an_option(typed: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the Makefile itself, which names the chapter's settings where none are typed."""
    made = subprocess.run(
        ["make", "-n", "study", *shlex.split(typed)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (line,) = (line for line in made.stdout.splitlines() if " -m handnet study " in line)
    passed = shlex.split(line.partition(" -m handnet study ")[2])
    chapter = [] if "SETTINGS=" in typed else ["--settings", "experiments/study.toml"]
    by_make, by_shell = (options_of(each, monkeypatch) for each in (passed, [*chapter, *shlex.split(words)]))
    assert set(by_make.pop("set")) == set(by_shell.pop("set"))  # make has an order of its own
    assert by_make == by_shell


def test_the_forms_are_in_the_docs() -> None:
    page = (ROOT / "docs" / "quick-start.md").read_text()
    assert all(f"`{typed}`" in page and f"`{words}`" in page for typed, words in FORMS[:2] + FORMS[3:6])
