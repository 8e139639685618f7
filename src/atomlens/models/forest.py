"""A random forest on statistics of elemental properties: the baseline for formulas.

Statistics as in Magpie: Ward, Agrawal, Choudhary and Wolverton, npj Comput. Mater. 2, 16028
(2016). The forest is grown by scikit-learn; its trees are kept as plain tensors and walked
here, so that a saved model is read without unpickling and without scikit-learn.
"""

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from atomlens.elements.vectors import ELEMENT_VECTORS
from atomlens.errors import MissingDependencyError, SettingsError, missing_package
from atomlens.graphs import GraphBatch
from atomlens.models.base import ClosedFormModel, ModelOutput
from atomlens.models.baselines import (
    atom_counts,
    check_classes,
    output_places,
    uniform_attention,
)
from atomlens.nn.segment import segment_sum
from atomlens.settings import Settings, bounded, name_of

_LARGEST_FOREST = 8
"""GiB"""
N_STATISTICS = 6
"""Minimum, maximum, range, mean, mean deviation and mode of each property."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestConfig(Settings):
    """Settings of the random forest; the defaults are those of scikit-learn."""

    element_vectors: str = name_of(ELEMENT_VECTORS, "facts", "table of element vectors")
    """Table of elemental properties: facts (pymatgen's) or magpie (matminer's)."""
    n_trees: int = bounded(100, least=1)
    max_depth: int = bounded(0, least=0)
    """Levels of a tree; 0: until every leaf is pure."""
    min_samples_leaf: int = bounded(1, least=1)
    max_features: float = bounded(1.0, above=0, most=1)
    """Share of the statistics that each split chooses from."""
    seed: int = bounded(0, least=0)
    """Decides the samples of each tree."""
    shared: bool = False
    """One forest for all outputs, as training chooses for spectra; else one for each."""
    n_elements: int = bounded(119, least=1)
    n_outputs: int = bounded(1, least=1)
    predict_scale: bool = False
    n_nodes: int = bounded(0, least=0)
    """Nodes of all trees; filled in when the forest is grown."""
    n_classes: tuple[int, ...] = bounded((), least=0)
    """Of each column of values how many classes it has, 0 for a number; empty: numbers alone"""

    def check_together(self) -> None:
        """Refuse classes that do not add up to the outputs, or in a shared forest."""
        check_classes(self)
        if self.shared and self.n_classes:
            raise SettingsError(
                "rf-magpie grows one forest for all points of a spectrum, and classes need one of "
                "their own; train it on the spectrum and on the classes apart."
            )


class _Trees(NamedTuple):
    """Nodes of several trees end to end; children stand behind their parents."""

    left: NDArray[np.int32]
    """(n_nodes,) -1 in a leaf"""
    right: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    """Left if the feature is at most this."""
    value: NDArray[np.float32]
    """(n_nodes, 1), (n_nodes, n_outputs) in a shared forest; (n_nodes, n_classes) shares of the
    classes, as many as the target with most of them has"""
    roots: NDArray[np.int32]
    """(n_trees,)"""


@final
class ForestModel(ClosedFormModel[ForestConfig]):
    """Random forest on Magpie statistics.

    One forest for each target, on its known rows; or one for all, on the rows without a gap. Of
    classes each tree says the shares in its leaf; to their mean comes one tree more that says all
    classes alike, so that none is impossible.
    """

    Config = ForestConfig
    learns_classes = True
    reads_neighbours = False
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("formula", {})
    paper: ClassVar[str] = "Magpie, npj Computational Materials (2016)"
    element_table: Tensor
    left: Tensor
    right: Tensor
    feature: Tensor
    threshold: Tensor
    value: Tensor
    roots: Tensor

    def __init__(self, config: ForestConfig) -> None:
        super().__init__(config)
        n = config.n_nodes
        table = torch.zeros(config.n_elements, ELEMENT_VECTORS[config.element_vectors])
        self.register_buffer("element_table", table)
        self.register_buffer("left", torch.full((n,), -1, dtype=torch.int32))
        self.register_buffer("right", torch.full((n,), -1, dtype=torch.int32))
        self.register_buffer("feature", torch.zeros(n, dtype=torch.int16))
        self.register_buffer("threshold", torch.zeros(n))
        shape = (n, config.n_outputs) if config.shared else (n,)
        shape = (n, max(config.n_classes)) if config.n_classes else shape
        self.register_buffer("value", torch.zeros(shape))
        n_forests = 1 if config.shared else len(output_places(config))
        roots = torch.zeros(n_forests, config.n_trees, dtype=torch.int32)
        self.register_buffer("roots", roots)

    @classmethod
    def check_packages(cls) -> None:
        """Refuse to be trained without scikit-learn, whose extra brings the table `facts`, too."""
        if find_spec("sklearn") is None:
            raise _without_scikit_learn()

    @classmethod
    def element_table_name(cls, config: ForestConfig) -> str:
        """Return the name of the table of elemental properties."""
        return config.element_vectors

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Return the mean of the trees; every atom has the same share."""
        statistics = self.statistics(batch)
        if self.config.n_nodes == 0:  # not grown yet
            values = torch.zeros(batch.n_graphs, self.config.n_outputs, device=self.value.device)
        else:
            values = self._walk(statistics)
        dtype = batch.distances.dtype
        return ModelOutput(
            values=values.to(dtype),
            node_attention=uniform_attention(batch),
            description=(statistics / self._sizes().repeat(N_STATISTICS)).to(dtype),
        )

    def _sizes(self) -> Float[Tensor, " n_properties"]:
        """Return how far elements are apart in each property: densities and radii become alike."""
        spread = self.element_table.std(dim=0)
        return torch.where(spread > 0, spread, 1.0)

    def statistics(self, batch: GraphBatch) -> Float[Tensor, "n_graphs n_statistics"]:
        """Return minimum, maximum, range, mean, mean deviation and mode of each property.

        Mean and mean absolute deviation are weighted by the amounts of the elements; the mode
        is the property of the most abundant element, the smallest where several are. Columns
        stand statistic by statistic, in float32 as scikit-learn has them.
        """
        keys = batch.graph_index * self.config.n_elements + batch.atomic_numbers
        pairs, place = torch.unique(keys, return_inverse=True)  # element by element, in order
        graph = pairs // self.config.n_elements
        amounts = segment_sum(atom_counts(batch, torch.float64), place, len(pairs))
        table = self.element_table.double()
        properties = table.index_select(0, pairs % self.config.n_elements)
        n_graphs, rows = batch.n_graphs, graph.unsqueeze(1).expand_as(properties)
        totals = segment_sum(amounts, graph, n_graphs)
        shares = (amounts / totals.index_select(0, graph)).unsqueeze(1)

        def extreme(values: Tensor, kind: str) -> Tensor:
            start = values.new_zeros(n_graphs, values.shape[1])
            return start.scatter_reduce(0, rows, values, kind, include_self=False)

        lowest, highest = extreme(properties, "amin"), extreme(properties, "amax")
        mean = segment_sum(shares * properties, graph, n_graphs)
        distance = (properties - mean.index_select(0, graph)).abs()
        deviation = segment_sum(shares * distance, graph, n_graphs)
        most = amounts.new_zeros(n_graphs).scatter_reduce(0, graph, amounts, "amax")
        abundant = (amounts == most.index_select(0, graph)).unsqueeze(1)
        mode = extreme(torch.where(abundant, properties, torch.inf), "amin")
        columns = [lowest, highest, highest - lowest, mean, deviation, mode]
        return torch.cat(columns, dim=1).float()

    def _walk(self, features: Float[Tensor, "n_graphs n_features"]) -> Float[Tensor, "n_graphs _"]:
        """Go down all trees at once, and average over those of a target."""
        n_graphs = len(features)
        node = self.roots.long().flatten().repeat(n_graphs, 1)
        left, right, feature = self.left.long(), self.right.long(), self.feature.long()
        while True:
            inner = left[node] >= 0
            if not inner.any():
                break
            goes_left = features.gather(1, feature[node]) <= self.threshold[node]
            node = torch.where(inner, torch.where(goes_left, left[node], right[node]), node)
        if self.config.shared:
            return self._mean_leaf(node, self.config.n_outputs)
        if self.config.n_classes:
            return self._shares(node)
        values = self.value[node].double().view(n_graphs, *self.roots.shape)
        return values.mean(dim=2)

    def _mean_leaf(
        self, leaf: Int[Tensor, "n_graphs n_trees"], width: int
    ) -> Float[Tensor, "n_graphs _"]:
        """Average the rows of the leaves, one tree after the other: they may be long."""
        total = self.value.new_zeros(len(leaf), width, dtype=torch.float64)
        for tree in leaf.T:
            total += self.value[tree, :width]
        return total / leaf.shape[1]

    def _shares(self, leaf: Int[Tensor, "n_graphs n_trees"]) -> Float[Tensor, "n_graphs _"]:
        """Return the logarithms of the shares of a target's classes, the mean of a number."""
        n_trees, outputs = self.config.n_trees, []
        for column, _, n in output_places(self.config):
            mean = self._mean_leaf(leaf[:, column * n_trees : (column + 1) * n_trees], max(n, 1))
            outputs.append(((n_trees * mean + 1 / n) / (n_trees + 1)).log() if n else mean)
        return torch.cat(outputs, dim=1)

    def fit(self, batch: GraphBatch, targets: Float[Tensor, "n_graphs n_targets"]) -> None:
        """Grow the trees of each target on the rows where it is known.

        Raises:
            MissingDependencyError: scikit-learn is not installed.
            SettingsError: a shared forest has no row without a gap, or takes too much memory.
        """
        features, values = self.statistics(batch).numpy(), targets.double().numpy()
        grown: list[_Grown] = []
        for place in [None] if self.config.shared else output_places(self.config):
            columns = values if place is None else values[:, place.column]
            known = ~np.isnan(columns) if columns.ndim == 1 else ~np.isnan(columns).any(axis=1)
            _check_size(self.config, int(known.sum()))
            n_classes = 0 if place is None else place.n_classes
            grown += _grown(self.config, features[known], columns[known], n_classes)
        starts = np.cumsum([0, *(one.tree.node_count for one in grown)])
        trees = [_tree(one, int(start)) for one, start in zip(grown, starts, strict=False)]
        arrays = _Trees(*(np.concatenate(parts) for parts in zip(*trees, strict=True)))
        state = {name: torch.from_numpy(array) for name, array in arrays._asdict().items()}
        state["roots"] = state["roots"].view(-1, self.config.n_trees)
        self._take(state)

    def _take(self, state: dict[str, Tensor]) -> None:
        for name, tensor in state.items():
            self.register_buffer(name, tensor.to(self.element_table.device))
        self.config = replace(self.config, n_nodes=len(state["left"]))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Make room for as many nodes as there are, and refuse trees that cannot be walked."""
        state = {n: state_dict[prefix + n] for n in _Trees._fields if prefix + n in state_dict}
        if len(state) == len(_Trees._fields):
            _check(state, N_STATISTICS * self.element_table.shape[1], self.config)
            self._take({name: torch.empty_like(tensor) for name, tensor in state.items()})
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _check(state: dict[str, Tensor], n_features: int, config: ForestConfig) -> None:
    """Raise a ValueError for trees with ends or features that do not exist."""
    width = max(config.n_classes, default=0)
    if width and state["value"].shape[1:] != (width,):
        raise ValueError("the leaves of the forest are of other classes")
    n = len(state["left"])
    place = torch.arange(n)
    leaf = state["left"] < 0
    for side in ("left", "right"):
        child = state[side].cpu().long()
        if not (leaf.cpu() | ((child > place) & (child < n))).all():
            raise ValueError("a tree of the forest has a branch that leads nowhere")
    if n and not (0 <= int(state["feature"].min()) <= int(state["feature"].max()) < n_features):
        raise ValueError("a tree of the forest asks for a property that does not exist")
    if n and not (0 <= int(state["roots"].min()) <= int(state["roots"].max()) < n):
        raise ValueError("a tree of the forest has no root")


def _check_size(config: ForestConfig, n_rows: int) -> None:
    """Raise a SettingsError for a shared forest that cannot be grown here."""
    if not config.shared:
        return
    if not n_rows:
        raise SettingsError(
            "rf-magpie learns spectra without gaps only, and every material of the training part "
            "has one; choose a smaller grid, or hold the last values beyond the end."
        )
    n_leaves = config.n_trees * max(1, n_rows // config.min_samples_leaf)
    size = 2 * n_leaves * config.n_outputs * 8 / 2**30  # GiB, as scikit-learn keeps it
    if size > _LARGEST_FOREST:
        raise SettingsError(
            f"A forest of {config.n_trees} trees on {n_rows} spectra of {config.n_outputs} points "
            f"takes up to {size:.0f} GiB; choose a coarser grid, fewer trees (model.n_trees) or "
            "larger leaves (model.min_samples_leaf)."
        )


class _Grown(NamedTuple):
    """A tree of scikit-learn, and what its leaves say."""

    tree: Any
    value: NDArray[np.float32]
    """(n_nodes, width)"""


def _without_scikit_learn() -> MissingDependencyError:
    return missing_package(
        "The model rf-magpie",
        "scikit-learn",
        "sklearn",
        'take a model that needs none: --model lens (in Python model="lens")',
    )


def _grown(
    config: ForestConfig,
    features: NDArray[np.float32],
    values: NDArray[np.float64],
    n_classes: int,
) -> list[_Grown]:
    """Grow a forest, and return its trees as scikit-learn has them.

    Args:
        config: How many trees, and how large.
        features: (n_rows, n_features)
        values: (n_rows, ...)
        n_classes: 0 for numbers, else the values are numbers of classes.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    except ImportError:
        raise _without_scikit_learn() from None
    forest = (RandomForestClassifier if n_classes else RandomForestRegressor)(
        n_estimators=config.n_trees,
        max_depth=config.max_depth or None,
        min_samples_leaf=config.min_samples_leaf,
        max_features=config.max_features,
        random_state=config.seed,
    ).fit(features, values)
    trees = [one.tree_ for one in forest.estimators_]
    if not n_classes:
        return [_Grown(one, _padded(one.value[:, :, 0], config)) for one in trees]
    there = forest.classes_.astype(np.int64)  # training may have none of a class
    grown = []
    for one in trees:
        shares = np.zeros((one.node_count, n_classes))
        shares[:, there] = one.value[:, 0] / one.value[:, 0].sum(axis=1, keepdims=True)
        grown.append(_Grown(one, _padded(shares, config)))
    return grown


def _padded(values: NDArray[np.float64], config: ForestConfig) -> NDArray[np.float32]:
    """(n_nodes, width) as wide as those of the target with most classes; the rest is never read."""
    missing = max(config.n_classes, default=0) - values.shape[1]
    return np.pad(values, ((0, 0), (0, max(missing, 0)))).astype(np.float32)


def _leaf_values(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a number a node if there is one output, else a row a node."""
    return values[:, 0] if values.shape[1] == 1 else values


def _tree(grown: _Grown, start: int) -> _Trees:
    """Return one tree of scikit-learn, its first node being number ``start``."""
    tree = grown.tree
    inner = tree.children_left >= 0
    # features are float32: x <= t for the float64 t is x <= the nearest float32 not above t
    threshold = tree.threshold.astype(np.float32)
    below = np.nextafter(threshold, np.float32(-np.inf))
    return _Trees(
        left=np.where(inner, tree.children_left + start, -1).astype(np.int32),
        right=np.where(inner, tree.children_right + start, -1).astype(np.int32),
        feature=np.where(inner, tree.feature, 0).astype(np.int16),
        threshold=np.where(threshold > tree.threshold, below, threshold),
        value=_leaf_values(grown.value),
        roots=np.array([start], dtype=np.int32),
    )
