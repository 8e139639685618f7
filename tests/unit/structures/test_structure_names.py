"""Names: the file's, the frame's own, and never the same twice."""

import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write

from atomlens.elements import SYMBOLS
from atomlens.elements.naming import chemical_formula
from atomlens.structures import read
from atomlens.structures.formulas import from_formula

HELIUM = "1\n\nHe 0 0 0\n"


def names(inputs: object) -> list[str]:
    return [atoms.info["name"] for atoms in read(inputs)]


def test_equal_titles_in_one_file_are_numbered(tmp_path: Path) -> None:
    frames = [molecule("H2O"), molecule("NH3")]
    for frame in frames:
        frame.info["name"] = "same"
    write(tmp_path / "both.extxyz", frames)
    assert names(tmp_path / "both.extxyz") == ["same", "same-2"]


def test_one_structure_is_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "mp-149.v2.xyz").write_text(HELIUM)
    assert names(tmp_path / "mp-149.v2.xyz") == ["mp-149.v2"]


def test_a_poscar_with_a_tail_keeps_all_of_its_name(tmp_path: Path) -> None:
    for name in ("POSCAR.relaxed", "CONTCAR_7"):
        write(tmp_path / name, Atoms("He", cell=[3, 3, 3], pbc=True), format="vasp")
    assert names(tmp_path) == ["CONTCAR_7", "POSCAR.relaxed"]


def test_frames_without_names_are_numbered_from_zero(tmp_path: Path) -> None:
    (tmp_path / "md.xyz").write_text(HELIUM * 3)
    assert names(tmp_path / "md.xyz") == ["md-0000", "md-0001", "md-0002"]


def test_frames_keep_their_own_names(tmp_path: Path) -> None:
    frames = [molecule("H2O"), molecule("NH3")]
    frames[0].info["name"], frames[1].info["name"] = "water", "ammonia"
    write(tmp_path / "both.extxyz", frames)
    assert names(tmp_path / "both.extxyz") == ["water", "ammonia"]


def test_equal_names_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "final.xyz").write_text(HELIUM)
    assert names(tmp_path) == ["a-final", "b-final"]


def test_no_name_occurs_twice(tmp_path: Path) -> None:
    (tmp_path / "x.xyz").write_text(HELIUM)
    found = names([tmp_path / "x.xyz", tmp_path / "x.xyz", "CCO", "CCO", "formula:CO"])
    assert len(set(found)) == 5
    assert found[2] == "CCO"
    assert found[4] == "CO"


def test_a_numbered_name_does_not_collide_with_a_given_one() -> None:
    atoms = [molecule("H2O") for _ in range(3)]
    for one, name in zip(atoms, ("a", "a", "a-2"), strict=True):
        one.info["name"] = name
    assert names(atoms) == ["a", "a-3", "a-2"]


def test_names_given_to_atoms_are_kept_and_the_atoms_left_alone() -> None:
    atoms = molecule("H2O")
    atoms.info["name"] = "mine"
    found = read([atoms, atoms])
    assert [a.info["name"] for a in found] == ["mine", "mine-2"]
    assert atoms.info == {"name": "mine"}


def test_an_object_without_a_name_is_called_by_its_formula() -> None:
    assert names(molecule("CH3CH2OH")) == ["C2H6O"]


@pytest.mark.parametrize(
    "formula",
    "CaBr2 TiO2 H2O NH3 NH4Cl CH4 H2SO4 H3PO4 CaCO3 NaClO4 XeF2 GaAs LiFePO4 NaBH4 C2H6O "
    "CHCl3 BaTiO3 OF2 HF SiC PCl5 K2S LiH CO2 SO2 MgAl2O4 ZnS".split(),
)
def test_formulas_are_written_as_chemists_write_them(formula: str) -> None:
    assert chemical_formula(from_formula(formula).numbers) == formula


def test_every_element_has_its_place_in_a_formula() -> None:
    numbers = np.arange(1, 119)
    assert sorted(re.findall("[A-Z][a-z]?", chemical_formula(numbers))) == sorted(SYMBOLS[1:])
