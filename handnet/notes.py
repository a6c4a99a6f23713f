"""What was done to a table and what to beware of in it, a sentence each, for the console and the report.

What is said of targets and of relations among rows is found in the train rows alone.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from handnet.data import MOST_LISTED, Array, Dataset, listed
from handnet.encode import LEVEL, Encoder, level_codes, text_columns
from handnet.leaks import Listing, leaks
from handnet.messages import option

FEW = 10  # cases of a class in a part, below which its bands over cases are wide
# Words in the names of columns that name cases, and the least share of different values in one.
NAMING = frozenset(
    "id ids pid ptid mrn usubjid subjid subject patient person participant customer animal".split()
)
REPEATING = 0.05
# How the notes of the encoder begin.
ENCODED = (
    "Left out, because they never vary",
    "One-hot, from the levels",
    "Gaps of the ",
    "Validation cases with a level no train row has",
)
ROWS_OF_A_RUN = 3  # on average, of equal whole numbers that may name what has several rows
# What share of the variance of a number one train row has to make to be told: the first at least, and TIMES
# what the largest of n normal values makes, but no more than the last.
LEAST_SHARE, TIMES, MOST_SHARE = 0.1, 3, 0.5


def table_notes(data: Dataset, encoder: Encoder, parts: Mapping[str, Array]) -> tuple[str, ...]:
    """What was done to the table, a sentence each: when it was read, and by the encoder.

    parts: row numbers (n,) int by part: train, validation, test. Of the test only the number of cases of each
    class, or of groups, is told.
    """
    train, val = parts["train"], parts["validation"]
    made, found = _what_was_made(data, encoder, train), _what_to_beware_of(data, encoder, train, val)
    listings = [sentence.format(listed(names)) for sentence, names in (*made, *found) if names]
    rows = _few_cases(data, parts) if data.class_names else _heavy_tail(data, train)
    return (*data.notes, *_block_notes(data, parts), *rows, *_few_groups(data, parts), *listings)


def said_for(notes: Iterable[str], whom: str) -> tuple[str, ...]:
    """Notes of a table, those of the encoder with the words for whom it encodes; "": for all that learns."""
    return tuple(
        f"For {whom}: {note[0].lower()}{note[1:]}" if whom and note.startswith(ENCODED) else note
        for note in notes
    )


def _what_was_made(data: Dataset, encoder: Encoder, train: Array) -> Iterator[Listing]:
    """What the encoder learnt from the train rows (n,)."""
    yield "Left out, because they never vary among the train rows: {}.", list(map(repr, encoder.left_out))
    yield "One-hot, from the levels of the train rows: {}.", _level_counts(data, encoder, train)
    yield (
        f"Gaps of the {len(train)} train rows, filled with the median or the most frequent level and marked"
        " by an input of their own: {}.",
        _gap_counts(data, train),
    )


def _what_to_beware_of(data: Dataset, encoder: Encoder, train: Array, val: Array) -> Iterator[Listing]:
    """Columns that may hold the target, or name patients, among the train rows (n,), and levels that only
    validation rows (n,) have."""
    yield from leaks(data, encoder, train)
    yield (
        "May name patients, or whatever else has several rows: {}; rows of one are alike, and"
        f" {option('group', '')} keeps them in one part.",
        _repeating_names(data, train),
    )
    yield (
        "Validation cases with a level no train row has, which is none of the inputs: {}.",
        _unseen_counts(data, train, val),
    )


def _level_counts(data: Dataset, encoder: Encoder, train: Array) -> list[str]:
    """Each column of text with inputs, and the number of levels it has in the train rows (n,)."""
    one_hot = set(encoder.source[encoder.kind == LEVEL].tolist())
    return [
        f"{name!r} ({len(np.unique(level_codes(data.X[train, column])))} levels)"
        for name, column in text_columns(data).items()
        if column in one_hot
    ]


def _gap_counts(data: Dataset, train: Array) -> list[str]:
    """Each column with the number of its gaps in the train rows (n,), where it has any."""
    if not data.missing:
        return []
    counts = zip(data.feature_names, np.isnan(data.X[train]).sum(axis=0), strict=True)
    return [f"{name!r} ({int(count)})" for name, count in counts if count]


def _unseen_counts(data: Dataset, train: Array, val: Array) -> list[str]:
    """Each column of text with the number of validation rows (n,) whose level no train row (n,) has."""
    unseen = {
        name: ~np.isin(level_codes(data.X[val, column]), level_codes(data.X[train, column]))
        for name, column in text_columns(data).items()
    }
    return [f"{name!r} ({int(rows.sum())})" for name, rows in unseen.items() if rows.any()]


def _block_notes(data: Dataset, parts: Mapping[str, Array]) -> list[str]:
    """Sentences on the rows that fall into one part.

    With groups equal rows may lie on both sides of the seal, so those of the test are not counted: nothing
    is told of sealed values.
    """
    sentences, n = [], len(data.y)
    seen = np.arange(n)
    if data.groups is not None:
        sentences.append(
            f"The {n} rows are of {len(np.unique(data.groups))} groups. A group falls into one part, and"
            " bands over cases go over groups."
        )
        seen = np.concatenate([rows for part, rows in parts.items() if part != "test"])
    repeated = len(seen) - len(np.unique(data.first_equal[seen]))
    if repeated:
        of = f"{len(seen)} {'train and validation ' if len(seen) < n else ''}rows"
        sentence = (
            f"{repeated} of {of} repeat{'s' if repeated == 1 else ''} the measurements of an earlier one;"
            f" {_where_equal_rows_fall(data, seen)}"
        )
        sentence += _torn(data, seen)
        sentences.append(sentence)
    return sentences


def _where_equal_rows_fall(data: Dataset, seen: Array) -> str:
    """Into one part, unless they are of different groups. seen: (m,) the rows that are counted."""
    if data.groups is not None:
        equal, groups = data.first_equal[seen], data.groups[seen]
        least, most = np.full(len(data.y), np.inf), np.full(len(data.y), -np.inf)
        np.minimum.at(least, equal, groups)
        np.maximum.at(most, equal, groups)
        across = int((least < most)[equal].sum())
        if across:
            return (
                f"{across} rows equal a row of another group, and these need not fall into one part. If they"
                " are copies of one case, give them one group."
            )
    return "equal rows fall into one part."


def _torn(data: Dataset, seen: Array) -> str:
    """What is said of rows with equal measurements and different targets; "" where there are none.

    seen: (m,) the rows that are counted.
    """
    equal, least, most = data.first_equal[seen], np.full(len(data.y), np.inf), np.full(len(data.y), -np.inf)
    np.minimum.at(least, equal, data.y[seen])
    np.maximum.at(most, equal, data.y[seen])
    torn = least < most
    if not torn.any():
        return ""
    rows, sets = int(torn[equal].sum()), int(torn.sum())
    what = {0: "different targets", 2: "both labels"}.get(len(data.class_names), "different labels")
    does = "calls all of those right" if data.class_names else "guesses all of those"
    return (
        f" Rows with equal measurements and {what}: {rows}, in {sets} set{'s' if sets > 1 else ''}; no method"
        f" {does}."
    )


def _few_cases(data: Dataset, parts: Mapping[str, Array]) -> list[str]:
    """A sentence where a part has few cases of a class."""
    k = len(data.class_names)
    counts = {part: np.bincount(data.y[rows], minlength=k) for part, rows in parts.items()}
    few = [
        f"{data.class_names[label]!r} has "
        + ", ".join(f"{numbers[label]} in {part}" for part, numbers in counts.items())
        for label in reversed(range(k))
        if min(numbers[label] for numbers in counts.values()) < FEW
    ]
    if not few:
        return []
    more = f"; and {len(few) - MOST_LISTED} more classes" if len(few) > MOST_LISTED else ""
    return [f"Few cases of a class: {'; '.join(few[:MOST_LISTED])}{more}. Bands over so few cases are wide."]


def _heavy_tail(data: Dataset, train: Array) -> list[str]:
    """A sentence where one train row makes much of the variance of a number.

    The largest of n normal values makes about 2 ln n / n of it."""
    squares = np.square(data.y[train] - data.y[train].mean())
    share, n = squares.max() / squares.sum(), len(train)
    if share < min(MOST_SHARE, max(LEAST_SHARE, TIMES * 2 * math.log(n) / n)):
        return []
    row = train[int(squares.argmax())]
    return [
        f"One train row, case {data.case_ids[row]} with {data.y[row]:g}, makes {100 * share:.0f} % of the"
        " variance of the target among them: look at that value. Squared errors are mostly those of few such"
        " rows, absolute ones less so."
    ]


def _few_groups(data: Dataset, parts: Mapping[str, Array]) -> list[str]:
    """A sentence where validation or test rows are of few groups."""
    if data.groups is None:
        return []
    counts = {part: len(np.unique(data.groups[rows])) for part, rows in parts.items() if part != "train"}
    if min(counts.values()) >= FEW:
        return []
    alone = " One group alone shows nothing of how groups differ." if min(counts.values()) == 1 else ""
    listing = ", ".join(f"{count} in {part}" for part, count in counts.items())
    return [f"Few groups: {listing}. Bands over so few groups are wide.{alone}"]


def _repeating_names(data: Dataset, train: Array) -> list[str]:
    """Each column of whole numbers that may name what has several of the train rows (n,): it is called like a
    name of cases and has many values, some of them more than once, or its equal values stand together."""
    if data.groups is not None:
        return []
    found, in_order = [], np.sort(train)
    for place, name in enumerate(data.feature_names):
        cells = data.X[in_order, place]
        if name in data.levels or not (cells % 1 == 0).all():
            continue
        words = set(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))
        named, different = not NAMING.isdisjoint(map(str.lower, words)), len(np.unique(cells))
        repeats = max(FEW, REPEATING * len(train)) <= different < len(train)
        if (named and repeats) or _stand_in_runs(cells, different):
            found.append(f"{name!r} ({different} different in {len(train)} train rows)")
    return found


def _stand_in_runs(cells: Array, different: int) -> bool:
    """Whether each of ten or more values in a column (n,) fills one run of rows, of three or more on average.

    A column in rising or falling order has such runs too where the file was sorted by it, so it is no sign.
    """
    steps = np.diff(cells)
    runs = 1 + np.count_nonzero(steps)
    long = FEW <= different == runs <= len(cells) / ROWS_OF_A_RUN
    return bool(long and (steps > 0).any() and (steps < 0).any())
