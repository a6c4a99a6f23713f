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
from handnet.messages import Refusal
from handnet.predictions.form import SPLIT, Results, Scored
from handnet.predictions.scored import Design, deciding_score, design_of, head, models_of, scale_of
from handnet.report.comparison_facts import pair_facts
from handnet.report.comparison_tables import in_interval, seen_in_80
from handnet.report.words import exact, label
from handnet.study.comparisons import (
    LEAST_SPLITS,
    ComparedOverSplits,
    ComparedPair,
    can_decide,
    compare_score,
)
from handnet.study.quantity import band_facts
from handnet.tasks import Scale

THESE_CASES = "on these very cases: other cases were not varied"
NO_RATIO = (
    "Divisions share rows, and the corrected t test over them needs the number of rows that are trained on"
    " beside each test: name it with n_train."
)


@dataclass(frozen=True)
class Seeds:
    """Ours less theirs over seeds on one division, for one score on its scale; above 0 ours is better."""

    score: str
    scale: Scale
    split: str
    found: OverSeeds
    false_alarms: Mapping[str, float]
    decides: bool
    adjusted: float = 1.0
    among: int = 1

    @property
    def level(self) -> float:
        """The level at which a difference is surely found: the first step of Holm's method."""
        return ALPHA / self.among

    def facts(self) -> dict[str, Any]:
        """The row, as plain JSON values."""
        found, widest = self.found, self.scale.widest
        mean = found.comparison.band.centre("mean")
        return {
            "score": self.score,
            "unit": self.scale.unit,
            "widest": widest if np.isfinite(widest) else None,
            "kind": found.kind,
            "split": self.split,
            "decides": self.decides,
            "difference": band_facts(found.comparison.band),
            "p": found.comparison.p,
            "adjusted": self.adjusted,
            "error": found.error,
            "degrees": found.degrees,
            "detectable": found.detectable(self.level, widest),
            "detectable_level": self.level,
            "needed": {"cases": None, "seeds": found.needed(mean, self.level)},
            "variances": {"cases": None, "seeds": found.error**2, "rest": None},
            "seeds": list(found.seeds),
            "false_alarms": dict(self.false_alarms),
            "holds": THESE_CASES,
        }


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
    pairs = [(chosen[0], other) for other in chosen[1:]] if first else list(combinations(chosen, 2))
    deciding = deciding_score(results, score)
    over_splits, over_seeds, left_out = [], [], list[dict[str, str]]()
    for ours, theirs in pairs:
        sides = [design_of(results, name, results.parts[-1]) for name in (ours, theirs)]
        found, missing = _over_splits(results, sides, deciding, equal), list[str]()
        over_splits.append(found)
        over_seeds.append(list(_over_seeds(results, sides, deciding, missing)))
        missing += [NO_RATIO] if not found and len(_shared(sides)) > 1 else []
        missing = [] if any(row.decides and can_decide(row) for row in found) else missing
        if not found and not over_seeds[-1]:
            raise Refusal(f"{ours} and {theirs} cannot be compared. {' '.join(dict.fromkeys(missing))}")
        left_out += [{"what": f"{ours} - {theirs}", "why": why} for why in dict.fromkeys(missing)]
    rows = list(_facts(pairs, _adjusted_splits(over_splits), _adjusted_seeds(over_seeds)))
    facts = head(results, "compare")
    return facts | {"left_out": left_out + facts["left_out"], "comparisons": rows}


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
    results: Results, sides: Sequence[Design], deciding: str, missing: list[str]
) -> Iterator[Seeds]:
    """One row a score, on one division that both have; what cannot be told is added to `missing`."""
    shared = [name for name in sides[0].scored if name in sides[1].scored]
    if not shared:
        missing.append("They have no division in common.")
        return
    split = SPLIT if SPLIT in shared else shared[0]
    ours, theirs = (side.scored[split] for side in sides)
    for score in _both(sides):
        scale = scale_of(results, score)
        a, b, paired = _sound(score, ours, theirs, scale)
        if max(len(a), len(b)) < 2 or any(one.seeds and len(of) < 2 for one, of in ((ours, a), (theirs, b))):
            missing.append("A t test over seeds takes two scores at least of each model that has seeds.")
            continue
        try:
            found = compare_over_seeds(a, b, paired)
        except ValueError as fault:
            missing.append(f"In {label(score)} {fault}")
            continue
        step = 1 / ours.n if scale.unit == "points" and ours.n else 0.0
        yield Seeds(score, scale, split, found, _rate(a, b, paired, step), score == deciding)


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


