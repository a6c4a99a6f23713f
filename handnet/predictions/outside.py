"""What a table tells of the rows that are not in its test: how many, and that none is in both."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from handnet.data import Array
from handnet.messages import Refusal, option
from handnet.predictions.cells import NoNumber, numbers
from handnet.predictions.columns import Columns
from handnet.predictions.rows import Rows, pair


def check_apart(rows: Rows) -> None:
    """That no case is in two parts of one division."""
    if rows.numbered or rows.part.codes.min() == rows.part.codes.max():
        return
    cases, met = pd.factorize(pair(rows.split.codes, rows.case.codes))
    held = np.empty(len(met), dtype=rows.part.codes.dtype)
    held[cases] = rows.part.codes
    wrong = held[cases] != rows.part.codes
    if not wrong.any():
        return
    row = int(wrong.argmax())
    other = int(((cases == cases[row]) & (rows.part.codes == held[cases[row]])).argmax())
    one, two = (rows.part.texts[rows.part.codes[place]] for place in (row, other))
    where = (
        f" of the division {rows.split.texts[rows.split.codes[row]]!r}" if len(rows.split.texts) > 1 else ""
    )
    raise Refusal(
        f"a case is in one part of a division, and the case {rows.case.texts[rows.case.codes[row]]!r} is in"
        f" {one} ({rows.unit} {rows.numbers[row]}) and in {two} ({rows.unit} {rows.numbers[other]}){where};"
        f" remove it from one, or name the column of divisions with {option('split', '')}."
    )


def others_of(
    frame: pd.DataFrame, rows: Rows, places: Mapping[str, str], columns: Columns
) -> Mapping[str, int]:
    """Division -> how many rows are not in its test, for those of which that is known.

    It is what the reader says or the column n_train holds; else how many train and validation rows the table
    lists; else, where each case is in the test of one of several divisions, those of the others.
    Raises Refusal for no count, and for two in one division."""
    splits = rows.split.texts
    if columns.n_train != "" and not columns.said("n_train"):
        return dict.fromkeys(splits, _positive(float(columns.n_train), option("n-train", columns.n_train)))
    if "n_train" in places:
        return _counted(frame, rows, places["n_train"])
    trained = rows.are("train")
    if trained.any():
        with_train = np.isin(np.arange(len(splits)), rows.split.codes[trained])
        listed = _cases_by_split(rows, ~rows.are("test"))
        return {split: int(n) for split, n, known in zip(splits, listed, with_train, strict=True) if known}
    if len(splits) < 2 or rows.numbered:
        return {}
    tested = _cases_by_split(rows, rows.are("test"))
    cases = len(np.unique(rows.case.codes[rows.are("test")]))
    if tested.sum() == cases:
        return {split: int(cases - n) for split, n in zip(splits, tested, strict=True)}
    return {}


def _cases_by_split(rows: Rows, which: Array) -> Array:
    """(splits,) how many different cases some of the rows of each division are of. which: (n,) bool."""
    pairs = pd.unique(pair(rows.split.codes[which], rows.case.codes[which]))
    most = int(rows.case.codes[which].max(initial=0)) + 1
    return np.bincount(pairs // most, minlength=len(rows.split.texts))


def _counted(frame: pd.DataFrame, rows: Rows, name: str) -> Mapping[str, int]:
    """Division -> what the column n_train holds there."""
    try:
        counts = numbers(frame[name])
    except NoNumber as fault:
        raise Refusal(
            f"the column {name!r} holds {fault.text!r} in {rows.at(fault.row)}, and a number of rows is"
            " expected there."
        ) from None
    found: dict[str, int] = {}
    for code, split in enumerate(rows.split.texts):
        here = np.unique(counts[(rows.split.codes == code) & ~np.isnan(counts)])
        if len(here) > 1:
            raise Refusal(
                f"the number of train rows is one in each division, and {name!r} holds {here[0]:g} and"
                f" {here[1]:g} in the division {split!r}; write one."
            )
        if len(here):
            found[split] = _positive(float(here[0]), f"the column {name!r}")
    return found


def _positive(value: float, where: str) -> int:
    if value < 1 or value % 1:
        raise Refusal(f"{where} must hold a number of train rows, but holds {value:g}.")
    return int(value)
