"""Folders with ``id_prop.csv``: the way in which CGCNN keeps crystals and their values.

Each row is ``id,value`` or ``id,value,value...``; the structure is ``id.cif`` beside it (or
another file that we can read). There is no header in the original; one is understood.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from atomlens.boundary import net, read_text
from atomlens.datasets.base import Dataset
from atomlens.datasets.rows import SourceRows, assemble
from atomlens.datasets.tables.columns import TargetOptions, target_columns
from atomlens.datasets.tables.row_readers import RowReader, forms_of_files, structure_files
from atomlens.datasets.tables.table import tell_shared_names
from atomlens.errors import DatasetError, StructureError
from atomlens.printing import is_number
from atomlens.structures.forms import DisorderChoice

if TYPE_CHECKING:
    from ase import Atoms


def load_id_prop(
    folder: Path,
    wanted: Sequence[str],
    limit: int | None,
    seed: int,
    options: TargetOptions,
    forms: DisorderChoice,
) -> Dataset:
    """Load a folder with ``id_prop.csv``.

    Without a header the targets are called ``value`` (``value_1``, ``value_2`` … if there are
    several), or as asked for if as many names are asked for.

    Raises:
        DatasetError: the table is damaged or lacks the target, or no row can be used.
    """
    path = folder / "id_prop.csv"
    with net(DatasetError, f"{path}, the table", "get a complete copy"):
        text = read_text(path)
        rows = [[c.strip() for c in row] for row in csv.reader(text.splitlines()) if row]
    if not rows or max(map(len, rows)) < 2:
        raise DatasetError(f"{path}: each row must be an id and a value with a comma between.")
    files = _files(folder)
    has_header = rows[0][0] not in files and not is_number(rows[0][-1])
    header = _header(rows[0] if has_header else None, max(map(len, rows)) - 1, wanted)
    body = rows[1:] if has_header else rows
    columns = {
        name: [row[i] if i < len(row) else None for row in body]
        for i, name in enumerate(header, start=1)
    }
    chosen = target_columns(columns, wanted, options, str(path))
    names = [row[0] for row in body]
    tell_shared_names(path, "id", names)
    reader = RowReader(_read, lambda row: (names[row], files.get(names[row], [])))
    source = SourceRows(
        path=folder,
        names=names,
        read=lambda rows: reader.read(rows, forms),
        source_of=lambda row: str(files[names[row]][0]),
        cells=columns,
    )
    return assemble(source, chosen, limit=limit, seed=seed, forms=forms)


def _header(first: list[str] | None, n: int, wanted: Sequence[str]) -> list[str]:
    if first is not None:
        return [name or f"value_{i}" for i, name in enumerate(first[1:], start=1)]
    if len(wanted) == n:
        return list(wanted)
    return ["value"] if n == 1 else [f"value_{i}" for i in range(1, n + 1)]


def _files(folder: Path) -> dict[str, list[Path]]:
    """Return the structure files by id: with and without suffix, a CIF before others."""
    files: dict[str, list[Path]] = {}
    alike = structure_files(str(folder), folder.stat().st_mtime_ns)
    for stem, paths in alike.items():
        files.setdefault(stem, paths)
        for path in paths:
            files.setdefault(path.stem, [path])
            files[path.name] = [path]
    return files


def _read(identifier: str, files: Sequence[Path], forms: DisorderChoice) -> "list[Atoms]":
    if not files:
        raise StructureError(f"there is no file {identifier}.cif in this folder; add it")
    return forms_of_files(files, forms)
