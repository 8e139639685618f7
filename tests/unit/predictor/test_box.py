"""Models known by name, what they say of strange inputs, and how their noise is learned."""

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from made_predictors import ETHANOL, METHANE, WATER, make_predictor
from safetensors.torch import load_file

from atomlens.errors import ModelError
from atomlens.explain.agreement import agreement
from atomlens.models import make_model
from atomlens.neighbors import build_store
from atomlens.predictor import Calibration, Predictor, load
from atomlens.predictor.folder import box as the_box
from atomlens.predictor.folder.box import hides_boxed, model_place
from atomlens.predictor.folder.saving import in_half_precision, save
from atomlens.predictor.inference import run_models
from atomlens.predictor.inputs import gather
from atomlens.predictor.measuring import regression_metrics
from atomlens.predictor.noise import fit_noise, laplace_scale
from atomlens.predictor.trust.estimates import Estimates
from atomlens.predictor.trust.familiarity import Familiarity


@pytest.fixture
def boxed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A box with the models `gap` and `homo`, and another folder to stand in."""
    for name in ("gap", "homo"):
        make_predictor().save(tmp_path / "box" / name)
    monkeypatch.setattr(the_box, "BOX", tmp_path / "box")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "box"


def test_a_name_means_the_box(boxed: Path) -> None:
    assert model_place("gap") == boxed / "gap"
    assert model_place("box:gap") == boxed / "gap"
    assert load("gap").targets[0].name == "homo"


def test_a_model_folder_here_goes_first_and_other_folders_do_not(boxed: Path) -> None:
    Path("gap").mkdir()
    assert model_place("gap") == boxed / "gap"
    assert not hides_boxed("gap")
    make_predictor().save(Path("gap"))
    assert model_place("gap") == Path("gap")
    assert hides_boxed("gap")
    assert model_place("box:gap") == boxed / "gap"


def test_a_path_is_never_a_name(boxed: Path) -> None:
    assert model_place("./gap") == Path("gap")
    assert model_place(Path("gap")) == Path("gap")


@pytest.mark.parametrize("given", ["gapp", "box:gapp"])
def test_an_unknown_name_is_offered_the_nearest(boxed: Path, given: str) -> None:
    with pytest.raises(ModelError, match="Did you mean 'gap'"):
        load(given)


def vectors(n: int, seed: int, n_features: int = 6) -> np.ndarray:
    mixing = np.random.default_rng(99).normal(size=(n_features, n_features))
    return np.random.default_rng(seed).normal(size=(n, n_features)) @ mixing + 3.0


def familiar(n_features: int = 6) -> Familiarity:
    structures = gather([WATER, METHANE]).structures
    return Familiarity.fit(vectors(2000, 0, n_features), vectors(1000, 1, n_features), structures)


def test_percentages_are_spread_evenly_over_new_vectors_of_the_same_kind() -> None:
    known = familiar()
    found = known.percentages(known.distances(vectors(4000, 2)))
    assert np.abs(np.quantile(found, [0.1, 0.5, 0.9]) - [10, 50, 90]).max() < 5


def test_what_is_far_from_training_is_unlike_it() -> None:
    known = familiar()
    found = known.percentages(known.distances(vectors(50, 3) + 40.0))
    assert (found > 99).all()


def strange_predictor() -> Predictor:
    """A model that keeps what it knows of molecules of H, C and O."""
    plain = make_predictor()
    given = gather([molecule(n) for n in ("H2O", "CH4", "CH3CH2OH", "CO2", "C2H4", "C6H6")])
    store = build_store(given.structures, plain.builder).store
    features = run_models(plain.models, store, features=True).features
    assert features is not None
    noisy = features + 1e-3 * np.random.default_rng(0).normal(size=(50, *features.shape))
    flat = noisy.reshape(-1, features.shape[1])
    return replace(plain, familiarity=Familiarity.fit(flat[:150], flat[150:], given.structures))


@pytest.mark.filterwarnings("ignore:.*could not be used")
def test_likeness_is_a_column_and_its_reasons_are_warnings(tmp_path: Path) -> None:
    model = load(strange_predictor().save(tmp_path / "model"))
    prediction = model.predict([WATER, bulk("C"), molecule("NH3"), "no such file.xyz"])
    assert prediction.unlike is not None
    assert np.isnan(prediction.unlike[3])
    records = prediction.to_records()
    assert 0 <= records[0]["unlike"] <= 100
    assert records[1]["unlike"] == 100.0
    assert "the training data had molecules only" in records[1]["warning"]
    assert "unlike the training data" in records[1]["warning"]
    assert "no error is estimated" in records[1]["warning"]
    assert "had no N" in records[2]["warning"]
    assert "unlike" in prediction.to_frame().columns
    assert "molecules only" in model.explain(bulk("C")).warning


def test_a_model_of_molecules_takes_a_molecule_out_of_its_box() -> None:
    model = strange_predictor()
    boxed = molecule("H2O", cell=[9.0] * 3, pbc=True)
    boxed.wrap()
    together = model.predict([molecule("H2O"), bulk("C"), boxed])
    assert np.allclose(together.values[2], together.values[0], rtol=1e-5)
    assert np.isfinite(together.std[2]).all()
    assert together.warnings[2].startswith("it stands alone in a periodic box")
    assert "box" not in together.warnings[0] + together.warnings[1]
    explained = model.explain(boxed)
    assert explained.prediction == pytest.approx(float(together.values[0, 0]), rel=1e-5)
    assert "box" in explained.warning
    assert not explained.atoms.pbc.any()
    assert np.allclose(*model.embed([molecule("H2O"), boxed]).vectors, atol=1e-5)
    assert model.familiarity is not None
    knows = replace(model.familiarity, kinds=("molecule", "periodic structure"))
    as_it_is = replace(model, familiarity=knows).predict(boxed)
    assert "box" not in as_it_is.warnings[0]
    assert abs(as_it_is.values - together.values[0]).max() > 1e-6


def test_doubts_speak_of_an_estimate_only_where_there_is_one() -> None:
    model = replace(strange_predictor(), elements=(1, 6, 8))
    bare = replace(model, calibration=Calibration(targets=(None,)))
    assert bare.std_source == "none"

    def said(unlike: float, std: float) -> str:
        one = np.ones((1, 1))
        found = Estimates(
            values=one,
            std=std * one,
            low=one,
            high=one,
            probabilities=(None,),
            unlike=np.array([unlike]),
        )
        return str(bare.doubts(gather([molecule("NH3")]), found)[0])

    for unlike in (99.5, 100.0):
        without = said(unlike, np.nan)
        assert "had no N: the value cannot be trusted" in without
        assert "so the error may be large" in without
        assert "estimate" not in without
        assert "than it says" not in without
    assert "cannot be trusted, nor its error estimate" in said(99.5, 0.1)
    assert "so the error may be larger than it says" in said(99.5, 0.1)
    assert "estimate" not in bare.predict(molecule("NH3")).warnings[0]


def test_a_warning_fits_the_answer_beside_it() -> None:
    """What stands there is doubted, what does not stand there is said to be missing, once."""
    made = strange_predictor()
    calibration = Calibration.fit(np.random.default_rng(0).normal(size=(50, 1)), None)
    model = replace(made, calibration=calibration)
    stretched = molecule("H2O")
    stretched.positions *= 2.2
    given = [WATER, bulk("C"), molecule("NH3"), stretched, molecule("CO"), molecule("C6H6")]
    prediction = model.predict(given)
    assert len({*np.isfinite(prediction.std[:, 0]).tolist()}) == 2
    for place, said in enumerate(prediction.warnings):
        has_error = bool(np.isfinite(prediction.std[place, 0]))
        assert said.count("no error is estimated") == (0 if has_error else 1)
        assert has_error or "than it says" not in said
        assert "may be large;" not in f"{said};"
    of_class = replace(model, calibration=Calibration(targets=(None,)))
    for said in of_class.predict(given).warnings:
        assert "estimate" not in said
        assert "than it says" not in said


def test_what_was_learned_from_is_not_unlike_itself() -> None:
    """Landmarks are fewer than the training structures, and may be far from one of them."""
    model = load("box:formula-gap")
    formulas = ["NaCl", "HfO2", "KCl", "SiO2", "CsSnI3"]
    prediction = model.predict(formulas)
    assert set(prediction.seen) == {"train"}
    assert prediction.unlike is not None
    assert prediction.unlike.tolist() == [0.0] * len(formulas)
    found = model.explain("NaCl", method="contribution")
    assert found.unlike == 0.0
    assert found.std == pytest.approx(prediction.std[0, 0], rel=1e-4)  # another batch


def test_no_error_is_made_up_for_what_is_too_unlike_the_training_data(tmp_path: Path) -> None:
    made = strange_predictor()
    assert made.familiarity is not None
    calibration = Calibration.fit(np.random.default_rng(0).normal(size=(50, 1)), None)
    model = load(replace(made, calibration=calibration).save(tmp_path / "model"))
    stretched = molecule("H2O")
    stretched.positions *= 2.2
    given = [WATER, bulk("C"), molecule("NH3"), stretched]
    prediction = model.predict(given)
    assert prediction.unlike is not None
    assert prediction.unlike[3] == 100
    assert np.isfinite(prediction.values).all()
    for numbers in (prediction.std, prediction.interval_low, prediction.interval_high):
        assert np.isfinite(numbers[:, 0]).tolist() == [True, False, False, False]
    assert [r["homo_std"] is None for r in prediction.to_records()] == [False, True, True, True]
    assert model.explain(bulk("C")).std is None
    assert model.explain(WATER).std is not None


@pytest.mark.parametrize("kinds", [("molecule",), ()])
def test_a_model_without_familiarity_makes_no_error_up_either(kinds: tuple[str, ...]) -> None:
    """What training had not is known of every model that was trained here."""
    made = make_predictor()
    model = replace(made, record=replace(made.record, kinds=kinds))
    prediction = model.predict([WATER, molecule("NH3"), bulk("C")])
    told = [True, not kinds, not kinds]  # numbers of folders of atomlens 0.1 stay
    for numbers in (prediction.std, prediction.interval_low, prediction.interval_high):
        assert np.isfinite(numbers[:, 0]).tolist() == told
    assert np.isfinite(prediction.values).all()
    said = "no error is estimated" if kinds else "nor its error estimate"
    assert said in prediction.warnings[1]
    unknown = replace(model, elements=())
    assert np.isfinite(unknown.predict(molecule("NH3")).std).all()


def test_a_model_of_compositions_knows_crystals_from_formulas() -> None:
    made = make_predictor(builder="formula")
    record = replace(made.record, kinds=("formula",))
    model = replace(made, record=record, elements=(6, 8, 11, 17))
    assert np.isfinite(model.predict([bulk("NaCl", "rocksalt", a=5.6), "NaCl"]).std).all()


def test_too_few_values_bound_no_interval(tmp_path: Path) -> None:
    calibration = Calibration.fit(np.random.default_rng(0).normal(size=(8, 1)), None)
    model = load(replace(make_predictor(), calibration=calibration).save(tmp_path / "model"))
    prediction = model.predict([WATER])
    assert np.isfinite(prediction.std).all()
    assert np.isnan(prediction.interval_low).all()
    assert np.isnan(prediction.interval_high).all()
    row = prediction.to_frame().iloc[0]
    assert row[["homo_low", "homo_high"]].isna().all()


def test_a_test_counts_the_intervals_that_are_there() -> None:
    found = regression_metrics(
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.array([1.0, 2.0, 3.0, 9.0]),
        std=np.array([1.0, 1.0, 1.0, np.nan]),
        low=np.array([0.0, 1.0, 3.5, np.nan]),
        high=np.array([2.0, 3.0, 4.0, np.nan]),
    )
    assert found.interval_coverage == pytest.approx(2 / 3)
    assert found.coverage is not None
    assert found.mae == 1.25


def test_a_folder_without_it_says_nothing(tmp_path: Path) -> None:
    model = load(make_predictor().save(tmp_path / "model"))
    prediction = model.predict([WATER, bulk("C")])
    assert prediction.unlike is None
    assert prediction.warnings == ("", "")
    assert "unlike" not in prediction.to_frame().columns


def test_saving_keeps_the_likeness(tmp_path: Path) -> None:
    made = strange_predictor()
    back = load(made.save(tmp_path / "model"))
    given = [WATER, METHANE, ETHANOL, bulk("C")]
    assert np.array_equal(made.predict(given).unlike, back.predict(given).unlike)
    again = back.save(tmp_path / "again")
    for name in ("familiarity.safetensors", "settings.json"):
        assert (again / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


@pytest.mark.parametrize("damage", ["cut", "other", "missing"])
def test_a_damaged_likeness_is_a_sentence_with_its_name(tmp_path: Path, damage: str) -> None:
    folder = strange_predictor().save(tmp_path / "model")
    path = folder / "familiarity.safetensors"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-8] if damage == "cut" else content[:-1] + b"x")
    with pytest.raises(ModelError, match=r"familiarity\.safetensors"):
        load(folder)


def test_arrays_that_do_not_fit_are_a_sentence(tmp_path: Path) -> None:
    from safetensors.torch import save as tensor_bytes

    folder = strange_predictor().save(tmp_path / "model")
    tensors = load_file(folder / "familiarity.safetensors")
    tensors["landmarks"] = tensors["landmarks"][:, :1].contiguous()
    content = tensor_bytes(tensors)
    (folder / "familiarity.safetensors").write_bytes(content)
    settings = json.loads((folder / "settings.json").read_text())
    settings["familiarity"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="familiarity"):
        load(folder)


def test_the_learned_scale_is_the_true_one() -> None:
    """Laplace errors whose scale grows with a feature: weights and bias are found again."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40_000, 3))
    log_scale = 0.5 * x[:, 0] - 0.2 * x[:, 1] - 1.5
    errors = generator.laplace(scale=np.exp(log_scale))[:, None]
    errors[::7] = np.nan
    weight, bias = laplace_scale(torch.from_numpy(x), torch.from_numpy(errors))
    assert np.abs(weight.numpy()[0] - [0.5, -0.2, 0.0]).max() < 0.02
    assert abs(float(bias) + 1.5) < 0.02


