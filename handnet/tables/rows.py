"""Rows of a table that are left out: those without a label, and those with a gap."""

from collections.abc import Mapping, Sequence
from itertools import compress

import numpy as np

from handnet.data import Array
from handnet.messages import option
from handnet.tables.numerals import Cells
from handnet.tables.sheets import Sheet


def kept_rows(sheet: Sheet, known: Array) -> Sheet:
    """The rows of a sheet that known (n,) says are kept."""
    columns: dict[str, list[Cells]] = {}
    for name, blocks in sheet.columns.items():
        begins, columns[name] = 0, []
        for block in blocks:
            part = known[begins : begins + len(block)]
            begins += len(block)
            cells = list(compress(block, part)) if isinstance(block, list) else block[part]
            columns[name].append(cells)
    names = None if sheet.row_names is None else list(compress(sheet.row_names, known))
    gaps = {name: _gaps_left(words, columns[name]) for name, words in sheet.gaps.items()}
    numbers = list(compress(sheet.numbers, known))
    return sheet._replace(columns=columns, numbers=numbers, row_names=names, gaps=gaps)


def _gaps_left(words: Mapping[str, int], blocks: Sequence[Cells]) -> Mapping[str, int]:
    """How often each word for a gap stands in blocks of numbers of which rows were left out; the words
    together where there are several, because a gap does not keep its word."""
    left = sum(int(np.isnan(block).sum()) for block in blocks if not isinstance(block, list))
    if left in (0, sum(words.values())):
        return words if left else {}
    return {" or ".join(word or "empty" for word in sorted(words)) if len(words) > 1 else max(words): left}


def complete_rows(X: Array, y: Array, k: int) -> Array:
    """(n,) whether a row of X (n, features) has no gap.

    y: (n,) the target, of k classes, or a number where k is 0. Raises ValueError when the rows without a gap
    lack a class, or are all of one number.
    """
    kept = np.asarray(~np.isnan(X).any(axis=1))
    if len(np.unique(y[kept])) < (k or 2):
        what = f"are not of {'two' if k == 2 else k} classes" if k else "do not differ in the target"
        raise ValueError(
            f"{(~kept).sum()} rows have a gap, and the {kept.sum()} without one {what}; fill the gaps in, or"
            f" use {option('missing', 'median')}."
        )
    return kept
