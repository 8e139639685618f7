"""More atoms in a place than any matter has are refused before anybody looks for their pairs."""

import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write

from atomlens.errors import StructureError
from atomlens.structures import read_structures
from atomlens.structures.checks import check_atoms
from atomlens.structures.distances import is_dense


def grid(n: int, step: float, pbc: bool | list[bool] = True, cell: float | None = None) -> Atoms:
    places = step * np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3)
    edge = n * step if cell is None else cell
    return Atoms(np.full(n**3, 6), places, cell=[edge] * 3, pbc=pbc)


@pytest.mark.parametrize(
    "atoms",
    [
        grid(10, 0.3),
        grid(10, 0.3, pbc=[True, True, False]),
        grid(20, 0.3),
        grid(20, 0.3, pbc=False),
        grid(20, 0.3, cell=60.0),
    ],
)
def test_a_crowd_is_refused_within_a_second(atoms: Atoms) -> None:
    begin = time.process_time()
    with pytest.raises(StructureError, match="Å"):
        check_atoms(atoms)
    assert time.process_time() - begin < 3


def test_the_file_of_a_crowd_costs_its_batch_nothing(tmp_path: Path) -> None:
    write(tmp_path / "crowd.xyz", grid(10, 0.3), format="extxyz")
    write(tmp_path / "water.xyz", molecule("H2O"))
    read = read_structures([tmp_path / "crowd.xyz", tmp_path / "water.xyz"])
    assert len(read.structures) == 1
    assert "lengths may be in nm" in read.failures[0].message


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("C", "diamond", a=3.57, cubic=True).repeat(12),
        bulk("Fe", "bcc", a=2.4, cubic=True).repeat(14),
        grid(17, 1.1),
        molecule("C60"),
        bulk("NaCl", "rocksalt", a=0.564, cubic=True),  # in nm: told, and read
    ],
)
def test_matter_is_not_dense(atoms: Atoms) -> None:
    cell, pbc = np.asarray(atoms.cell[:]), np.asarray(atoms.pbc)
    assert not is_dense(atoms.positions, cell, pbc)
