"""Means of environments are those that a model was made with, and intervals are honest."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from ase.io import write

from atomlens.cli import main
from atomlens.datasets.base import Dataset
from atomlens.errors import SettingsError, StudyError
from atomlens.predictor import maps
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import StudyInput, StudyResult
from atomlens.studies.environments.numbers import Atoms, environment_row, with_holm
from atomlens.studies.environments.study import Environments, EnvironmentSettings
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.rows import as_number
from atomlens.testing.questions import trained_around
from terms_makers import (
    Terms,
    TermsConfig,
    classes_predictor,
    lens_predictor,
    terms_predictor,
)


def molecules() -> StructureArrays:
    names = ["CH3CH2OH", "CH3OCH3", "CH3CHO", "HCOOH", "CH3NO2", "C2H6CHOH", "CH3CN", "C6H6"]
    return StructureArrays.from_atoms([molecule(m) for m in names])


def data(structures: StructureArrays) -> Dataset:
    values = np.zeros((len(structures), 0))
    return Dataset(name="inputs", structures=structures, targets=(), values=values)


def studied(structures: StructureArrays, predictor=None, **settings: object) -> StudyResult:
    study = Environments(EnvironmentSettings(least=1, **settings))
    predictor = terms_predictor() if predictor is None else predictor
    return study.run(StudyInput(models=(predictor,), data=data(structures)))


def row(result: StudyResult, name: str) -> dict[str, object]:
    (found,) = (dict(r) for r in result.tables["environments"] if r["environment"] == name)
    return found


def test_the_terms_of_a_model_come_back() -> None:
    result = studied(molecules())
    for name, value in (("H", 0.1), ("C", 1.0), ("O", 2.0), ("N", 5.0)):
        found = row(result, name)
        assert found["score"] == pytest.approx(value, abs=1e-6)
        assert found["score_low"] == pytest.approx(value, abs=1e-6)
        assert found["attention"] == pytest.approx(1.0, abs=1e-6) or name != "C"
    assert result.settings["method"] == "contribution"
    assert row(result, "C of a nitrile")["n_structures"] == 1


def atoms_of(*owners: int, element: int = 6) -> Atoms:
    return Atoms(
        owner=np.array(owners),
        element=np.full(len(owners), element),
        n_structures=max(owners) + 1,
    )


def planted(n: int, copies: int) -> dict[str, object]:
    """Ten structures, each with its own level, with an atom inside and one outside."""
    draw = np.random.default_rng(0)
    owner = np.repeat(np.arange(n), 2 * copies)
    inside = np.tile(np.repeat([True, False], copies), n)
    values = inside * 1.0 + np.repeat(draw.normal(size=n), 2 * copies)
    atoms = atoms_of(*owner.tolist())
    weights = atoms.resampled(0)
    return environment_row(atoms, "group", "x", inside, {"score": values}, weights)


def test_copies_of_atoms_in_a_structure_make_no_interval_narrower() -> None:
    once, often = planted(20, 1), planted(20, 50)
    assert often["score_low"] == pytest.approx(as_number(once["score_low"]))
    assert often["score_high"] == pytest.approx(as_number(once["score_high"]))
    assert as_number(once["score_high"]) - as_number(once["score_low"]) > 0.5
    assert once["difference"] == pytest.approx(1.0)


def test_differences_are_found_and_noise_is_not() -> None:
    draw = np.random.default_rng(1)
    owner = np.repeat(np.arange(60), 4)
    atoms = atoms_of(*owner.tolist())
    inside = np.tile([True, False, False, False], 60)
    noise = draw.normal(size=240)
    weights = atoms.resampled(0)
    real = environment_row(atoms, "group", "x", inside, {"score": noise + inside}, weights)
    none = environment_row(atoms, "group", "x", inside, {"score": noise}, weights)
    assert as_number(real["p"]) < 1e-6
    assert as_number(real["cliffs_delta"]) > 0.4
    assert as_number(none["p"]) > 0.05
    assert as_number(none["difference_low"]) < 0 < as_number(none["difference_high"])


def test_few_structures_are_not_tested() -> None:
    found = planted(4, 2)
    assert math.isnan(as_number(found["p"]))
    assert math.isfinite(as_number(found["difference"]))


def test_holm_by_hand() -> None:
    rows = with_holm([{"p": 0.01}, {"p": 0.04}, {"p": 0.03}, {"p": math.nan}, {"p": 0.9}])
    found = [as_number(r["p_holm"]) for r in rows]
    np.testing.assert_allclose(found, [0.04, 0.09, 0.09, math.nan, 0.9])


def test_crystals_and_formulas_have_what_they_have() -> None:
    crystals = StructureArrays.from_atoms(
        [bulk("NaCl", "rocksalt", a=5.6), bulk("MgO", "rocksalt", a=4.2)]
    )
    result = studied(crystals, lens_predictor())
    kinds = {r["kind"] for r in result.tables["environments"]}
    assert kinds == {"element", "coordination", "site symmetry"}


def test_what_cannot_be_asked_is_said_in_one_sentence() -> None:
    with pytest.raises(StudyError, match=r"none occurs in 500 structures .8 given.; .*--least N"):
        Environments(EnvironmentSettings(least=500)).run(
            StudyInput(models=(terms_predictor(),), data=data(molecules()))
        )
    with pytest.raises(SettingsError, match="nothing"):
        studied(molecules(), target="nothing")
    with pytest.raises(SettingsError, match="magic"):
        studied(molecules(), method="magic")


def test_the_command_writes_a_table_a_figure_and_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lens_predictor().save(tmp_path / "model")
    names = [
        "CH3CH2OH",
        "CH3OCH3",
        "CH3CHO",
        "HCOOH",
        "CH3NO2",
        "C2H6CHOH",
        "CH3CN",
        "C2H6",
        "C3H8",
    ]
    write(tmp_path / "in.xyz", [molecule(n) for n in names])
    out = tmp_path / "out"
    command = ["explain", str(folder), str(tmp_path / "in.xyz"), "--by", "environment", "--quiet"]
    assert main([*command, "--out", str(out)]) == 0
    assert "C sp3" in capsys.readouterr().out
    with (out / "environments.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {r["kind"] for r in rows} >= {"element", "group", "hybridisation", "ring"}
    assert json.loads((out / "study.json").read_text())["n_structures"] == 9
    for name in ("environments.png", "examples.html", "example-01.svg"):
        assert (out / name).stat().st_size > 1000
    assert main([*command, "--at", "3", "--out", str(out)]) == 2
    assert main([*command, "--limit", "0", "--out", str(out)]) == 2
    assert main([*command, "--target", "nothing", "--out", str(out)]) == 2


def test_all_structures_are_asked_about_one_class() -> None:
    predictor = classes_predictor()
    structures = molecules()
    said = predictor.predict(structures).values[:, 0].tolist()
    assert set(said) == {0.0, 1.0}  # some are most probably no, others yes
    result = studied(structures, predictor)
    for name, value in (("C", -1.0), ("O", 2.0), ("H", 0.0)):
        assert row(result, name)["score"] == pytest.approx(value, abs=1e-6)
        assert row(result, name)["unit"] == "logit of yes over the others"


def test_of_several_classes_the_one_said_most_often_is_asked_for() -> None:
    predictor = classes_predictor()
    (target,) = predictor.targets
    three = replace(target, classes=("no", "yes", "never"))
    model = Terms(TermsConfig(n_outputs=3))
    with torch.no_grad():
        model.table.weight.zero_()
        model.table.weight[:, :2] = predictor.models[0].table.weight
        model.table.weight[:, 2] = -5.0
    several = trained_around(model, builder=predictor.builder, targets=(three,))
    oxides = StructureArrays.from_atoms([molecule(m) for m in ("C6H6", "HCOOH", "CO2")])
    assert several.predict(oxides).values[:, 0].tolist() == [0.0, 1.0, 1.0]
    assert row(studied(oxides, several), "C")["unit"] == "logit of yes over the others"


def test_a_map_and_a_question_about_several_classes_name_no_single_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = classes_predictor()
    structures = [molecule("HCOOH"), molecule("C6H6")]
    asked = Asked.about(predictor, StructureArrays.from_atoms(structures), None)
    assert asked.unit == "probability of the most probable class"
    pytest.importorskip("chemiscope")
    places = {name: maps.MapProperty(values=[0.0, 1.0]) for name in (maps.X, maps.Y)}
    monkeypatch.setattr(maps, "_places", lambda *_: places)  # this model has no vectors
    path = maps.write_explained_map(
        predictor, [predictor.explain(one) for one in structures], tmp_path / "map.json"
    )
    written = json.loads(path.read_text())["properties"].values()
    assert "probability of yes or probability of no" in [p.get("units") for p in written]
