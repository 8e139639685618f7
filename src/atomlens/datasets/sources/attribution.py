"""Tasks whose atom attributions are known by construction, as published.

Sanchez-Lengeling et al., "Evaluating attribution for graph neural networks", NeurIPS 2020. A task
is read from one packed file (smiles, y, train, test, n_atoms, n_rationales, attribution), or from
a folder of the authors' repository, as it is or in a zip: ``data/TASK`` (benzene, logic7, logic8,
logic10, crippen), which keeps attributions pickled, or ``data/dataset_bias/TASK``, which says in
SMARTS what to find. Pickles are read by a reader that knows arrays, lists and dictionaries, and
runs nothing.
"""

import csv
import io
import os
import pickle
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import chain, combinations, product
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import net, read_arrays, read_members, read_text
from atomlens.datasets.base import Dataset
from atomlens.errors import DatasetError, Failure
from atomlens.printing import counted, few, shown
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
        path: A packed file, a folder of the repository, a zip of one or ``FILE.zip/TASK``; with
            the prefix ``attribution-tasks:`` or without.

    Raises:
        DatasetError: there is none, or its files do not belong together.
    """
    place = Path(str(path).removeprefix(PREFIX)).expanduser()
    if os.path.isdir(place):
        return _checked(_from_folder(place, place), place)
    if place.suffix.lower() == ".npz" and os.path.isfile(place):
        return _checked(_from_packed(place), place)
    for archive in (place, *place.parents):
        if archive.suffix.lower() == ".zip" and os.path.isfile(archive):
            inside = place.relative_to(archive).as_posix()
            with _unpacked(archive, "" if inside == "." else inside) as folder:
                return _checked(_from_folder(folder, place), place)
    raise DatasetError(
        f"{place}: there is no attribution task; give a packed file TASK.npz, the folder "
        "data/TASK of the repository graph-attribution, or a zip of it."
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
    both = np.intersect1d(task.train, task.test)
    if len(both):
        raise DatasetError(
            f"{place}: {counted(len(both), 'test molecule', 'are')} in the training part as well, "
            f"row {both[0]} (the first is 0) among them; fetch the files again."
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


_SMILES, _SPLIT, _SMARTS = "_smiles.csv", "_traintest_indices.npz", "_smarts.csv"
_ANSWERS, _ATTRIBUTIONS = "y_true.npz", "true_raw_attribution_datadicts.npz"
_NEEDED = (_SMILES, _SPLIT, _SMARTS, _ANSWERS, _ATTRIBUTIONS)
_GRAPHS = ("bashapes", "treegrid", "bacommunity")
"""Tasks of the benchmark that are about nodes of a made graph."""


def _from_folder(folder: Path, place: Path) -> AttributionTask:
    """Read a folder of the repository; sentences call it by the place that was given."""
    tables = sorted(p.name for p in folder.glob(f"*{_SMILES}"))
    if not tables:
        raise DatasetError(f"{place}: {_why_no_task(folder, place)}")
    own = f"{folder.name}{_SMILES}"
    name = (own if own in tables else tables[0]).removesuffix(_SMILES)
    by_smarts = (folder / f"{name}{_SMARTS}").is_file() and not (folder / _ATTRIBUTIONS).is_file()
    others = (f"{name}{_SMARTS}",) if by_smarts else (_ANSWERS, _ATTRIBUTIONS)
    for file in (f"{name}{_SPLIT}", *others):
        if not (folder / file).is_file():
            raise DatasetError(
                f"{place}: there is no {file}; give a folder data/TASK of the repository "
                "graph-attribution with all of its files."
            )
    with net(DatasetError, str(place), "fetch the files again"):
        rows = list(csv.DictReader(io.StringIO(read_text(folder / f"{name}{_SMILES}"))))
        if rows and "smiles" not in rows[0]:
            raise DatasetError(f"{place}: {name}{_SMILES} has no column smiles")
        smiles = tuple(row["smiles"] for row in rows)
        split = read_arrays(folder / f"{name}{_SPLIT}")
        if by_smarts:
            y, rationales = _by_smarts(smiles, folder / f"{name}{_SMARTS}")
        else:
            y = read_arrays(folder / _ANSWERS)["y"].astype(np.float64)
            rationales = tuple(
                np.asarray(one["nodes"], dtype=np.float64).reshape(len(one["nodes"]), -1)
                for one in read_dictionaries(folder / _ATTRIBUTIONS, "datadict_list")
            )
        return AttributionTask(
            name=name,
            smiles=smiles,
            y=y.reshape(len(y), -1)[:, -1],
            train=split["train_index"].astype(np.int64).ravel(),
            test=split["test_index"].astype(np.int64).ravel(),
            rationales=rationales,
        )


def _why_no_task(folder: Path, place: Path) -> str:
    """Return why a folder without a table of molecules is no task, and what to do."""
    within = sorted(p.parent for p in folder.rglob(f"*{_SMILES}"))
    if within:
        names = few(p.relative_to(folder).as_posix() for p in within)
        return f"it holds the tasks {names}; name one, {place / within[0].relative_to(folder)}."
    labelled = sorted(p.name for p in folder.rglob("logic_*_train.csv"))
    if labelled:
        return (
            f"{labelled[0]} and its like have molecules with labels and no attributions of atoms, "
            "so there is nothing to hold an explanation against; use them as tables to train on, "
            "and logic7, logic8 or logic10 here."
        )
    if place.name in _GRAPHS or any(folder.glob("*_nxgraph.pkl")):
        return (
            "it is about the nodes of a made graph, which has no atoms; give a task of molecules, "
            "benzene, logic7, logic8, logic10 or crippen."
        )
    return (
        f"there is no {folder.name}{_SMILES}; give a folder data/TASK of the repository "
        "graph-attribution with all of its files."
    )


@contextmanager
def _unpacked(archive: Path, inside: str) -> Iterator[Path]:
    """Lay out the files of a zip, or of the one folder in it whose path ends as named.

    Raises:
        DatasetError: it is damaged, holds more than it says, or has no such folder.
    """
    with TemporaryDirectory() as folder:
        with net(DatasetError, str(archive), "fetch it again"):
            for name, content in read_members(archive, _NEEDED).items():
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    raise DatasetError(f"{archive}: {shown(name)} would lie outside of the folder")
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        top = Path(folder)
        tables = sorted(p.parent for p in top.rglob(f"*{_SMILES}"))
        if inside:
            wanted = PurePosixPath(inside).parts
            ends = [p for p in tables if p.relative_to(top).parts[-len(wanted) :] == wanted]
            if not ends:
                raise DatasetError(f"{archive}: {_why_not_inside(tables, top, inside)}")
            yield ends[0]
        else:
            yield tables[0] if len(tables) == 1 else top


def _why_not_inside(tables: list[Path], top: Path, inside: str) -> str:
    names = few(p.relative_to(top).as_posix() for p in tables)
    return f"there is no task {inside} in it" + (f", but {names}." if names else ".")


_MOST_PLACES = 12
"""Of one motif in a molecule, whose choices are all taken as rationales of their own."""


def _by_smarts(
    smiles: tuple[str, ...], file: Path
) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Return whether molecules have all motifs of a table of SMARTS, and the atoms of these.

    As published for several motifs: of each, one place or any union of places is a rationale.
    """
    from rdkit import Chem

    motifs = [
        Chem.MolFromSmarts(row["smarts"]) for row in csv.DictReader(io.StringIO(read_text(file)))
    ]
    if not motifs or None in motifs:
        raise DatasetError(f"{file.name} has no SMARTS that can be read in its column smarts")
    y = np.zeros(len(smiles))
    rationales = []
    for row, text in enumerate(smiles):
        molecule = Chem.MolFromSmiles(text)
        own = np.zeros((0, 1)) if molecule is None else motif_rationales(molecule, motifs)
        y[row] = own.any()
        rationales.append(own)
    return y, tuple(rationales)


