"""One claim of the chapter as an experiment, and the one rule by which all are judged.

A part of a claim names a quantity and the region in which the chapter is right, margin included, before
anything is measured. Its band is that of two one-sided tests at LEVEL (TOST, Schuirmann 1987; Bonferroni over
the parts of a claim). Inside the region: holds. Outside: does not hold. Across its border, or with networks
that diverged and are missing: cannot be told. So a likeness is shown, and not concluded from a difference
that was not found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binom, chi2, t

from handnet.bands import Band
from handnet.bands.compare import nadeau_bengio
from handnet.bands.proportion import wilson, wilson_ends
from handnet.data import Array

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be told"
LEVEL = 0.05


class Region(NamedTuple):
    """Where the quantity lies if the chapter is right."""

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
    """One quantity of a claim. truth: the value for which power, the chance of the verdict "holds", was
    computed."""

    what: str
    region: Region
    band: Band
    truth: float
    power: float

    @property
    def verdict(self) -> str:
        """What the band says of the region."""
        if self.band.diverged or not self.band.low <= self.band.high:
            return OPEN
        return judged(self.band.low, self.band.high, self.region)


@dataclass(frozen=True)
class Claim:
    """What the chapter says, how it was tried, and what came of it. beside: bands that explain and do not
    judge."""

    title: str
    says: str
    tried: str
    parts: tuple[Part, ...]
    reading: str
    beside: tuple[tuple[str, Band], ...] = ()

    @property
    def verdict(self) -> str:
        """A claim holds when all its parts do, and fails when one does."""
        found = {part.verdict for part in self.parts}
        return FAILS if FAILS in found else HOLDS if found == {HOLDS} else OPEN


def judged(low: float, high: float, region: Region) -> str:
    """The rule."""
    if region.low <= low and high <= region.high:
        return HOLDS
    return FAILS if high < region.low or low > region.high else OPEN


def coverage_of(parts: int) -> float:
    """Of the band of one of several parts of a claim."""
    return 1 - 2 * LEVEL / parts


class Design(NamedTuple):
    """What a part expects beforehand: the truth and the deviation its power is computed for, and how many
    parts its claim has. The deviations are those of 20 pilot divisions, which no claim uses, rounded up."""

    truth: float
    sd: float = 0.0
    parts: int = 1


def mean_within(what: str, values: Array, region: Region, design: Design, ratio: float = 0.0) -> Part:
    """Is the mean of values (n,) in the region? ratio: n_test / n_train where each value is of another
    division of one table (Nadeau & Bengio 2003); 0 for independent seeds. NaN: a network diverged. Raises
    ValueError for fewer than two values."""
    band = mean_band(values, coverage_of(design.parts), ratio)
    return Part(what, region, band, design.truth, power_of_mean(region, len(values), ratio, design))


def mean_band(values: Array, coverage: float = 1 - 2 * LEVEL, ratio: float = 0.0) -> Band:
    """The mean over divisions, or over seeds where ratio is 0; what diverged is counted."""
    finite = values[np.isfinite(values)]
    band = replace(nadeau_bengio(finite, ratio, coverage).band, diverged=values.size - finite.size)
    return band if ratio else replace(band, kind="t", varied="seeds")


def said(values: Array, ratio: float = 0.0) -> str:
    """The mean in its band, for a sentence."""
    band = mean_band(values, ratio=ratio)
    return f"{band.centre('mean'):.3f} [{band.low:.3f}, {band.high:.3f}]"


def power_of_mean(region: Region, n: int, ratio: float, design: Design) -> float:
    """The chance that the band of n values lies in the region, by the usual approximation: a central t,
    moved."""
    error = design.sd * np.sqrt(1 / n + ratio)
    reach = t.ppf((1 + coverage_of(design.parts)) / 2, n - 1)
    low, high = (region.low - design.truth) / error + reach, (region.high - design.truth) / error - reach
    return float(max(0.0, t.cdf(high, n - 1) - t.cdf(low, n - 1)))


def share_within(what: str, hits: Array, region: Region, design: Design, varied: str = "splits") -> Part:
    """Is the share of hits (n,) in the region? Wilson's band, over other divisions of this very table, or
    over seeds. NaN: a network diverged."""
    n, coverage = len(hits), coverage_of(design.parts)
    counts = np.arange(n + 1)
    ends = zip(*wilson_ends(counts / n, n, coverage), strict=True)
    inside = np.array([judged(low, high, region) == HOLDS for low, high in ends])
    power = float(binom.pmf(counts, n, design.truth) @ inside)
    return Part(what, region, share_band(hits, coverage, varied), design.truth, power)


def share_band(hits: Array, coverage: float = 1 - 2 * LEVEL, varied: str = "splits") -> Band:
    """Wilson's, of a share of divisions or seeds; what diverged is counted."""
    mask_diverged = hits[np.isfinite(hits)]
    return replace(
        wilson(float(mask_diverged.sum()), len(mask_diverged), coverage),
        varied=varied,
        diverged=len(hits) - len(mask_diverged),
    )


