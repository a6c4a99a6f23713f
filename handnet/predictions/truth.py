"""The truth in a table of predictions: classes, of which one may be the positive, or a number."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import MOST_CLASSES, Array, listed
from handnet.messages import Refusal, option
from handnet.predictions.cells import Coded, coded
from handnet.tables.labels import TRUTH, classes_of, label_key

POSITIVE = "1 true yes y t positive pos +".split()  # of two labels, where the other is one of NEGATIVE
NEGATIVE = "0 -1 false no n f negative neg -".split()


@dataclass(frozen=True)
class Labels:
    """The labels of a truth.

    names: (k,) in the order of their classes; of two the positive last. cells: as they stand; place: the
    class of a text, None where it is none of them. notes: on what was taken for what.
    """

    names: tuple[str, ...]
    cells: Coded
    place: Callable[[str], int | None]
    notes: tuple[str, ...] = ()

    def classes(self) -> Array:
        """(n,) int8: the class of each cell, -1 for a gap."""
        places = [*(self.place(text) for text in self.cells.texts), -1]
        return np.array(places, dtype=np.int8)[self.cells.codes]


def distinct_labels(column: "pd.Series[Any]") -> Coded | None:
    """The cells of a truth of at most fifty labels; None where there are more."""
    if column.nunique() > MOST_CLASSES:
        return None
    cells = coded(column)
    return cells if len(cells.texts) <= MOST_CLASSES else None


def labels_of(
    column: "pd.Series[Any]", positive: str, named: Sequence[str], others: Sequence[str] = ()
) -> Labels:
    """The labels of a column of the truth.

    positive: the one that the reader names; named: the labels that columns of the prediction are called by;
    others: texts that are to be labels too. Raises Refusal for one label, for more than fifty, and for two of
    which none is known as the positive.
    """
    name, cells = str(column.name), distinct_labels(column)
    if cells is None:
        raise Refusal(_too_many(name, column))
    counts = Counter({text: int(count) for text, count in zip(cells.texts, _counts(cells), strict=True)})
    if len(counts) < 2:
        what = f"{next(iter(counts))!r} alone" if counts else "nothing"
        raise Refusal(
            f"the truth {name!r} holds {what}, and scores of classes need cases of each; add the cases of the"
            " other class, or name another column."
        )
    truths = any(text.lower() in TRUTH for text in [*counts, *others])
    keys = {label_key(text, truths): text for text in counts}
    told = [label_key(label, truths) for label in named]
    declared = [keys[key] for key in dict.fromkeys(told) if key in keys]
    order = declared if 2 < len(keys) == len(declared) else []
    try:
        found = classes_of(name, counts, _positive(name, keys, positive, declared), "", {}, order)
    except ValueError as fault:
        raise Refusal(f"{str(fault).removesuffix('.')}.") from None
    if found.fault:
        raise Refusal(f"{name!r} holds {found.fault.what}; leave {option('positive')} out, which is for two.")
    places = {label_key(text, truths): place for text, place in found.places.items()}

    def place(text: str) -> int | None:
        return places.get(label_key(text, truths))

    return Labels(found.names, cells, place, tuple(found.notes))


def _counts(cells: Coded) -> Array:
    """(k,) how often each text stands there."""
    return np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.texts))


def _positive(name: str, keys: Mapping[Any, str], positive: str, named: Sequence[str]) -> str:
    """The positive one of two labels; "" where there are more."""
    if positive or len(keys) > 2:
        return positive
    if len(named) == 1:
        return named[0]
    labels = list(keys.values())
    for one, other in (labels, labels[::-1]):
        if one.lower() in POSITIVE and other.lower() in NEGATIVE:
            return one
    ways = " or ".join(option("positive", label) for label in labels)
    both = " and ".join(map(repr, labels))
    raise Refusal(f"the truth {name!r} holds {both}, and which is the positive one is not said; say {ways}.")


def _too_many(name: str, column: "pd.Series[Any]") -> str:
    """What is said of more than fifty labels."""
    few = listed(repr(str(value)) for value in column.unique()[:5])
    return (
        f"the truth {name!r} holds {column.nunique()} different values ({few} ...), and at most"
        f" {MOST_CLASSES} classes are told apart; if it is a number, name its guess with"
        f" {option('yhat', '')}."
    )
