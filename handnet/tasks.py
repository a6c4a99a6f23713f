"""What is learnt: to tell two classes apart, to tell many apart, or to guess a number.

A Task says how many outputs a network has, what it is trained on, which scores it has and which of them
decides. Everything else of the project asks it, and none of it lists tasks or scores of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from handnet.class_scores import TWO_CLASSES, many_classes
from handnet.data import Array
from handnet.number_scores import NUMBER
from handnet.scores import Mean, Score, Share, grade


class Scale(NamedTuple):
    """How values of a score are compared: as they are, or on the logarithm, always so that higher is better.

    unit: of a difference, "points" of shares of cases, "nats" of log loss, "per cent" on the logarithm, ""
    of any other score; sign: 1 where higher is better, -1 where lower is; widest: the largest difference.
    """

    unit: str
    sign: float
    widest: float

    def values(self, scores: Array) -> Array:
        """Scores (...,) as they are compared, (...,). On the logarithm 0 becomes infinite."""
        if self.unit == "per cent":
            with np.errstate(divide="ignore"):
                scores = np.log(scores)
        return np.asarray(self.sign * scores)

    def region(self, equal: float) -> float:
        """The largest difference that counts as equal. equal: .01 for a point, a per cent or a hundredth."""
        return float(np.log1p(equal)) if self.unit == "per cent" else equal


@dataclass(frozen=True)
class Task:
    """What is learnt, and how it is judged.

    classes: how many there are, 0 for a number; deciding: the score that decides unless the settings name
    another; trained_on: the score that is the mean loss of training, by which the search ranks; compared: the
    scores on which methods are compared, beside the deciding one; varied: those whose spread over divisions,
    seeds and streams is taken apart.
    """

    name: str
    classes: int
    all_scores: tuple[Score, ...]
    deciding: str
    trained_on: str
    compared: tuple[str, ...]
    varied: tuple[str, ...]

    @cached_property
    def scores(self) -> Mapping[str, Score]:
        """The main scores, by name: those that everything is graded by."""
        return {score.name: score for score in self.all_scores if score.main}

    @cached_property
    def every(self) -> Mapping[str, Score]:
        """All scores, by name, the main ones first."""
        return {**self.scores, **self.details}

    @cached_property
    def details(self) -> Mapping[str, Score]:
        """The others, by name: they are told once, of the last rows that are graded."""
        return {score.name: score for score in self.all_scores if not score.main}

    @property
    def may_decide(self) -> list[str]:
        """The names of the scores that a verdict may rest on: those that are better in one direction."""
        signed = {score.name for score in self.all_scores if isinstance(score, Mean) and score.signed}
        return [name for name in self.scores if name not in {*signed, "skill"}]

    @property
    def headline(self) -> tuple[str, str]:
        """The two scores that runs are compared by: the loss of training, and the one that is read first."""
        return self.trained_on, self.deciding

    @property
    def simulated(self) -> tuple[str, ...]:
        """The shares and losses whose bands are simulated anew for each study."""
        if self.classes == 2:
            return ("accuracy", "sensitivity", "specificity", "log_loss", "brier")
        return ("accuracy", "log_loss", "brier") if self.classes else ("mse", "mae")

    @property
    def outputs(self) -> int:
        """How many outputs a network has."""
        return self.classes if self.classes > 2 else 1

    @property
    def loss(self) -> str:
        """The loss that a Recipe names."""
        return "log_loss" if self.classes else "squared_error"

    def scale(self, name: str) -> Scale:
        """How two methods are compared on a score.

        The losses of a number are in the target's own unit, which tells nothing of their size; so what is
        compared is their ratio.
        """
        score = self.every[name]
        sign = 1.0 if score.higher else -1.0
        if not self.classes and not score.higher and score.least == 0:
            return Scale("per cent", sign, np.inf)
        unit = "points" if isinstance(score, Share) else "nats" if name == "log_loss" else ""
        return Scale(unit, sign, score.most - score.least)

    def grade(self, outputs: Array, y: Array, scores: Mapping[str, Score] | None = None) -> dict[str, Array]:
        """Each of these scores of R replicas on n cases, by default the main ones, (R,), by name.

        It is NaN for a replica that is not finite. outputs: (R, n) or (R, n, k); y: (n,). Raises ValueError
        when the shapes do not fit or a class is missing.
        """
        present = len(np.unique(y)) if self.classes else 0
        if present < self.classes:
            raise ValueError(f"all {self.classes} classes must be among the cases, but {present} are.")
        return grade(self.scores if scores is None else scores, outputs, y)

    def mean_loss(self, outputs: Array, y: Array) -> Array:
        """The mean of that loss over the cases, (R,), NaN for a replica that is not finite."""
        return grade({"": self.scores[self.trained_on]}, outputs, y)[""]

    def case_losses(self, outputs: Array, y: Array) -> Array:
        """The loss (R, n) of each case that training lowers the mean of. outputs, y: as in `grade`."""
        return self.scores[self.trained_on].values(outputs, y)  # type: ignore[union-attr]  # it is a Mean


@lru_cache
def task_of(classes: int) -> Task:
    """The task of a table with so many classes, 0 for a number. Raises ValueError for one that has none."""
    if classes == 2:
        return Task(
            "two classes",
            2,
            TWO_CLASSES,
            deciding="accuracy",
            trained_on="log_loss",
            compared=("accuracy", "sensitivity", "specificity", "auc", "log_loss"),
            varied=("accuracy", "log_loss"),
        )
    if 3 <= classes <= 50:
        return Task(
            "many classes",
            classes,
            many_classes(classes),
            deciding="accuracy",
            trained_on="log_loss",
            compared=("accuracy", "balanced_accuracy", "macro_f1", "auc", "log_loss"),
            varied=("accuracy", "log_loss"),
        )
    if classes == 0:
        return Task(
            "a number",
            0,
            NUMBER,
            deciding="rmse",
            trained_on="mse",
            compared=("rmse", "mae", "r2"),
            varied=("rmse", "mae"),
        )
    raise ValueError(
        f"a network here tells 2 to 50 classes apart or guesses a number, but the table has {classes}."
    )
