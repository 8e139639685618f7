"""Many structures at once, settings, errors, and life without numba."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from neighbor_cases import random_crystals

from atomlens.errors import GraphError, SettingsError
from atomlens.neighbors import BUILDERS, GraphBuilder, build_store, make_builder
from atomlens.structures.arrays import StructureArrays


def named(atoms: Atoms, name: str) -> Atoms:
    atoms.info["name"] = name
    return atoms


def some_structures() -> list[Atoms]:
    return [molecule("H2O"), *random_crystals(5), Atoms("Ar"), molecule("C6H6"), bulk("Si")]


@pytest.mark.parametrize("name", BUILDERS)
def test_a_store_holds_what_single_builds_give(name: str) -> None:
    builder = make_builder(name)
    result = build_store(StructureArrays.from_atoms(some_structures()), builder)
    assert result.failures == ()
    assert result.kept.tolist() == list(range(len(some_structures())))
    store = result.store
    assert store.edge_source.dtype == torch.int32
    assert store.atomic_numbers.dtype == torch.uint8
    for index, atoms in enumerate(some_structures()):
        graph, batch = builder.build(atoms), store.batch(torch.tensor([index]))
        assert torch.equal(batch.edge_index.long(), graph.edge_index)
        assert torch.equal(batch.atomic_numbers, graph.atomic_numbers)
        for field in ("distances", "edge_vectors", "solid_angles", "edge_weights", "node_weights"):
            ours, single = getattr(batch, field), getattr(graph, field)
            assert (ours is None) == (single is None)
            if ours is not None:
                assert ours.dtype == torch.float32
                assert torch.equal(ours, single.float())


@pytest.mark.parametrize("name", BUILDERS)
def test_compiled_and_plain_packing_agree(name: str) -> None:
    structures = StructureArrays.from_atoms(
        [*some_structures(), Atoms("H2", [[0, 0, 0], [np.nan, 0, 0]])]
    )
    builder = make_builder(name)
    packed, plain = builder.pack(structures), GraphBuilder.pack(builder, structures)
    assert packed.parts().keys() == plain.parts().keys()
    for name, a in packed.parts().items():
        b = plain.parts()[name]
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b


def test_workers_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atomlens.neighbors.pack._ATOMS_IN_SHARD", 10)
    structures = StructureArrays.from_atoms(some_structures() * 3)
    steps: list[tuple[int, int]] = []
    one = build_store(structures, make_builder("voronoi"))
    three = build_store(
        structures,
        make_builder("voronoi"),
        n_workers=3,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert torch.equal(one.store.distances, three.store.distances)
    assert torch.equal(one.store.edge_offsets, three.store.edge_offsets)
    assert steps[-1] == (len(structures), len(structures))
    assert len(steps) > 3


def test_failures_are_named_and_the_rest_is_kept() -> None:
    twins = named(Atoms("CO", [[0, 0, 0], [0, 0, 0]]), "twins")
    flat = named(Atoms("C", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True), "flat")
    lost = named(Atoms("CO", [[0, 0, 0], [0, np.inf, 0]]), "lost")
    formula = named(Atoms("CO", info={"is_formula": True}), "formula")
    good = molecule("H2O")
    structures = StructureArrays.from_atoms([twins, good, flat, formula, lost, good])
    for name in ("voronoi", "nearest", "radius"):
        result = build_store(structures, make_builder(name))
        assert result.kept.tolist() == [1, 5]
        assert len(result.store) == 2
        assert [f.name for f in result.failures] == ["twins", "flat", "formula", "lost"]
        messages = [f.message for f in result.failures]
        assert "same place" in messages[0]
        assert "volume" in messages[1]
        assert "formula" in messages[2]
        assert "atom 1 (O)" in messages[3]


def test_a_store_of_nothing_is_empty() -> None:
    result = build_store(StructureArrays.from_atoms([]), make_builder("radius"))
    assert len(result.store) == 0
    assert result.kept.shape == (0,)


@pytest.mark.parametrize("name", ["voronoi", "nearest", "radius"])
@pytest.mark.parametrize(
    ("atoms", "word"),
    [
        (Atoms("CO", [[0, 0, 0], [0, 0, 0]]), "same place"),
        (Atoms("CO", [[0, 0, 0], [5, 5, 5]], cell=[5, 5, 5], pbc=True), "same place"),
        (Atoms("C", cell=[0, 5, 5], pbc=True), "volume"),
        (Atoms("C", cell=[1e-5, 5, 5], pbc=True), "volume"),
        (Atoms("C", [[np.nan, 0, 0]]), "position"),
        (Atoms("C2", [[0, 0, 0], [1e200, 0, 0]]), "position"),
        (Atoms("C", cell=[1e300, 5, 5], pbc=True), "lattice"),
        (Atoms("C", cell=[np.nan, 5, 5], pbc=True), "lattice"),
        (Atoms(), "no atoms"),
    ],
)
def test_unusable_structures_raise_one_sentence(name: str, atoms: Atoms, word: str) -> None:
    atoms.info["name"] = "sample"
    with pytest.raises(GraphError, match=rf"^sample: .*{word}"):
        make_builder(name).build(atoms)


def test_a_hair_thin_cell_is_refused_rather_than_searched_for_ever() -> None:
    atoms = Atoms("C", cell=[0.002, 0.002, 0.002], pbc=True)
    with pytest.raises(GraphError, match="thin"):
        make_builder("radius").build(atoms)


def test_an_unknown_builder_offers_the_nearest() -> None:
    with pytest.raises(SettingsError, match="voronoi"):
        make_builder("voronio")


def test_an_unknown_setting_offers_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'cutoff'"):
        make_builder("radius", cutof=3.0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("voronoi", {"cutoff": -1.0}),
        ("voronoi", {"cutoff": "far"}),
        ("voronoi", {"cutoff": float("nan")}),
        ("voronoi", {"min_weight": 1.5}),
        ("voronoi", {"min_solid_angle": -0.1}),
        ("voronoi", {"mode": "gost"}),
        ("voronoi", {"ghost_distance": 0.0}),
        ("nearest", {"n_neighbors": 0}),
        ("nearest", {"n_neighbors": 2.5}),
        ("nearest", {"keep_shell": 1}),
        ("nearest", {"tie_tolerance": -1.0}),
        ("radius", {"cutoff": 0.0}),
        ("radius", {"cutoff": float("inf")}),
    ],
)
def test_impossible_values_are_refused(name: str, settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        make_builder(name, **settings)


def test_importing_the_builders_imports_no_compiler_and_no_chemistry() -> None:
    code = (
        "import sys, atomlens.neighbors; "
        "print([m for m in ('numba', 'ase', 'pymatgen', 'rdkit', 'pandas') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
import numpy as np
from ase.build import bulk, fcc111, molecule
from atomlens.neighbors import make_builder
for atoms in (molecule("CH3OH"), bulk("Si"), fcc111("Al", (1, 1, 2))):
    for name in ("voronoi", "nearest", "radius"):
        graph = make_builder(name).build(atoms)
        print(repr(graph.distances.tolist()), repr(graph.edge_index.tolist()), sep=";", end=";")
        print(repr((graph.solid_angles if name == "voronoi" else graph.edge_weights).tolist()))
"""


