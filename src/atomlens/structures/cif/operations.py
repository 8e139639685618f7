"""From the atoms that a CIF lists to all atoms of the cell.

The operations that the file lists are used exactly as they stand. Where it only names the
space group, they come from spglib's table of the 530 settings of International Tables.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.structures.records import quiet

SITE_TOLERANCE = 0.1
"""Å; images of one atom nearer than this are the same atom on a special position."""

ROUNDED_TOLERANCE = 0.5
"""Å; the same for an atom whose coordinates are written with few digits; no bond is shorter."""

MULTIPLICITY_TOLERANCE = 1.0
"""Å; the same for an atom whose multiplicity the file gives."""


class Operations(NamedTuple):
    """Symmetry operations on fractional coordinates: ``x' = rotation @ x + translation``."""

    rotations: NDArray[np.float64]
    """(n_operations, 3, 3)"""
    translations: NDArray[np.float64]
    """(n_operations, 3)"""


MOST_OPERATIONS = 5_000
"""Space groups have at most 192; more come from supercells written with all translations."""

MOST_ATOMS = 500_000
"""Atoms of a cell before those on special positions are merged."""

_STANDARD = ("", "b", "b1", "1", "2", "H", "R")
"""Settings meant where a file gives a bare number: both origins and both sets of R axes."""

_DIGITS = np.array([24**3 * 9**k for k in range(9)] + [1, 24, 24**2])
"""What the digits of an operation count: its rotation in base 9, its translation in base 24."""

IDENTITY = Operations(np.eye(3)[None], np.zeros((1, 3)))


_NUMBER = r"\d+\.?\d*|\.\d+"
_TERM = re.compile(rf"([-+]?)(?:(\d*)\*?([xyz])|({_NUMBER})(?:/({_NUMBER}))?)")
_ANY = rf"(?:(?:\d+\*?)?[xyz]|(?:{_NUMBER})(?:/(?:{_NUMBER}))?)"
_SUM = re.compile(rf"[-+]?{_ANY}(?:[-+]{_ANY})*")
"""A row of an operation, such as ``x-y+1/3``, or ``2x-z`` in an unusual cell; each term but the
first has a sign."""


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
    """Return rotation and translation; a time reversal and coordinates beyond three are dropped.

    ``x,y+1/2,z,-1`` is an operation of a magnetic crystal, ``x1,-x2,x3+1/2,-x4,+1`` one of a
    modulated crystal, whose first three coordinates are those of its average.
    """
    compact = re.sub(r"[\s'\"]", "", text).lower()
    if re.search(r"x\d", compact):
        compact = re.sub(r"x([1-3])", lambda match: "xyz"[int(match[1]) - 1], compact)
        compact = ",".join(compact.split(",")[:3])
    compact = re.sub(r",([-+]?1|m|-m)$", "", compact) if compact.count(",") == 3 else compact
    parts = compact.split(",")
    rotation, translation = np.zeros((3, 3)), np.zeros(3)
    by_zero = re.search(r"/[0.]+(?![\d.])", compact)
    if len(parts) == 3 and all(map(_SUM.fullmatch, parts)) and not by_zero:
        for row, part in enumerate(parts):
            for sign, times, axis, over, under in _TERM.findall(part):
                factor = -1.0 if sign == "-" else 1.0
                if axis:
                    rotation[row, "xyz".index(axis)] += factor * int(times or 1)
                else:
                    translation[row] += factor * float(over) / float(under or 1)
    if abs(round(float(np.linalg.det(rotation)))) != 1:
        raise StructureError(
            f"the symmetry operation {text!r} cannot be understood; write it like '-x, y+1/2, -z'"
        )
    return rotation, translation


def composed(first: Operations, second: Operations) -> Operations:
    """Return every product of the two lists, as of magnetic operations and their centrings."""
    rotations = np.einsum("aij,bjk->abik", first.rotations, second.rotations)
    translations = (
        np.einsum("aij,bj->abi", first.rotations, second.translations) + first.translations[:, None]
    )
    return distinct(Operations(rotations.reshape(-1, 3, 3), translations.reshape(-1, 3)))


def distinct(operations: Operations) -> Operations:
    """Return the operations without repetitions; lattice translations do not count."""
    kept = np.sort(_first_of_each(operations)[1])
    return Operations(operations.rotations[kept], operations.translations[kept])


