"""Whole studies through the real command line, on the real data, with real stores."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from canonical import digest, ledger, models, networks, report, results, runs, trials
from scipy.special import expit
from studies import SMALL, TINY, cli, run_id_of, stored, study_name

from handnet import Dataset, split
from handnet.splits import Split
from handnet.study import units


def test_everything_is_written_exactly_once(finished: Path) -> None:
    kinds = [key.split("/")[0] for key in results(finished)]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "network": 4 + 3,  # one block of seeds for each configuration
        "val": 3,  # the methods without seeds
        "test": 3 + 3,
        "split": 3,
        "ideal": 3,
        "streams": 1,
    }
    assert len(networks(finished)) == 4 * 2 + 3 * 3
    assert [trial["place"] for trial in trials(finished)] == [0, 1, 2, 3]
    assert [event["event"] for event in ledger(finished)] == ["opened", "rehearsed", "graded"]
    assert not [path for path in finished.rglob(".*") if path.name != ".lock"]


def test_a_second_run_trains_and_changes_nothing(
    opened: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "train_here", lambda *_: pytest.fail("a network was trained again"))

    def state() -> tuple:
        pages = [(p.name, p.stat().st_mtime_ns) for p in sorted((opened / "reports").rglob("*.*"))]
        results = [(p.name, p.stat().st_mtime_ns) for p in sorted((opened / "studies").rglob("*.npz"))]
        return digest(opened), pages, results

    before = state()
    assert cli(opened, "study", *SMALL, "OPEN=1") == 0
    assert cli(opened, "study", *SMALL) == 0  # opened is opened, asked for or not
    assert state() == before
    assert "opening 1 of these rows in this folder's ledger (1 so far" in capsys.readouterr().out


def test_the_one_model_belongs_to_the_winner(finished: Path) -> None:
    ((key, same_experiment),) = models(finished)
    assert key.startswith("confirm/winner/")
    assert same_experiment


def test_what_a_killed_writer_left_is_removed(sealed: Path, capsys: pytest.CaptureFixture) -> None:
    (study,) = (sealed / "studies").iterdir()
    before = digest(sealed)
    (study / "network" / "0123456789abcdef").mkdir()
    (study / "network" / "0123456789abcdef" / ".0-7.npz.new").write_bytes(b"half of it")
    (study / ".running").touch()
    assert cli(sealed, "study", *SMALL) == 0
    assert "Going on with a study that was interrupted" in capsys.readouterr().err
    assert digest(sealed) == before
    assert not list(study.rglob(".*"))
    assert cli(sealed, "study", *SMALL) == 0
    assert "interrupted" not in capsys.readouterr().err


def test_the_report_and_its_figures_lie_beside_the_winner(finished: Path) -> None:
    key = next(key for key in runs(finished) if key.startswith("confirm/winner/"))
    (attached,) = (finished / "tracking/artifacts").rglob(f"{run_id_of(finished, key)}/artifacts/report")
    for page in (finished / "reports").rglob("report.*"):
        assert (attached / page.name).read_bytes() == page.read_bytes()
    pictures = {one.name: one.read_text() for one in attached.glob("*.svg")}
    assert {
        "forest.svg",
        "every-seed.svg",
        "history.svg",
        "calibration.svg",
        "the-gap-between-train-and-validation.svg",
    } <= set(pictures)
    assert not any(
        "currentColor" in text for text in pictures.values()
    )  # there is no page whose colours they could take
    assert len(list((finished / "tracking/artifacts").rglob("report.html"))) == 1


def test_damaged_results_are_made_again(sealed: Path, capsys: pytest.CaptureFixture) -> None:
    before = digest(sealed)
    name = next((sealed / "reports").iterdir()).name
    paths = sorted((sealed / "studies").glob("*/network/*/*.npz"))
    for path in (paths[0], paths[-1]):
        path.write_bytes(path.read_bytes()[:2000])
    assert cli(sealed, "report", f"NAME={name}") == 1
    assert f"are damaged; make study MLRUNS={sealed} makes them again" in capsys.readouterr().err
    assert cli(sealed, "study", *SMALL) == 0
    assert digest(sealed) == before


def test_a_seed_run_holds_its_curves_and_its_gap(finished: Path) -> None:
    key, run = next((key, run) for key, run in runs(finished).items() if key.startswith("seed/"))
    names = {name for name, *_ in run["metrics"]}
    assert {"loss/train_loss_off", "loss/val_loss", "gap/gap", "gap/gap_keras", "val/accuracy"} <= names
    assert dict(run["tags"])["config_id"] == key.split("/")[1]


def test_a_study_may_grow_before_the_opening(sealed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = trials(sealed)
    assert cli(sealed, "study", *SMALL, "TRIALS=5", "CONFIRM=4") == 0
    assert trials(sealed)[:4] == before
    at_once = tmp_path_factory.mktemp("at-once")
    assert cli(at_once, "study", *SMALL, "TRIALS=5", "CONFIRM=4") == 0
    assert trials(at_once) == trials(sealed)
    assert report(at_once)["bands"] == report(sealed)["bands"]


def test_other_settings_under_the_same_name_are_refused(sealed: Path, capsys: pytest.CaptureFixture) -> None:
    name = next((sealed / "reports").iterdir()).name
    before = digest(sealed)
    assert cli(sealed, "study", *SMALL, "space.dropout.high=0.4", f"NAME={name}") == 2
    assert "give this one a name of its own" in capsys.readouterr().err
    assert digest(sealed) == before


@pytest.mark.long
def test_a_study_in_which_most_trials_diverge_still_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    deep = [f"network.hidden={[64] * 20}", "space.learning_rate.high=10", "space.learning_rate.log=false"]
    words = ["DESIGN=sobol", "TRIALS=8", "SEEDS=3", "CONFIRM=2", "space.epochs.high=12", *deep]
    assert cli(tmp_path, "study", *words) == 0
    facts = report(tmp_path)
    values = [row["value"] for row in facts["search"]["trials"]]
    assert 4 <= values.count(None) < 8
    assert all(row["diverged"] > 0 for row in facts["search"]["trials"] if row["value"] is None)
    assert cli(tmp_path / "all", "study", *words, "space.learning_rate.low=8") == 1
    assert "diverged on some seed, so there is nothing to confirm" in capsys.readouterr().err


def test_the_winners_model_loads_elsewhere_and_says_the_same(
    finished: Path, data: Dataset, parts: Split, tmp_path: Path
) -> None:
    (model,) = (p.parent for p in finished.rglob("MLmodel"))
    kinds = {path.suffix for path in model.rglob("*") if path.is_file()}
    assert not kinds & {".pkl", ".pickle", ".joblib", ".cloudpickle"}
    code = (
        "import sys, mlflow, pandas as pd; from sklearn.datasets import load_breast_cancer as l; d = l();"
        "X = pd.DataFrame(d.data, columns=d.feature_names);"
        f"mlflow.pyfunc.load_model({str(model)!r}).predict(X).to_csv(sys.argv[1], index=False)"
    )
    out = tmp_path / "p.csv"
    env = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "PYTHONPATH": ""}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(out)],
        check=True,
        cwd=tmp_path,
        env=env,
        capture_output=True,
    )
    served = np.loadtxt(out, delimiter=",", skiprows=1)
    p = expit(stored(finished, "winner")[0].astype(float))
    assert np.abs(served[parts.val_rows, 0] - p.mean(axis=0)).max() < 1e-6
    assert np.abs(served[parts.val_rows, 1] - np.quantile(p, 0.025, axis=0)).max() < 1e-6


def test_the_split_is_the_one_the_report_names(finished: Path, data: Dataset) -> None:
    facts = report(finished)
    assert facts["split"]["digest"] == split(data).digest
    assert {part: one["cases"] for part, one in facts["split"]["parts"].items()} == {
        "train": 341,
        "val": 114,
        "test": 114,
    }


def test_a_study_of_another_arithmetic_is_read_and_not_continued(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored is exact wherever it is read; what is trained elsewhere would differ in last bits."""
    home = Path(shutil.copytree(tiny, tmp_path / "home"))
    name, before = study_name(home), digest(home)
    monkeypatch.setattr("handnet.study.study.arithmetic_digest", lambda *_: "0123456789abcdef")
    assert cli(home, "report", f"NAME={name}") == 0
    assert digest(home) == before
    capsys.readouterr()
    assert cli(home, "study", *TINY, "OPEN=1", f"NAME={name}") == 2
    err = capsys.readouterr().err
    assert "was begun on a processor of other arithmetic (probe " in err
    assert "here 01234567)" in err
    assert digest(home) == before


def test_the_report_names_every_machine_a_study_was_made_on(
    sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = report(sealed)["machines"]
    monkeypatch.setattr("handnet.study.study.machine", lambda: "another, openblas 1")
    assert cli(sealed, "study", *SMALL) == 0
    assert report(sealed)["machines"] == [first, "another, openblas 1"]
    page = next((sealed / "reports").rglob("report.md")).read_text()
    assert "machines, in turn, whose arithmetic agrees: " in page


def test_a_value_that_its_networks_do_not_give_is_refused(
    sealed: Path, capsys: pytest.CaptureFixture
) -> None:
    (path,) = (sealed / "studies").glob("*/trials.jsonl")
    lines = path.read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "value": 0.01})
    path.write_text("\n".join(lines) + "\n")
    for words in (["report", f"NAME={study_name(sealed)}"], ["study", *SMALL]):
        assert cli(sealed, *words) == 1
        assert "trials.jsonl, line 3 is not what its networks give; restore" in capsys.readouterr().err
    assert not list(sealed.rglob(".running"))  # a study that was refused was not interrupted
