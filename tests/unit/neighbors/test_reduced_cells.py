"""One graph brings its reduced cell as many graphs do."""

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule

from atomlens.graphs import GraphStore
from atomlens.neighbors import build_store, make_builder
from atomlens.neighbors.features import reduced_cells
from atomlens.structures.arrays import StructureArrays


def test_a_single_graph_has_the_reduced_cell_that_a_store_has() -> None:
    skewed = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    skewed.set_cell(np.array([[1, 0, 0], [1, 1, 0], [0, 2, 1]]) @ skewed.cell.array)
    atoms = [skewed, molecule("CH4")]
    builder = make_builder("nearest", n_neighbors=4)
    together = build_store(StructureArrays.from_atoms(atoms), builder).store
    apart = GraphStore.from_graphs([builder.build(a) for a in atoms])
    torch.testing.assert_close(apart.reduced_cell, together.reduced_cell)
    assert (apart.reduced_cell[0] - apart.cell[0]).abs().max() > 1


def test_a_reduced_cell_spans_the_same_lattice() -> None:
    cell = np.array([[1, 0, 0], [1, 1, 0], [0, 2, 1]]) @ bulk("NaCl", "rocksalt", a=5.6).cell.array
    found = reduced_cells(cell[None], np.ones((1, 3), dtype=np.bool_))
    assert found is not None
    numbers = found[0] @ np.linalg.inv(cell)
    assert np.abs(numbers - numbers.round()).max() < 1e-9
    assert abs(np.linalg.det(numbers)) == pytest.approx(1.0)
    assert np.linalg.norm(found[0], axis=1).sum() < 0.8 * np.linalg.norm(cell, axis=1).sum()


def test_what_does_not_repeat_in_all_directions_keeps_its_cell() -> None:
    cell = np.array([[4.0, 0, 0], [4.0, 4.0, 0], [0, 4.0, 20.0]])
    pbc = np.array([[True, True, False], [False, False, False]])
    found = reduced_cells(np.stack([cell, cell]), pbc)
    assert found is not None
    assert np.array_equal(found, np.stack([cell, cell]))