def motif_rationales(molecule: Any, motifs: Sequence[Any]) -> NDArray[np.float64]:
    """(n_atoms, n_rationales) Which atoms say that a molecule has several motifs; none: zeros.

    As published: of each motif, one place or any union of places.

    Args:
        molecule: Of rdkit.
        motifs: Of rdkit, from SMARTS.
    """
    places = [molecule.GetSubstructMatches(motif) for motif in motifs]
    atoms = np.arange(molecule.GetNumAtoms())
    found = [
        np.isin(atoms, list(chain(*chosen))) for chosen in product(*(_unions(p) for p in places))
    ]
    return np.array(found, dtype=np.float64).T if found else np.zeros((len(atoms), 1))


def _unions(places: tuple[tuple[int, ...], ...]) -> list[frozenset[int]]:
    """Return the atoms of each place and of each union of places."""
    sizes = range(1, len(places) + 1) if len(places) <= _MOST_PLACES else (1, len(places))
    return [
        reduce(frozenset.union, map(frozenset, chosen), frozenset())
        for size in sizes
        for chosen in combinations(places, size)
    ]


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
        if (module, name) == ("_codecs", "encode"):  # what bytes are written as in old pickles
            return _latin_1
        if (module, name) not in _ARRAYS:
            raise DatasetError(f"it holds {module}.{name}, which is no array")
        return super().find_class(module, name)


def _latin_1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise DatasetError("it holds text in another encoding than that of old pickles")
    return text.encode(encoding)


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
