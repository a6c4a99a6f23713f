"""What a comparison of two models found, in words that can be pasted into a paper."""

from collections.abc import Mapping, Sequence
from math import log1p
from typing import Any

from handnet.bands.compare import ALPHA
from handnet.bands.mean_squares import LEAST_PAIRS
from handnet.bands.over_seeds import WELCH
from handnet.report.comparison_tables import within
from handnet.report.words import (
    amount,
    as_told,
    cases_named,
    difference,
    label,
    p_value,
    so_many_cases,
    with_article,
)

DONE = {  # what a classifier did with the cases of a share
    "accuracy": ("called", "of the test cases right"),
    "sensitivity": ("found", "of the positive test cases"),
    "specificity": ("cleared", "of the negative test cases"),
}
LEAST_TOLD = 1e-9  # a difference below is 0
INDEPENDENT = (
    f"The seeds of the two are treated as independent, because fewer than {LEAST_PAIRS} pairs do not show"
    " what they have in common."
)
UNITS = {"nats": " nats", "per cent": "%"}


def gained(row: Mapping[str, Any], rival: str, lower: bool, classes: Sequence[str] = ()) -> str:
    """By how much one was better than a rival, for a sentence without its subject.

    row: with `score`, `unit`, `widest` and the band `difference`, above 0 where ours is better; lower:
    whether less of the score is better; classes: their names, for a score of one of them.
    """
    band, unit, widest = row["difference"], row["unit"], row["widest"]
    values = [band["centres"]["mean"], within(band["low"], widest), within(band["high"], widest)]
    worse, none = values[0] < 0, not float(difference(values[0], unit))
    if worse and not none:  # told as so much fewer, or higher, so the interval is turned
        values[1:] = reversed(values[1:])
    by, low, high = (difference(value, unit, worse and not none).removeprefix("+") for value in values)
    if unit == "points":
        done, which = done_with(row["score"], classes)
        if none:
            return f"{done} as many {which} as {rival}, a difference of {by} points [{low}, {high}]"
        return f"{done} {by} points [{low}, {high}] {'fewer' if worse else 'more'} {which} than {rival}"
    if none:
        same = with_article(row["score"], classes)
        return f"had {same} that differs from that of {rival} by {by}{UNITS.get(unit, '')} [{low}, {high}]"
    had = f"had {with_article(row['score'], classes)} {'lower' if lower != worse else 'higher'}"
    return f"{had} by {by}{UNITS.get(unit, '')} [{low}, {high}] than {rival}"


def done_with(score: str, classes: Sequence[str]) -> tuple[str, str]:
    """What was done with which cases, of a share."""
    kind, _, place = score.rpartition("_")
    if kind in ("recall", "precision"):
        which = cases_named(classes[int(place)]) if classes else f"cases of class {place}"
        return ("found", f"of the test {which}") if kind == "recall" else ("called", f"of its {which} right")
    if kind == "top":
        return f"had among its first {place}", "of the classes of test cases"
    return DONE.get(score, ("scored", f"of {label(score)}"))


def bound_of(margin: float, unit: str) -> float:
    """What a difference is, on its scale, that is a gain of `margin` in the unit of the score.

    On the logarithm of an error .02 is a gain of 2 % of the rival's error, and -.02 a loss of as much.
    """
    return -log1p(-margin) if unit == "per cent" else margin


def sentence(facts: Mapping[str, Any], classes: Sequence[str] = (), lower: bool = False) -> str:
    """What the comparison of a pair found.

    facts: of the pair; lower: whether less of the deciding score is better.
    """
    ours, theirs, row = facts["ours"], facts["theirs"], facts["decides"]
    if row is None:
        return f"Whether {ours} or {theirs} is better cannot be told."
    among = round(ALPHA / row["detectable_level"])
    by_holm = f", adjusted for {among} comparisons {p_value(row['adjusted'])}" if among > 1 else ""
    rule = f"{_rule(row)}, {row['difference']['coverage']:.0%} interval, p = {p_value(row['p'])}{by_holm}"
    over = f"Over {row['difference']['n']} divisions of this table " if row["over"] == "splits" else ""
    found = f"{over}{ours} {gained(row, theirs, lower, classes)} ({rule})"
    told = [f"{found}{_verdict(row, ours, theirs)}", _power(row, among), *_scope(row, ours, theirs)]
    told += [*_alike(row), *diverged_notes([facts])]
    return " ".join(told)


def without_verdict(facts: Mapping[str, Any]) -> str:
    """The sentence of a pair without its verdict, for a gate, which has its own. facts: of the pair."""
    verdict = _verdict(facts["decides"], facts["ours"], facts["theirs"])
    return str(facts["sentence"]).replace(verdict, ".", 1)


