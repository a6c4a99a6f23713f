"""The search of another model made anew on fresh divisions: each of its fits is a call of its own, and what
the model does in one costs that one alone."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from studies import cli, contents, study_name

import handnet.study.division
from handnet import split, wisconsin
from handnet.models.model import Model
from handnet.models.named import make_model
from handnet.study.anew import anew_work
from handnet.study.configuration import Candidate, Configuration
from handnet.study.division import SEARCHED_ANEW, Resplit, search_on
from handnet.study.executor import Call, Threads, Workers, in_order
from handnet.study.identity import make_problem
from handnet.study.processes import Killable
from handnet.study.reading import read
from handnet.study.resplit import Resplitter
from handnet.study.sealed import Opening
from handnet.study.search import search_of
from handnet.study.settings import Settings

SPLIT = 100_000
FOREST = "sklearn:sklearn.ensemble.RandomForestClassifier"
NEAR = "sklearn:sklearn.neighbors.KNeighborsClassifier"
OPENING = Opening("", "", "", "", (), 3, 2, "", "", "", (), 1, 0)  # nothing of it is asked for
USERS = """
import time
import numpy as np

def slow(X_train, y_train, params, seed, X):
    time.sleep(0.3)
    return np.full(len(X), 0.5 - seed / 1e6 - params["a"] / 100)

def faulty(X_train, y_train, params, seed, X):
    if (params["a"], seed) in [(2, 1), (1, 100001)]:
        raise ValueError("no such luck")
    return np.full(len(X), 0.5 - params["a"] / 100)

def hopeless(X_train, y_train, params, seed, X):
    raise ValueError(f"never with {seed}")

def forgetful(X_train, y_train, params, seed, X):
    if seed >= 100000:
        raise ValueError("forgotten")
    return np.full(len(X), 0.5)
"""


def settings_of(model: Model, source: str, space: dict[str, Any], **fixed: Any) -> Settings:
    own = {"name": model.name, "source": source, "space": space, "fixed": fixed, "seeded": model.seeded}
    few = {"search.trials": "3", "search.seeds": "2", "rehearsal.splits": "2", "rehearsal.seeds": "2"}
    return read(few | {"rehearsal.levels": "2"}, models=[own])


def made_anew(settings: Settings, model: Model, workers: Workers) -> Resplit:
    """What the search of the model gives on the first fresh division."""
    data = wisconsin()
    workers.hold(data.digest, data)
    winner = Candidate("winner", Configuration(model.name, {}, {}))
    resplitter = Resplitter(settings, make_problem(settings, data), [winner], OPENING)

    def run(calls: Iterable[Call]) -> Iterator[Any]:
        return in_order(workers, calls)

    work, _ = anew_work(resplitter, {model.name: model}, run)
    assert not work.calls
    found = work.join([])
    assert Resplit.from_npz(found.to_npz()).to_npz() == found.to_npz()
    return found


@pytest.mark.parametrize(
    ("source", "estimator", "space", "fixed"),
    [
        (FOREST, RandomForestClassifier, {"max_depth": "1..8"}, {"n_estimators": 5}),
        (NEAR, KNeighborsClassifier, {"n_neighbors": "1..60"}, {}),
    ],
)
def test_a_search_made_anew_is_a_loop_by_hand(
    source: str, estimator: Any, space: dict[str, str], fixed: dict[str, int]
) -> None:
    model, data = make_model(source), wisconsin()
    settings = settings_of(model, source, space, **fixed)
    with Threads(2, 8) as workers:
        found = made_anew(settings, model, workers)

    parts = split(data, seed=SPLIT)
    X, seeded = parts.scaled(data.X[parts.test_rows]), model.seeded
    proposals = search_of(settings, model.name)  # the first ones are drawn whatever came of them
    tried = [proposals.propose(place) for place in range(3)]
    assert len({str(point) for point in tried}) > 1

    def probabilities(point: dict[str, Any], seed: int, rows: np.ndarray) -> np.ndarray:
        one = estimator(**point, **fixed, **({"random_state": seed} if seeded else {}))
        return np.clip(one.fit(parts.train.X, parts.train.y).predict_proba(rows)[:, 1], 1e-12, 1 - 1e-12)

    def loss(point: dict[str, Any]) -> float:
        seeds = range(2 if seeded else 1)
        return float(
            np.mean([log_loss(parts.val.y, probabilities(point, seed, parts.val.X)) for seed in seeds])
        )

    best = min(tried, key=loss)
    assert found.chosen == best
    expected = [probabilities(best, seed, X) for seed in range(100_000, 100_002 if seeded else 100_001)]
    assert expit(found.logits[SEARCHED_ANEW]) == pytest.approx(np.array(expected), abs=1e-12)
    assert np.array_equal(found.y, data.y[parts.test_rows])
    assert (found.split_seed, found.ratio, found.fault) == (SPLIT, 114 / 455, "")


def test_what_a_model_does_in_a_search_made_anew_costs_one_fit(tmp_path: Path) -> None:
    """Eight fits of .3 s each stay under a limit of 2 s; whatever is lost is told with its reason."""
    path = tmp_path / "users.py"
    path.write_text(USERS)
    found = {}
    with Killable(2, 2.0) as workers:
        for function in ("slow", "faulty", "hopeless", "forgetful"):
            source = f"call:{path}:{function}"
            model = make_model(source)
            found[function] = made_anew(settings_of(model, source, {"a": [1, 2]}), model, workers)
    assert not found["slow"].fault
    assert np.isfinite(found["slow"].logits[SEARCHED_ANEW]).all()
    assert not found["faulty"].fault
    assert found["faulty"].chosen == {"a": 1}  # the other has a lost seed, and the lower loss
    lost = np.isnan(found["faulty"].logits[SEARCHED_ANEW]).all(axis=1)
    assert lost.tolist() == [False, True]
    for function, says in (
        (
            "hopeless",
            "no configuration was sound on all search seeds (the first: users.hopeless with a=@, se",
        ),
        (
            "forgetful",
            "every fit of what the search chose was lost (the first: users.forgetful with a=@, see",
        ),
    ):
        assert found[function].logits == {}
        assert found[function].chosen is None
        assert found[function].fault.replace("a=1", "a=@").replace("a=2", "a=@").startswith(says)
    assert "ValueError: never with 0" in found["hopeless"].fault


def test_networks_by_hand_that_all_diverge_are_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handnet.study.division, "objective", lambda *_: np.inf)
    few = {"search.trials": "2", "search.seeds": "2", "space.epochs.low": "2", "space.epochs.high": "4"}
    data = wisconsin()
    with Threads(1, 1) as workers:
        workers.hold(data.digest, data)
        (found,) = in_order(workers, [(search_on, data.digest, read(few), SPLIT)])
    assert (found.logits, found.chosen) == ({}, None)
    assert found.fault == "every configuration diverged on some seed"
    assert Resplit.from_npz(found.to_npz()).fault == found.fault


WHOLE = """
import numpy as np

