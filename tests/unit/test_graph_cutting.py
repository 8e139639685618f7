"""Copies of graphs, and graphs without some atoms, are what graphs built that way would be."""

import torch

from atomlens.graphs import collate, copies, keep_nodes
from graph_makers import random_graph


def test_copies_are_the_same_graphs_laid_end_to_end_again() -> None:
    graphs = [random_graph(5, 3), random_graph(4, 2, seed=1)]
    found, expected = copies(collate(graphs), 3), collate(graphs * 3)
    for name, value in expected.parts().items():
        assert torch.equal(found.parts()[name], value), name


def test_without_a_whole_graphs_neighbours_the_others_stay() -> None:
    graphs = [random_graph(5, 3), random_graph(4, 2, seed=1)]
    batch = collate(graphs)
    kept = torch.ones(9, dtype=torch.bool)
    kept[:5] = False
    cut, alone = keep_nodes(batch, kept), collate(graphs[1:])
    assert cut.node_counts.tolist() == [0, 4]
    assert torch.equal(cut.edge_index, alone.edge_index)
    assert torch.equal(cut.distances, alone.distances)
