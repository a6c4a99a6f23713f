"""From the columns of a table to the inputs of a network.

Texts become one-hot inputs, gaps are filled and marked, and columns that never vary are left out. All of it
is learnt from train rows, by scikit-learn's SimpleImputer and OneHotEncoder, and kept as plain arrays, so
that a model carries it without a pickle. A table of numbers without gaps comes out as it went in, to the bit.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from handnet.data import Array, Dataset, listed

# What an input is: the column's value; whether the column holds one level; whether it has a gap.
VALUE, LEVEL, GAP = range(3)


@dataclass(frozen=True)
class Encoder:
    """The inputs made of a table's columns, as the train rows decide them."""

    source: Array  # (inputs,) int: the column each input is made of
    kind: Array  # (inputs,) int: VALUE, LEVEL or GAP
    code: Array  # (inputs,) float: the number of the level, 0 where there is none
    fill: Array  # (columns,) float: what stands in for a gap, NaN where nothing does
    names: tuple[str, ...]  # (inputs,)
    families: tuple[str, ...]  # (inputs,)
    left_out: tuple[str, ...]  # columns that never vary among the train rows and have no input

    def __call__(self, X: Array) -> Array:
        """Rows of the table (n, columns) as inputs (n, inputs), unscaled.

        A level that no train row has is 0 in every input of its column.
        """
        numbers_only = np.isnan(self.fill).all() and (self.kind == VALUE).all()
        if numbers_only and np.array_equal(self.source, np.arange(X.shape[1])):
            return X
        inputs = np.where(np.isnan(X), self.fill, X)[:, self.source]
        level, gap = self.kind == LEVEL, self.kind == GAP
        inputs[:, level] = inputs[:, level] == self.code[level]
        inputs[:, gap] = np.isnan(X[:, self.source[gap]])
        return inputs


class _Input(NamedTuple):
    """One input of a network."""

    source: int  # its column
    kind: int
    code: float
    name: str


def fit_encoder(data: Dataset, train: Array) -> Encoder:
    """Learn the encoder from the train rows. train: (n,) int, row numbers of `data`.

    Raises ValueError when no column varies among them.
    """
    X = data.X[train]
    is_text = np.array([name in data.levels for name in data.feature_names])
    fill = _fill(X, is_text) if data.missing else np.full(X.shape[1], np.nan)
    gaps = np.asarray(np.isnan(X)) if data.missing else np.zeros((1, X.shape[1]), dtype=bool)
    filled = np.where(gaps, fill, X) if data.missing else X
    varies = np.asarray(filled.max(axis=0) != filled.min(axis=0))
    marked = np.asarray(gaps.any(axis=0) & ~gaps.all(axis=0))
    inputs: list[_Input] = []
    for column, name in enumerate(data.feature_names):
        if varies[column] and is_text[column]:
            inputs += _one_hot(column, name, data.levels[name], filled[:, [column]])
        elif varies[column]:
            inputs.append(_Input(column, VALUE, 0.0, name))
        if marked[column]:
            inputs.append(_Input(column, GAP, 0.0, f"{name} missing"))
    if not inputs:
        raise ValueError(
            "no column varies among the train rows, so there is nothing to learn from; use more cases or"
            " another split seed."
        )
    source, kind, code, names = zip(*inputs, strict=True)
    left_out = tuple(name for column, name in enumerate(data.feature_names) if column not in set(source))
    families = tuple(data.families[column] for column in source)
    return Encoder(np.array(source), np.array(kind), np.array(code), fill, names, families, left_out)


def _one_hot(column: int, name: str, texts: tuple[str, ...], cells: Array) -> list[_Input]:
    """One input for each level in cells (n, 1); a single one where there are two levels."""
    codes = OneHotEncoder(drop="if_binary", dtype=np.float64).fit(cells).categories_[0]
    kept = codes[1:] if len(codes) == 2 else codes
    return [_Input(column, LEVEL, code, f"{name}={texts[int(code)]}") for code in kept]


def _fill(X: Array, is_text: Array) -> Array:
    """What fills the gaps of each column of X (n, columns): (columns,), 0 where a column holds nothing.

    It is the median of a number, and the most frequent level of a text.
    """
    fill = np.zeros(X.shape[1])
    for strategy, columns in (("median", ~is_text), ("most_frequent", is_text)):
        if columns.any():
            imputer = SimpleImputer(strategy=strategy, keep_empty_features=True).fit(X[:, columns])
            fill[columns] = imputer.statistics_
    return fill


