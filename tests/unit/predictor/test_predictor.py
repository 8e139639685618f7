"""A trained model in use: load, save, predict, explain, evaluate."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from atomlens.datasets import Dataset
from atomlens.datasets.scaling import TargetScaling
from atomlens.errors import (
    AtomlensError,
    DatasetError,
    ExplanationError,
    Failure,
    ModelError,
    SettingsError,
    StructureError,
)
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, Predictor, TargetCalibration, TrainingRecord, load
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

WATER, METHANE, ETHANOL = (molecule(name) for name in ("H2O", "CH4", "CH3CH2OH"))
SIZES = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}
HOMO = Target(name="homo", unit="eV")


def predictor(
    *targets: Target,
    n_members: int = 1,
    noise: Any = "none",
    builder: str = "voronoi",
    **config: Any,
) -> Predictor:
    """A model with random weights."""
    targets = targets or (HOMO,)
    regression = [t.kind == "regression" for t in targets]
    torch.manual_seed(0)
    n_outputs = sum(t.n_outputs for t in targets)
    scale = {"predict_scale": noise != "none"}
    calibrated = TargetCalibration(n=50, rmse=0.5, spread_factor=1.0, floor=0.3, quantile=1.7)
    model = "scann-plus" if builder == "voronoi" else "ridge"
    sizes = SIZES if builder == "voronoi" else {}
    return Predictor(
        model_name=model,
        models=tuple(
            make_model(model, n_outputs=n_outputs, **{**sizes, **scale, **config})
            for _ in range(n_members)
        ),
        builder=make_builder(builder),
        scaling=TargetScaling(
            targets=targets,
            means=tuple(-6.0 * r for r in regression),
            stds=tuple(0.7 if r else 1.0 for r in regression),
            references=({},) * len(targets),
        ),
        calibration=Calibration(targets=tuple(calibrated if r else None for r in regression)),
        noise=noise,
        elements=(1, 6, 8),
        metrics={"test": {"targets": {"homo": {"n": 5, "mae": 0.1, "unit": "eV"}}}},
        record=TrainingRecord(
            data="some molecules",
            settings={"epochs": 3, "split": "random"},
            split={"train": ("a", "b"), "validation": (), "test": ("c",)},
            history=({"epoch": 1, "train_loss": 0.1 + 0.2},),
            failures=(Failure(name="x", message="why"),),
            seconds=1.5,
            ended="all 3 epochs were done",
        ),
    )


EVERY_KIND = {
    "plain": predictor(),
    "ensemble": predictor(n_members=3),
    "noise": predictor(noise="laplace"),
    "both": predictor(n_members=2, noise="gaussian"),
    "many": predictor(
        HOMO,
        Target(name="energy", extensive=True),
        Target(name="metal", kind="classification", classes=("no", "yes")),
    ),
    "ridge": predictor(builder="formula"),
}


@pytest.mark.parametrize("kind", sorted(EVERY_KIND))
def test_saving_and_loading_changes_no_bit(tmp_path: Path, kind: str) -> None:
    made = EVERY_KIND[kind]
    back = load(made.save(tmp_path / "model"))
    assert back.record == made.record
    assert back.metrics == made.metrics
    assert (back.config, back.builder, back.scaling) == (made.config, made.builder, made.scaling)
    assert (back.calibration, back.elements, back.noise) == (
        made.calibration,
        made.elements,
        made.noise,
    )
    one, other = (p.predict([WATER, ETHANOL]) for p in (made, back))
    for field in ("values", "std", "interval_low", "interval_high"):
        assert np.array_equal(getattr(one, field), getattr(other, field), equal_nan=True)
    again = load(back.save(tmp_path / "again"))
    files = ["settings.json", "model.safetensors", "metrics.json", "README.md", "history.csv"]
    assert all(
        (tmp_path / "model" / f).read_bytes() == (tmp_path / "again" / f).read_bytes()
        for f in files
    )
    assert again.model_name == made.model_name


def test_loading_never_unpickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = predictor().save(tmp_path / "model")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    load(folder)


def test_a_pickle_in_place_of_the_weights_is_refused(tmp_path: Path) -> None:
    folder = predictor().save(tmp_path / "model")
    content = json.loads((folder / "settings.json").read_text())
    evil = pickle.dumps({"a": 1})
    (folder / "model.safetensors").write_bytes(evil)
    import hashlib

    content["weights_sha256"] = hashlib.sha256(evil).hexdigest()
    (folder / "settings.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="cannot be read"):
        load(folder)


FILES = ["settings.json", "model.safetensors", "metrics.json", "split.json", "failures.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_cut_file_is_a_sentence_with_its_name(tmp_path: Path, name: str, share: float) -> None:
    folder = predictor().save(tmp_path / "model")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=name):
        load(folder)


def test_flipped_characters_in_the_settings_never_give_a_traceback(tmp_path: Path) -> None:
    folder = predictor().save(tmp_path / "model")
    path = folder / "settings.json"
    text = path.read_text()
    generator = np.random.default_rng(0)
    refused = []
    for _ in range(150):
        place = int(generator.integers(len(text)))
        piece = generator.choice(["x", "null", "-1", "[]", "{", '"', "", "1e999"])
        path.write_text(text[:place] + str(piece) + text[place + int(generator.integers(9)) :])
        try:
            load(folder)
        except ModelError as problem:
            refused.append(str(problem))
    assert len(refused) > 75
    assert not any("\n" in message for message in refused)


def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path: Path) -> None:
    folder = predictor().save(tmp_path / "model")
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-5] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(ModelError, match="damaged"):
        load(folder)


def changed_settings(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "Upgrade atomlens"),
        ({"version": "1"}, "Upgrade atomlens"),
        ({"format": "other"}, "not the settings file of a model"),
        ({"builder": {"name": "voronoy", "settings": {}}}, "Did you mean 'voronoi'"),
        ({"model": {"name": "skann", "config": {}, "n_members": 1}}, "Did you mean 'scann'"),
        ({"model": {"name": "scann", "config": {"layers": 3}, "n_members": 1}}, "n_layers"),
        ({"noise": "loud"}, "loud"),
        ({"elements": None}, "damaged"),
        ({"calibration": []}, "calibration"),
    ],
)
def test_settings_that_make_no_model_are_a_sentence(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = predictor().save(tmp_path / "model")
    changed_settings(folder, change)
    with pytest.raises(ModelError, match=message):
        load(folder)


def test_weights_of_another_size_are_a_sentence(tmp_path: Path) -> None:
    folder = predictor().save(tmp_path / "model")
    content = json.loads((folder / "settings.json").read_text())
    content["model"]["config"]["n_features"] = 32
    changed_settings(folder, content)
    with pytest.raises(ModelError, match="do not fit"):
        load(folder)


@pytest.mark.parametrize("name", ["n_features", "n_layers", "n_elements"])
def test_huge_sizes_are_refused_without_trying(tmp_path: Path, name: str) -> None:
    folder = predictor().save(tmp_path / "model")
    content = json.loads((folder / "settings.json").read_text())
    content["model"]["config"][name] = 10**12
    changed_settings(folder, content)
    with pytest.raises(ModelError, match="do not fit"):
        load(folder)


def test_what_is_no_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError, match="not a trained model"):
        load(tmp_path)
    (tmp_path / "training").mkdir()
    with pytest.raises(ModelError, match="--resume"):
        load(tmp_path)


def test_saving_spares_other_peoples_folders(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ModelError, match="not empty"):
        predictor().save(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["thesis.txt"]


def test_saving_again_replaces_the_model_whole(tmp_path: Path) -> None:
    predictor().save(tmp_path / "model")
    bare = replace(predictor(n_members=2), record=TrainingRecord())
    bare.save(tmp_path / "model")
    assert len(load(tmp_path / "model").models) == 2
    assert load(tmp_path / "model").record == TrainingRecord()


def test_a_kill_while_saving_leaves_no_half_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    before = os.replace

    def fatal(source: Any, target: Any) -> None:
        if str(target).endswith("README.md"):
            raise KeyboardInterrupt
        before(source, target)

    monkeypatch.setattr(os, "replace", fatal)
    with pytest.raises(KeyboardInterrupt):
        predictor().save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_the_card_says_what_a_score_does_not_mean(tmp_path: Path) -> None:
    card = (predictor(n_members=2).save(tmp_path / "model") / "README.md").read_text()
    assert "not what would change if the atom were removed" in card
    assert "An ensemble of 2 models" in card
    assert "MAE 0.1 eV" in card


def test_every_kind_of_input_gives_the_same_numbers(tmp_path: Path) -> None:
    from pymatgen.io.ase import AseAtomsAdaptor

    model = predictor()
    path = tmp_path / "water.xyz"
    WATER.write(path)
    arrays = StructureArrays.from_atoms([WATER])
    pymatgen_water = AseAtomsAdaptor.get_molecule(WATER)
    expected = model.predict(WATER).values
    for given in ([WATER], arrays, path, str(path), str(tmp_path), [path], pymatgen_water):
        assert model.predict(given).values == pytest.approx(expected, abs=1e-5)


def test_text_and_rdkit_molecules_are_read() -> None:
    from rdkit import Chem

    found = predictor().predict(["CCO", Chem.MolFromSmiles("CCO")])
    assert found.formulas == ("C2H6O", "C2H6O")
    assert np.isfinite(found.values).all()


def test_a_failed_input_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.xyz").write_text("not a structure")
    model = predictor()
    found = model.predict([WATER, tmp_path / "bad.xyz", "NaCl", METHANE])
    assert found.ok.tolist() == [True, False, False, True]
    assert np.isnan(found.values[1:3]).all()
    assert found.values[3] == pytest.approx(model.predict(METHANE).values[0], abs=1e-5)
    assert "bad.xyz" in found.errors[1]
    assert "positions" in found.errors[2]
    assert [r.get("error", "") != "" for r in found.to_records()] == [False, True, True, False]


def test_nothing_usable_is_no_crash() -> None:
    found = predictor().predict(["NaCl", "CaF2"])
    assert len(found.failures) == 2
    assert found.values.shape == (2, 1)
    assert predictor().predict([]).values.shape == (0, 1)


def test_elements_that_were_not_in_training_are_warned_of() -> None:
    sulfide = molecule("SH2")
    records = predictor().predict([WATER, sulfide]).to_records()
    assert "warning" not in records[0]
    assert "no S" in records[1]["warning"]


def test_elements_beyond_the_table_fail_by_name() -> None:
    found = predictor(n_elements=10).predict([WATER, molecule("SH2")])
    assert found.ok.tolist() == [True, False]
    assert "S" in found.errors[1]
    assert "F" in found.errors[1]  # the last element of the table


def test_companions_do_not_change_a_prediction() -> None:
    model = predictor(n_members=2)
    many = [WATER, ETHANOL, METHANE, molecule("C6H6"), molecule("C60")] * 3
    together = model.predict(many).values
    for batch_size in (1, 4, 7):
        assert model.predict(many, batch_size=batch_size).values == pytest.approx(
            together, abs=1e-5
        )
    alone = np.concatenate([model.predict(atoms).values for atoms in many])
    assert alone == pytest.approx(together, abs=1e-5)


def test_predicting_twice_gives_the_same_bits() -> None:
    model = predictor(n_members=2)
    one, other = (model.predict([WATER, ETHANOL, METHANE]) for _ in range(2))
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.std, other.std)


def test_a_cell_of_five_thousand_atoms_is_predicted() -> None:
    cell = bulk("MgO", "rocksalt", a=4.21, cubic=True).repeat((9, 9, 8))
    assert len(cell) > 5000
    found = predictor().predict([cell, WATER])
    assert np.isfinite(found.values).all()


def test_progress_counts_to_the_end() -> None:
    heard: list[tuple[int, int]] = []
    predictor().predict([WATER, METHANE], progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (2, 2)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("plain", "validation"),
        ("ensemble", "ensemble"),
        ("noise", "heteroscedastic"),
        ("both", "ensemble + heteroscedastic"),
    ],
)
def test_the_source_of_the_error_estimate_is_named(kind: str, source: str) -> None:
    found = EVERY_KIND[kind].predict([WATER, ETHANOL])
    assert found.std_source == source
    assert (found.std > 0).all()
    half = 1.7 * found.std
    assert found.interval_high - found.values == pytest.approx(half)
    assert found.values - found.interval_low == pytest.approx(half)


def test_without_validation_there_is_no_error_estimate() -> None:
    model = replace(predictor(), calibration=Calibration.nothing(1))
    found = model.predict(WATER)
    assert found.std_source == "none"
    assert found.to_records()[0]["homo_std"] is None


def test_an_unknown_device_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match="device='quantum'"):
        predictor().predict(WATER, device="quantum")


@pytest.mark.parametrize("n_members", [1, 3])
def test_attention_adds_up_to_one_and_comes_with_its_spread(n_members: int) -> None:
    explained = predictor(n_members=n_members).explain(ETHANOL)
    assert explained.scores.shape == (9,)
    assert explained.scores.sum() == pytest.approx(1, abs=1e-5)
    assert (explained.scores_std is not None) == (n_members > 1)
    assert explained.baseline == pytest.approx(1 / 9)
    assert explained.edge_index is not None
    assert explained.edge_scores is not None
    sums = np.bincount(explained.edge_index[1], explained.edge_scores)
    assert sums == pytest.approx(np.ones(9), abs=1e-5)


def test_an_explanation_carries_the_prediction_it_explains() -> None:
    model = predictor(n_members=2)
    explained, found = model.explain(ETHANOL), model.predict(ETHANOL)
    assert explained.prediction == pytest.approx(found.values[0, 0], abs=1e-5)
    assert explained.std == pytest.approx(found.std[0, 0], abs=1e-5)
    assert (explained.target, explained.unit, explained.method) == ("homo", "eV", "attention")


def test_a_bare_formula_is_explained_atom_by_atom() -> None:
    explained = predictor(builder="formula").explain("Fe2O3")
    assert explained.scores.shape == (5,)
    assert explained.scores.sum() == pytest.approx(1, abs=1e-5)
    symbols = np.array(explained.atoms.get_chemical_symbols())
    assert np.ptp(explained.scores[symbols == "O"]) == pytest.approx(0)
    assert explained.edge_scores is None


def test_a_class_is_explained_by_its_probability() -> None:
    metal = Target(name="metal", kind="classification", classes=("no", "yes"))
    explained = predictor(HOMO, metal).explain(WATER, target="metal")
    assert 0.5 <= explained.prediction <= 1
    assert explained.unit in ("probability of no", "probability of yes")


def test_explaining_what_cannot_be_explained_is_a_sentence(tmp_path: Path) -> None:
    model = predictor()
    with pytest.raises(SettingsError, match="attention"):
        model.explain(WATER, method="atention")
    with pytest.raises(SettingsError, match="homo"):
        model.explain(WATER, target="hono")
    with pytest.raises(ExplanationError, match="one structure"):
        model.explain([WATER, METHANE])
    with pytest.raises(AtomlensError, match="positions"):
        model.explain("NaCl")
    with pytest.raises(StructureError):
        model.explain(tmp_path / "nothing.xyz")


def test_explaining_many_keeps_failures_in_their_place() -> None:
    items = list(predictor().explain_many([WATER, "NaCl", METHANE]))
    assert [isinstance(i, Failure) for i in items] == [False, True, False]
    assert [i.name for i in items] == ["H2O", "NaCl", "CH4"]


def dataset(values: np.ndarray, target: Target, atoms: list[Atoms] | None = None) -> Dataset:
    structures = StructureArrays.from_atoms(atoms or [WATER, METHANE, ETHANOL])
    return Dataset(name="three", structures=structures, targets=(target,), values=values)


def test_evaluation_compares_with_the_values_of_the_data_set() -> None:
    model = predictor()
    found = model.predict([WATER, METHANE, ETHANOL]).values
    metrics = model.evaluate(dataset(found + np.array([[0.1], [-0.3], [np.nan]]), HOMO))
    assert metrics["homo"].n == 2
    assert metrics["homo"].mae == pytest.approx(0.2, abs=1e-5)  # type: ignore[union-attr]
    assert (metrics.n_samples, metrics.n_failed) == (3, 0)
    json.dumps(metrics.to_dict(), allow_nan=False)


def test_evaluation_counts_what_failed() -> None:
    atoms = [WATER, molecule("SH2")]
    metrics = predictor(n_elements=10).evaluate(dataset(np.zeros((2, 1)), HOMO, atoms))
    assert (metrics.n_samples, metrics.n_failed, metrics["homo"].n) == (2, 1, 1)


def test_another_unit_is_not_compared() -> None:
    with pytest.raises(DatasetError, match=r"meV.*eV"):
        predictor().evaluate(dataset(np.zeros((3, 1)), Target(name="homo", unit="meV")))
    with pytest.raises(DatasetError, match="homo"):
        predictor().evaluate(dataset(np.zeros((3, 1)), Target(name="gap")))


def test_classes_in_another_order_are_matched_by_name() -> None:
    ours = Target(name="metal", kind="classification", classes=("no", "yes"))
    model = predictor(ours)
    numbers = model.predict([WATER, METHANE, ETHANOL]).values
    theirs = replace(ours, classes=("yes", "no"))
    assert model.evaluate(dataset(1 - numbers, theirs))["metal"].accuracy == 1  # type: ignore[union-attr]
    strange = replace(ours, classes=("yes", "perhaps"))
    with pytest.raises(DatasetError, match="perhaps"):
        model.evaluate(dataset(numbers, strange))
