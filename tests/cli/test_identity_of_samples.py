"""A model knows by content what it was trained on, and a folder what it was asked for."""

import csv
import json
from pathlib import Path

import pytest

from atomlens.cli import main

SMILES = ["C", "CC", "CCC", "CCO", "CO", "CN", "CCN", "C=C", "C#N", "CF", "CCF", "COC"]


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def replicates(path: Path) -> Path:
    """60 rows of 12 molecules without names; the value is the number of the row."""
    return write(path, "smiles,y", [f"{SMILES[i % 12]},{i}" for i in range(60)])


def ran(*words: object) -> int:
    return main([str(w) for w in words])


def train(*words: object) -> int:
    return ran("train", *words, "--quiet")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("atomlens.training.pipeline.draw", lambda *_: True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("fewer", [[], ["--limit", 30], ["--subset", 20]])
def test_the_test_part_is_what_it_was_in_the_training(tmp_path, capsys, fewer) -> None:
    table = replicates(tmp_path / "t.csv")
    assert train(table, "--target", "y", "--model", "mean", "--out", "m", "--seed", 3, *fewer) == 0
    assert ran("evaluate", "m", table, "--part", "test", "--out", "e", "--quiet") == 0
    there = json.loads(Path("m/metrics.json").read_text())["test"]["targets"]["y"]["mae"]
    here = json.loads(Path("e/metrics.json").read_text())["targets"]["y"]["mae"]
    assert here == pytest.approx(there)
    assert "in the training part too, so the error" in capsys.readouterr().err


def test_other_names_and_another_order_change_nothing(tmp_path) -> None:
    rows = [f"n{i},{s},{i}" for i, s in enumerate(SMILES)]
    write(tmp_path / "a.csv", "name,smiles,y", rows)
    renamed = [f"m{i},{s},{i}" for i, s in reversed(list(enumerate(SMILES)))]
    write(tmp_path / "b.csv", "name,smiles,y", renamed)
    assert train("a.csv", "--model", "mean", "--split", "random:8/2/2", "--out", "m") == 0
    for name in "ab":
        assert ran("evaluate", "m", f"{name}.csv", "--part", "test", "--out", name, "--quiet") == 0
    found = [
        sorted(row["y_true"] for row in csv.DictReader(path.read_text().splitlines()))
        for path in (Path("a/predictions.csv"), Path("b/predictions.csv"))
    ]
    assert found[0] == found[1]


def test_the_same_names_for_other_structures_are_refused(tmp_path, capsys) -> None:
    rows = [f"n{i},{s},{i}" for i, s in enumerate(SMILES)]
    write(tmp_path / "a.csv", "name,smiles,y", rows)
    others = [f"n{i},{s}Cl,{100 + i}" for i, s in enumerate(SMILES) if s != "C#N"]
    write(tmp_path / "b.csv", "name,smiles,y", others)
    assert train("a.csv", "--model", "mean", "--split", "random:8/2/2", "--out", "m") == 0
    assert ran("evaluate", "m", "b.csv", "--part", "test", "--quiet") == 2
    assert "have their names there, but with other structures" in capsys.readouterr().err


def test_all_samples_are_counted_that_the_model_has_seen(tmp_path, capsys) -> None:
    write(tmp_path / "a.csv", "smiles,y", [f"{s},{i}" for i, s in enumerate(SMILES)])
    write(tmp_path / "b.csv", "smiles,y", [f"{s},{i}" for i, s in enumerate([*SMILES, "CCCC"])])
    assert train("a.csv", "--model", "mean", "--split", "random:8/2/2", "--out", "m") == 0
    assert ran("evaluate", "m", "b.csv", "--quiet") == 0
    said = capsys.readouterr().err
    assert "Of the 13 structures 8 in the training part and 2 in the validation part" in said


@pytest.mark.filterwarnings("ignore:.*polymorphs")
def test_data_are_read_as_they_were_for_the_training(tmp_path, capsys) -> None:
    formulas = ["FeO", "NiO", "CoO", "MnO", "TiO", "ZnO", "CaO", "MgO", "LiF", "NaF"]
    rows = [f"{f},{i},{i % 3}" for i, f in enumerate(formulas * 2)]
    write(tmp_path / "t.csv", "formula,y,e", rows)
    said = ["t.csv", "--target", "y", "--model", "mean", "--out", "m", "--polymorphs", "mean"]
    assert train(*said) == 0
    assert ran("evaluate", "m", "t.csv", "--part", "test", "--out", "e", "--quiet") == 0
    assert "Read as the training data were: polymorphs mean." in capsys.readouterr().err
    there = json.loads(Path("m/metrics.json").read_text())["test"]["targets"]["y"]
    here = json.loads(Path("e/metrics.json").read_text())["targets"]["y"]
    assert (here["n"], here["mae"]) == (there["n"], pytest.approx(there["mae"]))
    assert ran("evaluate", "m", "t.csv", "--part", "test", "--polymorphs", "keep") == 2
    assert "--polymorphs keep is not how" in capsys.readouterr().err
    assert ran("evaluate", "m", "t.csv", "--polymorphs", "keep", "--quiet") == 0
    assert "not comparable" in capsys.readouterr().err


def test_a_folder_of_the_first_version_knows_names_only_and_says_so(tmp_path, capsys) -> None:
    table = replicates(tmp_path / "t.csv")
    assert train(table, "--target", "y", "--model", "mean", "--out", "m") == 0
    Path("m/samples.safetensors").unlink()
    settings = json.loads(Path("m/settings.json").read_text())
    for new in ("run", "remarks", "n_without_value"):
        del settings["training"][new]
    del settings["samples_sha256"], settings["answers_sha256"]
    Path("m/settings.json").write_text(json.dumps(settings))
    capsys.readouterr()
    for part in ("test", "all"):
        assert ran("evaluate", "m", table, "--part", part, "--quiet") == 0
        assert "by name only" in capsys.readouterr().err
    same = [table, "--target", "y", "--model", "mean", "--out", "m", "--resume"]
    assert train(*same) == 0
    assert "whether the data are the same is unknown" in capsys.readouterr().err
    assert train(*same, "--seed", 5) == 2


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (["--target", "z"], "the data are not the same"),
        (["--model", "ridge"], "model was 'mean' and is now 'ridge'"),
        (["--seed", 7], "is now 7"),
        (["--split", "random:.6/.2/.2"], "is now 'random:.6/.2/.2'"),
        (["--limit", 20], "the data are not the same"),
        (["--epochs", 5], "epochs was 100 and is now 5"),
        (["--unit", "eV"], "reading.units is given now and was not"),
        (["--extensive"], "extensive"),
    ],
)
def test_a_training_that_is_over_is_not_taken_for_another(tmp_path, capsys, other, words) -> None:
    rows = [f"{s},{i},{2 * i}" for i, s in enumerate(SMILES * 2)]
    write(tmp_path / "t.csv", "smiles,y,z", rows)
    said = ["t.csv", "--target", "y", "--model", "mean", "--out", "m"]
    assert train(*said) == 0
    before = Path("m/settings.json").read_text()
    capsys.readouterr()
    assert train(*said, "--resume") == 0
    assert "Nothing to do: m holds this training of mean for y" in capsys.readouterr().err
    changed = [w for w in said if not (w == "--target" or w == "y") or other[0] != "--target"]
    assert train(*changed, "--resume", *other) == 2
    error = capsys.readouterr().err
    assert words in error
    assert Path("m/settings.json").read_text() == before