def test_without_numba_the_numbers_are_the_same() -> None:
    from ase.build import fcc111

    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, text=True, check=True
    )
    lines = iter(run.stdout.splitlines())
    for atoms in (molecule("CH3OH"), bulk("Si"), fcc111("Al", (1, 1, 2))):
        for name in ("voronoi", "nearest", "radius"):
            graph = make_builder(name).build(atoms)
            distances, ends, values = (np.array(eval(part)) for part in next(lines).split(";"))
            expected = graph.solid_angles if name == "voronoi" else graph.edge_weights
            assert len(distances) == graph.n_edges
            np.testing.assert_allclose(np.sort(distances), np.sort(graph.distances), atol=1e-10)
            np.testing.assert_allclose(np.sort(values), np.sort(expected), atol=1e-9)
            assert sorted(map(tuple, ends.T.tolist())) == sorted(
                map(tuple, graph.edge_index.T.tolist())
            )


def test_a_formula_graph_joins_every_element_to_every_element() -> None:
    graph = make_builder("formula").build(Atoms("TiO2Ti", info={"is_formula": True}))
    assert graph.atomic_numbers.tolist() == [8, 22]
    assert graph.edge_index.tolist() == [[0, 1, 0, 1], [0, 0, 1, 1]]
    assert graph.node_weights.tolist() == [2.0, 2.0]
    assert not graph.distances.any()
