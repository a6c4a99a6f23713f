"""A table with one score a seed and nothing of the cases, long or wide, to results."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from handnet.data import Array, listed
from handnet.messages import Refusal, option
from handnet.predictions.cells import NoNumber, coded, numbers
from handnet.predictions.columns import Columns
from handnet.predictions.form import PART, SPLIT, Results, Scored
from handnet.predictions.metrics import Metric, metric_of
from handnet.predictions.scalars import numbers_of
from handnet.predictions.score_columns import USUAL_NAMES, places_of, scores_of, tall_of, wide_of
from handnet.predictions.table import checked
from handnet.tables.cells import shown


class Cell(NamedTuple):
    """One score in a table: whose it is, and the row it stands in."""

    model: str
    split: str
    part: str
    seed: str  # "" for a model without one
    metric: str
    value: float
    n: int | None
    others: int | None
    row: object


NEEDS = "a table of scores has a row a seed, with its model and its scores"


def read_scores(frame: pd.DataFrame, columns: Columns = USUAL_NAMES, source: str = "the table") -> Results:
    """The results in a table with a row a model, division and seed, and a column a score.

    Any column of numbers that is nothing else is a score. Two more forms are read: a row a score, whose name
    stands in a column ("metric") beside its value; and with `columns.wide` a column a seed. A score that is
    missing counts as that of a seed that diverged.

    columns: the names of its columns where they are not the usual ones; source: what the table is called in
    sentences. Raises Refusal, one sentence, for what cannot be scores.
    """
    try:
        return _read(checked(frame, NEEDS), columns, source)
    except Refusal as fault:
        raise Refusal(f"{source}: {fault.sentence}", fault.code, fault.lines) from None


def _read(frame: pd.DataFrame, columns: Columns, source: str) -> Results:
    """What `read_scores` gives."""
    names = list(frame.columns)
    wide = wide_of(names, columns)
    tall = tall_of([name for name in names if name not in wide.values()], columns)
    places = places_of([name for name in names if name not in {*wide.values(), *tall}], columns)
    if wide and "seed" in places:
        raise Refusal(
            f"the column {places['seed']!r} and {option('wide')} both tell the seeds; leave one out."
        )
    notes = list[str]()
    if wide:
        scores = _of_seeds(frame, places, wide, tall, columns)
    elif len(tall) == 2:
        scores = _of_names(frame, places, *tall, columns)
    else:
        scores = _of_columns(frame, places, scores_of(frame, places, columns, notes), columns)
    held = _held(list(scores))
    return Results(source, None, (), (), tuple(_scored(held, notes)), notes=tuple(notes))


# The three forms, each to cells


def _of_columns(
    frame: pd.DataFrame, places: Mapping[str, str], scores: Mapping[str, Metric], columns: Columns
) -> Iterator[Cell]:
    """A column a score."""
    for name, metric in scores.items():
        values = _values(frame[name], metric, name)
        yield from _cells(frame, places, columns, metric, values)


def _of_names(
    frame: pd.DataFrame, places: Mapping[str, str], name: str, value: str, columns: Columns
) -> Iterator[Cell]:
    """A row a score."""
    called = coded(frame[name])
    if (called.codes < 0).any():
        raise Refusal(
            f"the name of a score is missing in {name!r}, row {frame.index[int(called.codes.argmin())]}."
        )
    for code, text in enumerate(called.texts):
        rows, metric = frame[called.codes == code], metric_of(text)
        yield from _cells(rows, places, columns, metric, _values(rows[value], metric, value))


def _of_seeds(
    frame: pd.DataFrame,
    places: Mapping[str, str],
    wide: Mapping[str, str],
    tall: Sequence[str],
    columns: Columns,
) -> Iterator[Cell]:
    """A column a seed."""
    said = columns.scores if isinstance(columns.scores, str) else ""
    for seed, name in wide.items():
        rows = frame.assign(**{"seed of this column": seed})
        kept = {**places, "seed": "seed of this column"}
        if tall:
            yield from _of_names(rows, kept, tall[0], name, columns)
        else:
            metric = metric_of(said or "score")
            yield from _cells(rows, kept, columns, metric, _values(rows[name], metric, name))


def _values(column: "pd.Series[Any]", metric: Metric, name: str) -> Array:
    """(n,) the values of a score."""
    try:
        values = numbers(column)
    except NoNumber as fault:
        raise Refusal(
            f"the score {name!r} holds {shown(fault.text)} in row {column.index[fault.row]}, which is no"
            " number; correct it, or leave it empty where a seed has no score."
        ) from None
    return numbers_of(values, metric, f"the scores in {name!r}")


def _cells(
    frame: pd.DataFrame, places: Mapping[str, str], columns: Columns, metric: Metric, values: Array
) -> Iterator[Cell]:
    """The cells of one score; those of train rows are left out."""
    n = len(frame)
    parts = _texts(frame, places, "part", metric.part or PART)
    kept = [metric_of(f"{part}_accuracy").part or part for part in parts]
    trained = str(columns.n_train)
    others = _sizes(frame, places.get("n_train"), int(trained) if trained.isdecimal() else None)
    rows = zip(
        _texts(frame, places, "model", "model"),
        _texts(frame, places, "split", SPLIT),
        kept,
        _texts(frame, places, "seed", ""),
        [metric.name] * n,
        values.tolist(),
        _sizes(frame, places.get("n")),
        others,
        frame.index,
        strict=True,
    )
    yield from (Cell(*row) for row in rows if row[2] != "train")


def _texts(frame: pd.DataFrame, places: Mapping[str, str], purpose: str, default: str) -> list[str]:
    """The texts of a column; the default where there is none, and for a seed that is missing."""
    if purpose not in places:
        return [default] * len(frame)
    cells = coded(frame[places[purpose]])
    if (cells.codes < 0).any() and purpose != "seed":
        row = frame.index[int(cells.codes.argmin())]
        raise Refusal(f"the {purpose} is missing in {places[purpose]!r}, row {row}; fill it in.")
    return [cells.texts[code] if code >= 0 else default for code in cells.codes]


def _sizes(frame: pd.DataFrame, name: str | None, default: int | None = None) -> list[int | None]:
    """The counts in a column."""
    if name is None:
        return [default] * len(frame)
    try:
        values = numbers(frame[name])
    except NoNumber as fault:
        raise Refusal(f"{name!r} must count rows, but holds {shown(fault.text)}.") from None
    if (values[np.isfinite(values)] < 1).any():
        raise Refusal(f"{name!r} must count rows, but holds {values[np.isfinite(values)].min():g}.")
    return [int(one) if np.isfinite(one) else None for one in values]


# From cells to the form


def _held(cells: Sequence[Cell]) -> dict[tuple[str, str, str], dict[str, dict[str, Cell]]]:
    """(model, split, part) -> seed -> score -> cell."""
    held: dict[tuple[str, str, str], dict[str, dict[str, Cell]]] = {}
    for cell in cells:
        of_seed = held.setdefault((cell.model, cell.split, cell.part), {}).setdefault(cell.seed, {})
        before = of_seed.setdefault(cell.metric, cell)
        if before is not cell:
            raise Refusal(_twice(before, cell))
    if not held:
        raise Refusal("all its scores are of train rows, and say nothing of other cases.")
    return held


def _twice(one: Cell, other: Cell) -> str:
    rows = f"rows {one.row} and {other.row}" if one.row != other.row else f"row {one.row}"
    if not one.seed:
        return (
            f"{one.model} has two scores of {one.metric}, in {rows}, and no column tells them apart; name the"
            f" column of the seed with {option('seed', '')}, or of the division with {option('split', '')}."
        )
    return (
        f"the seed {one.seed} of {one.model} has two scores of {one.metric}, in {rows}; where they are of two"
        f" divisions of the table, name these with {option('split', '')}."
    )


def _scored(
    held: Mapping[tuple[str, str, str], Mapping[str, Mapping[str, Cell]]], notes: list[str]
) -> Iterator[Scored]:
    """The form, with what is missing told."""
    for (model, split, part), seeds in held.items():
        if "" in seeds and len(seeds) > 1:
            raise Refusal(
                f"{model} has scores with a seed and without one; fill in the seed, or name two models."
            )
        names = dict.fromkeys(name for of_seed in seeds.values() for name in of_seed)
        cells = {
            name: np.array([of[name].value if name in of else np.nan for of in seeds.values()])
            for name in names
        }
        scores = {name: values for name, values in cells.items() if np.isfinite(values).any()}
        if not scores:
            raise Refusal(f"{model} has no score at all on {part} rows; remove its rows.")
        for name, values in scores.items():
            lost = [seed for seed, value in zip(seeds, values, strict=True) if np.isnan(value)]
            if lost:
                these = (
                    f"seed {lost[0]}, which counts"
                    if len(lost) == 1
                    else f"seeds {listed(lost)}, which count"
                )
                notes.append(f"{model} has no {name} for the {these} as diverged.")
        sizes = {(cell.n, cell.others) for of in seeds.values() for cell in of.values()}
        n, others = sizes.pop() if len(sizes) == 1 else (None, None)
        yield Scored(model, split, part, tuple(filter(None, seeds)), scores, n, others)
