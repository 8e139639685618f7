"""``atomlens study enz``: lists of formulas and known spectra in, a ranked table out."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

import atomlens as al
from atomlens.cli import main
from atomlens.datasets import save_packed
from atomlens.datasets.base import Dataset
from atomlens.datasets.split_files import fold_key
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.formulas import from_formula
from atomlens.targets import Target

PARTS = ("eps_re", "eps_im")
GRID = np.linspace(0.5, 6.0, 23)
ZEROS = {"Ag": 3.8, "Au": 2.5, "Cu": 2.1, "TiN": 2.6, "Na": 5.5, "SiO2": 9.0, "Al2O3": 9.5}
"""Where the made-up real part falls through zero, eV."""


@pytest.fixture(scope="session")
def spectra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Known spectra, with two folds."""
    real = np.stack([zero - GRID for zero in ZEROS.values()])
    targets = (Target(name=name, grid=tuple(GRID.tolist())) for name in PARTS)
    rows = np.arange(len(ZEROS))
    data = Dataset(
        name="spectra",
        structures=StructureArrays.from_atoms([from_formula(f) for f in ZEROS]),
        targets=tuple(targets),
        values=np.concatenate([real, np.ones_like(real)], axis=1),
        splits={fold_key(str(k)): rows[k::2] for k in range(2)},
    )
    return save_packed(data, tmp_path_factory.mktemp("enz") / "spectra.npz")


def train_mean(data: Dataset, folder: Path, **settings: str) -> None:
    """Train the model that always says the mean of the known spectra."""
    cache = str(folder.parent)
    al.train(data, model="mean", target=PARTS, out=folder, cache_dir=cache, **settings)


@pytest.fixture(scope="session")
def folds(spectra: Path) -> list[Path]:
    """A model of each fold."""
    out = [spectra.parent / f"fold-{k}" for k in range(2)]
    for k, folder in enumerate(out):
        train_mean(al.load_dataset(spectra), folder, split=f"fold:{k}")
    return out


def _enz(*arguments: object) -> int:
    return main(["study", "enz", *map(str, arguments)])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_list_of_formulas_becomes_a_ranked_table(
    folds: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("formula,e_above_hull [meV/atom]\nPt,0\nXx,0\nPd,90\n")
    out = tmp_path / "out"
    models = [a for folder in folds for a in ("--model", folder)]
    assert _enz(table, *models, "--out", out) == 1
    shown = capsys.readouterr()
    assert "Xx" in shown.err
    assert "crossover [eV]" in shown.out
    found = _rows(out / "candidates.csv")
    assert [(row["formula"], row["passes"]) for row in found] == [("Pt", "1.0"), ("Pd", "0.0")]
    assert {"study.json", "dispersion.png", "spectra.csv"} <= {p.name for p in out.iterdir()}
    content = json.loads((out / "study.json").read_text())
    assert content["claims"] == []  # F10 is about compounds that are not among these
    assert content["counts"]["candidates"] == 1


def test_formulas_may_be_typed_and_are_no_smiles(
    folds: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _enz("CO", "PtO", "--model", folds[0], "--out", tmp_path / "out") == 0
    assert {row["formula"] for row in _rows(tmp_path / "out" / "candidates.csv")} == {"CO", "PtO"}


def test_each_fold_judges_what_it_has_not_seen(
    spectra: Path, folds: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    models = [a for folder in folds for a in ("--model", folder)]
    assert _enz(spectra, *models, "--out", out, "--set", "highest=6") == 0
    assert {
        row["formula"]: row["members"] for row in _rows(out / "candidates.csv")
    } == dict.fromkeys(ZEROS, "1")
    confusion = {(r["crosses"], r["predicted"]): int(r["n"]) for r in _rows(out / "confusion.csv")}
    assert confusion["yes", "yes"] + confusion["yes", "no"] == 5
    assert confusion["no", "yes"] + confusion["no", "no"] == 2
    assert (out / "check.png").exists()


def test_all_lets_every_model_judge(spectra: Path, folds: list[Path], tmp_path: Path) -> None:
    models = [a for folder in folds for a in ("--model", folder)]
    assert _enz(spectra, *models, "--all", "--out", tmp_path / "out") == 0
    assert {row["members"] for row in _rows(tmp_path / "out" / "candidates.csv")} == {"2"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Ag"], "--model"),
        (["--model", "SPECTRA"], "name the structures"),
        (["Xx", "--model", "SPECTRA"], "'Xx' is not an element"),
        (["nowhere.csv", "--model", "SPECTRA"], "nowhere.csv"),
        (["Pt", "--model", "GAP"], "neither 'eps_re' nor 'eps_im'"),
        (["Pt", "--model", "SPECTRA", "--set", "direction=left"], "direction"),
        (["Pt", "--model", "SPECTRA", "--set", "exclude=no.txt"], "no.txt"),
    ],
)
def test_a_mistake_is_one_sentence_and_two(
    arguments: list[str],
    message: str,
    folds: list[Path],
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {"SPECTRA": str(folds[0]), "GAP": str(model_folder)}
    assert _enz(*[folders.get(a, a) for a in arguments], "--out", "out") == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_grid_in_wavelengths_is_refused(
    spectra: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = al.load_dataset(spectra)
    data = replace(data, targets=tuple(replace(t, grid_unit="nm") for t in data.targets))
    train_mean(data, tmp_path / "nm")
    assert _enz("Pt", "--model", tmp_path / "nm", "--out", tmp_path / "out") == 2
    assert "photon energies in eV" in capsys.readouterr().err


def test_a_screening_measures_what_the_study_does(folds: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    formulas = [f"formula:{name}" for name in ("Pt", "PdO", "Ag", "TiO2")]
    models = [a for folder in folds for a in ("--model", folder)]
    plain = [one.removeprefix("formula:") for one in formulas]
    settings = ("--set", "direction=both", "--set", "limit=0.7")
    assert _enz(*plain, *models, "--all", "--out", tmp_path / "study", *settings) == 0
    out = tmp_path / "screen"
    words = [*folds, *formulas, "--out", out, "--measure", "enz", *settings, "--shard-size", 2]
    assert main(["screen", *map(str, words), "--where", "enz_passes >= 0"]) == 0
    found = pandas.read_parquet(out / "results.parquet").set_index("name")
    study = {row["name"]: row for row in _rows(tmp_path / "study" / "candidates.csv")}
    assert set(found.index) == set(study)
    for name, row in study.items():
        for column, word in (
            ("enz_passes", "passes"),
            ("enz_crossover", "crossover [eV]"),
            ("enz_crossover_std", "crossover_std [eV]"),
            ("enz_loss", "loss"),
            ("enz_window_width", "window_width [eV]"),
        ):
            assert found.loc[name, column] == pytest.approx(float(row[word])), (name, column)
        assert found.loc[name, "enz_range"] == row["range"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["formula-gap", "Pt", "--measure", "enz"], "neither 'eps_re' nor 'eps_im'"),
        (["formula-gap", "Pt", "--measure", "ens"], "Did you mean 'enz'"),
        (["formula-gap", "Pt", "--set", "direction=up"], "--measure"),
    ],
)
def test_a_measure_that_does_not_fit_is_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["screen", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
