"""Coordinates that are made: the molecule decides, not its spelling, and no atoms overlap."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdDepictor

from atomlens.structures import read_structures, to_atoms
from atomlens.structures.molecules.geometry_checks import (
    geometry_problem,
    long_multiple_bond,
    uneven_bonds,
)
from atomlens.structures.records import quiet


def made(smiles: str) -> Atoms:
    with quiet():
        return to_atoms(f"smiles:{smiles}")


def distances(atoms: Atoms) -> NDArray[np.float64]:
    """Sorted distances, each with the elements it joins."""
    found = atoms.get_all_distances()
    i, j = np.triu_indices(len(atoms), 1)
    return np.sort(found[i, j] + 100.0 * (atoms.numbers[i] + atoms.numbers[j]))


SPELLINGS = [
    ("CCCCCC=O", "O=CCCCCC"),
    ("Oc1ccc(cc1)C#N", "N#Cc1ccc(O)cc1"),
    ("CN1CCC[C@H]1c1cccnc1", "c1ncccc1[C@@H]1CCCN1C"),
    ("[H]N([H])CC", "CCN"),
    ("CC(=O)[O-].[K+]", "[K+].[O-]C(C)=O"),
    (r"F/C=C/Cl", r"Cl\C=C\F"),
]


@pytest.mark.parametrize(("first", "second"), SPELLINGS)
def test_the_conformer_does_not_depend_on_the_spelling(first: str, second: str) -> None:
    assert distances(made(first)) == pytest.approx(distances(made(second)), abs=1e-9)


@pytest.mark.parametrize(
    "smiles", ["C[C@H](O)C(N)=O", "C[C@@H](F)[C@H](Cl)CC", "C1C[C@@H]2CO[C@H]1O2"]
)
def test_mirror_images_are_mirror_images(smiles: str) -> None:
    molecule = Chem.MolFromSmiles(smiles)
    for atom in molecule.GetAtoms():
        atom.InvertChirality()
    mirror = Chem.MolToSmiles(molecule)
    one, two = made(smiles), made(mirror)
    assert distances(one) == pytest.approx(distances(two), abs=1e-9)
    assert handedness(smiles, one) == -handedness(mirror, two) != 0


def handedness(smiles: str, atoms: Atoms) -> int:
    """The sign of the volume that heavy atoms of a canonical order span."""
    molecule = Chem.MolFromSmiles(smiles)
    ranks = list(Chem.CanonicalRankAtoms(molecule, includeChirality=False))
    order = sorted(range(len(ranks)), key=lambda i: ranks[i])
    p = atoms.positions[order[:4]]
    return int(np.sign(np.linalg.det(p[1:] - p[0])))


def test_atoms_stand_in_the_order_of_the_smiles() -> None:
    assert str(made("OCCN").symbols[:4]) == "OC2N"
    assert made("N#CO").get_distance(0, 1) == pytest.approx(1.16, abs=0.03)


POLYHEDRA = {
    "F[Sb-](F)(F)(F)(F)F": (1.85, 1.95, 2.6),
    "F[Si-2](F)(F)(F)(F)F": (1.6, 1.75, 2.2),
    "F[Te](F)(F)(F)(F)F": (1.8, 1.95, 2.5),
    "ClP(Cl)(Cl)(Cl)Cl": (2.0, 2.2, 2.8),
    "Cl[Pt-2](Cl)(Cl)(Cl)(Cl)Cl": (2.2, 2.45, 3.0),
    "Cl[Pd-2](Cl)(Cl)Cl": (2.2, 2.45, 3.0),
    "FI(F)(F)(F)F": (1.8, 2.0, 2.5),
}


@pytest.mark.parametrize("smiles", POLYHEDRA)
def test_centres_with_many_neighbours_have_their_polyhedron(smiles: str) -> None:
    shortest, longest, contact = POLYHEDRA[smiles]
    atoms = made(smiles)
    centre = int(np.argmin([atoms.symbols.count(s) for s in atoms.symbols]))
    others = [i for i in range(len(atoms)) if i != centre]
    bonds = atoms.get_distances(centre, others)
    assert bonds.min() > shortest
    assert bonds.max() < longest
    assert min(atoms.get_distance(i, j) for i in others for j in others if i < j) > contact


# gas-phase bond lengths; M. Hargittai, Chem. Rev. 100, 2233 (2000), and of uranyl from crystals
OF_METALS = {
    "Cl[Hf](Cl)(Cl)Cl": (2.32, 109.5),
    "F[Ta](F)(F)(F)F": (1.86, None),
    "Cl[W](Cl)(Cl)(Cl)(Cl)Cl": (2.29, None),
    "F[Np](F)(F)(F)(F)F": (1.98, None),
    "Br[Al](Br)Br": (2.22, 120.0),
    "Cl[Ga](Cl)Cl": (2.11, 120.0),
    "F[Be]F": (1.37, 180.0),
    "O=[Np+]=O": (1.80, 180.0),
    "F[Zr-2](F)(F)(F)(F)F": (2.00, None),
    "Cl[Th](Cl)(Cl)Cl": (2.57, 109.5),
    "C[Zn]C": (1.93, 180.0),
    "C[Hg]C": (2.08, 180.0),
    "c1ccccc1[Hg]c1ccccc1": (2.09, 180.0),
}


@pytest.mark.parametrize("smiles", OF_METALS)
def test_bonds_of_metals_are_as_long_as_measured_and_alike(smiles: str) -> None:
    length, angle = OF_METALS[smiles]
    atoms = made(smiles)
    metal = np.where(np.isin(atoms.numbers, [1, 6, 8, 9, 17, 35]), 0, atoms.numbers)
    centre = int(np.argmax(metal))
    near = atoms.get_distances(centre, range(len(atoms))) < 2.75
    others = [i for i, z in enumerate(atoms.numbers) if i != centre and z > 1 and near[i]]
    bonds = atoms.get_distances(centre, others)
    assert bonds == pytest.approx(length, abs=0.1)
    assert np.ptp(bonds) < 0.03
    if angle is not None:
        assert atoms.get_angle(others[0], centre, others[1]) == pytest.approx(angle, abs=1)


# measured: CRC Handbook of Chemistry and Physics, 9; the ranges hold substituents
MULTIPLE = {
    "O=C=O": (0, 1, 1.150, 1.170),
    "S=C=S": (1, 2, 1.54, 1.57),
    "O=S=O": (0, 1, 1.42, 1.44),
    "O=S(=O)=O": (1, 3, 1.41, 1.43),
    "[O-][N+]#N": (0, 1, 1.17, 1.20),
    "[N-]=[N+]=[N-]": (0, 1, 1.17, 1.20),
    "[O-]N=O": (1, 2, 1.22, 1.26),
    "CCN=C=S": (3, 4, 1.54, 1.65),
    "CC#[N+][O-]": (1, 2, 1.13, 1.20),
    "O=I(=O)c1ccccc1": (0, 1, 1.74, 1.90),
    "O=Cl(=O)[O-]": (0, 1, 1.43, 1.50),
    "OBr(=O)=O": (1, 2, 1.57, 1.68),
    "[O-]I(=O)(=O)=O": (1, 2, 1.72, 1.82),
    "[O-]Cl=O": (1, 2, 1.43, 1.58),
}


@pytest.mark.parametrize(
    ("smiles", "angles"),
    [
        ("N[Pt](N)(Br)Br", {90, 180}),
        ("[NH3][Co+3]([NH3])([NH3])([NH3])([NH3])Cl", {90, 180}),
        ("Br[Fe](Br)Br", {120}),
        ("Cl[Mn]Cl", {180}),
        ("Cl[Co-2](Cl)(Cl)Cl", {109}),
        ("Cl[Pb]Cl", {109}),
        ("Br[Zn-2](Br)(Br)Br", {109}),
    ],
)
def test_what_hangs_on_a_corner_does_not_bend_the_polyhedron(smiles: str, angles: set[int]) -> None:
    atoms = made(smiles)
    others = [i for i, z in enumerate(atoms.numbers) if z in (7, 17, 35)]
    metal = int(np.argmax(np.isin(atoms.numbers, [25, 26, 27, 30, 78, 82])))
    found = [atoms.get_angle(i, metal, j) for i in others for j in others if i < j]
    assert {min(angles, key=lambda a: abs(a - x)) for x in found} == angles
    assert max(min(abs(a - x) for a in angles) for x in found) < 2


@pytest.mark.parametrize("smiles", MULTIPLE)
def test_multiple_bonds_are_not_as_long_as_single_ones(smiles: str) -> None:
    # MMFF94 has no such bonds and takes them as single: CO2 was 1.405 Å
    first, second, shortest, longest = MULTIPLE[smiles]
    assert shortest < made(smiles).get_distance(first, second) < longest


def test_small_molecules_have_their_angle_in_whatever_order_they_are_written() -> None:
    assert made("O=S=O").get_angle(0, 1, 2) == pytest.approx(119.3)
    assert made("S(=O)=O").get_angle(1, 0, 2) == pytest.approx(119.3)
    nitrous = made("N#[N+][O-]")
    assert str(nitrous.symbols) == "N2O"
    assert nitrous.get_distances(1, [0, 2]) == pytest.approx([1.128, 1.184])
    assert made("[O-][N+]#N").get_distances(1, [2, 0]) == pytest.approx([1.128, 1.184])


def test_a_multiple_bond_as_long_as_a_single_one_is_seen() -> None:
    molecule = Chem.MolFromSmiles("O=C=O")
    positions = np.array([[-1.405, 0, 0], [0, 0, 0], [1.405, 0, 0]])
    assert "the multiple bond of atoms 0 (O) and 1 (C) is 1.4" in long_multiple_bond(
        molecule, positions
    )
    assert long_multiple_bond(molecule, positions * 0.83) == ""


def test_bonds_of_a_metal_that_differ_without_a_reason_are_seen() -> None:
    molecule = Chem.MolFromSmiles("Cl[Ti](Cl)(Cl)Cl")
    positions = made("Cl[Ti](Cl)(Cl)Cl").positions
    assert uneven_bonds(molecule, positions) == ""
    positions[0] = 1.2 * (positions[0] - positions[1]) + positions[1]
    assert "bonds of Ti to Cl are from 2.18 to 2.62 Å long" in uneven_bonds(molecule, positions)


def test_six_neighbours_stand_at_right_angles_and_five_around_an_axis() -> None:
    octahedron, bipyramid = made("F[As-](F)(F)(F)(F)F"), made("FP(F)(F)(C)C")
    angles = [octahedron.get_angle(i, 1, j) for i in (0, 2) for j in (3, 4, 5, 6)]
    assert sorted({round(a) for a in angles}) in ([90], [90, 180])
    assert bipyramid.get_angle(0, 1, 2) == pytest.approx(180, abs=1)  # fluorines on the axis


@pytest.mark.parametrize(
    "smiles",
    [
        "CCOC(=O)C[n+]1ccn(C)c1.F[P-](F)(F)(F)(F)F",
        "FS(F)(F)(F)(F)c1ccccc1",
        "[NH3][Cr+3]([NH3])([NH3])([NH3])([NH3])[NH3]",
        "N->[Pd](<-N)(Br)Br",
        "CC#N~[Fe]",
        "O=C1O[Cr]2(OC(=O)C(=O)O2)(OC1=O)",
        "Cc1ccc(P(Cl)(Cl)(Cl)c2ccccc2)cc1",
        "C12C3C4C1C5C2C3C45",
        "C1C2CC1C2",
        "O.[Cl-].C[NH3+]",
        "OCC.Cl",
    ],
)
def test_what_is_made_is_a_molecule(smiles: str) -> None:
    atoms = made(smiles)
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert [a.GetAtomicNum() for a in molecule.GetAtoms()] == atoms.numbers.tolist()
    assert geometry_problem(molecule, atoms.positions) == ""


def test_what_is_no_molecule_is_seen() -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC"))
    positions = made("CC").positions
    assert geometry_problem(molecule, positions) == ""
    moved = positions.copy()
    moved[2] = positions[5] + [0.3, 0.0, 0.0]
    assert "H" in geometry_problem(molecule, moved)
    stretched = positions.copy()
    stretched[[0, 2, 3, 4]] -= 2.0 * (positions[1] - positions[0])
    assert "bonded" in geometry_problem(molecule, stretched)


def mol_text(smiles: str, keep: str = "all") -> str:
    """A 3D MOL block whose hydrogens are all there, or those on O and N, or all but one."""
    whole = Chem.AddHs(Chem.MolFromSmiles(smiles))
    from rdkit.Chem import rdDistGeom

    rdDistGeom.EmbedMolecule(whole, randomSeed=7)
    copy = Chem.RWMol(whole)
    hydrogens = [a for a in whole.GetAtoms() if a.GetAtomicNum() == 1]
    on_carbon = [a.GetIdx() for a in hydrogens if a.GetNeighbors()[0].GetAtomicNum() == 6]
    gone = {"all": [], "polar": on_carbon, "all but one": on_carbon[:1]}[keep]
    for i in sorted(gone, reverse=True):
        copy.RemoveAtom(i)
    return str(Chem.MolToMolBlock(copy))


def read_mol(folder: Path, text: str, name: str = "x.mol") -> tuple[Atoms, list[str]]:
    (folder / name).write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (atoms,) = read_structures(folder / name).structures
    return atoms, atoms.info.get("warnings", [])


def test_hydrogens_on_carbon_that_a_pose_leaves_out_are_added(tmp_path: Path) -> None:
    atoms, said = read_mol(tmp_path, mol_text("NCC(C)CO", "polar"))
    assert atoms.get_chemical_formula() == "C4H11NO"
    assert said == ["hydrogens that the file leaves out were added"]
    whole, said = read_mol(tmp_path, mol_text("NCC(C)CO"))
    assert (len(whole), said) == (17, [])


def test_one_absent_hydrogen_of_many_may_be_a_radical(tmp_path: Path) -> None:
    atoms, said = read_mol(tmp_path, mol_text("CCCCO", "all but one"))
    assert len(atoms) == 14
    assert "1 hydrogens that its valences ask for" in said[0]


def complex_text(order: int) -> str:
    rows = [
        ("Pd", 0, 0, 0.1),
        ("N", 2.05, 0, 0),
        ("N", -2.05, 0, 0),
        ("Br", 0, 2.4, 0),
        ("Br", 0, -2.4, 0),
    ]
    atoms = "".join(f"{x:10.4f}{y:10.4f}{z:10.4f} {s:<3} 0  0\n" for s, x, y, z in rows)
    bonds = f"  1  2{order:3d}  0\n  3  1{order:3d}  0\n  1  4  1  0\n  1  5  1  0\n"
    counts = "  5  4  0  0  0  0            999 V2000\n"
    return f"x\n  test              3D\n\n{counts}{atoms}{bonds}M  END\n"


@pytest.mark.parametrize("order", [8, 9])
def test_hydrogens_beside_bonds_without_order_stand_apart(order: int, tmp_path: Path) -> None:
    atoms, _ = read_mol(tmp_path, complex_text(order))
    assert atoms.get_chemical_formula() == "H6Br2N2Pd"
    hydrogens = np.flatnonzero(atoms.numbers == 1)
    apart = [atoms.get_distance(i, j) for i in hydrogens for j in hydrogens if i < j]
    assert min(apart) > 1.4


@pytest.mark.parametrize(
    "smiles", ["CC(=O)[O-].[Na+]", "CCN.Cl", "c1ccccc1.OO", "[Mg+2].[Cl-].[Cl-]"]
)
def test_the_parts_of_a_flat_drawing_are_placed_apart(smiles: str, tmp_path: Path) -> None:
    drawing = Chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(drawing)
    atoms, said = read_mol(tmp_path, Chem.MolToMolBlock(drawing))
    assert sorted(atoms.numbers) == sorted(made(smiles).numbers)
    assert any("3 Å apart" in s for s in said)


def test_an_rdkit_molecule_in_space_without_hydrogens_gets_them() -> None:
    molecule = Chem.RemoveHs(Chem.MolFromMolBlock(mol_text("CCO"), removeHs=False))
    with quiet():
        assert to_atoms(molecule).get_chemical_formula() == "C2H6O"
