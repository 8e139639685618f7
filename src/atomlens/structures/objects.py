"""Objects of ase, pymatgen and rdkit as ase.Atoms. None of the three is imported in vain."""

import math
import os
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.elements.naming import chemical_formula
from atomlens.errors import StructureError
from atomlens.printing import counted, kind_of_object
from atomlens.structures.arrays import (
    OF_RDKIT,
    Structure,
    StructureArrays,
    has_made_geometry,
    keep_maker,
    name_of,
    warnings_of,
)
from atomlens.structures.ase_occupancies import OCCUPANCY, kinds_of, shared_kinds
from atomlens.structures.checks import check_atoms
from atomlens.structures.distance_doubts import unused_cell
from atomlens.structures.forms import REFUSE, DisorderChoice
from atomlens.structures.makers import named_maker
from atomlens.structures.pymatgen_sites import (
    atoms_of_pymatgen,
    atoms_of_sites,
    pymatgen_symbol,
)
from atomlens.structures.records import add_warning, drop_masses, note_doubts

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
    amounts, and a structure or sample of a data set.

    Raises:
        StructureError: it is something else, or a structure that cannot be used.
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
    if isinstance(given, str | bytes | bytearray | memoryview | os.PathLike | Mapping):
        return [given]
    if hasattr(given, "columns"):
        return [given]
    if hasattr(given, "readline"):  # an open file, which goes through its lines
        return [given]
    if type(given).__module__.startswith("ase.db.") and hasattr(given, "select"):
        return list(given.select())  # an open data base
    if is_object(given) and not type(given).__module__.startswith("ase.io"):  # not a trajectory
        return [given]
    if isinstance(given, np.ndarray) and given.shape[1:] == (1,):  # as scikit-learn likes them
        given = given[:, 0]
    if isinstance(given, np.ndarray) and given.dtype.kind in "mM":
        return list(np.atleast_1d(given))  # tolist would make numbers of dates
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


def is_number_or_text(value: Any) -> bool:
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
    """Return the packages that the class of an object and its bases come from."""
    return {cls.__module__.partition(".")[0] for cls in type(thing).__mro__}


def _converted(thing: Any, disorder: DisorderChoice) -> "list[Atoms]":
    """Return an object as new ase.Atoms, of whichever package it is, as yet unchecked."""
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
            return _of_ase(thing, disorder)
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
        from atomlens.structures.formulas import symbol_of_key

        return [_of_amounts([(symbol_of_key(key), amount) for key, amount in thing.items()], "")]
    if hasattr(thing, "columns") or isinstance(thing, Mapping):
        raise StructureError(
            f"{kind_of_object(thing)} is a table, whose rows are inputs of predict and all that "
            "asks a model; for its structures alone take the column that holds them"
        )
    if hasattr(thing, "readline"):
        raise StructureError(
            f"{kind_of_object(thing)} is an open file; give its path, whose ending says what it is"
        )
    if isinstance(thing, bytes | bytearray | memoryview):
        raise StructureError(f"{kind_of_object(thing)} is no text; give it decoded, as str")
    if isinstance(thing, list | np.ndarray) and len(thing) and type(thing[0]).__name__ == "Atom":
        raise StructureError(
            f"{kind_of_object(thing)} of single atoms is not a structure, and numpy makes such of "
            "ase.Atoms (numpy.array takes them apart); give ase.Atoms, several in a list"
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


def _of_ase(atoms: "Atoms", disorder: DisorderChoice) -> "list[Atoms]":
    """Return a copy of atoms, or the models of a crystal whose shared sites ase knows."""
    _check_arrays(atoms)
    shared, kinds = shared_kinds(atoms), kinds_of(atoms)
    if not shared or not kinds:
        return [_copy(atoms)]
    sites = [
        {str(one): float(share) for one, share in shared[kind].items()}
        if kind in shared
        else {s: 1.0}
        for kind, s in zip(kinds, atoms.get_chemical_symbols(), strict=True)
    ]
    cell = atoms.cell.array if atoms.pbc.any() else None
    try:
        found = atoms_of_sites(sites, atoms.positions, cell, atoms.pbc.tolist(), disorder)
    except StructureError as error:
        raise StructureError(
            f"{name_of(atoms)}: {error}; delete info[{OCCUPANCY!r}] if it is an ordered model"
        ) from error
    kept = {key: value for key, value in atoms.info.items() if key not in (OCCUPANCY, "warnings")}
    for one in found:
        one.info = {**kept, **one.info}
        for said in warnings_of(atoms):
            add_warning(one, said)
    return found


def _check_arrays(atoms: "Atoms") -> None:
    """Refuse arrays that somebody put in place of ase's own, which ase does not look at.

    Raises:
        StructureError: there are not as many positions as atoms, or they are no real numbers.
    """
    n, positions = len(atoms.arrays["numbers"]), np.asarray(atoms.arrays["positions"])
    if positions.shape != (n, 3):
        raise StructureError(
            f"its positions have the shape {positions.shape} and it has {counted(n, 'atom')}; give "
            "three coordinates for each"
        )
    if positions.dtype.kind not in "fiu" or positions.dtype == np.float16:  # three digits
        raise StructureError(
            f"its positions are of the type {positions.dtype}; give real numbers (float64)"
        )


def _copy(atoms: "Atoms") -> "Atoms":
    """Return a copy with its calculator and without given masses; an unused cell is told."""
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
            return atoms_of_pymatgen(thing, disorder)
        except StructureError as error:
            raise StructureError(f"{thing.formula}: {error}") from error
    if isinstance(thing, Composition):
        return [_of_composition(thing)]
    if isinstance(thing, Element | Species):  # also a dummy, which is refused by its symbol
        return [_of_amounts([(pymatgen_symbol(thing), 1.0)], "")]
    if isinstance(getattr(thing, "composition", None), Composition):  # an entry without places
        return [_of_composition(thing.composition)]
    raise StructureError(
        f"a pymatgen {type(thing).__name__} is not a structure; give a Structure, Molecule or "
        "Composition"
    )


def _of_composition(composition: Any) -> "Atoms":
    name = composition.formula.replace(" ", "") or kind_of_object(composition)
    return _of_amounts(
        [(pymatgen_symbol(one), amount) for one, amount in composition.items()], name
    )


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
