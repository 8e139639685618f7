"""SchNet of torch-geometric on our edges, for a given CPU time, beside the recipes of QM9.

    python benchmarks/schnet.py --target homo [--train 10000] [--cpu-seconds 360]

Same molecules, split, batch size, optimiser, averaging of the weights and loss as the recipes
``recipes/qm9-*.yaml`` use with ``--subset`` (``--split random:110000/rest/10000``); width and
number of layers as there (64 and 4). The edges are ours: every pair within ``--cutoff`` Å, as
SchNet wants them. The learning rate falls along a cosine of the CPU time spent, so that the
whole budget is used and nothing beyond it: one thread, forward, backward, step and batch
assembly; neighbour search and the test are not counted. Readout: mean of the atoms for
orbital energies and their gap, sum for polarisability and heat capacity. Prints one JSON line.

Needs the extra ``[peers]``.
"""

import argparse
import copy
import json
import math
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import SchNet

from atomlens.datasets import load_dataset
from atomlens.graphs import GraphBatch
from atomlens.neighbors import make_builder
from atomlens.training import TrainSettings
from atomlens.training.data import TrainingData, prepare

INTENSIVE = {"homo", "lumo", "gap"}
BATCH_SIZE, LEARNING_RATE, LAST_RATE, DECAY, CLIP = 32, 1e-3, 1e-5, 0.99, 5.0


class OurEdges(nn.Module):
    """Hands SchNet the pairs that are already known."""

    batch: GraphBatch

    def forward(self, positions: Tensor, graph_index: Tensor) -> tuple[Tensor, Tensor]:
        return self.batch.edge_index, self.batch.distances


def predict(model: SchNet, edges: OurEdges, batch: GraphBatch) -> Tensor:
    edges.batch = batch
    nothing = torch.zeros(batch.n_nodes, 3)
    return model(batch.atomic_numbers.long(), nothing, batch.graph_index).squeeze(1)


def data_for(target: str, n_train: int, cutoff: float) -> TrainingData:
    settings = TrainSettings(subset=n_train, split="random:110000/rest/10000")
    dataset = load_dataset("qm9", target)
    return prepare(dataset, make_builder("radius", cutoff=cutoff), settings, None)


def fit(
    data: TrainingData, values: Tensor, readout: str, cutoff: float, seconds: float
) -> tuple[SchNet, OurEdges, int, float]:
    """Train until the CPU time is spent; return the averaged model."""
    torch.manual_seed(0)
    edges = OurEdges()
    model = SchNet(64, 64, 4, 50, cutoff, edges, readout=readout)
    average = copy.deepcopy(model)
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    store = data.store.select(frozenset())
    generator = torch.Generator().manual_seed(0)
    train = torch.from_numpy(data.split.train)
    used, epochs = 0.0, 0
    while used < seconds:
        for rows in train[torch.randperm(len(train), generator=generator)].split(BATCH_SIZE):
            start = time.process_time()
            share = min(1.0, used / seconds)
            rate = LAST_RATE + (LEARNING_RATE - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2
            optimiser.param_groups[0]["lr"] = rate
            loss = (predict(model, edges, store.batch(rows)) - values[rows]).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimiser.step()
            with torch.no_grad():
                for mean, now in zip(average.parameters(), model.parameters(), strict=True):
                    mean.lerp_(now, 1 - DECAY)
            used += time.process_time() - start
            if used >= seconds:
                break
        epochs += 1
    return average, average.interaction_graph, epochs, used


@torch.no_grad()
def error(data: TrainingData, model: SchNet, edges: OurEdges, values: Tensor) -> float:
    store = data.store.select(frozenset())
    rows = torch.from_numpy(data.split.test)
    found = torch.cat([predict(model, edges, store.batch(r)) for r in rows.split(256)])
    return float((found - values[rows]).abs().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="homo")
    parser.add_argument("--train", type=int, default=10_000)
    parser.add_argument("--cutoff", type=float, default=5.0)
    parser.add_argument("--cpu-seconds", type=float, default=360.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = data_for(options.target, options.train, options.cutoff)
    known = data.dataset.values[:, 0]
    train = known[data.split.train]
    intensive = options.target in INTENSIVE
    shift, scale = (float(train.mean()) if intensive else 0.0), float(train.std())
    values = torch.from_numpy((known - shift) / scale).float()
    readout = "mean" if intensive else "add"
    model, edges, epochs, used = fit(data, values, readout, options.cutoff, options.cpu_seconds)
    result = {
        "model": "schnet",
        "target": options.target,
        "n_train": options.train,
        "test_mae": error(data, model, edges, values) * scale,
        "mean_predictor": float(np.abs(known[data.split.test] - train.mean()).mean()),
        "epochs": epochs,
        "cpu_seconds": round(used, 1),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
