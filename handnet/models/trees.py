"""Gradient boosting as a method that a network has to beat: the configurations that are tried."""

from typing import Any, NamedTuple

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from handnet.tasks import Task


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


def boosting_of(task: Task, trees: Trees) -> Any:
    """The estimator of a configuration, not yet fitted; which of its rounds count is chosen afterwards."""
    model = HistGradientBoostingClassifier if task.classes else HistGradientBoostingRegressor
    return model(
        learning_rate=trees.learning_rate,
        max_iter=trees.rounds,
        max_depth=trees.depth,
        min_samples_leaf=trees.leaf,
        l2_regularization=trees.l2,
        early_stopping=False,
        random_state=0,
    )
