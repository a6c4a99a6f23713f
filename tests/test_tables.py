"""Tables of one's own with text, gaps, groups and repeats: what is made of them, and that sealed rows decide
none of it."""

import csv
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from canonical import query, report, runs
from hypothesis import given
from hypothesis import strategies as st
from others import ALL, Other, autos, dietox, titanic
from pyarrow import parquet
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from experiments.cli import main
from handnet import Dataset, read_table, split
from handnet.data import Array
from handnet.draws import generator
from handnet.encode import GAP, LEVEL, encoder
from handnet.splits import _set_aside
from handnet.study.reading import DEFAULTS

TINY = ["TRIALS=2", "SEEDS=2", "CONFIRM=2", "space.epochs.high=12", "SPLITS=0"]


def written(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False, quoting=csv.QUOTE_MINIMAL)
    return path


def read(other: Other, path: Path) -> Dataset:
    given = dict(word.split("=") for word in other.words)
    return read_table(
        path, given["TARGET"], given["POSITIVE"], group=given.get("GROUP"), missing=given["MISSING"]
    )


def noisy(other: Other, data: Dataset, rows: Array) -> pd.DataFrame:
    """The table with noise for every measurement of these rows: other numbers, levels nobody has, other gaps.
    Labels, groups and which rows repeat each other stay."""
    frame, draws = other.frame.copy().reset_index(drop=True), generator(5, 0)
    for place, name in enumerate(data.feature_names):
        noise = draws.normal(1e3, 1e4, len(frame)).round(6)[data.repeats[rows]]
        new = [f"new{value % 2:.0f}" if name in data.levels else repr(float(value)) for value in noise]
        frame.loc[rows, name] = [
            ("" if place and value % 3 < 1 else cell) for cell, value in zip(new, noise, strict=True)
        ]
    return frame


# One in every run, the others with HANDNET_LONG=1.
@pytest.fixture(
    scope="module",
    params=ALL if os.environ.get("HANDNET_LONG") == "1" else ALL[:1],
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
    one, two = runs(home), runs(tmp_path / "mlruns")
    for what in ("metrics", "params"):
        kinds = [sorted((key.split("/")[0], run[what]) for key, run in found.items()) for found in (one, two)]
        assert kinds[0] == kinds[1]
    for kind in ("replica.npz", "cases_val.parquet", "val_logits.npy"):
        files = [
            sorted(run["files"][kind] for run in found.values() if kind in run["files"])
            for found in (one, two)
        ]
        assert files[0] == files[1]
        assert files[0]
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
    facts, seeds = report(home), sum(key.startswith("seed/") for key in runs(home))
    assert not list(tmp_path.iterdir())
    assert "Search: 4 networks (2 configurations x 2 seeds)" in out
    assert "Confirm: 6 networks (3 x 2 fresh seeds)" in out
    assert seeds == 10
    assert f"Network: {facts['data']['inputs']}-16-8-1" in out
    sizes = facts["split"]["parts"]
    assert f"train {sizes['train']['cases']} ({sizes['train']['positive']} of class 1)" in out
    assert all(note in out for note in facts["data"]["notes"])
    assert "Time: about" in out


def test_what_is_encoded_is_what_scikit_learn_encodes(tmp_path: Path) -> None:
    other = autos()
    data = read(other, written(other.frame, tmp_path / "autos.csv"))
    parts = split(data)
    text = [place for place, name in enumerate(data.feature_names) if name in data.levels]
    numbers = [place for place, name in enumerate(data.feature_names) if name not in data.levels]
    levels = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False),
    )
    whole = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("text", levels, text),
            (
                "gaps",
                MissingIndicator(features="missing-only", error_on_new=False),
                list(range(data.X.shape[1])),
            ),
        ]
    )
    train = whole.fit_transform(data.X[parts.train_rows])
    varying = train.max(axis=0) > train.min(axis=0)
    with pytest.warns(UserWarning, match="unknown categories"):
        theirs = whole.transform(data.X)[:, varying]
    ours = parts.encoder(data.X)
    assert ours.shape == theirs.shape
    assert len(numbers) + len(text) < ours.shape[1]
    assert sorted(map(tuple, ours.T)) == sorted(map(tuple, theirs.T))
    assert ("Validation cases with a level no train row has" in " ".join(parts.notes)) == any(
        set(data.X[parts.val_rows, place]) - set(data.X[parts.train_rows, place]) for place in text
    )


