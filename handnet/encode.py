"""From the columns of a table to the inputs of a network.

Texts become one-hot inputs, gaps are filled and marked, and columns that never vary are left out. All of it
is learnt from train rows, with the results of scikit-learn's SimpleImputer and OneHotEncoder, and kept as
plain arrays, so that a model carries it without a pickle. Those two take the columns of text one by one; here
the levels of all are counted together. A table of numbers without gaps comes out as it went in, to the bit.
"""

from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from sklearn.impute import SimpleImputer

from handnet.data import Array, Dataset

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


def fit_encoder(data: Dataset, train: Array) -> Encoder:
    """Learn the encoder from the train rows. train: (n,) int, row numbers of `data`.

    Raises ValueError when no column varies among them.
    """
    X, texts = data.X[train], np.array(list(text_columns(data).values()), dtype=int)
    is_text = np.isin(np.arange(X.shape[1]), texts)
    counts = _level_counts(X[:, texts], max(map(len, data.levels.values()), default=0))
    fill = _fill(X, texts, counts) if data.missing else np.full(X.shape[1], np.nan)
    gaps = np.asarray(np.isnan(X)) if data.missing else np.zeros((1, X.shape[1]), dtype=bool)
    filled = np.where(gaps, fill, X) if data.missing else X
    varies = np.asarray(filled.max(axis=0) != filled.min(axis=0))
    marked = np.asarray(gaps.any(axis=0) & ~gaps.all(axis=0))
    if not (varies | marked).any():
        raise ValueError(
            "no column varies among the train rows, so there is nothing to learn from; use more cases or"
            " another split seed."
        )
    in_train = np.zeros((len(counts), X.shape[1]), dtype=bool)
    in_train[:, texts] = counts > 0
    source, kind, code = _inputs(varies & ~is_text, in_train & varies, marked)
    names, families = (np.array(each, dtype=object) for each in (data.feature_names, data.families))
    return Encoder(
        source,
        kind,
        code,
        fill,
        names=_distinct_names(data, source, kind, code),
        families=tuple(families[source]),
        left_out=tuple(names[~(varies | marked)]),
    )


def _level_counts(X: Array, levels: int) -> Array:
    """(levels, k): how many cells of each column of X (n, k) hold each level."""
    return np.array([np.equal(X, level).sum(axis=0) for level in range(levels)]).reshape(levels, X.shape[1])


def _inputs(numbers: Array, levels: Array, marked: Array) -> tuple[Array, Array, Array]:
    """Source, kind and code of the inputs, each (inputs,), column by column.

    numbers, marked: (columns,) bool, which columns have an input for their value and one for their gaps;
    levels: (levels, columns) bool, which levels a column has. Of two levels only the second has an input.
    """
    order = np.cumsum(levels, axis=0)
    of_level, code = np.nonzero((levels & ((order > 1) | (levels.sum(axis=0) != 2))).T)
    columns = [np.flatnonzero(numbers), of_level, np.flatnonzero(marked)]
    source, kind = np.concatenate(columns), np.repeat([VALUE, LEVEL, GAP], list(map(len, columns)))
    codes = np.zeros(len(source))
    codes[kind == LEVEL] = code
    order = np.lexsort((kind, source))
    return source[order], kind[order], codes[order]


def _distinct_names(data: Dataset, source: Array, kind: Array, code: Array) -> tuple[str, ...]:
    """(inputs,) the names of the inputs, with what they are behind those that would stand twice.

    A column always keeps its name. The mark of a gap or a level that would bear the name of a column, or that
    of an earlier input, says whose it is: "a missing (gap of 'a')", "form=small (level 'small' of 'form')".
    """
    names = np.array(data.feature_names, dtype=object)[source]
    taken = set(data.feature_names)
    for place in np.flatnonzero(kind != VALUE):
        column = names[place]
        if kind[place] == GAP:
            name, what = f"{column} missing", "gap"
        else:
            text = data.levels[column][int(code[place])]
            name, what = f"{column}={text}", f"level {text!r}"
        if name in taken:
            name = f"{name} ({what} of {column!r})"
            numbered = (f"{name} {number}" for number in count(2))
            name = next(free for free in chain([name], numbered) if free not in taken)
        taken.add(name)
        names[place] = name
    return tuple(names)


def _fill(X: Array, texts: Array, counts: Array) -> Array:
    """What fills the gaps of each column of X (n, columns): (columns,), 0 where a column holds nothing.

    It is the median of a number, and of a text the most frequent level, the first of several. texts: (k,) the
    columns of text; counts: (levels, k).
    """
    fill = SimpleImputer(keep_empty_features=True, strategy="median").fit(X).statistics_
    if len(counts):
        fill[texts] = counts.argmax(axis=0)
    return np.asarray(fill)


def train_levels(data: Dataset, encoder: Encoder, train: Array) -> tuple[dict[str, list[str]], Array, Array]:
    """The levels of each text among train rows (n,), and the encoder's `code` and `fill` as places in them.

    Returns {column: texts}, code (inputs,) and fill (columns,). A model that is kept needs them, because the
    dataset's own lists also hold the levels that only sealed rows have.
    """
    levels, code, fill = {}, encoder.code.copy(), encoder.fill.copy()
    for name, column in text_columns(data).items():
        codes, texts = np.unique(level_codes(data.X[train, column])), data.levels[name]
        levels[name] = [texts[int(number)] for number in codes]
        # The inputs of a column stand together, in the order of the columns.
        own = slice(*np.searchsorted(encoder.source, [column, column + 1]))
        inputs = np.flatnonzero(encoder.kind[own] == LEVEL) + own.start
        code[inputs] = np.searchsorted(codes, code[inputs])
        if len(codes) and not np.isnan(fill[column]):
            fill[column] = np.searchsorted(codes, fill[column])
    return levels, code, fill


def text_columns(data: Dataset) -> dict[str, int]:
    """The columns of text, with their places."""
    return {name: place for place, name in enumerate(data.feature_names) if name in data.levels}


def level_codes(cells: Array) -> Array:
    """The levels' numbers in the cells (n,) of a column of text, gaps left out."""
    return cells[~np.isnan(cells)]
