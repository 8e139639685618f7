"""Linear maps: when the gradient of a bias comes from a kernel."""

import pytest
import torch
from torch import nn

from atomlens.nn.linear import MIN_ROWS, RowLinear, glorot_linear


def test_on_a_cpu_it_is_an_ordinary_linear_map() -> None:
    layer = glorot_linear(5, 16)
    plain = nn.Linear(5, 16)
    plain.load_state_dict(layer.state_dict())
    rows = torch.randn(MIN_ROWS, 5)
    assert torch.equal(layer(rows), plain(rows))


@pytest.mark.parametrize(
    ("n_out", "n_rows", "dtype", "expected"),
    [
        (32, MIN_ROWS, torch.float32, True),
        (32, MIN_ROWS - 1, torch.float32, False),
        (32, MIN_ROWS, torch.float64, False),
        (5, MIN_ROWS, torch.float32, False),
        (48, MIN_ROWS, torch.float32, False),
    ],
)
def test_which_sums_the_kernel_takes(
    monkeypatch: pytest.MonkeyPatch, n_out: int, n_rows: int, dtype: torch.dtype, expected: bool
) -> None:
    monkeypatch.setattr("atomlens.nn.linear.has_triton", lambda: True)
    layer = RowLinear(3, n_out).to(dtype)
    rows = torch.zeros(n_rows, 3, dtype=dtype)
    assert layer._sums_by_kernel(rows) is expected
    with torch.no_grad():
        assert not layer._sums_by_kernel(rows)
    with torch.autocast("cpu"):
        assert not layer._sums_by_kernel(rows)
    layer.requires_grad_(False)
    assert not layer._sums_by_kernel(rows)
