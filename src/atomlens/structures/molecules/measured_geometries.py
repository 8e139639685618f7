"""Measured geometries of small molecules whose bonds the force fields do not know."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_DIATOMICS = {
    (1, 1): 0.741,
    (1, 6): 1.120,
    (1, 7): 1.036,
    (1, 8): 0.970,
    (1, 9): 0.917,
    (1, 16): 1.341,
    (1, 17): 1.275,
    (1, 35): 1.414,
    (1, 53): 1.609,
    (6, 6): 1.243,
    (6, 7): 1.172,
    (6, 8): 1.128,
    (6, 16): 1.535,
    (7, 7): 1.098,
    (7, 8): 1.151,
    (8, 8): 1.208,
    (8, 14): 1.510,
    (8, 16): 1.481,
    (9, 9): 1.412,
    (9, 17): 1.628,
    (15, 15): 1.893,
    (16, 16): 1.889,
    (17, 17): 1.988,
    (17, 35): 2.136,
    (17, 53): 2.321,
    (34, 34): 2.166,
    (35, 35): 2.281,
    (53, 53): 2.666,
}
"""Å, equilibrium distances in the ground state by atomic numbers; K. P. Huber, G. Herzberg,
Constants of Diatomic Molecules (1979)."""
_DIATOMIC_IONS = {
    (1, 8, -1): 0.964,
    (6, 7, -1): 1.177,
    (7, 8, 1): 1.063,
    (8, 8, -1): 1.35,
}
"""Å, by atomic numbers and charge: the same, and of hydroxide and cyanide J. C. Owrutsky et al., J.
Chem. Phys. 83, 5338 (1985), S. E. Bradforth et al., J. Chem. Phys. 98, 800 (1993)."""
_OF_ONE_CENTRE: dict[str, tuple[tuple[float, ...], float]] = {
    "O=C=O": ((1.160, 1.160), 180.0),
    "S=C=S": ((1.553, 1.553), 180.0),
    "O=C=S": ((1.157, 1.561), 180.0),
    "O=S=O": ((1.431, 1.431), 119.3),
    "O=S(=O)=O": ((1.420, 1.420, 1.420), 120.0),
    "O=[O+][O-]": ((1.272, 1.272), 116.8),
    "N#[N+][O-]": ((1.128, 1.184), 180.0),
    "[N-]=[N+]=O": ((1.128, 1.184), 180.0),
    "[N-]=[N+]=[N-]": ((1.188, 1.188), 180.0),
    "O=[N+]=O": ((1.15, 1.15), 180.0),
    "[O]N=O": ((1.193, 1.193), 134.1),
    "O=N[O-]": ((1.24, 1.24), 115.0),
}
"""Molecules of one centre that the force fields take to have single bonds: by canonical SMILES, the
lengths of the bonds (Å) in the order of the SMILES and the angle between them; CRC Handbook of
Chemistry and Physics, 9: structure of free molecules, and of ions from crystals."""


def measured_positions(molecule: Any) -> NDArray[np.float64] | None:
    """Return measured coordinates (n_atoms, 3), Å, of a molecule with all its hydrogens, or None.

    Two atoms and some molecules of one centre are known.
    """
    found = _diatomic(molecule)
    return _of_one_centre(molecule) if found is None else found


def _diatomic(molecule: Any) -> NDArray[np.float64] | None:
    """Return measured coordinates of two atoms, however their bond is written; None if unknown.

    Force fields have no such molecules in mind: they make N2 1.46 Å long. O2, with two unpaired
    electrons, is ``O=O`` and ``[O][O]`` alike.
    """
    atoms = list(molecule.GetAtoms())
    if len(atoms) != 2:
        return None
    charge = sum(a.GetFormalCharge() for a in atoms)
    first, second = sorted(a.GetAtomicNum() for a in atoms)
    known = _DIATOMIC_IONS.get((first, second, charge))
    length = known if charge else _DIATOMICS.get((first, second))
    return None if length is None else np.array([[0.0, 0.0, 0.0], [length, 0.0, 0.0]])


def _of_one_centre(molecule: Any) -> NDArray[np.float64] | None:
    """Return measured coordinates of a molecule of one centre; None if unknown."""
    from rdkit import Chem

    if not 3 <= molecule.GetNumAtoms() <= 4:
        return None
    known = _OF_ONE_CENTRE.get(Chem.MolToSmiles(molecule))
    if known is None:
        return None
    lengths, angle = known
    order = output_order(molecule)
    centre = max(order, key=lambda i: molecule.GetAtomWithIdx(i).GetDegree())
    positions = np.zeros((len(order), 3))
    ends = [i for i in order if i != centre]
    for k, (i, length) in enumerate(zip(ends, lengths, strict=True)):
        turn = np.radians(k * angle)
        positions[i] = length * np.array([np.cos(turn), np.sin(turn), 0.0])
    return positions


def output_order(molecule: Any) -> list[int]:
    """Return the atoms in the order of the SMILES that rdkit wrote last."""
    return [int(i) for i in molecule.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]]
