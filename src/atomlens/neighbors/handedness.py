"""Which of two mirror images a molecule is: a sign that turning and renumbering leave alone."""

import numpy as np
from numpy.typing import NDArray

from atomlens.structures.arrays import StructureArrays

_LEAST = 5e-7
"""Of the measure: 1e-6 to 2e-4 for chiral molecules, 1e-7 for others rounded to 0.001 Å."""
_LARGEST = 1000
"""Atoms up to which all pairs are looked at."""


def handedness(structures: StructureArrays) -> NDArray[np.int64]:
    """(n,) 1 or -1 for molecules that are unlike their mirror image, opposite for the two; else 0.

    Formulas, molecules of more than 1,000 atoms and all that repeats have 0. It is the geometry
    that counts: a conformer can be unlike its mirror image where the molecule is not.
    """
    found = np.zeros(len(structures), dtype=np.int64)
    chosen = ~structures.pbc.any(axis=1) & ~structures.is_formula
    for i in np.flatnonzero(chosen & (structures.n_atoms > 3) & (structures.n_atoms <= _LARGEST)):
        own = slice(structures.offsets[i], structures.offsets[i + 1])
        measure = _measure(structures.atomic_numbers[own], structures.positions[own])
        found[i] = np.sign(measure) if abs(measure) > _LEAST else 0
    return found


def _measure(numbers: NDArray[np.integer], positions: NDArray[np.float64]) -> float:
    """Return the mean over atoms of the volume that three vectors to their surroundings span.

    Each vector is a mean over the other atoms with weights of its own, of elements and distances.
    A mirror turns the sign of all volumes; atoms that a mirror exchanges cancel.
    """
    away = positions[None] - positions[:, None]
    distances = np.linalg.norm(away, axis=2)
    spread = distances.mean(axis=1)
    kinds = 0.5 + numbers * 0.6180339887 % 1
    weights = np.stack(
        [
            kinds * np.exp(-distances / 1.5),
            spread / spread.mean() * np.exp(-distances / 3),
            (kinds * spread / spread.mean()) ** 2 / (1 + distances),
        ]
    )
    sums = np.einsum("kij,ijc->ikc", weights, away)
    sizes = np.einsum("kij,ij->ik", weights, distances)
    volumes = np.linalg.det(sums / np.maximum(sizes, 1e-12)[:, :, None])
    return float((kinds * volumes).mean())
