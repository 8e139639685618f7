"""Many structures in one JSON file or ase database.

JSON is taken apart here instead of by the decoders of ase and monty, which build whatever
object a file asks for.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import parse_json
from atomlens.elements import SYMBOLS
from atomlens.elements.naming import chemical_formula
from atomlens.errors import StructureError
from atomlens.printing import counted, reason, short
from atomlens.structures.distance_doubts import far_fractions, unused_cell
from atomlens.structures.forms import REFUSE, DisorderChoice
from atomlens.structures.formulas import amounts_in_formula
from atomlens.structures.objects import entry_energies
from atomlens.structures.pymatgen_sites import atoms_of_json, atoms_of_sites, other_lengths
from atomlens.structures.records import (
    Entry,
    HoldsNoStructureError,
    add_warning,
    atoms_of,
    attempt,
    attempt_all,
    drop_masses,
    keep_results,
)

if TYPE_CHECKING:
    from ase import Atoms

_HOLDERS = ("structure", "molecule", "atoms", "attributes", "cif", "poscar")
_NAMES = ("name", "material_id", "identifier", "id", "mp_id", "jid")
_ROW_FIELDS = ("cell", "numbers", "pbc", "positions", "data", "key_value_pairs")
_TABLES = ("systems", "keys", "text_key_values", "number_key_values", "species", "information")
_SQLITE = b"SQLite format 3\0"
_STEPS_A_ROW, _STEPS_OF_ALL = 20_000, 1_000_000
"""Thousands of steps of SQLite's machine; a row of ase takes a few hundred steps."""
_BEGINNING = 100_000
"""Letters of a JSON that show whether it is a table of texts."""
_LARGEST_VALUE = 500_000_000
"""Bytes of one value."""
_NO_STRUCTURE = (
    "this entry of the JSON holds no structure of pymatgen, ase, JARVIS or OPTIMADE, not "
    "under `structure`, `atoms` or `cif` either; correct or remove it"
)
_DEEPEST = 6
"""So many records may stand in one another around a structure."""


def read_json(text: str, disorder: DisorderChoice = REFUSE) -> list[Entry]:
    """Return one entry for each structure of a JSON file.

    Understood are the structures of pymatgen, ase, JARVIS and OPTIMADE, alone, in a list, in a
    dictionary name -> structure, one a line, in the answer of a server (``data``), in a table as
    pandas writes it in any orientation (as matbench does), in an ase database, and in records
    that hold a structure, or its JSON or CIF as text, next to other values, which go to ``info``.
    """
    try:
        data = parse_json(text)
    except ValueError as error:
        lines = _json_lines(text, disorder)
        if lines is None:
            raise StructureError(
                f"the text breaks off or is not JSON ({reason(error)}); get a complete copy"
            ) from error
        return _with_structures(lines, text)
    return _with_structures(_json_entries(data, disorder, text), text)


_OF_TEXTS = re.compile(r'"[\w ]*(smiles|formula|composition)[\w ]*"', re.IGNORECASE)


def _with_structures(entries: list[Entry], text: str) -> list[Entry]:
    """Return the entries; if not one of them is meant as a structure, the file is another."""
    if all(entry.problem == _NO_STRUCTURE for entry in entries):
        _refuse_json(text)
    return entries


def _refuse_json(text: str) -> NoReturn:
    if _OF_TEXTS.search(text[:_BEGINNING]):
        raise HoldsNoStructureError(
            "the JSON holds a table of SMILES or formulas; save it as CSV, or as .jsonl with a "
            "record {...} in each line"
        )
    raise HoldsNoStructureError(
        "the JSON holds no structure; write one with ase or with pymatgen's to(fmt='json')"
    )


def read_value(data: Any, disorder: DisorderChoice) -> list[Entry]:
    """Return the one structure that a value parsed from JSON holds, or its ordered models."""
    return _json_entry("", data, disorder)


