"""Formulas as graphs: every atom a node, or every element with its number of atoms."""

import torch
from ase import Atoms

from atomlens.graphs import AtomGraph
from atomlens.neighbors import make_builder


def naive_graph(atomic_numbers: list[int]) -> AtomGraph:
    """Every atom is a node and sees every other one, made without our builders."""
    n = len(atomic_numbers)
    target, source = (~torch.eye(n, dtype=torch.bool)).nonzero(as_tuple=True)
    return AtomGraph(
        atomic_numbers=torch.tensor(atomic_numbers),
        edge_index=torch.stack([source, target]),
        distances=torch.zeros(len(source), dtype=torch.float64),
        edge_vectors=torch.zeros(len(source), 3, dtype=torch.float64),
        images=torch.zeros(len(source), 3, dtype=torch.int64),
    )


def collapsed_graph(atomic_numbers: list[int]) -> AtomGraph:
    """The graph of the `formula` builder: every element is a node."""
    atoms = Atoms(atomic_numbers, positions=[[0.0, 0.0, 0.0]] * len(atomic_numbers))
    return make_builder("formula").build(atoms)
