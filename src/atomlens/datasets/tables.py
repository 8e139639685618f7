"""CSV, TSV, JSONL, Parquet, Excel and SMILES tables: one structure and its targets a row.

The structure of a row is, in this order of preference, a column ``file`` (relative to the
table), ``smiles``, ``formula`` or ``composition``; in JSONL also ``structure`` (pymatgen or
ase), or ``species`` with ``coords`` or with ``frac_coords`` and ``lattice``. A row of a ``.smi``
file is a SMILES, then a name, then numbers if there are any; a first row that begins with
``smiles`` names the columns.
"""

import ast
import csv
import io
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.util import find_spec
from os.path import isdir, isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.boundary import net, parse_json, read_text, regular_size
from atomlens.datasets.beside import is_of_smiles
from atomlens.datasets.columns import is_missing
from atomlens.errors import DatasetError, StructureError, missing_package, unknown_name, warn
from atomlens.printing import clean_name, cut, is_number, reason, uncell
from atomlens.structures.arrays import chemical_formula, name_of
from atomlens.structures.disorder import REFUSE, DisorderChoice
from atomlens.structures.formulas import amounts_in_formula
from atomlens.structures.objects import is_object
from atomlens.structures.records import add_warning, short

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from atomlens.structures.workers import Outcome

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".smi", ".smiles", ".parquet", ".xlsx")
"""Files that are tables; the text formats may be gzipped (``.csv.gz``)."""
_BINARY = {".parquet": ("pyarrow", "Parquet"), ".xlsx": ("openpyxl", "Excel")}
"""What pandas needs for tables that are no text."""

_NAMES = ("name", "id", "identifier", "material_id", "mp_id", "jid", "mbid")
_FOLDS = ("fold", "test_fold")
_TEXTS = ("file", "smiles", "formula", "composition")
_FORMULAS = "formulas under another name"
_HOLDERS = ("structure", "molecule", "atoms", "cif", "poscar")
_SITES = ("species", "coords", "frac_coords", "lattice")
_IGNORED = ("", "index", "unnamed: 0", "source")


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the structure of a row, or its forms, in this process or, as a task, in another."""

    function: "Callable[..., list[Atoms]]"
    """Of a module; its last argument says which forms are wanted."""
    arguments: Callable[[int], tuple[Any, ...]]
    """What it is called with for a row."""
    is_text: bool = False
    """The rows are SMILES or the like, of which each takes long."""

    def __call__(self, row: int, forms: DisorderChoice) -> "list[Atoms]":
        """Return the structure of a row, or its forms; raises StructureError."""
        return self.function(*self.arguments(row), forms)

    def file_of(self, row: int) -> Path | None:
        """Return the file that holds the structure of a row; None if the row itself does."""
        function, arguments = self.function, self.arguments(row)
        if function is _held_against:
            function, arguments = arguments[:2]
        if function is not _from_cell:
            return None
        cell, _, word, folder = arguments
        if _is_structure(cell) or (word in _TEXTS and word != "file"):
            return None
        path = _file_called(folder, str(cell).strip())
        return path if isfile(path) else None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table taken apart. Every sequence has one entry a row."""

    n_rows: int
    forms_of: RowReader
    """Reads the structure of a row, or its ordered models or conformers; raises StructureError."""
    names: tuple[str | None, ...]
    """What the table calls the rows; None where it gives no name."""
    parts: tuple[str | None, ...] | None
    """The column ``split``, if there is one."""
    folds: tuple[str | None, ...] | None
    """The column ``fold`` or ``test_fold``: in which round of a cross-validation to test it."""
    columns: dict[str, list[Any]]
    """What may be a target, by header."""
    spare: dict[str, list[Any]]
    """What is a target only if asked for by name."""
    cells: dict[str, list[Any]]
    """All columns as they stand in the file."""
    problems: dict[int, str]
    """Rows that cannot be told apart, with the reason; part of a sentence."""
    comma_is_decimal: bool = False
    """Cells are separated by semicolons, as where 1,234 is less than two."""

    def structure_of(self, row: int) -> "Atoms":
        """Read the structure of a row; raises StructureError, for a disordered crystal too."""
        return self.forms_of(row, REFUSE)[0]


