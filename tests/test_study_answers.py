"""What is fitted again tells the same of a network as its weights do, and the credits of a forest are those
of every order in which its families can be added."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit
from sklearn.ensemble import RandomForestClassifier
from test_stories import planted, studied

from handnet import Table, split, wisconsin
from handnet.contract import Fit
from handnet.judge import judge_of
from handnet.report.cases import Cases
from handnet.report.explainer import Explainer
from handnet.splits import Split
from handnet.study.answers import Refits, Wanted, affordable
from handnet.study.division import Resplit, Trained
from handnet.study.naming import CLASSES
from handnet.study.networks import Replicas
from handnet.study.reading import read
from handnet.study.store import Store
from handnet.study.units import load_problem


class Fits:
    """Stands in for the workers: a study's own networks answer, and what is asked is kept."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer, self.asked = explainer, list[Wanted]()

    def __call__(self, wanted: Sequence[Wanted]) -> list[np.ndarray]:
        self.asked += wanted
        return [self.networks(one.split_seed).outputs(one.X) for one in wanted]

    def networks(self, split_seed: int | None):
        return self.explainer.networks if split_seed is None else self.explainer.one_each[split_seed]


def without_weights(cases: Cases, refits: Refits | str, watch: Sequence[str] = ()) -> Cases:
    """The same cases of a study that has kept no weights."""
    assert cases.explainer
    winner = cases.confirmed[0]
    assert winner.replicas
    bare = replace(winner, replicas=replace(winner.replicas, fit=winner.replicas.fit._replace(layers=())))
    divisions = [
        Resplit(seed, np.empty(0), 0.0, {}, replace(trained, layers=(), seeds=(7,)))
        for seed, trained in enumerate(cases.explainer.trained)
        if trained
    ]
    return Cases(cases.problem, [bare], cases.graded["test"], divisions, 0.0, refits, watch)


def refits(home: Path, exits: tuple[int, ...], fit: Fits | None, most: int = 200) -> Refits:
    """Of a study's winner."""
    return Refits(Store(home, "study", writing=True), "winner", exits, fit, most)


@pytest.mark.parametrize("task", CLASSES)
def test_a_model_fitted_again_is_explained_as_its_weights_are(task: str, tmp_path: Path) -> None:
    """All rows are asked for at once, and what is stored is not asked for again."""
    data, row = planted(task)
    problem, kept = studied(data, row)
    assert kept.explainer
    watched, exits = str(problem.parts.val_rows[0]), (3,) if task == "many classes" else ()
    fits = Fits(kept.explainer)
    again = without_weights(kept, refits(tmp_path, exits, fits), [watched])
    assert [(one.split_seed, len(one.seeds)) for one in fits.asked] == [
        (None, 6),
        *((seed, 1) for seed in range(4)),
    ]
    assert len(np.unique(fits.asked[0].X, axis=0)) == len(fits.asked[0].X)
    for found in (again, without_weights(kept, refits(tmp_path, exits, None), [watched])):
        assert found.left_out() == []
        assert found.stories() == approximately(kept.stories())
        assert found.watched(watched) == approximately(kept.watched(watched))


def approximately(facts: object) -> object:
    """Equal but for the rounding of a product that has other rows beside it."""
    if isinstance(facts, dict):
        return {name: approximately(value) for name, value in facts.items()}
    if isinstance(facts, list):
        return [approximately(value) for value in facts]
    return pytest.approx(facts, abs=1e-4) if isinstance(facts, float) else facts


def test_what_is_not_fitted_again_is_left_out_by_name(tmp_path: Path) -> None:
    data, row = planted("two classes")
    problem, kept = studied(data, row)
    assert kept.explainer
    fits = Fits(kept.explainer)
    reasons = {
        "they take 10 fits made again, and 9 are as many": refits(tmp_path, (), fits, most=9),
        "they take 10 fits made again, which are made": refits(tmp_path, (), None),
        "families are of encoded inputs": "families are of encoded inputs",
    }
    for why, given in reasons.items():
        found = without_weights(kept, given)
        (told,) = found.left_out()
        assert told["what"] == "reasons of hard cases"
        assert told["why"].startswith(why)
        assert found.stories() == []
        assert found.missed() == kept.missed()
        assert found.watched(str(row)) == {**kept.watched(str(row)), "story": None}
        on_train = found.watched(str(problem.parts.train_rows[0]))
        assert (on_train["part"], on_train["scores"], on_train["story"]) == ("train", [], None)
    assert fits.asked == []