def hits(condition: Array, of: Array) -> Array:
    """1 where the condition holds and 0 where not, NaN where that of which it is asked is not finite."""
    return np.where(np.isfinite(of), condition, np.nan)


def deviation_within(
    what: str, values: Array, region: Region, design: Design, varied: str = "splits"
) -> Part:
    """Is the standard deviation of values (n,) in the region? The chi-square band, which takes them for
    normal."""
    low, high = deviation_ends(1.0, len(values), coverage_of(design.parts))
    scale = (len(values) - 1) / design.truth**2
    power = max(
        0.0,
        chi2.cdf(scale * (region.high / high) ** 2, len(values) - 1)
        - chi2.cdf(scale * (max(region.low, 0.0) / low) ** 2, len(values) - 1),
    )
    return Part(
        what, region, deviation_band(values, coverage_of(design.parts), varied), design.truth, float(power)
    )


def deviation_band(values: Array, coverage: float = 1 - 2 * LEVEL, varied: str = "splits") -> Band:
    """The standard deviation of finite values and its chi-square interval; what diverged is counted."""
    finite = values[np.isfinite(values)]
    found = float(finite.std(ddof=1))
    low, high = deviation_ends(found, len(finite), coverage)
    return Band(
        low,
        high,
        "chi-square",
        varied,
        len(finite),
        coverage,
        (("deviation", found),),
        values.size - len(finite),
    )


def deviation_ends(found: float, n: int, coverage: float) -> tuple[float, float]:
    """Ends of the interval about a deviation found in n values."""
    tail = (1 - coverage) / 2
    low, high = (found * np.sqrt((n - 1) / chi2.ppf(q, n - 1)) for q in (1 - tail, tail))
    return float(low), float(high)


def exactly(what: str, value: float, region: Region) -> Part:
    """A quantity that is counted and not sampled: no two countings differ."""
    band = Band(value, value, "exact", "nothing", 1, 1.0, (("value", value),))
    return Part(what, region, band, value, 1.0)


def facts(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """The claims as plain values, for JSON and pages; an end of a region that is open is None."""

    def plain(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    def band(one: Band) -> dict[str, Any]:
        return vars(one) | {"low": plain(one.low), "high": plain(one.high), "centres": dict(one.centres)}

    return [
        {
            "title": one.title,
            "says": one.says,
            "tried": one.tried,
            "verdict": one.verdict,
            "reading": one.reading,
            "parts": [
                {
                    "what": part.what,
                    "right": str(part.region),
                    "region": [plain(end) for end in part.region],
                    "truth": part.truth,
                    "power": part.power,
                    "verdict": part.verdict,
                    "band": band(part.band),
                }
                for part in one.parts
            ],
            "beside": [{"what": what, "band": band(one)} for what, one in one.beside],
        }
        for one in claims
    ]
