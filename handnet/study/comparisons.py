"""Is one configuration better than another, and where does the spread come from?

Answered from the fresh divisions of the table and from the opened test.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from handnet.bands.compare import Comparison, Rope, Wins, nadeau_bengio, paired_wins, probability_better, rope
from handnet.bands.simulated import (
    MAX_FALSE_POSITIVES,
    Simulated,
    false_positives,
    false_positives_against_itself,
    false_positives_on_cases,
)
from handnet.bands.variance import Component, variance_table
from handnet.data import Array
from handnet.draws import RESAMPLING, bootstrap_counts, generator
from handnet.scores import Scores, grade
from handnet.study.on_test import ComparedOnTest, compare_on_test
from handnet.study.quantity import Quantity
from handnet.study.resplit import SEARCHED_ANEW, Resplit
from handnet.study.rivals import BASELINE
from handnet.study.sections import VerdictSettings
from handnet.study.summary import BOOTSTRAPS, RESAMPLING_SEED, over_splits
from handnet.study.units import Confirmed

COMPARED = ("accuracy", "sensitivity", "specificity", "auc", "log_loss")  # and the deciding score
VARIED = ("accuracy", "log_loss")  # whose spread is taken apart
LOSSES = ("log_loss", "brier")  # lower is better
LEAST_SPLITS = 5  # fewer divisions word no verdict: their few scores tie too often


@dataclass(frozen=True)
class ComparedOverSplits:
    """Ours minus theirs over fresh divisions, for one score; above 0 ours is better (losses are turned).

    decides: whether the settings fix this score as the one whose comparison is worded; equal: the difference
    up to which the two count as equal.
    """

    score: str
    decides: bool
    equal: float
    difference: Comparison
    rope: Rope | None  # for shares of cases alone: a point is a point
    wins: Wins


@dataclass(frozen=True)
class ComparedPair:
    """Two configurations, by role; over_splits: one entry a score; on_test: None while the test is sealed."""

    ours: str
    theirs: str
    over_splits: tuple[ComparedOverSplits, ...]
    on_test: ComparedOnTest | None


def resplit_quantities(role: str, resplits: Sequence[Resplit]) -> list[Quantity]:
    """A configuration's scores over fresh divisions, another seed with each; empty without two divisions."""
    held = [(resplit.logits[role], resplit.y) for resplit in resplits if role in resplit.logits]
    if len(held) < 2:
        return []
    scores = [grade(logits[[place % len(logits)]], y) for place, (logits, y) in enumerate(held)]
    values = {name: np.array([getattr(row, name)[0] for row in scores]) for name in Scores._fields}
    rows = (over_splits(name, "rehearsal", of_score) for name, of_score in values.items())
    return [row for row in rows if row is not None]


def compare_pairs(
    confirmed: Sequence[Confirmed],
    resplits: Sequence[Resplit],
    y_test: Array | None,
    verdict: VerdictSettings,
    groups: Array | None = None,
) -> list[ComparedPair]:
    """The winner against every other configuration; every other recipe against logistic regression.

    The search made anew is compared with logistic regression and with the winner. y_test: (n_test,), None
    while the test is sealed; groups: (n_test,) int, None where every case is its own.
    """
    by_role = {configuration.role: configuration for configuration in confirmed}
    others = [role for role in by_role if role != "winner"]
    pairs = [("winner", role) for role in others]
    pairs += [(role, BASELINE) for role in others if by_role[role].recipe is not None]
    if any(SEARCHED_ANEW in resplit.logits for resplit in resplits):
        pairs += [(SEARCHED_ANEW, BASELINE), (SEARCHED_ANEW, "winner")]
    return [
        ComparedPair(
            ours,
            theirs,
            tuple(compare_over_splits(ours, theirs, resplits, verdict)),
            compare_on_test(by_role.get(ours), by_role.get(theirs), y_test, groups),
        )
        for ours, theirs in pairs
    ]


def variance(role: str, resplits: Sequence[Resplit]) -> dict[str, tuple[Component, ...]]:
    """Split against seed, for accuracy and log loss; seeds that diverged on any division are left out."""
    held = [resplit for resplit in resplits if role in resplit.logits]
    if len(held) < 2 or len(held[0].logits[role]) < 2:
        return {}
    scores = [grade(resplit.logits[role], resplit.y) for resplit in held]
    tables = {}
    for name in VARIED:
        grid = np.array([getattr(row, name) for row in scores])  # (K, R)
        sound = grid[:, np.isfinite(grid).all(axis=0)]
        if sound.shape[1] > 1:
            splits, seeds = np.indices(sound.shape)
            tables[name] = variance_table(sound.ravel(), {"split": splits.ravel(), "seed": seeds.ravel()})
    return tables


