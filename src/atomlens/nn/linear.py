"""Linear maps with the initialisations of the published codes."""

import torch
from torch import nn


def glorot_linear(n_in: int, n_out: int) -> nn.Linear:
    """Return a linear map with Glorot-uniform weights and zero bias."""
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def element_embedding(n_elements: int, n_features: int) -> nn.Embedding:
    """Return one learned row an element: a linear map of one-hot vectors, begun as torch does."""
    bound = n_elements**-0.5
    rows = torch.empty(n_elements, n_features).uniform_(-bound, bound)
    return nn.Embedding(n_elements, n_features, _weight=rows)
