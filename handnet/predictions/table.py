"""A table of predictions, one row a model, division, seed and case, to Results or to one sentence."""

import pandas as pd

from handnet.data import Array
from handnet.messages import Refusal, option
from handnet.predictions.blocks import Grids
from handnet.predictions.cells import NoNumber, numbers
from handnet.predictions.columns import Columns, Found, find
from handnet.predictions.form import Results
from handnet.predictions.outputs import read_prediction
from handnet.predictions.rows import Rows, check_constant, rows_of
from handnet.predictions.truth import labels_of
from handnet.tables.header import check_names
from handnet.tasks import task_of

UNSET = Columns()


def read_frame(frame: pd.DataFrame, columns: Columns = UNSET, source: str = "the table") -> Results:
    """The results in a table with a row a model, division, seed and case.

    columns: the names of its columns where they are not the usual ones; source: what the table is called in
    sentences. Cases, seeds, divisions and models stand in the order in which the table first has them.

    Raises Refusal, one sentence with the row, for what cannot be judged.
    """
    try:
        return _read(frame, columns, source)
    except Refusal as fault:
        raise Refusal(f"{source}: {fault.sentence}", fault.code, fault.lines) from None


def _read(frame: pd.DataFrame, columns: Columns, source: str) -> Results:
    """What `read_frame` gives."""
    frame = _checked(frame)
    found = find(list(frame.columns), columns)
    rows = rows_of(frame, found)
    judged = rows.part.codes != rows.part.texts.index("train") if len(rows.part.texts) > 1 else None
    if judged is not None and not judged.all():
        frame, rows = frame[judged], rows.of(judged)
    name, kind = found.places["y"], found.kind
    labels = None if kind == "yhat" else labels_of(frame[name], columns.positive, _named(found))
    y = labels.classes() if labels else _number(frame, rows, name)
    names = labels.names if labels else ()
    check_constant(rows, y, rows.case.codes, "truth", name, lambda one: names[one] if names else f"{one:g}")
    prediction = read_prediction(frame, rows, kind, found.columns, labels)
    grids = Grids(rows, y, None, prediction, {})
    predicted = tuple(grids)
    notes = (*rows.notes, *(labels.notes if labels else ()), *prediction.notes)
    target = "" if labels else columns.target or name
    return Results(source, task_of(len(names)), names, predicted, (), target, kind == "label", notes)


def _named(found: Found) -> list[str]:
    """The labels that columns of the prediction are called by."""
    return [label for label in found.columns if label]


def _checked(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its rows numbered from 1 and a name for each column."""
    if not isinstance(frame, pd.DataFrame):
        raise Refusal(f"a table is a DataFrame, but got {type(frame).__name__}.")
    frame = frame.set_axis([str(name).strip() for name in frame.columns], axis=1)
    try:
        check_names(list(frame.columns))
    except ValueError as fault:
        raise Refusal(str(fault)) from None
    if frame.empty:
        raise Refusal("the table is empty; it needs a row a case, with the truth and a prediction.")
    if frame.index.name != "line":
        frame = frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="row"), axis=0)
    return frame


def _number(frame: pd.DataFrame, rows: Rows, name: str) -> Array:
    """(n,) the truth where it is a number."""
    try:
        return numbers(frame[name])
    except NoNumber as fault:
        raise Refusal(
            f"the truth {name!r} is {fault.text!r} in {rows.at(fault.row)}, and the guess of a number is"
            f" judged by a number; if both are labels, name the prediction with {option('label', '')}."
        ) from None
