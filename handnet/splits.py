"""Train, validation and the sealed test; encoder and scaler learn from the train rows alone.

Rows that belong together, of one group or with equal measurements, fall into one part. Without such rows the
division is that of scikit-learn's train_test_split, to the row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, shuffle

from handnet.data import Array, Dataset, Table, digest
from handnet.encode import Encoder, fit_encoder
from handnet.notes import table_notes

Order = Literal["test-first", "rest-first"]
LEAST_CASES = 2  # of each class, in each part
MAX_ORDERS = 20  # of blocks, drawn when blocks are set aside
MAX_DEVIATIONS = 1e12  # of a value from the train mean: products of four such layers still fit in float32


class SealedTest:
    """The test rows of a split. `open` is the only way in, and it calls its recorder first."""

    def __init__(self, table: Table, raw: Array, case_ids: Array) -> None:
        """Seal the rows of a scaled table. raw: the same rows unscaled, (n, features); case_ids: (n,)."""
        self.n = len(table.y)
        self.case_ids = case_ids
        # Of unscaled rows in the order of their ids: the same patients are the same test set, whatever the
        # scaler learnt from the rest and however they were shuffled.
        order = np.argsort(case_ids.astype("U"), kind="stable")
        self.digest = digest(raw[order], table.y[order], case_ids[order].astype("U"))
        self.__table = table

    def open(self, record: Callable[[str], object]) -> Table:
        """Hand out the scaled test rows, after `record(digest)` has written the opening down.

        record: called with the digest of this test set; returns the entry it made.
        Raises PermissionError when it returns nothing: an opening that left no trace did not happen.
        """
        if not record(self.digest):
            raise PermissionError(
                "the test set stays sealed: the recorder returned no entry for this opening."
            )
        return self.__table

    def __repr__(self) -> str:
        return f"SealedTest(n={self.n}, digest={self.digest[:12]})"


@dataclass(frozen=True)
class Split:
    """One division of a dataset; its tables are encoded and scaled, as the train rows decide.

    The *_rows are row numbers of the dataset, (n,) int, in the order of the table's rows.
    """

    train: Table  # (n, inputs)
    val: Table  # (n, inputs)
    test: SealedTest
    train_rows: Array
    val_rows: Array
    test_rows: Array
    mean: Array  # (inputs,) of the train rows
    scale: Array  # (inputs,) standard deviation of the train rows, 1 where it is 0
    encoder: Encoder  # from the dataset's columns to inputs
    data: Dataset = field(repr=False)  # what was divided

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What was done to the table and what to beware of in it, in sentences."""
        rows = {"train": self.train_rows, "validation": self.val_rows, "test": self.test_rows}
        return table_notes(self.data, self.encoder, rows)

    def scaled(self, X: Array) -> Array:
        """Rows of the dataset (n, columns) as a network gets them, (n, inputs)."""
        return np.asarray((self.encoder(X) - self.mean) / self.scale)

    @property
    def digest(self) -> str:
        """SHA-256 of the rows of each part and of the scaler."""
        return digest(self.train_rows, self.val_rows, self.test_rows, self.mean, self.scale)

    def part_of(self, row: int) -> str:
        """The part that a row of the dataset is in: "train", "val" or "test"."""
        parts = {"train": self.train_rows, "val": self.val_rows, "test": self.test_rows}
        return next(part for part, rows in parts.items() if row in rows)

    def groups(self, part: str) -> Array | None:
        """(n,) int: the group of each row of "train", "val" or "test"; None where every row is its own."""
        rows = {"train": self.train_rows, "val": self.val_rows, "test": self.test_rows}[part]
        return None if self.data.groups is None else self.data.groups[rows]


