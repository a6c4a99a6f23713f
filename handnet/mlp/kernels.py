"""The arithmetic of compiled.py as machine code, by Numba: LANES networks side by side in one register.

The lanes are the innermost axis of every array, so that one instruction of the processor takes the same step
in LANES networks, and no network ever meets another. Arrays are flat and addressed by offsets. A block is
LANES networks: it holds its weights as (P, LANES), in the order of `history.pack`, and what flows through it
is (rows, units, LANES).

The products are LLVM instructions of our own (`_tile`), because Numba keeps no tile of sums in registers. On
one core, with the chapter's recipe and the same results to the bit, plain Numba loops took 8.0, 8.5 and 8.9
times as long for R = 1, 10 and 100, and the best plain loops, with LANES sums written out, 5.1, 5.5 and 5.7
times; tiles of one row and one unit took 1.6 times as long (medians of 7 pairs).

All that is compiled stands in this one file: Numba keeps the code on disk until the file of a function
changes, and would go on calling what another file held before."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from handnet.data import Array

LANES = 8  # float32 numbers in a register most processors have; the same everywhere, whatever theirs is
ROWS, UNITS = 8, 2  # of a tile: 16 sums stay in registers, and 10 numbers are loaded for every 16 used
Pair = tuple[Array, Array]
AT_ONCE = 32  # rows whose logits are computed together, so that what flows stays in the cache


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code, kept on disk for the next process where that is possible."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # there is no folder to keep it in: it is compiled anew each time
        return njit(nogil=True, error_model="numpy")(function)


def _at(builder: Any, array: Any, where: Any, *times: Any) -> Any:
    """The address of one element: the first of `where`, and so many steps along each axis."""
    offset = where[0]
    for step, count in zip(where[1:], times, strict=True):
        steps = ir.Constant(step.type, count) if isinstance(count, int) else count
        offset = builder.add(offset, builder.mul(step, steps))
    return builder.gep(array, [offset])


def _spread(builder: Any, place: Any, lanes: Any) -> Any:
    """One number of memory in all lanes of a register."""
    empty, index = ir.Constant(lanes, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(empty, builder.load(place), ir.Constant(index, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(index, LANES), [0] * LANES))


def _tile(rows: int, units: int, shared: bool) -> Any:
    """An instruction: the sums of `multiply` for the first rows m and units n, kept in registers."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kinds, pairs = signature.args[:8:2], zip(given[:8:2], given[1:8:2], strict=True)
        (A, a), (B, b), (S, s), (C, c) = (
            (context.make_array(kind)(context, builder, array).data, cgutils.unpack_tuple(builder, where))
            for kind, (array, where) in zip(kinds, pairs, strict=True)
        )
        lanes, K = ir.VectorType(A.type.pointee, LANES), given[8]
        name = f"llvm.fma.v{LANES}f{kinds[0].dtype.bitwidth}"
        fused = cgutils.get_or_insert_function(builder.module, ir.FunctionType(lanes, [lanes] * 3), name)

        def load(array: Any, where: Any, *times: Any) -> Any:
            place = _at(builder, array, where, *times)
            return builder.load(builder.bitcast(place, lanes.as_pointer()), align=4)

        tile = [(m, n) for m in range(rows) for n in range(units)]
        sums = {(m, n): cgutils.alloca_once_value(builder, load(S, s, n)) for m, n in tile}
        with cgutils.for_range(builder, K, intp=K.type) as loop:
            factors = [load(B, b, loop.index, n) for n in range(units)]
            for m in range(rows):
                if shared:
                    x = _spread(builder, _at(builder, A, a, m, loop.index), lanes)
                else:
                    x = load(A, a, m, loop.index)
                for n in range(units):
                    total = builder.call(fused, [x, factors[n], builder.load(sums[m, n])])
                    builder.store(total, sums[m, n])
        for m, n in tile:
            place = builder.bitcast(_at(builder, C, c, m, n), lanes.as_pointer())
            builder.store(builder.load(sums[m, n]), place, align=4)
        return context.get_dummy_value()

    @intrinsic
    def tile(_: Any, A: Any, a: Any, B: Any, b: Any, S: Any, s: Any, C: Any, c: Any, K: Any) -> Any:
        return types.void(A, a, B, b, S, s, C, c, K), generate

    return tile


_wide, _wide_shared = (_tile(ROWS, UNITS, shared) for shared in (False, True))
_single, _single_shared = (_tile(1, 1, shared) for shared in (False, True))


