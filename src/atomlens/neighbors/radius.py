"""All neighbours within a radius."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from atomlens.graphs.fields import FIELDS
from atomlens.neighbors.base import LARGEST_CUTOFF, EdgeArrays, PackedEdges
from atomlens.neighbors.kernels import Kernel, KernelBuilder
from atomlens.settings import bounded
from atomlens.structures.arrays import Structure, StructureArrays

Images = Literal["all", "minimum"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RadiusBuilder(KernelBuilder):
    """All atoms and images within a cutoff; atoms exactly there are in."""

    name: ClassVar[str] = "radius"

    cutoff: float = bounded(5.0, above=0, most=LARGEST_CUTOFF, unit="Å")
    """Å"""
    images: Images = "all"
    """all: every image is a neighbour of its own; minimum: only the nearest image of each other
    atom, and none of the atom itself."""

    def edges(self, structure: Structure) -> EdgeArrays:
        """Return the neighbour pairs of one structure."""
        found = KernelBuilder.edges(self, structure)
        if self.images == "all":
            return found
        kept = _nearest_images(found.source, found.target)
        return replace(
            found,
            source=found.source[kept],
            target=found.target[kept],
            distances=found.distances[kept],
            images=found.images[kept],
            fields=_of_edges(found.fields, kept),
        )

    def pack(self, structures: StructureArrays) -> PackedEdges:
        """Return the neighbour pairs of many structures; those that fail are listed by name."""
        found = KernelBuilder.pack(self, structures)
        if self.images == "all":
            return found
        owner = np.repeat(np.arange(len(found.kept)), found.edge_counts)
        first_node = (np.cumsum(found.node_counts) - found.node_counts)[owner]
        kept = _nearest_images(found.source + first_node, found.target + first_node)
        return replace(
            found,
            edge_counts=np.bincount(owner[kept], minlength=len(found.kept)),
            source=found.source[kept],
            target=found.target[kept],
            distances=found.distances[kept],
            fields=_of_edges(found.fields, kept),
        )

    def kernel(self, structures: StructureArrays) -> Kernel:
        """Return the loop over the structures with these settings."""
        from atomlens.neighbors.pairs import PairRules, empty_pair_workspace, find_pairs

        rules = PairRules(
            cutoff=float(self.cutoff), n_neighbors=0, tie_tolerance=0.0, keep_shell=False, pad=False
        )
        return Kernel(
            loop=find_pairs,
            structures=structures,
            rules=(rules, np.ascontiguousarray(structures.atomic_numbers, dtype=np.uint8)),
            make_room=empty_pair_workspace,
            # room that is not used is never touched, and costs nothing
            n_edges=int(min(structures.offsets[-1] * 0.8 * self.cutoff**3, 1e9)),
        )


def _of_edges(
    fields: Mapping[str, NDArray[Any]], kept: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return the fields with only some rows of those of edges."""
    return {n: v[kept] if FIELDS[n].scope == "edge" else v for n, v in fields.items()}


def _nearest_images(source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first edge of each pair of different atoms; edges stand nearest first."""
    n_nodes = int(max(source.max(initial=0), target.max(initial=0))) + 1
    _, first = np.unique(target * n_nodes + source, return_index=True)
    kept = np.sort(first)
    others: NDArray[np.int64] = kept[source[kept] != target[kept]]
    return others
