"""Molecules and linkers in cells that lack their hydrogens are told; what has none is silent."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import (
    add_adsorbate,
    bulk,
    diamond100,
    fcc111,
    graphene,
    graphene_nanoribbon,
    molecule,
    nanotube,
    surface,
)

from atomlens.structures import read_structures
from atomlens.structures.hydrogen_doubts import absent_hydrogens

SILICON_CARBIDE = bulk("SiC", "zincblende", a=4.36, cubic=True)


def in_box(name: str, hydrogens: bool = True, edge: float = 14.0) -> Atoms:
    atoms = molecule(name)
    atoms = atoms if hydrogens else atoms[atoms.numbers != 1]
    atoms.set_cell([edge] * 3)
    atoms.set_pbc(True)
    atoms.positions += 0.1  # across the faces
    return atoms


def repeating(atoms: Atoms) -> Atoms:
    atoms.set_pbc(True)
    return atoms


def linkers(hydrogens: bool) -> Atoms:
    """Zn with benzenedicarboxylates along x, as chains without end."""
    ring = molecule("C6H6")
    ring.positions = ring.positions[:, [1, 0, 2]]
    outer = ring.positions[:6][np.abs(ring.positions[:6, 0]).argsort()[-2:]]
    ends = []
    for place in outer:
        sign = np.sign(place[0])
        carbon = place + np.array([1.5 * sign, 0, 0])
        ends += [("C", carbon)]
        ends += [("O", carbon + np.array([0.62 * sign, 1.1 * side, 0])) for side in (1, -1)]
    nearest = ring.positions[6:][np.abs(ring.positions[6:, 0]).argsort()[:4]]
    atoms = Atoms("C6", ring.positions[:6]) + Atoms([s for s, _ in ends], [p for _, p in ends])
    atoms += Atoms("H4", nearest) if hydrogens else Atoms()
    atoms += Atoms("Zn", [[5.2, 0, 0]])
    atoms.set_cell([10.4, 12, 12])
    return repeating(atoms)


def vacancy(dopant: str = "C") -> Atoms:
    atoms = repeating(graphene(size=(4, 4, 1), vacuum=8))
    atoms[3].symbol = dopant
    del atoms[10]
    return atoms


def with_carbon_monoxide() -> Atoms:
    slab = fcc111("Pt", (2, 2, 3), vacuum=8, periodic=True)
    add_adsorbate(slab, molecule("CO"), 1.9, "ontop")
    return slab


@pytest.mark.parametrize("name", ["C6H6", "CH3CH2OH", "CH3COOH"])
def test_molecules_in_boxes_are_told(name: str) -> None:
    assert "hydrogens seem to be missing" in absent_hydrogens(in_box(name, hydrogens=False))
    assert absent_hydrogens(in_box(name)) == ""


def test_a_part_of_the_hydrogens_is_too_little() -> None:
    atoms = in_box("CH3CH2OH")
    near_oxygen = [i for i in range(9) if atoms.numbers[i] == 1 and atoms.get_distance(i, 2) < 1.1]
    kept = [i for i in range(9) if atoms.numbers[i] != 1 or i in near_oxygen]
    assert "2 of its 2 carbons" in absent_hydrogens(atoms[kept])


def test_linkers_of_frameworks_are_told() -> None:
    assert "4 of its 8 carbons" in absent_hydrogens(linkers(hydrogens=False))
    assert absent_hydrogens(linkers(hydrogens=True)) == ""


@pytest.mark.parametrize(
    "atoms",
    [
        repeating(graphene(size=(4, 4, 1), vacuum=8)),
        vacancy(),
        vacancy("N"),
        bulk("C", "diamond", a=3.57),
        repeating(diamond100("C", (2, 2, 4), a=3.57, vacuum=8)),
        SILICON_CARBIDE,
        surface(SILICON_CARBIDE, (1, 0, 0), 2, vacuum=8, periodic=True),
        bulk("TiC", "rocksalt", a=4.33),
        repeating(nanotube(6, 0, length=2, vacuum=6)),
        repeating(graphene_nanoribbon(3, 4, type="armchair", saturated=False, vacuum=6)),
        repeating(graphene_nanoribbon(3, 4, type="armchair", saturated=True, vacuum=6)),
        with_carbon_monoxide(),
        *(in_box(name) for name in ("CO2", "CO", "C60", "HCN", "CH3CN", "C2H2", "CCl4", "CH4")),
    ],
)
def test_what_has_no_hydrogens_there_is_silent(atoms: Atoms) -> None:
    assert absent_hydrogens(atoms) == ""


def test_a_poscar_of_a_bare_chain_is_told(tmp_path: Path) -> None:
    path = tmp_path / "chain.vasp"
    path.write_text(
        "C C O\n1.0\n12 0 0\n0 12 0\n0 0 12\nC O\n2 1\nCartesian\n5 5 5\n6.5 5 5\n7.0 6.34 5\n"
    )
    with pytest.warns(UserWarning, match="hydrogens seem to be missing"):
        read_structures(path)
