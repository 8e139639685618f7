"""What an explainer asks: one number that a trained model says of each structure, in its unit.

A network speaks in scaled units: of energy per atom, say, less what the elements alone explain.
The reader is shown what `predict` returns, so that is what is explained: with the number of
atoms, the sum over the elements, and the probability of a class in it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from atomlens.errors import SettingsError, unknown_name
from atomlens.graphs import AtomGraph, GraphBatch, GraphStore
from atomlens.machine import choose_device
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.printing import shown
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target, output_slices, value_slices

if TYPE_CHECKING:
    from atomlens.predictor.inference import RawOutputs
    from atomlens.predictor.trained import TrainedModel
    from atomlens.predictor.trust.estimates import Estimates

Values = NDArray[np.float64]
Indices = NDArray[np.int64]


class Answers(NamedTuple):
    """What a trained model says of several structures, in the unit of the question."""

    values: Values
    """(n,) as `predict` says it"""
    by_member: Values
    """(n_members, n) what each member of the ensemble would say alone"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """One number that a trained model says of each of n structures.

    Of several classes it is the probability of the most probable one, of a spectrum the value at
    one point of its grid, or the mean over all of them.
    """

    trained: "TrainedModel"
    models: tuple[PropertyModel, ...]
    """The members of the ensemble, on their device."""
    structures: StructureArrays
    """The n structures."""
    store: GraphStore
    """Their graphs, on the device of the models."""
    batch: GraphBatch
    """All graphs end to end."""
    column: int
    """Which target."""
    point: int | None
    """Of a spectrum: which point of the grid; None: the mean over it."""
    labels: Indices | None
    """(n,) of classes: whose probability"""
    values: Values
    """(n,) what `predict` says"""
    deviations: Values
    """(n,) standard deviations of its error; NaN where nothing is known"""
    estimates: "Estimates"
    """All that `predict` says"""
    seen: tuple[str, ...]
    """(n,) in which part of the model's training each was; see `TrainedModel.seen_in`"""

    @classmethod
    def about(
        cls,
        trained: "TrainedModel",
        structures: StructureArrays,
        *,
        target: str | None = None,
        at: float | None = None,
        device: str = "auto",
        dtype: torch.dtype = torch.float32,
        graphs: Sequence[AtomGraph] | None = None,
        label: int | None = None,
    ) -> "Question":
        """Ask about structures.

        Args:
            trained: What is asked.
            structures: At least one structure, all of which the model can take.
            target: Which property; the first by default.
            at: Of a spectrum, the place on its grid; its mean by default.
            device: Where the models run: ``auto``, ``cpu``, ``cuda`` ...
            dtype: Of the graphs; that of the models.
            graphs: Those of the structures, where they are at hand.
            label: Of classes: whose probability; the most probable one by default.

        Raises:
            GraphError: a structure has no graph.
            SettingsError: no such target, point of its grid, or device.
        """
        column = _column_of(trained.targets, target)
        chosen = trained.targets[column]
        point = None if at is None else _grid_point(chosen, at)
        if graphs is None:
            graphs = [trained.builder.build_structure(s) for s in structures]
        models = trained.models_on(device)
        store = GraphStore.from_graphs(graphs, dtype=dtype).to(choose_device(device))
        batch = store.batch()
        beyond = trained.beyond(structures, store)
        seen = trained.seen_in(structures)
        found = trained.estimate(trained.raw_outputs(batch), structures, beyond, seen)
        own = value_slices(trained.targets)[column]
        classes = chosen.kind == "classification"
        labels = found.values[:, own.start].astype(np.int64) if classes else None
        if labels is not None and label is not None:
            labels = np.full_like(labels, label)
        std = found.std[:, own][:, point or 0]
        mean = chosen.is_spectrum and point is None
        return cls(
            trained=trained,
            models=models,
            structures=structures,
            store=store,
            batch=batch,
            column=column,
            point=point,
            labels=labels,
            values=_picked(found, trained.targets, column, point, labels),
            deviations=np.full(len(structures), np.nan) if mean else std,
            estimates=found,
            seen=seen,
        )

    @property
    def target(self) -> Target:
        """The property that is asked for."""
        return self.trained.targets[self.column]

    @property
    def structure(self) -> Structure:
        """The first structure."""
        return self.structures[0]

    @property
    def label(self) -> int | None:
        """Of classes: whose probability is asked for, of the first structure."""
        return None if self.labels is None else int(self.labels[0])

    @property
    def value(self) -> float:
        """What `predict` says of the first structure."""
        return float(self.values[0])

    @property
    def std(self) -> float:
        """Standard deviation of its error; NaN where nothing is known."""
        return float(self.deviations[0])

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the interval of the first structure's value; NaN where there are none."""
        place = value_slices(self.trained.targets)[self.column]
        if self.labels is not None or (self.target.is_spectrum and self.point is None):
            return math.nan, math.nan
        column = place.start + (self.point or 0)
        return float(self.estimates.low[0, column]), float(self.estimates.high[0, column])

    @property
    def unit(self) -> str:
        """Unit of the answers, and which class or point of a spectrum they are of."""
        target = self.target
        if self.label is not None:
            return f"probability of {target.classes[self.label]}"
        if not target.is_spectrum:
            return target.unit
        if self.point is None:
            return f"{target.unit} (mean over {target.grid_name})".strip()
        return f"{target.unit} (at {target.grid[self.point]:g} {target.grid_unit})".strip()

    @property
    def temperature(self) -> float:
        """Of classes: what logits are divided by before they are probabilities."""
        column = value_slices(self.trained.targets)[self.column].start
        return self.trained.calibration.temperature(column)

    @property
    def nodes_are_atoms(self) -> bool:
        """Whether each node of the graphs is one atom; in a graph of a formula none is."""
        counts = self.batch.node_counts.cpu().numpy()
        same = bool(np.array_equal(counts, self.structures.n_atoms))
        return same and self.batch.node_weights is None

    @property
    def structure_index(self) -> Indices:
        """(n_atoms,) the structure of each atom."""
        return np.repeat(np.arange(len(self.structures)), self.structures.n_atoms)

    def answers(
        self, batch: GraphBatch, structures: StructureArrays, of: Indices | None = None
    ) -> Answers:
        """Return what the model says of other structures.

        Args:
            batch: Their graphs, on the device of the models.
            structures: The m structures: the answer depends on their sizes and elements.
            of: (m,) which of the question's structures each one stands for; the first by default
                (it matters to classes alone, which have each their most probable one).
        """
        raw = self.trained.raw_outputs(batch)
        return self.answers_of(raw, structures, of)

    def answers_of(
        self, raw: "RawOutputs", structures: StructureArrays, of: Indices | None = None
    ) -> Answers:
        """Return the answers that lie in outputs; see `answers`."""
        labels = self.labels
        if labels is not None:
            labels = labels[np.zeros(len(structures), dtype=np.int64) if of is None else of]
        members = [_member(raw, index) for index in range(len(self.models))]
        own = [self._answer(member, structures, labels) for member in members]
        return Answers(values=self._answer(raw, structures, labels), by_member=np.stack(own))

    def _answer(
        self, raw: "RawOutputs", structures: StructureArrays, labels: Indices | None
    ) -> Values:
        found = self.trained.estimate(raw, structures)
        return _picked(found, self.trained.targets, self.column, self.point, labels)

    def answer_to(
        self, outputs: Sequence[ModelOutput], of: Indices | None = None
    ) -> Float[Tensor, " n_graphs"]:
        """Return the answers, given what each member returns for these structures.

        It is what `predict` says, as a function whose gradient can be taken.

        Args:
            outputs: Of each member.
            of: (n_graphs,) which structure each graph is of; by default they are all, in order.
        """
        place = output_slices(self.trained.targets)[self.column]
        own = torch.stack([o.values[:, place].double() for o in outputs])
        chosen = self.structures if of is None else self.structures.subset(of)
        if self.labels is not None:
            labels = self.labels if of is None else self.labels[of]
            shares = own.softmax(dim=2).mean(dim=0)
            if self.temperature != 1:
                shares = (shares.clamp_min(1e-300).log() / self.temperature).softmax(dim=1)
            return shares.gather(1, _column(labels, shares.device)).squeeze(1)
        zeros = np.zeros((len(chosen), outputs[0].values.shape[1]))
        offset = self.trained.scaling.decode(zeros, chosen)[:, place]
        slope = self.trained.scaling.decode(zeros + 1, chosen)[:, place] - offset
        values = own.mean(dim=0) * own.new_tensor(slope) + own.new_tensor(offset)
        if self.target.nonnegative:
            values = values * (values > 0)
        return values.mean(dim=1) if self.point is None else values[:, self.point]

    def outputs_of_target(
        self, values: Float[Tensor, "n_nodes n_outputs"]
    ) -> Float[Tensor, " n_nodes"]:
        """Of what a network gives each atom and output, return that of the number asked for.

        The mean over the grid of a spectrum; of classes that of the one asked for.
        """
        own = values[:, output_slices(self.trained.targets)[self.column]]
        if self.labels is not None:
            labels = self.labels[self.batch.graph_index.cpu().numpy()]
            return own.gather(1, _column(labels, own.device)).squeeze(1)
        return own.mean(dim=1) if self.point is None else own[:, self.point]

    def per_atom(self, node_scores: Values) -> Values:
        """(n_nodes,) -> (n_atoms,); a node that stands for several atoms shares its score."""
        if self.nodes_are_atoms:
            return node_scores
        of_node = self.batch.graph_index * 256 + self.batch.atomic_numbers
        of_atom = self.structure_index * 256 + self.structures.atomic_numbers
        n_keys = 256 * len(self.structures)
        shared = np.bincount(of_node.cpu().numpy(), weights=node_scores, minlength=n_keys)
        each: Values = shared[of_atom] / np.bincount(of_atom, minlength=n_keys)[of_atom]
        return each

    def element_sum(self) -> Values:
        """(n_atoms,) What each atom adds to the answer through its element alone.

        That is the linear fit on the elements that ``reference=elements`` takes away before a
        network learns, and that `predict` adds again; zero without.
        """
        shares = self.trained.scaling.references[self.column]
        table = np.full(256, shares.get(0, 0.0))
        table[list(shares)] = list(shares.values())
        each: Values = table[self.structures.atomic_numbers]
        return each if self.target.extensive else each / self.atoms_beside

    @property
    def offset(self) -> float:
        """What the contributions of the atoms (`element_terms` and the network's) start from.

        The mean of the training values for an intensive property, 0 for one that is a sum over
        atoms, and for one that cannot be negative.
        """
        if self.target.extensive:
            return 0.0
        scaling = self.trained.scaling
        shares = scaling.references[self.column]
        return shares[0] if shares else scaling.means[self.column]

    def element_terms(self) -> Values:
        """(n_atoms,) What each atom contributes to the answer whatever the network says.

        Of an extensive property the share of its element, or the mean over all atoms; of an
        intensive one by how much its element is above the mean of the training values.
        """
        mean = self.trained.scaling.means[self.column]
        if self.target.extensive:
            return self.element_sum() + mean
        if not self.trained.scaling.references[self.column]:
            return np.zeros(len(self.structures.atomic_numbers))
        return self.element_sum() + (mean - self.offset) / self.atoms_beside

    def network_slope(self) -> Values:
        """(n,) By how much the answer grows with what the network says, without classes."""
        std = self.trained.scaling.stds[self.column]
        amount = self.structures.n_atoms if self.target.extensive else np.ones(len(self.values))
        return std * amount.astype(np.float64)

    @property
    def atoms_beside(self) -> Values:
        """(n_atoms,) number of atoms of the structure that an atom is in."""
        return self.structures.n_atoms[self.structure_index].astype(np.float64)


