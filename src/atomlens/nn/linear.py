"""Linear maps with the initialisation of the published SCANN code."""

from torch import nn


def glorot_linear(n_in: int, n_out: int) -> nn.Linear:
    """Return a linear map with Glorot-uniform weights and zero bias."""
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
