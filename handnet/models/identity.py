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
from collections.abc import Iterable, Iterator, Mapping
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
    """What of a class or a function is not in its name: the version of its package, or its source with the
    values that it holds."""
    root = (thing.__module__ or "").split(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return ""
    if root != "__main__" and _is_installed(thing):
        return _version(root) + _held(thing, inner)
    try:
        if root == "__main__":
            raise OSError("the rest of a script has nothing to do with it")
        return f" {sha256(inspect.getsource(sys.modules[thing.__module__]))}" + _held(thing, inner)
    except (KeyError, TypeError, OSError):  # a module without a file
        return f" {sha256(_own_source(thing) + _named(thing, inner))}" + _held(thing, inner)


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


def _own_source(thing: Any) -> str:
    """The source of a class or a function; its instructions where there is none, as at Python's prompt."""
    try:
        return inspect.getsource(thing)
    except (TypeError, OSError):
        codes = [code for function in _functions(thing) for code in _codes(function.__code__)]
        constants = [[one for one in code.co_consts if isinstance(one, PLAIN)] for code in codes]
        return repr([(code.co_code, code.co_names) for code in codes]) + repr(constants)


def _named(thing: Any, inner: tuple[int, ...]) -> str:
    """What a class or a function names of its module."""
    values = dict[str, Any]()
    for function in _functions(thing):
        names = {name for code in _codes(function.__code__) for name in code.co_names}
        values |= {name: function.__globals__[name] for name in names & set(function.__globals__)}
    return _text(values, inner)


def _held(thing: Any, inner: tuple[int, ...]) -> str:
    """What a function holds of where it was made, and its defaults; "" where there is none."""
    if not isinstance(thing, types.FunctionType) or not (thing.__closure__ or thing.__defaults__):
        return ""
    cells = zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True)
    values = {name: cell.cell_contents for name, cell in cells if name != "__class__"}
    return " " + _text([values, thing.__defaults__, thing.__kwdefaults__], inner)


def _functions(thing: Any) -> list[types.FunctionType]:
    """The function itself, or the methods of a class, as they are written and not as others wrap them."""
    found = [thing] if isinstance(thing, types.FunctionType) else [*vars(thing).values()]
    bare = [getattr(one, "fget", None) or getattr(one, "__func__", one) for one in found]
    return [inspect.unwrap(one) for one in bare if isinstance(one, types.FunctionType)]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's instructions, and those of the functions inside it."""
    yield code
    for inside in code.co_consts:
        if isinstance(inside, types.CodeType):
            yield from _codes(inside)
