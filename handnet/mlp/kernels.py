"""Many networks in one register: what compiled_backend.py is made of, by Numba.

LANES replicas stand side by side as the innermost axis of every array, so that one instruction of the
processor takes the same step in all of them, and no network ever meets another. Arrays are flat, and
addressed by offsets. A block is LANES replicas; it holds its weights as (P, LANES), in the order of
`history.pack`; what flows through it is (rows, units, LANES). All that is compiled stands in this one file:
Numba keeps the code on disk until the file of a function changes, and would go on calling what another file
held before."""

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
# of a product whose sums grow in registers; with 2 units 16 sums, and 10 numbers loaded for every 16 used
ROWS = 8
DEEP = (
    32  # terms of a sum taken at a time, so that what a tile reads again and again stays in the nearest cache
)
AT_ONCE = 32  # rows whose logits are computed together, so that what flows stays in the cache


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code, kept on disk for the next process where that is possible."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # there is no folder to keep it in: it is compiled anew each time
        return njit(nogil=True, error_model="numpy")(function)


def _tile(rows: int, units: int, shared: bool) -> Any:
    """An instruction of our own: the sums of `multiply` for the first rows m and units n, in registers while
    they grow."""

    @intrinsic
    def tile(_: Any, A: Any, a: Any, B: Any, b: Any, S: Any, s: Any, C: Any, c: Any, K: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            arrays = [
                context.make_array(kind)(context, builder, array).data
                for kind, array in zip(signature.args[:8:2], given[:8:2], strict=True)
            ]
            (A, B, S, C), (a, b, s, c) = (
                arrays,
                (cgutils.unpack_tuple(builder, where) for where in given[1:8:2]),
            )
            lanes, K = ir.VectorType(A.type.pointee, LANES), given[8]
            name = f"llvm.fma.v{LANES}f{signature.args[0].dtype.bitwidth}"
            fused = cgutils.get_or_insert_function(builder.module, ir.FunctionType(lanes, [lanes] * 3), name)

            def at(array: Any, where: Any, *times: Any) -> Any:
                """The place of one element: the first number, and so many steps along each axis."""
                offset = where[0]
                for step, count in zip(where[1:], times, strict=True):
                    steps = ir.Constant(step.type, count) if isinstance(count, int) else count
                    offset = builder.add(offset, builder.mul(step, steps))
                return builder.gep(array, [offset])

            def load(place: Any) -> Any:
                return builder.load(builder.bitcast(place, lanes.as_pointer()), align=4)

            def spread(place: Any) -> Any:
                empty, index = ir.Constant(lanes, ir.Undefined), ir.IntType(32)
                first = builder.insert_element(empty, builder.load(place), ir.Constant(index, 0))
                return builder.shuffle_vector(
                    first, empty, ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
                )

            sums = {
                (m, n): cgutils.alloca_once_value(builder, load(at(S, s, m, n)))
                for m in range(rows)
                for n in range(units)
            }
            with cgutils.for_range(builder, K, intp=K.type) as loop:
                factors = [load(at(B, b, loop.index, n)) for n in range(units)]
                for m in range(rows):
                    x = (spread if shared else load)(at(A, a, m, loop.index))
                    for n in range(units):
                        builder.store(
                            builder.call(fused, [x, factors[n], builder.load(sums[m, n])]), sums[m, n]
                        )
            for (m, n), total in sums.items():
                builder.store(
                    builder.load(total), builder.bitcast(at(C, c, m, n), lanes.as_pointer()), align=4
                )
            return context.get_dummy_value()

        return types.void(A, a, B, b, S, s, C, c, K), generate

    return tile


_wide, _narrow, _one = (_tile(*size, shared=False) for size in [(ROWS, 2), (ROWS, 1), (1, 1)])
_wide_shared, _one_shared = (_tile(*size, shared=True) for size in [(ROWS, 2), (1, 1)])


@compiled
def multiply(
    A: Array,
    a: tuple[int, int, int],
    B: Array,
    b: tuple[int, int, int],
    S: Array,
    s: tuple[int, int],
    C: Array,
    c: tuple[int, int, int],
    sizes: tuple[int, int, int],
    shared: bool,
) -> None:
    """C[m, n] = S[n] + sum over k of A[m, k] B[k, n], in every lane; sizes: how many m, k and n there are.

    Beside each flat array stand the offset of its first number and its step along each axis: a of m and k, b
    of k and n, s of n, c of m and n. Where A is shared, one number of it stands for all lanes. The terms are
    added in the order of k, DEEP of them at a time when there are many: it gives the same to the bit."""
    M, K, N = sizes
    overlaps = M % ROWS > 0 or N % 2 > 0  # then a tile may not start from what another left
    deep = K if shared or overlaps or K < 2 * DEEP else DEEP
    for k in range(0, K, deep):
        ka, kb = (a[0] + k * a[2], a[1], a[2]), (b[0] + k * b[1], b[1], b[2])
        terms = (M, min(deep, K - k), N)
        if k == 0:
            _tiles(A, ka, B, kb, S, (s[0], 0, s[1]), C, c, terms, shared)
        else:
            _tiles(A, ka, B, kb, C, c, C, c, terms, shared)


@compiled
def _tiles(
    A: Array,
    a: tuple[int, int, int],
    B: Array,
    b: tuple[int, int, int],
    S: Array,
    s: tuple[int, int, int],
    C: Array,
    c: tuple[int, int, int],
    sizes: tuple[int, int, int],
    shared: bool,
) -> None:
    """`multiply` all terms at once, with a start S[m, n]. Where S is C, no tile may overlap another."""
    M, K, N = sizes
    rows, units = (ROWS, min(N, 2)) if M >= ROWS else (1, 1)
    if shared and units == 1:
        rows = 1
    for row in range(0, M, rows):
        m = min(row, M - rows)  # the last tile overlaps the one before: what it does again gives the same
        for unit in range(0, N, units):
            n = min(unit, N - units)
            ma, nb = (a[0] + m * a[1], a[1], a[2]), (b[0] + n * b[2], b[1], b[2])
            ms, mc = (s[0] + m * s[1] + n * s[2], s[1], s[2]), (c[0] + m * c[1] + n * c[2], c[1], c[2])
            if shared and rows == 1:
                _one_shared(A, ma, B, nb, S, ms, C, mc, K)
            elif shared:
                _wide_shared(A, ma, B, nb, S, ms, C, mc, K)
            elif rows == 1:
                _one(A, ma, B, nb, S, ms, C, mc, K)
            elif units == 1:
                _narrow(A, ma, B, nb, S, ms, C, mc, K)
            else:
                _wide(A, ma, B, nb, S, ms, C, mc, K)


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
    flat: Array,
    first: int,
    shared: bool,
    w: Array,
    widths: Array,
    a: Array,
    at: Array,
    rows: int,
    keep: Array,
    scale: Any,
) -> None:
    """What flows through each layer into a, layer d from at[d] on. The rows: shared ones of flat from `first`
    on, or else those that lie in a already. keep: empty when dropout is off."""
    weight = 0
    for d in range(len(widths) - 1):
        row, unit = widths[d] * LANES, widths[d + 1] * LANES
        bias = weight + widths[d] * unit
        w_at, bias_at, out_at = (weight, unit, LANES), (bias, LANES), (at[d + 1], unit, LANES)
        sizes = (rows, widths[d], widths[d + 1])
        if d == 0 and shared:
            multiply(flat, (first * widths[0], widths[0], 1), w, w_at, w, bias_at, a, out_at, sizes, True)
        else:
            multiply(a, (at[d], row, LANES), w, w_at, w, bias_at, a, out_at, sizes, False)
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
    """The slope of every weight from the error dz at the exit, which lies in dz from at[-2] on. scale: of
    dropout."""
    end, zero = len(w), np.zeros(LANES, w.dtype)
    for d in range(len(widths) - 2, -1, -1):
        row, unit = widths[d] * LANES, widths[d + 1] * LANES
        bias = end - unit
        weight = bias - widths[d] * unit
        multiply(
            a,
            (at[d], LANES, row),
            dz,
            (at[d + 1], unit, LANES),
            zero,
            (0, 0),
            slope,
            (weight, unit, LANES),
            (widths[d], rows, widths[d + 1]),
            False,
        )
        add_rows(dz[at[d + 1] : at[d + 1] + rows * unit], slope[bias:end])
        if d > 0:
            multiply(
                dz,
                (at[d + 1], unit, LANES),
                w,
                (weight, LANES, unit),
                zero,
                (0, 0),
                dz,
                (at[d], row, LANES),
                (rows, widths[d + 1], widths[d]),
                False,
            )
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
    """One step; w, slope and the averages m and v (P LANES,), flat; alpha: the learning rate with the
    corrections; rest (3,): 1 - b1, 1 - b2, epsilon."""
    rest_1, rest_2, epsilon = rest
    for i in range(len(w)):
        m[i] += (slope[i] - m[i]) * rest_1
        v[i] += (slope[i] * slope[i] - v[i]) * rest_2
        w[i] -= alpha * m[i] / (np.sqrt(v[i]) + epsilon)


