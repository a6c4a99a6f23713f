"""The environment variables a study sets for MLflow, and how a caller's process gets its own back."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

FIXED = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # medical data is nobody else's business
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # our own progress is the only one shown
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",  # FINISHED must not overtake what it vouches for
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# Nobody waits in silence for minutes: what could not be sent is sent by the next command.
DEFAULTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
# What begins so is set here, by handnet/study/publish.py (credentials) or by handnet/mlp/engine.py.
PREFIXES = ("MLFLOW_", "KERAS_BACKEND", "TF_", "XLA_")


def mlflow_variables() -> dict[str, str]:
    """What MLflow is to read, from before its import on: name -> value."""
    return {**DEFAULTS, **_present(DEFAULTS), **FIXED}


@contextmanager
def lent_environment() -> Iterator[None]:
    """While entered, the variables are the study's. Afterwards each of them is as it was."""
    before = _ours()
    os.environ.update(mlflow_variables())
    os.environ.pop("MLFLOW_RUN_CONTEXT", None)
    try:
        yield
    finally:
        for name in _ours().keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _ours() -> dict[str, str]:
    return _present([name for name in os.environ if name.startswith(PREFIXES)])


def _present(names: Iterable[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
