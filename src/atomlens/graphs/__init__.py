"""Graphs as tensors: one system, many systems laid end to end, and a store of all of them."""

from atomlens.graphs.batches import AtomGraph, GraphBatch
from atomlens.graphs.cutting import copies, cut_batches, keep_nodes
from atomlens.graphs.fields import FIELDS, GraphField
from atomlens.graphs.store import GraphStore, collate

__all__ = [
    "FIELDS",
    "AtomGraph",
    "GraphBatch",
    "GraphField",
    "GraphStore",
    "collate",
    "copies",
    "cut_batches",
    "keep_nodes",
]
