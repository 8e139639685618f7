"""``atomlens train`` on a table of formulas, as typed."""

import json
from pathlib import Path

import pytest

from atomlens.cli import main

FORMULAS = "NaCl KCl MgO CaO TiO2 Ti2O4 Fe2O3 Al2O3 SiO2 GaAs ZnS ZnO LiF Cu Fe".split()
TINY = ["--set", "model.n_features=8", "--set", "model.n_hidden=[8,8,8,8]", "--epochs", "1"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    rows = [f"{formula},{number / 4},{-number}" for number, formula in enumerate(FORMULAS)]
    path.write_text("\n".join(["formula,gap [eV],energy", *rows]))
    return path


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("model", ["finder", "rescnn", "rf-magpie"])
def test_a_table_of_formulas_is_the_whole_story(
    model: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    typed = ["train", str(table), "--target", "gap", "--model", model, "--out", str(out)]
    fewer = ["--set", "model.n_trees=3"] if model == "rf-magpie" else TINY
    cache = ["--set", f"cache_dir={tmp_path}/cache"]
    choice = ["--polymorphs", "lowest", "--energy-column", "energy"]
    assert main([*typed, *fewer, *cache, *choice]) == 0
    assert "2 rows are polymorphs of 1 formulas" in capsys.readouterr().err
    split = json.loads((out / "split.json").read_text())
    names = {name for part in split.values() for name in part}
    assert len(names) == len(FORMULAS) - 1
    assert "TiO2" not in names
    assert main(["predict", str(out), "TiO2", "Ti3O6", "--format", "json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["gap"] == pytest.approx(second["gap"])
    assert first["unit"] == "eV"


@pytest.mark.filterwarnings("default")
def test_a_column_of_formulas_is_one_whatever_it_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import atomlens as al

    table, out = tmp_path / "t.csv", tmp_path / "model"
    names = ["C", "BN", "CO", *FORMULAS]
    table.write_text("material,gap [eV]\n" + "".join(f"{n},{i}\n" for i, n in enumerate(names)))
    typed = ["train", str(table), "--target", "gap", "--model", "ridge", "--out", str(out)]
    assert main([*typed, "--structure-column", "material"]) == 0
    assert "'material' holds formulas" in capsys.readouterr().err
    model = al.load(out)
    assert model.reads_formulas
    assert main(["evaluate", str(out), str(table), "--part", "train"]) == 0
    for more, said in (("CCO,2\n", "molecules"), ("smiles:CC,2\n", "both")):
        table.write_text("material,gap [eV]\nSiO2,1\nC,3\nNaCl,4\n" + more)
        data = al.load_dataset(table, structure_column="material")
        carbon = data.structures[1].atomic_numbers
        assert len(carbon) == (5 if said == "molecules" else 1)


def test_names_of_files_are_no_formulas(tmp_path: Path) -> None:
    import atomlens as al

    for name in ("C", "SiO2", "NaCl"):
        (tmp_path / f"{name}.cif").write_text(
            "data_x\n_cell_length_a 4\n_cell_length_b 4\n_cell_length_c 4\n_cell_angle_alpha 90\n"
            "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_atom_site_label\n"
            "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nNa1 0 0 0\nCl1 .5 .5 .5\n"
        )
    table = tmp_path / "t.csv"
    table.write_text("mof,gap\nC,1\nSiO2,2\nNaCl,3\n")
    data = al.load_dataset(table, structure_column="mof")  # a warning would be an error
    assert data.structures.pbc.all()
    assert data.structures.n_atoms.tolist() == [2, 2, 2]
