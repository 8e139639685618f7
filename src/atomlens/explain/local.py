"""What a model says of a large structure without one of its atoms, for each atom in turn.

An atom that is taken away changes the atoms that its messages reach, a few hundred, and no
other. Only these are worked out again, for some missing atoms at a time; the rest is kept from one
pass over the whole structure. The numbers are those of the whole structure worked out anew, but
for the rounding of 32-bit sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atomlens.explain.question import Answers, Indices, Question
from atomlens.models.base import ModelOutput
from atomlens.models.local import AddingPass, Changed, LocalPass, Reader
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.segment import segment_sum

LEAST_ATOMS = 128
"""In smaller structures an atom reaches nearly all others."""
_EDGES_AT_ONCE = 131_072
"""Edges into changed atoms that a layer works on at a time."""
_ATOMS_AT_ONCE = 2_000_000
"""Atoms of all structures that are looked at at a time, each without one atom."""
_FIRST = 4
"""So many missing atoms are tried before it is known how far they reach."""


@torch.no_grad()
def without_each(question: Question) -> Answers | None:
    """Return what `predict` says of each structure without each of its atoms, in their order.

    None where that is not worth it, or a model reaches all atoms at once.
    """
    sizes = question.structures.n_atoms
    if not question.nodes_are_atoms or sizes.min() < LEAST_ATOMS:
        return None
    parts: list[Answers] = []
    for index in range(len(question.structures)):
        batch = question.store.batch(torch.tensor([index]))
        passes = [model.local_pass(batch) for model in question.models]
        known = [_Known.of(one) for one in passes if one is not None]
        if len(known) < len(passes):
            return None
        parts += _of_one(question, index, known)
    return Answers(
        values=np.concatenate([part.values for part in parts]),
        by_member=np.concatenate([part.by_member for part in parts], axis=1),
    )


def _of_one(question: Question, index: int, known: "Sequence[_Known]") -> list[Answers]:
    """Return the answers for one structure, part by part."""
    n_atoms = int(question.structures.n_atoms[index])
    whole, parts = question.structures.subset([index]), []
    start, size = 0, _FIRST
    while start < n_atoms:
        gone = np.arange(start, min(n_atoms, start + size))
        found = [one.without(gone) for one in known]
        outputs = [one.output for one in found]
        left = np.ones((len(gone), n_atoms), dtype=np.bool_)
        left[np.arange(len(gone)), gone] = False
        structures = whole.subset(np.zeros(len(gone), dtype=np.int64)).keep_atoms(left.ravel())
        raw = question.trained.raw_of(outputs)
        parts.append(question.answers_of(raw, structures, np.full(len(gone), index)))
        start += len(gone)
        reach = max(1, max(one.n_edges for one in found) // len(gone))
        size = max(1, min(_EDGES_AT_ONCE // reach, _ATOMS_AT_ONCE // n_atoms))
    return parts


class _Found(NamedTuple):
    """What a network says of some structures, and how much work it was."""

    output: ModelOutput
    n_edges: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A network on a whole graph: what stands before every layer, and who reads out."""

    local: LocalPass
    nodes: list[Tensor]
    edges: list[Tensor]
    reader: Reader
    messages: list[Tensor]
    """Of all edges in every layer, where they are plainly added up"""
    sums: list[Tensor]
    """The same at every atom"""
    source: Indices
    offsets: Indices
    """(n_nodes + 1,) edges into each atom"""
    heard_by: Indices
    """(n_edges,) the targets of each atom's edges, atom by atom"""
    heard_offsets: Indices
    """(n_nodes + 1,)"""

    @classmethod
    def of(cls, local: LocalPass) -> "_Known":
        """Work out the whole graph."""
        nodes, edges = [local.nodes], [local.edges]
        messages: list[Tensor] = []
        sums: list[Tensor] = []
        for layer in range(local.n_layers):
            if isinstance(local, AddingPass):
                messages.append(local.messages(layer, nodes[-1]))
                layout = local.layout
                sums.append(segment_sum(messages[-1], layout.target, layout.n_nodes))
                nodes.append(local.after(layer, nodes[-1], sums[-1]))
                edges.append(edges[-1])
                continue
            now = local.step(layer, nodes[-1], nodes[-1], edges[-1], local.layout, None)
            nodes.append(now[0])
            edges.append(now[1])
        source, target = local.layout.source.cpu().numpy(), local.layout.target.cpu().numpy()
        order = np.argsort(source, kind="stable")
        counts = np.bincount(source, minlength=local.layout.n_nodes)
        return cls(
            local=local,
            nodes=nodes,
            edges=edges,
            reader=local.reader(nodes[-1]),
            messages=messages,
            sums=sums,
            source=source,
            offsets=local.layout.offsets.cpu().numpy(),
            heard_by=target[order],
            heard_offsets=np.concatenate([[0], np.cumsum(counts)]),
        )

    def without(self, gone: Indices) -> _Found:
        """Return what the network says of the structure without each of some atoms."""
        n, n_nodes = len(gone), len(self.offsets) - 1
        lost = np.arange(n) * n_nodes + gone
        keys = np.zeros(0, dtype=np.int64)
        before, device = _Rows.none(self.nodes[0], self.edges[0]), self.nodes[0].device
        place = np.full(n * n_nodes, -1, dtype=np.int64)
        rows, local = _Edges.into(self, keys, gone), self.local
        for layer in range(local.n_layers):
            place[:] = -1
            place[keys] = np.arange(len(keys))
            starts = rows.offsets
            keys = np.setdiff1d(np.union1d(keys, self._heard(np.concatenate([keys, lost]))), lost)
            rows = _Edges.into(self, keys, gone)
            owner, node = keys // n_nodes, keys % n_nodes
            was = place[keys]
            of_source = place[owner[rows.row] * n_nodes + self.source[rows.edge]]
            sources = np.where(of_source < 0, self.source[rows.edge], n_nodes + of_source)
            table = torch.cat([self.nodes[layer], before.nodes])
            targets = table.index_select(0, _tensor(np.where(was < 0, node, n_nodes + was), device))
            if isinstance(local, AddingPass):
                fresh = (was[rows.row] >= 0) | (of_source >= 0)
                part = rows.only(fresh, len(keys))
                layout = part.layout(sources[fresh], device)
                chosen = _tensor(part.edge, device)
                heard = local.sums(layer, targets, table, layout, chosen)
                heard = heard + self._still_heard(layer, keys, was, place, gone)
                before = _Rows(local.after(layer, targets, heard), self.edges[0][:0])
                continue
            chosen = _tensor(rows.edge, device)
            edges = self.edges[layer].index_select(0, chosen)
            again = np.flatnonzero(was[rows.row] >= 0)
            rank = again - rows.offsets[rows.row[again]]
            at = starts[was[rows.row[again]]] + rank
            edges[_tensor(again, device)] = before.edges.index_select(0, _tensor(at, device))
            layout = rows.layout(sources, device)
            before = _Rows(*local.step(layer, targets, table, edges, layout, chosen))
        changed = Changed(
            gone=_tensor(gone, device),
            owner=_tensor(keys // n_nodes, device),
            node=_tensor(keys % n_nodes, device),
            rows=before.nodes,
        )
        values, log_scale = self.reader.outputs(changed)
        output = ModelOutput(values=values, log_scale=log_scale, node_attention=values.new_zeros(0))
        return _Found(output, len(rows.edge))

    def _still_heard(
        self, layer: int, keys: Indices, was: Indices, place: Indices, gone: Indices
    ) -> Tensor:
        """Return what atoms that have not changed before this layer hear of those that have not.

        It is what they heard in the whole structure, less the messages that are no more as they
        were; nothing for the others, whose every message has changed.
        """
        n_nodes, device = len(self.offsets) - 1, self.nodes[0].device
        new = np.flatnonzero(was < 0)
        node, owner = keys[new] % n_nodes, keys[new] // n_nodes
        edge, row = _ranges(self.offsets[node], self.offsets[node + 1])
        source = self.source[edge]
        lost = (place[owner[row] * n_nodes + source] >= 0) | (source == gone[owner[row]])
        heard = self.sums[layer].index_select(0, _tensor(node, device))
        taken = self.messages[layer].index_select(0, _tensor(edge[lost], device))
        heard = heard.index_add(0, _tensor(row[lost], device), taken, alpha=-1)
        return heard.new_zeros(len(keys), heard.shape[1]).index_copy_(
            0, _tensor(new, device), heard
        )

    def _heard(self, keys: Indices) -> Indices:
        """Return who hears some atoms; atoms are numbered through all structures."""
        n_nodes = len(self.offsets) - 1
        node = keys % n_nodes
        which, owner = _ranges(self.heard_offsets[node], self.heard_offsets[node + 1])
        heard: Indices = self.heard_by[which] + (keys - node)[owner]
        return heard


class _Rows(NamedTuple):
    """The atoms and edges that have changed, behind a layer."""

    nodes: Tensor
    edges: Tensor

    @classmethod
    def none(cls, nodes: Tensor, edges: Tensor) -> "_Rows":
        """Return nothing that has changed."""
        return cls(nodes[:0], edges[:0])


class _Edges(NamedTuple):
    """All edges into some atoms, but for those from the missing one."""

    edge: Indices
    """(n_edges,) number in the whole graph"""
    row: Indices
    """(n_edges,) which of the atoms is the target"""
    offsets: Indices
    """(n_rows + 1,)"""

    @classmethod
    def into(cls, known: _Known, keys: Indices, gone: Indices) -> "_Edges":
        """Find them for atoms that are numbered through all structures."""
        n_nodes = len(known.offsets) - 1
        node = keys % n_nodes
        edge, row = _ranges(known.offsets[node], known.offsets[node + 1])
        kept = known.source[edge] != gone[(keys // n_nodes)[row]]
        edge, row = edge[kept], row[kept]
        counts = np.bincount(row, minlength=len(keys))
        return cls(edge, row, np.concatenate([[0], np.cumsum(counts)]))

    def only(self, kept: NDArray[np.bool_], n_rows: int) -> "_Edges":
        """Return some of the edges."""
        counts = np.bincount(self.row[kept], minlength=n_rows)
        return _Edges(self.edge[kept], self.row[kept], np.concatenate([[0], np.cumsum(counts)]))

    def layout(self, sources: Indices, device: torch.device) -> EdgeLayout:
        """Return the edges as a layer takes them; ``sources`` are rows of its table."""
        return EdgeLayout(
            source=_tensor(sources, device),
            target=_tensor(self.row, device),
            offsets=_tensor(self.offsets, device),
        )


def _ranges(starts: Indices, stops: Indices) -> tuple[Indices, Indices]:
    """Return the numbers of ranges end to end, and the range that each is of."""
    counts = stops - starts
    owner = np.repeat(np.arange(len(starts)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(len(owner)) - before[owner] + starts[owner], owner


def _tensor(values: NDArray[np.int64], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
