"""Where published results are tried: divisions of the whole table, on the protocols of those who published
them.

They hold rows of the sealed test, so a `Whole` is made of an opening of it, and of nothing less.
"""

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

from handnet.contract import Recipe
from handnet.data import Array, Dataset, Table
from handnet.mlp.replicas import train_replicas
from handnet.scores import grade
from handnet.splits import Order, split
from handnet.study.sealed import Opening
from handnet.study.units import Problem

DIVISIONS, REPEATS, OTHERS = (
    100,
    60,
    200,
)  # of a protocol; of a cross-validation; of the study's, with other split seeds
FOLDS, BRIEF = 10, 10  # folds, and how many of the repetitions are "10 x 10"
FIRST, NETWORKS = (
    3000,
    70_000,
)  # the first split seed and the first seed of a network: no study and no claim uses them
SEEDS = 16  # networks a division
THREE = ("worst area", "worst smoothness", "mean texture")  # features of the plane in wdbc.names
PROTOCOLS: tuple[tuple[bool, Order], ...] = tuple(product((True, False), ("test-first", "rest-first")))


class Exam(NamedTuple):
    """Rows to learn from and rows held out, scaled."""

    train: Table
    held: Table


class Answers(NamedTuple):
    """What a method said of the held-out rows of K exams."""

    logits: list[
        Array
    ]  # K of (R, n): R networks, or 1 for a method without a seed; NaN for a network that diverged
    y: list[Array]  # K of (n,)

    def scores(self, name: str) -> Array:
        """(K, R): a score of `grade`."""
        return np.stack([getattr(grade(z, y), name) for z, y in zip(self.logits, self.y, strict=True)])

    def right(self) -> list[Array]:
        """K of (R, n): 1 where a case was called right, NaN for a network that diverged."""
        return [
            np.where(np.isfinite(z), (z > 0) == (y == 1), np.nan)
            for z, y in zip(self.logits, self.y, strict=True)
        ]

    def pooled(self) -> Array:
        """(K / FOLDS, R): accuracy over all cases of a cross-validation, whose folds follow each other."""
        right = self.right()
        found = [np.concatenate(right[low : low + FOLDS], axis=1) for low in range(0, len(right), FOLDS)]
        return np.stack([one.mean(axis=1) for one in found])

    def first(self, count: int) -> "Answers":
        """Those of the first exams."""
        return Answers(self.logits[:count], self.y[:count])


@dataclass(frozen=True)
class Whole:
    """The bench of a study whose test was opened, by `opening`; count, repeats, others: how much is divided
    anew."""

    problem: Problem
    opening: Opening
    count: int = DIVISIONS
    repeats: int = REPEATS
    others: int = OTHERS
    first: int = FIRST

    @property
    def data(self) -> Dataset:
        return self.problem.data

    @cached_property
    def folds(self) -> list[Exam]:
        """Repeated stratified cross-validation: FOLDS exams a repetition, one repetition after the other."""
        found = [
            StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(self.data.X, self.data.y)
            for seed in range(self.first, self.first + self.repeats)
        ]
        return [scaled(self.data.X, self.data.y, train, held) for one in found for train, held in one]

    @property
    def brief(self) -> list[Exam]:
        """The first BRIEF repetitions."""
        return self.folds[: FOLDS * BRIEF]

    def single(self, held: float, leaky: bool = False) -> list[Exam]:
        """Stratified divisions with so many rows, or that share of them, held out. leaky: the scaler saw all
        rows."""
        rows, exams = np.arange(len(self.data.y)), []
        for seed in range(self.first, self.first + self.count):
            train, test = train_test_split(rows, test_size=held, random_state=seed, stratify=self.data.y)
            exams.append(scaled(self.data.X, self.data.y, train, test, rows if leaky else None))
        return exams

    def studys(self, seeds: Sequence[int], stratify: bool = True, order: Order = "test-first") -> list[Exam]:
        """The study's division with these split seeds, or on another protocol: its train and its test
        part."""
        parts = [split(self.data, seed=seed, stratify=stratify, order=order) for seed in seeds]
        return [Exam(one.train, one.test.open(lambda _: self.opening)) for one in parts]

    @property
    def split_seeds(self) -> range:
        """Other split seeds than the study's."""
        return range(self.first, self.first + max(self.others, self.count))

    def networks(self, exams: Sequence[Exam], recipe: Recipe | None = None) -> Answers:
        """SEEDS networks of the chapter's recipe, or of another, on each. Place k has the same seeds on every
        protocol."""
        jobs = [
            partial(_trained, self.problem, recipe or Recipe(), one, NETWORKS + SEEDS * place)
            for place, one in enumerate(exams)
        ]
        return Answers(list(self.problem.each(jobs)), [one.held.y for one in exams])

    def both(self, exams: Sequence[Exam]) -> tuple[Answers, Answers]:
        """Networks and logistic regression on each."""
        return self.networks(exams), fitted(exams, regression)

    @cached_property
    def folded(self) -> tuple[Answers, Answers]:
        """Both on all folds."""
        return self.both(self.folds)

    @cached_property
    def redivided(self) -> Answers:
        """Networks on the study's division with other split seeds."""
        return self.networks(self.studys(self.split_seeds))


