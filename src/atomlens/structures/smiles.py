"""SMILES: their grammar, what they say, and the atoms that they stand for."""

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.printing import short
from atomlens.structures.arrays import keep_made
from atomlens.structures.bonding import BONDING, LONGEST_SMILES
from atomlens.structures.checks import check_atoms
from atomlens.structures.molecules import embedded, valence_problem
from atomlens.structures.molecules.polyhedra import SQUARE_PLANAR, branch, has_stated_corners

if TYPE_CHECKING:
    from ase import Atoms

ALIKE = 0.3
"""Å; conformers whose distances differ by less are one."""


def from_smiles(smiles: str, conformer: int = 0) -> "Atoms":
    """Return a SMILES as ase.Atoms with hydrogens and 3D coordinates.

    The coordinates depend on the molecule, not on how its SMILES is written (see
    `atomlens.structures.molecules.embedding`); atoms stand in the order of the SMILES, then the
    hydrogens. Fragments separated by a dot are set `FRAGMENT_GAP` apart. Another number of the
    ``conformer`` may give another shape.

    Raises StructureError for a text that is no SMILES, and where no geometry can be made.
    Remarks for the user wait in ``info``; `atomlens.structures.to_atoms` tells them.
    """
    text = without_unseen(smiles).strip()
    molecule = parse_smiles(text)
    if molecule is None:
        raise StructureError(f"{short(text)} is not a SMILES: {smiles_problem(text)}")
    atoms = embedded(molecule, f"SMILES {short(text)}", conformer)
    del atoms.info[BONDING]  # the SMILES says as much
    atoms.info.update(name=text, smiles=text)
    keep_made(atoms)
    check_atoms(atoms)
    return atoms


def conformers_of(smiles: str, n_most: int) -> "list[Atoms]":
    """Return up to ``n_most`` shapes of a molecule that differ, numbered by ``info["conformer"]``.

    The first is that of `from_smiles`. Twice as many are made as are asked for; two are alike if
    no distance between heavy atoms differs by `ALIKE`, so mirror images are. They are what the
    force field finds, not weighted by their energies.

    Raises StructureError like `from_smiles`.
    """
    found: list[Atoms] = []
    shapes: list[NDArray[np.float64]] = []
    for number in range(1 if n_most == 1 else 2 * n_most):
        if len(found) == n_most:
            break
        try:
            atoms = from_smiles(smiles, conformer=number)
        except StructureError:
            if number == 0:
                raise
            continue
        shape = _distances(atoms)
        if all(float(np.abs(shape - other).max(initial=0.0)) > ALIKE for other in shapes):
            shapes.append(shape)
            found.append(atoms)
    if n_most > 1:
        for i, atoms in enumerate(found):
            atoms.info["conformer"] = i
    return found


def _distances(atoms: "Atoms") -> NDArray[np.float64]:
    """(n, n) distances between heavy atoms; between all of them where fewer than four are heavy."""
    heavy = atoms.positions[atoms.numbers > 1]
    places = heavy if len(heavy) > 3 else atoms.positions
    return np.asarray(np.linalg.norm(places[:, None] - places[None], axis=-1))


class AtomsAndBonds(NamedTuple):
    """What a SMILES says a molecule is, however it is written; without stereochemistry."""

    counts: Counter[str]
    """Atoms of each element, hydrogens included; those of isotopes are ordinary ones"""
    bonds: str
    """The canonical SMILES"""


def unlabel(molecule: Any) -> None:
    """Take isotopes and atom maps off a molecule, in place."""
    for atom in molecule.GetAtoms():
        atom.SetIsotope(0)
        atom.SetAtomMapNum(0)


def atoms_and_bonds(smiles: str) -> AtomsAndBonds | None:
    """Return what a SMILES says, or None if it is none."""
    from rdkit import Chem, rdBase

    molecule = parse_smiles(smiles)
    if molecule is None:
        return None
    with rdBase.BlockLogs():
        unlabel(molecule)
        counts = Counter(atom.GetSymbol() for atom in Chem.AddHs(molecule).GetAtoms())
        plain = Chem.MolToSmiles(Chem.RemoveHs(molecule), isomericSmiles=False)
    return AtomsAndBonds(counts, plain)


_SMALL_RING = 4
"""Atoms; two rings of which one is so small are fused in one way only."""


def is_open(smiles: str) -> bool:
    """Say whether a SMILES stands for several molecules with different distances.

    That is so if a double bond may be E or Z, one of several centres R or S, or the ligands of a
    square or an octahedron cis or trans. A single centre makes mirror images, which no model tells
    apart; bridgeheads and atoms at which small rings are fused have no choice, and protons of
    phosphates move.
    """
    from rdkit import Chem
    from rdkit.Chem import rdMolDescriptors

    molecule = parse_smiles(smiles.strip())
    if molecule is None:
        return False
    if any(_has_open_corners(atom) for atom in molecule.GetAtoms()):
        return True
    bridgeheads: Any = []  # rdkit's stubs ask for a class that nobody can make
    rdMolDescriptors.CalcNumBridgeheadAtoms(molecule, atoms=bridgeheads)
    rings = molecule.GetRingInfo()
    centres = []
    for found in Chem.FindPotentialStereo(molecule):
        undecided = found.specified == Chem.StereoSpecified.Unspecified
        if found.type == Chem.StereoType.Bond_Double:
            if undecided and _keeps_its_ends(molecule.GetBondWithIdx(found.centeredOn)):
                return True
        elif found.type == Chem.StereoType.Atom_Tetrahedral:
            centre = found.centeredOn
            n_rings = rings.NumAtomRings(centre)
            fused = n_rings > 1 and rings.MinAtomRingSize(centre) <= _SMALL_RING
            of_cage = centre in bridgeheads or n_rings > 2
            if not (of_cage or molecule.GetAtomWithIdx(centre).GetAtomicNum() == 15):
                centres.append(undecided and not fused)
    return len(centres) > 1 and any(centres)