def test_cases_beyond_the_rows_a_model_is_asked_for_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The case watched comes first, and after it those that are missed most often."""
    data, row = planted("two classes")
    _, kept = studied(data, row)
    assert kept.explainer
    monkeypatch.setattr("handnet.report.explainer.MOST_WANTED", 500)
    found = without_weights(kept, refits(tmp_path, (), Fits(kept.explainer)))
    told = found.stories()
    assert 0 < len(told) < len(kept.stories())
    assert told == approximately(kept.stories()[: len(told)])
    assert found.left_out()[0]["why"].startswith(f"after those of {len(told)} cases, more than 500 rows")


def test_a_story_of_some_of_the_seeds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the six, the first, the third and the last are fitted again."""
    data, row = planted("two classes")
    _, kept = studied(data, row)
    assert kept.explainer
    monkeypatch.setattr("handnet.report.explainer.REFITTED", 3)

    def fit(wanted: Sequence[Wanted]) -> list[np.ndarray]:
        answers = zip(wanted, fits(wanted), strict=True)
        return [found if one.split_seed is not None else found[list(one.seeds)] for one, found in answers]

    fits = Fits(kept.explainer)
    found = without_weights(kept, refits(tmp_path, (), fit)).stories()
    assert fits.asked[0].seeds == (0, 2, 5)
    told = {one["case"]: one for one in found}[str(row)]
    assert (told["misses"], told["wrong"], told["own"]["logit"]["n"]) == (6, 3, 3)
    assert "of the 3 of them among the 3 seeds that were fitted again" in told["sentence"]


@pytest.mark.parametrize(("confirmed", "most"), [(0, 60), (60, 60), (61, 61), (200, 200), (2000, 200)])
def test_as_many_fits_are_made_again_as_were_confirmed_within_bounds(confirmed: int, most: int) -> None:
    assert affordable(confirmed) == most


def forest(train: Table, seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(10, max_depth=3, random_state=seed).fit(train.X, train.y)


def log_odds(model: RandomForestClassifier, X: np.ndarray) -> np.ndarray:
    return logit(np.clip(model.predict_proba(X)[:, 1], 1e-3, 1 - 1e-3))


def test_a_forest_is_explained_as_by_every_order_of_its_families(tmp_path: Path) -> None:
    data, settings, seeds = wisconsin(), read({}), (3, 5, 8)
    problem = load_problem(settings, data, split(data))
    divided = {seed: split(data, seed=seed) for seed in (1, 2)}
    trained = {seed: Trained((), one.train_rows, one.mean, one.scale, (4,)) for seed, one in divided.items()}

    def fit(wanted: Sequence[Wanted]) -> list[np.ndarray]:
        trains = {None: problem.parts.train, **{seed: one.train for seed, one in divided.items()}}
        return [
            np.stack([log_odds(forest(trains[one.split_seed], seed), one.X) for seed in one.seeds])
            for one in wanted
        ]

    none = np.full(3, -1)
    bare = Fit((), *np.zeros((3, 3, 1)), best_epoch=none, diverged_at=none)
    replicas = Replicas(seeds, bare, np.empty((3, 0)))
    divisions = [Resplit(seed, np.empty(0), 0.0, {}, one) for seed, one in trained.items()]
    explainer = Explainer(
        problem, judge_of(problem.task, data.y), replicas, divisions, refits(tmp_path, (), fit)
    )
    row = next(
        row for row in problem.parts.test_rows if all(row not in t.train_rows for t in trained.values())
    )
    assert explainer.prepare([row]) == ""
    found = explainer.explanation(row)

    families = explainer.families
    k = len(families.names)

    def credits(parts: Split, models: Sequence[RandomForestClassifier]) -> np.ndarray:
        """Of the mean log odds: what each family adds, on average over all orders."""
        x = parts.scaled(data.X[[row]])[0]
        start = parts.train.X[parts.train.y == 0].mean(axis=0)
        present = ((np.arange(2**k)[:, None] >> np.arange(k)) & 1).astype(bool)
        hybrids = np.where(present @ families.columns, x, start)
        table = np.mean([log_odds(model, hybrids) for model in models], axis=0)
        total, orders = np.zeros(k), list(itertools.permutations(range(k)))
        for order in orders:
            inside = 0
            for family in order:
                total[family] += table[inside + 2**family] - table[inside]
                inside += 2**family
        return total / len(orders)

    means = [credit.seeds.centre("mean") for credit in found.credits]
    here = credits(problem.parts, [forest(problem.parts.train, seed) for seed in seeds])
    assert means == pytest.approx(here, abs=1e-9)
    over = [credit.splits.centre("mean") for credit in found.credits]
    there = np.mean([credits(one, [forest(one.train, 4)]) for one in divided.values()], axis=0)
    assert over == pytest.approx(there, abs=1e-9)
    assert max(abs(here)) > 0.1
