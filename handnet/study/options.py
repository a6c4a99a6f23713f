"""The options of a study: which setting each is, and how they become settings and a table.

The import is light, because the help of a command reads the table of options."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.messages import Refusal, nearest, option

if TYPE_CHECKING:
    from handnet.data import Dataset
    from handnet.study.settings import Settings

MANY = 20_000  # rows of a table from which on fresh divisions would take most of the time, and move little
# option -> the setting it overrides, what it takes, and what it means
OPTIONS = {
    "trials": ("search.trials", "N", "configurations to try"),
    "seeds": ("search.seeds", "N", "search seeds each configuration is trained with"),
    "confirm": ("confirm.seeds", "N", "fresh seeds the winner is confirmed on"),
    "design": ("search.design", "NAME", "tpe, or sobol: points fixed beforehand"),
    "backend": ("backend.name", "NAME", "what does the arithmetic: compiled, numpy or keras"),
    "dtype": ("backend.dtype", "NAME", "float32 or float64"),
    "engine": ("backend.engine", "NAME", "what Keras runs on: tensorflow or jax"),
    "device": ("backend.device", "NAME", "auto, cpu or gpu"),
    "split-seed": ("split.seed", "N", "of the train/val/test split"),
    "stratify": ("split.stratify", "0|1", "whether every part has the classes in the same shares"),
    "splits": ("rehearsal.splits", "N", "fresh divisions of the table, after the opening; 0 for none"),
    "ideal": ("rehearsal.ideal", "1", "search anew inside each of them (minutes)"),
    "score": ("verdict.score", "NAME", "that decides the verdict, fixed before the test is opened"),
    "equal": ("verdict.equal", "X", "difference up to which two methods count as equal, as in 0.01"),
    "prevalence": (
        "report.prevalence",
        "SHARE",
        "of class 1 where the models are used; also after the opening",
    ),
    "tolerance": (
        "report.tolerance",
        "X",
        "by which a guessed number may be off, in its unit; also after the opening",
    ),
    "looks": (
        "report.looks",
        "K",
        "looks at the test whose price is told, or ledger; also after the opening",
    ),
    "unit-timeout": ("units.timeout", "SECONDS", "that one fit of a model may take before it is killed"),
    "unit-memory": ("units.memory", "GIB", "of memory that one fit of a model may have"),
    "data": (
        "data.path",
        "FILE",
        "a table of your own, a CSV, TSV or Parquet file; or wine, digits, diabetes, wisconsin",
    ),
    "target": ("data.target", "COLUMN", "its column that the models are to tell: labels, or numbers"),
    "positive": ("data.positive", "LABEL", "of two labels the one that is class 1"),
    "task": ("data.task", "NAME", "what the target is, classes or number, if that is not found out"),
    "id": ("data.id", "COLUMN", "its column of case ids; without it, row numbers from 0"),
    "group": (
        "data.group",
        "COLUMN",
        "its column that says which rows belong together: they stay in one part",
    ),
    "missing": (
        "data.missing",
        "WAY",
        "median: gaps are filled from the train rows and marked; drop: left out",
    ),
    "leave": ("data.leave", "COLUMNS", "its columns that are left out, as in a,b"),
    "text": ("data.text", "COLUMNS", "its columns that are text, whatever they hold"),
    "number": (
        "data.number",
        "COLUMNS",
        "its columns that are numbers: % and units are taken off, words become gaps",
    ),
    "separator": ("data.separator", "MARK", "what stands between its cells, if that is not found out"),
    "decimal": ("data.decimal", "MARK", "its decimal mark, a point or a comma"),
    "encoding": ("data.encoding", "NAME", "of the file, as in latin-1"),
}


def overrides(options: Mapping[str, Any]) -> dict[str, str]:
    """Dotted key -> text of every setting that is named by an option, or in the list `set` as key=value.

    Raises Refusal for an assignment without a value."""
    chosen = {key: options.get(name.replace("-", "_")) for name, (key, *_) in OPTIONS.items()}
    texts = {key: str(value) for key, value in chosen.items() if value is not None}
    if (table := texts.pop("data.path", None)) is not None:
        texts |= named_table(table)
    for assignment in options.get("set", ()):
        key, equals, value = assignment.partition("=")
        if not equals:
            raise Refusal(f"{option('set')} wants key=value, but got {assignment!r}.")
        texts[key] = value
    return texts


def named_table(name: str) -> dict[str, str]:
    """The setting that is a table's name: that of a built-in one, or the path of a file.

    Raises Refusal for a word that is neither."""
    from handnet.data import DATASETS

    if name and name not in DATASETS and not Path(name).suffix and not Path(name).exists():
        raise Refusal(
            f"there is no file and no built-in table of the name {name!r}: {nearest(name, list(DATASETS))}"
        )
    return {"data.name" if name in DATASETS else "data.path": name}


def settings_and_table(
    chosen: Mapping[str, str],
    file: str | Path | None,
    say: Callable[[str], None] | None = None,
    models: Sequence[Mapping[str, Any]] = (),
) -> "tuple[Settings, Dataset]":
    """The settings of a study, and its table.

    A large table is divided anew only on request.

    chosen: dotted key -> text. file: a settings file to lay over the defaults. say: is called with that,
    which goes to stderr unless it is given. models: the tables of that name, as the settings have them; those
    of the file unless given. Raises Refusal.
    """
    from handnet.study.reading import load, read

    settings = read(chosen, Path(file) if file else None, models)
    data, again = load(settings), settings.rehearsal
    settings = settings.decided(len(data.class_names))
    if len(data.y) > MANY and again.splits and "rehearsal.splits" not in chosen:
        sentence = (
            f"{settings.data.name}: more than {MANY} rows, so no fresh divisions and no band over them;"
            f" {option('splits', again.splits)} makes them."
        )
        (say or partial(print, file=sys.stderr))(sentence)
        settings = settings.changed(rehearsal={"splits": 0})
    return settings, data


def settings_section() -> tuple[str, list[tuple[str, str]]]:
    """Every setting with its default and what default.toml says of it, for the help of a study."""
    from importlib.resources import files

    rows, table = [], ""
    for line in files("handnet.study").joinpath("default.toml").read_text(encoding="utf-8").splitlines():
        if header := re.match(r"\[(.*)\]", line):
            table = header[1]
        elif (entry := re.match(r"(\w+) = ([^#]*?) *(?:# (.*))?$", line)) and table:
            rows.append((f"{table}.{entry[1]}", "; ".join(filter(None, entry.groups()[1:]))))
    return "Settings, their defaults", rows
