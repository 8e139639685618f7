"""Figures as ``metrics.json`` has them, in words and tables.

The folder of a model may hold anything, and those of older versions lack some: what is no number
is left out.
"""

import math
from collections.abc import Mapping
from typing import Any

from atomlens.printing import counted

FIGURES = {
    "n": ("samples", False),
    "mae": ("MAE", True),
    "mae_interval": ("MAE, 95 % interval", True),
    "rmse": ("RMSE", True),
    "mad": ("MAE of always saying the mean", True),
    "mad_mae": ("MAD:MAE", False),
    "r2": ("R²", False),
    "spearman": ("Spearman", False),
    "n_judged": ("values on which ± is judged", False),
    "interval_coverage": ("inside the 90 % interval", False),
    "miscalibration_area": ("miscalibration area", False),
    "calibration_error": ("calibration error", False),
    "foreseen_errors": ("Spearman of error and estimate", False),
    "accuracy": ("accuracy", False),
    "accuracy_interval": ("accuracy, 95 % interval", False),
    "most_common": ("accuracy of the most common class", False),
    "balanced_accuracy": ("balanced accuracy", False),
    "f1": ("F1", False),
    "auc": ("ROC AUC", False),
    "cross_entropy": ("cross-entropy", False),
    "cross_entropy_of_shares": ("cross-entropy of the class shares of the training part", False),
    "brier": ("Brier score", False),
    "confidence": ("mean probability of the class that is said", False),
    "class_calibration_error": ("calibration error of the probabilities", False),
}
"""By field of the metrics: how it is called, and whether it carries the target's unit."""
MEAN_OF_CLASSES = "mean of classes"


def plain_number(figures: Mapping[str, Any], key: str) -> float | None:
    """Return a figure that is a number; files of a model may hold anything."""
    value = figures.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def values_of(figures: Mapping[str, Any], field: str = "n") -> str:
    """Return how many values there are; of spectra also of how many structures.

    Args:
        figures: Of one target, as in ``metrics.json``.
        field: ``n``, or ``n_judged``.
    """
    n, n_structures = figures.get(field), figures.get(f"{field}_structures")
    if field == "n":
        n_structures = figures.get("n_structures")
    if not isinstance(n, int) or not isinstance(n_structures, int) or not n_structures:
        return str(n)
    whole = n % n_structures == 0
    what = f" x {counted(n // n_structures, 'point')}" if whole else ""
    of = "" if whole else "of "
    return f"{n} ({of}{counted(n_structures, 'structure')}{what})"


def figure_text(value: Any) -> str:
    """Return a figure as tables have it; of an interval both ends."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return " to ".join(f"{end:.3g}" for end in value)
    return f"{value:.4g}"


def f1_label(figures: Mapping[str, Any]) -> str:
    """Return what the F1 of some figures is called: ``F1 of metal``, ``F1, mean of classes``."""
    of = figures.get("f1_of")
    if not isinstance(of, str) or not of:
        return "F1"
    return f"F1, {of}" if of == MEAN_OF_CLASSES else f"F1 of {of}"


_OF_A_CLASS = {
    "recall": "recall",
    "precision": "precision",
    "auc": "ROC AUC",
    "average_precision": "average precision",
}
"""Figure of a class, and what its column is called."""


def tables_by_class(targets: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return a table of each target that has classes: samples, recall, precision, ...

    Args:
        targets: Figures by target, as in ``metrics.json``; those of older versions have none.
    """
    found = {}
    for name, figures in targets.items():
        rows = []
        for one in by_class(figures):
            row: dict[str, Any] = {"class": one["label"], "samples": one["n"]}
            row["predicted"] = one["n_said"]
            for key, label in _OF_A_CLASS.items():
                value = plain_number(one, key)
                row[label] = None if value is None else f"{value:.4g}"
            rows.append(row)
        if rows:
            found[name] = rows
    return found


def by_class(figures: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the figures of each class; files of a model may hold anything."""
    rows = figures.get("by_class")
    if not isinstance(rows, list | tuple):
        return []
    return [
        one
        for one in rows
        if isinstance(one, Mapping)
        and isinstance(one.get("label"), str)
        and isinstance(one.get("n"), int)
        and isinstance(one.get("n_said"), int)
    ]
