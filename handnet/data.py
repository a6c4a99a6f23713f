"""The table of cases a network learns from, with everything needed to name a case and a column again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SHOWN = 5  # names or values a sentence lists before it counts the rest


class Table(NamedTuple):
    """What a backend sees: scaled columns and labels, no names, no ids."""

    X: Array  # (n, features) float64
    y: Array  # (n,) int, 0 or 1


@dataclass(frozen=True)
class Dataset:
    """A whole table as it came: unscaled, a gap a NaN, a text its level's number. Its arrays are copied and
    made read-only.

    X (n, features) float64; y (n,) int8, class 1 is the positive one; case_ids (n,), unique; feature_names
    (features,); families (features,): the family each column belongs to, columns of one family measure one
    thing; class_names: (name of class 0, name of class 1); levels: column of text -> the texts its numbers
    stand for; missing: "" where there are no gaps, "median" where they are to be filled; groups: (n,) int,
    rows of one number stay in one part, or None; notes: what was done to the table when it was read.

    Raises ValueError when the parts do not fit together, a value is not finite or a class is missing.
    """

    name: str
    X: Array
    y: Array
    case_ids: Array
    feature_names: tuple[str, ...]
    families: tuple[str, ...]
    class_names: tuple[str, str]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing: str = ""
    groups: Array | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, dtype in (("X", np.float64), ("y", np.int8), ("case_ids", None), ("groups", np.int64)):
            if getattr(self, name) is not None:
                array = np.array(getattr(self, name), dtype=dtype, order="C")
                array.setflags(write=False)
                object.__setattr__(self, name, array)
        if self.X.ndim != 2:
            raise ValueError(f"X must be a table (n, features), but its shape is {self.X.shape}.")
        rows, columns = self.X.shape
        if self.y.shape != (rows,) or self.case_ids.shape != (rows,):
            raise ValueError(
                f"y and case_ids need one entry for each of {rows} rows, but have shapes "
                f"{self.y.shape} and {self.case_ids.shape}."
            )
        if len(self.feature_names) != columns or len(self.families) != columns:
            raise ValueError(
                f"feature_names and families need one entry for each of {columns} columns, but have "
                f"{len(self.feature_names)} and {len(self.families)}."
            )
        if self.missing not in ("", "median"):
            raise ValueError(f"missing must be '' or 'median', but got {self.missing!r}.")
        if self.groups is not None and self.groups.shape != (rows,):
            raise ValueError(
                f"groups needs one entry for each of {rows} rows, but has the shape {self.groups.shape}."
            )
        bad = np.isinf(self.X) if self.missing else ~np.isfinite(self.X)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise ValueError(
                f"every value must be finite, but case {self.case_ids[row]} has {self.X[row, column]} "
                f"in column {self.feature_names[column]!r}."
            )
        if not np.array_equal(np.unique(self.y), [0, 1]):
            raise ValueError(f"y must hold both classes, 0 and 1, but holds {np.unique(self.y).tolist()}.")
        if len(np.unique(self.case_ids)) != rows:
            raise ValueError(
                f"case_ids must be unique, but {rows} rows share {len(np.unique(self.case_ids))} ids."
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: values, labels, ids and names. Equal content, equal digest, on any
        machine."""
        more: list[Any] = [(name, *texts) for name, texts in self.levels.items()]
        more += [(self.missing,)] if self.missing else []
        more += [] if self.groups is None else [self.groups]
        return digest(
            self.X,
            self.y,
            self.case_ids.astype("U"),
            self.feature_names,
            self.families,
            self.class_names,
            *more,
        )

    @cached_property
    def repeats(self) -> Array:
        """(n,) the first row that holds the same measurements as this one: itself, or an earlier one."""
        return _repeats(self.X)

    @cached_property
    def units(self) -> Array | None:
        """(n,) int: rows of one number are divided together, because they are of one group or hold the same
        measurements (whatever their labels); None when every row stands alone."""
        same = self.repeats
        if self.groups is None:
            return same if len(np.unique(same)) < len(same) else None
        # Rows and groups are the corners of a graph, each row tied to its group and to the first row that
        # equals it.
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        rows, places = np.arange(len(same)), np.unique(self.groups, return_inverse=True)[1]
        ends = np.concatenate([same, len(same) + places])
        ties = coo_array((np.ones(2 * len(same)), (np.tile(rows, 2), ends)), shape=(2 * len(same),) * 2)
        return np.asarray(connected_components(ties, directed=False)[1][: len(same)])


def _repeats(X: Array) -> Array:
    first: dict[bytes, int] = {}
    # Adding 0 makes one zero of the two, which are equal and differ in a bit.
    return np.array(
        [
            first.setdefault(hashlib.sha256((row + 0.0).tobytes()).digest(), place)
            for place, row in enumerate(X)
        ]
    )


def digest(*parts: Any) -> str:
    """SHA-256 (64 hex digits) of arrays and tuples of strings, byte order and shape included."""
    hasher = hashlib.sha256()
    for part in parts:
        array = np.ascontiguousarray(part)
        text = array.dtype.kind == "U"
        data = (
            "\x00".join(array.ravel().tolist()).encode()
            if text
            else array.astype(array.dtype.newbyteorder("<"))
        )
        hasher.update(f"{'text' if text else array.dtype.str[1:]}{array.shape}".encode())
        hasher.update(data if isinstance(data, bytes) else data.tobytes())
    return hasher.hexdigest()


def canonical_hash(content: Any) -> str:
    """SHA-256 (64 hex digits) of any JSON content, independent of the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def listed(words: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    found = list(words)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def wisconsin() -> Dataset:
    """The Wisconsin diagnostic breast-cancer table of scikit-learn: 569 cases, 30 columns, class 1 =
    malignant.

    scikit-learn codes malignant as 0; it is flipped here, once. A case's id is its row number there, from 0.
    The 30 columns are 10 measurements, each as the mean, the error and the worst value over the cell nuclei.
    Source: W. H. Wolberg, W. N. Street, O. L. Mangasarian, 1995.
    """
    from sklearn.datasets import load_breast_cancer

    raw = load_breast_cancer()
    names = tuple(str(name) for name in raw.feature_names)
    return Dataset(
        name="wisconsin",
        X=raw.data,
        y=1 - raw.target,
        case_ids=np.arange(len(raw.target)),
        feature_names=names,
        families=tuple(
            name.removeprefix("mean ").removeprefix("worst ").removesuffix(" error") for name in names
        ),
        class_names=("benign", "malignant"),
    )


DATASETS = {"wisconsin": wisconsin}
