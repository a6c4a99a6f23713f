"""The report, MLflow and a recomputation give the same numbers."""

import csv
import io
import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from canonical import commit, networks, query, report, results, runs, tracked
from scipy.special import expit
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from studies import artifact, cli, rows_of, stored, study_name

from handnet import Dataset
from handnet.splits import Split
from handnet.study.spreadsheet import csv_of
from handnet.study.views import TAG


@pytest.mark.parametrize("role", ["winner", "chapter", "chapter second"])
def test_report_mlflow_and_recomputation_agree(
    finished: Path, data: Dataset, parts: Split, role: str
) -> None:
    facts = report(finished)
    (key,) = (key for key in runs(finished) if key.startswith(f"confirm/{role}/"))
    tracked = {name: float.fromhex(value) for name, _, value, _ in runs(finished)[key]["metrics"]}
    tables = {
        (row["part"], row["score"], row["varied"], row["kind"]): row
        for row in rows_of(artifact(finished, key, "bands.csv"))
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
            for kind, band in bands.items():
                row = tables[part, score, band["varied"], kind]
                assert {name: float(row[name]) for name in ("low", "high", "coverage", "n")} == {
                    name: band[name] for name in ("low", "high", "coverage", "n")
                }
            assert bands["quantiles"]["n"] == 3
            assert bands["quantiles"]["coverage"] == pytest.approx(0.95 * 2 / 4)
            if score in ("accuracy", "log_loss"):
                stem = f"{part}/{score}.seeds"
                ends = (tracked[f"{stem}.q025"], tracked[f"{stem}.q975"])
                assert ends == (bands["quantiles"]["low"], bands["quantiles"]["high"])
            if score == "accuracy":
                assert tracked[f"{part}/{score}.cases.wilson_low"] == bands["wilson"]["low"]


def test_the_table_of_networks_is_the_store(finished: Path, data: Dataset, parts: Split) -> None:
    """Every network of every configuration, recomputed from the files of the store alone."""
    alone, last = networks(finished), commit(finished)
    results_on = {"val": parts.val_rows, "test": parts.test_rows}
    keys = [key for key in runs(finished) if key.startswith(("search/", "confirm/"))]
    found = set()
    for key in keys:
        kind, config = key.split("/")[0], key.split("/")[-2]
        if kind == "confirm" and not any(one == config for one, _ in alone):
            continue  # a method without seeds
        for place, row in enumerate(rows_of(artifact(finished, key, "networks.csv"))):
            network = alone[config, int(row["seed"])]
            found.add((config, int(row["seed"])))
            last_epoch = len(network["val_loss"]) - 1
            epoch = last_epoch if network["best_epoch"] < 0 else network["best_epoch"]
            off, val = float(network["train_loss_off"][epoch]), float(network["val_loss"][epoch])
            assert (float(row["train_loss_off"]), float(row["val_loss"])) == (off, val)
            assert float(row["gap"]) == pytest.approx(val - off, abs=1e-7)
            if kind == "confirm":
                assert float(row["gap_test"]) == pytest.approx(float(row["test/log_loss"]) - off, abs=1e-7)
            assert (row["diverged_at"] == "") == (network["diverged_at"] < 0)
            logits = {"val": network["val_logits"]}
            if kind == "confirm":
                logits["test"] = results(finished)[f"test/{last['opening']}/{config}"]["logits"][place]
            for part, one in logits.items():
                rows = results_on[part]
                wrong = (one > 0) != (data.y[rows] == 1)
                assert float(row[f"{part}/accuracy"]) == pytest.approx(1 - wrong.mean(), abs=1e-12)
                assert json.loads(row[f"{part}/missed"]) == [str(case) for case in data.case_ids[rows[wrong]]]
            assert ("test/missed" in row) == (kind == "confirm")
    assert found == set(alone)


def test_a_run_has_few_metrics_and_those_its_page_shows(finished: Path) -> None:
    """At most forty names of metrics, and all columns and charts that MLflow opens with are among them."""
    names = {key: {name for name, *_ in run["metrics"]} for key, run in runs(finished).items()}
    assert max(map(len, names.values())) <= 40
    shown = query(
        tracked(finished),
        "SELECT name, value FROM experiments JOIN experiment_tags USING (experiment_id) WHERE key = ?",
        TAG,
    )
    assert len(shown) == 3
    for experiment, text in shown:
        suffix = experiment.removeprefix(study_name(finished))
        kinds = {"": ("confirm/winner",), " seeds": ("seed/",), " rehearsals": ("split/",)}[suffix]
        known = set().union(*(names[key] for key in names if key.startswith(kinds)))
        view = json.loads(text)
        asked = {column.split("`")[1] for column in view["selectedColumns"] if column.startswith("metrics.")}
        for chart in view["compareRunCharts"]:
            asked |= {*chart.get("selectedMetrics", ()), *chart.get("selectedMetricKeys", ())}
            asked |= {chart[axis]["key"] for axis in ("xaxis", "yaxis") if axis in chart}
        assert asked
        assert asked <= known, experiment


def test_the_winners_model_is_its_networks(
    finished: Path, parts: Split, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = query(tracked(finished), "SELECT model_id FROM logged_models WHERE lifecycle_stage = 'active'")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked(finished)}")
    model = mlflow.pyfunc.load_model(f"models:/{row[0]}")
    cases = pd.DataFrame(data.X[parts.val_rows], columns=list(data.feature_names))
    p = expit(stored(finished, "winner")[0].astype(float))
    assert np.abs(model.predict(cases)["mean"] - p.mean(axis=0)).max() < 1e-5


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


def test_one_changed_probability_changes_every_page(tiny: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(tiny, tmp_path / "home"))
    folder = home / "reports"
    pages = {path: path.read_text() for path in folder.rglob("report.*")}
    assert {path.suffix for path in pages} == {".md", ".html", ".json"}
    (winner,) = [one["config_id"] for one in commit(home)["frozen"] if one["role"] == "winner"]
    (path,) = home.glob(f"studies/*/test/*/{winner}.npz")
    original = path.read_bytes()
    logits = np.load(path)["logits"]
    logits[1, 7] = -logits[1, 7]
    np.savez(path, logits=logits)
    name = next(folder.iterdir()).name
    assert cli(home, "report", f"NAME={name}") == 0
    assert all(path.read_text() != text for path, text in pages.items())
    changed, before = (
        report(home),
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
    path.write_bytes(original)
    assert cli(home, "report", f"NAME={name}") == 0
    assert all(path.read_text() == text for path, text in pages.items())


def test_no_text_of_a_table_is_a_formula_to_a_spreadsheet() -> None:
    texts = ["=1+1", "+1", "-1", "@x", "\t=1", "plain", "a,b", 'say "x"', "two\nlines"]
    written = csv_of([{"text": text, "number": -0.5} for text in texts]).decode()
    rows = list(csv.DictReader(io.StringIO(written)))
    assert [row["text"] for row in rows] == [f"'{text}" if text[0] in "=+-@\t" else text for text in texts]
    assert {row["number"] for row in rows} == {"-0.5"}
