"""A table in memory, written as a file for a study: whoever reads the study needs it again."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import DATASETS, Dataset, families_of
from handnet.messages import Refusal
from handnet.study.files import write_whole
from handnet.study.folder import prepare
from handnet.study.typed import column_names

Check = Callable[[str, Mapping[str, object]], object]
FOLDER = "tables"  # below the folder of studies
TARGET, CASE, GROUP = (
    "class label",
    "case id",
    "group",
)  # columns of a Dataset's file; a number keeps its name


@contextmanager
def written(
    table: pd.DataFrame | Dataset, home: Path, options: Mapping[str, object], check: Check
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """What `as_file` gives. A file it has just written is removed when a Refusal leaves the block, which then
    speaks of the table instead."""
    before = set((home / FOLDER).glob("*.parquet"))
    path, described = as_file(table, home, options, check)
    try:
        yield path, described
    except Refusal as fault:
        if Path(path).parent != home / FOLDER or Path(path) in before:
            raise
        Path(path).unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            (home / FOLDER).rmdir()
        sentence = fault.sentence.replace(str(Path(path).absolute()), f"the {type(table).__name__}")
        raise Refusal(sentence, fault.code, fault.lines) from None


def as_file(
    table: pd.DataFrame | Dataset,
    home: Path,
    options: Mapping[str, object],
    check: Check = lambda _path, _options: None,
) -> tuple[str, dict[str, object]]:
    """Write a table to `home` once, as a Parquet file named by its content. A built-in Dataset needs none.

    options: those of a study, by name. check: called with what is returned, before anything is written; may
    raise Refusal. Returns the path (or the name of the built-in table) and the options
    that describe it. Raises Refusal for anything but a DataFrame or a Dataset."""
    if isinstance(table, pd.DataFrame):
        return _write(table, home, options, check)
    if not isinstance(table, Dataset):
        raise Refusal(
            "data must be a DataFrame, a Dataset, the path of a file or the name of a built-in table, but is"
            f" of the type {type(table).__name__}."
        )
    described = [
        name
        for name in ("target", "positive", "task", "id", "group", "text", "number")
        if options.get(name) is not None
    ]
    if described:
        raise Refusal(f"a Dataset knows its columns, labels and ids; leave {', '.join(described)} out.")
    for name, make in DATASETS.items():
        if table.name == name and make().digest == table.digest:
            return name, dict(options)
    columns = _described(table, options)
    return _write(_frame(table), home, {**options, **columns}, check)


def _described(table: Dataset, options: Mapping[str, object]) -> dict[str, object]:
    """The options that describe the file of a Dataset."""
    columns: dict[str, object] = {"target": _target(table), "id": CASE}
    two = len(table.class_names) == 2
    columns |= {"positive": table.class_names[1]} if two else {}
    columns["task"] = "classes" if table.class_names else "number"
    columns |= {"group": GROUP} if table.groups is not None else {}
    columns |= {"missing": table.missing} if table.missing else {}
    left: Any = options.get("leave") or ()
    kept = set(table.feature_names) - set(column_names(left) if isinstance(left, str) else left)
    columns["text"] = [name for name in table.levels if name in kept]
    columns["number"] = [name for name in table.feature_names if name in kept - table.levels.keys()]
    if table.families != families_of(table.feature_names) and options.get("families") is None:
        columns["families"] = {
            family: [
                name for name, of in zip(table.feature_names, table.families, strict=True) if of == family
            ]
            for family in table.families
        }
    return columns


def _target(table: Dataset) -> str:
    """The column of the file that is the target."""
    return TARGET if table.class_names else table.target or "target"


def _frame(table: Dataset) -> pd.DataFrame:
    """The Dataset as `read_table` reads it: texts for levels, names for classes."""
    reserved = {_target(table), CASE, GROUP} & set(table.feature_names)
    if reserved:
        raise Refusal(f"a column of the Dataset may not be called {', '.join(sorted(reserved))}.")
    frame = table.frame(np.arange(len(table.y)))
    labels: Any = np.array(table.class_names)[table.y] if table.class_names else table.y
    if len(table.class_names) > 2:  # of two the positive label tells which is class 1
        labels = pd.Categorical(labels, list(table.class_names), ordered=True)
    frame[_target(table)] = labels
    frame[CASE] = table.case_ids.astype("U")
    if table.groups is not None:
        frame[GROUP] = [f"{group:020d}" for group in table.groups]
    return frame


def _write(
    frame: pd.DataFrame, home: Path, options: Mapping[str, object], check: Check
) -> tuple[str, dict[str, object]]:
    import pyarrow as pa
    from pyarrow import parquet

    content = BytesIO()
    try:
        named = frame.set_axis([str(name) for name in frame.columns], axis=1)
        table = pa.Table.from_pandas(named, preserve_index=False).replace_schema_metadata(None)
        parquet.write_table(table, content)
        path = home / FOLDER / f"table-{_content_hash(table)[:12]}.parquet"
    except (TypeError, ValueError, OverflowError, pa.ArrowException) as fault:
        raise Refusal(
            f"the DataFrame cannot be written as a table: {' '.join(str(fault).split())[:200]}"
        ) from None
    check(str(path), options)
    if not path.exists():
        prepare(home)
        write_whole(path, content.getvalue())
    return str(path), dict(options)


def _content_hash(table: Any) -> str:
    """SHA-256 of the names, types and values of a table of Arrow: no version of a library is in it.

    Arrow has several types of text, and pandas chooses between them by its version."""
    digest = sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = re.sub("large_|_view", "", str(column.type))
        digest.update(repr((name, kind, column.to_pylist())).encode())
    return digest.hexdigest()
