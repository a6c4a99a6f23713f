"""Whole studies of models that are not the network by hand: what is stored and told is what a loop by hand
gives."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from studies import cli, contents, stored, study_name

import handnet.study.study
from handnet import Refusal, split, wisconsin
from handnet.study.chosen_models import with_models
from handnet.study.configuration import Candidate, configure
from handnet.study.executor import Threads
from handnet.study.given_models import Chosen
from handnet.study.identity import make_problem
from handnet.study.options import settings_and_table
from handnet.study.records import Records
from handnet.study.screen import Clock, Screen
from handnet.study.store import Store
from handnet.study.study import Study
from handnet.study.training import Trainer

SEEDS = 4
STUDY = [
    "study",
    *("--model", "sklearn:sklearn.ensemble.RandomForestClassifier"),
    *("--model", "near=sklearn:sklearn.neighbors.KNeighborsClassifier"),
    *("--model", "alike=sklearn:sklearn.linear_model.LogisticRegression"),
    *("--fixed", "RandomForestClassifier.n_estimators=5", "--space", "RandomForestClassifier.max_depth=2..6"),
    *("TRIALS=2", "SEEDS=2", f"CONFIRM={SEEDS}", "SPLITS=2", "rehearsal.seeds=2", "rehearsal.levels=2"),
    *("rivals.boosting=0", "OPEN=1"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handnet.study.study, "workers_of", lambda _request: Threads(1, 1))
        assert cli(home, *STUDY) == 0
    return home


@pytest.fixture(scope="module")
def facts(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "reports" / study_name(home) / "report.json").read_text())
    return found


def bands(facts: dict[str, Any], role: str, score: str) -> list[dict[str, Any]]:
    """Those on the test."""
    found = (one for one in facts["bands"] if (one["role"], one["score"]) == (role, score))
    return [one for one in found if one["part"] == "test"]


def configuration(facts: dict[str, Any], role: str) -> dict[str, Any]:
    (one,) = (one for one in facts["configurations"] if one["role"] == role)
    return dict(one)


@pytest.mark.long
def test_the_bands_of_a_forest_are_those_of_a_loop_over_random_state(
    home: Path, facts: dict[str, Any]
) -> None:
    data = wisconsin()
    parts = split(data)
    X, y = parts.scaled(data.X[parts.test_rows]), data.y[parts.test_rows]
    first, _, count = configuration(facts, "winner")["seeds"]
    assert count == SEEDS
    val, test = [], []
    for seed in range(first, first + count):
        forest = RandomForestClassifier(**configuration(facts, "winner")["recipe"], random_state=seed)
        forest.fit(parts.train.X, parts.train.y)
        val.append(forest.predict_proba(parts.val.X)[:, 1])
        test.append(forest.predict_proba(X)[:, 1])
    on_val, on_test = stored(home, "winner")
    # A probability of 0 or 1 is stored as 1e-12 or 1 less that.
    assert expit(on_val) == pytest.approx(np.array(val), abs=1.01e-12)
    assert expit(on_test) == pytest.approx(np.array(test), abs=1.01e-12)
    scores = {
        "accuracy": [accuracy_score(y, p > 0.5) for p in test],
        "log_loss": [log_loss(y, np.clip(p, 1e-12, 1 - 1e-12)) for p in test],
    }
    for score, values in scores.items():
        over = {one["kind"]: one for one in bands(facts, "winner", score) if one["varied"] == "seeds"}
        assert over["quantiles"]["centres"]["mean"] == pytest.approx(np.mean(values))
        ends = over["quantiles"]["low"], over["quantiles"]["high"]
        assert ends == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
        assert over["min-max"]["low"] == pytest.approx(min(values))


@pytest.mark.long
def test_a_model_without_a_seed_has_bands_over_cases_and_divisions_alone(facts: dict[str, Any]) -> None:
    data = wisconsin()
    parts = split(data)
    near = KNeighborsClassifier().fit(parts.train.X, parts.train.y)
    p = near.predict_proba(parts.scaled(data.X[parts.test_rows]))[:, 1]
    right = (p > 0.5) == data.y[parts.test_rows]
    found = bands(facts, "near", "accuracy")
    assert found
    assert not [one for one in facts["bands"] if one["role"] == "near" and "seed" in one["varied"]]
    (wilson,) = (one for one in found if one["kind"] == "wilson")
    assert wilson["centres"] == pytest.approx({"share": right.mean()})
    by_statsmodels = proportion_confint(right.sum(), len(right), method="wilson")
    assert (wilson["low"], wilson["high"]) == pytest.approx(by_statsmodels)
    assert configuration(facts, "near")["seeds"][2] == 1
    (pair,) = (one for one in facts["comparisons"] if (one["ours"], one["theirs"]) == ("winner", "near"))
    assert [one["difference"]["n"] for one in pair["over_splits"] if one["decides"]] == [2]
    assert pair["on_test"]
    assert "of the test cases right than near" in facts["verdict"]
    reasons = {one["what"]: one["why"] for one in facts["left_out"] if "near" in one["why"]}
    assert reasons["bands over seeds"] == "near has no random_state and takes no seed, so it is trained once"


@pytest.mark.long
def test_seeds_that_change_nothing_are_told_as_such(home: Path, facts: dict[str, Any]) -> None:
    on_val, _ = stored(home, "alike")
    assert (on_val == on_val[0]).all()
    said = "All 4 seeds of alike gave the same outputs to the bit, so its bands over seeds have no width."
    assert said in facts["statements"]
    assert not [one for one in facts["statements"] if one.startswith("All 4 seeds of the winner")]
    assert [one["role"] for one in facts["configurations"] if one["alike"]] == ["alike"]


@pytest.mark.long
def test_holm_over_all_pairs_of_three_models_is_statsmodels(facts: dict[str, Any]) -> None:
    """Two families over divisions, what the verdict is worded on and what describes, and one on the test."""
    rivals = ("logistic regression", "near", "alike")
    pairs = facts["comparisons"]
    assert [(one["ours"], one["theirs"]) for one in pairs if one["ours"] == "near"][-1] == ("near", "alike")
    families: dict[str, list[dict[str, Any]]] = {"verdict": [], "described": [], "test": []}
    for pair in pairs:
        for row in pair["over_splits"]:
            worded = row["decides"] and pair["ours"] == "winner" and pair["theirs"] in rivals
            families["verdict" if worded else "described"] += [row]
        families["test"] += [one for one in [(pair["on_test"] or {}).get("auc")] if one]
    for family in families.values():
        tested = [row for row in family if row["p"] is not None]
        assert len(tested) > 1
        by_holm = multipletests([row["p"] for row in tested], method="holm")[1]
        assert [row["p_holm"] for row in tested] == pytest.approx(list(by_holm))


@pytest.mark.long
def test_a_second_call_trains_nothing_and_tells_the_same(home: Path, facts: dict[str, Any]) -> None:
    class Idle(Threads):
        def submit(self, function: Any, *arguments: Any) -> Any:
            raise AssertionError(f"{function}{arguments} was called")

    before = contents(home / "studies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handnet.study.study, "workers_of", lambda _request: Idle(1, 1))
        assert cli(home, *STUDY) == 0
    after = contents(home / "studies")
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert all(name.endswith(("seconds.json", "origin.json")) for name in changed)
    path = home / "reports" / study_name(home) / "report.json"
    assert json.loads(path.read_text()) | {"seconds": 0} == facts | {"seconds": 0}
    assert cli(home, "report", "--name", study_name(home)) == 0
    assert json.loads(path.read_text()) | {"seconds": 0} == facts | {"seconds": 0}


def guess(X_train: Any, y_train: Any, params: Any, X: Any) -> Any:
    return np.random.random(len(X))  # noqa: NPY002 - its fault


class Jitter(TransformerMixin, BaseEstimator):
    """A step without a random_state that draws."""

    def fit(self, X: Any, _y: Any = None) -> "Jitter":
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        return X + np.random.normal(size=X.shape)  # noqa: NPY002 - its fault


@pytest.mark.parametrize(
    ("model", "random"),
    [(guess, True), (make_pipeline(Jitter(), GaussianNB()), True), (KNeighborsClassifier(), False)],
    ids=["function", "step", "sound"],
)
def test_what_is_random_without_a_seed_is_refused_when_it_is_confirmed(
    model: Any, random: bool, tmp_path: Path
) -> None:
    tables, objects = Chosen(model).models()
    settings, data = settings_and_table({"confirm.seeds": "6"}, None, models=tables)
    settings, made = with_models(settings, data, objects)
    problem = make_problem(settings, data)
    store = Store(tmp_path, "study", writing=True)
    with Threads(1, 1) as workers:
        trainer = Trainer(Records("study", "f", settings, problem), store, workers, Clock(0.0), models=made)
        frozen = [Candidate("winner", configure(settings, *made, {}))]
        study: Any = SimpleNamespace(settings=settings, screen=Screen(), trainer=trainer)
        if random:
            with pytest.raises(
                Refusal, match="takes a seed, but two seeds gave other outputs, so nothing was"
            ):
                Study.confirm(study, frozen)
        else:
            assert Study.confirm(study, frozen)[0].seeds == (settings.confirm_seeds[0],)
