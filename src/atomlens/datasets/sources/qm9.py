"""QM9: all 130,831 molecules that passed its consistency check, with the usual targets.

R. Ramakrishnan, P. O. Dral, M. Rupp, O. A. von Lilienfeld, Sci. Data 1, 140022 (2014);
B3LYP/6-31G(2df,p); CC0. The values come from the csv files of the package ``qm9pack``
(``pip install "atomlens[data]"``), which is found but never imported. They are parsed once;
the flat arrays are kept in the cache folder.
"""

import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset, DatasetSource
from atomlens.datasets.sampling import sample_rows, split_in_order
from atomlens.datasets.sources.qm9_columns import N_TEST, N_TRAIN, QM9_COLUMNS
from atomlens.errors import DatasetError, missing_package
from atomlens.files import cache_folder, whole_file
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

_FILES = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")
_VERSION = 1
"""Raise it when the meaning of the cached arrays changes."""


class _Arrays(NamedTuple):
    """The parsed files, in the order of the files."""

    numbers: NDArray[np.int32]
    """(n,) number in QM9, 1 to 133,885"""
    n_atoms: NDArray[np.uint8]
    """(n,)"""
    atomic_numbers: NDArray[np.uint8]
    """(n_atoms,)"""
    positions: NDArray[np.float64]
    """(n_atoms, 3), Å"""
    values: NDArray[np.float64]
    """(n, n_columns), in the units of the files"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Qm9(DatasetSource):
    """The molecules of QM9.

    Energies in eV (1 hartree = 27.211386 eV). Following the published tables, ``alpha`` and
    ``cv`` are learned as they are, and not per atom, though they grow with the molecule. The
    data set's own split (``source``) is 110,000 for training, 10,000 for test and the other
    10,831 for validation, out of one permutation drawn with ``seed``; ``random:.8/.1/.1``
    gives the other published one.
    """

    name: ClassVar[str] = "qm9"
    summary: ClassVar[str] = (
        "130,831 small organic molecules (H, C, N, O, F; up to 9 heavy atoms), B3LYP/6-31G(2df,p), "
        "Ramakrishnan et al. 2014, from the package qm9pack"
    )
    available_targets: ClassVar[tuple[Target, ...]] = tuple(c.target for c in QM9_COLUMNS)
    origin: ClassVar[str] = "the package qm9pack"
    licence: ClassVar[str] = "CC0 1.0"

    seed: int = 0
    """Decides which molecules ``limit`` takes, and the data set's own split."""

    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        """Load the molecules; ``limit`` takes a random sample of that many.

        Raises:
            MissingDependencyError: the package qm9pack is not installed.
            DatasetError: its files are damaged, or a target is unknown.
        """
        self.check_targets(targets)
        known = [t.name for t in self.available_targets]
        columns = [known.index(t) for t in targets] or list(range(len(known)))
        arrays = _load_arrays(_data_folder())
        rows = sample_rows(len(arrays.numbers), limit, self.seed)
        structures = _structures(arrays)
        splits = {}
        if len(rows) < len(structures):
            structures = structures.subset(rows)
        else:
            splits = split_in_order(len(rows), N_TRAIN, N_TEST, self.seed)
        factors = np.array([c.factor for c in QM9_COLUMNS])
        return Dataset(
            name=self.name,
            structures=structures,
            targets=tuple(self.available_targets[c] for c in columns),
            values=(arrays.values[rows] * factors)[:, columns],
            splits=splits,
            row_numbers=rows,
        )

    def files(self) -> list[Path]:
        """Return the files of qm9pack.

        Raises:
            MissingDependencyError: it is not installed.
            DatasetError: it lacks a file.
        """
        folder = _data_folder()
        return [folder / name for name in _FILES]


def _data_folder() -> Path:
    """Find the files of qm9pack without importing it (its import needs more packages)."""
    spec = util.find_spec("qm9pack")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise missing_package("The data set qm9", "qm9pack", "data")
    folder = Path(places[0]) / "data"
    missing = [f for f in _FILES if not (folder / f).is_file()]
    if missing:
        raise DatasetError(
            f"qm9: the package qm9pack lacks its file {missing[0]}; reinstall it with: "
            "pip install --force-reinstall --no-deps qm9pack"
        )
    return folder


