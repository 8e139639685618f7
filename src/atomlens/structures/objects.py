"""Objects of ase, pymatgen and rdkit as ase.Atoms. None of the three is imported in vain."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.arrays import hill_formula, name_of
from atomlens.structures.checks import check_atoms
from atomlens.structures.records import DEUTERIUM_NOTICE, add_warning, short

if TYPE_CHECKING:
    from ase import Atoms


def atoms_of(thing: Any) -> "Atoms":
    """Return an object as a new ase.Atoms with a name.

    Accepted are ase.Atoms, pymatgen Structure, Molecule and Composition (and their
    relatives), and rdkit Mol. Raises StructureError for others and for bad structures.
    """
    atoms = _converted(thing)
    name = name_of(atoms) if len(atoms) else type(thing).__name__
    try:
        check_atoms(atoms)
    except StructureError as error:
        raise StructureError(f"{name}: {error}") from error
    atoms.info["name"] = name
    return atoms


def _converted(thing: Any) -> "Atoms":
    packages = {cls.__module__.partition(".")[0] for cls in type(thing).__mro__}
    if "ase" in packages:
        from ase import Atoms

        if isinstance(thing, Atoms):
            return _copy(thing)
    if "pymatgen" in packages:
        return _from_pymatgen(thing)
    if "rdkit" in packages:
        from rdkit.Chem import Mol

        if isinstance(thing, Mol):
            return _from_rdkit(thing)
    raise StructureError(
        f"a {type(thing).__name__} object is not a structure; give a path, SMILES or formula as "
        "text, ase.Atoms, a pymatgen Structure, Molecule or Composition, or an rdkit Mol"
    )


def _copy(atoms: "Atoms") -> "Atoms":
    copy = atoms.copy()
    copy.calc = atoms.calc
    return copy


def _from_pymatgen(thing: Any) -> "Atoms":
    from pymatgen.core import Composition
    from pymatgen.core.structure import SiteCollection

    if isinstance(thing, SiteCollection):
        try:
            return atoms_of_object(thing)
        except StructureError as error:
            raise StructureError(f"{thing.formula}: {error}") from error
    if isinstance(thing, Composition):
        from atomlens.structures.formulas import atoms_of_amounts

        amounts: dict[str, Fraction] = {}
        for element, amount in thing.items():
            amounts[element.symbol] = amounts.get(element.symbol, Fraction(0)) + Fraction(
                amount
            ).limit_denominator(1000)
        return atoms_of_amounts(amounts, thing.formula.replace(" ", ""))
    raise StructureError(
        f"a pymatgen {type(thing).__name__} is not a structure; give a Structure, Molecule or "
        "Composition"
    )


def _from_rdkit(molecule: Any) -> "Atoms":
    from atomlens.structures.molecules import from_molecule

    atoms = from_molecule(molecule)
    title = molecule.GetProp("_Name") if molecule.HasProp("_Name") else ""
    atoms.info["name"] = title or hill_formula(atoms.numbers)
    return atoms


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
