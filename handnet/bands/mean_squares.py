"""What the squared error of a difference over seeds and cases is made of: crossed random effects."""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit
from scipy.stats import norm, t

from handnet.bands.clusters import group_sums, mean_variance, number_of_groups
from handnet.bands.compare import ROUNDING, reach_of_power
from handnet.data import Array

LEAST_PAIRS = 5  # pairs of seeds whose differences tell how much the seeds vary


class MeanSquare(NamedTuple):
    """A mean square over n R, and its degrees of freedom."""

    value: float
    degrees: float


class MeanSquares(NamedTuple):
    """Those of the cases, of the seeds, and of what is left, of each side where the seeds are not paired."""

    cases: MeanSquare
    seeds: tuple[MeanSquare, ...] = ()  # of the pairs, or of each side that has several seeds
    rest: tuple[MeanSquare, ...] = ()  # of the same


class Variances(NamedTuple):
    """The parts of the squared error over seeds and cases, which is their sum; none is below 0.

    cases: of the cases, whatever the seed; seeds: of the seeds, whatever the case, 0 where there is one;
    rest: of what a seed does to a single case. They fall as 1 / n, 1 / R and 1 / (n R).
    """

    cases: float
    seeds: float
    rest: float


class Error(NamedTuple):
    """A standard error, and the degrees of freedom of Student's t for it."""

    error: float
    degrees: float

    def reach(self, coverage: float) -> float:
        """Half of the interval."""
        return float(t.ppf((1 + coverage) / 2, self.degrees)) * self.error

    def p(self, mean: float) -> float:
        """The two-sided p of a mean so far from 0; an error of 0 makes every mean other than 0 certain."""
        statistic = abs(mean) / self.error if self.error else np.inf
        return float(2 * t.sf(statistic, self.degrees)) if mean else 1.0

    def detectable(self, level: float, power: float) -> float:
        """The smallest true difference that is found at this level with this chance."""

        def quantile(q: float, degrees: float) -> float:
            return float(stdtrit(degrees, q))  # as t.ppf but for the last digit, and faster

        return reach_of_power(self.error, self.degrees, level, power, quantile)


class Alike(NamedTuple):
    """What is known of the expected difference where that of all cases is the same: Wilson's interval for 0
    of so many cases, times how far values of two cases differ, `apart`.

    Fewer cases than the sign test finds anything in know nothing: 5 at the level .05.
    """

    cases: float  # or groups
    apart: float

    def reach(self, coverage: float) -> float:
        """Half of the interval."""
        if 2 ** (1 - self.cases) > 1 - coverage:
            return self.apart
        return self._within(float(norm.ppf((1 + coverage) / 2)))

    def p(self, mean: float) -> float:
        """The two-sided p of a mean so far from 0: 1 less the coverage of the interval that ends there, and
        never below that of the sign test."""
        if abs(mean) <= ROUNDING:
            return 1.0
        beyond = max(self.apart / abs(mean) - 1, 0.0)
        square = self.cases / beyond if beyond else np.inf
        return max(float(2 * norm.sf(np.sqrt(square))), float(2.0 ** (1 - self.cases)))

    def detectable(self, level: float, power: float) -> float:
        """The smallest true difference that is found at this level with this chance, were all cases alike."""
        return max(self.reach(1 - level), self._within(float(norm.ppf(1 - level / 2) + norm.ppf(power))))

    def _within(self, deviations: float) -> float:
        return self.apart * deviations**2 / (self.cases + deviations**2)


def mean_squares(ours: Array, theirs: Array, paired: bool, groups: Array | None) -> MeanSquares:
    """The mean squares of the difference of two methods, by the rules of handnet/bands/crossed.py.

    ours: (R, n); theirs: (Q, n); groups: (n,) int, None where every case is its own.
    """
    pairs = paired and len(ours) >= LEAST_PAIRS
    sides = [side for side in ([ours - theirs] if pairs else [ours, theirs]) if len(side) > 1]
    return MeanSquares(
        _of_cases(ours.mean(axis=0) - theirs.mean(axis=0), groups),
        tuple(_of_seeds(side) for side in sides),
        tuple(_of_rest(side, groups) for side in sides),
    )


