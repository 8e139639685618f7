"""Random structures with sensible bond lengths, made with numpy alone."""

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS


class ToyStructure(NamedTuple):
    """A structure and who is bonded to whom."""

    atomic_numbers: NDArray[np.int64]
    """(n_atoms,)"""
    positions: NDArray[np.float64]
    """(n_atoms, 3), Å"""
    cell: NDArray[np.float64]
    """(3, 3), Å; zero for a molecule"""
    bonds: tuple[NDArray[np.int64], NDArray[np.int64]]
    """Site and neighbour of each directed bond; once for each periodic image."""


_H = 1
_VALENCE = {6: 4, 7: 3, 8: 2, 9: 1}
_ELEMENTS, _SHARES = (6, 7, 8, 9), (0.62, 0.15, 0.17, 0.06)
_UNSTABLE = {(7, 9), (8, 8), (8, 9), (9, 9)}
_RADII = {1: 0.32, 6: 0.76, 7: 0.70, 8: 0.65, 9: 0.60}
"""Single-bond radii, Å; their sums are the bond lengths."""
_CLOSEST = {0: 1.5, 1: 1.75, 2: 2.15}
"""Smallest distance of atoms that share no bond, by how many of the two are not hydrogen, Å."""
_JITTER = 0.02


def random_molecule(generator: np.random.Generator) -> ToyStructure:
    """Return an open-chain molecule with single bonds, 4 to 9 heavy atoms, no clashes."""
    while True:
        numbers, parents = _random_tree(generator)
        positions = _place(numbers, parents, generator)
        if positions is None:
            continue
        positions = positions + generator.normal(0.0, _JITTER, positions.shape)
        child = np.arange(1, len(numbers))
        parent = np.array(parents[1:], dtype=np.int64)
        bonds = (np.concatenate([child, parent]), np.concatenate([parent, child]))
        if _no_clash(np.array(numbers), positions, bonds):
            return ToyStructure(np.array(numbers), positions, np.zeros((3, 3)), bonds)


def _random_tree(generator: np.random.Generator) -> tuple[list[int], list[int]]:
    """Return elements and, for each atom, the earlier atom it is bonded to (-1 for the first)."""
    numbers, parents, free = [6], [-1], [4]
    n_heavy = int(generator.integers(4, 10))
    while len(numbers) < n_heavy:
        element = int(generator.choice(_ELEMENTS, p=_SHARES))
        open_atoms = [
            i
            for i, room in enumerate(free)
            if room and (min(numbers[i], element), max(numbers[i], element)) not in _UNSTABLE
        ]
        if not open_atoms or (sum(free) == 1 and element == 9):
            continue
        parent = int(generator.choice(open_atoms))
        free[parent] -= 1
        numbers.append(element)
        parents.append(parent)
        free.append(_VALENCE[element] - 1)
    for atom, room in enumerate(free):
        numbers += [_H] * room
        parents += [atom] * room
    return numbers, parents


def _place(
    numbers: list[int], parents: list[int], generator: np.random.Generator
) -> NDArray[np.float64] | None:
    """Put the neighbours of each atom at tetrahedral angles, turned so that nothing clashes."""
    positions = np.full((len(numbers), 3), np.nan)
    positions[0] = 0.0
    children: list[list[int]] = [[] for _ in numbers]
    for atom, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(atom)
    for atom, own in enumerate(children):
        if not own:
            continue
        length = np.array([_RADII[numbers[atom]] + _RADII[numbers[c]] for c in own])
        placed = np.flatnonzero(~np.isnan(positions[:, 0]))
        heavy = np.array([numbers[c] > 1 for c in own])
        reach = np.array([[_CLOSEST[int(h) + (numbers[p] > 1)] for p in placed] for h in heavy])
        for _ in range(24):
            trial = positions[atom] + length[:, None] * _directions(
                atom, parents, positions, len(own), generator
            )
            distances = np.linalg.norm(trial[:, None] - positions[placed], axis=-1)
            distances[:, placed == atom] = np.inf
            if np.all(distances > reach):
                positions[own] = trial
                break
        else:
            return None
    return positions


def _directions(
    atom: int,
    parents: list[int],
    positions: NDArray[np.float64],
    n: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """(n, 3) unit vectors at tetrahedral angles to each other and to the bond to the parent."""
    back = generator.normal(size=3) if atom == 0 else positions[parents[atom]] - positions[atom]
    back = back / np.linalg.norm(back)
    across = np.cross(back, generator.normal(size=3))
    across /= np.linalg.norm(across)
    third = np.cross(back, across)
    turns = 2 * np.pi / 3 * np.arange(3)[:, None]
    around = np.cos(turns) * across + np.sin(turns) * third
    three = np.sqrt(8) / 3 * around - back / 3
    slots = np.vstack([back, three]) if atom == 0 else three
    return slots[generator.permutation(len(slots))[:n]]


def _no_clash(
    numbers: NDArray[np.int64],
    positions: NDArray[np.float64],
    bonds: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> bool:
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    distances[bonds] = np.inf
    np.fill_diagonal(distances, np.inf)
    heavy = (numbers > 1).astype(np.int64)
    closest = np.array([_CLOSEST[k] for k in range(3)])[heavy[:, None] + heavy]
    return bool(np.all(distances > closest - 4 * _JITTER))


_CATIONS = {"Mg": 0.72, "Ca": 1.00, "Sr": 1.18, "Zn": 0.74}
_ANIONS = {"O": 1.40, "S": 1.84}
"""Ionic radii for six neighbours, Å."""
_OXYGEN_SHARE = 0.8
_REPEATS = ((2, 1, 1), (2, 2, 1))


def random_crystal(generator: np.random.Generator) -> ToyStructure:
    """Return a rock-salt cell of 16 or 32 atoms with random elements, slightly disordered."""
    repeat = np.array(_REPEATS[int(generator.integers(len(_REPEATS)))])
    grid = np.array(list(product(*(range(2 * r) for r in repeat))))
    is_anion = grid.sum(axis=1) % 2 == 1
    palette = generator.choice(list(_CATIONS), size=2, replace=False)
    cations = generator.choice(palette, size=len(grid))
    anions = generator.choice(list(_ANIONS), size=len(grid), p=[_OXYGEN_SHARE, 1 - _OXYGEN_SHARE])
    symbols = np.where(is_anion, anions, cations).tolist()
    radii = np.array([(_CATIONS | _ANIONS)[s] for s in symbols])
    step = radii[is_anion].mean() + radii[~is_anion].mean()
    site, neighbour = [], []
    place = {tuple(p): i for i, p in enumerate(grid.tolist())}
    for i in np.flatnonzero(is_anion).tolist():
        for move in np.vstack([np.eye(3, dtype=np.int64), -np.eye(3, dtype=np.int64)]):
            site.append(i)
            neighbour.append(place[tuple(((grid[i] + move) % (2 * repeat)).tolist())])
    return ToyStructure(
        atomic_numbers=np.array([ATOMIC_NUMBERS[s] for s in symbols]),
        positions=grid * step + generator.normal(0.0, 2 * _JITTER, grid.shape),
        cell=np.diag(2.0 * step * repeat),
        bonds=(np.array(site), np.array(neighbour)),
    )
