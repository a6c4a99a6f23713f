"""From the columns of a table to the inputs of a network: texts one-hot, gaps filled and marked, what never
varies left out.

All of it is learnt from train rows, by scikit-learn's SimpleImputer and OneHotEncoder. What they learnt is
kept as plain arrays, so that a model carries it without a pickle; a table of numbers without gaps comes out
as it went in, to the bit."""

from dataclasses import dataclass

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from handnet.data import Array, Dataset, listed

VALUE, LEVEL, GAP = range(
    3
)  # what an input is: the column's value; whether it holds one level; whether it has a gap


@dataclass(frozen=True)
class Encoder:
    """What the train rows of a table say about its columns.

    source (inputs,): the column each input is made of; kind (inputs,): VALUE, LEVEL or GAP; code (inputs,):
    the number of the level; fill (columns,): what stands in for a gap, NaN where nothing does; names,
    families (inputs,); left_out: the columns that never vary among the train rows, of which there is no
    input."""

    source: Array
    kind: Array
    code: Array
    fill: Array
    names: tuple[str, ...]
    families: tuple[str, ...]
    left_out: tuple[str, ...]

    def __call__(self, X: Array) -> Array:
        """Rows of the table (n, columns) as inputs (n, inputs), unscaled. A level no train row has is 0 in
        all of its column's."""
        plain = np.isnan(self.fill).all() and (self.kind == VALUE).all()
        if plain and np.array_equal(self.source, np.arange(X.shape[1])):
            return X
        found = np.where(np.isnan(X), self.fill, X)[:, self.source]
        level, gap = self.kind == LEVEL, self.kind == GAP
        found[:, level] = found[:, level] == self.code[level]
        found[:, gap] = np.isnan(X[:, self.source[gap]])
        return found


def encoder(data: Dataset, rows: Array) -> Encoder:
    """Learnt from these rows of `data`, the train rows. Raises ValueError when no column varies among
    them."""
    train = data.X[rows]
    text = np.array([name in data.levels for name in data.feature_names])
    fill = _fill(train, text) if data.missing else np.full(train.shape[1], np.nan)
    gaps = np.asarray(np.isnan(train)) if data.missing else np.zeros((1, train.shape[1]), dtype=bool)
    whole = np.where(gaps, fill, train) if data.missing else train
    varies = np.asarray(whole.max(axis=0) != whole.min(axis=0))
    marked = np.asarray(gaps.any(axis=0) & ~gaps.all(axis=0))
    found: list[tuple[int, int, float, str]] = []
    for column, name in enumerate(data.feature_names):
        if text[column] and varies[column]:
            seen = OneHotEncoder(drop="if_binary", dtype=np.float64).fit(whole[:, [column]])
            kept = seen.categories_[0][1 if len(seen.categories_[0]) == 2 else 0 :]
            found += [(column, LEVEL, code, f"{name}={data.levels[name][int(code)]}") for code in kept]
        elif varies[column]:
            found.append((column, VALUE, 0.0, name))
        if marked[column]:
            found.append((column, GAP, 0.0, f"{name} missing"))
    if not found:
        raise ValueError(
            "no column varies among the train rows, so there is nothing to learn from; use more cases or"
            " another split seed."
        )
    source, kind, code, names = zip(*found, strict=True)
    left_out = tuple(name for column, name in enumerate(data.feature_names) if column not in set(source))
    families = tuple(data.families[column] for column in source)
    return Encoder(np.array(source), np.array(kind), np.array(code), fill, names, families, left_out)


def _fill(train: Array, text: Array) -> Array:
    """(columns,): the median of a number, the most frequent level of a text; 0 where the train rows hold
    nothing."""
    fill = np.zeros(train.shape[1])
    for strategy, columns in (("median", ~text), ("most_frequent", text)):
        if columns.any():
            fill[columns] = (
                SimpleImputer(strategy=strategy, keep_empty_features=True).fit(train[:, columns]).statistics_
            )
    return fill


