"""The Voronoi builder adds ring flags to the atoms of molecules, if asked."""

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule

from atomlens.errors import GraphError
from atomlens.graphs import collate
from atomlens.neighbors import VoronoiBuilder, build_store, make_builder
from atomlens.structures.arrays import StructureArrays

BUILDER = VoronoiBuilder(ring_flags=True)


def test_a_store_has_the_flags_of_single_graphs() -> None:
    atoms = [molecule(name) for name in ("H2O", "C6H6", "C5H5N")]
    store = build_store(StructureArrays.from_atoms(atoms), BUILDER).store
    order = torch.tensor([2, 0, 1])
    batch = store.batch(order)
    single = collate([BUILDER.build(atoms[i]) for i in order.tolist()])
    assert batch.ring_flags is not None
    assert single.ring_flags is not None
    assert torch.equal(batch.ring_flags, single.ring_flags)
    assert torch.equal(store._gathered(order).ring_flags, batch.ring_flags)
    assert batch.ring_flags.sum(dim=0).tolist() == [12, 12]


def test_periodic_structures_are_refused_by_name_and_the_others_go_on() -> None:
    silicon = bulk("Si")
    silicon.info["name"] = "silicon"
    structures = StructureArrays.from_atoms([molecule("C6H6"), silicon, molecule("H2O")])
    result = build_store(structures, BUILDER)
    assert result.kept.tolist() == [0, 2]
    (failure,) = result.failures
    assert failure.name == "silicon"
    assert "periodic" in failure.message
    assert result.store.ring_flags is not None
    assert len(result.store.ring_flags) == 15
    with pytest.raises(GraphError, match="silicon: this structure is periodic"):
        BUILDER.build(silicon)


def test_nobody_pays_who_does_not_ask() -> None:
    assert VoronoiBuilder().build(molecule("C6H6")).ring_flags is None
    assert "ring_flags" not in VoronoiBuilder().settings()
    assert make_builder("voronoi", **BUILDER.settings()) == BUILDER


def test_the_neighbours_are_those_without_flags() -> None:
    atoms = molecule("C6H6")
    plain, flagged = VoronoiBuilder().build(atoms), BUILDER.build(atoms)
    assert torch.equal(plain.edge_index, flagged.edge_index)
    np.testing.assert_array_equal(plain.distances.numpy(), flagged.distances.numpy())
