"""The nearest neighbours of each atom."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from atomlens.neighbors.base import LARGEST_CUTOFF
from atomlens.neighbors.kernels import Kernel, KernelBuilder
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays


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
    cuts_shells: ClassVar[bool] = True

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

        k = int(self.n_neighbors)
        rules = PairRules(
            cutoff=float(self.cutoff),
            n_neighbors=k,
            tie_tolerance=float(self.tie_tolerance),
            keep_shell=bool(self.keep_shell),
            pad=bool(self.pad),
        )
        return Kernel(
            loop=find_pairs,
            structures=structures,
            rules=(rules, np.ascontiguousarray(structures.atomic_numbers, dtype=np.uint8)),
            make_room=empty_pair_workspace,
            n_edges=(k + 2) * int(structures.offsets[-1])
            + k * int(structures.n_atoms.max(initial=0)),
        )
