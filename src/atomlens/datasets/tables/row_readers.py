"""How the structure of a row of a table is read: a cell says or holds it, or several do.

The structure of a row is, in this order of preference, in a column ``file`` (relative to the
table), in JSONL ``species`` with ``coords`` or with ``frac_coords`` and ``lattice``, or
``structure`` (pymatgen or ase), in ``smiles``, ``formula`` or ``composition``.
"""

import ast
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from os.path import isdir, isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.boundary import net
from atomlens.datasets.tables.cells import is_missing
from atomlens.datasets.tables.headers import HOLDERS, SITES, TEXTS
from atomlens.elements.naming import chemical_formula
from atomlens.errors import DatasetError, StructureError, warn
from atomlens.printing import cut, few, is_number, reason, short
from atomlens.structures.arrays import StructureArrays, structure_of
from atomlens.structures.files import kind_of, stem_of
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.inputs import CellText
from atomlens.structures.objects import is_amounts, is_object
from atomlens.structures.records import add_warning, atoms_of

if TYPE_CHECKING:
    from ase import Atoms

    from atomlens.structures.workers import Outcome

_FORMULAS = "formulas under another name"


def _no_file(row: int) -> None:
    """Return the file of a row that holds its structure itself."""


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the structure of a row, or its forms, in this process or, as a task, in another."""

    function: "Callable[..., list[Atoms]]"
    """Of a module; its last argument says which forms are wanted."""
    arguments: Callable[[int], tuple[Any, ...]]
    """What it is called with for a row."""
    file_of: Callable[[int], Path | None] = _no_file
    """Returns the file that holds the structure of a row; None if the row itself does."""
    is_text: bool = False
    """The rows are SMILES or the like, of which each takes long."""

    def __call__(self, row: int, forms: DisorderChoice) -> "list[Atoms]":
        """Return the structure of a row, or its forms; raises StructureError."""
        return self.function(*self.arguments(row), forms)

    def read(
        self, rows: Sequence[int], forms: DisorderChoice, n_workers: int = 0
    ) -> "Iterator[Outcome]":
        """Yield what came of some rows, in order.

        Args:
            rows: Which.
            forms: What is wanted of a disordered crystal or a SMILES.
            n_workers: Processes; 0: one a core, where that is worth it.
        """
        from atomlens.structures.workers import chosen_workers, outcomes

        seconds = len(rows) * (0.01 if self.is_text else 0.0015)
        tasks = ((self.function, (*self.arguments(row), forms)) for row in rows)
        return outcomes(tasks, chosen_workers(n_workers, seconds * forms.conformers))


def structure_reader(
    path: Path,
    columns: Mapping[str, list[Any]],
    known: Mapping[str, str],
    given: str | None,
    folder: Path | None,
) -> tuple[RowReader, tuple[str, ...]]:
    """Return how to read the structure of a row, and the headers that takes.

    Args:
        path: The table, for messages; files that it names are beside it.
        columns: Cells by header.
        known: Headers by their words in small letters.
        given: The header of the column with the structures, if somebody says so.
        folder: Where the files are that the cells name, if not beside the table.

    Raises:
        DatasetError: there is no column with structures, or several may be meant.
    """
    header = given
    if given is None:
        used = _filled_columns(path, columns, known, folder)
        if used and not set(used) <= {known.get(t) for t in TEXTS}:
            if folder is not None:
                raise DatasetError(
                    f"{path}: structure_folder {folder} is about tables that name files, and the "
                    f"column {cut(used[0], 60)!r} of this one holds the structures; leave it out."
                )
            lowered = {h.strip().lower(): columns[h] for h in used}
            reader = RowReader(_from_record, lambda row: ({k: v[row] for k, v in lowered.items()},))
            return reader, used
        header = used[0] if used else None
        if not any(t in known and known[t].strip().lower() == t for t in TEXTS):
            header = _only_objects(path, columns) or header
    if header is None:
        there = f"{path}: there is no column with structures; it has {few(columns)}. "
        if any(is_number(header) for header in columns):
            raise DatasetError(
                f"{there}If these are the first values, write a line of names above them, such as "
                "smiles,value."
            )
        if any(header.startswith("Unnamed: ") for header in columns):
            raise DatasetError(
                f"{there}The first row of the sheet is taken for the names of the columns, and "
                "some of its cells are empty; remove what stands above the names."
            )
        raise DatasetError(f"{there}Name one of them file, smiles, formula or composition.")
    cells, beside = columns[header], folder or path.parent
    word = "file" if folder is not None else header.strip().lower()
    word = "smiles" if header == known.get("smiles") and folder is None else word
    if word not in TEXTS:
        word = _FORMULAS if _are_formulas(path, header, cells, beside) else word
    reader = RowReader(
        _from_cell,
        lambda row: (cells[row], header, word, beside),
        lambda row: _file_of_cell(cells[row], word, beside),
        is_text=word not in ("file", "formula", "composition"),
    )
    return reader, (header,)


def _filled_columns(
    path: Path, columns: Mapping[str, list[Any]], known: Mapping[str, str], folder: Path | None
) -> tuple[str, ...]:
    """Return the columns that hold the structures together; none if there are none.

    Of several that may, the first in order of preference is taken that is filled in half as many
    rows as the others or more: a cell of one row does not decide over all of them. One that is
    passed over is told.
    """
    if "file" in known and folder is not None:
        return (known["file"],)
    held = tuple(known[k] for k in HOLDERS if k in known and hold_structures(columns[known[k]]))
    sites = tuple(known[k] for k in SITES if k in known)
    in_rows = zip(*(columns[h] for h in held), strict=True)
    listing = [isinstance(cell, list) for cell in columns[sites[0]]] if "species" in known else []
    choices = [
        (sites if len(sites) > 1 else (), sum(listing)),
        (held, sum(any(map(_is_structure, cells)) for cells in in_rows)),
    ]
    texts = [((known[t],), sum(map(_is_filled, columns[known[t]]))) for t in TEXTS if t in known]
    choices = [choice for choice in choices if choice[0] and choice[1]]
    first = 1 if "file" in known else 0  # it is the first of `TEXTS`
    choices = [*texts[:first], *choices, *texts[first:]]
    most = max((n for _, n in choices), default=0)
    place = next((i for i, (_, n) in enumerate(choices) if 2 * n >= most), None)
    if place is None:
        return ()
    for others, n in choices[:place]:
        if n and others != held:  # of those that hold structures `held_against_others` tells
            warn(
                f"{path}: the column {cut(others[0], 60)!r} is filled in {n} of "
                f"{len(columns[others[0]])} rows and not read; {cut(choices[place][0][0], 60)!r} is"
            )
    return choices[place][0]


def _is_filled(cell: Any) -> bool:
    return not is_missing(cell) or (isinstance(cell, str) and cell.strip() == "Na")


def _only_objects(path: Path, columns: Mapping[str, Sequence[Any]]) -> str | None:
    """Return the column that holds objects of ase, pymatgen or rdkit; None if none does.

    Raises:
        DatasetError: several do.
    """
    found = [header for header, cells in columns.items() if any(map(is_object, cells))]
    if len(found) > 1:
        raise DatasetError(
            f"{path}: the columns {' and '.join(cut(h, 60) for h in found[:3])} hold structures; "
            "say which is meant with structure_column."
        )
    return found[0] if found else None


def _are_formulas(path: Path, header: str, cells: Sequence[Any], folder: Path) -> bool:
    """Say whether a column holds formulas, some of which are SMILES as well; that is said.

    Names of files, whose ending may be missing, are none.
    """
    from atomlens.structures.text import both_among_formulas

    texts = (cell.strip() for cell in cells if isinstance(cell, str))
    both = both_among_formulas(text for text in texts if not isfile(_file_called(folder, text)))
    if both is None:
        return False
    warn(
        f"{path}: the column {cut(header, 60)!r} holds formulas, so what is a SMILES as well "
        f"({short(both)}) is taken for a formula; call the column smiles if it holds molecules"
    )
    return True


def _from_cell(
    cell: Any, header: str, word: str, folder: Path, choice: DisorderChoice
) -> "list[Atoms]":
    """Return what the cell of a column stands for; ``word`` says how to take a text."""
    from atomlens.structures.reading import to_forms
    from atomlens.structures.text import is_smiles_of_formula_letters

    if _is_structure(cell):
        return _from_record({"structure": cell}, choice)
    text = str(cell).strip()
    sodium = text == "Na" and word in ("formula", "composition")
    if text == "NaN" and isinstance(cell, str) and word in ("formula", "composition"):
        raise StructureError(
            f"'NaN' in the column {header!r} may be a missing value or sodium with nitrogen; write "
            "Na1N1, or leave the cell empty"
        )
    if is_missing(cell) and text and isinstance(cell, str) and not sodium:
        raise StructureError(
            f"{short(text)} in the column {header!r} stands for a missing value; write what it "
            "should be, or leave the row out"
        )
    if is_missing(cell) and not sodium:
        raise StructureError(f"the column {header!r} is empty; fill it")
    if word == "file":
        file = _file_called(folder, text)
        if isdir(file):
            raise StructureError(f"{file}: this is a folder; name the file of one structure")
        return forms_of_files([file, *_others_called(file, text)], choice)
    if word in TEXTS:
        found = to_forms(f"{'smiles' if word == 'smiles' else 'formula'}:{text}", choice)
        if word != "smiles" and is_smiles_of_formula_letters(text):
            said = (
                f"{short(text)} in the column {cut(header, 60)} reads like a SMILES, and was taken "
                f"as the formula {chemical_formula(found[0].numbers)}; call the column smiles if "
                "it is one"
            )
            add_warning(found[0], said)
            warn(said)
        return found
    beside = _file_called(folder, text)
    if word == _FORMULAS:
        choice = replace(choice, formulas_first=True)
    if isfile(beside):
        return forms_of_files([beside, *_others_called(beside, text)], choice)
    return to_forms(CellText(text), choice)


def _file_called(folder: Path, text: str) -> Path:
    """Return the path that a cell means: as Windows writes it, or without its ``.cif``.

    Tables made on Windows have backslashes; tables of MOFs leave the ending out.
    """
    asked = folder / text
    for name in dict.fromkeys((text, text.replace("\\", "/"))):
        for ending in ("", ".cif"):
            path = folder / f"{name}{ending}"
            if isfile(path):
                return path
    return asked


def _others_called(file: Path, text: str) -> list[Path]:
    """Return the files of other kinds that a name without its ending may mean as well."""
    if file.name in (text, text.replace("\\", "/").rpartition("/")[2]):
        return []
    alike = structure_files(str(file.parent), file.parent.stat().st_mtime_ns)
    return [path for path in alike.get(stem_of(file), ()) if path != file]


@lru_cache(maxsize=4)
def structure_files(folder: str, _changed: int) -> dict[str, list[Path]]:
    """Return the structure files of a folder by their name without its ending, CIF first."""
    found: dict[str, list[Path]] = {}
    with os.scandir(folder) as entries:
        paths = sorted(Path(entry.path) for entry in entries if entry.is_file())
    for path in sorted(paths, key=lambda path: path.suffix.lower() != ".cif"):
        if kind_of(path) is not None:
            found.setdefault(stem_of(path), []).append(path)
    return found


def forms_of_files(files: Sequence[Path], choice: DisorderChoice) -> "list[Atoms]":
    """Return the structure of the first of some files that one name may mean.

    Raises:
        StructureError: it cannot be read, or another of them is of other elements or ratios.
    """
    from atomlens.structures.reading import to_forms

    found = to_forms(files[0], choice)
    for other in files[1:]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                held = to_forms(other, choice)[0]
        except StructureError:
            continue  # something else that is called so, such as notes in JSON
        both = f"{files[0].name} and {other.name}"
        formulas = [_reduced_formula(atoms) for atoms in (found[0], held)]
        if formulas[0] != formulas[1]:
            raise StructureError(
                f"{both} may be meant, and one holds {formulas[0]}, the other {formulas[1]}; write "
                "the ending, too"
            )
        if not _is_same(found[0], held):
            said = (
                f"{both} have the same name and formula, and other atoms; {files[0].name} was "
                "taken, so write the ending if that is wrong"
            )
            add_warning(found[0], said)
            warn(said)
    return found


def _reduced_formula(atoms: "Atoms") -> str:
    numbers, counts = np.unique(atoms.numbers, return_counts=True)
    return chemical_formula(np.repeat(numbers, counts // np.gcd.reduce(counts)))


def _is_same(one: "Atoms", other: "Atoms") -> bool:
    from atomlens.neighbors.identity import Identities

    same = Identities(StructureArrays.from_structures([structure_of(one), structure_of(other)]))
    first, second = same.digests.tolist()
    return first == second or second in same.nearby(0) or first in same.nearby(1)


def _file_of_cell(cell: Any, word: str, folder: Path) -> Path | None:
    """Return the file that the cell of a column names; None if it is a structure itself."""
    if _is_structure(cell) or (word in TEXTS and word != "file"):
        return None
    path = _file_called(folder, str(cell).strip())
    return path if isfile(path) else None


def _is_structure(cell: Any) -> bool:
    """Say whether a cell holds a structure itself: a dictionary, or JSON or CIF as text."""
    if isinstance(cell, str):
        begin = cell[:200].lstrip()
        return begin.startswith(("{", "data_")) or "_cell_length_a" in cell
    return isinstance(cell, dict) or is_object(cell)


def hold_structures(cells: Sequence[Any]) -> bool:
    """Say whether a cell of a column holds a structure itself, and does not stand for one."""
    return any(_is_structure(cell) for cell in cells)


def _from_record(record: Mapping[str, Any], choice: DisorderChoice) -> "list[Atoms]":
    """Return a structure that stands in the row itself."""
    if isinstance(record.get("species"), list):
        return [_from_sites(record)]
    from atomlens.structures.formats.databases import read_value

    held = next((value for value in record.values() if _is_structure(value)), None)
    if held is None:
        raise StructureError("there is no structure in this row; add one")
    held = _literal(held)
    if is_object(held) or is_amounts(held):
        from atomlens.structures.reading import to_forms

        return to_forms(held, choice)
    return atoms_of(read_value({"structure": held}, choice))


def _literal(cell: Any) -> Any:
    """Return a dictionary that was written as Python writes it, as pandas does into a CSV."""
    if isinstance(cell, str) and cell.lstrip().startswith("{'"):
        with net(StructureError, "the cell with the structure", "write it as JSON"):
            return ast.literal_eval(cell.strip())
    return cell


def _from_sites(record: Mapping[str, Any]) -> "Atoms":
    from ase import Atoms

    from atomlens.structures import to_atoms

    lattice, fractional = record.get("lattice"), record.get("frac_coords")
    try:
        if fractional is not None:
            atoms = Atoms(
                record["species"],
                scaled_positions=fractional,
                cell=lattice,
                pbc=lattice is not None,
            )
        else:
            cell = {} if lattice is None else {"cell": lattice, "pbc": True}
            atoms = Atoms(record["species"], positions=record["coords"], **cell)
    except Exception as problem:  # ase checks some things with assertions, others not at all
        raise StructureError(
            "species, coordinates and lattice do not fit together "
            f"({reason(problem)}); correct the row"
        ) from problem
    return to_atoms(atoms)
