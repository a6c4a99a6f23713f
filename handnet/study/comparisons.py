"""Is one configuration better than another? Answered from fresh divisions of the table and from the test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from handnet.bands.compare import (
    ALPHA,
    ROUNDING,
    Comparison,
    Rope,
    Wins,
    detectable_difference,
    holm,
    nadeau_bengio,
    paired_wins,
    probability_better,
    rope,
)
from handnet.bands.equal_models import false_positives_on_test
from handnet.bands.simulated import Simulated
from handnet.data import Array
from handnet.draws import RESAMPLING, bootstrap_counts, generator
from handnet.study.division import SEARCHED_ANEW, Resplit
from handnet.study.false_alarms import Measured, layout_of, measured
from handnet.study.on_test import OnTest, compare_on_test, sound_pairs
from handnet.study.rivals import BOOSTING, LOGISTIC, RIDGE, baseline
from handnet.study.score_bands import BOOTSTRAPS, RESAMPLING_SEED
from handnet.study.sections import VerdictSettings
from handnet.study.units import Confirmed, Problem
from handnet.tasks import Scale, Task

RIVALS = (LOGISTIC, RIDGE, BOOSTING)  # the methods against which a verdict is worded, in this order
LEAST_SPLITS = 5  # fewer divisions word no verdict: their few scores tie too often


@dataclass(frozen=True)
class ComparedOverSplits:
    """Ours minus theirs over fresh divisions, for one score on its scale; above 0 ours is better.

    decides: whether this score was fixed as the one whose comparison is worded; equal: up to which difference
    the two count as equal, by convention: .01 for a point or a per cent; among: how many rivals a verdict is
    worded against, for whom its p is adjusted; 1 for one that only describes, and for one without a p.
    """

    score: str
    decides: bool
    equal: float
    difference: Comparison
    rope: Rope
    wins: Wins
    scale: Scale
    among: int = 1

    @property
    def p(self) -> float | None:
        """The p of the difference; None where no two divisions differ, up to rounding.

        A test has nothing to go by without a spread, and would call any difference certain."""
        band = self.difference.band
        return self.difference.p if band.high - band.low > ROUNDING else None

    @property
    def level(self) -> float:
        """The level at which a difference is surely found: the first step of Holm's method."""
        return ALPHA / self.among

    @property
    def detectable(self) -> float | None:
        """The smallest true difference that would have been found in at least 80 of 100 tables like this one;
        None where no difference would."""
        degrees = self.difference.band.n - 1
        error = self.difference.error(degrees)
        return detectable_difference(error, degrees, self.level, self.scale.widest)


@dataclass(frozen=True)
class ComparedPair:
    """Two configurations, by role.

    over_splits: one entry a score; on_test: None while the test is sealed; tuned: what was chosen for theirs
    if it is a method; rivals: the roles against which a verdict is worded, in this order.
    """

    ours: str
    theirs: str
    over_splits: tuple[ComparedOverSplits, ...]
    on_test: OnTest | None
    tuned: str
    rivals: tuple[str, ...] = RIVALS

    @property
    def worded(self) -> bool:
        """Whether a verdict is worded on this pair; all others describe."""
        return self.ours in ("winner", SEARCHED_ANEW) and self.theirs in self.rivals

    def level(self, score: str) -> float:
        """The level of a difference in this score on the test: that of the verdict where it is worded on this
        pair and score."""
        rows = (row for row in self.over_splits if row.decides and row.score == score)
        return next((row.level for row in rows), ALPHA)


def compare_pairs(
    task: Task,
    confirmed: Sequence[Confirmed],
    resplits: Sequence[Resplit],
    y_test: Array | None,
    verdict: VerdictSettings,
    groups: Array | None = None,
    models: Sequence[str] = (),
) -> list[ComparedPair]:
    """The winner against every other configuration; every other recipe against the first rival; every two of
    the other models.

    The search made anew is compared with the rivals of a verdict and with the winner. y_test: (n_test,), None
    while the test is sealed; groups: (n_test,) int, None where every case is its own; models: the roles of
    the other models of the study, which are rivals of a verdict too.
    """
    rivals = (*RIVALS, *models)
    by_role = {configuration.role: configuration for configuration in confirmed}
    others = [role for role in by_role if role != "winner"]
    pairs = [("winner", role) for role in others]
    pairs += [(role, baseline(task)) for role in others if by_role[role].replicas is not None]
    pairs += combinations([role for role in models if role in by_role], 2)
    if any(SEARCHED_ANEW in resplit.logits for resplit in resplits):
        pairs += [(SEARCHED_ANEW, role) for role in (*rivals, "winner") if role in by_role]
    compared = [
        ComparedPair(
            ours,
            theirs,
            tuple(compare_over_splits(task, ours, theirs, resplits, verdict)),
            _on_test(task, by_role.get(ours), by_role[theirs], y_test, groups),
            by_role[theirs].tuned,
            rivals,
        )
        for ours, theirs in pairs
    ]
    return list(_adjusted(compared))


def _on_test(
    task: Task, ours: Confirmed | None, theirs: Confirmed, y: Array | None, groups: Array | None
) -> OnTest | None:
    """None while the test is sealed, and for fewer than two sound replicas of ours, if it has seeds."""
    if (
        ours is None
        or y is None
        or (a := ours.logits("test")) is None
        or (b := theirs.logits("test")) is None
    ):
        return None
    a, b = sound_pairs(a, b)
    return compare_on_test(task, a, b, y, groups) if len(b) and len(a) >= (1 if ours.alone else 2) else None


