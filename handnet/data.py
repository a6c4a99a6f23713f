"""The table of cases a network learns from, with everything needed to name a case and a column again."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
MOST_LISTED = 5  # names or values a sentence lists before it counts the rest
MOST_CLASSES = 50
STATISTIC = "mean|worst|error|se|sd|std|sem|min|max|median|average|avg"  # words in the names of columns


class Table(NamedTuple):
    """What a backend sees: scaled columns, truths and weights, no names, no ids."""

    X: Array  # (n, features) float64
    y: Array  # (n,) int8, the class of each row from 0; or float64, a number in its own unit
    weight: Array | None = None  # (n,) float64, at least 0: how much each row counts; None: all the same


@dataclass(frozen=True)
class Dataset:
    """A whole unscaled table: a gap is NaN, a text the place of its level in `levels`.

    The target is a class or a number, which `class_names` tells: it holds 2 names, or 3 to 50, or none where
    the target is a number. The arrays are copied and made read-only. Raises ValueError when the parts do not
    fit together, a value is not finite, an id comes twice, a class is missing or a number never varies.
    """

    name: str
    X: Array  # (n, features) float64
    y: Array  # (n,) int8, the place in class_names, of two 1 for the positive one; or float64, a number
    case_ids: Array  # (n,) unique
    feature_names: tuple[str, ...]  # (features,)
    families: tuple[str, ...]  # (features,) columns of one family measure one thing
    class_names: tuple[str, ...]  # (k,) of class 0, class 1 and so on; () where the target is a number
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column of text -> its texts
    missing: str = ""  # "" where there are no gaps, "median" where they are to be filled
    groups: Array | None = None  # (n,) int: rows of one number stay in one part
    notes: tuple[str, ...] = ()  # what was done to the table when it was read
    target: str = ""  # the name of a number that is the target, with its unit

    def __post_init__(self) -> None:
        truths = np.int8 if self.class_names else np.float64
        self._check_target()
        for name, dtype in (("X", np.float64), ("y", truths), ("case_ids", None), ("groups", np.int64)):
            if getattr(self, name) is not None:
                array = np.array(getattr(self, name), dtype=dtype, order="C")
                array.setflags(write=False)
                object.__setattr__(self, name, array)
        self._check_shapes()
        self._check_values()

    def frame(self, rows: Array) -> "pd.DataFrame":
        """Some rows (m,) of the table with its own columns, texts for levels and NaN for gaps."""
        import pandas as pd

        frame = pd.DataFrame(self.X[rows], columns=list(self.feature_names))
        for name, texts in self.levels.items():
            frame[name] = [np.nan if np.isnan(code) else texts[int(code)] for code in frame[name]]
        return frame

    def _check_target(self) -> None:
        """That y holds every class, or a number that varies; before a cast to small integers hides it."""
        y, k = np.asarray(self.y), len(self.class_names)
        if k == 1 or k > MOST_CLASSES:
            raise ValueError(
                f"class_names must hold 2 to {MOST_CLASSES} names, or none for a number, but holds {k}."
            )
        if not k:
            if y.dtype.kind not in "iuf" or not np.isfinite(y).all() or len(np.unique(y)) < 2:
                raise ValueError("y must hold finite numbers that differ, because class_names is empty.")
        elif not np.array_equal(np.unique(y), np.arange(k)):
            every = "both classes, 0 and 1" if k == 2 else f"all {k} classes, 0 to {k - 1}"
            raise ValueError(f"y must hold {every}, but holds {listed(map(str, np.unique(y).tolist()))}.")

    def _check_shapes(self) -> None:
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

    def _check_values(self) -> None:
        bad = np.isinf(self.X) if self.missing else ~np.isfinite(self.X)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise ValueError(
                f"every value must be finite, but case {self.case_ids[row]} has {self.X[row, column]} "
                f"in column {self.feature_names[column]!r}."
            )
        ids, rows = len(np.unique(self.case_ids)), len(self.y)
        if ids != rows:
            raise ValueError(f"case_ids must be unique, but {rows} rows share {ids} ids.")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of values, truths, ids and names: equal content has an equal digest on any machine."""
        names = self.feature_names, self.families, self.class_names or (self.target,)
        options: list[Any] = [(name, *texts) for name, texts in self.levels.items()]
        options += [(self.missing,)] if self.missing else []
        options += [] if self.groups is None else [self.groups]
        return digest(self.X, self.y, self.case_ids.astype("U"), *names, *options)

    @cached_property
    def first_equal(self) -> Array:
        """(n,) int: the first row that holds the same measurements as this one, an earlier one or itself."""
        first: dict[bytes, int] = {}
        # Adding 0 turns -0.0, which equals 0.0 and differs in a bit, into 0.0.
        hashes = [hashlib.sha256((row + 0.0).tobytes()).digest() for row in self.X]
        return np.array([first.setdefault(key, row) for row, key in enumerate(hashes)])

    @cached_property
    def blocks(self) -> Array | None:
        """(n,) int: rows of one number must fall into one part; None when every row stands alone.

        They are of one group; in a table without groups they hold the same measurements, whatever their
        labels. Equal rows of different groups need not stay together: who names the groups has said what is
        one, and a design that repeats its settings in each group (every week and dose for every animal) makes
        equal rows that are no copies. Kept together, they would weld the groups into a few large blocks.
        """
        if self.groups is not None:
            return np.asarray(np.unique(self.groups, return_inverse=True)[1])
        return self.first_equal if len(np.unique(self.first_equal)) < len(self.first_equal) else None


