"""How far another split and another seed move scores, and how much of that is only which cases are asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handnet.bands.variance import Component, Deviation, asked_deviation, summed_deviation, variance_table
from handnet.data import Array
from handnet.draws import Seed
from handnet.scores import grade, right
from handnet.study.division import Resplit
from handnet.tasks import Task


@dataclass(frozen=True)
class Moved:
    """Standard deviations of a score over fresh divisions: of accuracy, or of the RMSE of a number.

    split: of the mean over all seeds, from one division to the next; seed: of a network from its division's
    mean over all seeds; asked: what the choice of test cases alone makes of the first, None of a number and
    where cases belong to groups; divisions, seeds: how many.
    """

    score: str
    split: Deviation
    seed: Deviation
    asked: float | None
    divisions: int
    seeds: int


def moved(
    task: Task, divisions: Sequence[Resplit], cases: int, grouped: bool, stratified: bool
) -> Moved | None:
    """How far the winner's accuracy moves; None without two divisions and two seeds sound on all of them.

    cases: how many the table has; grouped: whether some belong together; stratified: whether each test has as
    many of each class."""
    if len(divisions) < 2:
        return None
    name = "accuracy" if task.classes else "rmse"
    scores = np.array([task.grade(one.logits["winner"], one.y)[name] for one in divisions])  # (K, R)
    sound = np.isfinite(scores).all(axis=0)
    if sound.sum() < 2:
        return None
    split, seed = np.indices(scores[:, sound].shape)
    factors, values = {"split": split.ravel(), "seed": seed.ravel()}, scores[:, sound].ravel()
    asked = None
    if task.classes and not grouped:
        missed = [1 - right(one.logits["winner"][sound], one.y).mean(axis=0) for one in divisions]
        strata = [one.y if stratified else np.zeros_like(one.y) for one in divisions]
        asked = asked_deviation(missed, strata, 1 - len(divisions[0].y) / cases)
    return Moved(
        name,
        summed_deviation(values, factors, ["split"]),
        summed_deviation(values, factors, ["seed", "split x seed"]),
        asked,
        len(divisions),
        int(sound.sum()),
    )


def variance(task: Task, held: Sequence[tuple[Array, Array]]) -> dict[str, tuple[Component, ...]]:
    """Split against seed, for the scores that the task names; seeds that diverged on any division are left
    out.

    held: for each division the outputs (R, n) or (R, n, k) of the same R seeds, and y (n,).
    """
    if len(held) < 2 or len(held[0][0]) < 2:
        return {}
    varied = {name: task.scores[name] for name in task.varied}
    scores = [grade(varied, outputs, y) for outputs, y in held]
    tables = {}
    for name in task.varied:
        grid = np.array([row[name] for row in scores])  # (K, R)
        sound = grid[:, np.isfinite(grid).all(axis=0)]
        if sound.shape[1] > 1:
            splits, seeds = np.indices(sound.shape)
            tables[name] = variance_table(sound.ravel(), {"split": splits.ravel(), "seed": seeds.ravel()})
    return tables


def stream_variance(
    task: Task, logits: Array, y: Array, seeds: Sequence[tuple[int, int, int]]
) -> dict[str, tuple[Component, ...]]:
    """Variance of the same scores over the three streams; empty if a network diverged.

    logits: outputs (R, n) or (R, n, k); y: (n,); seeds: R triples of one seed for each stream.
    """
    if not np.isfinite(logits).all():
        return {}
    streams = dict(zip(Seed._fields, np.array(seeds).T, strict=True))
    scores = task.grade(logits, y)
    return {name: variance_table(scores[name], streams) for name in task.varied}
