"""Small explained structures for the tests of reports."""

from typing import Any

import numpy as np
from ase import Atoms

from atomlens.reports.content import ExplainedStructure

HOSTILE_NAME = "</script><b>\"quotes' & {{title}} 水"


def explained(atoms: Atoms, **changes: Any) -> ExplainedStructure:
    """Return a structure whose scores rise with the atom's index and add up to one."""
    n = len(atoms)
    scores = np.arange(1.0, n + 1) / max(n * (n + 1) / 2, 1)
    fields: dict[str, Any] = {
        "name": "sample",
        "atoms": atoms,
        "target": "homo",
        "unit": "eV",
        "method": "attention",
        "prediction": -6.4183,
        "std": 0.124,
        "std_source": "ensemble",
        "scores": scores,
        "scores_std": 0.1 * scores,
        "baseline": 1 / n if n else None,
        "model": "scann-plus",
    }
    return ExplainedStructure(**(fields | changes))


def water() -> Atoms:
    """Return a water molecule."""
    return Atoms("OH2", [(0, 0, 0.12), (0, 0.76, -0.48), (0, -0.76, -0.48)])


def formula(symbols: str) -> Atoms:
    """Return a bare formula: atoms whose positions mean nothing."""
    atoms = Atoms(symbols)
    atoms.info["is_formula"] = True
    return atoms
