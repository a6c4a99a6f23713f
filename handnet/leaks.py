"""Columns that may hold the target, found among the train rows: they tell it by themselves, or their gaps do.

What chance makes of few rows or many columns is not told.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import hypergeom, rankdata

from handnet.data import Array, Dataset
from handnet.encode import GAP, Encoder, text_columns

# A column nearly tells the classes apart when it is wrong in one row or in at most this share of the train
# rows, and in at most this share of the rarest class.
WRONG, WRONG_OF_RARER = 0.02, 0.2
# A column nearly tells a number when the rank correlation of the two is beyond this.
ALIKE = 0.999
NEAR, ENOUGH = 0.99, 2000  # what it is among so many rows, before all of them are ranked
# Of the gaps that are nearly all of one class those of the others are at most this share, and at most
# WRONG_OF_RARER of as many as there would be if gaps and classes had nothing to do with each other.
WRONG_OF_GAPS = 0.05
CHANCE = 0.1  # of such a column in a table whose labels have been shuffled: what is likelier is not told
BLOCK = 2**22  # cells looked at together

Listing = tuple[str, list[str]]  # a sentence, and the columns that take the place of its {}


def leaks(data: Dataset, encoder: Encoder, train: Array) -> Iterator[Listing]:
    """The columns that may hold the target, with what is said of them. train: (n,) int, row numbers."""
    yield from (_of_classes if data.class_names else _of_a_number)(data, encoder, train)
    few, what = ("one class has", "label") if data.class_names else ("high or low targets have", "target")
    yield (
        f"Gaps that only {few} among the train rows, or nearly: {{}}; a column that lacks its values because"
        f" of the {what} must be left out.",
        _telling_gaps(data, train),
    )


def _of_classes(data: Dataset, encoder: Encoder, train: Array) -> Iterator[Listing]:
    n, wrong = len(train), _fewest_wrong(data, encoder, train)
    by = "by one cut" if len(data.class_names) == 2 else f"by {len(data.class_names) - 1} cuts"
    yield (
        f"Tells the classes apart by itself in all {n} train rows: {{}}; what is known only after the label"
        " must be left out.",
        [repr(name) for name, rows in wrong.items() if not rows],
    )
    yield (
        f"Nearly tells the classes apart by itself, {by} or by its levels: {{}}; what is known only after"
        " the label must be left out.",
        [f"{name!r} (all but {rows} of {n} train rows)" for name, rows in wrong.items() if rows],
    )


def _of_a_number(data: Dataset, encoder: Encoder, train: Array) -> Iterator[Listing]:
    alike, n = _rank_correlations(data, encoder, train), len(train)
    yield (
        f"Orders all {n} train rows as the target does: {{}}; what is known only after the target must be"
        " left out.",
        [repr(name) for name, value in alike.items() if value >= 1],
    )
    yield (
        "Nearly tells the target by itself: {}; what is known only after the target must be left out.",
        [f"{name!r} (rank correlation {value:.5f})" for name, value in alike.items() if value < 1],
    )


def _columns(data: Dataset, encoder: Encoder) -> tuple[list[int], list[int]]:
    """The columns with an input for their values: those of numbers, and those of text."""
    used = np.unique(encoder.source[encoder.kind != GAP]).tolist()
    texts = set(text_columns(data).values())
    return [place for place in used if place not in texts], [place for place in used if place in texts]


def _filled(data: Dataset, encoder: Encoder, train: Array, columns: Array) -> Array:
    """The cells (n, c) of these columns (c,) in the train rows (n,), their gaps filled."""
    X = data.X[np.ix_(train, columns)]
    return np.where(np.isnan(X), encoder.fill[columns], X) if data.missing else X


def _blocks(
    data: Dataset, encoder: Encoder, train: Array, numbers: list[int]
) -> Iterator[tuple[Array, Array]]:
    """Columns (c,) of numbers with their cells (n, c) in the train rows (n,), several at a time."""
    width = max(1, BLOCK // len(train))
    for low in range(0, len(numbers), width):
        columns = np.array(numbers[low : low + width])
        yield columns, _filled(data, encoder, train, columns)


def _fewest_wrong(data: Dataset, encoder: Encoder, train: Array) -> dict[str, int]:
    """The columns that tell the classes of the train rows (n,) apart by themselves, or nearly, with how many
    rows they are wrong in.

    The values of a number are cut so that each of k classes has one interval; each level of a text takes the
    class of most of its rows. Gaps are filled as the encoder fills them.
    """
    y, k = data.y[train], len(data.class_names)
    counts = np.bincount(y, minlength=k)
    most = min(max(1, int(WRONG * len(y))), int(WRONG_OF_RARER * counts.min()))
    numbers, texts = _columns(data, encoder)
    found: dict[int, tuple[int, float]] = {}  # column -> rows that are wrong, and ln of how many rules it had
    for columns, X in _blocks(data, encoder, train, numbers):
        for place, rows in _wrong_by_cuts(X, y, k, most).items():
            found[int(columns[place])] = rows, gammaln(k + 1) + (k - 1) * math.log(2 * rows + 1)
    for column in texts:
        levels, rows = _wrong_by_levels(_filled(data, encoder, train, np.array([column]))[:, 0], y, k)
        if rows <= most:
            found[column] = rows, levels * math.log(k)
    log_tables = math.log((len(numbers) + len(texts)) / CHANCE) if numbers or texts else 0.0
    return {
        data.feature_names[column]: rows
        for column, (rows, log_rules) in sorted(found.items())
        if log_rules + log_tables + _log_shuffled(rows, counts) <= 0
    }


def _wrong_by_cuts(X: Array, y: Array, k: int, most: int) -> dict[int, int]:
    """How many labels the best k - 1 cuts of a column call wrong, for the columns of X (n, c) where it is
    `most` of the labels y (n,) or fewer."""
    parts = [X[y == label] for label in range(k)]
    # Without the `most` smallest and largest rows of each, such a column has them in disjoint intervals.
    low = np.array([np.partition(part, most, axis=0)[most] for part in parts])
    high = np.array([np.partition(part, place := len(part) - 1 - most, axis=0)[place] for part in parts])
    order = np.argsort(low, axis=0)
    low, high = (np.take_along_axis(ends, order, axis=0) for ends in (low, high))
    wrong = {
        int(column): _wrong_in_order(X[:, column], y, order[:, column])
        for column in np.flatnonzero((low[1:] > high[:-1]).all(axis=0))
    }
    return {column: rows for column, rows in wrong.items() if rows <= most}


def _wrong_in_order(cells: Array, y: Array, order: Array) -> int:
    """The fewest labels y (n,) that cuts of the cells (n,) call wrong, where the classes stand in this order
    (k,) from the smallest cells to the largest."""
    values, places = np.unique(cells, return_inverse=True)
    counts = np.array([np.bincount(places[y == label], minlength=len(values)) for label in order])
    below = np.cumsum(counts, axis=1)  # each cut; that below all cells is fewest[0]
    fewest = np.where(np.arange(len(values) + 1) == 0, 0, np.inf)
    for own in below:
        others = np.append(0, below.sum(axis=0) - own)
        fewest = others + np.minimum.accumulate(fewest - others)
    return int(fewest[-1])


def _wrong_by_levels(cells: Array, y: Array, k: int) -> tuple[int, int]:
    """The number of levels in cells (n,), and how many labels y (n,) are not those of most of their level."""
    places = np.unique(cells, return_inverse=True)[1]
    counts = np.bincount(places * k + y, minlength=(places.max() + 1) * k).reshape(-1, k)
    return len(counts), int((counts.sum(axis=1) - counts.max(axis=1)).sum())


def _log_shuffled(wrong: int, counts: Array) -> float:
    """ln of an upper bound of the chance that one given rule is wrong in so few of n shuffled labels.

    So many labellings differ from the rule's own in `wrong` rows or fewer, of all those with as many rows of
    each of k classes: sum over j of C(n, j) (k - 1)^j, divided by n! / product of counts!. counts: (k,).
    """
    n, k, j = counts.sum(), len(counts), np.arange(wrong + 1)
    near = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1) + j * math.log(k - 1)
    return float(logsumexp(near) - gammaln(n + 1) + gammaln(counts + 1).sum())


def _rank_correlations(data: Dataset, encoder: Encoder, train: Array) -> dict[str, float]:
    """The columns that stand in nearly the order of the target among the train rows (n,), with the size of
    their rank correlation (Spearman); of a text it is that with the mean rank of each level."""
    y = rankdata(data.y[train])
    numbers, texts = _columns(data, encoder)
    found: dict[int, float] = {}
    some = train[:: max(1, len(train) // ENOUGH)]
    for columns, X in _blocks(data, encoder, some, numbers):
        near = columns[_correlations(rankdata(X, axis=0), rankdata(data.y[some])) > NEAR]
        ranks = rankdata(_filled(data, encoder, train, near), axis=0)
        found |= dict(zip(near.tolist(), _correlations(ranks, y).tolist(), strict=True))
    for column in texts:
        places = np.unique(_filled(data, encoder, train, np.array([column]))[:, 0], return_inverse=True)[1]
        means = np.bincount(places, weights=y) / np.bincount(places)
        if 2 * len(means) <= len(y):  # of more levels the means are the rows themselves
            found[column] = float(_correlations(means[places][:, None], y)[0])
    return {data.feature_names[place]: value for place, value in sorted(found.items()) if value > ALIKE}


def _correlations(X: Array, y: Array) -> Array:
    """(c,) the size of the correlation of each column of X (n, c) with y (n,); 0 where it has none."""
    X, y = X - X.mean(axis=0), y - y.mean()
    size = np.sqrt((X * X).sum(axis=0) * (y @ y))
    found = np.abs(y @ X) / np.where(size > 0, size, np.inf)
    return np.where(found > 1 - 1e-12, 1.0, found)


def _telling_gaps(data: Dataset, train: Array) -> list[str]:
    """Each column whose gaps among the train rows (n,) are of one class, or nearly, and not by chance.

    Of a number the rows above the median are one class, the others another.
    """
    if not data.missing:
        return []
    gaps, y, names = np.isnan(data.X[train]), data.y[train], [f"{name!r}" for name in data.class_names]
    if not names:
        y, names = (y > np.median(y)).astype(int), ["at most the median target", "above the median target"]
    sizes, number = np.bincount(y, minlength=len(names)), gaps.sum(axis=0)
    columns = np.flatnonzero((number > 0) & (number < len(y)))
    number = number[columns]
    of_class = np.array([gaps[y == label].sum(axis=0)[columns] for label in range(len(names))])
    top, most = of_class.argmax(axis=0), of_class.max(axis=0, initial=0)
    drawn: Any = hypergeom(len(y), sizes[:, None], number)
    chance = drawn.sf(most - 1).sum(axis=0) * data.X.shape[1]
    others, expected = number - most, number * (1 - sizes[top] / len(y))  # if gaps told nothing
    few = (others <= WRONG_OF_GAPS * number) & (others <= WRONG_OF_RARER * expected)
    told = few & (chance <= CHANCE)
    return [
        f"{data.feature_names[column]!r} ({count} of {all_} are {names[label]})"
        for column, all_, count, label in zip(
            *(part[told].tolist() for part in (columns, number, most, top)), strict=True
        )
    ]
