"""The tasks of Matbench v0.1 as compositions: one table a task, in the official folds.

Dunn et al., Benchmarking materials property prediction methods: the Matbench test set and
Automatminer reference algorithm, npj Computational Materials 6, 138 (2020).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from atomlens.datasets.base import Dataset
from atomlens.datasets.loading import load_dataset
from atomlens.datasets.splits import make_split
from atomlens.errors import DatasetError, unknown_name
from atomlens.targets import Target

TASKS: dict[str, tuple[str, Target]] = {
    "mp_e_form": ("e_form", Target(name="formation_energy", unit="eV/atom")),
    "mp_gap": ("gap pbe", Target(name="band_gap", unit="eV", nonnegative=True)),
    "log_kvrh": ("log10(K_VRH)", Target(name="log_bulk_modulus", unit="log10(GPa)")),
    "log_gvrh": ("log10(G_VRH)", Target(name="log_shear_modulus", unit="log10(GPa)")),
    "phonons": ("last phdos peak", Target(name="last_phonon_peak", unit="1/cm")),
    "dielectric": ("n", Target(name="refractive_index")),
}
"""Column and property of each task."""
TEST_FOLD = 0
"""Of the five official folds, the one that tests; a tenth of the others validates."""


def tasks_of(name: str) -> tuple[str, ...]:
    """Return the tasks in the name of a data set that `load_matbench` made; none in another."""
    parts = [re.fullmatch(r"matbench_(\w+)", part) for part in name.split(" and ")]
    return tuple(part[1] for part in parts if part) if all(parts) else ()


def load_matbench(folder: str | Path, tasks: Sequence[str]) -> Dataset:
    """Load one task, or several of the same compositions as one data set.

    Args:
        folder: With ``matbench_TASK.csv.gz`` for each: columns ``composition``, the target under
            its name in Matbench, and ``test_fold``.
        tasks: Keys in ``TASKS``.

    Raises:
        DatasetError: there is no such task or file, or the tasks have other rows.
    """
    parts = []
    for task in tasks:
        if task not in TASKS:
            raise DatasetError(f"Matbench: {unknown_name('task', task, TASKS)}")
        path = Path(folder) / f"matbench_{task}.csv.gz"
        if not path.is_file():
            raise DatasetError(f"{folder}: there is no matbench_{task}.csv.gz in this folder.")
        column, target = TASKS[task]
        parts.append(replace(load_dataset(path, column), targets=(target,)))
    first = parts[0]
    for other in parts[1:]:
        a, b = first.structures, other.structures
        same = np.array_equal(a.offsets, b.offsets)
        if not same or not np.array_equal(a.atomic_numbers, b.atomic_numbers):
            raise DatasetError(f"{first.name} and {other.name} must have the same rows.")
    joined = replace(
        first,
        name=" and ".join(f"matbench_{task}" for task in tasks),
        targets=tuple(p.targets[0] for p in parts),
        values=np.concatenate([p.values for p in parts], axis=1),
    )
    split = make_split(f"fold:{TEST_FOLD}", joined, seed=0)
    return replace(joined, splits={p: getattr(split, p) for p in ("train", "validation", "test")})