def is_table(path: Path) -> bool:
    """Say whether a file's name is that of a table."""
    return _suffix(path) in SUFFIXES


def headers_of(
    path: Path, structure_column: str | None = None, sheet: str | None = None
) -> tuple[str, ...]:
    """Return the headers of a table; which sheet of an Excel file is read, see `read_table`.

    Raises:
        DatasetError: the file is no table.
    """
    with warnings.catch_warnings():  # who reads the table says which sheet it is
        warnings.simplefilter("ignore")
        return tuple(_columns(path, structure_column, sheet)[0])


def read_table(
    path: Path,
    structure_column: str | None,
    name_column: str | None,
    structure_folder: Path | None = None,
    sheet: str | None = None,
) -> Table:
    """Read a table; no structure is read yet. ``structure_folder`` holds the files it names.

    Of an Excel file the sheet of this name is read, else the first, or the only one with a column
    of structures if the first has none; which one is a warning where there are several.

    Raises:
        DatasetError: the file is no table, or has no column with structures or no such sheet.
    """
    content = _columns(path, structure_column, sheet)
    return _taken_apart(path, *content, structure_column, name_column, structure_folder)


def is_frame(given: Any) -> bool:
    """Say whether an object is a table of pandas, without importing it."""
    return type(given).__name__ == "DataFrame" and hasattr(given, "columns")


def index_of_rows(given: Any) -> "pd.Index | None":
    """Return what a Series or DataFrame of pandas calls its rows; None for anything else."""
    of_pandas = any(cls.__module__.partition(".")[0] == "pandas" for cls in type(given).__mro__)
    if not of_pandas or not (is_frame(given) or hasattr(given, "items")):
        return None
    index: pd.Index | None = getattr(given, "index", None)
    return index


def frame_table(
    frame: Any,
    structure_column: str | None = None,
    name_column: str | None = None,
    structure_folder: Path | None = None,
    sheet: str | None = None,
    *,
    where: str = "DataFrame",
) -> Table:
    """Take a DataFrame of pandas as a table; files that it names are relative to this folder.

    Columns by header will do in its place; ``where`` says what it is, for messages.

    Raises:
        DatasetError: it has no column with structures.
    """
    _refuse_sheet(where, sheet)
    return _taken_apart(
        Path(where),
        (
            {header: [*map(_cell, cells)] for header, cells in frame.items()}
            if isinstance(frame, dict)
            else columns_of_frame(frame)
        ),
        False,
        {},
        structure_column,
        name_column,
        structure_folder,
    )


