"""Whole studies through the real command line, on the real data, with real stores."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from canonical import digest, models, query, report, runs, trials
from scipy.special import expit
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from experiments.cli import main
from handnet import Dataset, split
from handnet.data import DATASETS
from handnet.draws import generator
from handnet.splits import Split
from handnet.study.sealed import Ledger

ROOT = Path(__file__).parent.parent
SMALL = [
    "TRIALS=4",
    "SEEDS=2",
    "CONFIRM=3",
    "space.epochs.high=20",
    "SPLITS=3",
    "rehearsal.seeds=2",
    "rehearsal.levels=2",
]


def cli(home: Path, *words: str) -> int:
    return main([*words[:1], "--mlruns", str(home), "--debug", *words[1:]])


def command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "experiments", words[0], "--mlruns", str(home), *words[1:]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study, opened and done."""
    home = tmp_path_factory.mktemp("finished")
    assert cli(home, "study", *SMALL, "OPEN=1") == 0
    return home


@pytest.fixture(scope="module")
def unopened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("unopened")
    assert cli(home, "study", *SMALL) == 0
    return home


@pytest.fixture
def sealed(unopened: Path, tmp_path: Path) -> Path:
    """A small study that left its test sealed, in a folder of its own."""
    return Path(shutil.copytree(unopened, tmp_path, dirs_exist_ok=True))


# Exactly once


def test_everything_is_written_exactly_once(finished: Path) -> None:
    found = runs(finished)
    kinds = [key.split("/")[0] for key in found]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "seed": 4 * 2 + 3 * 3,
        "search": 4,
        "confirm": 5,
        "split": 3,
        "streams": 1,
    }
    assert {run["status"] for run in found.values()} == {"FINISHED"}
    assert len(trials(finished)) == 4
    assert [json.loads(line)["event"] for line in (finished / "openings.jsonl").read_text().splitlines()] == [
        "opened",
        "rehearsed",
        "graded",
    ]


def test_a_second_run_changes_nothing(finished: Path, capsys: pytest.CaptureFixture) -> None:
    def state() -> tuple:
        pages = [(p.name, p.stat().st_mtime_ns) for p in sorted((finished / "reports").rglob("*.*"))]
        counts = [
            query(finished / db, f"SELECT count(*) FROM {table}")
            for db, table in [
                ("mlflow.db", "runs"),
                ("mlflow.db", "metrics"),
                ("mlflow.db", "tags"),
                ("optuna.db", "trials"),
            ]
        ]
        return digest(finished), pages, counts

    before = state()
    assert cli(finished, "study", *SMALL, "OPEN=1") == 0
    assert cli(finished, "study", *SMALL) == 0  # opened is opened, asked for or not
    assert state() == before
    assert "opening 1 of these rows (1 so far" in capsys.readouterr().out


def test_the_one_model_belongs_to_the_winner(finished: Path) -> None:
    ((key, same_experiment),) = models(finished)
    assert key.startswith("confirm/winner/")
    assert same_experiment


def test_files_that_no_run_names_are_removed(sealed: Path) -> None:
    """A process may be killed between the files of a network and the row that vouches for them."""
    (seeds,) = (sealed / "artifacts").glob("*-seeds")
    claimed = {path.name for path in seeds.iterdir()}
    assert len(claimed) == 4 * 2 + 3 * 3
    left = seeds / ("0" * 32) / "artifacts"
    left.mkdir(parents=True)
    (left / "replica.npz").write_bytes(b"half of it")
    (seeds / "models").mkdir()  # of a study that is called so: its folder is the same
    before = digest(sealed)
    assert cli(sealed, "study", *SMALL) == 0
    assert {path.name for path in seeds.iterdir()} == claimed | {"models"}
    assert digest(sealed) == before
    name = seeds.name.removesuffix("-seeds")
    assert cli(sealed, "study", *SMALL, f"NAME={seeds.name}") == 0
    whole = set(seeds.rglob("*"))
    assert cli(sealed, "study", *SMALL, f"NAME={name}") == 0
    assert set(seeds.rglob("*")) == whole


