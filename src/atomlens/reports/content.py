"""What the reports draw: plain numbers, so that pictures know nothing of models."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedStructure:
    """One structure with a score for each atom."""

    name: str
    atoms: "Atoms"
    target: str
    unit: str
    method: str
    prediction: float
    std: float | None
    std_source: str
    """ensemble, heteroscedastic, validation or none"""
    scores: NDArray[np.float64]
    """(n_atoms,)"""
    scores_std: NDArray[np.float64] | None
    """(n_atoms,) or None"""
    baseline: float | None
    """what an uninformative explanation would give each atom"""
    model: str
