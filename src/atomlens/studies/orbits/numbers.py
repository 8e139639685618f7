"""Spread of attention inside and between the orbits of one structure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from atomlens.chemistry.orbits import Orbits
from atomlens.elements import SYMBOLS
from atomlens.structures.arrays import Structure
from atomlens.studies.base import Row
from atomlens.studies.statistics import Values


class Field(NamedTuple):
    """A number of a structure that is reported."""

    name: str
    title: str
    meaning: str


FIELDS = (
    Field(
        "within",
        "spread inside orbits",
        "(highest - lowest) / mean attention of the atoms of an orbit; the largest",
    ),
    Field(
        "between",
        "spread between orbits",
        "(highest - lowest) / mean of the orbits' mean attention; structures with two orbits",
    ),
    Field(
        "share",
        "variance between orbits",
        "share of the variance of attention over atoms; 1 if the orbit decides everything",
    ),
)


class OrbitNumbers(NamedTuple):
    """Attention of one network on one structure, times the number of atoms."""

    scores: Values
    """(n_atoms,) 1 where attention is even"""
    means: Values
    """(n_orbits,)"""
    spreads: Values
    """(n_orbits,) (highest - lowest) / mean"""
    f_ratio: float
    """Variance between orbits over variance inside them (one-way analysis of variance); NaN
    for a single orbit"""
    share: float
    """Share of the variance that is between orbits; NaN for a single orbit"""

    @classmethod
    def of(cls, attention: Values, orbits: Orbits) -> "OrbitNumbers":
        """Sum up the attention of a structure's atoms, (n_atoms,)."""
        scores = attention * len(attention)
        groups = [scores[atoms] for atoms in orbits]
        means = np.array([g.mean() for g in groups])
        spreads = np.array([spread(g) for g in groups])
        inside = float(sum(((g - g.mean()) ** 2).sum() for g in groups))
        between = float(((means - scores.mean()) ** 2) @ orbits.sizes)
        n, k = len(scores), len(groups)
        f_ratio = share = np.nan
        if 1 < k < n:
            with np.errstate(divide="ignore", invalid="ignore"):
                f_ratio = float(np.float64(between / (k - 1)) / np.float64(inside / (n - k)))
                share = float(np.float64(between) / np.float64(between + inside))
        return cls(scores, means, spreads, f_ratio, share)

    @property
    def within(self) -> float:
        """Largest spread inside an orbit."""
        return float(self.spreads.max())

    @property
    def between(self) -> float:
        """Spread of the orbits' means; NaN for a single orbit."""
        return spread(self.means) if len(self.means) > 1 else np.nan


class Symmetric(NamedTuple):
    """A structure with its orbits and the numbers of all networks."""

    name: str
    """The structure's name, made unique."""
    structure: Structure
    orbits: Orbits
    networks: Mapping[str, Mapping[str, Sequence[OrbitNumbers]]]
    """By the model's label, then ``trained`` or the control's name."""

    def mean(self, label: str, network: str, field: str) -> float:
        """Return a number averaged over the networks of a kind."""
        return float(np.mean([getattr(n, field) for n in self.networks[label][network]]))

    def orbit_label(self, orbit: int) -> str:
        """Return size, element and, in a crystal, the Wyckoff letter: ``8 Fe f``."""
        atoms = np.flatnonzero(self.orbits.labels == orbit)
        letter = f" {self.orbits.wyckoff[atoms[0]]}" if self.orbits.wyckoff else ""
        return f"{len(atoms)} {SYMBOLS[self.structure.atomic_numbers[atoms[0]]]}{letter}"

    def order(self) -> list[int]:
        """Return the orbits from the equator to the poles, or by element."""
        first = [int(np.flatnonzero(self.orbits.labels == i)[0]) for i in range(len(self.sizes))]
        heights = self.heights()
        numbers = self.structure.atomic_numbers
        return sorted(
            range(len(first)),
            key=lambda i: (heights[i] if heights is not None else -float(numbers[first[i]]), i),
        )

    @property
    def sizes(self) -> list[int]:
        """Number of atoms in each orbit."""
        return [int(n) for n in self.orbits.sizes]

    def heights(self) -> Values | None:
        """(n_orbits,) mean height of the orbits over the equator in Å, if there is one."""
        above = self.orbits.heights
        return None if above is None else np.array([above[atoms].mean() for atoms in self.orbits])

    def rows(self) -> list[Row]:
        """Return a row for every model and network."""
        return [
            {
                "structure": self.name,
                "group": self.orbits.group,
                "orbits_appear_at": self.orbits.deviation,
                "n_atoms": len(self.structure.atomic_numbers),
                "n_orbits": len(self.sizes),
                "model": label,
                "network": network,
                "largest_spread_inside": self.mean(label, network, "within"),
                "spread_between": self.mean(label, network, "between"),
                "f_ratio": self.mean(label, network, "f_ratio"),
                "share_between": self.mean(label, network, "share"),
            }
            for label, networks in self.networks.items()
            for network in networks
        ]


def spread(values: Values) -> float:
    """Return (highest - lowest) / mean."""
    return float(np.ptp(values) / values.mean())


def orbit_rows(one: Symmetric) -> list[Row]:
    """Return a row for every orbit, model and network, also for each of several controls."""
    heights = one.heights()
    return [
        {
            "structure": one.name,
            "orbit": place,
            "atoms": one.orbit_label(orbit),
            "height": None if heights is None else heights[orbit],
            "model": label,
            "network": network,
            "member": member,
            "mean_score": float(numbers.means[orbit]),
            "spread": float(numbers.spreads[orbit]),
        }
        for place, orbit in enumerate(one.order())
        for label, networks in one.networks.items()
        for network, found in networks.items()
        for member, numbers in enumerate(found)
    ]


def atom_rows(everything: Sequence[Symmetric], n_structures: int) -> list[Row]:
    """Return a row for every atom of the first structures and every trained model."""
    rows: list[Row] = []
    for one in everything[: max(n_structures, 0)]:
        place = {orbit: i for i, orbit in enumerate(one.order())}
        for label, networks in one.networks.items():
            scores = networks["trained"][0].scores
            for atom, orbit in enumerate(one.orbits.labels.tolist()):
                x, y, z = one.structure.positions[atom].tolist()
                rows.append(
                    {
                        "structure": one.name,
                        "group": one.orbits.group,
                        "model": label,
                        "atom": atom,
                        "symbol": SYMBOLS[one.structure.atomic_numbers[atom]],
                        "orbit": place[orbit],
                        "score": float(scores[atom]),
                        "x": x,
                        "y": y,
                        "z": z,
                    }
                )
    return rows
