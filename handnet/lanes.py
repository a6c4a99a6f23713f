"""Many networks in one register: the products of compiled_backend.py, LANES replicas at a time, by Numba.

LANES replicas stand side by side as the innermost axis of every array, so that one instruction of the processor takes
the same step in all of them, and no network ever meets another. Arrays are flat, and addressed by offsets.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from handnet.data import Array

LANES = 16  # float32 numbers in the widest register; the same everywhere, though a narrower one takes several steps
ROWS = 8  # of a product whose sums grow in registers; with 2 units 16 sums, and 10 numbers loaded for every 16 used


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code, kept on disk for the next process where that is possible."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # there is no folder to keep it in: it is compiled anew each time
        return njit(nogil=True, error_model="numpy")(function)


def _tile(rows: int, units: int, shared: bool) -> Any:
    """An instruction of our own: the sums of `multiply` for the first rows m and units n, in registers while they grow."""

    @intrinsic
    def tile(_: Any, A: Any, a: Any, B: Any, b: Any, S: Any, s: Any, C: Any, c: Any, K: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            arrays = [context.make_array(kind)(context, builder, array).data
                      for kind, array in zip(signature.args[:8:2], given[:8:2], strict=True)]  # fmt: skip
            (A, B, S, C), (a, b, s, c) = arrays, (cgutils.unpack_tuple(builder, where) for where in given[1:8:2])
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
                return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(index, LANES), [0] * LANES))

            sums = {(m, n): cgutils.alloca_once_value(builder, load(at(S, s, n)))
                    for m in range(rows) for n in range(units)}  # fmt: skip
            with cgutils.for_range(builder, K, intp=K.type) as loop:
                factors = [load(at(B, b, loop.index, n)) for n in range(units)]
                for m in range(rows):
                    x = (spread if shared else load)(at(A, a, m, loop.index))
                    for n in range(units):
                        builder.store(builder.call(fused, [x, factors[n], builder.load(sums[m, n])]), sums[m, n])
            for (m, n), total in sums.items():
                builder.store(builder.load(total), builder.bitcast(at(C, c, m, n), lanes.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(A, a, B, b, S, s, C, c, K), generate

    return tile


_wide, _narrow, _one = (_tile(*size, shared=False) for size in [(ROWS, 2), (ROWS, 1), (1, 1)])
_wide_shared, _one_shared = (_tile(*size, shared=True) for size in [(ROWS, 2), (1, 1)])


@compiled
def multiply(A: Array, a: tuple[int, int, int], B: Array, b: tuple[int, int, int], S: Array, s: tuple[int, int],
             C: Array, c: tuple[int, int, int], sizes: tuple[int, int, int], shared: bool) -> None:  # fmt: skip
    """C[m, n] = S[n] + sum over k of A[m, k] B[k, n], in every lane; sizes: how many m, k and n there are.

    Beside each flat array stand the offset of its first number and its step along each axis: a of m and k, b of k and n,
    s of n, c of m and n. Where A is shared, one number of it stands for all lanes."""
    M, K, N = sizes
    rows, units = (ROWS, min(N, 2)) if M >= ROWS else (1, 1)
    if shared and units == 1:
        rows = 1
    for row in range(0, M, rows):
        m = min(row, M - rows)  # the last tile overlaps the one before: what it does again gives the same
        for unit in range(0, N, units):
            n = min(unit, N - units)
            ma, nb, ns = (a[0] + m * a[1], a[1], a[2]), (b[0] + n * b[2], b[1], b[2]), (s[0] + n * s[1], s[1])
            mc = (c[0] + m * c[1] + n * c[2], c[1], c[2])
            if shared and rows == 1:
                _one_shared(A, ma, B, nb, S, ns, C, mc, K)
            elif shared:
                _wide_shared(A, ma, B, nb, S, ns, C, mc, K)
            elif rows == 1:
                _one(A, ma, B, nb, S, ns, C, mc, K)
            elif units == 1:
                _narrow(A, ma, B, nb, S, ns, C, mc, K)
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


def to_lanes(rows: Array) -> Array:
    """(R, P) -> (blocks, P, LANES); the lanes that are left over hold the last replica again."""
    blocks = -(-len(rows) // LANES)
    whole = np.concatenate([rows, np.repeat(rows[-1:], blocks * LANES - len(rows), axis=0)])
    return np.ascontiguousarray(whole.reshape(blocks, LANES, -1).swapaxes(1, 2))


def from_lanes(lanes: Array) -> Array:
    """(blocks, n, LANES) -> (blocks LANES, n)"""
    return np.ascontiguousarray(lanes.swapaxes(1, 2)).reshape(len(lanes) * LANES, -1)
