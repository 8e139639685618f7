"""Formulas that are objects: amounts of elements as pymatgen, ase and dictionaries hold them."""

import math
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ase import Atoms
from ase.formula import Formula
from pymatgen.core import Composition, DummySpecies, Element, Species
from pymatgen.entries.computed_entries import ComputedEntry

from atomlens.datasets import load_dataset
from atomlens.errors import DatasetError, Failure, StructureError
from atomlens.predictor.inputs import gather
from atomlens.structures import read, read_structures, to_atoms
from atomlens.structures.arrays import warnings_of
from atomlens.structures.formulas import from_formula
from atomlens.structures.objects import atoms_of


@pytest.mark.parametrize(
    "amounts",
    [
        {"Ge": 0.9998, "As": 0.0002},
        {"Ge": 1, "As": 1e-6},
        {"Y": 0.333, "Zr": 0.667, "O": 2},
        {"Y": 0.1234567, "Zr": 0.8765433, "O": 2},
    ],
)
def test_amounts_are_read_as_their_text_is(amounts: dict[str, float]) -> None:
    text = "".join(f"{symbol}{amount:.7f}".rstrip("0") for symbol, amount in amounts.items())
    of_text = from_formula(re.sub(r"\.(?=[A-Z]|$)", "", text))
    for given in (Composition(amounts), amounts):
        (found,) = atoms_of(given)
        assert np.array_equal(np.sort(found.numbers), np.sort(of_text.numbers))
        assert warnings_of(found) == warnings_of(of_text)


def test_fractions_of_all_digits_are_those_fractions() -> None:
    assert len(to_atoms({"Li": 1 / 7, "C": 6 / 7})) == 7


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Composition({"K": -1, "Br": 2}, allow_negative=True), "amount of K is -1"),
        (Composition({}), "no element in it"),
        ({"K": 0, "Br": 1}, "amount of K is 0"),
        ({"K": math.nan, "Br": 1}, "amount of K is nan"),
        (DummySpecies("X"), "'X' is not an element"),
    ],
)
def test_amounts_that_cannot_be_are_refused(given: object, said: str) -> None:
    with pytest.raises(StructureError, match=said):
        to_atoms(given)


def test_what_plainly_is_a_formula_is_read_as_one() -> None:
    for given in (
        {"Fe": 2, "O": 3},
        Composition({"Fe3+": 2, "O2-": 3}).as_dict(),
        ComputedEntry("Fe2O3", -12.0),
        Formula("Fe2O3"),
        Atoms("Fe2O3", positions=np.arange(15.0).reshape(5, 3)).symbols,
    ):
        atoms = to_atoms(given)
        assert atoms.info["is_formula"]
        assert sorted(atoms.numbers) == [8, 8, 8, 26, 26]
    assert [a.get_chemical_formula() for a in read([Element("V"), Species("V", 3)])] == ["V", "V"]


def test_a_dictionary_that_is_no_formula_stays_a_table() -> None:
    assert gather({"formula": "NaCl"}).names == ("NaCl",)
    assert "no column with structures" in gather({"C": [1, 2]}).errors[0]
    with pytest.raises(DatasetError, match="no column with structures"):
        gather(pd.DataFrame({"C": [1, 2]}))
    assert "is a table" in str(read_structures([{"Na": True}]).failures[0].message)


def test_formulas_as_dictionaries_stand_in_cells_and_pairs() -> None:
    cells = [{"Na": 1, "Cl": n} for n in range(1, 13)]
    assert not any(gather(pd.DataFrame({"composition": cells})).errors)
    data = load_dataset([(cell, {"v": float(n)}) for n, cell in enumerate(cells)], "v")
    assert data.structures.n_atoms.tolist() == list(range(2, 14))


@pytest.mark.parametrize(("number", "shown"), [(130, "130"), (-7, "-7")])
def test_an_atomic_number_that_no_element_has_is_said(number: int, shown: str) -> None:
    atoms = Atoms("OH", positions=[[0, 0, 0], [0, 0, 1]])
    atoms.numbers = [8, number]
    with pytest.raises(StructureError, match=f"atom 1 .*has the atomic number {shown}, and those"):
        to_atoms(atoms)


def test_an_empty_cell_of_a_series_is_called_so_with_its_place() -> None:
    column = pd.Series(["CCC", None, np.nan, pd.NA, pd.NaT, "CCO"], dtype=object)
    found = gather(column)
    assert [bool(error) for error in found.errors] == [False, True, True, True, True, False]
    assert found.errors[3] == "entry 3 (counted from 0) is empty; fill it, or leave it out"
    mixed = gather([pd.DataFrame({"smiles": ["C"]}), "CCC", None])
    assert mixed.errors[-1].startswith("entry 2 (counted from 0) is empty")


def test_a_table_of_arrow_is_a_table() -> None:
    table = pa.table({"smiles": ["C", "CC", "CCC"], "v": [1.0, 2.0, 3.0]})
    assert gather(table).names == ("C", "CC", "CCC")
    assert [cells["v"] for cells in gather([table]).carried] == [1.0, 2.0, 3.0]
    assert load_dataset(table, "v").values[:, 0].tolist() == [1.0, 2.0, 3.0]


def test_read_structures_says_of_nothing_that_it_is_nothing() -> None:
    (failure,) = read_structures([None]).items
    assert isinstance(failure, Failure)
    assert failure.message.startswith("entry 0 (counted from 0) is empty")
