"""Measured refractive indices as permittivities on one grid, divided for cross-validation.

    python recipes/make_optical_folds.py optical_nk.jsonl.gz optical.npz [--by elements]

Reads gzipped JSON lines with ``formula``, ``wavelength_um``, ``n`` and ``k`` (for example from
refractiveindex.info, CC0), and writes a packed file with the targets ``eps_re`` = n² - k² and
``eps_im`` = 2nk over photon energies in eV. Of several measurements of a formula those that cover
most of the grid are taken, and averaged. Outside of what was measured the values are unknown.

Every formula is in one fold; with ``--by elements`` formulas of the same elements are in the same
fold, so that no alloy is told by its neighbours in composition.
"""

import argparse
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets import save_packed
from atomlens.datasets.base import Dataset
from atomlens.datasets.sources.optical_nk import over_energy
from atomlens.datasets.split_files import fold_key
from atomlens.datasets.tables.grids import on_grid
from atomlens.errors import StructureError
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.structures.formulas import from_formula
from atomlens.targets import Target

Values = NDArray[np.float64]

FEWEST_POINTS = 10
"""Measurements with fewer points are too coarse to tell a crossing."""


class Measured(NamedTuple):
    """One measurement on the grid; NaN outside of what it covers."""

    permittivity: NDArray[np.complex128]
    """(n_points,)"""
    n_covered: int
    """Points of the grid that it covers."""


def measured_on_grid(entry: dict[str, list[float]], grid: Values) -> Measured:
    """Return (n + ik)² on a grid of photon energies, by linear interpolation."""
    parts = [on_grid(part, grid, "mask")[0] for part in over_energy(entry)]
    return Measured(parts[0] + 1j * parts[1], int(np.isfinite(parts[0]).sum()))


def best_of(measured: list[Measured]) -> Measured:
    """Return the mean of the measurements that cover most of the grid, where all of them do."""
    most = max(m.n_covered for m in measured)
    chosen = [m.permittivity for m in measured if m.n_covered >= most - 1]
    mean = np.mean(chosen, axis=0)
    return Measured(mean, int(np.isfinite(mean.real).sum()))


def read_spectra(path: Path, grid: Values, least: int) -> dict[str, Measured]:
    """Return the permittivity of each formula that is known at ``least`` points or more."""
    found: dict[str, list[Measured]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            measured = measured_on_grid(entry, grid)
            if measured.n_covered >= least and len(entry["n"]) >= FEWEST_POINTS:
                found[entry["formula"]].append(measured)
    return {formula: best_of(measured) for formula, measured in sorted(found.items())}


def folds_of(
    structures: list[Structure], by: str, n_folds: int, seed: int
) -> list[NDArray[np.int64]]:
    """Return the rows of each fold; rows of one formula, or of the same elements, stay together."""
    keys = [
        s.name if by == "formula" else " ".join(map(str, np.unique(s.atomic_numbers).tolist()))
        for s in structures
    ]
    groups = sorted(set(keys))
    fold = np.random.default_rng(seed).permutation(len(groups)) % n_folds
    number = dict(zip(groups, fold.tolist(), strict=True))
    own = np.array([number[key] for key in keys])
    return [np.flatnonzero(own == k) for k in range(n_folds)]


def main() -> None:
    """Read the arguments, write the file."""
    parser = argparse.ArgumentParser(description="refractive indices as folds of permittivities")
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lowest", type=float, default=0.5, help="eV (default 0.5)")
    parser.add_argument("--highest", type=float, default=6.0, help="eV (default 6)")
    parser.add_argument("--points", type=int, default=56)
    parser.add_argument("--least", type=int, default=10, help="known points (default 10)")
    parser.add_argument("--by", choices=("formula", "elements"), default="formula")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    grid = np.round(np.linspace(options.lowest, options.highest, options.points), 9)
    structures, values = [], []
    for formula, measured in read_spectra(options.source, grid, options.least).items():
        try:
            structures.append(structure_of(from_formula(formula)))
        except StructureError as problem:
            print(problem, file=sys.stderr)
            continue
        values.append(np.concatenate([measured.permittivity.real, measured.permittivity.imag]))
    folds = folds_of(structures, options.by, options.folds, options.seed)
    parts = (("eps_re", False), ("eps_im", True))
    targets = [Target(name=n, grid=tuple(grid.tolist()), nonnegative=p) for n, p in parts]
    dataset = Dataset(
        name=options.out.name.partition(".")[0],
        structures=StructureArrays.from_structures(structures),
        targets=tuple(targets),
        values=np.array(values),
        splits={fold_key(str(k)): rows for k, rows in enumerate(folds)},
    )
    save_packed(dataset, options.out)
    print(f"{len(dataset)} formulas in {options.folds} folds by {options.by}: {options.out}")


if __name__ == "__main__":
    main()
