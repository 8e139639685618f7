"""What every neighbour builder owes its callers."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.graphs import AtomGraph, collate
from atomlens.neighbors.base import GraphBuilder

if TYPE_CHECKING:
    from ase import Atoms

Structures = Mapping[str, "Atoms"]


def check_builder(builder: GraphBuilder, structures: "Structures | None" = None) -> None:
    """Check a neighbour builder as those of this package are checked.

    Args:
        builder: The builder with its settings.
        structures: What it is tried on, by name; by default a molecule, a crystal, a slab and
            an atom.

    Raises:
        AssertionError: a fact does not hold; the message says which.
    """
    given = structures or example_structures()
    for check in BUILDER_CHECKS:
        check(builder, given)


def example_structures() -> "dict[str, Atoms]":
    """Return a molecule, a crystal with two kinds of atoms, a slab and a lone atom."""
    from ase import Atoms
    from ase.build import bulk, fcc111, molecule

    crystal = bulk("ZnS", "zincblende", a=5.41) * (2, 1, 1)
    crystal.rattle(0.03, seed=1)
    slab = fcc111("Al", (2, 1, 3))
    slab.rattle(0.03, seed=2)
    return {"molecule": molecule("CH3CH2OH"), "crystal": crystal, "slab": slab, "atom": Atoms("Ar")}


def summary(graph: AtomGraph) -> NDArray[np.float64]:
    """Return what must not depend on how the structure was written down."""
    numbers, (source, target) = graph.atomic_numbers, graph.edge_index
    columns = [numbers[target], numbers[source], graph.distances]
    columns += [c for c in (graph.solid_angles, graph.edge_weights) if c is not None]
    table: NDArray[np.float64] = torch.stack([c.double() for c in columns], dim=1).numpy()
    return table[np.lexsort(table.round(5).T)]


def _alike(first: AtomGraph, second: AtomGraph, tolerance: float, fact: str) -> None:
    a, b = summary(first), summary(second)
    same = a.shape == b.shape and bool(np.allclose(a, b, atol=tolerance))
    assert same, f"{fact} ({len(a)} and {len(b)} edges)"


def edges_are_sorted_by_target_then_distance(builder: GraphBuilder, given: Structures) -> None:
    """The edges of an atom stand together, the nearest first."""
    for name, atoms in given.items():
        graph = builder.build(atoms)
        order = np.lexsort((graph.distances, graph.edge_index[1]))
        target = graph.edge_index[1].numpy()
        assert (target[order] == target).all(), f"{name}: edges are not sorted by target"
        distances = graph.distances.numpy()
        near = (distances[order] == distances).all()
        assert near, f"{name}: the edges of an atom are not sorted by distance"


def vectors_lead_from_target_to_source(builder: GraphBuilder, given: Structures) -> None:
    """Vectors, images and distances agree with the positions."""
    if not builder.needs_positions:
        return
    for name, one in given.items():
        atoms = one.copy()
        atoms.positions += 7.3
        graph = builder.build(atoms)
        source, target = graph.edge_index
        expected = atoms.positions[source] - atoms.positions[target]
        expected = expected + graph.images.numpy() @ np.array(atoms.cell)
        found = np.asarray(graph.edge_vectors)
        fits = np.allclose(found, expected, atol=1e-10)
        assert fits, f"{name}: vectors do not lead from target to source and image"
        lengths = np.linalg.norm(found, axis=1)
        fits = np.allclose(lengths, graph.distances, atol=1e-10)
        assert fits, f"{name}: distances are not the lengths of the vectors"
        still = not graph.images.numpy()[:, ~atoms.pbc].any()
        assert still, f"{name}: an image in a direction that does not repeat"


def turning_and_shifting_change_nothing(builder: GraphBuilder, given: Structures) -> None:
    """A structure may lie anywhere in space."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
    for name, atoms in given.items():
        moved = atoms.copy()
        moved.set_cell(np.array(atoms.cell) @ turn.T)
        moved.positions = atoms.positions @ turn.T + [3.0, -8.0, 1.0]
        fact = f"{name}: turned and shifted it has other neighbours"
        _alike(builder.build(moved), builder.build(atoms), 1e-7, fact)