def _first_of_each(operations: Operations) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return which distinct operation each is (n,), and the first of each distinct one.

    Translations that differ by less than 0.01, as thirds with two digits do, are the same.
    """
    n = len(operations.rotations)
    steps = operations.translations * 24
    snapped = np.round(steps)
    if np.abs(steps - snapped).max(initial=0) < 0.24:  # all but supercells
        turns = np.round(operations.rotations).reshape(n, 9).astype(np.int64)
        rows = np.concatenate([turns, (snapped % 24).astype(np.int64)], axis=1)
        if np.abs(turns).max(initial=0) <= 4:  # all but odd cells: a number for each row
            keys = rows @ _DIGITS
        else:
            keys = rows.view([("", rows.dtype)] * 12).ravel()
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        return np.asarray(which), np.asarray(first)
    return _first_of_near(operations)


def _first_of_near(operations: Operations) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    n = len(operations.rotations)
    turned = np.round(operations.rotations).reshape(n, 9) * 10.0
    inside = operations.translations % 1.0
    angles = 2 * np.pi * inside  # a point on a circle is near to itself after a whole turn
    points = np.concatenate([turned, np.cos(angles), np.sin(angles)], axis=1)
    pairs = cKDTree(points).query_pairs(2 * np.pi * 0.01, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, groups = connected_components(links, directed=False)
    _, first, which = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(which), np.asarray(first)


def is_group(operations: Operations) -> bool:
    """Say whether every product of two operations is one of them.

    Lists of more than 192, which are supercells with all their translations, are tried with
    some of their operations only.
    """
    own = distinct(operations)
    n = len(own.rotations)
    factors = own if n <= 192 else Operations(own.rotations[:: n // 8], own.translations[:: n // 8])
    both = composed(own, factors)
    together = Operations(
        np.concatenate([own.rotations, both.rotations]),
        np.concatenate([own.translations, both.translations]),
    )
    return len(distinct(together).rotations) == n


def closure(operations: Operations) -> Operations | None:
    """Return the group that operations generate; None if it is larger than any space group."""
    found = distinct(
        Operations(
            np.concatenate([IDENTITY.rotations, operations.rotations]),
            np.concatenate([IDENTITY.translations, operations.translations]),
        )
    )
    generators = found
    while len(found.rotations) <= 192:
        grown = composed(found, generators)
        if len(grown.rotations) == len(found.rotations):
            return found
        found = grown
    return None


def group_number(operations: Operations) -> int | None:
    """Return the number of the space group that operations are; None if they are no group."""
    import spglib

    rotations = np.round(operations.rotations).astype(np.intc)
    if len(rotations) == 1 and (rotations[0] == np.eye(3)).all():
        return 1
    with quiet():
        found = spglib.get_spacegroup_type_from_symmetry(
            rotations, operations.translations, symprec=0.01
        )
    return None if found is None else int(found.number)


class NamedSetting(NamedTuple):
    """One setting of a space group, as spglib tabulates it."""

    hall_number: int
    number: int
    choice: str
    hall_symbol: str
    names: frozenset[str]
    centring: tuple[tuple[float, float, float], ...] = ()
    """Translations beside those of the tabulated operations."""


_CHOICE = re.compile(r"(?::\s*|\s)(O?[12]|HR|RS|HS|H|R|S|Z)\s*$", re.IGNORECASE)
_CHOICES = {"S": "1", "Z": "2", "HR": "H", "HS": "H", "RS": "R"}
"""Choices of origin and axes as databases write them; others are the last letter."""
_CENTRINGS = {
    "a": ((0.0, 0.5, 0.5),),
    "b": ((0.5, 0.0, 0.5),),
    "c": ((0.5, 0.5, 0.0),),
    "i": ((0.5, 0.5, 0.5),),
    "f": ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)),
}


def named_settings(name: str, number: int | None) -> list[NamedSetting]:
    """Return the settings that a space group's name, or else its number, may mean.

    A name that begins with ``hall:`` is a Hall symbol, others are Hermann-Mauguin symbols.
    """
    if name.startswith("hall:"):
        return _settings_of_hall(name.removeprefix("hall:"))
    for variant in _variants(name):
        found = _settings_called(variant)
        if found:
            return found
    return [s for s in _settings_table() if s.number == number and s.choice in _STANDARD]


def _settings_of_hall(symbol: str) -> list[NamedSetting]:
    """Return the settings of a Hall symbol; those with its blanks, if there are any.

    ``P 3 2`` has a twofold axis beside the threefold one, ``P 32`` a screw axis.
    """
    spaced = _spaced_hall(symbol)
    found = [s for s in _settings_table() if s.hall_symbol == spaced]
    bare = re.sub(r"\s", "", spaced)
    return found or [s for s in _settings_table() if s.hall_symbol.replace(" ", "") == bare]


def _settings_called(name: str) -> list[NamedSetting]:
    """Return the settings of a Hermann-Mauguin symbol, with or without a choice behind it."""
    match = _CHOICE.search(name)
    choice = _CHOICES.get(match[1].upper(), match[1][-1:]) if match else ""
    whole, bare = _compact(name), _compact(name[: match.start()] if match else name)
    table = _settings_table()
    found = [s for s in table if whole in s.names]
    if not found and match:
        found = [s for s in table if bare in s.names and s.choice.startswith(choice)]
    if not found:
        found = _by_old_name(whole) or [s for s in _by_old_name(bare) if s.choice == choice]
    return found or _centred(bare)


def _variants(name: str) -> Iterator[str]:
    """Yield a symbol as it stands, then as other programs mean it."""
    name = re.sub(r"[\u2010-\u2015\u2212]", "-", name.strip())
    yield name
    name = re.sub(r"\s*[\[(]?\s*(?:no\.?|nr\.?|#)\s*\d+\s*[\])]?\s*$", "", name, flags=re.I)
    name = re.sub(r"(?<=\S)\s*\(\d{2,3}\)\s*$", "", name)
    yield name
    if re.fullmatch(r"\S{3,}[SZHRszhr]", name):  # Fd-3mS, R-3cH
        yield f"{name[:-1]}:{name[-1].upper()}"
    if name[:1] in "Hh":  # the Protein Data Bank calls R in hexagonal axes H
        yield f"R{name[1:]}:H"


def _by_old_name(compact: str) -> list[NamedSetting]:
    """Return the settings of a symbol of before 1992 (Cmca), or without the bar (Fm3m).

    Only if all of them belong to one group.
    """
    found = _old_names().get(compact, ()) or _names_without_bars().get(compact.replace("-", ""), ())
    return list(found) if len({s.number for s in found}) == 1 else []


@lru_cache(maxsize=1)
def _old_names() -> Mapping[str, tuple[NamedSetting, ...]]:
    """Settings by names in which the glide plane e is called a, b or c, as until 1992."""
    names: dict[str, dict[NamedSetting, None]] = {}
    for setting in _settings_table():
        for name in setting.names:
            for letter in "abc" if "e" in name else "":
                names.setdefault(name.replace("e", letter), {})[setting] = None
    return {name: tuple(found) for name, found in names.items()}


@lru_cache(maxsize=1)
def _names_without_bars() -> Mapping[str, tuple[NamedSetting, ...]]:
    """Settings of the cubic groups by names without the bar over the 3, as until 1983."""
    names: dict[str, dict[NamedSetting, None]] = {}
    for setting in _settings_table():
        for name in setting.names if setting.number >= 195 else ():
            names.setdefault(name.replace("-", ""), {})[setting] = None
    return {name: tuple(found) for name, found in names.items()}


def _centred(compact: str) -> list[NamedSetting]:
    """Return the settings of a primitive symbol with the centring that the name begins with.

    ``C 1 21 1`` is P 1 21 1 in a cell twice as large.
    """
    vectors = _CENTRINGS.get(compact[:1])
    if not vectors:
        return []
    primitive = [s for s in _settings_table() if f"p{compact[1:]}" in s.names]
    return [s._replace(centring=vectors, hall_symbol="") for s in primitive]


def setting_operations(setting: NamedSetting) -> Operations:
    """Return the operations of a tabulated setting."""
    import spglib

    with quiet():
        table = spglib.get_symmetry_from_database(setting.hall_number)
    rotations, translations = table["rotations"].astype(float), table["translations"].astype(float)
    shifts = np.array([(0.0, 0.0, 0.0), *setting.centring])
    moved = (translations[None] + shifts[:, None]).reshape(-1, 3) % 1.0
    return Operations(np.tile(rotations, (len(shifts), 1, 1)), moved)


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
                _spaced_hall(group.hall_symbol),
                frozenset(_compact(name) for name in names),
            )
        )
    return tuple(settings)


def _compact(name: str) -> str:
    return re.sub(r"[\s_()'\"]", "", name).lower()


def _spaced_hall(symbol: str) -> str:
    return " ".join(symbol.replace("_", " ").lower().split())


def fits_cell(operations: Operations, cell: NDArray[np.float64]) -> bool:
    """Say whether the operations leave the lengths and angles of the cell alone."""
    if len(operations.rotations) == 1 and np.array_equal(operations.rotations, IDENTITY.rotations):
        return True
    metric = cell @ cell.T
    moved = np.einsum("nji,jk,nkl->nil", operations.rotations, metric, operations.rotations)
    return bool(np.abs(moved - metric).max() < 0.02 * np.abs(metric).max())


class SymmetryImages(NamedTuple):
    """All atoms that symmetry makes of the listed ones."""

    positions: NDArray[np.float64]
    """(n_atoms, 3) fractional, in [0, 1)"""
    sites: NDArray[np.int_]
    """(n_atoms,) the listed atom that each comes from"""
    operations: NDArray[np.int_]
    """(n_atoms,) the operation that makes it"""


def expand(
    fractional: NDArray[np.float64],
    operations: Operations,
    cell: NDArray[np.float64],
    rounding: NDArray[np.float64] | None = None,
    multiplicities: NDArray[np.float64] | None = None,
) -> SymmetryImages:
    """Return the images of all sites, each once.

    A site within `SITE_TOLERANCE` of a special position is moved onto it, by averaging over
    the operations that leave it in place, so that rounded coordinates do no harm.

    Args:
        fractional: (n_sites, 3) coordinates as listed.
        operations: Those of the space group, all of them.
        cell: (3, 3) lattice vectors, Å.
        rounding: (n_sites, 3) the last digit written of each coordinate: the tolerance grows
            with what it may do to an image, up to `ROUNDED_TOLERANCE`.
        multiplicities: (n_sites,) how many images each site must have; NaN where unknown.
    """
    n_operations = len(operations.rotations)
    if n_operations == 1:
        whole = np.zeros(len(fractional), dtype=int)
        moved = fractional + operations.translations[0]
        return SymmetryImages(_wrapped(moved), np.arange(len(fractional)), whole)
    if n_operations * len(fractional) > MOST_ATOMS:
        raise StructureError(
            f"{n_operations} symmetry operations on {len(fractional)} atoms make more than "
            f"{MOST_ATOMS:,} atoms; check the list of operations"
        )
    images = _images(fractional, operations)
    shifts = images - fractional[:, None]
    shifts -= np.round(shifts)
    lengths = _lengths(shifts, cell)
    stays = lengths < _tolerances(operations, cell, rounding)
    if multiplicities is not None:
        stays = _stays_by_multiplicity(stays, lengths, multiplicities)
    multiplicity = stays.sum(axis=1)
    special = multiplicity > 1
    centres = fractional + (shifts * stays[..., None]).sum(axis=1) / np.maximum(
        multiplicity[:, None], 1
    )
    images = _wrapped(_images(np.where(special[:, None], centres, fractional), operations))
    kept = _first_occurrences(images)
    return SymmetryImages(images[kept], *np.nonzero(kept))


def _tolerances(
    operations: Operations, cell: NDArray[np.float64], rounding: NDArray[np.float64] | None
) -> NDArray[np.float64] | float:  # (n_sites, n_operations)
    if rounding is None:
        return SITE_TOLERANCE
    change = np.abs(operations.rotations - np.eye(3))
    spread = np.einsum("nij,sj->sni", change, rounding) @ np.linalg.norm(cell, axis=1)
    return np.asarray(np.clip(spread, SITE_TOLERANCE, ROUNDED_TOLERANCE))


def _stays_by_multiplicity(
    stays: NDArray[np.bool_], lengths: NDArray[np.float64], multiplicities: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Let more images coincide where the file says that the site has fewer."""
    n_operations = stays.shape[1]
    wanted = np.where(multiplicities > 0, n_operations / multiplicities, 1.0)
    changed = stays.copy()
    for site in np.flatnonzero(wanted > stays.sum(axis=1)):
        order = round(wanted[site])
        if abs(order - wanted[site]) > 1e-6:
            continue
        reach = np.sort(lengths[site])[order - 1] + 1e-6
        nearer = lengths[site] <= reach
        if reach < MULTIPLICITY_TOLERANCE and nearer.sum() == order:
            changed[site] = nearer
    return changed


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
