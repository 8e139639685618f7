"""What a golden folder is asked, when it is made and ever after."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from atomlens import Predictor
from atomlens.errors import Failure


def given_inputs(release: Path) -> dict[str, list[Any]]:
    """The structures and the formulas that the models of a release are asked about."""
    content = json.loads((release / "inputs.json").read_text())
    return {
        "structures": [
            Atoms(
                numbers=s["numbers"],
                positions=s["positions"],
                cell=s["cell"],
                pbc=s["pbc"],
                charges=s["charges"],
                info={"name": s["name"]},
            )
            for s in content["structures"]
        ],
        "formulas": [f"formula:{text}" for text in content["formulas"]],
    }


def expected_of(predictor: Predictor, given: list[Any]) -> dict[str, Any]:
    """Everything that a user reads off: values, their errors, shares of the atoms."""
    prediction = predictor.predict(given)
    answer = {
        "values": prediction.values,
        "std": prediction.std,
        "interval_low": prediction.interval_low,
        "interval_high": prediction.interval_high,
        "probabilities": [p for p in prediction.probabilities if p is not None],
    }
    content: dict[str, Any] = {name: _plain(values) for name, values in answer.items()}
    content["failed"] = [bool(text) for text in prediction.errors]
    # what readers say of a structure (its charge) is not the model's
    content["warnings"] = [bool(doubts.of_model) for doubts in prediction.doubts]
    if predictor.models[0].attends_to_atoms:
        content["attention"] = [
            None if isinstance(found, Failure) else _plain(found.scores)
            for found in predictor.explain_many(given)
        ]
    return content


def _plain(values: Any) -> Any:
    if isinstance(values, list):
        return [_plain(v) for v in values]
    if isinstance(values, np.ndarray):
        return _plain(values.tolist())
    return float(f"{values:.9g}") if math.isfinite(values) else None
