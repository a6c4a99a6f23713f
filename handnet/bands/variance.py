"""Where the spread of a score comes from: the split, the seed, or one of the seed's streams."""

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

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


def variance_table(values: Array, factors: Mapping[str, Array]) -> tuple[Component, ...]:
    """Variance components of a fully crossed random-effects design, from its mean squares.

    values: (N,), one score each; factors: name -> (N,) levels. Every combination of levels must occur exactly
    once. E[mean square of an effect] is the sum, over the effects that contain it, of their variances times
    the product of the other factors' numbers of levels (Searle, Casella & McCulloch 1992, chapter 4); solved
    from the largest effect down. The question is that of Bouthillier et al. 2021, figure 1.

    Raises ValueError when a score is not finite, or when the design is not crossed: where each split has
    seeds of its own the seed's effect and the split's cannot be told apart.
    """
    names = list(factors)
    grid = _grid(np.asarray(values, dtype=np.float64), factors)
    levels = dict(zip(names, grid.shape, strict=True))
    effects = [frozenset(subset) for size in range(len(names), 0, -1) for subset in combinations(names, size)]
    squares = {effect: _mean_square(grid, sorted(map(names.index, effect))) for effect in effects}
    variance: dict[Effect, float] = {}
    for effect, (mean_square, _) in squares.items():
        larger = sum(v * _repeats(levels, other) for other, v in variance.items() if other > effect)
        variance[effect] = (mean_square - larger) / _repeats(levels, effect)
    total = sum(max(estimate, 0.0) for estimate in variance.values())
    return tuple(
        Component(
            " x ".join(name for name in names if name in effect),
            float(np.sqrt(max(variance[effect], 0.0))),
            max(variance[effect], 0.0) / total if total else 0.0,
            *squares[effect],
            variance[effect] < 0,
        )
        for effect in reversed(effects)
    )


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
