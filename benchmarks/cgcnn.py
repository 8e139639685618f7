"""CGCNN against the original network, the cost of each step to AE-CGCNN, and a 2,000-atom cell.

    python benchmarks/cgcnn.py [--rounds 9] [--crystals 64] [--copies 2 2 2] [--json FILE]

The original is ``CrystalGraphConvNet`` of the PyPI package ``cgcnn2``, the published layers with
padded neighbour lists. Both get the same crystals (SrTiO3 supercells with mixed A and B sites,
rattled by 0.05 Å), the same 12 neighbours, the same sizes (3 convolutions of width 64, hidden
128), SGD and MSE. Batches are made before the clock starts. One thread, CPU time of the process
(user and system), interleaved rounds in one process, median of the rounds; the outputs with the
same weights are compared first. The last row trains one step on a cell of 2,000 atoms in a
process of its own and shows its largest memory.

Needs the package cgcnn2.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from _ratios import Ratio, absent, add_json_option, hand_over, named, stop_without
from ase import Atoms
from ase.spacegroup import crystal
from torch import nn

from atomlens.checkpoints.cgcnn_torch import renamed_weights
from atomlens.elements.vectors import cgcnn_vectors
from atomlens.graphs import GraphBatch
from atomlens.machine import keep_freed_memory
from atomlens.models import make_model
from atomlens.neighbors import build_store, make_builder
from atomlens.structures.arrays import StructureArrays

LADDER = (
    "cgcnn",
    "cgcnn-edge",
    "cgcnn-attention",
    "cgcnn-charge-geometry",
    "ae-cgcnn-2",
    "ae-cgcnn",
    "ae-cgcnn-pool",
    "geo-cgcnn",
)


STEP, COST = "CGCNN, training step", "AE-CGCNN, training step"
TARGET, OF_AE_CGCNN = 3.0, 1 / 3
"""Times faster than the original; AE-CGCNN may cost three times what CGCNN does."""


def perovskites(n: int, copies: tuple[int, int, int]) -> list[Atoms]:
    random = np.random.default_rng(0)
    cell = crystal(
        ["Sr", "Ti", "O"],
        [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)],
        spacegroup=221,
        cellpar=[3.905] * 3 + [90] * 3,
    )
    found = []
    for _ in range(n):
        atoms = cell * copies
        for element, others in ((38, (20, 56, 82)), (22, (40, 41, 50))):
            sites = np.flatnonzero(atoms.numbers == element)
            chosen = random.random(len(sites)) < 0.5
            atoms.numbers[sites[chosen]] = random.choice(others, int(chosen.sum()))
        atoms.positions += random.normal(0, 0.05, atoms.positions.shape)
        found.append(atoms)
    return found


def batch_of(atoms: list[Atoms], fields: frozenset[str]) -> GraphBatch:
    builder = make_builder("nearest", pad=True)
    return build_store(StructureArrays.from_atoms(atoms), builder).store.select(fields).batch()


def our_step(model: nn.Module, batch: GraphBatch) -> Callable[[], None]:
    targets = torch.randn(batch.n_graphs, 1, generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def step() -> None:
        optimiser.zero_grad()
        nn.functional.mse_loss(model(batch).values, targets).backward()
        optimiser.step()

    return step


def their_network() -> nn.Module:
    from cgcnn2.model import CrystalGraphConvNet

    return CrystalGraphConvNet(92, 41, atom_fea_len=64, n_conv=3, h_fea_len=128, n_h=1)


def their_inputs(batch: GraphBatch) -> tuple[object, ...]:
    """Atoms as vectors, distances on 41 Gaussians (made beforehand, as their loader does)."""
    vectors = torch.from_numpy(cgcnn_vectors())[batch.atomic_numbers]
    centers = torch.arange(41) * 0.2
    distances = batch.distances.view(-1, 12, 1)
    owners = list(torch.arange(batch.n_nodes).split(batch.node_counts.tolist()))
    bonds = torch.exp(-((distances - centers) ** 2) / 0.2**2)
    return vectors, bonds, batch.edge_index[0].view(-1, 12), owners


def their_values(network: nn.Module, inputs: tuple[object, ...]) -> torch.Tensor:
    found = network(*inputs)
    return found[0] if isinstance(found, tuple) else found


def their_step(network: nn.Module, batch: GraphBatch) -> Callable[[], None]:
    inputs = their_inputs(batch)
    targets = torch.randn(batch.n_graphs, 1, generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)

    def step() -> None:
        optimiser.zero_grad()
        nn.functional.mse_loss(their_values(network, inputs), targets).backward()
        optimiser.step()

    return step


def same_weights(network: nn.Module) -> nn.Module:
    """Our network with the weights of theirs."""
    model = make_model("cgcnn", n_layers=3)
    model.load_state_dict(renamed_weights(network.state_dict(), model.config))
    return model


def timed(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each step, in interleaved rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name].append(time.process_time() - start)
    return seconds


def ratios(seconds: dict[str, list[float]]) -> list[Ratio]:
    """Return what a step costs beside the original, and AE-CGCNN's beside CGCNN's."""
    each = {name: tuple(1000 * s for s in values) for name, values in seconds.items()}
    ms = {"unit": "ms a step"}
    rival = f"the original network ({named('cgcnn2')})"
    return [
        Ratio(
            what=STEP, rival=rival, ours=each["ours"], theirs=each["original"], target=TARGET, **ms
        ),
        Ratio(
            what=COST,
            rival="our own CGCNN",
            ours=each["ae-cgcnn"],
            theirs=each["cgcnn"],
            target=OF_AE_CGCNN,
            **ms,
        ),
    ]


def large_cell() -> None:
    """One training step on 2,000 atoms; prints the largest memory of the process."""
    batch = batch_of(perovskites(1, (8, 10, 5)), frozenset({"charges", "cell", "reduced_cell"}))
    model = make_model("ae-cgcnn-pool")
    start = time.process_time()
    our_step(model, batch)()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    seconds = time.process_time() - start
    print(f"{batch.n_nodes} atoms, one step of ae-cgcnn-pool: {seconds:.2f} s, {used:.2f} GiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--crystals", type=int, default=64)
    parser.add_argument("--copies", type=int, nargs=3, default=(2, 2, 1))
    parser.add_argument("--large", action="store_true", help="only the step on 2,000 atoms")
    add_json_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as the trainer does; for both sides, which share the process
    if options.large:
        large_cell()
        return
    if reason := absent("cgcnn2"):
        rivals = {STEP: ("cgcnn2", TARGET), COST: ("our own CGCNN", OF_AE_CGCNN)}
        more = {"not_measured": reason}
        rows = [Ratio(what=k, rival=of, target=t, **more) for k, (of, t) in rivals.items()]
        stop_without(options.json, rows)
    atoms = perovskites(options.crystals, tuple(options.copies))
    batch = batch_of(atoms, frozenset({"charges", "cell", "reduced_cell", "edge_vectors"}))
    torch.manual_seed(0)
    network = their_network().eval()
    ours = same_weights(network).eval()
    with torch.no_grad():
        difference = (ours(batch).values - their_values(network, their_inputs(batch))).abs().max()
    print(
        f"{batch.n_graphs} crystals of {len(atoms[0])} atoms; same weights: {difference:.1e} apart"
    )
    steps = {
        "original": their_step(network.train(), batch),
        "ours": our_step(ours.train(), batch),
    }
    for name in LADDER:
        steps[name] = our_step(make_model(name).train(), batch)
    seconds_of = timed(steps, options.rounds)
    hand_over(options.json, ratios(seconds_of))
    found = {name: median(values) for name, values in seconds_of.items()}
    print(f"{'':24s} ms/step  ratio")
    for name, seconds in found.items():
        rival = found["original"] if name == "ours" else found["cgcnn"]
        ratio = "" if name == "original" else f"{rival / seconds:5.2f}x"
        against = {"original": "", "ours": "faster than the original"}.get(name, "of cgcnn")
        if name not in ("original", "ours"):
            ratio = f"{seconds / rival:5.2f}x"
        print(f"{name:24s} {1e3 * seconds:7.1f} {ratio} {against}")
    sys.stdout.flush()
    subprocess.run([sys.executable, __file__, "--large"], check=True)


if __name__ == "__main__":
    main()
