"""Products in compiled loops, for every number of rows and either width of a panel."""

from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("numba")
blocks = import_module("atomlens.nn.blocks")
pytestmark = pytest.mark.skipif(not blocks.fits(blocks.COLUMNS), reason="a processor without AVX2")

WIDTHS = (blocks.COLUMNS, blocks._WIDE)
N_IN = 11


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def in_panels(weight: np.ndarray, columns: int) -> np.ndarray:
    """A weight (n_out, n_in) as the loops read it."""
    n_out, n_in = weight.shape
    parts = weight.reshape(n_out // columns, columns, n_in).transpose(0, 2, 1)
    return np.ascontiguousarray(parts)


def test_a_panel_has_the_columns_that_pad_least() -> None:
    one, wide = WIDTHS
    assert [blocks.columns_of_a_panel(n) for n in (one, 2 * one, wide, 3 * wide)] == [
        one, one, wide, wide,
    ]  # fmt: skip
    assert blocks.columns_of_a_panel(one + 1) == wide
    assert blocks.columns_of_a_panel(2 * wide) == one


@pytest.mark.parametrize("columns", WIDTHS)
def test_rows_times_is_the_product(columns: int) -> None:
    weight = numbers(0, 2 * columns, N_IN)
    for n_rows in range(2 * blocks.ROWS + 2):
        rows, begin = numbers(1, n_rows, N_IN), numbers(2, n_rows, 2 * columns)
        out = np.full_like(begin, np.nan)
        blocks.rows_times(rows, in_panels(weight, columns), begin, out)
        np.testing.assert_allclose(out, begin + rows @ weight.T, atol=1e-5)


@pytest.mark.parametrize("columns", WIDTHS)
def test_add_outer_adds_the_product(columns: int) -> None:
    for n in range(5):
        left, right = numbers(0, n, 2 * blocks.ROWS), numbers(1, n, 3 * columns + 5)
        out = numbers(2, 2 * blocks.ROWS, 3 * columns)
        expected = out + left.T @ right[:, : 3 * columns]
        blocks.add_outer(left, right, out)
        np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize("columns", WIDTHS)
def test_rows_of_pairs_and_their_sums(columns: int) -> None:
    weight = numbers(0, 2 * columns, N_IN)
    at_target, at_source = numbers(1, 4, 2 * columns), numbers(2, 6, 2 * columns)
    for n in range(2 * blocks.ROWS + 2):
        draw = np.random.default_rng(n)
        target, source = draw.integers(0, 4, n + 3), draw.integers(0, 6, n + 3)
        edges, rows = numbers(3, n + 3, N_IN), np.full((n + 3, 2 * columns), np.nan, np.float32)
        sums = np.zeros((3, 2 * columns), np.float32)
        sums[0] = numbers(4, 2 * columns)
        panels = in_panels(weight, columns)
        blocks.pair_rows(edges, panels, at_target, at_source, target, source, 2, n + 2, rows, sums)
        expected = at_target[target] + at_source[source] + edges @ weight.T
        np.testing.assert_allclose(rows[2 : n + 2], expected[2 : n + 2], atol=2e-5)
        assert np.isnan(rows[:2]).all()
        assert np.isnan(rows[n + 2 :]).all()
        apart = expected[2 : n + 2] - sums[0]
        np.testing.assert_allclose(sums[1], apart.sum(axis=0), atol=1e-3)
        np.testing.assert_allclose(sums[2], (apart**2).sum(axis=0), rtol=1e-4, atol=1e-3)
