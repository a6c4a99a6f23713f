"""Keras behind the same interface: every law, on both engines, in both precisions."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from canonical import report

from handnet import load_backend


def study(home: Path, backend: str) -> dict:
    words = ["TRIALS=4", "DESIGN=sobol", "SEEDS=3", "CONFIRM=4", "DTYPE=float64", "space.learning_rate.high=0.01",
             "space.epochs.high=40", "OPEN=1", "SPLITS=2", "rehearsal.seeds=2", "rehearsal.levels=2", f"BACKEND={backend}"]  # fmt: skip
    command = [sys.executable, "-m", "experiments", "study", "--mlruns", str(home), *words]
    run = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return report(home)


def test_a_study_gives_the_same_report_with_either_backend(tmp_path: Path) -> None:
    """Same points, same winner, every band equal to the printed digit and far beyond."""
    if find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed")
    ours, theirs = study(tmp_path / "numpy", "numpy"), study(tmp_path / "keras", "keras")
    assert (ours["identity"]["backend"], theirs["identity"]["backend"]) == ("numpy", "keras")
    assert (theirs["identity"]["engine"], theirs["identity"]["device"]) == ("tensorflow", "cpu")
    for one, other in zip(ours["search"]["trials"], theirs["search"]["trials"], strict=True):
        assert [one[name] for name in ("learning_rate", "dropout", "epochs")] == [
            other[name] for name in ("learning_rate", "dropout", "epochs")
        ]
        assert one["value"] == pytest.approx(other["value"], rel=1e-7)
    recipes = [facts["configurations"][0]["recipe"] for facts in (ours, theirs)]
    assert recipes[0] == recipes[1]
    assert len(ours["bands"]) == len(theirs["bands"])
    for one, other in zip(ours["bands"], theirs["bands"], strict=True):
        assert (one["role"], one["part"], one["score"], one["kind"]) == (
            other["role"], other["part"], other["score"], other["kind"])  # fmt: skip
        assert (one["low"], one["high"]) == pytest.approx((other["low"], other["high"]), rel=1e-6, abs=1e-9)
    assert ours["statements"] == theirs["statements"]
    assert len(list((tmp_path / "keras").rglob("seed_*.keras"))) == 1
    # Continued, it changes nothing: stored seeds are read, whole stacks are not made again.
    assert study(tmp_path / "keras", "keras") == theirs


TESTS = Path(__file__).parent


@pytest.mark.parametrize("package", ["keras", "tensorflow"])
def test_what_is_not_installed_is_named_with_the_way_to_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handnet.keras_backend.find_spec", lambda name: None if name == package else object())
    sentence = f"the keras backend on tensorflow needs the package {package}, which is not here; make setup installs it"
    with pytest.raises(ValueError, match=sentence):
        load_backend("keras", engine="tensorflow")


def test_a_gpu_that_is_not_there_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    if find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed")
    command = [sys.executable, "-m", "experiments", "study", "--mlruns", str(tmp_path), "BACKEND=keras", "DEVICE=gpu"]
    env = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    run = subprocess.run(command, cwd=TESTS.parent, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.splitlines() == [
        "handnet: device='gpu' was asked for, but tensorflow finds no GPU on this machine; make setup DEVICE=gpu installs "
        "what an NVIDIA GPU needs, device='auto' takes what there is."
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_keras_keeps_the_contract(engine: str, dtype: str) -> None:
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    env = os.environ | {"KERAS_BACKEND": engine, "HANDNET_DTYPE": dtype, "HANDNET_EXAMPLES": "3"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(TESTS / "keras_contract.py")]
    run = subprocess.run(command, cwd=TESTS.parent, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:]
    assert " passed" in run.stdout
