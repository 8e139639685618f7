"""Pack the training data of the box into two files that a bare GPU machine reads.

    python recipes/pack_box.py DATA OUT

DATA holds ``mp-crystals/mp_crystals_shared.npz`` and ``splits/mp-split.npz``; QM9 comes from the data set `qm9`.
"""

import sys
from pathlib import Path

import numpy as np

from atomlens.datasets import Dataset, load_dataset, save_packed
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from dataclasses import replace

LARGEST_CELL = 100


def cell_vectors(lengths_angles):
    a, b, c, alpha, beta, gamma = lengths_angles.T
    alpha, beta, gamma = (np.radians(x) for x in (alpha, beta, gamma))
    cells = np.zeros((len(a), 3, 3))
    cells[:, 0, 0] = a
    cells[:, 1, 0], cells[:, 1, 1] = b * np.cos(gamma), b * np.sin(gamma)
    x = np.cos(beta)
    y = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    cells[:, 2, 0], cells[:, 2, 1] = c * x, c * y
    cells[:, 2, 2] = c * np.sqrt(np.maximum(1 - x * x - y * y, 0))
    return cells


def crystals(folder: Path, split: Path) -> Dataset:
    with np.load(folder / "mp_crystals_shared.npz") as pack:
        n = pack["n_atoms"].astype(np.int64)
        cells = cell_vectors(pack["cell"])
        positions = np.einsum(
            "nk,nkl->nl", pack["frac"].astype(np.float64), np.repeat(cells, n, axis=0)
        )
        values = np.stack([pack["formation_energy_per_atom_2019"], pack["band_gap_2018"]], axis=1)
        names = tuple(str(i, "utf-8") for i in pack["id"])
        numbers = pack["Z"]
    structures = StructureArrays(
        offsets=np.concatenate([[0], np.cumsum(n)]),
        atomic_numbers=numbers,
        positions=positions,
        cells=cells,
        pbc=np.ones((len(n), 3), dtype=bool),
        names=names,
        is_formula=np.zeros(len(n), dtype=bool),
    )
    with np.load(split) as parts:
        splits = {"train": parts["train"], "validation": parts["val"], "test": parts["test"]}
    rows_train = splits["train"][n[splits["train"]] <= LARGEST_CELL]
    splits["train"] = rows_train
    used = np.sort(np.concatenate(list(splits.values())))
    place = np.full(len(n), -1)
    place[used] = np.arange(len(used))
    return Dataset(
        name="mp-crystals",
        structures=structures.subset(used),
        targets=(
            Target(name="formation_energy", unit="eV/atom"),
            Target(name="band_gap", unit="eV", nonnegative=True),
        ),
        values=values[used],
        splits={k: np.sort(place[v]) for k, v in splits.items()},
    )


def molecules() -> Dataset:
    data = load_dataset("qm9", target="homo,lumo,gap,alpha,cv".split(","))
    targets = tuple(replace(t, extensive=t.name in ("alpha", "cv")) for t in data.targets)
    return replace(data, targets=targets)


if __name__ == "__main__":
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    d = crystals(data / "mp-crystals", Path(sys.argv[3]))
    print(len(d), {k: len(v) for k, v in d.splits.items()})
    save_packed(d, out / "mp.npz", precision="float32", resolution=1e-4)
    d = molecules()
    print(len(d), {k: len(v) for k, v in d.splits.items()}, d.targets)
    save_packed(d, out / "qm9.npz", resolution=1e-4)
