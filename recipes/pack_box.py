"""Pack what the box is trained on into files that a machine with torch alone reads.

    python recipes/pack_box.py DATA OUT [NAME ...] [--mp-split FILE]

Writes ``OUT/NAME.npz`` for every entry of the queue in ``recipes/box.py``, which together take less
than 64 MiB. The molecules are those of the data set `qm9`. DATA is a folder, in which or in
whose folders these files are:

    mp_crystals_shared.npz   crystals as flat arrays (``id``, ``n_atoms``, ``Z``, ``frac``, ``cell``
                             as lengths and angles, properties)
    mp-split.npz             rows of it: ``train``, ``val``, ``test`` (or named by --mp-split)
    matbench_*.csv.gz        compositions with the target and ``test_fold``

What is not there is passed over and named.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from box import QUEUE

from atomlens.datasets import Dataset, load_dataset, save_packed
from atomlens.errors import AtomlensError
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

LARGEST_CELL = 100
"""Atoms of a crystal that is trained on; all are validated and tested on."""
RESOLUTION = 1e-4
"""Å; no atom moves by more than half of it."""
CRYSTALS = {
    "formation_energy_per_atom_2019": Target(name="formation_energy", unit="eV/atom"),
    "band_gap_2018": Target(name="band_gap", unit="eV", nonnegative=True),
}
MOLECULES = {"homo": False, "lumo": False, "gap": False, "alpha": True, "cv": True}
"""Targets, and whether they are learned as a sum over the atoms."""


def cell_vectors(cells: np.ndarray) -> np.ndarray:
    """(n, 3, 3) rows are lattice vectors, from (n, 6) lengths in Å and angles in degrees."""
    a, b, c, *angles = cells.T.astype(np.float64)
    alpha, beta, gamma = np.radians(angles)
    vectors = np.zeros((len(cells), 3, 3))
    vectors[:, 0, 0] = a
    vectors[:, 1, 0], vectors[:, 1, 1] = b * np.cos(gamma), b * np.sin(gamma)
    x = np.cos(beta)
    y = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    vectors[:, 2] = (c * [x, y, np.sqrt(np.maximum(1 - x * x - y * y, 0))]).T
    return vectors


def crystals(arrays: Path, split: Path) -> Dataset:
    """Return the crystals with their own parts."""
    with np.load(arrays) as pack:
        n_atoms = pack["n_atoms"].astype(np.int64)
        cells = cell_vectors(pack["cell"])
        fractions = pack["frac"].astype(np.float64)
        structures = StructureArrays(
            offsets=np.concatenate([[0], np.cumsum(n_atoms)]),
            atomic_numbers=pack["Z"],
            positions=np.einsum("nk,nkl->nl", fractions, np.repeat(cells, n_atoms, axis=0)),
            cells=cells,
            pbc=np.ones((len(n_atoms), 3), dtype=np.bool_),
            names=tuple(str(name, "utf-8") for name in pack["id"]),
            is_formula=np.zeros(len(n_atoms), dtype=np.bool_),
        )
        values = np.stack([pack[column] for column in CRYSTALS], axis=1)
    with np.load(split) as parts:
        splits = {"train": parts["train"], "validation": parts["val"], "test": parts["test"]}
    splits["train"] = splits["train"][n_atoms[splits["train"]] <= LARGEST_CELL]
    used = np.sort(np.concatenate(list(splits.values())))
    place = np.full(len(n_atoms), -1)
    place[used] = np.arange(len(used))
    return Dataset(
        name="mp-crystals",
        structures=structures.subset(used),
        targets=tuple(CRYSTALS.values()),
        values=values[used],
        splits={part: np.sort(place[rows]) for part, rows in splits.items()},
    )


def molecules() -> Dataset:
    """Return QM9 with its own parts."""
    data = load_dataset("qm9", target=list(MOLECULES))
    targets = tuple(replace(t, extensive=MOLECULES[t.name]) for t in data.targets)
    return replace(data, targets=targets)


def find(folder: Path, name: str) -> Path:
    """Return the file of this name in a folder or below."""
    for path in sorted(folder.rglob(name)):
        return path
    raise SystemExit(f"{folder}: there is no {name} in it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of the queue")
    parser.add_argument("--mp-split", type=Path, help="default: mp-split.npz below DATA")
    options = parser.parse_args()

    def all_crystals() -> Dataset:
        split = options.mp_split or find(options.data, "mp-split.npz")
        return crystals(find(options.data, "mp_crystals_shared.npz"), split)

    makers: dict[str, Callable[[], Dataset]] = {"qm9": molecules, "mp": all_crystals}
    options.out.mkdir(parents=True, exist_ok=True)
    total = 0
    for entry in QUEUE:
        if options.names and entry.name not in options.names:
            continue
        path = options.out / f"{entry.name}.npz"
        try:
            if entry.name in makers:
                data = makers[entry.name]()
            else:
                data = entry.load(find(options.data, "matbench_*.csv.gz").parent)
            save_packed(data, path, precision="float32", resolution=RESOLUTION)
        except (AtomlensError, SystemExit, OSError) as problem:
            print(f"{entry.name}: passed over: {problem}", file=sys.stderr)
            continue
        total += path.stat().st_size
        parts = ", ".join(f"{len(rows)} {part}" for part, rows in data.splits.items())
        print(f"{path}: {parts}; {path.stat().st_size / 2**20:.1f} MiB", flush=True)
    print(f"{total / 2**20:.1f} MiB in all")


if __name__ == "__main__":
    main()