def train_levels(data: Dataset, encoder: Encoder, train: Array) -> tuple[dict[str, list[str]], Array, Array]:
    """The levels of each text among train rows (n,), and the encoder's `code` and `fill` as places in them.

    Returns {column: texts}, code (inputs,) and fill (columns,). A model that is kept needs them, because the
    dataset's own lists also hold the levels that only sealed rows have.
    """
    levels, code, fill = {}, encoder.code.copy(), encoder.fill.copy()
    for name, texts in data.levels.items():
        column, codes = data.feature_names.index(name), np.unique(_codes(data, name, train))
        levels[name] = [texts[int(number)] for number in codes]
        inputs = (encoder.source == column) & (encoder.kind == LEVEL)
        code[inputs] = np.searchsorted(codes, code[inputs])
        if len(codes) and not np.isnan(fill[column]):
            fill[column] = np.searchsorted(codes, fill[column])
    return levels, code, fill


def table_notes(data: Dataset, encoder: Encoder, train: Array, val: Array) -> tuple[str, ...]:
    """What was done to the table, a sentence each: when it was read, and by the encoder.

    train, val: (n,) int, row numbers; the sealed rows are not looked at.
    """
    notes, n = [*data.notes, *_block_notes(data)], len(train)

    def tell(sentence: str, names: list[str]) -> None:
        if names:
            notes.append(sentence.format(listed(names)))

    tell("Left out, because they never vary among the train rows: {}.", list(map(repr, encoder.left_out)))
    tell("One-hot, from the levels of the train rows: {}.", _level_counts(data, encoder, train))
    tell(
        f"Gaps of the {n} train rows, filled with the median or the most frequent level and marked by an"
        " input of their own: {}.",
        _gap_counts(data, train),
    )
    tell(
        f"Tells the classes apart by itself in all {n} train rows: {{}}; what is known only after the label"
        " must be left out.",
        list(map(repr, _separating_columns(data, encoder, train))),
    )
    tell(
        "Validation cases with a level no train row has, which is none of the inputs: {}.",
        _unseen_counts(data, train, val),
    )
    return tuple(notes)


def _level_counts(data: Dataset, encoder: Encoder, train: Array) -> list[str]:
    """Each column of text with the number of levels it has in the train rows (n,)."""
    texts = [name for name in data.levels if name not in encoder.left_out]
    return [f"{name!r} ({len(np.unique(_codes(data, name, train)))} levels)" for name in texts]


def _gap_counts(data: Dataset, train: Array) -> list[str]:
    """Each column with the number of its gaps in the train rows (n,), where it has any."""
    if not data.missing:
        return []
    counts = zip(data.feature_names, np.isnan(data.X[train]).sum(axis=0), strict=True)
    return [f"{name!r} ({int(count)})" for name, count in counts if count]


def _unseen_counts(data: Dataset, train: Array, val: Array) -> list[str]:
    """Each column of text with the number of validation rows (n,) whose level no train row (n,) has."""
    unseen = {name: ~np.isin(_codes(data, name, val), _codes(data, name, train)) for name in data.levels}
    return [f"{name!r} ({int(rows.sum())})" for name, rows in unseen.items() if rows.any()]


def _block_notes(data: Dataset) -> list[str]:
    """Sentences on the rows that fall into one part."""
    sentences, n = [], len(data.y)
    if data.groups is not None:
        sentences.append(
            f"The {n} rows are of {len(np.unique(data.groups))} groups, and a group falls into one"
            " part; a band over cases takes rows for independent, so it is too narrow where those of a group"
            " are alike."
        )
    repeated = int((data.first_equal != np.arange(n)).sum())
    if repeated:
        sentence = (
            f"{repeated} of {n} rows repeat the measurements of an earlier one; equal rows fall"
            " into one part."
        )
        rows = np.bincount(data.first_equal, minlength=n)
        positive = np.bincount(data.first_equal, weights=data.y, minlength=n)
        mixed = (positive > 0) & (positive < rows)
        if mixed.any():
            sentence += (
                f" Rows with equal measurements and both labels: {rows[mixed].sum()}, in {mixed.sum()} sets;"
                " no method calls all of those right."
            )
        sentences.append(sentence)
    return sentences


def _separating_columns(data: Dataset, encoder: Encoder, train: Array) -> list[str]:
    """The columns that tell the labels of the train rows (n,) apart by themselves.

    One input of theirs, cut at one place, divides the rows by label, or every level has one label.
    """
    X, positive = encoder(data.X[train]), data.y[train] == 1
    ones, zeros = X[positive], X[~positive]
    apart = (ones.min(axis=0) > zeros.max(axis=0)) | (ones.max(axis=0) < zeros.min(axis=0))
    columns = set(encoder.source[apart].tolist())
    for name in data.levels.keys() - set(encoder.left_out):
        column = data.feature_names.index(name)
        cells = np.where(np.isnan(data.X[train, column]), encoder.fill[column], data.X[train, column])
        if not set(cells[positive]) & set(cells[~positive]):
            columns.add(column)
    return [name for column, name in enumerate(data.feature_names) if column in columns]


def _codes(data: Dataset, name: str, rows: Array) -> Array:
    """The levels' numbers of a column in these rows (n,), gaps left out."""
    values = data.X[rows, data.feature_names.index(name)]
    return values[~np.isnan(values)]