def lens_predictor(n_members: int = 1) -> Predictor:
    torch.manual_seed(1)
    sizes = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}
    models = tuple(make_model("lens", **sizes) for _ in range(n_members))
    return replace(make_predictor(), model_name="lens", models=models)


MOLECULES = [molecule(n) for n in ("H2O", "CH4", "CH3CH2OH", "CO2", "C2H4", "C6H6", "H2CO")]


def test_learning_the_noise_leaves_the_values_alone() -> None:
    plain = lens_predictor(2)
    structures = gather(MOLECULES).structures
    store = build_store(structures, plain.builder).store
    rows = np.arange(len(structures))
    truth = np.linspace(-1, 1, len(rows), dtype=np.float32)[:, None]
    noisy = fit_noise(plain, store, rows, truth)
    before, after = plain.predict(structures), noisy.predict(structures)
    assert np.array_equal(before.values, after.values)
    assert noisy.std_source == "ensemble + heteroscedastic"
    raw = run_models(noisy.models, store)
    assert raw.log_scale is not None
    errors = np.abs(truth - run_models(plain.models[:1], store).values[0])
    size = np.exp(raw.log_scale[0])
    assert np.isclose((errors / size).mean(), 1.0, atol=0.02)  # the likeliest Laplace scale


def test_a_model_without_a_layer_for_it_learns_no_noise() -> None:
    plain = make_predictor()
    store = build_store(gather(MOLECULES).structures, plain.builder).store
    with pytest.raises(ModelError, match="no layer of its own"):
        fit_noise(plain, store, np.arange(2), np.zeros((2, 1), dtype=np.float32))


