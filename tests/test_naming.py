"""How often a story names what does nothing: the simulated world, the counts, and a family planted idle."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import statsmodels.api as sm

from handnet import Dataset
from handnet.contract import Layer
from handnet.families import families_of
from handnet.judge import judge_of
from handnet.report.explainer import Explainer
from handnet.splits import split
from handnet.study import naming
from handnet.study.division import Resplit, Trained
from handnet.study.naming import (
    CLASSES,
    DOES,
    STUDIES,
    Naming,
    as_csv,
    measure,
    shipped,
    shipped_of,
    told,
    world,
)
from handnet.study.reading import read
from handnet.study.units import Problem, load_problem


def test_only_three_families_of_the_world_tell_of_the_label() -> None:
    """In a regression on all columns of many rows, those of the other five have coefficients about 0."""
    data = world(0, rows=20000)
    fit = sm.Logit(data.y, sm.add_constant(data.X)).fit(disp=0)
    t = (fit.params / fit.bse)[1:].reshape(len(DOES), 2)
    assert (t[:3] > 10).all()
    assert np.abs(t[3:]).max() < 4
    alone = [abs(np.corrcoef(data.X[:, 2 * family], data.y)[0, 1]) for family in range(len(DOES))]
    assert min(alone[3:5]) > 0.2  # tells of the label only by what it correlates with
    assert max(alone[5:]) < 0.03
    assert len(families_of(data.families, data.X).names) == len(DOES)


def test_names_are_counted_by_what_the_families_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2 and 1 stories: a deciding family twice, one that goes with it once, idle ones never and once."""
    planted = [[("f0", "f3"), ("f2",)], [("f7",)]]

    def explanations(study: int) -> Iterator[SimpleNamespace]:
        return (SimpleNamespace(named=named) for named in planted[study])

    monkeypatch.setattr(naming, "world", lambda study, _task: study)
    monkeypatch.setattr(naming, "explanations", explanations)
    counts = [(row.does, row.named, row.chances, row.stories, row.studies) for row in measure(2)]
    assert counts == [("decides", 2, 9, 3, 2), ("goes with one", 1, 6, 3, 2), ("does nothing", 1, 9, 3, 2)]


def test_the_table_is_read_as_it_is_written(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [(task, does) for task in STUDIES for does in dict.fromkeys(DOES)]
    rows = [Naming(*kind, place, 7, 5, 3, 0.25) for place, kind in enumerate(kinds)]
    path = tmp_path / "naming.csv"
    path.write_text(as_csv(rows))
    monkeypatch.setattr(naming, "TABLE", path)
    shipped.cache_clear()
    assert list(shipped()) == rows
    assert shipped_of("a number")["does nothing"] == rows[-1]
    assert "In 5 stories of 3 simulated studies" in told("many classes")
    shipped.cache_clear()


def deaf(problem: Problem, columns: np.ndarray, seed: int) -> tuple[Layer, ...]:
    """A trained network with three seeds that does not hear some columns."""
    first, *rest = problem.fit(naming.RECIPE, range(seed, seed + 3)).fit.layers
    weight = first.weight.copy()
    weight[:, columns] = 0
    return (first._replace(weight=weight), *rest)


@pytest.mark.parametrize("task", CLASSES)
def test_a_family_that_networks_do_not_hear_is_never_named(task: str) -> None:
    """Two families correlate with those that decide, but every network has weights of 0 for them.

    Their credits are sums that cancel up to rounding; the check alone gives them what they correlate with."""
    data: Dataset = world(1, task, rows=200)
    settings = read({})
    problem = load_problem(settings, data, split(data))
    idle = np.isin(data.families, ["f3", "f4"])
    fit = problem.fit(naming.RECIPE, range(3))
    replicas = replace(fit, fit=fit.fit._replace(layers=deaf(problem, idle, 0)))
    divisions = []
    for seed in range(6):
        parts = split(data, seed=seed)
        layers = deaf(load_problem(settings, data, parts), idle, seed)
        trained = Trained(layers, parts.train_rows, parts.mean, parts.scale)
        divisions.append(Resplit(seed, np.empty(0), 0.0, {}, trained))
    explainer = Explainer(problem, judge_of(problem.task, data.y), replicas, divisions)
    named = set()
    for row in np.concatenate([problem.parts.val_rows, problem.parts.test_rows])[:40]:
        found = explainer.explanation(int(row))
        named |= set(found.named)
        for credit in found.credits:
            if credit.family in ("f3", "f4"):
                assert credit.seeds.centre("mean") == pytest.approx(0, abs=1e-5)
                assert not credit.clear
    assert not named & {"f3", "f4"}


@pytest.mark.long
@pytest.mark.parametrize("task", CLASSES)
def test_fresh_studies_name_as_often_as_the_table_says(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "world", lambda study, task: world(1000 + study, task))
    for row in measure(25, task=task):
        told_of = shipped_of(task)[row.does]
        assert abs(row.rate - told_of.rate) < 4 * np.hypot(row.error, told_of.error) + 0.002
