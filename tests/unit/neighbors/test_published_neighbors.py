"""Neighbour lists of the SCANN authors' own code."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomlens.neighbors import VoronoiBuilder

pytestmark = pytest.mark.reference


def records(fixtures_dir: Path) -> dict[str, dict]:
    return json.loads((fixtures_dir / "scann_reference" / "expected.json").read_text())


def compare(record: dict, mode: str) -> None:
    cell = record["cell"]
    atoms = Atoms(record["atomic_numbers"], record["positions"], cell=cell, pbc=cell is not None)
    for name, expected in record["neighbors"].items():
        cutoff, angle = (float(part[1:]) for part in name.split("_"))
        builder = VoronoiBuilder(mode=mode, cutoff=cutoff, min_solid_angle=angle)
        graph = builder.build(atoms)
        for i, theirs in enumerate(expected):
            of_atom = (graph.edge_index[1] == i).numpy()
            ours = np.column_stack(
                [
                    graph.edge_index[0][of_atom],
                    graph.solid_angles[of_atom],
                    graph.edge_weights[of_atom],
                    graph.distances[of_atom],
                ]
            )
            assert len(ours) == len(theirs)
            by_angle = sorted(ours.tolist(), key=lambda row: (row[0], round(row[1], 4)))
            theirs = sorted(theirs, key=lambda row: (row[0], round(row[1], 4)))
            np.testing.assert_allclose(by_angle, theirs, atol=2e-6)


def test_crystals_have_the_neighbours_of_the_published_code(fixtures_dir: Path) -> None:
    crystals = [r for r in records(fixtures_dir).values() if r["kind"] == "crystal"]
    assert crystals
    for record in crystals:
        compare(record, "ghost")


def test_the_reference_mode_repeats_the_published_code(fixtures_dir: Path) -> None:
    for record in records(fixtures_dir).values():
        compare(record, "reference")
