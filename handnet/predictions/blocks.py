"""From rows in any order to outputs by seed and case: each model's, on each part of each division.

The rows of a part are sorted by model, seed and case once; what should be a whole grid is then checked by
reshaping it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from handnet.data import Array
from handnet.messages import Refusal, option
from handnet.predictions.form import PART, Cases, Predicted
from handnet.predictions.names import way
from handnet.predictions.outputs import Prediction
from handnet.predictions.rows import Rows, pair

Which = slice | Array  # rows of a table: all of them, or their places


@dataclass
class Grids:
    """The outputs in a table.

    rows, y (n,), groups (n,) int or None, prediction: of its rows; others: division -> how many rows are not
    in its test, where that is known; constant: for each grid that was made, whether each of its seeds says
    the same of all cases.
    """

    rows: Rows
    y: Array
    groups: Array | None
    prediction: Prediction
    others: Mapping[str, int]
    constant: list[bool] = field(default_factory=list)

    def __iter__(self) -> Iterator[Predicted]:
        for split, part, which in divisions(self.rows):
            yield from _Block(self, split, part, which).predicted()


def divisions(rows: Rows) -> Iterator[tuple[str, str, Which]]:
    """The rows of each part of each division, in the order in which the table first has them."""
    parts, splits = rows.part.codes, rows.split.codes
    if len(rows.split.texts) == 1 and parts.min() == parts.max():
        yield rows.split.texts[0], rows.part.texts[parts[0]], slice(None)
        return
    codes, _ = pd.factorize(pair(splits, parts))
    order = np.argsort(codes, kind="stable")
    for which in np.split(order, np.cumsum(np.bincount(codes))[:-1]):
        yield rows.split.texts[splits[which[0]]], rows.part.texts[parts[which[0]]], which


class _Block:
    """The rows of one part of one division, sorted by model, seed and case."""

    def __init__(self, grids: Grids, split: str, part: str, which: Which) -> None:
        rows = grids.rows
        self.grids, self.split, self.part, self.which = grids, split, part, which
        local, self.met = pd.factorize(rows.case.codes[which])
        self.n = len(self.met)
        self.width = int(rows.seed.codes[which].max()) + 2  # of the codes of seeds, 0 for none
        self.models = pd.unique(rows.model.codes[which])
        key = pair(rows.model.codes[which], rows.seed.codes[which].astype(np.int32) + 1)
        key *= self.n
        key += local
        self.order = None if (key[1:] > key[:-1]).all() else np.argsort(key, kind="stable")
        self.key = key if self.order is None else key[self.order]
        self._check_once()
        self.cases: dict[bytes, Cases] = {}
        rows_of = np.empty(self.n, dtype=np.int64)
        rows_of[local] = np.arange(len(local))
        self.rows_of = rows_of if isinstance(which, slice) else which[rows_of]  # a row of each case

    def row(self, place: int) -> int:
        """The row of the table that stands at a place of the sorted ones."""
        place = place if self.order is None else int(self.order[place])
        return place if isinstance(self.which, slice) else int(self.which[place])

    def predicted(self) -> Iterator[Predicted]:
        """What each model says of these cases."""
        for model in map(int, self.models):
            bounds = [place * self.width * self.n for place in (model, model + 1)]
            start, stop = map(int, np.searchsorted(self.key, bounds))
            yield self._of_model(model, start, stop)

    def _of_model(self, model: int, start: int, stop: int) -> Predicted:
        rows = self.grids.rows
        place = self.key[start:stop] - model * self.width * self.n
        seeds, cases = place // self.n, place % self.n
        begins = np.flatnonzero(np.diff(seeds, prepend=-1))
        kept, R = seeds[begins], len(begins)
        self._check_seeds(rows.model.texts[model], kept, start + begins)
        if R * self.n != len(place) and (
            len(place) % R or (cases.reshape(R, -1) != cases[: len(place) // R]).any()
        ):
            self._refuse_other_cases(rows.model.texts[model], kept, begins, cases)
        cases = cases[: len(place) // R]
        values = self._values(self.grids.prediction.values, start, stop, R)
        quantiles = {
            level: self._values(one, start, stop, R) for level, one in self.grids.prediction.quantiles.items()
        }
        self._check_whole(rows.model.texts[model], values, start)
        names = tuple(rows.seed.texts[seed - 1] for seed in kept if seed)
        outputs = self.grids.prediction.outputs(values)
        return Predicted(rows.model.texts[model], self._cases(cases), names, outputs, quantiles)

    def _values(self, values: Array, start: int, stop: int, R: int) -> Array:
        """(R, n) or (R, n, k) of the values (rows,) or (rows, k) of the sorted rows from start to stop."""
        if self.order is not None:
            places = self.order[start:stop]
            values = values[places if isinstance(self.which, slice) else self.which[places]]
        else:
            values = values[start:stop] if isinstance(self.which, slice) else values[self.which[start:stop]]
        return values.reshape(R, -1, *values.shape[1:])

    def _cases(self, places: Array) -> Cases:
        """The cases at these places (n,); equal ones are one object."""
        key = places.tobytes()
        if key not in self.cases:
            grids, rows = self.grids, self.rows_of[places]
            ids = np.array([grids.rows.case.texts[code] for code in self.met[places]])
            groups = None if grids.groups is None else grids.groups[rows]
            others = grids.others.get(self.split) if self.part == PART else None
            self.cases[key] = Cases(self.split, self.part, ids, grids.y[rows], groups, others)
        return self.cases[key]

    def _check_once(self) -> None:
        """That no model says two things of a case with one seed."""
        twice = self.key[1:] == self.key[:-1]
        if not twice.any():
            return
        rows, place = self.grids.rows, int(twice.argmax())
        one, two = self.row(place), self.row(place + 1)
        model, seed = rows.model.texts[rows.model.codes[one]], rows.seed.codes[one]
        by = f"the model {model!r}" if len(rows.model.texts) > 1 else "the table"
        by += f" with the seed {rows.seed.texts[seed]!r}" if seed >= 0 else ""
        unsaid = [name for name in ("seed", "model", "split") if len(getattr(rows, name).texts) < 2]
        ways = " or ".join(way(name) for name in unsaid)
        or_name = f", or name the column that tells them apart with {ways}" if ways else ""
        raise Refusal(
            f"a case has one row a model, seed, division and part, and {by} has the case"
            f" {rows.case.texts[rows.case.codes[one]]!r} in {rows.unit}s {rows.numbers[one]} and"
            f" {rows.numbers[two]}; remove one{or_name}."
        )

    def _check_seeds(self, model: str, seeds: Array, starts: Array) -> None:
        """That a model has a seed in all rows or in none. seeds: (R,) codes, 0 for none."""
        if len(seeds) > 1 and not seeds[0]:
            rows = self.grids.rows
            without, has = (rows.at(self.row(int(start))) for start in starts[:2])
            raise Refusal(
                f"the model {model!r} has no seed in {without} and the seed {rows.seed.texts[seeds[1] - 1]!r}"
                f" in {has}; give it one in all rows or in none."
            )

    def _refuse_other_cases(self, model: str, seeds: Array, begins: Array, cases: Array) -> None:
        """Name a case that one seed of a model has and another lacks."""
        rows, ends = self.grids.rows, [*begins[1:], len(cases)]
        sets = [set(cases[a:b].tolist()) for a, b in zip(begins, ends, strict=True)]
        whole = max(sets, key=len)
        place = next(place for place, one in enumerate(sets) if one != whole)
        lacks = whole - sets[place] or sets[place] - whole
        has, without = (sets.index(whole), place) if whole - sets[place] else (place, sets.index(whole))
        id = rows.case.texts[self.met[min(lacks)]]
        one, other = (rows.seed.texts[seeds[seed] - 1] for seed in (has, without))
        where = f" of the division {self.split!r}" if len(rows.split.texts) > 1 else ""
        raise Refusal(
            f"all seeds of a model are judged on the same cases, and of {model!r} the seed {one!r} has the"
            f" case {id!r} in the part {self.part}{where}, which the seed {other!r} lacks; add or remove"
            f" its rows, or name the column of seeds as the division ({option('split', '')}) if each seed"
            " divides the table anew."
        )

    def _check_whole(self, model: str, values: Array, start: int) -> None:
        """That the predictions (R, n) or (R, n, k) of a seed are all there, or all missing."""
        kind, rows = self.grids.prediction.kind, self.grids.rows
        missing = np.asarray(~np.isfinite(values.reshape(*values.shape[:2], -1)).all(axis=2))
        diverged = np.asarray(missing.all(axis=1))
        if diverged.all():
            raise Refusal(f"the model {model!r} has no prediction in the part {self.part}; remove its rows.")
        partly = missing & ~diverged[:, None]
        if partly.any():
            place = int(partly.argmax())
            what = "is infinite" if np.isinf(values.reshape(missing.size, -1)[place]).any() else "is missing"
            raise Refusal(
                f"the prediction of the model {model!r} {what} in {rows.at(self.row(start + place))}, and"
                " not in all rows of that seed; fill it in, or empty all rows of a seed that diverged."
            )
        same = values[~diverged] == values[~diverged][:, :1]
        self.grids.constant.append(kind != "label" and missing.shape[1] > 1 and bool(same.all()))
