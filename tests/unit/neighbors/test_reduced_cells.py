"""One graph brings its reduced cell as many graphs do."""

import numpy as np
import torch
from ase.build import bulk, molecule

from atomlens.graphs import GraphStore
from atomlens.neighbors import build_store, make_builder
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
