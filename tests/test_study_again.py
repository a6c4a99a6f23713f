"""Models that keep nothing are fitted again: they give what they gave before, and what a report tells of hard
cases is stored."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from studies import cli, stored, study_name

from handnet import split, wisconsin
from handnet.models.model import Failed
from handnet.models.named import make_model
from handnet.study.division import fit_again_on, fit_on
from handnet.study.executor import Threads, in_order
from handnet.study.newcomers import predict_rows
from handnet.study.reading import read

FOREST = "sklearn:sklearn.ensemble.RandomForestClassifier"
STUDY = [
    "study",
    *("--model", FOREST, "--space", "max_depth=2..6", "--fixed", "n_estimators=10"),
    *("TRIALS=2", "SEEDS=2", "CONFIRM=4", "SPLITS=4", "rehearsal.seeds=2", "rehearsal.levels=2", "OPEN=1"),
]


def test_a_fit_made_again_on_a_division_gives_what_it_gave_or_fails() -> None:
    data, model = wisconsin(), make_model(FOREST)
    on = data.digest, read({}), model, {"n_estimators": 3}, 5
    parts = split(data, seed=5)
    X = parts.scaled(data.X[parts.test_rows])
    with Threads(1, 1) as workers:
        workers.hold(data.digest, data)
        before, other = in_order(workers, [(fit_on, *on, 1), (fit_on, *on, 2)])
        (again,) = in_order(workers, [(fit_again_on, *on, 1, before, X[::-1])])
        assert np.array_equal(again, before[:, ::-1])
        with pytest.raises(Failed, match="gave other outputs for the same rows"):
            list(in_order(workers, [(fit_again_on, *on, 1, other, X)]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("forest")
    assert cli(home, *STUDY) == 0
    return home


@pytest.mark.long
def test_reasons_of_a_forest_are_stored_and_made_again_where_they_are_lost(home: Path) -> None:
    name = study_name(home)
    report, reasons = home / "reports" / name / "report.json", home / "studies" / name / "reasons"
    facts = json.loads(report.read_text())
    assert facts["stories"]
    assert all(story["own"]["logit"]["n"] == 4 for story in facts["stories"])
    assert len(list(reasons.iterdir())) == 1 + 4  # the study's own division, and the fresh ones
    case = facts["stories"][0]["case"]
    assert cli(home, "case", "--id", case, "--name", name) == 0
    assert "What carried it" in (home / "reports" / name / f"case-{case}.html").read_text()

    shutil.rmtree(reasons)
    assert cli(home, "report", "--name", name) == 0
    without = json.loads(report.read_text())
    assert without["stories"] == []
    (told,) = [row["why"] for row in without["left_out"] if row["what"] == "reasons of hard cases"]
    assert told == "they take 8 fits made again, which are made where the study goes on"
    assert without["missed"] == facts["missed"]

    assert cli(home, *STUDY) == 0
    again = json.loads(report.read_text())
    assert again["stories"] == facts["stories"]
    assert again["left_out"] == facts["left_out"]


@pytest.mark.long
def test_a_forest_says_of_new_rows_what_it_said_of_the_test(home: Path) -> None:
    data = wisconsin()
    new = pd.DataFrame(data.X, columns=list(data.feature_names)).iloc[split(data).test_rows]
    first = new.index[0]
    new.loc[first, "mean radius"] = np.nan
    rows = predict_rows(study_name(home), home, new).rows
    mean = expit(stored(home, "winner")[1]).mean(axis=0)
    assert np.array_equal(rows["mean"].iloc[1:], mean[1:])
    assert rows["mean"].isna().tolist() == [True, *[False] * (len(new) - 1)]
