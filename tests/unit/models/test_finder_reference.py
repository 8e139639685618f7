"""Finder gives what the authors' own network gives with the same weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens.elements import SYMBOLS
from atomlens.graphs import AtomGraph, GraphBatch, collate
from atomlens.models import make_model
from atomlens.models.finder import Finder
from finder_graphs import collapsed_graph, naive_graph

pytestmark = pytest.mark.reference

N_PARAMETERS = {"formula": 13_025_140, "structure": 12_910_706}
NAMES = {
    "qnet": "attention.query",
    "knet": "attention.key",
    "vnet": "attention.value",
    "edgenet": "attribute.network.linears",
    "snet": "message.linears",
    "w_internal": "inner",
    "gate_nn": "gate",
    "message_nn": "value",
}


def our_name(name: str) -> str:
    """Our name of a parameter of the authors."""
    *parts, number = name.split("/")
    index, kind = int(number) // 2, ("weight", "bias")[int(number) % 2]
    if parts[0] == "conv1d1":
        return f"tail.convolution.{kind}"
    if parts[0] == "dense5":
        return f"output.{kind}"
    if parts[0].startswith("dense"):
        return f"tail.dense.{int(parts[0][-1]) - 1}.{kind}"
    group = "layers" if parts[0].startswith("layer") else "poolings"
    place = f"{group}.{int(parts[0][-1]) - 1}.{NAMES[parts[1]]}"
    if parts[1] in ("edgenet", "snet"):
        return f"{place}.{index}.{kind}"
    if group == "poolings":
        return f"{place}.{2 * index}.{kind}"
    return f"{place}.{kind}"


def our_layout(name: str, values: np.ndarray) -> np.ndarray:
    """Keras has inputs first, and lays positions out before filters."""
    if values.ndim == 3:
        return values.transpose(2, 1, 0)
    if values.ndim == 1:
        return values
    values = values.T
    if name in ("tail.dense.0.weight", "tail.dense.3.weight"):
        before, flat = values[:, :-12800], values[:, -12800:]
        by_filter = flat.reshape(-1, 200, 64).transpose(0, 2, 1).reshape(-1, 12800)
        return np.concatenate([before, by_filter], axis=1)
    return values


@pytest.fixture(scope="module")
def expected(fixtures_dir: Path) -> dict[str, Any]:
    path = fixtures_dir / "finder_reference" / "expected.json"
    return json.loads(path.read_text(encoding="utf-8"))


def authors_model(mode: str, expected: dict[str, Any], fixtures_dir: Path) -> Finder:
    """Our network with the authors' weights."""
    model = make_model("finder", mode=mode, element_vectors="mat2vec", predict_scale=True)
    state = {}
    for name, shape, number in expected[f"{mode}_weights"]:
        limit = np.sqrt(3 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        generator = np.random.default_rng(1000 * expected["seed"] + number)
        values = 1.5 * generator.uniform(-limit, limit, shape)
        ours = our_name(name)
        state[ours] = torch.from_numpy(our_layout(ours, values.astype(np.float32)).copy())
    assert set(state) == {name for name, _ in model.named_parameters()}
    folder = fixtures_dir.parent / "data" / "element-embeddings"
    vectors = json.loads((folder / "matscholar200.json").read_text(encoding="utf-8"))
    table = torch.zeros_like(model.element_table)
    for number, symbol in enumerate(SYMBOLS):
        if symbol in vectors:
            table[number] = torch.tensor(vectors[symbol])
    model.load_state_dict({**state, "element_table": table})
    assert isinstance(model, Finder)
    return model.eval()


def structure_graph(material: dict[str, Any]) -> AtomGraph:
    """Edges wherever a distance is below 4 Å."""
    distances = torch.tensor(material["distances"], dtype=torch.float64)
    target, source = ((distances > 0) & (distances < 4)).nonzero(as_tuple=True)
    numbers = [SYMBOLS.index(symbol) for symbol in material["elements"]]
    return AtomGraph(
        atomic_numbers=torch.tensor(numbers),
        edge_index=torch.stack([source, target]),
        distances=distances[target, source],
        edge_vectors=torch.zeros(len(source), 3, dtype=torch.float64),
        images=torch.zeros(len(source), 3, dtype=torch.int64),
    )


@torch.no_grad()
def compare(model: Finder, batch: GraphBatch, materials: list[dict[str, Any]]) -> None:
    output = model(batch)
    assert output.log_scale is not None
    for ours, key in ((output.values, "mu"), (output.log_scale, "log_scale")):
        theirs = torch.tensor([[m[key]] for m in materials])
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    pooled = torch.tensor([m["pooled2"] for m in materials])
    torch.testing.assert_close(output.graph_features, pooled, rtol=1e-4, atol=1e-4)


def test_formula_mode_gives_the_outputs_of_the_authors(
    expected: dict[str, Any], fixtures_dir: Path
) -> None:
    model = authors_model("formula", expected, fixtures_dir)
    assert model.n_parameters == N_PARAMETERS["formula"]
    materials = list(expected["formula"].values())
    numbers = [[SYMBOLS.index(s) for s in m["elements"]] for m in materials]
    for graph in (naive_graph, collapsed_graph):
        compare(model, collate([graph(n) for n in numbers]), materials)


def test_structure_mode_gives_the_outputs_of_the_authors(
    expected: dict[str, Any], fixtures_dir: Path
) -> None:
    model = authors_model("structure", expected, fixtures_dir)
    assert model.n_parameters == N_PARAMETERS["structure"]
    materials = list(expected["structure"].values())
    compare(model, collate([structure_graph(m) for m in materials]), materials)