@compiled
def multiply(
    A: Array, a: Any, B: Array, b: Any, S: Array, s: Any, C: Array, c: Any, sizes: Any, shared: bool
) -> None:
    """C[m, n] = S[n] + sum over k of A[m, k] B[k, n], in every lane; sizes: how many m, k and n there are.

    Beside each flat array stand the offset of its first number and its step along each axis: a of m and k, b
    of k and n, s of n, c of m and n. Where A is shared, one number of it stands for all lanes. The terms are
    added in the order of k."""
    M, K, N = sizes
    rows, units = (ROWS, UNITS) if M >= ROWS and N >= UNITS else (1, 1)
    for row in range(0, M, rows):
        m = min(row, M - rows)  # the last tile overlaps the one before: what it does again gives the same
        for unit in range(0, N, units):
            n = min(unit, N - units)
            ma, nb = (a[0] + m * a[1], a[1], a[2]), (b[0] + n * b[2], b[1], b[2])
            ns, mc = (s[0] + n * s[1], s[1]), (c[0] + m * c[1] + n * c[2], c[1], c[2])
            if shared and rows == 1:
                _single_shared(A, ma, B, nb, S, ns, C, mc, K)
            elif shared:
                _wide_shared(A, ma, B, nb, S, ns, C, mc, K)
            elif rows == 1:
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
def relu(z: Array) -> None:
    """max(0, z); a NaN stays one."""
    for i in range(len(z)):
        z[i] = 0 if z[i] <= 0 else z[i]


@compiled
def drop(a: Array, keep: Array, scale: Any) -> None:
    """a times `scale` where a unit is kept, times 0 where it is not."""
    for i in range(len(keep)):
        a[i] *= scale if keep[i] else 0


@compiled
def forward(
    X: Array, first: int, w: Array, widths: Array, a: Array, at: Array, rows: int, keep: Array, scale: Any
) -> None:
    """What flows through each layer into a, layer d from at[d] on.

    The rows are those of X from `first` on, shared by all lanes, or, where first is -1, those already in a.
    w (P LANES,); widths: of the layers, inputs first; keep: empty when dropout is off; scale: of dropout."""
    weight = 0
    for d in range(len(widths) - 1):
        row, unit = widths[d] * LANES, widths[d + 1] * LANES
        bias = weight + widths[d] * unit
        W, out, sizes = (weight, unit, LANES), (at[d + 1], unit, LANES), (rows, widths[d], widths[d + 1])
        if d == 0 and first >= 0:
            multiply(X, (first * widths[0], widths[0], 1), w, W, w, (bias, LANES), a, out, sizes, True)
        else:
            multiply(a, (at[d], row, LANES), w, W, w, (bias, LANES), a, out, sizes, False)
        weight = bias + unit
        if d < len(widths) - 2:
            relu(a[at[d + 1] : at[d + 1] + rows * unit])
        if d == 0:
            drop(a[at[1] : at[1] + len(keep)], keep, scale)


@compiled
def exit_error(z: Array, y: Array, rows: int, dz: Array) -> None:
    """dz = (sigmoid(clip(z, -80, 80)) - y) / rows, of the mean over the batch."""
    for i in range(len(z)):
        dz[i] = 80 if z[i] < -80 else -80 if z[i] > 80 else -z[i]
    for i in range(len(z)):
        dz[i] = math.exp(dz[i])
    for i in range(len(z)):
        dz[i] = (1 / (1 + dz[i]) - y[i]) / rows


@compiled
def backward(
    w: Array, widths: Array, a: Array, dz: Array, at: Array, rows: int, scale: Any, slope: Array
) -> None:
    """The slope of every weight (P LANES,) from the error dz at the exit, which lies in dz from at[-2] on.
    scale: of dropout."""
    end, zero = len(w), np.zeros(LANES, w.dtype)
    for d in range(len(widths) - 2, -1, -1):
        row, unit = widths[d] * LANES, widths[d + 1] * LANES
        bias = end - unit
        weight, error = bias - widths[d] * unit, (at[d + 1], unit, LANES)
        # forward was a W + b, so now: a^T dz is the slope of W, the sum of dz that of b, and dz W^T goes on
        into, sizes = (weight, unit, LANES), (widths[d], rows, widths[d + 1])
        multiply(a, (at[d], LANES, row), dz, error, zero, (0, 0), slope, into, sizes, False)
        add_rows(dz[at[d + 1] : at[d + 1] + rows * unit], slope[bias:end])
        if d > 0:
            back, sizes = (at[d], row, LANES), (rows, widths[d + 1], widths[d])
            multiply(dz, error, w, (weight, LANES, unit), zero, (0, 0), dz, back, sizes, False)
            shut(dz[at[d] : at[d] + rows * row], a[at[d] : at[d + 1]], scale if d == 1 else w.dtype.type(1))
        end = weight


