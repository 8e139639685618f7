"""pymatgen's sites, as objects or as JSON, without letting pymatgen import what JSON names."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.records import DEUTERIUM_NOTICE, add_warning, short

if TYPE_CHECKING:
    from ase import Atoms


def atoms_of_sites(
    species: Sequence[Mapping[str, float]],
    positions: NDArray[np.float64],
    cell: NDArray[np.float64] | None,
    pbc: Sequence[bool],
) -> "Atoms":
    """Return sites as ase.Atoms; ``species`` holds symbol -> occupancy for each site.

    Raises StructureError for a site that is shared, partly empty or not an element.
    """
    from ase import Atoms

    symbols = [_only_element(i, dict(site)) for i, site in enumerate(species)]
    plain = ["H" if symbol in ("D", "T") else symbol for symbol in symbols]
    if cell is None:
        atoms = Atoms(plain, positions=positions)
    else:
        atoms = Atoms(plain, positions=positions, cell=cell, pbc=pbc)
    if plain != symbols:
        add_warning(atoms, DEUTERIUM_NOTICE)
    return atoms


def atoms_of_json(data: Mapping[str, Any]) -> "Atoms":
    """Return the dictionary form of a pymatgen Structure or Molecule as ase.Atoms."""
    sites = list(data["sites"])
    species = [_species_of_json(site["species"]) for site in sites]
    lattice = data.get("lattice")
    if lattice is None:
        positions = np.array([site["xyz"] for site in sites], dtype=float).reshape(-1, 3)
        return atoms_of_sites(species, positions, None, (False,) * 3)
    cell = np.array(lattice["matrix"], dtype=float).reshape(3, 3)
    fractional = np.array([site["abc"] for site in sites], dtype=float).reshape(-1, 3)
    pbc = [bool(x) for x in lattice.get("pbc", (True,) * 3)]
    return atoms_of_sites(species, fractional @ cell, cell, pbc)


def atoms_of_object(structure: Any) -> "Atoms":
    """Return a pymatgen Structure or Molecule as ase.Atoms."""
    species = [_summed((s.symbol, n) for s, n in site.species.items()) for site in structure]
    lattice = getattr(structure, "lattice", None)
    positions = np.array(structure.cart_coords, dtype=float).reshape(-1, 3)
    if lattice is None:
        return atoms_of_sites(species, positions, None, (False,) * 3)
    return atoms_of_sites(species, positions, np.array(lattice.matrix), lattice.pbc)


def _species_of_json(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return _summed((str(entry["element"]), float(entry["occu"])) for entry in entries)


def _summed(entries: Any) -> dict[str, float]:
    """Add up the oxidation states of one element."""
    total: dict[str, float] = {}
    for symbol, amount in entries:
        total[symbol] = total.get(symbol, 0.0) + float(amount)
    return total


def _only_element(index: int, site: dict[str, float]) -> str:
    shown = ", ".join(f"{amount:g} {symbol}" for symbol, amount in site.items())
    if len(site) != 1 or abs(sum(site.values()) - 1) > 1e-3:
        first = next(iter(site), "empty")
        raise StructureError(
            f"atom {index} ({first}, counted from 0) is occupied by {shown or 'nothing'}: the "
            "structure is disordered; make an ordered model of it, for example with pymatgen's "
            "OrderDisorderedStructureTransformation"
        )
    symbol = next(iter(site))
    if symbol not in SYMBOLS[1:] and symbol not in ("D", "T"):
        raise StructureError(
            f"atom {index} (counted from 0): {short(symbol)} is not an element; replace it or "
            "remove the atom"
        )
    return symbol
