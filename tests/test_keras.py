"""Keras behind the same interface: every law, on both engines, in both precisions."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


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
