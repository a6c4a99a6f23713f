"""The verdict on made-up worlds: it says what the numbers are, and nothing where a rule may not speak."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from samples import TWO
from scipy.stats import binomtest, norm, t
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from handnet.bands import Band
from handnet.bands.band import OVER_DIVISIONS
from handnet.bands.compare import Comparison, Rope, Wins
from handnet.bands.null import FalseAlarms
from handnet.bands.null_tables import Layout
from handnet.draws import generator
from handnet.report.comparison_facts import chance_facts, pair_facts, rule_facts
from handnet.report.comparison_tables import over_splits_table, rule_table
from handnet.report.statements import compared
from handnet.study.analysis import Analysis
from handnet.study.comparisons import (
    ComparedOverSplits,
    ComparedPair,
    Rules,
    compare_over_splits,
    compare_pairs,
)
from handnet.study.division import Resplit
from handnet.study.false_alarms import TABLE, Measured, measured
from handnet.study.on_test import ComparedOnTest, compare_on_test
from handnet.study.sections import VerdictSettings
from handnet.study.units import Confirmed

DECIDED = VerdictSettings(score="accuracy", equal=0.01)


def divisions(
    count: int, gone: Callable[[int], int | None] = lambda _: None, better: float = 0.0
) -> list[Resplit]:
    """Made-up rehearsals. gone(k): the winner's seed that diverged in division k; better: how much clearer
    its cases are."""
    draws = generator(5, 0)
    y = np.repeat([1, 0], [40, 60])
    made = []
    for k in range(count):
        cases = np.where(y == 1, 1.0, -1.0) + draws.normal(size=100)
        logits = cases + better * np.where(y == 1, 1.0, -1.0) + 0.3 * draws.normal(size=(4, 100))
        if gone(k) is not None:
            logits[gone(k)] = np.nan
        rival = cases + 0.3 * draws.normal(size=(1, 100))
        made.append(Resplit(k, y, 0.5, {"winner": logits, "logistic regression": rival}))
    return made


@pytest.mark.parametrize(
    ("better", "words"),
    [
        (0.6, "it beats logistic regression"),
        (0.0, "not shown to beat it, nor to lose to it"),
        (-0.6, "it loses to logistic regression"),
    ],
)
def test_worlds_in_which_the_network_is_better_equal_and_worse(better: float, words: str) -> None:
    """From logits to words: nothing in between is made up."""
    made = divisions(29, better=better)
    pair = ComparedPair(
        "winner",
        "logistic regression",
        tuple(compare_over_splits(TWO, "winner", "logistic regression", made, DECIDED)),
        None,
        "",
    )
    layout = Layout(300, 100, 100, 100, 120, 29)
    text = compared(
        "winner",
        Analysis({}, [pair], {}, {}, Rules(measured(layout, "accuracy"), ()), None, {}, (), None, ()),
    )
    assert words in text
    assert text.count("not shown to") + text.count("it beats") + text.count("it loses") == 1


def test_a_diverged_network_is_left_out_of_its_division_alone() -> None:
    """Another seed in each division: none of them is sound throughout, and all comparisons are still
    there."""
    hurt = divisions(6, lambda k: k % 4)
    band = next(compare_over_splits(TWO, "winner", "logistic regression", hurt, DECIDED)).difference.band
    assert (band.n, band.diverged) == (6, 6)
    means = [
        np.nanmean(TWO.grade(division.logits["winner"], division.y)["accuracy"])
        - TWO.grade(division.logits["logistic regression"], division.y)["accuracy"][0]
        for division in hurt
    ]
    assert band.centre("mean") == pytest.approx(np.mean(means), abs=1e-12)


@pytest.mark.parametrize("score", ["accuracy", "specificity", "brier"])
def test_one_score_decides_and_it_is_the_one_of_the_settings(score: str) -> None:
    compared = list(
        compare_over_splits(
            TWO, "winner", "logistic regression", divisions(5), VerdictSettings(score=score, equal=0.03)
        )
    )
    assert [row.score for row in compared if row.decides] == [score]
    assert {row.equal for row in compared} == {0.03}


def rules(found: int, tables: int = 2000) -> Rules:
    """A rule that found a difference in so many of the tables with none."""
    layout = Layout(569, 341, 114, 114, 212, 29)
    alarms = FalseAlarms(layout, "accuracy", "nadeau-bengio", tables, found, 0.17)
    return Rules(Measured(layout, layout, (alarms,)), ())


def paired(theirs: str, p: float, adjusted: float, mean: float = 0.02, tuned: str = "") -> ComparedPair:
    """The winner, so much better than theirs within a point."""
    ends = (mean - 0.01, mean + 0.01)
    band = Band(*ends, "nadeau-bengio", "splits", 29, 0.95, OVER_DIVISIONS, (("mean", mean),))
    wins = Wins(band, False, False)
    row = ComparedOverSplits(
        "accuracy",
        True,
        0.01,
        Comparison(band, p, adjusted),
        Rope(0.1, 0.8, 0.1),
        wins,
        TWO.scale("accuracy"),
    )
    return ComparedPair("winner", theirs, (row,), None, tuned)


def spoken(pairs: list[ComparedPair], found: int = 80) -> str:
    """The sentences on these pairs, by a rule that found a difference in so many of 2000 tables with none."""
    return compared("winner", Analysis({}, pairs, {}, {}, rules(found), None, {}, (), None, ()))


def worded(
    p: float, mean: float, found: int = 80, splits: int = 29, width: float = 0.01, score: str = "accuracy"
) -> str:
    """The sentence on a winner that differs so much from logistic regression."""
    pair = paired("logistic regression", p, p, mean)
    row = pair.over_splits[0]
    band = replace(row.difference.band, low=mean - width, high=mean + width, n=splits)
    row = replace(row, score=score, difference=row.difference._replace(band=band), scale=TWO.scale(score))
    return spoken([replace(pair, over_splits=(row,))], found)


def test_the_verdict_is_the_rules() -> None:
    assert "not shown to beat it, nor to lose to it" in worded(0.2, 0.02)
    assert "it beats logistic regression" in worded(0.01, 0.02)
    assert "it loses to logistic regression" in worded(0.01, -0.02)


def test_the_verdict_has_its_power_and_the_region_of_equivalence() -> None:
    """The half-width, 1 point, times 1 + t_.8 / t_.975 with 28 degrees."""
    smallest = 1 + t.ppf(0.8, 28) / t.ppf(0.975, 28)
    text = worded(0.2, 0.02)
    assert f"The smallest difference seen with 80% power is {smallest:.2f} points." in text
    assert "within 1 point of each other, equal by convention, with chance 80%" in text


def test_a_loss_decides_in_nats() -> None:
    text = worded(0.2, 0.02, score="log_loss")
    assert "had a log loss lower by 0.0200 nats [0.0100, 0.0300] than logistic regression" in text
    assert "within 0.01 nats of each other" in text
    assert re.search(r"with 80% power is 0\.\d+ nats\.", text)
    assert "points" not in text


@pytest.mark.parametrize(
    ("score", "mean", "words"),
    [
        ("accuracy", 0.0325, "called 3.25 points [-1.75, 8.25] more of the test cases right than"),
        ("accuracy", -0.0325, "called 3.25 points [-1.75, 8.25] fewer of the test cases right than"),
        ("sensitivity", -0.06, "found 6.00 points [1.00, 11.00] fewer of the positive test cases than"),
        ("specificity", 0.06, "cleared 6.00 points [1.00, 11.00] more of the negative test cases than"),
        ("auc", 0.0558, "had an AUC higher by 0.0558 [0.0058, 0.1058] than"),
        ("auc", -0.0558, "had an AUC lower by 0.0558 [0.0058, 0.1058] than"),
        ("log_loss", 0.02, "had a log loss lower by 0.0200 nats [-0.0300, 0.0700] than"),
        ("log_loss", -0.02, "had a log loss higher by 0.0200 nats [-0.0300, 0.0700] than"),
        ("brier", -0.06, "had a Brier score higher by 0.0600 [0.0100, 0.1100] than"),
    ],
)
def test_a_difference_is_told_by_its_size_and_a_word_for_its_sign(
    score: str, mean: float, words: str
) -> None:
    assert words in worded(0.2, mean, width=0.05, score=score)


def test_an_interval_that_is_not_centred_is_turned_with_its_sign() -> None:
    (row,) = paired("a rival", 0.2, 0.2, -0.03).over_splits
    band = replace(row.difference.band, low=-0.05, high=0.01)
    row = replace(row, difference=row.difference._replace(band=band))
    text = spoken([replace(paired("logistic regression", 0.2, 0.2), over_splits=(row,))])
    assert "called 3.00 points [-1.00, 5.00] fewer of the test cases right" in text


def test_no_number_is_printed_that_the_score_cannot_reach() -> None:
    """Two divisions far from each other: an interval of thousands of points."""
    text = worded(0.9, 0.1, width=20.0)
    assert "called 10.00 points [-100.00, 100.00] more" in text
    assert "No difference could have been seen with 80% power over these divisions." in text
    assert "nats [-19.9000, 20.1000]" in worded(0.9, 0.1, width=20.0, score="log_loss")
    text = worded(0.0, 0.02, width=0.0)
    assert "no difference could have been seen, and the rule words no verdict" in text
    assert "80% power" not in text


def test_nothing_counts_as_equal_where_nothing_shall() -> None:
    pair = paired("logistic regression", 0.2, 0.2)
    (row,) = pair.over_splits
    text = spoken([replace(pair, over_splits=(replace(row, equal=0.0),))])
    assert "equal" not in text
    assert text.count("  ") == 0


def test_the_power_of_a_verdict_is_that_of_its_adjusted_level() -> None:
    """A half-width of 1 point is t_.975 errors; what is seen is t_.9875 + t_.8 of them."""
    quantiles = t.ppf([0.975, 0.9875, 0.8], 28)
    pair = paired("logistic regression", 0.2, 0.2)
    (row,) = pair.over_splits
    smallest = (quantiles[1] + quantiles[2]) / quantiles[0]
    on_test = ComparedOnTest(row.difference.band, None, (), 0.01)
    text = spoken([replace(pair, over_splits=(replace(row, among=2),), on_test=on_test)])
    alone = norm.ppf(0.9875) + norm.ppf(0.8)
    assert f"80% power, adjusted for 2 rivals, is {smallest:.2f} points, and {alone:.2f} points by" in text


def test_only_what_a_verdict_is_worded_on_is_seen_at_an_adjusted_level() -> None:
    made = divisions(29, better=0.2)
    for one in made:
        rival = one.logits["logistic regression"]
        one.logits["gradient boosting"], one.logits["majority class"] = rival - 0.3, np.zeros_like(rival) - 1
    roles = ("winner", "logistic regression", "gradient boosting", "majority class")
    confirmed = [Confirmed(role, "c", None, None, np.zeros((1, 4)), None) for role in roles]
    pairs = compare_pairs(TWO, confirmed, made, None, DECIDED)
    levels = {(pair.theirs, row.score): row.level for pair in pairs for row in pair.over_splits}
    adjusted = {pair for pair, level in levels.items() if level != 0.05}
    assert adjusted == {("logistic regression", "accuracy"), ("gradient boosting", "accuracy")}
    assert {levels[pair] for pair in adjusted} == {0.025}
    assert [pair.level("accuracy") for pair in pairs] == [0.025, 0.025, 0.05]
    assert {pair.level("auc") for pair in pairs} == {0.05}


def test_on_the_test_alone_one_network_is_seen_through_its_own_error() -> None:
    """The clustered error of statsmodels, or var / n, of each network, averaged as variances."""
    draws = generator(11, 0)
    y, groups = np.repeat([1, 0], [30, 50]), np.repeat(np.arange(20), 4)
    ours = np.where(y == 1, 1.0, -1.0) + draws.normal(size=(5, 80))
    theirs = np.where(y == 1, 1.0, -1.0) + draws.normal(size=(1, 80))
    d = ((ours > 0) == (y == 1)).astype(float) - ((theirs > 0) == (y == 1))
    reach = norm.ppf(0.975) + norm.ppf(0.8)
    alone = compare_on_test(TWO, ours, theirs, y)
    error = np.sqrt(np.mean(d.var(axis=1, ddof=1)) / 80)
    assert alone.detectable("accuracy", 0.05) == pytest.approx(reach * error, abs=1e-12)
    grouped = compare_on_test(TWO, ours, theirs, y, groups)
    fits = [OLS(row, np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": groups}) for row in d]
    error = np.sqrt(np.mean([fit.bse[0] ** 2 for fit in fits]))
    reach = t.ppf(0.975, 19) + t.ppf(0.8, 19)
    assert grouped.detectable("accuracy", 0.05) == pytest.approx(reach * error, rel=1e-9)
    assert alone.detectable("log_loss", 0.05) is None
    same = compare_on_test(TWO, ours, ours, y)
    assert same.detectable("accuracy", 0.05) is None


def test_tables_print_no_number_that_the_score_cannot_reach() -> None:
    pairs = [paired("logistic regression", 0.2, 0.2), paired("majority class", 0.2, 0.2)]
    (row,) = pairs[0].over_splits
    band = replace(row.difference.band, low=-19.98, high=20.02)
    pairs[0] = replace(pairs[0], over_splits=(replace(row, difference=row.difference._replace(band=band)),))
    settings = {"verdict": {"score": "accuracy", "equal": 0.01}}
    facts = {"comparisons": list(map(pair_facts, pairs)), "settings": settings, "opening": None}
    facts["data"] = {"classes": ["benign", "malignant"]}
    wide, narrow = over_splits_table(facts, decides=True).rows
    assert wide[2] == "+2.00 [-100.00, +100.00]"
    assert (wide[4], narrow[2]) == ("none", "+2.00 [+1.00, +3.00]")
    assert facts["comparisons"][0]["over_splits"][0]["detectable"] is None
    assert facts["comparisons"][0]["over_splits"][0]["difference"]["high"] == 20.02
    smallest = 1 + t.ppf(0.8, 28) / t.ppf(0.975, 28)
    assert narrow[4] == f"{smallest:.2f} points"


@pytest.mark.parametrize("rows", [569, 683])
def test_the_table_of_rules_says_how_far_its_layout_is(rows: int) -> None:
    sizes = {569: (341, 114, 114), 683: (410, 136, 137)}[rows]
    own = Layout(rows, *sizes, 212, 29 if rows == 569 else 10)
    found = rule_facts(Rules(measured(own, "accuracy"), ()))
    part = {"groups": 0, "classes": ["benign", "malignant"]}
    facts = {"rules": found, "data": part, "split": {"parts": {"test": part}}}
    grid = rule_table(facts)
    assert ("which is one of those measured" in grid.before) == (rows == 569)
    apart = "that is 0.83 times the rows and 1 times the divisions of this study, with train 60% of its rows"
    assert (apart in grid.before) == (rows == 683)
    with TABLE.open(encoding="utf-8") as lines:
        alarms = [
            line
            for line in csv.DictReader(lines)
            if (line["rule"], line["classes"]) == ("nadeau-bengio", "2")
        ]
    erring = [line for line in alarms if float(line["low"]) > 0.05]
    layouts = {tuple(line[name] for name in Layout._fields) for line in alarms}
    assert (found["layouts"], found["erring_layouts"]) == (len(layouts), 0)
    assert not erring
    assert f"In none of the {len(layouts)} layouts measured is the rule" in grid.after
    planted = rule_table(facts | {"rules": found | {"erring_layouts": 2}}).after
    assert f"on some score, in 2 of the {len(layouts)} layouts" in planted
    assert "In none" not in planted


def test_few_divisions_and_no_spread_word_no_verdict() -> None:
    assert "words no verdict" in worded(0.0, 0.02, splits=4)
    assert "words no verdict" in worded(0.0, 0.02, width=0.0)
    assert "beats" not in worded(0.0, 0.02, splits=4) + worded(0.0, 0.02, width=0.0)


@pytest.mark.parametrize("found", [90, 105, 121, 125, 140, 300])
def test_a_rule_that_cries_wolf_words_no_verdict(found: int) -> None:
    """It words nothing where the lower end of its rate's exact interval, here SciPy's, is above .05."""
    text, errs = worded(0.01, 0.02, found=found), binomtest(found, 2000).proportion_ci().low > 0.05
    assert ("words no verdict" in text) == errs
    assert ("beats" in text) != errs


def test_a_rule_that_was_not_measured_words_no_verdict() -> None:
    assert not Rules(None, ()).may_word("nadeau-bengio")
    assert not rules(0).may_word("rope")


def test_p_is_adjusted_within_its_family() -> None:
    """The verdict's one p stays; those that describe are adjusted for their number, as by statsmodels."""
    made = divisions(29, better=0.2)
    roles = ("winner", "logistic regression")
    confirmed = [Confirmed(role, "c", None, None, np.zeros((1, 4)), None) for role in roles]
    (pair,) = compare_pairs(TWO, confirmed, made, None, DECIDED)
    deciding = [row.difference for row in pair.over_splits if row.decides]
    others = [row.difference for row in pair.over_splits if not row.decides]
    assert [one.adjusted for one in deciding] == [one.p for one in deciding]
    expected = multipletests([one.p for one in others], method="holm")[1]
    assert [one.adjusted for one in others] == pytest.approx(expected.tolist(), abs=1e-12)
    found = chance_facts([pair])["over_divisions"]
    assert found["comparisons"] == 4
    assert found["by_chance"] == pytest.approx(0.2)
    assert found["below"] == sum(one.p < 0.05 for one in others)


