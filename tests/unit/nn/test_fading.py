"""Neighbours fade out at each threshold of the builder: no factor of zero, and no step anywhere."""

import pytest
import torch

from atomlens.nn.fading import face_fading, rise

THRESHOLDS = {"smallest_angle": 0.4, "smallest_weight": 0.2, "cutoff": 4.0}
INSIDE = {"solid_angles": 2.0, "edge_weights": 1.0, "distances": 1.5}
"""Of a neighbour that is well inside of all of them: sr, a share, Å."""

EACH = [("solid_angles", 0.4, 0.8), ("edge_weights", 0.2, 0.4), ("distances", 4.0, 3.5)]
"""What falls to nearly zero, where it does, and where it is whole again."""


def faded(**changed: float) -> float:
    """Return the factor of one edge."""
    values = {
        name: torch.tensor([value], dtype=torch.float64)
        for name, value in (INSIDE | changed).items()
    }
    return face_fading(**values, **THRESHOLDS).exp().item()


def test_a_neighbour_well_inside_of_all_thresholds_is_whole() -> None:
    assert faded() == 1.0


@pytest.mark.parametrize(("name", "end", "whole"), EACH)
def test_a_neighbour_fades_to_nearly_nothing_at_each_threshold(
    name: str, end: float, whole: float
) -> None:
    assert faded(**{name: whole}) == pytest.approx(1.0)
    assert faded(**{name: (end + whole) / 2}) == pytest.approx(0.5)
    beyond = end + (end - whole) / 10
    assert faded(**{name: end}) == faded(**{name: beyond}) == pytest.approx(1e-8)


def test_the_rise_is_flat_where_it_begins_and_where_it_ends() -> None:
    x = torch.tensor([2.0, 3.0, 4.0], dtype=torch.float64, requires_grad=True)
    rise(x, 2.0, 4.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.75, 0.0]
