"""The Voronoi builder against known lattices, pymatgen, Qhull and geometry."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, graphene, molecule, nanotube
from ase.cell import Cell
from ase.spacegroup import crystal
from neighbor_cases import (
    FACES,
    angle_sums,
    angles_by_edge,
    ethanol,
    faces_by_qhull,
    random_crystals,
    rotated,
    skewed,
    with_ghosts,
)

from atomlens.neighbors import VoronoiBuilder


def sorted_angles(atoms: Atoms, builder: VoronoiBuilder = FACES) -> np.ndarray:
    graph = builder.build(atoms)
    first = graph.edge_index[1] == 0
    assert graph.solid_angles is not None
    return np.sort(graph.solid_angles[first].numpy())[::-1]


def test_rock_salt_has_six_equal_faces() -> None:
    graph = VoronoiBuilder().build(bulk("NaCl", "rocksalt", a=5.64))
    assert graph.n_edges == 12
    np.testing.assert_allclose(graph.solid_angles, 2 * np.pi / 3, rtol=1e-12)
    np.testing.assert_allclose(graph.distances, 2.82, rtol=1e-12)


def test_face_centred_cubic_has_twelve_equal_faces() -> None:
    np.testing.assert_allclose(sorted_angles(bulk("Al")), [np.pi / 3] * 12, rtol=1e-12)


def test_body_centred_cubic_has_eight_large_and_six_small_faces() -> None:
    expected = [1.237] * 8 + [0.445] * 6
    np.testing.assert_allclose(sorted_angles(bulk("Fe"), VoronoiBuilder()), expected, atol=5e-4)


def test_diamond_keeps_its_four_bonds() -> None:
    expected = [2.769] * 4 + [0.124] * 12
    np.testing.assert_allclose(sorted_angles(bulk("Si")), expected, atol=5e-4)
    assert VoronoiBuilder().build(bulk("Si")).n_edges == 8


def test_strontium_in_its_titanate_sees_twelve_oxygens() -> None:
    perovskite = Atoms(
        "SrTiO3",
        scaled_positions=[
            [0, 0, 0],
            [0.5, 0.5, 0.5],
            [0.5, 0.5, 0],
            [0.5, 0, 0.5],
            [0, 0.5, 0.5],
        ],
        cell=np.eye(3) * 3.905,
        pbc=True,
    )
    graph = VoronoiBuilder().build(perovskite)
    of_strontium = graph.edge_index[1] == 0
    assert graph.atomic_numbers[graph.edge_index[0][of_strontium]].tolist() == [8] * 12
    np.testing.assert_allclose(graph.solid_angles[of_strontium], np.pi / 3, rtol=1e-12)


def test_every_atom_of_c60_has_three_neighbours() -> None:
    graph = VoronoiBuilder().build(molecule("C60"))
    assert graph.n_edges == 180
    assert np.bincount(graph.edge_index[1]).tolist() == [3] * 60
    weights = np.sort(graph.edge_weights.numpy())
    np.testing.assert_allclose(weights, [0.934] * 120 + [1.0] * 60, atol=3e-3)


@pytest.mark.parametrize("name", ["Si", "Al", "Fe", "Mg", "NaCl"])
def test_perfect_lattices_come_out_the_same_in_any_cell_and_orientation(name: str) -> None:
    crystals = {"NaCl": bulk("NaCl", "rocksalt", a=5.64)}
    atoms = crystals.get(name) or bulk(name)
    expected = sorted_angles(atoms)
    for seed in range(3):
        for other in (skewed(atoms, seed), rotated(atoms * (2, 1, 3), seed), rotated(atoms, seed)):
            np.testing.assert_allclose(sorted_angles(other), expected, atol=1e-9)


def test_the_faces_of_random_crystals_are_those_of_pymatgen() -> None:
    local_env = pytest.importorskip("pymatgen.analysis.local_env")
    from pymatgen.io.ase import AseAtomsAdaptor

    finder = local_env.VoronoiNN(cutoff=9, compute_adj_neighbors=False)
    for atoms in random_crystals(30):
        ours = angles_by_edge(FACES.build(atoms))
        structure = AseAtomsAdaptor.get_structure(atoms)
        theirs = {}
        for i in range(len(atoms)):
            for face in finder.get_voronoi_polyhedra(structure, i).values():
                site = face["site"]
                image = np.rint(site.frac_coords - structure[site.index].frac_coords).astype(int)
                theirs[(i, int(site.index), *image.tolist())] = face["solid_angle"]
        for key in ours.keys() | theirs.keys():
            assert ours.get(key, 0.0) == pytest.approx(theirs.get(key, 0.0), abs=1e-9)


def test_the_faces_of_random_crystals_are_those_of_qhull() -> None:
    for atoms in random_crystals(30, seed=7):
        n, cell = len(atoms), np.array(atoms.cell)
        heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        steps = (12 // heights).astype(int) + 2
        shifts = np.array(np.meshgrid(*[range(-s, s + 1) for s in steps])).reshape(3, -1).T
        shifts = shifts[np.argsort(np.abs(shifts).sum(axis=1), kind="stable")]
        images = (atoms.positions[None] + (shifts @ cell)[:, None]).reshape(-1, 3)
        near = np.linalg.norm(images - images[:n].mean(axis=0), axis=1) < 15
        near[:n] = True
        kept = np.flatnonzero(near)
        expected = {
            (p, int(kept[q] % n), *shifts[kept[q] // n].tolist()): angle
            for (p, q), angle in faces_by_qhull(images[kept], n).items()
        }
        found = angles_by_edge(FACES.build(atoms))
        for key in found.keys() | expected.keys():
            assert found.get(key, 0.0) == pytest.approx(expected.get(key, 0.0), abs=1e-8)


@pytest.mark.parametrize("name", ["CH3CH2OH", "C6H6", "CH4", "H2O", "C2H2", "bicyclobutane"])
def test_the_ghosts_are_the_limit_of_ever_more_ghost_points(name: str) -> None:
    atoms = rotated(molecule(name))
    n = len(atoms)
    found = {key[:2]: angle for key, angle in angles_by_edge(FACES.build(atoms)).items()}
    for n_ghosts, tolerance in ((32, 4e-3), (2000, 1e-4)):
        faces = faces_by_qhull(with_ghosts(atoms.positions, n_ghosts), n)
        expected = {key: angle for key, angle in faces.items() if key[1] < n}
        for key in found.keys() | expected.keys():
            assert found.get(key, 0.0) == pytest.approx(expected.get(key, 0.0), abs=tolerance)


@pytest.mark.parametrize("name", ["CH3CH2OH", "C60", "C6H6"])
def test_turning_a_molecule_changes_no_angle(name: str) -> None:
    still = angles_by_edge(FACES.build(molecule(name)))
    for seed in range(3):
        turned = angles_by_edge(FACES.build(rotated(molecule(name), seed)))
        for key in still.keys() | turned.keys():
            assert turned.get(key, 0.0) == pytest.approx(still.get(key, 0.0), abs=1e-9)


def partly_periodic() -> dict[str, Atoms]:
    rough = fcc111("Al", (2, 2, 3))
    rough.rattle(0.1, seed=2)
    tube = nanotube(5, 0, length=1)
    tube.rattle(0.05, seed=1)
    return {
        "layer": graphene(),
        "slab": fcc111("Al", (2, 2, 3)),
        "rough slab": rough,
        "chain": Atoms("C", cell=[0, 0, 2.0], pbc=[False, False, True]),
        "tube": tube,
    }


@pytest.mark.parametrize("name", partly_periodic())
def test_slabs_and_wires_close_exactly_in_any_orientation(name: str) -> None:
    atoms = partly_periodic()[name]
    graph = FACES.build(atoms)
    np.testing.assert_allclose(angle_sums(graph), 4 * np.pi, rtol=1e-9)
    still = angles_by_edge(graph)
    turned = angles_by_edge(FACES.build(rotated(atoms)))
    for key in still.keys() | turned.keys():
        assert turned.get(key, 0.0) == pytest.approx(still.get(key, 0.0), abs=1e-8)


def test_a_slab_is_the_limit_of_a_crystal_with_much_vacuum() -> None:
    slab = partly_periodic()["rough slab"]
    wide = slab.copy()
    wide.cell[2] = [0, 0, 5000.0]
    wide.pbc = True
    slab_angles = angles_by_edge(FACES.build(slab))
    for key, angle in angles_by_edge(FACES.build(wide)).items():
        assert slab_angles.get(key, 0.0) == pytest.approx(angle, abs=1e-4)


@pytest.mark.parametrize("angle", [20.0, 60.0, 119.0])
def test_rhombohedral_cells_close_however_sharp(angle: float) -> None:
    atoms = Atoms("C", cell=Cell.fromcellpar([4, 4, 4, angle, angle, angle]), pbc=True)
    np.testing.assert_allclose(angle_sums(FACES.build(atoms)), 4 * np.pi, rtol=1e-9)


@pytest.mark.parametrize("lengths", [(0.3, 20, 20), (2, 2, 150), (60, 60, 60), (1, 30, 4)])
def test_thin_and_empty_cells_close(lengths: tuple[float, float, float]) -> None:
    atoms = Atoms("CO", positions=[[0, 0, 0], [0.1, 0.5, 0.9]], cell=lengths, pbc=True)
    np.testing.assert_allclose(angle_sums(FACES.build(atoms)), 4 * np.pi, rtol=1e-9)


def test_a_cluster_cut_from_a_perfect_lattice_works() -> None:
    grid = np.array(np.meshgrid(*[range(4)] * 3)).reshape(3, -1).T * 2.0
    graph = VoronoiBuilder().build(Atoms(["Cu"] * 64, grid))
    inner = np.flatnonzero(((grid > 1) & (grid < 5)).all(axis=1))
    assert np.bincount(graph.edge_index[1], minlength=64)[inner].tolist() == [6] * 8


@pytest.mark.parametrize(
    ("positions", "n_edges"),
    [
        ([[0, 0, 0]], 0),
        ([[0, 0, 0], [0, 0, 1.1]], 2),
        ([[0, 0, 0], [0, 0, 1.1], [0, 0, 2.3]], 4),
        ([[0, 0, 0], [1.4, 0, 0], [0, 1.4, 0], [1.4, 1.4, 0]], 8),
        ([[0, 0, 0], [0, 0, 9.0]], 0),
    ],
    ids=["one", "two", "in a line", "in a plane", "far apart"],
)
def test_degenerate_molecules_work(positions: list[list[float]], n_edges: int) -> None:
    atoms = Atoms(["C"] * len(positions), positions)
    assert VoronoiBuilder().build(atoms).n_edges == n_edges
    assert VoronoiBuilder().build(rotated(atoms)).n_edges == n_edges


def test_atoms_far_outside_the_cell_have_the_same_neighbours() -> None:
    inside = next(random_crystals(1, seed=4))
    outside = inside.copy()
    moves = np.random.default_rng(0).integers(-20, 20, (len(inside), 3))
    outside.positions += moves @ np.array(inside.cell)
    a, b = FACES.build(inside), FACES.build(outside)
    np.testing.assert_allclose(
        np.sort(a.solid_angles.numpy()), np.sort(b.solid_angles.numpy()), atol=1e-9
    )
    vectors = (
        outside.positions[b.edge_index[0]]
        + b.images.numpy() @ np.array(outside.cell)
        - outside.positions[b.edge_index[1]]
    )
    np.testing.assert_allclose(b.edge_vectors, vectors, atol=1e-10)


def test_doubling_the_cell_repeats_the_faces() -> None:
    atoms = next(random_crystals(1, seed=9))
    once, twice = FACES.build(atoms), FACES.build(atoms.repeat((2, 1, 1)))
    assert twice.n_edges == 2 * once.n_edges
    np.testing.assert_allclose(
        np.sort(np.tile(once.solid_angles.numpy(), 2)),
        np.sort(twice.solid_angles.numpy()),
        atol=1e-9,
    )


def test_a_large_cell_gives_what_its_parts_give() -> None:
    quartz = crystal(
        ["Si", "O"],
        [(0.469, 0, 1 / 3), (0.413, 0.267, 0.214)],
        spacegroup=154,
        cellpar=[4.91, 4.91, 5.4, 90, 90, 120],
    )
    small, large = VoronoiBuilder().build(quartz), VoronoiBuilder().build(quartz.repeat((6, 6, 6)))
    assert large.n_nodes > 1900
    assert large.n_edges == 216 * small.n_edges


def test_opposite_faces_of_a_pair_are_congruent_and_seen_from_both_sides() -> None:
    atoms = next(random_crystals(1, seed=11))
    angles = angles_by_edge(FACES.build(atoms))
    for target, source, a, b, c in angles:
        assert (source, target, -a, -b, -c) in angles


def test_no_neighbour_lies_beyond_the_cutoff_or_below_the_thresholds() -> None:
    builder = VoronoiBuilder(cutoff=2.5, min_solid_angle=0.6, min_weight=0.3)
    graph = builder.build(ethanol())
    assert graph.n_edges > 0
    assert graph.distances.max() <= 2.5 + 1e-6
    assert graph.solid_angles.min() >= 0.6 - 1e-6
    assert graph.edge_weights.min() >= 0.3 - 1e-6


def test_the_default_cutoff_is_longer_for_anything_periodic() -> None:
    pair = [[0, 0, 0], [0, 0, 5.0]]
    assert VoronoiBuilder().build(Atoms("Cs2", pair)).n_edges == 0
    slab = Atoms("Cs2", pair, cell=[9, 9, 0], pbc=[True, True, False])
    assert VoronoiBuilder().build(slab).n_edges == 2


def test_a_box_of_thirty_angstrom_gives_nearly_the_same_molecule() -> None:
    ghost, box = FACES.build(ethanol()), VoronoiBuilder(mode="box30").build(ethanol())
    assert not box.images.any()
    assert box.n_edges == VoronoiBuilder().build(ethanol()).n_edges
    expected = angles_by_edge(ghost)
    for key, angle in angles_by_edge(box).items():
        assert angle == pytest.approx(expected[key], abs=0.2)


def test_the_reference_mode_repeats_the_spurious_neighbours_of_the_published_code() -> None:
    long_chain = Atoms("C8", [[1.4 * i, 0, 0] for i in range(8)])
    assert VoronoiBuilder().build(long_chain).n_edges == 14
    graph = VoronoiBuilder(mode="reference").build(long_chain)
    assert graph.images.any()


def test_the_reference_mode_leaves_dense_crystals_alone() -> None:
    for atoms in random_crystals(4, seed=3):
        exact = VoronoiBuilder().build(atoms)
        graph = VoronoiBuilder(mode="reference").build(atoms)
        assert angles_by_edge(graph) == pytest.approx(angles_by_edge(exact), abs=1e-8)
