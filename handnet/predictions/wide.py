"""A table with a column a seed, made long."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from handnet.messages import Refusal, nearest, option
from handnet.predictions.cells import few_texts
from handnet.predictions.columns import KINDS, Columns, find_places
from handnet.predictions.names import starred, there, usual
from handnet.predictions.outputs import kind_of

SEED = "seed"


def long_form(frame: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, Columns]:
    """The same table with a row a seed, and what its columns are then; itself where it is not wide.

    Raises Refusal where the wide columns are not there, or hold different kinds of predictions."""
    if not columns.wide:
        if columns.kind:
            raise Refusal(
                f"{option('kind', columns.kind)} says what the columns of {option('wide', '')} hold, and none"
                f" are named; name a column of predictions by what it holds, as in {option('p', '')}."
            )
        return frame, columns
    wide = _wide(list(frame.columns), columns.wide)
    kept = frame[[name for name in frame.columns if name not in wide.values()]]
    if seed := columns.seed or usual("seed", list(kept.columns)):
        raise Refusal(
            f"the column {seed!r} and {option('wide', columns.wide)} both tell the seeds; leave one out."
        )
    if said := [kind for kind in KINDS if columns.said(kind)]:
        raise Refusal(
            f"{option('wide', columns.wide)} and {option(said[0], columns.said(said[0]))} both name"
            f" predictions; leave one out ({option('kind', said[0])} says what the wide columns hold)."
        )
    if columns.kind and columns.kind not in KINDS:
        raise Refusal(
            f"{option('kind', columns.kind)} is none of {', '.join(KINDS)}; {nearest(columns.kind, KINDS)}"
        )
    kind = columns.kind or _kind(frame, find_places(list(kept.columns), columns)["y"], wide)
    value = columns.wide if isinstance(columns.wide, str) else f"{next(iter(wide.values()))} ..."
    taken = {SEED, value} & {*kept.columns}
    if taken:
        raise Refusal(f"the column {taken.pop()!r} has the name that the wide columns get; rename it.")
    long = pd.concat([kept] * len(wide))
    seeds = np.repeat(np.arange(len(wide)), len(frame))
    long[SEED] = pd.Categorical.from_codes(seeds, pd.Index([*wide]))
    long[value] = pd.concat([frame[name] for name in wide.values()]).to_numpy()
    return long, replace(columns, seed=SEED, **{kind: value})


def _wide(names: Sequence[str], said: str | Sequence[str]) -> dict[str, str]:
    """Seed -> its column."""
    if isinstance(said, str) and "*" in said:
        found = starred(said, "wide", names)
    else:
        given = next(csv.reader([said], skipinitialspace=True)) if isinstance(said, str) else list(said)
        columns = [there(name.strip(), "wide", names) for name in given]
        digits = {match[0]: name for name in columns if (match := re.search(r"\d+$", name))}
        found = digits if len(digits) == len(columns) else {name: name for name in columns}
    if len(found) < 2:
        raise Refusal(
            f"{option('wide', said)} names one column, and a wide table has one a seed; name it with"
            f" {option('p', '')} or another prediction instead."
        )
    return found


def _kind(frame: pd.DataFrame, truth: str, wide: dict[str, str]) -> str:
    """What the wide columns hold."""
    labels = few_texts(frame[truth])
    kinds = {name: kind_of(labels, frame[name], False) for name in wide.values()}
    first = next(iter(kinds))
    other = next((name for name in kinds if kinds[name] != kinds[first]), "")
    if other:
        raise Refusal(
            f"the wide columns hold one kind of prediction, and {first!r} looks like {kinds[first]} and"
            f" {other!r} like {kinds[other]}; correct one, or say what they hold with {option('kind', '')}."
        )
    return kinds[first]
