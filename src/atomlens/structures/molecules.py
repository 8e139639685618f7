"""Molecules through rdkit: SMILES, MOL and SDF.

Bonds decide nothing here but where atoms go: a SMILES gets hydrogens and 3D coordinates,
a file keeps the coordinates it has.
"""

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.arrays import warnings_of
from atomlens.structures.checks import check_atoms
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    Entry,
    add_warning,
    attempt,
    one_line,
    short,
)

if TYPE_CHECKING:
    from ase import Atoms

MOST_HEAVY_ATOMS = 80
"""Larger molecules are not embedded: distance geometry takes minutes and often fails."""

LONGEST_SMILES = 3000
"""Letters; rdkit's time grows with the square of the length of what is no molecule."""

FRAGMENT_GAP = 3.0
"""Å between the fragments of a SMILES with a dot in it."""

_SEED = 20240229
_SECONDS = 10
"""rdkit looks at the clock between steps, so a large molecule may take twice as long."""

_FLAT_NOTICE = "a flat drawing (no heights, not marked 3D) got 3D coordinates from ETKDG"
_HYDROGEN_NOTICE = "hydrogens that the file leaves out were added"
_FRAGMENT_NOTICE = (
    f"the molecules of the SMILES were set {FRAGMENT_GAP:g} Å apart, since it does not say where "
    "they are"
)


def from_smiles(smiles: str, name: str | None = None) -> "Atoms":
    """Return a SMILES as ase.Atoms with hydrogens and 3D coordinates.

    Coordinates come from ETKDG with a fixed seed (Riniker and Landrum, J. Chem. Inf. Model.
    55, 2562, 2015), relaxed with MMFF94 or else UFF; the same SMILES gives the same
    coordinates every time. Fragments separated by a dot are set `FRAGMENT_GAP` apart.

    Raises StructureError for a text that is no SMILES, and where no geometry can be made.
    Remarks for the user wait in ``info``; `atomlens.structures.to_atoms` tells them.
    """
    text = smiles.strip()
    molecule = parse_smiles(text)
    if molecule is None:
        raise StructureError(f"{short(text)} is not a SMILES: {smiles_problem(text)}")
    atoms = _embedded(molecule, f"SMILES {short(text)}")
    atoms.info.update(name=name or text, smiles=text)
    check_atoms(atoms)
    return atoms


def parse_smiles(text: str) -> Any | None:
    """Return the rdkit molecule of a SMILES, or None if the text is not one."""
    from rdkit import Chem, rdBase

    if not text or len(text) > LONGEST_SMILES or not text.isascii() or re.search(r"\s", text):
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text)


def smiles_problem(text: str) -> str:
    """Say why a text is not a SMILES and what to do."""
    from rdkit import Chem, rdBase

    if len(text) > LONGEST_SMILES:
        return f"it is longer than {LONGEST_SMILES} letters; give a file with coordinates"
    with rdBase.BlockLogs():
        readable = bool(text) and text.isascii()
        molecule = Chem.MolFromSmiles(text, sanitize=False) if readable else None
        if molecule is not None:
            return _valence_problem(molecule)
    return "brackets, ring numbers or symbols do not fit; correct it"


def _valence_problem(molecule: Any) -> str:
    from rdkit import Chem

    try:
        Chem.SanitizeMol(molecule)
    except ValueError as error:
        return f"{one_line(str(error))}; correct it"
    return "its bonds cannot be understood; correct it"


def read_sdf(text: str) -> list[Entry]:
    """Return one entry a record of a MOL or SDF file, data fields in ``info``.

    Where there are many, each is named by its title line.

    Coordinates are kept. A flat drawing (all heights zero and not marked 3D) gets
    hydrogens and 3D coordinates like a SMILES. A 3D molecule without any hydrogen gets
    those that its valences ask for. Both are told with a warning.
    """
    records = re.split(r"^\$\$\$\$.*$", text, flags=re.MULTILINE)
    blocks = [record.removeprefix("\n") if i else record for i, record in enumerate(records)]
    blocks = [block for block in blocks if block.strip()]
    titles = [block.splitlines()[0] if len(blocks) > 1 else "" for block in blocks]
    return [
        attempt(title, lambda block=block: _from_block(block), "record")  # type: ignore[misc]
        for title, block in zip(titles, blocks, strict=True)
    ]


