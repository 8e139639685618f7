"""What the models of the box keep: sums, supercells, symmetry, smoothness; and the first answer.

    python benchmarks/box.py                  qm9 and mp: the figures of their readout
    python benchmarks/box.py --first-answer   an empty environment, `pip install .`, the answer
    python benchmarks/box.py --table          the table of docs/box.md, from the models' folders
    python benchmarks/box.py --new FOLDER     errors on formulas that training had not; FOLDER holds
                                              the tables of Matbench

`--first-answer` makes an empty virtual environment in a temporary folder, installs this package
with all it needs (torch's CPU build as pinned, the rest as pip finds it), and asks
`predict qm9 CCO` from a fresh process with empty caches, so that everything is compiled; then
twice more; then it trains a model on a table and asks that. Wall seconds, and in brackets CPU
seconds.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from numpy.typing import NDArray

import atomlens as al
from atomlens.cli.demo import buckminsterfullerene
from atomlens.datasets.matbench import load_matbench, tasks_of
from atomlens.predictor.folder.box import BOX, boxed_names

MOLECULES = ("H2O", "CH4", "CH3CH2OH", "C6H6", "CH3COCH3", "C4H4O", "CH3CONH2", "C5H5N")
CRYSTALS = {
    "Si": bulk("Si"),
    "NaCl": bulk("NaCl", "rocksalt", a=5.64),
    "Cu": bulk("Cu"),
    "GaAs": bulk("GaAs", "zincblende", a=5.65),
    "CsCl": bulk("CsCl", "cesiumchloride", a=4.12),
    "Ti": bulk("Ti"),
}
STEPS = (1e-3, 1e-4)
"""Å, or parts of a strain: a jump stays when the step gets smaller, a slope does not."""


def values(model: al.Predictor, structures: list[Atoms]) -> NDArray[np.float64]:
    return model.predict(structures).values


def sum_rule(model: al.Predictor, structures: list[Atoms]) -> float:
    """Largest |offset + sum of the terms - prediction| over the size of the prediction."""
    worst = 0.0
    for atoms in structures:
        for target in model.targets:
            if target.nonnegative:
                continue  # the terms add up to the value before it is bounded
            e = model.explain(atoms, method="contribution", target=target.name)
            rest = (e.offset or 0.0) + e.scores.sum() - e.prediction
            worst = max(worst, abs(rest) / max(1.0, abs(e.prediction)))
    return worst


def supercells(model: al.Predictor) -> tuple[float, float]:
    """Largest relative change of prediction and of the terms when the cell is doubled."""
    change = terms = 0.0
    for atoms in CRYSTALS.values():
        one, many = values(model, [atoms, atoms * (2, 2, 2)])
        change = max(change, float(np.abs(many - one).max() / max(1.0, np.abs(one).max())))
        cell = model.explain(atoms, method="contribution").scores
        large = model.explain(atoms * (2, 2, 2), method="contribution").scores
        difference = np.abs(8 * large - np.tile(cell, 8)).max()
        terms = max(terms, float(difference / max(1.0, np.abs(cell).max())))
    return change, terms


def turned(model: al.Predictor, structures: list[Atoms]) -> float:
    """Largest change of a prediction when a structure is turned, moved and its atoms shuffled."""
    generator, worst = np.random.default_rng(0), 0.0
    for atoms in structures:
        other = atoms[generator.permutation(len(atoms))]
        axis = generator.normal(size=3)
        other.rotate(float(generator.uniform(0, 360)), axis, rotate_cell=bool(atoms.pbc.any()))
        other.positions += generator.normal(size=3)
        one, two = values(model, [atoms, other])
        worst = max(worst, float(np.abs(one - two).max() / max(1.0, np.abs(one).max())))
    return worst


def alike(model: al.Predictor, atoms: Atoms, group: NDArray[np.int64]) -> float:
    """Largest spread of the terms over atoms that symmetry makes equal, over the largest term."""
    worst = 0.0
    for target in model.targets:
        scores = model.explain(atoms, method="contribution", target=target.name).scores
        for orbit in np.unique(group):
            own = scores[group == orbit]
            worst = max(worst, float(np.ptp(own) / np.abs(scores).max()))
    return worst


def jumps(model: al.Predictor, path: Callable[[float], Atoms], window: float) -> None:
    """Print the largest change between neighbouring points of a path, for each step."""
    builder = model.builder
    grid = np.arange(0.0, window, 0.01)
    from atomlens.structures.arrays import structure_of

    counts = np.array([builder.build_structure(structure_of(path(x))).n_edges for x in grid])
    places = np.flatnonzero(np.diff(counts))
    print(f"    neighbours change at {len(places)} of {len(grid)} points")
    for place in places[:3]:
        low, high = grid[place], grid[place + 1]
        while high - low > 1e-6:
            middle = (low + high) / 2
            n = builder.build_structure(structure_of(path(middle))).n_edges
            low, high = (middle, high) if n == counts[place] else (low, middle)
        line = [f"    at {low:.4f}, {counts[place]} to {counts[place + 1]} edges:"]
        for step in STEPS:
            before, there, after = values(
                model, [path(low - step / 2), path(high + step / 2), path(high + 1.5 * step)]
            )
            across, beside = np.abs(there - before), np.abs(after - there)
            line.append(f"step {step:g}: across {across.round(6)}, beside {beside.round(6)};")
        print(" ".join(line))


def figures() -> None:
    qm9, mp = al.load("box:qm9"), al.load("box:mp")
    molecules = [molecule(name) for name in MOLECULES]
    crystals = [atoms * (2, 1, 1) for atoms in CRYSTALS.values()]
    for seed, atoms in enumerate(crystals):
        atoms.rattle(0.05, seed=seed)
    benzene = molecule("C6H6")
    print(f"sum rule: qm9 {sum_rule(qm9, molecules):.1e}, mp {sum_rule(mp, crystals):.1e}")
    change, terms = supercells(mp)
    print(f"doubled cells (mp): prediction {change:.1e}, terms {terms:.1e}")
    print(
        f"turned, moved, shuffled: qm9 {turned(qm9, molecules):.1e}, mp {turned(mp, crystals):.1e}"
    )
    print(
        f"equal atoms, spread over largest term: benzene "
        f"{alike(qm9, benzene, benzene.numbers):.1e}, "
        f"C60 {alike(qm9, buckminsterfullerene(), np.zeros(60, dtype=np.int64)):.1e}, rock salt "
        f"{alike(mp, bulk('NaCl', 'rocksalt', a=5.64, cubic=True), np.array([0, 1] * 4)):.1e}"
    )

    def bent(x: float) -> Atoms:
        atoms = molecule("CH3CH2OH")
        atoms.positions[2] += np.array([0.6, 0.8, 0.0]) * x
        return atoms

    def strained(x: float) -> Atoms:
        atoms = bulk("Fe", "bcc", a=2.87)
        atoms.set_cell(atoms.cell[:] * [1, 1, 1 + x], scale_atoms=True)
        return atoms

    print("how far a prediction jumps where a Voronoi face appears, in the units of the targets:")
    print(f"  qm9 ({', '.join(t.name for t in qm9.targets)}), ethanol, an atom moved (Å):")
    jumps(qm9, bent, 0.6)
    print(f"  mp ({', '.join(t.name for t in mp.targets)}), iron, bcc stretched towards fcc:")
    jumps(mp, strained, 0.6)


def timed(label: str, words: list[str], **more: Any) -> None:
    """Run a command and print how long it took."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if done.returncode:
        raise SystemExit(f"{label}: {done.stderr[-2000:]}")
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{label}: {wall:.1f} s ({spent:.1f} s)", flush=True)


