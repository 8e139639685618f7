"""What changes where one atom is taken away: a network layer by layer, on chosen atoms alone.

A network whose messages come from neighbours only sees the change within as many steps as it has
layers. A `LocalPass` lets such a network be worked out for the atoms that a change reaches, while
all others keep what they had; a `Reader` then reads out the structure from all of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from atomlens.nn.additive import AdditiveReadout
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.readout import NORM_EPS, GlobalAttention
from atomlens.nn.segment import segment_sum

Head = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""From vectors of structures (n, n_features) to values and logarithms of the noise."""


class Changed(NamedTuple):
    """What is different in n structures, each the whole one without an atom."""

    gone: Int[Tensor, " n"]
    """The atom that each one lacks"""
    owner: Int[Tensor, " n_rows"]
    """Which of them each row below belongs to"""
    node: Int[Tensor, " n_rows"]
    """The atom of each row"""
    rows: Float[Tensor, "n_rows n_features"]
    """Its features after the last layer"""

    def sums(
        self,
        before: Float[Tensor, " n_nodes *shape"],
        now: Float[Tensor, " n_rows *shape"],
        total: Float[Tensor, " 1 *shape"],
    ) -> Float[Tensor, " n *shape"]:
        """Return the sum over the atoms of each structure, given those of the whole one.

        ``total`` is `total_of` ``before``.
        """
        found = total - before.index_select(0, self.gone)
        change = now - before.index_select(0, self.node)
        return found.index_add_(0, self.owner, change.double()).to(before.dtype)


def total_of(nodes: Float[Tensor, " n_nodes *shape"]) -> Float[Tensor, " 1 *shape"]:
    """Return the sum over all atoms in 64 bits."""
    return nodes.double().sum(dim=0, keepdim=True)


class Outputs(NamedTuple):
    """Values and logarithms of the noise of several structures, as in `ModelOutput`."""

    values: Float[Tensor, "n n_outputs"]
    log_scale: Float[Tensor, "n n_outputs"] | None


class Reader(ABC):
    """Reads out structures that differ in a few atoms from one that is known."""

    @abstractmethod
    def outputs(self, changed: Changed) -> Outputs:
        """Return what the network says of each changed structure."""


class _Pass(ABC):
    """A network on one graph, layer by layer."""

    n_layers: int
    layout: EdgeLayout
    """Of the whole graph"""
    nodes: Float[Tensor, "n_nodes _"]
    """Of all atoms, before the first layer"""
    edges: Float[Tensor, "n_edges _"]
    """Of all edges, before the first layer"""

    @abstractmethod
    def reader(self, nodes: Float[Tensor, "n_nodes _"]) -> Reader:
        """Return what reads out, given all atoms behind the last layer."""


