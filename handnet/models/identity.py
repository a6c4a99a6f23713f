"""What decides what somebody's own code computes, as text that is equal in every process.

Classes and functions of an installed package are named with its version. Of a module that is not installed
the whole file counts. What is written in a notebook or a script counts with its own source and with all that
this source names, because the rest of a notebook has nothing to do with it. What a file reads while it runs,
and what other modules do that it imports, does not count.
"""

import functools
import hashlib
import inspect
import re
import sys
import sysconfig
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handnet.data import digest

DEEPEST = 8  # levels of a value inside a value; what lies deeper is named by its class alone
PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))


def identity_of(thing: Any) -> str:
    """All that decides what an estimator, a function or a value is, as text."""
    return _text(thing, ())


def sha256(text: str | bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def _text(value: Any, within: tuple[int, ...]) -> str:
    """within: the ids of what holds the value, so that what holds itself ends."""
    if isinstance(value, PLAIN):
        return repr(value)
    if id(value) in within or len(within) > DEEPEST:
        return f"<{_path(type(value))}>"
    inner = (*within, id(value))
    if isinstance(value, type | types.FunctionType):
        return _path(value) + _origin(value, inner)
    return _collection(value, inner) or _array(value, inner) or _object(value, inner)


def _collection(value: Any, inner: tuple[int, ...]) -> str:
    """Of a mapping, a sequence or a set; "" of anything else."""
    if isinstance(value, Mapping):
        return "{" + _joined(f"{_text(k, inner)}: {_text(v, inner)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(one, inner) for one in value) + "]"
    if isinstance(value, set | frozenset):
        return "{" + _joined(_text(one, inner) for one in value) + "}"
    return ""


def _array(value: Any, inner: tuple[int, ...]) -> str:
    """Of what numpy turns into an array (...,), a table of pandas' among them; "" of anything else."""
    if not isinstance(value, np.ndarray | np.generic) and not hasattr(value, "to_numpy"):
        return ""
    array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    content = _text(array.tolist(), inner) if array.dtype.kind in "OV" else digest(array)
    return f"{type(value).__name__} {sha256(content)}"


def _object(value: Any, inner: tuple[int, ...]) -> str:
    """Of an object: its class with its parameters, where it has them, or with what it holds."""
    if isinstance(value, types.ModuleType):
        return value.__name__ + _version(value.__name__)
    if isinstance(value, types.MethodType):
        return f"{_text(value.__self__, inner)}.{value.__func__.__name__}"
    if isinstance(value, types.ModuleType):
        return value.__name__ + _version(value.__name__)
    if isinstance(value, types.MethodType):
        return f"{_text(value.__self__, inner)}.{value.__func__.__name__}"
    if isinstance(value, functools.partial):
        parts = {"": value.func, "args": value.args, **value.keywords}
    elif hasattr(value, "get_params"):
        parts = value.get_params(deep=False)
    elif hasattr(value, "__dict__"):
        parts = vars(value)
    else:
        return f"{_path(type(value))} {re.sub(r' at 0x[0-9a-f]+', '', repr(value))}"
    named = _joined(f"{name}={_text(part, inner)}" for name, part in parts.items())
    return f"{_text(type(value), inner)}({named})"


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(sorted(texts))


def _path(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _origin(thing: Any, inner: tuple[int, ...]) -> str:
    """What of a class or a function is not in its name: the version of its package, or its source."""
    root = (thing.__module__ or "").split(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return ""
    if root == "__main__":
        return f" {sha256(_own_source(thing, inner))}"
    if _is_installed(thing):
        return _version(root)
    try:
        return f" {sha256(inspect.getsource(sys.modules[thing.__module__]))}"
    except (KeyError, TypeError, OSError):  # a module without a file
        return f" {sha256(_own_source(thing, inner))}"


def _is_installed(thing: Any) -> bool:
    """Whether it lies where packages are installed; what is compiled has no source and always does."""
    try:
        file = inspect.getsourcefile(thing)
    except TypeError:
        file = None
    folders = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return file is None or any(Path(file).is_relative_to(folder) for folder in folders)


def _version(root: str) -> str:
    """The version of the installed package that a module belongs to, after a blank; "" where it has none."""
    found = getattr(sys.modules.get(root.split(".", maxsplit=1)[0]), "__version__", "")
    return f" {found}" if found else ""


def _own_source(thing: Any, inner: tuple[int, ...]) -> str:
    """The source of a class or a function, else its instructions, with the values that a function names."""
    try:
        source = inspect.getsource(thing)
    except (TypeError, OSError):
        source = _instructions(thing)
    if not isinstance(thing, types.FunctionType):
        return source
    names = inspect.getclosurevars(thing)
    values = {**names.globals, **names.nonlocals, "defaults": thing.__defaults__ or ()}
    return source + _text({name: value for name, value in values.items() if value is not thing}, inner)


def _instructions(thing: Any) -> str:
    """The instructions of the functions, where no source is there, as at Python's own prompt."""
    functions = [thing] if isinstance(thing, types.FunctionType) else [*vars(thing).values()]
    codes = [one.__code__ for one in functions if isinstance(one, types.FunctionType)]
    inside = [code for one in codes for code in one.co_consts if isinstance(code, types.CodeType)]
    constants = [[c for c in code.co_consts if isinstance(c, PLAIN)] for code in codes]
    return repr([(code.co_code, code.co_names) for code in (*codes, *inside)]) + repr(constants)