def small(X: Array, **more: object) -> Dataset:
    n = len(X)
    y = np.arange(n) % 2
    names = tuple(f"c{place}" for place in range(X.shape[1]))
    return Dataset("small", X, y, np.arange(n), names, names, ("B", "M"), **more)


def test_a_table_of_numbers_comes_out_as_it_went_in(data: Dataset) -> None:
    assert split(data).encoder(data.X) is data.X
    assert split(data).notes == ()


def test_the_train_rows_say_what_an_input_is() -> None:
    X = np.array([[1, 0, 7, 0], [np.nan, 1, 7, 0], [3, 0, 7, 1], [5, 2, 8, np.nan]], dtype=float)
    table = small(X, levels={"c1": ("a", "b", "c"), "c3": ("no", "yes")}, missing="median")
    found = encoder(table, np.arange(3))
    assert found.names == (
        "c0",
        "c0 missing",
        "c1=b",
        "c3=yes",
    )  # c of c1 is in no train row, c2 never varies there
    assert found.families == ("c0", "c0", "c1", "c3")
    assert found.left_out == ("c2",)
    assert found(X).tolist() == [[1, 0, 0, 0], [2, 1, 1, 0], [3, 0, 0, 1], [5, 0, 0, 0]]
    more = encoder(table, np.arange(4))
    assert [name for name in more.names if "c1" in name] == ["c1=a", "c1=b", "c1=c"]
    with pytest.raises(ValueError, match="no column varies among the train rows"):
        encoder(table, np.array([0]))


@given(
    sizes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(any), min_size=3, max_size=60),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 9),
    stratify=st.booleans(),
)
def test_whole_groups_make_a_part_of_the_wanted_size(
    sizes: list[tuple[int, int]], share: float, seed: int, stratify: bool
) -> None:
    units = np.repeat(np.arange(len(sizes)), [sum(one) for one in sizes])
    labels = np.concatenate([[0] * zeros + [1] * ones for zeros, ones in sizes])
    aside = _set_aside(units, labels if stratify else None, share, seed)
    assert all(len(set(aside[units == unit])) == 1 for unit in set(units))
    assert abs(aside.sum() - share * len(units)) <= max(map(sum, sizes)) / 2 + 1e-9
    assert np.array_equal(aside, _set_aside(units, labels if stratify else None, share, seed))


def test_parts_of_groups_hold_both_classes_in_their_shares(tmp_path: Path) -> None:
    for other in (titanic(), dietox()):
        data = read(other, written(other.frame, tmp_path / "x.csv"))
        for seed in range(5):
            parts = split(data, seed=seed)
            rows = (parts.train_rows, parts.val_rows, parts.test_rows)
            assert sorted(np.concatenate(rows).tolist()) == list(range(len(data.y)))
            largest = np.bincount(data.units).max()
            assert abs(len(parts.test_rows) - 0.2 * len(data.y)) <= largest
            alike = (
                pd.DataFrame(data.X).groupby(list(range(data.X.shape[1])), dropna=False).ngroup().to_numpy()
            )
            whole = np.concatenate([np.unique(alike[part]) for part in rows])
            assert len(whole) == len(set(whole)) < len(data.y)
            for part in rows:
                assert abs(data.y[part].mean() - data.y.mean()) < 0.07
        assert not np.array_equal(split(data, seed=0).test_rows, split(data, seed=1).test_rows)
    pigs = other.frame["Pig"].to_numpy()
    assert not set(pigs[parts.test_rows]) & set(pigs[parts.train_rows])


