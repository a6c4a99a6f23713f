"""The design of a search."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy.stats import qmc
from studies import ROOT

from handnet.draws import sampler_seed
from handnet.messages import Refusal
from handnet.study.processes import packed, unpacked
from handnet.study.reading import read
from handnet.study.search import Search, search_of
from handnet.study.store import Finished
from handnet.study.suggested import Suggested


def test_the_sobol_design_fills_the_space() -> None:
    settings = read({"search.design": "sobol"})
    search = search_of(settings, "mlp")
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
    epochs = [search_of(settings, "mlp").propose(place)["epochs"] for place in range(32)]
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
    whole, told = search_of(settings, "mlp"), []
    while len(told) < 32:
        for place, params in [(place, whole.propose(place)) for place in whole.block(len(told))]:
            told.append(made_up(place, params))
            whole.tell(told[-1])
    for place in (1, 9, 10, 11, 16, 17, 31):
        again = search_of(settings, "mlp", [Finished.from_json(trial.to_json()) for trial in told[:place]])
        assert again.propose(place) == told[place].params, place


def test_proposals_are_those_of_plain_optuna_asked_and_told_one_by_one() -> None:
    settings = read({"search.trials.tpe": "24"})
    study, search = optuna.create_study(), search_of(settings, "mlp")
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
            assert search_of(settings, "mlp", search.finished).propose(place) == params
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            told = optuna.trial.create_trial(
                params=finished.params, distributions=trial.distributions, value=finished.value
            )
            study.add_trial(told)
            search.tell(finished)


def test_points_of_a_sobol_design_are_those_of_scipy_scaled_one_by_one() -> None:
    settings = read({"search.design": "sobol", "search.trials": "16", "space.hidden": "[[4], [8, 4], [16]]"})
    search = search_of(settings, "mlp")
    design = qmc.Sobol(4, scramble=True, rng=sampler_seed(settings.search.study_seed, 0)).random(16)
    for place, (rate, dropout, epochs, hidden) in enumerate(design):
        assert search.propose(place) == {
            "learning_rate": float(f"{1e-4 * (1e-1 / 1e-4) ** rate:.6g}"),
            "dropout": float(f"{0.5 * dropout:.6g}"),
            "epochs": int(10 + epochs * 141),
            "hidden": ((4,), (8, 4), (16,))[int(3 * hidden)],
        }


def branched(trial: optuna.Trial) -> dict[str, Any]:
    """One of two optimizers, each with parameters of its own."""
    name = trial.suggest_categorical("optimizer", ["adam", "sgd"])
    params = {"optimizer": name, "epochs": trial.suggest_int("epochs", 1, 9)}
    if name == "sgd":
        return params | {"learning_rate": trial.suggest_float("sgd_rate", 1e-3, 1.0, log=True)}
    return params | {"learning_rate": trial.suggest_float("adam_rate", 1e-5, 1e-2, log=True), "dropout": 0.1}


def suggesting(function: Any, block: int = 1) -> Search:
    settings = read({"search.block": str(block)}).search
    return Search(settings, 24, Suggested.of(function))


def told_all(search: Search) -> list[Finished]:
    """The trials of a search that is worked through, as a store gives them back."""
    while (start := len(search.finished)) < 24:
        for place, params in [(place, search.propose(place)) for place in search.block(start)]:
            value = abs(np.log10(params["learning_rate"]) + 2) + params["epochs"] / 100
            trial = search.finish(place, params, float(value), f"c{place}", 0)
            search.tell(Finished.from_json(trial.to_json()))
    return search.finished


@pytest.mark.parametrize("block", [1, 4])
def test_a_function_that_suggests_goes_on_as_it_would_have(block: int) -> None:
    told = told_all(suggesting(branched, block))
    assert {frozenset(trial.params) for trial in told} == {
        frozenset({"optimizer", "epochs", "learning_rate"}),
        frozenset({"optimizer", "epochs", "learning_rate", "dropout"}),
    }
    for place in (0, 3, 10, 13, 22):
        again = suggesting(branched, block)
        again.finished = told[:place]
        assert told_all(again) == told, place


def test_a_function_that_suggests_is_asked_as_plain_optuna_asks_it() -> None:
    study, told = optuna.create_study(), told_all(suggesting(branched))
    for trial in told:
        study.sampler = optuna.samplers.TPESampler(
            seed=sampler_seed(read({}).search.study_seed, trial.place), n_startup_trials=10, multivariate=True
        )
        asked = study.ask()
        assert branched(asked) == trial.params
        study.tell(asked, trial.value)
    best = min(told, key=lambda trial: trial.value)
    assert study.best_trial.number == best.place


def test_trials_of_a_function_are_copied_to_a_storage_of_optunas() -> None:
    search, storage = suggesting(branched), optuna.storages.InMemoryStorage()
    told = told_all(search)
    search.copy_to(storage, "branched")
    copied = optuna.load_study(study_name="branched", storage=storage).trials
    assert [trial.params for trial in copied] == [
        {name: one["value"] for name, one in (trial.suggested or {}).items()} for trial in told
    ]
    shares = search.importances()  # of the parameters that every trial has
    assert set(shares) == {"optimizer", "epochs"}
    assert sum(shares.values()) == pytest.approx(1)


def raises(trial: optuna.Trial) -> None:
    trial.suggest_int("x", 0, 1)
    raise KeyError("gamma")


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (raises, r"the space raises raised KeyError: 'gamma' \(.*test_study_search.py, line \d+\)\."),
        (lambda _: {"x": 1}, "suggested no parameter"),
        (lambda trial: trial.suggest_int("x", 0, 1), "must return parameters by name, or None, but returned"),
        (
            lambda trial: {"x": trial, "y": trial.suggest_int("y", 0, 1)},
            "gave x as <.*; a parameter must be a text, a finite number, a truth value, None, or a list",
        ),
        (lambda trial: {"x": trial.suggest_int("x", 2, 1)}, "raised ValueError: .*low <= high"),
    ],
)
def test_a_function_that_does_not_suggest_is_refused_in_one_sentence(function: Any, sentence: str) -> None:
    function.__name__ = function.__name__.strip("<>")
    with pytest.raises(Refusal, match=sentence) as refusal:
        suggesting(function).propose(0)
    assert refusal.value.code == 1


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution:UserWarning")
def test_a_choice_that_no_file_gives_back_is_refused() -> None:
    with pytest.raises(Refusal, match=r"the space suggests hidden from .*; let it choose among texts"):
        suggesting(lambda trial: {"x": len(trial.suggest_categorical("hidden", [(1, 2), (3,)]))}).propose(0)


def test_a_function_has_no_sobol_design() -> None:
    with pytest.raises(
        Refusal, match=r"a Sobol design needs a table of axes, but .* object:branched; choose"
    ):
        Search(read({"search.design": "sobol"}).search, 32, Suggested.of(branched))


def test_a_function_in_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "space.py"
    file.write_text("def space(trial):\n    return {'epochs': trial.suggest_int('epochs', 1, 9)}\n")
    made = Suggested.of(f"{file}:space")
    stored = Suggested.of(json.loads(json.dumps(made.plain)))
    assert stored == made
    assert Search(read({}).search, 3, stored).propose(0) == Search(read({}).search, 3, made).propose(0)
    file.write_text(file.read_text().replace("9", "8"))
    with pytest.raises(Refusal, match=r"the space .*space.py:space has changed since the study was made"):
        Search(read({}).search, 3, Suggested.of(stored.plain)).propose(0)
    with pytest.raises(Refusal, match="was given from Python; study from there again"):
        Search(read({}).search, 3, Suggested.of(Suggested.of(branched).plain)).propose(0)
    with pytest.raises(Refusal, match=r"has no 'spaec': did you mean space"):
        Suggested.of(f"{file}:spaec")


def test_a_function_without_a_name_travels_to_other_processes() -> None:
    most = 7
    made = Suggested.of(lambda trial: {"epochs": trial.suggest_int("epochs", 1, most)})
    sent = unpacked(packed(made))
    assert sent == made
    assert Search(read({}).search, 3, sent).propose(0) == Search(read({}).search, 3, made).propose(0)


POINTS = """
from handnet.messages import Refusal
from handnet.study.reading import read
from handnet.study.search import search_of

