"""Layers of CGCNN and AE-CGCNN that are trained on a CPU, in compiled loops; see `row_kernels`.

Each is one function of atoms, edges, the map of both and the batch normalisation behind it. What it
keeps for the way back is the row of every edge and some sums of every atom. Any number of threads
gives the same numbers whenever it is asked: each has atoms of its own, and sums of its own for
weights and sources, which are added up in order.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from atomlens.nn.basis import GaussianBasis
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.norm import RowNorm
from atomlens.nn.pieces import as_arrays, in_pieces

MIN_EDGES = 512
"""Below this many edges the plain path costs no more, and spares loading the compiled code."""
WIDEST = 1_024
"""Columns of a row for which the loops have room."""


@cache
def _can_multiply() -> bool:
    """Tell whether there is a compiler, and a processor for which it makes products."""
    if find_spec("numba") is None:
        return False
    from atomlens.nn.blocks import COLUMNS, fits

    return fits(COLUMNS)


def usable(
    nodes: Float[Tensor, "n_nodes _"],
    edges: Float[Tensor, "n_edges _"],
    layout: EdgeLayout,
    linear: nn.Linear,
    norm: RowNorm,
) -> bool:
    """Tell whether the loops apply: while a layer is trained in 32 bits on a CPU."""
    numbers = [nodes, edges, linear.weight, norm.weight]
    presence = layout.presence
    return (
        norm.training
        and len(edges) >= max(MIN_EDGES, 2)
        and len(linear.weight) <= WIDEST
        and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in numbers)
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and (presence is None or not presence.requires_grad)
        and not torch.is_autocast_enabled("cpu")
        and torch.get_float32_matmul_precision() == "highest"
        and _can_multiply()
    )


def gated(
    nodes: Float[Tensor, "n_nodes n_node"],
    edges: Float[Tensor, "n_edges n_edge"],
    layout: EdgeLayout,
    linear: nn.Linear,
    norm: RowNorm,
) -> Float[Tensor, "n_nodes n_features"]:
    """Return Σ_j sigmoid(gate_ij) softplus(core_ij) of the normalised rows of the map."""
    return _recorded(_Gated, (layout, norm.eps), nodes, edges, linear, norm)


def attended(
    nodes: Float[Tensor, "n_nodes n_node"],
    edges: Float[Tensor, "n_edges n_edge"],
    layout: EdgeLayout,
    linear: nn.Linear,
    norm: RowNorm,
    n_joint: int,
) -> Float[Tensor, "n_nodes n_columns"]:
    """Return Σ_j S_ij ReLU(core_ij) of the normalised rows, S the softmax of their first half.

    ``n_joint`` heads share one softmax.
    """
    return _recorded(_Attended, (layout, norm.eps, n_joint), nodes, edges, linear, norm)


def combined(
    heard: Float[Tensor, "n_nodes n_heads n_features"],
) -> Float[Tensor, "n_nodes n_features"]:
    """Return Σ_m softmax_m(h_m) h_m over the heads of what `attended` gives."""
    found: Tensor = _Combined.apply(heard)  # type: ignore[no-untyped-call]
    return found


def softened(
    nodes: Float[Tensor, "n_nodes n_features"], added: Float[Tensor, "n_nodes n_features"]
) -> Float[Tensor, "n_nodes n_features"]:
    """Return softplus(nodes + added)."""
    found: Tensor = _Softened.apply(nodes, added)  # type: ignore[no-untyped-call]
    return found


def basis_of(
    basis: GaussianBasis, distances: Float[Tensor, " n_edges"]
) -> Float[Tensor, "n_edges n_centers"] | None:
    """Return the Gaussians of distances where the loops make them: a model is trained on them."""
    if not (
        basis.training
        and len(distances) >= MIN_EDGES
        and distances.device.type == "cpu"
        and distances.dtype == torch.float32
        and not distances.requires_grad
        and _can_multiply()
    ):
        return None
    from atomlens.models.cgcnn.row_kernels import gaussians

    rows = distances.new_empty(len(distances), len(basis.centers))
    given, centers, found = as_arrays(distances, basis.centers.float(), rows)
    in_pieces(
        np.arange(len(given) + 1),
        lambda first, last: gaussians(given[first:last], centers, basis.width, found[first:last]),
    )
    return rows


def changed(
    nodes: Float[Tensor, "n_nodes n_node"],
    edges: Float[Tensor, "n_edges n_edge"],
    layout: EdgeLayout,
    linear: nn.Linear,
    norm: RowNorm,
    *,
    residual: bool,
) -> Float[Tensor, "n_edges n_edge"]:
    """Return ReLU of the normalised rows, with ``residual`` added to the edges."""
    return _recorded(_Changed, (layout, norm.eps, residual), nodes, edges, linear, norm)


def _recorded(
    function: type[torch.autograd.Function],
    settings: tuple[Any, ...],
    nodes: Tensor,
    edges: Tensor,
    linear: nn.Linear,
    norm: RowNorm,
) -> Tensor:
    tensors = nodes, edges, linear.weight, linear.bias, norm.weight, norm.bias
    found: Tensor
    found, mean, variance = function.apply(*settings, *tensors)  # type: ignore[no-untyped-call]
    norm.remember(mean, variance, len(edges))
    return found


class _Rows(NamedTuple):
    """One row an edge, and what the normalisation does to its columns."""

    rows: Float[Tensor, "n_edges n_padded"]
    inverse: NDArray[np.float64]
    """(n_columns,) 1/σ"""
    norm: NDArray[np.float32]
    """(3, n_columns) mean, scale and shift"""


def _laid_out(
    weight: Tensor, first: int, n: int, *, turned: bool = False, asked: bool = True
) -> NDArray[np.float32]:
    """Return ``n`` columns of a weight, or the transposed ones, as the loops multiply with them.

    No panels unless ``asked``.
    """
    from atomlens.models.cgcnn.row_kernels import lay_out
    from atomlens.nn.blocks import columns_of_a_panel

    n_in, n_out = (len(weight), n) if turned else (n, len(weight))
    columns = columns_of_a_panel(n_out)
    panels = np.empty((-(-n_out // columns) if asked else 0, n_in, columns), dtype=np.float32)
    lay_out(*as_arrays(weight), first, n, turned, panels)
    return panels


def _rows_of(
    layout: EdgeLayout,
    eps: float,
    nodes: Tensor,
    edges: Tensor,
    weight: Tensor,
    bias: Tensor,
    scale: Tensor,
    shift: Tensor,
) -> tuple[_Rows, Tensor, Tensor]:
    """Return the rows of a map, and mean and variance of their columns."""
    from atomlens.models.cgcnn.row_kernels import pair_forward
    from atomlens.nn.blocks import rows_times

    n_node, n_columns = nodes.shape[1], len(weight)
    firsts = (0, n_node), (n_node, n_node), (2 * n_node, edges.shape[1])
    of_target, of_source, of_edge = (_laid_out(weight, *own) for own in firsts)
    n_padded = of_edge.shape[0] * of_edge.shape[2]
    begin = np.zeros((2, 1, n_padded), dtype=np.float32)
    begin[0, 0, :n_columns] = as_arrays(bias)[0]
    rows, at_ends = edges.new_empty(len(edges), n_padded), nodes.new_empty(2, len(nodes), n_padded)
    found, (at_target, at_source) = as_arrays(rows)[0], as_arrays(at_ends)[0]
    given, own_edges = as_arrays(nodes, edges)
    ends, (offsets,) = as_arrays(layout.target, layout.source), as_arrays(layout.offsets)

    def of_ends(first: int, last: int) -> None:
        own = slice(first, last)
        rows_times(given[own], of_target, begin[0], at_target[own])
        rows_times(given[own], of_source, begin[1], at_source[own])

    in_pieces(offsets, of_ends)
    parts: dict[int, tuple[int, NDArray[np.float64]]] = {}

    def work(first: int, last: int) -> None:
        sums, own = np.empty((2, n_columns)), (int(offsets[first]), int(offsets[last]))
        pair_forward(at_target, at_source, own_edges, of_edge, *ends, *own, found, sums)
        parts[first] = own[1] - own[0], sums

    in_pieces(offsets, work)
    mean, squares = _together(parts, offsets, found)
    variance = squares / len(edges)
    inverse = 1 / np.sqrt(variance + eps)
    gain, offset = as_arrays(scale, shift)
    norm = np.empty((3, n_columns), dtype=np.float32)
    norm[0], norm[1], norm[2] = mean, inverse * gain, offset
    return _Rows(rows, inverse, norm), torch.from_numpy(mean), torch.from_numpy(variance)


def _together(
    parts: dict[int, tuple[int, NDArray[np.float64]]],
    offsets: NDArray[np.int64],
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and sum of squared distances from it of all rows, given those of some targets.

    Chan, Golub and LeVeque, The American Statistician 37, 242 (1983), with the first row of each
    part for where its sums begin.
    """
    n_columns = next(iter(parts.values()))[1].shape[1]
    n, mean, squares = 0, np.zeros(n_columns), np.zeros(n_columns)
    for first in sorted(parts):
        more, (moved, apart) = parts[first]
        if more:
            own = moved / more
            step = rows[offsets[first], :n_columns] + own - mean
            squares += apart - moved * own
            if n:
                squares += step * step * (n * more / (n + more))
            n += more
            mean += step * (more / n)
    return mean, squares


