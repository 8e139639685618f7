"""Odd distances and lone atoms are told in the same words, whoever gives the structure."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write

from atomlens.structures import read_structures
from atomlens.structures.arrays import warnings_of
from atomlens.structures.distances import lone_atoms, pairs_within

pytestmark = pytest.mark.filterwarnings("ignore")
BOX = np.eye(3) * 20
ODD = {
    "0.65 Å apart, nearer than such atoms ever are": Atoms(
        "NaClC2", [[0, 0, 0], [2.8, 0, 0], [10, 10, 10], [10.65, 10, 10]], cell=BOX, pbc=True
    ),
    "0.69 Å apart, nearer than such atoms ever are": Atoms(
        "F2Na", [[0, 0, 0], [0.69, 0, 0], [2.5, 0, 0]], cell=np.eye(3) * 5.5, pbc=True
    ),
    "no atom is within 6 Å of atom 2 (K, counted from 0), so": Atoms(
        "NaClK", [[0, 0, 0], [2.8, 0, 0], [10, 10, 10]], cell=BOX, pbc=True
    ),
    "no atom is within 6 Å of atom 2 (Cs, counted from 0) (nor of 1 others)": Atoms(
        "NaClCsXe", [[0, 0, 0], [2.8, 0, 0], [10, 10, 10], [10, 1, 10]], cell=BOX, pbc=True
    ),
}


def everywhere(atoms: Atoms, folder: Path) -> Iterator[Any]:
    """The same crystal in every format, and as objects."""
    from ase.db import connect
    from pymatgen.io.ase import AseAtomsAdaptor

    for name, kind in (("x.cif", "cif"), ("x.vasp", "vasp"), ("x.extxyz", "extxyz")):
        write(folder / name, atoms, format=kind)
        yield folder / name
    connect(folder / "x.db").write(atoms)
    yield folder / "x.db"
    structure = AseAtomsAdaptor.get_structure(atoms)
    (folder / "x.json").write_text(json.dumps(structure.as_dict()))
    yield folder / "x.json"
    yield structure
    yield atoms


@pytest.mark.parametrize("said", ODD)
def test_a_doubt_is_the_same_in_every_format(said: str, tmp_path: Path) -> None:
    for given in everywhere(ODD[said], tmp_path):
        (atoms,) = read_structures(given).structures
        told = warnings_of(atoms)
        assert len(told) == 1, given
        assert said in told[0], given


def test_other_lengths_of_a_cell_do_not_hide_a_distance(tmp_path: Path) -> None:
    from pymatgen.io.ase import AseAtomsAdaptor

    content = AseAtomsAdaptor.get_structure(next(iter(ODD.values()))).as_dict()
    content["lattice"]["a"] = 25.0
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    lengths, apart = warnings_of(read_structures(path).structures[0])
    assert "gives the lengths" in lengths
    assert "0.65 Å apart" in apart


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("NaCl", "rocksalt", a=5.6).repeat(3),
        bulk("Cs", "bcc", a=6.14).repeat((1, 1, 4)),
        molecule("C60"),
        molecule("H2O", cell=[20.0] * 3, pbc=True),
        Atoms("HF", [[0, 0, 0], [0, 0, 0.92]]),
        Atoms("F2", [[0, 0, 0], [0, 0, 1.41]]),
    ],
    ids=lambda atoms: str(atoms.symbols),
)
def test_what_has_neighbours_is_not_alone(atoms: Atoms) -> None:
    assert not warnings_of(read_structures(atoms).structures[0])


def test_lone_atoms_are_those_of_a_count_of_all_pairs() -> None:
    rng = np.random.default_rng(3)
    found = 0
    for k in range(60):
        n = int(rng.integers(2, 40))
        cell = np.diag(rng.uniform(5, 30, 3)) + rng.normal(0, 2.0, (3, 3))
        pbc = np.array([bool(k >> axis & 1) for axis in range(3)])
        positions = rng.random((n, 3)) @ cell
        lone = lone_atoms(positions, cell, pbc)
        pairs = pairs_within(positions, cell, pbc, 6.0)
        assert lone.tolist() == np.setdiff1d(np.arange(n), pairs.first).tolist()
        found += len(lone)
    assert found > 20


def test_lone_atoms_among_very_many_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atomlens.structures.distances._MOST_COMPARED", 10)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True).repeat(2)
    far = Atoms("Xe", [[40.0, 40, 40]])
    for pbc in (True, False):
        both = atoms + far
        both.set_cell(np.eye(3) * 60)
        both.pbc = pbc
        assert lone_atoms(both.positions, both.cell[:], both.pbc).tolist() == [len(atoms)]
