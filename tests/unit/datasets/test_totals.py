import numpy as np
import pytest

from atomlens.datasets import Dataset
from atomlens.datasets.totals import doubts_about_sizes, looks_like_totals, taken_as_totals
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

SIZES = np.tile([1, 2, 4, 8], 5)
NOISE = np.random.default_rng(0).normal(1.0, 0.1, size=20)


def data(values, sizes=SIZES, **target) -> Dataset:
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    n = len(sizes)
    structures = StructureArrays(
        offsets=offsets,
        atomic_numbers=np.full(offsets[-1], 29, dtype=np.uint8),
        positions=np.zeros((offsets[-1], 3)),
        cells=np.zeros((n, 3, 3)),
        pbc=np.zeros((n, 3), dtype=np.bool_),
        names=tuple(map(str, range(n))),
        is_formula=np.zeros(n, dtype=np.bool_),
    )
    about = {"name": "energy", "unit": "eV", "extensive": True} | target
    return Dataset(
        name="made", structures=structures, targets=(Target(**about),), values=values[:, None]
    )


@pytest.mark.parametrize(
    ("values", "sizes", "is_doubted"),
    [
        (-3.5 * NOISE, SIZES, True),
        (-3.5 * NOISE * SIZES, SIZES, False),
        (1e3 - 3.5 * NOISE, np.full(20, 4), False),  # one size: nothing can be seen
        (-3.5 * NOISE[:4], SIZES[:4], False),  # too few
    ],
)
def test_totals_that_look_like_values_per_atom_are_doubted(values, sizes, is_doubted):
    said = list(doubts_about_sizes(data(values, sizes)))
    assert bool(said) == is_doubted
    assert not list(doubts_about_sizes(data(values, sizes, extensive=False)))
    if said:
        assert "(1 to 8)" in said[0]
        assert "--unit eV/atom" in said[0]


def test_values_that_grow_like_totals_are_told_where_they_are_taken_for_something_else():
    totals = data(-3.5 * NOISE * SIZES, extensive=False)
    assert "grow with the number of atoms (1 to 8)" in next(looks_like_totals(totals))
    assert not list(looks_like_totals(data(-3.5 * NOISE * SIZES)))
    assert not list(looks_like_totals(data(-3.5 * NOISE * SIZES, extensive=False, unit="eV/atom")))
    assert not list(looks_like_totals(data(-3.5 * NOISE, extensive=False)))


def test_what_is_taken_for_a_total_is_said():
    assert "energy is taken for a total in eV" in next(iter(taken_as_totals(data(NOISE))))
    assert not list(taken_as_totals(data(NOISE, extensive=False)))
