"""What a reader finds doubtful stays with its structure."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomlens.datasets import Dataset, load_packed, save_packed
from atomlens.structures import read, read_structures
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

DOUBT = "deuterium or tritium is treated as hydrogen"


def heavy_water_and_helium(folder: Path) -> list[Atoms]:
    (folder / "a.xyz").write_text("3\n\nO 0 0 0\nD 0.96 0 0\nD -0.24 0.93 0\n")
    (folder / "b.xyz").write_text("1\n\nHe 0 0 0\n")
    with pytest.warns(UserWarning, match=DOUBT):
        return read(folder)


def test_a_warning_is_told_and_stays_with_its_structure(tmp_path: Path) -> None:
    water, helium = heavy_water_and_helium(tmp_path)
    assert water.info["warnings"] == [DOUBT]
    assert "warnings" not in helium.info


def test_warnings_pass_through_arrays_and_back(tmp_path: Path) -> None:
    arrays = StructureArrays.from_atoms(heavy_water_and_helium(tmp_path))
    assert [s.warnings for s in arrays] == [(DOUBT,), ()]
    turned = arrays.subset([1, 0])
    assert turned.to_atoms(1).info["warnings"] == [DOUBT]
    assert "warnings" not in turned.to_atoms(0).info
    assert arrays.subset([1]).warnings == ()


def test_warnings_are_written_to_a_packed_file(tmp_path: Path) -> None:
    arrays = StructureArrays.from_atoms(heavy_water_and_helium(tmp_path))
    target = Target(name="y", unit="eV")
    data = Dataset(name="x", structures=arrays, values=np.zeros((2, 1)), targets=(target,))
    path = save_packed(data, tmp_path / "x.atomlens.npz")
    assert load_packed(path).structures.warnings == arrays.warnings


def test_a_value_of_that_name_in_a_file_is_no_warning(tmp_path: Path) -> None:
    (tmp_path / "x.extxyz").write_text("1\nProperties=species:S:1:pos:R:3 warnings=3\nHe 0 0 0\n")
    (atoms,) = read_structures(tmp_path / "x.extxyz").structures
    assert StructureArrays.from_atoms([atoms])[0].warnings == ()
    assert atoms.info["warnings"] == 3
