"""Peers from PyPI beside our models: the same crystals, steps, loss and CPU time of training.

    python benchmarks/peers.py mp13k.npz --target formation_energy --models scann-plus lens alignn \
        [--train 2500] [--test 2000] [--cpu-seconds 200] [--seed 0]

Peers: ALIGNN (alignn, its network without DGL: 2 + 2 layers of 64, the package's own size; 12
neighbours within 8 Å, triplets of edges below 3.5 Å, elements by CGCNN's 92 numbers) and MEGNet
(matgl, its own size, pairs within 4 Å). Ours: the reduced form of the recipes (4 layers, 64
features), on the graphs that each reads by default. All: batches of 32, Adam, step size 1e-3 on a
cosine over the CPU time down to 1e-5, L1 loss on the standardised target, gradients cut at norm 5,
averaged weights (0.99). One thread; forward, backward and step are counted, building graphs and
putting batches together is not. `lens` with its own second loss. The test part is looked at once.
One JSON line a model. Needs the extra ``[peers]`` for the peers.
"""

import argparse
import copy
import json
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import atomlens as al
from atomlens.datasets.base import Dataset
from atomlens.elements.vectors import cgcnn_vectors
from atomlens.models import MODELS, make_model
from atomlens.neighbors import build_store, make_builder
from atomlens.structures.arrays import StructureArrays

BATCH, RATE, LAST_RATE, DECAY, CLIP = 32, 1e-3, 1e-5, 0.99, 5.0
OURS: dict[str, dict[str, Any]] = {
    "scann-plus": {"n_layers": 4, "n_features": 64, "dropout": 0.0, "attention_dropout": 0.0},
    "scann": {"n_layers": 4, "n_features": 64, "dropout": 0.0, "attention_dropout": 0.0},
    "lens": {"n_layers": 4, "n_features": 64},
    "cgcnn": {},
}
TRIPLETS_WITHIN = 3.5
"""Å; the default of ALIGNN's own builder."""


class Net(NamedTuple):
    """A network, and what it is given."""

    network: nn.Module
    batch: Callable[[Tensor], Any]
    """Takes rows, returns what the network reads."""
    values: Callable[[nn.Module, Any, int], tuple[Tensor, Tensor | None]]
    """(n,) outputs, and a second loss; takes network, batch and step."""


def ours(name: str, structures: StructureArrays) -> Net:
    """One of atomlens, as the recipes make it smaller."""
    kind, settings = MODELS[name].default_builder
    store = build_store(structures, make_builder(kind, **settings)).store
    network = make_model(name, **OURS[name])
    store = store.select(network.edge_fields)

    def values(model: Any, batch: Any, step: int) -> tuple[Tensor, Tensor | None]:
        output = model(batch)
        more = model.auxiliary_loss(batch, output, step) if model.training else None
        return output.values[:, 0], more

    return Net(network, store.batch, values)


class Pairs(NamedTuple):
    """Edges of one crystal from source to target."""

    numbers: Tensor
    source: Tensor
    target: Tensor
    vectors: Tensor


def pairs_of(structures: StructureArrays, kind: str, **settings: Any) -> list[Pairs]:
    """Neighbour pairs by our own search, which the peers' builders would find as well."""
    builder = make_builder(kind, **settings)
    found = []
    for k in range(len(structures)):
        structure = structures[k]
        graph = builder.build_structure(structure)
        places = torch.from_numpy(structure.positions).double()
        shifts = graph.images.double() @ torch.from_numpy(structure.cell).double()
        source, target = graph.edge_index
        vectors = places[target] - places[source] - shifts
        found.append(Pairs(graph.atomic_numbers.long(), source, target, vectors.float()))
    return found


def joined(pairs: list[Pairs]) -> tuple[Pairs, Tensor, Tensor]:
    """Several crystals end to end, with their numbers of atoms and of edges."""
    n_atoms = torch.tensor([len(p.numbers) for p in pairs])
    n_edges = torch.tensor([len(p.source) for p in pairs])
    first = torch.repeat_interleave(n_atoms.cumsum(0) - n_atoms, n_edges)
    whole = Pairs(*(torch.cat(columns) for columns in zip(*pairs, strict=True)))
    whole = whole._replace(source=whole.source + first, target=whole.target + first)
    return whole, n_atoms, n_edges


