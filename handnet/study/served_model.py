"""What runs when the winner's model is loaded with mlflow.pyfunc.load_model.

MLflow logs this file as source, with the weights beside it."""

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from handnet import Layer, load_backend
from handnet.data import Array
from handnet.encode import Encoder
from handnet.study.prediction import banded


class SeedEnsemble(PythonModel):
    """The confirmed replicas of one configuration that did not diverge.

    It gives a probability for each case, of many classes one for each class, or a number, never without its
    band over seeds."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read scaler and weights."""
        with np.load(context.artifacts["weights"], allow_pickle=False) as file:
            parts = dict(file)
        depth = sum(name.startswith("weight_") for name in parts)
        self.layers = tuple(Layer(parts[f"weight_{i}"], parts[f"bias_{i}"]) for i in range(depth))
        self.mean, self.scale = parts["mean"], parts["scale"]
        self.columns = [str(name) for name in parts["columns"]]
        self.levels: dict[str, list[str]] = {str(name): [] for name in parts["texts"]}
        for name, text in zip(parts["level_of"], parts["levels"], strict=True):
            self.levels[str(name)].append(str(text))
        self.classes, self.target = [str(name) for name in parts["classes"]], parts["target"].tolist()
        self.encode = Encoder(parts["source"], parts["kind"], parts["code"], parts["fill"], (), (), ())
        self.backend = load_backend("numpy", str(self.layers[0].weight.dtype))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """What `banded` gives, a row for each case.

        model_input: (n, columns) cases with the columns of the table."""
        X = np.column_stack([self._numbers(name, model_input[name]) for name in self.columns])
        X = (self.encode(X) - self.mean) / self.scale
        p = self.backend.predict(self.layers, X, "log_loss" if self.classes else "squared_error")
        outputs = p.astype(np.float64)
        if self.target:  # mean and deviation of the target that the networks learnt
            outputs = self.target[0] + self.target[1] * outputs
        return banded(outputs, self.classes)

    def _numbers(self, name: str, cells: "pd.Series[Any]") -> Array:
        """A column as the networks' table has it, (n,): a text is the number of its level.

        An unknown text is -1, a gap NaN."""
        if name not in self.levels:
            return cells.to_numpy(np.float64)
        codes = {text: float(code) for code, text in enumerate(self.levels[name])}
        return np.array([np.nan if pd.isna(cell) else codes.get(str(cell), -1.0) for cell in cells])


set_model(SeedEnsemble())
