"""What makes attention over Voronoi neighbours smooth: neighbours that fade out at thresholds."""

from jaxtyping import Float
from torch import Tensor

_FAINTEST = 1e-8
"""Factor at a threshold: small enough for a step of the answer that rounding hides."""


def face_fading(
    solid_angles: Float[Tensor, " n_edges"],
    edge_weights: Float[Tensor, " n_edges"],
    distances: Float[Tensor, " n_edges"],
    *,
    smallest_angle: float,
    smallest_weight: float,
    cutoff: float,
) -> Float[Tensor, " n_edges"]:
    """Return what to add to the scores of an attention so that no neighbour appears at once.

    The logarithm of a factor that is 1 well inside all thresholds of the `voronoi` builder and
    falls to nearly zero at each of them: between two times and one time the smallest angle and
    weight, and over the last eighth of the cutoff.

    Args:
        solid_angles: Of the faces, sr.
        edge_weights: Solid angle over the largest of the target.
        distances: Å
        smallest_angle: The builder's ``min_solid_angle``, sr.
        smallest_weight: The builder's ``min_weight``.
        cutoff: The builder's, Å.
    """
    factor = rise(solid_angles, smallest_angle, 2 * smallest_angle)
    factor = factor * rise(edge_weights, smallest_weight, 2 * smallest_weight)
    factor = factor * rise(-distances, -cutoff, -0.875 * cutoff)
    return factor.clamp(min=_FAINTEST).log()


def rise(values: Float[Tensor, " n"], start: float, stop: float) -> Float[Tensor, " n"]:
    """0 up to ``start``, 1 from ``stop`` on, smooth in between (3x² - 2x³)."""
    x = ((values - start) / (stop - start)).clamp(0, 1)
    return x * x * (3 - 2 * x)
