"""What is minimised when the best epoch is chosen."""

import math

import numpy as np
import pytest
import torch
from ase.build import molecule

from atomlens.models.baselines import BaselineConfig, MeanModel
from atomlens.neighbors import make_builder
from atomlens.neighbors.pack import build_store
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling
from atomlens.training.validation import Validation, ValidationResult

STRUCTURES = StructureArrays.from_atoms([molecule("H2O"), molecule("CH3CH2OH")])  # 3 and 9 atoms
ENERGY = Target(name="energy", unit="eV", extensive=True)
GAP = Target(name="gap", unit="eV")
METAL = Target(name="metal", kind="classification", classes=("no", "yes"))
NAN = math.nan


def measured(
    *targets: Target,
    true: list[list[float]],
    outputs: list[float],
    stds: tuple[float, ...],
) -> ValidationResult:
    """Measure a network that says the same of every structure, in scaled units."""
    model = MeanModel(BaselineConfig(n_outputs=len(outputs))).eval()
    with torch.no_grad():
        model.mean.copy_(torch.tensor(outputs))
    scaling = TargetScaling(
        targets=targets,
        means=(0.0,) * len(targets),
        stds=stds,
        references=({},) * len(targets),
    )
    validation = Validation(
        store=build_store(STRUCTURES, make_builder("formula")).store,
        rows=np.arange(len(true)),
        structures=STRUCTURES.subset(range(len(true))),
        true=np.array(true),
        scaling=scaling,
    )
    return validation.measure(model)


def test_an_extensive_error_counts_per_atom_and_is_told_in_its_unit() -> None:
    """Errors of 3 and 18 eV in 3 and 9 atoms: 1 and 2 an atom, over a spread of 2."""
    found = measured(ENERGY, true=[[3.0], [18.0]], outputs=[0.0], stds=(2.0,))
    assert found.errors == {"energy": pytest.approx(10.5)}
    assert found.score == pytest.approx(0.75)


def test_targets_of_other_units_weigh_the_same() -> None:
    in_ev = measured(ENERGY, GAP, true=[[3.0, 1.0]], outputs=[0.0, 0.0], stds=(2.0, 4.0))
    in_mev = measured(ENERGY, GAP, true=[[3.0, 1000.0]], outputs=[0.0, 0.0], stds=(2.0, 4000.0))
    assert in_ev.score == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert in_mev.score == pytest.approx(in_ev.score)
    assert in_mev.errors["gap"] == pytest.approx(1000 * in_ev.errors["gap"])


def test_unknown_values_count_for_nothing() -> None:
    found = measured(GAP, METAL, true=[[NAN, NAN], [3.0, NAN]], outputs=[1.0] * 3, stds=(1.0, 1.0))
    assert found.errors == {"gap": pytest.approx(2.0)}
    assert found.score == pytest.approx(2.0)


def test_classes_cost_their_cross_entropy_and_are_told_as_wrong_or_right() -> None:
    found = measured(METAL, true=[[0.0], [1.0]], outputs=[0.0, math.log(3)], stds=(1.0,))
    assert found.errors == {"metal": pytest.approx(0.5)}
    assert found.score == pytest.approx(-(math.log(1 / 4) + math.log(3 / 4)) / 2)


def test_without_a_validation_part_there_is_no_score_and_nothing_wrong() -> None:
    found = measured(GAP, true=[], outputs=[0.0], stds=(1.0,))
    assert math.isnan(found.score)
    assert found.errors == {}
    assert found.is_sound


def test_answers_that_are_no_numbers_are_not_sound() -> None:
    assert not measured(GAP, true=[[1.0]], outputs=[NAN], stds=(1.0,)).is_sound
