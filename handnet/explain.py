"""The cases that are called wrong, what is unusual about them, and which measurements decided the call.

The credit of a family of measurements is its exact Shapley value on one number that the network gives
(`judge.Question`): the logit of class 1, the margin between two classes, or the guess. The value of a set of
families is that number when they have the case's own values and all others those of a baseline. A family's
credit is what it adds, averaged over every order in which the families could be added (Shapley 1953; Lundberg
& Lee 2017). It takes 2^k forward passes of k families: 128 for the seven of the default table. Logits are
used because a probability near 0 or 1 hardly moves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from handnet.bands.band import Band
from handnet.bands.proportion import wilson_ends
from handnet.bands.seeds import quantile_band
from handnet.data import Array, Dataset
from handnet.encode import VALUE, text_columns
from handnet.families import Families
from handnet.judge import Judge, Question
from handnet.scores import finite_replicas
from handnet.splits import Split

DOUBTFUL = 0.05  # share of seeds from which a case counts as missed by some of them
MOST = 0.5  # above this share most seeds miss a case
EXTREMES = 3  # measurements of a case that are listed as unusual
CLEAR = (0.05, 0.95)  # a credit is clear of 0 when its band between these quantiles excludes 0
FLIPS = 0.5  # a family is over-trusted when putting it back turns the call in this share of the wrong seeds


def case_table(
    judge: Judge, outputs: Array, y: Array, case_ids: Array, extremes: Sequence[str]
) -> pd.DataFrame:
    """One row per case, over the replicas whose outputs are finite; the most often missed case first.

    outputs: (R, n) or (R, n, k); y, case_ids: (n,); extremes: (n,), the sentences of `unusual_values`.
    Raises ValueError when fewer than two replicas are finite.

    Columns, and between self_consistency and always those of the judge:
        case, class or target: the id, and the label 0, 1, ... or the measured number.
        seeds, misses: how many replicas are counted, and how many of them are wrong about the case.
        miss_share, miss_low, miss_high: the share of misses, with Wilson's 95 % interval over seeds.
        self_consistency: the chance that two replicas say the same of it (`Judge.alike`).
        always, flips, extremes: missed by every replica; by some but not all; what is unusual about it.
    """
    finite = outputs[finite_replicas(outputs)].astype(np.float64)
    seeds = len(finite)
    if seeds < 2:
        raise ValueError(f"the band of a case's score needs at least 2 finite replicas, but got {seeds}.")
    misses = judge.wrong(finite, y).sum(axis=0)
    share_low, share_high = wilson_ends(misses / seeds, seeds)
    columns = {
        "case": case_ids,
        **judge.truth(y),
        "seeds": seeds,
        "misses": misses,
        "miss_share": misses / seeds,
        "miss_low": share_low,
        "miss_high": share_high,
        "self_consistency": judge.alike(finite),
        **judge.columns(finite, y),
        "always": misses == seeds,
        "flips": (misses > 0) & (misses < seeds),
        "extremes": list(extremes),
    }
    by = [*judge.order, "case"]
    first = [name == "case" for name in by]
    table = pd.DataFrame(columns).sort_values(by, ascending=first, kind="stable", key=_size)
    return table.reset_index(drop=True)


def _size(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """What a column is sorted by."""
    return column if column.name == "case" else column.abs()


class Doubt(NamedTuple):
    """How many of some cases are called wrong, or differently, by the seeds; of a number, how many guesses
    are off, or apart, by more than the tolerance.

    None of these grows with the number of seeds, as a count of the cases that any seed misses would.

    cases, seeds: how many are counted.
    mostly: cases that more than half of the seeds miss.
    some: cases that 5 to 50 % of the seeds miss; none of them is among `mostly`.
    differing: how many cases two seeds call differently, on average over all pairs of seeds; of two classes
        the sum of 2 q (1 - q) R / (R - 1) over cases, q the share of the R seeds that miss a case.
    """

    cases: int
    seeds: int
    mostly: int
    some: int
    differing: float


def doubt(table: pd.DataFrame) -> Doubt:
    """What a table of `case_table`, with every case of a part in it, says of all of them."""
    share = table["miss_share"]
    return Doubt(
        len(table),
        int(table["seeds"].iloc[0]),
        int((share > MOST).sum()),
        int(share.between(DOUBTFUL, MOST).sum()),
        float((1 - table["self_consistency"]).sum()),
    )


def unusual_values(data: Dataset, parts: Split, rows: Array) -> list[str]:
    """The three most unusual values of each of these rows (n,), as text.

    Of a number it is the distance from the train mean in train deviations; of a text or a gap the share of
    the train rows that have it too, ranked as a number of the same rarity.
    """
    X, train, encoder = data.X[rows], data.X[parts.train_rows], parts.encoder
    numbers, deviations, shares = encoder.kind == VALUE, np.zeros(X.shape), np.full(X.shape, np.nan)
    deviations[:, encoder.source[numbers]] = parts.scaled(X)[:, numbers]
    used, gaps = set(encoder.source.tolist()), np.isnan(X)
    shares[gaps] = np.broadcast_to(np.isnan(train).mean(axis=0), X.shape)[gaps]
    for column in used.intersection(text_columns(data).values()):
        there = ~gaps[:, column]
        levels, places = np.unique(X[there, column], return_inverse=True)
        shares[there, column] = (train[:, [column]] == levels).mean(axis=0)[places]
    shares[:, ~np.isin(np.arange(X.shape[1]), encoder.source)] = np.nan
    shared = ~np.isnan(shares)
    deviations[shared] = norm.isf(shares[shared] / 2)
    columns = np.argsort(-np.abs(deviations), axis=1, kind="stable")[:, :EXTREMES]

    def describe(row: int, column: int) -> str:
        name, share = data.feature_names[column], shares[row, column]
        if np.isnan(share):
            return f"{name} {deviations[row, column]:+.1f} sd"
        value = X[row, column]
        text = "missing" if np.isnan(value) else data.levels[name][int(value)]
        return f"{name} {text} ({share:.0%} of train)"

    return [
        ", ".join(describe(row, column) for column in extremes if column in used)
        for row, extremes in enumerate(columns)
    ]


@dataclass(frozen=True)
class Credits:
    """What each family added to the number in question of one case, in R networks."""

    families: Families
    values: Array  # (R, 2^k) the number for each coalition
    right: Array  # (R, 2^k) bool: whether the case would be called right there

    @cached_property
    def credits(self) -> Array:
        """The Shapley values (R, k); they sum to the number of the case minus that of the baseline."""
        return np.asarray(self.values @ self.families.weights)

    def without(self, families: Array) -> int:
        """The place of the coalition in which these families, (k,) bool, are put back to the baseline."""
        return int(np.flatnonzero((self.families.coalitions == ~families).all(axis=1))[0])


def credits_of(
    question: Question, outputs: Callable[[Array], Array], x: Array, baseline: Array, families: Families
) -> Credits:
    """The credits of one case x.

    outputs: rows (m, features) -> (R, m) or (R, m, k); x, baseline: (features,), scaled as the rows are.
    """
    found = outputs(families.rows(x, baseline))
    return Credits(families, np.asarray(question.value(found), dtype=np.float64), question.right(found))


@dataclass(frozen=True)
class FamilyCredit:
    """The credit of one family for one case: above 0 it pulls towards class 1, towards the class that the
    case is called in place of its own, or up.

    splits: None when fewer than two fresh divisions hold the case out of training; flipped: of the seeds that
    call the case wrong, how many call it right with this family at the baseline; nearest: the mean credit
    where absent families are those of train rows that resemble the case (`hybrids.Resembling`); least:
    smaller credits may be rounding.
    """

    family: str
    seeds: Band
    splits: Band | None
    flipped: int
    nearest: float
    least: float

    @property
    def clear(self) -> bool:
        """Whether the credit has one sign over seeds and over splits."""
        return self.splits is not None and any(
            all(
                sign * end > self.least for band in (self.seeds, self.splits) for end in (band.low, band.high)
            )
            for sign in (1, -1)
        )

    @property
    def agrees(self) -> bool:
        """Whether the check by train rows that resemble the case pulls the same way."""
        return self.nearest * self.seeds.centre("mean") > 0


@dataclass(frozen=True)
class Explanation:
    """Why networks call one case as they do.

    wrong: how many of them call it wrong; start, own: the number in question of the baseline and of the case
    over seeds, between which the mean credits add up; named: the families whose credit is clear of 0, pulls
    to the wrong call and does so in the check too, the strongest first; doubted: those that the check alone
    keeps from being named; flipped: of the wrong networks, how many are right with all of the named at the
    baseline.
    """

    question: Question
    wrong: int
    start: Band
    own: Band
    credits: tuple[FamilyCredit, ...]
    named: tuple[str, ...]
    doubted: tuple[str, ...]
    flipped: int

    def over_trusted(self, credit: FamilyCredit) -> bool:
        """Whether a named family alone turns the call in at least half of the networks that are wrong."""
        return credit.family in self.named and self._turns(credit.flipped)

    @property
    def turned(self) -> bool:
        """Whether the named families together turn the call in at least half of the wrong networks."""
        return self._turns(self.flipped)

    def _turns(self, flipped: int) -> bool:
        return self.wrong > 0 and flipped >= FLIPS * self.wrong


def explain(question: Question, networks: Credits, divisions: Array, nearest: Array) -> Explanation:
    """The explanation of one case.

    networks: its credits in the R networks that are explained; divisions: (K, k), its credits in one network
    of each fresh division that held it out of training; nearest: (k,), its mean credits in the check.
    """
    names, wrong = networks.families.names, ~networks.right[:, -1]

    def flipped(families: Array) -> int:
        return int(networks.right[wrong, networks.without(families)].sum())

    credits = tuple(
        FamilyCredit(
            name,
            _over(networks.credits[:, place], "seeds"),
            _over(divisions[:, place], "splits") if len(divisions) > 1 else None,
            flipped(np.arange(len(names)) == place),
            float(nearest[place]),
            question.least,
        )
        for place, name in enumerate(names)
    )
    pulling = [one for one in credits if one.clear and question.towards * one.seeds.centre("mean") > 0]
    pulling.sort(key=lambda credit: -abs(credit.seeds.centre("mean")))
    named = tuple(credit.family for credit in pulling if credit.agrees)
    doubted = tuple(credit.family for credit in pulling if not credit.agrees)
    start, own = (_over(networks.values[:, place], "seeds", question.credited) for place in (0, -1))
    together = flipped(np.isin(names, named)) if named else 0
    return Explanation(question, int(wrong.sum()), start, own, credits, named, doubted, together)


def _over(values: Array, varied: str, what: str = "credit") -> Band:
    """A band from .05 to .95 that names its mean first: the means of credits add up, their medians do not."""
    band = quantile_band(values, *CLEAR, varied)
    others = tuple((name, middle) for name, middle in band.centres if name != "mean")
    further = "seed on these rows" if varied == "seeds" else "division of this table"
    return replace(
        band,
        estimand=f"{what} in the network of a further {further}",
        centres=(("mean", float(values.mean())), *others),
    )