FAILS = {fails}

def fit_predict(X_train, y_train, params, seed, X):
    if seed < 1000 and round(float(X_train[0, 0]), 9) in FAILS:
        raise ValueError("none of these rows")
    if seed == 1001 and len(X) > 500:
        raise ValueError("no test")
    weight = (X_train[y_train == 1].mean(axis=0) - X_train[y_train == 0].mean(axis=0)) * params["a"]
    return 1 / (1 + np.exp(-X @ (weight + 0.001 * (seed % 7))))
"""


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 3])
def test_divisions_without_a_sound_configuration_are_left_out_by_name(
    count: int, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data, home = wisconsin(), tmp_path / "home"
    fails = [round(float(split(data, seed=SPLIT + place).train.X[0, 0]), 9) for place in range(count)]
    (tmp_path / "mine.py").write_text(WHOLE.format(fails=fails))
    words = [
        *("study", "--model", f"call:{tmp_path / 'mine.py'}:fit_predict", "--space", "a=0.1..2.0"),
        *("TRIALS=2", "SEEDS=2", "CONFIRM=4", "SPLITS=3", "rehearsal.seeds=2", "rehearsal.levels=2"),
        *("rivals.boosting=0", "OPEN=1", "IDEAL=1", "--unit-timeout", "20"),
    ]
    assert cli(home, *words) == 0
    said = capsys.readouterr().err
    named = ", ".join(str(SPLIT + place) for place in range(count))
    what = f"the search made anew on {count} of 3 fresh divisions (split {named})"
    assert f"Left out: {what}: on split {SPLIT} no configuration was sound on all search seeds" in said
    (lost,) = [line for line in said.splitlines() if "Lost on the test" in line]
    assert "ValueError: no test" in lost

    report = home / "reports" / study_name(home) / "report.json"
    facts = json.loads(report.read_text()) | {"seconds": 0}
    (why,) = [row["why"] for row in facts["left_out"] if row["what"] == what]
    assert "ValueError: none of these rows" in why
    assert what in report.with_name("report.md").read_text()
    assert facts["settings"]["rehearsal"]["ideal"]
    bands = [band for band in facts["bands"] if band["role"] == SEARCHED_ANEW]
    assert {band["n"] for band in bands} == ({2} if count == 1 else set())
    assert len(next(iter((facts["search"]["again"]["anew"] or {"a": []}).values()))) == 3 - count
    assert [(one["role"], one["seed"]) for one in facts["lost"]] == [("winner", 1001)]

    if count == 3:
        return
    before = contents(home / "studies")
    searched = next((home / "studies").glob("*/ideal"))
    shutil.rmtree(searched)  # as if it had been killed after the other divisions
    assert cli(home, *words) == 0
    again = capsys.readouterr().err
    assert lost in again
    assert f"Left out: {what}" in again
    after = contents(home / "studies")
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert all(name.endswith(("seconds.json", "origin.json")) for name in changed)
    assert json.loads(report.read_text()) | {"seconds": 0} == facts
    assert cli(home, "report", "--name", study_name(home)) == 0
    assert json.loads(report.read_text()) | {"seconds": 0} == facts
