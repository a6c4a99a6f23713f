"""The sentences on comparisons and on the search: part of the verdict, and the statements under it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handnet.bands.compare import ALPHA
from handnet.bands.null import RULE
from handnet.bands.selection import SIMULATED
from handnet.bands.variance import Deviation
from handnet.report.model_words import OURS, Studied, param_words
from handnet.report.pair_words import gained
from handnet.report.score_names import IN_UNIT
from handnet.report.search_tables import ADAPTIVE, BELOW, corrected, simulated
from handnet.report.words import amount, label, mean_of, measure, p_value, so_many_cases, written
from handnet.study.analysis import SEARCHES, Again, Analysis
from handnet.study.comparisons import LEAST_SPLITS, ComparedOverSplits, ComparedPair, can_decide
from handnet.study.division import SEARCHED_ANEW
from handnet.study.quantity import band_facts
from handnet.study.units import Confirmed, Problem


def statements(
    confirmed: Sequence[Confirmed], analysis: Analysis, problem: Problem, model: Studied = OURS
) -> list[str]:
    """What a reader asks next, a sentence each; those that nothing is known of are left out.

    Which method is missing, what the search made anew gives, what moves the numbers, what choosing cost, what
    another search might have chosen.
    """
    roles = {configuration.role: configuration for configuration in confirmed}
    sentences = [
        *map(_missing, analysis.missing),
        *map(_alike, confirmed),
        *map(_constant, confirmed),
        compared(SEARCHED_ANEW, analysis, problem.data.class_names, model),
        _split_against_seed(analysis, roles["winner"].alike),
        _cost_of_choosing(analysis, roles["winner"], problem),
        _searched_again(analysis),
    ]
    return [sentence for sentence in sentences if sentence]


def compared(role: str, analysis: Analysis, classes: Sequence[str] = (), model: Studied = OURS) -> str:
    """Whether a configuration beats its rivals, over fresh divisions; empty without divisions.

    classes: their names, for a score of one of them; model: what is studied.

    A verdict is worded by the rule for it alone, and only if that rule does not find too many differences
    where there are none.
    """
    pairs = [pair for pair in analysis.pairs if pair.ours == role and pair.worded]
    pairs = [pair for pair in pairs if pair.over_splits]
    pairs.sort(key=lambda pair: pair.rivals.index(pair.theirs))
    tested = sum(row.decides and row.p is not None for pair in pairs for row in pair.over_splits)
    sentences = [_comparison(pair, analysis, tested, pair is pairs[0], classes, model) for pair in pairs]
    if pairs and role == "winner":
        sentences.append("The winner was chosen on rows of the same table, which flatters it here.")
    return " ".join(sentences)


def worse_than_untuned(analysis: Analysis, score: str, model: Studied = OURS) -> str:
    """A warning where the winner is worse on the validation rows than a method nothing was chosen for.

    score: the loss of training; model: what is studied."""
    untuned = analysis.untuned
    if untuned is None or not untuned.worse:
        return ""
    verdict = (
        "Beware: the winner is worse than" if untuned.shown else "The winner is not shown to be better than"
    )
    over = "groups" if untuned.groups else "cases"
    name = mean_of(score, "")
    ours, theirs = written(untuned.winner, score), written(untuned.rival, score)
    by, low, high = (
        f"{'+' * (value >= 0)}{written(value, score)}"
        for value in (untuned.winner - untuned.rival, untuned.low, untuned.high)
    )
    return (
        f"{verdict} untuned {untuned.method} on the validation rows it was chosen on: its {name} on"
        f" the {so_many_cases(untuned.n, untuned.groups, 'val')} is {ours}, that of untuned"
        f" {untuned.method} ({untuned.penalty}) {theirs} (difference"
        f" {by} [{low}, {high}], 95% for one"
        f" {model.unit}, t over {over})."
    )


def _missing(rival: str) -> str:
    return (
        f"{rival.capitalize()} could not be fitted to the train rows, so the winner is not compared with it."
    )


def _alike(configuration: Confirmed) -> str:
    """That a seed changed nothing, though there is one."""
    if not configuration.alike or configuration.replicas is None:
        return ""
    of = "the winner" if configuration.role == "winner" else configuration.role
    return (
        f"All {configuration.replicas.sound.sum()} seeds of {of} gave the same outputs to the bit, so its"
        " bands over seeds have no width."
    )


def _constant(configuration: Confirmed) -> str:
    """That a model says the same of every case, so that none of its scores is due to what it learnt."""
    if configuration.replicas is None:
        return ""
    given = [one for one in (configuration.val_logits, configuration.test_logits) if one is not None]
    outputs = np.concatenate(given, axis=1)[configuration.replicas.sound]
    constant = int((outputs == outputs[:, :1]).all(axis=tuple(range(1, outputs.ndim))).sum())
    if not constant or outputs.shape[1] < 2:
        return ""
    of = "the winner" if configuration.role == "winner" else configuration.role
    if constant < len(outputs):
        return (
            f"{constant} of {len(outputs)} seeds of {of} give every case the same output, so they have learnt"
            " nothing."
        )
    who = "The winner" if configuration.role == "winner" else configuration.role
    return f"{who} gives every case the same output, so it has learnt nothing."


def _comparison(
    pair: ComparedPair, analysis: Analysis, rivals: int, first: bool, classes: Sequence[str], model: Studied
) -> str:
    """A configuration against a rival on the score fixed in advance, by Nadeau and Bengio's corrected t.

    rivals: how many have a p; first: whether this sentence is the first of them; classes: their names; model:
    what is studied.
    """
    (row,) = (row for row in pair.over_splits if row.decides)
    band, p, adjusted = row.difference.band, row.p, row.difference.adjusted
    ours = "the search, made anew in each," if pair.ours == SEARCHED_ANEW else f"the {pair.ours}"
    subject = f"Over {band.n} divisions of this table {ours}" if first else "On the same divisions it"
    by_holm = f", adjusted for {rivals} rivals {adjusted:.2g}" if rivals > 1 and adjusted is not None else ""
    tuned = f"{pair.tuned}; " if pair.tuned else ""
    alone = " for this rival alone" if rivals > 1 else ""
    found = "no p" if p is None else f"p = {p_value(p)}"
    rule = f"{tuned}Nadeau-Bengio, {band.coverage:.0%}{alone}, {found}{by_holm}"
    text = f"{subject} {_gained(row, pair.theirs, classes)} ({rule})"
    if not analysis.rules.may_word(RULE):
        return f"{text}; the rule finds a difference too often where there is none, so it words no verdict."
    if p is None or not can_decide(row):
        few = band.n < LEAST_SPLITS
        reason = f"with fewer than {LEAST_SPLITS} divisions it"
        unseen = "no two divisions differ, so no difference could have been seen, and the rule"
        return f"{text}; {reason if few else unseen} words no verdict."
    verdict = "not shown to beat it, nor to lose to it"
    if (p if adjusted is None else adjusted) < ALPHA:
        so_tuned = " so tuned" if pair.tuned else ""
        verdict = f"it {'beats' if band.centre('mean') > 0 else 'loses to'} {pair.theirs}{so_tuned}"
    further = [f"{text}: {verdict}.", _power(row, pair, first, model), _equivalence(row) if first else ""]
    return " ".join(sentence for sentence in further if sentence)


def _gained(row: ComparedOverSplits, rival: str, classes: Sequence[str]) -> str:
    """By how much a configuration was better than a rival, for a sentence."""
    scale, facts = row.scale, band_facts(row.difference.band)
    told = {"score": row.score, "unit": scale.unit, "widest": scale.widest, "difference": facts}
    return gained(told, rival, scale.sign < 0, classes)


def _power(row: ComparedOverSplits, pair: ComparedPair, first: bool, model: Studied) -> str:
    """The smallest difference that is seen in 80 of 100 studies, over divisions and on the test alone."""
    adjusted = f", adjusted for {row.among} rivals," if row.among > 1 else ""
    smallest = amount(row.detectable or 0, row.scale.unit)
    text = f"The smallest difference seen with 80% power{adjusted} is {smallest}"
    if row.detectable is None:
        text = "No difference could have been seen with 80% power over these divisions"
    alone = pair.on_test.detectable(row.score, row.level) if first and pair.on_test else None
    if alone is None:
        return f"{text}."
    by_one = row.score in ("accuracy", "rmse")
    on_test = f"by one {model.unit} on the test alone" if by_one else "on the test alone"
    return f"{text}, and {amount(alone, row.scale.unit)} {on_test}."


def _equivalence(row: ComparedOverSplits) -> str:
    """The chance that the two are equal for practical purposes; empty where nothing counts as equal."""
    if row.equal == 0:
        return ""
    return (
        f"Under a flat prior the two are within {_region(row)} of each other, equal by convention, with"
        f" chance {row.rope.equal:.0%}."
    )


def _region(row: ComparedOverSplits) -> str:
    """The region of equivalence as the settings have it."""
    if row.scale.unit == "points":
        return f"{100 * row.equal:g} point{'' if row.equal == 0.01 else 's'}"
    if row.scale.unit == "per cent":
        return f"{100 * row.equal:g}%"
    return f"{row.equal:g} {row.scale.unit}".strip()


def _split_against_seed(analysis: Analysis, alike: bool) -> str:
    """How far each of the two moves the winner's accuracy, and what the choice of cases alone makes of it.

    alike: whether its seed does nothing, so that the split alone moves it.
    """
    moves = analysis.moved
    if moves is None:
        return ""
    asked = ""
    if moves.asked is not None:
        asked = f"; asking other cases of the table is by itself worth {100 * moves.asked:.2f}"
    split, seed = (_deviation(one, moves.score) for one in (moves.split, moves.seed))
    unit = "" if moves.score in IN_UNIT else " in points"
    by_seed = "" if alike else f" Another seed on the same split moves it by {seed}."
    return (
        f"Another split moves the winner's {label(moves.score)} by {split}{asked}.{by_seed}"
        f" (Standard deviations{unit} [95%] over {moves.divisions} fresh divisions and {moves.seeds} seeds.)"
    )


def _deviation(deviation: Deviation, score: str) -> str:
    values = deviation.deviation, deviation.low, deviation.high
    if score in IN_UNIT:
        middle, low, high = (measure(value, max(values)) for value in values)
    else:
        middle, low, high = (f"{100 * value:.2f}" for value in values)
    return f"{middle} [{low}, {high}]"


def _cost_of_choosing(analysis: Analysis, winner: Confirmed, problem: Problem) -> str:
    """What choosing cost: on these cases, by BBC; by the luck of the search seeds, on fresh ones."""
    bias = analysis.optimism
    if bias is None:
        return ""
    score = problem.task.trained_on
    value = corrected(bias.corrected, bias.band.low, bias.band.high, score)
    text = (
        f"The best {mean_of(score)} of the search is {written(bias.naive, score)}; corrected"
        f" for having been chosen on these cases {value} (BBC, 95% over"
        f" {so_many_cases(bias.band.n, bias.band.groups)}{simulated(bias.held, *SIMULATED)})"
    )
    if winner.replicas is not None and winner.replicas.sound.any() and len(winner.replicas.seeds) > 1:
        fresh = problem.task.mean_loss(winner.val_logits[winner.replicas.sound], problem.parts.val.y)
        text += f"; on {len(fresh)} fresh seeds and the same cases it is {written(fresh.mean(), score)}"
    remarks = [BELOW] * (bias.corrected < bias.naive) + [ADAPTIVE] * analysis.adaptive
    return " ".join([f"{text}.", *remarks])


def _searched_again(analysis: Analysis) -> str:
    """Whether other training seeds would have chosen the same."""
    again = analysis.again
    if again is None:
        return ""
    found = again.found
    text = (
        f"{_near(int(found.near.sum()) - 1, len(again.places) - 1)} within one standard error of the best,"
        f" paired over the {again.seeds} search seeds. Of {SEARCHES:,} bootstrap samples of these seeds"
        f" {found.chosen[found.best]:.1%} choose the winner{_favourite(again)};"
        f" {_different(int((found.chosen > 0).sum()))}"
    )
    if again.anew:
        text += f"; made anew on {len(again.anew)} fresh divisions the search chose {_ranges(again.anew)}"
    if not found.replaced:
        return f"{text}."
    return f"{text}. The search found nothing that other training seeds do not replace."


def _near(near: int, others: int) -> str:
    """How many of the others lie near the best."""
    if near == 0 or others == 1:
        return "The one other configuration lies" if near else "No other configuration lies"
    return f"{near} of the {others} other configurations lie{'s' if near == 1 else ''}"


def _favourite(again: Again) -> str:
    """The trial that more samples choose than choose the winner, if there is one."""
    found = again.found
    if found.favourite == found.best:
        return ""
    place = again.places[found.favourite] + 1
    return f", but {found.chosen[found.favourite]:.1%} choose trial {place:02d}"


def _different(count: int) -> str:
    """How many configurations some sample chooses."""
    return "all choose the same one" if count == 1 else f"{count} different configurations are chosen"


def _ranges(points: Sequence[Mapping[str, Any]]) -> str:
    """From where to where each parameter goes; of one that is no number, which values it takes."""
    return ", ".join(
        f"{param_words(name)} {_range([point[name] for point in points if name in point])}"
        for name in dict.fromkeys(name for point in points for name in point)
    )


def _range(values: Sequence[Any]) -> str:
    """From the least to the largest value, or every value that is no number."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return f"{min(values):.2g} to {max(values):.3g}"
    return " or ".join(dict.fromkeys(map(str, values)))
