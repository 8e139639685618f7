"""The nearest neighbours of each atom."""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from atomlens.neighbors.base import LARGEST_CUTOFF
from atomlens.neighbors.kernels import Kernel, KernelBuilder
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays

_UNLIKE = 1e-2
"""Between what atoms of one site have in common, more than rounding makes of it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NearestBuilder(KernelBuilder):
    """The k nearest atoms or images within a cutoff, as used by CGCNN.

    Where several stand at the last distance, those with the smallest lattice translation
    (first vector first), then with the smallest index are taken, so that the choice does not
    hang on rounding. It still hangs on the choice of the cell; with ``keep_shell`` it does
    not. An atom with fewer than k neighbours keeps what it has; one with none is legal.
    """

    name: ClassVar[str] = "nearest"

    n_neighbors: int = bounded(12, least=1, most=100_000)
    """k"""
    cutoff: float = bounded(8.0, above=0, most=LARGEST_CUTOFF, unit="Å")
    """Å; farther atoms are no neighbours."""
    keep_shell: bool = False
    """Keep all that stand at the distance of the k-th, even if those are more than k."""
    tie_tolerance: float = bounded(1e-5, least=0, below=1, unit="Å")
    """Å; distances this close to the k-th count as the same."""
    pad: bool = False
    """Fill up to k as the published CGCNN code does: edges from atom 0, as far as the cutoff
    plus 1 Å, with zero vector."""

    def kernel(self, structures: StructureArrays) -> Kernel:
        """Return the loop over the structures with these settings."""
        from atomlens.neighbors.pairs import PairRules, empty_pair_workspace, find_pairs

        rules = PairRules(
            cutoff=float(self.cutoff),
            n_neighbors=int(self.n_neighbors),
            tie_tolerance=float(self.tie_tolerance),
            keep_shell=bool(self.keep_shell),
            pad=bool(self.pad),
        )
        return Kernel(
            loop=find_pairs,
            structures=structures,
            rules=(rules,),
            make_room=empty_pair_workspace,
            n_edges=(self.n_neighbors + 2) * int(structures.offsets[-1]),
        )

    def cut_shells(self, structures: StructureArrays) -> NDArray[np.bool_]:
        """(n,) whether an atom has some of several neighbours equally far, which are unlike.

        Alike are atoms of one element with the same neighbours, as all are of bcc iron: which of
        them are taken changes nothing. False where there is no graph.
        """
        cut = np.zeros(len(structures), dtype=np.bool_)
        if self.keep_shell:
            return cut
        found = replace(self, keep_shell=True, pad=False).pack(structures)
        n_atoms = int(found.node_counts.sum())
        starts = np.repeat(np.cumsum(found.node_counts) - found.node_counts, found.edge_counts)
        source, target = found.source + starts, found.target + starts
        distances = found.distances.astype(np.float64)
        per_atom = np.bincount(target, minlength=n_atoms)
        more = np.flatnonzero(per_atom > self.n_neighbors)
        last = np.full(n_atoms, np.inf)
        last[more] = distances[(np.cumsum(per_atom) - per_atom)[more] + self.n_neighbors - 1]
        tied = distances >= (last - self.tie_tolerance)[target]
        around = found.atomic_numbers[source] * np.exp(-distances)
        site = 1e4 * found.atomic_numbers + np.bincount(target, around, minlength=n_atoms)
        least, most = np.full(n_atoms, np.inf), np.full(n_atoms, -np.inf)
        np.minimum.at(least, target[tied], site[source[tied]])
        np.maximum.at(most, target[tied], site[source[tied]])
        owners = np.repeat(found.kept, found.node_counts)
        cut[owners[most - least > _UNLIKE]] = True
        return cut
