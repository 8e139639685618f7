"""What an atom is in a framework: its kind of element, and its place in the bond graph.

Bonds are those of `bonds.py`, also across the faces of a periodic cell. A ring that closes through
a metal says little about the linker, so that rings are those of the other bonds alone.
"""

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import Bonds, find_framework_bonds, is_metal
from atomlens.structures.arrays import Structure

ELEMENT_CLASSES = ("metal", "C", "N", "O", "H", "halogen", "other")
"""Kinds of elements; ``other`` are the remaining nonmetals and metalloids."""
GRAPH_CLASSES = ("metal node", "ring", "chain", "leaf", "isolated")
"""Places in the bond graph, in the order in which they are decided, `graph_classes`."""

LARGEST_RING = 12
"""Atoms; the rings of linkers and of guests are smaller, the pores are larger."""

_HALOGENS = (9, 17, 35, 53, 85)

Place = tuple[int, int, int, int]
"""An atom and the lattice translation of its image."""


def element_classes(structure: Structure) -> NDArray[np.str_]:
    """Return the kind of element of every atom, (n_atoms,) of ``ELEMENT_CLASSES``."""
    numbers = structure.atomic_numbers
    conditions = [
        is_metal(numbers),
        *(numbers == z for z in (6, 7, 8, 1)),
        np.isin(numbers, _HALOGENS),
    ]
    return np.select(conditions, ELEMENT_CLASSES[:6], default=ELEMENT_CLASSES[6])


def graph_classes(structure: Structure, largest_ring: int = LARGEST_RING) -> NDArray[np.str_]:
    """Return the place of every atom in the bond graph, (n_atoms,) of ``GRAPH_CLASSES``.

    ``metal node``: a metal, or an atom that bridges metals (bonded to two or more, and to
    nothing else but hydrogen). ``ring``: in a ring of at most ``largest_ring`` nonmetals.
    ``leaf``: one bond, those to metals counted. ``isolated``: none. ``chain``: all others.
    """
    numbers = structure.atomic_numbers
    bonds, metal = find_framework_bonds(structure), is_metal(numbers)
    first, second = bonds.ends.T
    n = len(numbers)
    n_bonds = np.bincount(first, minlength=n)
    n_metals = np.bincount(first, weights=metal[second], minlength=n)
    n_heavy = np.bincount(first, weights=~metal[second] & (numbers[second] != 1), minlength=n)
    organic = ~metal[first] & ~metal[second]
    linker = Bonds(bonds.ends[organic], bonds.images[organic])
    conditions = [
        metal | ((n_metals >= 2) & (n_heavy == 0)),
        atoms_in_rings(n, linker, largest_ring),
        n_bonds >= 2,
        n_bonds == 1,
    ]
    return np.select(conditions, GRAPH_CLASSES[:4], default=GRAPH_CLASSES[4])


def atoms_in_rings(n_atoms: int, bonds: Bonds, largest: int = LARGEST_RING) -> NDArray[np.bool_]:
    """Return which atoms stand in a ring of at most so many atoms, (n_atoms,).

    A ring comes back to the same image of its first atom: a chain that leaves the cell on one
    side and enters on the other is none, however few atoms the cell has.
    """
    neighbors = _cut_branches(_neighbor_lists(n_atoms, bonds))
    found = np.zeros(n_atoms, dtype=np.bool_)
    for atom in range(n_atoms):
        for end in neighbors[atom]:
            if found[atom]:
                break
            ring = _smallest_ring(neighbors, (atom, 0, 0, 0), end, largest)
            found[[place[0] for place in ring]] = True
    return found


def _neighbor_lists(n_atoms: int, bonds: Bonds) -> list[list[Place]]:
    neighbors: list[list[Place]] = [[] for _ in range(n_atoms)]
    for (first, second), (a, b, c) in zip(bonds.ends.tolist(), bonds.images.tolist(), strict=True):
        neighbors[first].append((second, a, b, c))
    return neighbors


def _cut_branches(neighbors: list[list[Place]]) -> list[list[Place]]:
    """Take away atoms with a single bond, again and again: no ring goes through them."""
    ends = [atom for atom, near in enumerate(neighbors) if len(near) == 1]
    while ends:
        atom = ends.pop()
        if len(neighbors[atom]) != 1:
            continue
        (inner, *_) = neighbors[atom].pop()
        neighbors[inner] = [place for place in neighbors[inner] if place[0] != atom]
        if len(neighbors[inner]) == 1:
            ends.append(inner)
    return neighbors


def _smallest_ring(
    neighbors: list[list[Place]], start: Place, end: Place, largest: int
) -> list[Place]:
    """Return the smallest ring through the bond from start to end; empty if it is too large."""
    before: dict[Place, Place] = {start: start}
    front = [start]
    for _ in range(largest - 1):
        reached = []
        for place in front:
            atom, *image = place
            for other, a, b, c in neighbors[atom]:
                there = (other, image[0] + a, image[1] + b, image[2] + c)
                if there in before or (place == start and there == end):
                    continue
                before[there] = place
                if there == end:
                    return _path_back(before, there)
                reached.append(there)
        front = reached
    return []


def _path_back(before: dict[Place, Place], end: Place) -> list[Place]:
    path = [end]
    while before[path[-1]] != path[-1]:
        path.append(before[path[-1]])
    return path
