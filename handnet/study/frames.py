"""A table in memory, written as a file for a study: whoever reads the study needs it again."""

from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from handnet.data import DATASETS, Dataset, families_of
from handnet.messages import Refusal
from handnet.study.folder import write_whole

FOLDER = "tables"  # below the folder of studies
TARGET, CASE, GROUP = "class label", "case id", "group"  # columns of a Dataset's file


def as_file(
    table: pd.DataFrame | Dataset, home: Path, options: Mapping[str, object]
) -> tuple[str, dict[str, object]]:
    """Write a table to `home` once, as a Parquet file named by its content. A built-in Dataset needs none.

    options: those of a study, by name. Returns the path (or the name of the built-in table) and the options
    that describe it. Raises Refusal for anything but a DataFrame or a Dataset."""
    if isinstance(table, pd.DataFrame):
        return _written(table, home), dict(options)
    if not isinstance(table, Dataset):
        raise Refusal(
            "data must be a DataFrame, a Dataset, the path of a file or the name of a built-in table, but is"
            f" of the type {type(table).__name__}."
        )
    described = [name for name in ("target", "positive", "id", "group") if options.get(name) is not None]
    if described:
        raise Refusal(f"a Dataset knows its labels and ids; leave {', '.join(described)} out.")
    for name, make in DATASETS.items():
        if table.name == name and make().digest == table.digest:
            return name, dict(options)
    columns: dict[str, object] = {"target": TARGET, "positive": table.class_names[1], "id": CASE}
    columns |= {"group": GROUP} if table.groups is not None else {}
    columns |= {"missing": table.missing} if table.missing else {}
    if table.families != families_of(table.feature_names) and options.get("families") is None:
        columns["families"] = {
            family: [
                name for name, of in zip(table.feature_names, table.families, strict=True) if of == family
            ]
            for family in table.families
        }
    return _written(_frame(table), home), {**options, **columns}


def _frame(table: Dataset) -> pd.DataFrame:
    """The Dataset as `read_table` reads it: texts for levels, names for classes."""
    reserved = {TARGET, CASE, GROUP} & set(table.feature_names)
    if reserved:
        raise Refusal(f"a column of the Dataset may not be called {', '.join(sorted(reserved))}.")
    frame = pd.DataFrame(table.X, columns=list(table.feature_names))
    for name, texts in table.levels.items():
        frame[name] = [None if np.isnan(code) else texts[int(code)] for code in frame[name]]
    frame[TARGET] = np.array(table.class_names)[table.y]
    frame[CASE] = table.case_ids.astype("U")
    if table.groups is not None:
        frame[GROUP] = [f"{group:020d}" for group in table.groups]
    return frame


def _written(frame: pd.DataFrame, home: Path) -> str:
    content = BytesIO()
    try:
        frame.set_axis([str(name) for name in frame.columns], axis=1).to_parquet(content, index=False)
    except (TypeError, ValueError) as fault:  # pyarrow's errors are ValueErrors
        raise Refusal(
            f"the DataFrame cannot be written as a table: {' '.join(str(fault).split())[:200]}"
        ) from None
    name = sha256(content.getvalue()).hexdigest()[:12]
    path = home / FOLDER / f"table-{name}.parquet"
    if not path.exists():
        write_whole(path, content.getvalue())
    return str(path)
