"""The rows of a table of predictions: which model, division, seed, case and part each is of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import Array, listed
from handnet.messages import Refusal, option
from handnet.predictions.cells import Coded, Column, coded, constant, distinct
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
    the table names none; numbers: (n,) of the rows in their table, and unit what they are called; numbered:
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
        case = "" if self.numbered else f" (case {self.case.texts[self.case.codes[row]]!r})"
        return f"{self.unit} {self.numbers[row]}{case}"

    def of(self, which: Array) -> "Rows":
        """Some of the rows. which: (n,) bool."""
        names = "model split seed part case group".split()
        some = {name: one._replace(codes=one.codes[which]) for name in names if (one := getattr(self, name))}
        return replace(self, **some, numbers=self.numbers[which])

    def are(self, part: str) -> Array:
        """(n,) bool: which are of a part."""
        return np.asarray(self.part.codes == self.part.texts.index(part))


def rows_of(frame: pd.DataFrame, places: Mapping[str, str], notes: list[str]) -> Rows:
    """What the rows of a table are of. Raises Refusal for a gap, and for a part that is not known.

    frame: its index holds the numbers of the rows, and is called what they are; places: purpose -> column."""
    places, n = dict(places), len(frame)
    if "part" not in places and "split" in places and _holds_parts(frame[places["split"]]):
        places["part"] = places.pop("split")
        notes = [*notes, f"{places['part']!r} holds the names of parts, and is read as the part of each row."]

    def whole(purpose: str, otherwise: str) -> Coded:
        return _whole(frame, places[purpose], purpose) if purpose in places else constant(otherwise, n)

    rows = Rows(
        model=whole("model", MODEL),
        split=whole("split", SPLIT),
        seed=coded(frame[places["seed"]]) if "seed" in places else Coded(np.full(n, -1, dtype=np.int8), ()),
        part=_parts(whole("part", PART), places.get("part", "")),
        case=whole("case", "0"),
        group=whole("group", "0") if "group" in places else None,
        numbers=frame.index,
        unit=str(frame.index.name),
        numbered="case" not in places,
        notes=tuple(notes),
    )
    return _numbered(rows) if rows.numbered else rows


def pair(first: Array, second: Array) -> Array:
    """(n,) int64, equal where both codes (n,), of at least 0, are; in the order of the first, then the
    second."""
    pairs = first.astype(np.int64)
    pairs *= int(second.max(initial=0)) + 1
    pairs += second
    return pairs


def check_constant(rows: Rows, values: Array, what: str, name: str, shown: Callable[[Any], str]) -> None:
    """That values (n,) are equal in all rows of a case.

    what: they are called; name: of their column; shown: a value as text."""
    cases = rows.case.codes
    held = np.empty(len(rows.case.texts), dtype=values.dtype)
    held[cases] = values
    wrong = held[cases] != values
    if not wrong.any():
        return
    row = int(wrong.argmax())
    other = int(((cases == cases[row]) & (values == held[cases[row]])).argmax())
    one, two = sorted((row, other))
    advice = (
        f"list the same cases in one order, or name their column with {option('case', '')}"
        if rows.numbered
        else f"a case has one {what}: correct it, or give different cases different ids"
    )
    raise Refusal(
        f"the {what} {name!r} differs between rows of one case: it is {shown(values[one])!r} in"
        f" {rows.at(one)} and {shown(values[two])!r} in {rows.unit} {rows.numbers[two]}; {advice}."
    )


def group_numbers(rows: Rows, name: str) -> Array | None:
    """(n,) int: the place of each row's group among all, in the order of their texts, or of their numbers
    where all are whole numbers; None where every case is its own. Raises Refusal for two groups of a case."""
    if rows.group is None:
        return None
    texts = rows.group.texts
    check_constant(rows, rows.group.codes, "group", name, lambda code: texts[code])
    if len(np.unique(rows.group.codes)) == len(np.unique(rows.case.codes)):
        return None
    numbers = all(text.lstrip("-").isdecimal() for text in texts)
    order = sorted(range(len(texts)), key=(lambda code: int(texts[code])) if numbers else texts.__getitem__)
    return np.asarray(np.argsort(order)[rows.group.codes])


def _holds_parts(column: Column) -> bool:
    """Whether a column of divisions holds the names of parts alone."""
    return distinct(column) <= len(WORDS) and {text.lower() for text in coded(column).texts} <= WORDS.keys()


def _whole(frame: pd.DataFrame, name: str, purpose: str) -> Coded:
    """A column without gaps."""
    cells = coded(frame[name])
    gaps = cells.codes < 0
    if gaps.any():
        more = f", and in {gaps.sum() - 1} more rows" if gaps.sum() > 1 else ""
        raise Refusal(
            f"{frame.index.name} {frame.index[int(gaps.argmax())]} has no {purpose}: the column {name!r} is"
            f" empty there{more}; fill it in, or remove the rows."
        )
    return cells


def _parts(cells: Coded, name: str) -> Coded:
    """The parts by the names they have in the form."""
    if unknown := [text for text in cells.texts if text.lower() not in WORDS]:
        raise Refusal(
            f"a part is test, val or train, and the column {name!r} holds {listed(map(repr, unknown))}; write"
            f" one of these, or name another column with {option('part', '')}."
        )
    parts = [*PARTS]
    renamed = np.array([parts.index(WORDS[text.lower()]) for text in cells.texts], dtype=np.int8)
    return Coded(renamed[cells.codes], tuple(parts))


def _numbered(rows: Rows) -> Rows:
    """The rows with the place in its model, division, seed and part as the id of each case, from 0."""
    parts = pair(rows.split.codes, rows.part.codes)
    blocks = pair(pair(rows.model.codes, rows.seed.codes + 1), parts)
    places = pd.Series(blocks).groupby(blocks).cumcount().to_numpy()
    keys, met = pd.factorize(pair(parts, places))
    first = np.full(len(met), -1)
    first[keys[::-1]] = np.arange(len(rows))[::-1]
    names = [*map(str, places[first])]
    if len(rows.split.texts) > 1:
        splits = [rows.split.texts[code] for code in rows.split.codes[first]]
        names = [f"{split}: {name}" for split, name in zip(splits, names, strict=True)]
    several = len(rows) > len(met)
    note = "No column names the cases, so the rows of each model and seed are the same cases in one order."
    notes = (*rows.notes, note) if several else rows.notes
    return replace(rows, case=Coded(keys.astype(np.int32), tuple(names)), notes=notes)