def known(data: Dataset, found: Encoder, train: Array) -> tuple[dict[str, list[str]], Array, Array]:
    """The levels of each text that train rows have; `code` and `fill` of the encoder as places among these
    alone. For a model that is kept: the dataset's own lists hold what only sealed rows have."""
    levels, code, fill = {}, found.code.copy(), found.fill.copy()
    for name, texts in data.levels.items():
        column, seen = data.feature_names.index(name), np.unique(_seen(data, name, train))
        levels[name] = [texts[int(one)] for one in seen]
        inputs = (found.source == column) & (found.kind == LEVEL)
        code[inputs] = np.searchsorted(seen, code[inputs])
        if len(seen) and not np.isnan(fill[column]):
            fill[column] = np.searchsorted(seen, fill[column])
    return levels, code, fill


def notes(data: Dataset, found: Encoder, train: Array, val: Array) -> tuple[str, ...]:
    """What was done to the table, a sentence each: when it was read, and by the encoder. train, val: row
    numbers; the sealed rows are not looked at."""
    said = [*data.notes, *_together(data)]
    if found.left_out:
        said.append(
            f"Left out, because they never vary among the train rows: {listed(map(repr, found.left_out))}."
        )
    texts = [
        f"{name!r} ({len(np.unique(_seen(data, name, train)))} levels)"
        for name in data.levels
        if name not in found.left_out
    ]
    if texts:
        said.append(f"One-hot, from the levels of the train rows: {listed(texts)}.")
    holes = (
        {
            name: int(count)
            for name, count in zip(data.feature_names, np.isnan(data.X[train]).sum(axis=0), strict=True)
        }
        if data.missing
        else {}
    )
    gaps = [f"{name!r} ({count})" for name, count in holes.items() if count]
    if gaps:
        said.append(
            f"Gaps of the {len(train)} train rows, filled with the median or the most frequent level and"
            f" marked by an input of their own: {listed(gaps)}."
        )
    unseen = [
        f"{name!r} ({count})"
        for name in data.levels
        if (count := int((~np.isin(_seen(data, name, val), _seen(data, name, train))).sum()))
    ]
    told = _tells(data, found, train)
    if told:
        said.append(
            f"Tells the classes apart by itself in all {len(train)} train rows: {listed(map(repr, told))};"
            " what is known only after the label must be left out."
        )
    if unseen:
        said.append(
            f"Validation cases with a level no train row has, which is none of the inputs: {listed(unseen)}."
        )
    return tuple(said)


def _together(data: Dataset) -> list[str]:
    """What is to be said of rows that are divided together."""
    said = []
    if data.groups is not None:
        said.append(
            f"The {len(data.y)} rows are of {len(np.unique(data.groups))} groups, and a group falls into one"
            " part; a band over cases takes rows for independent, so it is too narrow where those of a group"
            " are alike."
        )
    repeated = int((data.repeats != np.arange(len(data.y))).sum())
    if repeated:
        rows = np.bincount(data.repeats, minlength=len(data.y))
        positive = np.bincount(data.repeats, weights=data.y, minlength=len(data.y))
        torn = (positive > 0) & (positive < rows)
        text = (
            f"{repeated} of {len(data.y)} rows repeat the measurements of an earlier one; equal rows fall"
            " into one part."
        )
        if torn.any():
            text += (
                f" Rows with equal measurements and both labels: {rows[torn].sum()}, in {torn.sum()} sets; no"
                " method calls all of those right."
            )
        said.append(text)
    return said


def _tells(data: Dataset, found: Encoder, train: Array) -> list[str]:
    """The columns of which one input, cut at one place, divides the train rows by their labels; or of which
    every level has one label."""
    X, positive = found(data.X[train]), data.y[train] == 1
    ones, zeros = X[positive], X[~positive]
    apart = (ones.min(axis=0) > zeros.max(axis=0)) | (ones.max(axis=0) < zeros.min(axis=0))
    columns = set(found.source[apart].tolist())
    for name in data.levels.keys() - set(found.left_out):
        column = data.feature_names.index(name)
        cells = np.where(np.isnan(data.X[train, column]), found.fill[column], data.X[train, column])
        if not set(cells[positive]) & set(cells[~positive]):
            columns.add(column)
    return [name for column, name in enumerate(data.feature_names) if column in columns]


def _seen(data: Dataset, name: str, rows: Array) -> Array:
    """The levels of a column in these rows, without gaps."""
    values = data.X[rows, data.feature_names.index(name)]
    return values[~np.isnan(values)]
