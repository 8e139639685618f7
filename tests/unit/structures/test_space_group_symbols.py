"""Symbols of space groups as old files and several programs write them.

The right numbers are the multiplicities of the general position in International Tables A.
"""

from pathlib import Path

import pytest

from atomlens.structures import read_structures

pytestmark = pytest.mark.filterwarnings("ignore:.*no two of its atoms are within")
"""The cells are large and empty on purpose."""

CUBIC = (61.0, 61.0, 61.0, 90.0, 90.0, 90.0)
ORTHORHOMBIC = (17.0, 18.0, 19.0, 90.0, 90.0, 90.0)
MONOCLINIC = (17.0, 18.0, 19.0, 90.0, 101.0, 90.0)
HEXAGONAL = (19.0, 19.0, 31.0, 90.0, 90.0, 120.0)
RHOMBOHEDRAL = (18.0, 18.0, 18.0, 70.0, 70.0, 70.0)


def cif(symbol: str, cell: tuple[float, ...]) -> str:
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = [f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True)]
    tags = ["_atom_site_label", "_atom_site_type_symbol", *(f"_atom_site_fract_{x}" for x in "xyz")]
    symbol_line = f"_symmetry_space_group_name_H-M '{symbol}'"
    loop = ["loop_", *tags, "C1 C 0.0713 0.2091 0.4127"]
    return "\n".join(["data_x", *lines, symbol_line, *loop, ""])


@pytest.mark.parametrize(
    ("symbol", "cell", "multiplicity"),
    [
        ("I a 3 d", CUBIC, 96),
        ("Pn3n S", CUBIC, 48),
        ("F d 3 c Z", CUBIC, 192),
        ("Fd-3mZ", CUBIC, 192),
        ("F m \u22123 m", CUBIC, 192),
        ("PA3", CUBIC, 24),
        ("A b a 2", ORTHORHOMBIC, 8),
        ("C m m a", ORTHORHOMBIC, 16),
        ("C c c a :2", ORTHORHOMBIC, 16),
        ("B 1 21 1", MONOCLINIC, 4),
        ("P 21/c (No. 14)", MONOCLINIC, 4),
        ("P 1 21/c 1 (14)", MONOCLINIC, 4),
        ("H 3", HEXAGONAL, 9),
        ("H -3", HEXAGONAL, 18),
        ("R 3 m RS", RHOMBOHEDRAL, 6),
        ("R 3 m HR", HEXAGONAL, 18),
    ],
)
@pytest.mark.filterwarnings("ignore:.*hydrogens seem to be missing")  # a made-up crystal
def test_old_and_unusual_symbols_have_their_multiplicity(
    symbol: str, cell: tuple[float, ...], multiplicity: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.cif"
    path.write_text(cif(symbol, cell), encoding="utf-8")
    (atoms,) = read_structures(path).items
    assert len(atoms) == multiplicity


@pytest.mark.parametrize("symbol", ["Q m m m", "P 7", "F m 3 q", "C 1 31 1", "3m3F"])
def test_symbols_that_mean_nothing_are_refused(symbol: str, tmp_path: Path) -> None:
    path = tmp_path / "a.cif"
    path.write_text(cif(symbol, CUBIC))
    (failure,) = read_structures(path).failures
    assert "is not known" in failure.message
