"""Structures and molecules of pymatgen, its JSON, and sites that several elements may share."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.printing import short
from atomlens.structures.cif.elements import contradicted
from atomlens.structures.disorder import PartialAtoms, composition_of, models_of
from atomlens.structures.distance_doubts import far_fractions
from atomlens.structures.forms import IS_DISORDERED, DisorderChoice
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    add_warning,
    check_tritium,
    tell_electrons,
)

if TYPE_CHECKING:
    from ase import Atoms


def atoms_of_sites(
    species: Sequence[Mapping[str, float]],
    positions: NDArray[np.float64],
    cell: NDArray[np.float64] | None,
    pbc: Sequence[bool],
    disorder: DisorderChoice,
) -> "list[Atoms]":
    """Return sites as ase.Atoms, or as ordered models if some are shared or partly empty.

    Args:
        species: Symbol -> occupancy for each site.
        positions: (n_sites, 3) Å
        cell: (3, 3) rows are lattice vectors, Å; None for a molecule.
        pbc: Along which of them the structure repeats.
        disorder: What to do with sites that are no whole atoms.

    Raises StructureError for a site that is not an element, or that is disordered unless
    ordered models are asked for.
    """
    from ase import Atoms

    shared = [_elements(i, dict(site), disorder) for i, site in enumerate(species)]
    sites = np.repeat(np.arange(len(shared)), [len(site) for site in shared])
    symbols = [symbol for site in shared for symbol in site]
    shares = np.array([share for site in shared for share in site.values()])
    plain = ["H" if symbol in ("D", "T") else symbol for symbol in symbols]
    given = {} if cell is None else {"cell": cell, "pbc": pbc}
    whole = Atoms(plain, positions=positions[sites], **given)
    if plain != symbols:
        check_tritium(whole, symbols, "write the symbol of its element")
        add_warning(whole, DEUTERIUM_NOTICE)
    if (shares == 1).all():
        return [whole]
    partial = PartialAtoms(
        whole.numbers,
        whole.positions,
        cell,
        shares,
        sites,
        np.zeros(len(sites), dtype=int),
        [None] * len(sites),
    )
    if disorder.how == "refuse":
        found = composition_of(whole, partial) if disorder.takes_compositions else None
        if found is not None:
            return [found]
        raise StructureError(
            "occupancies of one place add up to more than one atom, so its formula is not known; "
            "correct them"
        )
    return [atoms for atoms, _ in models_of(whole, partial, disorder)]


def atoms_of_json(data: Mapping[str, Any], disorder: DisorderChoice) -> "list[Atoms]":
    """Return the dictionary form of a pymatgen Structure or Molecule as ase.Atoms."""
    sites = list(data["sites"])
    species = [_species_of_json(site["species"]) for site in sites]
    lattice = data.get("lattice")
    electrons = data.get("charge"), data.get("spin_multiplicity")
    if any(entry.get("oxidation_state") for site in sites for entry in site["species"]):
        electrons = None, electrons[1]  # pymatgen writes the sum of the states
    if lattice is None:
        if any("abc" in site for site in sites) or data.get("@class") in (
            "Structure",
            "IStructure",
        ):
            raise StructureError(
                "it has parts of a cell for coordinates, as a crystal has, but no lattice; add it"
            )
        positions = _coordinates(sites, "xyz")
        found = atoms_of_sites(species, positions, None, (False,) * 3, disorder)
        return _with_electrons(found, *electrons)
    cell = _lattice_of_json(lattice)
    fractional = _fractional_of_json(sites, cell)
    pbc = [bool(x) for x in lattice.get("pbc", (True,) * 3)]
    positions = fractional @ cell
    found = atoms_of_sites(species, positions, cell, pbc, disorder)
    lengths = [lattice.get(name) for name in "abc"]
    doubts = [
        other_lengths(cell, lengths),
        _other_positions(positions, sites),
        far_fractions(fractional),
        _other_label(species, sites),
    ]
    for atoms in found:
        for doubt in filter(None, doubts):
            add_warning(atoms, doubt)
    return _with_electrons(found, *electrons)


def _lattice_of_json(lattice: Mapping[str, Any]) -> NDArray[np.float64]:
    """(3, 3) lattice vectors of pymatgen, in Å; those of its lengths and angles without a matrix.

    Raises:
        StructureError: there is neither.
    """
    if lattice.get("matrix") is not None:
        return np.array(lattice["matrix"], dtype=float).reshape(3, 3)
    from ase.geometry import cellpar_to_cell

    given = [lattice.get(name) for name in ("a", "b", "c", "alpha", "beta", "gamma")]
    if not all(isinstance(x, Real) and not isinstance(x, bool) for x in given):
        raise StructureError("its lattice has neither a matrix nor six lengths and angles; add it")
    return np.asarray(cellpar_to_cell(given), dtype=float)


def _fractional_of_json(
    sites: Sequence[Mapping[str, Any]], cell: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_sites, 3) parts of the cell, also for sites that have Cartesian coordinates alone."""
    if any(site.get("abc") is not None for site in sites) or not sites:
        return _coordinates(sites, "abc")
    if not all(site.get("xyz") is not None for site in sites):
        return _coordinates(sites, "abc")
    return np.asarray(np.linalg.solve(cell.T, _coordinates(sites, "xyz").T).T)


