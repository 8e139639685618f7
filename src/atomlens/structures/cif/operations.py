"""From the atoms that a CIF lists to all atoms of the cell.

The operations that the file lists are used exactly as they stand. Where it only names the
space group, they come from spglib's table of the 530 settings of International Tables.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.structures.records import quiet

SITE_TOLERANCE = 0.1
"""Å; images of one atom nearer than this are the same atom on a special position."""


class Operations(NamedTuple):
    """Symmetry operations on fractional coordinates: ``x' = rotation @ x + translation``."""

    rotations: NDArray[np.float64]
    """(n_operations, 3, 3)"""
    translations: NDArray[np.float64]
    """(n_operations, 3)"""


MOST_OPERATIONS = 5_000
"""Space groups have at most 192; more come from supercells written with all translations."""

_STANDARD = ("", "b", "b1", "1", "2", "H", "R")
"""Settings meant where a file gives a bare number: both origins and both sets of R axes."""

IDENTITY = Operations(np.eye(3)[None], np.zeros((1, 3)))


def parse_operations(texts: Sequence[str]) -> Operations:
    """Return the operations written like ``-y, x-y, z+1/3``."""
    if len(texts) > MOST_OPERATIONS:
        raise StructureError(
            f"it lists {len(texts)} symmetry operations, more than {MOST_OPERATIONS}; check the "
            "list"
        )
    parsed = [_parse_operation(text) for text in texts]
    return Operations(np.array([r for r, _ in parsed]), np.array([t for _, t in parsed]))


