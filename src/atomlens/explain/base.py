"""Explanations: a score for each atom, and how it was obtained."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import ExplanationError, SettingsError
from atomlens.explain import EXPLAINERS, check_method
from atomlens.explain.question import Question
from atomlens.explain.vectors import vector_table
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.printing import cut, kind_of_object
from atomlens.structures.doubts import NO_DOUBTS, Doubts

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomScores:
    """What an explainer returns."""

    scores: NDArray[np.float64]
    """(n_atoms,) of what `predict` says, so of the ensemble as one"""
    by_member: NDArray[np.float64]
    """(n_members, n_atoms) of each member by itself, for the spread"""
    edge_scores: NDArray[np.float64] | None = None
    """(n_edges,) share of each neighbour pair, where the method gives one"""
    errors: NDArray[np.float64] | None = None
    """(n_atoms,) standard error of scores that were sampled"""
    reference: NDArray[np.float64] | None = None
    """(n_structures,) what `predict` says where the scores start from, of methods whose scores
    share out the difference to it"""
    joint: bool = False
    """Whether scores were found for all members together, so that they have no spread"""


class Explainer(ABC):
    """A method that scores atoms. Never touches the model's weights."""

    name: ClassVar[str]
    """Key in ``EXPLAINERS``."""
    in_target_units: ClassVar[bool] = False
    """Whether scores are changes of what `predict` says, in its unit; otherwise they are
    shares."""
    signed: ClassVar[bool] = False
    """Whether scores are above or below "no effect", whichever signs one structure happens to
    have."""
    single_pass: ClassVar[bool] = False
    """Whether each score comes from one pass of the structure, so that networks thinned by dropout
    can be asked one by one."""
    adds_up: ClassVar[bool] = False
    """Whether the scores add up to the prediction less the question's ``offset``."""

    @abstractmethod
    def explain(self, question: Question) -> AtomScores:
        """Score the atoms of a structure by their part in the answer to a question.

        Raises:
            ExplanationError: the method cannot be used on this model or structure.
        """

    def score_unit(self, question: Question) -> str:
        """Return the unit of the scores; empty for shares."""
        return question.unit if self.in_target_units else ""


Method: TypeAlias = str | type[Explainer] | Explainer
"""Name of a method, or an explainer of one's own: its class, or an instance of it."""


def explainer_of(method: Method) -> Explainer:
    """Return the explainer that is meant.

    Raises:
        SettingsError: there is no such method, or an explainer of somebody's own is called like
            one of those here, whose tests and sentences are not about it.
    """
    if isinstance(method, str):
        check_method(method)
        return EXPLAINERS[method]()
    made = method() if isinstance(method, type) and issubclass(method, Explainer) else method
    if not isinstance(made, Explainer):
        raise SettingsError(
            f"The method is {kind_of_object(method)}; give the name of one ("
            f"{', '.join(EXPLAINERS)}), or a subclass of atomlens.explain.Explainer."
        )
    name = getattr(made, "name", "")
    if not isinstance(name, str) or not name:
        raise SettingsError(f"The explainer {type(made).__name__} has no name; set `name`.")
    if name in EXPLAINERS and type(made) is not EXPLAINERS[name]:
        raise SettingsError(
            f"The explainer {type(made).__name__} is called {name!r} like one of atomlens; give "
            "it another `name`."
        )
    return made


def methods_of(model: PropertyModel) -> tuple[str, ...]:
    """Return the names of the basic methods that a model has, the most exact one first."""
    return (
        *(["contribution"] if model.is_additive else []),
        *(["attention"] if model.attends_to_atoms else []),
        "occlusion",
        *(["gradient", "integrated-gradients"] if vector_table(model) else []),
    )


def default_method(model: PropertyModel) -> str:
    """Return the most exact method that a model has: contribution, attention or occlusion."""
    return methods_of(model)[0]


def methods_sentence(model: PropertyModel) -> str:
    """Return in words which methods a model has."""
    return f"use another method: {', '.join(methods_of(model))}."


