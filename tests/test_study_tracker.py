"""The report, MLflow and a recomputation give the same numbers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from canonical import report, runs
from scipy.special import expit
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from studies import cli, run_id_of, stored

from handnet import Dataset
from handnet.splits import Split


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


def test_one_changed_probability_changes_every_page(tiny: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(tiny, tmp_path / "home"))
    folder = home / "reports"
    pages = {path: path.read_text() for path in folder.rglob("report.*")}
    assert {path.suffix for path in pages} == {".md", ".html", ".json"}
    key = next(key for key in runs(home) if key.startswith("confirm/winner/"))
    (path,) = (home / "artifacts").rglob(f"{run_id_of(home, key)}/artifacts/test_logits.npy")
    original = path.read_bytes()
    logits = np.load(path)
    logits[1, 7] = -logits[1, 7]
    np.save(path, logits)
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
