"""Answers far outside of what training had are told, and so are coordinates that were made."""

import math
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from atomlens.predictor import Predictor, load
from atomlens.predictor.metrics import finite_or_none
from atomlens.predictor.record import TrainingRecord
from atomlens.training import train

pytestmark = pytest.mark.filterwarnings("ignore:.*odd number of electrons")


def chain(n: int) -> Atoms:
    return Atoms(f"H{n}", positions=np.arange(n)[:, None] * [0.8, 0, 0])


@pytest.fixture(scope="module")
def ridge() -> Predictor:
    pairs = [(chain(n), float(n)) for n in range(2, 32)]
    return train(pairs, target="y", model="ridge", extensive=False)


def test_a_far_answer_has_a_warning_and_no_error_estimate(ridge: Predictor) -> None:
    seen, far = ridge.predict(chain(12)), ridge.predict(chain(90))
    assert seen.warnings == ("",)
    assert np.isfinite(seen.std).all()
    highest = ridge.record.highest[0]
    assert f"is far outside of what the training data had (2 to {highest:g})" in far.warnings[0]
    assert far.warnings[0].endswith("so no error is estimated")
    assert "it has 90 atoms, and no molecule of the training data more than" in far.warnings[0]
    assert np.isnan(far.std).all()


def test_an_answer_below_zero_where_no_training_value_was_is_told() -> None:
    """As of rates and concentrations, which a model of lines or a network may make negative."""
    pairs = [(chain(n), n - 3.9) for n in range(4, 32, 2)]
    model = train(pairs, target="k", model="ridge", extensive=False, units={"k": "1/s"})
    usual, impossible = model.predict(chain(8)), model.predict(chain(2))
    assert usual.warnings == ("",)
    value = impossible.values[0, 0]
    assert value < 0
    said = f"its k of {value:.4g} 1/s is below 0, and no training value was"
    assert impossible.warnings == (said,)
    assert np.isfinite(impossible.std).all()
    free = train([(a, v - 5) for a, v in pairs], target="k", model="ridge", extensive=False)
    assert free.predict(chain(2)).warnings == ("",)


def test_a_molecule_larger_than_all_of_training_has_no_error(ridge: Predictor) -> None:
    most = ridge.record.most_atoms
    even = most - most % 2  # an odd number of electrons is told
    inside, beyond = ridge.predict(chain(even)), ridge.predict(chain(even + 2))
    assert (inside.warnings, np.isfinite(inside.std).all()) == (("",), True)
    assert beyond.warnings == (
        f"it has {even + 2} atoms, and no molecule of the training data more than {most}, so no "
        "error is estimated",
    )
    assert np.isnan([beyond.std, beyond.interval_low, beyond.interval_high]).all()


def test_a_crystal_has_no_size(ridge: Predictor) -> None:
    crystal = chain(90)
    crystal.set_cell([100, 50, 50])
    crystal.pbc = True
    record = replace(ridge.record, kinds=("molecule", "periodic structure"))
    assert (
        "atoms, and no molecule" not in replace(ridge, record=record).predict(crystal).warnings[0]
    )


def test_the_largest_molecule_of_training_is_no_crystal() -> None:
    crystals = [chain(n) for n in range(40, 50)]
    for crystal in crystals:
        crystal.set_cell([100, 50, 50])
        crystal.pbc = True
    pairs = [(atoms, float(len(atoms))) for atoms in (*map(chain, range(2, 32)), *crystals)]
    model = train(pairs, target="y", model="mean", extensive=False)
    assert 20 < model.record.most_atoms < 32


@pytest.mark.parametrize("own", [0, 29], ids=["as the landmarks say", "as the record says"])
def test_a_size_beyond_training_is_as_unlike_as_can_be(own: int) -> None:
    """Decane is as near to the training molecules of qm9, by its atoms, as nonane is."""
    qm9 = load("qm9")
    qm9 = replace(qm9, record=replace(qm9.record, most_atoms=own))
    within, beyond = (qm9.predict("C" * n).to_records()[0] for n in (9, 10))
    assert within["unlike"] < 100
    assert within["homo_std"] > 0
    assert beyond["unlike"] == 100
    assert beyond["homo_std"] is None
    assert "it has 32 atoms, and no molecule of the training data more than 29" in beyond["warning"]
    assert "farther away" not in beyond["warning"]


def test_folders_of_earlier_days_know_no_range(ridge: Predictor) -> None:
    record = replace(ridge.record, lowest=(), highest=(), most_atoms=0)
    assert replace(ridge, record=record).predict(chain(90)).warnings == ("",)


def test_the_range_counts_per_atom_where_a_target_grows() -> None:
    pairs = [(chain(n), n * (1.0 + 0.1 * (n % 3))) for n in range(2, 32)]
    model = train(pairs, target="y", model="ridge", extensive=True)
    assert (model.record.lowest[0], model.record.highest[0]) == pytest.approx((1.0, 1.2))
    assert "far outside" not in model.predict(chain(60)).warnings[0]


def test_a_training_says_whether_its_coordinates_were_made(ridge: Predictor) -> None:
    assert ridge.record.made_geometries is False
    texts = ["C" * n for n in range(1, 11)]
    made = train({"smiles": texts, "y": [*range(10)]}, target="y", model="ridge")
    assert made.record.made_geometries is True


def test_the_record_keeps_its_range() -> None:
    record = TrainingRecord(lowest=(1.0, math.nan), highest=(2.0, math.nan), most_atoms=7)
    again = TrainingRecord.from_dict(finite_or_none(record.to_dict()))
    assert again.lowest[0] == 1.0
    assert math.isnan(again.highest[1])
    assert again.most_atoms == 7
