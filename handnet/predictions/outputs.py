"""The predictions in a table, checked, and made into what is judged: logits, guesses, or labels alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from handnet.data import Array, listed
from handnet.messages import Refusal, option
from handnet.predictions.cells import NoNumber, coded, numbers
from handnet.predictions.rows import Rows
from handnet.predictions.truth import Labels
from handnet.tables.cells import shown

CLIP = 1e-12  # a probability is kept as far away from 0 and 1, so that its logit is finite
SUM = 1e-6  # probabilities of one case may miss the sum of 1 by as much


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
        """What is judged, (...,) or (..., k), of values (...,) or (..., k) of this kind."""
        if self.kind == "p" and self.classes == 2:
            p = np.clip(values, CLIP, 1 - CLIP)
            return np.asarray(np.log(p) - np.log1p(-p))
        if self.kind == "p":
            return np.log(np.clip(values, CLIP, 1))
        if self.kind == "label":
            if self.classes == 2:
                return 2 * values - 1
            one_hot = (values[..., None] == np.arange(self.classes)).astype(np.float64)
            one_hot[np.isnan(values)] = np.nan
            return one_hot
        return values


def read_prediction(
    frame: pd.DataFrame, rows: Rows, kind: str, columns: Mapping[str, str], labels: Labels | None
) -> Prediction:
    """The prediction in the columns of a table, by the label that their names tell. Raises Refusal for
    what cannot be one of this kind.

    frame: of the rows; labels: None where the truth is a number."""
    if labels is None:
        ((_, name),) = columns.items()
        return Prediction("yhat", _column(frame, rows, name, "a guess"), 0)
    k = len(labels.names)
    if kind == "label":
        return Prediction("label", _labels(frame, rows, columns[""], labels), k)
    if set(columns) == {""}:
        name = columns[""]
        if k > 2:
            raise Refusal(
                f"the column {name!r} tells two classes apart, and the truth holds {k} labels,"
                f" {listed(map(repr, labels.names))}; give a column a label, {option(kind, f'{kind}_*')}."
            )
        values = _column(frame, rows, name, "a probability" if kind == "p" else "a logit")
        return _two(values, rows, kind, name)
    return _of_labels(frame, rows, kind, columns, labels)


def _column(frame: pd.DataFrame, rows: Rows, name: str, what: str) -> Array:
    """(n,) the numbers in a column."""
    try:
        return numbers(frame[name])
    except NoNumber as fault:
        raise Refusal(
            f"the column {name!r} holds {shown(fault.text)} in {rows.at(fault.row)}, which is no number;"
            f" {what} is one, and a column of labels is named with {option('label', name)}."
        ) from None


def _two(values: Array, rows: Rows, kind: str, name: str) -> Prediction:
    """The prediction of the positive one of two labels, from its values (n,)."""
    if kind == "logit":
        return Prediction("logit", values, 2)
    _check_range(values, rows, name)
    extreme = (values == 0) | (values == 1)
    if (extreme | np.isnan(values)).all():
        raise Refusal(
            f"the column {name!r} holds 0 and 1 alone, which are labels and no probabilities; name it with"
            f" {option('label', name)}."
        )
    return Prediction("p", values, 2, notes=_clipped(values))


def _check_range(values: Array, rows: Rows, name: str) -> None:
    """That probabilities (n,) lie between 0 and 1."""
    outside = (values < -SUM) | (values > 1 + SUM)
    if not outside.any():
        return
    row = int(outside.argmax())
    least, most = np.nanmin(values), np.nanmax(values)
    if least >= 0 and most <= 100:
        advice = "they look like per cent: divide them by 100"
    else:
        advice = f"if they are logits, name the column with {option('logit', name)}"
    raise Refusal(
        f"a probability lies between 0 and 1, and {name!r} is {values[row]:g} in {rows.at(row)}, and"
        f" runs from {least:g} to {most:g}; {advice}."
    )


def _clipped(values: Array) -> tuple[str, ...]:
    """What is told of probabilities so near 0 or 1 that they are moved."""
    many = int(np.count_nonzero((values < CLIP) | (values > 1 - CLIP)))
    if not many:
        return ()
    return (f"{many} probabilities nearer to 0 or 1 than {CLIP:g} are moved that far from them.",)


def _labels(frame: pd.DataFrame, rows: Rows, name: str, labels: Labels) -> Array:
    """(n,) the classes of predicted labels, NaN for a gap."""
    cells = coded(frame[name])
    unknown = [text for text in cells.texts if labels.place(text) is None]
    if unknown:
        row = int((cells.codes == cells.texts.index(unknown[0])).argmax())
        raise Refusal(
            f"the column {name!r} holds the label {shown(unknown[0])} in {rows.at(row)}, and the truth never"
            f" does; its labels are {listed(map(repr, labels.names))}; write them in one way, or name another"
            f" column with {option('label', '')}."
        )
    places = np.array([*(labels.place(text) for text in cells.texts), np.nan], dtype=np.float64)
    return places[cells.codes]


def _of_labels(
    frame: pd.DataFrame, rows: Rows, kind: str, columns: Mapping[str, str], labels: Labels
) -> Prediction:
    """The prediction in a column a label."""
    of_class = {place: name for label, name in columns.items() if (place := labels.place(label)) is not None}
    k = len(labels.names)
    missing = [labels.names[place] for place in range(k) if place not in of_class]
    if k == 2 and len(of_class) == 1:
        ((place, name),) = of_class.items()
        values = _column(frame, rows, name, "a probability" if kind == "p" else "a logit")
        return _two(values if place else (kind == "p") - values, rows, kind, name)
    if missing:
        raise Refusal(
            f"the label {missing[0]!r} of the truth has no column of its own beside"
            f" {listed(map(repr, columns.values()))}; call it {kind}_{missing[0]}."
        )
    what = "a probability" if kind == "p" else "a logit"
    values = np.stack([_column(frame, rows, of_class[place], what) for place in range(k)], axis=1)
    if kind == "logit":
        return Prediction("logit", values[:, 1] - values[:, 0] if k == 2 else values, k)
    for place in range(k):
        _check_range(values[:, place], rows, of_class[place])
    _check_sums(values, rows, list(of_class.values()), columns)
    if k == 2:
        return _two(values[:, 1], rows, "p", of_class[1])
    return Prediction("p", values, k, notes=_clipped(values[values < 0.5]))


def _check_sums(values: Array, rows: Rows, names: list[str], columns: Mapping[str, str]) -> None:
    """That the probabilities (n, k) of each case sum to 1."""
    sums = values.sum(axis=1)
    wrong = np.abs(sums - 1) > SUM
    if not wrong.any():
        return
    row = int(wrong.argmax())
    others = [name for name in columns.values() if name not in names]
    advice = (
        f"{listed(map(repr, others))} belong to labels that the truth never has"
        if others
        else "divide them by their sum, or write them with all their digits"
    )
    raise Refusal(
        f"the probabilities of a case sum to 1, and those of {rows.at(row)} sum to {sums[row]:.7g}, as do"
        f" others in {int(wrong.sum())} of {len(sums)} rows, {listed(map(repr, names))}; {advice}."
    )
