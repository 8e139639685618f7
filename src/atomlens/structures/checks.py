"""What every structure must satisfy before a graph is built from it.

Messages name atoms by index, counted from 0, and symbol. They do not name the file: the
caller puts that in front.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.elements.naming import atom_label, symbol_of
from atomlens.errors import StructureError
from atomlens.structures.ase_occupancies import said_of_shared, shared_kinds
from atomlens.structures.distance_doubts import NM_NOTICE, looks_like_nm
from atomlens.structures.distances import (
    MINIMUM_DISTANCE,
    SHORTEST_BOND,
    CrowdError,
    heights_of,
    is_dense,
    overlapping_pairs,
    pairs_within,
    periodic_basis,
)

if TYPE_CHECKING:
    from ase import Atoms

LARGEST_LENGTH = 1e6
"""Å; larger coordinates are rubbish and would overflow later."""
_last_good_cell: list[tuple[bytes, ...]] = [()]
"""The cell that was looked at last, and its pbc: readers look more than once."""


def check_atoms(atoms: "Atoms") -> None:
    """Raise a StructureError that names the atom if the structure cannot be used."""
    if len(atoms) == 0:
        raise StructureError("there is no atom in it; give a structure with at least one atom")
    _check_elements(atoms)
    if atoms.info.get("is_formula"):
        return
    if shared := shared_kinds(atoms):
        raise StructureError(
            f"{said_of_shared(shared)}, so the structure is disordered; give the CIF that it was "
            "made from, or leave the occupancies out if it is an ordered model"
        )
    _check_positions(atoms)
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    check_cell(cell, pbc)
    if is_dense(atoms.positions, cell, pbc):
        raise StructureError(
            NM_NOTICE
            if looks_like_nm(atoms)
            else f"its {len(atoms)} atoms stand far more densely than in any matter; check the "
            "unit of the coordinates and of the cell, which must be Å"
        )
    pair = closest_overlap(atoms.positions, cell, pbc)
    if pair is not None and looks_like_nm(atoms):
        raise StructureError(NM_NOTICE)
    if pair is not None:
        raise StructureError(_overlap_message(atoms.numbers, *pair))


def closest_overlap(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> tuple[int, int, float] | None:
    """Return the two atoms that are nearest to each other, if nearer than `MINIMUM_DISTANCE`.

    Periodic images count; both indices are equal where an atom meets its own image. Only
    atoms within the minimum distance of a cell face get an image, so this costs one k-d
    tree. Returns (first index, second index, distance in Å) or None.
    """
    pairs = overlapping_pairs(positions, cell, pbc)
    if not len(pairs.distances):
        return None
    k = int(pairs.distances.argmin())
    first, second = sorted((int(pairs.first[k]), int(pairs.second[k])))
    return first, second, float(pairs.distances[k])


def atoms_overlap(atoms: "Atoms") -> bool:
    """Say whether two atoms are nearer than any bond, as alternatives of a disordered part are."""
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    try:
        check_cell(cell, pbc)
        thin = pbc.any() and heights_of(periodic_basis(cell, pbc))[pbc].min() < 2 * SHORTEST_BOND
        find = pairs_within if thin else overlapping_pairs
        pairs = find(atoms.positions, cell, pbc, SHORTEST_BOND)
    except CrowdError:
        return True
    except (StructureError, ValueError):
        return False  # positions or cell are worse than that, and `check_atoms` says how
    return len(pairs.distances) > 0


def _check_elements(atoms: "Atoms") -> None:
    bad = np.flatnonzero((atoms.numbers < 1) | (atoms.numbers >= len(SYMBOLS)))
    if len(bad) and atoms.numbers[bad[0]]:
        raise StructureError(
            f"atom {bad[0]} (counted from 0) has the atomic number {atoms.numbers[bad[0]]}, and "
            f"those of elements are 1 to {len(SYMBOLS) - 1}; correct it"
        )
    if len(bad):
        raise StructureError(
            f"{atom_label(atoms.numbers, int(bad[0]))} is a dummy atom, not an element; "
            "replace it by an element or remove it"
        )


def _check_positions(atoms: "Atoms") -> None:
    positions = atoms.positions
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(bad):
        i = int(bad[0])
        raise StructureError(
            f"{atom_label(atoms.numbers, i)} has the position {_vector(positions[i])}, which is "
            "not a point in space; correct or remove it"
        )
    far = np.flatnonzero((np.abs(positions) > LARGEST_LENGTH).any(axis=1))
    if len(far):
        i = int(far[0])
        raise StructureError(
            f"{atom_label(atoms.numbers, i)} is at {_vector(positions[i])} Å, farther than "
            f"{LARGEST_LENGTH:.0e} Å from the origin; correct its coordinates"
        )


def check_cell(cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> None:
    """Raise a StructureError unless the periodic lattice vectors (3, 3) span a volume."""
    content = (cell.tobytes(), pbc.tobytes())
    if content == _last_good_cell[0] or not pbc.any():
        return
    if not all(abs(x) <= LARGEST_LENGTH for row in cell.tolist() for x in row):
        row = int(np.flatnonzero(~(np.abs(cell) <= LARGEST_LENGTH).all(axis=1))[0])
        raise StructureError(
            f"lattice vector {'abc'[row]} is {_vector(cell[row])}, which is not a length in Å; "
            "correct the cell"
        )
    lengths = np.sqrt((cell * cell).sum(axis=1))
    for axis in np.flatnonzero(pbc & (lengths == 0)):
        raise StructureError(
            f"it repeats along {'abc'[axis]} (pbc), but lattice vector {'abc'[axis]} is missing or "
            "zero, so the cell has no volume; give the vector or switch that direction off in pbc"
        )
    if heights_of(periodic_basis(cell, pbc))[pbc].min() < 1e-6 * lengths[pbc].max():
        vectors = ", ".join(_vector(cell[axis]) for axis in np.flatnonzero(pbc))
        raise StructureError(
            f"the cell has zero volume: its lattice vectors {vectors} lie in one plane or line; "
            "correct the cell"
        )
    _last_good_cell[0] = content


def _overlap_message(numbers: NDArray[np.int_], i: int, j: int, distance: float) -> str:
    limit = f"less than {MINIMUM_DISTANCE} Å"
    if i == j:
        return (
            f"{atom_label(numbers, i)} and its own periodic image are {distance:.3f} Å apart, "
            f"{limit}; check the cell's unit (it must be Å)"
        )
    return (
        f"atoms {i} ({symbol_of(int(numbers[i]))}) and {j} ({symbol_of(int(numbers[j]))}), counted "
        f"from 0, are {distance:.3f} Å apart, {limit}; remove one of them or correct the "
        "coordinates"
    )


def _vector(values: NDArray[np.float64]) -> str:
    return "(" + ", ".join(f"{x:.6g}" for x in values) + ")"
