"""Attention of many structures: sums, failures, labels, controls."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.errors import StudyError
from atomlens.studies import StudyInput
from atomlens.studies.networks import attention_of, labels, measure_attention, predicts
from study_makers import dataset, make_predictor, trained_on_noise

MOLECULES = dataset(*(molecule(name) for name in ("CH4", "CH3CH2OH", "H2O"))).structures


def test_attention_adds_up_to_one_in_every_structure():
    sums = [s.sum() for s in attention_of(make_predictor(n_members=2), MOLECULES).scores]
    assert sums == pytest.approx([1, 1, 1], abs=1e-6)


def test_attention_is_that_of_an_explanation():
    model = make_predictor()
    explained = model.explain(molecule("CH3CH2OH")).scores
    assert attention_of(model, MOLECULES).scores[1] == pytest.approx(explained, abs=1e-6)


def test_a_structure_without_a_graph_is_named_and_the_rest_goes_on():
    strange = Atoms("Fm2", positions=[[0, 0, 0], [0, 0, 2.5]], info={"name": "fermium"})
    found = attention_of(make_predictor(), dataset(strange, molecule("CH4")).structures)
    assert [f.name for f in found.failures] == ["fermium"]
    assert found.kept.tolist() == [1]
    assert len(found.scores) == 1


def test_nothing_usable_is_an_error_with_the_reason():
    strange = Atoms("Fm2", positions=[[0, 0, 0], [0, 0, 2.5]])
    with pytest.raises(StudyError, match=r"None of the 1 structures.*Fm"):
        attention_of(make_predictor(), dataset(strange).structures)


def test_models_of_one_target_are_numbered():
    models = [make_predictor(t) for t in ("homo", "lumo", "homo")]
    assert labels(models) == ("homo (1)", "lumo", "homo (2)")


@pytest.mark.parametrize(
    ("target", "is_homo"),
    [("homo", True), ("HOMO_eV", True), ("homo_lumo_gap", False), ("homology", False)],
)
def test_a_model_of_the_homo_is_known_by_its_target(target, is_homo):
    assert predicts(make_predictor(target), "homo") is is_homo


def test_controls_are_measured_beside_their_model_with_one_progress():
    model = make_predictor()
    steps = []
    (found,) = measure_attention(
        StudyInput(
            models=(model,),
            data=dataset(),
            shuffled=(trained_on_noise(make_predictor(seed=8)),),
            progress=lambda done, total: steps.append((done, total)),
        ),
        MOLECULES,
    )
    assert found.label == "homo"
    assert {name: len(a) for name, a in found.controls.items()} == {
        "untrained": 3,
        "shuffled labels": 1,
    }
    alone = attention_of(model, MOLECULES).scores
    assert np.array_equal(found.trained.scores[1], alone[1])
    assert steps[-1] == (15, 15)  # three structures, five networks
    assert steps == sorted(steps)
