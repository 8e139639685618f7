"""Hydrogens that the places of other atoms ask for, where a file lists none or a part of them.

Programs of crystallography, docking and drawing leave hydrogens out. A molecule without them has
carbons with one neighbour, or with two at an angle, as no molecule has them in such numbers.
"""

from typing import TYPE_CHECKING

import numpy as np

from atomlens.elements import NONMETALS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.structures.arrays import warnings_of
from atomlens.structures.distances import CrowdError, pairs_within

if TYPE_CHECKING:
    from ase import Atoms

_CARBON = 6
_BONDED = 1.25
"""Sums of covalent radii."""
_SINGLE = 0.93
"""Sums of covalent radii; an end of a molecule that is no CH3 is nearer: CO, CS, isocyanides."""
_STRAIGHT = 150.0
"""Degrees; carbons of triple and cumulated bonds have more."""
_MOST_ATOMS = 5000


def absent_hydrogens(atoms: "Atoms") -> str:
    """Return a sentence where carbons of a molecule lack hydrogens; ``""`` where none do.

    One carbene (CF2, an N-heterocyclic one) is none such; a CH3 without hydrogens is.
    """
    carbons = np.flatnonzero(atoms.numbers == _CARBON)
    if not len(carbons) or not 1 < len(atoms) <= _MOST_ATOMS or atoms.pbc.any():
        return ""
    if "smiles" in atoms.info or "bonding" in atoms.info:  # their hydrogens were added
        return ""
    if any("hydrogen" in said for said in warnings_of(atoms)):
        return ""
    radii = COVALENT_RADII[atoms.numbers]
    try:
        pairs = pairs_within(
            atoms.positions, np.zeros((3, 3)), atoms.pbc, 2 * _BONDED * float(radii.max())
        )
    except CrowdError:
        return ""
    bonded = pairs.distances < _BONDED * (radii[pairs.first] + radii[pairs.second])
    neighbours: dict[int, list[int]] = {}
    for i, j in zip(pairs.first[bonded].tolist(), pairs.second[bonded].tolist(), strict=True):
        neighbours.setdefault(i, []).append(j)
    n_ends, n_bent = 0, 0
    for i in carbons.tolist():
        around = neighbours.get(i, [])
        if not all(int(atoms.numbers[j]) in NONMETALS for j in around):
            continue
        vectors = atoms.positions[around] - atoms.positions[i]
        lengths = np.linalg.norm(vectors, axis=1)
        if len(around) == 1:
            is_single = lengths[0] > _SINGLE * (radii[i] + radii[around[0]])
            n_ends += bool(is_single and atoms.numbers[around[0]] != 1)
        elif len(around) == 2:
            cosine = float(vectors[0] @ vectors[1]) / float(lengths.prod())
            n_bent += bool(np.degrees(np.arccos(np.clip(cosine, -1, 1))) < _STRAIGHT)
    n = n_ends + n_bent
    if not n_ends and n_bent < 2:
        return ""
    return (
        f"{n} of its {len(carbons)} carbons have too few neighbours, so hydrogens seem to be "
        "missing; add them, since a model takes the atoms that are there"
    )
