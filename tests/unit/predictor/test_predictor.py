"""Predicting: any input, in any company, with an error estimate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk, molecule
from made_predictors import ETHANOL, EVERY_KIND, METHANE, WATER, make_predictor

from atomlens.errors import SettingsError
from atomlens.predictor import Calibration
from atomlens.predictor.inputs import gather
from atomlens.structures.arrays import StructureArrays


def test_every_kind_of_input_gives_the_same_numbers(tmp_path: Path) -> None:
    from pymatgen.io.ase import AseAtomsAdaptor

    model = make_predictor()
    path = tmp_path / "water.xyz"
    WATER.write(path)
    arrays = StructureArrays.from_atoms([WATER])
    pymatgen_water = AseAtomsAdaptor.get_molecule(WATER)
    expected = model.predict(WATER).values
    for given in ([WATER], arrays, path, str(path), str(tmp_path), [path], pymatgen_water):
        assert model.predict(given).values == pytest.approx(expected, abs=1e-5)


def test_text_and_rdkit_molecules_are_read() -> None:
    from rdkit import Chem

    found = make_predictor().predict(["CCO", Chem.MolFromSmiles("CCO")])
    assert found.formulas == ("C2H6O", "C2H6O")
    assert np.isfinite(found.values).all()


def test_a_failed_input_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.xyz").write_text("not a structure")
    model = make_predictor()
    with pytest.warns(UserWarning, match=r"2 of 4 inputs could not be used: .*bad\.xyz"):
        found = model.predict([WATER, tmp_path / "bad.xyz", "NaCl", METHANE])
    assert found.ok.tolist() == [True, False, False, True]
    assert np.isnan(found.values[1:3]).all()
    assert found.values[3] == pytest.approx(model.predict(METHANE).values[0], abs=1e-5)
    assert "bad.xyz" in found.errors[1]
    assert "positions" in found.errors[2]
    assert [r.get("error", "") != "" for r in found.to_records()] == [False, True, True, False]


def test_nothing_usable_is_no_crash() -> None:
    found = make_predictor().predict(["NaCl", "CaF2"])
    assert len(found.failures) == 2
    assert found.values.shape == (2, 1)
    for nothing in ([], pd.DataFrame({"smiles": [], "id": []}), pd.Series([], dtype=str)):
        none = make_predictor().predict(nothing)
        assert none.values.shape == (0, 1)
        assert list(none.to_frame()) == list(found.to_frame())


def test_an_input_that_has_no_graph_is_warned_of_like_one_that_cannot_be_read() -> None:
    model = make_predictor()
    for ask in (model.predict, model.embed):
        with pytest.warns(UserWarning, match="1 of 1 inputs could not be used: .*NaCl") as heard:
            ask("NaCl")  # a formula, of which a model of structures makes no graph
        assert len(heard) == 1
        assert heard[0].filename == __file__


def test_who_reads_inputs_itself_is_not_warned() -> None:
    assert make_predictor().predict(gather(["NaCl"])).errors[0]


def test_elements_that_were_not_in_training_are_warned_of() -> None:
    sulfide = molecule("SH2")
    records = make_predictor().predict([WATER, sulfide]).to_records()
    assert "warning" not in records[0]
    assert "no S" in records[1]["warning"]


def test_elements_beyond_the_table_fail_by_name() -> None:
    with pytest.warns(UserWarning, match=r"1 of 2 inputs could not be used: .*SH2|H2S"):
        found = make_predictor(n_elements=10).predict([WATER, molecule("SH2")])
    assert found.ok.tolist() == [True, False]
    assert "S" in found.errors[1]
    assert "F" in found.errors[1]  # the last element of the table


def test_companions_do_not_change_a_prediction() -> None:
    model = make_predictor(n_members=2)
    many = [WATER, ETHANOL, METHANE, molecule("C6H6"), molecule("C60")] * 3
    together = model.predict(many).values
    for batch_size in (1, 4, 7):
        assert model.predict(many, batch_size=batch_size).values == pytest.approx(
            together, abs=1e-5
        )
    alone = np.concatenate([model.predict(atoms).values for atoms in many])
    assert alone == pytest.approx(together, abs=1e-5)


def test_predicting_twice_gives_the_same_bits() -> None:
    model = make_predictor(n_members=2)
    one, other = (model.predict([WATER, ETHANOL, METHANE]) for _ in range(2))
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.std, other.std)


def test_a_cell_of_five_thousand_atoms_is_predicted() -> None:
    cell = bulk("MgO", "rocksalt", a=4.21, cubic=True).repeat((9, 9, 8))
    assert len(cell) > 5000
    found = make_predictor().predict([cell, WATER])
    assert np.isfinite(found.values).all()


def test_progress_counts_to_the_end() -> None:
    heard: list[tuple[int, int]] = []
    make_predictor().predict(
        [WATER, METHANE], progress=lambda done, total: heard.append((done, total))
    )
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
    model = replace(make_predictor(), calibration=Calibration.nothing(1))
    found = model.predict(WATER)
    assert found.std_source == "none"
    assert found.to_records()[0]["homo_std"] is None


def test_an_unknown_device_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match="device='quantum'"):
        make_predictor().predict(WATER, device="quantum")
