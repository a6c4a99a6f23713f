"""The methods without a seed that a network has to beat.

Each is tuned on the validation rows that the search chose the network on, so that the comparison is fair.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import ThreadpoolController

from handnet.data import Array, Table
from handnet.scores import case_losses

BASELINE = "logistic regression"  # what a network has to beat first
BOOSTING = "gradient boosting"
MAJORITY = "majority class"
UNTUNED = 1.0  # C of scikit-learn's default
STRENGTHS = (0.001, 0.01, 0.1, UNTUNED, 10.0, 100.0, 1000.0)  # C, from the strongest penalty to the weakest


class Trees(NamedTuple):
    """A configuration of gradient boosting; how many of its rounds count is chosen on the validation rows."""

    learning_rate: float
    rounds: int  # at most
    depth: int | None  # None: only the number of leaves, 31, is bounded
    leaf: int  # train rows in a leaf, at least
    l2: float = 0.0

    def __str__(self) -> str:
        depth = "31 leaves" if self.depth is None else f"depth {self.depth}"
        penalty = f", L2 {self.l2:g}" if self.l2 else ""
        return f"step {self.learning_rate:g}, {depth}, {self.leaf} rows a leaf{penalty}"


TREES = (  # tried in this order; the first suit small tables, the third is scikit-learn's default
    Trees(0.1, 100, 2, 5),
    Trees(0.2, 50, 4, 20),
    Trees(0.1, 100, None, 20),
    Trees(0.1, 100, 1, 5),
    Trees(0.05, 200, 3, 5, 1.0),
    Trees(0.05, 200, None, 10, 1.0),
    Trees(0.02, 500, 2, 10),
    Trees(0.02, 500, None, 20, 10.0),
)


@dataclass(frozen=True)
class Rival:
    """A deterministic method a network has to beat: no seed, so no band over seeds.

    tuned: what was chosen for it, on which rows; chosen: what came out; logits: of scaled rows (n, inputs)
    the log odds of class 1, (n,).
    """

    role: str
    tuned: str
    chosen: str
    logits: Callable[[Array], Array]


def rivals(train: Table, val: Table, boosting: int) -> list[Rival]:
    """Logistic regression, gradient boosting and the majority class, fitted to the weighted train rows.

    The C of logistic regression (L2) is that of STRENGTHS with the lowest log loss on the validation rows,
    each of which counts once. The rounds of gradient boosting, and one of the first `boosting` configurations
    of TREES, are chosen alike; 0 leaves it out. A method that cannot be fitted to these rows is left out.
    """
    makers: list[Callable[[], Rival | None]] = [partial(_logistic, train, val)]
    makers += [partial(_boosted, train, val, TREES[:boosting])] if boosting else []
    makers += [partial(_majority, train)]
    return [rival for make in makers if (rival := _made(make)) is not None]


def roles(boosting: int) -> tuple[str, ...]:
    """The rivals there should be."""
    return (BASELINE, BOOSTING, MAJORITY) if boosting else (BASELINE, MAJORITY)


def identity(boosting: int) -> list[Any]:
    """All that decides what the rivals are, beside the rows."""
    return [list(STRENGTHS), [list(trees) for trees in TREES[:boosting]]]


def untuned_logits(train: Table, X: Array) -> Array | None:
    """(n,) log odds by logistic regression as scikit-learn has it, C = 1; None where it cannot be fitted.

    X: (n, inputs)."""
    try:
        logits = _linear(train, UNTUNED).decision_function(X)
    except ValueError:
        return None
    return np.asarray(logits) if np.isfinite(logits).all() else None


def _made(make: Callable[[], Rival | None]) -> Rival | None:
    """The rival; None where scikit-learn refuses the rows, or makes nothing finite of them."""
    try:
        return make()
    except ValueError:
        return None


def _logistic(train: Table, val: Table) -> Rival | None:
    models = [_linear(train, strength) for strength in STRENGTHS]
    losses = _losses([model.decision_function(val.X) for model in models], val)
    best = int(np.argmin(losses))
    if not np.isfinite(losses[best]):
        return None
    tuned = f"C chosen on the validation rows, of {len(STRENGTHS)}"
    return Rival(BASELINE, tuned, f"C = {STRENGTHS[best]:g}", models[best].decision_function)


def _linear(train: Table, strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=10_000).fit(*train)


def _boosted(train: Table, val: Table, tried: tuple[Trees, ...]) -> Rival | None:
    with _one_thread():
        models = [_fitted(train, trees) for trees in tried]
        staged = [_losses(list(model.staged_decision_function(val.X)), val) for model in models]
    best = int(np.argmin([losses.min() for losses in staged]))
    rounds = int(np.argmin(staged[best])) + 1
    if not np.isfinite(staged[best][rounds - 1]):
        return None
    among = f" and 1 of {len(tried)} configurations" if len(tried) > 1 else ""
    tuned = f"rounds{among} chosen on the validation rows"
    return Rival(BOOSTING, tuned, f"{rounds} rounds, {tried[best]}", partial(_staged, models[best], rounds))


def _fitted(train: Table, trees: Trees) -> HistGradientBoostingClassifier:
    """All of its rounds: which of them count is chosen afterwards."""
    model = HistGradientBoostingClassifier(
        learning_rate=trees.learning_rate,
        max_iter=trees.rounds,
        max_depth=trees.depth,
        min_samples_leaf=trees.leaf,
        l2_regularization=trees.l2,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(train.X, train.y, train.weight)


def _staged(model: HistGradientBoostingClassifier, rounds: int, X: Array) -> Array:
    """(n,) log odds after so many rounds."""
    with _one_thread():
        return np.asarray(next(islice(model.staged_decision_function(X), rounds - 1, None)))


def _majority(train: Table) -> Rival:
    """The share of each class in the train rows, whatever the case."""
    model = DummyClassifier(strategy="prior").fit(train.X, train.y)

    def logits(X: Array) -> Array:
        log_p = model.predict_log_proba(X)
        return np.asarray(log_p[:, 1] - log_p[:, 0])

    return Rival(MAJORITY, "nothing to tune", "", logits)


def _losses(logits: Sequence[Array], val: Table) -> Array:
    """(k,) the mean log loss of each of k times (n,) log odds; infinite where one of them is not finite."""
    losses = case_losses(np.array(logits), val.y).mean(axis=1)
    return np.where(np.isfinite(losses), losses, np.inf)


def _one_thread() -> AbstractContextManager[Any]:
    """OpenMP on one thread: small trees grow quicker so, and a sum over several may have other bits."""
    return _pools().limit(limits=1, user_api="openmp")


@lru_cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()