def test_terms_agree_with_effects_as_counted_by_hand() -> None:
    plain = lens_predictor(2)
    structures = gather([ETHANOL]).structures
    store = build_store(structures, plain.builder).store
    found = {a.meaning: a.pearson[0] for a in agreement(plain, store, np.array([0]))}
    from atomlens.nn.additive import Absence

    batch = store.batch()
    whole = [model(batch) for model in plain.models]
    terms = torch.stack([o.node_terms[:, 0] for o in whole]).mean(dim=0)
    for meaning, name in (("mask", "masked"), ("graph", "removed")):
        effects = []
        for atom in range(batch.n_nodes):
            gone = torch.arange(batch.n_nodes) == atom
            rest = [m(batch, Absence(**{name: gone})).values[0, 0] for m in plain.models]
            values = [o.values[0, 0] for o in whole]
            effects.append(float(torch.stack(values).mean() - torch.stack(rest).mean()))
        expected = np.corrcoef(terms.numpy(), effects)[0, 1]
        assert np.isclose(found[meaning], expected, atol=1e-3)


def test_half_precision_is_stored_without_loss(tmp_path: Path) -> None:
    made = lens_predictor(2)
    in_half_precision(made)
    back = load(save(made, tmp_path / "half", half=True))
    assert np.array_equal(made.predict(MOLECULES).values, back.predict(MOLECULES).values)
    assert back.record.split == made.record.split
    assert (tmp_path / "half" / "split.json.gz").is_file() == bool(made.record.split)
    whole = (save(made, tmp_path / "whole") / "model.safetensors").stat().st_size
    packed = tmp_path / "half" / "model.safetensors.gz"
    assert packed.stat().st_size < 0.5 * whole
    (tmp_path / "half" / "model.safetensors").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()  # as whoever unpacks it has it
    back = load(tmp_path / "half")
    assert np.array_equal(made.predict(MOLECULES).values, back.predict(MOLECULES).values)


def test_packed_weights_are_held_against_their_digest(tmp_path: Path) -> None:
    made = lens_predictor()
    folder = save(made, tmp_path / "half", half=True)
    packed = folder / "model.safetensors.gz"
    whole = packed.read_bytes()
    plain = bytearray(gzip.decompress(whole))
    plain[-1] ^= 1
    for content in (gzip.compress(bytes(plain)), bytes(plain), whole[: len(whole) // 2], b""):
        packed.write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.safetensors\.gz.*(damaged|cannot be read)"):
            load(folder)
    packed.unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors, .*cannot be read"):
        load(folder)


def test_weights_too_large_for_half_precision_are_refused() -> None:
    made = lens_predictor()
    made.models[0].get_parameter("input.weight").data[0, 0] = 1e6
    with pytest.raises(ModelError, match="input"):
        in_half_precision(made)


def test_intervals_are_spoken_of_where_one_stands(capsys: pytest.CaptureFixture[str]) -> None:
    from atomlens.cli import main

    for given, said in (("CCO", False), ("NaCl", True)):
        assert main(["predict", "formula-gap", given]) == 0
        assert ("90 % of true values" in capsys.readouterr().out) is said