class AttentionExplainer(Explainer):
    """The model's own readout attention (global attention score for SCANN).

    The share of each atom in the readout: where the model looks, not what would change if the
    atom were removed. The shares of one structure add up to 1, and can be compared only inside
    it. They are the same for every target.
    """

    name = "attention"
    single_pass = True

    @torch.no_grad()
    def explain(self, question: Question) -> AtomScores:
        """Read the attention that the models return.

        Raises:
            ExplanationError: the model has no attention over atoms.
        """
        model = question.models[0]
        if not model.attends_to_atoms:
            raise ExplanationError(
                f"This {type(model).__name__} has no attention over atoms, each has the same "
                f"share; {methods_sentence(model)}"
            )
        outputs = [model(question.batch) for model in question.models]
        shares = [question.per_atom(_array(_attention(question, o))) for o in outputs]
        edges = None
        if all(o.edge_attention for o in outputs):  # mean over heads, layers and members
            layers = [torch.stack([a.mean(dim=1) for a in o.edge_attention]) for o in outputs]
            edges = np.mean([_array(a.mean(dim=0)) for a in layers], axis=0)
        return AtomScores(
            scores=np.mean(shares, axis=0), by_member=np.stack(shares), edge_scores=edges
        )


@final
class RolloutExplainer(Explainer):
    """The readout's attention, handed down through the attention over neighbours, layer by layer.

    Abnar and Zuidema, "Quantifying attention flow in transformers" (2020): in each layer an atom
    keeps half of its share (the residual path) and gives the other half to the neighbours that it
    attends to. What is left at the bottom are shares of the atoms as they came in, while plain
    attention weighs atoms that have seen their surroundings already.
    """

    name = "attention-rollout"
    single_pass = True

    @torch.no_grad()
    def explain(self, question: Question) -> AtomScores:
        """Hand the shares down.

        Raises:
            ExplanationError: the model does not attend to neighbours.
        """
        model = question.models[0]
        outputs = [m(question.batch) for m in question.models]
        if not all(o.edge_attention for o in outputs):
            raise ExplanationError(
                f"This {type(model).__name__} has no attention over neighbours that could be "
                f"followed; {methods_sentence(model)}"
            )
        shares = [question.per_atom(_array(_rolled(question, o))) for o in outputs]
        return AtomScores(scores=np.mean(shares, axis=0), by_member=np.stack(shares))


def _rolled(question: Question, output: ModelOutput) -> torch.Tensor:
    source, target = question.batch.edge_index
    share = _attention(question, output)
    for layer in reversed(output.edge_attention):
        weights = layer.mean(dim=1)
        given = torch.zeros_like(share).index_add_(0, target, weights)  # one, or none without edges
        handed = torch.zeros_like(share).index_add_(0, source, weights * share[target])
        share = (1 - 0.5 * given) * share + 0.5 * handed
    return share


def _attention(question: Question, output: ModelOutput) -> torch.Tensor:
    """Return the attention for the target that is asked about."""
    if output.node_target_attention is None:
        return output.node_attention
    return question.outputs_of_target(output.node_target_attention)


