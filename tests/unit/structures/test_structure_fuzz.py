"""Damaged files: whatever is done to a good file, an answer comes, never an exception."""

import json
import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.db import connect
from ase.io import write

from atomlens.errors import Failure
from atomlens.structures import read_structures
from hostile import lose_lines, undate_database
from structure_makers import mol_block

N_CASES = int(os.environ.get("ATOMLENS_FUZZ_CASES", "200"))
SUFFIXES = (".cif", ".xyz", ".extxyz", ".vasp", ".sdf", ".mol", ".db", ".json", ".txt", "")


def good_files(folder: Path) -> list[Path]:
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    slab = fcc111("Cu", (1, 1, 2), vacuum=6.0)
    slab.info.clear()
    ethanol = molecule("CH3CH2OH")
    ethanol.info.update(name="ethanol", homo=-7.1)
    write(folder / "salt.cif", salt)
    write(folder / "POSCAR", salt)
    write(folder / "direct.vasp", salt, direct=True, sort=True)
    write(folder / "water.xyz", molecule("H2O"), plain=True)
    write(folder / "frames.extxyz", [ethanol, slab, salt])
    write(folder / "salt.json", salt)
    with connect(folder / "rows.db", use_lock_file=False) as database:
        for atoms in (salt, ethanol):
            database.write(atoms, gap=1.5)
    undate_database(folder / "salt.json")
    undate_database(folder / "rows.db")
    (folder / "symmetric.cif").write_text(SYMMETRIC_CIF)
    sites = [{"species": [{"element": "Fe", "occu": 1}], "abc": [0, 0, 0], "xyz": [0, 0, 0]}]
    lattice = {"matrix": (2.8 * np.eye(3)).tolist()}
    (folder / "iron.json").write_text(json.dumps([{"lattice": lattice, "sites": sites}] * 2))
    block = mol_block("CCO")
    (folder / "ethanol.mol").write_text(block)
    record = f"{block}> <homo>\n-7.1\n\n$$$$\n"
    (folder / "two.sdf").write_text(record + record)
    return sorted(path for path in folder.iterdir() if path.is_file())


SYMMETRIC_CIF = """data_salt
_cell_length_a 5.64(1)
_cell_length_b 5.64(1)
_cell_length_c 5.64(1)
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
_chemical_formula_sum 'Na Cl'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 0.0 0.0 0.0 1.0
Cl1 0.5 0.5 0.5 1.0
"""


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def repeat_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    i = rng.randrange(len(lines))
    return b"\n".join(lines[:i] + lines[i : i + rng.choice((1, 4))] * 2 + lines[i:])


def change_a_word(data: bytes, rng: random.Random) -> bytes:
    words = data.split(b" ")
    odd = (b"nan", b"-1", b"1e400", b"999999999", b"X", b"?", b"", b"0", b"'", b"\xe9", b"1e-9")
    words[rng.randrange(len(words))] = rng.choice(odd)
    return b" ".join(words)


def swap_pieces(data: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[b:] + data[a:b] + data[:a]


def nothing(data: bytes, rng: random.Random) -> bytes:
    return data


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    truncate,
    flip_bits,
    lose_lines,
    repeat_lines,
    change_a_word,
    swap_pieces,
    nothing,
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    folder = tmp_path_factory.mktemp("good")
    return [(path.name, path.read_bytes()) for path in good_files(folder)]


def test_undamaged_files_are_all_read(tmp_path: Path) -> None:
    good_files(tmp_path)
    result = read_structures(tmp_path)
    assert not result.failures
    assert len(result.structures) == 16


def test_a_damaged_file_gives_structures_or_one_sentence_naming_it(
    originals: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    for seed in range(N_CASES):
        rng = random.Random(seed)
        name, data = rng.choice(originals)
        for _ in range(rng.choice((1, 1, 2))):
            data = rng.choice(DAMAGES)(data, rng) if data else data
        if rng.random() < 0.2:
            name = Path(name).stem + rng.choice(SUFFIXES)
        path = tmp_path / name
        path.write_bytes(data)
        check_answer(path, seed)
        path.unlink()


def check_answer(path: Path, seed: int) -> None:
    before = path.read_bytes()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = read_structures(path)
    assert result.items, seed
    for failure in result.failures:
        assert "\n" not in failure.message, seed
        assert path.name in failure.message, seed
        assert len(failure.message) < 600, (seed, failure.message)
    for item in result.items:
        assert isinstance(item, Failure | Atoms), seed
    for atoms in result.structures:
        assert len(atoms) > 0, seed
        assert np.isfinite(atoms.positions).all(), seed
        assert atoms.info["name"], seed
    for warning in told:
        assert warning.category is UserWarning, (seed, warning.message)
    assert path.read_bytes() == before, seed
