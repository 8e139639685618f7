import numpy as np
import pytest

from atomlens.datasets import Toy
from atomlens.datasets.sources.toy import (
    CRYSTAL_LEVELS,
    CRYSTAL_SHIFTS,
    MOLECULE_LEVELS,
    MOLECULE_SHIFTS,
    frontier_level,
)
from atomlens.datasets.sources.toy_structures import ToyStructure
from atomlens.elements import ATOMIC_NUMBERS, SYMBOLS
from atomlens.errors import DatasetError, SettingsError
from atomlens.structures.arrays import Structure

KINDS = ["molecules", "crystals"]
RULES = {
    "molecules": (MOLECULE_LEVELS, MOLECULE_SHIFTS, 1.75),
    "crystals": (CRYSTAL_LEVELS, CRYSTAL_SHIFTS, 3.6),
}


def neighbours(structure: Structure, reach: float) -> list[list[int]]:
    """Find the neighbours from the geometry alone, by images where there is a cell."""
    shifts = [-1, 0, 1] if structure.pbc.any() else [0]
    found: list[list[int]] = [[] for _ in structure.atomic_numbers]
    for a in shifts:
        for b in shifts:
            for c in shifts:
                moved = structure.positions + np.array([a, b, c]) @ structure.cell
                distance = np.linalg.norm(structure.positions[:, None] - moved, axis=-1)
                for i, j in np.argwhere((distance < reach) & (distance > 0.1)).tolist():
                    found[i].append(j)
    return found


def level_by_geometry(structure: Structure, kind: str) -> float:
    levels, shifts, reach = RULES[kind]
    symbols = [SYMBOLS[z] for z in structure.atomic_numbers.tolist()]
    if kind == "crystals":
        nearest = structure.cell.max() / 4 if len(symbols) == 16 else structure.cell[0, 0] / 4
        reach = 1.2 * nearest
    else:
        reach = 1.3 * 1.3
    near = neighbours(structure, reach)
    return max(
        levels[s] + sum(shifts.get(symbols[j], 0.0) for j in near[i] if symbols[j] != "H")
        for i, s in enumerate(symbols)
        if s in levels
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_signal_follows_from_the_geometry(kind):
    data = Toy(kind=kind, n=40, seed=1).load()
    for structure, value in zip(data.structures, data.values[:, 0], strict=True):
        assert level_by_geometry(structure, kind) == pytest.approx(value)


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_gives_one_data_set(kind):
    a, b, c = (Toy(kind=kind, n=8, seed=s).load() for s in (0, 0, 1))
    assert a.structures.fingerprint() == b.structures.fingerprint()
    assert np.array_equal(a.values, b.values)
    assert a.structures.fingerprint() != c.structures.fingerprint()


def test_a_larger_data_set_begins_with_the_smaller_one():
    small, large = Toy(n=5).load(), Toy(n=30).load(limit=9)
    assert len(large) == 9
    assert large.structures.subset(range(5)).fingerprint() == small.structures.fingerprint()


def test_every_atom_has_its_valence_and_no_atoms_clash():
    valence = {1: 1, 6: 4, 7: 3, 8: 2, 9: 1}
    for structure in Toy(n=60, seed=2).load().structures:
        numbers = structure.atomic_numbers.astype(int)
        distance = np.linalg.norm(
            structure.positions[:, None] - structure.positions, axis=-1
        ) + 10 * np.eye(len(numbers))
        radius = np.array([{1: 0.32, 6: 0.76, 7: 0.70, 8: 0.65, 9: 0.60}[z] for z in numbers])
        bonded = distance < 1.15 * (radius[:, None] + radius)
        assert bonded.sum(axis=1).tolist() == [valence[z] for z in numbers]
        assert distance.min() > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_atoms_without_label_can_change_and_the_signal_stays(kind):
    """Replacing an atom that does not decide by one that pulls nothing up changes nothing."""
    generator = np.random.default_rng(0)
    levels, shifts, _ = RULES[kind]
    made = ToyStructure(
        np.array([ATOMIC_NUMBERS[s] for s in ("C", "N", "C", "C", "O", "H")]),
        np.zeros((6, 3)),
        np.zeros((3, 3)),
        (np.array([0, 1, 1, 2, 2, 3, 3, 4, 4, 5]), np.array([1, 0, 2, 1, 3, 2, 4, 3, 5, 4])),
    )
    if kind == "crystals":
        made = made._replace(
            atomic_numbers=np.array([ATOMIC_NUMBERS[s] for s in ("Ca", "S", "Mg", "Zn", "O", "Mg")])
        )
    value, labels = frontier_level(made, levels, shifts)
    assert 0 < labels.sum() < len(labels)
    inert = ATOMIC_NUMBERS["H" if kind == "molecules" else "Mg"]
    for atom in generator.permutation(np.flatnonzero(labels == 0)):
        numbers = made.atomic_numbers.copy()
        numbers[atom] = inert
        assert frontier_level(made._replace(atomic_numbers=numbers), levels, shifts)[0] == value


def test_every_site_with_the_highest_level_decides():
    made = ToyStructure(
        np.array([7, 6, 7]),
        np.zeros((3, 3)),
        np.zeros((3, 3)),
        (np.array([0, 1, 1, 2]), np.array([1, 0, 2, 1])),
    )
    value, labels = frontier_level(made, MOLECULE_LEVELS, MOLECULE_SHIFTS)
    assert value == pytest.approx(-8.7)
    assert labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_few_atoms_decide_and_element_counts_do_not_tell_the_signal(kind):
    data = Toy(kind=kind, n=300).load()
    assert np.mean([labels.mean() for labels in data.node_labels]) < 0.4
    counts = data.structures.element_counts()
    design = np.concatenate([counts, np.ones((300, 1))], axis=1)
    weights = np.linalg.lstsq(design, data.values[:, 0], rcond=None)[0]
    residual = data.values[:, 0] - design @ weights
    assert residual.std() > 0.25 * data.values.std()


def test_wrong_settings_say_why():
    with pytest.raises(SettingsError, match="Did you mean 'crystals'"):
        Toy(kind="crystal")
    with pytest.raises(SettingsError, match="n must be 1"):
        Toy(n=0)
    with pytest.raises(SettingsError, match="limit"):
        Toy().load(limit=0)
    with pytest.raises(DatasetError, match="'signal'"):
        Toy().load(["signl"])
