"""How often each rule of comparison finds a difference that is not there: a table that was measured once.

false_alarms.csv, beside this file, has what 2000 simulated tables of each of LAYOUTS gave; its column
`classes` tells the task, 0 for a number. This remakes it, in ten minutes or so:

    handnet simulate --false-alarms 2000 > handnet/study/false_alarms.csv
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, dist, log
from pathlib import Path

import numpy as np

from handnet.bands import Band
from handnet.bands.compare import ALPHA
from handnet.bands.null import RULE, SCORES, FalseAlarms, false_alarms
from handnet.bands.null_tables import Layout
from handnet.bands.proportion import clopper_pearson
from handnet.study.units import Problem
from handnet.tasks import task_of

TABLE = Path(__file__).with_name("false_alarms.csv")
COLUMNS = (*Layout._fields, "score", "correlation", "rule", "tables", "found", "rate", "low", "high")


def _layout(
    rows: int, test: float, validation: float, rarer: float, divisions: int, classes: int = 2
) -> Layout:
    """A layout from the shares that the test, the validation part and the rarest class have of all rows."""
    of_test, of_validation = (ceil(round(rows * share, 6)) for share in (test, validation))
    train = rows - of_test - of_validation
    return Layout(rows, train, of_validation, of_test, round(rows * rarer), divisions, classes)


LAYOUTS = (
    *(_layout(rows, 0.2, 0.2, 0.373, 29) for rows in (150, 300, 569, 1500, 5000)),
    *(_layout(569, 0.2, 0.2, 0.373, divisions) for divisions in (5, 10, 100)),
    _layout(569, 0.2, 0, 0.373, 29),
    _layout(569, 0.1, 0.1, 0.373, 29),
    _layout(569, 0.2, 0.2, 0.5, 29),
    _layout(300, 0.2, 0.2, 0.1, 29),
    _layout(569, 0.2, 0.2, 0.1, 29),
    _layout(1500, 0.2, 0.2, 0.1, 29),
    _layout(1500, 0.2, 0.2, 0.02, 29),
    _layout(90, 0.2, 0.2, 1 / 3, 29, 3),
    _layout(570, 0.2, 0.2, 1 / 3, 29, 3),
    _layout(570, 0.2, 0.2, 1 / 3, 10, 3),
    _layout(570, 0.2, 0.2, 0.1, 29, 3),
    _layout(1500, 0.2, 0.2, 0.1, 29, 10),
    *(_layout(rows, 0.2, 0.2, 0, 29, 0) for rows in (150, 570, 1500)),
    _layout(570, 0.2, 0.2, 0, 10, 0),
)


def layout_of(problem: Problem, divisions: int) -> Layout:
    """How a study divides its table."""
    parts, y, classes = problem.parts, problem.data.y, problem.task.classes
    sizes = (len(parts.train_rows), len(parts.val_rows), len(parts.test_rows))
    return Layout(len(y), *sizes, int(np.bincount(y).min()) if classes else 0, divisions, classes)


@dataclass(frozen=True)
class Measured:
    """What each rule finds where there is nothing to find, in the measured layout nearest to a study's."""

    own: Layout
    nearest: Layout
    rates: tuple[FalseAlarms, ...]  # of every rule, on one score

    def may_word(self, rule: str) -> bool:
        """Whether a rule may word a verdict: one does, unless it is shown to err in more than 5 of 100."""
        return rule == RULE and any(row.rule == rule and rate(row).low <= ALPHA for row in self.rates)


def measured(own: Layout, score: str) -> Measured:
    """The rates of every rule in the measured layout that is nearest to this one: on this score or, where it
    was not measured, on the one that decides unless the settings name another."""
    near, task = nearest(own), task_of(own.classes)
    name = score if score in SCORES[task.name] else task.deciding
    return Measured(own, near, tuple(row for row in shipped() if (row.layout, row.score) == (near, name)))


def rate(row: FalseAlarms) -> Band:
    """The share of tables in which a rule found a difference, with its interval (Clopper & Pearson 1934)."""
    return clopper_pearson(row.found, row.tables)


def nearest(own: Layout) -> Layout:
    """The measured layout of the same task most like this one, by the logarithms of its sizes and shares."""
    layouts = dict.fromkeys(row.layout for row in shipped_for(own.classes))
    return min(layouts, key=lambda layout: dist(_place(layout), _place(own)))


def _place(layout: Layout) -> tuple[float, ...]:
    """Rows, divisions, test to the rest, train rows of the rest, odds of the rarest class and the number of
    classes; as logarithms."""
    learnt = layout.train / (layout.rows - layout.test)
    classes = (layout.rarer / (layout.rows - layout.rarer), layout.classes) if layout.classes else ()
    return tuple(map(log, (layout.rows, layout.divisions, layout.ratio, learnt, *classes)))


@cache
def shipped() -> tuple[FalseAlarms, ...]:
    """The rows of the table beside this file."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(_row(cells) for cells in csv.DictReader(lines))


def shipped_for(classes: int) -> tuple[FalseAlarms, ...]:
    """Those of them of one task, that with so many classes."""
    name = task_of(classes).name
    return tuple(row for row in shipped() if task_of(row.layout.classes).name == name)


def _row(cells: dict[str, str]) -> FalseAlarms:
    layout = Layout(*(int(cells[name]) for name in Layout._fields))
    tables, found, correlation = int(cells["tables"]), int(cells["found"]), float(cells["correlation"])
    return FalseAlarms(layout, cells["score"], cells["rule"], tables, found, correlation)


def as_csv(rows: Sequence[FalseAlarms]) -> str:
    """The table, the names of its columns first."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for row in rows:
        band = rate(row)
        shares = (f"{share:.4f}" for share in (band.centre("share"), band.low, band.high))
        correlation = f"{row.correlation:.4f}"
        lines.writerow((*row.layout, row.score, correlation, row.rule, row.tables, row.found, *shares))
    return text.getvalue()


def measure(tables: int, tick: Callable[[], object]) -> list[FalseAlarms]:
    """The false alarms of every rule in every layout, in so many tables of each. tick: called after each."""
    layouts = enumerate(LAYOUTS)
    return [row for place, layout in layouts for row in false_alarms(layout, tables, place, tick)]
