"""The winner's networks as a model that anybody can load with mlflow.pyfunc.load_model.

It is code and a weights file, no pickle. served_model.py is the code that runs when it is loaded."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
from mlflow import MlflowClient, pyfunc
from mlflow.entities import LoggedModelOutput
from mlflow.models import infer_signature

from handnet.contract import load_backend
from handnet.encode import train_levels
from handnet.study.networks import Replicas, to_npz
from handnet.study.prediction import banded
from handnet.study.units import Problem, in_unit

SAVING = Lock()  # it changes the whole process


@dataclass(frozen=True)
class ServedModel:
    """A model to be attached to a run.

    weights: an .npz file; example: (5, columns) unscaled cases, with the columns of the table; prediction:
    what the model gives for them, five rows."""

    name: str
    weights: bytes
    example: pd.DataFrame
    prediction: pd.DataFrame

    def log(self, client: MlflowClient, experiment: str, run: str, check: Callable[[], None]) -> None:
        """Attach the model to a run of an experiment. check: called before its files are sent."""
        root = Path(__file__).parent
        with tempfile.TemporaryDirectory() as folder:
            weights, saved = Path(folder, "weights.npz"), Path(folder, "model")
            weights.write_bytes(self.weights)
            with SAVING:
                pyfunc.save_model(
                    saved,
                    python_model=str(root / "served_model.py"),
                    artifacts={"weights": str(weights)},
                    code_paths=[str(root.parent)],
                    signature=infer_signature(self.example, self.prediction),
                    input_example=self.example,
                    pip_requirements=["mlflow", "numpy", "scipy", "scikit-learn", "pandas"],
                )
            model = client.create_logged_model(experiment, self.name, run)
            check()
            client.log_model_artifacts(model.model_id, str(saved))
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])


def served_model(problem: Problem, replicas: Replicas) -> ServedModel:
    """The replicas that did not diverge, as a model that takes cases as the table has them."""
    data, parts, replicas = problem.data, problem.parts, replicas.pick(replicas.sound)
    example = data.frame(parts.val_rows[:5])
    served = load_backend("numpy", problem.spec.dtype)  # the backend that a loaded model runs on
    p = served.predict(replicas.fit.layers, parts.val.X[:5], problem.task.loss)
    prediction = banded(in_unit(p.astype(np.float64), problem.target_unit), data.class_names)
    return ServedModel("winner", _weights(problem, replicas), example, prediction)


def _weights(problem: Problem, replicas: Replicas) -> bytes:
    """Weights, scaler and encoder as an .npz file."""
    data, parts, encoder = problem.data, problem.parts, problem.parts.encoder
    levels, code, fill = train_levels(data, encoder, parts.train_rows)
    return to_npz(
        mean=parts.mean,
        scale=parts.scale,
        columns=np.array(data.feature_names),
        source=encoder.source,
        kind=encoder.kind,
        code=code,
        fill=fill,
        texts=np.array(list(levels), dtype="U"),
        levels=np.array([text for texts in levels.values() for text in texts], dtype="U"),
        level_of=np.array([name for name, texts in levels.items() for _ in texts], dtype="U"),
        classes=np.array(data.class_names, dtype="U"),
        target=np.array(problem.target_unit or (), dtype=np.float64),
        **replicas.weights(),
    )
