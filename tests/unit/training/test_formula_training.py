"""A table of formulas is all that training needs; structures decide for themselves."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ase import Atoms

from atomlens import Predictor
from atomlens.datasets.base import Dataset, Sample
from atomlens.errors import DatasetError, SettingsError
from atomlens.models.finder import Finder
from atomlens.neighbors import make_builder
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.formulas import from_formula
from atomlens.targets import Target
from atomlens.training import TrainSettings, train
from atomlens.training.plan import N_AMOUNTS, N_CHARGES, choose_config
from atomlens.training.run_folder import open_run
from atomlens.training.schedules import Exponential
from finder_graphs import collapsed_graph

SMALL = {"n_features": 8, "n_hidden": (8, 8, 8, 8)}
FORMULAS = [f"{metal}{n}{other}{m}" for metal in ("Na", "K", "Mg", "Al") for n in (1, 2)
            for other in ("Cl", "O") for m in (1, 3)]  # fmt: skip


pytestmark = pytest.mark.filterwarnings(
    "ignore:.*samples cannot be used and are left out:UserWarning"
)
"""The table has rows that nothing can be learned from."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    rows = [f"{formula},{len(formula) + i / 10}" for i, formula in enumerate(FORMULAS)]
    path.write_text("\n".join(["formula,gap", *rows, "LrO,2.0", "Na+Cl-,1.0"]))
    return path


def small_training(data: object, out: Path | None = None, **settings: object) -> Predictor:
    defaults = {"epochs": 2, "batch_size": 8, "model_settings": SMALL, "split": "random:.8/.1/.1"}
    return train(data, model="finder", target="gap", out=out, **{**defaults, **settings})


def test_a_table_of_formulas_trains_finder_in_formula_mode(table: Path, tmp_path: Path) -> None:
    trained = small_training(table, tmp_path / "model", loss="robust-l1")
    assert trained.config.mode == "formula"
    assert (trained.builder.name, trained.builder.settings()) == ("formula", {"reduce": True})
    messages = [failure.message for failure in trained.record.failures]
    assert len(messages) == 2
    assert any("none for Lr" in message for message in messages)
    loaded = Predictor.load(tmp_path / "model")
    torch.testing.assert_close(
        loaded.models[0].state_dict()["element_table"], trained.models[0].element_table
    )
    inputs = ["NaCl", "Na2Cl2", "LrO"]
    found, again = trained.predict(inputs), loaded.predict(inputs)
    np.testing.assert_array_equal(found.values, again.values)
    assert found.values[0] == found.values[1]
    assert math.isnan(found.values[2, 0])
    assert "none for Lr" in found.errors[2]
    assert trained.std_source == "heteroscedastic"


def test_crystals_train_finder_in_structure_mode_and_formula_mode_can_be_asked_for() -> None:
    random = np.random.default_rng(0)
    crystals = [
        Atoms("NaCl", scaled_positions=random.random((2, 3)), cell=[3.0, 3.2, 4.1], pbc=True)
        for _ in range(12)
    ]
    data = Dataset(
        name="crystals",
        structures=StructureArrays.from_atoms(crystals),
        targets=(Target(name="gap", unit="eV"),),
        values=random.random((12, 1)),
    )
    structure = small_training(data)
    assert structure.config.mode == "structure"
    assert structure.builder.settings() == {"cutoff": 4.0, "images": "minimum"}
    formula = small_training(data, builder="formula")
    assert formula.config.mode == "formula"
    assert formula.builder.settings() == {"reduce": True}


def test_weights_obey_their_limits_after_training(table: Path) -> None:
    trained = small_training(table, learning_rate=0.5, schedule="constant", clipping="none")
    model = trained.models[0]
    assert isinstance(model, Finder)
    before = {name: p.clone() for name, p in model.named_parameters()}
    model.constrain_weights()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, before[name], rtol=1e-5, atol=1e-6)
    assert any("query" in name and p.norm(dim=-1).max() > 0.99 for name, p in before.items())


