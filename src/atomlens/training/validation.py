"""How good a model is on the validation part, after an epoch."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atomlens.graphs import GraphStore
from atomlens.models.base import PropertyModel
from atomlens.predictor.inference import run_models
from atomlens.predictor.trust.estimates import softmax
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import output_slices, value_slices
from atomlens.targets.scaling import TargetScaling
from atomlens.training.data import TrainingData


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationResult:
    """Errors of one model on the validation part."""

    score: float
    """Mean over the targets of MAE over spread (cross-entropy for classes): what is minimised
    when the best epoch is chosen. NaN without a validation part."""
    errors: dict[str, float]
    """By target: MAE in its unit (over all known points of a spectrum); share of wrong answers
    for classes."""

    @property
    def is_sound(self) -> bool:
        """False if the model's answers are not numbers."""
        return not self.errors or math.isfinite(self.score)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The validation part with its true values."""

    store: GraphStore
    rows: NDArray[np.int64]
    """Rows of the store."""
    structures: StructureArrays
    """Of these rows."""
    true: NDArray[np.float64]
    """(n, n_values) in units."""
    scaling: TargetScaling

    @classmethod
    def of(cls, data: TrainingData, store: GraphStore) -> "Validation":
        """Return the validation part of the data, with its graphs on a device."""
        rows = data.choosing
        return cls(
            store=store,
            rows=rows,
            structures=data.dataset.structures.subset(rows),
            true=data.dataset.values[rows],
            scaling=data.scaling,
        )

    def measure(self, model: PropertyModel) -> ValidationResult:
        """Predict and compare; the model must be in evaluation mode."""
        if not len(self.rows):
            return ValidationResult(score=math.nan, errors={})
        outputs = run_models((model,), self.store, rows=self.rows).values[0]
        decoded = self.scaling.decode(outputs, self.structures)
        errors, scores = {}, []
        targets = self.scaling.targets
        places = zip(targets, output_slices(targets), value_slices(targets), strict=True)
        for index, (target, place, columns) in enumerate(places):
            known = np.isfinite(self.true[:, columns])
            if not known.any():
                continue
            true, found = self.true[:, columns], decoded[:, place]
            if target.kind == "classification":
                rows = known[:, 0]
                labels = true[rows, 0].astype(np.int64)
                shares = softmax(found[rows])[np.arange(len(labels)), labels]
                scores.append(float(-np.log(np.maximum(shares, 1e-300)).mean()))
                errors[target.name] = float((found[rows].argmax(axis=1) != labels).mean())
                continue
            absolute = np.abs(true - found)
            errors[target.name] = float(absolute[known].mean())
            if target.extensive:
                absolute = absolute / self.structures.n_atoms[:, None]
            scores.append(float(absolute[known].mean()) / self.scaling.stds[index])
        return ValidationResult(score=float(np.mean(scores)) if scores else math.nan, errors=errors)
