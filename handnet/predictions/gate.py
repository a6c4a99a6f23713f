"""A gate: is a candidate shown to be better than a baseline, or not worse by more than a margin?"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from handnet.bands import Band
from handnet.bands.compare import Comparison, detectable_difference
from handnet.bands.crossed import needed
from handnet.bands.null import EQUAL
from handnet.bands.over_seeds import seeds_needed
from handnet.messages import Refusal, option
from handnet.predictions.form import Results
from handnet.predictions.head import SCHEMA
from handnet.predictions.pair import Pair, deciding_of
from handnet.predictions.pairs import check_margin, of_models, verdict
from handnet.predictions.scored import models_of
from handnet.predictions.scored_pairs import compare_scores, no_ratio
from handnet.report.gate_words import reason, summary
from handnet.report.pair_words import bound_of

Require = Literal["better", "not-worse"]
REQUIREMENTS = ("better", "not-worse")
SHOWN, NOT_SHOWN = 0, 1
MOST_DIVISIONS = 10_000  # that are looked at when it is asked how many are needed


@dataclass(frozen=True)
class Gate:
    """What a gate says.

    code: 0 where the requirement is shown to hold, else 1; sentence: why; facts: the requirement, the margin,
    and the facts of the comparison it rests on.
    """

    code: int
    sentence: str
    facts: Mapping[str, Any]

    def __bool__(self) -> bool:
        return self.code == SHOWN

    def __str__(self) -> str:
        return self.sentence

    def markdown(self) -> str:
        """A summary for a page of a CI run."""
        return summary(self.facts, self.sentence)


def gate(
    results: Results,
    baseline: str,
    candidate: str,
    *,
    score: str | None = None,
    margin: float = 0.0,
    require: Require = "better",
    split: str | None = None,
) -> Gate:
    """Whether a candidate is shown to be better than a baseline by more than a margin, or not to be worse.

    "better" asks that the 95 % interval of what the candidate gains lies above the margin, "not-worse" that
    it lies above minus the margin, which must be above 0 then: a test of superiority, or of noninferiority,
    with a chance of at most .025 to let a candidate pass whose true gain is just that. The interval is that
    of `handnet.predictions.pairs.compare_results`.

    baseline, candidate: names of models; score: by default the task's own; margin: in the unit of the
    difference (.02 is 2 points of accuracy, .02 nats of log loss, 2 % of a number's error). Raises Refusal
    for what is not understood.
    """
    _check(baseline, candidate, margin, require)
    facts, pair, lacking = _compared(results, (candidate, baseline), score, split)
    row = facts["decides"]
    if row is None:
        raise Refusal(f"{candidate} and {baseline} cannot be compared: {facts['sentence']}")
    bound = _bound(margin, row, require)
    low, high = row["difference"]["low"], row["difference"]["high"]
    found = "shown" if low > bound else "worse" if high < bound else "open"
    told = {"schema": SCHEMA, "kind": "gate", "source": results.source, "opened": results.opened}
    told |= {"baseline": baseline, "candidate": candidate, "score": row["score"]}
    told |= {"classes": list(results.classes), "require": require, "margin": margin, "bound": bound}
    told |= {"found": found, "comparison": facts, "needed": None, "left_out": lacking}
    if found == "open":
        told["needed"] = _needed(told, pair)
    return Gate(SHOWN if found == "shown" else NOT_SHOWN, reason(told), told)


def _compared(
    results: Results, names: tuple[str, str], score: str | None, split: str | None
) -> tuple[Mapping[str, Any], Pair | None, list[str]]:
    """What decides between two models and its sentence, as `compare_results` has them; the pair, None of
    scores alone; and why nothing is said over divisions, where a number is missing for it."""
    models_of(results, names)
    if not set(names) & {one.model for one in results.predicted}:
        found = compare_scores(results, names, True, score)
        lacking = {row["why"] for row in found["left_out"]} & {no_ratio()}
        return found["comparisons"][0], None, [*lacking]
    results = of_models(results, names)
    pair = Pair(results, names, deciding_of(results, score), split, EQUAL)
    lacking = {why for _, why in pair.left_out} & {no_ratio()}
    return verdict(results, pair), pair, [*lacking]


def _check(baseline: str, candidate: str, margin: float, require: str) -> None:
    """Raises Refusal for a requirement that says nothing."""
    if require not in REQUIREMENTS:
        raise Refusal(f"{option('require')} must be one of {' and '.join(REQUIREMENTS)}, but is {require!r}.")
    check_margin(margin)
    if require == "not-worse" and margin == 0:
        raise Refusal(
            f"nothing can be shown to be not worse by any amount at all: {option('margin', '')} must say how"
            " much worse would still do, as in .02."
        )
    if baseline == candidate:
        raise Refusal(f"the baseline and the candidate are both {baseline!r}; name two models.")


def _bound(margin: float, row: Mapping[str, Any], require: str) -> float:
    """What the interval of the gain must lie above, on the scale of the difference. Raises Refusal for a
    margin that no difference can exceed."""
    better, unit, widest = require == "better", row["unit"], row["widest"]
    if margin >= (1.0 if unit == "per cent" else widest or float("inf")):
        so_much = {"points": "2 points", "per cent": "2 %"}.get(unit, f"{0.02} {unit}".strip())
        raise Refusal(
            f"no difference exceeds {option('margin', margin)}; {so_much} are {option('margin', 0.02)}."
        )
    return bound_of(margin if better else -margin, unit)


def _needed(told: Mapping[str, Any], pair: Pair | None) -> dict[str, Any]:
    """How many cases, or seeds, or divisions would show it with 80 % power.

    gain: the true gain this is for, beyond the bound: for "better" what was seen, for "not-worse" what two
    equal models have; 0 where nothing would show it. cases, seeds, divisions: the fewest, None where no
    number would.
    """
    row, bound = told["comparison"]["decides"], told["bound"]
    truth = 0.0 if told["require"] == "not-worse" else row["difference"]["centres"]["mean"]
    gain = max(truth - bound, 0.0)
    found: dict[str, Any] = {"gain": gain, "cases": None, "seeds": None, "divisions": None}
    if not gain or (row["over"] == "splits" and not row.get("ratio")):
        return found
    if row["over"] == "splits":
        return found | {"divisions": _divisions(row, gain)}
    if row["over"] == "seeds":
        return found | {"seeds": seeds_needed(row["deviations"], gain)}
    assert pair is not None  # one over cases
    assert pair.on_cases is not None
    return found | needed(pair.on_cases.found, gain)._asdict()


def _divisions(row: Mapping[str, Any], gain: float) -> int | None:
    """How many divisions of this table show a gain; None where no number does, because they share rows."""
    band, ratio = row["difference"], row["ratio"]
    n = band["n"]
    error = Comparison(Band(**band | {"centres": ()}), row["p"]).error(n - 1) / math.sqrt(1 / n + ratio)

    def shows(count: int) -> bool:
        least = detectable_difference(error * math.sqrt(1 / count + ratio), count - 1)
        return least is not None and least <= gain

    counts = range(n, MOST_DIVISIONS + 1)
    place = bisect_left(counts, True, key=shows)
    return counts[place] if place < len(counts) else None
