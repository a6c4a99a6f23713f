"""Whole studies of many classes and of a number: sealed, killed, moved, and recomputed from their files."""

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from canonical import commit, digest, networks, report
from scipy.special import softmax
from sklearn import metrics
from studies import OTHER, cli, command, stored

from handnet.data import DATASETS
from handnet.draws import generator
from handnet.splits import split

TABLES = ("wine", "diabetes")
OPEN = [*OTHER, "OPEN=1"]


@pytest.mark.long
@pytest.mark.parametrize("table", TABLES)
def test_sealed_rows_decide_nothing_before_the_opening(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed measurements replaced by noise, ids and targets kept: what was trained is equal to the bit."""
    data = DATASETS[table]()
    X, rows = data.X.copy(), split(data).test_rows
    X[rows] = generator(3, 0).normal(1e2, 1e3, X[rows].shape)
    assert cli(tmp_path / "plain", "study", f"DATA={table}", *OTHER) == 0
    monkeypatch.setitem(DATASETS, table, lambda: replace(data, X=X))
    assert cli(tmp_path / "noise", "study", f"DATA={table}", *OTHER) == 0
    for kind in ("network", "val"):
        plain, noise = (
            sorted(path.read_bytes() for path in (tmp_path / home).glob(f"studies/*/{kind}/**/*.npz"))
            for home in ("plain", "noise")
        )
        assert plain == noise
        assert plain
    bands = [report(tmp_path / home)["bands"] for home in ("plain", "noise")]
    assert bands[0] == bands[1]


@pytest.mark.long
def test_killed_and_continued_equals_undisturbed(task: tuple[str, Path], tmp_path: Path) -> None:
    """A real process, killed as soon as it has stored some networks, again and again."""
    table, undisturbed = task
    for reached in (1, 3, 5):
        child = subprocess.Popen(
            command(tmp_path, "study", f"DATA={table}", *OPEN),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 120
        while len(list(tmp_path.glob("studies/*/*/**/*.npz"))) < reached and child.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    assert cli(tmp_path, "study", f"DATA={table}", *OPEN) == 0
    assert digest(tmp_path) == digest(undisturbed)


@pytest.mark.long
def test_a_study_is_the_same_on_processes(task: tuple[str, Path], tmp_path: Path) -> None:
    table, home = task
    assert cli(tmp_path, "study", f"DATA={table}", *OPEN, "EXECUTOR=processes", "WORKERS=2") == 0
    assert digest(tmp_path) == digest(home)


def test_the_scores_are_scikit_learns_on_the_stored_outputs(task: tuple[str, Path]) -> None:
    table, home = task
    data = DATASETS[table]()
    y, (_, outputs) = data.y[split(data).test_rows], stored(home, "winner")
    if data.class_names:
        called = outputs.argmax(axis=-1)
        p = softmax(outputs.astype(np.float64), axis=-1)
        expected = {
            "accuracy": [metrics.accuracy_score(y, row) for row in called],
            "balanced_accuracy": [metrics.balanced_accuracy_score(y, row) for row in called],
            "macro_f1": [metrics.f1_score(y, row, average="macro", zero_division=0) for row in called],
            "log_loss": [metrics.log_loss(y, row) for row in p],
            "auc": [metrics.roc_auc_score(y, row, multi_class="ovr") for row in p],
        }
    else:
        assert y.std() > 50  # in the unit of the target, not scaled
        expected = {
            "rmse": [metrics.root_mean_squared_error(y, row) for row in outputs],
            "mae": [metrics.mean_absolute_error(y, row) for row in outputs],
            "r2": [metrics.r2_score(y, row) for row in outputs],
        }
    bands = {
        band["score"]: band["centres"]["mean"]
        for band in report(home)["bands"]
        if (band["role"], band["part"], band["kind"]) == ("winner", "test", "min-max")
    }
    for name, values in expected.items():
        assert bands[name] == pytest.approx(np.mean(values), rel=1e-6), name


def test_the_networks_are_what_the_reference_makes_of_the_stored_configuration(
    task: tuple[str, Path], tmp_path: Path
) -> None:
    """The compiled backend against the network by hand, in a study of the same settings."""
    table, home = task
    assert cli(tmp_path, "study", f"DATA={table}", *OPEN, "BACKEND=numpy") == 0
    mine, theirs = (
        {seed: arrays["val_logits"] for (_, seed), arrays in networks(one).items() if seed >= 1000}
        for one in (home, tmp_path)
    )
    same = [one["params"] for one in commit(home)["frozen"] if one["params"]] == [
        one["params"] for one in commit(tmp_path)["frozen"] if one["params"]
    ]
    assert same
    assert mine.keys() == theirs.keys()
    for seed, outputs in mine.items():
        assert outputs == pytest.approx(theirs[seed], rel=1e-2, abs=float(1e-2 * np.std(outputs))), seed