def _other_label(species: Sequence[Mapping[str, float]], sites: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence where the label of a site names another element than its species."""
    for i, (own, site) in enumerate(zip(species, sites, strict=True)):
        label = str(site.get("label") or "")
        named = [contradicted(label, symbol) for symbol in own]
        if named and all(named):
            return (
                f"the label {label} of atom {i} (counted from 0) names {named[0]} and its species "
                f"is {', '.join(own)}; the species was taken"
            )
    return ""


def _coordinates(sites: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    """(n_sites, 3) coordinates of sites as pymatgen writes them.

    Raises:
        StructureError: a site has others than three numbers.
    """
    for i, site in enumerate(sites):
        given = site.get(key)
        if not isinstance(given, Sequence) or len(given) != 3:
            raise StructureError(
                f"atom {i} (counted from 0): its {key!r} is {short(str(given))}, not three "
                "numbers; correct it"
            )
    return np.array([site[key] for site in sites], dtype=float).reshape(-1, 3)


def _with_electrons(models: "list[Atoms]", charge: Any, multiplicity: Any) -> "list[Atoms]":
    """Note a charge and a multiplicity that pymatgen holds of a whole structure."""
    charges = float(charge) if isinstance(charge, Real) else 0.0
    unpaired = float(multiplicity) - 1.0 if isinstance(multiplicity, Real) else 0.0
    for atoms in models:
        tell_electrons(atoms, charges, max(unpaired, 0.0))
    return models


def other_lengths(cell: NDArray[np.float64], given: Any) -> str:
    """Return a sentence where a cell's lengths that stand beside its vectors are others, Å."""
    try:
        lengths = np.array(given, dtype=float).reshape(3)
    except (TypeError, ValueError):  # there are none
        return ""
    own = np.linalg.norm(cell, axis=1)
    if np.allclose(lengths, own, rtol=0.01, atol=0.01) or not np.isfinite(lengths).all():
        return ""
    words = [", ".join(f"{x:.4g}" for x in row) for row in (lengths, own)]
    return (
        f"it gives the lengths {words[0]} Å for the cell, whose vectors are {words[1]} Å long; the "
        "vectors were taken"
    )


def _other_positions(positions: NDArray[np.float64], sites: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence where Cartesian coordinates beside the fractional ones are others."""
    nothing = [math.nan] * 3
    try:
        given = np.array([site.get("xyz", nothing) for site in sites], dtype=float)
        apart = np.linalg.norm(given.reshape(positions.shape) - positions, axis=1)
    except (TypeError, ValueError):  # there are none
        return ""
    if not (apart > 0.1).any():
        return ""
    first = int(np.argmax(apart > 0.1))
    return (
        f"the fractional and the Cartesian coordinates of atom {first} (counted from 0) are "
        f"{apart[first]:.2f} Å apart; the fractional ones were taken"
    )


def atoms_of_pymatgen(structure: Any, disorder: DisorderChoice) -> "list[Atoms]":
    """Return a pymatgen Structure or Molecule as ase.Atoms."""
    species = [
        _summed((pymatgen_symbol(s), n) for s, n in site.species.items()) for site in structure
    ]
    lattice = getattr(structure, "lattice", None)
    positions = np.array(structure.cart_coords, dtype=float).reshape(-1, 3)
    if lattice is None:
        found = atoms_of_sites(species, positions, None, (False,) * 3, disorder)
        multiplicity = getattr(structure, "spin_multiplicity", None)
        return _with_electrons(found, getattr(structure, "charge", None), multiplicity)
    cell = np.array(lattice.matrix)
    found = atoms_of_sites(species, positions, cell, lattice.pbc, disorder)
    return _with_electrons(found, getattr(structure, "_charge", None), None)


def pymatgen_symbol(species: Any) -> str:
    """Return the symbol of an element or species of pymatgen, which calls deuterium H there."""
    element = getattr(species, "element", species)
    name = getattr(element, "name", "")
    return name if name in ("D", "T") else str(species.symbol)


def _species_of_json(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return _summed((str(entry["element"]), float(entry["occu"])) for entry in entries)


def _summed(entries: Any) -> dict[str, float]:
    """Add up the oxidation states of one element."""
    total: dict[str, float] = {}
    for symbol, amount in entries:
        total[symbol] = total.get(symbol, 0.0) + float(amount)
    return total


_EMPTY = frozenset(("X", "Vac", "vacancy", "Va", "vac", ""))
"""Names of an empty share of a site, as OPTIMADE and others write it."""


def _elements(index: int, site: dict[str, float], disorder: DisorderChoice) -> dict[str, float]:
    """Return the elements of a site and their shares; one whole element unless models are asked."""
    shown = ", ".join(f"{amount:g} {symbol}" for symbol, amount in site.items())
    total = sum(site.values())
    if not all(amount >= 0 for amount in site.values()):
        raise StructureError(
            f"atom {index} (counted from 0) is occupied by {shown}, and an occupancy is a number "
            "from 0 to 1; correct it"
        )
    if total > 1.05:
        raise StructureError(
            f"atom {index} (counted from 0) is occupied by {shown}, more than one atom; correct it"
        )
    if len(site) == 1 and abs(total - 1) <= 1.5e-3:
        site = dict.fromkeys(site, 1.0)
    elif disorder.how == "refuse" and not disorder.takes_compositions:
        first = next(iter(site), "empty")
        raise StructureError(
            f"atom {index} ({first}, counted from 0) is occupied by {shown or 'nothing'}: "
            f"{IS_DISORDERED}"
        )
    else:
        site = {s: share for s, share in site.items() if s not in _EMPTY and share > 0}
        if abs(total - 1) <= 1.5e-3 and len(site) == 1 and next(iter(site.values())) > 0.999:
            site = dict.fromkeys(site, 1.0)
    for symbol in site:
        if symbol not in SYMBOLS[1:] and symbol not in ("D", "T"):
            raise StructureError(
                f"atom {index} (counted from 0): {short(symbol)} is not an element; replace it or "
                "remove the atom"
            )
    return site
