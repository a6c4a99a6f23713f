"""Hybrids: rows that have a case's own values in some families and other values in the rest.

Credits are differences between the logits of hybrids. A hybrid with the mean case's values in the absent
families may be a case that cannot exist, where nothing was learnt. Two things are done about it here: it is
counted how many hybrids lie outside the cloud of the train rows, and the credits are computed once more from
hybrids whose absent families are those of train rows that resemble the case.
"""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from handnet.data import Array
from handnet.families import Families

RIDGE = 1e-3  # is added to the variances, 1 each, so that dependent and one-hot columns have a distance too
LARGEST = 2 * 10**6  # numbers in the hybrids that are computed at once
INSIDE = 0.95  # share of the train rows within the distance that counts as the edge of the cloud


class Outside(NamedTuple):
    """How many hybrids of a case lie outside the cloud of the train rows.

    hybrids: sets of families but the empty and the full one; edge: the share of them farther from the middle
    than 95 % of the train rows; all: farther than every train row.
    """

    hybrids: int
    edge: float
    all: float


class Cloud:
    """The train rows (n, features), scaled, as a cloud with a middle and a shape.

    The distance is Mahalanobis's with the covariance of the train rows and .001 added to each variance. A
    covariance shrunk by the data themselves (Ledoit & Wolf 2004) adds thirty times as much for a table such
    as wisconsin, and no longer sees that a radius and a perimeter do not belong together.
    """

    def __init__(self, train: Array) -> None:
        self.middle = train.mean(axis=0)
        _, sizes, self.axes = np.linalg.svd(train - self.middle, full_matrices=False)
        self.variances = sizes**2 / len(train)
        self.train = np.sort(self.distances(train))

    def distances(self, rows: Array) -> Array:
        """Squared Mahalanobis distances (m,) of rows (m, features)."""
        away = rows - self.middle
        along = away @ self.axes.T
        rest = np.maximum((away**2).sum(axis=1) - (along**2).sum(axis=1), 0)  # where no train row varies
        return np.asarray((along**2 / (self.variances + RIDGE)).sum(axis=1) + rest / RIDGE)

    def outside(self, hybrids: Array) -> Outside:
        """How many of these rows (m, features) lie outside. With none of them both shares are 0."""
        far = self.distances(hybrids)
        edge, last = np.quantile(self.train, INSIDE), self.train[-1]
        shares = (float((far > limit).mean()) if len(far) else 0.0 for limit in (edge, last))
        return Outside(len(hybrids), *shares)


class Resembling:
    """Credits from hybrids whose absent families are those of real rows that resemble the case.

    For each set of families, the absent ones are taken from the rows nearest to the case in the present ones,
    and the logits are averaged: the empirical conditional approach of Aas, Jullum & Loland (2021), with equal
    weights and the sum of squares of the scaled columns as the distance. The empty set is the mean over all
    rows. A row that equals the case is the case itself and is left out.
    """

    def __init__(self, families: Families, rows: Array, nearest: int) -> None:
        """rows: (n, features), scaled; nearest: how many of them are taken for each set."""
        self.families, self.rows, self.nearest = families, rows, nearest

    @cached_property
    def _present(self) -> Array:
        return self.families.present.astype(np.float64)

    def credits(self, logits: Callable[[Array], Array], x: Array) -> Array:
        """The credits (k,) of the case x (features,), from the mean logit over replicas.

        logits: rows (m, features) -> (R, m). A Shapley value is linear in the logits, so the credits of the
        mean logit are the mean credits. They are 0 where every row equals the case.
        """
        others = self.rows[(self.rows != x).any(axis=1)]
        if not len(others):
            return np.zeros(len(self.families.names))
        near = self._near(self._present @ np.square(x - others).T)
        values = np.empty(len(near))
        step = max(1, LARGEST // (near.shape[1] * len(x)))
        for start in range(0, len(near), step):
            some = slice(start, start + step)
            hybrids = np.where(self.families.present[some, None], x, others[near[some]])
            found = logits(hybrids.reshape(-1, len(x))).mean(axis=0, dtype=np.float64)
            values[some] = found.reshape(hybrids.shape[:2]).mean(axis=1)
        values[0] = logits(others).mean(dtype=np.float64)
        return np.asarray(values @ self.families.weights)

    def _near(self, distances: Array) -> Array:
        """(2^k, nearest) the places of the smallest of distances (2^k, n); of equal ones the first."""
        nearest = min(self.nearest, distances.shape[1])
        last = np.partition(distances, nearest - 1, axis=1)[:, [nearest - 1]]
        closer, level = distances < last, distances == last
        free = nearest - closer.sum(axis=1, keepdims=True)
        taken = closer | (level & (level.cumsum(axis=1) <= free))
        return np.nonzero(taken)[1].reshape(len(distances), nearest)
