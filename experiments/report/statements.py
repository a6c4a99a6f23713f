"""Sentences computed from the results. A template states no result: whatever the report says in words is made here."""

from collections.abc import Sequence

import numpy as np

from experiments.analysis import Analysis
from experiments.comparisons import DECIDES, LEAST_SPLITS, Rivalry, enough_to_word, may_word
from experiments.rehearsal import ANEW
from experiments.report.words import points
from experiments.summary import Confirmed
from handnet.bands.simulated import ALPHA, ROPE
from handnet.data import Array
from handnet.grade import grade

RULE = "nadeau-bengio"
BASELINE = "logistic regression"


def statements(
    confirmed: Sequence[Confirmed], analysis: Analysis, y_val: Array, test: tuple[Array, Array] | None
) -> list[str]:
    """What a reader asks next: single counts, the search made anew, what moves the numbers, what did choosing cost?"""
    roles = {one.role: one for one in confirmed}
    lines = [_counted(roles["winner"], roles[BASELINE], y_val, test)]
    lines.append(compared(ANEW, analysis))
    lines += [_moved(analysis), _chosen(analysis, roles["winner"], y_val)]
    lines.append(_paired(roles["winner"], [one for one in confirmed if one.recipe and one.role != "winner"], y_val))
    return [line for line in lines if line]


def compared(role: str, analysis: Analysis) -> str:
    """Whether a configuration beats logistic regression, over fresh divisions. A verdict is worded by the rule for it alone,
    and only when that rule does not cry wolf. Empty without divisions."""
    found = [_verdict(one, analysis) for one in analysis.rivalries if one.theirs == BASELINE and one.ours == role]
    return " ".join(found)


def _counted(winner: Confirmed, rival: Confirmed, y_val: Array, test: tuple[Array, Array] | None) -> str:
    """How the seeds of the winner compare with one deterministic rival on the same cases: counts, no verdict."""
    part, y = ("test", test[1]) if test else ("validation", y_val)
    ours, theirs = (one.test_logits if test else one.val_logits for one in (winner, rival))
    if winner.replicas is None or ours is None or theirs is None or winner.replicas.sound.sum() < 2:
        return ""
    right = ((ours[winner.replicas.sound] > 0) == (y == 1)).sum(axis=1)
    bar = int(((theirs > 0) == (y == 1)).sum())
    more, same, fewer = int((right > bar).sum()), int((right == bar).sum()), int((right < bar).sum())
    flattered = "" if test else " The winner was chosen on these very cases, which flatters it."
    return (f"On the {len(y)} {part} cases {BASELINE} calls {bar} right; of {len(right)} seeds of the winner {more} call more "
            f"right, {same} as many and {fewer} fewer, the median seed {np.median(right):g}.{flattered}")  # fmt: skip


def _verdict(one: Rivalry, analysis: Analysis) -> str:
    """The worded comparison: Nadeau and Bengio's corrected t over fresh divisions, on the score fixed in advance."""
    found = next((each for each in one.over_splits if each.score == DECIDES), None)
    if found is None:
        return ""
    band = found.difference.band
    who = "the search, made anew in each," if one.ours == ANEW else f"the {one.ours}"
    numbers = (f"Over {band.n} fresh divisions of the table {who} calls {points(band.centre('mean'), 1)} points "
               f"[{points(band.low, 1)}, {points(band.high, 1)}] more of the test cases right than {one.theirs} "
               f"(Nadeau-Bengio, {band.coverage:.0%}, p = {found.difference.p:.2g})")  # fmt: skip
    if not may_word(RULE, analysis.rules):
        return f"{numbers}; the rule finds a difference too often where there is none, so it words no verdict."
    if not enough_to_word(found):
        why = f"with fewer than {LEAST_SPLITS} divisions" if band.n < LEAST_SPLITS else "where no two divisions differ"
        return f"{numbers}; {why} it words no verdict."
    if found.difference.p >= ALPHA:
        verdict = f"the network is not shown to beat {one.theirs}, nor to lose to it"
    else:
        verdict = f"the network {'beats' if band.centre('mean') > 0 else 'loses to'} {one.theirs}"
    said = [f"{numbers}: {verdict}."]
    if found.rope:
        said.append(
            f"Under a flat prior the two are within {100 * ROPE:g} point of each other with chance {found.rope.equal:.0%}."
        )
    if one.ours != ANEW:
        said.append("The winner was chosen on rows of the same table, which flatters it here.")
    return " ".join(said)


def _moved(analysis: Analysis) -> str:
    """Split against seed."""
    table = analysis.variances.get("winner", {}).get(DECIDES)
    if not table:
        return ""
    sd = {one.source: one.deviation for one in table}
    seed = float(np.hypot(sd["seed"], sd["split x seed"]))
    return (f"Another split moves the winner's accuracy by {100 * sd['split']:.2f} points (standard deviation), another seed on "
            f"the same split by {100 * seed:.2f}, over the fresh divisions.")  # fmt: skip


def _chosen(analysis: Analysis, winner: Confirmed, y_val: Array) -> str:
    """What choosing cost: on these cases, by BBC; by the luck of the search seeds, by training on fresh ones."""
    bbc = analysis.optimism
    if bbc is None:
        return ""
    text = (f"The best mean validation log loss of the search is {bbc.naive:.4f}; corrected for having been chosen "
            f"on these cases {bbc.corrected:.4f} [{bbc.band.low:.4f}, {bbc.band.high:.4f}] (BBC, over {bbc.band.n} cases)")  # fmt: skip
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
    return (f"On the same fresh seeds the winner's validation log loss is lower than that of {', of '.join(counts)}; it was chosen on "
            "these validation cases, they were not.")  # fmt: skip