def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.double().cpu().numpy()
    return array


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
    """Where ``std`` comes from: ensemble, heteroscedastic, validation; without one ``none`` (the
    model has none), or ``none for this structure``, ``... this property``, ``... a class``, ``... a
    mean`` (over a spectrum)."""
    scores: NDArray[np.float64]
    """(n_atoms,), mean over the members of an ensemble."""
    scores_std: NDArray[np.float64] | None = None
    """(n_atoms,), standard deviation of the scores, see ``scores_std_source``"""
    scores_std_source: str = ""
    """Over what: ``ensemble``, ``dropout`` (networks thinned by it), ``sampling``, or
    ``ensemble and sampling`` (both, added as squares); empty if the spread is unknown."""
    rank_stability: float | None = None
    """Mean rank correlation of the atoms' scores between the networks of the spread: 1, if all
    order the atoms alike."""
    leading_share: float | None = None
    """In which share of those networks the atom with the largest score (its sign does not count),
    or one that symmetry makes equal to it, leads as well."""
    edge_index: NDArray[np.int64] | None = None
    """(2, n_edges): source, target"""
    edge_scores: NDArray[np.float64] | None = None
    """(n_edges,)"""
    edge_lengths: NDArray[np.float64] | None = None
    """(n_edges,) Å: of several images of a neighbour it says which one is meant"""
    baseline: float | None = None
    """What an uninformative explanation would give each atom: 1/n for attention, 0 for changes
    of the prediction that can have either sign."""
    score_unit: str = ""
    """Unit of the scores; empty for shares."""
    offset: float | None = None
    """What the scores start from, where offset and scores add up to the prediction: the mean of
    the training values, or 0."""
    reference: float | None = None
    """What the model says of the reference, in the unit of the scores, of methods whose scores add
    up to the prediction less that: integrated and expected gradients, Shapley values."""
    model: str = ""
    """Name of the model that was explained."""
    tested: str = ""
    """Whether the method has passed the test of `atomlens faithful` on this model."""
    made_by: Mapping[str, str] = field(default_factory=dict)
    """What tells the model from others: `Predictor.identity`."""
    std_words: str = ""
    """The same as ``std_source``, in a sentence."""
    low: float | None = None
    """Lower end of the interval that holds the true value in 90 % of cases, as `predict` says it;
    None where there is none."""
    high: float | None = None
    """Its upper end."""
    interval: float | None = None
    """Which share of true values lies between the ends (0.9); None where there are none."""
    unlike: float | None = None
    """How unlike the training data the structure is: the share in percent of the validation part
    that is nearer to it; None if the model cannot say."""
    doubts: Doubts = NO_DOUBTS
    """Why prediction and scores should not be trusted, if there is a reason."""
    seen: str = ""
    """In which part of the model's training the structure was (``train``, ``validation``, ``test``,
    ``pretraining``), by content and not by name; empty if in none, or if nobody knows."""
    source: str = ""
    """Path of the file, or text, that the structure was read from; empty if nobody knows."""

    @property
    def warning(self) -> str:
        """Why prediction and scores should not be trusted; empty if there is no reason."""
        return str(self.doubts)

    def to_atoms(self) -> "Atoms":
        """Return the structure with the scores as a per-atom array.

        It is called ``contribution`` for this method, and ``attention`` for all others.
        """
        atoms = self.atoms.copy()
        column = "contribution" if self.method == "contribution" else "attention"
        atoms.set_array(column, np.asarray(self.scores, dtype=float))
        if self.scores_std is not None:
            atoms.set_array(f"{column}_std", np.asarray(self.scores_std, dtype=float))
        atoms.info.update(self.facts())
        return atoms

    def to_rows(self) -> list[dict[str, str | int | float]]:
        """Return a row an atom, all with the same columns.

        ``name``, ``atom`` (counted from 0), ``element``, ``score``, ``score_std`` and the place
        ``x``, ``y``, ``z`` in Å; NaN where it is not known, as the place of an atom of a formula.
        """
        n = len(self.atoms)
        unknown = np.full((n, 3), np.nan)
        places = unknown if self.atoms.info.get("is_formula") else self.atoms.positions
        deviations = unknown[:, 0] if self.scores_std is None else self.scores_std
        columns = (
            [self.name] * n,
            range(n),
            self.atoms.get_chemical_symbols(),
            self.scores.tolist(),
            np.asarray(deviations, dtype=float).tolist(),
            *places.T.tolist(),
        )
        names = ("name", "atom", "element", "score", "score_std", "x", "y", "z")
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def to_frame(self) -> "pd.DataFrame":
        """Return a table with the rows of `to_rows`; those of several can be put end to end."""
        import pandas as pd

        return pd.DataFrame(self.to_rows())

    def facts(self, *, unknown: bool = False) -> dict[str, str | float]:
        """Return what is said of the structure as a whole, called as the columns of `predict` are.

        ``name``, ``target``, ``method``, the value under the name of its target, ``TARGET_std``,
        ``TARGET_low`` and ``TARGET_high``, ``unit``, ``interval``, ``unlike``, ``source``,
        ``seen_in`` and ``warning``, each where it is known. What would be called like the target
        gets an underscore behind it. With ``unknown`` those that are not known are empty texts.
        """
        facts: dict[str, str | float] = {
            "name": self.name,
            "target": self.target,
            "method": self.method,
            self.target: self.prediction,
        }
        beside: dict[str, str | float | None] = {
            f"{self.target}_std": self.std,
            f"{self.target}_low": self.low,
            f"{self.target}_high": self.high,
            "unit": self.unit or None,
            "interval": self.interval,
            "unlike": self.unlike,
            "source": self.source or None,
            "seen_in": self.seen or None,
            "warning": self.warning or None,
        }
        for key, value in beside.items():
            if value is not None or unknown:
                facts[f"{key}_" if key in facts else key] = "" if value is None else value
        return facts

    def fact_names(self) -> tuple[str, ...]:
        """Return all names that `facts` can have for this target, known or not."""
        return tuple(self.facts(unknown=True))

    def remarks(self) -> dict[str, str | float]:
        """Return what should be known beside the value, without what is empty."""
        said = {
            "interval": self.interval,
            "unlike": self.unlike,
            "seen_in": self.seen or None,
            "warning": self.warning or None,
        }
        return {key: value for key, value in said.items() if value is not None}

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        from atomlens.reports.wording import scores_note

        note = scores_note(self.method, self.atoms, self.score_unit, self.prediction)
        return {
            "name": self.name,
            **({"source": self.source} if self.source else {}),
            "target": self.target,
            "unit": self.unit,
            "method": self.method,
            "model": self.model,
            "prediction": self.prediction,
            "std": self.std,
            "std_source": self.std_source,
            **({"std_words": self.std_words} if self.std_words else {}),
            "low": self.low,
            "high": self.high,
            "scores": self.scores.tolist(),
            "scores_std": None if self.scores_std is None else self.scores_std.tolist(),
            "scores_std_source": self.scores_std_source,
            "rank_stability": self.rank_stability,
            "leading_share": self.leading_share,
            "score_unit": self.score_unit,
            **({"scores_note": note} if note else {}),
            "baseline": self.baseline,
            **self._edges(),
            **({} if self.offset is None else {"offset": self.offset}),
            **({} if self.reference is None else {"reference": self.reference}),
            **({"tested": self.tested} if self.tested else {}),
            **({"made_by": dict(self.made_by)} if self.made_by else {}),
            "symbols": list(self.atoms.get_chemical_symbols()),
            **self.remarks(),
        }

    def _edges(self) -> dict[str, object]:
        """Return the edges that have scores, by column; nothing where none has."""
        if self.edge_scores is None or self.edge_index is None:
            return {}
        lengths = self.edge_lengths
        return {
            "edges": {
                "source": self.edge_index[0].tolist(),
                "target": self.edge_index[1].tolist(),
                **({} if lengths is None else {"length": np.round(lengths, 4).tolist()}),
                "scores": self.edge_scores.tolist(),
            }
        }

    def __repr__(self) -> str:
        from atomlens.reports.wording import number, top_atoms, value_with_error

        symbols = self.atoms.get_chemical_symbols()
        value = f"{value_with_error(self.prediction, self.std)} {self.unit}".rstrip()
        top = [
            f"{symbols[i]}{i} {number(float(self.scores[i]), 3)}"
            for i in top_atoms(self.scores, 3, self.baseline)
        ]
        largest = f"{', '.join(top)} {self.score_unit}".rstrip()
        name = cut(self.name, 40)
        return f"<Explanation: {self.target} of {name} = {value} by {self.method}; {largest}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import frame
        from atomlens.reports.page import render_page

        return frame(render_page([self.picture()], title=self.name), height=760)

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained page: the structure in 3D, a table of atoms, the value."""
        from atomlens.reports.page import write_page

        return write_page([self.picture()], path)

    def to_png(self, path: str | Path) -> Path:
        """Write a picture of the structure coloured by score."""
        from atomlens.reports.structure_figure import draw_structure

        return draw_structure(self.picture(), path)

    def to_drawing(self, path: str | Path) -> Path:
        """Write a molecule's drawing in 2D as SVG, hydrogens folded into their atoms.

        Raises:
            ExplanationError: it is no molecule whose bonds are known (from a SMILES, MOL or SDF).
        """
        from atomlens.reports.drawing import draw_molecule

        return draw_molecule(self.picture(), path)

    def _drawn_edges(self) -> "ScoredEdges | None":
        from atomlens.reports.content import ScoredEdges

        if self.edge_scores is None or self.edge_index is None or self.edge_lengths is None:
            return None
        return ScoredEdges(
            ends=self.edge_index.T, lengths=self.edge_lengths, scores=self.edge_scores
        )

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
            std_words=self.std_words,
            low=self.low,
            high=self.high,
            interval=self.interval,
            unlike=self.unlike,
            facts=self.facts(),
            scores=self.scores,
            scores_std=self.scores_std,
            scores_std_source=self.scores_std_source,
            rank_stability=self.rank_stability,
            leading_share=self.leading_share,
            edges=self._drawn_edges(),
            baseline=self.baseline,
            score_unit=self.score_unit,
            offset=self.offset,
            reference=self.reference,
            tested=self.tested,
            made_by=self.made_by,
            model=self.model,
            warning=self.warning,
            seen=self.seen,
        )


if TYPE_CHECKING:
    from atomlens.reports.content import ExplainedStructure, ScoredEdges
