"""The quick answer that no atoms are near never differs from a count of all pairs."""

from itertools import product

import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.machine import compiler, compiling
from atomlens.structures import distance_doubts
from atomlens.structures.checks import check_cell
from atomlens.structures.cif.cell import vectors
from atomlens.structures.distance_doubts import doubtful_distance
from atomlens.structures.distances import (
    all_apart,
    have_others_near,
    heights_of,
    pairs_within,
)

Values = NDArray[np.float64]
needs_compiler = pytest.mark.skipif(compiler() is None, reason="the quick answer is compiled")


def nearest(positions: Values, cell: Values, pbc: NDArray[np.bool_]) -> float:
    """Shortest distance by trying 5 x 5 x 5 images of every pair."""
    shifts = [s @ cell for s in map(np.array, product(*[range(-2, 3) if p else (0,) for p in pbc]))]
    found = np.inf
    for shift in shifts:
        gaps = np.linalg.norm(positions[:, None] + shift - positions[None], axis=2)
        if not shift.any():
            np.fill_diagonal(gaps, np.inf)
        found = min(found, float(gaps.min(initial=np.inf)))
    return found


@needs_compiler
@pytest.mark.parametrize("pbc", [(1, 1, 1), (0, 0, 0), (1, 0, 1), (0, 0, 1)])
def test_it_says_apart_only_where_no_pair_is_near(pbc: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(sum(pbc))
    periodic = np.array(pbc, dtype=bool)
    said = []
    for _ in range(150):
        cell = np.diag(rng.uniform(2.5, 6, 3)) + rng.normal(0, 0.6, (3, 3))
        cell[~periodic] = 0
        positions = rng.normal(0, 5, (int(rng.integers(1, 7)), 3))
        distance = float(rng.uniform(0.1, 1.2))
        true = nearest(positions, cell, periodic)
        quick = all_apart(positions, cell, periodic, distance)
        assert not (quick and true <= distance)
        heights = heights_of(np.where(periodic[:, None], cell, np.eye(3)))[periodic]
        if true > 1.01 * distance and heights.min(initial=np.inf) > 2.1 * distance:
            said.append(quick)
    assert len(said) > 30
    assert sum(said) > 0.95 * len(said)  # it answers almost all of them


@needs_compiler
def test_atoms_on_both_sides_of_a_face_are_near() -> None:
    cell = np.diag([4.0, 5.0, 6.0])
    for axis in range(3):
        positions = np.full((2, 3), 1.0)
        positions[:, axis] = [0.02, cell[axis, axis] - 0.02]
        assert not all_apart(positions, cell, np.ones(3, dtype=bool), 0.1)
        assert all_apart(positions, cell, np.zeros(3, dtype=bool), 0.1)


@needs_compiler
@pytest.mark.parametrize("pbc", [(1, 1, 1), (0, 0, 0), (1, 0, 1), (0, 0, 1)])
def test_it_says_that_all_have_others_near_only_where_they_have(pbc: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(7 + sum(pbc))
    periodic = np.array(pbc, dtype=bool)
    said = []
    for _ in range(150):
        cell = np.diag(rng.uniform(2.5, 9, 3)) + rng.normal(0, 0.6, (3, 3))
        n = int(rng.integers(2, 40))
        positions = rng.random((n, 3)) @ cell * 1.3
        radii = rng.uniform(0.6, 1.6, n)
        pairs = pairs_within(positions, cell, periodic, 2 * float(radii.max()))
        near = pairs.distances < radii[pairs.first] + radii[pairs.second]
        counts = np.bincount(pairs.first[near], minlength=n)
        most = counts.argsort()[-int(rng.integers(1, n)) :]
        least = int(counts[most].min())
        with compiling():
            said.append(have_others_near(positions, cell, periodic, radii, most, least))
            assert not have_others_near(positions, cell, periodic, radii, most, least + 1)
    assert sum(said) > 0.9 * len(said)  # only pairs at the border may be left out


def test_heights_of_a_cell_are_those_of_its_reciprocalvectors() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        cell = rng.normal(0, 3, (3, 3))
        expected = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        np.testing.assert_allclose(heights_of(cell), expected, rtol=1e-9)
    assert not heights_of(np.array([[1.0, 0, 0], [2.0, 0, 0], [0, 0, 1.0]])).all()


def test_lattice_vectors_are_those_of_ase_to_the_last_bit() -> None:
    from ase.geometry import cellpar_to_cell

    rng = np.random.default_rng(1)
    angles = [*rng.uniform(70, 110, (40, 3)).tolist(), [90, 90, 120], [90, 90, 90], [60, 60, 60]]
    for one in angles:
        lengths = rng.uniform(2, 12, 3).tolist()
        ours = vectors(*lengths, *map(float, one))
        np.testing.assert_array_equal(ours, cellpar_to_cell([*lengths, *one]))
    assert np.isnan(vectors(3, 3, 3, 10, 10, 100)).any()


@needs_compiler
def test_a_doubt_about_distances_is_that_of_a_count_of_all_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also in cells so thin that an atom meets several images of another, or its own."""
    rng = np.random.default_rng(5)
    crystals = []
    for k in range(120):
        cell = np.diag(rng.uniform(1.2, 9, 3)) + rng.normal(0, 0.4, (3, 3))
        n = int(rng.integers(1, 6))
        atoms = Atoms(
            rng.choice([1, 6, 8, 11, 26, 55], n),
            cell=cell,
            scaled_positions=rng.random((n, 3)),
            pbc=[bool(k % 2 or k >> axis & 1) for axis in (1, 2, 3)],
        )
        crystals.append(atoms)
    quick = [doubtful_distance(atoms) for atoms in crystals]
    monkeypatch.setattr(distance_doubts, "nearness_of", lambda *_: 2)  # nothing is known quickly
    slow = [doubtful_distance(atoms) for atoms in crystals]
    lonely = [said.startswith(("no two of its atoms", "no image of its atom")) for said in quick]
    assert [said for said, alone in zip(quick, lonely, strict=True) if not alone] == [
        said for said, alone in zip(slow, lonely, strict=True) if not alone
    ]
    assert not any(said for said, alone in zip(slow, lonely, strict=True) if alone)
    assert 20 < sum(map(bool, slow)) < 100


@needs_compiler
def test_elements_without_a_known_radius_may_be_lonely() -> None:
    atoms = Atoms("Rf2", [[0, 0, 0], [7, 0, 0]], cell=[29, 29, 29], pbc=True)
    assert doubtful_distance(atoms).startswith("no two of its atoms")


@needs_compiler
def test_what_was_asked_last_is_not_the_answer_for_another_structure() -> None:
    cell, pbc = np.diag([8.0, 8.0, 8.0]), np.ones(3, dtype=bool)
    far = np.array([[1.0, 1, 1], [4, 4, 4]])
    near = np.array([[1.0, 1, 1], [1.2, 1, 1]])
    for _ in range(2):
        assert all_apart(far, cell, pbc, 0.5)
        assert not all_apart(near, cell, pbc, 0.5)
        assert all_apart(near, cell, pbc, 0.1)
        assert not all_apart(near, cell, pbc, 0.5)
        assert not all_apart(far, np.diag([8.0, 8.0, 0.4]), pbc, 0.5)
    for good, bad in ((cell, np.diag([8.0, 8.0, 0.0])), (cell, cell * np.nan)):
        check_cell(good, pbc)
        with pytest.raises(StructureError):
            check_cell(bad, pbc)
        check_cell(bad, np.zeros(3, dtype=bool))
        with pytest.raises(StructureError):
            check_cell(bad, pbc)
