"""Distances and solid angles of pairs as features: the geometry that SCANN+ and lens begin with."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from atomlens.models.scann.rows import in_rows, usable
from atomlens.models.scann.tiles import laid_out
from atomlens.nn.basis import GaussianBasis
from atomlens.nn.edges import EDGES_OF_A_PART, worth_parts
from atomlens.nn.pieces import as_arrays

Basis = tuple[GaussianBasis, nn.Linear]
"""What spreads numbers out, and what maps that."""


def embedded_geometry(
    by_distance: Basis,
    by_angle: Basis,
    distances: Float[Tensor, " n_edges"],
    solid_angles: Float[Tensor, " n_edges"],
) -> Float[Tensor, "n_edges n_features"]:
    """Return embedded distances (Å) times embedded solid angles (sr), of very many part by part.

    Each is SiLU(W basis(x) + b).
    """
    if not worth_parts(len(distances)) or distances.device.type != "cpu":
        return _embedded(by_distance, by_angle, distances, solid_angles)
    found: Tensor | None = None
    for start in range(0, len(distances), EDGES_OF_A_PART):
        own = slice(start, start + EDGES_OF_A_PART)
        rows = _embedded(by_distance, by_angle, distances[own], solid_angles[own])
        if found is None:
            found = rows.new_empty(len(distances), rows.shape[1])
        found[own] = rows
    assert found is not None
    return found


def _embedded(
    by_distance: Basis,
    by_angle: Basis,
    distances: Float[Tensor, " n_edges"],
    solid_angles: Float[Tensor, " n_edges"],
) -> Float[Tensor, "n_edges n_features"]:
    parts, numbers = (by_distance, by_angle), (distances, solid_angles)
    width = by_distance[1].out_features
    if usable(width, *numbers) and not any(n.requires_grad for n in numbers):
        centers = [basis.centers.to(torch.float32) for basis, _ in parts]
        widths = tuple(float(basis.width) for basis, _ in parts)
        learned = [t for _, linear in parts for t in (linear.weight, linear.bias)]
        made: Tensor = _Embedded.apply(widths, *numbers, *centers, *learned)  # type: ignore[no-untyped-call]
        return made
    one, other = (
        functional.silu(linear(basis(n))) for (basis, linear), n in zip(parts, numbers, strict=True)
    )
    return torch.mul(one, other)


class _Embedded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, widths: tuple[float, float], *tensors: Tensor) -> Tensor:
        from atomlens.models.scann.geometry_kernels import embed_forward

        out = tensors[0].new_empty(len(tensors[0]), len(tensors[4]))
        given, (result,) = _given(widths, tensors), as_arrays(out)
        in_rows(len(out), lambda a, b: embed_forward(*given, a, b, result))
        ctx.save_for_backward(*tensors)
        ctx.widths = widths
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        from atomlens.models.scann.geometry_kernels import embed_backward

        tensors = ctx.saved_tensors
        given, n_columns = _given(ctx.widths, tensors), tensors[4].shape[1]
        d_weights = [gradient.new_zeros(_wide(w).shape) for w in (tensors[4], tensors[6])]
        d_biases = [torch.zeros_like(b) for b in (tensors[5], tensors[7])]
        embed_backward(*given, *as_arrays(gradient), as_arrays(*d_weights), as_arrays(*d_biases))
        first, second = (w[:, :n_columns] for w in d_weights)
        return *[None] * 5, first, d_biases[0], second, d_biases[1]


def _given(widths: tuple[float, float], tensors: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """Return what the loops take."""
    distances, angles, centers, other_centers, weight, bias, other_weight, other_bias = tensors
    return (
        as_arrays(distances, angles),
        as_arrays(centers, other_centers),
        widths,
        (laid_out(_wide(weight)), laid_out(_wide(other_weight))),
        as_arrays(bias.unsqueeze(0), other_bias.unsqueeze(0)),
    )


def _wide(weight: Float[Tensor, "n_out n_in"]) -> Float[Tensor, "n_out n_columns"]:
    """Return a weight with columns of zeros, for blocks."""
    from atomlens.nn.blocks import COLUMNS

    return functional.pad(weight.detach(), (0, -weight.shape[1] % COLUMNS))
