"""Sums over the rows of a tall matrix on CUDA, as a Triton kernel.

What the gradient of a bias is. torch gives few programs to so few columns; here each program takes
some hundred rows, and what it finds is added atomically, so that last bits differ from run to run.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

TILE, TILES = 32, 8
"""Rows read together, and how often a program reads."""


@triton.jit
def _column_sums(
    rows, sums, n_rows, WIDTH: tl.constexpr, TILE: tl.constexpr, TILES: tl.constexpr
):  # fmt: skip
    columns = tl.arange(0, WIDTH)
    total = tl.zeros((WIDTH,), tl.float32)
    for tile in range(TILES):
        row = (tl.program_id(0) * TILES + tile) * TILE + tl.arange(0, TILE)
        at = row.to(tl.int64)[:, None] * WIDTH + columns[None, :]
        total += tl.sum(tl.load(rows + at, mask=(row < n_rows)[:, None], other=0.0), axis=0)
    tl.atomic_add(sums + columns, total, sem="relaxed")


def column_sums(rows: Float[Tensor, "n_rows n_columns"]) -> Float[Tensor, " n_columns"]:
    """Add up the rows; the number of columns must be a power of two."""
    rows = rows.contiguous()
    n_rows, width = rows.shape
    sums = torch.zeros(width, device=rows.device)
    grid = (triton.cdiv(n_rows, TILE * TILES),)
    if n_rows:
        _column_sums[grid](rows, sums, n_rows, WIDTH=width, TILE=TILE, TILES=TILES)
    return sums