def scaled(X: Array, y: Array, train: Array, held: Array, ruler: Array | None = None) -> Exam:
    """Rows `train` and `held` of the table, scaled by the train rows, or by the rows `ruler`."""
    scaler = StandardScaler().fit(X[train if ruler is None else ruler])
    return Exam(Table(scaler.transform(X[train]), y[train]), Table(scaler.transform(X[held]), y[held]))


def fitted(exams: Sequence[Exam], make: Callable[[], Any], columns: Sequence[int] | None = None) -> Answers:
    """A method without a seed on each, on some of the columns or on all; make: gives one of scikit-learn's
    classifiers anew."""
    used = slice(None) if columns is None else list(columns)
    found = [
        make().fit(one.train.X[:, used], one.train.y).decision_function(one.held.X[:, used])[None]
        for one in exams
    ]
    return Answers(found, [one.held.y for one in exams])


class LeastSlack:
    """The plane of least mean slack in each class (Bennett & Mangasarian 1992), the linear program that the
    authors of the table used. It separates the classes whenever any plane does."""

    def fit(self, X: Array, y: Array) -> Self:
        """X (n, features), y (n,) of 0 and 1: minimise the mean slack s >= 0 of each class under sign (X w +
        b) >= 1 - s."""
        n, features = X.shape
        sides = -np.where(y == 1, 1.0, -1.0)[:, None] * np.column_stack([X, np.ones(n)])
        cost = np.concatenate([np.zeros(features + 1), 1 / np.bincount(y)[y]])
        free = [(None, None)] * (features + 1) + [(0, None)] * n
        found = linprog(cost, A_ub=np.column_stack([sides, -np.eye(n)]), b_ub=-np.ones(n), bounds=free)
        self.plane = np.asarray(found.x)[: features + 1]
        return self

    def decision_function(self, X: Array) -> Array:
        """(n,): above 0 on the side of class 1."""
        return np.asarray(X @ self.plane[:-1] + self.plane[-1])


def regression() -> LogisticRegression:
    """As scikit-learn ships it (L2, C = 1)."""
    return LogisticRegression(max_iter=10_000)


def _trained(problem: Problem, recipe: Recipe, exam: Exam, first: int) -> Array:
    """(SEEDS, n) logits; NaN for what diverged. The held-out rows are watched, and without patience nothing
    heeds them."""
    fit = train_replicas(
        problem.backend,
        exam.train,
        exam.held,
        recipe,
        range(first, first + SEEDS),
        problem.spec.draws,
        threads=1,
    )
    logits = problem.backend.logits(fit.layers, exam.held.X).astype(float)
    return np.where(fit.diverged_at[:, None] < 0, logits, np.nan)
