"""Where the claims of the chapter are tried: fresh divisions of the train and validation rows of a study.

The sealed test is not among these rows, so trying a claim opens nothing and tells nothing of what the test
will say. A division has as many train rows as the study. Its held-out rows are halved at random: a claim that
chooses something chooses on the first half and is graded on the second, the exam half; a claim that chooses
nothing is graded on both."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from experiments.claims.division import SEEDS, Division, train
from handnet.contract import Fit, Layer, Recipe
from handnet.data import Array, Dataset, Table
from handnet.draws import Seed, seeded_plan
from handnet.mlp.replicas import concurrently
from handnet.scores import case_losses
from handnet.splits import Split, split
from handnet.study.units import Problem

DIVISIONS, FIRST = 100, 1000  # how many, and their first split seed; smaller split seeds are for pilots
OWN = 192  # seeds on the study's own split
FIRST_NETWORK = 50_000  # the first seed of a network here: no study uses it


class Runs(NamedTuple):
    """One recipe on K divisions, R networks on each. A network that diverged is NaN in every field but those
    of its start."""

    start_loss: Array  # (K, R) train loss before the first step, dropout off
    train_loss: Array  # (K, R, epochs), dropout on, as Keras prints it
    train_loss_off: Array  # (K, R, epochs), dropout off, as in all that follow
    val_loss: Array  # (K, R, epochs), on all held-out rows; under patience on those for choosing
    train_accuracy: Array  # (K, R), of the weights returned, as in all that follow
    accuracy: Array  # (K, R), on all held-out rows
    exam_accuracy: Array  # (K, R), on the exam half
    choosing_loss: Array  # (K, R), log loss on the rows for choosing
    exam_loss: Array  # (K, R), log loss on the exam half
    likeness: Array  # (K, R), mean |correlation| of the first hidden units over the train rows
    start_likeness: Array  # (K, R), the same before the first step
    dead: Array  # (K, R), share of the first hidden units that are 0 on every train row
    held_logits: Array  # (K, R, n)


class Sample(NamedTuple):
    """One recipe over fresh divisions, and over seeds on the study's own division."""

    splits: Runs
    seeds: Runs


