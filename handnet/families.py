"""Which measurements are explained together: the players of a Shapley value.

Columns that are nearly functions of each other cannot be told apart by what a network does with them: a case
with the radius of one tumour and the area of another does not exist, and three credits for one size say one
thing three times. So families whose columns correlate above .9 are one family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from math import comb
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from handnet.data import MOST_LISTED, Array

MOST_FAMILIES = 12  # 4096 forward passes a case
ONE = 0.9  # families with columns that correlate above this, in absolute value, are one


@dataclass(frozen=True)
class Families:
    """The k players of a Shapley value; a column that no family owns stays at the baseline."""

    names: tuple[str, ...]  # (k,)
    columns: Array  # (k, features) bool: the columns of each family, every column owned once at most

    @cached_property
    def coalitions(self) -> Array:
        """Every set of families, (2^k, k) bool, in binary order: the first is empty, the last holds all."""
        k = len(self.names)
        return ((np.arange(2**k)[:, None] >> np.arange(k)) & 1).astype(bool)

    @cached_property
    def weights(self) -> Array:
        """The matrix (2^k, k) that turns values (R, 2^k) into credits (R, k) = values @ weights.

        Entry (S, i) is +1 / (k C(k-1, |S|-1)) if i is in S, else -1 / (k C(k-1, |S|)).
        """
        k, members = len(self.names), self.coalitions
        share = np.array([1 / (k * comb(k - 1, size)) for size in range(k)])
        size = members.sum(axis=1)
        return np.where(members, share[size - 1][:, None], -share[np.minimum(size, k - 1)][:, None])

    @cached_property
    def present(self) -> Array:
        """Which columns each set of families holds, (2^k, features) bool."""
        return np.asarray(self.coalitions[:, self.columns.argmax(axis=0)] & self.columns.any(axis=0))

    def for_columns(self, own: Sequence[str], other: Sequence[str]) -> "Families":
        """The same players over the columns of another table.

        own, other: the family of each column, (features,), of this table and of the other one.
        """
        owner = dict(zip(own, self.columns.argmax(axis=0), strict=True))
        owners = np.array([owner.get(name, -1) for name in other])
        return Families(self.names, owners == np.arange(len(self.names))[:, None])

    def rows(self, x: Array, baseline: Array) -> Array:
        """The case x (features,) by coalition: its own values in those families, else the baseline's.

        baseline: (features,); returns (2^k, features).
        """
        return np.where(self.present, x, baseline)


def families_of(names: Sequence[str], train: Array, marks: Array | None = None) -> Families:
    """The families of columns with these family names, (features,), some of them joined.

    train: (n, features), the train rows. marks: (features,) bool, the columns that mark the gaps of another;
    None: there are none. Unrelated measurements have their gaps in the same rows where a case was not
    measured at all, so marks do not count here. Two families are as close as the two columns of them that
    correlate most, in absolute value. Families closer than .9 are one, and so are those that a chain of such
    pairs connects; what is still more than 12 is merged into 12 by average linkage on 1 - |correlation|.
    """
    single = list(dict.fromkeys(names))
    places = {name: place for place, name in enumerate(single)}
    owner = np.array([places[name] for name in names])  # (features,) the place of each column's family
    if len(single) > 1:
        closest = _closest(owner, train, np.zeros(len(owner), dtype=bool) if marks is None else marks)
        near: Any = csr_array(closest > ONE)
        joined = connected_components(near, directed=False)[1]
        if joined.max() >= MOST_FAMILIES:
            joined = _clusters(_largest(closest, joined))[joined]
        order = {cluster: place for place, cluster in enumerate(dict.fromkeys(joined.tolist()))}
        place_of = np.array([order[cluster] for cluster in joined.tolist()])
        single = _merged_names(
            [[single[one] for one in np.flatnonzero(place_of == place)] for place in range(len(order))]
        )
        owner = place_of[owner]
    return Families(tuple(single), owner == np.arange(len(single))[:, None])


def _closest(owner: Array, train: Array, marks: Array) -> Array:
    """(k, k) the largest |correlation| between columns of two families; 0 where a column never varies,
    or is a mark.

    owner: (features,), the place of a column's family; marks: (features,) bool.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        closest = np.corrcoef(train, rowvar=False)
    np.nan_to_num(np.abs(closest, out=closest), copy=False)
    closest[marks], closest[:, marks] = 0, 0
    return _largest(closest, owner)


def _largest(closest: Array, owner: Array) -> Array:
    """(k, k) the largest entry of a symmetric matrix (m, m) between the members of two sets.

    owner: (m,), the set of each row, 0 to k - 1.
    """
    order = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    if len(starts) < len(order):
        closest = np.maximum.reduceat(closest[order], starts, axis=0)
        closest = np.maximum.reduceat(closest[:, order], starts, axis=1)
    return closest


def _clusters(closest: Array) -> Array:
    """(k,) the cluster of each family, 12 or fewer, by average linkage. closest: (k, k)."""
    distance = closest + closest.T  # in place from here on: of 10 000 families it takes 800 MB
    distance /= 2
    np.subtract(1, np.clip(distance, 0, 1, out=distance), out=distance)
    np.fill_diagonal(distance, 0)
    return np.asarray(
        fcluster(linkage(squareform(distance, checks=False), "average"), MOST_FAMILIES, "maxclust")
    )


def _merged_names(members: Sequence[Sequence[str]]) -> list[str]:
    """A name for each set of families, no two alike: theirs, the first of many."""
    names: list[str] = []
    for families in members:
        rest = len(families) - MOST_LISTED
        *first, last = [*families[:MOST_LISTED], *([f"{rest} more"] if rest > 0 else [])]
        name = f"{', '.join(first)} & {last}" if first else last
        numbered = (f"{name} ({number})" for number in count(2))
        names.append(next(free for free in chain([name], numbered) if free not in names))
    return names
