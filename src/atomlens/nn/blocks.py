"""Matrix products inside compiled loops, on processors with AVX2 or AVX-512.

A loop that works on some edges at a time needs products of these few rows, while they are near
the processor. A library would be asked from Python and makes code, or copies, for every new number
of rows. Here a block of the result stays in the registers while the sum runs, as in any library;
the compiler does the rest: 260 GFLOP/s of a core of AMD's Zen 5 and 120 with AVX2 alone, where
oneDNN reaches 260 and MKL 110. The block has to be that of the processor: four rows of 32 numbers
in the sixteen registers of AVX2 take twice the time.
"""

from contextlib import suppress
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from atomlens.nn.loops import loop


@cache
def _processor_has(feature: str) -> bool:
    with suppress(RuntimeError):  # llvmlite does not know the features of every processor
        return bool(llvm.get_host_cpu_features().get(feature, False))
    return False


ROWS, COLUMNS, _LANES = (8, 32, 16) if _processor_has("avx512f") else (4, 16, 8)
"""Of a block, which has to fit the registers; and how many numbers one of these holds."""
_WIDE = COLUMNS + _LANES
"""Columns of the wider block; its numbers fit the registers, too."""


def fits(width: int) -> bool:
    """Tell whether rows of this width can be multiplied here, and fast."""
    return width % COLUMNS == 0 and _processor_has("avx2")


