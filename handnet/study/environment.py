"""What a study changes of its process for MLflow's sake, and how a caller gets it back."""

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

FIXED = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # medical data is nobody else's business
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # our own progress is the only one shown
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",  # FINISHED must not overtake what it vouches for
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# A request is tried three times within seconds, and nobody waits for minutes: `handnet track` sends the rest.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
# What begins so is set here, by handnet/study/targets.py (credentials) or by handnet/mlp/engine.py.
FITS = ("fit", "fit_transform", "fit_predict")
QUIET = {"mlflow": logging.WARNING, "urllib3": logging.ERROR}  # the latter would announce each attempt
LEVELS: dict[str, int] = {}  # of the loggers, before they were made quiet
PREFIXES = ("MLFLOW_", "KERAS_BACKEND", "TF_", "XLA_")


def mlflow_variables() -> dict[str, str]:
    """What MLflow is to read, from before its import on: name -> value."""
    return {**DEFAULTS, **_present(DEFAULTS), **FIXED}


@contextmanager
def lent_environment() -> Iterator[None]:
    """While entered, the variables and the loggers are the study's. Afterwards each of them is as it was."""
    before = _ours()
    LEVELS.clear()
    os.environ.update(mlflow_variables())
    os.environ.pop("MLFLOW_RUN_CONTEXT", None)
    try:
        yield
    finally:
        for name in _ours().keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
        while LEVELS:
            name, level = LEVELS.popitem()
            logging.getLogger(name).setLevel(level)


def quieten() -> None:
    """Let MLflow, once it is imported, and what it asks servers with say what is amiss alone."""
    for name, level in QUIET.items():
        LEVELS.setdefault(name, logging.getLogger(name).level)
        logging.getLogger(name).setLevel(level)


@contextmanager
def without_autologging() -> Iterator[None]:
    """While entered, models are fitted by their own methods; afterwards by those that were there before.

    This holds for every thread of the process: what a caller's other threads fit meanwhile is not logged
    either. Two threads that enter it at the same time would undo each other.

    Where a caller has switched MLflow's autologging on, it has wrapped these methods, and would log what a
    study fits in the caller's own run."""
    wrapped = [
        (owner, name, vars(owner)[name]) for owner in _estimators() for name in FITS if name in vars(owner)
    ]
    wrapped = [part for part in wrapped if _module_of(part[2]).startswith("mlflow.")]
    for owner, name, method in wrapped:
        setattr(owner, name, method.__wrapped__)
    try:
        yield
    finally:
        for owner, name, method in wrapped:
            setattr(owner, name, method)


def _estimators() -> Iterator[type]:
    """Every class with a method that autologging may have wrapped, of what is imported already."""
    keras, sklearn = sys.modules.get("keras"), sys.modules.get("sklearn.base")
    found = [getattr(keras, "Model", None), getattr(sklearn, "BaseEstimator", None)]
    while found:
        if (owner := found.pop()) is not None:
            yield owner
            found += owner.__subclasses__()


def _module_of(method: object) -> str:
    """The module a method was written in, whatever it says of itself."""
    return str(getattr(method, "__globals__", {}).get("__name__", ""))


def _ours() -> dict[str, str]:
    return _present([name for name in os.environ if name.startswith(PREFIXES)])


def _present(names: Iterable[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
