"""One file with structures, targets and splits, readable with numpy alone.

An ``.npz`` archive of plain arrays (nothing in it can be unpickled), compressed with zlib:

    header           JSON as UTF-8 bytes: format, name, targets, failures, warnings and makers of
                     coordinates by structure, what the warnings are about by sentence
    names            all names as UTF-8 bytes, one after another
    name_offsets     (n + 1,) in bytes
    offsets          (n + 1,) in atoms
    atomic_numbers   (n_atoms,)
    positions        (n_atoms, 3) Å
    cells            (n, 3, 3) Å, left out if all are zero
    pbc, is_formula  (n, 3), (n,), left out if all are False
    is_made          (n,) coordinates made from a SMILES or a flat drawing, left out if none are
    charges          (n_atoms,) partial charges in e, NaN where unknown, left out if none is known
    values           (n, n_values), one column a target, for a spectrum one a point of its grid
    held             (n, ⌈n_values / 8⌉) bits, where a spectrum's last value is held; if anywhere
    split_PART       indices of a part of the data set's own split
    node_labels      (n_atoms,), left out if there are none
    columns          JSON as UTF-8 bytes: the other columns of a table, cells by header, if any
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import net, parse_json, read_arrays
from atomlens.datasets.base import Dataset
from atomlens.datasets.beside import OtherColumns
from atomlens.errors import AtomlensError, DatasetError, Failure, SettingsError
from atomlens.files import place_of, whole_file
from atomlens.printing import clean_name, encodable, one_line
from atomlens.settings import by_option
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.doubts import Doubt, of_earlier_file
from atomlens.targets import Target

FORMAT = "atomlens-packed-1"

Precision = Literal["auto", "float32", "float64"]


@by_option()
def save_packed(
    dataset: Dataset,
    path: str | Path,
    *,
    precision: Precision = "auto",
    resolution: float | None = None,
    compressed: bool = True,
) -> Path:
    """Write a data set into one file, whole or not at all.

    Args:
        dataset: What is written, its own splits, node labels, failures and the other columns of
            its table included.
        path: Usually ends in ``.atomlens.npz``.
        precision: Type of the positions. ``auto`` takes float32 (about 5e-7 Å at 10 Å) for
            molecules and float64 for data with a periodic structure, whose symmetry-equal
            neighbours should stay equal.
        resolution: Round positions to a multiple of the largest power of two that is not
            above this length (Å); the zeros at the end of each number then compress away.
            0.0001 moves no atom by more than 0.00005 Å and saves a sixth of QM9 (33 to 28 MiB).
        compressed: With zlib; without, reading and writing are several times faster.

    Returns:
        The path.
    """
    s = dataset.structures
    labels = dataset.node_labels
    encoded = [name.encode() for name in s.names]
    arrays: dict[str, NDArray[Any]] = {
        "header": _bytes(json.dumps(_header(dataset), ensure_ascii=False).encode()),
        "names": _bytes(b"".join(encoded)),
        "name_offsets": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
        "offsets": s.offsets,
        "atomic_numbers": s.atomic_numbers,
        "positions": _stored_positions(s, precision, resolution),
        "values": dataset.values,
    }
    if s.charges is not None:
        arrays["charges"] = s.charges
    for name in ("cells", "pbc", "is_formula"):
        if np.any(getattr(s, name)):
            arrays[name] = getattr(s, name)
    if s.is_made is not None and s.is_made.any():
        arrays["is_made"] = s.is_made
    for part, rows in dataset.splits.items():
        arrays[f"split_{part}"] = rows
    if dataset.held is not None:
        arrays["held"] = np.packbits(dataset.held, axis=1)
    if labels is not None:
        arrays["node_labels"] = np.concatenate([np.zeros(0), *labels])
    if dataset.columns:
        text = json.dumps(dataset.columns.to_plain(), ensure_ascii=False)
        arrays["columns"] = _bytes(encodable(text).encode())
    path = place_of(path)
    save = np.savez_compressed if compressed else np.savez
    try:
        with whole_file(path) as stream:
            save(stream, **arrays)  # type: ignore[arg-type]
    except OSError as problem:
        raise DatasetError(
            f"{path}: the data set cannot be written here ({problem.strerror or problem}); choose "
            "another place."
        ) from problem
    return path


def load_packed(path: str | Path) -> Dataset:
    """Read a file written by `save_packed`; needs neither ase nor pandas, and never unpickles.

    Raises:
        DatasetError: the file is missing, damaged or of another kind.
    """
    path = place_of(path)
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file; check the path.")
    where = f"{path}: this is not an undamaged packed data set of atomlens"
    try:
        with net(DatasetError, where, "write it again with save_packed"):
            return _dataset(read_arrays(path))
    except DatasetError:
        raise
    except AtomlensError as problem:
        raise DatasetError(f"{where} ({problem}); write it again with save_packed.") from problem


def _header(dataset: Dataset) -> dict[str, Any]:
    makers = {str(i): maker for i, maker in enumerate(dataset.structures.makers) if maker}
    warnings = dataset.structures.warnings
    doubts = (one for said in warnings for one in said if isinstance(one, Doubt))
    return {
        "format": FORMAT,
        "name": dataset.name,
        "targets": [t.to_dict() for t in dataset.targets],
        "failures": [f.to_dict() for f in dataset.failures],
        "warnings": {str(i): list(w) for i, w in enumerate(warnings) if w},
        "doubts": {one: one.to_plain() for one in doubts},
        **({"makers": makers} if makers else {}),
    }


def _warnings(header: dict[str, Any], n: int) -> tuple[tuple[str, ...], ...]:
    """Return the sentences on each of n structures with their kinds; empty if there are none."""
    told: dict[str, list[str]] = header.get("warnings", {})
    doubts: dict[str, dict[str, Any]] | None = header.get("doubts")

    def as_told(text: str) -> str:
        if doubts is None:
            return of_earlier_file(text)
        return Doubt.from_plain(text, doubts[text]) if text in doubts else text

    return tuple(tuple(map(as_told, told.get(str(i), ()))) for i in range(n)) if told else ()


def _bytes(text: bytes) -> NDArray[np.uint8]:
    """(n_bytes,) as the archive holds a text."""
    return np.frombuffer(text, dtype=np.uint8)


def _stored_positions(
    structures: StructureArrays, precision: Precision, resolution: float | None
) -> NDArray[Any]:
    """(n_atoms, 3) Å; see `save_packed` for the arguments."""
    positions = structures.positions
    if resolution is not None:
        if not resolution > 0:
            raise SettingsError(
                f"The resolution of packed positions is {resolution} Å; it must be above 0."
            )
        step = 2.0 ** np.floor(np.log2(resolution))
        positions = np.round(positions / step) * step
    if precision == "auto":
        precision = "float64" if np.any(structures.pbc) else "float32"
    return positions.astype(precision)


def _dataset(arrays: dict[str, NDArray[Any]]) -> Dataset:
    """Return the data set of an archive; raises a ValueError if its arrays are none."""
    header = parse_json(arrays["header"].tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}, not {FORMAT!r}")
    text = arrays["names"].tobytes()
    ends = arrays["name_offsets"].tolist()
    names = tuple(clean_name(text[a:b].decode()) for a, b in pairwise(ends))
    n = len(names)
    makers: dict[str, str] = header.get("makers", {})
    structures = StructureArrays(
        offsets=arrays["offsets"].astype(np.int64),
        atomic_numbers=arrays["atomic_numbers"].astype(np.uint8),
        positions=arrays["positions"].astype(np.float64),
        cells=arrays.get("cells", np.zeros((n, 3, 3))).astype(np.float64),
        pbc=arrays.get("pbc", np.zeros((n, 3), dtype=np.bool_)).astype(np.bool_),
        names=names,
        is_formula=arrays.get("is_formula", np.zeros(n, dtype=np.bool_)).astype(np.bool_),
        charges=arrays["charges"].astype(np.float32) if "charges" in arrays else None,
        warnings=_warnings(header, n),
        is_made=arrays["is_made"].astype(np.bool_) if "is_made" in arrays else None,
        makers=tuple(one_line(str(makers.get(str(i), ""))) for i in range(n)) if makers else (),
    )
    targets = tuple(Target.from_dict(t) for t in header["targets"])
    values = arrays["values"].astype(np.float64)
    labels = arrays.get("node_labels")
    held = None
    if "held" in arrays:
        held = np.unpackbits(arrays["held"], axis=1, count=values.shape[1]).astype(np.bool_)
        if held.shape != values.shape:
            raise ValueError("its arrays do not fit together")
    _check(structures, values, sum(t.n_values for t in targets), labels)
    splits = {
        name.removeprefix("split_"): rows.astype(np.int64)
        for name, rows in arrays.items()
        if name.startswith("split_")
    }
    if any(len(rows) and not 0 <= rows.min() <= rows.max() < n for rows in splits.values()):
        raise ValueError("a split names samples that are not there")
    return Dataset(
        name=str(header["name"]),
        structures=structures,
        targets=targets,
        values=values,
        splits=splits,
        held=held,
        node_labels=None if labels is None else tuple(np.split(labels, structures.offsets[1:-1])),
        failures=tuple(Failure(**f) for f in header["failures"]),
        columns=_columns(arrays["columns"], n) if "columns" in arrays else OtherColumns(),
    )


def _columns(content: NDArray[Any], n: int) -> OtherColumns:
    """Return the columns of a table; raises a ValueError if they are none."""
    cells = parse_json(content.tobytes())
    columns = cells.values() if isinstance(cells, dict) else [None]
    if not all(isinstance(column, list) and len(column) == n for column in columns):
        raise ValueError("its columns do not fit its samples")
    return OtherColumns.of(cells, range(n))


def _check(
    s: StructureArrays, values: NDArray[Any], n_values: int, labels: NDArray[Any] | None
) -> None:
    """Raise a ValueError unless all arrays have the length that the others ask for."""
    n, n_atoms = len(s.names), len(s.atomic_numbers)
    sound = (
        s.offsets.shape == (n + 1,)
        and s.offsets[0] == 0
        and s.offsets[-1] == n_atoms
        and bool(np.all(np.diff(s.offsets) > 0))
        and s.positions.shape == (n_atoms, 3)
        and s.cells.shape == (n, 3, 3)
        and s.pbc.shape == (n, 3)
        and s.is_formula.shape == (n,)
        and (s.is_made is None or s.is_made.shape == (n,))
        and (s.charges is None or s.charges.shape == (n_atoms,))
        and values.shape == (n, n_values)
        and bool(np.all((s.atomic_numbers > 0) & (s.atomic_numbers < 119)))
        and bool(np.all(np.isfinite(s.positions)))
        and bool(np.all(np.isfinite(s.cells)))
        and (labels is None or labels.shape == (n_atoms,))
    )
    if not sound:
        raise ValueError("its arrays do not fit together")
