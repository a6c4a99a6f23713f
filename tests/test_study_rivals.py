"""The methods a network has to beat: tuned as scikit-learn would tune them, and better where the law is
theirs."""

import json
from pathlib import Path

import numpy as np
import pytest
from samples import TWO
from scipy.special import expit
from sklearn import metrics
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.utils.class_weight import compute_sample_weight
from studies import cli
from threadpoolctl import threadpool_limits

from handnet.data import Array, Table
from handnet.draws import generator
from handnet.splits import Split
from handnet.study.comparisons import compare_over_splits
from handnet.study.executor import in_order, make_workers
from handnet.study.identity import make_problem
from handnet.study.reading import load, read
from handnet.study.resplit import Resplitter
from handnet.study.rivals import BASELINE, BOOSTING, MAJORITY, STRENGTHS, TREES, Rival, rivals
from handnet.study.sections import MOST_BOOSTING
from handnet.study.units import candidates


def made(train: Table, val: Table, boosting: int = 1) -> dict[str, Rival]:
    return {rival.role: rival for rival in rivals(train, val, boosting)}


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
        found = made(train, val)[BASELINE]
        assert found.chosen == f"C = {search.best_params_['C']:g}"
        oracle = LogisticRegression(C=search.best_params_["C"], max_iter=10_000, class_weight=way)
        expected = oracle.fit(train.X, train.y).decision_function(val.X)
        assert found.logits(val.X) == pytest.approx(expected, rel=1e-4, abs=1e-5)


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
            assert found.logits(val.X) == pytest.approx(logits, rel=1e-9)
    assert min(losses, key=losses.__getitem__) == chosen


def test_more_configurations_never_do_worse_on_the_rows_they_are_chosen_on(parts: Split) -> None:
    losses = [
        metrics.log_loss(
            parts.val.y, expit(made(parts.train, parts.val, count)[BOOSTING].logits(parts.val.X))
        )
        for count in (1, 2)
    ]
    assert losses == sorted(losses, reverse=True)
    assert len(TREES) == len(set(TREES)) == MOST_BOOSTING


def test_weights_of_rows_reach_every_tuned_method_and_leave_the_shares_alone(parts: Split) -> None:
    weighted = parts.train._replace(weight=compute_sample_weight("balanced", parts.train.y))
    plain, balanced = made(parts.train, parts.val), made(weighted, parts.val)
    for role in (BASELINE, BOOSTING):
        assert not np.allclose(plain[role].logits(parts.val.X), balanced[role].logits(parts.val.X), rtol=1e-3)
    share = parts.train.y.mean()
    for rival in (plain, balanced):
        assert rival[MAJORITY].logits(parts.val.X) == pytest.approx(np.log(share / (1 - share)))


def test_a_method_that_cannot_be_fitted_is_left_out() -> None:
    X, y = np.ones((12, 2), dtype=np.float32), np.repeat([0, 1], 6).astype(np.int8)
    assert set(made(Table(X, y), Table(X, y))) == {
        BASELINE,
        BOOSTING,
        MAJORITY,
    }  # constant, and still a share
    assert set(made(Table(X[:2], y[5:7]), Table(X, y))) == {BASELINE, BOOSTING, MAJORITY}
    assert BASELINE not in made(Table(X, np.zeros(12, dtype=np.int8)), Table(X, y))
    hurt = X.copy()
    hurt[0] = np.nan
    assert BASELINE not in made(Table(hurt, y), Table(X, y))
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
    problem, recipe = make_problem(settings, data), settings.recipe(1e-3, 0.0, 3)
    resplitter = Resplitter(settings, problem, candidates(recipe, settings), None)
    workers = make_workers("threads", 1, "compiled")
    workers.hold(data.digest, data)
    with workers:
        made = list(in_order(workers, (call for _, _, call in resplitter.frozen_calls())))
    for rival, low, high in ((BOOSTING, -1, -0.2), (BASELINE, -0.2, 0.2)):
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
    assert told[BASELINE] == "C chosen on the validation rows, of 7"
    assert told[BOOSTING] == "rounds and 1 of 2 configurations chosen on the validation rows"
    assert "of 2 configurations, each on 2 seeds" in told["winner"]
    against = {pair["theirs"] for pair in facts["comparisons"] if pair["ours"] == "winner"}
    assert {BASELINE, BOOSTING, MAJORITY} <= against
