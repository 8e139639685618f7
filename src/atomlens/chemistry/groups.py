"""What a chemist calls an atom's surroundings: functional groups, hybridisation, rings, sites."""

from functools import cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from atomlens.chemistry.bonds import find_bonds
from atomlens.chemistry.hybridisation import perceive_molecule
from atomlens.chemistry.orbits import symmetry_of_crystal
from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.arrays import Structure

Kind = Literal["element", "coordination", "hybridisation", "ring", "group", "site symmetry"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Ways to tell the surroundings of atoms of one element apart, coarse ones first."""

GROUPS: tuple[tuple[str, str], ...] = (
    ("O of water", "[OX2H2]"),
    ("carbonyl O of a carboxylic acid", "[OX1;$(O=C[OX2H1])]"),
    ("carbonyl O of a carbonate or carbamate", "[OX1;$(O=C([OX2])[OX2,NX3])]"),
    ("carbonyl O of an ester", "[OX1;$(O=C[OX2])]"),
    ("carbonyl O of a urea", "[OX1;$(O=C([#7X3])[#7X3])]"),
    ("carbonyl O of an amide", "[OX1;$(O=C[#7])]"),
    ("carbonyl O of an aldehyde", "[OX1;$(O=[CX3;H1,H2])]"),
    ("carbonyl O of a ketone", "[OX1;$(O=[#6]([#6])[#6])]"),
    ("carbonyl O, other", "[OX1;$(O=[#6])]"),
    ("O of a nitro group", "[OX1;$(O~[#7X3](~[OX1]))]"),
    ("O of a nitroso group or N-oxide", "[OX1;$(O~[#7])]"),
    ("O on S or P", "[OX1;$(O~[#16,#15])]"),
    ("OH of a carboxylic acid", "[OX2H1;$(OC=O)]"),
    ("OH of a phenol", "[OX2H1;$(Oc)]"),
    ("OH of an enol", "[OX2H1;$(OC=C)]"),
    ("OH on N", "[OX2H1;$(O[#7])]"),
    ("OH of an alcohol", "[OX2H1;$(O[CX4])]"),
    ("OH, other", "[OX2H1]"),
    ("O of an ester", "[OX2;$(O([#6])C=O)]"),
    ("O of an aromatic ring", "[o]"),
    ("O of an epoxide", "[OX2r3]"),
    ("O of an acetal", "[OX2;$(O([#6])[CX4][OX2])]"),
    ("O of an aryl or vinyl ether", "[OX2;$(O([#6])[c,$(C=C)])]"),
    ("O of an ether", "[OX2;$(O([#6])[#6])]"),
    ("N of a nitrile", "[NX1;$(N#C)]"),
    ("N of a nitro group", "[#7X3;$([#7](~[OX1])~[OX1])]"),
    ("N of pyridine type", "[nX2]"),
    ("N of pyrrole type", "[nX3]"),
    ("NH2 of an amide", "[NX3H2;$(NC=O)]"),
    ("N of an amide", "[NX3;$(NC=O)]"),
    ("N of an amidine (single bonds)", "[NX3;$(NC=[NX2])]"),
    ("N of an aniline or enamine", "[NX3;$(N[c,$(C=C)])]"),
    ("N of an azo group or azide", "[NX2;$(N=N)]"),
    ("N of an oxime or hydrazone", "[NX2;$(N([#8,#7])=C)]"),
    ("N of an imine", "[NX2;$(N=C)]"),
    ("N of an aziridine", "[NX3r3]"),
    ("N bonded to N or O", "[NX3;$(N[#7,#8])]"),
    ("NH2 of an amine", "[NX3H2;$(N[CX4])]"),
    ("NH of an amine", "[NX3H1;$(N([CX4])[CX4])]"),
    ("N of a tertiary amine", "[NX3H0;$(N([CX4])([CX4])[CX4])]"),
    ("N with four bonds", "[NX4]"),
    ("C of a nitrile", "[CX2;$(C#N)]"),
    ("C of an alkyne", "[CX2;$(C#C)]"),
    ("C of an allene or cumulene", "[CX2;$(C(=*)=*)]"),
    ("aromatic C beside N, O or S", "[c;$(c:[n,o,s])]"),
    ("aromatic C with N, O, S or halogen on it", "[c;$(c-,=[#7,#8,#16,F,Cl,Br,I])]"),
    ("aromatic C", "[c]"),
    ("C of a carboxylic acid", "[CX3;$(C(=O)[OX2H1])]"),
    ("C of an ester", "[CX3;$(C(=O)[OX2])]"),
    ("C of an amide", "[CX3;$(C(=O)[#7])]"),
    ("C of an aldehyde", "[CX3;H1,H2;$(C=O)]"),
    ("C of a ketone", "[CX3;$(C(=O)([#6])[#6])]"),
    ("C of an imine", "[CX3;$(C=[#7])]"),
    ("C of an enol or enamine", "[CX3;$(C(=C)[#7,#8])]"),
    ("C of an alkene", "[CX3;$(C=C)]"),
    ("sp3 C with F, Cl, Br or I", "[CX4;$(C[F,Cl,Br,I])]"),
    ("sp3 C with two O or N", "[CX4;$(C([#7,#8])[#7,#8])]"),
    ("sp3 C on O", "[CX4;$(C[#8])]"),
    ("sp3 C on N", "[CX4;$(C[#7])]"),
    ("C of a three-membered ring", "[CX4r3]"),
    ("CH3", "[CX4H3]"),
    ("CH4", "[CX4H4]"),
    ("CH2", "[CX4H2]"),
    ("CH", "[CX4H1]"),
    ("C with four C", "[CX4H0]"),
    ("F on sp3 C", "[F;$(F[CX4])]"),
    ("F on sp2 or sp C", "[F;$(F[#6])]"),
    ("Cl on sp3 C", "[Cl;$(Cl[CX4])]"),
    ("Cl on sp2 C", "[Cl;$(Cl[#6])]"),
    ("S of an aromatic ring", "[s]"),
    ("SH", "[SX2H1]"),
    ("thione S", "[SX1]"),
    ("S of a sulfone or sulfonamide", "[SX4]"),
    ("S of a sulfoxide", "[SX3]"),
    ("S of a thioether", "[SX2;$(S([#6])[#6])]"),
)
"""Names and SMARTS of one atom with its surroundings; the first that fits names the atom."""
_OTHER = "other"


class AtomNames(NamedTuple):
    """What is known of the atoms of one structure."""

    names: dict[Kind, tuple[str, ...]]
    """(n_atoms,) of each kind; empty where it does not apply"""
    perceived: bool
    """Whether bond orders were found, so that groups are known; always false for a crystal."""


def names_of_atoms(structure: Structure, tolerance: float = 0.01) -> AtomNames:
    """Name the surroundings of every atom of a molecule, crystal or formula.

    Hybridisation, rings and groups are those of molecules whose bond orders make a neutral
    molecule (rdkit); hydrogens belong to the group of the atom that they are bonded to. Site
    symmetry is that of crystals (spglib), ``tolerance`` in Å. In a formula there are elements only.
    """
    numbers = structure.atomic_numbers.astype(int)
    symbols = [SYMBOLS[z] for z in numbers.tolist()]
    names: dict[Kind, tuple[str, ...]] = {"element": tuple(symbols)}
    if structure.is_formula:
        return AtomNames(names, perceived=False)
    bonds = find_bonds(structure)
    counts = np.bincount(bonds[:, 0], minlength=len(numbers)).tolist()
    names["coordination"] = tuple(
        f"{symbol} with {n} neighbour{'' if n == 1 else 's'}"
        for symbol, n in zip(symbols, counts, strict=True)
    )
    if structure.pbc.any():
        names["site symmetry"] = _sites(structure, symbols, tolerance)
        return AtomNames(names, perceived=False)
    molecule = perceive_molecule(structure.atomic_numbers, bonds, orders=True)
    if molecule is None:
        return AtomNames(names, perceived=False)
    return AtomNames(names | _of_molecule(molecule, symbols), perceived=True)


def group_names(molecule: Any) -> tuple[str, ...]:
    """(n_atoms,) The name in ``GROUPS`` of each atom of a sanitized rdkit molecule.

    A hydrogen is an atom of the molecule here, and has the name of the group it is bonded to.
    """
    names = [""] * molecule.GetNumAtoms()
    for name, pattern in _patterns():
        for (atom,) in molecule.GetSubstructMatches(pattern, maxMatches=len(names)):
            names[atom] = names[atom] or name
    for atom in molecule.GetAtoms():
        place = atom.GetIdx()
        if not names[place] and atom.GetAtomicNum() > 1:
            names[place] = f"{atom.GetSymbol()}, {_OTHER}"
    for atom in molecule.GetAtoms():
        near = atom.GetNeighbors()
        if atom.GetAtomicNum() == 1:
            names[atom.GetIdx()] = f"H: {names[near[0].GetIdx()]}" if len(near) == 1 else "H, other"
    return tuple(names)


@cache
def _patterns() -> tuple[tuple[str, Any], ...]:
    from rdkit import Chem

    return tuple((name, Chem.MolFromSmarts(smarts)) for name, smarts in GROUPS)


def _of_molecule(molecule: Any, symbols: list[str]) -> dict[Kind, tuple[str, ...]]:
    hybrids, rings = [], []
    known = molecule.GetRingInfo()
    for atom, symbol in zip(molecule.GetAtoms(), symbols, strict=True):
        kind = str(atom.GetHybridization()).lower()
        heavy = atom.GetAtomicNum() > 1
        hybrids.append(f"{symbol} {kind}" if heavy and kind in ("sp", "sp2", "sp3") else "")
        size = known.MinAtomRingSize(atom.GetIdx()) if known.NumAtomRings(atom.GetIdx()) else 0
        place = "in no ring" if not size else f"in a ring of {size}"
        aromatic = "aromatic, " if atom.GetIsAromatic() else ""
        rings.append(f"{symbol} {aromatic}{place}" if heavy else "")
    return {
        "hybridisation": tuple(hybrids),
        "ring": tuple(rings),
        "group": group_names(molecule),
    }


def _sites(structure: Structure, symbols: list[str], tolerance: float) -> tuple[str, ...]:
    """(n_atoms,) element and Hermann-Mauguin symbol of its site; empty where none is found."""
    if not structure.pbc.all():
        return ("",) * len(symbols)
    try:
        found = symmetry_of_crystal(structure, tolerance)
    except StructureError:
        return ("",) * len(symbols)
    sites = [str(s).replace(".", "") for s in found.site_symmetry_symbols]
    return tuple(f"{symbol} at {site}" for symbol, site in zip(symbols, sites, strict=True))
