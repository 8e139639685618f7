"""Molecules in periodic boxes: what plane-wave codes write down for a molecule that stands alone.

To a graph such a box is a crystal: cells end at the images, and cutoffs are those of crystals.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import REACH, bond_matrix, near_pairs
from atomlens.elements.radii import COVALENT_RADII
from atomlens.structures.arrays import Structure
from atomlens.structures.distance_doubts import contact_radii

FARTHEST = 10.0
"""Å; what is farther away than that is alone, whatever a graph could reach."""


class Parts(NamedTuple):
    """What hangs together in a structure, where nothing of it goes on without end."""

    labels: NDArray[np.int64]
    """(n_atoms,) number of the part that each atom belongs to"""
    positions: NDArray[np.float64]
    """(n_atoms, 3) Å, each part in one piece"""

    @property
    def n_parts(self) -> int:
        """How many there are."""
        return int(self.labels.max(initial=-1)) + 1


class Near(NamedTuple):
    """Pairs of atoms that are near each other, each one twice, from either end."""

    first: NDArray[np.int64]
    """(n_pairs,)"""
    second: NDArray[np.int64]
    """(n_pairs,)"""
    distances: NDArray[np.float64]
    """(n_pairs,), Å"""
    images: NDArray[np.int64]
    """(n_pairs, 3) lattice translation of the second atom"""


def finite_parts(
    structure: Structure, radii: NDArray[np.float64], near: Near | None = None
) -> Parts | None:
    """Return the parts of a structure; None if one is connected to its own periodic image.

    Args:
        structure: It may repeat in any number of directions.
        radii: (n_atoms,) Å; atoms are connected that are nearer than the sum of two of these.
        near: Its pairs, if somebody has found all that are so near; looked for if None.
    """
    n = len(structure.atomic_numbers)
    if near is None:
        found = near_pairs(structure.positions, structure.cell, structure.pbc, radii)
        near = Near(found.first, found.second, found.distances, found.images)
    kept = near.distances < radii[near.first] + radii[near.second]
    ones, others, moved = near.first[kept], near.second[kept], near.images[kept]
    if bool((ones == others).any()):
        return None
    order = np.argsort(ones, kind="stable")
    ends, images = others[order].tolist(), moved[order].astype(np.int64)
    starts = np.searchsorted(ones[order], np.arange(n + 1)).tolist()
    labels, moves = np.full(n, -1, dtype=np.int64), np.zeros((n, 3), dtype=np.int64)
    n_parts = 0
    for first in range(n):
        if labels[first] >= 0:
            continue
        labels[first], waiting = n_parts, [first]
        while waiting:
            atom = waiting.pop()
            for k in range(starts[atom], starts[atom + 1]):
                other, move = ends[k], moves[atom] + images[k]
                if labels[other] < 0:
                    labels[other], moves[other] = n_parts, move
                    waiting.append(other)
                elif (moves[other] != move).any():
                    return None
        n_parts += 1
    return Parts(labels, structure.positions + moves @ structure.cell)


_LONGEST = 1.6
"""Sums of covalent radii; no bond is longer, and hydrogen bonds of water have 1.9."""
_MOST_IN_MOLECULES = 1000


def n_molecules(structure: Structure) -> int:
    """Return of how many molecules a structure consists that does not repeat.

    Lone atoms (of a stretched bond, noble gases) are none; 1 of very large structures.
    """
    n = len(structure.atomic_numbers)
    if n < _FEWEST_IN_TWO or n > _MOST_IN_MOLECULES or structure.pbc.any() or structure.is_formula:
        return 1
    bonds = np.argwhere(bond_matrix(structure.atomic_numbers, structure.positions, _LONGEST))
    neighbours: dict[int, list[int]] = {}
    for atom, other in bonds.tolist():
        neighbours.setdefault(atom, []).append(other)
    n_found = 0
    while neighbours:  # those of a molecule are taken out with it
        n_found += 1
        _, waiting = neighbours.popitem()
        while waiting:
            waiting += neighbours.pop(waiting.pop(), ())
    return max(1, n_found)


_FEWEST_IN_TWO = 4
"""Atoms of two molecules."""


def touching_radii(numbers: NDArray[np.integer], reach: float) -> NDArray[np.float64]:
    """(n_atoms,) Å; two atoms nearer than the sum of these stand in one molecule, or one crystal.

    Args:
        numbers: (n_atoms,) elements.
        reach: Å; see `without_box`.
    """
    found: NDArray[np.float64] = np.maximum(contact_radii()[numbers], min(reach, FARTHEST) / 2)
    return found


def bonded_radii(numbers: NDArray[np.integer], reach: float) -> NDArray[np.float64]:
    """(n_atoms,) Å; two atoms nearer than the sum of these are bonded, and so touch.

    Args:
        numbers: (n_atoms,) elements.
        reach: Å; see `without_box`.
    """
    found: NDArray[np.float64] = np.minimum(
        REACH * COVALENT_RADII[numbers], touching_radii(numbers, reach)
    )
    return found


def without_box(
    structure: Structure, reach: float, near: Near | None = None, *, is_dense: bool = False
) -> tuple[Structure, str]:
    """Return a molecule without the periodic box that it stands alone in, and what was done.

    Alone is what has no periodic image within ``reach``, nor within touch: van der Waals radii
    and a bit. Whatever else repeats stays as it is: crystals of molecules, chains, slabs, and
    boxes of several molecules, whose places beside each other mean nothing. The sentence then
    says what to do where a molecule was meant; it is empty where none can have been.

    Args:
        structure: One that repeats in some direction.
        reach: Å; atoms of a molecule that are farther apart are no neighbours in its graph.
        near: All pairs nearer than the sum of their `touching_radii`, if somebody has found them;
            of `bonded_radii` for what is dense.
        is_dense: It is known that touching atoms connect it to its own periodic image.
    """
    numbers = structure.atomic_numbers
    touching = touching_radii(numbers, reach)
    parts = None if is_dense else finite_parts(structure, touching, near)
    if parts is None:
        by_bonds = finite_parts(structure, bonded_radii(numbers, reach), near)
        if by_bonds is None or by_bonds.n_parts == len(numbers):
            return structure, ""
        return structure, (
            "its molecules are near each other or their periodic images, as in a crystal; for a "
            "molecule alone leave the cell out (pbc off)"
        )
    if parts.n_parts > 1:
        return structure, (
            f"its periodic box holds {parts.n_parts} molecules apart from each other; give each by "
            "itself, without the cell (pbc off)"
        )
    alone = structure._replace(
        positions=parts.positions,
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=np.bool_),
    )
    return alone, (
        "it stands alone in a periodic box, which was left out; the training data had molecules"
    )