def columns_of_frame(frame: Any) -> dict[str, list[Any]]:
    """Return the columns of a DataFrame by header, their cells as a file would hold them.

    Raises:
        DatasetError: two of them have one name.
    """
    names = [str(name) for name in frame.columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DatasetError(f"DataFrame: two columns are called {twice[0]!r}; rename one of them.")
    columns = {name: frame[own] for name, own in zip(names, frame.columns, strict=True)}
    return {
        name: list(map(_cell, column.tolist() if hasattr(column, "tolist") else column))
        for name, column in columns.items()
    }


def _cell(value: Any) -> Any:
    """Return a cell of a DataFrame as a file would hold it."""
    if type(value).__name__ in ("NAType", "NaTType"):  # no value, no date
        return None
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # of numpy or torch
        return value.item()
    return float(value) if isinstance(value, Decimal) else value


def _taken_apart(
    path: Path,
    columns: dict[str, list[Any]],
    comma_is_decimal: bool,
    problems: dict[int, str],
    structure_column: str | None,
    name_column: str | None,
    structure_folder: Path | None,
) -> Table:
    """Find out which column is what."""
    n_rows = len(next(iter(columns.values()), []))
    if n_rows == 0:
        raise DatasetError(f"{path}: there is no row in this table; add some.")
    known = {header.strip().lower(): header for header in reversed(columns)}
    for given in (structure_column, name_column):
        if given is not None and given not in columns:
            raise DatasetError(f"{path}: there is no column {given!r}; it has {_list(columns)}.")
    if structure_folder is not None and not structure_folder.is_dir():
        raise DatasetError(f"{structure_folder}: there is no such folder of structures.")
    _refuse_alike(path, columns, structure_column)
    forms_of, used = _structures(path, columns, known, structure_column, structure_folder)
    name_header = name_column or next((known[n] for n in _NAMES if n in known), None)
    split_header = known.get("split")
    fold_header = next((known[f] for f in _FOLDS if f in known), None)
    forms_of = _with_others(path, forms_of, columns, used, known)
    names = _texts(columns, name_header) or (None,) * n_rows
    _tell_shared_names(path, name_header, names)
    special = {*used, name_header, split_header, fold_header}
    special |= {known[k] for k in (*_TEXTS, *_NAMES, *_IGNORED) if k in known}
    return Table(
        n_rows=n_rows,
        forms_of=forms_of,
        names=names,
        parts=_texts(columns, split_header),
        folds=_texts(columns, fold_header),
        columns={h: v for h, v in columns.items() if h not in special},
        spare={h: v for h, v in columns.items() if h in special and h not in used},
        cells=columns,
        problems=problems,
        comma_is_decimal=comma_is_decimal,
    )


_ONE_EACH = ("file", "formula", "composition", "split", *_FOLDS)


def _refuse_alike(
    path: Path, columns: Mapping[str, list[Any]], structure_column: str | None
) -> None:
    """Refuse two columns such as ``Formula`` and ``formula`` that say different things.

    Raises:
        DatasetError: there are some.
    """
    seen: dict[str, str] = {}
    for header, cells in columns.items():
        word = header.strip().lower()
        other = seen.setdefault(word, header)
        named = structure_column in (header, other)
        if other != header and word in _ONE_EACH and not named and columns[other] != cells:
            raise DatasetError(
                f"{path}: the columns {other!r} and {header!r} differ, and both may be meant; "
                "rename one of them."
            )


def _tell_shared_names(path: Path, header: str | None, names: Sequence[str | None]) -> None:
    """Say that rows are called the same, so that their names do not tell them apart."""
    often = Counter(name for name in names if name is not None)
    shared = [name for name, n in often.items() if n > 1]
    if shared and header is not None:
        n = sum(often[name] for name in shared)
        warn(
            f"{path}: {n} rows share their name in the column {cut(header, 60)!r} with another, "
            f"such as {cut(shared[0], 60)!r}; each stays a row of its own"
        )


def _with_others(
    path: Path,
    reader: RowReader,
    columns: Mapping[str, list[Any]],
    used: Sequence[str],
    known: Mapping[str, str],
) -> RowReader:
    """Return a reader that holds each structure against what other columns say it is.

    Those are a column of formulas, and one of SMILES of the same molecule. Others that hold
    structures are not read, which is said.
    """
    unread = [known[k] for k in _HOLDERS if k in known and known[k] != used[0]]
    unread = [header for header in unread if _holds(columns[header])]
    if unread:
        warn(
            f"{path}: the column {cut(unread[0], 60)!r} holds structures too and is not read; "
            f"{cut(used[0], 60)!r} is"
        )
    formula = next((known[t] for t in ("formula", "composition") if t in known), None)
    beside: list[tuple[str, Callable[[Atoms, str], str]]] = []
    beside += [] if formula is None else [(formula, _other_formula)]
    same = [h for h in columns if is_of_smiles(h)]
    beside += [(header, _other_smiles) for header in same]
    checks = [(header, check) for header, check in beside if header not in used]
    if not checks:
        return reader
    return replace(
        reader,
        function=_held_against,
        arguments=lambda row: (
            reader.function,
            reader.arguments(row),
            tuple((header, columns[header][row], check) for header, check in checks),
        ),
    )


def _held_against(
    function: "Callable[..., list[Atoms]]",
    arguments: tuple[Any, ...],
    beside: "tuple[tuple[str, Any, Callable[[Atoms, str], str]], ...]",
    choice: DisorderChoice,
) -> "list[Atoms]":
    """Read a structure; warn if another column of the row says that it is another one."""
    found = function(*arguments, choice)
    for header, cell, other in beside:
        if not isinstance(cell, str) or is_missing(cell):
            continue
        for atoms in found:
            taken = "" if "disorder" in atoms.info else other(atoms, cell)
            if taken:
                said = f"the column {cut(header, 60)} says {short(cell)}, but {taken}"
                add_warning(atoms, said)
                warn(f"{name_of(atoms)}: {said}")
    return found


def _other_formula(atoms: "Atoms", formula: str) -> str:
    """Return what atoms are, as part of a sentence, if a formula is another one."""
    try:
        amounts = amounts_in_formula(formula)
    except StructureError:
        return ""  # a name, or a formula with charges
    counts = Counter(atoms.get_chemical_symbols())
    ratios = [float(amounts[s]) / counts[s] for s in amounts if s in counts]
    if set(counts) == set(amounts) and max(ratios) < 1.01 * min(ratios):
        return ""
    return f"its atoms are {chemical_formula(atoms.numbers)}; the atoms were taken"


def _other_smiles(atoms: "Atoms", smiles: str) -> str:
    """Return what a molecule is, as part of a sentence, if a SMILES is another one.

    Beside coordinates the atoms are compared; of two SMILES the bonds too, without handedness.
    """
    from atomlens.structures.molecules import atoms_and_bonds

    own = atoms.info.get("smiles")
    if own == smiles.strip():
        return ""
    said = atoms_and_bonds(smiles.strip())
    if said is None:
        return ""  # a name, or no SMILES that can be read
    if isinstance(own, str):
        return "" if said == atoms_and_bonds(own) else f"{short(own)} was taken, another molecule"
    if said.counts == Counter(atoms.get_chemical_symbols()):
        return ""
    return f"its atoms are {chemical_formula(atoms.numbers)}; the atoms were taken"


def _structures(
    path: Path,
    columns: Mapping[str, list[Any]],
    known: Mapping[str, str],
    given: str | None,
    folder: Path | None,
) -> tuple[RowReader, tuple[str, ...]]:
    """Return how to read the structure of a row, and the headers that takes."""
    if given is None and "file" not in known:
        held = [known[k] for k in _HOLDERS if k in known and _holds(columns[known[k]])]
        sites = [known[k] for k in _SITES if k in known]
        if "species" in known and _any(columns[known["species"]], list) and len(sites) > 1:
            held = sites
        if held:
            if folder is not None:
                raise DatasetError(
                    f"{path}: structure_folder {folder} is about tables that name files, and the "
                    f"column {cut(held[0], 60)!r} of this one holds the structures; leave it out."
                )
            lowered = {h.strip().lower(): columns[h] for h in held}
            reader = RowReader(_from_record, lambda row: ({k: v[row] for k, v in lowered.items()},))
            return reader, tuple(held)
        if not any(t in known for t in _TEXTS):
            given = _only_objects(path, columns)
    header = given or next((known[t] for t in _TEXTS if t in known), None)
    if header is None:
        there = f"{path}: there is no column with structures; it has {_list(columns)}. "
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
    cells = columns[header]
    word = "file" if folder is not None else header.strip().lower()
    if word not in _TEXTS:
        is_list = _are_formulas(path, header, cells, folder or path.parent)
        word = _FORMULAS if is_list else word
    reader = RowReader(
        _from_cell,
        lambda row: (cells[row], header, word, folder or path.parent),
        is_text=word not in ("file", "formula", "composition"),
    )
    return reader, (header,)


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
    if is_missing(cell) and not sodium:
        raise StructureError(f"the column {header!r} is empty; fill it")
    if word == "file":
        return to_forms(_only_file(_file_called(folder, text)), choice)
    if word in _TEXTS:
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
    return to_forms(beside if isfile(beside) else text, choice)


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


def _only_file(path: Path) -> Path:
    if isdir(path):
        raise StructureError(f"{path}: this is a folder; name the file of one structure")
    return path


def _is_structure(cell: Any) -> bool:
    """Say whether a cell holds a structure itself: a dictionary, or JSON or CIF as text."""
    if isinstance(cell, str):
        begin = cell[:200].lstrip()
        return begin.startswith(("{", "data_")) or "_cell_length_a" in cell
    return isinstance(cell, dict) or is_object(cell)


def _holds(cells: Sequence[Any]) -> bool:
    return any(_is_structure(cell) for cell in cells)


def _from_record(record: Mapping[str, Any], choice: DisorderChoice) -> "list[Atoms]":
    """Return a structure that stands in the row itself."""
    if isinstance(record.get("species"), list):
        return [_from_sites(record)]
    from atomlens.structures.databases import read_value

    held = next((value for value in record.values() if _is_structure(value)), None)
    if held is None:
        raise StructureError("there is no structure in this row; add one")
    if is_object(held):
        from atomlens.structures.reading import to_forms

        return to_forms(held, choice)
    entries = read_value({"structure": _literal(held)}, choice)
    found = [entry.atoms for entry in entries if entry.atoms is not None]
    if len(found) < len(entries):
        raise StructureError(next(entry.problem for entry in entries if entry.atoms is None))
    return found


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


_Content = tuple[dict[str, list[Any]], bool, dict[int, str]]
"""Columns by header, whether the separator makes commas decimal, rows with a problem."""


def _refuse_sheet(where: str, sheet: str | None) -> None:
    if sheet is not None:
        raise DatasetError(
            f"{where}: the sheet {cut(sheet, 60)!r} is one of an Excel file, and this is none; "
            "leave it out."
        )


def _columns(path: Path, structure_column: str | None = None, sheet: str | None = None) -> _Content:
    suffix = _suffix(path)
    if suffix != ".xlsx":
        _refuse_sheet(str(path), sheet)
    try:
        with net(DatasetError, str(path), "get a complete copy, or save the table again"):
            if suffix in _BINARY:
                return _frame(path, suffix, structure_column, sheet), False, {}
            text = _text_of(path)
            if suffix in (".smi", ".smiles"):
                return _smiles_lines(path, text), False, {}
            if suffix in (".csv", ".tsv"):
                return _delimited(path, text)
            columns, problems = _lines(path, text)
            return columns, False, problems
    except DatasetError as problem:
        if isinstance(problem.__cause__, FileNotFoundError):
            raise DatasetError(f"{path}: there is no such file; check the path.") from problem
        if isinstance(problem.__cause__, UnicodeDecodeError):
            wrong = problem.__cause__
            line = wrong.object[: wrong.start].count(b"\n") + 1
            raise DatasetError(
                f"{path}: the text is not UTF-8 (line {line}); save it as UTF-8."
            ) from problem
        raise


def _text_of(path: Path) -> str:
    """Return the text of a table; one in Windows-1252, as older programs write it, is told.

    Raises:
        UnicodeDecodeError: it is in neither encoding, or UTF-8 that is damaged somewhere.
    """
    try:
        return read_text(path)
    except UnicodeDecodeError as problem:
        content = problem.object
        as_utf = content.decode("utf-8", errors="replace").replace("\ufffd", "")
        if problem.encoding != "utf-8" or not as_utf.isascii():
            raise
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            raise problem from None
        if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text.rstrip("\x1a\0")):
            raise
    words = re.split(r"[ \t\n\r,;|]+", text)  # an unbreakable space is a letter here
    word = next(word for word in words if not word.isascii())
    warn(
        f"{path}: the text is not UTF-8 and was read as Windows-1252, in which it says "
        f"{cut(word, 60)!r}; save it as UTF-8 if that is wrong"
    )
    return text


