"""Where the spread of a score comes from: the split, the seed, or one of the seed's streams."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, f

from handnet.data import Array

Effect = frozenset[str]  # the factors of a main effect or an interaction


class Component(NamedTuple):
    """One source of variance of a crossed design without repetition."""

    source: str  # a factor, or factors joined by " x "; the last one holds what nothing else explains
    deviation: float  # square root of the estimated variance, 0 where that came out negative
    share: float  # of the total variance
    mean_square: float
    degrees: int
    negative: bool  # the estimate was below 0: too small to be told from nothing
    low: float = 0.0  # the ends of the 95 % interval of the deviation, for normal effects
    high: float = float("inf")


class Deviation(NamedTuple):
    """A standard deviation in its interval, for normal effects."""

    deviation: float
    low: float
    high: float


class Square(NamedTuple):
    """A mean square with its degrees of freedom."""

    mean_square: float
    degrees: int


def variance_table(
    values: Array, factors: Mapping[str, Array], coverage: float = 0.95
) -> tuple[Component, ...]:
    """Variance components of a fully crossed random-effects design, from its mean squares.

    values: (N,), one score each; factors: name -> (N,) levels. Every combination of levels must occur exactly
    once. E[mean square of an effect] is the sum, over the effects that contain it, of their variances times
    the product of the other factors' numbers of levels (Searle, Casella & McCulloch 1992, chapter 4); solved
    from the largest effect down. The intervals are those of `deviation_interval`. The question is that of
    Bouthillier et al. 2021, figure 1.

    Raises ValueError when a score is not finite, or when the design is not crossed: where each split has
    seeds of its own the seed's effect and the split's cannot be told apart.
    """
    squares, weights = _solved(values, factors)
    variance = {effect: _weighted(squares, weights[effect]) for effect in squares}
    total = sum(max(estimate, 0.0) for estimate in variance.values())
    return tuple(
        Component(
            _name(effect, factors),
            float(np.sqrt(max(variance[effect], 0.0))),
            max(variance[effect], 0.0) / total if total else 0.0,
            *squares[effect],
            variance[effect] < 0,
            *deviation_interval(squares, weights[effect], coverage)[1:],
        )
        for effect in reversed(list(squares))
    )


def summed_deviation(
    values: Array, factors: Mapping[str, Array], sources: Sequence[str], coverage: float = 0.95
) -> Deviation:
    """The deviation that several sources of `variance_table` make together: the root of the sum of their
    variances.

    values: (N,), one score each; factors: name -> (N,) levels; sources: factors, or several joined by " x ".
    """
    squares, weights = _solved(values, factors)
    chosen = [weights[effect] for effect in squares if _name(effect, factors) in sources]
    summed = {effect: sum(one.get(effect, 0.0) for one in chosen) for effect in squares}
    return deviation_interval(squares, summed, coverage)


def deviation_interval(
    squares: Mapping[Effect, Square], weights: Mapping[Effect, float], coverage: float = 0.95
) -> Deviation:
    """The root of a weighted sum of independent mean squares, some weights below 0, in its interval.

    The interval is the modified large-sample one for normal effects (Graybill & Wang 1980; Ting et al. 1990;
    Burdick & Graybill 1992, chapter 3). It is exact for a single mean square. An end below 0 is 0.
    """
    value, tail = _weighted(squares, weights), (1 + coverage) / 2
    low = value - np.sqrt(_reach(squares, weights, tail))
    high = value + np.sqrt(_reach(squares, weights, 1 - tail))
    return Deviation(*(float(np.sqrt(max(variance, 0.0))) for variance in (value, low, high)))


def _reach(squares: Mapping[Effect, Square], weights: Mapping[Effect, float], tail: float) -> float:
    """The square of how far a weighted sum may lie above its truth, for tail .975, or below it, for .025."""
    terms = [(weight * squares[name].mean_square, squares[name].degrees) for name, weight in weights.items()]
    own = [(size * (1 - n / chi2.ppf(tail if size > 0 else 1 - tail, n))) ** 2 for size, n in terms]
    both = [up * -down * _joint(n, m, tail) for up, n in terms if up > 0 for down, m in terms if down < 0]
    return max(float(sum(own) + sum(both)), 0.0)


def _joint(n: int, m: int, tail: float) -> float:
    """What makes the interval of a difference of two mean squares of n and m degrees exact at 0."""
    ratio = f.ppf(tail, n, m)
    ours, theirs = 1 - n / chi2.ppf(tail, n), 1 - m / chi2.ppf(1 - tail, m)
    return float(((ratio - 1) ** 2 - (ours * ratio) ** 2 - theirs**2) / ratio)


def _solved(
    values: Array, factors: Mapping[str, Array]
) -> tuple[dict[Effect, Square], dict[Effect, dict[Effect, float]]]:
    """The mean square of every effect, the largest effect first, and for every effect the weights of the mean
    squares that estimate its variance; raises ValueError as `variance_table` says."""
    names = list(factors)
    grid = _grid(np.asarray(values, dtype=np.float64), factors)
    levels = dict(zip(names, grid.shape, strict=True))
    effects = [frozenset(subset) for size in range(len(names), 0, -1) for subset in combinations(names, size)]
    squares = {effect: Square(*_mean_square(grid, sorted(map(names.index, effect)))) for effect in effects}
    weights: dict[Effect, dict[Effect, float]] = {}
    for effect in effects:
        own = {effect: 1.0}
        for larger, theirs in weights.items():
            if larger > effect:
                own = {
                    name: own.get(name, 0.0) - _repeats(levels, larger) * theirs.get(name, 0.0)
                    for name in own | theirs
                }
        weights[effect] = {name: weight / _repeats(levels, effect) for name, weight in own.items()}
    return squares, weights


def _weighted(squares: Mapping[Effect, Square], weights: Mapping[Effect, float]) -> float:
    return sum(weight * squares[effect].mean_square for effect, weight in weights.items())


def _name(effect: Effect, factors: Mapping[str, Array]) -> str:
    return " x ".join(name for name in factors if name in effect)


def _repeats(levels: Mapping[str, int], effect: Effect) -> int:
    """How many values share one combination of an effect's levels."""
    return int(np.prod([count for name, count in levels.items() if name not in effect]))


