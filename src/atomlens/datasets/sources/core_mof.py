"""CoRE MOF 2019: experimental frameworks with their pores, from the package CoRE-MOF.

Y. G. Chung et al., J. Chem. Eng. Data 64, 5985 (2019). The package brings tables of pore
descriptors and archives of CIF files; it is never imported. Only the structures that are asked
for are parsed; once all of them were, the arrays are kept in the cache folder.
"""

import csv
from abc import ABC
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path
from typing import ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset, DatasetSource
from atomlens.datasets.packed import load_packed, save_packed
from atomlens.datasets.sampling import keep_rows, sample_rows
from atomlens.datasets.sources.archives import DAMAGE, open_members
from atomlens.errors import (
    DatasetError,
    Failure,
    StructureError,
    missing_package,
)
from atomlens.files import cache_folder
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.structures.cif.atoms import read_cif
from atomlens.targets import Target

_VERSION = 1
"""Raise it when the structures are read in another way."""

_SIZES = {
    "LCD": ("LCD", "Å", "diameter of the largest cavity"),
    "PLD": ("PLD", "Å", "pore limiting diameter"),
    "LFPD": ("LFPD", "Å", "largest sphere along the free path"),
    "density": ("cm3_g", "g/cm³", "density of the crystal (headed cm3_g in the table)"),
    "ASA_m2_cm3": ("ASA_m2_cm3", "m²/cm³", "accessible surface area"),
    "ASA_m2_g": ("ASA_m2_g", "m²/g", "accessible surface area"),
    "NASA_m2_cm3": ("NASA_m2_cm3", "m²/cm³", "surface area in closed pockets"),
    "NASA_m2_g": ("NASA_m2_g", "m²/g", "surface area in closed pockets"),
    "AV_VF": ("AV_VF", "", "void fraction"),
    "AV_cm3_g": ("AV_cm3_g", "cm³/g", "accessible volume"),
    "NAV_cm3_g": ("NAV_cm3_g", "cm³/g", "volume in closed pockets"),
}
"""Column, unit and meaning of each target."""

_CLASSES = ("No", "Yes")