@lru_cache(maxsize=4096)
def _parse_operation(text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from ase.spacegroup.spacegroup import parse_sitesym

    compact = re.sub(r"[\s'\"]", "", text).lower()
    valid = re.fullmatch(r"[-+xyz\d./]+(,[-+xyz\d./]+){2}", compact)
    try:
        rotations, translations = parse_sitesym([compact])
    except (ValueError, ZeroDivisionError):
        valid = None
    if not valid or abs(round(float(np.linalg.det(rotations[0])))) != 1:
        raise StructureError(
            f"the symmetry operation {text!r} cannot be understood; write it like '-x, y+1/2, -z'"
        )
    return rotations[0].astype(float), translations[0].astype(float)


class NamedSetting(NamedTuple):
    """One setting of a space group, as spglib tabulates it."""

    hall_number: int
    number: int
    choice: str
    hall_symbol: str
    names: frozenset[str]


def named_settings(name: str, number: int | None) -> list[NamedSetting]:
    """Return the settings that a space group's name, or else its number, may mean.

    A name that begins with ``hall:`` is a Hall symbol, others are Hermann-Mauguin symbols.
    """
    if name.startswith("hall:"):
        hall = _compact_hall(name.removeprefix("hall:"))
        return [s for s in _settings_table() if s.hall_symbol == hall]
    match = re.search(r"(?::\s*|\s)(1|2|H|R|S|Z|HR)\s*$", name)
    choice = {"S": "1", "Z": "2", "HR": "H"}.get(match[1], match[1]) if match else ""
    whole, bare = _compact(name), _compact(name[: match.start()] if match else name)
    table = _settings_table()
    found = [s for s in table if whole in s.names]
    if not found and match:
        found = [s for s in table if bare in s.names and s.choice.startswith(choice)]
    if not found and number is not None:
        found = [s for s in table if s.number == number and s.choice in _STANDARD]
    return found


def setting_operations(setting: NamedSetting) -> Operations:
    """Return the operations of a tabulated setting."""
    import spglib

    with quiet():
        table = spglib.get_symmetry_from_database(setting.hall_number)
    return Operations(table["rotations"].astype(float), table["translations"].astype(float))


@lru_cache(maxsize=1)
def _settings_table() -> tuple[NamedSetting, ...]:
    import spglib

    settings = []
    for hall_number in range(1, 531):
        with quiet():
            group = spglib.get_spacegroup_type(hall_number)
        names = {*group.international.split("=")[-2:], group.international_full}
        if group.choice in _STANDARD:
            names.add(group.international_short)
        elif 3 <= group.number <= 15:
            names.discard(group.international.split("=")[0])
        if 3 <= group.number <= 15:
            names |= {re.sub(r"(?<= )1(?= |$)", "", name) for name in list(names)}
        settings.append(
            NamedSetting(
                hall_number,
                group.number,
                group.choice,
                _compact_hall(group.hall_symbol),
                frozenset(_compact(name) for name in names),
            )
        )
    return tuple(settings)


def _compact(name: str) -> str:
    return re.sub(r"[\s_()'\"]", "", name).lower()


def _compact_hall(symbol: str) -> str:
    return re.sub(r"[\s_]", "", symbol).lower()


def fits_cell(operations: Operations, cell: NDArray[np.float64]) -> bool:
    """Say whether the operations leave the lengths and angles of the cell alone."""
    metric = cell @ cell.T
    moved = np.einsum("nji,jk,nkl->nil", operations.rotations, metric, operations.rotations)
    return bool(np.abs(moved - metric).max() < 0.02 * np.abs(metric).max())


def expand(
    fractional: NDArray[np.float64], operations: Operations, cell: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Return the images of all sites, each once, and the site each comes from.

    A site within `SITE_TOLERANCE` of a special position is moved onto it, by averaging over
    the operations that leave it in place, so that rounded coordinates do no harm.

    Returns fractional coordinates in [0, 1), shape (n_atoms, 3), and sites (n_atoms,).
    """
    n_operations = len(operations.rotations)
    if n_operations == 1:
        return _wrapped(fractional), np.arange(len(fractional))
    if n_operations * len(fractional) > 5_000_000:
        raise StructureError(
            f"{n_operations} symmetry operations on {len(fractional)} atoms make more than 5 "
            "million atoms; check the list of operations"
        )
    images = _images(fractional, operations)
    shifts = images - fractional[:, None]
    shifts -= np.round(shifts)
    stays = _lengths(shifts, cell) < SITE_TOLERANCE
    multiplicity = stays.sum(axis=1)
    special = multiplicity > 1
    centres = fractional + (shifts * stays[..., None]).sum(axis=1) / np.maximum(
        multiplicity[:, None], 1
    )
    images = _wrapped(_images(np.where(special[:, None], centres, fractional), operations))
    kept = _first_occurrences(images)
    return images[kept], np.nonzero(kept)[0]


def _images(
    fractional: NDArray[np.float64], operations: Operations
) -> NDArray[np.float64]:  # (n_sites, n_operations, 3)
    turned = np.einsum("nij,sj->sni", operations.rotations, fractional)
    return np.asarray(turned + operations.translations)


def _wrapped(fractional: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return coordinates in [0, 1); a rounding error below 0 or 1 counts as 0."""
    inside = fractional - np.floor(fractional + 1e-9)
    return np.maximum(inside, 0.0)


def _first_occurrences(images: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n_sites, n_operations) True where no earlier image of the same site is the same.

    Images of a site on its special position agree to the last digits, so a fine grid tells
    them apart; the odd origin of the grid keeps its lines away from simple fractions.
    """
    n_sites, n_operations, _ = images.shape
    grid = np.floor((images + 0.0137035999) * 2**20).astype(np.int64) % 2**20
    keys = (grid[..., 0] * 2**20 + grid[..., 1]) * 2**20 + grid[..., 2]
    keys = keys.reshape(-1)
    sites = np.repeat(np.arange(n_sites), n_operations)
    order = np.lexsort((keys, sites))
    first = np.ones(len(keys), dtype=bool)
    first[1:] = (np.diff(keys[order]) != 0) | (np.diff(sites[order]) != 0)
    kept = np.zeros(len(keys), dtype=bool)
    kept[order[first]] = True
    return kept.reshape(n_sites, n_operations)


def _lengths(shifts: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
    vectors = shifts @ cell
    return np.asarray(np.sqrt(np.einsum("...i,...i", vectors, vectors)))