def _mean_square(grid: Array, axes: list[int]) -> tuple[float, int]:
    """Mean square and degrees of freedom of the effect of these axes of the grid, (levels, ..., levels).

    They are those of the interaction contrasts of its cell means.
    """
    others = tuple(axis for axis in range(grid.ndim) if axis not in axes)
    effect = grid.mean(axis=others, keepdims=True)
    for axis in axes:
        effect = effect - effect.mean(axis=axis, keepdims=True)
    repeats = grid.size // effect.size
    degrees = int(np.prod([grid.shape[axis] - 1 for axis in axes]))
    return float(repeats * np.square(effect).sum() / degrees), degrees


def _grid(values: Array, factors: Mapping[str, Array]) -> Array:
    """The values (N,) as an array with one axis per factor; raises ValueError as `variance_table` says."""
    if not np.isfinite(values).all():
        raise ValueError("a variance table needs finite scores; leave out the level that diverged.")
    columns = [np.unique(np.asarray(column), return_inverse=True) for column in factors.values()]
    shape = tuple(len(levels) for levels, _ in columns)
    places = tuple(inverse for _, inverse in columns)
    counts = np.zeros(shape, dtype=int)
    np.add.at(counts, places, 1)
    if min(shape) < 2 or (counts != 1).any():
        sizes = ", ".join(f"{name} {count}" for name, count in zip(factors, shape, strict=True))
        raise ValueError(
            f"every combination of {' and '.join(factors)} must occur exactly once, with at least 2 levels"
            f" each, but {len(values)} scores lie in {int((counts > 0).sum())} of {counts.size} combinations"
            f" (levels: {sizes}); a nested design, with seeds of its own in every split, has no crossed"
            " table."
        )
    grid = np.empty(shape)
    grid[places] = values
    return grid


def asked_deviation(missed: Sequence[Array], labels: Sequence[Array], left: float) -> float:
    """The standard deviation of accuracy that comes of which cases are asked, and of nothing else.

        sqrt(mean over divisions of (sum over classes of n_c s_c^2) / n^2 times (1 - n / N))

    missed: for each division (n,), the share of seeds that miss each test case; labels: (n,) its classes;
    left: 1 - n / N, the share of the table's cases that the test leaves out. s_c^2 is the variance of the
    share of misses over the cases of a class, because a stratified test takes as many of each (Cochran 1977,
    section 5.6). The training set is as it is in each division. Raises ValueError when a class has one case.
    """
    variances = []
    for shares, y in zip(missed, labels, strict=True):
        classes = [shares[y == label] for label in np.unique(y)]
        if min(map(len, classes)) < 2:
            raise ValueError("each class needs at least 2 cases.")
        variances.append(sum(len(one) * one.var(ddof=1) for one in classes) / len(y) ** 2)
    return float(np.sqrt(left * np.mean(variances)))