def digest(*parts: Any) -> str:
    """SHA-256 (64 hex digits) of arrays of any shape and of tuples of strings, dtype and shape included."""
    hasher = hashlib.sha256()
    for part in parts:
        texts = isinstance(part, tuple) and len(part) > 0 and isinstance(part[0], str)
        # As objects: an array of texts takes the room of the longest for each.
        array = np.array(part, dtype=object) if texts else np.ascontiguousarray(part)
        if texts or array.dtype.kind == "U":
            kind, data = "text", "\x00".join(text.rstrip("\x00") for text in array.ravel().tolist()).encode()
        else:
            kind, data = array.dtype.str[1:], array.astype(array.dtype.newbyteorder("<")).tobytes()
        hasher.update(f"{kind}{array.shape}".encode())
        hasher.update(data)
    return hasher.hexdigest()


def canonical_hash(content: Any) -> str:
    """SHA-256 (64 hex digits) of any JSON content, independent of the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def listed(words: Iterable[str], most: int = MOST_LISTED) -> str:
    """The first five of the words, or `most`, and how many more there are, as text."""
    words = list(words)
    rest = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + rest


def families_of(names: Sequence[str]) -> tuple[str, ...]:
    """(features,) the family of each column, from the names (features,).

    Columns are one family when their names differ only in a word for a statistic at either end (mean radius,
    radius error; radius_mean, radius_worst), or in a number at the end where two stems or more are counted by
    the same numbers (radius1, radius2, texture1, texture2).
    """
    before, after = rf"(?:{STATISTIC})[ _.-]+", rf"[ _.-]+(?:{STATISTIC})"
    stems = [re.sub(rf"^{before}|{after}$", "", name, flags=re.IGNORECASE) or name for name in names]
    numbered = {name: re.fullmatch(r"(.*?\D)[ _.-]?(\d+)", name, re.DOTALL) for name in stems}
    counted: dict[str, set[str]] = {}
    for match in filter(None, numbered.values()):
        counted.setdefault(match[1].rstrip(" _.-"), set()).add(match[2])
    repeats = len(counted) > 1 and len(set(map(frozenset, counted.values()))) == 1
    if repeats and all(len(numbers) > 1 for numbers in counted.values()):
        stems = [counter[1].rstrip(" _.-") if (counter := numbered[stem]) else stem for stem in stems]
    return tuple(stems)


def wisconsin() -> Dataset:
    """The Wisconsin diagnostic breast-cancer table: 569 cases, 30 columns, class 1 = malignant.

    It comes with scikit-learn, which codes malignant as 0; the labels are flipped here, once. A case's id is
    its row number there, from 0. The columns are 10 measurements, each as the mean, the error and the worst
    value over the cell nuclei. Source: W. H. Wolberg, W. N. Street, O. L. Mangasarian, 1995.
    """
    from sklearn.datasets import load_breast_cancer

    raw = load_breast_cancer()
    names = tuple(str(name) for name in raw.feature_names)
    measured = [name.removeprefix("mean ").removeprefix("worst ").removesuffix(" error") for name in names]
    return Dataset(
        name="wisconsin",
        X=raw.data,
        y=1 - raw.target,
        case_ids=np.arange(len(raw.target)),
        feature_names=names,
        families=tuple(measured),
        class_names=("benign", "malignant"),
    )


def wine() -> Dataset:
    """The wine table: 178 cases, 13 columns of chemistry, three classes, the cultivars.

    It comes with scikit-learn, which calls the cultivars class_0 to class_2. A case's id is its row number
    there, from 0. Source: M. Forina and others, 1988.
    """
    from sklearn.datasets import load_wine

    raw = load_wine()
    names = tuple(map(str, raw.feature_names))
    cultivars = ("cultivar 1", "cultivar 2", "cultivar 3")
    return Dataset("wine", raw.data, raw.target, np.arange(len(raw.target)), names, names, cultivars)


def digits() -> Dataset:
    """Handwritten digits: 1797 cases, 64 columns, ten classes, the digits 0 to 9.

    A column is how much ink is in one of 8 x 8 pixels, 0 to 16; a family is a row of the image. The table
    comes with scikit-learn. A case's id is its row number there, from 0. Source: E. Alpaydin and C. Kaynak,
    1998.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    names = tuple(map(str, raw.feature_names))  # pixel_0_0, row by row
    rows = tuple(f"row {name.split('_')[1]}" for name in names)
    labels = tuple(map(str, raw.target_names))
    return Dataset("digits", raw.data, raw.target, np.arange(len(raw.target)), names, rows, labels)


def diabetes() -> Dataset:
    """The diabetes table: 442 cases, 10 columns; the target is a number, how far the disease has gone on.

    It comes with scikit-learn, here in the units it was measured in. The target is a score one year later, 25
    to 346. A case's id is its row number there, from 0. Source: B. Efron and others, Least angle regression,
    2004.
    """
    from sklearn.datasets import load_diabetes

    raw = load_diabetes(scaled=False)
    names = tuple(map(str, raw.feature_names))
    ids = np.arange(len(raw.target))
    return Dataset(
        "diabetes", raw.data, raw.target, ids, names, names, class_names=(), target="disease progression"
    )


DATASETS = {"wisconsin": wisconsin, "wine": wine, "digits": digits, "diabetes": diabetes}
