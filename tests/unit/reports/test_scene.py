"""What is drawn: bonds, copies on the cell faces, cell lines, the view."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, graphene_nanoribbon, molecule
from ase.spacegroup import crystal

from atomlens.reports.scene import build_scene, periodicity, quaternion
from explained_makers import formula, water


def bonded(atoms: Atoms) -> set[tuple[str, str]]:
    scene = build_scene(atoms)
    symbols = atoms.get_chemical_symbols()
    return {
        tuple(sorted((symbols[scene.atom_index[i]], symbols[scene.atom_index[j]])))
        for i, j in scene.bonds
    }


def test_water_has_two_bonds_and_no_bond_between_its_hydrogens() -> None:
    scene = build_scene(water())
    assert sorted(map(tuple, scene.bonds.tolist())) == [(0, 1), (0, 2)]


def test_a_hydrogen_molecule_has_its_bond() -> None:
    assert len(build_scene(molecule("H2")).bonds) == 1


def test_every_carbon_of_c60_has_three_neighbours() -> None:
    bonds = build_scene(molecule("C60")).bonds
    assert np.bincount(bonds.ravel()).tolist() == [3] * 60


def test_rock_salt_is_drawn_with_all_corners_edges_and_faces() -> None:
    scene = build_scene(bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    assert len(scene.positions) == 27
    assert len(scene.bonds) == 54
    assert not scene.is_copy_free


def test_copies_lie_a_lattice_vector_from_their_atom() -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    scene = build_scene(atoms)
    shifts = (scene.positions - atoms.positions[scene.atom_index]) @ np.linalg.inv(atoms.cell[:])
    assert np.abs(shifts - np.round(shifts)).max() < 1e-9


def test_perovskite_shows_titanium_octahedra_and_no_cation_contacts() -> None:
    atoms = crystal(
        ["Sr", "Ti", "O"],
        [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)],
        spacegroup=221,
        cellpar=[3.905] * 3 + [90] * 3,
    )
    assert bonded(atoms) == {("O", "Ti")}


def test_a_metal_keeps_its_bonds_under_an_adsorbate() -> None:
    slab = fcc111("Pt", (2, 2, 2), vacuum=6.0)
    slab += Atoms("CO", [slab.positions[-1] + (0, 0, 1.9), slab.positions[-1] + (0, 0, 3.05)])
    assert ("Pt", "Pt") in bonded(slab)
    assert ("C", "Pt") in bonded(slab)


@pytest.mark.parametrize(
    ("repeats", "n_lines", "names"), [(3, 12, "abc"), (2, 4, "ab"), (1, 1, "c"), (0, 0, "")]
)
def test_only_the_repeating_part_of_the_cell_is_framed(
    repeats: int, n_lines: int, names: str
) -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.pbc = {3: True, 2: (True, True, False), 1: (False, False, True), 0: False}[repeats]
    scene = build_scene(atoms)
    assert len(scene.cell_edges) == n_lines
    assert "".join(name for name, _ in scene.axes) == names


def test_the_frame_of_a_slab_lies_at_its_lowest_atoms() -> None:
    slab = fcc111("Pt", (2, 2, 2), vacuum=6.0)
    scene = build_scene(slab)
    assert scene.cell_edges[..., 2] == pytest.approx(slab.positions[:, 2].min())


def test_a_slab_without_a_third_cell_vector_can_be_drawn() -> None:
    slab = fcc111("Cu", (1, 1, 2), vacuum=None)
    slab.cell[2] = 0.0
    slab.pbc = (True, True, False)
    assert len(build_scene(slab).cell_edges) == 4


def test_a_molecule_is_seen_from_its_flat_side() -> None:
    ring = molecule("C6H6")
    ring.rotate(37, (1, 2, 3))
    depth = (ring.positions - ring.positions.mean(axis=0)) @ build_scene(ring).rotation[2]
    assert np.abs(depth).max() < 0.05


@pytest.mark.parametrize("name", ["H2O", "CO2", "C60", "CH4"])
def test_the_view_is_a_proper_rotation(name: str) -> None:
    rotation = build_scene(molecule(name)).rotation
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert np.linalg.norm(quaternion(rotation)) == pytest.approx(1.0)


def test_one_atom_can_be_drawn() -> None:
    scene = build_scene(Atoms("He"))
    assert scene.positions.shape == (1, 3)
    assert len(scene.bonds) == 0


def test_a_large_cell_is_drawn_without_copies_and_bonds() -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (7, 7, 7)
    scene = build_scene(atoms)
    assert len(scene.positions) == len(atoms) == 2744
    assert len(scene.bonds) == 0


def test_structures_are_called_by_the_number_of_directions_in_which_they_repeat() -> None:
    ribbon = graphene_nanoribbon(2, 2)
    assert [periodicity(a) for a in (formula("NaCl"), water(), ribbon, bulk("Cu"))] == [
        "formula",
        "molecule",
        "wire",
        "crystal",
    ]