def the_order_of_the_atoms_does_not_matter(builder: GraphBuilder, given: Structures) -> None:
    """The same structure written in another order has the same neighbours."""
    for name, atoms in given.items():
        shuffled = atoms[np.random.default_rng(0).permutation(len(atoms))]
        fact = f"{name}: in another order of the atoms it has other neighbours"
        _alike(builder.build(shuffled), builder.build(atoms), 1e-9, fact)


def doubling_the_cell_doubles_the_edges(builder: GraphBuilder, given: Structures) -> None:
    """A supercell is the same crystal."""
    factor = 2 if builder.needs_positions else 1
    for name, atoms in given.items():
        if not atoms.pbc.all():
            continue
        once, twice = builder.build(atoms), builder.build(atoms.repeat((1, 2, 1)))
        found = f"{once.n_edges} edges become {twice.n_edges}"
        assert twice.n_edges == factor * once.n_edges, f"{name}: in a cell twice as large {found}"


def the_structure_is_left_as_it_was(builder: GraphBuilder, given: Structures) -> None:
    """A builder does not write into what it reads."""
    for name, atoms in given.items():
        before = atoms.copy()
        builder.build(atoms)
        same = np.array_equal(atoms.positions, before.positions)
        same = same and np.array_equal(np.array(atoms.cell), np.array(before.cell))
        assert same, f"{name}: the builder changes the structure"


def building_twice_gives_the_same_bits(builder: GraphBuilder, given: Structures) -> None:
    """Nothing is left to chance."""
    for name, atoms in given.items():
        a, b = builder.build(atoms).parts(), builder.build(atoms).parts()
        for part, value in a.items():
            same = torch.equal(value, b[part]) if torch.is_tensor(value) else value == b[part]
            assert same, f"{name}: built twice, {part} differs"


def graphs_can_be_batched(builder: GraphBuilder, given: Structures) -> None:
    """All graphs of a builder have the same fields, and finite distances."""
    batch = collate([builder.build(atoms) for atoms in given.values()])
    assert batch.n_graphs == len(given)
    assert torch.isfinite(batch.distances).all(), "a distance is not finite"


def packed_edges_are_those_of_single_graphs(builder: GraphBuilder, given: Structures) -> None:
    """Many structures at once give what each gives alone."""
    from atomlens.structures.arrays import StructureArrays

    packed = builder.pack(StructureArrays.from_atoms(list(given.values())))
    alone = [builder.build(atoms) for atoms in given.values()]
    assert packed.kept.tolist() == list(range(len(given))), "a structure is lost among many"
    counts = [graph.n_edges for graph in alone]
    assert packed.edge_counts.tolist() == counts, "among many a structure has other edges"
    distances = np.concatenate([graph.distances.numpy() for graph in alone])
    near = np.allclose(packed.distances, distances, atol=1e-5)
    assert near, "among many a structure has other distances"


def settings_make_the_same_builder_again(builder: GraphBuilder, _given: Structures) -> None:
    """A model folder keeps the settings, and they are enough."""
    again = type(builder)(**builder.settings())
    assert again == builder, "settings() do not make the same builder again"


def it_is_frozen_and_documented(builder: GraphBuilder, _given: Structures) -> None:
    """A builder is a frozen dataclass with a docstring and a name."""
    kind = type(builder)
    assert kind.__doc__, f"{kind.__name__} has no docstring"
    frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
    assert frozen, f"{kind.__name__} is no frozen dataclass"
    assert builder.name, f"{kind.__name__} has no name"


BUILDER_CHECKS: tuple[Callable[[GraphBuilder, Structures], None], ...] = (
    edges_are_sorted_by_target_then_distance,
    vectors_lead_from_target_to_source,
    turning_and_shifting_change_nothing,
    the_order_of_the_atoms_does_not_matter,
    doubling_the_cell_doubles_the_edges,
    the_structure_is_left_as_it_was,
    building_twice_gives_the_same_bits,
    graphs_can_be_batched,
    packed_edges_are_those_of_single_graphs,
    settings_make_the_same_builder_again,
    it_is_frozen_and_documented,
)
"""The facts, each a function of a builder and structures."""
