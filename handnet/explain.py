"""The cases that are called wrong, what is unusual about them, and which measurements carried the call.

The credit of a family of measurements is its exact Shapley value on the logit. The value of a set of families is
the network's logit when they are the case's own and all others stand at a baseline. A family's credit is what it
adds, averaged over every order in which the families could be put in (Shapley 1953; Lundberg & Lee 2017); ten
families take 1024 forward passes. The logit is used because a probability near 0 or 1 hardly moves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.special import expit
from scipy.stats import norm

from handnet.bands.proportion import wilson_ends
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array, Dataset
from handnet.encode import VALUE
from handnet.splits import Split

EXTREMES = 3


def case_table(logits: Array, y: Array, case_ids: Array, unusual: Sequence[str]) -> pd.DataFrame:
    """One row per case, over the replicas whose logits are finite; the most often missed case first.

    logits: (R, n); y, case_ids: (n,); unusual: (n,), as `unusual` says it.

    Columns: case, class (0 or 1), seeds (how many replicas were heard), misses (how many called it wrong),
    miss_share with miss_low and miss_high (Wilson's 95 % over seeds), self_consistency (the chance that two
    replicas call it alike, 1 - 2 B0 B1 / (B (B - 1)); Cooper et al. 2024), score_median, score_low,
    score_high (probability of class 1; quantiles .025 and .975 over seeds), always (missed by every seed),
    flips (missed by some), and extremes: what is unusual about it.

    Raises ValueError when fewer than two replicas are finite.
    """
    sound = logits[np.isfinite(logits).all(axis=1)].astype(np.float64)
    seeds = len(sound)
    if seeds < 2:
        raise ValueError(f"the band of a case's score needs at least 2 finite replicas, but got {seeds}.")
    misses = ((sound > 0) != (y == 1)).sum(axis=0)
    score = expit(sound)
    share_low, share_high = wilson_ends(misses / seeds, seeds)
    low, median, high = np.quantile(score, [LOW, 0.5, HIGH], axis=0)
    table = pd.DataFrame(
        {
            "case": case_ids,
            "class": y.astype(int),
            "seeds": seeds,
            "misses": misses,
            "miss_share": misses / seeds,
            "miss_low": share_low,
            "miss_high": share_high,
            "self_consistency": 1 - 2 * misses * (seeds - misses) / (seeds * (seeds - 1)),
            "score_median": median,
            "score_low": low,
            "score_high": high,
            "always": misses == seeds,
            "flips": (misses > 0) & (misses < seeds),
            "extremes": list(unusual),
        }
    )
    return table.sort_values(["misses", "case"], ascending=[False, True], kind="stable", ignore_index=True)


def unusual(data: Dataset, parts: Split, rows: Array) -> list[str]:
    """The most unusual measurements of each of these rows (n,): of a number its distance from the train mean
    in train deviations, of a text or a gap the share of the train rows that have it too. A share stands where
    a number as rare would."""
    X, train, encode = data.X[rows], data.X[parts.train_rows], parts.encoder
    numbers, far, shares = encode.kind == VALUE, np.zeros(X.shape), np.full(X.shape, np.nan)
    far[:, encode.source[numbers]] = parts.scaled(X)[:, numbers]
    used = set(encode.source.tolist())
    for column in used:
        gap = np.isnan(X[:, column])
        shares[gap, column] = np.isnan(train[:, column]).mean()
        if data.feature_names[column] in data.levels:
            levels, places = np.unique(X[~gap, column], return_inverse=True)
            shares[~gap, column] = (train[:, [column]] == levels).mean(axis=0)[places]
    told = ~np.isnan(shares)
    far[told] = norm.isf(shares[told] / 2)
    order = np.argsort(-np.abs(far), axis=1, kind="stable")[:, :EXTREMES]
    return [
        ", ".join(_said(data, x[at], z[at], share[at], at) for at in found if at in used)
        for x, z, share, found in zip(X, far, shares, order, strict=True)
    ]


def _said(data: Dataset, value: float, far: float, share: float, column: int) -> str:
    """One measurement of a case."""
    name = data.feature_names[column]
    if np.isnan(share):
        return f"{name} {far:+.1f} sd"
    what = "missing" if np.isnan(value) else data.levels[name][int(value)]
    return f"{name} {what} ({share:.0%} of train)"


MOST = 12  # families; 4096 forward passes a case


@dataclass(frozen=True)
class Families:
    """The players: names, and which columns each one owns, (k, features) bool, every column owned once at
    most; one that nobody owns stays at the baseline."""

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
        """The same players over other columns: here, there: the family of each column of these, and of
        those."""
        owner = dict(zip(here, self.columns.argmax(axis=0), strict=True))
        owned = np.array([owner.get(name, -1) for name in there])
        return Families(self.names, owned == np.arange(len(self.names))[:, None])

    def rows(self, x: Array, baseline: Array) -> Array:
        """(2^k, features): the case with every set of families its own, the others at the baseline."""
        own = self.coalitions @ self.columns
        return np.where(own, x, baseline)


def families_of(names: Sequence[str], train: Array) -> Families:
    """The families of a table's columns, (features,) names; more than 12 are joined to 12 by how their
    columns go
    together among the train rows (n, features): average linkage on 1 - the largest |correlation| of two
    columns.
    """
    single = list(dict.fromkeys(names))
    columns = np.array([[name == one for name in names] for one in single])
    if len(single) <= MOST:
        return Families(tuple(single), columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        concatenate = np.nan_to_num(np.abs(np.corrcoef(train, rowvar=False)))
    closest = np.array([[concatenate[np.ix_(a, b)].max() for b in columns] for a in columns])
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
    """What each family did for one case in R networks. values: (R, 2^k) logits; credits: (R, k), summing to
    the case's logit minus the baseline's."""

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
    """The credits of one case. logits: rows (n, features) -> (R, n); x, baseline: (features,), scaled as the
    rows are."""
    return Credits(families, np.asarray(logits(families.rows(x, baseline)), dtype=np.float64))
