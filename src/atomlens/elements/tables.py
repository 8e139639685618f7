"""Tables of element vectors by name: our own, and those that other packages ship as files.

Only the files of a package are read; its code is not imported. A table travels with the trained
model, so a model folder can be used where the package is not installed.
"""

import json
import math
import warnings
from importlib import util
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.elements.vectors import ELEMENT_VECTORS, built_in_vectors
from atomlens.errors import DatasetError, missing_package

MAGPIE_PROPERTIES = (
    "Number MendeleevNumber AtomicWeight MeltingT Column Row CovalentRadius Electronegativity "
    "NsValence NpValence NdValence NfValence NValence NsUnfilled NpUnfilled NdUnfilled NfUnfilled "
    "NUnfilled GSvolume_pa GSbandgap GSmagmom SpaceGroupNumber"
).split()
"""Elemental properties of Magpie (Ward et al., npj Comput. Mater. 2, 16028, 2016)."""
_FACTS = (
    "Z mendeleev_no atomic_mass melting_point boiling_point molar_volume row group X "
    "atomic_radius ionization_energy electron_affinity"
).split()
"""Properties that pymatgen knows of an element; valence electrons come on top."""
_LAST_FACT = 103
_WITHOUT = (
    "do without it: --set model.element_vectors=cgcnn92 (in Python "
    'model_settings={"element_vectors": "cgcnn92"})'
)
_SHELLS = {"s": 2, "p": 6, "d": 10, "f": 14}


class _Shipped(NamedTuple):
    """Where a package keeps a table."""

    package: str
    install: str
    """What pip calls the package."""
    path: str


_SHIPPED = {
    "mat2vec": _Shipped("aviary", "aviary-models", "embeddings/element/matscholar200.json"),
    "megnet16": _Shipped("aviary", "aviary-models", "embeddings/element/megnet16.json"),
    "magpie": _Shipped("matminer", "matminer", "utils/data_files/magpie_elementdata"),
}


def element_table(name: str, n_elements: int) -> NDArray[np.float32]:
    """Return a table of element vectors.

    ``magpie`` and ``facts`` hold properties of very different size: each is shifted and scaled to
    mean 0 and deviation 1 over the elements, and an unknown value is 0. ``facts`` are what
    pymatgen knows: the properties of ``magpie`` except those of calculated ground states, with
    ionisation energy, electron affinity, boiling point and molar volume in their place.

    Args:
        name: Key in ``ELEMENT_VECTORS``.
        n_elements: Rows.

    Returns:
        (n_elements, n_numbers); row Z is the vector of atomic number Z, zeros where the table
        has none.

    Raises:
        MissingDependencyError: the package that has the table is not installed.
        DatasetError: the package has another table than expected.
    """
    vectors = built_in_vectors(name, n_elements)
    if vectors is not None:
        return vectors
    table = np.zeros((n_elements, ELEMENT_VECTORS[name]), dtype=np.float32)
    for number, vector in (_facts() if name == "facts" else _shipped(name)).items():
        if number < n_elements:
            table[number] = vector
    return table


def _shipped(name: str) -> dict[int, list[float]]:
    """Read the vectors that a package ships, by atomic number."""
    place = _place(name)
    try:
        rows = _magpie_rows(place) if name == "magpie" else _json_rows(place)
    except (OSError, ValueError, TypeError, AttributeError) as problem:
        raise DatasetError(
            f"{place}: the table of element vectors {name!r} cannot be read ({problem}); "
            f"reinstall {_SHIPPED[name].install}."
        ) from None
    width = ELEMENT_VECTORS[name]
    for number, vector in rows.items():
        if len(vector) != width:
            raise DatasetError(
                f"{place}: the vector of {SYMBOLS[number]} has {len(vector)} numbers instead of "
                f"{width}; install another version of {_SHIPPED[name].install}."
            )
    return rows


def _place(name: str) -> Path:
    """Return the file or folder of a table without importing its package."""
    package, install, path = _SHIPPED[name]
    spec = util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / path).exists():
            return Path(folder) / path
    raise missing_package(f"The table of element vectors {name!r}", install, "elements", _WITHOUT)


def _json_rows(path: Path) -> dict[int, list[float]]:
    """Read a JSON object of one list a symbol; keys that are no element are left out."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {SYMBOLS.index(key): value for key, value in content.items() if key in SYMBOLS[1:]}


def _magpie_rows(folder: Path) -> dict[int, list[float]]:
    """Read one file a property, in which line Z is element Z, and bring them to one scale."""
    columns = [_numbers(folder / f"{name}.table") for name in MAGPIE_PROPERTIES]
    n_rows = min(len(column) for column in columns)
    return _scaled([column[:n_rows] for column in columns])


def _facts() -> dict[int, list[float]]:
    """Ask pymatgen for the properties of the elements up to Lr, and bring them to one scale."""
    try:
        from pymatgen.core import Element
    except ImportError:
        what = "The table of element vectors 'facts'"
        raise missing_package(what, "pymatgen-core", "pymatgen", _WITHOUT) from None
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns where it does not know a property
        for number in range(1, _LAST_FACT + 1):
            element = Element.from_Z(number)
            known = [getattr(element, name) for name in _FACTS]
            numbers = [math.nan if value is None else float(value) for value in known]
            rows.append(numbers + _valence(element.full_electronic_structure, element.row))
    return _scaled(np.array(rows).T.tolist())


def _valence(shells: list[tuple[int, str, int]], period: int) -> list[float]:
    """Count filled and empty places of the valence shells s, p, d, f, and their sums, as Magpie.

    A shell without electrons has no empty places.
    """
    filled = dict.fromkeys(_SHELLS, 0)
    for n, kind, electrons in shells:
        inner = {"s": 0, "p": 0, "d": 1, "f": 2}[kind]
        if n == period - inner:
            filled[kind] = electrons
    empty = {kind: _SHELLS[kind] - k if k else 0 for kind, k in filled.items()}
    return [*filled.values(), sum(filled.values()), *empty.values(), sum(empty.values())]


def _scaled(columns: list[list[float]]) -> dict[int, list[float]]:
    """Bring each property to mean 0 and deviation 1, unknown values to 0; by atomic number."""
    table = np.array(columns).T
    mean, std = np.nanmean(table, axis=0), np.nanstd(table, axis=0)
    scaled = np.nan_to_num((table - mean) / np.where(std > 0, std, 1))
    return dict(enumerate(scaled.tolist(), start=1))


def _numbers(path: Path) -> list[float]:
    """Return one number a line; NaN where there is a word in its place."""
    numbers = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            numbers.append(float(line))
        except ValueError:
            numbers.append(np.nan)
    return numbers