def test_the_report_and_its_figures_lie_beside_the_winner(finished: Path) -> None:
    key = next(key for key in runs(finished) if key.startswith("confirm/winner/"))
    (attached,) = (finished / "artifacts").rglob(f"{_run_id(finished, key)}/artifacts/report")
    for page in (finished / "reports").rglob("report.*"):
        assert (attached / page.name).read_bytes() == page.read_bytes()
    pictures = {one.name: one.read_text() for one in attached.glob("*.svg")}
    assert {
        "forest.svg",
        "every-seed.svg",
        "history.svg",
        "calibration.svg",
        "the-gap-between-train-and-validation.svg",
    } <= set(pictures)
    assert not any(
        "currentColor" in text for text in pictures.values()
    )  # there is no page whose colours they could take
    assert len(list((finished / "artifacts").rglob("report.html"))) == 1


def test_damaged_results_are_made_again(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli(tmp_path, "study", *SMALL) == 0
    before = digest(tmp_path)
    name = next((tmp_path / "reports").iterdir()).name
    paths = sorted((tmp_path / "artifacts").rglob("replica.npz"))
    for path in (paths[0], paths[-1]):
        path.write_bytes(path.read_bytes()[:2000])
    assert cli(tmp_path, "report", f"NAME={name}") == 1
    assert "are damaged; make study makes them again" in capsys.readouterr().err
    assert cli(tmp_path, "study", *SMALL) == 0
    assert digest(tmp_path) == before


def test_a_seed_run_holds_its_curves_its_gap_and_its_exact_values(finished: Path) -> None:
    key, run = next((key, run) for key, run in runs(finished).items() if key.startswith("seed/"))
    names = {name for name, *_ in run["metrics"]}
    assert {
        "loss/train_loss",
        "loss/train_loss_off",
        "loss/val_loss",
        "gap/gap",
        "gap/gap_keras",
        "val/accuracy",
    } <= names
    assert dict(run["tags"])["config_id"] == key.split("/")[1]
    assert set(run["files"]) == {"replica.npz"}


# The same numbers everywhere


def stored(home: Path, role: str) -> tuple[np.ndarray, np.ndarray]:
    """Validation and test logits of a configuration, read from the files alone."""
    db = home / "mlflow.db"
    key = next(key for key in runs(home) if key.startswith(f"confirm/{role}/"))
    config = key.split("/")[2]

    def folder(name: str) -> Path:
        (row,) = query(
            db,
            "SELECT r.artifact_uri FROM runs r JOIN tags t ON t.run_uuid=r.run_uuid WHERE t.key='handnet.key'"
            " AND t.value=? AND r.lifecycle_stage='active'",
            name,
        )
        return Path(row[0].removeprefix("file://"))

    val = [
        np.load(folder(f"seed/{config}/{seed}") / "replica.npz")["val_logits"][0]
        for seed in range(1000, 1003)
    ]
    return np.array(val), np.load(folder(key) / "test_logits.npy")


@pytest.mark.parametrize("role", ["winner", "chapter", "chapter second"])
def test_report_mlflow_and_recomputation_agree(
    finished: Path, data: Dataset, parts: Split, role: str
) -> None:
    facts = report(finished)
    tracked = {
        name: float.fromhex(value)
        for key, run in runs(finished).items()
        if key.startswith(f"confirm/{role}/")
        for name, _, value, _ in run["metrics"]
    }
    for part, logits, rows in zip(
        ("val", "test"), stored(finished, role), (parts.val_rows, parts.test_rows), strict=True
    ):
        y = data.y[rows]
        p = expit(logits.astype(float))
        ours = {
            "accuracy": [metrics.accuracy_score(y, one > 0.5) for one in p],
            "sensitivity": [metrics.recall_score(y, one > 0.5) for one in p],
            "specificity": [metrics.recall_score(1 - y, one <= 0.5) for one in p],
            "log_loss": [metrics.log_loss(y, one) for one in p],
            "auc": [metrics.roc_auc_score(y, one) for one in logits],
            "brier": [metrics.brier_score_loss(y, one) for one in p],
        }
        for score, values in ours.items():
            low, high = np.quantile(values, [0.025, 0.975])
            bands = {
                band["kind"]: band
                for band in facts["bands"]
                if (band["role"], band["part"], band["score"]) == (role, part, score)
            }
            assert (bands["quantiles"]["low"], bands["quantiles"]["high"]) == pytest.approx(
                (low, high), rel=1e-9
            )
            assert bands["quantiles"]["centres"]["median"] == pytest.approx(np.median(values), rel=1e-9)
            assert bands["min-max"]["low"] == pytest.approx(min(values), rel=1e-9)
            stem = f"{part}/{score}.seeds"
            assert (tracked[f"{stem}.q025"], tracked[f"{stem}.q975"]) == (
                bands["quantiles"]["low"],
                bands["quantiles"]["high"],
            )
            assert tracked[f"{stem}.max"] == bands["min-max"]["high"]
            assert bands["quantiles"]["n"] == tracked[f"{stem}.n"] == 3
            assert (
                bands["quantiles"]["coverage"] == tracked[f"{stem}.coverage"] == pytest.approx(0.95 * 2 / 4)
            )
            if "wilson" in bands:
                assert tracked[f"{part}/{score}.cases.wilson_low"] == bands["wilson"]["low"]


def test_logistic_regression_is_scikit_learns(finished: Path, data: Dataset, parts: Split) -> None:
    model = LogisticRegression(max_iter=10_000).fit(parts.train.X, parts.train.y)
    right = int(
        (model.predict((data.X[parts.test_rows] - parts.mean) / parts.scale) == data.y[parts.test_rows]).sum()
    )
    (band,) = [
        band
        for band in report(finished)["bands"]
        if (band["role"], band["part"], band["score"], band["kind"])
        == ("logistic regression", "test", "accuracy", "wilson")
    ]
    assert band["centres"]["share"] == right / 114
    assert band["low"] == pytest.approx(binomtest(right, 114).proportion_ci(method="wilson").low, abs=1e-12)
    assert band["varied"] == "cases"


def test_one_changed_probability_changes_every_page(finished: Path) -> None:
    folder = finished / "reports"
    pages = {path: path.read_text() for path in folder.rglob("report.*")}
    assert {path.suffix for path in pages} == {".md", ".html", ".json"}
    key = next(key for key in runs(finished) if key.startswith("confirm/winner/"))
    (path,) = (finished / "artifacts").rglob(f"{_run_id(finished, key)}/artifacts/test_logits.npy")
    original = path.read_bytes()
    logits = np.load(path)
    logits[1, 7] = -logits[1, 7]
    np.save(path, logits)
    name = next(folder.iterdir()).name
    try:
        assert cli(finished, "report", f"NAME={name}") == 0
        assert all(path.read_text() != text for path, text in pages.items())
        changed, before = (
            report(finished),
            json.loads(next(text for path, text in pages.items() if path.suffix == ".json")),
        )
        assert [band for band in changed["bands"] if band["part"] == "val"] == [
            band for band in before["bands"] if band["part"] == "val"
        ]
        assert changed["missed"] != before["missed"]
        for score in ("accuracy", "log_loss", "auc", "brier"):
            one, other = (
                [
                    band["centres"]["mean"]
                    for band in facts["bands"]
                    if (band["role"], band["part"], band["score"], band["kind"])
                    == ("winner", "test", score, "quantiles")
                ]
                for facts in (changed, before)
            )
            assert one != other, score
    finally:
        path.write_bytes(original)
    assert cli(finished, "report", f"NAME={name}") == 0
    assert all(path.read_text() == text for path, text in pages.items())


def _run_id(home: Path, key: str) -> str:
    return str(
        query(
            home / "mlflow.db",
            "SELECT r.run_uuid FROM runs r JOIN tags t ON t.run_uuid=r.run_uuid WHERE t.key='handnet.key' AND"
            " t.value=? AND r.lifecycle_stage='active'",
            key,
        )[0][0]
    )


# The seal


@pytest.mark.parametrize("what", ["noise", "permuted"])
def test_sealed_rows_decide_nothing_before_the_opening(
    tmp_path: Path, sealed: Path, data: Dataset, parts: Split, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed measurements replaced, ids and labels kept: everything the study wrote is equal to the bit."""
    X, draws = data.X.copy(), generator(3, 0)
    X[parts.test_rows] = (
        draws.normal(1e3, 1e4, (114, 30)) if what == "noise" else X[draws.permutation(parts.test_rows)]
    )
    monkeypatch.setitem(DATASETS, "wisconsin", lambda: replace(data, X=X))
    other = tmp_path / "other"
    assert cli(other, "study", *SMALL) == 0
    assert trials(other) == trials(sealed)
    one, two = runs(sealed), runs(other)
    # The digest of the data is part of every id; nothing else may differ.
    kinds = [
        sorted((key.split("/")[0], run["metrics"], run["params"]) for key, run in found.items())
        for found in (one, two)
    ]
    assert kinds[0] == kinds[1]
    for kind in ("replica.npz", "cases_val.parquet", "val_logits.npy"):
        files = [
            sorted(run["files"][kind] for run in found.values() if kind in run["files"])
            for found in (one, two)
        ]
        assert files[0] == files[1]
        assert files[0]
    facts = [
        {
            key: value
            for key, value in report(home).items()
            if key in ("bands", "missed", "statements", "watched")
        }
        for home in (sealed, other)
    ]
    assert facts[0] == facts[1]
    assert not (other / "openings.jsonl").exists()


def test_a_small_study_leaves_the_test_sealed(
    sealed: Path, capsys: pytest.CaptureFixture, parts: Split
) -> None:
    facts = report(sealed)
    assert facts["opening"] is None
    assert not any(band["part"] == "test" for band in facts["bands"])
    assert not any("test" in name for run in runs(sealed).values() for name in run["files"])
    name = next((sealed / "reports").iterdir()).name
    case = int(parts.test_rows[0])
    assert cli(sealed, "case", f"ID={case}", f"NAME={name}") == 0
    out = capsys.readouterr().out
    assert "test part" in out
    assert "sealed" in out
    assert "score" not in out.split("sealed")[0]
    # Opened later, it is the same study, and the ledger says so.
    assert cli(sealed, "study", *SMALL, "OPEN=1") == 0
    assert cli(sealed, "case", f"ID={case}", f"NAME={name}") == 0
    assert "called wrong by" in capsys.readouterr().out
    confirmed = [key for key in runs(sealed) if key.startswith("confirm/")]
    assert len(confirmed) == 5
    assert not any(key.endswith("/sealed") for key in confirmed)


def test_other_openings_are_counted(finished: Path, capsys: pytest.CaptureFixture) -> None:
    copy = finished.with_name("second-opening")
    copy.mkdir()
    shutil.copy(finished / "openings.jsonl", copy)
    assert cli(copy, "study", *SMALL, "search.study_seed=8", "OPEN=1") == 0
    assert "this was opening 2 of these rows (2 so far" in capsys.readouterr().out
    assert report(copy)["opening"]["ordinal"] == 2
    assert report(finished)["opening"]["ordinal"] == 1


def test_the_same_patients_under_another_scaler_are_the_same_test(tmp_path: Path, data: Dataset) -> None:
    one, two, other = split(data), split(data, val=0.3), split(data, seed=8)
    assert one.test.digest == two.test.digest != other.test.digest
    words = [*SMALL, "SPLITS=0", "TRIALS=1", "OPEN=1"]
    assert cli(tmp_path, "study", *words) == 0
    assert cli(tmp_path, "study", *words, "split.val=0.3") == 0
    assert cli(tmp_path, "study", *words, "split.seed=8") == 0
    openings = Ledger(tmp_path).openings()
    assert [one.ordinal for one in openings] == [1, 2, 1]
    shared = len(set(one.test.case_ids.tolist()) & set(other.test.case_ids.tolist()))
    assert [one.seen_before for one in openings] == [0, 114, shared]
    assert 0 < shared < 114
    assert cli(tmp_path, "study", *words, "SPLITS=2") == 0  # a rehearsal reads every row
    assert cli(tmp_path, "study", *words, "SPLITS=0", "split.seed=9") == 0
    assert Ledger(tmp_path).openings()[-1].seen_before == 114


def test_a_study_under_its_own_name_is_found_without_naming_it(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli(tmp_path, "study", "TRIALS=1", "CONFIRM=3", "OPEN=1", "SPLITS=0") == 0
    hint = re.search(r"make (case ID=\d+)\n", capsys.readouterr().out)[1]
    assert cli(tmp_path, *hint.split()) == 0
    assert cli(tmp_path, "report") == 0
    facts = report(tmp_path)
    assert (facts["study"], facts["settings"]["trials"], facts["settings"]["confirmation_seeds"]) == (
        "wisconsin",
        1,
        3,
    )


def test_cleaning_takes_what_studies_wrote_and_nothing_else(tmp_path: Path) -> None:
    few = [*SMALL, "TRIALS=1", "SPLITS=0"]
    assert cli(tmp_path, "study", *few, "OPEN=1") == 0
    for name in (
        "thesis.tex",
        "claims/mine.txt",
        "walk/walk.html",
        "claims/claims.html",
        "claims/.claims.json.new",
        "bench/bench.svg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine, or a page of ours")
    ledger = (tmp_path / "openings.jsonl").read_bytes()
    assert main(["clean", "--mlruns", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex", "openings.jsonl", ".lock", "claims"}
    assert [path.name for path in (tmp_path / "claims").iterdir()] == ["mine.txt"]
    # The same opening, so nothing is opened anew. In a new process: MLflow keeps a deleted database open in
    # this one.
    subprocess.run(command(tmp_path, "study", *few), cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "openings.jsonl").read_bytes() == ledger
    assert report(tmp_path)["opening"]["ordinal"] == 1


def test_after_the_opening_nothing_grows(finished: Path, capsys: pytest.CaptureFixture) -> None:
    for growth in ("TRIALS=5", "CONFIRM=4"):
        assert cli(finished, "study", *SMALL, growth) == 2
        assert "so it cannot grow" in capsys.readouterr().err


# The study


def test_a_study_may_grow_before_the_opening(sealed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = trials(sealed)
    assert cli(sealed, "study", *SMALL, "TRIALS=5", "CONFIRM=4") == 0
    assert trials(sealed)[:4] == before
    at_once = tmp_path_factory.mktemp("at-once")
    assert cli(at_once, "study", *SMALL, "TRIALS=5", "CONFIRM=4") == 0
    assert trials(at_once) == trials(sealed)
    assert report(at_once)["bands"] == report(sealed)["bands"]


def test_other_settings_under_the_same_name_are_refused(sealed: Path, capsys: pytest.CaptureFixture) -> None:
    name = next((sealed / "reports").iterdir()).name
    before = digest(sealed)
    assert cli(sealed, "study", *SMALL, "space.dropout.high=0.4", f"NAME={name}") == 2
    assert "give this one a name of its own" in capsys.readouterr().err
    assert digest(sealed) == before


def test_a_study_in_which_most_trials_diverge_still_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    deep = [f"network.hidden={[64] * 20}", "space.learning_rate.high=10", "space.learning_rate.log=false"]
    words = ["DESIGN=sobol", "TRIALS=8", "SEEDS=3", "CONFIRM=2", "space.epochs.high=12", *deep]
    assert cli(tmp_path, "study", *words) == 0
    facts = report(tmp_path)
    values = [row["value"] for row in facts["search"]["trials"]]
    assert 4 <= values.count(None) < 8
    assert all(row["diverged"] > 0 for row in facts["search"]["trials"] if row["value"] is None)
    states = query(tmp_path / "optuna.db", "SELECT DISTINCT state FROM trials")
    assert states == [("COMPLETE",)]
    assert cli(tmp_path / "all", "study", *words, "space.learning_rate.low=8") == 1
    assert "diverged on some seed, so there is nothing to confirm" in capsys.readouterr().err


def test_the_winners_model_loads_elsewhere_and_says_the_same(
    finished: Path, data: Dataset, parts: Split, tmp_path: Path
) -> None:
    (model,) = (p.parent for p in finished.rglob("MLmodel"))
    kinds = {path.suffix for path in model.rglob("*") if path.is_file()}
    assert not kinds & {".pkl", ".pickle", ".joblib", ".cloudpickle"}
    code = (
        "import sys, mlflow, pandas as pd; from sklearn.datasets import load_breast_cancer as l; d = l();"
        "X = pd.DataFrame(d.data, columns=d.feature_names);"
        f"mlflow.pyfunc.load_model({str(model)!r}).predict(X).to_csv(sys.argv[1], index=False)"
    )
    out = tmp_path / "p.csv"
    env = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "PYTHONPATH": ""}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(out)],
        check=True,
        cwd=tmp_path,
        env=env,
        capture_output=True,
    )
    served = np.loadtxt(out, delimiter=",", skiprows=1)
    p = expit(stored(finished, "winner")[0].astype(float))
    assert np.abs(served[parts.val_rows, 0] - p.mean(axis=0)).max() < 1e-6
    assert np.abs(served[parts.val_rows, 1] - np.quantile(p, 0.025, axis=0)).max() < 1e-6


def test_the_split_is_the_one_the_report_names(finished: Path, data: Dataset) -> None:
    facts = report(finished)
    assert facts["split"]["digest"] == split(data).digest
    assert {part: one["cases"] for part, one in facts["split"]["parts"].items()} == {
        "train": 341,
        "val": 114,
        "test": 114,
    }
