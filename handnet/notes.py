"""What was done to a table and what to beware of in it, a sentence each, for the console and the report.

What is said of labels and of relations among rows is found in the train rows alone.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import hypergeom

from handnet.data import Array, Dataset, listed
from handnet.encode import GAP, LEVEL, Encoder, level_codes, text_columns
from handnet.messages import option

FEW = 10  # cases of a class in a part, below which its bands over cases are wide
# A column nearly tells the classes apart when it is wrong in one row or in at most this share of the train
# rows, and in at most this share of the rarer class.
WRONG, WRONG_OF_RARER = 0.02, 0.2
# Of the gaps that are nearly all of one class those of the other are at most this share, and at most
# WRONG_OF_RARER of as many as there would be if gaps and classes had nothing to do with each other.
WRONG_OF_GAPS = 0.05
# Words in the names of columns that name cases, and the least share of different values in one.
NAMING = frozenset(
    "id ids pid ptid mrn usubjid subjid subject patient person participant customer animal".split()
)
REPEATING = 0.05
CHANCE = 0.1  # of such a column in a table whose labels have been shuffled: what is likelier is not told
BLOCK = 2**22  # cells looked at together


def table_notes(data: Dataset, encoder: Encoder, parts: Mapping[str, Array]) -> tuple[str, ...]:
    """What was done to the table, a sentence each: when it was read, and by the encoder.

    parts: row numbers (n,) int by part: train, validation, test. Of the test only the number of cases of each
    class is told.
    """
    train, val = parts["train"], parts["validation"]
    made, found = _what_was_made(data, encoder, train), _what_to_beware_of(data, encoder, train, val)
    listings = [sentence.format(listed(names)) for sentence, names in (*made, *found) if names]
    return (*data.notes, *_block_notes(data), *_few_cases(data, parts), *_few_groups(data, parts), *listings)


Listing = tuple[str, list[str]]  # a sentence, and the columns that take the place of its {}


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
    """Columns that may hold the label, found among the train rows (n,), and levels that only validation rows
    (n,) have."""
    n, wrong = len(train), _fewest_wrong(data, encoder, train)
    yield (
        f"Tells the classes apart by itself in all {n} train rows: {{}}; what is known only after the label"
        " must be left out.",
        [repr(name) for name, rows in wrong.items() if not rows],
    )
    yield (
        "Nearly tells the classes apart by itself, by one cut or by its levels: {}; what is known only after"
        " the label must be left out.",
        [f"{name!r} (all but {rows} of {n} train rows)" for name, rows in wrong.items() if rows],
    )
    yield (
        "Gaps that only one class has among the train rows, or nearly: {}; a column that lacks its values"
        " because of the label must be left out.",
        _telling_gaps(data, train),
    )
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


def _block_notes(data: Dataset) -> list[str]:
    """Sentences on the rows that fall into one part."""
    sentences, n = [], len(data.y)
    if data.groups is not None:
        sentences.append(
            f"The {n} rows are of {len(np.unique(data.groups))} groups. A group falls into one part, and"
            " bands over cases go over groups."
        )
    repeated = int((data.first_equal != np.arange(n)).sum())
    if repeated:
        sentence = (
            f"{repeated} of {n} rows repeat{'s' if repeated == 1 else ''} the measurements of an earlier one;"
            " equal rows fall into one part."
        )
        rows = np.bincount(data.first_equal, minlength=n)
        positive = np.bincount(data.first_equal, weights=data.y, minlength=n)
        mixed = (positive > 0) & (positive < rows)
        if mixed.any():
            sentence += (
                f" Rows with equal measurements and both labels: {rows[mixed].sum()}, in"
                f" {mixed.sum()} set{'s' if mixed.sum() > 1 else ''}; no method calls all of those right."
            )
        sentences.append(sentence)
    return sentences


def _few_cases(data: Dataset, parts: Mapping[str, Array]) -> list[str]:
    """A sentence where a part has few cases of a class."""
    counts = {part: np.bincount(data.y[rows], minlength=2) for part, rows in parts.items()}
    few = [
        f"{data.class_names[label]!r} has "
        + ", ".join(f"{numbers[label]} in {part}" for part, numbers in counts.items())
        for label in (1, 0)
        if min(numbers[label] for numbers in counts.values()) < FEW
    ]
    if not few:
        return []
    return [f"Few cases of a class: {'; '.join(few)}. Bands over so few cases are wide."]


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


def _fewest_wrong(data: Dataset, encoder: Encoder, train: Array) -> dict[str, int]:
    """The columns that tell the labels of the train rows (n,) apart by themselves, or nearly, with the number
    of rows they are wrong in.

    A number is cut at one place; each level of a text takes the class of most of its rows. Gaps are filled as
    the encoder fills them.
    """
    y, used = data.y[train], np.unique(encoder.source[encoder.kind != GAP])
    rarer = int(np.bincount(y, minlength=2).min())
    most = min(max(1, int(WRONG * len(y))), int(WRONG_OF_RARER * rarer))
    texts = set(text_columns(data).values())
    numbers = [column for column in used.tolist() if column not in texts]
    found: dict[int, tuple[int, float]] = {}  # column -> rows that are wrong, and ln of how many rules it had
    width = max(1, BLOCK // len(y))
    for low in range(0, len(numbers), width):
        columns = np.array(numbers[low : low + width])
        for place, rows in _wrong_by_cut(_filled(data, encoder, train, columns), y, most).items():
            found[int(columns[place])] = rows, math.log(2 * (2 * rows + 1))
    for column in texts.intersection(used.tolist()):
        levels, rows = _wrong_by_levels(_filled(data, encoder, train, np.array([column]))[:, 0], y)
        if rows <= most:
            found[column] = rows, levels * math.log(2)
    log_tables = math.log(len(used) / CHANCE) if len(used) else 0.0
    return {
        data.feature_names[column]: rows
        for column, (rows, log_rules) in sorted(found.items())
        if log_rules + log_tables + _log_shuffled(rows, len(y), rarer) <= 0
    }


def _filled(data: Dataset, encoder: Encoder, train: Array, columns: Array) -> Array:
    """The cells (n, k) of these columns (k,) in the train rows (n,), gaps filled."""
    X = data.X[np.ix_(train, columns)]
    return np.where(np.isnan(X), encoder.fill[columns], X) if data.missing else X


def _wrong_by_cut(X: Array, y: Array, most: int) -> dict[int, int]:
    """How many labels the best cut of a column calls wrong, for the columns of X (n, k) where it is `most` of
    the labels y (n,) or fewer."""
    ones, zeros = X[y == 1], X[y == 0]
    ends = [np.partition(part, place, axis=0)[place] for part in (ones, zeros) for place in _ends(part, most)]
    low_1, high_1, low_0, high_0 = ends
    wrong = {}
    for column in np.flatnonzero((low_1 > high_0) | (high_1 < low_0)):
        values, places = np.unique(X[:, column], return_inverse=True)
        below = [np.cumsum(np.bincount(places[y == label], minlength=len(values))) for label in (0, 1)]
        above = below[1] + len(zeros) - below[0]  # wrong where class 1 lies above the cut
        wrong[int(column)] = int(min(above.min(), (len(y) - above).min()))
    return {column: rows for column, rows in wrong.items() if rows <= most}


def _ends(part: Array, most: int) -> tuple[int, int]:
    """The places of the smallest and of the largest row but `most`."""
    return most, len(part) - 1 - most


def _wrong_by_levels(cells: Array, y: Array) -> tuple[int, int]:
    """The number of levels in cells (n,), and how many labels y (n,) are not those of most of their level."""
    places = np.unique(cells, return_inverse=True)[1]
    counts = [np.bincount(places[y == label], minlength=places.max() + 1) for label in (0, 1)]
    return len(counts[0]), int(np.minimum(*counts).sum())


def _log_shuffled(wrong: int, n: int, positive: int) -> float:
    """ln of an upper bound of the chance that one given rule is wrong in so few of n shuffled labels.

    So many labellings differ from the rule's own in `wrong` rows or fewer, of all those with as many rows of
    a class: sum over j of C(n, j), divided by C(n, positive).
    """

    def log_ways(k: Array | int) -> Any:
        return gammaln(n + 1) - gammaln(np.add(k, 1)) - gammaln(n - np.asarray(k) + 1)

    return float(logsumexp(log_ways(np.arange(wrong + 1))) - log_ways(positive))


def _repeating_names(data: Dataset, train: Array) -> list[str]:
    """Each column of whole numbers that is called like a name of cases and has many values, some of them more
    than once, in the train rows (n,)."""
    if data.groups is not None:
        return []
    found = []
    for place, name in enumerate(data.feature_names):
        words = set(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))
        if not NAMING.isdisjoint(map(str.lower, words)) and name not in data.levels:
            cells = data.X[train, place]
            different = len(np.unique(cells))
            if (cells % 1 == 0).all() and max(FEW, REPEATING * len(train)) <= different < len(train):
                found.append(f"{name!r} ({different} different in {len(train)} train rows)")
    return found


def _telling_gaps(data: Dataset, train: Array) -> list[str]:
    """Each column whose gaps among the train rows (n,) are of one class, or nearly, and not by chance."""
    if not data.missing:
        return []
    gaps, y = np.isnan(data.X[train]), data.y[train]
    number = gaps.sum(axis=0)
    columns = np.flatnonzero((number > 0) & (number < len(y)))
    number, of_1 = number[columns], gaps[y == 1].sum(axis=0)[columns]
    others = np.minimum(of_1, number - of_1)
    drawn = hypergeom(len(y), int(y.sum()), number)
    chance = (drawn.cdf(others) + drawn.sf(number - others - 1)) * data.X.shape[1]
    expected = number * np.where(2 * of_1 > number, 1 - y.mean(), y.mean())  # others, if gaps told nothing
    few = (others <= WRONG_OF_GAPS * number) & (others <= WRONG_OF_RARER * expected)
    told = few & (chance <= CHANCE)
    return [
        f"{data.feature_names[column]!r} ({all_ - few} of {all_} are"
        f" {data.class_names[int(2 * positive > all_)]!r})"
        for column, all_, few, positive in zip(
            *(part[told].tolist() for part in (columns, number, others, of_1)), strict=True
        )
    ]
