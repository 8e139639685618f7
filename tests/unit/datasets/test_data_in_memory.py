import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import Trajectory, write
from pymatgen.core import Lattice, Structure
from rdkit import Chem

from atomlens.datasets import load_dataset
from atomlens.errors import DatasetError, StructureError
from atomlens.structures import read

pytestmark = [  # of ase's connections to data bases, from Python 3.13 on
    pytest.mark.filterwarnings("ignore:.*unclosed database:ResourceWarning"),
    pytest.mark.filterwarnings(
        "ignore:.*unclosed database:pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.filterwarnings(
        "ignore:.*sqlite3.Connection:pytest.PytestUnraisableExceptionWarning"
    ),
]


def calculated(symbol: str, energy: float):
    atoms = bulk(symbol)
    atoms.calc = SinglePointCalculator(atoms, energy=energy)
    atoms.info.update(name=f"my {symbol}", gap=2 * energy, file="not one.cif")
    return atoms


METALS = [calculated("Cu", -1.0), calculated("Al", -2.0)]
SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
SALT.properties["gap"] = 8.5
ETHANOL = Chem.MolFromSmiles("CCO")
ETHANOL.SetProp("gap", "7.5")


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (METALS, [-2, -4]),
        (tuple(METALS), [-2, -4]),
        (iter(METALS), [-2, -4]),
        (pd.Series(METALS), [-2, -4]),
        (dict(enumerate(METALS)).values(), [-2, -4]),
        (pd.DataFrame({"any": METALS}), [-2, -4]),
        (METALS[0], [-2]),
        ((METALS, np.array([1.0, 2.0])), [1, 2]),
        ([METALS, pd.Series([1.0, 2.0])], [1, 2]),
        (zip(["CCO", "CCC"], [1, 2], strict=True), [1, 2]),
        ([[METALS[0], 1], [METALS[1], 2]], [1, 2]),
        ([("CCO", {"gap": 1, "other": 3}), ("CCC", {"gap": 2})], [1, 2]),
        ([{"smiles": "CCO", "gap": 1}, {"smiles": "CCC", "gap": 2}], [1, 2]),
        ({"structure": METALS, "gap": [1, 2]}, [1, 2]),
        ([SALT, SALT], [8.5, 8.5]),
        ([ETHANOL], [7.5]),
        (load_dataset(METALS, "gap")[1], [-4]),
        (list(load_dataset(METALS, "gap")), [-2, -4]),
    ],
)
def test_what_a_user_holds_in_memory_is_a_data_set(given, values):
    data = load_dataset(given, "gap")
    assert data.values[:, 0].tolist() == values
    assert [t.name for t in data.targets] == ["gap"]


def test_entries_of_pymatgen_are_a_data_set():
    entries = pytest.importorskip("pymatgen.entries.computed_entries")  # not in pymatgen-core
    entry = entries.ComputedStructureEntry(SALT, -7.0, data={"gap": 8.0})
    assert load_dataset([entry], "gap").values[:, 0].tolist() == [8.0]


@pytest.mark.parametrize("given", [METALS, pd.DataFrame({"atoms": METALS})])
def test_energies_of_structures_in_memory_are_what_those_of_a_file_are(given, tmp_path):
    write(tmp_path / "metals.extxyz", METALS)
    here, there = load_dataset(given, "energy"), load_dataset(tmp_path / "metals.extxyz", "energy")
    assert here.targets == there.targets
    assert here.targets[0].extensive
    assert here.values.tolist() == there.values.tolist()
    assert here.structures.names == there.structures.names


def test_rows_of_a_data_base_and_trajectories_are_lists_of_structures(tmp_path):
    with connect(tmp_path / "metals.db") as base:
        for atoms in METALS:
            base.write(atoms, gap=3.0)
    write(tmp_path / "metals.traj", METALS)
    assert load_dataset(list(base.select()), "gap").values[:, 0].tolist() == [3, 3]
    assert load_dataset(base, "energy").values[:, 0].tolist() == [-1, -2]
    with (tmp_path / "metals.db").open("rb") as stream:
        with pytest.raises(DatasetError, match="a BufferedReader object"):
            load_dataset(stream, "gap")
        with pytest.raises(StructureError, match="is an open file; give its path"):
            read(stream)
    with Trajectory(tmp_path / "metals.traj") as frames:
        assert load_dataset(frames, "energy").values[:, 0].tolist() == [-1, -2]
        assert len(read(frames)) == 2


def test_results_of_atoms_that_have_moved_since_are_no_values():
    moved = calculated("Cu", -1.0)
    moved.rattle(0.1)
    with pytest.raises(DatasetError, match="'energy'"):
        load_dataset([moved], "energy")
    moved.info.clear()
    with pytest.raises(DatasetError, match="hold no results for the atoms as they are now"):
        load_dataset([moved])


def test_an_array_in_the_place_of_a_value_is_a_wrong_value_and_one_number_is_none():
    wrong = calculated("Cu", -1.0)
    wrong.info["gap"] = np.array([1.0, 2.0])
    data = load_dataset([wrong, METALS[1]], "gap")
    assert data.values.tolist() == [[-4.0]]
    assert "is 'array([1., 2.])'" in data.failures[0].message
    assert load_dataset([(SALT, np.array(3.0))], "gap").values.tolist() == [[3.0]]


def test_an_entry_that_cannot_be_used_is_named_and_the_rest_goes_on():
    half = Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    data = load_dataset([(half, 1.0), (SALT, 2.0)], "gap")
    assert data.values.tolist() == [[2.0]]
    assert "disordered" in data.failures[0].message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "The data are 3, which is no data set; give a list of structures"),
        (None, "The data are None"),
        ([], "empty"),
        ({"smiles": "CCO", "gap": 2}, "under 'smiles' where a column is expected"),
        ({"smiles": ["CCO", "CC"], "gap": [1]}, "1 entries under 'gap' and 2 under 'smiles'"),
        ((METALS, [1, 2, 3]), "2 structures and 3 values"),
        (["CCO", "CC"], "come without values"),
        ([*METALS, "CCO"], r"Entry 2 .* is 'CCO' among Atoms objects"),
        ([bulk("Cu")], "the first is an Atoms object"),
        ([*load_dataset(METALS, "gap"), METALS[0]], "samples of a data set and others are not"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_sentence(given, said):
    with pytest.raises(DatasetError, match=said) as caught:
        load_dataset(given, "gap")
    assert "\n" not in str(caught.value)
