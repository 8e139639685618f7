"""Hückel's model against its textbook results."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.errors import StudyError
from atomlens.studies.orbitals.populations import frontier_orbitals
from atomlens.studies.orbitals.solution import OrbitalSettings

HUCKEL = OrbitalSettings(method="huckel")


def test_butadiene_has_the_textbook_energies_and_shares() -> None:
    found = frontier_orbitals(molecule("butadiene"), HUCKEL)
    golden = (np.sqrt(5) - 1) / 2
    assert found.homo_energy == pytest.approx(-golden)
    assert found.lumo_energy == pytest.approx(golden)
    carbons = np.sort(found.homo[found.atomic_numbers == 6])
    np.testing.assert_allclose(carbons, [0.138, 0.138, 0.362, 0.362], atol=1e-3)


def test_hydrogens_have_no_share() -> None:
    found = frontier_orbitals(molecule("C6H6"), HUCKEL)
    assert found.homo[found.atomic_numbers == 1].sum() == 0


def test_the_two_highest_orbitals_of_benzene_are_averaged_to_equal_carbons() -> None:
    found = frontier_orbitals(molecule("C6H6"), HUCKEL)
    assert found.n_homo == found.n_lumo == 2
    np.testing.assert_allclose(found.homo[found.atomic_numbers == 6], 1 / 6)


def test_buckminsterfullerene_has_five_highest_and_three_lowest_orbitals() -> None:
    found = frontier_orbitals(molecule("C60"), HUCKEL)
    assert (found.n_homo, found.n_lumo) == (5, 3)
    np.testing.assert_allclose(found.homo, 1 / 60)
    assert found.homo_energy == pytest.approx(-0.618, abs=1e-3)
    assert found.lumo_energy == pytest.approx(0.139, abs=1e-3)


def test_the_oxygen_of_furan_has_no_share_in_its_highest_orbital() -> None:
    found = frontier_orbitals(molecule("C4H4O"), HUCKEL)
    assert found.homo[found.atomic_numbers == 8] == pytest.approx(0, abs=1e-9)


def test_acrolein_has_its_lowest_empty_orbital_on_carbonyl_and_far_carbon() -> None:
    found = frontier_orbitals(_acrolein(), HUCKEL)
    far, near, carbonyl, oxygen = found.lumo[:4]
    assert far > near
    assert carbonyl > near
    assert far > oxygen


def test_a_molecule_without_conjugation_is_refused() -> None:
    with pytest.raises(StudyError, match="no conjugated atoms"):
        frontier_orbitals(molecule("CH4"), HUCKEL)


def test_an_open_shell_is_refused() -> None:
    square = Atoms("C4", [(0, 0, 0), (1.4, 0, 0), (1.4, 1.4, 0), (0, 1.4, 0)])
    with pytest.raises(StudyError, match="open shell"):
        frontier_orbitals(square, HUCKEL)


def _acrolein() -> Atoms:
    """CH2=CH-CH=O with usual bond lengths, all in one plane."""
    heavy = [(0.0, 0.0, 0.0), (1.16, 0.68, 0.0), (2.44, -0.06, 0.0), (3.50, 0.54, 0.0)]
    hydrogens = [(-0.93, 0.55, 0.0), (-0.02, -1.08, 0.0), (1.14, 1.77, 0.0), (2.38, -1.16, 0.0)]
    return Atoms("C3OH4", heavy + hydrogens)
