"""What every model owes its callers."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import Field, dataclass
from typing import Any, ClassVar, Generic, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from typing_extensions import TypeVar

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models.local import LocalPass


@runtime_checkable
class ModelConfig(Protocol):
    """What every dataclass of a model's settings has, whatever else it has."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def n_outputs(self) -> int:
        """Numbers that are predicted for each graph."""

    @property
    def n_elements(self) -> int:
        """Size of the element table; atomic numbers are below it."""

    @property
    def predict_scale(self) -> bool:
        """Whether the model also predicts ``log_scale``."""


ConfigT = TypeVar("ConfigT", bound=ModelConfig, default=Any)
"""The dataclass of a model's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """What a model returns: values, and the attention that produced them."""

    values: Float[Tensor, "n_graphs n_outputs"]
    """In scaled units; logits for classification targets."""
    log_scale: Float[Tensor, "n_graphs n_outputs"] | None = None
    """Logarithm of the predicted noise scale (standard deviation for the Gaussian loss,
    Laplace b for the robust L1 loss), in scaled units."""
    node_attention: Float[Tensor, " n_nodes"]
    """Share of each atom in the readout; adds up to one in every graph."""
    node_scores: Float[Tensor, " n_nodes"] | None = None
    """The raw score before normalisation and softmax, where the readout has one."""
    edge_attention: tuple[Float[Tensor, "n_edges _"], ...] = ()
    """One tensor a layer, one column a head; adds up to one over the edges of each target."""
    node_terms: Float[Tensor, "n_nodes n_outputs"] | None = None
    """What each atom adds to each output, in scaled units, where the model is a sum of such
    terms: they add up to the values (before a lower bound)."""
    node_target_attention: Float[Tensor, "n_nodes n_outputs"] | None = None
    """The attention of each output, where each has its own; ``node_attention`` is their mean."""
    node_features: Float[Tensor, "n_nodes _"] | None = None
    graph_features: Float[Tensor, "n_graphs _"] | None = None
    description: Float[Tensor, "n_graphs _"] | None = None
    """What a model that makes no vector of a structure reads of it, in numbers of about one size,
    by which structures are compared."""


class PropertyModel(nn.Module, ABC, Generic[ConfigT]):
    """A network from a `GraphBatch` to a `ModelOutput`."""

    Config: ClassVar[type]
    """Frozen dataclass with every setting; has the fields ``n_outputs`` (all models),
    ``n_elements`` (size of the element table) and ``predict_scale`` (log_scale or not)."""
    learns_in_steps: ClassVar[bool] = True
    """Whether gradient steps find its weights, and its noise; else a formula does."""
    learns_classes: ClassVar[bool] = True
    """Whether it learns classes as well as numbers."""
    makes_vectors: ClassVar[bool] = True
    """Whether it goes from vectors of elements to one of the structure; else it reads numbers."""
    looks_at_atoms: ClassVar[bool] = True
    """Whether its answer depends on the structure at all."""
    reads_neighbours: ClassVar[bool] = True
    """Whether ``forward`` reads pairs of atoms; else which atoms there are is all it knows."""
    edge_fields: ClassVar[frozenset[str]] = frozenset()
    """Optional fields of the batch that ``forward`` reads, of edges, atoms or the whole."""
    older_settings: ClassVar[Mapping[str, Any]] = {}
    """Values of settings that folders written before them do not name."""
    retired_settings: ClassVar[frozenset[str]] = frozenset()
    """Settings that earlier folders name and that never had an effect."""
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("voronoi", {})
    """Name and settings of the neighbour builder the paper used, for molecules."""
    formula_builder: ClassVar[tuple[str, dict[str, Any]] | None] = None
    """The same for bare formulas, if the model can learn from either."""
    paper: ClassVar[str] = ""
    """Where the architecture was published."""
    element_tables: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters that have one learned row per atomic number."""
    fixed_tables: ClassVar[tuple[str, ...]] = ()
    """Names of tables with a row an element besides, which are no vectors that an atom starts from:
    where the vector of one atom is changed, it keeps its row of these."""
    outer_layers: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the names of the first and last layers, whose matrices ``optimizer=muon``
    leaves to AdamW; empty where nobody has tried it."""
    output_layers: tuple[str, ...] = ()
    """Names of the linear layers that make the outputs: their rows are the values and then,
    with ``predict_scale``, the logarithms of the noise (if these have no layer of their own)."""
    output_blocks: tuple[str, ...] = ()
    """Names of other layers whose rows are blocks, one an output."""
    noise_layer: str = ""
    """Name of the linear layer that makes the logarithms of the noise, and nothing else, of
    silu(``graph_features``); empty where there is no such layer."""
    free_settings: ClassVar[frozenset[str]] = frozenset()
    """Fields of ``Config`` that may change when trained weights are trained further: those that
    matter while training only."""

    config: ConfigT

    def __init__(self, config: ConfigT) -> None:
        super().__init__()
        self.config = config

    @classmethod
    def takes_formulas(cls) -> bool:
        """Whether ``forward`` reads the amounts of the elements (``node_weights``).

        To other models all formulas of the same elements look alike: Fe2O3 and Fe3O4.
        """
        builders = [cls.default_builder, cls.formula_builder]
        return any(builder is not None and builder[0] == "formula" for builder in builders)

    @property
    def attends_to_atoms(self) -> bool:
        """Whether ``node_attention`` can differ from atom to atom."""
        return True

    @property
    def is_additive(self) -> bool:
        """Whether the values are sums of ``node_terms``, one of each atom."""
        return False

    @property
    def knows_masks(self) -> bool:
        """Whether training has taught the network row 0 of its elements: an atom unnamed."""
        return False

    @abstractmethod
    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Predict the properties of every graph of the batch."""

    @property
    def n_parameters(self) -> int:
        """Number of trainable numbers."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @classmethod
    def check_packages(cls) -> None:
        """Refuse to be trained where a package is missing that training alone needs.

        Raises:
            MissingDependencyError: it is not installed.
        """

    @classmethod
    def element_table_name(cls, _config: Any) -> str:
        """Return the name of the fixed element vectors that a configuration asks for.

        Training puts them into the buffer ``element_table`` of shape (n_elements, n_numbers);
        rows of zeros stand for elements without a vector. Empty: the model needs no table.
        """
        return ""

    def knows_elements(self) -> Bool[Tensor, " n_elements"]:
        """Return which atomic numbers the model can take."""
        table = dict(self.named_buffers()).get("element_table")
        if table is None:
            return torch.ones(self.config.n_elements, dtype=torch.bool)
        return table.ne(0).any(dim=1).cpu()

    def auxiliary_loss(
        self,
        _batch: GraphBatch,
        _output: ModelOutput,
        _step: int,
        _real: Bool[Tensor, " n_graphs"] | None = None,
    ) -> Float[Tensor, ""] | None:
        """Return what the model adds to the loss of its targets in a training step, if anything.

        Random numbers are drawn from torch's own generator of the device, which training seeds
        anew for every step. Graphs that are not real only fill a batch of fixed size; they must
        not count.
        """
        return None

    def step_kind(self, _step: int) -> Hashable:
        """Return a name for what `auxiliary_loss` does in a step.

        Steps of one kind run the same operations; on CUDA each kind is recorded once.
        """
        return None

    def constrain_weights(self) -> None:
        """Bring the weights back into the range the paper allows; called after every step."""

    def regularized_parameters(self) -> list[nn.Parameter]:
        """Return the parameters on which the paper puts its L2 penalty; none by default."""
        return []

    def local_pass(self, _batch: GraphBatch) -> LocalPass | None:
        """Return the network on one graph layer by layer, for changes that reach a few atoms.

        None where a change of one atom reaches all of them before the readout, or nobody has
        written it.
        """
        return None

    def frozen_parts(self, n_layers: int) -> list[nn.Module | nn.Parameter]:
        """Return the first layers and everything before them, which fine-tuning can freeze.

        Parameters that belong to no module of their own are parts, too.

        Raises:
            SettingsError: the model has fewer layers, or none that could be frozen.
        """
        raise SettingsError(
            f"frozen_layers={n_layers}: a {type(self).__name__} has no layers that can be frozen; "
            "leave it at 0."
        )


class ClosedFormModel(PropertyModel[ConfigT]):
    """A model that is fitted by one formula instead of gradient steps."""

    learns_in_steps = False
    learns_classes = False
    makes_vectors = False

    @property
    def attends_to_atoms(self) -> bool:
        """No: every atom has the same share."""
        return False

    @abstractmethod
    def fit(self, batch: GraphBatch, targets: Float[Tensor, "n_graphs n_targets"]) -> None:
        """Set the weights from all training graphs and their scaled targets at once."""