def first_answer() -> None:
    source = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/venv/bin/python"
        timed("an empty environment", [sys.executable, "-m", "venv", f"{folder}/venv"])
        install = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir"]
        torch = ["--no-deps", "--require-hashes", "-r", str(source / "constraints/torch-cpu.txt")]
        timed("torch's CPU build", [*install, *torch])
        timed("pip install .", [*install, str(source)])
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment |= {"ATOMLENS_CACHE": f"{folder}/cache", "NUMBA_CACHE_DIR": f"{folder}/numba"}
        ask = [python, "-m", "atomlens", "predict", "qm9", "CCO"]
        for label in ("first answer, everything compiled", "second", "third"):
            timed(label, ask, env=environment, cwd=folder)
        table = str(source / "examples/boiling_points.csv")
        own = [python, "-m", "atomlens", "train", table, "--target", "boiling_point"]
        own += ["--batch-size", "8", "--out", "own"]
        timed("a model of one's own, of the table in examples/", own, env=environment, cwd=folder)
        ask = [python, "-m", "atomlens", "predict", "own", "CCCCO"]
        timed("its first answer", ask, env=environment, cwd=folder)


def table() -> None:
    """Print what the folders of the box say of their tests, beside others."""
    heads = "model, target, this model, mean, ridge, published, in the 90 % interval, seconds, MB"
    print(f"| {heads.replace(', ', ' | ')} |")
    print("|---" * 9 + "|")
    for name in boxed_names():
        model = al.load(f"box:{name}")
        about, metrics = model.record.about, model.metrics
        part = metrics.get("test") or metrics["validation"]
        others = list(metrics.get("others", {}).values())
        size = sum(path.stat().st_size for path in (BOX / name).iterdir()) / 1e6
        for i, target in enumerate(model.targets):
            said = part["targets"][target.name]
            unit = f" ({target.unit})" if target.unit else ""
            numbers = [said["mae"], *(other.get(target.name) for other in others)]
            numbers += [None] * (3 - len(numbers))
            numbers.append(about.published.get(target.name) if about else None)
            cells = [f"`{name}`" if not i else "", f"{target.name}{unit}"]
            cells += ["" if n is None else f"{n:.3g}" for n in numbers]
            cells.append(f"{said['interval_coverage']:.1%}")
            device = model.record.device.removeprefix("NVIDIA ").split(",")[0]
            last = (f"{model.record.seconds:,.0f}, {device}", f"{size:.1f}")
            print(f"| {' | '.join([*cells, *(last if not i else ('', ''))])} |")