def _json_lines(text: str, disorder: DisorderChoice) -> list[Entry] | None:
    """Return one entry a line of JSON lines; None if not even the first line is an object."""
    lines = [line for line in text.split("\n") if line.strip()]
    entries: list[Entry] = []
    for number, line in enumerate(lines):
        try:
            record = parse_json(line)
        except ValueError as error:
            if number == 0:
                return None
            problem = f"line {number + 1} is not JSON ({reason(error)}); correct it"
            entries.append(Entry("", None, problem))
            continue
        if not isinstance(record, dict):
            return None
        entries += _json_entry("", record, disorder)
    return entries if len(lines) > 1 else None


def _json_entries(data: Any, disorder: DisorderChoice, text: str) -> list[Entry]:
    """Return the entries of a JSON value, whatever container it is."""
    if isinstance(data, dict) and isinstance(data.get("ids"), list) and "nextid" in data:
        return [_json_row(data, row) for row in data["ids"]]
    if _builder(data) is not None:
        return _json_entry("", data, disorder)
    if isinstance(data, list) and data:
        return [entry for item in data for entry in _json_entry("", item, disorder)]
    if isinstance(data, dict):
        records = _pandas_records(data)
        if records is None and isinstance(data.get("data"), list | dict):
            records = data["data"] if isinstance(data["data"], list) else [data["data"]]
        if records:
            return [entry for record in records for entry in _json_entry("", record, disorder)]
        if any(_builder(value) is not None for value in data.values()):
            return [
                entry
                for name, value in data.items()
                for entry in _json_entry(str(name), value, disorder)
            ]
    _refuse_json(text)


