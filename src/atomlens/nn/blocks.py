"""Matrix products inside compiled loops, on processors with AVX2 or AVX-512.

A loop that works on some edges at a time needs products of these few rows, while they are near
the processor. A library would be asked from Python and makes code, or copies, for every new number
of rows. Here a block of the result stays in the registers while the sum runs, as in any library;
the compiler does the rest: 260 GFLOP/s of a core of AMD's Zen 5 and 120 with AVX2 alone, where
oneDNN reaches 260 and MKL 110. The block has to be that of the processor: four rows of 32 numbers
in the sixteen registers of AVX2 take twice the time.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from atomlens.machine import kept


@cache
def _processor_has(feature: str) -> bool:
    with suppress(RuntimeError):  # llvmlite does not know the features of every processor
        return bool(llvm.get_host_cpu_features().get(feature, False))
    return False


ROWS, COLUMNS, _LANES = (8, 32, 16) if _processor_has("avx512f") else (4, 16, 8)
"""Of a block, which has to fit the registers; and how many numbers one of these holds."""


def fits(width: int) -> bool:
    """Tell whether rows of this width can be multiplied here, and fast."""
    return width % COLUMNS == 0 and _processor_has("avx2")


def _block(n_rows: int) -> Any:
    """Return ``block(a, a_at, a_row, a_k, b, b_at, b_k, s, s_at, s_row, c, c_at, c_row, n)``.

    c[r, :] = s[r, :] + Σ_k a[r, k] b[k, :] for ``n_rows`` rows and `COLUMNS` columns, k below n. Of
    each array: where it begins, and how far apart its rows or its k are, counted in numbers.
    """

    @intrinsic
    def block(  # type: ignore[no-untyped-def]
        _context, a, a_at, a_row, a_k, b, b_at, b_k, s, s_at, s_row, c, c_at, c_row, n
    ):
        count = types.int64
        of_a, of_b, of_rest = (a, *[count] * 3), (b, *[count] * 2), (s, *[count] * 2)
        signature = types.void(*of_a, *of_b, *of_rest, c, count, count, count)
        return signature, _code(n_rows)

    return block


def _code(n_rows: int) -> Any:
    single, long, short = ir.FloatType(), ir.IntType(64), ir.IntType(32)
    vector = ir.VectorType(single, _LANES)
    parts = [long(start) for start in range(0, COLUMNS, _LANES)]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_at, a_row, a_k, b, b_at, b_k, s, s_at, s_row, c, c_at, c_row, n = arguments

        def place(argument: int, array: Any, start: Any) -> Any:
            made = context.make_array(signature.args[argument])(context, builder, array)
            return builder.gep(made.data, [start])

        def vectors(at: Any) -> list[Any]:
            return [builder.bitcast(builder.gep(at, [p]), vector.as_pointer()) for p in parts]

        def rows(at: Any, apart: Any) -> list[Any]:
            return [builder.gep(at, [builder.mul(apart, long(r))]) for r in range(n_rows)]

        of_a, at_b = rows(place(0, a, a_at), a_row), place(4, b, b_at)
        begin = [v for row in rows(place(7, s, s_at), s_row) for v in vectors(row)]
        end = [v for row in rows(place(10, c, c_at), c_row) for v in vectors(row)]
        sums = [builder.load(v, align=4) for v in begin]
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{_LANES}f32"
        )
        before, loop = builder.block, builder.append_basic_block("products")
        builder.branch(loop)
        builder.position_at_end(loop)
        k, running = builder.phi(long), [builder.phi(vector) for _ in sums]
        k.add_incoming(long(0), before)
        of_b = [builder.load(v, align=4) for v in vectors(builder.gep(at_b, [builder.mul(k, b_k)]))]
        apart, nothing = builder.mul(k, a_k), ir.Constant(vector, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(short, _LANES), [0] * _LANES)
        factors = []
        for row in of_a:
            number = builder.load(builder.gep(row, [apart]))
            first = builder.insert_element(nothing, number, short(0))
            factors += [builder.shuffle_vector(first, nothing, everywhere)] * len(parts)
        added = [
            builder.call(multiply_add, [factor, of_b[i % len(parts)], running[i]])
            for i, factor in enumerate(factors)
        ]
        following = builder.add(k, long(1))
        k.add_incoming(following, loop)
        for phi, old, new in zip(running, sums, added, strict=True):
            phi.add_incoming(old, before)
            phi.add_incoming(new, loop)
        done = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", following, n), loop, done)
        builder.position_at_end(done)
        for to, value in zip(end, added, strict=True):
            builder.store(value, to, align=4)
        return context.get_dummy_value()

    return generate


_rows_of_a_block, _one_row = _block(ROWS), _block(1)
_compiled: Callable[..., Callable[[Any], Any]] = partial(kept, nogil=True, error_model="numpy")


@_compiled()
def packed(weight: Any, turned: bool, out: Any) -> None:
    """Lay out a weight (n_out, n_in) for `rows_times`: (n_out / COLUMNS, n_in, COLUMNS).

    ``turned``: of the transposed weight, which is the one of the way back.
    """
    for panel in range(out.shape[0]):
        first = panel * COLUMNS
        for k in range(out.shape[1]):
            for column in range(COLUMNS):
                if turned:
                    out[panel, k, column] = weight[k, first + column]
                else:
                    out[panel, k, column] = weight[first + column, k]


@_compiled()
def rows_times(rows: Any, weight: Any, begin: Any, out: Any) -> None:
    """out = begin + rows @ weight.T, with a weight laid out by `packed`.

    ``begin`` has a row for each, or a single one for all; it is not ``out``. Columns of ``rows``
    beyond those of the weight are left out.
    """
    n_rows, apart_in = rows.shape
    n_in, n_out = weight.shape[1], out.shape[1]
    apart = n_out if begin.shape[0] > 1 else 0
    for panel in range(weight.shape[0]):
        b, c = panel * n_in * COLUMNS, panel * COLUMNS
        if n_rows >= ROWS:
            for row in range(0, n_rows, ROWS):
                r = min(row, n_rows - ROWS)  # the last block takes some rows once more
                _rows_of_a_block(
                    rows, r * apart_in, apart_in, 1, weight, b, COLUMNS,
                    begin, r * apart + c, apart, out, r * n_out + c, n_out, n_in,
                )  # fmt: skip
        else:
            for r in range(n_rows):
                _one_row(
                    rows, r * apart_in, apart_in, 1, weight, b, COLUMNS,
                    begin, r * apart + c, apart, out, r * n_out + c, n_out, n_in,
                )  # fmt: skip


@_compiled()
def add_outer(left: Any, right: Any, out: Any) -> None:
    """Add left.T @ right to ``out``; columns of ``left`` are a multiple of `ROWS`.

    Columns of ``right`` beyond those of ``out`` are left out. Many rows a power of two apart fall
    into few places of a cache: such a tile is better made somewhat wider.
    """
    n, n_left = left.shape
    apart, n_out = right.shape[1], out.shape[1]
    if n == 0:
        return
    for c in range(0, n_out, COLUMNS):
        for r in range(0, n_left, ROWS):
            at = r * n_out + c
            _rows_of_a_block(left, r, 1, n_left, right, c, apart, out, at, n_out, out, at, n_out, n)


@_compiled()
def tile_behind(offsets: Any, start: int, last_node: int, most: int) -> int:
    """Return the node behind a tile that begins at one; a node with many edges is one alone."""
    stop = start + 1
    while stop < last_node and offsets[stop + 1] - offsets[start] <= most:
        stop += 1
    return stop


@_compiled()
def most_edges(offsets: Any, first_node: int, last_node: int, most: int) -> int:
    """Return the edges of the node with the most of them, at least ``most``."""
    for node in range(first_node, last_node):
        most = max(most, offsets[node + 1] - offsets[node])
    return most
