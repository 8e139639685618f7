"""The gates of CGCNN for the CPU: what every atom hears, in one pass over its edges.

Written with one tensor operation a step, two rows of an edge are read and written some ten times a
layer. Here they are read once and go into the sum of their atom at once. Without gradients only;
`atomlens.models.cgcnn.layers` says when.
"""

import numpy as np
from numpy.typing import NDArray

from atomlens.nn.loops import Floats, falling, loop


@loop(fastmath={"contract"})
def gated_sums(
    at_target: Floats,
    at_source: Floats,
    geometry: Floats,
    source: NDArray[np.int64],
    offsets: NDArray[np.int64],
    presence: Floats,
    first_node: int,
    last_node: int,
    sums: Floats,
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
