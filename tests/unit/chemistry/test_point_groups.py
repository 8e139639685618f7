"""Point groups and orbits known from textbooks."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.spacegroup import crystal
from scipy.spatial.transform import Rotation

from atomlens.chemistry.orbits import find_orbits
from atomlens.chemistry.point_groups import find_symmetry
from atomlens.errors import StructureError
from atomlens.structures.arrays import structure_of
from structure_makers import smfe12

KNOWN = {
    "CH3CHO": ("Cs", 2, [1, 1, 1, 1, 1, 2]),
    "H2O": ("C2v", 4, [1, 2]),
    "NH3": ("C3v", 6, [1, 3]),
    "trans-butane": ("C2h", 4, [2, 2, 2, 4, 4]),
    "BF3": ("D3h", 12, [1, 3]),
    "C2H4": ("D2h", 8, [2, 4]),
    "C2H6": ("D3d", 12, [2, 6]),
    "C3H4_D2d": ("D2d", 8, [1, 2, 4]),
    "C6H6": ("D6h", 24, [6, 6]),
    "CH4": ("Td", 24, [1, 4]),
    "HCN": ("C∞v", 1, [1, 1, 1]),
    "CO2": ("D∞h", 2, [1, 2]),
}


def sizes(atoms: Atoms, tolerance: float = 0.05) -> list[int]:
    return sorted(find_orbits(structure_of(atoms), tolerance).sizes.tolist())


@pytest.mark.parametrize("name", KNOWN)
def test_the_point_group_is_that_of_the_textbook(name):
    atoms = molecule(name)
    found = find_symmetry(atoms.numbers, atoms.positions, 0.05)
    group, n_operations, orbit_sizes = KNOWN[name]
    assert (found.group, len(found.rotations)) == (group, n_operations)
    assert sizes(atoms) == orbit_sizes


def test_c60_is_one_orbit_of_the_icosahedral_group():
    found = find_orbits(structure_of(molecule("C60")), 0.05)
    assert (found.group, found.sizes.tolist()) == ("Ih", [60])
    assert found.heights is None


@pytest.mark.parametrize("name", ["C2H6", "CH4", "C6H6", "CO2"])
def test_symmetry_feels_neither_rotation_nor_the_order_of_atoms(name):
    atoms = molecule(name)
    random = np.random.default_rng(0)
    order = random.permutation(len(atoms))
    turned = Rotation.from_rotvec([0.3, 1.1, -0.7]).apply(atoms.positions + 2.0)
    found = find_symmetry(atoms.numbers[order], turned[order], 0.02)
    assert (found.group, len(found.rotations)) == KNOWN[name][:2]


def test_operations_form_a_group_and_take_atoms_to_their_images():
    atoms = molecule("CH4")
    found = find_symmetry(atoms.numbers, atoms.positions, 0.05)
    known = {p.tobytes() for p in found.permutations}
    for first in found.permutations:
        assert all(first[second].tobytes() in known for second in found.permutations)
    centred = atoms.positions - atoms.positions.mean(axis=0)
    for rotation, permutation in zip(found.rotations, found.permutations, strict=True):
        assert centred @ rotation.T == pytest.approx(centred[permutation], abs=0.01)


def test_elements_are_not_exchanged():
    atoms = molecule("CH4")
    atoms.numbers[1] = 9
    assert find_symmetry(atoms.numbers, atoms.positions, 0.05).group == "C3v"


def test_a_chiral_propeller_has_rotations_alone():
    angles = np.arange(3) * 2 * np.pi / 3
    inner = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    outer = np.stack([1.8 * np.cos(angles + 0.4), 1.8 * np.sin(angles + 0.4), 0.5 + 0 * angles], 1)
    assert find_symmetry(np.repeat([6, 9], 3), np.concatenate([inner, outer]), 0.05).group == "C3"


def test_three_opposite_pairs_have_an_inversion_alone():
    half = np.array([[1.0, 0.2, 0.3], [0.4, 1.3, -0.6], [-0.5, 0.7, 1.9]])
    positions = np.concatenate([half, -half])
    assert find_symmetry(np.array([6, 9, 7, 6, 9, 7]), positions, 0.05).group == "Ci"


def test_an_octahedron_is_cubic():
    positions = np.concatenate([np.zeros((1, 3)), 1.56 * np.eye(3), -1.56 * np.eye(3)])
    assert find_symmetry(np.array([16] + [9] * 6), positions, 0.05).group == "Oh"


def test_noise_breaks_symmetry_below_its_size_and_not_above():
    atoms = molecule("C60")
    atoms.rattle(0.02, seed=1)
    assert find_orbits(structure_of(atoms), 0.02).trivial
    found = find_orbits(structure_of(atoms), 0.2)
    assert (found.group, found.sizes.tolist()) == ("Ih", [60])
    assert 0.02 < found.deviation < 0.2
    assert find_orbits(structure_of(atoms), found.deviation * 1.05).group == "Ih"


def test_one_atom_is_one_orbit():
    assert sizes(Atoms("He", positions=[[1, 2, 3]])) == [1]


def test_heights_are_measured_from_the_plane_of_the_axis():
    found = find_orbits(structure_of(molecule("C2H6")), 0.05)
    half_bond = molecule("C2H6").get_distance(0, 1) / 2
    assert found.heights[:2] == pytest.approx(half_bond, abs=1e-3)


def test_the_three_iron_sites_of_smfe12_are_three_orbits():
    found = find_orbits(structure_of(smfe12()), 0.05)
    assert found.group == "I4/mmm"
    letters = {
        found.wyckoff[atoms[0]]: (len(atoms), smfe12().symbols[int(atoms[0])]) for atoms in found
    }
    assert letters == {"a": (2, "Sm"), "f": (8, "Fe"), "i": (8, "Fe"), "j": (8, "Fe")}


def test_a_crystal_with_noise_needs_a_larger_tolerance():
    atoms = smfe12()
    atoms.rattle(0.01, seed=1)
    assert find_orbits(structure_of(atoms), 0.005).trivial
    found = find_orbits(structure_of(atoms), 0.2)
    assert found.group == "I4/mmm"
    assert 0.01 < found.deviation < 0.2


def test_a_supercell_of_rock_salt_has_two_orbits():
    salt = crystal(["Na", "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[5.64] * 3)
    assert sizes(salt.repeat((2, 1, 1))) == [8, 8]


def test_a_slab_and_a_formula_have_no_orbits_here():
    slab = molecule("CH4")
    slab.set_cell([10, 10, 10])
    slab.pbc = (True, True, False)
    with pytest.raises(StructureError, match="some directions only"):
        find_orbits(structure_of(slab), 0.05)
    formula = molecule("CH4")
    formula.info["is_formula"] = True
    with pytest.raises(StructureError, match="no geometry"):
        find_orbits(structure_of(formula), 0.05)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "group", "expected"),
    [("C70", "D5h", [10, 10, 10, 20, 20]), ("C72", "D6d", [12, 12, 24, 24])],
)
def test_the_papers_fullerenes_have_their_orbits(fixtures_dir, name, group, expected):
    path = fixtures_dir.parent / "data" / "scann_molecules" / f"{name}_opt.xyz"
    if not path.is_file():
        pytest.skip("the paper's geometries are not on this machine")
    from ase.io import read

    found = find_orbits(structure_of(read(path)), 0.01)
    assert (found.group, sorted(found.sizes.tolist())) == (group, expected)