def from_molecule(molecule: Any) -> "Atoms":
    """Return an rdkit molecule as ase.Atoms: its 3D conformer, or a new one if it has none."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        if molecule.GetNumConformers() and molecule.GetConformer().Is3D():
            return _with_conformer(molecule)
        copy = Chem.Mol(molecule)
        copy.UpdatePropertyCache(strict=False)
        return _embedded(copy, "the rdkit molecule")


def _from_block(block: str) -> "Atoms":
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        try:
            molecule = Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
        except RuntimeError:
            molecule = None
        if molecule is None:
            raise StructureError(_block_problem(block))
        if molecule.GetNumAtoms() == 0:
            raise StructureError("there is no atom in it; give a molecule with at least one atom")
        atoms = _with_file_geometry(molecule, block)
    atoms.info.update(_data_fields(block))
    return atoms


def _with_file_geometry(molecule: Any, block: str) -> "Atoms":
    from rdkit import Chem

    conformer = molecule.GetConformer()
    is_flat = not conformer.Is3D() and not np.any(conformer.GetPositions()[:, 2])
    if is_flat and molecule.GetNumAtoms() > 1:
        drawn = Chem.MolFromMolBlock(block, removeHs=False)
        if drawn is None:
            raise StructureError(
                f"the flat drawing makes no molecule: {_valence_problem(molecule)}"
            )
        atoms = _embedded(drawn, "the flat drawing")
        add_warning(atoms, _FLAT_NOTICE)
        return atoms
    if all(atom.GetAtomicNum() != 1 for atom in molecule.GetAtoms()):
        try:
            Chem.SanitizeMol(molecule)
        except ValueError:  # odd valences: the coordinates are all there is to go by
            return _with_conformer(molecule)
        n_before = molecule.GetNumAtoms()
        molecule = Chem.AddHs(molecule, addCoords=True)
        atoms = _with_conformer(molecule)
        if len(atoms) > n_before:
            add_warning(atoms, _HYDROGEN_NOTICE)
        return atoms
    return _with_conformer(molecule)


def _embedded(molecule: Any, what: str) -> "Atoms":
    """Return a sanitized molecule with hydrogens and coordinates from distance geometry."""
    from rdkit import Chem, rdBase

    dummies = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
    if dummies:
        raise StructureError(
            f"{what}: atom {dummies[0]} (counted from 0) is a placeholder ('*'), not an element; "
            "replace it by an element"
        )
    if molecule.GetNumHeavyAtoms() > MOST_HEAVY_ATOMS:
        raise StructureError(
            f"{what} has {molecule.GetNumHeavyAtoms()} heavy atoms, too many to make 3D "
            f"coordinates (at most {MOST_HEAVY_ATOMS}); give a file with coordinates"
        )
    with rdBase.BlockLogs():
        parts = Chem.GetMolFrags(Chem.AddHs(molecule), asMols=True, sanitizeFrags=False)
        pieces = [_with_conformer(_embed(part, what)) for part in parts]
    atoms = pieces[0]
    for piece in pieces[1:]:
        shift = atoms.positions[:, 0].max() - piece.positions[:, 0].min() + FRAGMENT_GAP
        piece.positions[:, 0] += shift
        atoms += piece
    for sentence in [sentence for piece in pieces for sentence in warnings_of(piece)]:
        add_warning(atoms, sentence)
    if len(pieces) > 1:
        add_warning(atoms, _FRAGMENT_NOTICE)
    return atoms


def _embed(molecule: Any, what: str) -> Any:
    """Give one connected molecule 3D coordinates in place."""
    from rdkit.Chem import rdDistGeom

    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = _SEED
    parameters.timeout = _SECONDS
    parameters.maxIterations = 10
    failed = rdDistGeom.EmbedMolecule(molecule, parameters) < 0
    if failed:  # random coordinates are slower, and better for large or strained molecules
        parameters.useRandomCoords = True
        parameters.maxIterations = 20
        failed = rdDistGeom.EmbedMolecule(molecule, parameters) < 0
    if failed:
        raise StructureError(
            f"{what}: no 3D coordinates satisfy its bonds; check rings and stereo centres or give "
            "a file with coordinates"
        )
    _relax(molecule)
    return molecule


def _relax(molecule: Any) -> None:
    from rdkit.Chem import rdForceFieldHelpers

    if molecule.GetNumAtoms() < 2:
        return
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
        rdForceFieldHelpers.MMFFOptimizeMolecule(molecule, maxIters=500)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(molecule):
        rdForceFieldHelpers.UFFOptimizeMolecule(molecule, maxIters=500)


def _with_conformer(molecule: Any) -> "Atoms":
    from ase import Atoms

    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    positions: NDArray[np.float64] = molecule.GetConformer().GetPositions()
    atoms = Atoms(numbers, positions=positions)
    if any(a.GetAtomicNum() == 1 and a.GetIsotope() > 1 for a in molecule.GetAtoms()):
        add_warning(atoms, DEUTERIUM_NOTICE)
    return atoms


def _data_fields(block: str) -> dict[str, Any]:
    """Return the data fields of an SDF record; numbers as numbers."""
    fields: dict[str, Any] = {}
    lines = block.split("\n")
    for line, following in pairwise(lines):
        name = line[line.find("<") + 1 : line.find(">", line.find("<"))]
        if not line.startswith("> ") or "<" not in line or not name or len(name) > 200:
            continue
        value = following.strip()
        try:
            fields[name] = float(value) if not value.isdecimal() else int(value)
        except ValueError:
            fields[name] = value
    return fields


def _block_problem(block: str) -> str:
    """Say what is wrong with a MOL block that rdkit refuses."""
    lines = block.splitlines()
    counts = lines[3] if len(lines) > 3 else ""
    if "V3000" in counts:
        return "the V3000 block is incomplete or broken; get a complete copy of the file"
    if not re.match(r"[\d ]{6}", counts):
        return (
            "line 4 is not the counts line of a MOL block (number of atoms and of bonds); the file "
            "is cut off or of another kind"
        )
    n_atoms, n_bonds = (int(counts[i : i + 3].strip() or 0) for i in (0, 3))
    if len(lines) < 4 + n_atoms + n_bonds:
        return (
            f"it announces {n_atoms} atoms and {n_bonds} bonds, but only {len(lines) - 4} lines "
            "follow, so the file is cut off; get a complete copy"
        )
    for i, line in enumerate(lines[4 : 4 + n_atoms]):
        where = f"atom {i} (counted from 0, line {5 + i})"
        symbol = line[31:34].strip()
        for word in (line[0:10], line[10:20], line[20:30]):
            if not re.fullmatch(r"\s*[-+]?\d+\.\d*\s*", word):
                return f"{where}: the coordinate {short(word)} is not a number; correct it"
        if symbol not in SYMBOLS[1:]:
            return f"{where}: {short(symbol)} is not an element; correct or remove the atom"
    if not re.search(r"^M  END", block, flags=re.MULTILINE):
        return "the closing line 'M  END' is missing, so the file is cut off; get a complete copy"
    return "the bonds or properties of the MOL block are broken; get a correct copy of the file"
