"""The case band of a share: an interval for the share a fixed classifier has of all cases of this kind."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta, norm

from handnet.bands.band import EXPECTED, Band
from handnet.data import Array


def wilson(count: float, n: int, coverage: float = 0.95) -> Band:
    """Wilson's score interval for `count` of `n` cases (Wilson 1927).

        (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2)

    count: k, may be a mean count over seeds and so need not be whole.
    coverage: nominal, over repeated draws of n cases; the true coverage oscillates about it.
    Raises ValueError when n is below 1 or the count lies outside 0..n.
    """
    _check(count, n)
    low, high = wilson_ends(count / n, n, coverage)
    return Band(float(low), float(high), "wilson", "cases", n, coverage, EXPECTED, (("share", count / n),))


def wilson_ends(share: ArrayLike, n: float | Array, coverage: float = 0.95) -> tuple[Array, Array]:
    """Lower and upper ends of Wilson's interval for shares (k,) of n cases each: two arrays (k,).

    n need not be whole: of cases in groups it is the number of independent cases that would tell as much.
    """
    p = np.asarray(share, dtype=np.float64)
    z = float(norm.ppf((1 + coverage) / 2))
    middle = (p * n + z * z / 2) / (n + z * z)
    half = z * np.sqrt(p * (1 - p) * n + z * z / 4) / (n + z * z)
    return np.where(p == 0, 0.0, middle - half), np.where(p == 1, 1.0, middle + half)


def clopper_pearson(count: float, n: int, coverage: float = 0.95) -> Band:
    """Clopper and Pearson's interval (1934) for `count` of `n` cases: it never covers less than `coverage`.

    Its ends are beta quantiles; a count that is not whole is interpolated. Raises ValueError when n is below
    1 or the count lies outside 0..n.
    """
    _check(count, n)
    ends = clopper_pearson_ends(count / n, n, coverage)
    return Band(*ends, "clopper-pearson", "cases", n, coverage, EXPECTED, (("share", count / n),))


def clopper_pearson_ends(share: float, n: float, coverage: float = 0.95) -> tuple[float, float]:
    """The ends of Clopper and Pearson's interval for a share of n cases; n as in `wilson_ends`."""
    tail, count = (1 - coverage) / 2, share * n
    low = 0.0 if share == 0 else float(beta.ppf(tail, count, n - count + 1))
    high = 1.0 if share == 1 else float(beta.ppf(1 - tail, count + 1, n - count))
    return low, high


def _check(count: float, n: int) -> None:
    if n < 1 or not 0 <= count <= n:
        raise ValueError(f"expected a count between 0 and n with n at least 1, but got {count} of {n}.")
