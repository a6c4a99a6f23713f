"""What is confirmed on fresh seeds beside the winner, and what a network has to be better than."""

from dataclasses import dataclass

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from handnet.contract import Recipe
from handnet.data import Array, Table
from handnet.study.settings import Settings


@dataclass(frozen=True)
class Candidate:
    """A frozen configuration, and why it is confirmed."""

    role: str
    recipe: Recipe


def candidates(winner: Recipe, settings: Settings) -> list[Candidate]:
    """The winner first, then the recipes the settings compare it with."""
    others = [
        Candidate(one.name, settings.recipe(one.learning_rate, one.dropout, one.epochs))
        for one in settings.compare
    ]
    return [Candidate("winner", winner), *others]


class Baseline:
    """A deterministic method: no seed, so no band over seeds."""

    def __init__(self, role: str, model: LogisticRegression | DummyClassifier, train: Table) -> None:
        self.role = role
        self.model = model.fit(train.X, train.y)

    def logits(self, X: Array) -> Array:
        """(n,): log odds of class 1."""
        if isinstance(self.model, LogisticRegression):
            return np.asarray(self.model.decision_function(X))
        log_p = self.model.predict_log_proba(X)
        return np.asarray(log_p[:, 1] - log_p[:, 0])


def baselines(train: Table) -> list[Baseline]:
    """Logistic regression as scikit-learn ships it (L2, C = 1), and the share of each class among train
    rows."""
    return [
        Baseline("logistic regression", LogisticRegression(max_iter=10_000), train),
        Baseline("majority class", DummyClassifier(strategy="prior"), train),
    ]
