"""Functions that fail in every way a model can. A search has the seeds 0, 1, ..., fresh
ones are 1000, 1001, ..."""

import os
import random
import sys
import time
from typing import Any

import numpy as np

Array = np.ndarray


def sound(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    """Least squares, and a little luck."""
    inputs, wanted = (np.column_stack([part, np.ones(len(part))]) for part in (X_train, X))
    p = wanted @ np.linalg.lstsq(inputs, y_train, rcond=None)[0]
    return np.clip(p + np.random.default_rng(seed).normal(0, 0.05, len(X)), 0.01, 0.99)


def raises_at_times(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    if seed == 1001 or (seed == 1 and params["depth"] < 6):
        raise ValueError("no such\nthing")
    return sound(X_train, y_train, params, seed, X)


def raises_always(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    raise ZeroDivisionError


def raises_on_fresh_seeds(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    if seed >= 1001:
        os._exit(7)
    return sound(X_train, y_train, params, seed, X)


def is_constant(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    return np.full(len(X), y_train.mean())


def gives_nan(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    p = sound(X_train, y_train, params, seed, X)
    p[:3] = np.nan
    return p


def gives_too_few(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    return sound(X_train, y_train, params, seed, X)[1:]


def gives_percent(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    return 100 * sound(X_train, y_train, params, seed, X)


def gives_generator(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Any:
    return (p for p in sound(X_train, y_train, params, seed, X))


def sleeps(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    time.sleep(30)
    return sound(X_train, y_train, params, seed, X)


def exits(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    print("out of licences", file=sys.stderr, flush=True)
    os._exit(3)


def eats(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    return np.ones(2**36)


def lives_wildly(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    """It prints, forks and changes all it is given and all that is global; what it gives is sound."""
    p = sound(X_train, y_train, params, seed, X)
    print("to stdout")
    os.write(1, b"straight to stdout\n")
    os.write(2, b"straight to stderr\n")
    X_train[:], y_train[:], X[:] = 0, 0, 0
    params.clear()
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    os.environ["HOME"] = "/nowhere"
    os.chdir("/")
    os.fork()
    return p


def is_never_the_same(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    return sound(X_train, y_train, params, int.from_bytes(os.urandom(4)), X)


def is_not_the_same_later(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    lot = seed if seed < 1008 else int.from_bytes(os.urandom(4))
    return sound(X_train, y_train, params, lot, X)


def raises_on_the_test(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    if seed % 2 and len(X) > len(X_train) + 120:
        raise RuntimeError("a row too many")
    return sound(X_train, y_train, params, seed, X)


def raises_on_divisions(X_train: Array, y_train: Array, params: dict, seed: int, X: Array) -> Array:
    if seed == 100_001:
        raise RuntimeError("not here")
    return sound(X_train, y_train, params, seed, X)
