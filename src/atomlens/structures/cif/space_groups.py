"""The space groups that a CIF says: by its operations, by symbols and by numbers.

The operations tell all. A Hall symbol tells the origin, a Hermann-Mauguin symbol the axes, a
number or a Schoenflies symbol neither; a magCIF names magnetic groups, whose operations move atoms
as those without time reversal do.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.printing import short
from atomlens.structures.cif.operations import (
    IDENTITY,
    Operations,
    closure,
    composed,
    distinct,
    group_number,
    is_group,
    named_settings,
    parse_operations,
    setting_operations,
)
from atomlens.structures.cif.tags import Tags
from atomlens.structures.cif.values import column, number
from atomlens.structures.records import quiet

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
SYMMETRY_TAGS = (
    *(_LISTS[0][0], _LISTS[1][0], *_HALL_NAMES, *_GROUP_NAMES, *_NUMBERS, *_SCHOENFLIES),
    *_SYSTEMS,
)
"""What crystals say of their symmetry that are neither magnetic nor modulated."""
ADVICE = "write the file again with its symmetry operations (_space_group_symop_operation_xyz)"


class NamedGroup(NamedTuple):
    """One way in which a file names its space group."""

    said: str
    numbers: frozenset[int]
    """Space-group types that it may mean."""
    choices: tuple[tuple[str, Operations], ...]
    """Settings that it may mean: choice of origin or axes, and operations."""
    name: str = ""
    """The symbol, where it tells axes as well; empty for a number or type."""


_TRANSFORMS = ("_space_group_transform_pp_abc", "_space_group_transform_qq_xyz")
_NO_TRANSFORM = ("a,b,c", "x,y,z", "a,b,c;0,0,0", "x,y,z;0,0,0")


def refuse_transformed(tags: Tags) -> None:
    """Raise a StructureError for a group whose tabulated axes are not those of the file."""
    for tag in _TRANSFORMS:
        for value in _texts(tags, tag)[:1]:
            if re.sub(r"\s", "", value.lower()) not in _NO_TRANSFORM:
                raise StructureError(
                    f"its space group is given for other axes or another origin ({tag} is "
                    f"{short(value)}), and no symmetry operations are listed; {ADVICE}"
                )


def crystal_system(tags: Tags) -> str:
    """Return the crystal system that the file says, in small letters; empty if it says none."""
    said = [str(x) for x in column(tags, *_SYSTEMS)[:1] if _is_given(x)]
    return said[0].lower() if said else ""


_ENDS_OF_SYSTEMS = (
    (2, "triclinic"),
    (15, "monoclinic"),
    (74, "orthorhombic"),
    (142, "tetragonal"),
    (194, "hexagonal"),
    (230, "cubic"),
)
"""The last number of the groups of each system; trigonal ones count as hexagonal, since files call
them either."""
_OTHER_WORDS = {
    "anorthic": "triclinic",
    "trigonal": "hexagonal",
    "rhombohedral": "hexagonal",
    "isometric": "cubic",
}


def other_system(tags: Tags, numbers: Collection[int]) -> str:
    """Return the system of groups, by number, where the file says another one; else ''."""
    word = crystal_system(tags)
    said = _OTHER_WORDS.get(word, word)
    systems = {next(name for last, name in _ENDS_OF_SYSTEMS if n <= last) for n in numbers}
    known = any(said == name for _, name in _ENDS_OF_SYSTEMS)
    return systems.pop() if known and len(systems) == 1 and said not in systems else ""


def unsaid_symmetry(tags: Tags) -> str:
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


class ListedGroup(NamedTuple):
    """A list of operations that a file gives."""

    said: str
    operations: Operations
    number: int | None
    texts: tuple[tuple[str, ...], tuple[str, ...]]
    part: Operations | None
    """What is listed, where that is no group; ``operations`` are then all products."""


def listed_groups(tags: Tags) -> list[ListedGroup]:
    """Return the lists of operations that the file gives, one for each group."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], ListedGroup] = {}
    for tag, centring in _LISTS:
        texts, centres = _texts(tags, tag), _texts(tags, centring)
        if texts and (texts, centres) not in found:
            found[texts, centres] = _listed(texts, centres)
    if not found:
        _refuse_unread_lists(tags)
    lists = list(found.values())
    return [a for i, a in enumerate(lists) if not any(_same_list(a, b) for b in lists[:i])]


def _same_list(first: ListedGroup, second: ListedGroup) -> bool:
    return len(first.operations.rotations) == len(second.operations.rotations) and (
        first.number == second.number
    )


@lru_cache(maxsize=512)
def _listed(texts: tuple[str, ...], centres: tuple[str, ...]) -> ListedGroup:
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
        return ListedGroup(said, whole, kind, (texts, centres), operations)
    said = f"the operations ({len(operations.rotations)}, a group of type {kind})"
    return ListedGroup(said, operations, kind, (texts, centres), None)


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


def named_groups(tags: Tags) -> Iterator[NamedGroup]:
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
        yield NamedGroup(
            f"space group {name}", frozenset(() if numbers is None else [numbers]), choices
        )
    yield from _magnetic(tags)
    for tag in _NUMBERS:
        value = number(*column(tags, tag)[:1])
        if value is None:  # a symbol, which stands in the wrong place, or what nobody knows
            for name in _texts(tags, tag)[:1]:
                yield _named_group(name, f"space group number {name}")
        if value:  # 0 stands for unknown
            known = 1 <= value <= 230 and value == int(value)
            yield NamedGroup(
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
def _named_group(name: str, said: str) -> NamedGroup:
    settings = named_settings(name, None)
    choices = tuple((s.choice, setting_operations(s)) for s in settings)
    return NamedGroup(said, frozenset(s.number for s in settings), choices, name)


@lru_cache(maxsize=512)
def same_setting(texts: tuple[tuple[str, ...], tuple[str, ...]], name: str, said: str) -> bool:
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


def _magnetic(tags: Tags) -> Iterator[NamedGroup]:
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
                yield NamedGroup(said, frozenset(), ())
            else:
                yield NamedGroup(said, frozenset([kind]), (("", found),) if standard else ())
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
