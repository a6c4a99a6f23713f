"""Where the spread comes from: the split, the seed, or one of its streams."""

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from handnet.data import Array


class Component(NamedTuple):
    """One source of variance of a crossed design without repetition."""

    source: str  # a factor, or factors joined by " x "; the last one holds what nothing else explains
    deviation: float  # square root of the estimated variance, 0 where that came out negative
    share: float  # of the total variance
    mean_square: float
    degrees: int
    negative: bool  # the estimate was below 0: too small to be told from nothing


def variance_table(values: Array, factors: Mapping[str, Array]) -> tuple[Component, ...]:
    """Variance components of a fully crossed random-effects design, from its mean squares.

    values: (N,), one score each; factors: name -> (N,) levels. Every combination of levels must occur exactly
    once. E[mean square of an effect] is the sum, over the effects that contain it, of their variances times
    the product of the other factors' numbers of levels (Searle, Casella & McCulloch 1992, chapter 4); solved
    from the largest effect down. Source of the question: Bouthillier et al. 2021, figure 1.

    Raises ValueError when the design is not crossed: where each split has seeds of its own, say, the seed's
    effect and the split's cannot be told apart, and a crossed table of it means nothing."""
    names = list(factors)
    grid = _grid(np.asarray(values, dtype=np.float64), factors)
    levels = dict(zip(names, grid.shape, strict=True))
    effects = [set(one) for size in range(len(names), 0, -1) for one in combinations(names, size)]
    variance: dict[frozenset[str], float] = {}
    rows = []
    for effect in effects:
        mean_square, degrees = _mean_square(
            grid, [names.index(name) for name in sorted(effect, key=names.index)]
        )
        within = sum(v * _repeats(levels, larger) for larger, v in variance.items() if larger > effect)
        variance[frozenset(effect)] = (mean_square - within) / _repeats(levels, effect)
        rows.append((effect, mean_square, degrees))
    total = sum(max(one, 0.0) for one in variance.values())
    return tuple(
        Component(
            " x ".join(name for name in names if name in effect),
            float(np.sqrt(max(found, 0.0))),
            max(found, 0.0) / total if total else 0.0,
            mean_square,
            degrees,
            found < 0,
        )
        for effect, mean_square, degrees in reversed(rows)
        for found in [variance[frozenset(effect)]]
    )


def _repeats(levels: Mapping[str, int], effect: set[str] | frozenset[str]) -> int:
    """How many values share one combination of an effect's levels."""
    return int(np.prod([count for name, count in levels.items() if name not in effect]))


def _mean_square(grid: Array, axes: list[int]) -> tuple[float, int]:
    """Mean square and degrees of freedom of the effect of these axes: the interaction contrasts of its cell
    means."""
    others = tuple(axis for axis in range(grid.ndim) if axis not in axes)
    effect = grid.mean(axis=others, keepdims=True)
    for axis in axes:
        effect = effect - effect.mean(axis=axis, keepdims=True)
    repeats = grid.size // effect.size
    degrees = int(np.prod([grid.shape[axis] - 1 for axis in axes]))
    return float(repeats * np.square(effect).sum() / degrees), degrees


def _grid(values: Array, factors: Mapping[str, Array]) -> Array:
    if not np.isfinite(values).all():
        raise ValueError("a variance table needs finite scores; leave out the level that diverged.")
    levels, places = zip(
        *(np.unique(np.asarray(one), return_inverse=True) for one in factors.values()), strict=True
    )
    shape = tuple(len(one) for one in levels)
    counts = np.zeros(shape, dtype=int)
    np.add.at(counts, places, 1)
    if min(shape) < 2 or (counts != 1).any():
        few = ", ".join(f"{name} {count}" for name, count in zip(factors, shape, strict=True))
        raise ValueError(
            f"every combination of {' and '.join(factors)} must occur exactly once, with at least 2 levels"
            f" each, but {len(values)} scores lie in {int((counts > 0).sum())} of {counts.size} combinations"
            f" (levels: {few}); a nested design, with seeds of its own in every split, has no crossed table."
        )
    grid = np.empty(shape)
    grid[places] = values
    return grid
