"""SCANN+ of this package against the authors' TensorFlow code, in structures per CPU second.

    python benchmarks/scann_reference.py \
        --reference CLONE_OF_scann--material --python PYTHON_WITH_TENSORFLOW [--qm9 FILE.npz]
        [--json FILE]

Both sides get the same structures, the same neighbour lists (our Voronoi builder) and the same
settings: 7 layers, 128 features, 8 heads, embedding 48, batches of 128, RMSE loss, L2 penalty
1e-4, Adam, dropout on in training and off in inference. Each side is one process that lives for
the whole run; the parent asks them for one sample in turn (ours, theirs, ours, theirs, ...) and
shows medians. Time is CPU time of the process (user and system), so that other load on the
machine matters less. Pinning: both processes are bound to one core (sched_setaffinity, as
``taskset -c`` does), OMP, MKL and OpenBLAS get one thread, torch.set_num_threads(1), TensorFlow
one intra-op and one inter-op thread. Batches are made before the clock starts; making them is a
row of its own. Without --reference only this package is timed.

Share of peak: floating-point operations of the products alone, counted once for our layers
(elementwise work is not counted; training counts as three forward passes), over what torch's
matrix product of 2048 x 2048 in float32 reaches in the same process, interleaved as well.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import IO, Any

import numpy as np
from _ratios import Ratio, add_json_option, hand_over, stop_without
from scann_workers import (
    CUTOFFS,
    MATRIX,
    N_EMBEDDING,
    N_GAUSSIANS,
    N_HEADS,
    N_LAYERS,
    WIDTH,
    Arrays,
)

SMILES = (
    "CCCCCCC CC(C)CC(C)O CC1CCC(O)C1 CCOC(=O)CC CC(=O)NC(C)C C1CC2CCC1O2 CC(C)(C)CC#N OCC1CC1CO "
    "CC1=CC(=O)CC1 CCC(O)C#CC CN1CCC(=O)C1 CC(O)C(C)CO c1ccc(O)cc1C Cc1ccoc1C CC1OC1CCO NCC(=O)OCC "
    "C#CCC1CCC1 CC12CC1CC2O O=CC1CCCC1 CCC1(C)CO1 CC(C)C(=O)C=O OC1CC(O)C1C CC1CN1CCO C1CC1C1CCO1 "
    "Cc1nccn1CC CC(N)C(=O)N CCN(C)CC#N FC(F)(F)CCO Nc1ncccn1 OC1C2CC1C2 COCC1CC1C CCC(=O)CCO "
    "CC1(O)CC1C#N CC1CC2C1C2O N#CC1CCOC1 CC(C)OCCO O=C1CCOC1C CC1CCC=CC1 OCC#CCCO CCCC(C)CO"
)
RIVAL = "the authors' code"
ACTIONS = ("training step", "inference", "making batches")
TARGETS = {"molecules training step": 7.5, "molecules inference": 8, "crystals training step": 5}
CONFIG = f"{N_LAYERS} layers, {WIDTH} features, {N_HEADS} heads, embedding {N_EMBEDDING}"


# --- structures and graphs ---------------------------------------------------------------------


def smiles_molecules(n: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Molecules of QM9's size; every further round over the list takes other conformers."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    smiles = SMILES.split()
    for i in range(n):
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles[i % len(smiles)]))
        if AllChem.EmbedMolecule(molecule, randomSeed=i) != 0:
            raise SystemExit(f"rdkit found no conformer of {smiles[i % len(smiles)]}.")
        AllChem.MMFFOptimizeMolecule(molecule)
        numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
        yield numbers, molecule.GetConformer().GetPositions(), None


def qm9_molecules(file: Path, n: int) -> Iterator[tuple[np.ndarray, np.ndarray, None]]:
    """A random sample of real QM9 molecules: arrays n_atoms, Z and R laid end to end."""
    with np.load(file) as data:
        if not {"n_atoms", "Z", "R"} <= set(data.files):
            raise SystemExit(f"--qm9: {file} has no arrays n_atoms, Z and R, laid end to end.")
        counts, numbers, positions = data["n_atoms"].astype(int), data["Z"], data["R"]
    ends = np.cumsum(counts)
    for i in np.random.default_rng(0).choice(len(counts), n, replace=False):
        rows = slice(ends[i] - counts[i], ends[i])
        yield numbers[rows], positions[rows].astype(float), None


def crystals(n: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """SmFe12 cells of 13 atoms with substituted iron, strained by 2 % and rattled by 0.05 Å."""
    from ase.spacegroup import crystal

    sites = [(0, 0, 0), (0.25, 0.25, 0.25), (0.36, 0, 0), (0.28, 0.5, 0)]
    cell = [8.5, 8.5, 4.77, 90, 90, 90]
    parent = crystal(
        ["Sm", "Fe", "Fe", "Fe"], sites, spacegroup=139, cellpar=cell, primitive_cell=True
    )
    rng = np.random.default_rng(0)
    for _ in range(n):
        atoms = parent.copy()
        iron = np.flatnonzero(atoms.numbers == 26)
        chosen = rng.choice(iron, rng.integers(0, 4), replace=False)
        atoms.numbers[chosen] = rng.choice([13, 22, 27, 29, 30, 31, 42], len(chosen))
        atoms.set_cell(
            atoms.cell[:] @ (np.eye(3) + rng.uniform(-0.02, 0.02, (3, 3))), scale_atoms=True
        )
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        yield atoms.numbers, atoms.positions, atoms.cell[:]


def graph_arrays(kind: str, n: int, qm9: Path | None) -> Arrays:
    """Neighbours of n structures as flat arrays, edges sorted by target, ends per graph."""
    from atomlens.graphs import GraphStore
    from atomlens.neighbors import make_builder
    from atomlens.structures.arrays import Structure

    if kind == "crystals":
        source = crystals(n)
    else:
        source = qm9_molecules(qm9, n) if qm9 else smiles_molecules(n)
    builder = make_builder("voronoi")
    graphs = []
    for index, (numbers, positions, cell) in enumerate(source):
        periodic = np.full(3, cell is not None)
        box = np.zeros((3, 3)) if cell is None else np.asarray(cell)
        graphs.append(
            builder.build_structure(
                Structure(
                    numbers.astype(np.uint8), positions, box, periodic, f"{kind} {index}", False
                )
            )
        )
    store = GraphStore.from_graphs(graphs)
    names = ("node_offsets", "edge_offsets", "atomic_numbers", "edge_source", "edge_target")
    floats = ("distances", "solid_angles", "edge_weights")
    arrays = {name: getattr(store, name).numpy() for name in names + floats}
    arrays["targets"] = np.random.default_rng(1).normal(size=n).astype(np.float32)
    return arrays


def forward_flops(arrays: Arrays) -> float:
    """Operations (two for a multiplication and addition) of one forward pass of our layers.

    A node: embedding to features; in each layer query, feed-forward pair and both node parts of
    the edge update; three projections of the readout. An edge: two embedded bases; in each
    layer edge update, key, score and weighted sum. A graph: the head.
    """
    nodes, edges = int(arrays["node_offsets"][-1]), int(arrays["edge_offsets"][-1])
    square = WIDTH * WIDTH
    per_node = N_EMBEDDING * WIDTH + N_LAYERS * 5 * square + 3 * square
    per_edge = 2 * N_GAUSSIANS * WIDTH + N_LAYERS * (2 * square + 2 * WIDTH)
    return 2.0 * (nodes * per_node + edges * per_edge + len(arrays["targets"]) * (square + WIDTH))


# --- the parent --------------------------------------------------------------------------------


class Side:
    """A worker process and its answers."""

    def __init__(self, name: str, command: list[str], folder: Path) -> None:
        threads = ("OMP", "MKL", "OPENBLAS", "NUMEXPR")
        limits = {f"{t}_NUM_THREADS": "1" for t in threads}
        limits |= {f"TF_NUM_{t}_THREADS": "1" for t in ("INTRAOP", "INTEROP")}
        self.name, self.log = name, folder / f"{name}.log"
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **limits, **quiet},
            )
        self.seconds: dict[str, list[float]] = {}

    def answer(self) -> Any:
        line = _pipe(self.process.stdout).readline()
        if not line:
            tail = "".join(self.log.read_text().splitlines(keepends=True)[-15:])
            raise SystemExit(
                f"The process for {self.name!r} stopped. The end of its output:\n{tail}"
            )
        return json.loads(line)

    def sample(self, task: str) -> None:
        pipe = _pipe(self.process.stdin)
        pipe.write(task + "\n")
        pipe.flush()
        self.seconds.setdefault(task, []).append(self.answer())

    def close(self) -> None:
        _pipe(self.process.stdin).close()
        self.process.wait()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def start_sides(options: argparse.Namespace, folder: Path) -> list[Side]:
    graphs = folder / "graphs.npz"
    sets = {}
    for kind in options.kinds:
        sets[kind] = graph_arrays(kind, options.batch * options.batches, options.qm9)
    np.savez(
        graphs, **{f"{k}.{name}": v for k, arrays in sets.items() for name, v in arrays.items()}
    )
    options.sets = sets
    common = ["--graphs", str(graphs), "--batch", str(options.batch), "--core", str(options.core)]
    workers = str(Path(__file__).with_name("scann_workers.py"))
    sides = [Side("ours", [sys.executable, workers, "ours", *common], folder)]
    if options.reference:
        common += ["--reference", str(options.reference)]
        sides.append(Side("theirs", [options.python, workers, "theirs", *common], folder))
    return sides


def report(sides: list[Side], sets: dict[str, Arrays]) -> None:
    ours = sides[0]
    peak = 2.0 * MATRIX**3 / median(ours.seconds["peak"])
    print(f"peak of one core: {peak / 1e9:.0f} GFLOP/s (torch.matmul, {MATRIX}^3, float32)")
    for kind, a in sets.items():
        n, nodes, edges = len(a["targets"]), a["node_offsets"][-1], a["edge_offsets"][-1]
        print(f"{n} {kind}: {nodes / n:.1f} atoms each, {edges / nodes:.2f} neighbours an atom")
    titles = ["per CPU second", *(s.name for s in sides), *(["ratio"] if len(sides) > 1 else [])]
    titles += [f"share of peak, {s.name}" for s in sides]
    print("\n| " + " | ".join(titles) + " |\n|" + "---|" * len(titles))
    for task in (t for t in ours.seconds if t != "peak"):
        kind, action = task.split(" ", 1)
        n, passes = len(sets[kind]["targets"]), {"training step": 3, "inference": 1}.get(action)
        cells = [task, *(f"{n / median(s.seconds[task]):,.0f}" for s in sides)]
        if len(sides) > 1:
            pairs = zip(sides[1].seconds[task], ours.seconds[task], strict=True)
            cells.append(f"{median(b / a for b, a in pairs):.2f}x")
        for side in sides:
            work_done = forward_flops(sets[kind]) * (passes or 0) / median(side.seconds[task])
            cells.append(f"{100 * work_done / peak:.0f} %" if passes else "")
        print("| " + " | ".join(cells) + " |")


def tasks_of(kinds: list[str]) -> list[str]:
    """Return what both sides do in turn."""
    return [f"{kind} {action}" for kind in kinds for action in ACTIONS]


def ratios(sides: list[Side], version: str, options: argparse.Namespace) -> list[Ratio]:
    """Return CPU time a structure, ours and that of the authors' code."""
    rows = []
    for task in tasks_of(options.kinds):
        n = len(options.sets[task.split()[0]]["targets"])
        ours, theirs = (tuple(1e6 * s / n for s in side.seconds[task]) for side in sides)
        same = {
            "what": f"SCANN+, {task}",
            "rival": f"{RIVAL} ({version})",
            "unit": "µs a structure",
        }
        rows.append(Ratio(ours=ours, theirs=theirs, target=TARGETS.get(task), **same))
    return rows


