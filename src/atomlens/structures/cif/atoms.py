"""CIF files: from tags to atoms. tags.py reads the tags, operations.py adds the images."""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.structures.checks import atoms_overlap, check_cell, overlapping_pairs
from atomlens.structures.cif.operations import (
    IDENTITY,
    NamedSetting,
    Operations,
    expand,
    fits_cell,
    named_settings,
    parse_operations,
    setting_operations,
)
from atomlens.structures.cif.sites import Sites, column, formula_amounts, number
from atomlens.structures.cif.tags import Tags, read_tags
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    OVERLAP_NOTICE,
    Entry,
    add_warning,
    attempt,
)

if TYPE_CHECKING:
    from ase import Atoms

_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_GROUP_NAMES = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_full",
)
_HALL_NAMES = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_GROUP_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
_CELL = tuple(f"_cell_length_{x}" for x in "abc") + tuple(
    f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")
)

Atoms3D = tuple[NDArray[np.float64], NDArray[np.int_]]
"""Fractional coordinates (n_atoms, 3), and the site (n_atoms,) that each atom comes from."""


def read_cif(text: str) -> list[Entry]:
    """Return one entry for each data block that holds atoms, named by it if there are many."""
    with_atoms = [(name, tags) for name, tags in read_tags(text) if _has_atoms(tags)]
    if not with_atoms:
        raise StructureError(
            "the CIF holds no atom positions (no loop with _atom_site_fract_x and its fellows "
            "that has a row); it may be cut off, or hold only a cell or a powder pattern"
        )
    is_cut = not text.endswith(("\n", "\r"))
    return [
        attempt(
            name if len(with_atoms) > 1 else "",
            lambda tags=tags: _build(tags, is_cut),  # type: ignore[misc]
            "data block",
        )
        for name, tags in with_atoms
    ]


def _has_atoms(tags: Tags) -> bool:
    return bool(column(tags, "_atom_site_fract_x", "_atom_site_cartn_x"))


def _build(tags: Tags, is_cut: bool) -> "Atoms":
    from ase import Atoms

    sites = Sites(tags)
    cell = _cell(tags)
    if cell is None:
        atoms = sites.molecule()
    else:
        fractional = sites.fractional(cell)
        kept = sites.full_sites(fractional, cell)
        symbols = [sites.symbols[i] for i in kept]
        positions, rows = _all_atoms(tags, symbols, fractional[kept], cell)
        charges = sites.charges()
        atoms = Atoms(
            [symbols[row] for row in rows],
            scaled_positions=positions,
            cell=cell,
            pbc=True,
            charges=None if charges is None else charges[kept][rows],
        )
    if sites.has_deuterium:
        add_warning(atoms, DEUTERIUM_NOTICE)
    if atoms_overlap(atoms):
        add_warning(atoms, OVERLAP_NOTICE)
    _compare_with_formula(atoms, tags, is_cut)
    return atoms


def _cell(tags: Tags) -> NDArray[np.float64] | None:
    """(3, 3) lattice vectors in Å, the first along x; None where the file has no cell."""
    from ase.geometry import cellpar_to_cell

    found = [column(tags, tag) for tag in _CELL]
    if not any(found):
        return None
    values = [number(*values[:1]) for values in found]
    missing = [tag for tag, value in zip(_CELL, values, strict=True) if value is None]
    if missing:
        raise StructureError(f"{missing[0]} is missing or not a number; complete the cell")
    try:
        with np.errstate(all="ignore"):
            cell = np.asarray(cellpar_to_cell(values), dtype=float)
    except AssertionError:
        cell = np.full((3, 3), np.nan)
    if not np.isfinite(cell).all():
        shown = ", ".join(f"{value:g}" for value in values if value is not None)
        raise StructureError(f"lengths and angles {shown} do not form a cell; correct them")
    check_cell(cell, np.ones(3, dtype=bool))
    return cell


