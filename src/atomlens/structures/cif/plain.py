"""The many CIFs of which nothing is to be said, at a part of the price.

Most crystals have whole atoms, one space group that fits, and a formula that agrees. Such a file is
read here, with the questions of ``atoms.py`` and its neighbours asked in a compiled loop or not at
all, since the tags that they are about are not there. Wherever a question is answered otherwise
than usual, nothing is returned, and ``atoms.py`` reads the file as if this module did not exist: it
alone refuses and warns. What is built here has the same bits as what is built there.
"""

import math
import re
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.machine import compiler, worth_compiling
from atomlens.structures.cif.cell import CELL_TAGS, vectors
from atomlens.structures.cif.elements import contradicted, element_of, hydrogens_of_name
from atomlens.structures.cif.evidence import agrees, is_part_of_a_unit, units_in_cell, weigh
from atomlens.structures.cif.operations import ROUNDED_TOLERANCE, SITE_TOLERANCE, Operations
from atomlens.structures.cif.sites import MULTIPLICITY_TAGS
from atomlens.structures.cif.space_groups import SYMMETRY_TAGS
from atomlens.structures.cif.symmetry import only_reading
from atomlens.structures.cif.tags import Tags
from atomlens.structures.cif.values import column, formula_amounts, known, last_digit, number
from atomlens.structures.distance_doubts import LEAST_RADII, contact_radii, nothing_to_doubt
from atomlens.structures.distances import (
    LONGEST_TO_A_NEIGHBOUR,
    SHORTEST_BOND,
    a_little_less,
    a_little_more,
)
from atomlens.structures.hydrogen_doubts import BONDED, absent_hydrogens
from atomlens.structures.kernels import images_of, plainly_sound

if TYPE_CHECKING:
    from ase import Atoms

_PLACES = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
_OF_SITES = (
    "_atom_site_label",
    "_atom_site_type_symbol",
    "_atom_site_occupancy",
    *MULTIPLICITY_TAGS,
    "_atom_site_calc_flag",
    "_atom_site_disorder_group",
    "_atom_site_disorder_assembly",
)
_WEIGHED = (
    "_chemical_formula_weight",
    "_exptl_crystal_density_diffrn",
    "_exptl_crystal_density_meas",
    "_exptl_crystal_f_000",
)
_SAID = (
    *_WEIGHED,
    "_cell_volume",
    "_cell_formula_units_z",
    "_chemical_formula_sum",
    "_chemical_formula_structural",
    "_chemical_formula_moiety",
    "_chemical_formula_iupac",
    "_chemical_formula_analytical",
)
_WITHOUT_MEANING = (
    "_symmetry_equiv_pos_site_id",
    "_space_group_symop_id",
    "_space_group_crystal_system",
    "_symmetry_cell_setting",
    "_atom_type_symbol",
    "_atom_type_oxidation_number",
    "_atom_site_u_iso_or_equiv",
    "_atom_site_b_iso_or_equiv",
    "_atom_site_adp_type",
    "_atom_site_thermal_displace_type",
)
"""Tags that count only beside others which are none of those here."""
_LOOKED_AT = frozenset(
    (*_PLACES, *CELL_TAGS, *_OF_SITES, *_SAID, *SYMMETRY_TAGS, *_WITHOUT_MEANING)
)
IGNORED = (
    "_atom_site_aniso_",
    "_atom_type_scat_",
    "_audit_",
    "_cell_measurement_",
    "_chemical_name_",
    "_citation_",
    "_cod_",
    "_computing_",
    "_database_",
    "_diffrn_",
    "_exptl_absorpt_",
    "_geom_",
    "_journal_",
    "_publ_",
    "_refine_",
    "_reflns_",
)
"""Beginnings of tags that no reader looks at."""

_MOST_IMAGES = 20_000
"""Larger cells take their time anyway."""
_PLAIN_IMAGES = 10_000
"""As many images are made before compiling the loop pays."""
_FEW = 100
"""Atoms, all pairs of which are looked at in less time than it takes to sort them."""
_PLAIN_PAIRS = 20_000
"""As many pairs are looked at in another way before compiling their loop pays."""
_FAR = 1.9
"""Cells; coordinates that reach farther may be lengths."""
_FLAT = 0.01
"""Least height of a cell that is not flat, in lengths of its longest vector."""
_TRITIUM = re.compile(r"T(?![a-z])")


def plain_crystal(tags: Tags) -> "Atoms | None":
    """Return the crystal of a data block of which nothing is to be said; None for any other."""
    if compiler() is None or not _are_plain(tuple(tags)):
        return None
    operations = only_reading(
        tuple(
            (tag, tuple(value) if isinstance(value := tags[tag], list) else (value,))
            for tag in SYMMETRY_TAGS
            if tag in tags
        )
    )
    if operations is None:
        return None
    try:
        return _built(tags, operations)
    except (StructureError, ValueError, TypeError):
        return None  # atoms.py says what is wrong


