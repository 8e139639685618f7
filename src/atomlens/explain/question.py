"""What an explainer asks: one number that a trained model says of one structure, in its unit.

A network speaks in scaled units: of energy per atom, say, less what the elements alone explain.
The reader is shown what `predict` returns, so that is what is explained: with the number of
atoms, the sum over the elements, and the probability of a class in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from atomlens.errors import SettingsError, unknown_name
from atomlens.graphs import AtomGraph, GraphBatch, collate
from atomlens.machine import choose_device
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target, output_slices, value_slices

if TYPE_CHECKING:
    from atomlens.predictor.estimates import Estimates
    from atomlens.predictor.inference import RawOutputs
    from atomlens.predictor.trained import TrainedModel

Values = NDArray[np.float64]


class Answers(NamedTuple):
    """What a trained model says of several structures, in the unit of the question."""

    values: Values
    """(n,) as `predict` says it"""
    by_member: Values
    """(n_members, n) what each member of the ensemble would say alone"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """One number that a trained model says of one structure.

    Of several classes it is the probability of the most probable one, of a spectrum the value at
    one point of its grid, or the mean over all of them.
    """

    trained: "TrainedModel"
    models: tuple[PropertyModel, ...]
    """The members of the ensemble, on their device."""
    structures: StructureArrays
    """The one structure."""
    graph: AtomGraph
    batch: GraphBatch
    """The graph alone, on the device of the models."""
    column: int
    """Which target."""
    point: int | None
    """Of a spectrum: which point of the grid; None: the mean over it."""
    label: int | None
    """Of classes: whose probability."""
    value: float
    """What `predict` says."""
    std: float
    """Standard deviation of its error; NaN where nothing is known."""

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
    ) -> "Question":
        """Ask about one structure.

        Args:
            trained: What is asked.
            structures: Holds one structure that the model can take.
            target: Which property; the first by default.
            at: Of a spectrum, the place on its grid; its mean by default.
            device: Where the models run: ``auto``, ``cpu``, ``cuda`` ...
            dtype: Of the graph; that of the models.

        Raises:
            GraphError: the structure has no graph.
            SettingsError: no such target, point of its grid, or device.
        """
        column = _column_of(trained.targets, target)
        chosen = trained.targets[column]
        point = None if at is None else _grid_point(chosen, at)
        graph = trained.builder.build_structure(structures[0])
        models = trained.models_on(device)
        batch = collate([graph], dtype).to(choose_device(device))
        found = trained.estimate(trained.raw_outputs(batch), structures)
        own = value_slices(trained.targets)[column]
        label = int(found.values[0, own.start]) if chosen.kind == "classification" else None
        mean = chosen.is_spectrum and point is None
        return cls(
            trained=trained,
            models=models,
            structures=structures,
            graph=graph,
            batch=batch,
            column=column,
            point=point,
            label=label,
            value=float(_picked(found, trained.targets, column, point, label)[0]),
            std=float("nan") if mean else float(found.std[0, own][point or 0]),
        )

    @property
    def target(self) -> Target:
        """The property that is asked for."""
        return self.trained.targets[self.column]

    @property
    def structure(self) -> Structure:
        """The structure that is asked about."""
        return self.structures[0]

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
    def nodes_are_atoms(self) -> bool:
        """Whether each node of the graph is one atom; in a graph of a formula none is."""
        same = self.graph.n_nodes == len(self.structure.atomic_numbers)
        return same and self.graph.node_weights is None

    def answers(self, batch: GraphBatch, structures: StructureArrays) -> Answers:
        """Return what the model says of other structures.

        Args:
            batch: Their graphs, on the device of the models.
            structures: The n structures: the answer depends on their sizes and elements.
        """
        raw = self.trained.raw_outputs(batch)
        members = [_member(raw, index) for index in range(len(self.models))]
        return Answers(
            values=self._answer(raw, structures),
            by_member=np.stack([self._answer(member, structures) for member in members]),
        )

    def _answer(self, raw: "RawOutputs", structures: StructureArrays) -> Values:
        found = self.trained.estimate(raw, structures)
        return _picked(found, self.trained.targets, self.column, self.point, self.label)

    def answer_to(self, outputs: Sequence[ModelOutput]) -> Float[Tensor, ""]:
        """Return the answer, given what each member returns for this structure.

        It is what `predict` says, as a function whose gradient can be taken.
        """
        place = output_slices(self.trained.targets)[self.column]
        own = torch.stack([o.values[0, place].double() for o in outputs])
        if self.label is not None:
            return own.softmax(dim=1)[:, self.label].mean()
        nothing, one = (np.full((1, outputs[0].values.shape[1]), fill) for fill in (0.0, 1.0))
        offset = self.trained.scaling.decode(nothing, self.structures)[0, place]
        slope = self.trained.scaling.decode(one, self.structures)[0, place] - offset
        values = own.mean(dim=0) * own.new_tensor(slope) + own.new_tensor(offset)
        if self.target.nonnegative:
            values = values * (values > 0)
        return values.mean() if self.point is None else values[self.point]

    def per_atom(self, node_scores: Values) -> Values:
        """(n_nodes,) -> (n_atoms,); a node that stands for several atoms shares its score."""
        if self.nodes_are_atoms:
            return node_scores
        numbers = self.structure.atomic_numbers.astype(np.int64)
        shared = np.zeros(256)
        np.add.at(shared, self.graph.atomic_numbers.numpy(), node_scores)
        each: Values = shared[numbers] / np.bincount(numbers, minlength=256)[numbers]
        return each

    def element_sum(self) -> Values:
        """(n_atoms,) What each atom adds to the answer through its element alone.

        That is the linear fit on the elements that ``reference=elements`` takes away before a
        network learns, and that `predict` adds again; zero without.
        """
        numbers = self.structure.atomic_numbers.astype(np.int64)
        shares = self.trained.scaling.references[self.column]
        each = np.array([shares.get(z, shares.get(0, 0.0)) for z in numbers.tolist()])
        return each if self.target.extensive else each / len(numbers)


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
    label: int | None,
) -> Values:
    """(n,) The number that is asked for."""
    probabilities = found.probabilities[column]
    if label is not None and probabilities is not None:
        return probabilities[:, label]
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
        SettingsError: the target is a single number, or the value is not inside the grid.
    """
    if not target.is_spectrum:
        raise SettingsError(f"at={at:g} chooses a point of a spectrum; {target.name!r} is none.")
    first, last = target.grid[0], target.grid[-1]
    if not first <= at <= last:
        raise SettingsError(
            f"at={at:g} is outside the grid of {target.name!r}, which goes from {first:g} to "
            f"{last:g} {target.grid_unit}."
        )
    return int(np.abs(np.array(target.grid) - at).argmin())