def _column(labels: Indices, device: torch.device) -> Int[Tensor, "n 1"]:
    return torch.from_numpy(labels).to(device).unsqueeze(1)


def _member(raw: "RawOutputs", index: int) -> "RawOutputs":
    """Return what one member says, as if it were the only one."""
    own = slice(index, index + 1)
    scale = None if raw.log_scale is None else raw.log_scale[own]
    return replace(raw, values=raw.values[own], log_scale=scale)


def _picked(
    found: "Estimates",
    targets: tuple[Target, ...],
    column: int,
    point: int | None,
    labels: Indices | None,
) -> Values:
    """(n,) The number that is asked for."""
    probabilities = found.probabilities[column]
    if labels is not None and probabilities is not None:
        chosen: Values = probabilities[np.arange(len(labels)), labels]
        return chosen
    values = found.values[:, value_slices(targets)[column]]
    mean: Values = values.mean(axis=1) if point is None else values[:, point]
    return mean


def _column_of(targets: tuple[Target, ...], name: str | None) -> int:
    names = [t.name for t in targets]
    if name is None:
        return 0
    if name not in names:
        raise SettingsError(unknown_name("target of this model", name, names))
    return names.index(name)


def _grid_point(target: Target, at: float) -> int:
    """Return the point of a spectrum's grid that is nearest to a value.

    Raises:
        SettingsError: the target is a single number, or the value is no number inside the grid.
    """
    if not isinstance(at, int | float | np.number):
        raise SettingsError(f"at={shown(at)}: it must be a number, a point of the spectrum's grid.")
    if not target.is_spectrum:
        raise SettingsError(f"at={at:g} chooses a point of a spectrum; {target.name!r} is none.")
    first, last = target.grid[0], target.grid[-1]
    if not first <= at <= last:
        raise SettingsError(
            f"at={at:g} is outside the grid of {target.name!r}, which goes from {first:g} to "
            f"{last:g} {target.grid_unit}."
        )
    return int(np.abs(np.array(target.grid) - at).argmin())
