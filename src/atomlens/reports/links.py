"""Pairs of drawn atoms with the scores of the edges between them."""

import numpy as np
from numpy.typing import NDArray

from atomlens.reports.content import ScoredEdges
from atomlens.reports.scene import Scene

MAX_LINKS = 150
"""So many pairs are drawn, those of the largest scores."""
_SAME = 0.01
"""Å, by which the length of an edge may differ from the distance of the atoms as they are drawn."""

Link = tuple[int, int, float]
"""Two drawn atoms, and the score of the pair."""


def pairs(edges: ScoredEdges) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs of atoms, images of a neighbour apart, with both directions added.

    Returns:
        (n_pairs, 3) two atoms, the lower one first, and the distance in mÅ, and (n_pairs,) scores.
    """
    low, high = edges.ends.min(axis=1), edges.ends.max(axis=1)
    keys = np.stack([low, high, np.round(1000 * edges.lengths).astype(np.int64)], axis=1)
    found, place = np.unique(keys, axis=0, return_inverse=True)
    scores = np.bincount(place.ravel(), weights=edges.scores, minlength=len(found))
    return found, scores.astype(np.float64)


def drawn_links(edges: ScoredEdges, scene: Scene) -> list[Link]:
    """Return the pairs of the largest scores between atoms, and copies of atoms, that are drawn."""
    found, scores = pairs(edges)
    copies: dict[int, list[int]] = {}
    for drawn, atom in enumerate(scene.atom_index.tolist()):
        copies.setdefault(atom, []).append(drawn)
    links: list[Link] = []
    for number in np.lexsort((np.arange(len(scores)), -scores))[:MAX_LINKS].tolist():
        low, high, length = found[number].tolist()
        for first in copies.get(low, []):
            for second in copies.get(high, []):
                apart = float(np.linalg.norm(scene.positions[first] - scene.positions[second]))
                once = low != high or first < second
                if once and abs(apart - length / 1000) < _SAME:
                    links.append((first, second, float(scores[number])))
    return links[: 4 * MAX_LINKS]
