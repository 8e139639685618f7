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

_CELL = tuple(f"_cell_length_{x}" for x in "abc") + tuple(
    f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")
)

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


def _agrees(symbols: list[str], amounts: Mapping[str, Fraction]) -> bool:
    """Say whether atoms have the proportions of the sum formula."""
    counts = Counter(symbols)
    if set(counts) != set(amounts):
        return False
    n_atoms, n_formula = len(symbols), float(sum(amounts.values()))
    return all(abs(counts[s] / n_atoms - float(amounts[s]) / n_formula) < 1e-3 for s in counts)


def _compare_with_formula(atoms: "Atoms", tags: Tags, is_cut: bool) -> None:
    """Refuse a file that breaks off after part of its atoms; mention a mismatch otherwise."""
    amounts = formula_amounts(tags)
    if not amounts or _agrees(atoms.get_chemical_symbols(), amounts):
        return
    if is_cut:
        raise StructureError(
            f"its atoms are {atoms.get_chemical_formula()}, its sum formula is another one, and "
            "its last line has no end, so the file is cut off; get a complete copy"
        )
    add_warning(
        atoms, "the atoms do not agree with the sum formula of the CIF; some may be missing"
    )
