"""Train, validation and the sealed test. Encoder and scaler learn from train rows, and there is no other way
to scale.

Rows that belong together (of one group, or with equal measurements) fall into one part; without such rows the
division is scikit-learn's train_test_split, to the row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, shuffle

from handnet.data import Array, Dataset, Table, digest
from handnet.encode import Encoder, encoder, notes

Order = Literal["test-first", "rest-first"]


class SealedTest:
    """The test rows of a split. `open` is the only way in, and it asks its recorder first."""

    def __init__(self, table: Table, raw: Array, case_ids: Array) -> None:
        """table: scaled, what is handed out; raw: the same rows as they came, (n, features); case_ids:
        (n,)."""
        self.n = len(table.y)
        self.case_ids = case_ids
        # Of unscaled rows in the order of their ids: the same patients are the same test set, whatever the
        # scaler learnt from the rest and however they were shuffled.
        order = np.argsort(case_ids.astype("U"), kind="stable")
        self.digest = digest(raw[order], table.y[order], case_ids[order].astype("U"))
        self.__table = table

    def open(self, record: Callable[[str], object]) -> Table:
        """Hand out the scaled test rows, after `record(digest)` has written the opening down.

        record: called with the digest of this test set; what it returns stands for the entry it made.
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
    """One division of a dataset. Tables are encoded, and scaled with the mean and deviation of the train
    rows.

    train, val: Table (n, inputs); test: SealedTest; *_rows: (n,) row numbers in the dataset, in the order of
    the table's rows; mean, scale: (inputs,), what the scaler learnt; encoder: from the dataset's columns to
    inputs; notes: what was done to the table, in sentences; digest: of the rows and the scaler."""

    train: Table
    val: Table
    test: SealedTest
    train_rows: Array
    val_rows: Array
    test_rows: Array
    mean: Array
    scale: Array
    encoder: Encoder
    notes: tuple[str, ...] = ()

    def scaled(self, X: Array) -> Array:
        """Rows of the dataset (n, columns) as a network gets them, (n, inputs)."""
        return np.asarray((self.encoder(X) - self.mean) / self.scale)

    @property
    def digest(self) -> str:
        return digest(self.train_rows, self.val_rows, self.test_rows, self.mean, self.scale)

    def part_of(self, row: int) -> str:
        """Which part a row of the dataset is in: "train", "val" or "test"."""
        parts = {"train": self.train_rows, "val": self.val_rows, "test": self.test_rows}
        return next(part for part, rows in parts.items() if row in rows)


ORDERS = 20  # of units, drawn at most
FARTHEST = 1e12  # standard deviations: products of four layers of it still fit in float32


def split(
    data: Dataset,
    *,
    test: float = 0.2,
    val: float = 0.25,
    seed: int = 42,
    stratify: bool = True,
    order: Order = "test-first",
) -> Split:
    """Divide `data` with scikit-learn's train_test_split, or by its units where it has some, and scale it by
    its train rows.

    order "test-first": `test` of all rows are set aside, then `val` of the rest: 341 / 114 / 114 of 569.
    order "rest-first": val and test are set aside together, then halved, the other reading of the chapter,
    which does not say how it split. There `test` is the share each of the two gets, and `val` is not used.
    Raises ValueError when a part has fewer than two cases of a class, or train is not the largest.
    """
    if order not in ("test-first", "rest-first"):
        raise ValueError(f"order must be 'test-first' or 'rest-first', but got {order!r}.")
    for name, share in (("test", test), ("val", val)):
        if not 0 < share < 1 or (order == "rest-first" and not test < 0.5):
            raise ValueError(
                f"{name} must be a share between 0 and 1 that leaves rows to train on, but got {share}."
            )

    totals = np.bincount(data.y, minlength=2)
    if totals.min() < 6:
        raise ValueError(
            "each of the three parts needs 2 cases of each class, so the table needs 6 of each, but has"
            f" {totals[0]} {data.class_names[0]} and {totals[1]} {data.class_names[1]}."
        )

    def divide(rows: Array, share: float) -> tuple[Array, Array]:
        labels = data.y[rows] if stratify else None
        if data.units is not None:
            aside = _set_aside(data.units[rows], labels, share, seed)
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
    for name, part in (("train", train_rows), ("val", val_rows), ("test", test_rows)):
        counts = np.bincount(data.y[part], minlength=2)
        if counts.min() < 2:
            even = "" if stratify else "stratify=True, "
            together = "" if data.units is None else " (rows of one group, and equal rows, stay together)"
            raise ValueError(
                f"the {name} part needs 2 cases of each class, but has {counts[0]} and {counts[1]}{together};"
                f" use {even}larger shares, more cases or another split seed."
            )
        if len(part) > len(train_rows):
            raise ValueError(
                f"the train part must be the largest, but has {len(train_rows)} cases and {name} {len(part)}."
            )
    return _scaled(data, train_rows, val_rows, test_rows)


