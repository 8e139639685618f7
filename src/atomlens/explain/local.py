"""What a model says of a large structure without one of its atoms, for each atom in turn.

An atom that is taken away changes the atoms that its messages reach, a few hundred, and no
other. Only these are worked out again, for some missing atoms at a time; the rest is kept from one
pass over the whole structure. The numbers are those of the whole structure worked out anew, but
for the rounding of 32-bit sums. Members of an ensemble whose atoms all hear of a change (charges
that balance) work out the whole structure, beside the others.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atomlens.explain.question import Answers, Indices, Question
from atomlens.graphs import GraphBatch, copies, keep_nodes
from atomlens.machine import keep_freed_memory
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.models.local import (
    AddingPass,
    AtomReadings,
    Changed,
    HearingPass,
    LocalPass,
    Reader,
    SteppingPass,
)
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.segment import segment_sum

LEAST_ATOMS = 128
"""In smaller structures an atom reaches nearly all others."""
_EDGES_AT_ONCE = 98_304
"""Edges into changed atoms that are worked out at a time, for several missing atoms."""
_ATOMS_AT_ONCE = 2_000_000
"""Atoms of all structures that are looked at at a time, each without one atom."""
_FIRST = 4
"""So many missing atoms are tried before it is known how far they reach."""
_MOST_KEPT = 2**29
"""Bytes of what is heard over all edges in all layers: of larger structures it is not kept."""


@torch.no_grad()
def without_each(question: Question) -> Answers | None:
    """Return what `predict` says of each structure without each of its atoms, in their order.

    None where that is not worth it, or every model reaches all atoms at once.
    """
    sizes = question.structures.n_atoms
    if not question.nodes_are_atoms or sizes.min() < LEAST_ATOMS:
        return None
    keep_freed_memory()
    parts: list[Answers] = []
    for index in range(len(question.structures)):
        batch = question.store.batch(torch.tensor([index]))
        passes = [model.local_pass(batch) for model in question.models]
        if all(local is None for local in passes):
            return None
        known = [
            _Anew(model, batch) if local is None else _Known.of(local)
            for model, local in zip(question.models, passes, strict=True)
        ]
        parts += _of_one(question, index, known)
    return Answers(
        values=np.concatenate([part.values for part in parts]),
        by_member=np.concatenate([part.by_member for part in parts], axis=1),
    )


def _of_one(question: Question, index: int, known: "Sequence[_Known | _Anew]") -> list[Answers]:
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


class _Anew(NamedTuple):
    """A network on a whole graph, of which every atom hears of every change."""

    model: PropertyModel
    batch: GraphBatch

    def without(self, gone: Indices) -> _Found:
        """Return what the network says of the structure without each of some atoms."""
        n = self.batch.n_nodes
        whole = copies(self.batch, len(gone))
        kept = torch.ones(len(gone) * n, dtype=torch.bool, device=whole.graph_index.device)
        kept[_tensor(np.arange(len(gone)) * n + gone, kept.device)] = False
        return _Found(self.model(keep_nodes(whole, kept)), whole.n_edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known(ABC):
    """A network on a whole graph: what stands before every layer, and who reads out."""

    nodes: list[Tensor]
    edges: list[Tensor]
    graph: "_Graph"
    reader: Reader

    @classmethod
    def of(cls, local: LocalPass) -> "_Known":
        """Work out the whole graph."""
        if isinstance(local, HearingPass):
            return _KnownHearing.of_pass(local)
        if isinstance(local, AddingPass):
            return _KnownAdding.of_pass(local)
        return _KnownStepping.of_pass(local)

    @abstractmethod
    def changed_rows(self, reached: "_Reached") -> Tensor:
        """Return all atoms that have changed behind the last layer."""

    def without(self, gone: Indices) -> _Found:
        """Return what the network says of the structure without each of some atoms."""
        device = self.nodes[0].device
        reached = self.graph.reached(gone, len(self.nodes) - 1)
        changed = Changed(
            gone=_tensor(gone, device),
            owner=_tensor(reached.owner, device),
            node=_tensor(reached.node, device),
            rows=self.changed_rows(reached),
        )
        values, log_scale = self.reader.outputs(changed)
        output = ModelOutput(values=values, log_scale=log_scale, node_attention=values.new_zeros(0))
        return _Found(output, len(reached.edge))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _KnownStepping(_Known):
    """Of layers that are worked out anew for every atom that hears of a change."""

    local: SteppingPass

    @classmethod
    def of_pass(cls, local: SteppingPass) -> "_KnownStepping":
        """Work out the whole graph."""
        nodes, edges = [local.nodes], [local.edges]
        for layer in range(local.n_layers):
            now = local.step(layer, nodes[-1], nodes[-1], edges[-1], local.layout, None)
            nodes.append(now[0])
            edges.append(now[1])
        graph, reader = _Graph.of(local.layout), local.reader(nodes[-1])
        return cls(local=local, nodes=nodes, edges=edges, graph=graph, reader=reader)

    def changed_rows(self, reached: "_Reached") -> Tensor:
        """Return all atoms that have changed behind the last layer."""
        device = self.nodes[0].device
        rows, edges = self.nodes[0][:0], self.edges[0][:0]
        for layer in range(self.local.n_layers):
            stop = reached.n_rows[layer + 1]
            last, n_inner = reached.offsets[stop], len(rows)
            node, edge = reached.node[n_inner:stop], reached.edge[len(edges) : last]
            targets = torch.cat([rows, self.nodes[layer].index_select(0, _tensor(node, device))])
            edges = torch.cat([edges, self.edges[layer].index_select(0, _tensor(edge, device))])
            table = torch.cat([self.nodes[layer], rows])
            layout = reached.layout(0, stop, reached.sources(layer, 0, last), device)
            chosen = _tensor(reached.edge[:last], device)
            rows, edges = self.local.step(layer, targets, table, edges, layout, chosen)
        return rows


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _KnownAdding(_Known):
    """Of layers that plainly add up messages over edges that stay as they are."""

    local: AddingPass
    messages: list[Tensor]
    """Of all edges in every layer"""
    sums: list[Tensor]
    """The same at every atom"""

    @classmethod
    def of_pass(cls, local: AddingPass) -> "_KnownAdding":
        """Work out the whole graph."""
        nodes, messages, sums, layout = [local.nodes], [], [], local.layout
        for layer in range(local.n_layers):
            messages.append(local.messages(layer, nodes[-1]))
            sums.append(segment_sum(messages[-1], layout.target, layout.n_nodes))
            nodes.append(local.after(layer, nodes[-1], sums[-1]))
        return cls(
            local=local,
            nodes=nodes,
            edges=[local.edges],
            graph=_Graph.of(layout),
            reader=local.reader(nodes[-1]),
            messages=messages,
            sums=sums,
        )

    def changed_rows(self, reached: "_Reached") -> Tensor:
        """Return all atoms that have changed behind the last layer."""
        device, rows = self.nodes[0].device, self.nodes[0][:0]
        for layer in range(self.local.n_layers):
            n_inner, stop = len(rows), reached.n_rows[layer + 1]
            node = _tensor(reached.node[n_inner:stop], device)
            targets = torch.cat([rows, self.nodes[layer].index_select(0, node)])
            table = torch.cat([self.nodes[layer], rows])
            last = reached.offsets[stop]
            fresh = np.flatnonzero(reached.hears_change(layer, 0, last))
            sources = reached.sources(layer, 0, last)[fresh]
            layout = reached.layout(0, stop, sources, device, fresh)
            chosen = _tensor(reached.edge[fresh], device)
            heard = self.local.sums(layer, targets, table, layout, chosen)
            heard[n_inner:] += self._still_heard(layer, reached, n_inner, stop)
            rows = self.local.after(layer, targets, heard)
        return rows

    def _still_heard(self, layer: int, reached: "_Reached", first: int, stop: int) -> Tensor:
        """Return what atoms that have not changed before this layer hear of those that have not.

        It is what they heard in the whole structure, less the messages that are no more as they
        were.
        """
        device = self.nodes[0].device
        lost, row = reached.no_more(layer, first, stop)
        node = _tensor(reached.node[first:stop], device)
        heard = self.sums[layer].index_select(0, node)
        taken = self.messages[layer].index_select(0, _tensor(lost, device))
        return heard.index_add_(0, _tensor(row, device), taken, alpha=-1)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _KnownHearing(_Known):
    """Of layers that are what is heard over each edge, and what an atom makes of all that."""

    local: HearingPass
    as_target: list[tuple[Tensor, ...]]
    """What every layer reads of all atoms that hear others"""
    as_source: list[tuple[Tensor, ...]]
    """What it reads of all that are heard, with room for those that change"""
    heard: list[Tensor]
    """Over all edges in every layer; empty in a structure that is too large"""
    room: list[Tensor]
    """Memory for edges that change"""

    @classmethod
    def of_pass(cls, local: HearingPass) -> "_KnownHearing":
        """Work out the whole graph."""
        nodes, edges, layout = [local.nodes], [local.edges], local.layout
        readings: list[AtomReadings] = []
        heard: list[Tensor] = []
        for layer in range(local.n_layers):
            readings.append(local.readings(layer, nodes[-1]))
            edges.append(edges[-1].clone() if local.edges_change else edges[-1])
            now = local.heard(layer, readings[-1], edges[-1], layout, None)
            nodes.append(local.after(layer, readings[-1].as_target, now, layout, None))
            if now.numel() * now.element_size() * local.n_layers <= _MOST_KEPT:
                heard.append(now)
        if local.edges_change:
            edges.pop()  # nothing reads those behind the last layer
        return cls(
            local=local,
            nodes=nodes,
            edges=edges,
            graph=_Graph.of(layout),
            reader=local.reader(nodes[-1]),
            as_target=[one.as_target for one in readings],
            as_source=[one.as_source for one in readings],
            heard=heard,
            room=[edges[0][:0]],
        )

    def changed_rows(self, reached: "_Reached") -> Tensor:
        """Return all atoms that have changed behind the last layer."""
        rows = self.nodes[0][:0]
        edges = self._room_for(len(reached.edge) if self.local.edges_change else 0)
        for layer in range(self.local.n_layers):
            now = self.local.readings(layer, rows)
            sources = self._table(layer, now.as_source)
            n_inner, stop = len(rows), reached.n_rows[layer + 1]
            parts = [self.nodes[layer + 1][:0]]
            if n_inner:
                readings = AtomReadings(now.as_target, sources)
                parts.append(self._part(layer, reached, 0, n_inner, readings, edges))
            if stop > n_inner:
                node = _tensor(reached.node[n_inner:stop], rows.device)
                targets = tuple(one.index_select(0, node) for one in self.as_target[layer])
                readings = AtomReadings(targets, sources)
                parts.append(self._part(layer, reached, n_inner, stop, readings, edges))
            rows = torch.cat(parts)
        return rows

    def _room_for(self, n_edges: int) -> Tensor:
        """Return memory for edges that change; always the same, since new memory is slow."""
        if len(self.room[0]) < n_edges:
            self.room[0] = self.edges[0].new_empty(n_edges + n_edges // 4, self.edges[0].shape[1])
        return self.room[0]

    def _table(self, layer: int, changed: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return what a layer reads of sources: all atoms, and behind them those that changed."""
        n, tables = self.graph.n_nodes + len(changed[0]), self.as_source[layer]
        if len(tables[0]) < n:
            tables = tuple(
                torch.cat([old[: self.graph.n_nodes], new, torch.empty_like(new[: len(new) // 4])])
                for old, new in zip(tables, changed, strict=True)
            )
            self.as_source[layer] = tables
        for table, new in zip(tables, changed, strict=True):
            table[self.graph.n_nodes : n] = new
        return tables

    def _part(
        self,
        layer: int,
        reached: "_Reached",
        start: int,
        stop: int,
        readings: AtomReadings,
        edges: Tensor,
    ) -> Tensor:
        """Return some rows behind a layer, and put their edges in the place of those before it.

        All of them have changed before the layer, or none has.
        """
        local, device = self.local, self.nodes[0].device
        first, last = int(reached.offsets[start]), int(reached.offsets[stop])
        sources = reached.sources(layer, first, last)
        layout = reached.layout(start, stop, sources, device)
        chosen = _tensor(reached.edge[first:last], device)
        if local.edges_change and start < reached.n_rows[layer]:
            return local.renewed(layer, readings, edges[first:last], layout, chosen)
        keeps, own = local.edges_change and layer + 1 < local.n_layers, edges[first:last]
        if not self.heard:
            behind = self.edges[layer].index_select(0, chosen)
            heard = local.heard(layer, readings, behind, layout, chosen)
            if keeps:
                own.copy_(behind)
            return local.after(layer, readings.as_target, heard, layout, chosen)
        heard = self.heard[layer].index_select(0, chosen)
        if keeps:
            torch.index_select(self.edges[layer + 1], 0, chosen, out=own)
        fresh = np.flatnonzero(sources >= self.graph.n_nodes)
        if len(fresh):
            part = reached.layout(start, stop, sources[fresh], device, first + fresh)
            place = _tensor(fresh, device)
            which = chosen.index_select(0, place)
            behind = self.edges[layer].index_select(0, which)
            heard.index_copy_(0, place, local.heard(layer, readings, behind, part, which))
            if keeps:
                own.index_copy_(0, place, behind)
        return local.after(layer, readings.as_target, heard, layout, chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graph:
    """Who hears whom in the whole graph."""

    source: Indices
    offsets: Indices
    """(n_nodes + 1,) edges into each atom"""
    heard_by: Indices
    """(n_edges,) the targets of each atom's edges, atom by atom"""
    heard_offsets: Indices
    """(n_nodes + 1,)"""

    @classmethod
    def of(cls, layout: EdgeLayout) -> "_Graph":
        """Find out from the edges."""
        source, target = layout.source.cpu().numpy(), layout.target.cpu().numpy()
        counts = np.bincount(source, minlength=layout.n_nodes)
        return cls(
            source=source,
            offsets=layout.offsets.cpu().numpy(),
            heard_by=target[np.argsort(source, kind="stable")],
            heard_offsets=np.concatenate([[0], np.cumsum(counts)]),
        )

    @property
    def n_nodes(self) -> int:
        """Number of atoms."""
        return len(self.offsets) - 1

    def reached(self, gone: Indices, n_layers: int) -> "_Reached":
        """Return the atoms that hear, layer after layer, that an atom is gone."""
        n_nodes = self.n_nodes
        row_of = np.full(len(gone) * n_nodes, _UNCHANGED)
        newest = np.arange(len(gone)) * n_nodes + gone
        row_of[newest] = _GONE
        found, n_rows = [newest[:0]], [0]
        for _ in range(n_layers):
            hears = np.unique(self._hearing(newest))
            newest = hears[row_of[hears] == _UNCHANGED]
            row_of[newest] = n_rows[-1] + np.arange(len(newest))
            found.append(newest)
            n_rows.append(n_rows[-1] + len(newest))
        keys = np.concatenate(found)
        owner, node = keys // n_nodes, keys % n_nodes
        edge, row = _ranges(self.offsets[node], self.offsets[node + 1])
        source = self.source[edge]
        source_row = row_of[owner[row] * n_nodes + source]
        kept = source_row != _GONE
        lost = np.flatnonzero(~kept)
        counts = np.bincount(row[kept], minlength=len(keys))
        return _Reached(
            n_nodes=n_nodes,
            owner=owner,
            node=node,
            n_rows=n_rows,
            edge=edge[kept],
            row=row[kept],
            source=source[kept],
            source_row=source_row[kept],
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            lost=edge[lost],
            lost_row=row[lost],
        )

    def _hearing(self, keys: Indices) -> Indices:
        """Return who hears some atoms; atoms are numbered through all structures."""
        node = keys % self.n_nodes
        which, owner = _ranges(self.heard_offsets[node], self.heard_offsets[node + 1])
        hearing: Indices = self.heard_by[which] + (keys - node)[owner]
        return hearing


_UNCHANGED, _GONE = -1, -2
"""In place of the row of an atom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """The atoms of several structures that hear of a missing atom, those first that hear first.

    So the atoms that have changed before a layer are the first rows, with the first edges, and stay
    in their places from layer to layer.
    """

    n_nodes: int
    """Of the whole graph"""
    owner: Indices
    """(n,) which structure each is of"""
    node: Indices
    """(n,) which atom of the whole graph it is"""
    n_rows: list[int]
    """(n_layers + 1,) how many have changed before each layer and behind the last"""
    edge: Indices
    """(n_edges,) all edges into these atoms but those from the missing one, row by row: numbers in
    the whole graph"""
    row: Indices
    """(n_edges,) their targets"""
    source: Indices
    """(n_edges,) their sources in the whole graph"""
    source_row: Indices
    """(n_edges,) the rows of the sources, or _UNCHANGED"""
    offsets: Indices
    """(n + 1,) where the edges of each row begin"""
    lost: Indices
    """(n_lost,) edges from the missing atoms"""
    lost_row: Indices
    """(n_lost,) their targets"""

    def sources(self, layer: int, first: int, last: int) -> Indices:
        """Return where some edges find their sources: an atom of the whole graph, or a row.

        Rows are those that have changed before the layer, and stand behind all atoms.
        """
        row = self.source_row[first:last]
        changed = (row >= 0) & (row < self.n_rows[layer])
        return np.where(changed, self.n_nodes + row, self.source[first:last])

    def hears_change(self, layer: int, first: int, last: int) -> NDArray[np.bool_]:
        """Say of some edges whether an end of theirs has changed before a layer."""
        row, n_inner = self.source_row[first:last], self.n_rows[layer]
        return ((row >= 0) & (row < n_inner)) | (self.row[first:last] < n_inner)

    def no_more(self, layer: int, first: int, stop: int) -> tuple[Indices, Indices]:
        """Return edges into some rows over which it is not heard what was, and their rows.

        Their source has changed before the layer, or is gone; rows are counted from the first.
        """
        begin, end = self.offsets[first], self.offsets[stop]
        row = self.source_row[begin:end]
        changed = begin + np.flatnonzero((row >= 0) & (row < self.n_rows[layer]))
        gone = np.flatnonzero((self.lost_row >= first) & (self.lost_row < stop))
        edges = np.concatenate([self.edge[changed], self.lost[gone]])
        return edges, np.concatenate([self.row[changed], self.lost_row[gone]]) - first

    def layout(
        self,
        start: int,
        stop: int,
        sources: Indices,
        device: torch.device,
        chosen: Indices | None = None,
    ) -> EdgeLayout:
        """Return the edges into some rows, or ``chosen`` ones of them, as a layer takes them.

        Args:
            start: The first row; targets are counted from it.
            stop: Behind the last row.
            sources: Of these edges: rows of the table of the layer.
            device: Where the tensors shall be.
            chosen: Which edges, ascending; all of these rows by default.
        """
        if chosen is None:
            offsets = self.offsets[start : stop + 1]
            row = self.row[offsets[0] : offsets[-1]]
            offsets = offsets - offsets[0]
        else:
            row = self.row[chosen]
            counts = np.bincount(row - start, minlength=stop - start)
            offsets = np.concatenate([[0], np.cumsum(counts)])
        return EdgeLayout(
            source=_tensor(sources, device),
            target=_tensor(row - start, device),
            offsets=_tensor(offsets, device),
        )


def _ranges(starts: Indices, stops: Indices) -> tuple[Indices, Indices]:
    """Return the numbers of ranges end to end, and the range that each is of."""
    counts = stops - starts
    owner = np.repeat(np.arange(len(starts)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(len(owner)) + (starts - before)[owner], owner


def _tensor(values: NDArray[np.int64], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
