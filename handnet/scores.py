"""Every score, written once: what a case adds to it, and how outputs become one number per replica.

A Score is one of five kinds, and each kind has its own bands (handnet/bands/):

Share     the share of cases called right, of all cases or of those of a class
Mean      the mean of a number per case: a loss
Ratio     a smooth function of several means: balanced accuracy, F1, R2
Quantile  a quantile of a number per case: a median error
Whole     a statistic of all cases together: an area under a curve

Outputs are (R, n) or, of many classes, (R, n, k); y is (n,). All is computed in float64, and from logits, so
that nothing saturates. The scores of classes stand in class_scores.py, those of a number in number_scores.py,
and tasks.py says which scores a task has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from handnet.contract import Fit
from handnet.data import Array
from handnet.mlp.network import cross_entropy, log_loss

PerCase = Callable[[Array, Array], Array]  # outputs, y -> (R, n)


@dataclass(frozen=True)
class Share:
    """The share of cases that `right` holds for, among those that `counted` names."""

    name: str
    right: PerCase  # outputs, y -> (R, n) bool
    counted: Callable[[Array], Array]  # y -> (n,) bool
    higher: bool = True  # whether higher is better
    least: float = 0.0
    most: float = 1.0
    main: bool = True  # whether it stands in the main tables; the others are details

    def of(self, outputs: Array, y: Array) -> Array:
        """The score (R,) of each replica."""
        return np.asarray(self.right(outputs, y)[:, self.counted(y)].mean(axis=1))


@dataclass(frozen=True)
class Mean:
    """The mean of a number per case, a loss of at least 0 unless it is `signed`."""

    name: str
    values: PerCase
    higher: bool = False
    least: float = 0.0
    most: float = np.inf
    main: bool = True

    @property
    def signed(self) -> bool:
        """Whether it may be below 0: then 0 is best, and neither direction is better."""
        return self.least < 0

    def of(self, outputs: Array, y: Array) -> Array:
        """The score (R,) of each replica."""
        return np.asarray(self.values(outputs, y).mean(axis=1))


@dataclass(frozen=True)
class Ratio:
    """A smooth function of the means of M numbers per case.

    moments: outputs, y -> (M, R, n); function: means (M, ...) -> (...), analytic, so that its slopes can be
    taken by complex steps; base: the loss whose mean is the first moment, where the score is a monotone
    function of that loss for given y, and has its interval.
    """

    name: str
    moments: PerCase
    function: Callable[[Array], Array]
    higher: bool = True
    least: float = 0.0
    most: float = 1.0
    base: Mean | None = None
    main: bool = True

    def of(self, outputs: Array, y: Array) -> Array:
        """The score (R,) of each replica."""
        return np.asarray(self.function(self.moments(outputs, y).mean(axis=-1)))

    def slopes(self, means: Array) -> Array:
        """How fast the score moves with each mean, of the shape of the means (M, ...).

        They are taken by complex steps, which lose no digits (Squire & Trapp 1998).
        """
        step, steps = 1e-30, np.eye(len(means)).reshape(*(len(means),) * 2, *(1,) * (means.ndim - 1))
        return np.stack([np.imag(self.function(means + 1j * step * one)) / step for one in steps])

    def influence(self, outputs: Array, y: Array) -> Array:
        """How each case moves the score of each replica, (R, n), each row with the mean 0.

        sum over the M means of df/dm (v - m),    v the numbers of the case
        """
        moments = self.moments(outputs, y)
        means = moments.mean(axis=-1)
        moved = np.einsum("mr,mrn->rn", self.slopes(means), moments)
        return np.asarray(moved - moved.mean(axis=1, keepdims=True))

    def of_base(self, losses: Array, outputs: Array, y: Array) -> Array:
        """The score at means (...,) of the base loss, with the other moments as they are in these cases."""
        others = self.moments(outputs, y)[1:].mean(axis=(1, 2))
        return np.asarray(self.function(np.stack([losses, *(np.full_like(losses, one) for one in others)])))


@dataclass(frozen=True)
class OfCalls(Ratio):
    """A smooth function of the table of classes and calls.

    Its moments are three for each class, (3 k, R, n): whether a case is of it and called so, is called so, is
    of it. among: the cases (R, n) of which it is the share that is right, where the replica chooses them
    itself, as those that it calls positive.
    """

    among: PerCase | None = None


@dataclass(frozen=True)
class Quantile:
    """A quantile of a number per case."""

    name: str
    values: PerCase
    level: float = 0.5
    higher: bool = False
    least: float = 0.0
    most: float = np.inf
    main: bool = True

    def of(self, outputs: Array, y: Array) -> Array:
        """The score (R,) of each replica, between two cases as type 7 of Hyndman & Fan (1996) has it."""
        return np.asarray(np.quantile(self.values(outputs, y), self.level, axis=1))


@dataclass(frozen=True)
class Whole:
    """A statistic of all cases together.

    influence: outputs, y -> (R, n), how each case moves the statistic of each replica, each row with the mean
    0; None of the AUC of two classes, which has formulas of its own (handnet/bands/auc.py).
    """

    name: str
    statistic: PerCase  # outputs, y -> (R,)
    influence: PerCase | None = None
    higher: bool = True
    least: float = 0.0
    most: float = 1.0
    main: bool = True

    def of(self, outputs: Array, y: Array) -> Array:
        """The score (R,) of each replica."""
        return np.asarray(self.statistic(outputs, y))


Score = Share | Mean | Ratio | Quantile | Whole


def grade(scores: Mapping[str, Score], outputs: Array, y: Array) -> dict[str, Array]:
    """Each score of R replicas on n cases, (R,), by name; NaN for a replica with outputs that are not finite.

    outputs: (R, n) or (R, n, k); y: (n,). Raises ValueError when the shapes do not fit.
    """
    z, y = np.asarray(outputs, dtype=np.float64), np.asarray(y)
    if z.ndim not in (2, 3) or z.shape[1:2] != y.shape:
        raise ValueError(
            f"outputs must be (R, n) or (R, n, k) with n = {len(y)} cases, but their shape is {z.shape}."
        )
    finite = finite_replicas(z)
    z = np.where(_across(finite, z), z, 0)
    return {name: np.where(finite, score.of(z, y), np.nan) for name, score in scores.items()}


def finite_replicas(outputs: Array) -> Array:
    """(R,) bool: the replicas whose outputs (R, n) or (R, n, k) are all finite."""
    return np.asarray(np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim))))


def _across(replicas: Array, outputs: Array) -> Array:
    """One value per replica (R,), shaped to meet outputs (R, n) or (R, n, k)."""
    return replicas.reshape(-1, *(1,) * (outputs.ndim - 1))


# What is called: of two classes and of many


def called(outputs: Array) -> Array:
    """The class (R, n) that each replica calls each case.

    Of two classes 1 where the logit is above 0, of many the one with the highest logit, the first on a tie.
    """
    return outputs.argmax(axis=-1) if outputs.ndim == 3 else (outputs > 0).astype(np.int8)


def right(outputs: Array, y: Array) -> Array:
    """(R, n) bool: which calls are right. outputs: of classes; y: (n,) the classes."""
    return np.asarray(called(outputs) == y)


def case_losses(outputs: Array, y: Array) -> Array:
    """The negative log likelihood (R, n) of each case, in nats. outputs: logits; y: (n,) the classes."""
    return (cross_entropy if outputs.ndim == 3 else log_loss)(outputs, y)


def everyone(y: Array) -> Array:
    """(n,) bool: every case."""
    return np.ones(len(y), dtype=bool)


def of_class(label: int) -> Callable[[Array], Array]:
    """The cases of one class, as a mask (n,) made of y."""
    return lambda y: np.equal(y, label)


class Gap(NamedTuple):
    """Validation loss minus train loss of each replica, (R,), at the epoch whose weights it returned."""

    gap: Array  # val_loss - train_loss_off: dropout off in both
    gap_keras: Array  # val_loss - train_loss, as Keras's progress lines show them: dropout on in the second


def gap(fit: Fit) -> Gap:
    """Both gaps of a fit of R replicas, each (R,)."""
    losses = (fit.train_loss, fit.train_loss_off, fit.val_loss)
    train, train_off, val = (returned(curve, fit) for curve in losses)
    return Gap(val - train_off, val - train)


def returned(curve: Array, fit: Fit) -> Array:
    """(R,) the values of a curve (R, epochs) of a fit at the epochs whose weights it returned."""
    epochs = np.where(fit.best_epoch < 0, curve.shape[1] - 1, fit.best_epoch)
    return np.asarray(curve[np.arange(len(epochs)), epochs])
