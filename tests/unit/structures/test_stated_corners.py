"""Squares, octahedra and trigonal bipyramids whose SMILES says which ligand stands where."""

import numpy as np
import pytest
from rdkit import Chem

from atomlens.structures import to_atoms
from atomlens.structures.smiles import is_open

_ANGLES = {4: {90, 180}, 5: {90, 120, 180}, 6: {90, 180}}


def _perceived(smiles: str) -> tuple[int, int, set[int]]:
    """Return the permutation that is written, the one rdkit sees in the coordinates, the angles."""
    atoms = to_atoms(smiles)
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    (centre,) = (a for a in molecule.GetAtoms() if a.HasProp("_chiralPermutation"))
    written = centre.GetIntProp("_chiralPermutation")
    corners = [bond.GetOtherAtomIdx(centre.GetIdx()) for bond in centre.GetBonds()]
    directions = atoms.positions[corners] - atoms.positions[centre.GetIdx()]
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    cosines = np.clip((directions @ directions.T)[np.triu_indices(len(corners), 1)], -1, 1)
    centre.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    centre.ClearProp("_chiralPermutation")
    conformer = Chem.Conformer(len(atoms))
    conformer.Set3D(True)
    conformer.SetPositions(np.array(atoms.positions))
    molecule.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(molecule)
    angles = set(np.degrees(np.arccos(cosines)).round().astype(int).tolist())
    return written, centre.GetIntProp("_chiralPermutation"), angles


@pytest.mark.parametrize(
    "smiles",
    [
        *(f"Br[Pt@SP{k}](Br)([NH3])[NH3]" for k in (1, 2, 3)),
        "Br[Pt@SP1](Br)(<-[NH3])<-[NH3]",
        "F[Ni@SP2](Cl)(Br)I",
        "F[Xe@SP3](F)(F)F",
        "F[Se@OH1](F)(F)(F)(F)Cl",
        *(f"F[Rh@OH{k}](Cl)(Br)(I)([NH3])[OH2]" for k in range(1, 31)),
        *(f"F[Sb@TB{k}](Cl)(Br)(I)C" for k in range(1, 21)),
    ],
)
def test_the_coordinates_have_the_corners_that_are_written(smiles: str) -> None:
    written, seen, angles = _perceived(smiles)
    assert seen == written
    n = 4 if "SP" in smiles else 6 if "OH" in smiles else 5
    assert angles == _ANGLES[n]


def test_cis_and_trans_differ_whatever_the_order_of_the_ligands() -> None:
    def between(smiles: str) -> float:
        atoms = to_atoms(smiles)
        return float(atoms.get_distance(*np.flatnonzero(atoms.numbers == 17)))

    cis = between("Cl[Pd@SP1](Br)(Br)Cl")
    trans = between("Cl[Pd@SP1](Br)(Cl)Br")
    assert cis < trans - 0.5
    assert between("Br[Pd@SP1](Cl)(Cl)Br") == pytest.approx(cis, abs=1e-6)
    assert between("Br[Pd@SP1](Cl)(Br)Cl") == pytest.approx(trans, abs=1e-6)


@pytest.mark.parametrize(
    ("smiles", "several"),
    [
        ("Cl[Pd](Cl)(Br)Br", True),
        ("Cl[Pt](Cl)([NH3])[NH3]", True),
        ("F[Co-3](F)(F)(F)(Cl)Cl", True),
        ("Cl[Pd@SP1](Cl)(Br)Br", False),
        ("Cl[Pt-2](Cl)(Cl)Cl", False),
        ("Cl[Pt-](Cl)(Cl)[NH3]", False),
        ("FS(F)(F)(F)(F)Cl", False),
        ("Cl[Zn-2](Cl)(Br)Br", False),
        ("Cl[Pt]1(Cl)[NH2]CC[NH2]1", False),
    ],
)
def test_squares_and_octahedra_may_leave_cis_and_trans_open(smiles: str, several: bool) -> None:
    assert is_open(smiles) is several


@pytest.mark.parametrize("number", [1, 8, 10, 19, 24])
def test_rings_at_a_centre_stand_on_the_stated_side_of_a_mirror(number: int) -> None:
    written, seen, _ = _perceived(f"O1CCO[Ge@OH{number}-2]12(F)(Cl)OCCO2")
    assert seen == written
