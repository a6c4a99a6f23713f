"""The same bits on every processor: the probe in processes that see other features of this one."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handnet import load_backend
from handnet.contract import BACKENDS, DTYPES, TO_THE_BIT
from handnet.probe import arithmetic_digest, probe

CHILD = """
import json, sys
from hashlib import sha256
import numpy as np
from handnet import load_backend
from handnet.mlp import network
from handnet.probe import probe
fault, *wanted = sys.argv[1:]
if fault:
    network.exp, network.log1p, network.log = np.exp, np.log1p, np.log
digests = {
    f"{backend} {name} of {classes}": sha256(np.ascontiguousarray(part).tobytes()).hexdigest()
    for backend in wanted
    for classes in (2, 4, 0)
    for name, part in probe(load_backend(*backend.split()), classes).items()
}
print(json.dumps([np.show_config(mode="dicts")["SIMD Extensions"]["found"], digests]))
"""
FEATURES = ("X86_V3", "X86_V4")
ALL = [f"{name} {dtype}" for name in TO_THE_BIT for dtype in DTYPES]
HAS_FEATURES = FEATURES[0] in np.show_config(mode="dicts")["SIMD Extensions"]["found"]
needs_features = pytest.mark.skipif(
    not HAS_FEATURES, reason="NumPy names no X86_V3 among this processor's features"
)


def run(*backends: str, fault: str = "", **environment: str) -> tuple[list[str], dict[str, str]]:
    """The features that NumPy finds in a new process, and the digest of each array of the probe."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, fault, *backends],
        env=os.environ | environment,
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    features, digests = json.loads(child.stdout)
    return features, digests


def without_features(*backends: str, fault: str = "") -> dict[str, str]:
    features, digests = run(*backends, fault=fault, NPY_DISABLE_CPU_FEATURES=" ".join(FEATURES))
    assert not set(features) & set(FEATURES)
    return digests


@needs_features
def test_every_array_is_the_same_without_the_features_that_numpy_uses() -> None:
    digests = run(*ALL)[1]
    assert {name.split()[2] for name in digests} >= {
        "weight_0",
        "val_loss",
        "logits",
        "probabilities",
        "log_loss",
    }
    assert without_features(*ALL) == digests


@needs_features
def test_numpys_own_functions_are_not() -> None:
    """A planted fault: the reference with NumPy's own functions. The test above would see it."""
    backend = "numpy float64"
    here, elsewhere = run(backend, fault="numpy's")[1], without_features(backend, fault="numpy's")
    different = {name.split(maxsplit=2)[2] for name in here if here[name] != elsewhere[name]}
    for classes in (2, 4):
        assert different >= {f"{name} of {classes}" for name in ("val_loss", "log_loss", "probabilities")}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the other processor is one of x86-64's family")
def test_every_array_is_the_same_in_code_for_another_processor(tmp_path: Path) -> None:
    """For one of 2008, without vectors of eight numbers and without fused products and sums."""
    environment = {
        "NUMBA_CPU_NAME": "nehalem",
        "NUMBA_CPU_FEATURES": "+sse4.2",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    assert run("compiled float32", **environment)[1] == run("compiled float32")[1]


@pytest.mark.parametrize("name", TO_THE_BIT)
def test_a_digest_is_of_the_arithmetic(name: str) -> None:
    single, double = (load_backend(name, dtype) for dtype in DTYPES)
    assert arithmetic_digest(single) == arithmetic_digest(load_backend(name, DTYPES[0]))
    digests = [arithmetic_digest(backend, task) for backend in (single, double) for task in (2, 3, 4, 0)]
    assert len(set(digests)) == 8


def test_a_backend_within_a_tolerance_has_none() -> None:
    assert set(BACKENDS) - set(TO_THE_BIT) == {"keras"}
    assert arithmetic_digest(type("Keras", (), {"name": "keras"})()) is None


@pytest.mark.parametrize("classes", [2, 3, 50, 0])
def test_the_probe_learns_and_nothing_diverges(classes: int) -> None:
    """Else a fault of the arithmetic could hide in networks that say nothing."""
    found = probe(load_backend("compiled"), classes)
    assert (found["train_loss"][:, -1] < found["train_loss"][:, 0] - 0.05).all()
    assert (found["diverged_at"] == -1).all()
    assert all(len(part) == 10 for part in found.values())
