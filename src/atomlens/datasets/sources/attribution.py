"""Tasks whose atom attributions are known by construction, as published.

Sanchez-Lengeling et al., "Evaluating attribution for graph neural networks", NeurIPS 2020. A task
is read from one packed file (smiles, y, train, test, n_atoms, n_rationales, attribution), or from
the folder ``data/TASK`` of the authors' repository. Those keep attributions pickled: they are read
by a reader that knows arrays, lists and dictionaries, and runs nothing.
"""

import csv
import io
import os
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import net, read_arrays, read_text
from atomlens.datasets.base import Dataset
from atomlens.errors import DatasetError, Failure
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.structures.options import AS_IT_IS
from atomlens.targets import Target

PREFIX = "attribution-tasks:"
"""Before the path of a task where a data set is named."""
_CLASSES = ("no", "yes")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttributionTask:
    """One task of the benchmark."""

    name: str
    smiles: tuple[str, ...]
    y: NDArray[np.float64]
    """(n,) 1 or 0, or a number"""
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    rationales: tuple[NDArray[np.float64], ...]
    """For each molecule (n_atoms, n_rationales): what each atom has to do with the answer. Several
    columns are several ways to explain it. Of heavy atoms, or of hydrogens behind them as well."""

    @property
    def is_classification(self) -> bool:
        """Whether the answer is yes or no."""
        return bool(np.isin(self.y, (0, 1)).all())

    @property
    def is_sum(self) -> bool:
        """Whether the answer is a sum over atoms, as that of all molecules to train on is."""
        if self.is_classification or not len(self.train):
            return False
        rows = self.train.tolist()
        sums = np.array([float(self.rationales[row][:, -1].sum()) for row in rows])
        return bool(np.allclose(sums, self.y[rows], atol=1e-3))


def read_task(path: str | Path) -> AttributionTask:
    """Read a task.

    Args:
        path: A packed file, a folder of the repository, or either with the prefix
            ``attribution-tasks:``.

    Raises:
        DatasetError: there is none, or its files do not belong together.
    """
    place = Path(str(path).removeprefix(PREFIX)).expanduser()
    if os.path.isdir(place):
        return _checked(_from_repository(place), place)
    if place.suffix.lower() == ".npz" and os.path.isfile(place):
        return _checked(_from_packed(place), place)
    raise DatasetError(
        f"{place}: there is no attribution task; give a packed file TASK.npz, or the folder "
        "data/TASK of the repository graph-attribution."
    )


def task_dataset(task: AttributionTask, rows: NDArray[np.int64] | None = None) -> Dataset:
    """Return molecules in 3D with their answers; those that cannot be made are failures.

    Args:
        task: What was read.
        rows: Of which molecules; all by default. A sample is named ``TASK-ROW``.
    """
    from atomlens.structures.arrays import structure_of
    from atomlens.structures.reading import read_as

    chosen = np.arange(len(task.smiles)) if rows is None else rows
    structures: list[Structure] = []
    kept: list[int] = []
    failures: list[Failure] = []
    items = read_as([f"smiles:{task.smiles[row]}" for row in chosen.tolist()], AS_IT_IS).items
    for row, item in zip(chosen.tolist(), items, strict=True):
        name = f"{task.name}-{row}"
        if isinstance(item, Failure):
            failures.append(Failure(name=name, message=item.message))
            continue
        structures.append(structure_of(item)._replace(name=name))
        kept.append(row)
    if not kept:
        raise DatasetError(f"{task.name}: no molecule could be read. {failures[0].message}")
    place = {row: index for index, row in enumerate(kept)}
    splits = {
        part: np.array([place[r] for r in given.tolist() if r in place], dtype=np.int64)
        for part, given in (("train", task.train), ("test", task.test))
    }
    target = (
        Target(name=task.name, kind="classification", classes=_CLASSES)
        if task.is_classification
        else Target(name=task.name, extensive=task.is_sum)
    )
    return Dataset(
        name=task.name,
        structures=StructureArrays.from_structures(structures),
        targets=(target,),
        values=task.y[kept][:, None].astype(np.float64),
        splits=splits,
        failures=tuple(failures),
        row_numbers=np.array(kept, dtype=np.int64),
    )


def _checked(task: AttributionTask, place: Path) -> AttributionTask:
    n = len(task.smiles)
    rows = np.concatenate([task.train, task.test])
    lengths = {len(task.y), len(task.rationales)}
    if not n or lengths != {n} or (len(rows) and not 0 <= rows.min() <= rows.max() < n):
        raise DatasetError(
            f"{place}: {n} molecules, {len(task.y)} answers, {len(task.rationales)} attributions "
            "and the rows of the split do not belong together; fetch the files again."
        )
    return task


def _from_packed(path: Path) -> AttributionTask:
    with net(DatasetError, str(path), "fetch it again"):
        file = read_arrays(path)
        shapes = zip(file["n_atoms"].tolist(), file["n_rationales"].tolist(), strict=True)
        flat = file["attribution"].astype(np.float64)
        blocks, start = [], 0
        for n_atoms, n_rationales in shapes:
            size = n_atoms * n_rationales
            blocks.append(flat[start : start + size].reshape(n_atoms, n_rationales))
            start += size
        return AttributionTask(
            name=path.stem,
            smiles=tuple(s.decode() if isinstance(s, bytes) else str(s) for s in file["smiles"]),
            y=file["y"].astype(np.float64),
            train=file["train"].astype(np.int64),
            test=file["test"].astype(np.int64),
            rationales=tuple(blocks),
        )


def _from_repository(folder: Path) -> AttributionTask:
    name = folder.name
    files = {
        "smiles": folder / f"{name}_smiles.csv",
        "split": folder / f"{name}_traintest_indices.npz",
        "y": folder / "y_true.npz",
        "attribution": folder / "true_raw_attribution_datadicts.npz",
    }
    for file in files.values():
        if not file.is_file():
            raise DatasetError(
                f"{folder}: there is no {file.name}; give a folder data/TASK of the repository "
                "graph-attribution with all of its files."
            )
    with net(DatasetError, str(folder), "fetch the files again"):
        rows = list(csv.DictReader(io.StringIO(read_text(files["smiles"]))))
        split = read_arrays(files["split"])
        train, test = split["train_index"], split["test_index"]
        y = read_arrays(files["y"])["y"].astype(np.float64)
        return AttributionTask(
            name=name,
            smiles=tuple(row["smiles"] for row in rows),
            y=y.reshape(len(y), -1)[:, -1],
            train=train.astype(np.int64).ravel(),
            test=test.astype(np.int64).ravel(),
            rationales=tuple(
                np.asarray(one["nodes"], dtype=np.float64).reshape(len(one["nodes"]), -1)
                for one in read_dictionaries(files["attribution"], "datadict_list")
            ),
        )


_ARRAYS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    *((f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays in lists and dictionaries; a name of anything else ends the reading."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what an array is made with."""
        if (module, name) not in _ARRAYS:
            raise DatasetError(f"it holds {module}.{name}, which is no array")
        return super().find_class(module, name)


def read_dictionaries(path: Path, key: str) -> list[dict[str, Any]]:
    """Return the dictionaries of arrays that an npz file keeps as an array of objects.

    Raises:
        DatasetError: it holds anything but arrays.
    """
    with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise DatasetError(f"{path}: this version of npy is not known")
        _, _, dtype = read(file)
        if dtype != np.dtype(object):
            raise DatasetError(f"{path}: {key} is no list of dictionaries")
        found = _ArraysOnly(io.BytesIO(file.read())).load()
    return [dict(one) for one in np.asarray(found, dtype=object).ravel().tolist()]
