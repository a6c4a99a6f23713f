"""bands, compare, gate and predict as they are typed, and the door of Python: what comes out, and where."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies import ROOT, cli

import handnet
from handnet.assignments import as_options
from handnet.cli import main
from handnet.predictions.frame import to_frame
from handnet.predictions.own import from_study

N, SEEDS = 60, 4
OPENED = "These test rows were opened elsewhere: this report cannot say how often."


def predictions(**strengths: float) -> pd.DataFrame:
    """Four seeds of each model on sixty cases; the stronger a model, the more often it is right."""
    numbers, y = np.random.default_rng(1), np.arange(N) % 2
    hard = numbers.normal(size=N)  # for every model
    tables = []
    for model, strength in strengths.items():
        for seed in range(SEEDS):
            logit = strength * (2 * y - 1) + 0.7 * hard + 0.7 * numbers.normal(size=N)
            p = 1 / (1 + np.exp(-logit))
            tables.append(pd.DataFrame({"model": model, "seed": seed, "case": np.arange(N), "y": y, "p": p}))
    return pd.concat(tables, ignore_index=True)


FRAME = predictions(old=0.6, new=2.0, same=0.62)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: preds.csv has all models, old.csv and new.csv one each, without its name."""
    monkeypatch.chdir(tmp_path)
    FRAME.to_csv("preds.csv", index=False)
    for model in ("old", "new"):
        FRAME[FRAME.model == model].drop(columns="model").to_csv(f"{model}.csv", index=False)
    Path("words.csv").write_text("a,b\n1,2\n")
    Path("empty.csv").write_text("")
    Path("nothing").mkdir()
    return tmp_path


GATE = ["gate", "preds.csv", "BASELINE=old", "CANDIDATE=new"]


