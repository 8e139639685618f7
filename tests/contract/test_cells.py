"""What the choice of the cell does to every model that reads structures.

A crystal has many cells. The same lattice in another cell (a -> a + b) must give the same answer;
a doubled one must where the model's own paper allows it. The exceptions are listed with their
reason, and are held to be ones, so that the documentation stays true.
"""

from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import make_supercell

from atomlens.models import MODELS, make_model
from atomlens.neighbors import make_builder
from atomlens.neighbors.features import reduced_cells
from atomlens.neighbors.pack import build_store
from atomlens.structures.arrays import StructureArrays

SMALL: dict[str, dict[str, Any]] = {
    "geo-cgcnn": {"n_layers": 2, "n_features": 8},
    "finder": {"mode": "structure", "n_features": 8, "n_hidden": (8, 8, 8, 8)},
}
DOUBLED = {
    "scann": "its readout adds up over the atoms of the cell",
    "scann-plus": "its readout adds up over the atoms of the cell",
    "cgcnn-charge-geometry": "it reads the lengths of the cell",
    "ae-cgcnn-2": "it reads the lengths of the cell",
    "ae-cgcnn": "it reads the lengths of the cell",
    "ae-cgcnn-pool": "it reads the lengths of the cell",
    "geo-cgcnn": "its plane waves are those of the cell",
    "finder": "of each pair of sites it sees the nearest image alone",
}
"""Models that take a doubled cell for another structure."""


def crystal() -> Atoms:
    """Five atoms in a triclinic cell without any symmetry."""
    cell = [[4.1, 0.2, 0.1], [0.9, 4.9, 0.3], [-0.7, 1.1, 5.6]]
    places = [
        [0.1, 0.1, 0.1],
        [0.52, 0.6, 0.2],
        [0.2, 0.55, 0.7],
        [0.7, 0.15, 0.6],
        [0.8, 0.8, 0.9],
    ]
    return Atoms("NaClMgOO", scaled_positions=places, cell=cell, pbc=True)


def sheared() -> Atoms:
    return make_supercell(crystal(), [[1, 1, 0], [0, 1, 0], [0, 0, 1]])


def doubled() -> Atoms:
    return crystal().repeat((2, 1, 1))


def of_structures(name: str) -> bool:
    kind = MODELS[name]
    return kind.default_builder[0] != "formula" and name not in ("mean", "ridge", "roost")


NAMES = [name for name in MODELS if of_structures(name)]


@pytest.fixture(scope="module")
def predicted() -> Any:
    found: dict[str, torch.Tensor] = {}

    def of(name: str, **more: Any) -> torch.Tensor:
        key = f"{name} {more}"
        if key not in found:
            found[key] = predict(name, **more)
        return found[key]

    return of


SAFE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "scann": ({"readout": "mean"}, {}),
    "scann-plus": ({"readout": "mean"}, {}),
    "cgcnn-charge-geometry": ({"cell": False}, {}),
    "ae-cgcnn-2": ({"cell": False}, {}),
    "ae-cgcnn": ({"cell": False}, {}),
    "ae-cgcnn-pool": ({"cell": False}, {}),
    "geo-cgcnn": ({"plane_waves": False}, {}),
    "finder": ({}, {"images": "all"}),
}
"""Settings of model and builder that the documentation offers against it."""


@pytest.mark.parametrize("name", DOUBLED)
def test_what_the_documentation_offers_makes_a_doubled_cell_the_same(name: str) -> None:
    settings, of_builder = SAFE[name]
    first, _, twice = predict(name, of_builder, **settings).tolist()
    assert twice == pytest.approx(first, rel=1e-5, abs=1e-6)


def predict(name: str, of_builder: Any = None, **more: Any) -> torch.Tensor:
    """Answers for the crystal, in a sheared cell and doubled, by a network of random weights."""
    settings = {**SMALL.get(name, {}), **more}
    torch.manual_seed(3)
    model = make_model(name, n_outputs=1, **settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2.0)  # answers of clearly different structures differ
    kind, usual = MODELS[name].default_builder
    builder = make_builder(kind, **{**usual, **(of_builder or {})})
    arrays = StructureArrays.from_atoms([crystal(), sheared(), doubled()])
    store = build_store(arrays, builder).store.select(model.edge_fields)
    batch = store.batch(torch.arange(3))
    with torch.no_grad():
        return model.double()(batch.to(dtype=torch.float64)).values.squeeze(1)


@pytest.mark.parametrize("name", NAMES)
def test_another_cell_of_the_lattice_is_the_same_structure(name: str, predicted: Any) -> None:
    first, other, _ = predicted(name).tolist()
    assert other == pytest.approx(first, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_doubled_cell_is_the_same_structure_or_a_known_exception(
    name: str, predicted: Any
) -> None:
    first, _, twice = predicted(name).tolist()
    same = abs(twice - first) <= 1e-5 * max(abs(first), 0.1)
    assert same == (name not in DOUBLED), f"{name}: {first} and {twice}"


@pytest.mark.parametrize("name", ["geo-cgcnn", "ae-cgcnn-pool"])
def test_the_cell_as_it_was_given_is_felt(name: str, predicted: Any) -> None:
    first, other, _ = predicted(name, reduced_cell=False).tolist()
    assert abs(other - first) > 1e-5 * abs(first)


def test_niggli_cells_do_not_depend_on_the_cell() -> None:
    random = np.random.default_rng(0)
    cells = random.normal(size=(50, 3, 3)) * 3 + 4 * np.eye(3)
    others = cells.copy()
    for cell in others:
        for _ in range(4):
            i, j = random.choice(3, 2, replace=False)
            cell[i] += random.integers(-2, 3) * cell[j]
    everywhere = np.ones((50, 3), dtype=bool)
    first, second = (reduced_cells(given, everywhere) for given in (cells, others))
    assert first is not None
    np.testing.assert_allclose(first, second, atol=1e-6)
    volumes = (np.abs(np.linalg.det(given)) for given in (first, cells))
    np.testing.assert_allclose(*volumes, rtol=1e-8)


def test_what_does_not_repeat_keeps_its_cell() -> None:
    slab = np.array([[[3.0, 0, 0], [3.0, 3.0, 0], [0, 0, 20.0]]])
    found = reduced_cells(slab, np.array([[True, True, False]]))
    assert found is not None
    np.testing.assert_array_equal(found, slab)
