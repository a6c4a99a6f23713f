"""Where the claims are tried: fresh divisions of the train and validation rows of a study's split.

The sealed test is not among these rows, so trying a claim opens nothing, and tells nothing of what the test
will say. A division has as many train rows as the study, and the held-out rest is halved, in order of chance:
a claim that chooses something chooses on the first half and is graded on the second, the exam; one that
chooses nothing is graded on both."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from handnet.contract import Fit, Layer, Recipe
from handnet.data import Array, Dataset, Table
from handnet.draws import seeded_plan
from handnet.mlp.replicas import train_replicas
from handnet.scores import case_losses
from handnet.splits import Split, split
from handnet.study.units import Problem

DIVISIONS, FIRST = 100, 1000  # how many, and their first split seed; those below are for pilots
SEEDS = 16  # networks a division
OWN = 192  # seeds on the study's own split
TEACHING = 50_000  # the first seed of a network here: no study uses it


class Division(NamedTuple):
    """Rows to learn from and rows held out. Of those the first `cut` are for choosing."""

    train: Table
    held: Table
    cut: int


class Runs(NamedTuple):
    """One recipe on K divisions, R networks on each. NaN for a network that diverged, in all but what was
    before its start."""

    start_loss: Array  # (K, R) train loss before the first step, dropout off, as all but train_loss
    train_loss: Array  # (K, R, epochs)
    train_loss_off: Array  # (K, R, epochs)
    val_loss: Array  # (K, R, epochs), on all held-out rows; under patience on those for choosing
    train_accuracy: Array  # (K, R), as all that follow of the weights returned
    accuracy: Array  # (K, R), on all held-out rows
    exam_accuracy: Array
    choosing_loss: Array  # log loss on the rows for choosing
    exam_loss: Array
    likeness: Array  # mean |correlation| of the first hidden units over the train rows
    start_likeness: Array  # the same before the first step
    dead: Array  # share of the first hidden units that are 0 on every train row
    held_logits: Array  # (K, R, n)


class Sample(NamedTuple):
    """A recipe tried: over fresh divisions, and over seeds on the study's own."""

    splits: Runs
    seeds: Runs


