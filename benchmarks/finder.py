"""Finder against Roost on the same formulas, and how long formula graphs take.

    python benchmarks/finder.py [--rounds 5] [--formulas 3000] [--json FILE]

Roost is that of the PyPI package aviary-models with its own defaults (its trackers of experiments
are replaced by empty modules, so that they need not be installed). Both train on the same batch
of 128 made-up formulas of two to six elements, with the robust L1 loss, Adam and AdamW as
published. One thread, CPU time of the process (user and system), interleaved rounds, medians.
"""

import argparse
import sys
import time
import types
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from _ratios import Ratio, absent, add_json_option, hand_over, named, stop_without
from torch import Tensor

from atomlens.elements import SYMBOLS
from atomlens.graphs import GraphBatch, GraphStore
from atomlens.models import make_model
from atomlens.models.base import PropertyModel
from atomlens.neighbors import build_store, make_builder
from atomlens.structures.arrays import StructureArrays, structure_of
from atomlens.structures.formulas import from_formula
from atomlens.training.losses import laplace_nll
from atomlens.training.optimizer import make_optimizer
from atomlens.training.settings import TrainSettings


def made_up_formulas(n: int) -> list[str]:
    random = np.random.default_rng(0)
    found = []
    for _ in range(n):
        size = int(random.choice([2, 3, 4, 5, 6], p=[0.2, 0.45, 0.25, 0.07, 0.03]))
        elements = random.choice(np.arange(1, 84), size, replace=False)
        amounts = random.integers(1, 9, size)
        found.append("".join(f"{SYMBOLS[z]}{n}" for z, n in zip(elements, amounts, strict=True)))
    return found


def graphs_of(formulas: list[str]) -> GraphStore:
    structures = StructureArrays.from_structures(structure_of(from_formula(f)) for f in formulas)
    return build_store(structures, make_builder("formula", reduce=True)).store


def robust_loss(values: Tensor, log_scale: Tensor, targets: Tensor) -> Tensor:
    return laplace_nll(values - targets, log_scale).mean()


def finder_step(batch: GraphBatch, targets: Tensor) -> tuple[Callable[[], None], PropertyModel]:
    model = make_model("finder", predict_scale=True)
    optimizer = make_optimizer(model, TrainSettings(), torch.device("cpu"))

    def step() -> None:
        output = model(batch)
        assert output.log_scale is not None
        optimizer.zero_grad()
        robust_loss(output.values, output.log_scale, targets).backward()
        optimizer.step()
        model.constrain_weights()

    return step, model


def roost_step(batch: GraphBatch, targets: Tensor) -> tuple[Callable[[], None], torch.nn.Module]:
    boards = types.ModuleType("torch.utils.tensorboard")
    boards.SummaryWriter = object  # type: ignore[attr-defined]
    sys.modules.setdefault("wandb", types.ModuleType("wandb"))
    sys.modules.setdefault("torch.utils.tensorboard", boards)
    from aviary.roost.model import Roost

    model = Roost(robust=True, n_targets=[1], task_dict={"target": "regression"})
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=1e-6, fused=True)
    assert batch.node_weights is not None
    totals = torch.zeros(batch.n_graphs).index_add(0, batch.graph_index, batch.node_weights)
    shares = batch.node_weights / totals[batch.graph_index]
    counts = batch.node_counts
    first = counts.cumsum(0) - counts
    target = torch.arange(batch.n_nodes).repeat_interleave(counts[batch.graph_index])
    source = torch.cat(
        [torch.arange(a, a + n).repeat(n) for a, n in zip(first, counts, strict=True)]
    )
    given = (shares.unsqueeze(1), batch.atomic_numbers, target, source, batch.graph_index)

    def step() -> None:
        values, log_scale = model(*given)[0].chunk(2, dim=1)
        optimizer.zero_grad()
        robust_loss(values, log_scale, targets).backward()
        optimizer.step()

    return step, model


def seconds(work: Callable[[], object], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--formulas", type=int, default=3000)
    add_json_option(parser)
    options = parser.parse_args()
    what = {"what": "Finder, training step on 128 formulas", "target": 0.5}
    if reason := absent("aviary-models"):
        row = Ratio(rival="Roost (aviary-models)", not_measured=reason, **what)
        stop_without(options.json, [row])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    formulas = made_up_formulas(options.formulas)
    graphs_of(formulas[:10])
    taken = seconds(lambda: graphs_of(formulas), 1)
    print(f"{options.formulas} formulas to graphs: {taken:.2f} s, 100,000: "
          f"{taken * 100_000 / options.formulas:.0f} s")  # fmt: skip
    batch, targets = graphs_of(formulas[:128]).batch(), torch.randn(128, 1)
    sides = {"finder": finder_step(batch, targets), "roost": roost_step(batch, targets)}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for name, (step, model) in sides.items():
        step()
        print(f"{name}: {sum(p.numel() for p in model.parameters()):,} weights")
    for _ in range(options.rounds):
        for name, (step, _) in sides.items():
            times[name].append(seconds(step, 3))
    for name, found in times.items():
        print(f"{name}: {128 / median(found):.0f} formulas per CPU second")
    print(f"ratio finder / roost: {median(times['roost']) / median(times['finder']):.2f}")
    each = {name: tuple(1000 * s for s in found) for name, found in times.items()}
    what |= {"rival": f"Roost ({named('aviary-models')})", "unit": "ms a step"}
    hand_over(options.json, [Ratio(ours=each["finder"], theirs=each["roost"], **what)])


if __name__ == "__main__":
    main()
