"""How single cases are written where the target is a number; case_words.py has those of classes.

A record is a row of the report's `missed`, or of the `scores` of one case; a story is a record with what
`Explainer` found (docs/report-json.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from handnet.data import Array
from handnet.report.words import measure, plain, short, signed

Record = Mapping[str, Any]


def band_of(record: Record, names: tuple[str, str, str], write: Callable[[float], str]) -> str:
    """The middle and the interval. names: of low, middle and high."""
    low, middle, high = (write(record[name]) for name in names)
    return f"{middle} [{low}, {high}]"


def from_to(record: Record, names: tuple[str, str, str], write: Callable[[float], str]) -> str:
    """The same in words."""
    low, middle, high = (write(record[name]) for name in names)
    return f"{middle}, from {low} to {high}"


@dataclass(frozen=True)
class NumberWords:
    """target: the name of the measured column; tolerance: how far off a guess is called right."""

    target: str
    tolerance: float
    value_heading: ClassVar[str] = "guess over seeds"
    value_name: ClassVar[str] = "Guess"
    more: ClassVar[tuple[str, ...]] = ("mean error", "deviation over seeds")
    turn: ClassVar[str] = "put right"
    alone: ClassVar[str] = "alone puts right"
    turning: ClassVar[str] = "puts it right alone"
    turns: ClassVar[str] = "puts it right"
    ends_of_band: ClassVar[tuple[str, str, str]] = ("guess_low", "guess_median", "guess_high")

    @property
    def truth_heading(self) -> str:
        return self.target

    @property
    def wrong_heading(self) -> str:
        return f"off by more than {plain(self.tolerance)} in"

    @property
    def section(self) -> str:
        return f"Cases off by more than {plain(self.tolerance)}"

    @property
    def puts_right(self) -> str:
        return f"come within {plain(self.tolerance)} of it"

    def truth(self, record: Record) -> str:
        return plain(record["target"])

    def said(self, record: Record) -> str:
        return f"{self.target} {plain(record['target'])}"

    def states(self, record: Record) -> str:
        return f"has {self.said(record)}"

    def value(self, record: Record) -> str:
        return band_of(record, self.ends_of_band, measure)

    def further(self, record: Record) -> tuple[str, ...]:
        return signed(record["residual_mean"]), measure(record["residual_sd"])

    def summary(self, record: Record) -> str:
        return f"median guess {self._off(record)}"

    def row(self, record: Record) -> str:
        seeds, (error, deviation) = record["seeds"], self.further(record)
        return (
            f"guess {self.value(record)}, quantiles .025 to .975 over {seeds} seeds; {self.wrong_heading}"
            f" {record['misses']} of {seeds}; mean error {error}, deviation over seeds {deviation}"
        )

    def winner(self, record: Record) -> str:
        return f"the winner's median guess for it is {self._off(record)}"

    def ends(self, records: Sequence[Record]) -> tuple[float, float]:
        values = [record[name] for record in records for name in (*self.ends_of_band, "target")]
        return min(values, default=0.0), max(values, default=1.0)

    def mark(self, record: Record) -> float | None:
        return float(record["target"])

    def scale(self, records: Sequence[Record]) -> str:
        return " to ".join(map(plain, self.ends(records)))

    def read(self, record: Record) -> str:
        return f"guess {from_to(record, self.ends_of_band, measure)}, truth {self.truth(record)}"

    def misses(self, count: int) -> str:
        return f"is off by more than {plain(self.tolerance)} on {count}"

    def figure(self, value: float) -> str:
        return measure(value)

    def in_figures(self, band: Record | None) -> str:
        if band is None:
            return "-"
        mean, low, high = map(measure, (band["centres"]["mean"], band["low"], band["high"]))
        return f"{mean} [{low}, {high}]"

    def chance(self, _end: Record) -> str:
        return ""

    def start(self, _story: Record) -> str:
        return "the mean train case"

    def starts(self, _story: Record) -> str:
        return "the train cases"

    def start_row(self, _story: Record) -> str:
        return "start: mean train case"

    def direction(self, story: Record) -> str:
        return {1: "up", -1: "down", 0: "either way"}[story["towards"]]

    def there(self, story: Record) -> str:
        return self.direction(story)

    def end(self, value: float, _written: str) -> str:
        return f"guess {measure(value)}"

    def axis(self, _story: Record) -> str:
        return f"guess, in {short(self.target)}"

    def neighbourhood(self, story: Record, truths: Array) -> str:
        near = [one["target"] for one in story["neighbours"]]
        mean, of_all = (measure(float(np.mean(values))) for values in (near, truths))
        return (
            f"The mean {self.target} of its {len(near)} nearest train cases is {mean}, and of all train cases"
            f" {of_all}."
        )

    def _off(self, record: Record) -> str:
        return (
            f"{self.value(record)} over {record['seeds']} seeds, {self.wrong_heading} {record['misses']} of"
            " them"
        )
