"""Tables in which there is nothing to find: two halves of columns with one law, and a method for each half.

The halves can be exchanged without changing the law of the table, so whatever the score, the same method has
the same expected score on both. Classes are told by normal columns, a number is a sum over all columns.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from handnet.data import Array
from handnet.draws import Generator

COLUMNS = 5  # m, of each half, and one for each class where there are more classes
ACCURACY = 0.95  # that the best rule would reach on one half, about, were the classes of one size
SHARED = 0.5  # of the variance of each column, which it shares with its twin in the other half
NOISE = 0.5  # variance of what no column tells of a number, as a share of what all of them tell


class Layout(NamedTuple):
    """How a table is divided, stratified: rows in all and in each part, cases of the rarest class, how often.

    classes: how many there are, all but the rarest of one size; 0 for a number, whose rarest class has 0
    cases. In which order the parts are drawn does not matter: their law is the same.
    """

    rows: int
    train: int
    validation: int
    test: int
    rarer: int
    divisions: int
    classes: int = 2

    @property
    def ratio(self) -> float:
        """n_test / (n - n_test)."""
        return self.test / (self.rows - self.test)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The cases of each class, the rarest first; of a number all cases."""
        if not self.classes:
            return (self.rows,)
        others = np.arange(self.rarer, self.rows)
        return (self.rarer, *map(len, np.array_split(others, self.classes - 1)))

    @property
    def parts(self) -> tuple[tuple[int, int, int], ...]:
        """How many cases of each class each part has, in the order of `sizes`: train, validation, test."""
        rest = self.rows - self.test
        left = [self.train, self.validation, self.test]
        found = []
        for size in self.sizes[:-1]:
            of_rest = round(size * rest / self.rows)
            of_train = round(of_rest * self.train / rest)
            found.append((of_train, of_rest - of_train, size - of_rest))
            left = [whole - part for whole, part in zip(left, found[-1], strict=True)]
        return (*found, (left[0], left[1], left[2]))


def labels(layout: Layout) -> Array:
    """The classes (n,) of the rows, the rarest first and the highest: 1 before 0 of two classes."""
    return np.repeat(np.arange(layout.classes)[::-1], layout.sizes)


def draw_table(y: Array, classes: int, numbers: Generator) -> Array:
    """The two halves (2, n, m) of a table with labels y (n,): normal columns whose means tell the classes."""
    means = _means(classes)
    common = np.sqrt(SHARED) * numbers.normal(size=(len(y), means.shape[1]))
    own = np.sqrt(1 - SHARED) * numbers.normal(size=(2, len(y), means.shape[1]))
    return means[y] + common + own


def _means(classes: int) -> Array:
    """The mean (k, m) of each column in each class: of many classes each has a column of its own."""
    if classes == 2:
        shift = norm.ppf(ACCURACY) / np.sqrt(COLUMNS)
        return np.repeat([[-shift], [shift]], COLUMNS, axis=1)
    # A case is then called as one other class with a chance of .05 / (k - 1).
    return np.sqrt(2) * norm.isf((1 - ACCURACY) / (classes - 1)) * np.eye(classes, max(COLUMNS, classes))


def draw_numbers(rows: int, numbers: Generator) -> tuple[Array, Array]:
    """The two halves (2, n, m) of a table, and a number (n,): the sum over all columns, and noise."""
    common = np.sqrt(SHARED) * numbers.normal(size=(rows, COLUMNS))
    halves = common + np.sqrt(1 - SHARED) * numbers.normal(size=(2, rows, COLUMNS))
    told = halves.sum(axis=(0, 2))
    variance = 2 * COLUMNS * (1 + SHARED)
    return halves, told + np.sqrt(NOISE * variance) * numbers.normal(size=rows)


def draw_divisions(layout: Layout, numbers: Generator) -> tuple[Array, Array]:
    """J stratified divisions of a table with its classes one after the other, as in `Layout.sizes`.

    Returns the train rows as (J, n) bool, and the test rows as (J, n_test) int, with the classes in the same
    order.
    """
    train, tests, first = np.zeros((layout.divisions, layout.rows), dtype=bool), [], 0
    for size, (for_train, _, for_test) in zip(layout.sizes, layout.parts, strict=True):
        order = np.broadcast_to(np.arange(first, first + size), (layout.divisions, size))
        order = numbers.permuted(order, axis=1)
        np.put_along_axis(train, order[:, :for_train], True, axis=1)
        tests.append(order[:, size - for_test :])
        first += size
    return train, np.concatenate(tests, axis=1)


def discriminant(X: Array, y: Array, train: Array) -> Array:
    """The outputs of Fisher's linear discriminant, learnt from each set of train rows: (J, n, k) the log of
    each class's posterior density up to a constant, of two classes (J, n) the log odds of class 1.

    X: (n, m); y: (n,) from 0 to k - 1; train: (J, n) bool. The covariance is pooled over the classes and
    divided by the number of train rows; the priors are the shares of the classes among them.
    """
    outer = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    kept = train.astype(np.float64)
    counts, means, scatter = [], [], np.zeros((len(train), X.shape[1], X.shape[1]))
    for label in range(int(y.max()) + 1):
        rows = kept[:, y == label]
        count = rows.sum(axis=1)
        mean = rows @ X[y == label] / count[:, None]
        moments = (rows @ outer[y == label]).reshape(scatter.shape)
        scatter += moments - count[:, None, None] * mean[:, :, None] * mean[:, None, :]
        counts.append(count)
        means.append(mean)
    middle, size = np.stack(means, axis=-1), np.stack(counts, axis=-1)  # (J, m, k), (J, k)
    weight = np.linalg.solve(scatter / train.sum(axis=1)[:, None, None], middle)
    offset = np.log(size) - (weight * middle).sum(axis=1) / 2
    outputs = X @ weight + offset[:, None]
    return np.asarray(outputs[..., 1] - outputs[..., 0] if len(means) == 2 else outputs)


def least_squares(X: Array, y: Array, train: Array) -> Array:
    """Guesses (J, n) by ordinary least squares with an intercept, learnt from each set of train rows.

    X: (n, m); y: (n,); train: (J, n) bool.
    """
    design = np.column_stack([np.ones(len(X)), X])
    outer = (design[:, :, None] * design[:, None, :]).reshape(len(X), -1)
    kept = train.astype(np.float64)
    squares = (kept @ outer).reshape(len(train), design.shape[1], -1)
    beta = np.linalg.solve(squares, (kept @ (design * y[:, None]))[:, :, None])[:, :, 0]
    return np.asarray(beta @ design.T)
