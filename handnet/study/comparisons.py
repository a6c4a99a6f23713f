"""Is one configuration better than another, and where does the spread come from? From rehearsals and the
opened test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from handnet.bands import Band
from handnet.bands.auc import auc_difference
from handnet.bands.compare import (
    Comparison,
    McNemar,
    Rope,
    Wins,
    mcnemar,
    nadeau_bengio,
    paired_difference,
    paired_wins,
    probability_better,
    rope,
)
from handnet.bands.multibootstrap import bootstrap_means
from handnet.bands.seeds import HIGH, LOW
from handnet.bands.simulated import (
    ROPE,
    WORDS,
    Simulated,
    false_positives,
    false_positives_against_itself,
    false_positives_on_cases,
)
from handnet.bands.variance import Component, variance_table
from handnet.data import Array
from handnet.draws import RESAMPLING, Resamples, generator, recounts, resamples
from handnet.scores import Scores, grade
from handnet.study.resplit import ANEW, Resplit
from handnet.study.summary import (
    BOOTSTRAPS,
    RESAMPLING_SEED,
    Confirmed,
    Quantity,
    bootstraps,
    finite,
    mask_diverged,
    over_splits,
)

DECIDES = (  # the score whose comparison is worded, fixed in advance; the others are given as numbers
    "accuracy"
)
COMPARED = ("accuracy", "sensitivity", "specificity", "auc", "log_loss")
LEAST_SPLITS = 5  # fewer divisions word no verdict: their few scores tie too often
LOSSES = ("log_loss", "brier")  # lower is better


@dataclass(frozen=True)
class OverSplits:
    """Ours minus theirs over fresh divisions, for one score; above 0 ours is better (losses are turned)."""

    score: str
    difference: Comparison
    rope: Rope | None  # for shares of cases alone: a point is a point
    wins: Wins


@dataclass(frozen=True)
class OnTest:
    """Ours against theirs on the opened test: networks that stand still, and the cases that tell them
    apart."""

    difference: Band  # of accuracy, seeds and cases resampled together
    auc: Comparison | None  # None against a constant score
    disagreements: tuple[McNemar, ...]  # for each seed of ours, with theirs of the same place


@dataclass(frozen=True)
class Rivalry:
    """One pair of configurations."""

    ours: str
    theirs: str
    over_splits: tuple[OverSplits, ...]
    on_test: OnTest | None


def rehearsed(role: str, rehearsals: Sequence[Resplit]) -> list[Quantity]:
    """A configuration's scores over fresh divisions, a fresh seed with each; empty when it has none."""
    held = [one for one in rehearsals if role in one.logits]
    if len(held) < 2:
        return []
    each = [grade(one.logits[role][[place % len(one.logits[role])]], one.y) for place, one in enumerate(held)]
    values = {name: np.array([getattr(scores, name)[0] for scores in each]) for name in Scores._fields}
    found = (over_splits(name, "rehearsal", scores) for name, scores in values.items())
    return [one for one in found if one is not None]


def rivalries(
    confirmed: Sequence[Confirmed], rehearsals: Sequence[Resplit], y_test: Array | None
) -> list[Rivalry]:
    """The winner against every other; the recipes it is compared with, and the search made anew, against
    logistic regression."""
    by_role = {one.role: one for one in confirmed}
    baseline = "logistic regression"
    names = [one.role for one in confirmed if one.role != "winner"]
    recipes = [one.role for one in confirmed if one.recipe is not None and one.role != "winner"]
    pairs = [("winner", name) for name in names] + [(name, baseline) for name in recipes]
    if any(ANEW in one.logits for one in rehearsals):
        pairs += [(ANEW, baseline), (ANEW, "winner")]
    return [
        Rivalry(
            ours,
            theirs,
            tuple(_over_splits(ours, theirs, rehearsals)),
            _on_test(by_role.get(ours), by_role.get(theirs), y_test),
        )
        for ours, theirs in pairs
    ]


def variance(role: str, rehearsals: Sequence[Resplit]) -> dict[str, tuple[Component, ...]]:
    """Split against seed, for accuracy and log loss of a configuration; seeds that diverged anywhere are left
    out."""
    held = [one.logits[role] for one in rehearsals if role in one.logits]
    if len(held) < 2 or len(held[0]) < 2:
        return {}
    scores = [grade(one.logits[role], one.y) for one in rehearsals if role in one.logits]
    grids = {name: np.array([getattr(one, name) for one in scores]) for name in (DECIDES, "log_loss")}
    found = {}
    for name, grid in grids.items():
        sound = grid[:, np.isfinite(grid).all(axis=0)]
        if sound.shape[1] > 1:
            splits, seeds = np.indices(sound.shape)
            found[name] = variance_table(sound.ravel(), {"split": splits.ravel(), "seed": seeds.ravel()})
    return found


def stream_variance(
    logits: Array, y: Array, seeds: Sequence[tuple[int, int, int]]
) -> dict[str, tuple[Component, ...]]:
    """First weights, visiting orders and keep masks, for accuracy and log loss; empty when a network
    diverged."""
    if not np.isfinite(logits).all():
        return {}
    init, order, dropout = np.array(seeds).T
    scores = grade(logits, y)
    return {
        name: variance_table(getattr(scores, name), {"init": init, "order": order, "dropout": dropout})
        for name in (DECIDES, "log_loss")
    }