def _rate(a: Array, b: Array, paired: bool, step: float) -> dict[str, float]:
    """How often the test errs between two equal models, with the interval of the simulation."""
    found = false_alarms_over_seeds(a, b, paired, step)
    band = clopper_pearson(round(found.found * found.studies), found.studies)
    return {"rate": found.found, "low": band.low, "high": band.high, "studies": found.studies}


def _adjusted_splits(of_pairs: Sequence[list[ComparedOverSplits]]) -> list[tuple[ComparedOverSplits, ...]]:
    """The rows of each pair, each p adjusted among the pairs: of the deciding score, and of all others."""
    rows = [row for pair in of_pairs for row in pair]
    adjusted, among = _holm([row.decides for row in rows], [row.difference.p for row in rows])
    new = iter(
        replace(row, difference=row.difference._replace(adjusted=p), among=m if row.decides else 1)
        for row, p, m in zip(rows, adjusted, among, strict=True)
    )
    return [tuple(next(new) for _ in pair) for pair in of_pairs]


def _adjusted_seeds(of_pairs: Sequence[list[Seeds]]) -> list[list[Seeds]]:
    """The same over seeds."""
    rows = [row for pair in of_pairs for row in pair]
    adjusted, among = _holm([row.decides for row in rows], [row.found.comparison.p for row in rows])
    new = iter(
        replace(row, adjusted=p, among=m if row.decides else 1)
        for row, p, m in zip(rows, adjusted, among, strict=True)
    )
    return [[next(new) for _ in pair] for pair in of_pairs]


def _holm(decides: Sequence[bool], p: Sequence[float]) -> tuple[list[float], list[int]]:
    """Each p adjusted within its family, and how many are in it; families: those that decide, the others."""
    places = np.array(decides, dtype=bool)
    values, adjusted, among = np.array(p, dtype=float), np.ones(len(p)), np.ones(len(p), dtype=int)
    for family in (places, ~places):
        adjusted[family], among[family] = holm(list(values[family])), family.sum()
    return [float(one) for one in adjusted], [int(one) for one in among]


def _facts(
    pairs: Sequence[tuple[str, str]],
    over_splits: Sequence[tuple[ComparedOverSplits, ...]],
    over_seeds: Sequence[list[Seeds]],
) -> Iterator[dict[str, Any]]:
    """One pair a row, with the row of it that decides and its sentence."""
    for (ours, theirs), splits, seeds in zip(pairs, over_splits, over_seeds, strict=True):
        facts = pair_facts(ComparedPair(ours, theirs, splits, None, ""))
        facts["scores"] = [row.facts() for row in seeds]
        may = [row.score for row in splits if row.decides and can_decide(row)]
        chosen = [row for row in facts["over_splits" if may else "scores"] if row["decides"]]
        decides = {"over": "splits" if may else "seeds", **chosen[0]} if chosen else None
        yield facts | {"decides": decides, "flips": [], "sentence": sentence(ours, theirs, decides)}


def sentence(ours: str, theirs: str, row: Mapping[str, Any] | None) -> str:
    """What a comparison found, to be pasted into a paper. row: the one that decides."""
    if row is None:
        return (
            f"Whether {ours} or {theirs} is better cannot be told from these scores: a verdict over splits"
            f" takes {LEAST_SPLITS} at least, one over seeds two of each model."
        )
    over = row["over"] == "splits"
    p, band = row["p_holm" if over else "adjusted"], row["difference"]
    sizes = [] if over else list(dict.fromkeys(filter(None, row["seeds"])))
    n = f"{band['n']} splits" if over else f"{' and '.join(map(str, sizes))} seeds"
    rule = "corrected t test of Nadeau and Bengio" if over else row["kind"].removesuffix(" over seeds")
    apart = in_interval(band, row["unit"], row["widest"])
    unit = {"per cent": " %"}.get(row["unit"], f" {row['unit']}" if row["unit"] else "")
    among = round(ALPHA / row["detectable_level"])
    alone = f", {exact(p)} by Holm's method among {among}" if among > 1 else ""
    told = f"{apart}{unit} ({rule} over {n}, 95 % interval, p = {exact(row['p'])}{alone})"
    better = "better" if band["centres"]["mean"] > 0 else "worse"
    if p < ALPHA:
        found = f"{ours} is {better} than {theirs} in {label(row['score'])}, by {told}"
    else:
        found = f"{ours} is not shown to be better or worse than {theirs} in {label(row['score'])}: {told}"
    least = (
        f"; differences below {seen_in_80(row, row['unit'])} could not have been seen in 80 of 100 studies"
    )
    scope = "" if over else f", {THESE_CASES}"
    return f"{found}{scope}{least if row['detectable'] is not None else ''}."
