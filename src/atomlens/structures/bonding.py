"""Which atoms of a molecule are bonded, where a SMILES, a MOL or an SDF file says so.

Models see atoms and distances alone; bonds are kept for those who draw a molecule, name its
groups or change it. They are those of ``info["smiles"]``, or travel in ``info["bonding"]``.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.elements.radii import COVALENT_RADII

if TYPE_CHECKING:
    from ase import Atoms

BONDING = "bonding"
"""Key in ``info``."""
LONGEST_SMILES = 3000
"""Letters; rdkit's time grows with the square of the length of what is no molecule."""
_FARTHEST = 1.8
"""Sums of covalent radii between two atoms that a file says are bonded."""


@dataclass(frozen=True, slots=True)
class Bonding:
    """An rdkit molecule with its hydrogens, in the order of the atoms, packed by rdkit."""

    packed: bytes

    def __repr__(self) -> str:
        return "Bonding(...)"


def keep_bonding(atoms: "Atoms", molecule: Any) -> None:
    """Note the bonds of a structure that was made from an rdkit molecule.

    Args:
        atoms: The structure.
        molecule: Hydrogens are atoms of it; the order is that of ``atoms``.
    """
    from rdkit import Chem

    plain = Chem.Mol(molecule)
    plain.RemoveAllConformers()
    atoms.info[BONDING] = Bonding(plain.ToBinary())


def bonding_of(atoms: "Atoms") -> Bonding | None:
    """Return what is known of the bonds of a structure, for a copy of its atoms."""
    kept = atoms.info.get(BONDING)
    if isinstance(kept, Bonding):
        return kept
    molecule = molecule_of(atoms)
    return None if molecule is None else Bonding(molecule.ToBinary())


def molecule_of(atoms: "Atoms") -> Any | None:
    """Return the rdkit molecule of a structure, atom for atom; None if its bonds are not known.

    Sanitized where its valences allow it. Bonds that are no longer those of the atoms, since the
    structure was changed, are not known either.
    """
    from rdkit import Chem, rdBase

    if atoms.pbc.any() or atoms.info.get("is_formula"):
        return None
    with rdBase.BlockLogs():
        molecule = _kept(atoms)
        if molecule is None or not _fits(molecule, atoms):
            return None
        whole = Chem.Mol(molecule)
        try:
            Chem.SanitizeMol(whole)
        except (ValueError, RuntimeError):
            molecule.UpdatePropertyCache(strict=False)
            Chem.FastFindRings(molecule)
            return molecule
    return whole


def _kept(atoms: "Atoms") -> Any | None:
    from rdkit import Chem

    kept, smiles = atoms.info.get(BONDING), atoms.info.get("smiles")
    if isinstance(kept, Bonding):
        packed: Any = kept.packed
        return Chem.Mol(packed)
    if not isinstance(smiles, str) or not smiles.isascii() or len(smiles) > LONGEST_SMILES:
        return None
    molecule = Chem.MolFromSmiles(smiles)
    return None if molecule is None else Chem.AddHs(molecule)


def _fits(molecule: Any, atoms: "Atoms") -> bool:
    """Say whether the atoms are those of the molecule, and those that are bonded are near."""
    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    if not np.array_equal(numbers, atoms.numbers):
        return False
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    first, second = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    lengths = np.linalg.norm(atoms.positions[first] - atoms.positions[second], axis=1)
    radii = COVALENT_RADII[atoms.numbers]
    return bool((lengths < _FARTHEST * (radii[first] + radii[second])).all())