class SteppingPass(_Pass):
    """A network whose layers are worked out anew for every atom that hears of a change."""

    @abstractmethod
    def step(
        self,
        layer: int,
        targets: Float[Tensor, "n_targets _"],
        sources: Float[Tensor, "n_sources _"],
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> tuple[Float[Tensor, "n_targets _"], Float[Tensor, "n_edges _"]]:
        """Return the atoms and edges behind a layer.

        Args:
            layer: Its number.
            targets: The atoms that are worked out.
            sources: Rows in which ``layout.source`` finds the neighbours.
            edges: All edges of the targets.
            layout: Of these edges; targets are counted among ``targets``.
            chosen: Which edges of the whole graph they are; None: all.
        """


class AddingPass(_Pass):
    """A network where what an atom hears is a plain sum over edges that stay as they are.

    So only messages that change are worked out.
    """

    @abstractmethod
    def messages(self, layer: int, nodes: Float[Tensor, "n_nodes _"]) -> Float[Tensor, "n_edges _"]:
        """Return the messages of all edges of the whole graph."""

    @abstractmethod
    def sums(
        self,
        layer: int,
        targets: Float[Tensor, "n_targets _"],
        sources: Float[Tensor, "n_sources _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"],
    ) -> Float[Tensor, "n_targets _"]:
        """Return the sum of the messages of some edges at their targets.

        Args:
            layer: Its number.
            targets: The atoms that hear them.
            sources: Rows in which ``layout.source`` finds the neighbours.
            layout: Of these edges; targets are counted among ``targets``.
            chosen: Which edges of the whole graph they are.
        """

    @abstractmethod
    def after(
        self, layer: int, targets: Float[Tensor, "n_targets _"], sums: Float[Tensor, "n_targets _"]
    ) -> Float[Tensor, "n_targets _"]:
        """Return the atoms behind a layer, given what they heard."""


class AtomReadings(NamedTuple):
    """What a layer reads of each atom, worked out once an atom and not once an edge."""

    as_target: tuple[Float[Tensor, "n_rows _"], ...]
    """Of an atom that hears others"""
    as_source: tuple[Float[Tensor, "n_rows _"], ...]
    """Of an atom that is heard"""


class HearingPass(_Pass):
    """A network whose layers are what an atom hears over each edge, and what it makes of all that.

    So edges over which the same is heard as before are not worked out again.
    """

    edges_change: bool
    """Whether a layer also gives new edges, which depend on both their ends"""

    @abstractmethod
    def readings(self, layer: int, nodes: Float[Tensor, "n_rows _"]) -> AtomReadings:
        """Return what a layer reads of some atoms."""

    @abstractmethod
    def heard(
        self,
        layer: int,
        readings: AtomReadings,
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> Float[Tensor, "n_edges _"]:
        """Return what is heard over some edges; where edges change, put the new ones in place.

        Args:
            layer: Its number.
            readings: Of the targets, and rows in which ``layout.source`` finds the sources.
            edges: Before the layer; overwritten by those behind it if ``edges_change``.
            layout: Of these edges; targets are counted among ``readings.as_target``.
            chosen: Which edges of the whole graph they are; None: all.
        """

    @abstractmethod
    def after(
        self,
        layer: int,
        targets: tuple[Float[Tensor, "n_targets _"], ...],
        heard: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> Float[Tensor, "n_targets _"]:
        """Return the atoms behind a layer, given what they read as targets and all they hear."""

    def renewed(
        self,
        layer: int,
        readings: AtomReadings,
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> Float[Tensor, "n_targets _"]:
        """Return the atoms behind a layer where nothing is heard as before; see `heard`."""
        heard = self.heard(layer, readings, edges, layout, chosen)
        return self.after(layer, readings.as_target, heard, layout, chosen)


LocalPass = SteppingPass | AddingPass | HearingPass
"""A network on one graph, layer by layer."""


def side_by_side(
    targets: Float[Tensor, "n_targets _"],
    sources: Float[Tensor, "n_sources _"],
    layout: EdgeLayout,
) -> tuple[Float[Tensor, "n_nodes _"], EdgeLayout]:
    """Return targets and sources as the atoms of one graph, in which sources have no edges."""
    last = layout.offsets[-1:].expand(len(sources))
    together = EdgeLayout(
        source=layout.source + len(targets),
        target=layout.target,
        offsets=torch.cat([layout.offsets, last]),
    )
    return torch.cat([targets, sources]), together


class MeanReader(Reader):
    """The mean of the atoms, and what a network makes of it."""

    def __init__(self, nodes: Float[Tensor, "n_nodes _"], head: Head) -> None:
        self.nodes, self.head, self.total = nodes, head, total_of(nodes)

    def outputs(self, changed: Changed) -> Outputs:
        """Return what the network says of each changed structure."""
        pooled = changed.sums(self.nodes, changed.rows, self.total) / (len(self.nodes) - 1)
        return Outputs(*self.head(pooled))


class _Shares(NamedTuple):
    """Weights over the atoms of each changed structure, not yet divided by their sum."""

    before: Float[Tensor, "n n_scores n_nodes"]
    """Zero for atoms that have changed or are gone"""
    now: Float[Tensor, "n_rows n_scores"]
    total: Float[Tensor, "n n_scores"]


def _shares(before: Tensor, now: Tensor, changed: Changed) -> _Shares:
    """Return exp(score - largest), of the unchanged atoms and of the changed rows."""
    each = torch.arange(len(changed.gone), device=before.device)
    before[each, :, changed.gone] = -torch.inf
    before[changed.owner, :, changed.node] = -torch.inf
    largest = before.amax(dim=2)
    index = changed.owner.unsqueeze(1).expand_as(now)
    largest = largest.scatter_reduce(0, index, now, "amax")
    before = (before - largest.unsqueeze(2)).exp_()
    now = (now - largest.index_select(0, changed.owner)).exp()
    total = before.sum(dim=2) + segment_sum(now, changed.owner, len(changed.gone))
    return _Shares(before, now, total)


class AdditiveReader(Reader):
    """The additive readout (`AdditiveReadout`), of atoms that are all there."""

    def __init__(
        self,
        readout: AdditiveReadout,
        noise: nn.Linear | None,
        nodes: Float[Tensor, "n_nodes n_features"],
        *,
        base: Float[Tensor, "n_nodes n_outputs"] | None = None,
        bounds: Float[Tensor, " n_bounded"] | None = None,
        largest_log_scale: float | None = None,
    ) -> None:
        self.readout, self.noise, self.base = readout, noise, base
        self.bounds, self.largest_log_scale = bounds, largest_log_scale
        self.key, self.hidden, self.parts = self._of_nodes(nodes)
        self.total = total_of(self.hidden)

    def _of_nodes(self, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = functional.silu(self.readout.input(nodes))
        key = self.readout.key(hidden)
        parts = self.readout.output(functional.silu(self.readout.head(key)))
        return key, hidden, parts

    def outputs(self, changed: Changed) -> Outputs:
        """Return what the network says of each changed structure."""
        n, width, n_left = len(changed.gone), self.key.shape[1], len(self.key) - 1
        key, hidden, parts = self._of_nodes(changed.rows)
        mean = changed.sums(self.hidden, hidden, self.total) / n_left
        mean = self.readout.query(mean).view(n, -1, width)  # the mean of the queries
        scores = torch.matmul(mean, self.key.T) * width**-0.5
        own = torch.einsum("rtd,rd->rt", mean.index_select(0, changed.owner), key) * width**-0.5
        shares = _shares(scores, own, changed)
        values = torch.einsum("ctn,nt->ct", shares.before, self.parts)
        values = values + segment_sum(shares.now * parts, changed.owner, n)
        values = values / shares.total
        if self.base is not None:
            rest = self.base.double().sum(0) - self.base.index_select(0, changed.gone).double()
            values = values + (rest / n_left).to(values.dtype)
        return self._finished(values, key, shares, changed)

    def _finished(self, values: Tensor, key: Tensor, shares: _Shares, changed: Changed) -> Outputs:
        log_scale = None
        if self.noise is not None:
            before = (shares.before / shares.total.unsqueeze(2)).mean(dim=1) @ self.key
            own = (shares.now / shares.total.index_select(0, changed.owner)).mean(dim=1)
            pooled = before.index_add(0, changed.owner, own.unsqueeze(1) * key)
            log_scale = self.noise(functional.silu(pooled))
            if self.largest_log_scale is not None:
                log_scale = log_scale.clamp(-self.largest_log_scale, self.largest_log_scale)
        if self.bounds is not None and self.bounds.numel():
            values = torch.maximum(values, self.bounds.to(values.dtype))
        return Outputs(values, log_scale)


class GlobalReader(Reader):
    """SCANN's global attention (`GlobalAttention`), and what a network makes of its vector."""

    def __init__(
        self,
        readout: GlobalAttention,
        kind: str,
        nodes: Float[Tensor, "n_nodes n_features"],
        head: Head,
    ) -> None:
        self.readout, self.kind, self.head = readout, kind, head
        self.key, self.query = self._of_nodes(nodes)
        self.total = total_of(self.query)
        self.own = (self.query * self.key).sum(dim=1)

    def _of_nodes(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        hidden = functional.silu(self.readout.input(nodes))
        return self.readout.key(hidden), self.readout.query(hidden)

    def outputs(self, changed: Changed) -> Outputs:
        """Return what the network says of each changed structure."""
        n, width = len(changed.gone), self.key.shape[1]
        key, query = self._of_nodes(changed.rows)
        total = changed.sums(self.query, query, self.total)
        scores = total @ self.key.T
        own = (total.index_select(0, changed.owner) * key).sum(dim=1)
        if self.kind == "mean":
            scale = 1 / ((len(self.key) - 1) * width**0.5)
            scores, own = scores * scale, own * scale
        else:
            scores = scores - self.own
            own = own - (query * key).sum(dim=1)
        if self.kind == "reference":
            each = torch.arange(n, device=scores.device)
            squares = scores.square()
            squares[each, changed.gone] = 0
            squares[changed.owner, changed.node] = 0
            norm = squares.sum(dim=1).index_add(0, changed.owner, own.square())
            norm = (norm + NORM_EPS).sqrt()
            scores, own = scores / norm.unsqueeze(1), own / norm.index_select(0, changed.owner)
        shares = _shares(scores.unsqueeze(1), own.unsqueeze(1), changed)
        pooled = shares.before.squeeze(1) @ self.key
        pooled = pooled.index_add(0, changed.owner, shares.now * key) / shares.total
        return Outputs(*self.head(pooled))
