"""Train, validation and the sealed test; encoder and scaler learn from the train rows alone.

Rows that belong together, of one group or, without groups, equal, fall into one part. Without such rows the
division is that of scikit-learn's train_test_split, to the row.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from handnet.blocks import set_aside
from handnet.data import Array, Dataset, Table, digest
from handnet.encode import Encoder, fit_encoder
from handnet.enough import MAX_DEVIATIONS, cases_needed, check_classes, check_distances, check_parts, too_few
from handnet.notes import table_notes

Order = Literal["test-first", "rest-first"]


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
    seed: of scikit-learn's random_state; stratify: keep the shares of the classes in each part (a number has
        none, so its rows are shuffled alone).
    Raises ValueError when a part has fewer than two cases of a class, or fewer than ten rows where the target
    is a number, or when train is not the largest.
    """
    _check_shares(test, val, order)
    needed = cases_needed(test, val, order)
    stratify = stratify and bool(data.class_names)
    if data.class_names:
        check_classes(data, needed)

    def divide(rows: Array, share: float) -> tuple[Array, Array]:
        return _divide(data, rows, share, seed, stratify, needed)

    rows = np.arange(len(data.y))
    if order == "test-first":
        rest, test_rows = divide(rows, test)
        train_rows, val_rows = divide(rest, val)
    else:
        train_rows, rest = divide(rows, 2 * test)
        val_rows, test_rows = divide(rest, 0.5)
    parts = {"train": train_rows, "validation": val_rows, "test": test_rows}
    check_parts(data, parts, stratify, needed)
    if not data.class_names:
        check_distances(data, parts)
    return _scaled(data, train_rows, val_rows, test_rows)


def _divide(
    data: Dataset, rows: Array, share: float, seed: int, stratify: bool, needed: int
) -> tuple[Array, Array]:
    """The rows (n,) that stay, and those set aside, about `share` of them."""
    labels = data.y[rows] if stratify else None
    if data.blocks is not None:
        aside = set_aside(data.blocks[rows], labels, share, seed)
        return rows[~aside], rows[aside]
    try:
        kept, aside = train_test_split(rows, test_size=share, random_state=seed, stratify=labels)
    except ValueError:  # a part that is smaller than the number of classes, or than one row
        raise ValueError(too_few(data, needed)) from None
    return kept, aside


def _check_shares(test: float, val: float, order: str) -> None:
    """Raises ValueError for an unknown order, or a share that leaves nothing to train on."""
    if order not in ("test-first", "rest-first"):
        raise ValueError(f"order must be 'test-first' or 'rest-first', but got {order!r}.")
    for name, share in (("test", test), ("val", val)):
        if not 0 < share < 1 or (order == "rest-first" and not test < 0.5):
            raise ValueError(
                f"{name} must be a share between 0 and 1 that leaves rows to train on, but got {share}."
            )


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
