"""What runs when the winner's model is loaded with mlflow.pyfunc.load_model. Logged as source, with its weights."""

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from handnet import Layer, load_backend
from handnet.bands.seeds import HIGH, LOW


class SeedEnsemble(PythonModel):
    """The confirmed replicas of one configuration that did not diverge: a probability for each case, never without its band over seeds."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read scaler and weights."""
        with np.load(context.artifacts["weights"], allow_pickle=False) as file:
            parts = dict(file)
        depth = sum(name.startswith("weight_") for name in parts)
        self.layers = tuple(Layer(parts[f"weight_{i}"], parts[f"bias_{i}"]) for i in range(depth))
        self.mean, self.scale = parts["mean"], parts["scale"]
        self.columns = [str(name) for name in parts["columns"]]
        self.backend = load_backend("numpy", str(self.layers[0].weight.dtype))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Unscaled cases (n, features) to mean, q025 and q975 over seeds of the probability of class 1."""
        X = (model_input[self.columns].to_numpy(np.float64) - self.mean) / self.scale
        p = self.backend.predict(self.layers, X).astype(np.float64)
        low, high = np.quantile(p, [LOW, HIGH], axis=0)
        return pd.DataFrame({"mean": p.mean(axis=0), "q025": low, "q975": high})


set_model(SeedEnsemble())