def _of_cases(d: Array, groups: Array | None) -> MeanSquare:
    """That of the cases, from differences d (n,) averaged over the seeds.

    Its degrees of freedom are 2 n / (kurtosis - 1) - 1, at least 1 and at most the n - 1 of normal d; of
    groups with their sums. They are the fewer the fewer cases make the difference.
    """
    moved = d - d.mean()
    if number_of_groups(groups) > 1:
        moved = group_sums(moved, np.asarray(groups))
    most, square = max(len(moved) - 1.0, 1.0), float(np.square(moved).mean())
    tails = float((moved**4).mean()) / square**2 if square else 1.0
    degrees = 2 * len(moved) / (tails - 1) - 1 if tails > 1 else most
    return MeanSquare(mean_variance(d[None], groups), float(min(max(degrees, 1.0), most)))


def _of_seeds(values: Array) -> MeanSquare:
    """That of the seeds, from values (R, n)."""
    return MeanSquare(float(values.mean(axis=1).var(ddof=1)) / len(values), len(values) - 1.0)


def _of_rest(values: Array, groups: Array | None) -> MeanSquare:
    """That of what is left of values (R, n), over groups where there are some."""
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    degrees = len(values) - 1.0
    return MeanSquare(
        mean_variance(rest, groups) / degrees, degrees * (independent(groups, rest.shape[1]) - 1)
    )


def independent(groups: Array | None, n: int) -> int:
    """How many groups n cases are of; n where every case is its own, and where one group holds all.

    groups: (n,) int.
    """
    count = number_of_groups(groups)
    return count if count > 1 else n


def variances(squares: MeanSquares) -> Variances:
    """The parts of the squared error, which is never below what the cases or the seeds alone make of it."""
    seeds, rest = (sum(square.value for square in some) for some in (squares.seeds, squares.rest))
    cases = squares.cases.value
    total, noise = max(cases + seeds - rest, cases, seeds), min(rest, cases)
    return Variances(cases - noise, total - cases, noise)


def errors(squares: MeanSquares) -> list[Error]:
    """The error over seeds and cases, and with several seeds that over seeds alone.

    The degrees of freedom are Satterthwaite's (1946), at least the fewest of what is added.
    """
    added, total = (squares.cases, *squares.seeds), sum(variances(squares))
    fewest = min(square.degrees for square in added)
    degrees = max(_satterthwaite(total, (*added, *squares.rest)), fewest)
    found, over_seeds = [Error(float(np.sqrt(total)), degrees)], sum(square.value for square in squares.seeds)
    if over_seeds:
        found.append(Error(float(np.sqrt(over_seeds)), _satterthwaite(over_seeds, squares.seeds)))
    return found


def _satterthwaite(total: float, squares: tuple[MeanSquare, ...]) -> float:
    """The degrees of freedom of a sum of mean squares, some of them taken away; 0 where all are 0."""
    spread = sum(square.value**2 / square.degrees for square in squares)
    return total**2 / spread if spread else 0.0


def scaled(squares: MeanSquares, cases: float, seeds: float) -> MeanSquares:
    """The mean squares over n R that are expected with so many times the cases and the seeds."""
    both, parts = cases * seeds, variances(squares)
    of_seeds = (
        (
            max(square.value - rest.value, 0) / seeds + rest.value / both,
            max((square.degrees + 1) * seeds - 1, 1.0),
        )
        for square, rest in zip(squares.seeds, squares.rest, strict=True)
    )
    return MeanSquares(
        MeanSquare(
            parts.cases / cases + parts.rest / both, max((squares.cases.degrees + 1) * cases - 1, 1.0)
        ),
        tuple(MeanSquare(*one) for one in of_seeds),
        tuple(MeanSquare(rest.value / both, rest.degrees * both) for rest in squares.rest),
    )
