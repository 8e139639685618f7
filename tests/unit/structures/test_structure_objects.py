"""Objects of ase, pymatgen and rdkit."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray
from pymatgen.core import Composition, Lattice, Molecule, Structure
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from atomlens.errors import StructureError
from atomlens.structures import read, read_structures, to_atoms

SALT = Structure(Lattice.cubic(5.64), ["Na+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_ase_atoms_come_back_as_a_copy_with_their_results() -> None:
    water = molecule("H2O")
    water.calc = SinglePointCalculator(water, energy=-14.2)
    copy = to_atoms(water)
    copy.positions += 1.0
    assert water.positions[0, 0] == 0.0
    assert copy.calc.results["energy"] == -14.2
    assert water.info == {}


def test_a_slab_of_ase_keeps_its_periodicity() -> None:
    assert to_atoms(fcc111("Cu", (1, 1, 3), vacuum=6.0)).pbc.tolist() == [True, True, False]


def test_a_pymatgen_structure_is_periodic() -> None:
    atoms = to_atoms(SALT)
    assert atoms.get_chemical_symbols() == ["Na", "Cl"]
    assert np.allclose(atoms.positions, SALT.cart_coords)
    assert np.allclose(atoms.cell[:], SALT.lattice.matrix)
    assert atoms.pbc.all()


def test_a_pymatgen_slab_keeps_its_periodicity() -> None:
    lattice = Lattice.from_parameters(3, 3, 20, 90, 90, 90, pbc=(True, True, False))
    assert to_atoms(Structure(lattice, ["Cu"], [[0, 0, 0]])).pbc.tolist() == [True, True, False]


def test_a_pymatgen_molecule_has_no_cell() -> None:
    atoms = to_atoms(Molecule(["C", "O"], [[0, 0, 0], [0, 0, 1.13]]))
    assert not atoms.pbc.any()
    assert atoms.cell.rank == 0


def test_a_pymatgen_composition_is_a_formula() -> None:
    atoms = to_atoms(Composition({"Li": 0.5, "Co": 1, "O": 2}))
    assert atoms.info["is_formula"]
    assert atoms.get_chemical_symbols().count("Co") == 2
    assert len(atoms) == 7


def test_heavy_water_is_told_in_whatever_way_it_is_heavy() -> None:
    places = [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]
    water = Atoms("OH2", places)
    water.set_masses([15.999, 2.014, 2.014])
    for heavy in (water, Molecule(["O", "D", "D"], places), Composition("D2O"), "[2H]O[2H]"):
        with pytest.warns(UserWarning, match="deuterium or tritium is treated as hydrogen"):
            atoms = to_atoms(heavy)
        assert sum(atoms.get_masses()) == pytest.approx(18.015, abs=0.01)
    assert water.get_masses()[1] == 2.014
    usual = Atoms("OH2", places)
    usual.set_masses([16, 1, 1])
    assert "warnings" not in to_atoms(usual).info
    carbon = molecule("CH4")
    carbon.set_masses([13.003, 1.008, 1.008, 1.008, 1.008])
    with pytest.warns(UserWarning, match="isotopes are treated as their elements"):
        to_atoms(carbon)


def test_thirds_of_a_composition_are_thirds() -> None:
    assert len(to_atoms(Composition("Ni0.3333333333Mn0.6666666667O2"))) == 9


def test_a_disordered_structure_is_refused_with_its_site() -> None:
    mixed = Structure(Lattice.cubic(4), ["O", {"Fe": 0.5, "Co": 0.5}], [[0.5] * 3, [0, 0, 0]])
    with pytest.raises(StructureError, match=r"atom 1 \(Fe.*0\.5 Fe, 0\.5 Co.*disordered"):
        to_atoms(mixed)


def test_a_vacancy_is_refused_with_its_site() -> None:
    partly = Structure(Lattice.cubic(4), [{"Fe": 0.9}], [[0, 0, 0]])
    with pytest.raises(StructureError, match=r"atom 0 .*0\.9 Fe"):
        to_atoms(partly)


def test_a_dummy_species_is_refused() -> None:
    with pytest.raises(StructureError, match="not an element"):
        to_atoms(Structure(Lattice.cubic(4), ["X0+"], [[0, 0, 0]]))


def test_an_rdkit_molecule_with_coordinates_keeps_them() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=3)
    assert np.allclose(to_atoms(mol).positions, mol.GetConformer().GetPositions())


def test_an_rdkit_molecule_without_coordinates_gets_them() -> None:
    mol = Chem.MolFromSmiles("CCO")
    atoms = to_atoms(mol)
    assert atoms.get_chemical_formula() == "C2H6O"
    assert mol.GetNumAtoms() == 3


def test_objects_of_all_kinds_may_be_mixed() -> None:
    inputs = [molecule("H2O"), SALT, Composition("Fe2O3"), Chem.MolFromSmiles("C"), "CC"]
    assert [len(atoms) for atoms in read(inputs)] == [3, 2, 5, 5, 8]


def test_an_array_or_column_of_texts_is_a_list() -> None:
    assert len(read(np.array(["CC", "formula:NaCl"]))) == 2


def test_bad_coordinates_in_memory_are_found_too() -> None:
    water = molecule("H2O")
    water.positions[2, 1] = np.nan
    with pytest.raises(StructureError, match=r"H2O: atom 2 \(H"):
        to_atoms(water)


def test_a_structure_of_a_data_set_is_one_alone_and_in_a_list() -> None:
    from ase.build import bulk, molecule

    from atomlens.structures.arrays import StructureArrays

    crystal = bulk("NaCl", "rocksalt", a=5.64)
    crystal.info["name"] = "salt"
    own = StructureArrays.from_atoms([molecule("H2O"), crystal])
    water, salt = read([own[0], own[1]])
    assert water.get_chemical_formula() == "H2O"
    assert salt.info["name"] == "salt"
    assert salt.pbc.all()
    np.testing.assert_array_equal(salt.cell[:], crystal.cell[:])
    np.testing.assert_array_equal(salt.positions, crystal.positions)
    assert read(own[1])[0].get_chemical_formula() == "ClNa"


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        (np.zeros((2, 3)), r"have the shape \(2, 3\) and it has 3 atoms"),
        (np.zeros((3, 2)), r"have the shape \(3, 2\) and it has 3 atoms"),
        (molecule("H2O").positions.astype(complex), "of the type complex128"),
        (molecule("H2O").positions.astype(str), "of the type <U"),
        (molecule("H2O").positions.astype(np.float16), "of the type float16"),
    ],
)
def test_arrays_put_in_place_of_ases_are_looked_at(
    positions: NDArray[np.generic], said: str
) -> None:
    water = molecule("H2O")
    water.arrays["positions"] = positions
    with pytest.raises(StructureError, match=said):
        to_atoms(water)


def test_atoms_that_numpy_took_apart_are_told_so() -> None:
    water = molecule("H2O")
    for given in (np.array([water, water], dtype=object), [[water[0]]]):
        failure, *_ = read_structures(given).failures
        assert "numpy.array takes them apart); give ase.Atoms" in failure.message


@pytest.mark.parametrize("given", [b"CCO", bytearray(b"CCO"), np.array([b"CCO"])])
def test_bytes_are_no_text(given: object) -> None:
    (failure,) = read_structures([given] if isinstance(given, bytes) else given).failures  # type: ignore[arg-type]
    assert "is no text; give it decoded, as str" in failure.message
