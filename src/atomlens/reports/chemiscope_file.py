"""Maps for chemiscope, the explorer of structures: a file that its viewer opens.

G. Fraux, R. Cersonsky and M. Ceriotti, J. Open Source Softw. 5, 2117 (2020). The package
``chemiscope`` makes the content and checks it; the file is written here, whole or not at all.
"""

import gzip
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import SettingsError, missing_package
from atomlens.files import place_of, whole_file
from atomlens.printing import encodable
from atomlens.units import unit_text

if TYPE_CHECKING:
    from ase import Atoms

Values = NDArray[np.float64]
SUFFIXES = (".json", ".json.gz")
_CUTOFF = 3.5
"""Å; how much of its surroundings is shown around a chosen atom."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MapProperty:
    """Numbers or texts, one a structure or one an atom."""

    values: Any
    """(n_structures,) or (n_atoms,) of all structures end to end"""
    unit: str = ""
    description: str = ""
    of_atoms: bool = False


def check_map(path: str | Path) -> None:
    """Refuse a map that cannot be written, before any work is done.

    Raises:
        SettingsError: the name does not end with .json or .json.gz.
        MissingDependencyError: chemiscope is not installed.
    """
    if not str(path).lower().endswith(SUFFIXES):
        raise SettingsError(f"{path}: a map for chemiscope ends with .json or .json.gz.")
    try:
        import chemiscope  # noqa: F401
    except ImportError:
        raise missing_package(f"{path}", "chemiscope", "chemiscope") from None


def refuse_bare(names: Sequence[str], is_formula: Iterable[bool], path: str | Path) -> None:
    """Raise a SettingsError for the first of the names that is a formula without positions."""
    bare = [name for name, formula in zip(names, is_formula, strict=True) if formula]
    if bare:
        raise SettingsError(
            f"{path}: {bare[0]} is a bare formula without positions, which a map of structures "
            "cannot show; leave the map (--chemiscope) out, in Python as well, or give structures."
        )


def plane(vectors: NDArray[Any]) -> Values:
    """(n, 2) the first two principal components of vectors (n, n_features).

    Signs are fixed by the largest entry of each direction, so that a map is the same every time.
    """
    centred = np.asarray(vectors, dtype=np.float64) - np.mean(vectors, axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    first = directions[:2]
    largest = np.abs(first).argmax(axis=1)
    first = first * np.sign(first[np.arange(len(first)), largest])[:, None]
    places = np.zeros((len(centred), 2))
    places[:, : len(first)] = centred @ first.T
    return places


def write_map(
    structures: "Sequence[Atoms]",
    properties: Mapping[str, MapProperty],
    path: str | Path,
    *,
    name: str,
    x: str,
    y: str,
    colour: str,
) -> Path:
    """Write structures with their properties for chemiscope.

    Args:
        structures: With positions, a name in ``info`` each.
        properties: By name; what is not finite is written as an empty number.
        path: Ends with .json or .json.gz.
        name: Of the whole.
        x: Which property is drawn to the right.
        y: Which property is drawn upwards.
        colour: Which property colours the points.

    Raises:
        SettingsError: there is no structure, or one without positions.
        MissingDependencyError: chemiscope is not installed.
    """
    check_map(path)
    import chemiscope

    if not structures:
        raise SettingsError(f"{path}: there is no structure to put on a map.")
    names = [str(atoms.info.get("name", "")) for atoms in structures]
    refuse_bare(names, [bool(atoms.info.get("is_formula")) for atoms in structures], path)
    clean = [_bare(atoms) for atoms in structures]
    has_atoms = any(p.of_atoms for p in properties.values())
    shown = {
        key: {
            "target": "atom" if p.of_atoms else "structure",
            "values": _plain(p.values),
            **{
                k: v for k, v in (("units", unit_text(p.unit)), ("description", p.description)) if v
            },
        }
        for key, p in properties.items()
    }
    view = {
        "map": {"x": {"property": x}, "y": {"property": y}, "color": {"property": colour}},
        "target": "structure",
        "structure": [{"unitCell": bool(any(a.pbc.any() for a in clean))}],
    }
    atomic = [key for key, p in properties.items() if p.of_atoms]
    if atomic:
        view["structure"][0]["color"] = {"property": atomic[0]}  # type: ignore[index]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = chemiscope.create_input(
            clean,
            metadata={"name": name, "description": "Written by atomlens."},
            properties=shown,
            environments=chemiscope.all_atomic_environments(clean, cutoff=_CUTOFF)
            if has_atoms
            else None,
            settings=view,
        )
    text = encodable(json.dumps(content, ensure_ascii=False, allow_nan=False)).encode()
    data = gzip.compress(text, mtime=0) if str(path).lower().endswith(".gz") else text
    with whole_file(place_of(path)) as stream:
        stream.write(data)
    return place_of(path)


def _bare(atoms: "Atoms") -> "Atoms":
    """Return the structure alone: other people's arrays and notes do not belong on our map."""
    from ase import Atoms

    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _plain(values: Any) -> Any:
    array = np.asarray(values)
    if array.dtype.kind in "fiub":
        numbers = array.astype(np.float64)
        return np.where(np.isfinite(numbers), numbers, _nearest(numbers)).tolist()
    return [str(value) for value in array.tolist()]


def _nearest(numbers: Values) -> float:
    """Return what stands in the place of numbers that are unknown, which JSON cannot hold."""
    known = numbers[np.isfinite(numbers)]
    return float(known.min()) if len(known) else 0.0
