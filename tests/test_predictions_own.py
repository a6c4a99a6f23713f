"""The project's own studies as results: what their stores hold, to the bit."""

from pathlib import Path

import numpy as np
from canonical import commit, results
from studies import stored, study_name

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
