"""The methods a network has to beat: tuned as scikit-learn would tune them, and better where the law is
theirs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import TWO
from scipy.special import expit, softmax
from sklearn import metrics
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.utils.class_weight import compute_sample_weight
from studies import cli
from threadpoolctl import threadpool_limits

from handnet.data import Array, Table
from handnet.draws import generator
from handnet.models.trees import TREES
from handnet.splits import Split
from handnet.study.comparisons import compare_over_splits
from handnet.study.configuration import candidates, configure
from handnet.study.executor import in_order, make_workers
from handnet.study.identity import make_problem
from handnet.study.reading import load, read
from handnet.study.resplit import Resplitter
from handnet.study.rivals import (
    BOOSTING,
    LOGISTIC,
    MAJORITY,
    MEAN,
    RIDGE,
    STRENGTHS,
    Rival,
    rivals,
    roles,
    untuned_outputs,
)
from handnet.study.sections import MOST_BOOSTING
from handnet.study.settings import RESERVED
from handnet.tasks import Task, task_of

MANY, NUMBER = task_of(4), task_of(0)
CONVERGED = {"solver": "newton-cg", "tol": 1e-10, "max_iter": 10_000}  # by another way than ours


def made(train: Table, val: Table, boosting: int = 1, task: Task = TWO) -> dict[str, Rival]:
    return {rival.role: rival for rival in rivals(task, train, val, boosting)}


def noisy(seed: int, n: int = 240, flipped: float = 0.3) -> tuple[Table, Table]:
    """A step of one column, and so many flipped labels that a weak penalty and many rounds learn noise."""
    draws = generator(seed, 0)
    X = draws.normal(size=(n, 12)).astype(np.float32)
    y = ((X[:, 0] > 0) ^ (draws.random(n) < flipped)).astype(np.int8)
    return Table(X[: n // 2], y[: n // 2]), Table(X[n // 2 :], y[n // 2 :])


@pytest.mark.parametrize("weighted", [False, True])
def test_the_penalty_is_the_one_a_grid_search_of_scikit_learn_chooses(parts: Split, weighted: bool) -> None:
    way = "balanced" if weighted else None
    for plain, val in ((parts.train, parts.val), noisy(1), noisy(2, flipped=0.45)):
        train = plain._replace(weight=compute_sample_weight(way, plain.y) if weighted else None)
        X, y = np.concatenate([train.X, val.X]), np.concatenate([train.y, val.y])
        search = GridSearchCV(
            LogisticRegression(max_iter=10_000, class_weight=way),
            {"C": STRENGTHS},
            scoring="neg_log_loss",
            cv=PredefinedSplit(np.repeat([-1, 0], [len(train.y), len(val.y)])),
            refit=False,
        ).fit(X, y)
        found = made(train, val)[LOGISTIC]
        assert found.chosen == f"C = {search.best_params_['C']:g}"
        oracle = LogisticRegression(C=search.best_params_["C"], max_iter=10_000, class_weight=way)
        expected = oracle.fit(train.X, train.y).decision_function(val.X)
        assert found.outputs(val.X) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_rounds_of_boosting_are_those_at_which_scikit_learn_has_the_lowest_loss() -> None:
    train, val = noisy(3)
    found = made(train, val)[BOOSTING]
    chosen = int(found.chosen.split()[0])
    assert 1 < chosen < TREES[0].rounds / 2
    losses = {}
    for rounds in (1, chosen - 1, chosen, chosen + 1, 2 * chosen, 100):
        oracle = HistGradientBoostingClassifier(
            max_iter=rounds, max_depth=2, min_samples_leaf=5, early_stopping=False
        )
        with threadpool_limits(1, "openmp"):
            logits = oracle.fit(train.X, train.y).decision_function(val.X)
        losses[rounds] = metrics.log_loss(val.y, expit(logits))
        if rounds == chosen:
            assert found.outputs(val.X) == pytest.approx(logits, rel=1e-9)
    assert min(losses, key=losses.__getitem__) == chosen


def many(seed: int, n: int = 400, wrong: float = 0.2) -> tuple[Table, Table]:
    """Four classes in the quarters of two columns of twelve, and so many labels drawn blindly."""
    draws = generator(seed, 0)
    X = draws.normal(size=(n, 12))
    y = 2 * (X[:, 0] > 0) + (X[:, 1] > 0)
    y = np.where(draws.random(n) < wrong, draws.integers(0, 4, n), y).astype(np.int8)
    weight = draws.exponential(size=n // 2)
    return Table(X[: n // 2], y[: n // 2], weight), Table(X[n // 2 :], y[n // 2 :])


def number(seed: int, n: int = 240, noise: float = 3.0) -> tuple[Table, Table]:
    """A line with a step, far from 0, and noise."""
    draws = generator(seed, 0)
    X = draws.normal(size=(n, 12))
    y = 5000 + X[:, 0] - 2 * X[:, 1] + 3 * (X[:, 2] > 0) + noise * draws.normal(size=n)
    return Table(X[: n // 2], y[: n // 2]), Table(X[n // 2 :], y[n // 2 :])


def searched(model: Any, grid: dict[str, Any], scoring: str, train: Table, val: Table) -> Any:
    """A grid search of scikit-learn on the same rows, fitted."""
    X, y = np.concatenate([train.X, val.X]), np.concatenate([train.y, val.y])
    fold = PredefinedSplit(np.repeat([-1, 0], [len(train.y), len(val.y)]))
    weight = np.ones(len(train.y)) if train.weight is None else train.weight
    weight = np.concatenate([weight, np.ones(len(val.y))])
    return GridSearchCV(model, grid, scoring=scoring, cv=fold, refit=False).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("seed", [1, 2])
def test_of_many_classes_the_penalty_is_that_of_a_grid_search(seed: int) -> None:
    train, val = many(seed)
    model = LogisticRegression(**CONVERGED)
    best = searched(model, {"C": STRENGTHS}, "neg_log_loss", train, val).best_params_["C"]
    found = made(train, val, task=MANY)[LOGISTIC]
    assert found.chosen == f"C = {best:g}"
    oracle = LogisticRegression(C=best, **CONVERGED).fit(*train).predict_proba(val.X)
    assert softmax(found.outputs(val.X), axis=1) == pytest.approx(oracle, rel=1e-4)
    untuned = untuned_outputs(MANY, train, val.X)
    oracle = LogisticRegression(**CONVERGED).fit(*train).predict_proba(val.X)
    assert untuned is not None
    assert softmax(untuned, axis=1) == pytest.approx(oracle, rel=1e-4)


@pytest.mark.parametrize("noise", [0.01, 3.0, 100.0])
def test_of_a_number_the_penalty_is_that_of_a_grid_search(noise: float) -> None:
    train, val = number(3, noise=noise)
    grid = {"alpha": [1 / strength for strength in STRENGTHS]}
    best = searched(Ridge(), grid, "neg_mean_squared_error", train, val).best_params_["alpha"]
    found = made(train, val, task=NUMBER)[RIDGE]
    assert (found.chosen, found.tuned) == (f"alpha = {best:g}", "alpha chosen on the validation rows, of 7")
    # By the normal equations of centred columns.
    X, y = train.X - train.X.mean(axis=0), train.y - train.y.mean()
    slopes = np.linalg.solve(X.T @ X + best * np.eye(12), X.T @ y)
    by_hand = train.y.mean() + (val.X - train.X.mean(axis=0)) @ slopes
    assert found.outputs(val.X) == pytest.approx(by_hand, rel=1e-9)
    slopes = np.linalg.solve(X.T @ X + np.eye(12), X.T @ y)
    by_hand = train.y.mean() + (val.X - train.X.mean(axis=0)) @ slopes
    assert untuned_outputs(NUMBER, train, val.X) == pytest.approx(by_hand, rel=1e-9)


def test_the_rounds_of_boosting_are_chosen_by_the_loss_of_the_task() -> None:
    """Of many classes each round grows a tree for each class."""
    shape = {"max_depth": 2, "min_samples_leaf": 5, "early_stopping": False}
    for task, (train, val) in ((MANY, many(4)), (NUMBER, number(4))):
        found = made(train, val, task=task)[BOOSTING]
        chosen = int(found.chosen.split()[0])
        assert 1 < chosen < TREES[0].rounds
        losses = {}
        for rounds in (1, chosen - 1, chosen, chosen + 1, 100):
            with threadpool_limits(1, "openmp"):
                if task is MANY:
                    oracle = HistGradientBoostingClassifier(max_iter=rounds, **shape).fit(*train)
                    said = oracle.predict_proba(val.X)
                    losses[rounds] = metrics.log_loss(val.y, said)
                else:
                    oracle = HistGradientBoostingRegressor(max_iter=rounds, **shape).fit(*train)
                    said = oracle.predict(val.X)
                    losses[rounds] = metrics.mean_squared_error(val.y, said)
            if rounds == chosen:
                outputs = found.outputs(val.X)
                ours = softmax(outputs, axis=1) if task is MANY else outputs
                assert ours == pytest.approx(said, rel=1e-9)
        assert min(losses, key=losses.__getitem__) == chosen


def test_the_last_rival_knows_shares_or_the_mean() -> None:
    train, val = many(5)
    share = np.bincount(train.y) / len(train.y)  # of rows, whatever their weights
    found = made(train, val, task=MANY)[MAJORITY].outputs(val.X)
    assert softmax(found, axis=1) == pytest.approx(np.tile(share, (200, 1)))
    train, val = number(5)
    assert made(train, val, task=NUMBER)[MEAN].outputs(val.X) == pytest.approx(np.full(120, train.y.mean()))


def test_of_many_classes_the_outputs_have_the_place_of_each_class() -> None:
    """Also where the train rows lack some: those come last."""
    train, val = many(6)
    for lost in ([1], [0, 2]):
        some = ~np.isin(train.y, lost)
        fewer = Table(train.X[some], train.y[some])
        kept = [one for one in range(4) if one not in lost]
        for rival in made(fewer, val, task=MANY).values():
            outputs = rival.outputs(val.X)
            assert outputs.shape == (200, 4)
            assert np.isfinite(outputs).all()
            assert set(outputs.argmax(axis=1).tolist()) <= set(kept)
        oracle = LogisticRegression(**CONVERGED).fit(*fewer[:2]).predict_proba(val.X)
        untuned = untuned_outputs(MANY, fewer, val.X)
        assert untuned is not None
        assert softmax(untuned, axis=1)[:, kept] == pytest.approx(oracle, rel=1e-4)


def test_each_task_has_its_roles_and_no_recipe_may_bear_one() -> None:
    assert roles(TWO, 1) == roles(MANY, 1) == (LOGISTIC, BOOSTING, MAJORITY)
    assert roles(NUMBER, 1) == (RIDGE, BOOSTING, MEAN)
    assert roles(NUMBER, 0) == (RIDGE, MEAN)
    for task, parts in ((TWO, noisy(1)), (MANY, many(1)), (NUMBER, number(1))):
        assert tuple(made(*parts, task=task)) == roles(task, 1)
        assert set(roles(task, 1)) <= set(RESERVED)


def test_more_configurations_never_do_worse_on_the_rows_they_are_chosen_on(parts: Split) -> None:
    losses = [
        metrics.log_loss(
            parts.val.y, expit(made(parts.train, parts.val, count)[BOOSTING].outputs(parts.val.X))
        )
        for count in (1, 2)
    ]
    assert losses == sorted(losses, reverse=True)
    assert len(TREES) == len(set(TREES)) == MOST_BOOSTING


def test_weights_of_rows_reach_every_tuned_method_and_leave_the_shares_alone(parts: Split) -> None:
    weighted = parts.train._replace(weight=compute_sample_weight("balanced", parts.train.y))
    plain, balanced = made(parts.train, parts.val), made(weighted, parts.val)
    for role in (LOGISTIC, BOOSTING):
        assert not np.allclose(
            plain[role].outputs(parts.val.X), balanced[role].outputs(parts.val.X), rtol=1e-3
        )
    share = parts.train.y.mean()
    for rival in (plain, balanced):
        assert rival[MAJORITY].outputs(parts.val.X) == pytest.approx(np.log(share / (1 - share)))


def test_a_method_that_cannot_be_fitted_is_left_out() -> None:
    X, y = np.ones((12, 2), dtype=np.float32), np.repeat([0, 1], 6).astype(np.int8)
    assert set(made(Table(X, y), Table(X, y))) == {
        LOGISTIC,
        BOOSTING,
        MAJORITY,
    }  # constant, and still a share
    assert set(made(Table(X[:2], y[5:7]), Table(X, y))) == {LOGISTIC, BOOSTING, MAJORITY}
    assert LOGISTIC not in made(Table(X, np.zeros(12, dtype=np.int8)), Table(X, y))
    hurt = X.copy()
    hurt[0] = np.nan
    assert LOGISTIC not in made(Table(hurt, y), Table(X, y))
    assert BOOSTING not in made(Table(X, y), Table(X, y), 0)


def table(folder: Path, X: Array, y: Array) -> dict[str, str]:
    """The settings of a study of this table, in a file."""
    rows = (f"{a:.5f},{b:.5f},{c:.5f},{'yes' if one else 'no'}" for (a, b, c), one in zip(X, y, strict=True))
    path = folder / "table.csv"
    path.write_text("\n".join(["x0,x1,x2,label", *rows, ""]))
    return {"data.path": str(path), "data.target": "label", "data.positive": "yes"}


def test_a_rival_that_is_truly_better_beats_the_network(tmp_path: Path) -> None:
    """Boxes, which trees cut out; three epochs of small steps do not see them, and no line does."""
    X = generator(4, 0).uniform(-1, 1, size=(400, 3))
    settings = read(table(tmp_path, X, (X[:, 0] > 0) ^ (X[:, 1] > 0)) | {"rehearsal.splits": "10"})
    data = load(settings)
    problem = make_problem(settings, data)
    winner = configure(settings, "mlp", {"learning_rate": 1e-3, "dropout": 0.0, "epochs": 3})
    resplitter = Resplitter(settings, problem, candidates([winner], settings), None)
    workers = make_workers("threads", 1, "compiled")
    workers.hold(data.digest, data)
    with workers:
        made = list(in_order(workers, (call for work in resplitter.frozen_work({}) for call in work.calls)))
    for rival, low, high in ((BOOSTING, -1, -0.2), (LOGISTIC, -0.2, 0.2)):
        found = {one.score: one for one in compare_over_splits(TWO, "winner", rival, made, settings.verdict)}
        assert low < found["accuracy"].difference.band.low < found["accuracy"].difference.band.high < high


def test_a_winner_worse_than_an_untuned_method_is_warned_of(tmp_path: Path) -> None:
    """A line, which logistic regression has at once and one epoch of small steps does not find."""
    draws = generator(5, 0)
    X = draws.normal(size=(300, 3))
    known = table(tmp_path, X, X @ [2.0, -1, 1] + 0.5 * draws.normal(size=300) > 0)
    small = ["TRIALS=2", "SEEDS=2", "CONFIRM=3", "rehearsal.seeds=2", "rehearsal.levels=2", "SPLITS=6"]
    crippled = ["space.epochs.low=1", "space.epochs.high=1", "space.learning_rate.high=2e-4", "OPEN=1"]
    crippled.append("rivals.boosting=2")
    words = [f"{key}={value}" for key, value in known.items()]
    assert cli(tmp_path, "study", *words, *small, *crippled) == 0
    (path,) = (tmp_path / "reports").glob("*/report.json")
    facts = json.loads(path.read_text())
    untuned = facts["selection"]["untuned"]
    assert untuned["worse"]
    assert untuned["low"] > 0.1
    assert untuned["shown"]
    assert "Beware: the winner is worse than untuned logistic regression on the" in facts["verdict"]
    assert "loses to logistic regression" in facts["verdict"]
    told = {one["role"]: one["tuned"] for one in facts["configurations"]}
    assert told[LOGISTIC] == "C chosen on the validation rows, of 7"
    assert told[BOOSTING] == "rounds and 1 of 2 configurations chosen on the validation rows"
    assert "of 2 configurations, each on 2 seeds" in told["winner"]
    against = {pair["theirs"] for pair in facts["comparisons"] if pair["ours"] == "winner"}
    assert {LOGISTIC, BOOSTING, MAJORITY} <= against
