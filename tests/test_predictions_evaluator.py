"""mlflow.models.evaluate with the evaluator handnet, by the entry point of the wheel and called directly."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint
from studies import ROOT

from handnet.predictions.evaluator import CaseBands
from handnet.study.metrics import MOST

N = 60
Y = np.arange(N) % 2
P = 1 / (1 + np.exp(-np.sin(1.7 * np.arange(N)) - Y + 0.5))
RIGHT = int(((P > 0.5) == Y).sum())
DATA = pd.DataFrame({"x": np.arange(N), "p": P, "patient": np.arange(N) // 3})


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What is logged to a run: metrics, and files by their path."""
    found = SimpleNamespace(metrics={}, files={})

    def log_artifacts(folder: str, path: str, run_id: str) -> None:
        found.files |= {f"{path}/{one.name}": one.read_text() for one in Path(folder).iterdir()}

    monkeypatch.setattr(mlflow, "log_artifacts", log_artifacts)
    monkeypatch.setattr(mlflow, "log_metrics", lambda metrics, **_: found.metrics.update(metrics))
    return found


def evaluated(kind: str, y: np.ndarray, said: object = None, **more: object) -> dict[str, float]:
    """The metrics of an evaluation. more: the configuration, or `model`."""
    model = more.pop("model", None)
    data = mlflow.data.from_pandas(
        DATA.assign(y=y, **({} if said is None else {"said": said})),
        targets="y",
        predictions=None if said is None else "said",
    ).to_evaluation_dataset()
    assert CaseBands.can_evaluate(model_type=kind, evaluator_config=more)
    result = CaseBands().evaluate(
        model_type=kind, dataset=data, run_id="1", evaluator_config=more, model=model
    )
    return result.metrics


def test_labels_and_probabilities_get_the_bands_that_each_can_carry(logged: SimpleNamespace) -> None:
    wilson = proportion_confint(RIGHT, N, method="wilson")
    labels = evaluated("classifier", Y, (P > 0.5).astype(int))
    probabilities = evaluated("classifier", Y, (P > 0.5).astype(int), p="p")
    for metrics in (labels, probabilities):
        assert metrics["test/accuracy.cases.share"] == pytest.approx(RIGHT / N, abs=1e-12)
        ends = [metrics[f"test/accuracy.cases.wilson_{end}"] for end in ("low", "high")]
        assert ends == pytest.approx(wilson, abs=1e-9)
    assert "test/log_loss.cases.mean" not in labels
    loss = -np.mean(np.log(np.where(Y == 1, P, 1 - P)))
    assert probabilities["test/log_loss.cases.mean"] == pytest.approx(loss, abs=1e-12)
    assert probabilities.items() <= logged.metrics.items()
    assert len(probabilities) <= MOST
    assert "nothing tells a band over seeds" in logged.files["handnet/note.txt"]
    facts = json.loads(logged.files["handnet/bands.json"])
    assert all(band["varied"] != "seeds" for band in facts["bands"])
    assert "<html" in logged.files["handnet/bands.html"]


def test_groups_and_models_are_taken_as_they_are_named(logged: SimpleNamespace) -> None:
    alone = evaluated("classifier", Y, P)
    grouped = evaluated("classifier", Y, P, group="patient")
    assert alone["test/log_loss.cases.mean"] == grouped["test/log_loss.cases.mean"]
    assert json.loads(logged.files["handnet/bands.json"])["data"]["groups"] == N // 3

    class Raw:
        classes_ = np.array([0, 1])

        def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
            return np.column_stack([1 - features["p"], features["p"]])

    model = SimpleNamespace(get_raw_model=Raw, predict=lambda features: features["p"] > 0.5)
    assert evaluated("classifier", Y, model=model) == pytest.approx(alone, abs=1e-9)


def test_a_number_is_judged_as_one(logged: SimpleNamespace) -> None:
    y = 10 + 3 * P + np.sin(np.arange(N))
    metrics = evaluated("regressor", y, y + np.cos(np.arange(N)))
    rmse = np.sqrt(np.mean(np.cos(np.arange(N)) ** 2))
    assert metrics["test/rmse.cases.mean"] == pytest.approx(rmse, abs=1e-12)
    assert json.loads(logged.files["handnet/bands.json"])["data"]["target"] == "y"


def test_data_that_cannot_be_judged_stop_no_evaluation(logged: SimpleNamespace) -> None:
    assert evaluated("classifier", Y, P, group="nobody") == {}
    assert "there is no column 'nobody'" in logged.files["handnet/note.txt"]
    assert evaluated("classifier", np.where(Y == 1, "yes", "no"), P * 4) == {}
    assert "say kind='logits'" in logged.files["handnet/note.txt"]
    assert not CaseBands.can_evaluate(model_type="question-answering", evaluator_config={})


SCRIPT = """
import sys, mlflow, numpy as np, pandas as pd
assert "handnet" in mlflow.models.list_evaluators()
heavy = {"handnet.scores", "handnet.bands", "handnet.predictions.table"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
y = np.arange(60) % 2
data = pd.DataFrame({"x": np.sin(1.7 * np.arange(60)) + y, "y": y})
data["said"] = (data["x"] > 0.5).astype(int)
mlflow.create_experiment("x", sys.argv[1])
mlflow.set_experiment("x")
result = mlflow.models.evaluate(
    data=data, targets="y", predictions="said", model_type="classifier", evaluators=["default", "handnet"]
)
client = mlflow.MlflowClient()
metrics = client.get_run(result.run_id).data.metrics
assert metrics["accuracy_score"] == metrics["test/accuracy.cases.share"] == (data["said"] == y).mean()
print(*(one.path for one in client.list_artifacts(result.run_id, "handnet")))
"""


@pytest.mark.long
def test_mlflow_finds_the_evaluator_of_an_installed_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    more = {"PYTHONPATH": str(tmp_path / "site"), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, (tmp_path / "files").as_uri()],
        cwd=tmp_path,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = "bands.csv bands.html bands.json bands.md note.txt"
    assert done.stdout.split() == [f"handnet/{name}" for name in names.split()]
