"""The rows of a table of predictions: which model, division, seed, case and part each is of."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import Array, listed
from handnet.messages import Refusal, nearest, option
from handnet.predictions.cells import Coded, coded, constant
from handnet.predictions.columns import Found
from handnet.predictions.form import MODEL, PART, SPLIT

PARTS = {
    "test": "test testing holdout hold_out hold-out",
    "val": "val valid validation dev eval evaluation",
    "train": "train training fit",
}  # how each part is called, in lower case
WORDS = {word: part for part, words in PARTS.items() for word in words.split()}


@dataclass(frozen=True)
class Rows:
    """What n rows are of.

    model, split, part: no gaps; seed: -1 where a row has none; case: its texts are the ids; group: None where
    every case is its own; numbers: (n,) of the rows in their table, unit what they are called; numbered:
    whether the ids are places, because the table names no cases; notes: sentences.
    """

    model: Coded
    split: Coded
    seed: Coded
    part: Coded
    case: Coded
    group: Coded | None
    numbers: Any
    unit: str
    numbered: bool
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def at(self, row: int) -> str:
        """What a row is called in a sentence, with its case."""
        case = self.case.codes[row]
        named = "" if self.numbered or case < 0 else f" (case {self.case.texts[case]!r})"
        return f"{self.unit} {self.numbers[row]}{named}"

    def of(self, which: Array) -> "Rows":
        """Some of the rows. which: (n,) bool."""
        names = "model split seed part case group".split()
        some = {name: one._replace(codes=one.codes[which]) for name in names if (one := getattr(self, name))}
        return replace(self, **some, numbers=self.numbers[which])


def rows_of(frame: pd.DataFrame, found: Found) -> Rows:
    """What the rows of a table are of. Raises Refusal for a gap, or a part that is not known.

    frame: its index holds the numbers of the rows."""
    places, notes = dict(found.places), list(found.notes)
    if "part" not in places and "split" in places and _holds_parts(frame[places["split"]]):
        places["part"] = places.pop("split")
        notes.append(f"The column {places['part']!r} holds parts (train, val, test) and is read as the part.")
    unit = str(frame.index.name or "row")
    texts = {
        purpose: _whole(frame, places[purpose], purpose, unit)
        if purpose in places
        else constant(usual, len(frame))
        for purpose, usual in (("model", MODEL), ("split", SPLIT), ("part", PART))
    }
    texts["part"] = _parts(texts["part"], places.get("part", ""))
    rows = Rows(
        **texts,
        seed=coded(frame[places["seed"]]) if "seed" in places else Coded(np.full(len(frame), -1), ()),
        case=_whole(frame, places["case"], "case", unit) if "case" in places else constant("", len(frame)),
        group=_whole(frame, places["group"], "group", unit) if "group" in places else None,
        numbers=frame.index,
        unit=unit,
        numbered="case" not in places,
        notes=tuple(notes),
    )
    return _numbered(rows) if rows.numbered else rows


def _holds_parts(column: "pd.Series[Any]") -> bool:
    """Whether a column of divisions holds names of parts alone."""
    return column.nunique() <= len(WORDS) and {text.lower() for text in coded(column).texts} <= WORDS.keys()


def _whole(frame: pd.DataFrame, name: str, purpose: str, unit: str) -> Coded:
    """A column without gaps."""
    cells = coded(frame[name])
    gaps = cells.codes < 0
    if gaps.any():
        first = frame.index[int(gaps.argmax())]
        raise Refusal(
            f"{unit} {first} has no {purpose} (column {name!r} is empty there, as in {gaps.sum()} of"
            f" {len(frame)} rows); every row needs one."
        )
    return cells


def _parts(cells: Coded, name: str) -> Coded:
    """The parts by their own names."""
    unknown = [text for text in cells.texts if text.lower() not in WORDS]
    if unknown:
        raise Refusal(
            f"the column {name!r} of parts holds {listed(map(repr, unknown))}, and a part is test, val or"
            f" train; {nearest(unknown[0].lower(), [*PARTS])}"
        )
    parts = [*PARTS]
    renamed = np.array([parts.index(WORDS[text.lower()]) for text in cells.texts], dtype=np.int32)
    return Coded(renamed[cells.codes], tuple(parts))


def _numbered(rows: Rows) -> Rows:
    """The rows with the place in its model, division, seed and part as the id of each case, from 0."""
    seeds, parts = len(rows.seed.texts) + 1, len(PARTS)
    blocks = pair(rows.model, rows.split) * seeds * parts + (rows.seed.codes + 1) * parts + rows.part.codes
    places = pd.Series(blocks).groupby(blocks).cumcount().to_numpy()
    most = int(places.max()) + 1
    keys, met = pd.factorize((pair_of(rows.split.codes, rows.part.codes)) * most + places)
    names = [str(key % most) for key in met]
    if len(rows.split.texts) > 1:
        widest = int(rows.part.codes.max()) + 1
        splits = [rows.split.texts[key // most // widest] for key in met]
        names = [f"{split}: {name}" for split, name in zip(splits, names, strict=True)]
    note = (
        "The table names no cases, so the rows of each model and seed are taken as the same cases in one"
        " order."
    )
    notes = (*rows.notes, note) if len(rows) > len(met) else rows.notes
    return replace(rows, case=Coded(keys.astype(np.int32), tuple(names)), notes=notes)


def pair(first: Coded, second: Coded) -> Array:
    """(n,) int64, equal where both are."""
    return pair_of(first.codes, second.codes)


def pair_of(first: Array, second: Array) -> Array:
    """(n,) int64, equal where both codes (n,), of at least 0, are."""
    most = int(second.max(initial=0)) + 1
    return np.asarray(first, dtype=np.int64) * most + second


def check_constant(rows: Rows, values: Array, within: Array, what: str, name: str, shown: Any) -> None:
    """That values (n,) are equal where the codes `within` (n,) are.

    what: they are called; name: of their column; shown: a value as text."""
    held = np.empty(int(within.max(initial=-1)) + 1, dtype=values.dtype)
    held[within] = values
    wrong = held[within] != values
    if not wrong.any():
        return
    row = int(wrong.argmax())
    other = int(np.flatnonzero((within == within[row]) & (values == held[within[row]]))[0])
    one, two = sorted((row, other))
    advice = (
        f"name the column of cases with {option('case', '')}, or list the same cases in one order"
        if rows.numbered
        else f"a case has one {what}, so correct it, or give each row its own id"
    )
    raise Refusal(
        f"the {what} differs between rows of one case: {name!r} is {shown(values[one])} in {rows.at(one)} and"
        f" {shown(values[two])} in {rows.unit} {rows.numbers[two]}; {advice}."
    )
