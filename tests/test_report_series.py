"""What the figures are drawn from, and what is used of a study, for each task, against scikit-learn."""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, root_mean_squared_error

from handnet import Recipe
from handnet.report import series
from handnet.report.deployed import deployed
from handnet.report.series import guesses, reliability, seed_series, smoothed
from handnet.study.configuration import Configuration
from handnet.study.identity import make_problem
from handnet.study.reading import read
from handnet.study.space import Choice, Range
from handnet.study.units import Confirmed, Problem

SEEDS = range(7, 11)
LOSS = {"depth": 0.3, "rate": 0.8}  # where in the unit interval the planted objective is the least


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
    winner = Confirmed(
        "winner", "c", Configuration.of(Recipe(epochs=12)), replicas, replicas.val_logits, logits
    )
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


def searched(monkeypatch: pytest.MonkeyPatch, count: int, space: dict[str, Any], **further: Any) -> Any:
    """The surface of a planted objective, the same for whatever is not in LOSS. further: importances."""
    draws = np.random.default_rng(3).random((count, len(space)))
    tried = [
        {name: axis.value(u) for (name, axis), u in zip(space.items(), row, strict=True)} for row in draws
    ]

    def loss(_task: object, params: Mapping[str, Any], _y: object) -> float:
        away = (space[name].unit(params[name]) - least for name, least in LOSS.items() if name in params)
        return float(np.exp(sum(one**2 for one in away)))

    class Sound(dict[str, Any]):
        sound = np.array([True])

    monkeypatch.setattr(series, "objective", loss)
    trials = [
        SimpleNamespace(trial=SimpleNamespace(params=params), replicas=Sound(params)) for params in tried
    ]
    problem = SimpleNamespace(task=None, parts=SimpleNamespace(val=SimpleNamespace(y=None)))
    return series.surface(problem, trials, space, further)  # type: ignore[arg-type]


SPACE = {"depth": Range(2, 10), "kind": Choice(("gini", "entropy")), "rate": Range(1e-4, 1e-1, log=True)}


def test_the_surface_is_of_two_numbers_of_any_space(monkeypatch: pytest.MonkeyPatch) -> None:
    found = searched(monkeypatch, 30, SPACE)
    across, up = found["axes"]
    assert [across["name"], up["name"]] == ["depth", "rate"]
    assert (found["fixed"], found["pooled"]) == ([], ["kind"])
    assert (across["values"][0], across["values"][-1]) == pytest.approx((2, 10))
    assert np.diff(np.log(up["values"])) == pytest.approx(np.log(1e3) / 23)
    line = np.linspace(0, 1, 24)
    expected = np.exp((line[None] - LOSS["depth"]) ** 2 + (line[:, None] - LOSS["rate"]) ** 2)
    assert np.abs(np.array(found["median"]) / expected - 1).max() < 0.05


def test_of_many_numbers_the_two_that_matter_most_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {name: Range(0, 1) for name in "abcd"} | SPACE
    found = searched(monkeypatch, 12, many, rate=0.5, depth=0.2, kind=0.3)
    assert [axis["name"] for axis in found["axes"]] == ["depth", "rate"]
    assert found["fixed"] == list("abcd")


@pytest.mark.parametrize("left", [["depth"], ["kind"], ["depth", "kind"]])
def test_fewer_than_two_numbers_that_vary_have_no_surface(
    monkeypatch: pytest.MonkeyPatch, left: list[str]
) -> None:
    space = {name: SPACE[name] for name in left} | {"epochs": Range(5, 5)}
    assert searched(monkeypatch, 12, space) is None
    assert searched(monkeypatch, 7, SPACE) is None