def _pandas_records(data: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of a table that pandas wrote as ``split`` or by columns; None for others."""
    columns, rows = data.get("columns"), data.get("data")
    if isinstance(columns, list) and isinstance(rows, list):
        names = [str(column) for column in columns]
        return [
            dict(zip(names, row, strict=False)) if isinstance(row, list) else {"row": row}
            for row in rows
        ]
    held = [data[key] for key in data if key in _HOLDERS and isinstance(data[key], dict)]
    if not held or any(_builder(column) is not None for column in held):
        return None
    by_row = [column for column in data.values() if isinstance(column, dict)]
    if len(by_row) < len(data) or not any(_builder({"structure": v}) for v in held[0].values()):
        return None
    return [{name: column.get(row) for name, column in data.items()} for row in held[0]]


def _json_row(data: Mapping[str, Any], row: Any) -> Entry:
    record = data.get(str(row))
    if not isinstance(record, dict):
        return Entry("", None, f"row {row} of the ase database is missing; get a complete copy")
    pairs = record.get("key_value_pairs", {})
    name = str(pairs["name"]) if isinstance(pairs, dict) and "name" in pairs else ""
    return attempt(name, lambda: _atoms_of_ase(record), f"row {row}")


def _json_entry(name: str, item: Any, disorder: DisorderChoice) -> list[Entry]:
    """Return the entry of a JSON value, or those of its ordered models."""
    build = _builder(item, disorder)
    if build is None:
        return [Entry(name, None, _NO_STRUCTURE)]
    given = next((str(item[key]) for key in _NAMES if _is_plain(item.get(key))), "")
    return attempt_all(name or given, build, "entry")


def _builder(
    item: Any, disorder: DisorderChoice = REFUSE, depth: int = 0
) -> "Callable[[], list[Atoms]] | None":
    """Return the function that makes ase.Atoms of a JSON value, or None if nothing can."""
    if not isinstance(item, dict) or depth > _DEEPEST:
        return None
    if isinstance(item.get("sites"), list):
        return lambda: _with_values(atoms_of_json(item, disorder), item.get("properties"))
    if "positions" in item and "numbers" in item:
        return lambda: [_atoms_of_ase(item)]
    if "lattice_mat" in item and "coords" in item:
        return lambda: _atoms_of_jarvis(item, disorder)
    if "cartesian_site_positions" in item and "species_at_sites" in item:
        return lambda: _atoms_of_optimade(item, disorder)
    for key in _HOLDERS:
        value = item.get(key)
        inner = (
            _text_builder(value, disorder, depth)
            if isinstance(value, str)
            else _builder(value, disorder, depth + 1)
        )
        if inner is not None:
            return lambda inner=inner: _with_values(inner(), item)  # type: ignore[misc]
    return None


def _text_builder(
    text: str, disorder: DisorderChoice, depth: int
) -> "Callable[[], list[Atoms]] | None":
    """Return the function for a structure that stands in a record as JSON or CIF text."""
    if text.lstrip().startswith("{"):
        try:
            return _builder(parse_json(text), disorder, depth)
        except ValueError:
            return None
    if "_cell_length_a" in text:
        return lambda: _atoms_of_cif(text, disorder)
    return None


def _atoms_of_cif(text: str, disorder: DisorderChoice) -> "list[Atoms]":
    from atomlens.structures.cif.atoms import read_cif

    return atoms_of(read_cif(text, disorder))


def _atoms_of_jarvis(item: Mapping[str, Any], disorder: DisorderChoice) -> "list[Atoms]":
    """Return the atoms of JARVIS, whose coordinates are in parts of the cell unless it says so."""
    cell = np.array(item["lattice_mat"], dtype=float).reshape(3, 3)
    positions = np.array(item["coords"], dtype=float).reshape(-1, 3)
    doubts = [other_lengths(cell, item.get("abc"))]
    if not _is_true(item.get("cartesian", False), "cartesian"):
        doubts.append(far_fractions(positions))
        positions = positions @ cell
    species = [{str(symbol).strip(): 1.0} for symbol in item["elements"]]
    _check_number(len(species), positions)
    found = atoms_of_sites(species, positions, cell, (True,) * 3, disorder)
    for atoms in found:
        for doubt in filter(None, doubts):
            add_warning(atoms, doubt)
    return found


def _is_true(value: Any, key: str) -> bool:
    """Return a flag of JSON, also of one that was written as text (``"False"``)."""
    word = str(value).strip().lower()
    if word not in ("true", "false", "1", "0", "none", ""):
        raise StructureError(f"its {key!r} is {short(str(value))}; write true or false")
    return word in ("true", "1")


def _atoms_of_optimade(item: Mapping[str, Any], disorder: DisorderChoice) -> "list[Atoms]":
    """Return the structure of an OPTIMADE entry, or its ordered models if species are mixtures."""
    positions = np.array(item["cartesian_site_positions"], dtype=float).reshape(-1, 3)
    kinds = {
        str(kind["name"]): dict(zip(kind["chemical_symbols"], kind["concentration"], strict=True))
        for kind in item.get("species") or []
    }
    species = [kinds.get(str(name), {str(name): 1.0}) for name in item["species_at_sites"]]
    _check_number(len(species), positions)
    announced = item.get("nsites")
    if isinstance(announced, int) and announced != len(positions):
        raise StructureError(
            f"it announces {counted(announced, 'site')}, but "
            f"{counted(len(positions), 'position', 'follow')}; get a "
            "complete copy"
        )
    if any(len(one.get("sites_in_groups") or ()) > 1 for one in item.get("assemblies") or []):
        raise StructureError(
            "its assemblies say which of its sites exclude each other, which is not read; give an "
            "entry with the sites of one of them"
        )
    found = _at_optimade_sites(item, species, positions, disorder)
    for doubt in _optimade_doubts(item, species, found):
        for atoms in found:
            add_warning(atoms, doubt)
    return found


def _optimade_doubts(
    item: Mapping[str, Any], species: Sequence[Mapping[str, float]], found: "list[Atoms]"
) -> list[str]:
    """Return what an entry says of its atoms besides, and what is not among them."""
    doubts = []
    attached = {
        str(kind["name"]): sum(map(int, kind.get("nattached") or ()))
        for kind in item.get("species") or []
        if kind.get("attached")
    }
    absent = sum(attached.get(str(name), 0) for name in item["species_at_sites"])
    if absent:
        doubts.append(
            f"{absent} atoms that are attached to its sites have no position in the file and are "
            "missing"
        )
    features = item.get("structure_features") or ()
    if unplaced := [one for one in _UNPLACED if one in features]:
        doubts.append(
            f"it has atoms without positions (structure_features: {', '.join(unplaced)}), which "
            "are missing"
        )
    if item.get("lattice_vectors") is None and item.get("dimension_types") is None:
        doubts.append(
            "it has neither lattice_vectors nor dimension_types, so it was read as a molecule; ask "
            "the server for them (response_fields) if it is a crystal"
        )
    text = item.get("chemical_formula_reduced")
    whole = all(list(site.values()) == [1.0] for site in species)
    if isinstance(text, str) and whole and found and not absent:
        with suppress(StructureError):
            amounts = amounts_in_formula(text)
            own = Counter(found[0].get_chemical_symbols())
            shares = {float(amounts[s]) / own[s] if s in own else 0.0 for s in amounts}
            if set(amounts) != set(own) or max(shares) > 1.001 * min(shares):
                doubts.append(
                    f"its formula is {short(text)}, but its atoms are "
                    f"{chemical_formula(found[0].numbers)}; the atoms were taken"
                )
    return doubts


_UNPLACED = ("implicit_atoms", "unknown_positions")
"""Features of OPTIMADE by which an entry says that not all of its atoms are listed."""


def _at_optimade_sites(
    item: Mapping[str, Any],
    species: Sequence[Mapping[str, float]],
    positions: NDArray[np.float64],
    disorder: DisorderChoice,
) -> "list[Atoms]":
    lattice = item.get("lattice_vectors")
    if lattice is None:
        repeats = item.get("nperiodic_dimensions") or any(item.get("dimension_types") or ())
        if repeats:
            raise StructureError(
                "it says that it repeats (dimension_types), but has no lattice_vectors; ask the "
                "server for them (response_fields)"
            )
        return atoms_of_sites(species, positions, None, (False,) * 3, disorder)
    vectors = [[0.0 if x is None else x for x in vector] for vector in lattice]
    pbc = [bool(flag) for flag in item.get("dimension_types") or (1, 1, 1)]
    cell = np.array(vectors, dtype=float).reshape(3, 3)
    return atoms_of_sites(species, positions, cell, pbc, disorder)


def _check_number(n_species: int, positions: NDArray[np.float64]) -> None:
    if n_species != len(positions):
        raise StructureError(
            f"there are {counted(n_species, 'element')} and "
            f"{counted(len(positions), 'position')}; correct the entry"
        )


def _with_values(models: "list[Atoms]", record: Any) -> "list[Atoms]":
    """Note the numbers and texts of a record beside its structure; of an entry its energies."""
    if not isinstance(record, Mapping):
        return models
    if isinstance(record.get("energy"), Real) and isinstance(record.get("correction"), Real):
        data = record.get("data")
        rest = {key: record[key] for key in record if key != "correction"}
        energies = entry_energies(record["energy"] + record["correction"], record["energy"])
        record = {**rest, **energies, **(data if isinstance(data, Mapping) else {})}
    kept = {key: value for key, value in record.items() if _is_plain(value) and key[:1] != "@"}
    kept.pop("warnings", None)
    for atoms in models:
        atoms.info.update(kept)
    return models


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def _atoms_of_ase(record: Mapping[str, Any]) -> "Atoms":
    from ase import Atoms

    numbers = _array(record["numbers"])
    symbols = record.get("symbols")
    if isinstance(symbols, list) and [*map(str, symbols)] != [
        SYMBOLS[n] if 0 < n < len(SYMBOLS) else "X" for n in numbers.astype(int).ravel().tolist()
    ]:
        raise StructureError(
            "its atomic numbers and its symbols are not of the same elements; remove the wrong ones"
        )
    atoms = Atoms(
        numbers.astype(int),
        positions=_array(record["positions"]).astype(float).reshape(-1, 3),
        cell=_array(record.get("cell", np.zeros((3, 3)))).astype(float).reshape(3, 3),
        pbc=np.broadcast_to(_array(record.get("pbc", False)), 3).astype(bool),
    )
    if "pbc" not in record and atoms.cell.any():
        add_warning(
            atoms,
            "it has a cell, but does not say along which of its vectors it repeats (pbc); it was "
            "read as a molecule",
        )
    for source in (record, record.get("key_value_pairs"), record.get("info")):
        if isinstance(source, dict):
            atoms.info.update(
                {k: v for k, v in source.items() if _is_plain(v) and k not in _ROW_FIELDS}
            )
    return atoms


def _array(value: Any) -> NDArray[Any]:
    """Return an array that ase wrote to JSON, as a list or as ``__ndarray__``."""
    if isinstance(value, dict):
        if "array" in value:
            return _array(value["array"])
        shape, _, data = value["__ndarray__"]
        return np.array(data).reshape(shape)
    return np.array(value)


def read_database(path: Path, ids: Sequence[int] | None = None) -> list[Entry]:
    """Return one entry a row of an ase database (SQLite), which is opened for reading only.

    Key-value pairs go to ``info``. A damaged row does not take the good ones with it.

    Args:
        path: The database.
        ids: Which rows, as `row_ids` has them; by default all.
    """
    from ase.db import connect

    ids = row_ids(path) if ids is None else ids
    entries = []
    with connect(str(path), type="db", use_lock_file=False) as database:
        connection = getattr(database, "connection", None)
        for row_id in ids:
            if isinstance(connection, sqlite3.Connection):
                _bound(connection, _STEPS_A_ROW)
            entry = attempt("", partial(_row, database, row_id), f"row {row_id}")
            name = entry.atoms.info.get("name", "") if entry.atoms is not None else ""
            entries.append(entry._replace(name=str(name)))
    return entries


def row_ids(path: Path) -> list[int]:
    """Return the ids of the rows of an ase database.

    Raises:
        StructureError: it is none.
    """
    with path.open("rb") as stream:
        begin = stream.read(len(_SQLITE))
    if begin and begin != _SQLITE[: len(begin)]:
        raise HoldsNoStructureError(
            "it is not a readable ase database (no SQLite file); get a complete copy or give the "
            "file the extension of its real kind"
        )
    return _row_ids(path)


def _bound(connection: sqlite3.Connection, most: int) -> None:
    """Let a query take at most so many thousand steps, and no value more than its share."""
    left = [most]

    def step() -> int:
        left[0] -= 1
        return int(left[0] < 0)

    connection.set_progress_handler(step, 1000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)


def _row(database: Any, row_id: int) -> "Atoms":
    """Read a row; ase takes its numbers of atoms and directions of repetition without a look.

    Raises:
        StructureError: the directions are no three bits.
    """
    with database.managed_connection() as connection:
        query = "SELECT pbc, natoms FROM systems WHERE id=?"
        bits, n_atoms = connection.execute(query, (row_id,)).fetchone() or (0, None)
    if not (isinstance(bits, int) and 0 <= bits <= 7):
        raise StructureError(
            f"its pbc is {short(str(bits))}, and three bits are a number from 0 to 7; correct it"
        )
    row = database.get(id=row_id)
    atoms: Atoms = row.toatoms()
    if n_atoms not in (None, len(atoms)):
        add_warning(
            atoms,
            f"its natoms is {short(str(n_atoms))}, and it holds {counted(len(atoms), 'atom')}, "
            "which were taken",
        )
    atoms.info.update(row.key_value_pairs)
    if said := unused_cell(atoms):
        add_warning(atoms, said)
    keep_results(atoms)
    drop_masses(atoms)
    return atoms


def _row_ids(path: Path) -> list[int]:
    """Return the ids of the rows, refusing what is not an ase database.

    ase would add its tables to any SQLite file that it opens.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            _bound(connection, _STEPS_OF_ALL)
            kinds = dict(connection.execute("SELECT name, type FROM sqlite_master").fetchall())
            if "systems" not in kinds:
                raise HoldsNoStructureError(
                    "it is not a readable ase database (it has no table of structures); give the "
                    "file the extension of its real kind"
                )
            if any(kinds.get(name, "table") != "table" for name in _TABLES):
                raise StructureError(
                    "its table of structures is a view, which is a program and is not run; export "
                    "the rows into a database of ase's own"
                )
            return [int(row[0]) for row in connection.execute("SELECT id FROM systems ORDER BY id")]
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise StructureError(
            f"it is not a readable ase database ({reason(error)}); get a complete copy or give the "
            "file the extension of its real kind"
        ) from error