class _Table(NamedTuple):
    """The pore descriptors of one subset."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    """(n, n_targets)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _CoreMof(DatasetSource, ABC):
    available_targets: ClassVar[tuple[Target, ...]] = (
        *(
            Target(name=n, unit=u, nonnegative=True, description=d)
            for n, (_, u, d) in _SIZES.items()
        ),
        Target(
            name="Has_OMS",
            kind="classification",
            classes=_CLASSES,
            description="has open metal sites",
        ),
    )
    origin: ClassVar[str] = "the package CoRE-MOF"
    licence: ClassVar[str] = "CC BY 4.0 (Zenodo record 7691378)"
    subset: ClassVar[str]
    """Name of the table and of the archive in the package."""

    seed: int = 0
    """Decides which frameworks ``limit`` takes."""

    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        """Load the frameworks; ``limit`` draws that many from the table, at random.

        A structure that cannot be used, for example because alternatives of a disordered part
        overlap in it, is in ``failures``.

        Raises:
            MissingDependencyError: the package CoRE-MOF is not installed.
            DatasetError: its files are damaged, a target is unknown, or nothing can be used.
        """
        self.check_targets(targets)
        table_path, archive = self.files()
        table = _read_table(table_path)
        rows = sample_rows(len(table.names), limit, self.seed)
        dataset = self._structures(archive, table, rows)
        if len(dataset) == 0:
            raise DatasetError(
                f"{self.name}: no structure can be used; the first problem: "
                f"{dataset.failures[0].message if dataset.failures else 'there is none'}"
            )
        number = {name: row for row, name in enumerate(table.names)}
        numbers = np.array([number[name] for name in dataset.structures.names], dtype=np.int64)
        dataset = replace(dataset, row_numbers=numbers)
        return dataset.select_targets(targets) if targets else dataset

    def files(self) -> list[Path]:
        """Return the table and the archive of the package.

        Raises:
            MissingDependencyError: it is not installed.
            DatasetError: it lacks a file.
        """
        folder = _data_folder(self.name)
        paths = [folder / f"{self.subset}.csv", folder / f"{self.subset}.tar.xz"]
        for path in paths:
            if not path.is_file():
                raise DatasetError(
                    f"{self.name}: the package CoRE-MOF lacks its file {path.name}; reinstall it "
                    "with: pip install --force-reinstall --no-deps CoRE-MOF"
                )
        return paths

    def _structures(self, archive: Path, table: _Table, rows: NDArray[np.int64]) -> Dataset:
        """Return the chosen rows of the table: from the cache if all were parsed before."""
        stamp = archive.stat()
        key = f"{self.subset}-{stamp.st_size}-{stamp.st_mtime_ns}-{_VERSION}"
        path = cache_folder() / self.name / f"{key}.npz"
        wanted = {table.names[row] for row in rows}
        try:
            return _chosen(load_packed(path), wanted)
        except DatasetError:
            dataset = self._parse(archive, table, rows)  # for the first time, or a damaged cache
        if len(rows) == len(table.names):
            with suppress(DatasetError):  # the cache saves time only
                save_packed(dataset, path, precision="float64", compressed=False)
        return dataset

    def _parse(self, archive: Path, table: _Table, rows: NDArray[np.int64]) -> Dataset:
        """Read the CIF files of the chosen rows, in the order of the table."""
        place = {table.names[row]: int(row) for row in rows}
        found: dict[int, Structure] = {}
        failures: list[Failure] = []
        for member, open_member in open_members(archive, ".cif"):
            name = Path(member).stem
            if name not in place:
                continue
            try:
                with open_member() as stream:
                    text = stream.read().decode("utf-8", "replace")
                found[place[name]] = _structure(name, text)
            except (StructureError, *DAMAGE) as problem:
                failures.append(Failure(name=name, message=f"{name}: {problem}."))
        seen = {table.names[row] for row in found} | {f.name for f in failures}
        failures += [
            Failure(name=name, message=f"{name}: there is no CIF file of it in {archive.name}.")
            for name in place
            if name not in seen
        ]
        kept = np.array(sorted(found), dtype=np.int64)
        return Dataset(
            name=self.name,
            structures=StructureArrays.from_structures(found[row] for row in kept.tolist()),
            targets=self.available_targets,
            values=table.values[kept],
            failures=tuple(failures),
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoreMof(_CoreMof):
    """Frameworks from which all solvent was removed, bound solvent too (ASR)."""

    name: ClassVar[str] = "core-mof"
    summary: ClassVar[str] = (
        "12,020 experimental metal-organic frameworks, all solvent removed (CoRE MOF 2019-ASR), "
        "with pore descriptors, Chung et al. 2019, from the package CoRE-MOF"
    )
    subset: ClassVar[str] = "2019-ASR"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoreMofFsr(_CoreMof):
    """Frameworks from which only free solvent was removed (FSR)."""

    name: ClassVar[str] = "core-mof-fsr"
    summary: ClassVar[str] = (
        "7,061 experimental metal-organic frameworks, free solvent removed (CoRE MOF 2019-FSR), "
        "with pore descriptors, Chung et al. 2019, from the package CoRE-MOF"
    )
    subset: ClassVar[str] = "2019-FSR"


def _data_folder(dataset: str) -> Path:
    """Find the files of the package without importing it (its import needs pymatgen)."""
    spec = util.find_spec("CoRE_MOF")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise missing_package(f"The data set {dataset} (45 MB)", "CoRE-MOF", "mof")
    return Path(places[0]) / "data"


def _read_table(path: Path) -> _Table:
    """Read names and values; an empty cell is an unknown value."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        records = list(csv.DictReader(stream))
    try:
        values = [
            [
                *(_number(record[column]) for column, _, _ in _SIZES.values()),
                _class_number(record["Has_OMS"]),
            ]
            for record in records
        ]
        names = tuple(record["filename"] for record in records)
    except (KeyError, ValueError) as problem:
        raise DatasetError(
            f"{path}: this table of the package CoRE-MOF is damaged ({problem}); reinstall it "
            "with: pip install --force-reinstall --no-deps CoRE-MOF"
        ) from problem
    return _Table(names, np.array(values, dtype=np.float64).reshape(len(names), -1))


def _number(text: str | None) -> float:
    return float(text) if text and text.strip() else np.nan


def _class_number(text: str | None) -> float:
    word = (text or "").strip()
    return float(_CLASSES.index(word)) if word in _CLASSES else np.nan


def _structure(name: str, text: str) -> Structure:
    entry = read_cif(text + "\n")[0]
    if entry.atoms is None:
        raise StructureError(entry.problem)
    entry.atoms.info["name"] = name
    return structure_of(entry.atoms)


def _chosen(dataset: Dataset, wanted: set[str]) -> Dataset:
    """Return the samples and failures of these names."""
    rows = [i for i, name in enumerate(dataset.structures.names) if name in wanted]
    kept = keep_rows(dataset, np.array(rows, dtype=np.int64))
    failures = tuple(f for f in dataset.failures if f.name in wanted)
    return replace(kept, failures=failures)
