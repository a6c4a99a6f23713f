"""The project's own studies as results: what their stores hold, to the bit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from canonical import commit, results
from scipy.stats import t
from sklearn.datasets import make_classification
from studies import cli, stored, study_name

from handnet import split, wisconsin
from handnet.predictions.form import SPLIT
from handnet.predictions.own import from_study


def test_a_study_gives_what_its_files_hold(finished: Path) -> None:
    ours, parts = from_study(study_name(finished), finished), split(wisconsin())
    assert ours.classes == wisconsin().class_names
    for role in ("winner", "chapter"):
        val, test = stored(finished, role)
        for part, outputs, rows in (("val", val, parts.val_rows), ("test", test, parts.test_rows)):
            one = ours.of(role, part)[SPLIT]
            assert np.array_equal(one.outputs, outputs)
            assert one.outputs.dtype == np.float64
            assert one.seeds == ("1000", "1001", "1002")
            assert one.cases.ids.tolist() == [str(row) for row in rows]
            assert np.array_equal(one.cases.y, wisconsin().y[rows])
    assert ours.of("winner")[SPLIT].cases.others == 569 - 114
    assert ours.of("winner", "val")[SPLIT].cases.ratio is None
    rival = ours.of("logistic regression")[SPLIT]
    assert (rival.seeds, rival.outputs.shape) == ((), (1, 114))


def test_each_fresh_division_is_one_that_its_seed_names(finished: Path) -> None:
    ours, files = from_study(study_name(finished), finished), results(finished)
    keys = [key for key in commit(finished)["resplits"] if key.startswith("split/")]
    assert len(keys) == 3
    for key in keys:
        seed = key.rpartition("/")[2]
        ids = split(wisconsin(), seed=int(seed)).test_rows.astype(str).tolist()
        for place, role in enumerate(files[key]["roles"]):
            one = ours.of(str(role))[seed]
            assert np.array_equal(one.outputs, files[key][f"logits_{place}"])
            assert one.cases.ids.tolist() == ids
            assert one.cases.ratio == files[key]["ratio"]
    assert ours.of("winner")[seed].seeds == ("100000", "100001")
    assert ours.of("searched anew").keys() == {key.rpartition("/")[2] for key in keys}


def test_the_ledger_says_how_often_the_test_was_opened(finished: Path, unopened: Path) -> None:
    opened = from_study(study_name(finished), finished).opened
    assert "this was opening 1 of these test rows" in opened
    assert "0 of the 114 cases were in a test opened before" in opened
    sealed = from_study(study_name(unopened), unopened)
    assert sealed.parts == ("val",)
    assert "sealed" in sealed.opened


UNLUCKY = """
import numpy as np

def fit_predict(X_train, y_train, params, seed, X):
    if seed in (1001, 100001):
        raise ValueError("unlucky")
    return np.clip(0.5 + X[:, 0] / 9 + np.random.default_rng(seed).normal(0, 0.1, len(X)), 0.01, 0.99)
"""
SEEDLESS = {"winner", "near", "searched anew"}  # nothing in them is random


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of models without a seed, of one that loses a seed, of one whose seeds agree, and of mlp."""
    home = tmp_path_factory.mktemp("mixed")
    X, y = make_classification(120, 4, n_informative=3, n_redundant=0, random_state=0)
    pd.DataFrame(X, columns=list("abcd")).assign(y=y).to_csv(home / "table.csv", index=False)
    (home / "unlucky.py").write_text(UNLUCKY)
    models = {
        "nb": "sklearn:sklearn.naive_bayes.GaussianNB",
        "near": "sklearn:sklearn.neighbors.KNeighborsClassifier",
        "unlucky": f"call:{home / 'unlucky.py'}:fit_predict",
        "alike": "sklearn:sklearn.linear_model.LogisticRegression",
    }
    named = [word for name, source in models.items() for word in ("--model", f"{name}={source}")]
    table = f"DATA={home / 'table.csv'}", "TARGET=y", "POSITIVE=1"
    few = "TRIALS=1", "SEEDS=2", "CONFIRM=3", "SPLITS=3", "IDEAL=1", "rivals.boosting=0", "OPEN=1"
    rehearsal = "rehearsal.seeds=2", "rehearsal.levels=2", "space.epochs.high=12"
    assert cli(home, "study", *table, *named, "--model", "mlp", *few, *rehearsal) == 0
    return home


@pytest.mark.long
def test_a_model_without_a_seed_has_none_on_any_division(mixed: Path) -> None:
    ours = from_study(study_name(mixed), mixed)
    assert {"winner", "near", "unlucky", "alike", "mlp", "searched anew"} < {*ours.models}
    for one in ours.predicted:
        seedless = one.model in SEEDLESS | {"logistic regression", "majority class"}
        seeds = ("1000", "1001", "1002") if one.cases.split == SPLIT else ("100000", "100001")
        assert one.seeds == (() if seedless else seeds), (one.model, one.cases.split)
        assert len(one.outputs) == max(len(one.seeds), 1)
        lost = np.isnan(one.outputs).all(axis=1)
        assert [bool(gone) for gone in lost] == [
            one.model == "unlucky" and seed in ("1001", "100001") for seed in one.seeds or ("",)
        ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "second"),
    [("winner", "near"), ("mlp", "near"), ("near", "unlucky"), ("alike", "winner"), ("alike", "unlucky")],
)
def test_models_with_and_without_seeds_are_compared(mixed: Path, first: str, second: str) -> None:
    """The corrected t test of Nadeau and Bengio over the divisions, from the stored outputs."""
    name, ours = study_name(mixed), from_study(study_name(mixed), mixed)
    assert cli(mixed, "compare", name, first, second) == 0
    facts = json.loads((mixed / "reports" / name / "compare.json").read_text())
    (row,) = (one for one in facts["comparisons"][0]["over_splits"] if one["score"] == "accuracy")
    d = []
    for seed in ("100000", "100001", "100002"):
        a, b = (ours.of(role)[seed] for role in (first, second))
        a_of, b_of = (((one.outputs > 0) == one.cases.y).mean(axis=1) for one in (a, b))
        known, there = (np.isfinite(one.outputs).all(axis=1) for one in (a, b))
        if a.seeds and b.seeds:
            known = there = known & there
        a_of, b_of = a_of[known], b_of[there]
        d.append(a_of.mean() - b_of.mean())
    error = np.std(d, ddof=1) * np.sqrt(1 / 3 + 24 / 96)
    assert row["difference"]["centres"]["mean"] == pytest.approx(np.mean(d), abs=1e-12)
    assert row["p"] == pytest.approx(2 * t.sf(abs(np.mean(d)) / error, 2), abs=1e-9)
    assert cli(mixed, "gate", name, "--baseline", first, "--candidate", second, "--margin", "0.01") in (0, 1)


@pytest.mark.long
def test_every_verb_takes_a_study_of_models_without_seeds(mixed: Path) -> None:
    for verb in ("bands", "compare"):
        assert cli(mixed, verb, study_name(mixed)) == 0
    facts = json.loads((mixed / "reports" / study_name(mixed) / "bands.json").read_text())
    over_seeds = {one["role"] for one in facts["bands"] if one["varied"] == "seeds"}
    assert {"unlucky", "alike", "mlp"} <= over_seeds
    assert not over_seeds & {*SEEDLESS}
