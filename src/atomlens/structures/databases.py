"""Many structures in one JSON file or ase database.

JSON is taken apart here instead of by the decoders of ase and monty, which build whatever
object a file asks for.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.structures.objects import atoms_of_json
from atomlens.structures.records import Entry, attempt, keep_results, reason

if TYPE_CHECKING:
    from ase import Atoms

_HOLDERS = ("structure", "molecule", "atoms")
_NAMES = ("name", "material_id", "identifier", "id", "mp_id", "jid")
_ROW_FIELDS = ("cell", "numbers", "pbc", "positions", "data", "key_value_pairs")


def read_json(text: str) -> list[Entry]:
    """Return one entry for each structure of an ase or pymatgen JSON file.

    Understood are one pymatgen Structure or Molecule, one ase.Atoms, an ase database, a
    list of any of these, a dictionary name -> structure, and records that hold a structure
    next to other values, which go to ``info``.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StructureError(
            f"the text breaks off or is not JSON ({reason(error)}); get a complete copy"
        ) from error
    if isinstance(data, dict) and isinstance(data.get("ids"), list) and "nextid" in data:
        return [_json_row(data, row) for row in data["ids"]]
    if _builder(data) is not None:
        return [_json_entry("", data)]
    if isinstance(data, list) and data:
        return [_json_entry("", item) for item in data]
    if isinstance(data, dict) and any(_builder(value) is not None for value in data.values()):
        return [_json_entry(str(name), value) for name, value in data.items()]
    raise StructureError(
        "the JSON holds no structure; write one with ase or with pymatgen's to(fmt='json')"
    )


def _json_row(data: Mapping[str, Any], row: Any) -> Entry:
    record = data.get(str(row))
    if not isinstance(record, dict):
        return Entry("", None, f"row {row} of the ase database is missing; get a complete copy")
    pairs = record.get("key_value_pairs", {})
    name = str(pairs["name"]) if isinstance(pairs, dict) and "name" in pairs else ""
    return attempt(name, lambda: _atoms_of_ase(record), f"row {row}")


def _json_entry(name: str, item: Any) -> Entry:
    build = _builder(item)
    if build is None:
        return Entry(
            name,
            None,
            "this entry of the JSON has neither sites nor numbers and positions; remove it",
        )
    given = next((str(item[key]) for key in _NAMES if _is_plain(item.get(key))), "")
    return attempt(name or given, build, "entry")


def _builder(item: Any) -> "Callable[[], Atoms] | None":
    """Return the function that makes ase.Atoms of a JSON value, or None if nothing can."""
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("sites"), list):
        return lambda: atoms_of_json(item)
    if "positions" in item and "numbers" in item:
        return lambda: _atoms_of_ase(item)
    for key in _HOLDERS:
        inner = _builder(item.get(key))
        if inner is not None:
            return lambda: _with_values(inner(), item)
    return None


def _with_values(atoms: "Atoms", record: Mapping[str, Any]) -> "Atoms":
    atoms.info.update({k: v for k, v in record.items() if _is_plain(v)})
    return atoms


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def _atoms_of_ase(record: Mapping[str, Any]) -> "Atoms":
    from ase import Atoms

    numbers = _array(record["numbers"])
    atoms = Atoms(
        numbers.astype(int),
        positions=_array(record["positions"]).astype(float).reshape(-1, 3),
        cell=_array(record.get("cell", np.zeros((3, 3)))).astype(float).reshape(3, 3),
        pbc=np.broadcast_to(_array(record.get("pbc", False)), 3).astype(bool),
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


def read_database(path: Path) -> list[Entry]:
    """Return one entry a row of an ase database (SQLite), which is opened for reading only.

    Key-value pairs go to ``info``. A damaged row does not take the good ones with it.
    """
    from ase.db import connect

    ids = _row_ids(path)
    entries = []
    with connect(str(path), type="db", use_lock_file=False) as database:
        for row_id in ids:
            entry = attempt("", lambda row_id=row_id: _row(database, row_id), f"row {row_id}")  # type: ignore[misc]
            name = entry.atoms.info.get("name", "") if entry.atoms is not None else ""
            entries.append(entry._replace(name=str(name)))
    return entries


def _row(database: Any, row_id: int) -> "Atoms":
    row = database.get(id=row_id)
    atoms: Atoms = row.toatoms()
    atoms.info.update(row.key_value_pairs)
    keep_results(atoms)
    return atoms


def _row_ids(path: Path) -> list[int]:
    """Return the ids of the rows, refusing what is not an ase database.

    ase would add its tables to any SQLite file that it opens.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return [int(row[0]) for row in connection.execute("SELECT id FROM systems ORDER BY id")]
    except sqlite3.Error as error:
        raise StructureError(
            f"it is not a readable ase database ({reason(error)}); get a complete copy or give the "
            "file the extension of its real kind"
        ) from error
