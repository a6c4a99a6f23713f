"""The seed band: what another seed would have given, on this very split."""

from typing import NamedTuple

import numpy as np

from handnet.bands.band import Band
from handnet.data import Array

LOW, HIGH = 0.025, 0.975


class SeedBands(NamedTuple):
    """Two views of the same values: the quantile band for reading, the extremes for honesty."""

    quantiles: Band  # type-7 quantiles .025 and .975; covers .95 (n - 1) / (n + 1) of further seeds
    extremes: Band  # min and max; covers (n - 1) / (n + 1) of further seeds


def seed_bands(values: Array) -> SeedBands:
    """Bands of one score over seeds. values: (R,), NaN or infinite where a replica diverged.

    The coverage is the chance that the score of one more seed falls inside: between the order statistics i and j
    of n lie (j - i) / (n + 1) of the further draws on average (Wilks 1941). Min and max are 1 and n, and theirs is
    exact for continuous scores. A type-7 quantile q stands at 1 + (n - 1) q, between two order statistics, so its
    coverage is exact where the score is evenly spread there and nominal elsewhere; tied scores cover more with many
    seeds and less with few. With few seeds either is far below .95, and is printed as what it is: 50 % for the
    extremes of three.

    Raises ValueError when fewer than two values are finite: one number is no band.
    """
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    n = len(finite)
    if n < 2:
        raise ValueError(f"a seed band needs at least 2 replicas with finite scores, but got {n} of {values.size}.")
    centres = (("median", float(np.median(finite))), ("mean", float(finite.mean())))
    outer = (n - 1) / (n + 1)
    low, high = np.quantile(finite, [LOW, HIGH])

    def band(low: float, high: float, kind: str, coverage: float) -> Band:
        return Band(float(low), float(high), kind, "seeds", n, coverage, centres, values.size - n)

    return SeedBands(
        band(low, high, "quantiles", (HIGH - LOW) * outer),
        band(finite.min(), finite.max(), "min-max", outer),
    )
