"""Several tables of predictions as one: a folder of files, as log_predictions writes them without MLflow."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from handnet.data import listed
from handnet.messages import Refusal
from handnet.predictions.columns import Columns
from handnet.predictions.files import read_table
from handnet.predictions.form import Results
from handnet.predictions.table import USUAL_NAMES, read_frame

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
NAMED = 1_000_000  # up to so many rows each is called by its file


def read_folder(
    folder: str | Path,
    columns: Columns = USUAL_NAMES,
    tick: Callable[[int, int], object] = lambda _done, _total: None,
) -> Results:
    """The results in all tables of a folder, as `handnet.log_predictions` writes one for each fit.

    columns: as in `handnet.predictions.table.read_frame`; tick: called with the number of files that are read
    and of all. Raises Refusal, one sentence, for a folder without tables, for tables of different columns,
    and for all that `read_frame` refuses.
    """
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in TABLES)
    if not paths:
        raise Refusal(f"there are no tables of predictions in {folder}; they end in {', '.join(TABLES)}.")
    tables, notes = list[tuple[str, pd.DataFrame]](), dict[str, None]()
    for at, path in enumerate(paths):
        tick(at, len(paths))
        frame, told = read_table(path, columns)
        tables.append((path.name, frame))
        notes |= dict.fromkeys(told)
    tick(len(paths), len(paths))
    check_columns(tables)
    results = read_frame(one_table(tables), columns, str(folder))
    return replace(results, notes=(*notes, *results.notes))


def check_columns(tables: Sequence[tuple[str, pd.DataFrame]]) -> None:
    """Raises Refusal where two tables have different columns. tables: each with what it is called."""
    first, names = tables[0][0], list(tables[0][1].columns)
    for what, table in tables:
        if set(table.columns) != set(names):
            raise Refusal(
                f"{first} has the columns {listed(names)} and {what} {listed(table.columns)}; tables that are"
                " read together have the same columns."
            )


def one_table(tables: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """The rows of all tables, each called by its number and its table."""
    frame = pd.concat([table for _, table in tables], ignore_index=True)
    if len(frame) <= NAMED:
        rows = [f"{row} of {what}" for what, table in tables for row in _numbers(table)]
        frame.index = pd.Index(rows, name="line")
    return frame


def _numbers(table: pd.DataFrame) -> Iterable[object]:
    """The numbers of a table's rows: its lines where it knows them, else from 1."""
    return table.index if table.index.name == "line" else range(1, len(table) + 1)