@compiled
def add_rows(rows: Array, total: Array) -> None:
    """The sum of the rows, each as long as `total`."""
    total[:] = 0
    for first in range(0, len(rows), len(total)):
        row = rows[first : first + len(total)]
        for i in range(len(total)):
            total[i] += row[i]


@compiled
def shut(da: Array, a: Array, scale: Any) -> None:
    """The way back through relu and dropout: a unit that was silent or sat out lets nothing pass."""
    for i in range(len(da)):
        da[i] *= scale if a[i] > 0 else 0


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
    blocks: Pair, rows: Pair, draws: Pair, widths: Array, batch: int, scale: Any, rates: Pair, logits: Array
) -> None:
    """One epoch of every block, in place.

    blocks: weights (blocks, P, LANES), and Adam's averages (2, blocks, P, LANES), empty for plain descent.
    rows: X (n, features), y (n,). draws: order (R, n), and keep (R, n, units), empty when dropout is off.
    widths: of the layers, inputs first. scale: 1 / (1 - dropout). rates: of each step, and `rest` of `adam`.
    logits (blocks, n, LANES): dropout on, in the order of the visits."""
    (weights, averages), (X, y), (order, keep), (alphas, rest) = blocks, rows, draws, rates
    at = offsets(widths, batch)
    flat, keeps, orders = X.reshape(-1), keep.reshape(-1), order.reshape(-1)
    a, dz, slope = np.empty(at[-1], X.dtype), np.empty(at[-1], X.dtype), np.empty(weights[0].size, X.dtype)
    visits, labels = np.empty(batch * LANES, np.uint64), np.empty(batch * LANES, X.dtype)
    kept = np.empty(batch * widths[1] * LANES if keep.size else 0, np.bool_)
    for block in range(len(weights)):
        w = weights[block].reshape(-1)
        for step in range(len(alphas)):
            first = step * batch
            size = min(batch, len(y) - first)
            here, z = visits[: size * LANES], slice(at[-2], at[-2] + size * LANES)
            for row in range(size):
                for lane in range(LANES):  # the last replica also fills the lanes left over
                    replica = min(block * LANES + lane, len(order) - 1)
                    here[row * LANES + lane] = replica * len(y) + first + row
            if keep.size:
                side_by_side(keeps, here * np.uint64(widths[1]), widths[1], kept)
            visited = orders[here]
            side_by_side(y, visited, 1, labels)
            side_by_side(flat, visited * np.uint64(widths[0]), widths[0], a)
            mask = kept[: min(len(kept), size * widths[1] * LANES)]
            forward(flat, -1, w, widths, a, at, size, mask, scale)
            logits[block].reshape(-1)[first * LANES : (first + size) * LANES] = a[z]
            exit_error(a[z], labels, size, dz[z])
            backward(w, widths, a, dz, at, size, scale, slope)
            if averages.size:
                m, v = averages[0, block].reshape(-1), averages[1, block].reshape(-1)
                adam(w, slope, m, v, alphas[step], rest)
            else:
                w -= alphas[step] * slope


@compiled
def offsets(widths: Array, rows: int) -> Array:
    """Where each layer's part begins in a flat array of all that flows, and where the last one ends."""
    at = np.zeros(len(widths) + 1, np.int64)
    at[1:] = np.cumsum(widths) * rows * LANES
    return at


@compiled
def evaluate(weights: Array, X: Array, widths: Array, logits: Array) -> None:
    """Logits (blocks, n, LANES) of the rows X (n, features), dropout off."""
    at = offsets(widths, AT_ONCE)
    a, flat, nothing = np.empty(at[-1], X.dtype), X.reshape(-1), np.empty(0, np.bool_)
    for block in range(len(weights)):
        w, out = weights[block].reshape(-1), logits[block].reshape(-1)
        for first in range(0, len(X), AT_ONCE):
            rows = min(AT_ONCE, len(X) - first)
            forward(flat, first, w, widths, a, at, rows, nothing, X.dtype.type(1))
            out[first * LANES : (first + rows) * LANES] = a[at[-2] : at[-2] + rows * LANES]
