"""From many structures to one store of graphs, several threads at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import Failure, SettingsError
from atomlens.graphs import GraphStore
from atomlens.graphs.fields import FIELDS, common_fields
from atomlens.machine import n_cores
from atomlens.neighbors.base import GraphBuilder, PackedEdges
from atomlens.neighbors.features import with_structure_fields
from atomlens.structures.arrays import StructureArrays

_ATOMS_IN_SHARD = 20_000
"""A shard is what one thread does at a time: a fraction of a second, a few megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """The graphs of many structures, and what became of the others."""

    store: GraphStore
    kept: NDArray[np.int64]
    """(n_graphs,) index of the structure behind each graph, ascending"""
    failures: tuple[Failure, ...]
    """Structures without graph, by name, with the reason."""


def build_store(
    structures: StructureArrays,
    builder: GraphBuilder,
    *,
    n_workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> BuildResult:
    """Build the graphs of all structures: fields in float32, ends of edges in int32.

    ``n_workers`` threads, or 0 for one a core, share the work (the compiled loops run beside each
    other); the result does not depend on how many. ``progress`` is called with the number of
    structures done and their total. Structures that fail are left out and listed.
    """
    if n_workers < 0:
        raise SettingsError(f"`n_workers` must be at least 0, got {n_workers}.")
    shards = list(_shards(structures))
    n_workers = min(n_workers or n_cores(), max(1, len(shards)))
    parts: list[PackedEdges] = []
    with ThreadPoolExecutor(max_workers=n_workers) as pool:
        chosen = (structures.subset(shard) for shard in shards)
        results = pool.map(builder.pack, chosen) if n_workers > 1 else map(builder.pack, chosen)
        done = 0
        for shard, part in zip(shards, results, strict=True):
            parts.append(part)
            done += len(shard)
            if progress is not None:
                progress(done, len(structures))
    chosen_rows = [shard[part.kept] for shard, part in zip(shards, parts, strict=True)]
    kept = np.concatenate(chosen_rows) if chosen_rows else np.zeros(0, dtype=np.int64)
    return BuildResult(
        store=with_structure_fields(_join(parts), structures, kept),
        kept=kept,
        failures=tuple(failure for part in parts for failure in part.failures),
    )


def _shards(structures: StructureArrays) -> Iterator[NDArray[np.int64]]:
    """Cut the list of structures into parts of about equally many atoms."""
    start = 0
    while start < len(structures):
        limit = structures.offsets[start] + _ATOMS_IN_SHARD
        stop = int(np.searchsorted(structures.offsets, limit, side="right")) - 1
        stop = min(max(stop, start + 1), len(structures))
        yield np.arange(start, stop, dtype=np.int64)
        start = stop


def _join(parts: list[PackedEdges]) -> GraphStore:
    """Lay the parts end to end."""

    filled = [part for part in parts if len(part.kept)]

    def join(name: str, dtype: type[np.generic]) -> torch.Tensor:
        return _tensor([getattr(part, name) for part in filled], np.dtype(dtype))

    def offsets(name: str) -> torch.Tensor:
        return torch.cat([torch.zeros(1, dtype=torch.int64), join(name, np.int64).cumsum(0)])

    return GraphStore(
        node_offsets=offsets("node_counts"),
        edge_offsets=offsets("edge_counts"),
        atomic_numbers=join("atomic_numbers", np.uint8),
        edge_source=join("source", np.int32),
        edge_target=join("target", np.int32),
        distances=join("distances", np.float32),
        fields={
            name: _tensor(values, np.dtype(FIELDS[name].dtype))
            for name, values in common_fields([part.fields for part in filled]).items()
        },
    )


def _tensor(arrays: list[NDArray[Any]], dtype: np.dtype[Any]) -> torch.Tensor:
    joined = np.concatenate(arrays) if arrays else np.zeros(0, dtype)
    return torch.from_numpy(np.ascontiguousarray(joined, dtype=dtype))
