"""The report's pages and the command line: what a person meets, and what a hostile name or a slip of the finger meets."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from experiments.cli import SHORT, main
from experiments.reading import known_keys
from experiments.report import render
from experiments.report.words import number

ROOT = Path(__file__).parent.parent

# Pages

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b",
    "`x`",
    "[y](javascript:z)",
    "$x$",
    "\"onload='1",
    "&lt;",
    "line\nbreak",
    "*_#\\",
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def facts_with(name: str) -> dict:
    band = {"role": name, "part": "val", "score": "accuracy", "low": 0.5, "high": 0.75, "varied": "seeds", "n": 4, "coverage": 0.57,
            "centres": {"median": 0.625, "mean": 0.6}, "diverged": 1, "seeds": 0, "simulated": None}  # fmt: skip
    difference = band | {"kind": "nadeau-bengio", "varied": "splits", "centres": {"mean": 0.1}}
    pair = {"ours": name, "theirs": name, "over_splits": [{"score": "accuracy", "decides": True, "difference": difference, "p": 0.5, "rope": None,
            "wins": difference}], "on_test": None}  # fmt: skip
    part = {"source": name, "deviation": 0.1, "share": 0.5, "mean_square": 1.0, "degrees": 3, "negative": True}
    rule = {"what": "r", "setting": "s", "nominal": 0.05, "found": 0.04, "studies": 9, "may_word": True}
    gap = band | {"part": "gap", "score": "gap"}
    row = {"role": "winner", "part": "val", "case": name, "class": name, "seeds": 4, "misses": 1, "miss_share": 0.25, "miss_low": 0.1, "miss_high": 0.6, "self_consistency": 0.5, "score_median": 0.4,
           "score_low": 0.1, "score_high": 0.6, "extremes": f"{name} +1.0 sd"}  # fmt: skip
    return {
        "schema": 1, "study": name, "fingerprint": "f", "data": {"digest": "d", "cases": 9, "features": 2, "positive_class": name, "negative_class": name},
        "split": {"parts": {one: {"cases": 3, "positive": 1} for one in ("train", "val", "test")}, "digest": "s", "test_digest": "t", "order": "o", "seed": 1, "stratify": True},
        "bands": [one | {"kind": kind} for one in (band, gap) for kind in ("quantiles", "min-max")],
        "configurations": [{"role": name, "config_id": "c", "recipe": None, "overfit": None}], "statements": [name], "verdict": name, "comparisons": [pair],
        "variance": [{"role": name, "design": "d", "score": "accuracy", "components": [part]}], "rules": [rule],
        "selection": {"corrected": None, "best_of": None}, "wilks": {"holds": False}, "watched": [{"case": name, "part": None}],
        "missed": [row], "stories": [row | {"sentence": name}, row | {"sentence": name, "miss_share": 0.01}], "curves": {}, "seed_scores": {name: {"accuracy": [0.5, 0.6, None]}}, "reliability": None,
        "search": {"design": "tpe", "objective": "o", "seeds": [0, 1, 2], "winner_on_fresh_seeds": {}, "trials": [], "importances": {}, "surface": None}, "opening": None,
        "identity": {"backend": "numpy", "dtype": "float32", "device": "cpu", "draws": "seeded", "arithmetic": 1}, "versions": {"v": name}, "seconds": {},
    }  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_data_and_never_markup(name: str) -> None:
    plain, hostile = Tags(), Tags()
    plain.feed(render.to_html(facts_with("harmless")))
    page = render.to_html(facts_with(name))
    hostile.feed(page)
    assert hostile.tags == plain.tags
    assert "script" not in hostile.tags
    assert not [name for name in hostile.attributes if name.startswith("on")]
    assert "default-src 'none'" in page
    rows = [line for line in render.to_markdown(facts_with(name)).splitlines() if line.startswith("|")]
    assert len(rows) == len(
        [line for line in render.to_markdown(facts_with("harmless")).splitlines() if line.startswith("|")]
    )
    assert not any("<script" in row or re.search(r"[^\\]\]\(", row) for row in rows)


def test_a_band_of_survivors_says_so() -> None:
    for text in (render.to_markdown(facts_with("x")), render.to_html(facts_with("x"))):
        assert "1 of 5 seeds diverged" in text
        assert "57.0%" in text


def test_numbers_keep_three_digits() -> None:
    assert [number(value) for value in (0.9736, 0, 0.00123, -0.0045, 1, None)] == [
        "0.974",
        "0.000",
        "0.0012",
        "-0.0045",
        "1.000",
        "-",
    ]
    with pytest.raises(ValueError, match="JSON compliant"):
        render.to_json({"x": float("nan")})


# Command line


@pytest.mark.parametrize(("words", "sentence"), [
    (["study", "TRAILS=3"], "TRAILS is not a setting of this command: did you mean TRIALS?"),
    (["study", "--trails", "3"], "TRAILS is not a setting"),
    (["stdy"], "invalid choice: 'stdy'"),
    ([], "required: verb"),
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
    (["study", "OPEN=perhaps"], "expected 0 or 1"),
    (["study", "NAME=../x"], "NAME must be up to 60 letters"),
    (["study", "--set", "x"], "--set wants key=value"),
    (["study", "search.seeds=1"], "one seed is no band"),
    (["study", "DEVICE=gpu"], "runs on the CPU only"),
    (["study", "SETTINGS=nowhere.toml"], "nowhere.toml does not exist"),
])  # fmt: skip
def test_what_is_not_understood_is_one_sentence_and_writes_nothing(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    verb = words[:1]
    assert main([*verb, *(["--mlruns", str(tmp_path)] if verb and verb[0] != "stdy" else []), *words[1:]]) == 2
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


@pytest.mark.parametrize("words", [["study", "--help"], ["study", "TRAILS=3"], ["study", "search.seeds=1"]])
def test_help_and_bad_input_import_nothing_heavy(words: list[str]) -> None:
    code = f"""
import sys
from experiments.cli import main
try: main({words!r})
except SystemExit: pass
print(*{{m.split('.')[0] for m in sys.modules}})"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.splitlines()[-1]
    assert not set(loaded.split()) & {"mlflow", "optuna", "tensorflow", "keras", "matplotlib", "sklearn"}


def test_every_option_is_explained_and_names_a_setting(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["study", "--help"])
    text = capsys.readouterr().out
    assert all(f"--{option}" in text for option in SHORT)
    assert set(SHORT.values()) - {"search.trials"} <= set(known_keys())
