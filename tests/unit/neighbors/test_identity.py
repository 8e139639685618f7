from itertools import permutations, product

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell, molecule

from atomlens.machine import plain
from atomlens.neighbors import identity
from atomlens.neighbors.identity import (
    Identities,
    digests_in_given_cells,
    row_digests,
    structure_digests,
)
from atomlens.structures import read
from atomlens.structures.arrays import StructureArrays

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


def crystal(generator: np.random.Generator, n: int, pbc: list[bool]) -> Atoms:
    """Atoms anywhere in a skewed cell."""
    cell = np.diag(generator.uniform(5, 9, 3)) + generator.uniform(-2, 2, (3, 3))
    return Atoms(generator.integers(1, 4, n), generator.random((n, 3)) @ cell, cell=cell, pbc=pbc)


def other_cell(atoms: Atoms, generator: np.random.Generator) -> Atoms:
    """The same crystal in a larger, skewed cell, turned, moved and shuffled."""
    while True:
        steps = generator.integers(-2, 3, (3, 3))
        for k in np.flatnonzero(~atoms.pbc):
            steps[k], steps[:, k], steps[k, k] = 0, 0, 1
        if 1 <= abs(round(np.linalg.det(steps))) <= 8:
            break
    other = make_supercell(atoms, steps)
    other.pbc = atoms.pbc
    other.rotate(generator.uniform(0, 360), generator.normal(size=3), rotate_cell=True)
    other.translate(generator.normal(size=3) * 5)
    other.wrap()
    return other[generator.permutation(len(other))]


@pytest.mark.parametrize("pbc", [[True] * 3, [True, True, False], [False, False, True]])
def test_no_choice_of_cell_makes_another_structure(pbc):
    """Supercells, skewed cells and other origins of crystals, slabs and wires of low symmetry."""
    generator = np.random.default_rng(3)
    for n in (1, 2, 5, 9):
        atoms = crystal(generator, n, pbc)
        one = StructureArrays.from_atoms([other_cell(atoms, generator)])
        assert digests(atoms)[0] in [*structure_digests(one).tolist(), *Identities(one).nearby(0)]


def test_a_conventional_cell_is_its_primitive_one():
    for name, shape, a in (
        ("NaCl", "rocksalt", 5.64),
        ("Cu", "fcc", 3.6),
        ("GaAs", "zincblende", 5.65),
    ):
        small, large = bulk(name, shape, a=a), bulk(name, shape, a=a, cubic=True)
        large.positions += [0.3, 0.2, 0.7]
        assert len(set(digests(small, large, large.repeat((2, 1, 1)), small.repeat(3)))) == 1
    hexagonal = bulk("Mg", "hcp", a=3.21, c=5.21)
    assert len(set(digests(hexagonal, bulk("Mg", "hcp", a=3.21, c=5.21, orthorhombic=True)))) == 1


def test_a_supercell_that_a_file_has_rounded_is_still_one():
    """Five decimals of the parts of the cell, as CIF writers keep them."""
    generator = np.random.default_rng(11)
    found = 0
    for _ in range(20):
        atoms = crystal(generator, 4, [True] * 3)
        large = atoms.repeat((2, 1, 2))
        large.set_scaled_positions(np.round(large.get_scaled_positions(), 5))
        one = StructureArrays.from_atoms([large])
        found += digests(atoms)[0] in [*structure_digests(one).tolist(), *Identities(one).nearby(0)]
    assert found >= 18


def test_what_differs_a_little_or_far_away_is_another_crystal():
    """Nothing of it is a copy: one atom of 16 moved, exchanged or absent, two exchanged."""
    large = SALT.repeat(2)
    chlorine = large.copy()
    chlorine.numbers[0] = 19
    absent = large[1:]
    near, far = large.copy(), large.copy()
    near.numbers[[0, 2]] = 19
    far.numbers[[0, 14]] = 19
    others = [moved(large, 0.03), moved(large, 0.06), chlorine, absent, near, far]
    assert len(set(digests(SALT, *others))) == 1 + len(others)
    assert digests(large) == digests(SALT)


def test_polymorphs_and_other_orders_on_one_lattice_are_other_crystals():
    a = 4.36
    cubic = bulk("SiC", "zincblende", a=a)
    hexagonal = bulk("SiC", "wurtzite", a=a / 2**0.5, c=a / 2**0.5 * (8 / 3) ** 0.5, u=3 / 8)
    layers = bulk("Cu", "fcc", a=3.7, cubic=True)
    pairs = layers.repeat((1, 1, 2))
    layers.numbers[[0, 1]] = 79  # L1_0
    pairs.numbers[pairs.positions[:, 2] < 3.6] = 79  # two layers of each
    rows = bulk("Cu", "fcc", a=3.7, cubic=True).repeat((2, 1, 1))
    rows.numbers[rows.positions[:, 0] < 3.6] = 79
    assert len(set(digests(cubic, hexagonal, layers, pairs))) == 4
    assert digests(rows) == digests(pairs)  # along another axis


