"""The linear methods that published results are compared with."""

from typing import Self

import numpy as np
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression

from handnet.data import Array


class LeastSlack:
    """The plane of least mean slack in each class (Bennett & Mangasarian 1992), the linear program that the
    authors of the table used. It separates the classes whenever any plane does."""

    def fit(self, X: Array, y: Array) -> Self:
        """Minimise the mean slack s >= 0 of each class under sign (X w + b) >= 1 - s, for X (n, features) and
        y (n,) of 0 and 1."""
        n, features = X.shape
        sides = -np.where(y == 1, 1.0, -1.0)[:, None] * np.column_stack([X, np.ones(n)])
        cost = np.concatenate([np.zeros(features + 1), 1 / np.bincount(y)[y]])
        free = [(None, None)] * (features + 1) + [(0, None)] * n
        solution = linprog(cost, A_ub=np.column_stack([sides, -np.eye(n)]), b_ub=-np.ones(n), bounds=free)
        self.plane = np.asarray(solution.x)[: features + 1]
        return self

    def decision_function(self, X: Array) -> Array:
        """X (n, features) -> (n,): above 0 on the side of class 1."""
        return np.asarray(X @ self.plane[:-1] + self.plane[-1])


def regression() -> LogisticRegression:
    """Logistic regression as scikit-learn ships it (L2, C = 1)."""
    return LogisticRegression(max_iter=10_000)
