"""The predictions in a table, checked, and made into what is judged: logits, guesses, or labels alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from handnet.data import Array, listed
from handnet.messages import Refusal, option
from handnet.models.model import CLIP, label_outputs, log_odds, logits
from handnet.predictions.cells import Coded, Column, NoNumber, are_numbers, coded, few_texts, numbers
from handnet.predictions.columns import Guess
from handnet.predictions.rows import Rows
from handnet.predictions.truth import Labels
from handnet.tables.cells import shown
from handnet.tables.labels import label_key
from handnet.tables.numerals import is_number

SUM = 1e-6  # probabilities of one case may miss the sum of 1 by as much
WHAT = {"p": "a probability", "logit": "a logit", "yhat": "a guess"}


@dataclass(frozen=True)
class Prediction:
    """What n rows predict.

    kind: "p", "logit", "yhat" or "label"; values: (n,) or, of k columns, (n, k) float64, NaN for a gap: of
    p a probability of the positive label, or of each; of label the number of its class; classes: how many
    there are, 0 of a number; quantiles: level -> (n,); notes: sentences.
    """

    kind: str
    values: Array
    classes: int
    quantiles: Mapping[float, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def outputs(self, values: Array) -> Array:
        """What is judged, (R, n) or (R, n, k), of values (R, n) or (R, n, k) of this kind."""
        if self.kind == "p":
            return log_odds(values) if self.classes == 2 else logits(values)
        if self.kind == "label":
            return label_outputs(values, self.classes)
        return values


def kind_of(labels: Coded | None, guess: Column, number: bool) -> str:
    """The kind of the prediction in a column whose name does not tell it, as its cells do.

    Labels of the truth are labels, numbers are a guess of numbers, and beside two labels a probability.
    labels: the truth's, None where there are more than fifty; number: whether the name speaks of a number."""
    texts, guessed = labels.texts if labels else (), few_texts(guess)
    numeric = all(map(is_number, texts))
    keys = {label_key(text, truths) for text in texts for truths in (True, False)}
    known = guessed is not None and all(
        {label_key(text, truths) for truths in (True, False)} & keys for text in guessed.texts
    )
    if (known and not (number and numeric and len(texts) > 2)) or not are_numbers(guess):
        return "label" if texts else "yhat"
    return "yhat" if numeric and len(texts) != 2 else "p"


def read_prediction(frame: pd.DataFrame, rows: Rows, guess: Guess, labels: Labels | None) -> Prediction:
    """The prediction in the columns of a table. Raises Refusal for what cannot be one of this kind.

    frame: of the rows; guess: of a known kind; labels: None where the truth is a number."""
    if labels is None:
        if set(guess.columns) != {""}:
            raise Refusal(f"{option('yhat', '')} names one column, and no pattern of columns.")
        values = _column(frame, rows, guess, guess.columns[""])
        quantiles = {level: _column(frame, rows, guess, name) for level, name in guess.quantiles.items()}
        _check_quantiles(values, quantiles, rows, guess.quantiles)
        return Prediction("yhat", values, 0, quantiles)
    kind, k, name = guess.kind, len(labels.names), guess.columns.get("", "")
    if not name:
        return _of_labels(frame, rows, guess, labels)
    if kind == "label":
        return Prediction("label", _labels(frame, rows, name, labels), k)
    if k > 2:
        raise Refusal(
            f"the column {name!r} tells two classes apart, and the truth holds {k} labels,"
            f" {listed(map(repr, labels.names))}; give a column a label, {option(kind, f'{kind}_*')}."
        )
    return _two(_column(frame, rows, guess, name), rows, guess, name)


def _column(frame: pd.DataFrame, rows: Rows, guess: Guess, name: str) -> Array:
    """(n,) the numbers in a column."""
    try:
        return numbers(frame[name])
    except NoNumber as fault:
        raise Refusal(
            f"the column {name!r} holds {shown(fault.text)} in {rows.at(fault.row)}, and"
            f" {WHAT[guess.kind]} is a number; correct it, or say that it is a column of labels with"
            f" {guess.way('label')}."
        ) from None


def _two(values: Array, rows: Rows, guess: Guess, name: str) -> Prediction:
    """The prediction of the positive one of two labels, from its values (n,)."""
    if guess.kind == "logit":
        return Prediction("logit", values, 2)
    _check_range(values, rows, guess, name)
    if ((values == 0) | (values == 1) | np.isnan(values)).all():
        raise Refusal(
            f"the column {name!r} holds 0 and 1 alone, which are labels and no probabilities; say so with"
            f" {guess.way('label')}."
        )
    return Prediction("p", values, 2, notes=(*_clipped(values), *_of_the_called(values, name)))


def _of_the_called(values: Array, name: str) -> tuple[str, ...]:
    """What to beware of where no probability (n,) is below a half."""
    told = (
        f"No probability in {name!r} is below 0.5; beware that it may be that of the label that is called,"
        " and not that of the positive one."
    )
    return (told,) if np.nanmin(values) >= 0.5 else ()


