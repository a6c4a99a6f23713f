"""Rows as a CSV file that is read back exactly, and in which a spreadsheet runs nothing."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet begins a formula


def csv_of(rows: Iterable[Mapping[Any, Any]]) -> bytes:
    """Rows as a CSV file with a column for every name, as MLflow's pages and spreadsheets show it.

    A number is written so that it is read back exactly. A text that a spreadsheet would run as a formula gets
    a quote before it."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else repr(float(value))
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
