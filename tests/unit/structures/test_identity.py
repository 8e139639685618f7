import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomlens.structures import read
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.identity import nearby_digests, row_digests, structure_digests

ETHANOL, SALT = molecule("CH3CH2OH"), bulk("NaCl", "rocksalt", a=5.64)


def digests(*atoms: Atoms) -> list[int]:
    return structure_digests(StructureArrays.from_atoms(list(atoms))).tolist()


def moved(atoms: Atoms, step: float) -> Atoms:
    copy = atoms.copy()
    copy.positions[0, 0] += step
    return copy


def test_a_molecule_is_the_same_in_another_place_order_and_name():
    turned = ETHANOL.copy()
    turned.rotate(33, (1, 2, 3))
    turned.translate((3, 1, -2))
    turned = turned[::-1]
    turned.info["name"] = "something else"
    assert len(set(digests(ETHANOL, turned, moved(ETHANOL, 1e-9)))) == 1


def test_other_positions_and_other_elements_are_another_molecule():
    other = ETHANOL.copy()
    other.numbers[0] = 7
    assert len(set(digests(ETHANOL, moved(ETHANOL, 0.05), other))) == 3


def test_staggered_and_eclipsed_are_two_structures():
    ethane = molecule("C2H6")
    eclipsed = ethane.copy()
    carbon = ethane.positions[:2]
    half = [i for i in range(2, 8) if ethane.get_distance(i, 0) < ethane.get_distance(i, 1)]
    part = eclipsed[half]
    part.rotate(60, carbon[1] - carbon[0], center=carbon[0])
    eclipsed.positions[half] = part.positions
    assert len(set(digests(ethane, eclipsed))) == 2


def test_a_crystal_is_the_same_when_turned_or_moved_by_its_lattice():
    wrapped = SALT[::-1]
    wrapped.set_scaled_positions(wrapped.get_scaled_positions() + np.array([1, -2, 0]))
    turned = SALT.copy()
    turned.rotate(40, (1, 1, 2), rotate_cell=True)
    assert len(set(digests(SALT, wrapped, turned, moved(SALT, 1e-7)))) == 1


def test_a_strained_crystal_is_another_one():
    strained = SALT.copy()
    strained.set_cell(strained.cell * 1.01, scale_atoms=True)
    slab = SALT.copy()
    slab.pbc = [True, True, False]
    assert len(set(digests(SALT, strained, moved(SALT, 0.1), slab))) == 4


def test_a_formula_is_the_ratio_of_its_elements():
    same = digests(*read(["formula:Fe2O3", "formula:O6Fe4"]))
    assert same[0] == same[1]
    assert same[0] not in digests(*read(["formula:Fe3O4"]), ETHANOL)


def test_values_belong_to_a_row_and_unknown_is_a_value():
    structures = np.array(digests(ETHANOL, ETHANOL, ETHANOL, SALT), dtype=np.uint64)
    values = np.array([[1.0, np.nan], [1.0, -np.nan], [2.0, np.nan], [1.0, np.nan]])
    rows = row_digests(structures, values).tolist()
    assert rows[0] == rows[1]
    assert len(set(rows)) == 3


@pytest.mark.parametrize("atoms", [Atoms("H"), Atoms("H2", [[0, 0, 0], [0, 0, 0.7]]), Atoms()])
def test_small_and_empty_structures_have_digests(atoms):
    assert digests(atoms) == digests(atoms)
    assert structure_digests(StructureArrays.from_atoms([])).shape == (0,)


def test_a_structure_that_was_rounded_is_found_nearby() -> None:
    """One number in eighteen lies near an edge: as it is, a molecule in twenty is lost."""
    generator = np.random.default_rng(0)
    molecules = []
    for _ in range(200):
        copy = ETHANOL.copy()
        copy.positions += generator.normal(0, 0.1, copy.positions.shape)
        molecules.append(copy)
    rounded = [Atoms(m.numbers, np.round(m.positions, 4)) for m in molecules]
    exact, found = digests(*molecules), digests(*rounded)
    nearby = nearby_digests(StructureArrays.from_atoms(rounded))
    lost = [i for i in range(200) if exact[i] != found[i]]
    assert 3 < len(lost) < 30
    assert sum(exact[i] in nearby[i] for i in lost) > 0.9 * len(lost)
    others = {d for i, own in enumerate(nearby) for d in own if i not in lost}
    assert not others & set(exact)


@pytest.mark.parametrize("edge", [500 - 0.2718, 1000 - 0.2718])
def test_a_rounded_crystal_is_found_nearby(edge: float) -> None:
    """An atom on either side of the edge of a step; the last one leads back into the cell."""
    pair = []
    for aside in (-1e-7, 1e-7):
        crystal = SALT.copy()
        places = crystal.get_scaled_positions()
        places[1, 0] = edge / 1000 + aside
        crystal.set_scaled_positions(places)
        pair.append(crystal)
    below, above = digests(*pair)
    assert below != above
    nearby = nearby_digests(StructureArrays.from_atoms(pair))
    assert above in nearby[0]
    assert below in nearby[1]
