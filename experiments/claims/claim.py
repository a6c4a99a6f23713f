"""A claim as an experiment, and the one rule that gives every claim its verdict.

A part of a claim names a quantity and the region in which the claim is right, margin included, before
anything is measured. Its band is that of two one-sided tests at LEVEL (TOST, Schuirmann 1987; Bonferroni over
the parts of a claim). A band inside the region: the part holds. Outside: it does not hold. Across the border,
or when networks diverged and are missing: it cannot be told. A likeness therefore has to be shown; it does
not follow from a difference that was not found."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from handnet.bands import Band

LEVEL = 0.05


class Verdict(StrEnum):
    """What an experiment says of a claim; the value is the wording on every page."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "cannot be told"


class Region(NamedTuple):
    """The interval in which a quantity lies if the claim is right, ends included."""

    low: float = -np.inf
    high: float = np.inf

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:,.12g}"
        if np.isinf(self.low):
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if np.isinf(self.high) else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Part:
    """One quantity of a claim.

    truth: the value of the quantity for which the power was computed, before the experiment.
    power: the probability of the verdict "holds" at that truth.
    """

    what: str
    region: Region
    band: Band
    truth: float
    power: float

    @property
    def verdict(self) -> Verdict:
        """Whether the band lies in the region; OPEN when networks diverged or an end is NaN."""
        if self.band.diverged or not self.band.low <= self.band.high:
            return Verdict.OPEN
        return judge(self.band.low, self.band.high, self.region)


@dataclass(frozen=True)
class Claim:
    """A sentence, how it was tried, and the result.

    method: how the sentence was turned into an experiment.
    reading: the result in words.
    context: named bands that explain the result and do not enter the verdict.
    """

    title: str
    statement: str
    method: str
    parts: tuple[Part, ...]
    reading: str
    context: tuple[tuple[str, Band], ...] = ()

    @property
    def verdict(self) -> Verdict:
        """A claim holds when all its parts hold, and fails when one part fails."""
        verdicts = {part.verdict for part in self.parts}
        if Verdict.FAILS in verdicts:
            return Verdict.FAILS
        return Verdict.HOLDS if verdicts == {Verdict.HOLDS} else Verdict.OPEN

    def facts(self) -> dict[str, Any]:
        """The claim as plain values, for JSON and pages; an end of a region that is open is None."""
        return {
            "title": self.title,
            "says": self.statement,
            "tried": self.method,
            "verdict": self.verdict.value,
            "reading": self.reading,
            "parts": [_part_facts(part) for part in self.parts],
            "beside": [{"what": what, "band": _band_facts(band)} for what, band in self.context],
        }


def judge(low: float, high: float, region: Region) -> Verdict:
    """The rule: where the band [low, high] lies relative to the region."""
    if region.low <= low and high <= region.high:
        return Verdict.HOLDS
    return Verdict.FAILS if high < region.low or low > region.high else Verdict.OPEN


def count_verdicts(claims: Sequence[Claim], noun: str) -> str:
    """One sentence: how many of the claims hold, fail and stay open. noun: what the page calls them."""
    counts = {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in Verdict}
    return (
        f"Of {len(claims)} {noun} {counts[Verdict.HOLDS]} hold, {counts[Verdict.FAILS]} do not, and of"
        f" {counts[Verdict.OPEN]} it cannot be told."
    )


def _part_facts(part: Part) -> dict[str, Any]:
    return {
        "what": part.what,
        "right": str(part.region),
        "region": [_finite(end) for end in part.region],
        "truth": part.truth,
        "power": part.power,
        "verdict": part.verdict.value,
        "band": _band_facts(part.band),
    }


def _band_facts(band: Band) -> dict[str, Any]:
    ends = {"low": _finite(band.low), "high": _finite(band.high)}
    return vars(band) | ends | {"centres": dict(band.centres)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
