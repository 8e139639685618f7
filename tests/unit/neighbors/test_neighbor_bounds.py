"""One structure or setting cannot take the memory: pairs and images of a search have bounds."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomlens.errors import GraphError, SettingsError
from atomlens.neighbors import make_builder
from atomlens.structures.arrays import StructureArrays


def test_a_radius_of_200_angstrom_fails_alone() -> None:
    crystal = bulk("NaCl", "rocksalt", a=5.64)
    gas = Atoms("He2", [[0, 0, 0], [0, 0, 3]])
    packed = make_builder("radius", cutoff=200.0).pack(StructureArrays.from_atoms([crystal, gas]))
    assert packed.kept.tolist() == [1]
    assert "periodic images" in packed.failures[0].message
    with pytest.raises(GraphError, match="periodic images"):
        make_builder("radius", cutoff=200.0).build(crystal)


def test_a_structure_with_too_many_pairs_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atomlens.neighbors.kernels.MOST_PAIRS", 5000)
    monkeypatch.setattr("atomlens.neighbors.kernels._EXPECTED_PAIRS", 100)
    rng = np.random.default_rng(0)
    crowd = Atoms("C400", rng.uniform(0, 20, (400, 3)))
    pair = Atoms("He2", [[0, 0, 0], [0, 0, 3]])
    structures = StructureArrays.from_atoms([pair, crowd, pair])
    packed = make_builder("radius", cutoff=40.0).pack(structures)
    assert packed.kept.tolist() == [0, 2]
    assert "more than 5,000 pairs" in packed.failures[0].message
    assert packed.edge_counts.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("radius", {"cutoff": 1e9}),
        ("nearest", {"n_neighbors": 10**9}),
        ("nearest", {"cutoff": float("inf")}),
        ("voronoi", {"cutoff": float("nan")}),
        ("voronoi", {"ghost_distance": 1e300}),
    ],
)
def test_absurd_settings_are_refused(name: str, settings: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        make_builder(name, **settings)
