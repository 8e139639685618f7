"""Controls have the architecture of their model and nothing of what it learned."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from atomlens.errors import StudyError
from atomlens.predictor import Calibration, Predictor, TrainingRecord
from atomlens.predictor.trust.calibration import Spread
from atomlens.predictor.trust.familiarity import Familiarity
from atomlens.studies.answering import once_each
from atomlens.studies.base import StudyInput
from atomlens.studies.controls import (
    N_UNTRAINED,
    controls_for,
    named_controls,
    refuse_twins,
    unlike,
    untrained,
    untrained_networks,
)
from atomlens.studies.networks import attention_of
from study_makers import dataset, finder_predictor, make_predictor, trained_on_noise

ETHANOL = dataset(molecule("CH3CH2OH")).structures


def test_an_untrained_network_looks_elsewhere():
    model = make_predictor()
    own, control = (attention_of(m, ETHANOL).scores[0] for m in (model, untrained(model)))
    assert np.abs(own - control).max() > 1e-3


def test_an_untrained_network_has_the_same_architecture():
    model = make_predictor()
    control = untrained(model)
    assert control.config == model.config
    shapes = [
        {name: tuple(p.shape) for name, p in m.models[0].state_dict().items()}
        for m in (model, control)
    ]
    assert shapes[0] == shapes[1]


def test_an_untrained_network_does_not_say_how_unlike_the_training_data_an_input_is():
    model = make_predictor()
    vectors = np.random.default_rng(0).normal(size=(40, 8))
    familiarity = Familiarity.fit(
        vectors[:30], vectors[30:], dataset(*[molecule("H2O")] * 30).structures
    )
    assert untrained(replace(model, familiarity=familiarity)).familiarity is None


def test_the_original_stays_as_it_is():
    model = make_predictor()
    before = {k: v.clone() for k, v in model.models[0].state_dict().items()}
    untrained(model)
    after = model.models[0].state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_a_seed_gives_the_same_network_and_another_seed_another():
    model = make_predictor()
    first, again, other = (untrained(model, seed).models[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_making_a_control_leaves_the_random_numbers_of_others_alone():
    model = make_predictor()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    untrained(model)
    assert torch.equal(torch.rand(3), expected)


def test_the_networks_of_an_ensembles_control_are_single_and_different():
    networks = untrained_networks(make_predictor(n_members=2))
    assert len(networks) == N_UNTRAINED
    assert all(len(n.models) == 1 for n in networks)
    scores = [attention_of(n, ETHANOL).scores[0] for n in networks]
    assert np.abs(scores[0] - scores[1]).max() > 1e-4


def test_a_control_belongs_to_the_model_of_its_target():
    homo, lumo = (trained_on_noise(make_predictor(t)) for t in ("homo", "lumo"))
    assert controls_for(make_predictor("lumo"), (homo, lumo)) == (lumo,)
    assert controls_for(make_predictor("gap"), (homo, lumo)) == ()


def test_every_model_of_shuffled_labels_is_a_network_of_the_control():
    first, second = (trained_on_noise(make_predictor(seed=seed)) for seed in (1, 2))
    found = named_controls(make_predictor(), (first, second))
    assert found["shuffled labels"] == (first, second)


def test_a_model_of_true_labels_is_no_control():
    with pytest.raises(StudyError, match="not trained on shuffled labels"):
        controls_for(make_predictor(), (make_predictor(),))


def test_both_kinds_of_controls_have_names():
    model = make_predictor()
    assert list(named_controls(model, ())) == ["untrained"]
    assert list(named_controls(model, (trained_on_noise(model),))) == [
        "untrained",
        "shuffled labels",
    ]


def test_an_untrained_network_keeps_the_fixed_element_vectors():
    model = finder_predictor("formula")
    table = torch.rand(119, 200)
    model.models[0].get_buffer("element_table").copy_(table)
    control = untrained(model).models[0]
    assert torch.equal(control.get_buffer("element_table"), table)
    assert not torch.equal(control.output.weight, model.models[0].output.weight)


def test_a_control_reads_what_its_model_reads():
    formula, structure = finder_predictor("formula"), finder_predictor("structure")
    controls = trained_on_noise(structure), trained_on_noise(formula)
    assert controls_for(formula, controls) == controls[1:]
    assert controls_for(structure, controls) == controls[:1]
    assert controls_for(formula, controls[:1]) == ()


def test_a_network_given_twice_is_no_second_training():
    first, second = make_predictor(seed=1), make_predictor(seed=2)
    refuse_twins([first, second], [])
    copy = make_predictor(seed=1)
    both = replace(second, models=second.models + copy.models)
    for models in ([first, copy], [first, both]):
        with pytest.raises(StudyError, match=r"--model: two of the models for homo"):
            refuse_twins(models, [])
        with pytest.raises(StudyError, match=r"--shuffled: two of the models"):
            refuse_twins([], models)
    refuse_twins([first], [trained_on_noise(copy)])
    other_target = make_predictor("lumo", seed=1)  # one network may be asked about each target
    refuse_twins([first, other_target], [])


def given(*atoms: Atoms) -> StudyInput:
    named = [Atoms(a, info={"name": f"given {i}"}) for i, a in enumerate(atoms)]
    return StudyInput(models=(), data=dataset(*named))


def test_a_structure_counts_once_whatever_it_is_called_turned_or_ordered():
    ethanol, water = molecule("CH3CH2OH"), molecule("H2O")
    turned = ethanol[::-1].copy()
    turned.rotate(40, "x")
    once = once_each(given(ethanol, turned, water))
    assert once.data.structures.names == ("given 0", "given 2")
    assert once.notes == ("3 structures were given, 2 of them different; each counts once.",)
    assert once_each(given(ethanol, water)).notes == ()


def test_frames_of_a_trajectory_stay_and_are_told_apart_from_isomers():
    frames = [molecule("CH3CH2OH") for _ in range(3)]
    for i, frame in enumerate(frames):
        frame.positions[:, 0] *= 1 + 0.02 * i
    found = once_each(given(*frames, molecule("CH3OCH3"), molecule("H2O")))
    assert len(found.data) == 5
    (note,) = found.notes
    assert note.startswith("3 of 5 structures have the atoms and bonds of another one")
    isomer = molecule("CH3OCH3")
    assert once_each(given(molecule("CH3CH2OH"), isomer)).notes == ()


def trained_for(predictor: Predictor, epochs: int, n_members: int = 1) -> Predictor:
    record = TrainingRecord(
        settings={"shuffle_targets": True, "batch_size": 10, "ensemble": n_members},
        split={"train": tuple(map(str, range(95)))},
        history=({"epoch": 0.0},) * (epochs * n_members),
    )
    return replace(predictor, record=record)


def test_a_control_that_had_less_to_learn_with_is_told():
    model = trained_for(make_predictor(n_members=2), 40, n_members=2)
    alike, brief = (trained_for(make_predictor(seed=3), n) for n in (30, 4))
    assert unlike([model], [alike, trained_on_noise(make_predictor())]) == ()
    (sentence,) = unlike([model], [alike, brief])
    assert "(homo) is less than its model: 40 steps in place of 400." in sentence
    small = replace(alike, models=(torch.nn.Linear(2, 2),))
    assert re.search(r"6 weights in place of [\d,]+\.", unlike([model], [small])[0])


def test_the_spread_of_an_untrained_network_is_its_own():
    model = finder_predictor("formula")
    calibration = Calibration.fit(
        np.linspace(-1, 1, 60)[:, None], Spread(noise=np.full((60, 1), 1e-6))
    )
    trained = replace(model, calibration=calibration)
    materials = dataset(*[molecule(m) for m in ("H2O", "CO2", "CH4")]).structures
    assert np.ptp(trained.predict(materials).std[:, 0]) == 0  # cut to what was seen
    assert np.ptp(untrained(trained).predict(materials).std[:, 0]) > 0
