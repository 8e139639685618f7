"""Changes by a click: another element at a place, or nothing at all.

In a molecule whose bonds are known hydrogens follow: the changed atom and its neighbours get as
many as their valences ask for, and the geometry is made as for a SMILES, laid over the old one.
Everywhere else, and on request, all other atoms stay where they are.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.errors import SettingsError, StructureError
from atomlens.printing import one_line
from atomlens.structures import to_atoms
from atomlens.structures.bonding import BONDING, molecule_of
from atomlens.structures.molecules import from_molecule

if TYPE_CHECKING:
    from ase import Atoms


class ChangedStructure(NamedTuple):
    """A structure after a change."""

    atoms: "Atoms"
    change: str
    """Such as ``O2 → N``"""
    origin: tuple[int, ...]
    """(n_atoms,) number of each atom before the change; -1 for new ones"""


def change_atom(
    atoms: "Atoms", atom: int, element: str | None, *, hydrogens_follow: bool = True
) -> ChangedStructure:
    """Return a structure in which one atom is of another element, or absent.

    Args:
        atoms: Stays as it is.
        atom: Its number, from 0.
        element: Symbol; None takes the atom out.
        hydrogens_follow: Where the bonds are known, add and remove hydrogens as valences ask.

    Raises:
        SettingsError: no such atom or element.
        StructureError: what is left cannot be a structure.
    """
    if not 0 <= atom < len(atoms):
        raise SettingsError(f"There is no atom {atom}; the structure has {len(atoms)} (from 0).")
    symbols = atoms.get_chemical_symbols()
    if element is not None:
        element = element.strip().capitalize()
        if element not in ATOMIC_NUMBERS:
            raise SettingsError(
                f"{element[:12]!r} is not the symbol of an element; try C, N or Cl."
            )
        if element == symbols[atom]:
            raise SettingsError(f"Atom {atom} is {element} already; choose another element.")
    elif len(atoms) == 1:
        raise StructureError("This is the only atom; change its element instead.")
    change = f"{symbols[atom]}{atom} → {element}" if element else f"without {symbols[atom]}{atom}"
    molecule = molecule_of(atoms) if hydrogens_follow else None
    if molecule is not None and not (element is None and symbols[atom] == "H"):
        return _followed(atoms, molecule, atom, element, change)
    return _in_place(atoms, atom, element, change)


def _in_place(atoms: "Atoms", atom: int, element: str | None, change: str) -> ChangedStructure:
    changed = atoms.copy()
    changed.info.pop(BONDING, None)
    changed.info.pop("smiles", None)
    changed.info.pop("warnings", None)
    kept = np.arange(len(atoms))
    if element is None:
        kept = np.delete(kept, atom)
        changed = changed[kept]
    else:
        changed.numbers[atom] = ATOMIC_NUMBERS[element]
    changed.calc = None
    return ChangedStructure(to_atoms(changed), change, tuple(kept.tolist()))


def _followed(
    atoms: "Atoms", molecule: Any, atom: int, element: str | None, change: str
) -> ChangedStructure:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        edited = Chem.RWMol(molecule)
        # rings are written with single and double bonds, which may then change
        Chem.Kekulize(edited, clearAromaticFlags=True)
        for one in edited.GetAtoms():
            one.SetIntProp("_before", one.GetIdx())
        centre = edited.GetAtomWithIdx(atom)
        charge, was_hydrogen = centre.GetFormalCharge(), centre.GetAtomicNum() == 1
        opposite = [n for n in centre.GetNeighbors() if n.GetFormalCharge() * charge < 0]
        touched = [centre, *(centre.GetNeighbors() if element is None else opposite)]
        doomed = set()
        for one in touched:
            if not was_hydrogen:  # else it becomes an atom, and its neighbour stays as it is
                doomed |= {n.GetIdx() for n in one.GetNeighbors() if n.GetAtomicNum() == 1}
            one.SetNoImplicit(False)
            one.SetNumExplicitHs(0)
            one.SetNumRadicalElectrons(0)
            if one.GetIdx() == atom or one.GetFormalCharge() * charge < 0:
                one.SetFormalCharge(0)
        centre.SetIsotope(0)
        centre.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        doomed.discard(atom)
        if element is None:
            doomed.add(atom)
        else:
            centre.SetAtomicNum(ATOMIC_NUMBERS[element])
        if element == "H" and sum(n.GetIdx() not in doomed for n in centre.GetNeighbors()) > 1:
            raise StructureError(
                f"{change}: a hydrogen cannot hold two atoms together; take the atom out instead."
            )
        edited.BeginBatchEdit()
        for index in doomed:
            edited.RemoveAtom(index)
        edited.CommitBatchEdit()
        whole = edited.GetMol()
        try:
            Chem.SanitizeMol(whole)
        except ValueError as error:
            what = one_line(str(error).partition(",")[0])
            raise StructureError(
                f"{change}: the valences do not allow it ({what}); choose another element, or let "
                "the hydrogens stay as they are."
            ) from error
        whole = Chem.AddHs(whole)
        if whole.GetNumAtoms() == 0:
            raise StructureError(f"{change}: nothing is left; change the element instead.")
        origin = tuple(
            a.GetIntProp("_before") if a.HasProp("_before") else -1 for a in whole.GetAtoms()
        )
    changed = from_molecule(whole)
    changed.info["name"] = atoms.info.get("name", "")
    changed.positions = _laid_over(changed.positions, atoms.positions, origin, changed.numbers)
    return ChangedStructure(to_atoms(changed), change, origin)


def _laid_over(
    positions: NDArray[np.float64],
    before: NDArray[np.float64],
    origin: tuple[int, ...],
    numbers: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Turn and move new positions so that the atoms that stay lie over what they were.

    Heavy atoms decide if there are three; a mirror image is no motion and is not made.
    """
    from scipy.spatial.transform import Rotation

    stays = np.array([i >= 0 for i in origin])
    heavy = stays & (numbers != 1)
    chosen = heavy if heavy.sum() >= 3 else stays
    if not chosen.any():
        return positions
    old = before[np.array(origin)[chosen]]
    new = positions[chosen]
    old_centre, new_centre = old.mean(axis=0), new.mean(axis=0)
    if chosen.sum() < 2:
        shifted: NDArray[np.float64] = positions - new_centre + old_centre
        return shifted
    turned, _ = Rotation.align_vectors(old - old_centre, new - new_centre)
    moved: NDArray[np.float64] = turned.apply(positions - new_centre) + old_centre
    return moved
