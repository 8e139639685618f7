"""Which symmetry a CIF means: its operations, its groups and the rest of the file side by side.

A file says its symmetry up to five times (operations, Hall, Hermann-Mauguin and Schoenflies
symbols, number), and once more in Z, density and multiplicities. Where two of these exclude
each other, the side that the rest of the file supports is taken with a warning; where nothing
decides, the file is refused with both sides named.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.structures.cif.evidence import Evidence, weigh
from atomlens.structures.cif.operations import (
    IDENTITY,
    Operations,
    SymmetryImages,
    expand,
    fits_cell,
)
from atomlens.structures.cif.space_groups import (
    ADVICE,
    ListedGroup,
    NamedGroup,
    crystal_system,
    listed_groups,
    named_groups,
    other_system,
    refuse_transformed,
    same_setting,
    unsaid_symmetry,
)
from atomlens.structures.cif.tags import Tags
from atomlens.structures.cif.values import column
from atomlens.structures.distances import overlapping_pairs, pairs_within

_WYCKOFF_TAGS = ("_atom_site_wyckoff_symbol", "_atom_site_wyckoff_letter")


_SHORTEST = 0.55
"""Sums of covalent radii; a reading that brings atoms nearer than that cannot be meant."""

_MOST_COMPARED = 3_000
"""Atoms; two readings of a larger cell count as different crystals."""


class Filled(NamedTuple):
    """The atoms that one reading of the symmetry makes."""

    said: str
    choice: str
    images: SymmetryImages
    evidence: Evidence


class AsymmetricUnit(NamedTuple):
    """The atoms as listed, and what their images are held against."""

    tags: Tags
    symbols: list[str]
    """One for each listed atom."""
    fractional: NDArray[np.float64]
    """(n_sites, 3)"""
    rounding: Callable[[], NDArray[np.float64]]
    """Returns the last digit written of each coordinate (n_sites, 3)"""
    multiplicities: NDArray[np.float64] | None
    """(n_sites,) as the file gives them; NaN where it gives none"""
    occupancies: NDArray[np.float64]
    """(n_sites,)"""
    cell: NDArray[np.float64]
    """(3, 3) Å"""


def all_atoms(listed: AsymmetricUnit) -> tuple[SymmetryImages, list[str]]:
    """Return all atoms of the cell, each once, and sentences about contradictions.

    Raises StructureError where the symmetry cannot be known, or contradicts the rest of the
    file and nothing says which side is right.
    """
    tags = listed.tags
    lists, named = listed_groups(tags), list(named_groups(tags))
    groups = [g for g in named if g.numbers]
    unknown = [g.said for g in named if not g.numbers]
    doubts: list[str] = []
    if not lists and not groups:
        if unknown:
            raise StructureError(
                f"{unknown[0]} is not known, and no symmetry operations are listed; {ADVICE}"
            )
        return _without_symmetry(listed)
    readings = _distinct_readings(lists, groups)
    if not readings:
        raise StructureError(
            f"{groups[0].said} is given in axes of its own, and no symmetry operations are listed; "
            f"{ADVICE}"
        )
    if not lists:
        refuse_transformed(tags)
    doubts += _other_axes(lists, groups)
    if unknown and not lists:
        doubts.append(f"{unknown[0]} is not known; {readings[0][0]} was taken")
    if len(readings) == 1:
        filled = _one_reading(readings[0], listed)
        doubts += _judged(filled)
    else:
        filled, doubt = _chosen(readings, listed)
        doubts += doubt
    doubts += _other_system(filled, lists, groups, tags)
    for one in lists:
        if one.said == filled.said and one.part is not None:
            doubts.append(_completed(one, one.part, filled, groups, listed))
    return filled.images, doubts


def _other_axes(lists: list[ListedGroup], groups: list[NamedGroup]) -> list[str]:
    """Say where the operations are those of a named type of group, but in other axes."""
    return [
        f"{lists[0].said} are not those of {group.said}, but of other axes or glides; the "
        "operations were taken"
        for group in groups
        if lists
        and group.name
        and lists[0].number in group.numbers
        and not any(same_setting(one.texts, group.name, group.said) for one in lists)
    ][:1]


def _other_system(
    filled: Filled, lists: list[ListedGroup], groups: list[NamedGroup], tags: Tags
) -> list[str]:
    """Say where the file names another crystal system, and nothing else supports the atoms."""
    numbers = {one.number for one in lists if one.said == filled.said and one.number is not None}
    numbers = numbers.union(*(group.numbers for group in groups if group.said == filled.said))
    system = other_system(tags, numbers)
    if not system or filled.evidence.agrees:
        return []
    verb = "are" if filled.said.startswith("the ") else "is"
    taken = "the latter was taken"
    if system == "triclinic":
        taken = (
            f"the {len(filled.images.sites)} atoms were taken as they stand, so some may be missing"
        )
    return [f"it says {crystal_system(tags)}, but {filled.said} {verb} {system}; {taken}"]


Said = tuple[tuple[str, tuple[str, ...]], ...]
"""Some of `SYMMETRY_TAGS`, and their values"""


@lru_cache(maxsize=2048)
def only_reading(said: Said) -> Operations | None:
    """Return the operations where a file says its symmetry in one way alone; None otherwise.

    Nothing is left to be chosen then, and nothing to be warned of, whatever the atoms are. Only
    operations that add two coordinates at most are returned, as nearly all do.
    """
    tags = {tag: list(values) for tag, values in said}
    try:
        lists, named = listed_groups(tags), list(named_groups(tags))
    except StructureError:
        return None
    if not all(group.numbers for group in named) or _other_axes(lists, named):
        return None
    numbers = {one.number for one in lists if one.number is not None}
    if other_system(tags, numbers.union(*(group.numbers for group in named))):
        return None
    readings = _distinct_readings(lists, named)
    if len(readings) != 1 or len(readings[0][1]) != 1:
        return None
    if any(one.part is not None for one in lists):
        return None
    operations = readings[0][1][0][1]
    rows = (operations.rotations != 0).sum(axis=2)
    return operations if rows.max() < 3 else None  # sums of three depend on their order


def _completed(
    one: ListedGroup,
    part: Operations,
    filled: Filled,
    groups: list[NamedGroup],
    listed: AsymmetricUnit,
) -> str:
    """Return a warning that a list lacks products, or refuse it if they make other atoms."""
    n, n_all = len(part.rotations), len(one.operations.rotations)
    said = (
        f"the {n} symmetry operations that it lists are no group, since their products make {n_all}"
    )
    only_identity = n_all == n + 1 and not np.isclose(part.rotations, np.eye(3)).all((1, 2)).any()
    is_meant = (
        only_identity
        or any(one.number in g.numbers for g in groups)
        or (bool(filled.evidence.agrees) and not filled.evidence.contradicts)
    )
    if is_meant or _same([filled, _filled("", "", part, listed)], listed):
        return f"{said}; all {n_all} were taken"
    raise StructureError(f"{said}; complete the list")


class Interpretation(NamedTuple):
    """One thing that the file says of its symmetry."""

    said: str
    choices: tuple[tuple[str, Operations], ...]
    """The settings that it may mean, by name"""
    is_list: bool
    """Whether it lists its operations; if not, it names a group"""


def _distinct_readings(lists: list[ListedGroup], groups: list[NamedGroup]) -> list[Interpretation]:
    """Return one reading for each space group that the file's claims disagree about.

    A list of operations stands for every name of the same type of group; names that agree
    stand for one another, and the most exact of them gives the settings.
    """
    readings: list[Interpretation] = []
    left = list(groups)
    for listed in lists:
        numbers = listed.number
        left = [g for g in left if numbers is None or numbers not in g.numbers]
        if all(listed.said != reading.said for reading in readings):
            readings.append(Interpretation(listed.said, (("", listed.operations),), True))
    while left:
        first = left[0]
        common = first.numbers
        for group in left[1:]:
            common = common & group.numbers or common
        agreeing = [g for g in left if g.numbers & common]
        exact = next((g for g in agreeing if g.choices), None)
        if exact is not None:
            readings.append(Interpretation(exact.said, exact.choices, False))
        left = [g for g in left if not g.numbers & common]
    return readings


def _one_reading(reading: Interpretation, listed: AsymmetricUnit) -> Filled:
    """Fill the cell where the file does not contradict itself about its group."""
    said = reading.said
    fitting = _fitting(reading.choices, listed.cell)
    if not fitting:
        raise StructureError(
            f"{said} does not fit the cell: its operations change the lengths or angles; correct "
            f"the cell, or {ADVICE}"
        )
    filled = [_filled(said, choice, operations, listed) for choice, operations in fitting]
    filled = _best(filled)
    if len({one.choice[:1] for one in filled} & {"1", "2"}) > 1 and not _same(filled, listed):
        raise StructureError(
            f"{said} has two origins that give different crystals, and no symmetry operations "
            f"are listed; {ADVICE}"
        )
    return filled[0]


def _chosen(readings: Sequence[Interpretation], listed: AsymmetricUnit) -> tuple[Filled, list[str]]:
    """Choose between readings that exclude each other, or refuse the file."""
    possible: list[Filled] = []
    for said, choices, _ in readings:
        filled = [_filled(said, c, o, listed) for c, o in _fitting(choices, listed.cell)]
        possible += [one for one in filled if not _overlaps(one.images, listed)]
    names = " but ".join(reading.said for reading in readings)
    conflict = f"it gives {names}, which exclude each other"
    best = _best(possible)
    supported = [one for one in best if one.evidence.agrees and not one.evidence.contradicts]
    left = {one.said for one in possible}
    if len(left) == len(readings) and _same(possible, listed):
        return possible[0], _judged(possible[0])
    if supported and _same(supported, listed):
        why = " and ".join(supported[0].evidence.agrees)
        return supported[0], [f"{conflict}; {supported[0].said} was taken, since it fits {why}"]
    if len(left) == 1 and _same(best, listed) and not best[0].evidence.contradicts:
        others = [reading.said for reading in readings if reading.said not in left]
        why = f"with {' or '.join(others)} atoms would overlap or the cell would not fit"
        return best[0], [f"{conflict}; {best[0].said} was taken, since {why}"]
    lists = {reading.said for reading in readings if reading.is_list}
    by_list = [one for one in best if one.said in lists]
    if by_list and _only_default_names(readings) and not by_list[0].evidence.contradicts:
        return by_list[0], [
            f"{conflict}; {by_list[0].said} were taken, since P 1 is what programs write when "
            "they do not know"
        ]
    counts = ", ".join(
        f"{one.said}: {len(one.images.sites)} atoms" for one in _one_of_each(possible)
    )
    raise StructureError(
        f"{conflict}{f' ({counts})' if counts else ''}; correct the one that is wrong"
    )


def _without_symmetry(listed: AsymmetricUnit) -> tuple[SymmetryImages, list[str]]:
    """Take the atoms as they stand, unless the file hints that they are not all."""
    filled = _filled("no symmetry", "", IDENTITY, listed)
    n = len(filled.images.sites)
    if filled.evidence.contradicts:
        raise StructureError(
            f"it gives no symmetry and {n} atoms, but {' and '.join(filled.evidence.contradicts)}; "
            f"{ADVICE}"
        )
    letters = {str(x).strip().lower()[-1:] for x in column(listed.tags, *_WYCKOFF_TAGS)}
    if letters - {"a", "?", ".", ""} and not filled.evidence.agrees:
        return filled.images, [
            f"it gives Wyckoff letters but no symmetry; the {n} atoms were taken as they stand, so "
            "some may be missing"
        ]
    unsaid = unsaid_symmetry(listed.tags)
    if unsaid and not filled.evidence.agrees:
        return filled.images, [
            f"it gives {unsaid} but no symmetry of its own; the {n} atoms were taken as they "
            "stand, so some may be missing"
        ]
    system = crystal_system(listed.tags)
    if system not in ("", "triclinic") and not filled.evidence.agrees:
        return filled.images, [
            f"it says {system} but gives no symmetry; the {n} atoms were taken as they "
            "stand, so some may be missing"
        ]
    return filled.images, []


def _judged(filled: Filled) -> list[str]:
    """Return a warning where the rest of the file speaks against the atoms, or refuse them."""
    against, n = filled.evidence.contradicts, len(filled.images.sites)
    if not against:
        return []
    said = f"{filled.said} makes {n} atoms in the cell, but {' and '.join(against)}"
    if len(against) > 1 and not filled.evidence.agrees:
        raise StructureError(f"{said}; correct the side that is wrong")
    return [f"{said}; the atoms were taken"]


def _best(filled: list[Filled]) -> list[Filled]:
    """Return those against which the rest of the file says least."""
    if not filled:
        return []
    least = min(len(one.evidence.contradicts) for one in filled)
    kept = [one for one in filled if len(one.evidence.contradicts) == least]
    most = max(len(one.evidence.agrees) for one in kept)
    return [one for one in kept if len(one.evidence.agrees) == most]


def _one_of_each(filled: list[Filled]) -> list[Filled]:
    return list({one.said: one for one in filled}.values())


def _same(filled: Sequence[Filled], listed: AsymmetricUnit) -> bool:
    """Say whether all make the same atoms."""
    symbols = np.array(listed.symbols)
    first = filled[0].images
    for other in (one.images for one in filled[1:]):
        n = len(first.sites)
        if n != len(other.sites) or n > _MOST_COMPARED:
            return False
        shifts = first.positions[:, None] - other.positions[None]
        near = np.abs(shifts - np.round(shifts)).max(axis=2) < 1e-3
        alike = symbols[first.sites][:, None] == symbols[other.sites][None]
        if not ((near & alike).any(axis=1).all() and (near & alike).any(axis=0).all()):
            return False
    return True


def _only_default_names(readings: Sequence[Interpretation]) -> bool:
    """Say whether every reading but the lists is P 1."""
    named = [reading.choices for reading in readings if not reading.is_list]
    return all(len(o.rotations) == 1 for choices in named for _, o in choices)


def _fitting(
    choices: Sequence[tuple[str, Operations]], cell: NDArray[np.float64]
) -> list[tuple[str, Operations]]:
    return [(choice, o) for choice, o in choices if fits_cell(o, cell)]


def _filled(said: str, choice: str, operations: Operations, listed: AsymmetricUnit) -> Filled:
    images = _expanded(operations, listed)
    given = listed.multiplicities
    n_operations = len(operations.rotations)
    counts: dict[str, float] = {}
    for symbol, weight in zip(
        (listed.symbols[i] for i in images.sites), listed.occupancies[images.sites], strict=True
    ):
        counts[symbol] = counts.get(symbol, 0.0) + float(weight)
    found = np.bincount(images.sites, minlength=len(listed.symbols))
    evidence = weigh(
        listed.tags,
        counts,
        float(abs(np.linalg.det(listed.cell))),
        None if given is None else (given, found, n_operations),
        n_operations if said != "no symmetry" else 0,
    )
    return Filled(said, choice, images, evidence)


def _expanded(operations: Operations, listed: AsymmetricUnit) -> SymmetryImages:
    """Return all atoms, once each even where the file lists equivalent atoms as well."""
    fractional, cell, symbols = listed.fractional, listed.cell, listed.symbols
    given, n = listed.multiplicities, len(operations.rotations)
    if n == 1:
        return expand(fractional, operations, cell)
    images = expand(fractional, operations, cell, listed.rounding())
    if given is not None:
        found = np.bincount(images.sites, minlength=len(fractional))
        if not (found * given == n)[np.isfinite(given)].all():
            images = expand(fractional, operations, cell, listed.rounding(), given)
    if len(images.sites) == len(fractional):
        return images
    pbc = np.ones(3, dtype=bool)
    pairs = overlapping_pairs(images.positions @ cell, cell, pbc)
    if not len(pairs.distances):
        return images
    direct = overlapping_pairs(fractional @ cell, cell, pbc)
    listed_twice = {tuple(sorted(p)) for p in zip(direct.first, direct.second, strict=True)}
    dropped = set()
    for i, j in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        first, second = sorted((int(images.sites[i]), int(images.sites[j])))
        if symbols[first] == symbols[second] and (first, second) not in listed_twice:
            dropped.add(max(i, j))
    kept = np.array([i not in dropped for i in range(len(images.sites))])
    return SymmetryImages(images.positions[kept], images.sites[kept], images.operations[kept])


def _overlaps(images: SymmetryImages, listed: AsymmetricUnit) -> bool:
    """Say whether symmetry brings fully occupied atoms nearer than any bond."""
    everyone = np.arange(len(listed.symbols))
    before = _closest(listed.fractional, everyone, listed)
    return _closest(images.positions, images.sites, listed) < min(_SHORTEST, before)


def _closest(
    fractional: NDArray[np.float64], sites: NDArray[np.int_], listed: AsymmetricUnit
) -> float:
    """Return the shortest distance between full atoms, in sums of covalent radii."""
    full = listed.occupancies[sites] > 0.99
    numbers = [ATOMIC_NUMBERS[listed.symbols[i]] for i in sites[full]]
    radii = COVALENT_RADII[numbers]
    reach = 2 * _SHORTEST * float(radii.max(initial=0))
    pbc = np.ones(3, dtype=bool)
    pairs = pairs_within(fractional[full] @ listed.cell, listed.cell, pbc, reach)
    return float((pairs.distances / (radii[pairs.first] + radii[pairs.second])).min(initial=np.inf))
