"""Which families of measurements carried a call: exact Shapley values on the logit.

The value of a set of families is the network's logit when they are the case's own and all others stand at a baseline.
A family's credit is what it adds, averaged over every order in which the families could be put in (Shapley 1953;
Lundberg & Lee 2017); with ten families that is 1024 forward passes, and exact. The logit, because a probability near
0 or 1 hardly moves whatever is put in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from handnet.data import Array

MOST = 12  # families; 4096 forward passes a case


@dataclass(frozen=True)
class Families:
    """The players: names, and which columns each one owns, (k, features) bool, every column owned once at most; one that
    nobody owns stays at the baseline."""

    names: tuple[str, ...]
    columns: Array

    @cached_property
    def coalitions(self) -> Array:
        """(2^k, k) bool, in the order of binary numbers: the first is nobody, the last everybody."""
        k = len(self.names)
        return ((np.arange(2**k)[:, None] >> np.arange(k)) & 1).astype(bool)

    @cached_property
    def weights(self) -> Array:
        """(2^k, k): credits are values @ weights. Entry (S, i) is +1 / (k C(k-1, |S|-1)) if i is in S, else
        -1 / (k C(k-1, |S|))."""
        k, members = len(self.names), self.coalitions
        joined = np.array([1 / (k * comb(k - 1, size)) for size in range(k)])
        size = members.sum(axis=1)
        return np.where(members, joined[size - 1][:, None], -joined[np.minimum(size, k - 1)][:, None])

    def over(self, here: Sequence[str], there: Sequence[str]) -> "Families":
        """The same players over other columns: here, there: the family of each column of these, and of those."""
        owner = dict(zip(here, self.columns.argmax(axis=0), strict=True))
        owned = np.array([owner.get(name, -1) for name in there])
        return Families(self.names, owned == np.arange(len(self.names))[:, None])

    def rows(self, x: Array, baseline: Array) -> Array:
        """(2^k, features): the case with every set of families its own, the others at the baseline."""
        own = self.coalitions @ self.columns
        return np.where(own, x, baseline)


def families_of(names: Sequence[str], train: Array) -> Families:
    """The families of a table's columns, (features,) names; more than 12 are joined to 12 by how their columns go
    together among the train rows (n, features): average linkage on 1 - the largest |correlation| of two columns."""
    single = list(dict.fromkeys(names))
    columns = np.array([[name == one for name in names] for one in single])
    if len(single) <= MOST:
        return Families(tuple(single), columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        together = np.nan_to_num(np.abs(np.corrcoef(train, rowvar=False)))
    closest = np.array([[together[np.ix_(a, b)].max() for b in columns] for a in columns])
    distance = 1 - np.clip((closest + closest.T) / 2, 0, 1)
    np.fill_diagonal(distance, 0)
    groups = fcluster(linkage(squareform(distance, checks=False), "average"), MOST, "maxclust")
    order = list(dict.fromkeys(groups))
    joined = [[place for place, group in enumerate(groups) if group == one] for one in order]
    return Families(
        tuple(" & ".join(single[place] for place in group) for group in joined),
        np.array([columns[group].any(axis=0) for group in joined]),
    )


@dataclass(frozen=True)
class Credits:
    """What each family did for one case in R networks. values: (R, 2^k) logits; credits: (R, k), summing to the case's
    logit minus the baseline's."""

    families: Families
    values: Array

    @cached_property
    def credits(self) -> Array:
        return np.asarray(self.values @ self.families.weights)

    def without(self, which: Array) -> Array:
        """(R,): the logits of the case with the families in `which` (k,) bool put back to the baseline."""
        left = (self.families.coalitions == ~which).all(axis=1)
        return np.asarray(self.values[:, left][:, 0])


def credits_of(logits: Callable[[Array], Array], x: Array, baseline: Array, families: Families) -> Credits:
    """The credits of one case. logits: rows (n, features) -> (R, n); x, baseline: (features,), scaled as the rows are."""
    return Credits(families, np.asarray(logits(families.rows(x, baseline)), dtype=np.float64))
