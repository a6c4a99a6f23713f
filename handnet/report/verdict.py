"""The sentences of the report: the verdict, and the statements under it.

They are computed from the facts, so they say what the tables say. A template states no result.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handnet.bands.simulated import ALPHA, ROPE
from handnet.data import Array
from handnet.report.tables import graded_parts, rows_of
from handnet.report.words import interval, middle, number, part_name, percent, points, those
from handnet.scores import grade
from handnet.study.analysis import Analysis
from handnet.study.comparisons import DECIDES, LEAST_SPLITS, ComparedPair, can_decide, may_state_verdict
from handnet.study.resplit import SEARCHED_ANEW
from handnet.study.summary import SHARES
from handnet.study.units import BASELINE, Confirmed

RULE = "nadeau-bengio"  # the rule that words the verdict


def paragraph(facts: Mapping[str, Any], comparison: str) -> str:
    """The verdict. comparison: the sentence on the simple method, empty where there is none."""
    sentences = [_worth(facts), _spread(facts), comparison or _no_comparison(facts), _doubted(facts)]
    return " ".join(sentence for sentence in sentences if sentence)


def statements(
    confirmed: Sequence[Confirmed], analysis: Analysis, y_val: Array, y_test: Array | None
) -> list[str]:
    """What a reader asks next, a sentence each; those that nothing is known of are left out.

    How the seeds count against logistic regression, what the search made anew gives, what moves the numbers,
    what choosing cost, how the other recipes did. y_val: (n_val,); y_test: (n_test,), None while sealed.
    """
    roles = {configuration.role: configuration for configuration in confirmed}
    others = [other for role, other in roles.items() if other.recipe and role != "winner"]
    sentences = [
        _counted(roles["winner"], roles[BASELINE], y_val, y_test),
        compared(SEARCHED_ANEW, analysis),
        _split_against_seed(analysis),
        _cost_of_choosing(analysis, roles["winner"], y_val),
        _against_recipes(roles["winner"], others, y_val),
    ]
    return [sentence for sentence in sentences if sentence]


def compared(role: str, analysis: Analysis) -> str:
    """Whether a configuration beats logistic regression, over fresh divisions; empty without divisions.

    A verdict is worded by the rule for it alone, and only if that rule does not find too many differences
    where there are none.
    """
    pairs = [pair for pair in analysis.pairs if (pair.ours, pair.theirs) == (role, BASELINE)]
    return " ".join(_comparison(pair, analysis) for pair in pairs)


def _worth(facts: Mapping[str, Any]) -> str:
    """The share of the cases called right, and of each class, another seed and other cases in one band."""
    part = graded_parts(facts)[0]
    bands = {row["score"]: row["both"] for row in _winner(facts) if "both" in row}
    if set(bands) != set(SHARES):
        return "Fewer than two seeds of the winner are sound, so it has no band."
    sizes, data = facts["split"]["parts"][part], facts["data"]
    positives, negatives = sizes["positive"], sizes["cases"] - sizes["positive"]
    right, detected, cleared = (f"{middle(bands[name])} {interval(bands[name])}" for name in SHARES)
    flattered = ", on which it was chosen and which flatter it," if part == "val" else ""
    seeds, diverged = bands["accuracy"]["seeds"], bands["accuracy"]["diverged"]
    missing = f"; {diverged} of {seeds + diverged} seeds diverged" if diverged else ""
    return (
        f"Of the {sizes['cases']} {part_name(part)} cases{flattered} the winner calls {right} right;"
        f" of the {those(positives, data['positive_class'])} it finds {detected},"
        f" of the {those(negatives, data['negative_class'])} it clears {cleared}"
        f" (mean over {seeds} seeds [95%, another seed and other cases at once]{missing})."
    )


def _spread(facts: Mapping[str, Any]) -> str:
    """How far the accuracy goes when nothing but the seed, or nothing but the split, is another."""
    rows = [row for row in _winner(facts) if row["score"] == "accuracy" and "seeds" in row]
    if not rows:
        return ""
    seeds, splits = rows[0]["seeds"], rows[0].get("splits")
    text = (
        f"Another seed alone gives {number(seeds['low'])} to {number(seeds['high'])}"
        f" ({percent(seeds['coverage'])} of further seeds)"
    )
    if not splits:
        return f"{text}."
    return (
        f"{text}, another split {number(splits['low'])} to {number(splits['high'])}"
        f" ({percent(splits['coverage'])} of further divisions)."
    )


def _no_comparison(facts: Mapping[str, Any]) -> str:
    if facts["opening"]:
        return "Without fresh divisions of the table no verdict is given on it against logistic regression."
    return "Its test is sealed, so no verdict is given on it against logistic regression."


def _doubted(facts: Mapping[str, Any]) -> str:
    """How many cases every seed calls wrong, and on how many more the call depends on the seed."""
    part = graded_parts(facts)[0]
    missed = [row for row in facts["missed"] if row["role"] == "winner" and row["part"] == part]
    if not missed:
        return "No case is called wrong by any seed." if facts["configurations"][0]["recipe"] else ""
    always = sum(row["misses"] == row["seeds"] for row in missed)
    cases = "No case is" if not always else "1 case is" if always == 1 else f"{always} cases are"
    rest = len(missed) - always
    doubt = f"; on {rest} more the call depends on the seed" if rest else ""
    return f"{cases} called wrong by every seed{doubt}."


def _winner(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The winner's shares on the last graded part."""
    return [row for row in rows_of(facts, graded_parts(facts)[0], tuple(SHARES)) if row["role"] == "winner"]


