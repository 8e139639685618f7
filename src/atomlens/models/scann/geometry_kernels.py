"""Compiled loops that embed distances and solid angles, some pairs at a time, there and back."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import kept
from atomlens.models.scann.kernels import _exp
from atomlens.nn.blocks import add_outer, rows_times

PAIRS_OF_A_TILE = 64

_Floats = NDArray[np.float32]
_compiled: Callable[..., Callable[[Any], Any]] = partial(kept, nogil=True, error_model="numpy")
_REASSOCIATE = {"reassoc", "contract", "nsz", "arcp"}
_FARTHEST = np.float32(-60.0)
"""Gaussians beyond this exponent are zero, as `nn.basis` has it."""


@_compiled(fastmath=_REASSOCIATE)
def _spread_out(values: _Floats, centers: _Floats, width: float, rows: _Floats) -> None:
    """Fill a row of Gaussians for each value; columns behind the last centre stay."""
    narrow = np.float32(1.0 / width)
    for r in range(values.shape[0]):
        for c in range(centers.shape[0]):
            scaled = (values[r] - centers[c]) * narrow
            exponent = -scaled * scaled
            rows[r, c] = _exp(exponent) if exponent > _FARTHEST else np.float32(0.0)


@_compiled(fastmath=_REASSOCIATE)
def embed_forward(
    numbers: tuple[_Floats, _Floats],
    centers: tuple[_Floats, _Floats],
    widths: tuple[float, float],
    weights: tuple[_Floats, _Floats],
    biases: tuple[_Floats, _Floats],
    first: int,
    last: int,
    out: _Floats,
) -> None:
    """out = SiLU(W basis(distance) + b) ⊙ SiLU(W' basis'(angle) + b').

    Args:
        numbers: distances and solid angles (n_pairs,).
        centers: of both bases.
        widths: of both bases.
        weights: both, laid out by `blocks.packed` with columns of zeros behind those of the basis.
        biases: (1, n_features) each.
        first: the first pair.
        last: the one behind the last.
        out: (n_pairs, n_features).
    """
    basis = np.zeros((2, PAIRS_OF_A_TILE, weights[0].shape[1]), dtype=np.float32)
    mapped = np.empty((2, PAIRS_OF_A_TILE, out.shape[1]), dtype=np.float32)
    one = np.float32(1.0)
    for start in range(first, last, PAIRS_OF_A_TILE):
        stop = min(start + PAIRS_OF_A_TILE, last)
        n = stop - start
        for i in range(2):
            _spread_out(numbers[i][start:stop], centers[i], widths[i], basis[i])
            rows_times(basis[i, :n], weights[i], biases[i], mapped[i, :n])
        for r in range(n):
            for f in range(out.shape[1]):
                a, b = mapped[0, r, f], mapped[1, r, f]
                out[start + r, f] = a * b / ((one + _exp(-a)) * (one + _exp(-b)))


@_compiled(fastmath=_REASSOCIATE)
def embed_backward(
    numbers: tuple[_Floats, _Floats],
    centers: tuple[_Floats, _Floats],
    widths: tuple[float, float],
    weights: tuple[_Floats, _Floats],
    biases: tuple[_Floats, _Floats],
    gradient: _Floats,
    d_weights: tuple[_Floats, _Floats],
    d_biases: tuple[_Floats, _Floats],
) -> None:
    """Add the gradients of `embed_forward` on weights (n_features, columns) and biases."""
    basis = np.zeros((2, PAIRS_OF_A_TILE, weights[0].shape[1]), dtype=np.float32)
    mapped = np.empty((2, PAIRS_OF_A_TILE, gradient.shape[1]), dtype=np.float32)
    one = np.float32(1.0)
    for start in range(0, gradient.shape[0], PAIRS_OF_A_TILE):
        stop = min(start + PAIRS_OF_A_TILE, gradient.shape[0])
        n = stop - start
        for i in range(2):
            _spread_out(numbers[i][start:stop], centers[i], widths[i], basis[i])
            rows_times(basis[i, :n], weights[i], biases[i], mapped[i, :n])
        for r in range(n):
            for f in range(gradient.shape[1]):
                a, b, d = mapped[0, r, f], mapped[1, r, f], gradient[start + r, f]
                open_a, open_b = one / (one + _exp(-a)), one / (one + _exp(-b))
                d_a = d * b * open_b * open_a * (one + a * (one - open_a))
                d_b = d * a * open_a * open_b * (one + b * (one - open_b))
                mapped[0, r, f], mapped[1, r, f] = d_a, d_b
                d_biases[0][f] += d_a
                d_biases[1][f] += d_b
        for i in range(2):
            add_outer(mapped[i, :n], basis[i, :n], d_weights[i])