def triplets(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Edges i -> j and j -> k, both short, as the line graph has them."""
    short = torch.nonzero(pairs.vectors.norm(dim=1) <= TRIPLETS_WITHIN).squeeze(1)
    leaving = short[torch.argsort(pairs.source[short], stable=True)]
    starts = torch.searchsorted(pairs.source[leaving], pairs.target[short])
    ends = torch.searchsorted(pairs.source[leaving], pairs.target[short], right=True)
    counts = ends - starts
    within = torch.arange(int(counts.sum())) - torch.repeat_interleave(
        counts.cumsum(0) - counts, counts
    )
    second = leaving[torch.repeat_interleave(starts, counts) + within]
    return torch.repeat_interleave(short, counts), second


def alignn(structures: StructureArrays) -> Net:
    """ALIGNN by its authors, without DGL."""
    from alignn.models.alignn_atomwise_pure import ALIGNNAtomWisePure, ALIGNNAtomWisePureConfig
    from alignn.torch_graph_builder import TorchGraph

    table = torch.from_numpy(cgcnn_vectors()).float()
    crystals = pairs_of(structures, "nearest")
    network = ALIGNNAtomWisePure(
        ALIGNNAtomWisePureConfig(
            name="alignn_atomwise_pure",
            atom_input_features=table.shape[1],
            calculate_gradient=False,
            energy_mult_natoms=False,
            use_penalty=False,
        )
    )

    def batch(rows: Tensor) -> Any:
        whole, n_atoms, n_edges = joined([crystals[r] for r in rows.tolist()])
        graph = TorchGraph(
            num_nodes=len(whole.numbers),
            src=whole.source,
            dst=whole.target,
            ndata={"atom_features": table[whole.numbers]},
            edata={"r": whole.vectors},
            batch_num_nodes=n_atoms,
            batch_num_edges=n_edges,
        )
        first, second = triplets(whole)
        return graph, TorchGraph(num_nodes=len(whole.source), src=first, dst=second)

    def values(model: Any, given: Any, step: int) -> tuple[Tensor, Tensor | None]:
        return model((*given, None))["out"].reshape(-1), None

    return Net(network, batch, values)


def megnet(structures: StructureArrays) -> Net:
    """MEGNet of matgl, on torch-geometric's graphs."""
    from matgl.config import DEFAULT_ELEMENTS
    from matgl.models import MEGNet
    from torch_geometric.data import Data

    from atomlens.elements import SYMBOLS

    known = {symbol: k for k, symbol in enumerate(DEFAULT_ELEMENTS)}
    row_of = torch.tensor([known.get(symbol, 0) for symbol in SYMBOLS])
    crystals = pairs_of(structures, "radius", cutoff=4.0)
    network = MEGNet()

    def batch(rows: Tensor) -> Any:
        whole, n_atoms, _ = joined([crystals[r] for r in rows.tolist()])
        nowhere = torch.zeros(len(whole.numbers), 3)  # the vectors are handed over as shifts
        return Data(
            node_type=row_of[whole.numbers],
            pos=nowhere,
            edge_index=torch.stack([whole.source, whole.target]),
            pbc_offshift=whole.vectors,
            batch=torch.repeat_interleave(torch.arange(len(n_atoms)), n_atoms),
            num_graphs=len(n_atoms),
        )

    def values(model: Any, given: Any, step: int) -> tuple[Tensor, Tensor | None]:
        return model(given, torch.zeros(given.num_graphs, 2)).reshape(-1), None

    return Net(network, batch, values)


def train(net: Net, values: Tensor, rows: Tensor, seconds: float, seed: int) -> tuple[int, float]:
    """Train until the CPU time is spent; the network is left with its averaged weights."""
    network = net.network.train()
    parameters = list(network.parameters())
    average = copy.deepcopy([p.detach() for p in parameters])
    optimiser = torch.optim.Adam(parameters, RATE)
    generator, used, steps = torch.Generator().manual_seed(seed), 0.0, 0
    while used < seconds:
        for chosen in rows[torch.randperm(len(rows), generator=generator)].split(BATCH):
            if len(chosen) < BATCH or used >= seconds:
                break
            batch = net.batch(chosen)
            start = time.process_time()
            share = used / seconds
            rate = LAST_RATE + (RATE - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2
            optimiser.param_groups[0]["lr"] = rate
            found, more = net.values(network, batch, steps)
            loss = (found - values[chosen]).abs().mean()
            optimiser.zero_grad()
            (loss if more is None else loss + more).backward()
            nn.utils.clip_grad_norm_(parameters, CLIP)
            optimiser.step()
            torch._foreach_lerp_(average, [p.detach() for p in parameters], 1 - DECAY)
            steps += 1
            used += time.process_time() - start
    with torch.no_grad():
        for parameter, mean in zip(parameters, average, strict=True):
            parameter.copy_(mean)
    return steps, used


@torch.no_grad()
def predictions(net: Net, rows: Tensor) -> Tensor:
    """(n,) values of some rows, in scaled units."""
    network = net.network.eval()
    parts = rows.split(BATCH)
    return torch.cat([net.values(network, net.batch(part), 0)[0] for part in parts])


def chosen_data(source: str, target: str, n_train: int, n_test: int) -> Dataset:
    """Training and test crystals, in this order, whatever the seed of the training."""
    data = al.load_dataset(source, [target])
    order = np.random.default_rng(0).permutation(len(data))
    return data.subset(order[: n_train + n_test])


def main() -> None:
    """Train one after the other, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--target", required=True)
    parser.add_argument("--models", nargs="+", choices=(*OURS, "alignn", "megnet"), required=True)
    parser.add_argument("--train", type=int, default=2500)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--cpu-seconds", type=float, default=200.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = chosen_data(args.data, args.target, args.train, args.test)
    raw = torch.from_numpy(data.values[:, 0]).float()
    mean, std = raw[: args.train].mean(), raw[: args.train].std()
    rows = torch.arange(len(raw))
    peers = {"alignn": alignn, "megnet": megnet}
    for name in args.models:
        torch.manual_seed(args.seed)
        net = peers[name](data.structures) if name in peers else ours(name, data.structures)
        steps, used = train(
            net, (raw - mean) / std, rows[: args.train], args.cpu_seconds, args.seed
        )
        found = predictions(net, rows[args.train :]) * std + mean
        result = {
            "model": name,
            "target": args.target,
            "n_train": args.train,
            "seed": args.seed,
            "test_mae": round(float((found - raw[args.train :]).abs().mean()), 5),
            "mean_predictor": round(float((raw[args.train :] - mean).abs().mean()), 5),
            "epochs": round(steps * BATCH / args.train, 1),
            "cpu_seconds": round(used, 1),
            "parameters": sum(p.numel() for p in net.network.parameters()),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
