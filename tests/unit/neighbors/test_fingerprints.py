"""Structures that are the same in steps of 0.01 Å, compared finely."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell, molecule

from atomlens.neighbors.fingerprints import Fingerprint, fingerprints
from atomlens.neighbors.identity import Identities
from atomlens.structures.arrays import StructureArrays

ROCK_SALT = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
SKEW = Atoms(
    "NaClO2",
    scaled_positions=[[0.1, 0.2, 0.3], [0.62, 0.71, 0.83], [0.33, 0.91, 0.48], [0.8, 0.3, 0.1]],
    cell=[[4.1, 0, 0], [0.7, 5.2, 0], [1.1, 0.4, 6.3]],
    pbc=True,
)


def of(*several: Atoms) -> list[Fingerprint]:
    structures = StructureArrays.from_atoms(several)
    known = fingerprints(Identities(structures), range(len(several)))
    return [known[i] for i in range(len(several))]


def written(atoms: Atoms, n_decimals: int) -> Atoms:
    """Return the atoms with fractional coordinates as a file with so many decimals has them."""
    atoms = atoms.copy()
    atoms.set_scaled_positions(np.round(atoms.get_scaled_positions(), n_decimals))
    return atoms


def moved(atoms: Atoms, by: float) -> Atoms:
    atoms = atoms.copy()
    atoms.positions[0] += by * np.array([0.48, 0.6, 0.64])
    return atoms


@pytest.mark.parametrize("n_decimals", [4, 5, 6])
def test_another_cell_origin_and_order_is_no_difference(n_decimals: int) -> None:
    other = make_supercell(SKEW, [[1, 1, 0], [0, 1, 0], [0, -1, 2]])[[5, 2, 0, 7, 1, 3, 6, 4]]
    other.positions += [0.3, 1.7, 0.9]
    one, two = of(written(SKEW, n_decimals), written(other, n_decimals))
    assert one.is_near(two)
    assert two.is_near(one)


@pytest.mark.parametrize("n_decimals", [4, 5, 6])
@pytest.mark.parametrize("atoms", [ROCK_SALT * (2, 2, 2), SKEW], ids=["supercell", "skew"])
def test_an_atom_moved_by_a_thousandth_is_a_difference(atoms: Atoms, n_decimals: int) -> None:
    one, two, again = of(*(written(moved(atoms, x), n_decimals) for x in (0, 0.001, 1e-6)))
    assert not one.is_near(two)
    assert not two.is_near(one)
    assert one.is_near(again)


def test_points_of_a_curve_of_energy_and_volume_are_differences() -> None:
    points = []
    for step in range(3):
        points.append(ROCK_SALT.copy())
        points[-1].set_cell(ROCK_SALT.cell * (1 + 0.0005 * step) ** (1 / 3), scale_atoms=True)
    first, second, third = of(*points)
    assert not first.is_near(second)
    assert not second.is_near(third)
    longer = SKEW.copy()
    longer.set_cell(SKEW.cell[:] + np.diag([0, 0, 0.001]), scale_atoms=True)
    one, two = of(SKEW, longer)
    assert not one.is_near(two)


def test_molecules_are_compared_likewise_and_formulas_not_at_all() -> None:
    acid = molecule("CH3COOH")
    turned = acid[::-1]
    turned.rotate(40, (1, 2, 3))
    for atoms in (acid, turned):
        atoms.positions = np.round(atoms.positions, 4)
    one, two, other, alone = of(acid, turned, moved(acid, 0.001), Atoms("He"))
    assert one.is_near(two)
    assert not one.is_near(other)
    assert alone.is_near(alone)
    formula = Atoms("NaCl", info={"is_formula": True})
    assert not fingerprints(Identities(StructureArrays.from_atoms([formula])), [0])


def test_what_was_written_is_read() -> None:
    (one,) = of(SKEW)
    again = Fingerprint.of_text(one.to_text())
    assert (again.slack, again.rows.tolist()) == (one.slack, one.rows.tolist())
    assert (again.cell.tolist(), again.sides.tolist()) == (one.cell.tolist(), one.sides.tolist())
    with pytest.raises(ValueError, match=r"\S"):
        Fingerprint.of_text("nothing of the kind")
