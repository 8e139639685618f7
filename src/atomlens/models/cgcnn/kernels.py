"""The gates of CGCNN for the CPU: what every atom hears, in one pass over its edges.

Written with one tensor operation a step, two rows of an edge are read and written some ten times a
layer. Here they are read once and go into the sum of their atom at once. Without gradients only;
`atomlens.models.cgcnn.layers` says when.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import kept

_Floats = NDArray[np.float32]
_compiled: Callable[..., Callable[[Any], Any]] = partial(
    kept, nogil=True, error_model="numpy", fastmath={"contract"}
)


@_compiled(inline="never")
def falling(x: Any) -> Any:
    """Return exp(-x) for x >= 0 to about 1e-7, in a form that becomes vector code."""
    x = -min(x, np.float32(87.0))
    n = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - n * np.float32(0.693359375)
    r = r - n * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1.0)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@_compiled()
def gated_sums(
    at_target: _Floats,
    at_source: _Floats,
    geometry: _Floats,
    source: NDArray[np.int64],
    offsets: NDArray[np.int64],
    presence: _Floats,
    first_node: int,
    last_node: int,
    sums: _Floats,
) -> None:
    """sums_i = Σ_j sigmoid(gate_ij) softplus(core_ij); (gate, core) = target_i + source_j + e_ij.

    Args:
        at_target: (n_nodes, 2 n_features) what an atom adds to its own edges.
        at_source: (n_nodes, 2 n_features) what it adds to those of its neighbours.
        geometry: (n_edges, 2 n_features) what the distance adds.
        source: (n_edges,) row of ``at_source``.
        offsets: (n_nodes + 1,) where the edges of each node begin.
        presence: (n_edges,) share of a message that is heard, or (0,).
        first_node: Where to begin.
        last_node: Where to end.
        sums: (n_nodes, n_features) rows ``first_node:last_node`` are filled.
    """
    width = sums.shape[1]
    one, two, zero = np.float32(1.0), np.float32(2.0), np.float32(0.0)
    third, fifth, seventh = np.float32(1 / 3), np.float32(1 / 5), np.float32(1 / 7)
    ninth, eleventh, thirteenth = np.float32(1 / 9), np.float32(1 / 11), np.float32(1 / 13)
    for i in range(first_node, last_node):
        for f in range(width):
            sums[i, f] = zero
        for e in range(offsets[i], offsets[i + 1]):
            j = source[e]
            share = presence[e] if presence.shape[0] else one
            for f in range(width):
                gate = at_target[i, f] + at_source[j, f] + geometry[e, f]
                core = at_target[i, f + width] + at_source[j, f + width] + geometry[e, f + width]
                fallen = falling(abs(gate))
                opened = (one if gate >= zero else fallen) / (one + fallen)
                fallen = falling(abs(core))
                s = fallen / (two + fallen)  # log(1 + t) = 2 artanh(t / (2 + t)), at most 1/3
                q = s * s
                series = eleventh + q * thirteenth
                series = ninth + q * series
                series = seventh + q * series
                series = fifth + q * series
                series = third + q * series
                series = one + q * series
                message = opened * (max(core, zero) + two * s * series)
                # minimum and maximum may drop a NaN, which must be heard
                sums[i, f] += share * (message if gate == gate and core == core else gate + core)
