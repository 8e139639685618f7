"""What is read quickly, since nothing is to be said of it, is what is read in full."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import atomlens.structures.cif as cif
from atomlens.machine import compiler
from atomlens.structures.checks import atoms_overlap
from atomlens.structures.cif import atoms as reader
from atomlens.structures.cif import plain
from atomlens.structures.cif.operations import Operations, named_settings, setting_operations
from atomlens.structures.cif.plain import IGNORED, plain_crystal
from atomlens.structures.cif.tags import Tags, read_tags
from atomlens.structures.distance_doubts import doubtful_distance
from atomlens.structures.hydrogen_doubts import absent_hydrogens
from atomlens.structures.kernels import plainly_sound

pytestmark = pytest.mark.skipif(compiler() is None, reason="the quick way is compiled")

CELLS = {
    "P 1": (5.1, 6.2, 7.3, 81, 95, 102),
    "P -1": (5.1, 6.2, 7.3, 81, 95, 102),
    "P 1 21/c 1": (6.1, 7.2, 8.3, 90, 101, 90),
    "I m m a": (9.1, 10.2, 11.3, 90, 90, 90),
    "P 4/n m m:2": (10.1, 10.1, 11.3, 90, 90, 90),
    "R -3 m:H": (13.1, 13.1, 21.3, 90, 90, 120),
    "P 63/m m c": (12.1, 12.1, 13.3, 90, 90, 120),
    "F d -3 m:2": (19.1, 19.1, 19.1, 90, 90, 90),
}
BASE = """data_rock_salt
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_cell_volume 179.4
_cell_formula_units_Z 4
_chemical_formula_sum 'Na1 Cl1'
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_symmetry_multiplicity
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na 4 0 0 0 1
Cl1 Cl 4 0.5 0.5 0.5 1
"""


def written(operations: Operations) -> list[str]:
    rows = []
    for rotation, shift in zip(*operations, strict=True):
        parts = []
        for r, t in zip(rotation, shift, strict=True):
            terms = "".join(
                f"{'+' if x > 0 else '-'}{a}" for x, a in zip(r, "xyz", strict=True) if x
            )
            parts.append(terms.lstrip("+") + (f"+{round(t * 24)}/24" if round(t * 24) else ""))
        rows.append(f"'{', '.join(parts)}'")
    return rows


def made(group: str, rng: np.random.Generator, *, named_only: bool) -> str:
    """A crystal in a space group: atoms on special places, written with few digits, and others."""
    cell = CELLS[group]
    operations = setting_operations(named_settings(group, None)[0])
    sites = [("F", (0, 0, 0)), ("O", (0.25, 0.25, 0.3333)), ("N", tuple(rng.uniform(0.1, 0.4, 3)))]
    lines = ["data_made"]
    lines += [f"_cell_length_{x} {v}" for x, v in zip("abc", cell, strict=False)]
    lines += [
        f"_cell_angle_{x} {v}" for x, v in zip(("alpha", "beta", "gamma"), cell[3:], strict=True)
    ]
    lines += [f"_symmetry_space_group_name_H-M '{group}'"]
    if not named_only:
        lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *written(operations)]
    lines += ["loop_", "_atom_site_type_symbol", "_atom_site_label"]
    lines += [f"_atom_site_fract_{x}" for x in "xyz"]
    lines += [
        f"{symbol} {symbol}{i} " + " ".join(f"{x:.4f}" for x in place)
        for i, (symbol, place) in enumerate(sites)
    ]
    return "\n".join(lines) + "\n"


def tags_of(text: str) -> Tags:
    return read_tags(text)[0][1]


def content(text: str) -> list[object]:
    return [
        (entry.name, entry.problem)
        if entry.atoms is None
        else (
            entry.name,
            entry.atoms.numbers.tobytes(),
            entry.atoms.positions.tobytes(),
            entry.atoms.cell[:].tobytes(),
            repr(entry.atoms.info),
        )
        for entry in reader.read_cif(text)
    ]


@pytest.fixture(autouse=True)
def _compiled_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_PLAIN_IMAGES", 0)


@pytest.mark.parametrize("named_only", [False, True])
@pytest.mark.parametrize("group", list(CELLS))
def test_the_quick_way_gives_the_same_bits(
    group: str, named_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(len(group))
    texts = [made(group, rng, named_only=named_only) for _ in range(8)]
    quick = [content(text) for text in texts]
    n_quick = sum(plain_crystal(tags_of(text)) is not None for text in texts)
    monkeypatch.setattr(reader, "plain_crystal", lambda _: None)
    assert quick == [content(text) for text in texts]
    assert n_quick


def test_rock_salt_needs_no_second_look() -> None:
    atoms = plain_crystal(tags_of(BASE))
    assert atoms is not None
    assert atoms.get_chemical_formula() == "Cl4Na4"


ODD = {
    "half an atom": ("0.5 0.5 0.5 1", "0.5 0.5 0.5 0.5"),
    "a dummy cell": ("_cell_length_a 5.64", "_cell_length_a 1.0"),
    "a flat cell": ("_cell_length_c 5.64", "_cell_length_c 0.01"),
    "another volume": ("_cell_volume 179.4", "_cell_volume 185"),
    "another Z": ("_units_Z 4", "_units_Z 5"),
    "another formula": ("'Na1 Cl1'", "'Na2 Cl1'"),
    "another group": ("'F m -3 m'", "'P m -3 m'"),
    "another number": ("number 225", "number 221"),
    "a group that nobody knows": ("'F m -3 m'", "'F m -3 q'"),
    "another multiplicity": ("Na 4 0 0 0", "Na 8 0 0 0"),
    "a label of another element": ("Cl1 Cl", "Br1 Cl"),
    "deuterium": ("Cl1 Cl", "D1 D"),
    "water": ("Cl1 Cl", "Wat1 O"),
    "coordinates like lengths": ("0.5 0.5 0.5", "2.82 2.82 2.82"),
    "a word": ("0.5 0.5 0.5", "0.5 half 0.5"),
    "no number": ("0.5 0.5 0.5", "0.5 ? 0.5"),
    "atoms at one place": ("0.5 0.5 0.5", "0.01 0 0"),
    "charges": ("_atom_site_occupancy", "_atom_site_charge"),
    "attached hydrogens": ("_atom_site_occupancy", "_atom_site_attached_hydrogens"),
    "a group of disorder": ("_atom_site_occupancy", "_atom_site_disorder_group"),
    "modulation": ("data_rock_salt", "data_x\n_cell_modulation_dimension 1"),
    "solvent": ("data_rock_salt", "data_x\n_platon_squeeze_void_count_electrons 40"),
    "magnetism": ("data_rock_salt", "data_x\n_space_group_magn.number_BNS 2.4"),
    "operations under another tag": ("data_rock_salt", "data_x\n_my_symop_list 'x,y,z'"),
    "other coordinates": ("_atom_site_occupancy", "_atom_site_Cartn_x"),
    "far too large": ("5.64\n_cell_angle", "56.4\n_cell_angle"),
}


@pytest.mark.parametrize("what", list(ODD))
def test_what_is_odd_is_read_in_full(what: str) -> None:
    before, after = ODD[what]
    assert before in BASE
    assert plain_crystal(tags_of(BASE.replace(before, after))) is None


def test_tags_that_are_passed_over_are_looked_at_nowhere() -> None:
    folder = Path(cif.__file__).parent
    literals = {
        node.value.lower().replace(".", "_")
        for path in folder.glob("*.py")
        if path.name != "plain.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {text for text in literals if re.fullmatch(r"_[a-z][a-z0-9_{}/-]+", text)}
    assert "_atom_site_occupancy" in named  # they are found so
    assert not [text for text in named if text.startswith(IGNORED)]
    assert not [text for text in IGNORED if any(word in text for word in ("symop", "equiv_pos"))]


def test_a_file_in_which_uncertainties_stand_is_read_quickly() -> None:
    text = BASE.replace("5.64\n_cell_length_b", "5.640(2)\n_cell_length_b")
    text = text.replace("0.5 0.5 0.5", "0.500(3) .5 0.50")
    assert plain_crystal(tags_of(text)) is not None


ELEMENTS = np.array([1, 1, 6, 6, 6, 7, 8, 8, 14, 17, 26, 36, 55, 79])


def _some_crystals(rng: np.random.Generator, n: int) -> list[Atoms]:
    """Crystals that are dense or thin, of atoms that are crowded, apart or alone."""
    found = []
    for _ in range(n):
        n_atoms = int(rng.integers(1, 24))
        side = (n_atoms * rng.choice((3.0, 10.0, 20.0, 60.0, 400.0))) ** (1 / 3)
        cell = side * (np.diag(rng.uniform(0.6, 1.5, 3)) + rng.normal(0, 0.15, (3, 3)))
        numbers = rng.choice(ELEMENTS, n_atoms)
        steps = max(1, round(n_atoms ** (1 / 3) + 0.5))
        grid = np.stack(np.meshgrid(*[np.arange(steps) / steps] * 3), axis=-1).reshape(-1, 3)
        grid = np.concatenate([grid, rng.random((n_atoms, 3))])
        places = grid[:n_atoms] if rng.random() < 0.7 else rng.permutation(grid)[:n_atoms]
        found.append(Atoms(numbers, scaled_positions=places, cell=cell, pbc=True))
    return found


def test_one_loop_doubts_no_less_than_all_questions() -> None:
    rng = np.random.default_rng(0)
    proven = dict.fromkeys((0, 1, 2), 0)
    sound = 0
    for atoms in _some_crystals(rng, 600):
        work, counts = np.empty((4, 3)), np.zeros((2, len(atoms)), np.int64)
        cell = np.ascontiguousarray(atoms.cell[:])
        found = plainly_sound(atoms.positions, cell, atoms.numbers, *plain._limits(), work, counts)
        proven[found] += 1
        doubted = bool(doubtful_distance(atoms)) or atoms_overlap(atoms)
        sound += not doubted
        assert not (found and doubted)
        assert not (found == 2 and absent_hydrogens(atoms))
    assert min(proven.values()) > 20
    assert proven[1] + proven[2] > 0.9 * sound  # it proves nearly all
