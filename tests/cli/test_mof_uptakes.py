"""A folder of CIF files with a table of uptakes: several pressures in one model, and charges."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from atomlens.cli import main
from atomlens.datasets import load_dataset
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.training.data import prepare
from atomlens.training.optimizer import make_optimizer
from atomlens.training.settings import TrainSettings

TARGETS = ["uptake_015", "uptake_16"]
N = 12
TINY = [
    *("--set", "model.n_layers=1", "--set", "model.n_features=8", "--set", "model.n_hidden=8"),
    *("--set", "model.n_edge_features=4", "--epochs", "2", "--batch-size", "4"),
]


def cif(side: float, charge: float | None) -> str:
    """A cubic oxide of zinc with its charges, or none."""
    header = ["_atom_site_charge"] if charge is not None else []
    charges = ["", ""] if charge is None else [f" {charge:.3f}", f" {-charge:.3f}"]
    lines = [
        "data_oxide",
        *(f"_cell_length_{letter} {side}" for letter in "abc"),
        *(f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma")),
        "loop_",
        "_atom_site_type_symbol",
        *(f"_atom_site_fract_{axis}" for axis in "xyz"),
        *header,
        f"Zn 0 0 0{charges[0]}",
        f"O 0.5 0.5 0.5{charges[1]}",
    ]
    return "\n".join(lines) + "\n"


def write_folder(folder: Path, uncharged: tuple[int, ...] = ()) -> Path:
    """CIF files beside a table of their uptakes; returns the table."""
    folder.mkdir()
    rows = ["file,uptake_015 [mmol/g],uptake_16 [mmol/g]"]
    for i in range(N):
        charge = None if i in uncharged else 0.5 + i / 100
        (folder / f"mof{i}.cif").write_text(cif(3.0 + i / 10, charge))
        rows.append(f"mof{i}.cif,{0.1 * i},{2 + 0.5 * i}")
    table = folder / "uptakes.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


def train(table: Path, out: Path, model: str = "ae-cgcnn") -> int:
    cache = f"cache_dir={out.parent}/cache"
    targets = [word for target in TARGETS for word in ("--target", target)]
    fixed = ["train", str(table), "--model", model, "--out", str(out), "--set", cache]
    return main([*fixed, *targets, *TINY])


def test_uptakes_at_two_pressures_are_one_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = write_folder(tmp_path / "mofs"), tmp_path / "model"
    assert train(table, out) == 0
    assert "charges, which this model reads" not in capsys.readouterr().err
    settings = json.loads((out / "settings.json").read_text())
    assert settings["model"]["config"]["n_outputs"] == 2
    assert main(["predict", str(out), str(table.parent / "mof3.cif"), "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert all(np.isfinite(found[target]) for target in TARGETS)
    assert [t.unit for t in load_dataset(table, TARGETS).targets] == ["mmol/g"] * 2


def write_published(folder: Path) -> Path:
    """A table as Moosavi et al. (2020) published theirs: names without ending, CIFs elsewhere."""
    write_folder(folder / "cifs")
    rows = ["MOFname,Di,density [g/cm^3],pure_uptake_CO2_298.00_15000,logKH_CO2"]
    rows += [f"mof{i},{4 + i},1.5,{0.1 * i},{-5.0 - i}" for i in range(N)]
    table = folder / "full_CoRE2019_alldata.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


def test_a_published_table_finds_its_structures_in_their_folder(tmp_path: Path) -> None:
    table = write_published(tmp_path)
    data = load_dataset(
        table,
        "pure_uptake_CO2_298.00_15000",
        structure_column="MOFname",
        structure_folder=tmp_path / "cifs",
        units={"pure_uptake_CO2_298.00_15000": "mmol/g"},
    )
    assert len(data) == N
    assert data.structures.names[3] == "mof3"
    assert data.values[3, 0] == pytest.approx(0.3)
    assert data.targets[0].unit == "mmol/g"
    assert data.structures[0].charges is not None


def test_a_published_table_trains_as_typed(tmp_path: Path) -> None:
    table = write_published(tmp_path)
    code = main(
        [
            *("train", str(table), "--structure-column", "MOFname"),
            *("--structure-folder", str(tmp_path / "cifs")),
            *("--target", "pure_uptake_CO2_298.00_15000", "--unit", "mmol/g"),
            *("--model", "ae-cgcnn", "--out", str(tmp_path / "model")),
            *("--set", f"cache_dir={tmp_path}/cache"),
            *TINY,
        ]
    )
    assert code == 0


def test_files_beside_the_table_need_no_ending(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "mofs").parent
    table = folder / "named.csv"
    table.write_text("file,uptake\nmof1,0.1\nmof2.cif,0.2\nmof99,0.3\n")
    data = load_dataset(table)
    assert data.structures.names == ("mof1", "mof2")
    (failure,) = data.failures
    assert "mof99: there is no such file" in failure.message


def test_a_folder_of_structures_that_does_not_exist_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = str(write_published(tmp_path))
    about = ("--structure-column", "MOFname", "--structure-folder", "nowhere", "--target", "Di")
    assert main(["train", table, *about, "--out", str(tmp_path / "model")]) == 2
    assert "nowhere: there is no such folder of structures." in capsys.readouterr().err


def test_predictions_feel_the_charges_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = write_folder(tmp_path / "mofs"), tmp_path / "model"
    assert train(table, out) == 0
    found = []
    for charge in (0.5, 1.5, None):
        (tmp_path / "one.cif").write_text(cif(4.0, charge))
        capsys.readouterr()
        assert main(["predict", str(out), str(tmp_path / "one.cif"), "--format", "json"]) == 0
        found.append(json.loads(capsys.readouterr().out)[0]["uptake_16"])
    assert len(set(found)) == 3


def test_charges_of_the_files_reach_the_batch_and_missing_ones_are_zero(tmp_path: Path) -> None:
    data = load_dataset(write_folder(tmp_path / "mofs", uncharged=(4,)), TARGETS)
    settings = TrainSettings(cache_dir=str(tmp_path / "cache"))
    prepared = prepare(data, make_builder("nearest"), settings, None)
    names = prepared.dataset.structures.names
    rows = [names.index(f"mof{i}") for i in (3, 4)]
    charges = prepared.store.batch(torch.tensor(rows)).charges
    assert charges is not None
    assert charges.tolist() == pytest.approx([0.53, -0.53, 0.0, 0.0])


def test_missing_charges_are_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_folder(tmp_path / "mofs", uncharged=(4, 7))
    assert train(table, tmp_path / "model") == 0
    said = capsys.readouterr().err
    assert said.count(f"are missing in 2 of {N} structures") == 1
    assert "mof4" in said


def test_a_model_that_reads_no_charges_does_not_ask_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(write_folder(tmp_path / "mofs", tuple(range(N))), tmp_path / "m", "cgcnn") == 0
    assert "charges, which this model reads" not in capsys.readouterr().err


def test_the_penalty_of_the_recipes_is_a_weight_decay_of_all_parameters() -> None:
    model = make_model("ae-cgcnn", n_layers=1, n_features=8, n_edge_features=4)
    settings = TrainSettings(regularization=2.5e-4)
    (group,) = make_optimizer(model, settings, torch.device("cpu")).param_groups
    assert group["weight_decay"] == pytest.approx(5e-4)
    assert len(group["params"]) == len(list(model.parameters()))
