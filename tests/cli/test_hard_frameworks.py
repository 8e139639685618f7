"""What MOF databases are full of, as typed: a sentence or a true graph, never a wrong number."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomlens.cli import main
from atomlens.neighbors import NearestBuilder

pytestmark = pytest.mark.filterwarnings("ignore:.*no two of its atoms are within")
"""The cells are large and empty on purpose."""

MODELS = ("cgcnn", "ae-cgcnn")
TINY = [
    *("--set", "model.n_layers=2", "--set", "model.n_features=8", "--set", "model.n_hidden=8"),
    *("--epochs", "2", "--batch-size", "4"),
]


def write(folder: Path, name: str, atoms: Atoms) -> Path:
    path = folder / f"{name}.cif"
    atoms.write(path)
    return path


def lonely(side: float = 30.0) -> Atoms:
    """Two atoms farther apart than any cutoff."""
    return Atoms("ZnO", [[0, 0, 0], [side / 2] * 3], cell=[side] * 3, pbc=True)


def sparse(side: float = 20.0) -> Atoms:
    """Three atoms: each has two neighbours where twelve are asked for."""
    return Atoms("ZnO2", [[0, 0, 0], [2, 0, 0], [0, 2, 0]], cell=[side] * 3, pbc=True)


def disordered(apart: float) -> Atoms:
    """A zinc oxide with an oxygen beside an alternative of itself."""
    atoms = bulk("ZnO", "rocksalt", a=4.3, cubic=True).repeat((2, 2, 2))
    extra = Atoms("O2", [[2.1, 1.1, 1.2], [2.1 + apart, 1.1, 1.2]])
    return atoms + extra


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both networks, trained on crystals among which lonely and sparse ones are."""
    folder = tmp_path_factory.mktemp("hard")
    rows = ["file,y"]
    crystals = [lonely(), sparse(), *(bulk("ZnO", "rocksalt", a=4 + i / 10) for i in range(8))]
    for i, atoms in enumerate(crystals):
        write(folder, f"c{i}", atoms)
        rows.append(f"c{i}.cif,{i}")
    (folder / "t.csv").write_text("\n".join(rows) + "\n")
    for model in MODELS:
        about = ["--target", "y", "--model", model, "--out", str(folder / model)]
        cache = ["--set", f"cache_dir={folder}/cache"]
        assert main(["train", str(folder / "t.csv"), *about, *cache, *TINY, "--quiet"]) == 0
    return {model: folder / model for model in MODELS}


def predict(model: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[float, str]:
    capsys.readouterr()
    assert main(["predict", str(model), str(path), "--format", "json"]) == 0
    said = capsys.readouterr()
    (record,) = json.loads(said.out)
    assert np.isfinite(record["y"])
    return float(record["y"]), said.err


def graph(capsys: pytest.CaptureFixture[str], path: Path) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    assert main(["graph", str(path), "--builder", "nearest", "--format", "json"]) == 0
    said = capsys.readouterr()
    (record,) = json.loads(said.out)
    return record, said.err


def test_isolated_atoms_have_no_neighbours_and_no_invented_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, _ = graph(capsys, write(tmp_path, "lonely", lonely()))
    assert record["n_atoms"] == 2
    assert record["edges"] == []


def test_fewer_than_twelve_neighbours_are_just_those(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, _ = graph(capsys, write(tmp_path, "sparse", sparse()))
    assert [edge[0] for edge in record["edges"]] == [0, 0, 1, 1, 2, 2]
    assert max(edge[2] for edge in record["edges"]) == pytest.approx(8**0.5, abs=1e-4)


@pytest.mark.parametrize("make", [lonely, sparse])
def test_empty_space_around_few_atoms_does_not_change_their_number(
    make: Any, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No padded neighbours: the size of the empty cell must not be felt."""
    found = [
        predict(models["cgcnn"], write(tmp_path, f"s{s}", make(s)), capsys)[0] for s in (24, 40)
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-5)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("make", [lonely, sparse])
def test_few_neighbours_give_a_number(
    make: Any,
    model: str,
    models: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    predict(models[model], write(tmp_path, "few", make()), capsys)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("model", MODELS)
def test_overlapping_guests_are_used_with_a_warning(
    model: str, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = predict(models[model], write(tmp_path, "guests", disordered(0.3)), capsys)
    assert said.count("guests: atoms stand closer than 0.5 Å to each other") == 1


def test_real_bonds_are_no_overlap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hydrogen = Atoms("H2", [[0, 0, 0], [0.74, 0, 0]], cell=[6] * 3, pbc=True)
    _, said = graph(capsys, write(tmp_path, "hydrogen", hydrogen))
    assert said == ""


@pytest.mark.parametrize("command", ["graph", "predict"])
def test_guests_in_one_place_are_refused_by_their_atoms(
    command: str, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "guests", disordered(0.04))
    capsys.readouterr()
    assert (
        main([command, *([str(models["cgcnn"])] if command == "predict" else []), str(path)]) == 2
    )
    said = capsys.readouterr()
    assert said.out == ""
    assert "atoms 64 (O) and 65 (O), counted from 0, are 0.040 Å apart" in said.err


def test_twenty_thousand_atoms_have_the_graph_of_their_small_cell_in_little_memory() -> None:
    small = bulk("ZnO", "rocksalt", a=4.3)
    large = small.repeat((22, 22, 21))
    builder = NearestBuilder()
    builder.build(small)  # compile before memory is counted
    tracemalloc.start()
    found = builder.build(large)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(large) == 20328
    assert found.n_edges == 12 * len(large)
    counts = np.bincount(found.edge_index[1].numpy())
    assert (counts == 12).all()
    per_atom = np.sort(found.distances.numpy().reshape(-1, 12), axis=1)
    expected = np.sort(builder.build(small).distances.numpy().reshape(-1, 12), axis=1)
    np.testing.assert_allclose(per_atom, np.tile(expected[:1], (len(large), 1)), atol=1e-4)
    assert peak < 200e6


@pytest.mark.parametrize("copies", [(3, 2, 2), (13, 13, 12)])
def test_a_large_cell_gives_the_number_of_its_small_one(
    copies: tuple[int, int, int],
    models: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cell = sparse(9.0)
    small, _ = predict(models["cgcnn"], write(tmp_path, "small", cell), capsys)
    large, _ = predict(models["cgcnn"], write(tmp_path, "large", cell.repeat(copies)), capsys)
    assert large == pytest.approx(small, abs=1e-4)
