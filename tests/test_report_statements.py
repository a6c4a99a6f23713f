"""The statements on the search and on what a network was compared with, on planted facts."""

from dataclasses import replace

import numpy as np
import pytest

from handnet.bands.null import Layout
from handnet.bands.selection import Replaceable
from handnet.contract import Recipe
from handnet.report.statements import statements
from handnet.study.analysis import Again, Analysis, Untuned
from handnet.study.comparisons import Rules
from handnet.study.false_alarms import measured
from handnet.study.units import Confirmed

Y = np.array([0, 1])
NOTHING = Analysis(
    {}, [], {}, {}, Rules(measured(Layout(300, 100, 100, 100, 120, 29), "accuracy"), ()), None, {}, ()
)
REPLACED = "the search found nothing that another search seed does not replace"


def said(**known: object) -> list[str]:
    winner = Confirmed("winner", "c", Recipe(), None, np.zeros((1, 2)), None)
    return statements([winner], replace(NOTHING, **known), Y)


def again(near: list[bool], chosen: list[float], anew: tuple = ()) -> Again:
    difference = np.where(near, 0.0, 1.0)
    return Again((0, 1, 2), 7, Replaceable(0, difference, difference, np.array(near), np.array(chosen)), anew)


@pytest.mark.parametrize(
    ("near", "chosen", "replaced"),
    [
        ([True, True, False], [0.4, 0.6, 0.0], True),
        ([True, True, False], [0.5, 0.5, 0.0], False),  # half of the samples
        ([True, False, False], [0.3, 0.4, 0.3], False),  # alone within one standard error
        ([True, True, True], [0.34, 0.33, 0.33], True),
    ],
)
def test_a_search_is_called_replaceable_by_its_rule_alone(
    near: list[bool], chosen: list[float], replaced: bool
) -> None:
    (line,) = said(again=again(near, chosen))
    assert (REPLACED in line) == replaced
    counts = {1: "No other configuration lies", 2: "1 of the 2 other configurations lies"}
    assert line.startswith(counts.get(sum(near), "2 of the 2 other configurations lie "))
    assert f"of 200 bootstrap samples of these seeds {chosen[0]:.0%} choose the winner" in line
    assert f"{np.count_nonzero(chosen)} different configurations are chosen" in line


def test_what_the_search_chose_elsewhere_is_told_from_end_to_end() -> None:
    points = ({"learning_rate": 0.001, "epochs": 10}, {"learning_rate": 0.02, "epochs": 150})
    (line,) = said(again=again([True, False, False], [1, 0, 0], points))
    assert "on 2 fresh divisions the search chose learning rate 0.001 to 0.02, epochs 10 to 150." in line


def test_a_rival_that_could_not_be_fitted_is_named() -> None:
    assert said(missing=("gradient boosting",)) == [
        "Gradient boosting could not be fitted to the train rows, so the winner is not compared with it."
    ]


def test_only_a_winner_that_is_worse_than_an_untuned_method_is_warned_of() -> None:
    (line,) = said(untuned=Untuned(0.0751, 0.0717, -0.0191, 0.0259, 114, 0))
    assert line.startswith("Warning: on the 114 validation cases the winner's mean log loss is 0.0751")
    assert "+0.0034 [-0.0191, +0.0259]" in line
    assert said(untuned=Untuned(0.0717, 0.0717, -0.01, 0.01, 114, 0)) == []
