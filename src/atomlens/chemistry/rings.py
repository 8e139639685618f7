"""Which atoms of a molecule stand in a ring, and which are aromatic."""

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import find_bonds
from atomlens.chemistry.hybridisation import perceive_molecule
from atomlens.structures.arrays import Structure


def find_rings(structure: Structure) -> NDArray[np.float32]:
    """Return two flags of every atom: in a ring, and aromatic.

    Bonds are found from the positions of the atoms, their orders and aromaticity by RDKit.
    Where no bond orders make a neutral molecule, the rings are those of the bonds, and nothing
    is aromatic. SCANN's authors take the flags from Open Babel, which may disagree on rare
    molecules.

    Args:
        structure: A molecule; the periodic directions of a crystal are not looked at.

    Returns:
        (n_atoms, 2), 0 or 1.
    """
    from rdkit import Chem

    bonds = find_bonds(structure)
    molecule = perceive_molecule(structure.atomic_numbers, bonds, orders=True)
    if molecule is None:
        molecule = perceive_molecule(structure.atomic_numbers, bonds, orders=False)
        Chem.FastFindRings(molecule)
    flags = [[atom.IsInRing(), atom.GetIsAromatic()] for atom in molecule.GetAtoms()]
    return np.array(flags, dtype=np.float32).reshape(-1, 2)