def split(
    data: Dataset,
    *,
    test: float = 0.2,
    val: float = 0.25,
    seed: int = 42,
    stratify: bool = True,
    order: Order = "test-first",
) -> Split:
    """Divide `data` into train, validation and the sealed test, and scale it by its train rows.

    order "test-first": `test` of all rows are set aside, then `val` of the rest: 341 / 114 / 114 of 569.
    order "rest-first": val and test are set aside together, then halved. This is the other reading of the
        chapter, which does not say how it split; `test` is the share of each of the two, `val` is not used.
    seed: of scikit-learn's random_state; stratify: keep the shares of the classes in each part.
    Raises ValueError when a part has fewer than two cases of a class, or train is not the largest.
    """
    _check_shares(test, val, order)
    needed = _cases_needed(test, val, order)
    _check_classes(data, needed)

    def divide(rows: Array, share: float) -> tuple[Array, Array]:
        """The rows (n,) that stay, and those set aside, about `share` of them."""
        labels = data.y[rows] if stratify else None
        if data.blocks is not None:
            aside = _set_aside(data.blocks[rows], labels, share, seed)
            return rows[~aside], rows[aside]
        kept, aside = train_test_split(rows, test_size=share, random_state=seed, stratify=labels)
        return kept, aside

    rows = np.arange(len(data.y))
    if order == "test-first":
        rest, test_rows = divide(rows, test)
        train_rows, val_rows = divide(rest, val)
    else:
        train_rows, rest = divide(rows, 2 * test)
        val_rows, test_rows = divide(rest, 0.5)
    _check_parts(data, {"train": train_rows, "validation": val_rows, "test": test_rows}, stratify, needed)
    return _scaled(data, train_rows, val_rows, test_rows)


def _check_shares(test: float, val: float, order: str) -> None:
    """Raises ValueError for an unknown order, or a share that leaves nothing to train on."""
    if order not in ("test-first", "rest-first"):
        raise ValueError(f"order must be 'test-first' or 'rest-first', but got {order!r}.")
    for name, share in (("test", test), ("val", val)):
        if not 0 < share < 1 or (order == "rest-first" and not test < 0.5):
            raise ValueError(
                f"{name} must be a share between 0 and 1 that leaves rows to train on, but got {share}."
            )


def _cases_needed(test: float, val: float, order: str) -> int:
    """About how many cases of a class a table needs for two in each part."""
    aside = (test, (1 - test) * val) if order == "test-first" else (test, test)
    smallest = min(*aside, 1 - sum(aside))
    return math.ceil(LEAST_CASES / smallest - 1e-9) if smallest > 0 else 3 * LEAST_CASES


def _too_few(data: Dataset, needed: int, part: str = "") -> str:
    """What is said of a table with too few cases of a class. part: what a part has, if it is known."""
    return (
        "each of the three parts needs 2 cases of each class; with these shares the table needs about"
        f" {needed} of each for that, but has {_each(np.bincount(data.y, minlength=2), data)}{part}; use more"
        " cases, larger shares or another split seed."
    )


def _check_classes(data: Dataset, needed: int) -> None:
    """Raises ValueError when a class has too few cases for three parts, or is in too few blocks."""
    if np.bincount(data.y, minlength=2).min() < 3 * LEAST_CASES:
        raise ValueError(_too_few(data, needed))
    if data.blocks is None:
        return
    zeros, ones = (len(np.unique(data.blocks[data.y == label])) for label in (0, 1))
    if min(zeros, ones) < 3:
        together, needs, more = ("equal rows stay together", "have 3 different rows", "cases")
        if data.groups is not None:
            together, needs, more = ("rows of one group stay together", "be in 3 groups", "groups")
        raise ValueError(
            f"each of the three parts needs cases of each class, and {together}, so each class must {needs}"
            f" at least, but {data.class_names[0]!r} has {zeros} and {data.class_names[1]!r} {ones}; use more"
            f" {more}."
        )


def _each(counts: Array, data: Dataset) -> str:
    """How many there are of each class. counts: (2,)."""
    return " and ".join(f"{count} of {name!r}" for count, name in zip(counts, data.class_names, strict=True))


def _check_parts(data: Dataset, parts: dict[str, Array], stratify: bool, needed: int) -> None:
    """Raises ValueError when a part, row numbers (n,), lacks cases of a class or is larger than train."""
    for name, rows in parts.items():
        counts = np.bincount(data.y[rows], minlength=2)
        if counts.min() < LEAST_CASES:
            if data.blocks is None and np.bincount(data.y, minlength=2).min() < needed:
                raise ValueError(_too_few(data, needed, f" (the {name} part: {_each(counts, data)})"))
            even = "" if stratify else "stratify=True, "
            if data.blocks is None:
                why, more = "", "more cases"
            elif data.groups is None:
                why, more = " (equal rows stay together)", "more cases that differ"
            else:
                why, more = " (rows of one group, and equal rows, stay together)", "more and smaller groups"
            raise ValueError(
                f"the {name} part needs 2 cases of each class, but has {_each(counts, data)}{why}; use"
                f" {even}{more}, larger shares or another split seed."
            )
        largest = len(parts["train"])
        if len(rows) > largest:
            raise ValueError(
                f"the train part must be the largest, but has {largest} cases and {name} {len(rows)}."
            )


