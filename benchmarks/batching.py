"""Batch assembly: our flat graph store against torch-geometric's collate.

    python benchmarks/batching.py [--batch-size 128] [--rounds 15] [--step] [--json FILE]

Both sides hold the same graphs (about 18 atoms and 65 directed edges each, as QM9 molecules
have with Voronoi neighbours within 4 Å), get the same random indices and make the same batch:
elements, graph of each node, both ends of each edge, distance and weight. The results are
compared before the clock starts. Ours: ``store.select({"edge_weights"}).batch(indices)``, once
from memory and once from memory-mapped files as the graph cache keeps them. Theirs:
``Batch.from_data_list([graphs[i] for i in indices])``, what its DataLoader does.
Interleaved rounds in one process, median of the rounds, one thread (torch.set_num_threads(1)).
``--step`` also times a SCANN+ training step on such a batch and shows the share of assembly.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from _ratios import Ratio, absent, add_json_option, hand_over, named, stop_without
from torch import Tensor

from atomlens.graphs import GraphBatch, GraphStore

N_GRAPHS = 20_000
N_NODES, N_EDGES = (14, 23), (52, 79)
FIELDS = {"edge_weights"}
PEER, TARGET = "torch-geometric", 15.0


def random_store() -> GraphStore:
    """Return graphs with the sizes of QM9's; which atom sees which does not matter here."""
    generator = torch.Generator().manual_seed(0)
    nodes = torch.randint(*N_NODES, (N_GRAPHS,), generator=generator)
    edges = torch.randint(*N_EDGES, (N_GRAPHS,), generator=generator)
    n_nodes, n_edges = int(nodes.sum()), int(edges.sum())
    owner_size = torch.repeat_interleave(nodes, edges)
    ends = (torch.rand(2, n_edges, generator=generator) * owner_size).long()
    order = (torch.repeat_interleave(torch.arange(N_GRAPHS), edges) * 64 + ends[1]).argsort()
    zero = torch.zeros(1, dtype=torch.long)
    return GraphStore(
        node_offsets=torch.cat([zero, nodes.cumsum(0)]),
        edge_offsets=torch.cat([zero, edges.cumsum(0)]),
        atomic_numbers=torch.randint(1, 10, (n_nodes,), generator=generator),
        edge_source=ends[0],
        edge_target=ends[1][order],
        distances=torch.rand(n_edges, generator=generator) * 3 + 1,
        edge_vectors=torch.randn(n_edges, 3, generator=generator),
        edge_weights=torch.rand(n_edges, generator=generator),
    )


def memory_mapped(store: GraphStore, folder: Path) -> GraphStore:
    """Return the store as the graph cache keeps it: small integers, every tensor in a file."""
    mapped, store = {}, store.compact()
    for name, tensor in store.parts().items():
        np.save(folder / f"{name}.npy", tensor.numpy())
        mapped[name] = torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c"))
    return GraphStore.of(mapped)


def peer_graphs(store: GraphStore) -> list:
    """Return the same graphs as torch-geometric's Data."""
    from torch_geometric.data import Data

    graphs = []
    nodes, edges = store.node_offsets.tolist(), store.edge_offsets.tolist()
    for i in range(len(store)):
        rows = slice(edges[i], edges[i + 1])
        graphs.append(
            Data(
                z=store.atomic_numbers[nodes[i] : nodes[i + 1]].clone(),
                edge_index=torch.stack([store.edge_source[rows], store.edge_target[rows]]),
                distance=store.distances[rows].clone(),
                weight=store.edge_weights[rows].clone(),
                num_nodes=nodes[i + 1] - nodes[i],
            )
        )
    return graphs


def check_equal(ours: GraphBatch, theirs) -> None:
    pairs = (
        (ours.atomic_numbers, theirs.z),
        (ours.graph_index, theirs.batch),
        (ours.edge_index, theirs.edge_index),
        (ours.distances, theirs.distance),
        (ours.edge_weights, theirs.weight),
    )
    if not all(torch.equal(a, b) for a, b in pairs):
        sys.exit("the two batches differ: the comparison would mean nothing")


def seconds_per_batch(assemble: Callable[[Tensor], object], draws: list[Tensor]) -> float:
    start = time.process_time()
    for indices in draws:
        assemble(indices)
    return (time.process_time() - start) / len(draws)


def step_seconds(batch: GraphBatch, n: int = 4) -> float:
    """Return the median time of forward, backward and Adam of SCANN+ on one batch."""
    from atomlens.models import MODELS

    model_class = MODELS["scann-plus"]
    model = model_class(model_class.Config())
    batch = batch.with_fields(solid_angles=batch.edge_weights)
    optimiser = torch.optim.Adam(model.parameters())
    times = []
    for _ in range(n + 1):
        start = time.process_time()
        optimiser.zero_grad()
        model(batch).values.square().mean().backward()
        optimiser.step()
        times.append(time.process_time() - start)
    return median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--step", action="store_true", help="also time a SCANN+ training step")
    add_json_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    what = {name: f"batch assembly, {name}" for name in ("memory-mapped", "memory")}
    if reason := absent(PEER):
        reason += ' (pip install "atomlens[peers]")'
        missing = {"rival": PEER, "target": TARGET, "not_measured": reason}
        stop_without(options.json, [Ratio(what=name, **missing) for name in what.values()])
    from torch_geometric.data import Batch

    store = random_store()
    graphs = peer_graphs(store)
    generator = torch.Generator().manual_seed(1)
    draws = [
        torch.randint(N_GRAPHS, (options.batch_size,), generator=generator)
        for _ in range(max(20, N_GRAPHS // options.batch_size))
    ]

    def theirs(indices: Tensor) -> Batch:
        return Batch.from_data_list([graphs[i] for i in indices.tolist()])

    with tempfile.TemporaryDirectory() as folder:
        ours = store.select(FIELDS).batch
        mapped = memory_mapped(store, Path(folder)).select(FIELDS).batch
        for assemble in (ours, mapped):
            check_equal(assemble(draws[0]), theirs(draws[0]))
        sides = {"torch-geometric": theirs, "memory-mapped": mapped, "memory": ours}
        times: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, assemble in sides.items():
                times[name].append(seconds_per_batch(assemble, draws))
        peer = median(times["torch-geometric"])
        nodes, edges = (
            float(store.node_counts.float().mean()),
            float(store.edge_counts.float().mean()),
        )
        print(f"batches of {options.batch_size}, {nodes:.1f} atoms and {edges:.1f} edges a graph")
        for name, own in times.items():
            middle = median(own)
            ratios = sorted(b / a for a, b in zip(own, times["torch-geometric"], strict=True))
            print(
                f"{name:16s} {options.batch_size / middle:10,.0f} graphs/s   {peer / middle:5.1f}x "
                f"({ratios[0]:.1f} to {ratios[-1]:.1f} over the rounds)"
            )
        each = {k: tuple(1e6 * s / options.batch_size for s in own) for k, own in times.items()}
        measured = {"rival": named(PEER), "unit": "µs a graph", "theirs": each[PEER]}
        measured |= {"target": TARGET}
        rows = [Ratio(what=name, ours=each[k], **measured) for k, name in what.items()]
        hand_over(options.json, rows)
        if options.step:
            step = step_seconds(ours(draws[0]))
            share = median(times["memory-mapped"]) / step
            print(f"SCANN+ step      {step * 1e3:10.1f} ms          assembly is {share:.2%} of it")


if __name__ == "__main__":
    main()