def test_a_model_with_foreign_vectors_trains_further_without_their_package(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shipped(name: str, n_elements: int) -> np.ndarray:
        return np.ones((n_elements, 16), dtype=np.float32)

    monkeypatch.setattr("atomlens.training.plan.element_table", shipped)
    foreign = {"model_settings": {**SMALL, "element_vectors": "megnet16"}}
    first = small_training(table, **foreign)
    monkeypatch.undo()
    second = train(table, target="gap", start_from=first, epochs=1)
    assert (second.models[0].get_buffer("element_table") == 1).all()
    assert not any("fresh embeddings" in note for note in second.record.started_from["notes"])


def test_an_exponential_schedule_falls_epoch_by_epoch() -> None:
    settings = TrainSettings(learning_rate=3e-4, min_learning_rate=1e-5, decay=0.5)
    schedule = Exponential(settings)
    rates = [schedule.rate(epoch) for epoch in (0, 0.9, 1, 2.5, 10)]
    np.testing.assert_allclose(rates, [3e-4, 3e-4, 1.5e-4, 0.75e-4, 1e-5])


def test_a_run_from_before_a_builder_got_a_setting_can_go_on(tmp_path: Path) -> None:
    before = {"builder": {"name": "radius", "settings": {"cutoff": 5.0}}}
    now = {"builder": {"name": "radius", "settings": {"cutoff": 5.0, "images": "all"}}}
    open_run(tmp_path, before, write=True)
    assert open_run(tmp_path, now, write=True).is_dir()


def test_finder_can_be_explained_by_element(table: Path) -> None:
    trained = small_training(table)
    scores = trained.explain("Na2Cl").scores
    batch_of_elements = collapsed_graph([11, 11, 17])
    assert batch_of_elements.n_nodes == 2
    assert len(scores) == 3
    assert scores[0] == scores[1] != scores[2]
    np.testing.assert_allclose(scores.sum(), 1, rtol=1e-5)


def test_python_is_told_of_lost_rows_of_no_spread_and_of_values_beyond_all_measure() -> None:
    formulas = [f"{metal}{n}O" for metal in ("Na", "K", "Li", "Mg", "Ca") for n in range(1, 5)]
    with pytest.warns(UserWarning, match="Every value of gap in the training part is 3"):
        train(pd.DataFrame({"formula": formulas, "gap": 3.0}), target="gap", model="ridge")
    values = {"formula": [*formulas, "Xx2", "FeO"], "gap": [*range(20), 1.0, math.inf]}
    with pytest.warns(UserWarning, match="2 of 22 samples cannot be used and are left out") as told:
        train(pd.DataFrame(values), target="gap", model="ridge")
    assert sum("cannot be used" in str(w.message) for w in told) == 1
    samples = [
        Sample(atoms=from_formula(f), targets={"gap": 1e200}, identifier=f) for f in formulas
    ]
    with pytest.raises(DatasetError, match="'gap' of Na1O is larger than 1e\\+30"):
        train(samples, target="gap", model="ridge")


def test_the_record_tells_the_threads_that_trained_and_not_those_of_the_process(
    table: Path,
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        trained = small_training(table, n_threads=1)
    finally:
        torch.set_num_threads(before)
    assert trained.record.device == "CPU, 1 thread"


def test_lens_sees_amounts_and_charges_in_its_layers_unless_told_otherwise() -> None:
    formulas = StructureArrays.from_atoms([from_formula(f) for f in FORMULAS[:2]])
    builder = make_builder("formula")
    targets = (Target(name="gap"),)

    def seen(**chosen: int) -> tuple[int, int]:
        settings = TrainSettings(model_settings=chosen)
        config = choose_config("lens", targets, formulas, builder, settings)
        return config.n_amounts, config.n_charges

    assert seen() == (N_AMOUNTS, N_CHARGES)
    assert seen(n_amounts=4, n_charges=9) == (4, 9)
    assert seen(n_amounts=0, n_charges=0) == (0, 0)
    with pytest.raises(SettingsError, match="only formulas have numbers of atoms"):
        choose_config(
            "lens", targets, formulas, make_builder("voronoi"),
            TrainSettings(model_settings={"n_amounts": 4}),
        )  # fmt: skip
