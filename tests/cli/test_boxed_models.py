"""Models of the box as typed: listed, described, asked, verified."""

import json
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from atomlens.cli import main
from atomlens.datasets import load_packed, save_packed
from atomlens.datasets.base import Dataset
from atomlens.predictor import Predictor, score
from atomlens.predictor.folder import box as the_box
from atomlens.predictor.folder.saving import save
from atomlens.predictor.record import About
from atomlens.predictor.samples import TrainingSamples
from atomlens.structures.arrays import StructureArrays

RECIPES = Path(__file__).parents[2] / "recipes"
PARTS = {"train": range(20), "validation": range(20, 30), "test": range(30, 40)}
ABOUT = About(
    summary="A small model for tests.",
    data="Made molecules.",
    licence="none",
    split="in order",
    command="none",
    compute="0 s",
    needs="the file data.npz of this test",
    not_for=("It is not for use.",),
    published={"signal": 0.5},
    published_by="somebody",
)


def boxed_and_data(model_folder: Path, place: Path) -> tuple[Path, Path]:
    """Write a trained model as one of the box, with the data of its test beside."""
    from ase.build import molecule

    model = Predictor.load(model_folder)
    atoms = [molecule(n) for n in ("H2O", "CH4", "CH3CH2OH", "C2H4", "C6H6") * 8]
    for i, one in enumerate(atoms):
        one.positions *= 1 + 0.01 * i
        one.info["name"] = f"molecule-{i}"
    structures = StructureArrays.from_atoms(atoms)
    values = np.random.default_rng(0).normal(size=(40, len(model.targets)))
    data = Dataset(name="made", structures=structures, targets=model.targets, values=values)
    save_packed(data, place / "data.npz", precision="float64")
    rows = {part: np.array(chosen) for part, chosen in PARTS.items()}
    prediction = model.predict(structures.subset(rows["test"]))
    record = replace(
        model.record,
        data="made",
        about=ABOUT,
        samples=TrainingSamples.of(data, rows).slim(),
        split={p: tuple(f"molecule-{i}" for i in rows[p]) for p in ("validation", "test")},
    )
    metrics = {"test": score(prediction, values[rows["test"]]).to_dict()}
    boxed = replace(model, record=record, metrics=metrics).save(place / "box" / "small")
    return boxed, place / "data.npz"


@pytest.fixture
def boxed(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A box with one model, `small`; its data are in data.npz here."""
    folder, _ = boxed_and_data(model_folder, tmp_path)
    monkeypatch.setattr(the_box, "BOX", tmp_path / "box")
    monkeypatch.chdir(tmp_path)
    return folder


def test_it_is_listed_first_with_its_error(boxed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("small") < shown.index("scann-plus")
    assert main(["models", "list", "--format", "json"]) == 0
    last = json.loads(capsys.readouterr().out)[-1]
    assert (last["model"], last["trained"], last["reads"]) == ("small", True, "structures")
    mae = json.loads((boxed / "metrics.json").read_text())["test"]["targets"]["signal"]["mae"]
    assert last["errors"]["signal"]["mae"] == mae
    assert f"{mae:.3g}" in shown


def test_its_card_says_licence_limits_and_others(
    boxed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "info", "small"]) == 0
    card = capsys.readouterr().out
    for words in ("Licence: none", "It is not for use.", "| somebody |", "A small model for tests"):
        assert words in card


def test_it_answers_by_name(boxed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "small", "CCO", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["formula"] == "C2H6O"
    assert main(["explain", "small", "CCO", "--out", "pages", "--quiet"]) == 0
    assert Path("pages").is_dir()


def test_a_folder_of_that_name_goes_first_and_it_is_said(
    boxed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(boxed, "small")
    assert main(["predict", "small", "CCO"]) == 0
    assert "the model of the box is box:small" in capsys.readouterr().err


def test_an_unknown_name_is_a_sentence(boxed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "smal", "CCO"]) == 2
    assert "Did you mean 'small'?" in capsys.readouterr().err
    assert main(["models", "info", "smal"]) == 2
    assert "Did you mean 'small'?" in capsys.readouterr().err


def test_its_test_is_repeated(boxed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "small", "--data", "data.npz"]) == 0
    shown = capsys.readouterr().out
    assert "10 samples of the test part" in shown
    assert "DIFFERS" not in shown


def test_another_error_than_the_card_says_is_found(
    boxed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = json.loads((boxed / "metrics.json").read_text())
    metrics["test"]["targets"]["signal"]["mae"] *= 1.1
    (boxed / "metrics.json").write_text(json.dumps(metrics))
    assert main(["models", "verify", "small", "--data", "data.npz"]) == 2
    captured = capsys.readouterr()
    assert "DIFFERS" in captured.out
    assert "not what its card says" in captured.err


def test_it_is_calibrated_anew_with_the_same_weights(
    boxed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(RECIPES))
    finishing = import_module("box_finish")
    data = load_packed(Path("data.npz"))
    splits = {part: np.array(rows) for part, rows in PARTS.items()}
    before = json.loads((boxed / "metrics.json").read_text())["test"]["targets"]["signal"]
    save(Predictor.load(boxed), boxed, half=True)  # as in the box
    weights = (boxed / "model.safetensors.gz").read_bytes()
    place = finishing.again(boxed, replace(data, splits=splits))
    assert (place / "model.safetensors.gz").read_bytes() == weights
    assert not (place / "model.safetensors").exists()
    made = Predictor.load(place)
    assert made.calibration.targets[0] is not None
    assert made.calibration.targets[0].n == 10
    after = made.metrics["test"]["targets"]["signal"]
    assert after["mae"] == pytest.approx(before["mae"], rel=0.01)
    assert made.metrics["validation"]["targets"]["signal"]["n"] == 10
    assert main(["models", "verify", str(place), "--data", "data.npz"]) == 0
    assert "DIFFERS" not in capsys.readouterr().out


def test_what_verifying_needs_is_said(boxed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "small"]) == 2
    assert "the file data.npz of this test" in capsys.readouterr().err


def test_verifying_without_the_package_of_the_data_says_both_ways_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atomlens.datasets.sources.qm9.util.find_spec", lambda name: None)
    assert main(["models", "verify", "qm9"]) == 2
    sentence = capsys.readouterr().err.strip()
    assert sentence.startswith("atomlens: qm9: verify repeats its test, and the data set qm9 needs")
    assert 'pip install "atomlens[data]"' in sentence
    assert "--data" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("damage", "words"), [("weights", "damaged"), ("version", "Upgrade atomlens")]
)
def test_a_damaged_or_later_model_is_a_sentence(
    boxed: Path, damage: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if damage == "weights":
        content = bytearray((boxed / "model.safetensors").read_bytes())
        content[-1] ^= 1
        (boxed / "model.safetensors").write_bytes(bytes(content))
    else:
        settings = json.loads((boxed / "settings.json").read_text())
        (boxed / "settings.json").write_text(json.dumps({**settings, "version": 99}))
    assert main(["predict", "small", "CCO"]) == 2
    assert words in capsys.readouterr().err


def test_training_samples_are_known_though_their_names_are_not_kept(
    boxed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "small", "data.npz"]) == 0
    assert "20 in the training part and 10 in the validation part" in capsys.readouterr().err
    assert main(["evaluate", "small", "data.npz", "--part", "test"]) == 0
    assert main(["evaluate", "small", "data.npz", "--part", "train"]) == 2
    assert "does not know which samples its train part had" in capsys.readouterr().err
