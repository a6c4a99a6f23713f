"""What the products of kernels.py are made of: instructions that keep a tile of sums in registers.

They are written in LLVM's language, because Numba keeps no such tile: the best plain loops took five times as
long, with the chapter's recipe and the same results to the bit."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils  # loops and tiles in LLVM; numba.extending has no twin of it
from numba.extending import intrinsic

LANES = 8  # float32 numbers in a register most processors have; the same everywhere, whatever theirs is
ROWS, UNITS = 8, 2  # of a tile: 16 sums stay in registers, and 10 numbers are loaded for every 16 used


def tile_of(rows: int, units: int) -> Any:
    """An instruction for Numba: the sums of `kernels.multiply` for the first rows m and units n."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kinds, pairs = signature.args[:8:2], zip(given[:8:2], given[1:8:2], strict=True)
        (A, a), (B, b), (S, s), (C, c) = (
            (context.make_array(kind)(context, builder, array).data, cgutils.unpack_tuple(builder, where))
            for kind, (array, where) in zip(kinds, pairs, strict=True)
        )
        lanes, K = ir.VectorType(A.type.pointee, LANES), given[8]
        name = f"llvm.fma.v{LANES}f{kinds[0].dtype.bitwidth}"
        fused = cgutils.get_or_insert_function(builder.module, ir.FunctionType(lanes, [lanes] * 3), name)

        def at(array: Any, where: Any, *times: Any) -> Any:  # the first place, and steps along each axis
            offset = where[0]
            for step, count in zip(where[1:], times, strict=True):
                steps = ir.Constant(step.type, count) if isinstance(count, int) else count
                offset = builder.add(offset, builder.mul(step, steps))
            return builder.bitcast(builder.gep(array, [offset]), lanes.as_pointer())

        tile = [(m, n) for m in range(rows) for n in range(units)]
        slot = cgutils.alloca_once_value
        sums = {(m, n): slot(builder, builder.load(at(S, s, n), align=4)) for m, n in tile}
        with cgutils.for_range(builder, K, intp=K.type) as loop:
            factors = [builder.load(at(B, b, loop.index, n), align=4) for n in range(units)]
            for m in range(rows):
                x = builder.load(at(A, a, m, loop.index), align=4)
                for n in range(units):
                    total = builder.call(fused, [x, factors[n], builder.load(sums[m, n])])
                    builder.store(total, sums[m, n])
        for m, n in tile:
            builder.store(builder.load(sums[m, n]), at(C, c, m, n), align=4)
        return context.get_dummy_value()

    @intrinsic
    def instruction(_: Any, A: Any, a: Any, B: Any, b: Any, S: Any, s: Any, C: Any, c: Any, K: Any) -> Any:
        return types.void(A, a, B, b, S, s, C, c, K), generate

    return instruction