@dataclass(frozen=True)
class OpenRows:
    """The train and validation rows of a study, divided anew.

    count: how many divisions, from split seed `first` on.
    own: how many seeds on the study's own division.
    """

    problem: Problem
    count: int = DIVISIONS
    first: int = FIRST
    own: int = OWN

    @cached_property
    def table(self) -> Dataset:
        """The train and validation rows, and nothing of the sealed test."""
        data, parts = self.problem.data, self.problem.parts
        rows = np.sort(np.concatenate([parts.train_rows, parts.val_rows]))
        columns = (data.feature_names, data.families, data.class_names)
        return Dataset(data.name, data.X[rows], data.y[rows], data.case_ids[rows], *columns)

    @cached_property
    def splits(self) -> list[Split]:
        """The fresh divisions. Their "test" is the exam half of the held-out rows, not the study's test."""
        rows, held = len(self.table.y), len(self.problem.parts.val_rows)
        exam = held // 2  # a half less below, because scikit-learn rounds a share of rows up
        test, val = (exam - 0.5) / rows, (held - exam - 0.5) / (rows - exam)
        seeds = range(self.first, self.first + self.count)
        return [split(self.table, test=test, val=val, seed=seed) for seed in seeds]

    @cached_property
    def divisions(self) -> list[Division]:
        return [_division(parts.train, parts.val, parts.test.open(lambda _: True)) for parts in self.splits]

    @cached_property
    def ratio(self) -> float:
        """Held-out rows to all others."""
        return len(self.divisions[0].held.y) / len(self.divisions[0].train.y)

    @cached_property
    def exam_ratio(self) -> float:
        """Rows of the exam half to all others, those for choosing among them."""
        division = self.divisions[0]
        exam = len(division.held.y) - division.choosing
        return exam / (len(self.table.y) - exam)

    def runs(
        self, recipe: Recipe, divisions: Sequence[Division] | None = None, starts_alone: bool = False
    ) -> Runs:
        """Train a recipe on the fresh divisions, or on others in their place.

        Place k has the same seeds whatever the recipe. starts_alone: its networks differ in their first
        weights and in nothing else.
        """
        jobs = [
            partial(_trained, self.problem, recipe, rows, _seeds(FIRST_NETWORK + SEEDS * place, starts_alone))
            for place, rows in enumerate(divisions or self.divisions)
        ]
        return Runs(*(np.stack(column) for column in zip(*concurrently(jobs), strict=True)))

    def sample(self, recipe: Recipe) -> Sample:
        """Train a recipe over divisions and over seeds. The seeds are trained in places of SEEDS on one
        division, and come back as one row of R."""
        parts = self.problem.parts
        own = Division(parts.train, parts.val, len(parts.val.y) // 2)
        places = self.runs(recipe, [own] * max(1, self.own // SEEDS))
        return Sample(self.runs(recipe), Runs(*(part.reshape(1, -1, *part.shape[2:]) for part in places)))


def _division(train: Table, val: Table, exam: Table) -> Division:
    held = Table(np.concatenate([val.X, exam.X]), np.concatenate([val.y, exam.y]))
    return Division(train, held, len(val.y))


def _seeds(first: int, starts_alone: bool) -> list[int | Seed]:
    """SEEDS seeds; or as many first weights beside one visiting order and one sequence of masks."""
    return [Seed(seed, first, first) if starts_alone else seed for seed in range(first, first + SEEDS)]


def _trained(problem: Problem, recipe: Recipe, rows: Division, seeds: Sequence[int | Seed]) -> Runs:
    """The networks of one division, without the leading axis of Runs."""
    fit, held = train(problem, rows, recipe, seeds)
    seen = problem.backend.logits(fit.layers, rows.train.X).astype(float)
    first = seeded_plan(recipe, rows.train, seeds).start()
    with np.errstate(over="ignore", invalid="ignore"):  # of networks that diverged, which are named below
        return _graded(problem, fit, first, rows, held, seen)


def _graded(
    problem: Problem, fit: Fit, first: tuple[Layer, ...], rows: Division, held: Array, seen: Array
) -> Runs:
    """Grade the logits (R, n) on held-out rows and those on train rows; NaN for a network that diverged."""
    losses, right = case_losses(held, rows.held.y), (held > 0) == (rows.held.y == 1)
    units, first_units = _units(fit.layers[0], rows.train.X), _units(first[0], rows.train.X)
    runs = Runs(
        case_losses(problem.backend.logits(first, rows.train.X), rows.train.y).mean(1),
        *fit[1:4],
        ((seen > 0) == (rows.train.y == 1)).mean(1),
        right.mean(1),
        right[:, rows.choosing :].mean(1),
        losses[:, : rows.choosing].mean(1),
        losses[:, rows.choosing :].mean(1),
        likeness(units),
        likeness(first_units),
        (units <= 0).all(1).mean(1),
        held,
    )
    diverged = fit.diverged_at >= 0
    after = {name: part.T for name, part in runs._asdict().items() if not name.startswith("start_")}
    return runs._replace(**{name: np.where(diverged, np.nan, part).T for name, part in after.items()})


def _units(layer: Layer, X: Array) -> Array:
    """(R, n, units): the activations of the first hidden layer for the rows X (n, features), dropout off."""
    return np.asarray(np.maximum(X @ layer.weight + layer.bias, 0))


def final(losses: Array) -> Array:
    """(K, R, epochs) -> (K, R): after the last epoch."""
    return np.asarray(losses[..., -1])


def likeness(units: Array) -> Array:
    """(R,): the mean |correlation| over pairs of units, from activations (R, n, units).

    A measure of copying that does not change when a unit is rescaled. Units that are 0 on every row are left
    out.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # a silent unit has no correlation
        apart = units - units.mean(axis=1, keepdims=True)
        apart /= np.sqrt((apart**2).sum(axis=1, keepdims=True))
        pairs = np.abs(apart.swapaxes(1, 2) @ apart)
    live = np.isfinite(pairs)
    live &= ~np.eye(pairs.shape[1], dtype=bool)
    count = np.maximum(live.sum(axis=(1, 2)), 1)
    return np.asarray(np.where(live, pairs, 0.0).sum(axis=(1, 2)) / count)
