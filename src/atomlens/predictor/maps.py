"""Maps of predictions and explanations for chemiscope."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.explain import Explanation
from atomlens.predictor.core import Predictor
from atomlens.predictor.prediction import Prediction
from atomlens.reports.chemiscope_file import MapProperty, Values, plane, write_map
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import value_slices

if TYPE_CHECKING:
    from ase import Atoms

X, Y = "map 1", "map 2"
_HOW = "principal components of the model's own vectors"


def write_explained_map(
    model: Predictor, explanations: Sequence[Explanation], path: str | Path
) -> Path:
    """Write explained structures with value, error estimate and the score of every atom."""
    first = explanations[0]
    unit = " or ".join(dict.fromkeys(e.unit for e in explanations))  # one for each class
    score_unit = " or ".join(dict.fromkeys(e.score_unit for e in explanations))
    structures = [_named(e.atoms, e.name) for e in explanations]
    std = np.array([np.nan if e.std is None else e.std for e in explanations], dtype=np.float64)
    properties = _places(model, StructureArrays.from_atoms(structures)) | {
        "name": MapProperty(values=[e.name for e in explanations]),
        first.target: MapProperty(values=[e.prediction for e in explanations], unit=unit),
        "error estimate": MapProperty(values=std, unit=unit, description=_UNKNOWN),
        **_unlike(np.array([np.nan if e.unlike is None else e.unlike for e in explanations])),
        "warning": MapProperty(values=[e.warning for e in explanations]),
        first.method: MapProperty(
            values=np.concatenate([e.scores for e in explanations]),
            unit=score_unit,
            description=f"score of each atom by {first.method}",
            of_atoms=True,
        ),
    }
    return write_map(
        structures, properties, path, name=_title(model), x=X, y=Y, colour=first.target
    )


def write_evaluated_map(
    model: Predictor,
    structures: StructureArrays,
    prediction: Prediction,
    true: Values,
    path: str | Path,
) -> Path:
    """Write predicted structures with value, true value, error and error estimate.

    What could not be predicted is left out; of targets the numbers are written.
    """
    rows = np.flatnonzero(prediction.ok)
    chosen = structures.subset(rows)
    properties = _places(model, chosen) | {"name": MapProperty(values=list(chosen.names))}
    numbers = [
        (target, place.start)
        for target, place in zip(prediction.targets, value_slices(prediction.targets), strict=True)
        if target.kind == "regression" and not target.is_spectrum
    ]
    for target, column in numbers:
        found, known = prediction.values[rows, column], true[rows, column]
        has = np.isfinite(known)
        properties |= {
            target.name: MapProperty(values=found, unit=target.unit, description="predicted"),
            f"{target.name} true": MapProperty(
                values=np.where(has, known, found), unit=target.unit
            ),
            f"{target.name} error": MapProperty(
                values=np.where(has, found - known, 0.0),
                unit=target.unit,
                description="predicted less true; 0 where the true value is unknown",
            ),
        }
        std = prediction.std[rows, column]
        if np.isfinite(std).any():
            properties[f"{target.name} error estimate"] = MapProperty(
                values=std, unit=target.unit, description=_UNKNOWN
            )
    if prediction.unlike is not None:
        properties |= _unlike(prediction.unlike[rows])
    properties["warning"] = MapProperty(values=[prediction.warnings[i] for i in rows.tolist()])
    atoms = [chosen.to_atoms(i) for i in range(len(chosen))]
    colour = f"{numbers[0][0].name} error" if numbers else X
    return write_map(atoms, properties, path, name=_title(model), x=X, y=Y, colour=colour)


_UNKNOWN = "where there is none, the smallest of the others stands here; `warning` says why"


def _unlike(values: Values) -> dict[str, MapProperty]:
    """Return how unlike the training data structures are, if any is known."""
    if not np.isfinite(values).any():
        return {}
    about = "share of the validation part that is nearer to the training data"
    return {"unlike": MapProperty(values=values, unit="%", description=about)}


def _places(model: Predictor, structures: StructureArrays) -> dict[str, MapProperty]:
    places = plane(model.embed(structures).vectors)
    return {
        key: MapProperty(values=places[:, k], description=f"{_HOW}, number {k + 1}")
        for k, key in enumerate((X, Y))
    }


def _named(atoms: "Atoms", name: str) -> "Atoms":
    copy: Any = atoms.copy()
    copy.info["name"] = name
    return copy


def _title(model: Predictor) -> str:
    return f"{model.model_name}: {', '.join(t.name for t in model.targets)}"
