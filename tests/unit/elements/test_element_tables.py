"""Tables of element vectors: ours, and those of packages made for the test."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from atomlens.elements.tables import MAGPIE_PROPERTIES, element_table
from atomlens.errors import DatasetError, MissingDependencyError


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where packages are looked for, and in which those with tables are missing."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr("atomlens.elements.tables.util.find_spec", _find_in(tmp_path))
    return tmp_path


def _find_in(folder: Path):
    from importlib.machinery import PathFinder

    def find(name: str):
        PathFinder.invalidate_caches()
        return PathFinder.find_spec(name, [str(folder)])

    return find


def ship(folder: Path, vectors: dict[str, list[float]]) -> None:
    """Make a package with one table; importing it would fail."""
    tables = folder / "aviary" / "embeddings" / "element"
    tables.mkdir(parents=True)
    (folder / "aviary" / "__init__.py").write_text("raise ImportError('not to be imported')")
    (tables / "megnet16.json").write_text(json.dumps(vectors))


def test_our_tables_need_no_package(packages: Path) -> None:
    one_hot = element_table("one-hot", 119)
    np.testing.assert_array_equal(one_hot[1:], np.eye(118))
    cgcnn = element_table("cgcnn92", 119)
    assert cgcnn.shape == (119, 92)
    assert cgcnn[1:101].any(axis=1).all()
    assert not cgcnn[101:].any()


def test_a_table_of_a_package_is_read_without_importing_it(packages: Path) -> None:
    ship(packages, {"Null": [9.0] * 16, "H": [0.5] * 16, "Fe": [2.0] * 16, "Lr": [3.0] * 16})
    table = element_table("megnet16", 60)
    assert table.shape == (60, 16)
    assert np.flatnonzero(table.any(axis=1)).tolist() == [1, 26]
    assert table[26, 0] == 2


def test_a_missing_package_is_named_with_the_way_without_it(packages: Path) -> None:
    with pytest.raises(MissingDependencyError, match=r"atomlens\[elements\].*=cgcnn92"):
        element_table("mat2vec", 119)


def test_a_table_of_another_width_is_refused(packages: Path) -> None:
    ship(packages, {"H": [0.5] * 17})
    with pytest.raises(DatasetError, match="the vector of H has 17 numbers instead of 16"):
        element_table("megnet16", 119)


def test_a_damaged_table_is_a_sentence(packages: Path) -> None:
    ship(packages, {})
    (packages / "aviary/embeddings/element/megnet16.json").write_text("{")
    with pytest.raises(DatasetError, match="reinstall aviary-models"):
        element_table("megnet16", 119)


def test_magpie_properties_are_brought_to_one_scale(packages: Path) -> None:
    folder = packages / "matminer" / "utils" / "data_files" / "magpie_elementdata"
    folder.mkdir(parents=True)
    for place, name in enumerate(MAGPIE_PROPERTIES):
        (folder / f"{name}.table").write_text(f"1\n{3 + place}\nMissing\n5\n")
    table = element_table("magpie", 119)
    assert table.shape == (119, 22)
    np.testing.assert_allclose(table[1:5].mean(axis=0), 0, atol=1e-6)
    assert not table[3].any()
    np.testing.assert_allclose(table[[1, 2, 4], 0], np.array([-2, 0, 2]) / np.sqrt(8 / 3))


@pytest.mark.reference
def test_the_shipped_tables_are_those_of_the_paper(fixtures_dir: Path) -> None:
    pytest.importorskip("aviary")
    known = fixtures_dir.parent / "data" / "element-embeddings" / "matscholar200.json"
    vectors = json.loads(known.read_text(encoding="utf-8"))
    table = element_table("mat2vec", 119)
    np.testing.assert_allclose(table[38], vectors["Sr"], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(table[1:104], axis=1), 1, rtol=1e-5)


def test_facts_are_known_of_every_element_up_to_lawrencium() -> None:
    table = element_table("facts", 119)
    assert np.flatnonzero(table.any(axis=1)).tolist() == list(range(1, 104))
    np.testing.assert_allclose(table[1:104].mean(axis=0), 0, atol=0.2)
    assert table[9, 8] == table[:, 8].max()  # fluorine is the most electronegative
    assert np.isfinite(table).all()


@pytest.mark.reference
def test_valence_electrons_are_those_of_magpie(fixtures_dir: Path) -> None:
    path = fixtures_dir.parent / "data" / "element-embeddings" / "magpie.csv"
    with path.open(encoding="utf-8") as stream:
        rows = {int(float(row["Number"])): row for row in csv.DictReader(stream)}
    names = MAGPIE_PROPERTIES[8:18]
    table = element_table("facts", 119)[:, -10:]
    known = sorted(rows)
    magpie = np.array([[float(rows[z][name]) for name in names] for z in known])
    for ours, theirs in zip(table[known].T, magpie.T, strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 1 - 1e-6
