"""The sentences of the report: the verdict, and what stands under it.

They are computed from the facts, so they say what the tables say. A template states no result.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handnet.bands.simulated import ALPHA, ROPE
from handnet.data import Array
from handnet.report.tables import parts, table
from handnet.report.words import interval, middle, number, part_name, percent, points, those
from handnet.scores import grade
from handnet.study.analysis import Analysis
from handnet.study.comparisons import DECIDES, LEAST_SPLITS, ComparedPair, can_decide, may_state_verdict
from handnet.study.resplit import SEARCHED_ANEW
from handnet.study.units import Confirmed

SHARES = ("accuracy", "sensitivity", "specificity")


def paragraph(facts: Mapping[str, Any], compared: str) -> str:
    """The verdict. compared: the sentence on the simple method, empty where there is none."""
    said = [_worth(facts), _moves(facts), compared or _none_yet(facts), _doubted(facts)]
    return " ".join(line for line in said if line)


def _worth(facts: Mapping[str, Any]) -> str:
    """What share of the cases is called right, of each class too, with another seed and other cases in one
    band."""
    part = parts(facts)[0]
    rows = {row["score"]: row["both"] for row in _winner(facts, part) if "both" in row}
    if set(rows) != set(SHARES):
        return "Fewer than two seeds of the winner are sound, so it has no band."
    sizes, data = facts["split"]["parts"][part], facts["data"]
    right, found, cleared = (f"{middle(rows[name])} {interval(rows[name])}" for name in SHARES)
    flattered = ", on which it was chosen and which flatter it," if part == "val" else ""
    seeds, lost = rows["accuracy"]["seeds"], rows["accuracy"]["diverged"]
    gone = f"; {lost} of {seeds + lost} seeds diverged" if lost else ""
    return (
        f"Of the {sizes['cases']} {part_name(part)} cases{flattered} the winner calls {right} right; of the"
        f" {those(sizes['positive'], data['positive_class'])} it finds {found}, of the"
        f" {those(sizes['cases'] - sizes['positive'], data['negative_class'])} it clears {cleared} (mean over"
        f" {seeds} seeds [95%, another seed and other cases at once]{gone})."
    )


def _moves(facts: Mapping[str, Any]) -> str:
    """How far the accuracy goes when nothing but the seed, or nothing but the split, is another."""
    row = next(
        (row for row in _winner(facts, parts(facts)[0]) if row["score"] == "accuracy" and "seeds" in row),
        None,
    )
    if row is None:
        return ""
    seeds, splits = row["seeds"], row.get("splits")
    text = (
        f"Another seed alone gives {number(seeds['low'])} to {number(seeds['high'])}"
        f" ({percent(seeds['coverage'])} of further seeds)"
    )
    if splits:
        text += (
            f", another split {number(splits['low'])} to {number(splits['high'])}"
            f" ({percent(splits['coverage'])} of further divisions)"
        )
    return f"{text}."


def _none_yet(facts: Mapping[str, Any]) -> str:
    if facts["opening"]:
        return "Without fresh divisions of the table no verdict is given on it against logistic regression."
    return "Its test is sealed, so no verdict is given on it against logistic regression."


def _doubted(facts: Mapping[str, Any]) -> str:
    part = parts(facts)[0]
    wrong = [row for row in facts["missed"] if row["role"] == "winner" and row["part"] == part]
    every = sum(row["misses"] == row["seeds"] for row in wrong)
    if not wrong:
        return "No case is called wrong by any seed." if facts["configurations"][0]["recipe"] else ""
    sure = (
        f"{every} {'case is' if every == 1 else 'cases are'} called wrong by every seed"
        if every
        else "No case is called wrong by every seed"
    )
    return (
        f"{sure}; on {len(wrong) - every} more the call depends on the seed."
        if len(wrong) > every
        else f"{sure}."
    )


def _winner(facts: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    return [row for row in table(facts, part, SHARES) if row["role"] == "winner"]


RULE = "nadeau-bengio"
BASELINE = "logistic regression"


def statements(
    confirmed: Sequence[Confirmed], analysis: Analysis, y_val: Array, test: tuple[Array, Array] | None
) -> list[str]:
    """What a reader asks next: single counts, the search made anew, what moves the numbers, what did choosing
    cost?"""
    roles = {one.role: one for one in confirmed}
    lines = [_counted(roles["winner"], roles[BASELINE], y_val, test)]
    lines.append(compared(SEARCHED_ANEW, analysis))
    lines += [_moved(analysis), _chosen(analysis, roles["winner"], y_val)]
    lines.append(
        _paired(roles["winner"], [one for one in confirmed if one.recipe and one.role != "winner"], y_val)
    )
    return [line for line in lines if line]


def compared(role: str, analysis: Analysis) -> str:
    """Whether a configuration beats logistic regression, over fresh divisions. A verdict is worded by the
    rule for it alone, and only when that rule does not cry wolf. Empty without divisions."""
    found = [_verdict(one, analysis) for one in analysis.pairs if one.theirs == BASELINE and one.ours == role]
    return " ".join(found)


def _counted(winner: Confirmed, rival: Confirmed, y_val: Array, test: tuple[Array, Array] | None) -> str:
    """How the seeds of the winner compare with one deterministic rival on the same cases: counts, no
    verdict."""
    part, y = ("test", test[1]) if test else ("validation", y_val)
    ours, theirs = (one.test_logits if test else one.val_logits for one in (winner, rival))
    if winner.replicas is None or ours is None or theirs is None or winner.replicas.sound.sum() < 2:
        return ""
    right = ((ours[winner.replicas.sound] > 0) == (y == 1)).sum(axis=1)
    bar = int(((theirs > 0) == (y == 1)).sum())
    more, same, fewer = int((right > bar).sum()), int((right == bar).sum()), int((right < bar).sum())
    flattered = "" if test else " The winner was chosen on these very cases, which flatters it."
    return (
        f"On the {len(y)} {part} cases {BASELINE} calls {bar} right; of {len(right)} seeds of the winner"
        f" {more} call more right, {same} as many and {fewer} fewer, the median seed"
        f" {np.median(right):g}.{flattered}"
    )


def _verdict(one: ComparedPair, analysis: Analysis) -> str:
    """The worded comparison: Nadeau and Bengio's corrected t over fresh divisions, on the score fixed in
    advance."""
    found = next((each for each in one.over_splits if each.score == DECIDES), None)
    if found is None:
        return ""
    band = found.difference.band
    who = "the search, made anew in each," if one.ours == SEARCHED_ANEW else f"the {one.ours}"
    numbers = (
        f"Over {band.n} fresh divisions of the table {who} calls {points(band.centre('mean'), 1)} points "
        f"[{points(band.low, 1)}, {points(band.high, 1)}] more of the test cases right than {one.theirs} "
        f"(Nadeau-Bengio, {band.coverage:.0%}, p = {found.difference.p:.2g})"
    )
    if not may_state_verdict(RULE, analysis.rules):
        return (
            f"{numbers}; the rule finds a difference too often where there is none, so it words no verdict."
        )
    if not can_decide(found):
        why = (
            f"with fewer than {LEAST_SPLITS} divisions"
            if band.n < LEAST_SPLITS
            else "where no two divisions differ"
        )
        return f"{numbers}; {why} it words no verdict."
    if found.difference.p >= ALPHA:
        verdict = f"the network is not shown to beat {one.theirs}, nor to lose to it"
    else:
        verdict = f"the network {'beats' if band.centre('mean') > 0 else 'loses to'} {one.theirs}"
    said = [f"{numbers}: {verdict}."]
    if found.rope:
        said.append(
            f"Under a flat prior the two are within {100 * ROPE:g} point of each other with chance"
            f" {found.rope.equal:.0%}."
        )
    if one.ours != SEARCHED_ANEW:
        said.append("The winner was chosen on rows of the same table, which flatters it here.")
    return " ".join(said)


def _moved(analysis: Analysis) -> str:
    """Split against seed."""
    table = analysis.variances.get("winner", {}).get(DECIDES)
    if not table:
        return ""
    sd = {one.source: one.deviation for one in table}
    seed = float(np.hypot(sd["seed"], sd["split x seed"]))
    return (
        f"Another split moves the winner's accuracy by {100 * sd['split']:.2f} points (standard deviation),"
        f" another seed on the same split by {100 * seed:.2f}, over the fresh divisions."
    )


def _chosen(analysis: Analysis, winner: Confirmed, y_val: Array) -> str:
    """What choosing cost: on these cases, by BBC; by the luck of the search seeds, by training on fresh
    ones."""
    bbc = analysis.optimism
    if bbc is None:
        return ""
    text = (
        f"The best mean validation log loss of the search is {bbc.naive:.4f}; corrected for having been"
        f" chosen on these cases {bbc.corrected:.4f} [{bbc.band.low:.4f}, {bbc.band.high:.4f}] (BBC, over"
        f" {bbc.band.n} cases)"
    )
    if winner.replicas is None or not winner.replicas.sound.any():
        return f"{text}."
    fresh = grade(winner.val_logits[winner.replicas.sound], y_val).log_loss
    return f"{text}; on {len(fresh)} fresh seeds and the same cases it is {fresh.mean():.4f}."


def _paired(winner: Confirmed, others: Sequence[Confirmed], y_val: Array) -> str:
    """On how many of the same fresh seeds the search's winner has the lower validation loss."""
    counts = []
    for other in others:
        assert winner.replicas is not None
        assert other.replicas is not None
        both = winner.replicas.sound & other.replicas.sound
        if both.any():
            ours, theirs = (grade(one.val_logits[both], y_val).log_loss for one in (winner, other))
            counts.append(f"{other.role} on {int((ours < theirs).sum())} of {int(both.sum())}")
    if not counts:
        return ""
    return (
        "On the same fresh seeds the winner's validation log loss is lower than that of"
        f" {', of '.join(counts)}; it was chosen on these validation cases, they were not."
    )
