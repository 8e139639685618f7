"""Objects of ase, pymatgen and rdkit as ase.Atoms. None of the three is imported in vain."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.printing import kind_of_object, short
from atomlens.structures.arrays import (
    OF_RDKIT,
    Structure,
    StructureArrays,
    chemical_formula,
    has_made_geometry,
    keep_maker,
    name_of,
)
from atomlens.structures.checks import check_atoms
from atomlens.structures.cif.elements import contradicted
from atomlens.structures.disorder import (
    REFUSE,
    DisorderChoice,
    PartialAtoms,
    composition_of,
    models_of,
)
from atomlens.structures.distance_doubts import far_fractions, unused_cell
from atomlens.structures.makers import named_maker
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    add_warning,
    check_tritium,
    drop_masses,
    note_doubts,
    tell_electrons,
)

if TYPE_CHECKING:
    from ase import Atoms

_FILE_INFO = "_MolFileInfo"
"""Property in which rdkit keeps the second line of a MOL file: its program."""


UNCORRECTED = "uncorrected_energy"
"""Of a pymatgen entry: without what was added to energies of different methods or phases."""


def atoms_of(thing: Any, disorder: DisorderChoice = REFUSE) -> "list[Atoms]":
    """Return an object as a new ase.Atoms with a name, or the ordered models of a disordered one.

    Accepted are ase.Atoms, Symbols, Formula and rows of its data bases, pymatgen Structure,
    Molecule, Composition, Element and entries (and their relatives), rdkit Mol, a dictionary of
    amounts, and a structure or sample of a data set. Raises StructureError for others and for bad
    structures.
    """
    models = _converted(thing, disorder)
    for i, atoms in enumerate(models):
        name = name_of(atoms) if len(atoms) else type(thing).__name__
        try:
            check_atoms(atoms)
        except StructureError as error:
            raise StructureError(f"{name}: {error}") from error
        note_doubts(atoms)
        atoms.info["name"] = name if len(models) == 1 else f"{name}-{i:04d}"
    return models


def as_list(given: Any) -> list[Any]:
    """Return the inputs that are meant, one by one: those of a list, column or data set, else one.

    Objects of other packages that go through their atoms, as ase.Atoms do, are one input.
    """
    if isinstance(given, Structure):  # a tuple of arrays
        return [given]
    if isinstance(given, list | tuple):
        return list(given)
    held = given if isinstance(given, StructureArrays) else getattr(given, "structures", None)
    if isinstance(held, StructureArrays):  # those of a data set, too
        return list(held)
    if isinstance(given, str | bytes | os.PathLike | Mapping) or hasattr(given, "columns"):
        return [given]
    if hasattr(given, "readline"):  # an open file, which goes through its lines
        return [given]
    if type(given).__module__.startswith("ase.db.") and hasattr(given, "select"):
        return list(given.select())  # an open data base
    if is_object(given) and not type(given).__module__.startswith("ase.io"):  # not a trajectory
        return [given]
    if isinstance(given, np.ndarray) and given.shape[1:] == (1,):  # as scikit-learn likes them
        given = given[:, 0]
    if hasattr(given, "tolist"):  # arrays of numpy, columns of pandas
        return list(np.atleast_1d(given).tolist() if np.ndim(given) == 0 else given.tolist())
    return list(given) if isinstance(given, Iterable) else [given]


def values_of(thing: Any) -> dict[str, Any]:
    """Return what an object of another package holds beside its atoms, by name.

    Results of a calculator that are not of the atoms as they stand now are left out; what ``info``
    says goes before them.
    """
    thing = _unwrapped(thing)
    packages = _packages(thing)
    found: dict[str, Any] = {}
    if "ase" in packages:
        info, calc = getattr(thing, "info", None), getattr(thing, "calc", None)
        results = getattr(calc, "results", None)
        if isinstance(results, Mapping) and not _is_stale(calc, thing):
            found |= {k: v for k, v in results.items() if v is not None}
        found |= info if isinstance(info, Mapping) else {}
    elif "pymatgen" in packages:
        own = getattr(getattr(thing, "structure", None), "properties", None)
        found |= own if isinstance(own, Mapping) else {}
        if hasattr(thing, "correction"):
            found |= entry_energies(thing.energy, thing.energy - thing.correction)
        for held in (getattr(thing, "data", None), getattr(thing, "properties", None)):
            found |= held if isinstance(held, Mapping) else {}
    elif "rdkit" in packages and hasattr(thing, "GetPropsAsDict"):
        found |= thing.GetPropsAsDict(includePrivate=False, includeComputed=False)
        name = thing.GetProp("_Name") if thing.HasProp("_Name") else ""
        found |= {"name": name} if name else {}
    return {str(key): value for key, value in found.items()}


def entry_energies(corrected: float, uncorrected: float) -> dict[str, float]:
    """Return the energies of a pymatgen entry by name, eV; ``energy`` is what its object says."""
    return {"energy": corrected, UNCORRECTED: uncorrected}


def is_single(value: Any) -> bool:
    """Say whether a value is a number or a text, also one of numpy."""
    return isinstance(value, str | Real | np.bool_) or (
        isinstance(value, np.ndarray) and value.ndim == 0
    )


def _is_stale(calculator: Any, atoms: Any) -> bool:
    """Say whether atoms have changed since a calculator had its results."""
    try:
        return bool(calculator.check_state(atoms))
    except Exception:  # a calculator of whatever make
        return False


def _unwrapped(thing: Any) -> Any:
    """Return what a row of an ase data base or a sample of a data set holds."""
    if "ase" in _packages(thing) and hasattr(thing, "toatoms"):
        atoms = thing.toatoms()
        atoms.info.update(getattr(thing, "key_value_pairs", {}))
        return atoms
    return thing


def is_object(thing: Any) -> bool:
    """Say whether something is a structure, molecule or composition of another package."""
    return not isinstance(thing, str | float | int) and bool(
        _packages(thing) & {"ase", "pymatgen", "rdkit"}
    )


def _packages(thing: Any) -> set[str]:
    return {cls.__module__.partition(".")[0] for cls in type(thing).__mro__}


def _converted(thing: Any, disorder: DisorderChoice) -> "list[Atoms]":
    if isinstance(thing, Structure):
        return [thing.to_atoms()]
    if "atomlens" in _packages(thing) and hasattr(thing, "identifier"):  # a sample of a data set
        atoms = _copy(thing.atoms)
        atoms.info["name"] = thing.identifier
        return [atoms]
    thing = _unwrapped(thing)
    packages = _packages(thing)
    if "ase" in packages:
        from ase import Atoms

        if isinstance(thing, Atoms):
            return [_copy(thing)]
        counts = _counts_of_ase(thing)
        if counts:
            return [_of_amounts(counts.items(), "")]
    if "pymatgen" in packages:
        return _from_pymatgen(thing, disorder)
    if "rdkit" in packages:
        from rdkit.Chem import Mol

        if isinstance(thing, Mol):
            return _from_rdkit(thing, disorder.conformers)
    if is_nothing(thing):
        raise StructureError("a structure is missing here; fill it, or leave the entry out")
    if is_amounts(thing):
        return [_of_dictionary(thing)]
    if hasattr(thing, "columns") or isinstance(thing, Mapping):
        raise StructureError(
            f"{kind_of_object(thing)} is a table, whose rows are inputs of predict and all that "
            "asks a model; for its structures alone take the column that holds them"
        )
    if hasattr(thing, "readline"):
        raise StructureError(
            f"{kind_of_object(thing)} is an open file; give its path, whose ending says what it is"
        )
    raise StructureError(
        f"{kind_of_object(thing)} is not a structure; give a path, SMILES or formula as "
        "text, ase.Atoms, a pymatgen Structure, Molecule or Composition, or an rdkit Mol"
    )


def _counts_of_ase(thing: Any) -> dict[str, float]:
    """Return the elements of a formula of ase, or of the symbols of atoms; empty of others."""
    from ase.formula import Formula
    from ase.symbols import Symbols

    if isinstance(thing, Symbols):
        thing = thing.formula
    return dict(thing.count()) if isinstance(thing, Formula) else {}


def _copy(atoms: "Atoms") -> "Atoms":
    copy = atoms.copy()
    copy.calc = atoms.calc
    drop_masses(copy)
    if said := unused_cell(copy):
        add_warning(copy, said)
    return copy


def _from_pymatgen(thing: Any, disorder: DisorderChoice) -> "list[Atoms]":
    from pymatgen.core import Composition, Element, Species
    from pymatgen.core.structure import SiteCollection

    if isinstance(getattr(thing, "structure", None), SiteCollection):
        thing = thing.structure  # an entry with its energy
    if isinstance(thing, SiteCollection):
        try:
            return atoms_of_object(thing, disorder)
        except StructureError as error:
            raise StructureError(f"{thing.formula}: {error}") from error
    if isinstance(thing, Composition):
        return [_of_composition(thing)]
    if isinstance(thing, Element | Species):  # also a dummy, which is refused by its symbol
        return [_of_amounts([(_symbol(thing), 1.0)], "")]
    if isinstance(getattr(thing, "composition", None), Composition):  # an entry without places
        return [_of_composition(thing.composition)]
    raise StructureError(
        f"a pymatgen {type(thing).__name__} is not a structure; give a Structure, Molecule or "
        "Composition"
    )


def _of_composition(composition: Any) -> "Atoms":
    name = composition.formula.replace(" ", "") or kind_of_object(composition)
    return _of_amounts([(_symbol(one), amount) for one, amount in composition.items()], name)


def _of_amounts(amounts: Iterable[tuple[str, float]], name: str) -> "Atoms":
    """Return amounts of elements as ase.Atoms; a formula that nobody wrote as a text."""
    from atomlens.structures.formulas import from_amounts

    try:
        return from_amounts(amounts, name)
    except StructureError as error:
        raise StructureError(f"{name}: {error}" if name else str(error)) from error


def is_nothing(thing: Any) -> bool:
    """Say whether something stands for a missing value: None, NaN, or those of pandas."""
    is_nan = isinstance(thing, float) and math.isnan(thing)
    return thing is None or is_nan or type(thing).__name__ in ("NAType", "NaTType")


def is_amounts(given: Any) -> bool:
    """Say whether a dictionary is a formula: ``{"Na": 1, "Cl": 1}``, ``{"Fe3+": 2, "O2-": 3}``.

    Its keys are all elements, its values all numbers.
    """
    from atomlens.structures.formulas import number_in, symbol_of_key

    return (
        isinstance(given, Mapping)
        and len(given) > 0
        and all(map(symbol_of_key, given))
        and all(number_in(n) is not None for n in given.values())
    )


def _of_dictionary(given: Mapping[str, float]) -> "Atoms":
    from atomlens.structures.formulas import symbol_of_key

    return _of_amounts([(symbol_of_key(key), amount) for key, amount in given.items()], "")


def _from_rdkit(molecule: Any, n_most: int) -> "list[Atoms]":
    """Return the shapes of a molecule that are wanted, numbered if more than one is."""
    from rdkit.Chem import Mol

    from atomlens.structures.molecules import from_molecule

    queries = [atom.HasQuery() for atom in molecule.GetAtoms()]
    if queries and all(queries):
        raise StructureError(
            "the rdkit molecule is a pattern (SMARTS), which leaves hydrogens open; make it with "
            "MolFromSmiles"
        )
    places = [one.GetId() for one in molecule.GetConformers() if one.Is3D()]
    chosen = [Mol(molecule, False, place) for place in places[:n_most]] or [molecule]
    found = [from_molecule(one) for one in chosen]
    for atoms in found:
        _keep_maker_of(molecule, atoms)
    title = molecule.GetProp("_Name") if molecule.HasProp("_Name") else ""
    for i, atoms in enumerate(found):
        atoms.info["name"] = title or _smiles_of(molecule) or chemical_formula(atoms.numbers)
        if n_most > 1 and len(places) > 1:
            atoms.info["conformer"] = i
        elif len(places) > 1:
            add_warning(
                atoms,
                f"the first of its {len(places)} conformers was taken; conformers={len(places)} "
                "takes the mean over all of them",
            )
    return found


def _keep_maker_of(molecule: Any, atoms: "Atoms") -> None:
    """Note where the conformer of a molecule comes from, as a MOL file of it would.

    What was read from such a file has its second line; rdkit made the others, or nobody knows.
    """
    if has_made_geometry(atoms):
        return
    was_read = molecule.HasProp(_FILE_INFO)
    maker = named_maker(molecule.GetProp(_FILE_INFO)) if was_read else OF_RDKIT
    if maker:
        keep_maker(atoms, maker)


_LONGEST_NAME = 100
"""Letters of a SMILES that is to be a name."""


def _smiles_of(molecule: Any) -> str:
    """Return the canonical SMILES of a molecule; empty if it has no bonds or is too long a name."""
    from rdkit import Chem

    if not molecule.GetNumBonds():
        return ""
    text = str(Chem.MolToSmiles(Chem.RemoveHs(molecule, sanitize=False)))
    return text if len(text) <= _LONGEST_NAME else ""


def atoms_of_sites(
    species: Sequence[Mapping[str, float]],
    positions: NDArray[np.float64],
    cell: NDArray[np.float64] | None,
    pbc: Sequence[bool],
    disorder: DisorderChoice = REFUSE,
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


def atoms_of_json(data: Mapping[str, Any], disorder: DisorderChoice = REFUSE) -> "list[Atoms]":
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


def atoms_of_object(structure: Any, disorder: DisorderChoice = REFUSE) -> "list[Atoms]":
    """Return a pymatgen Structure or Molecule as ase.Atoms."""
    species = [_summed((_symbol(s), n) for s, n in site.species.items()) for site in structure]
    lattice = getattr(structure, "lattice", None)
    positions = np.array(structure.cart_coords, dtype=float).reshape(-1, 3)
    if lattice is None:
        found = atoms_of_sites(species, positions, None, (False,) * 3, disorder)
        multiplicity = getattr(structure, "spin_multiplicity", None)
        return _with_electrons(found, getattr(structure, "charge", None), multiplicity)
    cell = np.array(lattice.matrix)
    found = atoms_of_sites(species, positions, cell, lattice.pbc, disorder)
    return _with_electrons(found, getattr(structure, "_charge", None), None)


def _symbol(species: Any) -> str:
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
            f"atom {index} ({first}, counted from 0) is occupied by {shown or 'nothing'}: the "
            "structure is disordered; read ordered models of it with --disorder majority or "
            '--disorder enumerate (in Python disorder="majority" or "enumerate")'
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
