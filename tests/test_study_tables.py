"""Studies of tables of one's own, with text, gaps, groups and repeats: sealed rows decide nothing."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from canonical import report
from corpus import HOSTILE
from others import ALL, Other, dietox, read, titanic, written
from samples import TWO
from scipy.special import expit
from studies import CHAPTER, TINY, contents, events, refused, stored

from handnet import Dataset, split
from handnet.bands.cases import case_bands
from handnet.cli import main
from handnet.data import Array
from handnet.draws import generator


def noisy(other: Other, data: Dataset, rows: Array) -> pd.DataFrame:
    """The table with noise for every measurement of these rows: other numbers, levels nobody has, other gaps.
    Labels, groups and which rows repeat each other stay."""
    frame, draws = other.frame.copy().reset_index(drop=True), generator(5, 0)
    for place, name in enumerate(data.feature_names):
        noise = draws.normal(1e3, 1e4, len(frame)).round(6)[data.first_equal[rows]]
        new = [f"new{value % 2:.0f}" if name in data.levels else repr(float(value)) for value in noise]
        frame.loc[rows, name] = [
            ("" if place and value % 3 < 1 else cell) for cell, value in zip(new, noise, strict=True)
        ]
    return frame


# One in every run, the others in make test-long.
@pytest.fixture(
    scope="module",
    params=[ALL[0], *(pytest.param(make, marks=pytest.mark.long) for make in ALL[1:])],
    ids=lambda make: make.__name__,
)
def studied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Other, Path, Path]:
    """A table, its file, and the folder of a small sealed study of it."""
    other, folder = request.param(), tmp_path_factory.mktemp("others")
    path = written(other.frame, folder / f"{other.name}.csv")
    assert main(["study", f"MLRUNS={folder / 'mlruns'}", f"DATA={path}", *other.words, *TINY]) == 0
    return other, path, folder / "mlruns"


def test_sealed_rows_decide_nothing(studied: tuple[Other, Path, Path], tmp_path: Path) -> None:
    """Every sealed measurement replaced: no level, median, mark, constant or scale hangs on it, and every
    number stays."""
    other, path, home = studied
    data = read(other, path)
    parts = split(data)
    changed = written(noisy(other, data, parts.test_rows), tmp_path / path.name)
    again = split(read(other, changed))
    assert np.array_equal(again.test_rows, parts.test_rows)
    assert again.test.digest != parts.test.digest
    assert again.encoder.names == parts.encoder.names
    assert np.array_equal(again.train.X, parts.train.X)
    assert np.array_equal(again.val.X, parts.val.X)
    assert (again.digest, again.notes) == (parts.digest, parts.notes)
    if other.name != "titanic":  # what follows depends on these alone; one whole study shows it
        return
    assert main(["study", f"MLRUNS={tmp_path / 'mlruns'}", f"DATA={changed}", *other.words, *TINY]) == 0
    for kind, count in (("network", 2 + 3), ("val", 3)):  # three rivals without a seed
        results = [
            sorted(path.read_bytes() for path in (folder / "studies").glob(f"*/{kind}/**/*.npz"))
            for folder in (home, tmp_path / "mlruns")
        ]
        assert results[0] == results[1]
        assert len(results[0]) == count
    models = [next(folder.rglob("MLmodel")).parent / "artifacts" for folder in (home, tmp_path / "mlruns")]
    kept = [{path.name: path.read_bytes() for path in model.iterdir()} for model in models]
    assert kept[0] == kept[1]
    assert kept[0]
    facts, others = report(home), report(tmp_path / "mlruns")
    for name in ("bands", "missed", "statements", "stories", "verdict"):
        assert facts[name] == others[name]
    assert facts["data"]["notes"] == others["data"]["notes"] == list(parts.notes)


def test_check_says_what_the_study_does_and_writes_nothing(
    studied: tuple[Other, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    other, path, home = studied
    capsys.readouterr()
    assert (
        main(["study", "CHECK=1", f"MLRUNS={tmp_path / 'mlruns'}", f"DATA={path}", *other.words, *TINY]) == 0
    )
    out = capsys.readouterr().out
    facts = report(home)
    files = (home / "studies").glob("*/network/*/*.npz")
    seeds = sum(len(np.load(path)["seeds"]) for path in files)
    assert not list(tmp_path.iterdir())
    assert "Search: 4 networks (2 configurations x 2 seeds)" in out
    assert "Confirm: 6 networks (3 x 2 fresh seeds)" in out
    assert seeds == 10
    assert f"Network: {facts['data']['inputs']}-16-8-1" in out
    sizes = facts["split"]["parts"]
    assert f"train {sizes['train']['cases']} ({sizes['train']['positive']} of class 1)" in out
    assert [out.count(note) for note in facts["data"]["notes"]] == [1] * len(facts["data"]["notes"])
    assert "Time: about" in out


def test_every_page_counts_the_groups_and_its_bands_go_over_them(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The weighings of a pig, counted by pandas; the bands against those of as many independent rows."""
    other, home = dietox(), tmp_path / "mlruns"
    frame = other.frame[other.frame.Pig.isin(other.frame.Pig.unique()[:36])]
    path, pig = written(frame, tmp_path / "dietox.csv"), frame.Pig.to_numpy()
    assert main(["study", f"MLRUNS={home}", f"DATA={path}", *other.words, *TINY, "OPEN=1"]) == 0
    out, facts, parts = capsys.readouterr().out, report(home), split(read(other, path))
    pigs = pig[parts.test_rows]
    count = f"{len(pigs)} test cases of {len(set(pigs))} groups"
    pages = [next(home.rglob(f"report.{kind}")).read_text() for kind in ("md", "html")]
    assert [page.count(count) > 0 for page in (out, *pages)] == [True] * 3
    for part, rows in (("train", parts.train_rows), ("val", parts.val_rows), ("test", parts.test_rows)):
        assert facts["split"]["parts"][part]["groups"] == len(set(pig[rows]))
    logits, y = stored(home, "winner")[1], parts.data.y[parts.test_rows]
    over_cases, over_pigs = (
        case_bands(TWO.scores, logits, y),
        case_bands(TWO.scores, logits, y, np.unique(pigs, return_inverse=True)[1]),
    )
    for name, band in over_pigs.items():
        (found,) = (
            row
            for row in facts["bands"]
            if (row["role"], row["part"], row["varied"]) == ("winner", "test", "cases")
            and (row["score"], row["kind"]) == (name, band.kind)
        )
        assert (found["low"], found["high"]) == pytest.approx((band.low, band.high), abs=1e-12), name
        assert (found["n"], found["groups"]) == (over_cases[name].n, band.groups)
        assert band.high - band.low > over_cases[name].high - over_cases[name].low
    (found,) = (
        pair["on_test"]["accuracy"]
        for pair in facts["comparisons"]
        if pair["theirs"] == "majority class" and pair["ours"] == "winner"
    )
    assert (found["n"], found["groups"]) == (len(pigs), len(set(pigs)))