@pytest.mark.parametrize(("adjusted", "words"), [((0.06, 0.06), "not shown"), ((0.03, 0.04), "it beats")])
def test_each_rival_is_worded_by_its_adjusted_p(adjusted: tuple[float, float], words: str) -> None:
    """.03 and .04 are each below .05, but Holm doubles the smaller."""
    text = spoken(
        [
            paired("gradient boosting", 0.04, adjusted[1], tuned="rounds chosen"),
            paired("logistic regression", 0.03, adjusted[0], tuned="C chosen"),
            paired("majority class", 1e-9, 1e-9),
        ]
    )
    assert text.count(words) == 2
    assert text.index("than logistic regression (C chosen;") < text.index("than gradient boosting (rounds")
    assert "majority class" not in text
    assert ("it beats logistic regression so tuned" in text) == (words == "it beats")
    assert f"p = 0.03, adjusted for 2 rivals {adjusted[0]}" in text


def test_a_verdict_is_adjusted_for_the_rivals_it_is_worded_against() -> None:
    """The winner's p against two rivals are one family; the comparison with the majority is none of it."""
    made = divisions(29, better=0.2)
    for one in made:
        rival = one.logits["logistic regression"]
        one.logits["gradient boosting"], one.logits["majority class"] = rival - 0.3, np.zeros_like(rival) - 1
    roles = ("winner", "logistic regression", "gradient boosting", "majority class")
    confirmed = [Confirmed(role, "c", None, None, np.zeros((1, 4)), None, f"{role}'s") for role in roles]
    pairs = compare_pairs(TWO, confirmed, made, None, DECIDED)
    assert [(pair.theirs, pair.tuned) for pair in pairs] == [(role, f"{role}'s") for role in roles[1:]]
    deciding = [row.difference for pair in pairs for row in pair.over_splits if row.decides]
    expected = multipletests([one.p for one in deciding[:2]], method="holm")[1]
    assert [one.adjusted for one in deciding[:2]] == pytest.approx(expected.tolist(), abs=1e-15)
    assert deciding[0].adjusted != deciding[0].p or deciding[1].adjusted != deciding[1].p
    assert chance_facts(pairs)["over_divisions"]["comparisons"] == 3 * 5 - 2
