"""What a word of a command names: a table of predictions, an MLflow experiment, a study, or a model."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.messages import Refusal, again, nearest
from handnet.predictions.columns import Columns
from handnet.predictions.form import Results
from handnet.predictions.joined import joined, name_apart
from handnet.tables.dialect import Dialect

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "mlflow:"
TABLES = {".csv", ".tsv", ".txt", ".dat", ".parquet", ".pq", ".arff"}
Tick = Callable[[int, int], object]  # called with how much is read, and how much there is


def _silent(_what: str) -> AbstractContextManager[Tick]:
    """No progress is shown."""
    return nullcontext(lambda _done, _total: None)


@dataclass(frozen=True)
class Reading:
    """How sources are read.

    columns: the names of columns; dialect: how text files are written, None where that is found out;
    tracked: arguments of `from_mlflow`; home: the folder of the studies; progress: makes a bar of a source,
    as a context that gives a Tick.
    """

    columns: Columns = field(default_factory=Columns)
    dialect: Dialect | None = None
    tracked: Mapping[str, Any] = field(default_factory=dict)
    home: Path = Path("mlruns")
    progress: Callable[[str], AbstractContextManager[Tick]] = _silent


def read_words(words: Sequence[str], reading: Reading) -> tuple[Results, list[str]]:
    """The results that words name, and the models among them that words name.

    A word is a file, a folder of files, mlflow:EXPERIMENT or the name of a study; any other one is a model of
    these. Raises Refusal where it is none of them.
    """
    read = _read(words, reading)
    results = joined(list(read.values()))
    return results, [_model_named(results, word) for word in words if word not in read]


def read_sides(words: Sequence[str], sides: Mapping[str, str], reading: Reading) -> tuple[Results, list[str]]:
    """The results that words name, and the models that are compared.

    sides: what each option names: a model of these results, or a source with one model, which is read too.
    Raises Refusal where it is neither.
    """
    read = _read([*words, *sides.values()], reading)
    results = joined(list(read.values()))
    for word in words:
        if word not in read:
            _model_named(results, word)
    models = []
    for role, word in sides.items():
        if word in read:
            better = {"sources": list(dict.fromkeys([*words, word])), role: read[word].models[0]}
            alone = _only_model(read[word], word, better)
            apart = name_apart(read[word], alone)
            models.append(apart if apart in results.models else alone)
        else:
            models.append(_model_named(results, word))
    return results, models


def _read(words: Sequence[str], reading: Reading) -> dict[str, Results]:
    """The results of each word that names a source. Raises Refusal where none does."""
    read = {
        word: read_source(word, reading) for word in dict.fromkeys(words) if is_source(word, reading.home)
    }
    if not read:
        raise Refusal(_no_source(list(dict.fromkeys(words)), reading.home))
    return read


def _only_model(results: Results, word: str, better: Mapping[str, Any]) -> str:
    """The model of a source that has one alone. Raises Refusal where it has several.

    better: options that name one of them."""
    if len(results.models) > 1:
        raise Refusal(
            f"{word} holds the models {', '.join(results.models)}; name the source first and then one of"
            f" them, as in {again(**better)}."
        )
    return results.models[0]


def _model_named(results: Results, word: str) -> str:
    """The model of this name. Raises Refusal otherwise."""
    if word in results.models:
        return word
    raise Refusal(
        f"{word!r} is no file, no study and no model of {results.source}:"
        f" {nearest(word, list(results.models))}"
    )


def is_source(word: str, home: Path) -> bool:
    """Whether a word names a source, which may be missing."""
    path = Path(word)
    return bool(word) and (
        word.startswith(PREFIX)
        or path.suffix.lower() in TABLES
        or path.is_file()
        or _is_study(word, home)
        or (path.is_dir() and any(file.suffix.lower() in TABLES for file in path.iterdir()))
    )


def read_source(word: str, reading: Reading) -> Results:
    """One source. Raises Refusal where it cannot be read."""
    with reading.progress(f"read {Path(word).name}") as tick:
        if word.startswith(PREFIX):
            from handnet.predictions.tracked import from_mlflow

            name = word.removeprefix(PREFIX)
            return from_mlflow(name, columns=reading.columns, tick=tick, **reading.tracked)
        if _is_study(word, reading.home) and not Path(word).exists():
            from handnet.predictions.own import from_study

            return from_study(word, reading.home)
        if Path(word).is_dir():
            from handnet.predictions.folder import read_folder

            return read_folder(Path(word), reading.columns, tick)
        return read_path(Path(word), reading.columns, tick, reading.dialect)


def read_path(
    path: Path, columns: Columns, tick: Tick = lambda _done, _total: None, dialect: Dialect | None = None
) -> Results:
    """A file of predictions, or of one score a seed. Raises Refusal where it is neither."""
    from handnet.predictions.files import read_table

    frame, notes = read_table(path, columns, tick, dialect)
    results = read_either(frame, columns, str(path))
    return replace(results, notes=(*notes, *results.notes))


def read_either(frame: "pd.DataFrame", columns: Columns, source: str) -> Results:
    """A table of predictions, or of one score a seed. Raises Refusal where it is neither."""
    import pandas as pd

    from handnet.predictions.score_columns import holds_scores
    from handnet.predictions.score_table import read_scores
    from handnet.predictions.table import read_frame

    if not isinstance(frame, pd.DataFrame):
        raise Refusal(f"{source} must be a DataFrame, but is of the type {type(frame).__name__}.")
    read = read_scores if holds_scores(list(map(str, frame.columns)), columns) else read_frame
    return read(frame, columns, source)


def _is_study(word: str, home: Path) -> bool:
    return "/" not in word and bool(word) and (home / "studies" / word).is_dir()


def _no_source(words: Sequence[str], home: Path) -> str:
    """Why there is nothing to read."""
    studies = [path.name for path in sorted((home / "studies").glob("*")) if path.is_dir()]
    known = f"; {home} holds the studies {', '.join(studies)}" if studies else ""
    wanted = "a table of predictions (.csv, .parquet), mlflow:EXPERIMENT or the name of a study is wanted"
    if not words:
        return f"which results? {wanted[0].upper()}{wanted[1:]}{known}."
    name = "names" if len(words) == 1 else "name"
    return f"{' and '.join(map(repr, words))} {name} no results: {wanted}{known}."
