"""Is one model better than another, told from scores alone: over divisions, or over seeds on one test."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from handnet.bands.compare import ALPHA, holm
from handnet.bands.null import EQUAL
from handnet.bands.over_seeds import OverSeeds, compare_over_seeds, false_alarms_over_seeds
from handnet.bands.proportion import clopper_pearson
from handnet.data import Array
from handnet.messages import Refusal, option
from handnet.predictions.form import SPLIT, Results, Scored
from handnet.predictions.scored import Design, deciding_score, design_of, direction, head, models_of, scale_of
from handnet.report.comparison_facts import pair_facts
from handnet.report.pair_words import diverged_notes, sentence
from handnet.report.words import label
from handnet.study.comparisons import ComparedOverSplits, ComparedPair, can_decide, compare_score
from handnet.study.quantity import band_facts
from handnet.tasks import Scale

TOO_FEW = "A t test over seeds takes two scores at least of each model that has seeds."
OVER_DIVISIONS, OVER_SEEDS = "the corrected t test over divisions", "t tests over seeds"


def no_ratio() -> str:
    """Why the rule over divisions says nothing, and what to do."""
    return (
        "Divisions share rows, and the corrected t test over them needs the number of rows that are trained"
        f" on beside each test: name it with {option('n-train', '')}, or of folds name the cases, from which"
        " it is counted."
    )


@dataclass(frozen=True)
class Seeds:
    """Ours less theirs over seeds on one division, for one score on its scale; above 0 ours is better.

    diverged: how many seeds of each side have no score.
    """

    score: str
    scale: Scale
    split: str
    found: OverSeeds
    false_alarms: Mapping[str, float]
    paired: bool
    decides: bool
    diverged: tuple[int, int]

    def facts(self, adjusted: float | None = None, among: int = 1) -> dict[str, Any]:
        """The row, as plain JSON values. adjusted: its p among so many that decide."""
        found, level, widest = self.found, ALPHA / among, self.scale.widest
        comparison = found.comparison
        return {
            "score": self.score,
            "unit": self.scale.unit,
            "widest": widest if np.isfinite(widest) else None,
            "kind": found.kind,
            "split": self.split,
            "decides": self.decides,
            "difference": band_facts(comparison.band),
            "p": comparison.p,
            "adjusted": comparison.p if adjusted is None else adjusted,
            "error": found.error,
            "degrees": found.degrees,
            "deviations": list(found.deviations),
            "detectable": found.detectable(level, widest),
            "detectable_level": level,
            "needed": {"cases": None, "seeds": found.needed(comparison.band.centre("mean"), level)},
            "variances": {"cases": None, "seeds": found.error**2, "rest": None},
            "seeds": [max(count, 1) for count in found.seeds],
            "diverged": list(self.diverged),
            "paired": self.paired,
            "false_alarms": dict(self.false_alarms),
        }


@dataclass
class Pair:
    """One model against another. rows: over seeds, one a score; missing: what could not be said, and why."""

    names: tuple[str, str]
    over_splits: list[ComparedOverSplits]
    rows: list[Seeds]
    missing: list[tuple[str, str]]
    diverged: tuple[int, int] = (0, 0)  # runs of each on all divisions

    @property
    def decided_over_splits(self) -> bool:
        """Whether the rule over divisions decides: there are enough of them, and some spread."""
        return any(row.decides and can_decide(row) for row in self.over_splits)

    @property
    def p(self) -> float:
        """The p of the rule that decides; 1 where none does."""
        if self.decided_over_splits:
            return next(row.difference.p for row in self.over_splits if row.decides)
        return next((row.found.comparison.p for row in self.rows if row.decides), 1.0)


def compare_scores(
    results: Results,
    models: Sequence[str] | None = None,
    first: bool = False,
    score: str | None = None,
    equal: float = EQUAL,
) -> dict[str, Any]:
    """The comparisons that one score a seed can carry, as plain JSON values.

    Over five divisions or more, of which it is known how many rows are trained on, the corrected t test of
    Nadeau and Bengio decides. Else it is a t test over the seeds of one division, paired where both models
    have the same seeds and Welch's where not, which holds for these very cases. The p of the deciding score
    are adjusted by Holm's method among the pairs.

    models: by default all; first: each against the first of them, not all pairs; score: which decides, by
    default accuracy, RMSE or the first whose direction is known; equal: as of `ComparedOverSplits`. Raises
    Refusal, in one sentence, for fewer than two models, for a score that is not there or has no direction,
    and where nothing can be compared.
    """
    chosen = models_of(results, models)
    deciding = deciding_score(results, score)
    names = [(chosen[0], other) for other in chosen[1:]] if first else list(combinations(chosen, 2))
    pairs = [_pair(results, pair, deciding, equal) for pair in names]
    if not any(pair.over_splits or pair.rows for pair in pairs):
        (ours, theirs), why = names[0], " ".join(why for _, why in pairs[0].missing)
        raise Refusal(f"{ours} and {theirs} cannot be compared: {why[0].lower()}{why[1:]}")
    facts = head(results, "compare")
    left_out = [
        {"what": f"{what} of {' and '.join(pair.names)}", "why": why}
        for pair in pairs
        for what, why in pair.missing
    ]
    rows = list(_facts(pairs, direction(results, deciding) is False))
    return facts | {
        "notes": [*facts["notes"], *diverged_notes(rows)],
        "configurations": [row for row in facts["configurations"] if row["role"] in chosen],
        "left_out": left_out + facts["left_out"],
        "comparisons": rows,
    }


def _pair(results: Results, names: tuple[str, str], deciding: str, equal: float) -> Pair:
    """What can be said of two models."""
    sides = [design_of(results, name, results.parts[-1]) for name in names]
    missing = list[tuple[str, str]]()
    rows = list(_over_seeds(results, sides, deciding, missing))
    pair = Pair(names, _over_splits(results, sides, deciding, equal), rows, list(dict.fromkeys(missing)))
    if pair.decided_over_splits:
        pair.missing.clear()
        ours, theirs = (sum(_lost(deciding, side.scored[name]) for name in _shared(sides)) for side in sides)
        pair.diverged = ours, theirs
    elif not pair.over_splits and len(_shared(sides)) > 1:
        pair.missing.append((OVER_DIVISIONS, no_ratio()))
    return pair


def _shared(sides: Sequence[Design]) -> list[str]:
    """The divisions over which both are compared."""
    ours, theirs = sides
    return [name for name in ours.splits if name in theirs.splits]


def _over_splits(
    results: Results, sides: Sequence[Design], deciding: str, equal: float
) -> list[ComparedOverSplits]:
    """One row a score; empty without two divisions of known ratio."""
    shared = _shared(sides)
    ratios = [_ratio(side.scored[name]) for side in sides for name in shared]
    known = [one for one in ratios if one]
    if len(shared) < 2 or len(known) < len(ratios):
        return []
    rows = []
    for score in _both(sides):
        pairs = [_aligned(score, *(side.scored[name] for side in sides)) for name in shared]
        scale = scale_of(results, score)
        rows.append(compare_score(score, pairs, float(np.mean(known)), scale, equal, score == deciding))
    return [row for row in rows if row is not None]


def _ratio(one: Scored) -> float | None:
    return one.n / one.others if one.n and one.others else None


def _both(sides: Sequence[Design]) -> list[str]:
    """The scores that both have."""
    ours, theirs = sides
    return [name for name in ours.names if name in theirs.names]


def _aligned(score: str, ours: Scored, theirs: Scored) -> tuple[Array, Array]:
    """The scores of two models on one division, seed by seed where they have the same; else their means."""
    missing = np.full(1, np.nan)
    a, b = (one.scores.get(score, missing) for one in (ours, theirs))
    if set(ours.seeds) == set(theirs.seeds):
        places = [theirs.seeds.index(seed) for seed in ours.seeds]
        return a, b[places] if places else b
    if not ours.seeds or not theirs.seeds:
        return a, b
    means = [np.nanmean(side, keepdims=True) if np.isfinite(side).any() else missing for side in (a, b)]
    return means[0], means[1]


def _over_seeds(
    results: Results, sides: Sequence[Design], deciding: str, missing: list[tuple[str, str]]
) -> Iterator[Seeds]:
    """One row a score, on one division that both have; what cannot be told is added to `missing`."""
    shared = [name for name in sides[0].scored if name in sides[1].scored]
    if not shared or not _both(sides):
        missing.append(("every comparison", f"They have no {'score' if shared else 'division'} in common."))
        return
    split = SPLIT if SPLIT in shared else shared[0]
    ours, theirs = (side.scored[split] for side in sides)
    for score in _both(sides):
        scale = scale_of(results, score)
        a, b, paired = _sound(score, ours, theirs, scale)
        if max(len(a), len(b)) < 2 or any(one.seeds and len(of) < 2 for one, of in ((ours, a), (theirs, b))):
            missing.append((OVER_SEEDS, TOO_FEW))
            continue
        try:
            found = compare_over_seeds(a, b, paired)
        except ValueError as fault:
            missing.append((OVER_SEEDS, f"In {label(score)} {fault}"))
            continue
        step = 1 / ours.n if scale.unit == "points" and ours.n else 0.0
        rate, lost = _rate(a, b, paired, step), (_lost(score, ours), _lost(score, theirs))
        yield Seeds(score, scale, split, found, rate, paired, score == deciding, lost)


def _sound(score: str, ours: Scored, theirs: Scored, scale: Scale) -> tuple[Array, Array, bool]:
    """The finite scores of both on their scale, in pairs of the same seeds where both have the same."""
    paired = bool(ours.seeds) and set(ours.seeds) == set(theirs.seeds)
    if paired:
        a, b = (scale.values(side) for side in _aligned(score, ours, theirs))
        both = np.isfinite(a) & np.isfinite(b)
        return a[both], b[both], True
    sides = [scale.values(one.scores[score]) for one in (ours, theirs)]
    a, b = (side[np.isfinite(side)] for side in sides)
    return a, b, False


def _lost(score: str, one: Scored) -> int:
    """How many seeds have no score."""
    return int((~np.isfinite(one.scores[score])).sum())


def _rate(a: Array, b: Array, paired: bool, step: float) -> dict[str, float]:
    """How often the test errs between two equal models, with the interval of the simulation."""
    found = false_alarms_over_seeds(a, b, paired, step)
    band = clopper_pearson(round(found.found * found.studies), found.studies)
    return {"rate": found.found, "low": band.low, "high": band.high, "studies": found.studies}


def _facts(pairs: Sequence[Pair], lower: bool) -> Iterator[dict[str, Any]]:
    """One pair a row, with its adjusted p, the row of it that decides, and its sentence."""
    among = len(pairs)
    for pair, p in zip(pairs, holm([pair.p for pair in pairs]), strict=True):
        over = pair.decided_over_splits
        splits = tuple(
            replace(row, difference=row.difference._replace(adjusted=p), among=among)
            if over and row.decides
            else row
            for row in pair.over_splits
        )
        facts = pair_facts(ComparedPair(*pair.names, splits, None, ""))
        facts["scores"] = [
            row.facts(p, among) if row.decides and not over else row.facts() for row in pair.rows
        ]
        chosen = next((row for row in facts["over_splits" if over else "scores"] if row["decides"]), None)
        if chosen and over:
            chosen = {**chosen, "adjusted": p, "diverged": list(pair.diverged), "false_alarms": None}
        facts["decides"] = {"over": "splits" if over else "seeds", **chosen} if chosen else None
        facts["flips"] = []
        yield facts | {"sentence": sentence(facts, lower=lower)}
