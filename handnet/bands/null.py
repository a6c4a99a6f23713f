"""How often rules find a difference that is not there: overlapping divisions under a null that is exact.

A table has 2 m measured columns in two halves of one law (null_tables.py), so exchanging the halves leaves
the law of the table as it is. One method learns from the first half and the same method from the second, on
the same divisions of the same rows: whatever the score, the expected difference is 0 by symmetry, and every
difference that a rule finds is a false alarm.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from handnet.bands.compare import ALPHA, nadeau_bengio_p, rope_chances, win_interval
from handnet.bands.null_tables import (
    Layout,
    discriminant,
    draw_divisions,
    draw_numbers,
    draw_table,
    labels,
    least_squares,
)
from handnet.data import Array
from handnet.draws import SIMULATION, Generator, bootstrap_counts, generator
from handnet.scores import grade
from handnet.tasks import Task, task_of

RULE = "nadeau-bengio"  # the one that may word a verdict
SCORES = {  # by task, of which the rates are measured
    "two classes": ("accuracy", "sensitivity", "specificity", "auc", "log_loss", "brier"),
    "many classes": ("accuracy", "balanced_accuracy", "macro_f1", "auc", "log_loss", "brier"),
    "a number": ("rmse", "mae", "r2"),
}
EQUAL = 0.01  # the width of the region of practical equivalence
BOOTSTRAPS = 1000


class FalseAlarms(NamedTuple):
    """How many of the simulated tables a rule found a difference in, on one score."""

    layout: Layout
    score: str
    rule: str
    tables: int
    found: int
    correlation: float  # of the differences of two divisions


def false_alarms(
    layout: Layout, tables: int, seed: int = 0, tick: Callable[[], object] = lambda: None
) -> Iterator[FalseAlarms]:
    """What every rule found at a level of .05 in `tables` simulated tables of this layout, score by score.

    tick: called after each table.
    """
    numbers, rows = generator(seed, SIMULATION), []
    for _ in range(tables):
        rows.append(differences(layout, numbers))
        tick()
    task = task_of(layout.classes)
    counts = bootstrap_counts(numbers, layout.divisions, BOOTSTRAPS)
    ratios = {RULE: layout.ratio, f"{RULE} (n_test / n_train)": layout.test / layout.train}
    for place, score in enumerate(SCORES[task.name]):
        d = np.array([row[place] for row in rows])  # (tables, J)
        correlation, equal = correlation_between(d), task.scale(score).region(EQUAL)
        for rule, found in significant(d, ratios, counts, equal).items():
            yield FalseAlarms(layout, score, rule, tables, int(found.sum()), correlation)


def correlation_between(d: Array) -> float:
    """The correlation between columns of d (tables, J), alike in law and with mean 0; NaN if all are 0."""
    squares, count = (d * d).sum(), d.shape[1]
    with np.errstate(invalid="ignore"):
        return float(((d.sum(axis=1) ** 2).sum() - squares) / ((count - 1) * squares))


def significant(d: Array, ratios: dict[str, float], counts: Array, equal: float) -> dict[str, Array]:
    """Whether each rule finds a difference in a row of d (tables, J), (tables,) bool by rule.

    ratios: of each corrected t test, by its name, the first also of rope; counts: (B, J) int, bootstrap
    samples of the divisions; equal: the width of the region of rope.
    """
    low, high = win_interval((np.sign(d) + 1) / 2, counts)
    worse, _, better = rope_chances(d, next(iter(ratios.values())), equal)
    return {
        **{rule: nadeau_bengio_p(d, ratio) < ALPHA for rule, ratio in ratios.items()},
        "rope": np.maximum(worse, better) > 1 - ALPHA / 2,
        "P(A > B)": (low > 0.5) | (high < 0.5),
        "uncorrected t": nadeau_bengio_p(d, 0.0) < ALPHA,
    }


def differences(layout: Layout, numbers: Generator) -> Array:
    """One table's differences between the halves, (scores, J), in the order of SCORES.

    Losses of a number are compared on the logarithm, as `Task.scale` has it.
    """
    task = task_of(layout.classes)
    of_half = (_scores_of_classes if layout.classes else _scores_of_numbers)(task, layout, numbers)
    scales = {name: task.scale(name) for name in SCORES[task.name]}
    ours, theirs = ({name: scale.values(half[name]) for name, scale in scales.items()} for half in of_half)
    return np.array([scales[name].sign * (ours[name] - theirs[name]) for name in scales])


def _scores_of_classes(task: Task, layout: Layout, numbers: Generator) -> list[dict[str, Array]]:
    """The scores (J,) of a discriminant on each half of a table of classes, by name."""
    y = labels(layout)
    halves = draw_table(y, layout.classes, numbers)
    train, test = draw_divisions(layout, numbers)
    scores, rows = {name: task.scores[name] for name in SCORES[task.name]}, np.arange(len(test))[:, None]
    return [grade(scores, discriminant(half, y, train)[rows, test], y[test[0]]) for half in halves]


def _scores_of_numbers(task: Task, layout: Layout, numbers: Generator) -> list[dict[str, Array]]:
    """The scores (J,) of least squares on each half of a table with a number, by name."""
    halves, y = draw_numbers(layout.rows, numbers)
    train, test = draw_divisions(layout, numbers)
    scores = {name: task.scores[name] for name in SCORES[task.name]}
    found = []
    for half in halves:
        guesses = np.take_along_axis(least_squares(half, y, train), test, axis=1)
        graded = [grade(scores, row[None], y[rows]) for row, rows in zip(guesses, test, strict=True)]
        found.append({name: np.concatenate([row[name] for row in graded]) for name in scores})
    return found
