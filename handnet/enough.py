"""Whether a table has enough rows for three parts, and what is said where it has not."""

import math

import numpy as np

from handnet.data import Array, Dataset, listed

LEAST_CASES = 2  # of each class, in each part
LEAST_ROWS = 10  # in each part, where the target is a number
MAX_DEVIATIONS = 1e12  # of a value from the train mean: products of four such layers still fit in float32


def cases_needed(test: float, val: float, order: str) -> int:
    """About how many cases of a class a table needs for two in each part."""
    aside = (test, (1 - test) * val) if order == "test-first" else (test, test)
    smallest = min(*aside, 1 - sum(aside))
    return math.ceil(LEAST_CASES / smallest - 1e-9) if smallest > 0 else 3 * LEAST_CASES


def too_few(data: Dataset, needed: int, part: str = "") -> str:
    """What is said of a table with too few cases of a class. part: what a part has, if it is known."""
    if not data.class_names:
        return (
            f"each of the three parts needs {LEAST_ROWS} rows, but the table has {len(data.y)}; use more rows"
            " or larger shares."
        )
    return (
        "each of the three parts needs 2 cases of each class; with these shares the table needs about"
        f" {needed} of each for that, but has {_each(_class_counts(data), data, needed)}{part}; use more"
        " cases, larger shares or another split seed."
    )


def check_classes(data: Dataset, needed: int) -> None:
    """Raises ValueError when a class has too few cases for three parts, or is in too few blocks."""
    if _class_counts(data).min() < 3 * LEAST_CASES:
        raise ValueError(too_few(data, needed))
    if data.blocks is None:
        return
    counts = [len(np.unique(data.blocks[data.y == label])) for label in range(len(data.class_names))]
    if min(counts) < 3:
        together, needs, more = ("equal rows stay together", "have 3 different rows", "cases")
        if data.groups is not None:
            together, needs, more = ("rows of one group stay together", "be in 3 groups", "groups")
        pairs = list(zip(data.class_names, counts, strict=True))
        has = [f"{name!r} has {count}" for name, count in pairs if len(pairs) == 2 or count < 3]
        raise ValueError(
            f"each of the three parts needs cases of each class, and {together}, so each class must {needs}"
            f" at least, but {_and(has)}; use more {more}."
        )


def _class_counts(data: Dataset, rows: Array | slice = slice(None)) -> Array:
    """(k,) how many of the rows (n,) each class has."""
    return np.bincount(data.y[rows], minlength=len(data.class_names))


def _each(counts: Array, data: Dataset, needed: int) -> str:
    """How many there are of each class; of many, only of those with fewer than needed. counts: (k,)."""
    every = [f"{count} of {name!r}" for count, name in zip(counts, data.class_names, strict=True)]
    few = [text for text, count in zip(every, counts, strict=True) if count < needed]
    return _and(every if len(every) == 2 else few or every)


def _and(words: list[str]) -> str:
    """Two words with "and" between them, or a list."""
    return " and ".join(words) if len(words) == 2 else listed(words)


def check_parts(data: Dataset, parts: dict[str, Array], stratify: bool, needed: int) -> None:
    """Raises ValueError when a part, row numbers (n,), lacks cases or rows, or is larger than train."""
    for name, rows in parts.items():
        if data.class_names and _class_counts(data, rows).min() < LEAST_CASES:
            raise ValueError(_lacks_cases(data, name, rows, stratify, needed))
        if not data.class_names and len(rows) < LEAST_ROWS:
            together = (
                " (equal rows stay together)" if data.groups is None else " (rows of one group stay together)"
            )
            together = "" if data.blocks is None else together
            raise ValueError(
                f"the {name} part needs {LEAST_ROWS} rows at least, but has {len(rows)} of"
                f" {len(data.y)}{together}; use more rows, larger shares or another split seed."
            )
        largest = len(parts["train"])
        if len(rows) > largest:
            raise ValueError(
                f"the train part must be the largest, but has {largest} cases and {name} {len(rows)}."
            )


def _lacks_cases(data: Dataset, name: str, rows: Array, stratify: bool, needed: int) -> str:
    """What is said of a part, row numbers (n,), that lacks cases of a class."""
    has = _each(_class_counts(data, rows), data, LEAST_CASES)
    if data.blocks is None and _class_counts(data).min() < needed:
        return too_few(data, needed, f" (the {name} part: {has})")
    even = "" if stratify else "stratify=True, "
    if data.blocks is None:
        why, more = "", "more cases"
    elif data.groups is None:
        why, more = " (equal rows stay together)", "more cases that differ"
    else:
        why, more = " (rows of one group stay together)", "more and smaller groups"
    return (
        f"the {name} part needs 2 cases of each class, but has {has}{why}; use {even}{more}, larger shares or"
        " another split seed."
    )


def check_distances(data: Dataset, parts: dict[str, Array]) -> None:
    """Raises ValueError when a number that is the target does not vary among the rows (n,) of a part, or has
    a value so far from the train rows that no network stays finite on it."""
    for name, rows in parts.items():
        if np.ptp(data.y[rows]) == 0:
            nothing = "learn" if name == "train" else "tell guesses apart by"
            raise ValueError(
                f"the target {data.target!r} is {data.y[rows[0]]:g} in all {len(rows)} {name} rows, so there"
                f" is nothing to {nothing}; use more rows or another split seed."
            )
    train = data.y[parts["train"]]
    distances = np.abs(data.y - train.mean()) / train.std()
    row = int(distances.argmax())
    if not distances[row] <= MAX_DEVIATIONS:
        raise ValueError(
            f"case {data.case_ids[row]} lies {distances[row]:.0e} standard deviations of the train rows from"
            f" their mean in the target {data.target!r}; look at that value."
        )
