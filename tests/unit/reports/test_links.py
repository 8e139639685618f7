"""Pairs of atoms with scores, as they are drawn."""

import numpy as np
import pytest
from ase.build import bulk, molecule

from atomlens.neighbors import make_builder
from atomlens.reports.content import ScoredEdges
from atomlens.reports.links import MAX_LINKS, drawn_links, pairs
from atomlens.reports.payload import page_payload
from atomlens.reports.scene import build_scene
from explained_makers import explained


def edges_of(atoms: object) -> ScoredEdges:
    graph = make_builder("voronoi").build(atoms)
    n = graph.edge_index.shape[1]
    scores = np.random.default_rng(0).random(n)
    return ScoredEdges(
        ends=graph.edge_index.numpy().T, lengths=graph.distances.numpy(), scores=scores / n
    )


def test_both_directions_of_a_pair_are_added() -> None:
    edges = edges_of(molecule("CH3CH2OH"))
    found, scores = pairs(edges)
    assert scores.sum() == pytest.approx(edges.scores.sum())
    assert len(found) < len(edges.scores)
    assert (found[:, 0] <= found[:, 1]).all()


def test_lines_are_as_long_as_the_edges_in_molecules_and_crystals() -> None:
    for atoms in (molecule("CH3CH2OH"), bulk("NaCl", "rocksalt", a=5.64, cubic=True)):
        edges, scene = edges_of(atoms), build_scene(atoms)
        links = drawn_links(edges, scene)
        assert links
        assert [s for *_, s in links] == sorted((s for *_, s in links), reverse=True)
        for first, second, _ in links:
            length = np.linalg.norm(scene.positions[first] - scene.positions[second])
            assert np.abs(edges.lengths - length).min() < 0.011


def test_a_large_structure_draws_the_largest_alone() -> None:
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    links = drawn_links(edges_of(atoms), build_scene(atoms))
    assert 0 < len(links) <= 4 * MAX_LINKS


def test_pages_have_lines_where_there_are_scores_of_pairs() -> None:
    atoms = molecule("CH3CH2OH")
    with_lines = explained(atoms, edges=edges_of(atoms), method="learnt-mask-edges")
    (shown,) = page_payload([with_lines])["structures"]
    assert shown["links"]
    (plain,) = page_payload([explained(atoms)])["structures"]
    assert plain["links"] == []


def test_pages_say_over_what_scores_vary() -> None:
    atoms = molecule("CH3CH2OH")
    unsure = explained(atoms, scores_std_source="dropout", rank_stability=0.31)
    (shown,) = page_payload([unsure])["structures"]
    assert "dropout thins out" in shown["meaning"][0]
    assert "0.31" in shown["meaning"][0]
    assert "trust no order" in shown["meaning"][0]
    sure = explained(atoms, scores_std_source="ensemble", rank_stability=0.93)
    assert "the order holds" in page_payload([sure])["structures"][0]["meaning"][0]
    partly = explained(atoms, scores_std_source="ensemble", rank_stability=0.5)
    assert "large differences" in page_payload([partly])["structures"][0]["meaning"][0]
