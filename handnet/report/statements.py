"""The sentences on comparisons and on the search: part of the verdict, and the statements under it."""

from collections.abc import Sequence

import numpy as np

from handnet.bands.simulated import ALPHA
from handnet.data import Array
from handnet.report.words import part_name, points
from handnet.scores import grade
from handnet.study.analysis import Analysis
from handnet.study.comparisons import LEAST_SPLITS, ComparedPair, can_decide, may_state_verdict
from handnet.study.resplit import SEARCHED_ANEW
from handnet.study.rivals import BASELINE
from handnet.study.units import Confirmed

RULE = "nadeau-bengio"  # the rule that words the verdict


def statements(
    confirmed: Sequence[Confirmed], analysis: Analysis, y_val: Array, y_test: Array | None
) -> list[str]:
    """What a reader asks next, a sentence each; those that nothing is known of are left out.

    Whether the winner is worse than an untuned method, which method is missing, how the seeds count against
    logistic regression, what the search made anew gives, what moves the numbers, what choosing cost, how the
    other recipes did. y_val: (n_val,); y_test: (n_test,), None while sealed.
    """
    roles = {configuration.role: configuration for configuration in confirmed}
    others = [other for role, other in roles.items() if other.recipe and role != "winner"]
    sentences = [
        _worse_than_untuned(analysis),
        *map(_missing, analysis.missing),
        _counted(roles["winner"], roles.get(BASELINE), y_val, y_test),
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


def _comparison(pair: ComparedPair, analysis: Analysis) -> str:
    """A configuration against another on the score fixed in advance, by Nadeau and Bengio's corrected t."""
    scores = [score for score in pair.over_splits if score.decides]
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
            f"Under a flat prior the two are within {100 * score.equal:g} point of each other with chance"
            f" {score.rope.equal:.0%}."
        )
    if not anew:
        sentences.append("The winner was chosen on rows of the same table, which flatters it here.")
    return " ".join(sentences)


def _worse_than_untuned(analysis: Analysis) -> str:
    """A warning where the winner is worse on the validation rows than a method nothing was chosen for."""
    untuned = analysis.untuned
    if untuned is None or not untuned.worse:
        return ""
    return (
        f"Warning: on the {untuned.n} validation cases the winner's mean log loss is {untuned.winner:.4f} and"
        f" that of untuned {BASELINE} (C = 1) {untuned.rival:.4f}; the difference over cases is"
        f" {untuned.winner - untuned.rival:+.4f} [{untuned.low:+.4f}, {untuned.high:+.4f}] (t, 95%). The"
        " search chose on these very cases and found no network as good as a method for which nothing was"
        " chosen."
    )


def _missing(rival: str) -> str:
    return (
        f"{rival.capitalize()} could not be fitted to the train rows, so the winner is not compared with it."
    )


def _counted(winner: Confirmed, rival: Confirmed | None, y_val: Array, y_test: Array | None) -> str:
    """How the winner's seeds compare with one deterministic rival on the same cases: counts, no verdict."""
    if rival is None:
        return ""
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
    table = analysis.variances.get("winner", {}).get("accuracy")
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
