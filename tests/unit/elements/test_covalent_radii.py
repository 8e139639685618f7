"""Radii of atoms are those that ase has, without ase: trainings on bare machines need them."""

import numpy as np
from ase.data import covalent_radii

from atomlens.elements.radii import COVALENT_RADII


def test_radii_are_those_of_ase() -> None:
    np.testing.assert_array_equal(COVALENT_RADII, covalent_radii)
