"""What is told of the columns of a table: what was taken for what, and what may have been meant otherwise."""

from collections.abc import Collection, Sequence

import numpy as np

from handnet.data import Array, listed
from handnet.messages import option
from handnet.tables.cells import shown, spelt
from handnet.tables.columns import Asked, Column

# Numbers that stand for something else in many tables: -999, 99, 8888.
CODES = [int(digit * count) for digit in "789" for count in range(1, 7)]
CODES += [10**count - less for count in range(3, 7) for less in (2, 3)] + [99.9, 999.9, 9999.9]
CODES += [-code for code in CODES]


def on_columns(columns: Sequence[Column], numbering: Collection[str], asked: Asked) -> list[str]:
    """Sentences on what the columns are. numbering: those that number the rows."""
    told: dict[str, list[str]] = {}
    gaps: dict[str, list[str]] = {}  # words -> the columns in which they are gaps
    for column in columns:
        if column.name in numbering:
            continue
        for topic, cells in column.told.items():
            told.setdefault(topic, []).append(cells)
        words = {word: count for word, count in column.gaps.items() if word and word not in column.lost}
        if words and column.kind:
            counted = spelt(words) if asked.missing == "drop" else ", ".join(map(shown, sorted(words)))
            gaps.setdefault(counted, []).append(repr(column.name))
    told["gaps"] = [f"{counted} in {listed(names)}" for counted, names in gaps.items()]
    told["rows"] = _ways_for_row_numbers(
        [column.name for column in columns if column.name in numbering], asked
    )
    sentences = {
        "empty": "Left out, because every cell is missing: {}.",
        "rows": "Left out, because they number the rows: {}.",
        "gaps": "Read as gaps: {}.",
        "lost": "Cells that are no numbers are gaps: {}.",
        "joined": "Different numbers that a float64 does not tell apart became equal: {}.",
        "taken": "Taken off, so that numbers are read: {}.",
        "zeros": f"Codes with leading zeros became numbers: {{}}; {option('text', '')} keeps the zeros.",
        "marks": "Levels of text that may stand for a gap: {}; if they do, empty these cells.",
        "form": f"Taken as text of few levels: {{}}; {option('leave', '')} leaves a column out.",
        "signs": f"Taken as text of few levels: {{}}; {option('number', '')} reads the numbers.",
        "case": "Levels that differ in upper and lower case only: {}; each is a level of its own.",
    }
    return [sentence.format(listed(told[topic])) for topic, sentence in sentences.items() if told.get(topic)]


def _ways_for_row_numbers(names: Sequence[str], asked: Asked) -> list[str]:
    """The columns that number the rows, with what keeps one; [] where there are none."""
    if not names:
        return []
    name, one = (names[0], "it") if len(names) == 1 else ("", "one")
    ways = f"{option('number', name)} keeps {one} as a measurement"
    if asked.id is None:
        ways += f", {option('id', name)} names the cases by it"
    return [f"{listed(map(repr, names))}; {ways}"]


def on_values(names: Sequence[str], X: Array, levels: Collection[str], asked: Asked) -> list[str]:
    """Sentences on the numbers of X (n, features): those that may be ids, and those that may be codes."""
    numbers = [(name, X[:, place]) for place, name in enumerate(names) if name not in levels]
    ids = [repr(name) for name, column in numbers if name not in asked.number and _is_own(column)]
    sentences = []
    if ids:
        ways = [*([option("id", "")] if asked.id is None else []), option("leave", "")]
        sentences.append(
            f"Used as measurements, though every row has a different whole number: {listed(ids)}; if one"
            f" names the cases, give it as {' or '.join(ways)}."
        )
    return sentences + on_numbers(numbers)


def on_numbers(numbers: Sequence[tuple[str, Array]]) -> list[str]:
    """Sentences on columns (n,) of numbers, with their names: those that may be dates, or codes for gaps."""
    codes = [f"{code:g} ({count}) in {name!r}" for name, column in numbers for code, count in _codes(column)]
    days = [repr(name) for name, column in numbers if _are_days(column)]
    sentences = []
    if days:
        sentences.append(f"Whole numbers that may be dates, as in 20240131: {listed(days)}.")
    if codes:
        sentences.append(f"Numbers that may stand for a gap: {listed(codes)}; if they do, empty these cells.")
    return sentences


def _is_own(column: Array) -> bool:
    """Whether a column (n,) has another whole number in every row."""
    return bool((column % 1 == 0).all()) and len(np.unique(column)) == len(column)


def _codes(column: Array) -> list[tuple[float, int]]:
    """The codes in a column (n,), which repeat and stand farther from all other values than these spread, or
    are negative where no other is."""
    held = column[~np.isnan(column)]
    if not len(held) or (held.min() not in CODES and held.max() not in CODES):
        return []
    is_code = np.isin(held, CODES)
    others = np.unique(held[~is_code])
    if len(others) < 2:
        return []
    values, counts = np.unique(held[is_code], return_counts=True)
    far = np.maximum(others[0] - values, values - others[-1]) > others[-1] - others[0]
    far |= (values < 0) & (others[0] >= 0)
    return [
        (float(code), int(count)) for code, count in zip(values[far], counts[far], strict=True) if count > 1
    ]


def _are_days(column: Array) -> bool:
    """Whether the values of a column (n,) are dates like 20240131."""
    held = column[~np.isnan(column)]
    if not len(held) or held.min() < 19000101 or held.max() > 20991231 or (held % 1).any():
        return False
    month, day = held // 100 % 100, held % 100
    return bool((month >= 1).all() and (month <= 12).all() and (day >= 1).all() and (day <= 31).all())
