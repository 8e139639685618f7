"""Radii and masses of atoms are those that ase has, without ase: bare machines have none."""

import numpy as np
from ase.data import atomic_masses, covalent_radii

from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.elements.radii import COVALENT_RADII


def test_radii_are_those_of_ase() -> None:
    np.testing.assert_array_equal(COVALENT_RADII, covalent_radii)


def test_masses_are_those_of_ase() -> None:
    np.testing.assert_array_equal(ATOMIC_MASSES, atomic_masses)
