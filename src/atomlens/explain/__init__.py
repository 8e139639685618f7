"""Explainers, and the tests of explanations."""

from atomlens.explain.base import (
    AtomScores,
    AttentionExplainer,
    Explainer,
    Explanation,
    RolloutExplainer,
    methods_of,
)
from atomlens.explain.contributions import ContributionExplainer
from atomlens.explain.gradients import (
    ExpectedGradientsExplainer,
    GradientExplainer,
    GradientXInputExplainer,
    IntegratedGradientsExplainer,
    MaskedIntegratedGradientsExplainer,
)
from atomlens.explain.masks import LearntMaskExplainer
from atomlens.explain.occlusion import (
    MaskedOcclusionExplainer,
    OcclusionExplainer,
    RebuiltOcclusionExplainer,
)
from atomlens.explain.question import Answers, Question
from atomlens.explain.shapley import ShapleyExplainer
from atomlens.models.base import PropertyModel

EXPLAINERS: dict[str, type[Explainer]] = {
    explainer.name: explainer
    for explainer in (
        ContributionExplainer,
        AttentionExplainer,
        RolloutExplainer,
        GradientExplainer,
        GradientXInputExplainer,
        IntegratedGradientsExplainer,
        MaskedIntegratedGradientsExplainer,
        ExpectedGradientsExplainer,
        ShapleyExplainer,
        LearntMaskExplainer,
        OcclusionExplainer,
        MaskedOcclusionExplainer,
        RebuiltOcclusionExplainer,
    )
}
"""Every explanation method by name."""


def default_method(model: PropertyModel) -> str:
    """Return the most exact method that a model has: contribution, attention or occlusion."""
    return methods_of(model)[0]


__all__ = [
    "EXPLAINERS",
    "Answers",
    "AtomScores",
    "AttentionExplainer",
    "ContributionExplainer",
    "Explainer",
    "Explanation",
    "GradientExplainer",
    "IntegratedGradientsExplainer",
    "OcclusionExplainer",
    "Question",
    "default_method",
    "methods_of",
]
