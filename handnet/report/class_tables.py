"""The tables of many classes: which is called which, and how well each is found; once for both pages."""

from collections.abc import Mapping
from typing import Any

from handnet.report.main_table import columns
from handnet.report.score_names import OF_A_CLASS
from handnet.report.tables import Grid, rows_of
from handnet.report.words import part_name, short

MOST = 12  # classes whose calls are a table; of more the largest confusions are listed
LARGEST = 10  # confusions that are listed


def confusion_table(facts: Mapping[str, Any], who: str = "the winner") -> Grid:
    """How many cases of each class a configuration calls each class; of many the largest confusions."""
    found, classes = facts["confusion"], facts["data"]["classes"]
    title = f"Which class is called which, on {part_name(found['part'])} rows"
    seeds = f"Mean counts over {found['seeds']} seeds of {who}"
    if len(classes) > MOST:
        return Grid(
            title, f"{seeds}: the largest of those that are wrong.", *_largest(found["counts"], classes)
        )
    rows = [
        (name, *map(_count, counts), f"{sum(counts):.0f}")
        for name, counts in zip(classes, found["counts"], strict=True)
    ]
    before = f"{seeds}: a row for each true class, a column for each class that is called."
    return Grid(title, before, ("true class", *(short(name, 24) for name in classes), "cases"), rows)


def _largest(counts: list[list[float]], classes: list[str]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The headings and rows of the most frequent wrong calls."""
    wrong = [
        (count, true, called)
        for true, row in enumerate(counts)
        for called, count in enumerate(row)
        if true != called and count
    ]
    wrong.sort(key=lambda one: (-one[0], *one[1:]))
    rows: list[tuple[str, ...]] = [
        (classes[true], classes[called], _count(count), f"{sum(counts[true]):.0f}")
        for count, true, called in wrong[:LARGEST]
    ]
    return ("true class", "called", "cases so called", "cases"), rows


def _count(count: float) -> str:
    """A mean count: whole where no seed differs, nothing where there is none."""
    return f"{count:.0f}" if count == round(count) else f"{count:.1f}" if count >= 0.05 else "under 0.1"


def class_table(facts: Mapping[str, Any], part: str) -> Grid:
    """Recall and precision of each class, in the columns of the main table."""
    count = len(facts["data"]["classes"])
    names = tuple(f"{kind}_{place}" for place in range(count) for kind in OF_A_CLASS)
    return Grid(
        f"Recall and precision of each class, on {part_name(part)} rows",
        "Recall: the share of the cases of a class that are called so. Precision: the share of the cases"
        " called so that are of the class; 0 where none is called so.",
        *columns(facts, rows_of(facts, part, names)),
    )
