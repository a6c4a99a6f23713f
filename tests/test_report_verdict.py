"""The verdict on made-up worlds: it says what the numbers are, and nothing where a rule may not speak."""

from collections.abc import Callable

import numpy as np
import pytest

from handnet.bands import Band
from handnet.bands.band import OVER_DIVISIONS
from handnet.bands.compare import Comparison, Rope, Wins
from handnet.bands.simulated import Simulated
from handnet.draws import generator
from handnet.report.statements import compared
from handnet.scores import grade
from handnet.study.analysis import Analysis
from handnet.study.comparisons import (
    ComparedOverSplits,
    ComparedPair,
    compare_over_splits,
    may_state_verdict,
    simulate_rules,
)
from handnet.study.resplit import Resplit
from handnet.study.sections import VerdictSettings

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
        (0.6, "the network beats logistic regression"),
        (0.0, "is not shown to beat logistic regression, nor to lose to it"),
        (-0.6, "the network loses to logistic regression"),
    ],
)
def test_worlds_in_which_the_network_is_better_equal_and_worse(better: float, words: str) -> None:
    """From logits to words: nothing in between is made up."""
    made = divisions(29, better=better)
    y = made[0].y
    pair = ComparedPair(
        "winner",
        "logistic regression",
        tuple(compare_over_splits("winner", "logistic regression", made, DECIDED)),
        None,
    )
    text = compared(
        "winner", Analysis({}, [pair], {}, {}, simulate_rules(made, y, 0.85), None, {}, (), None, ())
    )
    assert words in text
    assert text.count("the network") == 1


def test_a_diverged_network_is_left_out_of_its_division_alone() -> None:
    """Another seed in each division: none of them is sound throughout, and all comparisons are still
    there."""
    hurt = divisions(6, lambda k: k % 4)
    band = next(compare_over_splits("winner", "logistic regression", hurt, DECIDED)).difference.band
    assert (band.n, band.diverged) == (6, 6)
    means = [
        np.nanmean(grade(division.logits["winner"], division.y).accuracy)
        - grade(division.logits["logistic regression"], division.y).accuracy[0]
        for division in hurt
    ]
    assert band.centre("mean") == pytest.approx(np.mean(means), abs=1e-12)


@pytest.mark.parametrize("score", ["accuracy", "specificity", "brier"])
def test_one_score_decides_and_it_is_the_one_of_the_settings(score: str) -> None:
    compared = list(
        compare_over_splits(
            "winner", "logistic regression", divisions(5), VerdictSettings(score=score, equal=0.03)
        )
    )
    assert [row.score for row in compared if row.decides] == [score]
    assert {row.equal for row in compared} == {0.03}


def worded(p: float, mean: float, error: float = 0.05, splits: int = 29, width: float = 0.01) -> str:
    """The sentence on a winner that differs so much from logistic regression,
    by a rule that errs so often."""
    band = Band(
        mean - width, mean + width, "nadeau-bengio", "splits", splits, 0.95, OVER_DIVISIONS, (("mean", mean),)
    )
    wins = Wins(band, False, False)
    score = ComparedOverSplits("accuracy", True, 0.01, Comparison(band, p), Rope(0.1, 0.8, 0.1), wins)
    pair = ComparedPair("winner", "logistic regression", (score,), None)
    rules = [Simulated("nadeau-bengio", "x", 0.05, error, 4000, 0.003)]
    empty = Analysis({}, [pair], {}, {}, rules, None, {}, (), None, ())
    return compared("winner", empty)


def test_the_verdict_is_the_rules() -> None:
    assert "is not shown to beat logistic regression, nor to lose to it" in worded(0.2, 0.02)
    assert "the network beats logistic regression" in worded(0.01, 0.02)
    assert "the network loses to logistic regression" in worded(0.01, -0.02)


def test_few_divisions_and_no_spread_word_no_verdict() -> None:
    assert "words no verdict" in worded(0.0, 0.02, splits=4)
    assert "words no verdict" in worded(0.0, 0.02, width=0.0)
    assert "beats" not in worded(0.0, 0.02, splits=4) + worded(0.0, 0.02, width=0.0)


def test_a_rule_that_cries_wolf_words_no_verdict() -> None:
    text = worded(0.01, 0.02, error=0.061)
    assert "words no verdict" in text
    assert "beats" not in text
    assert not may_state_verdict("nadeau-bengio", [])
