"""Choosing a model honestly: cross-validation, and the search for settings."""

from typing import TYPE_CHECKING

from atomlens.lazy import lazy_names

if TYPE_CHECKING:
    from atomlens.selection.cross_validation import CrossValidation as CrossValidation
    from atomlens.selection.cross_validation import cross_validate as cross_validate
    from atomlens.selection.cross_validation import cv as cv
    from atomlens.selection.tuning import Tuning as Tuning
    from atomlens.selection.tuning import tune as tune

_WHERE = {
    "CrossValidation": "cross_validation",
    "cross_validate": "cross_validation",
    "cv": "cross_validation",
    "Tuning": "tuning",
    "tune": "tuning",
}
__all__ = [*_WHERE]
__getattr__, __dir__ = lazy_names(__name__, _WHERE)
