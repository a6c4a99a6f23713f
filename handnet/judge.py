"""When a case is called wrong, and what is shared out to explain the call, for each task.

Outputs are (R, n) or, of many classes, (R, n, k); guesses are in the unit of the target.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, softmax
from scipy.stats import entropy

from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.scores import called, right
from handnet.tasks import Task

ROUNDING = 1e-4  # a smaller credit may be the rounding of sums that should be 0: no family does so little
TOLERANCE = 0.5  # standard deviations of the train target by which a guess may be off, unless a setting tells


@dataclass(frozen=True)
class Question:
    """What is asked of one case: why do networks call it as they do?

    credited: the name of the number that the families share: "logit", "margin" or "guess"; value: outputs
    (R, m) or (R, m, k) -> that number (R, m); right: outputs -> (R, m) bool, whether the case would be called
    right; towards: 1 where a wrong call lies above, -1 where it lies below, 0 where it lies on both sides;
    start: the class of the train cases that the credits start from, None for all train cases; instead: the
    class that it is called, or most nearly called, in place of its own, None for a number; least: credits
    that are not larger may be rounding.
    """

    credited: str
    value: Callable[[Array], Array]
    right: Callable[[Array], Array]
    towards: int
    start: int | None = None
    instead: int | None = None
    least: float = ROUNDING


class _Classes:
    """What two classes and many have in common; Number has the same methods."""

    classes: int
    tolerance: ClassVar[float | None] = None  # by which a guess may be off
    deviation: ClassVar[float | None] = None  # of the train target
    order: ClassVar[tuple[str, ...]] = ("misses",)  # of the columns whose largest, in size, come first

    def wrong(self, outputs: Array, y: Array) -> Array:
        """(R, n) bool: which replicas are wrong about which cases. y: (n,)."""
        return ~right(outputs, y)

    def counts(self, outputs: Array) -> Array:
        """(k, n) how many replicas call each case of each class."""
        calls = called(outputs)
        return np.stack([(calls == label).sum(axis=0) for label in range(self.classes)])

    def alike(self, outputs: Array) -> Array:
        """(n,) the chance that two of the R replicas, drawn without replacement, call a case alike:
        1 - sum B_k (B - B_k) / (B (B - 1)), of B_k calls of class k among B (Cooper et al. 2024)."""
        counts, seeds = self.counts(outputs), len(outputs)
        return np.asarray(1 - (counts * (seeds - counts)).sum(axis=0) / (seeds * (seeds - 1)))

    def truth(self, y: Array) -> dict[str, Array]:
        """The truth about each case as a named column (n,)."""
        return {"class": y.astype(int)}


@dataclass(frozen=True)
class TwoClasses(_Classes):
    """A case is wrong where its logit lies on the other side of 0. Credits share the logit of class 1, from
    the mean train case of class 0."""

    task: ClassVar[str] = "two classes"
    classes: ClassVar[int] = 2  # type: ignore[misc]  # a variable of each ManyClasses

    def columns(self, outputs: Array, _y: Array) -> dict[str, Array]:
        """What else a table says of each case, as named columns (n,).

        score: the probability of class 1, its median and quantiles over seeds. outputs: in float64.
        """
        return _over_seeds("score", expit(outputs))

    def question(self, _outputs: Array, truth: Any) -> Question:
        """What is asked of one case. outputs: (R,) or of many classes (R, k), its own; truth: of y."""
        label = int(truth)

        def called_right(logits: Array) -> Array:
            return right(logits, np.array(label))

        return Question("logit", _itself, called_right, -1 if label else 1, start=0, instead=1 - label)


@dataclass(frozen=True)
class ManyClasses(_Classes):
    """A case is wrong where another class than its own has the highest logit.

    Credits share the margin, the logit of the class that it is most often called in place of its own minus
    the logit of its own, from the mean train case of its own class. Where no replica is wrong, it is the
    class with the highest mean probability beside its own.
    """

    classes: int
    task: ClassVar[str] = "many classes"

    def columns(self, outputs: Array, y: Array) -> dict[str, Array]:
        """As of two classes, (n,) each.

        wrong_class: the most frequent wrong class, -1 without any; wrong_calls: how many replicas call it;
        entropy: of the calls, in bits; score: the probability of its own class, median and quantiles.
        """
        counts, cases = self.counts(outputs), np.arange(len(y))
        others = counts.copy()
        others[y, cases] = 0
        calls = others.max(axis=0)
        return {
            "wrong_class": np.where(calls > 0, others.argmax(axis=0), -1),
            "wrong_calls": calls,
            "entropy": entropy(counts, base=2, axis=0),
            **_over_seeds("score", softmax(outputs, axis=-1)[:, cases, y]),
        }

    def question(self, outputs: Array, truth: Any) -> Question:
        """As of two classes. outputs: (R, k)."""
        own = int(truth)
        calls = np.bincount(called(outputs[:, None])[:, 0], minlength=self.classes).astype(np.float64)
        calls[own] = 0
        weights = calls if calls.any() else softmax(outputs.astype(np.float64), axis=-1).mean(axis=0)
        weights[own] = -1
        instead = int(weights.argmax())

        def margin(logits: Array) -> Array:
            # In float64, as a difference of two logits in float32 would be rounded twice.
            return np.asarray(logits[..., instead].astype(np.float64) - logits[..., own])

        def called_right(logits: Array) -> Array:
            return right(logits, np.array(own))

        return Question("margin", margin, called_right, towards=1, start=own, instead=instead)


@dataclass(frozen=True)
class Number:
    """A case is wrong where the guess is off by more than a tolerance. Credits share the guess, from the mean
    train case. Both numbers are in the unit of the target.

    tolerance: above 0; deviation: the standard deviation of the train target.
    """

    tolerance: float
    deviation: float
    task: ClassVar[str] = "a number"
    order: ClassVar[tuple[str, ...]] = ("misses", "residual_mean")

    def wrong(self, outputs: Array, y: Array) -> Array:
        """(R, n) bool: which replicas are wrong about which cases. y: (n,)."""
        return np.asarray(np.abs(outputs - y) > self.tolerance)

    def alike(self, outputs: Array) -> Array:
        """(n,) the share of pairs of replicas whose guesses are no further apart than the tolerance."""
        guesses, seeds = np.sort(outputs, axis=0), len(outputs)
        within = [
            np.searchsorted(column, column + self.tolerance, "right").sum() - seeds * (seeds + 1) // 2
            for column in guesses.T
        ]
        return 2 * np.array(within, dtype=np.float64) / (seeds * (seeds - 1))

    def truth(self, y: Array) -> dict[str, Array]:
        """The truth about each case as a named column (n,)."""
        return {"target": y.astype(np.float64)}

    def columns(self, outputs: Array, y: Array) -> dict[str, Array]:
        """As of classes, (n,) each.

        residual: guess - truth, its mean and standard deviation over seeds; guess: its median and quantiles.
        """
        off = outputs - y
        residuals = {"residual_mean": off.mean(axis=0), "residual_sd": off.std(axis=0, ddof=1)}
        return residuals | _over_seeds("guess", outputs)

    def question(self, outputs: Array, truth: Any) -> Question:
        """As of classes. outputs: (R,)."""
        off = outputs - truth
        towards = int(np.sign(np.sign(off[np.abs(off) > self.tolerance]).sum()))

        def near(guesses: Array) -> Array:
            return np.asarray(np.abs(guesses - truth) <= self.tolerance)

        return Question("guess", _itself, near, towards, least=ROUNDING * self.deviation)


Judge = TwoClasses | ManyClasses | Number


def judge_of(task: Task, y_train: Array, tolerance: float = 0.0) -> Judge:
    """The judge of a task.

    y_train: (n,) the train targets, in their own unit; tolerance: of a number, 0 for half of their standard
    deviation.
    """
    if task.classes == 2:
        return TwoClasses()
    if task.classes:
        return ManyClasses(task.classes)
    deviation = float(np.std(y_train))
    return Number(tolerance or TOLERANCE * deviation, deviation)


def _itself(outputs: Array) -> Array:
    return outputs


def _over_seeds(name: str, values: Array) -> dict[str, Array]:
    """Median and quantiles of values (R, n) over the replicas, as columns (n,)."""
    low, median, high = np.quantile(values, [LOW, 0.5, HIGH], axis=0)
    return {f"{name}_median": median, f"{name}_low": low, f"{name}_high": high}
