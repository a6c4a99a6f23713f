"""What the bench records: timings, and goals beside what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Milliseconds per network: the median and the ends over the rounds. networks: how many are trained at
    once."""

    name: str
    networks: int
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Goal:
    """What was to be reached, what was measured, and whether it is reached; None: there is no goal, or it was
    not tried."""

    what: str
    goal: str
    found: str
    met: bool | None


@dataclass(frozen=True)
class Results:
    """All of one run.

    absent: peer -> why it did not run. others: contestant -> p, where its networks are not the reference's.
    """

    machine: Mapping[str, Any]
    timings: Sequence[Timing]
    goals: Sequence[Goal]
    absent: Mapping[str, str]
    others: Mapping[str, float]


def median_of(timings: Sequence[Timing], name: str, networks: int | None = None) -> float | None:
    """The median of a contestant, of its largest number of networks unless one is given; None without one."""
    medians = [time.median for time in timings if time.name == name and networks in (None, time.networks)]
    return medians[-1] if medians else None


def ratio(what: str, goal: float, above: float | None, below: float | None, at_least: bool) -> Goal:
    """The goal that `above` is at least, or at most, so many times `below`, both in milliseconds."""
    wanted = f"{'at least' if at_least else 'at most'} {goal:,}x"
    if above is None or below is None:
        return Goal(what, wanted, "not tried", None)
    times = above / below
    digits = 0 if times >= 100 else 1 if times >= 10 else 2
    measured = f"{times:,.{digits}f}x ({above:,.2f} / {below:.2f} ms)"
    return Goal(what, wanted, measured, times >= goal if at_least else times <= goal)
