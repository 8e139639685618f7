"""A value per atom does not grow with the number of atoms, whoever says so."""

from pathlib import Path

import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from atomlens.cli import main
from atomlens.datasets import load_dataset
from atomlens.errors import SettingsError
from atomlens.targets import Target
from atomlens.units import share_of

PER_ATOM = ["eV/atom", "meV per atom", "kJ/mol/atom", "kJ/(mol atom)", "eV atom-1", "eV·atom⁻¹"]
PER_FORMULA = ["eV/f.u.", "kJ/mol per formula unit", "meV/fu"]
OF_ALL = ["eV", "kJ/mol", "cal/(mol K)", "eV/cell", "atoms/nm^3", "at%", "eV/atmosphere", ""]


@pytest.mark.parametrize("unit", [*PER_ATOM, *PER_FORMULA])
def test_a_share_is_not_extensive(unit: str) -> None:
    assert share_of(unit) == ("atom" if unit in PER_ATOM else "formula unit")
    with pytest.raises(SettingsError, match="does not grow with the structure"):
        Target(name="energy", unit=unit, extensive=True)
    assert Target(name="energy", unit=unit).unit == unit


@pytest.mark.parametrize("unit", OF_ALL)
def test_what_is_of_the_whole_may_grow(unit: str) -> None:
    assert share_of(unit) == ""
    assert Target(name="energy", unit=unit, extensive=True).extensive


def test_a_folder_of_earlier_days_is_read_as_it_was() -> None:
    content = Target(name="energy", unit="eV", extensive=True).to_dict()
    assert Target.from_dict({**content, "unit": "eV/atom"}).unit == "eV/atom"


def test_a_table_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,e [meV/atom]\n" + "".join(f"{'C' * i},{i}\n" for i in range(1, 12)))
    assert main(["train", str(table), "--target", "e", "--extensive", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "a value in meV/atom is one per atom" in said
    assert said.count("\n") == 1


def test_energies_of_ase_that_are_said_to_be_per_atom_do_not_grow(tmp_path: Path) -> None:
    frames = []
    for name in ("H2O", "CH4"):
        atoms = Atoms(molecule(name))
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
        frames.append(atoms)
    write(tmp_path / "a.extxyz", frames)
    assert load_dataset(tmp_path / "a.extxyz").targets[0].extensive
    given = load_dataset(tmp_path / "a.extxyz", target="energy", units={"energy": "eV/atom"})
    assert not given.targets[0].extensive
