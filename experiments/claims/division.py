"""One division of a table into rows to learn from and rows held out, and the networks trained on it."""

from collections.abc import Sequence
from typing import NamedTuple

from handnet.contract import Fit, Recipe
from handnet.data import Array, Table
from handnet.draws import Seed
from handnet.mlp.replicas import train_replicas
from handnet.study.units import Problem

SEEDS = 16  # networks a division


class Division(NamedTuple):
    """Scaled rows to learn from and rows held out; the first `choosing` of the latter are for choosing, the
    rest for grading."""

    train: Table
    held: Table
    choosing: int = 0


def train(
    problem: Problem, division: Division, recipe: Recipe, seeds: Sequence[int | Seed]
) -> tuple[Fit, Array]:
    """Train R networks of a recipe, one a seed, in one thread. Returns the fit and held-out logits (R, n).

    The held-out rows are watched; a recipe with patience watches those for choosing alone.
    """
    held, rows = division.held, division.choosing
    watched = Table(held.X[:rows], held.y[:rows]) if recipe.patience else held
    draws = problem.spec.draws
    fit = train_replicas(problem.backend, division.train, watched, recipe, seeds, draws, threads=1)
    return fit, problem.backend.logits(fit.layers, held.X).astype(float)