@lru_cache(maxsize=256)
def _are_plain(names: tuple[str, ...]) -> bool:
    """Say whether tags are known here, and enough for a crystal."""
    if not {*_PLACES, *CELL_TAGS} <= set(names):
        return False
    return all(name in _LOOKED_AT or name.startswith(IGNORED) for name in names)


class _Listed(NamedTuple):
    """The atoms of the list."""

    symbols: list[str]
    texts: list[list[str]]
    """Coordinates along x, y and z as they are written"""
    fractional: NDArray[np.float64]
    """(n_sites, 3)"""


def _built(tags: Tags, operations: Operations) -> "Atoms | None":
    cell, listed = _cell(tags), _listed(tags)
    if cell is None or listed is None:
        return None
    images = _images(tags, listed, operations, cell)
    if images is None:
        return None
    counts: dict[str, float] = {}
    for symbol, n in zip(listed.symbols, images.counts.tolist(), strict=True):
        counts[symbol] = counts.get(symbol, 0.0) + n
    if not _agrees(tags, counts, cell, len(operations.rotations)):
        return None
    from ase import Atoms

    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in listed.symbols])[images.sites]
    positions = np.dot(images.positions, cell)
    atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True)
    return atoms if _is_sound(atoms, numbers, positions, cell) else None


def _is_sound(
    atoms: "Atoms",
    numbers: NDArray[np.int64],
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
) -> bool:
    """Say whether no distance is odd and no carbon lacks hydrogens, as a loop proves of most."""
    n, proven = len(numbers), 0
    if n <= _FEW and worth_compiling(plainly_sound, n * n, _PLAIN_PAIRS):
        work, counts = np.empty((4, 3)), np.zeros((2, n), np.int64)
        proven = plainly_sound(positions, cell, numbers, *_limits(), work, counts)
    if proven == 2:
        return True
    return (proven == 1 or nothing_to_doubt(atoms)) and not absent_hydrogens(atoms)


_Radii = NDArray[np.float64]


@cache
def _limits() -> tuple[_Radii, _Radii, _Radii, float, float]:
    """Return the radii and lengths that `plainly_sound` takes; all are safe of rounding."""
    return (
        a_little_more(LEAST_RADII),
        a_little_less(contact_radii()),
        a_little_less(BONDED * COVALENT_RADII),
        a_little_more(SHORTEST_BOND),
        a_little_less(LONGEST_TO_A_NEIGHBOUR),
    )


def _cell(tags: Tags) -> NDArray[np.float64] | None:
    """Return the lattice vectors (3, 3) of a cell that is neither flat nor of an odd size."""
    values = [number(*found) if len(found := column(tags, tag)) == 1 else None for tag in CELL_TAGS]
    given = [value for value in values if value is not None and value > 0]
    if len(given) < 6:
        return None
    cell = vectors(*given)
    heights = cell.diagonal().tolist()  # a height is at least two sines times these
    if not (min(heights) > _FLAT * max(given[:3]) and min(given) > 1.5 and max(given) < 1e4):
        return None
    said, ours = number(*column(tags, "_cell_volume")[:1]), math.prod(heights)
    if said is not None and said > 0 and not abs(said - ours) < 0.019 * ours:
        return None
    return cell


def _listed(tags: Tags) -> _Listed | None:
    """Return the atoms of the list, if each is whole and its element certain."""
    texts = [column(tags, tag) for tag in _PLACES]
    n = len(texts[0])
    if any(len(one) != n for one in texts) or not _are_whole(tags, n):
        return None
    symbols = _symbols(tags, n)
    if symbols is None:
        return None
    if any("_" in "".join(one) for one in texts):
        return None
    try:
        rows = [[float(x) for x in one] for one in texts]
    except ValueError:  # uncertainties in brackets
        rows = [[math.nan if (x := number(v)) is None else x for v in one] for one in texts]
    fractional = np.ascontiguousarray(np.array(rows).T)
    return _Listed(symbols, texts, fractional) if np.abs(fractional).max() < _FAR else None


def _are_whole(tags: Tags, n: int) -> bool:
    """Say whether each atom of the list is there, alone and always."""
    shares = column(tags, "_atom_site_occupancy")
    if shares and (len(shares) != n or any(float(x) != 1.0 for x in set(shares))):
        return False
    if any(x.lower() == "dum" for x in set(column(tags, "_atom_site_calc_flag"))):
        return False
    return {*column(tags, "_atom_site_disorder_group")} <= {".", "?"}