def _set_aside(blocks: Array, labels: Array | None, share: float, seed: int) -> Array:
    """(n,) bool: the rows of whole blocks that make up `share` of the rows, to within half of the largest.

    blocks: (n,) int, the block of each row; labels: (n,) 0 or 1, None to take all blocks for one class.
    The order of blocks is drawn by `seed`. It matters where blocks are few, so several are drawn and the one
    is kept whose classes come nearest to their shares.
    """
    names, place, sizes = np.unique(blocks, return_inverse=True, return_counts=True)
    positives = np.bincount(place, weights=np.zeros(len(blocks)) if labels is None else labels)
    classes = np.column_stack([sizes - positives, positives])
    wanted = share * classes.sum(axis=0)
    draws = check_random_state(seed)
    count = max(1, min(MAX_ORDERS, 5000 // len(names)))
    orders = [shuffle(np.arange(len(names)), random_state=draws) for _ in range(count)]
    candidates = [_take_blocks(order, classes, wanted) for order in orders]
    distances = [np.abs(classes[taken].sum(axis=0) - wanted).sum() for taken in candidates]
    return np.asarray(candidates[int(np.argmin(distances))][place])


def _take_blocks(order: Array, classes: Array, wanted: Array) -> Array:
    """(blocks,) bool: those taken in this order (blocks,), until each class has about the rows wanted (2,).

    classes: (blocks, 2), how many rows of each class a block has. The next block comes from the class that
    lacks the larger share, the class of most of its rows; it is taken if that brings the size nearer to what
    is wanted.
    """
    mostly_positive = classes[:, 1] > classes[:, 0]
    queues = [order[~mostly_positive[order]].tolist(), order[mostly_positive[order]].tolist()]
    # Plain numbers: a loop over the blocks is many times faster with them than with arrays of two.
    rows, (of_0, of_1), (has_0, has_1) = classes.tolist(), wanted.tolist(), (0.0, 0.0)
    taken = []
    while any(queues):
        lacks_0 = (of_0 - has_0) / of_0 if of_0 > 0 else -np.inf
        lacks_1 = (of_1 - has_1) / of_1 if of_1 > 0 else -np.inf
        from_1 = not queues[0] or (bool(queues[1]) and lacks_1 > lacks_0)
        block = queues[from_1].pop()
        zeros, ones = rows[block]
        size, goal = has_0 + has_1, of_0 + of_1
        if abs(size + zeros + ones - goal) < abs(size - goal):
            taken.append(block)
            has_0, has_1 = has_0 + zeros, has_1 + ones
    return np.isin(np.arange(len(classes)), taken)


def _scaled(data: Dataset, train_rows: Array, val_rows: Array, test_rows: Array) -> Split:
    """The split with these rows (n,) in each part, encoded and scaled by its train rows.

    Raises ValueError when a value is so far from the train rows that no network stays finite on it.
    """
    encoder = fit_encoder(data, train_rows)
    X = encoder(data.X)
    scaler = StandardScaler().fit(X[train_rows])
    # The value farthest from the mean of its column is the least or the greatest there.
    farthest = np.maximum(np.abs(X.min(axis=0) - scaler.mean_), np.abs(X.max(axis=0) - scaler.mean_))
    distance = farthest / scaler.scale_
    column = int(distance.argmax())
    if not distance[column] <= MAX_DEVIATIONS:
        row = int(np.abs(X[:, column] - scaler.mean_[column]).argmax())
        raise ValueError(
            f"case {data.case_ids[row]} lies {distance[column]:.0e} standard deviations of the train"
            f" rows from their mean in {encoder.names[column]!r}; look at that value."
        )

    def table(rows: Array) -> Table:
        """The scaled table (n, inputs) of these rows (n,), read-only."""
        scaled: Any = scaler.transform(X[rows])
        labels = data.y[rows]
        scaled.setflags(write=False)
        labels.setflags(write=False)
        return Table(scaled, labels)

    return Split(
        train=table(train_rows),
        val=table(val_rows),
        test=SealedTest(table(test_rows), data.X[test_rows], data.case_ids[test_rows]),
        train_rows=train_rows,
        val_rows=val_rows,
        test_rows=test_rows,
        mean=scaler.mean_,
        scale=scaler.scale_,
        encoder=encoder,
        data=data,
    )