def _load_arrays(folder: Path) -> _Arrays:
    """Return the parsed files, from the cache if they were parsed before."""
    sizes = [(folder / f).stat().st_size for f in _FILES]
    try:
        version = metadata.version("qm9pack")
    except metadata.PackageNotFoundError:
        version = "unknown"
    key = "-".join(map(str, [version, sum(sizes), _VERSION]))
    path = cache_folder() / "qm9" / f"{key}.npz"
    cached = _read_cached(path)
    if cached is not None:
        return cached
    arrays = _concatenate([_parse(folder / f) for f in _FILES])
    try:
        with whole_file(path) as stream:
            np.savez(stream, **arrays._asdict())
    except OSError:
        pass  # the cache saves time only; a folder that cannot be written is no failure
    return arrays


def _read_cached(path: Path) -> _Arrays | None:
    """Return None for a file that is not there or not whole: it will be made again."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = _Arrays(**{name: archive[name] for name in _Arrays._fields})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    whole = len(arrays.positions) == int(arrays.n_atoms.sum(dtype=np.int64))
    return arrays if whole and len(arrays.values) == len(arrays.numbers) else None


def _parse(path: Path) -> _Arrays:
    """Parse one csv file.

    A line is ``"name",index,"SMILES","InChI",n,"[counts]","[elements]","[positions]",
    "[charges]","[frequencies]",`` and then numbers only.
    """
    header, *lines = path.read_bytes().splitlines()
    names = header.decode().split(",")
    try:
        columns = [names.index(c.header) - _N_TEXT_COLUMNS for c in QM9_COLUMNS]
        fields = [line.split(b'"') for line in lines]
        numbers = np.array([int(f[2][1:-1]) for f in fields], dtype=np.int32)
        n_atoms = np.array([int(f[6][1:-1]) for f in fields], dtype=np.uint8)
        elements = b"".join(f[9] for f in fields).translate(_ATOMIC_NUMBER_OF_LETTER, b"[]',")
        positions = _numbers(b",".join(f[11] for f in fields).translate(None, b"[]"))
        values = _numbers(b"".join(f[16] for f in fields)[1:])
        if len(elements) != n_atoms.sum(dtype=np.int64):
            raise ValueError("elements and numbers of atoms differ")
        return _Arrays(
            numbers=numbers,
            n_atoms=n_atoms,
            atomic_numbers=np.frombuffer(elements, dtype=np.uint8),
            positions=positions.reshape(int(n_atoms.sum(dtype=np.int64)), 3),
            values=values.reshape(len(fields), -1)[:, columns],
        )
    except (ValueError, IndexError, DeprecationWarning) as problem:
        raise DatasetError(
            f"{path}: this file of qm9pack is damaged ({problem}); reinstall the package with: "
            "pip install --force-reinstall --no-deps qm9pack"
        ) from problem


_N_TEXT_COLUMNS = 10
_ATOMIC_NUMBER_OF_LETTER = bytes.maketrans(b"HCNOF", bytes([1, 6, 7, 8, 9]))


def _numbers(text: bytes) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's word for unreadable text
        return np.fromstring(text.decode("ascii"), dtype=np.float64, sep=",")


def _concatenate(parts: Sequence[_Arrays]) -> _Arrays:
    return _Arrays(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _structures(arrays: _Arrays) -> StructureArrays:
    n = len(arrays.numbers)
    return StructureArrays(
        offsets=np.concatenate([[0], np.cumsum(arrays.n_atoms, dtype=np.int64)]).astype(np.int64),
        atomic_numbers=arrays.atomic_numbers,
        positions=arrays.positions,
        cells=np.zeros((n, 3, 3)),
        pbc=np.zeros((n, 3), dtype=np.bool_),
        names=tuple(f"dsgdb9nsd_{i:06d}" for i in arrays.numbers.tolist()),
        is_formula=np.zeros(n, dtype=np.bool_),
    )
