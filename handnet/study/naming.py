"""How often the story of a case names a measurement that does nothing, in a world where it is known which do.

naming.csv, beside this file, has what 200 simulated studies gave. This remakes it, in some minutes:

    python -c "from handnet.study.naming import *; print(as_csv(measure(200)), end='')" > naming.csv
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from handnet.contract import Recipe
from handnet.data import Array, Dataset
from handnet.draws import SIMULATION, generator
from handnet.explain import Explanation
from handnet.judge import judge_of
from handnet.report.explainer import Explainer
from handnet.splits import split
from handnet.study.reading import read
from handnet.study.resplit import Resplit, Trained
from handnet.study.units import Problem, load_problem

TABLE = Path(__file__).with_name("naming.csv")
ROWS, SEEDS, DIVISIONS = 569, 20, 29
RECIPE = Recipe(epochs=40)
# Families by what they do: they decide the label, they go with one that does (correlation .8), or neither.
DOES = ("decides",) * 3 + ("goes with one",) * 2 + ("does nothing",) * 3
STEEP = 4.0  # of the label's logit in the sum of what decides: some 94 of 100 labels follow its sign


class Naming(NamedTuple):
    """How often families of one kind were named.

    does: what they do; named: how often one was; chances: families times stories; error: the standard error
    of the rate over studies, whose stories share networks.
    """

    does: str
    named: int
    chances: int
    stories: int
    studies: int
    error: float

    @property
    def rate(self) -> float:
        """The share of stories in which a family of this kind is named."""
        return self.named / self.chances


def world(study: int, rows: int = ROWS) -> Dataset:
    """A table of eight families of two columns, of which the columns of three decide the label.

    What the other families say of the label is said by these columns too, so they add nothing.
    """
    draws = generator(study, SIMULATION)
    base = draws.normal(size=(rows, len(DOES)))
    base[:, 3:5] = 0.8 * base[:, :2] + 0.6 * base[:, 3:5]
    X = np.repeat(base, 2, axis=1) + 0.3 * draws.normal(size=(rows, 2 * len(DOES)))
    y = draws.random(rows) < expit(STEEP / 2 * X[:, :6].sum(axis=1))
    names = tuple(f"f{place // 2} {place % 2}" for place in range(2 * len(DOES)))
    families = tuple(f"f{place // 2}" for place in range(2 * len(DOES)))
    return Dataset("simulated", X, y.astype(np.int8), np.arange(rows), names, families, ("no", "yes"))


def explanations(data: Dataset, seeds: int = SEEDS, divisions: int = DIVISIONS) -> Iterator[Explanation]:
    """That of every validation and test case which some of the networks calls wrong.

    data: of `world`; seeds: networks on its division; divisions: fresh ones, with a network each.
    """
    settings = read({})
    problem = load_problem(settings, data, split(data))
    replicas = problem.fit(RECIPE, range(seeds))
    redrawn = [
        _division(load_problem(settings, data, split(data, seed=seed)), seed) for seed in range(divisions)
    ]
    judge = judge_of(problem.task, problem.parts.train.y)
    explainer = Explainer(problem, judge, replicas, redrawn)
    parts = problem.parts
    rows = np.concatenate([parts.val_rows, parts.test_rows])
    logits = problem.backend.logits(replicas.fit.layers, parts.scaled(data.X[rows]))
    for row in rows[judge.wrong(logits, data.y[rows]).any(axis=0)]:
        yield explainer.explanation(int(row))


def _division(problem: Problem, seed: int) -> Resplit:
    parts, fit = problem.parts, problem.fit(RECIPE, [seed]).fit
    winner = Trained(fit.layers, parts.train_rows, parts.mean, parts.scale)
    return Resplit(seed, np.empty(0), 0.0, {}, winner)


def measure(studies: int, tick: Callable[[], object] = lambda: None) -> list[Naming]:
    """The rates of every kind of family in so many studies. tick: called after each."""
    kinds = tuple(dict.fromkeys(DOES))
    named, stories = np.zeros((studies, len(kinds)), dtype=int), np.zeros(studies, dtype=int)
    for study in range(studies):
        for explanation in explanations(world(study)):
            stories[study] += 1
            for family in explanation.named:
                named[study, kinds.index(DOES[int(family[1:])])] += 1
        tick()
    return [_naming(kind, named[:, place], stories) for place, kind in enumerate(kinds)]


def _naming(kind: str, named: Array, stories: Array) -> Naming:
    chances = DOES.count(kind) * stories
    rate, n = named.sum() / chances.sum(), len(stories)
    error = np.sqrt(np.square(named - rate * chances).sum() * n / (n - 1)) / chances.sum()
    return Naming(kind, int(named.sum()), int(chances.sum()), int(stories.sum()), n, float(error))


@cache
def shipped() -> dict[str, Naming]:
    """The rows of the table beside this file, by what the families do."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = [(cells.pop("does"), cells.pop("error"), cells) for cells in csv.DictReader(lines)]
    return {
        does: Naming(does, error=float(error), **{name: int(count) for name, count in counts.items()})
        for does, error, counts in rows
    }


def told() -> str:
    """What was measured, in a sentence."""
    decides, goes, nothing = (shipped()[does] for does in dict.fromkeys(DOES))
    return (
        f"In {nothing.stories} stories of {nothing.studies} simulated studies a family that does nothing was"
        f" named in {nothing.rate:.1%}, one that does nothing but correlates with a family that decides the"
        f" label (.73 between columns) in {goes.rate:.1%}, one that decides it in {decides.rate:.1%}: the"
        " networks also use what goes with a cause."
    )


def as_csv(rows: Sequence[Naming]) -> str:
    """The table, the names of its columns first."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(Naming._fields)
    lines.writerows([*row[:-1], f"{row.error:.4f}"] for row in rows)
    return text.getvalue()
