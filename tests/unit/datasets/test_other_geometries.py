"""Conformers, frames and strained cells are known as what they are, isomers as something else."""

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

import atomlens as al
from atomlens.datasets.base import Dataset
from atomlens.datasets.geometries import in_other_geometry
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.text import forced
from atomlens.targets import Target


def found(known: list[Atoms], asked: list[Atoms]) -> list[bool]:
    structures = StructureArrays.from_atoms([*known, *asked])
    rows = np.arange(len(structures))
    answer: list[bool] = in_other_geometry(
        structures, rows[: len(known)], rows[len(known) :]
    ).tolist()
    return answer


def shaken(atoms: Atoms, by: float, seed: int) -> Atoms:
    copy = atoms.copy()
    copy.positions += np.random.default_rng(seed).normal(0, by, copy.positions.shape)
    copy.rotate(40 * seed, "z", rotate_cell=True)
    return copy


def turned(atoms: Atoms) -> Atoms:
    """Another conformer: one end of ethanol is turned about the bond of its carbons."""
    copy = atoms.copy()
    ends = [i for i in range(len(copy)) if copy.get_distance(i, 0) < copy.get_distance(i, 1)]
    copy.set_dihedral(2, 1, 0, ends[-1], 77.0, indices=ends)
    return copy


def test_frames_of_a_molecule_are_one_structure_and_isomers_are_not() -> None:
    ethanol, ether = molecule("CH3CH2OH"), molecule("CH3OCH3")
    frames = [shaken(ethanol, 0.06, seed) for seed in range(1, 6)]
    assert found(frames[:3], frames[3:]) == [True, True]
    order = np.lexsort((np.arange(9), ethanol.numbers))
    alike = ether[np.lexsort((np.arange(9), ether.numbers))]
    assert alike.numbers.tolist() == ethanol.numbers[order].tolist()
    assert found([ethanol[order]], [alike]) == [False]
    assert found([ethanol], [molecule("CH4"), shaken(ethanol, 0.05, 1)]) == [False, True]


def test_a_conformer_is_the_same_molecule_wherever_its_ends_point() -> None:
    chain: Any = forced("smiles:CCO")
    other = turned(chain)
    assert np.abs(chain.get_all_distances() - other.get_all_distances()).max() > 0.3
    assert found([chain], [other]) == [True]


def test_strained_and_shaken_crystals_are_one_and_other_lattices_are_not() -> None:
    salt = bulk("NaCl", "rocksalt", a=5.64).repeat((2, 2, 1))
    strained = salt.copy()
    strained.set_cell(salt.cell[:] * [[1.06], [0.97], [1.02]], scale_atoms=True)
    moved = shaken(salt, 0.08, 2)
    moved.translate([0.0, 0.0, 2.4])
    moved.wrap()
    cesium_like = bulk("NaCl", "cesiumchloride", a=3.4).repeat((2, 2, 1))
    assert found([salt], [strained, moved, cesium_like]) == [True, True, False]
    iron = bulk("Fe", "bcc", a=2.87)
    assert found([iron], [bulk("Fe", "fcc", a=3.6), bulk("Fe", "bcc", a=2.95)]) == [False, True]
    random = np.random.default_rng(0)
    glasses = [
        Atoms("C12", scaled_positions=random.random((12, 3)), cell=[6.0] * 3, pbc=True)
        for _ in range(20)
    ]
    assert not any(found(glasses[:10], glasses[10:]))
    assert found([forced("formula:Fe2O3")], [forced("formula:Fe2O3")]) == [False]


@pytest.mark.parametrize("is_group", [True, False])
def test_training_says_that_the_test_part_has_other_geometries_of_what_it_learns(
    is_group: bool,
) -> None:
    names = ["CH3CH2OH", "CH3OCH3", "C2H6", "CH4", "NH3", "H2O", "CH3OH", "C2H4", "HCN", "H2CO"]
    copies = 4 if is_group else 1
    atoms = [shaken(molecule(n), 0.03, s) for n in names for s in range(copies)]
    data = Dataset(
        name="own",
        structures=StructureArrays.from_atoms(atoms),
        targets=(Target(name="y"),),
        values=np.repeat(np.cos(np.arange(10.0)), copies)[:, None],
    )
    model = al.train(data, model="mean", split="random:.6/.2/.2")
    said = [one for one in model.record.remarks if "other geometries" in one]
    assert bool(said) == is_group
    if said:
        assert "--split composition" in said[0]
        apart = al.train(data, model="mean", split="composition:.6/.2/.2")
        assert not [one for one in apart.record.remarks if "other geometries" in one]


def test_of_frames_of_one_molecule_no_composition_is_advised() -> None:
    frames = [shaken(molecule("CH3CH2OH"), 0.03, seed) for seed in range(20)]
    data = Dataset(
        name="own",
        structures=StructureArrays.from_atoms(frames),
        targets=(Target(name="y"),),
        values=np.cos(np.arange(20.0))[:, None],
    )
    model = al.train(data, model="mean", split="random:.6/.2/.2")
    (said,) = [one for one in model.record.remarks if "other geometries" in one]
    assert "4 of 4 samples of the test part" in said
    assert "composition:" not in said
    assert "other structures" in said