def test_other_data_or_parts_under_the_same_names_are_noticed(tmp_path, capsys) -> None:
    rows = [f"n{i},{s},{i}" for i, s in enumerate(SMILES)]
    write(tmp_path / "t.csv", "name,smiles,y", rows)
    names = [f"n{i}" for i in range(12)]
    parts = {"train": names[:8], "validation": names[8:10], "test": names[10:]}
    Path("s.json").write_text(json.dumps(parts))
    said = ["t.csv", "--model", "mean", "--split", "s.json", "--out", "m", "--resume"]
    assert train(*said) == 0
    Path("s.json").write_text(json.dumps({**parts, "train": names[:7]}))
    assert train(*said) == 2
    assert "the parts of the split are not the same" in capsys.readouterr().err
    Path("s.json").write_text(json.dumps(parts))
    write(tmp_path / "t.csv", "name,smiles,y", [*rows[:-1], "n11,COC,12"])
    assert train(*said) == 2
    assert "the data are not the same" in capsys.readouterr().err


def test_a_start_that_fails_does_not_block_the_corrected_command(tmp_path, capsys) -> None:
    write(tmp_path / "t.csv", "smiles,y", [f"{s},{i}" for i, s in enumerate(SMILES * 2)])
    small = [
        "--set",
        "model.n_layers=1",
        "--set",
        "model.n_features=8",
        "--set",
        "model.n_hidden=8",
    ]
    said = ["t.csv", "--model", "cgcnn", "--epochs", 2, "--out", "m", *small]
    wrong = ["--set", "learning_rate=1e18", "--set", "clipping=none", "--set", "loss=mse"]
    assert train(*said, *wrong, "--set", "schedule=constant") == 2
    assert not Path("m").exists()
    assert train(*said, "--set", "reference=elements") == 0
    assert Path("m/settings.json").is_file()