def _cells_of_smiles(line: str) -> list[str]:
    """Split a line at tabs or blanks; the extension of a SMILES (``CC |^1:0|``) stays with it."""
    extended = re.match(r"(\S+ +\|[^|]*\|)\s*", line)
    if extended is not None:
        rest = line[extended.end() :]
        return [extended[1], *(rest.split("\t") if "\t" in rest else rest.split())]
    return line.split("\t") if "\t" in line else line.split()


def _smiles_lines(path: Path, text: str) -> dict[str, list[Any]]:
    """Read lines of a SMILES, a name and numbers, with tabs or blanks between."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = [_cells_of_smiles(line) for line in lines]
    if not rows:
        raise DatasetError(f"{path}: this table is empty.")
    first = [cell.strip().lower() for cell in rows[0]]
    if first[0] in ("smiles", "smi"):
        header, rows = ["smiles", *(cell.strip() for cell in rows[0][1:])], rows[1:]
    else:
        width = min(map(len, rows))
        n_values = 0
        while n_values < width - 1 and all(is_number(row[-1 - n_values]) for row in rows):
            n_values += 1
        if n_values == width - 1 and width > 2:
            n_values -= 1  # a name that is a number
        rows = [
            [row[0], " ".join(row[1 : len(row) - n_values]), *row[len(row) - n_values :]]
            for row in rows
        ]
        values = ["value"] if n_values == 1 else [f"value_{i}" for i in range(1, n_values + 1)]
        header = ["smiles", "name", *values]
    return {
        name: [row[i].strip() if i < len(row) else None for row in rows]
        for i, name in enumerate(header)
    }


_DELIMITERS = ",;\t|"


def _delimited(path: Path, text: str) -> _Content:
    """Read comma-separated values: header, rows, and lines of comment that begin with ``#``."""
    csv.field_size_limit(sys.maxsize)
    text = text.rstrip("\x1a\0")
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # as Windows and old Macs end lines
    said = re.match(r"\ufeff?sep=([,;\t|])\r?\n", text, re.IGNORECASE)  # as Excel writes it
    text = text[said.end() :] if said else text
    start = _start(text)
    delimiter = said[1] if said else max(_DELIMITERS, key=text[start:].partition("\n")[0].count)
    rows = _rows(path, text[start:], delimiter, text.count("\n", 0, start))
    if not rows:
        raise DatasetError(f"{path}: this table is empty.")
    header = [name.strip() if name.startswith((" ", "\t")) else name for name in rows[0]]
    header[0] = header[0].lstrip("# ") if header[0].startswith("#") else header[0]
    header = [uncell(name) for name in header]
    width = len(header)
    body = [r for r in rows[1:] if not (r[0].startswith("#") and len(r) != width)]
    doubled = sorted(name for name, n in Counter(header).items() if n > 1 and name.strip())
    if doubled:
        raise DatasetError(f"{path}: the column {doubled[0]!r} occurs twice; rename one.")
    problems = {
        place: f"it has {len(row)} cells where the header has {width}; put quotation marks around "
        "cells with a comma"
        for place, row in enumerate(body)
        if len(row) > width and any(cell.strip() for cell in row[width:])
    }
    if problems and all(len(row) == width + 1 for row in body):
        raise DatasetError(
            f"{path}: row {next(iter(problems)) + 2} has {width + 1} cells where the header has "
            f"{width}, as all rows have; if they begin with their number or name, write a comma in "
            "front of the header, and if numbers have decimal commas, write points."
        )
    if 2 * len(problems) >= len(body) > 0:
        first, problem = next(iter(problems.items()))
        raise DatasetError(f"{path}: row {first + 2} {problem.removeprefix('it ')}.")
    _tell_odd_rows(path, header, body, delimiter)
    columns = {
        name: [uncell(row[i].strip()) if i < len(row) else None for row in body]
        for i, name in enumerate(header)
    }
    return columns, delimiter == ";", problems


