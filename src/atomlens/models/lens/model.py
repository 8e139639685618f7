"""`lens`: SCANN+'s local attention, made smooth, under a readout whose terms add up.

The local layers are those of SCANN+ (Vu et al., npj Computational Materials 2023; see
`atomlens.models.scann`). Three things are ours. A neighbour's attention fades to nothing as its
Voronoi face shrinks to the builder's threshold or its distance grows to the cutoff, so that the
prediction does not jump when a face appears (unless it is the only one of an atom). The readout
is a sum of one term an atom and target, each with an attention of its own
(`atomlens.nn.additive`). And training makes a term be what the prediction loses without the atom
(`atomlens.models.consistency`).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.elements.charges import first_charges
from atomlens.elements.vectors import ELEMENT_VECTORS, first_vectors
from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models.additive import MASK, AdditiveModel, additive_output
from atomlens.models.base import ModelOutput
from atomlens.models.consistency import Meaning
from atomlens.models.local import AdditiveReader, LocalPass
from atomlens.models.scann.geometry import embedded_geometry
from atomlens.models.scann.layers import (
    EdgeUpdate,
    LocalAttention,
    updated_and_attended,
)
from atomlens.models.scann.local import AttentionPass
from atomlens.nn.additive import ABSENT, Absence, AdditiveReadout, SelfStandingReadout
from atomlens.nn.basis import GaussianBasis, ShareBasis, SignedBasis
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.fading import face_fading
from atomlens.nn.linear import glorot_linear
from atomlens.nn.readout import bounds_tensor, check_bounds
from atomlens.nn.segment import segment_sum
from atomlens.settings import Bounds, Settings, bounded, name_of, only_with

HYDROGEN = 1
LARGEST_CHARGE = 8.0
LARGEST_LOG_SCALE = 5.0
"""Values that are met exactly (gaps of metals) would make a learned noise vanish, and the next
one that is missed explode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LensConfig(Settings):
    """Settings of `lens`."""

    mode: Literal["structure", "formula"] = "structure"
    """What joins two atoms: a Voronoi face, or that both are in the formula. Training decides by
    the graphs: those of the `formula` builder have no geometry."""
    n_layers: int = bounded(4, least=1)
    """Local attention layers."""
    n_features: int = bounded(64, least=1)
    """Width of atoms, edges and heads together."""
    n_heads: int = bounded(8, least=1)
    element_vectors: str = name_of(
        ("learned", *ELEMENT_VECTORS), "learned", "table of element vectors"
    )
    """``learned``, or a table of fixed element vectors: one-hot, cgcnn92, facts, mat2vec,
    megnet16, magpie."""
    n_embedding: int = bounded(48, least=1)
    """Length of the learned element vector."""
    n_elements: int = bounded(95, least=1)
    """Rows of the element table; row 0 stands for a masked atom."""
    element_base: bool = False
    """Add a learned linear function of the element vector to each atom's term, over the number of
    atoms: what composition alone adds needs no layers."""
    cutoff: float = only_with(bounded(4.0, above=0, unit="Å"), mode="structure")
    """Largest distance in Å; 6 for crystals."""
    n_amounts: int = bounded(0, least=0)
    """Formulas: Gaussians on an element's share of the atoms, and as many on the logarithm of the
    share, whose sum enters the element's features; training takes 8. 0: amounts weigh the
    attention, and the layers see of them no more than that."""
    n_charges: int = bounded(0, least=0)
    """Gaussians on the charge that each atom of an element must have to balance all other elements,
    and on the mean of all charges, by four learned tables of charges that start from common
    oxidation states. 0: no charges; 17 puts one on each whole charge from -8 to 8."""
    n_gaussians: int = only_with(bounded(20, least=1), mode="structure")
    gaussian_width: float = only_with(bounded(0.5, above=0, unit="Å"), mode="structure")
    """Å for distances, sr for solid angles."""
    smooth: bool = only_with(True, mode="structure")
    """Let a neighbour's attention fade out towards the thresholds of the builder."""
    smallest_angle: float = only_with(
        bounded(0.4, above=0, unit="sr"), mode="structure", smooth=True
    )
    """sr; where the fading ends: the builder's ``min_solid_angle``."""
    smallest_weight: float = only_with(bounded(0.2, above=0, most=1), mode="structure", smooth=True)
    """The same of the share of the largest face: the builder's ``min_weight``."""
    dropout: float = bounded(0.0, least=0, below=1)
    """After the input layer and in the feed-forward parts."""
    attention_dropout: float = bounded(0.0, least=0, below=1)
    shares: Literal["attention", "presence", "gates"] = "attention"
    """What weighs the values of the atoms. ``attention``: shares of one, which rest on all atoms
    of the structure. ``presence`` (molecules, for answers that rest on motifs): several heads,
    each a softmax over the atoms and nobody. ``gates`` (sums over atoms): a number between 0 and
    1 an atom and head, which rests on what its layers have seen and on nothing else."""
    n_readout_heads: int = only_with(bounded(4, least=1), shares=("presence", "gates"))
    """presence, gates: heads an output."""
    hydrogen_terms: bool = True
    """presence, gates: whether hydrogens have terms; if not, what they add stands with the atoms
    that see them, as in a graph of heavy atoms."""
    consistency: float = bounded(1.2, least=0)
    """Weight of the loss that makes a term be what the prediction loses without the atom; 0: the
    terms add up and promise nothing more."""
    consistency_every: int = only_with(bounded(4, least=1), consistency=Bounds(above=0))
    """On every how many-th batch; by default atoms are masked and taken from the graph in turns."""
    consistency_by: Literal["both", "graph", "mask"] = only_with(
        "both", consistency=Bounds(above=0)
    )
    """In which meaning atoms are absent there. Where an atom is masked its place is seen, and with
    it a motif that its distances betray; taken from the graph it is gone."""
    small_terms: float = bounded(0.0, least=0)
    """Weight of the mean square of the terms in the loss. Many ways to share a sum out fit it
    equally well (what an ether's oxygen takes may stand with it or with its carbons); this asks
    for the smallest."""
    n_outputs: int = bounded(1, least=1)
    predict_scale: bool = False
    """Also predict the logarithm of the noise scale of every output."""
    lower_bounds: tuple[float | None, ...] = ()
    """Smallest possible value of each output in scaled units, for targets that cannot be
    negative; empty: none. The terms add up to the value before the bound."""
    extensive: tuple[bool, ...] = ()
    """Which outputs grow with the number of atoms; empty: none."""

    def check_together(self) -> None:
        """Refuse heads that do not share out the features, and lists for other outputs."""
        if self.n_features % self.n_heads:
            raise SettingsError(
                f"n_features={self.n_features} is not a multiple of n_heads={self.n_heads}."
            )
        if self.extensive and len(self.extensive) != self.n_outputs:
            raise SettingsError(
                f"extensive has {len(self.extensive)} entries for {self.n_outputs} outputs."
            )
        check_bounds(self.lower_bounds, self.n_outputs)
        if self.n_amounts and self.mode == "structure":
            raise SettingsError(
                f"n_amounts={self.n_amounts}: only formulas have numbers of atoms that are not "
                "seen as atoms; leave n_amounts out for structures."
            )
        if self.shares == "attention" and not self.hydrogen_terms:
            raise SettingsError(
                "hydrogen_terms=False: with shares=attention every atom has a term; choose "
                "shares=presence or shares=gates."
            )
        if self.shares != "attention" and self.mode == "formula":
            raise SettingsError(
                f"shares={self.shares} is for structures; leave shares=attention for formulas."
            )
        if self.shares == "presence" and any(self.extensive):
            raise SettingsError(
                "shares=presence does not grow with the number of atoms, and a target does; "
                "choose shares=gates."
            )


