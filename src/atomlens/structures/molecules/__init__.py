"""Molecules of rdkit as atoms; SMILES and blocks of MOL files become such molecules first.

Bonds decide nothing here but where atoms go: a SMILES gets hydrogens and 3D coordinates,
a file keeps the coordinates it has.
"""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import NONMETALS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.printing import one_line
from atomlens.structures.arrays import keep_made
from atomlens.structures.bonding import keep_bonding
from atomlens.structures.doubts import Doubt
from atomlens.structures.molecules.embedding import positions_of
from atomlens.structures.molecules.geometry_checks import geometry_problem
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    ISOTOPE_NOTICE,
    add_warning,
    tell_electrons,
    tell_set_apart,
)

if TYPE_CHECKING:
    from ase import Atoms

MOST_HEAVY_ATOMS = 80
"""Larger molecules are not embedded: distance geometry takes minutes and often fails."""
FRAGMENT_GAP = 3.0
"""Å between the fragments of a SMILES with a dot in it."""
_HYDROGEN_NOTICE = Doubt("hydrogens that the file leaves out were added", "hydrogens")
_ABSENT_NOTICE = (
    "{n} hydrogens that its valences ask for are not in it, and it was read without them; add them "
    "unless it is a radical"
)
_NEIGHBOURING_RADICALS = (
    "bonded atoms that both have unpaired electrons were set as far apart as the bond is written; "
    "write the double bond if they are paired"
)
_UNCLEAR = ("UNSPECIFIED", "ZERO", "OTHER", "HYDROGEN")
"""Kinds of bonds that say nothing of the valences used up."""
_OF_AMMINES = frozenset((24, 27, 28, 29, 30, 44, 45, 46, 47, 48, 76, 77, 78, 79))
"""Metals of the later groups, to which ammonia binds."""
ORDERS = "write a single, double or triple bond"
"""What to do about a bond without order; part of a sentence."""
LONGEST_BOND = 4.5
"""Å; no bond of a metal is longer."""
_LONGEST = 1.6
"""Sums of covalent radii; no bond between nonmetals is longer. In bohr they have 1.9."""