def rules(rehearsals: Sequence[Resplit], y: Array, accuracy: float) -> list[Simulated]:
    """How often each rule finds a difference where there is none: at the sizes of this study, and of its own
    winner."""
    near = min(max(accuracy, 0.6), 0.995)  # the simulated world has cases on either side of the fence
    found = false_positives_on_cases(len(y), int((y == 1).sum()), near, RESAMPLING_SEED)
    if len(rehearsals) < 2:
        return found
    ratio = rehearsals[0].ratio
    scores = np.array([getattr(grade(one.logits["winner"], one.y), DECIDES) for one in rehearsals])
    itself = false_positives_against_itself(scores[:, np.isfinite(scores).all(axis=0)], ratio)
    return [*false_positives(len(rehearsals), ratio, RESAMPLING_SEED), *([itself] if itself else []), *found]


def may_state_verdict(rule: str, simulated: Sequence[Simulated]) -> bool:
    """Whether a rule may word a verdict: it was simulated, and cries wolf in at most .06 of studies in every
    setting."""
    found = [one.found for one in simulated if one.what == rule]
    return bool(found) and max(found) <= WORDS


def enough_to_word(one: OverSplits) -> bool:
    """Whether a comparison has what a verdict needs beside a sound rule: enough divisions, and some spread
    over them."""
    band = one.difference.band
    return band.n >= LEAST_SPLITS and band.high > band.low


def _over_splits(ours: str, theirs: str, rehearsals: Sequence[Resplit]) -> Iterator[OverSplits]:
    held = [one for one in rehearsals if {ours, theirs} <= set(one.logits)]
    if len(held) < 2:
        return
    pairs = [(grade(one.logits[ours], one.y), grade(one.logits[theirs], one.y)) for one in held]
    for name in COMPARED:
        sign = -1.0 if name in LOSSES else 1.0
        # (K, R) each; a method without a seed stands beside every seed.
        a, b = np.broadcast_arrays(
            *(np.array([sign * getattr(pair[side], name) for pair in pairs]) for side in (0, 1))
        )
        mask_diverged = np.isfinite(a - b)  # pairs of which neither side diverged
        kept = mask_diverged.any(axis=1)
        if kept.sum() > 1:
            yield _one_score(
                name,
                [(x[ok], z[ok]) for x, z, ok in zip(a[kept], b[kept], mask_diverged[kept], strict=True)],
                held[0].ratio,
                int((~mask_diverged).sum()),
            )


def _one_score(name: str, pairs: Sequence[tuple[Array, Array]], ratio: float, lost: int) -> OverSplits:
    """One score, from each division's pairs of ours and theirs, seed by seed."""
    d = np.array([(a - b).mean() for a, b in pairs])
    wins = np.array([float(paired_wins(a, b)) for a, b in pairs])
    difference = nadeau_bengio(d, ratio)
    counts = recounts(generator(RESAMPLING_SEED, RESAMPLING), len(d), BOOTSTRAPS)
    return OverSplits(
        name,
        difference._replace(band=replace(difference.band, diverged=lost)),
        rope(d, ratio, ROPE) if name not in LOSSES else None,
        probability_better(wins, counts),
    )


def _on_test(ours: Confirmed | None, theirs: Confirmed | None, y: Array | None) -> OnTest | None:
    if y is None or ours is None or theirs is None or ours.test_logits is None or theirs.test_logits is None:
        return None
    a, b = (np.atleast_2d(_heard(one)) for one in (ours, theirs))
    paired = len(a) == len(b)  # two networks on the same seeds; a method without a seed has one row
    if paired:
        both = np.isfinite(a + b).all(axis=1)
        a, b = a[both], b[both]
    a = finite(a)
    if len(a) < 2:
        return None
    samples = resamples(RESAMPLING_SEED, len(a), y, bootstraps(len(y)))
    theirs_drawn = (
        samples if paired else Resamples(np.ones((len(samples.cases), 1), dtype=int), samples.cases)
    )
    right_a, right_b = ((z > 0) == (y == 1) for z in (a, b))
    every = np.ones(len(y), dtype=bool)
    drawn = bootstrap_means(right_a, every, samples) - bootstrap_means(right_b, every, theirs_drawn)
    low, high = (float(end) for end in np.quantile(drawn, [LOW, HIGH]))
    right_a, right_b = np.broadcast_arrays(right_a, right_b)
    disagreements = tuple(mcnemar(x, z) for x, z in zip(right_a, right_b, strict=True))
    # As for the headline band: never narrower than what the cases alone allow one network.
    cases = paired_difference(
        float(np.mean([one.only_ours for one in disagreements])),
        float(np.mean([one.only_theirs for one in disagreements])),
        len(y),
    )
    kind = "multi-bootstrap"
    if high - low < cases.high - cases.low:
        low, high, kind = min(low, cases.low), max(high, cases.high), f"{kind} and {cases.kind}"
    band = Band(low, high, kind, "seeds_x_cases", len(y), HIGH - LOW, cases.centres, seeds=len(a))
    told = all(
        np.ptp(z, axis=1).max() > 0 for z in (a, b)
    )  # a constant score has an area of 1/2, and nothing to compare
    return OnTest(band, auc_difference(a, b, y) if told else None, disagreements)


def _heard(one: Confirmed) -> Array:
    assert one.test_logits is not None
    return one.test_logits if one.replicas is None else mask_diverged(one.replicas, one.test_logits)
