"""Where compositions are all that counts, a disordered crystal is its own formula."""

from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from atomlens.errors import StructureError
from atomlens.structures.files import read_file
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.objects import atoms_of

ALLOY = Structure(
    Lattice.cubic(5.5), [{"Ga": 0.7, "Al": 0.3}, {"As": 1}], [[0, 0, 0], [0.25, 0.25, 0.25]]
)
FORMULAS = DisorderChoice(formulas_first=True)


def test_the_formula_is_that_of_the_occupancies(tmp_path: Path) -> None:
    path = tmp_path / "alloy.cif"
    CifWriter(ALLOY).write_file(path)
    for found in (atoms_of(ALLOY, FORMULAS), [e.atoms for e in read_file(path, FORMULAS)]):
        (atoms,) = found
        assert atoms is not None
        assert atoms.info["is_formula"]
        assert sorted(atoms.numbers.tolist()) == [13] * 3 + [31] * 7 + [33] * 10


@pytest.mark.parametrize("how", ["majority", "enumerate"])
def test_ordered_models_are_made_where_they_are_asked_for(how: str, tmp_path: Path) -> None:
    """As a model of compositions that was trained on such models reads them again."""
    choice = DisorderChoice(how=how, formulas_first=True)  # type: ignore[arg-type]
    path = tmp_path / "alloy.cif"
    CifWriter(ALLOY).write_file(path)
    for found in (atoms_of(ALLOY, choice), [e.atoms for e in read_file(path, choice)]):
        assert all(atoms is not None and atoms.pbc.all() for atoms in found)


def test_others_refuse_the_same_crystal() -> None:
    with pytest.raises(StructureError, match="the structure is disordered"):
        atoms_of(ALLOY)


def test_an_ordered_crystal_keeps_its_places() -> None:
    (atoms,) = atoms_of(
        Structure(Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]), FORMULAS
    )
    assert atoms.pbc.all()


def test_more_than_one_atom_a_place_has_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "full.cif"
    CifWriter(ALLOY).write_file(path)
    path.write_text(path.read_text().replace("0.7", "0.95"))
    (entry,) = read_file(path, FORMULAS)
    assert entry.atoms is None
