"""Which column of a table of scores is what."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from handnet.data import listed
from handnet.messages import Refusal, option
from handnet.predictions.cells import are_numbers
from handnet.predictions.columns import KINDS, Columns
from handnet.predictions.metrics import NO_SCORES, Metric, metric_of
from handnet.predictions.names import USUAL, plain, starred, there, usual

PLACES = ("model", "split", "seed", "part", "n_train")
CASES = "n n_test n_cases test_size".split()  # what the number of test cases is called
METRIC = "metric metric_name score_name scorer measure".split()  # a column with the names of scores
VALUE = "value metric_value score result".split()  # and the one with their values
USUAL_NAMES = Columns()


def holds_scores(names: Sequence[str], columns: Columns = USUAL_NAMES) -> bool:
    """Whether a table with columns of these names holds scores, and no predictions of single cases."""
    if columns.scores:
        return True
    if (
        columns.y
        or any(columns.said(kind) for kind in KINDS)
        or any(plain(name) in USUAL["y"] for name in names)
    ):
        return False
    metrics = [metric_of(name) for name in names]
    return (
        bool(columns.wide)
        or any(one.known or one.higher is not None for one in metrics)
        or tall_of(names) != ()
    )


def places_of(names: Sequence[str], columns: Columns) -> dict[str, str]:
    """Purpose -> column."""
    said, found = {columns.said(purpose) for purpose in PLACES}, dict[str, str]()
    for purpose in PLACES:
        asked = columns.said(purpose)
        name = there(asked, purpose, names) if asked else usual(purpose, names, said)
        found |= {purpose: name} if name else {}
    cases = [name for name in names if plain(name) in CASES and name not in found.values()]
    return found | ({"n": cases[0]} if cases else {})


def wide_of(names: Sequence[str], columns: Columns) -> dict[str, str]:
    """Seed -> its column, of a table with a column a seed."""
    said = columns.wide
    if not said:
        return {}
    if isinstance(said, str) and "*" in said:
        return starred(said, "wide", names)
    given = next(csv.reader([said], skipinitialspace=True)) if isinstance(said, str) else list(said)
    return {name: there(name, "wide", names) for name in given}


def tall_of(names: Sequence[str], columns: Columns = USUAL_NAMES) -> tuple[str, ...]:
    """The column with the names of scores, and that of their values where there is one; else nothing."""
    metric = [name for name in names if plain(name) in METRIC]
    said = columns.scores if isinstance(columns.scores, str) else ""
    values = [said] if said in names else [name for word in VALUE for name in names if plain(name) == word]
    return (metric[0], *values[:1]) if metric and (values or columns.wide) else ()


def scores_of(
    frame: pd.DataFrame, places: Mapping[str, str], columns: Columns, notes: list[str]
) -> dict[str, Metric]:
    """Column -> the score that it holds."""
    names = [name for name in frame.columns if name not in places.values()]
    said = columns.scores
    if said:
        given = next(csv.reader([said], skipinitialspace=True)) if isinstance(said, str) else list(said)
        chosen = [name for one in given for name in _named(one, names)]
    else:
        keys = {*NO_SCORES, *USUAL["case"], *USUAL["group"]}
        chosen = [
            name
            for name in names
            if metric_of(name).known or (plain(name) not in keys and _is_score(frame[name]))
        ]
    if not chosen:
        raise Refusal(
            f"no column holds scores: beside {listed(map(repr, places.values())) or 'nothing'} there is"
            f" {listed(map(repr, names)) or 'nothing'}; name them with {option('scores', '')}."
        )
    found = {name: metric_of(name) for name in chosen}
    if left := [name for name in names if name not in found]:
        notes.append(f"Columns that hold no score are left out: {listed(map(repr, left))}.")
    read = [
        f"{name!r} as {metric.name}{', turned' * metric.turned}"
        for name, metric in found.items()
        if name != metric.name
    ]
    notes += [f"Read as scores: {listed(read)}."] if read else []
    return found


def _named(said: str, names: Sequence[str]) -> list[str]:
    return list(starred(said, "scores", names).values()) if "*" in said else [there(said, "scores", names)]


def _is_score(column: "pd.Series[Any]") -> bool:
    """Whether a column holds numbers, and not truth values."""
    empty = bool(column.isna().all())
    return not pd.api.types.is_bool_dtype(column.dtype) and not empty and bool(are_numbers(column))