def test_repeats_and_torn_repeats_are_counted(tmp_path: Path) -> None:
    other = titanic()
    data = read(other, written(other.frame, tmp_path / "titanic.csv"))
    plain = other.frame.drop(columns="survived")
    labels = other.frame.groupby(list(plain), dropna=False).survived
    torn = labels.transform("nunique") > 1
    note = next(note for note in split(data).notes if "repeat" in note)
    assert note.startswith(f"{plain.duplicated().sum()} of 1309 rows repeat")
    assert f"both labels: {torn.sum()}, in {(labels.nunique() > 1).sum()} sets" in note


def test_rows_with_gaps_are_left_out(tmp_path: Path) -> None:
    other = titanic()
    whole = other.frame.assign(id=[f"p{n}" for n in range(len(other.frame))])
    kept = whole[(whole != "").all(axis=1)]
    dropped = read_table(written(whole, tmp_path / "x.csv"), "survived", "1", "id", missing="drop")
    assert dropped.digest == read_table(written(kept, tmp_path / "y.csv"), "survived", "1", "id").digest
    assert (
        split(dropped).notes[0]
        == f"{len(whole) - len(kept)} of 1309 rows have a gap and are left out (MISSING=drop)."
    )


def test_parquet_is_read_as_the_same_table(tmp_path: Path) -> None:
    wine = load_wine(as_frame=True).frame  # class 1: the first cultivar, against the other two
    frame = wine.assign(
        target=(wine.target == 0).map({True: "first", False: "other"}),
        colour=(wine.hue > 1).map({True: "deep", False: "pale"}),
        old=wine.ash > 2.4,
        code=[f"{n:03d}" for n in range(len(wine))],
    )
    frame.loc[[3, 9], "alcohol"] = np.nan
    frame.loc[[5], "colour"] = None
    frame.to_parquet(tmp_path / "wine.parquet")
    frame.assign(old=frame.old.map({True: "true", False: "false"})).to_csv(tmp_path / "wine.csv", index=False)
    one, other = (
        read_table(tmp_path / f"wine.{kind}", "target", "first", "code", missing="median")
        for kind in ("parquet", "csv")
    )
    assert one.digest == other.digest
    assert one.levels == {"colour": ("deep", "pale"), "old": ("false", "true")}
    assert one.case_ids[1] == "001"


