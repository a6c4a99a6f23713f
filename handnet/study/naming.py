"""How often the story of a case names a measurement that does nothing, in worlds where it is known which do.

naming.csv, beside this file, has what simulated studies gave: 200 of two classes, 50 of each other task. This
remakes it, in a quarter of an hour:

    python -c "from handnet.study.naming import *; print(as_csv(remade()), end='')" > naming.csv
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from handnet.contract import Recipe
from handnet.data import Array, Dataset
from handnet.draws import SIMULATION, Generator, generator
from handnet.explain import Explanation
from handnet.judge import judge_of
from handnet.report.explainer import Explainer
from handnet.splits import split
from handnet.study.division import Resplit, Trained
from handnet.study.reading import read
from handnet.study.units import Problem, load_problem

TABLE = Path(__file__).with_name("naming.csv")
ROWS, SEEDS, DIVISIONS = 569, 20, 29
RECIPE = Recipe(epochs=40)
# Families by what they do: they decide the label, they go with one that does (correlation .8), or neither.
DOES = ("decides",) * 3 + ("goes with one",) * 2 + ("does nothing",) * 3
STEEP = 4.0  # of the label's logit in the sum of what decides: some 94 of 100 labels follow its sign
NOISE = 0.5  # of a number, whose share that can be learnt has a deviation of 1.8
STUDIES = {"two classes": 200, "many classes": 50, "a number": 50}


class Naming(NamedTuple):
    """How often families of one kind were named.

    task: what was learnt; does: what the families do; named: how often one was; chances: families times
    stories; error: the standard error of the rate over studies, whose stories share networks.
    """

    task: str
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


def world(study: int, task: str = "two classes", rows: int = ROWS) -> Dataset:
    """A table of eight families of two columns, of which the columns of three decide the target.

    What the other families say of the target is said by these columns too, so they add nothing. Two classes
    and a number hang on the sum of the three, and each of many classes on a family of its own.
    """
    draws = generator(study, SIMULATION)
    base = draws.normal(size=(rows, len(DOES)))
    base[:, 3:5] = 0.8 * base[:, :2] + 0.6 * base[:, 3:5]
    X = np.repeat(base, 2, axis=1) + 0.3 * draws.normal(size=(rows, 2 * len(DOES)))
    target = TARGETS[task](X[:, :6].reshape(rows, 3, 2).sum(axis=2) / 2, draws)
    names = tuple(f"f{place // 2} {place % 2}" for place in range(2 * len(DOES)))
    families = tuple(f"f{place // 2}" for place in range(2 * len(DOES)))
    ids, classes = np.arange(rows), CLASSES[task]
    return Dataset("simulated", X, target, ids, names, families, classes, target="" if classes else "target")


def _two(deciding: Array, draws: Generator) -> Array:
    return (draws.random(len(deciding)) < expit(STEEP * deciding.sum(axis=1))).astype(np.int8)


def _many(deciding: Array, draws: Generator) -> Array:
    return np.argmax(STEEP * deciding + draws.gumbel(size=deciding.shape), axis=1).astype(np.int8)


def _number(deciding: Array, draws: Generator) -> Array:
    return np.asarray(deciding.sum(axis=1) + NOISE * draws.normal(size=len(deciding)))


# (rows, 3) means of the families that decide -> the target (rows,)
TARGETS = {"two classes": _two, "many classes": _many, "a number": _number}
CLASSES = {"two classes": ("no", "yes"), "many classes": ("one", "two", "three"), "a number": ()}


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
    outputs = problem.outputs(replicas.fit.layers, parts.scaled(data.X[rows]))
    for row in rows[judge.wrong(outputs, data.y[rows]).any(axis=0)]:
        yield explainer.explanation(int(row))


def _division(problem: Problem, seed: int) -> Resplit:
    parts, fit = problem.parts, problem.fit(RECIPE, [seed]).fit
    winner = Trained(fit.layers, parts.train_rows, parts.mean, parts.scale)
    return Resplit(seed, np.empty(0), 0.0, {}, winner)


def measure(
    studies: int, tick: Callable[[], object] = lambda: None, task: str = "two classes"
) -> list[Naming]:
    """The rates of every kind of family in so many studies of a task. tick: called after each."""
    kinds = tuple(dict.fromkeys(DOES))
    named, stories = np.zeros((studies, len(kinds)), dtype=int), np.zeros(studies, dtype=int)
    for study in range(studies):
        for explanation in explanations(world(study, task)):
            stories[study] += 1
            for family in explanation.named:
                named[study, kinds.index(DOES[int(family[1:])])] += 1
        tick()
    return [_naming(task, kind, named[:, place], stories) for place, kind in enumerate(kinds)]


def remade() -> list[Naming]:
    """The rows of the table beside this file, measured anew."""
    return [row for task, studies in STUDIES.items() for row in measure(studies, task=task)]


def _naming(task: str, kind: str, named: Array, stories: Array) -> Naming:
    chances = DOES.count(kind) * stories
    rate, n = named.sum() / chances.sum(), len(stories)
    error = np.sqrt(np.square(named - rate * chances).sum() * n / (n - 1)) / chances.sum()
    return Naming(task, kind, int(named.sum()), int(chances.sum()), int(stories.sum()), n, float(error))


@cache
def shipped() -> tuple[Naming, ...]:
    """The rows of the table beside this file."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Naming(task, does, int(named), int(chances), int(stories), int(studies), float(error))
            for task, does, named, chances, stories, studies, error in islice(csv.reader(lines), 1, None)
        )


def shipped_of(task: str) -> dict[str, Naming]:
    """Those of a task, by what the families do."""
    return {row.does: row for row in shipped() if row.task == task}


def told(task: str) -> str:
    """What was measured of a task, in a sentence."""
    found = shipped_of(task)
    decides, goes, nothing = (found[does] for does in dict.fromkeys(DOES))
    label = "label" if CLASSES[task] else "target"
    return (
        f"In {nothing.stories} stories of {nothing.studies} simulated studies a family that does nothing was"
        f" named in {nothing.rate:.1%}, one that does nothing but correlates with a family that decides the"
        f" {label} (.73 between columns) in {goes.rate:.1%}, one that decides it in {decides.rate:.1%}: the"
        " networks also use what goes with a cause."
    )


def as_csv(rows: Sequence[Naming]) -> str:
    """The table, the names of its columns first."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(Naming._fields)
    lines.writerows([*row[:-1], f"{row.error:.4f}"] for row in rows)
    return text.getvalue()
