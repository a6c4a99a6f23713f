"""How often rules find a difference that is not there: overlapping divisions under a null that is exact.

A table has 2 m measured columns in two halves of one law, so exchanging the halves leaves the law of the
table as it is. One method learns from the first half and the same method from the second, on the same
divisions of the same rows: whatever the score, the expected difference is 0 by symmetry, and every difference
that a rule finds is a false alarm.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from handnet.bands.compare import ALPHA, nadeau_bengio_p, rope_chances, win_interval
from handnet.data import Array
from handnet.draws import SIMULATION, Generator, bootstrap_counts, generator
from handnet.scores import grade
from handnet.tasks import task_of

RULE = "nadeau-bengio"  # the one that may word a verdict
SCORES = ("accuracy", "sensitivity", "specificity", "auc", "log_loss", "brier")
COLUMNS = 5  # m, of each half
ACCURACY = 0.95  # that the best rule would reach on one half, were the classes of one size
SHARED = 0.5  # of the variance of each column, which it shares with its twin in the other half
EQUAL = 0.01  # the width of the region of practical equivalence
BOOTSTRAPS = 1000


class Layout(NamedTuple):
    """How a table is divided, stratified: rows in all and in each part, cases of the rarer class, how often.

    In which order the parts are drawn does not matter: their law is the same.
    """

    rows: int
    train: int
    validation: int
    test: int
    rarer: int
    divisions: int

    @property
    def ratio(self) -> float:
        """n_test / (n - n_test)."""
        return self.test / (self.rows - self.test)

    @property
    def rarer_parts(self) -> tuple[int, int, int]:
        """How many cases of the rarer class each part has: train, validation, test."""
        rest = self.rows - self.test
        of_rest = round(self.rarer * rest / self.rows)
        of_train = round(of_rest * self.train / rest)
        return of_train, of_rest - of_train, self.rarer - of_rest


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
    counts = bootstrap_counts(numbers, layout.divisions, BOOTSTRAPS)
    ratios = {RULE: layout.ratio, f"{RULE} (n_test / n_train)": layout.test / layout.train}
    for place, score in enumerate(SCORES):
        d = np.array([row[place] for row in rows])  # (tables, J)
        correlation = correlation_between(d)
        for rule, found in significant(d, ratios, counts).items():
            yield FalseAlarms(layout, score, rule, tables, int(found.sum()), correlation)


def correlation_between(d: Array) -> float:
    """The correlation between columns of d (tables, J), alike in law and with mean 0; NaN if all are 0."""
    squares, count = (d * d).sum(), d.shape[1]
    with np.errstate(invalid="ignore"):
        return float(((d.sum(axis=1) ** 2).sum() - squares) / ((count - 1) * squares))


def significant(d: Array, ratios: dict[str, float], counts: Array) -> dict[str, Array]:
    """Whether each rule finds a difference in a row of d (tables, J), (tables,) bool by rule.

    ratios: of each corrected t test, by its name, the first also of rope; counts: (B, J) int, bootstrap
    samples of the divisions.
    """
    low, high = win_interval((np.sign(d) + 1) / 2, counts)
    worse, _, better = rope_chances(d, next(iter(ratios.values())), EQUAL)
    return {
        **{rule: nadeau_bengio_p(d, ratio) < ALPHA for rule, ratio in ratios.items()},
        "rope": np.maximum(worse, better) > 1 - ALPHA / 2,
        "P(A > B)": (low > 0.5) | (high < 0.5),
        "uncorrected t": nadeau_bengio_p(d, 0.0) < ALPHA,
    }


def differences(layout: Layout, numbers: Generator) -> Array:
    """One table's differences between the halves, (scores, J), in the order of SCORES."""
    y = np.repeat([1, 0], [layout.rarer, layout.rows - layout.rarer])
    halves = draw_table(y, numbers)
    train, test = draw_divisions(layout, numbers)
    scores = {name: task_of(2).scores[name] for name in SCORES}
    ours, theirs = (
        grade(scores, np.take_along_axis(discriminant(half, y, train), test, axis=1), y[test[0]])
        for half in halves
    )
    return np.array([ours[name] - theirs[name] for name in SCORES])


def draw_table(y: Array, numbers: Generator) -> Array:
    """The two halves (2, n, m) of a table with labels y (n,): normal columns whose means tell the classes."""
    shift = norm.ppf(ACCURACY) / np.sqrt(COLUMNS)
    common = np.sqrt(SHARED) * numbers.normal(size=(len(y), COLUMNS))
    own = np.sqrt(1 - SHARED) * numbers.normal(size=(2, len(y), COLUMNS))
    return shift * (2 * y - 1)[:, None] + common + own


def draw_divisions(layout: Layout, numbers: Generator) -> tuple[Array, Array]:
    """J stratified divisions of a table with the rarer class first.

    Returns the train rows as (J, n) bool, and the test rows as (J, n_test) int, the rarer class first.
    """
    train, tests = np.zeros((layout.divisions, layout.rows), dtype=bool), []
    of_train, _, of_test = layout.rarer_parts
    rarer, others = (0, layout.rarer), (layout.rarer, layout.rows)
    for (first, last), for_train, for_test in (
        (rarer, of_train, of_test),
        (others, layout.train - of_train, layout.test - of_test),
    ):
        order = np.broadcast_to(np.arange(first, last), (layout.divisions, last - first))
        order = numbers.permuted(order, axis=1)
        np.put_along_axis(train, order[:, :for_train], True, axis=1)
        tests.append(order[:, last - first - for_test :])
    return train, np.concatenate(tests, axis=1)


def discriminant(X: Array, y: Array, train: Array) -> Array:
    """Log odds (J, n) of class 1 by Fisher's linear discriminant, learnt from each set of train rows.

    X: (n, m); y: (n,) of 0 and 1; train: (J, n) bool. The covariance is pooled over the classes and divided
    by the number of train rows; the priors are the shares of the classes among them.
    """
    outer = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    kept = train.astype(np.float64)
    counts, means, scatter = [], [], np.zeros((len(train), X.shape[1], X.shape[1]))
    for label in (0, 1):
        rows = kept[:, y == label]
        count = rows.sum(axis=1)
        mean = rows @ X[y == label] / count[:, None]
        moments = (rows @ outer[y == label]).reshape(scatter.shape)
        scatter += moments - count[:, None, None] * mean[:, :, None] * mean[:, None, :]
        counts.append(count)
        means.append(mean)
    between = means[1] - means[0]
    weight = np.linalg.solve(scatter / train.sum(axis=1)[:, None, None], between[:, :, None])[:, :, 0]
    offset = np.log(counts[1] / counts[0]) - (weight * (means[0] + means[1])).sum(axis=1) / 2
    return np.asarray(weight @ X.T + offset[:, None])