@final
class Lens(AdditiveModel[LensConfig]):
    """Local attention over Voronoi neighbours, then a sum of one term an atom and target.

    The terms are returned as ``node_terms``, the attention of each target as
    ``node_target_attention`` and their mean as ``node_attention``. In a formula graph a node is an
    element, and its term and share are those of all its atoms.
    """

    Config = LensConfig
    edge_fields: ClassVar[frozenset[str]] = frozenset(
        {"solid_angles", "edge_weights", "node_weights", "edge_presence"}
    )
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("voronoi", {})
    formula_builder: ClassVar[tuple[str, dict[str, Any]] | None] = ("formula", {"reduce": True})
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)
    fixed_tables: ClassVar[tuple[str, ...]] = ("charges",)
    outer_layers: ClassVar[tuple[str, ...]] = (
        *("embedding", "input", "amount_input", "charge_input", "charges"),
        *("readout.output", "noise", "base"),
    )
    free_settings: ClassVar[frozenset[str]] = (
        frozenset({"dropout", "attention_dropout", "extensive"}) | AdditiveModel.free_settings
    )
    meanings: ClassVar[tuple[Meaning, ...]] = ("graph", "mask")
    readout: AdditiveReadout | SelfStandingReadout
    bounds: Tensor
    extensive: Tensor
    element_table: Tensor
    paper: ClassVar[str] = "the additive readout of atomlens on the local layers of SCANN+ (2023)"

    def __init__(self, config: LensConfig) -> None:
        super().__init__(config)
        c, width = config, config.n_features
        if c.element_vectors == "learned":
            vectors = torch.empty(c.n_elements, c.n_embedding).uniform_(-0.05, 0.05)
            self.embedding = nn.Embedding(c.n_elements, c.n_embedding, _weight=vectors)
            self.input = glorot_linear(c.n_embedding, width)
        else:
            table = first_vectors(c.element_vectors, c.n_elements)
            self.register_buffer("element_table", torch.from_numpy(table))
            self.input = glorot_linear(ELEMENT_VECTORS[c.element_vectors], width)
        if c.mode == "structure":
            self.distance_basis = GaussianBasis(
                c.cutoff, n_centers=c.n_gaussians, width=c.gaussian_width
            )
            self.angle_basis = GaussianBasis(
                2 * math.pi, n_centers=c.n_gaussians, width=c.gaussian_width
            )
            self.distance_input = glorot_linear(c.n_gaussians, width)
            self.angle_input = glorot_linear(c.n_gaussians, width)
        else:
            self.pair = nn.Parameter(torch.ones(width))
            if c.n_amounts:
                self.amounts = ShareBasis(c.n_amounts)
                self.amount_input = glorot_linear(2 * c.n_amounts, width)
        if c.n_charges:
            self.charges = nn.Parameter(torch.from_numpy(first_charges()))
            self.charge_basis = SignedBasis(LARGEST_CHARGE, c.n_charges)
            n_columns = (2 * c.n_charges + 1) * self.charges.shape[1]
            self.charge_input = nn.Linear(n_columns, width, bias=False)
            nn.init.zeros_(self.charge_input.weight)
        self.edge_updates = nn.ModuleList(EdgeUpdate(width) for _ in range(c.n_layers))
        self.layers = nn.ModuleList(
            LocalAttention(width, c.n_heads, c.attention_dropout, c.dropout)
            for _ in range(c.n_layers)
        )
        self.readout, self.noise = self.additive_head(width)
        if c.shares != "attention":
            self.readout = SelfStandingReadout(
                width, c.n_outputs, c.n_readout_heads, saturates=c.shares == "presence"
            )
            self.output_layers = ()
            self.output_blocks = (
                *("readout.query", "readout.output", "readout.intercept"),
                "noise",
            )
        if c.element_base:
            self.base = nn.Linear(self.input.in_features, c.n_outputs, bias=False)
            nn.init.zeros_(self.base.weight)
            self.output_blocks = (*self.output_blocks, "base")
        self.register_buffer("bounds", bounds_tensor(c.lower_bounds), persistent=False)
        grows = torch.tensor(c.extensive or (False,) * c.n_outputs)
        self.register_buffer("extensive", grows, persistent=False)

    @property
    def is_additive(self) -> bool:
        """Yes: one term an atom and target."""
        return True

    @classmethod
    def element_table_name(cls, config: LensConfig) -> str:
        """Return the name of the table of fixed element vectors, if there is one."""
        return "" if config.element_vectors == "learned" else config.element_vectors

    def forward(self, batch: GraphBatch, absence: Absence | None = None) -> ModelOutput:
        """Predict the properties of every graph of the batch, without the absent atoms."""
        absence = Absence() if absence is None else absence
        elements = self._elements(batch, absence)
        nodes = self.input(elements)
        if self.config.mode == "formula" and self.config.n_amounts:
            nodes = nodes + self.amount_input(self.amounts(_shares(batch, absence)))
        if self.config.n_charges:
            nodes = nodes + self.charge_input(self._balance(batch, absence))
        nodes = functional.dropout(functional.silu(nodes), self.config.dropout, self.training)
        layout = EdgeLayout.of(batch.edge_index, batch.n_nodes, batch.edge_presence)
        geometry, bias = self._geometry(batch, nodes), self._fading(batch, layout)
        keep = kept_edges = None
        if absence.removed is not None:
            keep = (~absence.removed).to(nodes.dtype)
            kept_edges = keep.index_select(0, layout.source) * keep.index_select(0, layout.target)
            absent = ABSENT * (1 - kept_edges)
            bias = absent if bias is None else bias + absent
        local: list[Tensor] = []
        for update, layer in zip(self.edge_updates, self.layers, strict=True):
            nodes, geometry, attention = updated_and_attended(
                cast(EdgeUpdate, update),
                cast(LocalAttention, layer),
                nodes,
                geometry,
                layout,
                bias,
                kept_edges,
            )
            local.append(attention)
        base = self.base(elements) if self.config.element_base else None
        index, counts = batch.graph_index, batch.node_counts
        if isinstance(self.readout, SelfStandingReadout):
            silent = None if self.config.hydrogen_terms else batch.atomic_numbers == HYDROGEN
            read = self.readout(
                nodes, index, counts, extensive=self.extensive, keep=keep, silent=silent, base=base
            )
        else:
            amounts = batch.node_weights if self.config.mode == "formula" else None
            read = self.readout(nodes, index, counts, amounts=amounts, keep=keep, base=base)
        return additive_output(
            read,
            self.noise,
            nodes,
            local,
            bounds=self.bounds,
            largest_log_scale=LARGEST_LOG_SCALE,
        )

    def local_pass(self, batch: GraphBatch) -> LocalPass | None:
        """Return the network on one graph layer by layer; None for a formula, or other readouts.

        None with charges, too: an atom that goes changes what all others must balance.
        """
        readout, c = self.readout, self.config
        if c.mode != "structure" or c.n_charges or isinstance(readout, SelfStandingReadout):
            return None
        elements = self._elements(batch, Absence())
        nodes = functional.silu(self.input(elements))
        layout = EdgeLayout.of(batch.edge_index, batch.n_nodes)
        base = self.base(elements) if self.config.element_base else None
        return AttentionPass(
            list(cast(Iterable[LocalAttention], self.layers)),
            list(cast(Iterable[EdgeUpdate], self.edge_updates)),
            nodes=nodes,
            edges=self._geometry(batch, nodes),
            bias=self._fading(batch, layout),
            layout=layout,
            read=lambda nodes: AdditiveReader(
                readout,
                self.noise,
                nodes,
                base=base,
                bounds=self.bounds,
                largest_log_scale=LARGEST_LOG_SCALE,
            ),
        )

    def step_kind(self, step: int) -> Meaning | None:
        """Return in which meaning atoms are absent in the second part of a step's loss, if any."""
        kind = super().step_kind(step)
        by = self.config.consistency_by
        return kind if kind is None or by == "both" else by

    def without(self, batch: GraphBatch, absence: Absence) -> ModelOutput:
        """Return what the model says of a batch without some atoms, hidden or taken out."""
        output: ModelOutput = self(batch, absence)
        return output

    def growing_outputs(self, _device: torch.device) -> Bool[Tensor, " n_outputs"]:
        """Return which outputs are multiplied by the number of atoms."""
        return self.extensive

    def _elements(self, batch: GraphBatch, absence: Absence) -> Float[Tensor, "n_nodes _"]:
        """Return the element vectors, those of masked atoms exchanged for that of nobody."""
        numbers = batch.atomic_numbers
        if absence.masked is not None:
            numbers = numbers.masked_fill(absence.masked, MASK)
        if self.config.element_vectors == "learned":
            learned: Tensor = self.embedding(numbers)
            return learned
        return self.element_table.index_select(0, numbers)

    def _balance(self, batch: GraphBatch, absence: Absence) -> Float[Tensor, "n_nodes _"]:
        """Return the charges of each atom, and as Gaussians what balances all others and theirs.

        In each column of the table, with n atoms of each element: q, -Σ_others n q / n, and
        4 Σ n q / Σ n over the structure or formula.
        """
        numbers, amounts = batch.atomic_numbers, _amounts(batch)
        if absence.masked is not None:
            numbers = numbers.masked_fill(absence.masked, MASK)
        own = self.charges.index_select(0, numbers)
        there = amounts
        if absence.removed is not None:
            there = amounts.masked_fill(absence.removed, 0.0)
        held = torch.cat([own, torch.ones_like(own[:, :1])], dim=1) * there.unsqueeze(1)
        sums = segment_sum(held, batch.graph_index, batch.n_graphs)
        sums = sums.index_select(0, batch.graph_index)
        charge, n_alike = held[:, :-1], amounts.unsqueeze(1)  # of all atoms of the element
        if self.config.mode == "structure":
            n_rows = len(self.charges)
            element = batch.graph_index * n_rows + numbers
            alike = segment_sum(there.unsqueeze(1), element, batch.n_graphs * n_rows)
            n_alike = alike.index_select(0, element)
            charge, n_alike = own * n_alike, n_alike.clamp(min=1.0)
        needed = (charge - sums[:, :-1]) / n_alike
        # a formula of which nothing is left has no mean
        mean = sums[:, :-1] / sums[:, -1:].clamp(min=1.0)
        spread = self.charge_basis(torch.cat([needed, 4 * mean], dim=1).flatten())
        return torch.cat([own, spread.view(batch.n_nodes, -1)], dim=1)

    def _geometry(
        self, batch: GraphBatch, nodes: Float[Tensor, "n_nodes _"]
    ) -> Float[Tensor, "n_edges _"]:
        """Embedded distance times embedded solid angle; in a formula, one vector for all pairs."""
        if self.config.mode == "formula":
            return self.pair.expand(batch.n_edges, -1).to(nodes.dtype)
        if batch.solid_angles is None:
            raise SettingsError(
                "lens reads solid angles: use the `voronoi` builder, or `formula` for formulas."
            )
        by_distance = self.distance_basis, self.distance_input
        by_angle = self.angle_basis, self.angle_input
        return embedded_geometry(by_distance, by_angle, batch.distances, batch.solid_angles)

    def _fading(self, batch: GraphBatch, layout: EdgeLayout) -> Float[Tensor, " n_edges"] | None:
        """Return what is added to the attention's scores.

        In a formula the logarithm of the source's number of atoms; else that of a factor that
        falls to (nearly) zero at each of the builder's thresholds.
        """
        c = self.config
        if c.mode == "formula":
            if batch.node_weights is None:
                return None
            amounts: Tensor = batch.node_weights.log().index_select(0, layout.source)
            return amounts
        if not c.smooth:
            return None
        if batch.solid_angles is None or batch.edge_weights is None:
            raise SettingsError("lens reads Voronoi faces: use the `voronoi` builder.")
        return face_fading(
            batch.solid_angles,
            batch.edge_weights,
            batch.distances,
            smallest_angle=c.smallest_angle,
            smallest_weight=c.smallest_weight,
            cutoff=c.cutoff,
        )

    def regularized_parameters(self) -> list[nn.Parameter]:
        """Return the kernels that SCANN penalises, and those of the readout."""
        linears: list[nn.Module] = [self.readout.input, self.readout.query]
        linears += [self.readout.key, self.readout.head]
        for layer in self.layers:
            assert isinstance(layer, LocalAttention)
            linears += [layer.query, layer.key]
            linears += [m for m in layer.feed_forward if isinstance(m, nn.Linear)]
        linears += [m.linear for m in self.edge_updates if isinstance(m, EdgeUpdate)]
        return [cast(nn.Parameter, m.weight) for m in linears]

    def frozen_parts(self, n_layers: int) -> list[nn.Module | nn.Parameter]:
        """Return embedding, input layers and the first local layers with their geometry."""
        if n_layers > len(self.layers):
            raise SettingsError(
                f"frozen_layers={n_layers} is more than the {len(self.layers)} local layers of "
                "this model."
            )
        parts: list[nn.Module | nn.Parameter] = [self.input, *self.layers[:n_layers]]
        parts += self.edge_updates[:n_layers]
        if self.config.element_vectors == "learned":
            parts.append(self.embedding)
        if self.config.mode == "structure":
            parts += [self.distance_input, self.angle_input]
        else:
            parts.append(self.pair)
            if self.config.n_amounts:
                parts.append(self.amount_input)
        if self.config.n_charges:
            parts += [self.charges, self.charge_input]
        return parts


def _shares(batch: GraphBatch, absence: Absence) -> Float[Tensor, " n_nodes"]:
    """Return the share of the atoms that each element of a formula has, without those removed."""
    amounts = _amounts(batch)
    if absence.removed is not None:
        amounts = amounts.masked_fill(absence.removed, 0.0)
    totals = segment_sum(amounts.unsqueeze(1), batch.graph_index, batch.n_graphs).squeeze(1)
    # a formula of which nothing is left
    return amounts / totals.clamp(min=1.0).index_select(0, batch.graph_index)


def _amounts(batch: GraphBatch) -> Float[Tensor, " n_nodes"]:
    """Return how many atoms of a formula each node stands for; one each where nobody says."""
    given = batch.node_weights
    amounts: Tensor = batch.distances.new_ones(batch.n_nodes) if given is None else given
    return amounts
