"""Which symmetry a CIF means: its operations, its groups and the rest of the file side by side.

A file says its symmetry up to five times (operations, Hall, Hermann-Mauguin and Schoenflies
symbols, number), and once more in Z, density and multiplicities. Where two of these exclude
each other, the side that the rest of the file supports is taken with a warning; where nothing
decides, the file is refused with both sides named.
"""

import re
from collections.abc import Callable, Iterator, Sequence
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
    Images,
    Operations,
    closure,
    composed,
    distinct,
    expand,
    fits_cell,
    group_number,
    is_group,
    named_settings,
    parse_operations,
    setting_operations,
)
from atomlens.structures.cif.sites import column, number
from atomlens.structures.cif.tags import Tags
from atomlens.structures.distances import overlapping_pairs, pairs_within
from atomlens.structures.records import quiet, short

_LISTS = (
    ("_space_group_symop_operation_xyz", ""),
    ("_symmetry_equiv_pos_as_xyz", ""),
    ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_centering_xyz"),
    (
        "_space_group_symop_magn_ssg_operation_algebraic",
        "_space_group_symop_magn_ssg_centering_algebraic",
    ),
    ("_space_group_symop_ssg_operation_algebraic", ""),
)
"""Tags of lists of operations, each with the tag of centrings that multiply them."""

_HALL_NAMES = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_GROUP_NAMES = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_symmetry_space_group_name_h-m_full",
    "_space_group_name_h-m",
    "_symmetry_space_group_name_h-m_alt",
)
_NUMBERS = (
    "_space_group_it_number",
    "_symmetry_int_tables_number",
    "_symmetry_space_group_it_number",
)
_SCHOENFLIES = ("_space_group_name_schoenflies", "_symmetry_space_group_name_schoenflies")
_MAGNETIC_NUMBERS = ("_space_group_magn_number_bns", "_space_group_magn_number_og")
_MAGNETIC_NAMES = ("_space_group_magn_name_bns", "_space_group_magn_name_og")
_MAGNETIC_TRANSFORMS = (
    "_space_group_magn_transform_bns_pp_abc",
    "_space_group_magn_transform_og_pp_abc",
)
_WYCKOFF_TAGS = ("_atom_site_wyckoff_symbol", "_atom_site_wyckoff_letter")
_COUNTED = ("_symmetry_equiv_pos_site_id", "_space_group_symop_id")
"""Numbers of symmetry operations, which stand beside the operations themselves."""
_PARENTS = (
    "_parent_space_group_it_number",
    "_parent_space_group_name_h-m",
    "_parent_space_group_name_h-m_alt",
)
_SYSTEMS = ("_space_group_crystal_system", "_symmetry_cell_setting", "_symmetry_crystal_system")

_ABOUT_GROUPS = ("_space_group_", "_symmetry_")
_READ_OF_GROUPS = frozenset((*_SYSTEMS, *_COUNTED, *_GROUP_NAMES, *_NUMBERS, *_HALL_NAMES))
"""Tags about the space group which are asked about by themselves."""
_TRIVIAL = frozenset(("1", "p1", "-1", "p-1", "ap", "c1", "1p1", "a", "anorthic", "triclinic"))
"""What such tags say of a crystal without symmetry, or of one that may have none."""

SYMMETRY_TAGS = (_LISTS[0][0], _LISTS[1][0], *_HALL_NAMES, *_GROUP_NAMES, *_NUMBERS, *_SCHOENFLIES)
"""What crystals say of their symmetry that are neither magnetic nor modulated."""

_SHORTEST = 0.55
"""Sums of covalent radii; a reading that brings atoms nearer than that cannot be meant."""

_MOST_COMPARED = 3_000
"""Atoms; two readings of a larger cell count as different crystals."""

_ADVICE = "write the file again with its symmetry operations (_space_group_symop_operation_xyz)"


class Group(NamedTuple):
    """One way in which a file names its space group."""

    said: str
    numbers: frozenset[int]
    """Space-group types that it may mean."""
    choices: tuple[tuple[str, Operations], ...]
    """Settings that it may mean: choice of origin or axes, and operations."""
    name: str = ""
    """The symbol, where it tells axes as well; empty for a number or type."""


