"""Small crystals and runs for the tests of labels."""

from importlib.util import find_spec

import pytest
from ase import Atoms

needs_raspalib = pytest.mark.skipif(find_spec("raspalib") is None, reason="raspalib is missing")


def argon_crystal(length: float = 17.0, name: str = "argon") -> Atoms:
    """Three argon atoms in a wide cube (Å): room for gas, and a surface to stick to."""
    atoms = Atoms("Ar3", [[1, 1, 1], [4.5, 1, 1], [1, 4.5, 1]], cell=[length] * 3, pbc=True)
    atoms.info["name"] = name
    return atoms
