"""Keras behind the same interface: every law, on both engines and in both precisions."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from canonical import report

from handnet import load_backend
from handnet.mlp import engine


def study(home: Path, backend: str) -> dict:
    words = [
        "TRIALS=4",
        "DESIGN=sobol",
        "SEEDS=3",
        "CONFIRM=4",
        "DTYPE=float64",
        "DEVICE=cpu",
        "space.learning_rate.high=0.01",
        "space.epochs.high=40",
        "OPEN=1",
        "SPLITS=2",
        "rehearsal.seeds=2",
        "rehearsal.levels=2",
        f"BACKEND={backend}",
        "SETTINGS=experiments/study.toml",
    ]
    command = [sys.executable, "-m", "handnet", "study", "--mlruns", str(home), *words]
    run = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return report(home)


@pytest.mark.long
def test_a_study_gives_the_same_report_with_either_backend(tmp_path: Path) -> None:
    """Same points, same winner, every band equal to the printed digit and far beyond."""
    if find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed")
    ours, theirs = study(tmp_path / "numpy", "numpy"), study(tmp_path / "keras", "keras")
    assert (ours["identity"]["backend"], theirs["identity"]["backend"]) == ("numpy", "keras")
    assert (theirs["identity"]["engine"], theirs["identity"]["device"]) == ("tensorflow", "cpu")
    for one, other in zip(ours["search"]["trials"], theirs["search"]["trials"], strict=True):
        assert one["params"] == other["params"]
        assert one["value"] == pytest.approx(other["value"], rel=1e-7)
    recipes = [facts["configurations"][0]["recipe"] for facts in (ours, theirs)]
    assert recipes[0] == recipes[1]
    assert len(ours["bands"]) == len(theirs["bands"])
    for one, other in zip(ours["bands"], theirs["bands"], strict=True):
        assert (one["role"], one["part"], one["score"], one["kind"]) == (
            other["role"],
            other["part"],
            other["score"],
            other["kind"],
        )
        assert (one["low"], one["high"]) == pytest.approx((other["low"], other["high"]), rel=1e-6, abs=1e-9)
    assert ours["statements"] == theirs["statements"]
    assert len(list((tmp_path / "keras").rglob("seed_*.keras"))) == 1
    # Continued, it changes nothing: stored seeds are read, whole stacks are not made again.
    assert study(tmp_path / "keras", "keras") == theirs


TESTS = Path(__file__).parent


@pytest.mark.parametrize("package", ["keras", "tensorflow"])
def test_what_is_not_installed_is_named_with_the_way_to_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.mlp.engine.find_spec", lambda name: None if name == package else object())
    sentence = (
        f"the keras backend on tensorflow needs the package {package}, which is not here; pip install"
        r' "handnet\[keras\]" adds it'
    )
    with pytest.raises(ValueError, match=sentence):
        load_backend("keras", engine="tensorflow")


def test_a_gpu_that_is_not_there_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    if find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed")
    command = [
        sys.executable,
        "-m",
        "handnet",
        "study",
        "--mlruns",
        str(tmp_path),
        "BACKEND=keras",
        "DEVICE=gpu",
    ]
    env = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    run = subprocess.run(command, cwd=TESTS.parent, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.splitlines() == [
        "handnet: device='gpu' was asked for, but tensorflow finds no GPU on this machine; pip install"
        ' "tensorflow[and-cuda]" (in a checkout: make setup DEVICE=gpu) adds what an NVIDIA GPU needs,'
        " device='auto' takes what there is."
    ]
    assert list(tmp_path.iterdir()) == []


class Stub:
    """As much of tf.config as asks about GPUs; it writes down in which order."""

    def __init__(self, gpus: list[str], *, started: bool = False) -> None:
        self.calls: list[str] = []
        self.gpus, self.started, self.experimental = gpus, started, self

    def list_physical_devices(self, kind: str) -> list[str]:
        self.calls.append(f"physical {kind}")
        return self.gpus

    def list_logical_devices(self, *_: object, **__: object) -> list[str]:
        raise AssertionError("this starts TensorFlow")

    def set_memory_growth(self, gpu: str, enable: bool) -> None:
        if self.started:
            raise RuntimeError("Physical devices cannot be modified after being initialized")
        self.calls.append(f"growth {gpu} {enable}")

    def enable_tensor_float_32_execution(self, enabled: bool) -> None:
        self.calls.append(f"tf32 {enabled}")


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch):
    def planted(stub: Stub) -> Stub:
        monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=stub))
        return stub

    return planted


@pytest.mark.parametrize("asked", ["auto", "gpu"])
def test_a_gpu_of_tensorflow_is_shared_and_exact_before_anything_starts_it(asked: str, plant) -> None:
    stub = plant(Stub(["one", "two"]))
    assert engine.find_device(asked, "tensorflow") == "gpu"
    assert stub.calls == ["physical GPU", "growth one True", "growth two True", "tf32 False"]


def test_a_gpu_that_tensorflow_has_taken_already_is_refused_in_a_sentence(plant) -> None:
    plant(Stub(["one"], started=True))
    with pytest.raises(
        ValueError, match="but TensorFlow has started in this process already; load the backend first"
    ):
        engine.find_device("gpu", "tensorflow")
    assert engine.find_device("cpu", "tensorflow") == "cpu"


def test_what_helps_without_a_gpu_depends_on_the_engine(plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(Stub([]))
    missing = (
        r'finds no GPU on this machine; pip install "tensorflow\[and-cuda\]" .*make setup DEVICE=gpu\) adds'
    )
    with pytest.raises(ValueError, match=missing):
        engine.find_device("gpu", "tensorflow")
    monkeypatch.setattr(engine, "_jax_has_gpu", lambda: False)
    missing = r'jax finds no GPU on this machine; pip install "jax\[cuda12\]" adds what an NVIDIA GPU needs'
    with pytest.raises(ValueError, match=missing):
        engine.find_device("gpu", "jax")
    assert engine.find_device("auto", "jax") == "cpu"


FIT = """
from handnet import *
parts, recipe = split(wisconsin()), Recipe(epochs=1)
backend = load_backend("keras")
backend.fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, [0]))
print(backend.engine)
"""


@pytest.mark.parametrize(("engine", "closed"), [("tensorflow", False), ("tensorflow", True), ("jax", True)])
def test_keras_is_quiet_and_needs_no_stderr(engine: str, closed: bool) -> None:
    """And takes the engine that KERAS_BACKEND names."""
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    command = ["bash", "-c", 'exec "$0" -c "$1"' + " 2>&-" * closed, sys.executable, FIT]
    env = os.environ | {"KERAS_BACKEND": engine}
    run = subprocess.run(command, cwd=TESTS.parent, env=env, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{engine}\n", "")


def lock_of(venv: Path, *words: str) -> str:
    command = ["make", "-n", *words, f"VENV={venv}"]
    run = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=True)
    return run.stdout.split("--only-binary :all: -r ")[1].split(";")[0]


def test_an_environment_for_a_gpu_stays_one(tmp_path: Path) -> None:
    """Also when the lock has changed since: its mark names the lock it came from."""
    assert lock_of(tmp_path, "setup") == lock_of(tmp_path, "study", "DEVICE=gpu") == "requirements.lock"
    assert (
        lock_of(tmp_path, "setup", "DEVICE=auto")
        == lock_of(tmp_path, "setup", "DEVICE=cpu")
        == "requirements.lock"
    )
    assert lock_of(tmp_path, "setup", "DEVICE=gpu") == "requirements-gpu.lock"
    (tmp_path / ".ready-cpu-1").touch()
    assert lock_of(tmp_path, "setup") == "requirements.lock"
    (tmp_path / ".ready-gpu-1").touch()
    assert lock_of(tmp_path, "setup") == lock_of(tmp_path, "study") == "requirements-gpu.lock"


@pytest.mark.parametrize("device", ["GPU", "cuda"])
def test_a_set_up_for_an_unknown_device_is_refused(device: str) -> None:
    command = ["make", "--no-print-directory", "-n", "setup", f"DEVICE={device}"]
    run = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    (sentence,) = run.stderr.splitlines()
    assert f'DEVICE must be one of auto, cpu, gpu, but is "{device}"' in sentence


PAIRS = [("tensorflow", "float32"), ("tensorflow", "float64"), ("jax", "float32"), ("jax", "float64")]
# Tests of the contract on Keras that compile networks of many shapes, and have a form or a sister that is
# quicker: the short run leaves them to the long ones.
SLOW = (
    "TestKeras::test_wide_tables_and_layers_agree_with_the_reference[hidden0]",
    "TestKeras::test_wide_tables_and_layers_agree_with_the_reference[hidden1]",
    "TestKeras::test_other_depths[hidden1]",
    "TestKeras::test_weight_decay_is_the_one_counted_by_hand",
    "TestKeras::test_a_fit_remembers_nothing_of_the_one_before",
    "test_a_batch_size_is_a_shape_of_its_own",
    "test_a_plan_may_train_networks_of_the_same_shape",
    "test_a_replica_leaves_as_a_plain_model_and_says_the_same[0.0]",
    "test_in_float32_the_bands_agree",
)


def contract(engine: str, dtype: str, *options: str) -> str:
    """Run the contract on an engine of Keras in a process of its own. Returns what it printed."""
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    env = os.environ | {"KERAS_BACKEND": engine, "HANDNET_DTYPE": dtype, "HANDNET_EXAMPLES": "3"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/keras_contract.py", *options]
    run = subprocess.run(command, cwd=TESTS.parent, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:]
    assert " passed" in run.stdout
    return run.stdout


def test_keras_keeps_the_contract_in_short() -> None:
    """Every law, on the default engine and precision, for two classes. With weights of rows, with weight
    decay and for the other tasks the agreement alone."""
    sources = [(TESTS / f"{name}.py").read_text() for name in ("contract", "keras_contract")]
    for name in SLOW:
        assert any(f"def {name.split('::')[-1].split('[')[0]}(" in source for source in sources), name
    left = [f"--deselect=tests/keras_contract.py::{name}" for name in SLOW]
    most = "not (weighted or decaying or many or number or fifty)"
    agreement = "(test_6 and (weighted or adam-0.001)) or one_epoch or plain_model"
    contract("tensorflow", "float32", *left, "-k", f"{most} or {agreement}")


# What the engine or the precision could change by itself, whatever the other is.
AGREEMENT = "agree or one_epoch or plain_model or dtype or 64_bits or very_draws or threads"


@pytest.mark.long
@pytest.mark.parametrize(("engine", "dtype"), PAIRS)
def test_keras_keeps_the_contract(engine: str, dtype: str) -> None:
    """Every law on each engine and in each precision, and the agreement with the reference in every pair.
    With weight decay every law on the default engine alone."""
    if (engine, dtype) == ("tensorflow", "float64"):
        contract(engine, dtype)
    elif (engine, dtype) == ("jax", "float32"):
        contract(engine, dtype, "-k", "not decaying or test_6 or history")
    else:
        left = [name for name in SLOW if name != "test_in_float32_the_bands_agree"]
        contract(
            engine, dtype, *(f"--deselect=tests/keras_contract.py::{name}" for name in left), "-k", AGREEMENT
        )