@compiled
def sgd(w: Array, slope: Array, alpha: Any) -> None:
    """One step of plain descent; w and slope (P LANES,), flat."""
    for i in range(len(w)):
        w[i] -= alpha * slope[i]


@compiled
def train_epoch(
    weights: Array,
    state: Array,
    X: Array,
    y: Array,
    order: Array,
    keep: Array,
    widths: Array,
    batch: int,
    scale: Any,
    alphas: Array,
    rest: Array,
    logits: Array,
) -> None:
    """One epoch of every block, in place. weights (blocks, P, LANES); state (2, blocks, P, LANES), empty for
    plain descent; alphas: the rate of each step; logits (blocks, n, LANES): dropout on, in the order of the
    visits."""
    flat, keeps, features, units = X.reshape(-1), keep.reshape(-1), widths[0], widths[1]
    at = offsets(widths, batch)
    a, dz, slope = np.empty(at[-1], X.dtype), np.empty(at[-1], X.dtype), np.empty(weights[0].size, X.dtype)
    visits, labels = np.empty(batch * LANES, np.uint64), np.empty(batch * LANES, X.dtype)
    kept = np.empty(batch * units * LANES if keep.size else 0, np.bool_)
    for block in range(len(weights)):
        w = weights[block].reshape(-1)
        for step in range(len(alphas)):
            first = step * batch
            rows = min(batch, len(y) - first)
            here = visits[: rows * LANES]
            for row in range(rows):
                for lane in range(LANES):
                    replica = min(
                        block * LANES + lane, len(order) - 1
                    )  # the last one also fills the lanes left over
                    here[row * LANES + lane] = replica * len(y) + first + row
            if keep.size:
                side_by_side(keeps, here * np.uint64(units), units, kept)
            visited = order.reshape(-1)[here]
            side_by_side(y, visited, 1, labels)
            side_by_side(flat, visited * np.uint64(features), features, a)
            forward(
                flat, 0, False, w, widths, a, at, rows, kept[: min(len(kept), rows * units * LANES)], scale
            )
            z = a[at[-2] : at[-2] + rows * LANES]
            logits[block].reshape(-1)[first * LANES : (first + rows) * LANES] = z
            exit_error(z, labels, rows, dz[at[-2] : at[-2] + rows * LANES])
            backward(w, widths, a, dz, at, rows, scale, slope)
            if state.size:
                adam(w, slope, state[0, block].reshape(-1), state[1, block].reshape(-1), alphas[step], rest)
            else:
                sgd(w, slope, alphas[step])


@compiled
def offsets(widths: Array, rows: int) -> Array:
    """Where each layer's part begins in a flat array of all that flows, and where the last one ends."""
    at = np.zeros(len(widths) + 1, np.int64)
    for d in range(len(widths)):
        at[d + 1] = at[d] + rows * widths[d] * LANES
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
            forward(flat, first, True, w, widths, a, at, rows, nothing, X.dtype.type(1))
            out[first * LANES : (first + rows) * LANES] = a[at[-2] : at[-2] + rows * LANES]


def to_lanes(rows: Array) -> Array:
    """(R, P) -> (blocks, P, LANES); the lanes that are left over hold the last replica again."""
    blocks = -(-len(rows) // LANES)
    whole = np.concatenate([rows, np.repeat(rows[-1:], blocks * LANES - len(rows), axis=0)])
    return np.ascontiguousarray(whole.reshape(blocks, LANES, -1).swapaxes(1, 2))


def from_lanes(lanes: Array) -> Array:
    """(blocks, n, LANES) -> (blocks LANES, n)"""
    return np.ascontiguousarray(lanes.swapaxes(1, 2)).reshape(len(lanes) * LANES, -1)