def new_formulas(folder: Path) -> None:
    """Print the errors on the test parts apart for formulas that training had, and had not."""
    print("| model | target | test rows | of new formulas | all | new | known | new, in the 90 % |")
    print("|---" * 8 + "|")
    for name in boxed_names():
        model = al.load(f"box:{name}")
        tasks = tasks_of(model.record.data)
        if not tasks:
            continue
        data = load_matbench(folder, tasks)
        rows = data.splits["test"]
        found, true = model.predict(data.structures.subset(rows)), data.values[rows]
        known = np.array([part in ("train", "validation") for part in found.seen])
        error = np.abs(found.values - true)
        inside = (found.interval_low <= true) & (true <= found.interval_high)
        for j, target in enumerate(model.targets):
            figures = [float(error[part, j].mean()) for part in (known | True, ~known, known)]
            share = f"{100 * inside[~known, j].mean():.1f} %"
            counts = f"{len(rows):,} | {(~known).sum():,}"
            errors = " | ".join(f"{figure:.3g}" for figure in figures)
            print(f"| `{name}` | {target.name} | {counts} | {errors} | {share} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--first-answer", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--new", type=Path, metavar="FOLDER", help="with matbench_*.csv.gz")
    options = parser.parse_args()
    if options.new:
        new_formulas(options.new)
    elif options.table:
        table()
    elif options.first_answer:
        first_answer()
    else:
        figures()
