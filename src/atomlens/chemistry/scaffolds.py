"""What a molecule has in common with its relatives: its rings and the chains between them.

The framework of G. W. Bemis and M. A. Murcko, J. Med. Chem. 39, 2887 (1996). Of a SMILES it is
rdkit's, which keeps atoms that are bound to it twice (the oxygen of a ketone in a ring); of
coordinates alone, which do not say which bonds are double, it is elements and bonds.
"""

import numpy as np

from atomlens.chemistry.bonds import find_bonds
from atomlens.chemistry.hybridisation import perceive_molecule
from atomlens.structures.arrays import Structure
from atomlens.structures.smiles import parse_smiles, unlabel


def scaffold_of_smiles(smiles: str) -> str | None:
    """Return the scaffold as SMILES without handedness; empty without a ring, None of no SMILES."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.Scaffolds import MurckoScaffold

    molecule = parse_smiles(smiles.strip())
    if molecule is None:
        return None
    with rdBase.BlockLogs():
        unlabel(molecule)
        Chem.RemoveStereochemistry(molecule)
        found: str = MurckoScaffold.MurckoScaffoldSmiles(mol=molecule, includeChirality=False)
    return found


def scaffold_of_structure(structure: Structure) -> str:
    """Return the scaffold of a molecule of which atoms and places are known; empty without a ring.

    It is written as a SMILES of single bonds and no hydrogens, and means elements and bonds only.
    """
    from rdkit import Chem, rdBase

    heavy = structure.atomic_numbers > 1
    bonded = np.zeros((len(heavy), len(heavy)), dtype=np.bool_)
    first, second = find_bonds(structure).T
    bonded[first, second] = True
    bonded &= heavy & heavy[:, None]
    while (ends := bonded.any(axis=1) & (bonded.sum(axis=1) == 1)).any():
        bonded[ends] = False
        bonded[:, ends] = False
    kept = np.flatnonzero(bonded.any(axis=1))
    bonds = np.argwhere(bonded[np.ix_(kept, kept)])
    molecule = perceive_molecule(structure.atomic_numbers[kept], bonds, orders=False)
    with rdBase.BlockLogs():
        molecule.UpdatePropertyCache(strict=False)
        found: str = Chem.MolToSmiles(molecule)
    return found
