"""The methods without a seed that a network has to beat.

Each is tuned on the validation rows that the search chose the network on, so that the comparison is fair.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import ThreadpoolController

from handnet.data import Array, Table
from handnet.models.trees import TREES, Trees, boosting_of
from handnet.tasks import Task

LOGISTIC, RIDGE = "logistic regression", "ridge regression"  # of classes; of a number
BOOSTING = "gradient boosting"
MAJORITY, MEAN = "majority class", "train mean"  # of classes; of a number
UNTUNED = 1.0  # scikit-learn's default
# C, from the strongest penalty to the weakest. Ridge regression has the penalty alpha = 1 / C: with the loss
# (guess - truth)^2 / 2 its objective is then the same.
STRENGTHS = (0.001, 0.01, 0.1, UNTUNED, 10.0, 100.0, 1000.0)
FAR = 80.0  # how far below the largest logit a class lies that no train row has


@dataclass(frozen=True)
class Rival:
    """A deterministic method a network has to beat: no seed, so no band over seeds.

    tuned: what was chosen for it, on which rows; chosen: what came out; outputs: of scaled rows (n, inputs)
    what a network would give, the log odds (n,) of class 1, logits (n, k) of k classes or guesses (n,) in the
    target's own unit.
    """

    role: str
    tuned: str
    chosen: str
    outputs: Callable[[Array], Array]


def rivals(task: Task, train: Table, val: Table, boosting: int) -> list[Rival]:
    """The methods of `roles`, fitted to the weighted train rows.

    Logistic and ridge regression have the L2 penalty of STRENGTHS with the lowest loss of the task on the
    validation rows, each of which counts once. The rounds of gradient boosting, and one of the first
    `boosting` configurations of TREES, are chosen alike; 0 leaves it out. The last knows only the share of
    each class in the train rows, or their mean. A method that cannot be fitted to these rows is left out.
    """
    makers: list[Callable[[], Rival | None]] = [partial(_linear_rival, task, train, val)]
    makers += [partial(_boosted, task, train, val, TREES[:boosting])] if boosting else []
    makers += [partial(_constant, task, train)]
    return [rival for make in makers if (rival := _made(make)) is not None]


def roles(task: Task, boosting: int) -> tuple[str, ...]:
    """The rivals there should be, the first to beat before the others."""
    last = MAJORITY if task.classes else MEAN
    return (baseline(task), BOOSTING, last) if boosting else (baseline(task), last)


def baseline(task: Task) -> str:
    """What a network has to beat first."""
    return LOGISTIC if task.classes else RIDGE


def identity(boosting: int) -> list[Any]:
    """All that decides what the rivals are, beside the task and the rows."""
    return [list(STRENGTHS), [list(trees) for trees in TREES[:boosting]]]


def untuned_outputs(task: Task, train: Table, X: Array) -> Array | None:
    """The outputs, as in `Rival`, of the first rival as scikit-learn has it; None where it cannot be fitted.

    X: (n, inputs)."""
    try:
        outputs = _linear(task, train, UNTUNED)(X)
    except ValueError:
        return None
    return outputs if np.isfinite(outputs).all() else None


def penalty(task: Task, strength: float) -> str:
    """The penalty of the first rival, for a reader."""
    return f"C = {strength:g}" if task.classes else f"alpha = {1 / strength:g}"


def _made(make: Callable[[], Rival | None]) -> Rival | None:
    """The rival; None where scikit-learn refuses the rows, or makes nothing finite of them."""
    try:
        return make()
    except ValueError:
        return None


def _linear_rival(task: Task, train: Table, val: Table) -> Rival | None:
    models = [_linear(task, train, strength) for strength in STRENGTHS]
    losses = _losses(task, (outputs(val.X) for outputs in models), val)
    best = int(np.argmin(losses))
    if not np.isfinite(losses[best]):
        return None
    tuned = f"{'C' if task.classes else 'alpha'} chosen on the validation rows, of {len(STRENGTHS)}"
    return Rival(baseline(task), tuned, penalty(task, STRENGTHS[best]), models[best])


def _linear(task: Task, train: Table, strength: float) -> Callable[[Array], Array]:
    """The outputs of logistic or ridge regression."""
    if not task.classes:
        return Ridge(1 / strength).fit(*train).predict
    # With scikit-learn's own tolerance the fit of many classes stops long before a weak penalty is reached.
    tolerance = 1e-4 if task.classes == 2 else 1e-8
    model = LogisticRegression(C=strength, max_iter=10_000, tol=tolerance).fit(*train)
    return lambda X: _by_class(task, model.classes_, model.decision_function(X))


def _boosted(task: Task, train: Table, val: Table, tried: tuple[Trees, ...]) -> Rival | None:
    with _one_thread():
        models = [_fitted(task, train, trees) for trees in tried]
        staged = [_losses(task, _stages(task, model, val.X), val) for model in models]
    best = int(np.argmin([losses.min() for losses in staged]))
    rounds = int(np.argmin(staged[best])) + 1
    if not np.isfinite(staged[best][rounds - 1]):
        return None
    among = f" and 1 of {len(tried)} configurations" if len(tried) > 1 else ""
    tuned = f"rounds{among} chosen on the validation rows"
    outputs = partial(_after, rounds, task, models[best])
    return Rival(BOOSTING, tuned, f"{rounds} rounds, {tried[best]}", outputs)


def _fitted(task: Task, train: Table, trees: Trees) -> Any:
    """All of its rounds: which of them count is chosen afterwards."""
    return boosting_of(task, trees).fit(train.X, train.y, train.weight)


def _stages(task: Task, model: Any, X: Array) -> Iterator[Array]:
    """The outputs after each round."""
    if not task.classes:
        return iter(model.staged_predict(X))
    return (_by_class(task, model.classes_, outputs) for outputs in model.staged_decision_function(X))


def _after(rounds: int, task: Task, model: Any, X: Array) -> Array:
    """The outputs after so many rounds."""
    with _one_thread():
        return next(islice(_stages(task, model, X), rounds - 1, None))


def _constant(task: Task, train: Table) -> Rival:
    """The share of each class in the train rows, or their mean, whatever the case."""
    if task.classes:
        classes, counts = np.unique(train.y, return_counts=True)
        logs = np.log(counts / len(train.y))
        one = _by_class(task, classes, logs[1:] - logs[:-1] if task.classes == 2 else logs[None])
    else:
        one = np.mean(train.y, keepdims=True)
    role = MAJORITY if task.classes else MEAN
    return Rival(role, "nothing to tune", "", lambda X: np.repeat(one, len(X), axis=0))


def _by_class(task: Task, classes: Array, outputs: Array) -> Array:
    """Outputs (n, k) of all k classes, of which those that no train row has come last; two classes have (n,).

    classes: (c,) those of the train rows; outputs: (n, c), or the log odds (n,) of the second of two.
    """
    if task.classes == 2 or outputs.shape[1:] == (task.classes,):
        return np.asarray(outputs)
    if outputs.ndim == 1:
        outputs = np.column_stack([np.zeros_like(outputs), outputs])
    every = np.repeat(outputs.max(axis=1, keepdims=True) - FAR, task.classes, axis=1)
    every[:, classes] = outputs
    return every


def _losses(task: Task, outputs: Iterable[Array], val: Table) -> Array:
    """(m,) the mean loss of each of m outputs on the validation rows; infinite where it is not finite."""
    losses = np.array([task.case_losses(one[None], val.y).mean() for one in outputs])
    return np.where(np.isfinite(losses), losses, np.inf)


def _one_thread() -> AbstractContextManager[Any]:
    """OpenMP on one thread: small trees grow quicker so, and a sum over several may have other bits."""
    return _pools().limit(limits=1, user_api="openmp")


@lru_cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()
