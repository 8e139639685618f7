"""Rows with a structure and values, made into a data set; bad rows are named, not lost."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.beside import OtherColumns
from atomlens.datasets.sampling import sample_rows
from atomlens.datasets.split_files import fold_key, part_name
from atomlens.datasets.tables.columns import Columns, TargetColumns, TargetOptions, target_columns
from atomlens.datasets.tables.grids import GridOptions
from atomlens.datasets.tables.spectra import has_spectra, spectrum_columns
from atomlens.datasets.tables.table import Table
from atomlens.errors import DatasetError, Failure, StructureError, warn
from atomlens.printing import none_of, reason, shown
from atomlens.structures.arrays import (
    MADE_GEOMETRY,
    NAMED_GEOMETRY,
    Structure,
    StructureArrays,
    name_of,
    structure_of,
)
from atomlens.structures.formats.xyz_comment import energy_of_title
from atomlens.structures.forms import DisorderChoice, form_of, name_of_forms
from atomlens.structures.objects import UNCORRECTED
from atomlens.structures.options import FormsHeard
from atomlens.structures.workers import Outcome

if TYPE_CHECKING:
    from ase import Atoms

_NOT_TARGETS = {"name", "source", "is_formula", "comment", "unique_id", "id", "split", "index"}
_NOT_TARGETS |= {
    "typed",
    MADE_GEOMETRY,
    NAMED_GEOMETRY,
}  # a text that a structure was read from, and how
_NOT_TARGETS |= {"ctime", "mtime", "user"}  # ase's own notes in its data bases and JSON
ASE_RESULTS = ("energy", "free_energy", UNCORRECTED)
"""Total energies in eV, by the definition of ase; the last is of entries of pymatgen."""
_A_CORRECTION = 1e-6
"""eV; smaller ones are rounding."""
_LEAST_OF_AN_ATOM = -0.3
"""Ha; total energies are below, by GFN2-xTB too: -0.49 an atom in H2, -0.83 in CH4."""


def dataset_of_table(
    path: Path,
    table: Table,
    wanted: Sequence[str],
    limit: int | None,
    seed: int,
    options: TargetOptions,
    grid: GridOptions,
    forms: DisorderChoice,
) -> Dataset:
    """Return the samples of a table; columns of arrays are spectra, brought onto one grid.

    Raises:
        DatasetError: the table lacks the target, or no row can be used.
    """
    columns = table.columns | table.spare if wanted else table.columns
    options = replace(options, comma_is_decimal=table.comma_is_decimal)
    if has_spectra(table.columns):
        chosen = spectrum_columns(columns, wanted, options, grid, str(path))
    else:
        chosen = target_columns(columns, wanted, options, str(path))
        if grid.grid is not None or grid.grid_column is not None or grid.beyond != "hold":
            warn(f"{path}: it holds no spectra, so what is said about their grid is ignored")
    chosen = chosen.with_gaps()
    chosen = replace(chosen, problems=chosen.problems | table.problems)
    source = SourceRows(
        path=path,
        names=table.names,
        read=lambda rows: table.forms_of.read(rows, forms),
        source_of=lambda row: str(table.forms_of.file_of(row) or path),
        parts=table.parts,
        folds=table.folds,
        cells=table.cells,
    )
    return assemble(source, chosen, limit=limit, seed=seed, forms=forms)


def load_inside(
    path: Path,
    wanted: Sequence[str],
    limit: int | None,
    seed: int,
    options: TargetOptions,
    forms: DisorderChoice,
) -> Dataset:
    """Load a file or folder of structures that carry their values: extxyz, ase.db, JSON.

    The values are the plain entries of ``info`` (key-value pairs, results of a calculator).

    Raises:
        DatasetError: the structures lack the target, or none can be used.
    """
    from atomlens.structures.options import ReadingOptions
    from atomlens.structures.reading import read_as

    read = read_as(path, ReadingOptions(forms=forms))
    every = read.structures
    firsts = [i for i, atoms in enumerate(every) if form_of(atoms) <= 0]
    structures = [every[i] for i in firsts]
    if not structures:
        first = read.failures[0].message if read.failures else "it is empty"
        raise DatasetError(f"{path}: no structure in it can be used; the first problem: {first}")
    headers = dict.fromkeys(key for atoms in structures for key in atoms.info)
    columns: dict[str, list[Any]] = {}
    for header in headers:
        if header in _NOT_TARGETS and header not in wanted:
            continue
        held = [atoms.info.get(header) for atoms in structures]
        cells = [_plain(value) for value in held]
        if any(cell is not None for cell in cells):  # an array among numbers is a wrong value
            both = zip(cells, held, strict=True)
            columns[header] = [shown(v) if c is None and v is not None else c for c, v in both]
    unit = "eV"
    if "energy" not in columns and "energy" in {
        word.strip().lower() for word in wanted or ["energy"]
    }:
        energies = _energies_of_titles(path, structures)
        if energies is not None:
            unit = "Ha"
            columns |= {"energy": energies, "energy_unit": [unit] * len(energies)}
    if not columns:
        raise DatasetError(
            f"{path}: the structures carry no values to learn. Give a table with a column 'file' "
            "and target columns, or a folder with id_prop.csv."
        )
    options = with_energies(columns, wanted, options, str(path), unit)
    chosen = target_columns(columns, wanted, options, str(path)).with_gaps()
    parts = [atoms.info.get("split") for atoms in structures]
    source = SourceRows(
        path=path,
        names=[name_of(atoms) for atoms in structures],
        read=lambda rows: (
            Outcome(every[firsts[row] : [*firsts, len(every)][row + 1]], None) for row in rows
        ),
        source_of=lambda row: str(structures[row].info.get("source", path)),
        parts=parts if any(part is not None for part in parts) else None,
        cells={header: [_plain(one.info.get(header)) for one in structures] for header in headers},
        failures=read.failures,
    )
    return assemble(source, chosen, limit=limit, seed=seed, forms=forms)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRows:
    """The rows of a file or folder, whose structures are still to be read."""

    path: Path
    names: Sequence[str | None]
    read: Callable[[Sequence[int]], Iterator[Outcome]]
    """The structures of some rows, by their numbers"""
    source_of: Callable[[int], str]
    """The file that the structure of a row comes from"""
    parts: Sequence[str | None] | None = None
    folds: Sequence[str | None] | None = None
    cells: Mapping[str, Sequence[Any]]
    """All columns"""
    failures: Sequence[Failure] = ()
    """What could not be made a row of"""


def assemble(
    source: SourceRows,
    chosen: TargetColumns,
    *,
    limit: int | None,
    seed: int,
    forms: DisorderChoice,
) -> Dataset:
    """Read the structures of the usable rows (of a random sample of them).

    A row of several forms (ordered models, conformers) gives a sample for each, of one name,
    value and row number. ``forms`` is what reading makes of them; what of it was about no row is
    warned of.

    Raises:
        DatasetError: no row can be used.
    """
    path, names = source.path, source.names
    failed = [*source.failures, *_bad_rows(path, chosen, names)]
    empty = np.isnan(chosen.values).all(axis=1)
    without_value = tuple(
        _called(row, names[row])
        for row in np.flatnonzero(empty).tolist()
        if row not in chosen.problems
    )
    known = np.flatnonzero(np.isfinite(chosen.values).any(axis=1)).tolist()
    usable = [row for row in known if row not in chosen.problems]
    rows, structures = [], []
    watched = FormsHeard(forms)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)  # of other packages
        sample = [usable[i] for i in sample_rows(len(usable), limit, seed)]
        for row, outcome in zip(sample, source.read(sample), strict=True):
            result = _forms(path, row, names[row], outcome, watched)
            if isinstance(result, Failure):
                failed.append(result)
            else:
                rows += [row] * len(result)
                structures += result
    _tell(path, [str(w.message) for w in heard])
    _tell_gaps(path, chosen, names, rows)
    watched.tell()
    if not rows:
        wanted = none_of(t.name for t in chosen.targets)
        first = failed[0].message if failed else f"there is no value of {wanted}; add one."
        raise DatasetError(f"{path}: no row can be used; the first problem: {first}")
    return Dataset(
        name=path.name.partition(".")[0] or path.name,
        structures=StructureArrays.from_structures(structures),
        targets=chosen.targets,
        values=chosen.values[rows],
        held=None if chosen.held is None else chosen.held[rows],
        splits=_places(source.parts, rows, lambda word: part_name(word, path))
        | _places(source.folds, rows, fold_key),
        failures=tuple(failed),
        without_value=without_value,
        row_numbers=np.array(rows, dtype=np.int64),
        sources=tuple(map(source.source_of, rows)),
        columns=OtherColumns.of(source.cells, rows),
    )


def _forms(
    path: Path, row: int, name: str | None, outcome: Outcome, watched: FormsHeard
) -> list[Structure] | Failure:
    try:
        read = outcome.get()
        found = [structure_of(atoms) for atoms in read]
        watched.hear(read)
    except StructureError as problem:
        called = _called(row, name)
        return Failure(name=called, message=f"{path}, {called}: {problem}")
    except Exception as problem:  # odd content of one row must not take the others with it
        called = _called(row, name)
        said = f"the structure cannot be read ({reason(problem)}); correct it"
        return Failure(name=called, message=f"{path}, {called}: {said}")
    own = name or name_of_forms([structure.name for structure in found])
    return [structure._replace(name=own) for structure in found]


def _bad_rows(path: Path, chosen: TargetColumns, names: Sequence[str | None]) -> list[Failure]:
    """Return the rows whose values cannot be used."""
    return [
        Failure(
            name=_called(row, names[row]), message=f"{path}, {_called(row, names[row])}: {why}."
        )
        for row, why in sorted(chosen.problems.items())
    ]


def _tell_gaps(
    path: Path, chosen: TargetColumns, names: Sequence[str | None], rows: Sequence[int]
) -> None:
    """Say which values count as missing in rows that are used for their other values."""
    used = sorted(chosen.gaps.keys() & set(rows))
    if used:
        row = used[0]
        called = f"row {row + 1}" + (f" ({names[row]})" if names[row] else "")
        others = f" (and {len(used) - 1} more rows)" if len(used) > 1 else ""
        warn(
            f"{path}, {called}{others}: {chosen.gaps[row]}. It counts as missing; the other "
            "targets of the row are used."
        )


def _called(row: int, name: str | None) -> str:
    return name or f"row {row + 1}"


def _places(
    words: Sequence[str | None] | None, rows: Sequence[int], key_of: Callable[[str], str]
) -> dict[str, NDArray[np.int64]]:
    """Return the places of the rows by the key of the word that stands in each."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        word = None if words is None else words[row]
        if word:
            places.setdefault(key_of(str(word)), []).append(place)
    return {key: np.array(found, dtype=np.int64) for key, found in places.items()}


