"""Lists of formulas, with energies above the convex hull where they are known."""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import net, read_text
from atomlens.datasets.base import Dataset
from atomlens.datasets.loading import load_dataset
from atomlens.datasets.splits import reduced_formulas
from atomlens.datasets.tables.cells import is_missing
from atomlens.datasets.tables.files import is_table
from atomlens.datasets.tables.headers import parse_header
from atomlens.datasets.tables.spectra import has_spectra
from atomlens.datasets.tables.table import read_table
from atomlens.elements import SYMBOLS
from atomlens.errors import AtomlensError, DatasetError, Failure, StructureError, StudyError, warn
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.targets import Target

if TYPE_CHECKING:
    from ase import Atoms

HULL = "e_above_hull"
"""Target name of energies above the convex hull, eV/atom."""
_HULL_NAMES = (HULL, "energy_above_hull", "e_hull", "hull_energy")
_HULL_UNITS = {"": 1.0, "ev": 1.0, "ev/atom": 1.0, "mev": 1e-3, "mev/atom": 1e-3}
_LISTS = {".txt", ".list"}


def reads_spectra(inputs: Sequence[str]) -> bool:
    """Say whether the inputs are one packed data set, which may hold known spectra."""
    return len(inputs) == 1 and Path(inputs[0]).suffix.lower() == ".npz"


def read_known(inputs: Sequence[str], real: str, imaginary: str) -> Dataset | None:
    """Return a table of formulas with their known spectra; None if it is none, or has others.

    Args:
        inputs: What the study was given.
        real: Column of the real part.
        imaginary: Column of the imaginary part.
    """
    if len(inputs) != 1 or not is_table(Path(inputs[0])):
        return None
    columns = read_table(Path(inputs[0]), None, None).columns
    if not has_spectra(columns):
        return None
    hull = [HULL] if HULL in {parse_header(header)[0] for header in columns} else []
    try:
        return load_dataset(inputs[0], [real, imaginary, *hull], formulas_first=True)
    except AtomlensError as problem:
        warn(f"{problem} So its formulas are judged without their known spectra.")
        return None


def read_candidates(inputs: Sequence[str]) -> Dataset:
    """Read formulas as typed, or from text files (one a line, # begins a remark) and tables.

    A table has a column ``formula`` (or ``composition``) and may have ``e_above_hull`` in eV/atom,
    or in the unit that its header names: ``e_above_hull [meV/atom]``.

    Returns:
        Formulas with the target ``e_above_hull`` (NaN where unknown) if a table has it. What
        cannot be read is in ``failures``.

    Raises:
        DatasetError: a file cannot be read, or a unit is unknown.
    """
    structures: list[Structure] = []
    energies: list[float] = []
    failures: list[Failure] = []
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)  # of other packages
        for found in (found for text in inputs for found in _read(text)):
            if isinstance(found, Failure):
                failures.append(found)
            else:
                structures.append(found[0])
                energies.append(found[1])
    if heard:  # the readers remark on single formulas; of many, one is enough
        more = f" (and {len(heard) - 1} more remarks)" if len(heard) > 1 else ""
        warn(f"{heard[0].message}{more}")
    known = bool(np.isfinite(energies).any())
    return Dataset(
        name="candidates",
        structures=StructureArrays.from_structures(structures),
        targets=(Target(name=HULL, unit="eV/atom"),) if known else (),
        values=np.array(energies, dtype=np.float64)[:, None]
        if known
        else np.zeros((len(structures), 0)),
        failures=tuple(failures),
    )


Found = tuple[Structure, float]


