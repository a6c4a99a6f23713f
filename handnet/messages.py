"""What a user is told: refusals, and the name of the command that works where the reader is."""

import difflib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

Door = Literal["make", "shell", "python"]
FUNCTIONS = {"study": "run_study"}  # the verbs that Python calls by a function
# Options whose name differs from that function's argument.
ARGUMENTS = {"mlruns": "home", "open": "open_test"}
SEVERAL = ("model", "space", "fixed")  # options that may be typed several times
FOLDER = "mlruns"  # where commands look when no folder is named
_door: Door = "python"
_folder = FOLDER
_typed: tuple[str, Mapping[str, Any]] = ("study", {})


class Name(str):
    """A name of the reader's own, which stands in a command of Python without quotes."""


class Refusal(Exception):
    """A sentence for the user, and the exit code that goes with it: 2 usage, 1 failed, 75 try again later.

    lines: what stands below the sentence, a table for instance."""

    def __init__(self, sentence: str, code: int = 2, lines: Sequence[str] = ()) -> None:
        super().__init__("\n".join([sentence, *lines]))
        self.sentence, self.code, self.lines = sentence, code, lines


@contextmanager
def through(door: Door) -> Iterator[None]:
    """While entered, messages name commands as a reader types them at that door."""
    global _door  # noqa: PLW0603 - a process has one reader
    before, _door = _door, door
    try:
        yield
    finally:
        _door = before


@contextmanager
def stored_in(folder: str) -> Iterator[None]:
    """While entered, messages name commands for the studies of that folder."""
    global _folder  # noqa: PLW0603 - a process works in one folder at a time
    before, _folder = _folder, folder
    try:
        yield
    finally:
        _folder = before


@contextmanager
def typed(verb: str, options: Mapping[str, Any]) -> Iterator[None]:
    """While entered, messages know the command that the reader has typed.

    options: as `command` takes them."""
    global _typed  # noqa: PLW0603 - a process obeys one command at a time
    before, _typed = _typed, (verb, options)
    try:
        yield
    finally:
        _typed = before


def again(**options: Any) -> str:
    """The command that the reader has typed, with these options beside or instead of its own; without those
    that become empty.

    >>> with typed("study", {"data": "my.csv", "leave": "a"}): again(leave=["a", "b c"], missing="median")
    'run_study(data="my.csv", leave=["a", "b c"], missing="median")'
    """
    verb, before = _typed
    emptied = {name for name, value in options.items() if value in ([], "") and name in before}
    return command(verb, **{key: value for key, value in {**before, **options}.items() if key not in emptied})


def command(verb: str, **options: Any) -> str:
    """A command as the reader types it, for the folder that `stored_in` has named.

    verb: a verb of handnet ("study"), or the module of an experiment ("experiments.walk").
    options: values by the name of their option; a dotted name is a setting.

    >>> command("study", name="x", open=True)
    'run_study(name="x", open_test=True)'
    >>> with through("shell"): command("study", name="x", open=True)
    'handnet study --name x --open'
    >>> with through("make"): command("study", name="x", open=True)
    'make study NAME=x OPEN=1'
    >>> with stored_in("elsewhere"): command("study", name="x")
    'run_study(name="x", home="elsewhere")'
    """
    if _folder != FOLDER:
        options.setdefault("mlruns", _folder)
    if _door == "python" and verb in FUNCTIONS:
        dotted = {name: options.pop(name) for name in list(options) if "." in name}
        words = [option(*pair) for pair in options.items()]
        words += [f"**{dotted!r}"] if dotted else []
        return f"{FUNCTIONS[verb]}({', '.join(words)})"
    with through("make" if _door == "make" else "shell"):
        words = [option(*pair) for pair in options.items()]
    program = f"python -m {verb}" if "." in verb else f"handnet {verb}"
    return " ".join([f"make {verb.rpartition('.')[2]}" if _door == "make" else program, *words])


def option(name: str, value: Any = None) -> str:
    """An option as the reader types it, with its value if it has one; "" stands for a value to be filled in.

    >>> [option("open"), option("open", True), option("data", ""), option("data", "my.csv")]
    ['open_test', 'open_test=True', 'data=', 'data="my.csv"']
    >>> with through("shell"): [option("open", True), option("data", ""), option("split-seed", 7)]
    ['--open', '--data', '--split-seed 7']
    >>> with through("make"): [option("open", True), option("data", ""), option("split-seed", 7)]
    ['OPEN=1', 'DATA=', 'SPLIT_SEED=7']
    >>> with through("make"): print(option("leave", ["a", "b, c"]), option("leave", []))
    LEAVE='a,"b, c"' LEAVE=''
    >>> with through("shell"): option("space", ("C=1..9", "kernel=rbf,linear"))
    '--space C=1..9 --space kernel=rbf,linear'
    >>> with through("make"): option("space", ("C=1..9", "kernel=rbf,linear"))
    "SPACE='C=1..9; kernel=rbf,linear'"
    """
    if name in SEVERAL and isinstance(value, tuple) and _door == "shell":
        return " ".join(option(name, one) for one in value)
    if name in SEVERAL and isinstance(value, tuple) and _door == "make":
        return option(name, "; ".join(value))
    if _door == "python":
        name, text = ARGUMENTS.get(name, name).replace("-", "_"), _python(value)
        return name if value is None else f"{name}=" if value == "" else f"{name}={text}"
    is_list = isinstance(value, list | tuple)
    text = shlex.quote(_csv(value) if is_list else str(int(value) if isinstance(value, bool) else value))
    if "." in name:
        return f"{name}={text}"
    if _door == "make":
        name, text = name.replace("-", "_").upper(), text.replace("$", "$$")
        return name if value is None else f"{name}=" if value == "" else f"{name}={text}"
    return f"--{name}" if value in (None, "") or value is True else f"--{name} {text}"


def _csv(names: Sequence[str]) -> str:
    """Names of columns as they are typed: with commas between them, in quotes where a name holds one."""
    quoted = ['"' + name.replace('"', '""') + '"' if set(name) & set(',"[\n\r') else name for name in names]
    return ",".join(quoted)


def _python(value: Any) -> str:
    """A value as Python's own text, with double quotes where they do."""
    if isinstance(value, Name):
        return value
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_python(key)}: {_python(item)}' for key, item in value.items())}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_python, value))}{',' * (len(value) == 1)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_python, value))}]"
    plain = isinstance(value, str) and value.isprintable() and not set(value) & set('"\\')
    return f'"{value}"' if plain else repr(value)


def options(**values: Any) -> str:
    """Several options, as the reader types them.

    >>> options(data="my.csv", target="y")
    'data="my.csv", target="y"'
    """
    return (", " if _door == "python" else " ").join(option(*pair) for pair in values.items())


def nearest(word: str, known: Sequence[str]) -> str:
    """'did you mean X?' for the closest known word, or the list of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}."


def shown(value: object) -> str:
    """A value in a sentence, cut where it is longer than one."""
    try:
        text = repr(value)
    except ValueError:  # a whole number may have more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:60]}..."
