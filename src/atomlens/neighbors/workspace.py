"""Settings and arrays that the compiled Voronoi loop hands around."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.neighbors.angles import Directions, empty_directions
from atomlens.neighbors.cells import Cell, empty_cell
from atomlens.neighbors.images import Candidates, Images, empty_candidates, empty_images
from atomlens.neighbors.lattice import Lattice, empty_lattice


class Rules(NamedTuple):
    """Settings of the tessellation as the compiled code sees them."""

    min_solid_angle: float
    min_weight: float
    ghost_distance: float
    search_radius: float
    """Å; 0: as far as needed. Else farther atoms are not seen, and open faces are dropped."""


class Workspace(NamedTuple):
    """Arrays that are used again for every atom."""

    lattice: Lattice
    images: Images
    candidates: Candidates
    start: Cell
    cell: Cell
    room: Directions
    scene: NDArray[np.float64]
    """(6,) Å: radius within which most cells are closed; radius beyond which no atom matters;
    x, y, z of the ghosts' centre and their radius, 0 if cells may stay open"""
    chosen: NDArray[np.int32]
    """(capacity, 4) faces that become edges, by distance; translation behind each face"""
    vectors: NDArray[np.float64]
    """(capacity, 4) vector and distance to the neighbour behind each face"""


def empty_workspace(n_atoms: int, n_images: int, capacity: int) -> Workspace:
    """Return room for so many atoms a structure, images, and vertices or faces of a cell."""
    return Workspace(
        empty_lattice(),
        empty_images(n_atoms, n_images),
        empty_candidates(n_images),
        empty_cell(capacity),
        empty_cell(capacity),
        empty_directions(capacity),
        np.zeros(6),
        np.zeros((capacity, 4), np.int32),
        np.zeros((capacity, 4)),
    )
