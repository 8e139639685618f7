"""Crystals as hosts of a gas: copies of the cell, charges, what is refused."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import atomic_numbers

from atomlens.elements.charges import charge_bounds
from atomlens.errors import LabelError
from atomlens.labels import FORCE_FIELDS, make_framework
from atomlens.labels.framework import Framework, replicas_for, rounding_of_the_sum

UFF = FORCE_FIELDS["uff"]


def _charged(charges: list[float]) -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.set_initial_charges(charges)
    atoms.info["name"] = "salt"
    return atoms


def _framework(atoms: Atoms, **options: object) -> Framework:
    return make_framework(atoms, UFF, cutoff=12.8, **options)  # type: ignore[arg-type]


def test_a_cell_is_copied_until_it_is_twice_the_cutoff_wide() -> None:
    assert replicas_for(np.diag([10.0, 25.7, 13.0]), 12.8) == (3, 1, 2)


def test_a_cell_exactly_twice_the_cutoff_wide_is_enough() -> None:
    assert replicas_for(np.eye(3) * 25.6, 12.8) == (1, 1, 1)


def test_a_skewed_cell_counts_by_its_widths_not_its_lengths() -> None:
    cell = np.array([[26.0, 0, 0], [20.0, 26.0, 0], [0, 0, 26.0]])
    a, b, c = replicas_for(cell, 12.8)
    assert (a, b, c) == (2, 1, 1)


def test_the_mass_is_that_of_one_cell() -> None:
    assert _framework(_charged([0.9, -0.9])).mass == pytest.approx(58.44, abs=0.01)


def test_the_volume_of_a_skewed_cell_follows_from_lengths_and_angles() -> None:
    atoms = _charged([1, -1])
    assert _framework(atoms).volume == pytest.approx(atoms.get_volume())


def test_a_rest_of_charge_from_rounding_is_taken_off() -> None:
    framework = _framework(_charged([0.9, -0.899]))
    np.testing.assert_allclose(framework.charges, [0.8995, -0.8995], atol=1e-6)


def test_rounding_is_judged_by_the_digits_written_and_by_how_many_atoms_share_a_charge() -> None:
    assert rounding_of_the_sum(np.array([0.9, -0.899])) == pytest.approx(0.001 * 2**0.5)
    apart = np.random.default_rng(0).permutation(10_000)[:101] / 10_000
    alike = np.repeat([0.1234, -0.1234], 50)
    assert rounding_of_the_sum(apart) == pytest.approx(0.0001 * np.sqrt(101))
    assert rounding_of_the_sum(alike) == pytest.approx(0.0001 * np.sqrt(2 * 50**2))
    assert rounding_of_the_sum(np.repeat([1.0, -1.0], 500)) == 0.1


def test_a_large_cell_with_a_whole_charge_too_many_is_refused_as_short_of_ions() -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(4)  # 512 atoms
    charges = np.where(atoms.numbers == 11, 0.9, -0.9)
    charges[:4] += 0.5
    atoms.set_initial_charges(charges)
    with pytest.raises(LabelError, match=r"add up to \+2 e in the cell, as if counter-ions"):
        _framework(atoms)


def test_charges_that_do_not_cancel_are_refused() -> None:
    with pytest.raises(
        LabelError, match=r"salt: its partial charges add up to \+1 e in the cell, as if counter"
    ):
        _framework(_charged([1.0, 0.0]))


@pytest.mark.parametrize("charges", [None, [0.0, 0.0]])
def test_missing_charges_are_refused(charges: list[float] | None) -> None:
    atoms = _charged(charges or [0.0, 0.0])
    if charges is None:
        del atoms.arrays["initial_charges"]
    with pytest.raises(
        LabelError, match=r"salt: it has no partial charges of all atoms.*--charges none"
    ):
        _framework(atoms)


def test_charges_can_be_left_out() -> None:
    assert not _framework(_charged([1.0, 0.0]), charges="none").charges.any()


def test_a_molecule_is_refused() -> None:
    with pytest.raises(LabelError, match=r"repeat in three directions"):
        _framework(molecule("H2O"))


def test_an_element_without_parameters_is_refused_by_name() -> None:
    with pytest.raises(LabelError, match=r"salt: the force field trappe-zeo has no.* for Cl"):
        make_framework(_charged([1, -1]), FORCE_FIELDS["trappe-zeo"], cutoff=12.8)


@pytest.mark.parametrize(
    ("symbol", "lowest", "highest"),
    [
        *(("H", -2, 2), ("C", -5, 5), ("N", -4, 6), ("O", -3, 7), ("F", -2, 8), ("Na", -5, 2)),
        *(("Zn", -5, 9), ("Zr", -5, 5), ("Ge", -5, 5), ("Br", -2, 8), ("Pb", -5, 5)),
        ("Xe", -1, 9),
    ],
)
def test_what_an_element_can_bear(symbol: str, lowest: float, highest: float) -> None:
    assert charge_bounds(atomic_numbers[symbol]) == (lowest, highest)


def test_every_element_can_bear_its_oxidation_states() -> None:
    pymatgen = pytest.importorskip("pymatgen.core")
    for number in range(1, 104):
        low, high = charge_bounds(number)
        states = pymatgen.Element.from_Z(number).oxidation_states
        assert all(low <= state <= high for state in states), number


def test_charges_that_no_atom_bears_are_refused() -> None:
    atoms = _charged([9.0, -9.0])
    with pytest.raises(LabelError, match=r"partial charge of atom 0 \(Na.*is \+9 e, more"):
        _framework(atoms)
    assert not _framework(atoms, charges="none").charges.any()
