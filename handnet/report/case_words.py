"""How single cases are written, for each task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit

from handnet.data import Array
from handnet.report.number_words import NumberWords, Record, band_of, from_to
from handnet.report.words import in_band, number, of_class, short

LABEL = 16  # characters of a class in the label of an axis

TOO_FEW_SEEDS = "What is said of a case are shares of seeds, and there are fewer than two sound ones."


class _ClassWords:
    """What two classes and many have in common. NumberWords has the same methods."""

    classes: Sequence[str]
    truth_heading: ClassVar[str] = "class"
    wrong_heading: ClassVar[str] = "called wrong by"
    value_heading: ClassVar[str] = "score over seeds"
    value_name: ClassVar[str] = "Score"
    more: ClassVar[tuple[str, ...]] = ()  # headings of further columns
    # Headings of how often a family turns the call, on a page and on the screen.
    turning: ClassVar[str] = "turns the call alone"
    turns: ClassVar[str] = "turns it alone"
    section: ClassVar[str] = "Cases called wrong"
    puts_right: ClassVar[str] = "call it right"
    turn: ClassVar[str] = "turn the call of"
    alone: ClassVar[str] = "alone turns"
    ends_of_band: ClassVar[tuple[str, str, str]] = ("score_low", "score_median", "score_high")

    def truth(self, record: Record) -> str:
        """The truth about a case, as a cell."""
        return str(record["class"])

    def said(self, record: Record) -> str:
        """The truth about a case, in brackets behind it."""
        return of_class(record["class"])

    def states(self, record: Record) -> str:
        """The truth about a case, as what is said of it."""
        return f"is {of_class(record['class'])}"

    def value(self, record: Record) -> str:
        """What the seeds give a case, in its band."""
        return band_of(record, self.ends_of_band, number)

    def further(self, _record: Record) -> tuple[str, ...]:
        """The cells under `more`."""
        return ()

    def row(self, record: Record) -> str:
        """What the seeds of one configuration make of a case, as a line of the screen."""
        seeds = record["seeds"]
        return (
            f"{self.value_name.lower()} {self.value(record)}, quantiles .025 to .975 over {seeds} seeds;"
            f" called wrong by {record['misses']} of {seeds}{self._mostly(record)}"
        )

    def winner(self, record: Record) -> str:
        """What the winner's seeds make of a case that is watched."""
        return (
            f"the winner's {self.value_name.lower()} for it is {self.value(record)} over {record['seeds']}"
            f" seeds, wrong for {record['misses']} of them"
        )

    def ends(self, _records: Sequence[Record]) -> tuple[float, float]:
        """Where the strips of these cases begin and end."""
        return 0.0, 1.0

    def scale(self, _records: Sequence[Record]) -> str:
        """The same as a heading."""
        return "0 to 1"

    def read(self, record: Record) -> str:
        """What a strip shows, for those who cannot see it."""
        return f"{self.value_name.lower()} {from_to(record, self.ends_of_band, number)}"

    def misses(self, count: int) -> str:
        """What a seed does to so many cases."""
        return f"calls {count} wrong"

    def figure(self, value: float) -> str:
        """A credit."""
        return number(value)

    def in_figures(self, band: Record | None) -> str:
        """The mean of the number in question, or of a credit, in its band."""
        return in_band(band)

    def chance(self, end: Record) -> str:
        """The probability at one end of the credits, if there is one."""
        return f"probability {number(end['probability'])}" if "probability" in end else ""

    def direction(self, story: Record) -> str:
        """Where a wrong call lies."""
        return f"towards {of_class(story['instead'])}"

    def there(self, _story: Record) -> str:
        """Where a case was carried by families that turn its call."""
        return "there"

    def neighbourhood(self, story: Record, truths: Array) -> str:
        """How many of the nearest train cases are of the class it is called, beside the share of all of them.

        truths: (n,) of all train cases.
        """
        called = story["instead"] if story["misses"] else story["class"]
        share = np.bincount(truths, minlength=len(self.classes))[list(self.classes).index(called)]
        count = sum(one["class"] == called for one in story["neighbours"])
        are = f"{count or 'none'} {'is' if count == 1 else 'are'} {of_class(called)}"
        return (
            f"Of its {len(story['neighbours'])} nearest train cases {are}, and of all train cases"
            f" {share / len(truths):.0%}."
        )

    def _mostly(self, _record: Record) -> str:
        return ""


