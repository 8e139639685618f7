"""Radicals and ions are told in whatever form they are given."""

from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write

from atomlens.structures import read_structures
from atomlens.structures.arrays import warnings_of

pytestmark = pytest.mark.filterwarnings("ignore")


def said(given: object) -> str:
    (atoms,) = read_structures([given]).items
    return "; ".join(warnings_of(atoms))


def radical(name: str = "C2H5") -> Atoms:
    """A molecule without moments."""
    made = molecule("C2H6")
    del made[[-1]]
    assert made.get_chemical_formula() == name
    return made


def test_an_odd_number_of_electrons_is_told(tmp_path: Path) -> None:
    write(tmp_path / "radical.xyz", radical())
    for given in (radical(), str(tmp_path / "radical.xyz")):
        assert "an odd number of electrons (17), so it is a radical" in said(given)


def test_a_stated_charge_explains_it() -> None:
    cation = radical()
    cation.info["charge"] = 1
    assert said(cation) == (
        "no model sees its charge of +1: only elements and places of atoms count"
    )
    whole = molecule("C2H6")
    whole.info["charge"] = 1
    assert "charge of +1 and unpaired electrons (1)" in said(whole)


@pytest.mark.parametrize(
    ("charges", "words"), [([-1, 0, 0], "charge of -1"), ([-0.8, 0.4, 0.4], "")]
)
def test_charges_of_atoms_count_where_they_add_up_to_one(charges: list[float], words: str) -> None:
    water = molecule("H2O")
    water.set_initial_charges(charges)
    assert (words in said(water)) if words else said(water) == ""


def test_moments_of_atoms_count() -> None:
    oxygen = molecule("O2")  # ase knows its moments
    assert "unpaired electrons (2)" in said(oxygen)


def test_other_structures_are_silent() -> None:
    sodium = bulk("Na")
    sodium.set_initial_charges([1])
    for given in (molecule("H2O"), Atoms("H"), Atoms("Na"), sodium, "formula:C2H5", "CCO"):
        assert "electrons" not in said(given)
        assert "charge" not in said(given)
    assert said("C[CH2]").count("electrons") == 1
