"""Ions and radicals have no error where training had none; zwitterions and magnets are usual."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomlens.errors import Failure
from atomlens.predictor import Prediction, Predictor, load
from atomlens.predictor.record import TrainingRecord


@pytest.fixture(scope="module")
def qm9() -> Predictor:
    return load("qm9")


def asked(model: Predictor, given: object) -> Prediction:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.predict(given)


def charged(total: float) -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.set_initial_charges([total, *[0.0] * 8])
    return atoms


IONS = ["[O-]c1ccccc1", "c1cc[nH+]cc1", "CC[NH3+]", "CCCC[O]", charged(1.0), molecule("CH3")]
USUAL = ["C[N+](=O)[O-]", "[NH3+]CC(=O)[O-]", "CCO", charged(0.0), charged(0.3)]


def test_ions_and_radicals_have_no_error_where_training_had_none(qm9: Predictor) -> None:
    found = asked(qm9, [*IONS, *USUAL])
    n = len(IONS)
    assert not any(found.errors)
    assert np.isnan(found.std[:n]).all()
    assert np.isnan(found.interval_low[:n]).all()
    for said in found.doubts[:n]:
        assert "the training data had no structure with" in str(said)
        assert "so no error is estimated" in str(said)
    assert np.isfinite(found.std[n:]).all()
    assert not any("no structure with" in said for said in found.warnings[n:])


def test_they_are_counted_among_the_answers_to_mistrust(qm9: Predictor) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        qm9.predict(["CC[NH3+]", "CCC(=O)[O-]", "CCO"])
    (said,) = [str(one.message) for one in heard if "mistrusted" in str(one.message)]
    assert said.startswith("2 of 3 answers should be mistrusted: ")
    assert "the training data had no structure with a charge" in said


@pytest.mark.parametrize(
    ("n", "sentence", "are_known"),
    [
        (200, "no model sees its charge of +1: only elements", (True, False)),
        (200, "no model sees its unpaired electrons (1): only elements", (False, True)),
        (200, "it has an odd number of electrons (9), no model sees which", (True, True)),
        (1, "no model sees its charge of +1: only elements", (False, False)),
    ],
)
def test_a_model_that_learned_from_such_keeps_its_errors(
    qm9: Predictor, n: int, sentence: str, are_known: tuple[bool, bool]
) -> None:
    said = tuple(Failure(name=str(k), message=f"another; {sentence}") for k in range(n))
    record = replace(qm9.record, warnings=said, doubted=None, split={"train": ("x",) * 1000})
    counted = replace(record, warnings=(), doubted=dict(record.n_doubted))
    assert sum(counted.n_doubted.values()) == n
    for own in (record, TrainingRecord.from_dict(counted.to_dict(), split=record.split)):
        model = replace(qm9, record=replace(own, samples=qm9.record.samples))
        found = asked(model, ["CC[NH3+]", "CCCC[O]"])
        assert tuple(np.isfinite(found.std).all(axis=1)) == are_known
        assert ("hardly any structure" in found.warnings[0]) == (n == 1)


def test_moments_and_states_of_crystals_are_usual_and_a_charged_cell_is_not() -> None:
    pymatgen = pytest.importorskip("pymatgen.io.ase")
    model = load("mp")
    iron = bulk("Fe", "bcc", a=2.86)
    iron.set_initial_magnetic_moments([2.2])
    salt = bulk("NaCl", "rocksalt", a=5.64)
    salt.set_initial_charges([1.0, -1.0])
    states = pymatgen.AseAtomsAdaptor.get_structure(bulk("NaCl", "rocksalt", a=5.64))
    states.add_oxidation_state_by_element({"Na": 2, "Cl": -1})
    defect = bulk("NaCl", "rocksalt", a=5.64)
    defect.info["charge"] = 1
    found = asked(model, [iron, salt, states, defect])
    said = ["had no structure with a charge" in text for text in found.warnings]
    assert said == [False, False, False, True]
    assert np.isfinite(found.std).any(axis=1).tolist() == [True, True, True, False]
