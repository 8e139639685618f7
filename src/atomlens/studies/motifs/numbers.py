"""How attention is shared out between the classes of atoms of a structure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.motifs import (
    ELEMENT_CLASSES,
    GRAPH_CLASSES,
    element_classes,
    graph_classes,
)
from atomlens.structures.arrays import Structure
from atomlens.studies.base import Row
from atomlens.studies.statistics import Interval, Values

Members = NDArray[np.bool_]
"""(n_classes, n_atoms) which atoms are in which class"""
CLASSES = (*ELEMENT_CLASSES, *GRAPH_CLASSES)
"""Every atom is in one class of elements and in one of the bond graph."""
METAL = CLASSES.index("metal")
_TIE = 1e-5
"""Share of the highest attention by which atoms that symmetry exchanges may differ."""


def grouping_of(name: str) -> str:
    """Return what divides the atoms into classes of which this is one."""
    return "element" if name in ELEMENT_CLASSES else "bond graph"


def members_of(structure: Structure, largest_ring: int) -> Members:
    """Return which atoms are in which class, (n_classes, n_atoms)."""
    found = (element_classes(structure), graph_classes(structure, largest_ring))
    named = zip((ELEMENT_CLASSES, GRAPH_CLASSES), found, strict=True)
    return np.concatenate(
        [[of_atoms == name for name in classes] for classes, of_atoms in named], axis=0
    )


def highest(scores: Values, count: int) -> Values:
    """Return each atom's share, (n_atoms,), among the so many atoms of highest attention.

    Atoms that tie for the last places share them, so that the order of the atoms says nothing.
    """
    count = min(count, len(scores))
    last = np.partition(scores, -count)[-count]
    room = _TIE * float(scores.max())
    above, tied = scores > last + room, np.abs(scores - last) <= room
    return np.asarray((above + tied * (count - above.sum()) / tied.sum()) / count)


class Shares(NamedTuple):
    """Shares of the classes in structures, each (n_structures, n_classes)."""

    atoms: Values
    """Of the atoms."""
    attention: Values
    """Of the attention."""
    first: Values
    """Of the atom with the highest attention."""
    first_three: Values
    """Of the three atoms with the highest attention."""

    @property
    def enrichment(self) -> Values:
        """Attention over atoms, (n_structures, n_classes); NaN where the class is absent."""
        present = self.atoms > 0
        return np.where(present, self.attention / np.where(present, self.atoms, 1.0), np.nan)

    @property
    def are_frameworks(self) -> NDArray[np.bool_]:
        """(n_structures,) which have a metal and linkers: carbon, and hydrogen or a halogen."""
        has = {name: self.atoms[:, CLASSES.index(name)] > 0 for name in ELEMENT_CLASSES}
        found: NDArray[np.bool_] = has["metal"] & has["C"] & (has["H"] | has["halogen"])
        return found

    @classmethod
    def of(cls, scores: Sequence[Values], members: Sequence[Members]) -> "Shares":
        """Add up the attention, (n_atoms,) for each structure, over its classes."""
        pairs = list(zip(scores, members, strict=True))
        return cls(
            atoms=np.array([inside.mean(axis=1) for _, inside in pairs]),
            attention=np.array([inside @ (given / given.sum()) for given, inside in pairs]),
            first=np.array([inside @ highest(given, 1) for given, inside in pairs]),
            first_three=np.array([inside @ highest(given, 3) for given, inside in pairs]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShares:
    """The shares in one trained model and in its controls, on the same structures."""

    label: str
    names: tuple[str, ...]
    """(n_structures,)"""
    trained: Shares
    controls: dict[str, list[Shares]]
    """Networks of each control."""

    @property
    def present(self) -> list[int]:
        """Classes that at least one structure has."""
        return np.flatnonzero(self.trained.atoms.any(axis=0)).tolist()

    def control_means(self, field: str, index: int) -> dict[str, float]:
        """Return the mean of a field of `Shares` of a class in each control.

        Over its networks, and the structures that have the class.
        """
        having = self.trained.atoms[:, index] > 0
        return {
            name: float(np.mean([getattr(network, field)[having, index] for network in networks]))
            for name, networks in self.controls.items()
        }

    def class_rows(self, intervals: dict[int, Interval]) -> list[Row]:
        """Return a row for each class and network, with the intervals of the trained model."""
        rows = [
            self._class_row("trained", index, [self.trained], intervals[index])
            for index in self.present
        ]
        return rows + [
            self._class_row(name, index, networks, None)
            for name, networks in self.controls.items()
            for index in self.present
        ]

    def _class_row(
        self, network: str, index: int, networks: Sequence[Shares], interval: Interval | None
    ) -> Row:
        """Return the means of a class over some networks and the structures that have it."""
        having = self.trained.atoms[:, index] > 0

        def mean(values: Sequence[Values]) -> float:
            return float(np.mean([v[having, index] for v in values]))

        return {
            "model": self.label,
            "network": network,
            "grouping": grouping_of(CLASSES[index]),
            "class": CLASSES[index],
            "n_structures": int(having.sum()),
            "atom_share": mean([s.atoms for s in networks]),
            "attention_share": mean([s.attention for s in networks]),
            "enrichment": mean([s.enrichment for s in networks]),
            "enrichment_low": None if interval is None else interval.low,
            "enrichment_high": None if interval is None else interval.high,
            "share_of_first": mean([s.first for s in networks]),
            "share_of_first_three": mean([s.first_three for s in networks]),
        }

    def structure_rows(self) -> list[Row]:
        """Return a row for each structure and class that it has, of the trained model."""
        found = self.trained
        return [
            {
                "model": self.label,
                "structure": self.names[row],
                "grouping": grouping_of(CLASSES[index]),
                "class": CLASSES[index],
                "atom_share": float(found.atoms[row, index]),
                "attention_share": float(found.attention[row, index]),
                "enrichment": float(found.enrichment[row, index]),
                "share_of_first_three": float(found.first_three[row, index]),
            }
            for row in range(len(self.names))
            for index in np.flatnonzero(found.atoms[row]).tolist()
        ]
