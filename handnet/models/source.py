"""Functions of a user's own, from a file or from a module, as a reference names them."""

import ast
import hashlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from handnet.generators import global_generators
from handnet.messages import Refusal, nearest
from handnet.models.identity import identity_of, versions


@dataclass(frozen=True)
class FromFile:
    """What a file calls by a name. It travels to other processes as its path, and is imported there anew.

    digest: SHA-256 of the file and of the files beside it that it imports; "" stands for what they are now.
    Its identity is that, the name, and the versions of the packages that these files import.
    """

    path: str
    name: str
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "path", str(Path(self.path).resolve()))
            object.__setattr__(self, "digest", digest_of(self.path))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The file is imported as soon as this arrives in another process, which is no part of a fit."""
        vars(self).update(state)
        self.get()

    @property
    def identity(self) -> str:
        packages = sorted(
            {package for file in _files(self.path).values() for package in versions(_imports(file))}
        )
        return " ".join([self.name, self.digest, *packages])

    @property
    def label(self) -> str:
        """What a report calls it, as in "mymodel.build"."""
        return f"{Path(self.path).stem}.{self.name}"

    def get(self) -> Any:
        """The object itself. Raises Refusal when the file has changed, fails or has no such name."""
        return named(_module(self.path, self.digest), self.name, self.path)


@dataclass(frozen=True)
class FromModule:
    """What an importable module calls by a name."""

    module: str
    name: str

    @property
    def identity(self) -> str:
        return identity_of(self.get())

    @property
    def label(self) -> str:
        """What a report calls it."""
        return self.name if self.name[:1].isupper() else f"{self.module.rpartition('.')[2]}.{self.name}"

    def get(self) -> Any:
        """The object itself. Raises Refusal when there is no such module, it fails or has no such name."""
        return named(_imported(self.module), self.name, self.module)


@dataclass(frozen=True)
class Given:
    """An object of the reader's own."""

    value: Any

    @property
    def identity(self) -> str:
        return identity_of(self.value)

    @property
    def label(self) -> str:
        """What a report calls it."""
        return str(getattr(self.value, "__name__", type(self.value).__name__))

    def get(self) -> Any:
        """The object itself."""
        return self.value


Source = FromFile | FromModule | Given


def find(target: str) -> Source:
    """What "folder/file.py:name", "package.module:name" or "package.module.name" refers to.

    Raises Refusal when it is not there."""
    place, colon, name = target.rpartition(":")
    if not colon:
        place, _, name = target.rpartition(".")
    if target.endswith(".py") or not place or not name:
        raise Refusal(f"{target!r} names no function; write file.py:function, or package.module:function.")
    source = FromFile(place, name) if place.endswith(".py") else FromModule(place, name)
    source.get()
    return source


def load(target: str) -> None:
    """Find a target and leave it: what a process is for whose end would do no harm."""
    find(target)


def digest_of(path: str) -> str:
    """SHA-256 (64 hex digits) of a Python file and of the files beside it that it imports, and they import.

    The name and the place of the file do not count. Raises Refusal when it cannot be read."""
    first, texts = Path(path), _files(path)
    hasher = hashlib.sha256(texts.pop(first))
    for file in sorted(texts):
        hasher.update(f"\0{file.relative_to(first.parent)}\0".encode() + texts[file])
    return hasher.hexdigest()


def _files(path: str) -> dict[Path, bytes]:
    """What stands in a Python file and in the files beside it that it imports, and they import."""
    texts, waiting = dict[Path, bytes](), [Path(path)]
    while waiting:
        file = waiting.pop()
        if file not in texts:
            texts[file] = _read(file)
            places = (Path(path).parent.joinpath(*name.split(".")) for name in _imports(texts[file]))
            beside = (one for place in places for one in (place.with_suffix(".py"), place / "__init__.py"))
            waiting += filter(Path.is_file, beside)
    return texts


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        raise Refusal(f"{file} cannot be read: {fault.strerror or fault}.") from None


def _imports(text: bytes) -> set[str]:
    """The modules that a source text may import, by their whole names."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()  # the import says it, with the line
    found = set[str]()
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        of = node.module if isinstance(node, ast.ImportFrom) and node.module else ""
        found |= {of, *(f"{of}.{name}".strip(".") for name in names)} - {""}
    return found


def named(module: ModuleType, name: str, place: str) -> Any:
    """What a module calls by a name. Raises Refusal when it calls nothing so. place: the module, in words."""
    if hasattr(module, name):
        return getattr(module, name)
    known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    raise Refusal(f"{place} has no {name!r}: {nearest(name, known) if known else 'it defines nothing.'}")


@cache
def _module(path: str, digest: str) -> ModuleType:
    """The module in a file, imported once in a process, under a name of its own."""
    if digest_of(path) != digest:
        raise Refusal(
            f"{path}, or a file that it imports, has changed since this run began; start the command again."
        )
    name = f"handnet_model_{Path(path).stem}_{digest[:12]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Refusal(f"{path} is no Python file.")
    module = module_from_spec(spec)
    sys.modules[name] = module  # before it runs, because its dataclasses look there
    try:
        with _importing(path), _on_path(str(Path(path).parent), 0):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _imported(name: str) -> ModuleType:
    """An importable module, of the folder where the reader stands too, as with python -m."""
    with _importing(name), _on_path(str(Path.cwd()), len(sys.path)):
        return import_module(name)


@contextmanager
def _importing(place: str) -> Iterator[None]:
    """While entered, somebody's module runs: what it prints goes to stderr, what it raises becomes a Refusal,
    and what it draws from the process's generators is given back. Nothing is written beside it. place: the
    file or the module."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with redirect_stdout(sys.stderr), global_generators(0):
            yield
    except (Exception, SystemExit) as fault:
        frames = traceback.extract_tb(fault.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == place]
        line = fault.lineno if isinstance(fault, SyntaxError) else lines[-1] if lines else None
        at = f" in line {line}" if line else ""
        said = fault.msg if isinstance(fault, SyntaxError) else fault
        raise Refusal(f"{place} cannot be imported{at}: {type(fault).__name__}: {said}.") from None
    finally:
        sys.dont_write_bytecode = before


@contextmanager
def _on_path(folder: str, place: int) -> Iterator[None]:
    """While entered, modules of this folder are found, at this place among all folders."""
    before = list(sys.path)
    sys.path.insert(place, folder)
    try:
        yield
    finally:
        sys.path[:] = before
