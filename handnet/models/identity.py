"""What decides what somebody's own code computes, as text that is equal in every process.

Classes and functions of an installed package are named with its version. Of a module that is not installed
the whole file counts. What is written in a notebook or a script counts with its own source and with all that
this source names, because the rest of a notebook has nothing to do with it. What a file reads while it runs,
and what other modules do that it imports, does not count.
"""

import copyreg
import dis
import hashlib
import inspect
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from handnet.data import digest
from handnet.messages import Refusal

LONGEST = 500  # characters of the text of a value inside another; of a longer one the SHA-256 is taken
PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))


class Seen:
    """The values that a text has come to, so that none is written twice and what holds itself ends.

    path: those that hold the present one; known: by id, a value, which is kept alive, and its text."""

    def __init__(self) -> None:
        self.path: list[int] = []
        self.known: dict[int, tuple[Any, str]] = {}


def identity_of(thing: Any) -> str:
    """All that decides what an estimator, a function or a value is, as text.

    Raises Refusal where two things that differ could have the same text."""
    try:
        return _text(thing, Seen())
    except RecursionError:
        raise Refusal(f"a {type(thing).__name__} is nested too deeply to be told from another.") from None


def sha256(text: str | bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def _text(value: Any, seen: Seen) -> str:
    if type(value) in PLAIN:
        return repr(value)
    if id(value) in seen.path:
        return f"<{_path(type(value))} {len(seen.path) - seen.path.index(id(value))} up>"
    if id(value) not in seen.known:
        seen.path.append(id(value))
        text = _whole(value, seen)
        seen.path.pop()
        seen.known[id(value)] = value, sha256(text) if seen.path and len(text) > LONGEST else text
    return seen.known[id(value)][1]


def _whole(value: Any, seen: Seen) -> str:
    if isinstance(value, type | types.FunctionType):
        return _path(value) + _origin(value, seen)
    return _collection(value, seen) or _array(value, seen) or _object(value, seen)


def _collection(value: Any, seen: Seen) -> str:
    """Of Python's own collections; "" of anything else."""
    if type(value) is dict:
        keys = sorted(((_text(key, seen), key) for key in value), key=itemgetter(0))
        return "{" + ", ".join(f"{text}: {_text(value[key], seen)}" for text, key in keys) + "}"
    if type(value) is list:
        return "[" + ", ".join(_text(one, seen) for one in value) + "]"
    if type(value) is tuple:
        return "(" + "".join(f"{_text(one, seen)}, " for one in value) + ")"
    if type(value) in (set, frozenset):
        return f"{type(value).__name__}(" + ", ".join(sorted(_text(one, seen) for one in value)) + ")"
    return ""


def _array(value: Any, seen: Seen) -> str:
    """Of what numpy turns into an array (...,), a table of pandas' among them, with the names of its rows and
    columns; "" of anything else."""
    if not isinstance(value, np.ndarray | np.generic) and not hasattr(value, "to_numpy"):
        return ""
    array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    content = f"{array.shape} {_text(array.tolist(), seen)}" if array.dtype.kind in "OV" else digest(array)
    names = [getattr(value, name, None) for name in ("columns", "index", "name")]
    told = f" {array.dtype} {_text(names, seen)}" if hasattr(value, "to_numpy") else f" {array.dtype}"
    return f"{_path(type(value))} {sha256(content + told)}"


def _object(value: Any, seen: Seen) -> str:
    """Of an object: its class with its parameters, where it has them, or with what it holds."""
    if isinstance(value, types.ModuleType):
        return value.__name__ + _version(value.__name__)
    if isinstance(value, types.MethodType):
        return f"{_text(value.__self__, seen)}.{value.__func__.__name__}"
    if not hasattr(value, "get_params"):
        return _held_by(value, seen)
    parts = value.get_params(deep=False)
    named = ", ".join(f"{name}={_text(parts[name], seen)}" for name in sorted(parts))
    return f"{_text(type(value), seen)}({named})"


def _held_by(value: Any, seen: Seen) -> str:
    """Of an object without parameters: what pickle takes it apart into, its __slots__ and the state of a
    generator among it. Raises Refusal where that fails."""
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        parts = reduce(value) if reduce else value.__reduce_ex__(4)
        if isinstance(parts, str):  # a module calls it so
            inside = getattr(value, "__wrapped__", None) or _described(value, parts)
            return f"{_text(type(value), seen)} {parts} {_text(inside, seen)}"
    except Exception as fault:  # whatever the user's own classes raise
        raise Refusal(
            f"nothing tells one {type(value).__name__} that the model holds from another"
            f" ({type(fault).__name__}: {fault}); leave it out, or make it where it is used."
        ) from None
    make, arguments, state, items, pairs = (*parts, None, None, None)[:5]
    held = [make, arguments, state, list(items or ()), list(pairs or ())]
    return f"{_path(type(value))} {_text(held, seen)}"


def _described(value: Any, name: str) -> list[str | None]:
    """The module and the description of what a module calls by a name. Raises LookupError where none does."""
    module, (first, _, rest) = getattr(value, "__module__", None), name.partition(".")
    modules = [sys.modules[module]] if module else [*sys.modules.values()]
    found = (vars(one)[first] for one in modules if first in getattr(one, "__dict__", ()))
    if not any((attrgetter(rest)(one) if rest else one) is value for one in found):
        raise LookupError(f"no module has it as {name}")
    return [module, value.__doc__]


def _path(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _origin(thing: Any, seen: Seen) -> str:
    """What of a class or a function is not in its name: the version of its package, or its source with the
    values that it holds."""
    root = (thing.__module__ or "").split(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return ""
    if root != "__main__" and _is_installed(thing):
        return _version(root) + _held(thing, seen)
    try:
        if root == "__main__":
            raise OSError("the rest of a script has nothing to do with it")
        return f" {sha256(inspect.getsource(sys.modules[thing.__module__]))}" + _held(thing, seen)
    except (KeyError, TypeError, OSError):  # a module without a file
        return f" {sha256(_own_source(thing) + _named(thing, seen))}" + _held(thing, seen)


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


def versions(modules: Iterable[str]) -> list[str]:
    """The installed packages that modules of these names belong to, as in "lightgbm 4.6.0", in order."""
    roots = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    packages = {package for root in roots for package in _packages().get(root, ())}
    return [f"{package} {version(package)}" for package in sorted(packages)]


@cache
def _packages() -> Mapping[str, list[str]]:
    """By the name of a module, the installed packages that have it; it takes half a second."""
    return packages_distributions()


def _own_source(thing: Any) -> str:
    """The source of a class or a function; its instructions where there is none, as at Python's prompt."""
    try:
        return inspect.getsource(thing)
    except (TypeError, OSError):
        codes = [code for function in _functions(thing) for code in _codes(function.__code__)]
        constants = [[one for one in code.co_consts if not inspect.iscode(one)] for code in codes]
        return repr([(code.co_code, code.co_names) for code in codes]) + identity_of(constants)


def _named(thing: Any, seen: Seen) -> str:
    """What a class or a function names of its module, the packages it imports, and what a class has."""
    values, roots = dict[str, Any](), set[str]()
    for function in _functions(thing):
        codes = [*_codes(function.__code__)]
        names = {name for code in codes for name in code.co_names} & set(function.__globals__)
        values |= {name: function.__globals__[name] for name in names}
        lines = (line for code in codes for line in dis.get_instructions(code))
        roots |= {str(line.argval) for line in lines if line.opname == "IMPORT_NAME"}
    of_class = [thing.__bases__, _plain_attributes(thing)] if isinstance(thing, type) else []
    return _text([values, versions(roots), of_class], seen)


def _plain_attributes(of: type) -> dict[str, Any]:
    """Those of a class that are no methods and no part of every class."""
    attributes = {name: value for name, value in vars(of).items() if not name.startswith(("__", "_abc_"))}
    return {name: value for name, value in attributes.items() if not hasattr(type(value), "__get__")}


def _held(thing: Any, seen: Seen) -> str:
    """What a function holds of where it was made, and its defaults; "" where there is none."""
    if not isinstance(thing, types.FunctionType) or not (
        thing.__closure__ or thing.__defaults__ or thing.__kwdefaults__
    ):
        return ""
    cells = zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True)
    values = {name: cell.cell_contents for name, cell in cells if name != "__class__"}
    return " " + _text([values, thing.__defaults__, thing.__kwdefaults__], seen)


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