def _alike(row: Mapping[str, Any]) -> list[str]:
    """What the interval rests on where the difference of all cases is the same."""
    if not row.get("alike"):
        return []
    same = "All cases tell the two apart by as much"
    if as_told(abs(row["difference"]["centres"]["mean"]), row["unit"]) < LEAST_TOLD:
        same = "No case tells the two apart"
    return [f"{same}, so the interval says how far other cases may, and more seeds do not narrow it."]


def diverged_notes(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many seeds of which model diverged and are in no comparison, each told once."""
    found = []
    for pair in pairs:
        row = pair["decides"] or {}
        counts = zip((pair["ours"], pair["theirs"]), row.get("diverged", (0, 0)), strict=True)
        what = "run" if row.get("over") == "splits" else "seed"
        lost = [f"{count} {what}{'s' * (count > 1)} of {name}" for name, count in counts if count]
        if lost:
            one = len(lost) == 1 and lost[0].startswith("1 ")
            both = f", and so {'is the same seed' if one else 'are the same seeds'} of the other model"
            left = f"diverged and {'is' if one else 'are'} left out"
            found.append(f"{' and '.join(lost)} {left}{both if row.get('paired') else ''}.")
    return list(dict.fromkeys(found))


def _rule(row: Mapping[str, Any]) -> str:
    """The rule and what it is over."""
    band = row["difference"]
    if row["over"] == "splits":
        return "Nadeau-Bengio"
    if row["over"] == "seeds":
        return f"{test_name(band['kind'])} over {seeds_of(row)}"
    cases = so_many_cases(band["n"], band["groups"])
    if max(row["seeds"]) == 1:
        return f"{band['kind']} over {cases}"
    return f"{band['kind']} over {seeds_of(row)} and {cases}"


def test_name(kind: str) -> str:
    """A test by its name, without what it is over. kind: of a row or its band."""
    names = {"nadeau-bengio": "corrected t test of Nadeau and Bengio", WELCH: "Welch's t"}
    return names.get(kind, kind.removesuffix(" over seeds"))


def seeds_of(row: Mapping[str, Any]) -> str:
    """The seeds of both sides: "the same 3 seeds" of pairs, else "3 and 5 seeds"; "3 seeds" where one side
    has no seeds."""
    counts = [count for count in row["seeds"] if count > 1]
    if row["paired"]:
        return f"the same {counts[0]} seeds"
    return f"{' and '.join(map(str, counts))} seeds"


def _verdict(row: Mapping[str, Any], ours: str, theirs: str) -> str:
    """The end of the sentence on a difference."""
    if row["adjusted"] >= ALPHA:
        return ": not shown to be better, nor to be worse."
    better, other = (ours, theirs) if row["difference"]["centres"]["mean"] > 0 else (theirs, ours)
    where = " on these very cases" if row["over"] == "seeds" else ""
    return f": {better} is better than {other}{where}."


def _power(row: Mapping[str, Any], among: int) -> str:
    """The smallest difference that could have been seen."""
    if row["detectable"] is None:
        return "No difference could have been seen with 80% power."
    adjusted = f", adjusted for {among} comparisons," if among > 1 else ""
    return (
        f"The smallest difference seen with 80% power{adjusted} is {amount(row['detectable'], row['unit'])}."
    )


def _of_one(row: Mapping[str, Any], ours: str, theirs: str) -> str:
    """What is said of the side that has one seed, where the other has more."""
    one = ours if row["seeds"][0] == 1 else theirs
    return f"It is of the one model of {one}, as it is: no other seed of it was tried"


def _scope(row: Mapping[str, Any], ours: str, theirs: str) -> list[str]:
    """What was not varied."""
    if row["over"] == "splits":
        return []
    if row["over"] == "seeds":
        return ["It holds for these very cases: neither they nor the division of the table were varied."]
    few = [INDEPENDENT] * (row["paired"] and 1 not in row["seeds"] and min(row["seeds"]) < LEAST_PAIRS)
    if row["pooled"]:
        folds = "Each case is predicted by models of its own fold, and the folds share train rows."
        one = "No seed was varied" if row["seeds"] == [1, 1] else _of_one(row, ours, theirs)
        return [folds, *([f"{one}."] if 1 in row["seeds"] else few)]
    if row["seeds"] == [1, 1]:
        return [
            "It holds for these very models: no seed was varied, and neither was the division of the table."
        ]
    if 1 not in row["seeds"]:
        return ["The division of the table was not varied.", *few]
    return [f"{_of_one(row, ours, theirs)}, and the division of the table was not varied."]