def _check_range(values: Array, rows: Rows, guess: Guess, name: str) -> None:
    """That probabilities (n,) lie between 0 and 1."""
    outside = (values < -SUM) | (values > 1 + SUM)
    if not outside.any():
        return
    least, most = np.nanmin(values), np.nanmax(values)
    per_cent = least >= 0 and 2 < most <= 100
    advice = "divide per cent by 100" if per_cent else f"say that these are logits with {guess.way('logit')}"
    raise Refusal(
        f"a probability lies between 0 and 1, and {name!r} is {values[outside.argmax()]:g} in"
        f" {rows.at(int(outside.argmax()))} and runs from {least:g} to {most:g}; {advice}."
    )


def _clipped(values: Array) -> tuple[str, ...]:
    """What is told of probabilities so near 0 or 1 that they are moved."""
    many = int(np.count_nonzero((values < CLIP) | (values > 1 - CLIP)))
    told = f"{many} probabilities nearer than {CLIP:g} to 0 or 1 are taken as that far away."
    return (told,) if many else ()


def _labels(frame: pd.DataFrame, rows: Rows, name: str, labels: Labels) -> Array:
    """(n,) the classes of predicted labels, NaN for a gap."""
    cells = coded(frame[name])
    if unknown := [text for text in cells.texts if labels.place(text) is None]:
        row = int((cells.codes == cells.texts.index(unknown[0])).argmax())
        raise Refusal(
            f"the column {name!r} holds the label {shown(unknown[0])} in {rows.at(row)}, and the truth has"
            f" {listed(map(repr, labels.names))} alone; write labels in one way, or name another column with"
            f" {option('label', '')}."
        )
    places = np.array([*(labels.place(text) for text in cells.texts), np.nan], dtype=np.float64)
    return np.asarray(places[cells.codes])


def _of_labels(frame: pd.DataFrame, rows: Rows, guess: Guess, labels: Labels) -> Prediction:
    """The prediction in a column a label."""
    kind, columns = guess.kind, guess.columns
    if kind == "label":
        raise Refusal(f"{option('label', '')} names one column, and no pattern of columns.")
    of_class = {place: name for label, name in columns.items() if (place := labels.place(label)) is not None}
    k = len(labels.names)
    if k == 2 and len(of_class) == 1:
        ((place, name),) = of_class.items()
        values = _column(frame, rows, guess, name)
        return _two(values if place else (kind == "p") - values, rows, guess, name)
    if missing := [labels.names[place] for place in range(k) if place not in of_class]:
        raise Refusal(
            f"the label {missing[0]!r} of the truth has no column beside"
            f" {listed(map(repr, columns.values()))}; add it, or name the columns of"
            f" all labels with {option(kind, f'{kind}_*')}."
        )
    values = np.stack([_column(frame, rows, guess, of_class[place]) for place in range(k)], axis=1)
    if kind == "logit":
        return Prediction("logit", values[:, 1] - values[:, 0] if k == 2 else values, k)
    for place in range(k):
        _check_range(values[:, place], rows, guess, of_class[place])
    _check_sums(values, rows, [*of_class.values()], [*columns.values()])
    if k == 2:
        return _two(values[:, 1], rows, guess, of_class[1])
    return Prediction("p", values, k, notes=_clipped(values[values < 0.5]))


def _check_sums(values: Array, rows: Rows, names: Sequence[str], every: Sequence[str]) -> None:
    """That the probabilities (n, k) of each row sum to 1. every: the columns that are called like them."""
    sums = values.sum(axis=1)
    wrong = np.abs(sums - 1) > SUM
    if not wrong.any():
        return
    others = [name for name in every if name not in names]
    no_case = f"no case has the label of {listed(map(repr, others))}, so leave such cases and columns out"
    advice = no_case if others else "divide them by their sum, or write them with all their digits"
    raise Refusal(
        f"the probabilities of a case sum to 1, and {listed(map(repr, names))} sum to"
        f" {sums[wrong.argmax()]:.7g} in {rows.at(int(wrong.argmax()))}, and not to 1 in {wrong.sum()} of"
        f" {len(sums)} rows; {advice}."
    )


def _check_quantiles(
    values: Array, quantiles: Mapping[float, Array], rows: Rows, names: Mapping[float, str]
) -> None:
    """That there is a quantile wherever there is a guess (n,), and that no lower one is above a higher."""
    for level, quantile in quantiles.items():
        lacking = np.isfinite(values) & ~np.isfinite(quantile)
        if lacking.any():
            raise Refusal(
                f"the quantile {names[level]!r} is missing in {rows.at(int(lacking.argmax()))}, where there"
                " is a guess; fill it in, or leave the column out."
            )
    for low, high in pairwise(quantiles):
        crossed = quantiles[low] > quantiles[high]
        if crossed.any():
            raise Refusal(
                f"the quantile {names[low]!r} is above {names[high]!r} in {rows.at(int(crossed.argmax()))},"
                f" as in {crossed.sum()} of {len(values)} rows; a lower level has a lower quantile, so sort"
                " them."
            )