def _comparison(pair: ComparedPair, analysis: Analysis) -> str:
    """A configuration against another on the score fixed in advance, by Nadeau and Bengio's corrected t."""
    scores = [score for score in pair.over_splits if score.score == DECIDES]
    if not scores:
        return ""
    (score,) = scores
    band, p = score.difference.band, score.difference.p
    anew = pair.ours == SEARCHED_ANEW
    text = (
        f"Over {band.n} fresh divisions of the table"
        f" {'the search, made anew in each,' if anew else f'the {pair.ours}'} calls"
        f" {points(band.centre('mean'), 1)} points [{points(band.low, 1)}, {points(band.high, 1)}] more of"
        f" the test cases right than {pair.theirs} (Nadeau-Bengio, {band.coverage:.0%}, p = {p:.2g})"
    )
    if not may_state_verdict(RULE, analysis.rules):
        return f"{text}; the rule finds a difference too often where there is none, so it words no verdict."
    if not can_decide(score):
        few = band.n < LEAST_SPLITS
        reason = f"with fewer than {LEAST_SPLITS} divisions" if few else "where no two divisions differ"
        return f"{text}; {reason} it words no verdict."
    verdict = f"is not shown to beat {pair.theirs}, nor to lose to it"
    if p < ALPHA:
        verdict = f"{'beats' if band.centre('mean') > 0 else 'loses to'} {pair.theirs}"
    sentences = [f"{text}: the network {verdict}."]
    if score.rope:
        sentences.append(
            f"Under a flat prior the two are within {100 * ROPE:g} point of each other with chance"
            f" {score.rope.equal:.0%}."
        )
    if not anew:
        sentences.append("The winner was chosen on rows of the same table, which flatters it here.")
    return " ".join(sentences)


def _counted(winner: Confirmed, rival: Confirmed, y_val: Array, y_test: Array | None) -> str:
    """How the winner's seeds compare with one deterministic rival on the same cases: counts, no verdict."""
    part, y = ("val", y_val) if y_test is None else ("test", y_test)
    ours, theirs = (configuration.logits(part) for configuration in (winner, rival))
    if winner.replicas is None or ours is None or theirs is None or not winner.has_seed_bands:
        return ""
    right = ((ours[winner.replicas.sound] > 0) == (y == 1)).sum(axis=1)  # (R,)
    bar = int(((theirs > 0) == (y == 1)).sum())
    more, same, fewer = int((right > bar).sum()), int((right == bar).sum()), int((right < bar).sum())
    flattered = " The winner was chosen on these very cases, which flatters it." if part == "val" else ""
    return (
        f"On the {len(y)} {part_name(part)} cases {BASELINE} calls {bar} right; of {len(right)} seeds of the"
        f" winner {more} call more right, {same} as many and {fewer} fewer, the median seed"
        f" {np.median(right):g}.{flattered}"
    )


def _split_against_seed(analysis: Analysis) -> str:
    """Which of the two moves the winner's accuracy, and by how much."""
    table = analysis.variances.get("winner", {}).get(DECIDES)
    if not table:
        return ""
    deviations = {component.source: component.deviation for component in table}
    seed = float(np.hypot(deviations["seed"], deviations["split x seed"]))
    return (
        f"Another split moves the winner's accuracy by {100 * deviations['split']:.2f} points (standard"
        f" deviation), another seed on the same split by {100 * seed:.2f}, over the fresh divisions."
    )


def _cost_of_choosing(analysis: Analysis, winner: Confirmed, y_val: Array) -> str:
    """What choosing cost: on these cases, by BBC; by the luck of the search seeds, on fresh ones."""
    bias = analysis.optimism
    if bias is None:
        return ""
    text = (
        f"The best mean validation log loss of the search is {bias.naive:.4f}; corrected for having been"
        f" chosen on these cases {bias.corrected:.4f} [{bias.band.low:.4f}, {bias.band.high:.4f}] (BBC, over"
        f" {bias.band.n} cases)"
    )
    if winner.replicas is None or not winner.replicas.sound.any():
        return f"{text}."
    fresh = grade(winner.val_logits[winner.replicas.sound], y_val).log_loss
    return f"{text}; on {len(fresh)} fresh seeds and the same cases it is {fresh.mean():.4f}."


def _against_recipes(winner: Confirmed, others: Sequence[Confirmed], y_val: Array) -> str:
    """On how many of the same fresh seeds the winner has the lower validation loss."""
    counts = []
    for other in others:
        assert winner.replicas is not None
        assert other.replicas is not None
        both = winner.replicas.sound & other.replicas.sound
        if both.any():
            ours, theirs = (grade(side.val_logits[both], y_val).log_loss for side in (winner, other))
            counts.append(f"{other.role} on {int((ours < theirs).sum())} of {int(both.sum())}")
    if not counts:
        return ""
    return (
        "On the same fresh seeds the winner's validation log loss is lower than that of"
        f" {', of '.join(counts)}; it was chosen on these validation cases, they were not."
    )
