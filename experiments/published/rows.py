"""Where published results are tried: divisions of the whole table, on the protocols of those who published
them.

They hold rows of the sealed test, so `AllRows` takes an opening of it, and nothing less."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from experiments.claims.division import SEEDS, Division, train
from handnet.contract import Recipe
from handnet.data import Array, Dataset, Table
from handnet.mlp.replicas import concurrently
from handnet.splits import Order, split
from handnet.study.sealed import Opening
from handnet.study.units import Problem
from handnet.tasks import task_of

DIVISIONS, REPEATS, SPLIT_SEEDS = 100, 60, 200  # of a protocol; of a cross-validation; of the study's own
FOLDS, TEN = 10, 10  # folds of a cross-validation, and how many repetitions are "10 x 10"
FIRST, FIRST_NETWORK = 3000, 70_000  # the first split seed and network seed: no study and no claim uses them
Protocol = tuple[bool, Order]  # stratified or not, and which part is set aside first
PROTOCOLS: tuple[Protocol, ...] = tuple(product((True, False), ("test-first", "rest-first")))


class Outputs(NamedTuple):
    """The outputs of a method on the held-out rows of K divisions."""

    logits: list[Array]  # K of (R, n): R networks, or 1 for a method without a seed; NaN: a network diverged
    y: list[Array]  # K of (n,)

    def scores(self, name: str) -> Array:
        """(K, R): a score of `Task.grade`, by its name."""
        return np.stack([task_of(2).grade(z, y)[name] for z, y in zip(self.logits, self.y, strict=True)])

    def correct(self) -> list[Array]:
        """K of (R, n): 1 where a case was called right, 0 where not, NaN for a network that diverged."""
        pairs = zip(self.logits, self.y, strict=True)
        return [np.where(np.isfinite(z), (z > 0) == (y == 1), np.nan) for z, y in pairs]

    def pooled(self) -> Array:
        """(K / FOLDS, R): the accuracy over all cases of a cross-validation; its folds follow each other."""
        correct = self.correct()
        starts = range(0, len(correct), FOLDS)
        return np.stack([np.concatenate(correct[at : at + FOLDS], axis=1).mean(axis=1) for at in starts])

    def first(self, count: int) -> "Outputs":
        """The outputs on the first `count` divisions."""
        return Outputs(self.logits[:count], self.y[:count])


@dataclass(frozen=True)
class AllRows:
    """All rows of a study whose test was opened, by `opening`.

    count: divisions of each protocol. repeats: of the cross-validation. seeds: other split seeds of the
    study's own protocol. first: the first split seed.
    """

    problem: Problem
    opening: Opening
    count: int = DIVISIONS
    repeats: int = REPEATS
    seeds: int = SPLIT_SEEDS
    first: int = FIRST

    @property
    def data(self) -> Dataset:
        return self.problem.data

    @cached_property
    def folds(self) -> list[Division]:
        """Repeated stratified cross-validation: FOLDS divisions of the first repetition, then of the next."""
        X, y, seeds = self.data.X, self.data.y, range(self.first, self.first + self.repeats)
        repetitions = [StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(X, y) for seed in seeds]
        return [divide(X, y, rows, held) for folds in repetitions for rows, held in folds]

    @property
    def ten_by_ten(self) -> list[Division]:
        """The first TEN repetitions of the folds."""
        return self.folds[: FOLDS * TEN]

    def holdouts(self, held: float, leaky: bool = False) -> list[Division]:
        """Stratified divisions with so many rows, or that share of them, held out.

        leaky: the scaler sees all rows, a mistake that is tried on purpose.
        """
        rows, divisions = np.arange(len(self.data.y)), []
        for seed in range(self.first, self.first + self.count):
            learn, test = train_test_split(rows, test_size=held, random_state=seed, stratify=self.data.y)
            divisions.append(divide(self.data.X, self.data.y, learn, test, rows if leaky else None))
        return divisions

    def like_the_study(
        self, seeds: Sequence[int], stratify: bool = True, order: Order = "test-first"
    ) -> list[Division]:
        """The train and the test part of the study's division, with these split seeds, or on another
        protocol."""
        splits = [split(self.data, seed=seed, stratify=stratify, order=order) for seed in seeds]
        return [Division(parts.train, parts.test.open(lambda _: self.opening)) for parts in splits]

    @property
    def split_seeds(self) -> range:
        """Split seeds other than the study's."""
        return range(self.first, self.first + max(self.seeds, self.count))

    def networks(self, divisions: Sequence[Division], recipe: Recipe | None = None) -> Outputs:
        """SEEDS networks of the chapter's recipe, or of another, on each division. Place k has the same seeds
        on every protocol."""
        jobs = [
            partial(_trained, self.problem, recipe or Recipe(), rows, FIRST_NETWORK + SEEDS * place)
            for place, rows in enumerate(divisions)
        ]
        return Outputs(list(concurrently(jobs)), [rows.held.y for rows in divisions])

    def network_and_regression(self, divisions: Sequence[Division]) -> tuple[Outputs, Outputs]:
        """Networks and logistic regression on each division."""
        return self.networks(divisions), fit_each(divisions, regression)

    @cached_property
    def on_folds(self) -> tuple[Outputs, Outputs]:
        """Networks and logistic regression on all folds."""
        return self.network_and_regression(self.folds)

    @cached_property
    def on_split_seeds(self) -> Outputs:
        """Networks on the study's division with other split seeds."""
        return self.networks(self.like_the_study(self.split_seeds))


def all_rows(problem: Problem, opening: Opening, count: int) -> AllRows:
    """All rows with `count` divisions of each protocol, and repetitions and split seeds in proportion."""
    return AllRows(problem, opening, count, REPEATS * count // DIVISIONS, SPLIT_SEEDS * count // DIVISIONS)


def divide(X: Array, y: Array, rows: Array, held: Array, scaled_by: Array | None = None) -> Division:
    """The division of a table X (n, features), y (n,) into train rows and held-out rows, given by their
    numbers, scaled by the train rows, or by the rows `scaled_by`."""
    scaler = StandardScaler().fit(X[rows if scaled_by is None else scaled_by])
    return Division(Table(scaler.transform(X[rows]), y[rows]), Table(scaler.transform(X[held]), y[held]))


def fit_each(
    divisions: Sequence[Division], make: Callable[[], Any], columns: Sequence[int] | None = None
) -> Outputs:
    """Fit a method without a seed on each division, on some of the columns or on all.

    make: returns a new classifier with `fit` and `decision_function`.
    """
    used = slice(None) if columns is None else list(columns)
    logits = [
        make().fit(rows.train.X[:, used], rows.train.y).decision_function(rows.held.X[:, used])[None]
        for rows in divisions
    ]
    return Outputs(logits, [rows.held.y for rows in divisions])


def _trained(problem: Problem, recipe: Recipe, rows: Division, first: int) -> Array:
    """(SEEDS, n) held-out logits; NaN for a network that diverged."""
    fit, logits = train(problem, rows, recipe, range(first, first + SEEDS))
    return np.where(fit.diverged_at[:, None] < 0, logits, np.nan)


# The linear methods that published results are compared with.


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