def test_families_are_what_the_settings_say_and_a_text_is_one(tmp_path: Path) -> None:
    other = titanic()
    path = written(other.frame, tmp_path / "titanic.csv")
    settings = tmp_path / "my.toml"
    settings.write_text(CHAPTER.read_text() + '\n[families]\nkin = ["sibsp", "parch"]\n')
    words = [f"DATA={path}", *other.words, f"SETTINGS={settings}", f"MLRUNS={tmp_path / 'mlruns'}"]
    assert (
        main(["study", *TINY, *words, "SPLITS=2", "rehearsal.seeds=2", "rehearsal.levels=2", "OPEN=1"]) == 0
    )
    facts = report(tmp_path / "mlruns")
    names = {credit["family"] for story in facts["stories"] for credit in story["credits"]}
    assert names == {"pclass", "sex", "age", "kin", "fare", "embarked"}


def test_the_winners_model_takes_the_columns_of_the_file(
    studied: tuple[Other, Path, Path], tmp_path: Path
) -> None:
    other, path, home = studied
    if other.name != "titanic":
        pytest.skip("one table with text and gaps is enough")
    (model,) = (found.parent for found in home.rglob("MLmodel"))
    code = (
        "import sys, mlflow, pandas as pd; X = pd.read_csv(sys.argv[1], dtype={'sex': object, 'embarked':"
        " object});X = X.astype({name: float for name in X if name not in ('sex',"
        " 'embarked')}).astype(object).where(X.notna(), None).astype({name: float for name in X if name"
        " not in ('sex',"
        f" 'embarked')}});mlflow.pyfunc.load_model({str(model)!r}).predict(X).to_csv(sys.argv[2],"
        " index=False)"
    )
    out, env = (
        tmp_path / "p.csv",
        os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "PYTHONPATH": ""},
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(path), str(out)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    served, rows = np.loadtxt(out, delimiter=",", skiprows=1), split(read(other, path)).val_rows
    logits = stored(home, "winner")[0]
    assert np.abs(served[rows, 0] - expit(logits.astype(float)).mean(axis=0)).max() < 1e-6


