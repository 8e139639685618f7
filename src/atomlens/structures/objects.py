"""Objects of ase, pymatgen and rdkit as ase.Atoms. None of the three is imported in vain."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from atomlens.errors import StructureError
from atomlens.structures.arrays import hill_formula, name_of
from atomlens.structures.checks import check_atoms

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
        from atomlens.structures.sites import atoms_of_object

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