def _read(text: str) -> "Iterable[Found | Failure]":
    path = Path(text)
    if is_table(path):
        yield from _from_table(path)
    elif path.suffix.lower() in _LISTS:
        for number, formula in _lines(path):
            yield _found(formula, f"{path}, line {number}: ", partial(_formula, formula))
    else:
        yield _found(text, "", partial(_formula, text))


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a list with their numbers, without remarks and empty ones."""
    if not os.path.exists(path):
        raise DatasetError(f"{path}: there is no such file; check the path.")
    with net(DatasetError, f"{path}, a list of formulas", "get a complete copy"):
        lines = read_text(path).splitlines()
    bare = ((number, line.partition("#")[0].strip()) for number, line in enumerate(lines, start=1))
    return [(number, line) for number, line in bare if line]


def _formula(text: str) -> "Atoms":
    from atomlens.structures import to_atoms

    return to_atoms(f"formula:{text}")


def _found(
    name: str, where: str, read: "Callable[[], Atoms]", energy: float = np.nan
) -> Found | Failure:
    try:
        return structure_of(read()), energy
    except StructureError as problem:
        return Failure(name=name, message=f"{where}{problem}")


def _from_table(path: Path) -> "Iterable[Found | Failure]":
    table = read_table(path, None, None)
    cells, factor = _hull_column(path, table.columns)
    for row in range(table.n_rows):
        name = table.names[row] or f"row {row + 1}"
        where = f"{path}, {name}: "
        energy = _energy(cells[row] if cells else None, factor)
        if energy is None:
            message = f"{where}the energy above the hull {cells[row]!r} is no number; correct it."
            yield Failure(name=name, message=message)
        else:
            yield _found(name, where, partial(table.structure_of, row), energy)


def _hull_column(path: Path, columns: dict[str, list[Any]]) -> tuple[list[Any], float]:
    """Return the energies above the hull, empty if there are none, and their unit in eV/atom."""
    for header, cells in columns.items():
        name, unit = parse_header(header)
        if name.lower() in _HULL_NAMES:
            factor = _HULL_UNITS.get(unit.lower().replace(" ", ""))
            if factor is None:
                raise DatasetError(
                    f"{path}: the energies above the hull are in {unit!r}; give eV/atom or "
                    "meV/atom."
                )
            return cells, factor
    return [], 1.0


def _energy(cell: Any, factor: float) -> float | None:
    """Return an energy in eV/atom, NaN if there is none, None if it is no number."""
    if is_missing(cell):
        return np.nan
    try:
        value = float(cell) * factor
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def formula_as_written(atomic_numbers: NDArray[np.uint8]) -> str:
    """Return the smallest whole formula with the elements in the order of the atoms."""
    numbers, first, counts = np.unique(atomic_numbers, return_index=True, return_counts=True)
    counts //= np.gcd.reduce(counts)
    order = np.argsort(first)
    return "".join(
        SYMBOLS[z] + (str(n) if n > 1 else "")
        for z, n in zip(numbers[order].tolist(), counts[order].tolist(), strict=True)
    )


def keys_of_names(names: Iterable[str]) -> tuple[frozenset[str], int]:
    """Return the keys of the names that are formulas, and how many are none."""
    from atomlens.structures.formulas import from_formula

    structures, n_unknown = [], 0
    for name in names:
        try:
            structures.append(structure_of(from_formula(name)))
        except StructureError:
            n_unknown += 1
    keys = reduced_formulas(StructureArrays.from_structures(structures))
    return frozenset(keys.tolist()), n_unknown


def keys_in_file(path: Path) -> frozenset[str]:
    """Return the keys of the formulas of a text file or table, for leaving them out.

    Raises:
        StudyError: there is no formula in it.
    """
    data = read_candidates([str(path)])
    if not len(data):
        first = f" {data.failures[0].message}" if data.failures else ""
        raise StudyError(f"{path}: there is no formula to leave out in it.{first}")
    return frozenset(reduced_formulas(data.structures).tolist())


def hull_energies(data: Dataset) -> NDArray[np.float64]:
    """(n,) energies above the hull, eV/atom; NaN where unknown."""
    names = [t.name for t in data.targets]
    if HULL not in names:
        return np.full(len(data), np.nan)
    chosen = data.select_targets([HULL])
    unit = chosen.targets[0].unit.lower().replace(" ", "")
    if unit not in _HULL_UNITS:
        raise StudyError(f"enz: {HULL} is in {chosen.targets[0].unit!r}; give eV/atom or meV/atom.")
    energies: NDArray[np.float64] = chosen.values[:, 0] * _HULL_UNITS[unit]
    return energies


def most_stable(keys: NDArray[np.str_], energies: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return one row a formula, ascending: that of lowest energy above the hull, else the first."""
    order = np.lexsort((np.arange(len(keys)), np.nan_to_num(energies, nan=np.inf)))
    _, first = np.unique(keys[order], return_index=True)
    return np.sort(order[first]).astype(np.int64)