@pytest.mark.parametrize(
    ("words", "code", "begins"),
    [
        (GATE, 0, "Shown: new is better than old in accuracy."),
        ([*GATE, "MARGIN=.05"], 0, "Shown: new is better than old in accuracy by more than 5 points."),
        ([*GATE, "SCORE=log_loss"], 0, "Shown: new is better than old in log loss."),
        (
            ["gate", "preds.csv", "BASELINE=new", "CANDIDATE=old"],
            1,
            "Not shown, but the contrary: old is shown",
        ),
        ([*GATE, "CANDIDATE=same"], 1, "Not shown, nor the contrary: 4 seeds and 60 cases cannot tell"),
        ([*GATE, "CANDIDATE=same", "REQUIRE=not-worse", "MARGIN=.01"], 1, "Not shown, nor the contrary:"),
        ([*GATE, "CANDIDATE=same", "REQUIRE=not-worse", "MARGIN=.3"], 0, "Shown: same is not worse than old"),
        (
            ["gate", "BASELINE=old.csv", "CANDIDATE=new.csv"],
            0,
            "Shown: new.csv: model is better than old.csv",
        ),
        (["gate", "preds.csv", "BASELINE=old", "CANDIDATE=new.csv"], 0, "Shown: model is better than old"),
    ],
)
def test_a_gate_answers_with_its_exit_code_and_two_lines(
    words: list[str], code: int, begins: str, place: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli(place / "home", *words) == code
    out, err = capsys.readouterr()
    assert out.startswith(begins)
    assert out.endswith(f"{OPENED}\n")
    assert (out.count("\n"), out.count(OPENED), err) == (2, 1, "")
    assert not (place / "home").exists()


def test_summaries_of_gates_are_appended(place: Path, capsys: pytest.CaptureFixture) -> None:
    page = place / "made" / "summary.md"
    for words, code in ((GATE, 0), ([*GATE, "CANDIDATE=same"], 1)):
        assert cli(place / "home", *words, f"SUMMARY={page}") == code
    said, text = capsys.readouterr().out.splitlines(), page.read_text()
    assert re.findall(r"^\*\*(.*)\*\*$", text, re.MULTILINE) == [
        "Gate: shown",
        "Gate: not shown; cannot tell",
    ]
    assert all(line in text.replace("\\", "") for line in said)


BAD = [
    ("bands", "which results? A table of predictions"),
    ("bands missing.csv", "missing.csv: the table cannot be read (No such file or directory)"),
    ("bands wisconsn", "'wisconsn' names no results"),
    ("bands nothing", "'nothing' names no results"),
    ("bands words.csv", "there is no column of the truth, only 'a', 'b'; name it with Y="),
    ("bands empty.csv", "empty.csv: it is empty"),
    (
        "bands preds.csv nobody",
        "'nobody' is no file, no study and no model of preds.csv: known are old, new, same",
    ),
    ("bands preds.csv SCORE=acuracy", "'acuracy' is no score of preds.csv"),
    ("bands preds.csv Y=truth", "there is no column 'truth', as Y=truth says"),
    ("bands preds.csv FIGURE=forest.jpg", "written as .pdf, .svg or .png, but forest.jpg ends in '.jpg'"),
    ("bands preds.csv MODEL=old", "MODEL is not a setting of this command"),
    ("bands preds.csv --seed", "SEED wants a value"),
    ("compare preds.csv old", "a comparison takes two models, and preds.csv has old, new, same."),
    ("compare old.csv", "a comparison takes two models, and old.csv has model alone."),
    ("compare preds.csv old nwe", "'nwe' is no file, no study and no model of preds.csv: did you mean new?"),
    ("compare preds.csv FIRST=perhaps", "FIRST: expected 0 or 1, but got 'perhaps'"),
    ("gate preds.csv BASELINE=old", "CANDIDATE= is missing; name a model"),
    ("gate BASELINE=old CANDIDATE=new", "'old' and 'new' name no results"),
    ("gate preds.csv BASELINE=old CANDIDATE=old", "the baseline and the candidate are both 'old'"),
    ("gate preds.csv BASELINE=old CANDIDATE=nwe", "did you mean new?"),
    ("gate preds.csv nobody BASELINE=old CANDIDATE=new", "'nobody' is no file"),
    (
        "gate BASELINE=preds.csv CANDIDATE=new.csv",
        "as in make gate BASELINE=old CANDIDATE=new.csv MLRUNS=home",
    ),
    (
        "gate BASELINE=old.csv CANDIDATE=preds.csv",
        "as in make gate BASELINE=old.csv CANDIDATE=old MLRUNS=home",
    ),
    (
        "gate preds.csv BASELINE=old CANDIDATE=new MARGIN=much",
        "MARGIN must be a number of at least 0, but is 'much'",
    ),
    ("gate preds.csv BASELINE=old CANDIDATE=new MARGIN=2", "no difference exceeds MARGIN=2.0"),
    ("gate preds.csv BASELINE=old CANDIDATE=new REQUIRE=best", "REQUIRE must be one of better and not-worse"),
    ("gate preds.csv BASELINE=old CANDIDATE=new REQUIRE=not-worse", "MARGIN= must say how much worse"),
    ("gate preds.csv BASELINE=old CANDIDATE=new SUMMARY=nothing", "SUMMARY=nothing cannot be written"),
    ("predict", "which rows? A study's name"),
    ("predict one two new.csv", "make predict ROWS=new.csv MLRUNS=home"),
    ("predict preds.csv", "there is no study in home yet"),
]


@pytest.mark.parametrize(("words", "sentence"), BAD, ids=[words for words, _ in BAD])
def test_what_is_not_understood_is_one_sentence_and_writes_nothing(
    words: str, sentence: str, place: Path, capsys: pytest.CaptureFixture
) -> None:
    verb, *rest = words.split()
    before = sorted(place.rglob("*"))
    assert main([verb, "--mlruns", "home", *rest]) == 2
    out, err = capsys.readouterr()
    assert sentence in err
    assert (out, err.count("\n"), err[:9]) == ("", 1, "handnet: ")
    assert "Traceback" not in err
    assert sorted(place.rglob("*")) == before


def test_bands_go_to_the_screen_and_to_every_file_that_is_asked_for(
    place: Path, capsys: pytest.CaptureFixture
) -> None:
    words = [
        "bands",
        "preds.csv",
        "old",
        "same",
        "SCORE=accuracy",
        "LATEX=tex/bands.tex",
        "FIGURE=forest.svg",
    ]
    assert cli(place / "home", *words) == 0
    out, err = capsys.readouterr()
    right = FRAME[(FRAME.p > 0.5) == FRAME.y].groupby("model").size() / (N * SEEDS)
    assert err == ""
    assert re.search(rf"^accuracy  old    {right['old']:.3f}  \[", out, re.MULTILINE)
    assert re.search(rf"^          same   {right['same']:.3f}  \[", out, re.MULTILINE)
    assert " new " not in out.replace("new.csv", "")
    assert OPENED in out
    folder = place / "home" / "reports" / "preds.csv"
    assert f"Pages:   {folder / 'bands.html'} (also .md, .json and .csv)" in out
    assert sorted(path.name for path in folder.iterdir()) == [
        "bands.csv",
        "bands.html",
        "bands.json",
        "bands.md",
    ]
    assert r"\begin{tabular}" in (place / "tex" / "bands.tex").read_text()
    assert (place / "forest.svg").read_text().startswith("<?xml")


def test_models_of_two_tables_are_compared_and_the_pages_go_where_they_are_sent(
    place: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli(place / "home", "compare", "old.csv", "new.csv", "SCORE=log_loss", "TO=pages") == 0
    out = capsys.readouterr().out
    assert out.startswith("old.csv: model had a log loss higher by ")
    assert {path.suffix for path in Path("pages").iterdir()} == {".html", ".md", ".json", ".csv"}
    assert cli(place / "home", "compare", "preds.csv", "FIRST=1", "TO=pages") == 0
    assert "adjusted for 2 comparisons" in " ".join(capsys.readouterr().out.split())


def test_files_of_log_predictions_are_one_source(place: Path, capsys: pytest.CaptureFixture) -> None:
    for (model, seed), rows in FRAME[FRAME.model != "same"].groupby(["model", "seed"]):
        handnet.log_predictions(rows.case, rows.y, rows.p, seed=seed, model=model)
    Path("old").mkdir()  # a folder without tables hides no model of this name
    assert cli(place / "home", "gate", "predictions", "BASELINE=old", "CANDIDATE=new") == 0
    assert "4 seeds and 60 cases" in capsys.readouterr().out


def test_a_study_and_a_table_are_compared(tiny: Path, place: Path, capsys: pytest.CaptureFixture) -> None:
    """The table has the study's own cases, and its model errs on every one of them."""
    (study,) = (path.name for path in (tiny / "studies").iterdir())
    frame = to_frame(from_study(study, tiny)).astype({"y": str})
    rows = frame[(frame.part == "test") & (frame.model == "winner")]
    other = {"benign": "malignant", "malignant": "benign"}
    rows[["seed", "case", "y"]].assign(label=rows.y.map(other)).to_csv("wrong.csv", index=False)
    words = [
        "compare",
        study,
        "wrong.csv",
        "winner",
        "model",
        "SCORE=accuracy",
        "POSITIVE=malignant",
        f"TO={place / 'pages'}",
    ]
    assert cli(tiny, *words) == 0
    assert "winner is better than model" in " ".join(capsys.readouterr().out.split())


def test_makes_door_reaches_every_verb() -> None:
    made = subprocess.run(
        ["make", "-n", "compare", "SOURCES=old.csv,new.csv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"-m handnet compare +SOURCES=old\.csv,new\.csv", made.stdout.replace("'", ""))


def test_sources_of_make_are_those_of_a_shell(place: Path, capsys: pytest.CaptureFixture) -> None:
    said = []
    for words in (["SOURCES=old.csv,new.csv"], ["old.csv", "new.csv"]):
        assert cli(place / "home", "compare", *words, "SCORE=accuracy") == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


# Python's door


def test_what_python_finds_is_what_the_command_line_finds(place: Path) -> None:
    found = handnet.Predictions(FRAME)
    assert found.models == ("old", "new", "same")
    assert repr(found) == "Predictions of old, new, same"
    bands = found.bands(scores=["accuracy"])
    assert "accuracy" in str(bands)
    assert set(bands.to_frame()["model"]) == set(found.models)
    assert bands._repr_html_() == bands.to_html()
    assert OPENED in bands.to_html()
    assert r"\toprule" in bands.to_latex()
    assert bands.plot("bands.png").axes
    assert Path("bands.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in bands.write("pages")] == [
        "bands.html",
        "bands.md",
        "bands.json",
        "bands.csv",
    ]


def test_a_table_of_predictions_is_given_back() -> None:
    frame = handnet.Predictions(FRAME).to_frame()
    assert len(frame) == len(FRAME)
    assert set(frame["model"]) == {"old", "new", "same"}
    alone = handnet.Predictions.from_scalars({"a": [0.8, 0.9], "b": [0.7, 0.75]})
    with pytest.raises(handnet.Refusal, match="scores alone"):
        alone.to_frame()


def test_models_of_two_frames_are_compared() -> None:
    """As those of one frame are, whose names stay."""
    halves = [handnet.Predictions(FRAME[FRAME.model == model], name=model) for model in ("old", "new")]
    apart, whole = (
        (halves[0] | halves[1]).compare("new", "old"),
        handnet.Predictions(FRAME).compare("new", "old"),
    )
    assert apart.sentences == whole.sentences
    whole.assert_better()
    whole.assert_better(margin=0.05)
    with pytest.raises(AssertionError, match=re.escape(whole.sentences[0])):
        whole.assert_better(margin=0.3)
    with pytest.raises(AssertionError, match="new is better than old"):
        handnet.Predictions(FRAME).compare("old", "new").assert_better()


def test_a_gate_of_python_is_true_where_it_is_shown() -> None:
    found = handnet.Predictions(FRAME)
    shown, not_shown = found.gate("old", "new"), found.gate("old", "same")
    assert (bool(shown), shown.code, bool(not_shown), not_shown.code) == (True, 0, False, 1)
    assert str(shown) == shown.sentence
    with pytest.raises(handnet.Refusal, match=r"margin= must say how much worse"):
        found.gate("old", "new", require="not-worse")


def test_a_table_behind_an_option_that_may_stand_alone_is_a_table() -> None:
    takes = {"--score"}
    assert as_options(["--first", "a.csv", "b.csv"], takes, "--sources", every=True) == [
        "--first",
        "--sources=a.csv",
        "--sources=b.csv",
    ]
    assert as_options(["--first", "0", "a.csv"], takes, "--sources") == ["--first", "0", "--sources=a.csv"]