def wrongly_encoded(frame: pd.DataFrame) -> bytes:
    raw = pa.array([b"\xff", b"a"] * 20, pa.binary())
    table = pa.Table.from_pandas(frame).append_column(
        "z", pa.Array.from_buffers(pa.string(), 40, raw.buffers())
    )
    parquet.write_table(table, out := io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda frame: frame.assign(when=pd.Timestamp("2024-01-02")),
            ["'when' (timestamp", "neither numbers nor text"],
        ),
        (
            lambda frame: frame.assign(x=[float("inf"), *frame.x[1:]]),
            ["row 1, column 'x'", "'inf' is not finite"],
        ),
        (lambda frame: frame.assign(y=[None, *frame.y[1:]]), ["row 1 has no label"]),
        (
            lambda frame: frame.assign(x=[np.nan, *frame.x[1:]]),
            ["values are missing: 1 in 'x'", "MISSING=median"],
        ),
        (lambda frame: frame[:0], ["columns and no data rows"]),
        (
            lambda frame: frame.assign(x=[2**53 + 1, *range(39)]),
            ["row 1, column 'x'", "'9007199254740993'", "more digits"],
        ),
        (
            lambda frame: frame.set_index(pd.Index([*range(20), *range(30, 50)])),
            ["the column '__index_level_0__'", "row numbers"],
        ),
        (
            lambda frame: frame.assign(z=pd.Series([b"\xff", b"a"] * 20).astype(pd.ArrowDtype(pa.binary()))),
            ["'z' (binary)"],
        ),
        (wrongly_encoded, ["column 'z' holds text that is not UTF-8"]),
        (lambda _: b"PAR1 and no more", ["cannot be read as Parquet"]),
        (lambda _: b"x,y\n1,M\n", ["cannot be read as Parquet"]),
    ],
)
def test_a_bad_parquet_file_is_refused(
    make: object, says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    made = make(pd.DataFrame({"x": np.arange(40) * 0.5, "y": list("MB") * 20}))
    path = tmp_path / "x.parquet"
    path.write_bytes(made) if isinstance(made, bytes) else made.to_parquet(path)
    assert main(["study", f"DATA={path}", "TARGET=y", "POSITIVE=M", f"MLRUNS={tmp_path / 'mlruns'}"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"handnet: {path}: ")
    assert err.count("\n") == 1
    assert not [part for part in says if part not in err], err
    assert not (tmp_path / "mlruns").exists()


def test_parquet_without_its_reader_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pd.DataFrame({"x": [1.0], "y": ["M"]}).to_parquet(tmp_path / "x.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ValueError, match="read with pyarrow, which is not installed; install it, or save the table as CSV"
    ):
        read_table(tmp_path / "x.parquet", "y", "M")


def test_families_are_what_the_settings_say_and_a_text_is_one(tmp_path: Path) -> None:
    other = titanic()
    path = written(other.frame, tmp_path / "titanic.csv")
    settings = tmp_path / "my.toml"
    settings.write_text(DEFAULTS.read_text().replace("[families]", '[families]\nkin = ["sibsp", "parch"]\n'))
    words = [f"DATA={path}", *other.words, f"SETTINGS={settings}", f"MLRUNS={tmp_path / 'mlruns'}"]
    assert (
        main(["study", *words, *TINY, "SPLITS=2", "rehearsal.seeds=2", "rehearsal.levels=2", "OPEN=1"]) == 0
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
    (winner,) = [key.split("/")[2] for key in runs(home) if key.startswith("confirm/winner/")]
    logits = [np.load(file)["val_logits"][0] for file in seeds(home, winner)]
    assert np.abs(served[rows, 0] - expit(np.array(logits, dtype=float)).mean(axis=0)).max() < 1e-6


def seeds(home: Path, config: str) -> list[Path]:
    """The files of a configuration's two confirmed networks."""
    sql = "SELECT r.artifact_uri FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid WHERE t.value IN (?, ?)"
    found = query(home / "mlflow.db", sql, *(f"seed/{config}/{seed}" for seed in (1000, 1001)))
    return [Path(uri.removeprefix("file://")) / "replica.npz" for (uri,) in found]


def test_a_large_table_is_divided_anew_only_where_that_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    draws = generator(6, 0)
    frame = pd.DataFrame(
        {"x": draws.normal(size=20_001), "y": np.where(draws.random(20_001) < 0.5, "M", "B")}
    )
    words = ["CHECK=1", f"DATA={written(frame, tmp_path / 'x.csv')}", "TARGET=y", "POSITIVE=M"]
    assert main(["study", *words]) == 0
    out, err = capsys.readouterr()
    assert "Rehearse" not in out
    assert "more than 20000 rows, so no fresh divisions" in err
    assert main(["study", *words, "SPLITS=2"]) == 0
    out, err = capsys.readouterr()
    assert "2 fresh divisions x 3 x 10 seeds" in out
    assert "fresh divisions" not in err


def test_a_gap_beyond_the_train_rows_is_filled_and_not_marked(data: Dataset) -> None:
    rows = split(data).val_rows
    X = data.X.copy()
    X[rows[0], 0] = np.nan
    parts = split(replace(data, X=X, missing="median"))
    assert not set(parts.encoder.kind) & {GAP, LEVEL}
    assert parts.encoder(X)[rows[0], 0] == np.median(data.X[parts.train_rows, 0])
