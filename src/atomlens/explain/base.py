"""Explanations: a score for each atom, and how it was obtained."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel

if TYPE_CHECKING:
    from ase import Atoms


Outputs = int | slice
"""What is explained: one output of a model, or the mean of several (a spectrum's)."""


def explained_output(
    values: Float[Tensor, "n_graphs n_outputs"], outputs: Outputs
) -> Float[Tensor, " n_graphs"]:
    """Return the output that is explained, of each graph."""
    return values[:, outputs] if isinstance(outputs, int) else values[:, outputs].mean(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeScores:
    """What an explainer returns for one graph and one model."""

    scores: NDArray[np.float64]
    """(n_nodes,)"""
    edge_scores: NDArray[np.float64] | None = None
    """(n_edges,) share of each neighbour pair, where the method gives one"""
    output: ModelOutput


class Explainer(ABC):
    """A method that scores atoms. Never touches the model's weights."""

    name: ClassVar[str]
    """Key in ``EXPLAINERS``."""
    summary: ClassVar[str]
    """What the score means, and what it does not mean."""
    in_target_units: ClassVar[bool] = False
    """Whether scores are changes of the (scaled) prediction, to be shown in the target's unit;
    otherwise they are shares."""

    @abstractmethod
    def explain(self, model: PropertyModel, batch: GraphBatch, outputs: Outputs) -> NodeScores:
        """Score the atoms of a batch of one graph for one output of the model, or the mean of
        several."""


class AttentionExplainer(Explainer):
    """The model's own readout attention (global attention score for SCANN)."""

    name = "attention"
    summary = (
        "share of each atom in the model's readout; the shares of one structure add up to 1. "
        "It says where the model looks, not what would change if the atom were removed, and it "
        "can be compared only inside one structure."
    )

    @torch.no_grad()
    def explain(self, model: PropertyModel, batch: GraphBatch, outputs: Outputs) -> NodeScores:
        """Read the attention that the model returns; the same for every output.

        Raises:
            ExplanationError: the model has no attention over atoms.
        """
        if not model.attends_to_atoms:
            raise ExplanationError(
                f"This {type(model).__name__} has no attention over atoms, each has the same "
                "share; use another method, such as occlusion."
            )
        output = model(batch)
        edges = None
        if output.edge_attention:
            layers = torch.stack([a.mean(dim=1) for a in output.edge_attention])
            edges = layers.mean(dim=0).double().cpu().numpy()
        return NodeScores(
            scores=output.node_attention.double().cpu().numpy(), edge_scores=edges, output=output
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A score for each atom of one structure, for one target, by one method."""

    name: str
    atoms: "Atoms"
    target: str
    unit: str
    method: str
    prediction: float
    std: float | None
    """Standard deviation of the prediction, in the target's unit."""
    std_source: str
    """Where ``std`` comes from: ensemble, heteroscedastic, validation or none."""
    scores: NDArray[np.float64]
    """(n_atoms,), mean over the members of an ensemble."""
    scores_std: NDArray[np.float64] | None = None
    """(n_atoms,), spread over the members of an ensemble."""
    edge_index: NDArray[np.int64] | None = None
    """(2, n_edges): source, target"""
    edge_scores: NDArray[np.float64] | None = None
    """(n_edges,)"""
    baseline: float | None = None
    """What an uninformative explanation would give each atom: 1/n for attention, 0 for changes
    of the prediction that can have either sign."""
    score_unit: str = ""
    """Unit of the scores; empty for shares."""
    model: str = ""
    """Name of the model that was explained."""
    warning: str = ""
    """Why prediction and scores should not be trusted, if there is a reason."""

    def to_atoms(self) -> "Atoms":
        """Return the structure with the per-atom array ``attention`` (the scores)."""
        atoms = self.atoms.copy()
        atoms.set_array("attention", np.asarray(self.scores, dtype=float))
        if self.scores_std is not None:
            atoms.set_array("attention_std", np.asarray(self.scores_std, dtype=float))
        atoms.info.update(name=self.name, target=self.target, method=self.method)
        atoms.info[self.target] = self.prediction
        return atoms

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {
            "name": self.name,
            "target": self.target,
            "unit": self.unit,
            "method": self.method,
            "model": self.model,
            "prediction": self.prediction,
            "std": self.std,
            "std_source": self.std_source,
            "scores": self.scores.tolist(),
            "scores_std": None if self.scores_std is None else self.scores_std.tolist(),
            "score_unit": self.score_unit,
            "baseline": self.baseline,
            "symbols": list(self.atoms.get_chemical_symbols()),
            **({"warning": self.warning} if self.warning else {}),
        }

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained page: the structure in 3D, a table of atoms, the value."""
        from atomlens.reports.page import write_page

        return write_page([self.picture()], path)

    def to_png(self, path: str | Path) -> Path:
        """Write a picture of the structure coloured by score."""
        from atomlens.reports.figures import draw_structure

        return draw_structure(self.picture(), path)

    def picture(self) -> "ExplainedStructure":
        """Return what the reports draw."""
        from atomlens.reports.content import ExplainedStructure

        return ExplainedStructure(
            name=self.name,
            atoms=self.atoms,
            target=self.target,
            unit=self.unit,
            method=self.method,
            prediction=self.prediction,
            std=self.std,
            std_source=self.std_source,
            scores=self.scores,
            scores_std=self.scores_std,
            baseline=self.baseline,
            score_unit=self.score_unit,
            model=self.model,
            warning=self.warning,
        )


if TYPE_CHECKING:
    from atomlens.reports.content import ExplainedStructure
