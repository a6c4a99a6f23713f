"""How far another split and another seed move the winner's accuracy, and how much of the first is only which
cases are asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handnet.bands.variance import Deviation, asked_deviation, summed_deviation
from handnet.scores import right
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