def _symbols(tags: Tags, n: int) -> list[str] | None:
    """Return the element of each atom of the list, unless a name may mean something else."""
    labels, types = column(tags, "_atom_site_label"), column(tags, "_atom_site_type_symbol")
    if not (labels or types) or any(len(one) not in (0, n) for one in (labels, types)):
        return None
    if any(_TRITIUM.search(text) for text in column(tags, "_chemical_formula_sum")):
        return None
    formula = frozenset(formula_amounts(tags))
    symbols = []
    for label, kind in zip(labels or types, types or [""] * n, strict=True):
        dry = bool(formula) and "H" not in formula
        symbol = _plainly(label, kind, dry) or _certainly(label, kind, formula, bool(labels))
        if not symbol:
            return None
        symbols.append(symbol)
    return symbols


@lru_cache(maxsize=8192)
def _plainly(label: str, kind: str, dry: bool) -> str:
    """Return the type of an atom if it is an element's symbol and its label says nothing else."""
    if kind not in ATOMIC_NUMBERS or (kind in ("O", "W") and hydrogens_of_name(label, dry)):
        return ""
    return "" if contradicted(label, kind) else kind


@lru_cache(maxsize=8192)
def _certainly(label: str, kind: str, formula: frozenset[str], has_labels: bool) -> str:
    """Return the element that an atom's names and the sum formula say together, or ``""``."""
    try:
        found = element_of(lambda: "", known(label), known(kind), formula)
    except StructureError:
        return ""
    symbol = found.symbol
    if symbol in ("D", "T") or found.guessed or found.corrected or found.hydrogens:
        return ""
    if symbol == "O" and hydrogens_of_name(label, bool(formula) and "H" not in formula):
        return ""
    is_doubtful = bool(kind) and has_labels and contradicted(label, symbol) != ""
    return "" if is_doubtful or (symbol == "W" and not kind) else symbol


class _Images(NamedTuple):
    """All atoms of the cell."""

    positions: NDArray[np.float64]
    """(n_atoms, 3) fractional"""
    sites: NDArray[np.int64]
    """(n_atoms,) the listed atom that each comes from"""
    counts: NDArray[np.int64]
    """(n_sites,) how many come from each"""


def _images(
    tags: Tags, listed: _Listed, operations: Operations, cell: NDArray[np.float64]
) -> _Images | None:
    n_sites, n_operations = len(listed.symbols), len(operations.rotations)
    n = n_sites * n_operations
    given = _multiplicities(tags, n_sites)
    if given is None or n > _MOST_IMAGES or not worth_compiling(images_of, n, _PLAIN_IMAGES):
        return None
    rounding = np.zeros((n_sites, 3))
    if n_operations > 1:
        rounding = np.array([list(map(_last_digit, one)) for one in listed.texts]).T.copy()
    positions, sites = np.empty((n + 2, 3)), np.empty(n, np.int64)
    counts = np.empty(n_sites, np.int64)
    n_found = images_of(
        listed.fractional,
        *operations,
        cell,
        rounding,
        given,
        SITE_TOLERANCE,
        ROUNDED_TOLERANCE,
        positions,
        sites,
        counts,
    )
    return None if n_found < 1 else _Images(positions[:n_found], sites[:n_found], counts)


_last_digit = lru_cache(maxsize=4096)(last_digit)


def _multiplicities(tags: Tags, n: int) -> NDArray[np.float64] | None:
    """(n,) what the file gives, NaN where it gives none; None where it gives something odd."""
    values = column(tags, *MULTIPLICITY_TAGS)
    if not values:
        return np.full(n, np.nan)
    found = [number(value) for value in values]
    if len(found) != n or any(x is None or x < 1 for x in found):
        return None
    return np.array(found, dtype=float)


def _agrees(
    tags: Tags, counts: dict[str, float], cell: NDArray[np.float64], n_operations: int
) -> bool:
    """Say whether nothing else that the file says speaks against its atoms."""
    amounts = formula_amounts(tags)
    if _is_exactly(counts, amounts, tags):
        return True
    volume = float(cell[0, 0] * cell[1, 1] * cell[2, 2])
    if weigh(tags, counts, volume, n_operations=n_operations).contradicts:
        return False
    if not amounts:
        return True
    return agrees(counts, amounts) and not is_part_of_a_unit(sum(counts.values()), amounts, tags)


def _is_exactly(counts: dict[str, float], amounts: dict[str, Fraction], tags: Tags) -> bool:
    """Say whether the atoms are Z sum formulas, or the sum formula of a whole cell beside Z.

    Nothing that `weigh` looks at speaks against them then, where the file says no masses.
    """
    units = units_in_cell(tags)
    if units is None or not amounts or any(tag in tags for tag in _WEIGHED):
        return False
    if any(amount.denominator != 1 for amount in amounts.values()):
        return False
    said = {symbol: amount.numerator for symbol, amount in amounts.items()}
    if counts == said:
        return all(n % round(units) == 0 for n in said.values())
    return counts == {symbol: units * n for symbol, n in said.items()}
