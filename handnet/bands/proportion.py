"""The case band of a share: what other cases of the same kind would have given, for a classifier that stands
still."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta, norm

from handnet.bands.band import Band
from handnet.data import Array


def wilson(right: float, n: int, coverage: float = 0.95) -> Band:
    """Wilson's score interval for `right` of `n` cases (Wilson 1927).

        (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2)

    right: may be a mean count over seeds, so it need not be whole. coverage: nominal, over repeated draws of
    n cases; the true one oscillates about it. Raises ValueError when n is below 1 or the count lies outside
    0..n."""
    _check(right, n)
    low, high = wilson_ends(right / n, n, coverage)
    return Band(float(low), float(high), "wilson", "cases", n, coverage, (("share", right / n),))


def wilson_ends(share: ArrayLike, n: int, coverage: float = 0.95) -> tuple[Array, Array]:
    """The ends of the interval for each of several shares of n."""
    p = np.asarray(share, dtype=np.float64)
    z = float(norm.ppf((1 + coverage) / 2))
    middle = (p * n + z * z / 2) / (n + z * z)
    half = z * np.sqrt(p * (1 - p) * n + z * z / 4) / (n + z * z)
    return np.where(p == 0, 0.0, middle - half), np.where(p == 1, 1.0, middle + half)


def clopper_pearson(right: float, n: int, coverage: float = 0.95) -> Band:
    """Clopper and Pearson's interval (1934), the beta quantiles that never cover less than `coverage`: for
    those who must promise. Arguments and errors as in `wilson`; a count that is not whole is interpolated."""
    _check(right, n)
    tail = (1 - coverage) / 2
    low = 0.0 if right == 0 else float(beta.ppf(tail, right, n - right + 1))
    high = 1.0 if right == n else float(beta.ppf(1 - tail, right + 1, n - right))
    return Band(low, high, "clopper-pearson", "cases", n, coverage, (("share", right / n),))


def _check(right: float, n: int) -> None:
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"expected a count between 0 and n with n at least 1, but got {right} of {n}.")