@pytest.mark.filterwarnings("ignore:.*no number is converted")
def test_a_column_named_in_other_letters_trains(tmp_path) -> None:
    write(
        tmp_path / "t.csv", "smiles,Gap [eV],gap2", [f"{s},{i},{i}" for i, s in enumerate(SMILES)]
    )
    for number, target in enumerate(["Gap [eV]", "gap", "GAP2"]):
        said = ["t.csv", "--target", target, "--model", "mean", "--out", f"m{number}"]
        assert train(*said, "--extensive", "--unit", "meV") == 0
    kept = json.loads(Path("m1/settings.json").read_text())["scaling"]["targets"][0]
    assert (kept["name"], kept["unit"], kept["extensive"]) == ("Gap", "meV", True)


def test_to_a_model_of_formulas_a_crystal_is_the_formula_that_it_has_learned() -> None:
    import numpy as np
    from ase.build import bulk

    import atomlens as al
    from atomlens.structures.arrays import StructureArrays

    model = al.load("box:formula-gap")
    salt, strange = bulk("NaCl", "rocksalt", a=5.64), bulk("XeKr", "rocksalt", a=6.0)
    known, unknown = model.predict([salt, strange], n_workers=1).seen
    assert known == model.predict("NaCl").seen[0] != ""
    assert unknown == ""
    arrays = StructureArrays.from_atoms([salt, strange])
    np.testing.assert_array_equal(model.was_in(arrays, known), [True, False])
    crystals = al.load("box:mp")  # reads positions: another lattice of NaCl is another crystal
    assert crystals.predict(bulk("NaCl", "rocksalt", a=4.0)).seen[0] == ""
    silicon = bulk("Si", "diamond", a=3.849279 * 2**0.5, cubic=True).repeat((2, 1, 1))
    assert crystals.predict(silicon).seen[0] == "train"  # its two atoms were


def test_cells_of_one_crystal_on_both_sides_of_a_split_are_counted(tmp_path, capsys) -> None:
    """Their energies grow with the cell, which is no contradiction of theirs."""
    from ase.build import bulk
    from ase.io import write

    frames = []
    for a in (4.0, 4.1, 4.2, 4.3, 4.4, 4.5):
        for cubic in (False, True):
            salt = bulk("MgO", "rocksalt", a=a, cubic=cubic)
            salt.info["y"] = len(salt) * a
            frames.append(salt)
    write("cells.extxyz", frames)
    said = ["cells.extxyz", "--target", "y", "--model", "mean", "--split", "random:8/2/2"]
    assert train(*said, "--extensive", "--out", "m") == 0
    words = capsys.readouterr().err
    assert "have their structure in the training part too" in words
    assert "different values" not in words
    assert train(*said, "--out", "n") == 0
    assert "6 structure(s) stand in several rows with different values" in capsys.readouterr().err
