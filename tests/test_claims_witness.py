"""The comparison with the chapter's own code: it must tell a wrong network from a right one, and run the
right code."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from experiments.witness import QUANTITIES, Sample, as_printed, by_hand, compare, holm
from handnet import Dataset, Recipe, load_backend
from handnet.draws import generator
from handnet.splits import Split
from handnet.study.reading import read
from handnet.study.units import Problem


@pytest.fixture(scope="module")
def problem(data: Dataset, parts: Split) -> Problem:
    return Problem(data, parts, load_backend("numpy"), read({"backend.name": "numpy"}).backend)


@pytest.fixture(scope="module", autouse=True)
def _trained_once() -> Iterator[None]:
    """The hundred networks of a recipe are the same in every comparison."""
    kept: dict[tuple, Sample] = {}

    def once(problem: Problem, recipe: Recipe, seeds: Iterable[int]) -> Sample:
        key = recipe, tuple(seeds)
        if key not in kept:
            kept[key] = by_hand(problem, *key)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.witness.by_hand", once)
        yield


@pytest.mark.parametrize("wrong", [{}, {"dropout": 0.0}, {"learning_rate": 2e-3}])
def test_thirty_witnesses_tell_a_wrong_network_from_a_right_one(problem: Problem, wrong: dict) -> None:
    """A planted witness, 30 networks of known settings: it agrees with those settings and with no other."""
    witness = by_hand(problem, replace(Recipe(), **wrong), range(30))
    answers = [one.answer for one in compare(problem, witness, Recipe())]
    assert answers == [
        "agrees" if not wrong else "differs",
        "agrees" if "dropout" in wrong else "differs",
        "agrees" if "learning_rate" in wrong else "differs",
    ]


def test_the_level_is_kept(problem: Problem) -> None:
    """Of 200 witnesses of the very same network at most a few are called different: 2 are expected at .01."""
    draws = generator(4, 0)
    sample = compare(problem, by_hand(problem, Recipe(), range(3)), Recipe())[0].sample
    pool = np.column_stack([sample[name] for name in QUANTITIES])
    from scipy.stats import ks_2samp

    called = 0
    for _ in range(200):
        order = draws.permutation(len(pool))
        some, rest = pool[order[:30]], pool[order[30:]]
        p = {name: float(ks_2samp(some[:, i], rest[:, i]).pvalue) for i, name in enumerate(QUANTITIES)}
        called += min(holm(p).values()) < 0.01
    assert called <= 7


def test_holm_is_statsmodels() -> None:
    for p in ([0.01, 0.04, 0.03], [0.2, 0.001, 0.9], [0.5, 0.5, 0.5]):
        ours = holm(dict(zip("abc", p, strict=True)))
        assert [ours[name] for name in "abc"] == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_the_chapters_code_runs(parts: Split) -> None:
    if find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed")
    ticks: list[int] = []
    sample = as_printed(parts.train, parts.val, Recipe(epochs=2), [0, 1], lambda: ticks.append(1))
    assert set(sample) == set(QUANTITIES)
    assert all(values.shape == (2,) and np.isfinite(values).all() for values in sample.values())
    assert len(ticks) == 2
    assert (sample["validation accuracy"] * 114 % 1 < 1e-9).all()


def test_what_runs_is_what_the_chapter_prints(parts: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers, rate, optimizer and call are the printed ones, and a seed makes the same network each time."""
    if find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed")
    from handnet.mlp.engine import get_keras, start_keras

    start_keras()
    keras = get_keras()
    seen: list[Any] = []
    fit = keras.Sequential.fit

    def watched(model: Any, *tables: Any, **words: Any) -> Any:
        layers = [(type(layer).__name__, layer.get_config()) for layer in model.layers]
        seen.append((layers, model.optimizer.get_config(), model.loss, words))
        return fit(model, *tables, **words)

    monkeypatch.setattr(keras.Sequential, "fit", watched)
    recipe = Recipe(epochs=2)
    one, again, other = (
        as_printed(parts.train, parts.val, recipe, [seed], lambda: None) for seed in (3, 3, 4)
    )
    assert all(np.array_equal(one[name], again[name]) for name in QUANTITIES)
    assert not np.array_equal(one["train loss"], other["train loss"])
    layers, optimizer, loss, words = seen[0]
    assert [(kind, said.get("units", said.get("rate")), said.get("activation")) for kind, said in layers] == [
        ("Dense", 16, "relu"),
        ("Dropout", 0.2, None),
        ("Dense", 8, "relu"),
        ("Dense", 1, "sigmoid"),
    ]
    assert all(
        said["kernel_initializer"]["class_name"] == "GlorotUniform"
        for kind, said in layers
        if kind == "Dense"
    )
    assert (optimizer["name"], optimizer["learning_rate"]) == ("adam", pytest.approx(1e-3))
    assert (loss, words["epochs"], words["batch_size"]) == ("binary_crossentropy", 2, 32)


def test_an_engine_the_witness_cannot_run_on_is_refused_in_one_sentence() -> None:
    command = [sys.executable, "-m", "experiments.witness", "SEEDS=2"]
    env = os.environ | {"KERAS_BACKEND": "torch"}
    run = subprocess.run(
        command, cwd=Path(__file__).parent.parent, env=env, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "handnet: unknown engine 'torch': expected one of tensorflow, jax.\n"