def columns_of_a_panel(width: int) -> int:
    """Return `COLUMNS`, or the columns of the wider block where they pad a width to less."""
    return min((COLUMNS, _WIDE), key=lambda columns: -(-width // columns) * columns)


def _vectors(builder: Any, at: Any, n_parts: int) -> list[Any]:
    """Return where the registers begin that hold the columns of a block from a place on."""
    kind = ir.VectorType(ir.FloatType(), _LANES).as_pointer()
    starts = (ir.IntType(64)(part * _LANES) for part in range(n_parts))
    return [builder.bitcast(builder.gep(at, [start]), kind) for start in starts]


def _rows_apart(builder: Any, at: Any, apart: Any, n_rows: int) -> list[Any]:
    long = ir.IntType(64)
    return [builder.gep(at, [builder.mul(apart, long(r))]) for r in range(n_rows)]


def _place(context: Any, builder: Any, kind: Any, array: Any, start: Any) -> Any:
    """Return where a number of an array stands, counted from its first."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [start])


def _multiplied_add(builder: Any) -> Any:
    vector = ir.VectorType(ir.FloatType(), _LANES)
    return cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{_LANES}f32"
    )


def _summed(
    builder: Any, of_a: list[Any], a_k: Any, at_b: Any, b_k: Any, sums: list[Any], n: Any
) -> list[Any]:
    """Write the loop that adds Σ_k a[r, k] b[k, :], k below n, to sums held in registers.

    Args:
        builder: Where to write; it goes on behind the loop.
        of_a: Where each row of a begins.
        a_k: Numbers from one k of a to the next.
        at_b: Where b begins.
        b_k: Numbers from one k of b to the next.
        sums: Row by row, some registers each.
        n: At least one.
    """
    long, short = ir.IntType(64), ir.IntType(32)
    vector, n_parts = ir.VectorType(ir.FloatType(), _LANES), len(sums) // len(of_a)
    multiply_add = _multiplied_add(builder)
    before, loop = builder.block, builder.append_basic_block("products")
    builder.branch(loop)
    builder.position_at_end(loop)
    k, running = builder.phi(long), [builder.phi(vector) for _ in sums]
    k.add_incoming(long(0), before)
    at_k = builder.gep(at_b, [builder.mul(k, b_k)])
    of_b = [builder.load(v, align=4) for v in _vectors(builder, at_k, n_parts)]
    apart, nothing = builder.mul(k, a_k), ir.Constant(vector, ir.Undefined)
    everywhere = ir.Constant(ir.VectorType(short, _LANES), [0] * _LANES)
    factors = []
    for row in of_a:
        number = builder.load(builder.gep(row, [apart]))
        first = builder.insert_element(nothing, number, short(0))
        factors += [builder.shuffle_vector(first, nothing, everywhere)] * n_parts
    added = [
        builder.call(multiply_add, [factor, of_b[i % n_parts], running[i]])
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
    return added


def _block(n_rows: int, n_parts: int) -> Any:
    """Return ``block(a, a_at, a_row, a_k, b, b_at, b_k, s, s_at, s_row, c, c_at, c_row, n)``.

    c[r, :] = s[r, :] + Σ_k a[r, k] b[k, :] for ``n_rows`` rows and ``n_parts`` registers of
    columns, k below n. Of each array: where it begins, and how far apart its rows or its k are,
    counted in numbers.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_at, a_row, a_k, b, b_at, b_k, s, s_at, s_row, c, c_at, c_row, n = arguments

        def rows(argument: int, array: Any, start: Any, apart: Any) -> list[Any]:
            at = _place(context, builder, signature.args[argument], array, start)
            return _rows_apart(builder, at, apart, n_rows)

        at_b = _place(context, builder, signature.args[4], b, b_at)
        begin = [v for row in rows(7, s, s_at, s_row) for v in _vectors(builder, row, n_parts)]
        end = [v for row in rows(10, c, c_at, c_row) for v in _vectors(builder, row, n_parts)]
        sums = [builder.load(v, align=4) for v in begin]
        found = _summed(builder, rows(0, a, a_at, a_row), a_k, at_b, b_k, sums, n)
        for to, value in zip(end, found, strict=True):
            builder.store(value, to, align=4)
        return context.get_dummy_value()

    @intrinsic
    def block(  # type: ignore[no-untyped-def]
        _context, a, a_at, a_row, a_k, b, b_at, b_k, s, s_at, s_row, c, c_at, c_row, n
    ):
        count = types.int64
        of_a, of_b, of_rest = (a, *[count] * 3), (b, *[count] * 2), (s, *[count] * 2)
        return types.void(*of_a, *of_b, *of_rest, c, count, count, count), generate

    return block


def _pair_block(n_rows: int, n_parts: int) -> Any:
    """Return ``block(a, a_row, b, b_at, t, s, of_t, of_s, first, c, sums, column, width, n)``.

    c[e, :] = t[of_t[e], :] + s[of_s[e], :] + Σ_k a[e, k] b[k, :] for ``n_rows`` rows e from
    ``first`` on and ``n_parts`` registers of columns. ``sums`` has three rows: what c is compared
    with, and two to which its distances from that are added, and their squares. All rows but those
    of a are ``width`` numbers apart, and columns begin at ``column``.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_row, b, b_at, t, s, of_t, of_s, first, c, sums, column, width, n = arguments
        long = ir.IntType(64)

        def at(argument: int, array: Any, start: Any) -> Any:
            return _place(context, builder, signature.args[argument], array, start)

        def loaded(argument: int, array: Any, row: Any) -> list[Any]:
            start = builder.add(builder.mul(row, width), column)
            places = _vectors(builder, at(argument, array, start), n_parts)
            return [builder.load(v, align=4) for v in places]

        begin = []
        for r in range(n_rows):
            edge = builder.add(first, long(r))
            ends = [builder.load(at(5 + k, ends, edge)) for k, ends in ((1, of_t), (2, of_s))]
            both = loaded(4, t, ends[0]), loaded(5, s, ends[1])
            begin += [builder.fadd(one, other) for one, other in zip(*both, strict=True)]
        of_a = _rows_apart(builder, at(0, a, builder.mul(first, a_row)), a_row, n_rows)
        apart = long(n_parts * _LANES)
        found = _summed(builder, of_a, long(1), at(2, b, b_at), apart, begin, n)
        start = builder.add(builder.mul(first, width), column)
        for r, row in enumerate(_rows_apart(builder, at(9, c, start), width, n_rows)):
            for part, to in enumerate(_vectors(builder, row, n_parts)):
                builder.store(found[r * n_parts + part], to, align=4)
        multiply_add = _multiplied_add(builder)
        of_sums = [
            _vectors(builder, row, n_parts)
            for row in _rows_apart(builder, at(10, sums, column), width, 3)
        ]
        for part, places in enumerate(zip(*of_sums, strict=True)):
            compared, moved, squares = (builder.load(v, align=4) for v in places)
            for value in found[part::n_parts]:
                distance = builder.fsub(value, compared)
                moved = builder.fadd(moved, distance)
                squares = builder.call(multiply_add, [distance, distance, squares])
            builder.store(moved, places[1], align=4)
            builder.store(squares, places[2], align=4)
        return context.get_dummy_value()

    @intrinsic
    def block(  # type: ignore[no-untyped-def]
        _context, a, a_row, b, b_at, t, s, of_t, of_s, first, c, sums, column, width, n
    ):
        count = types.int64
        rows = a, count, b, count, t, s, of_t, of_s, count, c, sums
        return types.void(*rows, count, count, count), generate

    return block


_PARTS = COLUMNS // _LANES
_rows_of_a_block, _one_row = _block(ROWS, _PARTS), _block(1, _PARTS)
_rows_of_a_wide_block, _one_wide_row = _block(ROWS, _PARTS + 1), _block(1, _PARTS + 1)
_pairs_of_a_block, _one_pair = _pair_block(ROWS, _PARTS), _pair_block(1, _PARTS)
_pairs_of_a_wide_block, _one_wide_pair = _pair_block(ROWS, _PARTS + 1), _pair_block(1, _PARTS + 1)


@loop()
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


@loop()
def rows_times(rows: Any, weight: Any, begin: Any, out: Any) -> None:
    """out = begin + rows @ weight.T, with a weight laid out by `packed`.

    ``begin`` has a row for each, or a single one for all; it is not ``out``. Columns of ``rows``
    beyond those of the weight are left out. Panels of the weight may have the columns of the wider
    block, see `columns_of_a_panel`.
    """
    n_rows, apart_in = rows.shape
    n_in, columns, n_out = weight.shape[1], weight.shape[2], out.shape[1]
    apart = n_out if begin.shape[0] > 1 else 0
    for panel in range(weight.shape[0]):
        b, c = panel * n_in * columns, panel * columns
        # the last block takes some rows once more
        for row in range(0, n_rows, ROWS if n_rows >= ROWS else 1):
            r = min(row, n_rows - ROWS) if n_rows >= ROWS else row
            a, s, to = r * apart_in, r * apart + c, r * n_out + c
            if columns == COLUMNS:
                if n_rows >= ROWS:
                    _rows_of_a_block(
                        rows, a, apart_in, 1, weight, b, COLUMNS,
                        begin, s, apart, out, to, n_out, n_in,
                    )  # fmt: skip
                else:
                    _one_row(
                        rows, a, apart_in, 1, weight, b, COLUMNS,
                        begin, s, apart, out, to, n_out, n_in,
                    )  # fmt: skip
            elif n_rows >= ROWS:
                _rows_of_a_wide_block(
                    rows, a, apart_in, 1, weight, b, _WIDE,
                    begin, s, apart, out, to, n_out, n_in,
                )  # fmt: skip
            else:
                _one_wide_row(
                    rows, a, apart_in, 1, weight, b, _WIDE,
                    begin, s, apart, out, to, n_out, n_in,
                )  # fmt: skip


@loop()
def pair_rows(
    edges: Any,
    weight: Any,
    at_target: Any,
    at_source: Any,
    target: Any,
    source: Any,
    first: int,
    last: int,
    rows: Any,
    sums: Any,
) -> None:
    """rows_e = at_target[target_e] + at_source[source_e] + edges_e @ weight.T, and their sums.

    Args:
        edges: (n_edges, n_in).
        weight: laid out in panels, see `rows_times`.
        at_target: (n_targets, n_out).
        at_source: (n_sources, n_out).
        target: (n_edges,) row of ``at_target``.
        source: (n_edges,) row of ``at_source``.
        first: Edge where to begin.
        last: Edge where to end.
        rows: (n_edges, n_out), filled for these edges.
        sums: (3, n_out) what rows are compared with; their distances from it, added up, and the
            squares of these.
    """
    n_in, columns, width = weight.shape[1], weight.shape[2], rows.shape[1]
    apart, whole = edges.shape[1], first + (last - first) // ROWS * ROWS
    for panel in range(weight.shape[0]):
        b, c = panel * n_in * columns, panel * columns
        if columns == COLUMNS:
            for e in range(first, whole, ROWS):
                _pairs_of_a_block(
                    edges, apart, weight, b, at_target, at_source, target, source,
                    e, rows, sums, c, width, n_in,
                )  # fmt: skip
            for e in range(whole, last):
                _one_pair(
                    edges, apart, weight, b, at_target, at_source, target, source,
                    e, rows, sums, c, width, n_in,
                )  # fmt: skip
        else:
            for e in range(first, whole, ROWS):
                _pairs_of_a_wide_block(
                    edges, apart, weight, b, at_target, at_source, target, source,
                    e, rows, sums, c, width, n_in,
                )  # fmt: skip
            for e in range(whole, last):
                _one_wide_pair(
                    edges, apart, weight, b, at_target, at_source, target, source,
                    e, rows, sums, c, width, n_in,
                )  # fmt: skip


@loop()
def add_outer(left: Any, right: Any, out: Any) -> None:
    """Add left.T @ right to ``out``; columns of ``left`` are a multiple of `ROWS`.

    Those of ``out`` are a multiple of `columns_of_a_panel`; those of ``right`` beyond them are left
    out. Many rows a power of two apart fall into few places of a cache: such a tile is better made
    somewhat wider.
    """
    n, n_left = left.shape
    apart, n_out = right.shape[1], out.shape[1]
    if n == 0:
        return
    if n_out % COLUMNS:
        for c in range(0, n_out, _WIDE):
            for r in range(0, n_left, ROWS):
                at = r * n_out + c
                _rows_of_a_wide_block(
                    left, r, 1, n_left, right, c, apart, out, at, n_out, out, at, n_out, n
                )
        return
    for c in range(0, n_out, COLUMNS):
        for r in range(0, n_left, ROWS):
            at = r * n_out + c
            _rows_of_a_block(left, r, 1, n_left, right, c, apart, out, at, n_out, out, at, n_out, n)


@loop()
def tile_behind(offsets: Any, start: int, last_node: int, most: int) -> int:
    """Return the node behind a tile that begins at one; a node with many edges is one alone."""
    stop = start + 1
    while stop < last_node and offsets[stop + 1] - offsets[start] <= most:
        stop += 1
    return stop


@loop()
def most_edges(offsets: Any, first_node: int, last_node: int, most: int) -> int:
    """Return the edges of the node with the most of them, at least ``most``."""
    for node in range(first_node, last_node):
        most = max(most, offsets[node + 1] - offsets[node])
    return most