class Filled(NamedTuple):
    """The atoms that one reading of the symmetry makes."""

    said: str
    choice: str
    images: Images
    evidence: Evidence


class Cell(NamedTuple):
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


def all_atoms(listed: Cell) -> tuple[Images, list[str]]:
    """Return all atoms of the cell, each once, and sentences about contradictions.

    Raises StructureError where the symmetry cannot be known, or contradicts the rest of the
    file and nothing says which side is right.
    """
    tags = listed.tags
    lists, named = _lists(tags), list(_named(tags))
    groups = [g for g in named if g.numbers]
    unknown = [g.said for g in named if not g.numbers]
    doubts: list[str] = []
    if not lists and not groups:
        if unknown:
            raise StructureError(
                f"{unknown[0]} is not known, and no symmetry operations are listed; {_ADVICE}"
            )
        return _without_symmetry(listed)
    readings = _distinct_readings(lists, groups)
    if not readings:
        raise StructureError(
            f"{groups[0].said} is given in axes of its own, and no symmetry operations are listed; "
            f"{_ADVICE}"
        )
    if not lists:
        _refuse_transformed(tags)
    doubts += _other_axes(lists, groups)
    if unknown and not lists:
        doubts.append(f"{unknown[0]} is not known; {readings[0][0]} was taken")
    if len(readings) == 1:
        filled = _one_reading(readings[0], listed)
        doubts += _judged(filled)
    else:
        filled, doubt = _chosen(readings, listed)
        doubts += doubt
    for one in lists:
        if one.said == filled.said and one.part is not None:
            doubts.append(_completed(one, one.part, filled, groups, listed))
    return filled.images, doubts


def _other_axes(lists: "list[_List]", groups: list[Group]) -> list[str]:
    """Say where the operations are those of a named type of group, but in other axes."""
    return [
        f"{lists[0].said} are not those of {group.said}, but of other axes or glides; the "
        "operations were taken"
        for group in groups
        if lists
        and group.name
        and lists[0].number in group.numbers
        and not any(_same_setting(one.texts, group.name, group.said) for one in lists)
    ][:1]


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
        lists, named = _lists(tags), list(_named(tags))
    except StructureError:
        return None
    if not all(group.numbers for group in named) or _other_axes(lists, named):
        return None
    readings = _distinct_readings(lists, named)
    if len(readings) != 1 or len(readings[0][1]) != 1:
        return None
    if any(one.part is not None for one in lists):
        return None
    operations = readings[0][1][0][1]
    rows = (operations.rotations != 0).sum(axis=2)
    return operations if rows.max() < 3 else None  # sums of three depend on their order


_TRANSFORMS = ("_space_group_transform_pp_abc", "_space_group_transform_qq_xyz")
_NO_TRANSFORM = ("a,b,c", "x,y,z", "a,b,c;0,0,0", "x,y,z;0,0,0")


def _refuse_transformed(tags: Tags) -> None:
    """Raise a StructureError for a group whose tabulated axes are not those of the file."""
    for tag in _TRANSFORMS:
        for value in _texts(tags, tag)[:1]:
            if re.sub(r"\s", "", value.lower()) not in _NO_TRANSFORM:
                raise StructureError(
                    f"its space group is given for other axes or another origin ({tag} is "
                    f"{short(value)}), and no symmetry operations are listed; {_ADVICE}"
                )


