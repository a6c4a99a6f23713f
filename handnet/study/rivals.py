"""The methods without a seed that a network has to beat."""

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from handnet.data import Array, Table

BASELINE = "logistic regression"  # what a network has to beat


class Baseline:
    """A deterministic method a network has to beat: no seed, so no band over seeds."""

    def __init__(self, role: str, model: LogisticRegression | DummyClassifier) -> None:
        self.role = role
        self.model = model

    def logits(self, X: Array) -> Array:
        """(n,) log odds of class 1. X: (n, inputs), scaled."""
        if isinstance(self.model, LogisticRegression):
            return np.asarray(self.model.decision_function(X))
        log_p = self.model.predict_log_proba(X)
        return np.asarray(log_p[:, 1] - log_p[:, 0])


def baselines(train: Table) -> list[Baseline]:
    """Logistic regression with scikit-learn's defaults (L2, C = 1) and the weights of the train rows, and the
    share of each class in them."""
    return [
        Baseline(BASELINE, LogisticRegression(max_iter=10_000).fit(*train)),
        Baseline("majority class", DummyClassifier(strategy="prior").fit(train.X, train.y)),
    ]
