"""Rows of one reduced formula: all, their mean, or the most stable one."""

from pathlib import Path

import numpy as np
import pytest

from atomlens.datasets import load_dataset
from atomlens.datasets.polymorphs import about_shared_formulas
from atomlens.errors import SettingsError

ROWS = [
    "id,formula,gap [eV],energy,metal",
    "rutile,TiO2,3.0,-8.8,no",
    "anatase,Ti2O4,3.2,-8.9,no",
    "brookite,O2Ti,3.4,,yes",
    "salt,NaCl,5.0,-3.4,no",
    "double,Ti4O8,,-9.5,no",
    "iron,Fe,0.0,-8.3,yes",
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(ROWS))
    return path


def test_all_rows_are_kept_unless_something_else_is_said(table: Path) -> None:
    assert len(load_dataset(table, "gap")) == 5


def test_the_polymorph_of_lowest_energy_with_a_value_is_kept_and_counted(table: Path) -> None:
    with pytest.warns(UserWarning, match=r"3 rows are polymorphs of 1 formulas; .* 3 rows in all"):
        data = load_dataset(table, "gap", polymorphs="lowest", energy_column="energy")
    assert data.structures.names == ("anatase", "salt", "iron")
    assert [t.name for t in data.targets] == ["gap"]
    np.testing.assert_allclose(data.values[:, 0], [3.2, 5.0, 0.0])
    assert data.without_value == ("double",)


def test_the_energy_may_itself_be_the_target(table: Path) -> None:
    with pytest.warns(UserWarning, match="3 rows"):
        data = load_dataset(table, "energy", polymorphs="lowest", energy_column="energy")
    assert data.structures.names == ("salt", "double", "iron")


def test_the_mean_of_polymorphs_leaves_out_what_is_unknown(table: Path) -> None:
    with pytest.warns(UserWarning, match="their means are kept"):
        data = load_dataset(table, ["gap", "energy"], polymorphs="mean")
    assert data.structures.names == ("rutile", "salt", "iron")
    np.testing.assert_allclose(data.values[0], [3.2, (-8.8 - 8.9 - 9.5) / 3])


def test_a_smaller_sample_is_taken_after_the_polymorphs_are_merged(table: Path) -> None:
    with pytest.warns(UserWarning, match="3 rows in all"):
        data = load_dataset(table, "gap", polymorphs="mean", limit=2)
    assert len(data) == 2


def test_formulas_in_several_rows_are_counted(table: Path) -> None:
    data = load_dataset(table, "gap")
    assert about_shared_formulas(data).startswith("3 of 5 rows share their formula")
    assert about_shared_formulas(data.subset([0, 3, 4])) == ""


def test_what_makes_no_sense_is_refused(table: Path) -> None:
    with pytest.raises(SettingsError, match="--energy-column"):
        load_dataset(table, "gap", polymorphs="lowest")
    with pytest.raises(SettingsError, match="classes such as metal have no mean"):
        load_dataset(table, "metal", polymorphs="mean")
    with pytest.raises(SettingsError, match="Did you mean 'lowest'"):
        load_dataset(table, "gap", polymorphs="low")


def test_isomers_stay_apart_and_replicates_of_one_molecule_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("smiles,bp\nCC(=O)C,56\nCCC=O,48\nC=CCO,97\nCCO,78\nOCC,79\nC=C,1\nC/C=C/C,2\n")
    with pytest.warns(UserWarning, match="2 rows are replicates of 1 molecules"):
        data = load_dataset(path, "bp", polymorphs="mean")
    np.testing.assert_allclose(data.values[:, 0], [56, 48, 97, 78.5, 1, 2])


def test_mirror_images_are_no_replicates(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("smiles,y\nC[C@H](F)O,10\nC[C@@H](F)O,-10\nO[C@@H](C)F,12\n")
    with pytest.warns(UserWarning, match="2 rows are replicates"):
        data = load_dataset(path, "y", polymorphs="mean")
    assert sorted(data.values[:, 0]) == [1.0, 10.0]


def test_molecules_whose_bonds_nobody_wrote_are_not_averaged_by_formula(tmp_path: Path) -> None:
    frame = "2\ny={}\nH 0 0 0\nF 0 0 {}\n"
    path = tmp_path / "two.xyz"
    path.write_text(frame.format(1, 0.9) + frame.format(2, 0.95))
    with pytest.raises(SettingsError, match="molecules, which may be isomers"):
        load_dataset(path, "y", polymorphs="mean")