@dataclass(frozen=True)
class TwoClassWords(_ClassWords):
    """classes: (2,) their names, that of class 1 last."""

    classes: Sequence[str]

    def summary(self, record: Record) -> str:
        """What the seeds make of a case, in a story's first sentence."""
        other = next(name for name in self.classes if name != record["class"])
        return (
            f"median score {self.value(record)} over {record['seeds']} seeds, called {of_class(other)} by"
            f" {record['misses']} of them"
        )

    def mark(self, _record: Record) -> float | None:
        """What a strip marks beside the band, if anything."""
        return 0.5

    def start(self, _story: Record) -> str:
        """The case that the credits start from."""
        return f"the mean {of_class(self.classes[0])} train case"

    def starts(self, _story: Record) -> str:
        """The train cases of which that is the mean."""
        return f"the {of_class(self.classes[0])} train cases"

    def start_row(self, _story: Record) -> str:
        """The same as the first row of a table of credits."""
        return "start: mean negative case"

    def end(self, value: float, written: str) -> str:
        """The number in question at one end of the credits. written: the same, to two decimals."""
        return f"logit {written} (probability {number(float(expit(value)))})"

    def axis(self, _story: Record) -> str:
        """What a credit is, and where it pulls."""
        return f"logit towards {of_class(short(self.classes[1], LABEL))}"


@dataclass(frozen=True)
class ManyClassWords(_ClassWords):
    """classes: (k,) their names."""

    classes: Sequence[str]
    value_heading: ClassVar[str] = "probability of its class over seeds"
    value_name: ClassVar[str] = "Probability of its class"
    more: ClassVar[tuple[str, ...]] = ("most often called instead", "entropy of the calls, bits")

    def further(self, record: Record) -> tuple[str, ...]:
        instead, calls = record["wrong_class"], record["wrong_calls"]
        return f"{instead}, by {calls}" if calls else "-", number(record["entropy"])

    def summary(self, record: Record) -> str:
        text = f"median probability of its class {self.value(record)} over {record['seeds']} seeds"
        if record["misses"] == record["wrong_calls"]:
            instead = f"called {of_class(record['wrong_class'])}" if record["misses"] else "called wrong"
            return f"{text}, {instead} by {record['misses']} of them"
        return f"{text}, called wrong by {record['misses']} of them{self._mostly(record)}"

    def mark(self, _record: Record) -> float | None:
        return None

    def start(self, story: Record) -> str:
        return self._of("the mean", story["class"], "train case")

    def starts(self, story: Record) -> str:
        return self._of("the", story["class"], "train cases")

    def start_row(self, story: Record) -> str:
        return f"start: mean case of {short(story['class'])}"

    def end(self, _value: float, written: str) -> str:
        return f"margin {written}"

    def axis(self, story: Record) -> str:
        instead, own = (short(story[name], LABEL) for name in ("instead", "class"))
        return f"margin towards '{instead}' against '{own}'"

    def _mostly(self, record: Record) -> str:
        most = record["wrong_calls"]
        return f", as {of_class(record['wrong_class'])} by {most}" if most else ""

    def _of(self, article: str, name: str, cases: str) -> str:
        """Cases of a class. A label that is no word stands behind them."""
        return f"{article} {name} {cases}" if name.isalpha() else f"{article} {cases} of {of_class(name)}"


CaseWords = TwoClassWords | ManyClassWords | NumberWords


def words_of(judged: Record) -> CaseWords:
    """The words for the cases of a report. judged: its part of that name."""
    if judged["task"] == "two classes":
        return TwoClassWords(judged["classes"])
    if judged["classes"]:
        return ManyClassWords(judged["classes"])
    return NumberWords(judged["target"], judged["tolerance"])