def stream_variance(
    logits: Array, y: Array, seeds: Sequence[tuple[int, int, int]]
) -> dict[str, tuple[Component, ...]]:
    """Variance of accuracy and log loss over the three streams; empty if a network diverged.

    logits: (R, n); y: (n,); seeds: R triples of one seed for each stream.
    """
    if not np.isfinite(logits).all():
        return {}
    init, order, dropout = np.array(seeds).T
    scores = grade(logits, y)
    return {
        name: variance_table(getattr(scores, name), {"init": init, "order": order, "dropout": dropout})
        for name in VARIED
    }


def simulate_rules(resplits: Sequence[Resplit], y: Array, accuracy: float) -> list[Simulated]:
    """How often each rule finds a difference where there is none, at the sizes of this study.

    y: (n,), the cases the winner is graded on; accuracy: the winner's there.
    """
    near = min(max(accuracy, 0.6), 0.995)  # the simulated world has cases on either side of the threshold
    on_cases = false_positives_on_cases(len(y), int((y == 1).sum()), near, RESAMPLING_SEED)
    if len(resplits) < 2:
        return on_cases
    ratio = resplits[0].ratio
    scores = np.array(
        [getattr(grade(resplit.logits["winner"], resplit.y), VARIED[0]) for resplit in resplits]
    )
    itself = false_positives_against_itself(scores[:, np.isfinite(scores).all(axis=0)], ratio)
    over_divisions = false_positives(len(resplits), ratio, RESAMPLING_SEED)
    return [*over_divisions, *([itself] if itself else []), *on_cases]


def may_state_verdict(rule: str, simulated: Sequence[Simulated]) -> bool:
    """Whether a rule was simulated, and found no difference too often (above .06) in any setting."""
    shares = [setting.found for setting in simulated if setting.what == rule]
    return bool(shares) and max(shares) <= MAX_FALSE_POSITIVES


def can_decide(compared: ComparedOverSplits) -> bool:
    """Whether there are enough divisions for a verdict, and some spread over them."""
    band = compared.difference.band
    return band.n >= LEAST_SPLITS and band.high > band.low


def compare_over_splits(
    ours: str, theirs: str, resplits: Sequence[Resplit], verdict: VerdictSettings
) -> Iterator[ComparedOverSplits]:
    """Two configurations, by role, on the divisions that have both; empty with fewer than two."""
    held = [resplit for resplit in resplits if {ours, theirs} <= set(resplit.logits)]
    if len(held) < 2:
        return
    scores = [[grade(resplit.logits[role], resplit.y) for resplit in held] for role in (ours, theirs)]
    for name in dict.fromkeys((*COMPARED, verdict.score)):
        sign = -1.0 if name in LOSSES else 1.0
        values = (np.array([sign * getattr(row, name) for row in side]) for side in scores)
        a, b = np.broadcast_arrays(*values)  # (K, R) each; a method without a seed stands beside every seed
        sound = np.isfinite(a - b)  # pairs of which neither side diverged
        kept = sound.any(axis=1)
        if kept.sum() > 1:
            pairs = [(x[ok], z[ok]) for x, z, ok in zip(a[kept], b[kept], sound[kept], strict=True)]
            yield _compare_score(name, pairs, held[0].ratio, int((~sound).sum()), verdict)


def _compare_score(
    name: str, pairs: Sequence[tuple[Array, Array]], ratio: float, diverged: int, verdict: VerdictSettings
) -> ComparedOverSplits:
    """One score, from each division's pairs of ours and theirs, seed by seed."""
    d = np.array([(a - b).mean() for a, b in pairs])
    wins = np.array([float(paired_wins(a, b)) for a, b in pairs])
    difference = nadeau_bengio(d, ratio)
    return ComparedOverSplits(
        name,
        name == verdict.score,
        verdict.equal,
        difference._replace(band=replace(difference.band, diverged=diverged)),
        rope(d, ratio, verdict.equal) if name not in LOSSES else None,
        probability_better(
            wins, bootstrap_counts(generator(RESAMPLING_SEED, RESAMPLING), len(d), BOOTSTRAPS)
        ),
    )
