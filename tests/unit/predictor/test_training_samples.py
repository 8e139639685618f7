"""Which rows of a data set a model was trained on, by content and not by name."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from made_predictors import make_predictor
from safetensors.numpy import load, save

from atomlens.datasets.base import Dataset
from atomlens.datasets.packed import load_packed, save_packed
from atomlens.errors import DatasetError
from atomlens.neighbors.identity import digests_in_given_cells
from atomlens.predictor import Calibration, Predictor, TargetCalibration, core
from atomlens.predictor import samples as samples_module
from atomlens.predictor.judged_data import about_known_structures
from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.samples import PARTS, UNKNOWN, FoundPart, TrainingSamples, find_part
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.smiles import from_smiles
from atomlens.targets import Target

NAMES = ["H2O", "CH4", "NH3", "CO2", "C2H6", "N2", "CO", "CH3OH", "SH2", "O2"]


def dataset(names=NAMES, values=None, called=None) -> Dataset:
    atoms = [molecule(name) for name in names]
    for one, name in zip(atoms, called or names, strict=True):
        one.info["name"] = name
    numbers = np.arange(float(len(names))) if values is None else np.array(values, dtype=float)
    return Dataset(
        name="data",
        structures=StructureArrays.from_atoms(atoms),
        targets=(Target(name="y"),),
        values=numbers[:, None],
        row_numbers=np.arange(len(names)),
    )


def parts(train, validation, test) -> dict[str, np.ndarray]:
    chosen = zip(PARTS, (train, validation, test), strict=True)
    return {part: np.array(rows, dtype=np.int64) for part, rows in chosen}


DATA = dataset()
SPLIT = parts(range(6), [6, 7], [8, 9])
SAMPLES = TrainingSamples.of(DATA, SPLIT)


def found(part: str, data: Dataset, samples=SAMPLES, names=("SH2", "O2")) -> FoundPart:
    return find_part(samples, part, names, data, data.values)


def test_rows_are_found_in_another_order_under_other_names() -> None:
    order = [9, 3, 8, 0, 1]
    called = [f"x{i}" for i in range(5)]
    names, values = [NAMES[i] for i in order], [float(i) for i in order]
    result = found("test", dataset(names, values, called))
    assert result == FoundPart(rows=(0, 2), remarks=())


def test_a_row_of_the_training_part_is_never_a_row_of_the_test_part() -> None:
    repeated = dataset(["H2O", "H2O", "H2O", "CH4"], [1, 2, 3, 4])
    samples = TrainingSamples.of(repeated, parts([0, 3], [], [2]))
    result = found("test", repeated, samples, ["H2O#2"])
    assert result.rows == (2,)
    assert "1 structure of the test part was in the training part too" in result.remarks[0]


def test_equal_rows_are_counted() -> None:
    equal = dataset(["H2O"] * 4, [1, 1, 1, 1])
    samples = TrainingSamples.of(equal, parts([0, 1], [], [3]))
    assert found("test", equal, samples, ["H2O#4"]).rows == (3,)
    assert found("train", equal, samples, ["H2O", "H2O#2"]).rows == (0, 1)


def test_other_values_are_said() -> None:
    measured_again = dataset(values=[*range(8), 80, 90])
    result = found("test", measured_again)
    assert result.rows == (8, 9)
    assert "2 of the 2 samples of the test part have other values" in result.remarks[0]


def test_other_positions_of_one_name_and_value_are_said() -> None:
    moved = dataset()
    positions = moved.structures.positions + np.random.default_rng(0).normal(0, 0.1, (1, 3))
    positions[moved.structures.offsets[8] :] *= 1.1
    moved = replace(moved, structures=replace(moved.structures, positions=positions))
    result = found("test", moved)
    assert result.rows == (8, 9)
    assert "other positions" in result.remarks[0]


def test_other_structures_and_values_under_the_same_names_are_refused() -> None:
    names, values = NAMES[:8][::-1], [float(10 * i) for i in range(8)]
    other = dataset([*names[:6], "C2H4", "C2H2"], values, NAMES[2:])
    with pytest.raises(DatasetError, match=r"none of the 2 samples.*2 of its samples have their"):
        found("test", other)


def test_missing_samples_are_counted_and_named() -> None:
    result = found("test", dataset(NAMES[:9]))
    assert result.rows == (8,)
    assert "1 of the 2 samples of the test part are not in the data set" in result.remarks[0]


def test_the_part_of_a_structure_does_not_depend_on_its_name() -> None:
    asked = dataset(["CH4", "O2", "C2H2", "CO"], called=list("abcd")).structures
    assert SAMPLES.part_of(asked) == ("train", "test", "", "validation")


SALT, COPPER = bulk("NaCl", "rocksalt", a=5.64), bulk("Cu", "fcc", a=3.6)


def crystals(*atoms) -> Dataset:
    return Dataset(
        name="crystals",
        structures=StructureArrays.from_atoms(list(atoms)),
        targets=(Target(name="y"),),
        values=np.arange(float(len(atoms)))[:, None],
    )


def test_a_crystal_of_the_training_is_known_in_every_cell() -> None:
    samples = TrainingSamples.of(crystals(SALT, COPPER), parts([0], [], [1]))
    moved = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    moved.positions += [1.3, 0.2, 0.7]
    strained = bulk("NaCl", "rocksalt", a=5.7)
    asked = crystals(SALT.repeat((2, 1, 1)), moved, COPPER.repeat(2), strained).structures
    assert samples.part_of(asked) == ("train", "train", "test", "")
    again = find_part(samples, "test", ("Cu",), crystals(moved, COPPER.repeat(2)), None)
    assert again.rows == (1,)


def test_a_folder_of_earlier_days_knows_its_crystals_as_they_were_given() -> None:
    data = crystals(SALT, COPPER)
    samples = TrainingSamples.of(data, parts([0], [], [1]))
    digests = digests_in_given_cells(data.structures)
    earlier = replace(samples, structures=digests, compositions=None)
    assert not set(earlier.structures.tolist()) & set(samples.structures.tolist())
    assert earlier.part_of(data.structures) == ("train", "test")
    assert find_part(earlier, "test", ("Cu",), data, data.values).rows == (1,)
    rounded = SALT.copy()
    rounded.positions[1] += 1e-6
    tuned = TrainingSamples.of(crystals(COPPER.repeat(2)), parts([0], [], [])).after(earlier)
    assert tuned.part_of(crystals(COPPER, rounded).structures) == ("train", "pretraining")


def test_what_has_another_composition_is_not_looked_at_and_nothing_else_changes(
    monkeypatch,
) -> None:
    """Bare formulas and molecules have one composition, as cells and supercells do."""
    bare = replace(dataset(["CH4", "C2H6"]).structures, is_formula=np.ones(2, dtype=np.bool_))
    looked_at = []

    class Counted(samples_module.Identities):
        def __init__(self, structures: StructureArrays) -> None:
            looked_at.append(len(structures))
            super().__init__(structures)

    monkeypatch.setattr(samples_module, "Identities", Counted)
    for samples, asked, n in (
        (SAMPLES, dataset(["CH4", "C2H2", "O3", "H2O2", "SH2"]).structures, 3),
        (SAMPLES, bare, 2),
        (SAMPLES, dataset([]).structures, 0),
        (
            TrainingSamples.of(crystals(SALT), parts([0], [], [])),
            crystals(
                SALT.repeat((1, 2, 3)), COPPER, bulk("NaCl", "cesiumchloride", a=3.4)
            ).structures,
            2,
        ),
    ):
        looked_at.clear()
        same = samples.part_of(asked)
        assert looked_at == [n]
        assert same == replace(samples, compositions=None).part_of(asked)


def test_a_pretraining_is_remembered() -> None:
    tuned = TrainingSamples.of(dataset(["C2H2", "H2O"]), parts([0], [], [1])).after(SAMPLES)
    assert tuned.compositions is not None
    asked = dataset(["C2H2", "CH4", "O2", "H2O"]).structures
    assert tuned.part_of(asked) == ("train", "pretraining", "", "pretraining")
    assert tuned.n_own == 2


def test_samples_survive_a_file_and_damage_is_an_error() -> None:
    content = SAMPLES.to_bytes()
    assert TrainingSamples.from_bytes(content).part_of(DATA.structures) == SAMPLES.part_of(
        DATA.structures
    )
    again = TrainingSamples.from_bytes(content).compositions
    assert again is not None
    assert np.array_equal(again, SAMPLES.compositions)
    for damaged in (content[:40], b"", content[:-8]):
        with pytest.raises(ValueError, match="samples"):
            TrainingSamples.from_bytes(damaged)


def test_parts_are_kept_in_any_order_and_sizes_that_lie_are_damage() -> None:
    assert np.array_equal(TrainingSamples.from_bytes(SAMPLES.to_bytes()).parts, SAMPLES.parts)
    mixed = replace(SAMPLES, parts=SAMPLES.parts[::-1].copy())
    assert np.array_equal(TrainingSamples.from_bytes(mixed.to_bytes()).parts, mixed.parts)
    arrays = load(SAMPLES.to_bytes())
    for sizes in ([10**15, 0, 0, 0], [-1, len(SAMPLES) + 1, 0, 0], [1, 0, 0, 0]):
        with pytest.raises(ValueError, match="samples of a training"):
            TrainingSamples.from_bytes(save(arrays | {"part_sizes": np.array(sizes)}))


def test_of_many_a_thread_finds_what_is_said_of_each_alone(monkeypatch) -> None:
    """Also of those behind one whose answer is no number."""
    made = make_predictor()
    predictor = replace(made, record=replace(made.record, samples=SAMPLES))
    asked = [molecule(name) for name in ("H2O", "CH3CH2OH", "CH4", "CO", "O2")]
    alone = [predictor.predict([one]).seen[0] for one in asked]
    assert set(alone) == {"train", "validation", "test", ""}
    monkeypatch.setattr(core, "_MANY", 2)
    assert list(predictor.predict(asked).seen) == alone
    with torch.no_grad():  # what has carbon has no answer
        predictor.models[0].embedding.weight[6] = 3e38
    prediction = predictor.predict(asked)
    assert prediction.ok.tolist() == [True, False, False, False, True]
    assert [prediction.seen[0], prediction.seen[4]] == [alone[0], alone[4]]


def _calibrated(floor: float) -> Calibration:
    one = TargetCalibration(n=50, rmse=floor, spread_factor=0.0, floor=floor, quantile=1.5)
    return Calibration(targets=(one,))


def test_of_made_coordinates_it_is_unknown_whether_given_ones_were_learned(tmp_path) -> None:
    learned = replace(make_predictor().record, samples=SAMPLES, made_geometries=False)
    model = replace(make_predictor(), record=learned)
    made = [from_smiles("C"), from_smiles("CCO"), molecule("CH4"), from_smiles("C")]
    made[3].rattle(0.05, seed=0)  # a geometry of its own
    found = model.predict(made)
    assert found.seen == (UNKNOWN, "", "train", "")
    told = [bool(doubts.about("made")) for doubts in found.doubts]
    assert told == [True, True, False, False]
    plain = replace(model, calibration=_calibrated(0.5)).predict(made)
    judged = replace(model, calibration=_calibrated(0.5), calibration_of_made=_calibrated(2.0))
    bare = replace(judged, record=replace(learned, samples=None, split={}))
    own = Predictor.load(bare.save(tmp_path / "m")).predict(made)
    np.testing.assert_allclose((own.std / plain.std)[:, 0], [4, 4, 1, 1], rtol=1e-6)
    widths = [p.interval_high - p.interval_low for p in (own, plain)]
    np.testing.assert_allclose((widths[0] / widths[1])[:, 0], [4, 4, 1, 1], rtol=1e-6)
    assert "the error estimate is for such coordinates" in own.warnings[0]
    data = replace(dataset(["CH4"] * 4), structures=StructureArrays.from_atoms(made))
    data = load_packed(save_packed(data, tmp_path / "data.npz"))
    said = about_known_structures(model, data)
    assert "1 in the training part" in said
    assert "learned from 1 of the 4 molecules is unknown" in said
    learned = replace(learned, made_geometries=True)
    of_its_kind = replace(model, record=learned).predict(made)
    assert UNKNOWN not in of_its_kind.seen
    assert not any(doubts.about("made") for doubts in of_its_kind.doubts)
    assert TrainingRecord.from_dict(learned.to_dict()).made_geometries is True


def test_what_has_no_error_estimate_is_not_said_to_have_one() -> None:
    learned = replace(make_predictor().record, made_geometries=False, kinds=("molecule",))
    model = replace(make_predictor(), record=learned, elements=(1, 6))
    judged = replace(model, calibration=_calibrated(0.5), calibration_of_made=_calibrated(2.0))
    with pytest.warns(UserWarning, match="for such coordinates") as heard:
        found = judged.predict([from_smiles("C"), from_smiles("O")])
    assert np.isfinite(found.std[:, 0]).tolist() == [True, False]
    assert [str(said).count("error estimate is") for said in found.doubts] == [1, 0]
    assert "no error is estimated" in str(found.doubts[1])
    assert len(heard) == 2


class TestSlim:
    """Samples as the box keeps them: five bytes of a digest, no values of the training part."""

    def test_they_know_the_same_structures_and_rows(self) -> None:
        slim = TrainingSamples.from_bytes(SAMPLES.slim().to_bytes())
        asked = dataset([*NAMES, "C2H2"]).structures
        assert slim.n_bytes == 5
        assert slim.part_of(asked) == SAMPLES.part_of(asked)
        assert found("test", DATA, slim) == found("test", DATA)
        assert found("train", DATA, slim, NAMES[:6]).rows == tuple(range(6))
        assert slim.slim().to_bytes() == slim.to_bytes()
        kept = load(slim.to_bytes())
        assert (kept["structures"].dtype, kept["structures"].shape) == (np.uint8, (4, 5))
        assert kept["ascending_rests"].shape == (3, 7)
        assert kept["values"].dtype == np.uint32

    def test_digests_of_the_training_part_take_three_bytes_and_a_half_and_come_back(self) -> None:
        rng = np.random.default_rng(5)
        for n in (0, 1, 2, 999, 1000):
            digests = rng.integers(0, 2**64, n, dtype=np.uint64)
            digests[: n // 3] = digests[0] if n else 0  # polymorphs have one formula
            parts_of = np.repeat([0, 1, 2], [n, 2, 3]).astype(np.uint8)
            samples = TrainingSamples(
                structures=np.concatenate([digests, rng.integers(0, 2**64, 5, dtype=np.uint64)]),
                values=np.arange(n + 5, dtype=np.uint64) << np.uint64(32),
                row_numbers=np.full(n + 5, -1),
                parts=parts_of,
            ).slim()
            content = samples.to_bytes()
            again = TrainingSamples.from_bytes(content)
            assert again.structures.tolist() == samples.structures.tolist()
            five = np.sort(digests >> np.uint64(24)) << np.uint64(24)
            assert again.structures[:n].tolist() == five.tolist()
            assert load(content)["ascending_rests"].nbytes == (n + 1) // 2 * 7

    def test_folders_that_kept_five_bytes_in_the_order_of_the_names_are_read(self) -> None:
        arrays = load(SAMPLES.to_bytes())
        five = arrays["structures"].astype(">u8").view(np.uint8).reshape(-1, 8)[:, :5]
        earlier = TrainingSamples.from_bytes(save(arrays | {"structures": five.copy()}))
        asked = dataset([*NAMES, "C2H2"]).structures
        assert earlier.part_of(asked) == SAMPLES.part_of(asked)

    def test_a_digest_that_is_missing_or_too_many_is_damage(self) -> None:
        arrays = load(SAMPLES.slim().to_bytes())
        counts, rests = arrays["ascending_counts"], arrays["ascending_rests"]
        for wrong in (
            {"ascending_counts": counts[:-1]},
            {"ascending_counts": counts.astype(np.int16)},
            {"ascending_counts": counts + np.uint8(200)},
            {"ascending_rests": rests[:-1]},
            {"ascending_rests": rests.astype(np.uint16)},
            {"part_sizes": arrays["part_sizes"] + 1},
        ):
            with pytest.raises(ValueError, match=r"digests|parts"):
                TrainingSamples.from_bytes(save(arrays | wrong))

    def test_of_a_training_sample_that_is_gone_no_name_is_said(self) -> None:
        slim = TrainingSamples.from_bytes(SAMPLES.slim().to_bytes())
        remarks = found("train", DATA[1:], slim, NAMES[:6]).remarks
        assert next(r for r in remarks if "not in" in r).endswith("'.")
        whole = found("train", DATA[1:], SAMPLES, NAMES[:6]).remarks
        assert any("for example" in r for r in whole)

    def test_rows_of_one_structure_are_told_apart_by_their_values(self) -> None:
        twice = dataset(["CH4", "CH4", "H2O", "H2O"])
        samples = TrainingSamples.of(twice, parts([0], [2], [1, 3])).slim()
        kept = TrainingSamples.from_bytes(samples.to_bytes())
        assert kept.values.tolist() == samples.values.tolist()
        assert found("test", twice, kept, ["", ""]).rows == (1, 3)
        assert found("validation", twice, kept, [""]).rows == (2,)

    def test_six_bytes_of_folders_of_earlier_days_are_read(self) -> None:
        arrays = load(SAMPLES.to_bytes())
        six = arrays["structures"].astype(">u8").view(np.uint8).reshape(-1, 8)[:, :6]
        earlier = TrainingSamples.from_bytes(save(arrays | {"structures": six.copy()}))
        asked = dataset([*NAMES, "C2H2"]).structures
        assert earlier.n_bytes == 6
        assert earlier.part_of(asked) == SAMPLES.part_of(asked)

    def test_a_structure_that_was_rounded_is_known_to_them(self) -> None:
        moved = [molecule(name) for name in NAMES]
        for one in moved:
            one.positions += 4e-5
        rounded = StructureArrays.from_atoms(moved)
        assert SAMPLES.slim().part_of(rounded) == SAMPLES.part_of(rounded)
        assert set(SAMPLES.part_of(rounded)) == {"train", "validation", "test"}

    def test_a_pretraining_on_them_is_remembered(self) -> None:
        own = TrainingSamples.of(dataset(["C2H2", "H2O"]), parts([0], [], [1]))
        asked = dataset(["C2H2", "CH4", "O2", "H2O"]).structures
        for tuned in (own.after(SAMPLES.slim()), own.slim().after(SAMPLES)):
            assert tuned.part_of(asked) == ("train", "pretraining", "", "pretraining")
            assert tuned.n_bytes == 5

    def test_digests_of_another_shape_are_damage(self) -> None:
        arrays = load(SAMPLES.slim().to_bytes())
        for wrong in (np.zeros((10, 9), np.uint8), np.zeros((10, 6), np.uint16)):
            with pytest.raises(ValueError, match="shape"):
                TrainingSamples.from_bytes(save(arrays | {"structures": wrong}))
