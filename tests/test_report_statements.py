"""The statements on the search and on what a network was compared with, on planted facts."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from samples import TWO
from scipy import stats

from handnet.bands import Band
from handnet.bands.band import CHOSEN
from handnet.bands.null_tables import Layout
from handnet.bands.selection import Optimism, Replaceable
from handnet.contract import Recipe
from handnet.report.search_facts import repeats
from handnet.report.search_tables import search_table
from handnet.report.statements import statements, worse_than_untuned
from handnet.report.words import of_trials
from handnet.study import analysis
from handnet.study.analysis import Again, Analysis, Untuned
from handnet.study.comparisons import Rules
from handnet.study.configuration import Configuration
from handnet.study.false_alarms import measured
from handnet.study.units import Confirmed

Y = np.array([0, 1])
NOTHING = Analysis(
    {}, [], {}, {}, Rules(measured(Layout(300, 100, 100, 100, 120, 29), "accuracy"), ()), None, {}, ()
)
REPLACED = "The search found nothing that other training seeds do not replace."


def said(**known: object) -> list[str]:
    winner = Confirmed("winner", "c", Configuration.of(Recipe()), None, np.zeros((1, 2)), None)
    problem = SimpleNamespace(task=TWO, data=SimpleNamespace(class_names=("benign", "malignant")))
    return statements([winner], replace(NOTHING, **known), problem)


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
    assert f"Of 20,000 bootstrap samples of these seeds {chosen[0]:.1%} choose the winner" in line
    assert f"{np.count_nonzero(chosen)} different configurations are chosen" in line
    most = int(np.argmax(chosen))
    assert ("choose trial" in line) == (most != 0)
    assert most == 0 or f"the winner, but {chosen[most]:.1%} choose trial {most + 1:02d};" in line


@pytest.mark.parametrize(("near", "words"), [(True, "The one other"), (False, "No other")])
def test_a_search_of_two_and_a_choice_of_one_are_told_in_english(near: bool, words: str) -> None:
    two = Replaceable(0, np.zeros(2), np.zeros(2), np.array([True, near]), np.array([1.0, 0.0]))
    (line,) = said(again=Again((0, 1), 7, two, ()))
    assert line.startswith(f"{words} configuration lies within")
    assert line.endswith("100.0% choose the winner; all choose the same one.")


def bias(naive: float, configurations: int = 40, cases: int = 114, groups: int = 0) -> Optimism:
    band = Band(0.01, 0.2, "bbc bootstrap", "cases", cases, 0.95, CHOSEN, (("mean", 0.0823),), groups=groups)
    return Optimism(naive, 0.0823, band, configurations)


def test_the_simulation_is_cited_with_its_sizes_and_for_searches_like_it() -> None:
    sizes = "97 to 99 of 100 simulated searches of 40 configurations on 114 cases"
    for found in (bias(0.07), bias(0.07, 10, 50)):
        (line,) = said(optimism=found)
        assert sizes in line
        assert "0.0700; corrected for having been chosen on these cases 0.082 [0.010, 0.200]" in line
    for found in (bias(0.07, 4), bias(0.07, cases=40), bias(0.07, groups=37)):
        (line,) = said(optimism=found)
        assert "simulated" not in line


@pytest.mark.parametrize(("naive", "remarked"), [(0.07, False), (0.09, True)])
def test_a_correction_that_lowers_the_loss_is_remarked(naive: float, remarked: bool) -> None:
    (line,) = said(optimism=bias(naive))
    assert ("The corrected loss is the lower one here" in line) == remarked


def test_what_the_search_chose_elsewhere_is_told_from_end_to_end() -> None:
    points = ({"learning_rate": 0.001, "epochs": 10}, {"learning_rate": 0.02, "epochs": 150})
    (line,) = said(again=again([True, False, False], [1, 0, 0], points))
    assert "on 2 fresh divisions the search chose learning rate 0.001 to 0.02, epochs 10 to 150." in line


def test_a_rival_that_could_not_be_fitted_is_named() -> None:
    assert said(missing=("gradient boosting",)) == [
        "Gradient boosting could not be fitted to the train rows, so the winner is not compared with it."
    ]


def warned(*untuned: float, groups: int = 0) -> str:
    return worse_than_untuned(
        replace(NOTHING, untuned=Untuned(*untuned, 114, groups, "logistic regression", "C = 1")), "log_loss"
    )


def test_only_a_winner_that_is_shown_to_be_worse_than_an_untuned_method_is_warned_of() -> None:
    rows = "untuned logistic regression on the validation rows it was chosen on: its mean log loss on the 114"
    line = warned(0.0751, 0.0717, -0.0191, 0.0259)
    assert line.startswith(f"The winner is not shown to be better than {rows}")
    assert "(difference +0.0034 [-0.0191, +0.0259], 95% for one network, t over cases)" in line
    line = warned(0.0951, 0.0717, 0.0101, 0.0367, groups=37)
    assert line.startswith(f"Beware: the winner is worse than {rows} validation cases of 37 groups is 0.0951")
    assert "[+0.0101, +0.0367], 95% for one network, t over groups)" in line
    assert warned(0.0717, 0.0717, -0.01, 0.01) == ""


def test_beside_an_untuned_method_stands_one_network_and_not_the_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variance of a case's difference in loss, averaged over the seeds, whose noise averages out in the
    mean."""
    draws = np.random.default_rng(3)
    y, rival = np.repeat([1, 0], [20, 30]), draws.normal(size=50)
    logits = rival + draws.normal(size=(6, 50))
    monkeypatch.setattr(analysis, "untuned_outputs", lambda *_: rival)
    parts = SimpleNamespace(val=SimpleNamespace(y=y, X=None), train=None, groups=lambda _: None)
    found = analysis._untuned(
        SimpleNamespace(logits=lambda _: logits), SimpleNamespace(parts=parts, task=TWO)
    )
    signs = np.where(y == 1, -1, 1)
    d = np.logaddexp(0, signs * logits) - np.logaddexp(0, signs * rival)
    half = stats.t.ppf(0.975, 49) * np.sqrt(np.mean([np.var(row, ddof=1) for row in d]) / 50)
    assert found.winner - found.rival == pytest.approx(d.mean())
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half))


