"""e^x, ln(1 + x) and ln x in float64, with the same bits on every processor.

NumPy and the C library choose their code for both by the processor's features, and the last bit of a result
depends on the code. The functions here add, subtract, multiply and divide, which IEEE 754 rounds alike
everywhere, and scale by powers of two, which is exact. All results are within 1 ulp of the truth. kernels.py
does the same operations in the same order.

The method is the usual one (Muller, Elementary Functions, 2016): a multiple of ln 2 is split off, and the
Taylor series of the rest is summed.
"""

from collections.abc import Callable
from functools import wraps
from math import factorial

import numpy as np

from handnet.data import Array

# ln 2 in two parts. The first ends in zeros, so that its products with whole numbers up to 2^20 are exact.
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
LN2 = LN2_HIGH + LN2_LOW
# x + ROUND holds x, rounded to a whole number, in its last bits. ROUND_BITS are the bits of ROUND itself.
ROUND, ROUND_BITS = 1.5 * 2**52, 0x4338000000000000
EXP = tuple(1 / factorial(n) for n in range(13, 1, -1))  # r^2 and higher powers in e^r
LOG = tuple(2 / n for n in range(23, 1, -2))  # s^3 and higher powers in ln((1 + s) / (1 - s))
AT_ONCE = 4096  # numbers computed together, so that the intermediate arrays stay in the cache


def _by_parts(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function of float64 numbers (m,) on arrays of any shape and length."""

    @wraps(function)
    def whole(x: Array) -> Array:
        numbers = np.asarray(x, np.float64)
        parts = [numbers.reshape(-1)[at : at + AT_ONCE] for at in range(0, numbers.size, AT_ONCE)]
        return np.concatenate([*map(function, parts), []]).reshape(numbers.shape)

    return whole


def _series(x: Array, coefficients: tuple[float, ...]) -> Array:
    """c0 x^(m-1) + c1 x^(m-2) + ... of m coefficients at x (n,)."""
    total = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        total += coefficient
        total *= x
    total += coefficients[-1]
    return total


@_by_parts
def exp(x: Array) -> Array:
    """e^x in float64, of x's shape (..., n): 0 below -745.2, infinite above 709.8, NaN for NaN."""
    x = np.minimum(np.maximum(x, -746), 710)
    shifted = x * (1 / LN2) + ROUND
    k = shifted - ROUND  # x = k ln 2 + r, where |r| is at most ln 2 / 2
    high, low = x - k * LN2_HIGH, k * LN2_LOW
    r = high - low
    power = 1 + (high + (_series(r, EXP) * r * r - low))
    # Times 2^k, as two factors: the first product is exact, so that a subnormal result is rounded once.
    exponent = shifted.view(np.int64) - (ROUND_BITS - 2 * 1023)  # k and the biases of both factors
    half = exponent >> 1
    return power * (half << 52).view(np.float64) * ((exponent - half) << 52).view(np.float64)


@_by_parts
def log1p(x: Array) -> Array:
    """ln(1 + x) in float64, of x's shape (..., n), for x from 0 to 1, where e^-|z| lies; NaN for NaN."""
    # From a half on it is ln 2 + ln(1 + (x - 1) / 2), below ln(1 + x): in both cases high + low + ln(1 + f).
    upper = x >= 0.5
    f, high, low = np.where(upper, (x - 1) / 2, x), upper * LN2_HIGH, upper * LN2_LOW
    # With s = f / (2 + f), ln(1 + f) = 2 (s + s^3/3 + s^5/5 + ...) = f - s (f - 2 s^2/3 - 2 s^4/5 - ...).
    s = f / (2 + f)
    rest = s * (f - _series(s * s, LOG) * (s * s))
    total = high + f
    return total - ((rest - low) - (f - (total - high)))  # the last bracket: what rounding took from `total`


@_by_parts
def log(x: Array) -> Array:
    """ln x in float64, of x's shape (..., n), for finite x from 1 on, as sums of e^z are; NaN for NaN."""
    exponent = x.view(np.int64) >> 52  # x = 2^k (1 + f) with f from 0 to 1; both are exact
    k, power = exponent - 1023.0, (exponent << 52).view(np.float64)
    return k * LN2_HIGH + (log1p(x / power - 1) + k * LN2_LOW)