def _has_open_corners(atom: Any) -> bool:
    """Say whether the ligands of a square or an octahedron may be cis or trans to each other.

    All alike, or one unlike the others, they have no choice; rings may leave them none.
    """
    from rdkit import Chem

    n = atom.GetDegree()
    is_square = n == _SQUARE and atom.GetAtomicNum() in SQUARE_PLANAR
    if not (is_square or n == _OCTAHEDRON) or has_stated_corners(atom):
        return False
    ends = [other.GetIdx() for other in atom.GetNeighbors()]
    for end in ends:  # rdkit's rings leave out dative bonds
        if len(set(ends).intersection(branch(atom.GetOwningMol(), end, atom.GetIdx()))) > 1:
            return False
    ranks = Chem.CanonicalRankAtoms(atom.GetOwningMol(), breakTies=False)
    kinds = Counter(ranks[end] for end in ends)
    return bool(max(kinds.values()) < n - 1)


_SQUARE, _OCTAHEDRON = 4, 6


def _keeps_its_ends(bond: Any) -> bool:
    """Say whether a double bond is one by itself, and none to N that turns over.

    That is N-H, and the N of an amidine or guanidine, to which a proton moves.
    """
    ends = bond.GetBeginAtom(), bond.GetEndAtom()
    if any(a.GetAtomicNum() == 7 and a.GetTotalNumHs() for a in ends):
        return False
    for nitrogen, other in (ends, ends[::-1]):
        if nitrogen.GetAtomicNum() == 7 and other.GetAtomicNum() == 6:
            beside = [a for a in other.GetNeighbors() if a.GetIdx() != nitrogen.GetIdx()]
            if any(a.GetAtomicNum() == 7 and a.GetTotalNumHs() for a in beside):
                return False
    doubles = [sum(str(b.GetBondType()) == "DOUBLE" for b in a.GetBonds()) for a in ends]
    return max(doubles) == 1


def without_unseen(text: str) -> str:
    """Return a text without signs of no width, which copies from pages and spreadsheets have.

    They part no atoms: soft hyphens, spaces of no width, marks of byte order and direction.
    """
    return text if text.isascii() else "".join(c for c in text if category(c) != "Cf")


def _may_be_smiles(text: str) -> bool:
    """Say whether a text has signs of SMILES alone; at a zero byte rdkit would stop reading."""
    return 0 < len(text) <= LONGEST_SMILES and text.isascii() and not re.search(r"[\s\0]", text)


def parse_smiles(text: str) -> Any | None:
    """Return the rdkit molecule of a SMILES, or None if the text is not one."""
    from rdkit import Chem, rdBase

    text = without_unseen(text)
    if not _may_be_smiles(text):
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(with_isotopes(text))


def with_isotopes(smiles: str) -> str:
    """Return a SMILES with ``[D]`` and ``[T]``, as some programs write them, as [2H] and [3H]."""
    return re.sub(r"\[([DT])(?=[]+:-])", lambda m: "[2H" if m[1] == "D" else "[3H", smiles)


def has_smiles_grammar(text: str) -> bool:
    """Say whether a text is written by the rules of SMILES, be its bonds possible or not."""
    from rdkit import Chem, rdBase

    if not _may_be_smiles(text):
        return False
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(with_isotopes(text), sanitize=False) is not None


def smiles_problem(text: str) -> str:
    """Say why a text is not a SMILES and what to do."""
    from rdkit import Chem, rdBase

    if len(text) > LONGEST_SMILES:
        return f"it is longer than {LONGEST_SMILES} letters; give a file with coordinates"
    if re.search(r"\s\|.*\|$", text):
        return (
            "it is an extended SMILES, and what stands between the bars is not read; write "
            "radicals and charges in brackets, or give a file"
        )
    if re.search(r"[\0-\x08\x0e-\x1f\x7f]", text):
        return "it has a control sign, which is no letter; remove it"
    if ">" in text.replace("->", ""):
        return "a reaction is no structure; give its molecules one by one"
    first, *others = text.split() or [""]
    if others and parse_smiles(first) is not None:
        return "it has blanks; give one molecule at a time, without its name"
    text = first
    with rdBase.BlockLogs():
        known = _may_be_smiles(text)
        molecule = Chem.MolFromSmiles(with_isotopes(text), sanitize=False) if known else None
        if molecule is not None:
            return valence_problem(molecule)
    return "brackets, ring numbers or symbols do not fit; correct it"