def test_two_atoms_at_one_distance_in_two_directions_are_two_crystals():
    """The nearest images tell nothing; all classes of the lattice do."""
    cell = np.diag([6.0, 6.0, 6.0])
    ways = [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0), (2, 1, 1), (3, 2, 1)]
    made = [
        Atoms("NaCl", [(0, 0, 0), 2.5 * np.array(w) / np.linalg.norm(w)], cell=cell, pbc=True)
        for w in ways
    ]
    assert len(set(digests(*made))) == len(ways)


def test_every_stacking_of_close_packed_layers_is_a_crystal_of_its_own():
    """Stackings of ten layers differ far from any atom; shifted or reversed they are the same."""

    def stack(letters: tuple[int, ...]) -> Atoms:
        cell = np.array([[2.5, 0, 0], [-1.25, 2.165, 0], [0, 0, 2.04 * len(letters)]])
        parts = [(k / 3, -k / 3, n / len(letters)) for n, k in enumerate(letters)]
        return Atoms("Co" * len(letters), np.array(parts) @ cell, cell=cell, pbc=True)

    kinds: dict[tuple[int, ...], tuple[int, ...]] = {}
    for letters in product(range(3), repeat=10):
        following = (*letters[1:], letters[0])
        if letters[0] == 0 and all(a != b for a, b in zip(letters, following, strict=True)):
            turns = [letters[k:] + letters[:k] for k in range(10)]
            ways = [way for turn in turns for way in (turn, turn[::-1])]
            forms = [tuple(p[k] for k in way) for way in ways for p in permutations(range(3))]
            kinds[min(forms)] = max(forms)
    made = [stack(letters) for letters in kinds]
    assert len(made) == 18
    assert len(set(digests(*made))) == len(made)
    assert digests(*made) == digests(*[stack(letters) for letters in kinds.values()])


def test_mirror_images_are_the_same_and_pairs_of_hands_are_not():
    """Two chiral molecules in a cell: both right, both left, or one of each."""
    arms = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.9

    def pair(first: int, second: int) -> Atoms:
        one, two = (np.array([np.zeros(3), *(arms * [1, 1, hand])]) for hand in (first, second))
        positions = np.concatenate([one, two + np.array([4.1, 0.3, 0.2])])
        return Atoms("CHFClBr" * 2, positions, cell=[8.5, 5.1, 6.3], pbc=True)

    left, right, both = pair(1, 1), pair(-1, -1), pair(1, -1)
    mirrored = left.copy()
    mirrored.positions[:, 2] *= -1
    assert digests(left) == digests(mirrored)
    assert len(set(digests(left, right, both))) == 3  # the second pair is turned as well


def test_plain_python_says_what_compiled_loops_say(monkeypatch):
    atoms = [SALT.repeat((2, 1, 1)), crystal(np.random.default_rng(1), 3, [True, False, True])]
    monkeypatch.setattr(identity, "worth_compiling", lambda *_: True)
    compiled = digests(*atoms)
    monkeypatch.setattr(identity, "worth_compiling", lambda *_: False)
    assert digests(*atoms) == compiled
    assert plain(identity.read_contents) is not identity.read_contents


def test_a_cell_without_volume_and_a_huge_one_count_as_they_are_given():
    flat = SALT.copy()
    flat.cell[2] = flat.cell[1]
    arrays = StructureArrays.from_atoms([flat, SALT.repeat((14, 14, 13))])  # 5,096 atoms
    assert structure_digests(arrays).tolist() == digests_in_given_cells(arrays).tolist()


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
    same = Identities(StructureArrays.from_atoms(rounded))
    nearby = [same.nearby(i) for i in range(len(rounded))]
    lost = [i for i in range(200) if exact[i] != found[i]]
    assert 3 < len(lost) < 30
    assert sum(exact[i] in nearby[i] for i in lost) > 0.9 * len(lost)
    others = {d for i, own in enumerate(nearby) for d in own if i not in lost}
    assert not others & set(exact)


@pytest.mark.parametrize("edge", [500 - 0.2718, 1000 - 0.2718])
def test_a_rounded_crystal_is_found_nearby_as_folders_of_earlier_days_hold_it(edge: float) -> None:
    """An atom on either side of the edge of a step; the last one leads back into the cell."""
    pair = []
    for aside in (-1e-7, 1e-7):
        crystal = SALT.copy()
        places = crystal.get_scaled_positions()
        places[1, 0] = edge / 1000 + aside
        crystal.set_scaled_positions(places)
        pair.append(crystal)
    arrays = StructureArrays.from_atoms(pair)
    below, above = digests_in_given_cells(arrays).tolist()
    assert below != above
    nearby = [Identities(arrays).nearby_in_given_cell(i) for i in (0, 1)]
    assert above in nearby[0]
    assert below in nearby[1]
