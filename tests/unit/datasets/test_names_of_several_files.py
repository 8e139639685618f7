"""A table that names a structure by what several files are called, or twice."""

import warnings
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from atomlens import load_dataset
from atomlens.datasets.base import Dataset

SALT = bulk("NaCl", "rocksalt", 5.64)
WIDER = bulk("NaCl", "rocksalt", 5.9)
SILICON = bulk("Si")


def loaded(folder: Path, kind: str, x: Atoms, key: str = "x") -> tuple[Dataset, list[str]]:
    """What is read of a folder in which x.cif and x.vasp hold two structures, and what is said."""
    write(folder / "x.cif", SALT)
    write(folder / "x.vasp", x, format="vasp", direct=True)
    write(folder / "y.cif", bulk("MgO", "rocksalt", 4.21))
    (folder / "x.json").write_text('{"note": 1}')
    head = "" if kind == "id_prop.csv" else "file,value\n"
    (folder / kind).write_text(f"{head}{key},1.0\ny,2.0\n")
    place = folder if kind == "id_prop.csv" else folder / kind
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = load_dataset(place, target="value")
    return found, [str(warning.message) for warning in heard if "few" not in str(warning.message)]


@pytest.mark.parametrize("kind", ["id_prop.csv", "t.csv"])
def test_two_files_of_one_name_must_hold_the_same(kind: str, tmp_path: Path) -> None:
    found, said = loaded(tmp_path, kind, SILICON)
    assert len(found) == 1
    (failure,) = found.failures
    assert "x.cif and x.vasp may be meant, and one holds NaCl, the other Si" in failure.message
    found, said = loaded(tmp_path, kind, SALT * (1, 1, 2))
    assert (len(found), said) == (2, [])
    found, said = loaded(tmp_path, kind, WIDER)
    assert len(found) == 2
    assert "x.cif and x.vasp have the same name and formula, and other atoms" in said[0]


@pytest.mark.parametrize("kind", ["id_prop.csv", "t.csv"])
@pytest.mark.parametrize("key", ["x.cif", "x.vasp"])
def test_a_name_with_its_ending_is_clear(kind: str, key: str, tmp_path: Path) -> None:
    found, said = loaded(tmp_path, kind, SILICON, key)
    assert (len(found), said) == (2, [])
    assert found.structures[0].to_atoms().get_chemical_symbols()[0] == (
        "Na" if key == "x.cif" else "Si"
    )


@pytest.mark.filterwarnings("ignore:.*few")
def test_an_id_that_stands_twice_is_told(tmp_path: Path) -> None:
    for name in ("1", "2"):
        write(tmp_path / f"{name}.cif", SALT)
    (tmp_path / "id_prop.csv").write_text("1,0.5\n2,0.7\n1,0.9\n")
    with pytest.warns(UserWarning, match="2 rows share their name in the column 'id'"):
        assert len(load_dataset(tmp_path)) == 3
