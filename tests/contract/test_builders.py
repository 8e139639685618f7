"""What every neighbour builder owes its callers."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from scipy.spatial.transform import Rotation

from atomlens.graphs import AtomGraph, collate
from atomlens.neighbors import BUILDERS, GraphBuilder, make_builder


def structures() -> dict[str, Atoms]:
    crystal = bulk("ZnS", "zincblende", a=5.41) * (2, 1, 1)
    crystal.rattle(0.03, seed=1)
    slab = fcc111("Al", (2, 1, 3))
    slab.rattle(0.03, seed=2)
    return {"molecule": molecule("CH3CH2OH"), "crystal": crystal, "slab": slab, "atom": Atoms("Ar")}


every_builder = pytest.mark.parametrize(
    "builder", [make_builder(n) for n in BUILDERS], ids=BUILDERS
)
every_structure = pytest.mark.parametrize("kind", structures())


def summary(graph: AtomGraph) -> np.ndarray:
    """What must not depend on how the structure was written down."""
    numbers, (source, target) = graph.atomic_numbers, graph.edge_index
    columns = [numbers[target], numbers[source], graph.distances]
    columns += [c for c in (graph.solid_angles, graph.edge_weights) if c is not None]
    table = torch.stack([c.double() for c in columns], dim=1).numpy()
    return table[np.lexsort(table.round(5).T)]


@every_builder
@every_structure
def test_edges_are_sorted_by_target_then_distance(builder: GraphBuilder, kind: str) -> None:
    graph = builder.build(structures()[kind])
    order = np.lexsort((graph.distances, graph.edge_index[1]))
    np.testing.assert_array_equal(graph.edge_index[1][order], graph.edge_index[1])
    np.testing.assert_array_equal(graph.distances[order], graph.distances)


@every_builder
@every_structure
def test_vectors_lead_from_target_to_source(builder: GraphBuilder, kind: str) -> None:
    if not builder.needs_positions:
        return
    atoms = structures()[kind]
    atoms.positions += 7.3
    graph = builder.build(atoms)
    source, target = graph.edge_index
    expected = atoms.positions[source] - atoms.positions[target]
    expected = expected + graph.images.numpy() @ np.array(atoms.cell)
    np.testing.assert_allclose(graph.edge_vectors, expected, atol=1e-10)
    np.testing.assert_allclose(graph.edge_vectors.norm(dim=1), graph.distances, atol=1e-10)
    assert not graph.images.numpy()[:, ~atoms.pbc].any()


@every_builder
@every_structure
def test_turning_and_shifting_change_nothing(builder: GraphBuilder, kind: str) -> None:
    atoms = structures()[kind]
    turn = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
    moved = atoms.copy()
    moved.set_cell(np.array(atoms.cell) @ turn.T)
    moved.positions = atoms.positions @ turn.T + [3.0, -8.0, 1.0]
    np.testing.assert_allclose(
        summary(builder.build(moved)), summary(builder.build(atoms)), atol=1e-7
    )


@every_builder
@every_structure
def test_the_order_of_the_atoms_does_not_matter(builder: GraphBuilder, kind: str) -> None:
    atoms = structures()[kind]
    shuffled = atoms[np.random.default_rng(0).permutation(len(atoms))]
    np.testing.assert_allclose(
        summary(builder.build(shuffled)), summary(builder.build(atoms)), atol=1e-9
    )


@every_builder
def test_doubling_the_cell_doubles_the_edges(builder: GraphBuilder) -> None:
    atoms = structures()["crystal"]
    factor = 2 if builder.needs_positions else 1
    once, twice = builder.build(atoms), builder.build(atoms.repeat((1, 2, 1)))
    assert twice.n_edges == factor * once.n_edges


@every_builder
@every_structure
def test_the_structure_is_left_as_it_was(builder: GraphBuilder, kind: str) -> None:
    atoms = structures()[kind]
    before = atoms.copy()
    builder.build(atoms)
    np.testing.assert_array_equal(atoms.positions, before.positions)
    np.testing.assert_array_equal(np.array(atoms.cell), np.array(before.cell))


@every_builder
@every_structure
def test_building_twice_gives_the_same_bits(builder: GraphBuilder, kind: str) -> None:
    a, b = builder.build(structures()[kind]), builder.build(structures()[kind])
    assert a.parts().keys() == b.parts().keys()
    for name, x in a.parts().items():
        y = b.parts()[name]
        assert torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y


@every_builder
def test_graphs_of_one_builder_can_be_batched(builder: GraphBuilder) -> None:
    batch = collate([builder.build(atoms) for atoms in structures().values()])
    assert batch.n_graphs == len(structures())
    assert torch.isfinite(batch.distances).all()


@every_builder
def test_settings_make_the_same_builder_again(builder: GraphBuilder) -> None:
    assert make_builder(builder.name, **builder.settings()) == builder


@every_builder
def test_builders_are_frozen_and_documented(builder: GraphBuilder) -> None:
    assert BUILDERS[builder.name] is type(builder)
    assert type(builder).__doc__
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        builder.cutoff = 3.0  # type: ignore[attr-defined]