@dataclass(frozen=True)
class World:
    """The bench, and how much of it is used: `count` divisions from split seed `first` on, `own` seeds on the
    study's own."""

    problem: Problem
    count: int = DIVISIONS
    first: int = FIRST
    own: int = OWN

    @cached_property
    def open_rows(self) -> Dataset:
        """The train and validation rows of the study's split; nothing of its sealed test."""
        whole, parts = self.problem.data, self.problem.parts
        rows = np.sort(np.concatenate([parts.train_rows, parts.val_rows]))
        return Dataset(
            whole.name,
            whole.X[rows],
            whole.y[rows],
            whole.case_ids[rows],
            whole.feature_names,
            whole.families,
            whole.class_names,
        )

    @cached_property
    def parts(self) -> list[Split]:
        """The fresh divisions. Their "test" is the exam half of the held-out rows; the study's sealed test is
        another."""
        rows, held = len(self.open_rows.y), len(self.problem.parts.val_rows)
        exam = held // 2  # a half less, because scikit-learn rounds a share of rows up
        test, val = (exam - 0.5) / rows, (held - exam - 0.5) / (rows - exam)
        return [
            split(self.open_rows, test=test, val=val, seed=self.first + place) for place in range(self.count)
        ]

    @cached_property
    def divisions(self) -> list[Division]:
        return [_division(one.train, one.val, one.test.open(lambda _: True)) for one in self.parts]

    @cached_property
    def ratio(self) -> float:
        """Held-out rows to train rows."""
        return len(self.divisions[0].held.y) / len(self.divisions[0].train.y)

    @cached_property
    def exam_ratio(self) -> float:
        one = self.divisions[0]
        return (len(one.held.y) - one.cut) / len(one.train.y)

    def runs(
        self, recipe: Recipe, divisions: Sequence[Division] | None = None, starts_alone: bool = False
    ) -> Runs:
        """The recipe on the fresh divisions, or on others in their place. Place k has the same seeds whatever
        the recipe; starts_alone: its networks differ in their first weights and in nothing else."""
        jobs = [
            partial(_trained, self.problem, recipe, one, _seeds(TEACHING + SEEDS * place, starts_alone))
            for place, one in enumerate(divisions or self.divisions)
        ]
        return Runs(*(np.stack(column) for column in zip(*self.problem.each(jobs), strict=True)))

    def sample(self, recipe: Recipe) -> Sample:
        """The recipe over divisions and over seeds. The seeds come in places of SEEDS on one and the same
        division, and are one row of R in the end."""
        parts = self.problem.parts
        half = len(parts.val.y) // 2
        own = Division(parts.train, parts.val, half)
        several = self.runs(recipe, [own] * max(1, self.own // SEEDS))
        return Sample(self.runs(recipe), Runs(*(part.reshape(1, -1, *part.shape[2:]) for part in several)))


def _division(train: Table, val: Table, exam: Table) -> Division:
    return Division(
        train, Table(np.concatenate([val.X, exam.X]), np.concatenate([val.y, exam.y])), len(val.y)
    )


def _seeds(first: int, starts_alone: bool) -> list[int | tuple[int, int, int]]:
    """SEEDS of them, or as many of the first weights beside one of visiting orders and one of masks."""
    return [(seed, first, first) if starts_alone else seed for seed in range(first, first + SEEDS)]


def _trained(
    problem: Problem, recipe: Recipe, rows: Division, seeds: Sequence[int | tuple[int, int, int]]
) -> Runs:
    """One division's networks, without the leading axis."""
    watched = Table(rows.held.X[: rows.cut], rows.held.y[: rows.cut]) if recipe.patience else rows.held
    fit = train_replicas(problem.backend, rows.train, watched, recipe, seeds, problem.spec.draws, threads=1)
    held, train = (problem.backend.logits(fit.layers, X).astype(float) for X in (rows.held.X, rows.train.X))
    first = seeded_plan(recipe, rows.train, seeds).start()
    with np.errstate(over="ignore", invalid="ignore"):  # of networks that diverged, which are named below
        return _graded(problem, fit, first, rows, held, train)


def _graded(
    problem: Problem, fit: Fit, first: tuple[Layer, ...], rows: Division, held: Array, train: Array
) -> Runs:
    """What the logits on held-out and train rows are worth; NaN for what diverged."""
    losses, right = case_losses(held, rows.held.y), (held > 0) == (rows.held.y == 1)
    units, first_units = _units(fit.layers[0], rows.train.X), _units(first[0], rows.train.X)
    found = Runs(
        case_losses(problem.backend.logits(first, rows.train.X), rows.train.y).mean(1),
        *fit[1:4],
        ((train > 0) == (rows.train.y == 1)).mean(1),
        right.mean(1),
        right[:, rows.cut :].mean(1),
        losses[:, : rows.cut].mean(1),
        losses[:, rows.cut :].mean(1),
        likeness(units),
        likeness(first_units),
        (units <= 0).all(1).mean(1),
        held,
    )
    lost = fit.diverged_at >= 0
    after = {name: part.T for name, part in found._asdict().items() if not name.startswith("start_")}
    return found._replace(**{name: np.where(lost, np.nan, part).T for name, part in after.items()})


def _units(layer: Layer, X: Array) -> Array:
    """(R, n, units): what the first hidden layer says of each row, dropout off."""
    return np.asarray(np.maximum(X @ layer.weight + layer.bias, 0))


def likeness(units: Array) -> Array:
    """(R,): the mean |correlation| of two units of (R, n, units) that are not silent throughout; a measure of
    copying that no
    rescaling of a unit changes."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # a silent unit has no correlation
        apart = units - units.mean(axis=1, keepdims=True)
        apart /= np.sqrt((apart**2).sum(axis=1, keepdims=True))
        pairs = np.abs(apart.swapaxes(1, 2) @ apart)
    live = np.isfinite(pairs)
    live &= ~np.eye(pairs.shape[1], dtype=bool)
    count = np.maximum(live.sum(axis=(1, 2)), 1)
    return np.asarray(np.where(live, pairs, 0.0).sum(axis=(1, 2)) / count)
