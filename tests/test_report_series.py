"""What the figures are drawn from, and what is used of a study, for each task, against scikit-learn."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, root_mean_squared_error

from handnet import Recipe
from handnet.report.deployed import deployed
from handnet.report.series import guesses, reliability, seed_series, smoothed
from handnet.study.identity import make_problem
from handnet.study.reading import read
from handnet.study.units import Confirmed, Problem

SEEDS = range(7, 11)


class Trained(NamedTuple):
    problem: Problem
    winner: Confirmed  # of four seeds; the third has diverged
    y: np.ndarray
    rows: tuple[Any, ...]

    def mean(self) -> np.ndarray:
        """What the three sound networks give together: probabilities (n,), (n, k), or guesses (n,)."""
        z = self.winner.test_logits[[0, 1, 3]].astype(float)
        classes = self.problem.task.classes
        return (softmax(z, axis=-1) if classes > 2 else expit(z) if classes else z).mean(axis=0)


def trained(table: str) -> Trained:
    problem = make_problem(read({"data.name": table, "backend.name": "numpy"}))
    test = problem.parts.test.open(lambda _: True)
    replicas = problem.fit(Recipe(epochs=12, learning_rate=0.02), SEEDS)
    logits = problem.outputs(replicas.fit.layers, test.X)
    replicas = replace(replicas, fit=replicas.fit._replace(diverged_at=np.array([-1, -1, 3, -1])))
    logits[2] = np.nan
    winner = Confirmed("winner", "c", Recipe(epochs=12), replicas, replicas.val_logits, logits)
    return Trained(problem, winner, test.y, (problem.task, winner, problem.parts.val.y, test.y))


@pytest.fixture(scope="module")
def tables() -> Mapping[str, Trained]:
    return {table: trained(table) for table in ("wisconsin", "wine", "diabetes")}


@pytest.mark.parametrize("table", ["wisconsin", "wine", "diabetes"])
def test_the_ensemble_and_its_seeds_have_the_scores_of_scikit_learn(
    tables: Mapping[str, Trained], table: str
) -> None:
    problem, winner, y, rows = tables[table]
    found, p = deployed(*rows, None), tables[table].mean()
    expected = {"rmse": root_mean_squared_error, "mae": mean_absolute_error}
    if problem.task.classes:
        expected = {"accuracy": lambda y, p: accuracy_score(y, called(p)), "log_loss": log_loss}
    assert list(found["each_seed"]) == list(expected)
    for name, score in expected.items():
        band = found["ensemble"][name]
        assert band["centres"]["share" if name == "accuracy" else "mean"] == pytest.approx(score(y, p))
        assert band["low"] < score(y, p) < band["high"]
    assert found["ensemble"]["seeds"] == 3
    series = seed_series(problem.task, [winner], problem.parts.val.y, y)["winner"]
    assert list(series) == list(expected)
    for name, values in series.items():
        assert values[2] is None
        assert found["each_seed"][name] == pytest.approx(np.mean([values[place] for place in (0, 1, 3)]))
        assert found["keras_file"][name] == values[found["keras_file"]["seed"] - 7]


def called(p: np.ndarray) -> np.ndarray:
    return p.argmax(axis=1) if p.ndim == 2 else p > 0.5


def test_of_many_classes_the_class_that_is_called_is_what_the_reliability_is_of(
    tables: Mapping[str, Trained],
) -> None:
    found, p, y = reliability(*tables["wine"].rows), tables["wine"].mean(), tables["wine"].y
    assert sum(row["n"] for row in found) == len(y)
    assert sum(row["n"] * row["observed"] for row in found) == pytest.approx((p.argmax(axis=1) == y).sum())
    assert found[0]["expected"] == pytest.approx(np.sort(p.max(axis=1))[: found[0]["n"]].mean())
    assert smoothed(*tables["wine"].rows, None) is None
    assert guesses(*tables["wine"].rows) is None


def test_of_a_number_the_guesses_stand_in_the_unit_of_the_target(tables: Mapping[str, Trained]) -> None:
    found, y = guesses(*tables["diabetes"].rows), tables["diabetes"].y
    assert np.sqrt(np.mean(np.subtract(found["truth"], found["guess"]) ** 2)) == pytest.approx(
        root_mean_squared_error(y, tables["diabetes"].mean())
    )
    assert sorted(found["truth"]) == sorted(y)
    assert found["guess"] == sorted(found["guess"])
    assert all(np.less_equal(found["low"], found["guess"]) & np.less_equal(found["guess"], found["high"]))
    assert reliability(*tables["diabetes"].rows) is None
    assert smoothed(*tables["diabetes"].rows, None) is None


@pytest.mark.parametrize("table", ["wine", "diabetes"])
def test_what_is_used_is_said_in_the_words_of_the_task(tables: Mapping[str, Trained], table: str) -> None:
    said = deployed(*tables[table].rows, None)["sentence"]
    wanted = {
        "wine": ["mean probabilities of the 3 seeds", "right"],
        "diabetes": ["mean guess of the 3 seeds"],
    }
    assert all(words in said for words in wanted[table])
    assert ("probabilit" in said) == ("right" in said) == ("log loss" in said) == (table == "wine")
