"""Compiled loops over atoms that make something of what they have heard, there and back."""

import numpy as np

from atomlens.models.cgcnn.row_kernels import APART, compiled
from atomlens.nn.loops import Floats, falling


@compiled
def softened_forward(nodes: Floats, added: Floats, softened: Floats) -> None:
    """softened = softplus(nodes + added), all (n_nodes, n_features)."""
    one, two, zero = np.float32(1.0), np.float32(2.0), np.float32(0.0)
    third, fifth, seventh = np.float32(1 / 3), np.float32(1 / 5), np.float32(1 / 7)
    ninth, eleventh, thirteenth = np.float32(1 / 9), np.float32(1 / 11), np.float32(1 / 13)
    for i in range(nodes.shape[0]):
        for f in range(nodes.shape[1]):
            x = nodes[i, f] + added[i, f]
            t = falling(abs(x))
            s = t / (two + t)
            q = s * s
            low = (one + q * third) + q * q * (fifth + q * seventh)
            high = (ninth + q * eleventh) + q * q * thirteenth
            value = max(x, zero) + two * s * (low + q * q * q * q * high)
            softened[i, f] = value if x == x else x


@compiled
def softened_backward(nodes: Floats, added: Floats, gradient: Floats, d_both: Floats) -> None:
    """Fill the gradient of `softened_forward` on either of what is added."""
    one, zero = np.float32(1.0), np.float32(0.0)
    for i in range(nodes.shape[0]):
        for f in range(nodes.shape[1]):
            x = nodes[i, f] + added[i, f]
            t = falling(abs(x))
            d_both[i, f] = gradient[i, f] * (one if x >= zero else t) / (one + t)


@compiled
def _head_shares(heard: Floats, i: int, own: Floats) -> None:
    """Fill scratch row 0 with the largest number over the heads, 1 with Σ_m exp(h_m - largest)."""
    _, n_heads, width = heard.shape
    for f in range(width):
        own[f], own[APART + f] = heard[i, 0, f], np.float32(0.0)
    for head in range(1, n_heads):
        for f in range(width):
            own[f] = max(own[f], heard[i, head, f])
    for head in range(n_heads):
        for f in range(width):
            own[APART + f] += falling(own[f] - heard[i, head, f])


@compiled
def combined_forward(heard: Floats, combined: Floats) -> None:
    """combined = Σ_m softmax_m(h_m) h_m, of ``heard`` (n_nodes, n_heads, n_features)."""
    n_nodes, n_heads, width = heard.shape
    own = np.empty(3 * APART, dtype=np.float32)
    for i in range(n_nodes):
        _head_shares(heard, i, own)
        for f in range(width):
            own[2 * APART + f] = np.float32(0.0)
        for head in range(n_heads):
            for f in range(width):
                h = heard[i, head, f]
                own[2 * APART + f] += h * falling(own[f] - h)
        for f in range(width):
            combined[i, f] = own[2 * APART + f] / own[APART + f]


@compiled
def combined_backward(heard: Floats, combined: Floats, gradient: Floats, d_heard: Floats) -> None:
    """Fill the gradient on ``heard`` of `combined_forward`, given that on its result."""
    n_nodes, n_heads, width = heard.shape
    one = np.float32(1.0)
    own = np.empty(4 * APART, dtype=np.float32)
    for i in range(n_nodes):
        _head_shares(heard, i, own)
        for f in range(width):
            own[2 * APART + f] = gradient[i, f] / own[APART + f]
            own[3 * APART + f] = one - combined[i, f]
        for head in range(n_heads):
            for f in range(width):
                h = heard[i, head, f]
                share = falling(own[f] - h) * own[2 * APART + f]
                d_heard[i, head, f] = share * (h + own[3 * APART + f])