_END = "the end of a table"


def _rows(path: Path, text: str, delimiter: str, n_above: int) -> list[list[str]]:
    """Return the cells of each line that has some.

    Raises:
        DatasetError: a quotation mark is opened and never closed.
    """
    reader = csv.reader(io.StringIO(f"{text}\n{_END}"), delimiter=delimiter)
    rows, begin, line = [], 0, 0
    for row in reader:
        begin, line = line, reader.line_num
        if row:
            rows.append(row)
    if rows[-1:] != [[_END]]:
        raise DatasetError(
            f"{path}: a quotation mark in line {n_above + begin + 1} is not closed, so that all "
            "lines behind it are one cell; close it, or remove it."
        )
    return rows[:-1]


def _tell_odd_rows(
    path: Path, header: Sequence[str], body: Sequence[Sequence[str]], delimiter: str
) -> None:
    """Warn of rows whose cells may stand in columns that are not theirs."""
    width = max((i for i, name in enumerate(header, start=1) if name.strip()), default=0)
    few = [i for i, row in enumerate(body) if len(row) < width and any(map(str.strip, row))]
    if few:
        warn(
            f"{path}: {len(few)} rows have fewer cells than the header (the first is row "
            f"{few[0] + 1}); what is missing is taken to be their last cells"
        )
    for i, row in enumerate(body):
        for place, cell in enumerate(row):
            if "\n" in cell and _holds_rows(cell, place, len(header), delimiter):
                warn(
                    f"{path}: a cell of row {i + 1} ({short(cell)}) goes on over lines that "
                    "look like rows of their own; is a quotation mark missing or too many?"
                )
                return


