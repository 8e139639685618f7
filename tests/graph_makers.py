"""Small graphs made by hand, for tests that need no structure files."""

import torch

from atomlens.graphs import AtomGraph


def random_graph(
    n_nodes: int, n_neighbors: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> AtomGraph:
    """A graph with ``n_neighbors`` random neighbours an atom and made-up geometry."""
    generator = torch.Generator().manual_seed(seed)
    n_edges = n_nodes * n_neighbors
    target = torch.arange(n_nodes).repeat_interleave(n_neighbors)
    source = torch.randint(0, n_nodes, (n_edges,), generator=generator)
    numbers = torch.tensor([1, 6, 7, 8])
    return AtomGraph(
        atomic_numbers=numbers[torch.randint(0, 4, (n_nodes,), generator=generator)],
        edge_index=torch.stack([source, target]),
        distances=(torch.rand(n_edges, generator=generator) * 2 + 1).to(dtype),
        edge_vectors=torch.randn(n_edges, 3, generator=generator).to(dtype),
        images=torch.zeros(n_edges, 3, dtype=torch.int64),
        solid_angles=(torch.rand(n_edges, generator=generator) * 4 + 0.4).to(dtype),
        edge_weights=torch.rand(n_edges, generator=generator).to(dtype),
        charges=torch.randn(n_nodes, generator=generator).to(dtype) / 4,
        cell=(8 * torch.eye(3) + torch.rand(3, 3, generator=generator)).to(dtype),
    )


def lone_atom() -> AtomGraph:
    """One atom without neighbours."""
    return random_graph(1, 0)


def shuffled(graph: AtomGraph, order: torch.Tensor) -> AtomGraph:
    """The same graph with its atoms in another order: atom ``order[i]`` becomes atom i."""
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    edges = place[graph.edge_index]
    rows = torch.argsort(edges[1], stable=True)
    assert graph.solid_angles is not None
    assert graph.edge_weights is not None
    assert graph.charges is not None
    return AtomGraph(
        atomic_numbers=graph.atomic_numbers[order],
        edge_index=edges[:, rows],
        distances=graph.distances[rows],
        edge_vectors=graph.edge_vectors[rows],
        images=graph.images[rows],
        solid_angles=graph.solid_angles[rows],
        edge_weights=graph.edge_weights[rows],
        charges=graph.charges[order],
        cell=graph.cell,
    )


def doubled(graph: AtomGraph) -> AtomGraph:
    """Two copies of the graph as one system: what a supercell is to a periodic graph."""
    assert graph.solid_angles is not None
    assert graph.edge_weights is not None
    assert graph.charges is not None
    n = graph.n_nodes
    return AtomGraph(
        atomic_numbers=graph.atomic_numbers.repeat(2),
        edge_index=torch.cat([graph.edge_index, graph.edge_index + n], dim=1),
        distances=graph.distances.repeat(2),
        edge_vectors=graph.edge_vectors.repeat(2, 1),
        images=graph.images.repeat(2, 1),
        solid_angles=graph.solid_angles.repeat(2),
        edge_weights=graph.edge_weights.repeat(2),
        charges=graph.charges.repeat(2),
        cell=graph.cell,
    )
