"""Small graphs made by hand, for checks that need no structure."""

from types import EllipsisType

import torch
from torch import Tensor

from atomlens.graphs import FIELDS, AtomGraph


def random_graph(
    n_nodes: int, n_neighbors: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> AtomGraph:
    """Return a graph with ``n_neighbors`` random neighbours an atom and made-up geometry.

    Atoms are H, C, N and O.
    """
    generator = torch.Generator().manual_seed(seed)
    n_edges = n_nodes * n_neighbors
    target = torch.arange(n_nodes).repeat_interleave(n_neighbors)
    source = torch.randint(0, n_nodes, (n_edges,), generator=generator)
    numbers = torch.tensor([1, 6, 7, 8])
    drawn = [
        numbers[torch.randint(0, 4, (n_nodes,), generator=generator)],
        (torch.rand(n_edges, generator=generator) * 2 + 1).to(dtype),
        torch.randn(n_edges, 3, generator=generator).to(dtype),
        (torch.rand(n_edges, generator=generator) * 4 + 0.4).to(dtype),
        torch.rand(n_edges, generator=generator).to(dtype),
        torch.randn(n_nodes, generator=generator).to(dtype) / 4,
    ]
    cell = (8 * torch.eye(3) + torch.rand(3, 3, generator=generator)).to(dtype)
    return AtomGraph(
        atomic_numbers=drawn[0],
        edge_index=torch.stack([source, target]),
        distances=drawn[1],
        edge_vectors=drawn[2],
        images=torch.zeros(n_edges, 3, dtype=torch.int64),
        solid_angles=drawn[3],
        edge_weights=drawn[4],
        charges=drawn[5],
        cell=cell,
        reduced_cell=cell,
    )


def lone_atom() -> AtomGraph:
    """Return one atom without neighbours."""
    return random_graph(1, 0)


def formula_graph(amounts: dict[int, int]) -> AtomGraph:
    """Return what the `formula` builder makes of numbers of atoms by atomic number."""
    numbers = torch.tensor(sorted(amounts))
    counts = torch.tensor([amounts[int(z)] for z in numbers], dtype=torch.float64)
    n = len(numbers)
    source, target = torch.arange(n).repeat(n), torch.arange(n).repeat_interleave(n)
    joined = (source != target) | (counts > 1)[target]
    edges = torch.stack([source, target])[:, joined]
    return AtomGraph(
        atomic_numbers=numbers,
        edge_index=edges,
        distances=torch.zeros(edges.shape[1], dtype=torch.float64),
        edge_vectors=torch.zeros(edges.shape[1], 3, dtype=torch.float64),
        images=torch.zeros(edges.shape[1], 3, dtype=torch.int64),
        edge_weights=torch.ones(edges.shape[1], dtype=torch.float64),
        node_weights=counts,
    )


def shuffled(graph: AtomGraph, order: Tensor) -> AtomGraph:
    """Return the graph with its atoms in another order: atom ``order[i]`` becomes atom i."""
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    edges = place[graph.edge_index]
    rows: dict[str, Tensor | EllipsisType] = {
        "node": order,
        "edge": torch.argsort(edges[1], stable=True),
        "graph": ...,
    }
    return AtomGraph(
        atomic_numbers=graph.atomic_numbers[order],
        edge_index=edges[:, rows["edge"]],
        distances=graph.distances[rows["edge"]],
        images=graph.images[rows["edge"]],
        fields={name: value[rows[FIELDS[name].scope]] for name, value in graph.fields.items()},
    )


def doubled(graph: AtomGraph) -> AtomGraph:
    """Return two copies as one system: what a supercell is to a periodic graph."""
    n = graph.n_nodes
    return AtomGraph(
        atomic_numbers=graph.atomic_numbers.repeat(2),
        edge_index=torch.cat([graph.edge_index, graph.edge_index + n], dim=1),
        distances=graph.distances.repeat(2),
        images=graph.images.repeat(2, 1),
        fields={
            name: value if FIELDS[name].scope == "graph" else torch.cat([value, value])
            for name, value in graph.fields.items()
        },
    )


def turned(graph: AtomGraph, seed: int = 0) -> AtomGraph:
    """Return the graph of the structure turned in space."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
    matrix = matrix * torch.linalg.det(matrix)
    moved = {
        name: graph.fields[name] @ matrix.to(graph.fields[name].dtype)
        for name in ("edge_vectors", "cell", "reduced_cell")
        if name in graph.fields
    }
    return graph.with_fields(**moved)