def tried(place: int, config_id: str, losses: list[float]) -> Any:
    """A trial of two seeds, whose outputs on two cases give these losses."""
    outputs = -np.log(np.expm1(np.array(losses)))[:, None] * (2 * Y - 1)
    replicas = SimpleNamespace(sound=np.ones(2, dtype=bool), val_logits=outputs)
    return SimpleNamespace(trial=SimpleNamespace(place=place, config_id=config_id), replicas=replicas)


def test_a_configuration_that_is_tried_again_is_the_same_one() -> None:
    """Five trials of three configurations: the best is tried three times, the second is near it."""
    best, near, far = [0.1, 0.2], [0.2, 0.12], [2.0, 2.0]
    order = [("a", far), ("b", near), ("c", best), ("c", best), ("c", best)]
    trials = [tried(place, *one) for place, one in enumerate(order)]
    assert repeats(trials) == 2
    assert [one.trial.place for one in analysis.distinct(trials)] == [0, 1, 2]
    parts = SimpleNamespace(val=SimpleNamespace(y=Y), groups=lambda _part: None)
    problem: Any = SimpleNamespace(task=TWO, parts=parts)
    found = analysis._again(problem, trials, ())
    assert found is not None
    assert (found.places, found.found.best) == ((0, 1, 2), 2)
    assert found.found.chosen.sum() == pytest.approx(1)
    (line,) = said(again=found)
    assert line.startswith("1 of the 2 other configurations lies within one standard error")
    assert "2 different configurations are chosen" in line
    optimism = analysis._optimism(problem, trials)
    once = analysis._optimism(problem, trials[:3])
    assert optimism == once
    assert optimism is None or optimism.configurations == 3
    assert analysis._again(problem, trials[2:], ()) is None  # one configuration is no choice


def test_repeats_are_told_beside_the_trials() -> None:
    assert of_trials(40) == "40 configurations"
    assert of_trials(40, 9) == "31 distinct configurations in 40 trials"
    row = {"place": 1, "params": {}, "value": 0.5, "low": None, "high": None, "lost": 0}
    search = {"model": "forest", "params": [], "trials": [row] * 3, "repeats": 2}
    grid = search_table({"search": {"score": "log_loss"}}, search)
    assert grid.before == (
        "The best of 1 distinct configurations in 3 trials, searched as those of the model that decides."
    )
