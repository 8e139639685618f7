"""No error is estimated of lengths in another unit, and models without vectors know the unlike."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import atomlens as al
from atomlens.errors import Failure
from atomlens.predictor import Predictor, load
from atomlens.structures.doubts import Doubt

SALT, ARSENIDE = bulk("NaCl", "rocksalt", a=5.64), bulk("GaAs", "zincblende", a=5.65)
BOHR = 0.529177


def scaled(atoms: Atoms, by: float) -> Atoms:
    changed = atoms.copy()
    changed.set_cell(by * atoms.cell, scale_atoms=True)
    return changed


def pulled(atoms: Atoms, by: float) -> Atoms:
    changed = atoms.repeat((2, 1, 1))
    changed.positions *= by
    return changed


@pytest.fixture(scope="module")
def of_mp() -> Predictor:
    return load("box:mp")


@pytest.mark.parametrize("atoms", [SALT, ARSENIDE])
def test_cells_and_coordinates_in_another_unit_have_no_error(of_mp, atoms) -> None:
    wrong = [scaled(atoms, by) for by in (0.1, BOHR, 1 / BOHR)] + [pulled(atoms, 0.1)]
    right = [atoms, scaled(atoms, 0.97), scaled(atoms, 1.03), atoms.repeat((2, 1, 1))]
    found = of_mp.predict([*wrong, *right])
    for row in range(len(wrong)):
        if not found.errors[row]:
            assert np.isnan(found.std[row]).all(), row
            assert np.isnan(found.interval_low[row]).all(), row
            assert "no error is estimated" in found.warnings[row]
    assert np.isfinite(found.std[len(wrong) :]).all()
    one = of_mp.explain(scaled(atoms, 1 / BOHR))
    assert (one.std, one.low) == (None, None)


def test_a_doubted_unit_is_enough_unless_training_was_so_too() -> None:
    alkanes = ["C" * n for n in range(1, 41)]
    model = al.train({"smiles": alkanes, "n": list(range(1, 41))}, target="n", model="ridge")
    # a model that reads places of atoms, as far as the rule can tell
    network = replace(model, builder=load("box:mp").builder)
    doubted = Atoms(
        "CH4", [[0, 0, 0], *(0.17 * np.array([[1, 1, 1], [-1, -1, 1], [1, -1, -1], [-1, 1, -1]]))]
    )
    doubted.info["warnings"] = [Doubt("its lengths may be in nm", "unit")]
    arrays = al.structures.arrays.StructureArrays.from_atoms([doubted])
    assert network.of_doubted_unit(arrays).tolist() == [True]
    assert model.of_doubted_unit(arrays).tolist() == [False]  # it reads elements alone
    record = replace(network.record, doubted={"unit": 5})
    earlier = replace(  # a folder that keeps no kinds
        network.record,
        doubted=None,
        warnings=(Failure(name="x", message="check the unit, which must be Å"),) * 5,
    )
    for known in (record, earlier):
        assert replace(network, record=known).of_doubted_unit(arrays).tolist() == [False]


COMPOUNDS = [
    f"{m}{n}{x}{k}"
    for m in ("Na", "K", "Mg", "Ca")
    for n in (1, 2, 3)
    for x in ("Cl", "O", "S")
    for k in (1, 2)
]


@pytest.mark.parametrize("model", ["ridge", "rf-magpie"])
def test_models_without_vectors_say_how_unlike_an_input_is(model, tmp_path) -> None:
    pytest.importorskip("sklearn")
    table = {"formula": COMPOUNDS, "y": np.cos(np.arange(len(COMPOUNDS))).tolist()}
    settings = {"model_settings": {"n_trees": 5}} if model == "rf-magpie" else {}
    trained = al.train(table, target="y", model=model, split="random:.7/.3/0", **settings)
    trained.save(tmp_path / "model")
    asked = [*COMPOUNDS[:5], "Na2Cl3", "UO2", "Au", "CsF"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, again = trained.predict(asked), load(tmp_path / "model").predict(asked)
    np.testing.assert_array_equal(found.unlike, again.unlike)
    assert found.unlike[:5].max() < 100
    assert found.unlike[5] < 100
    assert found.unlike[6:].min() == 100
    assert np.isnan(found.std[6:]).all()
    assert "unlike" in found.to_frame().columns
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "as this model reads them" in card
    with pytest.raises(al.errors.ModelError, match="makes no vector"):
        trained.embed(asked[:1])


def test_the_mean_says_that_it_has_no_measure(tmp_path) -> None:
    table = {"formula": COMPOUNDS, "y": np.cos(np.arange(len(COMPOUNDS))).tolist()}
    trained = al.train(table, target="y", model="mean")
    assert trained.familiarity is None
    trained.save(tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "(there is no `unlike`): it looks at no atom" in card