def test_a_large_table_is_divided_anew_only_where_that_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    draws = generator(6, 0)
    frame = pd.DataFrame(
        {"x": draws.normal(size=20_001), "y": np.where(draws.random(20_001) < 0.5, "M", "B")}
    )
    words = ["CHECK=1", f"DATA={written(frame, tmp_path / 'x.csv')}", "TARGET=y", "POSITIVE=M"]
    words.append(f"SETTINGS={CHAPTER}")
    assert main(["study", *words]) == 0
    out, err = capsys.readouterr()
    assert "Rehearse" not in out
    assert "more than 20000 rows, so no fresh divisions" in err
    assert main(["study", *words, "SPLITS=2"]) == 0
    out, err = capsys.readouterr()
    assert "2 fresh divisions x 3 x 10 seeds" in out
    assert "fresh divisions" not in err


def exported(data: Dataset, path: Path) -> Path:
    """The table as anybody would write it, to the last digit."""
    frame = pd.DataFrame(data.X, columns=list(data.feature_names))
    frame.assign(diagnosis=np.array(data.class_names)[data.y]).to_csv(path, index=False)
    return path


def test_a_study_of_a_file_is_the_study_of_its_content(
    tmp_path: Path, tiny: Path, data: Dataset, capsys: pytest.CaptureFixture
) -> None:
    path = exported(data, tmp_path / "my cells (2).csv")
    words = [f"DATA={path}", "TARGET=diagnosis", "POSITIVE=malignant", *TINY, "OPEN=1"]
    home = tmp_path / "mine"
    assert main(["study", f"MLRUNS={home}", *words]) == 0
    one, other = report(home), report(tiny)
    assert one["study"].startswith("my-cells-2-")
    for facts in ("bands", "missed", "search", "stories", "identity", "statements"):
        assert one[facts] == other[facts], facts
    assert one["data"] == other["data"] | {"name": path.stem}
    assert one["data"]["digest"] == data.digest
    # Read again from where it lies; elsewhere when told; under another name the same study; changed, no more.
    name, before = f"NAME={one['study']}", contents(home / "artifacts")
    moved = path.rename(tmp_path / "b.csv")
    refused(capsys, [str(path), "No such file", data.digest[:12], "DATA="], "report", f"MLRUNS={home}", name)
    assert main(["case", "ID=73", f"MLRUNS={home}", name, f"DATA={moved}"]) == 0
    path.write_text(moved.read_text().replace("17.99,", "18.99,", 1))
    refused(capsys, ["the table has changed", data.digest[:12]], "report", f"MLRUNS={home}", name)
    refused(
        capsys,
        ["built-in table wisconsin"],
        "report",
        f"MLRUNS={tiny}",
        f"NAME={other['study']}",
        f"DATA={path}",
    )
    assert contents(home / "artifacts") == before
    assert main(["study", f"MLRUNS={home}", *words[1:], f"DATA={moved}"]) == 0
    assert [event["event"] for event in events(home)] == ["opened", "graded"]
    assert len(list((home / "reports").iterdir())) == 2


def test_names_of_columns_labels_and_cases_are_data(tmp_path: Path) -> None:
    path = tmp_path / "hostile.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [
            [
                f"{HOSTILE[n % 5]}{n}",
                *((n * k * 7919) % 101 + (n % 2) * 9 for k in range(1, 6)),
                HOSTILE[n % 2],
            ]
            for n in range(60)
        ]
        csv.writer(file).writerows([["id", *HOSTILE, HOSTILE[2] + "y"], *rows])
    words = [
        f"DATA={path}",
        f"TARGET={HOSTILE[2]}y",
        f"POSITIVE={HOSTILE[1]}",
        "ID=id",
        f"MLRUNS={tmp_path / 'm'}",
        *TINY,
        "OPEN=1",
    ]
    assert main(["study", *words]) == 0
    facts = report(tmp_path / "m")
    assert main(["case", f"ID={rows[7][0]}", f"NAME={facts['study']}", f"MLRUNS={tmp_path / 'm'}"]) == 0
    for page in (tmp_path / "m" / "reports").rglob("*.html"):
        assert "<script" not in page.read_text()
