"""Structures and an independent Voronoi construction for the tests of the neighbours."""

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from numpy.typing import NDArray
from scipy.spatial import Voronoi
from scipy.spatial.transform import Rotation

from atomlens.graphs import AtomGraph
from atomlens.neighbors import VoronoiBuilder

FACES = VoronoiBuilder(cutoff=1e6, min_solid_angle=0.0, min_weight=0.0)
"""Every face, unfiltered."""

Key = tuple[int, int, int, int, int]


def rotated(atoms: Atoms, seed: int = 1) -> Atoms:
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    return Atoms(
        atoms.numbers, atoms.positions @ turn.T, cell=np.array(atoms.cell) @ turn.T, pbc=atoms.pbc
    )


def skewed(atoms: Atoms, seed: int) -> Atoms:
    """The same crystal in a badly chosen cell."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(3, dtype=int)
    for _ in range(8):
        i, j = rng.choice(3, 2, replace=False)
        mixing[i] += rng.integers(-2, 3) * mixing[j]
    return Atoms(atoms.numbers, atoms.positions, cell=mixing @ np.array(atoms.cell), pbc=True)


def random_crystals(count: int, seed: int = 0) -> Iterator[Atoms]:
    """Rattled common structures and random atoms in random cells."""
    rng = np.random.default_rng(seed)
    common = [
        bulk("NaCl", "rocksalt", a=5.64, cubic=True),
        bulk("Si", cubic=True),
        bulk("Fe") * (2, 2, 1),
        bulk("Mg"),
        bulk("ZnS", "zincblende", a=5.4) * (1, 1, 2),
        bulk("Al"),
    ]
    for k in range(count):
        if k % 2:
            atoms = common[(k // 2) % len(common)].copy()
            atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        else:
            n = int(rng.integers(1, 9))
            cell = rng.normal(0, 1.5, (3, 3)) + 4.0 * np.eye(3)
            atoms = Atoms(["C"] * n, rng.random((n, 3)) @ cell, cell=cell, pbc=True)
        yield atoms


def angles_by_edge(graph: AtomGraph) -> dict[Key, float]:
    """Solid angle by target, source and image."""
    assert graph.solid_angles is not None
    keys = np.column_stack([graph.edge_index[1], graph.edge_index[0], graph.images]).tolist()
    found = {tuple(key): float(a) for key, a in zip(keys, graph.solid_angles, strict=True)}
    assert len(found) == graph.n_edges
    return found  # type: ignore[return-value]


def angle_sums(graph: AtomGraph) -> NDArray[np.float64]:
    assert graph.solid_angles is not None
    return np.bincount(graph.edge_index[1], graph.solid_angles, minlength=graph.n_nodes)


def polygon_angle(center: NDArray[np.float64], corners: NDArray[np.float64]) -> float:
    u = corners - center
    u /= np.linalg.norm(u, axis=1)[:, None]
    a, b, c = u[0], u[1:-1], u[2:]
    triple = np.abs(np.cross(b, c) @ a)
    return float(2 * np.arctan2(triple, 1 + b @ a + c @ a + (b * c).sum(1)).sum())


def faces_by_qhull(points: NDArray[np.float64], centers: int) -> dict[tuple[int, int], float]:
    """Solid angle of each bounded face of the first ``centers`` points, by target and source."""
    cells = Voronoi(points)
    found = {}
    for (i, j), corners in zip(cells.ridge_points, cells.ridge_vertices, strict=True):
        if -1 in corners:
            continue
        for p, q in ((i, j), (j, i)):
            if p < centers:
                found[int(p), int(q)] = polygon_angle(points[p], cells.vertices[corners])
    return found


def with_ghosts(positions: NDArray[np.float64], n_ghosts: int) -> NDArray[np.float64]:
    """The atoms, then ghosts on a Fibonacci sphere 100 Å beyond the outermost."""
    k = np.arange(n_ghosts) + 0.5
    polar, azimuth = np.arccos(1 - 2 * k / n_ghosts), np.pi * (1 + 5**0.5) * k
    sphere = np.column_stack(
        [np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)]
    )
    center = positions.mean(axis=0)
    radius = 100 + np.linalg.norm(positions - center, axis=1).max()
    return np.concatenate([positions, center + radius * sphere])


def ethanol() -> Atoms:
    return molecule("CH3CH2OH")
