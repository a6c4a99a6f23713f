"""The labels of the truth in a table of predictions, in the order of their classes."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handnet.data import MOST_CLASSES, Array, listed
from handnet.messages import Refusal, option
from handnet.predictions.cells import Coded, Column, distinct, few_texts
from handnet.tables.labels import TRUTH, Key, classes_of, label_key

# Of two labels the positive one needs no name where it is one of these, and the other is its opposite.
POSITIVE = "1 true yes y t positive pos +".split()
NEGATIVE = "0 -1 false no n f negative neg -".split()


@dataclass(frozen=True)
class Labels:
    """The labels of a truth.

    names: (k,) in the order of their classes, of two the positive last; cells: the truth as it stands; place:
    the class of a text, None where it is of none; notes: sentences on what was taken for what.
    """

    names: tuple[str, ...]
    cells: Coded
    place: Callable[[str], int | None]
    notes: tuple[str, ...] = ()

    def classes(self) -> Array:
        """(n,) int8: the class of each row, -1 for a gap."""
        places = [*(self.place(text) for text in self.cells.texts), -1]
        return np.array(places, dtype=np.int8)[self.cells.codes]


def labels_of(column: Column, positive: str, named: Sequence[str], others: Collection[str] = ()) -> Labels:
    """The labels of a truth.

    Labels are compared by value, as in a table to be learnt from: 1 and 1.0 are one, and so are True and,
    among truth values, 1.

    positive: the one that the reader names; named: labels that columns of the prediction are called by, which
    give more than two their order; others: labels that are predicted.
    Raises Refusal for one label, for more than fifty, and for two of which none is known as the positive.
    """
    name, cells = str(column.name), few_texts(column)
    if cells is None:
        raise Refusal(_too_many(name, column))
    counts = _counted(cells)
    truths = any(text.lower() in TRUTH for text in {*counts, *named, *others})
    keys = {label_key(text, truths): text for text in counts}
    if len(keys) < 2:
        raise Refusal(
            f"the truth {name!r} is {_alone(counts)} in all rows, and scores of classes need cases of two or"
            " more; add cases of another class, or name another column."
        )
    told = [label_key(label, truths) for label in named]
    declared = [keys[key] for key in dict.fromkeys(told) if key in keys]
    order = declared if 2 < len(keys) == len(declared) else []
    try:
        found = classes_of(name, counts, _positive(name, keys, positive, declared), "", {}, order)
    except ValueError as fault:
        end = "" if str(fault).endswith("?") else "."
        raise Refusal(str(fault).removesuffix(".").replace("the target", "the truth") + end) from None
    if found.fault:
        raise Refusal(f"{name!r} holds {found.fault.what}; leave {option('positive')} out, which is for two.")
    places = {label_key(text, truths): place for text, place in found.places.items()}
    notes = [*found.notes]
    if len(keys) == 2 and not positive and found.names[1] not in ("1", "True", "true"):
        notes.append(f"{found.names[1]!r} is taken as the positive label of {name!r}.")

    def place(text: str) -> int | None:
        return places.get(label_key(text, truths))

    return Labels(found.names, cells, place, tuple(notes))


def spellings(cells: Coded | None) -> Collection[str]:
    """The labels of a truth, and 0 and 1 beside truth values: what a column of one may be called by."""
    texts = cells.texts if cells else ()
    return {*texts, *("01" if {text.lower() for text in texts} <= TRUTH.keys() else "")}


def _counted(cells: Coded) -> Counter[str]:
    """How often each text stands there."""
    counts = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.texts))
    return Counter(dict(zip(cells.texts, counts.tolist(), strict=True)))


def _alone(counts: Mapping[str, int]) -> str:
    """The one label there is."""
    return repr(next(iter(counts))) if counts else "empty"


def _positive(name: str, keys: Mapping[Key, str], positive: str, named: Sequence[str]) -> str:
    """The positive one of two labels; what the reader says where there are more."""
    if positive or len(keys) > 2:
        return positive
    if len(named) == 1:
        return named[0]
    labels = list(keys.values())
    for one, other in (labels, labels[::-1]):
        if _is_one_of(one, POSITIVE) and _is_one_of(other, NEGATIVE):
            return one
    ways = " or ".join(option("positive", label) for label in labels)
    both = " and ".join(map(repr, labels))
    raise Refusal(f"the truth {name!r} holds {both}, and which is the positive one is not said; say {ways}.")


def _is_one_of(label: str, words: Sequence[str]) -> bool:
    """Whether a label is one of these words, whatever its letters and its zeros."""
    return label_key(label.lower(), False) in {label_key(word, False) for word in words}


def _too_many(name: str, column: Column) -> str:
    """What is said of more than fifty labels."""
    few = listed([*map(repr, map(str, column.unique()[:3])), "..."])
    return (
        f"the truth {name!r} holds {distinct(column)} different values ({few}), and at most {MOST_CLASSES}"
        f" classes are told apart; if it is a number, name its guess with {option('yhat', '')}."
    )