def from_molecule(molecule: Any) -> "Atoms":
    """Return an rdkit molecule as ase.Atoms: its 3D conformer, or a new one if it has none."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        if molecule.GetNumConformers() and molecule.GetConformer().Is3D():
            return completed(Chem.Mol(molecule))
        copy = Chem.Mol(molecule)
        copy.UpdatePropertyCache(strict=False)
        atoms = embedded(copy, "the rdkit molecule")
        keep_made(atoms)
        return atoms


def completed(molecule: Any) -> "Atoms":
    """Return a molecule in space with the hydrogens that its valences ask for.

    Hydrogens are added where most are absent, as in files of docking programs and crystals. A
    molecule that lacks few of many may be a radical: it is read as it stands, with a warning,
    and so is one where no place for them can be found.
    """
    from rdkit import Chem

    try:
        whole = _with_dative_bonds(molecule)
        Chem.SanitizeMol(whole)
    except (ValueError, RuntimeError) as problem:  # the coordinates are all there is to go by
        atoms = with_conformer(molecule)
        said = one_line(str(problem))
        if re.search(r"# \d+ [CH], ", said):  # others may lack the charge that explains it
            add_warning(atoms, f"its bonds are odd ({said}); the atoms were taken as they stand")
        elif _has_open_carbon(molecule):
            add_warning(
                atoms,
                Doubt(
                    f"its bonds are odd ({said}), so hydrogens that may be absent were not added; "
                    "correct them, or add the hydrogens",
                    "hydrogens",
                ),
            )
        return atoms
    unclear = bond_without_order(molecule)
    if unclear:
        atoms = with_conformer(molecule)
        said = f"{unclear}, so hydrogens that may be absent are not known"
        add_warning(atoms, Doubt(said, "hydrogens"))
        return atoms
    absent = sum(atom.GetTotalNumHs() for atom in whole.GetAtoms())
    if not absent:
        return with_conformer(molecule)
    present = sum(atom.GetAtomicNum() == 1 for atom in molecule.GetAtoms())
    n_before = molecule.GetNumAtoms()
    if not present or absent > present / 3:
        try:
            with_hydrogens = Chem.AddHs(whole, addCoords=True)
            new = np.arange(with_hydrogens.GetNumAtoms()) >= n_before
            if _is_placed(with_hydrogens, new):
                atoms = with_conformer(with_hydrogens)
                add_warning(atoms, _HYDROGEN_NOTICE)
                keep_made(atoms)  # the added ones are, and most of its atoms are hydrogens
                return atoms
        except (ValueError, RuntimeError):  # bonds that the tables do not know
            pass
    atoms = with_conformer(molecule)
    add_warning(atoms, Doubt(_ABSENT_NOTICE.format(n=absent), "hydrogens"))
    return atoms


def _has_open_carbon(molecule: Any) -> bool:
    """Say whether a carbon without charge has fewer bonds than four, as without its hydrogens.

    That of carbon monoxide, which many write without charges, is none.
    """
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() != 6 or atom.GetFormalCharge() or atom.GetNumRadicalElectrons():
            continue
        bonds = [(b.GetBondTypeAsDouble(), b.GetOtherAtom(atom)) for b in atom.GetBonds()]
        is_carbonyl = any(n == 3 and a.GetAtomicNum() == 8 for n, a in bonds) and len(bonds) == 1
        if not is_carbonyl and sum(n for n, _ in bonds) < 3.9:
            return True
    return False


def _is_placed(molecule: Any, new: NDArray[np.bool_]) -> bool:
    """Say whether added hydrogens stand where hydrogens can, after a relaxation if need be."""
    from rdkit.Chem import rdForceFieldHelpers

    positions = molecule.GetConformer().GetPositions()
    if not geometry_problem(molecule, positions, new):
        return True
    if not rdForceFieldHelpers.UFFHasAllMoleculeParams(molecule):
        return False
    field = rdForceFieldHelpers.UFFGetMoleculeForceField(molecule)
    for i in np.flatnonzero(~new).tolist():
        field.AddFixedPoint(i)
    field.Initialize()
    field.Minimize(maxIts=500)
    return not geometry_problem(molecule, molecule.GetConformer().GetPositions(), new)


def _with_dative_bonds(molecule: Any) -> Any:
    """Return a copy in which bonds of no order between a metal and a nonmetal are dative.

    A dative bond that a file writes from the metal is turned around.

    Metals get no hydrogens of their own.
    """
    from rdkit import Chem

    copy = Chem.RWMol(molecule)
    for atom in copy.GetAtoms():
        if atom.GetAtomicNum() not in NONMETALS:
            atom.SetNoImplicit(True)
    unclear = (Chem.BondType.UNSPECIFIED, Chem.BondType.ZERO, Chem.BondType.OTHER)
    for bond in molecule.GetBonds():
        metal = [
            a.GetAtomicNum() not in NONMETALS for a in (bond.GetBeginAtom(), bond.GetEndAtom())
        ]
        is_backward = bond.GetBondType() == Chem.BondType.DATIVE and metal[0]
        if metal[0] != metal[1] and (bond.GetBondType() in unclear or is_backward):
            ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            copy.RemoveBond(*ends)
            donor, acceptor = reversed(ends) if metal[0] else ends
            copy.AddBond(donor, acceptor, Chem.BondType.DATIVE)
    return copy.GetMol()


def bond_without_order(molecule: Any) -> str:
    """Return which bond between nonmetals has no order, for a sentence; empty if none is so.

    An aromatic bond in no ring has none: amides, carboxylates and plain chains are written so.
    """
    from rdkit import Chem

    Chem.FastFindRings(molecule)
    for bond in molecule.GetBonds():
        ends = (bond.GetBeginAtom(), bond.GetEndAtom())
        kind = str(bond.GetBondType())
        is_unclear = kind in _UNCLEAR or (kind == "AROMATIC" and not bond.IsInRing())
        if is_unclear and all(a.GetAtomicNum() in NONMETALS for a in ends):
            one, two = (f"{a.GetIdx()} ({a.GetSymbol()})" for a in ends)
            return f"the bond between atoms {one} and {two}, counted from 0, has no order"
    return ""


def embedded(molecule: Any, what: str, conformer: int = 0) -> "Atoms":
    """Return a sanitized molecule with hydrogens and made coordinates, its parts set apart."""
    from ase import Atoms
    from rdkit import Chem, rdBase

    dummies = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
    if dummies:
        raise StructureError(
            f"{what}: atom {dummies[0]} (counted from 0) is a placeholder ('*'), not an element; "
            "replace it by an element"
        )
    unclear = bond_without_order(molecule)
    if unclear:
        raise StructureError(f"{what}: {unclear}; {ORDERS}")
    _refuse_open_dative(molecule, what)
    if molecule.GetNumHeavyAtoms() > MOST_HEAVY_ATOMS:
        raise StructureError(
            f"{what} has {molecule.GetNumHeavyAtoms()} heavy atoms, too many to make 3D "
            f"coordinates (at most {MOST_HEAVY_ATOMS}); give a file with coordinates"
        )
    with rdBase.BlockLogs():
        whole = Chem.AddHs(molecule)
        members = Chem.GetMolFrags(whole)
        parts = Chem.GetMolFrags(whole, asMols=True)
        made = [positions_of(part, what, conformer) for part in parts]
        order = sorted(range(len(parts)), key=lambda k: (Chem.MolToSmiles(parts[k]), k))
    positions = np.zeros((whole.GetNumAtoms(), 3))
    edge = 0.0
    for k in order:  # the order of the parts' names, so that the way they are written is no matter
        placed = made[k].copy()
        if k != order[0]:
            placed[:, 0] += edge + FRAGMENT_GAP - placed[:, 0].min()
        positions[list(members[k])] = placed
        edge = float(placed[:, 0].max())
    atoms = Atoms([a.GetAtomicNum() for a in whole.GetAtoms()], positions=positions)
    keep_bonding(atoms, whole)
    _tell_amides(atoms, molecule)
    _tell_unseen(atoms, whole, is_whole=True)
    if len(parts) > 1:
        tell_set_apart(atoms, FRAGMENT_GAP)
    return atoms


def _refuse_open_dative(molecule: Any, what: str) -> None:
    """Refuse a dative bond to an atom whose hydrogens are not written, as in ``N->B``.

    rdkit takes the bond for one of the acceptor's own, so that the borane has two hydrogens.
    """
    for bond in molecule.GetBonds():
        acceptor = bond.GetEndAtom()
        if str(bond.GetBondType()) != "DATIVE" or acceptor.GetNoImplicit():
            continue
        if acceptor.GetNumImplicitHs():
            ends = f"{bond.GetBeginAtom().GetSymbol()} to {acceptor.GetSymbol()}"
            raise StructureError(
                f"{what}: beside the dative bond from {ends} (atom {acceptor.GetIdx()}, counted "
                "from 0) it is not known how many hydrogens there are; write charges and hydrogens "
                "instead, as in [NH3+][BH3-]"
            )


def _tell_amides(atoms: "Atoms", molecule: Any) -> None:
    """Warn of ammonia at a metal that is written as NH2, as in ``Cl[Pt](Cl)(N)N``."""
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() != 7 or atom.GetDegree() != 1 or atom.GetFormalCharge():
            continue
        (other,) = atom.GetNeighbors()
        if other.GetAtomicNum() in _OF_AMMINES and atom.GetNumImplicitHs() == 2:
            metal = other.GetSymbol()
            add_warning(
                atoms,
                f"its N at {metal} has two hydrogens, as an amide has; if it is ammonia, write "
                f"[NH3]->[{metal}]",
            )
            return


def _tell_unseen(atoms: "Atoms", molecule: Any, is_whole: bool = False) -> None:
    if any(a.GetAtomicNum() == 1 and a.GetIsotope() > 1 for a in molecule.GetAtoms()):
        add_warning(atoms, DEUTERIUM_NOTICE)
    if any(a.GetAtomicNum() > 1 and a.GetIsotope() for a in molecule.GetAtoms()):
        add_warning(atoms, ISOTOPE_NOTICE)
    charge = sum(a.GetFormalCharge() for a in molecule.GetAtoms())
    unpaired = sum(a.GetNumRadicalElectrons() for a in molecule.GetAtoms())
    if is_whole and (int(atoms.numbers.sum()) - charge - unpaired) % 2:
        unpaired += 1  # rdkit counts none of a metal ion
    tell_electrons(atoms, charge, unpaired)
    ends = [(bond.GetBeginAtom(), bond.GetEndAtom()) for bond in molecule.GetBonds()]
    both = (all(a.GetNumRadicalElectrons() for a in pair) for pair in ends)
    if any(both) and len(atoms) > 2:
        add_warning(atoms, _NEIGHBOURING_RADICALS)


def with_conformer(molecule: Any) -> "Atoms":
    """Return the atoms of a molecule at the places of its conformer; bonds too long are told."""
    from ase import Atoms

    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    positions: NDArray[np.float64] = molecule.GetConformer().GetPositions()
    atoms = Atoms(numbers, positions=positions)
    listed = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    pairs = np.array(listed, dtype=np.int64).reshape(-1, 2)
    lengths = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    of_nonmetals = np.isin(numbers, list(NONMETALS))[pairs].all(axis=1)
    sums = COVALENT_RADII[numbers][pairs].sum(axis=1)
    beyond = lengths - np.where(of_nonmetals, _LONGEST * sums, LONGEST_BOND)
    if beyond.max(initial=0.0) > 0:
        longest = int(beyond.argmax())
        one, two = pairs[longest].tolist()
        all_are = float(np.median(lengths / sums)) > _LONGEST
        what = "coordinates, which may be in bohr, " if all_are else "coordinates "
        add_warning(
            atoms,
            Doubt(
                f"its bond between atoms {one} and {two}, counted from 0, is "
                f"{lengths[longest]:.2f} Å long, and no bond is; check the {what}and their unit, "
                "which must be Å",
                "unit",
                "distances",
            ),
        )
    keep_bonding(atoms, molecule)
    _tell_unseen(atoms, molecule)
    return atoms


def valence_problem(molecule: Any) -> str:
    """Return which atom has a valence that it cannot have, in words; empty if none has."""
    from rdkit import Chem

    try:
        Chem.SanitizeMol(molecule)
    except ValueError as error:
        return f"{one_line(str(error))}; correct it"
    return "its bonds cannot be understood; correct it"
