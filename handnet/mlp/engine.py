"""Keras and the engine under it: importing them, choosing the device, setting the precision.

The engines are TensorFlow (the default) and JAX. Keras chooses its engine once, when it is first imported, so
a process has one. This is the one file of the core that sets environment variables and touches file
descriptors: an engine reads the first, and writes to the second, while it starts.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from threading import RLock
from typing import Any

ENGINES = ("tensorflow", "jax")
INSTALL = {"keras": '"handnet[keras]"', "tensorflow": '"handnet[keras]"', "jax": "jax"}  # what pip calls them
GPU_INSTALL = {
    "tensorflow": 'pip install "tensorflow[and-cuda]" (in a checkout: make setup DEVICE=gpu)',
    "jax": 'pip install "jax[cuda12]"',
}
# JAX has no float64 at all without the first, and uses TF32 on a GPU without the second.
JAX_PRECISION = {"jax_enable_x64": True, "jax_default_matmul_precision": "highest"}
# Keras's default dtype and JAX's precision belong to the whole process, so one call works at a time.
ENGINE_LOCK = RLock()


def engine_name() -> str:
    """The engine that Keras runs on, or would run on: that of KERAS_BACKEND, else TensorFlow."""
    return _running_engine() or os.environ.get("KERAS_BACKEND") or ENGINES[0]


def start_keras(engine: str | None = None) -> str:
    """Import Keras on an engine and return the engine's name.

    engine: None stands for the engine Keras runs on already, else KERAS_BACKEND, else TensorFlow.
    Raises ValueError when the engine is unknown, when Keras or the engine is not installed, and when Keras
    runs on another engine in this process.
    """
    name = engine or engine_name()
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}: expected one of {', '.join(ENGINES)}.")
    for package in ("keras", name):
        if find_spec(package) is None:
            raise ValueError(
                f"the keras backend on {name} needs the package {package}, which is not here; pip install"
                f" {INSTALL[package]} adds it."
            )
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = name
    running = get_keras().backend.backend()
    if running != name:
        raise ValueError(
            f"Keras runs on {running} in this process and cannot change to {name}; "
            f"set KERAS_BACKEND={name} before Keras is first imported."
        )
    return name


@cache
def get_keras() -> Any:
    """The module `keras`, imported on the first call, which takes seconds: it brings its engine with it."""
    os.environ.setdefault("KERAS_BACKEND", ENGINES[0])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silences TensorFlow's start-up notes
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take the whole GPU,
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # and TensorFlow too, even to run on the CPU
    with _silent_stderr():
        import keras

    if keras.backend.backend() == "jax":
        _set_jax(JAX_PRECISION)
    return keras


def _running_engine() -> str | None:
    """The engine of the Keras this process has imported, whoever imported it."""
    return str(get_keras().backend.backend()) if "keras" in sys.modules else None


def find_device(device: str, engine: str) -> str:
    """The device to run on, "cpu" or "gpu"; `device` may be "auto".

    Raises ValueError when `device` is "gpu" and the engine finds none: it never falls back to the CPU.
    """
    if device == "cpu":
        return "cpu"
    with _silent_stderr():
        has_gpu = _jax_has_gpu() if engine == "jax" else _tensorflow_has_gpu()
    if device == "gpu" and not has_gpu:
        raise ValueError(
            f"device='gpu' was asked for, but {engine} finds no GPU on this machine; {GPU_INSTALL[engine]}"
            " adds what an NVIDIA GPU needs, device='auto' takes what there is."
        )
    return "gpu" if has_gpu else "cpu"


def _jax_has_gpu() -> bool:
    try:
        return bool(get_keras().distribution.list_devices("gpu"))
    except RuntimeError:  # JAX raises it where there is no GPU
        return False


def _tensorflow_has_gpu() -> bool:
    """Whether there is a GPU, told from the physical devices: listing logical ones takes the whole GPU."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    try:
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        raise ValueError(
            "the GPU's memory must be shared before TensorFlow first uses it, but TensorFlow has started in "
            "this process already; load the backend first, or use device='cpu'."
        ) from None
    if gpus:
        tf.config.experimental.enable_tensor_float_32_execution(False)
    return bool(gpus)


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Make `dtype` Keras's default, and give JAX its 64 bits, for the time of a call; then restore both.

    Some of Keras's own variables take the default dtype and can be given no other.
    """
    with ENGINE_LOCK:
        keras = get_keras()
        before = keras.config.floatx()
        keras.config.set_floatx(dtype)
        try:
            with _jax_precision() if keras.backend.backend() == "jax" else nullcontext():
                yield
        finally:
            keras.config.set_floatx(before)


@contextmanager
def _jax_precision() -> Iterator[None]:
    import jax

    before = {name: getattr(jax.config, name) for name in JAX_PRECISION}
    _set_jax(JAX_PRECISION)
    try:
        yield
    finally:
        _set_jax(before)


def _set_jax(values: dict[str, Any]) -> None:
    import jax

    for name, value in values.items():
        jax.config.update(name, value)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere while an engine starts; what goes wrong is raised as ever.

    TensorFlow's compiled parts write start-up notes straight to it, whatever the log level.
    """
    if not _stderr_is_open():
        yield
        return
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _stderr_is_open() -> bool:
    """Whether descriptor 2 is still stderr: whoever started the process may have closed it."""
    if sys.stderr is None or sys.stderr.closed:
        return False
    try:
        os.fstat(2)
    except OSError:
        return False
    return True
