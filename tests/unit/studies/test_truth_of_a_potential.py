"""Agreement with a universal potential's energies of atoms, with a stand-in for the potential."""

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from atomlens.datasets.base import Dataset
from atomlens.errors import MissingDependencyError, StudyError
from atomlens.neighbors import make_builder
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import StudyInput
from atomlens.studies.truth.known import agreement
from atomlens.studies.truth.potential import atom_energies
from atomlens.studies.truth.study import TruthSettings, TruthStudy
from atomlens.targets import Target
from atomlens.testing.questions import trained_around
from model_makers import small_model

ALONE = {11: -1.3, 17: -1.8, 12: -1.5, 8: -4.9}
"""What an atom of an element has by itself in the stand-in, eV"""
FITTED = {11: -1.0, 17: -2.0, 12: -1.0, 8: -5.0}
"""What its fit of compositions says of it"""


def bond_energy(number: int, n_atoms: int) -> float:
    return -0.01 * number - 0.1 * n_atoms


class StandIn:
    """As chgnet.model.CHGNet: energies that are known."""

    def __init__(self) -> None:
        fitted = torch.zeros(1, 94)
        for number, energy in FITTED.items():
            fitted[0, number - 1] = energy
        self.composition_model = SimpleNamespace(fc=SimpleNamespace(weight=fitted))

    @classmethod
    def load(cls, **_: Any) -> "StandIn":
        return cls()

    def predict_structure(self, crystals: Any, **options: Any) -> list[dict[str, Any]]:
        assert options == {"task": "e", "return_site_energies": True}
        return [
            {
                "site_energies": np.array(
                    [ALONE[z] + bond_energy(z, len(c)) for z in c.atomic_numbers], dtype=np.float32
                )
            }
            for c in crystals
        ]


@pytest.fixture
def chgnet(monkeypatch: pytest.MonkeyPatch) -> None:
    package, inside = ModuleType("chgnet"), ModuleType("chgnet.model")
    inside.CHGNet = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chgnet", package)
    monkeypatch.setitem(sys.modules, "chgnet.model", inside)


def crystals() -> list[Atoms]:
    salt = bulk("NaCl", "rocksalt", a=5.64)
    return [salt, bulk("MgO", "rocksalt", a=4.21), salt.repeat((2, 1, 1))]


def data_set(formation: list[float] | None) -> Dataset:
    structures = StructureArrays.from_atoms(crystals())
    return Dataset(
        name="salts",
        structures=structures,
        targets=() if formation is None else (Target(name="formation_energy", unit="eV/atom"),),
        values=np.zeros((3, 0)) if formation is None else np.array(formation)[:, None],
    )


def true_terms(atoms: Atoms) -> list[float]:
    return [bond_energy(z, len(atoms)) for z in atoms.numbers]


@pytest.mark.usefixtures("chgnet")
def test_without_formation_energies_the_fit_of_compositions_is_taken_off() -> None:
    own = agreement(data_set(None))
    assert own.target == "formation_energy"
    salt = crystals()[0]
    for found, z in zip(own.truth[0][:, 0], salt.numbers, strict=True):
        assert found == pytest.approx(ALONE[z] + bond_energy(z, 2) - FITTED[z], abs=1e-5)


@pytest.mark.usefixtures("chgnet")
def test_means_become_the_formation_energies_that_are_known() -> None:
    formation = [float(np.mean(true_terms(atoms))) for atoms in crystals()]
    for found, wanted in zip(agreement(data_set(formation)).truth, formation, strict=True):
        assert found.mean() == pytest.approx(wanted, abs=1e-5)
    partly = agreement(data_set([formation[0], np.nan, formation[2]]))
    assert partly.truth[0].mean() == pytest.approx(formation[0], abs=1e-5)
    unknown = agreement(data_set(None)).truth[1]
    np.testing.assert_allclose(partly.truth[1], unknown)  # nothing is known of its elements


@pytest.mark.usefixtures("chgnet")
def test_the_study_scores_models_of_formation_energies_and_names_others() -> None:
    model, other = (
        trained_around(
            small_model("lens").float(),
            builder=make_builder("voronoi"),
            targets=(Target(name=name),),
        )
        for name in ("formation_energy", "gap")
    )
    settings = TruthSettings(methods="contribution", potential="chgnet")
    given = StudyInput(models=(model,), data=data_set([-1.0, -2.0, -1.0]))
    result = TruthStudy(settings).run(given)
    methods = {row["method"] for row in result.tables["truth"]}
    assert methods >= {"contribution", "random", "table of the potential by element"}
    assert "no truth" in result.notes[0]
    with pytest.raises(StudyError, match="it has no target formation_energy"):
        TruthStudy(settings).run(replace(given, models=(other,)))


@pytest.mark.usefixtures("chgnet")
def test_a_molecule_is_refused_by_its_name() -> None:
    water = molecule("H2O")
    water.info["name"] = "water"
    with pytest.raises(StudyError, match="water does not repeat in all directions"):
        atom_energies(StructureArrays.from_atoms([crystals()[0], water]), None)


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chgnet", None)
    monkeypatch.setitem(sys.modules, "chgnet.model", None)
    with pytest.raises(MissingDependencyError, match="needs the package chgnet"):
        atom_energies(StructureArrays.from_atoms(crystals()), None)
