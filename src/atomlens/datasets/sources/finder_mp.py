"""Materials Project of July 2021 without polymorphs: the deposit of Finder's authors.

A. Ihalage, Y. Hao, Adv. Sci. 9, 2200164 (2022), figshare 19308407. Their public code and its README
say what is in it: a folder a property (``formation_energy``, ``bandgap``, ``refractive_index`` and
the others), each with ``train.csv``, ``val.csv`` and ``test.csv``, columns ``ID``, ``formula``,
``target`` and ``cif`` (the crystal as CIF text). Folders are known by words of their names, since
only three of the six names stand in the README.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.sampling import keep_rows, sample_rows, usable
from atomlens.datasets.sources.archives import DAMAGE, open_members
from atomlens.datasets.sources.deposits import Deposit, DepositFile
from atomlens.datasets.sources.downloaded import DownloadedSource
from atomlens.errors import DatasetError, Failure, StructureError, warn
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.structures.cif.atoms import read_cif
from atomlens.structures.formulas import from_formula
from atomlens.targets import Target

_PAGE = "https://doi.org/10.6084/m9.figshare.19308407"
_WORDS: dict[str, tuple[str, ...]] = {
    "formation_energy": ("formation",),
    "band_gap": ("gap",),
    "refractive_index": ("refractive",),
    "log_bulk_modulus": ("bulk", "kvrh"),
    "log_shear_modulus": ("shear", "gvrh"),
    "dft_energy": ("energy",),
}
"""In small letters and digits alone; the first property of which a folder's name has a word."""
_PARTS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
"""By the name of the file."""
_COLUMNS = ("ID", "formula", "target")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FinderMp(DownloadedSource):
    """The crystals of Finder's table 1 and 2, each property with its own three parts.

    Crystals are read from the CIF text; the builder ``formula`` reads them as formulas. A file
    without the column ``cif`` gives formulas. The split ``source`` is that of the files; several
    targets have it together where their files agree about every crystal.
    """

    name: ClassVar[str] = "finder-mp"
    summary: ClassVar[str] = (
        "68,699 crystals of the Materials Project (July 2021), the polymorph of lowest energy of "
        "each formula, in the parts of Ihalage and Hao 2022"
    )
    available_targets: ClassVar[tuple[Target, ...]] = (
        Target(name="formation_energy", unit="eV/atom", description="formation energy per atom"),
        Target(name="dft_energy", unit="eV/atom", description="final DFT energy per atom"),
        Target(name="band_gap", unit="eV", nonnegative=True, description="PBE band gap"),
        Target(name="refractive_index", nonnegative=True, description="refractive index, static"),
        Target(name="log_bulk_modulus", unit="log10(GPa)", description="Voigt-Reuss-Hill average"),
        Target(name="log_shear_modulus", unit="log10(GPa)", description="Voigt-Reuss-Hill average"),
    )
    origin: ClassVar[str] = _PAGE
    licence: ClassVar[str] = "as its figshare record states (noted when it is fetched)"
    deposit: ClassVar[Deposit] = Deposit(
        page=_PAGE,
        files=(
            DepositFile(
                record="figshare:19308407",
                names=("mp_2021_july_no_polymorph.zip", "*mp_2021*", "*no_polymorph*"),
                members=".csv",
            ),
        ),
    )

    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        """Load the crystals that have one of the targets; ``limit`` draws that many of them.

        Raises:
            DatasetError: the files are not on this machine (it says how to get them) or damaged,
                or a target is unknown or not in the files.
        """
        self.check_targets(targets)
        dataset = usable(self._parsed(), targets)
        parts, conflicts = _agreed(dataset)
        if conflicts:
            warn(
                f"{self.name}: the files of {', '.join(t.name for t in dataset.targets)} put "
                f"{conflicts} crystals into different parts, so that together these have no split "
                "of their own; take one target, or name a split."
            )
        dataset = replace(dataset, splits=parts)
        rows = sample_rows(len(dataset), limit, self.seed)
        return keep_rows(dataset, rows) if len(rows) < len(dataset) else dataset

    def parse(self, files: Sequence[Path]) -> Dataset:
        """Read every property; this takes some minutes, once."""
        table = _Table()
        for where, rows in _tables(files):
            table.add(where, rows)
        if not table.structures:
            told = table.failures[0].message if table.failures else "there is no CSV file."
            raise DatasetError(f"{self.name}: no crystal can be used; the first problem: {told}")
        return table.dataset(self.name, self.available_targets)


