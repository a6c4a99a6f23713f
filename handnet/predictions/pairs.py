"""The facts of comparisons: is one model better than another, paired on division, seed and case."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from scipy.stats import t

from handnet.bands.compare import ALPHA, holm
from handnet.bands.null import EQUAL
from handnet.messages import Refusal, option
from handnet.predictions.alarms import measured_alarms, simulated_alarms
from handnet.predictions.crossed_row import CrossedRow
from handnet.predictions.divisions import judged_of
from handnet.predictions.flips import flips
from handnet.predictions.form import Results
from handnet.predictions.head import head_facts
from handnet.predictions.pair import Pair, deciding_of
from handnet.predictions.scored import models_of
from handnet.predictions.scored_pairs import compare_scores
from handnet.predictions.within import predictions_of
from handnet.report.comparison_facts import pair_facts
from handnet.report.pair_words import bound_of, diverged_notes, sentence
from handnet.study.comparisons import ComparedOverSplits, ComparedPair

Tick = Callable[[str], object]


def compare_results(
    results: Results,
    models: Sequence[str] | None = None,
    *,
    first: bool = False,
    score: str | None = None,
    split: str | None = None,
    equal: float = EQUAL,
    tick: Tick | None = None,
) -> dict[str, Any]:
    """The comparisons that results can carry, as plain JSON values.

    Over five divisions or more, of which it is known how many rows are trained on, the corrected t test of
    Nadeau and Bengio decides. Else it is the t test over seeds and cases of `crossed_difference`, on one
    division or on all together where each holds cases of its own. The p of the deciding score are adjusted
    by Holm's method among the pairs; those that only describe are adjusted among themselves.

    models: by default all; first: each against the first of them, not all pairs; score: which decides, by
    default the task's own; split: the one division to compare on; equal: as of `ComparedOverSplits`; tick:
    called with the name of each pair that is done. Raises Refusal for fewer than two models, for a score
    that these outputs cannot carry, and for models without a case in common.
    """
    chosen = models_of(results, models)
    if not set(chosen) & {one.model for one in results.predicted}:
        return compare_scores(results, chosen, first, score, equal)
    results = of_models(results, chosen)
    deciding, pairs = deciding_of(results, score), []
    for names in [(chosen[0], one) for one in chosen[1:]] if first else combinations(chosen, 2):
        pairs.append(Pair(results, names, deciding, split, equal))
        if tick:
            tick(" and ".join(names))
    judged = {key: one for key, one in judged_of(results, split).items() if key[1] == results.parts[-1]}
    rows = list(_facts(results, pairs))
    facts = head_facts(results, "compare", judged)
    facts["notes"] += [note for pair in pairs for note in _told(pair)]
    facts["notes"] += diverged_notes(rows)
    facts["left_out"] += [one for pair in pairs for one in _left_out(pair)]
    return facts | {"comparisons": rows}


def _left_out(pair: Pair) -> Iterator[dict[str, str]]:
    """What could not be said of two models, and why."""
    for what, why in dict.fromkeys(pair.left_out):
        yield {"what": f"{what} of {' and '.join(pair.names)}", "why": why}


def of_models(results: Results, models: Sequence[str]) -> Results:
    """The predictions of some models, on the last part. Raises Refusal for a model with scores alone."""
    results = predictions_of(results)
    for model in models:
        if not results.of(model, results.parts[-1]):
            raise Refusal(
                f"there are predictions of other models, but none of {model} on {results.parts[-1]} cases;"
                " compare models of which the same is known."
            )
    kept = (one for one in results.predicted if one.model in models)
    return replace(results, predicted=tuple(kept))


def _told(pair: Pair) -> Iterator[str]:
    """What is to be told of how the two were paired."""
    (ours, theirs), one = pair.names, pair.aligned
    if any(one.alone):
        yield (
            f"{ours} and {theirs} are compared on the {len(one.cases)} cases that both have;"
            f" {one.alone[0]} of {ours} and {one.alone[1]} of {theirs} alone are left out."
        )
    if len(one.ours) > 1 and len(one.theirs) > 1 and not one.paired:
        yield f"{ours} and {theirs} have different seeds, which are taken as independent."


def _facts(results: Results, pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    """One pair a row, with its adjusted p, the row of it that decides, and its sentence."""
    decides = holm([_p(pair) for pair in pairs])
    describing = iter(holm([row.found.comparison.p for pair in pairs for row in _describing(pair)]))
    for pair, compared, p in zip(pairs, _compared(pairs, decides), decides, strict=True):
        chosen = deciding_row(pair, p, len(pairs))
        facts = pair_facts(compared) | {"scores": [row.facts(next(describing)) for row in _describing(pair)]}
        if chosen and chosen["over"] == "cases":
            chosen["false_alarms"] = simulated_alarms(pair.task, pair.aligned, pair.deciding)
            facts["scores"].insert(0, {name: value for name, value in chosen.items() if name != "over"})
        elif chosen and pair.measured:
            chosen["false_alarms"] = measured_alarms(pair.measured)
        facts |= {"decides": chosen, **flips(results, pair.aligned)}
        yield facts | {"sentence": _sentence(results, pair, facts)}


def verdict(results: Results, pair: Pair) -> dict[str, Any]:
    """What decides between two models, and its sentence, for a pair that stands alone."""
    facts = {"ours": pair.names[0], "theirs": pair.names[1], "decides": deciding_row(pair)}
    return facts | {"sentence": _sentence(results, pair, facts)}


def _sentence(results: Results, pair: Pair, facts: Mapping[str, Any]) -> str:
    """What was found, or why nothing was."""
    told = sentence(facts, results.classes, pair.scale.sign < 0)
    return told if facts["decides"] else " ".join([told, *dict.fromkeys(why for _, why in pair.left_out)])


def _compared(pairs: Sequence[Pair], decides: Sequence[float]) -> Iterator[ComparedPair]:
    """The pairs over divisions and seed by seed on one test, each p adjusted among its like.

    decides: the adjusted p of the row that decides."""
    rows = [row for pair in pairs for row in pair.over_splits if row is not pair.over_divisions]
    describing = iter(holm([row.p for row in rows if row.p is not None]))
    on_test = [pair.on_test() for pair in pairs]
    tested = iter(holm([one.tested.p for one in on_test if one and one.tested]))
    for pair, p, one in zip(pairs, decides, on_test, strict=True):
        splits = tuple(
            _with_p(row, p, len(pairs))
            if row is pair.over_divisions
            else _with_p(row, None if row.p is None else next(describing), 1)
            for row in pair.over_splits
        )
        adjusted = one.adjusted(next(tested)) if one and one.tested else one
        yield ComparedPair(*pair.names, splits, adjusted, "")


def _with_p(row: ComparedOverSplits, p: float | None, among: int) -> ComparedOverSplits:
    return replace(row, difference=row.difference._replace(adjusted=p), among=among)


def deciding_row(pair: Pair, adjusted: float | None = None, among: int = 1) -> dict[str, Any] | None:
    """The row that decides between two models, over divisions or over cases; None where nothing does.

    adjusted: its p by Holm's method among so many.
    """
    level, row = ALPHA / among, pair.over_divisions
    if row:
        p = row.difference.p if adjusted is None else adjusted
        (facts,) = pair_facts(ComparedPair(*pair.names, (_with_p(row, p, among),), None, ""))["over_splits"]
        return {"over": "splits", **facts, "adjusted": p, **_of_divisions(pair)}
    cases = pair.on_cases
    if not cases:
        return None
    p = cases.found.comparison.p if adjusted is None else adjusted
    return {"over": "cases", **cases.facts(p, level, decides=True)}


def _of_divisions(pair: Pair) -> dict[str, Any]:
    """What else is told of a comparison over divisions."""
    return {"ratio": pair.ratio, "diverged": pair.diverged, "false_alarms": None}


def _p(pair: Pair) -> float:
    """The p of the row that decides; 1 where none does."""
    if pair.over_divisions:
        return pair.over_divisions.difference.p
    return pair.on_cases.found.comparison.p if pair.on_cases else 1.0


def _describing(pair: Pair) -> list[CrossedRow]:
    """The rows over cases that decide nothing."""
    return [row for row in pair.rows if pair.over_divisions or row is not pair.on_cases]


def assert_better(pair: Mapping[str, Any], margin: float = 0.0) -> None:
    """That ours is shown to be better by more than a margin; raises AssertionError with what was found.

    pair: of the facts of `compare_results`; margin: at least 0, in the unit of the difference, .01 being one
    point of a share or, of a number, 1 % of the error of theirs. Among several pairs p is adjusted by Holm's
    method, and what lies above a margin is the interval at the level .05 shared by the pairs. Raises Refusal
    for another margin.
    """
    check_margin(margin)
    row = pair["decides"]
    if not row or row["adjusted"] >= ALPHA:
        raise AssertionError(pair["sentence"])
    mean, low = row["difference"]["centres"]["mean"], row["difference"]["low"]
    degrees = row["degrees"] if "degrees" in row else row["difference"]["n"] - 1
    if margin:  # at 0 the adjusted p says it
        reaches = (t.ppf(1 - level / 2, degrees) for level in (row["detectable_level"], ALPHA))
        low = mean - (mean - low) * next(reaches) / next(reaches)
    if low <= bound_of(margin, row["unit"]):
        raise AssertionError(pair["sentence"])


def check_margin(margin: float) -> None:
    """Raises Refusal for a margin that is no number of at least 0."""
    if not 0 <= margin < float("inf"):
        raise Refusal(f"{option('margin')} must be a number of at least 0, but is {margin:g}.")
