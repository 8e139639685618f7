"""SCANN and SCANN+ against the outputs of the authors' own code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens.checkpoints import import_scann, read_scann_checkpoint
from atomlens.graphs import AtomGraph, GraphBatch, collate
from atomlens.predictor import load

pytestmark = pytest.mark.reference
MODELS = ("scann", "scann_ganorm", "scann_plus", "scann_plus_mp")


def graph_from_lists(record: dict[str, Any], key: str) -> AtomGraph:
    """The authors' neighbour lists, as they are, as a graph of ours."""
    rows = [
        (neighbor, atom, angle, weight, distance)
        for atom, neighbors in enumerate(record["neighbors"][key])
        for neighbor, angle, weight, distance in neighbors
    ]
    table = np.array(rows, dtype=float).reshape(-1, 5)
    n_edges = len(table)
    return AtomGraph(
        atomic_numbers=torch.tensor(record["atomic_numbers"]),
        edge_index=torch.from_numpy(table[:, :2].T.astype(np.int64).copy()),
        distances=torch.from_numpy(table[:, 4].copy()),
        edge_vectors=torch.zeros(n_edges, 3, dtype=torch.float64),
        images=torch.zeros(n_edges, 3, dtype=torch.int64),
        solid_angles=torch.from_numpy(table[:, 2].copy()),
        edge_weights=torch.from_numpy(table[:, 3].copy()),
    )


def batch_for(record: dict[str, Any], prediction: dict[str, Any]) -> GraphBatch:
    return collate([graph_from_lists(record, f"d{prediction['d_t']}_w{prediction['w_t']}")])


@pytest.fixture(scope="module")
def expected(fixtures_dir: Path) -> dict[str, Any]:
    content = (fixtures_dir / "scann_reference" / "expected.json").read_text()
    records: dict[str, Any] = json.loads(content)
    return records


@pytest.mark.parametrize("name", MODELS)
def test_values_and_attention_equal_those_of_the_authors_code(
    name: str, expected: dict[str, Any], fixtures_dir: Path
) -> None:
    folder = fixtures_dir / "scann_reference"
    model = read_scann_checkpoint(folder / f"{name}.h5", folder / f"{name}.json").model
    checked = 0
    for record in expected.values():
        prediction = record["predictions"][name]
        with torch.no_grad():
            output = model(batch_for(record, prediction))
        assert output.values.item() == pytest.approx(prediction["value"], abs=1e-4)
        np.testing.assert_allclose(output.node_attention.numpy(), prediction["ga"], atol=1e-4)
        checked += 1
    assert checked >= 10


@pytest.mark.parametrize("name", MODELS)
def test_an_imported_model_folder_predicts_the_same_from_crystals(
    name: str, expected: dict[str, Any], fixtures_dir: Path, tmp_path: Path
) -> None:
    """Our own neighbours, our own folder: only crystals, whose published neighbours are exact."""
    from ase import Atoms

    folder = fixtures_dir / "scann_reference"
    import_scann(folder / f"{name}.h5", folder / f"{name}.json", tmp_path / "model", unit="eV")
    model = load(tmp_path / "model")
    checked = 0
    for key, record in expected.items():
        if record["cell"] is None:
            continue
        atoms = Atoms(
            numbers=record["atomic_numbers"],
            positions=record["positions"],
            cell=record["cell"],
            pbc=True,
            info={"name": key},
        )
        prediction = record["predictions"][name]
        value = model.predict(atoms).values[0, 0]
        assert value == pytest.approx(prediction["value"], abs=1e-4), key
        np.testing.assert_allclose(model.explain(atoms).scores, prediction["ga"], atol=1e-4)
        checked += 1
    assert checked >= 4