def _plain(value: Any) -> Any:
    """Return a single number or text; None for arrays and the like."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    return value if isinstance(value, (str, int, float, bool, np.number, np.bool_)) else None


def _energies_of_titles(path: Path, structures: "Sequence[Atoms]") -> list[float | None] | None:
    """Return the energies (hartree) that programs wrote into titles of XYZ; None without any.

    Which programs they are is a warning. Titles that are numbers alone count only if all are, and
    if each is as large as the total energy of so many atoms is.
    """
    titles = [str(atoms.info.get("comment", "")) for atoms in structures]
    found = [energy_of_title(title) for title in titles]
    programs = Counter(one[0] for one in found if one is not None)
    n_bare = programs.pop("", 0)
    if n_bare == len(found):
        bare = zip(found, structures, strict=True)
        if any(one is None or one[1] > _LEAST_OF_AN_ATOM * len(atoms) for one, atoms in bare):
            return None  # solubilities, orbital energies ...
        warn(
            f"{path}: the titles are numbers alone, such as {shown(titles[0].strip())}, and were "
            "taken for energies in Ha, as CREST writes them; if they are something else, put the "
            "values into a table."
        )
        return [None if one is None else one[1] for one in found]
    if not programs:
        return None
    both = "" if len(programs) == 1 else ", which are not those of one method"
    rest = len(found) - programs.total()
    without = f"; {rest} of {len(found)} structures have none that says what it is" if rest else ""
    warn(
        f"{path}: energies in Ha were read from titles that {' and '.join(sorted(programs))} "
        f"wrote{both}{without}."
    )
    return [one[1] if one is not None and one[0] else None for one in found]


def with_energies(
    columns: Columns,
    wanted: Sequence[str],
    options: TargetOptions,
    where: str,
    unit: str = "eV",
) -> TargetOptions:
    """Say about the energies of ase that are targets what ase says about them.

    What the file itself or the user says of their unit is put before it. Corrections that energies
    of pymatgen hold are warned of.
    """
    asked = {word.strip().lower() for word in wanted} or set(columns)
    if "energy" in asked and "energy" in columns and UNCORRECTED in columns:
        both = zip(columns["energy"], columns[UNCORRECTED], strict=True)
        known = [(a, b) for a, b in both if isinstance(a, Real) and isinstance(b, Real)]
        added = [abs(float(a) - float(b)) for a, b in known]
        if max(added, default=0.0) > _A_CORRECTION:
            warn(
                f"{where}: energy is with the corrections of the entries (up to {max(added):.3g} "
                f"eV), as pymatgen's entry.energy is; {UNCORRECTED} is without them."
            )
    energies = [name for name in ASE_RESULTS if name in columns and name in asked]
    return replace(options, energies=dict.fromkeys(energies, unit))


def _tell(path: Path, remarks: list[str]) -> None:
    """Pass on in one warning what the readers remarked about many rows."""
    if remarks:
        more = f" (and {len(remarks) - 1} more remarks)" if len(remarks) > 1 else ""
        warn(f"{path}: {remarks[0]}{more}")