def _all_atoms(
    tags: Tags, symbols: list[str], fractional: NDArray[np.float64], cell: NDArray[np.float64]
) -> Atoms3D:
    """Apply the operations that the file lists, or those of the space group that it names."""
    listed = column(tags, *_OPERATIONS)
    if listed:
        return _expanded(parse_operations([str(x) for x in listed]), symbols, fractional, cell)
    names = [f"hall:{x}" for x in column(tags, *_HALL_NAMES)[:1] if str(x).strip(" ?.")]
    names += [str(x) for tag in _GROUP_NAMES for x in column(tags, tag)[:1] if str(x).strip(" ?.")]
    value = number(*column(tags, *_GROUP_NUMBERS)[:1])
    group_number = None if value is None else int(value)
    if group_number == 1 or not (names or group_number):
        return _expanded(IDENTITY, symbols, fractional, cell)
    settings = next(filter(None, (named_settings(n, None) for n in names)), [])
    settings = settings or named_settings("", group_number)
    what = f"space group {names[-1].removeprefix('hall:') if names else group_number}"
    return _by_setting(settings, what, tags, symbols, fractional, cell)


def _by_setting(
    settings: list[NamedSetting],
    what: str,
    tags: Tags,
    symbols: list[str],
    fractional: NDArray[np.float64],
    cell: NDArray[np.float64],
) -> Atoms3D:
    """Choose between the settings of a group by the cell, then by the sum formula."""
    advice = "write the file again with its symmetry operations (_space_group_symop_operation_xyz)"
    fitting = [(s, o) for s in settings if fits_cell(o := setting_operations(s), cell)]
    if not fitting:
        problem = "does not fit the cell" if settings else "is not known"
        raise StructureError(f"{what} {problem}, and no symmetry operations are listed; {advice}")
    results = [(s, _expanded(o, symbols, fractional, cell)) for s, o in fitting]
    amounts, units = formula_amounts(tags), number(*column(tags, "_cell_formula_units_z")[:1])
    agreeing = [(s, r) for s, r in results if _agrees([symbols[i] for i in r[1]], amounts, units)]
    results = agreeing or results
    if len({setting.choice[:1] for setting, _ in results} & {"1", "2"}) > 1:
        raise StructureError(
            f"{what} has two origins that give different crystals, and no symmetry operations "
            f"are listed; {advice}"
        )
    return results[0][1]


def _expanded(
    operations: Operations,
    symbols: list[str],
    fractional: NDArray[np.float64],
    cell: NDArray[np.float64],
) -> Atoms3D:
    """Return all atoms, once each even where the file lists equivalent atoms as well."""
    positions, rows = expand(fractional, operations, cell)
    if len(rows) == len(fractional):
        return positions, rows
    pbc = np.ones(3, dtype=bool)
    pairs = overlapping_pairs(positions @ cell, cell, pbc)
    if not len(pairs.distances):
        return positions, rows
    direct = overlapping_pairs(fractional @ cell, cell, pbc)
    listed_twice = {tuple(sorted(p)) for p in zip(direct.first, direct.second, strict=True)}
    dropped = set()
    for i, j in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        first, second = sorted((int(rows[i]), int(rows[j])))
        if symbols[first] == symbols[second] and (first, second) not in listed_twice:
            dropped.add(max(i, j))
    kept = np.array([i not in dropped for i in range(len(rows))])
    return positions[kept], rows[kept]


def _agrees(symbols: list[str], amounts: Mapping[str, Fraction], units: float | None) -> bool:
    """Say whether atoms have the proportions of the sum formula, and the number if known."""
    counts = Counter(symbols)
    if set(counts) != set(amounts):
        return False
    n_atoms, n_formula = len(symbols), float(sum(amounts.values()))
    if units and n_atoms not in (n_formula, units * n_formula):
        return False  # some programs write the formula of the whole cell next to Z
    return all(abs(counts[s] / n_atoms - float(amounts[s]) / n_formula) < 1e-3 for s in counts)


def _compare_with_formula(atoms: "Atoms", tags: Tags, is_cut: bool) -> None:
    """Refuse a file that breaks off after part of its atoms; mention a mismatch otherwise."""
    amounts = formula_amounts(tags)
    if not amounts or _agrees(atoms.get_chemical_symbols(), amounts, None):
        return
    if is_cut:
        raise StructureError(
            f"its atoms are {atoms.get_chemical_formula()}, its sum formula is another one, and "
            "its last line has no end, so the file is cut off; get a complete copy"
        )
    add_warning(
        atoms, "the atoms do not agree with the sum formula of the CIF; some may be missing"
    )
