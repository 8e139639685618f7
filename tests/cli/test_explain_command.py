"""``atomlens explain``: every file of the contract, for every input."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule

from atomlens.cli import main
from atomlens.cli.explain import leading_atoms
from atomlens.neighbors import make_builder
from atomlens.predictor import load
from atomlens.reports.wording import sum_sentence
from atomlens.targets import Target
from model_makers import small_model
from question_makers import trained_around


def _explain(model: Path, *arguments: object) -> int:
    return main(["explain", str(model), *map(str, arguments)])


def test_one_input_gives_page_picture_structure_and_numbers(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ase.io import read

    out = tmp_path / "pages"
    assert _explain(model_folder, structures / "water.xyz", "--out", out) == 0
    assert {p.name for p in out.iterdir()} == {
        "atoms.csv",
        *(f"water.{s}" for s in ("html", "png", "extxyz", "json")),
    }
    content = json.loads((out / "water.json").read_text())
    assert {"name", "target", "method", "prediction", "scores", "symbols"} <= set(content)
    assert content["name"] == "water"
    assert content["method"] == "attention"
    assert content["symbols"] == ["O", "H", "H"]
    assert sum(content["scores"]) == pytest.approx(1.0, abs=1e-5)
    atoms = read(out / "water.extxyz")
    assert atoms.arrays["attention"] == pytest.approx(content["scores"], abs=1e-6)
    assert (out / "water.png").read_bytes().startswith(b"\x89PNG")
    assert "water" in capsys.readouterr().out


def test_the_page_loads_nothing_from_a_network(
    model_folder: Path, structures: Path, tmp_path: Path
) -> None:
    _explain(model_folder, structures / "water.xyz", "--out", tmp_path)
    page = (tmp_path / "water.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert '<link rel="stylesheet"' not in page


def test_several_inputs_get_an_index_and_a_bad_one_is_listed(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages"
    assert _explain(model_folder, structures, "--out", out) == 1
    names = {p.name for p in out.iterdir()}
    assert {"index.html", "water.html", "methane.html"} <= names
    with (out / "atoms.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for name in ("water", "methane"):
        own = [row for row in rows if row["file"] == name]
        content = json.loads((out / f"{name}.json").read_text())
        assert [row["element"] for row in own] == content["symbols"]
        assert [float(row["score"]) for row in own] == content["scores"]
        assert [row["atom"] for row in own] == [str(i) for i in range(len(own))]
        assert all(row["x"] and row["z"] for row in own)
    assert "broken.html" not in names
    shown = capsys.readouterr()
    assert "broken.xyz" in shown.err
    assert "index.html" in shown.out


def test_an_index_can_be_the_only_page(model_folder: Path, tmp_path: Path) -> None:
    several, one = tmp_path / "several", tmp_path / "one"
    assert _explain(model_folder, "CCO", "CCN", "CC", "--index-only", "--out", several) == 0
    assert [p.name for p in several.glob("*.html")] == ["index.html"]
    assert len(list(several.glob("*.png"))) == len(list(several.glob("*.json"))) == 3
    assert _explain(model_folder, "CCO", "--index-only", "--out", one) == 0
    assert [p.name for p in one.glob("*.html")] == ["CCO.html"]  # there is no index


def test_the_largest_scores_have_their_unit(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = load(model_folder).targets[0].unit
    assert _explain(model_folder, "CCO", "--method", "occlusion", "--out", tmp_path) == 0
    assert f"largest scores ({unit})" in capsys.readouterr().out
    assert json.loads((tmp_path / "CCO.json").read_text())["score_unit"] == unit


def test_equal_atoms_are_one_entry_of_the_table(model_folder: Path) -> None:
    atoms = molecule("CH3OH")
    symbols = atoms.get_chemical_symbols()
    assert symbols == ["C", "O", "H", "H", "H", "H"]
    scores = np.array([0.1, 0.3, 0.2, 0.2, 0.05, 0.2000001])
    found = load(model_folder).explain("CCO", method="occlusion")
    explanation = replace(found, atoms=atoms, scores=scores)
    assert leading_atoms(explanation) == "O1 0.300, H2 (×3) 0.200, C0 0.100"
    assert leading_atoms(explanation, 1) == "O1 0.300"
    atoms.info["is_formula"] = True
    assert leading_atoms(explanation) == "O 0.300, H (×3) 0.200, C 0.100"


def test_a_smiles_makes_file_names_that_every_system_takes(
    model_folder: Path, tmp_path: Path
) -> None:
    assert _explain(model_folder, "C/C=C/C", "F/C=C/F", "--out", tmp_path) == 0
    pages = {p.name for p in tmp_path.glob("*.html")}
    assert pages == {"C_C_C_C.html", "F_C_C_F.html", "index.html"}


def test_nothing_usable_is_two(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _explain(model_folder, structures / "broken.xyz", "--out", tmp_path / "p") == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "atention"], "Did you mean 'attention'?"),
        (["--target", "sgnal"], "Did you mean 'signal'?"),
    ],
)
def test_a_wrong_choice_is_offered_the_nearest(
    arguments: list[str], message: str, model_folder: Path, structures: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    code = _explain(model_folder, structures / "water.xyz", "--out", tmp_path, *arguments)
    assert code == 2
    assert message in capsys.readouterr().err


def test_an_element_that_the_training_data_lacked_is_pointed_out(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gold.xyz").write_text("2\ngold hydride\nAu 0 0 0\nH 0 0 1.52\n")
    out = tmp_path / "pages"
    assert _explain(model_folder, tmp_path / "gold.xyz", "--out", out) == 0
    assert "the training data had no Au" in json.loads((out / "gold.json").read_text())["warning"]
    assert "the training data had no Au" in (out / "gold.html").read_text()
    assert "gold: the training data had no Au" in capsys.readouterr().err


@pytest.mark.filterwarnings("always:.*deuterium")
def test_what_a_reader_says_is_told_once(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.xyz").write_text("2\ngold deuteride\nAu 0 0 0\nD 0 0 1.52\n")
    out = tmp_path / "pages"
    assert _explain(model_folder, tmp_path / "x.xyz", "--out", out) == 0
    said = capsys.readouterr().err
    assert said.count("deuterium") == said.count("had no Au") == 1
    assert "deuterium" in json.loads((out / "x.json").read_text())["warning"]


def additive_model(folder: Path, **target: Any) -> Path:
    """A `lens` with random weights, whose training values had a mean of -6 eV."""
    trained = trained_around(
        small_model("lens").float(),
        builder=make_builder("voronoi"),
        targets=(Target(name="homo", unit="eV", **target),),
        mean=-6.0,
        std=0.5,
    )
    return replace(trained, model_name="lens").save(folder)


def test_an_additive_model_shows_signed_contributions_that_add_up(
    structures: Path, tmp_path: Path
) -> None:
    from ase.io import read

    model, out = additive_model(tmp_path / "model"), tmp_path / "pages"
    assert _explain(model, structures / "water.xyz", "--out", out) == 0
    content = json.loads((out / "water.json").read_text())
    assert content["method"] == "contribution"
    assert content["score_unit"] == "eV"
    assert content["baseline"] == 0
    assert content["offset"] == -6.0
    assert content["offset"] + sum(content["scores"]) == pytest.approx(
        content["prediction"], rel=1e-5
    )
    atoms = read(out / "water.extxyz")
    assert atoms.arrays["contribution"] == pytest.approx(content["scores"], abs=1e-6)
    page = (out / "water.html").read_text(encoding="utf-8")
    assert "−6.000 (mean of the training values)" in page


def test_a_value_that_a_bound_has_changed_is_told(structures: Path, tmp_path: Path) -> None:
    model = additive_model(tmp_path / "model", nonnegative=True)
    explained = load(model).explain(structures / "water.xyz")
    below = replace(explained, prediction=0.0, scores=-np.abs(explained.scores))
    assert "0 is predicted" in sum_sentence(below.picture())
    mean = sum_sentence(replace(below, prediction=0.25).picture())
    assert "counts as 0 before their mean is taken, so 0.2" in mean
    assert "0 is predicted" not in sum_sentence(
        replace(explained, prediction=float(explained.scores.sum())).picture()
    )


def test_a_method_that_a_model_lacks_names_those_it_has(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (structures / "water.xyz", "--method", "contribution", "--out", tmp_path / "x")
    assert _explain(model_folder, *given) == 2
    assert "attention, occlusion" in capsys.readouterr().err


def test_molecules_are_also_drawn_in_2d_where_bonds_are_known(tmp_path, capsys) -> None:
    code = main(["explain", "qm9", "CCO", "formula:H2O", "--draw", "2d", "--out", str(tmp_path)])
    said = capsys.readouterr().err
    svg = (tmp_path / "CCO.svg").read_text(encoding="utf-8")
    assert svg.count("class='disc'") == 3
    assert "contribution per atom with its hydrogens, eV" in svg
    assert [path.name for path in tmp_path.glob("*.svg")] == ["CCO.svg"]
    assert "H2O: this is a bare formula without positions" in said
    assert code == 1


def test_what_is_explained_is_written_before_the_next_one(
    model_folder: Path, structures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atomlens.cli import explain as module

    asked = []

    def stopped(model, item, options, cells):
        asked.append(item)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return explained(model, item, options, cells)

    explained = module.explained
    monkeypatch.setattr(module, "explained", stopped)
    out = tmp_path / "out"
    words = ["explain", str(model_folder), str(structures / "water.xyz"), "CCO", "--out", str(out)]
    assert main(words) == 130
    assert (out / "water.json").is_file()
    assert not (out / "CCO.json").exists()


def test_an_index_of_many_shows_the_first(
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from atomlens.predictor import explanation_files

    monkeypatch.setattr(explanation_files, "MOST_IN_INDEX", 2)
    smiles = ["CCO", "CCOC", "CCOCC"]
    words = ["explain", str(model_folder), *smiles, "--out", str(tmp_path), "--workers", "2"]
    assert main([*words, "--method", "attention"]) == 0
    assert "It shows the first 2 of 3" in capsys.readouterr().out
    assert all((tmp_path / f"{one}.html").is_file() for one in smiles)
    page = (tmp_path / "index.html").read_text()
    assert '"CCOC"' in page
    assert '"CCOCC"' not in page


def test_explanations_name_the_file_that_they_are_of(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "water.xyz").write_text((structures / "water.xyz").read_text())
    files, out = [structures / "water.xyz", other / "water.xyz"], tmp_path / "out"
    words = ["explain", model_folder, *files, "--out", out]
    assert main([*map(str, words)]) == 0
    shown = capsys.readouterr().out
    told = {json.loads(path.read_text())["source"] for path in out.glob("*.json")}
    assert told == {str(file) for file in files}
    assert all(str(file) in shown for file in files)
    swapped = tmp_path / "swapped"
    words = ["explain", "box:formula-gap", "formula:SiC", "SiC", "--out", swapped]
    assert main([*map(str, words), "--method", "counterfactual"]) == 0
    shown = capsys.readouterr().out
    assert "(formula:SiC): band_gap" in shown
    told = {json.loads(path.read_text())["source"] for path in swapped.glob("*.json")}
    assert told == {"formula:SiC", "SiC"}


@pytest.mark.filterwarnings("ignore:.*left out, since")
def test_pages_among_the_inputs_are_told(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their NAME.extxyz are structures, which the next run would read beside the inputs."""
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    (inputs / "water.xyz").write_text((structures / "water.xyz").read_text())
    for out in (inputs, inputs / "pages"):
        assert _explain(model_folder, inputs, "--out", out) == 0
        assert f"{out} lies in the folder of inputs {inputs}" in capsys.readouterr().err
    for given, out in ((inputs, tmp_path / "a"), (inputs / "water.xyz", inputs / "b")):
        assert _explain(model_folder, given, "--out", out) == 0
        assert "lies in the folder" not in capsys.readouterr().err