settings = read({"search.design": "sobol"})
for place in range(64):
    print(search_of(settings, "mlp").propose(place))
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
    search, told = search_of(settings, "mlp"), []
    sizes = []
    while len(told) < 21:
        start = len(told)
        proposed = {place: search.propose(place) for place in search.block(start)}
        sizes.append(len(proposed))
        for place, params in proposed.items():
            # With other values in the block the proposal is the same, with others before it it is not.
            if start:
                others = [replace(trial, value=9.0 + trial.place) for trial in told[start:]]
                again = search_of(settings, "mlp", [*told[:start], *others])
                assert again.propose(place) == params
                moved = [replace(trial, value=-trial.value) for trial in told[:start]]
                assert search_of(settings, "mlp", [*moved, *others]).propose(place) != params
            told.append(made_up(place, params))
            search.tell(told[-1])
    assert sizes == [10, 4, 4, 3]


def test_a_study_of_ones_own_in_optuna_says_what_it_always_says() -> None:
    """Importing the search, and making a study with it, changes no level of Optuna's logger."""
    before = optuna.logging.get_verbosity()
    try:
        for level in (optuna.logging.INFO, optuna.logging.ERROR):
            optuna.logging.set_verbosity(level)
            search_of(read({}), "mlp").propose(0)
            assert optuna.logging.get_verbosity() == level
    finally:
        optuna.logging.set_verbosity(before)
