"""What is wrong with coordinates that were made for a molecule: lengths that no bond has."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import NONMETALS, SYMBOLS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.structures.molecules.polyhedra import is_oxo

_SHORTEST_BOND, _LONGEST_BOND = 0.65, 1.4
"""Sums of covalent radii."""
_LONGEST_OF_METALS = 1.6
_SHORTEST_CONTACT = 1.15
"""Sums of covalent radii between atoms that are not bonded; the cage of [1.1.1] has 1.23."""
_SHORTEST_OF_METALS = 1.0
_SHORTEST_H_H = 1.2
"""Å"""
_LONGEST_MULTIPLE = 0.96
"""The longest double bond in the sum of the radii of single ones; C=C has 0.88, S=O 0.85."""
_ALIKE = 1.12
"""The longest bond of a metal to bare atoms of one element in its shortest."""


def long_multiple_bond(molecule: Any, positions: NDArray[np.float64]) -> str:
    """Say which double or triple bond of C, N or O is as long as a single one."""
    for bond in molecule.GetBonds():
        atoms = bond.GetBeginAtom(), bond.GetEndAtom()
        numbers = [a.GetAtomicNum() for a in atoms]
        double = bond.GetBondTypeAsDouble() >= 2 or is_oxo(*atoms) or is_oxo(*atoms[::-1])
        if not double or not {6, 7, 8} & set(numbers):
            continue
        first, second = (a.GetIdx() for a in atoms)
        length = float(np.linalg.norm(positions[first] - positions[second]))
        if NONMETALS.issuperset(numbers) and length > _LONGEST_MULTIPLE * sum(
            COVALENT_RADII[numbers]
        ):
            names = f"{first} ({SYMBOLS[numbers[0]]}) and {second} ({SYMBOLS[numbers[1]]})"
            return f"the multiple bond of atoms {names} is {length:.2f} Å long"
    return ""


def uneven_bonds(molecule: Any, positions: NDArray[np.float64]) -> str:
    """Say which bonds of a metal to bare atoms of one element differ as no molecule's do."""
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() in NONMETALS or atom.GetDegree() in (5, 7):
            continue
        alike: dict[tuple[int, str, int], list[float]] = {}
        for bond in atom.GetBonds():
            other = bond.GetOtherAtom(atom)
            if other.GetDegree() == 1:
                key = (other.GetAtomicNum(), str(bond.GetBondType()), other.GetFormalCharge())
                length = np.linalg.norm(positions[atom.GetIdx()] - positions[other.GetIdx()])
                alike.setdefault(key, []).append(float(length))
        for (number, _, _), lengths in alike.items():
            if max(lengths) > _ALIKE * min(lengths):
                return (
                    f"bonds of {atom.GetSymbol()} to {SYMBOLS[number]} are from "
                    f"{min(lengths):.2f} to {max(lengths):.2f} Å long"
                )
    return ""


def geometry_problem(
    molecule: Any, positions: NDArray[np.float64], only: NDArray[np.bool_] | None = None
) -> str:
    """Say what is wrong with made coordinates; empty where nothing is.

    Args:
        molecule: Its bonds say which atoms may be near to each other.
        positions: (n_atoms, 3) Å
        only: (n_atoms,) atoms that are judged, against all; by default all of them
    """
    if not np.isfinite(positions).all():
        return "a position is no number"
    n = len(positions)
    if n < 2:
        return ""
    numbers = np.array([a.GetAtomicNum() for a in molecule.GetAtoms()])
    radii = COVALENT_RADII[numbers]
    metal = ~np.isin(numbers, sorted(NONMETALS))
    bonded = np.zeros((n, n), dtype=bool)
    for bond in molecule.GetBonds():
        a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        bonded[a, b] = bonded[b, a] = True
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    sums = radii[:, None] + radii[None]
    with_metal = metal[:, None] | metal[None]
    longest = np.where(with_metal, _LONGEST_OF_METALS, _LONGEST_BOND) * sums
    contact = np.where(with_metal, _SHORTEST_OF_METALS, _SHORTEST_CONTACT) * sums
    both_hydrogen = (numbers[:, None] == 1) & (numbers[None] == 1)
    contact[both_hydrogen] = _SHORTEST_H_H
    wrong = np.where(
        bonded, (distances < _SHORTEST_BOND * sums) | (distances > longest), distances < contact
    )
    np.fill_diagonal(wrong, False)
    if only is not None:
        wrong &= only[:, None] | only[None]
    if not wrong.any():
        return ""
    i, j = (int(k) for k in np.argwhere(wrong)[0])
    kind = "bonded" if bonded[i, j] else "not bonded"
    return (
        f"atoms {i} ({SYMBOLS[numbers[i]]}) and {j} ({SYMBOLS[numbers[j]]}), {kind}, are "
        f"{distances[i, j]:.2f} Å apart"
    )