def _adjusted(pairs: Sequence[ComparedPair]) -> Iterator[ComparedPair]:
    """The pairs, each p adjusted by Holm's method within its family.

    A verdict's family is the rivals that it is worded against; all comparisons over divisions that only
    describe are one more family, the areas under the curve or squared errors on the test another. What has no
    p is in none.
    """
    families: dict[str, list[float]] = {}
    for pair in pairs:
        for row in pair.over_splits:
            if row.p is not None:
                families.setdefault(_family(pair, row), []).append(row.p)
        if pair.on_test and pair.on_test.tested:
            families.setdefault("test", []).append(pair.on_test.tested.p)
    adjusted = {family: iter(holm(values)) for family, values in families.items()}
    for pair in pairs:
        rows = tuple(
            replace(
                row,
                difference=row.difference._replace(adjusted=next(adjusted[_family(pair, row)])),
                among=len(families[_family(pair, row)]) if _worded(pair, row) else 1,
            )
            if row.p is not None
            else row
            for row in pair.over_splits
        )
        on_test = pair.on_test
        if on_test and on_test.tested:
            on_test = on_test.adjusted(next(adjusted["test"]))
        yield replace(pair, over_splits=rows, on_test=on_test)


def _family(pair: ComparedPair, row: ComparedOverSplits) -> str:
    return f"verdict on {pair.ours}" if _worded(pair, row) else "described"


def _worded(pair: ComparedPair, row: ComparedOverSplits) -> bool:
    return pair.worded and row.decides


@dataclass(frozen=True)
class Rules:
    """How often each rule finds a difference where there is none.

    over_divisions: as measured in the layout nearest to this study's, None without divisions; on_test: as
    simulated at the sizes of this test.
    """

    over_divisions: Measured | None
    on_test: tuple[Simulated, ...]

    def may_word(self, rule: str) -> bool:
        """Whether a rule may word a verdict."""
        return self.over_divisions is not None and self.over_divisions.may_word(rule)


def rules(problem: Problem, resplits: Sequence[Resplit], part: str, accuracy: float, score: str) -> Rules:
    """The rules at the sizes of this study. part: what the winner is graded on; accuracy: the winner's there;
    score: the deciding one."""
    rows = problem.parts.val_rows if part == "val" else problem.parts.test_rows
    y, groups = problem.data.y[rows], problem.parts.groups(part)
    on_test = false_positives_on_test(problem.task, y, accuracy, RESAMPLING_SEED, groups)
    over_divisions = measured(layout_of(problem, len(resplits)), score) if len(resplits) > 1 else None
    return Rules(over_divisions, tuple(on_test))


def can_decide(compared: ComparedOverSplits) -> bool:
    """Whether there are enough divisions for a verdict, and some spread over them."""
    return compared.difference.band.n >= LEAST_SPLITS and compared.p is not None


def compare_over_splits(
    task: Task, ours: str, theirs: str, resplits: Sequence[Resplit], verdict: VerdictSettings
) -> Iterator[ComparedOverSplits]:
    """Two configurations, by role, on the divisions that have both; empty with fewer than two."""
    held = [resplit for resplit in resplits if {ours, theirs} <= set(resplit.logits)]
    if len(held) < 2:
        return
    scores = [[task.grade(resplit.logits[role], resplit.y) for resplit in held] for role in (ours, theirs)]
    deciding = verdict.score or task.deciding
    for name in dict.fromkeys((*task.compared, deciding)):
        pairs = list(zip(*([row[name] for row in side] for side in scores), strict=True))
        decides, scale = name == deciding, task.scale(name)
        compared = compare_score(name, pairs, held[0].ratio, scale, verdict.equal, decides)
        if compared:
            yield compared


def compare_score(
    score: str,
    pairs: Sequence[tuple[Array, Array]],
    ratio: float,
    scale: Scale,
    equal: float,
    decides: bool = False,
) -> ComparedOverSplits | None:
    """One score over divisions; None with fewer than two on which both have one.

    pairs: for each division the scores (R,) of ours and of theirs, seed by seed, NaN where one diverged; (1,)
    of a method without a seed, which stands beside every seed; ratio: as of `nadeau_bengio`; equal, decides:
    as of ComparedOverSplits.
    """
    turned = [[scale.values(np.asarray(side)) for side in pair] for pair in pairs]
    values = [np.broadcast_arrays(*pair) for pair in turned]
    sound = [np.isfinite(a) & np.isfinite(b) for a, b in values]  # pairs of which neither side diverged
    held = [(a[ok], b[ok]) for (a, b), ok in zip(values, sound, strict=True) if ok.any()]
    if len(held) < 2:
        return None
    d = np.array([(a - b).mean() for a, b in held])
    wins = np.array([float(paired_wins(a, b)) for a, b in held])
    difference, diverged = nadeau_bengio(d, ratio), sum(int((~ok).sum()) for ok in sound)
    counts = bootstrap_counts(generator(RESAMPLING_SEED, RESAMPLING), len(d), BOOTSTRAPS)
    return ComparedOverSplits(
        score,
        decides,
        equal,
        difference._replace(band=replace(difference.band, diverged=diverged)),
        rope(d, ratio, scale.region(equal)),
        probability_better(wins, counts),
        scale,
    )
