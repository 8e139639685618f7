"""Hybridisation of carbon atoms from positions alone.

Bonds are those of `bonds.py`. RDKit finds the bond orders of a neutral molecule from them (Kim and
Kim, Bull. Korean Chem. Soc. 36, 1769, 2015); where it cannot, and in crystals, the number of
bonded atoms decides.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import find_bonds
from atomlens.structures.arrays import Structure
from atomlens.structures.records import quiet

Method = Literal["rdkit", "coordination"]

_LARGEST_FOR_RDKIT = 200
"""Atoms; the search for bond orders in larger molecules may take minutes."""
_BY_COORDINATION = {4: "sp3", 3: "sp2", 2: "sp"}
_BY_RDKIT = {"SP3": "sp3", "SP2": "sp2", "SP": "sp"}


class Hybridisation(NamedTuple):
    """Kinds of the atoms of a structure."""

    kinds: tuple[str, ...]
    """(n_atoms,) ``sp3``, ``sp2`` or ``sp`` for carbon; empty for others and other carbons."""
    method: Method
    """How they were really found."""


def find_hybridisation(structure: Structure, method: Method = "rdkit") -> Hybridisation:
    """Return the hybridisation of every carbon atom.

    ``rdkit`` falls back to ``coordination`` (carbon with 4, 3 or 2 bonded atoms is sp3, sp2 or
    sp) for crystals, charged or strange molecules and those of more than 200 atoms.
    """
    bonds = find_bonds(structure)
    n = len(structure.atomic_numbers)
    if method == "rdkit" and not structure.pbc.any():
        perceived = _from_rdkit(structure.atomic_numbers, bonds)
        if perceived is not None:
            return Hybridisation(perceived, "rdkit")
    counts = np.bincount(bonds[:, 0], minlength=n)
    kinds = tuple(
        _BY_COORDINATION.get(count, "") if z == 6 else ""
        for z, count in zip(structure.atomic_numbers.tolist(), counts.tolist(), strict=True)
    )
    return Hybridisation(kinds, "coordination")


def _from_rdkit(
    atomic_numbers: NDArray[np.uint8], bonds: NDArray[np.int64]
) -> tuple[str, ...] | None:
    """Return the kinds, or None if no bond orders make a neutral molecule."""
    molecule = perceive_molecule(atomic_numbers, bonds, orders=True)
    if molecule is None:
        return None
    return tuple(
        _BY_RDKIT.get(str(atom.GetHybridization()), "") if atom.GetAtomicNum() == 6 else ""
        for atom in molecule.GetAtoms()
    )


def perceive_molecule(
    atomic_numbers: NDArray[np.uint8], bonds: NDArray[np.int64], *, orders: bool
) -> Any:
    """Return the RDKit molecule of these bonds, (n, 2), all single or with their orders.

    None if no bond orders make a neutral molecule, or it has more than 200 atoms.
    """
    if orders and len(atomic_numbers) > _LARGEST_FOR_RDKIT:
        return None
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDetermineBonds

    molecule = Chem.RWMol()
    for z in atomic_numbers.tolist():
        atom = Chem.Atom(z)
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
    for first, second in bonds[bonds[:, 0] < bonds[:, 1]].tolist():
        molecule.AddBond(first, second, Chem.BondType.SINGLE)
    if not orders:
        return molecule
    with rdBase.BlockLogs(), quiet():
        try:
            rdDetermineBonds.DetermineBondOrders(
                molecule, charge=0, embedChiral=False, maxIterations=1000
            )
            Chem.SanitizeMol(molecule)
        except (ValueError, RuntimeError, IndexError):
            return None
    return molecule