def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        sides = start_sides(options, Path(name))
        print(f"SCANN+, {CONFIG}, batches of {options.batch}; one thread, core {options.core}")
        for side in sides:
            about = side.answer()
            print(f"{side.name}: {about['version']}, {about['parameters']} trainable numbers")
        if len(sides) == 1:
            print("No --reference given: only this package is measured, there is no ratio.")
        for _ in range(options.rounds):
            sides[0].sample("peak")
            for task in tasks_of(options.kinds):
                for side in sides:
                    side.sample(task)
        for side in sides:
            side.close()
        report(sides, options.sets)
        if len(sides) > 1:
            hand_over(options.json, ratios(sides, about["version"], options))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--reference", type=Path, help="clone of sinhvt3421/scann--material")
    parser.add_argument("--python", help="Python that has TensorFlow 2.15, for --reference")
    parser.add_argument("--qm9", type=Path, help="QM9 as npz; molecules from SMILES otherwise")
    parser.add_argument("--kinds", nargs="+", choices=list(CUTOFFS), default=list(CUTOFFS))
    parser.add_argument("--rounds", type=int, default=7, help="samples of each task and side")
    parser.add_argument("--batches", type=int, default=2, help="batches a sample")
    parser.add_argument("--batch", type=int, default=128, help="structures a batch")
    add_json_option(parser)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
    parser.add_argument("--core", type=int, default=max(cores))
    options = parser.parse_args()
    if options.reference and not options.python:
        parser.error("--reference needs --python, a Python that has TensorFlow 2.15.")
    if options.json and not options.reference:
        missing = {
            "rival": f"{RIVAL} (TensorFlow)",
            "not_measured": "no --reference CLONE was given",
        }
        tasks = tasks_of(options.kinds)
        rows = [Ratio(what=f"SCANN+, {t}", target=TARGETS.get(t), **missing) for t in tasks]
        stop_without(options.json, rows)
    run(options)


if __name__ == "__main__":
    main()
