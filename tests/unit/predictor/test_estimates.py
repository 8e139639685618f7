"""Combining the members of an ensemble."""

import numpy as np
import pytest

from atomlens.graphs import cut_batches
from atomlens.predictor.inference import RawOutputs
from atomlens.predictor.trust.calibration import Calibration
from atomlens.predictor.trust.estimates import combine, estimate
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling

ONE = (Target(name="y"),)


def atoms(*counts: int) -> StructureArrays:
    return StructureArrays.from_structures(
        Structure(
            np.full(n, 6, dtype=np.uint8),
            np.arange(3.0 * n).reshape(n, 3),
            np.zeros((3, 3)),
            np.zeros(3, dtype=np.bool_),
            f"C{n}",
            False,
        )
        for n in counts
    )


def test_one_member_without_noise_has_no_spread() -> None:
    combined = combine(RawOutputs(values=np.ones((1, 4, 1))), ONE, "none")
    assert combined.spread is None
    assert (combined.values == 1).all()


def test_the_spread_of_members_is_their_standard_deviation() -> None:
    values = np.array([[[1.0]], [[2.0]], [[6.0]]])
    combined = combine(RawOutputs(values=values), ONE, "none")
    assert combined.values[0, 0] == 3.0
    assert combined.spread is not None
    assert combined.spread.total()[0, 0] == pytest.approx(np.sqrt(7))


@pytest.mark.parametrize(("noise", "variance"), [("gaussian", 4.0), ("laplace", 8.0)])
def test_noise_and_members_add_in_squares(noise: str, variance: float) -> None:
    """A Laplace distribution of scale b has the variance 2 b²."""
    values = np.array([[[1.0]], [[3.0]]])
    raw = RawOutputs(values=values, log_scale=np.full((2, 1, 1), np.log(2.0)))
    combined = combine(raw, ONE, noise)  # type: ignore[arg-type]
    assert combined.spread is not None
    assert combined.spread.total()[0, 0] == pytest.approx(np.sqrt(2 + variance))


def test_class_probabilities_are_averaged_not_logits() -> None:
    colour = (Target(name="c", kind="classification", classes=("a", "b")),)
    logits = np.log(np.array([[[0.9, 0.1]], [[0.2, 0.8]]]))
    combined = combine(RawOutputs(values=logits), colour, "none")
    scaling = TargetScaling.fit(colour, np.array([[0.0]]), atoms(1))
    found = estimate(combined, atoms(1), scaling, Calibration.nothing(1))
    assert found.probabilities[0] == pytest.approx(np.array([[0.55, 0.45]]))
    assert found.values[0, 0] == 0
    assert np.isnan(found.std[0, 0])


def test_an_extensive_error_grows_with_the_number_of_atoms() -> None:
    energy = (Target(name="e", extensive=True),)
    scaling = TargetScaling.fit(energy, np.array([[2.0], [8.0]]), atoms(1, 2))
    calibration = Calibration.fit(np.array([[1.0], [-1.0]]), None)
    combined = combine(RawOutputs(values=np.zeros((1, 2, 1))), energy, "none")
    found = estimate(combined, atoms(2, 10), scaling, calibration)
    assert found.values[1, 0] == pytest.approx(5 * found.values[0, 0])
    assert found.std[1, 0] == pytest.approx(5 * found.std[0, 0])


def test_what_cannot_be_negative_is_not_predicted_so() -> None:
    gap = (Target(name="gap", nonnegative=True),)
    scaling = TargetScaling.fit(gap, np.array([[0.0], [2.0]]), atoms(1, 1))
    calibration = Calibration.fit(np.ones((40, 1)), None)
    combined = combine(RawOutputs(values=np.full((1, 1, 1), -0.3)), gap, "none")
    found = estimate(combined, atoms(1), scaling, calibration)
    assert found.values[0, 0] == 0
    assert found.low[0, 0] == 0
    assert found.high[0, 0] > 0


def test_batches_are_cut_by_size_and_number_and_lose_nothing() -> None:
    sizes = np.array([5, 5, 50, 1, 1, 1, 1])
    assert cut_batches(sizes, batch_size=None, largest=10) == [(0, 2), (2, 3), (3, 7)]
    assert cut_batches(sizes, batch_size=3, largest=100) == [(0, 3), (3, 6), (6, 7)]
    assert cut_batches(np.zeros(0, dtype=np.int64), batch_size=None, largest=10) == []