@dataclass(slots=True)
class _Table:
    """What was read so far: a crystal stands once, whatever number of properties it has."""

    structures: dict[str, Structure] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    """By property, by crystal."""
    parts: dict[str, dict[str, str]] = field(default_factory=dict)
    """The same: in which part it is."""
    failures: list[Failure] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)

    def add(self, where: str, rows: Iterator[Mapping[str, str]]) -> None:
        """Take in one file; a row that cannot be used becomes a failure.

        Args:
            where: Its path, of which the folder tells the property and the file's name the part.
            rows: Its rows, with ``ID``, ``formula`` and ``target``.
        """
        folder, _, file = where.rpartition("/")
        found, part = _property(folder.rpartition("/")[2]), _PARTS.get(Path(file).stem.lower())
        if found is None or part is None:
            what = "folder tells no property" if found is None else "name is no train, val or test"
            self._fail(where, f"{where}: its {what} that is known, so it was left out.")
            return
        values, parts = self.values.setdefault(found, {}), self.parts.setdefault(found, {})
        for number, row in enumerate(rows, start=1):
            name = str(row["ID"]).strip() or f"{where} {number}"
            if name in self.bad:
                continue
            try:
                if name in values:
                    raise ValueError(f"it stands twice among {found} ({parts[name]} and {part})")
                value = float(row["target"])
                if not np.isfinite(value):
                    raise ValueError(f"its target is {row['target']}")
                if name not in self.structures:
                    self.structures[name] = _structure(row, name)
            except (ValueError, StructureError) as problem:
                self._fail(name, f"{name} in {where}: {str(problem).rstrip('.')}.")
                if name not in self.structures:
                    self.bad.add(name)
                continue
            values[name], parts[name] = value, part

    def _fail(self, name: str, message: str) -> None:
        self.failures.append(Failure(name=name, message=message))

    def dataset(self, name: str, targets: tuple[Target, ...]) -> Dataset:
        """Return all of it; a split for each property and part, named by both."""
        names = list(self.structures)
        row = {crystal: k for k, crystal in enumerate(names)}
        values = np.full((len(names), len(targets)), np.nan)
        splits: dict[str, NDArray[np.int64]] = {}
        for k, target in enumerate(targets):
            for crystal, value in self.values.get(target.name, {}).items():
                values[row[crystal], k] = value
            own = self.parts.get(target.name, {})
            for part in sorted(set(own.values())):
                rows = [row[crystal] for crystal, its in own.items() if its == part]
                splits[_split_name(target.name, part)] = np.sort(np.array(rows, dtype=np.int64))
        return Dataset(
            name=name,
            structures=StructureArrays.from_structures(self.structures.values()),
            targets=targets,
            values=values,
            splits=splits,
            failures=tuple(self.failures),
        )


def _split_name(target: str, part: str) -> str:
    return f"{target} {part}"


def _agreed(dataset: Dataset) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Return the parts that the files of all targets share, and how many crystals disagree."""
    known = sorted(set(_PARTS.values()))
    code = np.full(len(dataset), -1, dtype=np.int64)
    conflicts = np.zeros(len(dataset), dtype=np.bool_)
    for target in dataset.targets:
        for number, part in enumerate(known):
            rows = dataset.splits.get(_split_name(target.name, part), np.zeros(0, np.int64))
            conflicts[rows] |= (code[rows] >= 0) & (code[rows] != number)
            code[rows] = number
    if conflicts.any():
        return {}, int(conflicts.sum())
    parts = {part: np.flatnonzero(code == number) for number, part in enumerate(known)}
    return {part: rows for part, rows in parts.items() if len(rows)}, 0


def _property(folder: str) -> str | None:
    letters = re.sub(r"[^a-z0-9]", "", folder.lower())
    return next((name for name, words in _WORDS.items() if any(w in letters for w in words)), None)


def _structure(row: Mapping[str, str], name: str) -> Structure:
    text = str(row.get("cif", "")).strip()
    if not text:
        return structure_of(from_formula(str(row["formula"])))._replace(name=name)
    found = read_cif(text + "\n")
    if len(found) != 1:
        raise StructureError(f"its CIF text holds {len(found)} crystals")
    if found[0].atoms is None:
        raise StructureError(found[0].problem)
    return structure_of(found[0].atoms)._replace(name=name)


def _tables(files: Sequence[Path]) -> Iterator[tuple[str, Iterator[Mapping[str, str]]]]:
    """Yield path and rows of every CSV file, in an archive or on its own."""
    for path in files:
        if path.suffix.lower() == ".csv":
            yield f"{path.parent.name}/{path.name}", _rows(path, path.name)
            continue
        for where, open_member in open_members(path, ".csv"):
            with open_member() as stream:
                yield where, _rows(stream, f"{path}, {where}")


def _rows(source: Any, name: str) -> Iterator[Mapping[str, str]]:
    """Yield the rows of a table as text; CIF text in it may be of any length."""
    import pandas as pd

    try:
        parts = pd.read_csv(source, dtype=str, keep_default_na=False, chunksize=2000)
        for part in parts:
            missing = [column for column in _COLUMNS if column not in part.columns]
            if missing:
                raise DatasetError(
                    f"{name}: there is no column {missing[0]}; it has {', '.join(part.columns)}."
                )
            yield from part.to_dict("records")
    except (ValueError, *DAMAGE) as problem:
        told = " ".join(str(problem).split())[:160] or type(problem).__name__
        raise DatasetError(
            f"{name}: this is not a whole table of crystals ({told}); get a complete copy."
        ) from problem
