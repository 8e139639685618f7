"""What the reports draw: plain numbers, so that pictures know nothing of models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import ExplanationError
from atomlens.units import unit_text

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredEdges:
    """Neighbours with a score of their own."""

    ends: NDArray[np.int64]
    """(n_edges, 2) atoms"""
    lengths: NDArray[np.float64]
    """(n_edges,) Å"""
    scores: NDArray[np.float64]
    """(n_edges,)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedStructure:
    """One structure with a score for each atom."""

    name: str
    atoms: "Atoms"
    target: str
    unit: str
    """as it is shown; made so by `unit_text`"""
    method: str
    prediction: float
    std: float | None
    std_source: str
    """ensemble, heteroscedastic, validation, or why there is none (see `std_sentence`)"""
    scores: NDArray[np.float64]
    """(n_atoms,)"""
    scores_std: NDArray[np.float64] | None
    """(n_atoms,) or None"""
    baseline: float | None
    """what an uninformative explanation would give each atom"""
    model: str
    std_words: str = ""
    """where ``std`` comes from, a sentence; empty: as its source says"""
    low: float | None = None
    """lower end of the interval of the value"""
    high: float | None = None
    """upper end"""
    interval: float | None = None
    """share of true values between the ends"""
    unlike: float | None = None
    """percent of the validation part that is nearer to the training data"""
    facts: Mapping[str, str | float] = field(default_factory=dict)
    """what a file of the structure says of it as a whole"""
    scores_std_source: str = ""
    """ensemble, dropout, sampling, ensemble and sampling, or unknown"""
    rank_stability: float | None = None
    """mean rank correlation of the scores between the networks of the spread"""
    leading_share: float | None = None
    """in which share of them the atom that leads here does"""
    edges: ScoredEdges | None = None
    """neighbours with scores, where the method gives some"""
    score_unit: str = ""
    """unit of the scores; empty for shares"""
    offset: float | None = None
    """what the scores start from, where offset and scores add up to the prediction"""
    reference: float | None = None
    """what the model says of the reference that the scores are the difference to"""
    tested: str = ""
    """whether the method has been tested on this model, a sentence"""
    made_by: Mapping[str, str] = field(default_factory=dict)
    """what tells the model from others, see `Predictor.identity`"""
    warning: str = ""
    """why prediction and scores should not be trusted, if there is a reason"""
    seen: str = ""
    """in which part of the model's training the structure was; empty if in none"""

    def __post_init__(self) -> None:
        for name in ("unit", "score_unit"):
            object.__setattr__(self, name, unit_text(getattr(self, name)))

    @property
    def noise(self) -> float:
        """The median error of the scores; 0 where none is known."""
        known = np.asarray([] if self.scores_std is None else self.scores_std, dtype=np.float64)
        known = known[np.isfinite(known)]
        return float(np.median(known)) if known.size else 0.0


def check_content(structure: ExplainedStructure) -> None:
    """Raise `ExplanationError` unless there is one finite score for each atom."""
    n_atoms = len(structure.atoms)
    for label, values in (("scores", structure.scores), ("scores_std", structure.scores_std)):
        if values is None:
            continue
        if np.shape(values) != (n_atoms,):
            raise ExplanationError(
                f"{structure.name}: {label} has shape {np.shape(values)} for {n_atoms} atoms. "
                "Give one number for each atom."
            )
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise ExplanationError(
                f"{structure.name}: the score of atom {wrong[0]} is {values[wrong[0]]}, so the "
                "structure cannot be coloured. Check the model that was explained."
            )
    if n_atoms == 0:
        raise ExplanationError(f"{structure.name}: there are no atoms to draw.")
