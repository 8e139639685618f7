"""Molecules in periodic boxes, and what is no such thing."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule

from atomlens.chemistry.boxes import touching_radii, without_box
from atomlens.predictor.inputs import gather, pairs_within, without_boxes
from atomlens.structures.arrays import StructureArrays, structure_of

REACH = 4.0


def water(edge: float, pbc: object = True) -> Atoms:
    atoms = molecule("H2O", cell=[edge] * 3, pbc=pbc)
    atoms.center()
    return atoms


def beside(atoms: Atoms, apart: float) -> Atoms:
    other = molecule("H2O")
    other.translate(atoms.positions[0] - other.positions[0] + [apart, 0, 0])
    return atoms + other


def wrapped(atoms: Atoms) -> Atoms:
    atoms.translate(atoms.cell.sum(axis=0) / 2 + 0.1)
    atoms.wrap()
    return atoms


def in_slanted_cell() -> Atoms:
    atoms = water(8)
    atoms.set_cell([[8, 0, 0], [16, 8, 0], [3, 5, 8]])
    return wrapped(atoms)


@pytest.mark.parametrize(
    "atoms",
    [
        water(6),
        wrapped(water(8)),
        water(20),
        wrapped(water(8, (True, True, False))),
        water(8, (False, False, True)),
        in_slanted_cell(),
        beside(water(12), 3.0),
        Atoms("Ne", cell=[9] * 3, pbc=True),
    ],
)
def test_what_stands_alone_in_a_box_is_taken_without_it(atoms: Atoms) -> None:
    alone, said = without_box(structure_of(atoms), REACH)
    assert "stands alone" in said
    assert not alone.pbc.any()
    assert not alone.cell.any()
    found = Atoms(atoms.numbers, alone.positions)
    shortest = atoms.get_all_distances(mic=True)
    assert np.allclose(found.get_all_distances(), shortest, atol=1e-9)


@pytest.mark.parametrize(
    ("atoms", "part"),
    [
        (water(5), "near each other or their periodic images"),
        (beside(water(7), 3.5), "near each other or their periodic images"),
        (beside(water(20), 9.0), "holds 2 molecules"),
        (Atoms("Ar4", bulk("Ar", "fcc", 5.3, cubic=True).positions, cell=[5.3] * 3, pbc=True), ""),
        (bulk("NaCl", "rocksalt", 5.64), ""),
        (graphene(vacuum=9.0), ""),
        (Atoms("S2", [[0, 0, 0], [1, 0, 2.0]], cell=[15, 15, 4.0], pbc=True), ""),
    ],
)
def test_what_goes_on_or_is_several_keeps_its_box(atoms: Atoms, part: str) -> None:
    given = structure_of(atoms)
    kept, said = without_box(given, REACH)
    assert kept is given
    assert part in said if part else not said


def test_a_box_must_be_wider_than_the_graph_reaches() -> None:
    assert "stands alone" in without_box(structure_of(water(9)), 7.0)[1]
    assert "near" in without_box(structure_of(water(8)), 7.0)[1]
    assert "stands alone" in without_box(structure_of(water(13)), 1e6)[1]


MANY = [
    water(5),
    water(8),
    wrapped(water(20)),
    in_slanted_cell(),
    beside(water(7), 3.5),
    beside(water(20), 9.0),
    bulk("Cs"),
    bulk("Ar", "fcc", 5.3),
    graphene(vacuum=9.0),
    molecule("CH4"),
]


@pytest.mark.parametrize("atoms", MANY)
def test_of_many_structures_the_compiled_search_says_the_same(atoms: Atoms) -> None:
    structure = structure_of(atoms)
    near = pairs_within(structure, touching_radii(structure.atomic_numbers, REACH))
    (alone, said), (same, also) = (without_box(structure, REACH, one) for one in (None, near))
    assert said == also
    assert np.allclose(alone.positions, same.positions, atol=1e-9)
    assert (alone.pbc == same.pbc).all()


def test_many_structures_are_told_what_each_is_told_alone() -> None:
    inputs = gather(StructureArrays.from_atoms([one for one in MANY for _ in range(4)]))
    found = without_boxes(inputs, REACH)
    periodic = [one.pbc.any() for one in inputs.structures]
    each = [
        without_box(one, REACH) if repeats else (one, "")
        for one, repeats in zip(inputs.structures, periodic, strict=True)
    ]
    assert found.remarks == tuple(said for _, said in each)
    assert len({*found.remarks}) == 4
    for one, (alone, _) in zip(found.structures, each, strict=True):
        assert np.allclose(one.positions, alone.positions, atol=1e-9)
        assert (one.pbc == alone.pbc).all()


def test_many_crystals_stay_as_they_were_laid_out() -> None:
    inputs = gather(StructureArrays.from_atoms([bulk("Cs")] * 30))
    assert without_boxes(inputs, REACH) is inputs
