"""A table of predictions, one row a model, division, seed and case, to Results or to one sentence."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from handnet.data import Array
from handnet.messages import Refusal, option
from handnet.predictions.blocks import Grids
from handnet.predictions.cells import NoNumber, few_texts, numbers
from handnet.predictions.columns import Columns, Guess, find_guess, find_places, told
from handnet.predictions.form import PART, Predicted, Results
from handnet.predictions.names import PERSONS, plain
from handnet.predictions.outputs import kind_of, read_prediction
from handnet.predictions.outside import check_apart, others_of
from handnet.predictions.rows import Rows, check_constant, group_numbers, rows_of
from handnet.predictions.truth import Labels, labels_of, spellings
from handnet.predictions.wide import long_form
from handnet.tables.header import check_names
from handnet.tasks import task_of

USUAL_NAMES = Columns()
NEEDS = "a table of predictions has a row a case, with its truth and a prediction"


def read_frame(frame: pd.DataFrame, columns: Columns = USUAL_NAMES, source: str = "the table") -> Results:
    """The results in a table with a row a model, division, seed and case.

    Models, divisions, seeds and cases stand in the order in which the table first has them. Train rows are
    counted and otherwise left out.

    columns: the names of its columns where they are not the usual ones; source: what the table is called in
    sentences. Raises Refusal, one sentence that names the row, for what cannot be judged.
    """
    try:
        return _read(frame, columns, source)
    except Refusal as fault:
        raise Refusal(f"{source}: {fault.sentence}", fault.code, fault.lines) from None


def _read(frame: pd.DataFrame, columns: Columns, source: str) -> Results:
    """What `read_frame` gives."""
    frame, columns = long_form(checked(frame, NEEDS), columns)
    places, guess = find(frame, columns)
    rows = rows_of(frame, places, told(places, columns))
    check_apart(rows)
    others = others_of(frame, rows, places, columns)
    trained = rows.are("train")
    if trained.any():
        frame, rows = frame[~trained], rows.of(~trained)
    if not rows.are(PART).any():
        raise Refusal(f"no row is of the part test; the parts are named with {option('part', '')}.")
    guess, notes = _settled(frame, guess, places["y"])
    labels = None if guess.kind == "yhat" else _labels(frame, guess, places["y"], columns)
    y = labels.classes() if labels else _number(frame, rows, places["y"])
    _check_truth(rows, y, places["y"], labels)
    prediction = read_prediction(frame, rows, guess, labels)
    groups = group_numbers(rows, places.get("group", ""))
    grids = Grids(rows, y, groups, prediction, others)
    predicted = tuple(grids)
    _check_varied(grids.constant, [*guess.columns.values()])
    _check_classes(predicted, labels)
    notes = [*rows.notes, *notes, *(labels.notes if labels else ()), *prediction.notes]
    classes = labels.names if labels else ()
    target = "" if labels else columns.target or places["y"]
    hard = guess.kind == "label"
    return Results(source, task_of(len(classes)), classes, predicted, (), target, hard, tuple(notes))


def find(frame: pd.DataFrame, columns: Columns) -> tuple[dict[str, str], Guess]:
    """What the columns of a table are: purpose -> column, and those of the prediction.

    Raises Refusal as `find_places` and `find_guess` do."""
    names = list(frame.columns)
    places = _persons(frame, find_places(names, columns), columns)
    return places, find_guess(names, columns, places, spellings(few_texts(frame[places["y"]])))


def _persons(frame: pd.DataFrame, places: dict[str, str], columns: Columns) -> dict[str, str]:
    """The places, where a column of patients names the cases if no other does and each has one row a fit."""
    name = places.get("group", "")
    if "case" in places or columns.group or plain(name) not in PERSONS:
        return places
    fit = [places[one] for one in ("model", "split", "seed", "part") if one in places]
    if frame.duplicated([*fit, name]).any():
        return places
    return {purpose: column for purpose, column in places.items() if purpose != "group"} | {"case": name}


def checked(frame: pd.DataFrame, needs: str) -> pd.DataFrame:
    """The table with a name for each column, and its rows numbered from 1 where it has no lines.

    needs: what a sentence says of an empty one. Raises Refusal where it is none, or its names are unclear."""
    if not isinstance(frame, pd.DataFrame):
        raise Refusal(f"a table is a DataFrame, but this is of the type {type(frame).__name__}.")
    if frame.columns.nlevels > 1:
        raise Refusal("its columns have names of several levels; join them into one name each.")
    index = [name for name in frame.index.names if name not in (None, "line")]
    frame = frame.reset_index(index) if index and not {*index} & {*frame.columns} else frame
    frame = frame.set_axis([str(name).strip() for name in frame.columns], axis=1)
    try:
        check_names(list(frame.columns))
    except ValueError as fault:
        raise Refusal(str(fault)) from None
    if frame.empty:
        raise Refusal(f"it is empty; {needs}.")
    if frame.index.name != "line":
        frame = frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="row"), axis=0)
    return frame


def _settled(frame: pd.DataFrame, guess: Guess, truth: str) -> tuple[Guess, list[str]]:
    """The prediction with the kind that its cells tell where its name does not, and what is told of that."""
    if guess.kind:
        return guess, []
    name = guess.columns[""]
    kind = kind_of(few_texts(frame[truth]), frame[name], name.lower() in ("yhat", "y_hat"))
    says = {"p": "a probability", "yhat": "a guessed number", "label": "a label"}[kind]
    note = f"The column {name!r} is read as {says}; {option(kind, name)} says so."
    quantiles = guess.quantiles if kind == "yhat" else {}
    return replace(guess, kind=kind, quantiles=quantiles), [note] * (name.lower() != kind)


def _labels(frame: pd.DataFrame, guess: Guess, name: str, columns: Columns) -> Labels:
    """The labels of the truth."""
    guessed = few_texts(frame[guess.columns[""]]) if guess.kind == "label" and "" in guess.columns else None
    named = [label for label in guess.columns if label]
    return labels_of(frame[name], columns.positive, named, guessed.texts if guessed else ())


def _number(frame: pd.DataFrame, rows: Rows, name: str) -> Array:
    """(n,) the truth where it is a number."""
    try:
        return numbers(frame[name])
    except NoNumber as fault:
        raise Refusal(
            f"the truth {name!r} is {fault.text!r} in {rows.at(fault.row)}, and a guessed number is judged by"
            f" a number; if both are labels, name the prediction with {option('label', '')}."
        ) from None


def _check_truth(rows: Rows, y: Array, name: str, labels: Labels | None) -> None:
    """That the truth (n,) is there, and one in all rows of a case; that a number varies."""
    gaps = y < 0 if labels else ~np.isfinite(y)
    if gaps.any():
        raise Refusal(
            f"the truth {name!r} is missing in {rows.at(int(gaps.argmax()))}, and in {gaps.sum()} of"
            f" {len(y)} rows in all; fill it in, or remove the rows of these cases."
        )
    names = labels.names if labels else ()
    check_constant(rows, y, "truth", name, lambda value: names[value] if names else f"{value:.10g}")
    if not labels and y.min() == y.max():
        raise Refusal(f"the truth {name!r} is {y[0]:g} in all rows, so no guess can be told from another.")


def _check_varied(constant: Sequence[bool], names: Sequence[str]) -> None:
    """That not every model says the same of all cases with each seed."""
    if all(constant):
        raise Refusal(
            f"the column {names[0]!r} holds one number for all cases of each seed, and a prediction is one of"
            f" each case; if it is a score, as accuracy or an AUC is, say {option('scores', names[0])}."
        )


def _check_classes(predicted: Sequence[Predicted], labels: Labels | None) -> None:
    """That each class is among the cases of a division; of several divisions it may lack in some."""
    if not labels:
        return
    for cases in {id(one.cases): one.cases for one in predicted}.values():
        missing = {*range(len(labels.names))} - {*np.unique(cases.y).tolist()}
        if missing and len({one.cases.split for one in predicted}) == 1:
            raise Refusal(
                f"scores of classes need cases of each, and no case of the part {cases.part} is of the"
                f" class {labels.names[min(missing)]!r}; add some, or remove the part."
            )
