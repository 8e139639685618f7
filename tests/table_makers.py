"""A table of formulas with random gaps, for tests of trainings."""

from pathlib import Path

import numpy as np

from atomlens.datasets import load_dataset
from atomlens.datasets.base import Dataset

METALS = ("Li", "Na", "K", "Mg", "Ca", "Sr", "Ba", "Al", "Zn", "Cd", "Sc", "Ti", "Fe", "Ni", "Cu")


def table_of_formulas(path: Path, n_each: int) -> Dataset:
    """60 formulas of 15 metals, each ``n_each`` times with another gap."""
    formulas = [f"{m}{x}" for m in METALS for x in ("O", "S", "Cl", "F2")]
    random = np.random.default_rng(0)
    rows = [f"{f},{len(f) + random.normal():.4f}" for f in formulas for _ in range(n_each)]
    path.write_text("\n".join(["formula,gap", *rows]))
    return load_dataset(path)