def _completed(
    one: "_List", part: Operations, filled: Filled, groups: list[Group], listed: Cell
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


Reading = tuple[str, tuple[tuple[str, Operations], ...]]
"""What the file says, and the settings that it may mean."""


def _distinct_readings(lists: "list[_List]", groups: list[Group]) -> list[Reading]:
    """Return one reading for each space group that the file's claims disagree about.

    A list of operations stands for every name of the same type of group; names that agree
    stand for one another, and the most exact of them gives the settings.
    """
    readings: list[Reading] = []
    left = list(groups)
    for listed in lists:
        numbers = listed.number
        left = [g for g in left if numbers is None or numbers not in g.numbers]
        if all(listed.said != said for said, _ in readings):
            readings.append((listed.said, (("", listed.operations),)))
    while left:
        first = left[0]
        common = first.numbers
        for group in left[1:]:
            common = common & group.numbers or common
        agreeing = [g for g in left if g.numbers & common]
        exact = next((g for g in agreeing if g.choices), None)
        if exact is not None:
            readings.append((exact.said, exact.choices))
        left = [g for g in left if not g.numbers & common]
    return readings


def _one_reading(reading: Reading, listed: Cell) -> Filled:
    """Fill the cell where the file does not contradict itself about its group."""
    said, choices = reading
    fitting = _fitting(choices, listed.cell)
    if not fitting:
        raise StructureError(
            f"{said} does not fit the cell: its operations change the lengths or angles; correct "
            f"the cell, or {_ADVICE}"
        )
    filled = [_filled(said, choice, operations, listed) for choice, operations in fitting]
    filled = _best(filled)
    if len({one.choice[:1] for one in filled} & {"1", "2"}) > 1 and not _same(filled, listed):
        raise StructureError(
            f"{said} has two origins that give different crystals, and no symmetry operations "
            f"are listed; {_ADVICE}"
        )
    return filled[0]


def _chosen(readings: Sequence[Reading], listed: Cell) -> tuple[Filled, list[str]]:
    """Choose between readings that exclude each other, or refuse the file."""
    possible: list[Filled] = []
    for said, choices in readings:
        filled = [_filled(said, c, o, listed) for c, o in _fitting(choices, listed.cell)]
        possible += [one for one in filled if not _overlaps(one.images, listed)]
    names = " but ".join(f"{said}" for said, _ in readings)
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
        others = [said for said, _ in readings if said not in left]
        why = f"with {' or '.join(others)} atoms would overlap or the cell would not fit"
        return best[0], [f"{conflict}; {best[0].said} was taken, since {why}"]
    by_list = [one for one in best if one.said.startswith("the operations")]
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


def _without_symmetry(listed: Cell) -> tuple[Images, list[str]]:
    """Take the atoms as they stand, unless the file hints that they are not all."""
    filled = _filled("no symmetry", "", IDENTITY, listed)
    n = len(filled.images.sites)
    if filled.evidence.contradicts:
        raise StructureError(
            f"it gives no symmetry and {n} atoms, but {' and '.join(filled.evidence.contradicts)}; "
            f"{_ADVICE}"
        )
    letters = {str(x).strip().lower()[-1:] for x in column(listed.tags, *_WYCKOFF_TAGS)}
    if letters - {"a", "?", ".", ""} and not filled.evidence.agrees:
        return filled.images, [
            f"it gives Wyckoff letters but no symmetry; the {n} atoms were taken as they stand, so "
            "some may be missing"
        ]
    unsaid = _unsaid_symmetry(listed.tags)
    if unsaid and not filled.evidence.agrees:
        return filled.images, [
            f"it gives {unsaid} but no symmetry of its own; the {n} atoms were taken as they "
            "stand, so some may be missing"
        ]
    hints = [str(x) for x in column(listed.tags, *_SYSTEMS)[:1] if _is_given(x)]
    if hints and hints[0].lower() != "triclinic" and not filled.evidence.agrees:
        return filled.images, [
            f"it says {hints[0].lower()} but gives no symmetry; the {n} atoms were taken as they "
            "stand, so some may be missing"
        ]
    return filled.images, []


def _unsaid_symmetry(tags: Tags) -> str:
    """Return what shows that there is symmetry which the file does not spell out, if any."""
    for tag in _COUNTED:
        n = sum(map(_is_given, column(tags, tag)))
        if n > 1:
            return f"numbers of {n} symmetry operations ({tag})"
    for tag in _PARENTS:
        for value in _texts(tags, tag)[:1]:
            if value.strip() not in ("1", "P 1", "P1"):
                return f"the space group {value} of its parent"
    for tag in tags:
        is_asked = tag in _READ_OF_GROUPS or tag.endswith(("_id", "_details"))
        if tag.startswith(_ABOUT_GROUPS) and not is_asked:
            for value in _texts(tags, tag)[:1]:
                if _compact(value) not in _TRIVIAL:
                    return f"{tag} ({short(value)})"
    return ""


def _compact(name: str) -> str:
    return re.sub(r"[\s_:'\"]", "", name).lower()


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


def _same(filled: Sequence[Filled], listed: Cell) -> bool:
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


def _only_default_names(readings: Sequence[Reading]) -> bool:
    """Say whether every reading but the lists is P 1."""
    named = [choices for said, choices in readings if not said.startswith("the operations")]
    return all(len(o.rotations) == 1 for choices in named for _, o in choices)


def _fitting(
    choices: Sequence[tuple[str, Operations]], cell: NDArray[np.float64]
) -> list[tuple[str, Operations]]:
    return [(choice, o) for choice, o in choices if fits_cell(o, cell)]


def _filled(said: str, choice: str, operations: Operations, listed: Cell) -> Filled:
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


def _expanded(operations: Operations, listed: Cell) -> Images:
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
    return Images(images.positions[kept], images.sites[kept], images.operations[kept])


def _overlaps(images: Images, listed: Cell) -> bool:
    """Say whether symmetry brings fully occupied atoms nearer than any bond."""
    everyone = np.arange(len(listed.symbols))
    before = _closest(listed.fractional, everyone, listed)
    return _closest(images.positions, images.sites, listed) < min(_SHORTEST, before)


def _closest(fractional: NDArray[np.float64], sites: NDArray[np.int_], listed: Cell) -> float:
    """Return the shortest distance between full atoms, in sums of covalent radii."""
    full = listed.occupancies[sites] > 0.99
    numbers = [ATOMIC_NUMBERS[listed.symbols[i]] for i in sites[full]]
    radii = COVALENT_RADII[numbers]
    reach = 2 * _SHORTEST * float(radii.max(initial=0))
    pbc = np.ones(3, dtype=bool)
    pairs = pairs_within(fractional[full] @ listed.cell, listed.cell, pbc, reach)
    return float((pairs.distances / (radii[pairs.first] + radii[pairs.second])).min(initial=np.inf))


class _List(NamedTuple):
    said: str
    operations: Operations
    number: int | None
    texts: tuple[tuple[str, ...], tuple[str, ...]]
    part: Operations | None
    """What is listed, where that is no group; ``operations`` are then all products."""


def _lists(tags: Tags) -> list[_List]:
    """Return the lists of operations that the file gives, one for each group."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], _List] = {}
    for tag, centring in _LISTS:
        texts, centres = _texts(tags, tag), _texts(tags, centring)
        if texts and (texts, centres) not in found:
            found[texts, centres] = _listed(texts, centres)
    if not found:
        _refuse_unread_lists(tags)
    lists = list(found.values())
    return [a for i, a in enumerate(lists) if not any(_same_list(a, b) for b in lists[:i])]


def _same_list(first: _List, second: _List) -> bool:
    return len(first.operations.rotations) == len(second.operations.rotations) and (
        first.number == second.number
    )


@lru_cache(maxsize=512)
def _listed(texts: tuple[str, ...], centres: tuple[str, ...]) -> _List:
    operations = parse_operations(texts)
    if centres:
        operations = composed(parse_operations(centres), operations)
    operations = distinct(operations)
    kind = group_number(operations) if is_group(operations) else None
    if kind is None:
        whole = closure(operations)
        kind = None if whole is None else group_number(whole)
        if whole is None or kind is None:
            raise StructureError(
                f"the {len(operations.rotations)} symmetry operations that it lists are no group "
                "(the product of two is not in the list); correct the list"
            )
        said = f"the operations ({len(whole.rotations)} by their products, type {kind})"
        return _List(said, whole, kind, (texts, centres), operations)
    said = f"the operations ({len(operations.rotations)}, a group of type {kind})"
    return _List(said, operations, kind, (texts, centres), None)


def _same_but_for_origin(first: Operations, second: Operations) -> bool:
    """Say whether a shift of the origin, by 24ths of the cell, makes two lists the same.

    None at all is tried first: most files have a setting as it is tabulated.
    """
    one, two = _by_rotation(first), _by_rotation(second)
    if set(one) != set(two) or len(first.rotations) != len(second.rotations):
        return False
    shifts = _all_shifts()
    return _some_shift_fits(one, two, shifts[:1]) or _some_shift_fits(one, two, shifts)


_ByRotation = dict[tuple[int, ...], list[NDArray[np.float64]]]
"""The translations of operations, by their rotation."""


def _some_shift_fits(one: _ByRotation, two: _ByRotation, shifts: NDArray[np.float64]) -> bool:
    """Say whether one of some shifts (n, 3) of the origin makes all operations the same."""
    centrings = one[tuple(np.eye(3, dtype=int).ravel().tolist())]
    for rotation, translations in one.items():
        change = np.eye(3) - np.array(rotation).reshape(3, 3)
        moved = shifts if change.any() else shifts[:1]  # no shift changes a pure translation
        left = two[rotation][0] + moved @ change.T - translations[0]
        gaps = left[:, None] - centrings
        fits = (np.abs(gaps - np.round(gaps)).max(axis=2) < 0.01).any(axis=1)
        if not fits.any():
            return False
        shifts = shifts[fits] if change.any() else shifts
    return True


@lru_cache(maxsize=1)
def _all_shifts() -> NDArray[np.float64]:  # (13824, 3)
    return np.stack(np.meshgrid(*[np.arange(24) / 24] * 3), axis=-1).reshape(-1, 3)


def _by_rotation(operations: Operations) -> _ByRotation:
    found: _ByRotation = {}
    for rotation, translation in zip(*operations, strict=True):
        key = tuple(np.round(rotation).astype(int).ravel().tolist())
        found.setdefault(key, []).append(translation)
    return found


def _texts(tags: Tags, tag: str) -> tuple[str, ...]:
    if tag not in tags:
        return ()
    return tuple(str(x) for x in column(tags, tag) if _is_given(x))


def _refuse_unread_lists(tags: Tags) -> None:
    """Refuse operations under a tag that is not known, rather than read the file as P 1."""
    for tag, value in tags.items():
        if re.search(r"symop|equiv_pos", tag) and isinstance(value, (str, list)):
            shown = value[0] if isinstance(value, list) else value
            if tag.startswith("_") and re.search(r"[-+]?[xX]1?\s*,", str(shown)):
                raise StructureError(
                    f"its symmetry operations stand under {tag}, which is not known; write them as "
                    "_space_group_symop_operation_xyz"
                )


def _is_given(value: object) -> bool:
    return bool(str(value).strip(" ?.'\""))


def _named(tags: Tags) -> Iterator[Group]:
    """Yield what the file names, the most exact first; what is not known has no numbers."""
    for name in _texts(tags, _first(tags, _HALL_NAMES)):
        yield _named_group(f"hall:{name}", f"space group {name}")
    for tag in _GROUP_NAMES:
        for name in _texts(tags, tag)[:1]:
            yield _named_group(name, f"space group {name}")
    ssg = _texts(tags, "_space_group_ssg_name")[:1]
    for name in ssg:
        bare = re.sub(r"^.*:", "", name).partition("(")[0]
        yield _named_group(bare, f"superspace group {name}")
    for name in _texts(tags, _first(tags, _SCHOENFLIES))[:1]:
        numbers = _schoenflies().get(re.sub(r"[\s_^{}]", "", name).lower())
        choices = () if numbers is None else _choices(numbers)
        yield Group(f"space group {name}", frozenset(() if numbers is None else [numbers]), choices)
    yield from _magnetic(tags)
    for tag in _NUMBERS:
        value = number(*column(tags, tag)[:1])
        if value is None:  # a symbol, which stands in the wrong place, or what nobody knows
            for name in _texts(tags, tag)[:1]:
                yield _named_group(name, f"space group number {name}")
        if value:  # 0 stands for unknown
            known = 1 <= value <= 230 and value == int(value)
            yield Group(
                f"space group number {value:g}",
                frozenset([int(value)] if known else []),
                _choices(int(value)) if known else (),
            )


def said_of_symmetry(tags: Tags) -> Tags:
    """Return what a data block says of its symmetry by name, number or operations."""
    return {
        tag: value
        for tag, value in tags.items()
        if tag.startswith((*_ABOUT_GROUPS, *(name for name, _ in _LISTS)))
        and any(map(_is_given, column(tags, tag)))
    }


def _first(tags: Tags, names: Sequence[str]) -> str:
    return next((tag for tag in names if column(tags, tag)), "")


@lru_cache(maxsize=512)
def _named_group(name: str, said: str) -> Group:
    settings = named_settings(name, None)
    choices = tuple((s.choice, setting_operations(s)) for s in settings)
    return Group(said, frozenset(s.number for s in settings), choices, name)


@lru_cache(maxsize=512)
def _same_setting(texts: tuple[tuple[str, ...], tuple[str, ...]], name: str, said: str) -> bool:
    """Say whether operations are those of a named setting, wherever its origin is."""
    listed = _listed(*texts).operations
    return any(_same_but_for_origin(listed, o) for _, o in _named_group(name, said).choices)


@lru_cache(maxsize=256)
def _choices(group: int) -> tuple[tuple[str, Operations], ...]:
    return tuple((s.choice, setting_operations(s)) for s in named_settings("", group))


@lru_cache(maxsize=1)
def _schoenflies() -> dict[str, int]:
    import spglib

    with quiet():
        types = [spglib.get_spacegroup_type(i) for i in range(1, 531)]
    return {t.schoenflies.replace("^", "").lower(): t.number for t in types}


def _magnetic(tags: Tags) -> Iterator[Group]:
    """Yield what a magCIF names; time reversal does not move atoms."""
    standard = all(
        re.sub(r"\s", "", x).lower() == "a,b,c;0,0,0"
        for tag in _MAGNETIC_TRANSFORMS
        for x in _texts(tags, tag)[:1]
    )
    for tag in _MAGNETIC_NUMBERS:
        for name in _texts(tags, tag)[:1]:
            said = f"magnetic space group {name}"
            found = _magnetic_operations(name)
            kind = None if found is None else group_number(found)
            if found is None or kind is None:
                yield Group(said, frozenset(), ())
            else:
                yield Group(said, frozenset([kind]), (("", found),) if standard else ())
    for tag in _MAGNETIC_NAMES:
        for name in _texts(tags, tag)[:1]:
            if re.match(r"\s*[A-Z]_", name):
                continue  # the lattice loses translations: the number tells more
            bare = re.sub(r"1'$", "", name.strip()).replace("'", "").strip(' ."')
            group = _named_group(bare, f"magnetic space group {name}")
            if group.numbers and standard:
                yield group._replace(name="")  # the axes are those of the transformation


@lru_cache(maxsize=64)
def _magnetic_operations(name: str) -> Operations | None:
    """Return the operations of a magnetic group by its number in the BNS or OG list."""
    import spglib

    uni = _magnetic_numbers().get(name.strip())
    if uni is None:
        return None
    with quiet():
        table = spglib.get_magnetic_symmetry_from_database(uni)
    operations = Operations(table["rotations"].astype(float), table["translations"].astype(float))
    return composed(operations, IDENTITY)


@lru_cache(maxsize=1)
def _magnetic_numbers() -> dict[str, int]:
    """Return spglib's number by the BNS number, and by the OG number where the cell is the same."""
    import spglib

    with quiet():
        types = [spglib.get_magnetic_spacegroup_type(i) for i in range(1, 1652)]
    by_og = {t.og_number: t.uni_number for t in types if t.type != 4}
    return by_og | {t.bns_number: t.uni_number for t in types}
