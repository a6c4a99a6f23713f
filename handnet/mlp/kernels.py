"""The arithmetic of compiled.py as machine code, by Numba: LANES networks side by side in one register.

The lanes are the innermost axis of every array, so that one instruction of the processor takes the same step
in LANES networks, and no network ever meets another. Arrays are flat and addressed by offsets. A block of
LANES networks has weights (P, LANES), in the order of `history.pack`; what flows is (rows, units, LANES).

All that Numba compiles stands in this one file: it keeps the code on disk until the file of a function
changes, and would go on calling what another file held before. It does not look into tile.py, which writes
the instructions of the products. So TILE names the digest of that file: where it is wrong no code is kept,
and setting it right changes this file."""

from collections.abc import Callable
from hashlib import sha256
from inspect import getsource
from math import factorial
from typing import Any

import numpy as np
from numba import njit

from handnet.data import Array
from handnet.mlp import tile
from handnet.mlp.tile import LANES, ROWS, UNITS, tile_of

TILE = "5dd91e25133ffc4d4350d75073eb9e288280f16555672897e31fd90cad82a4e7"
Pair = tuple[Array, Array]
AT_ONCE = 32  # rows whose logits are computed together, so that what flows stays in the cache
SIGMOID, SOFTMAX, IDENTITY = range(3)  # the exits of network.py
# What `exp` and `log1p` are made of, as in elementary.py, where it is explained.
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
LN2, ROUND, ROUND_BITS = LN2_HIGH + LN2_LOW, 1.5 * 2**52, 0x4338000000000000
EXP, LOG = tuple(1 / factorial(n) for n in range(13, 1, -1)), tuple(2 / n for n in range(23, 1, -2))


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code, kept on disk for the next process where that is possible."""
    try:
        kept = sha256(getsource(tile).encode()).hexdigest() == TILE
        return njit(nogil=True, error_model="numpy", cache=kept)(function)
    except (OSError, RuntimeError):  # there is no folder to keep it in: it is compiled anew each time
        return njit(nogil=True, error_model="numpy")(function)


_wide, _single = tile_of(ROWS, UNITS), tile_of(1, 1)


@compiled
def multiply(A: Array, a: Any, B: Array, b: Any, S: Array, s: Any, C: Array, c: Any, sizes: Any) -> None:
    """C[m, n] = S[n] + sum over k of A[m, k] B[k, n], in every lane; sizes: how many m, k and n there are.

    Beside each flat array stand the offset of its first number and its step along each axis: a of m and k, b
    of k and n, s of n, c of m and n. The terms are added in the order of k."""
    M, K, N = sizes
    rows, units = (ROWS, UNITS) if M >= ROWS and N >= UNITS else (1, 1)
    for row in range(0, M, rows):
        m = min(row, M - rows)  # the last tile overlaps the one before: what it does again gives the same
        for unit in range(0, N, units):
            n = min(unit, N - units)
            ma, nb = (a[0] + m * a[1], a[1], a[2]), (b[0] + n * b[2], b[1], b[2])
            ns, mc = (s[0] + n * s[1], s[1]), (c[0] + m * c[1] + n * c[2], c[1], c[2])
            if rows == 1:
                _single(A, ma, B, nb, S, ns, C, mc, K)
            else:
                _wide(A, ma, B, nb, S, ns, C, mc, K)


@compiled
def side_by_side(source: Array, starts: Array, width: int, out: Array) -> None:
    """`width` numbers from each of the places `starts`, those of LANES consecutive places interleaved."""
    for first in range(0, len(starts), LANES):
        at = starts[first : first + LANES]
        for i in range(width):
            to = out[(first * width + i * LANES) : (first * width + (i + 1) * LANES)]
            for lane in range(LANES):
                to[lane] = source[at[lane] + np.uint64(i)]


@compiled
def gate(a: Array, opened: Array, scale: Any) -> None:
    """a times `scale` where `opened` is above 0, times 0 elsewhere."""
    for i in range(len(opened)):
        a[i] *= scale if opened[i] > 0 else 0


@compiled
def forward(w: Array, widths: Array, a: Array, at: Array, rows: int, keep: Array, scale: Any) -> None:
    """What flows through each layer into a, layer d from at[d] on, where the inputs are already.

    w (P LANES,); widths: of the layers, inputs first; keep: empty when dropout is off; scale: of dropout."""
    weight = 0
    for d in range(len(widths) - 1):
        row, unit = widths[d] * LANES, widths[d + 1] * LANES
        bias = weight + widths[d] * unit
        W, out, sizes = (weight, unit, LANES), (at[d + 1], unit, LANES), (rows, widths[d], widths[d + 1])
        multiply(a, (at[d], row, LANES), w, W, w, (bias, LANES), a, out, sizes)
        weight = bias + unit
        if d < len(widths) - 2:
            z = a[at[d + 1] : at[d + 1] + rows * unit]
            for i in range(len(z)):
                z[i] = 0 if z[i] <= 0 else z[i]  # relu; a NaN stays one
        if d == 0:
            gate(a[at[1] : at[1] + len(keep)], keep, scale)


@compiled
def exp(x: float) -> Any:
    """e^x, with the bits of `elementary.exp`."""
    x = -746.0 if x < -746 else 710.0 if x > 710 else x
    shifted = x * (1 / LN2) + ROUND
    k = shifted - ROUND
    high, low = x - k * LN2_HIGH, k * LN2_LOW
    r, series = high - low, 0.0
    for coefficient in EXP:
        series = series * r + coefficient
    power = 1 + (high + (series * r * r - low))
    exponent = np.float64(shifted).view(np.int64) - (ROUND_BITS - 2 * 1023)
    half = exponent >> 1
    return power * np.int64(half << 52).view(np.float64) * np.int64((exponent - half) << 52).view(np.float64)


@compiled
def log1p(x: float) -> float:
    """ln(1 + x) for x from 0 to 1, with the bits of `elementary.log1p`."""
    f, high, low = ((x - 1) / 2, LN2_HIGH, LN2_LOW) if x >= 0.5 else (x, 0.0, 0.0)
    s, series = f / (2 + f), 0.0
    for coefficient in LOG:
        series = series * (s * s) + coefficient
    rest, total = s * (f - series * (s * s)), high + f
    return total - ((rest - low) - (f - (total - high)))


@compiled
def loss_and_error(kind: int, z: Array, y: Array, weight: Array, dz: Array, totals: Array) -> None:
    """Add the loss of each row, times its weight, to its network's total, in float64 and row by row. Unless
    dz is empty it becomes the slope of their mean, (guess - y) w / sum(w), which is 0 where sum(w) is 0.

    kind: SIGMOID, SOFTMAX or IDENTITY; y, weight (n LANES,): weight is empty if all are 1."""
    losses, sums, outputs = np.empty(len(y)), np.zeros(LANES, z.dtype), len(z) // len(y)
    rows = 1 if len(weight) else len(y) // LANES
    if kind == SOFTMAX:
        softmax(z, y, dz, losses)
        for i in range(len(dz)):
            dz[i] /= rows
    elif kind == SIGMOID:
        for i in range(len(z)):
            x = np.float64(z[i])
            losses[i] = (x if x > 0 else 0.0) - y[i] * x + log1p(exp(-abs(x)))
        for i in range(len(dz)):
            dz[i] = 1 / (1 + exp(80.0 if z[i] < -80 else -80.0 if z[i] > 80 else -np.float64(z[i])))
            dz[i] = (dz[i] - y[i]) / rows
    else:
        for i in range(len(y)):
            losses[i] = (np.float64(z[i]) - y[i]) * (np.float64(z[i]) - y[i]) / 2
        for i in range(len(dz)):
            dz[i] = (z[i] - y[i]) / rows
    losses[: len(weight)] *= weight
    add_rows(losses, totals)
    add_rows(weight, sums)
    for first in range(0, len(weight) if len(dz) else 0, LANES):
        for i in range(first * outputs, (first + LANES) * outputs):
            dz[i] *= weight[first + i % LANES]
            dz[i] /= sums[i % LANES] if sums[i % LANES] > 0 else 1


@compiled
def softmax(z: Array, y: Array, dz: Array, losses: Array) -> None:
    """The loss of each row, ln(sum of e^(z - m)) - (z_y - m) with m the largest logit, and unless dz is empty
    p - y there. Of a row all lanes of one class stand before those of the next."""
    e, row = np.empty(len(z)), len(z) // len(y) * LANES
    for i in range(len(y)):
        first, largest = i // LANES * row + i % LANES, -np.inf
        for at in range(first, first + row, LANES):
            largest = largest if z[at] <= largest else z[at]
        for at in range(first, first + row, LANES):
            e[at] = z[at] - largest
        losses[i] = -e[first + int(y[i]) * LANES]
    for at in range(len(e)):
        e[at] = exp(e[at])
    for i in range(len(y)):
        first, total = i // LANES * row + i % LANES, 0.0
        for at in range(first, first + row, LANES):
            total += e[at]
        exponent = np.float64(total).view(np.int64) >> 52  # the logarithm, as in `elementary.log`
        k, power = exponent - 1023.0, np.int64(exponent << 52).view(np.float64)
        losses[i] = k * LN2_HIGH + (log1p(total / power - 1) + k * LN2_LOW) + losses[i]
        for at in range(first, first + (row if len(dz) else 0), LANES):
            dz[at] = e[at] / total
            dz[at] -= at == first + int(y[i]) * LANES


@compiled
def backward(
    w: Array, widths: Array, a: Array, dz: Array, at: Array, rows: int, scale: Any, slope: Array
) -> None:
    """The slope of every weight (P LANES,) from the error at the exit, dz[at[-2] :]; scale: of dropout."""
    end, zero = len(w), np.zeros(LANES, w.dtype)
    for d in range(len(widths) - 2, -1, -1):
        row, unit = widths[d] * LANES, widths[d + 1] * LANES
        bias = end - unit
        weight, error = bias - widths[d] * unit, (at[d + 1], unit, LANES)
        # forward was a W + b, so now: a^T dz is the slope of W, the sum of dz that of b, and dz W^T goes on
        into, sizes = (weight, unit, LANES), (widths[d], rows, widths[d + 1])
        multiply(a, (at[d], LANES, row), dz, error, zero, (0, 0), slope, into, sizes)
        slope[bias:end] = 0
        add_rows(dz[at[d + 1] : at[d + 1] + rows * unit], slope[bias:end])
        if d > 0:
            back, sizes = (at[d], row, LANES), (rows, widths[d + 1], widths[d])
            multiply(dz, error, w, (weight, LANES, unit), zero, (0, 0), dz, back, sizes)
            here = slice(at[d], at[d] + rows * row)
            gate(dz[here], a[here], scale if d == 1 else w.dtype.type(1))
        end = weight


@compiled
def add_rows(rows: Array, total: Array) -> None:
    """Add rows, each as long as `total`, to it."""
    for first in range(0, len(rows), len(total)):
        row = rows[first : first + len(total)]
        for i in range(len(total)):
            total[i] += row[i]


@compiled
def shrink(w: Array, decay: Array) -> None:
    """One step of weight decay for w (P LANES,); decay: the share of each, empty where there is none."""
    for i in range(len(decay)):
        w[i] -= decay[i] * w[i]


@compiled
def adam(w: Array, slope: Array, m: Array, v: Array, alpha: Any, rest: Array) -> None:
    """One step; all but alpha, the corrected rate, and rest (3,), 1 - b1, 1 - b2, epsilon, is (P LANES,)."""
    rest_1, rest_2, epsilon = rest
    for i in range(len(w)):
        m[i] += (slope[i] - m[i]) * rest_1
        v[i] += (slope[i] * slope[i] - v[i]) * rest_2
        w[i] -= alpha * m[i] / (np.sqrt(v[i]) + epsilon)


@compiled
def train_epoch(
    kind: int, blocks: Pair, rows: Any, draws: Pair, sizes: Any, scale: Any, rates: Any, losses: Array
) -> None:
    """One epoch of every block, in place, with an exit of that kind.
    blocks: weights (blocks, P, LANES), and Adam's averages (2, blocks, P, LANES), empty for plain descent.
    rows: X (n, features), y and weight (n,). draws: order (R, n), and keep (R, n, units), which is empty when
    dropout is off, as weight is if all are 1. sizes: widths of the layers, inputs first, and rows of a batch.
    scale: 1 / (1 - dropout). rates: of each step, `rest` of `adam`, and of weight decay (P LANES,), empty if
    there is none. losses (blocks, LANES): of all visits are added to it."""
    (weights, averages), (X, y, weight), (order, keep), (alphas, rest, decay) = blocks, rows, draws, rates
    widths, batch = sizes
    at = np.append(0, np.cumsum(widths) * (batch * LANES))  # where the part of each layer begins
    flat, keeps, orders = X.reshape(-1), keep.reshape(-1), order.reshape(-1)
    a, dz, slope = np.empty(at[-1], X.dtype), np.empty(at[-1], X.dtype), np.empty(weights[0].size, X.dtype)
    visits, labels = np.empty(batch * LANES, np.uint64), np.empty(batch * LANES, X.dtype)
    shares = np.empty(batch * LANES if weight.size else 0, X.dtype)
    kept = np.empty(batch * widths[1] * LANES if keep.size else 0, np.bool_)
    for block in range(len(weights)):
        w = weights[block].reshape(-1)
        for step in range(len(alphas)):
            size = min(batch, len(y) - step * batch)
            here, share = visits[: size * LANES], shares[: size * LANES]
            z = slice(at[-2], at[-2] + size * widths[-1] * LANES)
            for place in range(len(here)):  # the last replica also fills the lanes left over
                replica = min(block * LANES + place % LANES, len(order) - 1)
                here[place] = replica * len(y) + step * batch + place // LANES
            side_by_side(keeps, here[: len(kept)] * np.uint64(widths[1]), widths[1], kept)
            visited = orders[here]
            side_by_side(y, visited, 1, labels)
            side_by_side(weight, visited[: len(share)], 1, share)
            side_by_side(flat, visited * np.uint64(widths[0]), widths[0], a)
            forward(w, widths, a, at, size, kept[: size * widths[1] * LANES], scale)
            loss_and_error(kind, a[z], labels[: len(here)], share, dz[z], losses[block])
            backward(w, widths, a, dz, at, size, scale, slope)
            shrink(w, decay)
            if averages.size:
                m, v = averages[0, block].reshape(-1), averages[1, block].reshape(-1)
                adam(w, slope, m, v, alphas[step], rest)
            else:
                w -= alphas[step] * slope


@compiled
def evaluate(kind: int, rows: Any, weights: Array, widths: Array, logits: Array, losses: Array) -> None:
    """Logits (blocks, n, outputs, LANES) of rows X (n, features), dropout off. The losses at an exit of that
    kind, with y and weight (n LANES,), are added to `losses` (blocks, LANES)."""
    (X, y, weight), at = rows, np.append(0, np.cumsum(widths) * (AT_ONCE * LANES))
    a, flat, nothing = np.empty(at[-1], X.dtype), X.reshape(-1), np.empty(0, np.bool_)
    for first in range(0, len(X), AT_ONCE):
        size = min(AT_ONCE, len(X) - first)
        here, outputs = slice(first * LANES, (first + size) * LANES), widths[-1] * LANES
        z, there = slice(at[-2], at[-2] + size * outputs), slice(first * outputs, (first + size) * outputs)
        for i in range(size * widths[0]):
            a[i * LANES : (i + 1) * LANES] = flat[first * widths[0] + i]
        for block in range(len(weights)):
            forward(weights[block].reshape(-1), widths, a, at, size, nothing, X.dtype.type(1))
            logits[block].reshape(-1)[there] = a[z]
            loss_and_error(kind, a[z], y[here], weight[here], a[:0], losses[block])
