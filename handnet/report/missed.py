"""Which cases are called wrong, and by how many seeds, as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from handnet.explain import doubt
from handnet.judge import Judge


def judged_facts(judge: Judge, classes: Sequence[str], target: str) -> dict[str, Any]:
    """What counts as wrong: the task, its classes, or its target with tolerance and deviation."""
    return {
        "task": judge.task,
        "classes": list(classes),
        "target": target,
        "tolerance": judge.tolerance,
        "deviation": judge.deviation,
    }


def missed_facts(table: pd.DataFrame, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The cases of a table of `case_table` that some seed calls wrong, the most often missed first."""
    return [case_record(row, classes) for row in table[table["misses"] > 0].to_dict("records")]


def doubt_facts(table: pd.DataFrame, judge: Judge) -> dict[str, Any]:
    """How many cases of a table are missed by most seeds, and by some; see `Doubt`."""
    return {**doubt(table)._asdict(), "tolerance": judge.tolerance}


def case_record(row: Mapping[Any, Any], classes: Sequence[str]) -> dict[str, Any]:
    """A row of a case table as plain JSON values; classes by name, None where there is none."""
    labels = {name: int(row[name]) for name in ("class", "wrong_class") if name in row}
    named = {name: None if label < 0 else classes[label] for name, label in labels.items()}
    return {str(name): value for name, value in row.items()} | {"case": str(row["case"])} | named