def _set_aside(units: Array, labels: Array | None, share: float, seed: int) -> Array:
    """(n,) bool: whole units that make up `share` of the rows, to within half of the largest, in an order
    drawn by `seed`.

    labels: (n,) 0 or 1, None to take all units for one class. Where the units are few, an order more or less
    tells: of several drawn the one is kept whose classes come nearest to their shares."""
    names, place, sizes = np.unique(units, return_inverse=True, return_counts=True)
    positives = np.bincount(place, weights=np.zeros(len(units)) if labels is None else labels)
    classes = np.column_stack([sizes - positives, positives])
    draws = check_random_state(seed)
    orders = [
        shuffle(np.arange(len(names)), random_state=draws)
        for _ in range(max(1, min(ORDERS, 5000 // len(names))))
    ]
    found = [_filled(order, classes, share * classes.sum(axis=0)) for order in orders]
    return np.asarray(
        min(found, key=lambda taken: np.abs(classes[taken].sum(axis=0) - share * classes.sum(axis=0)).sum())[
            place
        ]
    )


def _filled(order: Array, classes: Array, wanted: Array) -> Array:
    """(units,) bool: those taken. classes: (units, 2) how many rows of each class; wanted: (2,), of all that
    are taken.

    The next unit in the order comes from the class that lacks the larger share, the class of most of its
    rows; it is taken if that brings the size nearer to what is wanted."""
    mostly, have, taken = classes[:, 1] > classes[:, 0], np.zeros(2), np.zeros(len(classes), dtype=bool)
    queues = [order[~mostly[order]].tolist(), order[mostly[order]].tolist()]
    while any(queues):
        lacking = np.divide(wanted - have, wanted, out=np.full(2, -np.inf), where=wanted > 0)
        label = max((0, 1), key=lambda label: (bool(queues[label]), lacking[label]))
        unit = queues[label].pop()
        if abs(have.sum() + classes[unit].sum() - wanted.sum()) < abs(have.sum() - wanted.sum()):
            taken[unit] = True
            have += classes[unit]
    return taken


def _scaled(data: Dataset, train_rows: Array, val_rows: Array, test_rows: Array) -> Split:
    """Raises ValueError when a value is so far from the train rows that no network stays finite on it."""
    encode = encoder(data, train_rows)
    X = encode(data.X)
    scaler = StandardScaler().fit(X[train_rows])
    far = np.abs((X - scaler.mean_) / scaler.scale_)
    row, column = np.unravel_index(far.argmax(), far.shape)
    if not far[row, column] <= FARTHEST:
        raise ValueError(
            f"case {data.case_ids[row]} lies {far[row, column]:.0e} standard deviations of the train rows"
            f" from their mean in {encode.names[column]!r}; look at that value."
        )

    def table(rows: Array) -> Table:
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
        encoder=encode,
        notes=notes(data, encode, train_rows, val_rows),
    )