def _holds_rows(cell: str, place: int, width: int, delimiter: str) -> bool:
    """Say whether a cell of several lines holds the end of its row, whole rows, a beginning."""
    first, *between, last = cell.split("\n")
    if width < 2 or any(line.count(delimiter) != width - 1 for line in between):
        return False
    if first.count(delimiter) != width - 1 - place or last.count(delimiter) != place:
        return False
    cells = delimiter.join([first, *between, last]).split(delimiter)
    return any(is_number(one.strip()) for one in cells)


def _start(text: str) -> int:
    """Return where the header begins: behind lines of comment, unless it begins with # itself."""
    start, last = 0, 0
    while text.startswith("#", start):
        last = start
        start = text.find("\n", start) + 1
        if start == 0:
            return last
    if start:
        above, first = text[last:start], text[start:].partition("\n")[0]
        delimiter = max(_DELIMITERS, key=above.count)
        n = above.count(delimiter)
        if n and n == first.count(delimiter) and not any(map(is_number, above.split(delimiter))):
            values = next(csv.reader([first], delimiter=delimiter), [])
            return last if any(map(is_number, values)) else start
    return start


def _lines(path: Path, text: str) -> tuple[dict[str, list[Any]], dict[int, str]]:
    """Read one JSON object a line; values in ``properties`` or ``targets`` count as columns."""
    records: list[dict[str, Any]] = []
    problems: dict[int, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record, said = parse_json(line), "not a JSON object {...}"
        except ValueError as problem:
            record, said = None, f"not JSON ({reason(problem)})"
        if not isinstance(record, dict):
            problems[len(records)] = f"line {number} is {said}; correct it"
            record = {}
        for group in ("properties", "targets"):
            inner = record.pop(group, None)
            record = (inner if isinstance(inner, dict) else {}) | record
        records.append(record)
    if problems and len(problems) == len(records):
        raise DatasetError(f"{path}: {problems[0]}.")
    headers = dict.fromkeys(header for record in records for header in record)
    return {header: [record.get(header) for record in records] for header in headers}, problems


def _frame(
    path: Path, suffix: str, structure_column: str | None, sheet: str | None
) -> dict[str, list[Any]]:
    """Read a table that is no text, with pandas; of an Excel file one sheet."""
    package, what = _BINARY[suffix]
    missing = missing_package(f"{path}: reading {what}", package, "tables")
    if find_spec(package) is None:
        raise missing
    import pandas

    if regular_size(path) == 0:
        raise DatasetError(f"{path}: the file is empty; get a complete copy.")
    try:
        if suffix == ".parquet":
            frame = pandas.read_parquet(path)
            if any(name is not None for name in frame.index.names):
                frame = frame.reset_index()
        else:  # NaN is a formula, NA a class
            with pandas.ExcelFile(path) as book:
                sheets = [str(name) for name in book.sheet_names]
                heads = {}
                if len(sheets) > 1 and sheet is None:
                    heads = pandas.read_excel(book, sheet_name=None, nrows=0)
                place, said = _sheet(path, sheets, list(heads.values()), structure_column, sheet)
                frame = pandas.read_excel(
                    book, sheet_name=place, keep_default_na=False, na_values=[""]
                )
            own = sheets[place]
            remarks = _fill_merged(path, own, frame) if frame.isna().to_numpy().any() else []
    except ImportError:
        raise missing from None
    except DatasetError:
        raise
    except Exception as problem:  # the packages below raise whatever they like
        said = reason(problem)
        raise DatasetError(f"{path}: this is not a readable {what} file ({said}).") from problem
    if suffix != ".parquet" and said:
        warn(said)
    for remark in remarks if suffix != ".parquet" else ():
        warn(f"{path}: {remark}")
    return columns_of_frame(frame)


_LARGEST_BOOK = 20_000_000
"""Bytes of an Excel file in which empty cells are looked into."""


def _fill_merged(path: Path, sheet_name: str, frame: Any) -> list[str]:
    """Fill cells that are merged with the one above them; return what is to be said of a sheet.

    Those are filled columns, and formulas that no program has calculated.
    """
    if path.stat().st_size > _LARGEST_BOOK:
        return []
    from openpyxl import load_workbook
    from openpyxl.utils import get_column_letter

    sheet = load_workbook(path)[sheet_name]
    filled: dict[str, int] = {}
    for merged in sheet.merged_cells.ranges:
        first, last, column = merged.min_row - 2, merged.max_row - 2, merged.min_col - 1
        if not 0 <= first < last < len(frame) or merged.max_col != merged.min_col:
            continue
        frame.isetitem(column, frame.iloc[:, column].astype(object))
        frame.iloc[first + 1 : last + 1, column] = frame.iloc[first, column]
        header = str(frame.columns[column])
        filled[header] = filled.get(header, 0) + last - first
    remarks = [
        f"{n} cells of the column {cut(header, 60)!r} are merged with one above them, whose value "
        "they were given"
        for header, n in filled.items()
    ]
    bare = [
        f"{get_column_letter(cell.column)}{cell.row}"
        for row in sheet.iter_rows(min_row=2, max_row=len(frame) + 1, max_col=len(frame.columns))
        for cell in row
        if cell.data_type == "f" and frame.isna().iat[cell.row - 2, cell.column - 1]
    ]
    if bare:
        remarks.append(
            f"{len(bare)} cells hold a formula and no result (the first is {bare[0]}): no program "
            "has calculated this file since it was written; open it in Excel or LibreOffice, save "
            "it, and read it again"
        )
    return remarks


def _sheet(
    path: Path,
    sheets: Sequence[str],
    heads: Sequence[Any],
    structure_column: str | None,
    sheet: str | None,
) -> tuple[int, str]:
    """Return the place of the sheet to read, and what is to be said of it.

    Raises:
        DatasetError: there is no such sheet, or only others than the first have structures.
    """
    if sheet is not None:
        if sheet not in sheets:
            raise DatasetError(f"{path}: {unknown_name('sheet', sheet, sheets)}")
        return sheets.index(sheet), ""
    if not heads:
        return 0, ""
    lowered = [[str(name).strip().lower() for name in head.columns] for head in heads]
    wanted = {*_TEXTS, *_HOLDERS, "species"}
    if structure_column is not None:
        wanted = {structure_column.strip().lower()}
    fitting = [i for i, names in enumerate(lowered) if wanted.intersection(names)]
    others = cut(", ".join(sheets[1:]), 200)
    if 0 in fitting:
        return 0, f"{path}: its first sheet {cut(sheets[0], 60)} was read, and not {others}"
    if len(fitting) == 1:
        others = cut(", ".join(s for s in sheets if s != sheets[fitting[0]]), 200)
        return fitting[0], (
            f"{path}: its sheet {cut(sheets[fitting[0]], 60)} was read, the only one with a column "
            f"of structures, and not {others}"
        )
    among = [sheets[i] for i in fitting] or sheets
    column = "file, smiles, formula or composition"
    column = column if structure_column is None else repr(cut(structure_column, 60))
    raise DatasetError(
        f"{path}: its first sheet {cut(sheets[0], 60)!r} has no column {column}; say which sheet "
        f"is meant with --sheet (in Python sheet=): {cut(', '.join(among), 200)}."
    )


def _texts(
    columns: Mapping[str, Sequence[Any]], header: str | None
) -> tuple[str | None, ...] | None:
    if header is None:
        return None
    return tuple(None if is_missing(v) else clean_name(str(v)) for v in columns[header])


def _any(cells: Sequence[Any], kind: type) -> bool:
    return any(isinstance(cell, kind) for cell in cells)


def _suffix(path: Path) -> str:
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _list(columns: Mapping[str, Any]) -> str:
    listed = [cut(name, 60) for name in list(columns)[:12]]
    more = f" and {len(columns) - len(listed)} more" if len(columns) > len(listed) else ""
    return (", ".join(listed) or "none") + more
