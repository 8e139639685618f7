"""Compiled loops that embed distances and solid angles, some pairs at a time, there and back."""

import numpy as np

from atomlens.nn.blocks import add_outer, rows_times
from atomlens.nn.loops import REORDERED, Floats, exp, loop

PAIRS_OF_A_TILE = 64

_FARTHEST = np.float32(-60.0)
"""Gaussians beyond this exponent are zero, as `nn.basis` has it."""


@loop(fastmath=REORDERED)
def _spread_out(values: Floats, centers: Floats, width: float, rows: Floats) -> None:
    """Fill a row of Gaussians for each value; columns behind the last centre stay."""
    narrow = np.float32(1.0 / width)
    for r in range(values.shape[0]):
        for c in range(centers.shape[0]):
            scaled = (values[r] - centers[c]) * narrow
            exponent = -scaled * scaled
            rows[r, c] = exp(exponent) if exponent > _FARTHEST else np.float32(0.0)


@loop(fastmath=REORDERED)
def embed_forward(
    numbers: tuple[Floats, Floats],
    centers: tuple[Floats, Floats],
    widths: tuple[float, float],
    weights: tuple[Floats, Floats],
    biases: tuple[Floats, Floats],
    first: int,
    last: int,
    out: Floats,
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
                out[start + r, f] = a * b / ((one + exp(-a)) * (one + exp(-b)))


@loop(fastmath=REORDERED)
def embed_backward(
    numbers: tuple[Floats, Floats],
    centers: tuple[Floats, Floats],
    widths: tuple[float, float],
    weights: tuple[Floats, Floats],
    biases: tuple[Floats, Floats],
    gradient: Floats,
    d_weights: tuple[Floats, Floats],
    d_biases: tuple[Floats, Floats],
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
                open_a, open_b = one / (one + exp(-a)), one / (one + exp(-b))
                d_a = d * b * open_b * open_a * (one + a * (one - open_a))
                d_b = d * a * open_a * open_b * (one + b * (one - open_b))
                mapped[0, r, f], mapped[1, r, f] = d_a, d_b
                d_biases[0][f] += d_a
                d_biases[1][f] += d_b
        for i in range(2):
            add_outer(mapped[i, :n], basis[i, :n], d_weights[i])
