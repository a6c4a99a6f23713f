"""The design of a search."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from studies import ROOT

from handnet.draws import sampler_seed
from handnet.study.reading import read
from handnet.study.search import search_of
from handnet.study.store import Finished


def test_the_sobol_design_fills_the_space() -> None:
    settings = read({"search.design": "sobol"})
    search = search_of(settings)
    points = [search.propose(place) for place in range(32)]
    assert points == [search.propose(place) for place in range(32)]
    for name, space in settings.space.items():
        values = np.array([point[name] for point in points])
        assert ((values >= space.low) & (values <= space.high)).all()
        unit = (
            np.log(values / space.low) / np.log(space.high / space.low)
            if space.log
            else (values - space.low) / (space.high - space.low)
        )
        assert (
            np.histogram(unit, 4, (0, 1))[0] == 8
        ).all()  # a net: every quarter of every axis holds its share
    assert all(isinstance(point["epochs"], int) for point in points)


def test_a_logarithmic_axis_is_logarithmic_for_epochs_too() -> None:
    settings = read(
        {
            "search.design": "sobol",
            "space.epochs.log": "true",
            "space.epochs.low": "10",
            "space.epochs.high": "1000",
        }
    )
    epochs = [search_of(settings).propose(place)["epochs"] for place in range(32)]
    assert 12 <= sum(value <= 100 for value in epochs) <= 20


def made_up(place: int, params: dict[str, Any]) -> Finished:
    """A trial with a value that depends on its point, every seventh one diverged."""
    value = abs(np.log10(params["learning_rate"]) + 2) + params["dropout"] + params["epochs"] / 1000
    return Finished(
        place, params, np.inf if place % 7 == 6 else float(value), f"c{place}", int(place % 7 == 6)
    )


@pytest.mark.parametrize(("design", "block"), [("tpe", 1), ("tpe", 4), ("sobol", 1)])
def test_a_search_that_goes_on_proposes_what_it_would_have_proposed(design: str, block: int) -> None:
    settings = read({"search.design": design, f"search.trials.{design}": "32", "search.block": str(block)})
    whole, told = search_of(settings), []
    while len(told) < 32:
        for place, params in [(place, whole.propose(place)) for place in whole.block(len(told))]:
            told.append(made_up(place, params))
            whole.tell(told[-1])
    for place in (1, 9, 10, 11, 16, 17, 31):
        again = search_of(settings, [Finished.from_json(trial.to_json()) for trial in told[:place]])
        assert again.propose(place) == told[place].params, place


def test_proposals_are_those_of_plain_optuna_asked_and_told_one_by_one() -> None:
    settings = read({"search.trials.tpe": "24"})
    study, search = optuna.create_study(), search_of(settings)
    while (start := len(search.finished)) < 24:
        for place in search.block(start):
            search.propose(place)
        for place in search.block(start):
            study.sampler = optuna.samplers.TPESampler(
                seed=sampler_seed(settings.search.study_seed, place),
                n_startup_trials=10,
                multivariate=True,
                constant_liar=False,
            )
            trial = study.ask()
            point = {
                "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
                "dropout": trial.suggest_float("dropout", 0, 0.5),
                "epochs": trial.suggest_int("epochs", 10, 150),
            }
            digits = {
                name: float(np.format_float_positional(x, 6, fractional=False)) for name, x in point.items()
            }
            params = {**digits, "epochs": point["epochs"]}
            finished = made_up(place, params)
            assert search_of(settings, search.finished).propose(place) == params
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            told = optuna.trial.create_trial(
                params=finished.params, distributions=trial.distributions, value=finished.value
            )
            study.add_trial(told)
            search.tell(finished)


POINTS = """
from handnet.study.reading import read
from handnet.study.search import search_of

settings = read({"search.design": "sobol"})
for place in range(64):
    print(search_of(settings).propose(place))
"""


def test_points_are_the_same_on_a_processor_whose_logarithms_differ_in_the_last_bits() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", POINTS],
            cwd=ROOT,
            env=os.environ | more,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more in ({}, {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"})
    ]
    assert said[0].count("learning_rate") == 64
    assert said[0] == said[1]
    assert max(len(digits) for digits in re.findall(r"0\.0*(\d+)", said[0])) == 6


def test_proposals_of_a_block_see_the_trials_before_it_and_no_others() -> None:
    settings = read({"search.trials.tpe": "21", "search.block": "4"})
    search, told = search_of(settings), []
    sizes = []
    while len(told) < 21:
        start = len(told)
        proposed = {place: search.propose(place) for place in search.block(start)}
        sizes.append(len(proposed))
        for place, params in proposed.items():
            # With other values in the block the proposal is the same, with others before it it is not.
            if start:
                others = [replace(trial, value=9.0 + trial.place) for trial in told[start:]]
                again = search_of(settings, [*told[:start], *others])
                assert again.propose(place) == params
                moved = [replace(trial, value=-trial.value) for trial in told[:start]]
                assert search_of(settings, [*moved, *others]).propose(place) != params
            told.append(made_up(place, params))
            search.tell(told[-1])
    assert sizes == [10, 4, 4, 3]