def _back(
    layout: EdgeLayout,
    of_columns: tuple[NDArray[np.float64], NDArray[np.float64]],
    given: _Rows,
    tensors: list[Tensor],
    needed: tuple[bool, ...],
    loop: Callable[..., None],
) -> tuple[Tensor | None, ...]:
    """Return the gradients on atoms, edges, weight, bias, and scale and shift of the norm.

    Args:
        layout: The edges.
        of_columns: Sums over all edges of the gradient on normalised rows, and of it times
            (row - mean), in 64 bits.
        given: What the way there has made.
        tensors: Atoms, edges, weight, bias, scale and shift.
        needed: Which of the six gradients is asked for.
        loop: ``loop(norm, weight, source, offsets, first, last, first_source, *results)`` goes
            back over the edges of some targets.
    """
    from atomlens.models.cgcnn.row_kernels import ends_backward, turn_back
    from atomlens.nn.blocks import ROWS

    nodes, edges, weight, _, scale, _ = tensors
    at_all, at_apart = of_columns
    of_nodes, of_edges, of_weight, of_bias = needed[:4]
    n_node, n_edge = nodes.shape[1], edges.shape[1]
    n_columns, n_padded = len(weight), given.rows.shape[1]
    slope = given.inverse * as_arrays(scale)[0] / len(edges)
    norm = np.empty((5, n_columns), dtype=np.float32)
    norm[:3], norm[3] = given.norm, slope * at_all
    norm[4] = slope * given.inverse**2 * at_apart
    by_edge = _laid_out(weight, 2 * n_node, n_edge, turned=True, asked=of_edges)
    d_target = nodes.new_zeros(len(nodes), n_padded)
    d_edges = torch.empty_like(edges) if of_edges else edges[:0]
    n_rows = -(-n_edge // ROWS) * ROWS if of_weight else 0
    source, offsets, on_targets, on_edges = as_arrays(
        layout.source, layout.offsets, d_target, d_edges
    )
    parts: dict[int, tuple[int, Tensor, NDArray[np.float32]]] = {}

    def work(first: int, last: int) -> None:
        own = source[offsets[first] : offsets[last]]
        least, most = (int(own.min()), int(own.max()) + 1) if len(own) else (0, 0)
        d_source = nodes.new_zeros(most - least, n_padded)
        d_weight = np.zeros((n_rows, n_padded), dtype=np.float32)
        results = on_targets, *as_arrays(d_source), d_weight, on_edges
        loop(norm, by_edge, source, offsets, first, last, least, *results)
        parts[first] = least, d_source, d_weight

    in_pieces(offsets, work)
    least, d_source, d_weight = parts.pop(0)
    if len(d_source) < len(nodes):
        d_source = functional.pad(d_source, (0, 0, least, len(nodes) - least - len(d_source)))
    for first in sorted(parts):
        least, on_sources, on_weight = parts[first]
        d_source[least : least + len(on_sources)] += on_sources
        d_weight += on_weight
    by_target = _laid_out(weight, 0, n_node, turned=True, asked=of_nodes)
    by_source = _laid_out(weight, n_node, n_node, turned=True, asked=of_nodes)
    d_nodes = nodes.new_empty(len(nodes), by_target.shape[0] * by_target.shape[2])
    padded = functional.pad(nodes, (0, -n_node % ROWS)) if of_weight else nodes[:, :0]
    of_ends = as_arrays(d_target, d_source, padded, d_nodes)
    of_weights: dict[int, NDArray[np.float32]] = {}

    def hand_on(first: int, last: int) -> None:
        on_target, on_source, heard, found = (array[first:last] for array in of_ends)
        of_weights[first] = np.zeros((2, heard.shape[1], n_padded), dtype=np.float32)
        ends_backward(on_target, on_source, by_target, by_source, heard, of_weights[first], found)

    d_map = None
    if of_nodes or of_weight:
        in_pieces(offsets, hand_on)
    if of_weight:
        d_map = torch.empty_like(weight)
        on_ends = of_weights.pop(0)
        for first in sorted(of_weights):
            on_ends += of_weights[first]
        begins = 0, n_node, 2 * n_node
        for begin, n, own in zip(
            begins, (n_node, n_node, n_edge), (*on_ends, d_weight), strict=True
        ):
            turn_back(own, begin, n, *as_arrays(d_map))
    return (
        d_nodes[:, :n_node] if of_nodes else None,
        d_edges if of_edges else None,
        d_map,
        d_target[:, :n_columns].sum(dim=0) if of_bias else None,
        torch.from_numpy((given.inverse * at_apart).astype(np.float32)),
        torch.from_numpy(at_all.astype(np.float32)),
    )


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, layout: EdgeLayout, eps: float, *tensors: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        from atomlens.models.cgcnn.gated_kernels import gated_forward

        given, mean, variance = _rows_of(layout, eps, *tensors)
        rows, n_features = given.rows, given.norm.shape[1] // 2
        sums = rows.new_empty(layout.n_nodes, n_features)
        slopes = rows.new_empty(layout.n_nodes, 4, n_features)
        presence, (offsets,) = _presence(layout, rows), as_arrays(layout.offsets)
        arrays = (*as_arrays(rows), given.norm, presence, offsets)
        results = as_arrays(sums, slopes)
        in_pieces(offsets, lambda first, last: gated_forward(*arrays, first, last, *results))
        _let_nan_through(given.norm, sums)
        ctx.save_for_backward(*tensors, rows, slopes)
        ctx.layout, ctx.norm, ctx.presence = layout, given[1:], presence
        ctx.mark_non_differentiable(mean, variance)
        return sums, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        from atomlens.models.cgcnn.gated_kernels import gated_backward, weighed_sums

        *tensors, rows, slopes = ctx.saved_tensors
        all_rows, edges, own, of_atoms = as_arrays(rows, tensors[1], gradient, slopes)
        on_rows = np.empty((4, own.shape[1]))
        weighed_sums(of_atoms, own, on_rows)
        of_columns = on_rows[::2].ravel(), on_rows[1::2].ravel()

        def loop(norm: Any, weight: Any, *rest: Any) -> None:
            gated_backward(all_rows, norm, ctx.presence, edges, weight, own, *rest)

        given = _Rows(rows, *ctx.norm)
        needed = ctx.needs_input_grad[2:]
        return None, None, *_back(ctx.layout, of_columns, given, tensors, needed, loop)


class _Attended(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, layout: EdgeLayout, eps: float, n_joint: int, *tensors: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        from atomlens.models.cgcnn.attended_kernels import attended_forward

        given, mean, variance = _rows_of(layout, eps, *tensors)
        rows, n_columns = given.rows, given.norm.shape[1] // 2
        sums = rows.new_empty(layout.n_nodes, n_columns)
        slopes = rows.new_empty(layout.n_nodes, 7, n_columns)
        presence, (offsets,) = _presence(layout, rows), as_arrays(layout.offsets)
        arrays = (*as_arrays(rows), given.norm, presence, offsets, n_joint)
        results = as_arrays(sums, slopes)
        in_pieces(offsets, lambda first, last: attended_forward(*arrays, first, last, *results))
        _let_nan_through(given.norm, sums)
        ctx.save_for_backward(*tensors, rows, slopes, sums)
        ctx.layout, ctx.norm, ctx.presence, ctx.n_joint = layout, given[1:], presence, n_joint
        ctx.mark_non_differentiable(mean, variance)
        return sums, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        from atomlens.models.cgcnn.attended_kernels import attended_backward, attended_sums

        *tensors, rows, slopes, sums = ctx.saved_tensors
        level, found = torch.empty_like(sums), np.empty((4, sums.shape[1]))
        all_rows, edges, own, of_atoms, heard, levels = as_arrays(
            rows, tensors[1], gradient, slopes, sums, level
        )
        attended_sums(of_atoms, heard, own, ctx.n_joint, levels, found)
        of_columns = found[::2].ravel(), found[1::2].ravel()

        def loop(norm: Any, weight: Any, *rest: Any) -> None:
            attended_backward(
                all_rows, norm, ctx.presence, edges, weight, own, levels, of_atoms, *rest
            )

        given = _Rows(rows, *ctx.norm)
        needed = ctx.needs_input_grad[3:]
        return None, None, None, *_back(ctx.layout, of_columns, given, tensors, needed, loop)


class _Softened(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, added: Tensor) -> Tensor:
        from atomlens.models.cgcnn.node_kernels import softened_forward

        softened = torch.empty_like(added)
        softened_forward(*as_arrays(nodes, added, softened))
        ctx.save_for_backward(nodes, added)
        return softened

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        from atomlens.models.cgcnn.node_kernels import softened_backward

        d_both = torch.empty_like(gradient)
        softened_backward(*as_arrays(*ctx.saved_tensors, gradient, d_both))
        return d_both, d_both


class _Combined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, heard: Tensor) -> Tensor:
        from atomlens.models.cgcnn.node_kernels import combined_forward

        combined = torch.empty_like(heard[:, 0])
        combined_forward(*as_arrays(heard, combined))
        ctx.save_for_backward(heard, combined)
        return combined

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        from atomlens.models.cgcnn.node_kernels import combined_backward

        heard, combined = ctx.saved_tensors
        d_heard = torch.empty_like(heard)
        combined_backward(*as_arrays(heard, combined, gradient, d_heard))
        return d_heard


class _Changed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, layout: EdgeLayout, eps: float, residual: bool, *tensors: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        from atomlens.models.cgcnn.changed_kernels import changed_forward

        given, mean, variance = _rows_of(layout, eps, *tensors)
        edges = tensors[1]
        changed = torch.empty_like(edges)
        before, results = edges if residual else edges[:0], as_arrays(changed)
        arrays = as_arrays(given.rows)[0], given.norm, *as_arrays(before)
        offsets = layout.offsets.numpy()

        def work(first: int, last: int) -> None:
            changed_forward(*arrays, offsets[first], offsets[last], *results)

        in_pieces(offsets, work)
        ctx.save_for_backward(*tensors, given.rows)
        ctx.layout, ctx.norm, ctx.residual = layout, given[1:], residual
        ctx.mark_non_differentiable(mean, variance)
        return changed, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        from atomlens.models.cgcnn.changed_kernels import changed_backward, changed_sums

        *tensors, rows = ctx.saved_tensors
        all_rows, edges, own = as_arrays(rows, tensors[1], gradient)
        offsets = ctx.layout.offsets.numpy()
        parts: dict[int, NDArray[np.float64]] = {}

        def work(first: int, last: int) -> None:
            found = parts[first] = np.empty((2, edges.shape[1]))
            changed_sums(all_rows, ctx.norm[1], own, offsets[first], offsets[last], found)

        in_pieces(offsets, work)
        on_normed, apart = np.sum([parts[first] for first in sorted(parts)], axis=0)

        def loop(norm: Any, weight: Any, *rest: Any) -> None:
            changed_backward(all_rows, norm, edges, weight, own, ctx.residual, *rest)

        given, of_columns = _Rows(rows, *ctx.norm), (on_normed, apart)
        needed = ctx.needs_input_grad[3:]
        return None, None, None, *_back(ctx.layout, of_columns, given, tensors, needed, loop)


def _presence(layout: EdgeLayout, like: Tensor) -> NDArray[np.float32]:
    heard = like.new_empty(0) if layout.presence is None else layout.presence.to(like.dtype)
    return as_arrays(heard)[0]


def _let_nan_through(norm: NDArray[np.float32], sums: Tensor) -> None:
    """Make columns NaN whose mean or spread is none: minima and maxima in loops may drop it."""
    bad = np.flatnonzero(~np.isfinite(norm).all(axis=0))
    if len(bad):
        sums[:, torch.from_numpy(bad % sums.shape[1])] = torch.nan
