"""The graphene flakes: geometry of the start, and the set that comes with the recipes."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from atomlens.datasets import load_packed

RECIPES = Path(__file__).resolve().parents[3] / "recipes"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module; the quantum chemistry package is imported when it is needed."""
    spec = importlib.util.spec_from_file_location("flakes", RECIPES / "make_graphene_flakes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("n_rings", "formula"), [(1, "C6H6"), (2, "C24H12"), (3, "C54H18")])
def test_flakes_are_benzene_coronene_and_circumcoronene(script, n_rings, formula):
    assert script.make_flake(n_rings).get_chemical_formula() == formula


def test_bonds_of_a_flake_have_the_length_of_graphene(script):
    distances = script.make_flake(2).get_all_distances()[:24, :24]
    bonded = distances[(distances > 0.1) & (distances < 1.8)]
    assert len(bonded) == 2 * 30
    assert bonded == pytest.approx(np.full(60, 1.42))


@pytest.mark.parametrize(
    ("site", "n_nearest"), [("hollow", 6), ("hub", 2), ("spoke", 2), ("edge", 2)]
)
def test_the_metal_starts_above_a_ring_or_a_bond(script, site, n_nearest):
    atoms = script.start(2, "Pt", site)
    distances = atoms.get_distances(36, range(24))
    assert (distances < distances.min() + 0.01).sum() == n_nearest


def test_the_shipped_set_is_complete_and_split_by_trajectory():
    data = load_packed(RECIPES / "data" / "graphene-flakes.atomlens.npz")
    assert {part: len(rows) for part, rows in data.splits.items()} == {
        "train": 765,
        "validation": 85,
        "test": 170,
    }
    runs = {
        part: {data.structures.names[row].rpartition("-")[0] for row in rows}
        for part, rows in data.splits.items()
    }
    assert runs["test"] == {"hub-600K-0", "edge-300K-0"}
    assert not runs["test"] & (runs["train"] | runs["validation"])
    assert (data.values > 0).all()
    assert (data.structures.n_atoms == 37).all()
